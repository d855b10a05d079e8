"""The teacher: who gives cross-fitted outputs, in one of three ways.

============================  ====================================================================================
teacher                       its outputs on the training rows of a fold
============================  ====================================================================================
an estimator                  a clone is fitted in each fold, and cross-fitted there (`engine.crossfit`)
`FrozenEstimator(model)`      the model is used as it is: it may have seen the rows that judge, so all scores are
                              marked as optimistic
a `RowTeacher`                what it answers by row number; nothing is fitted
============================  ====================================================================================

`GivenPredictions` is the `RowTeacher` that we ship.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from multihop_search.errors import InvalidData
from multihop_search.problem.labels import as_array, labels_of_columns, matched
from multihop_search.problem.problem import Problem

SUM_TOLERANCE = 1e-3
"""How far the probabilities of a row may be from summing to 1; they are divided by their sum."""
SAME = 1e-6
"""Targets that differ by less than this share of their standard deviation are equal."""
GIVEN = (
    "the teacher's outputs were given: the models behind them may have learned from rows that judge here, a small leak "
    "at second hand"
)
"""What the verdict says of a `RowTeacher`."""


@runtime_checkable
class RowTeacher(Protocol):
    """A teacher that answers by row number, for the very rows given to `fit`.

    It is asked in this order: `check_rows` once, before anything is taught; then, in each fold and for all rows,
    `outputs_on_rows`; and `outputs_on_unlabeled` where `labels_unlabeled` says that it can. It labels no other row, so
    that synthetic rows leave the space, and it has no stages. Rows of weight 0 are left out of a problem and never
    asked for: `Problem.n_given` counts them too. It also needs `get_params`, as any estimator: a clone must answer
    alike, and a checkpoint knows the teacher by its parameters.
    """

    @property
    def labels_unlabeled(self) -> bool:
        """Whether it has outputs on the rows of `X_unlabeled`."""

    def check_rows(self, problem: Problem) -> None:
        """Raise an error of `multihop_search.errors` unless it can answer for the rows of `problem`."""

    def outputs_on_rows(self, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """Return what models that were not fitted on a row say of it.

        Parameters
        ----------
        rows : ndarray of shape (n_asked,)
            Row numbers among the rows given to `fit`.
        classes : ndarray of shape (n_classes,) or None
            Labels in the order of the columns wanted; None in regression.

        Returns
        -------
        ndarray of shape (n_asked, n_classes)
            Class probabilities, or in regression values, (n_asked, 1).
        """

    def outputs_on_unlabeled(self, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """Return the same of rows of `X_unlabeled`, by their numbers there."""


class GivenPredictions(BaseEstimator):  # type: ignore[misc]
    """A teacher that lives elsewhere: arrays of its predictions; made by `integrations.from_predictions`.

    Parameters
    ----------
    oof : ndarray of shape (n_rows, n_classes), or (n_rows,) in regression
        Out-of-fold predictions for the rows given to `fit`, in their order.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels in the order of the columns; None: the sorted labels of y.
    unlabeled : ndarray of shape (n_unlabeled, n_classes) or (n_unlabeled,), or None, default=None
        Predictions for the rows of `X_unlabeled`.
    y : array-like of shape (n_rows,) or None, default=None
        Labels of the rows where `oof` comes from: must equal those given to `fit`.
    index : array-like of shape (n_rows,) or None, default=None
        Row labels of `oof`: where they are those of X in another order, the predictions are refused.

    Examples
    --------
    >>> teacher = GivenPredictions(np.array([[0.9, 0.1], [0.2, 0.8]]), classes=["yes", "no"])
    >>> teacher.outputs_on_rows(np.array([1]), np.array(["no", "yes"]))
    array([[0.8, 0.2]])
    """

    def __init__(
        self, oof: Any, *, classes: Any = None, unlabeled: Any = None, y: Any = None, index: Any = None
    ) -> None:
        self.oof = oof
        self.classes = classes
        self.unlabeled = unlabeled
        self.y = y
        self.index = index

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        n_rows, *n_columns = np.shape(self.oof)
        columns = f", {n_columns[0]} columns" if n_columns else ""
        return f"<{type(self).__name__} of {n_rows} rows{columns}>"

    @property
    def labels_unlabeled(self) -> bool:
        return self.unlabeled is not None

    def measured_complexity(self) -> float:
        """Return infinity: it is not known, and a teacher stands above every other model."""
        return float("inf")

    def check_rows(self, problem: Problem) -> None:
        """Raise `InvalidData` unless there is a usable prediction for each row of `problem`."""
        classes = problem.classes
        self._check_order(problem)
        self._check_array("oof", self.oof, problem.n_given, "fit", classes)
        n_unlabeled = None if problem.unlabeled is None else np.shape(problem.unlabeled)[0]
        if (n_unlabeled is None) != (self.unlabeled is None):
            given, lacking = ("X_unlabeled", "unlabeled") if self.unlabeled is None else ("unlabeled", "X_unlabeled")
            raise InvalidData(
                f"a teacher of given predictions must know those of X_unlabeled, {given} was passed and {lacking} was "
                "not: pass both (unlabeled to the teacher, X_unlabeled to fit), or neither."
            )
        if n_unlabeled is not None:
            self._check_array("unlabeled", self.unlabeled, n_unlabeled, "X_unlabeled", classes)
        for values in (self.oof, self.unlabeled):
            labels = None if values is None else labels_of_columns(values, self.classes)
            if labels is not None and classes is not None:
                _check_classes(matched(labels, classes.tolist()), classes.tolist())
        if self.y is not None:
            _check_labels(np.asarray(self.y), problem)

    def _check_order(self, problem: Problem) -> None:
        """Raise unless the row labels of a frame of predictions, if it has some, are in the order of the rows."""
        index = pd.Index(self.index) if self.index is not None else getattr(self.oof, "index", None)
        if not isinstance(index, pd.Index) or not index.is_unique:
            return
        X, numbers = problem.X, problem.given_numbers(np.arange(problem.n_rows))
        rows = X.index if isinstance(X, (pd.DataFrame, pd.Series)) else pd.Index(numbers)
        named = set(index)
        index = index[numbers] if len(index) == problem.n_given else index
        if len(rows) == len(index) and not index.equals(rows) and set(rows) <= named:
            raise InvalidData(
                "oof must have its rows in the order of X, its labels are of rows in another order: pass "
                "oof.loc[X.index], or oof.to_numpy() if the labels mean nothing."
            )

    def _check_array(self, name: str, values: Any, n_rows: int, rows: str, classes: np.ndarray | None) -> None:
        table = check_predictions(name, values)
        if len(table) != n_rows:
            raise InvalidData(
                f"{name} must have a prediction for each of the {n_rows} rows of {rows}, it has {len(table)}: predict "
                "these very rows, in their order (a search inside cross-validation sees other rows each time)."
            )
        n_columns = table.shape[1] if table.ndim == 2 else 1
        if classes is None and n_columns != 1:
            raise InvalidData(
                f"{name} must hold one value for each row in regression, it has {n_columns} columns: they look like "
                "class probabilities, use MultihopSearchClassifier."
            )
        if classes is not None and n_columns != len(classes):
            raise InvalidData(
                f"{name} must have a column of probabilities for each of the {len(classes)} classes of y, it has "
                f"{n_columns}: pass the output of predict_proba."
            )

    def outputs_on_rows(self, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """Return the predictions of training rows by number, columns in the order of `classes`."""
        return self._taken(self.oof, rows, classes)

    def outputs_on_unlabeled(self, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """Return the predictions of unlabelled rows by number, columns in the order of `classes`."""
        return self._taken(self.unlabeled, rows, classes)

    def _taken(self, values: Any, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        taken = as_array(values)[rows]
        if classes is None:
            return np.asarray(taken.reshape(-1, 1))
        labels = labels_of_columns(values, self.classes)
        if labels is not None:
            labels_in_order = matched(labels, classes.tolist())
            taken = taken[:, [labels_in_order.index(label) for label in classes.tolist()]]
        summed: np.ndarray = taken / taken.sum(axis=1, keepdims=True)
        return summed


def check_predictions(name: str, values: Any) -> np.ndarray:
    """Return given predictions as an array if they can be some: values, (n_rows,), or rows of probabilities.

    Raises
    ------
    InvalidData
        If they hold anything but finite numbers, or rows of several columns that are no probabilities.
    """
    try:
        table = as_array(values)
    except (TypeError, ValueError) as error:
        raise InvalidData(f"{name} must be an array of numbers, it is none ({error}): pass predictions.") from error
    if table.ndim not in (1, 2) or table.size == 0:
        raise InvalidData(
            f"{name} must have the shape (n_rows, n_classes), or (n_rows,) in regression, got {table.shape}: pass the "
            "output of predict_proba or predict."
        )
    bad = np.flatnonzero(~np.isfinite(table.reshape(len(table), -1)).all(axis=1))
    if len(bad):
        raise InvalidData(
            f"{name} must hold a finite prediction for each row, {len(bad)} of {len(table)} have NaN or infinity, the "
            f"first is row {bad[0]}: predict every row by a model that did not see it, or leave these rows out."
        )
    if table.ndim == 2 and table.shape[1] > 1:
        _check_sums(name, table)
    return table


def _check_sums(name: str, table: np.ndarray) -> None:
    if (table < 0).any():
        row = np.flatnonzero((table < 0).any(axis=1))[0]
        raise InvalidData(f"{name} must hold no negative probability, row {row} has one: pass what predict_proba says.")
    off = np.flatnonzero(np.abs(table.sum(axis=1) - 1) > SUM_TOLERANCE)
    if len(off):
        raise InvalidData(
            f"{name} must have rows that sum to 1, {len(off)} of {len(table)} do not, the first is row {off[0]} with "
            f"{table[off[0]].sum():.4g}: pass probabilities of every class."
        )


def _check_classes(names: list[Any], wanted: list[Any]) -> None:
    for label in names:
        if names.count(label) > 1:
            raise InvalidData(f"classes must name each label once, {label!r} stands twice: mend the list.")
        if label not in wanted:
            raise InvalidData(f"classes must name the labels of y, {label!r} is none of them: predict the labels of y.")
    for label in wanted:
        if label not in names:
            raise InvalidData(f"classes must name every label of y, {label!r} is missing: predict all labels of y.")


def _check_labels(y: np.ndarray, problem: Problem) -> None:
    """Raise unless the labels that the predictions came with are those of `fit`, row by row."""
    if len(y) != problem.n_given:
        raise InvalidData(
            f"the predictions were made for {len(y)} rows, fit got {problem.n_given}: pass the very rows that the "
            "teacher was trained on, in their order."
        )
    numbers = problem.given_numbers(np.arange(problem.n_rows))
    y = y[numbers]
    given = problem.y if problem.classes is None else problem.classes[problem.y]
    same = _same_values(y, given) if problem.classes is None else y == given
    if not np.all(same):
        place = int(np.flatnonzero(np.broadcast_to(np.logical_not(same), len(y)))[0])
        row = int(numbers[place])
        (here,), (there,) = given[[place]].tolist(), y[[place]].tolist()
        raise InvalidData(
            f"the predictions were made for other rows or for rows in another order, row {row} has the target "
            f"{here!r} in fit and had {there!r}: pass the very rows that the teacher was trained on."
        )


def _same_values(y: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return where two targets agree, (n_rows,): in the precision of `y`, or by the spread of the target."""
    precise = given.astype(y.dtype) if y.dtype.kind == "f" else given
    near = np.abs(y.astype(np.float64) - given) <= SAME * given.std()
    return np.asarray((y == precise) | near)
