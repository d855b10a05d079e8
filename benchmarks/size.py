"""Any size, any deadline: what a search takes and gives from 1,000 rows to 1,000,000, and when time is short.

    python benchmarks/size.py [--parts deadline growth timeouts words memory profile]

Each cell is a process of its own on one thread, on a machine that does nothing else; cells are kept under build/size/
and not run again. Nothing is chosen by the fresh rows. Writes docs/benchmarks/size.md and size.svg.

`deadline`: 80,000 rows of covertype_100k, the other 20,000 fresh. `growth`: the default search by number of rows.
`timeouts`: the command, from the first import to the page, on five tables. `words`: when the command says something,
read from its output as it comes. `memory`: the command on a Parquet file of 1,000,000 rows. `profile`: what a default
search computes.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.report.markup import join, tag

COVERTYPE = "covertype_100k"
FRESH = 20_000
METHODS: dict[str, dict[str, Any]] = {
    "timeout=120": {"timeout": 120.0},
    "no timeout": {},
    "100 random trials, no portfolio": {"portfolio": None, "n_trials": 100},
}
GROWTH = {COVERTYPE: (1_000, 10_000, 80_000), "generated": (1_000, 10_000, 100_000, 1_000_000)}
LIMITS = (10, 30, 120)
TABLES = {
    COVERTYPE: "tree:6",
    "spambase": "tree:4",
    "letter": "tree:6",
    "california_housing": "tree:6",
    "adult": "logistic",
}
WORDS = (50_000, 20)
MILLION = (1_000_000, 20)
PROFILES = {"spambase": (1_500, 4), COVERTYPE: (10_000, 6)}
SETTINGS: dict[str, Any] = {}
OPTIONS: list[str] = []
"""Of every search, and of the command: nothing but their defaults."""
PARTS = ("deadline", "growth", "timeouts", "words", "memory", "profile")
FUNCTIONS = {
    "fits of forests": "ensemble/_forest.py:fit",
    "fits of our trees": "trees/base.py:fit",
    "out-of-bag votes": "engine/upper_model.py:out_of_bag",
    "strength of shrinkage": "trees/shrinkage.py:strength",
    "synthetic rows": "engine/synthetic_rows.py:_generated",
    "first fits on few rows": "paths/first_fits.py:fitted",
    "verdict": "search/selection.py:verdicts_of",
}


def table_of(name: str, n_rows: int, n_columns: int = 20) -> tuple[pd.DataFrame, pd.Series]:
    """Return so many rows of covertype, shuffled, or of a generated table of two classes."""
    if name != "generated":
        return bench.read(name, n_rows)
    X, y = make_classification(n_rows, n_columns, n_informative=min(10, n_columns), flip_y=0.1, random_state=0)
    return pd.DataFrame(X, columns=[f"x{place}" for place in range(n_columns)]), pd.Series(y, name="target")


def fitted(X: Any, y: Any, depth: int, **settings: Any) -> tuple[MultihopSearchClassifier, dict[str, Any]]:
    """Return a search and what it took."""
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=depth), random_state=0, **{**SETTINGS, **settings}
    )
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    hops = search.results_["hops"]
    return search, {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "last": search.refit_time_,
        "plain": int((hops == 0).sum()),
        "one hop": int((hops == 1).sum()),
        "several": int((hops > 1).sum()),
        "fitted": search.making_.n_fitted,
        "judged": search.verdict_.n_rows,
    }


def deadline(method: str, n_rows: int) -> dict[str, Any]:
    """Return what a search of most rows of covertype gives, judged by the others."""
    X, y = table_of(COVERTYPE, n_rows)
    n_fresh = min(FRESH, n_rows // 4)
    search, row = fitted(X.iloc[n_fresh:], y.iloc[n_fresh:], 6, **METHODS[method])
    says = search.predict_proba(X.iloc[:n_fresh]).clip(1e-3, 1)
    gain = search.verdict_.table.loc["selected vs own fit"]
    return row | {
        "fresh": float(log_loss(y.iloc[:n_fresh], says / says.sum(axis=1, keepdims=True), labels=search.classes_)),
        "gain": [float(gain[name]) for name in ("gain", "low", "high")],
    }


def growth(name: str, n_rows: int) -> dict[str, Any]:
    """Return what the default search takes on so many rows."""
    return fitted(*table_of(name, n_rows), 6)[1]


def command(arguments: list[str], heard: Callable[[float, bytes], None] = lambda at, words: None) -> dict[str, Any]:
    """Run the command, and return its seconds, its peak memory in MB, and what it printed."""
    start, printed = time.monotonic(), b""
    with subprocess.Popen(
        [sys.executable, "-c", "from multihop_search.cli import main; main()", "run", *arguments, *OPTIONS],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **bench.ONE_THREAD},
    ) as process:
        assert process.stdout is not None
        while words := os.read(process.stdout.fileno(), 1 << 16):
            heard(time.monotonic() - start, words)
            printed += words
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise RuntimeError(printed.decode()[-2000:])
    return {"wall": time.monotonic() - start, "peak": usage.ru_maxrss / 1024, "printed": printed.decode()}


def timeouts(name: str, limit: float, n_rows: int | None) -> dict[str, Any]:
    """Return how the command ends under a timeout, its page written."""
    with tempfile.TemporaryDirectory() as folder:
        file = bench.path_of(name)
        if n_rows is not None or not file.exists():
            X, y = bench.read(name, n_rows)
            file = Path(folder, f"{name}.csv")
            X.assign(target=y).to_csv(file, index=False)
        out = Path(folder, "out")
        row = command(
            [str(file), "--target", "target", "--student", TABLES[name], "--timeout", f"{limit:g}", "--out", str(out)]
        )
        results = pd.read_csv(out / "results.csv")
        page = (out / "report.html").stat().st_size
        verdict = pd.read_csv(out / "verdict.csv", index_col="comparison")
    hops = results["hops"]
    return {
        "wall": row["wall"],
        "plain": int((hops == 0).sum()),
        "taught": int((hops > 0).sum()),
        "page": page,
        "over plain": float(verdict.loc["selected vs plain", "gain"]),
    }


def words(n_rows: int, n_columns: int) -> dict[str, Any]:
    """Return when the command says its first words, and its longest silence."""
    heard: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        X, y = table_of("generated", n_rows, n_columns)
        file = Path(folder, "table.csv")
        X.assign(target=y).to_csv(file, index=False)
        row = command(
            [str(file), "--target", "target", "--out", str(Path(folder, "out"))], lambda at, _: heard.append(at)
        )
    ends = np.array([0.0, *heard, row["wall"]])
    gaps = np.diff(ends)
    return {"first": heard[0], "longest": float(gaps.max()), "at": float(ends[gaps.argmax()]), "wall": row["wall"]}


def memory(n_rows: int, n_columns: int) -> dict[str, Any]:
    """Return the peak memory of the command on a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        X, y = table_of("generated", n_rows, n_columns)
        file = Path(folder, "table.parquet")
        X.assign(target=y).to_parquet(file, index=False)
        size = X.memory_usage(deep=True).sum() + y.nbytes
        del X, y
        row = command([str(file), "--target", "target", "--out", str(Path(folder, "out"))])
    return {"data": float(size) / 2**20, "peak": row["peak"], "wall": row["wall"]}


