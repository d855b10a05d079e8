"""`PathObjective` and `OneHopPruner` in a study of the user's own."""

import copy
import pickle
from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from joblib.externals.loky import get_reusable_executor
from optuna.distributions import IntDistribution
from optuna.pruners import NopPruner
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from searches import searches
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    MultihopSearchRegressor,
    OneHopPruner,
    OwnFit,
    PathObjective,
    RayExecutor,
    SerialExecutor,
)
from multihop_search.errors import InvalidSetting

N_FOLDS = 4
TREE = DecisionTreeClassifier(max_depth=3)
STUDENTS = [("tree", TREE), ("line", LogisticRegression(max_iter=500))]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Any:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(verbosity)


class CountingForest(RandomForestClassifier):
    """A forest without stages or out-of-bag rows that counts its fits, clones included."""

    fits = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


search_for = searches(
    TREE,
    RandomForestClassifier(3),
    intermediates=[("stump", DecisionTreeClassifier(max_depth=1)), ("six", DecisionTreeClassifier(max_depth=6))],
    schemes=[KnowledgeDistillation(), HardLabels()],
    tree_fits=[OwnFit()],
    max_hops=2,
    cv=N_FOLDS,
    crossfit_cv=2,
)


def study_with(pruner: Any = None, seed: int = 0, **settings: Any) -> optuna.Study:
    usual = {"direction": "maximize", "sampler": RandomSampler(seed=seed), "pruner": pruner or OneHopPruner()}
    return optuna.create_study(**{**usual, **settings})


def told(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.number, trial.state, trial.params, trial.values, trial.intermediate_values, trial.user_attrs


def constraints_of(trial: FrozenTrial) -> list[float]:
    if hasattr(trial, "constraints"):
        return list(trial.constraints.values())
    return list(trial.system_attrs["constraints"])


# ---- in studies


@pytest.fixture(scope="module")
def objective(blobs: Any) -> PathObjective:
    return PathObjective(search_for(), *blobs)


@pytest.fixture(scope="module")
def optimized(objective: PathObjective) -> optuna.Study:
    study = study_with()
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=36)
    return study


def test_paths_that_are_clearly_behind_are_stopped(optimized: optuna.Study) -> None:
    states = Counter(trial.state for trial in optimized.trials)
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert states[TrialState.PRUNED] >= 3
    for trial in optimized.trials:
        done = len(trial.intermediate_values)
        if trial.state == TrialState.PRUNED:
            assert trial.user_attrs["hops"] == 2
            assert 2 <= done < N_FOLDS
        else:
            assert done == N_FOLDS


def test_asking_and_telling_gives_the_same_table(optimized: optuna.Study, blobs: Any) -> None:
    objective = PathObjective(search_for(), *blobs)
    study = study_with()
    for params in objective.defaults:
        study.enqueue_trial(params)
    for _ in range(18):
        trial = study.ask()
        try:
            value = objective(trial)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    assert [told(trial) for trial in study.trials] == [told(trial) for trial in optimized.trials[:18]]


def test_the_last_report_is_the_value(optimized: optuna.Study) -> None:
    for trial in optimized.trials:
        assert list(trial.intermediate_values) == list(range(len(trial.intermediate_values)))
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]


def test_values_and_reports_are_those_of_a_search(optimized: optuna.Study, objective: Any, blobs: Any) -> None:
    search = search_for(n_trials=6, pruner=NopPruner()).fit(*blobs)
    ours = {objective.space.suggest(trial): trial for trial in optimized.trials}
    theirs = [trial for trial in search.study_.trials if search.space_.suggest(trial) in ours]
    assert len(theirs) >= 3  # the defaults at least
    for trial in theirs:
        same = ours[search.space_.suggest(trial)]
        assert same.value == trial.value
        assert same.intermediate_values == trial.intermediate_values
        assert same.user_attrs == trial.user_attrs


def test_the_first_trials_are_the_student_as_it_was_set(optimized: optuna.Study, objective: PathObjective) -> None:
    assert len(objective.defaults) == 3
    paths = [objective.space.suggest(trial) for trial in optimized.trials[:3]]
    assert [len(path.hops) for path in paths] == [0, 1, 1]
    assert [type(path.hops[0].scheme) for path in paths[1:]] == [KnowledgeDistillation, HardLabels]
    assert all(dict(path.params)["min_samples_leaf"] == 1 for path in paths)
    assert [objective.space.encode(path) for path in paths] == objective.defaults


