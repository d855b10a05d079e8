"""The pending trial: what is under way of a trial that was asked and is not told yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.trial import Trial

from multihop_search.engine.log import Logged
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.student import Outcome
from multihop_search.executors import Future
from multihop_search.paths.budget import Budget
from multihop_search.paths.path import Path
from multihop_search.problem.responses import joined_tables


@dataclass(kw_only=True)
class PendingTrial:
    """A trial that was asked and is not told yet."""

    number: int
    trial: Trial
    path: Path
    n_folds: int
    baseline: tuple[TrialRecord, np.ndarray] | None = None
    """Best one-hop path to the same student that had been told when the trial was asked; None: nothing stops it."""
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
    def is_open(self) -> bool:
        """Whether some fold is still to be judged."""
        return not (self.repeats or self.failure or self.stopped) and len(self.outcomes) < self.n_folds

    @property
    def n_logged(self) -> int:
        """Number of folds that were logged."""
        return 0 if self.logged is None else len(self.logged.outcomes)

    @property
    def next_future(self) -> Future | None:
        """The future that is waited for; None if the next fold is known."""
        place = len(self.outcomes) - self.n_logged
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
            number=self.number,
            path=self.path,
            state=state,
            fold_scores=tuple(outcome.score for outcome in self.outcomes),
            fit_seconds=float(np.sum([outcome.fit_seconds for outcome in self.outcomes])),
            upper_seconds=float(np.sum([outcome.upper_seconds for outcome in self.outcomes])),
            nodes=mean([size.nodes for size in sizes]),
            n_features_used=mean([size.n_features_used for size in sizes]),
            size_bytes=mean([size.size_bytes for size in sizes]),
            latency_us=latency,
            reason=reason,
            fit_times=tuple(outcome.fit_seconds for outcome in self.outcomes),
            score_times=tuple(outcome.score_seconds for outcome in self.outcomes),
            excess={name: max(fold[name] for fold in excess) for name in budget.bounds},
        )
