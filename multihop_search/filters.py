"""Filters of warnings: the process has one list of them, and searches in several threads leave it as it was."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Guests:
    """The searches that run now, and the filters when the first of them began."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_inside = 0
        self.overlap = False
        self.filters: tuple[Any, ...] = ()


_guests = _Guests()


@contextmanager
def lasting_filters() -> Iterator[None]:
    """Take out, after the last of searches that overlapped, filters that were not there before the first.

    `warnings.catch_warnings`, which models and scikit-learn use, puts back what it met: of two threads that overlap,
    one may put back the filters of the other, for good. A search that is alone changes nothing here.
    """
    with _guests.lock:
        if not _guests.n_inside:
            _guests.filters, _guests.overlap = tuple(warnings.filters), False
        _guests.n_inside += 1
        _guests.overlap |= _guests.n_inside > 1
    try:
        yield
    finally:
        with _guests.lock:
            _guests.n_inside -= 1
            if _guests.overlap and not _guests.n_inside:
                filters = warnings.filters
                filters[:] = [one for one in _guests.filters if one in filters]  # type: ignore[index]
                with warnings.catch_warnings():  # tells the interpreter that filters were changed
                    pass
