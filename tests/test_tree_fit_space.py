"""Tree fits in a search: the space, the plan, the fourth row of the verdict, a fit of one's own, who is refused."""

import re
import warnings
from dataclasses import dataclass

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from searches import searches
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    HardLabels,
    Hop,
    KnowledgeDistillation,
    MultihopSearchRegressor,
    NearOptimal,
    OwnFit,
    Path,
    PathObjective,
    PathSpace,
    Refined,
    SRatio,
    StudentSpace,
    TreeFit,
)
from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.plan import Plan
from multihop_search.engine.student import _soft_labels
from multihop_search.errors import InvalidData, InvalidSetting, UnsuitableModel
from multihop_search.keys import rng_of
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.steps import last_step
from multihop_search.models.training_set import TrainingSet
from multihop_search.trees.heap import Heap
from multihop_search.verdict import judge

pytestmark = pytest.mark.once

always = settings(deadline=None, derandomize=True, database=None, max_examples=100)
TREE = DecisionTreeClassifier(max_depth=3)
FITS = (OwnFit(), Refined(), NearOptimal())
NAMES = ["OwnFit", "Refined+shrinkage", "NearOptimal+shrinkage"]
STUDENT = {
    "criterion": CategoricalDistribution(("gini", "entropy")),
    "ccp_alpha": CategoricalDistribution((0.0, 0.01)),
    "min_samples_leaf": IntDistribution(1, 64, log=True),
}
DEFAULTS = {"criterion": "gini", "ccp_alpha": 0.0, "min_samples_leaf": 1}
ROWS = ["one-hop vs plain", "multi-hop vs one-hop", "selected vs plain", "selected vs own fit"]


def space_of(fits=FITS, students=("student",), **settings):
    kd = KnowledgeDistillation(alpha=0.5, temperature=1.0)
    own = {name: StudentSpace(STUDENT, DEFAULTS, None, tuple(fits)) for name in students}
    return PathSpace(["forest"], [kd, HardLabels()], own, **{"max_hops": 2, **settings})


search_for = searches(TREE, RandomForestClassifier(3), intermediates=[], max_hops=1, n_trials=8, cv=2, crossfit_cv=2)


def made_for(X, y, student=TREE, **more):
    """The problem, ladder and space of a search that is not run."""
    return search_for(student, **more).set_up(X, y)


@pytest.fixture(scope="module")
def few():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    return X, ((X[:, 0] > 0) ^ (X[:, 1] > 0.2)).astype(int)


# The space


def drawn(distribution):
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return st.integers(distribution.low, distribution.high)
    return st.floats(distribution.low, distribution.high)


@always
@given(st.data())
def test_every_path_of_every_fit_can_be_written_back(data):
    fits = data.draw(st.sampled_from([FITS, FITS[:2], FITS[1:], (Refined(loss="error"), OwnFit(), Refined())]))
    space = space_of(fits, data.draw(st.sampled_from([("student",), ("one", "two")])))
    params = {name: data.draw(drawn(dist)) for name, dist in space.distributions.items()}
    path = space.decode(params)
    assert space.decode(space.encode(path)) == path
    label = params[f"{path.student}.fit"]
    kind = label.partition("#")[0]
    if kind == "OwnFit":
        assert path.fit is None
        assert dict(path.params).keys() == STUDENT.keys()
    else:
        assert path.fit.name == path.fit_name == kind
        assert dict(path.params).keys() == {"min_samples_leaf"}  # criterion and ccp_alpha play no part
        assert path.fit.loss == params.get(f"{path.student}.{label}.loss", "error")
        assert not path.fit.searched()
        assert str(path).endswith(f" by {path.fit}")


def test_the_space_names_fits_and_their_fields():
    names = set(space_of().distributions)
    assert {"student.fit", "student.Refined+shrinkage.loss", "student.NearOptimal+shrinkage.loss"} <= names
    assert space_of().distributions["student.fit"].choices == tuple(NAMES)
    more = [OwnFit(shrinkage="auto"), Refined(shrinkage=None), NearOptimal(shrinkage=FloatDistribution(0, 500))]
    assert space_of(more).distributions["student.fit"].choices == (
        "OwnFit+shrinkage",
        "Refined",
        "NearOptimal+shrinkage",
    )
    assert "student.NearOptimal+shrinkage.shrinkage" in space_of(more).distributions
    assert not any("NearOptimal" in name or name == "student.fit" for name in space_of(()).distributions)


