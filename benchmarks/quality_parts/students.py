"""The students, and what every hand-made rival does with one: fits it, predicts, cross-validates."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search.problem.responses import stored_form
from quality_parts.data import Split

TREES = {"tree4": 4, "tree6": 6}
"""Depths of the trees of classification."""
STUDENTS = (*TREES, "lr", "gbm10")
VALUE_TREES = {"value_tree4": 4, "value_tree6": 6}
"""Depths of the trees of regression, the students where values are predicted."""
DEPTHS = TREES | VALUE_TREES
ROUNDS, LEAVES = 10, 8
FOLDS = 5


def student(name: str) -> Any:
    """Return a student by name."""
    if name in DEPTHS:
        return (DecisionTreeRegressor if name in VALUE_TREES else DecisionTreeClassifier)(max_depth=DEPTHS[name])
    if name == "lr":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=ROUNDS, num_leaves=LEAVES, verbose=-1, n_jobs=1)


def students_of(split: Split) -> tuple[str, ...]:
    """Return the names of the students of a set."""
    return tuple(VALUE_TREES if split.classes is None else STUDENTS)


def seeded(model: Any, seed: int) -> Any:
    """Return a clone whose open seeds are `seed`."""
    names = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
    return clone(model).set_params(**dict.fromkeys(names, seed))


def folds(split: Split, seed: int, n_splits: int = FOLDS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return shuffled folds of the training rows, by class and, where there are groups, by group."""
    kinds = (KFold, GroupKFold) if split.classes is None else (StratifiedKFold, StratifiedGroupKFold)
    kind = kinds[split.groups is not None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(kind(n_splits, shuffle=True, random_state=seed).split(split.X, split.y, split.groups))


def out_of_fold(split: Split, seed: int, make: Callable[[Split], Any], n_splits: int = FOLDS) -> np.ndarray:
    """Return class probabilities (n_train, n_classes), or values (n_train, 1), each row's by the model that `make`
    fitted without its fold."""
    proba = np.zeros((len(split.y), 1 if split.classes is None else len(split.classes)))
    for train, test in folds(split, seed, n_splits):
        proba[test] = stored_form(make(split.take(train)), split.X[test], split.classes)
    return proba
