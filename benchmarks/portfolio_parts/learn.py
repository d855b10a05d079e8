"""From records to a portfolio: greedy, judged on sets that it was not learned on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import bench
import numpy as np
import pandas as pd
from quality_parts.data import related_to

from portfolio_parts.recipes import CANDIDATES

PORTFOLIO = bench.ROOT / "multihop_search" / "paths" / "portfolio.json"
MOST = 16
"""Longest portfolio that is looked at."""


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
    cv: np.ndarray, fresh: np.ndarray, baseline: np.ndarray, first: Sequence[int], allowed: Sequence[int], n: int
) -> list[int]:
    """Return recipes in the order in which each adds most to the mean log-ratio of fresh losses to a baseline."""
    chosen = list(first)
    while len(chosen) < n + len(first):
        best, least = -1, np.inf
        for recipe in allowed:
            if recipe in chosen:
                continue
            loss = float(np.nanmean(np.log(picked(cv, fresh, [*chosen, recipe]) / baseline)))
            if loss < least:
                best, least = recipe, loss
        if best < 0:
            break
        chosen.append(best)
    return chosen[len(first) :]


def learned(records: pd.DataFrame, student: str, groups: dict[int, int]) -> list[int]:
    """Return the portfolio of a student: so many recipes of each number of hops, 2 for several."""
    cv, fresh = (table_of(records, student, what) for what in ("cv", "fresh"))
    columns = list(cv.columns)
    hops = records[records["student"] == student].groupby("recipe")["hops"].first()
    baseline = fresh.to_numpy()[:, [columns.index(r) for r in columns if hops[r] == 0]]
    baseline = np.nanmin(baseline, axis=1)
    chosen: list[int] = []
    for group, number in groups.items():
        allowed = [place for place, recipe in enumerate(columns) if min(hops[recipe], 2) == group]
        chosen += greedy(cv.to_numpy(), fresh.to_numpy(), baseline, chosen, allowed, number)
    return [columns[place] for place in chosen]


def judged(records: pd.DataFrame, student: str, groups: dict[int, int]) -> pd.DataFrame:
    """Return what the pick of a portfolio loses on each cell, learned without its set and related ones."""
    cv, fresh = (table_of(records, student, what) for what in ("cv", "fresh"))
    columns = list(cv.columns)
    hops = records[records["student"] == student].groupby("recipe")["hops"].first()
    names = [CANDIDATES[student][recipe].get("fit", "") for recipe in columns]
    own = [place for place, recipe in enumerate(columns) if hops[recipe] == 0 and names[place] in ("OwnFit", "")]
    shrunk = [place for place, recipe in enumerate(columns) if hops[recipe] == 0 and names[place].startswith("OwnFit")]
    rows = []
    for name in sorted(set(cv.index.get_level_values("set"))):
        others = records[~records["set"].isin(related_to(name))]
        if others.empty:
            continue
        chosen = [columns.index(recipe) for recipe in learned(others, student, groups)]
        at = cv.index.get_level_values("set") == name
        here, there = cv.to_numpy()[at], fresh.to_numpy()[at]
        losses = {
            "own": picked(here, there, own),
            "plain": picked(here, there, shrunk),
            "portfolio": picked(here, there, chosen),
            "first": picked(here, there, chosen[:1]),
            "all": picked(here, there, list(range(len(columns)))),
        }
        rows += [
            {"set": name, "seed": seed, **{what: float(values[place]) for what, values in losses.items()}}
            for place, (_, seed) in enumerate(cv.index[at])
        ]
    return pd.DataFrame(rows)


def gains(table: pd.DataFrame, what: str, baseline: str) -> tuple[float, float]:
    """Return the mean gain over sets in per cent of the baseline's loss, and its standard error."""
    ratio = (1 - table[what] / table[baseline]).groupby(table["set"]).mean() * 100
    return float(ratio.mean()), float(ratio.std() / np.sqrt(len(ratio)))


GROUPS = {0: 8, 1: 6, 2: 2}


def learn(records: pd.DataFrame, file: Path) -> None:
    """Write the records, the portfolio and what it gains."""
    file.parent.mkdir(parents=True, exist_ok=True)
    records.to_parquet(file)
    portfolio = {}
    for student in sorted(set(records["student"])):
        table = judged(records, student, GROUPS)
        for what in ("plain", "first", "portfolio", "all"):
            print(
                student,
                f"{len(set(table['set']))} sets",
                what,
                "against own: {:.1f} +- {:.1f}".format(*gains(table, what, "own")),
                "against plain: {:.1f} +- {:.1f}".format(*gains(table, what, "plain")),
            )
        portfolio[student] = [CANDIDATES[student][recipe] for recipe in learned(records, student, GROUPS)]
    PORTFOLIO.write_text(json.dumps(portfolio, indent=1) + "\n")
