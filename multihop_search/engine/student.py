"""The student of a path in one fold: fitted, and scored on the held-out rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from multihop_search.engine.crossfit import plain_outputs
from multihop_search.engine.fit import FitSpec, fit_model
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.keys import digest
from multihop_search.models.complexity import Size, latency_us, size_of
from multihop_search.models.fitting import FitOptions
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import Path, Truncate
from multihop_search.problem.problem import Problem, Role
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.trees import TreeFit


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a student did in one fold."""

    predictions: np.ndarray
    """Predictions on the held-out rows, (n_test, n_columns), as `Problem.stored`; see `problem.responses`."""
    score: float
    fit_seconds: float
    size: Size
    latency_us: float
    """Microseconds to predict one row; NaN except in the first fold, or where it is bounded in those of nested ones."""
    note: str = ""
    """What fell back in the student's transfer set, if anything did."""
    score_seconds: float = float("nan")
    """Seconds to predict the held-out rows and to score them."""
    upper_seconds: float = 0.0
    """Seconds of the models above, as if no other path shared them."""


def judge(problem: Problem, ladder: Ladder, number: int, path: Path, upper: TeacherOutputs | None = None) -> Outcome:
    """Fit the student of `path` on the training rows of fold `number` and score it on the held-out rows."""
    fold = problem.fold(number)
    with thread_limit(problem.threads):
        start = time.perf_counter()
        soft_labels = _soft_labels(problem, ladder, number, path, upper)
        model = _fitted(problem, ladder, number, path, soft_labels)
        seconds = time.perf_counter() - start
        X = problem.rows(fold.test)
        start = time.perf_counter()
        predictions = problem.scoring.table(model, X)
        predict_seconds = time.perf_counter() - start
        if not np.isfinite(predictions).all():
            what = "values" if problem.classes is None else "probabilities"
            raise ValueError(f"the student predicted NaN or infinite {what}")
        y, weight = problem.y[fold.test], problem.weights(fold.test)
        start = time.perf_counter()
        score = problem.scoring.score_fold(model, X, y, predictions, weight)
        score_seconds = predict_seconds + time.perf_counter() - start
        bounded = ladder.budget.latency_us is not None and fold.role is Role.PAIR
        is_timed = fold is problem.folds[0] or bounded
        latency = latency_us(model, problem.rows(fold.test[:1])) if is_timed else float("nan")
        note = "" if soft_labels is None else soft_labels.note(problem, fold)
        return Outcome(
            predictions=predictions.astype(problem.stored),
            score=score,
            fit_seconds=seconds,
            size=size_of(model),
            latency_us=latency,
            note=note,
            score_seconds=score_seconds,
            upper_seconds=0.0 if upper is None else upper.seconds,
        )


def fit_student(problem: Problem, ladder: Ladder, number: int, path: Path, upper: TeacherOutputs | None = None) -> Any:
    """Return the student of `path` fitted on the training rows of fold `number`."""
    with thread_limit(problem.threads):
        return _fitted(problem, ladder, number, path, _soft_labels(problem, ladder, number, path, upper))


def _spec(problem: Problem, ladder: Ladder, path: Path, *, key: str, tree_fit: TreeFit | None) -> FitSpec:
    student = clone(ladder.students[path.student]).set_params(**dict(path.params))
    most_features = ladder.budget.most_features(student, problem.n_outputs)
    return FitSpec(estimator=student, name=path.student, key=key, options=FitOptions(most_features, tree_fit))


def _soft_labels(
    problem: Problem, ladder: Ladder, number: int, path: Path, upper: TeacherOutputs | None
) -> SoftLabels | None:
    """Return what the last hop of `path` teaches its student; None for a plain one."""
    if not path.hops:
        return None
    scheme, fold = path.hops[-1].scheme, problem.fold(number)
    assert not isinstance(scheme, Truncate)
    assert upper is not None
    if scheme.needs_plain:
        key = digest("plain", path.student, path.params, path.fit)
        spec = _spec(problem, ladder, path, key=key, tree_fit=path.fit)
        upper = replace(upper, plain=plain_outputs(problem, fold, spec))
    return SoftLabels(scheme, path.hops[-1].compression, upper)


def _fitted(problem: Problem, ladder: Ladder, number: int, path: Path, soft_labels: SoftLabels | None) -> Any:
    fold = problem.fold(number)
    tree_fit = path.fit.in_fold() if path.fit is not None and not fold.role.is_final else path.fit
    spec = _spec(problem, ladder, path, key=_seed_key(problem, path), tree_fit=tree_fit)
    return fit_model(problem, fold, None, np.arange(len(fold.train)), replace(spec, soft_labels=soft_labels))


def _seed_key(problem: Problem, path: Path) -> str:
    """Return the key that seeds the fit of the student of `path`.

    How strongly a regression tree is pruned is in squared units of the target. It has no part in the key, so that the
    unit has no part in the fit.
    """
    if problem.classes is not None:
        return path.key
    params = tuple(
        (name, bool(value) or value) if name.endswith("ccp_alpha") else (name, value) for name, value in path.params
    )
    return replace(path, params=params).key
