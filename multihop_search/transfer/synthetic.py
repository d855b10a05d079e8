"""Synthetic rows by MUNGE: each is a training row moved towards one of its near neighbours.

`munge` is called with the training rows of one fold, before the upper model labels what it returns; `parent` tells
which training row, and so which inner fold, each synthetic row belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidData

N_NEIGHBOURS = 5
"""A row's partner is drawn among this many nearest neighbours."""
MOST_CANDIDATES = 2000
"""Neighbours are looked for among at most this many rows; below 2**11, see `_nearest`."""
ROWS_AT_ONCE = 64
"""Rows whose distances are held at once: 64 x 2,000 of them stay in the processor's cache."""
TIMES = {"datetime64", "datetime", "date", "time", "timedelta64", "timedelta", "period"}
"""What pandas calls columns of dates and durations."""
NUMBERS = {"integer", "floating", "mixed-integer-float"}


@dataclass(frozen=True)
class SyntheticRows:
    """Rows that nobody measured, and where each came from."""

    X: Any
    """Array or DataFrame of shape (n_synthetic, n_features): columns, order and dtypes of the training rows."""
    parent: np.ndarray
    """Position of the training row that each was made from, (n_synthetic,), intp."""


@dataclass(frozen=True)
class _Column:
    values: Any
    """What has `take` and takes assignments, an array or a pandas array: (n_rows,)."""
    numbers: np.ndarray | None
    """The values as float64, NaN where missing or infinite; None for a category, string or boolean."""
    real: bool
    """Whether new values may lie between the old ones: some number is not whole."""


