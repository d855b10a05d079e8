"""The Ray executor: a future is a Ray task; the only file of the package that imports Ray.

The face makes a `RayExecutor`; the engine calls `start`, which connects, proves with a probe task that a worker can do
the work, and returns a `RaySession`; then the calls of `base.Session`, and `close`, which leaves the process as it was.

A process that is connected to Ray already is a guest there: it changes no global state and shuts nothing down. A
connection of our own is shared by the searches of the process and ends with the last of them.

What fails is met in three places. Ray itself runs a task again whose worker or node died, and the tasks whose values
went with a node. The session sends a call again, with fresh inputs, when Ray has given that up. What kills its worker
in each run, or runs too long, is an error of the call, and costs its trials only.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import gzip
import importlib
import io
import itertools
import logging
import math
import os
import signal
import socket
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import ray
import ray.cloudpickle
from ray import exceptions as broken

from multihop_search.engine.executors.clock import time_limit
from multihop_search.engine.executors.heap import give_back
from multihop_search.engine.executors.nested import inside_worker
from multihop_search.errors import ClusterLost, InvalidSetting, WorkerLost

PROBE_S = 60.0
"""Longest wait for the probe task; half of it inside a worker, where waiting may be a deadlock."""
SHARE_OF_STORE = 0.3
"""Share of the object store that kept values may fill: a full store spills to the disks of the cluster."""
CONNECT_S = 5.0
"""Longest wait for the port of a cluster: `ray.init` itself tries a dead one for many minutes."""
PLACE_S = 900.0
"""Longest wait while no node is large enough for a hop; a cluster that grows by itself may need minutes."""
FRESH_S = 0.001
"""Seconds for which what was seen of the tasks in flight is not looked at again: a search asks for many at a time."""
LOOK_S = 30.0
"""Seconds between two looks at the nodes."""
GRACE_S = 5.0
"""Seconds after `hop_timeout` in which a hop may still end, before its worker is ended."""
PEEK_S = 10.0
"""Longest look at a value, to see whether it is there."""
MOST_SENDS = 4
"""Times that a call is sent at most, each time for 4 runs, when Ray cannot bring back what went with a node."""
MOST_RUNS = 10
"""Runs of a task at most. Ray does not count those that its memory monitor ends, unless told before it starts."""
PACKING = 3
"""Level of compression of a value that says ``packed_in_transit``: a forest becomes 7 times smaller."""

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

    Notes
    -----
    A worker that dies, a node that leaves or joins, and a value that is lost change nothing but the time: what was
    lost is computed again. A search waits while other jobs hold the CPUs, but no more than 15 minutes for a node that
    is large enough for a hop where there is none.

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

    def start(self, hop_timeout: float | None = None) -> RaySession:
        """Return a session, ready for use.

        Parameters
        ----------
        hop_timeout : float or None, default=None
            Seconds that one hop may run, from the moment a worker begins it. Python code is stopped at once; a hop that
            is still there 5 s later, such as a loop in C, ends with its worker. On a cluster of several machines such a
            hop may be begun on up to 4 of them.

        Raises
        ------
        InvalidSetting
            If `hop_timeout` is neither None nor a positive number.
        ClusterLost
            If Ray cannot be started or reached, or no worker has a free CPU and the versions of this process.
        """
        if hop_timeout is not None and not _is_duration(hop_timeout):
            raise InvalidSetting(
                f"hop_timeout must be None or a positive number of seconds, got {hop_timeout!r}: pass one of these."
            )
        with contextlib.ExitStack() as undo:
            owned = _enter(self, undo)
            call = _remote_call(self._options(with_environment=not owned))
            alone = owned and self.address is None
            _probe(call, self.cpus_per_hop, self.n_workers if alone else 1)
            # Ray keeps a queue of its own busy only on a machine that is ours; elsewhere each task in flight may run.
            limit = self.n_workers * 4 if alone else self.n_workers
            seconds = None if hop_timeout is None else float(hop_timeout)
            undone = undo.pop_all()
            return RaySession(call, self.n_workers, limit, undone, needs=self._needs(), hop_timeout=seconds)

    def _needs(self) -> dict[str, float]:
        """Return what a node must have for a hop, by Ray's names."""
        options = self.ray_options or {}
        named = {"GPU": options.get("num_gpus"), "memory": options.get("memory"), **(options.get("resources") or {})}
        return {"CPU": self.cpus_per_hop, **{name: amount for name, amount in named.items() if amount}}

    def _options(self, *, with_environment: bool) -> dict[str, Any]:
        """Return the options of a task; a connection of ours sets its environment once, with local folders in it."""
        options = {"max_retries": 3, "num_cpus": int(self.cpus_per_hop), **(self.ray_options or {})}
        if not with_environment:
            options.pop("runtime_env", None)
        return options


