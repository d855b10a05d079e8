"""What a search on Ray takes of memory: covertype, 100,000 rows, 50 trials, 2 workers.

    python benchmarks/memory.py [--data covertype_100k] [--rows 100000] [--trials 50] [--workers 2]

The proportional set size (/proc/PID/smaps_rollup: shared pages are counted once) of this process and all that it
started is sampled, and compared with what it was when Ray had started and nothing had been sent. The largest pickled
models of the hops in flight are measured in the workers. Writes docs/benchmarks/memory.md.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from ray import cloudpickle
from sklearn.tree import DecisionTreeClassifier

import multihop_search.engine.student as student
import multihop_search.engine.upper_model as upper_model
from multihop_search import MultihopSearchClassifier, RayExecutor
from multihop_search.engine.memo import MOST_BYTES
from multihop_search.executors import Executor
from multihop_search.transfer.schemes.model_compression import MOST_ROWS

HEAD = """# What a search on Ray takes of memory

`python benchmarks/memory.py`: {rows:,} rows, {columns} columns, {trials} trials, {workers} workers, {seconds:.0f} s.
Megabytes of the proportional set sizes of all processes, the object store included, above what they were when Ray had
started.

| what | MB |
| --- | ---: |"""
MB = 2**20
TEACHER: Any = "auto"


def family(root: int) -> list[int]:
    """Return the process numbers of `root` and of all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def used() -> int:
    """Return the bytes that this process and its descendants take."""
    total = 0
    for number in family(os.getpid()):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


class Sampler(threading.Thread):
    """Notes the bytes in use, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, int]] = []
        self.going = True

    def run(self) -> None:
        while self.going:
            self.samples.append((time.monotonic(), used()))
            time.sleep(0.25)


@dataclass(frozen=True)
class Weighing(Executor):
    """An executor whose hops note the pickled size of the largest model that each process fits."""

    executor: RayExecutor
    folder: str

    @property
    def n_workers(self) -> int:
        return self.executor.n_workers

    def start(self) -> Any:
        session = self.executor.start()
        submit = session.submit
        session.submit = lambda fn, *args: submit(weighed, self.folder, fn, *args)
        return session


class Scale:
    """A file that keeps nothing but the number of bytes written to it."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, part: Any) -> int:
        self.size += memoryview(part).nbytes
        return memoryview(part).nbytes


def pickled_size(model: Any) -> int:
    """Return the bytes of a pickle that is never made: it would take as much memory as the model."""
    scale = Scale()
    pickle.Pickler(scale, protocol=5, buffer_callback=lambda part: scale.write(part.raw()) and None).dump(model)
    return scale.size


def weighed(folder: str, fn: Callable[..., Any], *args: Any) -> Any:
    """Call `fn` in a worker, with a scale at the only place that fits models."""
    fit_model = upper_model.fit_model

    def watched(*given: Any, **settings: Any) -> Any:
        model = fit_model(*given, **settings)
        file = Path(folder, str(os.getpid()))
        size = max(pickled_size(model), int(file.read_text()) if file.exists() else 0)
        file.write_text(str(size))
        return model

    upper_model.fit_model = student.fit_model = watched  # type: ignore[assignment]
    try:
        return fn(*args)
    finally:
        upper_model.fit_model = student.fit_model = fit_model  # type: ignore[assignment]


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("memory", __doc__)
    parser.add_argument("--data", default="covertype_100k")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(args)
    warnings.simplefilter("ignore")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    X, y = bench.read(options.data, options.rows)
    data = int(X.memory_usage(index=False).sum() + y.memory_usage(index=False))
    idle: list[int] = []
    told: list[float] = []
    sampler = Sampler()

    @dataclass(frozen=True)
    class Watched(Weighing):
        def start(self) -> Any:
            session = super().start()
            idle.append(used())
            sampler.start()
            return session

    with tempfile.TemporaryDirectory() as folder:
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=6),
            TEACHER,
            n_trials=options.trials,
            executor=Watched(RayExecutor(n_workers=options.workers), folder),
            callbacks=[lambda study, trial: told.append(time.monotonic())],
            random_state=0,
        )
        begun = time.monotonic()
        search.fit(X, y)
        seconds = time.monotonic() - begun
        models = sorted(int(file.read_text()) for file in Path(folder).iterdir())
    sampler.going = False
    tenth = told[min(9, len(told) - 1)]
    parts = {
        "set-up and trials 0 to 9": [size for when, size in sampler.samples if when <= tenth],
        "the other trials": [size for when, size in sampler.samples if tenth < when <= told[-1]],
        "choice, refit and verdict": [size for when, size in sampler.samples if when > told[-1]],
    }
    peaks = {name: (max(sizes, default=idle[0]) - idle[0]) / MB for name, sizes in parts.items()}
    whole = (1 + 2 * options.workers) * data / MB
    folds = len(search.setup_.problem.folds)
    added = options.workers * min(folds * MOST_ROWS * X.shape[1] * 8, MOST_BYTES) / MB
    in_flight = sum(models[-options.workers :]) / MB
    lines = [
        HEAD.format(rows=len(X), columns=X.shape[1], trials=options.trials, workers=options.workers, seconds=seconds),
        f"| the data | {data / MB:.0f} |",
        f"| (1 + 2 x {options.workers} workers) x the data | {whole:.0f} |",
        f"| synthetic rows that the workers may keep, as declared | {added:.0f} |",
        f"| the largest fitted models, pickled, one a worker | {in_flight:.0f} |",
        f"| **allowed: the sum of these three** | {whole + added + in_flight:.0f} |",
        *(f"| found at most, above idle, {name} | {peak:.0f} |" for name, peak in peaks.items()),
        f"| trials 10 on add | {max(peaks['the other trials'] - peaks['set-up and trials 0 to 9'], 0):.0f} |",
    ]
    bench.write(options.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
