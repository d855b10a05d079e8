"""The search against rivals on twelve real data sets: what a user gains on fresh rows, and what the verdict claimed.

    pip install -e ".[benchmarks]"
    python benchmarks/quality.py [--seeds 0 1 2] [--methods NAME ...] [--data NAME ...] [--trials 120] [--jobs 2]

Each cell (set, seed, method) is run in a process of its own, on one thread, and kept under build/quality/; a finished
cell is not run again (--again does), one that is in the record docs/benchmarks/quality.csv neither. Then the page,
docs/benchmarks/quality.md, and the README's table are written of what is there; --page does only that, and --list says
what would be run. With --out the record and the page stand in another folder and the README is left alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from quality_parts import automl, by_hand, ours
from quality_parts.cells import (
    PLAIN,
    Cell,
    Found,
    finished,
    keep,
    load_record,
    merged,
    read,
    save_record,
    to_run,
)
from quality_parts.data import DATA, ROOT, SETS, Split, load
from quality_parts.report import page, write_readme
from quality_parts.students import STUDENTS, TREES

KEPT = ROOT / "build" / "quality"
OUT = ROOT / "docs" / "benchmarks"
METHODS = (PLAIN, "plain accuracy", "careful", *ours.SEARCHES, "streed", "gosdt", "autogluon")
TRIALS = 120
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def run(cell: Cell, split: Split) -> Iterator[Found]:
    """Return what a cell's method finds."""
    if cell.method in ours.SEARCHES:
        return ours.searched(split, cell.seed, cell.method, cell.trials)
    if cell.method == PLAIN:
        return by_hand.plain(split, cell.seed, STUDENTS, "log_loss")
    if cell.method == "plain accuracy":
        return by_hand.plain(split, cell.seed, tuple(TREES), "accuracy")
    tuned = (read(cell.plain.file(KEPT)) or {})["params"]
    if cell.method == "careful":
        return by_hand.careful(split, cell.seed, STUDENTS, tuned)
    if cell.method == "autogluon":
        return automl.distilled(split, cell.seed, tuned)
    from quality_parts import optimal_trees

    return getattr(optimal_trees, cell.method)(split, cell.seed)


def run_apart(cell: Cell) -> str:
    """Run a cell in a process of its own; return "" or the end of what it said before it failed."""
    command = [sys.executable, __file__, "--cell", cell.data, str(cell.seed), cell.method, str(cell.trials)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[-2000:]


def run_all(part: list[Cell], jobs: int, record_file: Path) -> dict[Cell, str]:
    """Run cells, the record written after each; return those that failed and what they said."""
    failed = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(run_apart, cell): cell for cell in part}
        for done in as_completed(waiting):
            cell, said = waiting[done], done.result()
            kept = read(cell.file(KEPT))
            if said or kept is None:
                failed[cell] = said
            else:
                save_record(merged(load_record(record_file), kept["rows"]), record_file)
            print("failed:" if cell in failed else "done:", *vars(cell).values(), said, flush=True)
    return failed


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--data", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--trials", type=int, default=TRIALS, help="trials a student of our searches")
    parser.add_argument("--jobs", type=int, default=2, help="cells at once")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--again", action="store_true", help="run finished cells too")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run what is missing, then write record, page and README."""
    options = parsed()
    if not DATA.exists():
        raise SystemExit(f"skipped: the real data sets are not here, {DATA} is absent")
    if options.cell:
        name, seed, method, trials = options.cell
        cell = Cell(name, int(seed), method, int(trials))
        split = load(name, cell.seed)
        keep(cell, split, run(cell, split), KEPT)
        return
    record_file = options.out / "quality.csv"
    wanted = [
        Cell(name, seed, method, options.trials if method in ours.SEARCHES else 0)
        for seed in options.seeds
        for name in options.data
        for method in options.methods
    ]
    kept = [found["rows"] for cell in wanted if (found := read(cell.file(KEPT)))]
    record = merged(load_record(record_file), [row for rows in kept for row in rows])
    parts = to_run(wanted, set() if options.again else finished(record), KEPT)
    if options.list:
        for part in parts:
            for cell in part:
                print(*vars(cell).values())
        return
    failed: dict[Cell, str] = {}
    save_record(record, record_file)
    if not options.page:
        if any(cell.method == "autogluon" for cell in parts[1]):
            automl.environment()
        for part in parts:
            failed |= run_all(part, options.jobs, record_file)
    record = load_record(record_file)
    (options.out / "quality.md").write_text(page(record, options.trials))
    if options.out == OUT:
        write_readme(record, options.trials)
    if failed:
        raise SystemExit(
            f"{len(failed)} cells failed: " + ", ".join(" ".join(map(str, vars(cell).values())) for cell in failed)
        )


if __name__ == "__main__":
    main()
