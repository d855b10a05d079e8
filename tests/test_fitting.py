"""Fitting: soft labels reach models of every kind, and what comes back is the user's own class with its parameters."""

import pickle

import numpy as np
import optuna
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier, export_graphviz, export_text

from multihop_search import ConfWeight, HardLabels, KnowledgeDistillation, TeacherOutputs, TransferSet
from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.models.fitting import fit
from multihop_search.models.settle import settle
from multihop_search.models.soft_trees import TWIN_CRITERION, fit_on_distribution
from multihop_search.models.training_set import TrainingSet
from multihop_search.models.tuning import student_distributions
from multihop_search.models.weights import takes_weights
from multihop_search.threads import thread_limit

LABELS = {2: np.array(["no", "yes"]), 3: np.array(["a", "b", "c"]), 7: np.array(list("abcdefg"))}


def rows(n_classes, n_rows=240, missing=False, seed=0):
    """Return rows without ties, class codes that depend on them, and soft targets in eighths (sums are exact)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5))
    scores = X[:, :1] * np.linspace(-2, 2, n_classes) + rng.normal(size=(n_rows, n_classes))
    y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    eighths = rng.integers(3, size=n_rows)
    targets = np.eye(n_classes)[y] * (8 - eighths)[:, None] / 8
    np.add.at(targets, (np.arange(n_rows), rng.integers(n_classes, size=n_rows)), eighths / 8)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y, targets


def taught(model, X, y, targets, sample_weight=None, weights=None):
    """Teach a clone of `model` soft targets."""
    transfer = TransferSet(targets, np.ones(len(y)) if weights is None else weights)
    return fit(
        clone(model), TrainingSet(X, y, LABELS[targets.shape[1]], sample_weight=sample_weight, transfer=transfer)
    )


def repeated(X, y, targets, weights):
    """Return each row once per class of positive target, the class, and its weight: written out in full."""
    lines = [
        (i, c, weights[i] * targets[i, c])
        for i in range(len(targets))
        for c in range(targets.shape[1])
        if targets[i, c] > 0
    ]
    positions, codes, share = (np.array(column) for column in zip(*lines, strict=True))
    return X[positions], LABELS[targets.shape[1]][codes], share


def assert_same_tree(one, other):
    for name in ("children_left", "children_right", "feature", "n_node_samples", "missing_go_to_left"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("threshold", "impurity", "weighted_n_node_samples", "value"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12, err_msg=name)
    assert one.max_depth == other.max_depth


# Trees by their regression twin

# No penalty is a round number: one that equals a branch's own leaves rounding to decide.
GINI_TREES = [
    {},
    {"max_depth": 4},
    {"max_leaf_nodes": 9},
    {"min_samples_leaf": 8},
    {"min_samples_split": 30},
    {"min_weight_fraction_leaf": 0.05},
    {"ccp_alpha": 0.0093},
    {"min_impurity_decrease": 0.0053},
    {"ccp_alpha": 0.0037, "min_impurity_decrease": 0.0021},
    {"splitter": "random", "min_samples_leaf": 5},
    {"max_features": 2, "min_samples_leaf": 5},
]


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("params", GINI_TREES, ids=str)
def test_one_hot_targets_grow_the_tree_that_gini_grows(params, weighted, missing, n_classes):
    X, y, _ = rows(n_classes, missing=missing)
    # Weights are powers of two and leaves hold 3 rows: otherwise rounding decides between splits that tie.
    weights = np.random.default_rng(1).choice([0.5, 1.0, 2.0, 4.0], size=len(y)) if weighted else None
    student = DecisionTreeClassifier(**{"min_samples_leaf": 3, "random_state": 0, **params})
    direct = clone(student).fit(X, LABELS[n_classes][y], sample_weight=weights)
    made = fit_on_distribution(student, X, np.eye(n_classes)[y], weights, LABELS[n_classes])
    assert direct.tree_.node_count > 3
    assert_same_tree(made.tree_, direct.tree_)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(made.predict(X), direct.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("params", [{"ccp_alpha": 0.02}, {"min_impurity_decrease": 0.01}], ids=str)
def test_pruning_takes_part_of_the_tree_away(params, n_classes):
    X, y, targets = rows(n_classes)
    whole = taught(DecisionTreeClassifier(random_state=0), X, y, targets)
    pruned = taught(DecisionTreeClassifier(random_state=0, **params), X, y, targets)
    assert 1 < pruned.tree_.node_count < whole.tree_.node_count


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("params", [{}, {"ccp_alpha": 0.0093}, {"min_impurity_decrease": 0.0053}], ids=str)
def test_soft_targets_grow_the_tree_that_gini_grows_on_repeated_rows(params, n_classes):
    X, y, targets = rows(n_classes)
    student = DecisionTreeClassifier(max_depth=4, random_state=0, **params)
    X_long, labels_long, share = repeated(X, y, targets, np.ones(len(y)))
    direct = clone(student).fit(X_long, labels_long, sample_weight=share)
    made = taught(student, X, y, targets)
    np.testing.assert_array_equal(made.tree_.feature, direct.tree_.feature)
    np.testing.assert_allclose(made.tree_.threshold, direct.tree_.threshold)
    np.testing.assert_allclose(made.tree_.impurity, direct.tree_.impurity, atol=1e-12)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-12)
    assert made.tree_.n_node_samples[0] == len(X) < direct.tree_.n_node_samples[0]


ENTROPY_TREES = [
    {"max_depth": 4},
    {"max_leaf_nodes": 9},
    {"min_samples_leaf": 8},
    {"min_weight_fraction_leaf": 0.05},
    {"ccp_alpha": 0.0193},
    {"min_impurity_decrease": 0.0153},
    {"splitter": "random", "min_samples_leaf": 5},
]


@pytest.mark.skipif("entropy" not in TWIN_CRITERION, reason="entropy takes repetition before scikit-learn 1.9")
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("params", ENTROPY_TREES, ids=str)
def test_one_hot_targets_grow_the_tree_that_entropy_grows(params, missing, n_classes):
    X, y, _ = rows(n_classes, missing=missing)
    student = DecisionTreeClassifier(**{"criterion": "entropy", "min_samples_leaf": 3, "random_state": 0, **params})
    weights = np.random.default_rng(1).choice([0.5, 1.0, 2.0, 4.0], size=len(y))
    direct = clone(student).fit(X, LABELS[n_classes][y], sample_weight=weights)
    made = fit_on_distribution(student, X, np.eye(n_classes)[y], weights, LABELS[n_classes])
    assert 3 < direct.tree_.node_count == made.tree_.node_count
    np.testing.assert_array_equal(made.tree_.feature, direct.tree_.feature)
    np.testing.assert_allclose(made.tree_.threshold, direct.tree_.threshold)
    np.testing.assert_allclose(made.tree_.impurity, direct.tree_.impurity, atol=1e-6)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("params", [{}, {"ccp_alpha": 0.0193}, {"min_impurity_decrease": 0.0153}], ids=str)
@pytest.mark.parametrize("criterion", ["entropy", "log_loss"])
def test_soft_targets_grow_the_tree_that_entropy_grows_on_repeated_rows(criterion, params, n_classes):
    X, y, targets = rows(n_classes)
    student = DecisionTreeClassifier(criterion=criterion, max_depth=4, random_state=0, **params)
    X_long, labels_long, share = repeated(X, y, targets, np.ones(len(y)))
    direct = clone(student).fit(X_long, labels_long, sample_weight=share)
    made = taught(student, X, y, targets)
    np.testing.assert_array_equal(made.tree_.feature, direct.tree_.feature)
    np.testing.assert_allclose(made.tree_.threshold, direct.tree_.threshold)
    np.testing.assert_allclose(made.tree_.impurity, direct.tree_.impurity, atol=1e-6)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-12)
    assert made.tree_.n_node_samples[0] == len(X) < direct.tree_.n_node_samples[0]


def test_a_class_that_no_row_of_a_leaf_has_gets_no_probability():
    X = np.array([[0.0], [0.0], [5.0]])
    targets = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    tree = taught(DecisionTreeClassifier(criterion="entropy"), X, np.array([0, 1, 2]), targets)
    np.testing.assert_allclose(tree.predict_proba([[0.0], [5.0]]), [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]], rtol=1e-9)
    assert tree.predict_proba([[0.0]])[0, 2] == 0.0


def test_a_stump_on_four_rows_by_hand():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    yes = np.array([0.0, 0.25, 0.75, 1.0])
    stump = taught(DecisionTreeClassifier(max_depth=1), X, np.array([0, 0, 1, 1]), np.column_stack([1 - yes, yes]))
    assert stump.tree_.threshold[0] == 1.5
    # left: yes = (0 + .25) / 2 = .125; right: (.75 + 1) / 2 = .875
    np.testing.assert_allclose(stump.predict_proba(X), [[0.875, 0.125]] * 2 + [[0.125, 0.875]] * 2)
    # root: yes = .5, Gini 1 - .25 - .25 = .5; leaves: 1 - .875**2 - .125**2 = 1 - .765625 - .015625 = .21875
    np.testing.assert_allclose(stump.tree_.impurity, [0.5, 0.21875, 0.21875])
    np.testing.assert_array_equal(stump.predict(X), ["no", "no", "yes", "yes"])


def test_leaf_probabilities_are_weighted_means_of_the_targets():
    X = np.array([[0.0], [0.0], [5.0]])
    targets = np.array([[1.0, 0.0, 0.0], [0.2, 0.6, 0.2], [0.0, 0.0, 1.0]])
    tree = taught(DecisionTreeClassifier(), X, np.array([0, 1, 2]), targets, sample_weight=np.array([1.0, 3.0, 2.0]))
    # leaf of rows 0 and 1: (1 * (1, 0, 0) + 3 * (.2, .6, .2)) / 4 = (.4, .45, .15)
    np.testing.assert_allclose(tree.predict_proba([[0.0]]), [[0.4, 0.45, 0.15]])
    np.testing.assert_allclose(tree.tree_.weighted_n_node_samples, [6, 4, 2])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_taught_tree_is_an_object_of_the_users_class_and_does_what_it_does(n_classes):
    X, y, targets = rows(n_classes)
    student = DecisionTreeClassifier(max_depth=3, min_samples_leaf=4, ccp_alpha=1e-3, random_state=1)
    tree = taught(student, X, y, targets)
    assert type(tree) is DecisionTreeClassifier
    assert tree.get_params() == student.get_params()
    assert tree.classes_.tolist() == LABELS[n_classes].tolist()
    assert (tree.n_features_in_, tree.n_classes_, tree.n_outputs_, tree.max_features_) == (5, n_classes, 1, 5)
    proba = tree.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_array_equal(tree.predict(X), LABELS[n_classes][proba.argmax(axis=1)])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tree)).predict_proba(X), proba)
    np.testing.assert_array_equal(tree.decision_path(X)[:, 0].toarray(), np.ones((len(X), 1)))
    assert tree.get_depth() <= 3
    assert tree.feature_importances_.sum() == pytest.approx(1.0)
    assert "class: " in export_text(tree)
    assert "class = y[0]" in export_graphviz(tree, class_names=True)
    again = tree.fit(X, LABELS[n_classes][y])  # the object can be fitted by itself afterwards
    assert_same_tree(again.tree_, clone(student).fit(X, LABELS[n_classes][y]).tree_)


def test_importances_of_a_taught_tree_are_those_of_gini():
    X, y, _ = rows(3)
    student = DecisionTreeClassifier(max_depth=3, random_state=0)
    made = fit_on_distribution(student, X, np.eye(3)[y], None, LABELS[3])
    np.testing.assert_allclose(made.feature_importances_, clone(student).fit(X, y).feature_importances_)


def test_a_taught_tree_sends_missing_values_where_the_splits_say():
    X = np.array([[0.0], [1.0], [np.nan], [np.nan], [2.0], [3.0]])
    yes = np.array([0.1, 0.1, 0.9, 0.9, 0.9, 0.9])
    tree = taught(DecisionTreeClassifier(max_depth=1), X, np.array([0, 0, 1, 1, 1, 1]), np.column_stack([1 - yes, yes]))
    np.testing.assert_allclose(tree.predict_proba([[np.nan], [0.5], [2.5]])[:, 1], [0.9, 0.1, 0.9])


@pytest.mark.parametrize("model", [DecisionTreeClassifier(max_depth=2), RandomForestClassifier(3, random_state=0)])
def test_names_of_columns_are_kept(model):
    X, y, targets = rows(2)
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    made = taught(model, frame, y, targets)
    assert made.feature_names_in_.tolist() == list("vwxyz")
    np.testing.assert_array_equal(made.predict_proba(frame), taught(model, X, y, targets).predict_proba(X))


def falling(X):
    """Probability of "yes" that rises with column 0 but for a dip in the middle."""
    return np.clip(0.5 + 0.2 * X[:, 0] - 0.6 * (np.abs(X[:, 0]) < 0.5), 0.05, 0.95)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("model", [DecisionTreeClassifier, ExtraTreesClassifier])
def test_a_monotonic_constraint_holds_under_soft_labels(model, sign):
    X, _, _ = rows(2, n_rows=400)
    X[:, 0] *= sign
    yes = falling(X * [sign, 1, 1, 1, 1])
    y = (yes > 0.5).astype(int)
    params = {"max_depth": 6, "random_state": 0} | ({} if model is DecisionTreeClassifier else {"n_estimators": 5})
    grid = np.zeros((50, 5))
    grid[:, 0] = np.linspace(-2, 2, 50)

    def steps(**constraint):
        made = taught(model(**params, **constraint), X, y, np.column_stack([1 - yes, yes]))
        return sign * np.diff(made.predict_proba(grid)[:, 1])

    assert steps(monotonic_cst=[sign, 0, 0, 0, 0]).min() >= 0
    assert steps(monotonic_cst=[sign, 0, 0, 0, 0]).max() > 0
    assert steps().min() < 0  # without the constraint the dip is learned


# Forests by their regression twin

FORESTS = [
    (RandomForestClassifier, RandomForestRegressor, {}),
    (RandomForestClassifier, RandomForestRegressor, {"bootstrap": False, "max_leaf_nodes": 7}),
    (RandomForestClassifier, RandomForestRegressor, {"max_samples": 0.5, "oob_score": True}),
    (ExtraTreesClassifier, ExtraTreesRegressor, {"max_depth": 4}),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("forest", "twin", "params"), FORESTS)
def test_a_taught_forest_predicts_as_its_regression_twin(forest, twin, params, n_classes):
    X, y, targets = rows(n_classes)
    student = forest(35, min_samples_leaf=3, random_state=0, **params)
    made = taught(student, X, y, targets)
    regressor = twin(35, min_samples_leaf=3, random_state=0, max_features="sqrt", **params)
    regressor.fit(X, targets[:, 1] if n_classes == 2 else targets)
    new = np.random.default_rng(9).normal(size=(50, 5))
    predicted = regressor.predict(new)
    expected = np.column_stack([1 - predicted, predicted]) if n_classes == 2 else predicted
    np.testing.assert_allclose(made.predict_proba(new), expected, atol=1e-12)
    assert type(made) is forest
    assert made.get_params() == student.get_params()
    assert made.classes_.tolist() == LABELS[n_classes].tolist()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).predict(new), made.predict(new))
    assert made.feature_importances_.shape == (5,)
    assert "class: " in export_text(made.estimators_[0])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("forest", [RandomForestClassifier, ExtraTreesClassifier])
def test_one_hot_targets_grow_the_forest_that_gini_grows(forest, n_classes):
    X, y, _ = rows(n_classes)
    student = forest(5, min_samples_leaf=8, ccp_alpha=0.0021, random_state=0)
    direct = clone(student).fit(X, LABELS[n_classes][y])
    made = fit_on_distribution(student, X, np.eye(n_classes)[y], None, LABELS[n_classes])
    for one, other in zip(made.estimators_, direct.estimators_, strict=True):
        assert type(one) is type(other)
        assert one.get_params() == other.get_params()
        assert one.classes_.tolist() == other.classes_.tolist()
        assert_same_tree(one.tree_, other.tree_)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-12)


def test_a_taught_forest_knows_which_rows_each_tree_saw():
    X, y, targets = rows(2)
    made = taught(RandomForestClassifier(4, random_state=0), X, y, targets)
    direct = RandomForestClassifier(4, random_state=0).fit(X, y)
    for seen, expected in zip(made.estimators_samples_, direct.estimators_samples_, strict=True):
        np.testing.assert_array_equal(seen, expected)


# Repeated rows


@pytest.mark.parametrize("criterion", ["gini", "entropy", "log_loss"])
@pytest.mark.parametrize("leaf", [2, 7, 30])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_a_leaf_of_a_tree_holds_the_least_number_of_real_rows(n_classes, leaf, criterion):
    X, y, targets = rows(n_classes)
    student = DecisionTreeClassifier(criterion=criterion, min_samples_leaf=leaf, random_state=0)
    tree = taught(student, X, y, targets)
    in_leaf = np.unique(tree.apply(X), return_counts=True)[1]
    assert len(in_leaf) > 1
    assert in_leaf.min() >= leaf
    assert tree.get_params() == student.get_params()


@pytest.mark.parametrize(("leaf", "threshold"), [(4, 4.5), (5, 4.5), (6, 5.5)])
def test_a_leaf_of_exactly_the_least_number_of_rows_is_allowed(leaf, threshold):
    X = np.arange(12.0)[:, None]
    y = np.repeat([0, 1], [5, 7])
    soft = np.repeat([[0.8, 0.2], [0.2, 0.8]], [5, 7], axis=0)  # the best split leaves 5 rows to the left
    tree = taught(DecisionTreeClassifier(criterion="entropy", max_depth=1, min_samples_leaf=leaf), X, y, soft)
    assert tree.tree_.threshold[0] == threshold


def test_rounding_never_forbids_a_leaf_of_exactly_the_least_number_of_rows():
    for n_rows in range(6, 60):
        leaf = n_rows // 3
        X = np.arange(float(n_rows))[:, None]
        y = np.repeat([0, 1], [leaf, n_rows - leaf])
        soft = np.array([[0.9, 0.1], [0.3, 0.7]])[y]
        tree = DecisionTreeClassifier(criterion="entropy", max_depth=1, min_samples_leaf=leaf)
        assert taught(tree, X, y, soft).tree_.threshold[0] == leaf - 0.5


@pytest.mark.parametrize(("split", "nodes"), [(10, 3), (11, 1)])
def test_a_node_of_ten_real_rows_is_split_only_if_ten_are_enough(split, nodes):
    X = np.arange(10.0)[:, None]
    soft = np.repeat([[0.8, 0.2], [0.2, 0.8]], 5, axis=0)  # 20 repeated rows
    tree = taught(
        DecisionTreeClassifier(criterion="entropy", max_depth=1, min_samples_split=split), X, np.repeat([0, 1], 5), soft
    )
    assert tree.tree_.node_count == nodes
    assert tree.min_samples_split == split


@pytest.mark.parametrize("model", [RandomForestClassifier, ExtraTreesClassifier])
def test_leaves_of_an_entropy_forest_hold_the_least_number_of_real_rows(model):
    X, y, targets = rows(3)
    student = model(5, criterion="entropy", min_samples_leaf=10, bootstrap=False, random_state=0)
    forest = taught(student, X, y, targets)
    assert min(np.unique(leaves, return_counts=True)[1].min() for leaves in forest.apply(X).T) >= 10
    assert forest.get_params() == student.get_params()


def test_entropy_by_hand():
    X = np.array([[0.0], [1.0]])
    tree = taught(
        DecisionTreeClassifier(criterion="entropy"), X, np.array([0, 1]), np.array([[0.75, 0.25], [0.25, 0.75]])
    )
    # root (.5, .5): 1 bit; a leaf: -.75 * log2(.75) - .25 * log2(.25) = .311278 + .5
    np.testing.assert_allclose(tree.tree_.impurity, [1.0, 0.811278, 0.811278], atol=1e-6)
    np.testing.assert_allclose(tree.predict_proba(X), [[0.75, 0.25], [0.25, 0.75]])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
def test_a_taught_logistic_regression_is_the_weighted_fit_on_repeated_rows(weighted, n_classes):
    X, y, targets = rows(n_classes)
    given = np.random.default_rng(1).uniform(0.5, 2.0, len(y)) if weighted else np.ones(len(y))
    student = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000)
    made = taught(student, X, y, targets, sample_weight=given)
    X_long, labels_long, share = repeated(X, y, targets, given)
    direct = clone(student).fit(X_long, labels_long, sample_weight=share)
    np.testing.assert_allclose(made.coef_, direct.coef_, atol=1e-7)
    np.testing.assert_allclose(made.intercept_, direct.intercept_, atol=1e-7)
    assert made.classes_.tolist() == LABELS[n_classes].tolist()


@pytest.mark.parametrize("kind", ["array", "sparse", "frame"])
def test_one_fit_of_a_logistic_regression_stops_where_repeated_rows_do(kind):
    X, y, targets = rows(7)
    X_long, labels_long, share = repeated(X, y, targets, np.ones(len(y)))
    student = LogisticRegression(fit_intercept=False, C=3.0)  # the usual tolerance
    direct = clone(student).fit(X_long, labels_long, sample_weight=share)
    table = {"array": X, "sparse": csr_matrix(X), "frame": pd.DataFrame(X, columns=list("vwxyz"))}[kind]
    made = fit(clone(student), TrainingSet(table, y, LABELS[7], transfer=TransferSet(targets, np.ones(len(y)))))
    assert made.n_iter_.tolist() == direct.n_iter_.tolist()
    assert made.n_features_in_ == 5
    assert set(vars(made)) - {"feature_names_in_"} == set(vars(direct))
    assert list(getattr(made, "feature_names_in_", [])) == (list("vwxyz") if kind == "frame" else [])
    np.testing.assert_allclose(made.coef_, direct.coef_, atol=1e-9)
    assert made.intercept_.tolist() == [0.0] * 7


def test_a_logistic_regression_that_stops_early_says_so():
    X, y, targets = rows(3)
    with pytest.warns(ConvergenceWarning, match="before it converged"):
        made = taught(LogisticRegression(max_iter=2), X, y, targets)
    assert made.n_iter_.tolist() == [2]


def test_a_class_without_any_share_is_none_of_a_logistic_regression():
    X, y, targets = rows(7)
    targets = targets[:, :4] + 1e-3
    targets[:, 2] = 0.0
    targets /= targets.sum(axis=1, keepdims=True)
    made = fit(
        LogisticRegression(),
        TrainingSet(X, np.where(y == 2, 0, y) % 4, LABELS[7][:4], transfer=TransferSet(targets, np.ones(240))),
    )
    assert made.classes_.tolist() == ["a", "b", "d"]
    assert made.coef_.shape == (3, 5)


def test_targets_below_a_thousandth_of_the_largest_are_left_out_of_repeated_rows():
    X, y, _ = rows(3)
    targets = np.eye(3)[y] * 0.5 + np.eye(3)[(y + 1) % 3] * 0.4996 + np.eye(3)[(y + 2) % 3] * 0.0004
    cut = np.where(targets < 0.001, 0.0, targets)
    student = LogisticRegression(solver="newton-cg", tol=1e-10)
    one, other = taught(student, X, y, targets), taught(student, X, y, cut / cut.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-9)


def test_a_taught_histogram_booster_is_the_weighted_fit_on_repeated_rows():
    X, y, _ = rows(2, n_rows=120)
    targets = np.full((120, 2), 0.2)
    targets[np.arange(120), y] = 0.8
    student = HistGradientBoostingClassifier(
        max_iter=5, min_samples_leaf=7, max_bins=8, early_stopping=True, random_state=0
    )
    with thread_limit():
        made = taught(student, X, y, targets)
        X_long, labels_long, share = repeated(X, y, targets, np.ones(120))
        # Each row stands twice, so a leaf of 7 rows holds 14; copies of a row would stand on both sides of an
        # early-stopping split.
        direct = clone(student).set_params(min_samples_leaf=14, early_stopping=False)
        direct.fit(X_long, labels_long, sample_weight=share)
        np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-9)
    assert made.n_iter_ == 5
    assert made.get_params() == student.get_params()


def test_a_subclass_of_a_tree_is_taught_by_its_own_fit():
    class OwnTree(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            self.rows_seen_ = len(X)
            return super().fit(X, y, sample_weight=sample_weight)

    X, y, targets = rows(2)
    made = taught(OwnTree(max_depth=2), X, y, targets)
    assert type(made) is OwnTree
    assert made.rows_seen_ == (targets > 0).sum() > len(X)


# Hard labels, weights and class weights


def test_without_a_transfer_set_the_fit_is_the_models_own():
    X, y, _ = rows(3)
    given = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    student = DecisionTreeClassifier(max_depth=3, criterion="entropy", class_weight="balanced", random_state=0)
    made = fit(clone(student), TrainingSet(X, y, LABELS[3], sample_weight=given))
    assert_same_tree(made.tree_, clone(student).fit(X, LABELS[3][y], sample_weight=given).tree_)


@pytest.mark.parametrize("model", [DecisionTreeClassifier(max_depth=3, random_state=0), LogisticRegression()])
def test_hard_labels_are_fitted_as_if_they_were_the_truth(model):
    X, y, _ = rows(3)
    said = np.random.default_rng(2).permutation(y)
    made = taught(model, X, y, np.eye(3)[said])
    np.testing.assert_array_equal(made.predict_proba(X), clone(model).fit(X, LABELS[3][said]).predict_proba(X))


def test_confidence_weights_are_sample_weights_with_the_total_of_the_rows():
    X, y, _ = rows(2)
    q = np.random.default_rng(1).dirichlet([1, 1], len(y))
    transfer = ConfWeight().transfer_set(TeacherOutputs(q), y)
    student = DecisionTreeClassifier(max_depth=3, random_state=0)
    made = fit(clone(student), TrainingSet(X, y, LABELS[2], transfer=transfer))
    weights = q[np.arange(len(y)), y]
    direct = clone(student).fit(X, LABELS[2][y], sample_weight=weights * len(y) / weights.sum())
    assert_same_tree(made.tree_, direct.tree_)
    assert made.tree_.weighted_n_node_samples[0] == pytest.approx(len(y))


CLASS_WEIGHTS = [
    ({"a": 1.0, "b": 3.0, "c": 0.5}, [1.0, 3.0, 0.5]),
    ({"b": 3.0}, [1.0, 3.0, 1.0]),
    ({"b": 3.0, "absent": 7.0}, [1.0, 3.0, 1.0]),
    ("balanced", [240 / (3 * 40), 240 / (3 * 80), 240 / (3 * 120)]),  # n_rows / (n_classes * rows of the class)
]


def unbalanced_rows():
    X, _, _ = rows(3)
    y = np.repeat([0, 1, 2], [40, 80, 120])
    X[:, 0] += y
    targets = 0.75 * np.eye(3)[y] + 0.25 * np.eye(3)[np.random.default_rng(0).permutation(y)]
    return X, y, targets


@pytest.mark.parametrize(("class_weight", "by_class"), CLASS_WEIGHTS)
@pytest.mark.parametrize(
    "model",
    [DecisionTreeClassifier(max_depth=3, random_state=0), LogisticRegression(tol=1e-10)],
    ids=["regression", "repetition"],
)
def test_class_weight_scales_soft_labels_by_class_and_is_put_back(model, class_weight, by_class):
    X, y, targets = unbalanced_rows()
    student = clone(model).set_params(class_weight=class_weight)
    made = taught(student, X, y, targets)
    weighted = targets * by_class
    positions, codes = np.nonzero(weighted)
    direct = clone(model).fit(X[positions], LABELS[3][codes], sample_weight=weighted[positions, codes])
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(X), atol=1e-6)
    assert made.class_weight == class_weight
    unweighted = taught(clone(model), X, y, targets)
    assert np.abs(made.predict_proba(X) - unweighted.predict_proba(X)).max() > 0.01


@pytest.mark.parametrize(("class_weight", "by_class"), CLASS_WEIGHTS)
def test_class_weight_scales_hard_rows_by_class(class_weight, by_class):
    X, y, _ = unbalanced_rows()
    student = DecisionTreeClassifier(max_depth=3, class_weight=class_weight, random_state=0)
    made = taught(student, X, y, np.eye(3)[y], weights=np.linspace(0.5, 1.5, len(y)))
    direct = DecisionTreeClassifier(max_depth=3, random_state=0)
    direct.fit(X, LABELS[3][y], sample_weight=np.linspace(0.5, 1.5, len(y)) * np.array(by_class)[y])
    assert_same_tree(made.tree_, direct.tree_)
    assert made.get_params() == student.get_params()


# Models without sample_weight


def soft_labels(y):
    return KnowledgeDistillation(alpha=1.0, temperature=1.0).transfer_set(
        TeacherOutputs(np.column_stack([0.9 - 0.8 * y, 0.1 + 0.8 * y])), y
    )


@pytest.mark.parametrize("model", [KNeighborsClassifier(), make_pipeline(StandardScaler(), KNeighborsClassifier())])
def test_a_model_without_sample_weight_is_refused_for_soft_labels_and_taught_hard_ones(model):
    X, y, _ = rows(2)
    assert not takes_weights(model)
    with pytest.raises(UnsuitableModel, match=r"KNeighborsClassifier must take sample_weight .*HardLabels"):
        fit(clone(model), TrainingSet(X, y, LABELS[2], transfer=soft_labels(y)))
    said = TeacherOutputs(np.eye(2)[np.roll(y, 1)])
    made = fit(clone(model), TrainingSet(X, y, LABELS[2], transfer=HardLabels().transfer_set(said, y)))
    direct = clone(model).fit(X, LABELS[2][np.roll(y, 1)])
    np.testing.assert_array_equal(made.predict_proba(X), direct.predict_proba(X))


def test_a_model_without_sample_weight_is_refused_for_weights():
    X, y, _ = rows(2)
    with pytest.raises(UnsuitableModel, match="sample_weight"):
        fit(KNeighborsClassifier(), TrainingSet(X, y, LABELS[2], sample_weight=np.linspace(0.5, 1.5, len(y))))
    transfer = ConfWeight().transfer_set(TeacherOutputs(np.tile([0.3, 0.7], (len(y), 1))), y)
    with pytest.raises(UnsuitableModel, match="sample_weight"):
        fit(KNeighborsClassifier(), TrainingSet(X, y, LABELS[2], transfer=transfer))


def test_equal_weights_are_no_weights_to_a_model_that_takes_none():
    X, y, _ = rows(2)
    made = fit(KNeighborsClassifier(), TrainingSet(X, y, LABELS[2], sample_weight=np.ones(len(y))))
    np.testing.assert_array_equal(made.predict(X), KNeighborsClassifier().fit(X, LABELS[2][y]).predict(X))


# Pipelines


class CountsRows(TransformerMixin, BaseEstimator):
    """Passes rows on and remembers what it was fitted on."""

    def fit(self, X, y=None):
        self.seen_ = [*getattr(self, "seen_", []), (X.shape, list(y))]
        return self

    def transform(self, X):
        return X


def test_transformers_see_the_real_rows_once_with_their_true_labels():
    X, y, targets = rows(2)
    made = taught(make_pipeline(CountsRows(), StandardScaler(), LogisticRegression()), X, y, targets)
    assert made[0].seen_ == [(X.shape, LABELS[2][y].tolist())]
    np.testing.assert_allclose(made[1].mean_, X.mean(axis=0))
    assert made[1].n_samples_seen_ == len(X)


@pytest.mark.parametrize("last", [LogisticRegression(tol=1e-10), DecisionTreeClassifier(max_depth=3, random_state=0)])
def test_the_last_step_of_a_pipeline_is_taught_the_soft_labels(last):
    X, y, targets = rows(3)
    given = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    student = Pipeline([("scale", StandardScaler()), ("select", SelectKBest(k=3)), ("model", last)])
    made = taught(student, X, y, targets, sample_weight=given)
    scaled = StandardScaler().fit_transform(X)
    selected = SelectKBest(k=3).fit(scaled, y)
    direct = taught(last, selected.transform(scaled), y, targets, sample_weight=given)
    np.testing.assert_allclose(made["select"].scores_, selected.scores_)
    np.testing.assert_allclose(made.predict_proba(X), direct.predict_proba(selected.transform(scaled)), atol=1e-9)
    assert type(made) is Pipeline
    assert [name for name, _ in made.steps] == ["scale", "select", "model"]
    assert made.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).predict(X), made.predict(X))


def test_a_pipeline_in_a_pipeline_is_taught_at_its_innermost_last_step():
    X, y, targets = rows(2)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    made = taught(make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), tree)), X, y, targets)
    assert_same_tree(made[-1][-1].tree_, taught(tree, StandardScaler().fit_transform(X), y, targets).tree_)


def test_a_pipeline_of_one_step_is_its_step():
    X, y, targets = rows(2)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    assert_same_tree(taught(make_pipeline(tree), X, y, targets)[-1].tree_, taught(tree, X, y, targets).tree_)


def test_a_pipeline_with_a_memory_predicts_with_its_fitted_steps(tmp_path):
    X, y, targets = rows(2)
    steps = StandardScaler(), SelectKBest(k=3), DecisionTreeClassifier(max_depth=3, random_state=0)
    made = taught(make_pipeline(*steps, memory=str(tmp_path)), X, y, targets)
    np.testing.assert_array_equal(made.predict_proba(X), taught(make_pipeline(*steps), X, y, targets).predict_proba(X))


# Seeds and jobs


def test_open_seeds_are_filled_by_key():
    forest = RandomForestClassifier(3)

    def seed_of(random_state, *key):
        return settle(forest, "teacher", random_state, *key)[0].random_state

    assert seed_of(0, "fold", 1) == seed_of(0, "fold", 1)
    assert len({seed_of(0, "fold", 1), seed_of(0, "fold", 2), seed_of(1, "fold", 1), seed_of(0, "probe", 1)}) == 4
    assert forest.random_state is None


def test_each_seed_inside_a_model_is_filled_with_its_own():
    student = make_pipeline(CountsRows(), BaggingClassifier(DecisionTreeClassifier(), n_estimators=2), memory=None)
    settled, before = settle(student, "student", 0, "fold", 1)
    inner, outer = settled[-1].estimator.random_state, settled[-1].random_state
    assert isinstance(inner, int)
    assert isinstance(outer, int)
    assert inner != outer
    assert before == {"baggingclassifier__random_state": None, "baggingclassifier__estimator__random_state": None}


@pytest.mark.parametrize("random_state", [0, 42, np.int64(7)])
def test_an_integer_seed_stays(random_state):
    settled, before = settle(DecisionTreeClassifier(random_state=random_state), "student", 0, "fold", 1)
    assert settled.random_state == random_state
    assert before == {}


@pytest.mark.parametrize("random_state", [np.random.RandomState(0), np.random.default_rng(0)])
def test_a_generator_as_seed_is_refused_by_the_name_of_its_model(random_state):
    model = make_pipeline(DecisionTreeClassifier(random_state=random_state))
    with pytest.raises(UnsuitableModel, match=f"random_state of forest must .* {type(random_state).__name__}"):
        settle(model, "forest", 0, "fold", 1)


def test_jobs_and_seeds_are_settled_for_the_fit_and_put_back():
    X, y, targets = rows(2)
    student = make_pipeline(StandardScaler(), RandomForestClassifier(3, n_jobs=-1))
    settled, before = settle(student, "student", 0, "fold", 1)
    assert settled[-1].n_jobs == 1
    assert student[-1].n_jobs == -1
    made = taught(settled, X, y, targets).set_params(**before)
    assert made[-1].get_params() == student[-1].get_params()
    assert made.predict_proba(X).shape == (len(X), 2)


def test_one_job_or_none_is_left_as_it_is():
    for n_jobs in (None, 1):
        settled, before = settle(RandomForestClassifier(3, n_jobs=n_jobs, random_state=0), "student", 0)
        assert settled.n_jobs == n_jobs
        assert before == {}


def test_a_frozen_model_is_used_as_it_is():
    X, y, _ = rows(2)
    forest = RandomForestClassifier(3, n_jobs=2).fit(X, y)
    settled, before = settle(FrozenEstimator(forest), "teacher", 0, "fold", 1)
    assert settled.estimator is forest
    assert forest.random_state is None
    assert before == {}


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=3),
        DecisionTreeClassifier(criterion="entropy", min_samples_leaf=3),
        ExtraTreeClassifier(max_depth=3),
        RandomForestClassifier(3, criterion="entropy", min_samples_leaf=3, class_weight="balanced"),
        ExtraTreesClassifier(3, class_weight={"no": 2.0}),
        HistGradientBoostingClassifier(max_iter=3, max_bins=8, class_weight="balanced"),
        LogisticRegression(class_weight="balanced"),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3, class_weight="balanced")),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "scheme", [KnowledgeDistillation(alpha=0.5, temperature=1.0), HardLabels(), ConfWeight()], ids=str
)
def test_what_comes_back_has_the_users_class_and_parameters(model, scheme):
    X, y, targets = rows(2)
    settled, before = settle(model, "student", 0, "fold", 1)
    transfer = scheme.transfer_set(TeacherOutputs(targets), y)
    with thread_limit():
        made = fit(settled, TrainingSet(X, y, LABELS[2], transfer=transfer)).set_params(**before)
        proba = made.predict_proba(X)
    assert type(made) is type(model)
    last, own = (made[-1], model[-1]) if isinstance(model, Pipeline) else (made, model)
    assert type(last) is type(own)
    assert last.get_params() == own.get_params()
    assert made.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_array_equal(made.predict(X), LABELS[2][proba.argmax(axis=1)])


def test_no_class_is_lost_to_tiny_targets():
    y = np.arange(60) % 3
    soft = TransferSet(np.tile([0.6, 0.3995, 0.0005], (60, 1)), np.ones(60))
    X = np.random.default_rng(0).normal(size=(60, 2))
    assert fit(LogisticRegression(), TrainingSet(X, y, np.arange(3), transfer=soft)).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("leaf", "smallest"), [(6, 6), (0.6, 6), (3, 3), (0.3, 3)])
def test_a_leaf_of_repeated_rows_holds_as_many_real_rows_as_asked(leaf, smallest):
    X, soft = np.arange(10.0)[:, None], np.repeat([[0.8, 0.2], [0.2, 0.8]], 5, axis=0)
    student = DecisionTreeClassifier(criterion="entropy", min_samples_leaf=leaf)
    made = fit(student, TrainingSet(X, np.repeat([0, 1], 5), np.arange(2), transfer=TransferSet(soft, np.ones(10))))
    assert np.unique(made.apply(X), return_counts=True)[1].min() >= smallest
    assert made.tree_.n_node_samples[0] == 10
    assert made.min_samples_leaf == leaf


def test_a_class_weight_of_zero_takes_rows_out_and_leaves_no_nan():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    soft = np.where(y[:, None] == 0, [[1.0, 0.0]], [[0.3, 0.7]])
    model = DecisionTreeClassifier(max_depth=2, class_weight={0: 0, 1: 1}, random_state=0)
    fitted = fit(model, TrainingSet(X, y, np.array([0, 1]), transfer=TransferSet(soft, np.ones(40))))
    assert np.isfinite(fitted.predict_proba(X)).all()
    assert fitted.class_weight == {0: 0, 1: 1}


def test_choices_that_are_equal_are_refused():
    for choices in ([1.0, 0.5, 1], [True, 1], optuna.distributions.CategoricalDistribution((1, 1.0))):
        with pytest.raises(InvalidSetting, match="choices that differ"):
            student_distributions(DecisionTreeClassifier(), {"max_features": choices})
