"""The settings of a search: the face's arguments, checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.frozen import FrozenEstimator

from multihop_search.engine.hop import crossfit
from multihop_search.engine.plan import make_sampler
from multihop_search.errors import InvalidSetting, UnservedSchemeWarning, UnsuitableModel, warn
from multihop_search.paths.ladder import Ladder, probe
from multihop_search.paths.pool import default_teachers
from multihop_search.problem.problem import Problem
from multihop_search.problem.scoring import FlooredLogLoss
from multihop_search.transfer.fitting import takes_weights
from multihop_search.transfer.schemes import Scheme, default_schemes

SMALLEST = {"max_hops": 0, "n_trials": 1, "n_ahead": 1}


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Raise `InvalidSetting` unless the settings that need no data have values that they can have."""
    for name, smallest in SMALLEST.items():
        value = settings[name]
        if not isinstance(value, Integral) or isinstance(value, bool) or value < smallest:
            raise InvalidSetting(f"{name} must be an integer of at least {smallest}, got {value!r}: pass one.")
    timeout = settings["timeout"]
    if timeout is not None and not (isinstance(timeout, Real) and float(timeout) > 0):
        raise InvalidSetting(
            f"timeout must be None or a positive number of seconds, got {timeout!r}: pass one of these."
        )
    seed = settings["random_state"]
    if isinstance(seed, Integral) and int(seed) < 0:
        raise InvalidSetting(f"random_state must not be negative, got {seed}: pass 0 or a larger integer.")
    callbacks = settings["callbacks"]
    if callbacks is not None and not (isinstance(callbacks, Iterable) and all(map(callable, callbacks))):
        raise InvalidSetting(f"callbacks must be a list of callables, got {callbacks!r}: pass [callback].")
    make_sampler(settings["sampler"], 0)
    if settings["verdict"] != "bbc":
        raise InvalidSetting(f"verdict must be 'bbc', got {settings['verdict']!r}: leave it out.")


def check_models(student: Any, teacher: Any, scoring: Any) -> None:
    """Raise `UnsuitableModel` unless student and teacher are classifiers that can do what their place needs."""
    for name, model in (("student", student), ("teacher", teacher)):
        if name == "teacher" and isinstance(model, str):
            if model != "auto":
                raise InvalidSetting(f"teacher must be 'auto' or a classifier, got {model!r}: pass one of these.")
            continue
        if isinstance(model, type) or not all(hasattr(model, method) for method in ("fit", "predict", "get_params")):
            shown = model.__name__ if isinstance(model, type) else type(model).__name__
            raise UnsuitableModel(
                f"{name} must be a scikit-learn classifier instance, got {shown}: pass for instance "
                f"{'DecisionTreeClassifier(max_depth=4)' if name == 'student' else 'RandomForestClassifier()'}."
            )
        if is_regressor(model):
            raise UnsuitableModel(
                f"{name} must be a classifier, {type(model).__name__} is a regressor: pass a classifier."
            )
    if not isinstance(teacher, str) and not hasattr(teacher, "predict_proba"):
        raise UnsuitableModel(
            f"teacher must have predict_proba, {type(teacher).__name__} has none: wrap it in CalibratedClassifierCV."
        )
    if scoring in ("auto", "neg_log_loss") and not hasattr(student, "predict_proba"):
        raise UnsuitableModel(
            f"scoring={scoring!r} needs a student with predict_proba, {type(student).__name__} has none: "
            "pass scoring='accuracy' or another student."
        )


