"""Reading: a fitted scikit-learn model, alone or behind preparation, becomes a `Formula`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.export.prepared import first_reader, is_passed_through, prepared
from multihop_search.models.formula import Feature, Formula, Number, plain
from multihop_search.models.registry import family_of
from multihop_search.models.steps import thawed


def read_formula(model: Any, columns: Sequence[str] | None = None) -> Formula:
    """Read a fitted tree, forest, histogram booster or linear model, or a Pipeline that ends with one.

    Parameters
    ----------
    model : estimator
        Fitted, with one target.
    columns : sequence of str, default=None
        Names of the columns of X: by default those that the model was fitted with, or x0, x1, ...

    Raises
    ------
    InvalidSetting
        If `columns` are not as many different names as the model has columns.
    UnsuitableModel
        If the model or a step before it is of another kind.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> read_formula(DecisionTreeClassifier().fit([[0.0], [1.0]], ["no", "yes"])).trees[0].root.yes
    Leaf(values=(1.0, 0.0), share=0.5, number=1)
    """
    *steps, last = _flat(model) or [None]
    family = family_of(last)
    if last is None or not family.has_formula:
        raise _unserved(last)
    check_is_fitted(last)
    if getattr(last, "n_outputs_", 1) > 1 or (not is_classifier(last) and np.ndim(getattr(last, "coef_", ())) > 1):
        raise _unserved(last)
    names = _names(first_reader([*steps, last]), columns)
    features: list[Feature] = [Number(name) for name in names]
    for step in steps:
        features = prepared(step, features)
    encoder = family.encoder(last)
    if encoder is not None:
        features = prepared(encoder, features)
    numbers = {feature.column for feature in features if isinstance(feature, Number) or not feature.is_text}
    return Formula(
        **vars(family.formula(last, features)),
        name=next(kind.__name__ for kind in type(last).__mro__ if kind.__name__.isidentifier()),
        columns=names,
        classes=_classes(last),
        is_matrix=numbers == set(names),
    )


def _unserved(model: Any) -> UnsuitableModel:
    return UnsuitableModel(
        "the model must be a tree, forest, histogram booster or linear model of scikit-learn with one target, got "
        f"{'nothing' if model is None else type(model).__name__}: export to .skops."
    )


def _flat(model: Any) -> list[Any]:
    """Return the steps that rows go through, the model last; Pipelines may stand inside one another, or be frozen."""
    model = thawed(model)
    parts = [model] if not isinstance(model, Pipeline) else [part for _, step in model.steps for part in _flat(step)]
    return [part for part in parts if not is_passed_through(part)]


def _names(model: Any, columns: Sequence[str] | None) -> tuple[str, ...]:
    n_features = int(model.n_features_in_)
    if columns is None:
        columns = getattr(model, "feature_names_in_", [f"x{place}" for place in range(n_features)])
    names = tuple(map(str, columns))
    n_different = len(set(names) - {""})
    if len(names) != n_features or n_different != n_features:
        raise InvalidSetting(
            f"columns must be {n_features} different names, as many as the model was fitted on, got {len(names)} names "
            f"of which {n_different} are different and not empty: name each column once."
        )
    return names


def _classes(model: Any) -> tuple[Any, ...] | None:
    if not is_classifier(model):
        return None
    return tuple(plain(label, "a label") for label in np.asarray(model.classes_).tolist())
