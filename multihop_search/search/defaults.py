"""What is searched where the user leaves it open, and what of it the models and rows can serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.errors import (
    DefaultLeftOutWarning,
    InvalidData,
    InvalidSetting,
    UnservedSchemeWarning,
    UnsuitableModel,
    warn,
)
from multihop_search.models.steps import last_step, through
from multihop_search.models.tuning import student_distributions
from multihop_search.models.weights import takes_weights
from multihop_search.paths.first_fits import FirstFits
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.pool import default_intermediates
from multihop_search.paths.space import StudentSpace
from multihop_search.problem.problem import Problem
from multihop_search.problem.row_scores import RowScoring
from multihop_search.problem.teacher import RowTeacher
from multihop_search.transfer.schemes import (
    SCHEMES,
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    Scheme,
    default_schemes,
)
from multihop_search.transfer.synthetic import GENERATORS
from multihop_search.trees import TreeFit, default_tree_fits, refusal, shrinkage_refusal


def choose_schemes(
    schemes: Any, students: Mapping[str, Any], intermediates: Any, *, regression: bool = False, unlabeled: bool = False
) -> tuple[tuple[Scheme, ...], ModelCompression | None]:
    """Return the schemes to search, the user's or the defaults that every student can take, and what rows hops add.

    Raises
    ------
    InvalidSetting
        If an entry is no scheme, or a fixed field has a value that it cannot have.
    UnsuitableModel
        If a scheme passes on soft labels or weights that a student or an intermediate cannot take, or does not serve
        regression.
    """
    if isinstance(schemes, str) and schemes == "auto":
        chosen = default_schemes(regression=regression) if regression else _served(students)
        _check_intermediates(intermediates, chosen, regression=regression)
        return chosen, ModelCompression().for_rows(unlabeled)
    names = ", ".join(SCHEMES)
    if isinstance(schemes, str) or not isinstance(schemes, (list, tuple)) or not schemes:
        raise InvalidSetting(f"schemes must be 'auto' or a list of schemes, got {schemes!r}: choose among {names}.")
    for scheme in schemes:
        if not isinstance(scheme, (Scheme, ModelCompression)):
            raise InvalidSetting(f"schemes must hold Scheme instances, got {scheme!r}: choose among {names}.")
        scheme.check()
    added = [scheme for scheme in schemes if isinstance(scheme, ModelCompression)]
    if len(added) > 1:
        raise InvalidSetting(f"schemes must hold at most one ModelCompression, got {len(added)}: join their fields.")
    own = [scheme for scheme in schemes if isinstance(scheme, Scheme)]
    if not own:  # true labels on the real rows
        own = [KnowledgeDistillation(alpha=0.0, temperature=1.0)]
    if regression:
        own = [scheme.for_regression() for scheme in own]
    for scheme in () if regression else own:
        for name, student in students.items():
            if scheme.needs_weights and not takes_weights(student):
                raise UnsuitableModel(
                    f"{type(scheme).__name__} passes on soft labels or weights and needs a student that takes "
                    f"sample_weight, {type(student).__name__} ({name}) does not: use HardLabels() or another student."
                )
    _check_intermediates(intermediates, tuple(own), regression=regression)
    return tuple(own), added[0].for_rows(unlabeled) if added else None


def servable(compression: ModelCompression | None, teacher: Any, *, asked: bool) -> ModelCompression | None:
    """Return what is left of the recipe where the teacher answers by row number: the user's unlabelled rows, if any.

    Raises
    ------
    InvalidSetting
        If the user asked for rows by name that the teacher cannot label.
    """
    if compression is None or not isinstance(teacher, RowTeacher):
        return compression
    if teacher.labels_unlabeled and "unlabeled" in compression.generators:
        return replace(compression, generator="unlabeled")
    if asked and compression.most:
        raise InvalidSetting(
            "ModelCompression needs a teacher that can label new rows, this one has only given predictions: pass those "
            "of X_unlabeled too, or leave ModelCompression out of schemes."
        )
    return None


def with_rows(compression: ModelCompression, X: Any, *, asked: bool) -> ModelCompression | None:
    """Return the recipe if synthetic rows can be made from rows like `X`, else what is left of it, with one warning.

    Raises
    ------
    InvalidData
        If the user asked for them by name.
    """
    generators = [name for name in compression.generators if name in GENERATORS]
    try:
        for name, (rows, n_synthetic) in product(generators, ((X, 0), (X[:50], 1))):
            GENERATORS[name](rows, n_synthetic, lambda turn: np.random.default_rng(turn + 1))
    except (InvalidData, TypeError) as error:
        if asked:
            raise InvalidData(f"ModelCompression must be able to make rows from X, it cannot: {error}") from error
        warn(f"no synthetic rows are made, ModelCompression is left out: {error}", UnservedSchemeWarning)
        return replace(compression, generator="unlabeled") if "unlabeled" in compression.generators else None
    return compression


def _served(students: Mapping[str, Any]) -> tuple[Scheme, ...]:
    """Return the default schemes, or where a student cannot take them `HardLabels`, with one warning."""
    unweighted = [type(student).__name__ for student in students.values() if not takes_weights(student)]
    if not unweighted:
        return default_schemes()
    left_out = [type(scheme).__name__ for scheme in default_schemes()]
    warn(
        f"{unweighted[0]} takes no sample_weight, so {', '.join(left_out)} cannot teach it and are left out; "
        "HardLabels can.",
        UnservedSchemeWarning,
    )
    return (HardLabels(),)


def _check_intermediates(intermediates: Any, schemes: tuple[Scheme, ...], *, regression: bool) -> None:
    is_list_or_auto = (
        intermediates == "auto" if isinstance(intermediates, str) else isinstance(intermediates, (list, tuple))
    )
    if not is_list_or_auto:
        raise InvalidSetting(
            f"intermediates must be 'auto' or a list of (name, estimator), got {intermediates!r}: pass one of these."
        )
    if isinstance(intermediates, str):
        return
    for item in intermediates:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(last_step(item[1]), FrozenEstimator):
            raise UnsuitableModel(
                f"intermediate {item[0]!r} must be a model that can be taught, it is frozen and learns nothing: pass "
                "the model itself, or use the frozen one as the teacher."
            )
    if regression or not any(scheme.needs_weights for scheme in schemes):
        return
    for item in intermediates:
        if isinstance(item, tuple) and len(item) == 2 and not takes_weights(item[1]):
            raise UnsuitableModel(
                f"intermediate {item[0]!r} must take sample_weight to be taught soft labels, "
                f"{type(item[1]).__name__} does not: use schemes=[HardLabels()] or another intermediate."
            )


def choose_tree_fits(
    tree_fits: Any,
    problem: Problem,
    fitted: Mapping[str, Any],
    searched: Mapping[str, Mapping[str, BaseDistribution]],
) -> dict[str, tuple[TreeFit, ...]]:
    """Return the ways of fitting that are searched of each student; none where only its class's own can serve it.

    `fitted` holds a plain fit of each student on a few rows, `searched` what is searched of its parameters.

    Raises
    ------
    InvalidSetting
        If an entry is no way of fitting.
    UnsuitableModel
        If the user asks for them and no student can be fitted so, or one of them does not serve the task.
    """
    asked = not (isinstance(tree_fits, str) and tree_fits == "auto")
    probabilities = isinstance(problem.scoring, RowScoring) and problem.scoring.needs_proba
    decisions = problem.classes is not None and not probabilities
    chosen = tuple(tree_fits) if isinstance(tree_fits, (list, tuple)) else default_tree_fits(decisions=decisions)
    if (asked and not isinstance(tree_fits, (list, tuple))) or not chosen:
        raise InvalidSetting(f"tree_fits must be 'auto' or a list of TreeFit, got {tree_fits!r}: pass [NearOptimal()].")
    for fit in chosen:
        if not isinstance(fit, TreeFit):
            raise InvalidSetting(
                f"tree_fits must hold TreeFit instances, got {fit!r}: pass for instance NearOptimal()."
            )
        fit.check()
        if problem.classes is None:
            fit.loss_for(regression=True)  # raises where it fits classifiers only
    if all(fit.is_usual for fit in chosen):
        return dict.fromkeys(fitted, ())
    served: dict[str, tuple[TreeFit, ...]] = {}
    reasons: dict[TreeFit, tuple[str, str]] = {}
    for name, model in fitted.items():
        why = {True: shrinkage_refusal(last_step(model)), False: _refused(problem, model, searched[name])}
        served[name] = tuple(fit for fit in chosen if fit.is_usual or not why[fit.own])
        reasons |= {fit: (name, why[fit.own]) for fit in chosen if fit not in reasons}
    for fit in chosen if asked else ():
        if not any(fit in fits for fits in served.values()):
            name, reason = reasons[fit]
            raise UnsuitableModel(f"tree_fits needs a student that it can serve, {name} is none: {reason}.")
    return {name: () if all(fit.is_usual for fit in fits) else fits for name, fits in served.items()}


def _refused(problem: Problem, fitted: Any, searched: Mapping[str, BaseDistribution]) -> str:
    """Return why our tree fits cannot serve a student, "" if they can."""
    X = problem.X  # all rows: missing values may be few
    why = refusal(last_step(fitted), _of_last_step(fitted, searched))
    if why:
        return why
    if isinstance(fitted, Pipeline) and len(fitted.steps) > 1:
        X = through(fitted.steps[:-1], X)
    if hasattr(X, "tocsr"):
        return "its rows are sparse"
    missing = pd.isna(X).to_numpy().any() if hasattr(X, "iloc") else np.isnan(np.asarray(X, dtype=np.float64)).any()
    return "its rows have missing values" if missing else ""


def _of_last_step(estimator: Any, searched: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    if not isinstance(estimator, Pipeline):
        return dict(searched)
    name, last = estimator.steps[-1]
    below = {key.removeprefix(f"{name}__"): dist for key, dist in searched.items() if key.startswith(f"{name}__")}
    return _of_last_step(last, below)


def searched_of(
    students: Mapping[str, Any], param_distributions: Any, variance: float
) -> dict[str, dict[str, BaseDistribution]]:
    """Return what is searched of each student's own parameters; with several, names are ``student__parameter``.

    Raises
    ------
    InvalidSetting
        If a name is no parameter of a student, or a value no distribution.
    """
    distributions = {}
    for name, student in students.items():
        of_student = param_distributions
        if len(students) > 1 and isinstance(of_student, Mapping):
            of_student = _of_student(name, students, of_student)
        distributions[name] = student_distributions(student, of_student, variance=variance)
    return distributions


def student_spaces(
    students: Mapping[str, Any],
    searched: Mapping[str, Mapping[str, BaseDistribution]],
    ladder: Ladder,
    fits: Mapping[str, tuple[TreeFit, ...]],
) -> dict[str, StudentSpace]:
    """Return what is searched of each student, from the user's parameters up."""
    spaces = {}
    for name, student in students.items():
        params = student.get_params(deep=True)
        defaults = {param: params[param] for param in searched[name]}
        spaces[name] = StudentSpace(searched[name], defaults, ladder.above(name), fits[name])
    return spaces


def _of_student(name: str, students: Mapping[str, Any], distributions: Mapping[str, Any]) -> dict[str, Any]:
    for key in distributions:
        if str(key).partition("__")[0] not in students:
            raise InvalidSetting(
                f"param_distributions must name parameters as student__parameter, got {key!r}: begin with one of "
                f"{', '.join(students)}."
            )
    return {key.partition("__")[2]: value for key, value in distributions.items() if key.partition("__")[0] == name}


def able_intermediates(first_fits: FirstFits) -> dict[str, Any]:
    """Return the default intermediates that can fit the rows, with one warning for each that cannot."""
    problem = first_fits.problem
    try:
        pool = default_intermediates(problem.X, problem.n_outputs)
    except InvalidData as error:
        warn(f"the default intermediates are left out: {error}", DefaultLeftOutWarning)
        return {}
    able = {}
    for name, model in pool.items():
        try:
            first_fits.fitted(name, model, shown=f"intermediate {name!r}")
            able[name] = model
        except UnsuitableModel as error:
            warn(f"{str(error).rstrip('.')}: this default intermediate is left out.", DefaultLeftOutWarning)
    return able
