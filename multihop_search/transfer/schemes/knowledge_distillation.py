"""Knowledge distillation: the upper model's probabilities, mixed with the true labels, are the targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from multihop_search.errors import InvalidSetting
from multihop_search.recipe import check_field
from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet, targets_of


@dataclass(frozen=True)
class KnowledgeDistillation(Scheme):
    """Targets ``alpha * q_T + (1 - alpha) * Y``, with ``q_T = q**(1/T)`` renormalised and Y the one-hot labels.

    Parameters
    ----------
    alpha : float in [0, 1] or Optuna distribution, default=FloatDistribution(0.2, 1.0)
        Share of the upper model's probabilities; the rest are true labels.
    temperature : float > 0 or Optuna distribution, default=FloatDistribution(0.85, 1.4, log=True)
        Above 1 the probabilities are flattened, below 1 sharpened. With logits log q this is the softmax at
        temperature T; q is calibrated before (see `TeacherOutputs.temperature`). In regression there is none: values
        are mixed as they are.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, arXiv:1503.02531.

    Examples
    --------
    >>> q = TeacherOutputs(np.array([[0.8, 0.2], [0.5, 0.5]]))
    >>> KnowledgeDistillation(alpha=0.5, temperature=1.0).transfer_set(q, np.array([0, 1])).targets
    array([[0.9 , 0.1 ],
           [0.25, 0.75]])
    """

    alpha: float | BaseDistribution = FloatDistribution(0.2, 1.0)
    temperature: float | BaseDistribution = FloatDistribution(0.85, 1.4, log=True)

    usual_values: ClassVar[Mapping[str, Any]] = {"alpha": 0.5, "temperature": 1.0}

    def check(self) -> None:
        check_field(self, "alpha", 0, 1)
        check_field(self, "temperature", 0, 100, open_low=True)

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        assert not isinstance(self.alpha, BaseDistribution)
        targets = self.alpha * self.label(outputs) + (1.0 - self.alpha) * targets_of(y, outputs)
        return TransferSet(targets, np.ones(len(y)))

    def label(self, outputs: TeacherOutputs) -> np.ndarray:
        assert not isinstance(self.temperature, BaseDistribution)
        return outputs.softened(self.temperature)

    def for_regression(self) -> KnowledgeDistillation:
        if not isinstance(self.temperature, BaseDistribution) and self.temperature != 1:
            raise InvalidSetting(
                f"temperature of KnowledgeDistillation must be 1 in regression, got {self.temperature!r}: leave it out."
            )
        return replace(self, temperature=1.0)
