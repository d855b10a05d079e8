"""Students of every kind, entry by entry: the table in docs/methods.md, what they learn, and what comes back."""

import importlib
import pickle
import re
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators
from sklearn.utils.validation import has_fit_parameter

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    TransferSet,
)
from multihop_search.errors import UnsuitableModel
from multihop_search.models import family_of
from multihop_search.models.fitting import fit, route_of
from multihop_search.models.row_counts import beside_synthetic_rows
from multihop_search.models.settle import settle
from multihop_search.models.soft_trees import TWIN_CRITERION
from multihop_search.models.training_set import TrainingSet
from multihop_search.models.tuning import student_distributions
from multihop_search.models.weights import takes_weights
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import SyntheticSet

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "methods.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| `[a-z]+\.[a-z_.]*[A-Z]\w+`", line)
]
ENTRIES = {name: cells[1:] for cells in TABLE for name in re.findall(r"`([\w.]+)`", cells[0])}
SMALL = {
    "max_iter": 40,
    "n_estimators": 6,
    "max_depth": 4,
    "max_rules": 6,
    "max_rounds": 60,
    "outer_bags": 2,
    "interactions": 0,
    "hidden_layer_sizes": (8,),
    "num_leaves": 7,
    "verbosity": -1,
    "n_jobs": 1,
    "random_state": 0,
}
SPECIAL = {
    "sklearn.neural_network.MLPClassifier": {"max_iter": 400, "learning_rate_init": 0.02},
    "sklearn.neural_network.MLPRegressor": {"max_iter": 400, "learning_rate_init": 0.02},
    "sklearn.linear_model.SGDClassifier": {"loss": "log_loss", "max_iter": 1000, "alpha": 0.01},
    "sklearn.linear_model.SGDRegressor": {"max_iter": 1000},
    "sklearn.linear_model.LogisticRegression": {"max_iter": 1000, "n_jobs": None},
    "sklearn.linear_model.Lasso": {"alpha": 1e-3, "max_iter": 1000},
    "sklearn.linear_model.ElasticNet": {"alpha": 1e-3, "max_iter": 1000},
    "sklearn.svm.LinearSVC": {"max_iter": 5000},
    "sklearn.ensemble.HistGradientBoostingClassifier": {"learning_rate": 0.5, "max_iter": 8, "min_samples_leaf": 14},
    "sklearn.ensemble.HistGradientBoostingRegressor": {"learning_rate": 0.5, "max_iter": 8, "min_samples_leaf": 5},
    "sklearn.tree.ExtraTreeClassifier": {"splitter": "best", "max_features": None},
    "sklearn.tree.ExtraTreeRegressor": {"splitter": "best", "max_features": None},
    "xgboost.XGBClassifier": {"verbosity": 0, "learning_rate": 0.5},
    "xgboost.XGBRegressor": {"verbosity": 0, "learning_rate": 0.5},
    "lightgbm.LGBMClassifier": {"learning_rate": 0.5},
    "lightgbm.LGBMRegressor": {"learning_rate": 0.5},
    "interpret.glassbox.ExplainableBoostingClassifier": {"learning_rate": 0.1},
    "interpret.glassbox.ExplainableBoostingRegressor": {"learning_rate": 0.3},
}
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:Inconsistent values. penalty"),  # imodels 3.0 with scikit-learn 1.9
]


def kind_of(name):
    """Return the class of an entry; the test is skipped where its library is absent."""
    module, _, kind = name.rpartition(".")
    pytest.importorskip(module.partition(".")[0])
    return getattr(importlib.import_module(module), kind)


def small(name):
    """Return a small, seeded model of an entry."""
    model = kind_of(name)()
    known = model.get_params(deep=False)
    params = {param: value for param, value in SMALL.items() if param in known or name.startswith("lightgbm")}
    for absent in {"max_iter", "max_rules", "max_rounds", "outer_bags", "interactions", "hidden_layer_sizes"} - set(
        known
    ):
        params.pop(absent, None)
    return model.set_params(**params | SPECIAL.get(name, {}))


