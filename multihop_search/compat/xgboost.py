"""Private names of XGBoost, which is never imported."""

from __future__ import annotations

import copy
from typing import Any


def first_rounds(model: Any, k: int) -> Any:
    """Return a fitted model of the first `k` rounds, or all if there are fewer: `_Booster` is what `predict` asks."""
    short = copy.copy(model)
    short.n_estimators = k
    short._Booster = model.get_booster()[: n_rounds(model, k)]
    return short


def n_rounds(model: Any, k: int) -> int:
    """Return `k`, or the number of rounds of a fitted model if that is smaller."""
    return min(k, int(model.get_booster().num_boosted_rounds()))
