"""Fitting: how a model of any class is taught a transfer set, and comes back as an object of that class.

Routes, chosen by the model's class and the targets (`route_of` says which; docs/methods.md lists models of every kind):

====================  ==========================================================================================
plain                 no transfer set: the class's own fit on the true labels
hard labels           hard targets: the class's own fit on them, with the weights; without `sample_weight` nothing else
regression            soft targets, trees and forests: by their regression twin (`trees.py`)
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

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_selection import RFE, RFECV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, RidgeCV, TweedieRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from multihop_search.errors import UnsuitableModel
from multihop_search.keys import seed
from multihop_search.models.ebm import bags_argument, positive
from multihop_search.models.features import silenced, strongest, with_only
from multihop_search.models.soft_trees import fit_on_distribution, takes_regression_route
from multihop_search.models.softmax import fit_softmax, takes_softmax_route
from multihop_search.models.training_set import JoinedRows, TrainingSet
from multihop_search.threads import takes_all_cores
from multihop_search.transfer.transfer_set import SyntheticSet, TransferSet
from multihop_search.trees import TreeFit

JOBS = ("n_jobs", "num_threads", "thread_count")
"""Parameters that say how many threads or processes a model may use."""
SEVERAL = (VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)
HANDING_ON = (*SEVERAL, BaseSearchCV, TransformedTargetRegressor, RFE)
"""Classes of scikit-learn whose `fit` hands weights on to the models inside, without metadata routing too."""
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


def through(steps: Sequence[tuple[str, Any]], X: Any) -> Any:
    """Return rows as they come out of the fitted transformers of a Pipeline.

    One by one: from scikit-learn 1.8 on a Pipeline refuses to transform where its last step does not look fitted, and a
    transformer without anything to fit (TPOT has some) never does.
    """
    for _, step in steps:
        if step is not None and not isinstance(step, str) and not hasattr(step, "fit_resample"):  # "passthrough"
            X = step.transform(X)
    return X


def last_step(estimator: Any) -> Any:
    """Return the estimator that is taught: the last step of a Pipeline, recursively."""
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def resamples(estimator: Any) -> bool:
    """Return whether a Pipeline has a step that changes which rows there are, as those of imbalanced-learn may."""
    return isinstance(estimator, Pipeline) and any(hasattr(step, "fit_resample") for _, step in estimator.steps)


def offers(model: Any, method: str) -> bool:
    """Return whether a model will have a method once it is fitted; a stack names its own last model only then."""
    last = last_step(model)
    if isinstance(last, (StackingClassifier, StackingRegressor)) and last.final_estimator is None:
        final: Any = LogisticRegression() if isinstance(last, StackingClassifier) else RidgeCV()
        return hasattr(final, method)
    return hasattr(model, method)


def takes_weights(estimator: Any) -> bool:
    """Return whether `estimator` can be taught soft labels and weights."""
    return bool(weight_names(last_step(estimator)))


def weight_names(model: Any) -> tuple[str, ...]:
    """Return the names under which `fit` of `model` takes weights; none where it takes no weights.

    Votes, stacks and searches hand on what they are given, so those inside decide. While metadata is routed, a model
    that hands it on takes weights if its members request them.

    Examples
    --------
    >>> from sklearn.ensemble import VotingClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> weight_names(VotingClassifier([("bayes", GaussianNB())]))
    ('sample_weight',)
    >>> weight_names(VotingClassifier([("bayes", GaussianNB()), ("neighbours", KNeighborsClassifier())]))
    ()
    """
    if isinstance(model, Pipeline):
        return tuple(f"{model.steps[-1][0]}__{name}" for name in weight_names(model.steps[-1][1]))
    handing_on = isinstance(model, HANDING_ON)  # votes of scikit-learn 1.6 name the weights too
    if not handing_on and hasattr(model, "fit") and has_fit_parameter(model, "sample_weight"):
        return ("sample_weight",)
    if get_config()["enable_metadata_routing"]:
        return _requested(model)
    if not _hands_on(model):
        return ()
    members = _members(model)
    names = {weight_names(member) for member in members}
    several = isinstance(model, SEVERAL) or len(members) > 1
    return names.pop() if names == {("sample_weight",)} or (len(names) == 1 and not several) else ()


def _hands_on(model: Any) -> bool:
    """Return whether `fit` hands on what else it is given; scikit-learn's own say so of more classes than do."""
    if type(model).__module__.startswith("sklearn."):
        return isinstance(model, HANDING_ON) and not isinstance(model, RFECV)
    fit_parameters = signature(model.fit).parameters.values() if hasattr(model, "fit") else ()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in fit_parameters)


