"""Statistics over data sets: rows of one data set are no independent evidence, so it is always averaged first.

References
----------
Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006: ranks, Friedman's test in the
form of Iman and Davenport, Nemenyi's critical difference. Holm, Scandinavian Journal of Statistics 6, 1979.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over data sets with its interval."""

    mean: float
    error: float
    """Standard error over data sets; NaN for fewer than two."""
    low: float
    high: float
    """Ends of the 95 % interval by Student's t."""
    n_sets: int

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})" if self.n_sets > 1 else f"{self.mean:+.2f}"


def estimate(values: Any, sets: Any) -> Estimate:
    """Return the mean of values over data sets: each set's mean counts once.

    Parameters
    ----------
    values : array-like of float, (n,)
        NaN is left out.
    sets : array-like of str, (n,)
        Data set of each value.

    Examples
    --------
    >>> found = estimate([1.0, 3.0, 4.0], ["a", "a", "b"])
    >>> found.mean, found.error, found.n_sets
    (3.0, 1.0, 2)
    """
    means = pd.Series(np.asarray(values, dtype=float)).groupby(np.asarray(sets)).mean().dropna().to_numpy()
    nan = float("nan")
    if len(means) == 0:
        return Estimate(nan, nan, nan, nan, 0)
    mean = float(means.mean())
    if len(means) == 1:
        return Estimate(mean, nan, nan, nan, 1)
    error = float(means.std(ddof=1) / np.sqrt(len(means)))
    reach = error * float(stats.t.ppf((1 + LEVEL) / 2, len(means) - 1))
    return Estimate(mean, error, mean - reach, mean + reach, len(means))


def wins_ties_losses(gains: Sequence[float], region: float | Sequence[float]) -> tuple[int, int, int]:
    """Return how often a gain is above the region of equivalence, within it, and below.

    Examples
    --------
    >>> wins_ties_losses([2.0, 0.1, -3.0, 0.9], 1.0)
    (1, 2, 1)
    """
    values = np.asarray(gains, dtype=float)
    wins, losses = int((values > region).sum()), int((values < -np.asarray(region)).sum())
    return wins, int(np.isfinite(values).sum()) - wins - losses, losses


@dataclass(frozen=True)
class Ranks:
    """Average ranks of methods over data sets; 1 is best."""

    ranks: dict[str, float]
    """From the best to the worst."""
    n_sets: int
    p_value: float
    """Of the hypothesis that all methods are equal (Friedman's test, Iman and Davenport's form)."""
    difference: float
    """Nemenyi's critical difference at 5 %: mean ranks that are nearer cannot be told apart."""

    @property
    def cliques(self) -> list[tuple[str, ...]]:
        """The largest sets of neighbours that cannot be told apart, two methods or more."""
        names, values = list(self.ranks), list(self.ranks.values())
        groups: list[tuple[str, ...]] = []
        for start in range(len(names)):
            end = max(place for place in range(len(names)) if values[place] - values[start] <= self.difference)
            if end > start and not (groups and names[end] in groups[-1]):
                groups.append(tuple(names[start : end + 1]))
        return groups


def rank(scores: pd.DataFrame) -> Ranks:
    """Rank methods, the columns, on data sets, the rows; greater is better, ties share their ranks.

    Examples
    --------
    >>> found = rank(pd.DataFrame({"a": [3, 3, 3, 3], "b": [2, 2, 1, 2], "c": [1, 1, 2, 1]}))
    >>> found.ranks, round(found.difference, 3)
    ({'a': 1.0, 'b': 2.25, 'c': 2.75}, 1.657)
    """
    table = scores.dropna()
    n_sets, n_methods = table.shape
    nan = float("nan")
    mean = table.rank(axis=1, ascending=False).mean().sort_values(kind="stable") if n_sets else pd.Series(dtype=float)
    ranks = {str(name): float(value) for name, value in mean.items()}
    if n_sets < 2 or n_methods < 2:
        return Ranks(ranks, n_sets, nan, nan)
    chi = 12 * n_sets / (n_methods * (n_methods + 1)) * float(((mean - (n_methods + 1) / 2) ** 2).sum())
    most = n_sets * (n_methods - 1)
    p_value = 0.0
    if most - chi > 1e-9:
        p_value = float(stats.f.sf((n_sets - 1) * chi / (most - chi), n_methods - 1, (n_methods - 1) * (n_sets - 1)))
    q = float(stats.studentized_range.ppf(LEVEL, n_methods, np.inf)) / np.sqrt(2)
    return Ranks(ranks, n_sets, p_value, float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_sets))))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return Holm's adjusted p-values, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def signed_rank(gains: Sequence[float]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test that gains over data sets have median 0; 1 if all are 0.

    Examples
    --------
    >>> round(signed_rank([1.0, 2.0, 3.0, 4.0, 5.0]), 4)
    0.0625
    """
    values = np.asarray(gains, dtype=float)
    values = values[np.isfinite(values)]
    if not (values != 0).any():
        return 1.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(Exact p-value|Sample size too small)")  # gains of 0
        return float(stats.wilcoxon(values, zero_method="zsplit").pvalue)
