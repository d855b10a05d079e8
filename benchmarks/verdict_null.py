"""What the verdict says where hops help nobody, and where they do: shares of "beats", claimed gains, coverage.

    python benchmarks/verdict_null.py [--replicates 2000] [--rows 3000] [--trials 99]

No model is fitted: predictions are drawn from a model of correlated classifiers whose true scores are known, so every
claim can be held against the truth. Writes docs/benchmarks/verdict_null.md and fails if a requirement is not met. Each
finished replicate is kept under build/, so a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path as File
from typing import Any

import bench
import numpy as np
from optuna.samplers import TPESampler
from scipy.stats import binomtest, norm
from sklearn.tree import DecisionTreeClassifier

import multihop_search
from multihop_search import Path, PathSpace, StudentSpace, Truncate
from multihop_search.engine.loop import Loop
from multihop_search.engine.plan import Plan, make_sampler
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.student import Outcome
from multihop_search.engine.study import new_study
from multihop_search.keys import rng_of
from multihop_search.models.complexity import Size
from multihop_search.models.tuning import student_distributions
from multihop_search.paths.budget import Budget
from multihop_search.paths.groups import COMPARISONS as ALL_COMPARISONS
from multihop_search.paths.groups import Group
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import STUDENT, TEACHER
from multihop_search.problem.problem import Fold, Problem, Role
from multihop_search.problem.row_scores import FLOOR
from multihop_search.problem.scorers import scoring_for
from multihop_search.transfer.schemes import default_schemes
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.choice import choose
from multihop_search.verdict.out_of_fold import Evidence, HeldOut, choice_evidence, evidence_for
from multihop_search.verdict.resampling import Resampling, compare
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import Verdict

COMPARISONS = tuple(pair for pair in ALL_COMPARISONS if pair.worse != Group.OWN_FIT)  # these trials are no trees
NAMES = tuple(pair.name for pair in COMPARISONS)
ACCURACY = 0.80
PLANTED = 0.03
N_FOLDS = 5
N_FAMILIES = 8
SCORES = {"accuracy": "accuracy", "auto": "log-loss"}

NULL_BEATS, NULL_GAIN, SEARCH_GAIN, POWER = 0.05, 0.001, 0.002, 0.80

Row = dict[str, Any]
"""What one replicate gave: plain numbers and words, for each of the three comparisons where it is a list."""


# The model of correlated classifiers


@cache
def distance(accuracy: float) -> float:
    """Return how far a class's corner lies from the origin if two classes are told apart this accurately."""
    return float(np.sqrt(2) * norm.ppf(accuracy))


def probabilities(noise: np.ndarray, y: np.ndarray, away: float) -> np.ndarray:
    """Return calibrated probabilities (n_rows, n_classes), float32, of a classifier that sees one noisy view.

    The view of a row is its class's corner, `away` from the origin, plus unit noise (n_rows, n_classes). What two
    classifiers have in common is what their noises share.
    """
    view = noise.copy()
    view[np.arange(len(y)), y] += away
    logits = away * view
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


def mixed(*parts: tuple[float, np.ndarray]) -> np.ndarray:
    """Return unit noise made of (share of the variance, unit noise) pairs; shares sum to 1."""
    return np.asarray(sum(np.sqrt(share) * noise for share, noise in parts))


@cache
def true_score(accuracy: float, scoring: str) -> float:
    """Return the expected score, on fresh rows, of a two-class classifier of this accuracy."""
    if scoring == "accuracy":
        return accuracy
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    away = distance(accuracy)
    p = 1 / (1 + np.exp(-(away**2 + np.sqrt(2) * away * nodes)))
    floored = np.maximum(np.stack([p, 1 - p]), FLOOR)
    return float(np.average(np.log(floored[0] / floored.sum(axis=0)), weights=weights))


# Replicates


def picks(evidence: Evidence, hops: np.ndarray) -> dict[str, int]:
    """Return what the choice picks in each group on all rows."""
    ones, everyone = np.ones((1, evidence.n_units)), np.arange(len(hops))
    members = {"plain": hops == 0, "one-hop": hops == 1, "multi-hop": hops >= 2, "selected": hops >= 0}
    return {group: int(choose(evidence, hops, ones, everyone[those])[0]) for group, those in members.items()}


