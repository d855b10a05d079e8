"""The verdict: what was gained over plain and over one hop, how sure that is, and the same in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from multihop_search.problem.scoring import Scoring
from multihop_search.visible import visible

GROUPS = ("plain", "one-hop", "multi-hop", "selected")
OWN_FIT = "own fit"
NO_SKILL = "no skill"
LOSSES = ("log-loss", "squared error", "absolute error")
"""Scores that are minus a loss."""
COMPARISONS = (("one-hop", "plain"), ("multi-hop", "one-hop"), ("selected", "plain"), ("selected", OWN_FIT))
"""The last one stands where ways of fitting a tree were searched (rule 42)."""
FEWEST_TUNED = 10
"""Plain trials below which the plain student is not called tuned."""
FEWEST_FOR_RATIO = 30
"""Rows below which gains are told in the score's own unit: a ratio of two such means is noise."""
BEATS, LOSES, EQUIVALENT, INCONCLUSIVE = "beats", "loses", "equivalent", "inconclusive"
BBC, NESTED, HELD_OUT, FRESH = "bbc", "nested", "held-out", "fresh"
JUDGED_BY = {
    BBC: "rows that neither trained nor chose what they judge",
    NESTED: "rows in outer folds, without which the whole search was run again",
    HELD_OUT: "rows held out of the whole search",
    FRESH: "fresh rows of yours",
}
"""Who judged, in words, by the method of the verdict."""


@dataclass(frozen=True)
class Verdict:
    """What the search gained, and how sure that is.

    `str(verdict)` says it in two sentences.
    """

    table: pd.DataFrame
    """Indexed by "one-hop vs plain", "multi-hop vs one-hop", "selected vs plain" and, where ways of fitting a tree were
    searched, "selected vs own fit"; columns gain, low, high, verdict. Gains are in units of the score, greater is
    better; low and high bound the 95 % interval."""
    scores: pd.DataFrame
    """Honest scores of what the choice picks: index plain, one-hop, multi-hop, selected, and where known own fit
    (plain, by the class's own fit), no skill (the class shares, or the mean, of the training rows) and teacher;
    columns score (the search's), log_loss and accuracy, or in regression rmse and r2. Unlike a cross-validated best,
    they do not grow with the number of trials."""
    n_trials: Mapping[str, int]
    """Complete trials of each group."""
    n_rows: int
    """Rows that judged."""
    score: str
    """What the score is called."""
    region: float
    """Differences within +-region are equivalent."""
    advice: Mapping[str, str]
    """For each inconclusive comparison: about how many more rows would settle it."""
    notes: tuple[str, ...] = ()
    n_stopped: int = 0
    """Multi-hop trials that were stopped early; they are in no comparison."""
    method: str = BBC
    """"bbc", "nested", "held-out" or "fresh": which rows judged."""
    leaks: tuple[str, ...] = ()
    """How these rows may have been learned from; if any, no gain is proven. They are in `notes` too."""
    n_own_fit: int = 0
    """Complete plain trials by the class's own fit, where ways of fitting a tree were searched."""
    guess: str = "guessing"
    """What no skill does, in words."""

    def __str__(self) -> str:
        return visible(_sentences(self))


def unjudged(hops: np.ndarray, n_rows: int, scoring: Scoring, *, fits: bool = False) -> Verdict:
    """Return the empty verdict on trials whose score reads the model itself and cannot be resampled.

    `fits`: whether ways of fitting a tree were searched.
    """
    nan = float("nan")
    names = [f"{better} vs {worse}" for better, worse in COMPARISONS if fits or worse != OWN_FIT]
    table = pd.DataFrame({"gain": nan, "low": nan, "high": nan, "verdict": INCONCLUSIVE}, index=names)
    shown = ["rmse", "r2"] if scoring.classes is None else ["log_loss", "accuracy"]
    groups = [*GROUPS, OWN_FIT] if fits else list(GROUPS)
    scores = pd.DataFrame(nan, index=groups, columns=["score", *shown])
    return Verdict(table, scores, group_sizes(hops), n_rows, scoring.name_shown, nan, {})


