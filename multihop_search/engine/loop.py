"""The loop: ask, submit, stop early, tell. It yields a record for each told trial, in the order asked.

Trials are told strictly in the order asked, within a window of `n_ahead`, and a path is compared with the baseline that
had been told when it was asked. So what the sampler knows, and what is stopped, depends on numbers alone, never on
which trial happened to finish first; and a search that was killed and is run again, with the folds that its log knows
taken from there, is the same search.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.trial import Trial, TrialState

from multihop_search.engine.early_stopping import FEWEST_FOLDS, Gap
from multihop_search.engine.log import Log, Logged
from multihop_search.engine.plan import Plan
from multihop_search.engine.record import COMPLETE, FAIL, PRUNED, TrialRecord
from multihop_search.engine.retirement import Retirement
from multihop_search.engine.student import Outcome
from multihop_search.engine.study import set_constraints
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Future, Session
from multihop_search.executors.attempts import may_pass
from multihop_search.paths.budget import Budget
from multihop_search.paths.path import Path
from multihop_search.problem.problem import Problem
from multihop_search.problem.responses import joined_tables

MOST_LOST = 3
"""Paths to the only student that may fail by what may pass before any other one works."""
Told = tuple[TrialRecord, np.ndarray | None]
"""A record, and the predictions (n_entries, n_outputs) on all held-out rows, fold after fold, if it is complete and
the first of its path."""


class Scores(Protocol):
    """What the loop asks of the assessment of a search; see `results.assessment.Assessment`."""

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


@dataclass
class Asked:
    """A trial in the window."""

    number: int
    trial: Trial
    path: Path
    baseline: tuple[TrialRecord, np.ndarray] | None
    """Best one-hop path to the same student that had been told when the trial was asked; None: nothing stops it."""
    n_folds: int
    logged: Logged | None = None
    """What an earlier run of this search knew of the path."""
    futures: list[Future] = field(default_factory=list)
    """Of the folds submitted so far, in order, after those that were logged."""
    outcomes: list[Outcome] = field(default_factory=list)
    failure: str = ""
    """Why a fold failed."""
    cause: Exception | None = None
    stopped: str = ""
    """Why it was stopped."""
    repeats: bool = False
    """Whether the same path was asked before, so that nothing is to be run."""

    @property
    def open(self) -> bool:
        """Whether some fold is still to be judged."""
        return not (self.repeats or self.failure or self.stopped) and len(self.outcomes) < self.n_folds

    @property
    def n_known(self) -> int:
        """Number of folds that were logged."""
        return 0 if self.logged is None else len(self.logged.outcomes)

    @property
    def next_future(self) -> Future | None:
        """The future that is waited for; None if the next fold is known."""
        place = len(self.outcomes) - self.n_known
        return None if place < 0 or (place == 0 and self.logged and self.logged.failure) else self.futures[place]

    @property
    def predictions(self) -> np.ndarray:
        return joined_tables([outcome.predictions for outcome in self.outcomes])

    @property
    def note(self) -> str:
        """What fell back in some fold, if anything did."""
        notes = [outcome.note for outcome in self.outcomes if outcome.note]
        return f"in {len(notes)} of {self.n_folds} folds {notes[0]}" if notes else ""

    def record(self, state: str, reason: str, budget: Budget) -> TrialRecord:
        """Return the record of what was judged."""

        def mean(values: list[Any]) -> float:
            return float(np.mean(values))

        sizes = [outcome.size for outcome in self.outcomes]
        latency = self.outcomes[0].latency_us
        excess = [budget.excess(size, latency) for size in sizes]
        return TrialRecord(
            self.number,
            self.path,
            state,
            tuple(outcome.score for outcome in self.outcomes),
            float(np.sum([outcome.fit_seconds for outcome in self.outcomes])),
            mean([size.nodes for size in sizes]),
            mean([size.n_features_used for size in sizes]),
            mean([size.size_bytes for size in sizes]),
            latency,
            reason,
            tuple(outcome.fit_seconds for outcome in self.outcomes),
            tuple(outcome.score_seconds for outcome in self.outcomes),
            {name: max(fold[name] for fold in excess) for name in budget.bounds},
        )


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
        self._window: deque[Asked] = deque()
        self._told: dict[Path, tuple[TrialRecord, list[float]]] = {}
        self._best_one_hop: dict[str, tuple[float, tuple[TrialRecord, np.ndarray]]] = {}
        self._retirement = Retirement()

    def run(self, n_trials: int, deadline: float | None = None) -> Iterator[Told]:
        """Run the search and yield each trial as it is told.

        Parameters
        ----------
        n_trials : int
            Trials to tell.
        deadline : float or None
            Time on the monotonic clock at which the search ends, whatever is under way; every student is tried once
            before. A call that this process runs itself is not cut short.

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
            self._finish(head, deadline if number >= len(self._plan.students) else None)
            if head.open:
                return
            self._window.popleft()
            yield self._tell(head)

    def _ask(self, number: int) -> Asked:
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
        asked = Asked(number, trial, path, baseline, len(self._prefixes.problem.folds))
        if path in self._told or any(path == ahead.path for ahead in self._window):
            asked.repeats = True
            return asked
        asked.failure = self._retirement.reason(path)
        if not asked.failure:
            asked.logged = None if self._log is None else self._log.find(path)
            waits = stoppable and (baseline is not None or self._pruner is not None)
            self._submit(asked, FEWEST_FOLDS if waits else asked.n_folds)
        return asked

    def _submit(self, asked: Asked, n_folds: int) -> None:
        """Submit the folds up to `n_folds` that are neither known nor submitted."""
        if asked.logged is not None and asked.logged.failure:
            return
        for fold in self._prefixes.problem.folds[asked.n_known + len(asked.futures) : n_folds]:
            asked.futures.append(self._prefixes.outcome(fold.number, asked.path))

    def _finish(self, head: Asked, deadline: float | None) -> None:
        """Wait for the trial whose turn it is, until `deadline`; what others have ready meanwhile is taken in too."""
        self._advance(head)
        while head.open:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            ahead = [asked for asked in self._window if asked.open and not self._waits(asked)]
            futures = [asked.next_future for asked in ahead]
            while self._session.has_idle_worker() and self._hurry():
                pass
            if None not in futures:
                self._session.wait(futures, left)
            for asked in self._window:
                self._advance(asked)

    def _hurry(self) -> bool:
        """Submit a fold that might be spared if the path is stopped before, and return whether there was one."""
        for asked in self._window:
            n_submitted = len(asked.futures)
            if asked.open and asked.logged is None and n_submitted < asked.n_folds:  # a logged path ends as it did
                self._submit(asked, n_submitted + 1)
                return True
        return False

    def _waits(self, asked: Asked) -> bool:
        """Whether a trial has to wait for its turn: an Optuna pruner may look at every trial told before."""
        stoppable = self._pruner is not None and len(asked.path.hops) >= 2
        return stoppable and asked is not self._window[0] and len(asked.outcomes) >= FEWEST_FOLDS - 1

    def _advance(self, asked: Asked) -> None:
        """Take in the folds that are ready, and decide after each whether to go on."""
        while asked.open and not self._waits(asked):
            if not self._take_in(asked):
                return
            if not asked.failure:
                asked.stopped = self._reason_to_stop(asked)
            done = len(asked.outcomes)
            if asked.failure or asked.stopped:
                for future in asked.futures[max(done - asked.n_known, 0) :]:
                    self._session.cancel(future)
            elif done == asked.n_known + len(asked.futures) < asked.n_folds:
                self._submit(asked, done + 1)
        if self._log is not None and not asked.open and asked.futures:
            lasting = "" if asked.cause is not None and may_pass(asked.cause) else asked.failure
            if asked.outcomes or lasting:
                self._log.add(asked.path, asked.outcomes, lasting)
            asked.futures = []

    def _take_in(self, asked: Asked) -> bool:
        """Take in the next fold, from the log or as it was run; return whether it was there."""
        future, known = asked.next_future, asked.logged
        if future is None:
            assert known is not None
            if len(asked.outcomes) < asked.n_known:
                asked.outcomes.append(known.outcomes[len(asked.outcomes)])
            else:
                asked.failure = known.failure
            return True
        if not self._session.ready(future):
            return False
        try:
            asked.outcomes.append(self._session.result(future))
        except ClusterLost:
            raise
        except Exception as error:
            asked.failure, asked.cause = f"{type(error).__name__}: {error}", error
            if asked.number == 0 and len(self._plan.students) == 1 and not may_pass(error):
                raise SearchFailed(
                    f"the plain student must be fitted and scored in every fold, it said: {error}"
                ) from error
        return True

    def _reason_to_stop(self, asked: Asked) -> str:
        """Return why the path is stopped after the folds that it has, or an empty string."""
        done, n_folds = len(asked.outcomes), asked.n_folds
        if len(asked.path.hops) < 2 or done < FEWEST_FOLDS or done == n_folds:
            return ""
        if asked.baseline is not None:
            record, predictions = asked.baseline
            gap = self._judge.gap(asked.predictions, predictions)
            if gap.clearly_worse:
                return (
                    f"after {done} of {n_folds} folds {gap.behind:.4g} +- {gap.error:.4g} behind one-hop trial "
                    f"{record.number}"
                )
        elif self._pruner is not None:
            self._report(asked, self._judge.told_means(asked.record(PRUNED, "", self._budget), asked.predictions))
            if self._pruner.prune(self._study, self._frozen(asked)):
                return f"after {done} of {n_folds} folds by {type(self._pruner).__name__}"
        return ""

    def _frozen(self, asked: Asked) -> optuna.trial.FrozenTrial:
        return self._study.get_trials(deepcopy=False)[asked.number]

    def _report(self, asked: Asked, means: Sequence[float]) -> None:
        """Report the running means that have not been reported, as far as they are known."""
        known = self._frozen(asked).intermediate_values
        for step, mean in enumerate(means):
            if step not in known and math.isfinite(mean):
                asked.trial.report(mean, step)

    def _tell(self, asked: Asked) -> Told:
        if asked.repeats:
            record, means = self._told[asked.path]
            record, predictions = record.repeated(asked.number), None
        else:
            record = self._record(asked)
            predictions = asked.predictions if record.complete else None
            means = self._judge.told_means(record, asked.predictions) if asked.outcomes else []
            if record.complete and not math.isfinite(means[-1]):
                record, predictions = replace(record, state=FAIL, reason="no fold could be scored"), None
            self._told[asked.path] = record, means
            self._check_hope(asked, record)
            if asked.outcomes or asked.cause is not None or asked.logged is not None:
                self._retirement.note(record)
        set_constraints(asked.trial, record.excess)
        if record.state != FAIL and not asked.repeats:
            self._report(asked, means)
        if record.complete:
            self._study.tell(asked.trial, means[-1])
        else:
            self._study.tell(asked.trial, state=TrialState.PRUNED if record.state == PRUNED else TrialState.FAIL)
        if predictions is not None:
            self._remember_baseline(record, predictions, means[-1])
        return record, predictions

    def _check_hope(self, asked: Asked, record: TrialRecord) -> None:
        """Raise `SearchFailed` when every path to the only student fails from the first on, by what may pass."""
        if record.state != FAIL or len(self._plan.students) > 1 or len(self._told) != MOST_LOST:
            return
        if all(told.state == FAIL for told, _ in self._told.values()):
            raise SearchFailed(
                f"the student must be fitted and scored in every fold, its first {MOST_LOST} paths failed, this one "
                f"by: {record.reason}"
            ) from asked.cause

    def _record(self, asked: Asked) -> TrialRecord:
        """Return the record of a trial whose turn it is."""
        if asked.failure:
            return TrialRecord(asked.number, asked.path, FAIL, reason=asked.failure)
        return asked.record(PRUNED if asked.stopped else COMPLETE, asked.stopped or asked.note, self._budget)

    def _remember_baseline(self, record: TrialRecord, predictions: np.ndarray, value: float) -> None:
        if record.hops != 1 or not record.inside:
            return
        best = self._best_one_hop.get(record.path.student)
        if best is None or value > best[0]:
            self._best_one_hop[record.path.student] = (value, (record, predictions))
