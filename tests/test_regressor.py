"""`MultihopSearchRegressor`: the search where the target is a number."""

import pickle
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from searches import searches
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import get_scorer, mean_squared_error
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchRegressor,
    OwnFit,
    SRatio,
    TeacherOutputs,
)
from multihop_search.engine.crossfit import crossfit, crossfit_and_fit
from multihop_search.errors import InvalidData, InvalidSetting, UnsuitableModel
from multihop_search.paths.path import Hop
from multihop_search.verdict import judge

TREE = DecisionTreeRegressor(max_depth=3)
TEACHER = RandomForestRegressor(3)
POOL = [("forest", RandomForestRegressor(2, max_depth=6)), ("tree", DecisionTreeRegressor(max_depth=6))]
TIMES = ["fit_seconds", "latency_us", "on_front"]
KD = KnowledgeDistillation(alpha=0.6, temperature=1.0)


@pytest.fixture(scope="module")
def diabetes() -> tuple[pd.DataFrame, pd.Series]:
    """442 rows, 10 columns."""
    return load_diabetes(return_X_y=True, as_frame=True)


search_for = searches(
    TREE, TEACHER, kind=MultihopSearchRegressor, intermediates=POOL, schemes=[KD], n_trials=9, cv=2, crossfit_cv=2
)


@pytest.fixture(scope="module")
def found(diabetes: Any) -> MultihopSearchRegressor:
    settings = {"schemes": "auto", "teacher": RandomForestRegressor(10, min_samples_leaf=3), "n_trials": 9}
    return search_for(**settings).fit(*diabetes)


# The search


def test_the_student_is_the_users_class_within_its_size(found: MultihopSearchRegressor, diabetes: Any) -> None:
    X, y = diabetes
    assert type(found.best_estimator_) is DecisionTreeRegressor
    assert found.best_estimator_.get_depth() <= 3
    assert not hasattr(found, "classes_")
    assert set(found.results_["state"]) <= {"COMPLETE", "PRUNED"}
    assert set(found.results_["hops"]) == {0, 1, 2, 3}
    assert any("ModelCompression" in path for path in found.results_["path"])
    np.testing.assert_array_equal(found.predict(X), found.best_estimator_.predict(X))
    assert found.score(X, y) == pytest.approx(-mean_squared_error(y, found.predict(X)))
    assert not hasattr(found, "predict_proba")
    data = pickle.dumps(found.best_estimator_)
    assert b"multihop_search" not in data
    np.testing.assert_array_equal(pickle.loads(data).predict(X), found.predict(X))


@pytest.mark.once
def test_one_seed_gives_one_search_and_another_another(diabetes: Any) -> None:
    one, again, other = (
        search_for(random_state=seed, n_trials=2, intermediates=[]).fit(*diabetes) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(
        again.results_.drop(columns=TIMES), one.results_.drop(columns=TIMES), check_exact=True
    )
    pd.testing.assert_frame_equal(again.verdict_.table, one.verdict_.table, check_exact=True)
    np.testing.assert_array_equal(again.predict(diabetes[0]), one.predict(diabetes[0]))
    assert not (other.results_["score"] == one.results_["score"]).all()


@pytest.mark.parametrize(
    "scoring", ["r2", "neg_mean_absolute_error", "neg_mean_squared_error", "neg_median_absolute_error"]
)
def test_the_first_trial_is_scored_as_scikit_learn_does(scoring: str, diabetes: Any) -> None:
    X, y = diabetes
    folds = KFold(3, shuffle=True, random_state=7)
    student = DecisionTreeRegressor(max_depth=3, random_state=5)
    search = search_for(student, cv=folds, scoring=scoring, n_trials=3).fit(X, y)
    ours = [search.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)]
    np.testing.assert_allclose(ours, cross_val_score(student, X, y, cv=folds, scoring=scoring), rtol=1e-12)
    assert search.verdict_.table["verdict"].notna().all()
    assert search.score(X, y) == pytest.approx(get_scorer(scoring)(search.best_estimator_, X, y))


