"""What sharing saves on a fixed list of paths, against plain Optuna objectives, a careful one and a naive one.

    python benchmarks/naive.py [--data spambase] [--trials 200] [--rows 5000]

The list is what a search without early stopping draws. The *careful* objective has cross-fitted the teacher once, in
every fold, and runs every hop below it in the trial; the *naive* one runs the teacher in the trial too, so it is timed
on ten trials only. All call the same functions with the same keys, so all score the same, which is checked. One
process, one thread. Writes docs/benchmarks/naive.md.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any
from unittest.mock import patch

import bench
import numpy as np
import optuna
from optuna.pruners import NopPruner
from sklearn.tree import DecisionTreeClassifier

import multihop_search.engine.crossfit as upper_models
import multihop_search.engine.student as last_hop
import multihop_search.engine.upper_model as upper_model
import multihop_search.search.run as search_run
from multihop_search import MultihopSearchClassifier, Path
from multihop_search.engine.memo import MEMO
from multihop_search.engine.student import judge
from multihop_search.engine.study import new_study, without_greetings
from multihop_search.keys import rng_of
from multihop_search.paths.path import STUDENT, TEACHER, Hop, Truncate
from multihop_search.problem.problem import Role
from multihop_search.trees import OwnFit

TEACHER_MODEL: Any = "auto"
TIMED = 10
"""Trials on which the naive objective is timed."""
HEAD = """# What sharing saves

`python benchmarks/naive.py`: {trials} paths, drawn by a search at its defaults for a tree of depth 4 (early stopping
apart), on at most {rows:,} rows, in 5 folds. The same list, with the same functions and keys, so with the same scores,
which is checked: by the search, by a careful objective for `optuna.Study.optimize` that has cross-fitted the teacher
once, and by a naive one that does so in each trial (timed on {timed} trials, by key; the rest scaled). Seconds are of
the loop of trials, with the teacher's. Upper models are all between teacher and student. The students' own fits, one
for each distinct path and fold, and where a scheme asks what the student says without a teacher three more, nobody can
share: they decide how far the seconds can differ. So the table is given for all ways of fitting a tree, the default,
and for its class's own alone.

| data | | search | careful | times as much | wanted | naive | times as much |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""


