"""Default models on ordinary data that some of them cannot take, and weights that reach models inside others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from searches import searches
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import GammaRegressor, LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchRegressor
from multihop_search.errors import DefaultLeftOutWarning, UnsuitableModel
from multihop_search.models.weights import takes_weights
from multihop_search.paths import pool

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
WEIGHT = RNG.uniform(1, 3, size=150)
TREE = DecisionTreeClassifier(max_depth=2)


pytestmark = pytest.mark.usefixtures("small_teachers")


search_for = searches(TREE, param_distributions={}, n_trials=2, cv=2, max_hops=1, schemes="auto")


def with_column(values: Any) -> np.ndarray:
    changed = X.copy()
    changed[:, 3] = values
    return changed


def test_an_empty_column_is_named() -> None:
    with pytest.warns(DefaultLeftOutWarning, match="column 'd' has no values"):
        search = search_for().fit(pd.DataFrame(with_column(np.nan), columns=list("abcd")), Y)
    assert (search.results_["state"] == "COMPLETE").all()


@pytest.mark.parametrize("n_values", [1, 3])
def test_a_column_that_is_empty_in_some_fold_only_fails_no_trial(n_values: int) -> None:
    values = np.full(150, np.nan)
    values[:n_values] = 1.0
    search = search_for(n_trials=3).fit(with_column(values), Y)
    assert (search.results_["state"] == "COMPLETE").all()


def test_a_regressor_with_an_empty_column() -> None:
    with pytest.warns(DefaultLeftOutWarning, match="column 3 has no values"):
        search = MultihopSearchRegressor(
            DecisionTreeRegressor(max_depth=2), n_trials=2, cv=2, max_hops=1, random_state=0, param_distributions={}
        ).fit(with_column(np.nan), X[:, 0])
    assert (search.results_["state"] == "COMPLETE").all()


def test_defaults_that_cannot_fit_are_left_out_by_name() -> None:
    large = with_column(X[:, 3] * 1e39)  # trees of scikit-learn hold single precision
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        search = search_for(HistGradientBoostingClassifier(max_iter=2), max_hops=2, n_trials=3).fit(large, Y)
    left_out = [str(warning.message) for warning in given if warning.category is DefaultLeftOutWarning]
    for name in ("teacher 'vote'", "intermediate 'tree(8)'", "intermediate 'forest(30)'"):
        assert sum(name in message for message in left_out) == 1
    assert isinstance(search.teacher_, HistGradientBoostingClassifier)
    assert (search.results_["state"] == "COMPLETE").all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::multihop_search.errors.DefaultLeftOutWarning")
def test_no_default_teacher_that_can_fit_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PREFERRED", ("forest", "extra-trees"))
    with pytest.raises(UnsuitableModel, match=r"teacher 'extra-trees' .*too large"):
        search_for(HistGradientBoostingClassifier(max_iter=2)).fit(with_column(X[:, 3] * 1e39), Y)


class Choosy(HistGradientBoostingClassifier):
    """A booster that cannot bin a column without values, as those of scikit-learn in newer versions."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if np.isnan(X).all(axis=0).any():
            raise ValueError("window shape cannot be larger than input array shape")
        return super().fit(X, y, sample_weight)


def test_a_model_of_the_users_that_cannot_fit_is_blamed_and_the_column_named() -> None:
    with pytest.raises(UnsuitableModel, match=r"teacher \(Choosy\).*column 3 has no values"):
        search_for(teacher=Choosy(max_iter=2)).fit(with_column(np.nan), Y)


def test_a_table_of_texts_needs_no_default_intermediate() -> None:
    texts = pd.DataFrame({"text": [f"word{row} {'good' if label else 'bad'}" for row, label in enumerate(Y)]})
    student = make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), LogisticRegression())
    with pytest.warns(DefaultLeftOutWarning, match="the default intermediates are left out"):
        search = search_for(student, teacher=student, max_hops=2, n_trials=3).fit(texts, Y)
    assert (search.results_["state"] == "COMPLETE").all()


def test_sparse_columns_are_read_as_dense_ones_without_a_warning_for_each_fit() -> None:
    counts = np.where(X > 1, 1.0, 0.0)
    dense = pd.DataFrame(counts, columns=list("abcd"))
    sparse = dense.astype(pd.SparseDtype("float64", 0.0))
    searches = [search_for(teacher=TREE, max_hops=1).fit(frame, Y) for frame in (dense, sparse)]  # a warning would fail
    assert searches[0].results_["score"].tolist() == searches[1].results_["score"].tolist()
    np.testing.assert_array_equal(searches[0].predict(dense), searches[1].predict(sparse))


