"""The sample: of many rows a search looks at some, others judge it, and what is left is put aside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multihop_search.keys import rng_of

MOST_OTHERS = 50_000
"""Most rows beside those searched: they judge, and the chosen path is fitted on them too."""
LEAST_OF_CLASS = 5
"""Rows of each class that are searched, one in each of five folds; of a class of fewer than ten, half of them."""
LEAST_GROUPS = 10
"""Groups that are searched at least, two in each of five folds: where these are too large, some rows of each."""


@dataclass(frozen=True)
class Sample:
    """Which rows are used at all, and which of these are searched."""

    kept: np.ndarray
    """Row numbers, ascending, (n_kept,)."""
    searched: np.ndarray
    """Positions among those kept, ascending, (n_searched,)."""


def draw_sample(
    max_rows: int | None, y: np.ndarray, groups: np.ndarray | None, *, stratified: bool, random_state: int
) -> Sample | None:
    """Draw the rows of a search; None where there are no more than may be searched.

    Parameters
    ----------
    max_rows : int or None
        Most rows to search; None: all.
    y : ndarray of shape (n_rows,)
        Class codes, or values.
    groups : ndarray of shape (n_rows,) or None
        A group is searched whole, or judges, as far as groups are not too large.
    stratified : bool
        Whether every class has its share of the rows searched.
    random_state : int
        Base seed.

    Examples
    --------
    >>> sample = draw_sample(100, np.arange(200) % 2, None, stratified=True, random_state=0)
    >>> len(sample.kept), len(sample.searched), int((sample.searched % 2).sum())
    (200, 100, 50)
    """
    n_rows = len(y)
    if max_rows is None or n_rows <= max_rows:
        return None
    rng = rng_of(random_state, "sample")
    order = rng.permutation(n_rows)
    if groups is not None:
        group = np.unique(groups, return_inverse=True)[1]
        shuffled = rng.permutation(group.max() + 1)
        searched = _of_groups(max_rows, order, group, _classes_first(shuffled, group, y) if stratified else shuffled)
    elif stratified:
        searched = _by_class(max_rows, order, y)
    else:
        searched = order[:max_rows]
    others = order[~np.isin(order, searched)][:MOST_OTHERS]
    kept = np.sort(np.concatenate([searched, others]))
    return Sample(kept, np.searchsorted(kept, np.sort(searched)))


def _by_class(max_rows: int, order: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the first rows of each class in this order, as many as its share, and the next ones to fill up."""
    counts = np.bincount(y)
    quotas = np.maximum(np.minimum((counts + 1) // 2, LEAST_OF_CLASS), max_rows * counts // len(y))
    codes = y[order]
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = rank < quotas[codes]
    return np.concatenate([order[first], order[~first][: max(0, max_rows - int(first.sum()))]])


def _classes_first(shuffled: np.ndarray, group: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return groups in an order that begins, for each class, with half of those that hold it, five at most."""
    place = np.argsort(shuffled)
    pairs = np.unique(np.column_stack([y, place[group]]), axis=0)
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    first = [places[: min((len(places) + 1) // 2, LEAST_OF_CLASS)] for places in np.split(pairs[:, 1], starts[1:])]
    comes_later = ~np.isin(np.arange(len(shuffled)), np.concatenate(first))
    return np.asarray(shuffled[np.argsort(comes_later, kind="stable")])


def _of_groups(max_rows: int, order: np.ndarray, group: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    """Return rows of whole groups, or some of each of `LEAST_GROUPS`, if fewer than these would be whole."""
    counts = np.bincount(group)
    whole, left = [], max_rows
    for one in shuffled[counts[shuffled] <= max_rows]:
        if counts[one] <= left:
            whole.append(one)
            left -= counts[one]
    least = min(LEAST_GROUPS, len(counts))
    if len(whole) >= least:
        return order[np.isin(group[order], whole)]
    parts = [order[group[order] == one][: max(1, max_rows // least)] for one in shuffled[:least]]
    return np.concatenate(parts)
