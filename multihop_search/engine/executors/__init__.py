"""Where hops run."""

from multihop_search.engine.executors.base import Executor, Future
from multihop_search.engine.executors.serial import SerialExecutor

__all__ = ["Executor", "Future", "SerialExecutor"]
