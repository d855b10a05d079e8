"""Refits: the students of many paths, fitted on all rows, what the paths share computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from multihop_search.engine.prefixes import Prefixes
from multihop_search.executors import SerialExecutor
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import Path
from multihop_search.problem.problem import Problem


def refit_students(problem: Problem, ladder: Ladder, paths: Iterable[Path]) -> Iterator[Any]:
    """Yield the student of each path, fitted on all rows, one after the other: none is kept here.

    The outputs of the models above the students are kept, as many as the cache of a search holds; each student equals
    that of `refit_student`.
    """
    session = SerialExecutor().start()
    prefixes = Prefixes(session, problem, ladder)
    for path in paths:
        yield session.result(prefixes.student(problem.whole.number, path))
