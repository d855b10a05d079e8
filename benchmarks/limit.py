"""Where each second of a search goes: fits and predictions that had to be done once, against everything else.

    python benchmarks/limit.py [--data spambase satimage letter] [--trials 200] [--rows 5000]

A search is run in this process with a clock round the functions that do the work, and then without the clock on two
local Ray workers. Each search is a process of its own, on one thread. Writes docs/benchmarks/limit.md.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import bench
from sklearn.tree import DecisionTreeClassifier

import multihop_search.engine.prefixes as prefixes
import multihop_search.engine.soft_labels as soft_labels
import multihop_search.engine.student as student
import multihop_search.engine.synthetic_rows as synthetic_rows
import multihop_search.engine.upper_model as upper_model
import multihop_search.paths.first_fits as first_fits
import multihop_search.search.base as base
import multihop_search.search.run as search_run
from multihop_search import MultihopSearchClassifier, RayExecutor
from multihop_search.problem.scoring import Scoring
from multihop_search.trees import OwnFit
from multihop_search.verdict.resampling import Resampling

FITS, PREDICTIONS, AGAIN = "fits", "predictions", "fits done again"
REST = (
    AGAIN,
    "synthetic rows",
    "transfer sets",
    "calibration",
    "sizes and latency",
    "hops, the rest",
    "set-up, the rest",
    "choice and refit, the rest",
    "driver",
)
HEAD = """# Where each second goes

`python benchmarks/limit.py`: searches of {trials} trials, 5 folds, at most {rows:,} rows, one student, everything else
at its default; one thread a process. *Work* is what had to be done once: the fits of all models (teacher candidates,
upper models in every inner fold, students, the refit) and their predictions. *Wall* is all that a call of `fit` takes,
less the verdict and less the start of Ray, which have columns of their own. Serial: wall over work, at most 1.10
wanted. Two Ray workers: wall over half of the serial run's work, at most 1.25 wanted; what is not run by workers (the
choice of a teacher, the refit of the chosen path) counts there in full.

"""


STUDENTS: dict[str, dict[str, Any]] = {
    "tree of depth 4": {"student": DecisionTreeClassifier(max_depth=4)},
    "the same, by its own fit only": {"student": DecisionTreeClassifier(max_depth=4), "tree_fits": [OwnFit()]},
}


class Clock:
    """Seconds by kind; what runs inside something else is not counted there."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside: list[list[float]] = []
        self._seen: set[Any] = set()

    def around(self, holder: Any, name: str, kind: str, key: Callable[..., Any] | None = None) -> None:
        """Count the seconds of a function; calls whose key was seen before are work done again."""
        call = getattr(holder, name)

        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            self._inside.append([0.0])
            counted = kind
            if key is not None:
                which = key(*args, **kwargs)
                counted = AGAIN if which in self._seen else kind
                self._seen.add(which)
            try:
                return call(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                self.seconds[counted] += spent - self._inside.pop()[0]
                if self._inside:
                    self._inside[-1][0] += spent

        setattr(holder, name, timed)


def fit_key(problem: Any, fold: Any, part: int, positions: Any, spec: Any) -> Any:
    return fold.number, part, spec.name, spec.key, repr(spec.estimator), repr(spec.options)


def clocked() -> Clock:
    """Put a clock round the parts of a search in this process."""
    clock = Clock()
    clock.around(base.MultihopSearch, "set_up", "set-up, the rest")
    clock.around(search_run.Run, "_run_trials", "driver")
    clock.around(search_run.Run, "_conclude", "choice and refit, the rest")
    for holder, name in ((prefixes, "judge"), (prefixes, "crossfit"), (prefixes, "crossfit_plain")):
        clock.around(holder, name, "hops, the rest")
    clock.around(Resampling, "verdict", "verdict")
    clock.around(first_fits, "fit", FITS)
    clock.around(upper_model, "fit_model", FITS, fit_key)
    clock.around(student, "fit_model", FITS, fit_key)
    clock.around(synthetic_rows, "_generated", "synthetic rows")
    clock.around(soft_labels.SoftLabels, "transfer_set", "transfer sets")
    clock.around(Scoring, "table", PREDICTIONS)
    clock.around(upper_model, "graded_predictions", PREDICTIONS)
    clock.around(upper_model.UpperModel, "out_of_bag", PREDICTIONS)
    clock.around(upper_model, "calibrating_temperature", "calibration")
    clock.around(student, "size_of", "sizes and latency")
    clock.around(student, "latency_us", "sizes and latency")
    return clock


def measure(name: str, settings: dict[str, Any], n_trials: int, n_rows: int, workers: int) -> dict[str, Any]:
    """Return the seconds of one search by kind, or on workers those of the whole and of Ray's start."""
    X, y = bench.read(name, n_rows)
    found: dict[str, Any] = {"rows": len(X), "columns": X.shape[1], "classes": int(y.nunique())}
    starts = [0.0]
    if workers:
        start_ray = RayExecutor.start

        def started(self: RayExecutor, *args: Any) -> Any:
            before = time.perf_counter()
            session = start_ray(self, *args)
            starts[0] = time.perf_counter() - before
            return session

        RayExecutor.start = started  # type: ignore[method-assign]
    clock = Clock() if workers else clocked()
    if workers:
        clock.around(Resampling, "verdict", "verdict")
    executor = RayExecutor(n_workers=workers) if workers else None
    search = MultihopSearchClassifier(**settings, n_trials=n_trials, executor=executor, random_state=0)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    found |= {"all": time.perf_counter() - start, "start": starts[0], "score": search.best_score_}
    return found | dict(clock.seconds)


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("limit", __doc__)
    parser.add_argument("--data", nargs="+", default=["spambase", "satimage", "letter"])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=[next(iter(STUDENTS))])
    options = parser.parse_args(args)
    lines = []
    for name, which in product(options.data, options.students):
        serial, shared = (
            bench.apart(measure, name, STUDENTS[which], options.trials, options.rows, n_workers) for n_workers in (0, 2)
        )
        print(name, which, serial, shared, flush=True)
        lines.append((name, which, serial, shared))
    bench.write(options.out, page(lines, options.trials, options.rows))


def page(lines: list[tuple[str, str, dict[str, Any], dict[str, Any]]], n_trials: int, n_rows: int) -> str:
    """Return the page."""
    text = HEAD.format(trials=n_trials, rows=n_rows)
    text += "| data | rows | student | work s | wall s | wall / work | 2 workers: wall s | over half the work "
    text += "| verdict s | Ray's start s |\n"
    text += "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    details = "\nSeconds of the serial runs:\n\n| data | student | fits | predictions | " + " | ".join(REST) + " |\n"
    details += "| --- | --- |" + " ---: |" * (2 + len(REST)) + "\n"
    for name, which, serial, shared in lines:
        work = serial[FITS] + serial[PREDICTIONS]
        wall = serial["all"] - serial["verdict"]
        parallel = shared["all"] - shared["verdict"] - shared["start"]
        text += (
            f"| {name} | {serial['rows']:,} | {which} | {work:.0f} | {wall:.0f} | {wall / work:.2f} | {parallel:.0f} | "
            f"{parallel / (work / 2):.2f} | {serial['verdict']:.1f} | {shared['start']:.1f} |\n"
        )
        details += f"| {name} | {which} | {serial[FITS]:.1f} | {serial[PREDICTIONS]:.1f} | "
        details += " | ".join(f"{serial.get(kind, 0.0):.1f}" for kind in REST) + " |\n"
    return text + details


if __name__ == "__main__":
    main()
