"""The comparisons of a verdict: gains over plain and over one hop, with intervals that survive fresh rows.

Bootstrap bias-corrected cross-validation (`compare`): resample the held-out rows, re-run the whole choice on the rows
drawn, score what it picked on the rows not drawn. No model is fitted again and no row is held back, and the optimism of
having picked the winner is gone, since no row both picks and judges.

Where rows are there that no choice has seen (held out, fresh, or the outer folds of a nested search), what was picked
without them is compared on them (`contrast`): they are resampled, nothing is chosen again.

References
----------
Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation", Machine Learning 107, 2018, arXiv:1708.07180. Re-running a choice that prefers the simpler
inside each resample, and the paired comparisons of groups, are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidData
from multihop_search.keys import generator
from multihop_search.problem.intake import checked_groups, checked_weights, encode_target, numeric_target
from multihop_search.problem.responses import no_skill
from multihop_search.problem.scoring import (
    Accuracy,
    FlooredLogLoss,
    ModelScoring,
    RowScoring,
    Scoring,
    SquaredError,
    scoring_for,
)
from multihop_search.threads import thread_limit
from multihop_search.verdict.choice import choose
from multihop_search.verdict.out_of_fold import HeldOut, ModelEvidence, choice_evidence, evidence_for
from multihop_search.verdict.verdict import (
    COMPARISONS,
    EQUIVALENT,
    GROUPS,
    INCONCLUSIVE,
    NO_SKILL,
    OWN_FIT,
    Verdict,
    advice_on,
    group_sizes,
    unjudged,
    word,
)

N_DRAWS = 1000
"""Resamples for a score that is a mean over rows."""
N_DRAWS_REPLAYED = 100
"""Resamples for a score that has to be replayed."""
FEWEST_UNITS = 10
"""With fewer groups (or rows) to draw from an interval means nothing: every comparison is inconclusive. Measured under
a null: with 3 groups "loses" is said in 8 % of cases, with 5 in 3 %."""
CHUNK_BYTES = 4 << 20
"""Of one of the some five arrays that a chunk of resamples takes."""


def judge(
    predictions: Any,
    y: Any,
    hops: Any,
    *,
    scoring: Any = "auto",
    sample_weight: Any = None,
    groups: Any = None,
    own_fit: Any = None,
    random_state: int | None = None,
) -> Verdict:
    """Return the verdict on any table of out-of-fold predictions, whatever search made it.

    Parameters
    ----------
    predictions : array-like of shape (n_trials, n_rows, n_classes) or (n_trials, n_rows)
        Predicted probabilities of each trial for rows that its models were not fitted on; columns in the order of the
        sorted labels. In regression the predicted values.
    y : array-like of shape (n_rows,)
        True labels, or values.
    hops : array-like of shape (n_trials,)
        Number of hops of each trial; 0 is plain.
    scoring : "auto", str or scorer, default="auto"
        "auto" is the log-loss with a floor of 1e-3, or in regression the squared error.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the score; rows of weight 0 are left out.
    groups : array-like of shape (n_rows,), default=None
        Rows of one group are resampled together.
    own_fit : array-like of shape (n_trials,), default=None
        Which trials are the student fitted by its own class; with it "selected vs own fit" is in the table.
    random_state : int, default=None
        Seed of the resampling.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidData
        If the shapes do not agree or predictions are not finite.
    """
    n_rows = len(np.asarray(y))
    table, hops = _numbers(predictions, hops)
    if table.ndim == 2:
        classes, codes = None, numeric_target(y, n_rows)
        table = _checked_table(table[:, :, None], len(hops), n_rows, 1)
    else:
        classes, codes = encode_target(y, n_rows)
        table = _checked_table(table, len(hops), n_rows, len(classes))
    if random_state is not None and (not isinstance(random_state, Integral) or random_state < 0):
        raise InvalidData(f"random_state must be None or an integer of at least 0, got {random_state!r}: pass one.")
    seed = int(np.random.default_rng().integers(2**31)) if random_state is None else int(random_state)
    groups = None if groups is None else checked_groups(groups, n_rows)
    weight = None if sample_weight is None else checked_weights(sample_weight, n_rows)
    if weight is not None and not weight.all():
        counted = np.flatnonzero(weight)
        table, codes, weight = table[:, counted], codes[counted], weight[counted]
        groups = None if groups is None else groups[counted]
    rows = np.arange(len(codes))
    unit = rows if groups is None else np.unique(groups, return_inverse=True)[1]
    pseudo_folds = generator(seed, "judge").permutation(len(codes)) % 5
    guesses = no_skill(
        codes, weight, None if classes is None else len(classes), len(codes)
    )  # training rows are unknown
    held_out = HeldOut(codes, pseudo_folds, rows, unit, weight, guesses=guesses)
    scorer = scoring_for(scoring, classes)
    if isinstance(scorer, ModelScoring):
        return unjudged(hops, len(codes), scorer, fits=own_fit is not None)
    own = None if own_fit is None else _checked_mask(own_fit, len(hops))
    return compare(list(table), hops, held_out, scorer, random_state=seed, own_fit=own)


def _checked_mask(own_fit: Any, n_trials: int) -> np.ndarray:
    mask = np.asarray(own_fit)
    if mask.shape != (n_trials,) or mask.dtype != bool:
        raise InvalidData(
            f"own_fit must hold a boolean for each of the {n_trials} trials, got shape {mask.shape} of {mask.dtype}: "
            "pass an array of True and False."
        )
    return mask


def _numbers(predictions: Any, hops: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        table, depth = np.asarray(predictions, dtype=np.float64), np.asarray(hops, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData("predictions and hops must be tables of numbers, they are not: pass arrays.") from error
    if depth.ndim != 1 or len(depth) == 0 or not (np.isfinite(depth) & (depth >= 0) & (depth % 1 == 0)).all():
        raise InvalidData(
            "hops must hold a whole number of at least 0 for each trial, it does not: pass their numbers."
        )
    return table, depth.astype(np.intp)


def _checked_table(table: np.ndarray, n_trials: int, n_rows: int, n_outputs: int) -> np.ndarray:
    if table.shape != (n_trials, n_rows, n_outputs):
        shape = f"(n_trials, n_rows, n_classes) = ({n_trials}, {n_rows}, {n_outputs})"
        if n_outputs == 1:
            shape = f"(n_trials, n_rows) = ({n_trials}, {n_rows})"
        raise InvalidData(
            f"predictions must have shape {shape}, got {table.shape}: pass those of one trial for each entry of hops."
        )
    if not np.isfinite(table).all():
        raise InvalidData("predictions must be finite, got NaN or infinity: leave out the trials that failed.")
    if n_outputs > 1 and ((table < 0).any() or not np.allclose(table.sum(axis=2), 1.0, atol=1e-3)):
        raise InvalidData("predictions must be probabilities that sum to 1 in each row, they do not: normalise them.")
    return table


def compare(
    predictions: Sequence[np.ndarray],
    hops: np.ndarray,
    held_out: HeldOut,
    scoring: Scoring,
    *,
    random_state: int,
    chosen: int | None = None,
    teacher: np.ndarray | None = None,
    own_fit: np.ndarray | None = None,
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
    own_fit : ndarray of shape (n_trials,) or None
        Which trials are fitted by the student's own class; None: ways of fitting were not searched.
    notes : tuple of str
        What else is to be said.
    """
    with thread_limit():
        choosing = choice_evidence(predictions, held_out, scoring)
        members = members_of(hops, own_fit)
        if chosen is None:
            chosen = int(choose(choosing, hops, np.ones((1, choosing.n_units)), members["selected"])[0])
        measures = {name: evidence_for(predictions, held_out, measure) for name, measure in _all(scoring)}
        if not isinstance(scoring, RowScoring):
            measures["score"] = choosing  # the same, and its draws have been replayed
        draws = N_DRAWS if isinstance(scoring, RowScoring) else N_DRAWS_REPLAYED
        honest = _out_of_bag(choosing, measures, hops, members, draws, random_state)
        guesses = _guesses(held_out, scoring)
        if guesses is not None:
            guessing = {name: evidence_for([guesses], held_out, measure) for name, measure in _all(scoring)}
            honest[NO_SKILL] = _guessed(guessing, held_out.n_units, draws, random_state)
        same = same_as_chosen(members, chosen)
        verdict = _concluded(honest, None, held_out, scoring, group_sizes(hops), same, teacher, notes)
        return replace(verdict, n_own_fit=len(members.get(OWN_FIT, ())))


