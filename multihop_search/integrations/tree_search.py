"""The search that stands for us among the learners of other tools: a decision tree, taught by a forest."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor


def tree_search(*, classification: bool, timeout: float | None, max_depth: int = 4, **settings: Any) -> Any:
    """Return an unfitted search for a tree of at most `max_depth` levels.

    A tool fits its learners dozens of times, so that the search is small: 9 trials in 3 folds, and a forest of 100
    trees as the teacher, whose out-of-bag rows cost no further fit.

    Parameters
    ----------
    classification : bool
        Whether the target is a class.
    timeout : float or None
        Seconds after which no further trial is begun.
    max_depth : int, default=4
        Levels of the tree.
    **settings
        Of the search: they replace what is said above.
    """
    settings = {"n_trials": 9, "cv": 3, "random_state": 0, "n_jobs": 1, "timeout": timeout, **settings}
    if classification:
        teacher = settings.pop("teacher", RandomForestClassifier(100, min_samples_leaf=2))
        return MultihopSearchClassifier(DecisionTreeClassifier(max_depth=max_depth), teacher, **settings)
    teacher = settings.pop("teacher", RandomForestRegressor(100, min_samples_leaf=2))
    return MultihopSearchRegressor(DecisionTreeRegressor(max_depth=max_depth), teacher, **settings)
