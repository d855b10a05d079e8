"""Other tools' models as teachers, and searches of ours as their learners: against stand-ins, and the tools if here."""

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import fake_tools
import numpy as np
import pandas as pd
import pytest
from ray import cloudpickle
from searches import searches
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    OwnFit,
    ProfWeight,
)
from multihop_search.errors import InvalidData, InvalidSetting, MissingTool, MultihopError, UnsuitableModel
from multihop_search.integrations import from_callable, from_predictions
from multihop_search.integrations.as_it_is import AsItIs
from multihop_search.problem.teacher import GivenPredictions, RowTeacher

pytestmark = pytest.mark.once

WINE = load_wine(return_X_y=True, as_frame=True)
X, Y = WINE[0], WINE[1].map({0: "barolo", 1: "grignolino", 2: "barbera"})
CLASSES = ["barbera", "barolo", "grignolino"]
OOF = cross_val_predict(RandomForestClassifier(20, random_state=0), X, Y, method="predict_proba")


small_search = searches(
    DecisionTreeClassifier(max_depth=2, random_state=0),
    n_trials=3,
    cv=3,
    crossfit_cv=2,
    intermediates=[],
    tree_fits=[OwnFit()],
)


def search_for(teacher: Any, **settings: Any) -> MultihopSearchClassifier:
    return small_search(teacher=teacher, **settings)  # type: ignore[no-any-return]


def told(search: Any) -> list[Any]:
    return search.results_[["path", "score"]].values.tolist()


# ---------------------------------------------------------------------------------------------------- predictions


def test_the_teacher_is_scored_by_its_out_of_fold_rows() -> None:
    search = search_for(from_predictions(OOF)).fit(X, Y)
    right = np.array(CLASSES)[OOF.argmax(axis=1)] == Y
    assert search.verdict_.scores.loc["teacher", "accuracy"] == pytest.approx(right.mean())
    assert "The teacher's outputs were given" in str(search.verdict_)
    assert "used as it is" not in str(search.verdict_)
    assert isinstance(search.teacher_, GivenPredictions)
    assert type(search.best_estimator_) is DecisionTreeClassifier


def test_a_fold_is_taught_by_the_rows_of_the_array_by_number() -> None:
    """True labels given as predictions teach the plain fit, if each is in its place."""
    truth = (Y.to_numpy()[:, None] == np.array(CLASSES)).astype(float)
    settings: dict[str, Any] = {"schemes": [HardLabels()], "tree_fits": [OwnFit()], "param_distributions": {}}
    search = search_for(from_predictions(truth), **settings).fit(X, Y)
    plain, taught = search.results_.score[:2]
    assert list(search.results_.hops[:2]) == [0, 1]
    rolled = search_for(from_predictions(np.roll(truth, 60, axis=0)), **settings).fit(X, Y).results_.score[1]
    assert taught == pytest.approx(plain)
    assert taught > rolled


def test_columns_follow_the_classes_that_are_named() -> None:
    named = search_for(from_predictions(OOF[:, ::-1], classes=CLASSES[::-1])).fit(X, Y)
    assert told(named) == told(search_for(from_predictions(OOF)).fit(X, Y))


def test_given_predictions_survive_clone_and_pickle() -> None:
    teacher = from_predictions(OOF, classes=CLASSES, y=Y)
    assert isinstance(teacher, RowTeacher)
    expected = told(search_for(teacher).fit(X, Y))
    for same in (clone(teacher), pickle.loads(pickle.dumps(teacher)), cloudpickle.loads(cloudpickle.dumps(teacher))):
        assert told(clone(search_for(same)).fit(X, Y)) == expected


def test_no_synthetic_row_is_made_that_nobody_can_label() -> None:
    search = search_for(from_predictions(OOF)).fit(X, Y)
    assert not [name for name in search.space_.distributions if name.startswith("ModelCompression")]
    with pytest.raises(InvalidSetting, match="needs a teacher that can label new rows"):
        search_for(from_predictions(OOF), schemes=[KnowledgeDistillation(), ModelCompression()]).fit(X, Y)
    both = ModelCompression(multiple=1, generator="munge")
    with pytest.raises(InvalidSetting, match="pass those of X_unlabeled too"):
        search_for(from_predictions(OOF[:90], unlabeled=OOF[90:]), schemes=[KnowledgeDistillation(), both]).fit(
            X[:90], Y[:90], X_unlabeled=X[90:]
        )


