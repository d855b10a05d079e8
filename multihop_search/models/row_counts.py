"""Parameters that count rows, such as `min_samples_leaf`: what they become where rows are copies or synthetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from multihop_search.models.registry import family_of


def beside_synthetic_rows(model: Any, n_real: int, n_joined: int) -> dict[str, Any]:
    """Return parameters that grow with synthetic rows, so that a leaf holds as large a share; early stopping is off."""
    if n_joined == n_real:
        return {}
    params, family = model.get_params(deep=False), family_of(model)
    grown = {
        name: math.ceil(params[name] * n_joined / n_real)
        for name, least in family.row_counts.items()
        if _is_count(params.get(name), least)
    }
    return grown | family.without_early_stopping(model)


def of_copies(model: Any, n_rows: int, n_repeated: int, *, even: bool) -> dict[str, Any]:
    """Return parameters under which repeated rows mean what `n_rows` real ones would.

    Where leaves can be bounded by weight (trees, forests) and rows weigh the same (`even`), `min_samples_leaf` becomes
    a share of the total weight; elsewhere it grows with the mean number of copies, which is right on average only.
    Early stopping would put copies of one row into both of its parts: it is off.
    """
    params, family = model.get_params(deep=False), family_of(model)
    counts = {name: _as_count(params.get(name), n_rows) for name in family.row_counts}
    grown: dict[str, Any] = {
        name: max(least, round(counts[name] * n_repeated / n_rows))
        for name, least in family.row_counts.items()
        if counts[name] > max(least, 1)
    }
    leaf = counts.get("min_samples_leaf", 0)
    if leaf > n_rows / 2:
        grown["min_samples_leaf"] = n_repeated  # no split can leave as many rows on both sides
    elif leaf > 1 and even and "min_weight_fraction_leaf" in params:
        share = max(leaf / n_rows * (1 - 1e-9), params["min_weight_fraction_leaf"])
        grown |= {"min_samples_leaf": 1, "min_weight_fraction_leaf": share}
    return grown | family.without_early_stopping(model)


def _is_count(size: Any, least: int) -> bool:
    return isinstance(size, (int, np.integer)) and not isinstance(size, bool) and int(size) > least


def _as_count(size: Any, n_rows: int) -> int:
    """Return a size given as a number of rows, or as a share of them, as a number; 0 if there is none."""
    if isinstance(size, (float, np.floating)):
        return math.ceil(size * n_rows)
    return int(size) if isinstance(size, (int, np.integer)) else 0
