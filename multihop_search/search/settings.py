"""The settings of a search: the face's arguments, checked before anything is fitted."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.plan import make_pruner, make_sampler
from multihop_search.engine.upper_model import mean_outputs, with_temperature
from multihop_search.errors import (
    ClusterLost,
    DefaultLeftOutWarning,
    InvalidData,
    InvalidSetting,
    MultihopError,
    SearchFailed,
    UnservedSchemeWarning,
    UnsuitableModel,
    warn,
)
from multihop_search.executors import Future, Session
from multihop_search.files import path_of
from multihop_search.models.complexity import SelfMeasured
from multihop_search.models.steps import last_step, offers, resamples, through
from multihop_search.models.tuning import student_distributions
from multihop_search.models.weights import takes_weights
from multihop_search.paths.budget import Budget
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import STUDENT, TEACHER
from multihop_search.paths.pool import VOTE, default_intermediates, default_teachers
from multihop_search.paths.preparation import empty_columns
from multihop_search.paths.probes import Probes, copied
from multihop_search.paths.space import StudentSpace
from multihop_search.problem.problem import Problem
from multihop_search.problem.responses import stored_form
from multihop_search.problem.row_scores import RowScoring, default_row_scoring
from multihop_search.problem.scorers import scoring_for
from multihop_search.problem.teacher import RowTeacher
from multihop_search.transfer.schemes import (
    HardLabels,
    KnowledgeDistillation,
    LossCorrection,
    ModelCompression,
    ProfWeight,
    Scheme,
    default_schemes,
)
from multihop_search.transfer.synthetic import GENERATORS
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.trees import TreeFit, default_tree_fits, refusal

MORE_SCHEMES = (LossCorrection(), ProfWeight(), ModelCompression())
"""What `schemes` may name beside the defaults."""
SMALLEST = {"max_hops": 0, "n_trials": 1, "n_ahead": 1}


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Raise `InvalidSetting` unless the settings that need no data have values that they can have."""
    for name, smallest in SMALLEST.items():
        value = settings[name]
        if not isinstance(value, Integral) or isinstance(value, bool) or value < smallest:
            raise InvalidSetting(f"{name} must be an integer of at least {smallest}, got {value!r}: pass one.")
    for name in ("timeout", "hop_timeout"):
        value = settings[name]
        if value is not None and not (isinstance(value, Real) and not isinstance(value, bool) and float(value) > 0):
            raise InvalidSetting(
                f"{name} must be None or a positive number of seconds, got {value!r}: pass one of these."
            )
    patience = settings["n_trials_no_change"]
    if patience is not None and (not isinstance(patience, Integral) or isinstance(patience, bool) or patience < 1):
        raise InvalidSetting(
            f"n_trials_no_change must be None or an integer of at least 1, got {patience!r}: pass one of these."
        )
    checkpoint = settings["checkpoint"]
    if checkpoint is not None and not isinstance(checkpoint, (str, bytes, PathLike)):
        raise InvalidSetting(f"checkpoint must be None or the path of a folder, got {checkpoint!r}: pass a path.")
    if checkpoint is not None:
        path_of(checkpoint, "checkpoint")
    if checkpoint is not None and not isinstance(settings["random_state"], Integral):
        raise InvalidSetting(
            f"random_state must be an integer for a search with a checkpoint, got {settings['random_state']!r}: pass "
            "one, so that the same search can be told again."
        )
    seed = settings["random_state"]
    if isinstance(seed, Integral) and int(seed) < 0:
        raise InvalidSetting(f"random_state must not be negative, got {seed}: pass 0 or a larger integer.")
    if not (seed is None or isinstance(seed, (Integral, np.random.RandomState)) or seed is np.random):
        raise InvalidSetting(f"random_state must be None, an integer or a RandomState, got {seed!r}: pass an integer.")
    if not isinstance(settings["verbose"], (Integral, bool)):
        raise InvalidSetting(f"verbose must be 0 or 1, got {settings['verbose']!r}: pass one of these.")
    callbacks = settings["callbacks"]
    if callbacks is not None and not (isinstance(callbacks, Iterable) and all(map(callable, callbacks))):
        raise InvalidSetting(f"callbacks must be a list of callables, got {callbacks!r}: pass [callback].")
    make_sampler(settings["sampler"], 0)
    make_pruner(settings["pruner"])
    Budget.of(settings["budget"])
    _check_verdict(settings["verdict"])


