"""Near-optimal trees: each split looks two levels ahead, then all are chosen anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.recipe import check_choice, check_field
from multihop_search.trees.alternating import refined
from multihop_search.trees.base import TreeFit
from multihop_search.trees.heap import Heap
from multihop_search.trees.lookahead import Bounds, Lookahead
from multihop_search.trees.losses import Loss
from multihop_search.trees.sample import Sample
from multihop_search.trees.shrinkage import AUTO, FEW_CANDIDATES


@dataclass(frozen=True)
class NearOptimal(TreeFit):
    """Grow with a look ahead (see `lookahead`), then choose each split anew (see `Refined`).

    The work is bounded by the numbers of rows, thresholds and candidates, not by a clock, so that a tree is the same in
    every process.

    Parameters
    ----------
    loss : {"log-loss", "error"} or distribution of them, default=CategoricalDistribution(("log-loss", "error"))
        What is to be small on the transfer set; in regression always the squared error.
    smoothing : float >= 0 or Optuna distribution, default=0.0
        Leaves are shrunk to the node above as if a weight of `smoothing` had its value; a search's weights
        sum to the number of its real rows (mean 1 without synthetic ones) unless the user's differ.
    shrinkage : float >= 0, "auto" or Optuna distribution, default="auto"
        Strength of hierarchical shrinkage, on top of `smoothing`, see `OwnFit`; 0 or None: none.
    candidates : int, default=40
        Splits that are compared in pairs at each node.
    width : int, default=1
        Splits at the root that are each tried with everything below them.
    restarts : int, default=9
        Trees that are grown beside the first one, where a structure is grown on a part of the rows, each on others
        of them; the one with the least loss on the whole transfer set is kept. In the folds of a search there is one.

    Notes
    -----
    Tree alternating optimisation is the subject of the US patent application 2022/0318641.

    Examples
    --------
    >>> print(NearOptimal(loss="log-loss", smoothing=5.0))
    NearOptimal(loss=log-loss, smoothing=5, shrinkage=auto, candidates=40, width=1, restarts=9)
    """

    loss: str | BaseDistribution = CategoricalDistribution(("log-loss", "error"))
    smoothing: float | BaseDistribution = 0.0
    shrinkage: float | str | BaseDistribution | None = AUTO
    candidates: int = 40
    width: int = 1
    restarts: int = 9

    usual_values: ClassVar[Mapping[str, Any]] = {"loss": "log-loss", "smoothing": 2.0}

    def check(self) -> None:
        super().check()
        check_choice(self, "loss", ("log-loss", "error"))
        check_field(self, "smoothing", 0, np.inf)
        check_field(self, "candidates", 2, 500)
        check_field(self, "width", 1, 100)
        check_field(self, "restarts", 0, 100)

    def for_cross_fits(self) -> TreeFit:
        return replace(super().for_cross_fits(), candidates=min(self.candidates, FEW_CANDIDATES), width=1)  # type: ignore[call-arg]

    def structure(self, sample: Sample, loss: Loss, bounds: Bounds, rng: np.random.Generator) -> Heap:
        grown = Lookahead(sample, loss, bounds, self.candidates, self.width).grow()
        return refined(grown, sample, loss, bounds)[0]
