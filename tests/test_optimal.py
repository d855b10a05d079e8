"""The optimal fit: the fewest expected errors by brute force, deeper trees, its clock, and what it says without it."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from test_tree_fits import assert_keeps_its_bounds, exclusive_or

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor, NearOptimal, Optimal, OwnFit, TransferSet
from multihop_search.errors import UnsuitableModel
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.trees import default_tree_fits
from multihop_search.trees.alternating import total_loss
from multihop_search.trees.lookahead import Bounds, Lookahead
from multihop_search.trees.losses import LOSSES
from multihop_search.trees.sample import make_sample

pytestmark = pytest.mark.once

ERRORS = LOSSES["error"]
A_B = np.array(["a", "b"])
few = settings(deadline=None, derandomize=True, database=None, max_examples=30)


@pytest.fixture
def solver():
    return pytest.importorskip("pystreed")


def fewest_errors(X, targets, weights, depth):
    """The least weight of errors of all trees over binary columns, by brute force."""
    totals = weights @ targets
    least = weights.sum() - totals.max()
    if depth == 0 or len(X) == 0:
        return least
    for column in X.T:
        sides = [column == side for side in (0, 1)]
        least = min(least, sum(fewest_errors(X[s], targets[s], weights[s], depth - 1) for s in sides))
    return least


def drawn(seed, n_rows, n_columns, n_classes, *, soft=True, weighted=True):
    rng = np.random.default_rng(seed)
    X = rng.integers(2, size=(n_rows, n_columns)).astype(np.float32)
    X[0], X[1] = 0, 1
    targets = (
        rng.dirichlet(np.ones(n_classes), n_rows) if soft else np.eye(n_classes)[rng.integers(n_classes, size=n_rows)]
    )
    return X, targets, rng.uniform(0.2, 3, n_rows) if weighted else np.ones(n_rows), rng


def structure(X, targets, weights, rng, bounds, **settings):
    sample = make_sample(X, targets, weights, len(X), rng)
    fit = Optimal(smoothing=0.0, shrinkage=0, **settings)
    return fit.structure(sample, fit.loss_for(False), bounds, rng), sample


# Optimal


@pytest.mark.usefixtures("solver")
@few
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 4), st.integers(2, 3), st.booleans(), st.booleans())
def test_no_tree_over_few_binary_columns_has_fewer_expected_errors(seed, depth, n_columns, n_classes, soft, weighted):
    X, targets, weights, rng = drawn(seed, 24, n_columns, n_classes, soft=soft, weighted=weighted)
    heap, sample = structure(X, targets, weights, rng, Bounds(depth))
    assert len(heap.feature) == 2**depth - 1
    assert total_loss(heap, sample, ERRORS) == pytest.approx(fewest_errors(X, targets, weights, depth), abs=1e-5)


@pytest.mark.usefixtures("solver")
def test_it_finds_three_levels_that_looking_ahead_by_two_misses():
    # the parity of the last three columns of five: no split of one or two levels gains anything
    X = np.array([[int(bit) for bit in f"{number:05b}"] for number in range(32)], dtype=np.float32)
    y = (X[:, 2:].sum(axis=1) % 2).astype(int)
    heap, sample = structure(X, np.eye(2)[y], np.ones(32), np.random.default_rng(0), Bounds(3))
    assert total_loss(heap, sample, ERRORS) == pytest.approx(0, abs=1e-9)
    ahead = Lookahead(sample, ERRORS, Bounds(3), 40).grow()
    assert total_loss(ahead, sample, ERRORS) > 7  # of 32


@pytest.mark.usefixtures("solver")
@pytest.mark.parametrize("depth", [5, 6])
def test_below_four_levels_a_deeper_tree_is_grown_further(depth):
    X, targets, weights, rng = drawn(1, 300, 7, 2, soft=False)
    four, sample = structure(X, targets, weights, rng, Bounds(4))
    deeper, _ = structure(X, targets, weights, rng, Bounds(depth))
    assert len(deeper.feature) == 2**depth - 1
    # level by level: each of the sixteen leaves of the best four levels, split once more at best
    leaves = four.leaves(sample.codes)
    once_more = sum(
        fewest_errors(X[leaves == leaf], targets[leaves == leaf], weights[leaves == leaf], 1) for leaf in range(16)
    )
    assert once_more < total_loss(four, sample, ERRORS) - 1
    assert total_loss(deeper, sample, ERRORS) <= once_more + 1e-6


@pytest.mark.usefixtures("solver")
@few
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 20), st.one_of(st.none(), st.integers(2, 9)))
def test_every_bound_of_the_student_is_kept(seed, depth, leaf, leaves):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(90, 3)), rng.integers(3, size=90)
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, max_leaf_nodes=leaves, random_state=seed)
    soft = TransferSet(rng.dirichlet(np.ones(3), 90), np.ones(90))
    made = fit(
        tree,
        TrainingSet(X, y, np.arange(3), transfer=soft),
        FitOptions(tree_fit=Optimal(smoothing=1.0, shrinkage=0, candidates=12)),
    )
    assert_keeps_its_bounds(made, X)
    np.testing.assert_allclose(made.predict_proba(X).sum(axis=1), 1)


@pytest.mark.usefixtures("solver")
def test_a_tree_of_the_users_class_comes_back_and_is_the_same_every_time():
    X, y = exclusive_or()
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    made, again = (
        fit(clone(tree), TrainingSet(X, y, A_B), FitOptions(tree_fit=Optimal(smoothing=0.0, shrinkage=0)))
        for _ in range(2)
    )
    assert type(made) is DecisionTreeClassifier
    assert made.score(X, A_B[y]) > 0.9
    assert set(made.tree_.feature[made.tree_.feature >= 0]) == {1, 3}
    assert made.tree_.threshold.tobytes() == again.tree_.threshold.tobytes()


@pytest.mark.usefixtures("solver")
def test_without_anything_to_split_it_is_one_leaf():
    y = np.array([0, 1, 1, 1])
    made = fit(
        DecisionTreeClassifier(max_depth=3, random_state=0),
        TrainingSet(np.ones((4, 2)), y, A_B),
        FitOptions(tree_fit=Optimal(0.0)),
    )
    assert made.tree_.node_count == 1
    np.testing.assert_allclose(made.predict_proba(np.ones((1, 2))), [[0.25, 0.75]])


@pytest.mark.usefixtures("solver")
def test_it_is_searched_beside_the_others_where_it_is_asked_for():
    X, y = exclusive_or(150)
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2),
        RandomForestClassifier(10),
        intermediates=[],
        tree_fits=[OwnFit(), Optimal(candidates=10)],
        n_trials=8,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert (search.results_["state"] == "COMPLETE").all()
    assert set(search.results_["fit"]) == {"OwnFit", "Optimal+shrinkage"}
    assert search.best_path_.fit is not None
    assert search.score(X, y) > -0.5  # at most as unsure as 40 %; greed is at log .5
    assert Optimal not in {type(fit) for fit in default_tree_fits()}


# What it says


@pytest.mark.usefixtures("solver")
def test_a_solver_that_is_stopped_by_its_clock_fails_the_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1500, 12)), rng.integers(2, size=1500)
    slow = Optimal(smoothing=0.0, shrinkage=0, candidates=80, time_limit=1e-3)
    with pytest.raises(TimeoutError, match=r"the optimal tree took more than 0.001 s: pass fewer candidates"):
        fit(DecisionTreeClassifier(max_depth=4, random_state=0), TrainingSet(X, y, A_B), FitOptions(tree_fit=slow))


@pytest.fixture
def no_solver(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("multihop_search.trees.optimal.import_module", missing)


@pytest.mark.usefixtures("no_solver")
def test_without_the_solver_one_sentence_says_what_to_install():
    said = (
        "Optimal needs the solver pystreed, it is not installed: run pip install 'multihop_search[optimal-trees]', "
        "or use NearOptimal()."
    )
    with pytest.raises(UnsuitableModel, match=f"^{re.escape(said)}$"):
        Optimal().check()
    X, y = exclusive_or(60)
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), RandomForestClassifier(5), tree_fits=[OwnFit(), Optimal()], n_trials=4
    )
    with pytest.raises(UnsuitableModel, match=f"^{re.escape(said)}$"):
        search.fit(X, y)
    search.set_params(tree_fits=[OwnFit(), NearOptimal()], intermediates=[], cv=2, random_state=0).fit(X, y)


def test_regression_is_refused_with_one_sentence():
    said = "Optimal fits classifiers, the student is a regressor: use NearOptimal()."
    with pytest.raises(UnsuitableModel, match=f"^{re.escape(said)}$"):
        Optimal().loss_for(True)
    assert Optimal().loss_for(False) is ERRORS


@pytest.mark.usefixtures("solver")
def test_a_search_of_a_regressor_refuses_it_before_any_fit():
    X, _ = exclusive_or(60)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2), RandomForestRegressor(5), tree_fits=[OwnFit(), Optimal()], n_trials=4
    )
    with pytest.raises(UnsuitableModel, match=r"^Optimal fits classifiers, the student is a regressor"):
        search.fit(X, X[:, 0])


@pytest.mark.parametrize(
    ("field", "value"), [("candidates", 1), ("candidates", 501), ("time_limit", 0.0), ("smoothing", -1.0)]
)
def test_a_field_out_of_its_range_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}"):
        Optimal(**{field: value}).check()
