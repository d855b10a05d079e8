"""The twelve data sets, split into training and fresh rows, all columns numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SETS = (
    "waveform_21",
    "waveform_40",
    "musk_v2",
    "spambase",
    "adult",
    "letter",
    "satimage",
    "magic_gamma",
    "wine_quality",
    "covertype_100k",
    "wisdm_har",
    "weight_lifting_har",
)
MOST_TRAINING, MOST_FRESH = 1500, 5000
SHARE_OF_GROUPS = 0.6
"""Share of the groups that train, where rows have groups."""
MOST_CATEGORIES = 20
"""Most columns that a column of words becomes; rarer words share one."""


@dataclass(frozen=True)
class Split:
    """Training rows and fresh rows of a data set."""

    X: np.ndarray
    """(n_train, n_features), finite floats."""
    y: np.ndarray
    """Class codes of the training rows."""
    X_fresh: np.ndarray
    y_fresh: np.ndarray
    groups: np.ndarray | None
    """Groups of the training rows, None where rows stand alone."""
    unit_fresh: np.ndarray
    """What belongs together among the fresh rows: a group, or a row."""
    classes: np.ndarray
    """The class codes, 0 to n_classes - 1; all are among the training rows of the set."""

    def take(self, rows: np.ndarray) -> Split:
        """Return the split with only some of the training rows."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], groups=groups)


def load(name: str, seed: int) -> Split:
    """Return a set's split: rows (or groups) are shuffled by `seed`; a class that does not train is left out."""
    frame = pd.read_csv(DATA / f"{name}.csv.gz")
    file = DATA / f"{name}_groups.csv.gz"
    groups = pd.read_csv(file).iloc[:, 0].to_numpy() if file.exists() else None
    train, fresh = positions(len(frame), groups, np.random.default_rng(seed))
    target = frame.pop("target").to_numpy()
    labels, y = np.unique(target[train], return_inverse=True)
    fresh = fresh[np.isin(target[fresh], labels)]
    X, X_fresh = numbers(frame.iloc[train], frame.iloc[fresh])
    unit = fresh if groups is None else groups[fresh]
    y_fresh, classes = np.searchsorted(labels, target[fresh]), np.arange(len(labels))
    return Split(X, y, X_fresh, y_fresh, None if groups is None else groups[train], unit, classes)


def positions(n_rows: int, groups: np.ndarray | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training and of the fresh rows; no group stands on both sides.

    >>> train, fresh = positions(8, np.array([0, 0, 1, 1, 2, 2, 3, 3]), np.random.default_rng(0))
    >>> len(train), len(fresh), set(train // 2) & set(fresh // 2)
    (4, 4, set())
    """
    if groups is None:
        order = rng.permutation(n_rows)
        n_train = min(MOST_TRAINING, n_rows // 2)
        return order[:n_train], order[n_train:][:MOST_FRESH]
    shuffled = rng.permutation(np.unique(groups))
    trains = np.isin(groups, shuffled[: int(SHARE_OF_GROUPS * len(shuffled))])
    train, fresh = rng.permutation(np.flatnonzero(trains)), rng.permutation(np.flatnonzero(~trains))
    return train[:MOST_TRAINING], fresh[:MOST_FRESH]


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
        for part, found in zip((train, fresh), parts, strict=True):
            found.append(encoder.transform(part[words].astype(str)))
    return np.hstack(parts[0]), np.hstack(parts[1])
