"""The versions of what is installed."""

import functools
import importlib.metadata
from collections.abc import Iterable, Mapping

DISTRIBUTIONS = {"sklearn": "scikit-learn", "multihop_search": "multihop-search"}
"""Packages by the module that they install, where the names differ; others are looked up."""


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return versions by module; those that no installed package has, such as the user's own, are left out."""
    versions = {module: _version_of(module) for module in modules}
    return {module: version for module, version in versions.items() if version is not None}


@functools.cache
def _version_of(module: str) -> str | None:
    """Return the version of a module; each search asks, and reading it takes milliseconds."""
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        names = distributions().get(module)
        return importlib.metadata.version(names[0]) if names else None


@functools.cache
def distributions() -> Mapping[str, list[str]]:
    """Return the installed packages by the top-level modules that they hold."""
    return importlib.metadata.packages_distributions()
