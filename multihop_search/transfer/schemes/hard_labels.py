"""Hard labels: the upper model's most probable class is the target; the simplest form of model compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet, one_hot


@dataclass(frozen=True)
class HardLabels(Scheme):
    """Targets one-hot(argmax q). A class that would have no row left keeps its true rows.

    References
    ----------
    Bucila, Caruana and Niculescu-Mizil, "Model compression", KDD 2006.

    Examples
    --------
    >>> q = TeacherOutputs(np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]]))
    >>> HardLabels().transfer_set(q, np.array([0, 1, 1])).targets
    array([[1., 0.],
           [0., 1.],
           [1., 0.]])
    """

    needs_weights: ClassVar[bool] = False

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        labels = outputs.predictions.argmax(axis=1)
        note = ""
        while len(gone := np.setdiff1d(y, labels)):  # the rows of one class may have been all that another had
            labels = np.where(np.isin(y, gone), y, labels)
            note = "a class that the upper model never predicts kept its true rows"
        return TransferSet(one_hot(labels, outputs.predictions.shape[1]), np.ones(len(y)), note)

    def label(self, outputs: TeacherOutputs) -> np.ndarray:
        return one_hot(outputs.predictions.argmax(axis=1), outputs.predictions.shape[1])
