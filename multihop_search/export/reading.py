"""Reading: a fitted scikit-learn model, alone or behind preparation, becomes a `Formula`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import SGDRegressor
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.pipeline import Pipeline
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.export.formula import (
    Above,
    Among,
    AtMost,
    Cases,
    Feature,
    Formula,
    Leaf,
    Number,
    Present,
    Split,
    Tree,
    at_most,
    at_most_integer,
    plain,
)
from multihop_search.export.prepared import first_reader, is_passed_through, prepared, thawed

FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
BOOSTERS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
LINEAR = (LinearClassifierMixin, LinearModel, SGDRegressor)
MOST_LEVELS = 90
"""Depth of the deepest tree: Python takes 100 levels of nested conditions."""


def read_formula(model: Any, columns: Sequence[str] | None = None) -> Formula:
    """Read a fitted tree, forest, histogram booster or linear model, or a Pipeline that ends with one.

    Parameters
    ----------
    model : estimator
        Fitted, with one target.
    columns : sequence of str, default=None
        Names of the columns of X: by default those that the model was fitted with, or x0, x1, ...

    Raises
    ------
    InvalidSetting
        If `columns` are not as many different names as the model has columns.
    UnsuitableModel
        If the model or a step before it is of another kind.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> read_formula(DecisionTreeClassifier().fit([[0.0], [1.0]], ["no", "yes"])).trees[0].root.yes
    Leaf(values=(1.0, 0.0), share=0.5, number=1)
    """
    *steps, last = _flat(model) or [None]
    if not isinstance(last, (BaseDecisionTree, *FORESTS, *BOOSTERS, *LINEAR)):
        raise _unserved(last)
    check_is_fitted(last)
    if getattr(last, "n_outputs_", 1) > 1 or (not is_classifier(last) and np.ndim(getattr(last, "coef_", ())) > 1):
        raise _unserved(last)
    names = _names(first_reader([*steps, last]), columns)
    features: list[Feature] = [Number(name) for name in names]
    for step in steps:
        features = prepared(step, features)
    if getattr(last, "_preprocessor", None) is not None:  # of boosters: encodes categories, and puts them first
        features = prepared(last._preprocessor, features)
    numbers = {feature.column for feature in features if isinstance(feature, Number) or not feature.is_text}
    head: dict[str, Any] = {
        "name": next(kind.__name__ for kind in type(last).__mro__ if kind.__name__.isidentifier()),
        "columns": names,
        "classes": _classes(last),
        "is_matrix": numbers == set(names),
    }
    if isinstance(last, BOOSTERS):
        return _read_booster(last, features, head)
    if isinstance(last, LINEAR):
        return _read_linear(last, features, head)
    members = [last] if isinstance(last, BaseDecisionTree) else last.estimators_
    trees = tuple(_grown(member.tree_, features) for member in members)
    start = (0.0,) * members[0].tree_.value.shape[2]
    return Formula(**head, link="identity", start=start, trees=trees, divisor=len(trees))


def _unserved(model: Any) -> UnsuitableModel:
    return UnsuitableModel(
        "the model must be a tree, forest, histogram booster or linear model of scikit-learn with one target, got "
        f"{'nothing' if model is None else type(model).__name__}: export to .skops."
    )


def _read_booster(model: Any, features: Sequence[Feature], head: dict[str, Any]) -> Formula:
    trees = tuple(
        Tree(_boosted(predictor, features), first)
        for members in model._predictors
        for first, predictor in enumerate(members)
    )
    start = tuple(np.asarray(model._baseline_prediction, dtype=float).ravel().tolist())
    link = "exp" if model.loss in ("poisson", "gamma") else "identity"
    if is_classifier(model):
        link = "logistic" if len(start) == 1 else "softmax"
    return Formula(**head, link=link, start=start, trees=trees)


def _read_linear(model: Any, features: Sequence[Feature], head: dict[str, Any]) -> Formula:
    weights = np.atleast_2d(model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_)
    start = tuple(np.broadcast_to(np.asarray(model.intercept_, dtype=float).ravel(), len(weights)).tolist())
    link = _linear_link(model, weights) if is_classifier(model) else "identity"
    kept = [at for at in range(weights.shape[1]) if weights[:, at].any()] or [0]
    rows = tuple(map(tuple, weights[:, kept].tolist()))
    return Formula(**head, link=link, start=start, features=tuple(features[at] for at in kept), weights=rows)


def _flat(model: Any) -> list[Any]:
    """Return the steps that rows go through, the model last; Pipelines may stand inside one another, or be frozen."""
    model = thawed(model)
    parts = [model] if not isinstance(model, Pipeline) else [part for _, step in model.steps for part in _flat(step)]
    return [part for part in parts if not is_passed_through(part)]


def _names(model: Any, columns: Sequence[str] | None) -> tuple[str, ...]:
    n_features = int(model.n_features_in_)
    if columns is None:
        columns = getattr(model, "feature_names_in_", [f"x{place}" for place in range(n_features)])
    names = tuple(map(str, columns))
    n_different = len(set(names) - {""})
    if len(names) != n_features or n_different != n_features:
        raise InvalidSetting(
            f"columns must be {n_features} different names, as many as the model was fitted on, got {len(names)} names "
            f"of which {n_different} are different and not empty: name each column once."
        )
    return names


def _classes(model: Any) -> tuple[Any, ...] | None:
    if not is_classifier(model):
        return None
    return tuple(plain(label, "a label") for label in np.asarray(model.classes_).tolist())


def _linear_link(model: Any, weights: np.ndarray) -> str:
    """Return the link under which scores give the model's own probabilities; versions of scikit-learn differ in it."""
    if not hasattr(model, "predict_proba"):
        return "none"
    probe = copy.copy(model)  # with coefficients of its own, since large scores would hide the difference
    scores = np.linspace(-1.0, 1.0, len(weights))[None, :]
    probe.coef_, probe.intercept_ = np.zeros_like(weights, dtype=float), np.zeros(len(weights))
    probe.coef_[:, 0] = scores
    row: Any = np.eye(1, weights.shape[1])
    if hasattr(model, "feature_names_in_"):
        row = pd.DataFrame(row, columns=model.feature_names_in_)
    logistic, powers = 1 / (1 + np.exp(-scores)), np.exp(scores)
    shares = {"softmax": powers / powers.sum(), "one-vs-rest": logistic / logistic.sum()}
    if scores.size == 1:
        shares = {"logistic": np.hstack([1 - logistic, logistic])}
    own = probe.predict_proba(row)
    for link, made in shares.items():
        if np.allclose(made, own, rtol=0, atol=1e-9):
            return link
    raise UnsuitableModel(
        "probabilities must be the logistic function or the softmax of the scores, those of this "
        f"{type(model).__name__} are not: export to .skops."
    )


