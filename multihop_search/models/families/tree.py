"""Decision trees of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from sklearn.tree import (
    BaseDecisionTree,
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from multihop_search.models.base import Family, Route
from multihop_search.models.formula import (
    Cases,
    Feature,
    Leaf,
    Scores,
    Split,
    Tree,
    at_most,
    at_most_integer,
    check_levels,
    split_of_categories,
    split_of_numbers,
)
from multihop_search.models.portrayal import OneTree, Portrayal
from multihop_search.models.soft_trees import fit_on_distribution, takes_regression_route

CLASSIFIERS = (DecisionTreeClassifier, ExtraTreeClassifier)
REGRESSORS = (DecisionTreeRegressor, ExtraTreeRegressor)
LARGEST_LEAF = 64
PRUNING_SHARES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Choices of `ccp_alpha`: shares of the impurity at most 1 of classes, or of the target's variance."""
CRITERION = CategoricalDistribution(("gini", "entropy"))
LEAF_SIZE = IntDistribution(1, LARGEST_LEAF, log=True)


def twin_route(model: Any, n_classes: int) -> Route | None:
    """Return the route by the regression twin of a tree or a forest, None where it has none."""
    return Route("regression", fit_on_distribution) if takes_regression_route(model, n_classes) else None


def tree_of_formula(tree: Any, features: Sequence[Feature]) -> Tree:
    """Read a `Tree` of scikit-learn; it compares single-precision features with double-precision thresholds.

    Raises
    ------
    UnsuitableModel
        If it is too deep.
    """
    check_levels(tree.max_depth)
    numbers, weight = count(1), tree.weighted_n_node_samples

    def read(node: int) -> Split | Leaf:
        sides = tree.children_left[node], tree.children_right[node]
        if sides[0] == -1:
            return Leaf(tuple(tree.value[node, 0].tolist()), float(weight[node] / weight[0]), next(numbers))
        feature, bound = features[tree.feature[node]], float(tree.threshold[node])
        missing_left = bool(tree.missing_go_to_left[node])
        if isinstance(feature, Cases):
            return split_of_categories(feature, lambda at: float(np.float32(at)) <= bound, missing_left, read, sides)
        bound = at_most(bound)
        return split_of_numbers(feature, bound if feature.steps else at_most_integer(bound), missing_left, read, sides)

    return Tree(read(0))


class DecisionTree(Family):
    """`DecisionTree*` and `ExtraTree*`; a class derived from one is read like it, and fitted by its own `fit`."""

    has_formula = True

    def matches(self, model: Any) -> bool:
        return isinstance(model, BaseDecisionTree)

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if type(model) in CLASSIFIERS:
            return {
                "criterion": CRITERION,
                "min_samples_leaf": LEAF_SIZE,
                "ccp_alpha": CategoricalDistribution(PRUNING_SHARES),
            }
        if type(model) in REGRESSORS:  # their `ccp_alpha` is in squared units of the target
            choices = tuple(share * variance for share in PRUNING_SHARES)
            return {"min_samples_leaf": LEAF_SIZE, "ccp_alpha": CategoricalDistribution(choices)}
        return {}

    def planned_trees(self, model: Any, n_outputs: int) -> int:
        return 1

    def soft_labels(self, model: Any, n_classes: int, n_present: int) -> Route | None:
        return twin_route(model, n_classes)

    def count_rows(self, model: Any, X: Any) -> None:
        model.tree_.n_node_samples[:] = np.asarray(model.decision_path(X).sum(axis=0)).ravel()

    def portrayal(self, model: Any) -> Portrayal:
        return OneTree(model.tree_) if model.tree_.n_outputs == 1 else super().portrayal(model)

    def formula(self, model: Any, features: Sequence[Feature]) -> Scores:
        return mean_of_trees([model.tree_], features)


def mean_of_trees(trees: Sequence[Any], features: Sequence[Feature]) -> Scores:
    """Return the mean of `Tree`s of scikit-learn as a formula."""
    read = tuple(tree_of_formula(tree, features) for tree in trees)
    return Scores("identity", (0.0,) * trees[0].value.shape[2], read, divisor=len(read))
