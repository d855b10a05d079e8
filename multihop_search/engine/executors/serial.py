"""The serial executor: a future is a call put off until somebody asks for its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Deferred:
    """A call that runs at most once; what it raised is raised again to everybody who depends on it."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._call: tuple[Callable[..., Any], tuple[Any, ...]] | None = (fn, args)
        self._value: Any = None
        self._error: Exception | None = None

    def result(self) -> Any:
        if self._call is not None:
            fn, args = self._call
            try:
                self._value = fn(*(arg.result() if isinstance(arg, _Deferred) else arg for arg in args))
            except Exception as error:
                self._error = error
            self._call = None  # an interrupted call stays, to be run when it is asked for again
        if self._error is not None:
            raise self._error
        return self._value


class SerialExecutor:
    """Runs each call in this process, in the order in which results are asked for, and only those asked for."""

    def share(self, value: Any) -> Any:
        return value

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return _Deferred(fn, args)

    def result(self, future: Any) -> Any:
        return future.result()

    def cancel(self, future: Any) -> None:
        """Nothing to do: what nobody asks for never runs."""

    def close(self) -> None:
        """Nothing was taken."""
