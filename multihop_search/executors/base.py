"""What the engine asks of an executor, and what it gets if an executor does not say.

An `Executor` is a frozen description of where hops run; it can be stored and pickled. `start` makes a `Session` of it,
which lives for one search. Calls of a session come in this order: `share`, then `submit`, `ready`, `wait`,
`has_idle_worker`, `result` and `cancel` as the search goes, `last_result` if nothing else is to be run, then `close`,
always.

An executor of your own derives from both and writes `start`, `submit`, `ready`, `wait` and `result`;
`multihop_search.testing.check_executor` tests it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

Future = Any
"""A handle of a value to come; it may be passed to `submit` as an argument before the value exists."""


class Session(ABC):
    """Runs functions whose arguments may be futures.

    A session never decides anything: the same search gives the same trials on every executor.
    """

    cache_bytes: int = 1 << 30
    """Most bytes of values that may be kept where this session keeps them."""

    @abstractmethod
    def submit(self, fn: Callable[..., Any], *args: Any) -> Future:
        """Return the future of ``fn(*args)``; futures among `args` are replaced by their values.

        A call that raises is run again where it ran, by `attempts.attempted`; what it raises at last is its error.

        A value with a true attribute `packed_in_transit` is large and read once: it may be compressed on its way.
        """

    @abstractmethod
    def ready(self, future: Future) -> bool:
        """Return whether `result` would return or raise at once."""

    @abstractmethod
    def wait(self, futures: Sequence[Future], timeout: float | None = None) -> None:
        """Return when at least one of `futures` is ready, the first being the one needed soonest, or after `timeout`.

        Seconds; a call that this process runs itself is not cut short.
        """

    @abstractmethod
    def result(self, future: Future) -> Any:
        """Return the value of `future`, waiting for it, or raise what its function, or one it depends on, raised."""

    def share(self, value: Any) -> Future:
        """Return a handle of a large value that many calls read; by default the value, sent with each call.

        Raises
        ------
        UnsuitableModel
            If it cannot be sent.
        """
        return value

    def has_idle_worker(self) -> bool:
        """Return whether a call submitted now would run at once, beside everything that was submitted before.

        By default never: then no fold is run that might be spared.
        """
        return False

    def last_result(self, future: Future) -> Any:
        """Return `result`, and close: the value may be large, so it comes when what workers hold is free."""
        value = self.result(future)
        self.close()
        return value

    def cancel(self, future: Future) -> None:  # noqa: B027  # may do nothing
        """Say that nobody needs `future` any more; it may still run."""

    def close(self) -> None:  # noqa: B027  # may do nothing
        """Give back everything that this session took; it may be called again."""


class Executor(ABC):
    """Describes where hops run."""

    n_workers: int = 1
    """Hops that run at once."""
    cpus_per_hop: int = 1
    """Threads that each hop may use."""

    @abstractmethod
    def start(self, hop_timeout: float | None = None) -> Session:
        """Return a session, ready for use.

        Parameters
        ----------
        hop_timeout : float or None, default=None
            Seconds that one call may run, from the moment it begins; one that runs longer raises `HopTimeout`, and so
            does everything that depends on it. Not passed when it is None.

        Raises
        ------
        InvalidSetting
            If this executor cannot end a call.
        ClusterLost
            If what runs the calls cannot be reached.
        """
