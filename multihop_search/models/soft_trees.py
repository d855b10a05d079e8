"""Soft labels for trees and forests: a regression tree on the class distribution, turned into a classifier.

A regression tree on the targets q of K classes, all in one fit, grows the tree that the classifier would grow on each
row repeated once per class with weight q_c. Its gains are a constant times the classifier's, so `ccp_alpha` and
`min_impurity_decrease` are multiplied by it:

==================  ==================  ======================================================================
criterion           of the twin         its gains, as a part of the classifier's
==================  ==================  ======================================================================
gini                squared_error       1 / K: the variance of a 0/1 output is p (1 - p), its mean over K outputs
                                        Gini / K; with 2 classes one output is enough, and 1 / 2 of Gini
entropy, log_loss   poisson             log(2) / K: the deviance sum_c q_c log(q_c / p_c) of a node is its entropy
                                        in nats less those of its rows, which no split changes
==================  ==================  ======================================================================

No row is repeated, so sizes that count rows keep their meaning. The Poisson criterion forbids a child in which an
output sums to 0, so a share of `TRACE` is added to every class and taken off again. Before scikit-learn 1.9 it
miscounts missing values (its issue 32870): there entropy takes row repetition.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sklearn
from scipy.special import entr
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from multihop_search.compat.sklearn import hand_over_bags, nodes_of, tree_of
from multihop_search.models.base import none_if_equal

REGRESSORS: dict[type, type] = {
    DecisionTreeClassifier: DecisionTreeRegressor,
    ExtraTreeClassifier: ExtraTreeRegressor,
    RandomForestClassifier: RandomForestRegressor,
    ExtraTreesClassifier: ExtraTreesRegressor,
}
"""Classifiers that can be taught soft labels by their regression twin. Exact classes: a subclass may override `fit`."""
TWIN_CRITERION = {"gini": "squared_error"}
"""Criterion of the regression twin."""
if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9):
    TWIN_CRITERION |= {"entropy": "poisson", "log_loss": "poisson"}
TRACE = 2.0**-30
"""Share of every class that the Poisson criterion is shown beside the targets; a power of 2: sums are exact."""


def takes_regression_route(estimator: Any, n_classes: int) -> bool:
    """Return whether soft labels reach `estimator` by its regression twin.

    scikit-learn takes monotonic constraints for one output of the squared error only.
    """
    if type(estimator) not in REGRESSORS or estimator.criterion not in TWIN_CRITERION:
        return False
    return estimator.monotonic_cst is None or (n_classes == 2 and estimator.criterion == "gini")


def fit_on_distribution(
    estimator: Any, X: Any, targets: np.ndarray, weights: np.ndarray | None, labels: np.ndarray
) -> Any:
    """Fit a clone of `estimator` to class distributions `targets` (n_rows, n_classes); labels are its classes."""
    n_classes, is_gini = len(labels), estimator.criterion == "gini"
    gain = (1.0 if is_gini else math.log(2.0)) / n_classes
    params = estimator.get_params(deep=False)
    twin = REGRESSORS[type(estimator)]()
    shared = {name: params[name] for name in twin.get_params(deep=False) if name in params}
    shared["criterion"] = TWIN_CRITERION[estimator.criterion]
    shared["ccp_alpha"] = params["ccp_alpha"] * gain
    shared["min_impurity_decrease"] = params["min_impurity_decrease"] * gain
    if "oob_score" in shared:
        shared["oob_score"] = False
    twin.set_params(**shared)
    outputs = (targets[:, 1] if n_classes == 2 else targets) if is_gini else targets + TRACE
    twin.fit(X, outputs, sample_weight=none_if_equal(weights))
    return _as_classifier(clone(estimator), twin, labels)


def _as_classifier(model: Any, twin: Any, labels: np.ndarray) -> Any:
    model.classes_, model.n_classes_, model.n_outputs_ = labels, len(labels), 1
    model.n_features_in_ = twin.n_features_in_
    if hasattr(twin, "feature_names_in_"):
        model.feature_names_in_ = twin.feature_names_in_
    if hasattr(twin, "tree_"):
        model.max_features_ = twin.max_features_
        model.tree_ = _classifier_tree(twin.tree_, model.criterion)
        return model
    model.estimator_ = type(model)().estimator
    codes = np.arange(len(labels), dtype=np.float64)
    params = {name: getattr(model, name) for name in model.estimator_params}
    model.estimators_ = [
        _as_classifier(clone(model.estimator_).set_params(**{**params, "random_state": tree.random_state}), tree, codes)
        for tree in twin.estimators_
    ]
    hand_over_bags(twin, model)
    return model


def _classifier_tree(tree: Any, criterion: str) -> Any:
    values = tree.value[:, :, 0]  # (n_nodes, n_outputs)
    if values.shape[1] == 1:
        values = np.column_stack([1.0 - values[:, 0], values[:, 0]])
    if criterion != "gini":
        values = np.where(values < 2 * TRACE, 0.0, values - TRACE)
    values = np.clip(values, 0.0, 1.0)
    values /= values.sum(axis=1, keepdims=True)
    nodes = nodes_of(tree)  # with the impurity that the classifier reports: Gini, or entropy in bits
    gini = criterion == "gini"
    nodes["impurity"] = 1.0 - (values**2).sum(axis=1) if gini else entr(values).sum(axis=1) / math.log(2.0)
    return tree_of(tree.n_features, nodes, values, tree.max_depth)
