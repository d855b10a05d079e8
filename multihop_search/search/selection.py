"""The selection: of each student the chosen trial, of all students the best, refitted within the budget, and judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from multihop_search.engine.refit import Refit, Teacher, refit
from multihop_search.errors import SearchFailed, StudentLeftOutWarning, warn
from multihop_search.paths.complexity import latency_us, size_of
from multihop_search.paths.ladder import Ladder
from multihop_search.problem.problem import Problem
from multihop_search.problem.teacher import GIVEN, RowTeacher
from multihop_search.results.assessment import Assessment, Case
from multihop_search.results.kept import Trials
from multihop_search.results.record import TrialRecord
from multihop_search.results.verdict import BBC, NESTED, Verdict
from multihop_search.search.judging import Bench

MEASURED = "latency was measured, so this search cannot be repeated exactly"


@dataclass(frozen=True)
class Selection:
    """What the search hands back."""

    best: TrialRecord
    """The best by score among the chosen."""
    refit: Refit
    """Its path, fitted on all rows."""
    chosen: Mapping[str, TrialRecord]
    """The choice of each student, by name."""
    verdicts: Mapping[str, Verdict]


def select(
    problem: Problem,
    ladder: Ladder,
    assessment: Assessment,
    trials: Trials,
    teacher: Teacher,
    bench: Bench,
    with_fits: Collection[str] = (),
) -> Selection:
    """Choose, refit and have it judged.

    `with_fits` names the students of which ways of fitting were searched.

    Raises
    ------
    SearchFailed
        If no trial is within the budget.
    """
    chosen, fitted, verdicts = {}, {}, {}
    notes = (GIVEN,) if isinstance(ladder.teacher, RowTeacher) and not bench.fresh else ()
    if ladder.budget.latency_us is not None:
        notes = (*notes, MEASURED)
    notes = (*notes, *bench.notes)
    for name in ladder.students:
        mine = [record for record in trials.records if record.path.student == name]
        inside = [(record, found) for record, found in trials.kept(name) if record.inside]
        while inside:
            records, predictions = [record for record, _ in inside], [found for _, found in inside]
            position = assessment.choose(records, predictions, bench.believed)
            if ladder.budget.bounds:
                fitted[name] = refit(problem, ladder, records[position].path, teacher)
                if not _fits(problem, ladder, fitted[name]):  # on all rows a model may be larger than in the folds
                    del inside[position]
                    continue
            chosen[name] = records[position]
            case = Case(records, predictions, position, mine, name in with_fits, notes)
            verdicts[name] = bench.judge.verdict(case, bench.believed)
            break
        else:
            complete = any(record.complete for record in mine)
            why = "is within the budget" if complete and ladder.budget.bounds else "is complete"
            left_out = f"no trial of student {name!r} {why}, so it is left out: see results_."
            if len(ladder.students) > 1:
                warn(left_out, StudentLeftOutWarning)
    if not chosen:
        raise SearchFailed(_nearest(trials, ladder))
    best = max(chosen.values(), key=assessment.score)
    name = best.path.student
    if len(chosen) > 1 and verdicts[name].method in (BBC, NESTED):
        said = f"it is the best of {len(chosen)} students by these very rows"
        verdicts[name] = replace(verdicts[name], notes=(*verdicts[name].notes, said))
    return Selection(best, fitted.get(name) or refit(problem, ladder, best.path, teacher), chosen, verdicts)


def _fits(problem: Problem, ladder: Ladder, fitted: Refit) -> bool:
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
