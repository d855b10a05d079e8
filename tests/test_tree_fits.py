"""Tree fits: losses by hand, structures against brute force, bounds on real rows, a tree of the user's own class."""

import copy
import os
import pickle
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from itertools import product

import matplotlib
import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from optuna.distributions import CategoricalDistribution, IntDistribution
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    export_graphviz,
    export_text,
    plot_tree,
)
from threadpoolctl import threadpool_limits

from multihop_search import NearOptimal, Optimal, OwnFit, Refined, TransferSet
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.transfer.transfer_set import SyntheticSet
from multihop_search.trees import base as fits_base
from multihop_search.trees import refusal
from multihop_search.trees import sample as sampling
from multihop_search.trees.alternating import leaf_values, refined, total_loss
from multihop_search.trees.finish import loss_of, with_fewer_leaves
from multihop_search.trees.heap import NO_SPLIT, Heap, leaf_totals
from multihop_search.trees.lookahead import Bounds, Lookahead, best_pairs
from multihop_search.trees.losses import LOSSES, ErrorRate, LogLoss, SquaredLoss
from multihop_search.trees.sample import N_THRESHOLDS, candidate_thresholds, make_sample

matplotlib.use("Agg")

often = settings(deadline=None, derandomize=True, database=None, max_examples=200)
sometimes = settings(deadline=None, derandomize=True, database=None, max_examples=40)
NAMES = sorted(LOSSES)
FITS = [
    NearOptimal(loss="log-loss", smoothing=3.0, shrinkage=0),
    NearOptimal(loss="error", smoothing=0.0, shrinkage=0),
    Refined(loss="log-loss", smoothing=0.0, shrinkage=0),
    Refined(loss="error", smoothing=5.0, shrinkage=0),
]
A_B = np.array(["a", "b"])


def drawn_targets(rng, name, n_rows, *, soft=True):
    """Targets for a loss: three columns of distributions, or one of values."""
    if name == "squared":
        return rng.normal(size=(n_rows, 1))
    return rng.dirichlet(np.ones(3), n_rows) if soft else np.eye(3)[rng.integers(3, size=n_rows)]


def slow_loss(name, targets, weights):
    """The loss of one leaf at its best value, by loops over rows (squares without the constant part)."""
    if weights.sum() == 0:
        return 0.0
    mean = np.average(targets, axis=0, weights=weights)
    total = 0.0
    for row, weight in zip(targets, weights, strict=True):
        if name == "log-loss":
            total -= weight * sum(t * np.log(m) for t, m in zip(row, mean, strict=True) if t > 0)
        elif name == "error":
            total += weight * (1 - row[mean.argmax()])
        else:
            total += weight * (((row - mean) ** 2).sum() - (row**2).sum())
    return total


def binary_sample(rng, name, n_rows, n_features, *, soft=True, weighted=True):
    """Rows of 0 and 1, so that every feature has one threshold."""
    X = rng.integers(2, size=(n_rows, n_features)).astype(np.float32)
    X[0], X[1] = 0, 1
    weights = rng.uniform(0.2, 3, n_rows) if weighted else np.ones(n_rows)
    targets = drawn_targets(rng, name, n_rows, soft=soft)
    return X, targets, weights, make_sample(X, targets, weights, n_rows, rng)


# --- losses ---


def test_losses_of_a_leaf_by_hand():
    # weights 1 and 3; class 0 has weight 1 + 0.75, class 1 has 2.25
    totals, weight = np.array([1.75, 2.25]), np.array(4.0)
    expected = -(1.75 * np.log(1.75 / 4) + 2.25 * np.log(2.25 / 4))
    assert LogLoss().of_leaf(totals, weight) == pytest.approx(expected)
    assert ErrorRate().of_leaf(totals, weight) == pytest.approx(1.75)
    # values 2 (weight 1) and 6 (weight 3): mean 5, squared error 9 + 3 = 12; sum of squares 4 + 108 = 112
    assert SquaredLoss().of_leaf(np.array([20.0]), np.array(4.0)) == pytest.approx(12 - 112)


def test_losses_of_rows_by_hand():
    targets, values = np.array([[1.0, 0.0], [0.25, 0.75]]), np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]])
    log = LogLoss().of_rows(targets, values)
    assert_allclose(log[0], [np.log(2), -np.log(0.9), 0.0])
    sure = -0.75 * np.log(1e-3)  # the probability 0 is floored
    assert_allclose(log[1], [np.log(2), -0.25 * np.log(0.9) - 0.75 * np.log(0.1), sure])
    assert_allclose(ErrorRate().of_rows(targets, values[1:]), [[0, 0], [0.75, 0.75]])
    assert_allclose(SquaredLoss().of_rows(np.array([[2.0], [6.0]]), np.array([[5.0], [2.0]])), [[5, -4], [-35, -20]])


def test_the_squares_of_a_leaf_that_is_empty_up_to_rounding_cost_nothing():
    found = SquaredLoss().of_leaf(np.array([[3.0], [1e-16], [1e-16]]), np.array([2.0, 0.0, -1e-17]))
    assert_allclose(found, [-4.5, 0.0, 0.0])


def test_a_pure_leaf_and_an_empty_one_cost_nothing():
    for loss in (LogLoss(), ErrorRate()):
        assert_allclose(loss.of_leaf(np.array([[5.0, 0.0], [0.0, 0.0]]), np.array([5.0, 0.0])), 0, atol=1e-12)
    assert SquaredLoss().of_leaf(np.zeros((1, 1)), np.zeros(1))[0] == 0


