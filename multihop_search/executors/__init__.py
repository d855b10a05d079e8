"""Where hops run. Ray is imported in `ray/` only, and only when it is used."""

from multihop_search.executors.attempts import attempted
from multihop_search.executors.base import Executor, Session
from multihop_search.executors.base import Future as Future
from multihop_search.executors.serial import SerialExecutor

__all__ = ["Executor", "SerialExecutor", "Session", "attempted"]
