"""What the driver itself costs: 10,000 trials of hops that do nothing.

    python benchmarks/driver.py [--trials 10000] [--rows 3000]

Every fit is left out: a session of the benchmark's own answers each hop at once with drawn predictions. What remains is
what the process that asks, tells and judges does. Each sampler is run in a process of its own, on one thread. Writes
docs/benchmarks/driver.md.
"""

from __future__ import annotations

import resource
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
import numpy as np
import optuna
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.engine.crossfit import crossfit, crossfit_plain
from multihop_search.engine.student import Outcome, judge
from multihop_search.executors import Executor, Session
from multihop_search.models.complexity import Size
from multihop_search.studies.windowed import WindowedSampler

FEWER = 2_000
"""Trials of the sampler that reads its whole history at each."""
HEAD = """# What the driver costs

`python benchmarks/driver.py`: hops that do nothing, one student, {rows:,} held-out rows of 3 classes in 5 folds. What
is left is what the driver does for each trial: draw, decode, send, judge, stop early, tell, keep. Milliseconds a trial,
of all, of the second 1,000 and of the last 1,000; megabytes by which the process
grew while trials were told, and to its largest, at the verdict, which resamples all kept predictions at once.
Predictions of the best 200 paths of each group are kept, so memory grows with the trials by their records alone. TPE by
itself reads its whole history at each trial, so it is given fewer trials.

| sampler | trials | ms a trial | second 1,000 | last 1,000 | last / second | MB | MB at the verdict | best score |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=30)


SAMPLERS: dict[str, Any] = {
    "random (the default)": "auto",
    "WindowedSampler(TPE)": lambda seed: WindowedSampler(tpe, seed=seed),
    "TPE": tpe,
}


@dataclass(frozen=True)
class NoOp(Executor):
    """An executor whose hops do nothing."""

    n_classes: int = 3

    def start(self) -> NoOpSession:
        return NoOpSession(self.n_classes)


class NoOpSession(Session):
    """Answers each hop at once: predictions with a skill that the path's key decides."""

    cache_bytes = 1 << 20

    def __init__(self, n_classes: int) -> None:
        self._noise = np.random.default_rng(0).random((4096, n_classes))
        self._classes = np.eye(n_classes, dtype=np.float32)
        self.seconds = 0.0

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        if fn is crossfit or fn is crossfit_plain:
            return None
        if fn is not judge:  # what is fitted once: models on a few rows, and the teacher for the verdict
            return fn(*args)
        start = time.perf_counter()
        problem, _, number, path, *_ = args
        rows = problem.folds[number].test
        skill = int(path.key[:4], 16) / 0xFFFF
        noise = self._noise[(rows + int(path.key[4:8], 16)) % len(self._noise)]
        proba = noise + skill * self._classes[problem.y[rows]]
        proba = (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)
        score = problem.scoring.score(problem.y[rows], proba, None)
        found = Outcome(
            predictions=proba,
            score=score,
            fit_seconds=0.001,
            size=Size(31, 5, 2000.0),
            latency_us=1.0 if number == 0 else float("nan"),
        )
        self.seconds += time.perf_counter() - start
        return found

    def ready(self, future: Any) -> bool:
        return True

    def wait(self, futures: Sequence[Any], timeout: float | None = None) -> None:
        """Everything is ready."""

    def result(self, future: Any) -> Any:
        return future


def resident() -> float:
    """Return the megabytes that this process takes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(name: str, n_trials: int, n_rows: int) -> dict[str, Any]:
    """Return times and memory of one search."""
    X, y = make_classification(n_rows, 10, n_informative=6, n_classes=3, random_state=0)
    sessions: list[NoOpSession] = []

    class Watched(NoOp):
        def start(self) -> NoOpSession:
            sessions.append(super().start())
            return sessions[-1]

    told: list[float] = []
    memory: list[float] = []

    def tick(study: optuna.Study, trial: Any) -> None:
        told.append(time.perf_counter() - sessions[0].seconds)
        if trial.number % 500 == 0:
            memory.append(resident())

    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(20, n_jobs=1),
        n_trials=n_trials,
        sampler=SAMPLERS[name],
        executor=Watched(),
        callbacks=[tick],
        random_state=0,
    )
    before = resident()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    spans = np.diff(np.array(told))
    thousand = min(1000, len(spans) // 3)
    return {
        "ms a trial": 1e3 * float(spans.mean()),
        "second 1,000": 1e3 * float(spans[thousand : 2 * thousand].mean()),
        "last 1,000": 1e3 * float(spans[-thousand:].mean()),
        "memory": max(memory) - before,
        "at the verdict": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 - before,
        "best": search.best_score_,
    }


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("driver", __doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=3_000)
    options = parser.parse_args(args)
    lines = []
    for name in SAMPLERS:
        n_trials = options.trials if name != "TPE" else min(FEWER, options.trials)
        cost = bench.apart(measure, name, n_trials, options.rows)
        ratio = cost["last 1,000"] / cost["second 1,000"]
        lines.append(
            f"| {name} | {n_trials:,} | {cost['ms a trial']:.1f} | {cost['second 1,000']:.1f} | "
            f"{cost['last 1,000']:.1f} | {ratio:.2f} | {cost['memory']:.0f} | "
            f"{cost['at the verdict']:.0f} | {cost['best']:.4f} |"
        )
        print(lines[-1], flush=True)
    bench.write(options.out, HEAD.format(rows=options.rows, trials=options.trials) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
