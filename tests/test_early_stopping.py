"""Early stopping: the rule by hand, replayed over whole searches by code of its own, and other pruners in its place."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from logs import lines_of, write_log
from optuna.distributions import CategoricalDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, ThresholdPruner
from optuna.trial import FrozenTrial, TrialState
from searches import searches
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import HardLabels, KnowledgeDistillation, MultihopSearchClassifier, MultihopSearchRegressor, OwnFit
from multihop_search.engine.crossfit import fit_teacher
from multihop_search.engine.early_stopping import Gap, paired_gap
from multihop_search.engine.student import Outcome, judge
from multihop_search.executors import Executor, SerialExecutor
from multihop_search.paths.groups import Way
from multihop_search.problem.intake import make_problem
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.out_of_fold import HeldOut
from multihop_search.verdict.resampling import compare

pytestmark = pytest.mark.once

MEASURED = ["fit_seconds", "latency_us", "on_front"]  # the front is one over latencies, among others
N_FOLDS = 5
N_TRIALS = 15
N_AHEAD = 5
STUDENTS = [("tree", DecisionTreeClassifier(max_depth=3)), ("line", LogisticRegression(max_iter=500))]


# ---- the rule by hand


def test_the_gap_is_a_paired_mean_with_its_error() -> None:
    gap = paired_gap(np.array([0.0, 0.0, 0.5, 0.5]), np.ones(4), np.arange(4))
    assert gap.behind == 0.75  # gaps 1, 1, .5, .5
    assert gap.error == pytest.approx(np.sqrt(4 * 0.25**2) / 4)
    assert gap.clearly_worse


def test_the_gap_counts_weights() -> None:
    gap = paired_gap(np.array([0.0, 1.0]), np.ones(2), np.arange(2), np.array([3.0, 1.0]))
    assert gap.behind == 0.75  # (3 * 1 + 1 * 0) / 4
    assert gap.error == pytest.approx(np.sqrt((3 * 0.25) ** 2 + (1 * -0.75) ** 2) / 4)


def test_rows_of_one_group_err_together() -> None:
    scores, baseline = np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)
    apart = paired_gap(scores, baseline, np.arange(4))
    together = paired_gap(scores, baseline, np.array([7, 7, 9, 9]))
    assert apart.behind == together.behind == 0.5
    assert apart.error == pytest.approx(np.sqrt(4 * 0.5**2) / 4)
    assert together.error == pytest.approx(np.sqrt(2 * 1.0**2) / 4)
    crossed = paired_gap(scores, baseline, np.array([7, 9, 7, 9]))
    assert crossed.error == 0


def test_rows_of_weight_0_say_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, baseline, weight = rng.normal(size=20), rng.normal(size=20), rng.random(20)
    weight[12:] = 0
    few = paired_gap(scores[:12], baseline[:12], np.arange(12), weight[:12])
    all_rows = paired_gap(scores, baseline, np.arange(20), weight)
    assert (all_rows.behind, all_rows.error) == pytest.approx((few.behind, few.error), abs=1e-12)
    nothing = paired_gap(scores, baseline, np.arange(20), np.zeros(20))
    assert not nothing.clearly_worse


@pytest.mark.parametrize(
    ("behind", "error", "stops"),
    [(1.0, 1.0, True), (1.0, 1.01, False), (1.0, 0.99, True), (0.0, 0.0, False), (-1.0, 0.0, False), (1e-9, 0.0, True)],
)
def test_clearly_worse_is_behind_by_one_standard_error(behind: float, error: float, stops: bool) -> None:
    assert Gap(behind, error).clearly_worse is stops


# ---- searches whose predictions are seen by way of their executor


@dataclass
class Recorder(Executor):
    """An executor that runs in this process and keeps what every student did, by path and fold, in order of its run."""

    outcomes: dict[Any, dict[int, Outcome]] = field(default_factory=dict)
    runs: list[tuple[Any, int]] = field(default_factory=list)
    submitted: list[tuple[Any, int]] = field(default_factory=list)
    idle: bool = False
    """Whether it says that a worker is idle."""

    def start(self) -> Any:
        return _Recording(SerialExecutor().start(), self)


class _Recording:
    def __init__(self, session: Any, recorder: Recorder) -> None:
        self._session, self._recorder = session, recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        if fn is not judge:
            return self._session.submit(fn, *args)
        self._recorder.submitted.append((args[3], args[2]))
        return self._session.submit(self._kept, *args)

    def has_idle_worker(self) -> bool:
        return self._recorder.idle

    def _kept(self, problem: Any, ladder: Any, number: int, path: Any, *above: Any) -> Outcome:
        outcome = judge(problem, ladder, number, path, *above)
        self._recorder.outcomes.setdefault(path, {})[number] = outcome
        self._recorder.runs.append((path, number))
        return outcome


@dataclass(frozen=True)
class OutOfOrder(Executor):
    """An executor that runs hops in a random order, the same for one seed."""

    order: int

    def start(self) -> Any:
        return _OutOfOrder(np.random.default_rng(self.order))


class _OutOfOrder:
    def __init__(self, rng: np.random.Generator) -> None:
        self._session = SerialExecutor().start()
        self._rng = rng
        self._waiting: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        self._waiting.append(self._session.submit(fn, *args))
        return self._waiting[-1]

    def has_idle_worker(self) -> bool:
        return bool(self._rng.integers(2))

    def wait(self, futures: Sequence[Any], timeout: float | None = None) -> None:
        while not any(future.done for future in futures):
            self._session.wait([self._waiting.pop(self._rng.integers(len(self._waiting)))])


search_for = searches(
    STUDENTS[0][1],
    RandomForestClassifier(3),
    intermediates=[
        ("stump", DecisionTreeClassifier(max_depth=1)),
        ("tree6", DecisionTreeClassifier(max_depth=6)),
    ],
    schemes=[KnowledgeDistillation(), HardLabels()],
    max_hops=2,
    n_trials=N_TRIALS,
    n_ahead=N_AHEAD,
    random_state=2,
    cv=N_FOLDS,
    crossfit_cv=2,
    tree_fits=[OwnFit()],
)


def recorded(
    data: tuple[Any, Any], make: Callable[..., Any] = search_for, more: dict[str, Any] | None = None, **settings: Any
) -> tuple[Any, list[dict[int, Outcome]]]:
    """Return a fitted search and the outcomes of the folds of each trial's path."""
    recorder = Recorder()
    search = make(executor=recorder, **settings).fit(*data, **(more or {}))
    paths = [search.space_.suggest(trial) for trial in search.study_.trials]
    return search, [recorder.outcomes[path] for path in paths]


