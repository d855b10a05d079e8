"""The mirror: each finished trial is copied, and no storage can stop or slow the search."""

import copy
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.engine.study import set_constraints
from multihop_search.errors import InvalidSetting, MirrorWarning
from multihop_search.studies import mirror as module
from multihop_search.studies.mirror import StudyMirror

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def quiet_and_quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 1e-3)
    yield
    optuna.logging.set_verbosity(verbosity)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/trials.db"


class Gate(InMemoryStorage):
    """Hangs at each new trial until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        assert self.open.wait(60)
        return super().create_new_trial(study_id, template_trial)


class Moody(InMemoryStorage):
    """Raises at the calls whose number, from 0 on, is in `moods`; the trial may have been written before."""

    def __init__(self, moods: Any, error: Exception, *, written: bool = False) -> None:
        super().__init__()
        self.moods, self.error, self.written, self.n_calls = moods, error, written, 0

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        self.n_calls += 1
        moody = self.n_calls - 1 in self.moods
        made = super().create_new_trial(study_id, template_trial) if self.written or not moody else -1
        if moody:
            raise self.error
        return made


ALWAYS = range(1_000_000)
TREE = DecisionTreeClassifier(max_depth=3)


def eventful(trial: Trial) -> float:
    """Draw from a space with a branch; some trials are pruned, some fail, some break a constraint."""
    value = trial.suggest_float("rate", 1e-3, 1, log=True) + trial.suggest_float("step", 0, 1, step=0.1)
    trial.set_user_attr("path", f"forest -> {trial.number}")
    trial.set_user_attr("fold_weights", [0.3, 0.3, 0.4])
    if trial.suggest_categorical("kind", ["a", None, True]) == "a":
        value += trial.suggest_int("depth", 1, 9)
    set_constraints(trial, {"size": trial.number - 3.5, "time": -1.0})
    trial.report(value, 0)
    if trial.number % 4 == 1:
        trial.report(float("nan") if trial.number == 5 else value / 2, 3)
        raise optuna.TrialPruned
    return float("inf" if trial.number == 2 else "nan" if trial.number == 3 else value)


def studied(n_trials: int, callbacks: Any = (), direction: str = "maximize", seed: int = 0, **settings: Any) -> Study:
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=seed))
    study.optimize(eventful, n_trials=n_trials, callbacks=[*callbacks], **settings)
    return study


def copies(storage: str | BaseStorage, name: str = "mine") -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=storage).get_trials()


def numbers(trials: list[FrozenTrial]) -> list[int]:
    return [trial.user_attrs["source_number"] for trial in trials]


def journal(folder: Path) -> BaseStorage:
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "trials.log")))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize(
    "storage_in", [lambda folder: InMemoryStorage(), lambda folder: f"sqlite:///{folder}/trials.db", journal]
)
def test_a_copy_has_all_that_its_trial_has(storage_in: Callable[[Path], Any], direction: str, tmp_path: Path) -> None:
    storage = storage_in(tmp_path)
    mirror = StudyMirror(storage, "mine")
    study = studied(8, [mirror], direction)
    assert mirror.flush(60) == 0
    copied = copies(storage)
    assert {trial.state for trial in copied} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert len(copied) == 8
    for trial, source in zip(copied, study.trials, strict=True):
        assert (trial.number, trial.state, trial.values) == (source.number, source.state, source.values)
        assert (trial.params, trial.distributions) == (source.params, source.distributions)
        assert str(trial.intermediate_values) == str(source.intermediate_values)  # NaN is equal to NaN in words
        assert trial.user_attrs == {**source.user_attrs, "source_number": source.number}
        assert trial.system_attrs == source.system_attrs
        assert (trial.datetime_start, trial.datetime_complete) == (source.datetime_start, source.datetime_complete)
        assert "source_number" not in source.user_attrs
    if hasattr(FrozenTrial, "constraints"):
        assert copied[7].constraints == {"size": 3.5, "time": -1.0}
    assert optuna.load_study(study_name="mine", storage=storage).direction.name.lower() == direction


def test_a_search_is_mirrored(blobs: Any, tmp_path: Path) -> None:
    storage = journal(tmp_path)
    mirror = StudyMirror(storage, "mine")
    search = MultihopSearchClassifier(
        TREE,
        RandomForestClassifier(5),
        intermediates=[("tree", DecisionTreeClassifier(max_depth=6))],
        n_trials=6,
        cv=2,
        crossfit_cv=2,
        random_state=0,
        callbacks=[mirror],
    ).fit(*blobs)
    assert mirror.flush(60) == 0
    copied = copies(storage)
    assert numbers(copied) == list(range(6))
    for trial, source in zip(copied, search.study_.trials, strict=True):
        assert (trial.value, trial.params) == (source.value, source.params)
        assert {name: trial.user_attrs[name] for name in ("path", "hops", "student")} == {
            name: source.user_attrs[name] for name in ("path", "hops", "student")
        }


def test_several_objectives_are_mirrored() -> None:
    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 2.0), n_trials=3, callbacks=[mirror])
    mirror.flush(60)
    assert [trial.values for trial in copies(storage)] == [trial.values for trial in study.trials]
    assert optuna.load_study(study_name="mine", storage=storage).directions == study.directions


def test_only_finished_trials_are_copied() -> None:
    storage = InMemoryStorage()
    mirror, study = StudyMirror(storage, "mine"), optuna.create_study()
    study.ask()
    study.enqueue_trial({"x": 1.0})
    study.tell(study.ask(), 1.0)
    for trial in study.get_trials(deepcopy=False):
        mirror(study, trial)
    mirror.flush(60)
    assert numbers(copies(storage)) == [1]


def test_threads_may_share_a_mirror() -> None:
    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    studied(60, [mirror], n_jobs=2)
    mirror.flush(60)
    assert sorted(numbers(copies(storage))) == list(range(60))


def test_a_storage_that_hangs_does_not_hold_up_the_search() -> None:
    storage = Gate()
    mirror = StudyMirror(storage, "mine")
    studied(9, [mirror])
    with pytest.warns(
        MirrorWarning, match=r"study 'mine', 0 could not be written and 9 still wait: flush the mirror again"
    ):
        assert mirror.flush(0.05) == 9
    assert copies(storage) == []
    storage.open.set()
    assert mirror.flush(60) == 0
    assert numbers(copies(storage)) == list(range(9))


def test_a_slow_storage_is_waited_for_when_flushed() -> None:
    storage = Gate()
    mirror = StudyMirror(storage, "mine")
    studied(4, [mirror])
    threading.Timer(0.2, storage.open.set).start()
    assert mirror.flush(60) == 0
    assert len(copies(storage)) == 4


def test_a_broken_storage_is_reported_once() -> None:
    storage = Moody(ALWAYS, OSError("disk full"))
    mirror = StudyMirror(storage, "mine", n_tries=3)
    study = studied(6, [mirror])
    assert len(study.trials) == 6
    with pytest.warns(MirrorWarning, match="6 could not be written and 0 still wait.*OSError: disk full") as caught:
        assert mirror.flush(60) == 6
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert storage.n_calls == 18
    assert mirror.flush(60) == 0


def test_an_error_is_told_even_while_trials_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 60)
    mirror = StudyMirror(Moody(ALWAYS, OSError("disk full")), "mine")
    studied(6, [mirror])
    with pytest.warns(MirrorWarning, match="0 could not be written and 6 still wait.*OSError: disk full"):
        assert mirror.flush(0.3) == 6


def test_a_storage_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    mirror = StudyMirror(f"sqlite:///{tmp_path}/no/such/folder/trials.db", "mine", n_tries=1)
    studied(2, [mirror])
    with pytest.warns(MirrorWarning, match="2 could not be written"):
        mirror.flush(60)


@pytest.mark.parametrize("written", [False, True])
def test_a_failed_write_is_tried_again_but_nothing_is_written_twice(written: bool) -> None:
    storage = Moody({0, 1, 4}, ConnectionError("gone"), written=written)
    mirror = StudyMirror(storage, "mine", n_tries=3)
    studied(6, [mirror])
    assert mirror.flush(60) == 0
    assert numbers(copies(storage)) == list(range(6))


def test_what_was_lost_can_be_passed_again() -> None:
    storage = Moody(range(2, 4), OSError("disk full"))
    mirror = StudyMirror(storage, "mine", n_tries=1)
    study = studied(6, [mirror])
    with pytest.warns(MirrorWarning, match="2 could not be written"):
        mirror.flush(60)
    assert numbers(copies(storage)) == [0, 1, 4, 5]
    for trial in study.get_trials(deepcopy=False):
        mirror(study, trial)
    assert mirror.flush(60) == 0
    assert numbers(copies(storage)) == [0, 1, 4, 5, 2, 3]
    assert all("source_number" not in trial.user_attrs for trial in study.trials)


def test_what_cannot_be_stored_is_given_up_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 60)
    mirror, study = StudyMirror(url, "mine"), optuna.create_study()

    def objective(trial: Trial) -> float:
        if trial.number == 1:
            trial.set_user_attr("odd", object())
        return trial.suggest_float("x", 0, 1)

    study.optimize(objective, n_trials=3, callbacks=[mirror])
    with pytest.warns(MirrorWarning, match=r"1 could not be written and 0 still wait.*TypeError.*JSON"):
        assert mirror.flush(30) == 1
    assert numbers(copies(url)) == [0, 2]


def test_a_resumed_search_is_not_copied_twice(url: str) -> None:
    first = StudyMirror(url, "mine")
    studied(6, [first])
    assert first.flush(60) == 0
    second = StudyMirror(url, "mine")
    studied(9, [second])
    assert second.flush(60) == 0
    assert numbers(copies(url)) == list(range(9))


def test_another_search_under_the_same_name_is_added() -> None:
    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    for seed in (0, 1):
        study = studied(4, [mirror], seed=seed)
    mirror.flush(60)
    assert numbers(copies(storage)) == [*range(4), *range(4)]
    assert copies(storage)[5].params == study.trials[1].params


def test_what_ended_otherwise_than_before_is_copied_again() -> None:
    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    fail, pruned, complete = TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE
    ends = [(fail, None), (pruned, None), (complete, 1.0), (complete, 2.0)]
    for state, value in [*ends, *ends]:
        study = optuna.create_study()
        study.tell(study.ask(), value, state)
        mirror(study, study.trials[0])
    mirror.flush(60)
    assert [(trial.state, trial.value) for trial in copies(storage)] == ends


def test_trials_of_others_in_the_study_are_left_alone() -> None:
    storage = InMemoryStorage()
    theirs = optuna.create_study(study_name="mine", storage=storage, direction="maximize")
    theirs.add_trials(studied(2).trials)
    mirror = StudyMirror(storage, "mine")
    studied(2, [mirror])
    mirror.flush(60)
    assert ["source_number" in trial.user_attrs for trial in copies(storage)] == [False, False, True, True]


def test_a_study_with_another_direction_is_refused() -> None:
    storage = InMemoryStorage()
    optuna.create_study(study_name="mine", storage=storage, direction="minimize")
    mirror = StudyMirror(storage, "mine")
    studied(2, [mirror], "maximize")
    with pytest.warns(
        MirrorWarning, match=r"2 could not be written.*directions \['maximize'\] of its source, it has \['minimize'\]"
    ):
        mirror.flush(60)
    assert copies(storage) == []


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda mirror: clone(MultihopSearchClassifier(TREE, callbacks=[mirror])).callbacks[0]],
)
def test_copies_write_to_the_same_storage(copied: Callable[[StudyMirror], StudyMirror]) -> None:
    storage = Gate()
    mirror = StudyMirror(storage, "mine", n_tries=2)
    studied(2, [mirror])
    twin = copied(mirror)
    assert twin is not mirror
    assert (twin.study_name, twin.n_tries) == ("mine", 2)
    assert twin.flush() == 0  # the queue stays with the original
    storage.open.set()
    assert mirror.flush(60) == 0
    studied(5, [twin])
    assert twin.flush(60) == 0
    assert numbers(copies(storage)) == list(range(5))


def test_a_mirror_with_a_url_can_be_pickled_while_it_works(url: str) -> None:
    mirror = StudyMirror(url, "mine")
    studied(3, [mirror])
    twin = pickle.loads(pickle.dumps(mirror))
    assert mirror.flush(60) == 0
    studied(5, [twin])
    assert twin.flush(60) == 0
    assert numbers(copies(url)) == list(range(5))


def begun(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


def has_ended(before: set[threading.Thread]) -> bool:
    """Wait until the threads begun since then have ended."""
    deadline = time.monotonic() + 20
    while begun(before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not begun(before)


def test_the_thread_ends_when_flushed_and_another_begins_with_the_next_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 600)
    before, storage = set(threading.enumerate()), InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    for n_trials in (2, 4):
        studied(n_trials, [mirror])
        time.sleep(0.1)
        assert len(begun(before)) == 1
        begin = time.monotonic()
        assert mirror.flush(60) == 0
        assert time.monotonic() - begin < 30
        assert has_ended(before)
        assert len(copies(storage)) == n_trials


def test_copies_appear_while_the_search_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 600)
    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    for n_trials in (2, 4):
        studied(n_trials, [mirror])
        deadline = time.monotonic() + 20
        while (not storage.get_all_studies() or len(copies(storage)) < n_trials) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(copies(storage)) == n_trials
    mirror.flush(60)


def test_a_storage_that_hangs_does_not_keep_the_process_from_ending() -> None:
    script = """
