"""The ladder: complexities by hand, truncated teachers, and outputs that no row's own model had a part in."""

import io
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from multihop_search import Hop, KnowledgeDistillation, TeacherOutputs, Truncate
from multihop_search.engine import upper_model
from multihop_search.engine.crossfit import crossfit, crossfit_and_fit
from multihop_search.errors import InvalidSetting, SeenRowsWarning, UnsuitableModel
from multihop_search.models.complexity import complexity, size_of
from multihop_search.models.features import count_features
from multihop_search.models.fitting import fit
from multihop_search.models.stages import graded_predictions, stage_sizes, truncated
from multihop_search.models.training_set import TrainingSet
from multihop_search.paths import first_fits
from multihop_search.paths.budget import Budget
from multihop_search.paths.first_fits import FirstFits
from multihop_search.paths.ladder import Ladder, make_ladder
from multihop_search.paths.path import TEACHER
from multihop_search.paths.pool import default_intermediates
from multihop_search.problem.intake import make_problem
from multihop_search.problem.responses import stored_form
from multihop_search.search.teacher import teacher_of
from multihop_search.threads import thread_limit

KD = KnowledgeDistillation(alpha=0.5, temperature=1.0)


def run(function: Any, *args: Any) -> Any:
    """Run a first fit here and now."""
    return function(*args)