def row_of(verdict: Verdict, evidence: Evidence, hops: np.ndarray, truth: np.ndarray, told: np.ndarray) -> Row:
    """Hold a verdict against the true scores (n_trials,); `told` are the scores by cross-validation, (n_trials,)."""
    picked = picks(evidence, hops)
    leader = {group: told[those].max() for group, those in (("plain", hops == 0), ("one-hop", hops == 1))}
    leader |= {"multi-hop": told[hops >= 2].max(), "selected": told.max()}
    table, accuracy = verdict.table, verdict.scores["accuracy"]
    return {
        "gain": table["gain"].tolist(),
        "low": table["low"].tolist(),
        "high": table["high"].tolist(),
        "word": table["verdict"].tolist(),
        "accuracy": [float(accuracy[better] - accuracy[worse]) for better, worse in COMPARISONS],
        "true": [float(truth[picked[better]] - truth[picked[worse]]) for better, worse in COMPARISONS],
        "naive": [float(leader[better] - leader[worse]) for better, worse in COMPARISONS],
        "hops": int(hops[picked["selected"]]),
        "honest_excess": float(verdict.scores.loc["selected", "score"] - truth[picked["selected"]]),
        "naive_excess": float(told.max() - truth[told.argmax()]),
        "luck": float((told - truth).mean()),  # of the rows, with every trial alike
    }


def judged(
    predictions: Sequence[np.ndarray],
    y: np.ndarray,
    hops: np.ndarray,
    truth: np.ndarray,
    *,
    scoring: str,
    random_state: int,
    believed: np.ndarray | None = None,
) -> Row:
    """Judge a table of predictions and hold the verdict against the truth; the choice knows what is `believed`."""
    rows, score = np.arange(len(y)), scoring_for(scoring, np.unique(y))
    held_out = HeldOut(y, rows % N_FOLDS, rows, rows, believed=believed)
    verdict = compare(predictions, hops, held_out, score, random_state=random_state)
    told = evidence_for(predictions, held_out, score).means(np.ones((1, len(y))))[0]
    row = row_of(verdict, choice_evidence(predictions, held_out, score), hops, truth, told)
    labels = [proba.argmax(axis=1) for proba in predictions]
    plain, taught = int(np.flatnonzero(hops == 0)[0]), int(np.flatnonzero(hops == 1)[0])
    return {**row, "disagreement": float(np.mean(labels[plain] != labels[taught]))}


def null_replicate(
    number: int,
    *,
    n_rows: int,
    n_trials: int,
    scoring: str,
    n_classes: int = 2,
    common: float = 0.7,
    family: float = 0.1,
    teacher: float | None = None,
) -> Row:
    """Equally good trials; hop counts, a third each of 0, 1 and 2 or 3, are given to them at random.

    The choice knows what a teacher of the accuracy `teacher` believes; None: it knows the labels alone.
    """
    rng = rng_of(number, "null", n_rows, n_trials, n_classes)
    y = rng.integers(n_classes, size=n_rows)
    shape = (n_rows, n_classes)
    difficulty, families = rng.normal(size=shape), rng.normal(size=(N_FAMILIES, *shape))
    own = 1 - common - family
    predictions = [
        probabilities(
            mixed((common, difficulty), (family, families[rng.integers(N_FAMILIES)]), (own, rng.normal(size=shape))),
            y,
            distance(ACCURACY),
        )
        for _ in range(n_trials)
    ]
    hops = rng.permutation(np.arange(n_trials) % 3)
    hops += (hops == 2) & (rng.random(n_trials) < 0.5)
    truth = np.full(n_trials, true_score(ACCURACY, scoring) if n_classes == 2 else 0.0)  # all alike: differences are 0
    believed = None
    if teacher is not None:
        noise = mixed((common, difficulty), (1 - common, rng.normal(size=shape)))
        believed = probabilities(noise, y, distance(teacher))
    return judged(predictions, y, hops, truth, scoring=scoring, random_state=number, believed=believed)


def power_replicate(
    number: int,
    *,
    n_rows: int,
    n_trials: int,
    scoring: str,
    common: float,
    planted: float = PLANTED,
) -> Row:
    """One-hop trials are better by `planted` points of accuracy; the trials of a group resemble each other."""
    rng = rng_of(number, "power", n_rows, n_trials, common)
    y = rng.integers(2, size=n_rows)
    shape = (n_rows, 2)
    difficulty, groups = rng.normal(size=shape), rng.normal(size=(3, *shape))
    hops = np.arange(n_trials) % 3
    accuracy = np.where(hops == 1, ACCURACY + planted, ACCURACY)
    half = (1 - common) / 2
    predictions = [
        probabilities(
            mixed((common, difficulty), (half, groups[group]), (half, rng.normal(size=shape))),
            y,
            distance(float(accuracy[t])),
        )
        for t, group in enumerate(hops)
    ]
    truth = np.array([true_score(float(level), scoring) for level in accuracy])
    return judged(predictions, y, hops, truth, scoring=scoring, random_state=number)


