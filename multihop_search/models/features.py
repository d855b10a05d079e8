"""Features: which of them a fitted model reads, how much it draws from each, and a fit that reads only some."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from multihop_search.models.registry import family_of
from multihop_search.models.steps import thawed


def feature_importances(model: Any) -> np.ndarray | None:
    """Return how much a fitted model draws from each feature, (n_features,), 0 for those it does not read.

    Impurity decrease (trees and forests), gain (histogram boosters), largest absolute coefficient (linear models: it
    ranks features of one scale); None for other models.
    """
    model = thawed(model)
    return family_of(model).importances(model)


def count_features(model: Any) -> int:
    """Return the number of features that a fitted model reads; in a Pipeline those that its last step reads."""
    if isinstance(model, Pipeline):
        return count_features(model.steps[-1][1])
    importances = feature_importances(model)
    if importances is not None:
        return int(np.count_nonzero(importances))
    return int(getattr(model, "n_features_in_", 0))


def strongest(model: Any, X: Any, most: int) -> np.ndarray | None:
    """Return which features, (n_features,) of bool, to keep so that at most `most` are read; None if no more are.

    A linear model's coefficients are ranked on the scale of the columns' standard deviations.
    """
    importances = feature_importances(model)
    if importances is None or np.count_nonzero(importances) <= most:
        return None
    if family_of(model).has_scaled_importances(model):
        importances = importances * _spread(X)
    keep = np.zeros(len(importances), dtype=bool)
    keep[np.argsort(-importances, kind="stable")[:most]] = True
    return keep


def _spread(X: Any) -> np.ndarray:
    if hasattr(X, "tocsr"):
        squares = np.asarray(X.multiply(X).mean(axis=0)).ravel()
        return np.asarray(np.sqrt(np.maximum(squares - np.asarray(X.mean(axis=0)).ravel() ** 2, 0.0)))
    return np.asarray(np.nan_to_num(np.nanstd(np.asarray(X, dtype=np.float64), axis=0)))


def silenced(model: Any, keep: np.ndarray) -> Any:
    """Return a model fitted on columns held constant with exact zeros for them; least squares leaves 1e-17."""
    return family_of(model).silenced(model, keep)


def with_only(X: Any, keep: np.ndarray) -> Any:
    """Return a copy of `X` in which every other column is constant, so that no model can draw on it."""
    if hasattr(X, "tocsr"):
        return X.multiply(keep.astype(X.dtype)).tocsr()
    if hasattr(X, "iloc"):
        constant = X.copy()
        for name in X.columns[~keep]:
            number = pd.api.types.is_numeric_dtype(X[name].dtype)
            constant[name] = X[name].dtype.type(0) if number else pd.Series([None] * len(X), X.index, X[name].dtype)
        return constant
    return np.where(keep, X, np.zeros((), dtype=np.asarray(X).dtype))
