"""The student's own regularisation: what `param_distributions="auto"` tunes, per class, inside the size bound.

====================================  =============================================================
class                                 tuned
====================================  =============================================================
DecisionTree, ExtraTree               criterion (classifiers), min_samples_leaf, ccp_alpha
RandomForest, ExtraTrees              criterion (classifiers), min_samples_leaf
HistGradientBoosting                  learning_rate, min_samples_leaf
GradientBoosting                      learning_rate, min_samples_leaf
LogisticRegression, LinearSVC         C
Ridge, RidgeClassifier                alpha
Lasso, ElasticNet                     alpha
SGDClassifier, SGDRegressor           alpha
MLP                                   alpha, learning_rate_init
LGBM (lightgbm)                       learning_rate, min_child_samples, reg_lambda
XGB (xgboost)                         learning_rate, min_child_weight, reg_lambda
ExplainableBoosting (interpret)       learning_rate, min_samples_leaf
any other                             nothing
====================================  =============================================================

Classes of other libraries are known by name and never imported. XGBoost's None is its own default, one choice of each.
`ccp_alpha` of a regression tree is in squared units of the target: its choices are shares of the target's variance,
which `student_distributions` is told.

Depth, leaves and numbers of trees are the user's bound: they are never touched. What the user moved off its default
stays, or only tightens (`min_samples_leaf`). In a Pipeline the last step is tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from multihop_search.errors import InvalidSetting

LARGEST_LEAF = 64
PRUNING_SHARES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Choices of `ccp_alpha`: shares of the impurity at most 1 of classes, or of the target's variance."""

_CRITERION: dict[str, BaseDistribution] = {"criterion": CategoricalDistribution(("gini", "entropy"))}
_LEAF: dict[str, BaseDistribution] = {"min_samples_leaf": IntDistribution(1, LARGEST_LEAF, log=True)}
_STRENGTH: dict[str, BaseDistribution] = {"C": FloatDistribution(1e-3, 1e2, log=True)}
_PENALTY: dict[str, BaseDistribution] = {"alpha": FloatDistribution(1e-2, 1e3, log=True)}
_SPARSITY: dict[str, BaseDistribution] = {"alpha": FloatDistribution(1e-4, 1e1, log=True)}
_LARGER_LEAF: dict[str, BaseDistribution] = {"min_samples_leaf": IntDistribution(5, 100, log=True)}
_DECAY: dict[str, BaseDistribution] = {"alpha": FloatDistribution(1e-6, 1e-1, log=True)}
_PRUNING = CategoricalDistribution(PRUNING_SHARES)
_RATE: dict[str, BaseDistribution] = {"learning_rate": FloatDistribution(0.02, 0.5, log=True)}
FEW_ROUNDS = 30
"""A booster of so few rounds must take larger steps: its learning rate is tuned over `_LARGE_STEPS`."""
_LARGE_STEPS = FloatDistribution(0.1, 1.0, log=True)
_ROUNDS = ("n_estimators", "max_iter")

TUNED: dict[type, dict[str, BaseDistribution]] = {
    kind: tuned
    for kinds, tuned in (
        ((DecisionTreeClassifier, ExtraTreeClassifier), {**_CRITERION, **_LEAF, "ccp_alpha": _PRUNING}),
        ((DecisionTreeRegressor, ExtraTreeRegressor), {**_LEAF, "ccp_alpha": _PRUNING}),
        ((RandomForestClassifier, ExtraTreesClassifier), {**_CRITERION, **_LEAF}),
        ((RandomForestRegressor, ExtraTreesRegressor), {**_LEAF}),
        ((HistGradientBoostingClassifier, HistGradientBoostingRegressor), {**_RATE, **_LARGER_LEAF}),
        ((GradientBoostingClassifier, GradientBoostingRegressor), {**_RATE, **_LEAF}),
        ((LogisticRegression, LinearSVC), {**_STRENGTH}),
        ((Ridge, RidgeClassifier), {**_PENALTY}),
        ((Lasso, ElasticNet), {**_SPARSITY}),
        ((SGDClassifier, SGDRegressor), {**_DECAY}),
        ((MLPClassifier, MLPRegressor), {**_DECAY, "learning_rate_init": FloatDistribution(1e-4, 1e-1, log=True)}),
    )
    for kind in kinds
}
_LIGHTGBM: dict[str, BaseDistribution] = {
    **_RATE,
    "min_child_samples": IntDistribution(5, 100, log=True),
    "reg_lambda": CategoricalDistribution((0.0, 0.1, 1.0, 10.0)),
}
_XGBOOST: dict[str, BaseDistribution] = {
    "learning_rate": CategoricalDistribution((None, 0.03, 0.1, 0.5)),
    "min_child_weight": CategoricalDistribution((None, 3.0, 10.0, 30.0)),
    "reg_lambda": CategoricalDistribution((None, 0.1, 10.0, 100.0)),
}
_EBM: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(0.01, 0.1, log=True),
    "min_samples_leaf": IntDistribution(2, LARGEST_LEAF, log=True),
}
TUNED_BY_NAME = {
    name + kind: tuned
    for name, tuned in (
        ("lightgbm.LGBM", _LIGHTGBM),
        ("xgboost.XGB", _XGBOOST),
        ("interpret.ExplainableBoosting", _EBM),
    )
    for kind in ("Classifier", "Regressor")
}
"""The same for classes of other libraries, by the library and the name of the class."""
IN_SQUARED_UNITS = (DecisionTreeRegressor, ExtraTreeRegressor)
"""Students whose `ccp_alpha` is in squared units of the target."""


