"""The assessment of the trials of one search, from stored predictions: what the sampler is told, and what is chosen.

An adaptive sampler climbs the noise of the rows that it is told about, so those rows cannot judge: it is told scores on
one fixed half of the held-out rows (by key, by group where given), and the verdict resamples the other half.
With random search all rows judge. The choice always uses all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from multihop_search.engine.early_stopping import Gap, paired_gap
from multihop_search.engine.record import TrialRecord
from multihop_search.keys import rng_of
from multihop_search.problem.problem import Problem, guesses_on, undefined_folds
from multihop_search.problem.responses import predicted_codes
from multihop_search.problem.row_scores import RowScoring, default_row_scoring
from multihop_search.problem.scorers import ModelScoring
from multihop_search.problem.scoring import left_out, unweighted
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.choice import TOLERANCE, choose
from multihop_search.verdict.out_of_fold import (
    Evidence,
    FoldEvidence,
    HeldOut,
    choice_evidence,
    evidence_for,
    paired_error,
)


@dataclass(frozen=True)
class Assessment:
    """Turns the told trials of a search into scores and a choice."""

    problem: Problem
    adaptive: bool
    """Whether the sampler learns from the scores that it is told."""
    optimistic: bool = False
    """Whether a model is used as it is, so that it may have seen the rows that judge."""
    leaks: tuple[str, ...] = ()
    """How the rows that judge may have been learned from, in words."""
    tolerance: float = TOLERANCE
    """Standard errors within which the simpler path is chosen."""
    believes: bool = True
    """Whether what the teacher says of held-out rows may help to choose: plain students alone need no teacher."""

    @cached_property
    def held_out(self) -> HeldOut:
        """All held-out rows, fold after fold."""
        problem = self.problem
        row = np.concatenate([fold.test for fold in problem.folds])
        fold = np.repeat([fold.number for fold in problem.folds], [len(fold.test) for fold in problem.folds])
        together = row if problem.groups is None else problem.groups[row]
        unit = np.unique(together, return_inverse=True)[1]
        guesses = np.concatenate([guesses_on(problem, fold.train, len(fold.test)) for fold in problem.folds])
        return HeldOut(problem.y[row], fold, row, unit, problem.weights(row), guesses=guesses)

    @cached_property
    def told_units(self) -> np.ndarray:
        """Which units the sampler is told about, (n_units,) of 0 and 1."""
        n_units = self.held_out.n_units
        if not self.adaptive:
            return np.ones(n_units)
        return (rng_of(self.problem.random_state, "halves").permutation(n_units) < n_units / 2).astype(float)

    def told_means(self, record: TrialRecord, predictions: np.ndarray) -> list[float]:
        """Return the running means of the scores that the sampler is told, after each fold of a trial.

        `predictions` are those on the record's folds, (n_entries, n_outputs).
        """
        folds = range(1, len(record.fold_scores) + 1)
        if not self.adaptive or isinstance(self.problem.scoring, ModelScoring):
            return [self.score(replace(record, fold_scores=record.fold_scores[:done])) for done in folds]
        return [self._told_score(predictions, done) for done in folds]

    def _told_score(self, predictions: np.ndarray, n_folds: int) -> float:
        entries = self._entries(self.told_units == 1)
        entries = entries[self.held_out.fold[entries] < n_folds]
        if len(entries) == 0:
            return float("nan")
        evidence = evidence_for([predictions[entries]], self.held_out.take(entries), self.problem.scoring)
        return float(evidence.means(np.ones((1, evidence.n_units)))[0, 0])

    def gap(self, predictions: np.ndarray, baseline: np.ndarray) -> Gap:
        """Compare predictions on the first folds, (n_entries, n_outputs), with a baseline's on all folds.

        Row by row: by the score where it is a mean over rows, by the default one where it is not.
        """
        scoring, held_out, seen = self.problem.scoring, self.held_out, len(predictions)
        if not isinstance(scoring, RowScoring):
            scoring = default_row_scoring(self.problem.classes)
        entries = np.flatnonzero(self.told_units[held_out.unit[:seen]])  # the other half judges, so it must not choose
        if len(entries) == 0:
            return Gap(0.0, 0.0)
        y, weight = held_out.y[entries], held_out.sample_weight
        return paired_gap(
            scoring.rows(y, predictions[entries]),
            scoring.rows(y, baseline[entries]),
            held_out.unit[entries],
            None if weight is None else weight[entries],
        )

    @cached_property
    def fold_weights(self) -> list[float]:
        """How much each fold counts in the running means that are told."""
        n_folds = len(self.problem.folds)
        if not isinstance(self.problem.scoring, RowScoring):
            return [1.0] * n_folds
        weight = np.ones(len(self.held_out.y)) if self.held_out.sample_weight is None else self.held_out.sample_weight
        counted = weight * self.told_units[self.held_out.unit]
        return [float(total) for total in np.bincount(self.held_out.fold, weights=counted, minlength=n_folds)]

    def score(self, record: TrialRecord) -> float:
        """Return the score of a trial on the held-out rows of its folds: over rows, or over folds, as the score is."""
        weights = None
        if isinstance(self.problem.scoring, RowScoring):
            weight = self.held_out.sample_weight
            weights = np.bincount(self.held_out.fold, weights=weight, minlength=len(self.problem.folds))
            weights = weights[: len(record.fold_scores)]
        scores = np.asarray(record.fold_scores)
        finite = np.isfinite(scores)  # a fold may lack a class that the score needs
        if not finite.any():
            return float("nan")
        return float(np.average(scores[finite], weights=None if weights is None else weights[finite]))

    def standard_error(self, record: TrialRecord, predictions: np.ndarray) -> float:
        """Return the standard error of `score`."""
        scoring, held_out = self.problem.scoring, self.held_out
        if not isinstance(scoring, RowScoring):
            scores = np.asarray(record.fold_scores)
            return float(paired_error(scores[np.isfinite(scores)]))
        rows = scoring.rows(held_out.y, predictions)
        weight = np.ones(len(rows)) if held_out.sample_weight is None else held_out.sample_weight
        spread = np.bincount(held_out.unit, weights=weight * (rows - np.average(rows, weights=weight)))
        return float(np.sqrt((spread**2).sum()) / weight.sum())

    def choose(
        self,
        records: Sequence[TrialRecord],
        predictions: Sequence[np.ndarray],
        teacher: TeacherOutputs | None = None,
        among: np.ndarray | None = None,
    ) -> int:
        """Return the position of the chosen one among complete trials.

        `teacher` holds the cross-fitted outputs of the teacher on all rows; its probabilities help to choose. `among`
        holds positions, ascending, of those to choose among; None: all.
        """
        hops = np.array([record.hops for record in records])
        evidence = self._evidence(records, predictions, teacher)
        trials = np.arange(len(records)) if among is None else among
        return int(choose(evidence, hops, np.ones((1, evidence.n_units)), trials, self.tolerance)[0])

    @property
    def judging(self) -> np.ndarray:
        """The held-out entries that judge: those that the sampler is not told about, if it learns."""
        return self._entries(self.told_units == 0) if self.adaptive else np.arange(len(self.held_out.y))

    def unseen(self, teacher: TeacherOutputs | None, rows: np.ndarray) -> np.ndarray | None:
        """Return the teacher's table of rows that it was not fitted on; None without cross-fitting: it saw them."""
        return teacher.table[rows] if teacher is not None and self.problem.whole.inner else None

    @cached_property
    def score_notes(self) -> tuple[str, ...]:
        """What the score leaves out: weights, or folds."""
        problem, notes = self.problem, []
        if problem.sample_weight is not None and not problem.scoring.takes_weights:
            notes.append(unweighted(problem.scoring))
        undefined = undefined_folds(problem)
        if undefined:
            notes.append(left_out(problem.scoring, undefined, len(problem.folds)))
        return tuple(notes)

    def notes_on(self, records: Sequence[TrialRecord]) -> tuple[str, ...]:
        """Return what else is to be said of a verdict on these trials."""
        notes = list(self.score_notes)
        several = [record for record in records if record.hops >= 2]
        if several and max(several, key=self.score).path.only_truncated:
            notes.append("several hops here means only a truncated teacher")
        return tuple(notes)

    def _evidence(
        self, records: Sequence[TrialRecord], predictions: Sequence[np.ndarray], teacher: TeacherOutputs | None
    ) -> Evidence:
        if isinstance(self.problem.scoring, ModelScoring):
            return FoldEvidence(np.array([record.fold_scores for record in records]))
        return choice_evidence(predictions, self.believing(teacher), self.problem.scoring)

    def believing(self, teacher: TeacherOutputs | None) -> HeldOut:
        """Return the held-out rows with what the teacher believes of them, where it cannot have seen them."""
        honest = self.problem.classes is not None and bool(self.problem.whole.inner) and not self.optimistic
        if teacher is None or not honest or not self.believes:
            return self.held_out
        return replace(self.held_out, believed=teacher.calibrated[self.held_out.row])

    def _entries(self, units: np.ndarray) -> np.ndarray:
        return np.flatnonzero(units[self.held_out.unit])


def fidelity(predictions: np.ndarray, teacher: np.ndarray, n_outputs: int) -> float:
    """Return how close a student is to its teacher.

    The share of rows on which both predict the same class; in regression the share of the teacher's variance that the
    student explains. Both are tables as `problem.responses` describes them.
    """
    if n_outputs == 1:
        spread = float(teacher.var())
        return 1.0 - float(((predictions - teacher) ** 2).mean()) / spread if spread > 0 else float("nan")
    return float((predicted_codes(predictions, n_outputs) == predicted_codes(teacher, n_outputs)).mean())
