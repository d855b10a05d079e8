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

    def grow_at(self, heap: Heap, node: int, rows: np.ndarray, depth: int) -> None:
        """Grow at `node`, below which there is nothing yet, on `rows`."""
        best: tuple[float, Heap] = (np.inf, heap)
        for rank in range(self.width if depth > 2 and self.n_candidates else 1):
            tried = heap.copy()
            cost = float(self._grow(tried, np.array([node]), [rows], depth, rank)[0])
            if cost < best[0]:
                best = (cost, tried)
        heap.feature[:], heap.place[:] = best[1].feature, best[1].place

    def _grow(self, heap: Heap, nodes: np.ndarray, rows: list[np.ndarray], depth: int, rank: int = 0) -> np.ndarray:
        """Grow at nodes of one level, level by level, and return the cost of what has grown at each, (n_nodes,).

        Parameters
        ----------
        heap : Heap
            Is written to at the nodes and below them.
        nodes : ndarray of shape (n_nodes,)
            Their places.
        rows : list of n_nodes ndarrays
            The rows of each, ascending.
        depth : int
            Levels that may grow.
        rank : int, default=0
            Which root of those that look ahead is taken, counted from the best one.
        """
        whole = np.stack([self.sample.totals[of_node].sum(axis=0) for of_node in rows])
        cost = self.loss.of_leaf(whole[:, :-1], whole[:, -1], whole[:, -1])
        if depth == 0:
            return cost
        least = cost - LEAST_GAIN * self.sample.weights.sum()
        fewest = max(self.bounds.split, 2 * self.bounds.leaf)
        enough = [number for number, some in enumerate(rows) if np.count_nonzero(self.sample.counted[some]) >= fewest]
        grown = np.full(len(nodes), np.inf)
        looks_ahead = self.n_candidates and depth > 1
        for part in self.sample.parts(np.array(enough, dtype=np.intp), self.sample.totals.shape[1]):
            some = [rows[number] for number in part]
            costs = self._splits(some)
            feature, place, of_split = self._roots(some, costs, rank) if looks_ahead else _first_least(costs)
            is_split = np.isfinite(of_split)
            part = part[is_split]
            heap.feature[nodes[part]], heap.place[nodes[part]] = feature[is_split], place[is_split]
            grown[part] = of_split[is_split]
        split = np.flatnonzero(np.isfinite(grown))
        if depth > 1 and len(split):
            sides = [side for number in split for side in self._sides(heap, nodes[number], rows[number])]
            below = self._grow(heap, (2 * nodes[split, None] + [1, 2]).ravel(), sides, depth - 1)
            grown[split] = below[::2] + below[1::2]
        for node in nodes[grown >= least]:
            heap.clear(node)
        return np.where(grown < least, grown, cost)

    def _sides(self, heap: Heap, node: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows at most and above the threshold of a node."""
        above = self.sample.columns[heap.feature[node], rows] > heap.place[node]
        return rows[~above], rows[above]

    def _splits(self, rows: list[np.ndarray]) -> np.ndarray:
        """Return the cost of each split of some nodes, (n_nodes, n_features, width), infinite where it may not be."""
        sample, bounds, joined = self.sample, self.bounds, np.concatenate(rows)
        at = np.repeat(np.arange(len(rows)), [len(of_node) for of_node in rows])
        of_targets = sample.totals[joined, : -1 if sample.targets.shape[1] > 1 else None]
        below = sample.below(joined, at, len(rows), np.column_stack([of_targets, sample.real[joined]]))
        left, whole = below[..., -1], below[:, -1].reshape(-1, below.shape[3])
        right = left[:, -1:] - left
        places = np.flatnonzero(sample.exists & (left >= bounds.leaf) & (right >= bounds.leaf))
        node, n_features = places // sample.exists.size, left.shape[2]
        low = below.reshape(-1, below.shape[3]).take(places, axis=0)
        whole = whole.take(node * n_features + places % n_features, axis=0)
        low_weight, weight = self._weight(low), self._weight(whole)
        low, whole = (np.ascontiguousarray(sums[:, : sample.targets.shape[1]]) for sums in (low, whole))
        cost = self.loss.of_leaf(low, low_weight, weight)
        cost += self.loss.of_leaf(whole - low, weight - low_weight, weight)
        costs = np.full(left.shape, np.inf)
        costs.ravel()[places] = cost
        return np.ascontiguousarray(costs.swapaxes(1, 2))

    def _weight(self, sums: np.ndarray) -> np.ndarray:
        """Return the weight of what `_splits` sums: of distributions it is the sum of the others."""
        n_outputs = self.sample.targets.shape[1]
        return np.asarray(sums[:, 1] if n_outputs == 1 else sum(sums[:, output] for output in range(n_outputs)))

    def _roots(self, rows: list[np.ndarray], costs: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for each node the candidate of this rank under which the best tree of depth 2 costs least.

        They are features, places and the costs of the splits; where there are fewer candidates, these are infinite.
        """
        features, places, is_one = self._candidates(costs)
        sample, nodes = self.sample, np.arange(len(rows))
        sides = [
            sample.columns[of_node[:, None], some] > cuts[:, None]
            for some, of_node, cuts in zip(rows, features, places.astype(np.uint8), strict=True)
        ]
        pairs = _rounded(best_pairs(sides, [sample.totals[some] for some in rows], self.loss))
        root = np.where(is_one, pairs, np.inf).argsort(axis=1, kind="stable")[:, min(rank, pairs.shape[1] - 1)]
        feature, place = features[nodes, root], places[nodes, root]
        return feature, place, np.where(is_one.sum(axis=1) > rank, costs[nodes, feature, place], np.inf)

    def candidates(self, rows: np.ndarray) -> list[Split]:
        """Return the splits of `rows` that are worth a look ahead, at most `n_candidates`, the best first."""
        features, places, is_one = self._candidates(self._splits([rows]))
        return list(zip(features[is_one].tolist(), places[is_one].tolist(), strict=True))

    def _candidates(self, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for each node the best threshold of each part of each feature's range, at most `n_candidates` in all.

        They are features, places, and which of them are candidates, (n_nodes, n_candidates); the others are the first
        again.
        """
        n_nodes, n_features, width = costs.shape
        parts = np.array_split(np.arange(width), min(SPREAD, width))
        within = np.stack([np.resize(part, len(parts[0])) for part in parts])  # the first part is the longest one
        best = costs[:, :, within].argmin(axis=-1)
        places = within[np.arange(len(parts)), best].swapaxes(1, 2).reshape(n_nodes, -1)
        features = np.tile(np.arange(n_features), len(parts))
        of_best = costs[np.arange(n_nodes)[:, None], features, places]
        order = _rounded(of_best).argsort(axis=1, kind="stable")[:, : self.n_candidates]
        is_one = np.isfinite(np.take_along_axis(of_best, order, axis=1))
        order = np.where(is_one, order, order[:, :1])
        return features[order], np.take_along_axis(places, order, axis=1), is_one


def best_pairs(above: list[np.ndarray], totals: list[np.ndarray], loss: Loss) -> np.ndarray:
    """Return, for each candidate as the root, the cost of the best tree of depth 2, (n_nodes, n_candidates).

    Parameters
    ----------
    above : list of n_nodes ndarrays of shape (n_candidates, n_rows), bool
        Which rows of a node lie above a candidate's threshold.
    totals : list of n_nodes ndarrays of shape (n_rows, n_outputs + 1)
        Weighted targets, then the weight.
    loss : Loss
        A sum over leaves.

    Examples
    --------
    >>> from multihop_search.trees.losses import ErrorRate
    >>> above = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=bool)  # the exclusive or of two columns
    >>> totals = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 1], [1, 0, 1]], dtype=float)
    >>> best_pairs([above], [totals], ErrorRate())
    array([[0., 0.]])
    """
    n_candidates, n_outputs = len(above[0]), totals[0].shape[1] - 1
    first, second = np.triu_indices(n_candidates)
    one = np.empty((n_outputs + 1, len(above), n_candidates))
    both = np.empty((n_outputs + 1, len(above), len(first)))
    for node, (is_above, of_rows) in enumerate(zip(above, totals, strict=True)):
        sides = is_above.astype(np.float64)
        one[:, node] = (sides @ of_rows).T
        for output, column in enumerate(of_rows.T):
            if output == n_outputs or column.min() < 0:  # of the weight no rounding: leaves of equal rows are equal
                product = sides @ (sides * column).T
            else:  # of a matrix and its own transpose half is computed
                scaled = sides * np.sqrt(column)
                product = scaled @ scaled.T
            both[output, node] = product[first, second]
    whole = np.stack([of_rows.sum(axis=0) for of_rows in totals], axis=1)[..., None]
    only_first, only_second = one[..., first] - both, one[..., second] - both
    leaves = np.stack([both, whole - one[..., first] - only_second, only_first, only_second], axis=1)
    of_targets = np.ascontiguousarray(np.moveaxis(leaves[:-1], 0, -1))
    of_both, of_neither, of_first, of_second = loss.of_leaf(of_targets, leaves[-1], whole[-1])
    right, left = np.empty((2, len(above), n_candidates, n_candidates))  # by root and the split below it
    right[:, first, second], left[:, first, second] = of_both + of_first, of_second + of_neither
    right[:, second, first], left[:, second, first] = of_both + of_second, of_first + of_neither
    return np.asarray(right.min(axis=2) + left.min(axis=2))


def _rounded(costs: np.ndarray) -> np.ndarray:
    """Return costs, (..., n_costs), without their last digits: these depend on the order of sums in a product."""
    scale = np.abs(costs).max(axis=-1, where=np.isfinite(costs), initial=1.0, keepdims=True)
    return np.asarray(np.round(costs / scale, 10))


def _first_least(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return feature, place and cost of the best split of each node."""
    flat = costs.reshape(len(costs), -1)
    least = _rounded(flat).argmin(axis=1)
    return *np.divmod(least, costs.shape[2]), flat[np.arange(len(costs)), least]
