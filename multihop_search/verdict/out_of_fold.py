"""Held-out rows and what was predicted on them; and the evidence that a choice is made of.

*Evidence* answers two questions for any resampling of the held-out rows: the score of each trial, and the standard
error of its paired difference to the best. Rows are resampled as *units*: a row with all its repetitions, or a group.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Protocol

import numpy as np

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.problem.row_scores import RowScoring
from multihop_search.problem.scoring import Scoring

BELIEVED = 0.25
"""Share of the teacher's held-out probabilities in what the choice ranks by (docs/decisions/0013)."""
FEW_ROWS = 3
"""Rows of a fold up to which a score that has been replayed is remembered by what it read."""
AT_ONCE = 100
"""Trials whose errors are computed at a time, for the sake of memory."""


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows of a search, one entry for each (fold, row)."""

    y: np.ndarray
    """Class codes, (n_entries,)."""
    fold: np.ndarray
    """Fold of each entry, (n_entries,)."""
    row: np.ndarray
    """Row number of each entry, (n_entries,)."""
    unit: np.ndarray
    """What is resampled together, 0 to n_units - 1, (n_entries,)."""
    sample_weight: np.ndarray | None = None
    believed: np.ndarray | None = None
    """What the teacher, cross-fitted and calibrated, believes of the class of each entry, (n_entries, n_classes); None
    where nothing honest is known of it."""
    guesses: np.ndarray | None = None
    """What a model without skill says of each entry, (n_entries, n_outputs); None: not known."""

    @property
    def n_units(self) -> int:
        return int(self.unit.max()) + 1

    @property
    def n_rows(self) -> int:
        """Number of distinct rows."""
        return len(np.unique(self.row))

    def take(self, entries: np.ndarray) -> HeldOut:
        """Return some of the entries, their units numbered anew."""
        weight = None if self.sample_weight is None else self.sample_weight[entries]
        unit = np.unique(self.unit[entries], return_inverse=True)[1]
        believed = None if self.believed is None else self.believed[entries]
        guesses = None if self.guesses is None else self.guesses[entries]
        return HeldOut(self.y[entries], self.fold[entries], self.row[entries], unit, weight, believed, guesses)


class Evidence(Protocol):
    """What a choice needs to know, under resampling; trials are positions in the table of predictions."""

    n_trials: int
    n_units: int

    def means(self, draws: np.ndarray) -> np.ndarray:
        """Return scores (n_draws, n_trials); `draws` (n_draws, n_units) says how often each unit counts."""

    def errors(self, draws: np.ndarray, best: np.ndarray, trials: np.ndarray) -> np.ndarray:
        """Return standard errors (n_draws, len(trials)) of the paired differences to trial `best` (n_draws,)."""

    def scores_of(self, draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return the score (n_draws,) of one trial for each draw; NaN where a draw is empty."""


class RowScores(Sequence[np.ndarray]):
    """Row scores of trials, (n_entries,) each, made when they are asked for: predictions are many."""

    def __init__(self, predictions: Sequence[np.ndarray], score: Callable[[np.ndarray], np.ndarray]) -> None:
        self._predictions, self._score = predictions, score

    def __len__(self) -> int:
        return len(self._predictions)

    def __getitem__(self, trial: Any) -> Any:
        return self._score(self._predictions[trial])


