"""Which family a model is of: those of the package, and those that a user registers.

A user's families travel to other processes inside values that hold `Registered`: unpickling it registers them there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from multihop_search.errors import InvalidSetting
from multihop_search.models.base import AnyModel, Family
from multihop_search.models.families import all_families

FAMILIES: tuple[Family, ...] = (*all_families(), AnyModel())
"""The package's own; the one that knows nobody is asked last."""
_of_class: WeakKeyDictionary[type, Family] = WeakKeyDictionary()
"""Which of the package's own a class of models is of: they look at nothing else, and are asked for every parameter."""
_own: list[Family] = []
"""Those that a user registered, the latest first: they are asked before the package's."""


def family_of(model: Any) -> Family:
    """Return the family of a model, fitted or not.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> type(family_of(ExtraTreesRegressor())).__name__
    'Forest'
    """
    for family in _own:
        if family.matches(model):
            return family
    kind = type(model)
    if kind not in _of_class:
        _of_class[kind] = next(family for family in FAMILIES if family.matches(model))
    return _of_class[kind]


def register(family: Family) -> Family:
    """Let searches know a class of models by a family of your own, and return it.

    It is asked before the families of the package, and after one that is registered later. It reaches the workers of a
    search by itself. A family of the same name that was registered before is replaced.

    Parameters
    ----------
    family : Family
        Without state: two objects of its class are equal to the package.

    Raises
    ------
    InvalidSetting
        If it is no instance of a class derived from `Family`.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from sklearn.naive_bayes import GaussianNB
    >>> class NaiveBayes(Family):
    ...     def matches(self, model):
    ...         return isinstance(model, GaussianNB)
    ...
    ...     def tuned(self, model, variance):
    ...         return {"var_smoothing": FloatDistribution(1e-12, 1e-3, log=True)}
    >>> registered = register(NaiveBayes())
    >>> family_of(GaussianNB()) is registered
    True
    >>> unregister(registered)
    """
    if not isinstance(family, Family):
        raise InvalidSetting(f"a family must be an instance of a class derived from Family, got {family!r}: make one.")
    unregister(family)
    _own.insert(0, family)
    return family


def unregister(family: Family) -> None:
    """Forget a registered family, and any other of its name; nothing happens where there is none."""
    _own[:] = [other for other in _own if _name(other) != _name(family)]


@contextmanager
def registered(family: Family) -> Iterator[None]:
    """Register a family for what runs inside."""
    before = list(_own)
    register(family)
    try:
        yield
    finally:
        _own[:] = before


@dataclass(frozen=True)
class Registered:
    """The user's families of a process; unpickled in another one it registers them there."""

    families: tuple[Family, ...] = ()

    @classmethod
    def now(cls) -> Registered:
        """Return those that are registered now."""
        return cls(tuple(_own))

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self.families,)


def _arrived(families: tuple[Family, ...]) -> Registered:
    for family in reversed(families):
        register(family)
    return Registered(families)


def _name(family: Family) -> tuple[str, str]:
    return type(family).__module__, type(family).__qualname__
