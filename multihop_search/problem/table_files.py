"""Tables in files: how CSV and Parquet are read, and which of their columns are none of the user's measurements."""

from __future__ import annotations

import io
import re
from pathlib import Path as File

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidData

PARQUET = (".parquet", ".pq")
INDEX_NAMES = re.compile(r"|Unnamed: 0(\.\d+)*|__index_level_\d+__")
"""Names that an index without a name has after it was saved: by `to_csv` once or more often, by pyarrow."""
COUNT_NAMES = re.compile(r"index|level_\d+", re.IGNORECASE)
"""Names that `reset_index` gives; the user's own measurements may be called so too."""


def read_frame(file: File, target: str | None = None, separator: str = ",") -> pd.DataFrame:
    """Read a CSV file, gzipped or not, or a Parquet file.

    In a CSV file words for a missing value (NA, None, null, nan) are labels where the target's other labels are words:
    then only empty cells lack a label. Beside numbers they are missing values, as in the features.

    Raises
    ------
    InvalidData
        If the file is no table.
    """
    if file.suffix in PARQUET:
        try:
            return pd.read_parquet(file)
        except ImportError as error:
            raise InvalidData(
                f"{file} is a Parquet table and needs pyarrow, which is not here: pip install multihop_search[parquet]."
            ) from error
        except (OSError, ValueError) as error:
            raise InvalidData(f"{file} must be a Parquet table, it could not be read: {error}") from error
    # A mark before each cell of the target, since no option of pandas keeps "NA" as text in one column only.
    marks = {} if target is None else {target: "=".__add__}
    try:
        frame = pd.read_csv(file, sep=separator, converters=marks)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InvalidData(f"{file} must be a CSV table, it could not be read: {error}") from error
    if target in frame.columns:
        frame[target] = _labels(frame[target].str[1:]).to_numpy()
    return frame


def _labels(cells: pd.Series) -> pd.Series:
    """Return the column that the text of its cells is: numbers or booleans if all are, else words."""
    usual = _parsed(cells)
    has_words = pd.api.types.infer_dtype(usual, skipna=True) in ("string", "empty") or usual.isna().all()
    return _parsed(cells, keep_default_na=False, na_values=[""]) if has_words else usual


def _parsed(cells: pd.Series, **settings: object) -> pd.Series:
    text = io.StringIO()
    cells.rename("cells").to_csv(text, index=False)
    text.seek(0)
    return pd.read_csv(text, skip_blank_lines=False, low_memory=False, **settings)["cells"]


def holds_containers(column: pd.Series) -> bool:
    """Return whether a value of the column is a list, a struct or bytes.

    Examples
    --------
    >>> holds_containers(pd.Series(["ab", [1, 2]])), holds_containers(pd.Series(["ab", b"ab"]))
    (True, True)
    >>> holds_containers(pd.Series(["ab", None]))
    False
    """
    if column.dtype != object:
        return False
    return any(isinstance(value, (bytes, bytearray)) or pd.api.types.is_list_like(value) for value in column)


def is_saved_index(column: pd.Series) -> bool:
    """Return whether the column is an index that was saved with the table, by its name and its whole numbers.

    Examples
    --------
    >>> is_saved_index(pd.Series([0, 2, 1], name="Unnamed: 0")), is_saved_index(pd.Series([0, 2, 1], name="index"))
    (True, False)
    """
    name = str(column.name).strip()
    if INDEX_NAMES.fullmatch(name):
        return bool(pd.api.types.is_integer_dtype(column.dtype)) and not column.isna().any()
    return bool(COUNT_NAMES.fullmatch(name)) and counts_rows(column)


def counts_rows(column: pd.Series) -> bool:
    """Return whether the column is 0, 1, 2, ... or 1, 2, 3, ...

    Examples
    --------
    >>> counts_rows(pd.Series([1, 2, 3])), counts_rows(pd.Series([1, 2, 4]))
    (True, False)
    """
    if not pd.api.types.is_integer_dtype(column.dtype) or column.isna().any() or len(column) < 2:
        return False
    numbers = column.to_numpy()
    return bool(numbers[0] in (0, 1) and np.array_equal(numbers, numbers[0] + np.arange(len(numbers))))


def left_out_columns(X: pd.DataFrame) -> dict[str, str]:
    """Return the columns that are left out of the features of a file, with the reason for each.

    Examples
    --------
    >>> left_out_columns(pd.DataFrame({"Unnamed: 0": [0, 1], "cm": [3, 5], "tags": [["old"], []]}))
    {'Unnamed: 0': 'an index that was saved with the table', 'tags': 'lists, structs or bytes'}
    """
    reasons = {}
    for place, name in enumerate(X.columns):
        column = X.iloc[:, place]
        if holds_containers(column):
            reasons[name] = "lists, structs or bytes"
        elif is_saved_index(column):
            reasons[name] = "an index that was saved with the table"
    return reasons
