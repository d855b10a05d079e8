"""The gains: each comparison of a verdict with its 95 % interval, as a strip as wide as its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from multihop_search.report.markup import ABSENT, percent, tag
from multihop_search.report.scales import Scale, ends
from multihop_search.verdict.verdict import INCONCLUSIVE, Verdict, gain_places, gains_to_read

NAMES = {
    "selected vs plain": ("ours against plain", "what the search gained"),
    "selected vs own fit": ("ours against plain alone", "no teacher, fitted by its own class"),
    "one-hop vs plain": ("one hop against plain", "the best of all paths of one hop"),
    "multi-hop vs one-hop": ("several hops against one hop", "the best of all paths of two hops or more"),
}
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
    places = gain_places(unit)
    low, high = ends([*table["low"], *table["high"], 0.0], 0.08)
    scale = Scale(low, high, 0.01, 0.99)
    found = []
    for name in [
        *(name for name in NAMES if name in table.index),
        *(name for name in table.index if name not in NAMES),
    ]:
        gain, least, most, region = (float(value) for value in table.loc[name])
        title, meaning = NAMES.get(name, (name, ""))
        said = f"{gain:+.{places}f}" if math.isfinite(gain) else ABSENT
        interval = f"{least:+.{places}f} to {most:+.{places}f}" if least < most else ""
        word = str(verdict.table.loc[name, "verdict"])
        if not math.isfinite(gain):
            word = "not compared"
        advice = verdict.advice.get(name, "") if word == INCONCLUSIVE else ""
        label = f"{title}: {said} {unit}, {word}" + (f", 95 % interval {interval}" if interval else "")
        strip = _strip(scale, (gain, least, most), region, label, word)
        found.append(Gain(title, meaning, word, said, interval, advice, strip))
    return found


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