@pytest.mark.once
@often
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(1, 12))
def test_the_cost_of_a_leaf_is_the_sum_over_its_rows_at_the_best_value(name, seed, n_rows):
    rng = np.random.default_rng(seed)
    targets, weights = drawn_targets(rng, name, n_rows), rng.uniform(0.1, 5, n_rows)
    if name == "log-loss":
        targets = 0.99 * targets + 0.01 / 3  # above the floor of single rows
    totals = weights @ targets
    value = totals / weights.sum()
    whole = LOSSES[name].of_leaf(totals, np.asarray(weights.sum()))
    assert whole == pytest.approx(float(weights @ LOSSES[name].of_rows(targets, value[None])[:, 0]), abs=1e-9)
    assert whole == pytest.approx(slow_loss(name, targets, weights), abs=1e-9)
    other = rng.dirichlet(np.ones(3)) if targets.shape[1] == 3 else value + rng.normal(size=1)
    assert whole <= float(weights @ LOSSES[name].of_rows(targets, np.maximum(other, 2e-3)[None])[:, 0]) + 1e-9 or (
        name == "log-loss" and other.min() < 2e-3  # raised above its share: no distribution
    )


# --- thresholds and codes ---

TINY = float(np.float32(1e-45))
SPECIAL = [
    0.0,
    -0.0,
    TINY,
    -TINY,
    2 * TINY,
    1e-38,
    3.4e38,
    -3.4e38,
    1.0,
    float(np.nextafter(np.float32(1), np.float32(2))),
]
float32s = st.one_of(
    st.sampled_from(SPECIAL), st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float)
)


@often
@given(st.lists(float32s, min_size=1, max_size=150), st.data())
def test_codes_agree_with_what_scikit_learn_compares(column, data):
    X = np.array(column, dtype=np.float32)[:, None]
    weights = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=len(X), max_size=len(X))))
    sample = make_sample(X, np.ones((len(X), 1)), weights, len(X), np.random.default_rng(0))
    cuts = sample.thresholds[0]
    assert len(cuts) <= N_THRESHOLDS == 31
    assert len(cuts) == min(len(np.unique(X)) - 1, len(cuts))
    assert (np.diff(cuts) > 0).all()
    for number, cut in enumerate(cuts):
        left = X[:, 0].astype(np.float64) <= cut  # scikit-learn: a float32 value at most a float64 threshold
        assert_array_equal(sample.codes[:, 0] <= number, left)
        assert 0 < left.sum() < len(X)


def test_all_thresholds_between_few_values_are_candidates():
    column = np.array([3, 1, 2, 2, 8], dtype=np.float32)
    assert_array_equal(candidate_thresholds(column, np.ones(5)), [1.5, 2.5, 5.5])
    assert_array_equal(candidate_thresholds(np.ones(4, dtype=np.float32), np.ones(4)), [])


def test_many_values_are_cut_at_even_steps_of_weight():
    column = np.arange(640, dtype=np.float32)
    assert_array_equal(candidate_thresholds(column, np.ones(640)), np.arange(1, 32) * 20 - 0.5)
    heavy = np.where(column < 64, 9.0, 1.0)  # 576 + 576: a half of the thresholds lies among the first 64 values
    assert np.sum(candidate_thresholds(column, heavy) < 64) in (15, 16)


def test_between_adjacent_float32_values_the_threshold_sends_them_apart():
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    (cut,) = candidate_thresholds(np.array([low, high]), np.ones(2))
    assert low <= cut < high


# --- trees of depth 2, and looking ahead ---


@pytest.mark.once
@often
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(2, 5), st.booleans(), st.booleans())
def test_best_pairs_equals_all_trees_of_depth_2(name, seed, n_candidates, soft, weighted):
    rng = np.random.default_rng(seed)
    n_rows = 14
    above = rng.integers(2, size=(n_rows, n_candidates)).astype(float)
    targets = drawn_targets(rng, name, n_rows, soft=soft)
    weights = rng.uniform(0.2, 3, n_rows) if weighted else np.ones(n_rows)
    totals = np.column_stack([weights[:, None] * targets, weights])
    [found] = best_pairs([above.T > 0], [totals], LOSSES[name])
    for root in range(n_candidates):
        expected = 0.0
        for side in (0, 1):
            here = above[:, root] == side
            best = np.inf
            for other in range(n_candidates):
                parts = [here & (above[:, other] == below) for below in (0, 1)]
                best = min(best, sum(slow_loss(name, targets[part], weights[part]) for part in parts))
            expected += best
        assert found[root] == pytest.approx(expected, abs=1e-8)


def best_of_depth_2(name, X, targets, weights):
    """The least loss of all trees of depth 2 over binary columns, by brute force."""
    columns = range(X.shape[1])
    least = slow_loss(name, targets, weights)
    for root, left, right in product(columns, repeat=3):
        parts = [(X[:, root] == 0) & (X[:, left] == v) for v in (0, 1)]
        parts += [(X[:, root] == 1) & (X[:, right] == v) for v in (0, 1)]
        least = min(least, sum(slow_loss(name, targets[part], weights[part]) for part in parts))
    return least


@pytest.mark.once
@sometimes
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(2, 5), st.booleans())
def test_looking_ahead_is_optimal_at_depth_2_over_few_binary_columns(name, seed, n_features, soft):
    rng = np.random.default_rng(seed)
    X, targets, weights, sample = binary_sample(rng, name, 24, n_features, soft=soft)
    heap = Lookahead(sample, LOSSES[name], Bounds(2), 40).grow()
    assert total_loss(heap, sample, LOSSES[name]) == pytest.approx(best_of_depth_2(name, X, targets, weights), abs=1e-6)


def exclusive_or(n_rows=400, seed=0):
    """Two columns whose exclusive or is the class, beside three that say nothing; neither helps alone."""
    X = np.random.default_rng(seed).uniform(-1, 1, size=(n_rows, 5))
    return X, ((X[:, 1] > 0) ^ (X[:, 3] > 0)).astype(int)


