"""Confidence weighting: rows count by how sure the upper model is of their true class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet, one_hot


@dataclass(frozen=True)
class ConfWeight(Scheme):
    """True labels, each row weighted by ``q_y(x)``, the upper model's probability of its true class.

    References
    ----------
    The special case of ProfWeight without stages: Dhurandhar, Shanmugam, Luss and Olsen, "Improving simple models with
    confidence profiles", NeurIPS 2018, arXiv:1807.07506.

    Examples
    --------
    >>> q = TeacherOutputs(np.array([[0.8, 0.2], [0.4, 0.6]]))
    >>> ConfWeight().transfer_set(q, np.array([0, 0])).weights
    array([0.8, 0.4])
    """

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        q = outputs.predictions.astype(np.float64)
        return TransferSet(one_hot(y, q.shape[1]), q[np.arange(len(y)), y])
