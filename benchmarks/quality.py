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
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import bench
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
from quality_parts.data import SETS, Split, load
from quality_parts.report import page, write_readme
from quality_parts.students import STUDENTS, TREES

METHODS = (PLAIN, "plain accuracy", "careful", *ours.SEARCHES, "streed", "gosdt", "autogluon")
TRIALS = 120


def run(cell: Cell, split: Split, folder: Path) -> Iterator[Found]:
    """Return what a cell's method finds."""
    if cell.method in ours.SEARCHES:
        return ours.searched(split, cell.seed, cell.method, cell.trials)
    if cell.method == PLAIN:
        return by_hand.plain(split, cell.seed, STUDENTS, "log_loss")
    if cell.method == "plain accuracy":
        return by_hand.plain(split, cell.seed, tuple(TREES), "accuracy")
    tuned = (read(cell.plain.file(folder)) or {})["params"]
    if cell.method == "careful":
        return by_hand.careful(split, cell.seed, STUDENTS, tuned)
    if cell.method == "autogluon":
        return automl.distilled(split, cell.seed, tuned)
    from quality_parts import optimal_trees

    return getattr(optimal_trees, cell.method)(split, cell.seed)


def run_cell(cell: Cell, folder: Path) -> None:
    """Run a cell and keep it."""
    split = load(cell.data, cell.seed)
    keep(cell, split, run(cell, split, folder), folder)


def tried(cell: Cell, folder: Path) -> str:
    """Run a cell in a process of its own; return "" or the end of what it said before it failed."""
    try:
        bench.apart(run_cell, cell, folder)
    except Exception:  # of any library
        return traceback.format_exc()[-2000:]
    return ""


def run_all(part: list[Cell], jobs: int, folder: Path, record_file: Path) -> dict[Cell, str]:
    """Run cells, the record written after each; return those that failed and what they said."""
    failed = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(tried, cell, folder): cell for cell in part}
        for done in as_completed(waiting):
            cell, problem = waiting[done], done.result()
            contents = read(cell.file(folder))
            if problem or contents is None:
                failed[cell] = problem
            else:
                save_record(merged(load_record(record_file), contents["rows"]), record_file)
            print("failed:" if cell in failed else "done:", *vars(cell).values(), problem, flush=True)
    return failed


def parsed(args: list[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = bench.parser("quality", __doc__, records=True)
    parser.set_defaults(out=bench.PAGES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--trials", type=int, default=TRIALS, help="trials a student of our searches")
    parser.add_argument("--jobs", type=int, default=2, help="cells at once")
    parser.add_argument("--again", action="store_true", help="run finished cells too")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    return parser.parse_args(args)


def main(args: list[str] | None = None) -> None:
    """Run what is missing, then write record, page and README."""
    options = parsed(args)
    record_file = options.out / "quality.csv"
    wanted = [
        Cell(name, seed, method, options.trials if method in ours.SEARCHES else 0)
        for seed in options.seeds
        for name in options.data
        for method in options.methods
    ]
    contents = [of_cell["rows"] for cell in wanted if (of_cell := read(cell.file(options.build)))]
    record = merged(load_record(record_file), [row for rows in contents for row in rows])
    parts = to_run(wanted, set() if options.again else finished(record), options.build)
    if options.list:
        for cell in (*parts[0], *parts[1]):
            print(*vars(cell).values())
        return
    failed: dict[Cell, str] = {}
    save_record(record, record_file)
    if not options.page:
        if any(cell.method == "autogluon" for cell in parts[1]):
            automl.environment()
        for part in parts:
            failed |= run_all(part, options.jobs, options.build, record_file)
    record = load_record(record_file)
    bench.write(options.out / "quality.md", page(record, options.trials))
    if options.out == bench.PAGES:
        write_readme(record, options.trials)
    if failed:
        raise SystemExit(
            f"{len(failed)} cells failed: " + ", ".join(" ".join(map(str, vars(cell).values())) for cell in failed)
        )


if __name__ == "__main__":
    main()
