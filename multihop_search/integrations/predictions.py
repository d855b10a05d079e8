"""Given predictions as a teacher: of a model that lives elsewhere, in another language or on another machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidData
from multihop_search.problem.labels import labels_of_columns
from multihop_search.problem.teacher import GivenPredictions, check_predictions


def from_predictions(oof: Any, *, classes: Any = None, unlabeled: Any = None, y: Any = None) -> GivenPredictions:
    """Return a teacher that answers from out-of-fold predictions of the very rows that `fit` will be given.

    Nothing of it is fitted. In every fold, and in the refit, training rows are answered by their numbers; held-out rows
    score the teacher by theirs. New rows cannot be labelled, so synthetic rows leave the space; the rows of
    `X_unlabeled` stay in it if their predictions are given. There are no stages: nothing is truncated, and `ProfWeight`
    is `ConfWeight`. The rows must be the same at each `fit`, so such a search cannot itself be cross-validated.

    Each row must have been predicted by a model that did not see it, as `sklearn.model_selection.cross_val_predict`
    does and as bagged AutoML tools do; nearly one-hot predictions of training rows teach little and judge nothing. The
    models that predicted the training rows of one of our folds have in general seen held-out rows of it, so that the
    held-out labels leak through them to the student a little, at second hand, as they do through an upper model here.
    No row is predicted by a model that saw its own label, so that the scores are not marked as optimistic; the verdict
    says that predictions were given.

    Parameters
    ----------
    oof : array-like of shape (n_rows, n_classes), or (n_rows,) in regression
        Probabilities, rows summing to 1, or values. The columns of a frame that is named after the labels are read by
        name. Row labels of a pandas frame must be in the order of the rows given to `fit`.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels in the order of the columns; None: the sorted labels of y.
    unlabeled : array-like of shape (n_unlabeled, n_classes) or (n_unlabeled,), or None, default=None
        Predictions of the rows given to `fit` as `X_unlabeled`, in their order.
    y : array-like of shape (n_rows,) or None, default=None
        Labels or values of the rows where the predictions come from; compared with those given to `fit`, so that rows
        in another order are noticed.

    Raises
    ------
    InvalidData
        If the arrays hold no predictions; in `fit`, if they are not those of its rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search import MultihopSearchClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> oof = cross_val_predict(RandomForestClassifier(50, random_state=0), X, y, method="predict_proba")
    >>> search = MultihopSearchClassifier(
    ...     DecisionTreeClassifier(max_depth=2), from_predictions(oof), n_trials=6, random_state=0
    ... ).fit(X, y)
    >>> "The teacher's outputs were given" in str(search.verdict_)
    True
    """
    if isinstance(oof, (pd.DataFrame, pd.Series)) and isinstance(y, pd.Series):
        oof = _in_order_of(y, oof)
    index = getattr(oof, "index", None)
    index = None if not isinstance(index, pd.Index) or index.equals(pd.RangeIndex(len(index))) else index.to_numpy()
    names = labels_of_columns(oof, classes)
    given = check_predictions("oof", oof)
    more = None if unlabeled is None else check_predictions("unlabeled", unlabeled)
    if more is not None:
        labels = labels_of_columns(unlabeled, classes)
        more = unlabeled if names is None and labels is not None else _with_columns(names, more, labels)
    return GivenPredictions(
        given,
        classes=None if names is None else np.asarray(names),
        unlabeled=more,
        y=None if y is None else np.asarray(y),
        index=index,
    )


def _with_columns(names: list[Any] | None, values: np.ndarray, names_of_values: list[Any] | None) -> np.ndarray:
    """Return predictions of unlabelled rows with the columns in the order of those of the others."""
    if names is None or names_of_values is None or names_of_values == names:
        return values
    if set(names_of_values) != set(names):
        raise InvalidData(f"unlabeled must have the columns of oof, {names}, it has {names_of_values}: rename them.")
    return np.asarray(values[:, [names_of_values.index(name) for name in names]])


def _in_order_of(y: pd.Series, oof: Any) -> Any:
    """Return predictions in the order of their targets, by row label.

    Raises
    ------
    InvalidData
        If both have the same number of rows and other labels.
    """
    same = len(y) == len(oof) and y.index.is_unique and oof.index.is_unique
    if not same or oof.index.equals(y.index):
        return oof
    if set(oof.index) != set(y.index):
        raise InvalidData(
            "oof and y must be of the same rows, their row labels differ: pass arrays if the labels mean nothing."
        )
    return oof.loc[y.index]
