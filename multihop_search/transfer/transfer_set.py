"""What passes over a hop: the upper model's outputs go in, a transfer set comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class TeacherOutputs:
    """What an upper model tells about the training rows of one fold; small arrays only."""

    proba: np.ndarray
    """Cross-fitted class probabilities, (n_train, n_classes), float32."""
    stages: Mapping[int, np.ndarray] = field(default_factory=dict)
    """Cross-fitted probabilities of the first k members, by k; each of the shape of `proba`."""

    def take(self, positions: np.ndarray) -> TeacherOutputs:
        """Return the outputs for some of the training rows."""
        return TeacherOutputs(self.proba[positions], {k: proba[positions] for k, proba in self.stages.items()})


@dataclass(frozen=True)
class TransferSet:
    """Targets and weights of the training rows: all that a student's fit needs beside the features."""

    targets: np.ndarray
    """Class distribution of each row, (n_rows, n_classes), float64; rows sum to 1."""
    weights: np.ndarray
    """Weight of each row, (n_rows,), before `finished`."""
    note: str = ""
    """What fell back, if anything did (no usable weight, for instance)."""

    @property
    def is_hard(self) -> bool:
        """Whether every target is one class."""
        return bool((self.targets.max(axis=1) == 1.0).all())

    def finished(self, y: np.ndarray, sample_weight: np.ndarray | None) -> TransferSet:
        """Return the set with the user's weights in it and the total weight of the rows as the user gave it.

        The total matters for regularised models: a scheme must not change the strength of `C`. Where a class would
        lose all its weight its rows keep the mean weight, and where all rows would, every weight is 1.

        Parameters
        ----------
        y : ndarray of shape (n_rows,)
            True class codes.
        sample_weight : ndarray of shape (n_rows,) or None
            The user's weights.
        """
        user = np.ones(len(y)) if sample_weight is None else sample_weight
        weights, note = self.weights * user, self.note
        if not weights.sum() > 0:
            weights, note = user.copy(), "all weights were 0: unit weights were used"
        totals = np.bincount(y, weights=weights, minlength=self.targets.shape[1])
        lost = (totals[y] == 0) & (user > 0)
        if lost.any():
            weights = np.where(lost, user * weights.sum() / user.sum(), weights)
            note = "a class lost all its weight: its rows kept the mean weight"
        if weights.sum() > 0:
            weights = weights * (user.sum() / weights.sum())
        return TransferSet(self.targets, weights, note)


def one_hot(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the one-hot rows (n_rows, n_classes) of class codes."""
    return np.asarray(np.eye(n_classes)[y])
