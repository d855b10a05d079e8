"""The case: what a verdict is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from multihop_search.engine.record import PRUNED, TrialRecord
from multihop_search.paths.groups import Group, Way, group_sizes, groups_of
from multihop_search.paths.path import Path
from multihop_search.verdict.verdict import Verdict


@dataclass(frozen=True)
class Case:
    """The complete trials of one student, and which of them was chosen."""

    records: Sequence[TrialRecord]
    predictions: Sequence[np.ndarray]
    """Of each trial, on the held-out rows, (n_entries, n_outputs)."""
    chosen: int
    """Position of the chosen one."""
    tried: Sequence[TrialRecord] | None = None
    """All trials of that student, which the verdict counts; None: `records`."""
    fits: bool = False
    """Whether ways of fitting it were searched."""
    notes: tuple[str, ...] = ()
    """What else is to be said."""

    @property
    def hops(self) -> np.ndarray:
        """Number of hops of each trial, (n_trials,)."""
        return np.array([record.hops for record in self.records])

    @property
    def ways(self) -> np.ndarray | None:
        """How each trial is fitted, as `Way`, (n_trials,); None: ways of fitting were not searched."""
        return np.array([way_of(record.path) for record in self.records]) if self.fits else None

    @property
    def groups(self) -> dict[Group, np.ndarray]:
        """Positions of the trials of each group that is compared."""
        return groups_of(self.hops, self.ways)

    def noted(self, *notes: str) -> Case:
        """Return the case with more to be said, before what is said already."""
        return replace(self, notes=(*notes, *self.notes))

    def counted(self, verdict: Verdict, **values: Any) -> Verdict:
        """Return the verdict with the numbers of all trials of the student."""
        tried = self.records if self.tried is None else self.tried
        return replace(
            verdict,
            n_trials=group_sizes([record.hops for record in tried if record.inside]),
            n_own_fit=sum(record.inside and not record.hops and record.path.fit is None for record in tried),
            n_stopped=sum(record.state == PRUNED for record in tried),
            **values,
        )


def way_of(path: Path) -> Way:
    """Return how the student of a path is fitted."""
    if path.fit is None:
        return Way.OWN
    return Way.SHRUNK if path.fit.own else Way.OTHER


def same_as_chosen(groups: Mapping[Group, np.ndarray], chosen: int) -> set[Group]:
    """Return the groups that the selected trial is compared with and is one of: nothing is gained over them."""
    return {group for group in (Group.PLAIN, Group.OWN_FIT) if group in groups and chosen in groups[group]}
