"""What is kept of an experiment: a file for each finished cell, and two tables of all of them.

A cell's file holds its trials as a Parquet table, and its rows, one a student, in that table's metadata; it is written
beside and renamed, so it is there whole or not at all. Files of cells that a changed config no longer has stay where
they are and are in no table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path as File
from typing import Any

import pandas as pd

from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.experiment.run import Finished
from multihop_search.files import path_of, whole_file

CELLS, TRIALS, FOLDER = "cells.parquet", "trials.parquet", "cells"
ROWS = b"multihop_search.rows"


@dataclass(frozen=True)
class Records:
    """The tables of an experiment."""

    cells: pd.DataFrame
    """A row for each cell and student."""
    trials: pd.DataFrame
    """A row for each complete trial; `cell` and `student` say of which."""


def pyarrow() -> Any:
    """Return pyarrow with its Parquet part.

    Raises
    ------
    InvalidSetting
        If it is not installed.
    """
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError as error:
        raise InvalidSetting(
            "an experiment keeps Parquet tables and needs pyarrow, which is not here: pip install "
            "multihop_search[parquet]."
        ) from error


def is_finished(folder: File, key: str) -> bool:
    """Return whether the file of a cell is there."""
    return _file(folder, key).exists()


def keep(folder: File, finished: Finished) -> None:
    """Write the file of a finished cell."""
    arrow = pyarrow()
    table = arrow.Table.from_pandas(finished.trials, preserve_index=False)
    rows = json.dumps(finished.rows.to_dict("records"), default=lambda value: value.item())
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), ROWS: rows.encode()})
    file = _file(folder, finished.key)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        arrow.parquet.write_table(table, part, compression="zstd")


def gather(folder: File, keys: Sequence[str], title: str) -> Records:
    """Put the finished ones of some cells into the two tables, and return these."""
    arrow = pyarrow()
    done = [arrow.parquet.read_table(_file(folder, key)) for key in keys if is_finished(folder, key)]
    if not done:
        raise InvalidData(f"{folder} must hold a finished cell, it holds none: run the experiment first.")
    found = [pd.DataFrame(json.loads(table.schema.metadata[ROWS])) for table in done]
    cells = pd.concat(found, ignore_index=True)
    cells.insert(0, "experiment", title)
    trials = pd.concat([table.to_pandas() for table in done], ignore_index=True)
    for name, table in ((CELLS, cells), (TRIALS, trials)):
        with whole_file(folder / name) as part:
            table.to_parquet(part, index=False, compression="zstd")
    return Records(cells, trials)


def read_records(folder: File | str) -> Records:
    """Return the tables of an experiment's folder.

    Raises
    ------
    InvalidData
        If they are not there.
    """
    pyarrow()
    files = [path_of(folder, "folder") / name for name in (CELLS, TRIALS)]
    for file in files:
        if not file.is_file():
            raise InvalidData(f"{file} must be a table of an experiment, it is not there: run the experiment first.")
    return Records(*(pd.read_parquet(file) for file in files))


def _file(folder: File, key: str) -> File:
    return folder / FOLDER / f"{key}.parquet"
