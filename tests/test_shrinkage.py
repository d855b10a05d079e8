"""Hierarchical shrinkage: values by hand, the choice of the strength against brute force, and what must not matter."""

import copy
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
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

from multihop_search import MultihopSearchClassifier, NearOptimal, OwnFit, Refined, TransferSet
from multihop_search.errors import UnsuitableModel
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.transfer.transfer_set import SyntheticSet
from multihop_search.trees.shrinkage import (
    N_PARTS,
    STRENGTHS,
    CrossFits,
    parents_of,
    shrink,
    shrinkage_refusal,
    shrunk,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import shrinkage as benchmark

matplotlib.use("Agg")

FITS = [OwnFit(shrinkage="auto"), NearOptimal(loss="log-loss", restarts=0), Refined(loss="log-loss", restarts=0)]
THREE = np.array(["a", "b", "c"])
PARTS = tuple(np.arange(start, 300, N_PARTS) for start in range(N_PARTS))


@pytest.fixture(scope="module")
def rows():
    """Rows of three classes with much noise, and values."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.digitize(X[:, 0] + 1.5 * rng.normal(size=300), [-1, 1])
    return X, y, X[:, 0] - X[:, 1] + 2 * rng.normal(size=300)


def tree_of(rows, tree_fit, *, regression=False, depth=4, parts=PARTS, transfer=None, weight=None, **params):
    X, y, values = rows
    kind = DecisionTreeRegressor if regression else DecisionTreeClassifier
    data = TrainingSet(X, values if regression else y, None if regression else THREE, weight, transfer)
    model = kind(**{"max_depth": depth, "random_state": 0, **params})
    return fit(model, data, FitOptions(tree_fit=tree_fit, parts=parts))


# Values


def test_a_stump_by_hand():
    # the root has 10 rows and 0.4; the steps to 0.1 and 0.6 are divided by 1 + 5 / 10
    values = shrunk(np.array([-1, 0, 0]), np.array([10, 4, 6]), np.array([[0.4], [0.1], [0.6]]), 5.0)
    assert_allclose(values[:, 0], [0.4, 0.4 - 0.3 / 1.5, 0.4 + 0.2 / 1.5])


def test_three_levels_by_hand():
    # 0 of 20 rows; 1 of 8, below it 2 of 2 and 3 of 6; 4 of 12
    parents, counts = np.array([-1, 0, 1, 1, 0]), np.array([20, 8, 2, 6, 12])
    values = np.array([[10.0], [4.0], [1.0], [5.0], [14.0]])
    left = 10 - 6 / (1 + 4 / 20)  # 5
    expected = [10, left, left - 3 / (1 + 4 / 8), left + 1 / (1 + 4 / 8), 10 + 4 / (1 + 4 / 20)]
    assert_allclose(shrunk(parents, counts, values, 4.0)[:, 0], expected)
    assert_allclose(shrunk(parents, counts, values, np.inf)[:, 0], 10)
    assert_array_equal(shrunk(parents, counts, values, 0.0), values)


def test_a_fitted_stump_by_hand():
    X, y = np.array([[0.0]] * 4 + [[1.0]] * 6), np.array([0, 0, 0, 1, 0, 1, 1, 1, 1, 1])
    data = TrainingSet(X, y, np.array(["no", "yes"]))
    tree = fit(DecisionTreeClassifier(max_depth=1), data, FitOptions(tree_fit=OwnFit(shrinkage=10.0)))
    # all 10 rows 0.6, left 1/4, right 5/6: half a step
    assert_allclose(tree.tree_.value[:, 0, 1], [0.6, (0.6 + 1 / 4) / 2, (0.6 + 5 / 6) / 2])
    assert_allclose(tree.predict_proba([[0.0], [1.0]])[:, 1], [0.425, (0.6 + 5 / 6) / 2])


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("tree_fit", FITS, ids=lambda tree_fit: tree_fit.name)
def test_without_shrinkage_a_tree_is_what_it_was_to_the_last_bit(rows, tree_fit, regression):
    plain = tree_of(rows, replace(tree_fit, shrinkage=0), regression=regression)
    assert_array_equal(
        tree_of(rows, replace(tree_fit, shrinkage=None), regression=regression).tree_.value, plain.tree_.value
    )
    if tree_fit.own:
        X, y, values = rows
        own = clone(plain).fit(X, values if regression else THREE[y])
        assert pickle.dumps(own.tree_) == pickle.dumps(plain.tree_)
    strong = tree_of(rows, replace(tree_fit, shrinkage=50.0), regression=regression)
    for name in ("feature", "threshold", "impurity", "n_node_samples", "weighted_n_node_samples", "children_left"):
        assert_array_equal(getattr(strong.tree_, name), getattr(plain.tree_, name))
    expected = shrunk(
        parents_of(plain.tree_), plain.tree_.weighted_n_node_samples, plain.tree_.value[:, 0], 50.0
    )  # inner nodes too
    assert_allclose(strong.tree_.value[:, 0], expected)
    assert np.abs(strong.tree_.value - plain.tree_.value).max() > 0.05


def test_the_order_of_monotonic_values_stays(rows):
    X, _, values = rows
    tree = DecisionTreeRegressor(max_depth=6, monotonic_cst=[1, 0, 0, 0]).fit(X, values)
    shrink(tree.tree_, len(X), 30.0)
    grid = np.repeat(X[:20], 50, axis=0)
    grid[:, 0] = np.tile(np.linspace(-3, 3, 50), 20)
    assert (np.diff(tree.predict(grid).reshape(20, 50), axis=1) >= -1e-12).all()


# The choice


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("tree_fit", FITS, ids=lambda tree_fit: tree_fit.name)
def test_the_choice_is_that_of_fitting_every_strength(rows, tree_fit, regression):
    X, y, values = rows
    truth = values[:, None] if regression else np.eye(3)[y]
    losses = []
    for strength in STRENGTHS:
        total = 0.0
        for part in PARTS:
            others = np.setdiff1d(np.arange(300), part)
            quick = replace(tree_fit.for_cross_fits(), shrinkage=strength)
            model = tree_of((X[others], y[others], values[others]), quick, regression=regression)
            if regression:
                total += ((model.predict(X[part]) - values[part]) ** 2).sum()
            else:
                total -= (truth[part] * np.log(np.maximum(model.predict_proba(X[part]), 1e-3))).sum()
        losses.append(total)
    best = STRENGTHS[int(np.argmin(losses))]
    assert 0 < best < 500
    chosen = tree_of(rows, tree_fit, regression=regression)
    assert_array_equal(
        chosen.tree_.value, tree_of(rows, replace(tree_fit, shrinkage=best), regression=regression).tree_.value
    )


def test_the_strength_follows_the_noise():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    clear, noise = (X[:, 0] > 0) ^ (X[:, 1] > 0.3), rng.integers(2, size=400)

    def strength(y):
        return CrossFits(
            X=X,
            targets=np.eye(2)[y.astype(int)],
            weights=np.ones(400),
            labels=np.array([0, 1]),
            parts=(),
            fit_on=lambda kept: DecisionTreeClassifier(max_depth=6, random_state=0).fit(X[kept], y[kept]),
        ).strength(0)

    assert strength(noise) == 500
    assert strength(clear) <= 20


def test_an_exclusive_or_that_only_a_look_ahead_finds_is_not_shrunk_away():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
    sure = [
        fit(
            DecisionTreeClassifier(max_depth=2, random_state=0),
            TrainingSet(X, y, np.array([0, 1])),
            FitOptions(tree_fit=tree_fit),
        ).predict_proba(X)[np.arange(300), y]
        for tree_fit in (NearOptimal(loss="log-loss"), OwnFit(shrinkage="auto"))
    ]
    assert sure[0].mean() > 0.9 > 0.6 > sure[1].mean()


def test_rows_of_a_group_are_left_out_together(rows):
    # each row stands three times: drawn parts see copies, the parts given do not
    X, y, values = (np.repeat(part, 3, axis=0) for part in rows)
    groups = tuple(np.flatnonzero(np.repeat(np.arange(300), 3) % N_PARTS == start) for start in range(N_PARTS))
    many = {"depth": 9, "regression": True}
    apart, together = (tree_of((X, y, values), OwnFit(shrinkage="auto"), parts=parts, **many) for parts in ((), groups))
    plain = tree_of((X, y, values), OwnFit(), **many)
    spread = [np.ptp(tree.predict(X)) for tree in (plain, apart, together)]
    assert spread[2] < 0.8 * spread[1] <= spread[0]


def test_beside_synthetic_rows_nothing_is_shrunk(rows):
    X, y, _ = rows
    soft = np.eye(3)[y] * 0.8 + 0.2 / 3
    beside = SyntheticSet(X + 0.01, soft, np.arange(300))
    taught = TransferSet(soft, np.ones(300), synthetic=beside)
    fits = (OwnFit(shrinkage="auto"), OwnFit(), OwnFit(shrinkage=30.0))
    auto, plain, fixed = (tree_of(rows, tree_fit, transfer=taught).tree_.value for tree_fit in fits)
    assert_array_equal(auto, plain)
    assert np.abs(fixed - plain).max() > 0.05
    alone = TransferSet(soft, np.ones(300))
    assert (
        np.abs(
            tree_of(rows, fits[0], transfer=alone).tree_.value - tree_of(rows, fits[1], transfer=alone).tree_.value
        ).max()
        > 0
    )


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_few_rows_are_fitted_too(n_rows):
    X, y = np.arange(n_rows, dtype=float)[:, None], np.arange(n_rows) % 2
    made = fit(
        DecisionTreeClassifier(max_depth=2), TrainingSet(X, y, THREE), FitOptions(tree_fit=OwnFit(shrinkage="auto"))
    )
    assert_allclose(made.predict_proba(X).sum(axis=1), 1)


# What must not matter


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("tree_fit", [*FITS, OwnFit(shrinkage=20.0)], ids=str)
def test_the_scale_of_weights_does_not_matter_and_rows_of_no_weight_are_not_there(rows, tree_fit, regression):
    weight = np.random.default_rng(2).choice([0.5, 1.0, 2.0], 300)
    once = tree_of(rows, tree_fit, regression=regression, weight=weight).tree_
    scaled = tree_of(rows, tree_fit, regression=regression, weight=1024.0 * weight).tree_
    assert_array_equal(scaled.threshold, once.threshold)
    assert_allclose(scaled.value, once.value, rtol=1e-12)
    more = [np.concatenate([part, part[::-1][:50]]) for part in rows]
    none = tree_of(more, tree_fit, regression=regression, weight=np.append(weight, np.zeros(50))).tree_
    assert_allclose(none.value, once.value, rtol=1e-12)


@pytest.mark.parametrize("rule", ["balanced", {"a": 1.0, "b": 4.0, "c": 2.0}])
def test_class_weights_are_weights_of_rows(rows, rule):
    _, y, _ = rows
    of_class = 100 / np.bincount(y) if rule == "balanced" else np.array([1.0, 4.0, 2.0])
    for tree_fit in (OwnFit(shrinkage=20.0), NearOptimal(loss="log-loss", shrinkage=20.0, restarts=0)):
        ruled = tree_of(rows, tree_fit, class_weight=rule)
        weighted = tree_of(rows, tree_fit, weight=of_class[y])
        assert_allclose(ruled.tree_.value, weighted.tree_.value)
    if rule != "balanced":  # parts of the rows are balanced anew
        auto = OwnFit(shrinkage="auto")
        assert_allclose(
            tree_of(rows, auto, class_weight=rule).tree_.value, tree_of(rows, auto, weight=of_class[y]).tree_.value
        )


@pytest.mark.parametrize("tree_fit", FITS, ids=lambda tree_fit: tree_fit.name)
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 2.0**-20), (0.0, -(2.0**300)), (4096.0, 1.0), (-(2.0**20), 8.0)])
def test_values_move_and_scale_with_the_target(rows, tree_fit, shift, scale):
    X, y, values = rows
    values = np.round(values * 1024) / 1024  # so that sums are exact
    once = tree_of((X, y, values), tree_fit, regression=True)
    moved = tree_of((X, y, shift + scale * values), tree_fit, regression=True)
    assert_allclose(moved.predict(X), shift + scale * once.predict(X), rtol=1e-7)


# A tree like any other


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("tree_fit", FITS, ids=lambda tree_fit: tree_fit.name)
def test_it_pickles_plots_and_exports(rows, tree_fit, regression):
    X = rows[0]
    made = tree_of(rows, tree_fit, regression=regression)
    assert type(made) is (DecisionTreeRegressor if regression else DecisionTreeClassifier)
    again = pickle.loads(pickle.dumps(made))
    assert_array_equal(again.predict(X), made.predict(X))
    assert_array_equal(copy.deepcopy(made).tree_.value, made.tree_.value)
    assert len(plot_tree(made)) >= made.tree_.node_count
    text, value = export_text(made, decimals=6, show_weights=True), made.tree_.value[1, 0]
    leaf = np.flatnonzero(made.tree_.children_left < 0)[0]
    assert regression is (f"value: [{made.tree_.value[leaf, 0, 0]:.6f}]" in text)
    shown = export_graphviz(made, precision=4, proportion=True)
    assert f"{value[0]:.4f}" in shown  # of an inner node
    assert made.set_params(max_depth=2).get_params()["max_depth"] == 2


def test_sparse_rows_missing_values_and_pipelines_are_served(rows):
    X, y, _ = rows
    holes = np.where(np.abs(X) > 2, np.nan, X)
    options = FitOptions(tree_fit=OwnFit(shrinkage="auto"), parts=PARTS)
    deep = DecisionTreeClassifier(random_state=0)
    for table in (csr_matrix(np.round(X)), holes, pd.DataFrame(holes, columns=list("abcd"))):
        data = TrainingSet(table, y, THREE)
        plain, made = fit(clone(deep), data), fit(clone(deep), data, options)
        assert made.get_n_leaves() == plain.get_n_leaves() > 50
        assert made.predict_proba(table).min() > 0  # no leaf is sure any more
        assert plain.predict_proba(table).max() == 1
    piped = fit(make_pipeline(StandardScaler(), clone(deep)), TrainingSet(X, y, THREE), options)
    assert_allclose(
        piped.predict_proba(X),
        fit(clone(deep), TrainingSet(StandardScaler().fit_transform(X), y, THREE), options).predict_proba(
            StandardScaler().fit_transform(X)
        ),
    )


def test_who_is_refused(rows):
    assert shrinkage_refusal(ExtraTreeClassifier()) == ""
    assert "medians" in shrinkage_refusal(DecisionTreeRegressor(criterion="absolute_error"))

    class Other(DecisionTreeClassifier):
        """May predict in its own way."""

    assert "is no DecisionTree*" in shrinkage_refusal(Other())
    search = MultihopSearchClassifier(
        LogisticRegression(), tree_fits=[OwnFit(shrinkage="auto")], n_trials=2, max_hops=0
    )
    with pytest.raises(UnsuitableModel, match="LogisticRegression is no DecisionTree"):
        search.fit(*rows[:2])


# In a search


def test_the_tuned_plain_tree_of_a_search_may_be_shrunk_and_its_row_says_so(rows):
    X, y, _ = rows
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=12),
        RandomForestClassifier(5),
        **{"intermediates": [], "max_hops": 0, "n_trials": 6, "cv": 3, "crossfit_cv": 3, "random_state": 0},
    ).fit(X, y)
    assert search.results_["fit"].tolist() == ["OwnFit", "OwnFit+shrinkage"] * 3
    best = search.results_.groupby("fit")["score"].max()
    assert best["OwnFit+shrinkage"] > best["OwnFit"]
    assert search.best_path_.fit == OwnFit(shrinkage="auto")
    assert "by OwnFit(shrinkage=auto)" in str(search.best_path_)
    assert "selected vs own fit" in search.verdict_.table.index
    assert type(search.best_estimator_) is DecisionTreeClassifier


# The benchmark


def test_a_tiny_run_of_the_benchmark(rows):
    X, y, values = rows
    for targets in (np.eye(3)[y], values[:, None]):
        small = benchmark.Rows(X[:100], targets[:100], X[100:], targets[100:])
        cells = pd.DataFrame(
            [{"data": "small", "depth": 2, **row} for row in benchmark.cell(small, 2, multiples=(0, 1))]
        )
        assert (cells["best on the fresh rows"] <= cells["held-out rows"] + 1e-12).all()
        page = benchmark.page_of(cells)
        assert "| near-optimal, taught, 1 synthetic rows a row | 2 | 1 |" in page
