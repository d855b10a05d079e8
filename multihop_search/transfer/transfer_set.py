"""What passes over a hop: the upper model's outputs go in, a transfer set comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from multihop_search.transfer.calibration import softened


@dataclass(frozen=True)
class TeacherOutputs:
    """What an upper model tells about the training rows of one fold; small arrays only."""

    predictions: np.ndarray
    """Cross-fitted probabilities, (n_train, n_classes), float32, or in regression values, (n_train, 1), float64."""
    stages: Mapping[int, np.ndarray] = field(default_factory=dict)
    """Cross-fitted predictions of the first k members, by k; each of the shape of `predictions`."""
    synthetic: Mapping[str, TeacherOutputs] = field(default_factory=dict)
    """The same on the fold's synthetic rows, by their generator, each labelled by fits that did not see its parent."""
    plain: np.ndarray | None = None
    """Cross-fitted predictions of the lower model without a teacher, of the shape of `predictions`, for schemes that
    ask for them."""
    temperature: float = 1.0
    """What calibrates the predictions on the fold's training rows, see `calibrating_temperature`; 1 as they are."""
    response: np.ndarray | None = None
    """What the teacher's own `predict` and decision function say, (n_train, n_columns), as `problem.responses` stores
    it; known of the teacher on all rows, None where they say what the predictions do."""
    seconds: float = 0.0
    """Of the cross-fits that these outputs took, those of the models above too."""

    @property
    def table(self) -> np.ndarray:
        """What a score reads of the model, (n_train, n_columns)."""
        return self.predictions if self.response is None else self.response

    @property
    def calibrated(self) -> np.ndarray:
        """The predictions as they pass on: probabilities at their calibrating temperature, or values; float64."""
        return self.softened(1.0)

    def softened(self, temperature: float) -> np.ndarray:
        """Return the calibrated probabilities at a temperature: above 1 flatter; in regression the values."""
        if self.is_regression:
            return self.predictions.astype(np.float64)
        return softened(self.predictions, temperature * self.temperature)

    @property
    def is_regression(self) -> bool:
        return bool(self.predictions.shape[1] == 1)

    def take(self, positions: np.ndarray, synthetic: Mapping[str, np.ndarray] | None = None) -> TeacherOutputs:
        """Return the outputs for some of the training rows and, by generator, of the synthetic rows."""
        return TeacherOutputs(
            self.predictions[positions],
            {k: stage[positions] for k, stage in self.stages.items()},
            {name: self.synthetic[name].take(rows) for name, rows in (synthetic or {}).items()},
            None if self.plain is None else self.plain[positions],
            self.temperature,
        )


@dataclass(frozen=True)
class SyntheticSet:
    """Synthetic rows of a transfer set, labelled."""

    X: Any
    """(n_synthetic, n_features), of the kind of the real rows."""
    targets: np.ndarray
    """(n_synthetic, n_outputs), as `TransferSet.targets`."""
    parent: np.ndarray
    """Position of the real row that each was made from, (n_synthetic,)."""
    weights: np.ndarray | None = None
    """Weight of each, (n_synthetic,), once `TransferSet.finished`."""
    place: tuple[str, np.ndarray] | None = None
    """Generator and row numbers, (n_synthetic,), in the pool of rows that it has made for the fold."""


@dataclass(frozen=True)
class TransferSet:
    """Targets and weights of the training rows: all that a student's fit needs beside the features."""

    targets: np.ndarray
    """Class distribution of each row, (n_rows, n_classes), float64, rows sum to 1; in regression (n_rows, 1) values."""
    weights: np.ndarray
    """Weight of each row, (n_rows,), before `finished`."""
    note: str = ""
    """What fell back, if anything did (no usable weight, for instance)."""
    synthetic: SyntheticSet | None = None

    @property
    def is_hard(self) -> bool:
        """Whether every target is one class."""
        return bool(np.all(self.joined_targets.max(axis=1) == 1.0))

    @property
    def joined_targets(self) -> np.ndarray:
        """Targets of the real rows, then of the synthetic ones."""
        return self.targets if self.synthetic is None else np.concatenate([self.targets, self.synthetic.targets])

    @property
    def joined_weights(self) -> np.ndarray:
        """Weights of the real rows, then of the synthetic ones; of a finished set."""
        if self.synthetic is None or self.synthetic.weights is None:
            return self.weights
        return np.concatenate([self.weights, self.synthetic.weights])

    def finished(self, y: np.ndarray, sample_weight: np.ndarray | None) -> TransferSet:
        """Return the set with the user's weights in it and the total weight of the real rows as the user gave it.

        The total matters for regularised models: a scheme must not change the strength of `C`. Where a class would
        lose all its weight its rows keep the mean weight, and where all rows would, every weight is 1. A synthetic row
        counts as the user's weight of its parent says, and real and synthetic rows share the total.

        Parameters
        ----------
        y : ndarray of shape (n_rows,)
            True class codes, or values.
        sample_weight : ndarray of shape (n_rows,) or None
            The user's weights.
        """
        user = np.ones(len(y)) if sample_weight is None else sample_weight
        weights, note = self.weights * user, self.note
        if 0 < weights.sum() < np.finfo(np.float64).tiny:  # a quotient of such numbers is infinite
            weights = weights / weights.max()
        if not weights.sum() > 0:
            weights, note = user.copy(), "all weights were 0: unit weights were used"
        if self.targets.shape[1] > 1:
            totals = np.bincount(y, weights=weights, minlength=self.targets.shape[1])
            lost = (totals[y] == 0) & (user > 0)
            if lost.any():
                weights = np.where(lost, user * weights.sum() / user.sum(), weights)
                note = "a class lost all its weight: its rows kept the mean weight"
        if weights.sum() > 0:
            weights = weights * (user.sum() / weights.sum())
        if self.synthetic is None:
            return TransferSet(self.targets, weights, note)
        beside = user[self.synthetic.parent]
        share = user.sum() / (user.sum() + beside.sum()) if user.sum() > 0 else 1.0
        return TransferSet(self.targets, weights * share, note, replace(self.synthetic, weights=beside * share))


def one_hot(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the one-hot rows (n_rows, n_classes) of class codes."""
    return np.asarray(np.eye(n_classes)[y])


def targets_of(y: np.ndarray, outputs: TeacherOutputs) -> np.ndarray:
    """Return the true targets: one-hot rows (n_rows, n_classes), or in regression the values, (n_rows, 1)."""
    if outputs.is_regression:
        return np.asarray(y, dtype=np.float64)[:, None]
    return one_hot(y, outputs.predictions.shape[1])
