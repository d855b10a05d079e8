"""The curve: how the loss on fresh rows falls with the trials, the portfolio learned without the set that judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from quality_parts.data import related_to

from multihop_search.report.figures import STYLE
from multihop_search.report.markup import Markup, join, number, tag
from multihop_search.report.scales import Scale, ends
from portfolio_parts.learn import learned, table_of
from portfolio_parts.recipes import CANDIDATES

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 60.0, 620.0, 44.0, 380.0
MOST = 10.0
"""Per cent above plain tuned that are drawn; what lies above would squeeze the rest."""
LABEL = 15.0
"""Least distance of two names, in pixels."""
COLOURS = ("#1b6db0", "#b8480b", "#1d7438", "#a44a9b", "#80600a", "#6d6d6d")


def first_ones(cv: np.ndarray, fresh: np.ndarray, chosen: Sequence[int], n_usual: int) -> np.ndarray:
    """Return the loss on fresh rows of the best by cross-validation among the first k recipes, (n_cells, n_chosen).

    It is a share of what plain tuned loses, the best among the first `n_usual`.

    Examples
    --------
    >>> first_ones(np.array([[3.0, 2.0, 4.0]]), np.array([[4.0, 2.0, 1.0]]), [0, 1, 2], 1).tolist()
    [[1.0, 0.5, 0.5]]
    """
    scores = np.where(np.isnan(cv[:, chosen]), np.inf, cv[:, chosen])
    best = np.stack([scores[:, : k + 1].argmin(axis=1) for k in range(len(chosen))], axis=1)
    losses = np.take_along_axis(fresh[:, chosen], best, axis=1)
    return np.asarray(losses / losses[:, [n_usual - 1]])


def curve_of(records: pd.DataFrame, student: str) -> pd.Series:
    """Return the mean over sets of the loss as a share of plain tuned, by the number of recipes.

    A set is judged by a portfolio that was learned without it and its kin; one that is shorter than others stays
    where it ends.
    """
    cv, fresh = (table_of(records, student, what) for what in ("cv", "fresh"))
    columns, by_set = list(cv.columns), {}
    for name in cv.index.get_level_values("set").unique():
        others = records[~records["set"].isin(related_to(name))]
        if student not in set(others["student"]):
            continue
        chosen = [recipe for recipe in learned(others, student) if recipe in columns]
        entries = [CANDIDATES[student][recipe] for recipe in chosen]
        n_usual = sum(entry["n_hops"] == 0 and entry.get("fit", "OwnFit") == "OwnFit" for entry in entries)
        at = cv.index.get_level_values("set") == name
        places = [columns.index(recipe) for recipe in chosen]
        shares = first_ones(cv.to_numpy()[at], fresh.to_numpy()[at], places, max(n_usual, 1))
        by_set[name] = pd.DataFrame(shares).mean()
    return pd.DataFrame(by_set).ffill().mean(axis=1).rename(lambda place: place + 1)


def picture(curves: Mapping[str, pd.Series]) -> str:
    """Return the picture as SVG: trials across, change of the loss against plain tuned up, a line a student."""
    changes = {student: 100 * (curve - 1) for student, curve in curves.items() if len(curve)}
    x = Scale(1, max((int(one.index[-1]) for one in changes.values()), default=2), LEFT, RIGHT)
    y = Scale(*ends([0.0, *(min(value, MOST) for one in changes.values() for value in one)]), BOTTOM, TOP)
    title = "Loss on fresh rows against the plain student tuned, per cent, by the number of trials"
    parts = [
        tag("style", STYLE),
        tag("rect", width="100%", height="100%", fill="#fbfaf7"),
        tag("text", title, x=16, y=24, class_="title"),
    ]
    for value in y.ticks(8):
        parts.append(tag("line", x1=LEFT, x2=RIGHT, y1=y(value), y2=y(value), class_="grid" if value else "zero"))
        parts.append(tag("text", f"{value:+g} %" if value else "0", x=LEFT - 8, y=y(value) + 4, text_anchor="end"))
    for value in x.ticks(10):
        parts.append(tag("text", number(value), x=x(value), y=BOTTOM + 20, text_anchor="middle"))
    parts += _lines(changes, x, y)
    size = {"width": WIDTH, "height": HEIGHT, "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    return str(tag("svg", join(parts), xmlns="http://www.w3.org/2000/svg", **size))


def _lines(changes: Mapping[str, pd.Series], x: Scale, y: Scale) -> Iterator[Markup]:
    """Yield the line of each student and its name at the end, names that would meet moved up."""
    lowest = HEIGHT - 4.0
    order = sorted(changes, key=lambda student: float(changes[student].iloc[-1]))
    for student in order:
        points, colour = changes[student], COLOURS[list(changes).index(student) % len(COLOURS)]
        path = " ".join(f"{x(float(k)):.1f},{y(value):.1f}" for k, value in points.items())
        yield tag("polyline", points=path, fill="none", stroke=colour, stroke_width="1.8")
        end = y(points.iloc[-1])
        yield tag(
            "line", x1=x(float(points.index[-1])), x2=RIGHT, y1=end, y2=end, stroke=colour, stroke_dasharray="2 4"
        )
        lowest = min(end + 4, lowest - LABEL)
        text = f"{student} {points.iloc[-1]:+.1f} %"
        yield tag("text", text, x=RIGHT + 8, y=lowest, style=f"fill: {colour}")
