"""Recipes: frozen values whose fields are fixed, or searched as Optuna distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, TypeVar

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from multihop_search.errors import InvalidSetting

R = TypeVar("R", bound="Recipe")


class Recipe:
    """Base of what is searched on a hop: a frozen dataclass whose fields each hold a value or an Optuna distribution.

    A field that holds a value is fixed; a field that holds a distribution is searched. `resolve` replaces the
    distributions by values. The search calls `check` once, `searched` when the space is built, `usual` for the first
    trials and for hops above the last, and `resolve` for each trial.
    """

    usual_values: ClassVar[Mapping[str, Any]] = {}
    """Value of each searchable field in the first trial and in hops above the last."""

    @property
    def name(self) -> str:
        """What the space and tables call it."""
        return type(self).__name__

    def check(self) -> None:
        """Raise `InvalidSetting` if a fixed field has a value that it cannot have."""

    def searched(self) -> dict[str, BaseDistribution]:
        """Return the fields that hold a distribution."""
        return {name: value for name, value in self._fields().items() if isinstance(value, BaseDistribution)}

    def resolve(self: R, values: Mapping[str, Any]) -> R:
        """Return the recipe with its searched fields set to `values`."""
        return replace(self, **{name: values[name] for name in self.searched()})  # type: ignore[type-var]

    def usual(self: R) -> R:
        """Return the recipe with its searched fields at their usual values."""
        return self.resolve(
            {name: default_value(dist, self.usual_values.get(name)) for name, dist in self.searched().items()}
        )

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={short(value)}" for name, value in self._fields().items())
        return f"{type(self).__name__}({inside})" if inside else type(self).__name__


def short(value: Any) -> str:
    """Return a value as a path shows it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def holds(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether `value` can be drawn from `distribution`."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not distribution.low <= value <= distribution.high
    ):
        return False
    steps = (value - distribution.low) / (distribution.step or 1.0)
    return distribution.step is None or abs(steps - round(steps)) < 1e-8


def default_value(distribution: BaseDistribution, wanted: Any) -> Any:
    """Return `wanted` if `distribution` holds it, else its first choice or lower end."""
    if holds(distribution, wanted):
        return wanted
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return distribution.low


def check_field(scheme: Recipe, name: str, low: float, high: float, *, open_low: bool = False) -> None:
    """Raise `InvalidSetting` unless the field is a distribution or a number in [low, high] (or (low, high])."""
    value = getattr(scheme, name)
    values: tuple[Any, ...] = (value,)
    if isinstance(value, CategoricalDistribution):
        values = value.choices
    elif isinstance(value, (FloatDistribution, IntDistribution)):
        values = (value.low, value.high)
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in values)
    if not numbers or not all(low <= end <= high for end in values) or (open_low and min(values) == low):
        bracket = "(" if open_low else "["
        raise InvalidSetting(
            f"{name} of {type(scheme).__name__} must be a number or an Optuna distribution within {bracket}{low:g}, "
            f"{high:g}], got {value!r}: pass a value in that range."
        )


def check_choice(recipe: Recipe, name: str, allowed: tuple[str, ...]) -> None:
    """Raise `InvalidSetting` unless the field is one of `allowed`, or a categorical distribution over them."""
    value = getattr(recipe, name)
    values = value.choices if isinstance(value, CategoricalDistribution) else (value,)
    if not all(isinstance(one, str) and one in allowed for one in values):
        raise InvalidSetting(
            f"{name} of {type(recipe).__name__} must be one of {', '.join(map(repr, allowed))} or a "
            f"CategoricalDistribution of them, got {value!r}: pass one of these."
        )
