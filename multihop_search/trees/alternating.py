"""Alternating optimisation: each split of a tree is chosen anew, all others held fixed, until nothing improves.

For a row that reaches a node, the leaf below each side is known; the difference of the losses there is what sending it
left rather than right costs. The sum of these differences over the rows at most a threshold ranks all thresholds of all
features at once, and the nodes of one level, which share no row, are chosen together, the lowest level first. A node
whose rows and costs are what they were when it was chosen last is left out: its split would be chosen again.

References
----------
Carreira-Perpinan and Tavallali, "Alternating optimization of decision trees, with application to learning sparse
oblique trees", NeurIPS 2018; with splits on one feature: Zharmagambetov et al., arXiv:1911.03054.
"""

from __future__ import annotations

import numpy as np

from multihop_search.trees.heap import NO_SPLIT, Heap, leaf_totals, totals_of
from multihop_search.trees.lookahead import LEAST_GAIN, Bounds
from multihop_search.trees.losses import Loss
from multihop_search.trees.sample import Sample

MOST_ROUNDS = 10
LEAST_PROGRESS = 1e-4
"""Rounds end when the loss falls by less than this share."""


def refined(heap: Heap, sample: Sample, loss: Loss, bounds: Bounds) -> tuple[Heap, float]:
    """Return the structure with every split chosen anew, and its loss, the weighted sum over the rows."""
    state = _State(heap.copy(), sample, loss, bounds)
    best, before = heap.copy(), state.total_loss()
    least = before
    for _ in range(MOST_ROUNDS):
        for level in reversed(range(heap.depth)):
            state.choose(level)
        now = state.total_loss()
        if now < least:
            best, least = state.heap.copy(), now
        if before - now <= LEAST_PROGRESS * abs(before):
            break
        before = now
    return best, least


def total_loss(heap: Heap, sample: Sample, loss: Loss) -> float:
    """Return the loss of a structure at the best values of its leaves."""
    return _sum_of_leaves(leaf_totals(heap, sample)[1], loss)


def _sum_of_leaves(totals: np.ndarray, loss: Loss) -> float:
    return float(loss.of_leaf(totals[:, :-1], totals[:, -1]).sum())


