"""Fitting: how a model of any class is taught a transfer set, and comes back as an object of that class.

Routes, chosen by the model's class and the targets (`route_of` says which; docs/methods.md lists models of every kind):

====================  ==========================================================================================
plain                 no transfer set: the class's own fit on the true labels
hard labels           hard targets: the class's own fit on them, with the weights; without `sample_weight` nothing else
regression            soft targets, trees and forests: by their regression twin (`soft_trees.py`)
softmax               soft targets of 3 classes or more, logistic regression: cross-entropy in one fit (`softmax.py`)
repetition            soft targets, anything else with `sample_weight`: each row once per class with weight q_c
values                in regression: the class's own fit on the target values
grown                 trees, where a `TreeFit` is asked for: by it (`trees/`), any targets
====================  ==========================================================================================

Synthetic rows stand behind the real ones; sizes that count rows grow with them, so that a leaf holds as large a share.
In a Pipeline the transformers are fitted on the real rows with the true labels; targets and weights reach the last step
only. What is changed on the model for a fit (`random_state`, `n_jobs`, leaf sizes of repeated rows, `class_weight`) is
put back afterwards: the user finds the parameters that the user set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_class_weight

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.errors import UnsuitableModel
from multihop_search.models.features import silenced, strongest, with_only
from multihop_search.models.registry import family_of
from multihop_search.models.row_counts import beside_synthetic_rows, of_copies
from multihop_search.models.steps import last_step, resamples, through
from multihop_search.models.training_set import JoinedRows, TrainingSet
from multihop_search.models.weights import require_weights, takes_weights, weight_argument, weight_names
from multihop_search.transfer.transfer_set import SyntheticSet, TransferSet

if TYPE_CHECKING:
    from multihop_search.trees import TreeFit

SMALLEST_TARGET = 1e-3
"""Repeated rows of a target smaller than this share of the row's largest are dropped and the rest renormalised."""


Prepare = Callable[[Pipeline, Any, np.ndarray, SyntheticSet | None], tuple[Pipeline, Any, Any]]
"""``(transformers, X, target, synthetic)`` to fitted transformers and both kinds of rows transformed."""


def fit_transformers(
    head: Pipeline, X: Any, target: np.ndarray, synthetic: SyntheticSet | None
) -> tuple[Pipeline, Any, Any]:
    """Fit the transformers of a Pipeline on real rows; return them and the rows, real and synthetic, transformed."""
    transformed = head.fit_transform(X, target)
    return head, transformed, None if synthetic is None else through(head.steps, synthetic.X)


def route_of(estimator: Any, n_classes: int | None) -> str:
    """Return the route of soft labels to `estimator`; `n_classes` None: of values, in regression.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> route_of(GaussianNB(), 3)
    'repetition'
    """
    if n_classes is None:
        return "values"
    model = last_step(estimator)
    route = family_of(model).soft_labels(model, n_classes, n_classes)
    if route is not None:
        return route.name
    return "repetition" if takes_weights(model) else "hard labels"


def repeats_rows(estimator: Any, rows: TransferSet | JoinedRows | None) -> bool:
    """Return whether a row stands more than once in what `estimator` is fitted on."""
    if rows is None or rows.targets.shape[1] == 1 or rows.is_hard:
        return False
    model, n_classes = last_step(estimator), rows.targets.shape[1]
    return family_of(model).soft_labels(model, n_classes, n_classes) is None


@dataclass(frozen=True)
class FitOptions:
    """How a model is fitted, beside what its class and parameters say."""

    most_features: int | None = None
    """Most features that the model (in a Pipeline its last step) may read: a model that reads more is fitted again on
    those that it draws most from, every other column held constant."""
    tree_fit: TreeFit | None = None
    """How a tree is fitted; None: by its class."""
    prepare: Prepare = fit_transformers
    """Fits the transformers of a Pipeline, or knows them."""
    parts: tuple[np.ndarray, ...] = ()
    """Parts of the real rows, by position, that are left out in turn where something is chosen on held-out rows; fewer
    than two: they are drawn."""


USUAL = FitOptions()
"""The class's own fit, of any features."""


def fit(model: Any, rows: TrainingSet, options: FitOptions = USUAL) -> Any:
    """Fit `model` and return it (or its equal) as a fitted object of its own class.

    Parameters
    ----------
    model : estimator
        Settled (see `settle`); may be changed.
    rows : TrainingSet
        What it is fitted on.
    options : FitOptions
        How it is fitted.

    Raises
    ------
    UnsuitableModel
        If the model takes neither weights nor soft labels and the transfer set needs them.
    """
    if isinstance(model, Pipeline):
        return _fit_pipeline(model, rows, options)
    fitted = _fit_one(model, rows, options)
    strong = None if options.most_features is None else strongest(fitted, rows.X, options.most_features)
    if strong is None:
        return fitted
    synthetic = None if rows.synthetic is None else with_only(rows.synthetic.X, strong)
    again = _fit_one(clone(fitted), rows.with_features(with_only(rows.X, strong), synthetic), options)
    return silenced(again, strong)


def _fit_one(model: Any, rows: TrainingSet, options: FitOptions) -> Any:
    tree_fit = options.tree_fit
    if tree_fit is None:
        return _fit_by_class(model, rows)
    fitted = _fit_by_class(model, rows) if tree_fit.own else _fit_tree(tree_fit, model, rows.joined())
    if tree_fit.shrinks:
        joined = rows.joined()
        if joined.labels is not None:
            joined, _ = _class_weighted(clone(fitted), joined)
        cross_fit = replace(options, tree_fit=tree_fit.for_cross_fits())
        tree_fit.shrink(
            fitted,
            X=rows.X,
            targets=joined.targets[: joined.n_real],
            weights=joined.weights[: joined.n_real],
            labels=joined.labels,
            has_synthetic=rows.synthetic is not None,
            parts=options.parts,
            fit_on=lambda positions: _fit_one(clone(fitted), rows.take(positions), cross_fit),
        )
    return fitted


