"""A fitted model of another tool, used as it is: its own methods answer, and its scores here are optimistic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils.metaestimators import available_if

from multihop_search.errors import InvalidData, UnsuitableModel
from multihop_search.problem.labels import in_order
from multihop_search.problem.tables import as_pandas
from multihop_search.problem.teacher import check_predictions


def from_callable(function: Callable[[Any], Any], *, classes: Any = None) -> FrozenEstimator:
    """Return a teacher that asks a function, for instance one that calls a remote model.

    It is used as it is: the model behind it may have seen the rows that judge, so that the verdict calls all gains
    optimistic. For honest scores pass out-of-fold predictions to `from_predictions`.

    Parameters
    ----------
    function : callable
        ``function(rows)`` returns class probabilities, (n_rows, n_classes), or in regression values, (n_rows,); rows
        come as the user gave them to `fit`, an array or a DataFrame. For workers it has to be picklable by cloudpickle,
        for a checkpoint by pickle.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels in the order of the columns of probabilities; None: it predicts values, in regression.

    Examples
    --------
    >>> teacher = from_callable(lambda rows: np.tile([0.25, 0.75], (len(rows), 1)), classes=["no", "yes"])
    >>> teacher.predict_proba([[0.0], [1.0]])
    array([[0.25, 0.75],
           [0.25, 0.75]])
    """
    if not callable(function):
        raise UnsuitableModel(
            f"function must be callable as function(rows), got {function!r}: pass for instance model.predict_proba."
        )
    return FrozenEstimator(AsItIs(function, classes=None if classes is None else np.asarray(classes)))


class AsItIs(BaseEstimator):  # type: ignore[misc]
    """A fitted model of another tool in the shape of an estimator; inside `FrozenEstimator` nobody clones or fits it.

    Parameters
    ----------
    function : callable
        Rows to class probabilities or values.
    classes : ndarray of shape (n_classes,) or None
        Labels in the order of the columns of probabilities; None in regression.
    columns : list of str or None, default=None
        Names of the columns that the model was fitted on, where it knows them: rows come to it as a DataFrame.
    """

    def __init__(self, function: Any, *, classes: Any = None, columns: Any = None) -> None:
        self.function = function
        self.classes = classes
        self.columns = columns

    @property
    def _has_classes(self) -> bool:
        return self.classes is not None

    def fit(self, X: Any, y: Any) -> AsItIs:
        """Do nothing: the model is fitted."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def measured_complexity(self) -> float:
        """Return infinity: the model lives elsewhere, and a teacher stands above every other model."""
        return float("inf")

    @available_if(lambda self: self._has_classes)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, (n_rows, n_classes)."""
        return self._asked(X, len(self.classes))

    def predict(self, X: Any) -> np.ndarray:
        """Return labels or values, (n_rows,)."""
        if self.classes is None:
            return self._asked(X, 1)[:, 0]
        return np.asarray(self.classes[self.predict_proba(X).argmax(axis=1)])

    def _asked(self, X: Any, n_columns: int) -> np.ndarray:
        n_rows = np.shape(X)[0]
        answer = self.function(self._rows(X))
        table = check_predictions("what the teacher predicts", answer)
        table = table.reshape(len(table), -1)
        if table.shape != (n_rows, n_columns):
            raise InvalidData(
                f"what the teacher predicts must have the shape {(n_rows, n_columns)}, got {table.shape}: return a row "
                "for each row and a column for each class."
            )
        return table if self.classes is None else in_order(answer, self.classes)

    def _rows(self, X: Any) -> Any:
        if self.columns is None:
            return X
        X = as_pandas("X", X)
        if not hasattr(X, "iloc"):
            return pd.DataFrame(X, columns=self.columns)
        lacking = [name for name in self.columns if name not in X.columns]
        if lacking:
            raise InvalidData(
                f"the teacher must be given the columns that it was fitted on, X has no {lacking[0]!r}: pass the same "
                "table."
            )
        return X[list(self.columns)]

    def __getattr__(self, name: str) -> Any:
        learned = {"classes_": "classes", "feature_names_in_": "columns"}
        if name in learned and self.__dict__.get(learned[name]) is not None:
            return np.asarray(self.__dict__[learned[name]])
        if name == "n_features_in_" and self.__dict__.get("columns") is not None:
            return len(self.columns)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __sklearn_tags__(self) -> Tags:
        return tags_of(super().__sklearn_tags__(), classifier=self._has_classes)


def tags_of(tags: Tags, *, classifier: bool) -> Tags:
    """Return the tags of an estimator of which only the parameters say whether it classifies."""
    tags.estimator_type = "classifier" if classifier else "regressor"
    tags.classifier_tags, tags.regressor_tags = (ClassifierTags(), None) if classifier else (None, RegressorTags())
    tags.target_tags.required = True
    return tags
