"""The sections of a page, each from the facts of a search: a table, a chart, a list, and the words around it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from multihop_search.engine.record import COMPLETE, FAIL, PRUNED
from multihop_search.paths.groups import Group
from multihop_search.paths.path import TEACHER
from multihop_search.problem.units import MEASURES, number
from multihop_search.report.charts import MOST_POINTS, history_chart, legend, n_below, size_chart
from multihop_search.report.elements import as_given, details, head, note, numeric, row_head, scrolled, section, table
from multihop_search.report.facts import Compared, Facts
from multihop_search.report.gains import Gain, gains
from multihop_search.report.markup import broken_name, duration, join, score, shown, tag
from multihop_search.report.portrait import Portrait, portrait
from multihop_search.report.steps import Settings, steps_of
from multihop_search.verdict.verdict import Verdict
from multihop_search.verdict.words import gains_to_read, steps_to_read

MOST_REASONS = 12
MOST_COUNTED = 40
"""Classes whose rows are counted on the page."""
STATES = {FAIL: "failed", PRUNED: "stopped early", COMPLETE: "complete, with a remark"}


def title_of(facts: Facts) -> str:
    """Return what the page is called."""
    kind = portrait_of(facts).kind
    return f"{kind} taught by {facts.models[TEACHER].kind}" if facts.path.hops else f"{kind} without a teacher"


def portrait_of(facts: Facts) -> Portrait:
    """Return the portrait of the student that is handed over."""
    return portrait(facts.student, facts.feature_names, facts.class_names)


def lines_of(verdict: Verdict) -> tuple[str, Markup]:
    """Return the answer of a verdict, and its other lines as a list."""
    first, *others = map(shown, str(verdict).split("\n"))
    return first, tag("ul", *(tag("li", line) for line in others), class_="rest")


def _paragraphs(verdict: Verdict) -> list[Markup]:
    first, others = lines_of(verdict)
    return [tag("p", first), others]


def columns_of(verdict: Verdict) -> dict[str, str]:
    """Return the columns of scores, and what they are called: the search's own too, unless a measure says it."""
    columns = {name: MEASURES[name].label for name in verdict.scores.columns if name != "score"}
    return columns if verdict.unit.is_measured else {"score": shown(verdict.score), **columns}


def _measured_cells(model: Compared, columns: Iterable[str]) -> list[Markup]:
    scores = [numeric(score(model.scores[name], name)) for name in columns]
    sizes = number(model.size), number(model.n_features, 3), duration(model.latency_us)
    return [*scores, *map(numeric, sizes)]


def comparison_of(facts: Facts) -> Markup:
    """Return the models side by side."""
    columns = columns_of(facts.verdict)
    heads = [*columns.values(), _size_head(facts), "columns", "one row"]
    rows = [
        tag(
            "tr",
            row_head(model.name, tag("small", broken_name(model.kind))),
            *_measured_cells(model, columns),
            class_="ours" if model.name == Group.SELECTED.label else None,
        )
        for model in facts.compared
    ]
    return table([head("model"), *(head(name, kind="num") for name in heads)], rows, label="comparison of models")


def _size_head(facts: Facts) -> str:
    return "nodes" if all(model.unit == "nodes" for model in facts.compared) else "size"


def remarks_of(facts: Facts) -> Markup:
    """Return what the comparison leaves out."""
    return join(note(remark) for remark in facts.remarks)


def side_by_side(facts: Facts) -> Markup:
    """Return the models of the search side by side, with what the columns mean."""
    verdict, n_plain = facts.verdict, facts.verdict.n_trials[Group.PLAIN]
    losses = [label for name, label in columns_of(verdict).items() if name in MEASURES and MEASURES[name].is_loss]
    lower = f"; lower {losses[0]} is better" if losses else ""
    alone = any(model.name == Group.OWN_FIT.label for model in facts.compared)
    nodes = "Nodes are those of all trees of a model."
    sizes = (
        "Size is the number of nodes of trees, of coefficients that are not 0, of weights of a network, else "
        "compressed bytes / 8."
    )
    words = note(
        f"Honest scores, by {verdict.judged_on}{lower}. ",
        tag("i", "Plain"),
        f" is the student without a teacher, the best of {n_plain} trial{'s' * (n_plain != 1)}",
        *(
            ["; ", tag("i", Group.OWN_FIT.label), " is the best of those that its own class fitted, without shrinkage"]
            if alone
            else []
        ),
        f". {nodes if _size_head(facts) == 'nodes' else sizes} The time is that of one prediction for one row, on one "
        "thread.",
    )
    return section("Side by side", comparison_of(facts), words, remarks_of(facts))


