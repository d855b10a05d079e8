"""What the package knows of a class of models: one file for each family in `families/`, behind the protocol `Family`.

`base.py` holds the protocol and the answers for a class that nobody knows, `registry.py` finds the family of a model. A
user's own is a class derived from `Family`, handed to `register`.
"""

from multihop_search.models.base import Count, Family, Route
from multihop_search.models.portrayal import Coefficients, OneTree, Shares
from multihop_search.models.registry import family_of, register, unregister

__all__ = ["Coefficients", "Count", "Family", "OneTree", "Route", "Shares", "family_of", "register", "unregister"]
