"""What early stopping saves and what it costs: the rule replayed on searches that stopped nothing.

    python benchmarks/early_stopping.py [--rows 400] [--jobs 1] [--data NAME ...] [--trials 100]

Thirty searches (ten data sets x three students) at cv=5, and the same at cv=10, run every fold of every path. They are
kept with their predictions, under build/, so a run that was broken off goes on where it stopped; delete the folder to
record anew. The rule is then replayed on each under 200 orders of its folds. Writes docs/benchmarks/early_stopping.md.
"""

from __future__ import annotations

import itertools
import pickle
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path as File
from typing import Any

import bench
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier, Path, PathSpace
from multihop_search.engine.early_stopping import FEWEST_FOLDS
from multihop_search.engine.loop import Loop, Told
from multihop_search.engine.plan import Plan
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.student import Outcome
from multihop_search.engine.study import new_study
from multihop_search.executors import SerialExecutor
from multihop_search.keys import rng_of
from multihop_search.models.complexity import Size
from multihop_search.paths.budget import Budget
from multihop_search.problem.problem import Problem
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.choice import choose
from multihop_search.verdict.out_of_fold import RowEvidence

SETS = (
    "ionosphere",
    "heart_disease",
    "pima_diabetes",
    "spambase",
    "magic_gamma",
    "waveform_21",
    "satimage",
    "wine_quality",
    "wisdm_har",
    "weight_lifting_har",
)
STUDENTS: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("DecisionTreeClassifier(max_depth=4)", lambda: DecisionTreeClassifier(max_depth=4)),
    ("DecisionTreeClassifier(max_depth=6)", lambda: DecisionTreeClassifier(max_depth=6)),
    ("LogisticRegression()", lambda: make_pipeline(StandardScaler(), LogisticRegression())),
)
"""Name and maker of each; its place is the seed of its rows and of its search."""
N_AHEAD = 16
"""The search's default."""
N_TREES = 100
N_ORDERS, N_BOOTSTRAPS, N_CHECKED = 200, 2000, 2
FEWEST_OF_A_CLASS = 10
MOST_STOPPED = 0.05
FEWEST_TIMES = {5: 1.5, 10: 2.0}
NOBODY = -1


# Recording


@dataclass(frozen=True)
class Task:
    """One search to record."""

    data: str
    student: int
    """Place in `STUDENTS`."""
    cv: int
    n_rows: int
    n_trials: int
    folder: File

    @property
    def file(self) -> File:
        folder = self.folder / f"rows_{self.n_rows}_trees_{N_TREES}_trials_{self.n_trials}"
        return folder / f"{self.data}_{self.student}_cv{self.cv}.pkl"


@dataclass(frozen=True)
class Recording:
    """A search that stopped nothing."""

    data: str
    student: int
    problem: Problem
    """Without X: nothing is fitted again."""
    space: PathSpace
    told: list[Told]

    @property
    def cv(self) -> int:
        return len(self.problem.folds)

    @classmethod
    def of(cls, task: Task) -> Recording:
        return cls(task.data, task.student, *pickle.loads(task.file.read_bytes()))


def tasks(sets: Sequence[str], n_rows: int, n_trials: int, folder: File) -> list[Task]:
    """Return the searches, those of cv=5 first."""
    searches = itertools.product(FEWEST_TIMES, range(len(STUDENTS)), sets)
    return [Task(data, place, cv, n_rows, n_trials, folder) for cv, place, data in searches]


