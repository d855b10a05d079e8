"""The training set: all that one fit reads, as one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import vstack

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.transfer.transfer_set import SyntheticSet, TransferSet, one_hot


@dataclass(frozen=True)
class TrainingSet:
    """Real rows with their true labels and, where a model is taught, what it is to learn instead."""

    X: Any
    """Real rows, array or DataFrame, (n_rows, n_features)."""
    y: np.ndarray
    """Class codes, `labels[y]` is what the model learns to say; in regression the target, (n_rows,)."""
    labels: np.ndarray | None
    """Labels by code, sorted, (n_classes,); None in regression."""
    sample_weight: np.ndarray | None = None
    """The user's weights, (n_rows,)."""
    transfer: TransferSet | None = None
    """Targets, weights and synthetic rows; None: the plain fit."""

    @property
    def target(self) -> np.ndarray:
        """The true labels, or values, (n_rows,)."""
        return self.y if self.labels is None else self.labels[self.y]

    @property
    def synthetic(self) -> SyntheticSet | None:
        return None if self.transfer is None else self.transfer.synthetic

    def with_features(self, X: Any, synthetic: Any) -> TrainingSet:
        """Return the same rows with other features, those of the synthetic rows beside those of the real ones."""
        if self.transfer is None or self.transfer.synthetic is None:
            return replace(self, X=X)
        beside = replace(self.transfer.synthetic, X=synthetic)
        return replace(self, X=X, transfer=replace(self.transfer, synthetic=beside))

    def take(self, rows: np.ndarray) -> TrainingSet:
        """Return some of the real rows, by position, without synthetic ones."""
        weight, transfer = self.sample_weight, self.transfer
        return TrainingSet(
            safe_indexing(self.X, rows),
            self.y[rows],
            self.labels,
            sample_weight=None if weight is None else weight[rows],
            transfer=None if transfer is None else TransferSet(transfer.targets[rows], transfer.weights[rows]),
        )

    def joined(self) -> JoinedRows:
        """Return real and synthetic rows as one table; without a transfer set the true labels are the targets."""
        transfer = self.transfer
        if transfer is None:
            targets = self.y[:, None] if self.labels is None else one_hot(self.y, len(self.labels))
            transfer = TransferSet(targets, np.ones(len(self.y)))
        transfer = transfer.finished(self.y, self.sample_weight)
        X = self.X if transfer.synthetic is None else _stacked(self.X, transfer.synthetic.X)
        return JoinedRows(
            X=X,
            targets=transfer.joined_targets,
            weights=transfer.joined_weights,
            y=self.y,
            labels=self.labels,
            is_hard=transfer.is_hard,
        )


@dataclass(frozen=True, kw_only=True)
class JoinedRows:
    """Rows with a target and a weight each, real rows first, then synthetic ones."""

    X: Any
    """(n_joined, n_features)."""
    targets: np.ndarray
    """Class distributions (n_joined, n_classes), or values (n_joined, 1)."""
    weights: np.ndarray
    """(n_joined,)."""
    y: np.ndarray
    """True codes, or values, of the real rows, (n_real,)."""
    labels: np.ndarray | None
    """Labels by code, (n_classes,); None in regression."""
    is_hard: bool
    """Whether every target was one class before class weights moved them."""

    @property
    def n_real(self) -> int:
        return len(self.y)


def _stacked(X: Any, more: Any) -> Any:
    if hasattr(X, "iloc"):
        return pd.concat([X, more], ignore_index=True)
    if hasattr(X, "tocsr"):
        return vstack([X, more]).tocsr()
    return np.concatenate([X, more])
