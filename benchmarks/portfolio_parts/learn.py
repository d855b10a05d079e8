"""From records to a portfolio: greedy, judged on sets that it was not learned on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import bench
import numpy as np
import pandas as pd
from quality_parts.data import related_to

from portfolio_parts.recipes import CANDIDATES, DEPTHS, FAMILIES, UNRECORDED, Entry

PORTFOLIO = bench.ROOT / "multihop_search" / "paths" / "portfolio.json"
SIZES = {1: 5, 2: 1}
"""Most recipes that are learned of each number of hops, 2 for several, beside those of the usual fit."""
LEAST = {1: 2, 2: 1}
"""Fewest of them, whatever they add: each number of hops is tried."""
PRICE = 0.0001
"""What a recipe has to gain, as a share of the loss, for the time of a usual fit."""
UPPER_FITS = 500
"""Usual fits in the time of which an intermediate model is fitted to synthetic rows too; records hold none of it."""
CURVE = "portfolio_curve.svg"
USUAL = ("OwnFit", "OwnFit+shrinkage")
"""How the usual tree is fitted: its settings are in every portfolio, and those of a student that is no tree."""
STEPS = ("plain tuned", "and shrinkage", "and other fits", "and one hop", "and several hops")


def table_of(records: pd.DataFrame, student: str, what: str) -> pd.DataFrame:
    """Return a column of the records, a row a cell (set, split) and a column a recipe."""
    mine = records[records["student"] == student]
    return mine.pivot(index=["set", "seed"], columns="recipe", values=what)


def picked(cv: np.ndarray, fresh: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """Return the fresh loss of each cell's best by cross-validation among some recipes, (n_cells,).

    Examples
    --------
    >>> picked(np.array([[1.0, 2.0, np.nan]]), np.array([[5.0, 6.0, np.nan]]), [1, 2]).tolist()
    [6.0]
    """
    among = np.where(np.isnan(cv[:, chosen]), np.inf, cv[:, chosen])
    best = np.asarray(chosen)[among.argmin(axis=1)]
    losses: np.ndarray = np.where(np.isinf(among.min(axis=1)), np.nan, fresh[np.arange(len(fresh)), best])
    return losses


def greedy(
    cv: np.ndarray,
    fresh: np.ndarray,
    costs: np.ndarray,
    *,
    first: Sequence[int],
    allowed: Sequence[int],
    least: int = 0,
    most: int,
) -> list[int]:
    """Return recipes in the order in which each lowers the mean log of the loss most beside the ones before.

    `costs` says how long each takes, as a share of a usual fit; after `least` recipes one that is not worth its time
    ends the list, of at most `most`.
    """
    chosen, rest = list(first), list(allowed)
    before = float(np.nanmean(np.log(picked(cv, fresh, chosen)))) if chosen else np.inf
    while rest and len(chosen) < most + len(first):
        losses = [float(np.nanmean(np.log(picked(cv, fresh, [*chosen, recipe])))) for recipe in rest]
        best = int(np.argmin(np.array(losses) + PRICE * costs[rest]))
        if len(chosen) >= least + len(first) and before - losses[best] < PRICE * costs[rest[best]]:
            break
        before = losses[best]
        chosen.append(rest.pop(best))
    return chosen[len(first) :]


def usual_of(student: str, columns: Sequence[int]) -> list[int]:
    """Return the places of the recipes that tune the usual fit, shrunk or not: what gains are measured against."""
    return [place for place, recipe in enumerate(columns) if is_usual(CANDIDATES[student][recipe])]


def learned(
    records: pd.DataFrame, student: str, sizes: Mapping[int, int] | None = None, least: Mapping[int, int] = LEAST
) -> list[int]:
    """Return the portfolio of a student, as numbers of recipes: the usual ones, then greedily by number of hops.

    Those of which there are no records come last.
    """
    cv, fresh, seconds = (table_of(records, student, what) for what in ("cv", "fresh", "fit_seconds"))
    columns = list(cv.columns)
    hops = [min(CANDIDATES[student][recipe]["n_hops"], 2) for recipe in columns]
    costs = seconds.div(seconds.median(axis=1), axis=0).mean().to_numpy()
    costs = costs + [UPPER_FITS * _on_synthetic_rows(CANDIDATES[student][recipe]) for recipe in columns]
    chosen = usual_of(student, columns)
    for group, most in (SIZES if sizes is None else sizes).items():
        chosen += greedy(
            cv.to_numpy(),
            fresh.to_numpy(),
            costs,
            first=chosen,
            allowed=[place for place, of in enumerate(hops) if of == group and place not in chosen],
            least=min(least.get(group, 0), most),
            most=most,
        )
    more = range(len(CANDIDATES[student]))[-len(UNRECORDED.get(student, ())) or len(CANDIDATES[student]) :]
    return [*(columns[place] for place in chosen), *(recipe for recipe in more if recipe not in columns)]


def _on_synthetic_rows(entry: Entry) -> int:
    """Return how many intermediate models of a recipe are fitted to synthetic rows too."""
    return sum("ModelCompression" in str(value) for name, value in entry.items() if name.startswith("upper_"))


def best_first(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries with those that were picked and those of the usual fit in turn, as far as both go.

    Examples
    --------
    >>> own, other = {"n_hops": 0, "fit": "OwnFit"}, {"n_hops": 0, "fit": "Refined"}
    >>> [entry["fit"] for entry in best_first([own, own, other])]
    ['Refined', 'OwnFit', 'OwnFit']
    """
    usual = [is_usual(entry) for entry in entries]
    parts = ([entry for entry, mine in zip(entries, usual, strict=True) if mine == of] for of in (False, True))
    return [entry for entry in chain.from_iterable(zip_longest(*parts)) if entry is not None]


