"""The verdict by rows outside the search: held out of it, or fresh ones of the user's.

The search has chosen without these rows. Of each group that the verdict compares, what the same choice picks within the
group is fitted and predicts them; they are drawn again, nothing is chosen again (`contrast`). `nested` does so for
every outer fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.refit import PathModels
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Session
from multihop_search.paths.groups import COMPARISONS, Comparison, Group, steps_of
from multihop_search.paths.path import TEACHER
from multihop_search.problem.problem import Problem, guesses_on
from multihop_search.problem.scorers import ModelScoring
from multihop_search.problem.scoring import Scoring
from multihop_search.problem.teacher import RowTeacher
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case, same_as_chosen
from multihop_search.verdict.choice import choose
from multihop_search.verdict.comparison import Comparing, guesses_for, measures
from multihop_search.verdict.interval import draws_of, n_draws, widening
from multihop_search.verdict.out_of_fold import HeldOut, ModelEvidence, choice_evidence, evidence_for
from multihop_search.verdict.verdict import FRESH, HELD_OUT, Verdict, empty_verdict, with_leaks
from multihop_search.verdict.words import NO_SKILL


@dataclass(frozen=True, kw_only=True)
class Picks:
    """What is picked of each group without the rows that judge, and its predictions for them."""

    held_out: HeldOut
    """The rows that judge."""
    predictions: Mapping[Group, np.ndarray]
    """(n_entries, n_outputs) each; a group without a trial is left out."""
    models: Mapping[Group, tuple[Any, Any]] | None = None
    """The fitted model of each with the rows as it takes them, for a score that reads the model itself; None where each
    fold has one of its own."""
    teacher: np.ndarray | None = None
    """Predictions of the teacher, which has not seen the rows, (n_entries, n_outputs)."""
    method: str
    """As in `Verdict`."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Rows outside the search, as a `Method`; models are fitted where the search runs its hops."""

    assessment: Assessment
    prefixes: Prefixes
    number: int
    """Of the fold on whose training rows models are fitted that predict the rows."""
    X: Any
    """(n_rows, n_features), of the kind of the search's."""
    held_out: HeldOut
    teacher: np.ndarray | None
    """Predictions of the teacher for the rows, which it has not seen, (n_rows, n_outputs)."""
    believed: TeacherOutputs | None
    """Cross-fitted outputs of the teacher: they help to choose within the groups."""
    name: str
    leaks: tuple[str, ...]
    """How these rows may have been learned from, in words."""
    notes: tuple[str, ...] = ()

    def verdict(self, case: Case) -> Verdict:
        """Return the verdict on one student."""
        places: dict[Group, int] = {
            group: self.assessment.choose(case.records, case.predictions, self.believed, trials)
            for group, trials in case.groups.items()
            if group != Group.SELECTED and len(trials)
        }
        places[Group.SELECTED] = case.chosen
        paths = {group: case.records[place].path for group, place in places.items()}
        futures = {path: self.prefixes.student(self.number, path) for path in paths.values()}
        models = {path: result(self.prefixes.session, future) for path, future in futures.items()}
        scoring = self.assessment.problem.scoring
        predictions = {path: scoring.table(model, self.X) for path, model in models.items()}
        picks = Picks(
            held_out=self.held_out,
            predictions={group: predictions[path] for group, path in paths.items()},
            models={group: (models[path], self.X) for group, path in paths.items()},
            teacher=self.teacher,
            method=self.name,
        )
        return verdict_on(self.assessment, picks, case, self.leaks)


def verdict_on(assessment: Assessment, picks: Picks, case: Case, leaks: tuple[str, ...]) -> Verdict:
    """Return the verdict by rows that chose nothing; `leaks` say how they may have been learned from."""
    scoring = assessment.problem.scoring
    if isinstance(scoring, ModelScoring) and picks.models is None:
        verdict = empty_verdict(case.hops, picks.held_out.n_rows, scoring, fits=case.fits)
        notes = (*assessment.score_notes, *case.notes)
        return with_leaks(case.counted(verdict, notes=notes, method=picks.method), leaks)
    case = case.noted(*assessment.notes_on(case.records))
    return with_leaks(contrast(picks, case, scoring, assessment.problem.random_state), leaks)


def contrast(picks: Picks, case: Case, scoring: Scoring, random_state: int) -> Verdict:
    """Return the verdict on what was picked of each group without the rows that judge.

    Parameters
    ----------
    picks : Picks
        What was picked, and the rows that judge.
    case : Case
        The trials, and which of them was chosen.
    scoring : Scoring
        What better means.
    random_state : int
        Base seed of the draws.
    """
    with thread_limit():
        groups, tables = [*picks.predictions], [*picks.predictions.values()]
        rows: list[str] = [*groups]
        guesses = guesses_for(picks.held_out, scoring)
        if guesses is not None:
            rows, tables = [*rows, NO_SKILL], [*tables, guesses]
        evidence = _evidence(picks, tables, scoring)
        count = n_draws(scoring)
        parts: dict[str, list[np.ndarray]] = {name: [] for name in evidence}
        for draws in draws_of(picks.held_out.n_units, count, random_state):
            for name, one in evidence.items():
                parts[name].append(one.means(draws))
        everything = np.ones((1, picks.held_out.n_units))
        scores: dict[str, dict[str, np.ndarray]] = {}
        points: dict[str, dict[str, float]] = {}
        for place, row in enumerate(rows):
            scores[row] = {name: np.concatenate(values)[:, place] for name, values in parts.items()}
            points[row] = {name: float(one.means(everything)[0, place]) for name, one in evidence.items()}
        for group in set(case.groups) - set(groups):
            scores[group] = {name: np.full(count, np.nan) for name in evidence}
            points[group] = dict.fromkeys(evidence, float("nan"))
        steps = [group for group in steps_of(case.groups) if group in picks.predictions]
        by_fold = dict(zip(rows, evidence["score"].means(_fold_draws(picks.held_out)).T, strict=False))
        comparing = Comparing(
            scores=scores,
            points=points,
            widths={
                pair: widening(
                    scores[pair.better]["score"] - scores[pair.worse]["score"],
                    by_fold[pair.better] - by_fold[pair.worse],
                )
                for pair in [*COMPARISONS, *(Comparison(more, less) for less, more in combinations(steps, 2))]
                if {*pair} <= {*groups}
            },
            held_out=picks.held_out,
            scoring=scoring,
            same=same_as_chosen(case.groups, case.chosen),
            steps=steps,
            teacher=picks.teacher,
        )
        return case.counted(comparing.verdict({}, case.notes), method=picks.method)


