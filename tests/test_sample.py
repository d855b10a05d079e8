"""Searches of many rows: trials look at some of them, others judge, and more of them fit what is chosen."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import searches
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import HardLabels, MultihopSearchRegressor
from multihop_search.engine.prefixes import Prefixes
from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.executors import SerialExecutor
from multihop_search.integrations import from_predictions
from multihop_search.problem import sample
from multihop_search.problem.sample import draw_sample

pytestmark = pytest.mark.once

X, Y = make_classification(400, 6, n_informative=4, flip_y=0.2, random_state=0)
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)
FOREST = RandomForestClassifier(5, random_state=0)
search = searches(TREE, FOREST, n_trials=4, cv=3, crossfit_cv=2, intermediates=[], max_rows=100)


def drawn(max_rows, y, groups=None, *, stratified=True, random_state=0):
    return draw_sample(max_rows, np.asarray(y), groups, stratified=stratified, random_state=random_state)


# ---- which rows


@pytest.mark.parametrize("n_groups", [1, 2, 6])
def test_a_class_that_lives_in_few_groups_is_searched_by_half_of_them(n_groups):
    groups = np.repeat(np.arange(100), 20)
    y = np.where(groups < n_groups, 2, np.arange(2000) % 2)
    for seed in range(10):
        sample = drawn(400, y, groups, random_state=seed)
        searched = groups[sample.kept[sample.searched]]
        assert len(searched) == 400
        assert len(np.unique(searched[searched < n_groups])) >= (n_groups + 1) // 2


def test_few_rows_are_all_searched():
    assert drawn(10, [0, 1] * 5) is None
    assert drawn(None, [0, 1] * 50) is None


@given(st.lists(st.integers(0, 3), min_size=30, max_size=200), st.integers(8, 25), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_class_has_its_share_of_the_rows_searched(codes, max_rows, seed):
    y = np.unique(codes, return_inverse=True)[1]
    found = drawn(max_rows, y, random_state=seed)
    assert list(found.kept) == list(range(len(y)))  # there are fewer than are put aside
    counts, inside = np.bincount(y), np.bincount(y[found.searched], minlength=y.max() + 1)
    least = np.minimum((counts + 1) // 2, 5)
    assert (inside >= np.maximum(least, max_rows * counts // len(y))).all()
    assert len(found.searched) <= max(max_rows, least.sum() + max_rows)
    assert len(found.searched) >= max_rows
    assert len(np.unique(found.searched)) == len(found.searched)


def test_rows_beyond_those_that_judge_are_put_aside(monkeypatch):
    monkeypatch.setattr(sample, "MOST_OTHERS", 30)
    found = drawn(20, np.arange(1000.0), stratified=False)
    assert (len(found.kept), len(found.searched)) == (50, 20)
    assert found.kept.max() < 1000
    assert (np.diff(found.kept) > 0).all()
    other = drawn(20, np.arange(1000.0), stratified=False, random_state=1)
    assert not np.array_equal(found.kept, other.kept)


def test_groups_are_searched_whole():
    groups = np.repeat(np.arange(50), 4)
    found = drawn(48, np.arange(200) % 2, groups)
    assert len(np.unique(groups[found.searched])) == 12
    assert len(found.searched) == 48


def test_of_large_groups_some_rows_of_each_are_searched():
    groups = np.repeat(np.arange(20), 50)
    found = drawn(100, np.arange(1000) % 2, groups)
    assert len(found.searched) == 100
    assert len(np.unique(groups[found.searched])) == 10  # two in each of five folds, whatever their size


def test_a_huge_group_takes_no_more_than_its_part():
    groups = np.r_[np.zeros(1000, dtype=int), np.arange(1, 301)]
    for seed in range(30):
        found = drawn(100, np.arange(1300) % 2, groups, random_state=seed)
        assert len(found.searched) == 100
        assert len(np.unique(groups[found.searched])) >= 10


# ---- what a search makes of it


def test_trials_look_at_a_sample_and_the_others_judge():
    fitted = search().fit(X, Y)
    problem = fitted.setup_.problem
    rows, judges = problem.searched.train, problem.searched.test
    assert (len(rows), len(judges), len(problem.choosing)) == (100, 150, 150)
    assert all(set(fold.train) | set(fold.test) == set(rows) for fold in problem.folds)
    assert fitted.verdict_.method == "held-out"
    assert fitted.verdict_.n_rows == 150
    assert "best_estimator_ was fitted on all rows afterwards" in str(fitted.verdict_)
    assert fitted.best_estimator_.tree_.n_node_samples[0] == 400
    spoilt = X.copy()
    spoilt[judges] = np.random.default_rng(0).permutation(X[judges])
    again = search().fit(spoilt, Y)
    pd.testing.assert_series_equal(again.results_["score"], fitted.results_["score"])  # nothing of them chose
    assert again.best_path_ == fitted.best_path_
    assert again.verdict_.scores.loc["selected", "log_loss"] > fitted.verdict_.scores.loc["selected", "log_loss"]


def test_a_sample_is_searched_as_if_there_were_no_other_rows():
    fitted = search().fit(X, Y)
    rows = fitted.setup_.problem.searched.train
    folds = fitted.setup_.problem.folds
    splits = [(np.searchsorted(rows, fold.train), np.searchsorted(rows, fold.test)) for fold in folds]
    alone = search(max_rows=None, cv=splits).fit(X[rows], Y[rows])
    pd.testing.assert_series_equal(alone.results_["score"], fitted.results_["score"])


def test_as_many_rows_as_may_be_searched_are_no_sample():
    one, other = search(max_rows=400).fit(X, Y), search(max_rows=None).fit(X, Y)
    assert one.verdict_.method == other.verdict_.method == "bbc"
    pd.testing.assert_frame_equal(one.verdict_.table, other.verdict_.table)


def test_it_is_said_on_how_many_rows_each_thing_was_done(monkeypatch, tmp_path):
    monkeypatch.setattr(sample, "MOST_OTHERS", 200)
    fitted = search().fit(X, Y)
    assert "models fitted on the 100 rows searched, best_estimator_ was fitted on 300 of 400 rows" in str(
        fitted.verdict_
    )
    assert fitted.best_estimator_.tree_.n_node_samples[0] == 300
    assert fitted.verdict_.n_rows == 100
    fitted.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    said = dict(re.findall(r"<dt>(rows.*?)</dt>\n<dd><bdi>(.*?)</bdi>", page))
    assert said == {"rows": "400", "rows searched": "100", "rows the student is fitted on": "300"}


def test_the_teacher_is_fitted_on_all_rows_only_for_a_path_that_it_teaches():
    plain = search(max_hops=0).fit(X, Y)
    assert len(plain.teacher_.estimators_samples_[0]) == 100
    taught = search(max_rows=300, tolerance=0, schemes=[HardLabels()], random_state=2).fit(X, Y)
    assert taught.best_path_.hops
    assert len(taught.teacher_.estimators_samples_[0]) == 400


def test_many_other_rows_choose_the_number_of_hops_among_the_best_of_each():
    """Models are fitted on the rows searched; by hand: the least log-loss on the rows that choose."""
    by_folds = []
    for seed in range(6):
        fitted = search(tolerance=0, schemes=[HardLabels()], n_trials=8, random_state=seed).fit(X, Y)
        problem, results = fitted.setup_.problem, fitted.results_
        best = results.loc[results.groupby("hops")["score"].idxmax(), "trial"]
        prefixes = Prefixes(SerialExecutor().start(), problem, fitted.setup_.ladder)
        losses = {}
        for number in best:
            future = prefixes.student(problem.searched.number, fitted.paths_[number])
            proba = prefixes.session.result(future).predict_proba(problem.X[problem.choosing])
            losses[number] = log_loss(problem.y[problem.choosing], proba.clip(1e-3, 1 - 1e-3))
        assert fitted.best_index_ == min(losses, key=losses.get)
        assert "150 other rows chose the number of hops" in str(fitted.verdict_)
        by_folds.append(fitted.best_index_ == results["score"].idxmax())
    assert not all(by_folds)


def test_rows_choose_only_if_they_are_as_many_as_those_searched():
    for max_rows, n_choosing in ((133, 133), (134, 0)):
        problem = search(max_rows=max_rows).fit(X, Y).setup_.problem
        assert len(problem.choosing) == n_choosing
        everyone = np.concatenate([problem.searched.train, problem.searched.test, problem.choosing])
        np.testing.assert_array_equal(np.sort(everyone), np.arange(400))
    groups = np.repeat(np.arange(100), 4)
    problem = search().fit(X, Y, groups=groups).setup_.problem
    assert len(problem.choosing) >= 100
    assert not set(problem.groups[problem.choosing]) & set(problem.groups[problem.searched.test])


@pytest.mark.parametrize("verdict", ["nested", 0.5, "fresh"])
def test_every_verdict_goes_with_a_sample(verdict):
    fresh = {"X_fresh": X[:60], "y_fresh": Y[:60]} if verdict == "fresh" else {}
    fitted = search(**({} if fresh else {"verdict": verdict})).fit(X[60:], Y[60:], **fresh)
    problem = fitted.setup_.problem
    assert len(problem.searched.train) <= 100
    assert fitted.verdict_.method == {0.5: "held-out"}.get(verdict, verdict)
    assert fitted.verdict_.n_rows == {"nested": 100, 0.5: 170, "fresh": 60}[verdict]
    assert np.isfinite(fitted.verdict_.table.loc[["one-hop vs plain", "selected vs plain"], "gain"]).all()


@pytest.mark.parametrize(("more", "n_rows"), [({}, 340), ({"timeout": 1e-6}, 100)])
def test_fresh_rows_judge_models_that_are_fitted_like_the_one_handed_over(more, n_rows):
    fitted = search(max_hops=0, **more).fit(X[60:], Y[60:], X_fresh=X[:60], y_fresh=Y[:60])
    assert fitted.best_estimator_.tree_.n_node_samples[0] == n_rows
    assert fitted.verdict_.scores.loc["selected", "score"] == pytest.approx(
        -log_loss(Y[:60], fitted.predict_proba(X[:60]).clip(1e-3, 1), labels=[0, 1]), rel=0.01
    )
    note = f"The search saw 100 rows, the models that are judged were fitted on {n_rows}"
    assert note + (", the teacher on 100" if n_rows > 100 else "") in str(fitted.verdict_)


def test_groups_and_weights_and_splits_of_ones_own():
    groups, weight = np.repeat(np.arange(100), 4), np.random.default_rng(0).uniform(0.5, 2, 400)
    weight[::10] = 0
    problem = search().fit(X, Y, groups=groups, sample_weight=weight).setup_.problem
    inside, judges = (set(problem.groups[rows]) for rows in (problem.searched.train, problem.searched.test))
    assert not inside & judges
    assert problem.sample_weight[problem.searched.train].mean() == pytest.approx(1)
    np.testing.assert_array_equal(problem.X, X[problem.given_numbers(np.arange(problem.n_rows))])
    halves = [(np.arange(200), np.arange(200, 400)), (np.arange(200, 400), np.arange(200))]
    problem = search(cv=halves).fit(X, Y).setup_.problem
    for fold, (train, test) in zip(problem.folds, halves, strict=True):
        assert set(problem.given_numbers(fold.train)) <= set(train)
        assert set(problem.given_numbers(fold.test)) <= set(test)
        assert len(fold.train) + len(fold.test) == 100
    assert len(problem.searched.test) == 0  # who splits by hand has reasons why other rows must not judge


def test_given_predictions_are_found_by_the_rows_given(monkeypatch):
    monkeypatch.setattr(sample, "MOST_OTHERS", 100)
    proba = np.column_stack([1 - 0.8 * Y - 0.1, 0.8 * Y + 0.1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = search(teacher=from_predictions(proba), schemes=[HardLabels()]).fit(X, Y)
    assert fitted.verdict_.scores.loc["teacher", "accuracy"] == 1
    assert fitted.verdict_.n_rows == 100
    shuffled = pd.DataFrame(proba).sample(frac=1, random_state=0)
    with pytest.raises(InvalidData, match="oof must have its rows in the order of X"):
        search(teacher=from_predictions(shuffled), schemes=[HardLabels()]).fit(pd.DataFrame(X), Y)


def test_values_are_sampled_too():
    X, y = make_regression(300, 4, random_state=0)
    student, teacher = DecisionTreeRegressor(max_depth=2), RandomForestRegressor(5, random_state=0)
    search = searches(student, teacher, kind=MultihopSearchRegressor, n_trials=4, cv=3, crossfit_cv=2)
    fitted = search(intermediates=[], max_rows=100).fit(X, y)
    assert fitted.verdict_.n_rows == 100


def test_a_bound_of_rows_is_a_number():
    with pytest.raises(InvalidSetting, match="max_rows must be None or an integer of at least 1, got 0"):
        search(max_rows=0).fit(X, Y)
