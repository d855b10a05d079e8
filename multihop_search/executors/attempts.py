"""Attempts: a call that fails is run again where it ran, a few times, so that a failure that passes costs nothing.

The number of attempts depends on the errors alone, never on time, so a search is the same on every executor. What still
fails is kept for this run. A later run tries it again if it may pass: see `may_pass`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import TypeVar

from multihop_search.errors import HopTimeout, StoppedWarning, WorkerLost

T = TypeVar("T")
MOST_ATTEMPTS = 3
MOST_TIMEOUTS = 2
"""Attempts at most that run too long: each of them costs `hop_timeout`."""
PASSING = (MemoryError, OSError, WorkerLost, BrokenExecutor)
"""Errors of a moment: of memory, disks, connections, time limits (`TimeoutError` is an `OSError`) and processes."""


def attempted(call: Callable[[], T]) -> T:
    """Return the value of a call, run again if it raises; the last attempt raises what it raised."""
    texts, n_timeouts = [], 0
    while True:
        try:
            return call()
        except StoppedWarning:  # raised where warnings are errors: somebody wants an end, no further attempt
            raise
        except Exception as error:
            texts.append(f"{type(error).__name__}: {error}")
            n_timeouts += isinstance(error, HopTimeout)
            if len(texts) < MOST_ATTEMPTS and n_timeouts < MOST_TIMEOUTS:
                continue
            if len(set(texts)) > 1 or _is_passing(error):
                with contextlib.suppress(AttributeError, TypeError):  # a class of its own kind
                    error.may_pass = True  # type: ignore[attr-defined]
            raise


def may_pass(error: Exception) -> bool:
    """Return whether an error that `attempted` raised may not come again: one of a moment, or another in each attempt.

    Examples
    --------
    >>> may_pass(MemoryError()), may_pass(ValueError("2 classes are needed"))
    (True, False)
    """
    return bool(getattr(error, "may_pass", False)) or _is_passing(error)


def _is_passing(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, is one of a moment."""
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, PASSING) or "outofmemory" in type(error).__name__.lower():  # as libraries for GPUs say
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
