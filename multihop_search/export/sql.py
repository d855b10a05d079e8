"""Models as SQL: one SELECT that runs in SQLite (from 3.35, with its mathematical functions) and in DuckDB.

Trees are lists of conditions: SQLite takes no more than some twenty that are nested.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from multihop_search.errors import InvalidSetting
from multihop_search.models.formula import (
    Above,
    Among,
    AtMost,
    Cases,
    Feature,
    Formula,
    Leaf,
    Number,
    Test,
    Tree,
    rules,
)

Column: TypeAlias = tuple[str, str]
"""An expression and the name of the column that it makes."""
MOST_TERMS = 200
"""Terms of a sum without brackets: both systems take expressions of at most 1000 levels, and each sign is one."""
UNSEEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that a reader of the file would not see, or see in another place; lines and tabs may stand there."""
SIGNS = {"subtract": "-", "divide": "/", "multiply": "*", "add": "+"}


def as_sql(formula: Formula, table: str = "data") -> str:
    """Return a query that gives all columns of a table and, for each row, what the model says of it.

    Its last columns are ``probability_<label>``, where the model gives probabilities, and ``prediction``. Before them
    stands what these come from: ``leaf``, the number of the leaf of a single tree, as in its rules, or
    ``score_<label>``. Names that columns of the model have already get an underscore more; other columns of the table
    must have none of them. NULL and NaN are missing values; where the model takes none, or no infinity, probabilities
    and prediction are NULL.

    Raises
    ------
    InvalidSetting
        If a name, label or category has characters that SQL cannot show, or capitals alone tell two columns apart.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from multihop_search.export.reading import read_formula
    >>> print(as_sql(read_formula(DecisionTreeRegressor().fit([[0.0], [1.0]], [2.5, 3.5]), ["age"])))
    -- DecisionTreeRegressor; NULL is a missing value
    SELECT *,
      CASE
        WHEN CAST(d."age" AS DOUBLE) <= 0.5000000298023224e0 THEN 2.5e0
        ELSE 3.5e0
      END AS "prediction"
    FROM "data" AS d;
    """
    name, step = _Names(formula.columns), _Names([table])
    if formula.classes is None:
        value = _score(formula, 0)
        layers = [[(f"EXP({value})" if formula.link == "exp" else value, name("prediction"))]]
    else:
        layers = _class_layers(formula, formula.classes, name)
    within, source = [], f"{_quoted(table)} AS d"
    for layer in layers:
        columns = "".join(f",\n  {_indented(value)} AS {_quoted(label)}" for value, label in layer)
        query = f"SELECT *{columns}\nFROM {source}"
        source = _quoted(step("step"))
        # Otherwise it would be copied into the next, and calculated there, wherever that mentions its columns.
        within.append(f"{source} AS MATERIALIZED (\n  {_indented(query)}\n)")
    head = f"WITH {', '.join(within[:-1])}\n" if within[:-1] else ""
    return f"-- {formula.name}; NULL is a missing value\n{head}{query};".replace("\0", "\n")


def identifier(name: str) -> str:
    """Return the name of a table or column as SQL writes it."""
    return _quoted(name).replace("\0", "\n")