SCALED = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2))
GRID = {"decisiontreeclassifier__max_depth": [1, 2]}
TAKERS = {
    "vote": VotingClassifier([("a", TREE), ("b", GaussianNB())], voting="soft"),
    "vote with a gap": VotingClassifier([("a", TREE), ("b", "drop")], voting="soft"),
    "stack": StackingClassifier([("a", TREE)], cv=2),
    "grid": GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=2),
    "random": RandomizedSearchCV(TREE, {"max_depth": [1, 2]}, n_iter=1, cv=2, random_state=0),
    "grid of a pipeline": GridSearchCV(SCALED, GRID, cv=2),
    "pipeline of a grid": make_pipeline(StandardScaler(), GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=2)),
    "elimination": RFE(TREE),
    "calibrated": CalibratedClassifierCV(TREE, cv=2),
    "grid of votes": GridSearchCV(VotingClassifier([("a", TREE)], voting="soft"), {}, cv=2),
}
REFUSERS = {
    "vote": VotingClassifier([("a", TREE), ("b", KNeighborsClassifier())], voting="soft"),
    "vote of pipelines": VotingClassifier([("a", SCALED)], voting="soft"),
    "stack": StackingClassifier([("a", TREE)], final_estimator=KNeighborsClassifier(), cv=2),
    "grid": GridSearchCV(KNeighborsClassifier(), {}, cv=2),
    "one against the rest": OneVsRestClassifier(TREE),
}


@pytest.mark.parametrize("name", TAKERS)
def test_weights_reach_models_inside_others(name: str) -> None:
    assert takes_weights(TAKERS[name])
    heavy = np.where(X[:, 2] > 0, 1.0, 1e-3)
    said = [
        search_for(teacher=TAKERS[name], max_hops=1, n_trials=2).fit(X, Y, sample_weight=weight).teacher_
        for weight in (heavy, WEIGHT)
    ]
    assert not np.array_equal(said[0].predict_proba(X), said[1].predict_proba(X))


@pytest.mark.parametrize("name", REFUSERS)
def test_a_member_without_weights_is_met_with_one_sentence(name: str) -> None:
    assert not takes_weights(REFUSERS[name])
    with pytest.raises(UnsuitableModel, match="must take sample_weight"):
        search_for(teacher=REFUSERS[name]).fit(X, Y, sample_weight=WEIGHT)
    search_for(teacher=REFUSERS[name]).fit(X, Y)


@pytest.mark.parametrize(
    "model",
    [
        VotingRegressor([("a", DecisionTreeRegressor())]),
        StackingRegressor([("a", DecisionTreeRegressor())]),
        TransformedTargetRegressor(DecisionTreeRegressor()),
    ],
)
def test_regressors_hand_weights_on(model: Any) -> None:
    assert takes_weights(model)


@pytest.mark.parametrize("routing", [False, True])
def test_the_default_vote_takes_weights(routing: bool) -> None:
    with sklearn.config_context(enable_metadata_routing=routing):
        search = search_for().fit(X, Y, sample_weight=WEIGHT)
    assert isinstance(search.teacher_, VotingClassifier)
    assert (search.results_["state"] == "COMPLETE").all()


def test_routed_weights_are_those_that_members_request() -> None:
    asking = VotingClassifier([("a", DecisionTreeClassifier())])
    with sklearn.config_context(enable_metadata_routing=True):
        assert not takes_weights(asking)
        asking.estimators[0][1].set_fit_request(sample_weight=True)
        assert takes_weights(asking)


class SecondClassOnly(DecisionTreeClassifier):
    """Says the probability of the second class only."""

    def predict_proba(self, X: Any) -> np.ndarray:
        return super().predict_proba(X)[:, 1:]


def test_probabilities_of_one_column_are_those_of_the_second_class() -> None:
    searches = [search_for(TREE, teacher=kind(max_depth=4)) for kind in (DecisionTreeClassifier, SecondClassOnly)]
    scores = [search.fit(X, Y).results_["score"].tolist() for search in searches]
    assert scores[0] == scores[1]
    assert search_for(SecondClassOnly(max_depth=2), teacher=TREE).fit(X, Y).results_["state"][0] == "COMPLETE"


@pytest.mark.parametrize(
    "student",
    [
        PoissonRegressor(),
        GammaRegressor(),
        HistGradientBoostingRegressor(loss="poisson", max_iter=3),
        HistGradientBoostingRegressor(loss="gamma", max_iter=3),
        DecisionTreeRegressor(criterion="poisson", max_depth=2),
    ],
)
def test_students_of_positive_targets_learn_from_a_teacher_that_goes_below_zero(student: Any) -> None:
    search = MultihopSearchRegressor(
        student, LinearRegression(), n_trials=4, cv=2, max_hops=1, random_state=0, param_distributions={}
    ).fit(X, np.abs(X[:, 0]) + 0.01)
    assert (search.results_["state"] == "COMPLETE").all()


def test_a_student_that_cannot_be_pickled_is_served() -> None:
    student = KNeighborsClassifier(metric=lambda one, other: np.abs(one - other).sum())
    with pytest.warns(UserWarning, match="takes no sample_weight"):
        search = search_for(student, teacher=TREE).fit(X, Y)
    assert (search.results_["state"] == "COMPLETE").all()


def test_a_transformer_that_cannot_be_pickled_is_served() -> None:
    student = make_pipeline(FunctionTransformer(lambda rows: rows + 1), DecisionTreeClassifier(max_depth=2))
    search = search_for(student, teacher=TREE).fit(X, Y)
    assert (search.results_["state"] == "COMPLETE").all()


