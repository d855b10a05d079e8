"""Formula: a fitted model as plain values, from which SQL, Python, ONNX and rules are written.

The scores come from the model's family, `export.reading` adds the columns. Whoever writes a formula out must compare
and add in double precision and in the order given here: then every row gets the decision that the model itself makes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from multihop_search.errors import UnsuitableModel

MOST_LEVELS = 90
"""Depth of the deepest tree: Python takes 100 levels of nested conditions."""


@dataclass(frozen=True)
class Number:
    """The number in a column, and what is done to it."""

    column: str
    steps: tuple[tuple[str, float], ...] = ()
    """In order: impute, subtract, divide, multiply, add (each with this number), above (1 where greater, else 0)."""

    @property
    def can_miss(self) -> bool:
        """Whether it is missing where the column is."""
        return all(kind not in ("impute", "above") for kind, _ in self.steps)


@dataclass(frozen=True)
class Cases:
    """A number for each category of a column."""

    column: str
    numbers: tuple[tuple[Any, float], ...]
    """Categories, either all strings or all numbers and booleans, and the number of each."""
    missing: float
    """Number where the category is missing; NaN where the model takes no such row."""
    other: float
    """Number of any other category; NaN where the model takes no such row."""
    spelled: bool = False
    """Whether the model compares `str(category)`."""

    @property
    def is_text(self) -> bool:
        """Whether the categories are strings."""
        return any(isinstance(value, str) for value, _ in self.numbers)

    @property
    def is_beyond_doubles(self) -> bool:
        """Whether a category is an integer that a double may not tell from its neighbours."""
        return any(isinstance(value, int) and abs(value) >= 2**53 for value, _ in self.numbers)


Feature: TypeAlias = Number | Cases


@dataclass(frozen=True)
class _Bound:
    """A number compared with a bound."""

    feature: Number
    bound: float | int
    """An integer where integers beyond 2^53 must be compared before they become doubles, or else a double."""

    @property
    def double(self) -> float:
        """The largest double within the bound."""
        return double_within(self.bound)


@dataclass(frozen=True)
class AtMost(_Bound):
    """True where the feature is at most the bound; not where it is missing."""


@dataclass(frozen=True)
class Above(_Bound):
    """True where the feature is greater than the bound; not where it is missing."""


@dataclass(frozen=True)
class Present:
    """True where the feature is not missing."""

    feature: Number


@dataclass(frozen=True)
class Among:
    """True where the feature, which is 1 for some categories and 0 for any other, is 1."""

    feature: Cases

    @property
    def values(self) -> tuple[Any, ...]:
        """The categories for which it is true."""
        return tuple(value for value, number in self.feature.numbers if number)


Test: TypeAlias = AtMost | Above | Present | Among


@dataclass(frozen=True)
class Leaf:
    """What a tree says of the rows that end here."""

    values: tuple[float, ...]
    share: float
    """Share of the (weighted) rows that the tree was fitted on, 0 to 1."""
    number: int
    """From 1, in the order of `rules`."""


@dataclass(frozen=True)
class Split:
    """A row goes to `yes` where the test is true, to `no` anywhere else."""

    test: Test
    yes: Split | Leaf
    no: Split | Leaf


@dataclass(frozen=True)
class Tree:
    """A tree; the values of its leaves are added to the scores from number `first` on."""

    root: Split | Leaf
    first: int = 0


@dataclass(frozen=True)
class Scores:
    """Scores: `start` and the leaves of `trees`, or `start` and `weights` times `features`; divided by `divisor`."""

    link: str
    """How scores become probabilities: "identity", "logistic" (of one score, for the second class), "softmax",
    "one-vs-rest" (logistic of each, divided by the sum; equal where all are 0) or "none" (the model gives none); in
    regression "identity" or "exp".
    """
    start: tuple[float, ...]
    """One value a score."""
    trees: tuple[Tree, ...] = ()
    divisor: int = 1
    features: tuple[Feature, ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()
    """(n_scores, n_features); empty for trees."""


@dataclass(frozen=True, kw_only=True)
class Formula(Scores):
    """The scores of a model over the columns of a table."""

    name: str
    """Class of the model."""
    columns: tuple[str, ...]
    """Columns of X, in order."""
    classes: tuple[Any, ...] | None
    """Labels as plain Python values; None in regression."""
    is_matrix: bool
    """Whether the model takes numbers in every column; else some are strings, or left out before the model."""

    @property
    def is_one_score(self) -> bool:
        """Whether one score decides between two classes: the second where it is above 0."""
        return self.classes is not None and len(self.classes) == 2 and len(self.start) == 1

    @property
    def read(self) -> tuple[Feature, ...]:
        """Every feature that is looked at, once."""
        tests = [test for tree in self.trees for way, _ in rules(tree.root) for test in way]
        return tuple(dict.fromkeys([*self.features, *(test.feature for test in tests)]))

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that are looked at, in the order of X."""
        looked_at = {feature.column for feature in self.read}
        return tuple(column for column in self.columns if column in looked_at)


