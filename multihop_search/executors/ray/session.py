"""The session of `RayExecutor`: what waits, what is in flight, what is sent again."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray import exceptions as broken

from multihop_search.errors import ClusterLost, WorkerLost
from multihop_search.executors.base import Session
from multihop_search.executors.ray.translation import (
    CANCELLED,
    is_death,
    is_loss,
    translated,
    translating,
    unsendable,
    unwrapped,
)
from multihop_search.executors.ray.worker import GRACE_S, MOST_RUNS, Packed, Shared, Task, pack, read, unpacked

SHARE_OF_STORE = 0.3
"""Share of the object store that kept values may fill: a full store spills to the disks of the cluster."""
PLACE_S = 900.0
"""Longest wait while no node is large enough for a hop; a cluster that grows by itself may need minutes."""
FRESH_S = 0.001
"""Seconds for which what was seen of the tasks in flight is not looked at again: a search asks for many at a time."""
LOOK_S = 30.0
"""Seconds between two looks at the nodes."""
PEEK_S = 10.0
"""Longest look at a value, to see whether it is there."""
DEADLY_SENDS = 2
"""Times that a call is sent at most, each time for 4 runs, when its workers die."""
MOST_SENDS = 4
"""Times that a call is sent at most, each time for 4 runs, when Ray cannot bring back what went with a node."""


class _Call:
    """What a future computes, kept after it was sent so that it can be sent again; it holds no value."""

    def __init__(self, task: Task, inputs: tuple[Shared | _Call, ...]) -> None:
        self.task, self.inputs = task, inputs
        self.n_sends = 0
        self.above: frozenset[str] = frozenset()
        """Ray's names of all values that the call depends on, directly or not, as it was last sent."""
        self.future: Callable[[], _RayFuture | None] = lambda: None
        """Of the value, if somebody still holds it."""

    @property
    def may_run(self) -> bool:
        """Whether everything that it depends on is there."""
        above = (source.future() for source in self.inputs if isinstance(source, _Call))
        return all(future is None or future.done for future in above)


class _RayFuture:
    """A call that waits in the session's queue, then the reference of its task, or what made it fail before that."""

    def __init__(self, call: _Call, needs: tuple[Shared | _RayFuture, ...] = ()) -> None:
        self.call, self.needs = call, needs
        call.future = weakref.ref(self)
        self.ref: Any = None
        self.error: Exception | None = None
        self.done = False
        self.n_waiting = 0
        """Calls in the queue that depend on it."""
        self.aside = False
        """Whether it was taken out of the queue, since every call that waited for it was cancelled."""

    @property
    def unsent(self) -> bool:
        """Whether it has neither been sent nor failed."""
        return self.ref is None and not self.done

    @property
    def above(self) -> list[_RayFuture]:
        """What it waits for."""
        return [need for need in self.needs if isinstance(need, _RayFuture)]

    def fail(self, error: Exception) -> None:
        self.needs, self.error, self.done = (), error, True


