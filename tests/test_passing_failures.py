"""Failures that may pass: tried again, in the run and at a resume; and a last step that fails loses nothing."""

import builtins
import errno
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from searches import searches
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier

import multihop_search.search.run as running
import multihop_search.search.selection as selecting
import multihop_search.verdict.resampling as resampling
from multihop_search import HardLabels, KnowledgeDistillation, MultihopSearchClassifier
from multihop_search.errors import (
    ClusterLost,
    FailedTrialsWarning,
    HopTimeout,
    InvalidData,
    InvalidSetting,
    RefitWarning,
    SearchFailed,
    UnsuitableModel,
    WorkerLost,
)
from multihop_search.executors import Executor, SerialExecutor
from multihop_search.executors.attempts import MOST_ATTEMPTS, may_pass
from multihop_search.executors.serial import SerialSession

pytestmark = pytest.mark.once

N_TRIALS = 9


def errors_by_name() -> dict[str, Any]:
    names = ("MemoryError", "OSError", "ConnectionResetError", "RuntimeError", "ValueError", "KeyError")
    kinds = [getattr(builtins, name) for name in (*names, "KeyboardInterrupt")]
    return {kind.__name__: kind for kind in (*kinds, HopTimeout, WorkerLost)}


def set_fault(kind: str = "", times: int = 0, *, n_rows: int = 0, error: Any = MemoryError) -> None:
    """Let the next fits of one kind of model with that many rows raise; kept where no fingerprint looks."""
    os.environ.update(FAULT_KIND=kind, FAULT_LEFT=str(times), FAULT_ROWS=str(n_rows), FAULT_ERROR=error.__name__)


def n_left() -> int:
    return int(os.environ["FAULT_LEFT"])


def meet(kind: str, X: Any) -> None:
    if os.environ.get("FAULT_KIND") == kind and n_left() > 0 and len(X) >= int(os.environ["FAULT_ROWS"]):
        os.environ["FAULT_LEFT"] = str(n_left() - 1)
        raise errors_by_name()[os.environ["FAULT_ERROR"]](f"{kind} meets a fault")


@pytest.fixture(autouse=True)
def no_fault() -> Any:
    set_fault()
    yield
    for name in ("KIND", "LEFT", "ROWS", "ERROR"):
        del os.environ[f"FAULT_{name}"]


