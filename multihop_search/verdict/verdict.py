"""The verdict: what was gained over plain and over one hop, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

import numpy as np
import pandas as pd

from multihop_search.paths.groups import COMPARISONS, Group, group_sizes
from multihop_search.problem.scoring import Scoring
from multihop_search.problem.units import Unit, measures_of
from multihop_search.verdict.interval import BEATS, EQUIVALENT, INCONCLUSIVE, NO_GAIN
from multihop_search.verdict.words import lines
from multihop_search.visible import visible

BBC, NESTED, HELD_OUT, FRESH = "bbc", "nested", "held-out", "fresh"
SCORE_ROWS = (Group.PLAIN, Group.ONE_HOP, Group.MULTI_HOP, Group.SELECTED, Group.OWN_FIT)
"""The groups in the order of `Verdict.scores`."""
JUDGED_BY = {
    BBC: "held-out rows of the search",
    NESTED: "held-out rows, the whole search run again without them",
    HELD_OUT: "rows held out of the whole search",
    FRESH: "fresh rows of yours",
}
"""Who judged, in words, by the method of the verdict."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the search gained, and how sure that is.

    `str(verdict)` says it line by line; the first one, `headline`, is the answer.
    """

    table: pd.DataFrame
    """Indexed by "one-hop vs plain", "multi-hop vs one-hop", "selected vs plain" and, where ways of fitting a tree were
    searched, "selected vs own fit"; columns gain, low, high, verdict. Gains are in units of the score, greater is
    better; low and high bound the 95 % interval (`verdict.interval`)."""
    scores: pd.DataFrame
    """Honest scores of what the choice picks: index plain, one-hop, multi-hop, selected, and where known own fit
    (plain, by the class's own fit), no skill (the class shares, or the mean, of the training rows) and teacher;
    columns score (the search's), log_loss and accuracy, or in regression rmse and r2. Unlike a cross-validated best,
    they do not grow with the number of trials."""
    steps: pd.DataFrame
    """Where the gain comes from: the score of what the choice picks as trials are added, in this order where there are
    any: the student of its class, shrinkage, another way of fitting, one hop, several hops; columns score, and gain,
    low and high over the step before. Where the pick stays, the gain is 0; the gains add up."""
    n_trials: Mapping[str, int]
    """Complete trials of each group."""
    n_rows: int
    """Rows that judged."""
    unit: Unit
    """What the score is called, its sign, and how gains are read."""
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

    @property
    def score(self) -> str:
        """What the score is called."""
        return self.unit.name

    @property
    def judged_on(self) -> str:
        """How many rows judged, and which, in words."""
        return f"{self.n_rows:,} {'rows that may have been learned from' if self.leaks else JUDGED_BY[self.method]}"

    @property
    def headline(self) -> str:
        """The answer in one line: whether the student is better than the usual model, by how much, and how sure."""
        return visible(lines(self)[0])

    def __str__(self) -> str:
        return "\n".join(map(visible, lines(self)))

    def _repr_html_(self) -> str:
        first, *others = (escape(visible(line)) for line in lines(self))
        rest = "".join(f"<li>{line}</li>" for line in others)
        return f"<p><strong>{first}</strong></p><ul>{rest}</ul>{self.table.to_html(float_format='{:.4g}'.format)}"


def empty_verdict(hops: np.ndarray, n_rows: int, scoring: Scoring, *, fits: bool = False) -> Verdict:
    """Return the verdict on trials whose score reads the model itself and cannot be resampled: nothing is known.

    `fits`: whether ways of fitting a tree were searched.
    """
    nan = float("nan")
    left_out = set() if fits else {Group.OWN_FIT}
    names = [one.name for one in COMPARISONS if one.worse not in left_out]
    groups = [group.value for group in SCORE_ROWS if group not in left_out]
    columns = ["score", *measures_of(regression=scoring.classes is None)]
    return Verdict(
        table=pd.DataFrame({"gain": nan, "low": nan, "high": nan, "verdict": INCONCLUSIVE}, index=names),
        scores=pd.DataFrame(nan, index=groups, columns=columns),
        steps=pd.DataFrame(columns=["score", "gain", "low", "high"], dtype=float),
        n_trials=group_sizes(hops),
        n_rows=n_rows,
        unit=scoring.unit,
        region=nan,
        advice={},
    )


def with_leaks(verdict: Verdict, leaks: tuple[str, ...]) -> Verdict:
    """Return a verdict by rows that may have been learned from: what speaks for a path is not proven by them."""
    if not leaks:
        return verdict
    table, advice = verdict.table.copy(), dict(verdict.advice)
    for name, row in table.iterrows():
        itself = (row["gain"], row["low"], row["high"]) == NO_GAIN
        if row["verdict"] in (BEATS, EQUIVALENT) and not itself:
            table.loc[name, "verdict"] = INCONCLUSIVE
        if table.loc[name, "verdict"] == INCONCLUSIVE and np.isfinite(row["gain"]):
            advice[str(name)] = "fresh rows would settle it, as X_fresh and y_fresh of fit"
    return replace(verdict, table=table, advice=advice, notes=(*leaks, *verdict.notes), leaks=leaks)