def gained(facts: Facts) -> Markup:
    """Return the gains with their intervals."""
    verdict = facts.verdict
    unit = gains_to_read(verdict)[1]
    return section(
        "What was gained",
        note(
            f"Gains in {unit.heading}, with 95 % intervals; to the right is better. The shaded band is a difference "
            "that does not matter."
        ),
        tag("ul", *map(_gain, gains(verdict)), class_="gains"),
        *_steps(verdict),
    )


def _steps(verdict: Verdict) -> list[Markup]:
    """Return where the gain comes from, step by step; nothing where there is one step or none."""
    steps, unit = steps_to_read(verdict)
    if len(steps) < 3:
        return []
    heads = [head("what is added"), head(verdict.score, kind="num"), head(f"gain, {unit.text}", kind="num")]
    rows = []
    for name, value, gain, low, high in steps[["score", "gain", "low", "high"]].itertuples():
        added = (
            "" if math.isnan(gain) else f"{gain:+.{unit.places}f} ({low:+.{unit.places}f} to {high:+.{unit.places}f})"
        )
        rows.append(tag("tr", row_head(name), numeric(number(verdict.unit.sign * value)), numeric(added)))
    words = note("Step by step: what the same choice picks as more kinds of trials are added. These gains add up.")
    return [words, table([*heads], rows, label="gains step by step")]


def _gain(gain: Gain) -> Markup:
    interval = [" ", tag("span", f"({gain.interval})", class_="interval")] if gain.interval else []
    advice = [tag("small", gain.advice)] if gain.advice else []
    outcome = tag("div", _word(gain), f" {gain.said}", *interval, *advice)
    return tag("li", tag("div", gain.name, tag("small", gain.meaning)), gain.strip, outcome)


def _word(gain: Gain) -> Markup:
    return tag("span", gain.word, class_=f"word {gain.word}")


def students(facts: Facts) -> Markup:
    """Return what was chosen of each student, where there are several."""
    if len(facts.verdicts) < 2:
        return Markup("")
    columns = columns_of(facts.verdict)
    heads = [*columns.values(), "size", "columns", "one row"]
    rows, folded = [], []
    for name, verdict in facts.verdicts.items():
        model, student = facts.others[name], as_given(shown(name))
        rows.append(
            tag(
                "tr",
                row_head(student, tag("small", broken_name(model.kind))),
                tag("td", _word(gains(verdict)[0])),
                *_measured_cells(model, columns),
                class_="ours" if name == facts.best else None,
            )
        )
        folded.append(details(["The verdict of ", student], *_paragraphs(verdict)))
    free = head("against its plain", kind="free")
    whole = table(
        [head("student"), free, *(head(one, kind="num") for one in heads)], rows, label="comparison of students"
    )
    words = note("What was chosen of each student; sizes and times are means over the folds.")
    return section("The students", whole, words, *folded)


def _settings(pairs: Settings) -> Markup:
    if not pairs:
        return Markup("")
    return tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", as_given(value))) for name, value in pairs), class_="settings"
    )


def path_of(facts: Facts) -> Markup:
    """Return the chosen path, model after model."""
    steps = steps_of(facts.path, facts.models, regression=facts.class_names is None)
    items = []
    for place, step in enumerate(steps):
        arrow = []
        for number_of, (name, pairs) in enumerate(step.recipes):
            arrow += [tag("div", "and " * bool(number_of), shown(name), class_="recipe"), _settings(pairs)]
        box = tag(
            "div",
            tag("b", as_given(step.name)),
            tag("small", f"{shown(step.kind)}, {step.size}"),
            _settings(step.settings),
            class_="box last" if place == len(steps) - 1 else "box",
        )
        items.append(tag("li", *([tag("div", *arrow, class_="arrow")] if arrow else []), box))
    no_hop = note("No hop: the student is fitted on the true labels, with the settings above.")
    return join([tag("ol", *items, class_="path"), *([no_hop] if len(steps) == 1 else [])])