def test_paths_that_differ_in_what_plays_no_part_are_one_path_with_one_key():
    space = space_of()
    base = space.encode(space.default("student", fit=NAMES[2]))
    same = base | {"student.criterion": "entropy", "student.ccp_alpha": 0.01, "student.Refined+shrinkage.loss": "error"}
    assert space.decode(same) == space.decode(base)
    assert space.decode(same).key == space.decode(base).key
    own = base | {"student.fit": "OwnFit"}
    assert space.decode(own) != space.decode(own | {"student.criterion": "entropy"})
    other = base | {"student.NearOptimal+shrinkage.loss": "error"}
    assert len({space.decode(params).key for params in (base, own, other, base | {"student.fit": NAMES[1]})}) == 4


def test_two_settings_of_one_class_are_two_choices():
    space = space_of([NearOptimal(loss="error", smoothing=1.0), NearOptimal(loss="log-loss")])
    assert space.distributions["student.fit"].choices == (NAMES[2], f"{NAMES[2]}#2")
    second = space.default("student", fit=f"{NAMES[2]}#2")
    assert second.fit == NearOptimal(loss="log-loss")
    assert space.encode(second)["student.fit"] == f"{NAMES[2]}#2"
    first = space.default("student")
    assert first.fit == NearOptimal(loss="error", smoothing=1.0)
    assert space.encode(first)["student.fit"] == NAMES[2]


def test_a_path_of_a_fit_that_is_not_searched_is_not_in_the_space():
    path = Path((), (("min_samples_leaf", 1),), fit=NearOptimal(loss="error"))
    assert space_of().decode(space_of().encode(path)) == path
    with pytest.raises(InvalidSetting, match="lie in the space"):
        space_of(FITS[:2]).encode(path)
    with pytest.raises(InvalidSetting, match="lie in the space"):
        space_of([NearOptimal()]).encode(Path((), tuple(sorted(DEFAULTS.items()))))  # its class's own fit


# The plan


@pytest.mark.parametrize("students", [("student",), ("one", "two")])
def test_trials_take_the_fits_in_turn(students):
    space = space_of(students=students)
    plan = Plan(space, 0, None)
    n_trials = 90 * len(students)
    fixed = [plan.fixed(number) for number in range(n_trials)]
    for place, student in enumerate(students):
        plain = [params for params in fixed[place :: len(students)] if params["n_hops"] == 0]
        assert len(plain) == 30
        labels = [params[f"{student}.fit"] for params in plain]
        assert labels == NAMES * 10
        # the first three are the student as the user set it, complete
        assert all(set(params) == set(space.names_of(student)) for params in plain[:3])
        assert all(params[f"{student}.criterion"] == "gini" for params in plain[:3])
        one = [params for params in fixed[place :: len(students)] if params["n_hops"] == 1]
        assert len(one) == 30
        # as the user set it the last fit comes first, then every other trial is fitted so and the others draw
        defaults = len(space.schemes)
        assert [params[f"{student}.fit"] for params in one[:defaults]] == [NAMES[2], NAMES[1]][:defaults]
        assert all(set(params) == set(space.names_of(student)) for params in one[:defaults])
        later = [params.get(f"{student}.fit") for params in one[defaults:]]
        assert later == [(NAMES[2] if round_ % 2 else None) for round_ in range(defaults, 30)]


def test_the_fit_of_the_class_has_a_third_of_the_plain_trials():
    fits = (OwnFit(), OwnFit(shrinkage="auto"), *FITS[1:])
    plan = Plan(space_of(fits), 0, None)
    plain = [params["student.fit"] for params in map(plan.fixed, range(102)) if params["n_hops"] == 0]
    counts = [plain.count(fit.name) for fit in fits]
    assert counts[0] == 11  # the first of four as the student was set, then every third
    assert sorted(counts[1:]) == [7, 8, 8]
    without = Plan(space_of(fits[1:]), 0, None)
    plain = [params["student.fit"] for params in map(without.fixed, range(90)) if params["n_hops"] == 0]
    assert plain == [fit.name for fit in fits[1:]] * 10


