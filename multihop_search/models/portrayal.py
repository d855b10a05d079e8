"""Portrayal: what a fitted model shows of itself on a page and in text, as one of three values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np


@dataclass(frozen=True)
class OneTree:
    """A decision tree with one target: its splits are drawn."""

    tree: Any
    """`Tree` of scikit-learn."""


@dataclass(frozen=True)
class Coefficients:
    """A linear model: its coefficients are listed."""

    weights: np.ndarray
    """(n_outputs, n_features)."""
    intercept: Any = 0.0
    """One value, or one an output."""


@dataclass(frozen=True)
class Shares:
    """Any other model: what it draws from each feature is listed, where that is known."""

    importances: np.ndarray | None = None
    """(n_features,)."""
    n_trees: int = 0


Portrayal: TypeAlias = OneTree | Coefficients | Shares