def student_of(facts: Facts) -> Markup:
    """Return the student that is handed over: its tree, its coefficients, or what it draws on."""
    one = portrait_of(facts)
    before = ""
    if one.steps:
        before = (
            f" Before it in its Pipeline: {', '.join(map(shown, one.steps))}; the columns are what comes out of that."
        )
    parts: list[Markup] = [tag("p", one.sentence, before)]
    if one.legend:
        parts.append(tag("ul", *map(_colour, range(len(one.legend)), one.legend), class_="legend"))
    if one.tree:
        parts += [
            scrolled(one.tree, "the tree"),
            note(
                "Read from the left: the upper branch where the condition holds. A leaf says what it predicts and what "
                "share of the rows that the tree was fitted on, weighted, ends in it."
            ),
            details(["The tree as text"], tag("pre", one.rules, tabindex="0")),
        ]
    elif one.heads:
        parts.append(_matrix(one))
    elif one.terms or one.intercepts:
        parts.append(_terms(one))
    return join(parts)


def _colour(place: int, name: str) -> Markup:
    square = tag("rect", width="12", height="12", rx="2", class_=f"c{place}")
    return tag("li", tag("svg", square, width="12", height="12", aria_hidden="true"), as_given(name))


def _matrix(one: Portrait) -> Markup:
    heads = [head("column"), *(head(as_given(name), kind="num") for name in one.heads)]
    rows = [
        tag(
            "tr",
            row_head(as_given(term.name)),
            *(
                tag(
                    "td",
                    one.fixed(value),
                    class_="num heat",
                    style=f"--tone: var(--{'c0' if value > 0 else 'c1'}); --much: {55 * abs(value) / one.largest:.0f}%",
                )
                for value in term.values
            ),
        )
        for term in one.terms
    ]
    last = tag("tr", row_head("(intercept)"), *(numeric(one.fixed(value)) for value in one.intercepts))
    return table(heads, [*rows, last], "matrix", "coefficients")


def _terms(one: Portrait) -> Markup:
    def value_of(value: float) -> str:
        return one.fixed(value) if one.intercepts else f"{100 * value:.1f} %"

    rows = [
        tag("tr", row_head(as_given(term.name)), tag("td", term.strip, class_="bar"), numeric(value_of(term.values[0])))
        for term in one.terms
    ]
    if one.intercepts:
        last = numeric(one.fixed(one.intercepts[0]))
        rows.append(tag("tr", row_head("(intercept)"), tag("td", class_="bar"), last))
    heads = [head("column"), head(), head("coefficient" if one.intercepts else "share", kind="num")]
    return table(heads, rows, "wide terms")


def score_against_size(facts: Facts) -> Markup:
    """Return the picture of score and size of every complete trial; nothing where no trial is complete."""
    results = facts.results
    complete = (results["state"] == COMPLETE) & results["score"].notna()
    if not complete.any():
        return Markup("")
    n_front = int(results.loc[complete, "on_front"].sum())
    words = (
        f"Every complete trial: cross-validated {shown(facts.verdict.score)} (up is better) and the size of its "
        f"student. Filled: the {n_front} on the front, which no other beats in score, bytes, time and columns together."
    )
    chart = size_chart(results, facts.verdict.unit, facts.chosen[facts.best])
    return section("Score against size", note(words), chart, legend(front=True))