def _requested(model: Any) -> tuple[str, ...]:
    """Return the same of a model that hands metadata on, by what is requested."""
    with suppress(NotImplementedError):  # of models that cannot say it yet
        return ("sample_weight",) if get_routing_for_object(model).consumes("fit", ["sample_weight"]) else ()
    return ()


def _members(model: Any) -> list[Any]:
    """Return the models inside a model."""
    members: list[Any] = []
    for value in model.get_params(deep=False).values():
        parts = [part[1] for part in value if isinstance(part, tuple) and len(part) > 1] if _is_list(value) else [value]
        members += [
            part for part in parts if not isinstance(part, type) and hasattr(part, "fit") and hasattr(part, "predict")
        ]
    return members


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


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
    if takes_regression_route(model, n_classes):
        return "regression"
    if takes_softmax_route(model, n_classes):
        return "softmax"
    return "repetition" if takes_weights(model) else "hard labels"


def repeats_rows(estimator: Any, rows: TransferSet | JoinedRows | None) -> bool:
    """Return whether a row stands more than once in what `estimator` is fitted on."""
    if rows is None or rows.targets.shape[1] == 1 or rows.is_hard:
        return False
    return route_of(estimator, rows.targets.shape[1]) not in ("regression", "softmax")


def settle(
    estimator: Any, name: str, random_state: int, *key: Any, head: tuple[Any, ...] | None = None, jobs: int = 1
) -> tuple[Any, dict[str, Any]]:
    """Return a clone with every open seed filled by key and its jobs set, and what has to be put back.

    Parameters
    ----------
    estimator : estimator
        Never changed.
    name : str
        What the estimator is on the path, for messages.
    random_state : int
        Base seed of the search.
    *key : object
        What the fit is for.
    head : tuple of object or None
        The same for the transformers of a Pipeline, which fits of different models share; None: as `key`.
    jobs : int, default=1
        Jobs of the fit.

    Raises
    ------
    UnsuitableModel
        If a `random_state` is a generator object: it would draw in order of execution.
    """
    model = clone(estimator)
    if isinstance(estimator, FrozenEstimator):
        return model, {}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    taught = model.steps[-1][0] if isinstance(model, Pipeline) else ""
    params = model.get_params(deep=True)
    for param, value in params.items():
        owner, _, last = param.rpartition("__")
        above = isinstance(model, Pipeline) and param.partition("__")[0] != taught
        if last == "random_state":
            if isinstance(value, (np.random.RandomState, np.random.Generator)):
                raise UnsuitableModel(
                    f"random_state of {name} must be None or an integer, got a {type(value).__name__}: pass one, "
                    "or None to have it derived from the search's random_state."
                )
            if value is None:
                after[param] = seed(random_state, "estimator", param, *(head if head and above else key))
        elif last in JOBS and value != jobs and (value is not None or takes_all_cores(params.get(owner, model))):
            after[param] = jobs
        if param in after:
            before[param] = value
    return model.set_params(**after), before


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
    fitted = _fit_one(model, rows, options.tree_fit)
    strong = None if options.most_features is None else strongest(fitted, rows.X, options.most_features)
    if strong is None:
        return fitted
    synthetic = None if rows.synthetic is None else with_only(rows.synthetic.X, strong)
    again = _fit_one(clone(fitted), rows.with_features(with_only(rows.X, strong), synthetic), options.tree_fit)
    return silenced(again, strong)


