"""Prefixes: what many paths share is computed once per fold, as the future of its outputs."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from multihop_search.engine.crossfit import crossfit, crossfit_and_fit, crossfit_plain, fit_teacher
from multihop_search.engine.student import fit_student, judge
from multihop_search.executors import Future, Session
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER, Hop, Path, Truncate
from multihop_search.problem.problem import Problem, Role
from multihop_search.transfer.schemes.model_compression import MOST_ROWS
from multihop_search.transfer.transfer_set import TeacherOutputs


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
        self._students: dict[tuple[int, Path], Future] = {}
        self._bytes = 0
        self._max_bytes = session.cache_bytes if max_bytes is None else max_bytes

    def teacher(self, number: int) -> Future:
        """Return the future of the teacher on all training rows of a fold."""
        return self.session.submit(fit_teacher, *self.shared, number)

    def outcome(self, number: int, path: Path) -> Future:
        """Return the future of the outcome of `path` in a fold, its prefix shared with every other path."""
        above = (self.outputs(number, path.prefix),) if path.hops else ()
        return self.session.submit(judge, *self.shared, number, path, *above)

    def student(self, number: int, path: Path) -> Future:
        """Return the future of the student of `path`, fitted on the training rows of a fold.

        On a sample that is searched it is fitted once: rows outside choose by it, and others judge it.
        """
        if (number, path) in self._students:
            return self._students[number, path]
        above = (self.outputs(number, path.prefix),) if path.hops else ()
        future = self.session.submit(fit_student, *self.shared, number, path, *above)
        if self.problem.fold(number).role == Role.SEARCHED:
            self._students[number, path] = future
        return future

    def outputs(self, number: int, hops: tuple[Hop, ...]) -> Future:
        """Return the future of the outputs of the model that `hops` lead to in a fold; submits what is missing."""
        future = self._cached((number, hops))
        if future is None:
            future = self.session.submit(crossfit, *self.shared, number, hops, *self._above(number, hops))
            self._keep((number, hops), future, self._size(number, self._stages(hops)))
        return future

    def outputs_and_model(self, number: int, hops: tuple[Hop, ...]) -> Future:
        """Return the future of the same outputs and of the model, fitted on all training rows of the fold."""
        return self.session.submit(crossfit_and_fit, *self.shared, number, hops, *self._above(number, hops))

    def put(self, number: int, hops: tuple[Hop, ...], outputs: TeacherOutputs) -> None:
        """Keep outputs that were computed elsewhere."""
        if self._cached((number, hops)) is None:
            self._keep((number, hops), self.session.share(outputs), self._size(number, self._stages(hops)))

    def _above(self, number: int, hops: tuple[Hop, ...]) -> tuple[Future, ...]:
        """Return what the model that `hops` lead to is taught from; nothing for the teacher."""
        if not hops:
            return ()
        scheme, upper = hops[-1].scheme, self.outputs(number, hops[:-1])
        if isinstance(scheme, Truncate) or not scheme.needs_plain:
            return (upper,)
        return upper, self._plain(number, hops[-1].model)

    def _plain(self, number: int, name: str) -> Future:
        """Return the future of what an intermediate says without a teacher."""
        future = self._cached((number, name))
        if future is None:
            future = self.session.submit(crossfit_plain, *self.shared, number, name)
            self._keep((number, name), future, self._size(number))
        return future

    def _cached(self, key: tuple[Any, ...]) -> Future | None:
        if key not in self._cache:
            return None
        self._cache.move_to_end(key)
        return self._cache[key][0]

    def _keep(self, key: tuple[Any, ...], future: Future, size: int) -> None:
        self._cache[key] = (future, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._cache) > 1:
            self._bytes -= self._cache.popitem(last=False)[1][1]

    def _stages(self, hops: tuple[Hop, ...]) -> tuple[int, ...]:
        return self.ladder.graded_sizes(hops[-1].model if hops else TEACHER)

    def _size(self, number: int, stages: tuple[int, ...] = ()) -> int:
        """Return the bytes of one entry: predictions on real and synthetic rows, and of the stages."""
        n_train = len(self.problem.fold(number).train)
        n_rows = n_train + sum(min(multiple * n_train, MOST_ROWS) for multiple in self.problem.synthetic.values())
        return (1 + len(stages)) * n_rows * self.problem.n_outputs * np.dtype(self.problem.stored).itemsize
