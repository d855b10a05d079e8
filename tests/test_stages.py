"""Stages: the k-th stage of every kind of model is what a model of k members says; probes say what a layer knows."""

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import has_fit_parameter

from multihop_search import (
    Hop,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    OwnFit,
    ProfWeight,
    TeacherOutputs,
)
from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.synthetic_rows import synthetic_rows
from multihop_search.errors import SeenRowsWarning
from multihop_search.executors.serial import SerialExecutor
from multihop_search.models.complexity import complexity
from multihop_search.models.families.mlp import hidden_layers
from multihop_search.models.stages import (
    cut_sizes,
    fitted_probes,
    graded_predictions,
    stage_sizes,
    truncated,
)
from multihop_search.paths.budget import Budget
from multihop_search.paths.ladder import Ladder
from multihop_search.problem.intake import make_problem

KD = KnowledgeDistillation(alpha=0.6, temperature=1.0)
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names", "ignore:Stochastic Optimizer")


def data(n_classes: int = 2, n_rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    score = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=n_rows)
    if n_classes == 1:
        return X, score
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def booster(library: str, n_classes: int, **params: Any) -> Any:
    """Return a booster of a library, unfitted; one class stands for regression."""
    kind = "Regressor" if n_classes == 1 else "Classifier"
    if library == "sklearn":
        made = (GradientBoostingRegressor if n_classes == 1 else GradientBoostingClassifier)(max_depth=2)
        return made.set_params(random_state=0, **params)
    module = pytest.importorskip(library)
    if library == "lightgbm":
        return getattr(module, f"LGBM{kind}")(min_child_samples=5, verbose=-1, n_jobs=1, random_state=0, **params)
    return getattr(module, f"XGB{kind}")(max_depth=2, n_jobs=1, random_state=0, **params)


def says(model: Any, X: Any) -> np.ndarray:
    return np.asarray(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X).reshape(-1, 1))


libraries = pytest.mark.parametrize("library", ["sklearn", "lightgbm", "xgboost"])
tasks = pytest.mark.parametrize("n_classes", [1, 2, 3])


# Boosters


@libraries
@tasks
def test_a_stage_of_a_booster_is_what_a_booster_of_k_rounds_says(library: str, n_classes: int) -> None:
    X, y = data(n_classes)
    whole = booster(library, n_classes, n_estimators=25).fit(X, y)
    classes = None if n_classes == 1 else np.unique(y)
    predictions, found = graded_predictions(whole, X, classes, (10, 3))
    np.testing.assert_allclose(predictions, says(whole, X), rtol=1e-6)
    assert set(found) == {10, 3}
    for k, stage in found.items():
        np.testing.assert_allclose(stage, says(clone(whole).set_params(n_estimators=k).fit(X, y), X), rtol=1e-5)
    assert not np.allclose(found[3], found[10], atol=1e-2)


@libraries
@tasks
def test_a_truncated_booster_is_a_booster_of_k_rounds(library: str, n_classes: int) -> None:
    X, y = data(n_classes)
    whole = booster(library, n_classes, n_estimators=25).fit(X, y)
    before, bytes_before = says(whole, X), complexity(whole)
    short = truncated(whole, 10)
    twin = clone(whole).set_params(n_estimators=10).fit(X, y)
    np.testing.assert_allclose(says(short, X), says(twin, X), rtol=1e-5)
    copied = pickle.loads(pickle.dumps(short))
    np.testing.assert_array_equal(says(copied, X), says(short, X))
    np.testing.assert_array_equal(short.predict(X), twin.predict(X))
    assert type(short) is type(whole)
    assert (short.n_estimators, whole.n_estimators) == (10, 25)
    assert complexity(short) < bytes_before
    np.testing.assert_array_equal(says(whole, X), before)  # it stays as it is
    assert complexity(whole) == bytes_before


