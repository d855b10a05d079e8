"""The tables of an experiment, from its records alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import comb

from multihop_search.experiment.rows import column, fresh_column
from multihop_search.experiment.statistics import Ranks, estimate, holm, rank, signed_rank, wins_ties_losses
from multihop_search.experiment.watch import UNITS
from multihop_search.verdict import BY_HOPS, COMPARISONS, Group

NAMES = tuple(comparison.name for comparison in COMPARISONS)
MEASURES = {name: UNITS[name] for name in ("accuracy", "log_loss")}
GAIN_UNITS = {name: (unit.gain if unit.in_points else unit.relative).text for name, unit in MEASURES.items()}
POINTS, PER_CENT = 0.5, 1.0
"""Half-widths of the region of equivalence, in these units."""
RULES = {
    "fresh": "the fresh rows themselves",
    "split": "one validation split",
    "cv": "cross-validation",
    "program": "this program's choice",
    "allowed": "this program's choice, one hop allowed",
    "equal": "cross-validation, one hop allowed, among as many",
}
"""Who picks the two paths that are compared. With the last two a second hop is taken only if it pays; the very last
picks among as many paths as the one-hop ones, drawn from both kinds: the mean over all such draws."""
ANY = "any"
"""Stands for paths of all schemes, mixed ones too."""


def comparisons(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each cell, student and comparison.

    Columns: data, teacher, student, schemes, n_train, seed, verdict, comparison, and what `rows.student_row` holds of
    it. Gains are greater is better, in units of the measure (log-loss in nats, accuracy as a share).
    """
    keys = ["cell", "data", "teacher", "student", "schemes", "n_train", "seed", "verdict"]
    parts = []
    for name in NAMES:
        prefix = column(name, "")
        of_comparison = [one for one in cells.columns if one.startswith(prefix)]
        part = cells[keys + of_comparison].rename(columns={one: one.removeprefix(prefix) for one in of_comparison})
        parts.append(part.assign(comparison=name))
    table = pd.concat(parts, ignore_index=True)
    return table[table["fresh_log_loss"].notna()].reset_index(drop=True)


def relative(cells: pd.DataFrame, name: str, what: str, measure: str) -> pd.Series:
    """Return the gains of a comparison: points of accuracy, or per cent of the plain student's fresh log-loss."""
    gains = cells[column(name, f"{what}_{measure}")].astype(float)
    return 100 * gains if MEASURES[measure].in_points else 100 * gains / cells[fresh_column(Group.PLAIN, measure)]


