"""mljar-supervised: its out-of-fold predictions as a teacher, where it keeps those of all rows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from multihop_search.errors import UnsuitableModel
from multihop_search.integrations.as_it_is import AsItIs
from multihop_search.integrations.predictions import from_predictions
from multihop_search.integrations.tools import needed


def from_mljar(automl: Any, *, X_unlabeled: Any = None) -> Any:
    """Return a fitted `supervised.AutoML` as a teacher.

    Where it validated by folds (``validation_strategy={"validation_type": "kfold", ...}``, or a mode that does) the
    out-of-fold predictions of its best model are taken, as by `from_predictions`, with the labels that they belong to:
    `fit` needs the very rows of ``automl.fit``, in their order, and says so otherwise. Where it kept rows aside instead
    (mode "Explain") the model is used as it is, and so the verdict says that it may have seen the rows that judge.

    Parameters
    ----------
    automl : supervised.AutoML
        Fitted for classification or regression.
    X_unlabeled : DataFrame of shape (n_unlabeled, n_features) or None, default=None
        Rows that will be given to `fit` as `X_unlabeled`, predicted now.

    Returns
    -------
    GivenPredictions or FrozenEstimator
        For ``MultihopSearchClassifier(student, teacher=from_mljar(automl))``.

    Raises
    ------
    UnsuitableModel
        If it is no AutoML object of mljar, or not fitted.
    """
    if not isinstance(automl, needed("supervised", "mljar").AutoML):
        raise UnsuitableModel(f"from_mljar needs a supervised.AutoML object, got {type(automl).__name__}: pass that.")
    best = getattr(automl, "_best_model", None)
    if best is None:
        raise UnsuitableModel("from_mljar needs a fitted AutoML object, this one is not: call automl.fit first.")
    oof, info = best.get_out_of_folds(), automl._data_info
    predicted = [column for column in oof.columns if column.startswith("prediction")]
    regression = automl._ml_task == "regression"
    classes = None if regression else _classes(predicted, numeric=bool(info.get("target_is_numeric")))
    ask = automl.predict if regression else automl.predict_proba
    if len(oof) != info["rows"]:
        columns = [str(name) for name in info["columns"]]
        return FrozenEstimator(AsItIs(ask, classes=classes, columns=columns))
    values = oof[predicted].to_numpy(dtype=float)
    targets = oof["target"].to_numpy()
    if classes is not None and len(predicted) == 1:
        values = np.column_stack([1.0 - values[:, 0], values[:, 0]])
    y = None if classes is None else classes[targets.astype(int)]  # in regression it clips far targets
    more = None if X_unlabeled is None else ask(X_unlabeled)
    return from_predictions(values, classes=classes, unlabeled=more, y=y)


def _classes(predicted: list[str], *, numeric: bool) -> np.ndarray:
    """Return the labels that the columns of out-of-fold predictions are named after, in the order of their codes."""
    if len(predicted) == 1:
        named = re.fullmatch(r"prediction_0_for_(.*)_1_for_(.*)", predicted[0])
        labels = list(named.groups()) if named else ["0", "1"]
    else:
        labels = [column.removeprefix("prediction_") for column in predicted]
    if not numeric:
        return np.array(labels)
    numbers = np.array(labels, dtype=float)
    return numbers.astype(int) if (numbers == numbers.astype(int)).all() else numbers


__all__ = ["from_mljar"]
