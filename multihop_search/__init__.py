"""A better small model through the best path from a complex one, and an honest verdict on what it gained.

Public names are those of `__init__.pyi`. They are loaded when first used: importing the package imports neither Ray nor
any plotting library.
"""

import ast
from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def _homes() -> dict[str, str]:
    """Return the module of each public name, as the stub beside this file says."""
    stub = __spec__.loader.get_data(f"{__path__[0]}/__init__.pyi")  # works inside a zip file too
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imports for name in node.names}


_HOMES = _homes()
__all__ = sorted(name for name, home in _HOMES.items() if home != __name__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name] == __name__:  # a room: experiment.run_experiment, experiment.write_report
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
