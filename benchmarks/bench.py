"""What the benchmarks share: data sets, options, processes and the page. Each script has a `main(args)`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
from threadpoolctl import threadpool_limits

from multihop_search.experiment.data import EXAMPLES

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGES = ROOT / "docs" / "benchmarks"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_starting = threading.Lock()


def parser(name: str, words: str | None, records: bool = False) -> argparse.ArgumentParser:
    """Return the options of a benchmark: its page and, where it keeps records, their folder."""
    options = argparse.ArgumentParser(description=(words or "").splitlines()[0])
    options.add_argument("--out", type=Path, default=PAGES / f"{name}.md", help="the page")
    if records:
        options.add_argument("--build", type=Path, default=ROOT / "build" / name, help="folder of the records")
    return options


def path_of(name: str) -> Path:
    """Return where a data set stands, if it is there."""
    folder = DATA if (DATA / f"{name}.csv.gz").exists() else DATA / "more"
    return folder / f"{name}.csv.gz"


def file_of(name: str) -> Path:
    """Return the file of a data set; ends the benchmark where it is absent."""
    file = path_of(name)
    if not file.exists():
        raise SystemExit(f"skipped: the real data sets are not here, {file} is absent")
    return file


def read(name: str, n_rows: int | None = None) -> tuple[pd.DataFrame, pd.Series]:
    """Return X and y of a data set, or of a table that scikit-learn ships; with `n_rows` at most so many, shuffled."""
    if name in EXAMPLES:
        X, y = EXAMPLES[name](return_X_y=True, as_frame=True)
    else:
        X = pd.read_csv(file_of(name))
        y = X.pop("target")
    if n_rows is not None:
        X = X.sample(min(n_rows, len(X)), random_state=0)
    return X, y.loc[X.index]


def apart(call: Callable[..., Any], *args: Any) -> Any:
    """Return what a call gives in a process of its own, on one thread."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with _starting, patch.dict(os.environ, ONE_THREAD):
            future = pool.submit(call, *args)
        return future.result()


def each(call: Callable[[Any], Any], tasks: Iterable[Any], processes: int) -> Iterator[Any]:
    """Yield what a call gives for each task, in their order; each process on one thread, one process is this one."""
    if processes == 1:
        with threadpool_limits(1):
            yield from map(call, tasks)
    else:
        with multiprocessing.get_context("spawn").Pool(processes, threadpool_limits, (1,)) as pool:
            yield from pool.imap(call, tasks)


def versions(*names: str) -> str:
    """Return libraries with their versions."""
    return ", ".join(f"{name} {version(name)}" for name in names)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows))


def write(file: Path, text: str) -> None:
    """Write the page and print it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(text)
