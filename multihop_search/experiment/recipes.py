"""Models and schemes from what a config says of them: a dotted class with its parameters, or a name of ours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from optuna.distributions import CategoricalDistribution
from sklearn.pipeline import make_pipeline

import multihop_search
from multihop_search import Scheme, TreeFit
from multihop_search.errors import InvalidSetting

CLASS, STEPS = "class", "pipeline"


def make_model(spec: Any, place: str) -> Any:
    """Return an estimator that is not fitted.

    Parameters
    ----------
    spec : mapping
        ``{"class": "package.Class", parameter: value}``, or ``{"pipeline": [step, step]}``. A parameter that is itself
        such a mapping is an estimator.
    place : str
        Where it stands, for messages.

    Raises
    ------
    InvalidSetting
        If it names no class that is there, or a parameter that the class does not have.

    Examples
    --------
    >>> make_model({"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 4}, "[students.tree]")
    DecisionTreeClassifier(max_depth=4)
    """
    if isinstance(spec, Mapping) and set(spec) == {STEPS}:
        return make_pipeline(*(make_model(step, f"{place} {STEPS}") for step in spec[STEPS]))
    if not isinstance(spec, Mapping) or CLASS not in spec:
        raise InvalidSetting(
            f"{place} must name a class or a pipeline, it does not: write for instance class = "
            "'sklearn.tree.DecisionTreeClassifier'."
        )
    kind = _found(spec[CLASS], place)
    if not isinstance(kind, type) or not all(hasattr(kind, method) for method in ("fit", "get_params")):
        raise _other(spec[CLASS], place, "an estimator")
    given = {
        name: make_model(value, f"{place} {name}") if isinstance(value, Mapping) and CLASS in value else value
        for name, value in spec.items()
        if name != CLASS
    }
    return _made(kind, given, place)


def make_recipe(spec: Any, place: str) -> Any:
    """Return a scheme or a way of fitting trees: a name of this package, or a table with a class and its fields.

    A field that is a list is searched.

    Raises
    ------
    InvalidSetting
        If there is no such class or field.

    Examples
    --------
    >>> make_recipe("SRatio", "[schemes] all") == multihop_search.SRatio()
    True
    """
    if isinstance(spec, str):
        spec = {CLASS: spec}
    if not isinstance(spec, Mapping) or CLASS not in spec:
        raise InvalidSetting(f"{place} must hold names or tables with a class, got {spec!r}: pass 'SRatio', say.")
    name = str(spec[CLASS])
    kind = getattr(multihop_search, name) if name in multihop_search.__all__ else _found(name, place)
    if not isinstance(kind, type) or not issubclass(kind, (Scheme, TreeFit)):
        raise _other(name, place, "a scheme or a tree fit")
    given = {
        field: CategoricalDistribution(value) if isinstance(value, list) else value
        for field, value in spec.items()
        if field != CLASS
    }
    return _made(kind, given, place)


def _other(name: Any, place: str, what: str) -> InvalidSetting:
    return InvalidSetting(f"{place} must name the class of {what}, got {name!r}, which is none: correct it.")


def _found(name: Any, place: str) -> Any:
    """Return what a dotted name stands for; of the standard library nothing is imported."""
    module, _, kind = str(name).rpartition(".")
    if module.split(".")[0] in sys.stdlib_module_names:
        raise InvalidSetting(f"{place} must name a class of models, got {name!r} of the standard library: correct it.")
    try:
        return getattr(import_module(module), kind)
    except Exception as error:  # whatever a module raises
        raise InvalidSetting(
            f"{place} must name a class that is installed, got {name!r} ({error}): correct it."
        ) from error


def _made(kind: Any, given: Mapping[str, Any], place: str) -> Any:
    try:
        return kind(**given)
    except TypeError as error:
        raise InvalidSetting(
            f"{place} must have parameters that its class takes, it said: {error}: correct it."
        ) from error
