"""What sharing prefixes saves, against an objective that keeps nothing.

    python benchmarks/prefix_sharing.py [--data spambase] [--trials 100] [--rows N]

Writes docs/benchmarks/prefix_sharing.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import bench
import numpy as np
from optuna.pruners import NopPruner
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import ConfWeight, HardLabels, KnowledgeDistillation, MultihopSearchClassifier, Path
from multihop_search.engine import crossfit as upper_models
from multihop_search.engine import student as last_hop
from multihop_search.engine import upper_model
from multihop_search.engine.fit import FitSpec
from multihop_search.keys import rng_of
from multihop_search.models import family_of
from multihop_search.paths import first_fits
from multihop_search.paths import ladder as rungs
from multihop_search.paths.path import STUDENT, TEACHER, Hop, Truncate
from multihop_search.problem.problem import Fold, Problem, Role

STUDENT_MODEL, TEACHER_MODEL = DecisionTreeClassifier(max_depth=4), RandomForestClassifier(n_estimators=300)
SCHEMES = KnowledgeDistillation(), HardLabels(), ConfWeight()
SAMPLED = {"plain": 4, "one-hop": 4, "multi-hop": 6}
ROLES = ("teacher", "small forests", "intermediates", "students")
REQUIRED = {"teacher": 20, "all": 2, "wall seconds": 5}
HEAD = """# What sharing prefixes saves

Written by `{}` on {} cores; Python {}, {}.

A search of {} trials (student DecisionTreeClassifier(max_depth=4), teacher RandomForestClassifier(n_estimators=300),
max_hops=3, cv=5, crossfit_cv=3, schemes KnowledgeDistillation, HardLabels and ConfWeight, no early stopping,
random_state=0) against an objective that keeps nothing: in each trial and fold it cross-fits the teacher and each
intermediate of the path and fits the student, by the search's own functions (`crossfit` and `judge` of `engine/`,
in one thread). A repeated path is run again, a plain trial needs no teacher.
- *whole path*: the objective as it stands. `crossfit` gives all stages of the teacher, whatever the path, and those of
  fewer than 30 members cost a small forest (the teacher with 10 trees) for each inner fold.
- *needed stages*: a more careful objective, which computes only the stage with which its path begins, if any.

