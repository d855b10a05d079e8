"""Out-of-fold predictions of a fitted search: what it chose by, for those who study the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from multihop_search.engine.record import TrialRecord
from multihop_search.errors import InvalidSetting
from multihop_search.paths.groups import Group
from multihop_search.paths.path import Path
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.resampling import Resampling
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import Verdict


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """Predictions on the held-out rows of a search, an entry for each held-out row of each fold, fold after fold.

    Of each path its first complete trial within the budget is there, as far as predictions were kept: those of the 200
    best paths of each group.

    Attributes
    ----------
    rows, folds, units : ndarray of shape (n_entries,)
        Number of the row, number of the fold, and what is resampled together: the row, or its group.
    y : ndarray of shape (n_entries,)
        Class codes, or values.
    teacher : ndarray of shape (n_entries, n_outputs)
        What the teacher says of the rows, cross-fitted; NaN where there was no time for a teacher.
    records : dict of int to TrialRecord
        The trials, by number.
    """

    _assessment: Assessment
    _trials: Trials
    _teacher: TeacherOutputs | None

    @property
    def rows(self) -> np.ndarray:
        return self._assessment.held_out.row

    @property
    def folds(self) -> np.ndarray:
        return self._assessment.held_out.fold

    @property
    def units(self) -> np.ndarray:
        return self._assessment.held_out.unit

    @property
    def y(self) -> np.ndarray:
        return self._assessment.held_out.y

    @property
    def teacher(self) -> np.ndarray:
        if self._teacher is None:
            return np.full((len(self.rows), self._assessment.problem.n_outputs), np.nan)
        return np.asarray(self._teacher.predictions[self.rows], dtype=float)

    @property
    def records(self) -> dict[int, TrialRecord]:
        return {number: record for number, (record, _) in self._kept.items()}

    @cached_property
    def _kept(self) -> dict[int, tuple[TrialRecord, np.ndarray]]:
        first: dict[Path, tuple[TrialRecord, np.ndarray]] = {}
        for record, predictions in self._trials.kept():
            if record.inside:
                first.setdefault(record.path, (record, predictions))
        return {record.number: (record, predictions) for record, predictions in first.values()}

    def predictions(self, number: int) -> np.ndarray:
        """Return the predictions of a trial, (n_entries, n_outputs) or more: see `problem.responses`."""
        return self._of([number])[0][1]

    def groups(self, numbers: Sequence[int]) -> dict[Group, list[int]]:
        """Return the numbers of the trials of each group that a verdict compares, in the order given.

        The group of the own fit is the plain trials whose student is fitted by its own class.

        Raises
        ------
        InvalidSetting
            If a number is none of `records`, or none is given.
        """
        records, predictions = zip(*self._of(numbers), strict=True)
        places = Case(records, predictions, 0, fits=True).groups
        return {group: [numbers[place] for place in positions] for group, positions in places.items()}

    def choose(self, numbers: Sequence[int], tolerance: float | None = None) -> int:
        """Return the number of the trial that the search would choose if there were only these.

        Parameters
        ----------
        numbers : sequence of int
            Of the trials.
        tolerance : float or None, default=None
            Standard errors within which the simpler path is taken, at least 0; None is that of the search.

        Raises
        ------
        InvalidSetting
            If a number is none of `records`, none is given, or the tolerance is below 0.
        """
        if tolerance is not None and not tolerance >= 0:
            raise InvalidSetting(f"tolerance must be a number of at least 0, got {tolerance!r}: pass 0 for the best.")
        records, predictions = zip(*self._of(numbers), strict=True)
        assessment = self._assessment if tolerance is None else replace(self._assessment, tolerance=tolerance)
        return numbers[assessment.choose(records, predictions, self._teacher)]

    def verdict(self, numbers: Sequence[int], chosen: int, *, fits: bool = False) -> Verdict:
        """Return the verdict by resampling, as if one student had only these trials.

        Parameters
        ----------
        numbers : sequence of int
            Of the trials.
        chosen : int
            The number of the chosen one.
        fits : bool, default=False
            Whether ways of fitting the student were searched, so that its own fit is a rival.

        Raises
        ------
        InvalidSetting
            If a number is none of `records`, or none is given.
        """
        records, predictions = zip(*self._of(numbers), strict=True)
        case = Case(records, predictions, list(numbers).index(chosen), fits=fits)
        return Resampling(self._assessment, self._teacher).verdict(case)

    def _of(self, numbers: Sequence[int]) -> list[tuple[TrialRecord, np.ndarray]]:
        absent = [number for number in numbers if number not in self._kept]
        if absent or not len(numbers):
            raise InvalidSetting(
                f"numbers must be some of the trials in records, got {absent[0] if absent else 'none'!r}: pass for "
                "instance list(out_of_fold_.records)."
            )
        return [self._kept[number] for number in numbers]
