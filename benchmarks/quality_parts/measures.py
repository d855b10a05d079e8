"""Measures: row losses, paired differences with their errors, and what is said over data sets. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from multihop_search.engine.early_stopping import paired_gap
from multihop_search.problem.row_scores import FlooredLogLoss

TIE = 0.005
"""Log-losses whose ratio is nearer to 1 than this are a tie."""


def row_losses(y: np.ndarray, proba: np.ndarray) -> dict[str, np.ndarray]:
    """Return, for each row, whether the likeliest class is right and the log-loss (floor 1e-3), both (n_rows,).

    Of values, `proba` has one column: the squared error stands in place of the log-loss, the accuracy is NaN.

    >>> row_losses(np.array([0, 1]), np.array([[0.5, 0.5], [0.8, 0.2]]))["log_loss"].round(3)
    array([0.693, 1.609])
    """
    if proba.shape[1] == 1:
        return {"accuracy": np.full(len(y), np.nan), "log_loss": (proba[:, 0] - y) ** 2}
    log_loss = -FlooredLogLoss(np.arange(proba.shape[1])).rows(y, proba)
    return {"accuracy": (proba.argmax(axis=1) == y).astype(float), "log_loss": log_loss}


def gain(scores: np.ndarray, baseline: np.ndarray, unit: np.ndarray) -> tuple[float, float]:
    """Return the mean paired difference of row scores (greater is better) and its standard error, units together.

    >>> gain(np.array([1.0, 1.0, 0.5, 0.5]), np.zeros(4), np.arange(4))
    (0.75, 0.125)
    """
    gap = paired_gap(scores, baseline, unit)
    return 0.0 - gap.behind, gap.error


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean over data sets and its standard error; NaN where there are too few, or accuracy of values.

    >>> mean_and_error([1.0, 3.0])
    (2.0, 1.0)
    """
    found = np.asarray(values, dtype=float)
    if len(found) == 0:
        return float("nan"), float("nan")
    return float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else float("nan")


def wins_ties_losses(ratios: Sequence[float]) -> tuple[int, int, int]:
    """Return how often a relative difference of log-losses is a win (below -`TIE`), a tie, a loss.

    >>> wins_ties_losses([-0.1, 0.001, 0.2, 0.3])
    (1, 1, 2)
    """
    found = np.asarray(ratios, dtype=float)
    wins, losses = int((found < -TIE).sum()), int((found > TIE).sum())
    return wins, len(found) - wins - losses, losses


def two_sided(gains: Sequence[float], errors: Sequence[float]) -> np.ndarray:
    """Return the p-values of gains under the normal law; 1 where nothing differs.

    >>> two_sided([0.0, 1.96], [0.0, 1.0]).round(2).tolist()
    [1.0, 0.05]
    """
    found, error = np.abs(np.asarray(gains, dtype=float)), np.asarray(errors, dtype=float)
    steps = np.divide(found, error, out=np.where(found > 0, np.inf, 0.0), where=error > 0)
    return np.asarray(2 * norm.sf(steps))
