"""TPOT: the pipeline that it found as a teacher."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from multihop_search.errors import UnsuitableModel
from multihop_search.integrations.tools import needed


def from_tpot(estimator: Any) -> Any:
    """Return the pipeline that a fitted `TPOTClassifier`, `TPOTRegressor` or `TPOTEstimator` found as a teacher.

    It is the `fitted_pipeline_`, unfitted: a clone is fitted in each fold, so that its outputs are honest out-of-fold
    ones, as of any estimator. (The pipeline itself was chosen by TPOT with these rows in view.)

    Parameters
    ----------
    estimator : TPOTEstimator
        Fitted. What it found has to be a Pipeline of scikit-learn, or a graph with `fit` and `predict_proba`.

    Returns
    -------
    estimator
        For ``MultihopSearchClassifier(student, teacher=from_tpot(estimator))``.

    Raises
    ------
    UnsuitableModel
        If it is none of TPOT's estimators, or not fitted.
    """
    tpot = needed("tpot", "tpot")
    kinds = (tpot.TPOTEstimator, tpot.TPOTEstimatorSteadyState)
    if not isinstance(estimator, kinds):
        raise UnsuitableModel(
            f"from_tpot needs an estimator of TPOT, got {type(estimator).__name__}: pass the outer one."
        )
    try:
        pipeline = getattr(estimator, "fitted_pipeline_", None)
    except NotFittedError:
        pipeline = None
    if pipeline is None:
        raise UnsuitableModel("from_tpot needs a fitted estimator of TPOT, this one is not: call its fit first.")
    return clone(pipeline)


__all__ = ["from_tpot"]