def data(n_rows=150, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    scores = X[:, :1] * np.linspace(-1.5, 1.5, n_classes) + rng.normal(size=(n_rows, n_classes))
    y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, np.array(["a", "b", "c", "d"])[y]


def problem(X, y, **settings):
    chosen = {"sample_weight": None, "groups": None, "cv": 3, "crossfit_cv": 3, "scoring": "auto", "random_state": 0}
    return make_problem(X, y, **(chosen | settings))


def ladder(teacher, student=None, *, intermediates=None, truncations=()):
    sizes = tuple(hop.k for hop in truncations)
    return Ladder(
        teacher=teacher,
        students={"student": student},
        intermediates=intermediates or {},
        truncations=truncations,
        stage_sizes=sizes,
    )


def ladder_between(made, teacher, student, intermediates):
    pool = default_intermediates(made.X, made.n_outputs)
    return make_ladder(FirstFits(made, run), teacher, {"student": student}, intermediates, pool, Budget())


# First fits


@pytest.mark.usefixtures("small_teachers")
@pytest.mark.parametrize("strings", [False, True])
def test_a_model_is_tried_once(strings: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(80)
    if strings:
        X = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(X[:, 0] > 0, "a", "b"))
    seen = []
    fit = first_fits.fit
    monkeypatch.setattr(first_fits, "fit", lambda model, *rest, **more: seen.append(model) or fit(model, *rest, **more))
    fits = FirstFits(problem(X, y), run)
    teacher = teacher_of("auto", fits)
    size = complexity(fits.fitted(TEACHER, teacher))
    assert len(seen) == 1
    fits.forget()
    assert complexity(fits.fitted(TEACHER, teacher)) == size > 200
    assert len(seen) == 2


# Complexity

TWO = np.array([[0.0], [1.0]])
# Six rows, three classes along one column: every stump of every class finds a split.
SIX = np.array([[0.0], [0.1], [1.0], [1.1], [2.0], [2.1]])
THREE_CLASSES = np.array([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("model", "X", "y", "expected"),
    [
        (DecisionTreeClassifier(), TWO, [0, 1], 3),  # root and two leaves
        (DecisionTreeClassifier(), SIX, THREE_CLASSES, 5),  # two splits, three leaves
        (DecisionTreeClassifier(max_depth=1), SIX, THREE_CLASSES, 3),
        (RandomForestClassifier(4, bootstrap=False), TWO, [0, 1], 12),  # four trees of 3 nodes
        (ExtraTreesClassifier(2), TWO, [0, 1], 6),
        (GradientBoostingClassifier(n_estimators=2, max_depth=1), TWO, [0, 1], 6),  # a stump a round
        (GradientBoostingClassifier(n_estimators=2, max_depth=1), SIX, THREE_CLASSES, 18),  # a stump a class
        (HistGradientBoostingClassifier(max_iter=2, max_depth=1, min_samples_leaf=1), SIX, [0, 0, 0, 1, 1, 1], 6),
        (HistGradientBoostingClassifier(max_iter=2, max_depth=1, min_samples_leaf=1), SIX, THREE_CLASSES, 18),
        (LogisticRegression(), np.eye(2), [0, 1], 2),  # 2 coefficients; intercepts do not count
        (LogisticRegression(), np.hstack([SIX, -SIX]), THREE_CLASSES, 6),  # 3 classes of 2 coefficients
        (LinearSVC(), np.eye(2), [0, 1], 2),
        (LinearSVC(penalty="l1", dual=False, C=1e-6), np.eye(2), [0, 1], 0),  # coefficients that are 0 do not count
        (make_pipeline(StandardScaler(), LogisticRegression()), np.eye(2), [0, 1], 2),
        (make_pipeline(StandardScaler(), make_pipeline("passthrough", DecisionTreeClassifier())), TWO, [0, 1], 3),
    ],
    ids=str,
)
def test_complexity_counts_nodes_or_coefficients(model, X, y, expected):
    with thread_limit():
        assert complexity(clone(model).fit(X, y)) == expected


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_complexity_of_a_network_counts_weights_of_all_layers():
    network = MLPClassifier((5,), max_iter=1, random_state=0).fit(np.hstack([SIX, -SIX]), THREE_CLASSES)
    assert complexity(network) == (2 * 5 + 5) + (5 * 3 + 3)


def test_complexity_of_any_other_model_grows_with_what_it_stores():
    X, y = data(400)
    few, many = KNeighborsClassifier().fit(X[:40], y[:40]), KNeighborsClassifier().fit(X, y)
    assert 0 < complexity(few) < complexity(many) < len(pickle.dumps(many)) / 8
    assert complexity(GaussianNB().fit(X, y)) < complexity(few)


@pytest.mark.parametrize(
    ("model", "used"),
    [
        (DecisionTreeClassifier(max_depth=1), 1),
        (RandomForestClassifier(3, max_depth=1, max_features=None, random_state=0), 1),
        (HistGradientBoostingClassifier(max_iter=3, max_depth=1, max_bins=8), 1),
        (LinearSVC(penalty="l1", dual=False, C=0.05), 1),
        (LogisticRegression(), 3),
        (KNeighborsClassifier(), 3),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)), 1),
    ],
    ids=str,
)
def test_features_that_a_model_reads_are_counted(model, used):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(100, 2)), np.repeat([-2.0, 2.0], 50) + rng.normal(size=100) / 10])
    with thread_limit():
        assert count_features(clone(model).fit(X, np.repeat([0, 1], 50))) == used


def test_a_size_is_nodes_features_and_bytes():
    stump = DecisionTreeClassifier().fit([[0.0, 5.0], [1.0, 5.0]], [0, 1])
    size = size_of(stump)
    assert (size.nodes, size.n_features_used) == (3.0, 1)
    assert size.size_bytes == len(pickled_in_full(stump)) == size_of(pickle.loads(pickle.dumps(stump))).size_bytes
    assert len(pickle.dumps(stump)) <= size.size_bytes < 2 * len(pickle.dumps(stump))


def pickled_in_full(model):
    """Return the pickle in which no object refers to an earlier one."""
    file = io.BytesIO()
    pickler = pickle._Pickler(file)
    pickler.fast = True
    pickler.dump(model)
    return file.getvalue()


# Rungs


