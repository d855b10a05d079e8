"""Soft labels: what an upper model teaches a lower one in one fold, with the rows that have no true label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.engine.synthetic_rows import rows_of
from multihop_search.problem.problem import Fold, Problem
from multihop_search.transfer.schemes import ModelCompression, Scheme
from multihop_search.transfer.synthetic import SyntheticRows
from multihop_search.transfer.transfer_set import SyntheticSet, TeacherOutputs, TransferSet


@dataclass(frozen=True)
class SoftLabels:
    """What an upper model teaches a lower one in one fold."""

    scheme: Scheme
    compression: ModelCompression | None
    outputs: TeacherOutputs
    """Of the upper model, on all training rows of the fold."""

    def note(self, problem: Problem, fold: Fold) -> str:
        """Return what fell back in the transfer set of a whole fold, if anything did."""
        y, weight = problem.y[fold.train], problem.weights(fold.train)
        return self.scheme.transfer_set(self.outputs, y).finished(y, weight).note

    def transfer_set(self, problem: Problem, fold: Fold, positions: np.ndarray) -> TransferSet:
        """Return the transfer set of some of the training rows, and of the synthetic rows made from them."""
        y = problem.y[fold.train[positions]]
        if self.compression is None:
            return self.scheme.transfer_set(self.outputs.take(positions), y)
        name = str(self.compression.generator)
        pool = rows_of(problem, fold, name)
        chosen = added_rows(pool, len(fold.train), int(self.compression.multiple), positions)  # type: ignore[arg-type]
        outputs = self.outputs.take(positions, {name: chosen})
        place = np.zeros(len(fold.train), dtype=np.intp)
        place[positions] = np.arange(len(positions))
        rows = safe_indexing(pool.X, chosen)
        labels = self.scheme.label(outputs.synthetic[name])
        synthetic = SyntheticSet(rows, labels, place[pool.parent[chosen]], place=(name, chosen))
        return replace(self.scheme.transfer_set(outputs, y), synthetic=synthetic)


def added_rows(pool: SyntheticRows, n_train: int, multiple: int, positions: np.ndarray) -> np.ndarray:
    """Return which rows of a fold's pool a hop adds: the first `multiple` rounds, of the parents in `positions`."""
    n_rows = min(multiple * n_train, len(pool.parent))
    if len(positions) == n_train:
        return np.arange(n_rows)
    present = np.zeros(n_train, dtype=bool)
    present[positions] = True
    return np.flatnonzero(present[pool.parent[:n_rows]])
