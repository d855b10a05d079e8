"""Real tables: Pipelines of the user's own, columns of every kind, groups, and weights through Pipelines."""

import pickle
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    Refined,
)
from multihop_search.errors import UnsuitableModel
from multihop_search.problem.intake import checked_weights

pytestmark = pytest.mark.once

KD = KnowledgeDistillation(alpha=0.7, temperature=1.0)


def sample(folder: Any, name: str, n_rows: int, **options: Any) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(folder / f"{name}.csv.gz", **options)
    table = table.sample(min(n_rows, len(table)), random_state=0).sort_index()
    return table.drop(columns="target"), table["target"]


@pytest.fixture(scope="module")
def adult(data_folder: Any) -> tuple[pd.DataFrame, pd.Series]:
    """500 rows, 14 columns, 8 of them strings, missing values; the index is not 0, 1, 2."""
    return sample(data_folder, "adult", 500)


@pytest.fixture(scope="module")
def german(data_folder: Any) -> tuple[pd.DataFrame, pd.Series]:
    """200 rows, 20 columns, 13 of them strings."""
    return sample(data_folder, "german_credit", 200)


def columns_of(X: pd.DataFrame) -> tuple[list[str], list[str]]:
    numbers = [name for name in X if pd.api.types.is_numeric_dtype(X[name].dtype)]
    return numbers, [name for name in X if name not in numbers]


def behind(X: pd.DataFrame, model: Any) -> Pipeline:
    """Return a Pipeline as a user writes it."""
    numbers, texts = columns_of(X)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", min_frequency=20), texts),
        ]
    )
    return Pipeline([("columns", columns), ("model", model)])


def search_on(X: pd.DataFrame, student: Any, **settings: Any) -> MultihopSearchClassifier:
    usual = {
        "teacher": behind(X, RandomForestClassifier(3, max_depth=8)),
        "intermediates": [("middle", behind(X, DecisionTreeClassifier(max_depth=6, min_samples_leaf=5)))],
        "schemes": [KD],
        "n_trials": 3,
        "cv": 2,
        "crossfit_cv": 2,
        "random_state": 0,
    }
    return MultihopSearchClassifier(student, **{**usual, **settings})


def assert_complete(search: Any) -> None:
    assert set(search.results_["state"]) <= {"COMPLETE", "PRUNED"}
    assert {0, 1} <= set(search.results_["hops"][search.results_["state"] == "COMPLETE"])


def learns(search: Any, X: Any, y: Any) -> bool:
    """Return whether the verdict's honest accuracy of what was chosen is clearly above the majority's."""
    return bool(search.verdict_.scores.loc["selected", "accuracy"] > y.value_counts(normalize=True).max() + 0.01)


# Pipelines of the user's own on raw tables


@pytest.mark.parametrize(
    ("table", "student"),
    [("adult", DecisionTreeClassifier(max_depth=4, min_samples_leaf=5)), ("german", LogisticRegression(max_iter=300))],
    ids=["adult", "german"],
)
def test_a_pipeline_goes_in_and_a_fitted_pipeline_comes_out(
    table: str, student: Any, request: pytest.FixtureRequest
) -> None:
    X, y = request.getfixturevalue(table)
    before = X.copy()
    search = search_on(X, behind(X, student), schemes=[KD, HardLabels()]).fit(X, y)
    assert_complete(search)
    assert "middle" in "".join(search.results_["path"])
    pd.testing.assert_frame_equal(X, before)
    best = search.best_estimator_
    assert type(best) is Pipeline
    assert [type(step) for _, step in best.steps] == [ColumnTransformer, type(student)]
    assert list(best.feature_names_in_) == list(search.feature_names_in_) == list(X)
    assert set(best.predict(X.iloc[:50])) <= set(y)
    np.testing.assert_array_equal(best.predict_proba(X), search.predict_proba(X))
    if table == "adult":
        assert learns(search, X, y)
    data = pickle.dumps(best)
    assert b"multihop_search" not in data
    np.testing.assert_array_equal(pickle.loads(data).predict_proba(X), best.predict_proba(X))
    clone(best).fit(X, y)  # an ordinary object of the user's: it can be fitted again
    assert best.get_params()["columns__texts__min_frequency"] == 20


