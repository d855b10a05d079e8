"""Folds: the outer ones that judge, and the inner partition by which hops are cross-fitted; both seeded by key."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from multihop_search.keys import seed
from multihop_search.problem.problem import Fold


def make_folds(
    X: Any,
    y: np.ndarray,
    groups: np.ndarray | None,
    *,
    cv: Any,
    crossfit_cv: int | bool,
    random_state: int,
    classes: np.ndarray | None,
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
    parts = 0 if crossfit_cv is False else int(crossfit_cv)

    def inner(number: int, train: np.ndarray) -> tuple[np.ndarray, ...]:
        codes = np.zeros(len(train), dtype=np.intp) if classes is None else y[train]
        together = None if groups is None else groups[train]
        return _partition(codes, together, parts, seed(random_state, "inner", number))

    folds = []
    everything = np.arange(len(y))
    kept, out = (everything, None) if share is None else _held_out(y, groups, share, random_state, classes)
    for number, (train, test) in enumerate(_outer_of(kept, X, y, groups, cv, random_state, classes)):
        learns = len(train) if classes is None else len(np.unique(y[train]))
        if len(test) == 0 or learns < 2:
            what = "rows" if classes is None else "classes"
            raise InvalidData(
                f"each fold must train on at least 2 {what} and hold rows out, fold {number} of cv={_shown(cv)} does "
                "not: "
                "use fewer folds or more rows."
            )
        folds.append(Fold(number, train, test, inner(number, train)))
    if not folds:
        raise InvalidSetting(f"cv must give at least one (train, test) split, got {cv!r}: pass cv=5.")
    whole = Fold(-1, everything, everything[:0], inner(-1, everything))
    held_out = None if out is None else Fold(-2, kept, out, inner(-2, kept))
    pairs = dict(_pairs(folds, y, classes, inner)) if nested else {}
    return Folds(tuple(folds), whole, held_out, pairs)


@dataclass(frozen=True)
class Folds:
    """How the rows of a search are divided; see the fields of the same names in `Problem`."""

    folds: tuple[Fold, ...]
    whole: Fold
    held_out: Fold | None
    pairs: Mapping[tuple[int, int], Fold]


def _held_out(
    y: np.ndarray, groups: np.ndarray | None, share: float, random_state: int, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are searched and those that are held out of it, ascending."""
    drawn = seed(random_state, "held out")
    splitter: Any = ShuffleSplit(1, test_size=share, random_state=drawn)
    if groups is not None:
        splitter = GroupShuffleSplit(1, test_size=share, random_state=drawn)
    elif classes is not None and np.bincount(y).min() >= 2 and min(share, 1 - share) * len(y) >= len(classes):
        splitter = StratifiedShuffleSplit(1, test_size=share, random_state=drawn)
    try:
        kept, out = next(splitter.split(np.zeros(len(y)), y, groups))
    except ValueError as error:
        said = str(error).split(". ")[0].rstrip(".")
        raise InvalidData(f"verdict={share} must leave rows on both sides, it cannot ({said}): use another.") from error
    return np.sort(kept), np.sort(out)