def search(facts: Facts) -> Markup:
    """Return the picture of the trials in order, and why some of them ended without a score."""
    mine = _of_best(facts)
    counts, below = mine["state"].value_counts(), n_below(mine)
    n_stopped, n_failed = (int(counts.get(state, 0)) for state in (PRUNED, FAIL))
    words = note(
        f"{len(mine)} trials",
        *([" of the student ", as_given(shown(facts.best))] if len(facts.verdicts) > 1 else []),
        f": {int(counts.get(COMPLETE, 0))} complete, {n_stopped} stopped early, {n_failed} failed. Cross-validated "
        "scores of winners are optimistic, so none of them is a promise.",
        f" The {below} lowest lie below the picture and stand on its lower edge." * bool(below),
        f" Of more than {MOST_POINTS} trials evenly many are drawn." * (len(facts.results) > MOST_POINTS),
    )
    chart = history_chart(mine, facts.verdict.unit, facts.chosen[facts.best])
    parts = [words, chart, legend(lines=True, stopped=n_stopped > 0, failed=n_failed > 0)]
    reasons = reasons_of(mine)
    if reasons:
        heads = [head("trials", kind="num"), head("state"), head("reason, of one of them")]
        rows = [tag("tr", numeric(one.count), tag("td", one.what), tag("td", as_given(one.said))) for one in reasons]
        parts += [tag("h3", "Reasons"), table(heads, rows, label="reasons")]
    return section("The search", *parts)


def _of_best(facts: Facts) -> pd.DataFrame:
    return facts.results[facts.results["student"] == facts.labels[facts.best]]


@dataclass(frozen=True)
class Reason:
    """Why trials ended without a score, or what was remarked of them."""

    count: int
    what: str
    said: str
    """The reason of one of them; where there are several, their numbers differ."""


def reasons_of(results: pd.DataFrame) -> list[Reason]:
    """Return the reasons of stopped and failed trials, then remarks on complete ones; alike but for numbers is one."""
    lines = []
    for state, word in STATES.items():
        reasons = results.loc[(results["state"] == state) & (results["reason"].astype(bool)), "reason"]
        alike = reasons.groupby(reasons.map(_without_numbers), sort=False)
        groups = sorted(((len(same), same.iloc[0]) for _, same in alike), key=lambda group: -group[0])
        lines += [Reason(count, word, shown(reason, 300)) for count, reason in groups]
    return lines[:MOST_REASONS]


def _without_numbers(reason: str) -> str:
    return re.sub(r"[+-]?\d[\d.,]*(e[+-]?\d+)?", "#", str(reason))


def making(facts: Facts) -> Markup:
    """Return how the search was made: rows, score, folds, seconds and versions."""
    parts = [part for name, text in _making(facts) for part in (tag("dt", name), tag("dd", as_given(text)))]
    words = note("Written by multihop-search. The page holds no training rows and asks nothing of the network.")
    return section("How it was made", tag("dl", *parts, class_="made"), words)


def _making(facts: Facts) -> Iterator[tuple[str, str]]:
    making, verdict = facts.making, facts.verdict
    yield "rows", f"{making.n_rows:,}" + " with weights" * making.weighted + ", in groups" * making.grouped
    if making.n_searched < making.n_rows:
        yield "rows searched", f"{making.n_searched:,}"
        yield "rows the student is fitted on", f"{making.n_fitted:,}"
    yield "columns", f"{making.n_columns:,}"
    if making.n_unlabeled:
        yield "rows without a label", f"{making.n_unlabeled:,}"
    if making.class_counts is not None:
        yield f"{len(making.class_counts)} classes", _class_counts(making.class_counts)
    trials = ", ".join(f"{count:,} {group}" for group, count in verdict.n_trials.items())
    yield "score", f"{shown(verdict.score)}, cross-validated on {making.n_folds} folds"
    yield "complete trials", trials + f"; {verdict.n_stopped:,} stopped early" * bool(verdict.n_stopped)
    yield "judged on", verdict.judged_on
    yield "seconds", number(making.seconds, 3)
    yield "random_state", str(making.random_state)
    yield "versions", ", ".join(f"{shown(name)} {shown(version)}" for name, version in making.versions.items())


def _class_counts(counts: Mapping[Any, int]) -> str:
    lines = [f"{shown(label, 60)}: {count:,}" for label, count in list(counts.items())[:MOST_COUNTED]]
    more = len(counts) - len(lines)
    return ", ".join(lines) + f" and {more} more" * bool(more)
