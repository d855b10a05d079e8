"""The page: one HTML file that explains a search, and the short form that a notebook shows.

`page` and `fragment` turn `Facts` into text by the templates beside this module; everything that is no markup of ours
is escaped there. `write_page` writes the file, whole or not at all.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import pandas as pd

from multihop_search.engine.record import COMPLETE, FAIL, PRUNED
from multihop_search.errors import InvalidSetting
from multihop_search.files import in_a_folder, path_of, whole_file
from multihop_search.paths.groups import Group
from multihop_search.paths.path import TEACHER
from multihop_search.problem.units import MEASURES
from multihop_search.report.charts import MOST_POINTS, history_chart, n_below, size_chart
from multihop_search.report.facts import Facts
from multihop_search.report.gains import gains
from multihop_search.report.markup import broken_name, duration, number, score, shown, spelled_out
from multihop_search.report.portrait import Portrait, portrait
from multihop_search.report.steps import steps_of
from multihop_search.verdict.verdict import Verdict
from multihop_search.verdict.words import gains_to_read

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_REASONS = 12
MOST_COUNTED = 40
"""Classes whose rows are counted on the page."""


@dataclass(frozen=True)
class Reason:
    """Why trials ended without a score, or what was remarked of them."""

    count: int
    what: str
    said: str
    """The reason of one of them; where there are several, their numbers differ."""


def page(facts: Facts) -> str:
    """Return the whole page."""
    results = facts.results
    mine = results[results["student"] == facts.labels[facts.best]]
    best = facts.chosen[facts.best]
    known = (results["state"] == COMPLETE) & results["score"].notna()
    text = _environment().get_template("page.html").render(
        **_common(facts),
        title=title_of(facts),
        gains=gains(facts.verdict),
        unit=gains_to_read(facts.verdict)[1].heading,
        size_chart=size_chart(results, facts.verdict.unit, best) if known.any() else "",
        history_chart=history_chart(mine, facts.verdict.unit, best),
        n_front=int(results.loc[known, "on_front"].sum()),
        thinned=len(results) > MOST_POINTS,
        most_points=MOST_POINTS,
        counts=_counts(mine),
        n_below=n_below(mine),
        reasons=reasons_of(mine),
        students=_students(facts),
        making=_making(facts),
    )  # fmt: skip
    return spelled_out(text, keep="\n")


def fragment(facts: Facts) -> str:
    """Return the short form: verdict, comparison, path and student."""
    text = _environment().get_template("fragment.html").render(**_common(facts))
    return spelled_out(text, keep="\n")


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


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("multihop_search.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "number": number,
        "duration": duration,
        "score": score,
        "broken": broken_name,
    }
    return environment


def title_of(facts: Facts) -> str:
    """Return what the page is called."""
    kind = portrait_of(facts).kind
    return f"{kind} taught by {facts.models[TEACHER].kind}" if facts.path.hops else f"{kind} without a teacher"


def portrait_of(facts: Facts) -> Portrait:
    """Return the portrait of the student that is handed over."""
    return portrait(facts.student, facts.feature_names, facts.class_names)


def _common(facts: Facts) -> dict[str, Any]:
    first, _, rest = shown(facts.verdict).partition(". ")
    return {
        "facts": facts,
        "verdict": facts.verdict,
        "first": f"{first}.",
        "rest": rest,
        "measures": measures_of(facts.verdict),
        "compared": facts.compared,
        "steps": steps_of(facts.path, facts.models, regression=facts.class_names is None),
        "portrait": portrait_of(facts),
        "remarks": facts.remarks,
        "size": "nodes" if all(model.unit == "nodes" for model in facts.compared) else "size",
        "judged_on": facts.verdict.judged_on,
    }


def measures_of(verdict: Verdict) -> dict[str, str]:
    """Return the columns of scores that are shown, and their names: the search's own too, unless one says it."""
    columns = {name: MEASURES[name].label for name in verdict.scores.columns if name != "score"}
    return columns if verdict.unit.is_measured else {"score": shown(verdict.score), **columns}


def reasons_of(results: pd.DataFrame) -> list[Reason]:
    """Return the reasons of stopped and failed trials, then remarks on complete ones; alike but for numbers is one."""
    words = {FAIL: "failed", PRUNED: "stopped early", COMPLETE: "complete, with a remark"}
    found = []
    for state, word in words.items():
        reasons = results.loc[(results["state"] == state) & (results["reason"].astype(bool)), "reason"]
        alike = reasons.groupby(reasons.map(_without_numbers), sort=False)
        groups = sorted(((len(same), same.iloc[0]) for _, same in alike), key=lambda group: -group[0])
        found += [Reason(count, word, shown(said, 300)) for count, said in groups]
    return found[:MOST_REASONS]


def _without_numbers(reason: str) -> str:
    return re.sub(r"[+-]?\d[\d.,]*(e[+-]?\d+)?", "#", str(reason))


def _counts(results: pd.DataFrame) -> dict[str, int]:
    counts = {word: int((results["state"] == state).sum()) for state, word in (
        (COMPLETE, "complete"), (PRUNED, "stopped early"), (FAIL, "failed"))}  # fmt: skip
    return {"trials": len(results), **counts}


def _students(facts: Facts) -> list[dict[str, Any]]:
    if len(facts.verdicts) < 2:
        return []
    found = []
    for name, verdict in facts.verdicts.items():
        first, _, rest = shown(verdict).partition(". ")
        found.append(
            {
                "name": shown(name),
                "model": facts.others[name],
                "plain": verdict.scores.loc[Group.PLAIN.value],
                "gain": gains(verdict)[0],
                "first": f"{first}.",
                "rest": rest,
                "is_best": name == facts.best,
            }
        )
    return found


def _making(facts: Facts) -> list[tuple[str, str]]:
    made, verdict = facts.making, facts.verdict
    weighted = " with weights" * made.weighted + ", in groups" * made.grouped
    lines = [("rows", f"{made.n_rows:,}{weighted}"), ("columns", f"{made.n_columns:,}")]
    if made.n_unlabeled:
        lines.append(("rows without a label", f"{made.n_unlabeled:,}"))
    if made.class_counts is not None:
        told = [f"{shown(label, 60)}: {count:,}" for label, count in list(made.class_counts.items())[:MOST_COUNTED]]
        more = len(made.class_counts) - len(told)
        lines.append((f"{len(made.class_counts)} classes", ", ".join(told) + f" and {more} more" * bool(more)))
    searched = ", ".join(f"{count:,} {group}" for group, count in verdict.n_trials.items())
    lines += [
        ("score", f"{shown(verdict.score)}, cross-validated on {made.n_folds} folds"),
        ("complete trials", searched + f"; {verdict.n_stopped:,} stopped early" * bool(verdict.n_stopped)),
        ("judged on", verdict.judged_on),
        ("seconds", number(made.seconds, 3)),
        ("random_state", str(made.random_state)),
        ("versions", ", ".join(f"{shown(name)} {shown(version)}" for name, version in made.versions.items())),
    ]
    return lines