@pytest.mark.once
def test_auto_scoring_is_the_squared_error(diabetes: Any) -> None:
    one = search_for(n_trials=3).fit(*diabetes)
    two = search_for(n_trials=3, scoring="neg_mean_squared_error").fit(*diabetes)
    np.testing.assert_array_equal(one.results_["score"], two.results_["score"])


def test_the_verdict_shows_rmse_and_r2(found: MultihopSearchRegressor, diabetes: Any) -> None:
    _, y = diabetes
    scores = found.verdict_.scores
    assert list(scores.columns) == ["score", "rmse", "r2"]
    assert list(scores.index) == ["plain", "one-hop", "multi-hop", "selected", "own fit", "no skill", "teacher"]
    np.testing.assert_allclose(scores["rmse"] ** 2, -scores["score"], rtol=1e-9)
    np.testing.assert_allclose(scores["r2"], 1 - scores["rmse"] ** 2 / np.var(y), rtol=1e-9, atol=1e-10)
    assert scores.loc["teacher", "r2"] > 0.3
    assert "RMSE" in str(found.verdict_).upper() or "squared error" in str(found.verdict_)


@pytest.mark.once
def test_r2_is_that_of_weighted_rows(diabetes: Any) -> None:
    X, y = diabetes
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    scores = search_for(n_trials=6).fit(X, y, sample_weight=weight).verdict_.scores
    mean = np.average(y, weights=weight)
    variance = np.average((y - mean) ** 2, weights=weight)
    np.testing.assert_allclose(scores["r2"], 1 - scores["rmse"] ** 2 / variance, rtol=1e-9, atol=1e-10)


def test_a_constant_target() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    search = search_for(schemes="auto", n_trials=9).fit(X, np.full(60, 4.5))
    np.testing.assert_allclose(search.predict(X), 4.5)
    assert search.verdict_.scores["r2"].isna().all()
    assert (search.results_["state"] == "COMPLETE").all()
    assert search.best_path_.hops == ()  # nothing is better than plain
    assert str(search.verdict_)


@pytest.mark.parametrize("dtype", ["int64", "float32", "Int64", "bool"])
def test_targets_of_other_number_types(dtype: str) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = pd.Series(np.round(X[:, 0] > 0) if dtype == "bool" else np.round(5 * X[:, 0])).astype(dtype)
    search = search_for(n_trials=3, intermediates=[]).fit(X, y)
    assert search.predict(X).dtype.kind == "f"
    assert np.corrcoef(search.predict(X), y.astype(float))[0, 1] > 0.8


def test_students_in_a_pipeline(diabetes: Any) -> None:
    student = make_pipeline(StandardScaler(), Ridge())
    search = search_for(student, n_trials=3, schemes=[KD, ModelCompression(multiple=1)]).fit(*diabetes)
    assert [type(step) for _, step in search.best_estimator_.steps] == [StandardScaler, Ridge]
    assert (search.results_["state"] == "COMPLETE").all()


@pytest.mark.usefixtures("small_teachers")
def test_the_default_teacher_and_pool_are_regressors() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = X[:, 0] ** 2 + np.sign(X[:, 1]) + 0.1 * rng.normal(size=150)
    search = search_for(DecisionTreeRegressor(max_depth=2), "auto", intermediates="auto", n_trials=3).fit(X, y)
    assert type(search.teacher_) in (RandomForestRegressor, HistGradientBoostingRegressor, VotingRegressor)
    assert "forest(30)" in search.space_.rungs
    assert search.verdict_.scores.loc["teacher", "r2"] > 0.5


# What is tuned