def _check_verdict(verdict: Any) -> None:
    if isinstance(verdict, str) and verdict in ("bbc", "nested"):
        return
    if isinstance(verdict, Real) and not isinstance(verdict, bool) and 0 < float(verdict) < 1:
        return
    shown = f"a {type(verdict).__name__}" if isinstance(verdict, (tuple, list)) or np.ndim(verdict) else repr(verdict)
    raise InvalidSetting(
        f"verdict must be 'bbc', 'nested' or a share of the rows between 0 and 1, got {shown}: pass one of these; rows "
        "of your own that judge are X_fresh and y_fresh of fit."
    )


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
    kind, example = ("regressor", "Regressor") if regression else ("classifier", "Classifier")
    for name, model in (*students.items(), (TEACHER, teacher)):
        if name == TEACHER and isinstance(model, str):
            if model != "auto":
                raise InvalidSetting(f"teacher must be 'auto' or a {kind}, got {model!r}: pass one of these.")
            continue
        if name == TEACHER and isinstance(model, RowTeacher) and not isinstance(model, type):
            continue  # it knows the rows, and says so when they are there
        shown = model.__name__ if isinstance(model, type) else type(model).__name__
        if isinstance(model, type) or not (
            hasattr(model, "fit") and hasattr(model, "get_params") and offers(model, "predict")
        ):
            raise UnsuitableModel(
                f"{name} must be a scikit-learn {kind} instance, got {shown}: pass for instance "
                f"{f'RandomForest{example}()' if name == TEACHER else f'DecisionTree{example}(max_depth=4)'}."
            )
        if (is_classifier if regression else is_regressor)(model):
            other = "classifier" if regression else "regressor"
            raise UnsuitableModel(
                f"{name} must be a {kind}, {shown} is a {other}: pass a {kind}, or use "
                f"MultihopSearch{'Classifier' if regression else 'Regressor'}."
            )
    for name, student in students.items():
        if isinstance(last_step(student), FrozenEstimator) or resamples(student):
            why = "resamples rows" if resamples(student) else "is frozen"
            raise UnsuitableModel(f"{name} must be a model that can be taught, it {why}: pass the model inside it.")
    if regression:
        return
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
    known = ", ".join(type(scheme).__name__ for scheme in (*default_schemes(), HardLabels(), *MORE_SCHEMES))
    if isinstance(schemes, str) or not isinstance(schemes, (list, tuple)) or not schemes:
        raise InvalidSetting(f"schemes must be 'auto' or a list of schemes, got {schemes!r}: choose among {known}.")
    for scheme in schemes:
        if not isinstance(scheme, (Scheme, ModelCompression)):
            raise InvalidSetting(f"schemes must hold Scheme instances, got {scheme!r}: choose among {known}.")
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
    made = [name for name in compression.generators if name in GENERATORS]
    try:
        for name, (rows, n_synthetic) in product(made, ((X, 0), (X[:50], 1))):
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
    known = intermediates == "auto" if isinstance(intermediates, str) else isinstance(intermediates, (list, tuple))
    if not known:
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

    `fitted` holds a plain fit of each student on the probe rows, `searched` what is searched of its parameters.

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
    if all(fit.own for fit in chosen):
        return dict.fromkeys(fitted, ())
    refused = {name: _refused(problem, model, searched[name]) for name, model in fitted.items()}
    if asked and all(refused.values()):
        name, why = next(iter(refused.items()))
        raise UnsuitableModel(f"tree_fits needs a student that it can serve, {name} is none: {why}.")
    return {name: () if why else chosen for name, why in refused.items()}


def _refused(problem: Problem, fitted: Any, searched: Mapping[str, BaseDistribution]) -> str:
    """Return why our tree fits cannot serve a student, "" if they can."""
    X = problem.X  # all rows: a few missing values may not be among the probe rows
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
    found = {}
    for name, student in students.items():
        wanted = param_distributions
        if len(students) > 1 and isinstance(wanted, Mapping):
            wanted = _of_student(name, students, wanted)
        found[name] = student_distributions(student, wanted, variance=variance)
    return found


def student_spaces(
    students: Mapping[str, Any],
    searched: Mapping[str, Mapping[str, BaseDistribution]],
    ladder: Ladder,
    fits: Mapping[str, tuple[TreeFit, ...]],
) -> dict[str, StudentSpace]:
    """Return what is searched of each student, from the user's parameters up."""
    found = {}
    for name, student in students.items():
        params = student.get_params(deep=True)
        defaults = {param: params[param] for param in searched[name]}
        found[name] = StudentSpace(searched[name], defaults, ladder.above(name), fits[name])
    return found


