"""The rows of an experiment: where they come from, and how a seed splits them into training and fresh rows."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import OneHotEncoder

from multihop_search.errors import InvalidData, MultihopWarning, warn
from multihop_search.experiment.simulation import generate
from multihop_search.files import path_of
from multihop_search.problem import left_out_columns, read_frame

EXAMPLES = {"breast-cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
"""Real tables that scikit-learn ships; no download."""
SHARE_OF_GROUPS = 0.6
"""Share of the groups that train, where rows have groups."""
MOST_CATEGORIES = 20
"""Most columns that a column of words becomes; rarer words share one."""


@dataclass(frozen=True)
class Source:
    """Where the rows of a data set come from: one of `file`, `example` and `generated`."""

    name: str
    file: str = ""
    """Path of a CSV or Parquet table, from the folder of the config."""
    target: str = "target"
    groups: str = ""
    """Path of a table whose first column is the group of each row."""
    drop: tuple[str, ...] = ()
    """Columns that are left out."""
    prepare: bool = True
    """Whether columns become numbers by what the training rows say: medians, a column a category."""
    example: str = ""
    """Name of a table that scikit-learn ships."""
    generated: bool = False
    noise: float = 0.1
    """Error of the best possible classifier."""
    gap: float = 0.5
    """Share of the surface that a small student cannot hold, 0 to 1."""
    columns: int = 10
    classes: int = 2


@dataclass(frozen=True)
class Split:
    """Training rows and fresh rows."""

    X: Any
    """(n_train, n_features), array or DataFrame."""
    y: np.ndarray
    """Class codes of the training rows."""
    X_fresh: Any
    y_fresh: np.ndarray
    groups: np.ndarray | None
    """Groups of the training rows, None where rows stand alone."""
    unit_fresh: np.ndarray
    """What belongs together among the fresh rows: a group, or a row."""
    classes: np.ndarray
    """The class codes, 0 to n_classes - 1."""
    q_fresh: np.ndarray | None = None
    """True class probabilities of the fresh rows, (n_fresh, n_classes), where they are known."""


def split(source: Source, folder: File, n_train: int, n_fresh: int, seed: int) -> Split:
    """Return at most `n_train` training and `n_fresh` fresh rows, shuffled by `seed`; no group stands on both sides.

    A class that does not train is left out of the fresh rows. A table gives at most half of its rows, or of its groups
    six in ten, for training.

    Raises
    ------
    InvalidData
        If the table cannot be read or lacks its target.
    """
    if source.generated:
        return _generated(source, n_train, n_fresh, seed)
    frame, groups = table(source, folder, content(source, folder))
    train, fresh = positions(len(frame), groups, n_train, n_fresh, seed)
    target = frame[source.target].to_numpy()
    labels, y = np.unique(target[train], return_inverse=True)
    fresh = fresh[np.isin(target[fresh], labels)]
    X = frame.drop(columns=[source.target, *source.drop])
    parts = X.iloc[train], X.iloc[fresh]
    X_train, X_fresh = numbers(*parts) if source.prepare else parts
    unit = fresh if groups is None else groups[fresh]
    y_fresh, of_train = np.searchsorted(labels, target[fresh]), None if groups is None else groups[train]
    return Split(X_train, y, X_fresh, y_fresh, of_train, unit, np.arange(len(labels)))


def positions(
    n_rows: int, groups: np.ndarray | None, n_train: int, n_fresh: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training and of the fresh rows.

    Examples
    --------
    >>> train, fresh = positions(8, np.array([0, 0, 1, 1, 2, 2, 3, 3]), 100, 100, seed=0)
    >>> len(train), len(fresh), set(train // 2) & set(fresh // 2)
    (4, 4, set())
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        order = rng.permutation(n_rows)
        cut = min(n_train, n_rows // 2)
        return order[:cut], order[cut:][:n_fresh]
    shuffled = rng.permutation(np.unique(groups))
    trains = np.isin(groups, shuffled[: int(SHARE_OF_GROUPS * len(shuffled))])
    train, fresh = rng.permutation(np.flatnonzero(trains)), rng.permutation(np.flatnonzero(~trains))
    return train[:n_train], fresh[:n_fresh]


def numbers(train: pd.DataFrame, fresh: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return both as floats: medians for missing values and a column a category, all learned on the training rows."""
    numeric = train.select_dtypes("number").columns
    words = [column for column in train.columns if column not in numeric]
    middle = train[numeric].median().fillna(0)
    parts = [[part[numeric].fillna(middle).to_numpy(dtype=float)] for part in (train, fresh)]
    if words:
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
        ).fit(train[words].astype(str))
        for part, blocks in zip((train, fresh), parts, strict=True):
            blocks.append(encoder.transform(part[words].astype(str)))
    return np.hstack(parts[0]), np.hstack(parts[1])


@functools.lru_cache(maxsize=2)
def table(source: Source, folder: File, content: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the table of a source, and the groups of its rows where it has some; the last two are kept.

    `content` is the hash of its files: a table that was changed is read again.
    """
    if source.example:
        bunch = EXAMPLES[source.example](as_frame=True)
        return bunch.frame, None
    frame = _read(folder / path_of(source.file, "file"), source.target)
    missing = [name for name in (source.target, *source.drop) if name not in frame.columns]
    if missing:
        raise InvalidData(
            f"{source.file} must have the column {missing[0]!r}, it has {', '.join(map(str, frame.columns[:10]))}, "
            "...: correct target or drop."
        )
    if frame[source.target].isna().any():
        raise InvalidData(f"{source.file} must have no missing label in {source.target!r}, it has: drop these rows.")
    left_out = left_out_columns(frame.drop(columns=[source.target, *source.drop]))
    for name, reason in left_out.items():
        warn(f"{source.file}: column {name!r} is left out, {reason}.", MultihopWarning)
    frame = frame.drop(columns=list(left_out)).replace([np.inf, -np.inf], np.nan)
    groups = _read(folder / path_of(source.groups, "groups")).iloc[:, 0].to_numpy() if source.groups else None
    if groups is not None and len(groups) != len(frame):
        raise InvalidData(
            f"{source.groups} must have a row for each of the {len(frame)} rows of {source.file}, it has "
            f"{len(groups)}: pass its own groups."
        )
    return frame, groups


def content(source: Source, folder: File) -> str:
    """Return a hash of the files of a source: another table makes other cells."""
    files = [folder / path_of(name, "file") for name in (source.file, source.groups) if name]
    for file in files:
        if not file.is_file():
            raise InvalidData(f"{file} must be the table of data set {source.name!r}, it is not there: correct it.")
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


def _read(file: File, target: str | None = None) -> pd.DataFrame:
    try:
        return read_frame(file, target)
    except InvalidData as error:
        raise InvalidData(f"{error}: correct it.") from error


def _generated(source: Source, n_train: int, n_fresh: int, seed: int) -> Split:
    sample = generate(
        n_train + n_fresh,
        noise=source.noise,
        gap=source.gap,
        n_columns=source.columns,
        n_classes=source.classes,
        random_state=seed,
    )
    X, y = sample.X[:n_train], sample.y[:n_train]
    labels, codes = np.unique(y, return_inverse=True)
    if len(labels) < source.classes:
        raise InvalidData(
            f"{source.name} must have rows of {source.classes} classes, it has {len(labels)}: ask for more."
        )
    rest = slice(n_train, None)
    return Split(
        X, codes, sample.X[rest], sample.y[rest], None, np.arange(n_fresh), np.arange(source.classes), sample.q[rest]
    )
