"""Stages: the graded sub-models of one complex model, its first k members."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from multihop_search.problem.scoring import stored_form

FORESTS = (RandomForestClassifier, ExtraTreesClassifier)
"""Exact classes: a subclass may draw or order its rows in its own way."""
STAGE_SIZES = (10, 30, 100)
"""Members of the constructed intermediates; those of at most half of the teacher's are offered."""


def n_members(estimator: Any) -> int:
    """Return the number of members that `estimator` will have, 0 if it has no stages."""
    if type(estimator) in FORESTS:
        return int(estimator.n_estimators)
    if type(estimator) is HistGradientBoostingClassifier:
        return int(estimator.max_iter)
    return 0


def stage_sizes(estimator: Any) -> tuple[int, ...]:
    """Return the numbers of members at which a teacher is cut, largest first."""
    return tuple(k for k in reversed(STAGE_SIZES) if 2 * k <= n_members(estimator))


def truncated(model: Any, k: int) -> Any:
    """Return a fitted forest or booster that consists of the first `k` members of `model`, which stays as it is."""
    short = copy.copy(model)
    if type(model) in FORESTS:
        short.estimators_ = model.estimators_[:k]
        short.n_estimators = k
    else:
        short._predictors = model._predictors[:k]
        short.max_iter = k
    return short


def stage_probabilities(model: Any, X: Any, classes: np.ndarray, sizes: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Return class probabilities (n_rows, n_classes) of the first k members, by k; all rows predicted once.

    A booster that stopped early has fewer members: its last stage stands for the missing ones.
    """
    if not sizes:
        return {}
    if type(model) in FORESTS:
        return {k: stored_form(truncated(model, k), X, classes) for k in sizes}
    if not hasattr(model, "staged_predict_proba"):  # rows of one class only: there was nothing to grade
        return dict.fromkeys(sizes, stored_form(model, X, classes))
    found: dict[int, np.ndarray] = {}
    seen = np.searchsorted(classes, model.classes_)
    proba = np.zeros(0)
    for k, proba in enumerate(model.staged_predict_proba(X), start=1):
        if k in sizes:
            found[k] = proba
        if k == max(sizes):
            break
    aligned = {}
    for k in sizes:
        aligned[k] = np.zeros((len(proba), len(classes)))
        aligned[k][:, seen] = found.get(k, proba)
    return aligned
