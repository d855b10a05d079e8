"""The budget, and several students in one search."""

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from searches import searches
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from slow_reference import Watched

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    OwnFit,
)
from multihop_search.errors import InvalidSetting, SearchFailed, StudentLeftOutWarning
from multihop_search.models.complexity import size_of
from multihop_search.models.features import feature_importances, strongest
from multihop_search.paths.budget import Budget

pytestmark = pytest.mark.once

KD = KnowledgeDistillation(alpha=0.6, temperature=1.0)


def data(n_classes: int = 2, n_rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """8 columns, each of which tells something."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 8))
    score = X @ np.array([2.0, -1.5, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3]) + rng.normal(size=n_rows)
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def values() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8))
    return X, X @ np.array([2.0, -1.5, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3]) + X[:, 0] ** 2 + rng.normal(size=200)


search_for = searches(
    teacher=RandomForestClassifier(2, max_depth=8),
    intermediates=[("middle", DecisionTreeClassifier(max_depth=7))],
    schemes=[KD],
    n_trials=6,
    cv=2,
    crossfit_cv=2,
)


def regression_for(student: Any, **settings: Any) -> MultihopSearchRegressor:
    usual = {
        "teacher": RandomForestRegressor(2, max_depth=8),
        "intermediates": [],
        "schemes": [KnowledgeDistillation(alpha=0.5)],
        "n_trials": 3,
        "cv": 2,
        "crossfit_cv": 2,
        "random_state": 0,
    }
    return MultihopSearchRegressor(student, **{**usual, **settings})


def constraints_of(trial: Any) -> list[float]:
    """Return the constraints that Optuna knows of a trial."""
    found = getattr(trial, "constraints", None)
    if found is None:  # before Optuna 5
        found = trial.system_attrs.get("constraints", [])
    return list(found.values() if hasattr(found, "values") else found)


# What a budget may be


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (31, "budget must be None or a dict with nodes, features, size_bytes, latency_us, got 31"),
        ([("nodes", 31)], "budget must be None or a dict"),
        ({"leaves": 4}, "budget must name bounds among nodes, features, size_bytes, latency_us, got 'leaves'"),
        ({"nodes": 0}, r"budget\['nodes'\] must be a positive number, got 0"),
        ({"nodes": -3.5}, r"budget\['nodes'\] must be a positive number, got -3.5"),
        ({"features": True}, r"budget\['features'\] must be a positive number, got True"),
        ({"features": "3"}, r"budget\['features'\] must be a positive number, got '3'"),
        ({"size_bytes": float("nan")}, r"budget\['size_bytes'\] must be a positive number, got nan"),
        ({"latency_us": None}, r"budget\['latency_us'\] must be a positive number, got None"),
    ],
)
def test_a_budget_that_is_none_is_refused(budget: Any, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        Budget.of(budget)
    with pytest.raises(InvalidSetting, match=message):
        search_for(DecisionTreeClassifier(), budget=budget).fit(*data())


@pytest.mark.parametrize("name", ["nodes", "features", "size_bytes", "latency_us"])
def test_an_infinite_bound_is_refused_or_is_no_bound(name: str) -> None:
    try:
        search = search_for(DecisionTreeClassifier(max_depth=2), budget={name: float("inf")}, n_trials=3).fit(*data())
    except InvalidSetting as error:
        assert name in str(error)  # noqa: PT017
    else:
        assert (search.results_["state"] == "COMPLETE").all()


def test_bounds_and_excess() -> None:
    assert Budget.of(None).bounds == {}
    assert Budget.of({}).bounds == {}
    budget = Budget.of({"nodes": 10, "features": np.float64(4)})
    assert budget.bounds == {"nodes": 10, "features": 4}
    X, y = data()
    model = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(X, y)
    size = size_of(model)
    assert size.nodes == 15
    found = budget.excess(size, latency_us=3.0)
    assert found == pytest.approx({"nodes": 0.5, "features": size.n_features_used / 4 - 1})


# Nodes


@pytest.mark.parametrize(
    ("student", "n_classes", "nodes", "leaves"),
    [
        (DecisionTreeClassifier(), 2, 15, 8),
        (DecisionTreeClassifier(), 2, 14, 7),  # 8 leaves would have 15 nodes
        (DecisionTreeClassifier(max_leaf_nodes=5), 2, 15, 5),  # the user's own is tighter
        (DecisionTreeClassifier(max_leaf_nodes=50), 2, 15, 8),
        (RandomForestClassifier(4), 2, 60, 8),
        (RandomForestClassifier(4), 3, 60, 8),
        (HistGradientBoostingClassifier(max_iter=5), 2, 60, 6),  # 12 nodes a tree: 6 leaves have 11
        (HistGradientBoostingClassifier(max_iter=5), 3, 60, 2),  # a tree a class and round: 4 nodes each
        (GradientBoostingClassifier(n_estimators=4), 2, 60, 8),
        (GradientBoostingClassifier(n_estimators=4), 3, 60, 3),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier()), 2, 15, 8),
    ],
)
def test_nodes_bound_the_leaves(student: Any, n_classes: int, nodes: int, leaves: int) -> None:
    bounded = Budget(nodes=nodes).bounded(student, n_classes)
    last = bounded.steps[-1][1] if hasattr(bounded, "steps") else bounded
    assert last.max_leaf_nodes == leaves
    X, y = data(n_classes)
    assert size_of(clone(bounded).fit(X, y)).nodes <= nodes
    assert Budget().bounded(student, n_classes) is student


@pytest.mark.parametrize(
    "model", [DecisionTreeRegressor(), RandomForestRegressor(4), HistGradientBoostingRegressor(max_iter=4)]
)
def test_nodes_bound_regressors(model: Any) -> None:
    X, y = values()
    bounded = Budget(nodes=60).bounded(model, 1)
    assert size_of(clone(bounded).fit(X, y)).nodes <= 60
    assert bounded.max_leaf_nodes >= 7


def test_the_users_student_is_not_changed() -> None:
    student = DecisionTreeClassifier(max_depth=6)
    search = search_for(student, budget={"nodes": 9}, n_trials=3).fit(*data())
    assert student.max_leaf_nodes is None
    assert search.student is student


# The search within a budget


BOTH = {"nodes": 21, "features": 2}
BOOSTER = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5)


@pytest.mark.parametrize(
    ("student", "n_classes", "budget"),
    [
        (DecisionTreeClassifier(), 2, {"nodes": 14}),
        (DecisionTreeClassifier(criterion="entropy"), 3, BOTH),
        (RandomForestClassifier(2), 2, BOTH),
        (BOOSTER, 2, BOTH),
        (LogisticRegression(max_iter=300), 2, {"features": 3}),
        (LogisticRegression(max_iter=300), 3, {"nodes": 14}),
        (make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)), 2, BOTH),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier()), 2, BOTH),
    ],
)
def test_every_trial_and_what_comes_back_are_within_what_a_fit_can_keep(
    student: Any, n_classes: int, budget: dict[str, int]
) -> None:
    X, y = data(n_classes, 120)
    schemes = [KD, HardLabels(), ModelCompression(multiple=1)]
    search = search_for(student, budget=budget, n_trials=3, schemes=schemes).fit(X, y)
    results = search.results_
    assert (results["state"] == "COMPLETE").all()
    assert {0, 1, 2} == set(results["hops"])  # plain and one-hop rivals too
    # `results_` holds means over folds: no fold may exceed a bound either, which the constraints say.
    for trial in search.study_.trials:
        assert len(constraints_of(trial)) == len(budget)
        assert max(constraints_of(trial)) <= 0
    some = [search.refit_trial(number) for number in range(3)]
    for model in (search.best_estimator_, *some):
        size = size_of(model)
        assert size.nodes <= budget.get("nodes", np.inf)
        assert size.n_features_used <= budget.get("features", np.inf)
    free = clone(student).fit(X, y)  # a budget that would bind nobody shows nothing
    assert size_of(free).nodes > budget.get("nodes", 0) or size_of(free).n_features_used > budget.get("features", 0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_of_other_columns_are_exactly_0_and_the_rest_are_those_of_a_fit_on_them(
    n_classes: int,
) -> None:
    X = np.random.default_rng(0).normal(size=(200, 8))
    score = X @ np.array([2.0, -2.0, 2.0, 0, 0, 0, 0, 0.1]) + np.random.default_rng(1).normal(size=200)
    y = np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))
    X = X * np.array([1, 1, 1, 1, 1, 1, 1, 1000.0]) + 5.0  # the last column tells little, on a large scale
    student = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, tol=1e-8))
    search = search_for(student, budget={"features": 3}, n_trials=2, max_hops=1, param_distributions={}).fit(X, y)
    plain, taught = (np.atleast_2d(search.refit_trial(number)[-1].coef_) for number in (0, 1))
    for coefficients in (plain, taught):
        assert coefficients.shape[1] == 8
        assert np.flatnonzero(np.any(coefficients != 0, axis=0)).tolist() == [0, 1, 2]  # the strongest
    scaled = StandardScaler().fit_transform(X)
    by_hand = LogisticRegression(max_iter=1000, tol=1e-8).fit(scaled[:, :3], y)
    np.testing.assert_allclose(plain[:, :3], by_hand.coef_, atol=1e-3)


def test_the_scale_of_a_column_does_not_make_it_strong() -> None:
    X, y = data()
    scale = np.array([1e-3, 1e3, 1, 1, 1, 1, 1, 1])
    search = search_for(
        LogisticRegression(C=1e6, max_iter=5000, solver="newton-cholesky"),
        budget={"features": 2},
        n_trials=1,
        param_distributions={},
    ).fit(X * scale, y)
    assert np.flatnonzero(search.best_estimator_.coef_[0]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("student", "budget"),
    [
        (LinearRegression(), {"features": 3}),
        (LinearRegression(), {"nodes": 3}),
        (Ridge(), {"nodes": 3}),
        (Lasso(alpha=0.01), {"features": 3}),
        (DecisionTreeRegressor(), {"features": 3}),
        (DecisionTreeRegressor(), {"nodes": 3}),
        (HistGradientBoostingRegressor(max_iter=1, min_samples_leaf=5), {"features": 3}),
        (make_pipeline(StandardScaler(), LinearRegression()), {"features": 3}),
    ],
)
def test_regressors_keep_features_and_coefficients(student: Any, budget: dict[str, int]) -> None:
    X, y = values()
    search = regression_for(student, budget=budget).fit(X, y)
    for trial in search.study_.trials:
        assert max(constraints_of(trial)) <= 0
    size = size_of(search.best_estimator_)
    assert size.n_features_used <= 3
    assert size.nodes <= budget.get("nodes", np.inf)
    assert search.verdict_.scores.loc["selected", "r2"] > 0.05


class Sparse(TransformerMixin, BaseEstimator):
    """Hands on a sparse matrix; small values become 0."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return csr_matrix(np.where(np.abs(X) < 0.3, 0.0, X))


@pytest.mark.parametrize("model", [LogisticRegression(max_iter=300), DecisionTreeClassifier()], ids=["linear", "tree"])
def test_features_of_sparse_rows_are_bounded(model: Any) -> None:
    X, y = data()
    search = search_for(
        make_pipeline(Sparse(), model), budget={"features": 2}, schemes=[KD, ModelCompression(multiple=1)]
    ).fit(X, y)
    assert (search.results_["state"] == "COMPLETE").sum() >= 4
    for trial in search.study_.trials:
        assert max(constraints_of(trial)) <= 0
    assert size_of(search.best_estimator_).n_features_used <= 2


def test_features_of_a_table_with_categories_are_bounded() -> None:
    X, y = data()
    frame = pd.DataFrame(X[:, :6], columns=list("abcdef"))
    frame["whole"] = pd.array((X[:, 6] * 3).round().astype(int), dtype="Int64")
    frame["flag"] = X[:, 7] > 0
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "hot", "cold"))
    student = HistGradientBoostingClassifier(max_iter=4, categorical_features="from_dtype", min_samples_leaf=5)
    search = search_for(
        student,
        teacher=HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype"),
        intermediates=[],
        budget={"features": 2},
        schemes=[KD, ModelCompression(multiple=1)],
        n_trials=3,
    ).fit(frame, y)
    assert (search.results_["state"] == "COMPLETE").all()
    for trial in search.study_.trials:
        assert max(constraints_of(trial)) <= 0
    assert size_of(search.best_estimator_).n_features_used <= 2
    assert search.best_estimator_.is_categorical_.tolist() == [False] * 8 + [True]


