"""Steps of a Pipeline: which model is taught, and how rows reach it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline


def last_step(estimator: Any) -> Any:
    """Return the estimator that is taught: the last step of a Pipeline, recursively."""
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def resamples(estimator: Any) -> bool:
    """Return whether a Pipeline has a step that changes which rows there are, as those of imbalanced-learn may."""
    return isinstance(estimator, Pipeline) and any(hasattr(step, "fit_resample") for _, step in estimator.steps)


def thawed(model: Any) -> Any:
    """Return what stands in a `FrozenEstimator`; anything else as it is."""
    return thawed(model.estimator) if isinstance(model, FrozenEstimator) else model


def through(steps: Sequence[tuple[str, Any]], X: Any) -> Any:
    """Return rows as they come out of the fitted transformers of a Pipeline.

    One by one: from scikit-learn 1.8 on a Pipeline refuses to transform where its last step does not look fitted, and a
    transformer without anything to fit (TPOT has some) never does.
    """
    for _, step in steps:
        if step is not None and not isinstance(step, str) and not hasattr(step, "fit_resample"):  # "passthrough"
            X = step.transform(X)
    return X


def offers(model: Any, method: str) -> bool:
    """Return whether a model will have a method once it is fitted; a stack names its own last model only then."""
    last = last_step(model)
    if isinstance(last, (StackingClassifier, StackingRegressor)) and last.final_estimator is None:
        final: Any = LogisticRegression() if isinstance(last, StackingClassifier) else RidgeCV()
        return hasattr(final, method)
    return hasattr(model, method)
