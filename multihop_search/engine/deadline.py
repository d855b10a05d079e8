"""The deadline of a search: until when trials may run, so that what comes last is done by then too."""

from __future__ import annotations

import time

import numpy as np

from multihop_search.engine.record import TrialRecord
from multihop_search.paths.path import Path
from multihop_search.problem.problem import Fold, Problem

MARGIN = 1.2
"""How many times as long as the folds say the last step is taken to last."""
AT_LEAST = 0.5
"""Seconds that it is given beside its fits."""
FOR_ALL_ROWS = 0.25
"""Share of the time that is kept for a refit on all rows: where it takes more, the rows searched are fitted on."""
PREDICTED = 0.1
"""What it takes to predict a row that judges, beside a fit and cross-fit on one."""


class Deadline:
    """Knows, from the folds that were run, how long the verdict and the refit will take.

    Parameters
    ----------
    at : float
        Time on the monotonic clock by which everything is to be done.
    problem : Problem
        The rows of the search.
    judged : bool
        Whether the verdict fits models of its own.
    fresh : bool, default=False
        Whether it does so on the rows of the refit, because fresh rows judge.
    teacher : float, default=0.0
        Seconds that the teacher may take on the rows searched, until a trial tells. Before it is needed by a path it is
        left out where there is no time for it.
    """

    def __init__(self, at: float, problem: Problem, *, judged: bool, fresh: bool = False, teacher: float = 0.0) -> None:
        self._at, self._problem, self._judged, self._fresh = at, problem, judged, fresh
        self._most = FOR_ALL_ROWS * (at - time.monotonic())
        """Seconds that are kept for the refit on all rows."""
        judges = len(problem.searched.test) if judged else 0
        self._times = 1 + PREDICTED * judges / len(problem.searched.train)
        """How many times as long as its fit the teacher takes in the last step, what it says of rows that judge too."""
        self._teacher, self._of_teacher, self._taught = teacher, teacher, False
        self._below: dict[tuple[str, int], float] = {}
        """Seconds of the longest fits below the teacher, by student and number of hops, 2 for several."""

    def note(self, record: TrialRecord) -> None:
        """Take in how long the folds of a trial took."""
        if not record.fit_times:
            return
        searched = self._problem.searched
        upper = self._upper(record, searched)
        if record.hops == 1:
            self._teacher = max(self._teacher, upper) if self._taught else upper
            self._of_teacher = self._teacher
        self._taught = self._taught or record.hops > 0
        key = record.path.student, min(record.hops, 2)
        below = max(0.0, upper - self._teacher) + self._student(record, searched)
        self._below[key] = max(self._below.get(key, 0.0), below)

    def teacher_is_fitted(self) -> None:
        """Take in that the teacher of the last step is there."""
        self._teacher = 0.0

    @property
    def allows_teacher(self) -> bool:
        """Return whether the last step may fit the teacher: a path has needed it, or there is time."""
        return self._taught or self.left > MARGIN * self._times * self._teacher

    def allows(self, path: Path) -> bool:
        """Return whether a path may be run: the first that is taught needs the teacher in each fold, and at the end."""
        if self._taught or not path.hops:
            return self.left > 0
        rows = sum(len(fold.train) for fold in self._problem.folds) / len(self._problem.searched.train)
        return self.left > self._teacher * (rows + MARGIN * self._times)

    @property
    def left(self) -> float:
        """Seconds until the trials have to end."""
        more = self.for_all_rows
        return self._at - time.monotonic() - self.last_step - (more if more <= self._most else 0.0)

    @property
    def last_step(self) -> float:
        """Seconds that the last step takes: the teacher, of each group that is judged the longest path, the refit."""
        teacher = self._times * self._teacher if self._taught else 0.0
        return AT_LEAST + MARGIN * (teacher + self._judging + self._longest)

    @property
    def for_all_rows(self) -> float:
        """Seconds that the last step takes longer if the longest path is fitted on all rows, not on those searched."""
        times = len(self._problem.whole.train) / len(self._problem.searched.train)
        if times == 1:
            return 0.0
        teacher = self._of_teacher if self._taught else 0.0
        judging = self._judging if self._fresh else 0.0
        return MARGIN * (times * teacher + (times - 1) * (judging + self._longest))

    def has_time_for(self, fold: Fold, record: TrialRecord) -> bool:
        """Return whether a path can be fitted on the training rows of a fold, beside the verdict."""
        times = len(fold.train) / len(self._problem.searched.train) if self._fresh else 1.0
        needed = self._upper(record, fold) + self._student(record, fold) + times * self._judging
        return self._at - time.monotonic() >= AT_LEAST + MARGIN * needed

    @property
    def _longest(self) -> float:
        """Seconds of the longest path below the teacher, on the rows searched."""
        return max(self._below.values(), default=0.0)

    @property
    def _judging(self) -> float:
        """Seconds of the fits of the verdict below the teacher, on the rows searched."""
        return sum(self._below.values()) if self._judged else 0.0

    def _upper(self, record: TrialRecord, fold: Fold) -> float:
        return record.upper_seconds / max(len(record.fit_times), 1) * self._share(fold)

    def _student(self, record: TrialRecord, fold: Fold) -> float:
        path, n_rows = record.path, len(fold.train)
        if path.hops and path.hops[-1].compression is not None:
            n_rows *= 1 + path.hops[-1].compression.most
        n_trees = 1 if path.fit is None else path.fit.n_trees(n_rows)
        return n_trees * float(np.mean(record.fit_times)) * self._share(fold)

    def _share(self, fold: Fold) -> float:
        """Return how many times as many rows the fold trains on as those of the trials do."""
        return len(fold.train) / float(np.mean([len(outer.train) for outer in self._problem.folds]))