def test_the_transformers_of_the_returned_pipeline_are_those_of_a_plain_fit(adult: Any) -> None:
    X, y = adult
    schemes = [KD, ModelCompression(multiple=1, generator="leaves")]
    settings = {"intermediates": [], "n_trials": 2, "max_hops": 1}
    search = search_on(X, behind(X, DecisionTreeClassifier(max_depth=4)), schemes=schemes, **settings).fit(X, y)
    taught = search.refit_trial(int(search.results_.index[search.results_["hops"] == 1][0]))
    plain = clone(behind(X, DecisionTreeClassifier())).fit(X, y)
    ours, theirs = taught[:-1].transform(X), plain[:-1].transform(X)
    assert (ours != theirs).nnz == 0 if hasattr(ours, "nnz") else np.array_equal(ours, theirs)


def test_the_plain_trial_is_the_users_pipeline_fitted_by_hand(adult: Any) -> None:
    X, y = adult
    student = behind(X, DecisionTreeClassifier(max_depth=4, random_state=0))
    weight = checked_weights(np.random.default_rng(0).uniform(0.2, 3.0, len(y)), len(y))
    search = search_on(X, student, n_trials=1, param_distributions={}).fit(X, y, sample_weight=10 * weight)
    by_hand = clone(student).fit(X, y, model__sample_weight=weight)
    np.testing.assert_array_equal(search.refit_trial(0).predict_proba(X), by_hand.predict_proba(X))


# The defaults on raw tables


@pytest.mark.usefixtures("small_teachers")
def test_the_default_pool_and_teacher_take_a_raw_table(adult: Any) -> None:
    X, y = adult[0].iloc[:120], adult[1].iloc[:120]
    student = behind(X, DecisionTreeClassifier(max_depth=3))
    search = search_on(X, student, teacher="auto", intermediates="auto", n_trials=3).fit(X, y)
    assert_complete(search)
    assert type(search.teacher_) is Pipeline
    assert {"forest(30)", "tree(8)"} & set(search.space_.rungs)
    assert search.teacher_.predict_proba(X).shape == (120, 2)


MIXED_KINDS = ["float64", "int64", "bool", "Int64", "boolean", "string", "category", "free text"]


