"""Delegation: a search predicts, scores and has the tags of its student."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from multihop_search.models.steps import offers
from multihop_search.problem.tables import as_pandas
from multihop_search.search.composition import Composition
from multihop_search.search.settings import named_students


def student_has(method: str) -> Callable[[Any], bool]:
    """Return the check that makes `hasattr` of a search as honest as its student."""

    def check(self: Any) -> bool:
        if hasattr(self, "best_estimator_"):
            return hasattr(self.best_estimator_, method)
        return all(offers(student, method) for student in named_students(self.student).values())

    return check


class Delegation(MetaEstimatorMixin, Composition):  # type: ignore[misc]
    """The methods of a search that its student answers."""

    student: Any
    best_estimator_: Any
    scorer_: Callable[[Any, Any, Any, Any], float]

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels or values (n_rows,) with `best_estimator_`."""
        return np.asarray(self._delegate("predict", X))

    @available_if(student_has("transform"))  # type: ignore[untyped-decorator]
    def transform(self, X: Any) -> Any:
        """Transform rows with `best_estimator_`."""
        return self._delegate("transform", X)

    @available_if(student_has("inverse_transform"))  # type: ignore[untyped-decorator]
    def inverse_transform(self, X: Any) -> Any:
        """Take transformed rows back with `best_estimator_`."""
        self._check_ready()
        return self.best_estimator_.inverse_transform(X)

    @available_if(student_has("score_samples"))  # type: ignore[untyped-decorator]
    def score_samples(self, X: Any) -> np.ndarray:
        """Return the score of each row (n_rows,) by `best_estimator_`."""
        return np.asarray(self._delegate("score_samples", X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score `best_estimator_` by `scoring`, as scikit-learn's searches do; greater is better."""
        self._check_ready()
        return self.scorer_(
            self.best_estimator_, self._known_rows(X), as_pandas("y", y), as_pandas("sample_weight", sample_weight)
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def _check_ready(self, name: str = "best_estimator_") -> None:
        """Raise `NotFittedError` unless the search got as far as an attribute."""
        if hasattr(self, "results_") and not hasattr(self, name):
            raise NotFittedError(
                f"the search must have {name} for this, its last step failed: results_ holds the trials, "
                "refit_trial(number) fits the student of one, or call fit again."
            )
        check_is_fitted(self)

    def _delegate(self, method: str, X: Any) -> Any:
        self._check_ready()
        return getattr(self.best_estimator_, method)(self._known_rows(X))

    def _known_rows(self, X: Any) -> Any:
        """Return rows as in `fit`, a table of any library as one of pandas; its columns must be those of `fit`."""
        X = as_pandas("X", X)
        if hasattr(X, "iloc"):
            validate_data(self, X, reset=False, skip_check_array=True)
        return X

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        students = named_students(self.student).values()
        of_students = [get_tags(student) for student in students]
        tags.input_tags.allow_nan = all(of.input_tags.allow_nan for of in of_students)
        tags.input_tags.pairwise = any(of.input_tags.pairwise for of in of_students)
        return tags
