"""Text for the terminal: the comparison of models, and the student itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from multihop_search.models.complexity import count_nodes
from multihop_search.models.portrayal import Coefficients, OneTree
from multihop_search.models.registry import family_of
from multihop_search.problem.units import MEASURES
from multihop_search.report.facts import Compared
from multihop_search.visible import visible

MOST_COEFFICIENTS = 12


def comparison(models: Sequence[Compared]) -> str:
    """Return the table of models: honest scores, size and latency."""
    measures = [name for name in models[0].scores if name != "score"]
    width = max(len(model.name) for model in models) + 3
    head = "".join(f"{name.replace('_', '-'):>10}" for name in measures)
    lines = [f"{'':<{width}}{head}{'nodes':>9}{'features':>10}{'latency':>12}"]
    for model in models:
        values = "".join(
            f"{model.scores[measure]:>10.4{'f' if MEASURES[measure].fixed else 'g'}}" for measure in measures
        )
        size = f"{model.size:>9,.0f}{model.n_features:>10,.0f}"
        lines.append(f"{model.name:<{width}}{values}{size}{model.latency_us:>9,.0f} us")
    return "\n".join(lines)


def describe(model: Any, feature_names: Sequence[str], class_names: Sequence[Any] | None) -> str:
    """Return the student as text: a tree's rules, a linear model's largest coefficients, else its size.

    `class_names` is None in regression. Of a Pipeline the last step is described, on what the others make of the rows.
    """
    if isinstance(model, Pipeline):
        return describe(model.steps[-1][1], names_within(model, feature_names), class_names)
    feature_names = [visible(name, keep="") for name in feature_names]
    class_names = None if class_names is None else [visible(name, keep="") for name in class_names]
    portrayal = family_of(model).portrayal(model)
    if isinstance(portrayal, OneTree):
        return "\n".join(_branches(portrayal.tree, 0, "", list(feature_names), class_names))
    if isinstance(portrayal, Coefficients):
        return _coefficients(portrayal.weights, feature_names, class_names)
    return f"{type(model).__name__} of {count_nodes(model):,} nodes"


def names_within(pipeline: Pipeline, names: Sequence[str]) -> list[str]:
    """Return what the columns are called that the last step of a fitted Pipeline reads."""
    last = pipeline.steps[-1][1]
    if all(step is None or step == "passthrough" for _, step in pipeline.steps[:-1]):
        return list(names)
    try:
        return [str(name) for name in pipeline[:-1].get_feature_names_out(list(names))]
    except (AttributeError, ValueError):  # a step that does not say what its columns are called
        return [f"column {place}" for place in range(_width(last))]


def _width(model: Any) -> int:
    """Return how many columns a fitted model, or the first step of a Pipeline that counted them, reads."""
    if isinstance(model, Pipeline):
        return next(filter(None, (_width(step) for _, step in model.steps)), 0)
    return int(getattr(model, "n_features_in_", 0))


def _branches(
    tree: Any, node: int, indent: str, features: Sequence[str], classes: Sequence[Any] | None
) -> Iterator[str]:
    """Yield the lines below `node`; a leaf says what it predicts and how many training rows it holds."""
    if tree.children_left[node] == -1:
        rows, word = int(tree.n_node_samples[node]), "row" if tree.n_node_samples[node] == 1 else "rows"
        words = f"{tree.value[node, 0, 0]:.4g}"
        if classes is not None:
            shares = tree.value[node, 0]
            best = int(shares.argmax())
            words = f"{classes[best]} {100 * shares[best] / shares.sum():.0f} %"
        yield f"{indent}{words} ({rows:,} {word})"
        return
    name, threshold = features[tree.feature[node]], tree.threshold[node]
    for sign, child in (("<=", tree.children_left[node]), (">", tree.children_right[node])):
        below = list(_branches(tree, child, indent + "|   ", features, classes))
        head = f"{indent}{name} {sign} {threshold:.5g}"
        if len(below) == 1:
            yield f"{head}: {below[0].removeprefix(indent + '|   ')}"
        else:
            yield head
            yield from below


def _coefficients(weights: np.ndarray, feature_names: Sequence[str], class_names: Sequence[Any] | None) -> str:
    classes = class_names if class_names is not None else ["value"]
    heads = [str(classes[-1])] if len(weights) == 1 else [str(name) for name in classes]
    order = np.argsort(-np.abs(weights).max(axis=0))[:MOST_COEFFICIENTS]
    width = max(len(str(feature_names[column])) for column in order) + 2
    lines = [f"{'feature':<{width}}" + "".join(f"{head:>12.12}" for head in heads)]
    for column in order:
        lines.append(f"{feature_names[column]!s:<{width}}" + "".join(f"{w:>12.4f}" for w in weights[:, column]))
    if len(feature_names) > len(order):
        lines.append(f"... and {len(feature_names) - len(order)} smaller ones")
    return "\n".join(lines)
