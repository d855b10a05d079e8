"""What a search on Ray takes of memory: covertype, 100,000 rows, 50 trials, 2 workers.

    python benchmarks/memory.py [--rows 100000] [--trials 50] [--workers 2]

The proportional set size (/proc/PID/smaps_rollup: shared pages are counted once) of this process and all that it started
is sampled, and compared with what it was when Ray had started and nothing had been sent. The largest pickled models of
the hops in flight are measured in the workers. Writes docs/benchmarks/memory.md; skips where the data set is absent.
"""

from __future__ import annotations

import argparse
import os
import pickle
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import ray
from limit import read
from quality_parts.data import DATA
from sklearn.tree import DecisionTreeClassifier

import multihop_search.engine.executors.ray as ray_module
from multihop_search import MultihopSearchClassifier, RayExecutor
from multihop_search.transfer.schemes.model_compression import MOST_ROWS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "memory.md"
MB = 2**20


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


def largest_model(folder: str) -> Any:
    """Make a worker write down the pickled size of the models that it fits."""
    import multihop_search.engine.crossfit as crossfit
    import multihop_search.engine.student as student

    teach = crossfit.teach

    def watched(*args: Any) -> Any:
        model = teach(*args)
        if args[1].number >= 0:
            size = len(pickle.dumps(model))
            file = Path(folder, str(os.getpid()))
            before = int(file.read_text()) if file.exists() else 0
            file.write_text(str(max(size, before)))
        return model

    if teach.__name__ != "watched":
        crossfit.teach = student.teach = watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", default="/tmp", help="for the sizes of models")
    options = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"skipped: the real data sets are not here, {DATA} is absent")
    warnings.simplefilter("ignore")
    X, y = read("covertype_100k", options.rows)
    data = int(X.memory_usage(index=False).sum() + y.memory_usage(index=False))
    idle: list[int] = []
    told: list[float] = []
    sampler = Sampler()
    start = RayExecutor.start

    def started(self: RayExecutor, *args: Any) -> Any:
        session = start(self, *args)
        idle.append(used())
        sampler.start()
        return session

    RayExecutor.start = started  # type: ignore[method-assign]
    del ray_module, ray
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=6),
        n_trials=options.trials,
        executor=RayExecutor(n_workers=options.workers),
        callbacks=[lambda study, trial: told.append(time.monotonic())],
        random_state=0,
    )
    begun = time.monotonic()
    search.fit(X, y)
    sampler.going = False
    peak = max(size for when, size in sampler.samples) - idle[0]
    tenth = told[min(9, len(told) - 1)]
    early = max(size for when, size in sampler.samples if when <= tenth) - idle[0]
    late = max(size for when, size in sampler.samples if tenth < when <= told[-1]) - idle[0]
    print(data / MB, peak / MB, early / MB, late / MB, time.monotonic() - begun, MOST_ROWS * X.shape[1] * 8 / MB)


if __name__ == "__main__":
    main()