def _of_student(name: str, students: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    for key in wanted:
        if str(key).partition("__")[0] not in students:
            raise InvalidSetting(
                f"param_distributions must name parameters as student__parameter, got {key!r}: begin with one of "
                f"{', '.join(students)}."
            )
    return {key.partition("__")[2]: value for key, value in wanted.items() if key.partition("__")[0] == name}


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


def teacher_candidates(teacher: Any, probes: Probes) -> Mapping[str, Any]:
    """Return who may be the teacher, by name: the user's, or the defaults, each able to fit the rows."""
    problem = probes.problem
    if not isinstance(teacher, str):
        if isinstance(teacher, FrozenEstimator):
            _check_frozen(teacher, problem)
            _check_answers(teacher, problem)
        if isinstance(teacher, RowTeacher):
            teacher.check_rows(problem)
        probes.fitted(TEACHER, teacher)
        return {TEACHER: teacher}
    parts = [part for fold in (problem.searched, *problem.folds) for part in fold.fitted_rows()]
    gaps = bool(empty_columns(problem.X, parts))
    candidates = default_teachers(problem.X, problem.n_outputs, gaps=gaps)
    for name in empty_columns(problem.X, [problem.searched.train]) if gaps else []:
        warn(f"column {name!r} has no values: no model learns anything from it, leave it out.", DefaultLeftOutWarning)
    singles = _fitted_ones(candidates)
    able = able_ones({name: (TEACHER, model) for name, model in singles.items()}, probes, "teacher")
    if VOTE not in candidates or len(able) < len(singles):
        return able
    probes.join(candidates[VOTE], able.values())
    return {**able, VOTE: candidates[VOTE]}


def able_ones(models: Mapping[str, tuple[str, Any]], probes: Probes, kind: str) -> dict[str, Any]:
    """Return which of the default models can fit the rows, with one warning for each that cannot.

    Parameters
    ----------
    models : mapping of str to (str, estimator)
        By name: what the model stands for in the search, and the model.
    probes : Probes
        Where the fits are made.
    kind : str
        "teacher" or "intermediate", for messages.

    Raises
    ------
    UnsuitableModel
        If no default teacher can.
    """
    able: dict[str, Any] = {}
    reasons: dict[str, UnsuitableModel] = {}
    for name, (stands_for, model) in models.items():
        try:
            probes.fitted(stands_for, model, shown=f"{kind} {name!r}")
            able[name] = model
        except UnsuitableModel as error:
            reasons[name] = error
    if not able and kind == TEACHER:
        raise next(iter(reasons.values()))
    for reason in reasons.values():
        warn(f"{str(reason).rstrip('.')}: this default {kind} is left out.", DefaultLeftOutWarning)
    return able


def able_intermediates(probes: Probes) -> dict[str, Any]:
    """Return the default intermediates that can fit the rows."""
    problem = probes.problem
    try:
        pool = default_intermediates(problem.X, problem.n_outputs)
    except InvalidData as error:
        warn(f"the default intermediates are left out: {error}", DefaultLeftOutWarning)
        return {}
    return able_ones({name: (name, model) for name, model in pool.items()}, probes, "intermediate")


def _fitted_ones(candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the vote: it is made of the others, nothing has to be fitted."""
    return {name: candidate for name, candidate in candidates.items() if name != VOTE}


def submit_candidates(candidates: Mapping[str, Any], problem: Problem, session: Session) -> dict[str, Future]:
    """Let `session` cross-fit on all rows searched who may be the teacher, and return the futures of the outputs."""
    if len(candidates) == 1:
        return {}
    shared = session.share(_bare(problem))
    return {
        name: session.submit(crossfit, shared, Ladder(teacher=candidate), problem.searched.number, ())
        for name, candidate in _fitted_ones(candidates).items()
    }


def _bare(problem: Problem) -> Problem:
    return replace(problem, synthetic={})


def choose_teacher(
    candidates: Mapping[str, Any], problem: Problem, session: Session, futures: Mapping[str, Future]
) -> Any:
    """Return the candidate with the best cross-fitted score.

    Raises
    ------
    SearchFailed
        If every candidate takes too long or ends its process.
    """
    if len(candidates) == 1:
        return next(iter(candidates.values()))
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
                f"teacher {name!r} failed on all rows ({error}): this default teacher is left out.",
                DefaultLeftOutWarning,
            )
    if not outputs:
        raise SearchFailed(f"some default teacher must be fitted on all rows, none was: {lost}")
    if VOTE in candidates and not lost:
        outputs[VOTE] = with_temperature(_bare(problem), searched, mean_outputs(list(outputs.values())))
    scores = {name: scoring.score(problem.y[searched.train], of.calibrated, weights) for name, of in outputs.items()}
    return candidates[max(scores, key=lambda name: scores[name])]


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
