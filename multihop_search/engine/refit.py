"""The refit: a path's models fitted on all rows, by the same functions that scored it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from multihop_search.engine.crossfit import crossfit, crossfit_and_fit, crossfit_plain
from multihop_search.engine.student import fit_student
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER, Hop, Path, Truncate
from multihop_search.problem.problem import Problem
from multihop_search.transfer.transfer_set import TeacherOutputs


@dataclass(frozen=True)
class Teacher:
    """The teacher on all rows: computed once, however many students are fitted."""

    model: Any
    outputs: TeacherOutputs
    packed_in_transit: ClassVar[bool] = True
    """Nothing in a search is as large: the executor keeps it small until this process needs it."""


@dataclass(frozen=True)
class Refit:
    """A path, fitted on all rows."""

    student: Any
    models: Mapping[str, Any]
    """Fitted models by name, from the teacher to the student."""


def refit_teacher(problem: Problem, ladder: Ladder) -> Teacher:
    """Fit the teacher on all rows, and cross-fit it."""
    outputs, model = crossfit_and_fit(problem, ladder, problem.whole.number, ())
    return Teacher(model, outputs)


def refit(problem: Problem, ladder: Ladder, path: Path, teacher: Teacher) -> Refit:
    """Fit every model of `path` on all rows."""
    whole, outputs, models = problem.whole.number, teacher.outputs, {TEACHER: teacher.model}
    for place, hop in enumerate(path.prefix, start=1):
        hops = path.hops[:place]
        plain = _plain(problem, ladder, hop)
        outputs, models[hop.model] = crossfit_and_fit(problem, ladder, whole, hops, outputs, plain, teacher.model)
    student = fit_student(problem, ladder, whole, path, outputs if path.hops else None)
    return Refit(student, {**models, path.student: student})


def refit_student(problem: Problem, ladder: Ladder, path: Path) -> Any:
    """Return only the student of `path`, fitted on all rows."""
    outputs: TeacherOutputs | None = None
    for place in range(len(path.hops)):
        hops = path.hops[:place]
        plain = _plain(problem, ladder, hops[-1]) if hops else None
        outputs = crossfit(problem, ladder, problem.whole.number, hops, outputs, plain)
    return fit_student(problem, ladder, problem.whole.number, path, outputs)


def _plain(problem: Problem, ladder: Ladder, hop: Hop) -> np.ndarray | None:
    if isinstance(hop.scheme, Truncate) or not hop.scheme.needs_plain:
        return None
    return crossfit_plain(problem, ladder, problem.whole.number, hop.model)
