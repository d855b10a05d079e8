"""The two boosters of scikit-learn: histogram and gradient boosting; members are rounds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from sklearn.base import is_classifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from multihop_search.compat.sklearn import bits_of, encoder_of, first_rounds, round_trees, start_of
from multihop_search.models.base import LEAST_IMPORTANCE, Family, aligned, trees_a_round
from multihop_search.models.families.tree import LEAF_SIZE
from multihop_search.models.formula import (
    Feature,
    Leaf,
    Number,
    Scores,
    Split,
    Tree,
    check_levels,
    split_of_categories,
    split_of_numbers,
)

HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
GRADIENT = (GradientBoostingClassifier, GradientBoostingRegressor)
FEW_ROUNDS = 30
"""A booster of so few rounds must take larger steps."""
RATE = FloatDistribution(0.02, 0.5, log=True)
LARGE_RATE = FloatDistribution(0.1, 1.0, log=True)


def learning_rate(n_rounds: int) -> FloatDistribution:
    """Return the distribution that the learning rate of a booster is tuned over."""
    return LARGE_RATE if n_rounds <= FEW_ROUNDS else RATE


class _Booster(Family):
    """What both have; a class derived from one is read like it, and has no members and nothing tuned."""

    kinds: tuple[type, ...]

    def matches(self, model: Any) -> bool:
        return isinstance(model, self.kinds)

    def rounds(self, model: Any) -> int:
        raise NotImplementedError

    def members(self, model: Any) -> int:
        return self.rounds(model) if type(model) in self.kinds else 0

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        if not sizes or not self.members(model):
            return super().staged(model, X, classes, sizes, probes)
        stages: dict[int, np.ndarray] = {}
        latest = np.zeros(0)
        for k, latest in enumerate(model.staged_predict(X) if classes is None else model.staged_predict_proba(X), 1):
            if k in sizes:
                stages[k] = aligned(latest, model, classes)
        whole = aligned(latest, model, classes)
        return whole, {k: stages.get(k, whole) for k in sizes}

    def planned_trees(self, model: Any, n_outputs: int) -> int:
        return self.rounds(model) * trees_a_round(n_outputs)


class HistogramBoosting(_Booster):
    """`HistGradientBoosting*`."""

    kinds = HISTOGRAM
    has_formula = True

    def rounds(self, model: Any) -> int:
        return int(model.max_iter)

    def first(self, model: Any, k: int) -> Any:
        return first_rounds(model, k)

    def trees(self, model: Any) -> list[Any]:
        return [tree for members in round_trees(model) for tree in members]

    def nodes(self, model: Any) -> int:
        return int(sum(len(tree.nodes) for tree in self.trees(model)))

    def importances(self, model: Any) -> np.ndarray | None:
        total = np.zeros(model.n_features_in_)
        for tree in self.trees(model):
            inner = tree.nodes[tree.nodes["is_leaf"] == 0]
            np.add.at(total, inner["feature_idx"], np.maximum(inner["gain"], LEAST_IMPORTANCE))
        is_category = getattr(model, "is_categorical_", None)
        if encoder_of(model) is None or is_category is None:
            return total
        original = np.zeros_like(total)  # the encoder puts categories first
        original[np.r_[np.flatnonzero(is_category), np.flatnonzero(~is_category)]] = total
        return original

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if type(model) not in HISTOGRAM:
            return {}
        return {
            "learning_rate": learning_rate(model.max_iter),
            "min_samples_leaf": IntDistribution(5, 100, log=True),
        }

    def encoder(self, model: Any) -> Any:
        return encoder_of(model)

    def formula(self, model: Any, features: Sequence[Feature]) -> Scores:
        trees = tuple(
            Tree(_tree_of_formula(tree, features), first)
            for members in round_trees(model)
            for first, tree in enumerate(members)
        )
        start = tuple(start_of(model).tolist())
        link = "exp" if model.loss in ("poisson", "gamma") else "identity"
        if is_classifier(model):
            link = "logistic" if len(start) == 1 else "softmax"
        return Scores(link, start, trees)


class GradientBoosting(_Booster):
    """`GradientBoosting*`."""

    kinds = GRADIENT

    def rounds(self, model: Any) -> int:
        return int(model.n_estimators)

    def first(self, model: Any, k: int) -> Any:
        short = copy.copy(model)
        short.n_estimators, short.estimators_ = k, model.estimators_[:k]
        short.n_estimators_ = len(short.estimators_)
        return short

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        if type(model) not in GRADIENT:
            return {}
        return {"learning_rate": learning_rate(model.n_estimators), "min_samples_leaf": LEAF_SIZE}

    def without_early_stopping(self, model: Any) -> dict[str, Any]:
        return {} if model.n_iter_no_change is None else {"n_iter_no_change": None}


def _tree_of_formula(tree: Any, features: Sequence[Feature]) -> Split | Leaf:
    """Read a tree of a histogram booster; it compares in double precision, and categories by bits."""
    nodes, numbers = tree.nodes, count(1)
    check_levels(int(nodes["depth"].max()))

    def read(place: int) -> Split | Leaf:
        node = nodes[place]
        if node["is_leaf"]:
            return Leaf((float(node["value"]),), float(node["count"] / nodes["count"][0]), next(numbers))
        feature, bound = features[node["feature_idx"]], float(node["num_threshold"])
        missing_left, sides = bool(node["missing_go_to_left"]), (int(node["left"]), int(node["right"]))
        if isinstance(feature, Number):
            return split_of_numbers(feature, bound, missing_left, read, sides)
        bits = bits_of(tree, node) if node["is_categorical"] else None

        def goes_left(number: float) -> bool:
            return number <= bound if bits is None else bool(int(bits[int(number) // 32]) >> (int(number) % 32) & 1)

        return split_of_categories(feature, goes_left, missing_left, read, sides)

    return read(0)