# The same through the search's own loop


def space() -> PathSpace:
    """Return the space of a depth-4 tree below a forest, with the default schemes."""
    student = DecisionTreeClassifier(max_depth=4)
    tuned = student_distributions(student, "auto")
    cuts = (Truncate(100), Truncate(30), Truncate(10))
    rungs = [*(cut.model for cut in cuts), "forest(30)", "boosting(20)", "tree(12)", "tree(8)"]
    defaults = {name: student.get_params()[name] for name in tuned}
    students = {STUDENT: StudentSpace(tuned, defaults)}
    return PathSpace(rungs, default_schemes(), students, truncations=cuts, max_hops=3)


def true_accuracy(path: Path, tuning_matters: bool) -> float:
    """Return the accuracy of a path on fresh rows: hops never help; the student's own parameters may."""
    if not tuning_matters:
        return ACCURACY
    student = dict(path.params)
    return float(
        ACCURACY
        - 0.007 * abs(np.log2(student["min_samples_leaf"] / 8))
        - 0.008 * (student["criterion"] == "gini")
        - 0.008 * (student["ccp_alpha"] > 1e-3)
    )


class NoiseForFits:
    """A session in which nothing is fitted: the student of a path predicts by noise keyed by the path.

    Paths share a part of it for each parameter or hop that they have in common: what a sampler that learns can climb.
    """

    cache_bytes = 1 << 30

    def __init__(self, problem: Problem, tuning_matters: bool) -> None:
        self._problem, self._tuning_matters = problem, tuning_matters
        self._noise: dict[str, np.ndarray] = {}
        self._predictions: dict[Path, np.ndarray] = {}

    def share(self, value: Any) -> Any:
        return value

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return args

    def ready(self, future: Any) -> bool:
        return True

    def has_idle_worker(self) -> bool:
        return False

    def wait(self, futures: Sequence[Any], timeout: float | None = None) -> None:
        """Everything is ready."""

    def result(self, future: Any) -> Outcome:
        _, _, number, path, *_ = future
        fold = self._problem.fold(number)
        proba = self.predictions(path)[fold.test]
        score = self._problem.scoring.score(self._problem.y[fold.test], proba, None)
        return Outcome(predictions=proba, score=score, fit_seconds=0.0, size=Size(1, 1, 1), latency_us=0.0)

    def cancel(self, future: Any) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing was taken."""

    def predictions(self, path: Path) -> np.ndarray:
        """Return the out-of-fold predictions (n_rows, n_classes) of the student of `path`."""
        if path not in self._predictions:
            student = dict(path.params)
            shared = (
                ("criterion", student["criterion"]),
                ("ccp_alpha", student["ccp_alpha"]),
                ("leaf", round(float(np.log2(student["min_samples_leaf"])))),
                ("scheme", type(path.hops[-1].scheme).__name__ if path.hops else None),
                ("above", path.hops[0].model if path.hops else None),
            )
            noise = mixed(
                (0.70, self._part("rows")), *((0.03, self._part(part)) for part in shared), (0.15, self._part(path))
            )
            away = distance(true_accuracy(path, self._tuning_matters))
            self._predictions[path] = probabilities(noise, self._problem.y, away)
        return self._predictions[path]

    def _part(self, key: Any) -> np.ndarray:
        name = repr(key)
        if name not in self._noise:
            rng = rng_of(self._problem.random_state, "noise", key)
            self._noise[name] = rng.normal(size=(self._problem.n_rows, self._problem.n_outputs))
        return self._noise[name]


def search_replicate(
    number: int,
    *,
    n_rows: int,
    n_trials: int,
    scoring: str,
    tuning_matters: bool,
    sampler: str = "auto",
    halves: bool = True,
) -> Row:
    """Run the search's loop, choice and verdict on paths of which none gains by its hops.

    Parameters
    ----------
    number : int
        The replicate, and the search's random state.
    n_rows, n_trials, scoring
        As the search takes them.
    tuning_matters : bool
        Whether the student's own parameters make it better or worse.
    sampler : {"auto", "tpe"}
        "tpe" has 30 startup trials.
    halves : bool
        Whether an adaptive sampler is told one half of the rows and judged on the other, as in the search; else it is
        told all rows, and all judge.
    """
    rng = rng_of(number, "search", n_rows)
    y = rng.integers(2, size=n_rows)
    rows = np.arange(n_rows)
    folds = tuple(
        Fold(number=k, role=Role.OUTER, train=rows[rows % N_FOLDS != k], test=rows[rows % N_FOLDS == k])
        for k in range(N_FOLDS)
    )
    inner = tuple(fold.test for fold in folds)  # so the teacher is cross-fitted
    classes = np.arange(2)
    problem = Problem(
        X=None,  # nothing is fitted
        y=y,
        classes=classes,
        sample_weight=None,
        groups=None,
        folds=folds,
        whole=Fold(number=-1, role=Role.WHOLE, train=rows, test=rows[:0], inner=inner),
        scoring=scoring_for(scoring, classes),
        random_state=number,
    )
    factory = _tpe if sampler == "tpe" else sampler
    plan = Plan(space(), number, make_sampler(factory, number))
    assessment = Assessment(problem, plan.adaptive and halves)
    session = NoiseForFits(problem, tuning_matters)
    prefixes = Prefixes(session, problem, Ladder(teacher=None))
    loop = Loop(new_study(), plan, prefixes, assessment, budget=Budget(), pruner=None, n_ahead=16)
    trials = Trials(assessment)
    for told in loop.run(n_trials):
        trials.add(*told)
    records = trials.records
    predictions = [proba for _, proba in trials.kept()]
    hops = np.array([record.hops for record in records])
    truth = np.array([true_score(true_accuracy(r.path, tuning_matters), scoring) for r in records])
    teacher = TeacherOutputs(probabilities(session._part(TEACHER), y, distance(ACCURACY + 0.05)))
    verdict = Resampling(assessment, teacher).verdict(
        Case(records, predictions, assessment.choose(records, predictions, teacher))
    )
    held_out = replace(assessment.held_out, believed=teacher.calibrated[assessment.held_out.row])
    evidence = choice_evidence(predictions, held_out, problem.scoring)
    row = row_of(verdict, evidence, hops, truth, np.array([assessment.score(record) for record in records]))
    counts = [int((hops == 0).sum()), int((hops == 1).sum()), int((hops >= 2).sum())]
    return {**row, "counts": counts, "distinct": len({record.path for record in records})}


def _tpe(random_state: int) -> TPESampler:
    return TPESampler(seed=random_state, n_startup_trials=30)


# Cells, run by two processes and kept


@dataclass(frozen=True)
class Cell:
    """One setting, replicated."""

    part: str
    settings: dict[str, Any]
    share: float
    """Of the replicates asked for."""

    @property
    def name(self) -> str:
        return ", ".join([self.part, *(f"{name}={value}" for name, value in self.settings.items())])

    def at_most(self, n_rows: int, n_trials: int) -> Cell:
        """Return the same setting on at most some rows and trials."""
        most = {"n_rows": n_rows, "n_trials": n_trials}
        return replace(self, settings=self.settings | {name: min(self.settings[name], most[name]) for name in most})

    def replicate(self, number: int) -> Row:
        return {"null": null_replicate, "power": power_replicate, "search": search_replicate}[self.part](
            number, **self.settings
        )


def cells(most_rows: int, most_trials: int) -> list[Cell]:
    """Return every setting of the report. Long ones get a share of the replicates."""
    settings = []
    for scoring in SCORES:
        for n_rows, n_classes, share in ((300, 2, 1.0), (1000, 2, 0.5), (1000, 5, 0.5), (3000, 2, 0.2)):
            shape = {"n_rows": n_rows, "n_trials": 60, "scoring": scoring, "n_classes": n_classes}
            settings.append(Cell("null", shape, share))
        for common in (0.935, 0.56):
            shape = {"n_rows": 3000, "n_trials": 60, "scoring": scoring, "common": common}
            settings.append(Cell("power", shape, 0.2))
        for tuning_matters in (False, True):
            shape = {"n_rows": 1000, "n_trials": 99, "scoring": scoring, "tuning_matters": tuning_matters}
            settings.append(Cell("search", shape, 0.2))
    adaptive = {"n_rows": 1000, "n_trials": 99, "scoring": "accuracy", "sampler": "tpe"}
    for tuning_matters in (False, True):
        for halves in (True, False):
            settings.append(Cell("search", {**adaptive, "tuning_matters": tuning_matters, "halves": halves}, 0.1))
    smaller = [cell.at_most(most_rows, most_trials) for cell in settings]
    return list({cell.name: cell for cell in smaller}.values())


def _job(task: tuple[Cell, int]) -> tuple[str, int, Row]:
    cell, number = task
    return cell.name, number, cell.replicate(number)


def collect(settings: list[Cell], replicates: int, folder: File, processes: int) -> dict[str, list[Row]]:
    """Return the rows of each cell, those kept in `folder` and those run now, in the order of their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "replicates.jsonl"
    rows: dict[str, dict[int, Row]] = {cell.name: {} for cell in settings}
    for name, number, row in _kept(log):
        rows.setdefault(name, {})[number] = row
    wanted = {cell.name: max(2, round(cell.share * replicates)) for cell in settings}
    tasks = [(cell, n) for cell in settings for n in range(wanted[cell.name]) if n not in rows[cell.name]]
    with log.open("a") as file:
        for done, (name, number, row) in enumerate(bench.each(_job, tasks, processes), start=1):
            rows[name][number] = row
            file.write(json.dumps([name, number, row]) + "\n")
            if done % 200 == 0 or done == len(tasks):
                file.flush()
                print(f"{done:,} of {len(tasks):,} replicates", file=sys.stderr, flush=True)
    return {name: [rows[name][n] for n in range(count)] for name, count in wanted.items()}


