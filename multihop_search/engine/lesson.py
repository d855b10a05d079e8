"""The lesson: what an upper model teaches a lower one in one fold, with the rows that have no true label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.engine.memo import MEMO
from multihop_search.keys import generator
from multihop_search.problem.problem import Fold, Problem
from multihop_search.transfer.schemes import ModelCompression, Scheme
from multihop_search.transfer.schemes.model_compression import MOST_ROWS
from multihop_search.transfer.synthetic import GENERATORS, SyntheticRows
from multihop_search.transfer.transfer_set import SyntheticSet, TeacherOutputs, TransferSet


@dataclass(frozen=True)
class Lesson:
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
        made = SyntheticSet(rows, labels, place[pool.parent[chosen]], place=(name, chosen))
        return replace(self.scheme.transfer_set(outputs, y), synthetic=made)


def added_rows(pool: SyntheticRows, n_train: int, multiple: int, positions: np.ndarray) -> np.ndarray:
    """Return which rows of a fold's pool a hop adds: the first `multiple` rounds, of the parents in `positions`."""
    n_rows = min(multiple * n_train, len(pool.parent))
    if len(positions) == n_train:
        return np.arange(n_rows)
    present = np.zeros(n_train, dtype=bool)
    present[positions] = True
    return np.flatnonzero(present[pool.parent[:n_rows]])


def synthetic_rows(problem: Problem, fold: Fold) -> Mapping[str, SyntheticRows]:
    """Return the fold's rows without a true label, by generator: what an upper model labels."""
    return {name: rows_of(problem, fold, name) for name in problem.synthetic}


def rows_of(problem: Problem, fold: Fold, name: str) -> SyntheticRows:
    """Return the fold's rows of one generator: as many as any hop may ask for, parents first.

    A row of the user's own has no parent; one is drawn for it, so that it belongs to an inner part too.
    """
    if name in GENERATORS:
        n_rows = min(problem.synthetic[name] * len(fold.train), MOST_ROWS)
        return MEMO.get((problem.token, name, fold.number), partial(_generated, problem, fold, name, n_rows))
    order, parent = unlabeled_numbers(problem, fold, name)
    return SyntheticRows(safe_indexing(problem.unlabeled, order), parent)


def unlabeled_numbers(problem: Problem, fold: Fold, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the user's rows without a label are used in a fold, and the parent of each, (n_rows,)."""
    n_train, n_unlabeled = len(fold.train), np.shape(problem.unlabeled)[0]
    n_rows = min(problem.synthetic[name] * n_train, MOST_ROWS, n_unlabeled)
    rng = generator(problem.random_state, name, fold.number)
    order = rng.permutation(n_unlabeled)[:n_rows]  # a table may be sorted
    return order, rng.integers(n_train, size=n_rows)


def _generated(problem: Problem, fold: Fold, name: str, n_rows: int) -> SyntheticRows:
    def rng_of_round(turn: int) -> np.random.Generator:
        return generator(problem.random_state, name, fold.number, turn)

    return GENERATORS[name](problem.rows(fold.train), n_rows, rng_of_round)
