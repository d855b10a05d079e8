"""Cells: what is run, where its result stands, and the record of all rows.

A cell is one method on one set under one seed. Its rows and, beside them, the row losses of its students are kept under
build/quality/, written whole by rename: a file that was broken off is no cell. The record is a small table in docs/.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quality_parts.data import Split
from quality_parts.measures import gain, row_losses

KEY = ["data", "seed", "method", "trials"]
COLUMNS = [
    *KEY,
    "variant",
    "student",
    "accuracy",
    "log_loss",
    "seconds",
    "accuracy_gain",
    "accuracy_gain_se",
    "log_loss_gain",
    "log_loss_gain_se",
    "accuracy_over_shrunk",
    "accuracy_over_shrunk_se",
    "log_loss_over_shrunk",
    "log_loss_over_shrunk_se",
    "claimed",
    "claimed_low",
    "claimed_high",
    "fresh_gain",
    "fresh_gain_se",
    "note",
]
"""In regression the squared error stands in place of the log-loss, and there is no accuracy. Seconds are of CPU, by the
cell's process; of `before`, `careful before` and AutoGluon of the wall. Gains are over the plain tuned student on the
same fresh rows, and over the one tuned with shrinkage, greater is better; a claim and the fresh-row gain beside it are
in units of the search's score, over the student's own fit in the same search."""
WORDS = ["variant", "note"]
PLAIN, SHRUNK = "plain", "shrunk"
BASELINES = {PLAIN: "gain", SHRUNK: "over_shrunk"}
"""What every cell is compared with, and what the columns are called: shrunk itself with plain, so plain comes first."""
DIGITS = 6


@dataclass(frozen=True)
class Cell:
    """One method on one set under one seed."""

    data: str
    seed: int
    method: str
    trials: int
    """Trials a student; 0 where the method has none."""

    def file(self, folder: Path) -> Path:
        """Return where its rows stand; its losses have the suffix .npz."""
        return folder / f"{self.data}_{self.seed}_{self.method.replace(' ', '_')}_{self.trials}.json"

    def baseline(self, method: str) -> Cell:
        """Return a cell that it is compared with."""
        return Cell(self.data, self.seed, method, 0)


@dataclass(frozen=True)
class Found:
    """What a method made of one student."""

    student: str
    proba: np.ndarray
    """Class probabilities (n_fresh, n_classes) of the fresh rows, or values (n_fresh, 1)."""
    seconds: float
    """Of CPU."""
    variant: str = ""
    """Name of the variant where a method makes two of the same student."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the record."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the student, for those who go on from them."""


def read(file: Path) -> dict[str, Any] | None:
    """Return a cell's contents, None if there are none or the file was broken off."""
    try:
        return dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return None


def write(file: Path, text: str) -> None:
    """Write a file whole: it is there with all of the text, or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(text)
    os.replace(part, file)


def losses_of(cell: Cell, folder: Path) -> dict[str, np.ndarray]:
    """Return a cell's row losses, named student, variant and measure."""
    with np.load(cell.file(folder).with_suffix(".npz")) as kept:
        return {name: kept[name] for name in kept.files}


def keep(cell: Cell, split: Split, found: Iterable[Found], folder: Path) -> list[dict[str, Any]]:
    """Measure what a method found, write the cell, and return its rows."""
    losses, params, rows = {}, {}, []
    others = {name: cell.baseline(name) for name in BASELINES if cell.method not in (name, PLAIN)}
    baselines = {name: losses_of(other, folder) for name, other in others.items()}
    for one in found:
        measured = row_losses(split.y_fresh, one.proba)
        losses |= {f"{one.student}/{one.variant}/{name}": values for name, values in measured.items()}
        params[one.student] = dict(one.params)
        row = {"student": one.student, "seconds": one.seconds, **{name: of.mean() for name, of in measured.items()}}
        for method, columns in BASELINES.items():
            named = baselines.get(method, {})
            baseline = {name: named.get(f"{one.student}//{name}") for name in measured}
            row |= gains(measured, measured if cell.method == method else baseline, split.unit_fresh, columns)
        rows.append({**vars(cell), "variant": one.variant, **row, **one.more})
    file = cell.file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, **{name: values.astype(np.float32) for name, values in losses.items()})
    os.replace(part, file.with_suffix(".npz"))
    write(file, json.dumps({"rows": rows, "params": params}, default=float))
    return rows


def gains(
    measured: Mapping[str, np.ndarray], baseline: Mapping[str, np.ndarray | None], unit: np.ndarray, columns: str
) -> dict[str, float]:
    """Return the gains over a baseline with their errors, under the names of their columns; NaN where there is none."""
    found = {}
    for name, sign in (("accuracy", 1), ("log_loss", -1)):
        other = baseline[name]
        pair = (np.nan, np.nan) if other is None else gain(sign * measured[name], sign * other, unit)
        found |= {f"{name}_{columns}": pair[0], f"{name}_{columns}_se": pair[1]}
    return found


def load_record(file: Path) -> pd.DataFrame:
    """Return the record, empty where there is none."""
    if not file.exists():
        return pd.DataFrame(columns=COLUMNS)
    return _worded(pd.read_csv(file, keep_default_na=False, na_values=[""]))


def _worded(record: pd.DataFrame) -> pd.DataFrame:
    """Return the record with "" where there are no words."""
    return record.assign(**{name: record[name].astype(object).fillna("").astype(str) for name in WORDS})


def merged(record: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the record with new rows in the place of those of the same cells."""
    if not rows:
        return record
    new = _worded(pd.DataFrame(rows, columns=COLUMNS))
    made = set(new[KEY].itertuples(index=False, name=None))
    stays = [key not in made for key in record[KEY].itertuples(index=False, name=None)]
    joined = new if not any(stays) else pd.concat([record[stays], new])
    return joined.sort_values([*KEY, "variant", "student"], ignore_index=True)


def save_record(record: pd.DataFrame, file: Path) -> None:
    """Write the record whole."""
    numbers = record.select_dtypes("float").columns
    write(file, record.assign(**record[numbers].round(DIGITS)).to_csv(index=False, lineterminator="\n"))


def finished(record: pd.DataFrame) -> set[Cell]:
    """Return the cells of a record."""
    return {Cell(str(d), int(s), str(m), int(t)) for d, s, m, t in record[KEY].itertuples(index=False, name=None)}


def to_run(wanted: Iterable[Cell], done: set[Cell], folder: Path) -> list[list[Cell]]:
    """Return what is to be run, in parts: the cells that others are compared with, and then the others.

    A finished cell is not run again, but for one whose row losses are not here and are needed.
    """
    waiting = [cell for cell in wanted if cell not in done]
    parts: list[list[Cell]] = [[cell for cell in waiting if cell.method not in BASELINES]]
    for method in reversed(BASELINES):
        later = [cell.baseline(method) for part in parts for cell in part]
        missing = [cell for cell in later if read(cell.file(folder)) is None]
        parts.insert(0, list(dict.fromkeys([*(cell for cell in waiting if cell.method == method), *missing])))
    return parts
