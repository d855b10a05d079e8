"""Weights: whether and under which name `fit` of a model takes them."""

from __future__ import annotations

from contextlib import suppress
from inspect import signature
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_selection import RFE, RFECV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from multihop_search.compat.sklearn import BaseSearchCV
from multihop_search.errors import UnsuitableModel
from multihop_search.models.base import none_if_equal
from multihop_search.models.registry import family_of
from multihop_search.models.steps import last_step

SEVERAL = (VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)
HANDING_ON = (*SEVERAL, BaseSearchCV, TransformedTargetRegressor, RFE)
"""Classes of scikit-learn whose `fit` hands weights on to the models inside, without metadata routing too."""


def takes_weights(estimator: Any) -> bool:
    """Return whether `estimator` can be taught soft labels and weights."""
    return bool(weight_names(last_step(estimator)))


def weight_names(model: Any) -> tuple[str, ...]:
    """Return the names under which `fit` of `model` takes weights; none where it takes no weights.

    Votes, stacks and searches hand on what they are given, so those inside decide. While metadata is routed, a model
    that hands it on takes weights if its members request them.

    Examples
    --------
    >>> from sklearn.ensemble import VotingClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> weight_names(VotingClassifier([("bayes", GaussianNB())]))
    ('sample_weight',)
    >>> weight_names(VotingClassifier([("bayes", GaussianNB()), ("neighbours", KNeighborsClassifier())]))
    ()
    """
    if isinstance(model, Pipeline):
        return tuple(f"{model.steps[-1][0]}__{name}" for name in weight_names(model.steps[-1][1]))
    handing_on = isinstance(model, HANDING_ON)  # votes of scikit-learn 1.6 name the weights too
    if not handing_on and hasattr(model, "fit") and has_fit_parameter(model, "sample_weight"):
        return ("sample_weight",)
    if get_config()["enable_metadata_routing"]:
        return _requested(model)
    if not _hands_on(model):
        return ()
    members = _members(model)
    names = {weight_names(member) for member in members}
    several = isinstance(model, SEVERAL) or len(members) > 1
    return names.pop() if names == {("sample_weight",)} or (len(names) == 1 and not several) else ()


def _hands_on(model: Any) -> bool:
    """Return whether `fit` hands on what else it is given; scikit-learn's own say so of more classes than do."""
    if type(model).__module__.startswith("sklearn."):
        return isinstance(model, HANDING_ON) and not isinstance(model, RFECV)
    fit_parameters = signature(model.fit).parameters.values() if hasattr(model, "fit") else ()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in fit_parameters)


def _requested(model: Any) -> tuple[str, ...]:
    """Return the same of a model that hands metadata on, by what is requested."""
    with suppress(NotImplementedError):  # of models that cannot say it yet
        return ("sample_weight",) if get_routing_for_object(model).consumes("fit", ["sample_weight"]) else ()
    return ()


def _members(model: Any) -> list[Any]:
    """Return the models inside a model."""
    members: list[Any] = []
    for value in model.get_params(deep=False).values():
        parts = [part[1] for part in value if isinstance(part, tuple) and len(part) > 1] if _is_list(value) else [value]
        members += [
            part for part in parts if not isinstance(part, type) and hasattr(part, "fit") and hasattr(part, "predict")
        ]
    return members


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def weight_argument(model: Any, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the argument of `fit` that hands weights on, {} where they are equal.

    Raises
    ------
    UnsuitableModel
        If they differ and the model takes none.
    """
    weights = none_if_equal(weights)
    if weights is None or (np.ptp(weights) == 0 and not takes_weights(model)):
        return {}
    require_weights(model)
    return dict.fromkeys(weight_names(model), family_of(model).allowed_weights(weights))


def require_weights(model: Any) -> None:
    """Raise `UnsuitableModel` if `fit` of a model takes no weights."""
    if not takes_weights(model):
        raise UnsuitableModel(
            f"{type(model).__name__} must take sample_weight in fit to be taught weights or soft labels, it does not: "
            "use schemes=[HardLabels()] without sample_weight, or another model."
        )
