"""Charts of a search: score against size, and the score of each trial in order; SVG as wide as its place.

Horizontal places are per cent of the width, so lines move and text and marks keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from markupsafe import Markup

from multihop_search.engine.record import COMPLETE, FAIL, PRUNED
from multihop_search.paths.groups import BY_HOPS, Group
from multihop_search.problem.units import Unit, number
from multihop_search.report.markup import join, percent, tag
from multihop_search.report.scales import Scale, ends

HEIGHT = 320.0
TOP, BOTTOM = 14.0, 34.0
LEFT, RIGHT = 0.11, 0.985
"""Places of the lowest and highest value, as shares of the width."""
MOST_POINTS = 2000
"""Trials that one chart draws: beyond, evenly many of them, and all that matter."""
LOWEST_SHARE = 10
"""Per cent of the trials that may lie below the chart: the worst would squeeze the rest."""


def mark(group: Group, x: float, y: float, extra: str = "", title: str = "") -> Markup:
    """Return the mark of a trial at (share of the width, pixels): circle, square or triangle by its group."""
    attributes = {"class_": f"mark {group} {extra}".strip()}
    inside = [tag("title", title)] if title else []
    if group == Group.PLAIN:
        return tag("circle", *inside, cx=percent(x), cy=y, r=4, **attributes)
    if group == Group.ONE_HOP:
        place = {"x": percent(x), "y": y - 3.5, "width": 7, "height": 7, "transform": "translate(-3.5 0)"}
        return tag("rect", *inside, **place, **attributes)
    shape = tag("path", *inside, d="M0 -5 L4.6 3.4 L-4.6 3.4 Z", **attributes)
    return tag("svg", shape, x=percent(x), y=y, overflow="visible", width=1, height=1)


def size_chart(results: pd.DataFrame, unit: Unit, best: int) -> Markup:
    """Return the picture of score against size of all complete trials, the front and the chosen one marked."""
    complete = results[(results["state"] == COMPLETE) & results["score"].notna() & (results["nodes"] > 0)]
    drawn = thinned(complete, complete["on_front"] | (complete["trial"] == best))
    low, high = float(complete["nodes"].min()), float(complete["nodes"].max())
    x = (
        Scale(low / 1.08, high * 1.08, LEFT, RIGHT, log=True)
        if high > 8 * low
        else Scale(*ends((low, high)), LEFT, RIGHT)
    )
    y = _score_scale(complete["score"])
    order = drawn.assign(late=drawn["on_front"].astype(int) + (drawn["trial"] == best)).sort_values("late")
    marks = []
    for row in order.itertuples():
        extra = ("front " if row.on_front else "") + ("chosen" if row.trial == best else "")
        text = f"trial {row.trial}: {number(unit.sign * row.score)}, size {number(row.nodes)}, {row.hops} hops"
        if row.trial == best:
            marks.append(ring(x(row.nodes), y(row.score)))
        marks.append(mark(Group.of(row.hops), x(row.nodes), y(row.score), extra, text))
    return _picture(
        f"{len(complete)} complete trials by size and {unit.name}; {int(complete['on_front'].sum())} are on the front",
        [*_grid(y, unit), *_bottom(x, "size"), *marks],
    )


def history_chart(results: pd.DataFrame, unit: Unit, best: int) -> Markup:
    """Return the picture of the search: each trial's score in order, the best so far and the best one-hop path so far.

    Stopped and failed trials stand below the axis.
    """
    complete = results[(results["state"] == COMPLETE) & results["score"].notna()]
    drawn = thinned(complete, complete["on_front"] | (complete["trial"] == best))
    x = Scale(*ends((results["trial"].min(), results["trial"].max()), 0.02), LEFT, RIGHT)
    y = _score_scale(complete["score"])
    inside = complete[complete["within_budget"]]
    lines = [*_steps(inside, x, y, "best"), *_steps(inside[inside["hops"] == 1], x, y, "baseline")]
    marks = [
        mark(
            Group.of(row.hops),
            x(row.trial),
            y(row.score),
            title=f"trial {row.trial}: {number(unit.sign * row.score)}, {row.hops} hops",
        )
        for row in drawn.itertuples()
    ]
    if best in set(complete["trial"]):
        marks.append(ring(x(best), y(float(complete.set_index("trial")["score"][best]))))
    floor = HEIGHT - BOTTOM + 6
    ended = [
        tag("line", tag("title", f"trial {row.trial}"), x1=percent(x(row.trial)), x2=percent(x(row.trial)),
            y1=floor - 5, y2=floor + 3, class_="stopped" if row.state == PRUNED else "failed")
        for row in thinned(results[results["state"] != COMPLETE]).itertuples()
    ]  # fmt: skip
    counts = ", ".join(f"{int((results['state'] == state).sum())} {word}" for state, word in STATES.items())
    parts = [*_grid(y, unit), *_bottom(x, "trial"), *lines, *marks, *ended]
    return _picture(f"{unit.name} of each trial in the order of the search: {counts}", parts)


STATES = {COMPLETE: "complete", PRUNED: "stopped early", FAIL: "failed"}


def legend(*, front: bool = False, lines: bool = False, stopped: bool = False, failed: bool = False) -> Markup:
    """Return what the marks of a chart mean, and where they are drawn those on the front, its lines and its strokes."""
    items = [tag("li", _key(group), group.label) for group in BY_HOPS]
    items.append(tag("li", _icon(18, 18, tag("circle", r="7.5", class_="ring"), "-9 -9 18 18"), "chosen"))
    if front:
        items.append(tag("li", *(_key(group, "front") for group in BY_HOPS), "on the front"))
    for kind, meaning in (("best", "best so far"), ("baseline", "best one-hop path so far")) if lines else ():
        items.append(tag("li", _icon(22, 8, tag("line", x1="0", x2="22", y1="4", y2="4", class_=kind)), meaning))
    for kind, is_drawn in (("stopped", stopped), ("failed", failed)):
        if is_drawn:
            stroke = tag("line", x1="3", x2="3", y1="1", y2="11", class_=kind)
            items.append(tag("li", _icon(6, 12, stroke), "stopped early" if kind == "stopped" else kind))
    return tag("ul", *items, class_="legend")


def _key(group: Group, extra: str = "") -> Markup:
    kind = f"mark {group} {extra}".strip()
    if group == Group.PLAIN:
        shape = tag("circle", r="4", class_=kind)
    elif group == Group.ONE_HOP:
        shape = tag("rect", x="-3.5", y="-3.5", width="7", height="7", class_=kind)
    else:
        shape = tag("path", d="M0 -5 L4.6 3.4 L-4.6 3.4 Z", class_=kind)
    return _icon(12, 12, shape, "-6 -6 12 12")


def _icon(width: int, height: int, shape: Markup, view: str | None = None) -> Markup:
    return tag(
        "svg", shape, width=width, height=height, aria_hidden="true", **{} if view is None else {"viewBox": view}
    )


def ring(x: float, y: float) -> Markup:
    """Return what marks the chosen trial."""
    return tag("circle", cx=percent(x), cy=y, r=8.5, class_="ring")


def thinned(table: pd.DataFrame, keep: pd.Series | None = None) -> pd.DataFrame:
    """Return at most about `MOST_POINTS` rows: those to `keep`, and of the others evenly many."""
    if len(table) <= MOST_POINTS:
        return table
    even = np.zeros(len(table), dtype=bool)
    even[np.linspace(0, len(table) - 1, MOST_POINTS).astype(int)] = True
    return table[even if keep is None else even | keep.to_numpy()]


def n_below(results: pd.DataFrame) -> int:
    """Return how many scores lie below the picture."""
    scores = results.loc[(results["state"] == COMPLETE) & results["score"].notna(), "score"]
    return int((scores < _score_scale(scores).low).sum())


def _score_scale(scores: pd.Series) -> Scale:
    """Return the vertical scale: the worst scores are left to its lower end."""
    if scores.empty:
        return Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    lowest = float(np.percentile(scores, LOWEST_SHARE)) if len(scores) > 10 else float(scores.min())
    return Scale(*ends((lowest, float(scores.max())), 0.1), HEIGHT - BOTTOM, TOP)


def _grid(y: Scale, unit: Unit) -> Iterator[Markup]:
    for value in y.ticks():
        at = y(value)
        yield tag("line", x1="0", x2="100%", y1=at, y2=at, class_="grid")
        yield tag("text", number(unit.sign * value), x="0", y=at - 4, class_="tick")


def _bottom(x: Scale, name: str) -> Iterator[Markup]:
    yield tag("line", x1="0", x2="100%", y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="axis")
    for value in x.ticks():
        if value == round(value) or name != "trial":
            yield tag("text", number(value), x=percent(x(value)), y=HEIGHT - 10, text_anchor="middle", class_="tick")
    yield tag("text", name, x="0", y=HEIGHT - 10, class_="tick")


def _steps(trials: pd.DataFrame, x: Scale, y: Scale, kind: str) -> Iterator[Markup]:
    """Yield the line of the best score so far."""
    best, since = -math.inf, 0.0
    for row in trials.itertuples():
        if row.score > best:
            if math.isfinite(best):
                yield _line(x(since), x(row.trial), y(best), y(best), kind)
                yield _line(x(row.trial), x(row.trial), y(best), y(row.score), kind)
            best, since = row.score, row.trial
    if math.isfinite(best):
        yield _line(x(since), RIGHT, y(best), y(best), kind)


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> Markup:
    return tag("line", x1=percent(x1), x2=percent(x2), y1=y1, y2=y2, class_=kind)


def _picture(label: str, parts: Iterable[Markup]) -> Markup:
    return tag("svg", join(parts), class_="chart", role="img", aria_label=label, width="100%", height=HEIGHT)
