"""Defaults: the teachers and the pool of intermediates (selected rungs), for numbers or for real tables.

Where a table holds columns that are not numbers each model stands behind a preparation made from the dtypes.
"""

from __future__ import annotations

from typing import Any

from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search.paths.preparation import needs_preparation, preparation

FOREST, EXTRA_TREES, BOOSTING, VOTE = "forest", "extra-trees", "boosting", "vote"
PREFERRED = (VOTE, BOOSTING, FOREST)
"""Default teachers: the first that can fit the rows is taken (docs/decisions/0028)."""
MOST_BOOSTED = 10
"""Classes up to which a booster teaches: each needs trees of its own, so with more a forest teaches alone."""
TREES = 100
"""Trees of a forest that teaches."""


def teachers(*, regression: bool = False) -> dict[str, Any]:
    """Return the teachers that can be asked for by name, the vote of a forest and a booster last."""
    named: dict[str, Any] = {
        FOREST: RandomForestClassifier(n_estimators=TREES),
        EXTRA_TREES: ExtraTreesClassifier(n_estimators=TREES, bootstrap=True),
        BOOSTING: HistGradientBoostingClassifier(max_iter=30, learning_rate=1 / 6, max_leaf_nodes=15),
    }
    if regression:
        named = {
            FOREST: RandomForestRegressor(n_estimators=TREES, min_samples_leaf=2),
            BOOSTING: HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=15),
        }
    members = [(name, _asking(named[name])) for name in (FOREST, BOOSTING)]
    return {**named, VOTE: VotingRegressor(members) if regression else VotingClassifier(members, voting="soft")}


def _asking(model: Any) -> Any:
    """Return a member of a vote that takes weights while metadata is routed too."""
    return clone(model).set_fit_request(sample_weight=True) if get_config()["enable_metadata_routing"] else model


def default_teachers(X: Any, n_outputs: int, *, gaps: bool = False) -> dict[str, Any]:
    """Return the teachers of `teacher="auto"` by name, the first that can fit the rows is taken; one output: values.

    A forest and a booster err in different ways: their mean teaches better than either, and costs hardly more than a
    larger forest.

    `gaps`: a column has no value in some fit. A booster cannot bin it, so the median, or 0, is filled in before it.
    """
    named = teachers(regression=n_outputs == 1)
    prepared = {name: behind_preparation(model, X) for name, model in named.items()}
    if gaps and not needs_preparation(X):
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        prepared |= {name: make_pipeline(clone(filled), named[name]) for name in (BOOSTING, VOTE)}
    return {name: prepared[name] for name in (PREFERRED if n_outputs <= MOST_BOOSTED else (FOREST, BOOSTING))}


def behind_preparation(model: Any, X: Any, *, scaled: bool = False) -> Any:
    """Return `model`, in a Pipeline that turns the columns of `X` into numbers where they are none."""
    return make_pipeline(preparation(X, scaled=scaled), model) if needs_preparation(X) else model


def default_intermediates(X: Any, n_outputs: int) -> dict[str, Any]:
    """Return the intermediates that `intermediates="auto"` selects from; any order.

    Forests of 30 trees or more are cross-fitted by their out-of-bag rows, at the price of one fit. There is no booster
    among them: under sample weights scikit-learn sorts a column anew for each bin edge (docs/decisions/0007).
    """
    regression = n_outputs == 1
    forest, tree = (
        (RandomForestRegressor, DecisionTreeRegressor)
        if regression
        else (RandomForestClassifier, DecisionTreeClassifier)
    )
    pool: dict[str, Any] = {
        "forest(30)": forest(n_estimators=30, min_samples_leaf=3),
        "tree(12)": tree(max_depth=12, min_samples_leaf=5),
        "tree(8)": tree(max_depth=8, min_samples_leaf=5),
    }
    models = {name: behind_preparation(model, X) for name, model in pool.items()}
    linear: Any = Ridge() if regression else LogisticRegression(max_iter=300, tol=1e-3)
    if needs_preparation(X):
        return models | {"linear": behind_preparation(linear, X, scaled=True)}
    return models | {"linear": make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), linear)}
