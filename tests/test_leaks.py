"""Leaks: models and folds by which rows that judge were learned from are named, and prove nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import HardLabels, MultihopSearchClassifier, NearOptimal, OwnFit, Scheme, TransferSet
from multihop_search.errors import SeenRowsWarning, UnsuitableModel
from multihop_search.problem.leaks import used_as_it_is

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = RNG.integers(2, size=150)
"""Pure noise: whatever beats plain here has seen the labels."""
SEEN = RandomForestClassifier(40, random_state=0).fit(X, Y)


def by_closure():
    model = SEEN
    return lambda rows: model.predict_proba(rows)


def by_global(rows):
    return SEEN.predict_proba(rows)


KEEPS_ITS_FIT = {
    "frozen": FrozenEstimator(SEEN),
    "vote": VotingClassifier([("seen", FrozenEstimator(SEEN)), ("line", LogisticRegression())], voting="soft"),
    "stack": StackingClassifier([("seen", FrozenEstimator(SEEN))], LogisticRegression()),
    "prefit stack": StackingClassifier([("seen", SEEN)], LogisticRegression(), cv="prefit"),
    "calibrated": CalibratedClassifierCV(FrozenEstimator(SEEN)),
    "selection": make_pipeline(SelectFromModel(SEEN, prefit=True), LogisticRegression()),
    "step": make_pipeline(FrozenEstimator(StandardScaler().fit(X)), LogisticRegression()),
    "method": make_pipeline(FunctionTransformer(SEEN.predict_proba), LogisticRegression()),
    "closure": make_pipeline(FunctionTransformer(by_closure()), LogisticRegression()),
    "global": make_pipeline(FunctionTransformer(by_global), LogisticRegression()),
}
LEARNS_ANEW = {
    "fitted": SEEN,
    "vote": VotingClassifier([("seen", SEEN), ("line", LogisticRegression())]).fit(X, Y),
    "pipeline": make_pipeline(StandardScaler(), Normalizer(), FunctionTransformer(np.arctan), LogisticRegression()).fit(
        X, Y
    ),
    "calibrated": CalibratedClassifierCV(LogisticRegression(), cv=2).fit(X, Y),
}


@pytest.mark.parametrize("name", KEEPS_ITS_FIT)
def test_a_model_that_keeps_its_fit_is_found_wherever_it_is(name):
    assert used_as_it_is(KEEPS_ITS_FIT[name])


@pytest.mark.parametrize("name", LEARNS_ANEW)
def test_a_fitted_model_that_is_cloned_has_seen_nothing(name):
    assert not used_as_it_is(LEARNS_ANEW[name])


def searched(teacher=None, n_trials=6, rows=(X, Y), groups=None, fresh=(None, None), **settings):
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(4, random_state=1) if teacher is None else teacher,
        n_trials=n_trials,
        random_state=0,
        **{"cv": 3, "crossfit_cv": 2, "max_hops": 1, "tree_fits": [OwnFit()], **settings},
    )
    return search.fit(*rows, groups=groups, X_fresh=fresh[0], y_fresh=fresh[1])


def assert_proves_nothing(search):
    verdict = search.verdict_
    told = verdict.table[verdict.table["gain"].ne(0) | verdict.table["low"].ne(verdict.table["high"])]
    assert not {"beats", "equivalent"} & set(told["verdict"])
    assert "all gains are optimistic" in str(verdict)
    assert "held-out rows of the search" not in str(verdict)


@pytest.mark.parametrize("last", [FrozenEstimator(SEEN), make_pipeline(StandardScaler(), FrozenEstimator(SEEN))])
def test_a_frozen_intermediate_is_refused(last):
    with pytest.raises(UnsuitableModel, match="'seen' must be a model that can be taught, it is frozen"):
        searched(intermediates=[("seen", last)], max_hops=2)


def test_an_intermediate_that_holds_a_frozen_model_is_named_and_proves_nothing():
    search = searched(intermediates=[("seen", KEEPS_ITS_FIT["method"])], max_hops=2, n_trials=6)
    assert_proves_nothing(search)
    assert "The intermediate 'seen' holds a model that is used as it is" in str(search.verdict_)


def test_a_frozen_teacher_proves_nothing_by_rows_that_it_may_have_seen_and_something_by_fresh_ones():
    search = searched(FrozenEstimator(SEEN))
    assert_proves_nothing(search)
    fresh = RNG.normal(size=(80, 4)), RNG.integers(2, size=80)
    assert "optimistic" not in str(searched(FrozenEstimator(SEEN), fresh=fresh).verdict_)


def test_a_frozen_part_of_the_student_is_named():
    student = make_pipeline(FunctionTransformer(SEEN.predict_proba), DecisionTreeClassifier(max_depth=2))
    search = MultihopSearchClassifier(
        student, RandomForestClassifier(10, random_state=1), n_trials=4, cv=3, max_hops=1, random_state=0
    ).fit(X, Y)
    assert_proves_nothing(search)
    assert "The student holds a model" in str(search.verdict_)


@dataclass(frozen=True)
class Advised(Scheme):
    """A user's scheme that asks a model of its own."""

    advisor: Any = None

    def transfer_set(self, outputs, y):
        return TransferSet(outputs.predictions, np.ones(len(y)))


