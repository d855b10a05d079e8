"""How a tree student is fitted: one file a fit. A fit of your own is a frozen dataclass derived from `TreeFit`."""

from multihop_search.trees.base import TreeFit, refusal
from multihop_search.trees.near_optimal import NearOptimal
from multihop_search.trees.optimal import Optimal
from multihop_search.trees.own import OwnFit
from multihop_search.trees.refined import Refined
from multihop_search.trees.shrinkage import AUTO, shrinkage_refusal

__all__ = [
    "NearOptimal",
    "Optimal",
    "OwnFit",
    "Refined",
    "TreeFit",
    "default_tree_fits",
    "refusal",
    "shrinkage_refusal",
]


def default_tree_fits(*, decisions: bool = False) -> tuple[TreeFit, ...]:
    """Return the fits that `tree_fits="auto"` searches, the best one last.

    Structures of few errors have poor probabilities, so they are searched only where a score counts `decisions`.
    """
    if decisions:
        return (OwnFit(), OwnFit(shrinkage=AUTO), Refined(), NearOptimal())
    return (OwnFit(), OwnFit(shrinkage=AUTO), Refined(loss="log-loss"), NearOptimal(loss="log-loss"))
