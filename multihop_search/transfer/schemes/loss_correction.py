"""Loss correction: the upper model's outputs, moved towards the true labels where the two nearly agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from multihop_search.recipe import check_field
from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet, targets_of


@dataclass(frozen=True)
class LossCorrection(Scheme):
    """Targets ``q + g * (Y - q)``, with ``g = c / (c + (Y - q)**2)`` per entry, divided by the sum of the row.

    Y are the one-hot labels. Where the upper model is far from a label it is trusted (g near 0), where it is near the
    label counts (g near 1). In regression Y and q are values, and ``Y - q`` is divided by the standard deviation of y
    inside g; nothing is summed to 1.

    Parameters
    ----------
    c : float in (0, 1e6] or Optuna distribution, default=FloatDistribution(1e-2, 10.0, log=True)
        Squared residual at which upper model and label count the same: near 0 it is pure distillation, and far above 1
        the labels alone.

    References
    ----------
    Dao, Kamath, Syrgkanis and Mackey, "Knowledge distillation as semiparametric inference", ICLR 2021,
    arXiv:2104.09732.

    Examples
    --------
    >>> q = TeacherOutputs(np.array([[0.5, 0.5], [0.0, 1.0]]))
    >>> LossCorrection(c=0.25).transfer_set(q, np.array([0, 0])).targets
    array([[0.75, 0.25],
           [0.2 , 0.8 ]])
    """

    c: float | BaseDistribution = FloatDistribution(1e-2, 10.0, log=True)

    usual_values: ClassVar[Mapping[str, Any]] = {"c": 0.1}

    def check(self) -> None:
        check_field(self, "c", 0, 1e6, open_low=True)

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        assert not isinstance(self.c, BaseDistribution)
        q = outputs.calibrated
        labels = targets_of(y, outputs)
        scale = np.std(y) if outputs.is_regression and np.ptp(y) > 0 else 1.0  # a constant may have a std of 1e-17
        g = self.c / (self.c + ((labels - q) / scale) ** 2)
        targets = (1.0 - g) * q + g * labels  # never below 0, as q + g * (Y - q) may be by rounding
        if not outputs.is_regression:
            targets /= targets.sum(axis=1, keepdims=True)
        return TransferSet(targets, np.ones(len(y)))

    def for_regression(self) -> LossCorrection:
        return self
