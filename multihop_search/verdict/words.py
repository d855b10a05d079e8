"""The verdict in words: the two sentences of `str(verdict)`, and its gains as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from multihop_search.paths.groups import (
    BY_HOPS,
    COMPARISONS,
    MANY_VS_ONE,
    ONE_VS_PLAIN,
    OURS_VS_OWN_FIT,
    OURS_VS_PLAIN,
    Comparison,
    Group,
)
from multihop_search.paths.path import TEACHER
from multihop_search.problem.units import GainUnit
from multihop_search.verdict.interval import BEATS, EQUIVALENT, INCONCLUSIVE, LOSES

if TYPE_CHECKING:
    from multihop_search.verdict.verdict import Verdict

NO_SKILL = "no skill"
"""What tables call a model without skill."""
FEWEST_TUNED = 10
"""Plain trials below which the plain student is not called tuned."""
FEWEST_FOR_RATIO = 30
"""Rows below which gains are read in the score's own unit: a ratio of two such means is noise."""


def sentences(verdict: Verdict) -> str:
    """Return a verdict in words: what the choice gained, then one hop, several hops and the notes."""
    row, n_plain = verdict.table.loc[OURS_VS_PLAIN.name], verdict.n_trials[Group.PLAIN]
    own_tuned = verdict.n_own_fit >= FEWEST_TUNED
    few = f"which was not tuned ({n_plain} plain trial{'s' * (n_plain != 1)}, {FEWEST_TUNED} are needed)"
    is_tuned = n_plain >= FEWEST_TUNED
    tuned = "tuned" if is_tuned else few
    plain = "the plain student tuned as long" if is_tuned else f"the plain student, {few}"
    alone = "the tuned tree of its class alone" if own_tuned else "the tree of its class alone, which was not tuned"
    if row["gain"] == row["low"] == row["high"] == 0:
        first = "Only the plain student was tried: there is nothing to gain over it"
        if verdict.n_trials[Group.ONE_HOP] or verdict.n_trials[Group.MULTI_HOP]:
            first = (
                f"No path was worth its hops: the plain student, {tuned}, is the choice, and nothing is gained over it"
            )
    elif not np.isfinite(row["gain"]) and not n_plain:
        first = "Nothing can be said of the gain over the plain student: no plain trial is there"
    elif not np.isfinite(row["gain"]):
        first = f"Nothing honest can be said of the gain: {verdict.score} cannot be taken again on rows drawn anew"
    else:
        first = f"The selected student {_outcome(verdict, OURS_VS_PLAIN, plain)}"
    if OURS_VS_OWN_FIT.name in verdict.table.index:
        first += f"; it {_outcome(verdict, OURS_VS_OWN_FIT, alone)}"
    counts = verdict.n_trials
    one = _outcome(verdict, ONE_VS_PLAIN, "plain") if counts[Group.ONE_HOP] else "has no complete trial"
    many = _outcome(verdict, MANY_VS_ONE, "one hop") if counts[Group.MULTI_HOP] else "have no complete trial"
    notes = "".join(f"; {note}" for note in verdict.notes)
    stopped = f" ({verdict.n_stopped} more were stopped early)" if verdict.n_stopped else ""
    *less, most = (f"{counts[group]} {group}" for group in BY_HOPS)
    searched = f"{', '.join(less)} and {most} trials{stopped}"
    second = f"One hop {one}; several hops {many}{notes}; {searched}"
    return f"{_unskilled(verdict)}{first}. {second}, judged on {verdict.judged_on}.{_step_by_step(verdict)}"


def _step_by_step(verdict: Verdict) -> str:
    """Say what each step adds; "" if there is only one, or nothing is added."""
    steps, unit = steps_to_read(verdict)
    if len(steps) < 3 or not steps["gain"].iloc[1:].any():
        return ""
    added = (f"{name} {gain:+.{unit.places}f}" for name, gain in steps["gain"].iloc[1:].items())
    return f" Step by step: {', '.join(added)} {unit.text}."


def steps_to_read(verdict: Verdict) -> tuple[pd.DataFrame, GainUnit]:
    """Return the steps of a verdict as they are read, and their unit: per cent are of the loss of the first, so that
    they add up. No steps if their scores are not known."""
    steps, unit = verdict.steps, gains_to_read(verdict)[1]
    if not len(steps) or not np.isfinite(steps["score"]).all():
        return steps.iloc[:0], unit
    share = abs(float(steps["score"].iloc[0])) if unit == verdict.unit.relative else 1.0
    return steps.assign(**steps[["gain", "low", "high"]] * unit.factor / share), unit


def _unskilled(verdict: Verdict) -> str:
    """Say that the selected student, or the teacher, is no better than a model without skill; "" if both are."""
    scores = verdict.scores["score"]
    if NO_SKILL not in scores.index:
        return ""
    guessed, models = scores[NO_SKILL], scores.drop(NO_SKILL)
    no_better = models <= guessed
    if no_better[Group.SELECTED] and not (models > guessed).any():
        return f"No model here beats {verdict.guess} ({_beside(verdict, Group.SELECTED)}). "
    judged = [(Group.SELECTED, "selected student"), (TEACHER, "teacher")]
    return "".join(
        f"The {name} is no better than {verdict.guess} ({_beside(verdict, row)}). "
        for row, name in judged
        if no_better.get(row, False)
    )


def _beside(verdict: Verdict, row: str) -> str:
    score, guessed = (verdict.unit.sign * verdict.scores.loc[name, "score"] for name in (row, NO_SKILL))
    return f"{verdict.score} {score:.4g}, {verdict.guess.partition(' ')[0]} {guessed:.4g}"


def _outcome(verdict: Verdict, comparison: Comparison, other: str) -> str:
    name = comparison.name
    row = verdict.table.loc[name]
    if not np.isfinite(row["gain"]):
        return f"could not be compared with {other}"
    plural = comparison.better == Group.MULTI_HOP
    outcome = {
        BEATS: f"beat {other}" if plural else f"beats {other}",
        LOSES: f"lose to {other}" if plural else f"loses to {other}",
        EQUIVALENT: f"are as good as {other}" if plural else f"is as good as {other}",
        INCONCLUSIVE: f"cannot yet be told from {other}",
    }[row["verdict"]]
    gains, unit = gains_to_read(verdict)
    gain, low, high = (f"{value:+.{unit.places}f}" for value in gains.loc[name, ["gain", "low", "high"]])
    advice = f"; {verdict.advice[name]}" if name in verdict.advice else ""
    return f"{outcome} (gain {gain} {unit.text}, 95 % interval {low} to {high}{advice})"


def gains_to_read(verdict: Verdict) -> tuple[pd.DataFrame, GainUnit]:
    """Return gain, low, high and region of each comparison as they are read, and their unit.

    They are per cent of the loss of the model compared with, points of accuracy, or the score's own. Per cent need a
    loss over at least 30 rows, and no interval may claim that more than all of it is gained; else all gains are in the
    score's unit.
    """
    gains = verdict.table[["gain", "low", "high"]].assign(region=verdict.region)
    unit = verdict.unit
    worse = {one.name: one.worse.value for one in COMPARISONS}
    losses = verdict.scores["score"].abs().reindex([worse.get(name) for name in gains.index]).to_numpy()
    compared = np.isfinite(gains["gain"].to_numpy())
    readable = verdict.n_rows >= FEWEST_FOR_RATIO and (gains["high"].to_numpy() <= losses)[compared].all()
    if unit.is_loss and readable and (losses[compared] > 0).all():
        return unit.relative.factor * gains.div(losses, axis=0), unit.relative
    return unit.gain.factor * gains, unit.gain
