"""The fit: the only place where models are fitted, for scoring and for use alike."""

from __future__ import annotations

import hashlib
import pickle
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.engine.memo import MEMO, frozen
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.engine.synthetic_rows import rows_of
from multihop_search.models.fitting import USUAL, FitOptions, Prepare, fit, fit_transformers
from multihop_search.models.settle import job_parameters, settle
from multihop_search.models.steps import through
from multihop_search.models.training_set import TrainingSet
from multihop_search.problem.problem import Fold, Problem
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import SyntheticSet


@dataclass(frozen=True, kw_only=True)
class FitSpec:
    """One model that is to be fitted: which, for what, and how."""

    estimator: Any
    """Never changed."""
    name: str
    """What the model is called on the path."""
    key: str
    """What it is fitted for: seeds hang on it."""
    soft_labels: SoftLabels | None = None
    """What it is taught; None: the true labels."""
    options: FitOptions = USUAL


def fit_model(problem: Problem, fold: Fold, part: int | None, positions: np.ndarray, spec: FitSpec) -> Any:
    """Return a model fitted on some of the training rows of a fold.

    Parameters
    ----------
    problem, fold
        The data.
    part : int or None
        Inner part that is left out; None: none.
    positions : ndarray of shape (n_rows,)
        Positions, among the fold's training rows, of those to fit on.
    spec : FitSpec
        What is fitted, and how.
    """
    place = -1 if part is None else part  # seeds hang on it
    model, before = settle(
        spec.estimator,
        spec.name,
        problem.random_state,
        *(fold.number, spec.key, place),
        head=("transformers", fold.number, place),
        jobs=problem.threads,
    )
    rows = fold.train[positions]
    transfer = None if spec.soft_labels is None else spec.soft_labels.transfer_set(problem, fold, positions)
    training_set = TrainingSet(
        problem.rows(rows), problem.y[rows], problem.classes, sample_weight=problem.weights(rows), transfer=transfer
    )
    options = replace(spec.options, prepare=_shared(problem, fold, part), parts=_parts_of(fold, positions))
    with thread_limit(problem.threads):
        fitted = fit(model, training_set, options)
    if part is not None or not fold.role.is_final:  # nobody gets this model, and it predicts on its hop's CPUs too
        jobs = job_parameters(spec.estimator)
        before = {name: value for name, value in before.items() if name not in jobs}
    return fitted.set_params(**before) if before else fitted


def _parts_of(fold: Fold, positions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the inner parts of a fold among some of its training rows, each as positions among these."""
    parts = (np.flatnonzero(np.isin(positions, part)) for part in fold.inner)
    return tuple(part for part in parts if len(part))


def _shared(problem: Problem, fold: Fold, part: int | None) -> Prepare:
    """Return a `Prepare` that fits equal transformers once for each part of a fold: all paths share them."""

    def prepare(
        head: Pipeline, X: Any, target: np.ndarray, synthetic: SyntheticSet | None
    ) -> tuple[Pipeline, Any, Any]:
        try:
            name = hashlib.blake2b(pickle.dumps(head)).hexdigest()
        except (pickle.PicklingError, AttributeError, TypeError):  # a lambda, for instance: then nothing is shared
            return fit_transformers(head, X, target, synthetic)

        def fitted() -> tuple[Pipeline, Any]:
            transformers, transformed, _ = fit_transformers(head, X, target, None)
            return transformers, frozen(transformed)

        key = (problem.token, fold.number, part, name)
        transformers, transformed = MEMO.get((*key, "transformers"), fitted)
        beside = None
        if synthetic is not None:
            assert synthetic.place is not None
            generator, rows = synthetic.place
            pool = MEMO.get((*key, generator), lambda: through(transformers.steps, rows_of(problem, fold, generator).X))
            beside = safe_indexing(pool, rows)
        own = deepcopy(transformers) if fold.role.is_final else transformers  # what the user gets shares nothing
        return own, transformed, beside

    return prepare
