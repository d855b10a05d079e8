"""First fits: plain fits on a few rows.

They say whether a model can fit rows and predict them, how complex it is and how long it takes.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.errors import ClusterLost, MultihopError, UnsuitableModel
from multihop_search.keys import rng_of
from multihop_search.models.fitting import fit
from multihop_search.models.settle import settle
from multihop_search.models.training_set import TrainingSet
from multihop_search.paths.preparation import empty_columns
from multihop_search.problem.problem import Problem
from multihop_search.problem.responses import stored_form
from multihop_search.problem.teacher import RowTeacher
from multihop_search.threads import thread_limit

FEW_ROWS = 2000
"""Complexity is measured on a plain fit of at most this many rows."""
PREDICTED_ROWS = 20
"""As many of them are predicted."""


class FirstFits:
    """Plain fits of models on a few rows, each made once.

    Parameters
    ----------
    problem : Problem
        Whose rows are fitted.
    run : callable
        Called with a function and its arguments; runs it where the search runs its hops, if that is known.
    """

    def __init__(self, problem: Problem, run: Callable[..., Any]) -> None:
        self.problem, self._run = problem, run
        self._fits: dict[int, tuple[Any, Any]] = {}
        """Model and its fit by the identity of the model, which is kept so that no other one gets it."""

    def fitted(self, name: str, model: Any, shown: str = "") -> Any:
        """Return the fit of `model`, made now if there is none; one of a vote can be measured only, it cannot predict.

        Parameters
        ----------
        name : str
            What the model stands for in the search; its random numbers are keyed by it.
        model : estimator
            Never changed.
        shown : str, default=""
            What a message calls it; "": by its name.

        Raises
        ------
        UnsuitableModel
            If the fit fails, or the fitted model cannot predict: the message says which model and why, and names the
            way out for columns of strings.
        """
        if id(model) not in self._fits:
            self._fits[id(model)] = model, first_fit(self.problem, name, model, shown or name, self._run)
        return self._fits[id(model)][1]

    def forget(self) -> None:
        """Let go of all fits: they take memory, and once the ladder is made nobody asks for them."""
        self._fits.clear()


def few_rows(problem: Problem) -> np.ndarray:
    """Return at most `FEW_ROWS` row numbers, at least one of each class among them."""
    searched = problem.searched.train
    if len(searched) <= FEW_ROWS:
        return searched
    rows = rng_of(problem.random_state, "probe").permutation(searched)
    if problem.classes is None:
        return np.sort(rows[:FEW_ROWS])
    firsts = np.unique(problem.y[rows], return_index=True)[1]
    return np.sort(np.unique(np.concatenate([rows[:FEW_ROWS], rows[firsts]])))


def first_fit(problem: Problem, name: str, estimator: Any, shown: str, run: Callable[..., Any]) -> Any:
    """Return a plain fit of `estimator`, which messages call `shown`, on a few rows.

    Raises
    ------
    UnsuitableModel
        If the fit fails, or the fitted model cannot predict: the message says which model and why, and names the way
        out for columns of strings.
    """
    if isinstance(estimator, (FrozenEstimator, RowTeacher)):  # used as it is
        return estimator
    rows = few_rows(problem)
    model, before = settle(estimator, name, problem.random_state, "probe", name)
    X = problem.rows(rows)
    try:
        training_set = TrainingSet(X, problem.y[rows], problem.classes, sample_weight=problem.weights(rows))
        fitted, fault = run(_plain_fit, model, training_set, problem.threads)
    except (UnsuitableModel, ClusterLost):
        raise
    except Exception as error:  # of any library
        if _says_pickle(error):
            raise UnsuitableModel(
                f"{shown} ({type(estimator).__name__}) must be a model that can be pickled once it is fitted, it said: "
                f"{_sentence(error)}: keep locks, open files and generators out of it, or search without executor and "
                "n_jobs."
            ) from error
        strings = _not_numbers(X)
        if strings and not isinstance(estimator, Pipeline):
            raise UnsuitableModel(
                f"{shown} ({type(estimator).__name__}) must take the columns as they are, {', '.join(strings[:5])} "
                "hold no numbers: use skrub.tabular_pipeline(student) or a Pipeline with a ColumnTransformer."
            ) from error
        empty = empty_columns(problem.X, [rows])
        cure = f" (column {empty[0]!r} has no values: leave it out)" if empty else ""
        raise UnsuitableModel(
            f"{shown} ({type(estimator).__name__}) must be able to fit the rows, it said: {_sentence(error)}{cure}"
        ) from error
    if fault:
        raise UnsuitableModel(f"{shown} ({type(estimator).__name__}) must be able to predict the rows, {fault}")
    return fitted.set_params(**before)


def copied(shown: str, model: Any) -> Any:
    """Return an unfitted copy of a model, which messages call `shown`.

    Raises
    ------
    UnsuitableModel
        If scikit-learn cannot copy it: a parameter holds a lock, for instance.
    """
    try:
        return clone(model)
    except MemoryError:  # it may pass
        raise
    except Exception as error:  # copying runs the code of the parameters
        raise UnsuitableModel(
            f"{shown} ({type(model).__name__}) must be a model that sklearn.base.clone can copy, it said: "
            f"{_sentence(error)}: mend the class, or pass parameters that can be copied."
        ) from error


def _says_pickle(error: Exception) -> bool:
    return isinstance(error, pickle.PicklingError) or (
        isinstance(error, (TypeError, AttributeError)) and "pickle" in str(error)
    )


def _sentence(error: Exception) -> str:
    """Return what an error says in one line, with its class where that is none that models usually raise."""
    words = " ".join(str(error).partition("Stack trace")[0].split())
    usual = isinstance(error, (ValueError, TypeError, MultihopError))
    return words if usual and words else f"{type(error).__name__}: {words}"


def _plain_fit(model: Any, rows: TrainingSet, threads: int) -> tuple[Any, str]:
    """Return the fitted model, and why it cannot predict, "" if it can."""
    with thread_limit(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # only its size is looked at
        fitted = fit(model, rows)
        warnings.simplefilter("ignore")  # what it warns of in prediction, it will say again in the search
        return fitted, _fault(fitted, rows.X[:PREDICTED_ROWS], rows.labels)


def _fault(fitted: Any, X: Any, classes: Any) -> str:
    """Return why a fitted model cannot predict, "" if it can."""
    if classes is not None and not hasattr(fitted, "classes_"):
        return "it has no classes_ after fit: let fit set them"
    try:
        predictions = stored_form(fitted, X, classes)
    except MemoryError:  # it may pass
        raise
    except Exception as error:  # of any library
        return f"it said: {_sentence(error)}"
    return "" if np.isfinite(predictions).all() else "it predicted NaN or infinity: mend the model"


def _not_numbers(X: Any) -> list[str]:
    dtypes = dict(X.dtypes) if hasattr(X, "iloc") else {}
    return [str(name) for name, dtype in dtypes.items() if getattr(dtype, "kind", "O") not in "biuf"]
