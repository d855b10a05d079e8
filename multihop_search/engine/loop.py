"""The loop: ask, submit, tell. It yields a record for each told trial, in the order asked.

Trials are told strictly in the order asked, within a window of `n_ahead`, so that what the sampler knows when it is
asked depends on numbers alone, never on which trial happened to finish first.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial, TrialState

from multihop_search.engine.executors import Executor, Future
from multihop_search.engine.hop import Outcome, judge
from multihop_search.engine.plan import Plan
from multihop_search.engine.prefixes import Prefixes
from multihop_search.errors import SearchFailed
from multihop_search.paths.path import Path
from multihop_search.results.record import COMPLETE, FAIL, TrialRecord

Told = tuple[TrialRecord, np.ndarray | None]
"""A record, and the predictions (n_entries, n_classes) on all held-out rows, fold after fold, if it is complete."""


@dataclass(frozen=True)
class Asked:
    """A trial in the window."""

    trial: Trial
    path: Path
    folds: tuple[Future, ...]
    """Futures of the outcomes; empty if the same path was asked before."""


def run(
    study: optuna.Study,
    plan: Plan,
    prefixes: Prefixes,
    executor: Executor,
    *,
    told_score: Callable[[TrialRecord, np.ndarray], float],
    n_trials: int,
    n_ahead: int,
    timeout: float | None,
) -> Iterator[Told]:
    """Run the search and yield each trial as it is told.

    Parameters
    ----------
    study : optuna.Study
        In memory; its numbers are ours.
    plan : Plan
        What each number settles.
    prefixes, executor
        Shared work, with the problem in it, and where it runs.
    told_score : callable
        Score of a complete trial for the sampler, from its record and predictions.
    n_trials : int
        Trials to tell.
    n_ahead : int
        Most trials asked but not told.
    timeout : float or None
        Seconds after which no further trial is begun.

    Raises
    ------
    SearchFailed
        If the plain student, as the user set it, cannot be fitted.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    window: deque[Asked] = deque()
    told: dict[Path, Told] = {}
    for number in range(n_trials):
        while len(window) < min(n_ahead, n_trials - number):
            window.append(_ask(study, plan, prefixes, executor, number + len(window), told, window))
        if deadline is not None and time.monotonic() >= deadline and number > 0:
            return
        asked = window.popleft()
        record, predictions = _collect(asked, number, executor, told)
        score = told_score(record, predictions) if predictions is not None else math.nan
        if predictions is not None and not math.isfinite(score):
            record, predictions = replace(record, state=FAIL, reason="no fold could be scored"), None
        told.setdefault(asked.path, (record, predictions))
        if record.complete:
            study.tell(asked.trial, score)
        else:
            study.tell(asked.trial, state=TrialState.FAIL)
        yield record, predictions


def _ask(
    study: optuna.Study,
    plan: Plan,
    prefixes: Prefixes,
    executor: Executor,
    number: int,
    told: dict[Path, Told],
    window: deque[Asked],
) -> Asked:
    study.sampler = plan.sampler_of(number)
    study.enqueue_trial(plan.fixed(number))
    trial = study.ask()
    path = plan.space.suggest(trial)
    trial.set_user_attr("path", str(path))
    trial.set_user_attr("hops", len(path.hops))
    if path in told or any(path == ahead.path for ahead in window):
        return Asked(trial, path, ())
    return Asked(trial, path, tuple(submit(path, fold.number, prefixes, executor) for fold in prefixes.problem.folds))


def submit(path: Path, number: int, prefixes: Prefixes, executor: Executor) -> Future:
    """Return the future of the outcome of `path` in fold `number`, its prefix shared with every other path."""
    above = (prefixes.outputs(number, path.prefix),) if path.hops else ()
    return executor.submit(judge, *prefixes.shared, number, path, *above)


def _collect(asked: Asked, number: int, executor: Executor, told: dict[Path, Told]) -> Told:
    if not asked.folds:
        record, predictions = told[asked.path]
        return record.repeated(number), predictions
    try:
        outcomes = [executor.result(future) for future in asked.folds]
    except Exception as error:
        if number == 0:
            raise SearchFailed(
                f"the plain student must be fitted and scored in every fold, it said: {error}"
            ) from error
        return TrialRecord(number, asked.path, FAIL, reason=f"{type(error).__name__}: {error}"), None
    return _record(number, asked.path, outcomes), np.concatenate([outcome.proba for outcome in outcomes])


def _record(number: int, path: Path, outcomes: list[Outcome]) -> TrialRecord:
    def mean(values: list[Any]) -> float:
        return float(np.mean(values))

    return TrialRecord(
        number,
        path,
        COMPLETE,
        tuple(outcome.score for outcome in outcomes),
        float(np.sum([outcome.fit_seconds for outcome in outcomes])),
        mean([outcome.size.nodes for outcome in outcomes]),
        mean([outcome.size.n_features_used for outcome in outcomes]),
        mean([outcome.size.size_bytes for outcome in outcomes]),
        outcomes[0].latency_us,
    )