def _fit_by_class(model: Any, rows: TrainingSet) -> Any:
    if rows.transfer is None:
        return model.fit(rows.X, rows.target, **weight_argument(model, rows.sample_weight))
    joined = rows.joined()
    before = _changed(model, beside_synthetic_rows(model, joined.n_real, len(joined.targets)))
    class_weight: dict[str, Any] = {}
    if joined.labels is None:
        fitted = _fit_values(model, joined)
    else:
        joined, class_weight = _class_weighted(model, joined)
        fitted = _fit_classes(model, joined)
    if len(joined.targets) > joined.n_real or repeats_rows(fitted, joined):
        family_of(fitted).count_rows(fitted, rows.X)
    return fitted.set_params(**before, **class_weight)


def _changed(model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Set parameters of a model and return what has to be put back."""
    before = {name: model.get_params(deep=False)[name] for name in params}
    model.set_params(**params)
    return before


def _arguments(model: Any, rows: JoinedRows, places: np.ndarray) -> dict[str, Any]:
    """Return further arguments of a fit on rows that are those at `places`, copies or synthetic ones among them."""
    return family_of(model).fit_arguments(model, rows.y, places)


def _fit_values(model: Any, rows: JoinedRows) -> Any:
    values, places = rows.targets[:, 0], np.arange(len(rows.targets))
    if family_of(model).takes_positive_targets_only(model):
        values = np.maximum(values, rows.y.min())
    return model.fit(rows.X, values, **weight_argument(model, rows.weights), **_arguments(model, rows, places))


def _fit_tree(tree_fit: TreeFit, model: Any, rows: JoinedRows) -> Any:
    rows, class_weight = (rows, {}) if rows.labels is None else _class_weighted(model, rows)
    fitted = tree_fit.fit(model, rows.X, rows.targets, rows.weights, rows.n_real, rows.labels)
    return fitted.set_params(**class_weight)


def _fit_classes(model: Any, rows: JoinedRows) -> Any:
    """Fit to class distributions by the route that the model's class has for them."""
    assert rows.labels is not None
    targets, weights, labels = rows.targets, rows.weights, rows.labels
    if rows.is_hard:
        arguments = weight_argument(model, weights) | _arguments(model, rows, np.arange(len(targets)))
        return model.fit(rows.X, labels[targets.argmax(axis=1)], **arguments)
    route = family_of(model).soft_labels(model, len(labels), int(targets.any(axis=0).sum()))
    return _fit_repeated(model, rows) if route is None else route.fit(model, rows.X, targets, weights, labels)


def _fit_pipeline(model: Pipeline, rows: TrainingSet, options: FitOptions) -> Pipeline:
    name, last = model.steps[-1]
    if resamples(model):
        if rows.transfer is not None or rows.sample_weight is not None or options.tree_fit is not None:
            raise UnsuitableModel(
                "a Pipeline that resamples rows cannot be taught soft labels or weights: use it as a teacher without "
                "sample_weight, or leave the sampler out."
            )
        return model.fit(rows.X, rows.target)
    if len(model.steps) > 1:
        head, X, synthetic = options.prepare(model[:-1], rows.X, rows.target, rows.synthetic)
        model.steps[:-1] = head.steps
        rows = rows.with_features(X, synthetic)
    model.steps[-1] = (name, fit(last, rows, replace(options, prepare=fit_transformers)))
    return model


def _class_weighted(model: Any, rows: JoinedRows) -> tuple[JoinedRows, dict[str, Any]]:
    """Move `class_weight` into targets and weights: it counts rows, and repeated rows would be counted twice.

    Return the rows, and what has to be put back on the model.
    """
    class_weight = model.get_params(deep=False).get("class_weight")
    if class_weight is None:
        return rows, {}
    assert rows.labels is not None
    rule = "balanced" if isinstance(class_weight, str) else class_weight
    of_class = np.ones(len(rows.labels))
    present = np.unique(rows.y)
    if isinstance(rule, Mapping):
        rule = {label: weight for label, weight in rule.items() if label in set(rows.labels[present].tolist())}
    of_class[present] = compute_class_weight(rule, classes=rows.labels[present], y=rows.labels[rows.y])
    weighted = rows.targets * of_class
    share = weighted.sum(axis=1)
    model.set_params(class_weight=None)
    weighted = np.divide(weighted, share[:, None], out=rows.targets.copy(), where=share[:, None] > 0)
    return replace(rows, targets=weighted, weights=rows.weights * share), {"class_weight": class_weight}


def _fit_repeated(model: Any, rows: JoinedRows) -> Any:
    """Fit on each row once per class with weight q_c; sizes that count rows are translated and put back.

    Tiny targets are dropped, but never that of the true class, so that no class is lost.
    """
    assert rows.labels is not None
    require_weights(model)
    copied = rows.targets >= SMALLEST_TARGET * rows.targets.max(axis=1, keepdims=True)
    copied[np.arange(rows.n_real), rows.y] = True
    shares = np.where(copied, rows.targets, 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    places, codes = np.nonzero(copied)
    before = _changed(model, of_copies(model, len(copied), len(places), even=bool(np.ptp(rows.weights) == 0)))
    weights = family_of(model).allowed_weights(rows.weights[places] * shares[places, codes])
    named = dict.fromkeys(weight_names(model), weights) | _arguments(model, rows, places)
    model.fit(safe_indexing(rows.X, places), rows.labels[codes], **named)
    return model.set_params(**before)
