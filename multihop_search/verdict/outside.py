"""Verdicts on rows outside the search: held out of it, or fresh ones of the user's.

The search has chosen without these rows. Of each group that the verdict compares, what the same choice picks within the
group is fitted and predicts them; nothing is chosen again. `engine.nested` does so for every outer fold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from multihop_search.engine.prefixes import Prefixes
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Session
from multihop_search.problem.problem import Problem, guesses_on
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Answers, Assessment, Case
from multihop_search.verdict.out_of_fold import HeldOut
from multihop_search.verdict.verdict import FRESH, HELD_OUT, Verdict

REFITTED = "the interval speaks of models fitted without them, best_estimator_ was fitted on all rows afterwards"


class Judge(Protocol):
    """Who gives the verdict on a student: an `Assessment` by the rows of the search, others by rows outside it."""

    def verdict(self, case: Case, teacher: TeacherOutputs) -> Verdict:
        """Return the verdict on one student; `teacher` holds cross-fitted outputs, a row for each of the problem's."""


@dataclass(frozen=True)
class Outside:
    """Rows outside the search, as a `Judge`.

    Models are fitted where the search runs its hops.
    """

    assessment: Assessment
    prefixes: Prefixes
    number: int
    """Of the fold on whose training rows models are fitted that predict the rows."""
    X: Any
    """(n_rows, n_features), of the kind of the search's."""
    held_out: HeldOut
    teacher: np.ndarray | None
    """What the teacher says of the rows without having seen them, (n_rows, n_outputs)."""
    method: str
    leaks: tuple[str, ...] | None = None
    """As in `Answers`."""

    def verdict(self, case: Case, teacher: TeacherOutputs) -> Verdict:
        """Return the verdict on one student; `teacher` helps to choose within the groups."""
        places = {
            group: self.assessment.choose(case.records, case.predictions, teacher, trials)
            for group, trials in case.members.items()
            if group != "selected" and len(trials)
        }
        picks = {group: case.records[place] for group, place in {**places, "selected": case.chosen}.items()}
        futures = {record.path: self.prefixes.student(self.number, record.path) for record in picks.values()}
        models = {path: result(self.prefixes.session, future) for path, future in futures.items()}
        scoring = self.assessment.problem.scoring
        said = {path: scoring.table(model, self.X) for path, model in models.items()}
        answers = Answers(
            self.held_out,
            {group: said[record.path] for group, record in picks.items()},
            {group: (models[record.path], self.X) for group, record in picks.items()},
            self.teacher,
            self.method,
            self.leaks,
        )
        if self.method == HELD_OUT:
            case = replace(case, notes=(*case.notes, REFITTED))
        return self.assessment.verdict_on(answers, case)


def result(session: Session, future: Any) -> Any:
    """Return the value of a fit that the verdict needs.

    Raises
    ------
    SearchFailed
        If it failed.
    """
    try:
        return session.result(future)
    except ClusterLost:
        raise
    except Exception as error:
        raise SearchFailed(
            f"what was picked must be fitted again for the verdict, it was not ({error}): use verdict='bbc'."
        ) from error


def outputs_by_row(outputs: TeacherOutputs, rows: np.ndarray, n_rows: int) -> TeacherOutputs:
    """Return outputs on some of the rows as if on all of them: NaN elsewhere."""
    everywhere = np.full((n_rows, outputs.predictions.shape[1]), np.nan, dtype=outputs.predictions.dtype)
    everywhere[rows] = outputs.predictions
    return TeacherOutputs(everywhere, temperature=outputs.temperature)


def judge_held_out(assessment: Assessment, prefixes: Prefixes, teacher: TeacherOutputs) -> Outside:
    """Return who judges by the rows held out; `teacher` holds cross-fitted outputs on all rows."""
    problem = assessment.problem
    assert problem.held_out is not None
    rows = problem.held_out.test
    held_out = _held_out(problem.y[rows], rows, problem)
    said = assessment.said_unseen(teacher, rows)
    return Outside(assessment, prefixes, problem.held_out.number, problem.rows(rows), held_out, said, HELD_OUT)


def judge_fresh(
    assessment: Assessment, prefixes: Prefixes, X: Any, y: np.ndarray, teacher: Any, leaks: tuple[str, ...]
) -> Outside:
    """Return who judges by fresh rows, `y` in the problem's codes; `teacher` is fitted on all rows of the search."""
    problem = assessment.problem
    held_out = HeldOut(y, np.zeros(len(y), dtype=int), np.arange(len(y)), np.arange(len(y)))
    held_out = replace(held_out, guesses=guesses_on(problem, problem.whole.train, len(y)))
    said = None if not hasattr(teacher, "predict") else problem.scoring.table(teacher, X)
    return Outside(assessment, prefixes, problem.whole.number, X, held_out, said, FRESH, leaks)


def _held_out(y: np.ndarray, rows: np.ndarray, problem: Problem) -> HeldOut:
    together = rows if problem.groups is None else problem.groups[rows]
    unit = np.unique(together, return_inverse=True)[1]
    assert problem.held_out is not None
    guesses = guesses_on(problem, problem.held_out.train, len(y))
    return HeldOut(y, np.zeros(len(y), dtype=int), rows, unit, problem.weights(rows), guesses=guesses)