@pytest.mark.parametrize(
    ("teacher", "sizes"),
    [
        (RandomForestClassifier(300), (100, 30, 10)),
        (RandomForestClassifier(200), (100, 30, 10)),
        (RandomForestClassifier(199), (30, 10)),
        (ExtraTreesClassifier(60), (30, 10)),
        (RandomForestClassifier(59), (10,)),
        (RandomForestClassifier(20), (10,)),
        (RandomForestClassifier(19), ()),
        (HistGradientBoostingClassifier(max_iter=100), (30, 10)),
        (DecisionTreeClassifier(), ()),
        (make_pipeline(StandardScaler(), RandomForestClassifier(300)), (100, 30, 10)),
    ],
    ids=str,
)
def test_a_teacher_is_cut_at_most_at_half_of_its_members(teacher, sizes):
    assert stage_sizes(teacher) == sizes


@pytest.fixture(scope="module")
def searched():
    X, y = data(300)
    made = problem(X, y)
    with thread_limit():
        return ladder_between(
            made, RandomForestClassifier(60, random_state=0), DecisionTreeClassifier(max_depth=3), "auto"
        )


def test_the_rungs_of_a_ladder_go_down_strictly_between_its_ends(searched):
    sizes = [searched.complexities[name] for name in ("teacher", *searched.rungs, "student")]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1]
    assert sizes[-2] > sizes[-1]
    assert searched.complexities["student"] == 15  # depth 3, full
    assert {"teacher[:30]", "teacher[:10]", "forest(30)", "tree(8)"} <= set(searched.rungs)
    assert searched.stage_sizes == (30, 10)
    assert searched.truncations == (Truncate(30), Truncate(10))


def test_what_is_not_strictly_between_the_ends_is_no_rung(searched):
    linear = searched.complexities["linear"]
    assert linear == 4  # columns: less than the student's 15 nodes
    assert "linear" not in searched.rungs
    offered = set(default_intermediates(data(300)[0], 2)) | {"teacher[:30]", "teacher[:10]"}
    low, high = searched.complexities["student"], searched.complexities["teacher"]
    assert set(searched.rungs) == {name for name in offered if low < searched.complexities[name] < high}


def test_names_lead_to_estimators(searched):
    assert searched.estimator("teacher").n_estimators == 60
    assert searched.estimator("student").max_depth == 3
    assert searched.estimator("tree(8)").max_depth == 8


@pytest.mark.parametrize("end", ["teacher", "student"])
def test_no_rung_is_as_complex_as_an_end(end):
    X, y = data(300)
    twin = clone(default_intermediates(X, 2)["tree(8)"])  # grows the same tree under every seed: no split ties
    ends = {"teacher": RandomForestClassifier(60), "student": DecisionTreeClassifier(max_depth=1), end: twin}
    with thread_limit():
        made = ladder_between(problem(X, y), ends["teacher"], ends["student"], "auto")
    assert made.complexities[end] == made.complexities["tree(8)"]
    assert made.rungs
    assert "tree(8)" not in made.rungs


def test_a_teacher_smaller_than_the_student_leaves_no_rung():
    X, y = data(100)
    with thread_limit():
        made = ladder_between(problem(X, y), DecisionTreeClassifier(max_depth=1), DecisionTreeClassifier(), "auto")
    assert made.rungs == ()


def test_a_list_of_the_users_keeps_its_order_and_its_members():
    X, y = data(60)
    own = [
        ("small", DecisionTreeClassifier(max_depth=1)),
        ("large", RandomForestClassifier(20)),
        ("linear", LogisticRegression()),
        ("larger than the teacher", RandomForestClassifier(100)),
    ]
    made = ladder_between(problem(X, y), DecisionTreeClassifier(max_depth=2), DecisionTreeClassifier(max_depth=1), own)
    assert made.rungs == ("small", "large", "linear", "larger than the teacher")
    assert made.estimator("large") is not own[1][1]  # a copy: what the user changes later is not seen
    assert made.estimator("large").get_params() == own[1][1].get_params()
    assert made.truncations == ()