@pytest.mark.parametrize(
    ("scoring", "searched"),
    [("auto", False), ("neg_log_loss", False), ("accuracy", True), ("balanced_accuracy", True)],
)
def test_structures_of_few_errors_are_searched_where_decisions_count(scoring, searched, few):
    names = search_for(tree_fits="auto", scoring=scoring).set_up(*few).space.distributions
    assert ("student.NearOptimal+shrinkage.loss" in names) is searched
    assert ("student.Refined+shrinkage.loss" in names) is searched
    assert names["student.fit"].choices == ("OwnFit", "OwnFit+shrinkage", *NAMES[1:])


def test_without_fits_the_plan_says_nothing_of_them():
    plan = Plan(space_of(()), 0, None)
    assert not any("student.fit" in plan.fixed(number) for number in range(30))


# Searches


@pytest.fixture(scope="module")
def found(few):
    return search_for(n_trials=24, pruner=optuna.pruners.NopPruner()).fit(*few)


def test_a_search_tries_each_fit_at_every_number_of_hops(found):
    plain = found.results_[found.results_["hops"] == 0]["fit"].value_counts()
    assert plain.to_dict() == dict.fromkeys(["OwnFit", "OwnFit+shrinkage", *NAMES[1:]], 3)
    assert found.results_[found.results_["hops"] == 1]["fit"].nunique() > 1
    assert list(found.verdict_.table.index) == ROWS
    assert type(found.best_estimator_) is DecisionTreeClassifier
    assert found.best_estimator_.get_depth() <= 3
    assert found.space_.suggest(found.best_trial_) == found.best_path_
    assert (found.results_["state"] == "COMPLETE").all()


def test_any_trial_can_be_refitted(found, few):
    for number in found.results_.index[:6]:
        tree = found.refit_trial(int(number))
        assert type(tree) is DecisionTreeClassifier
        assert tree.get_depth() <= 3
        assert_allclose(tree.predict_proba(few[0]).sum(axis=1), 1)


def test_a_regressor_searches_them_too(few):
    X, _ = few
    y = 1e-4 * ((X[:, 0] > 0) ^ (X[:, 1] > 0.2)) + 5.0
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2), n_trials=9, max_hops=0, cv=2, random_state=0
    ).fit(X, y)
    by_fit = search.results_.groupby("fit")["score"].max()
    assert by_fit["NearOptimal+shrinkage"] > by_fit["OwnFit+shrinkage"]  # an exclusive or, in small units
    assert list(search.verdict_.table.index) == ROWS
    assert search.verdict_.table.loc["selected vs own fit", "verdict"] == "beats"


def test_a_better_solver_is_not_booked_as_a_hop(few):
    search = search_for(max_hops=0, n_trials=12, student=DecisionTreeClassifier(max_depth=2)).fit(*few)
    table = search.verdict_.table
    assert table.loc["selected vs plain", ["gain", "verdict"]].tolist() == [0, "equivalent"]
    assert search.best_path_.fit is not None
    assert table.loc["selected vs own fit", "gain"] > 0
    assert search.verdict_.headline.startswith("Probably better, not proven: ")
    assert "(the usual untuned model)" in search.verdict_.headline


def test_only_the_own_fit_is_the_search_without_fits(few):
    plain = search_for(tree_fits=[OwnFit()]).fit(*few)
    assert not any("fit" in name for name in plain.space_.distributions)
    assert list(plain.verdict_.table.index) == ROWS[:3]


def test_without_an_own_fit_there_is_nothing_to_compare_with(few):
    search = search_for(tree_fits=[NearOptimal()], n_trials=6).fit(*few)
    row = search.verdict_.table.loc["selected vs own fit"]
    assert row[["gain", "low", "high"]].isna().all()
    assert row["verdict"] == "inconclusive"
    assert set(search.results_["fit"]) == {"NearOptimal+shrinkage"}


