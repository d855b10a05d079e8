"""One file for each family of models: a class derived from `Family` in a new file here is a new family."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from multihop_search.models.base import Family


def all_families() -> tuple[Family, ...]:
    """Return an object of every class derived from `Family` in this folder whose name has no underscore in front.

    No two of them match one model, so their order plays no part.
    """
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return tuple(
        kind()
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Family) and kind.__module__ == module.__name__ and name[0] != "_"
    )
