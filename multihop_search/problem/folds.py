"""Folds: the outer ones that judge, and the inner partition by which hops are cross-fitted; both seeded by key."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.errors import InvalidData, InvalidSetting, RareClassWarning, warn
from multihop_search.keys import rng_of, seed
from multihop_search.problem.problem import Fold, Role

WHOLE, SEARCHED = -1, -2
"""Numbers of the folds that score no trial: seeds hang on them."""


def make_folds(
    X: Any,
    y: np.ndarray,
    groups: np.ndarray | None,
    *,
    cv: Any,
    crossfit_cv: int | bool,
    random_state: int,
    classes: np.ndarray | None,
    searched: np.ndarray | None = None,
    judged: bool = False,
    share: float | None = None,
    nested: bool = False,
) -> Folds:
    """Return the outer folds and what else the rows are divided into.

    Parameters
    ----------
    X, y, groups
        The rows, their class codes or target (n_rows,) and, optionally, their groups (n_rows,).
    cv : int, splitter or iterable of (train, test)
        An integer is shuffled by key and, for classes, stratified; by group where groups are given. A splitter that
        shuffles without a seed gets its seed by key. Splits need not be a partition of the rows.
    crossfit_cv : int or False
        Number of inner parts; False: no cross-fitting, for comparison only.
    random_state : int
        Base seed.
    classes : ndarray of shape (n_classes,) or None
        The user's labels, for messages; None in regression.
    searched : ndarray of shape (n_searched,) or None, default=None
        Rows that are searched; None: all.
    judged : bool, default=False
        Whether the others judge, but for those of groups that are searched. If half of them are as many as those
        searched, one half judges and the other chooses.
    share : float or None, default=None
        Share of the rows to hold out of the search: stratified, or by group where given.
    nested : bool, default=False
        Whether the search is run again without each outer fold.

    Raises
    ------
    InvalidSetting, InvalidData
        If `cv` or `crossfit_cv` is no valid splitter, or the rows cannot fill the folds.
    """
    if crossfit_cv is True or (crossfit_cv is not False and (not isinstance(crossfit_cv, Integral) or crossfit_cv < 2)):
        raise InvalidSetting(f"crossfit_cv must be False or an integer of at least 2, got {crossfit_cv!r}: pass 3.")
    data = _Data(X, y, classes, groups, random_state=random_state, n_parts=int(crossfit_cv))
    everything = np.arange(len(y))
    inside, outside, choosing = everything if searched is None else searched, everything[:0], everything[:0]
    if share is not None:
        inside, outside = _held_out(data, share, inside)
    elif judged:
        choosing, outside = _halves(data, _apart(data, inside), len(inside))
    folds = []
    for number, (train, test) in enumerate(_outer_of(data, inside, cv)):
        if len(test) == 0 or not data.can_learn(train):
            what = "rows" if classes is None else "classes"
            raise InvalidData(
                f"each fold must train on at least 2 {what} and hold rows out, fold {number} of cv={_shown(cv)} does "
                "not: use fewer folds or more rows."
            )
        folds.append(data.fold(number, Role.OUTER, train, test))
    if not folds:
        raise InvalidSetting(f"cv must give at least one (train, test) split, got {cv!r}: pass cv=5.")
    return Folds(
        outer=tuple(folds),
        whole=data.fold(WHOLE, Role.WHOLE, everything, everything[:0]),
        sample=None if len(inside) == len(y) else data.fold(SEARCHED, Role.SEARCHED, inside, outside),
        choosing=choosing,
        pairs=dict(_pairs(data, folds)) if nested else {},
    )


@dataclass(frozen=True, kw_only=True)
class Folds:
    """How the rows of a search are divided."""

    outer: tuple[Fold, ...]
    """Folds whose held-out rows score the trials."""
    whole: Fold
    sample: Fold | None
    choosing: np.ndarray
    """Rows that choose among what is picked of each number of hops; see `Problem.choosing`."""
    pairs: Mapping[tuple[int, int], Fold]
    """By the numbers of the two outer folds; see `Problem.pairs`."""


@dataclass(frozen=True)
class _Data:
    """The rows that are divided, and what has a say in how."""

    X: Any
    y: np.ndarray
    """Class codes, or values."""
    classes: np.ndarray | None
    groups: np.ndarray | None
    _: KW_ONLY
    random_state: int
    n_parts: int
    """Inner parts of each fold; 0: none."""

    def take(self, rows: np.ndarray) -> _Data:
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, X=safe_indexing(self.X, rows), y=self.y[rows], groups=groups)

    def can_learn(self, train: np.ndarray) -> bool:
        """Return whether the rows `train` hold two classes, or in regression two rows."""
        return (len(train) if self.classes is None else len(np.unique(self.y[train]))) >= 2

    def fold(self, number: int, role: Role, train: np.ndarray, test: np.ndarray) -> Fold:
        """Return a fold; its inner partition is drawn by its number."""
        codes = np.zeros(len(train), dtype=np.intp) if self.classes is None else self.y[train]
        groups = None if self.groups is None else self.groups[train]
        inner = _partition(codes, groups, self.n_parts, seed(self.random_state, "inner", number))
        return Fold(number=number, role=role, train=train, test=test, inner=inner)


def _apart(data: _Data, searched: np.ndarray) -> np.ndarray:
    """Return the rows that are not searched, nor any row of their group, ascending."""
    others = np.setdiff1d(np.arange(len(data.y)), searched)
    return others if data.groups is None else others[~np.isin(data.groups[others], data.groups[searched])]


def _halves(data: _Data, rows: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return half of the rows, and the others, ascending, whole groups on one side; none where it holds fewer."""
    rng = rng_of(data.random_state, "choosing")
    if data.groups is None:
        first = np.sort(rng.permutation(rows)[: len(rows) // 2])
    else:
        names, place = np.unique(data.groups[rows], return_inverse=True)
        first = rows[rng.permutation(len(names))[place] < len(names) // 2]
    others = np.setdiff1d(rows, first)
    return (first, others) if min(len(first), len(others)) >= least else (rows[:0], rows)


def _held_out(data: _Data, share: float, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return those of the rows `among` that are searched, and a share of all rows that is held out, ascending."""
    y, drawn = data.y, seed(data.random_state, "held out")
    splitter: Any = ShuffleSplit(1, test_size=share, random_state=drawn)
    if data.groups is not None:
        splitter = GroupShuffleSplit(1, test_size=share, random_state=drawn)
    elif data.classes is not None and np.bincount(y).min() >= 2 and min(share, 1 - share) * len(y) >= len(data.classes):
        splitter = StratifiedShuffleSplit(1, test_size=share, random_state=drawn)
    try:
        searched, held_out = next(splitter.split(np.zeros(len(y)), y, data.groups))
    except ValueError as error:
        reason = str(error).split(". ")[0].rstrip(".")
        raise InvalidData(
            f"verdict={share} must leave rows on both sides, it cannot ({reason}): use another."
        ) from error
    return np.intersect1d(searched, among), np.sort(held_out)


def _outer_of(data: _Data, searched: np.ndarray, cv: Any) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Yield the outer splits of the rows `searched`, as row numbers among all."""
    if len(searched) == len(data.y):
        yield from _outer(data, cv)
    elif not _names_rows(cv):
        for train, test in _outer(data.take(searched), cv):
            yield searched[train], searched[test]
    else:  # row numbers of the user's own
        for train, test in _outer(data, cv):
            yield train[np.isin(train, searched)], test[np.isin(test, searched)]


def _names_rows(cv: Any) -> bool:
    """Return whether `cv` holds row numbers of the user's own, whatever rows it is asked to split."""
    return isinstance(cv, PredefinedSplit) or not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split"))


def splits_of_rows(cv: Any, rows: np.ndarray) -> Any:
    """Return `cv` for a search on some of its rows, (n_rows,) of bool: row numbers become those among them."""
    if not _names_rows(cv):
        return cv
    place = np.cumsum(rows) - 1
    data = _Data(np.empty((len(rows), 0)), np.empty(len(rows)), None, None, random_state=0, n_parts=0)
    return [tuple(place[side[rows[side]]] for side in split) for split in _outer(data, cv)]


def _pairs(data: _Data, folds: Sequence[Fold]) -> Iterator[tuple[tuple[int, int], Fold]]:
    """Yield a fold for each two outer ones, by their numbers: without the rows held out by either, it predicts both.

    The search without the first holds out the rows of the second, and the other way round, so that each model serves
    two searches: K (K - 1) / 2 folds instead of K (K - 1). They are numbered after the outer folds.
    """
    number = len(folds)
    for one, other in combinations(folds, 2):
        train = np.setdiff1d(np.intersect1d(one.train, other.train), np.union1d(one.test, other.test))
        test = np.union1d(held_by(one, other), held_by(other, one))
        if len(test) and data.can_learn(train):
            try:
                pair = data.fold(number, Role.PAIR, train, test)
            except InvalidData as error:
                raise InvalidData(
                    "verdict='nested' needs at least 2 groups to train on beside those of two outer folds, one pair "
                    "leaves a single group: use more folds, or another verdict."
                ) from error
            yield (one.number, other.number), pair
            number += 1


def held_by(inner: Fold, outer: Fold) -> np.ndarray:
    """Return the rows that fold `inner` holds out in the search without fold `outer`, ascending."""
    return np.setdiff1d(np.intersect1d(inner.test, outer.train), outer.test)


def _outer(data: _Data, cv: Any) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    y, classes, drawn = data.y, data.classes, partial(seed, data.random_state, "outer")
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        if cv < 2:
            raise InvalidSetting(
                f"cv must be an integer of at least 2, a splitter or a list of splits, got {cv}: pass 5."
            )
        return _splits(data, int(cv), drawn())
    try:
        splitter = check_cv(cv, y, classifier=classes is not None)
    except (ValueError, TypeError) as error:
        raise InvalidSetting(
            f"cv must be an integer, a splitter or a list of splits, got {_shown(cv)}: pass cv=5."
        ) from error
    target = y if classes is None else classes[y]
    if getattr(splitter, "random_state", 0) is None:
        splitter = copy.copy(splitter)
        splitter.random_state = drawn()
    try:
        splits = [tuple(map(np.asarray, split)) for split in splitter.split(data.X, target, data.groups)]
    except (ValueError, TypeError) as error:
        raise InvalidData(f"the rows must be split by cv={_shown(cv)}, they cannot: {error}") from error
    return [_row_numbers(split, number, len(y)) for number, split in enumerate(splits)]


def _shown(cv: Any) -> str:
    return "[...]" if isinstance(cv, (list, tuple)) else repr(cv)


def _row_numbers(split: tuple[np.ndarray, ...], number: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a split as row numbers; boolean masks are taken as scikit-learn takes them."""
    sides = [np.flatnonzero(rows) if rows.dtype == bool and len(rows) == n_rows else rows for rows in split]
    if len(sides) != 2 or not all(
        rows.ndim == 1 and (len(rows) == 0 or (rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < n_rows))
        for rows in sides
    ):
        raise InvalidSetting(
            f"cv must give pairs (train, test) of row numbers from 0 to {n_rows - 1}, split {number} is none: pass 5."
        )
    return sides[0].astype(np.intp), sides[1].astype(np.intp)


def _splits(data: _Data, n_splits: int, random_state: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split by an integer cv: shuffled, by group where given, classes stratified; one warning for a rare one."""
    y, classes, groups = data.y, data.classes, data.groups
    if groups is not None and (n_groups := len(np.unique(groups))) < n_splits:
        raise InvalidData(f"cv={n_splits} needs at least {n_splits} groups, got {n_groups}: use a smaller cv.")
    splitter: Any
    if classes is None:
        if len(y) < n_splits:
            raise InvalidData(
                f"cv={n_splits} needs at least {n_splits} rows, got n_samples={len(y)}: use a smaller cv or more rows."
            )
        splitter = (KFold if groups is None else GroupKFold)(n_splits, shuffle=True, random_state=random_state)
        return list(splitter.split(np.zeros(len(y)), y, groups))
    counts = np.bincount(y, minlength=len(classes))
    if len(y) < n_splits or counts.max() < n_splits:
        raise InvalidData(
            f"cv={n_splits} needs a class of at least {n_splits} rows, the largest has {counts.max()} "
            f"(n_samples={len(y)}): use a smaller cv or more rows."
        )
    if counts.min() < n_splits:
        rare = int(counts.argmin())
        warn(
            f"class {classes[rare]} has {counts[rare]} rows, fewer than cv={n_splits} folds: some folds lack it.",
            RareClassWarning,
        )
    if groups is None:
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
    else:
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(splitter.split(np.zeros(len(y)), y, groups))


def _partition(y: np.ndarray, groups: np.ndarray | None, parts: int, random_state: int) -> tuple[np.ndarray, ...]:
    """Partition range(len(y)) into `parts`: stratified where the classes allow it, and by group where given."""
    if parts == 0:
        return ()
    splitter: Any
    if groups is not None:
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            raise InvalidData(
                "each training fold must hold at least 2 groups, one has a single group: use fewer folds."
            )
        splitter = GroupKFold(min(parts, n_groups))
        if np.bincount(y).max() >= parts <= n_groups:
            splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=random_state)
    elif np.bincount(y).max() >= parts:
        splitter = StratifiedKFold(parts, shuffle=True, random_state=random_state)
    else:
        splitter = KFold(min(parts, len(y)), shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        inner = tuple(test for _, test in splitter.split(np.zeros(len(y)), y, groups))
    return tuple(part for part in inner if len(part))
