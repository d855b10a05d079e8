"""Families of models: each keeps the contract, a user's own reaches searches and workers, and defects are caught."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from sklearn.base import is_classifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from multihop_search import MultihopSearchClassifier, RayExecutor
from multihop_search.errors import InvalidSetting, NewLogWarning
from multihop_search.models import Coefficients, Count, Family, family_of, register, unregister
from multihop_search.models.complexity import complexity
from multihop_search.models.registry import FAMILIES, Registered, registered
from multihop_search.testing import check_family

pytestmark = pytest.mark.once

SMALL = [
    DecisionTreeClassifier(max_depth=3),
    DecisionTreeClassifier(max_depth=3, criterion="entropy"),
    DecisionTreeRegressor(max_depth=3),
    ExtraTreeClassifier(max_depth=4),
    RandomForestClassifier(12, max_depth=3),
    RandomForestRegressor(12, max_depth=3),
    ExtraTreesClassifier(12, max_depth=4, bootstrap=True),
    HistGradientBoostingClassifier(max_iter=6, learning_rate=0.5, min_samples_leaf=5),
    HistGradientBoostingRegressor(max_iter=6, learning_rate=0.5, min_samples_leaf=5),
    GradientBoostingClassifier(n_estimators=6, learning_rate=0.5, max_depth=2, n_iter_no_change=5),
    GradientBoostingRegressor(n_estimators=6, max_depth=2),
    LogisticRegression(C=100.0, max_iter=1000),
    LogisticRegression(C=100.0, max_iter=1000, solver="newton-cg"),
    RidgeClassifier(),
    LinearSVC(C=10.0),
    Ridge(alpha=0.1),
    Lasso(alpha=1e-3),
    SGDRegressor(max_iter=2000, early_stopping=True),
    PoissonRegressor(alpha=1e-3),
    MLPClassifier((8, 4), max_iter=300, learning_rate_init=0.02),
    MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=500),
    VotingClassifier([("tree", DecisionTreeClassifier(max_depth=3)), ("bayes", GaussianNB())], voting="soft"),
    GaussianNB(),
    KNeighborsClassifier(),
    AdaBoostClassifier(n_estimators=5),
]


def seeded(model: Any) -> Any:
    return model.set_params(random_state=0) if "random_state" in model.get_params(deep=False) else model


@pytest.mark.parametrize("model", SMALL, ids=str)
def test_every_family_keeps_the_contract(model: Any) -> None:
    seeded(model)
    if is_classifier(model) and isinstance(model, MLPClassifier) and not hasattr(model, "set_fit_request"):
        pytest.skip("neural networks take sample_weight from scikit-learn 1.7 on")
    check_family(family_of(model), model)


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize(
    ("library", "name", "params"),
    [
        ("lightgbm", "LGBM", {"n_estimators": 6, "num_leaves": 7, "learning_rate": 0.5, "n_jobs": 1, "verbosity": -1}),
        ("xgboost", "XGB", {"n_estimators": 6, "max_depth": 3, "learning_rate": 0.5, "n_jobs": 1}),
        (
            "interpret.glassbox",
            "ExplainableBoosting",
            {"max_rounds": 60, "outer_bags": 2, "interactions": 0, "n_jobs": 1},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_every_family_of_another_library_keeps_the_contract(library: str, name: str, params: Any, kind: str) -> None:
    model = getattr(pytest.importorskip(library), name + kind)(random_state=0, **params)
    check_family(family_of(model), model)


@pytest.mark.parametrize("model", SMALL, ids=str)
def test_no_two_families_of_the_package_match_one_model(model: Any) -> None:
    names = [type(family).__name__ for family in FAMILIES if family.matches(model)]
    assert names[-1] == "AnyModel"
    assert len(names) <= 2


def test_every_family_of_the_package_is_checked() -> None:
    checked = {type(family_of(model)).__name__ for model in SMALL} | {"LightGBM", "XGBoost", "ExplainableBoosting"}
    assert checked == {type(family).__name__ for family in FAMILIES}


# A family of one's own


class NaiveBayes(Family):
    """A naive Bayes whose smoothing is searched."""

    def matches(self, model: Any) -> bool:
        return isinstance(model, GaussianNB)

    def tuned(self, model: Any, variance: float) -> Any:
        return {"var_smoothing": FloatDistribution(1e-12, 1e-3, log=True)}

    def count(self, model: Any) -> Count:
        return Count(model.theta_.size + model.var_.size, "means and variances")


def data() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(90, 3))
    return X, (X[:, 0] + X[:, 1] > 0).astype(int)


def search_for(student: Any, **settings: Any) -> MultihopSearchClassifier:
    usual = {"intermediates": [], "n_trials": 6, "cv": 2, "crossfit_cv": 2, "random_state": 0}
    return MultihopSearchClassifier(student, RandomForestClassifier(8, max_depth=6), **{**usual, **settings})


def test_a_family_of_ones_own_keeps_the_contract_and_is_searched() -> None:
    check_family(NaiveBayes(), GaussianNB())
    X, y = data()
    with registered(NaiveBayes()):
        search = search_for(make_pipeline("passthrough", GaussianNB())).fit(X, y)
        assert complexity(search.best_estimator_) == 12.0  # 3 means and 3 variances of 2 classes
    smoothings = {path.params for path in search.paths_}
    assert all(name == "gaussiannb__var_smoothing" for params in smoothings for name, _ in params)
    assert len(smoothings) > 1


def test_a_registered_family_is_asked_before_the_packages_and_the_latest_first() -> None:
    class Trees(Family):
        def matches(self, model: Any) -> bool:
            return isinstance(model, DecisionTreeClassifier)

    first, second = Trees(), NaiveBayes()
    with registered(first), registered(second):
        assert family_of(DecisionTreeClassifier()) is first
        assert family_of(GaussianNB()) is second
        again = register(Trees())  # a cell of a notebook that is run twice
        assert family_of(DecisionTreeClassifier()) is again
        unregister(first)
        assert type(family_of(DecisionTreeClassifier())).__name__ == "DecisionTree"
    assert type(family_of(GaussianNB())).__name__ == "AnyModel"


def test_a_class_in_place_of_a_family_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="must be an instance of a class derived from Family"):
        register(NaiveBayes)


MODULE = """
from multihop_search.models import Family

