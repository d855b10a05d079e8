"""Marginals: about half of the values of a training row give way to values of rows drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from multihop_search.transfer.synthetic.rows import Draws, RngOfRound, SyntheticRows, columns_of, like


def resample_marginals(X: Any, n_synthetic: int, rng_of_round: RngOfRound, *, swap: float = 0.5) -> SyntheticRows:
    """Return rows that lie widely: each column keeps its distribution, what goes together between columns is lost.

    In a round each column of each row changes with probability `swap` to the value of a training row drawn at random,
    another for each column; missing values are values like others. Rows reach where no training row lies, so the upper
    model is asked in the gaps of the table too.

    Parameters
    ----------
    X : array or DataFrame of shape (n_rows, n_features)
        Training rows of one fold; numbers, booleans, categories, strings and missing values in any mix.
    n_synthetic : int
        Number of rows to make, 0 or more; fewer rows are the first of more rows.
    rng_of_round : callable
        Returns the generator of round 0, 1, 2, ...; each call with the same number must return the same stream.
    swap : float, default=0.5
        Probability that a column of a row changes, in [0, 1]. At one half every set of columns is kept as often as
        any other, so rows lie at all distances from their parent; at 1 nothing of the parent is left, and that the row
        is labelled by a model that did not see its parent would mean nothing.

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
    Rows drawn from the product of the marginal distributions, there with `swap` = 1: Shi and Horvath, "Unsupervised
    learning with random forest predictors", Journal of Computational and Graphical Statistics 15, 2006.

    Examples
    --------
    >>> X = np.array([[1, 10], [2, 20], [3, 30]])
    >>> made = resample_marginals(X, 300, lambda number: np.random.default_rng([7, number + 1])).X
    >>> len(set(map(tuple, made.tolist())))  # each value beside each other
    9
    """
    columns = columns_of(X)
    draws = Draws(len(X), n_synthetic, rng_of_round)
    new_columns = []
    for column in columns:
        donor = draws.below(len(X))
        new_columns.append(column.values.take(np.where(draws.uniform() < swap, donor, draws.parent)))
    return SyntheticRows(like(X, new_columns, n_synthetic), draws.parent)