def against_fresh(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, for each comparison and measure, what is claimed and what fresh rows say.

    Columns: naive (what plain cross-validation claims), naive_fresh (what is left of it), claimed (by the verdict),
    fresh (what its choice gains), each the text of an `Estimate`; naive_error and error (claim minus fresh gain).
    """
    rows = []
    for name in NAMES:
        for measure, unit in GAIN_UNITS.items():
            errors = {
                what: relative(cells, name, what, measure) for what in ("naive", "naive_fresh", "claimed", "fresh")
            }
            if errors["fresh"].notna().sum() == 0:
                continue
            errors["naive_error"] = errors["naive"] - errors["naive_fresh"]
            errors["error"] = errors["claimed"] - errors["fresh"]
            row = {what: estimate(values, cells["data"]) for what, values in errors.items()}
            rows.append({"comparison": name, "measure": unit, "rows": int(errors["fresh"].notna().sum()), **row})
    return pd.DataFrame(rows)


def win_tie_loss(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, for each comparison, measure and student, fresh gains: wins, ties, losses, mean over data sets, p-value.

    Data sets are counted, each by its mean; p-values are of Wilcoxon's test, adjusted by Holm over the table.
    """
    rows = []
    for name in NAMES:
        for measure, unit in GAIN_UNITS.items():
            region = POINTS if MEASURES[measure].in_points else PER_CENT
            for student, part in cells.groupby("student", sort=False):
                gains = relative(part, name, "fresh", measure).groupby(part["data"]).mean().dropna()
                if gains.empty:
                    continue
                wins, ties, losses = wins_ties_losses(gains, region)
                mean_gain = estimate(gains, gains.index)
                row = {"comparison": name, "measure": unit, "student": student, "wins": wins, "ties": ties}
                rows.append({**row, "losses": losses, "gain": mean_gain, "p_value": signed_rank(gains)})
    table = pd.DataFrame(rows)
    return table.assign(p_value=holm(table["p_value"])) if len(table) else table


def group_ranks(cells: pd.DataFrame, measure: str = "log_loss") -> Ranks:
    """Rank plain, one-hop, multi-hop and selected by fresh rows, over data sets and students."""
    groups = (*BY_HOPS, Group.SELECTED)
    sign = MEASURES[measure].sign
    scores = pd.DataFrame({group.value: sign * cells[fresh_column(group, measure)] for group in groups})
    unit = 1.0 if MEASURES[measure].in_points else cells[fresh_column(Group.PLAIN, measure)]
    return rank(scores.div(unit, axis=0).groupby(cells["data"]).mean())


def scheme_gains(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the fresh gain of several hops over one with the same scheme, by cell, student, measure and rule.

    Gains are in points of accuracy and per cent of the one-hop log-loss. One is left out where either has no trial.
    """
    rows = []
    for (cell, student), part in trials[trials["hops"] > 0].groupby(["cell", "student"], sort=False):
        trial_columns = _arrays(part)
        for scheme in [*sorted(set(trial_columns["pure"]) - {""}), ANY]:
            mine = np.ones(len(part), dtype=bool) if scheme == ANY else trial_columns["pure"] == scheme
            one, many = (np.flatnonzero(mine & (trial_columns["several"] == several)) for several in (False, True))
            if len(one) and len(many):
                rows += [
                    (cell, student, scheme, measure, rule, gain, len(one), len(many))
                    for measure, rule, gain in _gains(trial_columns, one, many, scheme)
                ]
    names = ["cell", "student", "scheme", "measure", "rule", "gain", "n_one_hop", "n_multi_hop"]
    return pd.DataFrame(rows, columns=names)


def _arrays(part: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns that rules read, and what each rule ranks by: greater is better."""
    trial_columns = {
        name: part[name].to_numpy() for name in part.columns if name.startswith(("picked_", "fresh_", "pure"))
    }
    trial_columns["several"] = part["hops"].to_numpy() >= 2
    for measure in MEASURES:
        sign = MEASURES[measure].sign
        trial_columns[f"split {measure}"] = sign * np.array(
            [folds[0] for folds in part[f"fold_{measure}"]], dtype=float
        )
        for rule, name in (("cv", f"cv_{measure}"), ("fresh", f"fresh_{measure}")):
            trial_columns[f"{rule} {measure}"] = sign * part[name].to_numpy(dtype=float)
    return trial_columns


def _gains(
    trial_columns: dict[str, np.ndarray], one: np.ndarray, many: np.ndarray, scheme: str
) -> Iterator[tuple[str, str, float]]:
    """Yield measure, rule and fresh gain of what the rule picks of `many` over what it picks of `one`."""
    own, both = ("group", "hopped") if scheme == ANY else ("scheme_group", "scheme")
    picked = {"program": (one, many, own), "allowed": (one, np.concatenate([one, many]), both)}
    for measure in MEASURES:
        for rule in RULES:
            if rule == "equal":
                gain = _gain_among_equally_many(trial_columns, one, np.concatenate([one, many]), measure)
                yield measure, rule, gain
                continue
            if rule in picked:
                first, second, flag = picked[rule]
                pair = [_marked(trial_columns, first, own), _marked(trial_columns, second, flag)]
            else:
                pair = [int(part[trial_columns[f"{rule} {measure}"][part].argmax()]) for part in (one, many)]
            if min(pair) >= 0:
                before, after = (float(trial_columns[f"fresh_{measure}"][place]) for place in pair)
                yield measure, rule, _gain(before, after, measure)


def _gain(before: float, after: float, measure: str) -> float:
    return 100 * (after - before) if MEASURES[measure].in_points else 100 * (1 - after / before)


def _gain_among_equally_many(
    trial_columns: dict[str, np.ndarray], one: np.ndarray, both: np.ndarray, measure: str
) -> float:
    """Return the mean gain of the best by cross-validation of `len(one)` paths drawn from `both`, over that of `one`.

    Of N paths the one of rank r is the best of n drawn with the probability C(N - r, n - 1) / C(N, n).
    """
    rule, fresh = trial_columns[f"cv {measure}"], trial_columns[f"fresh_{measure}"]
    ranked, n = both[np.argsort(-rule[both], kind="stable")], len(one)
    chances = comb(len(both) - np.arange(1, len(both) + 1), n - 1) / comb(len(both), n)
    before = float(fresh[one[rule[one].argmax()]])
    gains = [_gain(before, float(after), measure) for after in fresh[ranked]]
    return float(np.average(gains, weights=chances))


def _marked(trial_columns: dict[str, np.ndarray], among: np.ndarray, flag: str) -> int:
    """Return the place of the one that the program picked; -1 where it is not among the trials."""
    picked = among[trial_columns[f"picked_{flag}"][among].astype(bool)]
    return int(picked[0]) if len(picked) else -1


def scheme_claims(cells: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the table beside the paper's abstract: mean and best case by scheme, measure and rule.

    Columns: scheme, measure, rule, cells, gain (an `Estimate` over data sets), best (over cells), n_one_hop and
    n_multi_hop (mean numbers of trials picked from).
    """
    gains = scheme_gains(trials)
    data = cells.drop_duplicates("cell").set_index("cell")["data"]
    gains = gains.assign(data=gains["cell"].map(data))
    rows = [
        {
            "scheme": scheme,
            "measure": GAIN_UNITS[str(measure)],
            "rule": RULES[str(rule)],
            "cells": len(part),
            "gain": estimate(part["gain"], part["data"]),
            "best": part["gain"].max(),
            "n_one_hop": part["n_one_hop"].mean(),
            "n_multi_hop": part["n_multi_hop"].mean(),
        }
        for (scheme, measure, rule), part in gains.groupby(["scheme", "measure", "rule"], sort=False)
    ]
    return pd.DataFrame(rows)


def landscape(
    cells: pd.DataFrame, across: str, down: str, name: str = NAMES[1], measure: str = "log_loss"
) -> pd.DataFrame:
    """Return the mean fresh gain of generated data over two conditions: index `down`, columns `across`."""
    drawn_cells = cells[cells["generated"]]
    gains = relative(drawn_cells, name, "fresh", measure)
    return gains.groupby([drawn_cells[down], drawn_cells[across]]).mean().unstack()


def by_halves(
    cells: pd.DataFrame, names: tuple[str, ...], name: str = NAMES[1], measure: str = "log_loss"
) -> pd.DataFrame:
    """Return, for each condition, the mean fresh gain in the lower and in the upper half of its values."""
    gains, rows = relative(cells, name, "fresh", measure), []
    for condition in names:
        values = cells[condition].astype(float)
        if values.nunique() < 2:
            continue
        middle = float(np.median(values))
        upper = values > middle if (values > middle).any() else values >= middle
        halves = [estimate(gains[mask], cells["data"][mask]) for mask in (~upper, upper)]
        rows.append({"condition": condition, "median": middle, "lower": halves[0], "upper": halves[1]})
    return pd.DataFrame(rows)
