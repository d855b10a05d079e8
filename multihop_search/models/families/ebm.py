"""Explainable boosting machines (`interpret`). Never imported, their classes are known by name.

They stop early by rows that they hold out themselves: copies of one row must lie on one side, and a row without a true
label cannot judge, so where rows are repeated or synthetic the bags are given to them (not before interpret 0.7, which
laid them out in another way). And they refuse weights of 0.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from multihop_search.models.base import Family
from multihop_search.models.families.tree import LARGEST_LEAF

LEAST_WEIGHT = 1e-9
"""What stands for a weight of 0, as a part of the largest."""
NAMES = ("ExplainableBoostingClassifier", "ExplainableBoostingRegressor")


class ExplainableBoosting(Family):
    """`ExplainableBoosting*`; in a class derived from one nothing is tuned."""

    def matches(self, model: Any) -> bool:
        return any(_is_machine(kind) for kind in type(model).__mro__)

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if not _is_machine(type(model)):
            return {}
        return {
            "learning_rate": FloatDistribution(0.01, 0.1, log=True),
            "min_samples_leaf": IntDistribution(2, LARGEST_LEAF, log=True),
        }

    def allowed_weights(self, weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.maximum(weights, LEAST_WEIGHT * weights.max()))

    def fit_arguments(self, model: Any, y: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        """Return `bags`: which rows it holds out, spread evenly over the classes or values; {} where it may choose."""
        n_real, size = len(y), model.validation_size or 0
        n_held_out = int(size if size >= 1 else size * n_real)
        if n_held_out == 0 or _is_old() or np.array_equal(rows, np.arange(n_real)):
            return {}
        sides = np.ones((rows.max() + 1, model.outer_bags), dtype=np.int8)
        rng = np.random.default_rng(model.random_state)
        for bag in range(model.outer_bags):
            order = np.lexsort((rng.random(n_real), y))
            places = (np.arange(n_held_out) + rng.random()) * n_real / n_held_out
            sides[order[places.astype(int)], bag] = -1
        return {"bags": sides[rows]}


def _is_machine(kind: type) -> bool:
    return kind.__module__.startswith("interpret.") and kind.__name__ in NAMES


def _is_old() -> bool:
    return tuple(map(int, version("interpret-core").split(".")[:2])) < (0, 7)
