"""Tables as people have them: the separator is found out, and columns of numbers with marks in them become numbers."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
import pandas as pd

from multihop_search.problem.table_files import PARQUET

SEPARATORS = ",;\t|"
MISSING = frozenset(("", "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "missing", "unknown"))
"""What people write where they have no value, in small letters."""
MOST_MISSING = 0.5
"""Share of such words up to which a column still counts as one of numbers."""
SNIFFED = 1 << 16
"""Bytes in which the separator is looked for."""
CURRENCY = re.compile(r"([+-]?)[$€£¥]\s*|\s*[$€£¥]$")
PER_CENT = re.compile(r"\s*%$")
SPACED = re.compile(r"[+-]?[1-9]\d{0,2}([\s\u00a0]\d{3})+([.,]\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
WHOLE = re.compile(r"[+-]?\d+")


def separator_of(file: File) -> str:
    """Return what stands between the cells of a CSV file, gzipped or not; a comma where it cannot be found out."""
    if file.suffix in PARQUET:
        return ","
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
            text = stream.read(SNIFFED).decode("utf-8", "replace")
        head = text.splitlines()[0] if text else ""
        if "," in head or not any(separator in head for separator in SEPARATORS):
            return ","
        return csv.Sniffer().sniff(text, SEPARATORS).delimiter
    except (OSError, EOFError, csv.Error):
        return ","


@dataclass(frozen=True)
class Numbers:
    """A column of text that holds numbers."""

    values: pd.Series
    """float64."""
    missing: tuple[str, ...]
    """Words that were read as missing."""
    n_missing: int
    """Cells that hold them."""
    has_marks: bool
    """Whether currency signs, per cent, or commas were read as parts of numbers."""


def numbers_of(column: pd.Series, separator: str = ",") -> Numbers | None:
    """Return the numbers of a column of text that has signs or words for missing beside them; None for any other.

    It is another one if some cell is neither a number nor such a word, if per cent and other numbers are mixed, and if
    all are plain numbers: who wrote these as text had a reason.

    Parameters
    ----------
    column : Series
        Cells as they were read.
    separator : str, default=","
        What stands between the cells of the file: "1,234" is a thousand and more where it is a comma.

    Examples
    --------
    >>> numbers_of(pd.Series(["$1,000.50", "?", "$20"])).values.tolist()
    [1000.5, nan, 20.0]
    >>> numbers_of(pd.Series(["0,125", "2,25"])).values.tolist()
    [0.125, 2.25]
    >>> numbers_of(pd.Series(["1", "two"])) is None, numbers_of(pd.Series(["01", "02"])) is None
    (True, True)
    """
    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return None
    text = column.dropna()
    if not len(text) or not text.map(lambda value: isinstance(value, str)).all():
        return None
    text = text.str.strip()
    is_missing = text.str.lower().isin(MISSING)
    marked = text[~is_missing]
    if is_missing.mean() > MOST_MISSING or not len(marked):
        return None
    bare = _without_signs(marked, separator)
    parsed = None if bare is None else pd.to_numeric(bare, errors="coerce")
    if bare is None or parsed is None or parsed.isna().any():
        return None
    has_marks = bool((bare != marked).any())
    if not has_marks and not is_missing.any():
        return None
    values = pd.Series(np.nan, index=column.index, name=column.name)
    values.loc[parsed.index] = parsed.astype(float)
    return Numbers(values, tuple(dict.fromkeys(text[is_missing])), int(is_missing.sum()), has_marks)


def _without_signs(text: pd.Series, separator: str) -> pd.Series | None:
    """Return numbers without currency, per cent and marks of thousands; None where cells are written in two ways."""
    is_share = text.str.endswith("%")
    if is_share.any() and not is_share.all():
        return None
    bare = text.str.replace(PER_CENT, "", regex=True).str.replace(CURRENCY, r"\1", n=1, regex=True)
    is_spaced = bare.str.fullmatch(SPACED)
    bare = bare.where(~is_spaced, bare.str.replace(r"[\s\u00a0]", "", regex=True))
    with_commas = bare[bare.str.contains(",", regex=False)]
    if not len(with_commas):
        return bare
    thousands = with_commas.str.fullmatch(THOUSANDS).all()
    others = bare.drop(with_commas.index)
    decimal = with_commas.str.fullmatch(DECIMAL_COMMA).all() and others.str.fullmatch(WHOLE).all()
    if thousands and not (decimal and separator != ","):
        return bare.str.replace(",", "", regex=False)
    return bare.str.replace(",", ".", regex=False) if decimal else None


def cleaned(table: pd.DataFrame, separator: str = ",") -> tuple[pd.DataFrame, list[str]]:
    """Return a table with columns of marked numbers as numbers, and in words what was read so."""
    found = {
        place: numbers
        for place in range(table.shape[1])
        if (numbers := numbers_of(table.iloc[:, place], separator)) is not None
    }
    if not found:
        return table, []
    columns = [found[place].values if place in found else table.iloc[:, place] for place in range(table.shape[1])]
    return pd.concat(columns, axis=1), list(_notes({str(table.columns[place]): found[place] for place in found}))


def _notes(found: dict[str, Numbers]) -> Iterator[str]:
    missing = {name: numbers for name, numbers in found.items() if numbers.n_missing}
    if missing:
        words = dict.fromkeys(word for numbers in missing.values() for word in numbers.missing)
        count = sum(numbers.n_missing for numbers in missing.values())
        yield f"{', '.join(map(repr, words))} read as missing in {_named(missing)} ({count:,} values)"
    marked = {name: numbers for name, numbers in found.items() if numbers.has_marks}
    if marked:
        yield f"read as numbers, without their signs and commas: {_named(marked)}"


def _named(columns: dict[str, Numbers]) -> str:
    return ", ".join(map(repr, columns))


def copies_of_target(features: pd.DataFrame, y: pd.Series, target: str) -> list[str]:
    """Return the columns that hold the target once more, under its name with a number behind."""
    again = re.compile(re.escape(target) + r"\.\d+")
    return [name for name in telling_columns(features, y) if again.fullmatch(name)]


def telling_columns(features: pd.DataFrame, y: pd.Series) -> list[str]:
    """Return the columns of which each value stands for one label, and each label for one value.

    Where all values differ a column is no such one: an identifier tells nothing of new rows.
    """
    labels, distinct = pd.factorize(y)
    if not 1 < len(distinct) < len(y):
        return []
    return [
        str(features.columns[place])
        for place in range(features.shape[1])
        if _tells(pd.factorize(features.iloc[:, place])[0], labels, len(distinct))
    ]


def _tells(codes: np.ndarray, labels: np.ndarray, n_labels: int) -> bool:
    if len(np.unique(codes)) != n_labels:
        return False
    return len(np.unique(np.column_stack([codes, labels]), axis=0)) == n_labels
