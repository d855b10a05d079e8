"""Who judges a search: its own held-out rows by resampling, rows outside it, or the search run again without each fold.

The argument `verdict` names it, or `fit` is given fresh rows; see `verdict.verdict` for what each says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from multihop_search.engine.interrupt import Interrupted, interruptible
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.refit import Teacher
from multihop_search.errors import InvalidData, InvalidSetting, StoppedWarning, warn
from multihop_search.executors import Future, Session
from multihop_search.problem.intake import labels_of, numeric_target, own_copy
from multihop_search.problem.leaks import leaks_of_rows
from multihop_search.problem.problem import Problem
from multihop_search.problem.rows import checked_like
from multihop_search.problem.tables import as_pandas
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment, Case
from multihop_search.verdict.nested import NestedSearch, Routine
from multihop_search.verdict.outside import Judge, judge_fresh, judge_held_out, outputs_by_row, result
from multihop_search.verdict.verdict import BBC, Verdict


@dataclass(frozen=True)
class FreshRows:
    """Rows of the user's that judge."""

    X: Any
    y: np.ndarray
    """In the codes of the problem, or values."""
    leaks: tuple[str, ...]
    """How they may have been learned from, in words."""


@dataclass(frozen=True)
class Bench:
    """Who judges, and by what the choice may be helped."""

    judge: Judge
    believed: TeacherOutputs
    """Cross-fitted outputs of the teacher, a row for each of the problem's; NaN for rows that are held out."""
    notes: tuple[str, ...] = ()
    fresh: bool = False
    """Whether the rows that judge were not given to the search at all."""


def check_fresh(verdict: Any, X_fresh: Any, y_fresh: Any) -> None:
    """Check that fresh rows come with their target, and that nobody else is asked to judge.

    Raises
    ------
    InvalidData
        If only one of the two is given.
    InvalidSetting
        If `verdict` asks for a nested search or a held-out share too.
    """
    if (X_fresh is None) != (y_fresh is None):
        missing = "X_fresh" if X_fresh is None else "y_fresh"
        raise InvalidData(f"X_fresh and y_fresh must be given together, {missing} is missing: pass both or none.")
    if X_fresh is not None and not (isinstance(verdict, str) and verdict == BBC):
        raise InvalidSetting(
            "X_fresh and y_fresh judge in place of the rows of the search, so verdict must be 'bbc' with them: leave "
            "it out."
        )


def fresh_rows(search: Any, X: Any, y: Any, problem: Problem) -> FreshRows:
    """Return the fresh rows that `fit` was given, checked like those of the search.

    Raises
    ------
    InvalidData, InvalidKind
        If they are no rows like those of the search, or have labels that it does not know.
    """
    X, y = own_copy(checked_like(search, "X_fresh", X, problem.X)), as_pandas("y_fresh", y)
    n_rows = np.shape(X)[0]
    if problem.classes is None:
        values = own_copy(numeric_target(y, n_rows))
        return FreshRows(X, values, leaks_of_rows(X, values, problem))
    labels = labels_of(y, n_rows)
    unknown = ~np.isin(labels, problem.classes)
    if unknown.any():
        raise InvalidData(
            f"y_fresh must hold labels that y has, got {labels[unknown].tolist()[0]!r} too: leave these rows out."
        )
    codes = np.searchsorted(problem.classes, labels)
    return FreshRows(X, codes, leaks_of_rows(X, codes, problem))


def runs_hops(problem: Problem, fresh: FreshRows | None) -> bool:
    """Return whether `bench_for`, or the judge that it returns, runs further hops: all but plain resampling do."""
    return fresh is not None or problem.held_out is not None or bool(problem.pairs)


def teacher_of(session: Session, future: Future, *, last: bool) -> Teacher:
    """Return the teacher on all rows; `last`: nothing else will be run, so the session is closed."""
    teacher: Teacher = (session.last_result if last else session.result)(future)
    return teacher


@dataclass(frozen=True)
class NoJudge:
    """Stands for a judge that could not be prepared: raises why when the verdict is asked for."""

    error: Exception

    def verdict(self, case: Case, teacher: TeacherOutputs) -> Verdict:
        raise self.error


def bench_for(
    assessment: Assessment,
    prefixes: Prefixes,
    teacher: Teacher,
    fresh: FreshRows | None,
    routine: Routine,
    *,
    ended: bool,
) -> Bench:
    """Return who judges; what they need is run now, where the search runs its hops.

    `ended`: whether a signal ended the search, so that none is run again.
    """
    problem = assessment.problem
    if fresh is not None:
        judge = judge_fresh(assessment, prefixes, fresh.X, fresh.y, teacher.model, fresh.leaks)
        return Bench(judge, teacher.outputs, fresh=True)
    if problem.held_out is not None:
        outputs = result(prefixes.session, prefixes.outputs(problem.held_out.number, ()))
        believed = outputs_by_row(outputs, problem.held_out.train, problem.n_rows)
        return Bench(judge_held_out(assessment, prefixes, teacher.outputs), believed)
    if not problem.pairs:
        return Bench(assessment, teacher.outputs)
    nested = NestedSearch(assessment, prefixes, routine)
    try:
        if ended:
            raise Interrupted("a signal")
        with interruptible():
            nested.run()
    except Interrupted as signal:
        if not ended:
            warn(f"{signal} ended the nested search: the verdict is given by resampling instead.", StoppedWarning)
        ended_note = "the nested search was ended before its time"
        if not routine.adaptive:
            return Bench(assessment, teacher.outputs, (ended_note,))
        learned = f"{ended_note}, and the sampler learned from these rows, so all gains are optimistic"
        return Bench(replace(assessment, leaks=(*assessment.leaks, learned)), teacher.outputs)
    return Bench(nested, teacher.outputs)
