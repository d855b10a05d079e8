"""Which paths to try first: many recipes on many data sets, and the few of them that do nearly all the work.

    pip install -e ".[benchmarks]"
    python benchmarks/portfolio.py record [--kinds trees models values] [--seeds 100 101] [--data NAME ...] [--jobs 2]
    python benchmarks/portfolio.py learn

`record` runs one search a cell (set, split, kind of students) over the recipes of `portfolio_parts/recipes.py`, in a
process of its own on one thread, and keeps what each path scored in cross-validation and on fresh rows. A finished cell
is not run again. Splits are drawn with seeds of 100 and more: none of those that benchmarks/quality.py judges on.

`learn` reads the records, takes for each student the recipes that add most, says what they gain on sets that they were
not learned on, and writes docs/benchmarks/portfolio.md and multihop_search/paths/portfolio.json.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench
import numpy as np
import optuna
import pandas as pd
from portfolio_parts.recipes import CANDIDATES, KINDS, students_of
from quality_parts.data import MORE_SETS, SETS, VALUES, Split, load

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor
from multihop_search.paths.portfolio import path_of
from multihop_search.problem import Accuracy, FlooredLogLoss, response_table

BUILD = bench.ROOT / "build" / "portfolio"
RECORDS = bench.ROOT / "docs" / "benchmarks" / "portfolio" / "records.parquet"
ROWS = (1500, 700, 3000, 1000)
"""Most training rows of a split, by its seed: recipes are for searches of many sizes."""
FOLDS = 3


def sets_of(kind: str) -> tuple[str, ...]:
    """Return the data sets of a kind of students."""
    return VALUES if kind == "values" else SETS + MORE_SETS


def rows_of(seed: int) -> int:
    """Return the most training rows of a split."""
    return ROWS[seed % 100 % len(ROWS)]


def searched(split: Split, kind: str, *, n_recipes: int | None = None, folds: int = FOLDS) -> pd.DataFrame:
    """Return a row for each student and recipe: what it scored in cross-validation and on fresh rows."""
    portfolio = {name: CANDIDATES[name][:n_recipes] for name in KINDS[kind]}
    students = students_of(kind)
    search = (MultihopSearchRegressor if split.classes is None else MultihopSearchClassifier)(
        students,
        portfolio=portfolio,
        n_trials=max(map(len, portfolio.values())),
        cv=folds,
        pruner=optuna.pruners.NopPruner(),
        random_state=0,
    )
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(split.X, split.y, groups=split.groups)
        seconds = time.perf_counter() - start
        return pd.DataFrame(_rows(search, split, portfolio)).assign(search_seconds=seconds)


def _rows(search: Any, split: Split, portfolio: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    evidence = search.out_of_fold_
    numbers_of = {record.path: number for number, record in evidence.records.items()}
    recipes = {
        (student, place): numbers_of.get(path_of(search.space_, student, entry)[0])
        for student, entries in portfolio.items()
        for place, entry in enumerate(entries)
    }
    numbers = sorted({number for number in recipes.values() if number is not None})
    fresh = {
        number: response_table(model, split.X_fresh, split.classes)
        for number, model in zip(numbers, search.refit_trials(numbers), strict=True)
    }
    for (student, place), number in recipes.items():
        if number is None:  # the ladder of these rows has not its intermediate, or the path failed
            continue
        record = evidence.records[number]
        yield {
            "student": student,
            "recipe": place,
            "hops": record.hops,
            "cv": loss(evidence.y, evidence.predictions(number), split.classes),
            "fresh": loss(split.y_fresh, fresh[number], split.classes),
            "fresh_error": error_rate(split.y_fresh, fresh[number], split.classes),
            "fit_seconds": record.fit_seconds,
        }


def loss(y: np.ndarray, predictions: np.ndarray, classes: np.ndarray | None) -> float:
    """Return the log-loss with floored probabilities, or the squared error."""
    if classes is None:
        return float(np.mean((predictions[:, 0] - y) ** 2))
    return -float(FlooredLogLoss(classes).rows(y, predictions).mean())


def error_rate(y: np.ndarray, predictions: np.ndarray, classes: np.ndarray | None) -> float:
    """Return the share of wrong classes; NaN in regression."""
    return float("nan") if classes is None else 1 - float(Accuracy(classes).rows(y, predictions).mean())


def cell_file(build: Path, name: str, seed: int, kind: str) -> Path:
    """Return where the rows of a cell are kept."""
    return build / f"{name}-{seed}-{kind}.parquet"


def record_cell(build: Path, name: str, seed: int, kind: str) -> None:
    """Run a cell and keep its rows."""
    split = load(name, seed, rows_of(seed))
    table = searched(split, kind).assign(set=name, seed=seed, n_train=len(split.y), n_columns=split.X.shape[1])
    build.mkdir(parents=True, exist_ok=True)
    file = cell_file(build, name, seed, kind)
    partial = file.with_suffix(".partial")
    table.to_parquet(partial)
    partial.replace(file)


def record(options: argparse.Namespace) -> None:
    """Run the cells that are missing, each in a process of its own."""
    waiting = [
        (name, seed, kind)
        for seed in options.seeds
        for kind in options.kinds
        for name in (options.data or sets_of(kind))
        if name in sets_of(kind) and not cell_file(options.build, name, seed, kind).exists()
    ]
    running: list[tuple[tuple[str, int, str], subprocess.Popen[bytes]]] = []
    for cell in [*waiting, *[None] * options.jobs]:
        while len(running) >= options.jobs or (cell is None and running):
            for other, process in list(running):
                if process.poll() is not None:
                    running.remove((other, process))
                    print(*other, "failed" if process.returncode else "done", time.strftime("%H:%M:%S"), flush=True)
            time.sleep(0.2)
        if cell is not None:
            arguments = [sys.executable, __file__, "cell", *map(str, cell), "--build", str(options.build)]
            running.append((cell, subprocess.Popen(arguments)))


def merged(build: Path, records: Path) -> pd.DataFrame:
    """Return all rows that were recorded, those of the kept table too."""
    tables = [pd.read_parquet(file) for file in sorted(build.glob("*.parquet"))]
    if records.exists():
        tables.append(pd.read_parquet(records))
    keys = ["set", "seed", "student", "recipe"]
    table = pd.concat(tables, ignore_index=True).drop_duplicates(keys).sort_values(keys, ignore_index=True)
    small = dict.fromkeys(("cv", "fresh", "fresh_error", "fit_seconds", "search_seconds"), "float32")
    return table.astype(small | {"recipe": "int16", "hops": "int8", "seed": "int16"})


def main(args: Sequence[str] | None = None) -> None:
    """Record, or learn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=BUILD, help="where finished cells are kept")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("record", "cell", "learn"):
        command = commands.add_parser(name)
        command.add_argument("--build", type=Path, default=BUILD)
        if name == "learn":
            command.add_argument("--out", type=Path, default=bench.PAGES, help="where page and portfolio are written")
        if name == "record":
            command.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
            command.add_argument("--seeds", type=int, nargs="+", default=[100, 101])
            command.add_argument("--data", nargs="+")
            command.add_argument("--jobs", type=int, default=2)
        if name == "cell":
            command.add_argument("set")
            command.add_argument("seed", type=int)
            command.add_argument("kind", choices=KINDS)
    options = parser.parse_args(args)
    if options.command == "cell":
        record_cell(options.build, options.set, options.seed, options.kind)
    elif options.command == "record":
        record(options)
    else:
        from portfolio_parts.learn import PORTFOLIO, learn

        usual = options.out == bench.PAGES
        file = RECORDS if usual else options.out / "records.parquet"
        portfolio = PORTFOLIO if usual else options.out / "portfolio.json"
        learn(merged(options.build, file), file, pages=options.out, portfolio=portfolio)


if __name__ == "__main__":
    main()
