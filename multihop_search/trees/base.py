"""The base of tree fits: how a tree student is fitted to a transfer set, as a frozen recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import validate_data

from multihop_search.compat.sklearn import Tree
from multihop_search.recipe import Recipe, check_field
from multihop_search.trees.finish import finished_tree, loss_of, with_fewer_leaves
from multihop_search.trees.heap import Heap
from multihop_search.trees.lookahead import Bounds
from multihop_search.trees.losses import LOSSES, Loss
from multihop_search.trees.sample import MOST_ROWS, Sample, make_sample
from multihop_search.trees.scale import Scale
from multihop_search.trees.shrinkage import AUTO, CrossFits, shrink

DEEPEST = 8
"""Largest `max_depth` that is served: structures are held as heaps, whose size doubles with each level."""
MOST_LEAVES = 64
"""Largest `max_leaf_nodes` under which a deeper bound is served too: by a tree of at most `DEEPEST` levels."""
KEPT = frozenset({"max_depth", "max_leaf_nodes", "min_samples_leaf", "min_samples_split", "class_weight"})
"""Parameters that every fit of ours keeps."""
UNUSED = frozenset({"random_state", "criterion"})
"""Parameters that bound nothing."""


@dataclass(frozen=True)
class TreeFit(Recipe):
    """Base of the fits of a tree student: it grows a structure, and the user's class is filled with it.

    A fit of your own is a frozen dataclass with one method, `structure`. What comes back predicts, pickles, plots and
    exports like any other tree of its class, and keeps `max_depth`, `max_leaf_nodes`, `min_samples_leaf` (real rows in
    each leaf) and `min_samples_split`; leaves are valued by their mean target, see `finished_tree`. Where it has a
    field `restarts` and there are more rows than a structure is grown on (4,000), so many more are grown, each on other
    rows; the tree with the least loss on the whole transfer set is kept.
    """

    own: ClassVar[bool] = False
    """Whether the structure is that of the class's own fit."""
    unused: ClassVar[frozenset[str]] = frozenset({"criterion", "ccp_alpha"})
    """Parameters of the student that play no part."""

    def __post_init__(self) -> None:
        if getattr(self, "shrinkage", 0.0) is None:
            object.__setattr__(self, "shrinkage", 0.0)

    def check(self) -> None:
        if hasattr(self, "shrinkage") and self.shrinkage != AUTO:
            check_field(self, "shrinkage", 0, np.inf)

    @property
    def shrinks(self) -> bool:
        """Whether values are shrunk, or may be: `shrinkage` is neither 0 nor absent."""
        return bool(getattr(self, "shrinkage", 0.0) != 0)

    @property
    def is_usual(self) -> bool:
        """Whether it is what the class does by itself."""
        return self.own and not self.shrinks

    @property
    def name(self) -> str:
        return type(self).__name__ + ("+shrinkage" if self.shrinks else "")

    def shrink(self, model: Any, **rows: Any) -> None:
        """Shrink the tree of a model that has been fitted, in place; `rows` are the fields of `CrossFits`."""
        shrinkage, fits = getattr(self, "shrinkage", 0.0), CrossFits(**rows)
        shrink(model.tree_, fits.n_rows, fits.strength(model.random_state) if shrinkage == AUTO else shrinkage)

    def structure(self, sample: Sample, loss: Loss, bounds: Bounds, rng: np.random.Generator) -> Heap:
        """Return the structure of a tree on a sample.

        Parameters
        ----------
        sample : Sample
            Rows, their places among candidate thresholds, targets and weights.
        loss : Loss
            What is to be small.
        bounds : Bounds
            Depth, leaf sizes and number of leaves; what is returned is cut to fit them.
        rng : Generator
            The only source of chance.
        """
        raise NotImplementedError

    def loss_for(self, regression: bool) -> Loss:
        """Return the loss of the task."""
        return LOSSES["squared" if regression else getattr(self, "loss", "log-loss")]

    def in_fold(self) -> TreeFit:
        """Return the fit as a search judges it: without `restarts`, which only take luck out of the tree of the refit.

        So folds cost a tenth, and what is claimed is not more than what is deployed.
        """
        return replace(self, restarts=0) if getattr(self, "restarts", 0) else self  # type: ignore[call-arg]

    def n_trees(self, n_rows: int) -> int:
        """Return how many trees a fit on so many rows grows, of which the best is kept."""
        return 1 + (getattr(self, "restarts", 0) if n_rows > MOST_ROWS else 0)

    def for_cross_fits(self) -> TreeFit:
        """Return the fit of the trees that choose the strength of shrinkage: not shrunk, and as cheap as will do."""
        return replace(self.in_fold(), shrinkage=0.0)  # type: ignore[call-arg]

    def fit(
        self, model: Any, X: Any, targets: np.ndarray, weights: np.ndarray, n_real: int, labels: np.ndarray | None
    ) -> Any:
        """Fill `model` with a tree grown on a finished transfer set, real rows first, and return it.

        Raises
        ------
        ValueError
            If X has missing values.
        """
        rows = validate_data(model, X, dtype=np.float32)
        counted = weights > 0  # a row of weight 0 is a removed one: no threshold, no size of a leaf hangs on it
        if not counted.all():
            rows, targets, weights = rows[counted], targets[counted], weights[counted]
            n_real = int(np.count_nonzero(counted[:n_real]))
        rng = np.random.default_rng(model.random_state)
        bounds = bounds_of(model, n_real)
        scale = None if labels is not None else Scale.of(targets, weights)
        targets = targets if scale is None else scale.standardised(targets)
        loss = self.loss_for(labels is None)
        smoothing, entropy = getattr(self, "smoothing", 0.0), None if labels is None else model.criterion != "gini"

        def tree(start: int) -> Tree:
            sample = make_sample(rows, targets, weights, n_real, rng, start)
            share = float(sample.counted.sum()) / n_real
            grown = self.structure(sample, loss, bounds.on_share(share), rng)
            heap = with_fewer_leaves(grown, sample, loss, bounds.leaves)
            return finished_tree(
                heap,
                sample,
                rows,
                targets,
                weights,
                n_real=n_real,
                bounds=bounds,
                smoothing=smoothing,
                entropy=entropy,
            )

        first, *others = [tree(start) for start in range(self.n_trees(len(rows)))]
        model.tree_ = (
            min([first, *others], key=lambda one: loss_of(one, loss, rows, targets, weights)) if others else first
        )
        if scale is not None:
            model.tree_ = scale.restored(model.tree_)
        model.n_outputs_, model.max_features_ = 1, rows.shape[1]
        if labels is not None:
            model.classes_, model.n_classes_ = labels, len(labels)
        return model


