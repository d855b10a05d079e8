"""The process that a search runs in: as it was afterwards, also where searches run in several threads at once."""

import gc
import os
import pickle
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import optuna
import pytest
import sklearn
from optuna.trial import FixedTrial
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from multihop_search import HardLabels, KnowledgeDistillation, MultihopSearchClassifier
from multihop_search.engine.memo import MEMO, Memo
from multihop_search.engine.study import without_greetings
from multihop_search.studies.objective import PathObjective
from multihop_search.threads import thread_limit

pytestmark = pytest.mark.once

WAIT_S = 60.0


class TalkWarning(UserWarning):
    """What a fit of these tests keeps quiet."""


class Meeting:
    """Lets the fits of two threads overlap: the first begins first and its search ends first."""

    def __init__(self) -> None:
        self.first_inside, self.second_inside, self.first_done = (threading.Event() for _ in range(3))

    def attend(self) -> None:
        name = threading.current_thread().name
        if name == "first" and not self.first_inside.is_set():
            self.first_inside.set()
            assert self.second_inside.wait(WAIT_S)
        if name == "second" and not self.second_inside.is_set():
            self.second_inside.set()
            assert self.first_done.wait(WAIT_S)


MEETINGS: list[Meeting] = []


class Tree(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TalkWarning)
            for meeting in MEETINGS:
                meeting.attend()
            return super().fit(X, y, sample_weight, check_input)


def search_for(seed: int = 0) -> MultihopSearchClassifier:
    return MultihopSearchClassifier(
        make_pipeline(StandardScaler(), Tree(max_depth=2)),
        RandomForestClassifier(5),
        schemes=[HardLabels(), KnowledgeDistillation()],
        param_distributions={},
        intermediates=[],
        crossfit_cv=2,
        max_hops=1,
        cv=3,
        n_trials=5,
        random_state=seed,
    )


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(150, 5, random_state=0)
    return X, y


@contextmanager
def three_threads() -> Iterator[None]:
    """Limit pools to three threads, whatever the machine has, as a limit that no thread owns."""
    with threadpool_limits(3):
        for library in ThreadpoolController().lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)
        yield


@pytest.fixture
def others() -> int:
    """Number of values that the memo holds for what other tests left behind."""
    gc.collect()
    return len(MEMO)


def state() -> dict[str, Any]:
    return {
        "threads": {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()},
        "environment": dict(os.environ),
        "verbosity": optuna.logging.get_verbosity(),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "random": random.getstate(),
        "errors": np.geterr(),
        "signals": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)},
        "filters": list(warnings.filters),
        "scikit-learn": sklearn.get_config(),
        "folder": os.getcwd(),
    }


@contextmanager
def in_thread(call: Callable[[], None], name: str) -> Iterator[None]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    yield
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert not errors, errors


def shown(search: Any) -> tuple[Any, ...]:
    columns = ["state", "path", "score", "reason"]
    return search.results_[columns].to_csv(), search.best_index_, str(search.verdict_)


def test_two_searches_in_two_threads_are_as_one_after_the_other(rows: Any, others: int) -> None:
    serial = [shown(search_for(seed).fit(*rows)) for seed in (0, 1)]
    first, second = search_for(0), search_for(1)
    meeting = Meeting()
    MEETINGS.append(meeting)

    def run_first() -> None:
        first.fit(*rows)
        meeting.first_done.set()

    with three_threads():
        before = state()
        try:
            with in_thread(run_first, "first"):
                assert meeting.first_inside.wait(WAIT_S)
                with in_thread(lambda: second.fit(*rows), "second"):
                    pass
        finally:
            MEETINGS.clear()
        after = state()
    assert [shown(first), shown(second)] == serial
    assert {name for name in before if before[name] != after[name]} == set()
    assert len(MEMO) == others


@pytest.mark.parametrize("fails", [False, True])
def test_a_search_leaves_the_process_as_it_was(rows: Any, fails: bool, others: int) -> None:
    def stop(study: Any, trial: Any) -> None:
        raise KeyError("stop")

    with three_threads():
        before = state()
        search = search_for().set_params(callbacks=[stop] if fails else None)
        with pytest.raises(KeyError) if fails else nullcontext():
            search.fit(*rows)
        search.refit_trial(0)
        assert {name for name, value in state().items() if before[name] != value} == set()
    assert len(MEMO) == others


# ---- threads of linear algebra


