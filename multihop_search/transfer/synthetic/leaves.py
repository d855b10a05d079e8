"""Leaves: about half of the values of a training row give way to values of rows in the same leaf of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from multihop_search.transfer.synthetic.rows import Column, Draws, RngOfRound, SyntheticRows, columns_of, like

N_TREES = 10
LEAF_SIZE = 10
"""Fewest rows that a leaf is fitted with."""
MOST_FITTED = 2000
"""Trees are fitted on at most this many rows, drawn once; all rows then fall into their leaves."""
MOST_COLUMNS = 64
"""Most columns that a tree is to tell apart, drawn once, and that it looks at in a split."""


def resample_leaves(X: Any, n_synthetic: int, rng_of_round: RngOfRound, *, swap: float = 0.5) -> SyntheticRows:
    """Return rows that lie where the training rows lie, in all columns together.

    In a round each row draws one of 10 trees, and each of its columns changes with probability `swap` to the value of
    another training row of its leaf, another for each column; missing values are values like others, and a row that is
    alone in its leaf stays. A leaf is a box, narrow in columns that depend on each other and wide in one on which no
    other depends, so drawing its columns one by one breaks little.

    The trees see no label. Were they fitted to the labels, the rows made from an inner part would carry the labels of
    that part to the model that is judged on it. They are extremely randomised trees that predict the columns from the
    columns (predictive clustering): a split is good if rows become alike in all columns. Numbers count by rank,
    categories by order of appearance, missing values half the range below the lowest. They are fitted on at most 2,000
    rows and 64 target columns, so their time is bounded.

    Parameters
    ----------
    X : array or DataFrame of shape (n_rows, n_features)
        Training rows of one fold; numbers, booleans, categories, strings and missing values in any mix.
    n_synthetic : int
        Number of rows to make, 0 or more; fewer rows are the first of more rows.
    rng_of_round : callable
        Returns the generator of round 0, 1, 2, ...; that of round -1 grows the trees. Each call with the same number
        must return the same stream.
    swap : float, default=0.5
        Probability that a column of a row changes, in [0, 1].

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
    Drawing column by column within leaves: Watson, Blesius, Kapar and Wright, "Adversarial random forests for density
    estimation and generative modeling", AISTATS 2023. Their forest tells real rows from shuffled ones, in rounds;
    one round of it, whose leaves end where they are pure, kept less of what goes together on 4 of 7 tables and as much
    on 3. The trees: Blockeel, De Raedt and Ramon, "Top-down induction of clustering trees", ICML 1998.

    Examples
    --------
    >>> X = np.repeat([[1, 10], [2, 20], [3, 30]], 20, axis=0)
    >>> made = resample_leaves(X, 120, lambda number: np.random.default_rng([7, number + 1])).X
    >>> bool((made[:, 1] == 10 * made[:, 0]).all())  # rows of one leaf are equal
    True
    """
    columns = columns_of(X)
    draws = Draws(len(X), n_synthetic, rng_of_round)
    if not n_synthetic:
        return SyntheticRows(like(X, [column.values.take(draws.parent) for column in columns], 0), draws.parent)
    leaves = _leaves(np.column_stack([_place(column) for column in columns]), rng_of_round(-1))
    tree = draws.below(N_TREES)
    new_columns = []
    for column in columns:
        donor = leaves.others(tree, draws.parent, draws.uniform())
        new_columns.append(column.values.take(np.where(draws.uniform() < swap, donor, draws.parent)))
    return SyntheticRows(like(X, new_columns, n_synthetic), draws.parent)


@dataclass(frozen=True)
class _Leaves:
    """The training rows by leaf; each of shape (n_trees, n_rows)."""

    order: np.ndarray
    """Rows of the first leaf, then of the second, ..."""
    first: np.ndarray
    """Where in `order` the leaf of each row begins."""
    place: np.ndarray
    """Where in the leaf the row stands."""
    size: np.ndarray
    """Rows in the leaf of each row."""

    def others(self, tree: np.ndarray, row: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return a row of the leaf of each row, the row itself only if it is alone; `share` in [0, 1) says which."""
        size = self.size[tree, row]
        step = 1 + (share * (size - 1)).astype(np.intp)
        rows: np.ndarray = self.order[tree, self.first[tree, row] + (self.place[tree, row] + step) % size]
        return rows


def _leaves(places: np.ndarray, rng: np.random.Generator) -> _Leaves:
    """Return the leaves of trees grown on the columns' places, (n_rows, n_features)."""
    fitted = rng.permutation(len(places))[:MOST_FITTED]
    columns = rng.permutation(places.shape[1])[:MOST_COLUMNS]
    target = places[np.ix_(fitted, columns)]
    forest = ExtraTreesRegressor(
        N_TREES,
        min_samples_leaf=LEAF_SIZE,
        max_features=len(columns),
        random_state=int(rng.integers(2**31)),
        n_jobs=1,
    ).fit(places[fitted], target if len(columns) > 1 else target[:, 0])
    trees = [_of_tree(leaf) for leaf in forest.apply(places).T]
    return _Leaves(*map(np.stack, zip(*trees, strict=True)))


def _of_tree(leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of `_Leaves` for one tree, given the leaf of each row, (n_rows,)."""
    order = np.argsort(leaf, kind="stable")
    first = np.searchsorted(leaf[order], leaf)
    position = np.empty(len(leaf), dtype=np.intp)
    position[order] = np.arange(len(leaf))
    return order, first, position - first, np.bincount(leaf)[leaf]


def _place(column: Column) -> np.ndarray:
    """Return the column by rank or by order of appearance, standardised, missing values far below; (n_rows,)."""
    values = column.values if column.numbers is None else column.numbers
    codes, levels = pd.factorize(values, sort=column.numbers is not None)
    places = np.where(codes < 0, -0.5, codes / max(len(levels) - 1, 1))
    return np.asarray((places - places.mean()) / (places.std() or 1.0))
