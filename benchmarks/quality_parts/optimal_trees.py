"""Optimal trees of other packages: pystreed on the true labels, gosdt with reference labels of a teacher.

Both find which binary columns to split on; here every leaf then says the Laplace-smoothed class frequencies of its
training rows, since the log-loss of bare frequencies, or of hard labels, would be decided by a few empty classes.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from quality_parts.by_hand import soft_labels
from quality_parts.cells import Found
from quality_parts.data import Split
from quality_parts.students import TREES

TIME_LIMIT_S = 60
THRESHOLDS, MOST_COLUMNS, LEVELS = 8, 60, 4
"""pystreed: quantile thresholds a column, binary columns that stay (by its own forest), levels that are optimal."""
STUMPS, FEWEST_STUMPS = 40, 10
"""gosdt: boosted stumps that guess thresholds; with K > 2 classes STUMPS / K (at least 10) for each, one against the
rest, since the package's own guess reads only the trees of the first class."""
PENALTIES = (64, 16, 4, 1)
"""gosdt: regularisations that are tried in turn, in rows a leaf."""


def leaves(node: Any, columns: np.ndarray) -> np.ndarray:
    """Return the leaf of each row of a tree over binary columns (n_rows, n_columns), as a number (n_rows,).

    Works on the nodes of both packages: pystreed puts a true column on the right, gosdt on the left, which changes the
    names of the leaves and nothing else as long as the subtrees stand where they belong.
    """
    found = np.zeros(len(columns), dtype=np.int64)

    def walk(node: Any, rows: np.ndarray, number: int) -> None:
        feature = split_of(node)
        if feature is None:
            found[rows] = number
            return
        right = columns[rows, feature].astype(bool) == true_is_right(node)
        walk(node.left_child, rows[~right], 2 * number + 1)
        walk(node.right_child, rows[right], 2 * number + 2)

    walk(node, np.arange(len(columns)), 0)
    return found


def split_of(node: Any) -> int | None:
    """Return the column that a node splits on, None at a leaf."""
    if hasattr(node, "is_leaf_node"):
        return None if node.is_leaf_node() else int(node.feature)
    return int(node.feature) if hasattr(node, "left_child") else None


def true_is_right(node: Any) -> bool:
    """Return whether rows whose column is true go to the right."""
    return hasattr(node, "is_leaf_node")


