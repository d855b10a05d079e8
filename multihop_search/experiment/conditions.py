"""The conditions of a cell: what can be known before anybody hops, from training rows alone."""

from __future__ import annotations

import numpy as np

from multihop_search.problem import FlooredLogLoss

BINS = 10
CONDITIONS = (
    "n_rows",
    "n_columns",
    "n_classes",
    "majority",
    "teacher_error",
    "teacher_log_loss",
    "teacher_ece",
    "gap_error",
    "gap_log_loss",
    "agreement",
    "capacity",
)
"""What the model of when multi-hop helps may read."""


def conditions(
    X: np.ndarray, y: np.ndarray, teacher: np.ndarray, plain: np.ndarray, capacity: float
) -> dict[str, float]:
    """Return the conditions by name.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Training rows.
    y : ndarray of shape (n_rows,)
        Their class codes.
    teacher, plain : ndarray of shape (n_rows, n_classes)
        Cross-fitted probabilities of the teacher and of the tuned plain student.
    capacity : float
        Nodes of the plain student: of its trees, or coefficients.
    """
    scoring = FlooredLogLoss(np.arange(teacher.shape[1]))
    of_teacher, of_plain = (-float(scoring.rows(y, proba).mean()) for proba in (teacher, plain))
    error, plain_error = (float((proba.argmax(axis=1) != y).mean()) for proba in (teacher, plain))
    return {
        "n_rows": len(y),
        "n_columns": np.shape(X)[1],
        "n_classes": teacher.shape[1],
        "majority": float(np.bincount(y).max() / len(y)),
        "teacher_error": error,
        "teacher_log_loss": of_teacher,
        "teacher_ece": calibration_error(y, teacher),
        "gap_error": plain_error - error,
        "gap_log_loss": of_plain - of_teacher,
        "agreement": float((teacher.argmax(axis=1) == plain.argmax(axis=1)).mean()),
        "capacity": float(capacity),
    }


def calibration_error(y: np.ndarray, proba: np.ndarray, n_bins: int = BINS) -> float:
    """Return the expected calibration error: how far the likeliest class is from being right as often as said.

    The mean over bins of equal width, weighted by their rows (Guo et al., ICML 2017, arXiv:1706.04599).

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> round(calibration_error(np.array([0, 1, 1, 1]), proba), 3)
    0.4
    """
    sure, right = proba.max(axis=1), proba.argmax(axis=1) == y
    place = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(place, weights=right - sure, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(y))