def log_losses(y: np.ndarray, proba: np.ndarray) -> np.ndarray:
    floored = np.maximum(proba.astype(float), 1e-3)
    return np.log((floored / floored.sum(axis=1, keepdims=True))[np.arange(len(y)), y])


def squared_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    return -((y - values[:, 0].astype(float)) ** 2)


@dataclass(frozen=True)
class Stop:
    """What the replayed rule decides of a trial that it stops."""

    folds: int
    behind: float
    error: float
    baseline: int


def replayed(
    search: Any, outcomes: list[dict[int, Outcome]], n_ahead: int, rows: Callable[..., np.ndarray] = log_losses
) -> dict[int, Stop]:
    """Return the trials of a search without early stopping that the rule stops, from its stored predictions.

    Written from the documented rule (clearly worse by one paired standard error), on purpose unlike the loop.
    """
    problem = search.setup_.problem
    tests = [fold.test for fold in problem.folds]
    weight = np.ones(problem.n_rows) if problem.sample_weight is None else problem.sample_weight
    unit = np.arange(problem.n_rows) if problem.groups is None else problem.groups
    scored = [
        [rows(problem.y[test], outcomes[trial][fold].predictions) for fold, test in enumerate(tests)]
        for trial in range(len(outcomes))
    ]
    means = [
        sum((weight[test] * values).sum() for test, values in zip(tests, scores, strict=True))
        / sum(weight[test].sum() for test in tests)
        for scores in scored
    ]
    paths = [search.space_.suggest(trial) for trial in search.study_.trials]
    found: dict[int, Stop] = {}
    for number, path in enumerate(paths):
        first = paths.index(path)
        if first < number:  # answered from the records, stopped or not
            if first in found:
                found[number] = found[first]
            continue
        if len(path.hops) < 2:
            continue
        told = range(max(0, number - n_ahead + 1))
        rivals = [k for k in told if len(paths[k].hops) == 1 and paths[k].student == path.student]
        if not rivals:
            continue
        baseline = max(rivals, key=lambda k: means[k])  # the first of equal ones
        for done in range(2, len(tests)):
            seen = np.concatenate(tests[:done])
            gap = np.concatenate(scored[baseline][:done]) - np.concatenate(scored[number][:done])
            share = weight[seen] / weight[seen].sum()
            behind = float(share @ gap)
            parts = pd.Series(share * (gap - behind)).groupby(unit[seen]).sum()
            error = float(np.sqrt((parts**2).sum()))
            if behind > 0 and behind >= error:
                found[number] = Stop(done, behind, error, baseline)
                break
    return found


