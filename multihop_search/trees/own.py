"""The class's own fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optuna.distributions import BaseDistribution

from multihop_search.trees.base import TreeFit


@dataclass(frozen=True)
class OwnFit(TreeFit):
    """The fit of the student's own class: scikit-learn's greedy one.

    It serves every `DecisionTree*` and `ExtraTree*`, of any depth, on sparse rows and with missing values too.

    Parameters
    ----------
    shrinkage : float >= 0, "auto" or Optuna distribution, default=0.0
        Strength of hierarchical shrinkage, see `multihop_search.trees.shrinkage`: each node's step away from its parent
        is divided by ``1 + shrinkage / N(parent)``, N the number of rows, in units of weight. 0 or None: none, what the
        class does by itself. "auto": from 0 to 500, chosen in each fit by what trees that are fitted on a part of the
        rows lose on the others.

    References
    ----------
    Agarwal et al., "Hierarchical shrinkage", ICML 2022, arXiv:2202.00858.

    Examples
    --------
    >>> print(OwnFit(), OwnFit(shrinkage="auto"))
    OwnFit(shrinkage=0) OwnFit(shrinkage=auto)
    """

    shrinkage: float | str | BaseDistribution | None = 0.0

    own: ClassVar[bool] = True
    unused: ClassVar[frozenset[str]] = frozenset()
