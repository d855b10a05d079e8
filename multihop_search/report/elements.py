"""Elements that pages are built of: sections, notes, tables and their cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from multihop_search.report.markup import tag


def section(title: str, *parts: Any) -> Markup:
    """Return a section with its title."""
    return tag("section", tag("h2", title), *parts)


def note(*parts: Any) -> Markup:
    """Return what is said beside a table or a chart."""
    return tag("p", *parts, class_="note")


def table(heads: Iterable[Markup], rows: Iterable[Markup], kind: str = "wide", label: str | None = None) -> Markup:
    """Return a table; one with a `label` is scrolled where it is wider than its place."""
    whole = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_=kind)
    return whole if label is None else scrolled(whole, label)


def scrolled(part: Markup, label: str) -> Markup:
    """Return what may be wider than its place."""
    return tag("div", part, class_="scroll", tabindex="0", role="region", aria_label=label)


def head(*parts: Any, kind: str | None = None) -> Markup:
    """Return the head of a column."""
    return tag("th", *parts, scope="col", class_=kind)


def row_head(*parts: Any) -> Markup:
    """Return the head of a row."""
    return tag("th", *parts, scope="row")


def numeric(*parts: Any) -> Markup:
    """Return a cell that holds a number."""
    return tag("td", *parts, class_="num")


def as_given(name: Any) -> Markup:
    """Return a name that came with the data: it does not turn the text beside it."""
    return tag("bdi", name)


def details(summary: Iterable[Any], *parts: Any, is_open: bool = False) -> Markup:
    """Return what is folded away."""
    return tag("details", tag("summary", *summary), *parts, open="" if is_open else None)