def with_leaks(verdict: Verdict, leaks: tuple[str, ...]) -> Verdict:
    """Return a verdict by rows that may have been learned from: what speaks for a path is not proven by them."""
    if not leaks:
        return verdict
    table, advice = verdict.table.copy(), dict(verdict.advice)
    for name, row in table.iterrows():
        itself = row["gain"] == row["low"] == row["high"] == 0
        if row["verdict"] in (BEATS, EQUIVALENT) and not itself:
            table.loc[name, "verdict"] = INCONCLUSIVE
        if table.loc[name, "verdict"] == INCONCLUSIVE and np.isfinite(row["gain"]):
            advice[str(name)] = "fresh rows would settle it, as X_fresh and y_fresh of fit"
    return replace(verdict, table=table, advice=advice, notes=(*leaks, *verdict.notes), leaks=leaks)


def judged_on(verdict: Verdict) -> str:
    """Say how many rows judged, and which."""
    return (
        f"{verdict.n_rows:,} {'rows that may have been learned from' if verdict.leaks else JUDGED_BY[verdict.method]}"
    )


def group_sizes(hops: Sequence[int] | np.ndarray) -> dict[str, int]:
    """Return how many trials each group has, by their numbers of hops."""
    sizes = np.bincount(np.minimum(np.asarray(hops, dtype=int), 2), minlength=3)
    return dict(zip(("plain", "one-hop", "multi-hop"), map(int, sizes), strict=True))


def word(low: float, high: float, region: float) -> str:
    """Return the word for an interval (rule 23).

    Examples
    --------
    >>> word(0.1, 0.3, 0.05), word(-0.3, -0.1, 0.05), word(-0.01, 0.02, 0.05), word(-0.1, 0.2, 0.05)
    ('beats', 'loses', 'equivalent', 'inconclusive')
    """
    if low > 0:
        return BEATS
    if high < 0:
        return LOSES
    return EQUIVALENT if -region <= low and high <= region else INCONCLUSIVE


def advice_on(gain: float, low: float, high: float, region: float, n_rows: int) -> str:
    """Say about how many more rows would settle it: an interval shrinks with the root of the number of rows."""
    reach = gain - low if gain > 0 else high - gain  # from the gain to the end that has to leave zero behind
    widest = max(gain - low, high - gain)
    ratios = [(reach, abs(gain)), (widest, region - abs(gain))]
    needed = min((n_rows * (width / target) ** 2 for width, target in ratios if target > 0), default=math.inf)
    more = needed - n_rows
    if more > 100 * n_rows:
        return "more than 100 times as many rows would be needed to settle it"
    if more < 10:
        return "a few more rows would settle it"
    step = 10 ** max(0, math.floor(math.log10(max(more, 1))) - 1)
    return f"about {max(math.ceil(more / step), 1) * step:,} more rows would settle it"


def _sentences(verdict: Verdict) -> str:
    row, n_plain = verdict.table.loc["selected vs plain"], verdict.n_trials["plain"]
    own_tuned = verdict.n_own_fit >= FEWEST_TUNED
    few = f"which was not tuned ({n_plain} plain trial{'s' * (n_plain != 1)}, {FEWEST_TUNED} are needed)"
    is_tuned = n_plain >= FEWEST_TUNED
    tuned = "tuned" if is_tuned else few
    plain = "the plain student tuned as long" if is_tuned else f"the plain student, {few}"
    alone = "the tuned tree of its class alone" if own_tuned else "the tree of its class alone, which was not tuned"
    if row["gain"] == row["low"] == row["high"] == 0:
        first = "Only the plain student was tried: there is nothing to gain over it"
        if verdict.n_trials["one-hop"] or verdict.n_trials["multi-hop"]:
            first = (
                f"No path was worth its hops: the plain student, {tuned}, is the choice, and nothing is gained over it"
            )
    elif not np.isfinite(row["gain"]) and not verdict.n_trials["plain"]:
        first = "Nothing can be said of the gain over the plain student: no plain trial is there"
    elif not np.isfinite(row["gain"]):
        first = f"Nothing honest can be said of the gain: {verdict.score} cannot be taken again on rows drawn anew"
    else:
        first = f"The selected student {_said(verdict, 'selected vs plain', plain)}"
    if f"selected vs {OWN_FIT}" in verdict.table.index:
        first += f"; it {_said(verdict, f'selected vs {OWN_FIT}', alone)}"
    counts = verdict.n_trials
    one = _said(verdict, "one-hop vs plain", "plain") if counts["one-hop"] else "has no complete trial"
    many = _said(verdict, "multi-hop vs one-hop", "one hop") if counts["multi-hop"] else "have no complete trial"
    notes = "".join(f"; {note}" for note in verdict.notes)
    stopped = f" ({verdict.n_stopped} more were stopped early)" if verdict.n_stopped else ""
    searched = (
        f"{counts['plain']} plain, {counts['one-hop']} one-hop and {counts['multi-hop']} multi-hop trials{stopped}"
    )
    second = f"One hop {one}; several hops {many}{notes}; {searched}"
    return f"{_unskilled(verdict)}{first}. {second}, judged on {judged_on(verdict)}."