def mixed_table(n_rows: int = 300) -> tuple[pd.DataFrame, pd.Series]:
    """A column of each kind, with missing values where the kind has them, and a text that differs in every row."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=n_rows)
    gone = rng.random(n_rows) < 0.1
    colour = np.where(signal + rng.normal(size=n_rows) > 0, "red", "blue").astype(object)
    X = pd.DataFrame(
        {
            "float64": np.where(gone, np.nan, signal),
            "int64": rng.integers(0, 5, n_rows),
            "bool": signal > 0.3,
            "Int64": pd.array(np.where(gone, None, (2 * signal).round()), dtype="Int64"),
            "boolean": pd.array(np.where(gone, None, signal > -0.3), dtype="boolean"),
            "string": pd.array(np.where(gone, None, colour), dtype="string"),
            "category": pd.Categorical(np.where(gone, None, colour)),
            "free text": [f"note {number} of somebody" for number in range(n_rows)],
        },
        index=np.arange(n_rows) * 3,
    )
    y = pd.Series(np.where(signal + rng.normal(size=n_rows) > 0, "yes", "no"), index=X.index)
    return X, y


def test_every_kind_of_column_in_one_table() -> None:
    X, y = mixed_table()
    assert list(X) == MIXED_KINDS
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["float64", "int64"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["category"]),
        ]
    )
    student = Pipeline([("columns", columns), ("model", DecisionTreeClassifier(max_depth=3))])
    search = search_on(
        X,
        student,
        teacher=Pipeline([("columns", columns), ("model", RandomForestClassifier(8, min_samples_leaf=3))]),
        intermediates="auto",
        schemes=[KD, ModelCompression(multiple=1)],
        n_trials=3,
    ).fit(X, y)
    assert_complete(search)
    assert learns(search, X, y)
    assert {"forest(30)", "tree(8)"} & set(search.space_.rungs)
    assert list(search.feature_names_in_) == MIXED_KINDS


def test_a_booster_that_reads_category_columns_itself() -> None:
    X, y = mixed_table()
    X = X[["float64", "int64", "category"]]
    student = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", min_samples_leaf=5)
    search = MultihopSearchClassifier(
        student,
        HistGradientBoostingClassifier(max_iter=15, categorical_features="from_dtype"),
        intermediates=[],
        schemes=[KD, ModelCompression(multiple=1)],
        n_trials=2,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert_complete(search)
    taught = search.refit_trial(int(search.results_.index[search.results_["hops"] == 1][0]))
    assert taught.is_categorical_.tolist() == [False, False, True]
    assert taught.categorical_features == "from_dtype"
    assert taught.early_stopping == "auto"


class CountingForest(RandomForestClassifier):
    """Counts its fits, clones included."""

    fits: ClassVar[int] = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        CountingForest.fits += 1
        return super().fit(X, y, sample_weight)


def test_a_string_column_that_the_student_cannot_take_is_said_before_the_teacher_is_fitted(adult: Any) -> None:
    X, y = adult
    CountingForest.fits = 0
    teacher = behind(X, CountingForest(5))
    with pytest.raises(UnsuitableModel) as caught:
        search_on(X, DecisionTreeClassifier(max_depth=3), teacher=teacher).fit(X, y)
    message = str(caught.value)
    assert "workclass" in message
    assert "skrub.tabular_pipeline(student)" in message
    assert "ColumnTransformer" in message
    assert CountingForest.fits == 0


def test_a_string_column_that_the_teacher_cannot_take_is_said_too(adult: Any) -> None:
    X, y = adult
    with pytest.raises(UnsuitableModel, match=r"teacher .* must take the columns as they are, workclass"):
        search_on(X, behind(X, DecisionTreeClassifier(max_depth=3)), teacher=RandomForestClassifier(5)).fit(X, y)


@pytest.mark.parametrize("kind", ["category", "string", "free text"])
def test_the_column_that_holds_no_number_is_named(kind: str) -> None:
    X, y = mixed_table()
    with pytest.raises(UnsuitableModel, match=f"student .* must take the columns as they are, {kind} hold no numbers"):
        search_on(X[["int64", kind]], DecisionTreeClassifier(), teacher="auto", intermediates="auto").fit(
            X[["int64", kind]], y
        )


@pytest.mark.parametrize("name", ["california_housing", "bike_sharing"])
def test_regression_on_a_real_table(name: str, data_folder: Any) -> None:
    X, y = sample(data_folder, name, 400)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=4),
        RandomForestRegressor(15, min_samples_leaf=2),
        intermediates=[("linear", Ridge())],
        n_trials=6,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert_complete(search)
    scores = search.verdict_.scores
    assert scores.loc["selected", "r2"] > 0.3
    assert scores.loc["teacher", "r2"] > scores.loc["plain", "r2"]
    assert search.best_estimator_.get_depth() <= 4
    assert np.sqrt(np.mean((search.predict(X) - y) ** 2)) < y.std()


# Groups


def shared_groups(problem: Any, folds: Any = None) -> list[tuple[str, int, int]]:
    """Return (which split, fold, group) for each group that stands on both sides of a split."""
    found = []
    for fold in (*problem.folds, problem.whole) if folds is None else folds:
        groups = problem.groups
        assert len(fold.inner) >= 2
        both = np.intersect1d(groups[fold.train], groups[fold.test])
        found += [("outer", fold.number, group) for group in both]
        positions = np.arange(len(fold.train))
        assert np.array_equal(np.sort(np.concatenate(fold.inner)), positions)
        for part in fold.inner:
            rest = np.setdiff1d(positions, part)
            both = np.intersect1d(groups[fold.train[part]], groups[fold.train[rest]])
            found += [("inner", fold.number, group) for group in both]
    return found


def test_no_group_stands_on_both_sides_of_any_split_heart_disease(data_folder: Any) -> None:
    X, y = sample(data_folder, "heart_disease", 303)
    decade = (X["age"] // 5).astype(int)
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3), RandomForestClassifier(5), intermediates=[], n_trials=1, cv=3
    )
    problem = search.set_up(X, y, groups=decade).problem
    assert shared_groups(problem) == []
    # A fake mistake is caught: the same folds cut without the groups.
    mistaken = shared_groups(problem, search.set_up(X, y).problem.folds)
    assert {"outer", "inner"} <= {kind for kind, *_ in mistaken}


def test_no_group_stands_on_both_sides_of_any_split_wisdm(data_folder: Any) -> None:
    rows = np.sort(np.random.default_rng(0).permutation(5418)[:400])
    table = pd.read_csv(data_folder / "wisdm_har.csv.gz").iloc[rows]
    persons = pd.read_csv(data_folder / "wisdm_har_groups.csv.gz")["group"].iloc[rows]
    X, y = table.drop(columns="target"), table["target"]
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(10, max_depth=8),
        intermediates=[("tree", DecisionTreeClassifier(max_depth=8))],
        schemes=[KD, HardLabels()],
        n_trials=3,
        cv=3,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y, groups=persons)
    assert_complete(search)
    problem = search.setup_.problem
    assert len(np.unique(problem.groups)) > 20
    assert shared_groups(problem) == []


def test_the_models_themselves_never_see_the_group_that_they_predict(data_folder: Any) -> None:
    X, y = sample(data_folder, "heart_disease", 303)
    decade = (X["age"] // 5).astype(int).to_numpy()
    RememberingTree.fitted_on = []
    MultihopSearchClassifier(
        RememberingTree(max_depth=2),
        RememberingTree(max_depth=6),
        intermediates=[],
        schemes=[HardLabels()],
        n_trials=2,
        cv=3,
        crossfit_cv=3,
        random_state=0,
    ).fit(X, y, groups=decade)
    assert len(RememberingTree.fitted_on) > 10
    for ages in RememberingTree.fitted_on:
        rows_of_its_groups = np.isin(decade, ages // 5).sum()
        assert len(ages) == rows_of_its_groups  # whole groups only


class RememberingTree(DecisionTreeClassifier):
    """Remembers the first column of what it was fitted on."""

    fitted_on: ClassVar[list[np.ndarray]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        RememberingTree.fitted_on.append(np.asarray(X)[:, 0].copy())
        return super().fit(X, y, sample_weight)


# Transformers: fitted once for each part of a fold, on real rows with true labels


class Recorder(TransformerMixin, BaseEstimator):
    """A transformer that records what it is fitted on, and leaves the columns as they are."""

    seen: ClassVar[list[tuple[np.ndarray, np.ndarray]]] = []

    def __init__(self, name: str = "a") -> None:
        self.name = name

    def fit(self, X: Any, y: Any = None) -> Any:
        Recorder.seen.append((np.asarray(X, dtype=float).copy(), np.asarray(y).copy()))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X, dtype=float) * 2.0


def identified(n_rows: int = 180) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose first column is their number, so that each can be known again."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(n_rows) + 0.5, rng.normal(size=(n_rows, 3))])
    return X, np.where(X[:, 1] + rng.normal(size=n_rows) > 0, "yes", "no")


def test_transformers_are_fitted_once_for_each_part_of_a_fold_on_real_rows() -> None:
    X, y = identified()
    Recorder.seen = []
    search = MultihopSearchClassifier(
        make_pipeline(Recorder(), LogisticRegression()),
        make_pipeline(Recorder(), RandomForestClassifier(3)),
        intermediates=[
            ("tree", make_pipeline(Recorder(), DecisionTreeClassifier(max_depth=5))),
            ("entropy", make_pipeline(Recorder(), DecisionTreeClassifier(max_depth=4, criterion="entropy"))),
        ],
        schemes=[KD, ConfWeight(), ModelCompression(multiple=2)],
        n_trials=9,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert_complete(search)
    problem = search.setup_.problem
    folds = (*problem.folds, problem.whole)
    allowed = [fold.train for fold in folds]
    allowed += [np.delete(fold.train, part) for fold in folds for part in fold.inner]
    expected = {np.sort(rows).tobytes() for rows in allowed}
    fitted = []
    for rows, labels in Recorder.seen:
        numbers = (rows[:, 0] - 0.5).astype(int)
        np.testing.assert_array_equal(rows, X[numbers])  # real rows, none made up
        assert len(np.unique(numbers)) == len(numbers)  # none repeated
        np.testing.assert_array_equal(labels, y[numbers])  # their true labels
        fitted.append(np.sort(numbers).tobytes())
    assert set(fitted) <= expected
    probes = 2  # of the student and of the teacher, on all rows: there are not more than a probe takes
    whole = np.arange(len(y)).tobytes()
    counts = {rows: fitted.count(rows) for rows in set(fitted)}
    assert counts.pop(whole) == 1 + probes
    assert set(counts.values()) == {1}
    assert len(counts) == len(expected) - 1


def test_different_transformers_are_not_confused() -> None:
    X, y = identified()
    Recorder.seen = []
    student = make_pipeline(Recorder("a"), StandardScaler(), LogisticRegression())
    teacher = make_pipeline(Recorder("b"), DecisionTreeClassifier(max_depth=5, random_state=0))
    search = MultihopSearchClassifier(
        student, teacher, intermediates=[], schemes=[KD], n_trials=4, cv=2, crossfit_cv=2, random_state=0
    ).fit(X, y)
    assert search.best_estimator_[0].name == "a"
    assert search.teacher_[0].name == "b"
    by_hand = clone(teacher).fit(X, y)
    np.testing.assert_array_equal(search.teacher_.predict_proba(X), by_hand.predict_proba(X))


def test_a_transformer_that_cannot_be_pickled_is_served_too() -> None:
    X, y = identified()
    search = MultihopSearchClassifier(
        make_pipeline(FunctionTransformer(lambda rows: rows * 1.0), DecisionTreeClassifier(max_depth=2)),
        DecisionTreeClassifier(max_depth=6),
        intermediates=[],
        schemes=[KD],
        n_trials=4,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert_complete(search)


def test_models_of_one_pipeline_do_not_write_into_each_others_rows() -> None:
    X = identified()[0]
    student = make_pipeline(StandardScaler(), Ridge(copy_X=False))
    search = MultihopSearchRegressor(
        student,
        DecisionTreeRegressor(max_depth=6),
        intermediates=[],
        n_trials=4,
        schemes=[KnowledgeDistillation(alpha=0.5)],
        cv=2,
        crossfit_cv=2,
        param_distributions={},
        random_state=0,
    ).fit(X, X[:, 1] + X[:, 2] ** 2)
    assert_complete(search)
    by_hand = make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 1] + X[:, 2] ** 2)
    np.testing.assert_allclose(search.refit_trial(0).predict(X), by_hand.predict(X))


# What the user set on the student holds on every route


def rising_data() -> tuple[np.ndarray, np.ndarray]:
    """Column 0 raises the chance of class 1, unreliably, so that an unconstrained tree goes down somewhere."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(160, 3))
    return X, (0.5 * X[:, 0] + np.sin(4 * X[:, 0]) + X[:, 1] + rng.normal(size=160) > 0).astype(int)


