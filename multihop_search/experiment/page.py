"""The page of an experiment: one HTML file that needs nothing else, from the two tables alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path as File
from typing import Any

import pandas as pd
from markupsafe import Markup

from multihop_search.experiment import claims
from multihop_search.experiment.conditions import CONDITIONS
from multihop_search.experiment.figures import critical_difference, forest, heat, scatter
from multihop_search.experiment.sign import skills
from multihop_search.experiment.statistics import Estimate, estimate
from multihop_search.experiment.store import Records, read_records
from multihop_search.files import path_of, whole_file
from multihop_search.report.elements import note, section
from multihop_search.report.markup import shown, tag
from multihop_search.report.page import document

SEVERAL = claims.NAMES[1]
PAGE = "report.html"
STYLE = """
.mhs .scroll thead th { white-space: normal; vertical-align: bottom; }
.mhs .scroll small { display: block; color: var(--soft); }
.mhs .scroll th:not(.num), .mhs .scroll td:not(.num) { min-width: 10rem; }
.mhs .scroll th.num { min-width: 5rem; overflow-wrap: normal; }
.mhs .forest circle { fill: var(--accent); } .mhs .forest .reach { stroke: var(--accent); stroke-width: 3; }
.mhs .band { fill: var(--wash); }
.mhs .cd .bar { stroke: var(--ink); stroke-width: 4; } .mhs .cd .name { fill: var(--ink); }
"""


def write_report(folder: File | str, file: File | str | None = None) -> File:
    """Write the page of an experiment's folder, by default `report.html` in it, and return its path.

    Raises
    ------
    InvalidData
        If the folder holds no tables of an experiment.
    """
    target = path_of(folder, "folder") / PAGE if file is None else path_of(file, "file")
    text = page(read_records(folder))
    with whole_file(target) as part:
        part.write_text(text, encoding="utf-8")
    return target


def page(records: Records) -> str:
    """Return the page; names that came with the data are escaped."""
    cells, trials = records.cells, records.trials
    title = cells["experiment"].iloc[0]
    parts: list[Callable[[], Markup]] = [
        lambda: _claimed(cells),
        lambda: _wins(cells),
        lambda: _differences(cells),
        lambda: _ranks(cells),
        lambda: _schemes(cells, trials),
        lambda: _conditions(cells),
        lambda: _maps(cells),
        lambda: _made(cells, trials),
    ]
    header = tag("header", tag("h1", shown(title)), tag("p", _first(cells), class_="first"))
    return document(shown(title), [header, *(part() for part in parts)], width="68rem", css=STYLE)


def _first(cells: pd.DataFrame) -> str:
    """Return the answer in one sentence."""
    gains = {what: claims.relative(cells, SEVERAL, what, "log_loss") for what in ("naive", "fresh")}
    naive, fresh = (estimate(values, cells["data"]) for values in gains.values())
    if not fresh.n_sets:
        return "No cell has both one-hop and multi-hop trials."
    claim = f"Several hops instead of one: cross-validation claims {naive.mean:+.1f} % of the log-loss, fresh rows say "
    return f"{claim}{fresh.mean:+.1f} % ({fresh.low:+.1f} to {fresh.high:+.1f}, {fresh.n_sets} data sets)."


def table(frame: pd.DataFrame, heads: dict[str, str]) -> Markup:
    """Return some columns of a frame as a table; `heads` says which, and what they are called."""
    numeric = {name for name in heads if not frame[name].map(lambda value: isinstance(value, str)).all()}
    top = tag("tr", *(tag("th", head, class_="num" if name in numeric else None) for name, head in heads.items()))
    rows = [
        tag("tr", *(tag("td", *_said(row[name]), class_="num" if name in numeric else None) for name in heads))
        for _, row in frame.iterrows()
    ]
    return tag("div", tag("table", tag("thead", top), tag("tbody", *rows)), class_="scroll", tabindex="0")


def _by_measure(frame: pd.DataFrame, heads: dict[str, str]) -> list[Markup]:
    """Return a table for each measure, the measure above it."""
    parts: list[Markup] = []
    for unit in dict.fromkeys(frame["measure"]) if len(frame) else ():
        parts += [tag("h3", f"In {unit}"), table(frame[frame["measure"] == unit], heads)]
    return parts


def _said(value: Any) -> list[Any]:
    if isinstance(value, Estimate):
        mean, _, interval = str(value).partition(" ")
        return [mean, tag("small", interval)]
    if isinstance(value, float):
        return [f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"]
    return [shown(value)]


def _claimed(cells: pd.DataFrame) -> Markup:
    table = claims.against_fresh(cells)
    heads = {
        "comparison": "comparison",
        "naive": "cross-validation claims",
        "naive_fresh": "left on fresh rows",
        "naive_error": "too high by",
        "claimed": "the verdict claims",
        "fresh": "gained on fresh rows",
        "error": "too high by",
    }
    pictures = []
    for measure, unit in claims.GAIN_UNITS.items():
        naive, fresh = (claims.relative(cells, SEVERAL, what, measure) for what in ("naive", "naive_fresh"))
        names = (
            cells["data"] + ", " + cells["student"] + ", " + cells["teacher"] + ", seed " + cells["seed"].astype(str)
        )
        pictures += [tag("h3", f"{SEVERAL}, {unit}"), scatter(naive, fresh, names, unit)]
        pictures.append(
            note(f"Across: {unit} claimed by plain cross-validation; up: what fresh rows say of the two paths.")
        )
    return section(
        "As claimed, and on fresh rows",
        note(
            "Plain cross-validation claims the best score of the one group minus the best of the other. Each mean is "
            "over data sets, with its 95 % interval; the dashed line is where a claim is true."
        ),
        *_by_measure(table, heads),
        *pictures,
    )


def _wins(cells: pd.DataFrame) -> Markup:
    table = claims.win_tie_loss(cells)
    heads = {"comparison": "comparison", "student": "student", "wins": "wins", "ties": "ties"}
    heads |= {"losses": "losses", "gain": "mean gain", "p_value": "p (Wilcoxon, Holm)"}
    region = f"{claims.POINTS:g} points or {claims.PER_CENT:g} %"
    text = note(f"Data sets by their mean gain on fresh rows; a tie is within {region}.")
    return section("Wins, ties, losses", text, *_by_measure(table, heads))


def _differences(cells: pd.DataFrame) -> Markup:
    gains = claims.relative(cells, SEVERAL, "fresh", "log_loss")
    by_set = {
        str(name): estimate(part, (cells.loc[part.index, "seed"].astype(str)).tolist())
        for name, part in gains.groupby(cells["data"])
    }
    shown_: dict[str, Estimate] = {**by_set, "all data sets": estimate(gains, cells["data"])}
    return section(
        f"Paired differences: {SEVERAL}",
        note(
            "Gain on fresh rows, % of the log-loss. The interval of a data set is over its seeds, that of all over "
            "data sets."
        ),
        forest(shown_, claims.PER_CENT, "gain of several hops over one by data set"),
    )


def _ranks(cells: pd.DataFrame) -> Markup:
    ranks = claims.group_ranks(cells)
    if ranks.n_sets < 2:
        return Markup("")
    text = note(
        f"Mean ranks by fresh log-loss over {ranks.n_sets} data sets; Friedman's test p = {ranks.p_value:.3g}, "
        f"critical difference (Nemenyi, 5 %) {ranks.difference:.2f}. A bar covers what cannot be told apart."
    )
    return section("Critical difference", text, critical_difference(ranks))


def _schemes(cells: pd.DataFrame, trials: pd.DataFrame) -> Markup:
    table = claims.scheme_claims(cells, trials)
    if table.empty:
        return Markup("")
    heads = {"scheme": "scheme", "rule": "paths picked by", "gain": "mean gain", "best": "best case"}
    heads |= {"cells": "cells", "n_one_hop": "one-hop trials", "n_multi_hop": "multi-hop trials"}
    return section(
        "Several hops with a scheme against one hop with the same scheme",
        note(
            "The abstract of the paper says: more than 2 % on average, up to 8 %. Gains on fresh rows, by who picks "
            "the two paths; the constructed truncation of a teacher counts as a hop."
        ),
        *_by_measure(table, heads),
    )


def _conditions(cells: pd.DataFrame) -> Markup:
    halves = claims.by_halves(cells, CONDITIONS)
    parts: list[Any] = []
    if len(halves):
        heads = {"condition": "condition", "median": "median", "lower": "gain below it", "upper": "gain above it"}
        parts.append(table(halves, heads))
    skill = skills(cells)
    lines = [str(one) for one in skill] or ["Too few data sets, or gains of one sign only: no model was fitted."]
    parts += [tag("h3", "Can the sign of the gain be foreseen?"), *(tag("p", line) for line in lines)]
    return section(f"Conditions of a gain: {SEVERAL}, % of the log-loss on fresh rows", *parts)


def _maps(cells: pd.DataFrame) -> Markup:
    drawn_cells = cells[cells["generated"]]
    pairs = [("noise", "n_train"), ("noise", "gap"), ("gap", "n_train")]
    drawn = [
        (down, across)
        for down, across in pairs
        if drawn_cells[down].nunique() > 1 and drawn_cells[across].nunique() > 1
    ]
    if not drawn:
        return Markup("")
    parts: list[Any] = []
    for down, across in drawn:
        shaded = heat(claims.landscape(cells, across, down), down, across)
        parts += [tag("h3", f"{down} and {across}"), tag("div", shaded, class_="scroll", tabindex="0")]
    return section(f"Maps on generated data: {SEVERAL}, % of the log-loss on fresh rows", *parts)


def _made(cells: pd.DataFrame, trials: pd.DataFrame) -> Markup:
    of_cell = cells.drop_duplicates("cell")
    facts = {
        "cells": f"{len(of_cell)}, with {len(trials):,} complete trials",
        "data sets": ", ".join(map(shown, cells["data"].unique())),
        "teachers": ", ".join(map(shown, cells["teacher"].unique())),
        "students": ", ".join(map(shown, cells["student"].unique())),
        "seconds a cell": f"{of_cell['seconds'].mean():.0f}, of them {of_cell['refit_seconds'].mean():.0f} for refits",
        "settings": "; ".join(_pairs(cells["settings"].unique())),
        "versions": "; ".join(_pairs(cells["versions"].unique())),
    }
    rows = [part for name, value in facts.items() for part in (tag("dt", name), tag("dd", value))]
    return section("How it was made", tag("dl", *rows, class_="made"))


def _pairs(texts: Iterable[str]) -> list[str]:
    return [", ".join(f"{name} {value}" for name, value in json.loads(text).items()) for text in texts]
