"""scikit-learn's own checks of an estimator; how many ran is printed at the end of the run (see conftest.py)."""

from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import (
    check_regressors_train,
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor, OwnFit

WITH_CROSS_FITTING = {
    "check_sample_weight_equivalence_on_dense_data": "inner folds and bootstraps are drawn by row, so a row repeated "
    "is cross-fitted otherwise than a row of weight 2; without cross-fitting the check holds"
}


def small_search(**settings: Any) -> MultihopSearchClassifier:
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(n_estimators=2),
        intermediates=[("tree", DecisionTreeClassifier(max_depth=5))],
        n_trials=3,  # without a hop, over one, over two
        cv=2,
        random_state=0,
        **{"crossfit_cv": 2, "tree_fits": [OwnFit()], **settings},
    )


def small_regression(scoring: str) -> MultihopSearchRegressor:
    return MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=3),
        RandomForestRegressor(n_estimators=2),
        intermediates=[("tree", DecisionTreeRegressor(max_depth=5))],
        n_trials=3,  # without a hop, over one, over two
        cv=2,
        crossfit_cv=2,
        tree_fits=[OwnFit()],
        random_state=0,
        scoring=scoring,
    )


pytestmark = [
    pytest.mark.filterwarnings("ignore::multihop_search.errors.RareClassWarning"),
    # Rows of weight 0 make trees of scikit-learn 1.6 predict NaN: such trials fail, and the search says so.
    pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning"),
    pytest.mark.filterwarnings("ignore::multihop_search.errors.RetiredWarning"),
]


@parametrize_with_checks(
    [small_search(), small_regression("auto")], expected_failed_checks=lambda _: WITH_CROSS_FITTING
)
def test_scikit_learn_check(estimator: object, check: object) -> None:
    check(estimator)


def test_without_cross_fitting_a_row_of_weight_2_is_two_rows() -> None:
    search = small_search(crossfit_cv=False, tree_fits="auto")
    check_sample_weight_equivalence_on_dense_data("MultihopSearchClassifier", search)


def test_a_regressor_that_scores_by_r2_scores_well() -> None:
    search = small_regression("r2")
    assert not search.__sklearn_tags__().regressor_tags.poor_score  # else the check would not look
    check_regressors_train("MultihopSearchRegressor", search)
