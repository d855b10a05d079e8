"""Text for the terminal: the comparison of models, and the student itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import BaseDecisionTree

from multihop_search.paths.complexity import complexity, count_nodes, latency_us

MOST_COEFFICIENTS = 12


def comparison(models: Mapping[str, Any], scores: pd.DataFrame, rows: Mapping[str, str], row: Any) -> str:
    """Return the table of models: honest log-loss and accuracy, size and latency.

    Parameters
    ----------
    models : mapping of str to fitted model
        By the name that the table shows, in its order.
    scores : DataFrame
        `Verdict.scores`.
    rows : mapping of str to str
        For each name the row of `scores` that speaks of it.
    row : array or DataFrame of shape (1, n_features)
        What the latency is measured on.
    """
    lines = [f"{'':<14}{'log-loss':>9}{'accuracy':>10}{'nodes':>9}{'latency':>12}"]
    for name, model in models.items():
        loss, accuracy = scores.loc[rows[name], ["log_loss", "accuracy"]]
        size = f"{complexity(model):,.0f}"
        lines.append(f"{name:<14}{loss:>9.4f}{accuracy:>10.4f}{size:>9}{latency_us(model, row):>9,.0f} us")
    return "\n".join(lines)


def describe(model: Any, feature_names: Sequence[str], class_names: Sequence[Any]) -> str:
    """Return the student as text: a tree's rules, a linear model's largest coefficients, else its size."""
    if isinstance(model, BaseDecisionTree):
        return "\n".join(_branches(model.tree_, 0, "", list(feature_names), class_names))
    if hasattr(model, "coef_"):
        return _coefficients(model, feature_names, class_names)
    return f"{type(model).__name__} of {count_nodes(model):,} nodes"


def _branches(tree: Any, node: int, indent: str, features: Sequence[str], classes: Sequence[Any]) -> Iterator[str]:
    """Yield the lines below `node`; a leaf says its class, how probable it is, and how many training rows it holds."""
    if tree.children_left[node] == -1:
        shares = tree.value[node, 0]
        best = int(shares.argmax())
        rows, word = int(tree.n_node_samples[node]), "row" if tree.n_node_samples[node] == 1 else "rows"
        yield f"{indent}{classes[best]} {100 * shares[best] / shares.sum():.0f} % ({rows:,} {word})"
        return
    name, threshold = features[tree.feature[node]], tree.threshold[node]
    for sign, child in (("<=", tree.children_left[node]), (">", tree.children_right[node])):
        below = list(_branches(tree, child, indent + "|   ", features, classes))
        head = f"{indent}{name} {sign} {threshold:.4g}"
        if len(below) == 1:
            yield f"{head}: {below[0].removeprefix(indent + '|   ')}"
        else:
            yield head
            yield from below


def _coefficients(model: Any, feature_names: Sequence[str], class_names: Sequence[Any]) -> str:
    weights = np.atleast_2d(model.coef_)
    heads = [str(class_names[-1])] if len(weights) == 1 else [str(name) for name in class_names]
    order = np.argsort(-np.abs(weights).max(axis=0))[:MOST_COEFFICIENTS]
    width = max(len(str(feature_names[column])) for column in order) + 2
    lines = [f"{'feature':<{width}}" + "".join(f"{head:>12.12}" for head in heads)]
    for column in order:
        lines.append(f"{feature_names[column]!s:<{width}}" + "".join(f"{w:>12.4f}" for w in weights[:, column]))
    if len(feature_names) > len(order):
        lines.append(f"... and {len(feature_names) - len(order)} smaller ones")
    return "\n".join(lines)
