"""The method of a verdict: which rows judge a search. `method_for` chooses among the first three.

| `Verdict.method` | the rows that judge | class |
| --- | --- | --- |
| "bbc" | the held-out rows of the search, drawn again | `resampling.Resampling` |
| "nested" | the same, by searches that were run again without each outer fold | `nested.NestedSearch` |
| "held-out" | rows of `fit` outside the search: a share asked for, or what a sample leaves | `outside.Outside` |
| "fresh" | rows that `fit` was given as X_fresh and y_fresh | `outside.Outside` |
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from multihop_search.engine.prefixes import Prefixes
from multihop_search.errors import InvalidData, InvalidSetting, StoppedWarning, warn
from multihop_search.interrupt import Interrupted, interruptible
from multihop_search.problem.intake import labels_of, numeric_target, own_copy
from multihop_search.problem.leaks import leaks_of_rows
from multihop_search.problem.problem import Problem
from multihop_search.problem.rows import checked_like
from multihop_search.problem.tables import as_pandas
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.nested import Again, NestedSearch
from multihop_search.verdict.outside import FreshRows, held_out_rows
from multihop_search.verdict.resampling import Resampling
from multihop_search.verdict.verdict import BBC, Verdict

ENDED = "the nested search was ended before its time"


class Method(Protocol):
    """Which rows judge, and how a verdict comes from them."""

    @property
    def name(self) -> str:
        """As `Verdict.method`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else every verdict has to say."""

    def verdict(self, case: Case) -> Verdict:
        """Return the verdict on one student."""


def check_fresh(verdict: Any, X_fresh: Any, y_fresh: Any) -> None:
    """Check that fresh rows come with their target, and that nobody else is asked to judge.

    Raises
    ------
    InvalidData
        If only one of the two is given.
    InvalidSetting
        If `verdict` asks for a nested search or a held-out share too.
    """
    if (X_fresh is None) != (y_fresh is None):
        missing = "X_fresh" if X_fresh is None else "y_fresh"
        raise InvalidData(f"X_fresh and y_fresh must be given together, {missing} is missing: pass both or none.")
    if X_fresh is not None and not (isinstance(verdict, str) and verdict == BBC):
        raise InvalidSetting(
            "X_fresh and y_fresh judge in place of the rows of the search, so verdict must be 'bbc' with them: leave "
            "it out."
        )


def fresh_rows(search: Any, X: Any, y: Any, problem: Problem) -> FreshRows:
    """Return the fresh rows that `fit` was given, checked like those of the search.

    Raises
    ------
    InvalidData, InvalidKind
        If they are no rows like those of the search, or have labels that it does not know.
    """
    X, y = own_copy(checked_like(search, "X_fresh", X, problem.X)), as_pandas("y_fresh", y)
    n_rows = np.shape(X)[0]
    if problem.classes is None:
        values = own_copy(numeric_target(y, n_rows))
        return FreshRows(X, values, leaks_of_rows(X, values, problem))
    labels = labels_of(y, n_rows)
    unknown = ~np.isin(labels, problem.classes)
    if unknown.any():
        raise InvalidData(
            f"y_fresh must hold labels that y has, got {labels[unknown].tolist()[0]!r} too: leave these rows out."
        )
    codes = np.searchsorted(problem.classes, labels)
    return FreshRows(X, codes, leaks_of_rows(X, codes, problem))


def runs_hops(problem: Problem, fresh: FreshRows | None) -> bool:
    """Return whether the method of the verdict runs further hops: all but plain resampling do."""
    return fresh is not None or len(problem.searched.test) > 0 or bool(problem.pairs)


def method_for(
    assessment: Assessment,
    prefixes: Prefixes,
    teacher: Any,
    believed: TeacherOutputs | None,
    *,
    again: Again,
    with_fits: Collection[str] = (),
    learns: bool = False,
    ended: bool = False,
) -> Method:
    """Return the method of the verdict; what it needs is run now, where the search runs its hops.

    `teacher` is fitted on the rows searched, `believed` holds its cross-fitted outputs by row; None without one.
    `again` runs the search again without an outer fold, `with_fits` names the students of which ways of fitting are
    searched, `learns` says whether the sampler learns, `ended` whether a signal ended the search, so that none is run
    again.
    """
    problem = assessment.problem
    if len(problem.searched.test):
        return held_out_rows(assessment, prefixes, teacher, believed)
    if not problem.pairs:
        return Resampling(assessment, believed)
    nested = NestedSearch(assessment, prefixes, believed, again, with_fits)
    try:
        if ended:
            raise Interrupted("a signal")
        with interruptible():
            nested.run()
    except Interrupted as signal:
        if not ended:
            warn(f"{signal} ended the nested search: the verdict is given by resampling instead.", StoppedWarning)
        if not learns:
            return Resampling(assessment, believed, (ENDED,))
        leak = f"{ENDED}, and the sampler learned from these rows, so all gains are optimistic"
        return Resampling(replace(assessment, leaks=(*assessment.leaks, leak)), believed)
    return nested
