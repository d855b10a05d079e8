"""Near-optimal structures by looking ahead: each split is the root of the best tree of depth 2 on its rows.

For two thresholds i and j the totals of the four leaves of a tree of depth 2 follow from those of the rows above i,
those above j and those above both. So one matrix product for each output gives every tree of depth 2 over the
candidates, and its exact best is found by comparing them all. Going down, the split at the root of that best tree is
kept and the search is repeated on both sides; the last two levels are optimal over the candidates, given what is
above them. With `width` the roots that look best are each tried with everything below them.

References
----------
The counts of pairs: Demirovic et al., "MurTree: optimal decision trees via dynamic programming and search", JMLR 23,
2022, arXiv:2007.12652 (there for errors; here for any loss that is a sum over leaves). Keeping the root of the best
tree of depth 2: Organ and Chambers, "Rolling lookahead learning for optimal classification trees", 2023,
arXiv:2304.10830.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from multihop_search.trees.heap import Heap
from multihop_search.trees.losses import Loss
from multihop_search.trees.sample import Sample

SPREAD = 8
"""Candidates of a feature come from so many parts of its range, the best of each."""
LEAST_GAIN = 1e-9
"""A split must lower the loss by this share of the total weight: less is rounding."""
Split = tuple[int, int]
"""Feature and number of its threshold."""


@dataclass(frozen=True)
class Bounds:
    """What a tree must keep."""

    depth: int
    leaf: int = 1
    """Fewest real rows in a leaf."""
    split: int = 2
    """Fewest real rows in a node that is split."""
    leaves: int | None = None
    """Most leaves."""

    def on_share(self, share: float) -> Bounds:
        """Return the bounds as they are on so large a part of the real rows."""
        return replace(self, leaf=math.ceil(self.leaf * share), split=max(2, math.ceil(self.split * share)))


@dataclass(frozen=True)
class Lookahead:
    """Grows a tree on a sample."""

    sample: Sample
    loss: Loss
    bounds: Bounds
    n_candidates: int
    """Candidates of a split that looks ahead; 0: greedy, no split looks ahead."""
    width: int = 1
    """Roots that are tried with everything below them, at the top."""

    def grow(self) -> Heap:
        """Return the structure; the bound on leaves is not kept yet."""
        heap = Heap.empty(self.bounds.depth)
        self.grow_at(heap, 0, np.arange(self.sample.n_rows), self.bounds.depth)
        return heap

    def grow_at(self, heap: Heap, node: int, rows: np.ndarray, depth: int, width: int | None = None) -> float:
        """Grow at `node` on `rows` and return the cost of what has grown."""
        width = self.width if width is None else width
        costs, cost = self._splits(rows)
        least = cost - LEAST_GAIN * self.sample.weights.sum()
        if depth == 0 or not np.isfinite(costs).any():
            return cost
        if depth == 1:
            return self._last(heap, node, costs, cost, least)
        roots = self._roots(rows, costs, width if depth > 2 else 1) if self.n_candidates else [_first_least(costs)]
        best: tuple[float, Heap | None] = (least, None)
        for feature, place in roots:
            tried = heap.copy()
            tried.feature[node], tried.place[node] = feature, place
            above = self.sample.codes[rows, feature] > place
            grown = self.grow_at(tried, 2 * node + 1, rows[~above], depth - 1, 1)
            grown += self.grow_at(tried, 2 * node + 2, rows[above], depth - 1, 1)
            if grown < best[0]:
                best = (grown, tried)
        if best[1] is None:
            return cost
        heap.feature[:], heap.place[:] = best[1].feature, best[1].place
        return best[0]

    def _last(self, heap: Heap, node: int, costs: np.ndarray, cost: float, least: float) -> float:
        feature, place = _first_least(costs)
        if costs[feature, place] >= least:
            return cost
        heap.feature[node], heap.place[node] = feature, place
        return float(costs[feature, place])

    def _splits(self, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the cost of each split of `rows`, (n_features, width), infinite where it may not be, and of none."""
        sample, bounds = self.sample, self.bounds
        whole = sample.totals[rows].sum(axis=0)
        cost = float(self.loss.of_leaf(whole[:-1], whole[-1]))
        if np.count_nonzero(sample.counted[rows]) < max(bounds.split, 2 * bounds.leaf):
            return np.full(sample.exists.shape, np.inf), cost
        below, left = sample.totals_below(rows), sample.counted_below(rows)
        above, right = below[:, -1:] - below, left[:, -1:] - left
        costs = self.loss.of_leaf(below[..., :-1], below[..., -1]) + self.loss.of_leaf(above[..., :-1], above[..., -1])
        allowed = sample.exists & (left >= bounds.leaf) & (right >= bounds.leaf)
        return np.where(allowed, costs, np.inf), cost

    def _roots(self, rows: np.ndarray, costs: np.ndarray, width: int) -> list[Split]:
        """Return the `width` candidates under which the best tree of depth 2 costs least, the best first."""
        candidates = self._candidates(costs)
        features, places = np.array(candidates).T
        above = (self.sample.codes[np.ix_(rows, features)] > places).astype(np.float64)
        cost = best_pairs(above, self.sample.totals[rows], self.loss)
        return [candidates[number] for number in np.argsort(_rounded(cost), kind="stable")[:width]]

    def candidates(self, rows: np.ndarray) -> list[Split]:
        """Return the splits of `rows` that are worth a look ahead, at most `n_candidates`, the best first."""
        return self._candidates(self._splits(rows)[0])

    def _candidates(self, costs: np.ndarray) -> list[Split]:
        """Return the best threshold of each part of each feature's range, at most `n_candidates` in all."""
        parts = np.array_split(np.arange(costs.shape[1]), min(SPREAD, costs.shape[1]))
        places = np.stack([part[costs[:, part].argmin(axis=1)] for part in parts])
        features = np.broadcast_to(np.arange(len(costs)), places.shape)
        is_finite = np.isfinite(costs[features, places])
        features, places = features[is_finite], places[is_finite]
        order = np.argsort(_rounded(costs[features, places]), kind="stable")[: self.n_candidates]
        return list(zip(features[order].tolist(), places[order].tolist(), strict=True))