def smoothed(leaf: np.ndarray, y: np.ndarray, leaf_fresh: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities (n_fresh, n_classes): (rows of the class in the leaf + 1) / (rows of the leaf + classes).

    >>> smoothed(np.array([5, 5, 9]), np.array([0, 0, 1]), np.array([5, 9, 7]), 2).round(3).tolist()
    [[0.75, 0.25], [0.333, 0.667], [0.5, 0.5]]
    """
    known, place = np.unique(np.concatenate([leaf, leaf_fresh]), return_inverse=True)
    counts = np.ones((len(known), n_classes))
    np.add.at(counts, (place[: len(leaf)], y), 1)
    return np.asarray((counts / counts.sum(axis=1, keepdims=True))[place[len(leaf) :]])


def below(split: Split, leaf: np.ndarray, leaf_fresh: np.ndarray, levels: int, seed: int) -> tuple[Any, Any]:
    """Return the leaves of rows and fresh rows after `levels` greedy levels under each leaf."""
    deeper, deeper_fresh = leaf * 2 ** (levels + 1), leaf_fresh * 2 ** (levels + 1)
    for number in np.unique(leaf):
        inside, inside_fresh = leaf == number, leaf_fresh == number
        tree = DecisionTreeClassifier(max_depth=levels, random_state=seed).fit(split.X[inside], split.y[inside])
        deeper[inside] += tree.apply(split.X[inside])
        if inside_fresh.any():
            deeper_fresh[inside_fresh] += tree.apply(split.X_fresh[inside_fresh])
    return deeper, deeper_fresh


def streed(split: Split, seed: int) -> Iterator[Found]:
    """Fit pystreed's optimal tree; the deeper student is the same tree with greedy levels below."""
    from pystreed import STreeDClassifier

    start = time.process_time()
    np.random.seed(seed)  # noqa: NPY002 (the forest that selects its columns draws from here)
    model = STreeDClassifier(
        max_depth=LEVELS,
        time_limit=TIME_LIMIT_S,
        n_thresholds=THRESHOLDS,
        max_num_binary_features=MOST_COLUMNS,
        random_seed=seed,
    ).fit(split.X, split.y)
    binarizer = model.binarizer_
    found = [leaves(model.tree_, np.asarray(binarizer.transform(X))) for X in (split.X, split.X_fresh)]
    shared = (time.process_time() - start) / len(TREES)
    note = "" if model.fit_result.is_optimal() else "not proven optimal in time"
    for name, depth in TREES.items():
        start = time.process_time()
        leaf, fresh = found if depth == LEVELS else below(split, found[0], found[1], depth - LEVELS, seed)
        proba = smoothed(leaf, split.y, fresh, len(split.classes))
        yield Found(name, proba, shared + time.process_time() - start, more={"note": note})


def gosdt(split: Split, seed: int) -> Iterator[Found]:
    """Fit gosdt's optimal sparse trees, guided by the labels that a cross-fitted forest gives."""
    start = time.process_time()
    reference = with_all_classes(soft_labels(split, seed).argmax(axis=1), split.y)
    thresholds = guessed(split, seed)
    columns, columns_fresh = (
        np.stack([X[:, column] <= value for column, value in thresholds], axis=1) for X in (split.X, split.X_fresh)
    )
    shared = (time.process_time() - start) / len(TREES)
    for name, depth in TREES.items():
        start = time.process_time()
        tree, note = sparsest_first(columns, split.y, reference, depth)
        proba = smoothed(leaves(tree, columns), split.y, leaves(tree, columns_fresh), len(split.classes))
        yield Found(name, proba, shared + time.process_time() - start, more={"note": note})


def sparsest_first(columns: np.ndarray, y: np.ndarray, reference: np.ndarray, depth: int) -> tuple[Any, str]:
    """Return the tree of fewest training errors and leaves together, and a note.

    What the package hands out when its time is over may be far from good (letter: 12 % right), so that penalties are
    tried from the largest, each in the time that is left, and the best of all trees stays.
    """
    from gosdt import GOSDTClassifier, Status

    end, tried = time.perf_counter() + TIME_LIMIT_S, []
    for penalty in PENALTIES:
        left = int(end - time.perf_counter())
        if left < 1:
            break
        model = GOSDTClassifier(penalty / len(y), allow_small_reg=True, depth_budget=depth, time_limit=left)
        with contextlib.redirect_stdout(io.StringIO()):
            model.fit(columns, y, y_ref=reference)
        tree = model.trees_[0].tree
        solved = "" if model.result_.status == Status.CONVERGED else ", not proven optimal"
        tried.append((errors_and_leaves(leaves(tree, columns), y), tree, f"penalty {penalty} / n{solved}"))
    _, tree, note = min(tried, key=lambda one: one[0])
    return tree, note


def errors_and_leaves(leaf: np.ndarray, y: np.ndarray) -> int:
    """Return how many rows are not of their leaf's commonest class, plus the number of leaves.

    >>> errors_and_leaves(np.array([3, 3, 3, 8]), np.array([0, 0, 1, 1]))
    3
    """
    _, place = np.unique(leaf, return_inverse=True)
    counts = np.zeros((place.max() + 1, y.max() + 1), dtype=int)
    np.add.at(counts, (place, y), 1)
    return int(len(y) - counts.max(axis=1).sum() + len(counts))


def guessed(split: Split, seed: int) -> list[tuple[int, float]]:
    """Return the (column, threshold) pairs that gosdt's own boosters of stumps split on."""
    from gosdt import ThresholdGuessBinarizer

    several = len(split.classes) > 2
    stumps = max(STUMPS // len(split.classes), FEWEST_STUMPS) if several else STUMPS
    found: set[tuple[int, float]] = set()
    for label in split.classes if several else split.classes[1:]:
        guess = ThresholdGuessBinarizer(n_estimators=stumps, max_depth=1, random_state=seed, column_elimination=False)
        found |= {(int(j), float(value)) for j, value in guess.fit(split.X, split.y == label).thresholds_}
    return sorted(found)


def with_all_classes(reference: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return reference labels in which every class of `y` is found, as gosdt asks: true labels where one is missing.

    >>> with_all_classes(np.array([0, 0, 0]), np.array([0, 1, 1])).tolist()
    [0, 1, 1]
    """
    return np.where(np.isin(y, np.setdiff1d(y, reference)), y, reference)
