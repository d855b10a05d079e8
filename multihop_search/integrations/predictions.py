"""Given predictions as a teacher: of a model that lives elsewhere, in another language or on another machine."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        Probabilities, rows summing to 1, or values.
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
    >>> "the teacher's outputs were given" in str(search.verdict_)
    True
    """
    given = check_predictions("oof", oof)
    more = None if unlabeled is None else check_predictions("unlabeled", unlabeled)
    names = None if classes is None else np.asarray(classes)
    return GivenPredictions(given, classes=names, unlabeled=more, y=None if y is None else np.asarray(y))
