"""Scores: what "better" means. Greater is better everywhere.

Three kinds, by what they need:

- a *row score* is a weighted mean over rows (`FlooredLogLoss`, `LogLoss`, `Accuracy`; in regression `SquaredError`,
  `AbsoluteError`);
- a *replayed score* is any other scikit-learn scorer, replayed on stored predictions;
- a *model score* is a callable that reads the fitted model itself: it can rank trials, but nothing can be resampled.

`scoring_for` turns the user's `scoring` argument into one of them.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, log_loss
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils.validation import column_or_1d

from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.problem.responses import StoredPredictions, StoredValues, predicted_codes, response_table

FLOOR = 1e-3
"""Smallest probability that the default log-loss sees. Measured, depth-6 tree, spambase: the score's noise is
.738 +- .107 with a floor at machine precision and .349 +- .025 at 1e-3: without it a few rows with p = 0 decide."""


@dataclass(frozen=True)
class Scoring:
    """How predictions are scored; greater is better.

    `classes` are the user's labels, sorted, and `y` in every method is their code, 0 to n_classes - 1. In regression
    `classes` is None, `y` the target and predictions have one column. Predictions are tables as `problem.responses`
    describes them.
    """

    classes: np.ndarray | None
    label: ClassVar[str] = "score"
    region: ClassVar[float | None] = None
    """Half-width of the region of equivalence in units of the score; None: 1 % of the plain student's score."""

    @property
    def responses(self) -> tuple[str, ...]:
        """Methods of a model that the score may read, the best first; the first that the model has is read."""
        return ("predict",)

    @property
    def needs_proba(self) -> bool:
        """Whether hard predictions (as one-hot rows) are not enough."""
        return set(self.responses) <= {"predict_proba", "predict_log_proba"}

    @property
    def takes_weights(self) -> bool:
        """Whether the score counts rows by their weights."""
        return True

    @property
    def name_shown(self) -> str:
        """What people read."""
        return getattr(self, "name", None) or self.label

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """Score the rows (n_rows,) with predictions (n_rows, n_columns)."""
        raise NotImplementedError

    def table(self, model: Any, X: Any) -> np.ndarray:
        """Return what a fitted model says of rows, (n_rows, n_columns), with the response that the score reads."""
        response = next((name for name in self.responses if hasattr(model, name)), "predict")
        return response_table(model, X, self.classes, response)

    def defined_on(self, y: np.ndarray, weight: np.ndarray | None) -> bool:
        """Whether some predictions of the rows can be scored: ROC AUC, for one, needs rows of two classes."""
        return True

    def read(self, table: np.ndarray) -> np.ndarray:
        """Return what the score reads of a table."""
        if self.classes is not None and self.responses == ("predict",):
            return predicted_codes(table, len(self.classes))
        return table

    def refusal(self, y: np.ndarray) -> str:
        """Return what the score says, in brackets, if it refuses rows; "" if it says nothing."""
        return ""

    def score_model(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        """Score a fitted model whose predictions on `X` are `proba`."""
        return self.score(y, proba, weight)

    def score_fold(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        """Score a fitted model on held-out rows; NaN only where no predictions of these rows can be scored.

        Raises
        ------
        ValueError
            If the score of these rows cannot be taken, or is not finite, though it can be with other predictions.
        """
        try:
            score = self.score_model(model, X, y, proba, weight)
        except ValueError:
            if self.defined_on(y, weight):
                raise
            return float("nan")
        if np.isfinite(score):
            return score
        if self.defined_on(y, weight):
            raise ValueError(f"the score {self.name_shown} of a fold must be finite, it is {score}")
        return float("nan")

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score a fitted estimator as a scikit-learn scorer does; `y` in the user's labels."""
        labels = column_or_1d(y)
        if self.classes is None:
            return self.score(labels, self.table(estimator, X), sample_weight)
        unknown = np.setdiff1d(labels, self.classes)
        if len(unknown):
            raise InvalidData(f"y must hold labels seen in fit, got {unknown.tolist()[0]!r} too: leave these rows out.")
        codes = np.searchsorted(self.classes, labels)
        return self.score(codes, self.table(estimator, X), sample_weight)


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

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-((proba[..., 0].astype(np.float64) - y) ** 2))


@dataclass(frozen=True)
class AbsoluteError(RowScoring):
    """Minus the absolute error, scikit-learn's `neg_mean_absolute_error`."""

    label: ClassVar[str] = "absolute error"

    def rows(self, y: np.ndarray, proba: np.ndarray) -> np.ndarray:
        return np.asarray(-np.abs(proba[..., 0].astype(np.float64) - y))


@dataclass(frozen=True)
class ReplayedScoring(Scoring):
    """Any scikit-learn scorer, replayed on stored predictions (ROC AUC, F1, balanced accuracy, ...)."""

    scorer: Any = None
    name: str = "score"

    @property
    def responses(self) -> tuple[str, ...]:
        wanted = self.scorer._response_method
        return (wanted,) if isinstance(wanted, str) else tuple(wanted)

    @property
    def takes_weights(self) -> bool:
        return _takes_weights(self.scorer)

    def score(self, y: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None) -> float:
        rows = np.arange(len(y))[:, None]
        weight = self._weight(sample_weight)
        with warnings.catch_warnings():  # of a fold without a class: it is told once, when the search begins
            warnings.filterwarnings("ignore", "(Only one class|R.2 score is not well)", UndefinedMetricWarning)
            if self.classes is None:
                return float(self.scorer(StoredValues(proba[:, 0]), rows, y, **weight))
            return float(self.scorer(StoredPredictions(proba, self.classes), rows, self.classes[y], **weight))

    def defined_on(self, y: np.ndarray, weight: np.ndarray | None) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return any(np.isfinite(self._tried(y, table, weight)) for table in self._examples(y))

    def refusal(self, y: np.ndarray) -> str:
        try:
            self.score(y, self._examples(y)[0], None)
        except ValueError as error:
            return f" ({error})"
        return ""

    def _tried(self, y: np.ndarray, table: np.ndarray, weight: np.ndarray | None) -> float:
        try:
            return self.score(y, table, weight)
        except ValueError:
            return float("nan")

    def _examples(self, y: np.ndarray) -> list[np.ndarray]:
        """Return predictions that are right, and some that are not."""
        rng = np.random.default_rng(0)
        if self.classes is None:
            spread = 1.0 + np.abs(y)
            return [y[:, None].astype(float), (y + spread * rng.uniform(0.1, 0.9, len(y)))[:, None]]
        right = np.eye(len(self.classes))[y]
        tables = [0.5 * right + 0.5 * rng.dirichlet(np.ones(len(self.classes)), len(y)) for _ in range(2)]
        tables[1] = np.roll(tables[1], 1, axis=1)
        if not {"predict", "predict_proba", "predict_log_proba"} & set(self.responses):
            values = [table[:, 1:] if len(self.classes) == 2 else table for table in tables]
            tables = [np.column_stack([t, t.argmax(axis=1), v]) for t, v in zip(tables, values, strict=True)]
        return tables

    def _weight(self, sample_weight: Any) -> dict[str, Any]:
        return {} if sample_weight is None or not self.takes_weights else {"sample_weight": sample_weight}

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(self.scorer(estimator, X, y, **self._weight(sample_weight)))


@dataclass(frozen=True)
class ModelScoring(Scoring):
    """A callable `(estimator, X, y) -> float` that may read the model: it ranks trials, nothing is resampled.

    It is given `sample_weight` too if it names it.
    """

    scorer: Callable[..., float] = len  # replaced by scoring_for
    name: str = "score"

    @property
    def takes_weights(self) -> bool:
        return _takes_weights(self.scorer)

    def score_model(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        return self(model, X, y if self.classes is None else self.classes[y], weight)

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        weight = {} if sample_weight is None or not self.takes_weights else {"sample_weight": sample_weight}
        return float(self.scorer(estimator, X, y, **weight))


def _takes_weights(scorer: Any) -> bool:
    """Whether a scorer takes `sample_weight`, as scikit-learn finds out."""
    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    try:  # a scorer of scikit-learn 1.6 takes weights itself, and its function may not
        return "sample_weight" in inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
    except (ValueError, TypeError):  # of a function in C
        return False


def unweighted(scoring: Scoring) -> str:
    """Say that a score takes no weights."""
    return f"the score {scoring.name_shown} takes no sample_weight, so it counts every row alike"


def left_out(scoring: Scoring, n_undefined: int, n_folds: int) -> str:
    """Say that folds do not count, whatever is predicted for their rows."""
    return (
        f"the score {scoring.name_shown} cannot be taken on the rows of {n_undefined} of {n_folds} folds, which may "
        "lack a class: the scores are means over the other folds"
    )


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
