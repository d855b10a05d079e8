"""What a process keeps between hops: transformed rows and synthetic rows, which many fits of one fold read.

Everything kept is a function of its key, so whether it was kept changes no result. A key begins with the token of its
problem: searches in several threads share the memo, and each takes out its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
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
        self._held: OrderedDict[tuple[Hashable, ...], tuple[Any, int]] = OrderedDict()
        self._ended: deque[str] = deque()
        self._takes_out = False
        self._bytes = 0
        self._max_bytes = max_bytes
        self._lock = threading.RLock()  # searches may run in threads of one process; making a value may ask for others

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """Return the value of `key`, made if it is not kept; its first part is the token of the problem."""
        with self._lock:
            value = self._value(key, make)
            self._take_out()
            return value

    def _value(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        if key in self._held:
            self._held.move_to_end(key)
            result: T = self._held[key][0]
            return result
        value = make()
        size = n_bytes(value)
        self._held[key] = (value, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][1]
        return value

    def clear(self, token: str) -> None:
        """Forget what belongs to a problem, at once or when the thread that makes a value now has made it.

        It never waits: the collector of garbage may call it in any thread.
        """
        self._ended.append(token)
        if self._lock.acquire(blocking=False):
            try:
                self._take_out()
            finally:
                self._lock.release()

    def _take_out(self) -> None:
        if self._takes_out:  # the collector of garbage came in between
            return
        self._takes_out = True
        try:
            while self._ended:
                token = self._ended.popleft()
                for key in [key for key in self._held if key[0] == token]:
                    self._bytes -= self._held.pop(key)[1]
        finally:
            self._takes_out = False


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
