"""Bad input to the face: one sentence, what was expected, what came, what to do."""

import re
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import ConfWeight, HardLabels, KnowledgeDistillation, MultihopSearchClassifier
from multihop_search.errors import MultihopError

TREE = DecisionTreeClassifier(max_depth=2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
NAN_LABEL = np.where(np.arange(60) == 3, np.nan, Y)
WORDS = pd.DataFrame({"size": X[:, 0], "colour": np.where(Y, "red", "blue")})

SETTINGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"n_trials": 0}, ValueError, "n_trials must be an integer of at least 1, got 0"),
    ({"n_trials": 2.5}, ValueError, "n_trials must be an integer of at least 1, got 2.5"),
    ({"max_hops": -1}, ValueError, "max_hops must be an integer of at least 0, got -1"),
    ({"n_ahead": 0}, ValueError, "n_ahead must be an integer of at least 1, got 0"),
    ({"timeout": -3}, ValueError, "timeout must be None or a positive number of seconds, got -3"),
    ({"verdict": "naive"}, ValueError, "verdict must be 'bbc', got 'naive'"),
    ({"cv": 1}, ValueError, "cv must be an integer of at least 2"),
    ({"cv": "five"}, ValueError, "cv must be an integer, a splitter or a list of splits, got 'five'"),
    ({"cv": 50}, ValueError, "cv=50 needs a class of at least 50 rows"),
    ({"cv": []}, ValueError, "cv must give at least one"),
    ({"crossfit_cv": 1}, ValueError, "crossfit_cv must be False or an integer of at least 2, got 1"),
    ({"crossfit_cv": True}, ValueError, "crossfit_cv must be False or an integer of at least 2, got True"),
    ({"scoring": "acuracy"}, ValueError, "scoring must be 'auto' or a name in .* got 'acuracy'"),
    ({"scoring": 3}, ValueError, "scoring must be 'auto', a scikit-learn scorer name or a scorer, got int"),
    ({"sampler": "tpe"}, ValueError, "sampler must be 'auto' or a function of a seed"),
    ({"sampler": optuna.samplers.RandomSampler()}, ValueError, "sampler must be 'auto' or a function of a seed"),
    ({"sampler": lambda seed: seed}, ValueError, "sampler must return an optuna.samplers.BaseSampler, got int"),
    ({"sampler": lambda seed: optuna.samplers.GridSampler({"a": [1]})}, ValueError, "GridSampler enumerates it"),
    ({"random_state": -1}, ValueError, "random_state must not be negative, got -1"),
    ({"callbacks": print}, ValueError, "callbacks must be a list of callables"),
    ({"teacher": RandomForestClassifier(random_state=np.random.RandomState(0))}, TypeError, "random_state of teacher"),
    ({"schemes": "distillation"}, ValueError, "schemes must be 'auto' or a list of schemes, got 'distillation'"),
    ({"schemes": []}, ValueError, "schemes must be 'auto' or a list of schemes"),
    ({"schemes": ["KnowledgeDistillation"]}, ValueError, "must hold Scheme instances, got 'KnowledgeDistillation'"),
    ({"schemes": [HardLabels]}, ValueError, "schemes must hold Scheme instances"),
    (
        {"schemes": [KnowledgeDistillation(alpha=2.0)]},
        ValueError,
        r"alpha of KnowledgeDistillation must be .* \[0, 1\]",
    ),
    ({"schemes": [KnowledgeDistillation(temperature=0.0)]}, ValueError, "temperature of KnowledgeDistillation must be"),
    ({"schemes": [KnowledgeDistillation(alpha=FloatDistribution(0, 3))]}, ValueError, "alpha of KnowledgeDistillation"),
    (
        {"param_distributions": {"depth": [1, 2]}},
        ValueError,
        "must name parameters of DecisionTreeClassifier, got 'depth'",
    ),
    ({"param_distributions": {"ccp_alpha": 0.1}}, ValueError, r"param_distributions\['ccp_alpha'\] must be an Optuna"),
    ({"param_distributions": "all"}, ValueError, "param_distributions must be 'auto' or a mapping"),
    ({"intermediates": "none"}, ValueError, "intermediates must be 'auto' or a list"),
    ({"intermediates": 5}, ValueError, "intermediates must be 'auto' or a list"),
    ({"intermediates": [TREE]}, ValueError, r"intermediates must be a list of \(name, estimator\) pairs"),
    ({"intermediates": [("a", TREE), ("a", TREE)]}, ValueError, "names of intermediates must be unique and free, 'a'"),
    ({"intermediates": [("svc", LinearSVC())]}, TypeError, "intermediate 'svc' must have predict_proba"),
    ({"intermediates": [("knn", KNeighborsClassifier())]}, TypeError, "intermediate 'knn' must take sample_weight"),
    ({"student": DecisionTreeClassifier}, TypeError, "student must be a scikit-learn classifier instance"),
    ({"student": "tree"}, TypeError, "student must be a scikit-learn classifier instance, got str"),
    (
        {"student": DecisionTreeRegressor()},
        TypeError,
        "student must be a classifier, DecisionTreeRegressor is a regressor",
    ),
    ({"student": LinearSVC()}, TypeError, "scoring='auto' needs a student with predict_proba, LinearSVC has none"),
    (
        {"student": KNeighborsClassifier(), "schemes": [KnowledgeDistillation()]},
        TypeError,
        "KnowledgeDistillation passes on soft labels or weights .* KNeighborsClassifier does not",
    ),
    ({"student": KNeighborsClassifier(), "schemes": [ConfWeight()]}, TypeError, "ConfWeight passes on soft labels"),
    (
        {"student": DecisionTreeClassifier(random_state=np.random.RandomState(0))},
        TypeError,
        "random_state of student must be None or an integer, got a RandomState",
    ),
    ({"teacher": "forest"}, ValueError, "teacher must be 'auto' or a classifier, got 'forest'"),
    ({"teacher": LinearSVC()}, TypeError, "teacher must have predict_proba, LinearSVC has none"),
    ({"teacher": Perceptron()}, TypeError, "teacher must have predict_proba, Perceptron has none"),
    (
        {"teacher": RandomForestRegressor()},
        TypeError,
        "teacher must be a classifier, RandomForestRegressor is a regressor",
    ),
    ({"teacher": LinearRegression()}, TypeError, "teacher must be a classifier, LinearRegression is a regressor"),
]

