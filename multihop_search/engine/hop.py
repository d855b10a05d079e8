"""One hop in one fold: the only place where models are fitted, for scoring and for use alike.

`crossfit` makes the outputs of a model above the last hop, `judge` scores a student on held-out rows, `teach` fits a
model on given rows; both others and the refit go through it. All are plain functions of picklable arguments.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_array

from multihop_search.keys import digest
from multihop_search.paths.complexity import Size, latency_us, size_of
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import STUDENT, TEACHER, Hop, Path, Truncate
from multihop_search.paths.stages import FORESTS, stage_probabilities, truncated
from multihop_search.problem.problem import Fold, Problem
from multihop_search.problem.scoring import stored_form
from multihop_search.transfer.fitting import fit, repeats_rows, settle
from multihop_search.transfer.schemes import Scheme
from multihop_search.transfer.threads import one_thread
from multihop_search.transfer.transfer_set import TeacherOutputs

BAG_SIZE = 30
"""A bagged model with at least this many members is cross-fitted by its out-of-bag rows (rule 5)."""


@dataclass(frozen=True)
class Outcome:
    """What a student did in one fold."""

    proba: np.ndarray
    """Predictions on the held-out rows, (n_test, n_classes), float32."""
    score: float
    fit_seconds: float
    size: Size
    latency_us: float
    """Microseconds to predict one row; NaN except in the first fold."""


def teach(
    problem: Problem,
    rows: np.ndarray,
    estimator: Any,
    name: str,
    scheme: Scheme | None,
    upper: TeacherOutputs | None,
    *key: Any,
) -> Any:
    """Return `estimator` fitted on `rows`: plain, or taught by `scheme` from the upper model's outputs."""
    model, before = settle(estimator, name, problem.random_state, *key)
    y = problem.y[rows]
    transfer = None if scheme is None or upper is None else scheme.transfer_set(upper, y)
    with one_thread():
        weights = problem.weights(rows)
        fitted = fit(model, problem.rows(rows), y, problem.classes, transfer=transfer, sample_weight=weights)
    return fitted.set_params(**before) if before else fitted


def crossfit(
    problem: Problem, ladder: Ladder, number: int, hops: tuple[Hop, ...], upper: TeacherOutputs | None = None
) -> TeacherOutputs:
    """Return the cross-fitted outputs, on the training rows of fold `number`, of the model that `hops` lead to.

    Parameters
    ----------
    problem, ladder
        The search's data and models.
    number : int
        Fold; -1 for all rows.
    hops : tuple of Hop
        From the teacher down; empty for the teacher itself.
    upper : TeacherOutputs or None
        Outputs of the model one hop above; None for the teacher.
    """
    if hops and isinstance(hops[-1].scheme, Truncate):
        return _stage(hops[-1].scheme, upper)
    with one_thread():
        return _upper_model(problem, ladder, number, hops, upper).crossfit()[0]


def crossfit_and_fit(
    problem: Problem,
    ladder: Ladder,
    number: int,
    hops: tuple[Hop, ...],
    upper: TeacherOutputs | None = None,
    teacher: Any = None,
) -> tuple[TeacherOutputs, Any]:
    """Return the outputs as `crossfit` does, and the model fitted on all training rows of the fold.

    `teacher` is the fitted teacher, of which `Truncate` takes the first members.
    """
    if hops and isinstance(hops[-1].scheme, Truncate):
        return _stage(hops[-1].scheme, upper), truncated(teacher, hops[-1].scheme.k)
    upper_model = _upper_model(problem, ladder, number, hops, upper)
    with one_thread():
        outputs, model = upper_model.crossfit()
        return outputs, upper_model.fit_all() if model is None else model


def _stage(scheme: Truncate, upper: TeacherOutputs | None) -> TeacherOutputs:
    assert upper is not None
    return TeacherOutputs(upper.stages[scheme.k])


def _upper_model(
    problem: Problem, ladder: Ladder, number: int, hops: tuple[Hop, ...], upper: TeacherOutputs | None
) -> _UpperModel:
    name = hops[-1].model if hops else TEACHER
    scheme = hops[-1].scheme if hops else None
    assert not isinstance(scheme, Truncate)
    sizes = () if hops else ladder.stage_sizes
    return _UpperModel(problem, problem.fold(number), ladder.estimator(name), name, scheme, upper, sizes, digest(hops))