def n_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_the_last_of_overlapping_limits_puts_back_what_was_before_the_first() -> None:
    go = threading.Event()
    inside = threading.Event()

    def second() -> None:
        with thread_limit(1):
            inside.set()
            assert go.wait(WAIT_S)

    with three_threads():
        with thread_limit(2):
            assert n_threads() == {2}
            with thread_limit(3):
                assert n_threads() == {3}
                with thread_limit(1):
                    assert n_threads() == {1}
                assert n_threads() == {3}
            waiting = in_thread(second, "second")
            waiting.__enter__()
            assert inside.wait(WAIT_S)
            assert n_threads() == {1}  # the smallest that is wanted
        assert n_threads() == {1}
        with thread_limit(2):
            assert n_threads() == {1}
        go.set()
        waiting.__exit__(None, None, None)
        assert n_threads() == {3}


def test_each_thread_has_its_own_limit_of_openmp() -> None:
    def limits() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}

    of_others: list[set[int]] = []

    def second() -> None:
        with threadpool_limits(3):
            with thread_limit(1):
                of_others.append(limits())
            of_others.append(limits())

    with three_threads():
        expected = limits()
        with thread_limit(1), in_thread(second, "second"):
            pass
        assert limits() == expected
    assert of_others == [{1}, {3}]


NOTED: list[tuple[str, set[int]]] = []
"""Who ran, and how many threads were allowed then."""


class Noting(HardLabels):
    """A scheme that also wants to know what the lower model says without a teacher."""

    needs_plain = True

    def transfer_set(self, outputs: Any, y: Any) -> Any:
        NOTED.append(("scheme", n_threads()))
        return super().transfer_set(outputs, y)


class NotingTree(DecisionTreeClassifier):
    def predict_proba(self, X: Any, check_input: bool = True) -> Any:
        NOTED.append(("student", n_threads()))
        return super().predict_proba(X, check_input)


def test_what_the_student_learns_is_made_inside_the_limit_on_all_rows_too(rows: Any) -> None:
    with three_threads():
        search = search_for().set_params(student=NotingTree(max_depth=2), schemes=[Noting()], n_trials=2).fit(*rows)
        in_search, NOTED[:] = list(NOTED), []
        search.refit_trial(1)
    assert {who for who, _ in NOTED} == {"scheme", "student"}
    assert [limit for _, limit in in_search + NOTED if limit != {1}] == []


# ---- messages of Optuna


def test_a_verbosity_is_put_back_where_studies_begin_at_once() -> None:
    before = optuna.logging.get_verbosity()
    inside, go = threading.Event(), threading.Event()

    def second() -> None:
        with without_greetings():
            inside.set()
            assert go.wait(WAIT_S)

    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        with without_greetings():
            waiting = in_thread(second, "second")
            waiting.__enter__()
            inside.wait(0.2)
        go.set()
        waiting.__exit__(None, None, None)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(before)


# ---- what is kept between hops


def test_a_memo_forgets_one_problem() -> None:
    memo = Memo()
    for token in "ab":
        memo.get((token, 0), lambda: np.zeros(1))
    memo.clear("a")
    assert len(memo) == 1
    memo.get(("b", 0), lambda: pytest.fail("it is made again"))


def test_a_memo_forgets_without_waiting() -> None:
    memo = Memo()
    memo.get(("a", 0), lambda: np.zeros(1))

    def value() -> np.ndarray:
        with in_thread(lambda: memo.clear("a"), "other"):
            pass
        return np.zeros(2)

    memo.get(("b", 0), value)
    assert len(memo) == 1


@pytest.mark.parametrize("copied", [False, True])
def test_an_objective_that_is_gone_keeps_nothing(rows: Any, copied: bool, others: int) -> None:
    objective = PathObjective(search_for(), *rows)
    if copied:
        objective = pickle.loads(pickle.dumps(objective))
    objective(FixedTrial(objective.defaults[1]))
    assert len(MEMO) > others
    del objective
    gc.collect()
    assert len(MEMO) == others


def test_refits_keep_nothing(rows: Any, others: int) -> None:
    search = search_for().fit(*rows)
    students = search.refit_trials([0, 1, 2])
    next(students)
    students.close()
    search.refit_trial(1)
    assert len(MEMO) == others


def test_a_refit_leaves_what_others_keep(rows: Any, others: int) -> None:
    search = search_for().fit(*rows)
    objective = PathObjective(search_for(1), *rows)
    objective(FixedTrial(objective.defaults[1]))
    n_kept = len(MEMO)
    search.refit_trial(1)
    assert len(MEMO) == n_kept > others
