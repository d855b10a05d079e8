"""Settling: a model as a fit takes it, with no seed left to chance and as many threads as the fit has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.errors import UnsuitableModel
from multihop_search.keys import seed
from multihop_search.models.base import Family
from multihop_search.models.registry import family_of


def settle(
    estimator: Any, name: str, random_state: int, *key: Any, head: tuple[Any, ...] | None = None, jobs: int = 1
) -> tuple[Any, dict[str, Any]]:
    """Return a clone with every open seed filled by key and its jobs set, and what has to be put back.

    Parameters
    ----------
    estimator : estimator
        Never changed.
    name : str
        What the estimator is on the path, for messages.
    random_state : int
        Base seed of the search.
    *key : object
        What the fit is for.
    head : tuple of object or None
        The same for the transformers of a Pipeline, which fits of different models share; None: as `key`.
    jobs : int, default=1
        Jobs of the fit.

    Raises
    ------
    UnsuitableModel
        If a `random_state` is a generator object: it would draw in order of execution.
    """
    model = clone(estimator)
    if isinstance(estimator, FrozenEstimator):
        return model, {}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    taught = model.steps[-1][0] if isinstance(model, Pipeline) else ""
    params = model.get_params(deep=True)
    families = _families(model, params)
    for param, value in params.items():
        owner, _, last = param.rpartition("__")
        above = isinstance(model, Pipeline) and param.partition("__")[0] != taught
        if last == "random_state":
            if isinstance(value, (np.random.RandomState, np.random.Generator)):
                raise UnsuitableModel(
                    f"random_state of {name} must be None or an integer, got a {type(value).__name__}: pass one, "
                    "or None to have it derived from the search's random_state."
                )
            if value is None:
                after[param] = seed(random_state, "estimator", param, *(head if head and above else key))
        elif _takes_threads(families[owner], last, value) and value != jobs:
            after[param] = jobs
        if param in after:
            before[param] = value
    return model.set_params(**after), before


def job_parameters(estimator: Any) -> set[str]:
    """Return the parameters of a model, and of those inside it, that say how many threads or processes it may use."""
    params = estimator.get_params(deep=True)
    families = _families(estimator, params)
    names = {param: param.rpartition("__") for param in params}
    return {param for param, (owner, _, last) in names.items() if last in families[owner].jobs}


def _families(estimator: Any, params: Mapping[str, Any]) -> dict[str, Family]:
    """Return the family of each model that owns parameters, by the name before them; "": of the whole."""
    return {owner: family_of(params.get(owner, estimator)) for owner in {name.rpartition("__")[0] for name in params}}


def _takes_threads(family: Family, param: str, value: Any) -> bool:
    return param in family.jobs and (value is not None or family.takes_all_cores)
