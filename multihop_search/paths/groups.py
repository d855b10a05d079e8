"""The groups of trials that a verdict compares, and the comparisons: their names stand here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np


class Group(StrEnum):
    """A group of trials; its value is what tables call it."""

    PLAIN = "plain"
    OWN_FIT = "own fit"
    """Plain trials by the fit of the student's own class, where ways of fitting a tree are searched."""
    SHRUNK = "shrunk"
    """Those and the ones whose leaves are shrunk after the same fit."""
    ONE_HOP = "one-hop"
    MULTI_HOP = "multi-hop"
    UP_TO_ONE_HOP = "up to one hop"
    """Plain trials and those of one hop."""
    SELECTED = "selected"
    """All trials: what the choice picks of them is handed over."""

    @property
    def label(self) -> str:
        """What a page calls the group."""
        return LABELS[self]

    @classmethod
    def of(cls, hops: int) -> Group:
        """Return the group of a trial by its number of hops.

        Examples
        --------
        >>> str(Group.of(0)), str(Group.of(3)), Group.of(1).label
        ('plain', 'multi-hop', 'one hop')
        """
        return BY_HOPS[min(int(hops), 2)]


BY_HOPS = (Group.PLAIN, Group.ONE_HOP, Group.MULTI_HOP)
"""The groups that every trial is in one of."""
LABELS = {
    Group.PLAIN: "plain",
    Group.OWN_FIT: "usual model",
    Group.SHRUNK: "plain with shrinkage",
    Group.UP_TO_ONE_HOP: "up to one hop",
    Group.ONE_HOP: "one hop",
    Group.MULTI_HOP: "several hops",
    Group.SELECTED: "ours",
}

STEPS = {
    Group.OWN_FIT: "the student of its class",
    Group.SHRUNK: "shrinkage",
    Group.PLAIN: "another way of fitting",
    Group.UP_TO_ONE_HOP: "one hop",
    Group.SELECTED: "several hops",
}
"""Groups of which each holds the one before, and what each adds."""


class Comparison(NamedTuple):
    """Two groups whose picks a verdict compares."""

    better: Group
    worse: Group
    """What the first is compared with."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.better} vs {self.worse}"

    @property
    def label(self) -> str:
        """What a page calls it."""
        return f"{self.better.label} against {self.worse.label}"


ONE_VS_PLAIN = Comparison(Group.ONE_HOP, Group.PLAIN)
MANY_VS_ONE = Comparison(Group.MULTI_HOP, Group.ONE_HOP)
OURS_VS_PLAIN = Comparison(Group.SELECTED, Group.PLAIN)
OURS_VS_OWN_FIT = Comparison(Group.SELECTED, Group.OWN_FIT)
COMPARISONS = (ONE_VS_PLAIN, MANY_VS_ONE, OURS_VS_PLAIN, OURS_VS_OWN_FIT)
"""The last one stands where ways of fitting a tree were searched."""


class Way(IntEnum):
    """How the student of a trial is fitted."""

    OWN = 0
    """By its own class."""
    SHRUNK = 1
    """By its own class, its leaves shrunk afterwards."""
    OTHER = 2


def groups_of(hops: np.ndarray, ways: np.ndarray | None = None) -> dict[Group, np.ndarray]:
    """Return the positions of the trials of each group, ascending.

    Parameters
    ----------
    hops : ndarray of shape (n_trials,)
        Their numbers of hops.
    ways : ndarray of shape (n_trials,) or None
        How each is fitted, as `Way`; None: ways of fitting were not searched.
    """
    everyone = np.arange(len(hops))
    depth = np.minimum(hops, 2)
    members = {group: everyone[depth == place] for place, group in enumerate(BY_HOPS)}
    members[Group.UP_TO_ONE_HOP] = everyone[depth < 2]
    members[Group.SELECTED] = everyone
    if ways is not None:
        members[Group.OWN_FIT] = everyone[(hops == 0) & (ways == Way.OWN)]
        members[Group.SHRUNK] = everyone[(hops == 0) & (ways != Way.OTHER)]
    return members


def steps_of(groups: Mapping[Group, np.ndarray]) -> list[Group]:
    """Return the groups of `STEPS` that have trials and hold more than the one before.

    Examples
    --------
    >>> [STEPS[group] for group in steps_of(groups_of(np.array([0, 0, 1]), np.array([0, 1, 0])))]
    ['the student of its class', 'shrinkage', 'one hop']
    """
    steps: list[Group] = []
    for group in STEPS:
        members = groups.get(group, ())
        if len(members) > (len(groups[steps[-1]]) if steps else 0):
            steps.append(group)
    return steps


def group_sizes(hops: Iterable[int]) -> dict[str, int]:
    """Return how many trials each group has, by their numbers of hops; keyed as tables are.

    Examples
    --------
    >>> group_sizes([0, 1, 1, 3])
    {'plain': 1, 'one-hop': 2, 'multi-hop': 1}
    """
    groups = [Group.of(count) for count in hops]
    return {group.value: groups.count(group) for group in BY_HOPS}
