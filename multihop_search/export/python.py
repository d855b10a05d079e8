"""Models as Python: one file that imports nothing but `math`, with `predict(row)` and `predict_proba(row)`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from multihop_search.models.formula import (
    Above,
    Among,
    AtMost,
    Cases,
    Feature,
    Formula,
    Leaf,
    Present,
    Split,
    Test,
)

HEAD = '''"""{name}: predict(row){proba}, where row maps column names to values.

A missing value is None, NaN, or NA or NaT of pandas.
"""

import math
'''
IS_MISSING = """

def _is_missing(value):
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA of pandas is neither equal to itself nor not
        return True
"""
HELPERS = {
    "_number(": """

def _number(value, missing=math.nan):
    return missing if _is_missing(value) else float(value)
""",
    "_exact(": """

def _exact(value):
    return math.nan if _is_missing(value) else int(value) if hasattr(value, "__index__") else float(value)
""",
    "_category(": """

def _category(value):
    return None if _is_missing(value) else value
""",
    "_spelled(": """

def _spelled(value):
    return None if _is_missing(value) else str(value)
""",
    "_logistic(": """

def _logistic(score):
    power = math.exp(-abs(score))
    return (1.0 if score >= 0 else power) / (1.0 + power)
""",
}
SHARES = {
    "identity": ["return dict(zip(CLASSES, _scores(row)))"],
    "logistic": ["[score] = _scores(row)", "return dict(zip(CLASSES, [_logistic(-score), _logistic(score)]))"],
    "softmax": [
        "scores = _scores(row)",
        "powers = [math.exp(score - max(scores)) for score in scores]",
        "return dict(zip(CLASSES, [power / sum(powers) for power in powers]))",
    ],
    "one-vs-rest": [
        "powers = [_logistic(score) for score in _scores(row)]",
        "if not any(powers):",
        "    powers = [1.0 for _ in powers]",
        "return dict(zip(CLASSES, [power / sum(powers) for power in powers]))",
    ],
}
SIGNS = {"subtract": "-", "divide": "/", "multiply": "*", "add": "+"}


def as_python(formula: Formula) -> str:
    """Return the source of a module that predicts as the model does.

    ``predict(row)`` returns a label or value; ``predict_proba(row)``, where the model gives probabilities, a dict from
    label to probability. Both raise ValueError where a linear model misses a number.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search.export.reading import read_formula
    >>> model = DecisionTreeClassifier().fit([[0.0], [1.0]], ["no", "yes"])
    >>> made = {}
    >>> exec(as_python(read_formula(model, ["age"])), made)
    >>> made["predict"]({"age": 0.7}), made["predict_proba"]({"age": 0.7})
    ('yes', {'no': 0.0, 'yes': 1.0})
    """
    body = _linear(formula) if formula.weights else _trees(formula)
    has_shares = formula.classes is not None and formula.link in SHARES
    if has_shares:
        body += _function("predict_proba", SHARES[formula.link])
    if formula.classes is None:
        value = "_scores(row)[0]"
        body += _function("predict", [f"return math.exp({value})" if formula.link == "exp" else f"return {value}"])
    else:
        best = "scores[0] > 0" if formula.is_one_score else "scores.index(max(scores))"
        body += _function("predict", ["scores = _scores(row)", f"return CLASSES[{best}]"])
        body = f"\n\nCLASSES = {list(formula.classes)!r}\n{body}"
    helpers = "".join(source for call, source in HELPERS.items() if call in body)
    helpers = IS_MISSING * ("_is_missing(" in helpers) + helpers
    return HEAD.format(name=formula.name, proba=" and predict_proba(row)" * has_shares) + helpers + body


def _function(name: str, lines: list[str]) -> str:
    return "\n".join(["\n", f"def {name}(row):", *(f"    {line}" for line in lines), ""])


def _trees(formula: Formula) -> str:
    functions = [
        _function(f"_tree_{number}", list(_branches(tree.root))) for number, tree in enumerate(formula.trees, 1)
    ]
    calls = [f"    ({tree.first}, _tree_{number})," for number, tree in enumerate(formula.trees, 1)]
    table = "\n".join(["\n", "TREES = [", *calls, "]", ""])
    lines = [
        f"scores = {list(formula.start)!r}",
        "for first, tree in TREES:",
        "    for place, value in enumerate(tree(row), first):",
        "        scores[place] += value",
        "return scores" if formula.divisor == 1 else f"return [score / {formula.divisor} for score in scores]",
    ]
    return "".join([*functions, table, _function("_scores", lines)])


def _branches(node: Split | Leaf) -> Iterator[str]:
    """Yield the lines of a tree; what follows an `if` is its other branch, since each leaf returns."""
    if isinstance(node, Leaf):
        yield f"return {node.values!r}"
    else:
        yield f"if {_condition(node.test)}:"
        yield from (f"    {line}" for line in _branches(node.yes))
        yield from _branches(node.no)


def _condition(test: Test) -> str:
    if isinstance(test, Among):
        values = (*test.values, *([None] if test.feature.missing else []))
        return f"{_key(test.feature)} in {values!r}"
    number = _expression(test.feature)
    if not isinstance(test, Present) and isinstance(test.bound, int):
        number = number.replace("_number(", "_exact(")
    if isinstance(test, AtMost):
        return f"{number} <= {_literal(test.bound)}"
    return f"{number} > {_literal(test.bound)}" if isinstance(test, Above) else f"{number} == {number}"


def _linear(formula: Formula) -> str:
    terms = [f"    {_expression(feature)}," for feature in formula.features]
    rows = [f"    ({start!r}, {list(row)!r})," for start, row in zip(formula.start, formula.weights, strict=True)]
    lines = [
        "numbers = _numbers(row)",
        "if any(number != number for number in numbers):",
        '    raise ValueError("a number or category is missing or unknown that the model needs")',
        "return [start + sum(w * number for w, number in zip(weights, numbers)) for start, weights in WEIGHTS]",
    ]
    numbers = _function("_numbers", ["return [", *terms, "]"])
    return numbers + "\n".join(["\n", "WEIGHTS = [", *rows, "]", ""]) + _function("_scores", lines)


def _expression(feature: Feature) -> str:
    if isinstance(feature, Cases):
        pairs = [(value, number) for value, number in feature.numbers if number != feature.other]
        table = ", ".join(f"{value!r}: {_literal(number)}" for value, number in [*pairs, (None, feature.missing)])
        return f"{{{table}}}.get({_key(feature)}, {_literal(feature.other)})"
    value, steps = f"_number(row[{feature.column!r}])", list(feature.steps)
    if steps and steps[0][0] == "impute":
        value = f"_number(row[{feature.column!r}], {_literal(steps.pop(0)[1])})"
    for kind, by in steps:
        if kind == "impute":
            value = f"_number({value}, {_literal(by)})"
        elif kind == "above":
            value = f"float({value} > {_literal(by)})"
        else:
            value = f"({value} {SIGNS[kind]} {_literal(by)})"
    return value


def _key(cases: Cases) -> str:
    return f"{'_spelled' if cases.spelled else '_category'}(row[{cases.column!r}])"


def _literal(number: float | int) -> str:
    if math.isnan(number):
        return "math.nan"
    return repr(number) if isinstance(number, int) or math.isfinite(number) else f"{'-' * (number < 0)}math.inf"