TABLES: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    (X, np.zeros(60), {}, ValueError, "y must have at least 2 classes, got 1 class"),
    (X, NAN_LABEL, {}, ValueError, "y must have no missing label, 1 of 60 are NaN"),
    (X, Y[:50], {}, ValueError, "y must have one label for each of the 60 rows, got 50"),
    (X, X[:, 0], {}, ValueError, "y must hold class labels, got an Unknown label type: continuous"),
    (X, np.array([None, *map(str, Y[1:])], dtype=object), {}, ValueError, "y must have no missing label"),
    (X, np.array([1, *map(str, Y[1:])], dtype=object), {}, ValueError, "y must hold labels of one kind, got int, str"),
    (X, np.column_stack([Y, Y]), {}, ValueError, "y must be one column of labels, got 2 columns"),
    (X, None, {}, ValueError, "the target y is None"),
    (X, Y, {"groups": np.arange(50)}, ValueError, "groups must have one entry for each of the 60 rows"),
    (X, Y, {"groups": np.where(np.arange(60) == 0, np.nan, 1.0)}, ValueError, "groups must have no missing value"),
    (X, Y, {"groups": np.repeat([0, 1], 30)}, ValueError, "cv=3 needs at least 3 groups, got 2"),
    (
        X,
        Y,
        {"sample_weight": np.zeros(60)},
        ValueError,
        "sample_weight must be finite, not negative and not zero for every row",
    ),
    (WORDS, Y, {}, TypeError, "student .* must take the columns as they are, colour hold no numbers: use skrub"),
]


def search_for(**settings: Any) -> MultihopSearchClassifier:
    usual = {"student": TREE, "teacher": RandomForestClassifier(5), "n_trials": 3, "cv": 3, "random_state": 0}
    return MultihopSearchClassifier(**{**usual, **settings})


def is_one_sentence(message: str) -> bool:
    return "\n" not in message and not re.search(r"[.!?] [A-Z]", message) and len(message) < 400


@pytest.mark.parametrize(("settings", "kind", "message"), SETTINGS, ids=[case[2][:50] for case in SETTINGS])
def test_a_bad_setting_is_met_with_one_sentence(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        search_for(**settings).fit(X, Y)
    assert isinstance(caught.value, MultihopError)
    assert is_one_sentence(str(caught.value)), str(caught.value)


@pytest.mark.parametrize(("rows", "target", "more", "kind", "message"), TABLES, ids=[case[4][:50] for case in TABLES])
def test_a_bad_table_is_met_with_one_sentence(
    rows: Any, target: Any, more: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        search_for().fit(rows, target, **more)
    assert isinstance(caught.value, MultihopError)
    assert is_one_sentence(str(caught.value)), str(caught.value)


def test_a_student_that_cannot_fit_the_rows_says_what_it_said() -> None:
    with pytest.raises(TypeError, match=r"student \(LogisticRegression\) must be able to fit the rows, it said: .*NaN"):
        search_for(student=LogisticRegression()).fit(
            pd.DataFrame(np.where(np.arange(180).reshape(60, 3) == 4, np.nan, X)), Y
        )


def test_a_frozen_teacher_with_other_labels_is_refused() -> None:
    from sklearn.frozen import FrozenEstimator

    teacher = RandomForestClassifier(3, random_state=0).fit(X, np.where(Y, "yes", "no"))
    with pytest.raises(TypeError, match="a frozen teacher must know only the labels of y, it also knows 'no'"):
        search_for(teacher=FrozenEstimator(teacher)).fit(X, Y)
    with pytest.raises(TypeError, match="a frozen teacher must be fitted"):
        search_for(teacher=FrozenEstimator(RandomForestClassifier())).fit(X, Y)


def test_a_score_of_unseen_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"y must hold labels seen in fit, got [78] too"):
        search_for().fit(X, Y).score(X, Y + 7 * (np.arange(60) == 0))


def test_a_column_of_words_is_met_with_one_sentence_with_all_defaults_too() -> None:
    with pytest.raises(
        TypeError, match=r"student .* must take the columns as they are, colour hold no numbers: use skrub"
    ):
        MultihopSearchClassifier(TREE).fit(WORDS, Y)


def test_a_teacher_that_cannot_be_fitted_is_met_before_the_search() -> None:
    class Broken(RandomForestClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            raise ValueError("no")

    with pytest.raises(TypeError, match=r"teacher \(Broken\) must be able to fit the rows, it said: no"):
        search_for(teacher=Broken(), intermediates=[]).fit(X, Y)


def test_refit_trial_refuses_a_number_that_is_no_completed_trial() -> None:
    search = search_for().fit(X, Y)
    with pytest.raises(ValueError, match="number must be that of a completed trial, got 99"):
        search.refit_trial(99)