def _fit_one(model: Any, rows: TrainingSet, tree_fit: TreeFit | None) -> Any:
    if tree_fit is not None:
        return _fit_tree(tree_fit, model, rows.joined())
    if rows.transfer is None:
        return model.fit(rows.X, rows.target, **_weight_argument(model, rows.sample_weight))
    joined = rows.joined()
    before = _shared_sizes(model, joined.n_real, len(joined.targets))
    class_weight: dict[str, Any] = {}
    if joined.labels is None:
        fitted = _fit_values(model, joined)
    else:
        joined, class_weight = _class_weighted(model, joined)
        fitted = _fit_classes(model, joined)
    if hasattr(fitted, "tree_") and (len(joined.targets) > joined.n_real or repeats_rows(fitted, joined)):
        _count_rows(fitted, rows.X)  # real rows, neither copies nor synthetic ones
    return fitted.set_params(**before, **class_weight)


def _fit_values(model: Any, rows: JoinedRows) -> Any:
    bags = bags_argument(model, rows.y, np.arange(len(rows.targets)))
    values = _in_domain(model, rows.targets[:, 0], rows.y)
    return model.fit(rows.X, values, **_weight_argument(model, rows.weights), **bags)


def _in_domain(model: Any, values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return values to teach, none below the smallest true one where the loss takes positive targets only."""
    params = model.get_params(deep=False)
    losses = [str(params.get(name)) for name in ("loss", "criterion", "objective")]
    positive_only = isinstance(model, (PoissonRegressor, GammaRegressor)) or (
        isinstance(model, TweedieRegressor) and model.power >= 1
    )
    if positive_only or any(word in loss for loss in losses for word in ("poisson", "gamma", "tweedie")):
        return np.asarray(np.maximum(values, y.min()))
    return values


def _fit_tree(tree_fit: TreeFit, model: Any, rows: JoinedRows) -> Any:
    rows, class_weight = (rows, {}) if rows.labels is None else _class_weighted(model, rows)
    fitted = tree_fit.fit(model, rows.X, rows.targets, rows.weights, rows.n_real, rows.labels)
    return fitted.set_params(**class_weight)


def _fit_classes(model: Any, rows: JoinedRows) -> Any:
    """Fit to class distributions by the route that the model's class has for them."""
    assert rows.labels is not None
    targets, weights, labels = rows.targets, rows.weights, rows.labels
    if rows.is_hard:
        bags = bags_argument(model, rows.y, np.arange(len(targets)))
        return model.fit(rows.X, labels[targets.argmax(axis=1)], **_weight_argument(model, weights), **bags)
    if takes_regression_route(model, len(labels)):
        return fit_on_distribution(model, rows.X, targets, _none_if_equal(weights), labels)
    present = targets.any(axis=0)
    if takes_softmax_route(model, int(present.sum())):
        return fit_softmax(model, rows.X, targets[:, present], weights, labels[present])
    return _fit_repeated(model, rows)


def _count_rows(tree: Any, X: Any) -> None:
    tree.tree_.n_node_samples[:] = np.asarray(tree.decision_path(X).sum(axis=0)).ravel()


def _shared_sizes(model: Any, n_real: int, n_joined: int) -> dict[str, Any]:
    """Let sizes that count rows grow with the synthetic rows, on the model; return what has to be put back."""
    params = model.get_params(deep=False)
    if n_joined == n_real:
        return {}
    names = {"min_samples_leaf": 1, "min_samples_split": 2, "min_child_samples": 0}
    changed = {
        name: math.ceil(params[name] * n_joined / n_real)
        for name, least in names.items()
        if _is_count(params.get(name), least)
    } | _without_early_stopping(params)
    model.set_params(**changed)
    return {name: params[name] for name in changed}


def _without_early_stopping(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns early stopping off: it would judge on copies of rows, or on rows that have no true label."""
    if params.get("early_stopping"):
        return {"early_stopping": False}
    if "early_stopping" not in params and params.get("n_iter_no_change") is not None:
        return {"n_iter_no_change": None}  # GradientBoosting
    return {}


def _is_count(size: Any, least: int) -> bool:
    return isinstance(size, (int, np.integer)) and not isinstance(size, bool) and int(size) > least


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


def _none_if_equal(weights: np.ndarray | None) -> np.ndarray | None:
    """Return None for unit weights: the fit is the plain one."""
    return None if weights is None or np.allclose(weights, 1.0, rtol=1e-12, atol=0) else weights


def _weight_argument(model: Any, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    weights = _none_if_equal(weights)
    if weights is None or (np.ptp(weights) == 0 and not takes_weights(model)):
        return {}
    _require_weights(model)
    return dict.fromkeys(weight_names(model), positive(model, weights))


def _require_weights(model: Any) -> None:
    if not takes_weights(model):
        raise UnsuitableModel(
            f"{type(model).__name__} must take sample_weight in fit to be taught weights or soft labels, it does not: "
            "use schemes=[HardLabels()] without sample_weight, or another model."
        )


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
    _require_weights(model)
    copied = rows.targets >= SMALLEST_TARGET * rows.targets.max(axis=1, keepdims=True)
    copied[np.arange(rows.n_real), rows.y] = True
    shares = np.where(copied, rows.targets, 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    places, codes = np.nonzero(copied)
    translated = _repeated_sizes(model, len(copied), len(places), even=bool(np.ptp(rows.weights) == 0))
    before = {name: model.get_params(deep=False)[name] for name in translated}
    model.set_params(**translated)
    weights, bags = rows.weights[places] * shares[places, codes], bags_argument(model, rows.y, places)
    named = dict.fromkeys(weight_names(model), positive(model, weights))
    model.fit(_safe_indexing(rows.X, places), rows.labels[codes], **named, **bags)
    return model.set_params(**before)


def _repeated_sizes(model: Any, n_rows: int, n_repeated: int, *, even: bool) -> dict[str, Any]:
    """Return parameters under which repeated rows mean what `n_rows` real ones would.

    Where leaves can be bounded by weight (trees, forests) and rows weigh the same (`even`), `min_samples_leaf` becomes
    a share of the total weight; elsewhere it grows with the mean number of copies, which is right on average only.
    Early stopping would put copies of one row into both of its parts: it is off.
    """
    params = model.get_params(deep=False)
    copies = n_repeated / n_rows
    changed: dict[str, Any] = {}
    leaf = _as_count(params.get("min_samples_leaf"), n_rows)
    if leaf > n_rows / 2:
        changed["min_samples_leaf"] = n_repeated  # no split can leave as many rows on both sides
    elif leaf > 1 and even and "min_weight_fraction_leaf" in params:
        share = max(leaf / n_rows * (1 - 1e-9), params["min_weight_fraction_leaf"])
        changed |= {"min_samples_leaf": 1, "min_weight_fraction_leaf": share}
    elif leaf > 1:
        changed["min_samples_leaf"] = max(1, round(leaf * copies))
    child = _as_count(params.get("min_child_samples"), n_rows)  # LightGBM
    if child > 1:
        changed["min_child_samples"] = round(child * copies)
    split = _as_count(params.get("min_samples_split"), n_rows)
    if split > 2:
        changed["min_samples_split"] = max(2, round(split * copies))
    return changed | _without_early_stopping(params)


def _as_count(size: Any, n_rows: int) -> int:
    """Return a size given as a number of rows, or as a share of them, as a number; 0 if there is none."""
    if isinstance(size, (float, np.floating)):
        return math.ceil(size * n_rows)
    return int(size) if isinstance(size, (int, np.integer)) else 0
