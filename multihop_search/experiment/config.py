"""The config of an experiment: a TOML file becomes frozen values; what is unknown or missing is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path as File
from typing import Any

from multihop_search.errors import InvalidSetting
from multihop_search.experiment.data import EXAMPLES, Source
from multihop_search.experiment.recipes import make_model, make_recipe
from multihop_search.files import path_of

TOP = (
    "title",
    "seeds",
    "rows",
    "fresh",
    "search",
    "data",
    "teachers",
    "students",
    "intermediates",
    "schemes",
    "override",
)
AXES = ("data", "teachers", "schemes", "rows", "seeds")
"""What a cell is one of each of; all students are searched together in it."""
EVERY = "all"
"""What the scheme set is called where the config names none."""
GRIDDED = ("noise", "gap")
"""Conditions of generated data that may be lists: each combination is a data set."""


@dataclass(frozen=True)
class Settings:
    """Settings of every search of an experiment; see `MultihopSearchClassifier`."""

    n_trials: int = 100
    """Trials of each student."""
    max_hops: int = 3
    cv: int = 5
    crossfit_cv: int = 3
    scoring: str = "auto"
    verdict: Any = "bbc"
    stopping: bool = True
    """Whether paths that are clearly behind are stopped early."""
    same_scheme: float = 0.0
    """Share of the multi-hop trials whose hops all have one scheme; by chance few have."""
    tree_fits: Any = "auto"
    """"auto" or a list of names or tables."""


@dataclass(frozen=True)
class Override:
    """Other settings for some cells."""

    where: Mapping[str, tuple[Any, ...]]
    """Values of some axes; a cell that has one of each is meant."""
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Config:
    """An experiment, as it was written down."""

    title: str
    seeds: tuple[int, ...]
    rows: tuple[int, ...]
    """Most training rows, one entry for each size."""
    fresh: int
    """Most fresh rows."""
    settings: Settings
    data: Mapping[str, Source]
    teachers: Mapping[str, Any]
    students: Mapping[str, Any]
    schemes: Mapping[str, Any]
    intermediates: Mapping[str, Any] = field(default_factory=dict)
    """Empty: the search chooses them."""
    overrides: tuple[Override, ...] = ()
    folder: File = File()
    """Where relative paths begin."""


def read_config(file: File | str) -> Config:
    """Return the experiment that a TOML file describes.

    Raises
    ------
    InvalidSetting
        If the file cannot be read, holds an unknown name, lacks a needed one, or names a class that is not there.
    """
    file = path_of(file, "config")
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"{file} must be a TOML file, it could not be read: {error}: correct it.") from error
    return make_config(settings, file.absolute().parent)


def make_config(tables: Mapping[str, Any], folder: File = File()) -> Config:
    """Return the experiment that a mapping describes, as `read_config` reads it from a file.

    Examples
    --------
    >>> config = make_config({
    ...     "data": {"wine": {"example": "wine"}},
    ...     "teachers": {"forest": {"class": "sklearn.ensemble.RandomForestClassifier"}},
    ...     "students": {"tree": {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 3}},
    ... })
    >>> config.seeds, config.rows, config.settings.n_trials
    ((0,), (1000,), 100)

    Raises
    ------
    InvalidSetting
        See `read_config`.
    """
    _check_known(tables, TOP, "the config")
    for kind in ("data", "teachers", "students"):
        if not tables.get(kind):
            raise InvalidSetting(f"the config must name its {kind}, it does not: add a table [{kind}.NAME].")
    teachers, students, intermediates = (
        _models(tables.get(kind, {}), kind) for kind in ("teachers", "students", "intermediates")
    )
    data = {source.name: source for name, spec in _tables(tables["data"], "data") for source in _sources(name, spec)}
    config = Config(
        title=str(tables.get("title", "Experiment")),
        seeds=_numbers(tables.get("seeds", [0]), "seeds", 0),
        rows=_numbers(tables.get("rows", [1000]), "rows", 10),
        fresh=_numbers([tables.get("fresh", 5000)], "fresh", 10)[0],
        settings=make_settings(tables.get("search", {}), "[search]"),
        data=data,
        schemes=_scheme_sets(tables.get("schemes", {EVERY: "auto"})),
        teachers=teachers,
        students=students,
        intermediates=intermediates,
        folder=folder,
    )
    return _with_overrides(config, tables.get("override", []))


def make_settings(spec: Mapping[str, Any], place: str, base: Settings | None = None) -> Settings:
    """Return the settings that a table gives, over `base`."""
    given = {} if base is None else vars(base)
    _check_known(spec, [one.name for one in fields(Settings)], place)
    _check_kinds(spec, Settings, place)
    settings = Settings(**{**given, **spec})
    if isinstance(settings.same_scheme, bool) or not 0 <= settings.same_scheme <= 1:
        raise InvalidSetting(f"{place} same_scheme must be from 0 to 1, got {settings.same_scheme!r}: pass a share.")
    if settings.tree_fits != "auto":
        for fit in settings.tree_fits:
            make_recipe(fit, f"{place} tree_fits")
    return settings


def _tables(section: Any, kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if not isinstance(section, Mapping) or not all(isinstance(spec, Mapping) for spec in section.values()):
        raise InvalidSetting(f"[{kind}] must hold a table for each name, it does not: write [{kind}.NAME].")
    return section.items()


def _models(section: Any, kind: str) -> dict[str, Any]:
    specs = dict(_tables(section, kind))
    for name, spec in specs.items():
        make_model(spec, f"[{kind}.{name}]")
    return specs


def _sources(name: str, spec: Mapping[str, Any]) -> list[Source]:
    place = f"[data.{name}]"
    _check_known(spec, [one.name for one in fields(Source) if one.name != "name"], place)
    if sum(bool(spec.get(kind)) for kind in ("file", "example", "generated")) != 1:
        raise InvalidSetting(f"{place} must have one of file, example and generated = true: keep one.")
    if "example" in spec and spec["example"] not in EXAMPLES:
        examples = ", ".join(sorted(EXAMPLES))
        raise InvalidSetting(f"{place} example must be one of {examples}, got {spec['example']!r}: choose one.")
    lists = {key: spec[key] for key in GRIDDED if isinstance(spec.get(key), list)}
    _check_kinds({key: value for key, value in spec.items() if key not in lists}, Source, place)
    for key, values in lists.items():
        for value in values:
            _check_kinds({key: value}, Source, place)
    given = {**spec, "drop": tuple(spec.get("drop", ()))}
    sources = []
    for values in product(*lists.values()):
        drawn = dict(zip(lists, values, strict=True))
        title = " ".join([name, *(f"{key}={value:g}" for key, value in drawn.items())])
        sources.append(Source(title, **{**given, **drawn}))
    for source in sources:
        if not (0 <= source.noise < 1 - 1 / source.classes and 0 <= source.gap <= 1 and source.columns >= 2):
            raise InvalidSetting(
                f"{place} must have noise from 0 to below 1 - 1 / classes, gap from 0 to 1 and at least 2 columns, got "
                f"noise={source.noise}, gap={source.gap}, columns={source.columns}: correct them."
            )
    return sources


def _scheme_sets(section: Any) -> dict[str, Any]:
    if not isinstance(section, Mapping) or not section:
        raise InvalidSetting(f"[schemes] must name sets of schemes, got {section!r}: write for instance all = 'auto'.")
    for name, schemes in section.items():
        if schemes != "auto" and (not isinstance(schemes, list) or not schemes):
            raise InvalidSetting(f"[schemes] {name} must be 'auto' or a list of schemes, got {schemes!r}: pass one.")
        for scheme in () if schemes == "auto" else schemes:
            make_recipe(scheme, f"[schemes] {name}")
    return dict(section)


def _with_overrides(config: Config, changes: Any) -> Config:
    overrides = []
    for number, spec in enumerate(changes, start=1):
        place = f"[[override]] {number}"
        where = {axis: spec[axis] for axis in AXES if axis in spec}
        settings = {name: value for name, value in spec.items() if name not in AXES}
        make_settings(settings, f"{place} (beside {', '.join(AXES)})", config.settings)
        for axis, values in where.items():
            values_of_axis = list(getattr(config, axis))
            unknown = [value for value in values if value not in values_of_axis]
            if unknown:
                raise InvalidSetting(
                    f"{place} {axis} must hold names of this config, got {unknown[0]!r}: choose among "
                    f"{', '.join(map(str, values_of_axis))}."
                )
        overrides.append(Override({axis: tuple(values) for axis, values in where.items()}, settings))
    return Config(**{**vars(config), "overrides": tuple(overrides)})


def _numbers(values: Any, name: str, least: int) -> tuple[int, ...]:
    whole = isinstance(values, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in values)
    if not whole or not values or min(values) < least or len(set(values)) < len(values):
        raise InvalidSetting(
            f"{name} must hold different whole numbers of at least {least}, got {values!r}: correct it."
        )
    return tuple(values)


def _check_kinds(spec: Mapping[str, Any], kind: type, place: str) -> None:
    """Raise unless each value is of the kind of its field's default; a field of any kind is left to its users."""
    defaults = {one.name: one.default for one in fields(kind) if one.type != "Any"}
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "a list of names"}
    for name, value in spec.items():
        wanted = type(defaults.get(name))
        allowed = {float: (int, float), tuple: (list,)}.get(wanted, (wanted,))
        if wanted in words and (not isinstance(value, allowed) or (isinstance(value, bool) and wanted is not bool)):
            raise InvalidSetting(f"{place} {name} must be {words[wanted]}, got {value!r}: correct it.")


def _check_known(settings: Mapping[str, Any], allowed: Iterable[str], place: str) -> None:
    unknown = [name for name in settings if name not in allowed]
    if unknown:
        raise InvalidSetting(f"{place} must hold known names only, got {unknown[0]!r}: it takes {', '.join(allowed)}.")