def munge(
    X: Any,
    n_synthetic: int,
    rng_of_round: Callable[[int], np.random.Generator],
    *,
    swap: float = 0.5,
    spread: float = 1.0,
) -> SyntheticRows:
    """Return rows that lie where the training rows lie.

    Rows come in rounds of one for each training row, in order, so the first m rows are the same for every
    `n_synthetic` >= m. In a round each row draws a partner among its 5 nearest neighbours, and each of its columns
    changes with probability `swap`. A real-valued column changes to a normal number around the partner's value with
    standard deviation ``spread * |own - partner's|``, clipped to the range of the training rows; a whole-number column
    (integers, or floats that are all whole), a category, a string or a boolean to the partner's value. Where own or
    partner's number is missing or infinite, the partner's value is taken as it is.

    Nearness is Euclidean: numbers in standard deviations, missing ones at the median; other columns count 1 where they
    differ, as one-hot columns scaled by 1 / sqrt(2) would. Neighbours are looked for among at most 2,000 rows, drawn
    once, so the time grows with n_rows x 2,000 x n_features and not with the square of n_rows.

    Parameters
    ----------
    X : array or DataFrame of shape (n_rows, n_features)
        Training rows of one fold; numbers, booleans, categories, strings and missing values in any mix.
    n_synthetic : int
        Number of rows to make, 0 or more.
    rng_of_round : callable
        Returns the generator of round 0, 1, 2, ...; that of round -1 draws the rows among which neighbours are
        looked for. Each call with the same number must return the same stream.
    swap : float, default=0.5
        Probability that a column of a row changes, in [0, 1]; `p` in the paper.
    spread : float, default=1.0
        Standard deviation of a real-valued change, in distances to the partner's value; `1 / s` in the paper. At 0
        the partner's value is taken.

    Returns
    -------
    SyntheticRows
        The rows and their parents; a DataFrame's index is a fresh RangeIndex.

    Raises
    ------
    InvalidData
        If a column holds dates or durations, or X is sparse, has no row, or is neither a DataFrame nor a 2-D array.

    References
    ----------
    Bucila, Caruana and Niculescu-Mizil, "Model compression", KDD 2006. There the nearest neighbour is the partner
    and both rows of a pair change; with 5 neighbours the rounds differ by more than their noise.

    Examples
    --------
    >>> X = pd.DataFrame({"cm": [1.5, 1.75, 9.5], "rooms": [2, 3, 9], "wood": ["ash", "ash", "oak"]})
    >>> made = munge(X, 5, lambda number: np.random.default_rng([7, number + 1]))
    >>> made.parent
    array([0, 1, 2, 0, 1])
    >>> set(made.X["rooms"]) <= {2, 3, 9}, bool(made.X["cm"].between(1.5, 9.5).all())
    (True, True)
    """
    columns = [_column(name, values) for name, values in _named_columns(X)]
    n_rows = len(X)
    if not n_rows:
        raise InvalidData("synthetic rows must be made from training rows, X has none: pass at least one row.")
    rounds = range(-(-n_synthetic // n_rows))
    rngs = [rng_of_round(number) for number in rounds]
    parent = np.tile(np.arange(n_rows), len(rounds))[:n_synthetic]
    partner = parent
    if len(rounds):
        neighbours = _nearest([_for_distance(column) for column in columns], n_rows, rng_of_round(-1))
        drawn = _drawn(rngs, n_synthetic, lambda rng: rng.integers(neighbours.shape[1], size=n_rows))
        partner = neighbours[parent, drawn.astype(np.intp)]
    made = []
    for column in columns:
        changed = _drawn(rngs, n_synthetic, lambda rng: rng.random(n_rows)) < swap
        values = column.values.take(np.where(changed, partner, parent))
        if column.real:
            noise = _drawn(rngs, n_synthetic, lambda rng: rng.standard_normal(n_rows))
            moved, numbers = _moved(column.numbers, parent, partner, spread * noise)
            moved &= changed
            values[moved] = numbers[moved].astype(getattr(values.dtype, "numpy_dtype", values.dtype))
        made.append(values)
    return SyntheticRows(_like(X, made, n_synthetic), parent)


def _drawn(
    rngs: list[np.random.Generator], n_synthetic: int, draw: Callable[[np.random.Generator], np.ndarray]
) -> np.ndarray:
    """Return what `draw` draws for all rows of each round, cut to (n_synthetic,); whole rounds keep rows nested."""
    return np.concatenate([np.empty(0), *(draw(rng) for rng in rngs)])[:n_synthetic]


def _named_columns(X: Any) -> list[tuple[Any, Any]]:
    if isinstance(X, pd.DataFrame):
        return [(name, X.iloc[:, place]) for place, name in enumerate(X.columns)]
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return list(enumerate(X.T))
    raise InvalidData(
        f"synthetic rows must be made from a DataFrame or a dense 2-D array, got {type(X).__name__}: convert X first, "
        "a sparse matrix by X.toarray()."
    )


def _column(name: Any, values: Any) -> _Column:
    if isinstance(values.dtype, pd.SparseDtype):
        raise InvalidData(
            f"synthetic rows must be made from dense columns, column {name!r} is sparse: convert it first, by "
            "X[name].sparse.to_dense()."
        )
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in TIMES or isinstance(values.dtype, pd.PeriodDtype):
        raise InvalidData(
            f"synthetic rows must be made from numbers and categories, column {name!r} holds {kind}: turn it into "
            "numbers (days since a date, for instance) or leave it out."
        )
    own = values.array if isinstance(values, pd.Series) else values
    if kind not in NUMBERS:
        return _Column(own, None, False)
    numbers = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    numbers[~np.isfinite(numbers)] = np.nan
    present = numbers[~np.isnan(numbers)]
    return _Column(own, numbers, bool((present != np.floor(present)).any()))


def _for_distance(column: _Column) -> np.ndarray:
    """Return the column as it counts in distances: standardised float32, or the codes of its values; (n_rows,)."""
    if column.numbers is None:
        codes, _ = pd.factorize(column.values)  # missing: -1, a value of its own
        return np.asarray(codes)
    missing = np.isnan(column.numbers)
    present = column.numbers[~missing]
    if not len(present):
        return np.zeros(len(missing), np.float32)
    largest = np.abs(present).max() or 1.0  # first to [-1, 1], so that no square overflows
    median, scale = np.median(present / largest), (present / largest).std() or 1.0
    return np.where(missing, 0.0, (column.numbers / largest - median) / scale).astype(np.float32)


def _nearest(columns: list[np.ndarray], n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return the positions (n_rows, at most 5) of each row's nearest neighbours, itself not among them.

    Differences are squared column by column and not by a matrix product, whose last bits, and with them the order of
    equally near rows, depend on the number of threads. Ties are broken by the candidates' drawn order.
    """
    candidates = rng.permutation(n_rows)[:MOST_CANDIDATES]
    k = min(N_NEIGHBOURS, len(candidates) - 1)
    if k == 0:
        return np.zeros((1, 1), dtype=np.intp)
    place = np.full(n_rows, -1)
    place[candidates] = np.arange(len(candidates))
    among = [values[candidates] for values in columns]
    order = np.arange(len(candidates), dtype=np.uint64)
    found = np.empty((n_rows, k), dtype=np.intp)
    for start in range(0, n_rows, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        own = place[rows]
        squared = np.zeros((len(own), len(candidates)), dtype=np.float32)
        for values, others in zip(columns, among, strict=True):
            if values.dtype.kind == "f":
                gap = values[rows, None] - others
                gap *= gap
                squared += gap
            else:
                squared += values[rows, None] != others
        # Positive floats sort as their bits do: distance above, drawn order below, no two keys equal.
        keys = squared.view(np.uint32).astype(np.uint64) << np.uint64(11) | order
        is_candidate = np.flatnonzero(own >= 0)
        keys[is_candidate, own[is_candidate]] = np.iinfo(np.uint64).max
        nearest = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1) & np.uint64(2**11 - 1)
        found[rows] = candidates[nearest.astype(np.intp)]
    return found


def _moved(
    numbers: np.ndarray | None, parent: np.ndarray, partner: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where own and partner's number exist, and the partner's number with noise, in range; (n_synthetic,)."""
    assert numbers is not None  # a real column has numbers
    own, others = numbers[parent], numbers[partner]
    with np.errstate(over="ignore"):  # a gap wider than float64: what it makes is clipped
        gap = np.minimum(np.abs(own - others), np.finfo(np.float64).max)
        drawn = np.clip(others + noise * gap, np.nanmin(numbers), np.nanmax(numbers))
    return ~np.isnan(gap), drawn


def _like(X: Any, made: list[Any], n_synthetic: int) -> Any:
    """Return the made columns as what X is: an array of its dtype, or a DataFrame of its columns and their dtypes."""
    if isinstance(X, np.ndarray):
        rows = np.empty((n_synthetic, X.shape[1]), dtype=X.dtype)
        for place, values in enumerate(made):
            rows[:, place] = values
        return rows
    index = pd.RangeIndex(n_synthetic)
    dtypes = X.dtypes.tolist()  # named, for pandas would read strings of dtype object as "str"
    columns = {place: pd.Series(values, index, dtypes[place], copy=False) for place, values in enumerate(made)}
    frame = pd.DataFrame(columns, index=index)
    frame.columns = X.columns
    return frame