def _evidence(picks: Picks, tables: Sequence[np.ndarray], scoring: Scoring) -> dict[str, Any]:
    """Return the evidence of the score and of each measure, for what is picked and what no skill says."""
    score: Any
    if isinstance(scoring, ModelScoring):
        models = [] if picks.models is None else [picks.models[group] for group in picks.predictions]
        score = ModelEvidence(models, picks.held_out, scoring)
    else:
        score = evidence_for(tables, picks.held_out, scoring)
    return {
        "score": score,
        **{name: evidence_for(tables, picks.held_out, one) for name, one in measures(scoring).items()},
    }


def _fold_draws(held_out: HeldOut) -> np.ndarray:
    """Return for each fold which units lie in it, (n_folds, n_units) of 0 and 1."""
    folds, place = np.unique(held_out.fold, return_inverse=True)
    draws = np.zeros((len(folds), held_out.n_units))
    draws[place, held_out.unit] = 1.0
    return draws


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

    def everywhere(values: np.ndarray) -> np.ndarray:
        table = np.full((n_rows, values.shape[1]), np.nan, dtype=values.dtype)
        table[rows] = values
        return table

    response = None if outputs.response is None else everywhere(outputs.response)
    return TeacherOutputs(everywhere(outputs.predictions), temperature=outputs.temperature, response=response)


def rows_outside(problem: Problem, rows: np.ndarray) -> HeldOut:
    """Return rows of the problem outside the search as those by which models on the rows searched are compared."""
    together = rows if problem.groups is None else problem.groups[rows]
    return HeldOut(
        problem.y[rows],
        np.zeros(len(rows), dtype=int),
        rows,
        np.unique(together, return_inverse=True)[1],
        problem.weights(rows),
        guesses=guesses_on(problem, problem.searched.train, len(rows)),
    )


def best_of(assessment: Assessment, prefixes: Prefixes, records: Sequence[TrialRecord], picks: Sequence[int]) -> int:
    """Return which of the `picks`, positions of records, is best on the rows that choose, by the rule of every choice.

    Each is fitted on the rows searched, as for the verdict.
    """
    problem = assessment.problem
    rows = problem.rows(problem.choosing)
    futures = [prefixes.student(problem.searched.number, records[position].path) for position in picks]
    tables = [problem.scoring.table(result(prefixes.session, future), rows) for future in futures]
    evidence = choice_evidence(tables, rows_outside(problem, problem.choosing), problem.scoring)
    hops = np.array([records[position].hops for position in picks])
    everything = np.ones((1, evidence.n_units))
    return picks[int(choose(evidence, hops, everything, np.arange(len(picks)), assessment.tolerance)[0])]


def held_out_rows(assessment: Assessment, prefixes: Prefixes, teacher: Any, believed: TeacherOutputs | None) -> Outside:
    """Return the rows outside the search, as a `Method`; `teacher` is fitted on the rows searched."""
    problem = assessment.problem
    fold = problem.searched
    rows = fold.test
    by_teacher = None
    if isinstance(teacher, RowTeacher):
        by_teacher = teacher.outputs_on_rows(problem.given_numbers(rows), problem.classes).astype(problem.stored)
    elif teacher is not None:
        by_teacher = problem.scoring.table(teacher, problem.rows(rows))
    return Outside(
        assessment=assessment,
        prefixes=prefixes,
        number=fold.number,
        X=problem.rows(rows),
        held_out=rows_outside(problem, rows),
        teacher=by_teacher,
        believed=believed,
        name=HELD_OUT,
        leaks=assessment.leaks,
    )


@dataclass(frozen=True)
class FreshRows:
    """Rows of the user's that judge."""

    X: Any
    y: np.ndarray
    """In the codes of the problem, or values."""
    leaks: tuple[str, ...]
    """How they may have been learned from, in words."""


def fresh_rows_method(
    assessment: Assessment, prefixes: Prefixes, rows: FreshRows, models: PathModels, believed: TeacherOutputs | None
) -> Outside:
    """Return fresh rows as a `Method`: rivals are fitted on the rows on which `models`, which are handed over, were."""
    problem, n_rows, fold, teacher = assessment.problem, len(rows.y), models.fold, models.by_name.get(TEACHER)
    return Outside(
        assessment=assessment,
        prefixes=prefixes,
        number=fold.number,
        X=rows.X,
        held_out=HeldOut(
            rows.y,
            np.zeros(n_rows, dtype=int),
            np.arange(n_rows),
            np.arange(n_rows),
            guesses=guesses_on(problem, fold.train, n_rows),
        ),
        teacher=problem.scoring.table(teacher, rows.X) if hasattr(teacher, "predict") else None,
        believed=believed,
        name=FRESH,
        leaks=rows.leaks,
    )
