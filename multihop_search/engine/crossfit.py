"""Cross-fitting: what a model above the last hop tells about a fold's training rows, by fits that did not see them.

All are plain functions of picklable arguments, which an executor may run anywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from multihop_search.engine.fit import FitSpec
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.engine.upper_model import UpperModel, with_temperature
from multihop_search.keys import digest
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER, Hop, Truncate
from multihop_search.problem.problem import Fold, Problem
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import TeacherOutputs


def crossfit(
    problem: Problem,
    ladder: Ladder,
    number: int,
    hops: tuple[Hop, ...],
    upper: TeacherOutputs | None = None,
    plain: np.ndarray | None = None,
) -> TeacherOutputs:
    """Return the cross-fitted outputs, on the training rows of fold `number`, of the model that `hops` lead to.

    Parameters
    ----------
    problem, ladder
        The search's data and models.
    number : int
        Of the fold.
    hops : tuple of Hop
        From the teacher down; empty for the teacher itself.
    upper : TeacherOutputs or None
        Outputs of the model one hop above; None for the teacher.
    plain : ndarray of shape (n_train, n_outputs) or None
        What the model says without a teacher, where the scheme asks for it.
    """
    above = 0.0 if upper is None else upper.seconds
    if hops and isinstance(hops[-1].scheme, Truncate):
        return replace(_stage(problem, problem.fold(number), hops[-1].scheme, upper), seconds=above)
    start = time.perf_counter()
    with thread_limit(problem.threads):
        outputs = _upper_model(problem, ladder, number, hops, upper, plain).crossfit()[0]
    if not np.isfinite(outputs.predictions).all():
        name = hops[-1].model if hops else TEACHER
        raise ValueError(f"{name} must predict finite numbers to teach, it predicted NaN or infinity")
    return replace(outputs, seconds=above + time.perf_counter() - start)


def crossfit_plain(problem: Problem, ladder: Ladder, number: int, name: str) -> np.ndarray:
    """Return what an intermediate says of the training rows without a teacher, cross-fitted, (n_train, n_outputs)."""
    spec = FitSpec(estimator=ladder.estimator(name), name=name, key=digest("plain", name))
    with thread_limit(problem.threads):
        return plain_outputs(problem, problem.fold(number), spec)


def plain_outputs(problem: Problem, fold: Fold, spec: FitSpec) -> np.ndarray:
    """Return what any model says of a fold's training rows without a teacher, cross-fitted, (n_train, n_outputs)."""
    return UpperModel(problem, fold, spec, sizes=(), labels=False).crossfit()[0].predictions


def crossfit_and_fit(
    problem: Problem,
    ladder: Ladder,
    number: int,
    hops: tuple[Hop, ...],
    upper: TeacherOutputs | None = None,
    plain: np.ndarray | None = None,
) -> tuple[TeacherOutputs, Any]:
    """Return the outputs as `crossfit` does, and the model fitted on all training rows of the fold.

    The last of `hops` leads to a model that is fitted: a truncated teacher is the fitted teacher's first members.
    """
    upper_model = _upper_model(problem, ladder, number, hops, upper, plain)
    with thread_limit(problem.threads):
        outputs, model = upper_model.crossfit()
        return outputs, upper_model.fit_all() if model is None else model


@dataclass(frozen=True)
class FittedTeacher:
    """The teacher on all training rows of a fold: computed once, however many students are fitted."""

    model: Any
    outputs: TeacherOutputs
    packed_in_transit: ClassVar[bool] = True
    """Nothing in a search is as large: the executor keeps it small until this process needs it."""


def fit_teacher(problem: Problem, ladder: Ladder, number: int) -> FittedTeacher:
    """Fit the teacher on all training rows of a fold, and cross-fit it there."""
    outputs, model = crossfit_and_fit(problem, ladder, number, ())
    return FittedTeacher(model, outputs)


def _stage(problem: Problem, fold: Fold, scheme: Truncate, upper: TeacherOutputs | None) -> TeacherOutputs:
    assert upper is not None
    labelled = {name: TeacherOutputs(outputs.stages[scheme.k]) for name, outputs in upper.synthetic.items()}
    outputs = TeacherOutputs(upper.stages[scheme.k], synthetic=labelled)
    return outputs if not fold.inner else with_temperature(problem, fold, outputs)


def _upper_model(
    problem: Problem,
    ladder: Ladder,
    number: int,
    hops: tuple[Hop, ...],
    upper: TeacherOutputs | None,
    plain: np.ndarray | None,
) -> UpperModel:
    name = hops[-1].model if hops else TEACHER
    fold, sizes = problem.fold(number), ladder.graded_sizes(name)
    soft_labels: SoftLabels | None = None
    if hops:
        scheme = hops[-1].scheme
        assert not isinstance(scheme, Truncate)
        assert upper is not None
        soft_labels = SoftLabels(scheme, hops[-1].compression, replace(upper, plain=plain))
    spec = FitSpec(estimator=ladder.estimator(name), name=name, key=digest(hops), soft_labels=soft_labels)
    scored = not hops and problem.classes is not None and number == problem.searched.number
    return UpperModel(problem, fold, spec, sizes, scored=scored)
