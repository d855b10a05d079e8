"""XGBoost: members are rounds of trees. Never imported, its classes are known by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.compat.xgboost import first_rounds, n_rounds
from multihop_search.models.base import Family, aligned, is_of_library, qualified_name
from multihop_search.problem.responses import stored_form

EXACT = ("xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRegressor")


class XGBoost(Family):
    """`XGB*`; neither a class derived from one, nor dart, nor a linear booster has members."""

    def matches(self, model: Any) -> bool:
        return is_of_library(model, "xgboost")

    def members(self, model: Any) -> int:
        has_trees = qualified_name(model) in EXACT and model.booster in (None, "gbtree")
        return int(model.get_num_boosting_rounds()) if has_trees else 0

    def first(self, model: Any, k: int) -> Any:
        return first_rounds(model, k)

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        predict = model.predict if classes is None else model.predict_proba
        whole = stored_form(model, X, classes)
        rounds = {k: (0, n_rounds(model, k)) for k in sizes}
        return whole, {k: aligned(predict(X, iteration_range=rounds[k]), model, classes) for k in sizes}

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if qualified_name(model) not in EXACT:
            return {}
        return {  # None is XGBoost's own default
            "learning_rate": CategoricalDistribution((None, 0.03, 0.1, 0.5)),
            "min_child_weight": CategoricalDistribution((None, 3.0, 10.0, 30.0)),
            "reg_lambda": CategoricalDistribution((None, 0.1, 10.0, 100.0)),
        }
