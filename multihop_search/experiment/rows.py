"""The rows that a cell leaves: one for each student, one for each of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from multihop_search import MultihopSearchClassifier, Path, Truncate
from multihop_search.experiment.conditions import conditions
from multihop_search.experiment.data import Split
from multihop_search.experiment.watch import (
    MEASURES,
    UNITS,
    Tried,
    chosen,
    fresh_scores,
    naive,
)
from multihop_search.verdict import (
    BY_HOPS,
    COMPARISONS,
    Comparison,
    Group,
    OutOfFoldPredictions,
    Verdict,
    paired_gap,
)


def members(out_of_fold: OutOfFoldPredictions, tried: Sequence[Tried]) -> dict[Group, list[Tried]]:
    """Return the trials of each group that the verdict compares."""
    by_number = {one.record.number: one for one in tried}
    groups = out_of_fold.groups(list(by_number))
    return {group: [by_number[number] for number in numbers] for group, numbers in groups.items()}


def column(comparison: str, what: str) -> str:
    """Return the name of a column about a comparison.

    Examples
    --------
    >>> column("one-hop vs plain", "gain")
    'one_hop_vs_plain.gain'
    """
    return f"{comparison.replace('-', '_').replace(' ', '_')}.{what}"


def fresh_column(group: Group, measure: str) -> str:
    """Return the name of a column: what fresh rows say of the pick of a group."""
    return f"{group}.fresh_{measure}"


@dataclass(frozen=True)
class Judged:
    """The trials of one student by group, and what is picked of each."""

    out_of_fold: OutOfFoldPredictions
    rows: Split
    groups: Mapping[Group, Sequence[Tried]]
    ours: Mapping[Group, Tried]
    """What the program's choice picks of each group that has a trial."""


def student_row(search: MultihopSearchClassifier, rows: Split, name: str, tried: Sequence[Tried]) -> dict[str, Any]:
    """Return what is known of one student: conditions, claims, and what fresh rows say of them."""
    out_of_fold = search.out_of_fold_
    groups = members(out_of_fold, tried)
    judged = Judged(
        out_of_fold,
        rows,
        groups,
        {group: chosen(out_of_fold, of_group) for group, of_group in groups.items() if of_group},
    )
    plain, verdict = judged.ours[Group.PLAIN], search.verdicts_[name]
    teacher, y = out_of_fold.teacher, out_of_fold.y
    row: dict[str, Any] = conditions(rows.X, y, teacher, plain.held_out.astype(float), plain.record.nodes)
    row["n_rows"] = len(rows.y)
    row |= {f"n_{group}": len(of_group) for group, of_group in groups.items()}
    row |= {"n_stopped": verdict.n_stopped, "chosen": search.chosen_[name], "region": verdict.region}
    for group, one in judged.ours.items():
        row |= {fresh_column(group, measure): _stored(measure, one.fresh[measure].mean()) for measure in MEASURES}
    own = f"{Group.SELECTED} vs {Group.OWN_FIT}" in verdict.table.index
    bbc = verdict
    if search.verdict != "bbc":  # the verdict without further fits, on the same trials
        bbc = out_of_fold.verdict([one.record.number for one in tried], search.chosen_[name], fits=own)
    for comparison in COMPARISONS:
        values = _comparison(judged, verdict, bbc, comparison)
        row |= {column(comparison.name, what): value for what, value in values.items()}
    return row


def _comparison(judged: Judged, verdict: Verdict, bbc: Verdict, comparison: Comparison) -> dict[str, Any]:
    """Return what is claimed of two groups and what fresh rows say; NaN where there is nothing to compare."""
    nan, name, (better, worse) = float("nan"), comparison.name, comparison
    kinds = ("claimed", "fresh", "naive", "naive_fresh")
    values: dict[str, Any] = {"gain": nan, "low": nan, "high": nan, "word": ""}
    values |= dict.fromkeys(("bbc_gain", "bbc_low", "bbc_high"), nan)
    values |= {f"{kind}_{measure}": nan for kind in kinds for measure in MEASURES}
    values |= {f"{kind}_{measure}_se": nan for kind in kinds[1:] for measure in MEASURES}
    if name not in verdict.table.index or not (judged.groups[better] and judged.groups[worse]):
        return values
    claim, scores = verdict.table.loc[name], verdict.scores
    values |= {"gain": claim["gain"], "low": claim["low"], "high": claim["high"], "word": claim["verdict"]}
    values |= {f"bbc_{what}": bbc.table.loc[name, what] for what in ("gain", "low", "high")}
    for measure, unit in UNITS.items():
        values[f"claimed_{measure}"] = unit.sign * (
            scores.loc[better.value, measure] - scores.loc[worse.value, measure]
        )
        values |= _measured(judged, measure, comparison)
    return values