@pytest.mark.once
def test_pruning_choices_scale_with_the_variance_of_the_target(diabetes: Any) -> None:
    X, y = diabetes
    found = {}
    for scale in (1.0, 1000.0):
        search = search_for(n_trials=4, teacher=DecisionTreeRegressor(random_state=0), intermediates=[])
        found[scale] = search.fit(X, y * scale)
    choices = {
        scale: np.array(search.space_.distributions["student.ccp_alpha"].choices) for scale, search in found.items()
    }
    np.testing.assert_allclose(choices[1.0], np.array([0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]) * np.var(y))
    np.testing.assert_allclose(choices[1000.0], choices[1.0] * 1e6)
    # So the unit of the target does not matter: the same trees grow.
    assert list(found[1.0].results_["nodes"]) == list(found[1000.0].results_["nodes"])
    np.testing.assert_allclose(found[1000.0].predict(X), 1000.0 * found[1.0].predict(X), rtol=1e-5)


# Distillation by hand


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_targets_mix_predicted_and_true_values(alpha: float) -> None:
    q, y = np.array([[1.0], [4.0], [-2.0]]), np.array([3.0, 4.0, 0.0])
    scheme = KnowledgeDistillation(alpha=alpha).for_regression()
    transfer = scheme.transfer_set(TeacherOutputs(q), y)
    np.testing.assert_allclose(transfer.targets[:, 0], alpha * q[:, 0] + (1 - alpha) * y)
    assert transfer.targets.shape == (3, 1)
    assert transfer.weights.tolist() == [1, 1, 1]


def test_a_taught_student_is_the_one_fitted_by_hand(diabetes: Any) -> None:
    X, y = diabetes
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    student = DecisionTreeRegressor(max_depth=3, random_state=0)
    teacher = DecisionTreeRegressor(max_depth=7, random_state=0)
    search = search_for(
        student, teacher, intermediates=[], n_trials=2, max_hops=1, param_distributions={}, tree_fits=[OwnFit()]
    )
    search.fit(X, y, sample_weight=weight)
    fold, weight = search.setup_.problem.whole, search.setup_.problem.sample_weight
    q = np.empty(len(y))
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(y)), part)
        q[part] = clone(teacher).fit(X.iloc[rest], y.iloc[rest], sample_weight=weight[rest]).predict(X.iloc[part])
    mixed = 0.6 * q + 0.4 * y
    by_hand = clone(student).fit(X, mixed, sample_weight=weight)
    np.testing.assert_allclose(search.refit_trial(1).predict(X), by_hand.predict(X), rtol=1e-6)
    plain = clone(student).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(search.refit_trial(0).predict(X), plain.predict(X))