def test_unlabelled_rows_are_labelled_by_their_own_predictions() -> None:
    """Only the added rows lie far out: what they are said to be, each by its number, decides what the student says."""
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(60, 1)), np.arange(60) % 2
    side = np.arange(60) % 2
    far = 18.0 * side[:, None] - 9.0 + rng.normal(size=(60, 1))
    for right in (0, 1):
        more = np.eye(2)[np.where(side == 1, right, 1 - right)]
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=2, random_state=0),
            from_predictions(np.full((60, 2), 0.5), unlabeled=more),
            schemes=[KnowledgeDistillation(alpha=1.0, temperature=1.0), ModelCompression(1, "unlabeled")],
            intermediates=[],
            param_distributions={},
            n_trials=2,
            cv=2,
            random_state=0,
        ).fit(rows, y, X_unlabeled=far)
        assert list(search.results_.hops) == [0, 1]
        said = search.refit_trial(1).predict_proba([[9.0], [-9.0]])
        assert said[0, right] > 0.9
        assert said[1, 1 - right] > 0.9


def test_schemes_that_ask_for_stages_do_without() -> None:
    search = search_for(from_predictions(OOF), schemes=[ProfWeight()]).fit(X, Y)
    assert (search.results_.state == "COMPLETE").all()


def test_intermediates_stand_below_given_predictions() -> None:
    search = search_for(from_predictions(OOF), intermediates="auto", n_trials=6).fit(X, Y)
    assert "forest(30)" in search.space_.rungs
    assert search.results_.hops.max() >= 2


class ByRow(BaseEstimator):
    """The least that answers by row number."""

    labels_unlabeled = False

    def __init__(self, oof: Any) -> None:
        self.oof = oof

    def check_rows(self, problem: Any) -> None:
        assert problem.n_rows == len(self.oof)

    def outputs_on_rows(self, rows: np.ndarray, classes: Any) -> np.ndarray:
        return np.asarray(self.oof[rows])

    def outputs_on_unlabeled(self, rows: np.ndarray, classes: Any) -> np.ndarray:
        raise AssertionError("never asked")


def test_whatever_answers_by_row_number_is_a_teacher() -> None:
    settings = {"intermediates": "auto", "n_trials": 6}
    least, ours = (search_for(one, **settings).fit(X, Y) for one in (ByRow(OOF), from_predictions(OOF)))
    assert told(least) == told(ours)
    assert least.results_.hops.max() >= 2


