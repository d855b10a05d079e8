"""Callbacks of a search: what Optuna's own and those of users may expect, however they are given."""

import pickle

import numpy as np
import pytest
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from multihop_search import HardLabels, MultihopSearchClassifier, OwnFit

X, Y = make_classification(80, 4, random_state=0)


def search(callbacks, **settings):
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2),
        DecisionTreeClassifier(max_depth=5),
        intermediates=[],
        schemes=[HardLabels()],
        tree_fits=[OwnFit()],
        callbacks=callbacks,
        random_state=0,
        **{"n_trials": 9, "cv": 2, "max_hops": 1, "param_distributions": {"min_samples_leaf": list(range(1, 30))}}
        | settings,
    )


@pytest.mark.parametrize(
    ("states", "counted"),
    [
        (None, "COMPLETE PRUNED FAIL"),
        ((TrialState.COMPLETE,), "COMPLETE"),
        ((TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE), "COMPLETE PRUNED FAIL"),
    ],
)
@pytest.mark.parametrize("n_ahead", [1, 16])
def test_a_largest_number_of_trials_counts_those_that_were_told(states, counted, n_ahead):
    fitted = search([MaxTrialsCallback(5, states=states)], n_ahead=n_ahead).fit(X, Y)
    assert fitted.results_["state"].isin(counted.split()).sum() == 5
    assert len(fitted.study_.trials) == len(fitted.results_)


def test_states_that_never_come_end_nothing():
    fitted = search([MaxTrialsCallback(1, states=(TrialState.WAITING, TrialState.RUNNING))]).fit(X, Y)
    assert len(fitted.results_) == 9


def test_callbacks_see_the_told_trials_only():
    seen = []

    def look(study, trial):
        assert [one.number for one in study.trials] == list(range(trial.number + 1))
        assert all(one.state.is_finished() for one in study.trials)
        assert study.trials[trial.number].params == trial.params
        seen.append((trial.number, study.best_value))

    fitted = search([look]).fit(X, Y)
    values = [trial.value for trial in fitted.study_.trials]
    assert [number for number, _ in seen] == list(range(9))
    np.testing.assert_allclose([best for _, best in seen], np.maximum.accumulate(values))


def test_what_a_callback_writes_down_is_in_the_study():
    fitted = search([lambda study, trial: study.set_user_attr("last", trial.number)]).fit(X, Y)
    assert fitted.study_.user_attrs["last"] == 8
    stopped = search([lambda study, trial: (study.set_user_attr("last", trial.number), study.stop())]).fit(X, Y)
    assert stopped.study_.user_attrs["last"] == 0
    assert len(stopped.results_) == 1


def test_a_trial_that_a_callback_adds_is_none_of_the_search():
    def again(study, trial):
        study.enqueue_trial(trial.params)

    fitted = search([again]).fit(X, Y)
    without = search(None).fit(X, Y)
    assert fitted.results_["score"].equals(without.results_["score"])
    assert len(fitted.study_.trials) == 9


@pytest.mark.parametrize(
    "kind", [list, tuple, iter, lambda calls: (call for call in calls), lambda calls: dict.fromkeys(calls).keys()]
)
def test_callbacks_may_be_any_iterable(kind):
    told = []
    given = kind([lambda study, trial: told.append(trial.number)])
    tried = search(given, n_trials=3)
    tried.fit(X, Y)
    assert tried.get_params()["callbacks"] is given
    tried.fit(X, Y)  # a generator can be gone through only once
    assert told == [0, 1, 2, 0, 1, 2]


def count(study, trial):
    study.set_user_attr("n", trial.number + 1)


def test_a_search_with_a_generator_is_pickled_with_its_callbacks():
    fitted = search((call for call in [count]), n_trials=3).fit(X, Y)
    again = clone(pickle.loads(pickle.dumps(fitted)))
    assert again.fit(X, Y).study_.user_attrs["n"] == 3
