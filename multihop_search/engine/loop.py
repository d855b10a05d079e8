"""The loop: ask, submit, stop early, tell. It yields a record for each told trial, in the order asked.

Trials are told strictly in the order asked, within a window of `n_ahead`, and a path is compared with the baseline that
had been told when it was asked. So what the sampler knows, and what is stopped, depends on numbers alone, never on
which trial happened to finish first; and a search that was killed and is run again, with the folds that its log knows
taken from there, is the same search.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from multihop_search.engine.deadline import Deadline
from multihop_search.engine.early_stopping import FEWEST_FOLDS, Gap
from multihop_search.engine.log import Log
from multihop_search.engine.pending_trial import PendingTrial
from multihop_search.engine.plan import Plan
from multihop_search.engine.record import COMPLETE, FAIL, PRUNED, TrialRecord
from multihop_search.engine.retirement import Retirement
from multihop_search.engine.study import set_constraints
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Future, Session
from multihop_search.executors.attempts import may_pass
from multihop_search.paths.budget import Budget
from multihop_search.paths.path import Path
from multihop_search.problem.problem import Problem

MOST_LOST = 3
"""Paths to the only student that may fail by what may pass before any other one works."""
Told = tuple[TrialRecord, np.ndarray | None]
"""A record, and the predictions (n_entries, n_outputs) on all held-out rows, fold after fold, if it is complete and
the first of its path."""


class Scores(Protocol):
    """What the loop asks of the assessment of a search; see `verdict.assessment.Assessment`."""

    def score(self, record: TrialRecord) -> float:
        """Return the score of a record on the folds that it has."""

    def told_means(self, record: TrialRecord, predictions: np.ndarray) -> list[float]:
        """Return the running means of the scores that the sampler is told, after each fold."""

    @property
    def fold_weights(self) -> list[float]:
        """Return how much each fold counts in the running means."""

    def gap(self, predictions: np.ndarray, baseline: np.ndarray) -> Gap:
        """Compare predictions on the first folds with a baseline's on all folds."""


class Runner(Protocol):
    """What the loop asks of `Prefixes`: who runs a path in a fold."""

    session: Session
    problem: Problem

    def outcome(self, number: int, path: Path) -> Future:
        """Return the future of the outcome of a path in a fold."""


