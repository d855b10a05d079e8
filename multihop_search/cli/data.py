"""Tables for the command: where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path as File

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.utils import Bunch

from multihop_search.cli.cleaning import cleaned, copies_of_target, numbers_of, separator_of, telling_columns
from multihop_search.errors import InvalidData
from multihop_search.problem.table_files import counts_rows, holds_containers, left_out_columns, read_frame

BIKE_SHARING = "bike-sharing.csv.gz"
"""Its source and its licence stand beside it."""


def load_bike_sharing(*, as_frame: bool = True) -> Bunch:
    """Return the bicycles rented in 3,000 hours, as scikit-learn's own loaders return tables."""
    with files("multihop_search.cli").joinpath(BIKE_SHARING).open("rb") as file:
        frame = pd.read_csv(file, compression="gzip")
    return Bunch(data=frame.drop(columns="rentals"), target=frame["rentals"])


EXAMPLES = {
    "bike-sharing": load_bike_sharing,
    "breast-cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}
NUMBERS_ARE_VALUES = 20
"""A target of whole numbers with more distinct values than this is taken for a value to predict, not for a class."""


@dataclass(frozen=True)
class Table:
    """Features and target as they were read."""

    name: str
    X: pd.DataFrame
    y: pd.Series
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns of the file that are no features, with the reason for each."""
    read: tuple[str, ...] = ()
    """How the file was read, where it is not plain."""

    @property
    def is_regression(self) -> bool:
        """Whether the target reads as a value to predict: more numbers than classes would be, or fractions."""
        if not pd.api.types.is_numeric_dtype(self.y) or pd.api.types.is_bool_dtype(self.y):
            return False
        return bool(self.y.nunique() > NUMBERS_ARE_VALUES or (self.y % 1 != 0).any())

    def notes(self) -> list[str]:
        """Return what was decided about the table, and what its user has to know."""
        reasons = dict.fromkeys(self.left_out.values())
        notes = [*self.read, *(f"left out, {reason}: {_named(self.left_out, reason)}" for reason in reasons)]
        counts = [name for name in self.X.columns if counts_rows(self.X[name])]
        if counts:
            notes.append(
                f"{', '.join(map(repr, counts))} counts the rows: in a sorted table it gives the target away, and new "
                "rows need it too; leave it out of the table if it is no measurement"
            )
        if self.is_regression and self.y.nunique() <= NUMBERS_ARE_VALUES:
            notes.append(
                f"{self.y.name!r} holds {self.y.nunique()} different numbers that are not all whole: they are values "
                "to predict; to make them classes, write them as words, such as '1.5 stars'"
            )
        return notes


def _named(left_out: Mapping[str, str], reason: str) -> str:
    return ", ".join(repr(name) for name in left_out if left_out[name] == reason)


def example_table(name: str) -> Table:
    """Return a real data set that scikit-learn ships; no download."""
    bunch = EXAMPLES[name](as_frame=True)
    if "target_names" not in bunch:
        return Table(name, bunch.data, bunch.target)
    names = [str(label) for label in bunch.target_names]
    return Table(name, bunch.data, bunch.target.map(dict(enumerate(names))))


def read_table(file: File, target: str) -> Table:
    """Read a CSV file, gzipped or not, or a Parquet file.

    Raises
    ------
    InvalidData
        If the file is no table, the target column cannot be one, or there is nothing to learn from.
    """
    separator = separator_of(file)
    frame, notes = read_frame(file, target, separator), []
    if separator != ",":
        notes.append(f"cells are separated by {separator!r}")
    if target not in frame.columns:
        columns = ", ".join(map(repr, frame.columns[:10])) + (", ..." if len(frame.columns) > 10 else "")
        alike = get_close_matches(target, map(str, frame.columns), 1)
        meant = f"did you mean {alike[0]!r}? Its" if alike else "its"
        raise InvalidData(f"--target must name a column of {file.name}, got {target!r}: {meant} columns are {columns}.")
    if holds_containers(frame[target]):
        raise InvalidData(
            f"--target must name a column of one number or word a row, {target!r} holds lists, structs or bytes: "
            "choose another or convert it."
        )
    missing = int(frame[target].isna().sum())
    if missing == len(frame):
        raise InvalidData(f"column {target!r} must have labels, it has none: choose another.")
    if missing:
        notes.append(f"{missing:,} of {len(frame):,} rows have no label in {target!r}: they are left out")
        frame = frame[frame[target].notna()].reset_index(drop=True)
    y, features = frame[target], frame.drop(columns=target)
    left_out = left_out_columns(features)
    features = features.drop(columns=list(left_out))
    more = dict.fromkeys(copies_of_target(features, y, target), "the target once more")
    more |= dict.fromkeys(features.columns[features.isna().all()], "no values")
    features, left_out = features.drop(columns=list(more)), left_out | more
    if not features.shape[1]:
        others = f"only {', '.join(map(repr, left_out))}, which cannot be used" if left_out else "none"
        raise InvalidData(f"{file.name} must have a column beside the target, it has {others}: add features.")
    features, read = cleaned(features, separator)
    y, read_target = _target(y, separator)
    notes += [*read_target, *read, *_telling(telling_columns(features, y), target)]
    return Table(file.name, features.replace([np.inf, -np.inf], np.nan), y, left_out, tuple(notes))


def _target(y: pd.Series, separator: str) -> tuple[pd.Series, list[str]]:
    """Return the target, with numbers for decimals and for numbers with signs, and what is to be said of it.

    Words for missing values are labels of their own.
    """
    if pd.api.types.infer_dtype(y) == "decimal":
        return y.astype(float), []
    numbers = numbers_of(y, separator)
    if numbers is None or numbers.n_missing:
        return y, []
    return numbers.values, [f"read as numbers, without their signs and commas: the target {y.name!r}"]


def _telling(names: list[str], target: str) -> list[str]:
    if not names:
        return []
    return [
        f"{', '.join(map(repr, names))} tells {target!r} exactly: leave it out of the table if it is not known in time"
    ]
