"""The same search on Ray as in this process: trials, scores, choice and verdict, whatever finishes first."""

import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import optuna
import pandas as pd
import pytest
import ray
import ray.cloudpickle
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner, NopPruner
from optuna.trial import FrozenTrial
from searches import searches
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    OwnFit,
    Scheme,
    TransferSet,
)
from multihop_search.errors import (
    FailedTrialsWarning,
    MultihopWarning,
    SearchFailed,
    SerialSearchWarning,
    UnsuitableModel,
)
from multihop_search.executors import Executor
from multihop_search.executors.nested import inside_worker
from multihop_search.executors.ray import RayExecutor, RaySession
from multihop_search.executors.ray import session as sessions
from multihop_search.integrations import from_predictions
from multihop_search.search import where

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray 2.48 leaves files and processes open
]

MEASURED = ["fit_seconds", "latency_us", "on_front"]  # the front is one over latencies, among others


@dataclass(frozen=True)
class Moody(Scheme):
    """Passes on the upper model's probabilities, unless its mood is too good or too bad."""

    mood: float | BaseDistribution = FloatDistribution(0.0, 1.0)
    usual_values: ClassVar[dict[str, Any]] = {"mood": 0.5}

    def transfer_set(self, outputs: Any, y: np.ndarray) -> TransferSet:
        if abs(self.mood - 0.5) > 0.25:
            raise ArithmeticError(f"a mood of {self.mood:.3f} is no mood to teach in")
        return TransferSet(outputs.predictions.astype(float), np.ones(len(y)))


@dataclass(frozen=True)
class Delayed(Executor):
    """An executor whose hops each begin after a random delay, another one in each run."""

    executor: Any
    longest_s: float

    def start(self) -> Any:
        return _Delaying(self.executor.start(), self.longest_s)


class _Delaying:
    def __init__(self, session: Any, longest_s: float) -> None:
        self._session, self._longest_s = session, longest_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return self._session.submit(late, self._longest_s, fn, *args)


def late(longest_s: float, fn: Callable[..., Any], *args: Any) -> Any:
    time.sleep(random.Random(time.time_ns()).uniform(0.0, longest_s))
    return fn(*args)


class Deep(BasePruner):
    """Stops two-hop trials of one student after three folds."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return trial.user_attrs["student"] == "line" and len(trial.intermediate_values) == 3


def tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)


TREE = DecisionTreeClassifier(max_depth=2)
STUDENTS = [
    ("tree", TREE),
    ("line", make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))),
]


search_for = searches(
    STUDENTS,
    RandomForestClassifier(3),
    intermediates=[
        ("forest", make_pipeline(StandardScaler(), RandomForestClassifier(3, max_depth=4))),
        ("stump", DecisionTreeClassifier(max_depth=1)),
    ],
    schemes=[KnowledgeDistillation(), HardLabels(), Moody()],
    n_trials=12,
    cv=4,
    crossfit_cv=2,
    n_ahead=6,
    random_state=1,
)


def small(student: Any = TREE, **settings: Any) -> MultihopSearchClassifier:
    usual = {"teacher": RandomForestClassifier(3), "intermediates": [], "n_trials": 4, "cv": 2}
    return search_for(student, **{**usual, "schemes": [HardLabels()], **settings})


def same_search(one: MultihopSearchClassifier, two: MultihopSearchClassifier, X: np.ndarray) -> None:
    columns = [name for name in one.results_.columns if name not in MEASURED]
    pd.testing.assert_frame_equal(one.results_[columns], two.results_[columns], check_exact=True)
    assert len(one.study_.trials) == len(two.study_.trials)
    for ours, theirs in zip(one.study_.trials, two.study_.trials, strict=True):
        for name in ("number", "state", "params", "distributions", "value", "intermediate_values", "user_attrs"):
            assert getattr(ours, name) == getattr(theirs, name), (ours.number, name)
    assert (one.best_index_, one.best_path_, one.best_score_) == (two.best_index_, two.best_path_, two.best_score_)
    assert one.chosen_ == two.chosen_
    for name, verdict in one.verdicts_.items():
        other = two.verdicts_[name]
        pd.testing.assert_frame_equal(verdict.table, other.table, check_exact=True)
        pd.testing.assert_frame_equal(verdict.scores, other.scores, check_exact=True)
        assert str(verdict) == str(other)
        assert verdict.n_stopped == other.n_stopped
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


# ---- a Ray of the search's own: first in the file, while this process is connected to none


def at_sigterm(number: int, frame: Any) -> None:
    """Do nothing."""


@pytest.fixture
def handled() -> Iterator[None]:
    """This process has a handler of SIGTERM of its own, and is connected to no Ray."""
    assert not ray.is_initialized()
    before = signal.signal(signal.SIGTERM, at_sigterm)
    yield
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) is at_sigterm
    signal.signal(signal.SIGTERM, before)


class Spied:
    """Counts the starts of `RayExecutor`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[RayExecutor] = []
        start = RayExecutor.start

        def spied(executor: RayExecutor) -> RaySession:
            self.started.append(executor)
            return start(executor)

        monkeypatch.setattr(RayExecutor, "start", spied)


