"""The versions of what is installed."""

import importlib.metadata
from collections.abc import Iterable

DISTRIBUTIONS = {"sklearn": "scikit-learn", "multihop_search": "multihop-search"}
"""Packages by the module that they install, where the names differ."""


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return versions by module; those that no installed package has, such as the user's own, are left out."""
    found = {}
    for module in modules:
        try:
            found[module] = importlib.metadata.version(DISTRIBUTIONS.get(module, module))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