@pytest.mark.parametrize("loss", ["log-loss", "error"])
def test_near_optimal_finds_an_exclusive_or_that_greed_misses(loss):
    X, y = exclusive_or()
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    greedy = clone(tree).fit(X, y).score(X, y)
    made = fit(
        clone(tree),
        TrainingSet(X, y, np.array([0, 1])),
        FitOptions(tree_fit=NearOptimal(loss=loss, smoothing=0.0, shrinkage=0)),
    )
    assert made.score(X, y) > 0.9 > 0.75 > greedy
    assert set(made.tree_.feature[made.tree_.feature >= 0]) == {1, 3}


def test_near_optimal_finds_it_in_regression_too():
    X, y = exclusive_or()
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    made = fit(
        clone(tree),
        TrainingSet(X, y.astype(float), None),
        FitOptions(tree_fit=NearOptimal(smoothing=0.0, shrinkage=0)),
    )
    assert made.score(X, y) > 0.7 > 0.4 > clone(tree).fit(X, y).score(X, y)


@pytest.mark.once
@sometimes
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5))
def test_neither_looking_ahead_nor_refining_is_ever_worse_than_greed(name, seed, depth, leaf):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 6, size=(60, 4)).astype(np.float32)
    sample = make_sample(X, drawn_targets(rng, name, 60), rng.uniform(0.1, 2, 60), 60, rng)
    loss, bounds = LOSSES[name], Bounds(depth, leaf)
    greedy = Lookahead(sample, loss, bounds, 0).grow()
    start = total_loss(greedy, sample, loss)
    heap, least = refined(greedy, sample, loss, bounds)
    assert least == pytest.approx(total_loss(heap, sample, loss))
    assert least <= start + 1e-9
    ahead = Lookahead(sample, loss, bounds, 40).grow()
    if depth <= 2 and leaf == 1:
        assert total_loss(ahead, sample, loss) <= start + 1e-6


