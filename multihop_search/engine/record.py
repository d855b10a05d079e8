"""The record of a trial: what it measured, or why it failed or was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from multihop_search.paths.path import Path

COMPLETE, PRUNED, FAIL = "COMPLETE", "PRUNED", "FAIL"


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One told trial."""

    number: int
    path: Path
    state: str
    """COMPLETE, PRUNED or FAIL."""
    fold_scores: tuple[float, ...] = ()
    """Score of each fold that was run, in order."""
    fit_seconds: float = float("nan")
    """Seconds of the student's own fits, all folds."""
    upper_seconds: float = 0.0
    """Seconds of the models above it, all folds, as if no other path shared them."""
    nodes: float = float("nan")
    """Complexity of the student, mean over folds."""
    n_features_used: float = float("nan")
    size_bytes: float = float("nan")
    latency_us: float = float("nan")
    """Microseconds to predict one row."""
    reason: str = ""
    """Why the trial failed or was stopped, what fell back in its transfer sets, or which earlier trial it repeats."""
    fit_times: tuple[float, ...] = ()
    """Seconds of the student's own fit in each fold that was run."""
    score_times: tuple[float, ...] = ()
    """Seconds to predict and score the held-out rows of each fold that was run."""
    excess: Mapping[str, float] = field(default_factory=dict)
    """By what share each bound of the budget is exceeded in the worst fold; at most 0 is inside."""

    @property
    def complete(self) -> bool:
        return self.state == COMPLETE

    @property
    def inside(self) -> bool:
        """Whether the trial is complete and its student within the budget in every fold."""
        return self.complete and all(share <= 0 for share in self.excess.values())

    @property
    def hops(self) -> int:
        return len(self.path.hops)

    def repeated(self, number: int) -> TrialRecord:
        """Return the record of a later trial that drew the same path."""
        repetition = f"same path as trial {self.number}"
        return replace(self, number=number, reason=f"{repetition}: {self.reason}" if self.reason else repetition)
