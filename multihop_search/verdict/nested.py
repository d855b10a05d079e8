"""The nested search: the whole search again without each outer fold, whose held-out rows judge what it picks.

The search without fold f holds out, one after the other, the rows of the other outer folds. Its models without the rows
of f and g serve the search without g as well, and so do their prefixes: K (K - 1) / 2 fits of each path beside the K of
the search itself. Everything else is the search again: its sampler asks, paths are stopped, the same choice picks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np

from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import TrialRecord
from multihop_search.engine.student import Outcome
from multihop_search.errors import ClusterLost, SearchFailed
from multihop_search.executors import Future, Session
from multihop_search.paths.groups import Group
from multihop_search.paths.path import Path
from multihop_search.problem.folds import held_by
from multihop_search.problem.problem import Fold, Problem, Role
from multihop_search.problem.responses import joined_tables
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.outside import Picks, outputs_by_row, verdict_on
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import NESTED, Verdict


def part_of(problem: Problem, place: np.ndarray, rows: np.ndarray, outcome: Outcome) -> Outcome:
    """Return the part of an outcome that is about `rows`, which stand at `place` among its held-out rows."""
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


class WithoutFold:
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
                folds.append(replace(pair, number=len(folds), role=Role.OUTER, test=rows))
                self._pairs.append((pair, np.searchsorted(pair.test, rows), rows))
        self.problem = replace(problem, folds=tuple(folds), pairs={})

    def outcome(self, number: int, path: Path) -> Future:
        pair, place, rows = self._pairs[number]
        return self.session.submit(part_of, self._prefixes.shared[0], place, rows, self._shared.outcome(pair, path))


Again = Callable[[int, WithoutFold, Assessment], Trials]
"""Runs the search again, on the folds without the outer one of that number, and returns its trials."""


class NestedSearch:
    """The held-out rows of the outer folds, each by a search that was run again without it; a `Method`.

    Parameters
    ----------
    assessment : Assessment
        Of the search itself.
    prefixes : Prefixes
        Where its hops run; its problem has folds for pairs of outer ones.
    believed : TeacherOutputs
        Cross-fitted outputs of the teacher, a row for each of the problem's.
    again : callable
        Runs the search again.
    with_fits : collection of str
        Students of which ways of fitting are searched.
    """

    name = NESTED
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        assessment: Assessment,
        prefixes: Prefixes,
        believed: TeacherOutputs | None,
        again: Again,
        with_fits: Collection[str] = (),
    ) -> None:
        self.believed = believed
        self._assessment, self._prefixes, self._again, self._with_fits = assessment, prefixes, again, with_fits
        self._students = tuple(prefixes.ladder.students)
        self._shared = _Shared(prefixes)
        self._picks: dict[int, dict[str, dict[Group, np.ndarray]]] = {}
        """By outer fold, student and group: predictions of what is picked for the held-out rows."""

    def run(self) -> None:
        """Run the search again without each outer fold, and predict its held-out rows by what is picked."""
        for outer in self._prefixes.problem.folds:
            without = WithoutFold(self._prefixes, self._shared, outer)
            if without.problem.folds:
                picks = self._without(outer, without)
                if picks is not None:
                    self._picks[outer.number] = picks

    def verdict(self, case: Case) -> Verdict:
        """Return the verdict on one student, once the searches were run."""
        name, notes = case.records[case.chosen].path.student, case.notes
        by_fold = {number: picks[name] for number, picks in self._picks.items() if name in picks}
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
        groups = set.intersection(*(set(picks) for picks in by_fold.values()))
        some = set().union(*by_fold.values())
        notes = (*notes, *(f"{group} had no complete trial without some outer fold" for group in sorted(some - groups)))
        picks = Picks(
            held_out=judging,
            predictions={group: joined_tables([one[group] for one in by_fold.values()]) for group in groups},
            teacher=self._assessment.unseen(self.believed, judging.row),
            method=NESTED,
        )
        return verdict_on(self._assessment, picks, replace(case, notes=notes), self._assessment.leaks)

    def _without(self, outer: Fold, without: WithoutFold) -> dict[str, dict[Group, np.ndarray]] | None:
        """Run the search without an outer fold; None if it fails there."""
        problem, session = self._prefixes.problem, self._prefixes.session
        assessment = replace(self._assessment, problem=without.problem)
        try:
            trials = self._again(outer.number, without, assessment)
        except SearchFailed:  # a fold of few rows may lack what a student needs
            return None
        try:
            outputs = session.result(self._prefixes.outputs(outer.number, ()))
        except ClusterLost:
            raise
        except Exception:  # the teacher may take too long
            return None
        teacher = outputs_by_row(outputs, outer.train, problem.n_rows)
        picks = {name: dict(self._picked(outer, name, assessment, trials, teacher)) for name in self._students}
        return {name: groups for name, groups in picks.items() if groups}

    def _picked(
        self, outer: Fold, name: str, assessment: Assessment, trials: Trials, teacher: TeacherOutputs
    ) -> Iterator[tuple[Group, np.ndarray]]:
        """Yield each group of a student with the predictions of its pick for the held-out rows of the outer fold."""
        inside = [(record, table) for record, table in trials.kept(name) if record.inside]
        if not inside:
            return
        records, predictions = [record for record, _ in inside], [table for _, table in inside]
        case = Case(records, predictions, 0, fits=name in self._with_fits)  # nothing is chosen of all yet
        done: dict[Path, Outcome | None] = {}
        for group, members in case.groups.items():
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