def test_a_frozen_teacher_is_used_as_it_is(diabetes: Any) -> None:
    X, y = diabetes
    model = Ridge().fit(X, y)
    search = search_for(
        LinearRegression(), FrozenEstimator(model), intermediates=[], schemes=[KnowledgeDistillation(alpha=1.0)],
        n_trials=2, max_hops=1,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(search.refit_trial(1).predict(X), model.predict(X), rtol=1e-4)
    assert any("optimistic" in note for note in search.verdict_.notes)


# Cross-fitted outputs


def made_for(search: MultihopSearchRegressor, X: Any, y: Any) -> Any:
    return search.set_up(X, y)


def by_unseen_trees(forest: Any, X: np.ndarray) -> np.ndarray:
    """Return, for each row, the mean of the trees that did not draw it."""
    total, count = np.zeros(len(X)), np.zeros(len(X))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = ~np.isin(np.arange(len(X)), drawn)
        total[unseen] += tree.predict(X[unseen])
        count[unseen] += 1
    assert count.min() > 0
    return total / count


def test_a_large_forest_is_crossfitted_by_its_out_of_bag_rows(diabetes: Any) -> None:
    X, y = diabetes[0].to_numpy(), diabetes[1].to_numpy()
    teacher = RandomForestRegressor(60, min_samples_leaf=2, random_state=3)
    rung = RandomForestRegressor(40, min_samples_leaf=3, random_state=4)
    made = made_for(search_for(teacher=teacher, intermediates=[("rung", rung)]), X, y)
    fold = made.problem.folds[1]
    outputs, model = crossfit_and_fit(made.problem, made.ladder, 1, ())
    assert len(model.estimators_) == 60
    train = X[fold.train]
    np.testing.assert_allclose(outputs.predictions[:, 0], by_unseen_trees(model, train), rtol=1e-5)
    known = clone(teacher).set_params(oob_score=True).fit(train, y[fold.train])
    np.testing.assert_allclose(outputs.predictions[:, 0], known.oob_prediction_, rtol=1e-5)
    # The rung, taught by the mixed values.
    hops = (Hop(KD, "rung"),)
    below, taught = crossfit_and_fit(made.problem, made.ladder, 1, hops, outputs)
    mixed = 0.6 * outputs.predictions[:, 0].astype(float) + 0.4 * y[fold.train]
    by_hand = clone(rung).set_params(oob_score=True).fit(train, mixed)
    np.testing.assert_allclose(below.predictions[:, 0], by_unseen_trees(taught, train), rtol=1e-5)
    np.testing.assert_allclose(below.predictions[:, 0], by_hand.oob_prediction_, rtol=1e-5)


def test_stages_of_a_forest_are_its_first_trees(diabetes: Any) -> None:
    X, y = diabetes[0].to_numpy(), diabetes[1].to_numpy()
    teacher = RandomForestRegressor(80, min_samples_leaf=2, random_state=3)
    made = made_for(search_for(teacher=teacher, intermediates="auto"), X, y)
    outputs = crossfit(made.problem, made.ladder, 0, ())
    assert set(outputs.stages) == {hop.k for hop in made.ladder.truncations}
    assert outputs.stages
    assert max(outputs.stages) <= 40
    fold = made.problem.folds[0]
    train = X[fold.train]
    for k, stage in outputs.stages.items():
        assert stage.shape == outputs.predictions.shape
        if k >= 30:  # out of bag
            first = clone(teacher).set_params(n_estimators=k, oob_score=True).fit(train, y[fold.train])
            np.testing.assert_allclose(stage[:, 0], first.oob_prediction_, rtol=1e-5)
        else:  # by the inner parts
            for part in fold.inner:
                rest = np.setdiff1d(np.arange(len(train)), part)
                first = clone(teacher).set_params(n_estimators=k).fit(train[rest], y[fold.train][rest])
                np.testing.assert_allclose(stage[part, 0], first.predict(train[part]), rtol=1e-5)


def test_stages_of_a_booster_are_its_first_rounds(diabetes: Any) -> None:
    X, y = diabetes[0].to_numpy(), diabetes[1].to_numpy()
    teacher = HistGradientBoostingRegressor(max_iter=40, early_stopping=False, random_state=0)
    made = made_for(search_for(teacher=teacher, intermediates="auto"), X, y)
    outputs = crossfit(made.problem, made.ladder, 0, ())
    assert outputs.stages
    fold = made.problem.folds[0]
    train = X[fold.train]
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(train)), part)
        for k, stage in outputs.stages.items():
            first = clone(teacher).set_params(max_iter=k).fit(train[rest], y[fold.train][rest])
            np.testing.assert_allclose(stage[part, 0], first.predict(train[part]), rtol=1e-5)


def test_a_truncated_teacher_serves_as_a_rung_in_regression(diabetes: Any) -> None:
    search = search_for(teacher=RandomForestRegressor(30, random_state=0), intermediates="auto", n_trials=6)
    search.fit(*diabetes)
    paths = search.results_["path"]
    assert any("Truncate" in path for path in paths)
    assert set(search.results_["state"]) <= {"COMPLETE", "PRUNED"}


# judge() on a table of values


