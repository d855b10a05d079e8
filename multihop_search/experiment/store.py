"""What is kept of an experiment: a file for each finished cell, and two tables of all of them.

A cell's file holds its trials as a Parquet table, and its rows, one a student, in that table's metadata; it is written
beside and renamed, so it is there whole or not at all. Files of cells that a changed config no longer has stay where
they are and are in no table.

Each file holds a checksum of all its bytes, in its metadata, so it stays a Parquet table that any tool can read. A file
that was changed on the disk is refused before it is read as a table.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path as File
from types import MappingProxyType
from typing import Any

import pandas as pd

from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.experiment.run import Finished
from multihop_search.files import open_plain, path_of, shown, whole_file

CELLS, TRIALS, FOLDER = "cells.parquet", "trials.parquet", "cells"
ROWS, CHECKSUM = b"multihop_search.rows", b"multihop_search.checksum"
MARK = b"blake2b:"
"""Stands before the digits of a checksum."""
BLANK = MARK + b"0" * 32
"""What stands in the place of a checksum while it is taken."""


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
    """Return whether the file of a cell is there.

    Raises
    ------
    InvalidData
        If it is there, but not as it was written.
    """
    file = _file(folder, key)
    if not os.path.lexists(file):
        return False
    _read_cell(file, key)
    return True


def keep(folder: File, finished: Finished) -> None:
    """Write the file of a finished cell."""
    file = _file(folder, finished.key)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = json.dumps(finished.rows.to_dict("records"), default=lambda value: value.item())
    _write(file, finished.trials, {ROWS: rows.encode()})


def gather(folder: File, keys: Sequence[str], title: str) -> Records:
    """Put the finished ones of some cells into the two tables, and return these."""
    files = {key: _file(folder, key) for key in keys}
    parts = [_read_cell(file, key) for key, file in files.items() if os.path.lexists(file)]
    if not parts:
        raise InvalidData(f"{folder} must hold a finished cell, it holds none: run the experiment first.")
    cells = pd.concat([rows for rows, _ in parts], ignore_index=True)
    cells.insert(0, "experiment", title)
    trials = pd.concat([table for _, table in parts], ignore_index=True)
    for name, table in ((CELLS, cells), (TRIALS, trials)):
        _write(folder / name, table)
    return Records(cells, trials)


def read_records(folder: File | str) -> Records:
    """Return the tables of an experiment's folder.

    Raises
    ------
    InvalidData
        If they are not there, or not as they were written.
    """
    files = [path_of(folder, "folder") / name for name in (CELLS, TRIALS)]
    for file in files:
        if not os.path.lexists(file):
            raise InvalidData(
                f"{shown(file)} must be a table of an experiment, it is not there: run the experiment first."
            )
    records = Records(*(_read(file).to_pandas() for file in files))
    if set(records.cells["cell"]) != set(records.trials["cell"]):
        raise InvalidData(
            f"{CELLS} and {TRIALS} in {shown(folder)} must be of the same cells, they are not: run the experiment "
            "again, which writes both anew."
        )
    return records


def _file(folder: File, key: str) -> File:
    return folder / FOLDER / f"{key}.parquet"


def _read_cell(file: File, key: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows and the trials of a cell."""
    table = _read(file)
    rows = json.loads((table.schema.metadata or {}).get(ROWS, b"[]"))
    if not rows or any(row.get("cell") != key for row in rows):
        raise _damaged(file, "it is not of the cell that its name says")
    return pd.DataFrame(rows), table.to_pandas()


def _write(file: File, frame: pd.DataFrame, metadata: Mapping[bytes, bytes] = MappingProxyType({})) -> None:
    """Write a frame as a Parquet table whose metadata hold a checksum of the file."""
    arrow = pyarrow()
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata, CHECKSUM: BLANK})
    stream = arrow.BufferOutputStream()
    arrow.parquet.write_table(table, stream, compression="zstd")
    content = stream.getvalue().to_pybytes()
    with whole_file(file) as part:
        part.write_bytes(content.replace(BLANK, _checksum(content)))


def _read(file: File) -> Any:
    """Return the Arrow table that `_write` wrote."""
    arrow = pyarrow()
    try:
        with open(open_plain(file, os.O_RDONLY), "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise _damaged(file, error.strerror or error) from error
    begin = content.rfind(MARK)
    checksum = content[begin : begin + len(BLANK)]
    if begin < 0 or _checksum(content.replace(checksum, BLANK)) != checksum:
        raise _damaged(file, "its checksum is another one")
    return arrow.parquet.read_table(arrow.BufferReader(content))


def _damaged(file: File, reason: object) -> InvalidData:
    return InvalidData(
        f"{shown(file)} must be as the experiment wrote it, {reason}: delete it and run the experiment again."
    )


def _checksum(content: bytes) -> bytes:
    return MARK + hashlib.blake2b(content, digest_size=16).hexdigest().encode()