def test_user_attributes_say_what_a_trial_was(optimized: optuna.Study, objective: PathObjective) -> None:
    for trial in optimized.trials:
        path = objective.space.suggest(trial)
        known = {"path": str(path), "hops": len(path.hops), "student": "student", "fold_weights": [60.0] * N_FOLDS}
        assert trial.user_attrs == known


def test_an_adaptive_sampler_works_and_the_best_trial_can_be_fitted(blobs: Any) -> None:
    objective = PathObjective(search_for(), *blobs)
    study = study_with(sampler=TPESampler(seed=0, n_startup_trials=5))
    study.optimize(objective, n_trials=15)
    best = objective.space.suggest(study.best_trial)
    assert study.best_value == max(trial.value for trial in study.trials if trial.state == TrialState.COMPLETE)
    assert str(best) == study.best_trial.user_attrs["path"]


@pytest.mark.once
def test_the_teacher_is_fitted_no_more_often_for_16_trials_than_for_8(blobs: Any) -> None:
    counts = []
    for n_trials in (8, 16):
        CountingForest.fits = 0
        objective = PathObjective(search_for(teacher=CountingForest(3)), *blobs)
        study = study_with(NopPruner())
        for params in objective.defaults:
            study.enqueue_trial(params)
        study.optimize(objective, n_trials=n_trials)
        counts.append(CountingForest.fits)
    assert counts == [1 + N_FOLDS * 2] * 2  # the probe, folds x inner folds


def test_two_threads_of_a_study_get_the_same_scores(objective: PathObjective, optimized: optuna.Study) -> None:
    study = study_with(NopPruner())
    for trial in optimized.trials[:6]:
        study.enqueue_trial(trial.params)
    study.optimize(objective, n_trials=6, n_jobs=2)
    by_path = {trial.user_attrs["path"]: trial.value for trial in study.trials}
    for trial in optimized.trials[:6]:
        if trial.state == TrialState.COMPLETE:
            assert by_path[trial.user_attrs["path"]] == trial.value


@pytest.mark.once
def test_several_students_share_a_study(blobs: Any) -> None:
    objective = PathObjective(search_for(STUDENTS), *blobs)
    assert [(params["student"], params["n_hops"]) for params in objective.defaults] == [
        (name, hops) for name in ("tree", "line") for hops in (0, 1, 1)
    ]
    study = study_with()
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=24)
    counts = Counter((trial.params["student"], trial.state) for trial in study.trials)
    assert counts["tree", TrialState.COMPLETE] >= 4
    assert counts["line", TrialState.COMPLETE] >= 4
    assert all(trial.user_attrs["student"] == trial.params["student"] for trial in study.trials)


@pytest.mark.once
def test_regressors_are_objectives_too() -> None:
    X, y = load_diabetes(return_X_y=True)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=3), RandomForestRegressor(5), intermediates=[], cv=3, random_state=0
    )
    objective = PathObjective(search, X[:150], y[:150])
    study = study_with(seed=1)
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=6)
    fitted = search.set_params(n_trials=2, pruner=NopPruner()).fit(X[:150], y[:150])
    assert [trial.value for trial in study.trials[:2]] == [trial.value for trial in fitted.study_.trials]
    assert all(trial.value < 0 for trial in study.trials)


@pytest.mark.once
def test_weights_groups_and_rows_without_labels_are_taken(blobs: Any) -> None:
    X, y = blobs
    rng = np.random.default_rng(0)
    more = {"sample_weight": rng.random(240), "groups": rng.integers(30, size=240), "X_unlabeled": X[:50] + 0.1}
    search = search_for(schemes="auto")
    objective = PathObjective(search, X, y, **more)
    assert "ModelCompression.generator" in objective.space.distributions
    study = study_with(NopPruner())
    study.enqueue_trial(objective.defaults[0])
    study.optimize(objective, n_trials=3)
    fitted = search.set_params(n_trials=1).fit(X, y, **more)
    assert study.trials[0].value == fitted.study_.trials[0].value


# ---- budget


