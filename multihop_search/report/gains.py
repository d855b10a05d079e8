"""The gains: each comparison of a verdict with its 95 % interval, as a strip as wide as its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from multihop_search.paths.groups import MANY_VS_ONE, ONE_VS_PLAIN, OURS_VS_OWN_FIT, OURS_VS_PLAIN
from multihop_search.problem.units import ABSENT
from multihop_search.report.markup import percent, tag
from multihop_search.report.scales import Scale, ends
from multihop_search.verdict.interval import INCONCLUSIVE
from multihop_search.verdict.verdict import Verdict
from multihop_search.verdict.words import gains_to_read

MEANINGS = {
    OURS_VS_PLAIN: "what the search gained",
    OURS_VS_OWN_FIT: "no teacher, fitted by its own class",
    ONE_VS_PLAIN: "the best of all paths of one hop",
    MANY_VS_ONE: "the best of all paths of two hops or more",
}
"""In the order of reading."""
STRIP = 34.0


@dataclass(frozen=True)
class Gain:
    """One comparison, ready to be shown."""

    name: str
    meaning: str
    word: str
    said: str
    """The gain in words."""
    interval: str
    """Its ends, empty where they are one."""
    advice: str
    """What would settle it, where it is open."""
    strip: Markup


def gains(verdict: Verdict) -> list[Gain]:
    """Return the comparisons in the order of reading, on one scale."""
    table, unit = gains_to_read(verdict)  # as the sentences of the verdict have them
    places = unit.places
    low, high = ends([*table["low"], *table["high"], 0.0], 0.08)
    scale = Scale(low, high, 0.01, 0.99)
    strips = []
    for comparison, meaning in MEANINGS.items():
        name = comparison.name
        if name not in table.index:
            continue
        gain, least, most, region = (float(value) for value in table.loc[name])
        text = f"{gain:+.{places}f}" if math.isfinite(gain) else ABSENT
        interval = f"{least:+.{places}f} to {most:+.{places}f}" if least < most else ""
        word = str(verdict.table.loc[name, "verdict"])
        if not math.isfinite(gain):
            word = "not compared"
        advice = verdict.advice.get(name, "") if word == INCONCLUSIVE else ""
        label = f"{comparison.label}: {text} {unit.text}, {word}" + (f", 95 % interval {interval}" if interval else "")
        strip = _strip(scale, (gain, least, most), region, label, word)
        strips.append(Gain(comparison.label, meaning, word, text, interval, advice, strip))
    return strips


def _strip(scale: Scale, gains: tuple[float, float, float], region: float, label: str, word: str) -> Markup:
    gain, low, high = gains
    middle, parts = STRIP / 2, []
    if math.isfinite(region):
        left, right = scale(-region), scale(region)
        band = {"x": percent(left), "width": percent(right - left), "y": 0, "height": STRIP}
        parts.append(tag("rect", **band, class_="region"))
    parts.append(tag("line", x1=percent(scale(0)), x2=percent(scale(0)), y1=0, y2=STRIP, class_="zero"))
    if math.isfinite(gain):
        parts.append(tag("line", x1=percent(scale(low)), x2=percent(scale(high)), y1=middle, y2=middle, class_="bar"))
        parts.append(tag("circle", cx=percent(scale(gain)), cy=middle, r=5))
    kind = "open" if word == "not compared" else word
    return tag("svg", *parts, class_=f"strip {kind}", role="img", aria_label=label, width="100%", height=STRIP)