class Forest(RandomForestClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        meet("teacher", X)
        return super().fit(X, y, sample_weight)


class Tree(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        meet("student", X)
        return super().fit(X, y, sample_weight, check_input)


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(150, 5, random_state=0)
    return X, y


search_for = searches(
    Tree(max_depth=2),
    Forest(5),
    schemes=[HardLabels(), KnowledgeDistillation()],
    n_trials=N_TRIALS,
    cv=3,
    intermediates=[],
    crossfit_cv=2,
    max_hops=1,
)


def after_trial(number: int, what: Callable[[], None]) -> list[Any]:
    """Return callbacks that do something once a trial was told."""
    return [lambda study, trial: what() if trial.number == number else None]


def arm(kind: str, times: int, *, n_rows: int = 0, error: Any = MemoryError) -> Callable[[], None]:
    return lambda: set_fault(kind, times, n_rows=n_rows, error=error)


def same(one: Any, two: Any) -> None:
    columns = ["state", "path", "score", "reason"]
    assert one.results_[columns].equals(two.results_[columns])
    assert one.best_index_ == two.best_index_
    assert str(one.verdict_) == str(two.verdict_)


@pytest.fixture(scope="module")
def undisturbed(rows: Any) -> MultihopSearchClassifier:
    return search_for().fit(*rows)


# ---- in the run


@pytest.mark.parametrize(
    ("kind", "error", "times"),
    [("teacher", MemoryError, 2), ("student", RuntimeError, 2), ("student", ValueError, 1)],
)
def test_a_failure_that_passes_costs_no_trial(
    rows: Any, undisturbed: Any, kind: str, error: type[Exception], times: int
) -> None:
    search = search_for(callbacks=after_trial(0, arm(kind, times, error=error))).fit(*rows)
    assert n_left() == 0
    same(search, undisturbed)


@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_so_it_is_in_the_first_fits_of_all(rows: Any, undisturbed: Any, kind: str) -> None:
    arm(kind, 1)()
    same(search_for().fit(*rows), undisturbed)
    assert n_left() == 0


@pytest.mark.parametrize(("kind", "error"), [("teacher", MemoryError), ("student", RuntimeError)])
def test_so_it_is_in_a_nested_search(rows: Any, kind: str, error: type[Exception]) -> None:
    usual = {"verdict": "nested", "n_trials": 4}
    undisturbed = search_for(**usual).fit(*rows)
    search = search_for(**usual, callbacks=after_trial(3, arm(kind, 2, error=error))).fit(*rows)
    assert n_left() == 0
    same(search, undisturbed)


class Cramped(Tree):
    """A tree that meets a fault in the folds only, so that the fit before the first trial passes."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        if len(X) < 150:
            meet("cramped", X)
        return super().fit(X, y, sample_weight, check_input)


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
def test_a_first_trial_that_fails_by_what_may_pass_costs_its_own_path_only(rows: Any, undisturbed: Any) -> None:
    arm("cramped", MOST_ATTEMPTS)()
    search = search_for().set_params(student=Cramped(max_depth=2)).fit(*rows)
    plain = undisturbed.results_["hops"] == 0
    assert search.results_["state"].equals(undisturbed.results_["state"].mask(plain, "FAIL"))
    assert search.results_["score"].equals(undisturbed.results_["score"].mask(plain))


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
def test_three_paths_that_fail_are_enough(rows: Any, undisturbed: Any) -> None:
    arm("cramped", 10**6)()
    told: list[int] = []
    search = search_for(callbacks=[lambda study, trial: told.append(trial.number)])
    with pytest.raises(SearchFailed, match="its first 3 paths failed, this one by: MemoryError: cramped meets a"):
        search.set_params(student=Cramped(max_depth=2)).fit(*rows)
    assert undisturbed.results_["path"][:4].nunique() == 3  # two trials without a hop are one path
    assert told == [0, 1, 2]


def test_a_failure_that_repeats_is_kept_with_its_reason(rows: Any) -> None:
    with pytest.warns(FailedTrialsWarning), pytest.raises(SearchFailed, match="teacher must be fitted on all rows"):
        search_for(callbacks=after_trial(0, arm("teacher", 10**6, error=KeyError))).fit(*rows)
    session = SerialExecutor().start()
    set_fault("student", 10**6, error=KeyError)
    future = session.submit(meet, "student", [])
    for _ in range(2):
        with pytest.raises(KeyError, match="student meets a fault"):
            session.result(future)
    assert n_left() == 10**6 - MOST_ATTEMPTS


def test_what_runs_too_long_twice_is_not_run_again() -> None:
    """Each attempt costs the whole time limit."""
    session = SerialExecutor().start()
    set_fault("student", 10**6, error=HopTimeout)
    with pytest.raises(HopTimeout, match="student meets a fault"):
        session.result(session.submit(meet, "student", []))
    assert n_left() == 10**6 - 2


def test_a_memory_error_of_every_fit_is_one_sentence(rows: Any) -> None:
    arm("student", 10**6)()
    with pytest.raises(UnsuitableModel, match=r"student \(Tree\) must be able to fit the rows, it said: .*meets a"):
        search_for().fit(*rows)


def test_an_error_says_whether_it_may_pass() -> None:
    def wrapped() -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("a member failed") from error

    texts = iter("abc")

    def unsteady() -> None:
        raise ValueError(next(texts))

    session = SerialExecutor().start()
    for fn, expected in ((wrapped, True), (unsteady, True), (lambda: int("x"), False)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            session.result(session.submit(fn))
        assert may_pass(caught.value) is expected


# ---- at a resume


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
def test_a_failure_that_may_pass_is_tried_again_at_a_resume(rows: Any, undisturbed: Any, tmp_path: Path) -> None:
    disarm = after_trial(N_TRIALS - 1, set_fault)
    callbacks = [*after_trial(3, arm("student", 10**6, error=HopTimeout)), *disarm]
    first = search_for(checkpoint=tmp_path, callbacks=callbacks).fit(*rows)
    assert "FAIL" in set(first.results_["state"][4:])
    for _ in range(2):
        same(search_for(checkpoint=tmp_path).fit(*rows), undisturbed)


@pytest.mark.parametrize("kind", [MemoryError, OSError, HopTimeout, WorkerLost, ConnectionResetError])
def test_failures_of_a_moment_may_pass(kind: type[Exception]) -> None:
    assert may_pass(kind("once"))


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
def test_a_failure_that_repeats_stays_at_a_resume(rows: Any, tmp_path: Path) -> None:
    disarm = after_trial(N_TRIALS - 1, set_fault)
    callbacks = [*after_trial(3, arm("student", 10**6, error=ValueError)), *disarm]
    first = search_for(checkpoint=tmp_path, callbacks=callbacks).fit(*rows)
    assert "FAIL" in set(first.results_["state"][4:])
    same(search_for(checkpoint=tmp_path).fit(*rows), first)


# ---- the last step


def last_trial(what: Callable[[], None]) -> list[Any]:
    return after_trial(N_TRIALS - 1, what)


def test_the_next_best_path_is_handed_over(rows: Any, undisturbed: Any) -> None:
    with pytest.warns(RefitWarning, match=rf"^trial {undisturbed.best_index_} .* MemoryError: .*: the next best path"):
        search = search_for(callbacks=last_trial(arm("student", MOST_ATTEMPTS, n_rows=150))).fit(*rows)
    assert search.best_index_ != undisturbed.best_index_
    assert search.best_index_ == search.chosen_["student"]
    handed = search.refit_trial(search.best_index_)
    np.testing.assert_array_equal(search.predict_proba(rows[0]), handed.predict_proba(rows[0]))
    assert search.verdict_.scores.loc["selected", "score"] == pytest.approx(search.best_score_, abs=0.1)
    np.testing.assert_array_equal(search.results_["score"], undisturbed.results_["score"])


@pytest.mark.filterwarnings("ignore::multihop_search.errors.RefitWarning")
def test_no_path_can_be_fitted_on_all_rows(rows: Any, undisturbed: Any) -> None:
    search = search_for(callbacks=last_trial(arm("student", 10**6, n_rows=150)))
    with pytest.raises(SearchFailed, match=r"some path must be fitted on all rows.* student meets a fault"):
        search.fit(*rows)
    np.testing.assert_array_equal(search.results_["score"], undisturbed.results_["score"])
    assert len(search.study_.trials) == N_TRIALS
    assert set(search.cv_results_) == set(undisturbed.cv_results_)
    assert search.space_.suggest(search.study_.trials[3]) is not None
    for use in (search.predict, lambda X: search.report("page.html"), lambda X: search.export("model.py")):
        with pytest.raises(NotFittedError, match="its last step failed: results_ holds the trials"):
            use(rows[0])
    set_fault()
    np.testing.assert_array_equal(search.refit_trial(0).predict(rows[0]), undisturbed.refit_trial(0).predict(rows[0]))
    assert "MultihopSearchClassifier" in repr(search)
    assert len(pickle.loads(pickle.dumps(search.set_params(callbacks=None))).results_) == N_TRIALS


@pytest.mark.filterwarnings("ignore::multihop_search.errors.RefitWarning")
def test_after_some_paths_that_fail_on_all_rows_no_further_one_is_fitted(
    rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "MOST_REFITS", 2)
    search = search_for(callbacks=last_trial(arm("student", 10**6, n_rows=150)))
    with pytest.raises(SearchFailed, match=r"on all rows, 2 could not: .*refit_trial\(number\) tries another one"):
        search.fit(*rows)
    assert n_left() == 10**6 - 2 * MOST_ATTEMPTS
    assert len(search.results_) == N_TRIALS


def test_without_a_teacher_on_all_rows_the_best_plain_student_is_handed_over(rows: Any, undisturbed: Any) -> None:
    search = search_for(callbacks=last_trial(arm("teacher", 10**6)))
    with pytest.raises(SearchFailed, match=r"teacher meets a fault.*: best_estimator_ is the best student"):
        search.fit(*rows)
    plain = search.results_[search.results_["hops"] == 0]
    assert search.best_index_ in plain.index
    assert search.predict(rows[0]).shape == (150,)
    assert not hasattr(search, "verdict_")
    with pytest.raises(NotFittedError, match="must have verdicts_"):
        search.report("page.html")


@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, KeyboardInterrupt])
def test_a_verdict_that_fails_leaves_the_model(
    rows: Any, undisturbed: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*args: Any, **settings: Any) -> None:
        raise error("no resample")

    monkeypatch.setattr(resampling, "compare", fail)
    search = search_for()
    expected = SearchFailed if issubclass(error, Exception) else error
    with pytest.raises(expected, match="no resample"):
        search.fit(*rows)
    np.testing.assert_array_equal(search.predict(rows[0]), undisturbed.predict(rows[0]))
    assert len(search.results_) == N_TRIALS


def test_a_verdict_that_cannot_be_prepared_leaves_the_model(
    rows: Any, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a fit of the nested search fails."""

    def fail(*args: Any, **settings: Any) -> None:
        raise ZeroDivisionError("no nested search")

    monkeypatch.setattr(running, "method_for", fail)
    search = search_for()
    with pytest.raises(SearchFailed, match="the verdict could not be given, it said: no nested search"):
        search.fit(*rows)
    np.testing.assert_array_equal(search.predict(rows[0]), undisturbed.predict(rows[0]))
    assert len(search.results_) == N_TRIALS


@pytest.mark.parametrize("use", ["report", "export"])
def test_a_page_or_an_export_that_fails_loses_nothing(
    undisturbed: Any, rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    def full(*args: Any, **settings: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before, says = undisturbed.results_.copy(), undisturbed.predict(rows[0])
    file = tmp_path / ("page.html" if use == "report" else "model.py")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        patch.setattr(os, "link", full)
        patch.setattr(os, "rename", full)
        with pytest.raises((OSError, InvalidSetting), match="No space left"):
            getattr(undisturbed, use)(file)
    assert not list(tmp_path.iterdir())
    assert undisturbed.results_.equals(before)
    np.testing.assert_array_equal(undisturbed.predict(rows[0]), says)
    getattr(undisturbed, use)(file)
    assert file.stat().st_size


def test_an_interrupt_in_the_last_step_keeps_the_trials(rows: Any, undisturbed: Any) -> None:
    search = search_for(callbacks=last_trial(arm("teacher", 1, error=KeyboardInterrupt)))
    with pytest.raises(KeyboardInterrupt):
        search.fit(*rows)
    np.testing.assert_array_equal(search.results_["score"], undisturbed.results_["score"])


def test_a_session_that_is_lost_at_the_end_loses_nothing(
    rows: Any, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*args: Any, **settings: Any) -> None:
        raise ClusterLost("the node is gone")

    monkeypatch.setattr(SerialSession, "last_result", lost)
    with pytest.warns(RefitWarning, match="the last step runs in this process: the node is gone"):
        same(search_for().fit(*rows), undisturbed)


class Watched(SerialSession):
    """A session that says whether it runs a call now."""

    runs = False

    @contextmanager
    def running(self) -> Iterator[None]:
        Watched.runs = True
        try:
            yield
        finally:
            Watched.runs = False

    def wait(self, futures: Sequence[Any], timeout: float | None = None) -> None:
        with self.running():
            super().wait(futures, timeout)

    def result(self, future: Any) -> Any:
        with self.running():
            return super().result(future)

    def last_result(self, future: Any) -> Any:
        pytest.fail("the session ends before the student is fitted on all rows")


class Limited(Executor):
    """An executor that takes a time limit, as workers do."""

    def start(self, hop_timeout: float | None = None) -> Watched:
        return Watched()


def test_with_a_time_limit_every_fit_of_the_search_is_one_of_the_session(
    rows: Any, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first fits and those of the last step too: nobody could end a fit of this process."""
    places: list[tuple[int, bool]] = []

    def noted(kind: Any) -> Callable[..., Any]:
        def fit(self: Any, X: Any, y: Any, sample_weight: Any = None) -> Any:
            places.append((len(X), Watched.runs))
            return super(kind, self).fit(X, y, sample_weight)

        return fit

    for kind in (Tree, Forest):
        monkeypatch.setattr(kind, "fit", noted(kind))
    same(search_for(executor=Limited(), hop_timeout=60.0).fit(*rows), undisturbed)
    assert {n_rows for n_rows, _ in places} >= {50, 100, 150}
    assert [n_rows for n_rows, inside in places if not inside] == []


def test_what_ends_the_trials_keeps_those_that_were_told(rows: Any, undisturbed: Any) -> None:
    def fail() -> None:
        raise OSError("no space left on device")

    search = search_for(callbacks=after_trial(5, fail))
    with pytest.raises(OSError, match="no space left"):
        search.fit(*rows)
    np.testing.assert_array_equal(search.results_["score"], undisturbed.results_["score"][:6])
    assert len(search.study_.trials) == 6  # without those that were asked ahead


def test_a_second_fit_that_fails_leaves_no_mixture(rows: Any) -> None:
    search = search_for(n_trials=3).fit(*rows)
    learned = {name: value for name, value in vars(search).items() if name.endswith("_")}
    with pytest.raises(InvalidData):
        search.fit(rows[0][:, :3], rows[1][:7])
    assert {name: value for name, value in vars(search).items() if name.endswith("_")} == learned
    search.set_params(callbacks=after_trial(1, lambda: int("x")))
    with pytest.raises(ValueError, match="invalid literal"):
        search.fit(*rows)
    assert len(search.results_) == 2
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "verdict_")
