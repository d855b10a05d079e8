"""The portrait of a student: a tree drawn, a linear model's coefficients, of any other what it draws on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from markupsafe import Markup
from sklearn.pipeline import Pipeline

from multihop_search.models.complexity import complexity
from multihop_search.models.portrayal import Coefficients, OneTree, Shares
from multihop_search.models.registry import family_of
from multihop_search.problem.units import number
from multihop_search.report.markup import percent, shown, tag
from multihop_search.report.text import describe, names_within
from multihop_search.report.trees import PALETTE, draw_tree

MOST_TERMS = 20
"""Coefficients, or columns, that are shown: the largest."""
MOST_CLASSES = 30
BAR = 18.0
NOTHING = Markup()
Head: TypeAlias = tuple[str, tuple[str, ...]]
"""The class of a student, and what stands before it in its Pipeline."""


@dataclass(frozen=True)
class Term:
    """A column and what the student makes of it."""

    name: str
    values: tuple[float, ...]
    """Its coefficients, or its share."""
    strip: Markup
    """The one value as a bar; empty where there are several."""


@dataclass(frozen=True)
class Portrait:
    """A student, ready to be shown."""

    kind: str
    steps: tuple[str, ...]
    """What stands before it in its Pipeline."""
    sentence: str
    tree: Markup = NOTHING
    rules: str = ""
    """The tree as text."""
    legend: tuple[str, ...] = ()
    """Classes that have a colour, in its order."""
    terms: tuple[Term, ...] = ()
    heads: tuple[str, ...] = ()
    """Classes of the columns of coefficients, where there are several."""
    intercepts: tuple[float, ...] = ()
    largest: float = 1.0
    """Largest coefficient, without its sign."""

    def fixed(self, value: float) -> str:
        """Return a coefficient with the decimals of its table: three digits of the largest."""
        return f"{value:,.{min(8, max(0, 2 - math.floor(math.log10(self.largest))))}f}"


def portrait(student: Any, features: Sequence[str], classes: Sequence[Any] | None) -> Portrait:
    """Return the portrait of a fitted student; of a Pipeline its last step, on what the others make of the columns."""
    steps: list[str] = []
    while isinstance(student, Pipeline):
        steps += [type(step).__name__ for _, step in student.steps[:-1] if step not in (None, "passthrough")]
        features = names_within(student, features)
        student = student.steps[-1][1]
    kind, before = type(student).__name__, tuple(steps)
    portrayal, head = family_of(student).portrayal(student), (kind, before)
    if isinstance(portrayal, OneTree):
        rules = describe(student, [shown(name) for name in features], _labels(classes))
        return _of_tree(portrayal.tree, rules, head, features, classes)
    if isinstance(portrayal, Coefficients):
        return _of_line(portrayal, head, features, classes)
    return _of_other(portrayal, complexity(student), head, features)


def _of_tree(tree: Any, rules: str, head: Head, features: Sequence[str], classes: Sequence[Any] | None) -> Portrait:
    picture, levels = draw_tree(tree, features, classes)
    sentence = f"A tree of {tree.node_count:,} nodes, {tree.n_leaves:,} of them leaves, {tree.max_depth} levels deep."
    if levels < tree.max_depth:
        sentence += f" The first {levels} levels are drawn."
    legend = tuple(map(shown, classes)) if classes is not None and len(classes) <= PALETTE else ()
    return Portrait(*head, sentence, picture, rules.replace("|   ", "\u2502   "), legend)


def _labels(classes: Sequence[Any] | None) -> list[str] | None:
    return None if classes is None else [shown(label) for label in classes]


def _of_line(portrayal: Coefficients, head: Head, features: Sequence[str], classes: Sequence[Any] | None) -> Portrait:
    weights = np.asarray(portrayal.weights, dtype=float)
    size = np.abs(weights).max(axis=0)
    order = [at for at in np.argsort(-size, kind="stable")[:MOST_TERMS] if size[at] > 0]
    largest, single = float(size.max(initial=0.0)) or 1.0, len(weights) == 1
    terms = tuple(
        Term(
            shown(features[at]),
            tuple(weights[:MOST_CLASSES, at].tolist()),
            _bar(float(weights[0, at]) / largest) if single else NOTHING,
        )
        for at in order
    )
    read = int(np.count_nonzero(size))
    sentence = f"A linear model that reads {read:,} of {weights.shape[1]:,} columns."
    if single and classes is not None:
        sentence += f" Terms to the right speak for {shown(classes[-1])}, those to the left for {shown(classes[0])}."
    if read > len(terms):
        sentence += f" The {len(terms)} largest coefficients are shown."
    heads = () if single or classes is None else tuple(map(shown, classes[:MOST_CLASSES]))
    if len(weights) > MOST_CLASSES:
        sentence += f" The first {MOST_CLASSES} classes are shown."
    intercepts = np.broadcast_to(np.asarray(portrayal.intercept, dtype=float).ravel(), len(weights))
    return Portrait(
        *head,
        sentence,
        terms=terms,
        heads=heads,
        intercepts=tuple(intercepts[:MOST_CLASSES].tolist()),
        largest=largest,
    )


def _bar(share: float) -> Markup:
    """Return a bar from the middle to the right, or to the left of it."""
    start = 0.5 + min(share, 0.0) / 2
    bar = {"x": percent(start), "width": percent(abs(share) / 2), "y": 4, "height": BAR - 8}
    middle = tag("line", x1="50%", x2="50%", y1=0, y2=BAR, class_="zero")
    kind = "positive" if share > 0 else "negative"
    return tag("svg", tag("rect", **bar, class_=kind), middle, width="100%", height=BAR, aria_hidden="true")


def _of_other(portrayal: Shares, size: float, head: Head, features: Sequence[str]) -> Portrait:
    n_trees, drawn = portrayal.n_trees, portrayal.importances
    sentence = f"{head[0]} of size {number(size)}."
    if n_trees:
        sentence = f"{head[0]} of {number(size)} nodes in {n_trees:,} trees."
    if drawn is None or drawn.sum() <= 0 or len(drawn) != len(features):
        return Portrait(*head, sentence)
    shares = drawn / drawn.sum()
    order = [at for at in np.argsort(-shares, kind="stable")[:MOST_TERMS] if shares[at] > 0]
    terms = tuple(
        Term(shown(features[at]), (float(shares[at]),), _share_bar(float(shares[at] / shares.max()))) for at in order
    )
    sentence += (
        f" It reads {int(np.count_nonzero(drawn)):,} of {len(drawn):,} columns; below, the share of its splits' gain"
    )
    return Portrait(*head, f"{sentence} that each one brings.", terms=terms)


def _share_bar(share: float) -> Markup:
    bar = tag("rect", x="0", width=percent(share), y=4, height=BAR - 8, class_="positive")
    return tag("svg", bar, width="100%", height=BAR, aria_hidden="true")
