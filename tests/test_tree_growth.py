"""How structures are grown: all nodes of a level together, nothing twice, and the same as node by node."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from multihop_search.trees import sample as sampling
from multihop_search.trees.alternating import (
    LEAST_PROGRESS,
    MOST_ROUNDS,
    leaf_values,
    refined,
    total_loss,
)
from multihop_search.trees.heap import NO_SPLIT, leaf_totals
from multihop_search.trees.lookahead import LEAST_GAIN, Bounds, Lookahead, best_pairs
from multihop_search.trees.losses import LOSSES
from multihop_search.trees.sample import candidate_thresholds, make_sample

sometimes = settings(deadline=None, derandomize=True, database=None, max_examples=40)
NAMES = sorted(LOSSES)


def drawn(seed, name, n_rows=90, n_features=4):
    """A sample of coarse rows, so that many splits are equally good; a third of the rows are not real."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, rng.integers(2, 12), size=(n_rows, n_features)).astype(np.float32)
    X[:, -1] = X[:, 0]
    targets = rng.normal(size=(n_rows, 1)) if name == "squared" else rng.dirichlet(np.full(3, 0.4), n_rows)
    return make_sample(X, targets, rng.uniform(0.1, 2, n_rows), 2 * n_rows // 3, rng)


def below(sample, rows, values):
    """The sums of `values` over `rows` at most at each threshold of each feature, (n_features, width)."""
    sums = np.zeros((sample.codes.shape[1], sample.width))
    for feature, codes in enumerate(sample.codes[rows].T):
        sums[feature] = np.bincount(codes, weights=values, minlength=sample.width).cumsum()
    return sums


def slowly_refined(heap, sample, loss, bounds):
    """Every node in every round, one at a time."""
    heap, rows = heap.copy(), np.arange(sample.n_rows)
    best, before = heap.copy(), total_loss(heap, sample, loss)
    least, exists = before, sample.exists.T
    for _ in range(MOST_ROUNDS):
        for level in reversed(range(heap.depth)):
            losses = loss.of_rows(sample.targets, leaf_values(leaf_totals(heap, sample)[1]))
            node = heap.descend(sample.codes, np.zeros(sample.n_rows, dtype=int), level)
            sides = [heap.descend(sample.codes, 2 * node + side, heap.depth - level - 1) for side in (1, 2)]
            left, right = (side - (2**heap.depth - 1) for side in sides)
            cost = sample.weights * (losses[rows, left] - losses[rows, right])
            for number in np.unique(node):
                here = np.flatnonzero(node == number)
                gained, left = below(sample, here, cost[here]), below(sample, here, sample.counted[here])
                allowed = exists & (left >= bounds.leaf) & (left[:, -1:] - left >= bounds.leaf)
                if left[0, -1] < bounds.split:
                    continue
                ranked = np.where(allowed, gained, np.inf)
                split = np.unravel_index(ranked.argmin(), ranked.shape)
                there = heap.feature[number], heap.place[number]
                now = gained[0, -1] if there[0] == NO_SPLIT else gained[there]
                if ranked[split] < now - LEAST_GAIN * sample.weights.sum():
                    heap.feature[number], heap.place[number] = split
        now = total_loss(heap, sample, loss)
        if now < least:
            best, least = heap.copy(), now
        if before - now <= LEAST_PROGRESS * abs(before):
            break
        before = now
    return best, least


@sometimes
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6), st.integers(2, 20))
def test_refining_gives_what_choosing_every_node_in_every_round_gives(name, seed, depth, leaf, split):
    sample, bounds = drawn(seed, name), Bounds(depth, leaf, split)
    start = Lookahead(sample, LOSSES[name], bounds, 0).grow()
    start.feature[seed % len(start.feature)] = NO_SPLIT
    found, least = refined(start, sample, LOSSES[name], bounds)
    expected, slow_least = slowly_refined(start, sample, LOSSES[name], bounds)
    assert least == slow_least
    assert_array_equal(found.feature, expected.feature)
    assert_array_equal(found.place, expected.place)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("candidates", [0, 3, 40])
def test_a_structure_is_the_same_however_many_nodes_are_held_at_once(name, candidates, monkeypatch):
    def structure():
        sample, bounds = drawn(5, name, n_rows=300), Bounds(5, 2)
        grown = Lookahead(sample, LOSSES[name], bounds, candidates, width=2).grow()
        chosen, _ = refined(grown, sample, LOSSES[name], bounds)
        return np.stack([grown.feature, grown.place, chosen.feature, chosen.place])

    together = structure()
    monkeypatch.setattr(sampling, "MOST_SUMS", 1)
    assert np.count_nonzero(together[0] != NO_SPLIT) > 15
    assert_array_equal(structure(), together)


def test_thresholds_and_codes_of_the_same_rows_are_made_once():
    X, targets = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32), np.ones((50, 1))

    def sample(weights=None):
        weights = np.ones(50) if weights is None else weights
        return make_sample(X, targets, weights, 50, np.random.default_rng(0))

    first = sample()
    assert sample().codes is first.codes
    assert not first.codes.flags.writeable
    assert sample(np.arange(50.0)).codes is not first.codes
    X[:] = X[::-1].copy()  # changed in place by its owner
    assert_array_equal(sample().codes, first.codes[::-1])


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(sampling, "_KEPT", {})
    monkeypatch.setattr(sampling, "MOST_BYTES", 1000)
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(100, 3)).astype(np.float32)
        make_sample(X, np.ones((100, 1)), np.ones(100), 100, np.random.default_rng(0))
        assert len(sampling._KEPT) == min(seed + 1, 3)  # of 300 bytes each


def test_values_are_sorted_as_numbers():
    column = np.array([0.0, -1.0, 2.0, -0.0, 1e-45, -1e-45, -3e38, 3e38], dtype=np.float32)
    order, values = sampling._sorted(column[:, None])
    assert_array_equal(order[0], np.argsort(column, kind="stable"))
    assert_array_equal(values[0], np.sort(column))
    assert len(candidate_thresholds(column, np.ones(8))) == 6


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_of_the_weights_though_soft_labels_in_single_precision_do_not_sum_to_one(name):
    rng, loss = np.random.default_rng(0), LOSSES[name]
    targets = 1.0000003 * rng.dirichlet(np.ones(2), 40)
    totals = np.column_stack([targets, np.ones(40)])
    above = rng.integers(2, size=(3, 40)).astype(bool)
    [found] = best_pairs([above], [totals], loss)
    for root, cost in zip(above, found, strict=True):
        expected = 0.0
        for side in (root, ~root):
            leaves = np.array([[totals[side & part].sum(axis=0) for part in (other, ~other)] for other in above])
            expected += loss.of_leaf(leaves[..., :-1], leaves[..., -1]).sum(axis=1).min()
        assert cost == pytest.approx(expected, abs=1e-10)
