"""Tables for the command: where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from multihop_search.errors import InvalidData

EXAMPLES = {
    "breast-cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}
NUMBERS_ARE_VALUES = 20
"""A target of numbers with more distinct values than this is taken for a value to predict, not for a class."""
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """Features and target as they were read."""

    name: str
    X: pd.DataFrame
    y: pd.Series

    @property
    def is_regression(self) -> bool:
        """Whether the target reads as a value to predict."""
        return bool(pd.api.types.is_numeric_dtype(self.y)) and self.y.nunique() > NUMBERS_ARE_VALUES


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
        If the file is no table, the target column is missing, or there is nothing to learn from.
    """
    frame = _read(file)
    if target not in frame.columns:
        known = ", ".join(map(str, frame.columns[:10])) + (", ..." if len(frame.columns) > 10 else "")
        raise InvalidData(f"--target must name a column of {file.name}, got {target!r}: its columns are {known}.")
    missing = int(frame[target].isna().sum())
    if missing:
        raise InvalidData(
            f"column {target!r} must have no missing label, {missing} of {len(frame)} are: drop these rows."
        )
    if frame.shape[1] < 2:
        raise InvalidData(f"{file.name} must have a column beside the target, it has none: add features.")
    features = frame.drop(columns=target)
    return Table(file.name, features.replace([np.inf, -np.inf], np.nan), frame[target])


def _read(file: File) -> pd.DataFrame:
    if file.suffix in PARQUET:
        try:
            return pd.read_parquet(file)
        except ImportError as error:
            raise InvalidData(
                f"{file} is a Parquet table and needs pyarrow, which is not here: pip install multihop_search[parquet]."
            ) from error
        except (OSError, ValueError) as error:
            raise InvalidData(f"{file} must be a Parquet table, it could not be read: {error}") from error
    try:
        return pd.read_csv(file)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InvalidData(f"{file} must be a CSV table, it could not be read: {error}") from error