def test_students_that_cannot_be_taught_are_refused() -> None:
    with pytest.raises(UnsuitableModel, match="student must be a model that can be taught, it is frozen"):
        search_for(FrozenEstimator(DecisionTreeClassifier().fit(X, Y)), teacher=TREE).fit(X, Y)


def test_a_pipeline_that_resamples_can_be_the_teacher_only() -> None:
    sampling = pytest.importorskip("imblearn.over_sampling").RandomOverSampler(random_state=0)
    resampled = pytest.importorskip("imblearn.pipeline").make_pipeline(sampling, DecisionTreeClassifier(max_depth=3))
    assert (search_for(teacher=resampled).fit(X, Y).results_["state"] == "COMPLETE").all()
    with pytest.raises(UnsuitableModel, match="it resamples rows"):
        search_for(resampled, teacher=TREE).fit(X, Y)
    with pytest.raises(UnsuitableModel, match="cannot be taught soft labels or weights"):
        search_for(teacher=resampled).fit(X, Y, sample_weight=WEIGHT)


class OutOfPatience(Exception):
    """No ValueError, as some libraries raise."""


class Failing(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        raise OutOfPatience("enough")


def test_an_exception_of_any_kind_is_one_sentence_that_names_the_model() -> None:
    with pytest.raises(UnsuitableModel, match=r"student \(Failing\) must be able to fit the rows, .*OutOfPatience"):
        search_for(Failing(), teacher=TREE).fit(X, Y)


@pytest.mark.parametrize("place", ["student", "teacher"])
@pytest.mark.parametrize(
    ("package", "model", "settings", "error"),
    [
        ("lightgbm", "LGBMClassifier", {"num_leaves": 1, "n_estimators": 2, "verbose": -1}, "num_leaves"),
        ("xgboost", "XGBClassifier", {"tree_method": "nonsense", "n_estimators": 2}, "nonsense"),
        ("xgboost", "XGBClassifier", {"max_depth": -3, "n_estimators": 2}, "max_depth"),
    ],
)
def test_an_error_of_a_boosting_library_is_one_line(
    package: str, model: str, settings: dict[str, Any], error: str, place: str
) -> None:
    booster = getattr(pytest.importorskip(package), model)(**settings)
    models = {"student": TREE, "teacher": TREE, place: booster}
    with pytest.raises(
        UnsuitableModel, match=rf"{place} \({model}\) must be able to fit the rows, .*{error}"
    ) as raised:
        search_for(**models).fit(X, Y)
    assert "\n" not in str(raised.value)
    assert "Stack trace" not in str(raised.value)


class RaisesInPrediction(DecisionTreeClassifier):
    def predict_proba(self, X: Any) -> np.ndarray:
        raise OutOfPatience("no answer")


class PredictsNaN(DecisionTreeClassifier):
    def predict_proba(self, X: Any) -> np.ndarray:
        return np.full((len(X), 2), np.nan)


class WithoutClasses(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        super().fit(X, y, sample_weight)
        del self.classes_
        return self


class PredictsInfinity(DecisionTreeRegressor):
    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), np.inf)


FAULTS = [
    (RaisesInPrediction, "it said: OutOfPatience: no answer"),
    (PredictsNaN, "it predicted NaN or infinity"),
    (WithoutClasses, "it has no classes_ after fit"),
]


@pytest.mark.parametrize("place", ["student", "teacher"])
@pytest.mark.parametrize(("kind", "fault"), FAULTS)
def test_a_model_that_cannot_predict_is_named_before_the_first_trial(kind: type, fault: str, place: str) -> None:
    search = search_for(**{"student": TREE, "teacher": TREE, place: kind(max_depth=2)})
    with pytest.raises(UnsuitableModel, match=rf"{place} \({kind.__name__}\) must be able to predict .*, {fault}"):
        search.fit(X, Y)
    assert not hasattr(search, "results_")


@pytest.mark.parametrize("place", ["student", "teacher"])
def test_a_regressor_that_predicts_no_number_is_named(place: str) -> None:
    models: dict[str, Any] = {"student": DecisionTreeRegressor(max_depth=2), "teacher": LinearRegression()}
    with pytest.raises(UnsuitableModel, match=rf"{place} \(PredictsInfinity\) .* it predicted NaN or infinity"):
        MultihopSearchRegressor(**{**models, place: PredictsInfinity()}, n_trials=2, cv=2).fit(X, X[:, 0])


def test_a_default_model_that_cannot_predict_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "teachers", lambda **options: {"broken": PredictsNaN(), "tree": DecisionTreeClassifier()})
    monkeypatch.setattr(pool, "PREFERRED", ("broken", "tree"))
    with pytest.warns(DefaultLeftOutWarning, match="teacher 'broken' .*predicted NaN or infinity.* left out"):
        search = search_for().fit(X, Y)
    assert type(search.teacher_) is DecisionTreeClassifier
