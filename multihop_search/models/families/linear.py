"""Linear models of scikit-learn."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution, FloatDistribution
from sklearn.base import is_classifier
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC

from multihop_search.compat.sklearn import LinearClassifierMixin, LinearModel
from multihop_search.errors import UnsuitableModel
from multihop_search.models.base import Family, Route
from multihop_search.models.formula import Feature, Scores
from multihop_search.models.softmax import fit_softmax, takes_softmax_route

TUNED: dict[type, tuple[str, FloatDistribution]] = {
    **dict.fromkeys((LogisticRegression, LinearSVC), ("C", FloatDistribution(1e-3, 1e2, log=True))),
    **dict.fromkeys((Ridge, RidgeClassifier), ("alpha", FloatDistribution(1e-2, 1e3, log=True))),
    **dict.fromkeys((Lasso, ElasticNet), ("alpha", FloatDistribution(1e-4, 1e1, log=True))),
    **dict.fromkeys((SGDClassifier, SGDRegressor), ("alpha", FloatDistribution(1e-6, 1e-1, log=True))),
}
"""Exact classes: what is tuned of them."""


class Linear(Family):
    """Models whose scores are `coef_` times the columns plus `intercept_`."""

    has_formula = True

    def matches(self, model: Any) -> bool:
        return isinstance(model, (LinearClassifierMixin, LinearModel, SGDRegressor))

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        return dict([TUNED[type(model)]]) if type(model) in TUNED else {}

    def coefficients_a_feature(self, model: Any, n_outputs: int) -> int:
        return n_outputs if n_outputs > 2 else 1

    def soft_labels(self, model: Any, n_classes: int, n_present: int) -> Route | None:
        return Route("softmax", fit_softmax) if takes_softmax_route(model, n_present) else None

    def formula(self, model: Any, features: Sequence[Feature]) -> Scores:
        weights = np.atleast_2d(model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_)
        start = tuple(np.broadcast_to(np.asarray(model.intercept_, dtype=float).ravel(), len(weights)).tolist())
        link = _link(model, weights) if is_classifier(model) else "identity"
        read = [at for at in range(weights.shape[1]) if weights[:, at].any()] or [0]
        rows = tuple(map(tuple, weights[:, read].tolist()))
        return Scores(link, start, features=tuple(features[at] for at in read), weights=rows)


class GeneralizedLinear(Family):
    """`PoissonRegressor` and its like: a link function stands behind the scores."""

    def matches(self, model: Any) -> bool:
        return isinstance(model, (PoissonRegressor, GammaRegressor, TweedieRegressor))

    def takes_positive_targets_only(self, model: Any) -> bool:
        return not isinstance(model, TweedieRegressor) or bool(model.power >= 1)


def _link(model: Any, weights: np.ndarray) -> str:
    """Return the link under which scores give the model's own probabilities; versions of scikit-learn differ in it."""
    if not hasattr(model, "predict_proba"):
        return "none"
    doubled = copy.copy(model)  # with coefficients of its own, since large scores would hide the difference
    scores = np.linspace(-1.0, 1.0, len(weights))[None, :]
    doubled.coef_, doubled.intercept_ = np.zeros_like(weights, dtype=float), np.zeros(len(weights))
    doubled.coef_[:, 0] = scores
    row: Any = np.eye(1, weights.shape[1])
    if hasattr(model, "feature_names_in_"):
        row = pd.DataFrame(row, columns=model.feature_names_in_)
    logistic, powers = 1 / (1 + np.exp(-scores)), np.exp(scores)
    shares = {"softmax": powers / powers.sum(), "one-vs-rest": logistic / logistic.sum()}
    if scores.size == 1:
        shares = {"logistic": np.hstack([1 - logistic, logistic])}
    own = doubled.predict_proba(row)
    for link, calculated in shares.items():
        if np.allclose(calculated, own, rtol=0, atol=1e-9):
            return link
    raise UnsuitableModel(
        "probabilities must be the logistic function or the softmax of the scores, those of this "
        f"{type(model).__name__} are not: export to .skops."
    )