def assert_stopped_as(search: Any, expected: dict[int, Stop]) -> None:
    results = search.results_
    stopped = results[results["state"] == "PRUNED"]
    assert list(stopped["trial"]) == sorted(expected)
    for number, stop in expected.items():
        row = results.loc[number]
        assert row["folds_done"] == stop.folds
        found = re.fullmatch(r"after (\d) of 5 folds (\S+) \+- (\S+) behind one-hop trial (\d+)", row["reason"])
        assert found is not None, row["reason"]
        assert (int(found[1]), int(found[4])) == (stop.folds, stop.baseline)
        assert float(found[2]) == pytest.approx(stop.behind, rel=1e-3)
        assert float(found[3]) == pytest.approx(stop.error, rel=1e-3)
    rest = results[results["state"] != "PRUNED"]
    assert (rest["state"] == "COMPLETE").all()
    assert (rest["folds_done"] == N_FOLDS).all()


@pytest.fixture(scope="module")
def all_folds(blobs: Any) -> tuple[Any, list[dict[int, Outcome]]]:
    return recorded(blobs, pruner=NopPruner())


@pytest.fixture(scope="module")
def stopped_early(blobs: Any) -> tuple[Any, list[dict[int, Outcome]]]:
    return recorded(blobs)


# ---- the rule in a search


def test_a_search_without_a_pruner_stops_nothing(all_folds: Any) -> None:
    search, outcomes = all_folds
    assert (search.results_["state"] == "COMPLETE").all()
    assert all(sorted(folds) == list(range(N_FOLDS)) for folds in outcomes)
    assert search.verdict_.n_stopped == 0


def test_a_search_stops_what_the_rule_says(all_folds: Any, stopped_early: Any, blobs: Any) -> None:
    for n_ahead, search in ((N_AHEAD, stopped_early[0]), (1, search_for(n_ahead=1).fit(*blobs))):
        expected = replayed(*all_folds, n_ahead)
        assert expected
        assert_stopped_as(search, expected)


def test_with_every_trial_asked_at_once_there_is_no_baseline(blobs: Any) -> None:
    assert (search_for(n_trials=6, n_ahead=6).fit(*blobs).results_["state"] == "COMPLETE").all()


def test_the_window_decides_which_baseline_is_known(all_folds: Any) -> None:
    stops = {n_ahead: replayed(*all_folds, n_ahead) for n_ahead in (1, N_AHEAD)}
    assert set(stops[N_AHEAD]) < set(stops[1])
    assert {stop.folds for stop in stops[1].values()} >= {2, 3}


def test_each_student_is_compared_with_its_own_one_hop_paths(blobs: Any) -> None:
    settings = {"student": STUDENTS, "n_trials": 9, "n_ahead": 3}
    search, outcomes = recorded(blobs, pruner=NopPruner(), **settings)
    expected = replayed(search, outcomes, 3)
    students = search.results_["student"]
    assert set(students[list(expected)]) == {"tree", "line"}
    assert all(students[number] == students[stop.baseline] for number, stop in expected.items())
    found = search_for(**settings).fit(*blobs)
    assert_stopped_as(found, expected)
    for name, verdict in found.verdicts_.items():
        assert verdict.n_stopped == sum(students[number] == name for number in expected) > 0