def is_usual(entry: Entry) -> bool:
    """Return whether an entry is the plain student by the fit of its class, shrunk or not."""
    return entry.get("fit", USUAL[0]) in USUAL and entry["n_hops"] == 0


def first_recipe(records: pd.DataFrame, student: str) -> int:
    """Return the recipe that is best alone, by the mean log of its loss on fresh rows; one that every cell has."""
    fresh = table_of(records, student, "fresh").dropna(axis=1)
    return int(np.log(fresh).mean().idxmin())


def entries_without(records: pd.DataFrame, name: str, students: Sequence[str]) -> dict[str, list[Entry]]:
    """Return the portfolio of some students, learned without a set and its kin."""
    others = records[~records["set"].isin(related_to(name))]
    return {student: [CANDIDATES[student][recipe] for recipe in learned(others, student)] for student in students}


def judged(records: pd.DataFrame, student: str, sizes: Mapping[int, int] | None = None) -> pd.DataFrame:
    """Return the loss after each step of a portfolio on each cell, learned without its set and related ones."""
    cv, fresh = (table_of(records, student, what) for what in ("cv", "fresh"))
    columns = list(cv.columns)
    entries = [CANDIDATES[student][recipe] for recipe in columns]
    rows = []
    for name in sorted(set(cv.index.get_level_values("set"))):
        others = records[~records["set"].isin(related_to(name))]
        if others.empty:
            continue
        chosen = [columns.index(recipe) for recipe in learned(others, student, sizes) if recipe in columns]
        at = cv.index.get_level_values("set") == name
        here, there = cv.to_numpy()[at], fresh.to_numpy()[at]
        steps = _steps(here, there, chosen, entries)
        steps["one recipe"] = 1, picked(here, there, [columns.index(first_recipe(others, student))])
        for step, losses in steps.items():
            rows += [
                {"set": name, "seed": seed, "step": step, "n": losses[0], "loss": float(losses[1][place])}
                for place, (_, seed) in enumerate(cv.index[at])
            ]
    return pd.DataFrame(rows).pivot_table(index=["set", "seed"], columns="step", values=["loss", "n"])


def _steps(
    cv: np.ndarray, fresh: np.ndarray, chosen: Sequence[int], entries: Sequence[Entry]
) -> dict[str, tuple[int, np.ndarray]]:
    """Return for each step how many recipes there are and what is lost by what is picked among them."""

    def holds(entry: Entry, step: int) -> bool:
        if step < 3:
            fits = (("OwnFit", ""), ("OwnFit", "", "OwnFit+shrinkage"), None)[step]
            return entry["n_hops"] == 0 and (fits is None or entry.get("fit", "") in fits)
        return bool(entry["n_hops"] <= 1 or step == 4)

    steps: dict[str, tuple[int, np.ndarray]] = {}
    for step, name in enumerate(STEPS):
        among = [place for place in chosen if holds(entries[place], step)]
        if among:
            steps[name] = len(among), picked(cv, fresh, among)
    shrunk = [place for place, entry in enumerate(entries) if holds(entry, 1)]
    steps["tuned with shrinkage"] = len(shrunk), picked(cv, fresh, shrunk)
    steps["all recipes"] = len(entries), picked(cv, fresh, range(len(entries)))
    return steps


