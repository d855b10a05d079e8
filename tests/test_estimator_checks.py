"""scikit-learn's own checks of an estimator; how many ran is printed at the end of the run (see conftest.py)."""

from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor
from multihop_search.search.base import MultihopSearch

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "inner folds and bootstraps are drawn by row, so a row repeated "
    "is cross-fitted otherwise than a row of weight 2; without cross-fitting the check holds"
}


def small_search(**settings: Any) -> MultihopSearchClassifier:
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(n_estimators=3),
        intermediates=[("tree", DecisionTreeClassifier(max_depth=5))],
        n_trials=3,  # without a hop, over one, over two
        cv=2,
        random_state=0,
        **{"crossfit_cv": 2, **settings},
    )


def small_regression(scoring: str) -> MultihopSearchRegressor:
    return MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=3),
        RandomForestRegressor(n_estimators=3),
        intermediates=[("tree", DecisionTreeRegressor(max_depth=5))],
        n_trials=3,  # without a hop, over one, over two
        cv=2,
        crossfit_cv=2,
        random_state=0,
        scoring=scoring,
    )


def expected_failures(estimator: MultihopSearch) -> dict[str, str]:
    return EXPECTED_FAILURES if estimator.crossfit_cv else {}


@pytest.mark.filterwarnings("ignore::multihop_search.errors.RareClassWarning")
# Rows of weight 0 make trees of scikit-learn 1.6 predict NaN: such trials fail, and the search says so.
@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
@pytest.mark.filterwarnings("ignore::multihop_search.errors.RetiredWarning")
@parametrize_with_checks(
    [small_search(), small_search(crossfit_cv=False), small_regression("auto"), small_regression("r2")],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check(estimator: object, check: object) -> None:
    check(estimator)
