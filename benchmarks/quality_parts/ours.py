"""Our search, by the portfolio and in the old way, and what its verdict claims beside what fresh rows say.

The portfolio of a search here was learned without the set that judges and without its kin.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bench
import numpy as np
import pandas as pd
from portfolio_parts.learn import entries_without, first_recipe
from portfolio_parts.recipes import CANDIDATES

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor
from quality_parts.cells import Cell, Found
from quality_parts.data import Split, related_to
from quality_parts.measures import gain
from quality_parts.students import DEPTHS, stored_form, student, students_of

OURS, FIRST, RANDOM, ALONE = "ours", "first", "random", {"alone4": "tree4", "alone6": "tree6"}
"""The default search; the recipe that is best alone; the old way, draws at random; the default search of one tree."""
SEARCHES = (OURS, FIRST, *ALONE, RANDOM)
TOLERANCES = (0.0, 0.5, 2.0)
"""Standard errors within which the simpler path is taken, beside the 1 of the search."""
RECORDS = bench.PAGES / "portfolio" / "records.parquet"
OWN_FIT, PLAIN = "selected vs own fit", "selected vs plain"


class NoRecords(Exception):
    """The portfolio cannot be learned: what it is learned of is not there."""


def read_records(file: Path) -> pd.DataFrame:
    """Return the records of recipes."""
    if not file.exists():
        raise NoRecords(
            f"{OURS!r} and {FIRST!r} learn a portfolio without the set that judges, of records that are not there, "
            f"{file}: python benchmarks/portfolio.py record, then learn."
        )
    return pd.read_parquet(file)


def portfolio_of(cell: Cell, names: Sequence[str], file: Path) -> dict[str, list[dict[str, Any]]] | None:
    """Return what each student tries first, learned without the cell's set and its kin."""
    if cell.method == RANDOM:
        return None
    records = read_records(file)
    others = records[~records["set"].isin(related_to(cell.data))]
    lacking = [name for name in names if name not in set(others["student"])]
    if lacking:
        raise NoRecords(
            f"{OURS!r} and {FIRST!r} need records of {lacking[0]} on other sets than {cell.data}, {file} has none: "
            "python benchmarks/portfolio.py record, then learn."
        )
    if cell.method == FIRST:
        return {name: [CANDIDATES[name][first_recipe(others, name)]] for name in names}
    entries = entries_without(records, cell.data, names)
    return {name: [{"n_hops": 0}, *entries[name]] for name in names}  # "auto" begins with the student as it was set too


def searched(cell: Cell, split: Split, file: Path) -> Iterator[Found]:
    """Search all students of a method at once; the seconds of the search are shared among them."""
    names = [name for name in students_of(split) if name.endswith(ALONE.get(cell.method, ""))]
    portfolio = portfolio_of(cell, names, file)
    kind = MultihopSearchRegressor if split.classes is None else MultihopSearchClassifier
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = kind(
            [(name, student(name)) for name in names],
            portfolio=portfolio,
            n_trials={FIRST: 1, RANDOM: cell.trials}.get(cell.method),
            random_state=cell.seed,
        ).fit(split.X, split.y, groups=split.groups)
        seconds = (time.process_time() - start) / len(names)
        for name in names:
            number = search.chosen_[name]
            proba = told_by(search.refit_trial(number), name, split)
            chosen = search.results_.loc[number]
            more = {"note": f"{chosen['hops']} hops, {chosen['fit']}"}
            if cell.method == OURS:
                yield from by_tolerance(search, name, proba, split)
                claimed = claim(search, name, proba, split)
                more = {**claimed, "note": f"{claimed['note']}; {more['note']}"}
            yield Found(name, proba, seconds, more=more)


def told_by(model: Any, name: str, split: Split) -> np.ndarray:
    """Return what a student says of the fresh rows, once it is seen to be of its class and within its depth."""
    if name in DEPTHS:
        assert type(model) is type(student(name))
        assert model.get_depth() <= DEPTHS[name]
    return stored_form(model, split.X_fresh, split.classes)


def by_tolerance(search: Any, name: str, proba: np.ndarray, split: Split) -> Iterator[Found]:
    """Yield what the same search hands back under other tolerances; `proba` is what the chosen student says."""
    evidence = search.out_of_fold_
    numbers = [number for number, record in evidence.records.items() if record.path.student == name]
    tables = {search.chosen_[name]: proba}
    for tolerance in TOLERANCES:
        number = evidence.choose(numbers, tolerance)
        if number not in tables:
            tables[number] = told_by(search.refit_trial(number), name, split)
        note = f"{evidence.records[number].hops} hops"
        yield Found(name, tables[number], float("nan"), f"tolerance {tolerance:g}", more={"note": note})


def claim(search: Any, name: str, proba: np.ndarray, split: Split) -> dict[str, Any]:
    """Return the verdict's gain over the student's own plain fit in the same search, and the same on fresh rows."""
    table, results = search.verdicts_[name].table, search.results_
    row = table.loc[OWN_FIT if OWN_FIT in table.index else PLAIN]
    mine = (results["student"] == name) | (len(search.chosen_) == 1)  # one alone is called by its class
    own = mine & (results["hops"] == 0) & (results["fit"] == "OwnFit")
    baseline = search.refit_trial(int(results.loc[own & (results["state"] == "COMPLETE"), "score"].idxmax()))

    def rows(of: np.ndarray) -> np.ndarray:
        return np.asarray(search.scorer_.rows(split.y_fresh, of))

    fresh, error = gain(rows(proba), rows(stored_form(baseline, split.X_fresh, split.classes)), split.unit_fresh)
    return {
        "claimed": row["gain"],
        "claimed_low": row["low"],
        "claimed_high": row["high"],
        "fresh_gain": fresh,
        "fresh_gain_se": error,
        "note": str(row["verdict"]),
    }
