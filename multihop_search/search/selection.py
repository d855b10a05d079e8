"""The selection: of each student the chosen trial, of all students the best, refitted within the budget, and judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.deadline import Deadline
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.refit import PathModels, refit
from multihop_search.errors import RefitWarning, SearchFailed, StudentLeftOutWarning, warn
from multihop_search.models.complexity import latency_us, size_of
from multihop_search.paths.groups import BY_HOPS, groups_of
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER
from multihop_search.problem.problem import Fold, Problem
from multihop_search.problem.scorers import ModelScoring
from multihop_search.problem.teacher import GIVEN, RowTeacher
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.method import Method
from multihop_search.verdict.outside import best_of
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import BBC, FRESH, HELD_OUT, NESTED, Verdict

REFITTED = "the interval speaks of models fitted without them, best_estimator_ was fitted on all rows afterwards"
MEASURED = "latency was measured, so this search cannot be repeated exactly"
MOST_REFITS = 12
"""Chosen paths that may fail on all rows before the search says so."""


@dataclass(frozen=True)
class Selection:
    """What the search hands back, before it is judged."""

    best: TrialRecord
    """The best by score among the chosen."""
    models: PathModels
    """Its path, fitted on all rows."""
    cases: Mapping[str, Case]
    """What each student's verdict is about, by name."""

    @property
    def chosen(self) -> dict[str, TrialRecord]:
        """The choice of each student, by name."""
        return {name: case.records[case.chosen] for name, case in self.cases.items()}


def select(
    assessment: Assessment,
    trials: Trials,
    prefixes: Prefixes,
    teacher: FittedTeacher | None,
    believed: TeacherOutputs | None,
    *,
    judges: Prefixes,
    with_fits: Collection[str] = (),
    deadline: Deadline | None = None,
) -> Selection:
    """Choose, and refit the best: where that fails, the next best, with a warning.

    Parameters
    ----------
    assessment, trials
        Of the search.
    prefixes : Prefixes
        Runs the refits.
    teacher : FittedTeacher or None
        On all rows searched; without one, only paths without hops are chosen.
    believed : TeacherOutputs or None
        What of the teacher helps to choose.
    judges : Prefixes
        Runs the fits of models that are compared on rows outside the search, as the verdict does.
    with_fits : collection of str
        Students of which ways of fitting were searched.
    deadline : Deadline or None, default=None
        Where there is no time for all rows, those searched are fitted on.

    Raises
    ------
    SearchFailed
        If no trial is within the budget, or none can be fitted on all rows.
    """
    chooser = _Chooser(
        assessment, trials, prefixes, teacher, believed, judges=judges, with_fits=with_fits, deadline=deadline
    )
    for name in prefixes.ladder.students:
        chooser.choose(name)
    while chooser.cases:
        name = chooser.best_student()
        case = chooser.cases[name]
        record = case.records[case.chosen]
        model = chooser.refits.get(name) or chooser.refitted(record)
        if model is not None:
            return Selection(record, model, chooser.cases)
        chooser.strike(name, case.chosen)
        chooser.choose(name)
    if chooser.failures:
        raise SearchFailed(
            f"some path must be fitted on all rows, none could: {chooser.failures[-1]}: results_ holds the trials."
        )
    raise SearchFailed(_nearest(trials, prefixes.ladder))