def choose_schemes(schemes: Any, student: Any, intermediates: Any) -> tuple[Scheme, ...]:
    """Return the schemes to search: the user's, or the defaults that the student can take.

    Raises
    ------
    InvalidSetting
        If an entry is no scheme, or a fixed field has a value that it cannot have.
    UnsuitableModel
        If a scheme passes on soft labels or weights that the student or an intermediate cannot take.
    """
    known = ", ".join(type(scheme).__name__ for scheme in default_schemes())
    if isinstance(schemes, str) and schemes == "auto":
        served = tuple(scheme for scheme in default_schemes() if takes_weights(student) or not scheme.needs_weights)
        left_out = [type(scheme).__name__ for scheme in default_schemes() if scheme not in served]
        if left_out:
            warn(
                f"{type(student).__name__} takes no sample_weight, so {', '.join(left_out)} cannot teach it and are "
                f"left out; {', '.join(map(str, served))} can.",
                UnservedSchemeWarning,
            )
        _check_intermediates(intermediates, served)
        return served
    if isinstance(schemes, str) or not isinstance(schemes, (list, tuple)) or not schemes:
        raise InvalidSetting(f"schemes must be 'auto' or a list of schemes, got {schemes!r}: choose among {known}.")
    for scheme in schemes:
        if not isinstance(scheme, Scheme):
            raise InvalidSetting(f"schemes must hold Scheme instances, got {scheme!r}: choose among {known}.")
        scheme.check()
        if scheme.needs_weights and not takes_weights(student):
            raise UnsuitableModel(
                f"{type(scheme).__name__} passes on soft labels or weights and needs a student that takes "
                f"sample_weight, {type(student).__name__} does not: use HardLabels() or another student."
            )
    _check_intermediates(intermediates, tuple(schemes))
    return tuple(schemes)


def _check_intermediates(intermediates: Any, schemes: tuple[Scheme, ...]) -> None:
    if not isinstance(intermediates, (str, list, tuple)):
        raise InvalidSetting(
            f"intermediates must be 'auto' or a list of (name, estimator), got {intermediates!r}: pass one of these."
        )
    if isinstance(intermediates, str) or not any(scheme.needs_weights for scheme in schemes):
        return
    for item in intermediates:
        if isinstance(item, tuple) and len(item) == 2 and not takes_weights(item[1]):
            raise UnsuitableModel(
                f"intermediate {item[0]!r} must take sample_weight to be taught soft labels, "
                f"{type(item[1]).__name__} does not: use schemes=[HardLabels()] or another intermediate."
            )


def choose_teacher(teacher: Any, problem: Problem) -> Any:
    """Return the user's teacher, or the default with the best cross-fitted score on all rows."""
    if not isinstance(teacher, str):
        if isinstance(teacher, FrozenEstimator):
            _check_frozen(teacher, problem)
        return teacher
    candidates = default_teachers(problem.n_classes)
    if len(candidates) == 1:  # probed with the ladder
        return next(iter(candidates.values()))
    weights = problem.weights(problem.whole.train)
    for name, candidate in candidates.items():
        probe(problem, f"teacher {name!r}", candidate)

    def held_out_score(candidate: Any) -> float:
        ladder = Ladder(candidate, None, {}, (), {})
        outputs = crossfit(problem, ladder, problem.whole.number, ())
        return float(FlooredLogLoss(problem.classes).score(problem.y, outputs.proba, weights))

    return max(candidates.values(), key=held_out_score)


def _check_frozen(teacher: FrozenEstimator, problem: Problem) -> None:
    if not hasattr(teacher, "classes_"):
        raise UnsuitableModel("a frozen teacher must be fitted and know its classes_, it does not: fit it first.")
    n_features = getattr(teacher, "n_features_in_", np.shape(problem.X)[1])
    if n_features != np.shape(problem.X)[1]:
        raise UnsuitableModel(
            f"a frozen teacher must know the columns of X, it expects {n_features} and X has {np.shape(problem.X)[1]}: "
            "train it on the same columns."
        )
    unknown = [label for label in np.asarray(teacher.classes_).tolist() if label not in problem.classes.tolist()]
    if unknown:
        raise UnsuitableModel(
            f"a frozen teacher must know only the labels of y, it also knows {unknown[0]!r}: train it on y."
        )


def holds_frozen(teacher: Any) -> bool:
    """Return whether the teacher is, or has inside, a model that is used as it is."""
    parts = [teacher, *teacher.get_params(deep=True).values()]
    return any(isinstance(part, FrozenEstimator) for part in parts)