REGRESSORS = [name for name in ENTRIES if ENTRIES[name][0] == "values"]
CLASSIFIERS = [name for name in ENTRIES if name not in REGRESSORS]
TAUGHT = [name for name in CLASSIFIERS if ENTRIES[name][0] != "hard labels"]


def rows(n_classes, n_rows=300, seed=0):
    """Return rows, the class (or for 1 the value) that column 0 says, and labels."""
    X = np.random.default_rng(seed).normal(size=(n_rows, 3))
    if n_classes == 1:
        return X, 2.0 * X[:, 0], None
    return X, np.digitize(X[:, 0], [0.0] if n_classes == 2 else [-0.5, 0.5]), np.arange(n_classes)


def with_weights(name):
    """Skip where the installed version of an entry's library takes no weights yet."""
    if ".MLP" in name and not has_fit_parameter(kind_of(name), "sample_weight"):
        pytest.skip("neural networks take sample_weight from scikit-learn 1.7 on")


# The table


def test_the_table_lists_models_of_every_kind():
    assert len(ENTRIES) == sum(len(re.findall(r"`[\w.]+`", cells[0])) for cells in TABLE)  # none twice
    names = {name.rpartition(".")[2] for name in ENTRIES}
    for name, kind in all_estimators(type_filter=["classifier", "regressor"]):
        if all(param.default is not param.empty for param in signature(kind).parameters.values()):
            assert name in names or not student_distributions(kind(), "auto")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_the_route_of_soft_labels(name):
    with_weights(name)
    two, _, more = ENTRIES[name][0].partition("; ")
    numbers = [None, None] if name in REGRESSORS else [2, 3]
    assert [route_of(small(name), n_classes) for n_classes in numbers] == [two, more or two]
    pipeline = Pipeline([("scaler", StandardScaler()), ("model", small(name))])
    assert route_of(pipeline, numbers[1]) == (more or two)
    assert is_classifier(small(name)) == (name in CLASSIFIERS)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_whether_weights_are_taken(name):
    with_weights(name)
    assert ENTRIES[name][1] == ("yes" if takes_weights(small(name)) else "no")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_what_is_adapted_to_more_rows(name):
    model = kind_of(name)()
    params = dict.fromkeys(["min_samples_leaf", "min_samples_split", "min_child_samples", "n_iter_no_change"], 7)
    known = model.get_params(deep=False)
    model.set_params(**{param: value for param, value in params.items() if param in known})
    if "early_stopping" in known:
        model.set_params(early_stopping=True)
    further = family_of(model).fit_arguments(model, np.arange(100) % 2, np.arange(200))
    changed = [*sorted(beside_synthetic_rows(model, 100, 200)), *further]
    assert ENTRIES[name][2] == (", ".join(changed) or "-")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_what_is_tuned(name):
    assert ENTRIES[name][3] == (", ".join(student_distributions(kind_of(name)(), "auto")) or "-")


def test_exceptions_to_the_table():
    tree = kind_of("sklearn.tree.DecisionTreeClassifier")
    after = "regression" if TWIN_CRITERION.get("entropy") else "repetition"
    assert [route_of(tree(criterion=name), 3) for name in ("gini", "entropy", "log_loss")] == [
        "regression",
        after,
        after,
    ]
    assert route_of(tree(monotonic_cst=[1]), 2) == "regression"
    assert route_of(tree(monotonic_cst=[1]), 3) == "repetition"
    assert route_of(tree(monotonic_cst=[1], criterion="entropy"), 2) == "repetition"
    assert route_of(type("Own", (tree,), {})(), 2) == "repetition"
    logistic = kind_of("sklearn.linear_model.LogisticRegression")
    assert route_of(logistic(solver="saga"), 3) == "repetition"
    assert route_of(logistic(warm_start=True), 3) == "repetition"
    assert route_of(logistic(penalty="elasticnet", l1_ratio=0.5), 3) == "repetition"
    assert route_of(type("Own", (logistic,), {})(), 3) == "repetition"


# What is learned


