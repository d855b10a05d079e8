"""A search inside the tools of scikit-learn, Ray Tune and Optuna: it is an ordinary estimator and an ordinary study."""

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
import pytest
import sklearn
from ray import cloudpickle
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from multihop_search import MultihopSearchClassifier, OwnFit
from multihop_search.integrations import from_predictions


def small_search(**settings: Any) -> MultihopSearchClassifier:
    usual = {"n_trials": 2, "cv": 2, "crossfit_cv": 2, "random_state": 0, "intermediates": [], "tree_fits": [OwnFit()]}
    student, teacher = DecisionTreeClassifier(max_depth=3), RandomForestClassifier(2)
    return MultihopSearchClassifier(student, teacher, **{**usual, **settings})


@pytest.fixture
def two(blobs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, named."""
    X, y = blobs
    return X, np.where(y == 0, "no", "yes")


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_in_a_pipeline_it_is_the_last_step(blobs: Any) -> None:
    X, y = blobs
    pipe = make_pipeline(StandardScaler(), small_search()).fit(X, y)
    alone = small_search().fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_array_equal(pipe.predict_proba(X), alone.predict_proba(StandardScaler().fit_transform(X)))
    weighted = make_pipeline(StandardScaler(), small_search(max_hops=0))  # the leaves of the teacher's trees are pure
    weighted.fit(X, y, multihopsearchclassifier__sample_weight=np.where(y == 0, 0.01, 1.0))
    assert (weighted.predict(X) == 0).sum() < (pipe.predict(X) == 0).sum()


def test_a_grid_searches_its_student_and_its_settings(blobs: Any) -> None:
    grid = GridSearchCV(small_search(), [{"student__max_depth": [1, 3]}, {"max_hops": [0]}], cv=2).fit(*blobs)
    assert grid.best_params_ == {"student__max_depth": 3}
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert 1 < grid.best_estimator_.best_estimator_.get_depth() <= 3


def test_its_score_counts_weights(blobs: Any) -> None:
    X, y = blobs
    search = small_search().fit(X, y)
    weight = (np.arange(len(y)) < 90).astype(float)
    assert search.score(X, y, sample_weight=weight) == pytest.approx(search.score(X[:90], y[:90]), abs=1e-12)
    assert search.score(X, y) != pytest.approx(search.score(X[:90], y[:90]), abs=1e-6)


def test_its_tags_are_what_all_of_its_students_take() -> None:
    tree, line, near = DecisionTreeClassifier(), LogisticRegression(), KNeighborsClassifier(metric="precomputed")
    for students, takes_nan, is_pairwise in (
        ([("tree", tree)], True, False),
        ([("tree", tree), ("line", line)], False, False),
        ([("tree", tree), ("near", near)], False, True),
    ):
        tags = get_tags(MultihopSearchClassifier(students)).input_tags
        assert (tags.allow_nan, tags.pairwise) == (takes_nan, is_pairwise)


def test_it_stacks(blobs: Any) -> None:
    X, y = blobs
    members = [("ours", small_search()), ("linear", LogisticRegression(max_iter=1000))]
    stack = StackingClassifier(members, LogisticRegression(max_iter=1000), cv=2).fit(X, y)
    assert stack.transform(X).shape == (240, 6)
    assert stack.score(X, y) > 0.6


def test_it_is_calibrated(two: Any) -> None:
    X, y = two
    calibrated = CalibratedClassifierCV(small_search(), cv=2).fit(X, y)
    assert len(calibrated.calibrated_classifiers_) == 2
    ours = small_search().fit(X, y)
    after = CalibratedClassifierCV(FrozenEstimator(ours)).fit(X, y)
    assert not np.allclose(after.predict_proba(X), ours.predict_proba(X))
    np.testing.assert_allclose(after.predict_proba(X).sum(axis=1), 1)


def test_its_threshold_is_tuned(two: Any) -> None:
    X, y = two
    tuned = TunedThresholdClassifierCV(small_search(), scoring="balanced_accuracy", cv=2).fit(X, y)
    assert 0 <= tuned.best_threshold_ <= 1
    low = FixedThresholdClassifier(small_search(), threshold=0.01, pos_label="yes").fit(X, y)
    assert (low.predict(X) == "yes").sum() >= (tuned.predict(X) == "yes").sum()


def test_one_search_for_each_class(blobs: Any) -> None:
    X, y = blobs
    assert len(OneVsRestClassifier(small_search()).fit(X, y).estimators_) == 3


def test_it_is_cross_validated(blobs: Any) -> None:
    X, y = blobs
    scores = cross_val_score(small_search(), X, y, cv=2, scoring="accuracy", error_score="raise")
    assert scores.min() > 0.5
    assert cross_val_predict(small_search(), X, y, cv=2, method="predict_proba").shape == (240, 3)


KEPT = np.arange(240) % 3 > 0
"""Rows of weight 1; the others have weight 0, so the weights that arrive (of mean 1) sum to the number of these."""


def total_weight(search: Any) -> float:
    """Return the weight of all rows that the student was fitted on."""
    return float(search.best_estimator_.tree_.weighted_n_node_samples[0])


def test_without_routing_fit_takes_params_of_cross_validation(blobs: Any) -> None:
    X, y = blobs
    weight = KEPT.astype(float)
    params = {"sample_weight": weight, "groups": np.arange(240) // 2}
    found = cross_validate(
        small_search(), X, y, cv=2, params=params, return_estimator=True, return_indices=True, error_score="raise"
    )
    totals = list(map(total_weight, found["estimator"]))
    assert totals == pytest.approx([KEPT[rows].sum() for rows in found["indices"]["train"]], abs=0.01)


@pytest.mark.usefixtures("routing")
def test_with_routing_what_is_requested_arrives(blobs: Any) -> None:
    X, y = blobs
    weight = KEPT.astype(float)
    search = small_search().set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
    params = {"sample_weight": weight, "groups": np.arange(240) // 2}
    found = cross_validate(
        search, X, y, cv=2, params=params, return_estimator=True, return_indices=True, error_score="raise"
    )
    totals = list(map(total_weight, found["estimator"]))
    assert totals == pytest.approx([KEPT[rows].sum() for rows in found["indices"]["train"]], abs=0.01)
    weighted = make_scorer(sklearn.metrics.accuracy_score).set_score_request(sample_weight=True)
    grid = GridSearchCV(search, {"max_hops": [1]}, cv=2, scoring=weighted).fit(X, y, **params)
    assert total_weight(grid.best_estimator_) == pytest.approx(KEPT.sum(), abs=0.01)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), search)
    assert total_weight(pipe.fit(X, y, **params)[-1]) == pytest.approx(KEPT.sum(), abs=0.01)


@pytest.mark.usefixtures("routing")
def test_with_routing_nothing_is_passed_on_in_silence(blobs: Any) -> None:
    X, y = blobs
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(small_search(), X, y, cv=2, params={"sample_weight": np.ones(240)}, error_score="raise")


@pytest.mark.usefixtures("routing")
def test_with_routing_on_its_own_scorers_and_folds_still_work(blobs: Any) -> None:
    X, y = blobs
    weight = KEPT.astype(float)
    requested = get_scorer("accuracy").set_score_request(sample_weight=True)
    search = small_search(scoring=requested).fit(X, y, sample_weight=weight)
    assert total_weight(search) == pytest.approx(KEPT.sum(), abs=0.01)
    assert small_search(scoring="accuracy").fit(X, y, sample_weight=weight).best_score_ > 0.5


def test_copies_of_every_kind(blobs: Any) -> None:
    X, y = blobs
    search = small_search().fit(X, y)
    assert not hasattr(clone(search), "best_estimator_")
    assert clone(search).fit(X, y).best_path_ == search.best_path_
    for same in (pickle.loads(pickle.dumps(search)), cloudpickle.loads(cloudpickle.dumps(search))):
        np.testing.assert_array_equal(same.predict_proba(X), search.predict_proba(X))
        assert str(same.verdict_) == str(search.verdict_)
    oof = cross_val_predict(RandomForestClassifier(5, random_state=0), X, y, method="predict_proba")
    given = clone(small_search().set_params(teacher=from_predictions(oof))).fit(X, y)
    assert pickle.loads(pickle.dumps(given)).best_path_ == given.best_path_


def test_inside_ray_tune(blobs: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function trainable, as docs/integrations.md has it; the search stays in the process of its trial."""
    pytest.importorskip("ray.tune", reason="Ray Tune is not installed", exc_type=ImportError)
    import ray
    from ray import tune

    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    X, y = blobs

    def trainable(config: dict[str, Any]) -> dict[str, Any]:
        student = DecisionTreeClassifier(max_depth=config["max_depth"])
        settings = {"n_trials": 3, "cv": 2, "crossfit_cv": 2, "intermediates": [], "random_state": 0, "n_jobs": 2}
        model = MultihopSearchClassifier(student, RandomForestClassifier(5), **settings).fit(X, y)
        return {"score": model.best_score_, "nodes": model.best_estimator_.tree_.node_count}

    started = not ray.is_initialized()
    try:
        tuner = tune.Tuner(
            trainable,
            param_space={"max_depth": tune.grid_search([1, 3])},
            tune_config=tune.TuneConfig(metric="score", mode="max"),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        )
        best = tuner.fit().get_best_result()
    finally:
        if started:
            ray.shutdown()
    assert best.config == {"max_depth": 3}
    assert best.metrics["nodes"] <= 15


def test_what_an_mlflow_callback_reads_is_there(blobs: Any) -> None:
    """`optuna_integration.MLflowCallback` reads these of the study and of each trial that was told."""
    logged: list[dict[str, Any]] = []

    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        assert study.study_name
        assert [direction.name for direction in study.directions] == ["MAXIMIZE"]
        assert trial.datetime_start is not None
        assert trial.datetime_complete is not None
        assert set(trial.distributions) == set(trial.params)
        value = trial.values[0] if trial.values is not None else None
        logged.append({"number": trial.number, "state": trial.state.name, "params": trial.params, "value": value})

    search = small_search(callbacks=[callback], n_trials=3).fit(*blobs)
    assert [run["number"] for run in logged] == list(range(3))
    assert [run["state"] for run in logged] == list(search.results_.state)
    assert logged[0]["params"]["n_hops"] == 0
    assert logged[0]["value"] == pytest.approx(search.results_.score[0])


@pytest.mark.filterwarnings("ignore")
def test_runs_in_the_real_mlflow(blobs: Any, tmp_path: Any) -> None:
    """By a function, as docs/integrations.md has it, and by the callback of optuna-integration."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    integration = pytest.importorskip("optuna_integration", reason="optuna-integration is not installed")
    uri = f"sqlite:///{tmp_path}/runs.db"
    mlflow.set_tracking_uri(uri)

    def log_run(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        with mlflow.start_run(run_name=f"trial {trial.number}"):
            mlflow.log_params(trial.params)
            mlflow.set_tags({"state": trial.state.name, **trial.user_attrs})
            if trial.value is not None:
                mlflow.log_metric("score", trial.value)

    theirs = integration.MLflowCallback(tracking_uri=uri, metric_name="score")
    search = small_search(callbacks=[log_run, theirs]).fit(*blobs)
    runs = mlflow.search_runs(search_all_experiments=True)
    assert sorted(runs["metrics.score"]) == pytest.approx(sorted([*search.results_.score] * 2))
    assert set(runs["params.n_hops"]) == {"0", "1"}


# models in a list are set by name


def two_students() -> MultihopSearchClassifier:
    line = make_pipeline(StandardScaler(), LogisticRegression())
    return MultihopSearchClassifier(
        [("tree", DecisionTreeClassifier(max_depth=3)), ("line", line)],
        RandomForestClassifier(5),
        intermediates=[("deep", DecisionTreeClassifier(max_depth=6))],
        n_trials=2,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    )


def test_parameters_of_models_in_a_list_have_names_and_can_be_set() -> None:
    search = two_students()
    params = search.get_params()
    assert params["student__tree"] is search.student[0][1]
    assert params["student__tree__max_depth"] == 3
    assert params["student__line__logisticregression__C"] == 1.0
    assert params["intermediates__deep__max_depth"] == 6
    assert not any(name.startswith(("student__", "intermediates__")) for name in search.get_params(deep=False))
    assert clone(search).set_params(**params).get_params() == params
    changed = clone(search).set_params(
        student__tree__max_depth=1, student__line__logisticregression__C=0.1, intermediates__deep__max_depth=4
    )
    assert changed.get_params()["student__tree__max_depth"] == 1
    assert changed.student[1][1][-1].C == 0.1
    assert changed.intermediates[0][1].max_depth == 4
    assert search.get_params() == params


def test_a_model_in_a_list_is_replaced_in_a_new_list() -> None:
    search = two_students()
    given = search.student
    search.set_params(student__tree=DecisionTreeClassifier(max_depth=5), student__tree__min_samples_leaf=4)
    assert [name for name, _ in search.student] == ["tree", "line"]
    assert (search.student[0][1].max_depth, search.student[0][1].min_samples_leaf) == (5, 4)
    assert given[0][1].max_depth == 3
    search.set_params(student=[("bush", DecisionTreeClassifier())], student__bush__max_depth=2)
    assert search.student[0][1].max_depth == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("student__bush__max_depth", "student has no model of the name that 'bush__max_depth' begins with"),
        ("student__tree__depth", "Invalid parameter 'depth' for estimator DecisionTreeClassifier"),
        ("depth", "Invalid parameter 'depth' for estimator MultihopSearchClassifier"),
        ("students__tree", "Invalid parameter 'students' for estimator MultihopSearchClassifier"),
    ],
)
def test_a_name_that_no_model_has_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_students().set_params(**{name: 1})


def test_a_student_alone_keeps_its_names_and_a_list_that_fit_refuses_can_be_read() -> None:
    assert small_search().set_params(student__max_depth=1).student.max_depth == 1
    assert "student__max_depth" in small_search().get_params()
    wrong = MultihopSearchClassifier([DecisionTreeClassifier(), ("tree", "no model")], intermediates=5)
    assert wrong.get_params()["student__tree"] == "no model"


def test_grid_search_over_a_student_in_a_list(blobs: Any) -> None:
    grid = GridSearchCV(two_students(), {"student__tree__max_depth": [1, 3]}, cv=2).fit(*blobs)
    best = grid.best_estimator_
    assert best.student[0][1].max_depth == grid.best_params_["student__tree__max_depth"]
    depths = {dict(path.params).get("max_depth", 0) for path in best.paths_ if path.student == "tree"}
    assert max(depths) <= best.student[0][1].max_depth