def _unskilled(verdict: Verdict) -> str:
    """Say that the selected student, or the teacher, is no better than a model without skill; "" if both are."""
    scores = verdict.scores["score"]
    if NO_SKILL not in scores.index:
        return ""
    guessed, models = scores[NO_SKILL], scores.drop(NO_SKILL)
    no_better = models <= guessed
    if no_better["selected"] and not (models > guessed).any():
        return f"No model here beats {verdict.guess} ({_beside(verdict, 'selected')}). "
    told = [("selected", "selected student"), ("teacher", "teacher")]
    return "".join(
        f"The {name} is no better than {verdict.guess} ({_beside(verdict, row)}). "
        for row, name in told
        if no_better.get(row, False)
    )


def _beside(verdict: Verdict, row: str) -> str:
    sign = -1.0 if verdict.score in LOSSES else 1.0
    score, guessed = (sign * verdict.scores.loc[name, "score"] for name in (row, NO_SKILL))
    return f"{verdict.score} {score:.4g}, {verdict.guess.partition(' ')[0]} {guessed:.4g}"


def _said(verdict: Verdict, name: str, other: str) -> str:
    row = verdict.table.loc[name]
    if not np.isfinite(row["gain"]):
        return f"could not be compared with {other}"
    plural = name.startswith("multi-hop")
    told = {
        BEATS: f"beat {other}" if plural else f"beats {other}",
        LOSES: f"lose to {other}" if plural else f"loses to {other}",
        EQUIVALENT: f"are as good as {other}" if plural else f"is as good as {other}",
        INCONCLUSIVE: f"cannot yet be told from {other}",
    }[row["verdict"]]
    gains, unit = gains_to_read(verdict)
    gain, low, high = (f"{value:+.{gain_places(unit)}f}" for value in gains.loc[name, ["gain", "low", "high"]])
    advice = f"; {verdict.advice[name]}" if name in verdict.advice else ""
    return f"{told} (gain {gain} {unit}, 95 % interval {low} to {high}{advice})"


def gains_to_read(verdict: Verdict) -> tuple[pd.DataFrame, str]:
    """Return gain, low, high and region of each comparison as they are read, and their unit.

    They are per cent of the loss of the model compared with, points of accuracy, or the score's own. Per cent need a
    loss over at least 30 rows, and no interval may claim that more than all of it is gained; else all gains are in the
    score's unit.
    """
    gains = verdict.table[["gain", "low", "high"]].assign(region=verdict.region)
    if verdict.score == "accuracy":
        return 100 * gains, "points of accuracy"
    losses = verdict.scores["score"].abs().reindex([name.partition(" vs ")[2] for name in gains.index]).to_numpy()
    known = np.isfinite(gains["gain"].to_numpy())
    readable = verdict.n_rows >= FEWEST_FOR_RATIO and (gains["high"].to_numpy() <= losses)[known].all()
    if verdict.score in LOSSES and readable and (losses[known] > 0).all():
        return 100 * gains.div(losses, axis=0), f"% of the {verdict.score}"
    return gains, f"of {verdict.score}"


def gain_places(unit: str) -> int:
    """Return how many decimals of a gain are read."""
    return 4 if unit.startswith("of ") else 1
