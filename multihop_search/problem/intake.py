"""Intake: what the user handed in becomes a `Problem`, or one clear sentence."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.errors import InvalidData, InvalidSetting, ScoreWarning, SeenRowsWarning, warn
from multihop_search.problem.folds import make_folds, splits_of_rows
from multihop_search.problem.leaks import leaks_of_folds
from multihop_search.problem.problem import Problem, undefined_folds
from multihop_search.problem.sample import draw_sample
from multihop_search.problem.scorers import ModelScoring, scoring_for
from multihop_search.problem.scoring import left_out, unweighted


def make_problem(
    X: Any,
    y: Any,
    *,
    sample_weight: Any,
    groups: Any,
    cv: Any,
    crossfit_cv: int | bool,
    scoring: Any,
    random_state: int,
    regression: bool = False,
    synthetic: Mapping[str, int] | None = None,
    unlabeled: Any = None,
    threads: int = 1,
    verdict: Any = "bbc",
    max_rows: int | None = None,
    fresh: bool = False,
) -> Problem:
    """Return the problem of one search; it holds copies, so that nothing that the user does to the rows changes it.

    Rows of weight 0 are left out: they count nowhere.

    Parameters
    ----------
    X : array or DataFrame of shape (n_rows, n_features)
        Validated rows.
    y : array-like of shape (n_rows,)
        Labels of any kind, or numbers in regression.
    sample_weight, groups : array-like of shape (n_rows,) or None
        Weights and groups of the rows; weights are brought to mean 1.
    cv, crossfit_cv, scoring
        As the search takes them.
    random_state : int
        Base seed.
    regression : bool, default=False
        Whether the target is a number.
    synthetic : mapping of str to int or None
        Most rows without a true label that a hop may ask for, per training row, by generator.
    unlabeled : array or DataFrame of shape (n_unlabeled, n_features) or None
        Rows without a label.
    threads : int, default=1
        Threads of each fit.
    verdict : "bbc", "nested" or float, default="bbc"
        As the search takes it: a share is held out, a nested search needs folds of its own.
    max_rows : int or None, default=None
        Most rows to search; see `draw_sample`.
    fresh : bool, default=False
        Whether rows that are not among these judge.

    Raises
    ------
    InvalidData, InvalidSetting
        If the target has missing values or fewer than 2 classes, or lengths, weights, folds or score cannot be used.
    """
    n_given = np.shape(X)[0]
    weight = None if sample_weight is None else checked_weights(sample_weight, n_given)
    given = None if weight is None or weight.all() else weight > 0
    classes, codes = (None, numeric_target(y, n_given, given)) if regression else encode_target(y, n_given, given)
    if groups is not None:
        groups = checked_groups(groups, n_given)
    if weight is not None and given is not None:
        X, weight, cv = safe_indexing(X, given), weight[given], splits_of_rows(cv, given)
        groups = None if groups is None else groups[given]
    sample = draw_sample(max_rows, codes, groups, stratified=classes is not None, random_state=random_state)
    if sample is not None:
        inside = np.zeros(len(codes), dtype=bool)
        inside[sample.kept] = True
        X, codes, cv = safe_indexing(X, sample.kept), codes[inside], splits_of_rows(cv, inside)
        groups = None if groups is None else groups[inside]
        if weight is not None:  # those that judge have no part in how strong a penalty is
            weight = weight[inside] / weight[inside][sample.searched].mean()
        given = _among(given, inside)
    X, codes, groups, unlabeled = own_copy(X), own_copy(codes), own_copy(groups), own_copy(unlabeled)
    scorer = scoring_for(scoring, classes)
    nested = isinstance(verdict, str) and verdict == "nested"
    if nested and isinstance(scorer, ModelScoring):
        raise InvalidSetting(
            f"verdict='nested' needs a score of predictions, {scorer.unit.name} reads the model itself: hold out a "
            "share of the rows, for instance verdict=0.3."
        )
    folds = make_folds(
        X,
        codes,
        groups,
        cv=cv,
        crossfit_cv=crossfit_cv,
        random_state=random_state,
        classes=classes,
        searched=None if sample is None else sample.searched,
        judged=bool(verdict == "bbc") and not fresh and isinstance(cv, Integral),
        share=float(verdict) if isinstance(verdict, Real) else None,
        nested=nested,
    )
    if nested and not folds.pairs:
        raise InvalidSetting(
            "verdict='nested' needs rows to train on beside those of two outer folds, the "
            f"{len(folds.outer)} folds of cv leave none: use cv=3 or more."
        )
    problem = Problem(
        X=X,
        y=codes,
        classes=classes,
        sample_weight=weight,
        groups=groups,
        folds=folds.outer,
        whole=folds.whole,
        sample=folds.sample,
        choosing=folds.choosing,
        pairs=folds.pairs,
        scoring=scorer,
        random_state=random_state,
        synthetic=synthetic or {},
        unlabeled=unlabeled,
        threads=threads,
        token=uuid4().hex,
        given=given,
    )
    _check_score(problem)
    for leak in leaks_of_folds(problem):
        warn(f"{leak}: use a cv that holds out what it does not train on, for instance cv=5.", SeenRowsWarning)
    return problem


def _among(given: np.ndarray | None, inside: np.ndarray) -> np.ndarray:
    """Return which of the rows given are in the problem, (n_given,) of bool; `inside` is of those of `given`."""
    if given is None:
        return inside
    both = given.copy()
    both[given] = inside
    return both


def own_copy(values: Any) -> Any:
    """Return a copy that shares no memory, in the same layout: sums over it are equal to the last digit."""
    if values is None:
        return None
    if isinstance(values, np.ndarray):
        return values.copy(order="K")
    parts: list[pickle.PickleBuffer] = []
    try:
        frame = pickle.dumps(values, protocol=5, buffer_callback=parts.append)
        return pickle.loads(frame, buffers=[bytearray(part.raw()) for part in parts])
    except Exception:  # a table whose cells cannot be pickled
        return values.copy()


def _check_score(problem: Problem) -> None:
    """Say what the score leaves out: weights, or folds; raise `InvalidSetting` if that is every fold."""
    scoring, n_folds, undefined = problem.scoring, len(problem.folds), undefined_folds(problem)
    if problem.sample_weight is not None and not scoring.takes_weights:
        warn(f"{unweighted(scoring)}: pass a scorer whose function takes sample_weight.", ScoreWarning)
    if undefined == n_folds:
        raise InvalidSetting(
            f"scoring must be a score that the rows of a fold have, {scoring.unit.name} is none in any of {n_folds} "
            f"folds{scoring.refusal(problem.y[problem.folds[0].test])}: pass another score, or fewer and larger folds."
        )
    if undefined:
        warn(f"{left_out(scoring, undefined, n_folds)}; use folds that hold every class.", ScoreWarning)


def checked_groups(groups: Any, n_rows: int) -> np.ndarray:
    """Return the user's groups, (n_rows,), or raise `InvalidData` if some row has none."""
    named = np.asarray(groups)
    if named.shape != (n_rows,):
        raise InvalidData(
            f"groups must have one entry for each of the {n_rows} rows, got {named.shape}: pass a column."
        )
    if pd.isna(named).any():
        raise InvalidData("groups must have no missing value, some rows have none: name a group for each row.")
    try:
        np.unique(named)
    except TypeError as error:
        raise InvalidData(
            f"groups must be of one kind, they cannot be sorted ({error}): convert them, for instance to strings."
        ) from error
    return named