def test_column_names_survive_a_bound_on_features() -> None:
    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    search = search_for(DecisionTreeClassifier(), budget={"features": 2}, n_trials=3).fit(frame, y)
    assert list(search.best_estimator_.feature_names_in_) == list(frame)
    assert search.best_estimator_.n_features_in_ == 8


def test_a_budget_that_nothing_meets_changes_nothing() -> None:
    X, y = data()
    free = search_for(LogisticRegression()).fit(X, y)
    wide = search_for(LogisticRegression(), budget={"features": 8, "size_bytes": 10**9}).fit(X, y)
    np.testing.assert_array_equal(free.results_["score"], wide.results_["score"])
    assert free.best_path_ == wide.best_path_
    assert all(constraints_of(trial) == [] for trial in free.study_.trials)


# What can only be measured


def sized_search(**settings: Any) -> MultihopSearchClassifier:
    usual = {"param_distributions": {"max_depth": [1, 2, 4, 8]}, "n_trials": 9, "random_state": 1}
    return search_for(DecisionTreeClassifier(random_state=0), **{**usual, **settings})


def test_the_choice_never_exceeds_a_bound_that_some_trials_exceed() -> None:
    X, y = data()
    free = sized_search().fit(X, y)
    sizes = free.results_["size_bytes"]
    bound = float(sizes[sizes < sizes[free.best_index_]].max())  # the choice without a bound is the next larger one
    search = sized_search(budget={"size_bytes": bound}).fit(X, y)
    results = search.results_
    worst = np.array([max(constraints_of(trial)) for trial in search.study_.trials])
    assert 0 < (worst <= 0).sum() < len(results)
    inside = results.index[worst <= 0]
    assert search.best_index_ in inside
    assert size_of(search.best_estimator_).size_bytes <= bound
    assert not results["on_front"][worst > 0].any()
    assert (results["size_bytes"][inside] <= bound).all()
    assert sum(search.verdict_.n_trials.values()) <= len(inside)  # rivals outside are none
    assert search.best_score_ <= results["score"].max()
    assert free.best_index_ not in inside  # the bound moves the choice