@pytest.mark.parametrize("size_bytes", [100, 10**6])
def test_the_budget_reaches_optuna_as_constraints(size_bytes: int, blobs: Any) -> None:
    search = search_for(RandomForestClassifier(3, max_depth=3), budget={"nodes": 40, "size_bytes": size_bytes})
    objective = PathObjective(search, *blobs)
    study = study_with(NopPruner())
    study.enqueue_trial(objective.defaults[0])
    study.optimize(objective, n_trials=4)
    for trial in study.trials:
        nodes, size = constraints_of(trial)
        assert nodes <= 0  # built into the fit
        assert (size > 0) == (size_bytes == 100)
    if size_bytes > 100:
        fitted = search.set_params(n_trials=1).fit(*blobs)
        assert constraints_of(study.trials[0]) == constraints_of(fitted.study_.trials[0])


def test_without_a_budget_there_are_no_constraints(optimized: optuna.Study) -> None:
    for trial in optimized.trials:
        assert not getattr(trial, "constraints", None)
        assert "constraints" not in trial.system_attrs


def test_trials_that_are_stopped_have_constraints_too(blobs: Any) -> None:
    objective = PathObjective(search_for(budget={"nodes": 7}), *blobs)
    study = study_with()
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=24)
    stopped = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert stopped
    assert all(constraints_of(trial)[0] <= 0 for trial in stopped)


# ---- several values


def test_a_study_of_two_directions_has_neither_reports_nor_stops(blobs: Any) -> None:
    objective = PathObjective(search_for(), *blobs, values=("score", "nodes"))
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=NSGAIISampler(seed=0))
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=12)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert all(trial.intermediate_values == {} for trial in study.trials)
    for trial in study.trials:
        score, nodes = trial.values
        assert score < 0
        assert 1 <= nodes <= 15
    assert {trial.user_attrs["hops"] for trial in study.trials} == {0, 1, 2}


def test_every_value_is_that_of_results(blobs: Any) -> None:
    names = ("nodes", "n_features_used", "size_bytes", "score", "latency_us", "fit_seconds")
    objective = PathObjective(search_for(), *blobs, values=names)
    study = optuna.create_study(directions=["minimize"] * 3 + ["maximize"] + ["minimize"] * 2)
    for params in objective.defaults:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=2)
    results = search_for(n_trials=2).fit(*blobs).results_
    for trial in study.trials[:2]:
        expected = results.loc[trial.number, list(names[:4])]
        assert trial.values[:4] == pytest.approx(list(expected), abs=1e-12)
        assert all(value > 0 for value in trial.values[4:])


def test_one_value_that_is_no_score_is_not_reported(blobs: Any) -> None:
    objective = PathObjective(search_for(), *blobs, values=["size_bytes"])
    study = optuna.create_study(direction="minimize", sampler=RandomSampler(seed=0), pruner=OneHopPruner())
    study.optimize(objective, n_trials=3)
    assert all(trial.intermediate_values == {} and trial.value > 0 for trial in study.trials)


@pytest.mark.parametrize(
    ("values", "directions"),
    [
        (("score",), ["minimize"]),
        (("nodes",), ["maximize"]),
        (("score",), ["maximize", "minimize"]),
        (("score", "nodes"), ["maximize"]),
        (("score", "nodes"), ["maximize", "maximize"]),
        (("nodes", "score"), ["maximize", "minimize"]),
    ],
)
def test_a_study_of_other_directions_is_refused_at_the_first_trial(values: Any, directions: Any, blobs: Any) -> None:
    study = optuna.create_study(directions=directions)
    with pytest.raises(InvalidSetting, match="the study must have the directions"):
        study.optimize(PathObjective(search_for(), *blobs, values=values), n_trials=2)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


def test_fixed_and_finished_trials_are_scored_as_those_of_a_study(optimized: optuna.Study, objective: Any) -> None:
    complete = [trial for trial in optimized.trials if trial.state == TrialState.COMPLETE][:6]
    assert any(trial.user_attrs["hops"] == 1 for trial in complete)
    for trial in complete:
        before = told(trial)
        fixed = optuna.trial.FixedTrial(trial.params)
        assert objective(fixed) == trial.value == objective(trial)
        assert fixed.user_attrs == trial.user_attrs
        assert told(trial) == before
        bare = optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=0.0)
        assert objective(bare) == trial.value
        assert bare.user_attrs == {}


@pytest.mark.parametrize("copied", [lambda thing: pickle.loads(pickle.dumps(thing)), copy.deepcopy])
def test_a_copy_of_an_objective_scores_alike(copied: Any, optimized: optuna.Study, objective: Any) -> None:
    again = copied(objective)
    for trial in optimized.trials[:4]:
        assert again(optuna.trial.FixedTrial(trial.params)) == trial.value
    assert again.defaults == objective.defaults


