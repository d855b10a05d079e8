"""Folds: the outer ones that judge, and the inner partition by which hops are cross-fitted; both seeded by key."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, check_cv

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
    classes: np.ndarray,
) -> tuple[tuple[Fold, ...], Fold]:
    """Return the outer folds, and all rows as one fold for the refit.

    Parameters
    ----------
    X, y, groups
        The rows, their class codes (n_rows,) and, optionally, their groups (n_rows,).
    cv : int, splitter or iterable of (train, test)
        An integer is shuffled by key and stratified, by group where groups are given. A splitter that shuffles without
        a seed gets its seed by key. Splits need not be a partition of the rows.
    crossfit_cv : int or False
        Number of inner parts; False: no cross-fitting, for comparison only.
    random_state : int
        Base seed.
    classes : ndarray of shape (n_classes,)
        The user's labels, for messages.

    Raises
    ------
    InvalidSetting, InvalidData
        If `cv` or `crossfit_cv` is no valid splitter, or the rows cannot fill the folds.
    """
    if crossfit_cv is True or (crossfit_cv is not False and (not isinstance(crossfit_cv, Integral) or crossfit_cv < 2)):
        raise InvalidSetting(f"crossfit_cv must be False or an integer of at least 2, got {crossfit_cv!r}: pass 3.")
    parts = 0 if crossfit_cv is False else int(crossfit_cv)

    def inner(number: int, train: np.ndarray) -> tuple[np.ndarray, ...]:
        return _partition(
            y[train], None if groups is None else groups[train], parts, seed(random_state, "inner", number)
        )

    folds = []
    for number, (train, test) in enumerate(_outer(X, y, groups, cv, random_state, classes)):
        if len(test) == 0 or len(np.unique(y[train])) < 2:
            raise InvalidData(
                f"each fold must train on at least 2 classes and hold rows out, fold {number} of cv={cv!r} does not: "
                "use fewer folds or more rows."
            )
        folds.append(Fold(number, train, test, inner(number, train)))
    if not folds:
        raise InvalidSetting(f"cv must give at least one (train, test) split, got {cv!r}: pass cv=5.")
    everything = np.arange(len(y))
    return tuple(folds), Fold(-1, everything, everything[:0], inner(-1, everything))


def _outer(
    X: Any, y: np.ndarray, groups: np.ndarray | None, cv: Any, random_state: int, classes: np.ndarray
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        if cv < 2:
            raise InvalidSetting(
                f"cv must be an integer of at least 2, a splitter or a list of splits, got {cv}: pass 5."
            )
        return _splits(y, groups, int(cv), seed(random_state, "outer"), classes)
    try:
        splitter = check_cv(cv, y, classifier=True)
    except (ValueError, TypeError) as error:
        raise InvalidSetting(
            f"cv must be an integer, a splitter or a list of splits, got {cv!r}: pass cv=5."
        ) from error
    if getattr(splitter, "random_state", 0) is None:
        splitter = copy.copy(splitter)
        splitter.random_state = seed(random_state, "outer")
    try:
        return [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, classes[y], groups)]
    except (ValueError, TypeError) as error:
        raise InvalidData(f"the rows cannot be split by cv={cv!r}: {error}") from error


def _splits(
    y: np.ndarray, groups: np.ndarray | None, n_splits: int, random_state: int, classes: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split by an integer cv: stratified, shuffled, by group where given; one warning for a rare class (rule 7)."""
    counts = np.bincount(y, minlength=len(classes))
    if len(y) < n_splits or counts.max() < n_splits:
        raise InvalidData(
            f"cv={n_splits} needs a class of at least {n_splits} rows, the largest has {counts.max()} "
            f"(n_samples={len(y)}): use a smaller cv or more rows."
        )
    if groups is not None and (n_groups := len(np.unique(groups))) < n_splits:
        raise InvalidData(f"cv={n_splits} needs at least {n_splits} groups, got {n_groups}: use a smaller cv.")
    if counts.min() < n_splits:
        rare = int(counts.argmin())
        warn(
            f"class {classes[rare]} has {counts[rare]} rows, fewer than cv={n_splits} folds: some folds lack it.",
            RareClassWarning,
        )
    splitter: Any
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
