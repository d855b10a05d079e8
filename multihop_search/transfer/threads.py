"""Threads: every fit and prediction runs under the same limit, here and on a worker."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from threadpoolctl import ThreadpoolController


@functools.lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """Return the controller of the libraries loaded so far; looking for them takes milliseconds, so it is kept."""
    return ThreadpoolController()


@contextmanager
def thread_limit(n_threads: int = 1) -> Iterator[None]:
    """Keep what runs inside to some threads.

    Sums change with the number of threads, so results would too; and two pools on one core wait for each other.
    """
    controller = _thread_pools(len(sys.modules))
    with controller.limit(limits=n_threads), joblib.parallel_config(backend="threading", n_jobs=n_threads):
        yield


def takes_all_cores(model: Any) -> bool:
    """Return whether a model whose `n_jobs` is None takes every core, whatever the limit: LightGBM sets its own."""
    return type(model).__module__.partition(".")[0] == "lightgbm"
