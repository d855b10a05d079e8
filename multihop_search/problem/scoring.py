"""Scores: what "better" means. Greater is better everywhere.

Three kinds, by what they need:

- a *row score* is a weighted mean over rows (`FlooredLogLoss`, `LogLoss`, `Accuracy`; in regression `SquaredError`,
  `AbsoluteError`);
- a *replayed score* is any other scikit-learn scorer, replayed on stored predictions;
- a *model score* is a callable that reads the fitted model itself: it can rank trials, but nothing can be resampled.

`scoring_for` turns the user's `scoring` argument into one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, log_loss
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils.validation import column_or_1d

from multihop_search.errors import InvalidData, InvalidSetting

FLOOR = 1e-3
"""Smallest probability that the default log-loss sees. Measured, depth-6 tree, spambase: the score's noise is
.738 +- .107 with a floor at machine precision and .349 +- .025 at 1e-3: without it a few rows with p = 0 decide."""


@dataclass(frozen=True)
class Scoring:
    """How predictions are scored; greater is better.

    `classes` are the user's labels, sorted, and `y` in every method is their code, 0 to n_classes - 1. In regression
    `classes` is None, `y` the target and predictions have one column.
    """

    classes: np.ndarray | None
    label: ClassVar[str] = "score"
    region: ClassVar[float | None] = None
    """Half-width of the region of equivalence in units of the score; None: 1 % of the plain student's score."""
    needs_proba: ClassVar[bool] = False
    """Whether hard predictions (as one-hot rows) are not enough."""

    @property
    def name_shown(self) -> str:
        """What people read."""
        return getattr(self, "name", None) or self.label

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """Score the rows (n_rows,) with predictions (n_rows, n_outputs)."""
        raise NotImplementedError

    def score_model(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        """Score a fitted model whose predictions on `X` are `proba`."""
        return self.score(y, proba, weight)

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score a fitted estimator as a scikit-learn scorer does; `y` in the user's labels."""
        labels = column_or_1d(y)
        if self.classes is None:
            return self.score(labels, stored_form(estimator, X, None), sample_weight)
        unknown = np.setdiff1d(labels, self.classes)
        if len(unknown):
            raise InvalidData(f"y must hold labels seen in fit, got {unknown.tolist()[0]!r} too: leave these rows out.")
        codes = np.searchsorted(self.classes, labels)
        return self.score(codes, stored_form(estimator, X, self.classes), sample_weight)


def stored_form(estimator: Any, X: Any, classes: np.ndarray | None) -> np.ndarray:
    """Return predictions (n_rows, n_classes) in the order of `classes`; one-hot where there are no probabilities.

    A fold may lack a class: its column is 0 then. In regression (`classes` is None) there is one column.
    """
    if classes is None:
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(-1, 1)
    seen = np.searchsorted(classes, estimator.classes_)
    if hasattr(estimator, "predict_proba"):
        found = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        if np.array_equal(seen, np.arange(len(classes))):
            return found
        proba = np.zeros((len(found), len(classes)))
        proba[:, seen] = found
        return proba
    return np.asarray(np.eye(len(classes))[np.searchsorted(classes, estimator.predict(X))])


@dataclass(frozen=True)
class RowScoring(Scoring):
    """A score that is the weighted mean of a score of each row."""

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
    needs_proba: ClassVar[bool] = True

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        floored = np.maximum(proba, FLOOR, dtype=np.float64)
        return np.asarray(np.log(_true_class(y, floored)) - np.log(floored.sum(axis=-1)))


@dataclass(frozen=True)
class LogLoss(RowScoring):
    """scikit-learn's `neg_log_loss`, row by row: clipped to machine precision, not renormalised."""

    label: ClassVar[str] = "log-loss"
    needs_proba: ClassVar[bool] = True

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        eps = np.finfo(np.float64).eps
        return np.asarray(np.log(np.clip(_true_class(y, proba).astype(np.float64), eps, 1 - eps)))

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        assert self.classes is not None
        labels = np.arange(len(self.classes))
        if proba.dtype != np.float64:  # stored predictions: scikit-learn would clip them at their own precision
            return super().score(y, proba, sample_weight)
        given = proba[:, 1] if len(labels) == 2 else proba  # as scikit-learn's scorer passes them
        return -float(log_loss(y, given, labels=labels, sample_weight=sample_weight))


@dataclass(frozen=True)
class Accuracy(RowScoring):
    """Share of rows whose most probable class is the true one."""

    label: ClassVar[str] = "accuracy"
    region: ClassVar[float | None] = 0.005

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray((proba.argmax(axis=-1) == y).astype(np.float64))


@dataclass(frozen=True)
class SquaredError(RowScoring):
    """Minus the squared error: the default in regression, and scikit-learn's `neg_mean_squared_error`.

    Examples
    --------
    >>> SquaredError(None).rows(np.array([1.0, 2.0]), np.array([[1.5], [2.0]]))
    array([-0.25, -0.  ])
    """

    label: ClassVar[str] = "squared error"

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-((proba[..., 0].astype(np.float64) - y) ** 2))


