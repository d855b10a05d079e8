"""The settings of a search: the arguments of its constructor, checked before anything is fitted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator

from multihop_search.engine.plan import make_pruner, make_sampler
from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.files import path_of
from multihop_search.models.steps import last_step, offers, resamples
from multihop_search.paths.budget import Budget
from multihop_search.paths.path import STUDENT, TEACHER
from multihop_search.paths.portfolio import check_portfolio
from multihop_search.problem.scorers import scoring_for
from multihop_search.problem.teacher import RowTeacher


class Constraint(NamedTuple):
    """What a setting must be, in code and in words."""

    holds: Callable[[Any], bool]
    expected: str
    remedy: str = "pass one"


def _is_whole(value: Any, smallest: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= smallest


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_seed(value: Any) -> bool:
    return value is None or isinstance(value, (Integral, np.random.RandomState)) or value is np.random


def _are_callbacks(value: Any) -> bool:
    return value is None or (isinstance(value, Iterable) and all(map(callable, value)))


def _at_least(smallest: int) -> Constraint:
    return Constraint(lambda value: _is_whole(value, smallest), f"an integer of at least {smallest}")


ONE_OF = "pass one of these"
LONGEST = 80
"""Letters of a value that a message shows."""
SECONDS = Constraint(
    lambda value: value is None or (_is_real(value) and float(value) > 0),
    "None or a positive number of seconds",
    ONE_OF,
)
OR_NONE = Constraint(lambda value: value is None or _is_whole(value, 1), "None or an integer of at least 1", ONE_OF)
CONSTRAINTS = {
    "max_hops": _at_least(0),
    "n_trials": OR_NONE,
    "max_rows": OR_NONE,
    "n_ahead": _at_least(1),
    "timeout": SECONDS,
    "hop_timeout": SECONDS,
    "n_trials_no_change": OR_NONE,
    "checkpoint": Constraint(
        lambda value: value is None or isinstance(value, (str, bytes, PathLike)),
        "None or the path of a folder",
        "pass a path",
    ),
    "random_state": Constraint(_is_seed, "None, an integer or a RandomState", "pass an integer"),
    "verbose": Constraint(lambda value: isinstance(value, (Integral, bool)), "0 or 1", ONE_OF),
    "callbacks": Constraint(_are_callbacks, "a list of callables", "pass [callback]"),
    "tolerance": Constraint(
        lambda value: _is_real(value) and 0 <= float(value) < math.inf,
        "a number of at least 0",
        "pass 1.0, or 0 for the best",
    ),
    "verdict": Constraint(
        lambda value: (
            (_is_real(value) and 0 < float(value) < 1) or (isinstance(value, str) and value in ("bbc", "nested"))
        ),
        "'bbc', 'nested' or a share of the rows between 0 and 1",
        "pass one of these; rows of your own that judge are X_fresh and y_fresh of fit",
    ),
}
"""What the settings that need no data must be; where a class of another room checks one, `check_settings` asks it."""


def check_settings(settings: Mapping[str, Any], *, regression: bool) -> None:
    """Raise unless the arguments of the search can be used; nothing is fitted, no row is looked at."""
    for name, constraint in CONSTRAINTS.items():
        value = settings[name]
        if not constraint.holds(value):
            raise InvalidSetting(f"{name} must be {constraint.expected}, got {_shown(value)}: {constraint.remedy}.")
    _check_seed(settings["random_state"], settings["checkpoint"])
    make_sampler(settings["sampler"], 0)
    make_pruner(settings["pruner"])
    Budget.of(settings["budget"])
    check_portfolio(settings["portfolio"])
    check_models(named_students(settings["student"]), settings["teacher"], settings["scoring"], regression=regression)


def _shown(value: Any) -> str:
    """Return a value for a message; what is long, such as a table, by its class."""
    text = repr(value)
    return text if len(text) <= LONGEST and "\n" not in text else f"a {type(value).__name__}"


def _check_seed(seed: Any, checkpoint: Any) -> None:
    if checkpoint is not None:
        path_of(checkpoint, "checkpoint")
        if not isinstance(seed, Integral):
            raise InvalidSetting(
                f"random_state must be an integer for a search with a checkpoint, got {seed!r}: pass one, so that the "
                "same search can be told again."
            )
    if isinstance(seed, Integral) and int(seed) < 0:
        raise InvalidSetting(f"random_state must not be negative, got {seed}: pass 0 or a larger integer.")


def named_students(student: Any) -> dict[str, Any]:
    """Return the students by name; a student that stands alone is called "student".

    Raises
    ------
    InvalidSetting
        If a list holds anything but pairs of a free name and an estimator.
    """
    if not isinstance(student, (list, tuple)):
        return {STUDENT: student}
    if not student:
        raise InvalidSetting("student must be an estimator or a list of (name, estimator), got an empty list: add one.")
    named: dict[str, Any] = {}
    for item in student:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and item[0]):
            raise InvalidSetting(
                f"student must be an estimator or a list of (name, estimator), got {item!r} in it: pass for instance "
                "[('tree', DecisionTreeClassifier(max_depth=4))]."
            )
        name = item[0]
        if name in named or name == TEACHER or "__" in name or "." in name:
            raise InvalidSetting(
                f"names of students must differ, have no '__' or '.' in them and not be 'teacher', got {name!r}: "
                "rename it."
            )
        named[name] = item[1]
    return named


def check_models(students: Mapping[str, Any], teacher: Any, scoring: Any, *, regression: bool) -> None:
    """Raise `UnsuitableModel` unless students and teacher can do what their place needs."""
    for name, student in students.items():
        _check_kind(name, student, regression=regression)
    if isinstance(teacher, str):
        if teacher != "auto":
            kind = "regressor" if regression else "classifier"
            raise InvalidSetting(f"teacher must be 'auto' or a {kind}, got {teacher!r}: pass one of these.")
    elif isinstance(teacher, type) or not isinstance(teacher, RowTeacher):  # which says so when the rows are there
        _check_kind(TEACHER, teacher, regression=regression)
    for name, student in students.items():
        if isinstance(last_step(student), FrozenEstimator) or resamples(student):
            why = "resamples rows" if resamples(student) else "is frozen"
            raise UnsuitableModel(f"{name} must be a model that can be taught, it {why}: pass the model inside it.")
    if not regression:
        _check_responses(students, teacher, scoring)


def _check_kind(name: str, model: Any, *, regression: bool) -> None:
    kind, example = ("regressor", "Regressor") if regression else ("classifier", "Classifier")
    class_name = model.__name__ if isinstance(model, type) else type(model).__name__
    fits = hasattr(model, "fit") and hasattr(model, "get_params")
    if isinstance(model, type) or not fits or not offers(model, "predict"):
        instance = f"RandomForest{example}()" if name == TEACHER else f"DecisionTree{example}(max_depth=4)"
        raise UnsuitableModel(
            f"{name} must be a scikit-learn {kind} instance, got {class_name}: pass for instance {instance}."
        )
    if (is_classifier if regression else is_regressor)(model):
        other = "classifier" if regression else "regressor"
        raise UnsuitableModel(
            f"{name} must be a {kind}, {class_name} is a {other}: pass a {kind}, or use "
            f"MultihopSearch{'Classifier' if regression else 'Regressor'}."
        )


def _check_responses(students: Mapping[str, Any], teacher: Any, scoring: Any) -> None:
    """Raise unless classifiers answer as the score needs."""
    if not isinstance(teacher, (str, RowTeacher)) and not offers(teacher, "predict_proba"):
        raise UnsuitableModel(
            f"teacher must have predict_proba, {type(teacher).__name__} has none: wrap it in CalibratedClassifierCV."
        )
    responses = scoring_for(scoring, np.arange(2)).responses
    for name, student in students.items():
        if not any(offers(student, response) for response in responses):
            raise UnsuitableModel(
                f"scoring={scoring!r} needs a student with {' or '.join(responses)}, {type(student).__name__} has "
                f"none: pass scoring='accuracy' or another {name}."
            )
