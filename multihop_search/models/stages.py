"""Stages: the graded sub-models of one complex model: its first k members, or probes on its hidden layers.

============================  ======================================  ==================  ===========
model (exact class)           stage k                                 members             truncations
============================  ======================================  ==================  ===========
RandomForest, ExtraTrees      mean of the first k trees               `n_estimators`      yes
HistGradientBoosting          first k rounds                          `max_iter`          yes
GradientBoosting              first k rounds                          `n_estimators`      yes
LGBM (not dart)               first k rounds                          `n_estimators`      yes
XGB (trees, not dart)         first k rounds                          `n_estimators`      yes
MLPClassifier                 logistic regression on hidden layer k                       no
============================  ======================================  ==================  ===========

In a Pipeline the last step has the stages. LightGBM and XGBoost are never imported: a model of theirs is known by name.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from multihop_search.models.fitting import last_step, through
from multihop_search.problem.responses import stored_form

FORESTS = (RandomForestClassifier, ExtraTreesClassifier, RandomForestRegressor, ExtraTreesRegressor)
"""Exact classes: a subclass may draw or order its rows in its own way."""
HISTOGRAM_BOOSTERS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
GRADIENT_BOOSTERS = (GradientBoostingClassifier, GradientBoostingRegressor)
LIGHTGBM = ("lightgbm.sklearn.LGBMClassifier", "lightgbm.sklearn.LGBMRegressor")
XGBOOST = ("xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRegressor")
STAGE_SIZES = (10, 30, 100)
"""Members of the constructed intermediates; those of at most half of the teacher's are offered."""
ACTIVATIONS = {"identity": np.asarray, "logistic": expit, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def _name(model: Any) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def n_members(estimator: Any) -> int:
    """Return the number of members that `estimator`, or the last step of a Pipeline, will have; 0 without members.

    Boosters by dart have none: a later round changes the weights of earlier ones. Nor have linear ones.
    """
    last = last_step(estimator)
    if type(last) in FORESTS + GRADIENT_BOOSTERS:
        return int(last.n_estimators)
    if type(last) in HISTOGRAM_BOOSTERS:
        return int(last.max_iter)
    if _name(last) in LIGHTGBM:
        return 0 if last.boosting_type == "dart" else int(last.n_estimators)
    if _name(last) in XGBOOST:
        return int(last.get_num_boosting_rounds()) if last.booster in (None, "gbtree") else 0
    return 0


def n_hidden_layers(estimator: Any) -> int:
    """Return the number of hidden layers of a network that is graded by probes; 0 for any other model."""
    last = last_step(estimator)
    return np.size(last.hidden_layer_sizes) if type(last) is MLPClassifier else 0


def cut_sizes(estimator: Any) -> tuple[int, ...]:
    """Return the numbers of members at which a teacher can be truncated, largest first."""
    return tuple(k for k in reversed(STAGE_SIZES) if 2 * k <= n_members(estimator))


def stage_sizes(estimator: Any) -> tuple[int, ...]:
    """Return by what number the stages of a model are known, largest first: members, or the layer of a network."""
    return cut_sizes(estimator) or tuple(range(n_hidden_layers(estimator), 0, -1))


def truncated(model: Any, k: int) -> Any:
    """Return a fitted forest or booster that consists of the first `k` members of `model`, which stays as it is."""
    short = copy.copy(model)
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        short.steps = [*model.steps[:-1], (name, truncated(last, k))]
    elif type(model) in HISTOGRAM_BOOSTERS:
        short._predictors = model._predictors[:k]
        short.max_iter = k
    else:
        short.n_estimators = k
        _keep_first(short, k)
    return short


def _keep_first(model: Any, k: int) -> None:
    if _name(model) in LIGHTGBM:
        whole = model.booster_
        model._Booster = type(whole)(model_str=whole.model_to_string(num_iteration=k))
    elif _name(model) in XGBOOST:
        model._Booster = model.get_booster()[: _xgboost_rounds(model, k)]
    else:
        model.estimators_ = model.estimators_[:k]
        if type(model) in GRADIENT_BOOSTERS:
            model.n_estimators_ = len(model.estimators_)


def _xgboost_rounds(model: Any, k: int) -> int:
    return min(k, int(model.get_booster().num_boosted_rounds()))


def fitted_probes(
    model: Any, X: Any, labels: np.ndarray, sample_weight: np.ndarray | None, sizes: tuple[int, ...]
) -> dict[int, Any]:
    """Return a logistic regression on each hidden layer of a fitted network, by layer; none for any other model.

    Parameters
    ----------
    model : estimator
        Fitted; a Pipeline's last step is looked at.
    X : array or DataFrame of shape (n_rows, n_features)
        The rows that it was fitted on.
    labels : ndarray of shape (n_rows,)
        Their true labels.
    sample_weight : ndarray of shape (n_rows,) or None
        The user's weights.
    sizes : tuple of int
        Layers that are wanted, 1 for the first.
    """
    if not n_hidden_layers(model):
        return {}
    layers = hidden_layers(*_last_with_rows(model, X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {k: LogisticRegression().fit(layers[k - 1], labels, sample_weight=sample_weight) for k in sizes}


def hidden_layers(network: Any, X: Any) -> list[np.ndarray]:
    """Return the activations of each hidden layer, (n_rows, n_units), the first layer first."""
    layers = [check_array(X, accept_sparse="csr")]
    for weights, intercepts in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        layers.append(ACTIVATIONS[network.activation](layers[-1] @ weights + intercepts))
    return layers[1:]


def _last_with_rows(model: Any, X: Any) -> tuple[Any, Any]:
    """Return the last step of a fitted Pipeline, recursively, and the rows as they reach it."""
    while isinstance(model, Pipeline):
        X = through(model.steps[:-1], X)
        model = model.steps[-1][1]
    return model, X


def graded_predictions(
    model: Any, X: Any, classes: np.ndarray | None, sizes: tuple[int, ...], probes: Mapping[int, Any] | None = None
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return the predictions of a model, (n_rows, n_outputs), and of its stages by k.

    A booster that stopped early has fewer members: its last stage stands for the missing ones. A network has the
    stages that its `probes` say.
    """
    model, X = _last_with_rows(model, X)
    if sizes and type(model) in FORESTS:
        return _graded_forest(model, X, classes, sizes)
    if sizes and type(model) in HISTOGRAM_BOOSTERS + GRADIENT_BOOSTERS:
        return _graded_rounds(model, X, classes, sizes)
    whole = stored_form(model, X, classes)
    if sizes and _name(model) in LIGHTGBM + XGBOOST:
        ask = model.predict if classes is None else model.predict_proba
        return whole, {k: _aligned(ask(X, **_first_rounds(model, k)), model, classes) for k in sizes}
    if sizes and probes:
        layers = hidden_layers(model, X)
        return whole, {k: stored_form(probes[k], layers[k - 1], classes) for k in sizes}
    return whole, dict.fromkeys(sizes, whole)  # rows of one class only: there was nothing to grade


def _graded_rounds(
    booster: Any, X: Any, classes: np.ndarray | None, sizes: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    found: dict[int, np.ndarray] = {}
    latest = np.zeros(0)
    for k, latest in enumerate(booster.staged_predict(X) if classes is None else booster.staged_predict_proba(X), 1):
        if k in sizes:
            found[k] = _aligned(latest, booster, classes)
    whole = _aligned(latest, booster, classes)
    return whole, {k: found.get(k, whole) for k in sizes}


def _first_rounds(booster: Any, k: int) -> dict[str, Any]:
    if _name(booster) in LIGHTGBM:
        return {"num_iteration": k}
    return {"iteration_range": (0, _xgboost_rounds(booster, k))}


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