class Loop:
    """One search under way.

    Parameters
    ----------
    study : optuna.Study
        In memory; its numbers are ours.
    plan : Plan
        What each number settles.
    prefixes : Runner
        Shared work, with the session in which it runs.
    judge : Scores
        What scores mean.
    budget : Budget
        What students may not exceed.
    pruner : "auto", BasePruner or None
        Who stops paths early; see `studies.pruner`.
    n_ahead : int
        Most trials asked but not told.
    log : Log or None, default=None
        Where what each path did is kept.
    """

    def __init__(
        self,
        study: optuna.Study,
        plan: Plan,
        prefixes: Runner,
        judge: Scores,
        *,
        budget: Budget,
        pruner: BasePruner | str | None,
        n_ahead: int,
        log: Log | None = None,
    ) -> None:
        self._study, self._plan, self._prefixes, self._judge = study, plan, prefixes, judge
        self._session = prefixes.session
        self._budget, self._n_ahead, self._log = budget, n_ahead, log
        self._rule = isinstance(pruner, str)
        self._pruner = pruner if isinstance(pruner, BasePruner) else None
        self._window: deque[PendingTrial] = deque()
        self._told: dict[Path, tuple[TrialRecord, list[float]]] = {}
        self._best_one_hop: dict[str, tuple[float, tuple[TrialRecord, np.ndarray]]] = {}
        self._retirement = Retirement()

    def run(self, n_trials: int, deadline: Deadline | None = None) -> Iterator[Told]:
        """Run the search and yield each trial as it is told.

        Parameters
        ----------
        n_trials : int
            Trials to tell.
        deadline : Deadline or None
            When the trials have to end, whatever is under way; every student is tried once before. A call that this
            process runs itself is not cut short.

        Raises
        ------
        SearchFailed
            If the only student, plain and as the user set it, cannot be fitted.
        ClusterLost
            If what runs the hops is gone.
        CheckpointFailed
            If the log cannot be written.
        """
        for number in range(n_trials):
            while len(self._window) < min(self._n_ahead, n_trials - number):
                self._window.append(self._ask(number + len(self._window)))
            head = self._window[0]
            bound = deadline if number >= len(self._plan.students) else None
            self._advance(head)  # what a log holds takes no time
            if bound is not None and head.is_open and not head.outcomes and not bound.allows(head.path):
                return
            self._finish(head, bound)
            if head.is_open:
                return
            self._window.popleft()
            record, predictions = self._tell(head)
            if deadline is not None:
                deadline.note(record)
            yield record, predictions

    def _ask(self, number: int) -> PendingTrial:
        study, plan = self._study, self._plan
        study.sampler = plan.sampler_of(number)
        study.enqueue_trial(plan.fixed(number))
        trial = study.ask()
        path = plan.space.suggest(trial)
        trial.set_user_attr("path", str(path))
        trial.set_user_attr("hops", len(path.hops))
        trial.set_user_attr("student", path.student)
        trial.set_user_attr("fold_weights", self._judge.fold_weights)
        stoppable = len(path.hops) >= 2
        _, baseline = self._best_one_hop.get(path.student, (0.0, None)) if stoppable and self._rule else (0.0, None)
        pending = PendingTrial(
            number=number,
            trial=trial,
            path=path,
            baseline=baseline,
            n_folds=len(self._prefixes.problem.folds),
        )
        if path in self._told or any(path == ahead.path for ahead in self._window):
            pending.repeats = True
            return pending
        pending.failure = self._retirement.reason(path)
        if not pending.failure:
            pending.logged = None if self._log is None else self._log.find(path)
            waits = stoppable and (baseline is not None or self._pruner is not None)
            self._submit(pending, FEWEST_FOLDS if waits else pending.n_folds)
        return pending

    def _submit(self, pending: PendingTrial, n_folds: int) -> None:
        """Submit the folds up to `n_folds` that are neither known nor submitted."""
        if pending.logged is not None and pending.logged.failure:
            return
        for fold in self._prefixes.problem.folds[pending.n_logged + len(pending.futures) : n_folds]:
            pending.futures.append(self._prefixes.outcome(fold.number, pending.path))

    def _finish(self, head: PendingTrial, deadline: Deadline | None) -> None:
        """Wait for the trial whose turn it is, until `deadline`; what others have ready meanwhile is taken in too."""
        self._advance(head)
        while head.is_open:
            left = None if deadline is None else deadline.left
            if left is not None and left <= 0:
                return
            ahead = [pending for pending in self._window if pending.is_open and not self._waits(pending)]
            futures = [pending.next_future for pending in ahead]
            while self._session.has_idle_worker() and self._hurry():
                pass
            if None not in futures:
                self._session.wait(futures, left)
            for pending in self._window:
                self._advance(pending)

    def _hurry(self) -> bool:
        """Submit a fold that might be spared if the path is stopped before, and return whether there was one."""
        for pending in self._window:
            n_submitted = len(pending.futures)
            if (
                pending.is_open and pending.logged is None and n_submitted < pending.n_folds
            ):  # a logged path ends as it did
                self._submit(pending, n_submitted + 1)
                return True
        return False

    def _waits(self, pending: PendingTrial) -> bool:
        """Whether a trial has to wait for its turn: an Optuna pruner may look at every trial told before."""
        stoppable = self._pruner is not None and len(pending.path.hops) >= 2
        return stoppable and pending is not self._window[0] and len(pending.outcomes) >= FEWEST_FOLDS - 1

    def _advance(self, pending: PendingTrial) -> None:
        """Take in the folds that are ready, and decide after each whether to go on."""
        while pending.is_open and not self._waits(pending):
            if not self._take_in(pending):
                return
            if not pending.failure:
                pending.stopped = self._reason_to_stop(pending)
            done = len(pending.outcomes)
            if pending.failure or pending.stopped:
                for future in pending.futures[max(done - pending.n_logged, 0) :]:
                    self._session.cancel(future)
            elif done == pending.n_logged + len(pending.futures) < pending.n_folds:
                self._submit(pending, done + 1)
        if self._log is not None and not pending.is_open and pending.futures:
            lasting = "" if pending.cause is not None and may_pass(pending.cause) else pending.failure
            if pending.outcomes or lasting:
                self._log.add(pending.path, pending.outcomes, lasting)
            pending.futures = []

    def _take_in(self, pending: PendingTrial) -> bool:
        """Take in the next fold, from the log or as it was run; return whether it was there."""
        future, logged = pending.next_future, pending.logged
        if future is None:
            assert logged is not None
            if len(pending.outcomes) < pending.n_logged:
                pending.outcomes.append(logged.outcomes[len(pending.outcomes)])
            else:
                pending.failure = logged.failure
            return True
        if not self._session.ready(future):
            return False
        try:
            pending.outcomes.append(self._session.result(future))
        except ClusterLost:
            raise
        except Exception as error:
            pending.failure, pending.cause = f"{type(error).__name__}: {error}", error
            is_first_plain = pending.number == 0 and not pending.path.hops
            if is_first_plain and len(self._plan.students) == 1 and not may_pass(error):
                raise SearchFailed(
                    f"the plain student must be fitted and scored in every fold, it said: {error}"
                ) from error
        return True

    def _reason_to_stop(self, pending: PendingTrial) -> str:
        """Return why the path is stopped after the folds that it has, or an empty string."""
        done, n_folds = len(pending.outcomes), pending.n_folds
        if len(pending.path.hops) < 2 or done < FEWEST_FOLDS or done == n_folds:
            return ""
        if pending.baseline is not None:
            record, predictions = pending.baseline
            gap = self._judge.gap(pending.predictions, predictions)
            if gap.clearly_worse:
                return (
                    f"after {done} of {n_folds} folds {gap.behind:.4g} +- {gap.error:.4g} behind one-hop trial "
                    f"{record.number}"
                )
        elif self._pruner is not None:
            self._report(pending, self._judge.told_means(pending.record(PRUNED, "", self._budget), pending.predictions))
            if self._pruner.prune(self._study, self._frozen(pending)):
                return f"after {done} of {n_folds} folds by {type(self._pruner).__name__}"
        return ""

    def _frozen(self, pending: PendingTrial) -> optuna.trial.FrozenTrial:
        return self._study.get_trials(deepcopy=False)[pending.number]

    def _report(self, pending: PendingTrial, means: Sequence[float]) -> None:
        """Report the running means that have not been reported, as far as they are known."""
        reported = self._frozen(pending).intermediate_values
        for step, mean in enumerate(means):
            if step not in reported and math.isfinite(mean):
                pending.trial.report(mean, step)

    def _tell(self, pending: PendingTrial) -> Told:
        if pending.repeats:
            record, means = self._told[pending.path]
            record, predictions = record.repeated(pending.number), None
        else:
            record = self._record(pending)
            predictions = pending.predictions if record.complete else None
            means = self._judge.told_means(record, pending.predictions) if pending.outcomes else []
            if record.complete and not math.isfinite(means[-1]):
                record, predictions = replace(record, state=FAIL, reason="no fold could be scored"), None
            self._told[pending.path] = record, means
            self._check_hope(pending, record)
            if pending.outcomes or pending.cause is not None or pending.logged is not None:
                self._retirement.note(record)
        set_constraints(pending.trial, record.excess)
        if record.state != FAIL and not pending.repeats:
            self._report(pending, means)
        if record.complete:
            self._study.tell(pending.trial, means[-1])
        else:
            self._study.tell(pending.trial, state=TrialState.PRUNED if record.state == PRUNED else TrialState.FAIL)
        if predictions is not None:
            self._remember_baseline(record, predictions, means[-1])
        return record, predictions

    def _check_hope(self, pending: PendingTrial, record: TrialRecord) -> None:
        """Raise `SearchFailed` when every path to the only student fails from the first on, by what may pass."""
        if record.state != FAIL or len(self._plan.students) > 1 or len(self._told) != MOST_LOST:
            return
        if all(earlier.state == FAIL for earlier, _ in self._told.values()):
            raise SearchFailed(
                f"the student must be fitted and scored in every fold, its first {MOST_LOST} paths failed, this one "
                f"by: {record.reason}"
            ) from pending.cause

    def _record(self, pending: PendingTrial) -> TrialRecord:
        """Return the record of a trial whose turn it is."""
        if pending.failure:
            return TrialRecord(number=pending.number, path=pending.path, state=FAIL, reason=pending.failure)
        return pending.record(PRUNED if pending.stopped else COMPLETE, pending.stopped or pending.note, self._budget)

    def _remember_baseline(self, record: TrialRecord, predictions: np.ndarray, value: float) -> None:
        if record.hops != 1 or not record.inside:
            return
        best = self._best_one_hop.get(record.path.student)
        if best is None or value > best[0]:
            self._best_one_hop[record.path.student] = (value, (record, predictions))
