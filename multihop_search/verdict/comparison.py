"""The comparisons of a verdict: from the scores of groups under every draw to gains, intervals and honest scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from multihop_search.paths.groups import COMPARISONS, STEPS, Comparison, Group
from multihop_search.paths.path import TEACHER
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss, RowScoring, SquaredError
from multihop_search.problem.scorers import ModelScoring
from multihop_search.problem.scoring import Scoring
from multihop_search.verdict.interval import (
    EQUIVALENT,
    FEWEST_UNITS,
    INCONCLUSIVE,
    NO_GAIN,
    UNKNOWN,
    Interval,
    advice_on,
    interval,
    word,
)
from multihop_search.verdict.out_of_fold import HeldOut
from multihop_search.verdict.verdict import SCORE_ROWS, Verdict
from multihop_search.verdict.words import NO_SKILL

Scores = Mapping[str, Mapping[str, np.ndarray]]
"""By group, or `NO_SKILL`, and measure: the score under each draw, (n_draws,)."""


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """What is picked of each group, scored under every draw of the rows that judge."""

    scores: Scores
    points: Mapping[str, Mapping[str, float]] | None = None
    """The values on all rows; None: the means over the draws."""
    widths: Mapping[Comparison, float] = field(default_factory=dict)
    """How many times as wide an interval is as the draws make it, where not once."""
    held_out: HeldOut
    """The rows that judge."""
    scoring: Scoring
    same: set[Group]
    """Groups that the selected trial is one of."""
    steps: Sequence[Group] = ()
    """Groups of which each holds the one before, as `steps_of` has them."""
    teacher: np.ndarray | None
    """Predictions of the teacher for these rows, which it has not seen, (n_entries, n_outputs)."""

    def verdict(self, n_trials: Mapping[str, int], notes: tuple[str, ...]) -> Verdict:
        """Return the verdict, with the numbers of trials of each group and what else is to be said."""
        honest = self._honest_scores()
        plain = honest.loc[Group.PLAIN.value, "score"]
        region = self.scoring.region if self.scoring.region is not None else 0.01 * abs(plain)
        table = self._table(region)
        if self.teacher is not None:
            values = {name: _score_of(one, self.held_out, self.teacher) for name, one in measured(self.scoring).items()}
            honest.loc[TEACHER] = pd.Series(values)
            if honest.loc[TEACHER, "score"] <= plain:
                notes = (*notes, "the teacher is no better than the plain student on these rows")
        return Verdict(
            table=table,
            steps=self._steps(),
            scores=_as_read(honest, self.held_out),
            n_trials=dict(n_trials),
            n_rows=self.held_out.n_rows,
            unit=self.scoring.unit,
            region=region,
            advice=self._advice(table, region),
            notes=notes,
            guess=_guess_in_words(self.scoring),
        )

    @property
    def _few(self) -> bool:
        return self.held_out.n_units < FEWEST_UNITS

    def _honest_scores(self) -> pd.DataFrame:
        """Return the score of what is picked of each group; index group, columns score and measures."""
        means = {group: {name: _mean(values) for name, values in by.items()} for group, by in self.scores.items()}
        values = means if self.points is None else self.points
        rows = {row: values[row] for row in [*(group.value for group in SCORE_ROWS), NO_SKILL] if row in values}
        table = pd.DataFrame({name: {row: by[name] for row, by in rows.items()} for name in values[Group.PLAIN]})
        if Group.PLAIN in self.same:
            table.loc[Group.SELECTED.value] = table.loc[Group.PLAIN.value]
        return table

    def _table(self, region: float) -> pd.DataFrame:
        """Return gain, low, high and word of each comparison; with too few units none is conclusive."""
        rows = {}
        for comparison in COMPARISONS:
            better, worse = comparison
            if worse not in self.scores:
                continue
            bounds = self._interval(self._meant(better), worse)
            conclusion = INCONCLUSIVE
            if better == Group.SELECTED and worse in self.same:
                bounds, conclusion = NO_GAIN, EQUIVALENT
            elif bounds.is_known and not self._few:
                conclusion = word(bounds.low, bounds.high, region)
            rows[comparison.name] = (*bounds, conclusion)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "low", "high", "verdict"])

    def _interval(self, better: Group, worse: Group) -> Interval:
        gain = None if self.points is None else self.points[better]["score"] - self.points[worse]["score"]
        draws = self.scores[better]["score"] - self.scores[worse]["score"]
        return interval(draws, gain, self.widths.get(Comparison(better, worse), 1.0))

    def _meant(self, group: Group) -> Group:
        """Return whose pick is meant: where the choice has no hop, that of the plain trials stays to the end."""
        for smaller in (Group.OWN_FIT, Group.PLAIN):
            if smaller in self.same and group in STEPS and [*STEPS].index(group) > [*STEPS].index(smaller):
                return smaller
        return group

    def _steps(self) -> pd.DataFrame:
        """Return the score after each step, and gain, low and high of the step; the gains add up."""
        rows: dict[str, tuple[float, ...]] = {}
        before: Group | None = None
        for group in self.steps:
            now = self._meant(group)
            score = _mean(self.scores[now]["score"]) if self.points is None else self.points[now]["score"]
            added = UNKNOWN if before is None else NO_GAIN if now == before else self._interval(now, before)
            is_only_way = group == Group.PLAIN and Group.OWN_FIT not in self.scores
            rows[STEPS[Group.OWN_FIT if is_only_way else group]], before = (score, *added), now
        return pd.DataFrame.from_dict(rows, orient="index", columns=["score", "gain", "low", "high"])

    def _advice(self, table: pd.DataFrame, region: float) -> dict[str, str]:
        """Return what would settle each inconclusive comparison."""
        return {
            str(name): f"at least {FEWEST_UNITS} rows or groups are needed"
            if self._few
            else advice_on(row["gain"], row["low"], row["high"], region, self.held_out.n_rows)
            for name, row in table.iterrows()
            if row["verdict"] == INCONCLUSIVE and np.isfinite(row["gain"])
        }


def measures(scoring: Scoring) -> dict[str, RowScoring]:
    """Return what is shown beside the score, whatever that is."""
    if scoring.classes is None:
        return {"squared_error": SquaredError(None)}
    return {"log_loss": FlooredLogLoss(scoring.classes), "accuracy": Accuracy(scoring.classes)}


def measured(scoring: Scoring) -> dict[str, Scoring]:
    """Return the score, unless it reads the model itself, and what is shown beside it."""
    own: dict[str, Scoring] = {} if isinstance(scoring, ModelScoring) else {"score": scoring}
    return {**own, **measures(scoring)}


def guesses_for(held_out: HeldOut, scoring: Scoring) -> np.ndarray | None:
    """Return what no skill says; None where the score reads the model itself, or needs a decision function."""
    if isinstance(scoring, ModelScoring) or set(scoring.responses) == {"decision_function"}:
        return None
    return held_out.guesses


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _guess_in_words(scoring: Scoring) -> str:
    if scoring.classes is None:
        return "predicting the mean"
    return "guessing the most frequent class" if scoring.responses == ("predict",) else "guessing the class shares"


def _score_of(scoring: Scoring, held_out: HeldOut, table: np.ndarray) -> float:
    """Return the score of predictions; NaN where the score reads something else of a model."""
    try:
        return scoring.score(held_out.y, table, held_out.sample_weight)
    except (ValueError, AttributeError):
        return float("nan")


def _as_read(scores: pd.DataFrame, held_out: HeldOut) -> pd.DataFrame:
    """Return the scores with the measures in the sign and unit that people read."""
    if "log_loss" in scores:
        return scores.assign(log_loss=-scores["log_loss"])
    squared, weight = -scores["squared_error"], held_out.sample_weight
    spread = float(np.average((held_out.y - np.average(held_out.y, weights=weight)) ** 2, weights=weight))
    read = scores.drop(columns="squared_error").assign(rmse=np.sqrt(squared))
    return read.assign(r2=1.0 - squared / spread if spread > 0 else np.nan)
