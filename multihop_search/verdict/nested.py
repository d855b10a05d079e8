"""The nested search: the whole search again without each outer fold, whose held-out rows judge what it picks.

The search without fold f holds out, one after the other, the rows of the other outer folds. Its models without the rows
of f and g serve the search without g as well, and so do their prefixes: K (K - 1) / 2 fits of each path beside the K of
the search itself. Everything else is the search again: its sampler asks, paths are stopped, the same choice picks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from multihop_search.engine.log import Log
from multihop_search.engine.loop import Loop
from multihop_search.engine.plan import Plan
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.student import Outcome
from multihop_search.engine.study import new_study
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Future, Session
from multihop_search.paths.path import Path
from multihop_search.problem.folds import held_by
from multihop_search.problem.problem import Fold, Problem
from multihop_search.problem.responses import joined_tables
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Answers, Assessment, Case
from multihop_search.verdict.kept import Trials
from multihop_search.verdict.outside import outputs_by_row
from multihop_search.verdict.verdict import NESTED, Verdict


@dataclass(frozen=True)
class Routine:
    """What is run again: the settings of the search, and how many trials it told."""

    plan: Callable[[], Plan]
    """Makes the plan with a sampler that knows nothing."""
    pruner: Callable[[], Any]
    n_ahead: int
    n_trials: int
    """As many as the search told."""
    adaptive: bool
    """Whether the sampler learns."""
    with_fits: Collection[str]
    """Students of which ways of fitting are searched."""
    log: Callable[[int], AbstractContextManager[Log | None]]
    """Opens the log of the search without an outer fold."""
    show: Callable[[int, float], None]
    """Called with hops and score of each told trial."""


def part_of(problem: Problem, place: np.ndarray, rows: np.ndarray, outcome: Outcome) -> Outcome:
    """Return what an outcome says of some of its held-out rows: `rows`, which stand at `place` among them."""
    predictions = outcome.predictions[place]
    score = problem.scoring.score_fold(None, None, problem.y[rows], predictions, problem.weights(rows))
    return replace(outcome, predictions=predictions, score=score)


class _Shared:
    """Outcomes in the folds without two outer ones, each of which two searches need; bounded in bytes."""

    def __init__(self, prefixes: Prefixes) -> None:
        self._prefixes = prefixes
        self._left = prefixes.session.cache_bytes
        self._kept: dict[tuple[int, Path], tuple[Future, int]] = {}

    def outcome(self, pair: Fold, path: Path) -> Future:
        """Return the future of an outcome: the second time the one of the first, if there was room."""
        key = (pair.number, path)
        if key in self._kept:
            future, size = self._kept.pop(key)
            self._left += size
            return future
        future = self._prefixes.outcome(pair.number, path)
        problem = self._prefixes.problem
        size = len(pair.test) * problem.n_outputs * np.dtype(problem.stored).itemsize
        self._kept[key] = (future, size)
        self._left -= size
        while self._left < 0 and len(self._kept) > 1:  # a sampler that learns asks for others: the oldest are not met
            self._left += self._kept.pop(next(iter(self._kept)))[1]
        return future


class _Without:
    """The folds of the search without an outer one, as the loop sees prefixes."""

    def __init__(self, prefixes: Prefixes, shared: _Shared, outer: Fold) -> None:
        problem = prefixes.problem
        self.session: Session = prefixes.session
        self._prefixes, self._shared = prefixes, shared
        self._pairs: list[tuple[Fold, np.ndarray, np.ndarray]] = []
        folds: list[Fold] = []
        for (one, other), pair in problem.pairs.items():
            if outer.number not in (one, other):
                continue
            inner = problem.folds[other if one == outer.number else one]
            rows = held_by(inner, outer)
            if len(rows):
                folds.append(Fold(len(folds), pair.train, rows, pair.inner))
                self._pairs.append((pair, np.searchsorted(pair.test, rows), rows))
        self.problem = replace(problem, folds=tuple(folds), pairs={})

    def outcome(self, number: int, path: Path) -> Future:
        pair, place, rows = self._pairs[number]
        return self.session.submit(part_of, self._prefixes.shared[0], place, rows, self._shared.outcome(pair, path))


class NestedSearch:
    """Runs the search again without each outer fold, and gives the verdict by their held-out rows; a `Judge`.

    Parameters
    ----------
    assessment : Assessment
        Of the search itself.
    prefixes : Prefixes
        Where its hops run; its problem has folds for pairs of outer ones.
    routine : Routine
        What is run again.
    """

    def __init__(self, assessment: Assessment, prefixes: Prefixes, routine: Routine) -> None:
        self._assessment, self._prefixes, self._routine = assessment, prefixes, routine
        self._students = tuple(prefixes.ladder.students)
        self._shared = _Shared(prefixes)
        self._answers: dict[int, dict[str, dict[str, np.ndarray]]] = {}

    def run(self) -> None:
        """Run the search again without each outer fold: what was picked says what of its held-out rows."""
        for outer in self._prefixes.problem.folds:
            without = _Without(self._prefixes, self._shared, outer)
            if without.problem.folds:
                said = self._without(outer, without)
                if said is not None:
                    self._answers[outer.number] = said

    def verdict(self, case: Case, teacher: TeacherOutputs) -> Verdict:
        """Return the verdict on one student, once the searches were run."""
        name, notes = case.records[case.chosen].path.student, case.notes
        by_fold = {number: said[name] for number, said in self._answers.items() if name in said}
        if not by_fold:
            raise SearchFailed(
                f"a nested search must choose a student {name!r} without some outer fold, none did: use "
                "verdict='bbc', or more rows."
            )
        n_folds = len(self._prefixes.problem.folds)
        if len(by_fold) < n_folds:
            notes = (*notes, f"{n_folds - len(by_fold)} of {n_folds} outer folds could not be judged")
        held_out = self._assessment.held_out
        judging = held_out.take(np.flatnonzero(np.isin(held_out.fold, list(by_fold))))
        groups = set.intersection(*(set(said) for said in by_fold.values()))
        some = set().union(*by_fold.values())
        notes = (*notes, *(f"{group} had no complete trial without some outer fold" for group in sorted(some - groups)))
        answers = Answers(
            judging,
            {group: joined_tables([said[group] for said in by_fold.values()]) for group in groups},
            None,
            self._assessment.said_unseen(teacher, judging.row),
            NESTED,
        )
        return self._assessment.verdict_on(answers, replace(case, notes=notes))

    def _without(self, outer: Fold, without: _Without) -> dict[str, dict[str, np.ndarray]] | None:
        """Run the search without an outer fold; None if it fails there."""
        problem, session = self._prefixes.problem, self._prefixes.session
        assessment = replace(self._assessment, problem=without.problem)
        try:
            trials = self._searched(outer, without, assessment)
        except SearchFailed:  # a fold of few rows may lack what a student needs
            return None
        try:
            outputs = session.result(self._prefixes.outputs(outer.number, ()))
        except ClusterLost:
            raise
        except Exception:  # the teacher may take too long
            return None
        teacher = outputs_by_row(outputs, outer.train, problem.n_rows)
        futures = {name: dict(self._picked(outer, name, assessment, trials, teacher)) for name in self._students}
        return {name: groups for name, groups in futures.items() if groups}

    def _searched(self, outer: Fold, without: _Without, assessment: Assessment) -> Trials:
        routine, trials = self._routine, Trials(assessment)
        with routine.log(outer.number) as log:
            loop = Loop(
                new_study(),
                routine.plan(),
                without,
                assessment,
                budget=self._prefixes.ladder.budget,
                pruner=routine.pruner(),
                n_ahead=routine.n_ahead,
                log=log,
            )
            for record, predictions in loop.run(routine.n_trials):
                trials.add(record, predictions)
                routine.show(record.hops, assessment.score(record) if record.inside else float("nan"))
        return trials

    def _picked(
        self, outer: Fold, name: str, assessment: Assessment, trials: Trials, teacher: TeacherOutputs
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield, for each group of a student, what its pick says of the held-out rows of the outer fold."""
        inside = [(record, said) for record, said in trials.kept(name) if record.inside]
        if not inside:
            return
        records, predictions = [record for record, _ in inside], [said for _, said in inside]
        case = Case(records, predictions, 0, fits=name in self._routine.with_fits)  # nothing is chosen of all yet
        done: dict[Path, Outcome | None] = {}
        for group, members in case.members.items():
            left = members
            while len(left):
                position = assessment.choose(records, predictions, teacher, left)
                outcome = self._fitted(outer, records[position], done)
                if outcome is not None:
                    yield group, outcome.predictions
                    break
                left = left[left != position]

    def _fitted(self, outer: Fold, record: TrialRecord, done: dict[Path, Outcome | None]) -> Outcome | None:
        """Return what a path does in the outer fold; None if it fails or exceeds the budget there."""
        if record.path not in done:
            done[record.path] = None
            try:
                outcome: Outcome = self._prefixes.session.result(self._prefixes.outcome(outer.number, record.path))
            except ClusterLost:
                raise
            except Exception:  # on more rows it may take too long, for instance
                return None
            excess = self._prefixes.ladder.budget.excess(outcome.size, record.latency_us)
            if all(share <= 0 for share in excess.values()):
                done[record.path] = outcome
        return done[record.path]
