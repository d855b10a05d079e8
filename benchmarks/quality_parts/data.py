"""The twelve data sets, split into training and fresh rows, all columns numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from multihop_search.experiment.data import numbers, positions

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
    train, fresh = positions(len(frame), groups, MOST_TRAINING, MOST_FRESH, seed)
    target = frame.pop("target").to_numpy()
    labels, y = np.unique(target[train], return_inverse=True)
    fresh = fresh[np.isin(target[fresh], labels)]
    X, X_fresh = numbers(frame.iloc[train], frame.iloc[fresh])
    unit = fresh if groups is None else groups[fresh]
    y_fresh, classes = np.searchsorted(labels, target[fresh]), np.arange(len(labels))
    return Split(X, y, X_fresh, y_fresh, None if groups is None else groups[train], unit, classes)
