"""Bad input to the face: one sentence, what was expected, what came, what to do."""

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.sparse import csr_matrix
from searches import searches
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    OneHopPruner,
    PathObjective,
    RayExecutor,
    SRatio,
)
from multihop_search.errors import MultihopError

pytestmark = pytest.mark.once

TREE = DecisionTreeClassifier(max_depth=2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
NAN_LABEL = np.where(np.arange(60) == 3, np.nan, Y)
WORDS = pd.DataFrame({"size": X[:, 0], "colour": np.where(Y, "red", "blue")})

SETTINGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"n_trials": 0}, ValueError, "n_trials must be None or an integer of at least 1, got 0"),
    ({"n_trials": 2.5}, ValueError, "n_trials must be None or an integer of at least 1, got 2.5"),
    ({"max_hops": -1}, ValueError, "max_hops must be an integer of at least 0, got -1"),
    ({"n_ahead": 0}, ValueError, "n_ahead must be an integer of at least 1, got 0"),
    ({"timeout": -3}, ValueError, "timeout must be None or a positive number of seconds, got -3"),
    ({"verdict": "naive"}, ValueError, "verdict must be 'bbc', 'nested' or a share .* got 'naive'"),
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
        r"KnowledgeDistillation passes on soft labels or weights .* KNeighborsClassifier \(student\) does not",
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
    (X, X[:, 0], {}, ValueError, r"\.astype\(str\) if each number names a class, or use MultihopSearchRegressor"),
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


search_for = searches(TREE, RandomForestClassifier(5), n_trials=3, cv=3)


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


@pytest.mark.parametrize("place", ["student", "teacher", "intermediates"])
def test_a_model_that_cannot_be_copied_is_named(place: str) -> None:
    locked = KNeighborsClassifier(metric=threading.Lock())
    given = {place: [("near", locked)] if place == "intermediates" else locked, "schemes": [HardLabels()]}
    with pytest.raises(TypeError, match=rf"{place[:12]}.* \(KNeighborsClassifier\) must be .*clone can copy"):
        search_for(**given).fit(X, Y)


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


# ---- several students, budget, pruner, executor, model compression, rows without labels, values

FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
INFINITE = np.where(np.arange(180).reshape(60, 3) == 4, np.inf, X)
TWICE = FRAME.set_axis(["a", "a", "b"], axis=1)
DATES = FRAME.assign(day=pd.date_range("2020-01-01", periods=60))
MUNGE, UNLABELED = ModelCompression(multiple=1), ModelCompression(multiple=1, generator="unlabeled")
TWO = [("tree", TREE), ("line", LogisticRegression())]
HALVES = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]


def without_day(model: Any) -> Any:
    return make_pipeline(make_column_transformer(("passthrough", ["a", "b", "c"])), model)


PAIRS = r"student must be an estimator or a list of \(name, estimator\), got "
FREE = "names of students must differ, have no '__' or '.' in them and not be 'teacher', got "
PRUNER = "pruner must be 'auto' or an Optuna pruner, got "
BUDGET = "budget must name bounds among nodes, features, size_bytes, latency_us, got "
EXECUTOR = r"executor must be None or an executor, got .*: pass for instance RayExecutor\(n_workers=4\)"
JOBS = "n_jobs must be None or an integer other than 0, got "
MULTIPLE = "multiple of ModelCompression must be an integer from 0 to 100 or a distribution of them, got "
GENERATOR = (
    "generator of ModelCompression must be one of (auto, )?munge, interpolation, .*, unlabeled, got .*: choose among"
)
PREFIX = "param_distributions must name parameters as student__parameter, got .*: begin with one of tree, line"
SPLITS = r"cv must give pairs \(train, test\) of row numbers from 0 to 59, split 0 is none: pass"
SEED = "random_state must be None, an integer or a RandomState, got "