@dataclass(frozen=True)
class OneSplit(TreeFit):
    """A user's own fit: the root alone, on one feature, at the middle of its thresholds."""

    feature: int | optuna.distributions.BaseDistribution = IntDistribution(0, 1)

    def structure(self, sample, loss, bounds, rng):
        heap = Heap.empty(bounds.depth)
        if len(sample.thresholds[self.feature]):
            heap.feature[0], heap.place[0] = self.feature, len(sample.thresholds[self.feature]) // 2
        return heap


def test_a_fit_of_ones_own_is_searched_like_any_other(few):
    search = search_for(tree_fits=[OwnFit(), OneSplit()], n_trials=8).fit(*few)
    assert search.space_.distributions["student.OneSplit.feature"] == IntDistribution(0, 1)
    assert (search.results_[search.results_["hops"] == 0]["fit"] == "OneSplit").sum() == 2
    mine = [int(number) for number in search.results_.index[search.results_["fit"] == "OneSplit"]]
    for number in mine:
        tree = search.refit_trial(number)
        assert (tree.get_depth(), tree.get_n_leaves()) == (1, 2)
        assert tree.tree_.feature[0] in (0, 1)
    only = search_for(tree_fits=[OneSplit(feature=1)], n_trials=4).fit(*few)
    assert only.best_estimator_.tree_.feature[0] == 1
    assert only.best_estimator_.get_depth() == 1


def test_several_students_each_have_their_fits(few):
    students = [("tree", TREE), ("line", LogisticRegression()), ("deep", DecisionTreeClassifier(max_depth=12))]
    made = made_for(*few, student=students)
    assert {name: tuple(map(type, space.fits)) for name, space in made.space.students.items()} == {
        "tree": (OwnFit, OwnFit, Refined, NearOptimal),
        "line": (),
        "deep": (OwnFit, OwnFit),  # shrinkage serves trees of any depth
    }
    search = search_for(student=students, n_trials=3).fit(*few)
    assert len(search.verdicts_["tree"].table) == len(search.verdicts_["deep"].table) == 4
    assert len(search.verdicts_["line"].table) == 3


def test_an_objective_draws_fits(few):
    objective = PathObjective(search_for(), *few)
    assert "student.fit" in objective.space.distributions
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial(objective.space.encode(objective.space.default("student", fit=NAMES[2])))
    study.optimize(objective, n_trials=1)
    assert "NearOptimal" in study.trials[0].user_attrs["path"]


def test_the_plain_version_that_s_ratio_divides_by_has_the_same_fit(few):
    X, y = few
    made = made_for(X, y, schemes=[SRatio(margin=0.0, beta=4.0)])
    upper = crossfit(made.problem, made.ladder, 0, ())
    tree_fit = NearOptimal(loss="log-loss", shrinkage=0)  # draws nothing
    hop = Hop(SRatio(margin=0.0, beta=4.0), "student")
    soft_labels = _soft_labels(
        made.problem, made.ladder, 0, Path((hop,), (("min_samples_leaf", 5),), fit=tree_fit), upper
    )
    fold = made.problem.folds[0]
    train, expected = fold.train, np.empty((len(fold.train), 2))
    for held in fold.inner:
        others = np.setdiff1d(np.arange(len(train)), held)
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0)
        tree = fit(
            tree, TrainingSet(X[train[others]], y[train[others]], np.array([0, 1])), FitOptions(tree_fit=tree_fit)
        )
        expected[held] = tree.predict_proba(X[train[held]])
    assert_allclose(soft_labels.outputs.plain, expected, atol=1e-6)
    own = _soft_labels(made.problem, made.ladder, 0, Path((hop,), (("min_samples_leaf", 5),)), upper)
    assert np.abs(own.outputs.plain - expected).max() > 0.05


# The fourth row of the verdict


def two_classes(probabilities_of_truth, n_rows=40):
    """Labels, and probabilities of trials that give the true class these probabilities, (n_trials, n_rows)."""
    y = np.arange(n_rows) % 2
    p = np.broadcast_to(
        np.asarray(probabilities_of_truth, dtype=float).reshape(len(probabilities_of_truth), -1),
        (len(probabilities_of_truth), n_rows),
    )
    table = np.stack([p, 1 - p], axis=2)
    return np.where((y == 0)[:, None], table, table[:, :, ::-1]), y