@dataclass(frozen=True)
class _UpperModel:
    """A model above the last hop in one fold; it predicts its training rows by fits that did not see them."""

    problem: Problem
    fold: Fold
    estimator: Any
    name: str
    scheme: Scheme | None
    upper: TeacherOutputs | None
    sizes: tuple[int, ...]
    key: str

    def fit_part(self, rows: np.ndarray, part: int, estimator: Any = None) -> Any:
        """Fit on some of the training rows, given by position; `part` names the fit in its key."""
        upper = None if self.upper is None else self.upper.take(rows)
        chosen = self.estimator if estimator is None else estimator
        labels = self.problem.classes[self.problem.y[self.fold.train[rows]]]
        if len(np.unique(labels)) == 1:  # an inner part may lack a class; few classifiers take a single one
            return DummyClassifier(strategy="prior").fit(np.zeros((len(rows), 1)), labels)
        key = (self.fold.number, self.key, part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nobody deploys it: what it teaches is judged
            return teach(self.problem, self.fold.train[rows], chosen, self.name, self.scheme, upper, *key)

    def fit_all(self) -> Any:
        if isinstance(self.estimator, FrozenEstimator):
            return self.estimator
        return self.fit_part(np.arange(len(self.fold.train)), -1)

    def crossfit(self) -> tuple[TeacherOutputs, Any]:
        """Return the outputs, and the model fitted on all training rows where it was needed for them, else None."""
        if isinstance(self.estimator, FrozenEstimator) or not self.fold.inner:
            model = self.fit_all()
            X, classes = self.problem.rows(self.fold.train), self.problem.classes
            return _outputs(stored_form(model, X, classes), stage_probabilities(model, X, classes, self.sizes)), model
        if not self.has_out_of_bag():
            return self.by_parts(self.estimator, self.sizes), None
        model = self.fit_all()
        outputs = _out_of_bag(self.problem, self.fold, model, self.sizes)
        small = tuple(k for k in self.sizes if k < BAG_SIZE)
        if small:
            few = self.by_parts(clone(self.estimator).set_params(n_estimators=max(small)), small)
            outputs = TeacherOutputs(outputs.proba, {**outputs.stages, **few.stages})
        return outputs, model

    def has_out_of_bag(self) -> bool:
        """Whether out-of-bag rows can stand for cross-fitting: many members, no groups, each row once (rule 5)."""
        if type(self.estimator) not in FORESTS or not self.estimator.bootstrap:
            return False
        if self.estimator.n_estimators < BAG_SIZE or self.problem.groups is not None:
            return False
        if self.scheme is None or self.upper is None:
            return True
        return not repeats_rows(self.estimator, self.scheme.transfer_set(self.upper, self.problem.y[self.fold.train]))

    def by_parts(self, estimator: Any, sizes: tuple[int, ...]) -> TeacherOutputs:
        """Predict each inner part by a model fitted on the others."""
        shape = (len(self.fold.train), self.problem.n_classes)
        proba = np.empty(shape)
        stages = {k: np.empty(shape) for k in sizes}
        for part, held in enumerate(self.fold.inner):
            model = self.fit_part(np.setdiff1d(np.arange(shape[0]), held), part, estimator)
            X = self.problem.rows(self.fold.train[held])
            proba[held] = stored_form(model, X, self.problem.classes)
            for k, stage in stage_probabilities(model, X, self.problem.classes, sizes).items():
                stages[k][held] = stage
        return _outputs(proba, stages)


def _outputs(proba: np.ndarray, stages: dict[int, np.ndarray]) -> TeacherOutputs:
    return TeacherOutputs(proba.astype(np.float32), {k: stage.astype(np.float32) for k, stage in stages.items()})


def _out_of_bag(problem: Problem, fold: Fold, forest: Any, sizes: tuple[int, ...]) -> TeacherOutputs:
    """Average, for each row, the trees that did not see it; for each stage of `BAG_SIZE` members or more too."""
    X = check_array(problem.rows(fold.train), dtype=np.float32, ensure_all_finite=False)
    n_rows = len(X)
    totals = np.zeros((n_rows, len(forest.classes_)))
    counts = np.zeros(n_rows)
    columns = np.searchsorted(problem.classes, forest.classes_)
    base = np.bincount(problem.y[fold.train], minlength=problem.n_classes)[columns] / n_rows

    def average() -> np.ndarray:
        proba = np.zeros((n_rows, problem.n_classes))
        proba[:, columns] = (totals + base * (counts == 0)[:, None]) / np.maximum(counts, 1)[:, None]
        return proba

    stages = {}
    for k, (tree, seen) in enumerate(zip(forest.estimators_, forest.estimators_samples_, strict=True), start=1):
        unseen = np.ones(n_rows, dtype=bool)
        unseen[seen] = False
        totals[unseen] += tree.tree_.predict(X[unseen]).reshape(-1, totals.shape[1])
        counts += unseen
        if k in sizes and k >= BAG_SIZE:
            stages[k] = average()
    return _outputs(average(), stages)


def judge(problem: Problem, ladder: Ladder, number: int, path: Path, upper: TeacherOutputs | None = None) -> Outcome:
    """Fit the student of `path` on the training rows of fold `number` and score it on the held-out rows."""
    fold = problem.fold(number)
    with one_thread():
        start = time.perf_counter()
        model = fit_student(problem, ladder, number, path, upper)
        seconds = time.perf_counter() - start
        X = problem.rows(fold.test)
        proba = stored_form(model, X, problem.classes)
        if not np.isfinite(proba).all():
            raise ValueError("the student predicted NaN or infinite probabilities")
        y, weight = problem.y[fold.test], problem.weights(fold.test)
        score = problem.scoring.score_model(model, X, y, proba, weight)
        latency = latency_us(model, problem.rows(fold.test[:1])) if number == 0 else float("nan")
        return Outcome(proba.astype(np.float32), score, seconds, size_of(model), latency)


def fit_student(problem: Problem, ladder: Ladder, number: int, path: Path, upper: TeacherOutputs | None) -> Any:
    """Return the student of `path` fitted on the training rows of fold `number` (-1: all rows)."""
    student = ladder.student
    if path.student:
        student = _with_params(student, dict(path.student))
    scheme = path.hops[-1].scheme if path.hops else None
    assert not isinstance(scheme, Truncate)
    rows = problem.fold(number).train
    return teach(problem, rows, student, STUDENT, scheme, upper, number, path.key)


def _with_params(estimator: Any, params: dict[str, Any]) -> Any:
    return clone(estimator).set_params(**params)