def steps_down(model: Any, X: np.ndarray) -> float:
    """Return the largest fall of the probability of class 1 as column 0 rises, others as in the first 40 rows."""
    grid = np.linspace(-3, 3, 80)
    rows = np.repeat(X[:40], len(grid), axis=0)
    rows[:, 0] = np.tile(grid, 40)
    chance = model.predict_proba(rows)[:, 1].reshape(40, len(grid))
    return max(0.0, float(-np.diff(chance, axis=1).min()))


MUNGE = ModelCompression(multiple=1, generator="munge")
BOOSTER = HistGradientBoostingClassifier(max_iter=4, learning_rate=0.3, min_samples_leaf=5)


@pytest.mark.parametrize(
    ("student", "scheme", "added"),
    [
        (DecisionTreeClassifier(max_depth=6), KD, []),
        (DecisionTreeClassifier(max_depth=6), ConfWeight(), [MUNGE]),
        (DecisionTreeClassifier(max_depth=6, criterion="entropy"), KD, [MUNGE]),
        (DecisionTreeClassifier(max_depth=6, criterion="entropy"), HardLabels(), []),
        (BOOSTER, KD, []),
        (BOOSTER, HardLabels(), [MUNGE]),
        (BOOSTER, ConfWeight(), []),
    ],
)
def test_a_monotonic_constraint_holds_on_every_route(student: Any, scheme: Any, added: list[Any]) -> None:
    X, y = rising_data()
    held = clone(student).set_params(monotonic_cst=[1, 0, 0])
    falls = []
    for model in (student, held):
        search = MultihopSearchClassifier(
            make_pipeline(StandardScaler(), model),
            RandomForestClassifier(3, max_depth=8),
            intermediates=[],
            schemes=[scheme, *added],
            param_distributions={},
            max_hops=1,
            n_trials=2,
            cv=2,
            crossfit_cv=2,
            random_state=0,
        ).fit(X, y)
        taught = search.refit_trial(1)
        falls.append(steps_down(taught, X))
    assert falls[0] > 0.01  # without the constraint it falls
    assert falls[1] <= 1e-9
    assert taught[-1].monotonic_cst == [1, 0, 0]