import optuna, threading
from multihop_search.studies.mirror import StudyMirror
class Hanging(optuna.storages.InMemoryStorage):
    def create_new_study(self, *args):
        threading.Event().wait()
study = optuna.create_study()
study.optimize(lambda trial: 1.0, n_trials=1, callbacks=[StudyMirror(Hanging(), "mine")])
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_thread_ends_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    before, storage = set(threading.enumerate()), InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    studied(2, [mirror])
    assert has_ended(before)
    studied(4, [mirror])
    assert mirror.flush(60) == 0
    assert numbers(copies(storage)) == list(range(4))


def test_without_a_thread_to_be_had_the_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    storage = InMemoryStorage()
    mirror = StudyMirror(storage, "mine")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        studied(2, [mirror])
        with pytest.warns(MirrorWarning, match="2 still wait, the last error was RuntimeError: can't start"):
            assert mirror.flush(60) == 2
    studied(3, [mirror])
    assert mirror.flush(60) == 0
    assert numbers(copies(storage)) == list(range(3))


def test_with_nothing_to_do_a_flush_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert StudyMirror("sqlite:////no/such/folder/x.db", "mine").flush() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"storage": None}, "storage must be a URL or an Optuna storage, got None"),
        ({"study_name": ""}, "study_name must be a name, got ''"),
        ({"study_name": 3}, "study_name must be a name, got 3"),
        ({"n_tries": 0}, "n_tries must be an integer of at least 1, got 0"),
        ({"n_tries": True}, "n_tries must be an integer of at least 1, got True"),
    ],
)
def test_wrong_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        StudyMirror(**{"storage": "sqlite://", "study_name": "mine", **settings})


def test_a_search_flushes_its_mirror_and_warns_at_the_users_line(blobs: Any) -> None:
    mirror = StudyMirror(optuna.storages.InMemoryStorage(), "mine")
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2),
        RandomForestClassifier(2),
        max_hops=0,
        n_trials=4,
        cv=2,
        callbacks=[mirror],
        random_state=0,
    )
    search.fit(*blobs)
    copied = optuna.load_study(study_name="mine", storage=mirror.storage)
    assert [trial.value for trial in copied.trials] == [trial.value for trial in search.study_.trials]
    assert [trial.user_attrs["path"] for trial in copied.trials] == list(search.results_["path"])

    class Away(optuna.storages.InMemoryStorage):
        def create_new_trial(self, *args: Any, **kwargs: Any) -> int:
            raise ConnectionError("it is away")

    search.set_params(callbacks=[StudyMirror(Away(), "mine", n_tries=1)])
    with pytest.warns(MirrorWarning, match="4 could not be written .* it is away") as given:
        search.fit(*blobs)
    assert [one.filename for one in given if one.category is MirrorWarning] == [__file__]
