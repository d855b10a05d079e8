"""Profile weighting: rows count by how sure the upper model's graded classifiers are of their true class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.recipe import check_field
from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.schemes.profile import profile_weighted
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet


@dataclass(frozen=True)
class ProfWeight(Scheme):
    """True labels, each row weighted by ``mean_g p_g(y | x)``, the area under its confidence profile.

    The mean is over the graded classifiers of the upper model (its first k members or probes on its layers, and
    itself) whose accuracy is at least that of the plain lower model plus `margin`. Where none is that much better every
    weight is 1; where the upper model has no stages these are the weights of `ConfWeight`.

    Parameters
    ----------
    margin : float in [0, 1] or Optuna distribution, default=CategoricalDistribution((0.0, 0.02))
        By how much a graded classifier must be more accurate than the plain model.

    References
    ----------
    Dhurandhar, Shanmugam, Luss and Olsen, "Improving simple models with confidence profiles", NeurIPS 2018,
    arXiv:1807.07506.

    Examples
    --------
    >>> stages = {10: np.array([[0.6, 0.4], [0.3, 0.7]])}
    >>> upper = TeacherOutputs(np.array([[0.8, 0.2], [0.1, 0.9]]), stages, plain=np.array([[0.4, 0.6], [0.5, 0.5]]))
    >>> ProfWeight(margin=0.0).transfer_set(upper, np.array([0, 1])).weights
    array([0.7, 0.8])
    """

    margin: float | BaseDistribution = CategoricalDistribution((0.0, 0.02))

    needs_plain: ClassVar[bool] = True
    usual_values: ClassVar[Mapping[str, Any]] = {"margin": 0.0}

    def check(self) -> None:
        check_field(self, "margin", 0, 1)

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        assert not isinstance(self.margin, BaseDistribution)
        return profile_weighted(outputs, y, self.margin)
