"""Bags: an explainable boosting machine (`interpret`) stops early by rows that it holds out itself.

Copies of one row must lie on one side, and a row without a true label cannot judge: so where rows are repeated or
synthetic its bags are given to it. `interpret` is not imported; its classes are known by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MACHINES = ("ExplainableBoostingClassifier", "ExplainableBoostingRegressor")


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
    is_machine = type(model).__name__ in MACHINES and type(model).__module__.partition(".")[0] == "interpret"
    n_real, size = len(y), (model.validation_size or 0) if is_machine else 0
    n_held_out = int(size if size >= 1 else size * n_real)
    if n_held_out == 0 or np.array_equal(rows, np.arange(n_real)):
        return {}
    sides = np.ones((rows.max() + 1, model.outer_bags), dtype=np.int8)
    rng = np.random.default_rng(model.random_state)
    for bag in range(model.outer_bags):
        order = np.lexsort((rng.random(n_real), y))
        places = (np.arange(n_held_out) + rng.random()) * n_real / n_held_out
        sides[order[places.astype(int)], bag] = -1
    return {"bags": sides[rows]}
