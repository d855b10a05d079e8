"""What Ray says of failures, in the words of the package."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import ray.cloudpickle
from ray import exceptions as broken

from multihop_search.errors import ClusterLost, UnsuitableModel, WorkerLost
from multihop_search.executors.ray.worker import Parts

_UNSERIALIZABLE: tuple[type, ...] = tuple(
    getattr(broken, name) for name in ("UnserializableException",) if hasattr(broken, name)
)
"""What stands for an exception that cannot be pickled; Ray 2.48 has none."""
CANCELLED = "a hop must run to its end, it was cancelled: ask for it again or leave its trial out."

_WORKER_LOST = {
    broken.WorkerCrashedError: "a hop must leave its process alive, its worker ended in 8 runs of 8: see whether "
    "the system or somebody else ends workers and search again, or leave that model out if it does so itself.",
    broken.OutOfMemoryError: "a hop must fit into the memory of its node, it was stopped again and again: use fewer "
    "workers or pass ray_options={'memory': ...}, or leave that model out if it is too large for any node.",
    broken.TaskCancelledError: CANCELLED,
}


def is_loss(error: Exception) -> bool:
    """Return whether Ray says that a value, or the node that computed it, is gone and stays so."""
    lost = isinstance(error, broken.NodeDiedError | broken.ObjectLostError)
    return lost and not isinstance(error, broken.OwnerDiedError)  # the owner is this process


def is_death(error: Exception) -> bool:
    """Return whether Ray says that the worker of a call died in each run, by whosever fault."""
    return isinstance(error, broken.WorkerCrashedError | broken.OutOfMemoryError)


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Raise what Ray raises inside in the words of the package."""
    try:
        yield
    except broken.RayError as error:
        raise translated(unwrapped(error)) from error


def unwrapped(error: Any) -> Any:
    """Return what went wrong first: each task that depends on it wraps it once more."""
    while isinstance(error, broken.RayTaskError):
        error = error.cause
    return error


def translated(error: Exception) -> Exception:
    """Return what a caller of the package should see: the function's own exception, or what was lost."""
    if isinstance(error, Parts):
        return error.whole()
    if isinstance(error, _UNSERIALIZABLE) or type(error) is broken.RayError:
        return RuntimeError(last_line(error))  # the driver lacks the class of the exception
    for kind, text in _WORKER_LOST.items():
        if isinstance(error, kind):
            return WorkerLost(text)
    # Ray says so with a plain RuntimeError, which looks like that of a model.
    missing = isinstance(error, RuntimeError) and "failed to import on the worker" in str(error)
    if not missing and not isinstance(error, broken.RayError):
        return error
    cure = "install it on every node or pass ray_options={'runtime_env': ...}" if missing else "see to the cluster"
    return ClusterLost(f"Ray must be able to run every hop, it said: {last_line(error)}: {cure}, then search again.")


def unsendable(value: Any, error: Exception) -> Exception:
    """Return what to say of a value that could not be pickled on its way to a worker."""
    if isinstance(error, MemoryError):  # it may pass
        return error
    part, reason = _at_fault(value, error)
    return UnsuitableModel(
        f"{_name(part)} must be what can be sent to workers, it cannot be pickled ({last_line(reason)}): keep locks, "
        "open files and generators out of it, or search without executor and n_jobs."
    )


def _at_fault(value: Any, error: Exception) -> tuple[Any, Exception]:
    """Return the innermost part of a value that cannot be pickled and is no tool of Python's, and why it cannot."""
    part, inside, seen = value, _inside(value), {id(value)}
    while inside:
        inner = inside.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        try:
            ray.cloudpickle.dumps(inner)  # type: ignore[no-untyped-call]
        except Exception as why:
            error, inside = why, _inside(inner)
            part = inner if _is_of_a_library(inner) else part
    return part, error


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return list(getattr(value, "__dict__", {}).values()) if not isinstance(value, type) else []


def _is_of_a_library(value: Any) -> bool:
    return isinstance(value, FunctionType) or type(value).__module__.partition(".")[0] not in sys.stdlib_module_names


def _name(part: Any) -> str:
    if isinstance(part, (FunctionType, type)):
        return part.__qualname__
    return "what the search needs" if not _is_of_a_library(part) else type(part).__name__


def last_line(error: Exception) -> str:
    """Return the last line of what an error says: the rest is Ray's own trace."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
