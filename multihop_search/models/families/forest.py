"""Forests of scikit-learn: members are trees, stage k is the mean of the first k."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.utils import check_array

from multihop_search.models.base import Family, Route, aligned
from multihop_search.models.families.tree import CRITERION, LEAF_SIZE, mean_of_trees, twin_route
from multihop_search.models.formula import Feature, Scores

CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier)
REGRESSORS = (RandomForestRegressor, ExtraTreesRegressor)


class Forest(Family):
    """`RandomForest*` and `ExtraTrees*`; a class derived from one may draw or order its rows in its own way."""

    is_graded_alone = False  # they are cross-fitted out of bag; stages of few trees would be fits of their own
    has_formula = True

    def matches(self, model: Any) -> bool:
        return isinstance(model, (*CLASSIFIERS, *REGRESSORS))

    def members(self, model: Any) -> int:
        return int(model.n_estimators) if type(model) in (*CLASSIFIERS, *REGRESSORS) else 0

    def first(self, model: Any, k: int) -> Any:
        short = copy.copy(model)
        short.n_estimators, short.estimators_ = k, model.estimators_[:k]
        return short

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        if not sizes or not self.members(model):
            return super().staged(model, X, classes, sizes, probes)
        rows = check_array(X, accept_sparse="csr", dtype=np.float32, ensure_all_finite=False)
        n_outputs = 1 if classes is None else len(model.classes_)
        total = np.zeros((len(rows), n_outputs))
        stages: dict[int, np.ndarray] = {}
        for k, tree in enumerate(model.estimators_, start=1):
            total += tree.tree_.predict(rows).reshape(-1, n_outputs)
            if k in sizes:
                stages[k] = aligned(total / k, model, classes)
        return aligned(total / len(model.estimators_), model, classes), stages

    def has_bags(self, model: Any) -> bool:
        return bool(self.members(model) and model.bootstrap)

    def bags(self, model: Any) -> Iterator[tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]]:
        for member, rows in zip(model.estimators_, model.estimators_samples_, strict=True):
            yield _predictions(member.tree_), rows

    def with_members(self, model: Any, k: int) -> Any:
        return clone(model).set_params(n_estimators=k)

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if type(model) in CLASSIFIERS:
            return {"criterion": CRITERION, "min_samples_leaf": LEAF_SIZE}
        return {"min_samples_leaf": LEAF_SIZE} if type(model) in REGRESSORS else {}

    def planned_trees(self, model: Any, n_outputs: int) -> int:
        return int(model.n_estimators)

    def soft_labels(self, model: Any, n_classes: int, n_present: int) -> Route | None:
        return twin_route(model, n_classes)

    def formula(self, model: Any, features: Sequence[Feature]) -> Scores:
        return mean_of_trees([member.tree_ for member in model.estimators_], features)


def _predictions(tree: Any) -> Callable[[np.ndarray], np.ndarray]:
    def predictions(rows: np.ndarray) -> np.ndarray:
        return np.asarray(tree.predict(rows).reshape(len(rows), -1))

    return predictions
