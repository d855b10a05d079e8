"""The scale of values to be fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from multihop_search.compat.sklearn import Tree, nodes_of, tree_of


@dataclass(frozen=True)
class Scale:
    """Mean and spread of values to be fitted: what is least and what is rounding must not hang on their unit."""

    mean: float
    spread: float
    """Positive."""

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray) -> Scale:
        """Return the scale of values (n_rows, 1)."""
        mean = float(np.average(values[:, 0], weights=weights))
        centred = values[:, 0] - mean
        largest = float(np.abs(centred).max()) or 1.0  # its square may be beyond what a number can hold
        spread = largest * math.sqrt(np.average((centred / largest) ** 2, weights=weights))
        return cls(mean, spread or 1.0)

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Return values of mean 0 and spread 1."""
        return np.asarray((values - self.mean) / self.spread)

    def restored(self, tree: Tree) -> Tree:
        """Return a tree that was fitted to standardised values in the unit of the values."""
        nodes = nodes_of(tree)
        nodes["impurity"] *= self.spread**2
        return tree_of(tree.n_features, nodes, self.mean + self.spread * tree.value[:, 0], tree.max_depth)