def test_other_processes_score_alike(optimized: optuna.Study, objective: Any) -> None:
    trials = [trial for trial in optimized.trials if trial.state == TrialState.COMPLETE][:2]
    fixed = [optuna.trial.FixedTrial(trial.params) for trial in trials]
    there = list(get_reusable_executor(max_workers=1).map(objective, fixed))
    assert there == [trial.value for trial in trials]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("executor", RayExecutor(n_workers=1)),
        ("n_jobs", 2),
        ("hop_timeout", 5.0),
        ("checkpoint", "folder"),
        ("timeout", 10.0),
        ("n_trials_no_change", 5),
        ("callbacks", [print]),
        ("sampler", lambda seed: TPESampler(seed=seed)),
        ("pruner", NopPruner()),
        ("verdict", 0.3),
        ("verdict", "nested"),
        ("n_ahead", 2),
        ("verbose", 1),
    ],
)
def test_settings_that_an_objective_has_no_use_for_are_refused(name: str, value: Any, blobs: Any) -> None:
    with pytest.raises(InvalidSetting, match=f"an objective has no use for {name}, the search has {name}="):
        PathObjective(search_for(**{name: value}), *blobs)


def test_settings_that_say_what_an_objective_does_anyway_are_taken(blobs: Any) -> None:
    PathObjective(search_for(executor=SerialExecutor(), n_jobs=1, n_trials=7, verbose=False), *blobs)


@pytest.mark.parametrize("values", [("score", "depth"), "score", (), ["nodes", "Score"], [1], [["score"]], None, 3])
def test_unknown_values_are_refused_with_one_sentence(values: Any, blobs: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"values must be a list of names among score, nodes, .*: pass"):
        PathObjective(search_for(), *blobs, values=values)


def test_bad_settings_of_the_search_are_met_when_the_objective_is_made(blobs: Any) -> None:
    with pytest.raises(InvalidSetting, match="n_trials must be None or an integer"):
        PathObjective(search_for(n_trials=0), *blobs)


def test_a_trial_that_fails_raises_its_own_error(blobs: Any) -> None:
    class Broken(DecisionTreeClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            raise ArithmeticError("it broke")

    objective = PathObjective(search_for(intermediates=[("broken", Broken())]), *blobs)
    study = study_with()
    study.optimize(objective, n_trials=8, catch=(ArithmeticError,))
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert failed
    assert all(trial.user_attrs["hops"] == 2 for trial in failed)
    assert all("broken" in trial.user_attrs["path"] for trial in failed)
    fresh = optuna.create_study(direction="maximize")
    fresh.enqueue_trial(failed[0].params)
    with pytest.raises(ArithmeticError, match="it broke"):
        fresh.optimize(objective, n_trials=1)


# ---- the pruner alone, on studies made by hand


def means_of(scores: list[float]) -> dict[int, float]:
    return {step: float(np.mean(scores[: step + 1])) for step in range(len(scores))}


def made(scores: list[float], hops: int, student: str = "student", state: Any = TrialState.COMPLETE) -> FrozenTrial:
    means = means_of(scores)
    return create_trial(
        state=state,
        value=means[len(scores) - 1] if state == TrialState.COMPLETE else None,
        params={"x": 0},
        distributions={"x": IntDistribution(0, 1)},
        user_attrs={"hops": hops, "student": student},
        intermediate_values=means,
    )


def study_of(*trials: FrozenTrial, direction: str = "maximize") -> optuna.Study:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study


BASELINE = [0.9, 0.8, 0.9, 0.8]


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([0.8, 0.7], True),  # behind by 0.1 in both folds
        ([0.8, 0.7, 0.8], True),
        ([0.9, 0.8], False),  # the same
        ([1.0, 0.9], False),  # ahead
        ([0.5, 1.2], False),  # gaps .4 and -.4
        ([0.7, 0.85], False),  # gaps .2 and -.05: .075 behind, error .125
        ([0.7, 0.8], True),  # gaps .2 and 0: .1 behind, error .1: at least one error
        ([0.7, 0.79], True),  # gaps .2 and .01: .105 behind, error .095
        ([0.1], False),  # one fold is too few
        ([0.2, 0.7], True),  # gaps .7 and .1: .4 behind, error .3
    ],
)
def test_clearly_behind_the_best_one_hop_trial_fold_by_fold(scores: list[float], stops: bool) -> None:
    study = study_of(made(BASELINE, 1), made([0.1, 0.1, 0.1, 0.1], 1))
    assert OneHopPruner().prune(study, made(scores, 2, state=TrialState.RUNNING)) is stops


