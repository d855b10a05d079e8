"""The Ray executor: a future is a Ray task; the only file of the package that imports Ray.

The face makes a `RayExecutor`; the engine calls `start`, which connects, proves with a probe task that a worker can do
the work, and returns a `RaySession`; then the calls of `base.Session`, and `close`, which leaves the process as it was.

A process that is connected to Ray already is a guest there: it changes no global state and shuts nothing down.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import ray
import ray.cloudpickle
from ray import exceptions as broken

from multihop_search.engine.executors.nested import inside_worker
from multihop_search.errors import ClusterLost, InvalidSetting, WorkerLost

PROBE_S = 60.0
"""Longest wait for the probe task; half of it inside a worker, where waiting may be a deadlock."""
SHARE_OF_STORE = 0.3
"""Share of the object store that kept values may fill: a full store spills to the disks of the cluster."""
CONNECT_S = 5.0
"""Longest wait for the port of a cluster: `ray.init` itself tries a dead one for many minutes."""

_ENVIRONMENT = {
    "RAY_AUTH_MODE": None,  # `ray.init` sets this one and the next two
    "RAY_USAGE_STATS_ENABLED": None,
    "PYTHONBREAKPOINT": None,
    "RAY_task_oom_retries": "2",  # Ray's default: a task that takes too much memory is run again for ever
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # a failed prefix is told by the trials that need it, not by a log line
}
"""Variables that are put back when a connection of ours ends, with the value that we set where there is none."""

_OURS = {
    "num_cpus": "cpus_per_hop sets it",
    "num_returns": "a hop has one result",
    "max_retries": "lost results are rebuilt by running their hops again",
    "retry_exceptions": "a model that fails would fail again",
}


@dataclass(frozen=True)
class RayExecutor:
    """Runs hops on Ray: on this machine, or on a cluster that exists.

    Parameters
    ----------
    address : str or None, default=None
        ``"host:port"`` of a cluster, or ``"auto"`` for the one that ``RAY_ADDRESS`` or this machine knows. With None,
        a local Ray is started and ended with the search. A process that is connected to Ray already stays with that.
    n_workers : int, default=2
        Hops that run at once.
    cpus_per_hop : int, default=1
        CPUs that each hop reserves.
    ray_options : mapping or None, default=None
        Further options of every task, such as ``resources``, ``memory`` or ``runtime_env``.

    Raises
    ------
    InvalidSetting
        If a parameter has a value that it cannot have.

    Examples
    --------
    >>> RayExecutor(n_workers=8, ray_options={"memory": 2 * 10**9})
    RayExecutor(address=None, n_workers=8, cpus_per_hop=1, ray_options={'memory': 2000000000})
    """

    address: str | None = None
    n_workers: int = 2
    cpus_per_hop: int = 1
    ray_options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("n_workers", "cpus_per_hop"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise InvalidSetting(f"{name} must be an integer of at least 1, got {value!r}: pass one.")
        if self.address is not None:
            _check_address("address", self.address)
        if self.ray_options is not None and not isinstance(self.ray_options, Mapping):
            raise InvalidSetting(f"ray_options must be a mapping or None, got {self.ray_options!r}: pass a dict.")
        for name, reason in _OURS.items():
            if name in (self.ray_options or {}):
                raise InvalidSetting(f"ray_options must not hold {name!r}, it does: leave it out, {reason}.")
        _remote_call(self._options(with_environment=False))  # its names and values

    def start(self) -> RaySession:
        """Return a session, ready for use.

        Raises
        ------
        ClusterLost
            If Ray cannot be started or reached, or no worker has a free CPU and the versions of this process.
        """
        owned = not ray.is_initialized()
        with contextlib.ExitStack() as undo:
            if owned:
                _connect(self, undo)
            call = _remote_call(self._options(with_environment=not owned))
            _probe(call, self.cpus_per_hop)
            # Ray keeps a queue of its own busy only on a machine that is ours; elsewhere each task in flight may run.
            alone = owned and self.address is None
            return RaySession(call, self.n_workers * 4 if alone else self.n_workers, undo.pop_all())

    def _options(self, *, with_environment: bool) -> dict[str, Any]:
        """Return the options of a task; a connection of ours sets its environment once, with local folders in it."""
        options = {"max_retries": 3, "num_cpus": int(self.cpus_per_hop), **(self.ray_options or {})}
        if not with_environment:
            options.pop("runtime_env", None)
        return options


def _check_address(name: str, address: Any) -> None:
    if isinstance(address, str) and address.startswith("ray://"):
        raise InvalidSetting(
            f"{name} must be that of the cluster itself, got {address!r}, a Ray client: submit this program as a job "
            "(ray job submit) and pass 'auto'."
        )
    if address != "auto" and not (isinstance(address, str) and _host_and_port(address)):
        raise InvalidSetting(f"{name} must be None, 'auto' or 'host:port', got {address!r}: pass one of these.")


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() and int(port) < 1 << 16 else None


def _remote_call(options: dict[str, Any]) -> Any:
    try:
        return ray.remote(**options)(_call)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"ray_options must be options of a Ray task, Ray said: {error}: correct them.") from error


def _connect(executor: RayExecutor, undo: contextlib.ExitStack) -> None:
    """Start or join Ray; `undo` learns how to leave the process as it was, before anything is changed."""
    settings: dict[str, Any] = {"address": _reachable(executor.address)}
    if executor.address is None:
        settings = {
            "address": "local",  # without it, RAY_ADDRESS or somebody's cluster on this machine would be joined
            "num_cpus": int(executor.n_workers * executor.cpus_per_hop),
            "include_dashboard": False,
            "object_store_memory": _store_bytes(),
        }
    runtime_env = (executor.ray_options or {}).get("runtime_env")
    undo.callback(_put_back, {name: os.environ.get(name) for name in _ENVIRONMENT}, signal.getsignal(signal.SIGTERM))
    for name, value in _ENVIRONMENT.items():
        if value is not None:
            os.environ.setdefault(name, value)
    undo.callback(ray.shutdown)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, runtime_env=runtime_env, **settings)
    except (OSError, RuntimeError, ValueError, broken.RayError) as error:
        files = isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
        cure = (
            "make HOME and the temporary folder writable, or set RAY_AUTH_MODE=disabled in the environment if no "
            "password is needed"
            if files
            else "run this program on a node of a cluster with the same versions, or submit it as a job"
        )
        raise ClusterLost(f"Ray must start or be joined, it said: {type(error).__name__}: {error}: {cure}.") from error


def _reachable(address: str | None) -> str | None:
    """Return the address for `ray.init`, once something listens there."""
    if address == "auto" and os.environ.get("RAY_ADDRESS"):
        address = os.environ["RAY_ADDRESS"]
        _check_address("RAY_ADDRESS", address)
    target = _host_and_port(address or "")
    if target is not None:
        try:
            socket.create_connection(target, timeout=CONNECT_S).close()
        except OSError as error:
            raise ClusterLost(
                f"a Ray cluster must listen at {address}, it does not ({error}): start it or correct the address."
            ) from error
    return address


def _store_bytes() -> int:
    """Return the size of the object store: a fifth of the memory, 1 GB at most; Ray alone would take 30 %."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on this system
        memory = 0
    return max(10**8, min(10**9, memory // 5))


def _put_back(environment: dict[str, str | None], on_sigterm: Any) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # Ray replaces the handler from the main thread only; None is a handler that Python did not set and cannot set.
    if on_sigterm is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)


def _probe(call: Any, cpus: int) -> None:
    """Raise `ClusterLost` unless a worker takes a task in time and has the versions of this process."""
    limit = PROBE_S / 2 if inside_worker() else PROBE_S
    ref = call.remote(_versions)
    if not ray.wait([ref], timeout=limit)[0]:
        ray.cancel(ref, force=False)
        total = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        free = ray.available_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        raise ClusterLost(
            f"a worker must take a task of {cpus} CPUs within {limit:g} s, none did, {free:g} of {total:g} CPUs are "
            "free: wait for more, ask for fewer or correct ray_options."
        )
    try:
        there = ray.get(ref)
    except broken.RayError as error:
        raise ClusterLost(
            f"a worker must be able to import {', '.join(_versions())}, it said: {_last_line(_unwrapped(error))}: "
            "install them on every node or pass ray_options={'runtime_env': ...}."
        ) from error
    for name, version in _versions().items():
        if there[name] != version:
            raise ClusterLost(
                f"workers must have {name} {version} like this process, one has {there[name]}: install the same."
            )


def _versions() -> dict[str, str]:
    modules = {"multihop_search": "multihop_search", "numpy": "numpy", "scikit-learn": "sklearn"}
    return {name: str(importlib.import_module(module).__version__) for name, module in modules.items()}


# ---- in the worker


@dataclass(frozen=True)
class _Shared:
    """A handle that Ray does not look into, so that `_call` decides when the value is read."""

    ref: Any


@functools.lru_cache(maxsize=4)  # the values of two sessions; an old one keeps its memory until newer ones come
def _opened(shared: _Shared) -> Any:
    return ray.get(shared.ref)


class _Parts(Exception):
    """An exception that its own class cannot pickle, as its class, its arguments and its attributes."""

    def whole(self) -> Exception:
        kind, args, attributes = self.args
        error: Exception = kind.__new__(kind, *args)
        error.args = args
        vars(error).update(attributes)
        return error


def _call(fn: Callable[..., Any], *args: Any) -> Any:
    try:
        return fn(*(_opened(arg) if isinstance(arg, _Shared) else arg for arg in args))
    except Exception as error:
        portable = _portable(error)
        if portable is error:
            raise
        raise portable from error


def _portable(error: Exception) -> Exception:
    """Return an exception that says on the driver what `error` says here.

    Pickle calls the class with ``error.args``, which fails or changes the text where ``__init__`` makes its own.
    """
    for candidate in (error, _Parts(type(error), error.args, vars(error))):
        with contextlib.suppress(Exception):  # pickling runs the code of the exception's class
            copy = ray.cloudpickle.loads(ray.cloudpickle.dumps(candidate))  # type: ignore[no-untyped-call]
            if str(copy.whole() if isinstance(copy, _Parts) else copy) == str(error):
                return candidate
    return RuntimeError(f"{type(error).__name__}: {error}")


# ---- in the driver


class _RayFuture:
    """A call that waits in the session's queue, then the reference of its task, or what made it fail before that."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call: tuple[Any, ...] = (fn, *args)
        self.ref: Any = None
        self.error: Exception | None = None
        self.done = False

    def fail(self, error: Exception) -> None:
        self.call, self.error, self.done = (), error, True


class RaySession:
    """The session of `RayExecutor`.

    Ray forgets nothing that it was given, so a few tasks are in flight and the rest waits here, first in, first out:
    what a call depends on is always sent before it.
    """

    def __init__(self, call: Any, limit: int, undo: contextlib.ExitStack) -> None:
        store = ray.cluster_resources().get("object_store_memory", 0.0)  # type: ignore[no-untyped-call]
        self.cache_bytes = max(int(SHARE_OF_STORE * store), 1)
        self._remote, self._limit, self._undo = call, limit, undo
        self._queue: deque[_RayFuture] = deque()
        self._flying: dict[Any, _RayFuture] = {}
        self._closed = False

    def share(self, value: Any) -> _Shared:
        self._check()
        with _translating():
            return _Shared(ray.put(value))

    def submit(self, fn: Callable[..., Any], *args: Any) -> _RayFuture:
        future = _RayFuture(fn, args)
        self._queue.append(future)
        self._pump()
        return future

    def ready(self, future: _RayFuture) -> bool:
        self._pump()
        return future.done

    def wait(self, futures: Sequence[_RayFuture]) -> None:
        self._pump()
        while futures and not any(future.done for future in futures):
            self._pump(timeout=1.0)  # not longer, so that Ctrl-C is heard

    def result(self, future: _RayFuture) -> Any:
        self.wait([future])
        if future.error is not None:
            raise future.error
        with _translating():
            return ray.get(future.ref)

    def cancel(self, future: _RayFuture) -> None:
        """Drop what has not been sent; what has runs out.

        `ray.cancel` of a task that waits for an argument or a worker can abort this whole process (a failed check in
        reference_counter.cc; Ray 2.48 and 2.60), and nobody can tell such a task from one that runs.
        """
        if future.ref is None and not (future.done or self._closed):
            self._queue.remove(future)
            future.fail(WorkerLost(_CANCELLED))

    def close(self) -> None:
        """Stop a Ray of our own; on somebody else's the few hops that were sent run out."""
        self._closed = True
        self._queue.clear()
        self._flying.clear()
        self._undo.close()

    def _check(self) -> None:
        if self._closed or not ray.is_initialized():  # Ray would start a new one by itself
            raise ClusterLost("a session needs its Ray until it is closed, it was shut down: start another session.")

    def _pump(self, timeout: float = 0.0) -> None:
        """Note what has finished, or wait up to `timeout` seconds for one that does; then send from the queue."""
        self._check()
        with _translating():
            if self._flying:
                refs = list(self._flying)
                # What finished stays where it is: only `result` needs it here.
                done, _ = ray.wait(refs, num_returns=1 if timeout else len(refs), timeout=timeout, fetch_local=False)
                for ref in done:
                    self._flying.pop(ref).done = True
            while self._queue and len(self._flying) < self._limit:
                self._send(self._queue[0])
                self._queue.popleft()  # afterwards, so that Ctrl-C loses none

    def _send(self, future: _RayFuture) -> None:
        failed = [arg.error for arg in future.call if isinstance(arg, _RayFuture) and arg.error is not None]
        if failed:
            return future.fail(failed[0])
        try:
            future.ref = self._remote.remote(*(arg.ref if isinstance(arg, _RayFuture) else arg for arg in future.call))
        except broken.RayError:
            raise
        except Exception as error:  # pickling runs the code of the arguments
            return future.fail(error)
        self._flying[future.ref] = future
        future.call = ()  # so that their memory is free as soon as nobody else holds them


_UNSERIALIZABLE: tuple[type, ...] = tuple(
    getattr(broken, name) for name in ("UnserializableException",) if hasattr(broken, name)
)
"""What stands for an exception that cannot be pickled; Ray 2.48 has none."""
_CANCELLED = "a hop must run to its end, it was cancelled: ask for it again or leave its trial out."

_WORKER_LOST = {
    broken.WorkerCrashedError: "a hop must leave its process alive, it ended it in 4 runs of 4: leave that model out.",
    broken.OutOfMemoryError: "a hop must fit into the memory of its node, it was stopped again and again: use fewer "
    "workers, pass ray_options={'memory': ...} or leave that model out.",
    broken.TaskCancelledError: _CANCELLED,
}


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except broken.RayError as error:
        raise _translated(_unwrapped(error)) from error


def _unwrapped(error: Any) -> Any:
    """Return what went wrong first: each task that depends on it wraps it once more."""
    while isinstance(error, broken.RayTaskError):
        error = error.cause
    return error


def _translated(error: Exception) -> Exception:
    """Return what a caller of the package should see: the function's own exception, or what was lost."""
    if isinstance(error, _Parts):
        return error.whole()
    if isinstance(error, _UNSERIALIZABLE) or type(error) is broken.RayError:
        return RuntimeError(_last_line(error))  # the driver lacks the class of the exception
    for kind, text in _WORKER_LOST.items():
        if isinstance(error, kind):
            return WorkerLost(text)
    # Ray says so with a plain RuntimeError, which looks like that of a model.
    missing = isinstance(error, RuntimeError) and "failed to import on the worker" in str(error)
    if not missing and not isinstance(error, broken.RayError):
        return error
    cure = "install it on every node or pass ray_options={'runtime_env': ...}" if missing else "see to the cluster"
    return ClusterLost(f"Ray must be able to run every hop, it said: {_last_line(error)}: {cure}, then search again.")


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
