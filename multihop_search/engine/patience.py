"""Patience: how many trials a search goes on without a better one."""

from __future__ import annotations

import math

from multihop_search.engine.record import TrialRecord


class Patience:
    """Counts the told trials of each student since its best one.

    Parameters
    ----------
    most : int or None
        Trials of each student without a better one after which the search ends; None: never.
    n_students : int
        Students that have to stand still.

    Examples
    --------
    >>> from multihop_search.paths.path import Path
    >>> patience = Patience(2, n_students=1)
    >>> [
    ...     patience.ends(TrialRecord(number=number, path=Path(()), state="COMPLETE"), score)
    ...     for number, score in enumerate([1, 2, 2, 1])
    ... ]
    [False, False, False, True]
    """

    def __init__(self, most: int | None, n_students: int) -> None:
        self._most, self._n_students = most, n_students
        self._best: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def ends(self, record: TrialRecord, score: float) -> bool:
        """Return whether the search ends with this told trial; `score` is NaN where it is no candidate."""
        student = record.path.student
        self._since[student] = self._since.get(student, 0) + 1
        if not math.isnan(score) and score > self._best.get(student, -math.inf):
            self._best[student], self._since[student] = score, 0
        done = sum(since >= self._most for since in self._since.values()) if self._most is not None else -1
        return done == self._n_students
