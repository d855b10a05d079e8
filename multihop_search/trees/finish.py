"""From a structure to scikit-learn's tree: bounds kept on all rows, leaves valued, the user's class filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multihop_search.compat.sklearn import Tree, node_type, tree_of
from multihop_search.trees.heap import NO_SPLIT, Heap, leaf_totals
from multihop_search.trees.lookahead import Bounds
from multihop_search.trees.losses import Loss
from multihop_search.trees.sample import Sample

LEAF = -1
UNDEFINED = -2
TINY = np.finfo(np.float64).tiny


@dataclass(kw_only=True)
class _Nodes:
    """The nodes of a tree, parents first."""

    X: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    n_real: int
    thresholds: Sequence[np.ndarray]
    bounds: Bounds
    smoothing: float
    has_variances: bool
    """Whether impurities are variances, of targets (n_rows, 1)."""
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    means: list[np.ndarray] = field(default_factory=list)
    """Of the targets, without smoothing."""

    def add(self, heap: Heap, place: int, rows: np.ndarray, parent: np.ndarray | None, depth: int = 0) -> int:
        """Add what stands at `place` for `rows`, and what is below it; return its number."""
        if place < len(heap.feature):
            split = self._split(heap, place, rows)
            if isinstance(split, int):  # a split that the bounds do not allow: all rows go one way
                return self.add(heap, split, rows, parent, depth)
            if split is not None:
                number, value = self._append(rows, parent, depth)
                feature, threshold, left, right = split
                below = (
                    self.add(heap, 2 * place + 1, left, value, depth + 1),
                    self.add(heap, 2 * place + 2, right, value, depth + 1),
                )
                self.rows[number] = (*below, feature, threshold, *self.rows[number][4:])
                return number
        return self._append(rows, parent, depth)[0]

    def _split(self, heap: Heap, place: int, rows: np.ndarray) -> Any:
        """Return feature, threshold and both sides; or the only child that rows go to; or None for a leaf."""
        feature = int(heap.feature[place])
        if feature == NO_SPLIT:
            return 2 * place + 1
        if self._n_real(rows) < self.bounds.split:
            return None
        threshold = self.thresholds[feature][heap.place[place]]
        at_most = self.X[rows, feature].astype(np.float64) <= threshold  # as in C; numpy 1 would round the threshold
        left, right = rows[at_most], rows[~at_most]
        real = [self._n_real(side) for side in (left, right)]
        if min(real) < self.bounds.leaf:
            return 2 * place + 1 + int(real[1] > real[0])
        return feature, threshold, left, right

    def _n_real(self, rows: np.ndarray) -> int:
        return int(rows.searchsorted(self.n_real))  # they ascend

    def _append(self, rows: np.ndarray, parent: np.ndarray | None, depth: int) -> tuple[int, np.ndarray]:
        weights, targets = self.weights[rows], self.targets[rows]
        weight, total = float(weights.sum()), weights @ targets
        if parent is None:
            value = total / weight
        else:
            value = (total + self.smoothing * parent) / max(weight + self.smoothing, TINY)
        mean, variance = total / weight if weight > 0 else value, 0.0
        if weight > 0 and self.has_variances:
            variance = max(float(weights @ targets[:, 0] ** 2) / weight - float((mean**2).sum()), 0.0)
        self.rows.append((LEAF, LEAF, UNDEFINED, float(UNDEFINED), variance, self._n_real(rows), weight, depth))
        self.values.append(value)
        self.means.append(mean)
        return len(self.rows) - 1, value


def finished_tree(
    heap: Heap,
    sample: Sample,
    X: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    *,
    n_real: int,
    bounds: Bounds,
    smoothing: float,
    entropy: bool | None,
) -> Tree:
    """Return scikit-learn's tree of a structure, its bounds kept on all rows and its leaves valued by them.

    A node's value is ``(W mean + m parent's value) / (W + m)``: the mean target of its rows, of weight W, shrunk to the
    value of the node above as if a weight of `smoothing` = m had it. A search's weights sum to the number of its
    real rows (mean 1 without synthetic ones) unless the user's differ.

    Parameters
    ----------
    heap : Heap
        Over the thresholds of `sample`.
    sample : Sample
        What it was grown on.
    X : ndarray of shape (n_rows, n_features), float32
        All rows, the `n_real` real ones first.
    targets : ndarray of shape (n_rows, n_outputs)
        Class distributions, or values.
    weights : ndarray of shape (n_rows,)
        Of the rows.
    n_real : int
        Leaf sizes count these.
    bounds : Bounds
        What the tree must keep.
    smoothing : float
        m, in units of weight.
    entropy : bool or None
        Whether impurities are shown as entropy or as Gini; None in regression, where they are variances.
    """
    nodes = _Nodes(
        X=X,
        targets=targets,
        weights=weights,
        n_real=n_real,
        thresholds=sample.thresholds,
        bounds=bounds,
        smoothing=smoothing,
        has_variances=entropy is None,
    )
    nodes.add(heap, 0, np.arange(len(X)), None)
    values = np.stack(nodes.values)
    table = np.zeros(len(nodes.rows), dtype=node_type())
    names = ("left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples")
    for name, column in zip((*names, "weighted_n_node_samples"), zip(*nodes.rows, strict=True), strict=False):
        table[name] = column
    inner = np.flatnonzero(table["left_child"] != LEAF)
    left, right = (table["n_node_samples"][table[side][inner]] for side in ("left_child", "right_child"))
    table["missing_go_to_left"][inner] = left > right  # as scikit-learn: where more rows of training went
    if entropy is not None:
        values = np.clip(values, 0.0, 1.0)
        values /= values.sum(axis=1, keepdims=True)
        means = np.clip(np.stack(nodes.means), 0.0, 1.0)  # of smoothed values an importance could be negative
        log = np.log2(np.maximum(means, TINY))
        table["impurity"] = -(means * log).sum(axis=1) if entropy else 1.0 - (means**2).sum(axis=1)
    return tree_of(X.shape[1], table, values, max(row[-1] for row in nodes.rows))


def loss_of(tree: Tree, loss: Loss, X: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the loss of a finished tree, the weighted sum over rows, under the values of its leaves.

    Every loss is affine in the targets, so the mean target of a leaf's rows stands for them.
    """
    leaf, values = tree.apply(X), tree.value[:, 0, :]
    weight = np.bincount(leaf, weights=weights, minlength=len(values))
    sums = [np.bincount(leaf, weights=weights * column, minlength=len(values)) for column in targets.T]
    reached = np.flatnonzero(weight)
    means = np.column_stack(sums)[reached] / weight[reached, None]
    return float(weight[reached] @ np.diagonal(loss.of_rows(means, values[reached])))