def test_a_latency_that_nobody_keeps_fails_with_the_nearest() -> None:
    with pytest.raises(SearchFailed, match=r"none is: the nearest, 'student' of trial \d+, has latency_us=.* 0\.001"):
        search_for(DecisionTreeClassifier(max_depth=2), budget={"latency_us": 0.001}, n_trials=3).fit(*data())


def test_a_latency_that_all_keep() -> None:
    search = search_for(DecisionTreeClassifier(max_depth=2), budget={"latency_us": 1e7}, n_trials=3).fit(*data())
    assert all(max(constraints_of(trial)) <= 0 for trial in search.study_.trials)


def test_if_nothing_fits_the_nearest_is_named() -> None:
    free = sized_search().fit(*data())
    smallest = free.results_["size_bytes"].min()
    with pytest.raises(SearchFailed) as caught:
        sized_search(budget={"size_bytes": 100}).fit(*data())
    message = str(caught.value)
    assert "has size_bytes=" in message
    assert "the budget allows 100" in message
    named = float(message.partition("size_bytes=")[2].split()[0])
    assert named == pytest.approx(smallest, rel=0.3)


def test_a_student_with_no_trial_inside_is_left_out() -> None:
    X, y = data()
    students = [("small", DecisionTreeClassifier(max_depth=1)), ("large", RandomForestClassifier(20, max_depth=6))]
    with pytest.warns(StudentLeftOutWarning, match="no trial of student 'large' is within the budget") as caught:
        search = search_for(students, budget={"size_bytes": 6000}, n_trials=3).fit(X, y)
    (warning,) = [given for given in caught if given.category is StudentLeftOutWarning]
    assert warning.filename == __file__  # it points at the user's line
    assert set(search.chosen_) == set(search.verdicts_) == {"small"}
    assert search.best_path_.student == "small"
    assert set(search.results_["student"]) == {"small", "large"}
    large = search.results_["student"] == "large"
    assert not search.results_["on_front"][large].any()
    assert size_of(search.best_estimator_).size_bytes <= 6000