@pytest.mark.parametrize("name", TAUGHT)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_follow_soft_labels_that_contradict_the_true_ones(n_classes, name):
    with_weights(name)
    X, said, labels = rows(n_classes)
    targets = np.full((len(X), n_classes), 0.3 / (n_classes - 1))
    targets[np.arange(len(X)), said] = 0.7
    student = small(name)
    with thread_limit():
        made = fit(
            clone(student),
            TrainingSet(X, (said + 1) % n_classes, labels, transfer=TransferSet(targets, np.ones(len(X)))),
        )
    if name.endswith("RidgeClassifier") or name.endswith("LinearSVC"):  # a line cannot cut out a middle class
        assert np.mean((made.predict(X) == said)[said != 1 if n_classes == 3 else slice(None)]) > 0.85
    else:
        assert np.mean(made.predict(X) == said) > 0.75
    assert_is_the_users(made, student, X)
    if hasattr(made, "predict_proba"):  # shares of .7, not certainty
        assert np.mean(made.predict_proba(X)[np.arange(len(X)), said]) < 0.85


@pytest.mark.parametrize("name", TAUGHT)
def test_heavy_rows_outvote_light_ones(name):
    with_weights(name)
    X, said, labels = rows(2)
    light = np.arange(len(X)) < 200  # two in three say the opposite: without weights a third is right at best
    y = np.where(light, 1 - said, said)
    weights = np.where(light, 0.02, 2.0)
    with thread_limit():
        made = fit(small(name), TrainingSet(X, y, labels, transfer=TransferSet(np.eye(2)[y], weights)))
    assert np.mean(made.predict(X) == said) > 0.7


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in TAUGHT])
def test_models_without_weights_learn_hard_labels_and_refuse_soft_ones(name):
    X, said, labels = rows(2)
    y = 1 - said
    made = fit(small(name), TrainingSet(X, y, labels, transfer=TransferSet(np.eye(2)[said], np.ones(len(X)))))
    assert np.mean(made.predict(X) == said) > 0.8
    with pytest.raises(UnsuitableModel, match="sample_weight"):
        fit(small(name), TrainingSet(X, y, labels, transfer=TransferSet(np.full((len(X), 2), 0.5), np.ones(len(X)))))


@pytest.mark.parametrize("name", REGRESSORS)
def test_predictions_of_regressors_follow_the_values_that_are_said(name):
    X, said, _ = rows(1)
    student = small(name)
    with thread_limit():
        made = fit(clone(student), TrainingSet(X, -said, None, transfer=TransferSet(said[:, None], np.ones(len(X)))))
    assert np.corrcoef(made.predict(X), said)[0, 1] > 0.8
    assert_is_the_users(made, student, X)


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in REGRESSORS or ENTRIES[name][1] == "yes"])
def test_synthetic_rows_are_learned_beside_the_real_ones(name):
    with_weights(name)
    X, said, labels = rows(2 if name in CLASSIFIERS else 1)
    y = said[:40]  # too few to learn from: all of them are said to be alike
    true = np.eye(2)[np.zeros(40, dtype=int)] if name in CLASSIFIERS else np.zeros((40, 1))
    targets = np.eye(2)[said[40:]] if name in CLASSIFIERS else said[40:, None]
    synthetic = SyntheticSet(X[40:], targets, np.arange(260) % 40)
    with thread_limit():
        made = fit(
            small(name), TrainingSet(X[:40], y, labels, transfer=TransferSet(true, np.ones(40), synthetic=synthetic))
        )
    assert np.corrcoef(made.predict(X[40:]), said[40:])[0, 1] > 0.5
    assert len(np.unique(made.predict(X[40:]))) > 1


def assert_is_the_users(made, student, X):
    """Check class, parameters, clone and pickle of what came back."""
    assert type(made) is type(student)
    for one in (made, clone(made)):
        found, given = one.get_params(), student.get_params()
        if type(student).__name__ == "XGBClassifier":  # its own fit sets it
            found["objective"] = given["objective"]
        assert str(found) == str(given)  # NaN is not equal to itself
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).predict(X), made.predict(X))