def profile(name: str, n_rows: int, depth: int) -> dict[str, Any]:
    """Return the seconds of a default search, and of its parts; some lie within others."""
    X, y = table_of(name, n_rows)
    profiler = cProfile.Profile()
    profiler.enable()
    row = fitted(X, y, depth)[1]
    profiler.disable()
    seconds = dict.fromkeys(FUNCTIONS, 0.0)
    for (file, _, function), (_, _, _, cumulative, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        for part, place in FUNCTIONS.items():
            if f"{file}:{function}".endswith(place):
                seconds[part] += cumulative
    return {"cpu": row["cpu"], **seconds}


def cells(parts: list[str], n_rows: int | None) -> dict[str, tuple[Any, ...]]:
    """Return what is run, by name: the function and its arguments."""
    most = n_rows or 10**9
    every: dict[str, tuple[Any, ...]] = {}
    if "deadline" in parts:
        every |= {f"deadline-{method}": (deadline, method, min(most, 100_000)) for method in METHODS}
    if "growth" in parts:
        sizes = [(name, size) for name, sizes in GROWTH.items() for size in sizes if size <= most]
        every |= {f"growth-{name}-{size}": (growth, name, size) for name, size in sizes}
    if "timeouts" in parts:
        every |= {f"timeouts-{name}-{limit:g}": (timeouts, name, limit, n_rows) for name in TABLES for limit in LIMITS}
    if "words" in parts:
        every["words"] = (words, min(most, WORDS[0]), WORDS[1])
    if "memory" in parts:
        every["memory"] = (memory, min(most, MILLION[0]), MILLION[1])
    if "profile" in parts:
        every |= {
            f"profile-{name}": (profile, name, min(most, size), depth) for name, (size, depth) in PROFILES.items()
        }
    return every


def page(rows: dict[str, dict[str, Any]]) -> str:
    """Return the page of all cells."""

    def of(part: str) -> dict[str, dict[str, Any]]:
        return {name.removeprefix(f"{part}-"): row for name, row in rows.items() if name.split("-")[0] == part}

    parts = [
        "# Any size, any deadline\n",
        "`python benchmarks/size.py`; what it does stands at its top. One process on one thread; seconds are of the "
        "wall clock unless CPU is said.\n",
    ]
    if of("deadline"):
        head = ["search", "s", "CPU s", "plain", "one hop", "several", "rows that judge", "rows of the refit"]
        lines = [
            [name, *(f"{row[key]:,.0f}" for key in ("wall", "cpu", "plain", "one hop", "several", "judged", "fitted"))]
            + ["{:+.4f} ({:+.4f} to {:+.4f})".format(*row["gain"]), f"{row['fresh']:.4f}"]
            for name, row in of("deadline").items()
        ]
        parts += [
            "## Most rows of covertype, a tree of depth 6\n",
            "*Gain*: of the verdict, over the class's own fit, tuned, in nats; 95 % interval. *Fresh log-loss*: on "
            "rows that nothing else sees.\n",
            bench.table([*head, "gain", "fresh log-loss"], lines) + "\n",
        ]
    if of("growth"):
        lines = [
            [*name.rsplit("-", 1), *(f"{row[key]:,.1f}" for key in ("wall", "cpu", "last")), f"{row['fitted']:,}"]
            for name, row in of("growth").items()
        ]
        parts += [
            "## By the number of rows, a tree of depth 6\n",
            "*Last step*: choice, refit on more rows, and verdict, part of the seconds before it.\n",
            bench.table(["table", "rows", "s", "CPU s", "last step s", "rows of the refit"], lines) + "\n",
            "![Seconds by rows](size.svg)\n",
        ]
    if of("timeouts"):
        lines = [
            [*name.rsplit("-", 1), f"{row['wall']:.1f}", row["plain"], row["taught"], f"{row['over plain']:+.4g}"]
            for name, row in of("timeouts").items()
        ]
        parts += [
            "## The command under a timeout, its page written\n",
            "*Over plain*: what the verdict says of the student handed over, against the plain one, tuned by as many "
            "trials as were told, in units of the score.\n",
            bench.table(["table", "timeout", "s", "plain trials", "taught trials", "over plain"], lines) + "\n",
        ]
    if "words" in rows:
        row = rows["words"]
        parts += [
            "## Words while it works\n",
            f"The command on a table of {WORDS[0]:,} x {WORDS[1]}: first words after {row['first']:.2f} s, longest "
            f"silence {row['longest']:.1f} s (after {row['at']:.0f} of {row['wall']:.0f} s).\n",
        ]
    if "memory" in rows:
        row = rows["memory"]
        parts += [
            "## Memory\n",
            f"The command on a Parquet file of {MILLION[0]:,} x {MILLION[1]}, {row['data']:,.0f} MB in memory: peak "
            f"{row['peak']:,.0f} MB; {row['wall']:.0f} s.\n",
        ]
    if of("profile"):
        lines = [[name, *(f"{row[key]:.1f}" for key in ("cpu", *FUNCTIONS))] for name, row in of("profile").items()]
        parts += [
            "## What a default search computes\n",
            "CPU seconds under the profiler, which adds to them; a part may lie within another.\n",
            bench.table(["table", "all", *FUNCTIONS], lines) + "\n",
        ]
    return "\n".join(parts)


def picture(rows: dict[str, dict[str, Any]]) -> str:
    """Return seconds by rows, both on a logarithmic scale; the last step dotted."""
    width, height, edge = 560, 300, 50
    series: dict[str, list[tuple[int, float, float]]] = {}
    for name, row in rows.items():
        if name.startswith("growth-"):
            table, n_rows = name.removeprefix("growth-").rsplit("-", 1)
            series.setdefault(table, []).append((int(n_rows), row["wall"], max(row["last"], 0.1)))

    def x(n_rows: float) -> float:
        return edge + (np.log10(n_rows) - 2) / 4 * (width - 2 * edge)

    def y(seconds: float) -> float:
        return height - edge - (np.log10(seconds) + 1) / 4 * (height - 2 * edge)

    shapes = []
    for power in range(2, 7):
        shapes += [tag("text", f"{10**power:,}", x=x(10**power), y=height - edge + 18, text_anchor="middle")]
    for power in range(-1, 4):
        shapes += [
            tag("line", x1=edge, x2=width - edge, y1=y(10.0**power), y2=y(10.0**power), stroke="#ddd"),
            tag("text", f"{10.0**power:g} s", x=edge - 6, y=y(10.0**power) + 4, text_anchor="end"),
        ]
    for color, (table, points) in zip(("#1f6f8b", "#c8553d"), series.items(), strict=False):
        for place, dashes in ((1, ""), (2, "4 4")):
            line = " ".join(f"{x(point[0]):.1f},{y(point[place]):.1f}" for point in points)
            shapes.append(
                tag("polyline", points=line, fill="none", stroke=color, stroke_width=2, stroke_dasharray=dashes)
            )
        n_rows, wall, _ = points[-1]
        shapes.append(tag("text", table, x=x(n_rows), y=y(wall) - 8, fill=color, text_anchor="end"))
    shapes.append(tag("text", "rows; dotted: the last step", x=width / 2, y=height - 8, text_anchor="middle"))
    size = {"viewBox": f"0 0 {width} {height}", "font-family": "sans-serif", "font-size": "12"}
    return str(tag("svg", join(shapes), xmlns="http://www.w3.org/2000/svg", **size))


def main(args: list[str] | None = None) -> None:
    """Run the cells that are missing and write the page of all."""
    parser = bench.parser("size", __doc__, records=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", type=int, help="at most so many rows in any cell")
    options = parser.parse_args(args)
    options.build.mkdir(parents=True, exist_ok=True)
    for name, (call, *of_call) in cells(options.parts, options.rows).items():
        file: Path = options.build / f"{re.sub('[^a-z0-9_=]+', '-', name)}.json"
        if not file.exists():
            row = bench.apart(call, *of_call)
            part = file.with_suffix(".part")
            part.write_text(json.dumps({"name": name, **row}))
            part.replace(file)
            print(name, row, flush=True)
    order = list(cells(list(PARTS), None))
    found = [json.loads(file.read_text()) for file in options.build.glob("*.json")]
    found.sort(key=lambda row: order.index(row["name"]) if row["name"] in order else -1)
    rows = {row.pop("name"): row for row in found}
    bench.write(options.out, page(rows))
    options.out.with_name("size.svg").write_text(picture(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
