"""An executor of the user's own: one on `concurrent.futures` in one file, and defects that the check names."""

import operator
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from multihop_search import SerialExecutor
from multihop_search.executors import Executor, Session, attempted
from multihop_search.executors.serial import SerialSession
from multihop_search.testing import check_executor

pytestmark = pytest.mark.once


@dataclass(frozen=True)
class Threads(Executor):
    """Runs hops in threads of this process."""

    n_workers: int = 2

    def start(self, hop_timeout: float | None = None) -> Session:
        return ThreadSession(ThreadPoolExecutor(self.n_workers))


class ThreadSession(Session):
    """Each thread waits for what its call depends on, which was submitted before it."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        def call() -> Any:
            values = [arg.result() if isinstance(arg, Future) else arg for arg in args]
            return attempted(lambda: fn(*values))

        return self._pool.submit(call)

    def ready(self, future: Future[Any]) -> bool:
        return future.done()

    def wait(self, pending: Sequence[Future[Any]], timeout: float | None = None) -> None:
        futures.wait(pending, timeout, futures.FIRST_COMPLETED)

    def result(self, future: Future[Any]) -> Any:
        return future.result()

    def close(self) -> None:
        self._pool.shutdown()


def test_an_executor_on_threads_keeps_the_contract() -> None:
    check_executor(Threads())


class Deaf(SerialSession):
    """Never says that anything is ready."""

    def ready(self, future: Any) -> bool:
        return False


class Stubborn(SerialSession):
    """Hands futures on as they are."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return super().submit(lambda *values: fn(*values) if fn is not operator.add else 7, *args)


class Hasty(SerialSession):
    """Gives up at the first failure."""

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return super().submit(partial(_once, fn), *args)


def _once(fn: Callable[..., Any], *args: Any) -> Any:
    try:
        return fn(*args)
    except ValueError:
        return None


class Silent(SerialSession):
    """Swallows what calls raise."""

    def result(self, future: Any) -> Any:
        try:
            return super().result(future)
        except KeyError:
            return None


@dataclass(frozen=True)
class Defective(Executor):
    session: type[Session]
    n_workers: int = 1

    def start(self, hop_timeout: float | None = None) -> Session:
        return self.session()


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        (Defective(Deaf), "must be ready"),
        (Defective(Stubborn), "futures of futures must have the values of plain calls"),
        (Defective(Hasty), "a call that fails must be run again"),
        (Defective(Silent), "what a call raised must reach what depends on it"),
        (Defective(SerialSession, n_workers=0), "n_workers must be an integer of at least 1"),
    ],
)
def test_a_defect_is_told_in_one_sentence(executor: Executor, words: str) -> None:
    with pytest.raises(AssertionError, match=f"Defective: .*{words}"):
        check_executor(executor)


def test_an_incomplete_session_cannot_be_made() -> None:
    class Incomplete(SerialSession):
        pass

    Incomplete()
    with pytest.raises(TypeError, match="abstract"):
        Session()  # type: ignore[abstract]
    assert SerialExecutor().n_workers == SerialExecutor().cpus_per_hop == 1