@pytest.mark.filterwarnings("ignore::multihop_search.errors.StudentLeftOutWarning")
def test_every_choice_is_within_the_budget_once_it_is_fitted_on_all_rows() -> None:
    X, y = data()
    students = [("deep", DecisionTreeClassifier(random_state=0)), ("line", LogisticRegression())]
    free = search_for(students, param_distributions={}, n_trials=6).fit(X, y)
    deep = free.results_[free.results_["student"] == "deep"]
    # Between the size in the folds (half of the rows) and that on all rows.
    bound = float(deep["size_bytes"].max() * 1.1)
    whole = [size_of(free.refit_trial(int(number))).size_bytes for number in deep.index]
    assert max(whole) > bound
    search = search_for(students, param_distributions={}, n_trials=6, budget={"size_bytes": bound}).fit(X, y)
    for name, number in search.chosen_.items():
        assert size_of(search.refit_trial(number)).size_bytes <= bound, name


# Several students


class CountingTree(DecisionTreeClassifier):
    """Counts its fits, clones included."""

    fits: ClassVar[int] = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        CountingTree.fits += 1
        return super().fit(X, y, sample_weight)


FOUR = [
    ("stump", DecisionTreeClassifier(max_depth=1)),
    ("tree", DecisionTreeClassifier(max_depth=3)),
    ("line", LogisticRegression(max_iter=300)),
    ("bayes", GaussianNB()),
]


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def four(watched: Watched) -> MultihopSearchClassifier:
    with watched.watching():
        return search_for(FOUR, n_trials=6, schemes=[KD, HardLabels()]).fit(*data(3))


