"""Private names of scikit-learn: the state of trees, forests and histogram boosters; classes without a public name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from sklearn.utils import _safe_indexing as safe_indexing

__all__ = [
    "BaseScorer",
    "BaseSearchCV",
    "LinearClassifierMixin",
    "LinearModel",
    "Tree",
    "bits_of",
    "encoder_of",
    "first_rounds",
    "hand_over_bags",
    "node_type",
    "nodes_of",
    "parts_of",
    "responses_of",
    "round_trees",
    "safe_indexing",
    "start_of",
    "takes_weights",
    "tree_of",
]


# Scorers


def responses_of(scorer: BaseScorer) -> tuple[str, ...]:
    """Return the methods of a model that a scorer reads, the first that the model has."""
    wanted = scorer._response_method
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def takes_weights(scorer: Any) -> bool:
    """Whether a scorer takes `sample_weight`, as scikit-learn finds out."""
    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    try:  # a scorer of scikit-learn 1.6 takes weights itself, and its function may not
        return "sample_weight" in inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
    except (ValueError, TypeError):  # of a function in C
        return False


def parts_of(scorer: Any) -> list[Any] | None:
    """Return what a scorer calls: function, sign, arguments and method of the model; None of any other callable."""
    if not hasattr(scorer, "_score_func"):
        return None
    return [scorer._score_func, scorer._sign, scorer._kwargs, getattr(scorer, "_response_method", None)]


# Trees: `Tree` takes its nodes and values through `__setstate__`, as pickle gives them


@cache
def node_type() -> np.dtype:
    """Return how scikit-learn lays out a node; its fields differ between versions."""
    dtype: np.dtype = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]).tree_.__getstate__()["nodes"].dtype
    return dtype


def tree_of(n_features: int, nodes: np.ndarray, values: np.ndarray, max_depth: int) -> Tree:
    """Return a tree with one target.

    Parameters
    ----------
    n_features : int
        Columns of the rows.
    nodes : ndarray of shape (n_nodes,)
        As `node_type` lays them out, parents first.
    values : ndarray of shape (n_nodes, n_values)
        Shares of the classes, or the one value of a regression tree.
    max_depth : int
        Levels below the root.
    """
    tree = Tree(n_features, np.array([values.shape[1]], dtype=np.intp), 1)
    table = np.ascontiguousarray(values[:, None, :])
    tree.__setstate__({"max_depth": max_depth, "node_count": len(nodes), "nodes": nodes, "values": table})
    return tree


def nodes_of(tree: Tree) -> np.ndarray:
    """Return a copy of the nodes of a tree, with its fields."""
    nodes: np.ndarray = tree.__getstate__()["nodes"].copy()
    return nodes


# Forests


def hand_over_bags(giver: Any, taker: Any) -> None:
    """Let a forest know which rows its trees were fitted on, as `estimators_samples_` reads it, from another one."""
    for name, value in vars(giver).items():
        if name.startswith("_"):
            setattr(taker, name, value)


# Histogram boosters


def round_trees(booster: Any) -> list[list[Any]]:
    """Return the trees of each round, one for each output."""
    return list(booster._predictors)


def first_rounds(booster: Any, k: int) -> Any:
    """Return a fitted histogram booster of the first `k` rounds."""
    short = copy.copy(booster)
    short._predictors = booster._predictors[:k]
    short.max_iter = k
    return short


def start_of(booster: Any) -> np.ndarray:
    """Return the scores that a histogram booster starts from, (n_outputs,)."""
    return np.asarray(booster._baseline_prediction, dtype=float).ravel()


def encoder_of(booster: Any) -> Any:
    """Return what a histogram booster does to columns before its trees read them, None if nothing."""
    return getattr(booster, "_preprocessor", None)


def bits_of(tree: Any, node: Mapping[str, Any] | np.void) -> np.ndarray:
    """Return the bits of the categories that go left at a node of a histogram booster's tree."""
    return np.asarray(tree.raw_left_cat_bitsets[node["bitset_idx"]])
