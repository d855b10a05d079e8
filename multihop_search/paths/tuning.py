"""The student's own regularisation: what `param_distributions="auto"` tunes, per class, inside the size bound.

====================================  ====================================================
class                                 tuned
====================================  ====================================================
DecisionTree, ExtraTree               criterion, min_samples_leaf, ccp_alpha
RandomForest, ExtraTrees              criterion, min_samples_leaf
HistGradientBoosting                  learning_rate, min_samples_leaf
GradientBoosting                      learning_rate, min_samples_leaf
LogisticRegression                    C
any other                             nothing
====================================  ====================================================

Depth, leaves and numbers of trees are the user's bound: they are never touched. What the user moved off its default
stays, or only tightens (`min_samples_leaf`). In a Pipeline the last step is tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from multihop_search.errors import InvalidSetting

LARGEST_LEAF = 64

_CRITERION = {"criterion": CategoricalDistribution(("gini", "entropy"))}
_LEAF = {"min_samples_leaf": IntDistribution(1, LARGEST_LEAF, log=True)}
_RATE = {"learning_rate": FloatDistribution(0.02, 0.5, log=True)}

TUNED: dict[type, dict[str, BaseDistribution]] = {
    DecisionTreeClassifier: {
        **_CRITERION,
        **_LEAF,
        "ccp_alpha": CategoricalDistribution((0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)),
    },
    RandomForestClassifier: {**_CRITERION, **_LEAF},
    ExtraTreesClassifier: {**_CRITERION, **_LEAF},
    HistGradientBoostingClassifier: {**_RATE, "min_samples_leaf": IntDistribution(5, 100, log=True)},
    GradientBoostingClassifier: {**_RATE, **_LEAF},
    LogisticRegression: {"C": FloatDistribution(1e-3, 1e2, log=True)},
}
TUNED[ExtraTreeClassifier] = TUNED[DecisionTreeClassifier]


def student_distributions(student: Any, param_distributions: Any) -> dict[str, BaseDistribution]:
    """Return what is searched of the student's own parameters, by name as in `set_params`.

    Parameters
    ----------
    student : estimator
        The user's student; its parameters are the default trial.
    param_distributions : "auto" or mapping of str to Optuna distribution or sequence of values
        A sequence is a categorical choice.

    Raises
    ------
    InvalidSetting
        If a name is no parameter of the student, or a value is no distribution.
    """
    if isinstance(param_distributions, str) and param_distributions == "auto":
        return _auto(student, "")
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
    if isinstance(value, BaseDistribution):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0:
        return CategoricalDistribution(tuple(value))
    raise InvalidSetting(
        f"param_distributions[{name!r}] must be an Optuna distribution or a non-empty list of values, got {value!r}: "
        "pass for instance optuna.distributions.FloatDistribution(0.1, 1.0)."
    )


def _auto(student: Any, prefix: str) -> dict[str, BaseDistribution]:
    if isinstance(student, Pipeline):
        name, last = student.steps[-1]
        return _auto(last, f"{prefix}{name}__")
    params = student.get_params(deep=False)
    tuned = TUNED.get(type(student), {})
    defaults = type(student)().get_params(deep=False) if tuned else {}
    found = {}
    for name, distribution in tuned.items():
        if params[name] == defaults[name]:
            found[prefix + name] = distribution
        elif (
            isinstance(distribution, IntDistribution)
            and isinstance(params[name], int)
            and params[name] < distribution.high
        ):  # a leaf size only grows
            found[prefix + name] = IntDistribution(params[name], distribution.high, log=True)
    return found
