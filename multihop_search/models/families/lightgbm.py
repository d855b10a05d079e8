"""LightGBM: members are rounds. Never imported, its classes are known by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from multihop_search.compat.lightgbm import first_rounds
from multihop_search.models.base import Family, aligned, is_of_library, qualified_name
from multihop_search.models.families.boosting import learning_rate
from multihop_search.problem.responses import stored_form

EXACT = ("lightgbm.sklearn.LGBMClassifier", "lightgbm.sklearn.LGBMRegressor")


class LightGBM(Family):
    """`LGBM*`; neither a class derived from one nor dart, whose later rounds change earlier ones, has members."""

    takes_all_cores = True
    row_counts: ClassVar[Mapping[str, int]] = {**Family.row_counts, "min_child_samples": 0}

    def matches(self, model: Any) -> bool:
        return is_of_library(model, "lightgbm")

    def members(self, model: Any) -> int:
        return int(model.n_estimators) if qualified_name(model) in EXACT and model.boosting_type != "dart" else 0

    def first(self, model: Any, k: int) -> Any:
        return first_rounds(model, k)

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        predict = model.predict if classes is None else model.predict_proba
        whole = stored_form(model, X, classes)
        return whole, {k: aligned(predict(X, num_iteration=k), model, classes) for k in sizes}

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if qualified_name(model) not in EXACT:
            return {}
        return {
            "learning_rate": learning_rate(model.n_estimators),
            "min_child_samples": IntDistribution(5, 100, log=True),
            "reg_lambda": CategoricalDistribution((0.0, 0.1, 1.0, 10.0)),
        }