@dataclass(frozen=True)
class AbsoluteError(RowScoring):
    """Minus the absolute error, scikit-learn's `neg_mean_absolute_error`."""

    label: ClassVar[str] = "absolute error"

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-np.abs(proba[..., 0].astype(np.float64) - y))


class StoredValues(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose predictions are already known: `X` is the array of row numbers, (n_rows, 1)."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.fitted_ = True

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.values[X[:, 0]], dtype=np.float64)


class StoredPredictions(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose predictions are already known: `X` is the array of row numbers, (n_rows, 1)."""

    def __init__(self, proba: np.ndarray, classes: np.ndarray) -> None:
        self.proba = proba
        self.classes_ = classes

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.proba[X[:, 0]])

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


@dataclass(frozen=True)
class ReplayedScoring(Scoring):
    """Any scikit-learn scorer, replayed on stored predictions (ROC AUC, F1, balanced accuracy, ...)."""

    scorer: Any = None
    name: str = "score"

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        rows = np.arange(len(y))[:, None]
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self.classes is None:
            return float(self.scorer(StoredValues(proba[:, 0]), rows, y, **weight))
        return float(self.scorer(StoredPredictions(proba, self.classes), rows, self.classes[y], **weight))

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self.scorer(estimator, X, y, **weight))


@dataclass(frozen=True)
class ModelScoring(Scoring):
    """A callable `(estimator, X, y) -> float` that may read the model: it ranks trials, nothing is resampled."""

    scorer: Callable[..., float] = len  # replaced by scoring_for
    name: str = "score"

    def score_model(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        return float(self.scorer(model, X, y if self.classes is None else self.classes[y]))

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(self.scorer(estimator, X, y))


ROW_SCORINGS: dict[str, dict[str, type[RowScoring]]] = {
    "classification": {"auto": FlooredLogLoss, "neg_log_loss": LogLoss, "accuracy": Accuracy},
    "regression": {
        "auto": SquaredError,
        "neg_mean_squared_error": SquaredError,
        "neg_mean_absolute_error": AbsoluteError,
    },
}
"""Scores that are taken row by row, by task and name."""


def default_row_scoring(classes: np.ndarray | None) -> RowScoring:
    """Return the score that is taken row by row where none was asked for: floored log-loss or squared error."""
    return SquaredError(None) if classes is None else FlooredLogLoss(classes)


def scoring_for(scoring: Any, classes: np.ndarray | None) -> Scoring:
    """Return the `Scoring` that the argument `scoring` of the search names.

    Parameters
    ----------
    scoring : "auto", str, scikit-learn scorer or callable
        "auto" is the floored log-loss, or in regression the squared error.
    classes : ndarray of shape (n_classes,) or None
        The user's labels, sorted; None in regression.

    Raises
    ------
    InvalidSetting
        If the name is none that scikit-learn knows, the object cannot be called, or it does not score such a target.
    """
    rows: dict[str, type[RowScoring]] = ROW_SCORINGS["classification" if classes is not None else "regression"]
    if isinstance(scoring, str):
        if scoring in rows:
            return rows[scoring](classes)
        try:
            replayed = ReplayedScoring(classes, get_scorer(scoring), scoring)
        except ValueError as error:
            raise InvalidSetting(
                f"scoring must be 'auto' or a name in sklearn.metrics.get_scorer_names(), got {scoring!r}: "
                "pass one of these names or a scorer."
            ) from error
        return _checked(replayed)
    if isinstance(scoring, _BaseScorer):
        return _checked(ReplayedScoring(classes, scoring, repr(scoring)))
    if callable(scoring):
        return ModelScoring(classes, scoring, getattr(scoring, "__name__", repr(scoring)))
    raise InvalidSetting(
        f"scoring must be 'auto', a scikit-learn scorer name or a scorer, got {type(scoring).__name__}: pass one."
    )


def _checked(scoring: ReplayedScoring) -> ReplayedScoring:
    """Return `scoring` if it takes a regressor's predictions of a number, where that is the task."""
    if scoring.classes is None:
        y = np.array([0.25, 0.5, 0.75, 1.0])
        try:
            scoring.score(y, y[:, None], None)
        except (ValueError, AttributeError) as error:
            raise InvalidSetting(
                f"scoring must score numbers in regression, {scoring.name} does not: pass for instance 'r2'."
            ) from error
    return scoring