@pytest.mark.parametrize(
    ("model", "class_weight", "scheme"),
    [
        (DecisionTreeClassifier(max_depth=3), "balanced", KD),
        (DecisionTreeClassifier(max_depth=3), {"yes": 5.0, "no": 1.0}, ConfWeight()),
        (DecisionTreeClassifier(max_depth=3), "balanced", HardLabels()),
        (LogisticRegression(), {"yes": 5.0, "no": 1.0}, KD),
        (LogisticRegression(), "balanced", ConfWeight()),
    ],
)
def test_class_weight_works_and_is_still_the_users_on_what_comes_back(
    model: Any, class_weight: Any, scheme: Any
) -> None:
    X, y = identified(240)
    noise = np.random.default_rng(3).normal(size=240)
    y = np.where(X[:, 1] + X[:, 2] + noise > 1.5, "yes", "no")  # about one in five
    shares = []
    for weight in (None, class_weight):
        search = MultihopSearchClassifier(
            make_pipeline(StandardScaler(), clone(model).set_params(class_weight=weight)),
            RandomForestClassifier(5, max_depth=6),
            intermediates=[],
            schemes=[scheme],
            param_distributions={},
            n_trials=2,
            max_hops=1,
            cv=2,
            crossfit_cv=2,
            random_state=0,
        ).fit(X, y)
        taught = search.refit_trial(1)
        assert taught[-1].class_weight == weight
        shares.append(taught.predict_proba(X)[:, 1].mean())
    assert shares[1] > shares[0] + 0.02  # the rare class counts more