def test_each_student_has_as_many_trials_in_equal_thirds(four: MultihopSearchClassifier) -> None:
    results = four.results_
    assert len(results) == 24
    for name, _ in FOUR:
        mine = results[results["student"] == name]
        assert len(mine) == 6
        assert mine["hops"].clip(upper=2).value_counts().to_dict() == {0: 2, 1: 2, 2: 2}
        assert all(path.student == name for path in np.array(four.paths_, dtype=object)[mine.index])


def test_each_student_has_a_choice_and_a_verdict(four: MultihopSearchClassifier, watched: Watched) -> None:
    X, _ = data(3)
    assert list(four.chosen_) == list(four.verdicts_) == [name for name, _ in FOUR]
    for name, number in four.chosen_.items():
        assert four.results_["student"][number] == name
        mine = four.results_[four.results_["student"] == name]
        complete = mine[mine["state"] == "COMPLETE"]
        assert number == watched.chosen(name)
        assert sum(four.verdicts_[name].n_trials.values()) == len(complete)
        assert type(four.refit_trial(number)) is type(dict(FOUR)[name])
    best = max(four.chosen_.values(), key=lambda number: four.results_["score"][number])
    assert four.best_index_ == best
    assert four.best_path_.student == four.results_["student"][best]
    assert four.verdict_ is four.verdicts_[four.best_path_.student]
    assert type(four.best_estimator_) is type(dict(FOUR)[four.best_path_.student])
    np.testing.assert_array_equal(four.refit_trial(best).predict_proba(X), four.predict_proba(X))


def test_the_front_by_brute_force(four: MultihopSearchClassifier) -> None:
    results = four.results_
    values = results[["score", "size_bytes", "latency_us", "n_features_used"]].to_numpy() * (1, -1, -1, -1)
    complete = (results["state"] == "COMPLETE").to_numpy()
    for number in range(len(results)):
        beaten = False
        for other in range(len(results)):
            if complete[number] and complete[other] and other != number:
                at_least = all(values[other][k] >= values[number][k] for k in range(4))
                better = any(values[other][k] > values[number][k] for k in range(4))
                beaten = beaten or (at_least and better)
        assert results["on_front"][number] == (complete[number] and not beaten)
    assert 1 <= results["on_front"].sum() < len(results)


def test_the_trial_of_each_student_reads_back(four: MultihopSearchClassifier) -> None:
    for number, trial in enumerate(four.study_.trials):
        path = four.paths_[number]
        assert four.space_.suggest(trial) == path
        assert trial.params["student"] == path.student
        assert not [
            name for name in trial.params if "." in name and name.split(".")[0] in set(dict(FOUR)) - {path.student}
        ]


