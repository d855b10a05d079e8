"""The page: one HTML file that explains a search, and the short form that a notebook shows.

A page is its `SECTIONS`, one after the other; each is made from `Facts` in `sections`. Everything that is no markup of
ours is escaped by `markup.tag`. `write_page` writes the file, whole or not at all.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path as File
from typing import Any

from markupsafe import Markup

from multihop_search.errors import InvalidSetting
from multihop_search.files import in_a_folder, path_of, whole_file
from multihop_search.report import sections
from multihop_search.report.elements import details, section
from multihop_search.report.facts import Facts
from multihop_search.report.markup import spelled_out, tag

SECTIONS = (
    sections.side_by_side,
    sections.gained,
    sections.students,
    lambda facts: section("The path", sections.path_of(facts)),
    lambda facts: section("The student", sections.student_of(facts)),
    sections.score_against_size,
    sections.search,
    sections.making,
)
"""What a page holds under its headline, in order: from facts to markup, empty where a search has none of it."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
WHOLE_PAGE = """
html { background: #fbfaf7; } body { margin: 0; }
@media (prefers-color-scheme: dark) { html { background: #171613; } }
main.mhs { max-width: %s; margin: 0 auto; padding: 3rem clamp(1rem, 4vw, 3rem) 4rem; }
@media (max-width: 48rem) { main.mhs { padding-top: 1.6rem; } }
"""


def page(facts: Facts) -> str:
    """Return the whole page."""
    title = sections.title_of(facts)
    first, others = sections.lines_of(facts.verdict)
    header = tag("header", tag("h1", title), tag("p", first, class_="first"), others)
    return document(title, [header, *(part(facts) for part in SECTIONS)], width="70.5rem")


def fragment(facts: Facts) -> str:
    """Return the short form: verdict, comparison, path and student."""
    first, others = sections.lines_of(facts.verdict)
    short = tag(
        "div",
        tag("style", style()),
        tag("p", first, class_="first", style="font-size: 1.25rem; margin-top: 0"),
        others,
        sections.comparison_of(facts),
        sections.remarks_of(facts),
        details(["The path"], sections.path_of(facts)),
        details(["The student"], sections.student_of(facts), is_open=True),
        class_="mhs",
        style="padding: 1rem 1.2rem; max-width: 72rem",
    )
    return spelled_out(str(short), keep="\n")


def style() -> Markup:
    """Return the style sheet that every page has."""
    return Markup(files("multihop_search.report").joinpath("page.css").read_text(encoding="utf-8"))


def document(title: str, parts: list[Any], *, width: str, css: str = "") -> str:
    """Return a whole HTML document that asks nothing of the network."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", **{"http-equiv": "Content-Security-Policy"}, content=Markup(POLICY)),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", style(), Markup(WHOLE_PAGE % width + css)),
    )
    whole = tag("html", head, tag("body", tag("main", *parts, class_="mhs")), lang="en")
    return spelled_out(f"<!DOCTYPE html>\n{whole}\n", keep="\n")


def write_page(facts: Facts, file: str | os.PathLike[str]) -> None:
    """Write the page; a file that stands there is replaced at the end, at once.

    Raises
    ------
    InvalidSetting
        If the file is no .html.
    FileFailed
        If it cannot be written.
    """
    file = checked_file(file)
    content = page(facts).encode()
    with whole_file(file) as part:
        part.write_bytes(content)


def checked_file(file: str | os.PathLike[str]) -> File:
    """Return the path of a page.

    Raises
    ------
    InvalidSetting
        If it is no .html.
    FileFailed
        If its folder is missing.
    """
    file = path_of(file, "file")
    if file.suffix.lower() not in (".html", ".htm"):
        raise InvalidSetting(f"file must end in .html, got {file.name!r}: pass for instance 'report.html'.")
    return in_a_folder(file, "file")