# A search


def searched(student, X, y, *, regression=False, schemes="auto", **settings):
    usual = {"intermediates": [], "n_trials": 4, "cv": 2, "crossfit_cv": 2, "random_state": 0, "schemes": schemes}
    teacher = (RandomForestRegressor if regression else RandomForestClassifier)(4, max_depth=6)
    search = (MultihopSearchRegressor if regression else MultihopSearchClassifier)(student, teacher)
    return search.set_params(**{**usual, **settings}).fit(X, y)


def smallest(name):
    """Return a model of an entry that need not learn much."""
    few = {"max_rounds": 3} if "ExplainableBoosting" in name else {"max_iter": 5} if ".MLP" in name else {}
    return small(name).set_params(**few)


def both_routes(name):
    """Return the numbers of classes to try: both where they go different ways, and two only for RuleFit."""
    return [2] if name.endswith("RuleFitClassifier") else [2, 3] if "; " in ENTRIES[name][0] else [3]


def taught_student(search, student, X):
    """Return the last one-hop student of a search, fitted on all rows, after its class and parameters are checked."""
    assert (search.results_["state"] == "COMPLETE").all(), search.results_["reason"].tolist()
    number = int(search.results_.index[search.results_["hops"] == 1][-1])
    for made, path in (
        (search.best_estimator_, search.best_path_),
        (search.refit_trial(number), search.paths_[number]),
    ):
        assert_is_the_users(made, clone(student).set_params(**dict(path.params)), X)
    return made


@pytest.mark.parametrize(("n_classes", "name"), [(n, name) for name in CLASSIFIERS for n in both_routes(name)])
def test_a_classifier_of_every_kind_is_a_student(n_classes, name):
    with_weights(name)
    X, y = make_classification(90, 4, n_informative=3, n_redundant=0, n_classes=n_classes, random_state=1)
    labels = y if name.startswith("xgboost") else np.array(["a", "b", "c"])[y]
    student = smallest(name)
    schemes = [KnowledgeDistillation(), ConfWeight()] if name in TAUGHT else [HardLabels()]
    scoring = "auto" if hasattr(student, "predict_proba") else "accuracy"
    search = searched(student, X, labels, schemes=[*schemes, ModelCompression()], scoring=scoring)
    made = taught_student(search, student, X)
    assert list(made.classes_) == sorted(set(labels))
    assert set(search.predict(X)) <= set(labels)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_of_every_kind_is_a_student(name):
    X, y, _ = rows(1, n_rows=90)
    student = smallest(name)
    search = searched(student, X, y, regression=True)
    taught_student(search, student, X)
    assert np.isfinite(search.predict(X)).all()


@pytest.mark.parametrize("name", ["lightgbm.LGBMClassifier", "sklearn.linear_model.LogisticRegression"])
def test_a_student_in_a_pipeline_is_taught_in_its_last_step(name):
    X, y = make_classification(90, 4, n_informative=3, n_redundant=0, n_classes=3, random_state=1)
    pipeline = Pipeline([("scaler", StandardScaler()), ("model", small(name))])
    made = taught_student(searched(pipeline, X, y, schemes=[KnowledgeDistillation()]), pipeline, X)
    np.testing.assert_allclose(made["scaler"].mean_, X.mean(axis=0))  # real rows only, each once
    assert type(made["model"]) is kind_of(name)


# Boosters of other libraries


def test_a_child_of_lightgbm_holds_as_many_real_rows_as_the_user_asked_for():
    X, said, labels = rows(2, n_rows=200)
    targets = np.full((200, 2), 0.3)
    targets[np.arange(200), said] = 0.7
    student = small("lightgbm.LGBMClassifier").set_params(min_child_samples=60, n_estimators=1)
    made = fit(clone(student), TrainingSet(X, said, labels, transfer=TransferSet(targets, np.ones(200))))
    leaves = np.unique(made.predict(X, pred_leaf=True).ravel(), return_counts=True)[1]
    assert len(leaves) > 1
    assert leaves.min() >= 60
    assert made.min_child_samples == 60


