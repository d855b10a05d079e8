"""Private names of LightGBM, which is never imported."""

from __future__ import annotations

import copy
from typing import Any


def first_rounds(model: Any, k: int) -> Any:
    """Return a fitted model of the first `k` rounds: `_Booster` is what its `predict` asks."""
    short, whole = copy.copy(model), model.booster_
    short.n_estimators = k
    short._Booster = type(whole)(model_str=whole.model_to_string(num_iteration=k))
    return short