@pytest.mark.once
@sometimes
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(1, 3))
def test_of_a_refined_structure_no_single_split_can_be_chosen_better(name, seed, depth):
    """With the leaves' values held: what one step of alternating optimisation chooses among, tried one by one."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, size=(40, 3)).astype(np.float32)
    targets = drawn_targets(rng, name, 40)
    if name == "log-loss":
        targets = 0.95 * targets + 0.05 / 3
    sample = make_sample(X, targets, np.ones(40), 40, rng)
    loss, bounds = LOSSES[name], Bounds(depth)
    heap, _ = refined(Lookahead(sample, loss, bounds, 0).grow(), sample, loss, bounds)
    values = leaf_values(leaf_totals(heap, sample)[1])

    def held(structure):
        return float(loss.of_rows(targets, values)[np.arange(40), structure.leaves(sample.codes)].sum())

    now = held(heap)
    for node in np.flatnonzero(heap.feature != NO_SPLIT):
        for feature, cuts in enumerate(sample.thresholds):
            for place in range(len(cuts)):
                other = heap.copy()
                other.feature[node], other.place[node] = feature, place
                both = np.bincount(other.descend(sample.codes, np.zeros(40, dtype=int), 1), minlength=3)[1:]
                if node > 0 or both.min() >= 1:
                    assert held(other) >= now - 1e-3 * abs(now)


def test_a_heap_without_a_split_sends_rows_to_the_first_child():
    heap = Heap.empty(2)
    heap.feature[0], heap.place[0] = 1, 0
    codes = np.array([[9, 0], [9, 1]], dtype=np.uint8)
    assert_array_equal(heap.leaves(codes), [0, 2])
    heap.feature[0] = NO_SPLIT
    assert_array_equal(heap.leaves(codes), [0, 0])


# --- bounds, on real rows ---

leaf_sizes = st.one_of(st.integers(1, 12), st.floats(0.01, 0.4))
split_sizes = st.one_of(st.integers(2, 30), st.floats(0.01, 0.9))


def as_count(size, n_rows):
    return int(np.ceil(size * n_rows)) if isinstance(size, float) else size


def real_rows_by_node(tree, X):
    return np.asarray(tree.decision_path(X).sum(axis=0)).ravel()


def assert_keeps_its_bounds(tree, X):
    """What scikit-learn promises of these parameters, counted on the real rows X."""
    inner = tree.tree_.children_left >= 0
    reached = real_rows_by_node(tree, X)
    assert_array_equal(tree.tree_.n_node_samples, reached)
    left, right = tree.tree_.children_left[inner], tree.tree_.children_right[inner]
    assert_array_equal(reached[inner], reached[left] + reached[right])
    weights = tree.tree_.weighted_n_node_samples
    assert_allclose(weights[inner], weights[left] + weights[right])
    assert tree.get_depth() <= tree.max_depth
    assert tree.max_leaf_nodes is None or tree.get_n_leaves() <= tree.max_leaf_nodes
    assert np.unique(tree.apply(X), return_counts=True)[1].min() >= as_count(tree.min_samples_leaf, len(X))
    assert (reached[inner] >= as_count(tree.min_samples_split, len(X))).all()
    assert len(np.unique(tree.apply(X))) == tree.get_n_leaves()


@pytest.mark.once
@often
@given(
    tree_fit=st.sampled_from(FITS),
    seed=st.integers(0, 10**6),
    depth=st.integers(1, 5),
    leaves=st.one_of(st.none(), st.integers(2, 12)),
    leaf=leaf_sizes,
    split=split_sizes,
    n_classes=st.integers(2, 4),
    n_synthetic=st.sampled_from([0, 1, 60, 200]),
    weighted=st.booleans(),
    coarse=st.booleans(),
)
def test_every_bound_holds_on_the_real_rows(
    *, tree_fit, seed, depth, leaves, leaf, split, n_classes, n_synthetic, weighted, coarse
):
    rng = np.random.default_rng(seed)
    n_rows = 80
    X = rng.integers(0, 4, size=(n_rows, 3)).astype(float) if coarse else rng.normal(size=(n_rows, 3))
    y = rng.integers(n_classes, size=n_rows)
    y[:n_classes] = np.arange(n_classes)
    targets = rng.dirichlet(np.full(n_classes, 0.3), n_rows)
    weights = rng.uniform(0.0, 4, n_rows) * (rng.random(n_rows) < 0.8) if weighted else np.ones(n_rows)
    weights[:n_classes] = 1
    synthetic = None
    if n_synthetic:
        parents = rng.integers(n_rows, size=n_synthetic)
        more = X[parents] + rng.normal(scale=0.3, size=(n_synthetic, 3))
        synthetic = SyntheticSet(more, rng.dirichlet(np.ones(n_classes), n_synthetic), parents)
    tree = DecisionTreeClassifier(
        max_depth=depth, max_leaf_nodes=leaves, min_samples_leaf=leaf, min_samples_split=split, random_state=seed
    )
    before = tree.get_params()
    labels = np.arange(n_classes) * 10
    transfer = TransferSet(targets, np.ones(n_rows), synthetic=synthetic)
    made = fit(tree, TrainingSet(X, y, labels, sample_weight=weights, transfer=transfer), FitOptions(tree_fit=tree_fit))
    assert made.get_params() == before
    assert_keeps_its_bounds(made, X[weights > 0])
    proba = made.predict_proba(X)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert_allclose(proba.sum(axis=1), 1)
    assert (made.feature_importances_ >= 0).all()


@pytest.mark.once
@sometimes
@given(st.sampled_from(FITS[::2]), st.integers(0, 10**6), st.integers(1, 4), leaf_sizes, st.sampled_from([0, 100]))
def test_every_bound_holds_in_regression(tree_fit, seed, depth, leaf, n_synthetic):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(70, 3)), rng.normal(size=70)
    synthetic = None
    if n_synthetic:
        parents = rng.integers(70, size=n_synthetic)
        synthetic = SyntheticSet(X[parents] + 0.1, rng.normal(size=(n_synthetic, 1)), parents)
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=leaf, max_leaf_nodes=7, random_state=0)
    transfer = TransferSet(y[:, None], np.ones(70), synthetic=synthetic)
    made = fit(tree, TrainingSet(X, y, None, transfer=transfer), FitOptions(tree_fit=tree_fit))
    assert_keeps_its_bounds(made, X)
    assert (made.feature_importances_ >= 0).all()


@pytest.mark.parametrize("first", [1.0, 1e-45, -3e38, 12345.678])
@pytest.mark.parametrize("tree_fit", FITS[:3], ids=str)
def test_adjacent_float32_values_are_counted_on_the_side_where_they_go(tree_fit, first):
    steps = [np.float32(first)]
    for _ in range(7):
        steps.append(np.nextafter(steps[-1], np.float32(np.inf)))
    X = np.repeat(np.array(steps, dtype=np.float64), 5)[:, None]
    y = np.repeat([0, 1, 1, 0, 1, 0, 0, 1], 5)
    made = fit(
        DecisionTreeClassifier(max_depth=5, min_samples_leaf=5), TrainingSet(X, y, A_B), FitOptions(tree_fit=tree_fit)
    )
    assert_keeps_its_bounds(made, X)
    assert made.score(X, A_B[y]) == 1


def test_more_splits_than_leaves_allow_are_cut_where_it_costs_least():
    rng = np.random.default_rng(0)
    X = np.repeat(np.arange(4), 25)[:, None].astype(np.float32)
    shares = np.array([0.0, 1.0, 0.4, 0.6])[X[:, 0].astype(int)]  # 0 | 1 is worth more than 2 | 3
    targets = np.column_stack([shares, 1 - shares])
    sample = make_sample(X, targets, np.ones(100), 100, rng)
    heap = Lookahead(sample, LogLoss(), Bounds(2), 40).grow()
    cut = with_fewer_leaves(heap, sample, LogLoss(), 3)
    assert np.count_nonzero(heap.feature != NO_SPLIT) == 3
    assert len(set(cut.leaves(sample.codes).tolist())) == 3
    assert set(map(tuple, np.column_stack([X[:, 0], cut.leaves(sample.codes)]).tolist())) == {
        (0.0, 0),
        (1.0, 1),
        (2.0, 2),
        (3.0, 2),
    }


# --- values of the leaves ---

FOUR = np.array([[0.0], [0.0], [1.0], [1.0]])


def test_leaves_are_valued_by_hand():
    # weights 1, 1, 2, 4 of classes a, a, a, b; smoothing 2
    # root: a (1 + 1 + 2) / 8 = 1/2; left: W = 2, all a: (2 + 2 * 1/2) / 4 = 3/4; right: W = 6, a 2: (2 + 1) / 8 = 3/8
    weights = np.array([1.0, 1.0, 2.0, 4.0])
    tree = DecisionTreeClassifier(max_depth=1, random_state=0)
    fitted = fit(
        tree,
        TrainingSet(FOUR, np.array([0, 0, 0, 1]), A_B, sample_weight=weights),
        FitOptions(tree_fit=NearOptimal(loss="log-loss", smoothing=2.0, shrinkage=0)),
    )
    assert_allclose(fitted.tree_.value[:, 0], [[0.5, 0.5], [0.75, 0.25], [0.375, 0.625]])
    assert_allclose(fitted.tree_.weighted_n_node_samples, [8, 2, 6])
    assert_array_equal(fitted.tree_.n_node_samples, [4, 2, 2])
    # impurities are of the means without smoothing: a leaf of (1/3, 2/3) has Gini 4/9
    assert_allclose(fitted.tree_.impurity, [0.5, 0.0, 4 / 9], atol=1e-12)
    # 0.5 - 6/8 * 4/9 = 1/6 is what the one feature has lowered
    assert_allclose(fitted.tree_.compute_feature_importances(normalize=False), [1 / 6])


def test_grandchildren_are_shrunk_to_the_shrunk_value_of_their_parent():
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([1.0, 2.0, 5.0, 10.0])
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    made = fit(
        tree,
        TrainingSet(X, y, None),
        FitOptions(tree_fit=Refined(smoothing=1.0, shrinkage=0, restarts=0)),
    )
    # root 4.5; left {1, 2}: (3 + 4.5) / 3 = 2.5, its leaves (1 + 2.5) / 2 = 1.75 and (2 + 2.5) / 2 = 2.25;
    # right {5, 10}: (15 + 4.5) / 3 = 6.5, its leaves (5 + 6.5) / 2 = 5.75 and (10 + 6.5) / 2 = 8.25
    assert_allclose(made.predict(X), [1.75, 2.25, 5.75, 8.25])
    # variances: (1 + 4 + 25 + 100) / 4 - 4.5**2, then 0.25 and 6.25
    assert_allclose(made.tree_.impurity, [12.25, 0.25, 0, 0, 6.25, 0, 0], atol=1e-12)


def test_without_smoothing_a_leaf_is_its_mean_and_entropy_is_in_bits():
    y = np.array([0, 0, 0, 1])
    tree = DecisionTreeClassifier(max_depth=1, criterion="entropy", random_state=0)
    made = fit(
        tree,
        TrainingSet(FOUR, y, A_B),
        FitOptions(tree_fit=NearOptimal(loss="log-loss", smoothing=0.0, shrinkage=0)),
    )
    assert_allclose(made.predict_proba([[0.0], [1.0]]), [[1, 0], [0.5, 0.5]])
    assert_allclose(made.tree_.impurity, [-0.75 * np.log2(0.75) + 0.25 * 2, 0, 1], atol=1e-12)


def test_a_smoothed_tree_has_no_negative_importance():
    X = np.repeat([0.0, 1.0], [80, 20])[:, None]
    y = np.repeat([0, 1, 1], [20, 60, 20])  # 25 % against 0 %: with much smoothing the left leaf is the less sure one
    made = fit(
        DecisionTreeClassifier(max_depth=1),
        TrainingSet(X, y, A_B),
        FitOptions(tree_fit=NearOptimal(loss="log-loss", smoothing=32.0, shrinkage=0)),
    )
    assert made.get_n_leaves() == 2
    # Gini of the root 0.32, of the left leaf 0.375, of the right one 0: 0.32 - 0.8 * 0.375
    assert_allclose(made.tree_.compute_feature_importances(normalize=False), [0.02])


@pytest.mark.parametrize("tree_fit", FITS[::2], ids=str)
@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1.0, 1e6), (1e6, -3.0)])
def test_the_unit_and_the_offset_of_a_target_change_nothing(tree_fit, scale, offset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] > 0) * 1.0 + (X[:, 1] > 0.3) * X[:, 2]
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    first = fit(clone(tree), TrainingSet(X, y, None), FitOptions(tree_fit=tree_fit))
    second = fit(clone(tree), TrainingSet(X, y * scale + offset, None), FitOptions(tree_fit=tree_fit))
    assert first.get_n_leaves() > 4
    assert_array_equal(first.tree_.threshold, second.tree_.threshold)
    assert_allclose((second.predict(X) - offset) / scale, first.predict(X), atol=1e-6)


# --- weights ---


@pytest.mark.parametrize(
    "tree_fit",
    [
        NearOptimal(loss="log-loss", smoothing=3.0, shrinkage=0),
        Refined(loss="error", smoothing=0.0, shrinkage=0),
    ],
)
@pytest.mark.parametrize("regression", [False, True])
def test_whole_weights_are_rows_repeated(tree_fit, regression):
    rng = np.random.default_rng(1)
    X, y = rng.integers(0, 6, size=(60, 3)).astype(float), rng.integers(2, size=60)
    times = rng.integers(1, 4, size=60)
    labels = None if regression else A_B
    tree = (DecisionTreeRegressor if regression else DecisionTreeClassifier)(max_depth=3, random_state=0)
    weighted = fit(
        clone(tree), TrainingSet(X, y, labels, sample_weight=times.astype(float)), FitOptions(tree_fit=tree_fit)
    )
    repeated = fit(
        clone(tree),
        TrainingSet(np.repeat(X, times, axis=0), np.repeat(y, times), labels),
        FitOptions(tree_fit=tree_fit),
    )
    assert_array_equal(weighted.tree_.feature, repeated.tree_.feature)
    assert_array_equal(weighted.tree_.threshold, repeated.tree_.threshold)
    assert_allclose(weighted.tree_.value, repeated.tree_.value)
    assert_allclose(weighted.tree_.weighted_n_node_samples, repeated.tree_.weighted_n_node_samples)


@pytest.mark.parametrize("class_weight", [{"a": 1.0, "b": 3.0}, "balanced"])
@pytest.mark.parametrize("tree_fit", FITS, ids=str)
def test_class_weights_are_row_weights(tree_fit, class_weight):
    rng = np.random.default_rng(2)
    X = rng.integers(0, 5, size=(80, 3)).astype(float)
    y = (X[:, 0] + rng.normal(size=80) > 3).astype(int)
    of_class = [1.0, 3.0] if isinstance(class_weight, dict) else 80 / (2 * np.bincount(y))
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    made = fit(clone(tree).set_params(class_weight=class_weight), TrainingSet(X, y, A_B), FitOptions(tree_fit=tree_fit))
    assert made.class_weight == class_weight
    expected = fit(
        clone(tree), TrainingSet(X, y, A_B, sample_weight=np.asarray(of_class)[y]), FitOptions(tree_fit=tree_fit)
    )
    assert_array_equal(made.tree_.threshold, expected.tree_.threshold)
    assert_allclose(made.predict_proba(X), expected.predict_proba(X))
    unweighted = fit(clone(tree), TrainingSet(X, y, A_B), FitOptions(tree_fit=tree_fit))
    assert np.abs(made.predict_proba(X) - unweighted.predict_proba(X)).max() > 0.05


# --- the user's class ---


@pytest.fixture(scope="module")
def named_rows():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "height", "weight"])
    return X, (X["age"] * X["weight"] > 0).to_numpy().astype(int)


@pytest.fixture(scope="module", params=FITS, ids=str)
def fitted(request, named_rows):
    X, y = named_rows
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=4, random_state=0)
    return fit(tree, TrainingSet(X, y, np.array(["no", "yes"])), FitOptions(tree_fit=request.param))


def test_the_tree_is_of_the_users_class_and_knows_its_columns(fitted, named_rows):
    X, y = named_rows
    assert type(fitted) is DecisionTreeClassifier
    assert_array_equal(fitted.feature_names_in_, ["age", "height", "weight"])
    assert fitted.n_features_in_ == fitted.max_features_ == 3
    assert (fitted.n_classes_, fitted.n_outputs_) == (2, 1)
    assert_array_equal(fitted.classes_, ["no", "yes"])
    assert_array_equal(fitted.predict(X), fitted.classes_[fitted.predict_proba(X).argmax(axis=1)])
    assert fitted.score(X, fitted.classes_[y]) > 0.8
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(X.rename(columns={"age": "years"}))


def test_whatever_reads_a_tree_reads_this_one(fitted, named_rows):
    X, _ = named_rows
    leaves = fitted.apply(X)
    assert (fitted.tree_.children_left[leaves] == -1).all()
    path = fitted.decision_path(X)
    assert path.shape == (200, fitted.tree_.node_count)
    assert (path[np.arange(200), leaves] == 1).all()
    assert fitted.get_n_leaves() == len(np.unique(leaves))
    assert path.sum(axis=1).max() == fitted.get_depth() + 1
    assert fitted.feature_importances_.sum() == pytest.approx(1)
    assert fitted.feature_importances_[1] < 0.5  # height says nothing
    text = export_text(fitted, feature_names=list(X.columns))
    assert "age" in text
    assert "class: yes" in text
    assert "yes" in export_graphviz(fitted, class_names=["no", "yes"])
    artists = plot_tree(fitted, feature_names=list(X.columns), class_names=["no", "yes"])
    assert len(artists) >= fitted.tree_.node_count
    matplotlib.pyplot.close("all")
    with np.errstate(divide="ignore"):
        assert_allclose(np.exp(fitted.predict_log_proba(X)), fitted.predict_proba(X))


def test_predictions_follow_the_thresholds_node_by_node(fitted, named_rows):
    X = named_rows[0].to_numpy().astype(np.float32)
    tree = fitted.tree_
    for row, expected in zip(X[:50], fitted.predict_proba(named_rows[0])[:50], strict=True):
        node = 0
        while tree.children_left[node] >= 0:
            side = tree.children_left if row[tree.feature[node]] <= tree.threshold[node] else tree.children_right
            node = side[node]
        assert_allclose(tree.value[node, 0], expected)


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "skops"])
def test_the_tree_survives_what_trees_survive(fitted, named_rows, how, tmp_path):
    X, _ = named_rows
    if how == "pickle":
        other = pickle.loads(pickle.dumps(fitted))
    elif how == "deepcopy":
        other = copy.deepcopy(fitted)
    else:
        skops.io.dump(fitted, tmp_path / "tree.skops")
        found = skops.io.get_untrusted_types(file=tmp_path / "tree.skops")
        skops.io.dump(clone(fitted).fit(*named_rows), tmp_path / "own.skops")
        assert found == skops.io.get_untrusted_types(file=tmp_path / "own.skops")
        other = skops.io.load(tmp_path / "tree.skops", trusted=found)
    assert_array_equal(other.predict_proba(X), fitted.predict_proba(X))
    assert_array_equal(other.tree_.n_node_samples, fitted.tree_.n_node_samples)
    assert other.get_params() == fitted.get_params()


def test_a_clone_is_unfitted_and_fits_as_its_class_does(fitted, named_rows):
    X, y = named_rows
    other = clone(fitted)
    assert not hasattr(other, "tree_")
    assert_array_equal(
        other.fit(X, y).predict(X),
        DecisionTreeClassifier(max_depth=3, min_samples_leaf=4, random_state=0).fit(X, y).predict(X),
    )


def test_a_tree_in_a_pipeline_is_fitted_on_what_its_transformers_hand_on(named_rows):
    X, y = named_rows
    tree_fit = NearOptimal(loss="log-loss", smoothing=3.0, shrinkage=0)
    alone = DecisionTreeClassifier(max_depth=2, random_state=0)
    made = fit(make_pipeline(StandardScaler(), clone(alone)), TrainingSet(X, y, A_B), FitOptions(tree_fit=tree_fit))
    scaled = StandardScaler().fit_transform(X)
    expected = fit(clone(alone), TrainingSet(scaled, y, A_B), FitOptions(tree_fit=tree_fit))
    assert_allclose(made.predict_proba(X), expected.predict_proba(scaled))


# --- chance ---

ANOTHER_PROCESS = """
import hashlib
import numpy as np
from sklearn.tree import DecisionTreeClassifier
from multihop_search import NearOptimal, Refined
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4)).round(1)
X = np.column_stack([X, X[:, ::-1], -X])  # equal columns and mirrored ones: ties everywhere
y = (X[:, 0] * X[:, 1] > 0).astype(int)
fits = (
    NearOptimal(loss="log-loss", smoothing=2.0, shrinkage=0, width=2),
    Refined(loss="error", smoothing=2.0, shrinkage=0),
)
for tree_fit in fits:
    rows, model = TrainingSet(X, y, np.array([0, 1])), DecisionTreeClassifier(max_depth=4, random_state=5)
    tree = fit(model, rows, FitOptions(tree_fit=tree_fit)).tree_
    print(hashlib.sha256(tree.feature.tobytes() + tree.threshold.tobytes() + tree.value.round(9).tobytes()).hexdigest())