def _kept(log: File) -> Iterator[tuple[str, int, Row]]:
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            name, number, row = json.loads(line)
        except ValueError:  # the last line of a run that was stopped
            continue
        yield name, number, row


def code_key() -> str:
    """Return a hash of the code that a replicate depends on: what was kept under other code does not count."""
    package = File(multihop_search.__file__).parent
    names = ("keys.py", "paths/space.py", "models/tuning.py", "engine/plan.py", "engine/loop.py")
    files = [
        *(package / name for name in names),
        *sorted(package.glob("problem/*.py")),
        *sorted(package.glob("verdict/*.py")),
    ]
    ours = File(__file__).read_text().partition("# The report")[0]
    return hashlib.blake2b("".join([ours, *(file.read_text() for file in files)]).encode(), digest_size=6).hexdigest()


# The report


def share_with_interval(hits: np.ndarray) -> tuple[float, float, float]:
    """Return the share of True and its exact 95 % interval."""
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="exact")
    return float(hits.mean()), float(interval.low), float(interval.high)


def percent(hits: np.ndarray) -> str:
    if len(hits) == 0:
        return "-"
    share, low, high = share_with_interval(hits)
    return f"{100 * share:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def mean_with_error(values: np.ndarray, unit: float = 100.0) -> str:
    if len(values) < 2:
        return "-"
    return f"{unit * values.mean():+.3f} ± {unit * values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def column(rows: list[Row], name: str, place: int) -> np.ndarray:
    """Return one column (n_replicates,) of one comparison."""
    return np.array([row[name][place] for row in rows])


