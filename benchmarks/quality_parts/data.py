"""The data sets, split into training and fresh rows, all columns numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import bench
import numpy as np
import pandas as pd

from multihop_search.experiment.data import numbers, positions

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
MORE_SETS = (
    *("htru2", "compas", "heloc", "wall_robot", "steel_plates", "polish_bankruptcy", "phishing", "messidor"),
    *("student_dropout", "jm1_defects", "fars", "splice", "car_evaluation", "authorship", "texture", "mfeat_fourier"),
    *("sleep_stages", "connect_4", "krk_depth", "telco_churn", "hpc_jobs", "bird_strikes", "diamonds_cut"),
    *("orange_juice", "dutch_census", "airlines_delay", "titanic3", "storm_status", "vowel", "mice_protein"),
    *("japanese_vowels", "cpu_act_bin", "pol_bin", "wind_bin", "kin8nm_bin"),
)
VALUES = (
    *("california_housing", "bike_sharing", "ames_price", "king_county_house", "hotel_rates", "power_plant"),
    *("parkinsons_updrs", "turbofan_fd001"),
)
"""Sets whose target is a value."""
RELATED = (
    {"waveform_21", "waveform_40"},
    {"wisdm_har", "weight_lifting_har"},
    {"vowel", "japanese_vowels"},
    {"adult", "dutch_census"},
    {"california_housing", "ames_price", "king_county_house"},
)
"""Sets of one source or of one kind of measurement: what is learned on one is not judged on another."""
MOST_TRAINING, MOST_FRESH = 1500, 5000


@dataclass(frozen=True)
class Split:
    """Training rows and fresh rows of a data set."""

    X: np.ndarray
    """(n_train, n_features), finite floats."""
    y: np.ndarray
    """Class codes of the training rows, or values."""
    X_fresh: np.ndarray
    y_fresh: np.ndarray
    groups: np.ndarray | None
    """Groups of the training rows, None where rows stand alone."""
    unit_fresh: np.ndarray
    """What belongs together among the fresh rows: a group, or a row."""
    classes: np.ndarray | None
    """The class codes, 0 to n_classes - 1; all are among the training rows of the set. None in regression."""

    def take(self, rows: np.ndarray) -> Split:
        """Return the split with only some of the training rows."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], groups=groups)


def related_to(name: str) -> set[str]:
    """Return the sets that are left out where a set judges: itself, and those of its kind.

    Examples
    --------
    >>> sorted(related_to("vowel")), related_to("letter")
    (['japanese_vowels', 'vowel'], {'letter'})
    """
    return next((kind for kind in RELATED if name in kind), {name})


def load(name: str, seed: int, most: int = MOST_TRAINING) -> Split:
    """Return a set's split of at most so many training rows.

    Rows (or groups) are shuffled by `seed`; a class that does not train is left out.
    """
    frame, labelled = bench.read(name)
    file = bench.path_of(f"{name}_groups")
    groups = pd.read_csv(file).iloc[:, 0].to_numpy() if file.exists() else None
    train, fresh = positions(len(frame), groups, most, MOST_FRESH, seed)
    target = labelled.to_numpy()
    if name in VALUES:
        classes, y, y_fresh = None, target[train].astype(float), target[fresh].astype(float)
    else:
        labels, y = np.unique(target[train], return_inverse=True)
        fresh = fresh[np.isin(target[fresh], labels)]
        classes, y_fresh = np.arange(len(labels)), np.searchsorted(labels, target[fresh])
    X, X_fresh = numbers(frame.iloc[train], frame.iloc[fresh])
    unit = fresh if groups is None else groups[fresh]
    return Split(X, y, X_fresh, y_fresh, None if groups is None else groups[train], unit, classes)