def student_distributions(
    student: Any, param_distributions: Any, *, variance: float = 1.0
) -> dict[str, BaseDistribution]:
    """Return what is searched of the student's own parameters, by name as in `set_params`.

    Parameters
    ----------
    student : estimator
        The user's student; its parameters are the default trial.
    param_distributions : "auto" or mapping of str to Optuna distribution or sequence of values
        A sequence is a categorical choice.
    variance : float, default=1.0
        Variance of the target, in regression.

    Raises
    ------
    InvalidSetting
        If a name is no parameter of the student, or a value is no distribution.
    """
    if isinstance(param_distributions, str) and param_distributions == "auto":
        return _auto(student, "", variance)
    if not isinstance(param_distributions, Mapping):
        raise InvalidSetting(
            "param_distributions must be 'auto' or a mapping of parameter names to Optuna distributions or lists of "
            f"values, got {type(param_distributions).__name__}: pass a dict, {{}} keeps the student as it is."
        )
    known = student.get_params(deep=True)
    found: dict[str, BaseDistribution] = {}
    for name, value in sorted(param_distributions.items()):
        if name not in known:
            raise InvalidSetting(
                f"param_distributions must name parameters of {type(student).__name__}, got {name!r}: "
                f"use one of {', '.join(sorted(known))}."
            )
        found[name] = _as_distribution(name, value)
    return found


def _as_distribution(name: str, value: Any) -> BaseDistribution:
    choices = getattr(value, "choices", value)
    if isinstance(choices, (Sequence, np.ndarray)) and not isinstance(choices, str):
        try:
            distinct = len(set(choices))
        except TypeError:
            distinct = len(choices)
        if distinct < len(choices):
            raise InvalidSetting(
                f"param_distributions[{name!r}] must hold choices that differ, got {value!r}, where some are "
                "equal (1, 1.0 and True are): leave some out."
            )
    if isinstance(value, BaseDistribution):
        return value
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) and len(value) > 0:
        choices = tuple(value.tolist() if isinstance(value, np.ndarray) else value)
        if all(choice is None or isinstance(choice, (bool, int, float, str)) for choice in choices):
            return CategoricalDistribution(choices)
    raise InvalidSetting(
        f"param_distributions[{name!r}] must be an Optuna distribution or a non-empty list of numbers, strings, "
        f"booleans or None, got {value!r}: "
        "pass for instance optuna.distributions.FloatDistribution(0.1, 1.0)."
    )


def _auto(student: Any, prefix: str, variance: float) -> dict[str, BaseDistribution]:
    if isinstance(student, Pipeline):
        name, last = student.steps[-1]
        return _auto(last, f"{prefix}{name}__", variance)
    params = student.get_params(deep=False)
    kind = type(student)
    tuned = TUNED.get(kind) or TUNED_BY_NAME.get(f"{kind.__module__.partition('.')[0]}.{kind.__name__}", {})
    defaults = type(student)().get_params(deep=False) if tuned else {}
    found = {}
    for name, distribution in tuned.items():
        if name == "ccp_alpha" and type(student) in IN_SQUARED_UNITS:
            distribution = CategoricalDistribution(tuple(share * variance for share in PRUNING_SHARES))
        if distribution is _RATE["learning_rate"] and next(params[n] for n in _ROUNDS if n in params) <= FEW_ROUNDS:
            distribution = _LARGE_STEPS
        if params[name] == defaults[name]:
            found[prefix + name] = distribution
        elif (
            isinstance(distribution, IntDistribution)
            and isinstance(params[name], int)
            and 1 <= params[name] < distribution.high
        ):  # a leaf size only grows
            found[prefix + name] = IntDistribution(params[name], distribution.high, log=True)
    return found