def test_weights_and_groups_count_in_the_rule(blobs: Any) -> None:
    rng = np.random.default_rng(1)
    weight = rng.choice([0.0, 1.0, 4.0], size=240)
    groups = rng.integers(40, size=240)
    settings, more = {"n_ahead": 2, "n_trials": 15}, {"sample_weight": weight, "groups": groups}
    search, outcomes = recorded(blobs, more=more, pruner=NopPruner(), **settings)
    expected = replayed(search, outcomes, 2)
    assert expected
    assert_stopped_as(search_for(**settings).fit(*blobs, **more), expected)


def test_a_score_that_is_no_mean_over_rows_stops_by_the_default_one(
    cancer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multihop_search.verdict.interval.N_DRAWS_REPLAYED", 1)  # a replayed verdict takes long
    X, y = cancer
    data = X.iloc[::4], y.iloc[::4]
    settings = {"scoring": "roc_auc", "n_trials": 9, "n_ahead": 2}
    search, outcomes = recorded(data, pruner=NopPruner(), **settings)
    folds = search.setup_.problem.folds
    codes = search.setup_.problem.y
    areas = [
        np.mean([roc_auc_score(codes[fold.test], trial[fold.number].predictions[:, 1]) for fold in folds])
        for trial in outcomes
    ]
    scores = search.results_["score"]
    np.testing.assert_allclose(scores, areas, atol=1e-2)  # kept as float32, predictions tie more often
    # The baseline is the best by the search's own score; rows are compared by the log-loss.
    expected = replayed_by(search, outcomes, 2, scores)
    assert expected
    assert_stopped_as(search_for(**settings).fit(*data), expected)


def replayed_by(search: Any, outcomes: Any, n_ahead: int, scores: Sequence[float]) -> dict[int, Stop]:
    """Return `replayed`, with baselines chosen by other scores than the rows are compared by."""
    paths = [search.space_.suggest(trial) for trial in search.study_.trials]
    found = {}
    for number, path in enumerate(paths):
        first = paths.index(path)
        rivals = [k for k in range(max(0, first - n_ahead + 1)) if len(paths[k].hops) == 1]
        if len(path.hops) < 2 or not rivals:
            continue
        best = max(rivals, key=lambda k: scores[k])
        pair = _Pair(search, [best, first])
        stops = replayed(pair, [outcomes[best], outcomes[first]], 1)
        if 1 in stops:
            stop = stops[1]
            found[number] = Stop(stop.folds, stop.behind, stop.error, best)
    return found


class _Pair:
    """Two trials of a search, as `replayed` reads a search."""

    def __init__(self, search: Any, numbers: list[int]) -> None:
        self.setup_, self.space_ = search.setup_, search.space_
        self.study_ = type("Study", (), {"trials": [search.study_.trials[number] for number in numbers]})


def test_regression_stops_by_the_squared_error() -> None:
    X, y = load_diabetes(return_X_y=True)
    data = X[:220], y[:220]

    def make(**settings: Any) -> MultihopSearchRegressor:
        usual = {
            "teacher": RandomForestRegressor(3),
            "intermediates": [
                ("stump", DecisionTreeRegressor(max_depth=1)),
                ("t6", DecisionTreeRegressor(max_depth=6)),
            ],
            "max_hops": 2,
            "n_trials": 12,
            "tree_fits": [OwnFit()],
            "cv": N_FOLDS,
            "crossfit_cv": 2,
            "n_ahead": 2,
            "random_state": 0,
        }
        return MultihopSearchRegressor(DecisionTreeRegressor(max_depth=3), **{**usual, **settings})

    search, outcomes = recorded(data, make, pruner=NopPruner())
    expected = replayed(search, outcomes, 2, squared_errors)
    assert expected
    assert_stopped_as(make().fit(*data), expected)


# ---- what a stopped trial leaves


def test_what_is_completed_has_the_same_scores_with_and_without_stopping(all_folds: Any, stopped_early: Any) -> None:
    whole, some = all_folds[0].results_, stopped_early[0].results_
    done = some["state"] == "COMPLETE"
    assert 0 < (~done).sum() < done.sum()
    columns = [name for name in some.columns if name not in MEASURED]
    pd.testing.assert_frame_equal(some.loc[done, columns], whole.loc[done, columns], check_exact=True)
    assert list(some["path"]) == list(whole["path"])


def test_a_stopped_trial_saves_its_folds(stopped_early: Any) -> None:
    search, outcomes = stopped_early
    for number, folds in enumerate(outcomes):
        assert sorted(folds) == list(range(search.results_["folds_done"][number]))


@pytest.mark.parametrize("idle", [False, True])
def test_folds_that_may_be_spared_are_for_idle_workers_only(idle: bool, stopped_early: Any, blobs: Any) -> None:
    recorder = Recorder(idle=idle)
    search = search_for(executor=recorder).fit(*blobs)
    columns = [name for name in search.results_ if name not in MEASURED]
    pd.testing.assert_frame_equal(search.results_[columns], stopped_early[0].results_[columns])
    assert len(recorder.submitted) == len(set(recorder.submitted))
    spared = set(recorder.submitted) - set(recorder.runs)  # nothing runs here but what is asked for
    assert spared if idle else not spared


def test_a_resumed_search_asks_for_no_fold_of_a_path_that_it_knows(blobs: Any, tmp_path: Path) -> None:
    few = {"n_trials": 12, "n_ahead": 4, "random_state": 0}
    first = search_for(checkpoint=tmp_path, **few).fit(*blobs)
    (log,) = tmp_path.glob("*.jsonl")
    header, *lines = lines_of(log)
    whole = [line for line in lines if len(line["folds"]) == N_FOLDS]
    assert len(lines) > len(whole) + 2
    left = [line for line in lines if line not in whole[::2]]
    write_log(log, [header, *left])
    recorder = Recorder(idle=True)
    again = search_for(checkpoint=tmp_path, executor=recorder, **few).fit(*blobs)
    columns = [name for name in again.results_ if name not in MEASURED]
    pd.testing.assert_frame_equal(again.results_[columns], first.results_[columns])
    known = {line["path"] for line in left}
    assert recorder.submitted
    assert not known & {str(path) for path, _ in recorder.submitted}
    keys = [line["key"] for line in lines_of(log)[1:]]
    assert len(keys) == len(set(keys)) == len(lines)


def test_a_stopped_trial_keeps_its_record(stopped_early: Any) -> None:
    search, outcomes = stopped_early
    stopped = search.results_[search.results_["state"] == "PRUNED"]
    assert len(stopped)
    assert stopped["folds_done"].between(2, N_FOLDS - 1).all()
    assert stopped[["score", "score_se", "fidelity"]].isna().all(axis=None)
    assert not stopped["on_front"].any()
    assert (stopped["hops"] == 2).all()
    for number in stopped["trial"]:
        nodes = [outcome.size.nodes for outcome in outcomes[number].values()]
        assert stopped["nodes"][number] == np.mean(nodes)
        splits = [search.cv_results_[f"split{fold}_test_score"][number] for fold in range(N_FOLDS)]
        scores = [outcomes[number][fold].score for fold in sorted(outcomes[number])]
        np.testing.assert_array_equal(splits, scores + [np.nan] * (N_FOLDS - len(scores)))
        with pytest.raises(ValueError, match="number must be that of a completed trial"):
            search.refit_trial(number)
    last = search.cv_results_["rank_test_score"]
    assert set(last[stopped["trial"]]) == {last.max()}


def test_a_stopped_trial_is_told_its_running_means(stopped_early: Any) -> None:
    search, outcomes = stopped_early
    sizes = np.array([len(fold.test) for fold in search.setup_.problem.folds])
    told = 0
    for trial, folds in zip(search.study_.trials, outcomes, strict=True):
        row = search.results_.loc[trial.number]
        assert trial.state.name == row["state"]
        if row["reason"].startswith("same path") or not trial.intermediate_values:
            continue
        told += 1
        scores = np.array([folds[fold].score for fold in sorted(folds)])
        share = sizes[: len(scores)]
        means = np.cumsum(scores * share) / np.cumsum(share)
        assert list(trial.intermediate_values) == list(range(len(scores)))
        assert list(trial.intermediate_values.values()) == pytest.approx(list(means), abs=1e-12)
        assert trial.value == pytest.approx(means[-1], abs=1e-12)
    pruned = [trial for trial in search.study_.trials if trial.state == TrialState.PRUNED]
    assert told >= 15
    assert any(trial.intermediate_values for trial in pruned)


def test_the_verdict_says_how_many_were_stopped_and_compares_the_others(stopped_early: Any) -> None:
    search, _ = stopped_early
    n_stopped = int((search.results_["state"] == "PRUNED").sum())
    assert search.verdict_.n_stopped == n_stopped > 0
    third = N_TRIALS // 3
    assert search.verdict_.n_trials == {"plain": third, "one-hop": third, "multi-hop": third - n_stopped}
    assert f"{n_stopped} " in str(search.verdict_)
    assert "stopped" in str(search.verdict_)


def test_the_verdict_is_that_of_the_complete_paths_alone(blobs: Any) -> None:
    search, outcomes = recorded(blobs, tree_fits="auto", n_trials=12)
    complete = [number for number, state in enumerate(search.results_["state"]) if state == "COMPLETE"]
    assert len(complete) < 12
    problem = search.setup_.problem
    row = np.concatenate([fold.test for fold in problem.folds])
    fold = np.repeat(np.arange(N_FOLDS), [len(fold.test) for fold in problem.folds])
    teacher = fit_teacher(problem, search.setup_.ladder, problem.whole.number)
    ways = {"OwnFit": Way.OWN, "OwnFit+shrinkage": Way.SHRUNK}
    verdict = compare(
        [np.concatenate([outcomes[k][fold].predictions for fold in range(N_FOLDS)]) for k in complete],
        search.results_["hops"].to_numpy()[complete],
        HeldOut(problem.y[row], fold, row, row, believed=teacher.outputs.calibrated[row]),
        problem.scoring,
        random_state=problem.random_state,
        chosen=complete.index(search.best_index_),
        ways=np.array([ways.get(fit, Way.OTHER) for fit in search.results_["fit"][complete]]),
    )
    pd.testing.assert_frame_equal(search.verdict_.table, verdict.table, check_exact=True)


def test_the_choice_is_never_a_stopped_trial(stopped_early: Any) -> None:
    search, _ = stopped_early
    assert search.results_["state"][search.best_index_] == "COMPLETE"


# ---- the same in any order


@pytest.mark.parametrize(("sampler", "pruner"), [("auto", "auto"), ("tpe", MedianPruner(n_startup_trials=3))])
def test_whatever_finishes_first_the_search_is_the_same(sampler: str, pruner: Any, blobs: Any) -> None:
    def fitted(executor: Any) -> Any:
        draws: Any = "auto" if sampler == "auto" else tpe
        students = STUDENTS if sampler == "auto" else STUDENTS[:1]
        settings = {"student": students, "n_trials": 8, "n_ahead": 4, "sampler": draws, "pruner": pruner}
        return search_for(executor=executor, **settings).fit(*blobs)

    one = fitted(None)
    assert (one.results_["state"] == "PRUNED").any()
    two = fitted(OutOfOrder(0))
    pd.testing.assert_frame_equal(
        one.results_.drop(columns=MEASURED), two.results_.drop(columns=MEASURED), check_exact=True
    )
    for ours, theirs in zip(one.study_.trials, two.study_.trials, strict=True):
        assert (ours.params, ours.value, ours.intermediate_values, ours.state) == (
            theirs.params,
            theirs.value,
            theirs.intermediate_values,
            theirs.state,
        )


def tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=6)


