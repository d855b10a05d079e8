"""What a process keeps between hops: transformed rows and synthetic rows, which many fits of one fold read.

Everything kept is a function of its key, so whether it was kept changes no result.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
MOST_BYTES = 512 << 20
"""Most bytes kept in one process; the least recently used go first and are made again if needed."""


class Memo:
    """Values by key, bounded in bytes.

    Parameters
    ----------
    max_bytes : int, default=MOST_BYTES
        Bound; one value may exceed it alone.
    """

    def __init__(self, max_bytes: int = MOST_BYTES) -> None:
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._max_bytes = max_bytes
        self._lock = threading.RLock()  # searches may run in threads of one process; making a value may ask for others

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of `key`, made if it is not kept."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                kept: T = self._held[key][0]
                return kept
            value = make()
            size = n_bytes(value)
            self._held[key] = (value, size)
            self._bytes += size
            while self._bytes > self._max_bytes and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1][1]
            return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self._bytes = 0


MEMO = Memo()
"""The one of this process."""


def n_bytes(value: Any) -> int:
    """Return about how many bytes the arrays and tables in a value take."""
    if isinstance(value, (tuple, list)):
        return sum(map(n_bytes, value))
    if hasattr(value, "memory_usage"):
        return int(value.memory_usage(deep=False).sum())
    if hasattr(value, "tocsr"):
        return int(value.data.nbytes)
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    return n_bytes([value.X, value.parent]) if hasattr(value, "parent") and hasattr(value, "X") else 1000


def frozen(value: Any) -> Any:
    """Return `value`, an array that nobody can change any more: it is shared by many fits."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    return value
