"""Run examples in a fresh environment made from their pins, and check what they printed.

``python docs/examples/run.py flaml`` makes ``build/examples/flaml`` from ``pins/flaml.txt`` and this repository, runs
``with_flaml.py`` there and then the tests that need the real tool. Needs Python 3.11 to 3.13. Several tools share an
environment, in which the pins of the last named hold where they differ: FLAML and AutoGluon can. With ``--quick`` few
rows, trials and seconds show that all works, and nothing of how well.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = sorted(file.stem for file in (HERE / "pins").glob("*.txt"))
FOUND = HERE / "found.csv"
HEAD = "| tool | model | bytes | one row, ms | 10,000 rows, ms | accuracy | log-loss |"
MARKS = "<!-- side by side: begin -->", "<!-- side by side: end -->"
LEAST_ACCURACY = 0.85
"""Of both models on fresh rows; always saying the larger class has 0.61."""


def pins_of(tools: list[str]) -> list[str]:
    """Return what tools that share an environment install: the pins of the last named hold where they differ."""
    lines = [line for tool in tools for line in (HERE / "pins" / f"{tool}.txt").read_text().splitlines()]
    return list({line.partition("==")[0].lower(): line for line in lines if line and line[0] != "#"}.values())


def environment(tools: list[str], *, keep: bool) -> Path:
    """Return the Python of a fresh environment that holds exactly the pins, and this repository."""
    folder = ROOT / "build" / "examples" / "-".join(tools)
    python = folder / "bin" / "python"
    if not (keep and python.exists()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, *pins_of(tools)], check=True)
    subprocess.run([*pip, "--force-reinstall", str(ROOT)], check=True)
    return python


def rows_of(printed: str) -> dict[str, list[float]]:
    """Return the numbers of the two rows of the table that an example printed."""
    rows = re.findall(r"^\| (AutoML model|our student) \|(.*)\|$", printed, re.MULTILINE)
    return {name: [float(cell.replace(",", "")) for cell in cells.split("|")] for name, cells in rows}


def check(tool: str, printed: str) -> None:
    """Raise `SystemExit` unless the example printed a table that is worth its place."""
    rows = rows_of(printed)
    if set(rows) != {"AutoML model", "our student"}:
        sys.exit(f"the example of {tool} must print a table of two models, it printed {sorted(rows)}.")
    theirs, ours = rows["AutoML model"], rows["our student"]
    for name, row in rows.items():
        if row[3] < LEAST_ACCURACY:
            sys.exit(f"{name} must have an accuracy of at least {LEAST_ACCURACY}, it has {row[3]}.")
    if tool in ("flaml", "autogluon") and "it chose" not in printed:
        sys.exit(f"the example of {tool} must let it choose among learners.")
    print(
        f"\n{tool}: our student has {ours[0] / theirs[0]:.1%} of the bytes, {ours[1] / theirs[1]:.1%} of the time for "
        f"one row, and {ours[3] - theirs[3]:+.3f} accuracy"
    )


def record(tool: str, printed: str) -> None:
    """Keep the table of a tool beside those of the others, and write all into the README."""
    kept = {}
    if FOUND.exists():
        with FOUND.open() as lines:
            kept = {(row[0], row[1]): row for row in csv.reader(lines)}
    for name, values in rows_of(printed).items():
        kept[tool, name] = [tool, name, *map(str, values)]
    rows = [kept[key] for key in sorted(kept, key=lambda key: (TOOLS.index(key[0]), key[1]))]
    with FOUND.open("w", newline="") as lines:
        csv.writer(lines).writerows(rows)
    table = [HEAD, "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, model, size, one, many, accuracy, loss in rows:
        table.append(
            f"| {name} | {model} | {float(size):,.0f} | {float(one):.1f} | {float(many):,.0f} | {float(accuracy):.3f} "
            f"| {float(loss):.3f} |"
        )
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    lines_ = "\n".join(table)
    readme.write_text(f"{before}{MARKS[0]}\n{lines_}\n{MARKS[1]}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tools", nargs="+", choices=TOOLS, metavar="TOOL", help=", ".join(TOOLS))
    parser.add_argument("--keep", action="store_true", help="use the environment of an earlier run")
    parser.add_argument("--quick", action="store_true", help="show that it works, and nothing of how well")
    parser.add_argument("--record", action="store_true", help="write what was found into found.csv and the README")
    asked = parser.parse_args()
    if asked.quick and asked.record:
        parser.error("--record keeps what an example found with its full rows and seconds: leave --quick out.")
    python = environment(asked.tools, keep=asked.keep)
    env = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    for tool in asked.tools:
        script = [HERE / f"with_{tool}.py", *["--quick"] * asked.quick]
        done = subprocess.run([python, *script], env=env, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        print(done.stdout)
        check(tool, done.stdout)
        if asked.record:
            record(tool, done.stdout)
    real = [f"the_real_{tool}" for tool in asked.tools if tool != "sklearn"]
    if real:
        tests = [ROOT / "tests" / "test_integrations.py", "-k", " or ".join(real), "-p", "no:cacheprovider"]
        subprocess.run([python, "-m", "pytest", *tests], env=env, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
