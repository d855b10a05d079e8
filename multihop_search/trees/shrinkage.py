"""Hierarchical shrinkage: each node's step away from its parent is shortened, the more the fewer rows the parent has.

The value of a node below the root becomes

    shrunk parent + (value - parent's value) / (1 + strength / N(parent))

with N the number of rows of a node, in units of weight. So every value is a mean of those of the nodes above and its
own, and probabilities stay probabilities. The structure, the impurities and the counts of rows stay as they were.

The strength is chosen without a fit for each: trees that are fitted in the same way on a part of the rows tell, for
every strength at once, what they lose on the rows that they did not see.

References
----------
Agarwal, Tan, Ronen, Singh and Yu, "Hierarchical shrinkage: improving the accuracy and interpretability of tree-based
models", ICML 2022, arXiv:2202.00858. There the strength is chosen by cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from multihop_search.compat.sklearn import Tree, safe_indexing
from multihop_search.trees.losses import SMALLEST
from multihop_search.trees.scale import Scale

AUTO = "auto"
"""The strength is chosen in each fit."""
STRENGTHS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 200.0, 350.0, 500.0)
"""Strengths that are compared; 0: no shrinkage."""
N_PARTS = 3
"""Parts of the rows that are left out in turn: with five no strength was better on fresh rows."""
FEW_CANDIDATES = 10
"""Candidates of a split in the trees that choose the strength: these cost a fifth of a tree with 40."""
ROUNDING = 10
"""Digits of a loss that count: of strengths that differ only in what comes behind, the least is taken."""


def shrunk(parents: np.ndarray, counts: np.ndarray, values: np.ndarray, strength: float) -> np.ndarray:
    """Return the values of the nodes of a tree under hierarchical shrinkage, (n_nodes, n_outputs).

    Parameters
    ----------
    parents : ndarray of shape (n_nodes,)
        Number of the node above each, smaller than its own; -1 for the root.
    counts : ndarray of shape (n_nodes,)
        Rows of each node, or their weight; only those of nodes with children are read.
    values : ndarray of shape (n_nodes, n_outputs)
        Means of the targets.
    strength : float
        0: the values as they are; infinite: that of the root everywhere.

    Examples
    --------
    >>> shrunk(np.array([-1, 0, 0]), np.array([10, 5, 5]), np.array([[0.5], [0.0], [1.0]]), 10.0).ravel().tolist()
    [0.5, 0.25, 0.75]
    """
    return np.asarray(_shrunk(parents, counts, values, [strength])[0])


def _shrunk(parents: np.ndarray, counts: np.ndarray, values: np.ndarray, strengths: Sequence[float]) -> np.ndarray:
    """Return the same for several strengths, (n_strengths, n_nodes, n_outputs)."""
    values, several = values.astype(np.float64), np.array(strengths)[:, None]
    result = np.repeat(values[None], len(strengths), axis=0)
    for level in _levels(parents)[1:]:
        above = parents[level]
        share = counts[above] / (counts[above] + several)
        result[:, level] = result[:, above] + (values[level] - values[above]) * share[..., None]
    result[several[:, 0] == 0] = values
    return result


def parents_of(tree: Tree) -> np.ndarray:
    """Return the number of the node above each node, (n_nodes,), -1 for the root."""
    parents = np.full(tree.node_count, -1, dtype=np.intp)
    for children in (tree.children_left, tree.children_right):
        inner = np.flatnonzero(children >= 0)
        parents[children[inner]] = inner
    return parents


def counts_of(tree: Tree, n_rows: float) -> np.ndarray:
    """Return the rows of each node, (n_nodes,): its share of the weight, in units in which all weigh `n_rows`.

    So the scale of the weights plays no part. Rows without a true label share the weight of the real ones.
    """
    weight = tree.weighted_n_node_samples
    return np.asarray(weight * (n_rows / weight[0]))


def shrink(tree: Tree, n_rows: float, strength: float) -> None:
    """Shrink the values of a tree in place.

    Parameters
    ----------
    tree : Tree
        Of one target.
    n_rows : float
        Real rows of positive weight that it was fitted on.
    strength : float
        0: it stays as it is.
    """
    if strength > 0:
        values = shrunk(parents_of(tree), counts_of(tree, n_rows), tree.value[:, 0], strength)
        if values.shape[1] > 1:
            values /= values.sum(axis=1, keepdims=True)
        tree.value[:, 0] = values


def losses_of(
    tree: Tree,
    n_rows: float,
    leaves: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    *,
    columns: np.ndarray | None,
    scale: Scale | None,
) -> np.ndarray:
    """Return what a tree loses on rows that it was not fitted on, for each of `STRENGTHS`: a weighted sum.

    The loss is the cross-entropy with probabilities of at least 0.001, or in regression the squared error.

    Parameters
    ----------
    tree : Tree
        Not shrunk.
    n_rows : float
        Real rows of positive weight that it was fitted on.
    leaves : ndarray of shape (n_held_out,)
        Node that each row ends in.
    targets : ndarray of shape (n_held_out, n_outputs)
        Class distributions, or values as `scale` has standardised them.
    weights : ndarray of shape (n_held_out,)
        Of the rows.
    columns : ndarray or None
        Which classes, as columns of the targets, the tree's outputs are; None in regression.
    scale : Scale or None
        In regression, of the values.
    """
    node, place = np.unique(leaves, return_inverse=True)
    weight = np.bincount(place, weights=weights)
    sums = np.column_stack([np.bincount(place, weights=weights * column) for column in targets.T])
    parents, counts = parents_of(tree), counts_of(tree, n_rows)
    means = tree.value[:, 0] if scale is None else scale.standardised(tree.value[:, 0])
    values = _shrunk(parents, counts, means, STRENGTHS)[:, node]
    if columns is None:  # without the squares of the targets, which no strength changes
        of_nodes = weight * values[..., 0] ** 2 - 2 * sums[:, 0] * values[..., 0]
    else:
        shares = np.zeros((len(STRENGTHS), *sums.shape))
        shares[..., columns] = values
        of_nodes = -(sums * np.log(np.maximum(shares, SMALLEST)))
    return np.asarray(of_nodes.reshape(len(STRENGTHS), -1).sum(axis=1))


def least(losses: np.ndarray, scale: float) -> float:
    """Return the strength of the least loss.

    Parameters
    ----------
    losses : ndarray of shape (n_strengths,)
        In the order of `STRENGTHS`.
    scale : float
        Size of a loss: differences below its tenth digit are rounding.

    Examples
    --------
    >>> least(np.arange(14.0)[::-1], 1.0), least(np.zeros(14), 1.0)
    (500.0, 0.0)
    """
    scale = scale if scale > 0 else 1.0
    return STRENGTHS[int(np.round(losses / scale, ROUNDING).argmin())]


def _levels(parents: np.ndarray) -> list[np.ndarray]:
    """Return the nodes of each level, the root's first."""
    depth = np.zeros(len(parents), dtype=np.intp)
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            depth[node] = depth[parent] + 1
    order = np.argsort(depth, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)


