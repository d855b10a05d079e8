"""Soft labels for logistic regression: cross-entropy against class distributions, minimised in one fit.

With 3 classes or more, row repetition costs as many rows as there are classes with a share. Its objective is the one
minimised here, by the same minimiser under the same stopping rule, so the solution is the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import validate_data


def takes_softmax_route(estimator: Any, n_classes: int) -> bool:
    """Return whether soft labels reach `estimator` by one fit: multinomial, with a squared penalty, by L-BFGS."""
    if type(estimator) is not LogisticRegression or n_classes < 3:
        return False
    params = estimator.get_params(deep=False)
    squared = params["penalty"] == "l2" or (params["penalty"] == "deprecated" and not params["l1_ratio"])
    multinomial = params.get("multi_class", "auto") in ("auto", "deprecated", "multinomial")
    return params["solver"] == "lbfgs" and squared and multinomial and not params["warm_start"]


def fit_softmax(model: LogisticRegression, X: Any, targets: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> Any:
    """Fit `model` to class distributions `targets` (n_rows, n_classes) and return it.

    Its classes are the labels that have a share.
    """
    present = targets.any(axis=0)
    targets, labels = targets[:, present], labels[present]
    X = validate_data(model, X, accept_sparse="csr", dtype=np.float64)
    shape = len(labels), X.shape[1] + 1  # a row of coefficients and an intercept for each class
    optimum = minimize(
        _objective(X, targets, weights / weights.sum(), 1.0 / (model.C * weights.sum()), model.fit_intercept),
        np.zeros(shape).ravel(),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": model.max_iter, "maxls": 50, "gtol": model.tol, "ftol": 64 * np.finfo(np.float64).eps},
    )
    if optimum.status != 0:
        warnings.warn(f"lbfgs stopped before it converged: {optimum.message}", ConvergenceWarning, stacklevel=2)
    solution = optimum.x.reshape(shape)
    model.classes_, model.n_iter_ = labels, np.array([optimum.nit], dtype=np.int32)
    model.coef_, model.intercept_ = solution[:, :-1].copy(), solution[:, -1].copy()
    return model


def _objective(
    X: Any, targets: np.ndarray, weights: np.ndarray, penalty: float, intercept: bool
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        solution = flat.reshape(targets.shape[1], -1)
        coef = solution[:, :-1]
        scores = X @ coef.T + solution[:, -1]
        top = scores.max(axis=1, keepdims=True)
        shares = np.exp(scores - top)
        total = shares.sum(axis=1, keepdims=True)
        losses = (top + np.log(total))[:, 0] - np.einsum("ij,ij->i", targets, scores)
        loss = float(weights @ losses + 0.5 * penalty * (coef**2).sum())
        residuals = (shares / total - targets) * weights[:, None]
        gradient = np.zeros_like(solution)
        gradient[:, :-1] = (X.T @ residuals).T + penalty * coef
        gradient[:, -1] = residuals.sum(axis=0) * intercept
        return loss, gradient.ravel()

    return value
