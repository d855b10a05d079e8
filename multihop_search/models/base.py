"""The protocol `Family`: what the package asks of a class of models, with the answers for a class that nobody knows.

A family is one object for several classes of models, without state. A method that a family does not define has the
answer given here, which goes by what any scikit-learn estimator may have: parameters by their usual names, `tree_` or
members with `tree_`, `coef_`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution

from multihop_search.models.formula import Feature, Scores
from multihop_search.models.portrayal import Coefficients, Portrayal, Shares
from multihop_search.problem.responses import stored_form

TRUNCATIONS = (10, 30, 100)
"""Members of the constructed intermediates; those of at most half of the model's are offered."""
LEAST_IMPORTANCE = float(np.finfo(np.float64).tiny)
"""What a feature is worth at least that is read at all: some splits gain nothing."""


@dataclass(frozen=True)
class Route:
    """How soft labels reach a model without repeating rows."""

    name: str
    """What `route_of` and the docs call it."""
    fit: Callable[[Any, Any, np.ndarray, np.ndarray, np.ndarray], Any]
    """``(model, X, targets, weights, labels)`` to the fitted model; may change `model`.

    Targets are (n_rows, n_classes), labels (n_classes,) in their order.
    """


@dataclass(frozen=True)
class Count:
    """How many parts a fitted model has."""

    number: float
    unit: str
    """What is counted, for instance "nodes"."""