@pytest.mark.parametrize(
    ("intermediates", "error", "words"),
    [
        ([RandomForestClassifier()], InvalidSetting, r"\(name, estimator\) pairs"),
        ([("a", RandomForestClassifier(), 3)], InvalidSetting, r"\(name, estimator\) pairs"),
        ([(3, RandomForestClassifier())], InvalidSetting, r"\(name, estimator\) pairs"),
        ([("a", GaussianNB()), ("a", GaussianNB())], InvalidSetting, "'a' is taken"),
        ([("student", GaussianNB())], InvalidSetting, "'student' is taken"),
        ([("teacher", GaussianNB())], InvalidSetting, "'teacher' is taken"),
        ([("a", LinearSVC())], UnsuitableModel, "LinearSVC has none"),
    ],
    ids=str,
)
def test_a_wrong_list_of_intermediates_is_refused(intermediates, error, words):
    X, y = data(30)
    with pytest.raises(error, match=words):
        ladder_between(problem(X, y), GaussianNB(), DecisionTreeClassifier(max_depth=1), intermediates)


def test_a_student_that_cannot_take_strings_is_met_with_the_way_out():
    X = pd.DataFrame({"town": ["x", "y"] * 15, "size": np.arange(30.0), "street": ["u", "v", "w"] * 10})
    with pytest.raises(
        UnsuitableModel, match=r"student \(DecisionTreeClassifier\) .* town, street .* ColumnTransformer"
    ):
        ladder_between(problem(X, ["a", "b"] * 15), GaussianNB(), DecisionTreeClassifier(), [])


def test_a_model_that_cannot_fit_the_rows_is_named_with_its_reason():
    X, y = data(30)
    with pytest.raises(UnsuitableModel, match=r"student \(LogisticRegression\) must be able to fit .*'C' parameter"):
        ladder_between(problem(X, y), GaussianNB(), LogisticRegression(C=-1.0), [])


# Truncated teachers


