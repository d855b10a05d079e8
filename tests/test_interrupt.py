"""Signals, patience, memory: how a search ends before its last trial, and what it keeps until then."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import resumable
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier, OwnFit
from multihop_search.engine.patience import Patience
from multihop_search.engine.record import COMPLETE, FAIL, TrialRecord
from multihop_search.errors import FailedTrialsWarning, InvalidSetting
from multihop_search.interrupt import Interrupted, interruptible
from multihop_search.paths.path import Path as HopPath
from multihop_search.verdict.trials import Trials

pytestmark = pytest.mark.once

PROGRAM = """
import signal, sys, time, pickle, warnings
from pathlib import Path
import resumable
from multihop_search.errors import StoppedWarning

def slow(study, trial):
    Path(sys.argv[1], "told").write_text(str(trial.number))
    time.sleep(0.05)

if sys.argv[2] == "refit":
    import multihop_search.search.run as run
    def select(*args, **settings):
        Path(sys.argv[1], "refit").write_text("")
        time.sleep(60)
    run.select = select
X, y = resumable.data()
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
search = resumable.search_for(None, n_trials=1000, callbacks=[slow], ray=int(sys.argv[3]))
with warnings.catch_warnings(record=True) as given:
    warnings.simplefilter("always")
    search.fit(X, y)
assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
said = [str(w.message) for w in given if issubclass(w.category, StoppedWarning)]
Path(sys.argv[1], "found").write_bytes(pickle.dumps((search.set_params(callbacks=None), said)))
"""


def begin(folder: Path, *, refit: bool = False, ray: int = 0) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(resumable.__file__).parent)}
    command = [sys.executable, "-c", PROGRAM, str(folder), "refit" if refit else "", str(ray)]
    return subprocess.Popen(command, text=True, env=environment, start_new_session=True)


def wait_for(file: Path, process: subprocess.Popen[str], content: int = -1) -> None:
    end = time.monotonic() + 120
    while not (file.exists() and (content < 0 or int(file.read_text() or 0) >= content)):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
@pytest.mark.parametrize(("number", "ray"), [(signal.SIGINT, 0), (signal.SIGTERM, 1)])
def test_the_first_signal_ends_a_search_in_order(number: signal.Signals, ray: int, tmp_path: Path) -> None:
    process = begin(tmp_path, ray=ray)
    wait_for(tmp_path / "told", process, 4)
    process.send_signal(number)
    assert process.wait(timeout=120) == 0
    search, said = pickle.loads((tmp_path / "found").read_bytes())
    n_told = len(search.results_)
    assert 5 <= n_told < 1000
    assert said == [
        f"{number.name} ended the search after {n_told} of 2000 trials: the best of them is fitted and judged now, a "
        "second signal stops that too."
    ]
    assert len(search.study_.trials) == n_told
    fresh = resumable.search_for(None, n_trials=1000, callbacks=[lambda study, trial: stop_at(study, trial, n_told)])
    fresh.fit(*resumable.data())
    assert fresh.chosen_ == search.chosen_
    assert str(fresh.verdict_) == str(search.verdict_)
    np.testing.assert_array_equal(fresh.results_["score"], search.results_["score"])


def stop_at(study: Any, trial: Any, n_told: int) -> None:
    if trial.number == n_told - 1:
        study.stop()


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """The first of either kind is met by `test_the_first_signal_ends_a_search_in_order`."""
    process = begin(tmp_path, refit=True)
    wait_for(tmp_path / "told", process, 1)
    process.send_signal(signal.SIGINT)
    wait_for(tmp_path / "refit", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert not (tmp_path / "found").exists()


STARTS_RAY = """
import signal, sys
from pathlib import Path
import ray
from multihop_search.executors.ray import RayExecutor

init = ray.init

def noted(**settings):
    Path(sys.argv[1], "starts").write_text("")
    return init(**settings)

def leave(number, frame):
    raise SystemExit("told to leave")

ray.init = noted
if sys.argv[2]:
    signal.signal(signal.SIGTERM, leave)