NEW_SETTINGS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("pruner name", {"pruner": "median"}, ValueError, PRUNER + r"'median': pass optuna.pruners.NopPruner\(\) for none"),
    ("pruner None", {"pruner": None}, ValueError, PRUNER + "None: pass"),
    ("pruner class", {"pruner": optuna.pruners.MedianPruner}, ValueError, PRUNER + "<class .*: pass"),
    ("budget of depth", {"budget": {"depth": 3}}, ValueError, BUDGET + "'depth': use one of these"),
    ("budget of 0", {"budget": {"nodes": 0}}, ValueError, r"budget\['nodes'\] must be a positive number, got 0: pass"),
    ("budget below 0", {"budget": {"features": -1}}, ValueError, r"budget\['features'\] .* got -1: pass one"),
    ("budget bool", {"budget": {"nodes": True}}, ValueError, r"budget\['nodes'\] .* got True: pass one"),
    ("budget text", {"budget": {"nodes": "31"}}, ValueError, r"budget\['nodes'\] .* got '31': pass one"),
    ("budget None inside", {"budget": {"nodes": None}}, ValueError, r"budget\['nodes'\] .* got None: pass one"),
    ("budget NaN", {"budget": {"size_bytes": np.nan}}, ValueError, r"budget\['size_bytes'\] .* got nan: pass one"),
    ("budget infinite", {"budget": {"nodes": np.inf}}, ValueError, r"budget\['nodes'\] .* got inf: pass one"),
    ("budget of half a feature", {"budget": {"features": 0.5}}, ValueError, r"budget\['features'\] .* got 0.5: pass"),
    ("budget number", {"budget": 31}, ValueError, r"budget must be None or a dict .* got 31: pass \{'nodes': 31\}"),
    ("budget pairs", {"budget": [("nodes", 31)]}, ValueError, r"budget must be None or a dict .*: pass"),
    ("executor name", {"executor": "ray"}, ValueError, EXECUTOR),
    ("executor number", {"executor": 2}, ValueError, EXECUTOR),
    ("executor class", {"executor": RayExecutor}, ValueError, EXECUTOR),
    ("n_jobs 0", {"n_jobs": 0}, ValueError, JOBS + "0: pass 2, or -1 for all"),
    ("n_jobs 1.5", {"n_jobs": 1.5}, ValueError, JOBS + "1.5: pass"),
    ("n_jobs text", {"n_jobs": "2"}, ValueError, JOBS + "'2': pass"),
    ("n_jobs bool", {"n_jobs": True}, ValueError, JOBS + "True: pass"),
    ("no students", {"student": []}, ValueError, PAIRS + "an empty list: add one"),
    ("students without names", {"student": [TREE, TREE]}, ValueError, PAIRS + ".* in it: pass for instance"),
    ("student of three", {"student": [("a", TREE, 1)]}, ValueError, PAIRS + ".* in it: pass"),
    ("student named 1", {"student": [(1, TREE)]}, ValueError, PAIRS + ".* in it: pass"),
    ("student named nothing", {"student": [("", TREE)]}, ValueError, PAIRS + ".* in it: pass"),
    ("two students of one name", {"student": [("a", TREE), ("a", TREE)]}, ValueError, FREE + "'a': rename it"),
    ("student named a__b", {"student": [("a__b", TREE)]}, ValueError, FREE + "'a__b': rename it"),
    ("student named a.b", {"student": [("a.b", TREE)]}, ValueError, FREE + "'a.b': rename it"),
    ("student named teacher", {"student": [("teacher", TREE)]}, ValueError, FREE + "'teacher': rename it"),
    (
        "student class",
        {"student": [("a", type(TREE))]},
        TypeError,
        "a must be a scikit-learn classifier instance.*: pass",
    ),
    (
        "one student a regressor",
        {"student": [("a", TREE), ("b", DecisionTreeRegressor())]},
        TypeError,
        "b must be a classifier, DecisionTreeRegressor is a regressor: pass a classifier",
    ),
    ("students in a dict", {"student": {"a": TREE}}, TypeError, "student must be a scikit-learn classifier instance"),
    ("no prefix", {"student": TWO, "param_distributions": {"C": [1.0]}}, ValueError, PREFIX),
    ("other prefix", {"student": TWO, "param_distributions": {"tre__max_depth": [1]}}, ValueError, PREFIX),
    ("prefix 1", {"student": TWO, "param_distributions": {1: [1.0]}}, ValueError, PREFIX),
    (
        "another student's parameter",
        {"student": TWO, "param_distributions": {"line__max_depth": [1]}},
        ValueError,
        "param_distributions must name parameters of LogisticRegression, got 'max_depth': use one of C, ",
    ),
    (
        "intermediate with a student's name",
        {"student": TWO, "intermediates": [("line", TREE)]},
        ValueError,
        "names of intermediates must be unique and free, 'line' is taken: rename it",
    ),
    (
        "intermediate class",
        {"intermediates": [("a", DecisionTreeClassifier)]},
        TypeError,
        "intermediate 'a' must be an estimator instance, got <class .*: pass for instance",
    ),
    ("multiple -1", {"schemes": [ModelCompression(multiple=-1)]}, ValueError, MULTIPLE + "-1: pass for instance 5"),
    ("multiple 101", {"schemes": [ModelCompression(multiple=101)]}, ValueError, MULTIPLE + "101: pass"),
    ("multiple 1.5", {"schemes": [ModelCompression(multiple=1.5)]}, ValueError, MULTIPLE + "1.5: pass"),  # type: ignore[arg-type]
    ("multiple True", {"schemes": [ModelCompression(multiple=True)]}, ValueError, MULTIPLE + "True: pass"),
    (
        "multiple in floats",
        {"schemes": [ModelCompression(multiple=FloatDistribution(0, 5))]},
        ValueError,
        MULTIPLE + "FloatDistribution.*: pass",
    ),
    (
        "multiple up to 200",
        {"schemes": [ModelCompression(multiple=IntDistribution(0, 200))]},
        ValueError,
        MULTIPLE + "IntDistribution.*: pass",
    ),
    ("generator smote", {"schemes": [ModelCompression(generator="smote")]}, ValueError, GENERATOR),
    ("generator in a list", {"schemes": [ModelCompression(generator=["munge"])]}, ValueError, GENERATOR),  # type: ignore[arg-type]
    (
        "generator among auto",
        {"schemes": [ModelCompression(generator=CategoricalDistribution(("auto",)))]},
        ValueError,
        GENERATOR,
    ),
    (
        "two compressions",
        {"schemes": [ModelCompression(), MUNGE]},
        ValueError,
        "schemes must hold at most one ModelCompression, got 2: join their fields",
    ),
    (
        "unlabeled without rows",
        {"schemes": [UNLABELED]},
        ValueError,
        "generator='unlabeled' of ModelCompression needs rows without labels, fit got none: pass X_unlabeled",
    ),
    ("margin 2", {"schemes": [SRatio(margin=2)]}, ValueError, r"margin of SRatio .* \[0, 1\], got 2: pass a value"),
    ("beta 0", {"schemes": [SRatio(beta=0)]}, ValueError, r"beta of SRatio .* \(0, inf\], got 0: pass a value"),
    ("beta text", {"schemes": [SRatio(beta="4")]}, ValueError, "beta of SRatio .* got '4': pass a value"),  # type: ignore[arg-type]
    ("beta NaN", {"schemes": [SRatio(beta=np.nan)]}, ValueError, "beta of SRatio .* got nan: pass a value"),
    (
        "timeout text",
        {"timeout": "1"},
        ValueError,
        "timeout must be None or a positive number of seconds, got '1': pass",
    ),
    ("timeout NaN", {"timeout": np.nan}, ValueError, "timeout must be None or a positive number .* got nan: pass"),
    ("verbose text", {"verbose": "yes"}, ValueError, "verbose must be 0 or 1, got 'yes': pass"),
    ("seed text", {"random_state": "0"}, ValueError, SEED + "'0': pass an integer"),
    ("seed 1.5", {"random_state": 1.5}, ValueError, SEED + "1.5: pass an integer"),
    ("seed generator", {"random_state": np.random.default_rng(0)}, ValueError, SEED + "Generator.*: pass an integer"),
    ("scoring None", {"scoring": None}, ValueError, "scoring must be 'auto', .* got NoneType: pass one"),
    ("folds of floats", {"cv": [(np.arange(40.0), np.arange(40.0, 60))]}, ValueError, SPLITS),
    ("folds of rows that are not there", {"cv": [(np.arange(40), np.arange(40, 61))]}, ValueError, SPLITS),
    ("folds of negative rows", {"cv": [(np.arange(40), np.arange(-20, 0))]}, ValueError, SPLITS),
    ("masks of another length", {"cv": [(np.arange(61) < 40, np.arange(61) >= 40)]}, ValueError, SPLITS),
    (
        "folds of one class",
        {"cv": [(np.flatnonzero(Y), np.flatnonzero(Y == 0))]},
        ValueError,
        "each fold must train on at ",
    ),
    (
        "folds without test rows",
        {"cv": [(np.arange(60), [])]},
        ValueError,
        "each fold must .* hold rows out, fold 0 .*: use",
    ),
    (
        "folds that are no pairs",
        {"cv": [(np.arange(40),)]},
        ValueError,
        r"the rows must be split by cv=\[...\], they cannot",
    ),
]