@pytest.mark.parametrize(
    "forest", [RandomForestClassifier(20, random_state=0), ExtraTreesClassifier(20, random_state=0)]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_truncated_forest_is_the_mean_of_its_first_trees(forest, n_classes):
    X, y = data(n_classes=n_classes)
    whole = clone(forest).set_params(min_samples_leaf=3).fit(X, y)
    short = truncated(whole, 7)
    mean = np.mean([tree.predict_proba(X) for tree in whole.estimators_[:7]], axis=0)
    np.testing.assert_allclose(short.predict_proba(X), mean, atol=1e-12)
    assert (short.n_estimators, len(short.estimators_)) == (7, 7)
    assert (whole.n_estimators, len(whole.estimators_)) == (20, 20)
    assert type(short) is type(whole)
    assert complexity(short) < complexity(whole)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_truncated_booster_predicts_as_its_stage(n_classes):
    X, y = data(n_classes=n_classes)
    with thread_limit():
        whole = HistGradientBoostingClassifier(max_iter=12, max_bins=8).fit(X, y)
        stages = list(whole.staged_predict_proba(X))
        for k in (1, 5, 12):
            short = truncated(whole, k)
            np.testing.assert_allclose(short.predict_proba(X), stages[k - 1], atol=1e-12)
            assert (short.n_iter_, short.max_iter) == (k, k)
        np.testing.assert_allclose(whole.predict_proba(X), stages[-1], atol=1e-12)
        _, found = graded_predictions(whole, X, whole.classes_, (10, 3))
    assert set(found) == {10, 3}
    for k, proba in found.items():
        np.testing.assert_allclose(proba, stages[k - 1], atol=1e-12)


def test_the_last_stage_of_a_booster_that_stopped_early_stands_for_the_missing_ones():
    X, y = data()
    with thread_limit():
        whole = HistGradientBoostingClassifier(
            max_iter=100, max_bins=8, learning_rate=1.0, early_stopping=True, n_iter_no_change=2, random_state=0
        ).fit(X, y)
        assert 2 < whole.n_iter_ < 100
        _, found = graded_predictions(whole, X, whole.classes_, (100, 2))
        np.testing.assert_allclose(found[100], whole.predict_proba(X), atol=1e-12)
        np.testing.assert_allclose(found[2], truncated(whole, 2).predict_proba(X), atol=1e-12)


def test_a_truncate_hop_passes_on_the_stage():
    X, y = data()
    made = problem(X, y)
    rungs = ladder(RandomForestClassifier(20, random_state=0), truncations=(Truncate(10),))
    outputs, teacher = crossfit_and_fit(made, rungs, -1, ())
    assert len(teacher.estimators_) == 20
    hops = (Hop(Truncate(10), "teacher[:10]"),)
    stage = crossfit(made, rungs, -1, hops, outputs)
    np.testing.assert_array_equal(stage.predictions, outputs.stages[10])
    assert not np.array_equal(outputs.stages[10], outputs.predictions)


# Outputs by out-of-bag rows


@pytest.mark.parametrize(
    ("params", "weighted", "n_classes"),
    [
        ({}, True, 2),
        ({}, False, 3),
        ({"min_samples_leaf": 4, "max_samples": 0.5}, True, 3),
        ({"class_weight": "balanced"}, True, 3),
    ],
    ids=str,
)
def test_outputs_of_a_forest_are_its_out_of_bag_predictions(params, weighted, n_classes):
    X, y = data(n_classes=n_classes)
    given = np.random.default_rng(1).integers(1, 4, len(y)).astype(float) if weighted else None
    made = problem(X, y, sample_weight=given)
    forest = RandomForestClassifier(60, random_state=5, **params)
    for fold in (made.folds[0], made.whole):
        direct = clone(forest).set_params(oob_score=True)
        direct.fit(X[fold.train], y[fold.train], sample_weight=made.weights(fold.train))
        outputs = crossfit(made, ladder(forest), fold.number, ())
        np.testing.assert_allclose(outputs.predictions, direct.oob_decision_function_, atol=1e-6)
        assert outputs.predictions.dtype == np.float32


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_a_row_in_every_bag_gets_the_shares_of_the_classes(monkeypatch):
    monkeypatch.setattr(upper_model, "BAG_SIZE", 3)
    X, y = data(n_classes=3)
    made = problem(X, y)
    direct = RandomForestClassifier(3, random_state=0, oob_score=True).fit(X, y).oob_decision_function_
    proba = crossfit(made, ladder(RandomForestClassifier(3, random_state=0)), -1, ()).predictions
    has_one = np.isfinite(direct).all(axis=1) & (direct.sum(axis=1) > 0)
    assert 10 < has_one.sum() < 140
    np.testing.assert_allclose(proba[has_one], direct[has_one], atol=1e-6)
    shares = [np.mean(y == label) for label in "abc"]
    np.testing.assert_allclose(proba[~has_one], np.tile(shares, ((~has_one).sum(), 1)), atol=1e-6)


def test_a_stage_of_thirty_trees_is_out_of_bag_and_one_of_ten_is_cross_fitted():
    X, y = data()
    made = problem(X, y)
    rungs = ladder(RandomForestClassifier(60, random_state=0), truncations=(Truncate(30), Truncate(10)))
    outputs = crossfit(made, rungs, -1, ())
    thirty = RandomForestClassifier(30, random_state=0, oob_score=True).fit(X, y)
    np.testing.assert_allclose(outputs.stages[30], thirty.oob_decision_function_, atol=1e-6)
    ten = np.empty((len(y), 2))
    for held in made.whole.inner:
        others = np.setdiff1d(np.arange(len(y)), held)
        ten[held] = RandomForestClassifier(10, random_state=0).fit(X[others], y[others]).predict_proba(X[held])
    np.testing.assert_allclose(outputs.stages[10], ten, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_outputs_of_a_taught_forest_are_those_of_its_regression_twin_out_of_the_bag(n_classes):
    X, y = data(n_classes=n_classes)
    made = problem(X, y)
    said = np.eye(n_classes)[np.random.default_rng(0).permutation(made.y)]
    rungs = ladder(None, intermediates={"forest": RandomForestClassifier(40, min_samples_leaf=4, random_state=3)})
    outputs = crossfit(made, rungs, -1, (Hop(KD, "forest"),), TeacherOutputs(said))
    twin = RandomForestRegressor(40, min_samples_leaf=4, random_state=3, max_features="sqrt", oob_score=True)
    targets = 0.5 * said + 0.5 * np.eye(n_classes)[made.y]
    direct = twin.fit(X, targets[:, 1] if n_classes == 2 else targets).oob_prediction_
    expected = np.column_stack([1 - direct, direct]) if n_classes == 2 else direct
    np.testing.assert_allclose(outputs.predictions, expected, atol=1e-6)


def test_a_forest_taught_by_repeated_rows_is_cross_fitted_by_parts():
    X, y = data()
    made = problem(X, y)
    rising = [1] + [0] * (X.shape[1] - 1)  # with entropy there is no twin for it
    forest = RandomForestClassifier(40, criterion="entropy", monotonic_cst=rising, max_depth=3, random_state=0)
    upper = TeacherOutputs(np.random.default_rng(0).dirichlet([1, 1], len(y)))
    outputs = crossfit(made, ladder(None, intermediates={"forest": forest}), -1, (Hop(KD, "forest"),), upper)
    by_parts = np.empty((len(y), 2))
    for held in made.whole.inner:
        others = np.setdiff1d(np.arange(len(y)), held)
        transfer = KD.transfer_set(upper.take(others), made.y[others])
        fitted = fit(clone(forest), TrainingSet(X[others], made.y[others], made.classes, transfer=transfer))
        by_parts[held] = fitted.predict_proba(X[held])
    np.testing.assert_allclose(outputs.predictions, by_parts, atol=1e-6)


# Outputs by inner folds


class Memory(ClassifierMixin, BaseEstimator):
    """Says the first class with certainty of rows whose first column it saw in its fit, and the last of all others."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.seen_ = np.unique(np.asarray(X)[:, 0])
        return self

    def predict_proba(self, X):
        proba = np.zeros((len(X), len(self.classes_)))
        seen = np.isin(np.asarray(X)[:, 0], self.seen_)
        proba[seen, 0] = 1.0
        proba[~seen, -1] = 1.0
        return proba

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def remembered(made, number, hops=(), upper=None, **names):
    """Return which training rows of a fold were predicted by a model that saw them."""
    rungs = ladder(Memory(), intermediates={"memory": Memory()})
    return crossfit(made, rungs, number, hops, upper).predictions[:, 0] == 1.0


def test_no_row_is_predicted_by_a_model_that_saw_it():
    X, y = data(60)
    made = problem(X, y)
    for number in (0, 1, 2, -1):
        upper = crossfit(made, ladder(Memory()), number, ())
        assert len(upper.predictions) == len(made.fold(number).train)
        assert not remembered(made, number).any()
        assert not remembered(made, number, (Hop(KD, "memory"),), upper).any()


def test_without_cross_fitting_every_row_is_predicted_by_a_model_that_saw_it():
    X, y = data(60)
    made = problem(X, y, crossfit_cv=False)
    assert remembered(made, 0).all()
    assert remembered(made, -1).all()


def test_no_group_is_predicted_by_a_model_that_saw_part_of_it():
    _, y = data(60)
    groups = np.repeat(np.arange(20), 3)
    X = np.column_stack([groups, np.random.default_rng(0).normal(size=60)]).astype(float)
    with_groups, without = problem(X, y, groups=groups), problem(X, y)
    for number in (0, 1, 2, -1):
        assert not remembered(with_groups, number).any()
        assert remembered(without, number).any()  # rows of one group are apart where groups are not given


def test_a_forest_is_cross_fitted_by_group_and_not_out_of_bag_where_groups_are_given():
    X, y = data(60)
    made = problem(X, y, groups=np.repeat(np.arange(20), 3))
    forest = RandomForestClassifier(40, random_state=0)
    by_parts = np.empty((60, 2))
    for held in made.whole.inner:
        others = np.setdiff1d(np.arange(60), held)
        by_parts[held] = clone(forest).fit(X[others], y[others]).predict_proba(X[held])
    np.testing.assert_allclose(crossfit(made, ladder(forest), -1, ()).predictions, by_parts, atol=1e-6)


def test_a_frozen_teacher_is_used_as_it_is():
    X, y = data(60)
    frozen = FrozenEstimator(RandomForestClassifier(5, random_state=0).fit(X[:30], y[:30]))
    made = problem(X, y)
    outputs, model = crossfit_and_fit(made, ladder(frozen), 0, ())
    np.testing.assert_allclose(outputs.predictions, frozen.predict_proba(X[made.folds[0].train]), atol=1e-6)
    assert model is frozen


def test_a_part_whose_models_lack_a_class_has_a_column_of_zeros():
    X, _ = data(41)
    y = np.array(["a"] * 20 + ["b"] * 20 + ["c"])
    everything = np.arange(41)
    with pytest.warns(SeenRowsWarning):
        made = problem(X, y, cv=[(everything, everything[:5])])
    outputs = crossfit(made, ladder(DecisionTreeClassifier(max_depth=2, random_state=0)), 0, ())
    assert outputs.predictions.shape == (41, 3)
    np.testing.assert_allclose(outputs.predictions.sum(axis=1), 1.0, atol=1e-6)
    part_of_c = next(held for held in made.folds[0].inner if 40 in held)
    np.testing.assert_array_equal(outputs.predictions[part_of_c, 2], 0.0)  # its models never saw class c
    assert outputs.predictions[:, 2].max() > 0  # those of the other parts did


def test_columns_are_aligned_to_all_classes():
    X = np.array([[0.0], [1.0], [2.0]])
    tree = DecisionTreeClassifier().fit(X, ["b", "b", "d"])
    classes = np.array(["a", "b", "c", "d"])
    np.testing.assert_array_equal(stored_form(tree, X, classes), [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    svm = LinearSVC().fit(X, ["b", "b", "d"])
    assert stored_form(svm, [[0.0], [2.5]], classes).tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_a_forest_that_lacks_a_class_has_out_of_bag_columns_for_all():
    X, y = data(150, n_classes=3)
    rows = np.arange(150)
    train = rows[y != "b"]
    made = problem(X, y, cv=[(train, rows[y == "b"])])
    proba = crossfit(made, ladder(RandomForestClassifier(40, random_state=0)), 0, ()).predictions
    direct = RandomForestClassifier(40, random_state=0, oob_score=True).fit(X[train], y[train])
    np.testing.assert_allclose(proba[:, [0, 2]], direct.oob_decision_function_, atol=1e-6)
    np.testing.assert_array_equal(proba[:, 1], 0.0)


def test_outputs_do_not_depend_on_what_was_computed_before():
    X, y = data(60)
    made, rungs = problem(X, y), ladder(RandomForestClassifier(5), intermediates={"tree": DecisionTreeClassifier()})
    first = crossfit(made, rungs, 1, ())
    crossfit(made, rungs, 0, ())
    crossfit(made, rungs, 1, (Hop(KD, "tree"),), first)
    np.testing.assert_array_equal(crossfit(made, rungs, 1, ()).predictions, first.predictions)
    other = problem(X, y, random_state=1, cv=[(fold.train, fold.test) for fold in made.folds])
    assert not np.array_equal(crossfit(other, rungs, 1, ()).predictions, first.predictions)
