"""Teach: the only place where models are fitted, for scoring and for use alike."""

from __future__ import annotations

import hashlib
import pickle
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from multihop_search.engine.lesson import Lesson, rows_of
from multihop_search.engine.memo import MEMO, frozen
from multihop_search.models.fitting import JOBS, Prepare, fit, fit_transformers, settle, through
from multihop_search.problem.problem import Fold, Problem
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import SyntheticSet
from multihop_search.trees import TreeFit


def teach(
    problem: Problem,
    fold: Fold,
    part: int,
    positions: np.ndarray,
    estimator: Any,
    name: str,
    lesson: Lesson | None,
    key: str,
    most_features: int | None = None,
    tree_fit: TreeFit | None = None,
) -> Any:
    """Return `estimator` fitted on some of the training rows of a fold: plain, or by a lesson.

    Parameters
    ----------
    problem, fold
        The data.
    part : int
        Inner part that is left out; -1: none.
    positions : ndarray of shape (n_rows,)
        Positions, among the fold's training rows, of those to fit on.
    estimator : estimator
        Never changed.
    name, key : str
        What the model is called, and what it is fitted for.
    lesson : Lesson or None
        What it is taught.
    most_features : int or None
        Most features that it may read.
    tree_fit : TreeFit or None
        How a tree is fitted; None: by its class.
    """
    head = ("transformers", fold.number, part)
    model, before = settle(
        estimator, name, problem.random_state, fold.number, key, part, head=head, jobs=problem.threads
    )
    rows = fold.train[positions]
    with thread_limit(problem.threads):
        fitted = fit(
            model,
            problem.rows(rows),
            problem.y[rows],
            problem.classes,
            transfer=None if lesson is None else lesson.transfer_set(problem, fold, positions),
            sample_weight=problem.weights(rows),
            prepare=_kept(problem, fold, part),
            most_features=most_features,
            tree_fit=tree_fit,
        )
    if fold.number >= 0 or part >= 0:  # nobody gets this model, and it predicts on its hop's CPUs too
        before = {name: value for name, value in before.items() if name.rpartition("__")[2] not in JOBS}
    return fitted.set_params(**before) if before else fitted


def _kept(problem: Problem, fold: Fold, part: int) -> Prepare:
    """Return a `Prepare` that fits equal transformers once for each part of a fold: all paths share them (rule 27)."""

    def prepare(
        head: Pipeline, X: Any, target: np.ndarray, synthetic: SyntheticSet | None
    ) -> tuple[Pipeline, Any, Any]:
        try:
            name = hashlib.blake2b(pickle.dumps(head)).hexdigest()
        except (pickle.PicklingError, AttributeError, TypeError):  # a lambda, for instance: then nothing is shared
            return fit_transformers(head, X, target, synthetic)

        def fitted() -> tuple[Pipeline, Any]:
            made, transformed, _ = fit_transformers(head, X, target, None)
            return made, frozen(transformed)

        key = (problem.token, fold.number, part, name)
        made, transformed = MEMO.get((*key, "transformers"), fitted)
        beside = None
        if synthetic is not None:
            assert synthetic.place is not None
            generator, rows = synthetic.place
            pool = MEMO.get((*key, generator), lambda: through(made.steps, rows_of(problem, fold, generator).X))
            beside = _safe_indexing(pool, rows)
        return (deepcopy(made) if fold.number < 0 else made), transformed, beside  # what the user gets shares nothing

    return prepare