def test_judge_takes_a_table_of_values() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    plain, one, two = y + rng.normal(size=400), y + 0.4 * rng.normal(size=400), y + 0.4 * rng.normal(size=400)
    verdict = judge(np.stack([plain, one, two]), y, [0, 1, 2], random_state=0)
    assert verdict.table.loc["one-hop vs plain", "verdict"] == "beats"
    gain = np.mean((plain - y) ** 2) - np.mean((one - y) ** 2)
    assert verdict.table.loc["one-hop vs plain", "gain"] == pytest.approx(gain, rel=0.05)
    assert verdict.scores.loc["plain", "rmse"] == pytest.approx(np.sqrt(np.mean((plain - y) ** 2)), rel=0.02)
    assert verdict.scores.loc["plain", "r2"] == pytest.approx(1 - np.mean((plain - y) ** 2) / y.var(), abs=0.05)
    assert verdict.score == "squared error"
    absolute = judge([plain, one, two], y, [0, 1, 2], scoring="neg_mean_absolute_error", random_state=0)
    assert -absolute.scores.loc["one-hop", "score"] == pytest.approx(np.abs(one - y).mean(), rel=0.05)
    by_r2 = judge([plain, one, two], y, [0, 1, 2], scoring="r2", random_state=0)
    assert by_r2.scores.loc["one-hop", "score"] == pytest.approx(by_r2.scores.loc["one-hop", "r2"], abs=0.02)


