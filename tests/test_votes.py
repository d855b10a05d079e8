"""A soft vote as the teacher: what it says of held-out rows is the mean of what its members say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import ModelCompression, MultihopSearchClassifier, MultihopSearchRegressor
from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.upper_model import mean_outputs
from multihop_search.models.complexity import complexity
from multihop_search.paths.pool import VOTE, default_teachers, teachers
from multihop_search.transfer.calibration import calibrating_temperature
from multihop_search.transfer.transfer_set import TeacherOutputs

pytestmark = pytest.mark.once

X, Y = make_classification(200, 6, n_informative=4, n_classes=3, n_clusters_per_class=1, flip_y=0.1, random_state=0)
FOREST, BAYES, LINE = RandomForestClassifier(40, random_state=0), GaussianNB(), LogisticRegression()


def outputs_of(teacher, number=0, labels=Y, search=MultihopSearchClassifier, student=None, **more):
    made = search(
        DecisionTreeClassifier(max_depth=2) if student is None else student,
        teacher,
        intermediates=[],
        cv=3,
        random_state=0,
        **{"schemes": [ModelCompression(multiple=1)], **more},
    ).set_up(X, labels)
    return made.problem, crossfit(made.problem, made.ladder, number, ())


@pytest.mark.parametrize("number", [0, -1])
def test_a_vote_says_the_mean_of_what_its_members_say(number):
    problem, vote = outputs_of(VotingClassifier([("forest", FOREST), ("bayes", BAYES)], voting="soft"), number)
    alone = [outputs_of(member, number)[1] for member in (FOREST, BAYES)]  # the forest by its out-of-bag rows
    assert_allclose(vote.predictions, (alone[0].predictions + alone[1].predictions) / 2, rtol=1e-6)
    for name, of in vote.synthetic.items():
        parts = [outputs.synthetic[name].predictions for outputs in alone]
        assert_allclose(of.predictions, (parts[0] + parts[1]) / 2, rtol=1e-6)
        assert of.temperature == vote.temperature
    assert set(vote.synthetic) == {"munge"}
    assert vote.temperature == calibrating_temperature(vote.predictions, Y[problem.fold(number).train])


def test_a_member_that_was_dropped_says_nothing():
    voters = [("forest", "drop"), ("bayes", BAYES)]
    vote, alone = outputs_of(VotingClassifier(voters, voting="soft"))[1], outputs_of(BAYES)[1]
    assert_allclose(vote.predictions, alone.predictions, rtol=1e-6)


@pytest.mark.parametrize("weights", [None, [3, 1]])
def test_any_vote_says_what_it_says_when_it_is_fitted_on_the_other_parts(weights):
    teacher = VotingClassifier([("line", LINE), ("bayes", BAYES)], voting="soft", weights=weights)
    problem, found = outputs_of(teacher)
    fold = problem.fold(0)
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(fold.train)), part)
        fitted = teacher.fit(X[fold.train[rest]], Y[fold.train[rest]])
        assert_allclose(found.predictions[part], fitted.predict_proba(X[fold.train[part]]), atol=1e-5)


def test_values_are_voted_on_too():
    members = [("forest", RandomForestRegressor(40, random_state=0)), ("line", Ridge())]
    settings = {"labels": X[:, 0] ** 2 + X[:, 1], "search": MultihopSearchRegressor, "schemes": "auto"}
    student = DecisionTreeRegressor(max_depth=2)
    vote = outputs_of(VotingRegressor(members), student=student, **settings)[1]
    alone = [outputs_of(member, student=student, **settings)[1].predictions for _, member in members]
    assert_allclose(vote.predictions, (alone[0] + alone[1]) / 2, rtol=1e-5)


def test_the_mean_of_outputs_by_hand():
    one = TeacherOutputs(np.array([[0.8, 0.2]]), synthetic={"munge": TeacherOutputs(np.array([[1.0, 0.0]]))})
    other = TeacherOutputs(np.array([[0.4, 0.6]]), synthetic={"munge": TeacherOutputs(np.array([[0.0, 1.0]]))})
    mean = mean_outputs([one, other])
    assert_allclose(mean.predictions, [[0.6, 0.4]], rtol=1e-6)
    assert_allclose(mean.synthetic["munge"].predictions, [[0.5, 0.5]])
    assert mean.temperature == 1.0


def test_a_vote_is_as_complex_as_its_members_together():
    vote = VotingClassifier([("forest", FOREST), ("tree", DecisionTreeClassifier(random_state=0))], voting="soft")
    vote.fit(X, Y)
    assert complexity(vote) == sum(map(complexity, vote.estimators_))
    assert complexity(vote) > complexity(vote.estimators_[0]) > 1000
    values, target = load_diabetes(return_X_y=True)
    numbers = VotingRegressor([("line", Ridge()), ("tree", DecisionTreeRegressor(max_depth=2))]).fit(values, target)
    assert complexity(numbers) == 10 + 7


def test_the_default_teacher_is_the_vote_of_a_forest_and_a_booster_up_to_ten_classes():
    for regression in (False, True):
        assert [name for name, _ in teachers(regression=regression)[VOTE].estimators] == ["forest", "boosting"]
    for n_outputs, first in ((1, VOTE), (2, VOTE), (10, VOTE), (11, "forest")):
        assert next(iter(default_teachers(X, n_outputs))) == first