def test_the_stages_of_a_gradient_booster_are_its_own() -> None:
    X, y = data(3)
    whole = GradientBoostingClassifier(n_estimators=20, max_depth=2, random_state=0).fit(X, y)
    own = list(whole.staged_predict_proba(X))
    _, found = graded_predictions(whole, X, whole.classes_, (7,))
    np.testing.assert_array_equal(found[7], own[6])
    np.testing.assert_array_equal(truncated(whole, 7).predict_proba(X), own[6])
    assert truncated(whole, 7).n_estimators_ == 7


def test_a_gradient_booster_that_stopped_early_has_its_last_stage_for_the_missing_ones() -> None:
    X, y = data()
    whole = GradientBoostingClassifier(n_estimators=100, learning_rate=1.0, n_iter_no_change=2, random_state=0)
    whole.fit(X, y)
    assert 1 < whole.n_estimators_ < 50
    _, found = graded_predictions(whole, X, whole.classes_, (50, 1))
    np.testing.assert_array_equal(found[50], whole.predict_proba(X))
    assert not np.array_equal(found[1], found[50])
    assert truncated(whole, 50).n_estimators_ == whole.n_estimators_


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_more_rounds_than_there_are_give_the_whole_model(library: str) -> None:
    X, y = data()
    whole = booster(library, 2, n_estimators=4).fit(X, y)
    _, found = graded_predictions(whole, X, whole.classes_, (9,))
    np.testing.assert_allclose(found[9], whole.predict_proba(X), rtol=1e-6)
    np.testing.assert_allclose(truncated(whole, 9).predict_proba(X), whole.predict_proba(X), rtol=1e-6)


@libraries
def test_the_last_step_of_a_pipeline_has_the_stages(library: str) -> None:
    X, y = data()
    whole = make_pipeline(StandardScaler(), make_pipeline(booster(library, 2, n_estimators=20))).fit(X, y)
    assert stage_sizes(whole) == cut_sizes(whole) == (10,)
    alone = clone(whole[-1][-1]).set_params(n_estimators=10).fit(whole[:-1].transform(X), y)
    expected = alone.predict_proba(whole[:-1].transform(X))
    np.testing.assert_allclose(graded_predictions(whole, X, whole.classes_, (10,))[1][10], expected, rtol=1e-5)
    np.testing.assert_allclose(truncated(whole, 10).predict_proba(X), expected, rtol=1e-5)


def test_lightgbm_stages_keep_categories() -> None:
    X, y = data()
    table = pd.DataFrame(X, columns=list("abcd"))
    table["d"] = pd.Categorical(np.array(["x", "y", "z"])[np.arange(len(X)) % 3])
    whole = booster("lightgbm", 2, n_estimators=20).fit(table, y)
    twin = clone(whole).set_params(n_estimators=10).fit(table, y)
    np.testing.assert_allclose(truncated(whole, 10).predict_proba(table), twin.predict_proba(table), rtol=1e-6)
    np.testing.assert_allclose(
        graded_predictions(whole, table, whole.classes_, (10,))[1][10], twin.predict_proba(table), rtol=1e-6
    )


def test_sizes_by_kind() -> None:
    assert stage_sizes(GradientBoostingClassifier(n_estimators=60)) == (30, 10)
    assert stage_sizes(HistGradientBoostingClassifier(max_iter=200)) == (100, 30, 10)
    assert stage_sizes(ExtraTreesClassifier(20)) == (10,)
    assert stage_sizes(MLPClassifier((8, 6, 4))) == (3, 2, 1)
    assert stage_sizes(make_pipeline(StandardScaler(), MLPClassifier(5))) == (1,)
    nothing = [MLPClassifier(()), MLPRegressor((8, 6)), AdaBoostClassifier(n_estimators=200), GaussianNB()]
    nothing += [type("Own", (GradientBoostingClassifier,), {})(n_estimators=60), FrozenEstimator(MLPClassifier((8, 6)))]
    for model in nothing:
        assert stage_sizes(model) == ()
    for network in (MLPClassifier((8, 6)), MLPRegressor((8, 6))):
        assert cut_sizes(network) == ()


