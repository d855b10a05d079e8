"""Memory: what a process has freed goes back to the system.

A fitted forest is many thousand blocks of memory. When it is freed, glibc keeps most of its pages for later, so that a
worker looks as large as the largest model that it ever had, and several of them may fill a node.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

GROWTH = 64 << 20
"""Bytes that a process must have grown by since it last gave pages back: doing so takes some milliseconds."""

_least = 0


def give_back() -> None:
    """Give freed pages back if there may be many; does nothing on systems without glibc."""
    global _least
    trim, size = _trim(), _resident()
    if trim is None or not size:
        return
    if size > _least + GROWTH:
        trim(0)
        size = _resident()
        _least = size
    _least = min(_least, size)


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # not on this system
        return None


def _resident() -> int:
    """Return the bytes of this process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
