"""A score: what "better" means, and how people read it. Greater is better everywhere.

Three kinds, by what they need:

- a *row score* is a weighted mean over rows, one class each in `row_scores`: log-loss, accuracy, squared error;
- a *replayed score* is any other scikit-learn scorer, replayed on stored predictions (`scorers`);
- a *model score* is a callable that reads the fitted model itself: it can rank trials, but nothing can be resampled.

`scorers.scoring_for` turns the user's `scoring` argument into one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import column_or_1d

from multihop_search.errors import InvalidData
from multihop_search.problem.responses import predicted_codes, response_table
from multihop_search.problem.units import Unit


@dataclass(frozen=True)
class Scoring:
    """How predictions are scored; greater is better.

    `classes` are the user's labels, sorted, and `y` in every method is their code, 0 to n_classes - 1. In regression
    `classes` is None, `y` the target and predictions have one column. Predictions are tables as `problem.responses`
    describes them.
    """

    classes: np.ndarray | None
    label: ClassVar[str] = "score"
    is_loss: ClassVar[bool] = False
    """Whether the score is minus a loss, which people read without the sign."""
    in_points: ClassVar[bool] = False
    """Whether the score is a share of the rows, whose gains are read in points."""
    is_measured: ClassVar[bool] = False
    """Whether `MEASURES` show it anyway, so that a table needs no further column."""
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
    def unit(self) -> Unit:
        """What the score is called, and how its values and gains are read."""
        name = getattr(self, "name", None) or self.label
        return Unit(name, is_loss=self.is_loss, in_points=self.in_points, is_measured=self.is_measured)

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
            raise ValueError(f"the score {self.unit.name} of a fold must be finite, it is {score}")
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


def unweighted(scoring: Scoring) -> str:
    """Say that a score takes no weights."""
    return f"the score {scoring.unit.name} takes no sample_weight, so it counts every row alike"


def left_out(scoring: Scoring, n_undefined: int, n_folds: int) -> str:
    """Say that folds do not count, whatever is predicted for their rows."""
    return (
        f"the score {scoring.unit.name} cannot be taken on the rows of {n_undefined} of {n_folds} folds, which may "
        "lack a class: the scores are means over the other folds"
    )
