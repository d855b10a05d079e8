"""MUNGE: each synthetic row is a training row moved towards one of its near neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from multihop_search.transfer.synthetic.neighbours import partners
from multihop_search.transfer.synthetic.rows import Draws, RngOfRound, SyntheticRows, columns_of, like, placed


def munge(
    X: Any,
    n_synthetic: int,
    rng_of_round: RngOfRound,
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
    >>> import pandas as pd
    >>> X = pd.DataFrame({"cm": [1.5, 1.75, 9.5], "rooms": [2, 3, 9], "wood": ["ash", "ash", "oak"]})
    >>> made = munge(X, 5, lambda number: np.random.default_rng([7, number + 1]))
    >>> made.parent
    array([0, 1, 2, 0, 1])
    >>> set(made.X["rooms"]) <= {2, 3, 9}, bool(made.X["cm"].between(1.5, 9.5).all())
    (True, True)
    """
    columns = columns_of(X)
    draws = Draws(len(X), n_synthetic, rng_of_round)
    parent, partner = draws.parent, partners(columns, draws, rng_of_round)
    new_columns = []
    for column in columns:
        changed = draws.uniform() < swap
        values = column.values.take(np.where(changed, partner, parent))
        if column.numbers is not None and column.real:
            moved, numbers = _moved(column.numbers, parent, partner, spread * draws.normal())
            values = placed(values, moved & changed, numbers)
        new_columns.append(values)
    return SyntheticRows(like(X, new_columns, n_synthetic), parent)


def _moved(
    numbers: np.ndarray, parent: np.ndarray, partner: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where own and partner's number exist, and the partner's number with noise, in range; (n_synthetic,)."""
    own, others = numbers[parent], numbers[partner]
    with np.errstate(over="ignore"):  # a gap wider than float64: what it makes is clipped
        gap = np.minimum(np.abs(own - others), np.finfo(np.float64).max)
        drawn = np.clip(others + noise * gap, np.nanmin(numbers), np.nanmax(numbers))
    return ~np.isnan(gap), drawn