def covered(rows: list[Row], place: int) -> np.ndarray:
    """Return whether the interval holds the true gain, for each replicate."""
    truth = column(rows, "true", place)
    return (column(rows, "low", place) <= truth) & (truth <= column(rows, "high", place))


def null_tables(settings: list[Cell], found: dict[str, list[Row]], unmet: list[str]) -> str:
    claims, chosen = [], []
    for cell in (cell for cell in settings if cell.part == "null"):
        rows, of = found[cell.name], cell.settings
        shape = [f"{of['n_rows']:,}", f"{of['n_classes']}", SCORES[of["scoring"]]]
        for place, name in enumerate(NAMES):
            word, gain = column(rows, "word", place), column(rows, "gain", place)
            accuracy = column(rows, "accuracy", place)
            require(unmet, share_with_interval(word == "beats")[1] < NULL_BEATS, f"{cell.name}: {name}: beats")
            require(unmet, abs(accuracy.mean()) <= NULL_GAIN, f"{cell.name}: {name}: accuracy gain")
            if of["scoring"] == "accuracy":
                require(unmet, abs(gain.mean()) <= NULL_GAIN, f"{cell.name}: {name}: claimed gain")
            claims.append(
                [
                    *shape,
                    f"{len(rows):,}",
                    name,
                    percent(word == "beats"),
                    percent(word == "loses"),
                    mean_with_error(gain),
                    mean_with_error(accuracy),
                    percent(covered(rows, place)),
                ]
            )
        hop = [row for row in rows if row["hops"] > 0]
        chosen.append(
            [
                *shape,
                f"{np.mean([row['disagreement'] for row in rows]):.2f}",
                percent(np.array([row["hops"] > 0 for row in rows])),
                mean_with_error(column(hop, "gain", 2)) if hop else "-",
                percent(column(hop, "word", 2) == "beats") if hop else "-",
                percent(covered(hop, 2)) if hop else "-",
            ]
        )
    head = ["rows", "classes", "score"]
    return "\n\n".join(
        [
            bench.table(
                [
                    *head,
                    "replicates",
                    "comparison",
                    "beats, %",
                    "loses, %",
                    "claimed gain, 1/100 of the score",
                    "accuracy gain, points",
                    "coverage, %",
                ],
                claims,
            ),
            "Where hops are chosen though nothing helps (the rows that judge chose them, so the claim is too high on "
            "average there; the mean above counts 0 where plain was chosen):",
            bench.table(
                [*head, "disagreement", "hops chosen, %", "claimed gain then", "beats then, %", "coverage then, %"],
                chosen,
            ),
        ]
    )


