"""Alternating optimisation: each split of a tree is chosen anew, all others held fixed, until nothing improves.

For a row that reaches a node, the leaf below each side is known; the difference of the losses there is what sending it
left rather than right costs. The sum of these differences over the rows at most a threshold ranks all thresholds of all
features at once, and the nodes of one level, which share no row, are chosen together, the lowest level first.

References
----------
Carreira-Perpinan and Tavallali, "Alternating optimization of decision trees, with application to learning sparse
oblique trees", NeurIPS 2018; with splits on one feature: Zharmagambetov et al., arXiv:1911.03054.
"""

from __future__ import annotations

import numpy as np

from multihop_search.trees.heap import NO_SPLIT, Heap, leaf_totals
from multihop_search.trees.lookahead import LEAST_GAIN, Bounds
from multihop_search.trees.losses import Loss
from multihop_search.trees.sample import Sample

MOST_ROUNDS = 10
LEAST_PROGRESS = 1e-4
"""Rounds end when the loss falls by less than this share."""


def refined(heap: Heap, sample: Sample, loss: Loss, bounds: Bounds) -> tuple[Heap, float]:
    """Return the structure with every split chosen anew, and its loss, the weighted sum over the rows."""
    heap = heap.copy()
    best, before = heap.copy(), total_loss(heap, sample, loss)
    least = before
    for _ in range(MOST_ROUNDS):
        for level in reversed(range(heap.depth)):
            _choose_level(heap, sample, loss, bounds, level)
        now = total_loss(heap, sample, loss)
        if now < least:
            best, least = heap.copy(), now
        if before - now <= LEAST_PROGRESS * abs(before):
            break
        before = now
    return best, least


def total_loss(heap: Heap, sample: Sample, loss: Loss) -> float:
    """Return the loss of a structure at the best values of its leaves."""
    _, totals = leaf_totals(heap, sample)
    return float(loss.of_leaf(totals[:, :-1], totals[:, -1]).sum())


def _choose_level(heap: Heap, sample: Sample, loss: Loss, bounds: Bounds, level: int) -> None:
    values = leaf_values(leaf_totals(heap, sample)[1])
    losses, rows, codes = loss.of_rows(sample.targets, values), np.arange(sample.n_rows), sample.codes
    node = heap.descend(codes, np.zeros(sample.n_rows, dtype=np.intp), level)
    below, n_leaves = heap.depth - level - 1, 2**heap.depth
    left = heap.descend(codes, 2 * node + 1, below) - (n_leaves - 1)
    right = heap.descend(codes, 2 * node + 2, below) - (n_leaves - 1)
    cost = sample.weights * (losses[rows, left] - losses[rows, right])
    for number in range(2**level - 1, 2 ** (level + 1) - 1):
        here = np.flatnonzero(node == number)
        if len(here):
            _choose(heap, sample, bounds, number, here, cost[here])


def _choose(heap: Heap, sample: Sample, bounds: Bounds, node: int, rows: np.ndarray, cost: np.ndarray) -> None:
    """Set the split of `node` under which sending rows left costs least, if it is better than the one there."""
    gained, left = sample.below(rows, cost), sample.counted_below(rows)
    right = left[:, -1:] - left
    allowed = sample.exists & (left >= bounds.leaf) & (right >= bounds.leaf)
    if not allowed.any() or left[0, -1] < bounds.split:
        return
    ranked = np.where(allowed, gained, np.inf)
    feature, place = np.unravel_index(int(ranked.argmin()), ranked.shape)
    there = heap.feature[node]
    now = gained[0, -1] if there == NO_SPLIT else gained[there, heap.place[node]]
    if ranked[feature, place] < now - LEAST_GAIN * sample.weights.sum():
        heap.feature[node], heap.place[node] = feature, place


def leaf_values(totals: np.ndarray) -> np.ndarray:
    """Return the best value of each leaf, (n_leaves, n_outputs); an empty leaf has that of all rows."""
    whole, weight = totals.sum(axis=0), totals[:, -1:]
    prior = whole[:-1] / max(whole[-1], np.finfo(np.float64).tiny)
    return np.asarray(np.where(weight > 0, totals[:, :-1] / np.maximum(weight, np.finfo(np.float64).tiny), prior))
