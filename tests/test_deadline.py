"""The deadline: what comes last is done by then too, with whatever is the best so far."""

import time

import numpy as np
import pytest
from searches import searches
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import HardLabels
from multihop_search.engine.deadline import AT_LEAST, MARGIN, PREDICTED, Deadline
from multihop_search.engine.record import COMPLETE, TrialRecord
from multihop_search.engine.upper_model import crossfit_fits
from multihop_search.paths.path import Hop, Path
from multihop_search.problem.intake import make_problem
from multihop_search.trees import NearOptimal

pytestmark = pytest.mark.once

X, Y = make_classification(400, 6, n_informative=4, flip_y=0.2, random_state=0)


def problem_of(n_rows, **more):
    usual = {"sample_weight": None, "groups": None, "cv": 5, "crossfit_cv": 2, "scoring": "auto", "random_state": 0}
    return make_problem(X[:n_rows], Y[:n_rows], **usual, **more)


def trial(hops, seconds, upper=0.0, fit=None):
    path = Path((Hop(HardLabels(), "student"),) * hops, fit=fit)
    folds = (seconds,) * 5
    return TrialRecord(number=0, path=path, state=COMPLETE, fit_times=folds, upper_seconds=5 * upper)


def left_by(deadline, at):
    return at - time.monotonic() - deadline.left


def test_the_last_step_is_the_teacher_and_the_longest_path():
    """Folds train on 80 of 100 rows, so that fits on all take 1.25 times as long: 1.25 * (8 + 2) seconds."""
    deadline = Deadline(1000.0, problem_of(100), judged=False)
    assert deadline.last_step == AT_LEAST
    for record in (trial(0, 1.6), trial(1, 1.6, upper=6.4), trial(0, 0.8)):
        deadline.note(record)
    assert deadline.last_step == pytest.approx(AT_LEAST + MARGIN * (8 + 2))
    deadline.note(trial(2, 0.8, upper=8.0))  # 2 seconds are those of the intermediate
    assert deadline.last_step == pytest.approx(AT_LEAST + MARGIN * (8 + 3))


def test_a_verdict_by_other_rows_fits_the_longest_path_of_each_number_of_hops():
    deadline = Deadline(1000.0, problem_of(400, max_rows=100), judged=True)
    for record in (trial(0, 1.6), trial(1, 0.8, upper=6.4), trial(2, 0.8, upper=8.0)):
        deadline.note(record)
    teacher = 8 * (1 + 1.5 * PREDICTED)  # it predicts the 150 rows that judge, and is fitted on 100
    assert deadline.last_step == pytest.approx(AT_LEAST + MARGIN * (teacher + (2 + 1 + 3) + 3))


def test_a_refit_that_keeps_the_best_of_ten_trees_takes_ten_times_as_long_where_it_grows_them(monkeypatch):
    for rows, times in ((4000, 1), (100, 10)):
        monkeypatch.setattr("multihop_search.trees.base.MOST_ROWS", rows - 1 if rows == 100 else rows)
        deadline = Deadline(1000.0, problem_of(100), judged=False)
        deadline.note(trial(0, 1.6, fit=NearOptimal()))
        assert deadline.last_step == pytest.approx(AT_LEAST + MARGIN * 2 * times)


def test_there_is_time_for_more_rows_or_not():
    problem = problem_of(400, max_rows=100)
    record = trial(1, 0.8, upper=1.6)
    needed = AT_LEAST + MARGIN * 3 * 4  # four times as long as on the rows searched
    for spare, enough in ((-1.0, False), (1.0, True)):
        deadline = Deadline(time.monotonic() + needed + spare, problem, judged=False)
        deadline.note(record)
        assert deadline.has_time_for(problem.whole, record) == enough
    deadline.teacher_is_fitted()
    assert deadline.last_step == pytest.approx(AT_LEAST + MARGIN)


def test_time_is_kept_for_all_rows_where_it_is_a_quarter_at_most():
    """On four times the rows the teacher takes 4 * 2 s, the student 4 * 1 s in place of 1 s."""
    record, more = trial(1, 0.8, upper=1.6), MARGIN * (4 * 2 + 3 * 1)
    for spare, kept in ((-0.1, 0.0), (0.1, more)):
        at = time.monotonic() + 4 * (more + spare)
        deadline = Deadline(at, problem_of(400, max_rows=100), judged=False)
        deadline.note(record)
        assert deadline.for_all_rows == pytest.approx(more)
        assert left_by(deadline, at) == pytest.approx(deadline.last_step + kept, abs=0.05)
    deadline = Deadline(100.0, problem_of(100), judged=False)
    deadline.note(record)
    assert deadline.for_all_rows == 0