def test_a_sampler_that_learns_is_told_running_means_of_its_half(blobs: Any) -> None:
    search, outcomes = recorded(blobs, sampler=tpe, n_ahead=2)
    assessment = Assessment(search.setup_.problem, adaptive=True)
    held_out, y = assessment.held_out, search.setup_.problem.y
    told = assessment.told_units[held_out.unit] == 1
    assert 110 < told.sum() < 130
    stops = 0
    for trial, folds in zip(search.study_.trials, outcomes, strict=True):
        if not trial.intermediate_values:
            assert search.results_["reason"][trial.number]
            continue
        stops += trial.state == TrialState.PRUNED
        scores = np.concatenate([folds[fold].predictions for fold in sorted(folds)])
        scores = log_losses(y[held_out.row[: len(scores)]], scores)
        for step, mean in trial.intermediate_values.items():
            seen = told & (held_out.fold <= step)
            assert mean == pytest.approx(scores[seen[: len(scores)]].mean(), abs=1e-6)
        assert trial.value == trial.intermediate_values[len(folds) - 1]
    assert stops > 0


# ---- Optuna's pruners


@dataclass
class Spy(BasePruner):
    """Stops every trial after some folds, and notes what it was asked and what it could see."""

    after: int = 3
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        assert trial.state == TrialState.RUNNING
        assert not any(other.state == TrialState.RUNNING for other in study.trials[: trial.number])
        self.asked.append((trial.number, trial.user_attrs["hops"], len(trial.intermediate_values)))
        return len(trial.intermediate_values) >= self.after