def checked_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Return the user's weights at mean 1, (n_rows,), or raise `InvalidData` if they cannot weigh rows.

    The mean is over the rows of positive weight, so what is counted in rows (the strength of a penalty, smoothing,
    bounds of a booster) is the same under any scale of the weights. 32 binary digits are kept: what differs by rounding
    alone is equal.

    Examples
    --------
    >>> checked_weights([10, 0, 20, 30], 4)
    array([0.5, 0. , 1. , 1.5])
    """
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData(f"sample_weight must hold numbers, it does not ({error}): pass a column of them.") from error
    if weight.shape != (n_rows,):
        raise InvalidData(
            f"sample_weight must have one entry for each of the {n_rows} rows, got shape {weight.shape}: pass a column."
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not (weight > 0).any():
        raise InvalidData(
            "sample_weight must be finite, not negative and not zero for every row, "
            f"got values from {weight.min():g} to {weight.max():g}: mend them."
        )
    weight = weight / weight.max()  # a sum may be beyond the largest number
    digits, exponent = np.frexp(weight / weight[weight > 0].mean())
    return np.asarray(np.ldexp(np.round(digits * 2.0**32) / 2.0**32, exponent))


def _one_column(y: Any, n_rows: int, rows: np.ndarray | None) -> np.ndarray:
    if y is None:
        raise InvalidData("requires y to be passed, but the target y is None: pass the labels of the rows.")
    given = y if hasattr(y, "iloc") else np.asarray(y)
    if given.ndim not in (1, 2) or hasattr(y, "tocsr"):
        raise InvalidData(
            f"y must be a column of labels or values, got {type(y).__name__}: pass one entry for each row."
        )
    if given.dtype.kind in "cV" if isinstance(given, np.ndarray) else False:
        raise InvalidData(f"y must hold labels or numbers, got {given.dtype} (Complex data not supported): convert it.")
    if given.ndim == 2 and given.shape[1] > 1:
        raise InvalidData(f"y must be one column of labels, got {given.shape[1]} columns: search one target at a time.")
    labels = column_or_1d(given, warn=True)
    if len(labels) != n_rows:
        raise InvalidData(
            f"y must have one label for each of the {n_rows} rows, got {len(labels)}: match their lengths."
        )
    labels = labels if rows is None else labels[rows]
    missing = int(pd.isna(labels).sum())
    if missing:
        raise InvalidData(f"y must have no missing label, {missing} of {len(labels)} are NaN: drop these rows.")
    return np.asarray(labels)


def numeric_target(y: Any, n_rows: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the target of regression, of all rows or some, float64, or raise `InvalidData`."""
    given = _one_column(y, n_rows, rows)
    try:
        if given.dtype.kind in "Mmc":
            raise ValueError(f"{given.dtype} is no real number")
        target = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData(
            f"y must hold numbers in regression, got {given.dtype}: use MultihopSearchClassifier for classes."
        ) from error
    if not np.isfinite(target).all():
        raise InvalidData("Input y contains infinity, a target must be finite: drop these rows.")
    return target


