"""Models as text that a person reads: the rules of trees, the terms of linear models."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from multihop_search.models.formula import (
    Above,
    Among,
    AtMost,
    Cases,
    Feature,
    Formula,
    Leaf,
    Number,
    Present,
    Split,
    Test,
    Tree,
)

SIGNS = {"subtract": "-", "divide": "/", "multiply": "*", "add": "+", "above": ">"}
LINKS = {
    "identity": "prediction: score",
    "exp": "prediction: exp(score)",
    "logistic": "probability of {last}: 1 / (1 + exp(-score))",
    "softmax": "probability of a class: exp(its score) / the sum of these",
    "one-vs-rest": "probability of a class: 1 / (1 + exp(-its score)), divided by the sum of these",
    "none": "class: that of the greatest score; of one score, {last} where it is above 0",
}
LEAST_SHARE = 0.005
"""A class with less is not mentioned in a rule."""


def as_text(formula: Formula, with_gaps: Collection[str] | None = None) -> str:
    """Return every rule of the trees, each to be read alone, or every term of a linear model, largest first.

    A rule ends with the share of the rows, weighted as in the fit of its tree, that it holds for.

    Parameters
    ----------
    formula : Formula
        The model.
    with_gaps : collection of str, default=None
        Columns with missing values: of these it is said what happens then; of all by default.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search.export.reading import read_formula
    >>> model = DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0], [2.0], [3.0]], ["no", "yes", "no", "no"])
    >>> print(as_text(read_formula(model, ["age"]), with_gaps=()))
    DecisionTreeClassifier
    <BLANKLINE>
    1. age <= 1.5: no 50 %, yes 50 % (50 % of the rows)
    2. age > 1.5: no 100 % (50 % of the rows)
    """
    gaps = frozenset(formula.columns if with_gaps is None else with_gaps)
    lines = [formula.name]
    if formula.divisor > 1:
        lines.append(f"average of {formula.divisor} trees")
    elif formula.weights or len(formula.trees) > 1 or any(formula.start):
        lines.append(LINKS[formula.link].format(last=_shown((formula.classes or [None])[-1])))
        for at, start in enumerate(formula.start):
            of = f"score of {_class(formula, at)}" if len(formula.start) > 1 else "score"
            trees = "" if formula.weights else " + the numbers of one rule of each of its trees"
            lines += ["", f"{of} = {start:.7g}{trees}", *(_terms(formula, at, gaps) if formula.weights else [])]
    for number, tree in enumerate(formula.trees, 1):
        if len(formula.trees) > 1:
            of = f", score of {_class(formula, tree.first)}" if formula.link == "softmax" else ""
            lines += ["", f"Tree {number}{of}"]
        lines += ["", *(_rule(formula, tree, way, leaf, gaps) for way, leaf in _ways(tree.root))]
    return "\n".join(lines)


def _class(formula: Formula, at: int) -> str:
    return _shown(formula.classes[at]) if formula.classes is not None else "value"


def _shown(name: Any) -> str:
    """Return a name or label as it is, or quoted where it would break the line or be invisible."""
    text = str(name)
    return text if text.isprintable() and text.strip() else repr(text)


def _terms(formula: Formula, at: int, gaps: frozenset[str]) -> list[str]:
    weighted = sorted(zip(formula.weights[at], formula.features, strict=True), key=lambda term: -abs(term[0]))
    return [
        f"  {'-' if weight < 0 else '+'} {abs(weight):.7g} {_factor(feature, gaps)}"
        for weight, feature in weighted
        if weight
    ]


def _factor(feature: Feature, gaps: frozenset[str]) -> str:
    if isinstance(feature, Number):
        return f"* {_number(feature, gaps)}"
    numbers = [*feature.numbers, *([("missing", feature.missing)] if feature.column in gaps else [])]
    differing = [(_shown(value), number) for value, number in numbers if number != feature.other]
    if feature.other == 0 and all(number == 1 for _, number in differing):
        return f"where {_shown(feature.column)} is {' or '.join(value for value, _ in differing)}"
    cases = [*(f"{value} {number:.7g}" for value, number in differing), f"any other {feature.other:.7g}"]
    return f"* {_shown(feature.column)} ({', '.join(cases)})"


def _number(feature: Number, gaps: frozenset[str]) -> str:
    text = _shown(feature.column)
    for kind, by in feature.steps:
        if kind == "impute":
            text = f"({text}, {by:.7g} where missing)" if feature.column in gaps else text
        else:
            text = f"{text} {SIGNS[kind]} {by:.7g}"
            text = text if kind in ("divide", "multiply") else f"({text})"
    return text


def _ways(
    node: Split | Leaf, way: tuple[tuple[Test, bool], ...] = ()
) -> Iterator[tuple[tuple[tuple[Test, bool], ...], Leaf]]:
    """Yield each leaf with all tests on its way and whether they are true there."""
    if isinstance(node, Leaf):
        yield way, node
    else:
        yield from _ways(node.yes, (*way, (node.test, True)))
        yield from _ways(node.no, (*way, (node.test, False)))


def _rule(formula: Formula, tree: Tree, way: tuple[tuple[Test, bool], ...], leaf: Leaf, gaps: frozenset[str]) -> str:
    ranges: dict[Number, _Range] = {}
    groups: dict[str, _Group] = {}
    for test, holds in way:
        if isinstance(test, Among):
            groups.setdefault(test.feature.column, _Group()).narrow(test.feature, holds)
        else:
            ranges.setdefault(test.feature, _Range()).narrow(test, holds)
    conditions = [
        allowed.text(_number(feature, gaps), feature.can_miss and feature.column in gaps)
        for feature, allowed in ranges.items()
    ]
    conditions += [allowed.text(_shown(column), column in gaps) for column, allowed in groups.items()]
    if formula.link == "identity" and formula.classes is not None:
        shares = sorted(zip(leaf.values, map(_shown, formula.classes), strict=True), key=lambda pair: -pair[0])
        value = ", ".join(f"{label} {100 * share:.0f} %" for share, label in shares if share >= LEAST_SHARE)
    else:
        value = f"{leaf.values[0]:.7g}"
    return f"{leaf.number}. {' and '.join(conditions) or 'always'}: {value} ({100 * leaf.share:.3g} % of the rows)"


@dataclass
class _Range:
    """What is known of a number on the way to a leaf."""

    low: float = -math.inf
    high: float = math.inf
    may_miss: bool = True

    def narrow(self, test: AtMost | Above | Present, holds: bool) -> None:
        self.may_miss &= not holds
        if isinstance(test, Present):
            self.high = self.high if holds else -math.inf
        elif isinstance(test, AtMost) == holds:
            self.high = min(self.high, test.bound)
        else:
            self.low = max(self.low, test.bound)

    def text(self, name: str, has_gaps: bool) -> str:
        if self.high <= self.low:
            return f"{name} is missing"
        below, above = f" <= {self.high:.7g}" * (self.high < math.inf), f"{self.low:.7g} < " * (self.low > -math.inf)
        if above and not below:
            above, below = "", f" > {self.low:.7g}"
        condition = f"{above}{name}{below}" if above or below else f"{name} is present"
        return f"({condition} or missing)" if has_gaps and self.may_miss else condition


@dataclass
class _Group:
    """What is known of a category on the way to a leaf."""

    among: list[str] | None = None
    outside: list[str] = field(default_factory=list)

    def narrow(self, cases: Cases, holds: bool) -> None:
        values = [_shown(value) for value, number in cases.numbers if number] + ["missing"] * bool(cases.missing)
        if not holds:
            self.outside += [value for value in values if value not in self.outside]
        else:
            self.among = [value for value in values if self.among is None or value in self.among]

    def text(self, name: str, has_gaps: bool) -> str:
        values = self.outside if self.among is None else [value for value in self.among if value not in self.outside]
        values = [value for value in values if value != "missing" or has_gaps]
        if len(values) == 1:
            return f"{name} is {'not ' * (self.among is None)}{values[0]}"
        return f"{name} is {'none' if self.among is None else 'one'} of {', '.join(values)}"
