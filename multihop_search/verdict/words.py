"""The verdict in words: the lines of `str(verdict)`, the answer first, and its gains as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from multihop_search.paths.groups import (
    COMPARISONS,
    MANY_VS_ONE,
    ONE_VS_PLAIN,
    OURS_VS_OWN_FIT,
    OURS_VS_PLAIN,
    Comparison,
    Group,
)
from multihop_search.paths.path import TEACHER
from multihop_search.problem.units import MEASURES, GainUnit, number
from multihop_search.verdict.interval import BEATS, EQUIVALENT, LOSES

if TYPE_CHECKING:
    from multihop_search.verdict.verdict import Verdict

NO_SKILL = "no skill"
"""What tables call a model without skill."""
FEWEST_TUNED = 10
"""Plain trials below which the plain student is not called tuned."""
FEWEST_FOR_RATIO = 30
"""Rows below which gains are read in the score's own unit: a ratio of two such means is noise."""


BETTER, PROBABLY, NO_GAIN, WORSE, TOO_FEW, UNKNOWN = (
    "Better, proven",
    "Probably better, not proven",
    "No gain",
    "Worse",
    "Too few rows to say",
    "Not compared",
)
"""What a verdict begins with, unless no model beats a guess."""


def lines(verdict: Verdict) -> list[str]:
    """Return a verdict in words, a line each: the answer against the usual model first, then why, then how measured."""
    own_fit = verdict.table["gain"].get(OURS_VS_OWN_FIT.name, np.nan)
    has_own_fit = bool(np.isfinite(own_fit))
    rows = [*_unskilled(verdict), _headline(verdict, OURS_VS_OWN_FIT if has_own_fit else OURS_VS_PLAIN)]
    if has_own_fit and verdict.n_trials[Group.PLAIN]:
        rows.append(_against_plain(verdict))
    for comparison, title in ((ONE_VS_PLAIN, "One hop against no teacher"), (MANY_VS_ONE, "Several hops against one")):
        if verdict.n_trials[comparison.better]:
            rows.append(_compared(verdict, comparison, title))
    rows += [_step_by_step(verdict), _measured(verdict), *(f"{_capital(note)}." for note in verdict.notes)]
    return [row for row in rows if row]


def _headline(verdict: Verdict, comparison: Comparison) -> str:
    row, answer = verdict.table.loc[comparison.name], _answer(verdict, comparison)
    if answer == UNKNOWN:
        return f"{answer}: {_why_unknown(verdict)}."
    tuned = "tuned" if _n_tuned(verdict, comparison) >= FEWEST_TUNED else "untuned"
    is_usual = comparison.worse == Group.OWN_FIT or OURS_VS_OWN_FIT.name not in verdict.table.index
    rival = f"the usual {tuned} model" if is_usual else f"the best {tuned} model without a teacher"
    if _is_nothing(row):
        return _sentence(answer, f"{rival} is the choice", verdict, comparison)
    change = _change(verdict, comparison, f" ({rival})", " (ours)")
    measures = _measures(verdict, comparison.worse, Group.SELECTED)
    return _sentence(answer, "; ".join([change, *measures]), verdict, comparison)


def _against_plain(verdict: Verdict) -> str:
    if _is_nothing(verdict.table.loc[OURS_VS_PLAIN.name]):
        taught = verdict.n_trials[Group.ONE_HOP] or verdict.n_trials[Group.MULTI_HOP]
        return "No teacher was needed: the best model without one is the choice." if taught else ""
    return _compared(verdict, OURS_VS_PLAIN, "Against the best model without a teacher")


def _compared(verdict: Verdict, comparison: Comparison, title: str) -> str:
    answer = _answer(verdict, comparison)
    if answer == UNKNOWN:
        return f"{title}: not compared."
    return f"{title}: {answer.lower()}. {_sentence('', _capital(_change(verdict, comparison)), verdict, comparison)}"


def _answer(verdict: Verdict, comparison: Comparison) -> str:
    """Return the answer of a comparison in few words; nothing is proven against a model that was not tuned."""
    row = verdict.table.loc[comparison.name]
    if not np.isfinite(row["gain"]):
        return UNKNOWN
    if _is_nothing(row) or row["verdict"] == EQUIVALENT:
        return NO_GAIN
    if row["verdict"] == LOSES:
        return WORSE
    if row["verdict"] == BEATS:
        return BETTER if _n_tuned(verdict, comparison) >= FEWEST_TUNED else PROBABLY
    return PROBABLY if row["gain"] > (row["high"] - row["low"]) / 4 else TOO_FEW  # a standard error above 0


def _is_nothing(row: pd.Series) -> bool:
    """Return whether both are the same model."""
    return bool(row["gain"] == row["low"] == row["high"] == 0)


def _n_tuned(verdict: Verdict, comparison: Comparison) -> float:
    """Return by how many trials the model compared with was tuned."""
    counts = {Group.OWN_FIT: verdict.n_own_fit, Group.PLAIN: verdict.n_trials[Group.PLAIN]}
    return counts.get(comparison.worse, np.inf)


def _trials(count: float) -> str:
    return f"{count:.0f} trial{'s' * (count != 1)}"


