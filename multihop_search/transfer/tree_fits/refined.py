"""Refined trees: a greedy tree whose splits are chosen anew against the same transfer set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from multihop_search.transfer.schemes.base import check_choice, check_field
from multihop_search.transfer.tree_fits.alternating import refined
from multihop_search.transfer.tree_fits.base import TreeFit
from multihop_search.transfer.tree_fits.heap import Heap
from multihop_search.transfer.tree_fits.lookahead import Bounds, Lookahead
from multihop_search.transfer.tree_fits.losses import LOSSES, Loss
from multihop_search.transfer.tree_fits.sample import Sample

SHARE = 0.5
"""A restart draws each split's features with this probability."""


@dataclass(frozen=True)
class Refined(TreeFit):
    """Grow greedily, then choose each split anew, all others held fixed, until nothing improves.

    The first start is greedy over all features; each restart draws one half of them for each split. The structure with
    the least loss on the transfer set, on the rows that the upper model labelled too, is kept.

    Parameters
    ----------
    loss : {"log-loss", "error"} or distribution of them, default=CategoricalDistribution(("log-loss", "error"))
        What is to be small on the transfer set; in regression always the squared error.
    smoothing : float >= 0 or Optuna distribution, default=FloatDistribution(0.5, 8.0, log=True)
        Leaves are shrunk to the node above as if a weight of `smoothing` had its value; a search's weights
        sum to the number of its real rows (mean 1 without synthetic ones) unless the user's differ.
    restarts : int, default=0
        Structures that are grown beside the first one; on six data sets two of them gained nothing beyond the noise.

    Notes
    -----
    Tree alternating optimisation is the subject of the US patent application 2022/0318641.

    References
    ----------
    arXiv:1911.03054.

    Examples
    --------
    >>> print(Refined(loss="error", smoothing=5.0))
    Refined(loss=error, smoothing=5, restarts=0)
    """

    loss: str | BaseDistribution = CategoricalDistribution(("log-loss", "error"))
    smoothing: float | BaseDistribution = FloatDistribution(0.5, 8.0, log=True)
    restarts: int = 0

    usual_values: ClassVar[Mapping[str, Any]] = {"loss": "log-loss", "smoothing": 2.0}

    def check(self) -> None:
        check_choice(self, "loss", ("log-loss", "error"))
        check_field(self, "smoothing", 0, np.inf)
        check_field(self, "restarts", 0, 100)

    def structure(self, sample: Sample, loss: Loss, bounds: Bounds, rng: np.random.Generator) -> Heap:
        first = loss if loss is LOSSES["squared"] else LOSSES["log-loss"]  # errors are flat: no guide for greed
        n_features = len(sample.thresholds)

        def drawn() -> np.ndarray:
            return rng.random(n_features) < SHARE

        starts = [
            Lookahead(sample, first, bounds, 0, drawn=drawn if turn else None) for turn in range(self.restarts + 1)
        ]
        found = [refined(start.grow(), sample, loss, bounds) for start in starts]
        return min(found, key=lambda heap_and_loss: heap_and_loss[1])[0]