class RowEvidence:
    """Evidence of a score that is a weighted mean over rows: a few matrix products for all draws at once.

    With S_tu the weighted sum of the row scores of trial t in unit u, and W_u the weight of the unit, the score under
    draws c is sum(c S) / sum(c W); the standard error of a paired difference with unit sums D_u and mean d is
    sqrt(sum(c (D_u - d W_u)^2)) / sum(c W), which for units of one row and equal weights is sd / sqrt(n).
    """

    def __init__(self, row_scores: Sequence[np.ndarray] | np.ndarray, held_out: HeldOut) -> None:
        weight = np.ones(len(held_out.y)) if held_out.sample_weight is None else held_out.sample_weight
        self.n_trials, self.n_units = len(row_scores), held_out.n_units
        self._weights = np.bincount(held_out.unit, weights=weight, minlength=self.n_units)
        order = np.argsort(held_out.unit, kind="stable")
        starts = np.searchsorted(held_out.unit[order], np.arange(self.n_units))

        def sums_of(trial: int) -> np.ndarray:
            return np.asarray(np.add.reduceat((row_scores[trial] * weight)[order], starts))

        self._sums_of = cache(sums_of)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    @cached_property
    def _sums(self) -> np.ndarray:
        """Of all trials, (n_trials, n_units): the largest thing that a verdict makes, so one trial after the other."""
        sums = np.empty((self.n_trials, self.n_units))
        for trial in range(self.n_trials):
            sums[trial] = self._sums_of.__wrapped__(trial)
        return sums

    def means(self, draws: np.ndarray) -> np.ndarray:
        if self._last is None or self._last[0] is not draws:
            self._last = (draws, (draws @ self._sums.T) / (draws @ self._weights)[:, None])
        return self._last[1]

    def errors(self, draws: np.ndarray, best: np.ndarray, trials: np.ndarray) -> np.ndarray:
        errors = np.empty((len(draws), len(trials)))
        for leader in np.unique(best):
            mine = np.flatnonzero(best == leader)
            counts = draws[mine]
            total = counts @ self._weights
            spread = (counts @ self._weights**2)[:, None]
            for start in range(0, len(trials), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                gaps = self._sums[leader] - self._sums[trials[some]]
                mean = (counts @ gaps.T) / total[:, None]
                squares = counts @ (gaps**2).T - 2 * mean * (counts @ (gaps * self._weights).T) + mean**2 * spread
                errors[mine, some] = np.sqrt(np.maximum(squares, 0.0)) / total[:, None]
        return errors

    def scores_of(self, draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        trials, place = np.unique(chosen, return_inverse=True)  # few: nothing is known of the others
        sums = np.einsum("bu,bu->b", draws, np.stack([self._sums_of(int(trial)) for trial in trials])[place])
        total = draws @ self._weights
        return np.asarray(np.divide(sums, total, out=np.full(len(draws), np.nan), where=total > 0))


class ReplayedEvidence:
    """Evidence of any other score: the scorer is replayed, fold by fold, on stored predictions of the rows drawn.

    The score is the mean over folds and its standard error is that of the paired fold differences.
    """

    def __init__(self, predictions: Sequence[np.ndarray], held_out: HeldOut, scoring: Scoring) -> None:
        self.n_trials, self.n_units = len(predictions), held_out.n_units
        self._predictions, self._held_out, self._scoring = predictions, held_out, scoring
        self._folds = [np.flatnonzero(held_out.fold == fold) for fold in np.unique(held_out.fold)]
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._outside: tuple[np.ndarray, dict[tuple[int, int], float]] | None = None
        self._small: dict[tuple[bytes, ...], float] = {}

    def means(self, draws: np.ndarray) -> np.ndarray:
        return _mean_over_folds(self._fold_scores(draws))

    def errors(self, draws: np.ndarray, best: np.ndarray, trials: np.ndarray) -> np.ndarray:
        errors = np.empty((len(draws), len(trials)))
        for place, (scores, leader) in enumerate(zip(self._fold_scores(draws), best, strict=True)):
            gaps = scores[leader] - scores[trials]
            errors[place] = paired_error(gaps[:, np.isfinite(gaps).all(axis=0)])
        return errors

    def scores_of(self, draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        if self._outside is None or self._outside[0] is not draws:
            self._outside = (draws, {})
        scores = self._outside[1]  # the groups of a verdict often pick the same trial
        for place, trial in enumerate(chosen):
            if (place, trial) not in scores:
                scores[place, trial] = float(_mean_over_folds(self._replay(draws[place], int(trial))))
        return np.array([scores[place, trial] for place, trial in enumerate(chosen)])

    def _fold_scores(self, draws: np.ndarray) -> np.ndarray:
        """Return scores (n_draws, n_trials, n_folds); those of the latest draws are kept."""
        if self._last is None or self._last[0] is not draws:
            scores = [[self._replay(draw, trial) for trial in range(self.n_trials)] for draw in draws]
            self._last = (draws, np.asarray(scores))
        return self._last[1]

    def _replay(self, draw: np.ndarray, trial: int) -> np.ndarray:
        rows = self._held_out
        scores = np.full(len(self._folds), np.nan)
        for place, entries in enumerate(self._folds):
            drawn = np.repeat(entries, draw[rows.unit[entries]].astype(int))
            weight = None if rows.sample_weight is None else rows.sample_weight[drawn]
            if not len(drawn) or (weight is not None and not weight.sum() > 0):  # no row of the fold counts
                continue
            small = len(entries) <= FEW_ROWS
            scores[place] = (self._remembered if small else self._score)(
                rows.y[drawn], self._predictions[trial][drawn], weight
            )
        return scores

    def _remembered(self, y: np.ndarray, table: np.ndarray, weight: np.ndarray | None) -> float:
        """Score rows of a small fold: with one row in each, most of what is drawn has been scored before."""
        read = self._scoring.read(table)
        key = (y.tobytes(), read.tobytes(), b"" if weight is None else weight.tobytes())
        if key not in self._small:
            self._small[key] = self._score(y, table, weight)
        return self._small[key]

    def _score(self, y: np.ndarray, table: np.ndarray, weight: np.ndarray | None) -> float:
        with warnings.catch_warnings(), contextlib.suppress(ValueError):  # a draw may lack a class: NaN
            warnings.simplefilter("ignore")
            return self._scoring.score(y, table, weight)
        return float("nan")


class ModelEvidence:
    """Evidence of a score that reads the model itself, of fitted models on rows that they were not fitted on.

    `models` holds each with the rows as it takes them.
    """

    def __init__(self, models: Sequence[tuple[Any, Any]], held_out: HeldOut, scoring: Scoring) -> None:
        self.n_trials, self.n_units = len(models), held_out.n_units
        self._models, self._held_out, self._scoring = models, held_out, scoring

    def means(self, draws: np.ndarray) -> np.ndarray:
        means = np.full((len(draws), len(self._models)), np.nan)
        for place, draw in enumerate(draws):
            drawn = np.repeat(np.arange(len(self._held_out.y)), draw[self._held_out.unit].astype(int))
            weight = None if self._held_out.sample_weight is None else self._held_out.sample_weight[drawn]
            for trial, (model, X) in enumerate(self._models):
                with contextlib.suppress(ValueError):  # a draw may lack a class: NaN
                    rows, y = safe_indexing(X, drawn), self._held_out.y[drawn]
                    means[place, trial] = self._scoring.score_model(model, rows, y, np.empty(0), weight)
        return means


class FoldEvidence:
    """Evidence of a score that was only taken per fold, from the model itself: it can be chosen by, never resampled."""

    def __init__(self, fold_scores: np.ndarray) -> None:
        self.n_trials, self.n_units = len(fold_scores), 1
        self._fold_scores = fold_scores

    def means(self, draws: np.ndarray) -> np.ndarray:
        return np.repeat(self._fold_scores.mean(axis=1)[None, :], len(draws), axis=0)

    def errors(self, draws: np.ndarray, best: np.ndarray, trials: np.ndarray) -> np.ndarray:
        return paired_error(self._fold_scores[best][:, None, :] - self._fold_scores[trials][None, :, :])

    def scores_of(self, draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.full(len(draws), np.nan)


def paired_error(gaps: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of paired fold differences (..., n_folds)."""
    n_folds = gaps.shape[-1]
    if n_folds < 2:
        return np.zeros(gaps.shape[:-1])
    return np.asarray(gaps.std(axis=-1, ddof=1) / np.sqrt(n_folds))


def _mean_over_folds(scores: np.ndarray) -> np.ndarray:
    finite = np.isfinite(scores)
    total = np.where(finite, scores, 0.0).sum(axis=-1)
    count = finite.sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0))


def choice_evidence(
    predictions: Sequence[np.ndarray], held_out: HeldOut, scoring: Scoring
) -> RowEvidence | ReplayedEvidence:
    """Return the evidence that the choice ranks by: the score under the labels blended with that under beliefs.

    A label says one class where the teacher's held-out probabilities say how likely each was, so they carry less noise;
    they are wrong where the teacher is, so labels keep their share. Where a score is no mean over rows, or nothing is
    believed, the labels decide alone.
    """
    if held_out.believed is None or not isinstance(scoring, RowScoring):
        return evidence_for(predictions, held_out, scoring)
    y, believed = held_out.y, held_out.believed

    def blended(proba: np.ndarray) -> np.ndarray:
        return (1.0 - BELIEVED) * scoring.rows(y, proba) + BELIEVED * scoring.expected_rows(believed, proba)

    return RowEvidence(RowScores(predictions, blended), held_out)


def evidence_for(
    predictions: Sequence[np.ndarray], held_out: HeldOut, scoring: Scoring
) -> RowEvidence | ReplayedEvidence:
    """Return the evidence that out-of-fold predictions, (n_entries, n_classes) each, give under `scoring`."""
    if isinstance(scoring, RowScoring):
        return RowEvidence(RowScores(predictions, partial(scoring.rows, held_out.y)), held_out)
    return ReplayedEvidence(predictions, held_out, scoring)
