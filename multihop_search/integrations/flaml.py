"""FLAML: what it found as a teacher, and a search of ours as one of its learners."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from multihop_search.errors import UnsuitableModel
from multihop_search.integrations.as_it_is import AsItIs, tags_of
from multihop_search.integrations.tools import needed
from multihop_search.integrations.tree_search import tree_search
from multihop_search.models.complexity import complexity
from multihop_search.problem.labels import in_order

flaml = needed("flaml.automl", "flaml")
models = needed("flaml.automl.model", "flaml")
TASKS = ("binary", "multiclass", "regression")


def from_flaml(automl: Any) -> Any:
    """Return what a fitted `flaml.AutoML` found as a teacher.

    The learner and its configuration are taken over as they were found, and a clone is fitted in each fold through
    FLAML's own preprocessing: honest out-of-fold outputs, as of any estimator. (The configuration itself was chosen by
    FLAML with these rows in view.) An ensemble (``ensemble=True``) is used as it is, and the verdict says so: it may
    have seen the rows that judge.

    Parameters
    ----------
    automl : flaml.AutoML
        Fitted for classification or regression.

    Returns
    -------
    FlamlModel or FrozenEstimator
        For ``MultihopSearchClassifier(student, teacher=from_flaml(automl))``.

    Raises
    ------
    UnsuitableModel
        If it is no AutoML object, not fitted, or fitted for another kind of task.
    """
    if not isinstance(automl, flaml.AutoML):
        raise UnsuitableModel(
            f"from_flaml needs a flaml.AutoML object, got {type(automl).__name__}: pass the outer one."
        )
    if automl.model is None or getattr(automl.model, "model", None) is None:
        raise UnsuitableModel("from_flaml needs a fitted AutoML object, this one is not: call automl.fit first.")
    task = automl._state.task.name
    if task not in TASKS:
        raise UnsuitableModel(
            f"from_flaml needs one of the tasks {', '.join(TASKS)}, got {task}: use from_predictions."
        )
    classes = None if task == "regression" else np.asarray(automl.classes_)
    learner = automl._state.learner_classes.get(automl.best_estimator)
    columns = _columns(automl)
    if not isinstance(automl.model, models.BaseEstimator) or not isinstance(automl.model, learner):
        asked = automl.predict if classes is None else automl.predict_proba
        return FrozenEstimator(AsItIs(asked, classes=classes, columns=columns))
    config = {name: _plain(value) for name, value in automl.best_config.items() if name != "FLAML_sample_size"}
    return FlamlModel(learner, config, task, classes=classes, columns=columns, transform=bool(automl._transformer))


class FlamlModel(BaseEstimator):  # type: ignore[misc]
    """A learner of FLAML with a configuration, fitted through FLAML's own preprocessing; made by `from_flaml`.

    Parameters
    ----------
    learner : type
        Subclass of `flaml.automl.model.BaseEstimator`; at module level.
    config : dict
        Its configuration, as ``automl.best_config``.
    task : {"binary", "multiclass", "regression"}
    classes : ndarray of shape (n_classes,) or None, default=None
        Labels that AutoML knew; None in regression.
    columns : list or None, default=None
        Columns that AutoML used of a DataFrame.
    transform : bool, default=True
        Whether AutoML preprocessed the rows.
    n_jobs : int, default=1
        Threads of a fit.
    """

    def __init__(
        self,
        learner: Any,
        config: Any,
        task: str,
        *,
        classes: Any = None,
        columns: Any = None,
        transform: bool = True,
        n_jobs: int | None = 1,
    ) -> None:
        self.learner = learner
        self.config = config
        self.task = task
        self.classes = classes
        self.columns = columns
        self.transform = transform
        self.n_jobs = n_jobs

    @property
    def _classifies(self) -> bool:
        return self.task != "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the found configuration on X, (n_rows, n_features), and y, (n_rows,)."""
        self._check(X, y)
        task = needed("flaml.automl.task.factory", "flaml").task_factory(self.task)
        self.transformer_ = None
        codes = np.asarray(y)
        if self.transform:
            self.transformer_ = needed("flaml.automl.data", "flaml").DataTransformer()
            X, codes = self.transformer_.fit_transform(X, codes, task)
            if self._classifies:
                self.classes_ = self.transformer_.label_transformer.classes_
        elif self._classifies:
            self.classes_, codes = np.unique(codes, return_inverse=True)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.model_ = self.learner(task=task, n_jobs=self.n_jobs, **self.config)
        self.model_.fit(X, codes, is_retrain=True, **weight)
        return self

    def _check(self, X: Any, y: Any) -> None:
        if self.columns is not None:
            present = set(X.columns) if hasattr(X, "iloc") else set()
            lacking = [name for name in self.columns if name not in present]
            if lacking:
                raise UnsuitableModel(
                    f"the teacher must be given the columns that FLAML was fitted on, X has no {lacking[0]!r}: pass "
                    "the same table."
                )
        if self.classes is not None:
            unknown = np.setdiff1d(np.asarray(y), np.asarray(self.classes))
            if len(unknown):
                raise UnsuitableModel(
                    f"the teacher must know every label of y, FLAML did not meet {unknown.tolist()[0]!r}: fit AutoML "
                    "on the same classes."
                )

    def _prepared(self, X: Any) -> Any:
        return X if self.transformer_ is None else self.transformer_.transform(X)

    @available_if(lambda self: self._classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, (n_rows, n_classes)."""
        return in_order(self.model_.predict_proba(self._prepared(X)), self.classes_)

    def predict(self, X: Any) -> np.ndarray:
        """Return labels or values, (n_rows,)."""
        if self._classifies:
            return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
        return np.asarray(self.model_.predict(self._prepared(X)))

    def measured_complexity(self) -> float:
        """Return the complexity of the model inside."""
        return complexity(self.model_.estimator)

    def __sklearn_tags__(self) -> Tags:
        return tags_of(super().__sklearn_tags__(), classifier=self._classifies)


def _columns(automl: Any) -> list[Any] | None:
    """Return the columns of the DataFrame that AutoML used, None where it was given an array."""
    transformer = automl._transformer
    if not transformer or not hasattr(transformer, "_num_columns"):
        return None
    wanted = [*transformer._cat_columns, *transformer._num_columns]
    present = {
        f"{part}_{column}"
        for column in transformer._datetime_columns
        for part in ("year", "month", "day", "hour", "minute", "second", "dayofweek", "dayofyear", "quarter")
    }
    return [column for column in wanted if column not in present]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


class FlamlLearner(models.SKLearnEstimator):  # type: ignore[name-defined,misc]
    """A search of ours as a learner of FLAML: ``automl.add_learner("multihop", FlamlLearner)``.

    FLAML searches the size of the student, a decision tree, and each of its fits is a search of ours within FLAML's
    time. Override `search` in a subclass, at module level, for another student or teacher.

    Examples
    --------
    ::

        automl.add_learner("multihop", FlamlLearner)
        automl.fit(X, y, task="classification", estimator_list=["lgbm", "multihop"], time_budget=60)
        automl.best_model_for_estimator("multihop").estimator.best_estimator_   # a plain tree
    """

    @classmethod
    def search_space(cls, data_size: Any, task: Any, **params: Any) -> dict[str, Any]:
        """Return the depths of the tree that FLAML searches."""
        tune = needed("flaml.tune", "flaml")
        return {"max_depth": {"domain": tune.randint(2, 9), "init_value": 4, "low_cost_init_value": 2}}

    def config2params(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters without those that FLAML adds for every learner."""
        params: dict[str, Any] = super().config2params(config)
        return {name: value for name, value in params.items() if name != "n_jobs"}

    def search(self, *, classification: bool, timeout: float | None, **params: Any) -> Any:
        """Return the unfitted search of one fit; see `tree_search`."""
        return tree_search(classification=classification, timeout=timeout, **params)

    def fit(
        self, X_train: Any, y_train: Any, budget: float | None = None, free_mem_ratio: float = 0, **kwargs: Any
    ) -> Any:
        """Run one search of ours in at most `budget` seconds of trials; return the seconds that it took."""
        timeout = budget if budget is not None and budget > 0 else None
        classification = bool(self._task.is_classification())

        self.estimator_class: Any = partial(self.search, classification=classification, timeout=timeout)
        try:
            return super().fit(X_train, np.asarray(y_train), None, free_mem_ratio, **kwargs)
        finally:
            self.estimator_class = None  # it holds this object


__all__ = ["FlamlLearner", "FlamlModel", "from_flaml"]
