"""The refit: every model of a path fitted on all rows, by the futures that folds are fitted by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.prefixes import Prefixes
from multihop_search.models.stages import truncated
from multihop_search.paths.path import TEACHER, Path, Truncate


@dataclass(frozen=True)
class PathModels:
    """The models of a path, fitted on all rows."""

    student: Any
    by_name: Mapping[str, Any]
    """Fitted models by name, from the teacher to the student."""


def refit(prefixes: Prefixes, path: Path, teacher: FittedTeacher | None) -> PathModels:
    """Fit every model of `path` on all rows; `teacher` may be None for a path without hops.

    With hops it is the teacher on all rows.
    """
    whole, session = prefixes.problem.whole.number, prefixes.session
    models: dict[str, Any] = {}
    if teacher is not None:
        models[TEACHER] = teacher.model
    if teacher is not None and path.hops:
        prefixes.put(whole, (), teacher.outputs)
    for place, hop in enumerate(path.prefix, start=1):
        hops = path.hops[:place]
        if isinstance(hop.scheme, Truncate):
            models[hop.model] = truncated(models[TEACHER], hop.scheme.k)
            continue
        outputs, models[hop.model] = session.result(prefixes.outputs_and_model(whole, hops))
        prefixes.put(whole, hops, outputs)
    student = session.result(prefixes.student(whole, path))
    return PathModels(student, {**models, path.student: student})