class Own(Family):
    def matches(self, model):
        return type(model).__name__ == "GaussianNB"
"""
ARRIVES = """
import pickle, sys
from sklearn.naive_bayes import GaussianNB
from multihop_search.models import family_of
before = type(family_of(GaussianNB())).__name__
pickle.loads(sys.stdin.buffer.read())
print(before, type(family_of(GaussianNB())).__name__)
"""


def test_a_family_arrives_with_what_is_sent_to_another_process(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "own_family.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_family  # type: ignore[import-not-found]

    with registered(own_family.Own()):
        sent = pickle.dumps(Registered.now())
    environment = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", ARRIVES], input=sent, capture_output=True, env=environment, check=True)
    assert done.stdout.decode().split() == ["AnyModel", "Own"]


def test_a_registered_family_is_asked_on_the_workers_of_ray() -> None:
    class OfThisProcess(Family):  # no worker can import it: it has to be sent
        def matches(self, model: Any) -> bool:
            return isinstance(model, GaussianNB)

        def count(self, model: Any) -> Count:  # asked where a student is fitted
            return Count(model.theta_.size + model.var_.size, "means and variances")

    with registered(OfThisProcess()):
        here = search_for(GaussianNB(), n_trials=3).fit(*data())
        there = search_for(GaussianNB(), n_trials=3, executor=RayExecutor(n_workers=1)).fit(*data())
    assert set(there.results_["nodes"]) == {12.0}
    np.testing.assert_array_equal(there.results_["score"], here.results_["score"])


def test_a_checkpoint_is_begun_anew_once_a_family_has_changed(tmp_path: Any) -> None:
    def family(high: float) -> Family:
        class Smoothed(NaiveBayes):
            def count(self, model: Any) -> Count:
                return Count(high, "units")

        return Smoothed()

    with registered(family(2.0)):
        first = search_for(GaussianNB(), n_trials=3, checkpoint=tmp_path / "log").fit(*data())
        again = search_for(GaussianNB(), n_trials=3, checkpoint=tmp_path / "log").fit(*data())
    assert first.results_["nodes"].tolist() == again.results_["nodes"].tolist() == [2.0] * 3
    with registered(family(3.0)), pytest.warns(NewLogWarning, match="differs in families"):
        other = search_for(GaussianNB(), n_trials=3, checkpoint=tmp_path / "log").fit(*data())
    assert other.results_["nodes"].tolist() == [3.0] * 3


# Defects


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        ("matches", lambda self, model: False, "must match the model that it is checked with, got False"),
        (
            "tuned",
            lambda self, model, variance: {"smoothing": FloatDistribution(0, 1)},
            r"tune parameters of GaussianNB",
        ),
        ("tuned", lambda self, model, variance: {"var_smoothing": (0, 1)}, "tune over distributions of Optuna"),
        (
            "tuned",
            lambda self, model, variance: {"var_smoothing": FloatDistribution(-1.0, 1.0)},
            "tune var_smoothing over values that can be fitted, var_smoothing=-1.0 raised InvalidParameterError",
        ),
        ("members", lambda self, model: None, "return an integer of at least 0 as members, got None"),
        ("count", lambda self, model: Count(0.0, "nothing"), "give a fitted model a complexity above 0, got 0.0"),
        ("count", lambda self, model: Count(float("nan"), "nothing"), "give a fitted model a complexity above 0"),
        ("importances", lambda self, model: np.ones(3), "give each of 4 features an importance of at least 0"),
        ("importances", lambda self, model: np.eye(4)[1], "importance of 0 only to features that are not read"),
        ("without_early_stopping", lambda self, model: {"patience": None}, "turn early stopping off by parameters"),
        ("soft_labels", lambda self, model, n_classes, n_present: "repetition", "return a Route or None"),
        ("portrayal", lambda self, model: "a naive Bayes", "portray a model as OneTree, Coefficients or Shares"),
        ("portrayal", lambda self, model: Coefficients(np.ones((1, 3))), r"portray \(n_outputs, n_features\)"),
    ],
)
def test_a_defect_is_one_sentence(method: str, answer: Any, message: str) -> None:
    family = type("Defective", (NaiveBayes,), {method: answer})()
    with pytest.raises(AssertionError, match=message) as caught:
        check_family(family, GaussianNB())
    assert str(caught.value).startswith("Defective must ")


def test_a_cut_that_takes_the_wrong_members_is_caught() -> None:
    class Last(type(family_of(RandomForestClassifier()))):  # type: ignore[misc]
        def first(self, model: Any, k: int) -> Any:
            short = super().first(model, k)
            short.estimators_ = model.estimators_[-k:]
            return short

    with pytest.raises(AssertionError, match="predict in stage 6 as the first 6 members"):
        check_family(Last(), RandomForestClassifier(12, max_depth=3, random_state=0))


def test_bags_of_other_rows_and_wrong_means_are_caught() -> None:
    forest = type(family_of(RandomForestClassifier()))

    class Beyond(forest):  # type: ignore[misc,valid-type]
        def bags(self, model: Any) -> Any:
            return ((predict, rows + 1000) for predict, rows in super().bags(model))

    with pytest.raises(AssertionError, match="name the rows of a bag by their numbers"):
        check_family(Beyond(), RandomForestClassifier(12, max_depth=3, random_state=0))


def test_a_formula_of_another_model_is_caught() -> None:
    tree = type(family_of(DecisionTreeClassifier()))

    class Upside(tree):  # type: ignore[misc,valid-type]
        def formula(self, model: Any, features: Any) -> Any:
            return super().formula(model, features[::-1])

    with pytest.raises(AssertionError, match="write a formula that predicts what the model does"):
        check_family(Upside(), DecisionTreeClassifier(max_depth=3, random_state=0))
