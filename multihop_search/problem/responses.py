"""What a fitted model says of rows, as a table that is stored; and such a table in place of the model.

A table has the probabilities of all classes in its first columns. Where the model's `predict` is not the most probable
class in every row, the code of the class that it predicts follows. Where the score reads `decision_function`, so do
that code and then the values. In regression there is one column, the predicted value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from multihop_search.problem.labels import in_order


def stored_form(estimator: Any, X: Any, classes: np.ndarray | None) -> np.ndarray:
    """Return predictions (n_rows, n_classes) in the order of `classes`; one-hot where there are no probabilities.

    A fold may lack a class: its column is 0 then. In regression (`classes` is None) there is one column.
    """
    if classes is None:
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(-1, 1)
    if hasattr(estimator, "predict_proba"):
        proba = in_order(estimator.predict_proba(X), np.asarray(estimator.classes_))
        if len(estimator.classes_) == 2 and proba.size == len(proba):  # of the second class only
            proba = np.column_stack([1 - proba.ravel(), proba.ravel()])
        return _aligned(proba, estimator, classes, 0.0)
    return np.asarray(np.eye(len(classes))[_codes(estimator.predict(X), classes)])


def response_table(estimator: Any, X: Any, classes: np.ndarray | None, response: str = "predict") -> np.ndarray:
    """Return the table of a fitted model on rows, (n_rows, n_columns), float64; `response` is what the score reads."""
    proba = stored_form(estimator, X, classes)
    if classes is None:
        return proba
    if response == "decision_function":
        codes = _codes(estimator.predict(X), classes)
        return np.column_stack([proba, codes, _decisions(estimator, X, classes)])
    if not hasattr(estimator, "predict_proba"):
        return proba
    codes = _codes(estimator.predict(X), classes)
    same = (proba.argmax(axis=1) == codes) & (proba.astype(np.float32).argmax(axis=1) == codes)
    return proba if same.all() else np.column_stack([proba, codes])


def predicted_codes(table: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the code of the class that the model predicts, (..., n_rows), of tables (..., n_rows, n_columns).

    Examples
    --------
    >>> predicted_codes(np.array([[0.8, 0.2], [0.4, 0.6]]), 2), predicted_codes(np.array([[0.8, 0.2, 1.0]]), 2)
    (array([0, 1]), array([1]))
    """
    if table.shape[-1] > n_classes:
        return np.asarray(table[..., n_classes].astype(np.intp))
    return np.asarray(table.argmax(axis=-1))


def no_skill(y: np.ndarray, weight: np.ndarray | None, n_classes: int | None, n_rows: int) -> np.ndarray:
    """Return what a model without skill says of `n_rows` rows, as scikit-learn's dummies do.

    `y` are codes, or in regression (`n_classes` is None) values, of the rows that it is fitted on: it says the shares
    of the classes in them, and so predicts the most frequent class; in regression their mean.

    Examples
    --------
    >>> no_skill(np.array([0, 1, 1, 1]), None, 2, 1), no_skill(np.array([1.0, 4.0]), np.array([2.0, 1.0]), None, 1)
    (array([[0.25, 0.75]]), array([[2.]]))
    """
    if n_classes is None:
        return np.full((n_rows, 1), np.average(y, weights=weight))
    shares = np.bincount(y, weights=weight, minlength=n_classes).astype(float)
    return np.tile(shares / shares.sum(), (n_rows, 1))


def joined_tables(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return tables of several folds as one.

    The predicted class is told in all if it is in one; values of a decision function that some have not are NaN there.
    """
    widest = max(table.shape[1] for table in tables)
    return np.concatenate([_widened(table, widest) for table in tables])


def _widened(table: np.ndarray, n_columns: int) -> np.ndarray:
    missing = n_columns - table.shape[1]
    if not missing:
        return table
    decisions = np.full((len(table), missing - 1), np.nan)
    return np.column_stack([table, table.argmax(axis=1), decisions]).astype(table.dtype, copy=False)


def _codes(labels: Any, classes: np.ndarray) -> np.ndarray:
    """Return the codes of predicted labels."""
    labels = np.asarray(labels).reshape(-1)
    codes: np.ndarray = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = labels[classes[codes] != labels]
    if len(unknown):
        raise ValueError(f"predict must return labels that y has, it returned {unknown.tolist()[0]!r}")
    return codes


def _decisions(estimator: Any, X: Any, classes: np.ndarray) -> np.ndarray:
    """Return the decision function: (n_rows, 1) of two classes, else (n_rows, n_columns) as the model has them."""
    values = np.asarray(estimator.decision_function(X), dtype=np.float64)
    if len(classes) == 2:
        sign = -1.0 if estimator.classes_[0] == classes[1] and values.size == len(values) else 1.0
        return sign * values.reshape(len(values), -1)
    if values.ndim == 1:  # of a model that was fitted on two of the classes
        values = np.column_stack([-values, values])
    return _aligned(values, estimator, classes, values.min(initial=0.0) - 1.0)


def _aligned(values: np.ndarray, estimator: Any, classes: np.ndarray, absent: float) -> np.ndarray:
    """Return columns in the order of `classes`; a class that the model was not fitted on has the value `absent`."""
    seen = np.searchsorted(classes, estimator.classes_)
    if np.array_equal(seen, np.arange(len(classes))):
        return values
    table = np.full((len(values), len(classes)), absent)
    table[:, seen] = values
    return table


class StoredValues(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose predictions are already known: `X` is the array of row numbers, (n_rows, 1)."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.fitted_ = True

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.values[X[:, 0]], dtype=np.float64)


def _holds_decisions(stored: StoredPredictions) -> bool:
    return bool(stored.table.shape[1] > len(stored.classes_) + 1)


class StoredPredictions(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose predictions are already known: `X` is the array of row numbers, (n_rows, 1).

    It has `decision_function` if the table holds it, else `predict_proba`: what the score has read of the model.
    """

    def __init__(self, table: np.ndarray, classes: np.ndarray) -> None:
        self.table = table
        self.classes_ = classes

    @available_if(lambda stored: not _holds_decisions(stored))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.table[X[:, 0], : len(self.classes_)])

    @available_if(lambda stored: not _holds_decisions(stored))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    @available_if(_holds_decisions)  # type: ignore[untyped-decorator]
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        values = self.table[X[:, 0], len(self.classes_) + 1 :]
        return np.asarray(values[:, 0] if values.shape[1] == 1 else values)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.classes_[predicted_codes(self.table[X[:, 0]], len(self.classes_))])
