"""What runs in a worker: one call, its inputs and its result as they travel."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import ray.cloudpickle
from ray import exceptions as broken

from multihop_search.errors import ClusterLost, WorkerLost
from multihop_search.executors.attempts import attempted
from multihop_search.executors.clock import check_ended, time_limit
from multihop_search.executors.memory import give_back

GRACE_S = 5.0
"""Seconds after `hop_timeout` in which a hop may still end, before its worker is ended."""
MOST_RUNS = 10
"""Runs of a task at most. Ray does not count those that its memory monitor ends, unless told before it starts."""
PACKING = 3
"""Level of compression of a value that says ``packed_in_transit``: a forest becomes 7 times smaller."""


@dataclass(frozen=True)
class Shared:
    """A handle that Ray does not look into, so that `run_task` decides when the value is read."""

    ref: Any


@functools.lru_cache(maxsize=4)  # the values of two sessions; an old one keeps its memory until newer ones come
def _opened(shared: Shared) -> Any:
    return ray.get(shared.ref)


class Parts(Exception):
    """An exception that its own class cannot pickle, as its class, its arguments and its attributes."""

    def whole(self) -> Exception:
        kind, args, attributes = self.args
        error: Exception = kind.__new__(kind, *args)
        error.args = args
        vars(error).update(attributes)
        return error


@dataclass(frozen=True)
class Task:
    """What is sent to a worker beside the values that a call depends on."""

    packed: bytes
    """The function and the list of its arguments, None in the places of values to come."""
    places: tuple[int, ...] = ()
    name: str = ""
    hop_timeout: float | None = None
    grace_s: float = GRACE_S
    most_runs: int = MOST_RUNS


def pack(fn: Callable[..., Any], *args: Any) -> bytes:
    """Return the pickle of a call."""
    return bytes(ray.cloudpickle.dumps((fn, list(args))))  # type: ignore[no-untyped-call]


def run_task(task: Task, *values: Any) -> Any:
    """Run one call in a worker: the function of every Ray task."""
    run = ray.get_runtime_context().worker.core_worker.get_current_task_attempt_number() + 1
    if run > task.most_runs:
        raise WorkerLost(
            f"a hop must end, its worker was ended in {task.most_runs} runs of {task.most_runs}, most likely for want "
            "of memory: use fewer workers, pass ray_options={'memory': ...} or leave that model out."
        )
    try:
        fn, args = ray.cloudpickle.loads(task.packed)
    except Exception as error:  # unpickling imports modules and runs the code of the arguments
        raise ClusterLost(
            f"a worker must be able to load every hop, it said: {type(error).__name__}: {error}: install what it lacks "
            "on every node or pass ray_options={'runtime_env': ...}."
        ) from error
    for place, value in zip(task.places, values, strict=True):
        args[place] = _opened(value) if isinstance(value, Shared) else unpacked(value)
    limit = task.hop_timeout

    def call() -> Any:
        with contextlib.nullcontext() if limit is None else time_limit(limit, task.grace_s, task.name):
            return fn(*args)

    try:
        if limit is not None:
            check_ended(limit, task.grace_s, task.name)
        value = attempted(call)
        if getattr(type(value), "packed_in_transit", False):
            value = Packed.of(value)  # the value itself is free before pages are given back
        return value
    except Exception as error:
        portable = _portable(error)
        if portable is error:
            raise
        raise portable from error
    finally:
        args.clear()
        give_back()


@dataclass(frozen=True)
class Packed:
    """A value whose pickle was compressed while it was written, so that nothing of its own size lies beside it."""

    content: np.ndarray

    @classmethod
    def of(cls, value: Any) -> Packed:
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=PACKING) as stream:
            ray.cloudpickle.dump(value, stream)  # type: ignore[no-untyped-call]
        return cls(np.frombuffer(packed.getbuffer(), dtype=np.uint8))  # bytes would be copied on their way


def unpacked(value: Any) -> Any:
    """Return a value as its function returned it."""
    return read(io.BytesIO(value.content)) if isinstance(value, Packed) else value  # type: ignore[arg-type]


def read(content: io.BytesIO) -> Any:
    """Return the value that a compressed pickle holds."""
    with gzip.GzipFile(fileobj=content) as stream:
        value = ray.cloudpickle.load(stream)
    give_back()  # the pickled arrays
    return value


def _portable(error: Exception) -> Exception:
    """Return an exception that says on the driver what `error` says here.

    Pickle calls the class with ``error.args``, which fails or changes the text where ``__init__`` makes its own. An
    error of Ray comes from a model that uses Ray itself, and must not look like one of the search's own.
    """
    if isinstance(error, broken.RayError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    for candidate in (error, Parts(type(error), error.args, vars(error))):
        with contextlib.suppress(Exception):  # pickling runs the code of the exception's class
            copy = ray.cloudpickle.loads(ray.cloudpickle.dumps(candidate))  # type: ignore[no-untyped-call]
            if str(copy.whole() if isinstance(copy, Parts) else copy) == str(error):
                return candidate
    return RuntimeError(f"{type(error).__name__}: {error}")