def test_sizes_of_lightgbm() -> None:
    module = pytest.importorskip("lightgbm")
    assert stage_sizes(module.LGBMRegressor()) == (30, 10)  # 100 rounds
    assert stage_sizes(module.LGBMClassifier(boosting_type="dart")) == ()
    assert stage_sizes(module.LGBMRanker()) == ()


def test_sizes_of_xgboost() -> None:
    module = pytest.importorskip("xgboost")
    assert stage_sizes(module.XGBClassifier()) == (30, 10)  # n_estimators=None stands for 100
    assert stage_sizes(module.XGBRegressor(n_estimators=20, booster="gbtree")) == (10,)
    for name in ("dart", "gblinear"):
        assert stage_sizes(module.XGBClassifier(booster=name)) == ()
    assert stage_sizes(module.XGBRFClassifier()) == ()


def test_a_budget_of_nodes_leaves_other_libraries_as_they_are() -> None:
    student = booster("xgboost", 2)  # its n_estimators is None
    assert Budget(nodes=31).bounded(student, 2) is student


def test_a_budget_of_nodes_is_shared_by_the_rounds_of_a_gradient_booster() -> None:
    # 90 nodes, 10 rounds of 3 trees: 3 nodes a tree, 2 leaves
    bounded = Budget(nodes=90).bounded(GradientBoostingClassifier(n_estimators=10), 3)
    assert bounded.max_leaf_nodes == 2


# Networks


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_the_last_hidden_layer_leads_to_what_the_network_says(activation: str) -> None:
    X, y = data(3)
    network = MLPClassifier((7, 5), activation=activation, max_iter=20, random_state=0).fit(X, y)
    layers = hidden_layers(network, X)
    assert [layer.shape for layer in layers] == [(150, 7), (150, 5)]
    logits = layers[-1] @ network.coefs_[-1] + network.intercepts_[-1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, network.predict_proba(X), rtol=1e-6)


def test_the_first_hidden_layer_by_hand() -> None:
    X, y = data()
    network = MLPClassifier((6,), max_iter=20, random_state=0).fit(X, y)
    by_hand = np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0)
    np.testing.assert_allclose(hidden_layers(network, X)[0], by_hand)
    np.testing.assert_array_equal(hidden_layers(network, pd.DataFrame(X))[0], hidden_layers(network, X)[0])


