"""The class's own fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from multihop_search.trees.base import TreeFit


@dataclass(frozen=True)
class OwnFit(TreeFit):
    """The fit of the student's own class: scikit-learn's greedy one.

    Examples
    --------
    >>> print(OwnFit())
    OwnFit
    """

    own: ClassVar[bool] = True
    unused: ClassVar[frozenset[str]] = frozenset()
