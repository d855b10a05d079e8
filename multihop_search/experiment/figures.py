"""Pictures of an experiment, SVG as wide as its place: claims against fresh rows, gains by data set, mean ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from multihop_search.experiment.statistics import Estimate, Ranks
from multihop_search.report.markup import number, percent, shown, tag
from multihop_search.report.scales import Scale, ends

SQUARE, BOTTOM, LINE = 380.0, 34.0, 26.0


def scatter(claimed: Sequence[float], fresh: Sequence[float], names: Sequence[str], unit: str) -> Markup:
    """Return the picture of gains as claimed (across) against gains on fresh rows (up), with the line of honesty."""
    points = [
        (float(x), float(y), name)
        for x, y, name in zip(claimed, fresh, names, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    low, high = ends([*(x for x, _, _ in points), *(y for _, y, _ in points), 0.0])
    x, y = Scale(low, high, 0.07, 0.985), Scale(low, high, SQUARE - BOTTOM, 12.0)
    parts = []
    for value in y.ticks():
        parts += [
            tag("line", x1="0", x2="100%", y1=y(value), y2=y(value), class_="grid"),
            tag("text", number(value), x="0", y=y(value) - 4),
            tag("text", number(value), x=percent(x(value)), y=SQUARE - 10, text_anchor="middle"),
        ]
    parts += [
        tag("line", x1=percent(x(low)), x2=percent(x(high)), y1=y(0), y2=y(0), class_="zero"),
        tag("line", x1=percent(x(low)), x2=percent(x(high)), y1=y(low), y2=y(high), class_="baseline"),
    ]
    for across, up, name in points:
        hover = f"{shown(name)}: claimed {across:+.2f}, on fresh rows {up:+.2f}"
        parts.append(tag("circle", tag("title", hover), cx=percent(x(across)), cy=y(up), r=4, class_="mark multi-hop"))
    label = f"{len(points)} gains in {unit}: as claimed by cross-validation across, on fresh rows up"
    return tag("svg", *parts, class_="chart", role="img", aria_label=label, width="100%", height=SQUARE)


def forest(estimates: Mapping[str, Estimate], region: float, label: str) -> Markup:
    """Return a line a name: mean and interval, the region of equivalence behind them."""
    values = [value for one in estimates.values() for value in (one.mean, one.low, one.high)]
    scale = Scale(*ends([*values, 0.0, -region, region]), 0.3, 0.98)
    height = LINE * len(estimates) + BOTTOM
    left, right = scale(-region), scale(region)
    parts = [
        tag("rect", x=percent(left), width=percent(right - left), y=0, height=height - BOTTOM, class_="band"),
        tag("line", x1=percent(scale(0)), x2=percent(scale(0)), y1=0, y2=height - BOTTOM, class_="zero"),
    ]
    for place, (name, one) in enumerate(estimates.items()):
        middle = LINE * (place + 0.5)
        parts.append(tag("text", shown(name, 34), x="0", y=middle + 4))
        if not math.isfinite(one.mean):
            continue
        if math.isfinite(one.low):
            ends_ = {"x1": percent(scale(one.low)), "x2": percent(scale(one.high))}
            parts.append(tag("line", **ends_, y1=middle, y2=middle, class_="reach"))
        parts.append(
            tag("circle", tag("title", f"{shown(name)}: {one}"), cx=percent(scale(one.mean)), cy=middle, r=4.5)
        )
    for value in scale.ticks():
        parts.append(tag("text", number(value), x=percent(scale(value)), y=height - 10, text_anchor="middle"))
    return tag("svg", *parts, class_="chart forest", role="img", aria_label=label, width="100%", height=height)


def critical_difference(ranks: Ranks) -> Markup:
    """Return the diagram of mean ranks: the best left, a bar over those that cannot be told apart."""
    names = list(ranks.ranks)
    scale, bars = Scale(1, max(len(names), 2), 0.12, 0.88), ranks.cliques
    top = 30.0
    height = top + 12 * len(bars) + LINE * len(names) + 16
    parts = [tag("line", x1=percent(scale(1)), x2=percent(scale(len(names))), y1=top, y2=top, class_="axis")]
    for value in range(1, len(names) + 1):
        parts.append(tag("text", str(value), x=percent(scale(value)), y=top - 8, text_anchor="middle"))
    for place, bar in enumerate(bars):
        y = top + 10 + 12 * place
        first, last = scale(ranks.ranks[bar[0]]), scale(ranks.ranks[bar[-1]])
        parts.append(tag("line", x1=percent(first), x2=percent(last), y1=y, y2=y, class_="bar"))
    for place, name in enumerate(names):
        at, y = percent(scale(ranks.ranks[name])), top + 12 * len(bars) + LINE * (place + 1)
        parts.append(tag("line", x1=at, x2=at, y1=top, y2=y - 4, class_="grid"))
        parts.append(
            tag(
                "text",
                f"{shown(name, 30)} {ranks.ranks[name]:.2f}",
                x=at,
                y=y + 10,
                text_anchor="middle",
                class_="name",
            )
        )
    label = "mean ranks: " + ", ".join(f"{shown(name)} {value:.2f}" for name, value in ranks.ranks.items())
    return tag("svg", *parts, class_="chart cd", role="img", aria_label=label, width="100%", height=height)


def heat(table: pd.DataFrame, down: str, across: str) -> Markup:
    """Return a table of gains, each cell shaded by its size: the map over two conditions."""
    most = float(np.nanmax(np.abs(table.to_numpy(dtype=float)))) if table.size else 1.0
    head = tag(
        "tr", tag("th", f"{down} \\ {across}"), *(tag("th", number(float(name)), class_="num") for name in table)
    )
    rows = []
    for name, row in table.iterrows():
        cells = []
        for value in row:
            share = 0 if not math.isfinite(value) or most == 0 else round(60 * abs(value) / most)
            tone = "var(--good)" if value > 0 else "var(--bad)"
            text = f"{value:+.2f}" if math.isfinite(value) else "\u2013"
            cells.append(tag("td", text, class_="num heat", style=f"--tone: {tone}; --much: {share}%"))
        rows.append(tag("tr", tag("th", number(float(str(name)))), *cells))
    return tag("table", tag("thead", head), tag("tbody", *rows))
