"""The verdict by resampling ("bbc"): the held-out rows of the search judge, and no model is fitted again.

Bootstrap bias-corrected cross-validation: draw rows again, re-run the whole choice on the rows drawn, score what it
picked on the rows not drawn. No row is held back, and the optimism of having picked the winner is gone, since no row
both picks and judges.

References
----------
Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation", Machine Learning 107, 2018, arXiv:1708.07180. Re-running a choice that prefers the simpler
inside each resample, and the paired comparisons of groups, are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from multihop_search.paths.groups import Group, group_sizes, groups_of, steps_of
from multihop_search.problem.row_scores import RowScoring
from multihop_search.problem.scorers import ModelScoring
from multihop_search.problem.scoring import Scoring
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case, same_as_chosen
from multihop_search.verdict.choice import TOLERANCE, choose
from multihop_search.verdict.comparison import Comparing, guesses_for, measured
from multihop_search.verdict.interval import draws_of, n_draws
from multihop_search.verdict.out_of_fold import Evidence, HeldOut, choice_evidence, evidence_for
from multihop_search.verdict.verdict import BBC, Verdict, empty_verdict, with_leaks
from multihop_search.verdict.words import NO_SKILL

NONE_LEFT = "all rows are one group, of which one half chose: nothing is left to judge"


@dataclass(frozen=True)
class Resampling:
    """The held-out rows of the search, as a `Method`; with a sampler that learns the half that it is not told about."""

    assessment: Assessment
    believed: TeacherOutputs | None
    """Cross-fitted outputs of the teacher, a row for each of the problem's; None without a teacher."""
    notes: tuple[str, ...] = ()
    """What else is to be said."""
    name: str = BBC

    def verdict(self, case: Case) -> Verdict:
        """Return the verdict on one student."""
        assessment, scoring = self.assessment, self.assessment.problem.scoring
        held_out = assessment.held_out
        if isinstance(scoring, ModelScoring):
            notes = (*assessment.score_notes, *case.notes)
            verdict = empty_verdict(case.hops, held_out.n_rows, scoring, fits=case.fits)
            return with_leaks(case.counted(verdict, notes=notes), assessment.leaks)
        judging = assessment.judging
        if len(judging) == 0:
            return case.counted(empty_verdict(case.hops, 0, scoring, fits=case.fits), notes=(NONE_LEFT, *case.notes))
        all_judge = len(judging) == len(held_out.y)
        verdict = compare(
            case.predictions if all_judge else [table[judging] for table in case.predictions],
            case.hops,
            assessment.believing(self.believed).take(judging),
            scoring,
            random_state=assessment.problem.random_state,
            chosen=case.chosen,
            teacher=assessment.unseen(self.believed, held_out.row[judging]),
            ways=case.ways,
            tolerance=assessment.tolerance,
            notes=(*assessment.notes_on(case.records), *case.notes),
        )
        return with_leaks(case.counted(verdict), assessment.leaks)


def compare(
    predictions: Sequence[np.ndarray],
    hops: np.ndarray,
    held_out: HeldOut,
    scoring: Scoring,
    *,
    random_state: int,
    chosen: int | None = None,
    teacher: np.ndarray | None = None,
    ways: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    notes: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on complete trials.

    Parameters
    ----------
    predictions : sequence of ndarray of shape (n_entries, n_classes)
        One for each complete trial, on the rows that judge.
    hops : ndarray of shape (n_trials,)
        Their numbers of hops.
    held_out : HeldOut
        The rows that judge.
    scoring : Scoring
        What better means.
    random_state : int
        Base seed of the resampling.
    chosen : int or None
        Position of the trial that the search chose; None: what the choice picks on these rows.
    teacher : ndarray of shape (n_entries, n_classes) or None
        Cross-fitted predictions of the teacher on the rows that judge.
    ways : ndarray of shape (n_trials,) or None
        How the student of each trial is fitted, as `Way`; None: ways of fitting were not searched.
    tolerance : float, default=1.0
        Standard errors within which the simpler trial is picked.
    notes : tuple of str
        What else is to be said.
    """
    with thread_limit():
        choosing = choice_evidence(predictions, held_out, scoring)
        groups = groups_of(hops, ways)
        if chosen is None:
            everyone = groups[Group.SELECTED]
            chosen = int(choose(choosing, hops, np.ones((1, choosing.n_units)), everyone, tolerance)[0])
        evidence: dict[str, Any] = {
            name: evidence_for(predictions, held_out, measure) for name, measure in measured(scoring).items()
        }
        if not isinstance(scoring, RowScoring):
            evidence["score"] = choosing  # the same, and its draws have been replayed
        count = n_draws(scoring)
        pick = partial(choose, choosing, hops, tolerance=tolerance)
        draws = draws_of(held_out.n_units, count, random_state)
        scores = _out_of_bag(choosing, pick, evidence, groups, draws)
        guesses = guesses_for(held_out, scoring)
        if guesses is not None:
            guessing = {name: evidence_for([guesses], held_out, one) for name, one in measured(scoring).items()}
            scores[NO_SKILL] = _guessed(guessing, draws_of(held_out.n_units, count, random_state))
        comparing = Comparing(
            scores=scores,
            held_out=held_out,
            scoring=scoring,
            same=same_as_chosen(groups, chosen),
            steps=steps_of(groups),
            teacher=teacher,
        )
        verdict = comparing.verdict(group_sizes(hops), notes)
        return replace(verdict, n_own_fit=len(groups.get(Group.OWN_FIT, ())))


def _out_of_bag(
    choosing: Evidence,
    pick: Callable[[np.ndarray, np.ndarray], np.ndarray],
    evidence: Mapping[str, Evidence],
    groups: Mapping[Group, np.ndarray],
    draws: Iterable[np.ndarray],
) -> dict[str, dict[str, np.ndarray]]:
    """Choose in each bag, score out of it: (n_draws,) for each group and measure; NaN for an empty group."""
    parts: dict[str, dict[str, list[np.ndarray]]] = {group: {name: [] for name in evidence} for group in groups}
    for bags in draws:
        outside = (bags == 0).astype(float)
        for group, trials in groups.items():
            if len(trials) == 0:
                for values in parts[group].values():
                    values.append(np.full(len(bags), np.nan))
                continue
            picks = pick(bags, trials)
            can_choose = np.isfinite(choosing.means(bags)[:, trials]).any(axis=1)  # a draw may lack a class
            for name, one in evidence.items():
                parts[group][name].append(np.where(can_choose, one.scores_of(outside, picks), np.nan))
    return {group: {name: np.concatenate(values) for name, values in by.items()} for group, by in parts.items()}


def _guessed(guessing: Mapping[str, Evidence], draws: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Score what no skill says out of the same bags, (n_draws,) for each measure."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in guessing}
    for bags in draws:
        for name, one in guessing.items():
            parts[name].append(one.scores_of((bags == 0).astype(float), np.zeros(len(bags), dtype=int)))
    return {name: np.concatenate(values) for name, values in parts.items()}
