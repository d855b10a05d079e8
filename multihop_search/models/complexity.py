"""Complexity: one number for the size of any fitted model, so that a path can be told to go down."""

from __future__ import annotations

import io
import pickle
import time
import zlib
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from multihop_search.models.features import count_features
from multihop_search.models.registry import family_of
from multihop_search.models.steps import last_step, thawed
from multihop_search.threads import thread_limit

LATENCY_CALLS = 5
"""Predictions of one row that a latency is the median of."""


@runtime_checkable
class SelfMeasured(Protocol):
    """A model of which neither nodes nor the pickle say how large it is: one that lives elsewhere, for instance."""

    def measured_complexity(self) -> float:
        """Return its complexity, in nodes or what comes near them."""


def complexity(model: Any) -> float:
    """Return nodes (trees), coefficients that are not 0 (linear models), weights (networks), else compressed bytes / 8.

    Summed over the steps of a Pipeline that predict and the members of a vote. Bytes are those of the pickle.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> complexity(DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], [0, 1]))
    3.0
    """
    if isinstance(model, FrozenEstimator):
        return complexity(model.estimator)
    if isinstance(model, SelfMeasured):
        return float(model.measured_complexity())
    if isinstance(model, Pipeline):
        return float(sum(complexity(step) for _, step in model.steps if hasattr(step, "predict")))
    family = family_of(model)
    parts = family.parts(model)
    if parts is not None:
        return float(sum(map(complexity, parts)))
    count = family.count(model)
    if count is not None:
        return float(count.number)
    try:
        return len(zlib.compress(pickle.dumps(model))) / 8
    except (pickle.PicklingError, AttributeError, TypeError):  # it holds a lambda, for instance
        values = vars(model).values()
        return float(sum(complexity(value) for value in values if not np.isnan(pickled_bytes(value))))


def unit_of(model: Any) -> str:
    """Return what `complexity` counts of a model, in a Pipeline of its last step."""
    last = thawed(last_step(model))
    if isinstance(last, SelfMeasured):
        return "nodes"
    count = family_of(last).count(last)
    return "bytes / 8" if count is None else count.unit


def count_nodes(model: Any) -> int:
    """Return the number of nodes of a tree model, 0 for any other."""
    model = thawed(model)
    return family_of(model).nodes(model)


@dataclass(frozen=True)
class Size:
    """How large a fitted model is."""

    nodes: float
    """Nodes (trees), else coefficients that are not 0, else compressed bytes / 8: see `complexity`."""
    n_features_used: int
    size_bytes: float
    """Length of its pickle, NaN if it has none: see `pickled_bytes`."""


def size_of(model: Any) -> Size:
    """Measure a fitted model."""
    return Size(complexity(model), count_features(model), pickled_bytes(model))


def pickled_bytes(model: Any) -> float:
    """Return the length of the pickle of a model, every object written where it stands; NaN if it cannot be pickled.

    A plain pickle writes an object once and refers to it later, and which objects are one depends on how they came
    into the process: the same model would have two sizes, here and on a worker.
    """
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer)
    pickler.fast = True
    try:
        pickler.dump(model)
    except (RecursionError, ValueError):  # an object that holds itself
        return float(len(pickle.dumps(model)))
    except (pickle.PicklingError, AttributeError, TypeError):  # a lambda, for instance
        return float("nan")
    return float(len(buffer.getvalue()))


def latency_us(model: Any, row: Any) -> float:
    """Return the median time, in microseconds, to predict one row on one thread: measured, never twice the same."""
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    seconds = []
    with thread_limit():
        for _ in range(LATENCY_CALLS):
            start = time.perf_counter()
            predict(row)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1e6)