class WeightedTree(DecisionTreeClassifier):
    """Remembers the weights that reach it with each fit."""

    weights: ClassVar[list[Any]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        WeightedTree.weights.append((len(y), sample_weight))
        return super().fit(X, y, sample_weight)


def test_sample_weight_reaches_the_last_step_at_mean_1() -> None:
    X, y = identified(240)
    weight = checked_weights(np.random.default_rng(0).integers(1, 4, len(y)), len(y))
    WeightedTree.weights = []
    student = make_pipeline(StandardScaler(), WeightedTree(max_depth=3, random_state=0))
    search = MultihopSearchClassifier(
        student, RandomForestClassifier(5), intermediates=[], schemes=[KD], n_trials=1, cv=2, random_state=0
    ).fit(X, y, sample_weight=10 * weight)
    problem = search.setup_.problem
    given = [seen for n, seen in WeightedTree.weights if seen is not None]
    assert len(given) == len(WeightedTree.weights)
    for fold in problem.folds:
        assert any(len(seen) == len(fold.train) and np.array_equal(seen, weight[fold.train]) for seen in given)


def test_a_weight_of_two_is_the_row_twice_on_the_route_of_soft_labels() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (160, 3)).astype(float)
    y = (X[:, 0] + rng.normal(size=160) > 2.5).astype(int)
    weight = rng.integers(1, 3, 160)
    folds = [(np.arange(80), np.arange(80, 160))]
    student = DecisionTreeClassifier(max_depth=3, random_state=0)
    teacher = FrozenEstimator(LogisticRegression().fit(X, y))  # so that both searches have one teacher
    settings: dict[str, Any] = {
        "intermediates": [],
        "schemes": [KD],
        "tree_fits": [Refined(shrinkage=0)],  # shrinkage counts in rows, and a row of weight 2 is one
        "param_distributions": {},
        "max_hops": 1,
        "n_trials": 2,
        "random_state": 0,
    }
    weighted = MultihopSearchClassifier(student, teacher, cv=folds, **settings).fit(X, y, sample_weight=weight)
    twice = np.repeat(np.arange(160), weight)
    split = [(np.flatnonzero(twice < 80), np.flatnonzero(twice >= 80))]
    repeated = MultihopSearchClassifier(student, teacher, cv=split, **settings).fit(X[twice], y[twice])
    for number in (0, 1):
        np.testing.assert_allclose(
            weighted.refit_trial(number).predict_proba(X), repeated.refit_trial(number).predict_proba(X), atol=1e-12
        )
    np.testing.assert_allclose(weighted.results_["score"], repeated.results_["score"], atol=1e-6)


