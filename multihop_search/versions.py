"""The versions of what is installed."""

import functools
import importlib.metadata
from collections.abc import Iterable, Mapping

DISTRIBUTIONS = {"sklearn": "scikit-learn", "multihop_search": "multihop-search"}
"""Packages by the module that they install, where the names differ; others are looked up."""


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return versions by module; those that no installed package has, such as the user's own, are left out."""
    versions = {}
    for module in modules:
        try:
            versions[module] = importlib.metadata.version(DISTRIBUTIONS.get(module, module))
        except importlib.metadata.PackageNotFoundError:
            names = distributions().get(module)
            if names:
                versions[module] = importlib.metadata.version(names[0])
    return versions


@functools.cache
def distributions() -> Mapping[str, list[str]]:
    """Return the installed packages by the top-level modules that they hold."""
    return importlib.metadata.packages_distributions()
