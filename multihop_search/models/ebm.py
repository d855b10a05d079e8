"""Explainable boosting machines (`interpret`): what their fit asks for. Not imported, its classes are known by name.

They stop early by rows that they hold out themselves: copies of one row must lie on one side, and a row without a true
label cannot judge, so where rows are repeated or synthetic the bags are given to them (not before interpret 0.7, which
laid them out in another way). And they refuse weights of 0.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

LEAST_WEIGHT = 1e-9
"""What stands for a weight of 0, as a part of the largest."""


def is_machine(model: Any) -> bool:
    """Return whether `model` is an explainable boosting machine."""
    kind = type(model)
    return kind.__module__.startswith("interpret.") and kind.__name__.startswith("ExplainableBoosting")


def positive(model: Any, weights: np.ndarray) -> np.ndarray:
    """Return weights (n_rows,) as the fit of `model` takes them."""
    return np.maximum(weights, LEAST_WEIGHT * weights.max()) if is_machine(model) else weights


def bags_argument(model: Any, y: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the argument `bags` of the fit of `model`; nothing where the fit does without.

    Parameters
    ----------
    model : estimator
        Settled: its seed is an integer.
    y : ndarray of shape (n_real,)
        True class codes, or values: held-out rows are spread evenly over them.
    rows : ndarray of shape (n_fitted,)
        Number of the row that each fitted one is, or is a copy of; `n_real` or more: synthetic.
    """
    n_real, size = len(y), (model.validation_size or 0) if is_machine(model) else 0
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


def _is_old() -> bool:
    return tuple(map(int, version("interpret-core").split(".")[:2])) < (0, 7)