def best_pairs(above: np.ndarray, totals: np.ndarray, loss: Loss) -> np.ndarray:
    """Return, for each candidate as the root, the cost of the best tree of depth 2, (n_candidates,).

    Parameters
    ----------
    above : ndarray of shape (n_rows, n_candidates)
        1.0 where a row lies above the candidate's threshold.
    totals : ndarray of shape (n_rows, n_outputs + 1)
        Weighted targets, then the weight.
    loss : Loss
        A sum over leaves.

    Examples
    --------
    >>> from multihop_search.trees.losses import ErrorRate
    >>> above = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)  # the exclusive or of two columns
    >>> totals = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 1], [1, 0, 1]], dtype=float)
    >>> best_pairs(above, totals, ErrorRate())
    array([0., 0.])
    """
    whole = totals.sum(axis=0)
    one = above.T @ totals  # (n_candidates, n_outputs + 1)
    both = np.stack([above.T @ (above * column[:, None]) for column in totals.T], axis=-1)

    def cost(of: np.ndarray) -> np.ndarray:
        return loss.of_leaf(of[..., :-1], of[..., -1])

    only_root = one[:, None] - both
    only_other = one[None] - both
    right = cost(both) + cost(only_root)
    left = cost(only_other) + cost(whole - one[:, None] - only_other)
    return np.asarray(right.min(axis=1) + left.min(axis=1))


def _rounded(costs: np.ndarray) -> np.ndarray:
    """Return costs without their last digits, which depend on the order of sums in a matrix product."""
    scale = np.abs(costs[np.isfinite(costs)]).max(initial=1.0)
    return np.asarray(np.round(costs / scale, 10))


def _first_least(costs: np.ndarray) -> Split:
    feature, place = np.unravel_index(int(_rounded(costs).argmin()), costs.shape)
    return int(feature), int(place)
