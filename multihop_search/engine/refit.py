"""The refit: a path's models fitted on all rows, by the same functions that scored it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multihop_search.engine.hop import crossfit, crossfit_and_fit, fit_student
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import STUDENT, TEACHER, Path
from multihop_search.problem.problem import Problem
from multihop_search.transfer.transfer_set import TeacherOutputs


@dataclass(frozen=True)
class Refit:
    """A path, fitted on all rows."""

    student: Any
    models: Mapping[str, Any]
    """Fitted models by name, from the teacher to the student."""
    teacher_proba: np.ndarray
    """Cross-fitted predictions of the teacher on all rows, (n_rows, n_classes)."""


def refit(problem: Problem, ladder: Ladder, path: Path) -> Refit:
    """Fit every model of `path` on all rows; the teacher too where the path is plain."""
    whole = problem.whole.number
    outputs, model = crossfit_and_fit(problem, ladder, whole, ())
    teacher_proba, models = outputs.proba, {TEACHER: model}
    for place in range(1, len(path.hops)):
        hops = path.hops[:place]
        outputs, models[hops[-1].model] = crossfit_and_fit(problem, ladder, whole, hops, outputs, models[TEACHER])
    student = fit_student(problem, ladder, whole, path, outputs if path.hops else None)
    return Refit(student, {**models, STUDENT: student}, teacher_proba)


def refit_student(problem: Problem, ladder: Ladder, path: Path) -> Any:
    """Return only the student of `path`, fitted on all rows."""
    outputs: TeacherOutputs | None = None
    for place in range(len(path.hops)):
        outputs = crossfit(problem, ladder, problem.whole.number, path.hops[:place], outputs)
    return fit_student(problem, ladder, problem.whole.number, path, outputs)