def with_fewer_leaves(heap: Heap, sample: Sample, loss: Loss, most: int | None) -> Heap:
    """Return the structure cut, twig by twig, where it costs least, until it has at most so many leaves."""
    heap, n_inner = heap.copy(), len(heap.feature)
    if most is None:
        return heap
    totals = np.zeros((2 * n_inner + 1, sample.totals.shape[1]))
    totals[n_inner:] = leaf_totals(heap, sample)[1]
    for node in reversed(range(n_inner)):
        totals[node] = totals[2 * node + 1] + totals[2 * node + 2]
    cost = loss.of_leaf(totals[:, :-1], totals[:, -1])
    inner = np.arange(n_inner)
    rise = cost[inner] - cost[2 * inner + 1] - cost[2 * inner + 2]
    while (n_splits := _splits_below(heap))[0] + 1 > most:
        twig = (n_splits[:n_inner] == 1) & (heap.feature != NO_SPLIT)
        heap.feature[np.where(twig, rise, np.inf).argmin()] = NO_SPLIT
    return heap


def _splits_below(heap: Heap) -> np.ndarray:
    """Return how many splits stand at and below each place, leaves too, (2**(depth + 1) - 1,)."""
    count = np.concatenate([(heap.feature != NO_SPLIT).astype(int), np.zeros(len(heap.feature) + 1, dtype=int)])
    for level in reversed(range(heap.depth)):
        here = np.arange(2**level - 1, 2 ** (level + 1) - 1)
        count[here] += count[2 * here + 1] + count[2 * here + 2]
    return count