"""


def printed(threads, hash_seed):
    beside = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    return subprocess.run(command, env=os.environ | beside, capture_output=True, text=True, check=True).stdout


@pytest.mark.once
def test_a_tree_is_the_same_in_every_process_and_under_any_threads():
    there = printed("1", "1")
    assert len(there.split()) == 2
    with threadpool_limits(2), redirect_stdout(StringIO()) as here:
        exec(ANOTHER_PROCESS, {})
    assert here.getvalue() == there


@pytest.mark.once
@sometimes
@given(st.sampled_from(FITS), st.integers(0, 10**6), st.booleans())
def test_a_tree_is_the_same_under_one_and_two_threads_where_columns_are_equal(tree_fit, seed, regression):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 8, size=(120, 3)).astype(float)
    X = np.column_stack([X, X, X[:, ::-1]])
    y = rng.integers(2, size=120)
    labels = None if regression else A_B
    tree = (DecisionTreeRegressor if regression else DecisionTreeClassifier)(max_depth=4, random_state=0)
    made = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            made.append(
                fit(
                    clone(tree),
                    TrainingSet(X, y, labels, sample_weight=rng.uniform(1, 1, 120)),
                    FitOptions(tree_fit=tree_fit),
                ).tree_
            )
    assert_array_equal(made[0].feature, made[1].feature)
    assert_array_equal(made[0].threshold, made[1].threshold)
    assert_array_equal(made[0].value, made[1].value)


# --- restarts ---


@pytest.fixture
def some_rows(monkeypatch):
    """Structures are grown on 300 rows."""
    monkeypatch.setattr(sampling, "MOST_ROWS", 300)
    monkeypatch.setattr(fits_base, "MOST_ROWS", 300)


def restarted(fit_, seed=0, n_synthetic=400, values=False):
    """Return a tree of depth 3, and the rows and targets that it was fitted on."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 6)).astype(np.float32), rng.integers(2, size=200)
    made = rng.normal(size=(n_synthetic, 6)).astype(np.float32)
    targets = rng.normal(size=(n_synthetic, 1)) if values else rng.dirichlet([1, 1], n_synthetic)
    parent = rng.integers(200, size=n_synthetic)
    own = rng.normal(size=(200, 1)) if values else np.eye(2)[y]
    transfer = TransferSet(own, np.ones(200), synthetic=SyntheticSet(made, targets, parent) if n_synthetic else None)
    student = (DecisionTreeRegressor if values else DecisionTreeClassifier)(max_depth=3, random_state=seed)
    labels = None if values else A_B
    tree = fit(
        student, TrainingSet(X, own[:, 0] if values else y, labels, transfer=transfer), FitOptions(tree_fit=fit_)
    ).tree_
    return tree, np.vstack([X, made]), np.vstack([own, targets])