class _Chooser:
    """Chooses a trial of each student; one that cannot be fitted, or is too large on all rows, makes way for the next.

    Attributes
    ----------
    cases : dict of str to Case
        The choice of each student that has one.
    refits : dict of str to PathModels
        Of the choices that were refitted to see whether they are within the budget.
    failures : list of str
        Why refits failed.
    """

    def __init__(
        self,
        assessment: Assessment,
        trials: Trials,
        prefixes: Prefixes,
        teacher: FittedTeacher | None,
        believed: TeacherOutputs | None,
        *,
        judges: Prefixes,
        with_fits: Collection[str],
        deadline: Deadline | None,
    ) -> None:
        self.cases: dict[str, Case] = {}
        self.refits: dict[str, PathModels] = {}
        self.failures: list[str] = []
        self._teacher_on_all_rows: FittedTeacher | None = None
        self._assessment, self._prefixes, self._teacher = assessment, prefixes, teacher
        self._judges, self._believed, self._with_fits, self._deadline = judges, believed, with_fits, deadline
        students = prefixes.ladder.students
        self._tried = {name: [record for record in trials.records if record.path.student == name] for name in students}
        self._candidates = {
            name: [
                (record, predictions)
                for record, predictions in trials.kept(name)
                if record.inside and (teacher is not None or not record.hops)
            ]
            for name in students
        }

    def best_student(self) -> str:
        """Return the student whose choice has the best score."""
        scores = {name: self._assessment.score(case.records[case.chosen]) for name, case in self.cases.items()}
        return max(scores, key=lambda name: scores[name])

    def strike(self, name: str, position: int) -> None:
        """Take a trial of a student out of what is chosen among."""
        del self._candidates[name][position]

    def choose(self, name: str) -> None:
        """Choose a trial of a student, within the budget on all rows too; without one the student is left out."""
        self.cases.pop(name, None)
        problem, ladder = self._prefixes.problem, self._prefixes.ladder
        while self._candidates[name]:
            records = [record for record, _ in self._candidates[name]]
            predictions = [of_record for _, of_record in self._candidates[name]]
            position = self._position(records, predictions)
            if ladder.budget.bounds:  # on all rows a model may be larger than in the folds
                model = self.refitted(records[position])
                if model is None or not _fits(problem, ladder, model):
                    self.strike(name, position)
                    continue
                self.refits[name] = model
            self.cases[name] = Case(records, predictions, position, self._tried[name], name in self._with_fits)
            return
        if len(ladder.students) > 1:
            why = self._why_none(name)
            warn(f"no trial of student {name!r} {why}, so it is left out: see results_.", StudentLeftOutWarning)

    def _position(self, records: Sequence[TrialRecord], predictions: Sequence[np.ndarray]) -> int:
        """Return the position of the choice.

        Where rows are set aside for that, they choose among the best plain, one-hop and multi-hop path.
        """
        assessment, problem = self._assessment, self._prefixes.problem
        if not len(problem.choosing) or isinstance(problem.scoring, ModelScoring):
            return assessment.choose(records, predictions, self._believed)
        groups = groups_of(np.array([record.hops for record in records]))
        among = [groups[group] for group in BY_HOPS if len(groups[group])]
        picks = [assessment.choose(records, predictions, self._believed, trials) for trials in among]
        return best_of(assessment, self._judges, records, picks)

    def _why_none(self, name: str) -> str:
        if self.failures:
            return "can be fitted on all rows"
        complete = any(record.complete for record in self._tried[name])
        return "is within the budget" if complete and self._prefixes.ladder.budget.bounds else "is complete"

    def _fold_for(self, record: TrialRecord) -> Fold:
        """Return the fold on whose rows the path is fitted for use."""
        problem = self._prefixes.problem
        if self._deadline is None or self._deadline.has_time_for(problem.whole, record):
            return problem.whole
        return problem.searched

    def _teacher_for(self, record: TrialRecord, fold: Fold) -> FittedTeacher | None:
        """Return the teacher on the rows of the fold; for a path without hops that of the search is as well."""
        problem = self._prefixes.problem
        if self._teacher is None or fold is problem.searched or not record.hops:
            return self._teacher
        if self._teacher_on_all_rows is None:
            future = self._prefixes.teacher(problem.whole.number)
            self._teacher_on_all_rows = self._prefixes.session.result(future)
        return self._teacher_on_all_rows

    def refitted(self, record: TrialRecord) -> PathModels | None:
        """Return the refit of a trial; None, and a warning, if it fails.

        Raises
        ------
        SearchFailed
            If as many have failed as may.
        """
        prefixes = self._prefixes
        try:
            fold = self._fold_for(record)
            return refit(prefixes, record.path, fold, self._teacher_for(record, fold))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            failure = f"trial {record.number} ({record.path}) could not be fitted on all rows, it said: {reason}"
            self.failures.append(failure)
            if len(self.failures) == MOST_REFITS:
                raise SearchFailed(
                    f"some path must be fitted on all rows, {MOST_REFITS} could not: {failure}: results_ holds the "
                    "trials, refit_trial(number) tries another one."
                ) from error
            warn(f"{failure}: the next best path is taken.", RefitWarning)
            return None


