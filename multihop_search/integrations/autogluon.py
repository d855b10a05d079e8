"""AutoGluon: its bagged out-of-fold predictions as a teacher, and a search of ours as one of its models."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from multihop_search.errors import UnsuitableModel
from multihop_search.integrations.as_it_is import AsItIs
from multihop_search.integrations.predictions import from_predictions
from multihop_search.integrations.tools import needed
from multihop_search.integrations.tree_search import tree_search

tabular = needed("autogluon.tabular", "autogluon")
models = needed("autogluon.core.models", "autogluon")
TASKS = ("binary", "multiclass", "regression")


def from_autogluon(predictor: Any, *, X_unlabeled: Any = None) -> Any:
    """Return a fitted `TabularPredictor` as a teacher.

    Where it was fitted with bagging (``num_bag_folds``, or presets from "good_quality" up) its out-of-fold predictions
    are taken, as by `from_predictions`, with the labels that they belong to: `fit` needs the very rows of
    ``predictor.fit``, in their order, without the column of labels, and says so otherwise. Nothing of AutoGluon is
    needed after this call. Without bagging the predictor is used as it is, and the verdict says so: it may have seen
    the rows that judge; each prediction then loads its models from their folder unless ``predictor.persist()`` was
    called.

    Parameters
    ----------
    predictor : autogluon.tabular.TabularPredictor
        Fitted for classification or regression.
    X_unlabeled : DataFrame of shape (n_unlabeled, n_features) or None, default=None
        Rows that will be given to `fit` as `X_unlabeled`, predicted now by a predictor with bagging.

    Returns
    -------
    GivenPredictions or FrozenEstimator
        For ``MultihopSearchClassifier(student, teacher=from_autogluon(predictor))``.

    Raises
    ------
    UnsuitableModel
        If it is no predictor, not fitted, or fitted for another kind of task.
    """
    if not isinstance(predictor, tabular.TabularPredictor):
        raise UnsuitableModel(
            f"from_autogluon needs a TabularPredictor, got {type(predictor).__name__}: pass that (TabularClassifier "
            "loses the names of columns)."
        )
    if not predictor.is_fit:
        raise UnsuitableModel("from_autogluon needs a fitted predictor, this one is not: call predictor.fit first.")
    if predictor.problem_type not in TASKS:
        raise UnsuitableModel(
            f"from_autogluon needs one of the tasks {', '.join(TASKS)}, got {predictor.problem_type}: use "
            "from_predictions."
        )
    regression = predictor.problem_type == "regression"
    classes = None if regression else np.asarray(predictor.class_labels)
    ask = predictor.predict if regression else predictor.predict_proba
    oof = _out_of_fold(predictor, regression=regression)
    if oof is None:
        return FrozenEstimator(AsItIs(ask, classes=classes, columns=list(predictor.original_features)))
    more = None if X_unlabeled is None else ask(X_unlabeled)
    return from_predictions(oof, classes=classes, unlabeled=more, y=_labels(predictor, oof))


def _out_of_fold(predictor: Any, *, regression: bool) -> Any:
    """Return the out-of-fold predictions of a predictor with bagging, else None."""
    try:
        return predictor.predict_oof() if regression else predictor.predict_proba_oof()
    except AssertionError:  # no bagging, or its best model has none
        return None


def _labels(predictor: Any, oof: Any) -> Any:
    """Return the labels of the rows of `oof`, None where the predictor did not keep its data."""
    try:
        inside = predictor.load_data_internal(data="train", return_X=False)[1]
    except FileNotFoundError:  # `save_space`
        return None
    inside = inside[~inside.index.duplicated(keep="first")].reindex(oof.index)
    return predictor.transform_labels(inside, inverse=True).to_numpy()


class AutogluonModel(models.AbstractModel):  # type: ignore[name-defined,misc]
    """A search of ours as a model of AutoGluon: ``hyperparameters={AutogluonModel: {"max_depth": 4}}``.

    Its fit is a search of ours for a decision tree, in AutoGluon's time; what it keeps is the plain tree, and in
    `verdict` the two sentences. Override `search` in a subclass, at module level, for another student or teacher.
    Categories become codes; trees take missing values as they are.

    Examples
    --------
    ::

        predictor.fit(train, hyperparameters={"GBM": {}, AutogluonModel: {"max_depth": 4, "n_trials": 12}})
        predictor.leaderboard()
    """

    ag_key = "MULTIHOP"
    ag_name = "Multihop"
    ag_priority = 50
    seed_name = "random_state"
    _supported_problem_types = TASKS

    def search(self, *, classification: bool, timeout: float | None, **params: Any) -> Any:
        """Return the unfitted search of one fit, `params` being the hyperparameters; see `tree_search`."""
        return tree_search(classification=classification, timeout=timeout, **params)

    def _preprocess(self, X: Any, **kwargs: Any) -> np.ndarray:
        rows = super()._preprocess(X, **kwargs).copy()
        for column in rows.select_dtypes("category").columns:
            rows[column] = rows[column].cat.codes
        return np.asarray(rows.to_numpy(dtype=np.float64))

    def _fit(self, X: Any, y: Any, time_limit: float | None = None, sample_weight: Any = None, **kwargs: Any) -> None:
        rows = self.preprocess(X, y=y, is_train=True)
        classification = self.problem_type != "regression"
        search = self.search(classification=classification, timeout=time_limit, **self._get_model_params())
        search.fit(rows, np.asarray(y), sample_weight=None if sample_weight is None else np.asarray(sample_weight))
        self.model, self.verdict = search.best_estimator_, str(search.verdict_)


__all__ = ["AutogluonModel", "from_autogluon"]
