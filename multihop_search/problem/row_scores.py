"""Scores that are a weighted mean over rows, one class each: a new one is one more class in this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.metrics import log_loss

from multihop_search.problem.responses import predicted_codes
from multihop_search.problem.scoring import Scoring

FLOOR = 1e-3
"""Smallest probability that the default log-loss sees. Measured, depth-6 tree, spambase: the score's noise is
.738 +- .107 with a floor at machine precision and .349 +- .025 at 1e-3: without it a few rows with p = 0 decide."""


@dataclass(frozen=True)
class RowScoring(Scoring):
    """A score that is the weighted mean of a score of each row."""

    names: ClassVar[tuple[str, ...]] = ()
    """What the argument `scoring` calls it; "auto" is the default of its task."""
    of_classes: ClassVar[bool] = True
    """Whether it scores predictions of classes; else of values."""

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        """Return the score of each row, (..., n_rows), of predictions (..., n_rows, n_classes)."""
        raise NotImplementedError

    def expected_rows(self, q: np.ndarray, proba: np.ndarray) -> np.ndarray:
        """Return the score of each row, (n_rows,), that is expected if its class is drawn from q, (n_rows, n_classes).

        Examples
        --------
        >>> Accuracy(np.array(["no", "yes"])).expected_rows(np.array([[0.3, 0.7]]), np.array([[0.1, 0.9]]))
        array([0.7])
        """
        of_class = [self.rows(np.full(len(q), code), proba) for code in range(q.shape[1])]
        return np.asarray(np.einsum("nk,kn->n", q, np.stack(of_class)))

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        return float(np.average(self.rows(y, proba), weights=sample_weight))


def _probabilities(table: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    assert classes is not None
    return np.asarray(table[..., : len(classes)])


def _true_class(y: np.ndarray, proba: np.ndarray) -> np.ndarray:
    return np.asarray(np.take_along_axis(proba, np.broadcast_to(y[:, None], (*proba.shape[:-1], 1)), axis=-1)[..., 0])


@dataclass(frozen=True)
class FlooredLogLoss(RowScoring):
    """Minus the log-loss of probabilities floored at `FLOOR` and renormalised, in nats: the default.

    Examples
    --------
    >>> scoring = FlooredLogLoss(np.array(["no", "yes"]))
    >>> scoring.rows(np.array([0, 1]), np.array([[0.5, 0.5], [1.0, 0.0]])).round(3)
    array([-0.693, -6.909])
    """

    label: ClassVar[str] = "log-loss"
    names: ClassVar[tuple[str, ...]] = ("auto",)
    is_loss: ClassVar[bool] = True
    is_measured: ClassVar[bool] = True

    @property
    def responses(self) -> tuple[str, ...]:
        return ("predict_proba",)

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        floored = np.maximum(_probabilities(proba, self.classes), FLOOR, dtype=np.float64)
        return np.asarray(np.log(_true_class(y, floored)) - np.log(floored.sum(axis=-1)))


@dataclass(frozen=True)
class LogLoss(RowScoring):
    """scikit-learn's `neg_log_loss`, row by row: clipped to machine precision, not renormalised."""

    label: ClassVar[str] = "log-loss"
    names: ClassVar[tuple[str, ...]] = ("neg_log_loss",)
    is_loss: ClassVar[bool] = True
    is_measured: ClassVar[bool] = True

    @property
    def responses(self) -> tuple[str, ...]:
        return ("predict_proba",)

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        eps = np.finfo(np.float64).eps
        return np.asarray(np.log(np.clip(_true_class(y, proba).astype(np.float64), eps, 1 - eps)))

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        assert self.classes is not None
        labels = np.arange(len(self.classes))
        if proba.dtype != np.float64:  # stored predictions: scikit-learn would clip them at their own precision
            return super().score(y, proba, sample_weight)
        proba = proba[:, : len(labels)]
        given = proba[:, 1] if len(labels) == 2 else proba  # as scikit-learn's scorer passes them
        return -float(log_loss(y, given, labels=labels, sample_weight=sample_weight))


@dataclass(frozen=True)
class Accuracy(RowScoring):
    """Share of rows whose predicted class is the true one."""

    label: ClassVar[str] = "accuracy"
    names: ClassVar[tuple[str, ...]] = ("accuracy",)
    in_points: ClassVar[bool] = True
    is_measured: ClassVar[bool] = True
    region: ClassVar[float | None] = 0.005

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        assert self.classes is not None
        return np.asarray((predicted_codes(proba, len(self.classes)) == y).astype(np.float64))


@dataclass(frozen=True)
class SquaredError(RowScoring):
    """Minus the squared error: the default in regression, and scikit-learn's `neg_mean_squared_error`.

    Examples
    --------
    >>> SquaredError(None).rows(np.array([1.0, 2.0]), np.array([[1.5], [2.0]]))
    array([-0.25, -0.  ])
    """

    label: ClassVar[str] = "squared error"
    names: ClassVar[tuple[str, ...]] = ("auto", "neg_mean_squared_error")
    of_classes: ClassVar[bool] = False
    is_loss: ClassVar[bool] = True
    is_measured: ClassVar[bool] = True

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-((proba[..., 0].astype(np.float64) - y) ** 2))


@dataclass(frozen=True)
class AbsoluteError(RowScoring):
    """Minus the absolute error, scikit-learn's `neg_mean_absolute_error`."""

    label: ClassVar[str] = "absolute error"
    names: ClassVar[tuple[str, ...]] = ("neg_mean_absolute_error",)
    of_classes: ClassVar[bool] = False
    is_loss: ClassVar[bool] = True
    is_measured: ClassVar[bool] = True

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-np.abs(proba[..., 0].astype(np.float64) - y))


def row_scorings(classes: np.ndarray | None) -> dict[str, type[RowScoring]]:
    """Return the row scores of a task by the names that the argument `scoring` has for them."""
    mine = [one for one in RowScoring.__subclasses__() if one.of_classes is (classes is not None)]
    return {name: one for one in mine for name in one.names}


def default_row_scoring(classes: np.ndarray | None) -> RowScoring:
    """Return the score that is taken row by row where none was asked for: floored log-loss or squared error."""
    return row_scorings(classes)["auto"](classes)