def test_a_pruner_is_asked_at_the_turn_of_each_multi_hop_trial_only(all_folds: Any, blobs: Any) -> None:
    spy = Spy()
    search, outcomes = recorded(blobs, pruner=spy, n_ahead=4)
    results = search.results_
    several = results["hops"] >= 2
    stopped = results["state"] == "PRUNED"
    assert (stopped == several).all()
    assert (results["folds_done"] == np.where(several, 3, N_FOLDS)).all()
    assert set(results["reason"][stopped]) == {"after 3 of 5 folds by Spy"}
    first = [number for number in results["trial"][several] if number not in _repeats(search)]
    assert spy.asked == [(number, 2, done) for number in first for done in (2, 3)]
    assert all(sorted(outcomes[number]) == [0, 1, 2] for number in first)
    columns = [name for name in results.columns if name not in MEASURED]
    pd.testing.assert_frame_equal(results.loc[~several, columns], all_folds[0].results_.loc[~several, columns])
    assert search.verdict_.n_stopped == stopped.sum()
    assert search.verdict_.n_trials["multi-hop"] == 0
    assert search.verdict_.table["verdict"]["multi-hop vs one-hop"] == "inconclusive"


def _repeats(search: Any) -> set[int]:
    paths = [search.space_.suggest(trial) for trial in search.study_.trials]
    return {number for number, path in enumerate(paths) if path in paths[:number]}