class Family:
    """What the package knows of a class of models.

    Derive from it, define `matches` and what is known, and `register` an instance. Parameters called `model` are an
    estimator as a user makes it, or a fitted one where the method says so; a Pipeline is never asked, its last step is.
    """

    # Which models

    def matches(self, model: Any) -> bool:
        """Return whether a model, fitted or not, is of this family."""
        raise NotImplementedError

    # Members and stages

    is_graded_alone: ClassVar[bool] = True
    """Whether its stages cost no fits of their own, so that an intermediate is graded too."""

    def members(self, model: Any) -> int:
        """Return how many members a fit will have, of which the first k are a model too; 0 without members."""
        return 0

    def layers(self, model: Any) -> int:
        """Return how many hidden layers a fit will have that can be graded by `probes`."""
        return 0

    def first(self, model: Any, k: int) -> Any:
        """Return a fitted model that consists of the first `k` members of the fitted `model`, which stays as it is."""
        raise NotImplementedError

    def staged(
        self, model: Any, X: Any, classes: np.ndarray | None, sizes: Sequence[int], probes: Mapping[int, Any]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return the predictions of a fitted model, (n_rows, n_outputs), and of its stages by k.

        Parameters
        ----------
        model : estimator
            Fitted.
        X : array or DataFrame of shape (n_rows, n_features)
            Rows.
        classes : ndarray of shape (n_classes,) or None
            Labels in the order of the outputs; None in regression.
        sizes : sequence of int
            Stages that are wanted; a model that has fewer members stands itself for those that are missing.
        probes : mapping of int to estimator
            Classifiers on hidden layers, by layer: what `probes` returned.
        """
        whole = stored_form(model, X, classes)
        return whole, dict.fromkeys(sizes, whole)

    def probes(
        self, model: Any, X: Any, labels: np.ndarray, sample_weight: np.ndarray | None, sizes: Sequence[int]
    ) -> dict[int, Any]:
        """Return a classifier on each wanted hidden layer of a model, by layer; the model was fitted on these rows."""
        return {}

    def voters(self, model: Any) -> list[tuple[str, Any]]:
        """Return by name the models, not fitted, of which `model` predicts the mean; none where it does not."""
        return []

    def bags(self, model: Any) -> Iterator[tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]]:
        """Yield for each member of a fitted model its predictions as a function, and the rows that it was fitted on.

        The function takes float32 rows and returns (n_rows, n_outputs); rows are numbers of those that the model was
        fitted on. Asked only where `has_bags`.
        """
        raise NotImplementedError

    def has_bags(self, model: Any) -> bool:
        """Return whether each member of a fit will be fitted on a sample of the rows that is known."""
        return False

    def with_members(self, model: Any, k: int) -> Any:
        """Return a model like `model`, not fitted, whose fit will have `k` members. Asked only where `has_bags`."""
        raise NotImplementedError

    # Size

    def trees(self, model: Any) -> list[Any]:
        """Return the trees inside a fitted model."""
        if hasattr(model, "tree_"):
            return [model.tree_]
        members = getattr(model, "estimators_", None)
        if members is None:
            return []
        flat = np.asarray(members, dtype=object).ravel()
        return [member.tree_ for member in flat] if all(hasattr(member, "tree_") for member in flat) else []

    def nodes(self, model: Any) -> int:
        """Return the number of nodes of the trees inside a fitted model, 0 for a model without."""
        return int(sum(tree.node_count for tree in self.trees(model)))

    def count(self, model: Any) -> Count | None:
        """Return what the size of a fitted model is counted in; None: its pickle is measured."""
        nodes = self.nodes(model)
        if nodes:
            return Count(nodes, "nodes")
        if isinstance(getattr(model, "coef_", None), np.ndarray):
            return Count(float(np.count_nonzero(model.coef_)), "coefficients")
        return None

    def parts(self, model: Any) -> list[Any] | None:
        """Return the fitted models whose complexities add up to that of the fitted `model`; None: it is one model."""
        return None

    # Features

    def importances(self, model: Any) -> np.ndarray | None:
        """Return how much a fitted model draws from each feature, (n_features,), 0 for those that it does not read.

        Impurity decrease or gain of trees, largest absolute coefficient; None where it is not known.
        """
        trees = self.trees(model)
        if trees:
            total = np.zeros(trees[0].n_features)
            for tree in trees:
                np.add.at(total, tree.feature[tree.feature >= 0], LEAST_IMPORTANCE)
                total += np.maximum(tree.compute_feature_importances(normalize=False), 0.0)
            return total
        if isinstance(getattr(model, "coef_", None), np.ndarray):
            return np.asarray(np.abs(np.atleast_2d(model.coef_)).max(axis=0))
        return None

    def has_scaled_importances(self, model: Any) -> bool:
        """Return whether importances of a fitted model hang on the scale of the columns, as coefficients do."""
        return not self.trees(model)

    def silenced(self, model: Any, keep: np.ndarray) -> Any:
        """Return a model that was fitted with every column constant but those to `keep`, (n_features,) of bool.

        Exactly 0 stands for the others: least squares leaves coefficients of 1e-17.
        """
        if isinstance(vars(model).get("coef_"), np.ndarray):
            model.coef_ = np.where(keep, model.coef_, 0.0)
        return model

    # Its own parameters

    def tuned(self, model: Any, variance: float) -> dict[str, BaseDistribution]:
        """Return what `param_distributions="auto"` tunes, by parameter, where the parameter has its default.

        Where the user moved one off its default it stays; an integer distribution keeps its upper part (a leaf size
        only grows). What bounds the size of the model is the user's: it is never among these.

        Parameters
        ----------
        model : estimator
            As the user made it.
        variance : float
            Variance of the target, in regression.
        """
        return {}

    def planned_trees(self, model: Any, n_outputs: int) -> int:
        """Return how many trees a fit will have, each of at most `max_leaf_nodes` leaves; 0 where it is not known."""
        params = model.get_params(deep=False)
        if "max_depth" not in params:
            return 0
        if "n_estimators" in params:
            return int(params["n_estimators"]) * (trees_a_round(n_outputs) if "learning_rate" in params else 1)
        return 1

    def coefficients_a_feature(self, model: Any, n_outputs: int) -> int:
        """Return how many coefficients a feature that is read adds to a fit; 0 where the model is not linear."""
        return 0

    # Threads

    jobs: ClassVar[tuple[str, ...]] = ("n_jobs", "num_threads", "thread_count")
    """Parameters that say how many threads or processes a model may use."""
    takes_all_cores: ClassVar[bool] = False
    """Whether it takes every core where none of them is set, whatever the limit of the process is."""

    # Transfer sets

    row_counts: ClassVar[Mapping[str, int]] = {"min_samples_leaf": 1, "min_samples_split": 2}
    """Parameters that count rows, and the largest value that asks for nothing: they grow with synthetic rows."""

    def without_early_stopping(self, model: Any) -> dict[str, Any]:
        """Return the parameters that turn early stopping off, none where it is off.

        It would judge on copies of rows, or on rows without a true label.
        """
        return {"early_stopping": False} if model.get_params(deep=False).get("early_stopping") else {}

    def takes_positive_targets_only(self, model: Any) -> bool:
        """Return whether the loss of a regressor has no value for targets below 0."""
        params = model.get_params(deep=False)
        losses = [str(params.get(name)) for name in ("loss", "criterion", "objective")]
        return any(word in loss for loss in losses for word in ("poisson", "gamma", "tweedie"))

    def soft_labels(self, model: Any, n_classes: int, n_present: int) -> Route | None:
        """Return the model's own route for soft labels of `n_classes` classes, of which `n_present` have a share.

        None: each row is repeated once per class with the class's share as its weight, or, where `fit` takes no
        weights, it learns hard labels only.
        """
        return None

    def fit_arguments(self, model: Any, y: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        """Return further arguments of a fit on rows that are copies or synthetic.

        Parameters
        ----------
        model : estimator
            Its seed is an integer.
        y : ndarray of shape (n_real,)
            True class codes, or values.
        rows : ndarray of shape (n_fitted,)
            Number of the real row that each fitted one is, or is a copy of; `n_real` or more: synthetic.
        """
        return {}

    def allowed_weights(self, weights: np.ndarray) -> np.ndarray:
        """Return weights (n_rows,), at least 0, as `fit` takes them."""
        return weights

    def count_rows(self, model: Any, X: Any) -> None:
        """Let a fitted model report the real rows `X` that reach its parts, not the copies that it was fitted on."""

    # How it is shown and exported

    def portrayal(self, model: Any) -> Portrayal:
        """Return what a fitted model shows of itself: a tree, coefficients, or what it draws from each feature."""
        coefficients = getattr(model, "coef_", None)
        if coefficients is not None:
            weights = np.asarray(coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients)
            intercept = getattr(model, "intercept_", None)
            return Coefficients(np.atleast_2d(weights), 0.0 if intercept is None else intercept)
        return Shares(self.importances(model), len(self.trees(model)))

    has_formula: ClassVar[bool] = False
    """Whether it can be exported as a formula: then `formula` is defined."""

    def encoder(self, model: Any) -> Any:
        """Return the transformer inside a fitted model that its formula comes behind, None without."""
        return None

    def formula(self, model: Any, features: Sequence[Feature]) -> Scores:
        """Return the scores of a fitted model as a formula over its columns; `features` is what stands in them.

        Raises
        ------
        UnsuitableModel
            If this model cannot be written so.
        """
        raise NotImplementedError


class AnyModel(Family):
    """The family of every model that no other one matches."""

    def matches(self, model: Any) -> bool:
        """Return True: it is asked last."""
        return True


def trees_a_round(n_outputs: int) -> int:
    """Return how many trees a booster fits in a round."""
    return n_outputs if n_outputs > 2 else 1


def qualified_name(model: Any) -> str:
    """Return the name of a model's class with its module."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def is_of_library(model: Any, library: str) -> bool:
    """Return whether a model is of a class of a library, or derived from one; the library is not imported for it."""
    return any(kind.__module__.partition(".")[0] == library for kind in type(model).__mro__)


def aligned(stage: np.ndarray, model: Any, classes: np.ndarray | None) -> np.ndarray:
    """Return a stage's predictions, (n_rows, n_outputs), in the order of `classes`; a fold may lack one."""
    if classes is None:
        return np.asarray(stage).reshape(-1, 1)
    table = np.zeros((len(stage), len(classes)))
    table[:, np.searchsorted(classes, model.classes_)] = stage
    return table


def none_if_equal(weights: np.ndarray | None) -> np.ndarray | None:
    """Return None for unit weights: the fit is the plain one."""
    return None if weights is None or np.allclose(weights, 1.0, rtol=1e-12, atol=0) else weights
