"""The refit: every model of a path fitted for use, by the futures that folds are fitted by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.prefixes import Prefixes
from multihop_search.models.stages import truncated
from multihop_search.paths.path import TEACHER, Path, Truncate
from multihop_search.problem.problem import Fold


@dataclass(frozen=True)
class PathModels:
    """The models of a path, fitted for use."""

    student: Any
    by_name: Mapping[str, Any]
    """Fitted models by name, from the teacher to the student."""
    fold: Fold
    """On whose training rows they were fitted; without hops the teacher may have had those of the search."""

    @property
    def n_rows(self) -> int:
        """Rows that they were fitted on."""
        return len(self.fold.train)


def refit(prefixes: Prefixes, path: Path, fold: Fold, teacher: FittedTeacher | None) -> PathModels:
    """Fit every model of `path` on the training rows of a fold; `teacher` may be None for a path without hops.

    With hops it is fitted on the same rows.
    """
    number, session = fold.number, prefixes.session
    models: dict[str, Any] = {}
    if teacher is not None:
        models[TEACHER] = teacher.model
    if teacher is not None and path.hops:
        prefixes.put(number, (), teacher.outputs)
    for place, hop in enumerate(path.prefix, start=1):
        hops = path.hops[:place]
        if isinstance(hop.scheme, Truncate):
            models[hop.model] = truncated(models[TEACHER], hop.scheme.k)
            continue
        outputs, models[hop.model] = session.result(prefixes.outputs_and_model(number, hops))
        prefixes.put(number, hops, outputs)
    student = session.result(prefixes.student(number, path))
    return PathModels(student, {**models, path.student: student}, fold)
