"""What the engine asks of an executor: five calls, in this order: `share`, `submit`, `result`, `cancel`, `close`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Future = Any
"""A handle of a value to come; it may be passed to `submit` as an argument before the value exists."""


class Executor(Protocol):
    """Runs functions whose arguments may be futures.

    An executor never decides anything: the same search gives the same trials on every executor.
    """

    def share(self, value: Any) -> Future:
        """Return a handle of a large value that many calls read; it crosses to the workers once."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future:
        """Return the future of ``fn(*args)``; futures among `args` are replaced by their values."""

    def result(self, future: Future) -> Any:
        """Return the value of `future`, waiting for it, or raise what its function, or one it depends on, raised."""

    def cancel(self, future: Future) -> None:
        """Say that nobody needs `future` any more; it may still run."""

    def close(self) -> None:
        """Give back everything that this executor took."""