def test_the_fourth_row_is_the_difference_to_the_own_fit_by_hand():
    proba, y = two_classes([0.6, 0.9, 0.7])  # own fit, another fit, one hop
    verdict = judge(proba, y, [0, 0, 1], own_fit=np.array([True, False, False]), random_state=0)
    assert list(verdict.table.index) == ROWS
    # on every row the same: the intervals have no width
    assert verdict.table.loc["selected vs own fit", ["gain", "low", "high"]].tolist() == pytest.approx(
        [np.log(0.9 / 0.6)] * 3
    )
    assert verdict.table.loc["selected vs own fit", "verdict"] == "beats"
    assert verdict.table.loc["selected vs plain", ["gain", "verdict"]].tolist() == [0, "equivalent"]
    assert verdict.table.loc["one-hop vs plain", "gain"] == pytest.approx(np.log(0.7 / 0.9))
    assert verdict.scores.loc["own fit", "score"] == pytest.approx(np.log(0.6))
    assert verdict.n_trials == {"plain": 2, "one-hop": 1, "multi-hop": 0}


def test_the_fourth_row_equals_loops_over_bags():
    rng = np.random.default_rng(0)
    proba, y = two_classes(rng.uniform(0.3, 0.9, size=(4, 30)) + np.array([[0.0], [0.02], [0.05], [0.04]]), 30)
    own = np.array([True, True, False, False])
    verdict = judge(proba, y, [0, 0, 0, 0], own_fit=own, random_state=7)
    losses = np.log(np.take_along_axis(proba, y[None, :, None], axis=2)[:, :, 0])
    gains = []
    for bag in rng_of(7, "bbc").integers(30, size=(1000, 30)):
        outside = np.setdiff1d(np.arange(30), bag)
        picked = losses[:, bag].mean(axis=1)
        among_all, among_own = picked.argmax(), picked[:2].argmax()
        gains.append(losses[among_all, outside].mean() - losses[among_own, outside].mean())
    assert losses.mean(axis=1).argmax() >= 2  # else the row is 0
    row = verdict.table.loc["selected vs own fit"]
    assert row["gain"] == pytest.approx(np.mean(gains), abs=1e-9)
    assert [row["low"], row["high"]] == pytest.approx(np.percentile(gains, [2.5, 97.5]), abs=1e-9)


def test_where_an_own_fit_plain_trial_is_chosen_the_fourth_row_is_zero():
    proba, y = two_classes([0.9, 0.6, 0.7])
    table = judge(proba, y, [0, 0, 1], own_fit=np.array([True, False, False]), random_state=0).table
    for name in ROWS[2:]:
        assert table.loc[name, ["gain", "low", "high", "verdict"]].tolist() == [0, 0, 0, "equivalent"]


def test_an_own_fit_with_a_hop_is_not_the_student_alone():
    proba, y = two_classes([0.6, 0.9])
    table = judge(proba, y, [0, 1], own_fit=np.array([True, True]), random_state=0).table
    assert table.loc["selected vs own fit", "gain"] == pytest.approx(np.log(1.5))


def test_a_path_with_a_better_score_and_more_hops_is_named_with_the_way_to_it():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 4))
    y = (X.sum(axis=1) + rng.normal(size=150) > 0).astype(int)
    search = search_for(n_trials=9, tolerance=100.0).fit(X, y)
    best = search.results_["score"].idxmax()
    assert not search.best_path_.hops
    assert search.results_["hops"][best] > 0
    words = str(search.verdict_)
    assert re.search(
        rf"Trial {best} \(\d hops?\) has a better log-loss, [\d.]+ against [\d.]+, but not by enough", words
    )
    assert f"more hops (tolerance=100): refit_trial({best}) returns its student" in words
    taken = search_for(n_trials=9, tolerance=0.0).fit(X, y)
    assert len(taken.best_path_.hops) > 0
    assert "refit_trial" not in str(taken.verdict_)


STEPS = ["the student of its class", "shrinkage", "another way of fitting", "one hop", "several hops"]


