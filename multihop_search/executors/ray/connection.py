"""The connection of this process to Ray.

A process that is connected to Ray already is a guest there: it changes no global state and shuts nothing down. A
connection of our own is shared by the searches of the process and ends with the last of them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import faulthandler
import importlib
import logging
import os
import socket
import sys
import threading
from typing import Any

import ray
from ray import exceptions as broken

from multihop_search.errors import ClusterLost, InvalidSetting
from multihop_search.executors.nested import inside_worker
from multihop_search.executors.ray.translation import last_line, unwrapped
from multihop_search.executors.ray.worker import Task, pack

ANSWER_S = 60.0
"""Longest wait for the test task; half of it inside a worker, where waiting may be a deadlock."""
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


def check_address(name: str, address: Any) -> None:
    """Raise `InvalidSetting` unless an address is one that `ray.init` can join; `name` is what the message calls it."""
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


class _Connection:
    """The connection of this process to Ray, if it is ours."""

    def __init__(self) -> None:
        self.users = 0
        self.undo = contextlib.ExitStack()


_gate = threading.RLock()
_ours: _Connection | None = None


def enter(address: str | None, n_cpus: int, runtime_env: Any, undo: contextlib.ExitStack) -> bool:
    """Connect this process unless it is connected; return whether it was not. `undo` learns how to leave.

    `n_cpus` are those of a Ray that is started here, with `address` None.
    """
    global _ours
    with _gate:
        connected = ray.is_initialized()
        if not connected:
            _ours = None
            connection = _Connection()
            with contextlib.ExitStack() as steps:
                _connect(address, n_cpus, runtime_env, steps)
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


def _connect(address: str | None, n_cpus: int, runtime_env: Any, undo: contextlib.ExitStack) -> None:
    """Start or join Ray; `undo` learns how to leave the process as it was, before anything is changed."""
    settings: dict[str, Any] = {"address": _reachable(address)}
    if address is None:
        settings = {
            "address": "local",  # without it, RAY_ADDRESS or somebody's cluster on this machine would be joined
            "num_cpus": n_cpus,
            "include_dashboard": False,
            "object_store_memory": _store_bytes(),
        }
    undo.callback(_put_back, {name: os.environ.get(name) for name in _ENVIRONMENT})
    for name, value in _ENVIRONMENT.items():
        if value is not None:
            os.environ.setdefault(name, value)
    settings |= {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": runtime_env}
    _lend_streams(undo)
    keeper = _Keeper(settings)
    undo.callback(keeper.end)
    undo.callback(ray.shutdown)
    try:
        keeper.start()
    except (OSError, RuntimeError, ValueError, broken.RayError) as error:
        files = isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
        cure = (
            "make HOME and the temporary folder writable, or set RAY_AUTH_MODE=disabled in the environment if no "
            "password is needed"
            if files
            else "run this program on a node of a cluster with the same versions, or submit it as a job"
        )
        raise ClusterLost(f"Ray must start or be joined, it said: {type(error).__name__}: {error}: {cure}.") from error


def _lend_streams(undo: contextlib.ExitStack) -> None:
    """Let Ray start where this process has no terminal, or where a window or a log takes what it prints.

    Ray writes to both streams, and names the file of standard error as the place of a report of a crash.
    """
    nowhere = undo.enter_context(os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if not faulthandler.is_enabled() and not _has_file(sys.stderr):
        faulthandler.enable(nowhere, all_threads=False)
        undo.callback(faulthandler.disable)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            undo.callback(_take_back, name, nowhere)
            setattr(sys, name, nowhere)


def _take_back(name: str, stream: Any) -> None:
    if getattr(sys, name) is stream:  # else somebody gave another one
        setattr(sys, name, None)


def _has_file(stream: Any) -> bool:
    try:
        return bool(stream.fileno() >= 0)
    except (AttributeError, OSError, ValueError):
        return False


class _Keeper:
    """The thread in which Ray starts, and which lives as long as Ray is needed.

    Linux ends a Ray of our own with the thread that started it, but other searches may need it for longer. Outside the
    main thread Ray replaces no handler of SIGTERM, and no signal can break off a half of its start.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings, self._started, self._needless = settings, concurrent.futures.Future[None](), threading.Event()
        self._thread = threading.Thread(target=self._run, name="multihop_search keeps Ray", daemon=True)

    def start(self) -> None:
        """Start Ray; a signal is heard, and goes on, when the start has ended."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            concurrent.futures.wait([self._started])
            raise

    def end(self) -> None:
        self._needless.set()
        if self._thread.ident is not None:  # else a signal came before it was started
            self._thread.join()

    def _run(self) -> None:
        try:
            ray.init(**self._settings)
        except BaseException as error:
            self._started.set_exception(error)
        else:
            self._started.set_result(None)
        self._needless.wait()


def _reachable(address: str | None) -> str | None:
    """Return the address for `ray.init`, once something listens there."""
    if address == "auto" and os.environ.get("RAY_ADDRESS"):
        address = os.environ["RAY_ADDRESS"]
        check_address("RAY_ADDRESS", address)
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


def _put_back(environment: dict[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def try_workers(call: Any, cpus: int, n_tasks: int) -> None:
    """Raise `ClusterLost` unless a worker takes a task in time and has the versions of this process.

    As many tasks as a Ray of our own has workers let all of these import what hops need at the same time.
    """
    nested = inside_worker()
    limit = ANSWER_S / 2 if nested else ANSWER_S
    refs = [call.remote(Task(pack(_versions))) for _ in range(n_tasks)]
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
            f"a worker must be able to import {', '.join(_versions())}, it said: {last_line(unwrapped(error))}: "
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
