"""The teacher of a search: the user's own, or a default one that can fit the rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from multihop_search.errors import DefaultLeftOutWarning, MultihopError, UnsuitableModel, warn
from multihop_search.models.complexity import SelfMeasured
from multihop_search.paths.first_fits import FirstFits, copied
from multihop_search.paths.path import TEACHER
from multihop_search.paths.pool import default_teachers
from multihop_search.paths.preparation import empty_columns
from multihop_search.problem.problem import Problem
from multihop_search.problem.responses import stored_form
from multihop_search.problem.teacher import RowTeacher


def own_teacher(teacher: Any) -> Any:
    """Return a copy of the user's teacher; of a fitted model of another tool there is none, it stays as it is."""
    if isinstance(teacher, str):
        return teacher
    if not isinstance(teacher, FrozenEstimator):
        return copied(TEACHER, teacher)
    if not isinstance(teacher.estimator, BaseEstimator) or isinstance(teacher.estimator, SelfMeasured):
        return teacher
    try:
        return copy.deepcopy(teacher)
    except Exception:  # it holds what cannot be copied: a connection, for instance
        return teacher


def teacher_of(teacher: Any, first_fits: FirstFits) -> Any:
    """Return the teacher: the user's, or the first of the defaults that can fit the rows.

    Raises
    ------
    UnsuitableModel
        If the user's cannot, or none of the defaults.
    """
    problem = first_fits.problem
    if not isinstance(teacher, str):
        if isinstance(teacher, FrozenEstimator):
            _check_frozen(teacher, problem)
            _check_answers(teacher, problem)
        if isinstance(teacher, RowTeacher):
            teacher.check_rows(problem)
        first_fits.fitted(TEACHER, teacher)
        return teacher
    parts = [part for fold in (problem.searched, *problem.folds) for part in fold.fitted_rows()]
    gaps = bool(empty_columns(problem.X, parts))
    for name in empty_columns(problem.X, [problem.searched.train]) if gaps else []:
        warn(f"column {name!r} has no values: no model learns anything from it, leave it out.", DefaultLeftOutWarning)
    defaults = default_teachers(problem.X, problem.n_outputs, gaps=gaps)
    for name, model in defaults.items():
        try:
            first_fits.fitted(TEACHER, model, shown=f"teacher {name!r}")
            return model
        except UnsuitableModel as error:
            reason = error
            warn(f"{str(error).rstrip('.')}: this default teacher is left out.", DefaultLeftOutWarning)
    raise reason


def _check_frozen(teacher: FrozenEstimator, problem: Problem) -> None:
    if problem.classes is not None and not hasattr(teacher, "classes_"):
        raise UnsuitableModel("a frozen teacher must be fitted and know its classes_, it does not: fit it first.")
    n_features = getattr(teacher, "n_features_in_", np.shape(problem.X)[1])
    if n_features != np.shape(problem.X)[1]:
        raise UnsuitableModel(
            f"a frozen teacher must know the columns of X, it expects {n_features} and X has {np.shape(problem.X)[1]}: "
            "train it on the same columns."
        )
    if hasattr(problem.X, "iloc") and hasattr(teacher, "feature_names_in_"):
        columns = set(map(str, problem.X.columns))
        other = [str(name) for name in teacher.feature_names_in_ if str(name) not in columns]
        if other:
            raise UnsuitableModel(
                f"a frozen teacher must know the columns of X, it was fitted with {other[0]!r} and X has no such "
                "column: pass the columns that it was trained on."
            )
    if problem.classes is None:
        return
    unknown = [label for label in np.asarray(teacher.classes_).tolist() if label not in problem.classes.tolist()]
    if unknown:
        raise UnsuitableModel(
            f"a frozen teacher must know only the labels of y, it also knows {unknown[0]!r}: train it on y."
        )
    missing = [label for label in problem.classes.tolist() if label not in np.asarray(teacher.classes_).tolist()]
    if missing:
        raise UnsuitableModel(
            f"a frozen teacher must know every label of y, it does not know {missing[0]!r}: train it on y."
        )


def _check_answers(teacher: FrozenEstimator, problem: Problem) -> None:
    """Raise unless a frozen teacher, which nobody will fit, predicts two rows of the data."""
    try:
        stored_form(teacher, problem.rows(np.arange(2)), problem.classes)
    except MultihopError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnsuitableModel(
            f"a frozen teacher must predict the rows of X, it said: {type(error).__name__}: {error}."
        ) from error
