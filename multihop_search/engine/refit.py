"""The refit: a path's models fitted on all rows, by the same functions that scored it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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


def refit(run: Callable[..., Any], number: int, path: Path, teacher: Teacher | None) -> Refit:
    """Fit every model of `path` on all rows, which fold `number` holds; `run` is `Prefixes.run`."""
    outputs: TeacherOutputs | None = None
    models: dict[str, Any] = {}
    if teacher is not None:
        outputs, models = teacher.outputs, {TEACHER: teacher.model}
    for place, hop in enumerate(path.prefix, start=1):
        plain = run(crossfit_plain, number, hop.model) if _needs_plain(hop) else None
        above = models[TEACHER] if isinstance(hop.scheme, Truncate) else None  # large, and of no use to others
        outputs, models[hop.model] = run(crossfit_and_fit, number, path.hops[:place], outputs, plain, above)
    student = run(fit_student, number, path, outputs if path.hops else None)
    return Refit(student, {**models, path.student: student})


def refit_student(problem: Problem, ladder: Ladder, path: Path) -> Any:
    """Return only the student of `path`, fitted on all rows."""
    outputs: TeacherOutputs | None = None
    for place in range(len(path.hops)):
        hops = path.hops[:place]
        plain = None
        if hops and _needs_plain(hops[-1]):
            plain = crossfit_plain(problem, ladder, problem.whole.number, hops[-1].model)
        outputs = crossfit(problem, ladder, problem.whole.number, hops, outputs, plain)
    return fit_student(problem, ladder, problem.whole.number, path, outputs)


def _needs_plain(hop: Hop) -> bool:
    return not isinstance(hop.scheme, Truncate) and hop.scheme.needs_plain