Fits are counted; for the objectives by arithmetic, which agrees with the counter in the search and in all sampled
trials. Sampled trials score exactly as in the search. Seconds: of the search its loop of trials, of the objectives the
sampled trials (by key, same process) scaled up by kind, ± one standard error; CPU seconds leave out other processes.
Sharing cannot save students, each distinct path has its own in each fold: they bound "all" from above.
"""


def clock() -> np.ndarray:
    """Return (wall seconds, CPU seconds)."""
    return np.array([time.perf_counter(), time.process_time()])


@contextmanager
def counting() -> Iterator[tuple[Counter[str], Counter[str], list[np.ndarray]]]:
    """Yield the fits by role in folds and on all rows (the refit), and the times at which each first fit ended."""
    in_folds, in_refit, firsts = Counter[str](), Counter[str](), list[np.ndarray]()
    fit_model, first_fit = upper_model.fit_model, first_fits.first_fit

    def counted(problem: Problem, fold: Fold, part: int, rows: np.ndarray, spec: FitSpec) -> Any:
        small = spec.name == TEACHER and spec.estimator.n_estimators != TEACHER_MODEL.n_estimators
        role = "small forests" if small else {TEACHER: "teacher", STUDENT: "students"}.get(spec.name, "intermediates")
        (in_folds if fold.role is Role.OUTER else in_refit)[role] += 1
        return fit_model(problem, fold, part, rows, spec)

    def fitted_first(*args: Any) -> Any:
        model = first_fit(*args)
        firsts.append(clock())
        return model

    patches = (
        patch.object(upper_model, "fit_model", counted),
        patch.object(last_hop, "fit_model", counted),
        patch.object(first_fits, "first_fit", fitted_first),
    )
    with patches[0], patches[1], patches[2]:
        yield in_folds, in_refit, firsts


def prefixes(path: Path) -> list[tuple[Hop, ...]]:
    """Return the hops to each model above the student, () for the teacher."""
    return [path.hops[:place] for place in range(len(path.hops))]


def needed(ladder: rungs.Ladder, path: Path) -> rungs.Ladder:
    """Return the ladder with only those truncated teachers that `path` uses."""
    cuts = tuple(one.scheme for one in path.hops if isinstance(one.scheme, Truncate))
    return replace(ladder, truncations=cuts, stage_sizes=tuple(cut.k for cut in cuts))


def crossfits(problem: Problem, ladder: rungs.Ladder, hops: tuple[Hop, ...]) -> Counter[str]:
    """Return, by arithmetic, the fits in all folds that the outputs of the model at the end of `hops` cost."""
    if hops and isinstance(hops[-1].scheme, Truncate):
        return Counter()
    model, parts = ladder.estimator(hops[-1].model if hops else TEACHER), sum(len(fold.inner) for fold in problem.folds)
    fits = (
        len(problem.folds)
        if family_of(model).has_bags(model) and family_of(model).members(model) >= upper_model.BAG_SIZE
        else parts
    )
    small = parts * any(k < upper_model.BAG_SIZE for k in ladder.stage_sizes)
    return Counter(intermediates=fits) if hops else Counter({"teacher": fits, "small forests": small})


def path_fits(problem: Problem, ladder: rungs.Ladder, path: Path) -> Counter[str]:
    """Return, by arithmetic, the fits of `path` run alone."""
    return sum((crossfits(problem, ladder, hops) for hops in prefixes(path)), Counter(students=len(problem.folds)))


def run_alone(problem: Problem, ladder: rungs.Ladder, path: Path, scores: list[float]) -> np.ndarray:
    """Return the (wall, CPU) seconds of `path` run alone, after its `scores` and its number of fits are checked."""
    with counting() as (fits, _, _):
        found, start = [], clock()
        for fold in problem.folds:
            upper = None
            for hops in prefixes(path):
                upper = upper_models.crossfit(problem, ladder, fold.number, hops, upper)
            found.append(last_hop.judge(problem, ladder, fold.number, path, upper).score)
    spent: np.ndarray = clock() - start
    assert found == scores, f"{path} must score {scores} as in the search, alone it scored {found}"
    assert fits == path_fits(problem, ladder, path), f"{path}: counter and arithmetic must agree"
    return spent


def benchmark(name: str, n_rows: int | None, n_trials: int) -> str:
    """Run the search and the sample; return the section of the page on one data set."""
    X, y = bench.read(name, n_rows)
    told: list[np.ndarray] = []
    search = MultihopSearchClassifier(STUDENT_MODEL, TEACHER_MODEL, n_trials=n_trials, random_state=0)
    search.set_params(schemes=list(SCHEMES), pruner=NopPruner())
    search.set_params(max_hops=3, cv=5, crossfit_cv=3, callbacks=[lambda study, trial: told.append(clock())])
    with counting() as (shared, refit, firsts):
        search.fit(X, y)
    loop, after = told[-1] - firsts[-1], clock() - told[-1]
    problem, ladder, paths = search.setup_.problem, search.setup_.ladder, search.paths_
    nodes = {hops for path in paths for hops in prefixes(path)}
    students = Counter(students=len(problem.folds) * len(set(paths)))
    assert shared == sum((crossfits(problem, ladder, hops) for hops in nodes), students), "counter and arithmetic"
    ladders = ([ladder] * len(paths), [needed(ladder, path) for path in paths])  # of the two objectives
    counts = [shared] + [sum(map(path_fits, [problem] * len(paths), way, paths), Counter()) for way in ladders]
    scores = np.column_stack([search.cv_results_[f"split{fold.number}_test_score"] for fold in problem.folds]).tolist()
    kinds, sample, total, variance = np.array([min(len(path.hops), 2) for path in paths]), "", *np.zeros((2, 2, 2))
    for kind, (stratum, most) in enumerate(SAMPLED.items()):
        numbers = np.flatnonzero(kinds == kind)
        of, n = len(numbers), min(most, len(numbers))
        chosen = sorted(rng_of(0, "prefix_sharing", stratum).choice(numbers, n, replace=False).tolist())
        spent = np.array([[run_alone(problem, way[i], paths[i], scores[i]) for way in ladders] for i in chosen])
        mean, deviation = spent.mean(axis=0), spent.std(axis=0, ddof=1)  # [objective, wall or CPU]
        total, variance = total + of * mean, variance + of**2 * deviation**2 * (1 - n / of) / n
        cells = [f"{m:.2f} ({d:.2f})" for m, d in zip(mean.ravel(), deviation.ravel(), strict=True)]
        sample += f"| {stratum} | {of} | {', '.join(map(str, chosen))} | {' | '.join(cells)} |\n"
    table = "".join(row(role, [count[role] for count in counts]) for role in ROLES)
    table += row("teacher, small forests too", [count["teacher"] + count["small forests"] for count in counts])
    table += row("all", [count.total() for count in counts])
    for place, unit in enumerate(("wall seconds", "CPU seconds")):
        table += row(unit, [loop[place], *total[:, place]], [f" ± {error:.1f}" for error in variance[:, place] ** 0.5])
    return f"""
## {name}: {len(X)} rows, {X.shape[1]} features, {problem.n_outputs} classes

{len(paths)} trials, {len(set(paths))} distinct paths. Hops above the last: {sum(len(path.prefix) for path in paths)} \
drawn, {len(nodes - {()})} distinct.

| fits, seconds | shared | whole path | times fewer | needed stages | times fewer | required |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{table}
Seconds of a trial run alone, mean (standard deviation) over the sampled trials:

| kind | drawn | sampled trials | whole path, wall | CPU | needed stages, wall | CPU |
| --- | ---: | --- | ---: | ---: | ---: | ---: |
{sample}
Outside the loop of trials, in no figure above: {len(firsts)} first fits; choice, verdict and refit \
{after[0]:.1f} s wall, {after[1]:.1f} s CPU; the refit {search.refit_time_:.1f} s wall of it, fits: {dict(refit)}.
"""


def row(name: str, values: list[float], errors: Sequence[str] = ("", "")) -> str:
    """Return a row of the main table: the search and the two objectives."""
    cells = [str(value) if isinstance(value, int) else f"{value:.1f}" for value in values]
    for place in (1, 2):
        ratio = values[place] / values[0] if values[0] else float("nan")
        cells[place] += f"{errors[place - 1]} | {ratio:.2f}" + " (not met)" * bool(ratio < REQUIRED.get(name, 0))
    return f"| {name} | {' | '.join(cells)} | {REQUIRED.get(name, '')} |\n"


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("prefix_sharing", __doc__)
    parser.add_argument("--data", nargs="+", default=["spambase"])
    parser.add_argument("--rows", type=int, help="at most as many of each set; default: all, in their order")
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args(args)
    command = " ".join(["python benchmarks/prefix_sharing.py", *(sys.argv[1:] if args is None else args)])
    libraries = bench.versions("numpy", "scikit-learn", "optuna", "multihop_search")
    page = HEAD.format(command, os.cpu_count(), sys.version.split()[0], libraries, options.trials)
    for name in options.data:
        page += benchmark(name, options.rows, options.trials)
    bench.write(options.out, page)


if __name__ == "__main__":
    main()
