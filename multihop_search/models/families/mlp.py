"""Neural networks of scikit-learn: the stages of a classifier are probes on its hidden layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_array

from multihop_search.models.base import Count, Family
from multihop_search.problem.responses import stored_form

EXACT = (MLPClassifier, MLPRegressor)
ACTIVATIONS = {"identity": np.asarray, "logistic": expit, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


class Network(Family):
    """`MLPClassifier` and `MLPRegressor`; a class derived from one is not graded."""

    def matches(self, model: Any) -> bool:
        return isinstance(model, EXACT)

    def layers(self, model: Any) -> int:
        return int(np.size(model.hidden_layer_sizes)) if type(model) is MLPClassifier else 0

    def probes(
        self, model: Any, X: Any, labels: np.ndarray, sample_weight: np.ndarray | None, sizes: Sequence[int]
    ) -> dict[int, Any]:
        activations = hidden_layers(model, X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return {k: LogisticRegression().fit(activations[k - 1], labels, sample_weight) for k in sizes}

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        if not sizes or not probes:
            return super().staged(model, X, classes, sizes, probes)
        whole, activations = stored_form(model, X, classes), hidden_layers(model, X)
        return whole, {k: stored_form(probes[k], activations[k - 1], classes) for k in sizes}

    def count(self, model: Any) -> Count | None:
        return Count(sum(np.size(array) for array in (*model.coefs_, *model.intercepts_)), "weights")

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if type(model) not in EXACT:
            return {}
        return {
            "alpha": FloatDistribution(1e-6, 1e-1, log=True),
            "learning_rate_init": FloatDistribution(1e-4, 1e-1, log=True),
        }


def hidden_layers(network: Any, X: Any) -> list[np.ndarray]:
    """Return the activations of each hidden layer of a fitted network, (n_rows, n_units), the first layer first."""
    layers = [check_array(X, accept_sparse="csr")]
    for weights, intercepts in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        layers.append(ACTIVATIONS[network.activation](layers[-1] @ weights + intercepts))
    return layers[1:]