def _measured(judged: Judged, measure: str, comparison: Comparison) -> dict[str, float]:
    """Return what fresh rows say of the program's two picks, and of those of plain cross-validation, and its claim."""
    ours = [judged.ours[group] for group in comparison]
    best = [naive(judged.groups[group], measure) for group in comparison]
    unit, fresh = judged.out_of_fold.units, judged.rows.unit_fresh
    gains = {
        "fresh": _gain(ours[0].fresh[measure], ours[1].fresh[measure], fresh),
        "naive": _gain(best[0].cv[measure], best[1].cv[measure], unit),
        "naive_fresh": _gain(best[0].fresh[measure], best[1].fresh[measure], fresh),
    }
    means = {f"{name}_{measure}": gain for name, (gain, _) in gains.items()}
    return means | {f"{name}_{measure}_se": error for name, (_, error) in gains.items()}


def _gain(scores: np.ndarray, baseline: np.ndarray, unit: np.ndarray) -> tuple[float, float]:
    gap = paired_gap(scores.astype(float), baseline.astype(float), unit)
    return 0.0 - gap.behind, gap.error


def _stored(measure: str, score: float) -> float:
    return float(UNITS[measure].sign * score)


def teacher_row(search: MultihopSearchClassifier, rows: Split, proba: np.ndarray) -> dict[str, float]:
    """Return what fresh rows say of the teacher."""
    return {
        f"teacher.fresh_{name}": _stored(name, float(scores.mean()))
        for name, scores in fresh_scores(rows, proba).items()
    }


def pure_scheme(path: Path) -> str:
    """Return the scheme of every hop of a path, the construction of a truncated teacher apart; "" if they differ."""
    schemes = {type(hop.scheme).__name__ for hop in path.hops if not isinstance(hop.scheme, Truncate)}
    return schemes.pop() if len(schemes) == 1 else ""


def trial_rows(search: MultihopSearchClassifier, tried: Sequence[Tried]) -> pd.DataFrame:
    """Return a row for each complete trial of one student, each path once."""
    out_of_fold = search.out_of_fold_
    fold = out_of_fold.folds
    n_folds = np.bincount(fold)
    picked = _picked(out_of_fold, tried)
    table = []
    for one in tried:
        record, path = one.record, one.record.path
        score, error = search.results_.loc[record.number, ["score", "score_se"]]
        table.append(
            {
                "student": path.student,
                "trial": record.number,
                "hops": record.hops,
                "schemes": ">".join(type(hop.scheme).__name__ for hop in path.hops),
                "pure": pure_scheme(path),
                "truncated": any(isinstance(hop.scheme, Truncate) for hop in path.hops),
                "multiple": 0
                if not path.hops or path.hops[-1].compression is None
                else path.hops[-1].compression.multiple,
                "fit": path.fit_name,
                "nodes": record.nodes,
                "cv_score": score,
                "cv_score_se": error,
                **{f"fold_{name}": _folds(name, one, fold, n_folds) for name in MEASURES},
                **{f"cv_{name}": _stored(name, one.cv[name].mean()) for name in MEASURES},
                **{f"fresh_{name}": _stored(name, one.fresh[name].mean()) for name in MEASURES},
                **{f"picked_{name}": record.number in numbers for name, numbers in picked.items()},
            }
        )
    return pd.DataFrame(table).astype(
        {"trial": "int32", "hops": "int8", "multiple": "int16"}
        | {name: "float32" for name in table[0] if name.startswith(("cv_", "fresh_", "nodes"))}
    )


def _folds(name: str, one: Tried, fold: np.ndarray, n_folds: np.ndarray) -> np.ndarray:
    means = np.bincount(fold, weights=one.cv[name]) / n_folds
    return np.asarray(UNITS[name].sign * means, dtype=np.float32)


def _picked(out_of_fold: OutOfFoldPredictions, tried: Sequence[Tried]) -> dict[str, set[int]]:
    """Return the numbers that the program's choice picks: in each group, and among the pure paths of each scheme.

    "group": among the plain, the one-hop and the multi-hop paths; "hopped": among those with a hop; "scheme_group":
    among the one-hop, and the multi-hop, paths of a scheme; "scheme": among both.
    """
    groups = [trials for group, trials in members(out_of_fold, tried).items() if group in BY_HOPS]
    pure: dict[str, list[Tried]] = {}
    for one in tried:
        name = pure_scheme(one.record.path)
        if name:
            pure.setdefault(name, []).append(one)
    split = [
        [one for one in trials if (one.record.hops >= 2) == many] for trials in pure.values() for many in (False, True)
    ]
    hopped = [one for one in tried if one.record.hops]
    sets = {"group": groups, "hopped": [hopped], "scheme_group": split, "scheme": list(pure.values())}
    return {name: {chosen(out_of_fold, part).record.number for part in parts if part} for name, parts in sets.items()}
