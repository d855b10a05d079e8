"""The fingerprint of a search: all that its trials depend on, part by part, as hashes equal in every process."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import pandas as pd
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from sklearn.base import BaseEstimator

from multihop_search.compat.sklearn import parts_of
from multihop_search.engine.plan import Plan
from multihop_search.errors import InvalidSetting
from multihop_search.keys import digest
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.space import PathSpace
from multihop_search.problem.leaks import used_as_it_is
from multihop_search.search.code import Code
from multihop_search.search.setup import Setup
from multihop_search.transfer.synthetic import GENERATORS

PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Fingerprint:
    """What a search depends on."""

    parts: dict[str, str]
    """The hash of each part, by its name."""
    packages: set[str]
    """Top-level modules of the installed packages whose versions say what their code does."""


def fingerprint(
    setup: Setup, plan: Plan, pruner: Any, settings: Mapping[str, Any], *, halves: bool = False
) -> Fingerprint:
    """Return what a search depends on; what only says how long or where it runs is left out.

    `halves`: whether the sampler is told about one half of the rows. Code that is no installed package's counts by what
    it does; see `search.code`.

    Raises
    ------
    InvalidSetting
        If a part has no name that another process would know it by.
    """
    problem, ladder, space = setup.problem, setup.ladder, setup.space
    cv = settings["cv"]
    values: dict[str, Any] = {
        "X": _rows(problem.X),
        "y": problem.y,
        "classes": problem.classes,
        "sample_weight": [problem.sample_weight, problem.given],
        "groups": problem.groups,
        "X_unlabeled": _rows(problem.unlabeled),
        "cv": cv if isinstance(cv, Integral) else [(fold.train, fold.test) for fold in problem.folds],
        "verdict": [halves, None if problem.sample is None else [problem.sample.train, problem.sample.test]],
        "crossfit_cv": settings["crossfit_cv"],
        "scoring": _named(problem.scoring),
        "random_state": problem.random_state,
        "cpus_per_hop": problem.threads,
        "teacher": _model(ladder.teacher),
        "students": {name: _model(model) for name, model in ladder.students.items()},
        "intermediates": [
            {name: _model(model) for name, model in ladder.intermediates.items()},
            ladder.truncations,
            ladder.stage_sizes,
        ],
        "budget": settings["budget"],
        "space": [
            space.distributions,
            space.students,
            space.schemes,
            space.compression,
            space.menu,
            *_generators(space),
        ],
        "sampler": _plain(plan.sampler),
        "pruner": _plain(pruner),
        "n_ahead": settings["n_ahead"],
    }
    if ladder.families.families:
        values["families"] = ladder.families.families
    packages: set[str] = set()
    try:
        return Fingerprint({name: _hash(name, value, packages) for name, value in values.items()}, packages)
    except InvalidSetting:
        for label, model in _named_models(ladder):
            _hash(label, _model(model), packages)  # says which one it is
        raise


def _named_models(ladder: Ladder) -> Iterator[tuple[str, Any]]:
    """Yield the models that a user may have given, with what a message calls them."""
    yield f"a teacher ({type(ladder.teacher).__name__})", ladder.teacher
    for kind, models in (("student", ladder.students), ("intermediate", ladder.intermediates)):
        for name, model in models.items():
            yield f"{kind}{f' {name!r}' if name != kind else ''} ({type(model).__name__})", model


def packages_of(ladder: Ladder) -> set[str]:
    """Return the top-level modules of the models of a search."""
    models = [ladder.teacher, *ladder.students.values(), *ladder.intermediates.values()]
    return {type(part).__module__.split(".")[0] for model in models for part in _inside(model)}


def _inside(model: Any) -> Iterator[Any]:
    yield model
    yield from (part for part in model.get_params(deep=True).values() if isinstance(part, BaseEstimator))


def _hash(name: str, value: Any, packages: set[str]) -> str:
    """Return the hash of a part, and add to `packages` those that it needs."""
    code = Code()
    try:
        described = code.describe(value)
    except TypeError as error:
        raise InvalidSetting(f"checkpoint needs {name} that another process can name, it says: {error}") from error
    packages |= code.packages
    return digest(described)


def _generators(space: PathSpace) -> list[Any]:
    """Return who makes the synthetic rows: a user may add to them."""
    generators = () if space.compression is None else space.compression.generators
    return [GENERATORS[name] for name in generators if name in GENERATORS]


def _model(model: Any) -> Any:
    return [_content(model), model] if used_as_it_is(model) else model


def _content(model: Any) -> Any:
    """Return the hash of a fitted model that is used as it is.

    Raises
    ------
    InvalidSetting
        If it cannot be pickled: a lambda, for instance.
    """
    try:
        return joblib.hash(model)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidSetting(
            f"checkpoint needs a model that can be pickled, this one cannot ({error}): use a named function of a "
            "module in place of a lambda, or from_predictions."
        ) from error


def _rows(X: Any) -> Any:
    if not isinstance(X, pd.DataFrame):
        return X
    values = pd.util.hash_pandas_object(X, index=False).to_numpy()
    return [np.asarray(values), list(map(str, X.columns)), list(map(str, X.dtypes))]


def _named(scoring: Any) -> Any:
    """Return a score as data: a scorer of scikit-learn is its function and what it is called with."""
    scorer = getattr(scoring, "scorer", None)
    parts = parts_of(scorer)
    return scoring if parts is None else [type(scoring), type(scorer), *parts]


def _plain(thing: Any) -> Any:
    """Return the class of an Optuna object and its settings: plain values, functions and further such objects."""
    if isinstance(thing, PLAIN):
        return thing
    settings = {name: value for name, value in vars(thing).items() if isinstance(value, PLAIN) or callable(value)}
    inner = {name: value for name, value in vars(thing).items() if isinstance(value, (BaseSampler, BasePruner))}
    return [type(thing), settings, {name: _plain(value) for name, value in inner.items()}]