class _Names:
    """Gives names that differ from those taken, and from one another, in more than capitals."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken: set[bytes] = set()
        for name in taken:
            if self(name) != name:
                raise InvalidSetting(
                    f"columns must differ in more than capitals to stand in SQL, {name!r} does not: pass other names."
                )

    def __call__(self, wanted: str) -> str:
        while (key := wanted.encode(errors="surrogatepass").lower()) in self._taken:  # lowers ASCII alone, as SQL does
            wanted += "_"
        self._taken.add(key)
        return wanted


def _class_layers(formula: Formula, classes: Sequence[Any], name: Callable[[str], str]) -> list[list[Column]]:
    """Return the columns that are made of the table, then those that are made of these, and so on."""
    are_shares = formula.link == "identity"
    scored = classes[1:] if formula.is_one_score else classes
    names = [name(f"{'probability' if are_shares else 'score'}_{label}") for label in scored]
    layers, whens = [], [_score(formula, at) for at in range(len(names))]
    if are_shares and len(formula.trees) == 1:
        tree, leaf = formula.trees[0], name("leaf")
        layers = [[(_case(tree, lambda leaf: str(leaf.number)), leaf)]]
        whens = [_by_leaf(tree, leaf, at) for at in range(len(names))]
    layers.append(list(zip(whens, names, strict=True)))
    scores = [_quoted(label) for label in names]
    shares = _shares(formula.link, scores)
    labels = [name(f"probability_{label}") for label in classes] if shares else []
    return [*layers, [*zip(shares, labels, strict=True), (_decision(formula, classes, scores), name("prediction"))]]


def _by_leaf(tree: Tree, leaf: str, at: int) -> str:
    lines = [f"WHEN {rule.number} THEN {_literal(rule.values[at])}" for _, rule in rules(tree.root)]
    return f"CASE {_quoted(leaf)}\n  " + "\n  ".join(lines) + "\nEND"


def _shares(link: str, scores: list[str]) -> list[str]:
    """Return the probabilities; EXP gives infinity rather than an error in both systems, and 1 / infinity is 0."""
    if link == "logistic":
        return [f"1e0 / (1e0 + EXP({scores[0]}))", f"1e0 / (1e0 + EXP(-{scores[0]}))"]
    if link == "softmax":
        return [f"1e0 / ({_sum([f'EXP({other} - {score})' for other in scores])})" for score in scores]
    if link == "one-vs-rest":
        # The half is the lesser of the score and 0: neither power overflows, and tiny ones are not yet 0.
        each = [f"EXP(({score} - ABS({score})) / 2e0) / (1e0 + EXP(-ABS({score})))" for score in scores]
        total, equal = _sum(each), _literal(1 / len(scores))
        return [f"CASE WHEN {total} = 0e0 THEN {equal} ELSE {share} / ({total}) END" for share in each]
    return []


def _decision(formula: Formula, classes: Sequence[Any], scores: list[str]) -> str:
    """Return the label of the greatest score, the first of equal ones; NULL where a score is NULL."""
    if formula.is_one_score:
        lines = [
            f"WHEN {scores[0]} > 0e0 THEN {_value(classes[1])}",
            f"WHEN {scores[0]} <= 0e0 THEN {_value(classes[0])}",
        ]
    else:  # to be no less than the later ones is enough: each earlier one is less than one of these
        lines = []
        for at, label in enumerate(classes):
            tests = [f"{scores[at]} >= {other}" for other in scores[at + 1 :]] or [f"{scores[at]} IS NOT NULL"]
            lines.append(f"WHEN {' AND '.join(tests)} THEN {_value(label)}")
    return "CASE\n  " + "\n  ".join(lines) + "\nEND"


def _score(formula: Formula, at: int) -> str:
    """Return a score as a sum over trees or features."""
    start = formula.start[at]
    if formula.weights:
        weighted = zip(formula.weights[at], formula.features, strict=True)
        terms = [f"{_literal(weight)} * {_term(feature)}" for weight, feature in weighted if weight]
    else:
        members = [tree for tree in formula.trees if 0 <= at - tree.first < _width(tree)]
        terms = [_case(tree, _value_at(at - tree.first)) for tree in members]
    total = _sum([_literal(start), *terms] if start or not terms else terms)
    return total if formula.divisor == 1 else f"({total}) / {_literal(formula.divisor)}"


def _value_at(at: int) -> Callable[[Leaf], str]:
    return lambda leaf: _literal(leaf.values[at])


def _width(tree: Tree) -> int:
    return len(next(rules(tree.root))[1].values)


def _sum(terms: list[str]) -> str:
    if len(terms) == 1:
        return terms[0]
    if len(terms) <= MOST_TERMS:
        return "\n  + ".join(map(_indented, terms))
    groups = [terms[at : at + MOST_TERMS] for at in range(0, len(terms), MOST_TERMS)]
    return _sum([f"({_sum(group)})" for group in groups])


def _case(tree: Tree, value: Callable[[Leaf], str]) -> str:
    *before, (_, last) = rules(tree.root)
    if not before:
        return value(last)
    lines = [f"WHEN {' AND '.join(map(_condition, tests))} THEN {value(leaf)}" for tests, leaf in before]
    return "CASE\n  " + "\n  ".join([*lines, f"ELSE {value(last)}"]) + "\nEND"


def _condition(test: Test) -> str:
    if isinstance(test, Among):
        return _among(test.feature, test.values, or_missing=bool(test.feature.missing))
    number = _number(test.feature)
    if isinstance(test, AtMost):
        return _at_most(test, number)
    tests = [_above(test, number)] if isinstance(test, Above) else []
    tests += [_is_present(number)] if test.feature.can_miss or not tests else []
    return " AND ".join(tests)


def _at_most(test: AtMost, number: str) -> str:
    """Return a test that systems do exactly: an integer bound that is no double would become one beside doubles."""
    if not isinstance(test.bound, int):
        return f"{number} <= {_literal(test.bound)}"
    is_double = test.double == test.bound
    return f"d.{_quoted(test.feature.column)} {f'<= {test.bound}' if is_double else f'< {test.bound + 1}'}"


def _above(test: Above, number: str) -> str:
    if not isinstance(test.bound, int):
        return f"{number} > {_literal(test.bound)}"
    is_double = test.double == test.bound
    return f"d.{_quoted(test.feature.column)} {f'> {test.bound}' if is_double else f'>= {test.bound + 1}'}"


def _is_present(number: str) -> str:
    """Return the test that a double is neither NULL nor NaN, which DuckDB takes to be greater than infinity."""
    return f"{number} <= {_literal(math.inf)}"


def _among(cases: Cases, values: Sequence[Any], *, or_missing: bool) -> str:
    column = f"d.{_quoted(cases.column)}"
    tests = [_is_missing(cases)] if or_missing else []
    if values:
        are_exact = cases.is_text or cases.is_beyond_doubles
        value = column if cases.is_beyond_doubles else f"CAST({column} AS {'VARCHAR' if cases.is_text else 'DOUBLE'})"
        tests.append(f"{value} IN ({', '.join((_value if are_exact else _literal)(value) for value in values)})")
    return f"({' OR '.join(tests)})" if len(tests) > 1 else tests[0] if tests else "1 = 0"


def _is_missing(cases: Cases) -> str:
    column = f"d.{_quoted(cases.column)}"
    return f"{column} IS NULL" if cases.is_text else f"({_is_present(f'CAST({column} AS DOUBLE)')}) IS NOT TRUE"


def _term(feature: Feature) -> str:
    """Return a feature of a linear model: NULL where the column holds NULL, NaN or infinity, which it does not take."""
    if isinstance(feature, Cases) or not feature.can_miss:
        return _number(feature)
    column = _number(Number(feature.column))
    return f"CASE WHEN ABS({column}) < {_literal(math.inf)} THEN {_number(feature)} END"


def _number(feature: Feature) -> str:
    if isinstance(feature, Cases):
        groups: dict[float, list[Any]] = {}
        for value, number in feature.numbers:
            groups.setdefault(number, []).append(value)
        whens = [(_among(feature, values, or_missing=False), number) for number, values in groups.items()]
        whens = [(_is_missing(feature), feature.missing), *whens]
        lines = [f"WHEN {when} THEN {_literal(number)}" for when, number in whens if number != feature.other]
        return f"CASE {' '.join(lines)} ELSE {_literal(feature.other)} END" if lines else _literal(feature.other)
    value = f"CAST(d.{_quoted(feature.column)} AS DOUBLE)"
    for kind, by in feature.steps:
        if kind == "impute":
            value = f"CASE WHEN {_is_present(value)} THEN {value} ELSE {_literal(by)} END"
        elif kind == "above":
            value = f"CASE WHEN {value} > {_literal(by)} AND {_is_present(value)} THEN 1e0 ELSE 0e0 END"
        else:
            value = f"({value} {SIGNS[kind]} {_literal(by)})"
    return value


def _literal(number: float) -> str:
    """Return a double; without an exponent DuckDB would read a decimal.

    The shortest decimal may lie so near the middle between two doubles that SQLite, before 3.47, takes the other one.
    """
    number = float(number)
    if math.isnan(number):
        return "NULL"
    if math.isinf(number):
        return f"{'-' * (number < 0)}1e999"
    text = repr(number)
    if abs(Decimal(text) - Decimal(number)) > Decimal("0.4") * Decimal(math.ulp(number)):
        text = f"{number:.17g}"
    return text if "e" in text else f"{text}e0"


def _value(label: Any) -> str:
    if isinstance(label, str):
        return "'" + _text(label).replace("'", "''") + "'"
    if isinstance(label, bool):
        return str(label).upper()
    return str(label) if isinstance(label, int) else _literal(label)


def _quoted(name: str) -> str:
    return '"' + _text(name).replace('"', '""') + '"'


def _text(text: str) -> str:
    if UNSEEN.search(text):
        raise InvalidSetting(
            "names, labels and categories must be Unicode without control characters and marks of direction to stand "
            f"in SQL, which cannot escape them, {text!r} is not: rename it, or export to .py."
        )
    return text.replace("\n", "\0")  # until all lines are indented


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
