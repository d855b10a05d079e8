"""Out-of-bag predictions of a forest: each row is judged by the trees that did not see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_array

from multihop_search.problem.problem import Problem


class Votes:
    """Predictions of a forest's trees, each only for the rows whose parent it did not see."""

    def __init__(self, X: Any, parent: np.ndarray, problem: Problem, forest: Any, base: np.ndarray) -> None:
        self._X = check_array(X, dtype=np.float32, ensure_all_finite=False, ensure_min_samples=0)
        self._parent, self._base = parent, base
        self._n_outputs = problem.n_outputs
        self._columns = np.arange(1)
        if problem.classes is not None:
            self._columns = np.asarray(np.searchsorted(problem.classes, forest.classes_))
        self._totals = np.zeros((len(parent), len(self._columns)))
        self._counts = np.zeros(len(parent))

    def count(self, predict: Callable[[np.ndarray], np.ndarray], unseen: np.ndarray) -> None:
        mine = np.flatnonzero(unseen[self._parent])  # numbers: twice as fast as a mask
        if len(mine):
            self._totals[mine] += predict(self._X.take(mine, axis=0))
            self._counts[mine] += 1

    def average(self) -> np.ndarray:
        averages = np.zeros((len(self._counts), self._n_outputs))
        nobody = (self._counts == 0)[:, None]
        averages[:, self._columns] = (self._totals + self._base * nobody) / np.maximum(self._counts, 1)[:, None]
        return averages


def shares_or_mean(problem: Problem, train: np.ndarray, forest: Any) -> np.ndarray:
    """Return what is said of a row that every tree has seen: the shares of the classes, or the mean."""
    y, weights = problem.y[train], problem.weights(train)
    if problem.classes is None:
        return np.array([np.average(y, weights=weights)])
    totals = np.bincount(y, weights=weights, minlength=problem.n_outputs)
    shares = totals / totals.sum()
    return np.asarray(shares[np.searchsorted(problem.classes, forest.classes_)])
