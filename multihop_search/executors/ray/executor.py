"""The description of where hops run on Ray."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import ray

from multihop_search.errors import InvalidSetting
from multihop_search.executors.base import Executor
from multihop_search.executors.ray.connection import check_address, enter, try_workers
from multihop_search.executors.ray.session import RaySession
from multihop_search.executors.ray.worker import run_task

_OURS = {
    "num_cpus": "cpus_per_hop sets it",
    "num_returns": "a hop has one result",
    "max_retries": "lost results are rebuilt by running their hops again",
    "retry_exceptions": "a model that fails would fail again",
}


@dataclass(frozen=True)
class RayExecutor(Executor):
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
            check_address("address", self.address)
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
            n_cpus, environment = self.n_workers * self.cpus_per_hop, (self.ray_options or {}).get("runtime_env")
            owned = enter(self.address, int(n_cpus), environment, undo)
            call = _remote_call(self._options(with_environment=not owned))
            alone = owned and self.address is None
            try_workers(call, self.cpus_per_hop, self.n_workers if alone else 1)
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


def _remote_call(options: dict[str, Any]) -> Any:
    try:
        return ray.remote(**options)(run_task)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"ray_options must be options of a Ray task, Ray said: {error}: correct them.") from error
