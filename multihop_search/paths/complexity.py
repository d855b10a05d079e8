"""Complexity: one number for the size of any fitted model, so that a path can be told to go down (rule 13)."""

from __future__ import annotations

import pickle
import time
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.transfer.threads import one_thread

LATENCY_CALLS = 5
"""Predictions of one row that a latency is the median of."""


def complexity(model: Any) -> float:
    """Return nodes (trees) or coefficients, summed over the steps of a Pipeline; else compressed pickle bytes / 8.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> complexity(DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], [0, 1]))
    3.0
    """
    if isinstance(model, FrozenEstimator):
        return complexity(model.estimator)
    if isinstance(model, Pipeline):
        return float(sum(complexity(step) for _, step in model.steps if hasattr(step, "predict")))
    nodes = count_nodes(model)
    if nodes:
        return float(nodes)
    if hasattr(model, "coef_") or hasattr(model, "coefs_"):
        arrays = [*getattr(model, "coefs_", []), *getattr(model, "intercepts_", [])] or [model.coef_, model.intercept_]
        return float(sum(np.size(array) for array in arrays))
    return len(zlib.compress(pickle.dumps(model))) / 8


def trees_of(model: Any) -> list[Any]:
    """Return the `Tree`s of a tree, forest or gradient booster of scikit-learn."""
    if hasattr(model, "tree_"):
        return [model.tree_]
    members = getattr(model, "estimators_", None)
    if members is None:
        return []
    flat = np.asarray(members, dtype=object).ravel()
    return [member.tree_ for member in flat] if all(hasattr(member, "tree_") for member in flat) else []


def count_nodes(model: Any) -> int:
    """Return the number of nodes of a tree model, 0 for any other."""
    rounds = getattr(model, "_predictors", None)  # HistGradientBoosting
    if rounds is not None:
        return sum(len(predictor.nodes) for members in rounds for predictor in members)
    return sum(tree.node_count for tree in trees_of(model))


def count_features(model: Any) -> int:
    """Return the number of features that a fitted model reads."""
    if isinstance(model, Pipeline):
        return count_features(model.steps[-1][1])
    rounds = getattr(model, "_predictors", None)
    used: set[int] = set()
    if rounds is not None:
        for predictor in (predictor for members in rounds for predictor in members):
            inner = predictor.nodes["is_leaf"] == 0
            used.update(predictor.nodes["feature_idx"][inner].tolist())
        return len(used)
    trees = trees_of(model)
    if trees:
        for tree in trees:
            used.update(tree.feature[tree.feature >= 0].tolist())
        return len(used)
    if hasattr(model, "coef_"):
        return int((np.atleast_2d(model.coef_) != 0).any(axis=0).sum())
    return int(getattr(model, "n_features_in_", 0))


@dataclass(frozen=True)
class Size:
    """How large a fitted model is."""

    nodes: float
    """Nodes (trees), else coefficients, else compressed bytes / 8: see `complexity`."""
    n_features_used: int
    size_bytes: int
    """Length of its pickle."""


def size_of(model: Any) -> Size:
    """Measure a fitted model."""
    return Size(complexity(model), count_features(model), len(pickle.dumps(model)))


def latency_us(model: Any, row: Any) -> float:
    """Return the median time, in microseconds, to predict one row on one thread."""
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    seconds = []
    with one_thread():
        for _ in range(LATENCY_CALLS):
            start = time.perf_counter()
            predict(row)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1e6)