def test_a_probe_is_a_logistic_regression_on_a_layer() -> None:
    X, y = data(3)
    labels, weights = np.array(["a", "b", "c"])[y], np.random.default_rng(1).uniform(0.5, 2, len(y))
    whole = make_pipeline(StandardScaler(), MLPClassifier((7, 5), max_iter=20, random_state=0)).fit(X, labels)
    probes = fitted_probes(whole, X, labels, weights, (2, 1))
    predictions, found = graded_predictions(whole, X, np.array(["a", "b", "c", "d"]), (2, 1), probes)
    np.testing.assert_allclose(predictions[:, :3], whole.predict_proba(X))
    layers = hidden_layers(whole[-1], whole[:-1].transform(X))
    for k in (1, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            by_hand = LogisticRegression().fit(layers[k - 1], labels, sample_weight=weights)
        np.testing.assert_allclose(found[k][:, :3], by_hand.predict_proba(layers[k - 1]), rtol=1e-6)
        np.testing.assert_array_equal(found[k][:, 3], 0.0)  # a class that the fold lacks


def test_only_networks_have_probes() -> None:
    X, y = data()
    for model in (GradientBoostingClassifier(n_estimators=3), GaussianNB()):
        assert fitted_probes(model.fit(X, y), X, y, None, (1,)) == {}


# In the engine


def problem(X: Any, y: Any, **more: Any) -> Any:
    usual = {"sample_weight": None, "groups": None, "cv": 2, "crossfit_cv": 3, "scoring": "auto", "random_state": 0}
    return make_problem(X, y, **{**usual, **more})


def ladder(teacher: Any, sizes: tuple[int, ...] = (), *, graded: bool = True, **intermediates: Any) -> Ladder:
    return Ladder(
        teacher=teacher,
        students={"student": None},
        intermediates=intermediates,
        stage_sizes=sizes,
        graded=graded,
    )


@libraries
def test_stages_of_a_teacher_are_cross_fitted(library: str) -> None:
    X, y = data(3)
    made, teacher = problem(X, y), booster(library, 3, n_estimators=20)
    outputs = crossfit(made, ladder(teacher, (10,)), -1, ())
    for held in made.whole.inner:
        others = np.setdiff1d(np.arange(len(y)), held)
        ten = clone(teacher).set_params(n_estimators=10).fit(X[others], y[others])
        np.testing.assert_allclose(outputs.stages[10][held], ten.predict_proba(X[held]), rtol=1e-4)


NETWORKS_TAKE_WEIGHTS = has_fit_parameter(MLPClassifier(), "sample_weight")  # from scikit-learn 1.7 on
with_weights = pytest.mark.skipif(not NETWORKS_TAKE_WEIGHTS, reason="the networks of this scikit-learn take no weights")


@pytest.mark.parametrize("weighted", [False, pytest.param(True, marks=with_weights)])
def test_probes_of_a_network_are_fitted_on_the_rows_that_it_was_fitted_on(weighted: bool) -> None:
    X, y = data()
    weights = np.random.default_rng(1).uniform(0.2, 5, len(y)) if weighted else None
    made = problem(X, y, sample_weight=weights)
    network = MLPClassifier((6, 4), max_iter=30, random_state=0)
    outputs = crossfit(made, ladder(network, (2, 1)), 0, ())
    train = made.folds[0].train
    assert list(outputs.stages) == [1, 2]  # weakest first
    for held in made.folds[0].inner:
        others = train[np.setdiff1d(np.arange(len(train)), held)]
        weight = {"sample_weight": weights[others] / weights.mean()} if weighted else {}
        fitted = clone(network).fit(X[others], y[others], **weight)
        for k in (1, 2):
            probe = LogisticRegression().fit(hidden_layers(fitted, X[others])[k - 1], y[others], **weight)
            expected = probe.predict_proba(hidden_layers(fitted, X[train[held]])[k - 1])
            np.testing.assert_allclose(outputs.stages[k][held], expected, atol=1e-5)


@pytest.mark.parametrize("crossfit_cv", [2, False])
def test_probes_label_synthetic_rows_too(crossfit_cv: Any) -> None:
    X, y = data()
    made = problem(X, y, crossfit_cv=crossfit_cv, synthetic={"munge": 1})
    outputs = crossfit(made, ladder(MLPClassifier((6,), max_iter=30, random_state=0), (1,)), 0, ())
    labelled = outputs.synthetic["munge"].stages[1]
    assert labelled.shape == (len(synthetic_rows(made, made.folds[0])["munge"].parent), 2)
    np.testing.assert_allclose(labelled.sum(axis=1), 1.0, rtol=1e-5)
    assert not np.allclose(labelled, outputs.synthetic["munge"].predictions)


def test_an_inner_part_without_a_class_has_nothing_to_grade() -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array([0] * 39 + [1])
    rows = np.arange(40)
    for teacher in (MLPClassifier((4,), max_iter=5), GradientBoostingClassifier(n_estimators=20)):
        with pytest.warns(SeenRowsWarning):
            made = problem(X, y, cv=[(rows, rows[:5])])
        outputs = crossfit(made, ladder(teacher, stage_sizes(teacher)), 0, ())
        alone = next(held for held in made.folds[0].inner if 39 in held)  # its models know class 0 only
        for stage in outputs.stages.values():
            np.testing.assert_array_equal(stage[alone], np.tile([1.0, 0.0], (len(alone), 1)))


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        (GradientBoostingClassifier(n_estimators=20, max_depth=2), [10]),
        (HistGradientBoostingClassifier(max_iter=20), [10]),
        pytest.param(MLPClassifier((6, 4), max_iter=30), [1, 2], marks=with_weights),
        (RandomForestClassifier(40), []),  # small stages would cost fits of their own
        (GaussianNB(), []),
    ],
    ids=str,
)
def test_an_intermediate_is_graded_where_that_costs_no_fit_and_a_scheme_asks(model: Any, stages: list[int]) -> None:
    X, y = data()
    made = problem(X, y)
    upper = TeacherOutputs(np.eye(2)[y][made.folds[0].train] * 0.8 + 0.1)
    hops = (Hop(KD, "middle"),)
    for graded in (True, False):
        found = crossfit(made, ladder(None, graded=graded, middle=model), 0, hops, upper)
        assert list(found.stages) == (stages if graded else [])


