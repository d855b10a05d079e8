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

SEPARATORS = ",;\t|"
MISSING = frozenset(("", "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "missing", "unknown"))
"""What people write where they have no value, in small letters."""
MOST_MISSING = 0.5
"""Share of such words up to which a column still counts as one of numbers."""
SNIFFED = 1 << 16
"""Bytes in which the separator is looked for."""
MARKS = re.compile(r"[$€£¥%\s\u00a0]")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def separator_of(file: File) -> str:
    """Return what stands between the cells of a CSV file, gzipped or not; a comma where it cannot be found out."""
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


def numbers_of(column: pd.Series) -> Numbers | None:
    """Return the numbers that a column of text holds; None where some cell is neither a number nor a word for missing.

    Examples
    --------
    >>> numbers_of(pd.Series(["$1,000.50", "?", "20 %"])).values.tolist()
    [1000.5, nan, 20.0]
    >>> numbers_of(pd.Series(["1,5", "2,25"])).values.tolist()
    [1.5, 2.25]
    >>> numbers_of(pd.Series(["1", "two"])) is None
    True
    """
    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return None
    text = column.dropna()
    if not len(text) or not text.map(lambda value: isinstance(value, str)).all():
        return None
    text = text.str.strip()
    is_missing = text.str.lower().isin(MISSING)
    bare = text[~is_missing].str.replace(MARKS, "", regex=True)
    if is_missing.mean() > MOST_MISSING or not len(bare):
        return None
    with_commas = bare[bare.str.contains(",", regex=False)]
    if len(with_commas):
        if with_commas.str.fullmatch(THOUSANDS).all():
            bare = bare.str.replace(",", "", regex=False)
        elif with_commas.str.fullmatch(DECIMAL_COMMA).all() and not bare.str.contains(".", regex=False).any():
            bare = bare.str.replace(",", ".", regex=False)
        else:
            return None
    parsed = pd.to_numeric(bare, errors="coerce")
    if parsed.isna().any():
        return None
    values = pd.Series(np.nan, index=column.index, name=column.name)
    values.loc[parsed.index] = parsed.astype(float)
    words = tuple(dict.fromkeys(text[is_missing]))
    return Numbers(values, words, int(is_missing.sum()), bool((bare != text[~is_missing]).any()))


def cleaned(features: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the features with columns of marked numbers as numbers, and in words what was read so."""
    found = {name: numbers for name in features.columns if (numbers := numbers_of(features[name])) is not None}
    if not found:
        return features, []
    return features.assign(**{str(name): numbers.values for name, numbers in found.items()}), list(_notes(found))


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
    return [str(name) for name in features.columns if again.fullmatch(str(name)) and _says_the_same(features[name], y)]


def telling_columns(features: pd.DataFrame, y: pd.Series) -> list[str]:
    """Return the columns that tell the target of each row exactly, value by value."""
    return [str(name) for name in features.columns if _says_the_same(features[name], y)]


def _says_the_same(column: pd.Series, y: pd.Series) -> bool:
    """Return whether each value of a column stands for one label, and each label for one value."""
    codes, labels = pd.factorize(column)[0], pd.factorize(y)[0]
    n_values = len(np.unique(codes))
    if n_values < 2 or n_values == len(codes):
        return False
    return len(np.unique(np.column_stack([codes, labels]), axis=0)) == n_values == len(np.unique(labels))
