"""Interpolation: each synthetic row lies on the line between a training row and one of its near neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from multihop_search.transfer.synthetic.neighbours import partners
from multihop_search.transfer.synthetic.rows import Draws, RngOfRound, SyntheticRows, columns_of, like, placed


def interpolate(X: Any, n_synthetic: int, rng_of_round: RngOfRound) -> SyntheticRows:
    """Return rows that lie between training rows that lie near each other.

    In a round each row draws a partner among its 5 nearest neighbours (as `munge` does) and one share u, uniform in
    [0, 1). A real-valued column becomes own + u (partner's - own). A whole-number column, a category, a string or a
    boolean takes the partner's value with probability u and else keeps its own; so does a real-valued one where either
    number is missing or infinite. Real numbers of one row move together, and none leaves the range of the two.

    Parameters
    ----------
    X : array or DataFrame of shape (n_rows, n_features)
        Training rows of one fold; numbers, booleans, categories, strings and missing values in any mix.
    n_synthetic : int
        Number of rows to make, 0 or more; fewer rows are the first of more rows.
    rng_of_round : callable
        Returns the generator of round 0, 1, 2, ...; that of round -1 draws the rows among which neighbours are
        looked for. Each call with the same number must return the same stream.

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
    Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: synthetic minority over-sampling technique", JAIR 16, 2002. There
    the neighbours are of the row's own class, u is drawn for each column in the listing (one for the row in the text
    and in later software), and categories are voted on by the neighbours; here no label is looked at.

    Examples
    --------
    >>> X = np.array([[0.5, 1.0], [2.5, 3.0]])  # the second column is of whole numbers
    >>> made = interpolate(X, 4, lambda number: np.random.default_rng([7, number + 1])).X
    >>> bool((made[:, 0] > 0.5).all() and (made[:, 0] < 2.5).all()), set(made[:, 1]) <= {1.0, 3.0}
    (True, True)
    """
    columns = columns_of(X)
    draws = Draws(len(X), n_synthetic, rng_of_round)
    parent, partner = draws.parent, partners(columns, draws, rng_of_round)
    share = draws.uniform()
    new_columns = []
    for column in columns:
        values = column.values.take(np.where(draws.uniform() < share, partner, parent))
        if column.numbers is not None and column.real:
            between = _between(column.numbers[parent], column.numbers[partner], share)
            values = placed(values, ~np.isnan(between), between)
        new_columns.append(values)
    return SyntheticRows(like(X, new_columns, n_synthetic), parent)


def _between(own: np.ndarray, others: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return own + share (others - own), (n_synthetic,), in a form that neither overflows nor leaves their range."""
    between = own * (1 - share) + others * share
    return np.asarray(np.clip(between, np.minimum(own, others), np.maximum(own, others)))
