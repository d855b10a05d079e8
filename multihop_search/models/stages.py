"""Stages: the graded sub-models of one complex model: its first k members, or probes on its hidden layers.

What the members of a model are its family says; docs/methods.md lists the models with stages. In a Pipeline the last
step has them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from multihop_search.models.base import TRUNCATIONS
from multihop_search.models.registry import family_of
from multihop_search.models.steps import last_step, through


def n_members(estimator: Any) -> int:
    """Return the number of members that `estimator`, or the last step of a Pipeline, will have; 0 without members."""
    last = last_step(estimator)
    return family_of(last).members(last)


def n_hidden_layers(estimator: Any) -> int:
    """Return the number of hidden layers of a network that is graded by probes; 0 for any other model."""
    last = last_step(estimator)
    return family_of(last).layers(last)


def cut_sizes(estimator: Any) -> tuple[int, ...]:
    """Return the numbers of members at which a teacher can be truncated, largest first."""
    return tuple(k for k in reversed(TRUNCATIONS) if 2 * k <= n_members(estimator))


def stage_sizes(estimator: Any) -> tuple[int, ...]:
    """Return by what number the stages of a model are known, largest first: members, or the layer of a network."""
    return cut_sizes(estimator) or tuple(range(n_hidden_layers(estimator), 0, -1))


def is_graded_alone(estimator: Any) -> bool:
    """Return whether the stages of a model cost no fits of their own."""
    return family_of(last_step(estimator)).is_graded_alone


def truncated(model: Any, k: int) -> Any:
    """Return a fitted model that consists of the first `k` members of `model`, which stays as it is."""
    if not isinstance(model, Pipeline):
        return family_of(model).first(model, k)
    short = copy.copy(model)
    name, last = model.steps[-1]
    short.steps = [*model.steps[:-1], (name, truncated(last, k))]
    return short


def fitted_probes(
    model: Any, X: Any, labels: np.ndarray, sample_weight: np.ndarray | None, sizes: tuple[int, ...]
) -> dict[int, Any]:
    """Return a classifier on each hidden layer of a fitted network, by layer; none for any other model.

    Parameters
    ----------
    model : estimator
        Fitted; a Pipeline's last step is looked at.
    X : array or DataFrame of shape (n_rows, n_features)
        The rows that it was fitted on.
    labels : ndarray of shape (n_rows,)
        Their true labels.
    sample_weight : ndarray of shape (n_rows,) or None
        The user's weights.
    sizes : tuple of int
        Layers that are wanted, 1 for the first.
    """
    if not n_hidden_layers(model):
        return {}
    last, X = _last_with_rows(model, X)
    return family_of(last).probes(last, X, labels, sample_weight, sizes)


def graded_predictions(
    model: Any, X: Any, classes: np.ndarray | None, sizes: tuple[int, ...], probes: Mapping[int, Any] | None = None
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return the predictions of a model, (n_rows, n_outputs), and of its stages by k.

    A booster that stopped early has fewer members: its last stage stands for the missing ones. A network has the
    stages that its `probes` say.
    """
    last, X = _last_with_rows(model, X)
    return family_of(last).staged(last, X, classes, sizes, probes or {})


def _last_with_rows(model: Any, X: Any) -> tuple[Any, Any]:
    """Return the last step of a fitted Pipeline, recursively, and the rows as they reach it."""
    while isinstance(model, Pipeline):
        X = through(model.steps[:-1], X)
        model = model.steps[-1][1]
    return model, X