def test_the_cache_counts_the_stages_of_intermediates() -> None:
    X, y = data()
    made = problem(X, y)
    rungs = ladder(GaussianNB(), (), middle=GradientBoostingClassifier(n_estimators=60))
    prefixes = Prefixes(SerialExecutor().start(), made, rungs)
    one = len(made.folds[0].train) * 2 * 4
    prefixes.outputs(0, ())
    assert prefixes._bytes == one
    prefixes.outputs(0, (Hop(KD, "middle"),))
    assert prefixes._bytes == one + 3 * one  # itself, 30 and 10 rounds


# Searches


def graded_search(teacher: Any, **more: Any) -> MultihopSearchClassifier:
    usual = {"schemes": [ProfWeight(margin=0.0)], "n_trials": 6, "cv": 2, "crossfit_cv": 2, "random_state": 0}
    return MultihopSearchClassifier(DecisionTreeClassifier(max_depth=2), teacher, **{**usual, **more})


@pytest.mark.parametrize("kind", ["sklearn", "lightgbm", "xgboost", "network"])
def test_a_search_with_a_teacher_that_is_graded(kind: str) -> None:
    X, y = data()
    teacher = MLPClassifier((6, 4), max_iter=50) if kind == "network" else booster(kind, 2, n_estimators=20)
    search = graded_search(teacher, intermediates=[], max_hops=1, schemes=[ProfWeight(), ModelCompression()]).fit(X, y)
    assert set(search.results_["state"]) == {"COMPLETE"}
    assert search.setup_.ladder.stage_sizes == ((2, 1) if kind == "network" else (10,))
    assert search.score(X, y) < 0


@libraries
@pytest.mark.parametrize("n_classes", [1, 2])
def test_a_search_through_a_truncated_teacher(library: str, n_classes: int) -> None:
    X, y = data(n_classes)
    teacher = booster(library, n_classes, n_estimators=60)
    face = MultihopSearchRegressor if n_classes == 1 else MultihopSearchClassifier
    student = DecisionTreeRegressor(max_depth=2) if n_classes == 1 else DecisionTreeClassifier(max_depth=2)
    usual = {"schemes": [KnowledgeDistillation()], "tree_fits": [OwnFit()], "n_trials": 6, "max_hops": 2}
    search = face(student, teacher, **usual, cv=2, crossfit_cv=2, random_state=0)
    search.fit(X, y)
    truncations = search.setup_.ladder.truncations
    assert {hop.k for hop in truncations} <= {10, 30}
    assert truncations
    assert set(search.results_["state"]) <= {"COMPLETE", "PRUNED"}
    number = next(i for i, path in enumerate(search.paths_) if path.only_truncated)
    assert type(search.refit_trial(number)) is type(student)


def test_a_network_is_no_truncated_teacher() -> None:
    X, y = data()
    search = graded_search(MLPClassifier((6, 4), max_iter=50), n_trials=3, max_hops=2).fit(X, y)
    assert search.setup_.ladder.truncations == ()
    assert search.setup_.ladder.stage_sizes == (2, 1)
