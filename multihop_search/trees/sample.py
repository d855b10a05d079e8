"""The rows that a tree is grown on: features as places among candidate thresholds, targets, weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

N_THRESHOLDS = 31
"""Most candidate thresholds of a feature: with more the trees were no better on fresh rows, and grew slower."""
MOST_ROWS = 4000
"""Structures are grown on at most this many rows; leaves are valued on all."""


@dataclass(frozen=True)
class Sample:
    """Rows of a transfer set as a grower sees them."""

    thresholds: tuple[np.ndarray, ...]
    """Candidate thresholds of each feature, ascending; a row goes left where its float32 value is at most one."""
    codes: np.ndarray
    """Number of thresholds that lie below each value, (n_rows, n_features), uint8: left of threshold b where <= b."""
    totals: np.ndarray
    """Weighted targets, then the weight, (n_rows, n_outputs + 1)."""
    targets: np.ndarray
    """(n_rows, n_outputs), float64."""
    counted: np.ndarray
    """Which rows are real, (n_rows,) of bool: leaf sizes count these."""

    @property
    def n_rows(self) -> int:
        return len(self.codes)

    @property
    def weights(self) -> np.ndarray:
        return self.totals[:, -1]

    @cached_property
    def width(self) -> int:
        """Places of a feature in a histogram: one more than the thresholds of any."""
        return max(map(len, self.thresholds), default=0) + 1

    @cached_property
    def flat(self) -> np.ndarray:
        """Place of each value in a histogram over all features, (n_rows, n_features), intp."""
        return self.codes.astype(np.intp) + np.arange(self.codes.shape[1]) * self.width

    @cached_property
    def exists(self) -> np.ndarray:
        """Which (feature, threshold) pairs exist, (n_features, width)."""
        return np.arange(self.width) < np.array([len(cuts) for cuts in self.thresholds])[:, None]

    def below(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the sum of `values`, (n_rows,), over the rows at most each threshold, (n_features, width).

        The last place holds all rows.
        """
        n_features, width = self.exists.shape
        spread = np.repeat(values, n_features)
        sums = np.bincount(self.flat[rows].ravel(), weights=spread, minlength=n_features * width)
        return np.asarray(sums.reshape(n_features, width).cumsum(axis=1))

    def totals_below(self, rows: np.ndarray) -> np.ndarray:
        """Return the same of the totals, (n_features, width, n_outputs + 1)."""
        whole = self.targets.shape[1] > 1  # then the weight is the sum of the others: targets are distributions
        columns = [self.below(rows, column) for column in self.totals[rows, : -1 if whole else None].T]
        return np.stack([*columns, sum(columns)] if whole else columns, axis=-1)

    def counted_below(self, rows: np.ndarray) -> np.ndarray:
        """Return how many real rows lie at most at each threshold, (n_features, width)."""
        n_features, width = self.exists.shape
        real = self.flat[rows[self.counted[rows]]]
        counts = np.bincount(real.ravel(), minlength=n_features * width)
        return np.asarray(counts.reshape(n_features, width).cumsum(axis=1))


def make_sample(
    X: np.ndarray, targets: np.ndarray, weights: np.ndarray, n_real: int, rng: np.random.Generator, start: int = 0
) -> Sample:
    """Return the sample of a transfer set, real rows first; at most `MOST_ROWS`, real ones before synthetic ones.

    The first start takes the first synthetic rows, each later one draws them.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32
        Without missing values.
    targets : ndarray of shape (n_rows, n_outputs)
        Class distributions, or values.
    weights : ndarray of shape (n_rows,)
        Of the rows.
    n_real : int
        Real rows, which stand first.
    rng : Generator
        Draws the rows where there are too many, and those of later starts.
    start : int, default=0
        Number of the start.
    """
    rows = _drawn(len(X), n_real, rng, start)
    weights = weights.astype(np.float64)
    drawn, real = weights[rows], rows < n_real
    for part, whole in ((real, weights[:n_real].sum()), (~real, weights[n_real:].sum())):
        if drawn[part].sum() > 0:  # the shares of real and synthetic rows stay
            drawn[part] *= whole / drawn[part].sum()
    X, targets = X[rows], targets[rows].astype(np.float64)
    thresholds = tuple(candidate_thresholds(column, drawn) for column in X.T)
    codes = np.empty(X.shape, dtype=np.uint8)
    for place, cuts in enumerate(thresholds):
        codes[:, place] = np.searchsorted(cuts, X[:, place])
    totals = np.column_stack([drawn[:, None] * targets, drawn])
    return Sample(thresholds, codes, totals, targets, real)


def _drawn(n_rows: int, n_real: int, rng: np.random.Generator, start: int) -> np.ndarray:
    real, synthetic = np.arange(n_real), np.arange(n_real, n_rows)
    most_real = MOST_ROWS if n_rows == n_real else max(MOST_ROWS // 2, MOST_ROWS - len(synthetic))
    if n_real > most_real:
        real = np.sort(rng.permutation(n_real)[:most_real])
    room = MOST_ROWS - len(real)
    if start and len(synthetic) > room:
        synthetic = np.sort(rng.permutation(synthetic)[:room])
    return np.concatenate([real, synthetic[:room]])


def candidate_thresholds(column: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return at most `N_THRESHOLDS` thresholds between neighbouring values, at even steps of weight, ascending.

    Examples
    --------
    >>> candidate_thresholds(np.array([1, 2, 2, 8], dtype=np.float32), np.ones(4))
    array([1.5, 5. ])
    """
    order = np.argsort(column, kind="stable")
    values, reached = column[order].astype(np.float64), np.cumsum(weights[order])
    gaps = np.flatnonzero(values[1:] > values[:-1])
    if len(gaps) > N_THRESHOLDS:
        wanted = np.linspace(0, reached[-1], N_THRESHOLDS + 2)[1:-1]
        gaps = gaps[np.unique(np.searchsorted(reached[gaps], wanted).clip(max=len(gaps) - 1))]
    low, high = values[gaps], values[gaps + 1]
    middle = (low + high) / 2
    return np.where(middle < high, middle, low)
