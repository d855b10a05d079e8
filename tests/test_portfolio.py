"""The portfolio: paths that are tried first."""

from dataclasses import dataclass

import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor, PathObjective, Scheme
from multihop_search.errors import FailedTrialsWarning, InvalidSetting, UnservedSchemeWarning

pytestmark = pytest.mark.once

PLAIN = {"n_hops": 0, "fit": "NearOptimal+shrinkage", "min_samples_leaf": 7}
TAUGHT = {"n_hops": 1, "scheme": "SRatio", "fit": "OwnFit", "criterion": "entropy", "ModelCompression.multiple": 5}
TWICE = {"n_hops": 2, "upper_1": "deep <- KnowledgeDistillation(alpha=0.5, temperature=1)"}


def search_of(student=None, **settings):
    settings = {"n_trials": 3, "cv": 2, "crossfit_cv": 2, "random_state": 0, **settings}
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2) if student is None else student,
        DecisionTreeClassifier(max_depth=6),
        intermediates=[("deep", DecisionTreeClassifier(max_depth=5))],
        **settings,
    )


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def test_the_first_trials_are_the_portfolio_in_its_order(wine):
    search = search_of(portfolio=[TAUGHT, PLAIN, TWICE], n_trials=5).fit(*wine)
    first, second, third, *others = search.paths_
    assert (len(first.hops), type(first.hops[0].scheme).__name__, first.hops[0].compression.multiple) == (
        1,
        "SRatio",
        5,
    )
    assert (first.fit, dict(first.params)["criterion"]) == (None, "entropy")
    assert (second.hops, type(second.fit).__name__) == ((), "NearOptimal")
    assert dict(second.params)["min_samples_leaf"] == 7
    assert [hop.model for hop in third.hops] == ["deep", "student"]
    assert len({first, second, third, *others}) == 5  # then paths are drawn
    assert [len(path.hops) for path in others] == [0, 1]


def test_what_an_entry_does_not_name_is_as_the_user_set_it(wine):
    student = DecisionTreeClassifier(max_depth=2, min_samples_leaf=4)
    search = search_of(student, portfolio=[{"n_hops": 0}], n_trials=1).fit(*wine)
    assert dict(search.paths_[0].params)["min_samples_leaf"] == 4


def test_each_student_has_a_portfolio_and_takes_its_turn(wine):
    students = [
        ("tree", DecisionTreeClassifier(max_depth=2)),
        ("lr", make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    portfolio = {"tree": [PLAIN], "lr": [{"n_hops": 0, "C": 1.0}, {"n_hops": 1, "scheme": "ConfWeight"}]}
    search = search_of(students, portfolio=portfolio, n_trials=2).fit(*wine)
    assert [path.student for path in search.paths_] == ["tree", "lr", "tree", "lr"]
    assert dict(search.paths_[1].params)["logisticregression__C"] == 1.0
    assert type(search.paths_[3].hops[0].scheme).__name__ == "ConfWeight"


def test_paths_that_are_equal_are_tried_once(wine):
    search = search_of(portfolio=[PLAIN, dict(PLAIN), TAUGHT]).fit(*wine)
    assert [len(path.hops) for path in search.paths_[:2]] == [0, 1]


def test_values_to_predict_have_a_portfolio_too():
    X, y = load_diabetes(return_X_y=True)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2),
        DecisionTreeRegressor(max_depth=6),
        portfolio=[PLAIN],
        max_hops=0,
        n_trials=1,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert type(search.best_path_.fit).__name__ == "NearOptimal"


def test_without_a_portfolio_the_first_trials_are_the_student_as_it_was_set(wine):
    auto, none = (search_of(portfolio=portfolio, n_trials=4).fit(*wine).paths_ for portfolio in ("auto", None))
    assert auto == none
    assert [len(path.hops) for path in none] == [0, 1, 2, 0]


@dataclass(frozen=True)
class Broken(Scheme):
    """A scheme that never works."""

    def transfer_set(self, outputs, y):
        raise ValueError("it never works")


def test_a_first_entry_that_fails_costs_its_trial_only(wine):
    broken = {"n_hops": 1, "scheme": "Broken"}
    with pytest.warns(FailedTrialsWarning, match="it never works"):
        search = search_of(schemes=[Broken()], portfolio=[broken, PLAIN], n_trials=2, max_hops=1).fit(*wine)
    assert list(search.results_["state"]) == ["FAIL", "COMPLETE"]


def test_an_entry_whose_intermediate_there_is_not_is_left_out_with_a_warning(wine):
    other = {"n_hops": 2, "upper_1": "forest <- ConfWeight"}
    with pytest.warns(UnservedSchemeWarning, match="portfolio left out: 1, .* as in 'forest <- ConfWeight'"):
        search = search_of(portfolio=[other, PLAIN], n_trials=1).fit(*wine)
    assert dict(search.best_path_.params)["min_samples_leaf"] == 7


@pytest.mark.parametrize(
    ("portfolio", "sentence"),
    [
        ("best", "portfolio must be 'auto'"),
        ([{"scheme": "SRatio"}], "each hold 'n_hops'"),
        ({"student": {"n_hops": 0}}, "portfolio must be 'auto'"),
        ({"other": [PLAIN]}, "portfolio must name students of the search, student, got 'other'"),
        ([{"n_hops": 0, "min_samples_leaf": 0}], "can have, got min_samples_leaf=0"),
        ([{"n_hops": 9}], "can have, got n_hops=9"),
        ([{"n_hops": 0, "colour": "red"}], "can have, got colour='red'"),
    ],
)
def test_a_portfolio_that_cannot_be_one_is_refused_in_a_sentence(portfolio, sentence, wine):
    with pytest.raises(InvalidSetting, match=sentence):
        PathObjective(search_of(portfolio=portfolio), *wine)
