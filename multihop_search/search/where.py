"""Where a search runs: in this process, or on Ray."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import joblib

from multihop_search.errors import InvalidSetting, SerialSearchWarning, warn
from multihop_search.executors import Executor, SerialExecutor
from multihop_search.executors.nested import inside_worker
from multihop_search.paths.first_fits import FEW_ROWS
from multihop_search.search.setup import Begun

WORTH_STARTING_S = 10.0
"""Searches estimated to take less work than this are not worth the start of Ray (4 to 6 s)."""

USUAL_INTERMEDIATES = 4


def check_executor(executor: Any, n_jobs: Any) -> None:
    """Raise `InvalidSetting` unless the two can be used."""
    if executor is not None and (isinstance(executor, type) or not callable(getattr(executor, "start", None))):
        raise InvalidSetting(
            f"executor must be None or an executor, got {executor!r}: pass for instance RayExecutor(n_workers=4)."
        )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool) or n_jobs == 0):
        raise InvalidSetting(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}: pass 2, or -1 for all.")


def choose_executor(
    executor: Executor | None, n_jobs: int | None, begun: Begun, n_trials: int, *, hop_timeout: float | None = None
) -> Executor:
    """Return the executor that was given; else Ray for `n_jobs` above 1, if it is not slower than this process.

    A search with a `hop_timeout` needs workers, however small it is. `n_jobs=None` obeys `joblib.parallel_config`.
    Inside somebody's Ray worker a search stays in its process: it holds the worker's CPU, and hops would wait for it
    for ever.
    """
    obvious = known_executor(executor, n_jobs, hop_timeout=hop_timeout)
    if obvious is not None:
        return obvious
    seconds = estimated_seconds(begun, n_trials)
    if seconds < WORTH_STARTING_S:
        warn(
            f"n_jobs={n_jobs} was asked for about {seconds:.0f} s of work, and starting workers takes longer: the "
            "search runs in this process; an executor of your own (RayExecutor) is used all the same.",
            SerialSearchWarning,
        )
        return SerialExecutor()
    return _workers(n_jobs)


def known_executor(
    executor: Executor | None, n_jobs: int | None, *, hop_timeout: float | None = None
) -> Executor | None:
    """Return the executor of a search, known before anything is fitted; None where the size of the search decides.

    Raises
    ------
    InvalidSetting
        If executor or `n_jobs` cannot be used.
    """
    check_executor(executor, n_jobs)
    if executor is not None:
        return executor
    if joblib.effective_n_jobs(n_jobs) == 1 or inside_worker():
        return SerialExecutor()
    return None if hop_timeout is None else _workers(n_jobs)


def _workers(n_jobs: int | None) -> Executor:
    from multihop_search.executors.ray import RayExecutor

    return RayExecutor(n_workers=joblib.effective_n_jobs(n_jobs))


def estimated_seconds(begun: Begun, n_trials: int) -> float:
    """Return about how long the search will take in one process, from the fits on a few rows."""
    problem = begun.problem
    n_fitted = len(begun.students) + 1
    n_models = 1 + len(begun.students) + USUAL_INTERMEDIATES
    one_fit = begun.seconds / n_fitted * max(len(problem.searched.train) / FEW_ROWS, 1.0)
    return one_fit * len(problem.folds) * (0.3 * n_trials + 4 * n_models)