class RaySession(Session):
    """The session of `RayExecutor`.

    Ray forgets nothing that it was given, so a few tasks are in flight and the rest waits here, first in, first out:
    what a call depends on is always sent before it.
    """

    def __init__(
        self,
        call: Any,
        n_workers: int,
        limit: int,
        undo: contextlib.ExitStack,
        *,
        needs: Mapping[str, float],
        hop_timeout: float | None = None,
    ) -> None:
        store = ray.cluster_resources().get("object_store_memory", 0.0)  # type: ignore[no-untyped-call]
        self.cache_bytes = max(int(SHARE_OF_STORE * store), 1)
        self._remote, self._n_workers, self._limit, self._undo = call, n_workers, limit, undo
        self._needs, self._hop_timeout = needs, hop_timeout
        self._names = (f"{uuid.uuid4().hex}_{number}" for number in itertools.count())
        self._queue: deque[_RayFuture] = deque()
        self._flying: dict[Any, _RayFuture] = {}
        self._looked = time.monotonic()
        self._pumped = -math.inf
        self._no_node_since: float | None = None
        self._closed = False

    def share(self, value: Any) -> Shared:
        self._check()
        with translating():
            try:
                return Shared(ray.put(value))
            except broken.RayError:
                raise
            except Exception as error:  # pickling runs the code of what is sent
                raise unsendable(value, error) from error

    def submit(self, fn: Callable[..., Any], *args: Any) -> _RayFuture:
        places = tuple(place for place, arg in enumerate(args) if isinstance(arg, Shared | _RayFuture))
        needs = tuple(args[place] for place in places)
        inputs = tuple(need.call if isinstance(need, _RayFuture) else need for need in needs)
        error: Exception | None = None
        try:
            packed = pack(fn, *(None if place in places else arg for place, arg in enumerate(args)))
        except Exception as why:  # pickling runs the code of the arguments
            packed, error = b"", unsendable((fn, args), why)
        task = Task(packed, places, next(self._names), self._hop_timeout, GRACE_S, MOST_RUNS)
        future = _RayFuture(_Call(task, inputs), needs)
        if error is not None:
            future.fail(error)
            return future
        self._queue.extend(_queued(future))
        self._pump()
        return future

    def ready(self, future: _RayFuture) -> bool:
        self._call_back(future)
        if not future.done and time.monotonic() - self._pumped > FRESH_S:
            self._pump()
        return future.done

    def wait(self, futures: Sequence[_RayFuture], timeout: float | None = None) -> None:
        end = math.inf if timeout is None else time.monotonic() + timeout
        self._check()
        for future in futures:
            self._call_back(future)
        if futures:
            self._bring_forward(futures[0])
        self._pump()
        while futures and not any(future.done for future in futures):
            left = end - time.monotonic()
            if left <= 0:
                return
            self._pump(timeout=min(left, 1.0))  # not longer, so that Ctrl-C is heard
            self._look()

    def has_idle_worker(self) -> bool:
        self._pump()
        return not self._queue and sum(future.call.may_run for future in self._flying.values()) < self._n_workers

    def result(self, future: _RayFuture) -> Any:
        return unpacked(self._received(future))

    def last_result(self, future: _RayFuture) -> Any:
        value = self._received(future)
        if not isinstance(value, Packed):
            self.close()
            return value
        content = io.BytesIO(value.content)  # type: ignore[arg-type]  # a copy, so that the object store is free too
        del value
        self.close()
        return read(content)

    def _received(self, future: _RayFuture) -> Any:
        """Return the value of a future as it was sent."""
        futures: list[_RayFuture] = []  # what was sent again, since it may be needed once more
        while True:
            self.wait([future])
            if future.error is not None:
                raise future.error
            try:
                return ray.get(future.ref, timeout=LOOK_S)
            except broken.GetTimeoutError:  # it comes from far away, or is computed again
                self._look()
            except broken.RayError as error:
                cause = unwrapped(error)
                again = is_loss(cause) and future.call.n_sends < MOST_SENDS
                if not again and not (is_death(cause) and _n_deadly_sends(future.call) < DEADLY_SENDS):
                    raise translated(cause) from error
                futures += self._send_again(future.call, getattr(cause, "object_ref_hex", ""))

    def cancel(self, future: _RayFuture) -> None:
        """Drop what has not been sent, and put aside what nothing else in the queue waits for; what was sent runs out.

        `ray.cancel` of a task that waits for an argument or a worker can abort this whole process (a failed check in
        reference_counter.cc; Ray 2.48 and 2.60), and nobody can tell such a task from one that runs.
        """
        if future.unsent and not self._closed:
            self._take_out(future)
            future.fail(WorkerLost(CANCELLED))

    def _take_out(self, future: _RayFuture) -> None:
        if not future.aside:
            future.aside = True
            with contextlib.suppress(ValueError):  # Ctrl-C may have come between the two
                self._queue.remove(future)
            for need in future.above:
                need.n_waiting -= 1
                if need.unsent and not need.n_waiting:
                    self._take_out(need)

    def _bring_forward(self, future: _RayFuture) -> None:
        """Send next what is needed soonest, after what it waits for."""
        first: dict[_RayFuture, None] = {}

        def visit(one: _RayFuture) -> None:
            if one.unsent and one not in first:
                for need in one.above:
                    visit(need)
                first[one] = None

        visit(future)
        if first:  # in one step: Ctrl-C leaves the one order or the other
            self._queue = deque([*first, *(one for one in self._queue if one not in first)])

    def _call_back(self, future: _RayFuture) -> None:
        """Queue a future again that was put aside."""
        if future.aside and future.unsent:
            self._queue.extend(_queued(future))

    def close(self) -> None:
        """Stop a Ray of our own; on somebody else's the few hops that were sent run out."""
        self._closed = True
        self._queue.clear()
        self._flying.clear()
        self._undo.close()

    def _check(self) -> None:
        if self._closed or not ray.is_initialized():  # Ray would start a new one by itself
            raise ClusterLost("a session needs its Ray until it is closed, it was shut down: start another session.")

    def _pump(self, timeout: float = 0.0) -> None:
        """Note what has finished, or wait up to `timeout` seconds for one that does; then send from the queue."""
        self._check()
        with translating():
            if self._flying:
                refs = list(self._flying)
                # What finished stays where it is: only `result` needs it here.
                done, _ = ray.wait(refs, num_returns=1 if timeout else len(refs), timeout=timeout, fetch_local=False)
                for ref in done:
                    self._flying[ref].done = True
                    del self._flying[ref]
            while self._queue and len(self._flying) < self._limit:
                if self._queue[0].unsent:
                    self._send(self._queue[0])
                self._queue.popleft()  # afterwards, so that Ctrl-C loses none
        self._pumped = time.monotonic()

    def _send(self, future: _RayFuture) -> None:
        above = future.above
        for need in above:
            if need.unsent:
                self._send(need)
        failed = [need.error for need in above if need.error is not None]
        if failed:
            future.fail(failed[0])
        else:
            values = (need.ref if isinstance(need, _RayFuture) else need for need in future.needs)
            ref = self._remote.remote(future.call.task, *values)
            future.call.n_sends += 1
            future.call.above = frozenset().union(*(need.call.above | {need.ref.hex()} for need in above))
            self._flying[ref] = future
            future.ref = ref
        for need in above:
            need.n_waiting -= 1
        future.needs = ()  # so that their memory is free as soon as nobody else holds them

    def _look(self) -> None:
        """Raise `ClusterLost` when for a long time no node was large enough for a hop: it would wait for ever."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        if any(all(node.get(name, 0) >= amount for name, amount in self._needs.items()) for node in nodes):
            self._no_node_since = None
            return
        self._no_node_since = now if self._no_node_since is None else self._no_node_since
        if now - self._no_node_since >= PLACE_S:
            what = ", ".join(f"{amount:g} {name}" for name, amount in self._needs.items())
            raise ClusterLost(
                f"a node must have {what} for a hop, none of {len(nodes)} has had it for {PLACE_S:g} s: add a node or "
                "correct ray_options, then search again."
            )

    def _send_again(self, call: _Call, lost: str) -> list[_RayFuture]:
        """Queue anew, before all others, a call whose value is missing and those of its inputs that are gone."""
        anew: list[_RayFuture] = []
        _renew(call, lost, anew)
        chain = [one for future in anew for one in _queued(future)]
        self._queue.extendleft(reversed(chain))  # first, so that Ctrl-C loses none
        for future in anew:
            self._flying.pop(future.ref, None)
            future.ref, future.done = None, False
        return anew


def _queued(future: _RayFuture) -> list[_RayFuture]:
    """Return what is to be queued for a future, it last: what it waits for may have been put aside."""
    future.aside = False
    before = []
    for need in future.above:
        need.n_waiting += 1
        if need.aside and need.unsent:
            before += _queued(need)
    return [*before, future]


def _renew(call: _Call, lost: str, anew: list[_RayFuture]) -> _RayFuture:
    """Add to `anew` the future of `call`, after those of its inputs that nobody holds or that are lost."""
    needs: list[Shared | _RayFuture] = []
    for source in call.inputs:
        if isinstance(source, _Call):
            renewed = source.future()
            if renewed is None or (renewed not in anew and _lacks_value(renewed, lost)):
                renewed = _renew(source, lost, anew)
            needs.append(renewed)
        else:
            needs.append(source)
    future = call.future() or _RayFuture(call)
    future.needs = tuple(needs)
    anew.append(future)
    return future


def _n_deadly_sends(call: _Call) -> int:
    """Return how often a call was sent whose workers died, or the input of it that is why it has no value."""
    above = [(source, source.future()) for source in call.inputs if isinstance(source, _Call)]
    dead = [source for source, future in above if future is not None and _lacks_value(future, "")]
    return max(map(_n_deadly_sends, dead)) if dead else call.n_sends


def _lacks_value(future: _RayFuture, lost: str) -> bool:
    """Return whether a future can be no input of a call that failed, since `lost` is gone; "" if Ray does not say what.

    Looking at the value itself is slow, and tells no lost value from a distant one.
    """
    if future.ref is None:
        return False  # it waits to be sent
    if lost:
        return lost in future.call.above | {future.ref.hex()}
    if not future.done:
        return False  # it is under way
    try:
        ray.get(future.ref, timeout=PEEK_S)
    except broken.GetTimeoutError:
        return True
    except broken.RayError as error:
        cause = unwrapped(error)
        return is_loss(cause) or is_death(cause)
    return False
