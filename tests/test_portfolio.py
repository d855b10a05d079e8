"""The portfolio: paths that are tried first."""

from dataclasses import dataclass

import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor, PathObjective, Scheme
from multihop_search.errors import FailedTrialsWarning, InvalidSetting, UnservedSchemeWarning
from multihop_search.paths.portfolio import entries_for, learned

pytestmark = pytest.mark.once

pytestmark = pytest.mark.usefixtures("shipped_portfolio")

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


def test_of_what_was_learned_plain_one_hop_and_several_take_turns(wine):
    setup = search_of(DecisionTreeClassifier(max_depth=4), n_trials=None).set_up(*wine)
    hops = [min(len(path.hops), 2) for path in setup.portfolio["student"]]
    assert hops[:2] == [0, 1]
    assert setup.portfolio["student"][0] == setup.space.default("student")
    rounds = [hops[place : place + 2] for place in range(len(hops) - 1)]
    plain_in_a_row = max(place for place, pair in enumerate(rounds) if pair == [0, 0])
    assert 1 not in hops[plain_in_a_row:]  # plain ones stand together once no other is left


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
    none = search_of(portfolio=None, n_trials=4).fit(*wine).paths_
    assert [len(path.hops) for path in none] == [0, 1, 2, 0]
    student = GaussianNB()
    auto, none = (search_of(student, portfolio=of, n_trials=4).fit(*wine).paths_ for of in ("auto", None))
    assert auto == none  # of a family that nothing is known of


KNOWN = [
    (task, family, one.get("max_depth"), one["entries"])
    for task, families in learned().items()
    for family, lists in families.items()
    for one in lists
]


@pytest.mark.usefixtures("small_teachers")
@pytest.mark.parametrize(("task", "family", "depth", "entries"), KNOWN)
def test_the_search_of_every_known_family_holds_what_was_learned_for_it(task, family, depth, entries, wine):
    regression = task == "regression"
    tree = DecisionTreeRegressor if regression else DecisionTreeClassifier
    students = {
        "DecisionTree": lambda: tree(max_depth=depth),
        "Linear": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "LightGBM": lambda: pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=10, verbose=-1),
    }
    search = (MultihopSearchRegressor if regression else MultihopSearchClassifier)(students[family](), random_state=0)
    setup = search.set_up(*(load_diabetes(return_X_y=True) if regression else wine))
    first, *paths = setup.portfolio["student"]
    assert first == setup.space.default("student")
    lower = sorted(entry["n_hops"] for entry in entries if entry["n_hops"] < 2)  # others hang on the intermediates
    hops = sorted(len(path.hops) for path in paths if len(path.hops) < 2)
    assert hops in (lower, lower[1:])  # one may be as it was set
    assert {0, 1, 2} == {min(entry["n_hops"], 2) for entry in entries}
    assert setup.n_trials(None) == len(paths) + 1
    assert setup.n_trials(7) == 7


def test_of_trees_the_entries_for_the_nearest_depth_are_taken():
    of_depth = {one["max_depth"]: one["entries"] for one in learned()["classification"]["DecisionTree"]}
    for depth, nearest in ((1, 4), (4, 4), (6, 6), (12, 6), (None, 6)):
        student = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=depth))
        assert entries_for(student, regression=False) == of_depth[nearest]


def test_where_the_settings_leave_no_known_path_of_some_kind_further_trials_follow(wine):
    usual = search_of(n_trials=None)
    assert usual.set_up(*wine).n_trials(None) == len(usual.set_up(*wine).portfolio["student"])
    plain = search_of(n_trials=None, max_hops=0).set_up(*wine)
    assert plain.n_trials(None) == len(plain.portfolio["student"])
    own = search_of(n_trials=None, schemes=[Broken()]).set_up(*wine)  # nothing is known of this scheme
    assert own.n_trials(None) == len(own.portfolio["student"]) + 30
    assert not any(path.hops for path in own.portfolio["student"])


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


def test_each_student_has_its_own_trials_and_no_more(wine):
    trees = [("short", DecisionTreeClassifier(max_depth=2)), ("long", DecisionTreeClassifier(max_depth=3))]
    portfolio = {"short": [PLAIN, TAUGHT], "long": [PLAIN, {**PLAIN, "min_samples_leaf": 9}, TAUGHT, {"n_hops": 0}]}
    results = search_of(trees, portfolio=portfolio, n_trials=None).fit(*wine).results_
    assert list(results["student"]) == ["short", "long"] * 2 + ["long"] * 2
    assert list(results["hops"]) == [0, 0, 1, 0, 1, 0]
