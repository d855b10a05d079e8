"""The serial executor: a future is a call put off until somebody asks for its result."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from multihop_search.errors import InvalidSetting
from multihop_search.executors.attempts import attempted
from multihop_search.executors.base import Executor, Session


class _Deferred:
    """A call that gets one value; what it raised at its last attempt is raised again to everybody who depends on it."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._call: tuple[Callable[..., Any], tuple[Any, ...]] | None = (fn, args)
        self._value: Any = None
        self._error: Exception | None = None

    @property
    def done(self) -> bool:
        return self._call is None

    def step(self) -> None:
        """Run one call: this one, or the first that it depends on."""
        assert self._call is not None
        for arg in self._call[1]:
            if isinstance(arg, _Deferred) and not arg.done:
                return arg.step()
        with contextlib.suppress(Exception):  # `result` raises it
            self.result()

    def result(self) -> Any:
        if self._call is not None:
            fn, args = self._call
            try:
                values = [arg.result() if isinstance(arg, _Deferred) else arg for arg in args]
                self._value = attempted(lambda: fn(*values))
            except Exception as error:
                self._error = error
            self._call = None  # an interrupted call stays, to be run when it is asked for again
        if self._error is not None:
            raise self._error
        return self._value


@dataclass(frozen=True)
class SerialExecutor(Executor):
    """Runs each call in this process, in the order in which results are asked for, and only those asked for."""

    def start(self, hop_timeout: float | None = None) -> SerialSession:
        """Return a session, ready for use.

        Raises
        ------
        InvalidSetting
            If a `hop_timeout` is given: a process cannot end what itself runs.
        """
        if hop_timeout is not None:
            raise InvalidSetting(
                f"hop_timeout needs Ray, whose workers can be ended, got {hop_timeout!r} in this process: pass "
                "executor=RayExecutor() or hop_timeout=None."
            )
        return SerialSession()


class SerialSession(Session):
    """The session of `SerialExecutor`; it holds nothing."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return _Deferred(fn, args)

    def ready(self, future: Any) -> bool:
        return bool(future.done)

    def wait(self, futures: Sequence[Any], timeout: float | None = None) -> None:
        """Run the first, call by call: nothing else would become ready by itself."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not futures[0].done and time.monotonic() < end:
            futures[0].step()

    def result(self, future: Any) -> Any:
        return future.result()
