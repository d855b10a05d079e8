"""Leaks: models and folds by which rows that judge may have been learned from; the verdict names each of them."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from multihop_search.problem.problem import Problem
from multihop_search.problem.teacher import RowTeacher

MOST_OBJECTS = 20_000
"""Objects that are looked at inside one model: an end for containers without one."""
DATA = ("numpy", "pandas", "scipy.sparse", "polars", "pyarrow")
"""Modules of containers of numbers, in which no model is."""


def used_as_it_is(model: Any) -> bool:
    """Return whether a model, or a part of it, keeps what it has learned when it is cloned for a fit.

    Frozen parts and `prefit` ones do, and fitted models in places that a clone copies: dictionaries, functions.
    """
    if isinstance(model, RowTeacher):
        return False
    try:
        fresh = clone(model, safe=False)
    except Exception:  # whatever the model's own clone raises, its fit will say
        fresh = model
    return any(_is_fitted(part) for part in _inside(fresh))


def _is_fitted(part: Any) -> bool:
    if isinstance(part, FrozenEstimator):
        return True
    if isinstance(part, type) or not (hasattr(part, "predict") or hasattr(part, "transform")):
        return False
    if not hasattr(part, "fit"):
        return hasattr(part, "predict")  # a model of another tool that nothing here can fit
    if getattr(part, "cv", None) == "prefit" or getattr(part, "prefit", None) is True:
        return True
    try:
        if not get_tags(part).requires_fit:
            return False
        check_is_fitted(part)
    except (NotFittedError, AttributeError, TypeError, ValueError):
        return False
    return True


def _inside(model: Any) -> Iterator[Any]:
    """Yield everything that a model holds: parameters, members of containers, what functions are bound to."""
    waiting, ids = [model], {id(model)}
    while waiting and len(ids) < MOST_OBJECTS:
        part = waiting.pop()
        yield part
        for inner in _held_by(part):
            if id(inner) not in ids and not isinstance(inner, (str, bytes, int, float, complex, type(None))):
                ids.add(id(inner))
                waiting.append(inner)


def _held_by(part: Any) -> Iterator[Any]:
    if isinstance(part, (type, types.ModuleType)) or type(part).__module__.startswith(DATA):
        if isinstance(part, np.ndarray) and part.dtype == object:
            yield from part.ravel().tolist()
        return
    if isinstance(part, Mapping):
        yield from part.values()
    elif isinstance(part, (list, tuple, set, frozenset)):
        yield from part
    elif isinstance(part, functools.partial):
        yield from (part.func, *part.args, *part.keywords.values())
    elif isinstance(part, types.MethodType):
        yield from (part.__self__, part.__func__)
    elif isinstance(part, types.FunctionType):
        yield from part.__defaults__ or ()
        yield from (part.__kwdefaults__ or {}).values()
        if "site-packages" not in part.__code__.co_filename:  # of the user's own
            yield from (part.__globals__[name] for name in part.__code__.co_names if name in part.__globals__)
        for cell in part.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not filled yet
                continue
    else:
        yield from vars(part).values() if hasattr(part, "__dict__") else ()
        for name in (name for kind in type(part).__mro__ for name in _slots(kind)):
            if hasattr(part, name):
                yield getattr(part, name)


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def leaks_of_models(named: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said of the models, by what they are called, that may have seen the rows that judge."""
    return tuple(
        f"the {name} was used as it is and may have seen these rows, so all gains are optimistic"
        if name == "teacher"
        else f"the {name} holds a model that is used as it is and may have seen these rows, so all gains are optimistic"
        for name, model in named.items()
        if used_as_it_is(model)
    )


def leaks_of_folds(problem: Problem) -> tuple[str, ...]:
    """Return what is to be said of folds whose held-out rows, or groups, are trained on as well."""
    seen = np.concatenate([np.isin(fold.test, fold.train) for fold in problem.folds])
    if seen.any():
        return (
            f"{int(seen.sum()):,} of {len(seen):,} held-out rows were also trained on in their fold, so all gains are "
            "optimistic",
        )
    groups, n_folds = problem.groups, len(problem.folds)
    if groups is None:
        return ()
    shared = sum(bool(np.isin(groups[fold.test], groups[fold.train]).any()) for fold in problem.folds)
    if not shared:
        return ()
    return (
        f"in {shared} of {n_folds} folds held-out rows share a group with rows trained on, so all gains are optimistic",
    )


def leaks_of_rows(X: Any, y: np.ndarray, problem: Problem) -> tuple[str, ...]:
    """Return what is to be said of fresh rows that equal rows of the search, more often than those equal each other."""
    hashes = _row_hashes(problem.X, problem.y)
    fresh = _row_hashes(X, y)
    n_equal = int(np.isin(fresh, hashes).sum())
    n_twins = len(hashes) - int((np.unique(hashes, return_counts=True)[1] == 1).sum())
    natural = (n_twins + 1) / (len(hashes) + 2)
    if n_equal <= len(fresh) * natural + 3 * np.sqrt(len(fresh) * natural * (1 - natural)):
        return ()
    return (
        f"{n_equal:,} of the {len(fresh):,} fresh rows equal rows that the search was given, so all gains are "
        "optimistic",
    )


def _row_hashes(X: Any, y: np.ndarray) -> np.ndarray:
    if hasattr(X, "tocsr"):
        rows = X.tocsr(copy=True)
        rows.sum_duplicates()
        parts = [
            (rows.indices[start:stop].tobytes(), rows.data[start:stop].tobytes())
            for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
        ]
        return np.array([hash((*part, float(target))) for part, target in zip(parts, y, strict=True)])
    table = X if hasattr(X, "iloc") else pd.DataFrame(np.asarray(X))
    table = table.reset_index(drop=True)
    table = table.set_axis([str(place) for place in range(table.shape[1])], axis=1)
    hashes: np.ndarray = pd.util.hash_pandas_object(table.assign(target=np.asarray(y, dtype=float)), index=False)
    return np.asarray(hashes)
