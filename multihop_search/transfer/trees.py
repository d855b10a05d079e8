"""Soft labels for trees and forests: a regression tree on the class distribution, turned into a classifier.

A regression tree on the targets q minimises, per split, the summed variance of the class probabilities; for one-hot
targets this is Gini divided by the number of classes K (exactly 1/K for the mean over K outputs, and 1/2 = 1/K for one
output with 2 classes). So the same tree grows as with `criterion="gini"`, no row is repeated, `min_samples_leaf` keeps
its meaning, and `ccp_alpha` and `min_impurity_decrease` are divided by K.

The `Tree` of scikit-learn is rebuilt through `__setstate__`, as pickle does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from sklearn.tree._tree import Tree

REGRESSORS: dict[type, type] = {
    DecisionTreeClassifier: DecisionTreeRegressor,
    ExtraTreeClassifier: ExtraTreeRegressor,
    RandomForestClassifier: RandomForestRegressor,
    ExtraTreesClassifier: ExtraTreesRegressor,
}
"""Classifiers that can be taught soft labels by their regression twin. Exact classes: a subclass may override `fit`."""


def takes_regression_route(estimator: Any, n_classes: int) -> bool:
    """Return whether soft labels reach `estimator` by its regression twin.

    Only Gini has such a twin, and scikit-learn takes monotonic constraints for one output only.
    """
    if type(estimator) not in REGRESSORS or estimator.criterion != "gini":
        return False
    return n_classes == 2 or estimator.monotonic_cst is None


def fit_on_distribution(
    estimator: Any, X: Any, targets: np.ndarray, weights: np.ndarray | None, labels: np.ndarray
) -> Any:
    """Fit a clone of `estimator` to class distributions `targets` (n_rows, n_classes); labels are its classes."""
    n_classes = len(labels)
    twin_class = REGRESSORS[type(estimator)]
    params = estimator.get_params(deep=False)
    twin = twin_class(criterion="squared_error")
    shared = {name: params[name] for name in twin.get_params(deep=False) if name in params and name != "criterion"}
    shared["ccp_alpha"] = params["ccp_alpha"] / n_classes
    shared["min_impurity_decrease"] = params["min_impurity_decrease"] / n_classes
    if "oob_score" in shared:
        shared["oob_score"] = False
    twin.set_params(**shared)
    twin.fit(X, targets[:, 1] if n_classes == 2 else targets, sample_weight=weights)
    return _as_classifier(clone(estimator), twin, labels)


def _as_classifier(model: Any, twin: Any, labels: np.ndarray) -> Any:
    model.classes_, model.n_classes_, model.n_outputs_ = labels, len(labels), 1
    model.n_features_in_ = twin.n_features_in_
    if hasattr(twin, "feature_names_in_"):
        model.feature_names_in_ = twin.feature_names_in_
    if hasattr(twin, "tree_"):
        model.max_features_ = twin.max_features_
        model.tree_ = _classifier_tree(twin.tree_, len(labels))
        return model
    model.estimator_ = type(model)().estimator
    codes = np.arange(len(labels), dtype=np.float64)
    params = {name: getattr(model, name) for name in model.estimator_params}
    model.estimators_ = [
        _as_classifier(clone(model.estimator_).set_params(**{**params, "random_state": tree.random_state}), tree, codes)
        for tree in twin.estimators_
    ]
    for name, value in vars(twin).items():
        if name.startswith("_"):  # what `estimators_samples_` reads
            setattr(model, name, value)
    return model


def _classifier_tree(tree: Any, n_classes: int) -> Any:
    state = tree.__getstate__()
    values = tree.value[:, :, 0]  # (n_nodes, n_outputs)
    if n_classes == 2:
        values = np.column_stack([1.0 - values[:, 0], values[:, 0]])
    values = np.clip(values, 0.0, 1.0)
    values /= values.sum(axis=1, keepdims=True)
    nodes = state["nodes"].copy()
    nodes["impurity"] = 1.0 - (values**2).sum(axis=1)  # Gini, as the classifier reports it
    rebuilt = Tree(tree.n_features, np.array([n_classes], dtype=np.intp), 1)
    rebuilt.__setstate__({**state, "nodes": nodes, "values": np.ascontiguousarray(values[:, None, :])})
    return rebuilt