def test_lightgbm_is_held_to_the_jobs_of_the_fit_where_it_would_take_every_core():
    lightgbm = small("lightgbm.LGBMClassifier").set_params(n_jobs=None)
    model, before = settle(Pipeline([("model", lightgbm)]), "student", 0, jobs=1)
    assert model["model"].n_jobs == 1
    assert before["model__n_jobs"] is None
    assert settle(small("sklearn.ensemble.RandomForestClassifier").set_params(n_jobs=None), "student", 0)[1] == {}
    machine, before = settle(kind_of("interpret.glassbox.ExplainableBoostingClassifier")(), "student", 0, jobs=2)
    assert (machine.n_jobs, before["n_jobs"], machine.random_state) == (2, -2, 42)


def test_copies_of_a_row_lie_on_one_side_and_only_real_rows_are_held_out():
    machine = kind_of("interpret.glassbox.ExplainableBoostingClassifier")(outer_bags=5, random_state=3)
    y = np.repeat([0, 1], [30, 10])
    copied = np.concatenate([np.repeat(np.arange(40), 2), np.arange(40, 60)])  # each twice, then 20 synthetic rows
    bags = family_of(machine).fit_arguments(machine, y, copied)["bags"]
    assert bags.shape == (100, 5)
    np.testing.assert_array_equal(bags[:80:2], bags[1:80:2])
    assert (bags[80:] == 1).all()
    held_out = bags[:80:2] == -1
    assert held_out.sum(axis=0).tolist() == [6] * 5  # .15 * 40
    assert set(held_out[30:].sum(axis=0)) <= {1, 2}  # a quarter of the rows, so 1.5 of 6
    assert len(np.unique(bags, axis=1).T) > 1
    np.testing.assert_array_equal(bags, family_of(machine).fit_arguments(machine, y, copied)["bags"])
    assert family_of(machine).fit_arguments(machine, y, np.arange(40)) == {}
    assert family_of(machine).fit_arguments(machine.set_params(validation_size=0), y, copied) == {}


def test_an_explainable_boosting_machine_is_fitted_where_some_weights_are_0():
    X, said, labels = rows(2)
    light = np.arange(len(X)) < 200
    y = np.where(light, 1 - said, said)
    student = small("interpret.glassbox.ExplainableBoostingClassifier")
    made = fit(student, TrainingSet(X, y, labels, transfer=TransferSet(np.eye(2)[y], np.where(light, 0.0, 1.0))))
    assert np.mean(made.predict(X) == said) > 0.8


@pytest.mark.parametrize(
    ("booster", "range_"),
    [
        (HistGradientBoostingClassifier(max_iter=10), (0.1, 1.0)),
        (GradientBoostingRegressor(n_estimators=30), (0.1, 1.0)),
        (GradientBoostingRegressor(n_estimators=31), (0.02, 0.5)),
        (HistGradientBoostingClassifier(), (0.02, 0.5)),
    ],
)
def test_few_rounds_may_take_large_steps(booster, range_):
    rate = student_distributions(booster, "auto")["learning_rate"]
    assert (rate.low, rate.high) == range_


@pytest.mark.parametrize("name", [name for name in ENTRIES if "learning_rate," in ENTRIES[name][3]])
def test_what_the_user_moved_stays_or_tightens(name):
    model = kind_of(name)()
    tuned = student_distributions(model, "auto")
    assert tuned == family_of(model).tuned(model, 1.0)
    assert not {"n_estimators", "max_depth", "num_leaves", "max_leaves", "max_rounds"} & set(tuned)
    assert "learning_rate" not in student_distributions(model.set_params(learning_rate=0.07), "auto")
    for leaf in {"min_child_samples", "min_samples_leaf"} & set(tuned):
        left = student_distributions(model.set_params(**{leaf: 33}), "auto")[leaf]
        assert (left.low, left.high) == (33, tuned[leaf].high)
        assert leaf not in student_distributions(model.set_params(**{leaf: 1000}), "auto")
