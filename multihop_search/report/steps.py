"""The chosen path as steps: each model, and what teaches it with its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from multihop_search.paths.path import TEACHER, Path, Truncate
from multihop_search.problem.units import number
from multihop_search.report.facts import Measured
from multihop_search.report.markup import shown

Settings = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Step:
    """A model of the path, and the recipes of the hop that leads to it."""

    name: str
    kind: str
    size: str
    """With its unit."""
    recipes: tuple[tuple[str, Settings], ...] = ()
    """Scheme, and what adds rows; none of the teacher."""
    settings: Settings = ()
    """Parameters of the student, and how it is fitted."""


def steps_of(path: Path, models: Mapping[str, Measured], *, regression: bool = False) -> list[Step]:
    """Return the steps from the teacher to the student; the student alone where the path has no hop."""
    steps = [Step(TEACHER, *_kind_and_size(models, TEACHER))] if path.hops else []
    for hop in path.hops[:-1]:
        steps.append(Step(shown(hop.model), *_kind_and_size(models, hop.model), recipes=_recipes(hop)))
    settings = [(shown(name), _value(value)) for name, value in path.params]
    if path.fit is not None:
        settings += [("fitted by", type(path.fit).__name__), *_settings(path.fit)]
        if regression:  # whatever the recipe says, a regression tree is fitted to squares
            settings = [(name, "squared" if name == "loss" else value) for name, value in settings]
    last = _recipes(path.hops[-1]) if path.hops else ()
    return [*steps, Step("student", *_kind_and_size(models, path.student), recipes=last, settings=tuple(settings))]


def _kind_and_size(models: Mapping[str, Measured], name: str) -> tuple[str, str]:
    model = models[name]
    return model.kind, f"{number(model.size)} {model.unit}" if math.isfinite(model.size) else "size not known"


def _recipes(hop: Any) -> tuple[tuple[str, Settings], ...]:
    if isinstance(hop.scheme, Truncate):
        return (("Truncate", (("first members kept", str(hop.scheme.k)),)),)
    recipes = [(type(hop.scheme).__name__, _settings(hop.scheme))]
    if hop.compression is not None:
        recipes.append((type(hop.compression).__name__, _settings(hop.compression)))
    return tuple(recipes)


def _settings(recipe: Any) -> Settings:
    if not is_dataclass(recipe):
        return ()
    return tuple((shown(field.name), _value(getattr(recipe, field.name))) for field in fields(recipe))


def _value(value: Any) -> str:
    return shown(f"{value:.3g}" if isinstance(value, float) else value, 60)
