"""A decision tree as a picture: the root left, leaves right, one line of conditions an edge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from multihop_search.problem.units import number
from multihop_search.report.markup import join, shown, tag

MOST_LEAVES = 64
"""Leaves that are drawn: of a larger tree its first levels."""
PALETTE = 8
"""Classes that have a colour of their own."""
BOX, GAP, LEAF = 134.0, 82.0, 148.0
"""Widths of a split, of the space for conditions, of a leaf."""
HIGH, PITCH = 36.0, 46.0
"""Height of a box; from leaf to leaf."""
LINE = 16
"""Letters in a line of a box."""


@dataclass(frozen=True)
class Place:
    """Where a node is drawn."""

    node: int
    level: int
    y: float
    above: int
    """Its parent, -1 of the root."""
    is_yes: bool
    ends: bool
    """Whether nothing is drawn below it."""


def draw_tree(tree: Any, features: Sequence[str], classes: Sequence[Any] | None) -> tuple[Markup, int]:
    """Return the picture of a scikit-learn `Tree`, and how many levels of it are drawn.

    Parameters
    ----------
    tree : Tree
        `tree_` of a fitted tree.
    features : sequence of str
        Names of its columns.
    classes : sequence or None
        Names of its classes, None in regression.
    """
    levels = drawn_levels(tree)
    places = {place.node: place for place in _places(tree, levels)}
    deepest = max(place.level for place in places.values())
    leaves = tree.value[tree.children_left == -1, 0, 0]
    parts: list[Markup] = []
    for place in places.values():
        if place.above >= 0:
            parts.append(_edge(tree, place, places[place.above]))
    for place in places.values():
        if not place.ends:
            parts.append(_split(place, features[tree.feature[place.node]]))
        elif tree.children_left[place.node] != -1:
            parts.append(_folded(tree, place))
        elif classes is None:
            parts.append(_value_leaf(tree, place, float(leaves.min()), float(leaves.max())))
        else:
            parts.append(_class_leaf(tree, place, classes))
    width = deepest * (BOX + GAP) + LEAF + 2
    height = sum(place.ends for place in places.values()) * PITCH
    label = f"decision tree of {tree.n_leaves} leaves, depth {tree.max_depth}; its rules follow the picture as text"
    size = {"width": width, "height": height, "viewBox": f"0 0 {width:.0f} {height:.0f}"}
    return tag("svg", join(parts), class_="tree", role="img", aria_label=label, **size), levels


def drawn_levels(tree: Any) -> int:
    """Return how many levels can be drawn with at most `MOST_LEAVES` ends."""
    level, nodes, ended = 0, [0], 0
    while True:
        inner = [node for node in nodes if tree.children_left[node] != -1]
        ended += len(nodes) - len(inner)
        if not inner or ended + 2 * len(inner) > MOST_LEAVES:
            return level
        nodes = [child for node in inner for child in (tree.children_left[node], tree.children_right[node])]
        level += 1


def _places(tree: Any, levels: int) -> Iterator[Place]:
    """Yield places, children first: a leaf on the next free line, a split between its children."""
    free = 0

    def place(node: int, level: int, above: int, is_yes: bool) -> Iterator[Place]:
        nonlocal free
        if level == levels or tree.children_left[node] == -1:
            free += 1
            yield Place(node, level, (free - 0.5) * PITCH, above, is_yes, True)
            return
        below = []
        for child, yes in ((tree.children_left[node], True), (tree.children_right[node], False)):
            places = list(place(int(child), level + 1, node, yes))
            below.append(places[-1].y)
            yield from places
        yield Place(node, level, sum(below) / 2, above, is_yes, False)

    yield from place(0, 0, -1, True)


def _left(place: Place) -> float:
    return place.level * (BOX + GAP) + 1


def _edge(tree: Any, place: Place, above: Place) -> Markup:
    start, turn, end = _left(above) + BOX, _left(above) + BOX + 10, _left(place)
    sign, bound = ("\u2264" if place.is_yes else ">"), threshold(float(tree.threshold[above.node]))
    drawn = tag("path", d=f"M{start:.0f} {above.y:.1f} H{turn:.0f} V{place.y:.1f} H{end:.0f}", class_="edge")
    return drawn + tag("text", f"{sign} {bound}", x=turn + 5, y=place.y - 5, class_="condition")


def threshold(value: float) -> str:
    """Return a threshold in at most eight letters.

    Examples
    --------
    >>> threshold(16.795), threshold(-0.00151234), threshold(12345678.0)
    ('16.8', '-0.00151', '1.23e+07')
    """
    text = number(value)
    return text if len(text) <= 6 else f"{value:.3g}"


def _frame(place: Place, width: float, kind: str) -> Markup:
    return tag("rect", x=_left(place), y=place.y - HIGH / 2, width=width, height=HIGH, rx=4, class_=kind)


def _split(place: Place, name: Any) -> Markup:
    lines = broken(shown(name))
    first = place.y + 4.5 - 8 * (len(lines) - 1)
    texts = [tag("text", line, x=_left(place) + 9, y=first + 16 * at, class_="name") for at, line in enumerate(lines)]
    return tag("g", tag("title", shown(name)), _frame(place, BOX, "split"), *texts)


def broken(name: str) -> list[str]:
    """Return a name in one line or two, cut to fit a box.

    Examples
    --------
    >>> broken("age"), broken("mean fractal dimension")
    (['age'], ['mean fractal', 'dimension'])
    """
    if len(name) <= LINE:
        return [name]
    space = name.rfind(" ", 0, LINE + 1)
    cut = space if space > 0 else LINE
    return [shown(name[:cut], LINE), shown(name[cut:].lstrip() or " ", LINE)]


def _folded(tree: Any, place: Place) -> Markup:
    text = tag("text", f"\u2026 {_leaves_below(tree, place.node)} leaves", x=_left(place) + 9, y=place.y + 4.5)
    return tag("g", _frame(place, LEAF, "folded"), text)


def _leaves_below(tree: Any, node: int) -> int:
    left = tree.children_left[node]
    return 1 if left == -1 else _leaves_below(tree, left) + _leaves_below(tree, tree.children_right[node])


def _share(tree: Any, node: int) -> str:
    share = 100 * tree.weighted_n_node_samples[node] / tree.weighted_n_node_samples[0]
    return f"{share:.0f} % of rows" if share >= 1 or share == 0 else "< 1 % of rows"


def _class_leaf(tree: Any, place: Place, classes: Sequence[Any]) -> Markup:
    shares = tree.value[place.node, 0] / tree.value[place.node, 0].sum()
    best = int(shares.argmax())
    left, top = _left(place), place.y - HIGH / 2
    order = np.argsort(-shares, kind="stable")
    parts = [tag("title", ", ".join(f"{shown(classes[at], 60)} {100 * shares[at]:.1f} %" for at in order[:8]))]
    parts.append(_frame(place, LEAF, "leaf"))
    name, sure = shown(classes[best], 10), f"{100 * shares[best]:.0f} %"
    parts.append(tag("text", name, x=left + 9, y=top + 15, class_="name"))
    parts.append(tag("text", sure, x=left + LEAF - 8, y=top + 15, text_anchor="end", class_="name"))
    parts.append(tag("text", _share(tree, place.node), x=left + 9, y=top + 28, class_="rows"))
    at = left
    for index in range(len(shares)) if len(shares) <= PALETTE else [best]:
        width = LEAF * float(shares[index])
        if width > 0:
            colour = f"c{index}" if len(shares) <= PALETTE else "c0"
            parts.append(tag("rect", x=at, y=top + HIGH - 4, width=width, height=4, class_=colour))
            at += width
    return tag("g", *parts)


def _value_leaf(tree: Any, place: Place, low: float, high: float) -> Markup:
    value = float(tree.value[place.node, 0, 0])
    share = (value - low) / (high - low) if high > low else 1.0
    left, top = _left(place), place.y - HIGH / 2
    return tag(
        "g",
        _frame(place, LEAF, "leaf"),
        tag("text", number(value), x=left + 9, y=top + 15, class_="name"),
        tag("text", _share(tree, place.node), x=left + 9, y=top + 28, class_="rows"),
        tag("rect", x=left, y=top + HIGH - 4, width=max(2.0, LEAF * share), height=4, class_="c0"),
    )