# Weights and groups through scikit-learn's own tools


def routed_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X, y = identified(160)
    rng = np.random.default_rng(2)
    return X, y, rng.uniform(0.1, 2.0, 160), rng.integers(0, 12, 160)


def small_search(**settings: Any) -> MultihopSearchClassifier:
    usual: dict[str, Any] = {
        "schemes": [KD],
        "intermediates": [],
        "n_trials": 3,
        "cv": 2,
        "crossfit_cv": 2,
        "random_state": 0,
    }
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), DecisionTreeClassifier(max_depth=5), **{**usual, **settings}
    )


def test_metadata_routing_hands_weights_and_groups_to_the_search() -> None:
    X, y, weight, groups = routed_data()
    folds = list(GroupKFold(2).split(X, y, groups))
    with config_context(enable_metadata_routing=True):
        search = small_search().set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
        found = cross_validate(
            search,
            X,
            y,
            cv=folds,
            params={"sample_weight": weight, "groups": groups},
            return_estimator=True,
            error_score="raise",
        )
    for (train, test), fitted, score in zip(folds, found["estimator"], found["test_score"], strict=True):
        np.testing.assert_array_equal(fitted.setup_.problem.sample_weight, checked_weights(weight[train], len(train)))
        assert shared_groups(fitted.setup_.problem) == []
        by_hand = small_search().fit(X[train], y[train], sample_weight=weight[train], groups=groups[train])
        np.testing.assert_array_equal(fitted.predict_proba(X), by_hand.predict_proba(X))
        assert score == by_hand.score(X[test], y[test], sample_weight=weight[test])
        assert score != by_hand.score(X[test], y[test])


@pytest.mark.parametrize("scoring", ["auto", "roc_auc"])
def test_a_search_over_pipelines_works_while_routing_is_on(scoring: str) -> None:
    X, y, weight, groups = routed_data()
    with config_context(enable_metadata_routing=True):
        search = small_search(scoring=scoring)
        search.student = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2))
        search.fit(X, y, sample_weight=weight, groups=groups)
    off = clone(search).fit(X, y, sample_weight=weight, groups=groups)
    np.testing.assert_array_equal(search.results_["score"], off.results_["score"])
    assert_complete(search)


def test_weights_reach_a_search_inside_a_pipeline_and_a_grid_search_with_routing_off() -> None:
    X, y, weight, _ = routed_data()
    pipeline = Pipeline([("scale", StandardScaler()), ("search", small_search())])
    outer = GridSearchCV(pipeline, {"search__max_hops": [0, 1]}, cv=2, error_score="raise")
    outer.fit(X, y, search__sample_weight=weight)
    best = outer.best_estimator_
    np.testing.assert_array_equal(best["search"].setup_.problem.sample_weight, checked_weights(weight, len(weight)))
    scaled = StandardScaler().fit_transform(X)
    by_hand = small_search(max_hops=outer.best_params_["search__max_hops"]).fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(best.predict_proba(X), by_hand.predict_proba(scaled))


def test_a_grid_search_around_the_search_takes_its_score() -> None:
    X, y, weight, _ = routed_data()
    outer = GridSearchCV(small_search(), {"student__max_depth": [1, 3]}, cv=2, error_score="raise")
    outer.fit(X, y, sample_weight=weight)
    assert outer.best_estimator_.student.max_depth == outer.best_params_["student__max_depth"]
    assert np.isfinite(outer.cv_results_["mean_test_score"]).all()
