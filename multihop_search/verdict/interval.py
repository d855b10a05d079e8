"""The interval of a gain: rows are drawn again, and the middle 95 % of the gains under these draws bound it.

Where it comes from, in order: `draws_of` says how often each row counts in each draw; a verdict's method scores what is
picked of two groups under every draw (`resampling`, `outside`); `interval` takes the percentiles of the differences, as
many times as wide as `widening` says; `word` says what the interval proves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from multihop_search.keys import rng_of
from multihop_search.problem.row_scores import RowScoring
from multihop_search.problem.scoring import Scoring

N_DRAWS = 1000
"""Draws for a score that is a mean over rows."""
N_DRAWS_REPLAYED = 100
"""Draws for a score that has to be replayed."""
FEWEST_UNITS = 10
"""With fewer groups (or rows) to draw from an interval means nothing: every comparison is inconclusive. Measured under
a null: with 3 groups "loses" is said in 8 % of cases, with 5 in 3 %."""
CHUNK_BYTES = 4 << 20
"""Of one of the some five arrays that a chunk of draws takes."""
PERCENTILES = (2.5, 97.5)
BEATS, LOSES, EQUIVALENT, INCONCLUSIVE = "beats", "loses", "equivalent", "inconclusive"


class Interval(NamedTuple):
    """A gain with the bounds of its 95 % interval; NaN where there is none."""

    gain: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        return bool(np.isfinite(self.gain))


NO_GAIN, UNKNOWN = Interval(0.0, 0.0, 0.0), Interval(math.nan, math.nan, math.nan)


def n_draws(scoring: Scoring) -> int:
    """Return how often rows are drawn again."""
    return N_DRAWS if isinstance(scoring, RowScoring) else N_DRAWS_REPLAYED


def draws_of(n_units: int, count: int, random_state: int) -> Iterator[np.ndarray]:
    """Yield how often each unit is drawn, (n_in_chunk, n_units), in all `count` times."""
    rng = rng_of(random_state, "bbc")
    size = max(1, min(count, CHUNK_BYTES // (8 * n_units)))
    for start in range(0, count, size):
        many = min(size, count - start)
        places = rng.integers(n_units, size=(many, n_units))
        places += np.arange(many)[:, None] * n_units
        yield np.bincount(places.ravel(), minlength=many * n_units).reshape(many, n_units).astype(float)


def interval(gains: np.ndarray, gain: float | None = None, width: float = 1.0) -> Interval:
    """Return the interval of the gains under each draw, (n_draws,); NaN where a draw has none.

    `gain` is that on all rows; None: the mean over the draws. The interval is `width` times as wide as the draws.
    """
    gains = gains[np.isfinite(gains)]
    if len(gains) == 0:
        return UNKNOWN
    low, high = np.percentile(gains, PERCENTILES)
    middle = float(gains.mean()) if gain is None else gain
    return Interval(middle, middle + width * (low - middle), middle + width * (high - middle))


def widening(gains: np.ndarray, fold_gains: np.ndarray) -> float:
    """Return by how much an interval from resampled rows is too narrow where each fold has models of its own.

    Rows drawn again say how far the gain of these very models may be off. The student that is handed over is yet
    another fit. With r the standard error from rows and s the standard deviation of the folds' gains over K folds, s^2
    is about K r^2 if fits do not differ, and what it has more, t^2, is what they differ by: the variance of the mean of
    the folds is s^2 / K beside r^2, and that of one further fit t^2.

    Parameters
    ----------
    gains : ndarray of shape (n_draws,)
        Under each draw.
    fold_gains : ndarray of shape (n_folds,)
        On the rows of each fold.
    """
    of_folds = fold_gains[np.isfinite(fold_gains)]
    rows = float(np.nanvar(gains)) if np.isfinite(gains).any() else 0.0
    if len(of_folds) < 2 or rows <= 0:
        return 1.0
    between = float(of_folds.var(ddof=1))
    return math.sqrt(1.0 + (between / len(of_folds) + max(between - len(of_folds) * rows, 0.0)) / rows)


def word(low: float, high: float, region: float) -> str:
    """Return the word for an interval; differences within +-region do not matter.

    Examples
    --------
    >>> word(0.1, 0.3, 0.05), word(-0.3, -0.1, 0.05), word(-0.01, 0.02, 0.05), word(-0.1, 0.2, 0.05)
    ('beats', 'loses', 'equivalent', 'inconclusive')
    """
    if low > 0:
        return BEATS
    if high < 0:
        return LOSES
    return EQUIVALENT if -region <= low and high <= region else INCONCLUSIVE


def advice_on(gain: float, low: float, high: float, region: float, n_rows: int) -> str:
    """Say about how many more rows would settle it: an interval shrinks with the root of the number of rows."""
    reach = gain - low if gain > 0 else high - gain  # from the gain to the end that has to leave zero behind
    widest = max(gain - low, high - gain)
    ratios = [(reach, abs(gain)), (widest, region - abs(gain))]
    needed = min((n_rows * (width / target) ** 2 for width, target in ratios if target > 0), default=math.inf)
    more = needed - n_rows
    if more > 100 * n_rows:
        return "more than 100 times as many rows would be needed to settle it"
    if more < 10:
        return "a few more rows would settle it"
    step = 10 ** max(0, math.floor(math.log10(max(more, 1))) - 1)
    return f"about {max(math.ceil(more / step), 1) * step:,} more rows would settle it"
