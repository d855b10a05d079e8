"""The told trials of a search, and whose predictions stay in memory: those that choice and verdict need."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from multihop_search.engine.record import TrialRecord
from multihop_search.paths.groups import Group
from multihop_search.paths.path import Path
from multihop_search.verdict.assessment import Assessment

MOST_KEPT = 200
"""Paths of each group whose predictions are kept; the rest keep their fold scores."""


class Trials:
    """Records of the told trials, and held-out predictions of the best paths of each group.

    A group is a student at 0, at 1 or at more hops; plain trials by the class's own fit are one of their own, since the
    verdict compares with them. Paths within the budget come before all others.

    Parameters
    ----------
    assessment : Assessment
        Scores the trials.
    most : int, default=MOST_KEPT
        Paths kept in each group.
    """

    def __init__(self, assessment: Assessment, most: int = MOST_KEPT) -> None:
        self.records: list[TrialRecord] = []
        self.ended = False
        """Whether a signal ended the search."""
        self._assessment, self._most = assessment, most
        self._scores: dict[Path, tuple[float, float]] = {}
        self._kept: dict[Path, np.ndarray] = {}
        self._groups: dict[tuple[str, Group, bool], list[tuple[bool, float, int, Path]]] = {}

    def add(self, record: TrialRecord, predictions: np.ndarray | None) -> None:
        """Take in the next told trial; `predictions`, (n_entries, n_outputs), are those of a path's first one."""
        self.records.append(record)
        if predictions is None:
            return
        path, score = record.path, self._assessment.score(record)
        self._scores[path] = score, self._assessment.standard_error(record, predictions)
        self._kept[path] = predictions
        group = self._groups.setdefault((path.student, Group.of(record.hops), path.fit is None), [])
        heapq.heappush(group, (record.inside, score, -record.number, path))
        if len(group) > self._most:
            del self._kept[heapq.heappop(group)[-1]]

    def score(self, record: TrialRecord) -> tuple[float, float]:
        """Return score and standard error of a trial; NaN unless it is complete."""
        return self._scores[record.path] if record.complete else (float("nan"), float("nan"))

    def kept(self, student: str | None = None) -> Iterator[tuple[TrialRecord, np.ndarray]]:
        """Yield the trials, of one student or of all, whose predictions are kept."""
        for record in self.records:
            if record.complete and record.path in self._kept and student in (None, record.path.student):
                yield record, self._kept[record.path]
