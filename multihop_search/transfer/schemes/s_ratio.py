"""Ratio weighting: rows count by how much surer the upper model's graded classifiers are than the plain lower model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from multihop_search.recipe import check_field
from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.schemes.profile import profile_weighted
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet

SMALLEST_CONFIDENCE = 1e-3
"""The plain model's probability of the true class is clipped below: a ratio needs a denominator."""


@dataclass(frozen=True)
class SRatio(Scheme):
    """True labels, each row weighted by ``mean_g p_g(y | x) / s_y(x)``; weight 0 where that exceeds ``beta``.

    The mean is over the graded classifiers of the upper model (its first k members or probes on its layers, and
    itself) whose accuracy is at least that of the plain lower model plus `margin`; s is the plain version of the model
    that the hop teaches, cross-fitted. Where no graded classifier is that much better every weight is 1.

    Parameters
    ----------
    margin : float in [0, 1] or Optuna distribution, default=CategoricalDistribution((0.0, 0.02))
        By how much a graded classifier must be more accurate than the plain model.
    beta : float > 0 or Optuna distribution, default=FloatDistribution(1.5, 10.0, log=True)
        Largest ratio: rows above it are taken for noise.

    Notes
    -----
    The weighting is the subject of US patent 11,586,917.

    References
    ----------
    Dhurandhar, Shanmugam and Luss, "Enhancing simple models by exploiting what they already know", ICML 2020,
    arXiv:1905.13565.

    Examples
    --------
    >>> upper = TeacherOutputs(np.array([[0.8, 0.2], [0.4, 0.6]]), plain=np.array([[0.4, 0.6], [0.5, 0.5]]))
    >>> SRatio(margin=0.0, beta=4.0).transfer_set(upper, np.array([0, 1])).weights
    array([2. , 1.2])
    """

    margin: float | BaseDistribution = CategoricalDistribution((0.0, 0.02))
    beta: float | BaseDistribution = FloatDistribution(1.5, 10.0, log=True)

    needs_plain: ClassVar[bool] = True
    usual_values: ClassVar[Mapping[str, Any]] = {"margin": 0.0, "beta": 4.0}

    def check(self) -> None:
        check_field(self, "margin", 0, 1)
        check_field(self, "beta", 0, np.inf, open_low=True)

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        assert not isinstance(self.margin, BaseDistribution)
        assert not isinstance(self.beta, BaseDistribution)
        assert outputs.plain is not None
        profile = profile_weighted(outputs, y, self.margin)
        if profile.note:
            return profile
        ratio = profile.weights / np.maximum(outputs.plain[np.arange(len(y)), y], SMALLEST_CONFIDENCE)
        return replace(profile, weights=np.where(ratio > self.beta, 0.0, ratio))