def rules(node: Split | Leaf, tests: tuple[Test, ...] = ()) -> Iterator[tuple[tuple[Test, ...], Leaf]]:
    """Yield each leaf with the tests on its way that are true; the first whose tests all hold is the leaf of a row."""
    if isinstance(node, Leaf):
        yield tests, node
    else:
        yield from rules(node.yes, (*tests, node.test))
        yield from rules(node.no, tests)


def check_levels(levels: int) -> None:
    """Raise `UnsuitableModel` if a tree has too many levels to be written out."""
    if levels > MOST_LEVELS:
        raise UnsuitableModel(
            f"a tree must have at most {MOST_LEVELS} levels, one has {levels}: bound max_depth, or export to .skops."
        )


def split_of_numbers(
    feature: Number, bound: float | int, missing_left: bool, read: Callable[[int], Split | Leaf], sides: tuple[int, int]
) -> Split:
    """Return the split of a number at `bound`; `read` makes what stands at the node numbers `sides`, left and right."""
    left, right = sides
    if feature.steps and feature.steps[-1][0] == "above" and 0 <= bound < 1:
        return Split(AtMost(Number(feature.column, feature.steps[:-1]), feature.steps[-1][1]), read(left), read(right))
    if missing_left and feature.can_miss:
        return Split(Above(feature, bound), read(right), read(left))
    return Split(AtMost(feature, bound) if bound < math.inf else Present(feature), read(left), read(right))


def split_of_categories(
    cases: Cases,
    goes_left: Callable[[float], bool],
    missing_left: bool,
    read: Callable[[int], Split | Leaf],
    sides: tuple[int, int],
) -> Split:
    """Return the split whose test names the categories that do not go where an unknown one goes."""

    def is_left(number: float) -> bool:
        return missing_left if math.isnan(number) else goes_left(number)

    usual, (left, right) = is_left(cases.other), sides
    numbers = tuple((value, float(is_left(number) != usual)) for value, number in cases.numbers)
    missing = float(is_left(cases.missing) != usual)
    test = Among(Cases(cases.column, numbers, missing, 0.0, cases.spelled))
    return Split(test, read(right), read(left)) if usual else Split(test, read(left), read(right))


def plain(value: Any, what: str) -> str | bool | int | float:
    """Return a label or category as an object of Python's own.

    Raises
    ------
    UnsuitableModel
        If it is no string, number or boolean; `what` says what it is.

    Examples
    --------
    >>> plain(np.str_("ash"), "a label")
    'ash'
    """
    if isinstance(value, str):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (bool, int, float)):
        return value
    raise UnsuitableModel(f"{what} must be a string, number or boolean, one is {value!r}: export to .skops.")


def at_most(threshold: float) -> float:
    """Return the largest double x with float32(x) <= threshold, which is how the trees of scikit-learn compare.

    Examples
    --------
    >>> bound = at_most(0.1)
    >>> float(np.float32(bound)) <= 0.1, float(np.float32(math.nextafter(bound, 1.0))) <= 0.1
    (True, False)
    """
    if math.isinf(threshold):
        return threshold
    with np.errstate(over="ignore"):  # float32 of what is beyond its range
        below = np.float32(threshold)
        if float(below) > threshold:
            below = np.nextafter(below, np.float32(-np.inf))
        above = float(np.nextafter(below, np.float32(np.inf)))
        # Exact: halfway between neighbours takes one more bit. Halfway itself is rounded to either.
        middle = (float(below) + (2.0**128 if math.isinf(above) else above)) / 2
        return middle if float(np.float32(middle)) <= threshold else math.nextafter(middle, -math.inf)


def at_most_integer(bound: float) -> float | int:
    """Return what `at_most` gives, as the largest integer within it where doubles skip integers.

    Integers become single precision at once; by way of a double they would be rounded twice.

    Examples
    --------
    >>> bound = at_most_integer(at_most(2.0**60))
    >>> float(np.float32(np.int64(bound))), float(np.float32(np.int64(bound + 1)))
    (1.152921504606847e+18, 1.1529216420458004e+18)
    """
    if not 2.0**53 <= abs(bound) < math.inf:
        return bound
    is_halfway = (math.frexp(bound)[0] * 2**25).is_integer()  # and is rounded down; else the next double is halfway
    return int(bound) if is_halfway else int(math.nextafter(bound, math.inf)) - 1


def double_within(bound: float | int) -> float:
    """Return the largest double that is at most a bound."""
    double = float(bound)
    return double if double <= bound else math.nextafter(double, -math.inf)
