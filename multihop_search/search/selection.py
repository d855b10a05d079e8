"""The selection: of each student the chosen trial, of all students the best, refitted within the budget, and judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.refit import PathModels, refit
from multihop_search.errors import RefitWarning, SearchFailed, StudentLeftOutWarning, warn
from multihop_search.models.complexity import latency_us, size_of
from multihop_search.paths.ladder import Ladder
from multihop_search.problem.problem import Problem
from multihop_search.problem.teacher import GIVEN, RowTeacher
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.method import Method
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import BBC, FRESH, NESTED, Verdict

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
    with_fits: Collection[str] = (),
) -> Selection:
    """Choose, and refit the best: where that fails, the next best, with a warning.

    Parameters
    ----------
    assessment, trials
        Of the search.
    prefixes : Prefixes
        Runs the refits.
    teacher : FittedTeacher or None
        On all rows; without one, only paths without hops are chosen.
    believed : TeacherOutputs or None
        What of the teacher helps to choose.
    with_fits : collection of str
        Students of which ways of fitting were searched.

    Raises
    ------
    SearchFailed
        If no trial is within the budget, or none can be fitted on all rows.
    """
    problem, ladder = prefixes.problem, prefixes.ladder
    failures: list[str] = []

    def refitted(record: TrialRecord) -> PathModels | None:
        """Return the refit of a trial; None if it fails."""
        try:
            return refit(prefixes, record.path, teacher)
        except Exception as error:
            said = f"trial {record.number} ({record.path}) could not be fitted on all rows, it said: {_said(error)}"
            failures.append(said)
            if len(failures) == MOST_REFITS:
                raise SearchFailed(
                    f"some path must be fitted on all rows, {MOST_REFITS} could not: {said}: results_ holds the "
                    "trials, refit_trial(number) tries another one."
                ) from error
            warn(f"{said}: the next best path is taken.", RefitWarning)
            return None

    cases: dict[str, Case] = {}
    refits: dict[str, PathModels] = {}
    inside = {
        name: [
            (record, found)
            for record, found in trials.kept(name)
            if record.inside and (teacher is not None or not record.hops)
        ]
        for name in ladder.students
    }
    tried = {name: [record for record in trials.records if record.path.student == name] for name in ladder.students}

    def choose(name: str) -> None:
        """Choose a trial of a student, within the budget on all rows too."""
        cases.pop(name, None)
        while inside[name]:
            records, predictions = [record for record, _ in inside[name]], [found for _, found in inside[name]]
            position = assessment.choose(records, predictions, believed)
            if ladder.budget.bounds:  # on all rows a model may be larger than in the folds
                model = refitted(records[position])
                if model is None or not _fits(problem, ladder, model):
                    del inside[name][position]
                    continue
                refits[name] = model
            cases[name] = Case(records, predictions, position, tried[name], name in with_fits)
            return
        complete = any(record.complete for record in tried[name])
        why = "is within the budget" if complete and ladder.budget.bounds else "is complete"
        why = "can be fitted on all rows" if failures else why
        if len(ladder.students) > 1:
            warn(f"no trial of student {name!r} {why}, so it is left out: see results_.", StudentLeftOutWarning)

    for name in ladder.students:
        choose(name)
    while cases:
        name = max(cases, key=lambda name: assessment.score(cases[name].records[cases[name].chosen]))
        case = cases[name]
        best = case.records[case.chosen]
        model = refits.get(name) or refitted(best)
        if model is not None:
            return Selection(best, model, cases)
        del inside[name][case.chosen]
        choose(name)
    if failures:
        raise SearchFailed(
            f"some path must be fitted on all rows, none could: {failures[-1]}: results_ holds the trials."
        )
    raise SearchFailed(_nearest(trials, ladder))


def verdicts_of(selection: Selection, method: Method, ladder: Ladder) -> dict[str, Verdict]:
    """Return the verdict on each student's choice."""
    notes = (GIVEN,) if isinstance(ladder.teacher, RowTeacher) and method.name != FRESH else ()
    if ladder.budget.latency_us is not None:
        notes = (*notes, MEASURED)
    notes = (*notes, *method.notes)
    verdicts = {name: method.verdict(replace(case, notes=notes)) for name, case in selection.cases.items()}
    name = selection.best.path.student
    if len(verdicts) > 1 and verdicts[name].method in (BBC, NESTED):
        said = f"it is the best of {len(verdicts)} students by these very rows"
        verdicts[name] = replace(verdicts[name], notes=(*verdicts[name].notes, said))
    return verdicts


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