def _is_duration(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < float("inf")


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


class _Connection:
    """The connection of this process to Ray, if it is ours."""

    def __init__(self) -> None:
        self.users = 0
        self.undo = contextlib.ExitStack()


_gate = threading.RLock()
_ours: _Connection | None = None


def _enter(executor: RayExecutor, undo: contextlib.ExitStack) -> bool:
    """Connect this process unless it is connected; return whether it was not. `undo` learns how to leave."""
    global _ours
    with _gate:
        connected = ray.is_initialized()
        if not connected:
            _ours = None
            connection = _Connection()
            with contextlib.ExitStack() as steps:
                _connect(executor, steps)
                connection.undo = steps.pop_all()
            _ours = connection
        if _ours is not None:
            _ours.users += 1
            undo.callback(_leave, _ours)
        return not connected


def _leave(connection: _Connection) -> None:
    """End a connection of ours after the last search that uses it."""
    with _gate:
        connection.users -= 1
        if not connection.users and connection is _ours:  # else somebody ended it, and Ray was started again
            connection.undo.close()


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
    settings |= {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": runtime_env}
    keeper = None
    if threading.current_thread() is not threading.main_thread():
        # Linux ends a Ray of our own with the thread that started it, but other searches may need it for longer.
        keeper = undo.enter_context(concurrent.futures.ThreadPoolExecutor(1))
    undo.callback(ray.shutdown)
    try:
        if keeper is None:
            ray.init(**settings)
        else:
            keeper.submit(ray.init, **settings).result()
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
    elif address == "auto":
        with contextlib.suppress(ConnectionError):  # there is none: `ray.init` says so itself
            # A cluster that was killed leaves the file with its address behind.
            address = str(ray._private.services.get_ray_address_from_environment("auto", None))
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


def _probe(call: Any, cpus: int, n_tasks: int) -> None:
    """Raise `ClusterLost` unless a worker takes a task in time and has the versions of this process.

    As many tasks as a Ray of our own has workers let all of these import what hops need at the same time.
    """
    nested = inside_worker()
    limit = PROBE_S / 2 if nested else PROBE_S
    refs = [call.remote(_Task(_packed(_versions))) for _ in range(n_tasks)]
    done = ray.wait(refs, num_returns=n_tasks, timeout=limit)[0]
    if not done:
        if n_tasks == 1:  # a Ray of our own is ended now
            ray.cancel(refs[0], force=False)
        total = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        free = ray.available_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        cure = "leave the executor out inside a worker" if nested else "wait for more"
        raise ClusterLost(
            f"a worker must take a task of {cpus} CPUs within {limit:g} s, none did, {free:g} of {total:g} CPUs are "
            f"free: {cure}, ask for fewer or correct ray_options."
        )
    try:
        there = ray.get(done[0])
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


@dataclass(frozen=True)
class _Task:
    """What is sent to a worker beside the values that a call depends on."""

    packed: bytes
    """The function and the list of its arguments, None in the places of values to come."""
    places: tuple[int, ...] = ()
    name: str = ""
    hop_timeout: float | None = None
    grace_s: float = GRACE_S
    most_runs: int = MOST_RUNS


def _packed(fn: Callable[..., Any], *args: Any) -> bytes:
    return bytes(ray.cloudpickle.dumps((fn, list(args))))  # type: ignore[no-untyped-call]


def _call(task: _Task, *values: Any) -> Any:
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
        args[place] = _opened(value) if isinstance(value, _Shared) else _unpacked(value)
    limit = task.hop_timeout
    try:
        with contextlib.nullcontext() if limit is None else time_limit(limit, task.grace_s, task.name):
            value = fn(*args)
        if getattr(type(value), "packed_in_transit", False):
            value = _Packed.of(value)  # the value itself is free before pages are given back
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
class _Packed:
    """A value whose pickle was compressed while it was written, so that nothing of its own size lies beside it."""

    content: np.ndarray

    @classmethod
    def of(cls, value: Any) -> _Packed:
        made = io.BytesIO()
        with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=PACKING) as stream:
            ray.cloudpickle.dump(value, stream)  # type: ignore[no-untyped-call]
        return cls(np.frombuffer(made.getbuffer(), dtype=np.uint8))  # bytes would be copied on their way


def _unpacked(value: Any) -> Any:
    return _read(io.BytesIO(value.content)) if isinstance(value, _Packed) else value  # type: ignore[arg-type]


def _read(content: io.BytesIO) -> Any:
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
    for candidate in (error, _Parts(type(error), error.args, vars(error))):
        with contextlib.suppress(Exception):  # pickling runs the code of the exception's class
            copy = ray.cloudpickle.loads(ray.cloudpickle.dumps(candidate))  # type: ignore[no-untyped-call]
            if str(copy.whole() if isinstance(copy, _Parts) else copy) == str(error):
                return candidate
    return RuntimeError(f"{type(error).__name__}: {error}")


# ---- in the driver


class _Call:
    """What a future computes, kept after it was sent so that it can be sent again; it holds no value."""

    def __init__(self, task: _Task, inputs: tuple[_Shared | _Call, ...]) -> None:
        self.task, self.inputs = task, inputs
        self.n_sends = 0
        self.above: frozenset[str] = frozenset()
        """Ray's names of all values that the call depends on, directly or not, as it was last sent."""
        self.future: Callable[[], _RayFuture | None] = lambda: None
        """Of the value, if somebody still holds it."""

    @property
    def may_run(self) -> bool:
        """Whether everything that it depends on is there."""
        above = (source.future() for source in self.inputs if isinstance(source, _Call))
        return all(future is None or future.done for future in above)


class _RayFuture:
    """A call that waits in the session's queue, then the reference of its task, or what made it fail before that."""

    def __init__(self, call: _Call, needs: tuple[_Shared | _RayFuture, ...] = ()) -> None:
        self.call, self.needs = call, needs
        call.future = weakref.ref(self)
        self.ref: Any = None
        self.error: Exception | None = None
        self.done = False
        self.n_waiting = 0
        """Calls in the queue that depend on it."""
        self.aside = False
        """Whether it was taken out of the queue, since every call that waited for it was cancelled."""

    @property
    def unsent(self) -> bool:
        """Whether it has neither been sent nor failed."""
        return self.ref is None and not self.done

    @property
    def above(self) -> list[_RayFuture]:
        """What it waits for."""
        return [need for need in self.needs if isinstance(need, _RayFuture)]

    def fail(self, error: Exception) -> None:
        self.needs, self.error, self.done = (), error, True


class RaySession:
    """The session of `RayExecutor`.

    Ray forgets nothing that it was given, so a few tasks are in flight and the rest waits here, first in, first out:
    what a call depends on is always sent before it.
    """

    def __init__(
        self,
        call: Any,
        n_workers: int,
        limit: int,
        undo: contextlib.ExitStack,
        *,
        needs: Mapping[str, float],
        hop_timeout: float | None = None,
    ) -> None:
        store = ray.cluster_resources().get("object_store_memory", 0.0)  # type: ignore[no-untyped-call]
        self.cache_bytes = max(int(SHARE_OF_STORE * store), 1)
        self._remote, self._n_workers, self._limit, self._undo = call, n_workers, limit, undo
        self._needs, self._hop_timeout = needs, hop_timeout
        self._names = (f"{uuid.uuid4().hex}_{number}" for number in itertools.count())
        self._queue: deque[_RayFuture] = deque()
        self._flying: dict[Any, _RayFuture] = {}
        self._looked = time.monotonic()
        self._pumped = -math.inf
        self._no_node_since: float | None = None
        self._closed = False

    def share(self, value: Any) -> _Shared:
        self._check()
        with _translating():
            return _Shared(ray.put(value))

    def submit(self, fn: Callable[..., Any], *args: Any) -> _RayFuture:
        places = tuple(place for place, arg in enumerate(args) if isinstance(arg, _Shared | _RayFuture))
        needs = tuple(args[place] for place in places)
        inputs = tuple(need.call if isinstance(need, _RayFuture) else need for need in needs)
        error: Exception | None = None
        try:
            packed = _packed(fn, *(None if place in places else arg for place, arg in enumerate(args)))
        except Exception as why:  # pickling runs the code of the arguments
            packed, error = b"", why
        task = _Task(packed, places, next(self._names), self._hop_timeout, GRACE_S, MOST_RUNS)
        future = _RayFuture(_Call(task, inputs), needs)
        if error is not None:
            future.fail(error)
            return future
        self._queue.extend(_queued(future))
        self._pump()
        return future

    def ready(self, future: _RayFuture) -> bool:
        self._call_back(future)
        if not future.done and time.monotonic() - self._pumped > FRESH_S:
            self._pump()
        return future.done

    def wait(self, futures: Sequence[_RayFuture], timeout: float | None = None) -> None:
        end = math.inf if timeout is None else time.monotonic() + timeout
        self._check()
        for future in futures:
            self._call_back(future)
        if futures:
            self._bring_forward(futures[0])
        self._pump()
        while futures and not any(future.done for future in futures):
            left = end - time.monotonic()
            if left <= 0:
                return
            self._pump(timeout=min(left, 1.0))  # not longer, so that Ctrl-C is heard
            self._look()

    def has_idle_worker(self) -> bool:
        self._pump()
        return not self._queue and sum(future.call.may_run for future in self._flying.values()) < self._n_workers

    def result(self, future: _RayFuture) -> Any:
        return _unpacked(self._received(future))

    def last_result(self, future: _RayFuture) -> Any:
        value = self._received(future)
        packed = value if isinstance(value, _Packed) else _Packed.of(value)
        stream = io.BytesIO(packed.content)  # type: ignore[arg-type]  # a copy: the object store goes with our Ray
        del value, packed
        self.close()
        return _read(stream)

    def _received(self, future: _RayFuture) -> Any:
        """Return the value of a future as it was sent."""
        held: list[_RayFuture] = []  # what was sent again, since it may be needed once more
        while True:
            self.wait([future])
            if future.error is not None:
                raise future.error
            try:
                return ray.get(future.ref, timeout=LOOK_S)
            except broken.GetTimeoutError:  # it comes from far away, or is computed again
                self._look()
            except broken.RayError as error:
                cause = _unwrapped(error)
                if not _is_loss(cause) or future.call.n_sends >= MOST_SENDS:
                    raise _translated(cause) from error
                held += self._send_again(future.call, getattr(cause, "object_ref_hex", ""))

    def cancel(self, future: _RayFuture) -> None:
        """Drop what has not been sent, and put aside what nothing else in the queue waits for; what was sent runs out.

        `ray.cancel` of a task that waits for an argument or a worker can abort this whole process (a failed check in
        reference_counter.cc; Ray 2.48 and 2.60), and nobody can tell such a task from one that runs.
        """
        if future.unsent and not self._closed:
            self._take_out(future)
            future.fail(WorkerLost(_CANCELLED))

    def _take_out(self, future: _RayFuture) -> None:
        if not future.aside:
            future.aside = True
            with contextlib.suppress(ValueError):  # Ctrl-C may have come between the two
                self._queue.remove(future)
            for need in future.above:
                need.n_waiting -= 1
                if need.unsent and not need.n_waiting:
                    self._take_out(need)

    def _bring_forward(self, future: _RayFuture) -> None:
        """Send next what is needed soonest, after what it waits for."""
        first: dict[_RayFuture, None] = {}

        def visit(one: _RayFuture) -> None:
            if one.unsent and one not in first:
                for need in one.above:
                    visit(need)
                first[one] = None

        visit(future)
        if first:  # in one step: Ctrl-C leaves the one order or the other
            self._queue = deque([*first, *(one for one in self._queue if one not in first)])

    def _call_back(self, future: _RayFuture) -> None:
        """Queue a future again that was put aside."""
        if future.aside and future.unsent:
            self._queue.extend(_queued(future))

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
                    self._flying[ref].done = True
                    del self._flying[ref]
            while self._queue and len(self._flying) < self._limit:
                if self._queue[0].unsent:
                    self._send(self._queue[0])
                self._queue.popleft()  # afterwards, so that Ctrl-C loses none
        self._pumped = time.monotonic()

    def _send(self, future: _RayFuture) -> None:
        above = future.above
        for need in above:
            if need.unsent:
                self._send(need)
        failed = [need.error for need in above if need.error is not None]
        if failed:
            future.fail(failed[0])
        else:
            values = (need.ref if isinstance(need, _RayFuture) else need for need in future.needs)
            ref = self._remote.remote(future.call.task, *values)
            future.call.n_sends += 1
            future.call.above = frozenset().union(*(need.call.above | {need.ref.hex()} for need in above))
            self._flying[ref] = future
            future.ref = ref
        for need in above:
            need.n_waiting -= 1
        future.needs = ()  # so that their memory is free as soon as nobody else holds them

    def _look(self) -> None:
        """Raise `ClusterLost` when for a long time no node was large enough for a hop: it would wait for ever."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        if any(all(node.get(name, 0) >= amount for name, amount in self._needs.items()) for node in nodes):
            self._no_node_since = None
            return
        self._no_node_since = now if self._no_node_since is None else self._no_node_since
        if now - self._no_node_since >= PLACE_S:
            what = ", ".join(f"{amount:g} {name}" for name, amount in self._needs.items())
            raise ClusterLost(
                f"a node must have {what} for a hop, none of {len(nodes)} has had it for {PLACE_S:g} s: add a node or "
                "correct ray_options, then search again."
            )

    def _send_again(self, call: _Call, lost: str) -> list[_RayFuture]:
        """Queue anew, before all others, a call whose value is missing and those of its inputs that are gone."""
        anew: list[_RayFuture] = []
        _renew(call, lost, anew)
        chain = [one for future in anew for one in _queued(future)]
        self._queue.extendleft(reversed(chain))  # first, so that Ctrl-C loses none
        for future in anew:
            self._flying.pop(future.ref, None)
            future.ref, future.done = None, False
        return anew


def _queued(future: _RayFuture) -> list[_RayFuture]:
    """Return what is to be queued for a future, it last: what it waits for may have been put aside."""
    future.aside = False
    before = []
    for need in future.above:
        need.n_waiting += 1
        if need.aside and need.unsent:
            before += _queued(need)
    return [*before, future]


def _renew(call: _Call, lost: str, anew: list[_RayFuture]) -> _RayFuture:
    """Add to `anew` the future of `call`, after those of its inputs that nobody holds or that are lost."""
    needs: list[_Shared | _RayFuture] = []
    for source in call.inputs:
        if isinstance(source, _Call):
            held = source.future()
            if held is None or (held not in anew and _lacks_value(held, lost)):
                held = _renew(source, lost, anew)
            needs.append(held)
        else:
            needs.append(source)
    future = call.future() or _RayFuture(call)
    future.needs = tuple(needs)
    anew.append(future)
    return future


def _lacks_value(future: _RayFuture, lost: str) -> bool:
    """Return whether a future can be no input of a call that failed, since `lost` is gone; "" if Ray does not say what.

    Looking at the value itself is slow, and tells no lost value from a distant one.
    """
    if future.ref is None:
        return False  # it waits to be sent
    if lost:
        return lost in future.call.above | {future.ref.hex()}
    try:
        ray.get(future.ref, timeout=PEEK_S)
    except broken.GetTimeoutError:
        return True
    except broken.RayError as error:
        return _is_loss(_unwrapped(error))
    return False


def _is_loss(error: Exception) -> bool:
    """Return whether Ray says that a value, or the node that computed it, is gone and stays so."""
    lost = isinstance(error, broken.NodeDiedError | broken.ObjectLostError)
    return lost and not isinstance(error, broken.OwnerDiedError)  # the owner is this process


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