def test_fold_scores_are_recovered_from_running_means_of_any_order() -> None:
    """Only the folds themselves tell these two apart: their means are equal."""
    study = study_of(made([0.5, 0.9, 0.4], 1))
    steady, wild = [0.4, 0.8, 0.3], [0.9, 0.2, 0.4]
    assert np.mean(steady) == pytest.approx(np.mean(wild))
    assert OneHopPruner().prune(study, made(steady, 2, state=TrialState.RUNNING))
    assert not OneHopPruner().prune(study, made(wild, 2, state=TrialState.RUNNING))


@pytest.mark.parametrize("hops", [0, 1])
def test_plain_and_one_hop_trials_are_never_stopped(hops: int) -> None:
    study = study_of(made(BASELINE, 1))
    assert not OneHopPruner().prune(study, made([0.1, 0.1, 0.1], hops, state=TrialState.RUNNING))
    assert OneHopPruner().prune(study, made([0.1, 0.1, 0.1], 2, state=TrialState.RUNNING))


@pytest.mark.parametrize(
    "others",
    [
        (),
        (made(BASELINE, 0),),
        (made(BASELINE, 2),),
        (made(BASELINE, 1, "another"),),
        (made(BASELINE, 1, state=TrialState.PRUNED),),
        (made(BASELINE, 1, state=TrialState.RUNNING),),
    ],
    ids=["none", "plain", "two hops", "another student", "stopped", "running"],
)
def test_only_a_complete_one_hop_trial_of_the_same_student_is_a_baseline(others: Any) -> None:
    study = study_of(*others)
    assert not OneHopPruner().prune(study, made([0.1, 0.1, 0.1], 2, state=TrialState.RUNNING))


def test_a_trial_that_is_not_ours_is_left_alone() -> None:
    study = study_of(made(BASELINE, 1))
    foreign = create_trial(state=TrialState.RUNNING, intermediate_values=means_of([0.1, 0.1]))
    assert not OneHopPruner().prune(study, foreign)


def test_where_less_is_better_more_is_behind() -> None:
    study = study_of(made(BASELINE, 1), made([2.0, 2.0], 1), direction="minimize")
    assert OneHopPruner().prune(study, made([1.0, 0.9], 2, state=TrialState.RUNNING))
    assert not OneHopPruner().prune(study, made([0.8, 0.7], 2, state=TrialState.RUNNING))


def test_min_folds_and_n_errors_are_kept() -> None:
    study = study_of(made(BASELINE, 1))
    two, three = made([0.8, 0.7], 2, state=TrialState.RUNNING), made([0.8, 0.7, 0.8], 2, state=TrialState.RUNNING)
    assert OneHopPruner(min_folds=3).prune(study, three)
    assert not OneHopPruner(min_folds=3).prune(study, two)
    halting = made([0.2, 0.7], 2, state=TrialState.RUNNING)  # .4 behind, error .3
    assert OneHopPruner(n_errors=1.3).prune(study, halting)
    assert not OneHopPruner(n_errors=1.4).prune(study, halting)
    assert OneHopPruner(n_errors=0).prune(study, made([0.7, 0.85], 2, state=TrialState.RUNNING))


def test_the_folds_that_both_have_run_are_compared() -> None:
    study = study_of(made([0.9, 0.8], 1))
    assert OneHopPruner().prune(study, made([0.8, 0.7, 0.95], 2, state=TrialState.RUNNING))
    assert not OneHopPruner(min_folds=3).prune(study, made([0.8, 0.7, 0.1], 2, state=TrialState.RUNNING))


@pytest.mark.parametrize(
    "settings",
    [{"min_folds": 1}, {"min_folds": 2.0}, {"min_folds": True}, {"n_errors": -1.0}, {"n_errors": "1"}]
    + [{"n_errors": float("nan")}, {"n_errors": True}],
    ids=repr,
)
def test_bad_settings_of_the_pruner_are_refused(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(InvalidSetting, match=f"{name} must be .*: pass"):
        OneHopPruner(**settings)