class _State:
    """A structure that is chosen anew, and where its rows are."""

    def __init__(self, heap: Heap, sample: Sample, loss: Loss, bounds: Bounds) -> None:
        self.heap, self.sample, self.loss, self.bounds = heap, sample, loss, bounds
        self.rows = np.arange(sample.n_rows)
        self.above = heap.above(sample)
        """Which rows each split would send right, (n_inner, n_rows)."""
        self.nodes = [np.zeros(sample.n_rows, dtype=np.intp)]
        """Node of each row on each level, the leaves' last."""
        for _ in range(heap.depth):
            self.nodes.append(self._below(self.nodes[-1], self.rows))
        self.seen: list[tuple[np.ndarray, np.ndarray] | None] = [None] * heap.depth
        """Node and cost of each row when a level was chosen last."""
        self.leaves_changed()

    def leaves_changed(self) -> None:
        first = 2**self.heap.depth - 1
        self.totals = totals_of(self.nodes[-1] - first, first + 1, self.sample)
        self.losses: np.ndarray | None = None
        """Of each row in each leaf; None: as the leaves were before."""
        self.settled: set[int] = set()
        """Levels of which no split would be chosen anew."""

    def total_loss(self) -> float:
        return _sum_of_leaves(self.totals, self.loss)

    def _below(self, nodes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return where `rows` that stand at `nodes` are one level below."""
        return np.asarray(2 * nodes + 1 + self.above.take(nodes * self.sample.n_rows + rows))

    def _cost(self, level: int) -> np.ndarray:
        """Return what it costs to send each row left rather than right, (n_rows,)."""
        first = 2**self.heap.depth - 1
        if self.losses is None:
            self.losses = self.loss.of_rows(self.sample.targets, leaf_values(self.totals))
            self.own = self.losses[self.rows, self.nodes[-1] - first]
        is_right = self.nodes[level + 1] % 2 == 0
        other = self.nodes[level + 1] + np.where(is_right, -1, 1)
        for _ in range(self.heap.depth - level - 1):
            other = self._below(other, self.rows)
        saved = self.own - self.losses[self.rows, other - first]
        return np.asarray(self.sample.weights * np.where(is_right, -saved, saved))

    def choose(self, level: int) -> None:
        """Choose the splits of a level anew."""
        if level in self.settled:
            return
        first, n_nodes = 2**level - 1, 2**level
        node, cost = self.nodes[level] - first, self._cost(level)
        changed, before = np.ones(n_nodes, dtype=bool), self.seen[level]
        if before is not None:
            differs = (before[0] != node) | (before[1] != cost)
            changed[:] = False
            changed[node[differs]] = changed[before[0][differs]] = True
        self.seen[level] = node, cost
        self.settled.add(level)
        parts = self.sample.parts(np.flatnonzero(changed))
        better = [chosen for part in parts if len(chosen := self._better(level, part, node, cost))]
        if better:
            self._move(level, np.concatenate(better))

    def _better(self, level: int, numbers: np.ndarray, node: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """Set the splits under which sending rows left costs least, of the nodes `numbers` of a level; return which."""
        sample, heap, bounds, places = self.sample, self.heap, self.bounds, 2**level - 1 + numbers
        gained, there = self._sums(level, numbers, node, cost), heap.feature[places]
        now = gained[np.arange(len(numbers)), heap.place[places], there]
        most = np.where(there == NO_SPLIT, gained[:, -1, 0], now) - LEAST_GAIN * sample.weights.sum()
        gained = np.where(sample.exists, gained, np.inf)
        hopeful = gained.min(axis=(1, 2)) < most  # the bounds are looked at where a split would be better without them
        if not hopeful.any():
            return np.array([], dtype=np.intp)
        gained, most, places = gained[hopeful], most[hopeful], places[hopeful]
        left = self._sums(level, numbers[hopeful], node, sample.real)
        right = left[:, -1:] - left
        gained[(left < bounds.leaf) | (right < bounds.leaf) | (left[:, -1:, :1] < bounds.split)] = np.inf
        ranked = gained.swapaxes(1, 2).reshape(len(places), -1)
        best = ranked.argmin(axis=1)
        better = ranked[np.arange(len(places)), best] < most
        heap.feature[places[better]], heap.place[places[better]] = np.divmod(best[better], sample.width)
        return np.asarray(places[better])

    def _sums(self, level: int, numbers: np.ndarray, node: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the sums of `values` at most at each threshold in some nodes of a level."""
        at = np.full(2**level, -1)
        at[numbers] = np.arange(len(numbers))
        at = at[node]
        rows = np.flatnonzero(at >= 0)
        return self.sample.below(rows, at[rows], len(numbers), values[rows])

    def _move(self, level: int, nodes: np.ndarray) -> None:
        """Send the rows of some nodes of a level where their new splits say."""
        self.above[nodes] = self.heap.above(self.sample, nodes)
        rows = np.flatnonzero(np.isin(self.nodes[level], nodes))
        for below in range(level + 1, self.heap.depth + 1):
            self.nodes[below][rows] = self._below(self.nodes[below - 1][rows], rows)
        self.leaves_changed()


def leaf_values(totals: np.ndarray) -> np.ndarray:
    """Return the best value of each leaf, (n_leaves, n_outputs); an empty leaf has that of all rows."""
    whole, weight = totals.sum(axis=0), totals[:, -1:]
    prior = whole[:-1] / max(whole[-1], np.finfo(np.float64).tiny)
    return np.asarray(np.where(weight > 0, totals[:, :-1] / np.maximum(weight, np.finfo(np.float64).tiny), prior))