@pytest.mark.once
@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("kind", [Refined, NearOptimal])
def test_of_several_starts_the_one_with_the_least_loss_on_the_whole_transfer_set_is_kept(kind, values, some_rows):
    def loss(restarts):
        tree, X, targets = restarted(
            kind(loss="log-loss", smoothing=1.0, shrinkage=0, restarts=restarts), values=values
        )
        q = tree.predict(X)
        rows = ((targets - q) ** 2).sum(axis=1) if values else -(targets * np.log(q)).sum(axis=1)
        return np.average(rows, weights=np.ones(600))

    losses = [loss(restarts) for restarts in (0, 1, 3, 12)]
    assert losses == sorted(losses, reverse=True)  # the starts of fewer restarts are among those of more
    assert losses[-1] < losses[0] - 1e-3


def test_the_seed_draws_the_restarts(some_rows):
    way = NearOptimal(loss="log-loss", smoothing=0.0, shrinkage=0, restarts=2)
    assert_array_equal(restarted(way, 1)[0].threshold, restarted(way, 1)[0].threshold)
    assert len({restarted(way, seed)[0].threshold.tobytes() for seed in range(6)}) > 1


def test_where_a_structure_is_grown_on_all_rows_there_is_one_start(monkeypatch):
    starts = []
    monkeypatch.setattr(fits_base, "make_sample", lambda *rows: starts.append(rows[-1]) or make_sample(*rows))
    restarted(NearOptimal(smoothing=0.0, shrinkage=0, loss="log-loss", restarts=5))
    assert starts == [0]