@dataclass(frozen=True)
class AdvisedFit(NearOptimal):
    """A user's tree fit that asks a model of its own."""

    advisor: Any = None


def test_a_frozen_model_that_a_scheme_or_a_tree_fit_asks_is_named():
    frozen = FrozenEstimator(SEEN)
    fits = [AdvisedFit(advisor=frozen), AdvisedFit()]  # the second of its class asks nobody
    search = searched(schemes=[Advised(frozen), Advised()], tree_fits=fits, intermediates=[], n_trials=2)
    assert_proves_nothing(search)
    for holder in ("the scheme Advised", "the tree fit AdvisedFit"):
        assert f"{holder[0].upper()}{holder[1:]} holds a model that is used as it is" in str(search.verdict_)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_a_frozen_model_that_the_student_may_draw_is_named():
    student = make_pipeline(FunctionTransformer(), DecisionTreeClassifier(max_depth=2))
    drawn = CategoricalDistribution([None, SEEN.predict_proba])
    search = MultihopSearchClassifier(
        student, RandomForestClassifier(10), param_distributions={"functiontransformer__func": drawn},
        intermediates=[], schemes=[HardLabels()], n_trials=2, cv=3, max_hops=1, random_state=0,
    ).fit(X, Y)  # fmt: skip
    assert "The student holds a model that is used as it is" in str(search.verdict_)


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_rows_that_are_trained_on_and_held_out_are_counted(share):
    rows = np.arange(150)
    folds = [
        (np.union1d(rows[rows % 3 != part], rows[: int(share * 150)]), rows[rows % 3 == part]) for part in range(3)
    ]
    with pytest.warns(SeenRowsWarning, match=f"{int(share * 150)} of 150 held-out rows were also trained on"):
        search = searched(cv=folds)
    assert_proves_nothing(search)


def test_groups_that_straddle_folds_of_the_users_own_are_named():
    groups = np.arange(150) // 3
    rows = np.arange(150)
    folds = [(rows[rows % 3 != part], rows[rows % 3 == part]) for part in range(3)]
    with pytest.warns(SeenRowsWarning, match="in 3 of 3 folds held-out rows share a group"):
        search = searched(cv=folds, groups=groups)
    assert_proves_nothing(search)


@pytest.mark.parametrize("cv", [GroupKFold(3), TimeSeriesSplit(3), 3])
def test_folds_that_hold_out_what_they_do_not_train_on_are_no_leak(cv):
    groups = None if isinstance(cv, TimeSeriesSplit) else np.arange(150) // 3
    verdict = searched(cv=cv, groups=groups).verdict_
    assert verdict.leaks == ()
    assert "optimistic" not in str(verdict)


@pytest.mark.parametrize("frame", [np.asarray, lambda rows: pd.DataFrame(rows, columns=list("abcd"))])
def test_fresh_rows_that_the_search_was_given_are_no_fresh_rows(frame):
    again = np.concatenate([X[:40], RNG.normal(size=(60, 4))]), np.concatenate([Y[:40], RNG.integers(2, size=60)])
    search = searched(rows=(frame(X), Y), fresh=(frame(again[0]), again[1]))
    assert_proves_nothing(search)
    assert "40 of the 100 fresh rows equal rows that the search was given" in str(search.verdict_)


def test_fresh_rows_may_equal_others_where_rows_equal_each_other_anyway():
    few = RNG.integers(2, size=(200, 3)).astype(float)
    labels = RNG.integers(2, size=200)
    assert searched(rows=(few[:100], labels[:100]), fresh=(few[100:], labels[100:])).verdict_.leaks == ()
