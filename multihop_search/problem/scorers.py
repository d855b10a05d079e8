"""Scores that others define: scikit-learn's scorers, replayed on stored predictions, and callables that read the model.

`scoring_for` returns the score that the user's argument `scoring` names, of whichever kind.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer

from multihop_search.compat.sklearn import BaseScorer, responses_of, takes_weights
from multihop_search.errors import InvalidSetting
from multihop_search.problem.responses import StoredPredictions, StoredValues
from multihop_search.problem.row_scores import row_scorings
from multihop_search.problem.scoring import Scoring


@dataclass(frozen=True)
class ReplayedScoring(Scoring):
    """Any scikit-learn scorer, replayed on stored predictions (ROC AUC, F1, balanced accuracy, ...)."""

    scorer: Any = None
    name: str = "score"

    @property
    def responses(self) -> tuple[str, ...]:
        return responses_of(self.scorer)

    @property
    def takes_weights(self) -> bool:
        return takes_weights(self.scorer)

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
        return takes_weights(self.scorer)

    def score_model(self, model: Any, X: Any, y: np.ndarray, proba: np.ndarray, weight: np.ndarray | None) -> float:
        return self(model, X, y if self.classes is None else self.classes[y], weight)

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        weight = {} if sample_weight is None or not self.takes_weights else {"sample_weight": sample_weight}
        return float(self.scorer(estimator, X, y, **weight))


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
    if isinstance(scoring, str):
        rows = row_scorings(classes)
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
    if isinstance(scoring, BaseScorer):
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