def test_fresh_rows_judge_models_on_all_rows():
    deadline = Deadline(100.0, problem_of(400, max_rows=100), judged=True, fresh=True)
    deadline.note(trial(0, 0.8))
    assert deadline.for_all_rows == pytest.approx(MARGIN * 3 * (1 + 1))


class Slow(ClassifierMixin, BaseEstimator):
    """A forest that takes a second for 1,000 rows."""

    def fit(self, X, y, sample_weight=None):
        time.sleep(len(X) / 1000)
        self.forest_ = RandomForestClassifier(5, random_state=0).fit(X, y, sample_weight)
        self.classes_ = self.forest_.classes_
        return self

    def predict_proba(self, X):
        return self.forest_.predict_proba(X)

    def predict(self, X):
        return self.forest_.predict(X)


search = searches(DecisionTreeClassifier(max_depth=2), Slow(), cv=3, crossfit_cv=2, intermediates=[], n_trials=200)


def test_without_time_the_student_is_fitted_on_the_rows_searched():
    fitted = search(max_rows=100, n_trials=4, tolerance=0, schemes=[HardLabels()], timeout=1e-6).fit(X, Y)
    assert len(fitted.results_) == 1  # every student is tried once
    assert fitted.best_estimator_.tree_.n_node_samples[0] == 100
    assert "best_estimator_ is fitted, like the models that are judged, on 100 of 400 rows" in str(fitted.verdict_)


def test_with_time_it_is_fitted_on_all_of_them():
    fitted = search(max_rows=100, n_trials=4, timeout=1000.0).fit(X, Y)
    assert len(fitted.results_) == 4
    assert fitted.best_estimator_.tree_.n_node_samples[0] == 400
    np.testing.assert_array_equal(fitted.results_["state"], COMPLETE)


def test_with_little_time_nothing_is_taught_and_no_teacher_is_fitted(tmp_path):
    """Two folds of the teacher take more than half a second each; there is time for a few plain trees."""
    fitted = search(timeout=1.5, portfolio="auto", n_trials=12, verdict="bbc").fit(X, Y)
    assert not hasattr(fitted, "teacher_")
    assert set(fitted.results_["hops"]) == {0}
    assert "teacher" not in fitted.verdict_.scores.index
    assert np.isnan(fitted.out_of_fold_.teacher).all()
    fitted.report(tmp_path / "page.html")
    assert clone(fitted).fit(X[:100], Y[:100]).best_estimator_


@pytest.mark.usefixtures("shipped_portfolio")
def test_with_a_timeout_paths_without_hops_come_first():
    hurried = search(timeout=1000.0, portfolio="auto", n_trials=None).set_up(X, Y).portfolio["student"]
    usual = search(portfolio="auto", n_trials=None).set_up(X, Y).portfolio["student"]
    assert set(hurried) == set(usual)
    hops = [len(path.hops) for path in hurried]
    assert hops == sorted(hops)
    assert hurried[0] == usual[0]
    assert [len(path.hops) for path in usual[:2]] == [0, 1]


@pytest.mark.parametrize("hops", [1, 2])
def test_a_path_that_was_taught_needs_the_teacher_whatever_the_time(hops):
    deadline = Deadline(0.0, problem_of(100), judged=False, teacher=9.0)
    assert not deadline.allows_teacher
    deadline.note(trial(hops, 0.1, upper=0.1))
    assert deadline.allows_teacher


def test_what_a_checkpoint_holds_takes_no_time(tmp_path):
    kept = search(n_trials=4, checkpoint=tmp_path).fit(X, Y)
    again = search(n_trials=4, checkpoint=tmp_path, timeout=0.01).fit(X, Y)
    assert kept.results_["hops"].max() > 0
    assert list(again.results_["path"]) == list(kept.results_["path"])


def test_to_cross_fit_a_teacher_takes_as_many_fits_as_parts_or_two_by_its_bags():
    forest, tree = RandomForestClassifier(30), DecisionTreeClassifier()
    problem = problem_of(100)  # two inner parts
    assert crossfit_fits(tree, problem) == crossfit_fits(forest, problem) == 2
    problem = make_problem(X, Y, sample_weight=None, groups=None, cv=5, crossfit_cv=4, scoring="auto", random_state=0)
    assert crossfit_fits(tree, problem) == crossfit_fits(RandomForestClassifier(29), problem) == 4
    assert crossfit_fits(forest, problem) == 2
    vote = VotingClassifier([("forest", forest), ("tree", tree)], voting="soft")
    assert crossfit_fits(vote, problem) == 3
