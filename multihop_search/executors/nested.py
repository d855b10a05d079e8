"""Whether this process is a worker of Ray: the face asks before it chooses an executor, without importing Ray."""

from __future__ import annotations

import sys


def inside_worker() -> bool:
    """Return whether this process runs tasks or actors for Ray; a process that never imported Ray does not.

    Examples
    --------
    >>> inside_worker()
    False
    """
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return False
    # `get_task_id` would say the same, but it logs a warning in every driver that asks.
    return bool(ray.get_runtime_context().worker.mode == ray.WORKER_MODE)
