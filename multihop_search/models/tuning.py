"""The student's own regularisation: what `param_distributions="auto"` tunes, inside the size bound.

What is tuned of a class its family says; docs/methods.md lists it. `ccp_alpha` of a regression tree is in squared units
of the target: its choices are shares of the target's variance, which `student_distributions` is told.

Depth, leaves and numbers of trees are the user's bound: they are never touched. What the user moved off its default
stays, or only tightens (`min_samples_leaf`). In a Pipeline the last step is tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from sklearn.pipeline import Pipeline

from multihop_search.errors import InvalidSetting
from multihop_search.models.registry import family_of


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
    params = student.get_params(deep=True)
    searched: dict[str, BaseDistribution] = {}
    for name, value in sorted(param_distributions.items()):
        if name not in params:
            raise InvalidSetting(
                f"param_distributions must name parameters of {type(student).__name__}, got {name!r}: "
                f"use one of {', '.join(sorted(params))}."
            )
        searched[name] = _as_distribution(name, value)
    return searched


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
    tuned = family_of(student).tuned(student, variance)
    defaults = type(student)().get_params(deep=False) if tuned else {}
    searched = {}
    for name, distribution in tuned.items():
        if params[name] == defaults[name]:
            searched[prefix + name] = distribution
        elif (
            isinstance(distribution, IntDistribution)
            and isinstance(params[name], int)
            and 1 <= params[name] < distribution.high
        ):  # a leaf size only grows
            searched[prefix + name] = IntDistribution(params[name], distribution.high, log=distribution.log)
    return searched
