"""Tables for the command: where they come from, and how columns that are not numbers become numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from multihop_search.errors import InvalidData

EXAMPLES = {"breast-cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
MOST_CATEGORIES = 20
"""Columns of a categorical column; rarer values share one."""


@dataclass(frozen=True)
class Table:
    """Features and target as they were read."""

    name: str
    X: pd.DataFrame
    y: pd.Series


def example_table(name: str) -> Table:
    """Return a real data set that scikit-learn ships; no download."""
    bunch = EXAMPLES[name](as_frame=True)
    names = [str(label) for label in bunch.target_names]
    return Table(name, bunch.data, bunch.target.map(dict(enumerate(names))))


def read_table(file: File, target: str) -> Table:
    """Read a CSV file, gzipped or not.

    Raises
    ------
    InvalidData
        If the file is no table, the target column is missing, or there is nothing to learn from.
    """
    try:
        frame = pd.read_csv(file)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InvalidData(f"{file} must be a CSV table, it could not be read: {error}") from error
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


def preparation(X: pd.DataFrame, *, scaled: bool) -> ColumnTransformer:
    """Return the transformer that makes every column a number: medians for missing ones, one column a category.

    Parameters
    ----------
    X : DataFrame
        Features as read.
    scaled : bool
        Whether numbers are standardised (for linear students; trees read better without).
    """
    numbers = [name for name in X.columns if pd.api.types.is_numeric_dtype(X[name])]
    others = [name for name in X.columns if name not in numbers]
    number_steps: list[Any] = [SimpleImputer(strategy="median", keep_empty_features=True)]
    if scaled:
        number_steps.append(StandardScaler())
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, drop="if_binary", sparse_output=False
    )
    prepared = ColumnTransformer(
        [("numbers", make_pipeline(*number_steps), numbers), ("categories", encoder, others)],
        verbose_feature_names_out=any(
            str(name).startswith(f"{other}_")
            for other in others
            for name in X.columns  # a_b, and category b of a
        ),
    )
    return prepared.set_output(transform="pandas")
