"""What must not change a search: the unit of y, the scale of weights, rows of weight 0; and where missing values go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    NearOptimal,
    OwnFit,
    Refined,
)
from multihop_search.export import export_model
from multihop_search.integrations import from_predictions
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.transfer.transfer_set import SyntheticSet, TransferSet
from multihop_search.verdict import judge

pytestmark = pytest.mark.once

few = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(max_examples=40, deadline=None)
FITS = [Refined(smoothing=2.0, shrinkage=0, loss="log-loss"), NearOptimal(smoothing=2.0, shrinkage=0, loss="error")]

DIABETES = load_diabetes(return_X_y=True)
X_NUMBERS, Y_NUMBERS = DIABETES[0][:150], DIABETES[1][:150]
X_CLASSES, Y_CLASSES = make_classification(160, 5, n_informative=3, random_state=3)


def regression(y: np.ndarray, student: Any, teacher: Any, **more: Any) -> Any:
    asked = {"n_trials": 4, "cv": 2, "crossfit_cv": 2, "max_hops": 1, "intermediates": [], "random_state": 0, **more}
    return MultihopSearchRegressor(student, teacher, **asked).fit(X_NUMBERS, y)


def classification(rows: Any = slice(None), **more: Any) -> Any:
    weight, groups = more.pop("weight", None), more.pop("groups", None)
    X, y = more.pop("X", X_CLASSES), more.pop("y", Y_CLASSES)
    asked = {"teacher": RandomForestClassifier(3, max_depth=5), "n_trials": 3, "cv": 2, "random_state": 0, **more}
    asked = {"crossfit_cv": 2, "max_hops": 2, "intermediates": [("logistic", LogisticRegression())], **asked}
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=3), **asked)
    return search.fit(
        X[rows],
        y[rows],
        sample_weight=None if weight is None else weight[rows],
        groups=None if groups is None else groups[rows],
    )


def told(search: Any) -> tuple[Any, ...]:
    """Return what a search says and hands over, without what is measured by a clock."""
    table = search.results_
    timed = [name for name in table if "second" in name or "latency" in name or name == "on_front"]
    tree = search.best_estimator_.tree_
    return (
        table.drop(columns=timed).to_dict("list"),
        search.best_index_,
        search.verdict_.table.to_dict(),
        search.verdict_.n_rows,
        tree.threshold.tolist(),
        tree.value.tolist(),
    )


def same(one: Any, other: Any) -> None:
    for left, right in zip(told(one), told(other), strict=True):
        np.testing.assert_equal(left, right)


# --- the unit of y ---


def check_equivariant(one: Any, other: Any, scale: float, shift: float, rel: float) -> None:
    assert other.best_path_.hops == one.best_path_.hops
    assert other.best_index_ == one.best_index_
    scores = one.results_["score"].to_numpy() * scale**2
    np.testing.assert_allclose(other.results_["score"].to_numpy(), scores, rtol=rel)
    assert list(other.verdict_.table["verdict"]) == list(one.verdict_.table["verdict"])
    for column in ("gain", "low", "high"):
        expected = one.verdict_.table[column] * scale**2
        np.testing.assert_allclose(other.verdict_.table[column], expected, rtol=10 * rel, atol=rel * abs(scores).max())
    expected = one.predict(X_NUMBERS) * scale + shift
    np.testing.assert_allclose(other.predict(X_NUMBERS), expected, rtol=0, atol=rel * scale * np.ptp(Y_NUMBERS))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 1e8), (1e-9, 0.0), (1e12, 0.0), (0.03, 1e6), (-2.0, 5.0)])
def test_linear_students_do_not_see_the_unit_of_the_target(scale: float, shift: float) -> None:
    models = Ridge(), LinearRegression()
    one = regression(Y_NUMBERS, *models)
    other = regression(scale * Y_NUMBERS + shift, *models)
    check_equivariant(one, other, abs(scale), shift, 1e-5) if scale > 0 else None
    np.testing.assert_allclose(other.results_["score"], one.results_["score"] * scale**2, rtol=1e-5)
    assert other.verdict_.scores["score"]["selected"] == pytest.approx(other.best_score_, rel=0.2)


@few
@given(st.integers(-12, 12), st.integers(-3, 3))
def test_trees_do_not_see_the_unit_of_the_target(power: int, steps: int) -> None:
    y = np.round(Y_NUMBERS)
    models = DecisionTreeRegressor(max_depth=3), RandomForestRegressor(3, max_depth=4)
    kept: dict[str, Any] = {"schemes": [KnowledgeDistillation(alpha=0.5)], "tree_fits": [OwnFit(), NearOptimal()]}
    one = regression(y, *models, **kept)
    scale, shift = 2.0**power, 256.0 * steps
    check_equivariant(one, regression(scale * (y + shift), *models, **kept), scale, scale * shift, 1e-6)
    assert set(one.results_["hops"]) == {0, 1}


def test_the_chance_in_a_pruned_tree_hangs_on_no_unit_of_the_target() -> None:
    """How strongly it is pruned is in squared units, and the columns that it may look at are drawn."""
    models = DecisionTreeRegressor(max_depth=4, max_features=1), RandomForestRegressor(10, max_depth=4)
    one, other = (regression(scale * Y_NUMBERS, *models, tree_fits=[OwnFit()]) for scale in (1.0, 32.0))
    assert one.cv_results_["params"] != other.cv_results_["params"]
    check_equivariant(one, other, 32.0, 0.0, 1e-6)


@pytest.mark.parametrize("tree_fit", [Refined(smoothing=3.0), NearOptimal(smoothing=3.0)])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 1e8), (1e-9, 0.0), (1e12, -1e13), (1e-170, 0.0), (1e140, 0.0)])
def test_grown_trees_are_the_same_in_any_unit(tree_fit: Any, scale: float, shift: float) -> None:
    def grown(y: np.ndarray) -> Any:
        return fit(
            DecisionTreeRegressor(max_depth=3, random_state=0),
            TrainingSet(X_NUMBERS, y, None),
            FitOptions(tree_fit=tree_fit),
        ).tree_

    one, other = grown(Y_NUMBERS), grown(scale * Y_NUMBERS + shift)
    assert other.threshold.tolist() == one.threshold.tolist()
    np.testing.assert_allclose(other.value, scale * one.value + shift, rtol=0, atol=1e-6 * scale * np.ptp(Y_NUMBERS))
    if 1e-100 < scale < 1e100:
        np.testing.assert_allclose(other.impurity, scale**2 * one.impurity, rtol=1e-5, atol=0)


def test_the_order_of_given_rows_is_checked_in_any_unit() -> None:
    rng = np.random.default_rng(0)
    for y in (1e8 + rng.normal(size=60), 1e-10 * rng.normal(size=60)):
        teacher = from_predictions(y, y=y[::-1].copy())
        with pytest.raises(ValueError, match="for other rows or for rows in another order"):
            MultihopSearchRegressor(Ridge(), teacher, n_trials=3, random_state=0).fit(X_NUMBERS[:60], y)
    told_in_single = from_predictions(y, y=y.astype(np.float32))
    MultihopSearchRegressor(Ridge(), told_in_single, n_trials=3, cv=2, random_state=0).fit(X_NUMBERS[:60], y)


# --- weights ---

WEIGHT = np.random.default_rng(7).uniform(0.2, 5.0, len(X_CLASSES))
HOLES = np.random.default_rng(8).random(len(X_CLASSES)) < 0.8


@pytest.fixture(scope="module")
def weighted() -> Any:
    return classification(weight=WEIGHT)


@pytest.mark.parametrize("scale", [1 / 160, 1e-300, 1e307])
def test_the_scale_of_weights_changes_nothing(scale: float, weighted: Any) -> None:
    same(weighted, classification(weight=scale * WEIGHT))


def test_equal_weights_are_no_weights() -> None:
    same(classification(), classification(weight=np.full(len(X_CLASSES), 1 / 7)))


CALLS: dict[str, dict[str, Any]] = {
    "trees": {"tree_fits": FITS, "schemes": [KnowledgeDistillation(), ModelCompression(generator="interpolation")]},
    "groups": {"groups": np.arange(len(X_CLASSES)) // 3},
    "a forest that is cross-fitted by its rows out of bag": {"teacher": RandomForestClassifier(30, max_depth=5)},
    "held out": {"verdict": 0.3},
    "nested": {"verdict": "nested", "cv": 3},
}


@pytest.mark.parametrize("call", CALLS)
def test_rows_of_weight_0_are_removed_rows(call: str) -> None:
    weight = np.where(HOLES, WEIGHT, 0.0)
    same(classification(weight=weight, **CALLS[call]), classification(HOLES, weight=weight, **CALLS[call]))


def test_row_numbers_of_the_users_own_stay_those_of_the_table() -> None:
    place, folds = np.cumsum(HOLES) - 1, np.arange(len(X_CLASSES)) % 2
    rows = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(2)]
    among = [tuple(place[side[HOLES[side]]] for side in split) for split in rows]
    removed = classification(HOLES, cv=among)
    for cv in (iter(rows), PredefinedSplit(folds), [(folds != fold, folds == fold) for fold in range(2)]):
        same(classification(weight=HOLES.astype(float), cv=cv), removed)


def test_given_predictions_stay_those_of_the_table() -> None:
    forest = RandomForestClassifier(5, random_state=0)
    oof = cross_val_predict(forest, X_CLASSES, Y_CLASSES, method="predict_proba")
    whole = classification(weight=HOLES.astype(float), teacher=from_predictions(oof, y=Y_CLASSES))
    same(whole, classification(HOLES, teacher=from_predictions(oof[HOLES], y=Y_CLASSES[HOLES])))


def test_a_class_without_weight_is_no_class() -> None:
    y = np.where(HOLES, Y_CLASSES, 2)
    search = classification(y=y, weight=HOLES.astype(float))
    assert search.classes_.tolist() == [0, 1]
    missing = pd.Series(np.where(HOLES, Y_CLASSES, np.nan))
    same(search, classification(y=missing, weight=HOLES.astype(float)))


def test_a_verdict_on_a_table_leaves_out_rows_of_weight_0() -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=80), rng.integers(0, 3, 80).astype(float)
    table = y + rng.normal(size=(4, 80))
    whole = judge(table, y, [0, 0, 1, 2], sample_weight=weight, random_state=0)
    some_rows = weight > 0
    part = judge(table[:, some_rows], y[some_rows], [0, 0, 1, 2], sample_weight=weight[some_rows], random_state=0)
    pd.testing.assert_frame_equal(whole.table, part.table)
    assert whole.n_rows == part.n_rows == some_rows.sum()


def small(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 6, (40, 3)).astype(float), rng.integers(0, 2, 40)
    y[:2] = 0, 1
    return rng, X, y, rng.integers(0, 4, 40).astype(float)


def grown(X: np.ndarray, y: np.ndarray, weight: np.ndarray, tree_fit: Any, **more: Any) -> Any:
    student = DecisionTreeClassifier(max_depth=3, random_state=0, **more.pop("params", {}))
    return fit(
        student, TrainingSet(X, y, np.array([0, 1]), sample_weight=weight, **more), FitOptions(tree_fit=tree_fit)
    ).tree_


def check_same_tree(one: Any, other: Any) -> None:
    assert one.feature.tolist() == other.feature.tolist()
    np.testing.assert_array_equal(one.threshold, other.threshold)
    np.testing.assert_allclose(one.value, other.value, rtol=1e-12)


@some
@given(st.integers(0, 10**6), st.sampled_from(FITS), st.sampled_from([1, 3, 0.1]))
def test_a_tree_without_rows_of_weight_0(seed: int, tree_fit: Any, leaf: Any) -> None:
    _, X, y, weight = small(seed)
    weight[:2] = 1
    counted, params = weight > 0, {"min_samples_leaf": leaf}
    removed = grown(X[counted], y[counted], weight[counted], tree_fit, params=params)
    check_same_tree(grown(X, y, weight, tree_fit, params=params), removed)


def test_a_scheme_that_gives_a_row_no_weight_removes_it_too() -> None:
    rng, X, y, weight = small(5)
    weight[:2], parent = 1, rng.integers(0, 40, 60)
    more, targets, counted = X[parent] + 0.25, rng.dirichlet([1, 1], 60), weight > 0
    place = np.cumsum(counted) - 1

    def transfer(rows: np.ndarray, weights: np.ndarray, beside: np.ndarray, parents: np.ndarray) -> TransferSet:
        return TransferSet(np.eye(2)[y[rows]], weights, synthetic=SyntheticSet(more[beside], targets[beside], parents))

    everyone, living = np.arange(40), counted[parent]
    whole = transfer(everyone, np.ones(40), np.arange(60), parent)
    part = transfer(everyone[counted], np.ones(counted.sum()), np.flatnonzero(living), place[parent[living]])
    one = grown(X, y, weight, FITS[0], transfer=whole)
    check_same_tree(one, grown(X[counted], y[counted], weight[counted], FITS[0], transfer=part))


@some
@given(st.integers(0, 10**6), st.sampled_from(FITS))
def test_a_row_of_weight_k_stands_for_k_rows(seed: int, tree_fit: Any) -> None:
    _, X, y, weight = small(seed)
    weight[:2] = 1
    rows = np.repeat(np.arange(40), weight.astype(int))
    check_same_tree(grown(X, y, weight, tree_fit), grown(X[rows], y[rows], np.ones(len(rows)), tree_fit))


# --- missing values only at prediction ---


@some
@given(st.integers(0, 10**6), st.sampled_from(FITS), st.booleans(), st.booleans())
def test_missing_values_go_where_more_rows_went(seed: int, tree_fit: Any, regressor: bool, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    weight = rng.integers(0, 3, 60).astype(float) + (np.arange(60) < 4) if weighted else None
    student: Any = DecisionTreeRegressor(max_depth=3) if regressor else DecisionTreeClassifier(max_depth=3)
    labels = None if regressor else np.array([0, 1])
    y[:2] = 0, 1
    student.set_params(random_state=0)
    made = fit(
        student,
        TrainingSet(X, y.astype(float) if regressor else y, labels, sample_weight=weight),
        FitOptions(tree_fit=tree_fit),
    ).tree_
    inner = np.flatnonzero(made.children_left >= 0)
    left, right = made.n_node_samples[made.children_left[inner]], made.n_node_samples[made.children_right[inner]]
    np.testing.assert_array_equal(made.missing_go_to_left[inner], left > right)
    node = 0  # a row without a value follows the crowd
    while made.children_left[node] >= 0:
        more_left = made.n_node_samples[made.children_left[node]] > made.n_node_samples[made.children_right[node]]
        node = (made.children_left if more_left else made.children_right)[node]
    assert made.apply(np.full((1, 3), np.nan, dtype=np.float32))[0] == node


@pytest.mark.parametrize("tree_fit", FITS)
def test_missing_values_go_as_in_the_same_tree_of_scikit_learn(tree_fit: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (200, 2)).astype(float)
    y = ((X[:, 0] > 3) ^ (rng.random(200) < 0.1)).astype(int)
    greedy = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    ours = fit(
        DecisionTreeClassifier(max_depth=1, random_state=0),
        TrainingSet(X, y, np.array([0, 1])),
        FitOptions(tree_fit=tree_fit),
    )
    assert ours.tree_.threshold[0] == greedy.tree_.threshold[0]
    holes = np.where(rng.random(X.shape) < 0.5, np.nan, X)
    np.testing.assert_array_equal(ours.apply(holes), greedy.apply(holes))
    assert ours.apply(np.full((1, 2), np.nan))[0] == 1  # most rows lie at most at the threshold


@pytest.mark.parametrize("suffix", [".py", ".sql", ".onnx"])
def test_exports_send_missing_values_as_the_model_does(suffix: str, tmp_path: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + X[:, 1] > 0.8).astype(int)
    made = fit(
        DecisionTreeClassifier(max_depth=3, random_state=0),
        TrainingSet(X, y, np.array([0, 1])),
        FitOptions(tree_fit=FITS[1]),
    )
    assert made.tree_.missing_go_to_left.any()
    holes = np.where(rng.random(X.shape) < 0.4, np.nan, X)
    export_model(made, tmp_path / f"model{suffix}", X=holes)  # runs it, and refuses what differs
