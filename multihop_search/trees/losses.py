"""Losses of a tree on a transfer set: the cost of a leaf from its totals, and of each row under each leaf's value.

Totals are the weighted sums of the targets, (..., n_outputs), and of the weights, (...); a leaf's best value is their
quotient. Every loss is a sum over rows, so the cost of a tree is the sum over its leaves.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

SMALLEST = 1e-3
"""Probabilities are floored here, as in the score: a pure leaf is not infinitely sure."""

TINY = np.finfo(np.float64).tiny
ROUNDING = 1e-9
"""A leaf of a smaller share of the weight is empty: its totals are differences of sums, their quotient is noise."""


class Loss(Protocol):
    """What the growing of a tree asks of a loss."""

    def of_leaf(self, totals: np.ndarray, weight: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
        """Return the cost of leaves, (...), at their best value.

        `whole` is the weight of all rows of the node that each is below; None: of the heaviest leaf.
        """

    def of_rows(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the loss of each row, (n_rows, n_leaves), under each leaf's value, (n_leaves, n_outputs)."""


class LogLoss:
    """Cross-entropy of class distributions, in nats."""

    def of_leaf(self, totals: np.ndarray, weight: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
        positive = np.maximum(totals, 0.0)
        log = np.maximum(positive, TINY)
        np.log(log, out=log)
        inside = np.maximum(weight, TINY)
        return np.asarray(weight * np.log(inside) - np.einsum("...k,...k->...", positive, log))

    def of_rows(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        losses = targets @ np.log(np.maximum(values, SMALLEST)).T
        return np.asarray(np.negative(losses, out=losses))


class ErrorRate:
    """Expected share of rows whose most probable class is not the leaf's: 1 - q_c for a leaf that says c."""

    def of_leaf(self, totals: np.ndarray, weight: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(weight - totals.max(axis=-1))

    def of_rows(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 - targets[:, values.argmax(axis=1)])


class SquaredLoss:
    """Squared error of values, without the part that no tree can change (the sum of the squared targets)."""

    def of_leaf(self, totals: np.ndarray, weight: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
        is_present = weight > ROUNDING * (np.max(weight, initial=0.0) if whole is None else whole)
        return np.asarray(np.where(is_present, -(totals**2).sum(axis=-1) / np.where(is_present, weight, 1.0), 0.0))

    def of_rows(self, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.asarray((values**2).sum(axis=1) - 2.0 * (targets @ values.T))


LOSSES: dict[str, Loss] = {"log-loss": LogLoss(), "error": ErrorRate(), "squared": SquaredLoss()}
