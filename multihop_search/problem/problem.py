"""The problem: rows, target, folds and score, made once per search and shared with every worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.problem.responses import no_skill
from multihop_search.problem.scoring import Scoring


class Role(Enum):
    """What a fold is for."""

    OUTER = "outer"
    """Its held-out rows score the trials."""
    PAIR = "pair"
    """It leaves out what two outer folds hold out, for the searches that are run again without one of them."""
    WHOLE = "whole"
    """All rows: the chosen path is fitted on them for use."""
    SEARCHED = "searched"
    """The rows that are searched, where those are not all; it holds out those that judge."""

    @property
    def is_final(self) -> bool:
        """Whether models fitted on its training rows are used outside the search, and not only scored by it."""
        return self in (Role.WHOLE, Role.SEARCHED)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Rows to fit on and rows to predict, with the inner partition by which every hop in it is cross-fitted."""

    number: int
    """Names the fold within its problem; seeds hang on it. Outer folds are counted from 0 on."""
    role: Role
    train: np.ndarray
    """Row numbers that models of this fold are fitted on, (n_train,)."""
    test: np.ndarray
    """Row numbers that judge them, (n_test,); empty where all rows are fitted."""
    inner: tuple[np.ndarray, ...] = ()
    """Partition of range(n_train): each part is predicted by models fitted on the others. Empty: in-sample."""

    def fitted_rows(self) -> Iterator[np.ndarray]:
        """Yield the row numbers of every fit in this fold: all training rows, and those without each inner part."""
        yield self.train
        for part in self.inner:
            yield np.delete(self.train, part)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Data, folds, score and seed of one search; nothing in it changes while the search runs."""

    X: Any
    """(n_rows, n_features), array or DataFrame, as the user gave it, without rows of weight 0."""
    y: np.ndarray
    """Class codes, 0 to n_classes - 1, or in regression the user's target, (n_rows,)."""
    classes: np.ndarray | None
    """The user's labels, sorted; `classes[y]` is the user's target. None in regression."""
    sample_weight: np.ndarray | None
    """Of mean 1 over the rows given, or over those searched where these are fewer; all positive, (n_rows,)."""
    groups: np.ndarray | None
    folds: tuple[Fold, ...]
    whole: Fold
    """All rows as one fold without held-out rows: where the chosen path is fitted for use."""
    scoring: Scoring
    random_state: int
    synthetic: Mapping[str, int] = field(default_factory=dict)
    """Most rows without a true label, per training row, that a hop may ask for, by generator."""
    unlabeled: Any = None
    """Rows of the user's own without a label, (n_unlabeled, n_features), or None."""
    threads: int = 1
    """Threads of each fit and prediction: the CPUs of its hop."""
    token: str = ""
    """Names this problem among others in one process: what is kept there between hops belongs to one token."""
    sample: Fold | None = None
    """Where not all rows are searched: those that are, and as held-out rows those that judge, if any do."""
    choosing: np.ndarray = field(default_factory=lambda: np.arange(0))
    """Row numbers outside the search that choose among what is picked of each number of hops, ascending; none, unless
    rows are so many that they are as many as those searched and as many judge besides."""
    pairs: Mapping[tuple[int, int], Fold] = field(default_factory=dict)
    """Folds of a nested search by the two outer folds without whose held-out rows they train; both are predicted."""
    given: np.ndarray | None = None
    """Which of the rows given to `fit` are in the problem, (n_given,) of bool: those of weight 0 are not; None: all."""

    @property
    def n_rows(self) -> int:
        return len(self.y)

    @property
    def n_given(self) -> int:
        """Rows given to `fit`, those of weight 0 too."""
        return self.n_rows if self.given is None else len(self.given)

    @property
    def n_outputs(self) -> int:
        """Columns of a model's predictions: the number of classes, 1 in regression."""
        return 1 if self.classes is None else len(self.classes)

    @property
    def stored(self) -> type[np.floating]:
        """Type in which predictions are kept and passed on.

        Probabilities lie between 0 and 1. A target may lie anywhere, far from 0 for its spread: single precision would
        move it.
        """
        return np.float64 if self.classes is None else np.float32

    @property
    def searched(self) -> Fold:
        """All rows that the search may look at, and as held-out rows those outside it that judge."""
        return self.whole if self.sample is None else self.sample

    def fold(self, number: int) -> Fold:
        """Return a fold by its number."""
        every_fold = (*self.folds, self.whole, self.searched, *self.pairs.values())
        return next(fold for fold in every_fold if fold.number == number)

    def rows(self, rows: np.ndarray) -> Any:
        """Return the features of `rows`."""
        return safe_indexing(self.X, rows)

    def given_numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return which of the rows given to `fit` the `rows` of this problem are."""
        return rows if self.given is None else np.flatnonzero(self.given)[rows]

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the sample weights of `rows`, or None where none were given."""
        return None if self.sample_weight is None else self.sample_weight[rows]


def guesses_on(problem: Problem, train: np.ndarray, n_rows: int) -> np.ndarray:
    """Return what a model without skill that is fitted on the rows `train` says of `n_rows` rows."""
    n_classes = None if problem.classes is None else len(problem.classes)
    return no_skill(problem.y[train], problem.weights(train), n_classes, n_rows).astype(problem.stored)


def undefined_folds(problem: Problem) -> int:
    """Return on how many outer folds the score cannot be taken, whatever is predicted."""
    tests = [fold.test for fold in problem.folds]
    return sum(not problem.scoring.defined_on(problem.y[rows], problem.weights(rows)) for rows in tests)
