"""Calibration: the one temperature under which a model's held-out probabilities fit the true labels best.

Forests are mostly less sure than they could be, boosters surer: the best temperatures of forests were between 0.35 and
0.95 on ten of twelve data sets, those of boosters between 0.95 and 2.3 (docs/decisions/0012). Students taught from raw
probabilities inherit it, most of all where synthetic rows, which have no true label beside, are many.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

LOWEST, HIGHEST = 0.2, 5.0
FLOOR = 1e-3
"""Losses are taken of probabilities floored here, as in the default score: a truth at 0 says nothing of temperature."""


def softened(q: np.ndarray, temperature: float) -> np.ndarray:
    """Return ``q**(1 / temperature)`` renormalised, (n_rows, n_classes), float64; the softmax of log q / temperature.

    Examples
    --------
    >>> softened(np.array([[0.8, 0.2]]), 0.5).round(4)
    array([[0.9412, 0.0588]])
    """
    q = q.astype(np.float64)
    if temperature == 1.0:
        return np.asarray(q / q.sum(axis=1, keepdims=True))
    raised = (q / q.max(axis=1, keepdims=True)) ** (1.0 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def calibrating_temperature(q: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """Return the temperature, from 0.2 to 5, under which held-out probabilities have the least log-loss.

    Parameters
    ----------
    q : ndarray of shape (n_rows, n_classes)
        Cross-fitted probabilities.
    y : ndarray of shape (n_rows,)
        True class codes.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> q, y = np.array([[0.6, 0.4]] * 10), np.array([0] * 8 + [1] * 2)
    >>> bool(abs(softened(q, calibrating_temperature(q, y))[0, 0] - 0.8) < 0.01)  # as sure as it is right
    True
    """
    rows = np.arange(len(y))

    def loss(log_temperature: float) -> float:
        floored = np.maximum(softened(q, float(np.exp(log_temperature))), FLOOR)
        return float(np.average(np.log(floored.sum(axis=1)) - np.log(floored[rows, y]), weights=sample_weight))

    optimum = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(optimum.x))