def test_the_steps_of_a_gain_by_hand():
    proba, y = two_classes([0.5, 0.6, 0.7, 0.8])  # own fit, another fit, one hop, two hops: on every row the same
    steps = judge(proba, y, [0, 0, 1, 2], own_fit=np.array([True, False, False, False]), random_state=0).steps
    assert list(steps.index) == [STEPS[0], *STEPS[2:]]
    assert steps["score"].tolist() == pytest.approx(np.log([0.5, 0.6, 0.7, 0.8]))
    for column in ("gain", "low", "high"):
        assert steps[column].iloc[1:].tolist() == pytest.approx(np.log([6 / 5, 7 / 6, 8 / 7]))
    assert np.isnan(steps["gain"].iloc[0])


def test_steps_without_a_trial_of_their_own_are_left_out_and_none_is_gained_after_a_plain_choice():
    proba, y = two_classes([0.9, 0.6, 0.7])
    steps = judge(proba, y, [0, 0, 2], own_fit=np.array([True, False, True]), random_state=0).steps
    assert list(steps.index) == [STEPS[0], STEPS[2], STEPS[4]]
    assert steps["gain"].iloc[1:].tolist() == [0.0, 0.0]
    only = judge(proba, y, [0, 1, 1], random_state=0).steps  # one way of fitting: that of the class
    assert list(only.index) == [STEPS[0], STEPS[3]]


def test_the_steps_of_a_search_add_up_to_its_gain_and_are_in_its_words(found):
    verdict = found.verdict_
    assert list(verdict.steps.index)[:2] == STEPS[:2]
    gain = verdict.table.loc["selected vs own fit", "gain"]
    assert verdict.steps["gain"].sum() == pytest.approx(gain, abs=1e-12)
    assert verdict.steps["score"].iloc[-1] - verdict.steps["score"].iloc[0] == pytest.approx(gain, abs=1e-12)
    loss, (name, step) = -verdict.steps["score"].iloc[0], list(verdict.steps["gain"].items())[1]
    change = f"{abs(100 * step / loss):.1f} % {'lower' if step > 0 else 'higher'}"
    assert f"Step by step: log-loss {change} by {name}" in str(verdict)


def test_without_own_fit_trials_the_fourth_row_is_empty_and_inconclusive():
    proba, y = two_classes([0.6, 0.9, 0.7])
    for mask in ([False] * 3, [False, False, True]):  # an own fit after a hop is no student alone
        row = judge(proba, y, [0, 0, 1], own_fit=np.array(mask), random_state=0).table.loc["selected vs own fit"]
        assert row[["gain", "low", "high"]].isna().all()
        assert row["verdict"] == "inconclusive"


def test_without_a_mask_there_are_three_rows():
    proba, y = two_classes([0.6, 0.9, 0.7])
    assert list(judge(proba, y, [0, 0, 1], random_state=0).table.index) == ROWS[:3]


@pytest.mark.parametrize("mask", [[True, False], [1, 0, 0], "yes", [[True, False, False]]])
def test_a_mask_that_is_none_is_met_with_one_sentence(mask):
    proba, y = two_classes([0.6, 0.9, 0.7])
    with pytest.raises(InvalidData, match="own_fit must hold a boolean for each of the 3 trials"):
        judge(proba, y, [0, 0, 1], own_fit=mask)


# Who is refused


def refused_in_search(X, y, student, **more):
    """Explicit fits are refused with one sentence, automatic ones are left out without a word."""
    with pytest.raises(UnsuitableModel, match=r"^tree_fits needs a student that it can serve") as caught:
        made_for(X, y, student, tree_fits=[NearOptimal()], **more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = made_for(X, y, student, **more)
    is_tree = isinstance(last_step(student), DecisionTreeClassifier)  # shrinkage serves it all the same
    assert made.space.students["student"].fits == ((OwnFit(), OwnFit(shrinkage="auto")) if is_tree else ())
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize(
    ("student", "words"),
    [
        (LogisticRegression(), "LogisticRegression is no DecisionTreeClassifier"),
        (DecisionTreeClassifier(), "max_depth must be between 1 and 8"),
        (DecisionTreeClassifier(max_depth=3, max_features=2), "max_features is not kept"),
        (DecisionTreeClassifier(max_depth=3, monotonic_cst=np.array([1, 0, 0, 0])), "monotonic_cst is not kept"),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=20)), "max_depth must be between"),
    ],
)
def test_a_student_that_cannot_be_served_is_said_so(few, student, words):
    assert words in refused_in_search(*few, student)