def power_table(settings: list[Cell], found: dict[str, list[Row]], unmet: list[str]) -> str:
    body = []
    for cell in (cell for cell in settings if cell.part == "power"):
        rows, scoring = found[cell.name], cell.settings["scoring"]
        disagreement = np.mean([row["disagreement"] for row in rows])
        for place, name in enumerate(NAMES):
            word = column(rows, "word", place)
            if place == 0:
                require(unmet, (word == "beats").mean() >= POWER, f"{cell.name}: {name}: power")
            body.append(
                [
                    f"{100 * disagreement:.1f} %",
                    SCORES[scoring],
                    f"{len(rows):,}",
                    name,
                    percent(word == "beats"),
                    percent(word == "loses"),
                    f"{100 * column(rows, 'true', place).mean():+.3f}",
                    mean_with_error(column(rows, "gain", place)),
                    f"{50 * (column(rows, 'high', place) - column(rows, 'low', place)).mean():.2f}",
                    f"{196 * column(rows, 'gain', place).std(ddof=1):.2f}",
                    percent(covered(rows, place)),
                ]
            )
    head = ["disagreement", "score", "replicates", "comparison", "beats, %", "loses, %", "true gain", "claimed gain"]
    return bench.table([*head, "half-width", "1.96 sd of the claim", "coverage, %"], body)


def search_tables(settings: list[Cell], found: dict[str, list[Row]], unmet: list[str]) -> str:
    gains, scores = [], []
    for cell in (cell for cell in settings if cell.part == "search"):
        rows, of = found[cell.name], cell.settings
        sampler = "random (default)"
        if of.get("sampler") == "tpe":
            sampler = "TPE, halves" if of["halves"] else "TPE, all rows told and judging"
        shape = [sampler, "yes" if of["tuning_matters"] else "no", SCORES[of["scoring"]]]
        for place, name in enumerate(NAMES):
            gain, accuracy, word = (column(rows, key, place) for key in ("gain", "accuracy", "word"))
            if "sampler" not in of:
                require(unmet, abs(accuracy.mean()) <= SEARCH_GAIN, f"{cell.name}: {name}: accuracy gain")
                if of["scoring"] == "accuracy":
                    require(unmet, abs(gain.mean()) <= SEARCH_GAIN, f"{cell.name}: {name}: claimed gain")
            gains.append(
                [
                    *shape,
                    f"{len(rows):,}",
                    name,
                    percent(word == "beats"),
                    mean_with_error(gain),
                    mean_with_error(column(rows, "true", place)),
                    mean_with_error(accuracy),
                    mean_with_error(column(rows, "naive", place)),
                    percent(covered(rows, place)),
                ]
            )
        honest, naive = (np.array([row[key] for row in rows]) for key in ("honest_excess", "naive_excess"))
        counts = np.mean([row["counts"] for row in rows], axis=0)
        scores.append(
            [
                *shape,
                " / ".join(f"{count:.0f}" for count in counts),
                f"{np.mean([row['distinct'] for row in rows]):.0f}",
                mean_with_error(naive),
                mean_with_error(honest),
                f"{100 * honest.mean() / naive.mean():.0f} %",
            ]
        )
    head = ["sampler", "tuning matters", "score"]
    return "\n\n".join(
        [
            bench.table(
                [
                    *head,
                    "replicates",
                    "comparison",
                    "beats, %",
                    "claimed gain",
                    "true gain",
                    "accuracy gain, points",
                    "naive claim",
                    "coverage, %",
                ],
                gains,
            ),
            "The score claimed for the selected student over its true score, in 1/100 of the score:",
            bench.table(
                [
                    *head,
                    "trials plain / one-hop / multi-hop",
                    "distinct paths",
                    "naive",
                    "verdict",
                    "left of the naive",
                ],
                scores,
            ),
        ]
    )