def verdicts_of(selection: Selection, method: Method, ladder: Ladder, assessment: Assessment) -> dict[str, Verdict]:
    """Return the verdict on each student's choice."""
    notes = (GIVEN,) if isinstance(ladder.teacher, RowTeacher) and method.name != FRESH else ()
    if ladder.budget.latency_us is not None:
        notes = (*notes, MEASURED)
    if method.name == HELD_OUT:
        notes = (*notes, _refitted(assessment.problem, selection.models.n_rows))
    if method.name == FRESH:
        notes = (*notes, *_fitted(assessment.problem, selection))
    notes = (*notes, *method.notes)
    verdicts = {
        name: method.verdict(replace(case, notes=(*notes, *_passed_over(case, assessment))))
        for name, case in selection.cases.items()
    }
    name = selection.best.path.student
    if len(verdicts) > 1 and verdicts[name].method in (BBC, NESTED):
        note = f"it is the best of {len(verdicts)} students by these very rows"
        verdicts[name] = replace(verdicts[name], notes=(*verdicts[name].notes, note))
    return verdicts


def _refitted(problem: Problem, n_rows: int) -> str:
    """Say what the models that are judged were fitted on, and what the one that is handed over."""
    if n_rows == len(problem.searched.train):
        return f"best_estimator_ is fitted, like the models that are judged, on {n_rows:,} of {problem.n_given:,} rows"
    if n_rows == problem.n_given:
        return REFITTED
    return (
        f"the interval speaks of models fitted on the {len(problem.searched.train):,} rows searched, best_estimator_ "
        f"was fitted on {n_rows:,} of {problem.n_given:,} rows afterwards"
    )


def _fitted(problem: Problem, selection: Selection) -> tuple[str, ...]:
    """Say of models that fresh rows judge on how many rows they were fitted, where not all were searched."""
    if problem.sample is None:
        return ()
    n_rows, n_searched = selection.models.n_rows, len(problem.searched.train)
    note = f"the search saw {n_searched:,} rows, the models that are judged were fitted on {n_rows:,}"
    if TEACHER in selection.models.by_name and not selection.best.hops and n_rows > n_searched:
        note += f", the teacher on {n_searched:,}"
    return (note,)


def _passed_over(case: Case, assessment: Assessment) -> tuple[str, ...]:
    """Say which trial of more hops has a better score than the chosen one, and how to get it; or which rows chose."""
    n_choosing = len(assessment.problem.choosing)
    if n_choosing:
        return (f"{n_choosing:,} other rows chose the number of hops",) if case.hops.any() else ()
    chosen = case.records[case.chosen]
    best = max(case.records, key=assessment.score)
    if best.hops <= chosen.hops or not assessment.score(best) > assessment.score(chosen):
        return ()
    unit = assessment.problem.scoring.unit
    theirs, own = (f"{unit.sign * assessment.score(record):.4g}" for record in (best, chosen))
    hops = "1 hop" if best.hops == 1 else f"{best.hops} hops"
    return (
        f"trial {best.number} ({hops}) has a better {unit.name}, {theirs} against {own}, but not by enough to be worth "
        f"more hops (tolerance={assessment.tolerance:g}): refit_trial({best.number}) returns its student",
    )


def _fits(problem: Problem, ladder: Ladder, fitted: PathModels) -> bool:
    row = problem.rows(problem.whole.train[:1])
    excess = ladder.budget.excess(size_of(fitted.student), latency_us(fitted.student, row))
    return all(share <= 0 for share in excess.values())


def _nearest(trials: Trials, ladder: Ladder) -> str:
    """Say that nothing is within the budget, and what came nearest."""
    complete = [record for record in trials.records if record.complete]
    if not complete or not ladder.budget.bounds:
        return "some trial must be complete, none is: see the reasons in a longer search."
    nearest = min(complete, key=lambda record: max(record.excess.values(), default=0.0))
    name, share = max(nearest.excess.items(), key=lambda item: item[1])
    bound = ladder.budget.bounds[name]
    return (
        f"some student must be within the budget, none is: the nearest, {nearest.path.student!r} of trial "
        f"{nearest.number}, has {name}={bound * (1 + share):.4g} and the budget allows {bound:.4g}: raise it."
    )