def test_a_later_start_takes_all_real_rows_and_other_synthetic_ones(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_ROWS", 20)
    X, targets = np.arange(30, dtype=np.float32)[:, None], np.full((30, 2), 0.5)
    first = make_sample(X, targets, np.ones(30), 10, np.random.default_rng(0))
    assert_array_equal(first.thresholds[0], np.arange(19) + 0.5)  # the first rows
    draws = [make_sample(X, targets, np.ones(30), 10, np.random.default_rng(seed), 1) for seed in range(8)]
    assert {(sample.counted.sum(), sample.n_rows) for sample in draws} == {(10, 20)}
    assert len({tuple(np.concatenate(sample.thresholds)) for sample in draws}) == 8
    for sample in draws:  # the shares of real and synthetic rows stay
        assert sample.weights[sample.counted].sum() == pytest.approx(10)
        assert sample.weights[~sample.counted].sum() == pytest.approx(20)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_finished_tree_by_hand(name):
    X, y = np.array([[0.0], [0.0], [1.0], [1.0]], dtype=np.float32), np.array([0, 0, 1, 1])
    tree = DecisionTreeClassifier().fit(X, y).tree_ if name != "squared" else DecisionTreeRegressor().fit(X, y).tree_
    weights = np.array([1.0, 2.0, 1.0, 0.0])
    if name == "squared":  # values 0 and 1; without the squares of the targets
        assert loss_of(tree, LOSSES[name], X, np.array([[0.5], [1.0], [3.0], [9.0]]), weights) == 1 - 2 * 3
        return
    targets = np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75], [1.0, 0.0]])
    wrong = 0.5 + 0.25  # on the two rows that are told more than one class, of weight 1 each
    assert loss_of(tree, LOSSES[name], X, targets, weights) == pytest.approx(
        wrong if name == "error" else -wrong * np.log(1e-3)
    )


