"""Synthetic rows: the rows of a fold that have no true label, generated or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.engine.memo import MEMO
from multihop_search.keys import rng_of
from multihop_search.problem.problem import Fold, Problem
from multihop_search.transfer.schemes.model_compression import MOST_ROWS
from multihop_search.transfer.synthetic import GENERATORS, SyntheticRows


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
    rng = rng_of(problem.random_state, name, fold.number)
    order = rng.permutation(n_unlabeled)[:n_rows]  # a table may be sorted
    return order, rng.integers(n_train, size=n_rows)


def _generated(problem: Problem, fold: Fold, name: str, n_rows: int) -> SyntheticRows:
    def rng_of_round(turn: int) -> np.random.Generator:
        return rng_of(problem.random_state, name, fold.number, turn)

    return GENERATORS[name](problem.rows(fold.train), n_rows, rng_of_round)