class Noting(DecisionTreeClassifier):
    """A tree that notes, in the process of its user, whether Ray is there while it is fitted."""

    seen: ClassVar[list[bool]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if not inside_worker():
            self.seen.append(ray.is_initialized())
        return super().fit(X, y, sample_weight)


def test_n_jobs_starts_a_ray_where_the_work_is_worth_it_and_ends_it_before_the_refit(
    handled: None, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spied = Spied(monkeypatch)
    serial = small(Noting(max_depth=2)).fit(*blobs)
    assert not spied.started
    assert len(Noting.seen) > 5
    Noting.seen.clear()
    monkeypatch.setattr(where, "WORTH_STARTING_S", 0.0)
    seen = []
    callbacks = [lambda *_: seen.append(ray.is_initialized())]
    parallel = small(Noting(max_depth=2), n_jobs=2, callbacks=callbacks).fit(*blobs)
    assert spied.started == [RayExecutor(n_workers=2)]
    assert seen == [True] * 4
    assert Noting.seen == [False, False], "the fit that decides, and the refit: all others are those of workers"
    monkeypatch.setattr(sys.modules[__name__], "MEASURED", [*MEASURED, "size_bytes"])  # workers cannot import `Noting`
    same_search(serial, parallel, blobs[0])


@dataclass(frozen=True)
class Sleepy(Scheme):
    """Takes very long, and says so when it is done."""

    file: str = ""

    def transfer_set(self, outputs: Any, y: np.ndarray) -> TransferSet:
        time.sleep(60)
        Path(self.file).write_text("done")
        return TransferSet(outputs.predictions.astype(float), np.ones(len(y)))


def test_a_search_ends_with_its_time_whatever_is_under_way(handled: None, blobs: Any, tmp_path: Path) -> None:
    file = tmp_path / "done"
    search = small(executor=RayExecutor(), timeout=4.0, schemes=[Sleepy(str(file))]).fit(*blobs)
    assert set(search.results_["hops"]) == {0}
    assert not file.exists()


def test_a_tiny_search_stays_in_this_process_and_says_so(handled: None, blobs: Any) -> None:
    serial = small().fit(*blobs)
    with pytest.warns(SerialSearchWarning, match=r"n_jobs=2 was asked for about \d+ s of work") as caught:
        asked = small(n_jobs=2).fit(*blobs)
    (warning,) = [one for one in caught if one.category is SerialSearchWarning]
    assert warning.filename == __file__
    same_search(serial, asked, blobs[0])


@pytest.mark.parametrize("n_jobs", [1, None])
def test_one_job_never_asks_for_ray(n_jobs: int | None, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "WORTH_STARTING_S", 0.0)
    spied = Spied(monkeypatch)
    small(n_jobs=n_jobs).fit(*blobs)
    assert not spied.started


# ---- guests of one Ray


@pytest.fixture(scope="module")
def on_ray() -> Iterator[RaySession]:
    session = RayExecutor(n_workers=2).start()
    yield session
    session.close()


@pytest.mark.parametrize(
    ("sampler", "pruner", "n_workers", "seed"),
    [("auto", "auto", 2, 1), (tpe, Deep(), 3, 0)],
    ids=["random", "tpe, own pruner"],
)
def test_a_search_is_the_same_everywhere(
    sampler: Any, pruner: Any, n_workers: int, seed: int, on_ray: RaySession, blobs: Any
) -> None:
    settings = {"sampler": sampler, "pruner": pruner, "random_state": seed, "n_trials": 10}

    def fitted(executor: Any) -> MultihopSearchClassifier:
        with pytest.warns(FailedTrialsWarning, match="the first by ArithmeticError: a mood of"):
            return search_for(**settings, executor=executor).fit(*blobs)

    serial = fitted(None)
    states = serial.results_["state"].value_counts()
    assert len(serial.results_) == 20
    assert min(states["PRUNED"], states["FAIL"]) >= 1, states
    assert (
        serial.results_["reason"][serial.results_["state"] == "FAIL"]
        .str.fullmatch(r".*a mood of 0\.\d+ is no mood to teach in")
        .all()
    )
    assert set(serial.results_["student"]) == set(serial.verdicts_) == {"tree", "line"}
    same_search(serial, fitted(Delayed(RayExecutor(n_workers=n_workers), 0.03)), blobs[0])
    assert ray.is_initialized()


def test_a_table_with_all_that_may_come_with_it(on_ray: RaySession, blobs: Any) -> None:
    """Weights, groups, rows without labels; parameters that are categories; a bound; options of Ray."""
    X, y = blobs
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X, columns=list("abcdef"))
    more = {
        "sample_weight": rng.random(240),
        "groups": rng.choice(["red", "green", "blue", "grey", "pink", "gold", "teal", "plum"], size=240),
        "X_unlabeled": table + rng.normal(size=X.shape),
    }
    params = {"tree__criterion": CategoricalDistribution(("gini", "entropy")), "tree__class_weight": [None, "balanced"]}
    settings = {"schemes": [ModelCompression(), HardLabels()], "n_trials": 4, "cv": 2, "budget": {"features": 4}}
    serial = search_for(**settings, param_distributions=params).fit(table, y, **more)
    assert serial.results_["path"].str.contains("ModelCompression").any()
    assert {"criterion", "class_weight"} <= {name for path in serial.results_["path"] for name in params_in(path)}
    executor = RayExecutor(cpus_per_hop=2, ray_options={"memory": 10**6})
    ours = search_for(**settings, param_distributions=params, executor=executor).fit(table, y, **more)
    same_search(serial, ours, table)


def params_in(path: str) -> list[str]:
    return re.findall(r"(\w+)=", path)


def test_a_search_that_a_callback_ends_is_the_same(on_ray: RaySession, blobs: Any) -> None:
    def ended(executor: Any) -> MultihopSearchClassifier:
        stop = optuna.study.MaxTrialsCallback(5)
        return search_for(schemes=[HardLabels()], cv=2, callbacks=[stop], executor=executor).fit(*blobs)

    serial = ended(None)
    assert len(serial.results_) == len(serial.study_.trials) == 5
    same_search(serial, ended(RayExecutor()), blobs[0])


def test_parallel_config_is_obeyed(on_ray: RaySession, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "WORTH_STARTING_S", 0.0)
    spied = Spied(monkeypatch)
    serial = small().fit(*blobs)
    with joblib.parallel_config(n_jobs=2):
        small(n_jobs=1).fit(*blobs)
        assert not spied.started
        same_search(serial, small().fit(*blobs), blobs[0])
    assert spied.started == [RayExecutor(n_workers=2)]
    assert ray.is_initialized()


def test_an_executor_is_used_however_small_the_search_and_whatever_n_jobs_says(
    on_ray: RaySession, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spied = Spied(monkeypatch)
    executor = RayExecutor(n_workers=1)
    small(executor=executor, n_jobs=2).fit(*blobs)
    assert spied.started == [executor]


def search_inside(X: np.ndarray, y: np.ndarray) -> tuple[MultihopSearchClassifier, int]:
    """Search with two jobs in a worker, where each hop would be worth a Ray."""
    where.WORTH_STARTING_S = 0.0
    started = []
    RayExecutor.start = lambda executor: started.append(executor)  # type: ignore[method-assign]
    search = small(n_jobs=2).fit(X, y)
    return search, len(started)


def test_a_search_inside_a_worker_stays_there(on_ray: RaySession, blobs: Any) -> None:
    task = ray.remote(num_cpus=2, max_retries=0, max_calls=1)(search_inside)  # this worker ends with the task
    inside, n_started = ray.get(task.remote(*blobs), timeout=60)
    assert n_started == 0
    same_search(small().fit(*blobs), inside, blobs[0])


def test_searches_around_searches_do_not_wait_for_each_other(on_ray: RaySession, blobs: Any) -> None:
    """A search whose hops run on both CPUs holds students that search themselves."""
    nested = small(n_jobs=2, n_trials=1, tree_fits=[OwnFit()])
    outer = search_for(nested, schemes=[HardLabels()], intermediates=[], n_trials=2, cv=2, executor=RayExecutor())
    found = outer.fit(*blobs)
    assert (found.results_["state"] == "COMPLETE").all(), found.results_["reason"].unique()


class Deadly(DecisionTreeClassifier):
    """A tree that ends the process of a worker that fits it."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if inside_worker():
            os._exit(1)
        return super().fit(X, y, sample_weight)


def test_a_model_that_kills_its_worker_costs_its_trials_only(
    on_ray: RaySession, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RayExecutor._options
    monkeypatch.setattr(RayExecutor, "_options", lambda self, **more: {**options(self, **more), "max_retries": 0})
    monkeypatch.setattr(sessions, "DEADLY_SENDS", 1)
    half = [(np.arange(120), np.arange(120, 240))]
    students = STUDENTS[:1]
    settings = {
        "schemes": [HardLabels()],
        "intermediates": [("deadly", Deadly(max_depth=4))],
        "n_trials": 3,
        "cv": half,
    }
    with pytest.warns(FailedTrialsWarning, match="1 of 3 trials failed, the first by WorkerLost"):
        search = search_for(students, executor=RayExecutor(), **settings).fit(*blobs)
    assert list(search.results_["state"]) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert "leave its process alive" in search.results_["reason"][2]
    assert "deadly" in search.results_["path"][2]


class Homesick(DecisionTreeClassifier):
    """A tree that can be fitted in the process of its user only."""

    below_rows = 1000

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if inside_worker() and len(y) < self.below_rows:
            raise ArithmeticError("I am not at home")
        return super().fit(X, y, sample_weight)


class HomesickInFolds(Homesick):
    """The same, but its first fit, which is on all 240 rows, is left in peace."""

    below_rows = 240


@pytest.mark.parametrize(
    ("student", "error", "said"),
    [
        (Homesick, UnsuitableModel, r"student \(Homesick\) must be able to fit the rows"),
        (HomesickInFolds, SearchFailed, "the plain student must be fitted and scored in every fold"),
    ],
)
def test_a_search_that_fails_ends_its_session_too(
    on_ray: RaySession,
    blobs: Any,
    student: type,
    error: type[Exception],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed, close = [], RaySession.close
    monkeypatch.setattr(RaySession, "close", lambda session: (closed.append(session), close(session))[1])
    with pytest.raises(error, match=rf"{said}, it said: (ArithmeticError: )?I am not at home") as caught:
        search_for(student(max_depth=2), executor=RayExecutor()).fit(*blobs)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert closed


def test_given_predictions_reach_the_workers(on_ray: RaySession, blobs: Any) -> None:
    X, y = blobs
    teacher = from_predictions(np.random.default_rng(0).dirichlet(np.ones(3), size=len(y)) / 2 + np.eye(3)[y] / 2, y=y)
    settings = {"teacher": teacher, "tree_fits": [OwnFit()], "n_trials": 2}
    same_search(small(**settings).fit(X, y), small(**settings, executor=RayExecutor(n_workers=1)).fit(X, y), X)


def test_a_nested_verdict_is_the_same(on_ray: RaySession, blobs: Any) -> None:
    settings = {"verdict": "nested", "cv": 3, "n_trials": 3, "tree_fits": [OwnFit()], "pruner": NopPruner()}
    same_search(small(**settings).fit(*blobs), small(**settings, executor=RayExecutor()).fit(*blobs), blobs[0])


class Locked(DecisionTreeClassifier):
    """Holds a lock once it is fitted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.lock_ = threading.Lock()
        return super().fit(X, y, sample_weight=sample_weight)


class LockedScorer:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, model: Any, X: Any, y: Any) -> float:
        return float(model.score(X, y))


@dataclass(frozen=True)
class LockedScheme(HardLabels):
    def __post_init__(self) -> None:
        object.__setattr__(self, "lock", threading.Lock())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student": Locked(max_depth=2)}, r"student \(Locked\) must be a model that can be pickled once it is fitted"),
        ({"teacher": Locked(max_depth=2)}, r"teacher \(Locked\) must be a model that can be pickled once it is fitted"),
        ({"teacher": FrozenEstimator(Locked().fit([[0], [1]], [0, 1]))}, "Locked must be what can be sent to workers"),
        ({"scoring": LockedScorer()}, "LockedScorer must be what can be sent to workers"),
        ({"schemes": [HardLabels(), LockedScheme()]}, "LockedScheme must be what can be sent to workers"),
    ],
    ids=["student", "teacher", "frozen teacher", "scoring", "scheme"],
)
def test_what_cannot_be_sent_is_named_before_the_first_trial(
    settings: dict[str, Any], message: str, on_ray: RaySession
) -> None:
    X = np.arange(60.0)[:, None] % 7
    y = (X[:, 0] > 3).astype(int)
    search = small(executor=RayExecutor()).set_params(**settings)
    with pytest.raises(UnsuitableModel, match=message) as raised:
        search.fit(X, y)
    assert "keep locks, open files and generators out of it, or search without executor" in str(raised.value)
    assert len(str(raised.value)) < 300
    assert not hasattr(search, "results_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultihopWarning)
        serial = search.set_params(executor=None).fit(X, y)
    assert (serial.results_["state"] == "COMPLETE").all()


def test_what_only_cloudpickle_can_send_is_served(on_ray: RaySession) -> None:
    X = np.arange(60.0)[:, None] % 7
    y = (X[:, 0] > 3).astype(int)
    near = KNeighborsClassifier(3, metric=lambda one, two: abs(one - two).sum(), algorithm="brute")

    class Inside(DecisionTreeClassifier):
        pass

    models = {"student": Inside(max_depth=1), "teacher": near, "intermediates": [("double", doubled(lambda X: 2 * X))]}
    settings = {
        **models,
        "n_trials": 5,
        "scoring": lambda model, X, y: float(model.score(X, y)),
        "callbacks": [lambda study, trial: None],
    }
    serial = small().set_params(**settings).fit(X, y)
    same_search(serial, small(executor=RayExecutor()).set_params(**settings).fit(X, y), X)


def doubled(function: Callable[..., Any]) -> Any:
    return make_pipeline(FunctionTransformer(function), DecisionTreeClassifier(max_depth=2))


def test_cancelling_is_never_left_to_ray(on_ray: RaySession, monkeypatch: pytest.MonkeyPatch) -> None:
    """See the next test."""
    monkeypatch.setattr(ray, "cancel", lambda *args, **settings: pytest.fail("Ray was asked"))
    futures = [on_ray.submit(late, 0.05, len, "abc") for _ in range(20)]
    for future in futures[1:]:
        on_ray.cancel(future)
    assert on_ray.result(futures[0]) == 3


@pytest.mark.slow
def test_cancelling_hops_never_ends_this_process(on_ray: RaySession) -> None:
    """Ray's own `cancel` of a task that does not run yet was seen to abort the process that calls it."""
    code = """
        import operator, sys, time
        from multihop_search.executors.ray import RayExecutor
        session = RayExecutor(sys.argv[1], n_workers=8).start()
        began, number = time.monotonic(), 0
        while time.monotonic() - began < 5:
            number += 1
            prefix = session.submit(operator.add, number, 1)
            kept, *gone = [session.submit(operator.add, prefix, place) for place in range(5)]
            time.sleep(number % 5 / 1000)
            for future in gone:
                session.cancel(future)
            assert session.result(kept) == number + 1
        session.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), ray.get_runtime_context().gcs_address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("out", "err"),
    [
        ("None", "Window()"),
        pytest.param("Window()", "None", marks=pytest.mark.slow),
        pytest.param("None", "None", marks=pytest.mark.slow),
    ],
)
def test_ray_starts_without_a_terminal_and_leaves_the_streams_as_they_were(out: str, err: str) -> None:
    """As under pythonw, in an editor with its own window, or where a log takes all output."""
    code = f"""
        import faulthandler, os, sys
        from sklearn.datasets import load_iris
        from sklearn.tree import DecisionTreeClassifier
        from multihop_search import MultihopSearchClassifier, OwnFit, RayExecutor
        class Window:
            def write(self, text):
                return len(text)

            def flush(self):
                pass

        out = os.dup(1)
        sys.stdin = None
        sys.stdout, sys.stderr = before = {out}, {err}
        X, y = load_iris(return_X_y=True)
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=2), DecisionTreeClassifier(), n_trials=3, cv=2, verbose=1, random_state=0,
            crossfit_cv=2, intermediates=[], tree_fits=[OwnFit()], executor=RayExecutor(n_workers=1),
        ).fit(X, y)
        assert sys.stdout is before[0] and sys.stderr is before[1] and not faulthandler.is_enabled()
        os.write(out, str(len(search.results_)).encode())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "3"), done.stderr[-2000:]
