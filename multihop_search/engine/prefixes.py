"""Prefixes: what many paths share is computed once per fold, as the future of its outputs."""

from __future__ import annotations

from collections import OrderedDict

from multihop_search.engine.executors import Executor, Future
from multihop_search.engine.hop import crossfit
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import Hop
from multihop_search.problem.problem import Problem

CACHE_BYTES = 1 << 30
"""Most bytes of outputs kept; the least recently used go first and are computed again if needed."""


class Prefixes:
    """Futures of cross-fitted outputs by (fold, hops), in a cache bounded in bytes.

    Parameters
    ----------
    executor : Executor
        Where hops run.
    problem, ladder
        The search's data and models.
    max_bytes : int, default=CACHE_BYTES
        Bound of the cache.
    """

    def __init__(self, executor: Executor, problem: Problem, ladder: Ladder, *, max_bytes: int = CACHE_BYTES) -> None:
        self._executor = executor
        self.problem, self._ladder = problem, ladder
        self.shared = (executor.share(problem), executor.share(ladder))
        self._cache: OrderedDict[tuple[int, tuple[Hop, ...]], Future] = OrderedDict()
        self._bytes = 0
        self._max_bytes = max_bytes

    def outputs(self, number: int, hops: tuple[Hop, ...]) -> Future:
        """Return the future of the outputs of the model that `hops` lead to in a fold; submits what is missing."""
        key = (number, hops)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        above = () if not hops else (self.outputs(number, hops[:-1]),)
        future = self._executor.submit(crossfit, *self.shared, number, hops, *above)
        self._cache[key] = future
        self._bytes += self._size(key)
        while self._bytes > self._max_bytes and len(self._cache) > 1:
            oldest, _ = self._cache.popitem(last=False)
            self._bytes -= self._size(oldest)
        return future

    def _size(self, key: tuple[int, tuple[Hop, ...]]) -> int:
        number, hops = key
        arrays = 1 if hops else 1 + len(self._ladder.stage_sizes)
        return arrays * len(self.problem.fold(number).train) * self.problem.n_classes * 4
