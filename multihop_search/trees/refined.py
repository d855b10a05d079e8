"""Refined trees: a greedy tree whose splits are chosen anew against the same transfer set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.recipe import check_choice, check_field
from multihop_search.trees.alternating import refined
from multihop_search.trees.base import TreeFit
from multihop_search.trees.heap import Heap
from multihop_search.trees.lookahead import Bounds, Lookahead
from multihop_search.trees.losses import LOSSES, Loss
from multihop_search.trees.sample import Sample
from multihop_search.trees.shrinkage import AUTO


@dataclass(frozen=True)
class Refined(TreeFit):
    """Grow greedily, then choose each split anew, all others held fixed, until nothing improves.

    Parameters
    ----------
    loss : {"log-loss", "error"} or distribution of them, default=CategoricalDistribution(("log-loss", "error"))
        What is to be small on the transfer set; in regression always the squared error.
    smoothing : float >= 0 or Optuna distribution, default=0.0
        Leaves are shrunk to the node above as if a weight of `smoothing` had its value; a search's weights
        sum to the number of its real rows (mean 1 without synthetic ones) unless the user's differ.
    shrinkage : float >= 0, "auto" or Optuna distribution, default="auto"
        Strength of hierarchical shrinkage, on top of `smoothing`, see `OwnFit`; 0 or None: none.
    restarts : int, default=9
        Trees that are grown beside the first one, where a structure is grown on a part of the rows, each on others
        of them; the one with the least loss on the whole transfer set is kept. In the folds of a search there is one.

    Notes
    -----
    Tree alternating optimisation is the subject of the US patent application 2022/0318641.

    References
    ----------
    arXiv:1911.03054.

    Examples
    --------
    >>> print(Refined(loss="error", smoothing=5.0))
    Refined(loss=error, smoothing=5, shrinkage=auto, restarts=9)
    """

    loss: str | BaseDistribution = CategoricalDistribution(("log-loss", "error"))
    smoothing: float | BaseDistribution = 0.0
    shrinkage: float | str | BaseDistribution | None = AUTO
    restarts: int = 9

    usual_values: ClassVar[Mapping[str, Any]] = {"loss": "log-loss", "smoothing": 2.0}

    def check(self) -> None:
        super().check()
        check_choice(self, "loss", ("log-loss", "error"))
        check_field(self, "smoothing", 0, np.inf)
        check_field(self, "restarts", 0, 100)

    def structure(self, sample: Sample, loss: Loss, bounds: Bounds, rng: np.random.Generator) -> Heap:
        first = loss if loss is LOSSES["squared"] else LOSSES["log-loss"]  # errors are flat: no guide for greed
        return refined(Lookahead(sample, first, bounds, 0).grow(), sample, loss, bounds)[0]
