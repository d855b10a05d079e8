"""The teacher of a search: the user's own, or the best of the defaults by cross-fitting."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from multihop_search.engine.crossfit import crossfit
from multihop_search.errors import (
    ClusterLost,
    DefaultLeftOutWarning,
    MultihopError,
    SearchFailed,
    UnsuitableModel,
    warn,
)
from multihop_search.executors import Future, Session
from multihop_search.models.complexity import SelfMeasured
from multihop_search.paths.first_fits import FirstFits, copied, few_rows
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER
from multihop_search.paths.pool import default_teachers
from multihop_search.paths.preparation import empty_columns
from multihop_search.problem.problem import Problem
from multihop_search.problem.responses import stored_form
from multihop_search.problem.row_scores import default_row_scoring
from multihop_search.problem.teacher import RowTeacher
from multihop_search.search.defaults import able_ones
from multihop_search.transfer.transfer_set import TeacherOutputs


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


def teacher_candidates(teacher: Any, first_fits: FirstFits) -> Mapping[str, Any]:
    """Return who may be the teacher, by name: the user's, or the defaults, each able to fit the rows."""
    problem = first_fits.problem
    if not isinstance(teacher, str):
        if isinstance(teacher, FrozenEstimator):
            _check_frozen(teacher, problem)
            _check_answers(teacher, problem)
        if isinstance(teacher, RowTeacher):
            teacher.check_rows(problem)
        first_fits.fitted(TEACHER, teacher)
        return {TEACHER: teacher}
    parts = [part for fold in (problem.searched, *problem.folds) for part in fold.fitted_rows()]
    gaps = bool(empty_columns(problem.X, parts))
    usual, others = default_teachers(problem.X, problem.n_outputs, gaps=gaps)
    for name in empty_columns(problem.X, [problem.searched.train]) if gaps else []:
        warn(f"column {name!r} has no values: no model learns anything from it, leave it out.", DefaultLeftOutWarning)
    try:
        return _able(usual, first_fits)
    except UnsuitableModel as error:
        warn(f"{str(error).rstrip('.')}: another default teacher is taken.", DefaultLeftOutWarning)
        return _able(others, first_fits)


def _able(candidates: Mapping[str, Any], first_fits: FirstFits) -> dict[str, Any]:
    return able_ones({name: (TEACHER, model) for name, model in candidates.items()}, first_fits, TEACHER)


def of_few_rows(problem: Problem) -> Problem:
    """Return a problem of a few of the rows searched, by which teachers are compared: they teach nearly alike."""
    searched, rows = problem.searched, few_rows(problem)
    places = np.searchsorted(searched.train, rows)
    parts = [np.flatnonzero(np.isin(places, part)) for part in searched.inner]
    return replace(
        problem,
        X=problem.rows(rows),
        y=problem.y[rows],
        sample_weight=problem.weights(rows),
        groups=None if problem.groups is None else problem.groups[rows],
        folds=(),
        whole=replace(searched, train=np.arange(len(rows)), test=rows[:0], inner=tuple(filter(len, parts))),
        sample=None,
        pairs={},
        synthetic={},
        given=None,
        token=f"{problem.token} few",
    )


def submit_candidates(candidates: Mapping[str, Any], problem: Problem, session: Session) -> dict[str, Future]:
    """Let `session` cross-fit on all rows who may be the teacher, and return the futures of the outputs."""
    if len(candidates) == 1:
        return {}
    shared = session.share(problem)
    return {
        name: session.submit(crossfit, shared, Ladder(teacher=candidate), problem.searched.number, ())
        for name, candidate in candidates.items()
    }


def choose_teacher(
    candidates: Mapping[str, Any], problem: Problem, session: Session, futures: Mapping[str, Future]
) -> tuple[Any, float]:
    """Return the candidate with the best cross-fitted score, and how long that took; NaN if there is no other one.

    Raises
    ------
    SearchFailed
        If every candidate takes too long or ends its process.
    """
    if len(candidates) == 1:
        return next(iter(candidates.values())), float("nan")
    searched = problem.searched
    weights = problem.weights(searched.train)
    scoring = default_row_scoring(problem.classes)
    outputs: dict[str, TeacherOutputs] = {}
    lost = ""
    for name, future in futures.items():
        try:
            outputs[name] = session.result(future)
        except ClusterLost:
            raise
        except Exception as error:  # of any library
            lost = str(error)
            warn(
                f"teacher {name!r} failed when it was cross-fitted ({error}): this default teacher is left out.",
                DefaultLeftOutWarning,
            )
    if not outputs:
        raise SearchFailed(f"some default teacher must be cross-fitted, none was: {lost}")
    scores = {name: scoring.score(problem.y[searched.train], of.calibrated, weights) for name, of in outputs.items()}
    best = max(scores, key=lambda name: scores[name])
    return candidates[best], outputs[best].seconds


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
