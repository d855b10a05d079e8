"""Private names of other libraries: what each is used for, so that a new version says here what it breaks."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import get_scorer, make_scorer, max_error, roc_auc_score
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search.compat import lightgbm, sklearn, xgboost

pytestmark = pytest.mark.once
X, Y = make_classification(120, 4, n_informative=3, n_redundant=0, random_state=0)


def test_a_tree_is_rebuilt_from_its_nodes_and_values() -> None:
    for model in (DecisionTreeClassifier(max_depth=3), DecisionTreeRegressor(max_depth=3)):
        tree = model.fit(X, Y).tree_
        rebuilt = sklearn.tree_of(tree.n_features, sklearn.nodes_of(tree), tree.value[:, 0], tree.max_depth)
        rows = X.astype(np.float32)
        np.testing.assert_array_equal(rebuilt.predict(rows), tree.predict(rows))
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(rebuilt)).apply(rows), tree.apply(rows))
        assert (rebuilt.node_count, rebuilt.max_depth, rebuilt.n_leaves) == (tree.node_count, 3, tree.n_leaves)


def test_a_node_has_the_fields_that_trees_are_written_with() -> None:
    fields = set(sklearn.node_type().names or ())
    written = {"left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples"}
    assert written | {"weighted_n_node_samples", "missing_go_to_left"} <= fields
    tree = DecisionTreeClassifier(max_depth=2).fit(X, Y).tree_
    nodes = sklearn.nodes_of(tree)
    np.testing.assert_array_equal(nodes["left_child"], tree.children_left)
    np.testing.assert_array_equal(nodes["threshold"], tree.threshold)
    nodes["threshold"] = 0.0
    assert (tree.threshold != 0.0).any()  # a copy


def test_a_forest_learns_from_another_which_rows_its_trees_have_seen() -> None:
    giver = RandomForestRegressor(3, random_state=0, max_samples=0.5).fit(X, Y)
    taker = RandomForestClassifier(3, max_samples=0.5)
    taker.estimators_ = giver.estimators_
    sklearn.hand_over_bags(giver, taker)
    for one, other in zip(taker.estimators_samples_, giver.estimators_samples_, strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(one) == 60


def test_a_histogram_booster_is_cut_and_read() -> None:
    rows = X.copy()
    rows[:, 0] = np.round(rows[:, 0]) % 3
    booster = HistGradientBoostingClassifier(max_iter=8, categorical_features=[0]).fit(rows, Y)
    rounds = sklearn.round_trees(booster)
    assert [len(trees) for trees in rounds] == [1] * 8
    assert {"is_leaf", "feature_idx", "gain", "value", "count", "depth", "num_threshold", "left", "right"} <= set(
        rounds[0][0].nodes.dtype.names
    )
    short = sklearn.first_rounds(booster, 3)
    np.testing.assert_allclose(short.predict_proba(rows), list(booster.staged_predict_proba(rows))[2])
    assert len(sklearn.round_trees(booster)) == 8
    shares = np.bincount(Y) / len(Y)
    np.testing.assert_allclose(sklearn.start_of(booster), [np.log(shares[1] / shares[0])])
    assert sklearn.encoder_of(booster).transform(rows).shape == rows.shape
    assert sklearn.encoder_of(HistGradientBoostingClassifier(max_iter=2).fit(X, Y)) is None
    splits = [(tree, node) for trees in rounds for tree in trees for node in tree.nodes if node["is_categorical"]]
    assert splits
    assert all(sklearn.bits_of(tree, node).shape == (8,) for tree, node in splits)


def test_classes_without_a_public_name_are_the_bases_of_public_ones() -> None:
    assert issubclass(LinearSVC, sklearn.LinearClassifierMixin)
    assert issubclass(LogisticRegression, sklearn.LinearClassifierMixin)
    assert issubclass(RidgeClassifier, sklearn.LinearClassifierMixin)
    assert all(issubclass(kind, sklearn.LinearModel) for kind in (LinearRegression, Ridge, HuberRegressor))
    assert all(issubclass(kind, sklearn.BaseSearchCV) for kind in (GridSearchCV, RandomizedSearchCV))


def test_rows_of_any_table_are_taken_by_number() -> None:
    np.testing.assert_array_equal(sklearn.safe_indexing(X, np.array([3, 1])), X[[3, 1]])


def test_a_scorer_says_what_it_calls() -> None:
    scorer = make_scorer(roc_auc_score, response_method="predict_proba", max_fpr=0.5)
    assert isinstance(scorer, sklearn.BaseScorer)
    assert sklearn.parts_of(scorer) == [roc_auc_score, 1, {"max_fpr": 0.5}, "predict_proba"]
    assert sklearn.parts_of(roc_auc_score) is None
    assert sklearn.responses_of(scorer) == ("predict_proba",)
    assert sklearn.responses_of(get_scorer("roc_auc")) == ("decision_function", "predict_proba")
    assert sklearn.takes_weights(scorer)
    assert not sklearn.takes_weights(make_scorer(max_error))


@pytest.mark.parametrize(("library", "compat", "name"), [("lightgbm", lightgbm, "LGBM"), ("xgboost", xgboost, "XGB")])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_boosters_of_other_libraries_are_cut(library: str, compat: Any, name: str, kind: str) -> None:
    module = pytest.importorskip(library)
    rows, y = (X, Y) if kind == "Classifier" else make_regression(120, 4, random_state=0)
    silent = {"verbosity": -1} if name == "LGBM" else {}
    model = getattr(module, name + kind)(n_estimators=6, n_jobs=1, random_state=0, **silent).fit(rows, y)
    predict = "predict_proba" if kind == "Classifier" else "predict"
    whole = getattr(model, predict)(rows)
    short = compat.first_rounds(model, 2)
    few = {"num_iteration": 2} if name == "LGBM" else {"iteration_range": (0, 2)}
    np.testing.assert_allclose(getattr(short, predict)(rows), getattr(model, predict)(rows, **few), rtol=1e-6)
    np.testing.assert_array_equal(getattr(model, predict)(rows), whole)
    assert short.get_params()["n_estimators"] == 2
    if name == "XGB":
        assert [compat.n_rounds(model, k) for k in (2, 9)] == [2, 6]
