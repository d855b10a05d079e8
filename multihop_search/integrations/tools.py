"""Tools that may be absent: one error says which, and how to install it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from multihop_search.errors import MissingTool


def needed(module: str, extra: str) -> Any:
    """Return a module of another tool.

    Raises
    ------
    MissingTool
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingTool(
            f"this needs {module.partition('.')[0]}, which cannot be imported ({error}): install it with pip install "
            f"'multihop_search[{extra}]'."
        ) from error