@pytest.mark.parametrize("way", [Refined(), NearOptimal(), OwnFit(), Optimal()], ids=lambda way: type(way).__name__)
def test_in_a_fold_there_are_no_restarts(way):
    assert getattr(way.in_fold(), "restarts", 0) == 0
    assert replace(way.in_fold(), **({"restarts": way.restarts} if hasattr(way, "restarts") else {})) == way


# --- many rows ---


@pytest.fixture
def small_samples(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_ROWS", 100)


@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "real", "drawn"),
    [(300, 0, 100, 100), (300, 40, 60, 100), (300, 500, 50, 100), (30, 500, 30, 100), (80, 20, 80, 100)],
)
def test_a_sample_keeps_the_shares_of_real_and_synthetic_weight(small_samples, n_real, n_synthetic, real, drawn):
    rng = np.random.default_rng(0)
    n_rows = n_real + n_synthetic
    weights, targets = rng.uniform(0.1, 2, n_rows), rng.dirichlet(np.ones(2), n_rows)
    sample = make_sample(rng.normal(size=(n_rows, 2)).astype(np.float32), targets, weights, n_real, rng)
    assert (sample.n_rows, int(sample.counted.sum())) == (drawn, real)
    assert sample.weights[sample.counted == 1].sum() == pytest.approx(weights[:n_real].sum())
    assert sample.weights[sample.counted == 0].sum() == pytest.approx(weights[n_real:].sum())
    assert_allclose(sample.totals[:, :-1], sample.weights[:, None] * sample.targets)


@pytest.mark.parametrize("leaf", [1, 20, 0.2, 0.3])
@pytest.mark.parametrize("tree_fit", FITS, ids=str)
def test_bounds_hold_on_all_real_rows_where_a_sample_grew_the_tree(small_samples, tree_fit, leaf):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = ((X[:, 0] > 0.3) ^ (X[:, 1] > 0)).astype(int)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=leaf, random_state=0)
    made = fit(tree, TrainingSet(X, y, A_B), FitOptions(tree_fit=tree_fit))
    assert_keeps_its_bounds(made, X)
    assert made.tree_.n_node_samples[0] == 500
    assert made.get_n_leaves() >= 2  # a leaf of 0.3 is 150 rows: 30 of the 100 that are sampled
    values = [np.mean(y[made.apply(X) == leaf]) for leaf in np.unique(made.apply(X))]
    if getattr(tree_fit, "smoothing", 1) == 0:
        assert_allclose(made.tree_.value[np.unique(made.apply(X)), 0, 1], values)  # of all rows


def test_bounds_on_a_share_of_the_rows_are_that_share():
    assert Bounds(3, leaf=100, split=300, leaves=5).on_share(0.25) == Bounds(3, leaf=25, split=75, leaves=5)
    assert Bounds(3, leaf=1, split=2).on_share(0.01) == Bounds(3, leaf=1, split=2)


# --- who is refused ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("splitter", "random"),
        ("max_features", 2),
        ("max_features", "sqrt"),
        ("min_weight_fraction_leaf", 0.1),
        ("min_impurity_decrease", 0.01),
        ("ccp_alpha", 0.01),
        ("monotonic_cst", [1, 0, -1]),
        ("monotonic_cst", np.array([1, 0, -1])),
    ],
)
@pytest.mark.parametrize("kind", [DecisionTreeClassifier, DecisionTreeRegressor])
def test_a_parameter_that_is_not_kept_is_refused_by_its_name(kind, name, value):
    assert refusal(kind(max_depth=3, **{name: value})) == f"{name} is not kept by them"


def test_what_is_kept_is_not_refused():
    kept = {"max_leaf_nodes": 5, "min_samples_leaf": 0.1, "min_samples_split": 20, "random_state": 1}
    assert refusal(DecisionTreeClassifier(max_depth=8, class_weight="balanced", criterion="entropy", **kept)) == ""
    assert refusal(DecisionTreeRegressor(max_depth=1, **kept)) == ""


def test_other_students_and_depths_are_refused():
    assert "max_depth" in refusal(DecisionTreeClassifier(max_depth=9))
    assert "max_depth" in refusal(DecisionTreeRegressor())
    assert "criterion='poisson'" in refusal(DecisionTreeRegressor(max_depth=3, criterion="poisson"))
    assert "ExtraTreeClassifier is no" in refusal(ExtraTreeClassifier(max_depth=3))


def test_what_is_searched_must_be_kept_too():
    tree = DecisionTreeClassifier(max_depth=3)
    assert "max_features" in refusal(tree, {"max_features": CategoricalDistribution((None, 2))})
    assert "max_depth" in refusal(tree, {"max_depth": IntDistribution(2, 12)})
    assert "max_depth" in refusal(tree, {"max_depth": CategoricalDistribution((3, None))})
    fine = {"max_depth": IntDistribution(2, 8), "ccp_alpha": CategoricalDistribution((0.0, 0.1))}
    assert refusal(DecisionTreeClassifier(), fine) == ""
