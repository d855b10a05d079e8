"""Prefixes: what many paths share is computed once per fold, as the future of its outputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from multihop_search.engine.crossfit import crossfit, crossfit_plain
from multihop_search.engine.refit import refit_teacher
from multihop_search.engine.student import fit_student, judge
from multihop_search.executors import Future, Session
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER, Hop, Path, Truncate
from multihop_search.problem.problem import Problem
from multihop_search.transfer.schemes.model_compression import MOST_ROWS


class Prefixes:
    """Futures of cross-fitted outputs by (fold, hops), in a cache bounded in bytes.

    The least recently used go first, and are computed again if needed.

    Parameters
    ----------
    session : Session
        Where hops run.
    problem, ladder
        The search's data and models.
    max_bytes : int or None, default=None
        Bound of the cache; None: what the session can keep.
    """

    def __init__(self, session: Session, problem: Problem, ladder: Ladder, *, max_bytes: int | None = None) -> None:
        self.session = session
        self.problem, self.ladder = problem, ladder
        self.shared = (session.share(problem), session.share(ladder))
        self._cache: OrderedDict[tuple[Any, ...], tuple[Future, int]] = OrderedDict()
        self._bytes = 0
        self._max_bytes = session.cache_bytes if max_bytes is None else max_bytes

    def run(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Return ``fn(problem, ladder, *args)``, run by the session."""
        return self.session.result(self.session.submit(fn, *self.shared, *args))

    def teacher(self) -> Future:
        """Return the future of the teacher on all rows, which the end of the search needs: free workers may begin."""
        return self.session.submit(refit_teacher, *self.shared)

    def outcome(self, number: int, path: Path) -> Future:
        """Return the future of the outcome of `path` in a fold, its prefix shared with every other path."""
        above = (self.outputs(number, path.prefix),) if path.hops else ()
        return self.session.submit(judge, *self.shared, number, path, *above)

    def student(self, number: int, path: Path) -> Future:
        """Return the future of the student of `path`, fitted on the training rows of a fold."""
        above = (self.outputs(number, path.prefix),) if path.hops else ()
        return self.session.submit(fit_student, *self.shared, number, path, *above)

    def outputs(self, number: int, hops: tuple[Hop, ...]) -> Future:
        """Return the future of the outputs of the model that `hops` lead to in a fold; submits what is missing."""
        kept = self._kept((number, hops))
        if kept is not None:
            return kept
        above: tuple[Future, ...] = ()
        if hops:
            scheme = hops[-1].scheme
            above = (self.outputs(number, hops[:-1]),)
            if not isinstance(scheme, Truncate) and scheme.needs_plain:
                above = (*above, self._plain(number, hops[-1].model))
        future = self.session.submit(crossfit, *self.shared, number, hops, *above)
        stages = self.ladder.graded_sizes(hops[-1].model if hops else TEACHER)
        return self._keep((number, hops), future, self._size(number, stages))

    def _plain(self, number: int, name: str) -> Future:
        """Return the future of what an intermediate says without a teacher."""
        kept = self._kept((number, name))
        if kept is not None:
            return kept
        future = self.session.submit(crossfit_plain, *self.shared, number, name)
        return self._keep((number, name), future, self._size(number))

    def _kept(self, key: tuple[Any, ...]) -> Future | None:
        if key not in self._cache:
            return None
        self._cache.move_to_end(key)
        return self._cache[key][0]

    def _keep(self, key: tuple[Any, ...], future: Future, size: int) -> Future:
        self._cache[key] = (future, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._cache) > 1:
            self._bytes -= self._cache.popitem(last=False)[1][1]
        return future

    def _size(self, number: int, stages: tuple[int, ...] = ()) -> int:
        """Return the bytes of one entry: predictions on real and synthetic rows, and of the stages."""
        n_train = len(self.problem.fold(number).train)
        n_rows = n_train + sum(min(multiple * n_train, MOST_ROWS) for multiple in self.problem.synthetic.values())
        return (1 + len(stages)) * n_rows * self.problem.n_outputs * np.dtype(self.problem.stored).itemsize