def gains(table: pd.DataFrame, what: str, baseline: str) -> tuple[float, float]:
    """Return the mean gain over sets in per cent of the baseline's loss, and its standard error."""
    ratio = (1 - table["loss"][what] / table["loss"][baseline]).groupby("set").mean() * 100
    return float(ratio.mean()), float(ratio.std() / np.sqrt(len(ratio)))


def as_file(portfolio: Mapping[str, Sequence[Entry]]) -> dict[str, Any]:
    """Return portfolios by student as the file has them: by task and family, of trees with their depth."""
    contents: dict[str, Any] = {"classification": {}, "regression": {}}
    for student, entries in portfolio.items():
        task, family = FAMILIES[student]
        depth = {"max_depth": DEPTHS[student]} if student in DEPTHS else {}
        contents[task].setdefault(family, []).append({**depth, "entries": best_first(entries)})
    return contents


def written(contents: Any) -> str:
    """Return the file: one line an entry."""
    text = json.dumps(contents, indent=1)
    lines, inside = [], ""
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 5 and line.strip() == "{":
            inside = line
        elif inside and depth > 5:
            inside += line.strip() + (" " if line.endswith(",") else "")
        elif inside:
            lines.append(inside + line.strip())
            inside = ""
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def page(records: pd.DataFrame, judged_of: Mapping[str, pd.DataFrame]) -> str:
    """Return what a portfolio gains on sets that it was not learned on."""
    lines = [
        "# The portfolio: paths to try first",
        "",
        "`python benchmarks/portfolio.py learn`; what it does stands at its top.",
        "",
        "Loss on fresh rows against the plain student tuned, in per cent, below 0 is better: mean over data sets ± its "
        "standard error. Each step adds recipes of the portfolio; what is picked is the best of them by "
        "cross-validation. *Trials*: how many there are by then. *Tuned with shrinkage*: all recorded recipes of the "
        "class's own fit, shrunk or not, no portfolio. *One recipe*: the one that is best alone. *All "
        "recipes*: everything that was recorded. A set is judged by a portfolio that was learned without it and "
        "without the sets of its kin.",
        "",
        "| student | step | sets | trials | loss | worst set |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for student, table in judged_of.items():
        base = STEPS[0]
        for step in (*STEPS, "tuned with shrinkage", "one recipe", "all recipes"):
            if step not in table["loss"]:
                continue
            gain, error = gains(table, step, base)
            worst = (table["loss"][step] / table["loss"][base] - 1).groupby("set").mean().max() * 100
            n_sets = table.index.get_level_values("set").nunique()
            trials = f"{table['n'][step].mean():.0f}"
            lines.append(
                f"| {student} | {step} | {n_sets} | {trials} | {0.0 - gain:+.1f} ± {error:.1f} | {worst:+.1f} |"
            )
    lines += [
        "",
        f"![Loss on fresh rows by the number of trials]({CURVE})",
        "",
        "Across: the first so many recipes of the portfolio, plain ones first; up: what is lost on fresh rows by the "
        "best of them by cross-validation, against the plain student tuned, mean over the sets. Above +10 % a line "
        "runs along the edge; dotted: the portfolio has ended.",
    ]
    cells = records.groupby(["set", "seed"]).ngroups
    return "\n".join([*lines, "", f"{len(records):,} rows of {cells} splits are in `portfolio/records.parquet`.", ""])


def learn(records: pd.DataFrame, file: Path, *, pages: Path = bench.PAGES, portfolio: Path = PORTFOLIO) -> None:
    """Write the records, the portfolio and what it gains."""
    file.parent.mkdir(parents=True, exist_ok=True)
    records.to_parquet(file)
    students = [student for student in CANDIDATES if student in set(records["student"])]
    from portfolio_parts.curve import curve_of, picture

    pages.mkdir(parents=True, exist_ok=True)
    (pages / CURVE).write_text(picture({student: curve_of(records, student) for student in students}))
    bench.write(pages / "portfolio.md", page(records, {student: judged(records, student) for student in students}))
    entries = {student: [CANDIDATES[student][recipe] for recipe in learned(records, student)] for student in students}
    bench.write(portfolio, written(as_file(entries)))
