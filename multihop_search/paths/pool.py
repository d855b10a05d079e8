"""Defaults: the teachers to pick from and the pool of intermediates (selected rungs)."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

MANY_CLASSES = 10
"""Above this number of classes boosters, which fit a tree per class and round, leave the defaults."""


def teachers() -> dict[str, Any]:
    """Return the teachers that can be asked for by name."""
    return {
        "forest": RandomForestClassifier(n_estimators=300),
        "boosting": HistGradientBoostingClassifier(max_iter=100),
    }


def default_teachers(n_classes: int) -> dict[str, Any]:
    """Return the teachers that `teacher="auto"` compares by cross-validation."""
    return {name: model for name, model in teachers().items() if name != "boosting" or n_classes <= MANY_CLASSES}


def default_intermediates(n_classes: int) -> list[tuple[str, Any]]:
    """Return the intermediates that `intermediates="auto"` selects from; any order.

    Forests of 30 trees or more are cross-fitted by their out-of-bag rows, at the price of one fit.
    """
    pool: list[tuple[str, Any]] = [
        ("forest(30)", RandomForestClassifier(n_estimators=30, min_samples_leaf=3)),
        ("tree(12)", DecisionTreeClassifier(max_depth=12, min_samples_leaf=5)),
        ("tree(8)", DecisionTreeClassifier(max_depth=8, min_samples_leaf=5)),
        (
            "logistic",
            make_pipeline(
                SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3)
            ),
        ),
    ]
    if n_classes <= MANY_CLASSES:
        # Few bins: under sample weights scikit-learn finds each bin edge in a call of its own (0.1 ms).
        booster = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=15, learning_rate=0.2, max_bins=32)
        pool.append(("boosting(20)", booster))
    return pool