def members_of(hops: np.ndarray, own_fit: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the positions of the trials of each group that a verdict compares, ascending.

    Parameters
    ----------
    hops : ndarray of shape (n_trials,)
        Their numbers of hops.
    own_fit : ndarray of shape (n_trials,) or None
        Which are fitted by the student's own class; None: ways of fitting were not searched.
    """
    everyone = np.arange(len(hops))
    found = {
        "plain": everyone[hops == 0],
        "one-hop": everyone[hops == 1],
        "multi-hop": everyone[hops >= 2],
        "selected": everyone,
    }
    if own_fit is not None:
        found[OWN_FIT] = everyone[(hops == 0) & own_fit]
    return found


def same_as_chosen(members: Mapping[str, np.ndarray], chosen: int) -> set[str]:
    """Return the groups that the selected trial is compared with and is one of: nothing is gained over them."""
    return {group for group in ("plain", OWN_FIT) if group in members and chosen in members[group]}


def contrast(
    predictions: Mapping[str, np.ndarray],
    held_out: HeldOut,
    scoring: Scoring,
    *,
    random_state: int,
    counts: Mapping[str, int],
    same: set[str],
    fits: bool = False,
    models: Mapping[str, tuple[Any, Any]] | None = None,
    teacher: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on what was picked of each group without the rows that judge.

    Parameters
    ----------
    predictions : mapping of str to ndarray of shape (n_entries, n_outputs)
        What the pick of each group says of the rows that judge; a group without a trial is left out.
    held_out : HeldOut
        The rows that judge.
    scoring : Scoring
        What better means.
    random_state : int
        Base seed of the resampling.
    counts : mapping of str to int
        Trials of each group.
    same : set of str
        Groups that the selected trial is one of.
    fits : bool
        Whether ways of fitting were searched.
    models : mapping of str to (fitted model, rows) or None
        The picks, and the rows as they take them: for a score that reads the model itself. None: such a score is empty.
    teacher : ndarray of shape (n_entries, n_outputs) or None
        What the teacher says of the rows that judge, without having seen them.
    notes : tuple of str
        What else is to be said.
    """
    with thread_limit():
        groups = list(predictions)
        table = list(predictions.values())
        guesses = _guesses(held_out, scoring)
        if guesses is not None:
            groups, table = [*groups, NO_SKILL], [*table, guesses]
        score: Any
        if not isinstance(scoring, ModelScoring):
            score = evidence_for(table, held_out, scoring)
        else:
            score = ModelEvidence([] if models is None else [models[group] for group in groups], held_out, scoring)
        measures: dict[str, Any] = {"score": score}
        for label, measure in _measures(scoring).items():
            measures[label] = evidence_for(table, held_out, measure)
        draws = N_DRAWS if isinstance(scoring, RowScoring) else N_DRAWS_REPLAYED
        drawn: dict[str, list[np.ndarray]] = {label: [] for label in measures}
        for bags in _bags(held_out.n_units, draws, random_state):
            for label, measure in measures.items():
                drawn[label].append(measure.means(bags))
        everything = np.ones((1, held_out.n_units))
        honest, points = {}, {}
        for place, group in enumerate(groups):
            honest[group] = {label: np.concatenate(parts)[:, place] for label, parts in drawn.items()}
            points[group] = {label: float(of.means(everything)[0, place]) for label, of in measures.items()}
        for group in {*GROUPS, *([OWN_FIT] if fits else [])} - set(groups):
            honest[group] = {label: np.full(draws, np.nan) for label in measures}
            points[group] = dict.fromkeys(measures, float("nan"))
        by_fold = score.means(_fold_draws(held_out))
        fold_scores = {group: by_fold[:, place] for place, group in enumerate(groups)}
        stretch = {pair: _stretch(pair, honest, fold_scores) for pair in COMPARISONS if {*pair} <= {*groups}}
        return _concluded(honest, points, held_out, scoring, counts, same, teacher, notes, stretch)


def _fold_draws(held_out: HeldOut) -> np.ndarray:
    """Return for each fold which units lie in it, (n_folds, n_units) of 0 and 1."""
    folds, place = np.unique(held_out.fold, return_inverse=True)
    draws = np.zeros((len(folds), held_out.n_units))
    draws[place, held_out.unit] = 1.0
    return draws


def _stretch(
    pair: tuple[str, str], honest: Mapping[str, Mapping[str, np.ndarray]], fold_scores: Mapping[str, np.ndarray]
) -> float:
    """Return by how much an interval from resampled rows is too narrow where each fold has models of its own.

    Rows resampled say how far the gain of these very models may be off. The student that is handed over is yet another
    fit. With r the standard error from rows and s the standard deviation of the folds' gains over K folds, s^2 is about
    K r^2 if fits do not differ, and what it has more, t^2, is what they differ by: the variance of the mean of the
    folds is s^2 / K beside r^2, and that of one further fit t^2.
    """
    better, worse = pair
    gains = fold_scores[better] - fold_scores[worse]
    gains = gains[np.isfinite(gains)]
    drawn = honest[better]["score"] - honest[worse]["score"]
    rows = float(np.nanvar(drawn)) if np.isfinite(drawn).any() else 0.0
    if len(gains) < 2 or rows <= 0:
        return 1.0
    between = float(gains.var(ddof=1))
    return math.sqrt(1.0 + (between / len(gains) + max(between - len(gains) * rows, 0.0)) / rows)


def _concluded(
    honest: Mapping[str, Mapping[str, np.ndarray]],
    points: Mapping[str, Mapping[str, float]] | None,
    held_out: HeldOut,
    scoring: Scoring,
    counts: Mapping[str, int],
    same: set[str],
    teacher: np.ndarray | None,
    notes: tuple[str, ...],
    stretch: Mapping[tuple[str, str], float] | None = None,
) -> Verdict:
    """Return the verdict on resampled scores of the groups, (n_draws,) by measure.

    `points` holds the values on all rows; None: those are the means over the resamples. `stretch` says how many times
    as wide an interval is as the resamples make it.
    """
    means = {group: {label: _mean(values) for label, values in by.items()} for group, by in honest.items()}
    shown = means if points is None else points
    order = [group for group in (*GROUPS, OWN_FIT, NO_SKILL) if group in shown]
    scores = pd.DataFrame({label: {group: shown[group][label] for group in order} for label in shown["plain"]})
    if "plain" in same:
        scores.loc["selected"] = scores.loc["plain"]
    region = scoring.region if scoring.region is not None else 0.01 * abs(scores.loc["plain", "score"])
    few = held_out.n_units < FEWEST_UNITS
    drawn = {group: by["score"] for group, by in honest.items()}
    known = None if points is None else {group: by["score"] for group, by in points.items()}
    table = _table(drawn, known, region, same, few, stretch or {})
    advice = {
        str(name): f"at least {FEWEST_UNITS} rows or groups are needed"
        if few
        else advice_on(row["gain"], row["low"], row["high"], region, held_out.n_rows)
        for name, row in table.iterrows()
        if row["verdict"] == INCONCLUSIVE and np.isfinite(row["gain"])
    }
    if teacher is not None:
        of_teacher = {name: _score_of(one, held_out, teacher) for name, one in _all(scoring)}
        scores.loc["teacher"] = pd.Series(of_teacher)
        if scores.loc["teacher", "score"] <= scores.loc["plain", "score"]:
            notes = (*notes, "the teacher is no better than the plain student on these rows")
    return Verdict(
        table, _as_read(scores, held_out), dict(counts), held_out.n_rows, scoring.name_shown, region, advice, notes,
        guess=_guess_in_words(scoring),
    )  # fmt: skip


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


def _all(scoring: Scoring) -> list[tuple[str, Scoring]]:
    own: list[tuple[str, Scoring]] = [] if isinstance(scoring, ModelScoring) else [("score", scoring)]
    return [*own, *_measures(scoring).items()]


def _measures(scoring: Scoring) -> dict[str, RowScoring]:
    """Return what is shown beside the score, whatever that is."""
    if scoring.classes is None:
        return {"squared_error": SquaredError(None)}
    return {"log_loss": FlooredLogLoss(scoring.classes), "accuracy": Accuracy(scoring.classes)}


def _as_read(scores: pd.DataFrame, held_out: HeldOut) -> pd.DataFrame:
    """Return the scores with the measures in the sign and unit that people read."""
    if "log_loss" in scores:
        return scores.assign(log_loss=-scores["log_loss"])
    squared, weight = -scores["squared_error"], held_out.sample_weight
    spread = float(np.average((held_out.y - np.average(held_out.y, weights=weight)) ** 2, weights=weight))
    read = scores.drop(columns="squared_error").assign(rmse=np.sqrt(squared))
    return read.assign(r2=1.0 - squared / spread if spread > 0 else np.nan)


def _out_of_bag(
    choosing: Any,
    measures: Mapping[str, Any],
    hops: np.ndarray,
    members: Mapping[str, np.ndarray],
    n_draws: int,
    random_state: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Choose in each bag, score out of it: (n_draws,) for each group and measure; NaN for an empty group."""
    found: dict[str, dict[str, list[np.ndarray]]] = {group: {label: [] for label in measures} for group in members}
    for bags in _bags(choosing.n_units, n_draws, random_state):
        count, outside = len(bags), (bags == 0).astype(float)
        for group, trials in members.items():
            if len(trials) == 0:
                for parts in found[group].values():
                    parts.append(np.full(count, np.nan))
                continue
            picks = choose(choosing, hops, bags, trials)
            known = np.isfinite(choosing.means(bags)[:, trials]).any(axis=1)  # a draw may lack a class
            for label, measure in measures.items():
                found[group][label].append(np.where(known, measure.scores_of(outside, picks), np.nan))
    return {group: {label: np.concatenate(parts) for label, parts in by.items()} for group, by in found.items()}


def _guesses(held_out: HeldOut, scoring: Scoring) -> np.ndarray | None:
    """Return what no skill says; None where the score reads the model itself, or needs a decision function."""
    if isinstance(scoring, ModelScoring) or set(scoring.responses) == {"decision_function"}:
        return None
    return held_out.guesses


def _guessed(guessing: Mapping[str, Any], n_units: int, n_draws: int, random_state: int) -> dict[str, np.ndarray]:
    """Score what no skill says out of the same bags, (n_draws,) for each measure."""
    parts: dict[str, list[np.ndarray]] = {label: [] for label in guessing}
    for bags in _bags(n_units, n_draws, random_state):
        for label, measure in guessing.items():
            parts[label].append(measure.scores_of((bags == 0).astype(float), np.zeros(len(bags), dtype=int)))
    return {label: np.concatenate(values) for label, values in parts.items()}


def _bags(n_units: int, n_draws: int, random_state: int) -> Iterator[np.ndarray]:
    """Yield how often each unit is drawn, (n_in_chunk, n_units), in all `n_draws` times."""
    rng = generator(random_state, "bbc")
    size = max(1, min(n_draws, CHUNK_BYTES // (8 * n_units)))
    for start in range(0, n_draws, size):
        count = min(size, n_draws - start)
        drawn = rng.integers(n_units, size=(count, n_units))
        drawn += np.arange(count)[:, None] * n_units
        yield np.bincount(drawn.ravel(), minlength=count * n_units).reshape(count, n_units).astype(float)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _table(
    scores: Mapping[str, np.ndarray],
    points: Mapping[str, float] | None,
    region: float,
    same: set[str],
    few: bool,
    stretch: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """Return the comparisons of the groups' scores, resampled, (n_draws,) each, and where known on all rows.

    With too `few` units none is conclusive. `same` holds the groups of which the selected trial is one.
    """
    rows = {}
    for better, worse in COMPARISONS:
        if worse not in scores:
            continue
        gains = scores[better] - scores[worse]
        gains = gains[np.isfinite(gains)]
        if better == "selected" and worse in same:
            found = (0.0, 0.0, 0.0, EQUIVALENT)
        elif len(gains) == 0:
            found = (np.nan, np.nan, np.nan, INCONCLUSIVE)
        else:
            low, high = np.percentile(gains, [2.5, 97.5])
            gain = float(gains.mean()) if points is None else points[better] - points[worse]
            wider = stretch.get((better, worse), 1.0)
            low, high = gain + wider * (low - gain), gain + wider * (high - gain)
            found = (gain, low, high, INCONCLUSIVE if few else word(low, high, region))
        rows[f"{better} vs {worse}"] = found
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "low", "high", "verdict"])