@pytest.mark.parametrize(
    ("name", "values"), [("max_features", [None, 2]), ("max_depth", [3, 12]), ("splitter", ["best", "random"])]
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_searched_parameter_that_is_not_kept_is_said_so(few, name, values, in_pipeline):
    student = make_pipeline(StandardScaler(), TREE) if in_pipeline else TREE
    key = f"decisiontreeclassifier__{name}" if in_pipeline else name
    assert name in refused_in_search(*few, student, param_distributions={key: values})


def test_what_is_searched_of_the_transformers_is_no_matter_of_the_tree(few):
    student = make_pipeline(StandardScaler(), TREE)
    made = made_for(*few, student, param_distributions={"standardscaler__with_mean": [True, False]})
    assert len(made.space.students["student"].fits) == 4


def with_a_gap(X, frame):
    X = X.copy()
    X[-1, 2] = np.nan
    return pd.DataFrame(X, columns=list("abcd")) if frame else X


@pytest.mark.parametrize("n_rows", [150, 2300])
@pytest.mark.parametrize(("frame", "in_pipeline"), [(False, False), (True, False), (True, True)])
def test_missing_values_are_refused_wherever_they_stand(frame, n_rows, in_pipeline):
    rng = np.random.default_rng(1)
    X = with_a_gap(rng.normal(size=(n_rows, 4)), frame)
    y = rng.integers(2, size=n_rows)
    student = make_pipeline(StandardScaler(), TREE) if in_pipeline else TREE
    teacher = DecisionTreeClassifier(max_depth=5)
    assert "its rows have missing values" in refused_in_search(X, y, student, teacher=teacher)


def test_an_imputer_in_front_makes_them_whole(few):
    X, y = few
    for student in (make_pipeline(SimpleImputer(), TREE), make_pipeline(StandardScaler(), SimpleImputer(), TREE)):
        made = made_for(with_a_gap(X, True), y, student)
        assert len(made.space.students["student"].fits) == 4


def test_sparse_rows_are_refused(few):
    X, y = few
    letters = pd.DataFrame({"letter": np.where(X[:, 0] > 0, "a", "b"), "other": np.where(X[:, 1] > 0, "c", "d")})
    forest = make_pipeline(OneHotEncoder(), RandomForestClassifier(10))
    assert "its rows are sparse" in refused_in_search(letters, y, make_pipeline(OneHotEncoder(), TREE), teacher=forest)
    dense = make_pipeline(OneHotEncoder(sparse_output=False), TREE)
    assert len(made_for(letters, y, dense, teacher=forest).space.students["student"].fits) == 4


def test_what_is_no_list_of_fits_is_met_with_one_sentence(few):
    for given_, words in (
        ("refined", "'auto' or a list of TreeFit"),
        (NearOptimal(), "'auto' or a list of TreeFit"),
        ([], "'auto' or a list of TreeFit"),
        ([NearOptimal], "TreeFit instances"),
        (["auto"], "TreeFit instances"),
    ):
        with pytest.raises(InvalidSetting, match=words):
            made_for(*few, tree_fits=given_)
    for wrong in (
        NearOptimal(loss="gini"),
        NearOptimal(smoothing=-1),
        NearOptimal(candidates=1),
        NearOptimal(width=0),
        Refined(restarts=-1),
        NearOptimal(restarts=-1),
        Refined(smoothing=FloatDistribution(-1.0, 2.0)),
        OwnFit(shrinkage=-1.0),
        NearOptimal(shrinkage="none"),
        Refined(shrinkage=FloatDistribution(-1.0, 2.0)),
        Refined(loss=CategoricalDistribution(("error", "hinge"))),
    ):
        with pytest.raises(InvalidSetting, match=type(wrong).__name__):
            made_for(*few, tree_fits=[wrong])