@pytest.mark.parametrize("after", [1, N_FOLDS])
def test_a_pruner_is_never_asked_after_one_fold_or_the_last(after: int, blobs: Any) -> None:
    spy = Spy(after)
    results = search_for(pruner=spy, n_trials=6).fit(*blobs).results_
    assert {done for _, _, done in spy.asked} == ({2} if after < N_FOLDS else {2, 3, 4})
    stopped = results["state"] == "PRUNED"
    assert stopped.any() == (after < N_FOLDS)
    assert (results["folds_done"][stopped] == 2).all()


def running_means(search: Any, outcomes: list[dict[int, Outcome]]) -> list[np.ndarray]:
    sizes = np.array([len(fold.test) for fold in search.setup_.problem.folds])
    scores = [np.array([folds[fold].score for fold in range(N_FOLDS)]) for folds in outcomes]
    return [np.cumsum(of * sizes) / np.cumsum(sizes) for of in scores]


def test_a_threshold_pruner_sees_the_running_means(all_folds: Any, blobs: Any) -> None:
    means = running_means(*all_folds)
    several = all_folds[0].results_["hops"] >= 2
    lower = float(np.median([means[number][2] for number in np.flatnonzero(several)]))
    expected = {}
    for number in np.flatnonzero(several):
        below = [done for done in range(2, N_FOLDS) if means[number][done - 1] < lower]
        if below:
            expected[int(number)] = below[0]
    assert 0 < len(expected) < several.sum()
    search = search_for(pruner=ThresholdPruner(lower=lower)).fit(*blobs)
    stopped = search.results_[search.results_["state"] == "PRUNED"]
    assert dict(zip(stopped["trial"], stopped["folds_done"], strict=True)) == expected
    assert stopped["reason"].str.endswith("folds by ThresholdPruner").all()


