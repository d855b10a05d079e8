"""Markup: elements, names and numbers as HTML and SVG take them; everything that is no `Markup` is escaped."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

from multihop_search.problem.units import ABSENT, MEASURES
from multihop_search.problem.units import number as number  # what pages write, experiments too

HIDDEN = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
"""Categories of characters that a browser drops, refuses or breaks a line at."""
REORDERING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the order of what stands beside them."""
VOID = {"meta", "link"}
"""Elements without content."""
BLOCKS = {
    *("dd", "details", "div", "dl", "dt", "h1", "h2", "h3", "header"),
    *("li", "link", "meta", "ol", "p", "section", "style", "table", "tr", "ul"),
}
"""Elements after which a line ends."""


def shown(name: Any, most: int | None = None) -> str:
    """Return a name that came with the data as one visible line, cut to `most` characters.

    Examples
    --------
    >>> shown("a\\nb"), shown("caf\u00e9"), shown(" "), shown("abcdef", 4)
    ('a\\\\nb', 'caf\u00e9', "' '", 'abc\u2026')
    """
    text = spelled_out(str(name))
    if not text.strip():
        text = repr(text)
    return text if most is None or len(text) <= most else text[: most - 1] + "\u2026"


def spelled_out(text: str, keep: str = "") -> str:
    """Return `text` with each letter as an escape that is not seen or moves others, but for those in `keep`."""
    return "".join(
        letter.encode("unicode_escape").decode() if letter not in keep and _is_hidden(letter) else letter
        for letter in text
    )


def _is_hidden(letter: str) -> bool:
    return letter in REORDERING or unicodedata.category(letter) in HIDDEN


def tag(element: str, *children: Any, **attributes: Any) -> Markup:
    """Return an element; names of attributes have "_" for "-", a last "_" is dropped, None leaves one out.

    Examples
    --------
    >>> print(tag("text", "a < b", x=1.5, text_anchor="end", class_="small"))
    <text x="1.5" text-anchor="end" class="small">a &lt; b</text>
    """
    inside = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    content = "" if element in VOID else f"{join(children)}</{element}>"
    return Markup(f"<{element}{inside}>{content}" + "\n" * (element in BLOCKS))


def join(parts: Iterable[Any]) -> Markup:
    """Return the parts one after the other, each escaped unless it is markup."""
    return Markup("").join(parts)


def _attribute(value: Any) -> str:
    if isinstance(value, Markup):
        return value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """Return a share as SVG takes a length: of the width of the picture, whatever that is."""
    return f"{100 * share:.2f}%"


def score(value: float, measure: str) -> str:
    """Return a score with the decimals of its column: four of what lies about 1, so that a table is aligned.

    Examples
    --------
    >>> score(0.95, "accuracy"), score(57.123456, "rmse")
    ('0.9500', '57.12')
    """
    if not math.isfinite(value) or measure not in MEASURES or not MEASURES[measure].fixed:
        return number(value)
    return f"{value:.4f}"


def broken_name(name: Any) -> Markup:
    """Return the name of a class with places where a line may break: before each capital that follows a small letter.

    Examples
    --------
    >>> print(broken_name("DecisionTreeClassifier"))
    Decision<wbr>Tree<wbr>Classifier
    """
    return Markup("<wbr>").join(re.sub(r"(?<=[a-z])(?=[A-Z])", "\n", shown(name)).split("\n"))


def duration(microseconds: float) -> str:
    """Return a short time in the unit that fits.

    Examples
    --------
    >>> duration(84.2), duration(9134.0), duration(float("nan"))
    ('84 \u00b5s', '9.1 ms', '\u2013')
    """
    if not math.isfinite(microseconds):
        return ABSENT
    for unit, size in (("\u00b5s", 1.0), ("ms", 1e3), ("s", 1e6)):
        if microseconds < 1e3 * size or unit == "s":
            return f"{number(microseconds / size, 2 if microseconds < 100 * size else 3)} {unit}"
    raise AssertionError