@pytest.mark.once
@pytest.mark.parametrize("scoring", ["r2", "explained_variance", "neg_median_absolute_error"])
def test_rows_of_weight_0_alone_are_no_fold(scoring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resample may draw, from some fold, only rows that weigh nothing: it is left out there."""
    monkeypatch.setattr("multihop_search.verdict.interval.N_DRAWS_REPLAYED", 100)  # of twelve none might be whole
    rng = np.random.default_rng(0)
    y = rng.normal(size=40)
    weight = (np.arange(40) < 8).astype(float)
    table = y + rng.normal(size=(3, 40))
    verdict = judge(table, y, [0, 1, 2], scoring=scoring, sample_weight=weight, random_state=0)
    assert np.isfinite(verdict.scores.loc[["plain", "one-hop"], "score"]).all()


@pytest.mark.parametrize(
    ("predictions", "y", "message"),
    [
        (np.zeros((2, 5)), np.zeros(6), r"predictions must have shape \(n_trials, n_rows\) = \(2, 6\), got \(2, 5"),
        (np.full((2, 6), np.nan), np.zeros(6), "predictions must be finite"),
        (np.zeros((2, 6)), np.array(list("abcdef")), "y must hold numbers in regression"),
    ],
)
def test_judge_refuses_what_is_no_table_of_values(predictions: Any, y: Any, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        judge(predictions, y, [0, 1])


# Refusals: one sentence, and nothing was fitted


class CountingRegressor(RandomForestRegressor):
    """Counts its fits, clones included."""

    fits: ClassVar[int] = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        CountingRegressor.fits += 1
        return super().fit(X, y, sample_weight)


class CountingTree(DecisionTreeRegressor):
    """Counts its fits, clones included."""

    fits: ClassVar[int] = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        CountingTree.fits += 1
        return super().fit(X, y, sample_weight)


RNG = np.random.default_rng(0)
X_SMALL = RNG.normal(size=(60, 3))
Y_SMALL = X_SMALL[:, 0] + 0.1 * RNG.normal(size=60)


def counted(**settings: Any) -> MultihopSearchRegressor:
    CountingRegressor.fits = CountingTree.fits = 0
    return search_for(**{"student": CountingTree(max_depth=2), "teacher": CountingRegressor(5), **settings})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"schemes": [HardLabels()]}, UnsuitableModel, "schemes must serve regression, HardLabels needs class prob"),
        ({"schemes": [KD, ConfWeight()]}, UnsuitableModel, "schemes must serve regression, ConfWeight needs class"),
        ({"schemes": [SRatio()]}, UnsuitableModel, "schemes must serve regression, SRatio needs class probabilities"),
        (
            {"schemes": [KnowledgeDistillation(alpha=0.5, temperature=2.0)]},
            InvalidSetting,
            "temperature of KnowledgeDistillation must be 1 in regression, got 2.0",
        ),
        (
            {"student": DecisionTreeClassifier()},
            UnsuitableModel,
            "student must be a regressor, DecisionTreeClassifier is a classifier: .* or use MultihopSearchClassifier",
        ),
        (
            {"student": [("a", TREE), ("b", LogisticRegression())]},
            UnsuitableModel,
            "b must be a regressor, LogisticRegression is a classifier",
        ),
        (
            {"teacher": RandomForestClassifier()},
            UnsuitableModel,
            "teacher must be a regressor, RandomForestClassifier is a classifier",
        ),
        ({"teacher": "forest"}, InvalidSetting, "teacher must be 'auto' or a regressor, got 'forest'"),
        ({"scoring": "accuracy"}, InvalidSetting, "scoring must score numbers in regression, accuracy does not"),
        ({"scoring": "roc_auc"}, InvalidSetting, "scoring must score numbers in regression, roc_auc does not"),
        ({"scoring": "neg_log_loss"}, InvalidSetting, "scoring must score numbers in regression, neg_log_loss does"),
        ({"scoring": "f1_macro"}, InvalidSetting, "scoring must score numbers in regression, f1_macro does not"),
        ({"scoring": "rmse"}, InvalidSetting, "scoring must be 'auto' or a name in .* got 'rmse'"),
    ],
)
def test_settings_that_do_not_serve_regression(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    search = counted(**settings)
    with pytest.raises(error, match=message):
        search.fit(X_SMALL, Y_SMALL)
    assert CountingRegressor.fits == CountingTree.fits == 0


def test_an_intermediate_that_classifies_is_refused_before_a_trial_runs() -> None:
    search = counted(intermediates=[("middle", RandomForestClassifier())])
    with pytest.raises(UnsuitableModel, match="intermediate 'middle' must be a regressor, RandomForestClassifier is"):
        search.fit(X_SMALL, Y_SMALL)
    assert CountingRegressor.fits <= 1  # the probe


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(Y_SMALL > 0, "yes", "no"), "y must hold numbers in regression, got .*: use MultihopSearchClassifier"),
        (pd.Categorical(np.where(Y_SMALL > 0, "yes", "no")), "y must hold numbers in regression"),
        (np.where(np.arange(60) == 3, np.nan, Y_SMALL), "y must have no missing label, 1 of 60 are NaN"),
        (
            pd.Series(Y_SMALL).where(np.arange(60) != 3, pd.NA).astype("Float64"),
            "y must have no missing label, 1 of 60",
        ),
        (np.where(np.arange(60) == 3, np.inf, Y_SMALL), "a target must be finite"),
        (np.column_stack([Y_SMALL, Y_SMALL]), "y must be one column of labels, got 2 columns"),
        (pd.Series(pd.date_range("2020", periods=60)), "y must hold numbers in regression, got datetime64"),
        (pd.Series(pd.to_timedelta(range(60), unit="s")), "y must hold numbers in regression, got timedelta64"),
        (Y_SMALL[:50], "y must have one label for each of the 60 rows, got 50"),
        (None, "the target y is None"),
    ],
    ids=["strings", "categories", "nan", "NA", "inf", "columns", "dates", "durations", "short", "none"],
)
def test_targets_that_are_no_numbers(y: Any, message: str) -> None:
    search = counted()
    with pytest.raises(InvalidData, match=message):
        search.fit(X_SMALL, y)
    assert CountingRegressor.fits == CountingTree.fits == 0


def test_too_few_rows() -> None:
    with pytest.raises(InvalidData, match="cv=3 needs at least 3 rows, got n_samples=2"):
        counted(cv=3).fit(X_SMALL[:2], Y_SMALL[:2])
