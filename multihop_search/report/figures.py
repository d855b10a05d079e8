"""Figures: one picture of a search as a file of its own, made of the charts of its page."""

from __future__ import annotations

import pandas as pd

from multihop_search.report.charts import HEIGHT, history_chart
from multihop_search.report.gains import STRIP, gains
from multihop_search.report.markup import join, tag
from multihop_search.verdict.verdict import Verdict
from multihop_search.verdict.words import gains_to_read

WIDTH, MARGIN, GAP, TITLE, ROW = 960, 16, 40, 34, 62
LEFT_WIDTH = 540
STYLE = """
text { font: 11.5px system-ui, sans-serif; fill: #5d5a53; } .title { font-size: 14px; fill: #1f1e1b; }
.grid { stroke: #dcd8cf; } .axis, .zero { stroke: #5d5a53; } .region { fill: #f1eee7; }
.mark { fill: #fbfaf7; stroke-width: 1.4; } .mark.plain { stroke: #6d6d6d; }
.mark.one-hop, .baseline { stroke: #1b6db0; }
.mark.multi-hop { stroke: #b8480b; } .ring { fill: none; stroke: #1f1e1b; stroke-width: 1.8; }
.best { stroke: #1f1e1b; stroke-width: 1.6; } .baseline { stroke-width: 1.6; stroke-dasharray: 5 4; }
.stopped { stroke: #5d5a53; stroke-width: 1.6; } .failed { stroke: #b3261e; stroke-width: 2.4; }
.bar { stroke: currentColor; stroke-width: 2.5; } .strip circle { fill: currentColor; } .strip { color: #80600a; }
.strip.beats { color: #1d7438; } .strip.loses { color: #b3261e; } .strip.equivalent { color: #5d5a53; }
"""
LEGEND = "grey: plain, blue: one hop, orange: more hops, ringed: chosen; lines: best so far, best one-hop path so far"


def draw_search(results: pd.DataFrame, verdict: Verdict, best: int) -> str:
    """Return a picture as SVG: left the score of every trial in order, right the gains with their intervals.

    Parameters
    ----------
    results : DataFrame
        `results_` of a search.
    verdict : Verdict
        Its `verdict_`.
    best : int
        Number of the chosen trial.
    """
    unit, gain_unit, right = verdict.unit, gains_to_read(verdict)[1], MARGIN + LEFT_WIDTH + GAP
    parts = [
        tag("style", STYLE),
        tag("rect", width="100%", height="100%", fill="#fbfaf7"),
        tag("text", f"What each trial scored: {unit.name}", x=MARGIN, y=24, class_="title"),
        tag("text", f"Gain, {gain_unit.text}, 95 % interval", x=right, y=24, class_="title"),
        tag("svg", history_chart(results, unit, best), x=MARGIN, y=TITLE, width=LEFT_WIDTH, height=HEIGHT),
        tag("text", LEGEND, x=MARGIN, y=TITLE + HEIGHT + 14),
    ]
    for place, gain in enumerate(gains(verdict)):
        top = TITLE + 14 + place * ROW
        words = f"{gain.name}: {gain.said}, {gain.word}"
        strip = tag("svg", gain.strip, x=right, y=top + 6, width=WIDTH - right - MARGIN, height=STRIP)
        parts += [tag("text", words, x=right, y=top), strip]
    height = TITLE + HEIGHT + 28
    size = {"width": WIDTH, "height": height, "viewBox": f"0 0 {WIDTH} {height:.0f}"}
    return str(tag("svg", join(parts), xmlns="http://www.w3.org/2000/svg", **size))