def test_students_share_the_prefixes() -> None:
    X, y = data()
    counts = {}
    for students in (FOUR[1][1], FOUR):
        CountingTree.fits = 0
        search_for(
            students,
            intermediates=[("middle", CountingTree(max_depth=7)), ("low", CountingTree(max_depth=5))],
            n_trials=6,
        ).fit(X, y)
        counts["four" if students is FOUR else "one"] = CountingTree.fits
    assert counts["one"] > 0
    assert counts["four"] <= 2 * counts["one"]


def test_students_draw_the_same_paths_as_the_others() -> None:
    search = search_for(FOUR[:2], n_trials=9, param_distributions={}).fit(*data())
    shapes = {
        name: [tuple(map(str, path.prefix)) for path in search.paths_ if path.student == name] for name, _ in FOUR[:2]
    }
    assert shapes["stump"] == shapes["tree"]


def test_parameters_of_several_students_are_named_after_them() -> None:
    X, y = data()
    wanted = {"tree__max_depth": [2, 3], "line__C": [0.1, 1.0]}
    search = search_for(FOUR[:3], param_distributions=wanted, tree_fits=[OwnFit()]).fit(X, y)
    own = {name for name in search.space_.distributions if name.split(".")[0] in dict(FOUR)}
    assert own == {"tree.max_depth", "line.C"}
    with pytest.raises(InvalidSetting, match="must name parameters as student__parameter, got 'max_depth'"):
        search_for(FOUR[:3], param_distributions={"max_depth": [2, 3]}).fit(X, y)
    with pytest.raises(InvalidSetting, match="got 'wood__max_depth': begin with one of stump, tree, line"):
        search_for(FOUR[:3], param_distributions={"wood__max_depth": [2, 3]}).fit(X, y)


def test_one_student_in_a_list_is_as_good_as_that_student_alone() -> None:
    X, y = data()
    alone = search_for(FOUR[1][1]).fit(X, y)
    listed = search_for([("student", FOUR[1][1])]).fit(X, y)
    np.testing.assert_array_equal(alone.results_["score"], listed.results_["score"])
    assert set(alone.results_["student"]) == {"DecisionTreeClassifier"}


def test_several_students_give_the_same_search_twice(four: MultihopSearchClassifier) -> None:
    again = clone(four).fit(*data(3))
    times = ["fit_seconds", "latency_us", "on_front"]
    pd.testing.assert_frame_equal(
        again.results_.drop(columns=times), four.results_.drop(columns=times), check_exact=True
    )
    assert again.chosen_ == four.chosen_


@pytest.mark.parametrize(
    ("students", "message"),
    [
        ([], "got an empty list"),
        ([DecisionTreeClassifier()], r"must be an estimator or a list of \(name, estimator\)"),
        ([("a", GaussianNB()), ("a", GaussianNB())], "names of students must differ"),
        ([("teacher", GaussianNB())], "not be 'teacher'"),
        ([("a__b", GaussianNB())], "no '__' or"),
        ([("a.b", GaussianNB())], "no '__' or"),
        ([("", GaussianNB())], r"must be an estimator or a list of \(name, estimator\)"),
        ([(1, GaussianNB())], r"must be an estimator or a list of \(name, estimator\)"),
        ([("middle", GaussianNB())], "names of intermediates must be unique and free, 'middle' is taken"),
    ],
)
def test_lists_of_students_that_cannot_be(students: Any, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        search_for(students).fit(*data())


def test_features_are_counted_in_the_users_order_where_a_booster_puts_categories_first() -> None:
    rng = np.random.default_rng(0)
    number = rng.normal(size=300)
    frame = pd.DataFrame(
        {"number": number, "noise": rng.normal(size=300), "word": pd.Categorical(rng.choice(["a", "b"], size=300))}
    )
    target = number + 0.3 * frame["noise"] > 0
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(frame, target)
    assert feature_importances(model).argmax() == 0
    keep = strongest(model, frame, 1)
    assert keep is not None
    assert keep.tolist() == [True, False, False]