RayExecutor(n_workers=1).start()
Path(sys.argv[1], "started").write_text("")
"""


@pytest.mark.parametrize("handled", ["", "handled"])
def test_a_signal_while_ray_starts_ends_the_process_without_a_trace(handled: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_RAY, str(tmp_path), handled]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(tmp_path / "starts", process)
        time.sleep(0.5)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == ((1, "told to leave\n") if handled else (-signal.SIGTERM, ""))
    assert not (tmp_path / "started").exists()
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_a_signal_before_the_first_trial_is_an_ordinary_interrupt(blobs: Any) -> None:
    class Impatient(DecisionTreeClassifier):
        def predict_proba(self, X: Any) -> Any:
            if len(X) == 48:  # in a fold
                os.kill(os.getpid(), signal.SIGINT)
            return super().predict_proba(X)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        MultihopSearchClassifier(
            Impatient(max_depth=2), RandomForestClassifier(2), max_hops=0, n_trials=2, random_state=0
        ).fit(*blobs)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_users_own_stays() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        assert seen == [signal.SIGTERM]
        with pytest.raises(Interrupted, match="SIGINT"), interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_nothing_is_touched() -> None:
    failures: list[BaseException] = []

    def inside() -> None:
        try:
            with interruptible():
                assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert not failures


# ---- patience


def test_a_search_ends_when_nothing_gets_better(blobs: Any) -> None:
    settings: dict[str, Any] = {"max_hops": 0, "n_trials": 30, "cv": 2, "tree_fits": [OwnFit()], "random_state": 0}
    settings |= {"student": DecisionTreeClassifier(max_depth=2), "teacher": RandomForestClassifier(2)}
    whole = MultihopSearchClassifier(**settings).fit(*blobs)
    score = whole.results_["score"].to_numpy()
    best = np.maximum.accumulate(score)
    since = [number - int(np.argmax(best >= best[number])) for number in range(30)]
    expected = next(number + 1 for number in range(30) if since[number] == 5)
    assert expected < 30
    search = MultihopSearchClassifier(n_trials_no_change=5, **settings).fit(*blobs)
    np.testing.assert_array_equal(search.results_["score"], score[:expected])


def test_every_student_has_to_stand_still() -> None:
    patience = Patience(2, n_students=2)
    paths = {name: HopPath((), (), name) for name in "ab"}
    told = [("a", 1.0), ("b", 1.0), ("a", 1.0), ("b", 2.0), ("a", 1.0), ("b", 2.0), ("a", 1.0), ("b", 2.0)]
    ends = [
        patience.ends(TrialRecord(number=place, path=paths[name], state=COMPLETE), score)
        for place, (name, score) in enumerate(told)
    ]
    assert ends == [False] * 7 + [True]


def test_a_trial_that_is_no_candidate_is_no_change() -> None:
    patience = Patience(1, n_students=1)
    assert not patience.ends(TrialRecord(number=0, path=HopPath(()), state=COMPLETE), -1.0)
    assert patience.ends(TrialRecord(number=1, path=HopPath(()), state=FAIL), float("nan"))


@pytest.mark.parametrize("value", [0, True, 1.5, "3"])
def test_patience_is_a_number_of_trials(value: Any, blobs: Any) -> None:
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=2), n_trials_no_change=value)
    with pytest.raises(InvalidSetting, match="n_trials_no_change must be None or an integer of at least 1"):
        search.fit(*blobs)


# ---- memory


class ByNumber:
    """Stands in for the assessment: the score of a path is its depth."""

    def score(self, record: TrialRecord) -> float:
        return float(dict(record.path.params)["depth"])

    def standard_error(self, record: TrialRecord, predictions: np.ndarray) -> float:
        return 0.5


def record_of(number: int, depth: int, excess: float = 0.0, student: str = "student") -> TrialRecord:
    return TrialRecord(
        number=number, path=HopPath((), (("depth", depth),), student), state=COMPLETE, excess={"nodes": excess}
    )


def test_the_best_of_each_group_are_kept_and_those_within_the_budget_before_others() -> None:
    trials = Trials(ByNumber(), most=2)  # type: ignore[arg-type]
    for record in [
        record_of(0, 5),
        record_of(1, 9, excess=0.1),
        record_of(2, 3),
        record_of(3, 1, student="other"),
        record_of(4, 4),
        record_of(5, 8, excess=0.2),
    ]:
        trials.add(record, np.full((2, 2), record.number))
    trials.add(TrialRecord(number=6, path=record_of(0, 5).path, state=COMPLETE, reason="same path as trial 0"), None)
    trials.add(TrialRecord(number=7, path=HopPath((), (("depth", 7),)), state=FAIL), None)
    assert [record.number for record, _ in trials.kept("student")] == [0, 4, 6]
    assert [record.number for record, _ in trials.kept()] == [0, 3, 4, 6]
    assert [found[0, 0] for _, found in trials.kept("student")] == [0, 4, 0]
    assert [trials.score(record)[0] for record in trials.records[:6]] == [5, 9, 3, 1, 4, 8]
    assert trials.score(trials.records[6]) == (5.0, 0.5)
    assert np.isnan(trials.score(trials.records[7])).all()


def test_what_is_let_go_is_still_counted_and_scored(blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Any:
        with pytest.warns(FailedTrialsWarning):
            return resumable.search_for(None, n_trials=8).fit(*blobs)

    whole = found()
    monkeypatch.setattr(Trials.__init__, "__defaults__", (2,))
    few = found()
    for name in ("state", "score", "score_se"):
        np.testing.assert_array_equal(few.results_[name], whole.results_[name])
    for name, verdict in few.verdicts_.items():
        assert verdict.n_trials == whole.verdicts_[name].n_trials
        chosen = few.results_.loc[few.chosen_[name]]
        assert np.isfinite(chosen["fidelity"])
    assert few.results_["fidelity"].notna().sum() < whole.results_["fidelity"].notna().sum()