@dataclass(frozen=True, kw_only=True)
class CrossFits:
    """The real rows of a fit, and fits of trees on a part of them: what the strength is chosen by."""

    X: Any
    """(n_rows, n_features)."""
    targets: np.ndarray
    """Class distributions (n_rows, n_classes), or values (n_rows, 1)."""
    weights: np.ndarray
    """(n_rows,)."""
    labels: np.ndarray | None
    """Of the classes, in the order of the targets; None in regression."""
    parts: Sequence[np.ndarray]
    """Rows that belong together, by number; fewer than two: they are drawn."""
    fit_on: Callable[[np.ndarray], Any]
    """Returns a tree that is fitted in the same way on the rows of these numbers."""
    has_synthetic: bool = False
    """Whether the tree that is to be shrunk is fitted on synthetic rows too."""

    @property
    def n_rows(self) -> int:
        """Rows of positive weight: one of weight 0 is a removed one."""
        return int(np.count_nonzero(self.weights))

    def strength(self, random_state: int | None = None) -> float:
        """Return the strength under which trees lose least on rows that they were not fitted on.

        Beside synthetic rows it is 0: an upper model labelled them, so the means of the nodes have little noise, and no
        strength was better on fresh rows.
        """
        losses = np.zeros(len(STRENGTHS))
        for held_out in [] if self.has_synthetic else self._held_out(random_state):
            losses += self.losses(held_out)
        return least(losses, float(self.weights.sum()))

    def losses(self, held_out: np.ndarray) -> np.ndarray:
        """Return what a tree that is fitted on the other rows loses on these, for each strength."""
        others = np.setdiff1d(np.arange(len(self.weights)), held_out)
        model, scale, targets = self.fit_on(others), None, self.targets
        if self.labels is None:
            scale = Scale.of(targets, self.weights)
            targets = scale.standardised(targets)
        return losses_of(
            model.tree_,
            int(np.count_nonzero(self.weights[others])),
            model.apply(safe_indexing(self.X, held_out)),
            targets[held_out],
            self.weights[held_out],
            columns=None if self.labels is None else np.searchsorted(self.labels, model.classes_),
            scale=scale,
        )

    def _held_out(self, random_state: int | None) -> list[np.ndarray]:
        """Return `N_PARTS` parts of the rows that count; none where there are too few."""
        counted, parts = np.flatnonzero(self.weights), self.parts
        if len(parts) < 2:
            parts = np.array_split(np.random.default_rng(random_state).permutation(counted), N_PARTS)
        joined = [np.concatenate(parts[start::N_PARTS]) for start in range(min(len(parts), N_PARTS))]
        counting = (np.intersect1d(part, counted) for part in joined)
        return [part for part in counting if 0 < len(part) < len(counted)]


def shrinkage_refusal(model: Any) -> str:
    """Return why the fit of a model by its class cannot be shrunk, "" if it can.

    Examples
    --------
    >>> shrinkage_refusal(DecisionTreeClassifier(max_depth=4))
    ''
    """
    if type(model) not in (DecisionTreeClassifier, ExtraTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor):
        return f"{type(model).__name__} is no DecisionTree* or ExtraTree*"
    if model.criterion == "absolute_error":
        return "criterion='absolute_error' fits medians, shrinkage is for means"
    return ""