def test_weights_and_groups_work_with_given_predictions() -> None:
    weight = np.where(np.arange(len(X)) % 2, 1.0, 0.0)
    heavy = search_for(from_predictions(OOF)).fit(X, Y, sample_weight=weight, groups=np.arange(len(X)) // 2)
    right = np.array(CLASSES)[OOF.argmax(axis=1)] == Y
    assert heavy.verdict_.scores.loc["teacher", "accuracy"] == pytest.approx(right[1::2].mean())


def test_in_regression_values_are_given() -> None:
    rows, y = load_diabetes(return_X_y=True)
    oof = cross_val_predict(Ridge(), rows, y)
    settings: dict[str, Any] = {"n_trials": 3, "cv": 3, "random_state": 0, "intermediates": []}
    for shape in (oof, oof[:, None]):
        search = MultihopSearchRegressor(DecisionTreeRegressor(max_depth=3), from_predictions(shape, y=y), **settings)
        search.fit(rows, y)
        assert -search.verdict_.scores.loc["teacher", "score"] == pytest.approx(((oof - y) ** 2).mean(), rel=1e-4)


def test_a_resumed_search_gives_the_same_trials(tmp_path: Path) -> None:
    expected = told(search_for(from_predictions(OOF, y=Y), checkpoint=tmp_path, n_trials=3).fit(X, Y))
    again = search_for(from_predictions(OOF, y=Y), checkpoint=tmp_path, n_trials=6).fit(X, Y)
    assert told(again)[:3] == expected
    assert len(list(tmp_path.iterdir())) == 1
    other = OOF[::-1].copy()
    with pytest.warns(UserWarning, match="of other searches"):  # the fingerprint depends on the numbers
        search_for(from_predictions(other), checkpoint=tmp_path, n_trials=1).fit(X, Y)


class ByPeriod(BaseEstimator):
    """A row teacher of somebody's own: the rows that it was asked for are kept."""

    asked: ClassVar[list[np.ndarray]] = []
    labels_unlabeled = False

    def check_rows(self, problem: Any) -> None:
        self.asked.clear()

    def outputs_on_rows(self, rows: np.ndarray, classes: Any) -> np.ndarray:
        self.asked.append(rows)
        return OOF[rows]

    def outputs_on_unlabeled(self, rows: np.ndarray, classes: Any) -> np.ndarray:
        raise AssertionError("there are none")


def test_a_row_teacher_of_ones_own_is_asked_for_training_rows_only() -> None:
    search = search_for(ByPeriod()).fit(X, Y)
    assert told(search) == told(search_for(from_predictions(OOF)).fit(X, Y))
    sizes = sorted({len(rows) for rows in ByPeriod.asked})
    assert sizes[-1] == len(X)
    assert all(118 <= size <= 119 for size in sizes[:-1])


BAD = {
    "wrong length": (lambda: from_predictions(OOF[:-1]), "oof must have a prediction for each of the 178 rows of fit"),
    "no probabilities": (lambda: from_predictions(OOF * 1.1), "oof must have rows that sum to 1, 178 of 178 do not"),
    "negative": (lambda: from_predictions(OOF - [[0.5, -0.5, 0]]), "no negative probability, row"),
    "NaN": (lambda: from_predictions(np.where(OOF[3] == OOF, np.nan, OOF)), "a finite prediction for each row"),
    "no numbers": (lambda: from_predictions(np.array([["a", "b"]])), "oof must be an array of numbers"),
    "no array": (lambda: from_predictions(3.0), r"oof must have the shape \(n_rows, n_classes\)"),
    "one column": (lambda: from_predictions(OOF[:, 0]), "a column of probabilities for each of the 3 classes"),
    "missing class": (lambda: from_predictions(np.full((178, 2), 0.5)), "each of the 3 classes of y, it has 2: pass"),
    "unnamed class": (lambda: from_predictions(OOF, classes=["barbera", "barolo", "merlot"]), "'merlot' is none"),
    "class twice": (lambda: from_predictions(OOF, classes=["barbera", "barolo", "barolo"]), "'barolo' stands twice"),
    "other rows": (lambda: from_predictions(OOF, y=Y[::-1]), "row 0 has the target 'barolo' in fit and had 'barbera'"),
    "fewer labels": (lambda: from_predictions(OOF, y=Y[:9]), "were made for 9 rows, fit got 178"),
    "unlabeled too many": (
        lambda: from_predictions(OOF, unlabeled=OOF),
        "unlabeled was passed and X_unlabeled was not",
    ),
    "other task": (lambda: from_callable(lambda rows: np.zeros(len(rows))), "is a regressor"),
    "no function": (lambda: from_callable(3), "function must be callable"),
    "wrong shape": (lambda: from_callable(lambda rows: OOF[:1], classes=CLASSES), r"must have the shape \(2, 3\)"),
    "function fails": (lambda: from_callable(lambda rows: rows["colour"], classes=CLASSES), "it said: .*colour"),
    "missing label": (lambda: from_callable(lambda rows: OOF[: len(rows), :2], classes=CLASSES[:2]), "'grignolino'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_teachers_are_met_with_one_sentence(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(MultihopError, match=message) as caught:
        search_for(make()).fit(X, Y)
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("verdict", "fresh"),
    [(0.3, {}), ("nested", {}), ("bbc", {"X_fresh": X[::2], "y_fresh": Y[::2]})],
    ids=["share", "nested", "fresh"],
)
def test_every_verdict_works_with_given_predictions(verdict: Any, fresh: dict[str, Any]) -> None:
    search = search_for(from_predictions(OOF), verdict=verdict).fit(X, Y, **fresh)
    assert ("were given" in str(search.verdict_)) is not bool(fresh)  # fresh rows taught nobody
    assert ("teacher" in search.verdict_.scores.index) is not bool(fresh)  # nobody can ask the teacher about them


def test_the_class_of_a_teacher_is_no_teacher() -> None:
    with pytest.raises(UnsuitableModel, match="must be a scikit-learn classifier instance, got GivenPredictions"):
        search_for(GivenPredictions).fit(X, Y)


def test_class_probabilities_teach_no_regressor() -> None:
    rows, y = load_diabetes(return_X_y=True)
    with pytest.raises(InvalidData, match="they look like class probabilities"):
        MultihopSearchRegressor(DecisionTreeRegressor(max_depth=2), from_predictions(np.full((442, 2), 0.5))).fit(
            rows, y
        )


def test_given_predictions_know_no_part_of_the_rows() -> None:
    with pytest.raises(InvalidData, match="a search inside cross-validation sees other rows each time"):
        cross_val_score(search_for(from_predictions(OOF)), X, Y, cv=2, error_score="raise")


# ------------------------------------------------------------------------------------------------------- as it is


def test_a_function_is_used_as_it_is_and_the_verdict_says_so() -> None:
    model = RandomForestClassifier(20, random_state=0).fit(X, Y)
    search = search_for(from_callable(model.predict_proba, classes=model.classes_)).fit(X, Y)
    assert "used as it is and may have seen these rows, so all gains are optimistic" in str(search.verdict_)
    np.testing.assert_array_equal(search.teacher_.predict(X), model.predict(X))
    frozen = search_for(FrozenEstimator(model)).fit(X, Y)
    assert told(search) == told(frozen)


def test_a_function_without_classes_teaches_a_regressor() -> None:
    rows, y = load_diabetes(return_X_y=True)
    settings: dict[str, Any] = {"n_trials": 3, "cv": 3, "random_state": 0, "intermediates": []}
    teacher = from_callable(Ridge().fit(rows, y).predict)
    search = MultihopSearchRegressor(DecisionTreeRegressor(max_depth=3), teacher, **settings).fit(rows, y)
    assert "used as it is" in str(search.verdict_)


def test_a_checkpoint_needs_a_function_that_has_a_name(tmp_path: Path) -> None:
    teacher = from_callable(lambda rows: OOF[: len(rows)], classes=CLASSES)
    with pytest.raises(InvalidSetting, match="checkpoint needs a model that can be pickled"):
        search_for(teacher, checkpoint=tmp_path).fit(X, Y)


# ------------------------------------------------------------------------------------------------ tools, stood in for


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The integrations with stand-ins for every tool."""
    for name in fake_tools.ours():
        monkeypatch.delitem(sys.modules, name)
    for name, made in fake_tools.MODULES.items():
        monkeypatch.setitem(sys.modules, name, made)
    import multihop_search.integrations as integrations

    yield integrations
    for name in fake_tools.ours():
        sys.modules.pop(name)


def test_flaml_is_cloned_as_it_was_found(tools: Any) -> None:
    table = X.assign(constant=1.0)
    automl = fake_tools.FakeFlaml().fit(table, Y)
    teacher = tools.from_flaml(automl)
    assert teacher.config == {"C": 0.01}
    fitted = clone(teacher).fit(table, Y)
    np.testing.assert_allclose(fitted.predict_proba(table), automl.predict_proba(table))
    assert list(fitted.classes_) == CLASSES
    search = search_for(teacher).fit(table, Y)
    assert "used as it is" not in str(search.verdict_)
    assert "were given" not in str(search.verdict_)
    oof = search.verdict_.scores.loc["teacher", "accuracy"]
    assert oof <= (fitted.predict(table) == Y).mean()


def test_a_checkpoint_knows_what_flaml_found_by_its_configuration(tools: Any, tmp_path: Path) -> None:
    teacher = tools.from_flaml(fake_tools.FakeFlaml().fit(X, Y))
    first = search_for(teacher, checkpoint=tmp_path, n_trials=3).fit(X, Y)
    again = search_for(clone(teacher), checkpoint=tmp_path, n_trials=6).fit(X, Y)
    assert told(again)[:3] == told(first)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.warns(UserWarning, match="of other searches"):
        search_for(clone(teacher).set_params(config={"C": 3.0}), checkpoint=tmp_path, n_trials=3).fit(X, Y)


def test_a_flaml_ensemble_is_used_as_it_is(tools: Any) -> None:
    teacher = tools.from_flaml(fake_tools.FakeFlaml().fit(X, Y, ensemble=True))
    assert isinstance(teacher, FrozenEstimator)
    assert "used as it is" in str(search_for(teacher).fit(X, Y).verdict_)


def test_flaml_objects_that_cannot_teach(tools: Any) -> None:
    with pytest.raises(UnsuitableModel, match=r"call automl\.fit first"):
        tools.from_flaml(fake_tools.FakeFlaml())
    with pytest.raises(UnsuitableModel, match="got LogisticRegression: pass the outer one"):
        tools.from_flaml(LogisticRegression())
    with pytest.raises(UnsuitableModel, match="got rank"):
        tools.from_flaml(fake_tools.FakeFlaml().fit(X, Y, task="rank"))
    teacher = tools.from_flaml(fake_tools.FakeFlaml().fit(X, Y))
    with pytest.raises(UnsuitableModel, match="X has no 'hue'"):
        search_for(teacher).fit(X.drop(columns="hue"), Y)
    with pytest.raises(UnsuitableModel, match="FLAML did not meet 'other'"):
        search_for(teacher).fit(X, Y.where(np.arange(len(Y)) > 30, "other"))
    with pytest.raises(UnsuitableModel, match="must be a regressor"):
        MultihopSearchRegressor(DecisionTreeRegressor(), teacher).fit(
            X, Y.map({name: i for i, name in enumerate(CLASSES)})
        )


def test_a_learner_in_flaml_is_a_search_of_ours(tools: Any) -> None:
    task = SimpleNamespace(is_classification=lambda: True)
    space = tools.FlamlLearner.search_space((178, 13), task)
    learner = tools.FlamlLearner(task=task, max_depth=space["max_depth"]["init_value"], n_jobs=-1)
    assert learner.params == {"max_depth": 4}
    learner.params["n_trials"] = 3
    assert learner.fit(X, pd.Series(Y), budget=None) > 0
    assert isinstance(learner.model, MultihopSearchClassifier)
    assert learner.model.best_estimator_.get_depth() <= 4
    assert learner.predict_proba(X).shape == (178, 3)
    assert pickle.loads(pickle.dumps(learner.model)).best_path_ == learner.model.best_path_


def labelled() -> pd.DataFrame:
    return X.assign(wine=Y).sample(frac=1, random_state=0)


def test_autogluon_with_bagging_gives_out_of_fold_predictions(tools: Any) -> None:
    data = labelled()
    predictor = fake_tools.FakePredictor("wine").fit(data, bagging=True)
    teacher = tools.from_autogluon(predictor)
    assert isinstance(teacher, GivenPredictions)
    search = search_for(teacher).fit(data.drop(columns="wine"), data.wine)
    right = predictor.predict_proba_oof().idxmax(axis=1) == data.wine
    assert search.verdict_.scores.loc["teacher", "accuracy"] == pytest.approx(right.mean())
    with pytest.raises(InvalidData, match="rows in another order"):
        search_for(teacher).fit(X, Y)
    more = tools.from_autogluon(predictor, X_unlabeled=X[:50])
    assert more.unlabeled.shape == (50, 3)


def test_autogluon_without_bagging_is_used_as_it_is(tools: Any) -> None:
    data = labelled()
    teacher = tools.from_autogluon(fake_tools.FakePredictor("wine").fit(data, bagging=False))
    search = search_for(teacher).fit(data.drop(columns="wine"), data.wine)
    assert "used as it is" in str(search.verdict_)
    array = data.drop(columns="wine").to_numpy()
    np.testing.assert_array_equal(teacher.predict_proba(array), teacher.predict_proba(data))
    with pytest.raises(UnsuitableModel, match="was fitted with 'hue' and X has no such column"):
        search_for(teacher).fit(data.drop(columns="wine").rename(columns={"hue": "other"}), data.wine)
    with pytest.raises(UnsuitableModel, match="it expects 13 and X has 12"):
        search_for(teacher).fit(data.drop(columns=["wine", "hue"]), data.wine)


def test_autogluon_objects_that_cannot_teach(tools: Any) -> None:
    with pytest.raises(UnsuitableModel, match=r"call predictor\.fit first"):
        tools.from_autogluon(fake_tools.FakePredictor("wine"))
    with pytest.raises(UnsuitableModel, match="needs a TabularPredictor, got Ridge"):
        tools.from_autogluon(Ridge())
    predictor = fake_tools.FakePredictor("wine").fit(labelled(), bagging=True)
    predictor.problem_type = "quantile"
    with pytest.raises(UnsuitableModel, match="got quantile"):
        tools.from_autogluon(predictor)


def test_a_model_in_autogluon_keeps_the_plain_tree(tools: Any) -> None:
    rows = X.assign(shade=pd.Categorical(np.where(X.hue > 1, "light", "dark")))
    model = tools.AutogluonModel("multiclass", max_depth=2, n_trials=3)
    model._fit(rows, pd.Series(Y), time_limit=60.0)
    assert type(model.model) is DecisionTreeClassifier
    assert model.model.n_features_in_ == 14
    assert "Measured on 178 held-out rows" in model.verdict


def test_tpot_gives_its_pipeline_unfitted(tools: Any) -> None:
    teacher = tools.from_tpot(fake_tools.FakeTpot().fit(X, Y))
    assert [name for name, _ in teacher.steps] == ["standardscaler", "logisticregression"]
    assert not hasattr(teacher[-1], "coef_")
    assert "used as it is" not in str(search_for(teacher).fit(X, Y).verdict_)
    with pytest.raises(UnsuitableModel, match="call its fit first"):
        tools.from_tpot(fake_tools.FakeTpot())
    with pytest.raises(UnsuitableModel, match="got Ridge"):
        tools.from_tpot(Ridge())


@pytest.mark.parametrize("labels", [Y, WINE[1] + 5, (WINE[1] > 0).map({True: "red", False: "a_1_b"})])
def test_mljar_gives_what_its_folds_said(tools: Any, labels: pd.Series) -> None:
    automl = fake_tools.FakeMljar().fit(X, labels)
    teacher = tools.from_mljar(automl)
    assert isinstance(teacher, GivenPredictions)
    assert teacher.classes.tolist() == sorted(labels.unique())
    search = search_for(teacher).fit(X, labels)
    assert search.verdict_.scores.loc["teacher", "accuracy"] > 0.9


def test_mljar_without_folds_is_used_as_it_is(tools: Any) -> None:
    teacher = tools.from_mljar(fake_tools.FakeMljar(folds=False).fit(X, Y))
    assert isinstance(teacher, FrozenEstimator)
    assert "used as it is" in str(search_for(teacher).fit(X, Y).verdict_)
    with pytest.raises(UnsuitableModel, match=r"call automl\.fit first"):
        tools.from_mljar(fake_tools.FakeMljar())
    with pytest.raises(UnsuitableModel, match="got Ridge"):
        tools.from_mljar(Ridge())


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("from_flaml", "flaml", "flaml"),
        ("FlamlLearner", "flaml", "flaml"),
        ("from_autogluon", "autogluon", "autogluon"),
        ("from_tpot", "tpot", "tpot"),
        ("from_mljar", "supervised", "mljar"),
    ],
)
def test_a_tool_that_is_absent_is_named_with_what_installs_it(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [*fake_tools.ours(), *[known for known in sys.modules if known.split(".")[0] == module]]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    import multihop_search.integrations as integrations

    with pytest.raises(MissingTool, match=rf"pip install 'multihop_search\[{extra}\]'"):
        getattr(integrations, name)(None)


def test_importing_the_integrations_imports_no_tool() -> None:
    code = (
        "import sys, multihop_search.integrations as it; it.from_predictions; it.from_callable; "
        "assert not {'flaml', 'autogluon', 'tpot', 'supervised', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    import multihop_search.integrations as integrations

    assert integrations.__all__ == sorted(integrations.__all__)
    assert set(integrations.__all__) <= set(dir(integrations))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = integrations.nothing_of_the_kind


def test_a_pipeline_may_hold_transformers_that_never_look_fitted() -> None:
    """Some of TPOT's: scikit-learn's Pipeline then refuses `transform`, though it predicts."""
    teacher = make_pipeline(Unchanged(), GaussianNB())
    search = search_for(teacher, n_trials=3, schemes=[KnowledgeDistillation(), ModelCompression(multiple=1)]).fit(X, Y)
    assert (search.results_.state == "COMPLETE").all()


class Unchanged(BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "Unchanged":
        return self

    def transform(self, X: Any) -> Any:
        return X

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        return X


# ---------------------------------------------------------------------------------------------------- tools, if here


def real_data() -> tuple[pd.DataFrame, pd.Series]:
    bunch = load_breast_cancer(as_frame=True)
    return bunch.data, bunch.target.map({0: "malignant", 1: "benign"})


@pytest.mark.filterwarnings("ignore")
def test_the_real_flaml() -> None:
    flaml = pytest.importorskip("flaml", reason="FLAML is not installed")
    from multihop_search.integrations import FlamlLearner, from_flaml

    rows, y = real_data()
    automl = flaml.AutoML()
    with pytest.raises(UnsuitableModel, match=r"call automl\.fit first"):
        from_flaml(automl)
    automl.add_learner("multihop", FlamlLearner)
    settings = {"task": "classification", "max_iter": 4, "time_budget": 60, "n_jobs": 1, "verbose": 0, "seed": 0}
    automl.fit(rows, y, estimator_list=["lgbm"], **settings)
    fitted = clone(from_flaml(automl)).fit(rows, y)
    np.testing.assert_allclose(fitted.predict_proba(rows), automl.predict_proba(rows))
    assert "used as it is" not in str(search_for(from_flaml(automl)).fit(rows, y).verdict_)
    automl.fit(rows, y, estimator_list=["multihop"], **{**settings, "max_iter": 1})
    assert type(automl.model.estimator.best_estimator_) is DecisionTreeClassifier
    assert set(automl.predict(rows)) == {"malignant", "benign"}


@pytest.mark.filterwarnings("ignore")
def test_the_real_autogluon(tmp_path: Path) -> None:
    tabular = pytest.importorskip("autogluon.tabular", reason="AutoGluon is not installed")
    from multihop_search.integrations import AutogluonModel, from_autogluon

    rows, y = real_data()
    data = rows.assign(tumour=y)
    predictor = tabular.TabularPredictor("tumour", path=str(tmp_path / "bagged"), verbosity=0)
    with pytest.raises(UnsuitableModel, match=r"call predictor\.fit first"):
        from_autogluon(predictor)
    models = {"LR": {}, AutogluonModel: {"max_depth": 2, "n_trials": 3}}
    one_by_one = {"fold_fitting_strategy": "sequential_local"}
    predictor.fit(data, hyperparameters=models, num_bag_folds=3, ag_args_ensemble=one_by_one, num_cpus=1)
    assert "Multihop_BAG_L1" in set(predictor.leaderboard(silent=True)["model"])
    search = search_for(from_autogluon(predictor)).fit(rows, y)
    assert "were given" in str(search.verdict_)
    assert search.verdict_.scores.loc["teacher", "accuracy"] == pytest.approx(
        (predictor.predict_proba_oof().idxmax(axis=1) == y).mean()
    )


@pytest.mark.filterwarnings("ignore")
def test_the_real_mljar(tmp_path: Path) -> None:
    supervised = pytest.importorskip("supervised", reason="mljar-supervised is not installed")
    from multihop_search.integrations import from_mljar

    rows, y = real_data()
    folds = {"validation_type": "kfold", "k_folds": 3, "shuffle": True, "stratify": True}
    automl = supervised.AutoML(
        results_path=str(tmp_path / "mljar"),
        algorithms=["Linear"],
        validation_strategy=folds,
        total_time_limit=10,
        train_ensemble=False,
        explain_level=0,
        n_jobs=1,
        verbose=0,
    )
    with pytest.raises(UnsuitableModel, match=r"call automl\.fit first"):
        from_mljar(automl)
    automl.fit(rows, y)
    search = search_for(from_mljar(automl)).fit(rows, y)
    assert "were given" in str(search.verdict_)
    assert search.verdict_.scores.loc["teacher", "accuracy"] > 0.9


@pytest.mark.filterwarnings("ignore")
def test_the_real_tpot() -> None:
    tpot = pytest.importorskip("tpot", reason="TPOT is not installed")
    from multihop_search.integrations import from_tpot

    with pytest.raises(UnsuitableModel, match="call its fit first"):
        from_tpot(tpot.TPOTClassifier())
    rows, y = real_data()
    estimator = tpot.TPOTClassifier(
        search_space="linear-light", population_size=4, generations=1, max_time_mins=0.2, n_jobs=1, random_state=0
    ).fit(rows, y)
    assert "used as it is" not in str(search_for(from_tpot(estimator)).fit(rows, y).verdict_)


# ---- labelled frames


def _arrow(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)


def _polars(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").DataFrame({str(name): frame[name].to_numpy() for name in frame.columns})


SORTED = np.unique(Y)


@pytest.mark.parametrize("library", [lambda frame: frame, _polars, _arrow])
@pytest.mark.parametrize("classes", [None, SORTED, pd.Index(SORTED), pd.Series(SORTED[::-1])])
@pytest.mark.parametrize("direct", [False, True])
def test_the_columns_of_a_frame_are_read_by_label(library: Any, classes: Any, direct: bool) -> None:
    frame = library(pd.DataFrame(OOF, columns=SORTED)[SORTED[[2, 0, 1]]])
    teacher = (GivenPredictions if direct else from_predictions)(frame, classes=classes)
    rows = np.arange(len(OOF))
    np.testing.assert_allclose(teacher.outputs_on_rows(rows, SORTED), OOF, rtol=1e-6)


@pytest.mark.parametrize("names", [[1, 0, 2], ["1", "0", "2"]])
def test_numbers_as_names_are_labels(names: Any) -> None:
    frame = pd.DataFrame(OOF[:, [1, 0, 2]], columns=names)
    teacher = from_predictions(frame, unlabeled=frame[[names[2], names[1], names[0]]])
    for outputs in (teacher.outputs_on_rows, teacher.outputs_on_unlabeled):
        np.testing.assert_allclose(outputs(np.arange(5), np.arange(3)), OOF[:5], rtol=1e-6)


def test_unlabelled_rows_are_read_by_label_beside_an_array() -> None:
    teacher = from_predictions(OOF, unlabeled=pd.DataFrame(OOF, columns=SORTED)[SORTED[[2, 0, 1]]])
    np.testing.assert_allclose(teacher.outputs_on_unlabeled(np.arange(5), SORTED), OOF[:5])


@pytest.mark.parametrize("names", [[0, 1, 2], ["0", "1", "2"], ["column_0", "column_1", "column_2"]])
def test_numbered_columns_in_another_order_stand_for_the_classes_that_were_numbered(names: Any) -> None:
    classes = np.array(["a", "b", "c"])
    frame = pd.DataFrame(OOF, columns=names)
    for order in ([0, 1, 2], [2, 0, 1]):
        teacher = from_predictions(frame.iloc[:, order], classes=classes)
        np.testing.assert_allclose(teacher.outputs_on_rows(np.arange(5), classes), OOF[:5])


@pytest.mark.parametrize(
    ("names", "classes"), [(["b", "c"], ["a", "b"]), ([0, 1], [1, 0]), ([1, 0], [1, 2]), (["a", "a"], ["a", "b"])]
)
def test_names_and_classes_that_contradict_each_other_are_refused(names: Any, classes: Any) -> None:
    frame = pd.DataFrame([[0.2, 0.8]], columns=names)
    with pytest.raises(InvalidData, match="say different things"):
        from_predictions(frame, classes=classes)
    with pytest.raises(InvalidData, match="say different things"):
        from_callable(lambda rows: frame, classes=classes).predict_proba([[0.0]])


@pytest.mark.parametrize("library", [lambda frame: frame, _polars, _arrow])
def test_what_a_function_returns_is_read_by_label(library: Any) -> None:
    said = pd.DataFrame({"yes": [0.9, 0.2], "no": [0.1, 0.8]})
    teacher = from_callable(lambda rows: library(said), classes=["no", "yes"])
    np.testing.assert_allclose(teacher.predict_proba([[0.0], [1.0]]), [[0.1, 0.9], [0.8, 0.2]], rtol=1e-6)
    assert teacher.predict([[0.0], [1.0]]).tolist() == ["yes", "no"]


@pytest.mark.parametrize("bagging", [False, True])
def test_autogluon_may_have_its_columns_in_another_order(tools: Any, bagging: bool) -> None:
    def turned(ask: Any) -> Any:
        return lambda *rows: ask(*rows).iloc[:, ::-1]

    frame = labelled()
    predictor = fake_tools.FakePredictor("wine").fit(frame, bagging=bagging)
    rows = frame.drop(columns="wine")
    expected = search_for(tools.from_autogluon(predictor)).fit(rows, frame["wine"])
    for method in ("predict_proba", "predict_proba_oof"):
        setattr(predictor, method, turned(getattr(predictor, method)))
    assert told(search_for(tools.from_autogluon(predictor)).fit(rows, frame["wine"])) == told(expected)


def test_flaml_may_label_its_columns(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    automl = fake_tools.FakeFlaml().fit(X, Y)
    teacher = tools.from_flaml(automl).fit(X, Y)
    expected = teacher.predict_proba(X)
    ask = type(teacher.model_).predict_proba
    monkeypatch.setattr(type(teacher.model_), "predict_proba", lambda self, X: pd.DataFrame(ask(self, X)).iloc[:, ::-1])
    np.testing.assert_array_equal(teacher.predict_proba(X), expected)


@pytest.mark.parametrize("library", [lambda frame: frame, _polars, _arrow])
def test_a_model_used_as_it_is_gets_its_columns_by_name(library: Any) -> None:
    seen = []

    def ask(rows: Any) -> Any:
        seen.append(rows)
        return np.full((len(rows), 2), 0.5)

    model = AsItIs(ask, classes=np.array([0, 1]), columns=["a", "b"])
    model.predict_proba(library(pd.DataFrame({"b": [1.0], "c": [2.0], "a": [3.0]})))
    assert seen[0].to_numpy().tolist() == [[3.0, 1.0]]
    with pytest.raises(InvalidData, match="X has no 'b'"):
        model.predict_proba(library(pd.DataFrame({"a": [1.0], "c": [2.0]})))


def test_names_that_a_library_gives_are_no_labels_and_other_names_are_refused() -> None:
    np.testing.assert_allclose(from_predictions(pd.DataFrame(OOF)).outputs_on_rows(np.arange(5), SORTED), OOF[:5])
    with pytest.raises(InvalidData, match="classes must name the labels of y, 'p0' is none of them"):
        search_for(from_predictions(pd.DataFrame(OOF, columns=["p0", "p1", "p2"]))).fit(X, Y)


def test_the_rows_of_a_frame_are_read_by_label_or_refused() -> None:
    order = np.random.default_rng(0).permutation(len(OOF))
    frame = pd.DataFrame(OOF, columns=SORTED).iloc[order]
    with_targets = from_predictions(frame, y=pd.Series(Y))
    np.testing.assert_allclose(with_targets.outputs_on_rows(np.arange(len(OOF)), SORTED), OOF)
    for rows in (X, pd.DataFrame(np.asarray(X))):
        with pytest.raises(InvalidData, match="oof must have its rows in the order of X"):
            search_for(from_predictions(frame)).fit(rows, Y)
    with pytest.raises(InvalidData, match="oof and y must be of the same rows"):
        from_predictions(frame, y=pd.Series(Y, index=np.arange(len(Y)) + 7))


def test_the_order_of_rows_holds_in_regression() -> None:
    values = pd.Series(np.arange(30.0)).iloc[::-1]
    search = MultihopSearchRegressor(DecisionTreeRegressor(max_depth=2), from_predictions(values), n_trials=2)
    with pytest.raises(InvalidData, match="oof must have its rows in the order of X"):
        search.fit(np.arange(30.0)[:, None], np.arange(30.0))
    again = from_predictions(values, y=pd.Series(np.arange(30.0)))
    np.testing.assert_array_equal(again.outputs_on_rows(np.arange(30), None)[:, 0], np.arange(30.0))