def require(unmet: list[str], met: bool, what: str) -> None:
    if not met:
        unmet.append(what)


def report(settings: list[Cell], found: dict[str, list[Row]], command: str) -> tuple[str, list[str]]:
    """Return the Markdown report, and the requirements that are not met."""
    unmet: list[str] = []
    null, search, power = (part(settings, found, unmet) for part in (null_tables, search_tables, power_table))
    libraries = bench.versions("numpy", "optuna", "scikit-learn")
    verdict_on_it = "All requirements are met." if not unmet else "NOT met: " + "; ".join(unmet) + "."
    text = f"""# What the verdict says where hops help nobody, and where they do

Written by `{command}`; replicate k is seeded by k; {libraries}.
No model is fitted. A classifier sees a noisy view of each row and turns it into calibrated probabilities; views share
the difficulty of the row and a part with their family, the rest is the trial's own, so that true scores are known
(accuracy {100 * ACCURACY:.0f} % for two classes). Shares and coverage with exact 95 % intervals, means ± one standard
error; gains in 1/100 of the score: points of accuracy, or 0.01 nats of log-loss. *Naive claim*: difference of the best
cross-validated scores. *Coverage*: how often the 95 % interval holds the true gain of what is picked on all rows.
*Disagreement*: share of rows on which a plain and a one-hop model differ.

**{verdict_on_it}**

## Nothing helps: hop counts given at random to equally good trials

Required: the lower bound of the share of "beats" is below {100 * NULL_BEATS:.0f} %; the mean claimed gain is within
{100 * NULL_GAIN:.1f} points of accuracy of zero. 60 trials, a third each of 0, 1 and 2 or 3 hops.

{null}

## Nothing helps: trials drawn by the search's own loop

The loop, plan, space, choice and verdict are those of the search (99 trials, 1,000 rows, 2 classes); an executor
answers with noise keyed by the path where a search would fit. Paths are equally good, or differ by the student's own
parameters only ("tuning matters"). Required of the default sampler: mean claimed gain within {100 * SEARCH_GAIN:.1f}
points of accuracy of zero. TPE (n_startup_trials=30) is for information: as the search does it, told one half of the
rows and judged on the other; and told all rows, which also judge.

{search}

## One hop helps: {100 * PLANTED:.0f} points of accuracy, at most 3,000 rows and 60 trials

Required: "one-hop vs plain" says "beats" in at least {100 * POWER:.0f} % of the replicates. *Half-width*: that of the
interval, on average; beside it, 1.96 standard deviations of the claimed gain over the replicates. The interval is the
wider one: it is that of the rows out of the bag, 37 % of all, so it errs on the side of "inconclusive".

{power}
"""
    return text, unmet


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("verdict_null", __doc__, records=True)
    parser.add_argument("--replicates", type=int, default=2000, help="of the short settings; long ones run fewer")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=3000, help="at most")
    parser.add_argument("--trials", type=int, default=99, help="at most")
    options = parser.parse_args(args)
    settings = cells(options.rows, options.trials)
    rows = collect(settings, options.replicates, options.build / code_key(), options.processes)
    sizes = f"--replicates {options.replicates} --rows {options.rows} --trials {options.trials}"
    text, unmet = report(settings, rows, f"python benchmarks/verdict_null.py {sizes}")
    bench.write(options.out, text)
    if unmet:
        sys.exit("not met: " + "; ".join(unmet))


if __name__ == "__main__":
    main()