def test_a_median_pruner_compares_with_the_trials_told_before(all_folds: Any, blobs: Any) -> None:
    means, repeats = running_means(*all_folds), _repeats(all_folds[0])
    hops = all_folds[0].results_["hops"]
    expected: dict[int, int] = {}
    for number in range(len(means)):
        if hops[number] < 2 or number in repeats:
            continue
        before = [k for k in range(number) if k not in expected and k not in repeats]
        for done in range(2, N_FOLDS):
            if len([k for k in range(number) if k not in expected]) < 5:
                continue  # Optuna's n_startup_trials
            if means[number][:done].max() < np.median([means[k][done - 1] for k in before]):
                expected[number] = done
                break
    assert 0 < len(expected) < (hops >= 2).sum()
    search = search_for(pruner=MedianPruner(n_startup_trials=5)).fit(*blobs)
    stopped = search.results_[(search.results_["state"] == "PRUNED") & ~search.results_["trial"].isin(repeats)]
    assert dict(zip(stopped["trial"], stopped["folds_done"], strict=True)) == expected


def test_a_pruner_that_breaks_stops_the_search_with_its_own_error(blobs: Any) -> None:
    class Broken(BasePruner):
        def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
            raise ZeroDivisionError("a bug of its own")

    with pytest.raises(ZeroDivisionError, match="a bug of its own"):
        search_for(pruner=Broken(), n_trials=6).fit(*blobs)


@pytest.mark.parametrize("pruner", ["median", None, MedianPruner, 1])
def test_what_is_no_pruner_is_refused_with_one_sentence(pruner: Any, blobs: Any) -> None:
    with pytest.raises(ValueError, match=r"pruner must be 'auto' or an Optuna pruner, got .*NopPruner\(\) for none"):
        search_for(pruner=pruner).fit(*blobs)


# ---- a path that was stopped comes again


def test_a_path_that_was_stopped_stays_stopped_when_it_comes_again(blobs: Any) -> None:
    few = {"param_distributions": {"min_samples_leaf": CategoricalDistribution((1,))}, "schemes": [HardLabels()]}
    recorder = Recorder()
    few |= {"tree_fits": [OwnFit()], "intermediates": [("stump", DecisionTreeClassifier(max_depth=1))]}
    search = search_for(**few, executor=recorder)
    results = search.set_params(n_ahead=1, n_trials=9).fit(*blobs).results_
    several = results[results["hops"] == 2]
    assert len(several) == 3
    assert several["path"].nunique() == 1
    assert set(several["state"]) == {"PRUNED"}
    assert several["folds_done"].nunique() == 1
    path = search.space_.suggest(search.study_.trials[int(several["trial"].iloc[0])])
    assert recorder.runs.count((path, 0)) == 1
    assert sum(ran == path for ran, _ in recorder.runs) == several["folds_done"].iloc[0]


def test_a_pruner_that_hashes_the_name_of_the_study_gives_the_same_search_twice(blobs: Any) -> None:
    def states() -> list[str]:
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=3),
            RandomForestClassifier(5),
            intermediates=[("tree", DecisionTreeClassifier(max_depth=6))],
            schemes=[KnowledgeDistillation()],
            crossfit_cv=2,
            tree_fits=[OwnFit()],
            n_trials=9,
            pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=5),
            random_state=0,
        ).fit(*blobs)
        return search.results_["state"].tolist()

    first = states()
    assert "PRUNED" in first
    assert states() == first


def test_under_a_sampler_that_learns_only_the_told_half_stops_paths(blobs: Any) -> None:
    X, y = blobs
    problem = make_problem(X, y, sample_weight=None, groups=None, cv=5, crossfit_cv=3, scoring="auto", random_state=0)
    assessment = Assessment(problem, adaptive=True)
    told = assessment.told_units[assessment.held_out.unit] == 1
    rng = np.random.default_rng(0)
    ours, theirs, other = (rng.dirichlet(np.ones(3), size=len(told)) for _ in range(3))
    mixed = np.where(told[:, None], ours, other)  # what the judging half holds changes nothing
    assert assessment.gap(ours, theirs) == assessment.gap(mixed, theirs)
    assert assessment.gap(np.where(told[:, None], other, ours), theirs) != assessment.gap(ours, theirs)
