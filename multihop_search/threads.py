"""Threads: every fit and prediction runs under the same limit, here and on a worker."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from threadpoolctl import ThreadpoolController


@functools.lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> tuple[ThreadpoolController, tuple[Any, ...]]:
    """Return the libraries loaded so far: those with limits of each thread, those with one limit of the process.

    Looking for them takes milliseconds, so they are kept.
    """
    pools = ThreadpoolController()
    of_threads = pools.select(user_api="openmp", threading_layer="openmp")
    own = {id(library) for library in of_threads.lib_controllers}
    return of_threads, tuple(library for library in pools.lib_controllers if id(library) not in own)


class _SharedPools:
    """The pools that all threads of the process share, most of them of BLAS libraries.

    The first thread that wants a limit notes what was set, the last one sets it again. While several want one, the
    smallest is in force.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[int, list[int]] = {}
        """What each thread wants, the innermost limit last."""
        self._before: dict[str, tuple[Any, int]] = {}

    def enter(self, libraries: tuple[Any, ...], n_threads: int) -> None:
        with self._lock:
            self._wanted.setdefault(threading.get_ident(), []).append(n_threads)
            self._limit(libraries)

    def leave(self, libraries: tuple[Any, ...]) -> None:
        with self._lock:
            thread = threading.get_ident()
            self._wanted[thread].pop()
            if not self._wanted[thread]:
                del self._wanted[thread]
            self._limit(libraries)

    def _limit(self, libraries: tuple[Any, ...]) -> None:
        if self._wanted:
            limit = min(limits[-1] for limits in self._wanted.values())
            for library in libraries:
                self._before.setdefault(library.filepath, (library, library.num_threads))
                _set_threads(library, limit)
        else:
            for library, n_threads in self._before.values():
                _set_threads(library, n_threads)
            self._before.clear()


def _set_threads(library: Any, n_threads: int) -> None:
    _free(library)
    library.set_num_threads(n_threads)
    _free(library)


def _free(library: Any) -> None:
    """Let any thread set the limit of a library: a newer threadpoolctl lets only the one do so that did it last."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


_shared_pools = _SharedPools()


@contextmanager
def thread_limit(n_threads: int = 1) -> Iterator[None]:
    """Keep what runs inside to some threads.

    Sums change with the number of threads, so results would too; and two pools on one core wait for each other. Many
    libraries have one limit for the whole process: searches in several threads share it.
    """
    of_threads, shared = _thread_pools(len(sys.modules))
    _shared_pools.enter(shared, n_threads)
    try:
        with of_threads.limit(limits=n_threads), joblib.parallel_config(backend="threading", n_jobs=n_threads):
            yield
    finally:
        _shared_pools.leave(shared)
