"""`MultihopSearchRegressor`: the search for a simple regressor."""

from __future__ import annotations

from typing import ClassVar

from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from multihop_search.search.base import MultihopSearch


class MultihopSearchRegressor(RegressorMixin, MultihopSearch):  # type: ignore[misc]
    """Search for the path of hops that makes a simple regressor better, and say honestly by how much.

    Parameters and attributes are those of `MultihopSearchClassifier`, with regressors in place of classifiers, apart
    from these: there is no `classes_`; an integer `cv` is shuffled, not stratified; ``scoring="auto"`` is the squared
    error; `verdict_.scores` shows the root mean squared error and R2; ``schemes="auto"`` is `KnowledgeDistillation`,
    which mixes values, and `ModelCompression`: the schemes that weigh or label by class probabilities are refused.

    Parameters
    ----------
    student : regressor or list of (str, regressor)
        The simple model to deploy.
    teacher : "auto" or regressor, default="auto"
        The complex model.
    param_distributions, intermediates, schemes, tree_fits, portfolio, max_hops, n_trials, timeout, budget, cv, \
crossfit_cv, scoring, tolerance, verdict, sampler, pruner, n_ahead, callbacks, executor, n_jobs, random_state, verbose
        As in `MultihopSearchClassifier`.

    Raises
    ------
    InvalidSetting, InvalidData : ValueError
        If an argument or the rows cannot be used.
    UnsuitableModel : TypeError
        If a model lacks what its place needs, or a scheme does not serve regression.
    SearchFailed : RuntimeError
        If the plain student cannot be fitted, or no student is within the budget.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from multihop_search import MultihopSearchRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = MultihopSearchRegressor(
    ...     DecisionTreeRegressor(max_depth=2), RandomForestRegressor(30), n_trials=3, random_state=0
    ... ).fit(X, y)
    >>> type(search.best_estimator_).__name__, search.best_estimator_.get_depth()
    ('DecisionTreeRegressor', 2)
    >>> list(search.verdict_.scores.columns)
    ['score', 'rmse', 'r2']
    """

    score = MultihopSearch.score  # the mixin has one of its own
    _regression: ClassVar[bool] = True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = not (
            isinstance(self.scoring, str) and self.scoring == "r2"
        )  # else it is no R2
        return tags