class Fits:
    """Counts the fits of each role in folds, and their seconds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def counting(self) -> Iterator[None]:
        fit_model = upper_model.fit_model

        def counted(problem: Any, fold: Any, part: int, rows: Any, spec: Any) -> Any:
            role = (
                {TEACHER: "teacher", STUDENT: "student"}.get(spec.name, "upper") if fold.role is Role.OUTER else "whole"
            )
            start = time.perf_counter()
            fitted = fit_model(problem, fold, part, rows, spec)
            self.seconds[role] += time.perf_counter() - start
            self.counts[role] += 1
            return fitted

        with patch.object(upper_model, "fit_model", counted), patch.object(last_hop, "fit_model", counted):
            yield

    def taken(self) -> tuple[Counter[str], Counter[str]]:
        """Return counts and seconds, and begin anew."""
        found = self.counts, self.seconds
        self.counts, self.seconds = Counter(), Counter()
        return found


class Objective:
    """What somebody would write for `optuna.Study.optimize`, on a list of paths.

    `teacher`: the teacher's outputs by fold, cross-fitted before; None: in each trial.
    """

    def __init__(self, problem: Any, ladder: Any, paths: list[Path], teacher: dict[int, Any] | None) -> None:
        self.problem, self.ladder, self.paths, self.teacher = problem, ladder, paths, teacher

    def __call__(self, trial: optuna.Trial) -> float:
        path = self.paths[trial.suggest_categorical("path", range(len(self.paths)))]
        return float(np.mean(self.scores(path)))

    def scores(self, path: Path) -> list[float]:
        """Return the score of each fold."""
        return [self.score(path, fold.number) for fold in self.problem.folds]

    def score(self, path: Path, number: int) -> float:
        outputs = None
        for place in range(len(path.hops)):
            hops = path.hops[:place]
            if not hops and self.teacher is not None:
                outputs = self.teacher[number]
            else:
                plain = self.plain(number, hops[-1]) if hops else None
                outputs = upper_models.crossfit(self.problem, self.ladder, number, hops, outputs, plain)
        return judge(self.problem, self.ladder, number, path, outputs).score

    def plain(self, number: int, hop: Hop) -> Any:
        if isinstance(hop.scheme, Truncate) or not hop.scheme.needs_plain:
            return None
        return upper_models.crossfit_plain(self.problem, self.ladder, number, hop.model)


def measure(name: str, n_trials: int, n_rows: int, own_fit: bool) -> dict[str, Any]:
    """Return seconds and fits of the three ways."""
    fits = Fits()
    with fits.counting(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compared(*bench.read(name, n_rows), fits, n_trials, own_fit)


def compared(X: Any, y: Any, fits: Fits, n_trials: int, own_fit: bool) -> dict[str, Any]:
    spent: list[float] = []
    run = search_run.Run._run_trials

    def timed(*args: Any) -> Any:
        fits.taken()
        start = time.perf_counter()
        found = run(*args)
        spent.append(time.perf_counter() - start)
        return found

    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=4),
        TEACHER_MODEL,
        tree_fits=[OwnFit()] if own_fit else "auto",
        n_trials=n_trials,
        pruner=NopPruner(),
        random_state=0,
    )
    with patch.object(search_run.Run, "_run_trials", timed):
        search.fit(X, y)
    shared, shared_s = fits.taken()
    problem, ladder, paths = search.setup_.problem, search.setup_.ladder, list(search.paths_)
    scores = np.column_stack([search.cv_results_[f"split{fold.number}_test_score"] for fold in problem.folds])

    start = time.perf_counter()
    teacher = {fold.number: upper_models.crossfit(problem, ladder, fold.number, ()) for fold in problem.folds}
    objective = Objective(problem, ladder, paths, teacher)
    study = new_study()
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    for place in range(len(paths)):
        study.enqueue_trial({"path": place})
    with without_greetings():
        study.optimize(objective, n_trials=len(paths))
    careful_s = time.perf_counter() - start
    careful, in_careful = fits.taken()
    expected = [float(np.mean(row)) for row in scores.tolist()]
    assert [trial.value for trial in study.trials] == expected, "the careful objective must score as the search does"

    naive = Objective(problem, ladder, paths, None)
    chosen = rng_of(0, "naive").choice(len(paths), min(TIMED, len(paths)), replace=False).tolist()
    hops = np.array([len(path.hops) for path in paths])
    seconds = np.zeros(len(paths))
    for place in chosen:
        MEMO.clear(problem.token)
        begun = time.perf_counter()
        assert naive.scores(paths[place]) == scores[place].tolist()
        seconds[place] = time.perf_counter() - begun
    groups = [hops == 0, hops > 0]
    naive_s = sum(group.sum() * seconds[group & (seconds > 0)].mean() for group in groups if (seconds[group] > 0).any())
    per_fold = careful["teacher"]
    return {
        "rows": len(X),
        "distinct": len(set(paths)),
        "seconds": [spent[0], careful_s, float(naive_s)],
        "upper seconds": [shared_s["upper"], in_careful["upper"], in_careful["upper"]],
        "student seconds": [shared_s["student"], in_careful["student"], in_careful["student"]],
        "upper": [shared["upper"], careful["upper"], careful["upper"]],
        "teacher": [shared["teacher"], careful["teacher"], per_fold * int((hops > 0).sum())],
    }


def page(figures: dict[str, dict[str, Any]], n_trials: int, n_rows: int) -> str:
    """Return the page."""
    text = HEAD.format(trials=n_trials, rows=n_rows, timed=TIMED)
    for name, one in figures.items():
        for what, label, wanted in (
            ("seconds", "seconds", "2"),
            ("upper", "fits of upper models", "2.5"),
            ("upper seconds", "seconds of these", ""),
            ("student seconds", "seconds of the students' fits", ""),
            ("teacher", "fits for the teacher", ""),
        ):
            shared, careful, naive = one[what]
            text += (
                f"| {name} | {label} | {shared:,.0f} | {careful:,.0f} | {careful / shared:.2f} | {wanted} | "
                f"{naive:,.0f} | {naive / shared:.2f} |\n"
            )
        text += f"| {name} | distinct paths | {one['distinct']} | | | | | |\n"
    return text


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("naive", __doc__)
    parser.add_argument("--data", nargs="+", default=["spambase"])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rows", type=int, default=5_000)
    options = parser.parse_args(args)
    figures = {}
    for name, way in product(options.data, ("all fits", "own fit only")):
        title = f"{name}, {way}"
        figures[title] = bench.apart(measure, name, options.trials, options.rows, way == "own fit only")
        print(title, figures[title], flush=True)
    bench.write(options.out, page(figures, options.trials, options.rows))


if __name__ == "__main__":
    main()
