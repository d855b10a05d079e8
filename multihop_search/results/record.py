"""The record of a trial: what it measured, or why it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from multihop_search.paths.path import Path

COMPLETE, FAIL = "COMPLETE", "FAIL"


@dataclass(frozen=True)
class TrialRecord:
    """One told trial."""

    number: int
    path: Path
    state: str
    """COMPLETE or FAIL."""
    fold_scores: tuple[float, ...] = ()
    """Score of each fold, in order."""
    fit_seconds: float = float("nan")
    """Seconds of the student's own fits, all folds."""
    nodes: float = float("nan")
    """Complexity of the student, mean over folds."""
    n_features_used: float = float("nan")
    size_bytes: float = float("nan")
    latency_us: float = float("nan")
    """Microseconds to predict one row."""
    reason: str = ""
    """Why the trial failed, or which earlier trial it repeats."""

    @property
    def complete(self) -> bool:
        return self.state == COMPLETE

    @property
    def hops(self) -> int:
        return len(self.path.hops)

    def repeated(self, number: int) -> TrialRecord:
        """Return the record of a later trial that drew the same path."""
        return replace(self, number=number, reason=self.reason or f"same path as trial {self.number}")