def _why_unknown(verdict: Verdict) -> str:
    if not verdict.n_trials[Group.PLAIN]:
        return "no trial without a teacher is there"
    return f"{verdict.score} cannot be taken again on rows drawn anew"


def _score(verdict: Verdict, group: str) -> str:
    return number(verdict.unit.sign * verdict.scores.loc[group, "score"])


def _measures(verdict: Verdict, rival: Group, ours: Group) -> list[str]:
    """Return what each measure beside the score was and is, such as accuracy."""
    return [
        f"{MEASURES[name].label} from {number(verdict.scores.loc[rival, name])} to "
        f"{number(verdict.scores.loc[ours, name])}"
        for name in verdict.scores.columns
        if name != "score" and MEASURES[name].label != verdict.score and np.isfinite(verdict.scores.loc[ours, name])
    ]


def _change(verdict: Verdict, comparison: Comparison, rival: str = "", ours: str = "") -> str:
    """Return both scores, how much lower or higher the second is, and the interval; `rival` and `ours` name them."""
    gains, unit = gains_to_read(verdict)
    gain, low, high = gains.loc[comparison.name, ["gain", "low", "high"]]
    ends = sorted([low, high], key=abs) if low * high > 0 else [low, high]
    first = f"{abs(ends[0]):.{unit.places}f}" if low * high > 0 else _amount(verdict, ends[0], unit)
    before, after = (_score(verdict, group) for group in (comparison.worse, comparison.better))
    change = f"{verdict.score} from {before}{rival} to {after}{ours}, {_amount(verdict, gain, unit)}"
    return f"{change}; 95 % interval {first} to {_amount(verdict, ends[1], unit)}"


def _amount(verdict: Verdict, gain: float, unit: GainUnit) -> str:
    """Return a gain as how much lower or higher the score is."""
    direction = "lower" if (gain > 0) == verdict.unit.is_loss else "higher"
    return f"{abs(gain):.{unit.places}f}{unit.short} {direction}"


def _sentence(title: str, text: str, verdict: Verdict, comparison: Comparison) -> str:
    """Return a sentence and what would settle it; an answer says whether the usual model was tuned."""
    count, advice = _n_tuned(verdict, comparison), verdict.advice.get(comparison.name, "")
    untuned = f"that model had {_trials(count)}, tuning takes {FEWEST_TUNED}"
    more = [advice] * bool(advice) + [untuned] * (bool(title) and count < FEWEST_TUNED)
    return " ".join([f"{title}: {text}." if title else f"{text}.", *(f"{_capital(part)}." for part in more)])


def _capital(text: str) -> str:
    """Return a text that begins a sentence; a name of code stays as it is."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def _measured(verdict: Verdict) -> str:
    """Return which rows measured, and how many trials there were."""
    counts = verdict.n_trials
    stopped = f" ({verdict.n_stopped} more were stopped early)" if verdict.n_stopped else ""
    several = f"{counts[Group.MULTI_HOP]} of several{stopped}"
    plain = f"{_trials(counts[Group.PLAIN])} without a teacher"
    return f"Measured on {verdict.judged_on}; {plain}, {counts[Group.ONE_HOP]} of one hop, {several}."


def _step_by_step(verdict: Verdict) -> str:
    """Say what each step adds; "" if there is only one, or nothing is added."""
    steps, unit = steps_to_read(verdict)
    if len(steps) < 3 or not steps["gain"].iloc[1:].any():
        return ""
    added = (
        f"{_amount(verdict, gain, unit) if gain else 'unchanged'} by {name}"
        for name, gain in steps["gain"].iloc[1:].items()
    )
    return f"Step by step: {verdict.score} {', '.join(added)}."


def steps_to_read(verdict: Verdict) -> tuple[pd.DataFrame, GainUnit]:
    """Return the steps of a verdict as they are read, and their unit: per cent are of the loss of the first, so that
    they add up. No steps if their scores are not known."""
    steps, unit = verdict.steps, gains_to_read(verdict)[1]
    if not len(steps) or not np.isfinite(steps["score"]).all():
        return steps.iloc[:0], unit
    share = abs(float(steps["score"].iloc[0])) if unit == verdict.unit.relative else 1.0
    return steps.assign(**steps[["gain", "low", "high"]] * unit.factor / share), unit


def _unskilled(verdict: Verdict) -> list[str]:
    """Say that the selected student, or the teacher, is no better than a model without skill; nothing if both are."""
    scores = verdict.scores["score"]
    if NO_SKILL not in scores.index:
        return []
    guessed, models = scores[NO_SKILL], scores.drop(NO_SKILL)
    no_better = models <= guessed
    if no_better[Group.SELECTED] and not (models > guessed).any():
        return [f"No model here beats {verdict.guess}: {_beside(verdict, Group.SELECTED)}."]
    judged = [(Group.SELECTED, "selected student"), (TEACHER, "teacher")]
    return [
        f"The {name} is no better than {verdict.guess}: {_beside(verdict, row)}."
        for row, name in judged
        if no_better.get(row, False)
    ]


def _beside(verdict: Verdict, row: str) -> str:
    score, guessed = (verdict.unit.sign * verdict.scores.loc[name, "score"] for name in (row, NO_SKILL))
    return f"{verdict.score} {number(score)}, {verdict.guess.partition(' ')[0]} {number(guessed)}"


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
