"""Optimal trees by an existing solver, STreeD: the fewest expected errors over the candidate splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution

from multihop_search.errors import UnsuitableModel
from multihop_search.recipe import check_field
from multihop_search.trees.alternating import refined
from multihop_search.trees.base import TreeFit
from multihop_search.trees.heap import Heap
from multihop_search.trees.lookahead import Bounds, Lookahead
from multihop_search.trees.losses import LOSSES, Loss
from multihop_search.trees.sample import Sample
from multihop_search.trees.shrinkage import AUTO, FEW_CANDIDATES

OPTIMAL_LEVELS = 4
"""The solver's time grows with the number of candidates to this power; levels below are grown with a look ahead."""


@dataclass(frozen=True)
class Optimal(TreeFit):
    """The tree with the fewest expected errors, 1 - q_c for a row that is told class c, over the candidate splits.

    The solver is `pystreed` (install ``multihop_search[optimal-trees]``); it proves its tree optimal among all trees of
    at most 4 levels whose splits are candidates. Deeper students are grown further with a look ahead. Classification
    only; `min_samples_leaf` is kept by cutting. On unbalanced classes the log-loss may be worse than a greedy tree's:
    search it beside the others.

    Parameters
    ----------
    smoothing : float >= 0 or Optuna distribution, default=0.0
        Leaves are shrunk to the node above as if a weight of `smoothing` had its value; a search's weights
        sum to the number of its real rows (mean 1 without synthetic ones) unless the user's differ.
    shrinkage : float >= 0, "auto" or Optuna distribution, default="auto"
        Strength of hierarchical shrinkage, on top of `smoothing`, see `OwnFit`; 0 or None: none.
    candidates : int, default=40
        Splits that the solver chooses among.
    time_limit : float, default=60.0
        Seconds after which a fit fails: a tree that depends on the clock would not be the same everywhere.

    Raises
    ------
    UnsuitableModel
        If `pystreed` is not installed.
    TimeoutError
        If the solver has not finished within the limit.

    References
    ----------
    van der Linden, de Weerdt and Demirovic, "Necessary and sufficient conditions for optimal decision trees using
    dynamic programming", NeurIPS 2023, arXiv:2305.19706.

    Examples
    --------
    >>> print(Optimal(smoothing=5.0))
    Optimal(smoothing=5, shrinkage=auto, candidates=40, time_limit=60)
    """

    smoothing: float | BaseDistribution = 0.0
    shrinkage: float | str | BaseDistribution | None = AUTO
    candidates: int = 40
    time_limit: float = 60.0

    usual_values: ClassVar[Mapping[str, Any]] = {"smoothing": 2.0}

    def check(self) -> None:
        super().check()
        check_field(self, "smoothing", 0, np.inf)
        check_field(self, "candidates", 2, 500)
        check_field(self, "time_limit", 0, np.inf, open_low=True)
        _solver_class()

    def loss_for(self, regression: bool) -> Loss:
        if regression:
            raise UnsuitableModel("Optimal fits classifiers, the student is a regressor: use NearOptimal().")
        return LOSSES["error"]

    def for_cross_fits(self) -> TreeFit:
        return replace(super().for_cross_fits(), candidates=min(self.candidates, FEW_CANDIDATES))  # type: ignore[call-arg]

    def structure(self, sample: Sample, loss: Loss, bounds: Bounds, rng: np.random.Generator) -> Heap:
        grower = Lookahead(sample, loss, bounds, self.candidates)
        candidates = grower.candidates(np.arange(sample.n_rows))
        heap = Heap.empty(bounds.depth)
        if candidates:
            features, places = np.array(candidates).T
            above = (sample.codes[:, features] > places).astype(np.int32)
            costs = sample.weights[:, None] * (1.0 - sample.targets)
            solver = _solver_class()(max_depth=min(bounds.depth, OPTIMAL_LEVELS), time_limit=self.time_limit)
            solver.fit(above, costs / max(costs.max(), np.finfo(np.float64).tiny))
            if not solver.fit_result.is_optimal():
                raise TimeoutError(f"the optimal tree took more than {self.time_limit:g} s: pass fewer candidates")
            _copy(solver.get_tree(), heap, 0, candidates)
        below = range(2**OPTIMAL_LEVELS - 1, min(2 ** (OPTIMAL_LEVELS + 1) - 1, len(heap.feature)))
        if below:
            reached = heap.descend(sample.codes, np.zeros(sample.n_rows, dtype=np.intp), OPTIMAL_LEVELS)
            for node in below:
                grower.grow_at(heap, node, np.flatnonzero(reached == node), bounds.depth - OPTIMAL_LEVELS)
        return refined(heap, sample, loss, bounds)[0]


def _solver_class() -> Any:
    try:
        return import_module("pystreed").STreeDInstanceCostSensitiveClassifier
    except ImportError as error:
        raise UnsuitableModel(
            "Optimal needs the solver pystreed, it is not installed: run pip install 'multihop_search[optimal-trees]', "
            "or use NearOptimal()."
        ) from error


def _copy(tree: Any, heap: Heap, node: int, candidates: list[tuple[int, int]]) -> None:
    """Write the solver's tree into the heap; its right children hold the rows above."""
    if tree.is_branching_node():
        heap.feature[node], heap.place[node] = candidates[tree.feature]
        _copy(tree.left_child, heap, 2 * node + 1, candidates)
        _copy(tree.right_child, heap, 2 * node + 2, candidates)
