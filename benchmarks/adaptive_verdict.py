"""A sampler that learns and a verdict that resamples: what each pair claims, held against known truth.

    python benchmarks/adaptive_verdict.py [--replicates 100] [--processes 2] [--rows 1000] [--trials 99]

The searches are those of `verdict_null.py`: the loop, space, choice and verdicts of the package, with keyed noise in
place of fits, so that the true score of every path is known and no hop helps. Random search and TPE, each judged by
resampling (TPE is then told one half of the rows and the other half judges) and by a nested search (TPE is told all).
Writes docs/benchmarks/adaptive_verdict.md.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import bench
import numpy as np
from verdict_null import ACCURACY, N_FOLDS, NoiseForFits, _tpe, distance, probabilities, space, true_accuracy

from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.loop import Loop
from multihop_search.engine.plan import Plan, make_sampler
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.study import new_study
from multihop_search.keys import rng_of
from multihop_search.paths.budget import Budget
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import STUDENT, TEACHER
from multihop_search.problem.intake import make_problem
from multihop_search.problem.problem import Problem
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.nested import NestedSearch, part_of
from multihop_search.verdict.resampling import Resampling
from multihop_search.verdict.trials import Trials

PAIRS = (("random", "bbc"), ("random", "nested"), ("TPE", "bbc"), ("TPE", "nested"))
HEAD = """# A sampler that learns, and who judges it

`python benchmarks/adaptive_verdict.py`: {replicates} searches a line; {n_trials} trials, {n_rows:,} rows of two
classes, score accuracy. No model is fitted: predictions are keyed noise with known true scores, and no hop helps; the
student's own parameters do, where tuning matters. Points of accuracy, means ± one standard error. *Chosen*: true
accuracy of the selected path. *Excess*: what the verdict says the selected student scores, less its true score, and the
same for plain cross-validation. *Gain*: claimed gain of selected over plain, less the true one. *Half-width*: of its
interval, where hops were chosen.

| tuning matters | sampler | who judges | chosen | excess | excess of cross-validation | gain | half-width |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"""


class Answers(NoiseForFits):
    """A session in which nothing is fitted; calls are made when their result is asked for."""

    def __init__(self, problem: Problem, tuning_matters: bool) -> None:
        super().__init__(problem, tuning_matters)
        self.teacher = TeacherOutputs(probabilities(self._part(TEACHER), problem.y, distance(ACCURACY + 0.05)))

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return fn, args

    def result(self, future: Any) -> Any:
        fn, args = future
        if fn is part_of:
            problem, place, rows, outcome = args
            return part_of(problem, place, rows, self.result(outcome))
        if fn is crossfit:
            return self.teacher.take(self._problem.fold(args[2]).train)
        return super().result(args)


def replicate(task: tuple[int, bool, str, str, int, int]) -> tuple[float, ...]:
    """Return what one search claims and what is true."""
    number, tuning_matters, sampler, judge, n_rows, n_trials = task
    y = rng_of(number, "adaptive").integers(2, size=n_rows)
    problem = make_problem(
        np.zeros((n_rows, 1)),
        y,
        sample_weight=None,
        groups=None,
        cv=N_FOLDS,
        crossfit_cv=3,
        scoring="accuracy",
        random_state=number,
        verdict=judge,
    )
    factory = _tpe if sampler == "TPE" else "auto"

    def plan() -> Plan:
        return Plan(space(), number, make_sampler(factory, number))

    assessment = Assessment(problem, sampler == "TPE" and judge == "bbc")
    session = Answers(problem, tuning_matters)
    prefixes = Prefixes(session, problem, Ladder(teacher=None, students={STUDENT: None}))

    def searched(prefixes: Any, assessment: Assessment) -> Trials:
        trials = Trials(assessment)
        loop = Loop(new_study(), plan(), prefixes, assessment, budget=Budget(), pruner=None, n_ahead=16)
        for told in loop.run(n_trials):
            trials.add(*told)
        return trials

    trials = searched(prefixes, assessment)
    records, predictions = [record for record, _ in trials.kept()], [said for _, said in trials.kept()]
    chosen = assessment.choose(records, predictions, session.teacher)
    plain = np.flatnonzero([record.hops == 0 for record in records])
    best_plain = assessment.choose(records, predictions, session.teacher, plain)
    method: Any = Resampling(assessment, session.teacher)
    if judge == "nested":
        method = NestedSearch(assessment, prefixes, session.teacher, lambda number, *of_fold: searched(*of_fold))
        method.run()
    verdict = method.verdict(Case(records, predictions, chosen))
    true, true_plain = (true_accuracy(records[place].path, tuning_matters) for place in (chosen, best_plain))
    gain, low, high = verdict.table.loc["selected vs plain", ["gain", "low", "high"]]
    best = max(assessment.score(record) for record in records)
    width = (high - low) / 2 if records[chosen].hops else np.nan
    said = verdict.scores.loc["selected", "accuracy"]
    return true, said - true, best - true, gain - (true - true_plain), width


def line(tuning_matters: bool, sampler: str, judge: str, found: np.ndarray) -> str:
    """Return a line of the page; `found` is (n_replicates, 5)."""
    cells = []
    for place in range(found.shape[1]):
        values = 100 * found[:, place][np.isfinite(found[:, place])]
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        cells.append(f"{values.mean():.2f} ± {error:.2f}" if len(values) else "")
    told = "resampling, halves" if (sampler, judge) == ("TPE", "bbc") else "resampling" if judge == "bbc" else judge
    return f"| {'yes' if tuning_matters else 'no'} | {sampler} | {told} | {' | '.join(cells)} |"


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    parser = bench.parser("adaptive_verdict", __doc__)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=99)
    options = parser.parse_args(args)
    lines = [HEAD.format(replicates=options.replicates, n_trials=options.trials, n_rows=options.rows)]
    for tuning_matters, pair in product((False, True), PAIRS):
        sizes = options.rows, options.trials
        tasks = [(number, tuning_matters, *pair, *sizes) for number in range(options.replicates)]
        lines.append(line(tuning_matters, *pair, np.array(list(bench.each(replicate, tasks, options.processes)))))
        print(lines[-1], flush=True)
    bench.write(options.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