def encode_target(y: Any, n_rows: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels and the code of each row's label, of all rows or some."""
    labels = labels_of(y, n_rows, rows)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InvalidData(
            f"y must have at least 2 classes, got 1 class ({classes.tolist()[0]!r}): nothing can be learned from it."
        )
    return classes, codes


def labels_of(y: Any, n_rows: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Return class labels of one kind, of all rows or some, or raise `InvalidData`."""
    labels = _one_column(y, n_rows, rows)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InvalidData("Input y contains infinity, labels must be finite: drop these rows or name the classes.")
    if labels.dtype.kind == "O":
        labels = _one_kind(labels)
    if labels.dtype.kind == "S":
        raise InvalidData(f"y must hold labels that are no bytes, got {labels.dtype}: convert them to strings.")
    try:
        check_classification_targets(labels)
    except ValueError as error:
        kind = type_of_target(labels)
        if kind == "continuous":
            raise InvalidData(
                "y must hold class labels, got an Unknown label type: continuous, which are numbers that are not all "
                "whole: pass np.asarray(y).astype(str) if each number names a class, or use MultihopSearchRegressor."
            ) from error
        raise InvalidData(
            f"y must hold class labels, got an Unknown label type: {kind}, bin it into classes or use "
            "MultihopSearchRegressor."
        ) from error
    return labels


def _one_kind(labels: np.ndarray) -> np.ndarray:
    kinds = {type(label) for label in labels}
    if all(issubclass(kind, str) for kind in kinds):
        return np.asarray(labels.astype(str))
    if len(kinds) == 1 or all(issubclass(kind, (int, float, np.number)) for kind in kinds):
        return np.asarray(labels.tolist())
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise InvalidData(f"y must hold labels of one kind, got {names}: convert them, for instance with y.astype(str).")
