"""What all generators share: the columns of the training rows, the random numbers of rounds, and the rows made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidData

TIMES = {"datetime64", "datetime", "date", "time", "timedelta64", "timedelta", "period"}
"""What pandas calls columns of dates and durations."""
NUMBERS = {"integer", "floating", "mixed-integer-float"}
RngOfRound = Callable[[int], np.random.Generator]
"""Returns the generator of round 0, 1, 2, ...; that of round -1 draws what all rounds share."""


@dataclass(frozen=True)
class SyntheticRows:
    """Rows that nobody measured, and where each came from."""

    X: Any
    """Array or DataFrame of shape (n_synthetic, n_features): columns, order and dtypes of the training rows."""
    parent: np.ndarray
    """Position of the training row that each was made from, (n_synthetic,), intp."""


@dataclass(frozen=True)
class Column:
    """A column of the training rows."""

    values: Any
    """What has `take` and takes assignments, an array or a pandas array: (n_rows,)."""
    numbers: np.ndarray | None
    """The values as float64, NaN where missing or infinite; None for a category, string or boolean."""
    real: bool
    """Whether new values may lie between the old ones: some number is not whole."""


class Draws:
    """The random numbers of synthetic rows: each is drawn for whole rounds and then cut, which keeps rows nested.

    Parameters
    ----------
    n_rows : int
        Number of training rows.
    n_synthetic : int
        Number of rows to make.
    rng_of_round : callable
        See `RngOfRound`.
    """

    def __init__(self, n_rows: int, n_synthetic: int, rng_of_round: RngOfRound) -> None:
        self._rngs = [rng_of_round(number) for number in range(-(-n_synthetic // n_rows))]
        self.n_rows, self._n_synthetic = n_rows, n_synthetic
        self.parent = np.tile(np.arange(n_rows), len(self._rngs))[:n_synthetic]

    def uniform(self) -> np.ndarray:
        """Return numbers in [0, 1), (n_synthetic,)."""
        return self._each(lambda rng: rng.random(self.n_rows))

    def normal(self) -> np.ndarray:
        """Return standard normal numbers, (n_synthetic,)."""
        return self._each(lambda rng: rng.standard_normal(self.n_rows))

    def below(self, high: int) -> np.ndarray:
        """Return integers in [0, high), (n_synthetic,), intp."""
        return self._each(lambda rng: rng.integers(high, size=self.n_rows)).astype(np.intp)

    def _each(self, draw: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
        return np.concatenate([np.empty(0), *map(draw, self._rngs)])[: self._n_synthetic]


def columns_of(X: Any) -> list[Column]:
    """Return the columns of training rows.

    Raises
    ------
    InvalidData
        If a column holds dates or durations, or X is sparse, has no row, or is neither a DataFrame nor a 2-D array.
    """
    columns = [_column(name, values) for name, values in _named_columns(X)]
    if not len(X):
        raise InvalidData("synthetic rows must be made from training rows, X has none: pass at least one row.")
    return columns


def _named_columns(X: Any) -> list[tuple[Any, Any]]:
    if isinstance(X, pd.DataFrame):
        return [(name, X.iloc[:, place]) for place, name in enumerate(X.columns)]
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return list(enumerate(X.T))
    raise InvalidData(
        f"synthetic rows must be made from a DataFrame or a dense 2-D array, got {type(X).__name__}: convert X first, "
        "a sparse matrix by X.toarray()."
    )


def _column(name: Any, values: Any) -> Column:
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
        return Column(own, None, False)
    numbers = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    numbers[~np.isfinite(numbers)] = np.nan
    present = numbers[~np.isnan(numbers)]
    return Column(own, numbers, bool((present != np.floor(present)).any()))


def placed(values: Any, where: np.ndarray, numbers: np.ndarray) -> Any:
    """Return values that were taken from a column with numbers put in their place; all of shape (n_synthetic,)."""
    values[where] = numbers[where].astype(getattr(values.dtype, "numpy_dtype", values.dtype))
    return values


def like(X: Any, new_columns: list[Any], n_synthetic: int) -> Any:
    """Return the made columns as what X is: an array of its dtype, or a DataFrame of its columns and their dtypes."""
    if isinstance(X, np.ndarray):
        rows = np.empty((n_synthetic, X.shape[1]), dtype=X.dtype)
        for place, values in enumerate(new_columns):
            rows[:, place] = values
        return rows
    index = pd.RangeIndex(n_synthetic)
    dtypes = X.dtypes.tolist()  # named, for pandas would read strings of dtype object as "str"
    columns = {place: pd.Series(values, index, dtypes[place], copy=False) for place, values in enumerate(new_columns)}
    frame = pd.DataFrame(columns, index=index)
    frame.columns = X.columns
    return frame
