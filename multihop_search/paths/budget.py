"""The budget: how large and how slow a student may be. The choice never exceeds it, and no rival may either.

What can be built into the fit is: `nodes` sets `max_leaf_nodes` of trees (a binary tree of L leaves has 2 L - 1 nodes)
and bounds the coefficients of a linear model that are not 0; `features` bounds the columns that a fit reads. The rest
is measured on the fitted student and given to Optuna as constraints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from sklearn.base import clone

from multihop_search.errors import InvalidSetting
from multihop_search.models.complexity import Size
from multihop_search.models.registry import family_of
from multihop_search.models.steps import last_step


@dataclass(frozen=True)
class Budget:
    """Upper bounds of a student; None: no bound."""

    nodes: float | None = None
    """Nodes of its trees, or coefficients of a linear model that are not 0."""
    features: float | None = None
    """Features that it reads."""
    size_bytes: float | None = None
    """Length of its pickle."""
    latency_us: float | None = None
    """Microseconds to predict one row; measured, so that a search under this bound cannot be repeated exactly."""

    @classmethod
    def of(cls, budget: Mapping[str, Any] | None) -> Budget:
        """Return the budget that the argument `budget` of the search names.

        Raises
        ------
        InvalidSetting
            If it is no mapping, or holds an unknown name or anything but positive numbers.
        """
        names = ", ".join(field.name for field in fields(cls))
        if budget is None:
            return cls()
        if not isinstance(budget, Mapping):
            raise InvalidSetting(f"budget must be None or a dict with {names}, got {budget!r}: pass {{'nodes': 31}}.")
        for name, bound in budget.items():
            if name not in {field.name for field in fields(cls)}:
                raise InvalidSetting(f"budget must name bounds among {names}, got {name!r}: use one of these.")
            if not isinstance(bound, Real) or isinstance(bound, bool) or not 0 < float(bound) < math.inf:
                raise InvalidSetting(f"budget[{name!r}] must be a positive number, got {bound!r}: pass one.")
            if name in ("nodes", "features") and float(bound) < 1:
                raise InvalidSetting(f"budget[{name!r}] must allow at least 1, got {bound!r}: pass a larger number.")
        return cls(**budget)

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that were set, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: bound for name, bound in values.items() if bound is not None}

    def bounded(self, student: Any, n_outputs: int) -> Any:
        """Return a clone of `student` whose trees cannot hold more than `nodes`; a tighter bound of its own stays."""
        if self.nodes is None:
            return student
        last = last_step(student)
        if "max_leaf_nodes" not in last.get_params(deep=False):
            return student
        trees = family_of(last).planned_trees(last, n_outputs)
        leaves = int((self.nodes // trees + 1) // 2) if trees else 0
        if leaves < 2:
            return student
        own = last.max_leaf_nodes
        bounded = clone(student)
        last_step(bounded).set_params(max_leaf_nodes=leaves if own is None else min(own, leaves))
        return bounded

    def most_features(self, student: Any, n_outputs: int) -> int | None:
        """Return how many features a fit of `student` may read so that it keeps `features` and, if linear, `nodes`."""
        most, last = self.features, last_step(student)
        per_feature = family_of(last).coefficients_a_feature(last, n_outputs)
        if self.nodes is not None and per_feature:
            linear = max(self.nodes // per_feature, 0)
            most = linear if most is None else min(most, linear)
        return None if most is None else int(most)

    def excess(self, size: Size, latency_us: float) -> dict[str, float]:
        """Return by what share each bound that was set is exceeded, as Optuna's constraints: at most 0 is inside."""
        measured = {
            "nodes": size.nodes,
            "features": float(size.n_features_used),
            "size_bytes": float(size.size_bytes),
            "latency_us": latency_us,
        }
        shares = {name: measured[name] / bound - 1.0 for name, bound in self.bounds.items()}
        return {name: math.inf if math.isnan(share) else share for name, share in shares.items()}  # no pickle, no size
