"""scikit-learn's own checks of an estimator; how many ran is printed at the end of the run (see conftest.py)."""

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from multihop_search import MultihopSearchClassifier

EXPECTED_FAILURES: dict[str, str] = {}


def small_search() -> MultihopSearchClassifier:
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(n_estimators=5),
        intermediates=[("tree", DecisionTreeClassifier(max_depth=5))],
        n_trials=6,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    )


@pytest.mark.filterwarnings("ignore::multihop_search.errors.RareClassWarning")
# Rows of weight 0 make trees of scikit-learn 1.6 predict NaN: such trials fail, and the search says so.
@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
@parametrize_with_checks([small_search()], expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_scikit_learn_check(estimator: object, check: object) -> None:
    check(estimator)
