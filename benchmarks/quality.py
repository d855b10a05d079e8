"""The search against rivals on 47 real data sets of classes and 8 of values: what a user gains on fresh rows.

    pip install -e ".[benchmarks]"
    python benchmarks/quality.py [--seeds 0 1 2] [--methods NAME ...] [--data NAME ...] [--jobs 2]

Each cell (set, seed, method) is run in a process of its own, on one thread, and kept under build/quality/; a finished
cell is not run again (--again does), one that is in the record docs/benchmarks/quality.csv neither. Then the page,
docs/benchmarks/quality.md, and the README's table are written of what is there; --page does only that, and --list says
what would be run. With --out the record and the page stand in another folder and the README is left alone.

Our searches learn their portfolio without the set that judges, of --records (`python benchmarks/portfolio.py`).
Methods that are not run unless they are named: `random`, the old way of --trials random draws, and the rivals that are
in the record already, `streed`, `gosdt` and `autogluon`. `imodels` is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

import bench
from quality_parts import automl, by_hand, data, ours, students
from quality_parts.cells import (
    PLAIN,
    SHRUNK,
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
from quality_parts.data import MORE_SETS, SETS, Split, load
from quality_parts.report import page, write_readme

USUAL = (PLAIN, SHRUNK, "imodels", "careful", ours.FIRST, ours.OURS, *ours.ALONE)
OF_CLASSES = ("imodels", "streed", "gosdt", "autogluon")
"""Methods that do not predict values."""
METHODS = (*USUAL, ours.RANDOM, *OF_CLASSES[1:])
TRIALS = 100


def run(cell: Cell, split: Split, folder: Path, records: Path) -> Iterator[Found]:
    """Return what a cell's method finds."""
    names = students.students_of(split)
    if cell.method in ours.SEARCHES:
        return ours.searched(cell, split, records)
    if cell.method == PLAIN:
        return by_hand.plain(split, cell.seed, names)
    if cell.method == SHRUNK:
        return by_hand.plain(split, cell.seed, [name for name in names if name in students.DEPTHS], shrunk=True)
    if cell.method == "imodels":
        return by_hand.imodels(split, cell.seed)
    tuned = (read(cell.baseline(PLAIN).file(folder)) or {})["params"]
    if cell.method == "careful":
        return by_hand.careful(split, cell.seed, names, tuned)
    if cell.method == "autogluon":
        return automl.distilled(split, cell.seed, tuned)
    from quality_parts import optimal_trees

    return getattr(optimal_trees, cell.method)(split, cell.seed)


def run_cell(cell: Cell, folder: Path, records: Path) -> None:
    """Run a cell and keep it."""
    split = load(cell.data, cell.seed)
    keep(cell, split, run(cell, split, folder, records), folder)


def tried(cell: Cell, folder: Path, records: Path) -> str:
    """Run a cell in a process of its own; return "" or the end of what it said before it failed."""
    try:
        bench.apart(run_cell, cell, folder, records)
    except ours.NoRecords as problem:
        return str(problem)
    except Exception:  # of any library
        return traceback.format_exc()[-2000:]
    return ""


def run_all(part: list[Cell], options: argparse.Namespace, record_file: Path) -> dict[Cell, str]:
    """Run cells, the record written after each; return those that failed and what they said."""
    failed = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(tried, cell, options.build, options.records): cell for cell in part}
        for done in as_completed(waiting):
            cell, problem = waiting[done], done.result()
            contents = read(cell.file(options.build))
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
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=USUAL)
    parser.add_argument("--data", nargs="+", default=SETS + MORE_SETS + data.VALUES)
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"trials a student of {ours.RANDOM!r}")
    parser.add_argument("--records", type=Path, default=ours.RECORDS, help="what the portfolio is learned of")
    parser.add_argument("--jobs", type=int, default=2, help="cells at once")
    parser.add_argument("--again", action="store_true", help="run finished cells too")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    return parser.parse_args(args)


def main(args: list[str] | None = None) -> None:
    """Run what is missing, then write record, page and README."""
    options = parsed(args)
    record_file = options.out / "quality.csv"
    methods = [name for name in options.methods if name != "imodels" or find_spec("imodels")]
    if len(methods) < len(options.methods):
        print("imodels is left out, it is not installed: pip install --no-deps imodels", flush=True)
    wanted = [
        Cell(name, seed, method, options.trials if method == ours.RANDOM else 0)
        for seed in options.seeds
        for name in options.data
        for method in methods
        if name not in data.VALUES or method not in OF_CLASSES
    ]
    kept = {cell: contents["rows"] for cell in wanted if (contents := read(cell.file(options.build)))}
    record = merged(load_record(record_file), [row for rows in kept.values() for row in rows])
    parts = to_run(wanted, set() if options.again else finished(record) | set(kept), options.build)
    if options.list:
        for part in parts:
            for cell in part:
                print(*vars(cell).values())
        return
    failed: dict[Cell, str] = {}
    save_record(record, record_file)
    if not options.page:
        if any(cell.method == "autogluon" for cell in parts[-1]):
            automl.environment()
        for part in parts:
            failed |= run_all(part, options, record_file)
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