def _check_levels(levels: int) -> None:
    if levels > MOST_LEVELS:
        raise UnsuitableModel(
            f"a tree must have at most {MOST_LEVELS} levels, one has {levels}: bound max_depth, or export to .skops."
        )


def _grown(tree: Any, features: Sequence[Feature]) -> Tree:
    """Read a `Tree` of scikit-learn; it compares single-precision features with double-precision thresholds."""
    _check_levels(tree.max_depth)
    numbers, weight = count(1), tree.weighted_n_node_samples

    def read(node: int) -> Split | Leaf:
        left, right = tree.children_left[node], tree.children_right[node]
        if left == -1:
            return Leaf(tuple(tree.value[node, 0].tolist()), float(weight[node] / weight[0]), next(numbers))
        feature, bound = features[tree.feature[node]], float(tree.threshold[node])
        missing_left = bool(tree.missing_go_to_left[node])
        if isinstance(feature, Cases):
            return _by_category(feature, lambda at: float(np.float32(at)) <= bound, missing_left, read, left, right)
        bound = at_most(bound)
        return _by_number(feature, bound if feature.steps else at_most_integer(bound), missing_left, read, left, right)

    return Tree(read(0))


def _boosted(predictor: Any, features: Sequence[Feature]) -> Split | Leaf:
    """Read a tree of a histogram booster; it compares in double precision, and categories by bits."""
    nodes, numbers = predictor.nodes, count(1)
    _check_levels(int(nodes["depth"].max()))

    def read(place: int) -> Split | Leaf:
        node = nodes[place]
        if node["is_leaf"]:
            return Leaf((float(node["value"]),), float(node["count"] / nodes["count"][0]), next(numbers))
        feature, bound = features[node["feature_idx"]], float(node["num_threshold"])
        missing_left, left, right = bool(node["missing_go_to_left"]), int(node["left"]), int(node["right"])
        if isinstance(feature, Number):
            return _by_number(feature, bound, missing_left, read, left, right)
        bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]] if node["is_categorical"] else None

        def goes_left(number: float) -> bool:
            return number <= bound if bits is None else bool(int(bits[int(number) // 32]) >> (int(number) % 32) & 1)

        return _by_category(feature, goes_left, missing_left, read, left, right)

    return read(0)


def _by_number(
    feature: Number, bound: float | int, missing_left: bool, read: Callable[[int], Split | Leaf], left: int, right: int
) -> Split:
    if feature.steps and feature.steps[-1][0] == "above" and 0 <= bound < 1:
        return Split(AtMost(Number(feature.column, feature.steps[:-1]), feature.steps[-1][1]), read(left), read(right))
    if missing_left and feature.can_miss:
        return Split(Above(feature, bound), read(right), read(left))
    return Split(AtMost(feature, bound) if bound < math.inf else Present(feature), read(left), read(right))


def _by_category(
    cases: Cases,
    goes_left: Callable[[float], bool],
    missing_left: bool,
    read: Callable[[int], Split | Leaf],
    left: int,
    right: int,
) -> Split:
    """Return the split whose test names the categories that do not go where an unknown one goes."""

    def is_left(number: float) -> bool:
        return missing_left if math.isnan(number) else goes_left(number)

    usual = is_left(cases.other)
    numbers = tuple((value, float(is_left(number) != usual)) for value, number in cases.numbers)
    missing = float(is_left(cases.missing) != usual)
    test = Among(Cases(cases.column, numbers, missing, 0.0, cases.spelled))
    return Split(test, read(right), read(left)) if usual else Split(test, read(left), read(right))
