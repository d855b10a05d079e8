"""Stages: the graded sub-models of one complex model, its first k members."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from multihop_search.problem.scoring import stored_form
from multihop_search.transfer.fitting import last_step

FORESTS = (RandomForestClassifier, ExtraTreesClassifier, RandomForestRegressor, ExtraTreesRegressor)
"""Exact classes: a subclass may draw or order its rows in its own way."""
BOOSTERS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
STAGE_SIZES = (10, 30, 100)
"""Members of the constructed intermediates; those of at most half of the teacher's are offered."""


def n_members(estimator: Any) -> int:
    """Return the number of members that `estimator`, or the last step of a Pipeline, will have; 0 without stages."""
    last = last_step(estimator)
    if type(last) in FORESTS:
        return int(last.n_estimators)
    if type(last) in BOOSTERS:
        return int(last.max_iter)
    return 0


def stage_sizes(estimator: Any) -> tuple[int, ...]:
    """Return the numbers of members at which a teacher is cut, largest first."""
    return tuple(k for k in reversed(STAGE_SIZES) if 2 * k <= n_members(estimator))


def truncated(model: Any, k: int) -> Any:
    """Return a fitted forest or booster that consists of the first `k` members of `model`, which stays as it is."""
    short = copy.copy(model)
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        short.steps = [*model.steps[:-1], (name, truncated(last, k))]
    elif type(model) in FORESTS:
        short.estimators_ = model.estimators_[:k]
        short.n_estimators = k
    else:
        short._predictors = model._predictors[:k]
        short.max_iter = k
    return short


def graded_predictions(
    model: Any, X: Any, classes: np.ndarray | None, sizes: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return the predictions of a model, (n_rows, n_outputs), and of its first k members by k; one pass over the rows.

    A booster that stopped early has fewer members: its last stage stands for the missing ones.
    """
    if isinstance(model, Pipeline) and len(model.steps) > 1:
        return graded_predictions(model.steps[-1][1], model[:-1].transform(X), classes, sizes)
    if not sizes:
        return stored_form(model, X, classes), {}
    if type(model) in FORESTS:
        return _graded_forest(model, X, classes, sizes)
    staged = getattr(model, "staged_predict" if classes is None else "staged_predict_proba", None)
    if staged is None:  # rows of one class only: there was nothing to grade
        known = stored_form(model, X, classes)
        return known, dict.fromkeys(sizes, known)
    found: dict[int, np.ndarray] = {}
    latest = np.zeros(0)
    for k, latest in enumerate(staged(X), start=1):
        if k in sizes:
            found[k] = latest
    return _aligned(latest, model, classes), {k: _aligned(found.get(k, latest), model, classes) for k in sizes}


def _graded_forest(
    forest: Any, X: Any, classes: np.ndarray | None, sizes: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    rows = check_array(X, accept_sparse="csr", dtype=np.float32, ensure_all_finite=False)
    n_outputs = 1 if classes is None else len(forest.classes_)
    total = np.zeros((len(rows), n_outputs))
    found: dict[int, np.ndarray] = {}
    for k, tree in enumerate(forest.estimators_, start=1):
        total += tree.tree_.predict(rows).reshape(-1, n_outputs)
        if k in sizes:
            found[k] = _aligned(total / k, forest, classes)
    return _aligned(total / len(forest.estimators_), forest, classes), found


def _aligned(stage: np.ndarray, model: Any, classes: np.ndarray | None) -> np.ndarray:
    """Return a stage's predictions in the order of `classes`; a fold may lack one."""
    if classes is None:
        return np.asarray(stage).reshape(-1, 1)
    aligned = np.zeros((len(stage), len(classes)))
    aligned[:, np.searchsorted(classes, model.classes_)] = stage
    return aligned