def table_of(name: str, n_rows: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X (n_rows, n_features) and labels (n_rows,): numbers only, a stratified sample, no class too rare."""
    X, y = bench.read(name)
    words = X.select_dtypes(exclude="number").columns
    X[words] = X[words].apply(lambda column: column.factorize()[0])
    X = X.fillna(X.median())
    common = y.map(y.value_counts()) * min(1.0, n_rows / len(y)) >= FEWEST_OF_A_CLASS
    X, y = X[common], y[common]
    if len(y) > n_rows:
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, stratify=y, random_state=random_state)
    return X.to_numpy(dtype=float), y.to_numpy()


def record(task: Task) -> str:
    """Run the search of a task and keep it; return what to print."""
    X, y = table_of(task.data, task.n_rows, task.student)
    search = MultihopSearchClassifier(
        STUDENTS[task.student][1](),
        RandomForestClassifier(N_TREES),
        cv=task.cv,
        random_state=task.student,
    )
    with warnings.catch_warnings(), closing(SerialExecutor().start()) as session:
        warnings.simplefilter("ignore")
        setup = search.set_up(X, y)
        problem = setup.problem
        loop = Loop(
            new_study(),
            Plan(setup.space, problem.random_state, None),
            Prefixes(session, problem, setup.ladder),
            Assessment(problem, False),
            budget=Budget(),
            pruner=None,
            n_ahead=N_AHEAD,
        )
        told = list(loop.run(task.n_trials))
    kept = replace(problem, X=None, synthetic={}), setup.space, told
    task.file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = task.file.with_suffix(".tmp")
    unfinished.write_bytes(pickle.dumps(kept))
    unfinished.rename(task.file)
    return task.file.stem


def collect(todo: Sequence[Task], jobs: int) -> None:
    """Record what has not been recorded."""
    missing = [task for task in todo if not task.file.exists()]
    if not missing:
        return
    for done, name in enumerate(bench.each(record, missing, jobs), start=1):
        print(f"{done}/{len(missing)} {name}", flush=True)


# Replaying


@dataclass(frozen=True)
class Rule:
    """When a path of several hops is stopped. The defaults are the package's."""

    min_folds: int = FEWEST_FOLDS
    n_errors: float = 1.0
    """By how many standard errors it must be behind."""
    fewest_hops: int = 1
    """Of the baseline: 1, the best one-hop path; 0, the better of that and the best plain one."""
    n_ahead: int = N_AHEAD

    @property
    def baseline(self) -> str:
        return "one-hop" if self.fewest_hops else "plain or one-hop"


class Replay:
    """One recorded search, to be run again under other rules and orders of its folds."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.assessment = Assessment(recording.problem, False)
        complete = [(record, predictions) for record, predictions in recording.told if predictions is not None]
        self.failed = len(recording.told) - len(complete)
        self.records = [record for record, _ in complete]
        self.predictions = [predictions for _, predictions in complete]
        self.hops = np.array([record.hops for record in self.records])
        self.scores = np.array([self.assessment.score(record) for record in self.records])
        held_out, scoring = self.assessment.held_out, recording.problem.scoring
        self.rows = np.stack([scoring.rows(held_out.y, predictions) for predictions in self.predictions])
        self.evidence = RowEvidence(self.rows, held_out)
        self.n_of_fold = np.bincount(held_out.fold)
        self.starts = np.concatenate([[0], np.cumsum(self.n_of_fold)[:-1]])
        first: dict[Path, int] = {}
        self.first = np.array([first.setdefault(r.path, place) for place, r in enumerate(self.records)])
        self.several = np.flatnonzero((self.hops >= 2) & (self.first == np.arange(len(self.records))))
        self._choices: dict[bytes, int] = {}

    @property
    def name(self) -> str:
        return self.recording.data

    @cached_property
    def orders(self) -> np.ndarray:
        """Orders of the folds, (N_ORDERS, n_folds)."""
        n_folds = len(self.n_of_fold)
        rng = rng_of(self.recording.problem.random_state, "early_stopping", self.name, n_folds)
        return np.array([rng.permutation(n_folds) for _ in range(N_ORDERS)])

    def baselines(self, rule: Rule) -> np.ndarray:
        """Return the place of the baseline of each path of several hops, or `NOBODY`: the best told when asked."""
        found = []
        numbers = np.array([record.number for record in self.records])
        for place in self.several:
            told = numbers <= numbers[place] - rule.n_ahead
            able = np.flatnonzero(told & (self.hops <= 1) & (self.hops >= rule.fewest_hops))
            found.append(able[self.scores[able].argmax()] if len(able) else NOBODY)
        return np.array(found)

    def folds_run(self, rule: Rule) -> np.ndarray:
        """Return how many folds each path of several hops runs in each order, (n_paths, N_ORDERS).

        The arithmetic is that of `paired_gap`, for all orders at once: here each row is held out once and weighs 1.
        """
        n_folds = len(self.n_of_fold)
        baselines = self.baselines(rule)
        gaps = self.rows[baselines] - self.rows[self.several]
        sums, squares = (np.add.reduceat(values, self.starts, axis=1)[:, self.orders] for values in (gaps, gaps**2))
        n = np.cumsum(self.n_of_fold[self.orders], axis=1)
        sums, squares = sums.cumsum(axis=2), squares.cumsum(axis=2)
        behind = sums / n
        error = np.sqrt(np.maximum(squares - n * behind**2, 0.0)) / n
        stops = (behind > 0) & (behind >= rule.n_errors * error) & (baselines != NOBODY)[:, None, None]
        stops[:, :, : rule.min_folds - 1] = False
        stops[:, :, -1] = True
        return np.asarray(stops.argmax(axis=2) + 1).reshape(len(self.several), len(self.orders)).clip(max=n_folds)

    def choice(self, survivors: np.ndarray) -> int:
        """Return the place of the package's choice among the surviving trials (places)."""
        key = survivors.tobytes()
        if key not in self._choices:
            ones = np.ones((1, self.evidence.n_units))
            self._choices[key] = int(choose(self.evidence, self.hops, ones, survivors)[0])
        return self._choices[key]

    def result(self, rule: Rule) -> Result:
        """Return what the rule does to this search."""
        n_folds = len(self.n_of_fold)
        run = self.folds_run(rule)
        everyone = np.arange(len(self.records))
        chosen, best = self.choice(everyone), int(self.scores.argmax())
        stopped = np.zeros((len(self.records), len(self.orders)), dtype=bool)
        stopped[self.several] = run < n_folds
        stopped = stopped[self.first]  # a path drawn again has no folds of its own
        others = np.array([self.choice(np.flatnonzero(~stopped[:, order])) for order in range(len(self.orders))])
        return Result(
            n_paths=len(self.several),
            folds=float(run.sum(axis=0).mean()),
            alone=int((self.baselines(rule) == NOBODY).sum()),
            hops=int(self.hops[chosen]),
            best_hops=int(self.hops[best]),
            chosen_stopped=float(stopped[chosen].mean()),
            best_stopped=float(stopped[best].mean()),
            differs=float((self.first[others] != self.first[chosen]).mean()),
            loss=float((self.scores[chosen] - self.scores[others]).mean()),
        )


@dataclass(frozen=True)
class Result:
    """What a rule does to one search, means over the orders of its folds."""

    n_paths: int
    """Distinct paths of several hops."""
    folds: float
    """Folds run on them."""
    alone: int
    """Those without a baseline when asked."""
    hops: int
    """Of the unstopped search's choice."""
    best_hops: int
    """Of its best trial by score."""
    chosen_stopped: float
    """Share of the orders in which the choice is stopped."""
    best_stopped: float
    """The same of the best trial by score."""
    differs: float
    """Share of the orders in which another path is chosen."""
    loss: float
    """Score of the unstopped search's choice less that of the one made, in nats."""


class Recorded:
    """A session, and the prefixes in it, that answers from a recording whose folds come in another order."""

    def __init__(self, recording: Recording, order: Sequence[int]) -> None:
        self.session = self
        folds = tuple(replace(recording.problem.folds[fold], number=place) for place, fold in enumerate(order))
        self.problem = replace(recording.problem, folds=folds)
        self._order = order
        self._entries = Assessment(recording.problem, False).held_out.fold
        self._told = {record.path: (record, predictions) for record, predictions in recording.told}

    def outcome(self, number: int, path: Path) -> Outcome:
        """Return what was recorded, as a future that is its own value."""
        record, predictions = self._told[path]
        fold = self._order[number]
        return Outcome(
            predictions=predictions[self._entries == fold],
            score=record.fold_scores[fold],
            fit_seconds=0.0,
            size=Size(1, 1, 1),
            latency_us=0.0,
        )

    def ready(self, future: Any) -> bool:
        return True

    def result(self, future: Any) -> Any:
        return future

    def cancel(self, future: Any) -> None:
        """Nothing runs."""


def check(replay: Replay) -> int:
    """Hold the replay against the search's own loop in the first few orders; return the paths compared."""
    recording, ours = replay.recording, replay.folds_run(Rule())
    for place, order in enumerate(replay.orders[:N_CHECKED]):
        recorded = Recorded(recording, order.tolist())
        plan = Plan(recording.space, recording.problem.random_state, None)
        judge = Assessment(recorded.problem, False)
        loop = Loop(new_study(), plan, recorded, judge, budget=Budget(), pruner="auto", n_ahead=N_AHEAD)
        told = [record for record, _ in loop.run(len(recording.told))]
        by_number = {record.number: record for record in told}
        theirs = [len(by_number[replay.records[path].number].fold_scores) for path in replay.several]
        if theirs != ours[:, place].tolist():
            raise AssertionError(f"{replay.name}: the loop ran {theirs} folds, the replay {ours[:, place].tolist()}")
    return N_CHECKED * len(replay.several)


# The page


ALTERNATIVES = (
    *(Rule(min_folds, n_errors) for min_folds in (2, 3) for n_errors in (0.5, 1.0, 1.5, 2.0)),
    Rule(fewest_hops=0),
    Rule(n_ahead=1),
    Rule(fewest_hops=0, n_ahead=1),
)


@dataclass(frozen=True)
class Found:
    """What a rule does to the searches of one number of folds."""

    cv: int
    names: tuple[str, ...]
    """Data set of each search."""
    results: tuple[Result, ...]

    def values(self, field: str) -> np.ndarray:
        """Return one figure of every search, (n_searches,)."""
        return np.array([getattr(result, field) for result in self.results], dtype=float)

    @cached_property
    def draws(self) -> np.ndarray:
        """Searches of each bootstrap sample, (N_BOOTSTRAPS, n_searches)."""
        n_searches = len(self.results)
        return rng_of(0, "early_stopping", "bootstrap").integers(n_searches, size=(N_BOOTSTRAPS, n_searches))

    @cached_property
    def draws_of_sets(self) -> list[np.ndarray]:
        """The same, whole data sets drawn."""
        members = [np.flatnonzero(np.array(self.names) == name) for name in dict.fromkeys(self.names)]
        rng = rng_of(0, "early_stopping", "bootstrap of sets")
        drawn = rng.integers(len(members), size=(N_BOOTSTRAPS, len(members)))
        return [np.concatenate([members[place] for place in sample]) for sample in drawn]

    @property
    def times(self) -> float:
        """How many times as many paths are judged in the same number of folds as without stopping."""
        return float(self.cv * self.values("n_paths").sum() / self.values("folds").sum())

    @property
    def times_low(self) -> float:
        """Lower 95 % bound of `times`."""
        paths, folds = self.values("n_paths")[self.draws], self.values("folds")[self.draws]
        return float(np.percentile(self.cv * paths.sum(axis=1) / folds.sum(axis=1), 5))

    def mean(self, field: str) -> float:
        return float(self.values(field).mean())

    def high(self, field: str) -> float:
        """Return the upper 95 % bound of a mean over searches."""
        return float(np.percentile(self.values(field)[self.draws].mean(axis=1), 95))

    def high_of_sets(self, field: str) -> float:
        """Return the same, data sets resampled."""
        values = self.values(field)
        return float(np.percentile([values[sample].mean() for sample in self.draws_of_sets], 95))

    def of(self, name: str) -> Found:
        """Return the searches of one data set."""
        mine = [result for result, its_name in zip(self.results, self.names, strict=True) if its_name == name]
        return Found(self.cv, (name,) * len(mine), tuple(mine))

    @property
    def missed(self) -> list[str]:
        """Requirements that are not met, with what was found."""
        words = []
        high = self.high("chosen_stopped")
        if not high < MOST_STOPPED:
            words.append(
                f"cv={self.cv}: choice stopped, upper bound {percent(high)}, required below {MOST_STOPPED:.0%}"
            )
        if self.times < FEWEST_TIMES[self.cv]:
            words.append(f"cv={self.cv}: {self.times:.2f} times as many paths, required {FEWEST_TIMES[self.cv]:g}")
        return words


def found_by(rule: Rule, replays: Sequence[Replay]) -> Found:
    results = tuple(replay.result(rule) for replay in replays)
    return Found(replays[0].recording.cv, tuple(replay.name for replay in replays), results)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def with_bound(found: Found, field: str) -> str:
    """Return a mean share and its upper bound."""
    return f"{percent(found.mean(field))} ({percent(found.high(field))})"


def main_table(found: Sequence[Found]) -> str:
    rows = [
        [
            f"{one.cv}",
            f"{len(one.results)}",
            f"{one.values('n_paths').sum():.0f}",
            percent(one.values("alone").sum() / one.values("n_paths").sum()),
            f"**{one.times:.2f}** ({one.times_low:.2f})",
            f"{FEWEST_TIMES[one.cv]:g}",
            percent(one.mean("chosen_stopped")),
            f"**{percent(one.high('chosen_stopped'))}** ({percent(one.high_of_sets('chosen_stopped'))})",
            percent(MOST_STOPPED),
            with_bound(one, "best_stopped"),
            percent(one.mean("differs")),
            f"{one.mean('loss'):+.5f}",
        ]
        for one in found
    ]
    head = ["cv", "searches", "multi-hop paths", "without baseline", "times as many (lower bound)", "required at least"]
    head += ["choice stopped", "upper bound (data sets drawn)", "required below", "best stopped (upper bound)"]
    head += ["another choice", "loss, nats"]
    return bench.table(head, rows)


def sets_table(found: Sequence[Found]) -> str:
    rows = []
    for name in dict.fromkeys(found[0].names):
        row = [name]
        for one in (whole.of(name) for whole in found):
            row += [
                f"{one.times:.2f}",
                f"{(one.values('hops') >= 2).sum()} of {len(one.results)}",
                percent(one.mean("chosen_stopped")),
                percent(one.mean("differs")),
                f"{one.mean('loss'):+.5f}",
            ]
        rows.append(row)
    columns = ("times as many", "multi-hop choices", "choice stopped", "another choice", "loss, nats")
    return bench.table(["data", *(f"cv={one.cv}: {column}" for one in found for column in columns)], rows)


def rules_table(by_rule: dict[Rule, list[Found]]) -> str:
    rows = []
    for rule, found in by_rule.items():
        row = [f"{rule.min_folds}", f"{rule.n_errors:g}", rule.baseline, f"{rule.n_ahead}"]
        for one in found:
            row += [
                f"{one.times:.2f}",
                with_bound(one, "chosen_stopped"),
                with_bound(one, "best_stopped"),
                percent(one.mean("differs")),
                f"{one.mean('loss'):+.5f}",
            ]
        met = "no" if any(one.missed for one in found) else "yes"
        rows.append([f"**{cell}**" for cell in [*row, met]] if rule == Rule() else [*row, met])
    columns = ("times as many", "choice stopped (upper bound)", "best stopped (upper bound)", "another choice", "loss")
    head = ["fewest folds", "errors", "baseline", "n_ahead"]
    return bench.table([*head, *(f"cv={one.cv}: {name}" for one in found for name in columns), "all met"], rows)


def in_words(found: Sequence[Found]) -> str:
    lines = []
    for one in found:
        several, best = one.values("hops") >= 2, one.values("best_hops") >= 2
        among = f"{percent(one.values('chosen_stopped')[several].mean())} of the replays" if several.any() else "none"
        lead = f"{percent(one.values('best_stopped')[best].mean())} of the replays" if best.any() else "none"
        folds, paths, alone = (one.values(field).sum() for field in ("folds", "n_paths", "alone"))
        most = one.cv * paths / (alone * one.cv + (paths - alone) * FEWEST_FOLDS)
        lines.append(
            f"- cv={one.cv}: {folds / paths:.2f} of {one.cv} folds are run on a path of several hops. Were every path "
            f"stopped as early as it can be, it would be {most:.2f} times as many. The choice has several hops in "
            f"{several.sum()} of {len(one.results)} searches, and in these it is stopped in {among} (most in one "
            f"search: {percent(one.values('chosen_stopped').max())}). So the low share over all searches is in part "
            f"due to choices that nothing can stop, and its bound rests on few searches. The best trial by score, "
            f"which the choice may pass over for a simpler one, has several hops in {best.sum()}, and in "
            f"these it is stopped in {lead}."
        )
    return "\n".join(lines)


def rules_in_words(by_rule: dict[Rule, list[Found]]) -> str:
    """Return what the alternatives say about the constants of the rule."""

    def times(rule: Rule) -> str:
        return " and ".join(f"{one.times:.2f}" for one in by_rule[rule])

    def best(rule: Rule) -> str:
        return " and ".join(percent(one.high("best_stopped")) for one in by_rule[rule])

    cvs = " and ".join(f"cv={one.cv}" for one in by_rule[Rule()])
    met = sum(not any(one.missed for one in found) for found in by_rule.values())
    return (
        f"- The constants ({cvs}): {met} of {len(by_rule)} rules below meet all requirements. Waiting for a third fold "
        f"leaves {times(Rule(3))} times as many. Stopping at half a standard error gives {times(Rule(n_errors=0.5))}, "
        f"but the best trial by score is then stopped in up to {best(Rule(n_errors=0.5))} of the replays (upper "
        f"bound), against {best(Rule())} at one. Telling each trial before the next is asked would give "
        f"{times(Rule(n_ahead=1))}: that is the price of the window of {N_AHEAD}. A baseline that may be plain gives "
        f"{times(Rule(fewest_hops=0))}."
    )


def report(replays: dict[int, list[Replay]], n_rows: int, checked: int) -> tuple[str, list[str]]:
    """Return the page, and what is not met."""
    by_rule = {rule: [found_by(rule, those) for those in replays.values()] for rule in ALTERNATIVES}
    found = by_rule[Rule()]
    missed = [words for one in found for words in one.missed]
    failed = sum(replay.failed for those in replays.values() for replay in those)
    n_trials = sum(len(replay.recording.told) for those in replays.values() for replay in those)
    sizes = {
        replay.name: f"{replay.name} ({replay.evidence.n_units})" for those in replays.values() for replay in those
    }
    libraries = bench.versions("numpy", "optuna", "scikit-learn")
    *others, last = (name for name, _ in STUDENTS)
    students = ", ".join(others) + f" and {last}"
    met = "All requirements are met." if not missed else "NOT met: " + "; ".join(missed) + "."
    text = f"""# What early stopping saves, and what it costs

Written by `python benchmarks/early_stopping.py --rows {n_rows}`; {libraries}.

Recorded without stopping and else at default settings ({n_trials // sum(map(len, replays.values()))} trials):
{len(sizes)} data sets, each with the students
{students}
(behind a StandardScaler), whose places 0, 1, 2 seed the sample of rows and the search; teacher
RandomForestClassifier({N_TREES}); each once at cv=5 and once at cv=10. Missing values are medians, words are coded,
classes with fewer than {FEWEST_OF_A_CLASS} rows in the sample are left out. {failed} of {n_trials:,} trials failed.
Rows: {", ".join(sizes.values())}.

Replayed under {N_ORDERS} random orders of the folds: after {FEWEST_FOLDS} or more folds and before the last, a path of
several hops is stopped if it is at least one paired standard error behind its baseline. That is the best of
the one-hop paths that had been told when it was asked: those whose numbers are lower by {N_AHEAD} or more.
In the first {N_CHECKED} orders of every search the package's own loop was run on the recorded predictions: on each of
{checked:,} paths it ran as many folds as the replay. A path drawn again costs nothing and is not counted.

*Times as many*: multi-hop paths judged in the folds spent on multi-hop paths, over the same without stopping; in
brackets the lower 95 % bound. *Choice stopped*: share of replays in which the choice of the unstopped search is
stopped; upper 95 % bound by {N_BOOTSTRAPS:,} bootstrap samples of the searches (in brackets: of the data sets, which
the three searches on each have in common). *Another choice*: share of replays in which the choice among the trials
left is another path. *Loss*: score of the unstopped search's choice less that of the one made, on all held-out rows.
*Best stopped*: the same as *choice stopped* for the best trial by score, a harder test, since the choice prefers few
hops. *Without baseline*: asked when no one-hop path had been told, so never stopped.

**{met}**

{main_table(found)}

{in_words(found)}
{rules_in_words(by_rule)}

## By data set

{sets_table(found)}

## Other rules

The same figures; the package's rule is in bold. *Errors*: by how many standard errors a path must be behind.
*Baseline*: the best one-hop path, or the better of that and the best plain one. *n_ahead*=1: as if each trial were told
before the next is asked.

{rules_table(by_rule)}
"""
    return text, missed


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("early_stopping", __doc__, records=True)
    parser.add_argument("--rows", type=int, default=400, help="most rows of a data set")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--jobs", type=int, default=1, help="processes that record")
    options = parser.parse_args(args)
    todo = tasks(options.data, options.rows, options.trials, options.build)
    collect(todo, options.jobs)
    replays: dict[int, list[Replay]] = {cv: [] for cv in FEWEST_TIMES}
    for task in todo:
        replays[task.cv].append(Replay(Recording.of(task)))
    checked = sum(check(replay) for those in replays.values() for replay in those)
    text, missed = report(replays, options.rows, checked)
    bench.write(options.out, text)
    if missed:
        sys.exit("not met: " + "; ".join(missed))


if __name__ == "__main__":
    main()