def _outer_of(
    kept: np.ndarray,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray | None,
    cv: Any,
    random_state: int,
    classes: np.ndarray | None,
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Yield the outer splits of the rows `kept`, as row numbers among all."""
    if len(kept) == len(y):
        yield from _outer(X, y, groups, cv, random_state, classes)
    elif not _names_rows(cv):
        together = None if groups is None else groups[kept]
        for train, test in _outer(safe_indexing(X, kept), y[kept], together, cv, random_state, classes):
            yield kept[train], kept[test]
    else:  # row numbers of the user's own
        for train, test in _outer(X, y, groups, cv, random_state, classes):
            yield train[np.isin(train, kept)], test[np.isin(test, kept)]


def _names_rows(cv: Any) -> bool:
    """Return whether `cv` holds row numbers of the user's own, whatever rows it is asked to split."""
    return isinstance(cv, PredefinedSplit) or not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split"))


def splits_of_rows(cv: Any, rows: np.ndarray) -> Any:
    """Return `cv` for a search on some of its rows, (n_rows,) of bool: row numbers become those among them."""
    if not _names_rows(cv):
        return cv
    place = np.cumsum(rows) - 1
    splits = _outer(np.empty((len(rows), 0)), np.empty(len(rows)), None, cv, 0, None)
    return [tuple(place[side[rows[side]]] for side in split) for split in splits]


def _pairs(
    folds: Sequence[Fold],
    y: np.ndarray,
    classes: np.ndarray | None,
    inner: Callable[[int, np.ndarray], tuple[np.ndarray, ...]],
) -> Iterator[tuple[tuple[int, int], Fold]]:
    """Yield a fold for each two outer ones, by their numbers: without the rows held out by either, it predicts both.

    The search without the first holds out the rows of the second, and the other way round, so that each model serves
    two searches: K (K - 1) / 2 folds instead of K (K - 1).
    """
    number = len(folds)
    for one, other in combinations(folds, 2):
        train = np.setdiff1d(np.intersect1d(one.train, other.train), np.union1d(one.test, other.test))
        test = np.union1d(held_by(one, other), held_by(other, one))
        learns = len(train) if classes is None else len(np.unique(y[train]))
        if len(test) and learns >= 2:
            try:
                parts = inner(number, train)
            except InvalidData as error:
                raise InvalidData(
                    "verdict='nested' needs at least 2 groups to train on beside those of two outer folds, one pair "
                    "leaves a single group: use more folds, or another verdict."
                ) from error
            yield (one.number, other.number), Fold(number, train, test, parts)
            number += 1


def held_by(inner: Fold, outer: Fold) -> np.ndarray:
    """Return the rows that fold `inner` holds out in the search without fold `outer`, ascending."""
    return np.setdiff1d(np.intersect1d(inner.test, outer.train), outer.test)


def _outer(
    X: Any, y: np.ndarray, groups: np.ndarray | None, cv: Any, random_state: int, classes: np.ndarray | None
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        if cv < 2:
            raise InvalidSetting(
                f"cv must be an integer of at least 2, a splitter or a list of splits, got {cv}: pass 5."
            )
        return _splits(y, groups, int(cv), seed(random_state, "outer"), classes)
    try:
        splitter = check_cv(cv, y, classifier=classes is not None)
    except (ValueError, TypeError) as error:
        raise InvalidSetting(
            f"cv must be an integer, a splitter or a list of splits, got {_shown(cv)}: pass cv=5."
        ) from error
    target = y if classes is None else classes[y]
    if getattr(splitter, "random_state", 0) is None:
        splitter = copy.copy(splitter)
        splitter.random_state = seed(random_state, "outer")
    try:
        splits = [tuple(map(np.asarray, split)) for split in splitter.split(X, target, groups)]
    except (ValueError, TypeError) as error:
        raise InvalidData(f"the rows must be split by cv={_shown(cv)}, they cannot: {error}") from error
    return [_row_numbers(split, number, len(y)) for number, split in enumerate(splits)]


def _shown(cv: Any) -> str:
    return "[...]" if isinstance(cv, (list, tuple)) else repr(cv)


def _row_numbers(split: tuple[np.ndarray, ...], number: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a split as row numbers; boolean masks are taken as scikit-learn takes them."""
    found = [np.flatnonzero(rows) if rows.dtype == bool and len(rows) == n_rows else rows for rows in split]
    if len(found) != 2 or not all(
        rows.ndim == 1 and (len(rows) == 0 or (rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < n_rows))
        for rows in found
    ):
        raise InvalidSetting(
            f"cv must give pairs (train, test) of row numbers from 0 to {n_rows - 1}, split {number} is none: pass 5."
        )
    return found[0].astype(np.intp), found[1].astype(np.intp)


def _splits(
    y: np.ndarray, groups: np.ndarray | None, n_splits: int, random_state: int, classes: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split by an integer cv: shuffled, by group where given, classes stratified; one warning for a rare one."""
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
        held = tuple(test for _, test in splitter.split(np.zeros(len(y)), y, groups))
    return tuple(part for part in held if len(part))
