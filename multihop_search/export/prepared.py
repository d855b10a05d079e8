"""Prepared features: what the fitted steps before a model make of the columns, read step by step.

Numbers are followed by their steps, in the order in which the transformers calculate; categories by trying each of
them, a missing and an unknown one, so that any encoder is served as it behaves.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import check_array

from multihop_search.errors import UnsuitableModel
from multihop_search.models.formula import Cases, Feature, Number, plain
from multihop_search.models.steps import thawed
from multihop_search.paths.preparation import is_reader

Steps: TypeAlias = tuple[tuple[str, float], ...]
UNKNOWN = "\x00 a category that no training row has"
CALCULATIONS: dict[str, Callable[[float, float], float]] = {
    "impute": lambda number, by: by if math.isnan(number) else number,
    "subtract": operator.sub,
    "divide": operator.truediv,
    "multiply": operator.mul,
    "add": operator.add,
    "above": lambda number, by: float(number > by),
}


def prepared(step: Any, inputs: Sequence[Feature]) -> list[Feature]:
    """Return the features that a fitted transformer makes of others.

    Raises
    ------
    UnsuitableModel
        If it does something else than impute, scale, encode or select.

    Examples
    --------
    >>> prepared(StandardScaler().fit([[1.0], [3.0]]), [Number("age")])
    [Number(column='age', steps=(('subtract', 2.0), ('divide', 1.0)))]
    """
    inputs, step = list(inputs), thawed(step)
    if isinstance(step, FeatureUnion):
        return _united(step, inputs)
    if isinstance(step, ColumnTransformer):
        names = list(getattr(step, "feature_names_in_", ()))
        blocks = [(block, _places(chosen, names, len(inputs))) for _, block, chosen in step.transformers_]
        return [one for block, at in blocks if at for one in prepared(block, [inputs[place] for place in at])]
    if isinstance(step, str) and step == "drop":
        return []
    if is_passed_through(step) or _is_identity(step):
        return inputs
    parts = [thawed(part) for _, part in step.steps] if isinstance(step, Pipeline) else [step]
    parts = [part for part in parts if not is_passed_through(part)]
    if any(hasattr(part, "categories_") for part in parts):
        return _encoded(step, parts, inputs)
    if isinstance(step, Pipeline):
        for part in parts:
            inputs = prepared(part, inputs)
        return inputs
    if hasattr(step, "get_support"):
        return [feature for feature, is_kept in zip(inputs, step.get_support(), strict=True) if is_kept]
    done = _number_steps(step, len(inputs))
    return [_after(feature, steps) for feature, steps in zip(inputs, done, strict=True) if steps is not None]


def is_passed_through(step: Any) -> bool:
    """Return whether a step of a Pipeline leaves rows as they are when it predicts: a sampler of imblearn does."""
    if step is None or isinstance(step, str):
        return step is None or step == "passthrough"
    return hasattr(step, "fit_resample") and not hasattr(step, "transform")


def first_reader(steps: Sequence[Any]) -> Any:
    """Return the first of fitted steps, or of their parts, that counted the columns of X, or else the last step."""
    for step in map(thawed, steps):
        parts = [part for _, part in getattr(step, "transformer_list", getattr(step, "steps", ()))]
        reader = first_reader(parts) if parts else step
        if hasattr(reader, "n_features_in_"):
            return reader
    return steps[-1]


def _united(union: FeatureUnion, inputs: Sequence[Feature]) -> list[Feature]:
    weights, features = union.transformer_weights or {}, []
    for name, part in union.transformer_list:
        weight = weights.get(name, 1.0)
        steps: Steps = () if weight == 1 else (("multiply", float(weight)),)
        features += [_after(feature, steps) for feature in prepared(part, inputs)]
    return features


def _places(chosen: Any, names: list[str], n_inputs: int) -> list[int]:
    """Return the places of the columns that a ColumnTransformer chose; a slice of names holds its last one too."""
    if isinstance(chosen, slice):
        start = names.index(chosen.start) if isinstance(chosen.start, str) else chosen.start
        stop = names.index(chosen.stop) + 1 if isinstance(chosen.stop, str) else chosen.stop
        return list(range(n_inputs))[start : stop : chosen.step]
    chosen = list(np.atleast_1d(chosen))
    if any(isinstance(name, str) for name in chosen):
        return [names.index(name) for name in chosen]
    return [int(place) for place in np.arange(n_inputs)[np.asarray(chosen, dtype=None if chosen else int)]]


def _spells(step: Any) -> bool:
    """Return whether a step turns values into strings, as `paths.preparation` does with categories."""
    if is_reader(step):
        return any(_spells(part) for part in _flat(step.func.__self__))
    return (
        isinstance(step, FunctionTransformer)
        and step.func is check_array
        and (step.kw_args or {}).get("dtype") in ("str", str)
    )


def _flat(pipeline: Pipeline) -> list[Any]:
    return [leaf for _, part in pipeline.steps for leaf in (_flat(part) if isinstance(part, Pipeline) else [part])]


def _is_identity(step: Any) -> bool:
    if is_reader(step):
        return not _spells(step)
    if not isinstance(step, FunctionTransformer) or _spells(step):
        return False
    function = getattr(step.func, "func", step.func)  # a partial, inside histogram boosters
    return function is None or function is check_array


def _number_steps(step: Any, n_inputs: int) -> list[Steps | None]:
    """Return what a transformer does to each column, None where it drops it."""
    done: list[tuple[str, Any]]
    if isinstance(step, SimpleImputer) and not step.add_indicator and pd.isna(step.missing_values):
        done = [("impute", step.statistics_)]
    elif isinstance(step, StandardScaler):
        done = [("subtract", step.mean_ if step.with_mean else None), ("divide", step.scale_)]
    elif isinstance(step, RobustScaler):
        done = [("subtract", step.center_), ("divide", step.scale_)]
    elif isinstance(step, MinMaxScaler) and not step.clip:
        done = [("multiply", step.scale_), ("add", step.min_)]
    elif isinstance(step, MaxAbsScaler):
        done = [("divide", step.scale_)]
    elif isinstance(step, Binarizer):
        done = [("above", np.full(n_inputs, float(step.threshold)))]
    else:
        raise _unserved(step)
    try:
        columns = [tuple((kind, float(by[at])) for kind, by in done if by is not None) for at in range(n_inputs)]
    except (TypeError, ValueError):  # a string is imputed, and no encoder follows
        raise _unserved(step) from None
    return [None if any(math.isnan(by) for _, by in steps) else steps for steps in columns]


def _unserved(step: Any) -> UnsuitableModel:
    return UnsuitableModel(
        "the steps before the model must impute one value a column, scale, encode raw categories or select columns, "
        f"got {type(step).__name__}, which does not or has settings that are not served: export to .skops."
    )


def _after(feature: Feature, steps: Steps) -> Feature:
    if isinstance(feature, Number):
        return replace(feature, steps=feature.steps + steps)
    numbers = tuple((value, _calculated(number, steps)) for value, number in feature.numbers)
    missing, other = _calculated(feature.missing, steps), _calculated(feature.other, steps)
    return replace(feature, numbers=numbers, missing=missing, other=other)


def _calculated(number: float, steps: Steps) -> float:
    for kind, by in steps:
        number = CALCULATIONS[kind](number, by)
    return number


def _encoded(step: Any, parts: list[Any], inputs: list[Feature]) -> list[Feature]:
    """Return what an encoder of raw categories, or a Pipeline with one, makes of them, found by trying."""
    levels: Any = next(part.categories_ for part in parts if hasattr(part, "categories_"))
    served = all(
        hasattr(part, "categories_")
        or _spells(part)
        or _is_identity(part)
        or isinstance(part, (SimpleImputer, StandardScaler))
        for part in parts
    )
    raw = all(isinstance(feature, Number) and not feature.steps for feature in inputs)
    if not served or not raw or len(levels) != len(inputs):
        raise _unserved(step)
    is_spelled = any(map(_spells, parts))
    imputed: Any = [part.missing_values for part in parts if isinstance(part, SimpleImputer)]
    gaps = [imputed[0] if imputed else _gap(group.tolist(), is_spelled) for group in levels]
    groups = [[plain(value, "a category") for value in group.tolist() if not pd.isna(value)] for group in levels]
    usual = [group[0] if group else gap for group, gap in zip(groups, gaps, strict=True)]
    names = getattr(step, "feature_names_in_", None)

    def outputs(at: int, values: list[Any]) -> np.ndarray:
        """Return the outputs where input `at` has these values and the others what they usually have."""
        rows = [[*usual[:at], value, *usual[at + 1 :]] for value in values]
        columns = [_column([row[place] for row in rows], group.dtype) for place, group in enumerate(levels)]
        frame = pd.concat(columns, axis=1, keys=range(len(levels)) if names is None else list(names))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some encoders warn of unknown categories
            array = frame.to_numpy(dtype=None if frame.dtypes.nunique() == 1 else object)
            encoded = step.transform(array if names is None else frame)
        return np.asarray(encoded.toarray() if hasattr(encoded, "toarray") else encoded, dtype=float)

    base = outputs(0, usual[:1])[0]
    features: list[Feature] = [Cases(inputs[0].column, (), number, number) for number in base.tolist()]
    for at, group in enumerate(groups):
        each = outputs(at, group) if group else base[None, :]
        unknown = _unknown(group) if levels[at].dtype.kind in "iuf" else UNKNOWN
        tries: list[np.ndarray | None] = []
        for value in (gaps[at], unknown):
            try:
                tries.append(outputs(at, [value])[0])
            except (ValueError, TypeError):  # the encoder refuses it
                tries.append(None)
        seen = np.vstack([each, *(numbers for numbers in tries if numbers is not None)])
        depends = ((seen != base) & ~(np.isnan(seen) & np.isnan(base))).any(axis=0)
        for column in np.flatnonzero(depends):
            missing, other = (math.nan if numbers is None else float(numbers[column]) for numbers in tries)
            pairs = tuple(zip(group, each[:, column].tolist(), strict=False))
            features[column] = Cases(inputs[at].column, pairs, missing, other, is_spelled)
    return features


def _column(values: list[Any], dtype: np.dtype) -> pd.Series:
    """Return values as a column; integers stay integers, since doubles run together beyond 2^53."""
    if dtype.kind not in "iuf":
        return pd.Series(values, dtype=object)
    are_integers = dtype.kind != "f" and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=f"{dtype.kind}8" if are_integers else float)


def _unknown(numbers: list[Any]) -> Any:
    """Return a number that is none of these, of their kind: beyond 2^53 an integer is lost among doubles."""
    largest = max(numbers, default=0.0)
    if isinstance(largest, float):
        above = math.nextafter(largest, math.inf)
        return above if above < math.inf else math.nextafter(min(numbers), -math.inf)
    above_or_below = [largest + 1] * (largest not in (2**63 - 1, 2**64 - 1)) or range(largest - len(numbers), largest)
    return next(number for number in above_or_below if number not in numbers)


def _gap(values: list[Any], is_spelled: bool) -> Any:
    """Return what a missing category was in training: the one of NaN, None and NA that was met; NaN if none was."""
    for gap in (math.nan, None, pd.NA):
        if any(value == str(gap) if is_spelled else pd.isna(value) and type(value) is type(gap) for value in values):
            return gap
    return math.nan