def bounds_of(model: Any, n_real: int) -> Bounds:
    """Return the bounds of a scikit-learn tree that is to be fitted on so many real rows."""

    def count(size: Any) -> int:
        return math.ceil(size * n_real) if isinstance(size, (float, np.floating)) else int(size)

    depth, leaves = model.max_depth or DEEPEST, model.max_leaf_nodes
    depth = depth if leaves is None else min(depth, DEEPEST, leaves - 1)
    return Bounds(depth, count(model.min_samples_leaf), max(2, count(model.min_samples_split)), leaves)


def refusal(model: Any, searched: Mapping[str, BaseDistribution] = MappingProxyType({})) -> str:
    """Return why our fits cannot serve a student, "" if they can.

    `searched` holds what is searched of its parameters.

    Examples
    --------
    >>> refusal(DecisionTreeClassifier(max_depth=4)), refusal(DecisionTreeClassifier())
    ('', 'max_depth must be between 1 and 8, or max_leaf_nodes at most 64')
    """
    if type(model) not in (DecisionTreeClassifier, DecisionTreeRegressor):
        return f"{type(model).__name__} is no DecisionTreeClassifier or DecisionTreeRegressor"
    depths = _ends(searched["max_depth"]) if "max_depth" in searched else (model.max_depth,)
    shallow = all(depth is not None and 1 <= depth <= DEEPEST for depth in depths)
    if not shallow and (model.max_leaf_nodes is None or model.max_leaf_nodes > MOST_LEAVES):
        return f"max_depth must be between 1 and {DEEPEST}, or max_leaf_nodes at most {MOST_LEAVES}"
    usual = type(model)().get_params()
    moved = [name for name in searched if name not in KEPT | UNUSED | TreeFit.unused]
    moved += [
        name
        for name, value in model.get_params().items()
        if name not in KEPT | UNUSED and np.any(value != usual[name])  # monotonic_cst may be an array
    ]
    if moved:
        return f"{moved[0]} is not kept by them"
    if isinstance(model, DecisionTreeRegressor) and model.criterion != "squared_error":
        return f"criterion={model.criterion!r} is not kept by them"
    return ""


def _ends(distribution: Any) -> tuple[Any, ...]:
    return tuple(getattr(distribution, "choices", None) or (distribution.low, distribution.high))