ROWS = r"X must be rows of numbers or a DataFrame: "
TABLE = r"X must be a table with rows and columns, got shape "
SAME = "X_unlabeled must be a table like X, with the same columns: pass both as DataFrames or both as arrays"
KINDS = "X_unlabeled must have columns of the same kinds as X, 'a' has another: convert it"
ZERO = r"each fold must train on at least 2 classes and hold rows out, fold 0 of cv=\[...\] does not"

NEW_TABLES: list[tuple[str, Any, Any, dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ("one column as 1-D", X[:, 0], Y, {}, {}, ValueError, ROWS + "Expected 2D array, got 1D array instead"),
    ("a Series", FRAME["a"], Y, {}, {}, ValueError, TABLE + r"\(60,\): pass a DataFrame of 2 dimensions"),
    ("complex numbers", X + 1j, Y, {}, {}, ValueError, ROWS + "Complex data not supported"),
    ("3 dimensions", X[:, :, None], Y, {}, {}, ValueError, ROWS + "Found array with dim 3"),
    ("no table", "table.csv", Y, {}, {}, ValueError, ROWS + "Expected 2D array, got scalar array"),
    ("infinity", INFINITE, Y, {}, {}, ValueError, ROWS + "Input X contains infinity"),
    ("sparse", csr_matrix(X), Y, {}, {}, TypeError, ROWS + r"Sparse data was passed.*: use '.toarray\(\)' to convert"),
    (
        "words in an array",
        np.full((60, 3), "x", dtype=object),
        Y,
        {},
        {},
        ValueError,
        ROWS + "could not convert string to float",
    ),
    ("empty frame", pd.DataFrame(), [], {}, {}, ValueError, TABLE + r"\(0, 0\): pass"),
    ("no columns", pd.DataFrame(index=range(60)), Y, {}, {}, ValueError, TABLE + r"\(60, 0\): pass"),
    ("no rows", FRAME.iloc[:0], Y[:0], {}, {}, ValueError, TABLE + r"\(0, 3\): pass"),
    ("no rows in an array", X[:0], Y[:0], {}, {}, ValueError, ROWS + "Found array with 0 sample"),
    (
        "one name twice",
        TWICE,
        Y,
        {},
        {},
        ValueError,
        "X must have one column for each name, 'a' stands for several: rename",
    ),
    ("names of two kinds", FRAME.set_axis(["a", 1, "b"], axis=1), Y, {}, {}, TypeError, "column name.*: convert them"),
    ("NaN and a linear student", np.where(X > 2, np.nan, X), Y, {}, {"student": TWO[1][1]}, ValueError, "NaN.*: use"),
    (
        "days and compression",
        DATES,
        Y,
        {},
        {"student": without_day(TREE), "teacher": without_day(RandomForestClassifier(3)), "schemes": [MUNGE]},
        ValueError,
        "ModelCompression must be able to make rows from X, it cannot: .* column 'day' holds datetime64: turn it into",
    ),
    (
        "groups of two kinds",
        X,
        Y,
        {"groups": [1, "a"] * 30},
        {},
        ValueError,
        "cv=3 needs at least 3 groups, got 2: use",
    ),
    (
        "groups of two kinds of object",
        X,
        Y,
        {"groups": np.array([1, "a", 2.5] * 20, dtype=object)},
        {},
        ValueError,
        "groups must be of one kind, they cannot be sorted .*: convert them, for instance to strings",
    ),
    (
        "groups of two columns",
        X,
        Y,
        {"groups": X[:, :2]},
        {},
        ValueError,
        r"groups must have one entry .* \(60, 2\): pass",
    ),
    (
        "a column's name as groups",
        X,
        Y,
        {"groups": "patient"},
        {},
        ValueError,
        r"groups must have one entry .* \(\): pass",
    ),
    (
        "words as weights",
        X,
        Y,
        {"sample_weight": ["a"] * 60},
        {},
        ValueError,
        "sample_weight must hold numbers, .*: pass",
    ),
    (
        "weights below 0",
        X,
        Y,
        {"sample_weight": -np.ones(60)},
        {},
        ValueError,
        "sample_weight must be finite.*: mend them",
    ),
    (
        "NaN weights",
        X,
        Y,
        {"sample_weight": np.full(60, np.nan)},
        {},
        ValueError,
        "sample_weight must be finite.*: mend",
    ),
    ("one weight", X, Y, {"sample_weight": 2.0}, {}, ValueError, r"sample_weight must have one entry .* \(\): pass"),
    ("a fold without training weight", X, Y, {"sample_weight": np.arange(60) >= 30}, {"cv": HALVES}, ValueError, ZERO),
    ("a fold without test weight", X, Y, {"sample_weight": np.arange(60) < 30}, {"cv": HALVES}, ValueError, ZERO),
    (
        "values for a classifier",
        X,
        X[:, 0],
        {},
        {},
        ValueError,
        "y must hold class labels, .* or use MultihopSearchRegressor",
    ),
    ("infinite label", X, np.where(Y, np.inf, 0), {}, {}, ValueError, "Input y contains infinity.*: drop these rows"),
    ("complex labels", X, Y + 1j, {}, {}, ValueError, "y must hold labels or numbers, got complex128 .*: convert it"),
    ("labels of bytes", X, np.where(Y, b"a", b"b"), {}, {}, ValueError, "y must hold .*: convert"),
    (
        "one label",
        X,
        3,
        {},
        {},
        ValueError,
        "y must be a column of labels or values, got int: pass one entry for each row",
    ),
    ("labels in a dict", X, {"a": 1}, {}, {}, ValueError, "y must be a column of labels or values, got dict: pass"),
    (
        "sparse labels",
        X,
        csr_matrix(Y),
        {},
        {},
        ValueError,
        "y must be a column of labels or values, got csr_matrix: pass",
    ),
    (
        "unlabeled of other columns",
        FRAME,
        Y,
        {"X_unlabeled": FRAME.set_axis(["a", "b", "z"], axis=1)},
        {},
        ValueError,
        SAME,
    ),
    ("unlabeled array", FRAME, Y, {"X_unlabeled": X}, {}, ValueError, SAME),
    ("unlabeled frame", X, Y, {"X_unlabeled": FRAME}, {}, ValueError, SAME),
    ("unlabeled Series", FRAME, Y, {"X_unlabeled": FRAME["a"]}, {}, ValueError, SAME),
    ("unlabeled of 2 features", X, Y, {"X_unlabeled": X[:, :2]}, {}, ValueError, "X_unlabeled must .*X has 2 features"),
    (
        "no unlabeled row",
        X,
        Y,
        {"X_unlabeled": X[:0]},
        {},
        ValueError,
        "X_unlabeled must hold rows, it has none: leave it",
    ),
    ("no unlabeled row in a frame", FRAME, Y, {"X_unlabeled": FRAME[:0]}, {}, ValueError, "X_unlabeled must hold rows"),
    ("unlabeled words", FRAME, Y, {"X_unlabeled": FRAME.astype(str)}, {}, ValueError, KINDS),
    ("unlabeled days", FRAME, Y, {"X_unlabeled": FRAME.assign(a=DATES["day"])}, {}, ValueError, KINDS),
    ("unlabeled infinity", X, Y, {"X_unlabeled": INFINITE}, {}, ValueError, "X_unlabeled must .* contains infinity"),
    ("unlabeled sparse", X, Y, {"X_unlabeled": csr_matrix(X)}, {}, TypeError, "X_unlabeled must .*"),
    (
        "unlabeled infinity in a frame",
        FRAME,
        Y,
        {"X_unlabeled": FRAME.where(FRAME < 2, np.inf)},
        {},
        ValueError,
        "X_unlabeled must .* infinity",
    ),
    (
        "unlabeled NaN for a student that takes none",
        FRAME,
        Y,
        {"X_unlabeled": FRAME.where(FRAME < 1)},
        {"student": TWO[1][1]},
        ValueError,
        "X_unlabeled must .* NaN",
    ),
]

REGRESSIONS: list[tuple[str, Any, dict[str, Any], type[Exception], str]] = [
    (
        "labels",
        np.where(Y, "a", "b"),
        {},
        ValueError,
        "y must hold numbers .*: use MultihopSearchClassifier for classes",
    ),
    ("SRatio", X[:, 0], {"schemes": [SRatio()]}, TypeError, r"SRatio needs class .*: use KnowledgeDistillation\(\)"),
    (
        "temperature",
        X[:, 0],
        {"schemes": [KnowledgeDistillation(temperature=2.0)]},
        ValueError,
        "temperature .*: leave it",
    ),
    (
        "one student a classifier",
        X[:, 0],
        {"student": [("a", DecisionTreeRegressor()), ("b", TREE)]},
        TypeError,
        "b must be a regressor, DecisionTreeClassifier is a classifier: pass a regressor, or use ",
    ),
    (
        "accuracy",
        X[:, 0],
        {"scoring": "accuracy"},
        ValueError,
        "scoring must score numbers in regression, .*: pass for",
    ),
    ("NaN", np.where(Y, np.nan, X[:, 0]), {}, ValueError, "y must have no missing label, .*: drop these rows"),
]

OTHERS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no workers", lambda: RayExecutor(n_workers=0), ValueError, "n_workers must be an integer .* got 0: pass one"),
    ("half a CPU", lambda: RayExecutor(cpus_per_hop=0.5), ValueError, "cpus_per_hop must be .* got 0.5: pass one"),  # type: ignore[arg-type]
    ("a Ray client", lambda: RayExecutor("ray://x"), ValueError, r"address must .*: submit this program as a job"),
    (
        "no port",
        lambda: RayExecutor("head"),
        ValueError,
        "address must be None, 'auto' or 'host:port', got 'head': pass",
    ),
    (
        "options in a list",
        lambda: RayExecutor(ray_options=["memory"]),
        ValueError,
        "ray_options must be .*: pass a dict",
    ),  # type: ignore[arg-type]
    (
        "our option",
        lambda: RayExecutor(ray_options={"num_cpus": 2}),
        ValueError,
        "ray_options must not hold .*: leave it",
    ),
    ("min_folds 1", lambda: OneHopPruner(min_folds=1), ValueError, "min_folds must be an integer .* got 1: pass 2"),
    ("n_errors -1", lambda: OneHopPruner(n_errors=-1), ValueError, "n_errors must be a number .* got -1: pass 1.0"),
    ("values", lambda: PathObjective(search_for(), X, Y, values=("depth",)), ValueError, "values must be .*: pass"),
    ("values text", lambda: PathObjective(search_for(), X, Y, values="score"), ValueError, "values must be .*: pass"),
    (
        "no search",
        lambda: PathObjective(TREE, X, Y),
        ValueError,
        "search must be a MultihopSearchClassifier or .*: pass one",
    ),  # type: ignore[arg-type]
    (
        "bad search",
        lambda: PathObjective(search_for(n_trials=0), X, Y),
        ValueError,
        "n_trials must be .* got 0: pass one",
    ),
]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that were fitted."""
    fitted: list[str] = []

    def noted(kind: Any) -> Any:
        fit = kind.fit

        @functools.wraps(fit)
        def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
            fitted.append(type(self).__name__)
            return fit(self, *args, **kwargs)

        return noting

    for kind in (DecisionTreeClassifier, DecisionTreeRegressor, LogisticRegression):
        monkeypatch.setattr(kind, "fit", noted(kind))
    for kind in (RandomForestClassifier, RandomForestRegressor):
        monkeypatch.setattr(kind, "fit", noted(kind))
    return fitted


def meets(kind: type[Exception], message: str, act: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=message) as caught:
        act()
    assert isinstance(caught.value, MultihopError)
    assert is_one_sentence(str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "kind", "message"), NEW_SETTINGS, ids=[case[0].replace(" ", "-") for case in NEW_SETTINGS]
)
def test_a_bad_setting_is_met_before_anything_is_fitted(
    name: str, settings: dict[str, Any], kind: type[Exception], message: str, fits: list[str]
) -> None:
    meets(kind, message, lambda: search_for(**settings).fit(X, Y))
    assert not fits or "param_distributions" in settings or name.startswith("intermediate"), fits


@pytest.mark.parametrize(
    ("name", "rows", "target", "more", "settings", "kind", "message"),
    NEW_TABLES,
    ids=[case[0].replace(" ", "-") for case in NEW_TABLES],
)
def test_a_bad_table_is_met_before_anything_is_fitted(
    *,
    name: str,
    rows: Any,
    target: Any,
    more: dict[str, Any],
    settings: dict[str, Any],
    kind: type[Exception],
    message: str,
    fits: list[str],
) -> None:
    meets(kind, message, lambda: search_for(**settings).fit(rows, target, **more))
    assert not fits


@pytest.mark.parametrize(
    ("name", "target", "settings", "kind", "message"), REGRESSIONS, ids=[case[0] for case in REGRESSIONS]
)
def test_what_does_not_serve_regression_is_met_before_anything_is_fitted(
    name: str, target: Any, settings: dict[str, Any], kind: type[Exception], message: str, fits: list[str]
) -> None:
    usual = {"student": DecisionTreeRegressor(max_depth=2), "teacher": RandomForestRegressor(3), "cv": 3}
    meets(kind, message, lambda: MultihopSearchRegressor(**{**usual, **settings}).fit(X, target))
    assert not fits


@pytest.mark.parametrize(("name", "act", "kind", "message"), OTHERS, ids=[case[0] for case in OTHERS])
def test_bad_settings_elsewhere_are_met_when_the_object_is_made(
    name: str, act: Callable[[], Any], kind: type[Exception], message: str, fits: list[str]
) -> None:
    meets(kind, message, act)
    assert not fits


def test_folds_as_masks_are_those_of_their_rows() -> None:
    masks = [(np.isin(np.arange(60), train), np.isin(np.arange(60), test)) for train, test in HALVES]
    by_mask, by_row = (search_for(cv=cv).fit(X, Y).results_["score"] for cv in (masks, HALVES))
    assert list(by_mask) == list(by_row)


def test_a_budget_that_nobody_keeps_says_what_came_nearest() -> None:
    meets(
        RuntimeError,
        r"some student must be within the budget, none is: the nearest, .*, has size_bytes=.*: raise it",
        lambda: search_for(budget={"size_bytes": 10}).fit(X, Y),
    )
