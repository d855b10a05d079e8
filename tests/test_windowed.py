"""The windowed sampler: as the sampler alone at first, a window of the best and the last trials later."""

import copy
import math
import pickle
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier, OwnFit
from multihop_search.engine.study import set_constraints
from multihop_search.errors import InvalidSetting
from multihop_search.studies.windowed import WindowedSampler

SMALL = {"n_best": 10, "n_last": 15, "every": 10}
DIRECTIONS = ["minimize", "maximize"]
STEPS = ["swap", "queue", "ask", "ask", "ask", "tell", "tell"]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)


def tpe(seed: int) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=5)


def tpe_by_group(seed: int) -> TPESampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, n_startup_trials=5, multivariate=True, group=True)


def tpe_by_parameter(seed: int) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=5, multivariate=False)


def tpe_without_liar(seed: int) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=5, constant_liar=False)


def genetic(seed: int) -> NSGAIISampler:
    return NSGAIISampler(seed=seed, population_size=6)


class Watched(TPESampler):
    """Notes the trials that it is shown whenever it infers a space, and itself."""

    def __init__(self, seed: int, notes: list[tuple[BaseSampler, list[FrozenTrial]]]) -> None:
        super().__init__(seed=seed, n_startup_trials=5)
        self.notes = notes

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Any:
        self.notes.append((self, study.get_trials(deepcopy=False)))
        return super().infer_relative_search_space(study, trial)


Notes = list[tuple[BaseSampler, list[FrozenTrial]]]


def watched(notes: Notes) -> Callable[[int], Watched]:
    return lambda seed: Watched(seed, notes)


def draw(trial: Trial) -> float:
    """Draw from a space with a branch; the best is 0."""
    value = trial.suggest_float("x", -5, 5) ** 2 + trial.suggest_int("n", 0, 4)
    if trial.suggest_categorical("kind", ["a", "b", "c"]) == "a":
        value += trial.suggest_float("rate", 1e-3, 1, log=True)
    return value


def eventful(trial: Trial) -> float:
    """Draw; some trials are pruned, some fail, some break a constraint."""
    value = draw(trial)
    trial.set_user_attr("number", trial.number)
    set_constraints(trial, {"size": 1.0 + trial.number if trial.number % 5 == 2 else -1.0})
    if trial.number % 7 == 3:
        for step in range(trial.number % 3):
            trial.report(math.nan if trial.number % 2 else value, step)
        raise optuna.TrialPruned
    if trial.number % 11 == 4:
        return math.nan
    return value


def params_of(study: Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def finished(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state.is_finished()]


@pytest.mark.parametrize(
    ("make", "direction"),
    [
        (tpe, "maximize"),
        (tpe_by_group, "minimize"),
        (tpe_by_parameter, "maximize"),
        (tpe_without_liar, "minimize"),
        (genetic, "maximize"),
        (lambda seed: RandomSampler(seed=seed), "minimize"),
    ],
)
def test_within_the_window_it_draws_as_the_sampler_alone(make: Callable[[int], BaseSampler], direction: str) -> None:
    drawn = []
    for sampler in (make(3), WindowedSampler(make, seed=3)):
        study = optuna.create_study(direction=direction, sampler=sampler)
        study.enqueue_trial({"x": 1.0, "kind": "a"})
        study.enqueue_trial({"n": 3})
        study.optimize(eventful, n_trials=30)
        drawn.append(params_of(study))
    assert drawn[0] == drawn[1]
    assert drawn[0][0]["x"] == 1.0


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7))))
@example([("queue", 3), ("queue", 2), *4 * [("ask", 0)]])
def test_trials_may_be_told_in_any_order_and_other_samplers_may_be_in_force(steps: list[tuple[str, int]]) -> None:
    drawn = []
    for sampler in (tpe(3), WindowedSampler(tpe, seed=3)):
        study, other = optuna.create_study(sampler=sampler), RandomSampler(seed=0)
        study.optimize(eventful, n_trials=8)
        under_way: list[tuple[Trial, float]] = []
        for step, place in steps:
            if step == "swap":
                study.sampler = other if study.sampler is sampler else sampler
            elif step == "queue":
                study.enqueue_trial({"x": place - 4.0, **({"n": 1, "kind": "b"} if place % 2 else {})})
            elif step == "ask":
                trial = study.ask()
                under_way.append((trial, draw(trial)))
            elif under_way:
                trial, value = under_way.pop(place % len(under_way))
                study.tell(trial, value if place else None, state=None if place else TrialState.FAIL)
        drawn.append(params_of(study))
    assert drawn[0] == drawn[1]


@pytest.mark.once
def test_what_is_shown_stays_small() -> None:
    notes: Notes = []
    study = optuna.create_study(sampler=WindowedSampler(watched(notes), seed=0, **SMALL))
    under_way: deque[tuple[Trial, float]] = deque()
    for _ in range(150):
        trial = study.ask()
        under_way.append((trial, draw(trial)))
        if len(under_way) == 4:
            study.tell(*under_way.popleft())
    sizes = [len(finished(shown)) for _, shown in notes]
    assert sizes[:35] == [0, 0, 0, 0, *range(1, 32)]
    assert max(sizes) == 34
    assert set(sizes[50:]) == set(range(25, 35))
    assert {len(shown) - size for (_, shown), size in zip(notes[3:], sizes[3:], strict=True)} == {4}
    assert len({id(sampler) for sampler, _ in notes}) == 1 + (147 - 25) // 10


def order(trial: FrozenTrial, direction: str) -> tuple[float, ...]:
    number, sign = trial.user_attrs["number"], 1 if direction == "minimize" else -1
    if number % 5 == 2:
        return (2, number)
    if trial.state == TrialState.PRUNED:
        steps = number % 3
        worth = (math.inf if number % 2 else sign * trial.intermediate_values[0]) if steps else 0.0
        return (1, 1 - steps, worth)
    assert trial.value is not None
    return (0, sign * trial.value)


@pytest.mark.once
@pytest.mark.parametrize(("n_best", "n_trials", "direction"), [(10, 80, "minimize"), (60, 110, "maximize")])
def test_a_moved_window_holds_the_last_and_the_best_of_those_before(n_best: int, n_trials: int, direction: str) -> None:
    notes: Notes = []
    sampler = WindowedSampler(watched(notes), seed=0, n_best=n_best, n_last=15, every=10)
    study = optuna.create_study(direction=direction, sampler=sampler)
    study.optimize(eventful, n_trials=n_trials)
    everything, moves = study.get_trials(deepcopy=False), 0
    for number in range(1, n_trials):
        if notes[number][0] is notes[number - 1][0]:
            continue
        moves += 1
        useful = [trial for trial in everything[:number] if trial.state != TrialState.FAIL]
        best = sorted(useful[:-15], key=lambda trial: order(trial, direction))[:n_best]
        expected = sorted(trial.number for trial in [*best, *useful[-15:]])
        shown = finished(notes[number][1])
        assert [trial.user_attrs["number"] for trial in shown] == expected
        for twin in shown:
            trial = everything[twin.user_attrs["number"]]
            assert (twin.params, twin.distributions, twin.state) == (trial.params, trial.distributions, trial.state)
            assert twin.values == trial.values
            assert str(twin.intermediate_values) == str(trial.intermediate_values)  # NaN is equal to NaN in words
            assert trial.system_attrs.items() <= twin.system_attrs.items()
    assert moves == (n_trials - 1 - n_best - 15) // 10


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_best_come_in_the_order_in_which_tpe_sees_them(direction: str) -> None:
    """Best first: complete, pruned late and well, late and badly, late without a value, early, at once; infeasible."""
    sign = 1.0 if direction == "minimize" else -1.0
    complete, pruned = TrialState.COMPLETE, TrialState.PRUNED
    ranked: list[dict[str, Any]] = [
        {"state": complete, "value": -3 * sign},
        {"state": complete, "value": 9 * sign},
        {"state": pruned, "intermediate_values": {0: 7 * sign, 5: -4 * sign}},
        {"state": pruned, "intermediate_values": {5: 2 * sign}},
        {"state": pruned, "intermediate_values": {5: math.nan}},
        {"state": pruned, "intermediate_values": {1: -9 * sign}},
        {"state": pruned},
        {"state": complete, "value": -9 * sign, "system_attrs": {"constraints": [-8.0, 1.0]}},
        {"state": complete, "value": -9 * sign, "system_attrs": {"constraints": [1.0, 1.0]}},
    ]
    order_asked = [5, 4, 8, 2, 7, 0, 6, 3, 1]
    for n_best in range(1, 9):
        notes: Notes = []
        sampler = WindowedSampler(watched(notes), seed=0, n_best=n_best, n_last=1, every=1)
        study = optuna.create_study(direction=direction, sampler=sampler)
        for rank in order_asked:
            study.add_trial(optuna.trial.create_trial(**ranked[rank], user_attrs={"rank": rank}))
        study.add_trial(optuna.trial.create_trial(state=pruned, user_attrs={"rank": "last"}))
        study.ask().suggest_float("x", 0, 1)
        [(_, shown)] = notes
        kept = [trial.user_attrs["rank"] for trial in finished(shown)]
        assert kept == [*(rank for rank in order_asked if rank < n_best), "last"]


def test_trials_under_way_move_along() -> None:
    notes: Notes = []
    study = optuna.create_study(sampler=WindowedSampler(watched(notes), seed=0, **SMALL))
    long = study.ask()
    x = long.suggest_float("x", -5, 5)
    study.optimize(draw, n_trials=40)
    long.suggest_int("n", 0, 4)
    study.tell(long, -1.0)
    study.optimize(draw, n_trials=5)
    before, after = notes[-6][1], notes[-1][1]
    assert next(trial.params for trial in before if trial.state == TrialState.RUNNING) == {"x": x}
    assert [trial.params for trial in after if trial.value == -1.0] == [long.params]
    assert len(long.params) == 2


@pytest.mark.once
@pytest.mark.parametrize("make", [tpe_by_group, genetic])
def test_the_same_seed_draws_the_same_beyond_the_window(make: Callable[[int], BaseSampler]) -> None:
    drawn = []
    for seed in (1, 1, 2):
        study = optuna.create_study(sampler=WindowedSampler(make, seed=seed, **SMALL))
        study.optimize(eventful, n_trials=60)
        drawn.append(params_of(study))
    assert drawn[0] == drawn[1]
    assert drawn[0][40:] != drawn[2][40:]


def test_each_window_has_a_sampler_with_a_seed_of_its_own() -> None:
    seeds: list[int] = []

    def make(seed: int) -> RandomSampler:
        seeds.append(seed)
        return RandomSampler(seed=seed)

    study = optuna.create_study(sampler=WindowedSampler(make, seed=7, **SMALL))
    study.optimize(draw, n_trials=100)
    assert seeds[0] == 7
    assert len(set(seeds)) == len(seeds) == 1 + (99 - 25) // 10
    assert len({trial.params["x"] for trial in study.trials}) == 100


def test_without_a_seed_runs_differ() -> None:
    drawn = []
    for _ in range(2):
        study = optuna.create_study(sampler=WindowedSampler(tpe, **SMALL))
        study.optimize(draw, n_trials=40)
        drawn.append(params_of(study))
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][39] != drawn[1][39]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda sampler: pickle.loads(pickle.dumps(sampler))])
@pytest.mark.parametrize("n_trials", [0, 40])
def test_a_copy_draws_what_the_original_would(copied: Callable[[Any], Any], n_trials: int) -> None:
    study = optuna.create_study(sampler=WindowedSampler(tpe, seed=0, **SMALL))
    study.optimize(draw, n_trials=n_trials)
    twin = copy.deepcopy(study)
    twin.sampler = copied(study.sampler)
    study.optimize(draw, n_trials=25)
    twin.optimize(draw, n_trials=25)
    assert params_of(study) == params_of(twin)


def test_reseeding_reaches_this_sampler_and_those_to_come() -> None:
    study = optuna.create_study(sampler=WindowedSampler(lambda seed: RandomSampler(seed=seed), seed=0, **SMALL))
    twin = copy.deepcopy(study)
    twin.sampler.reseed_rng()
    for one in (study, twin):
        one.optimize(draw, n_trials=60)
    pairs = list(zip(params_of(study), params_of(twin), strict=True))
    assert all(ours["x"] != theirs["x"] for ours, theirs in pairs)


@pytest.mark.once
@pytest.mark.parametrize("make", [tpe_by_group, None])
def test_two_threads_may_draw(make: Callable[[int], BaseSampler] | None) -> None:
    notes: Notes = []
    study = optuna.create_study(sampler=WindowedSampler(make or watched(notes), seed=0, **SMALL))
    together = threading.Barrier(2)

    def objective(trial: Trial) -> float:
        together.wait(60)  # both are asked before either draws
        return draw(trial)

    study.optimize(objective, n_trials=60, n_jobs=2)
    trials = study.get_trials(deepcopy=False)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 60
    assert len({trial.params["x"] for trial in trials}) > 10
    assert all(len(finished(shown)) < 35 for _, shown in notes)


class Alone(TPESampler):
    """Is disturbed if two threads ask it at once."""

    busy = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return alone(self, found) if name in ASKED else found


ASKED = ["before_trial", "infer_relative_search_space", "sample_relative", "sample_independent", "reseed_rng"]


def alone(sampler: Alone, method: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*args: Any) -> Any:
        assert not sampler.busy
        sampler.busy = True
        time.sleep(1e-3)
        found = method(*args)
        sampler.busy = False
        return found

    return asked


def test_threads_take_turns() -> None:
    study = optuna.create_study(sampler=WindowedSampler(lambda seed: Alone(seed=seed, n_startup_trials=5)))
    study.optimize(draw, n_trials=24, n_jobs=2)
    assert len(study.trials) == 24


def test_constraints_are_kept() -> None:
    """The best value lies where the constraint is broken; what is drawn late lies where it is kept."""

    def objective(trial: Trial) -> float:
        x = trial.suggest_float("x", 0, 10)
        if hasattr(trial, "set_constraint"):
            trial.set_constraint("at least 6", 6 - x)
        return x

    if not hasattr(Trial, "set_constraint"):
        pytest.skip("before Optuna 5 only constraints_func has an effect")
    study = optuna.create_study(sampler=WindowedSampler(tpe, seed=0, n_best=20, n_last=20, every=20))
    study.optimize(objective, n_trials=100)
    late = [trial.params["x"] for trial in study.trials[60:]]
    assert sum(x >= 5.5 for x in late) > 20
    assert 6 <= study.best_params["x"] < 6.2


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::optuna.exceptions.ExperimentalWarning")
def test_constraints_may_come_from_a_function() -> None:
    def make(seed: int) -> TPESampler:
        return TPESampler(seed=seed, n_startup_trials=5, constraints_func=lambda trial: (6 - trial.params["x"],))

    drawn = []
    for sampler in (make(0), WindowedSampler(make, seed=0), WindowedSampler(make, seed=0, **SMALL)):
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 10), n_trials=60)
        drawn.append([trial.params["x"] for trial in study.trials])
        assert study.trials[7].system_attrs["constraints"] == (6 - drawn[-1][7],)
    assert drawn[0] == drawn[1]
    assert sum(x >= 5.5 for x in drawn[2][40:]) > 6  # of 20; without constraints 3


@pytest.mark.once
def test_it_finds_what_the_sampler_finds_that_sees_all() -> None:
    """A planted optimum: f = 0 at x = (.3, -.3, .3, -.3), n = 7."""

    def objective(trial: Trial) -> float:
        far = sum((trial.suggest_float(f"x{i}", -2, 2) - (-1) ** i * 0.3) ** 2 for i in range(4))
        return far + abs(trial.suggest_int("n", 0, 20) - 7) / 10

    def mean_best(make: Callable[[int], BaseSampler]) -> float:
        best = []
        for seed in range(3):
            study = optuna.create_study(sampler=make(seed))
            study.optimize(objective, n_trials=100)
            best.append(study.best_value)
        return sum(best) / len(best)

    random = mean_best(lambda seed: RandomSampler(seed=seed))
    windowed = mean_best(lambda seed: WindowedSampler(tpe, seed=seed, n_best=20, n_last=20, every=20))
    assert random - windowed > 0.8 * (random - mean_best(tpe)) > 0


def test_another_study_begins_anew() -> None:
    notes: Notes = []
    sampler = WindowedSampler(watched(notes), seed=0, **SMALL)
    first = optuna.create_study(study_name="first", sampler=sampler)
    first.optimize(draw, n_trials=60)
    seen = {id(sampler) for sampler, _ in notes}
    longer = optuna.create_study(direction="maximize", sampler=sampler)
    longer.add_trials(random_trials(70))
    shorter = optuna.create_study(study_name=longer.study_name, direction="maximize", sampler=sampler)
    shorter.add_trials(random_trials(20))
    for study, n_shown in ((longer, 25), (shorter, 20), (first, 25)):
        notes.clear()
        study.optimize(draw, n_trials=1)
        [(inner, shown)] = notes
        assert id(inner) not in seen
        seen.add(id(inner))
        everything = [trial.params for trial in study.trials]
        assert len(finished(shown)) == n_shown
        assert all(trial.params in everything for trial in finished(shown))


def random_trials(n_trials: int) -> list[FrozenTrial]:
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=n_trials))
    study.optimize(draw, n_trials=n_trials)
    return study.trials


def test_a_long_history_is_cut_at_once() -> None:
    notes: Notes = []
    old = random_trials(500)
    study = optuna.create_study(direction="maximize", sampler=WindowedSampler(watched(notes), seed=0, **SMALL))
    study.add_trials(old)
    study.optimize(draw, n_trials=1)
    [(_, shown)] = notes
    values = [trial.value for trial in finished(shown)]
    assert len(values) == 25
    assert max(trial.value for trial in old) in values


@pytest.mark.once
def test_a_search_draws_from_it(blobs: Any) -> None:
    tables, notes = [], Notes()
    for _ in range(2):
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=3),
            RandomForestClassifier(5),
            intermediates=[("tree", DecisionTreeClassifier(max_depth=6))],
            n_trials=24,
            cv=2,
            tree_fits=[OwnFit()],
            crossfit_cv=2,
            n_ahead=3,
            sampler=lambda seed: WindowedSampler(watched(notes), seed=seed, n_best=4, n_last=6, every=5),
            random_state=0,
        ).fit(*blobs)
        tables.append([(trial.params, trial.value) for trial in search.study_.trials])
    assert tables[0] == tables[1]
    sizes = [len(finished(shown)) for _, shown in notes]
    assert max(sizes) == 14
    assert min(sizes[-8:]) >= 10


def test_it_works_with_a_storage_on_disk(tmp_path: Path) -> None:
    drawn = []
    for storage in (None, f"sqlite:///{tmp_path}/trials.db"):
        study = optuna.create_study(storage=storage, sampler=WindowedSampler(tpe, seed=0, n_best=3, n_last=3, every=2))
        study.enqueue_trial({"x": 1.0})
        study.optimize(eventful, n_trials=11)
        drawn.append(params_of(study))
    assert drawn[0] == drawn[1]


def test_brackets_are_seen_together() -> None:
    notes: Notes = []
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(sampler=WindowedSampler(watched(notes), seed=0, **SMALL), pruner=pruner)

    def objective(trial: Trial) -> float:
        value = draw(trial)
        trial.report(value, 1)
        trial.should_prune()  # the brackets are made at the first such call
        return value

    study.optimize(objective, n_trials=45)
    assert len({pruner._get_bracket_id(study, trial) for trial in study.trials}) > 1
    assert len(finished(notes[30][1])) == 30
    assert len(finished(notes[-1][1])) == 34


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"make": TPESampler(seed=0)}, "make must be a function of a seed"),
        ({"make": "tpe"}, "make must be a function of a seed"),
        ({"make": lambda seed: seed}, r"make must return an optuna\.samplers\.BaseSampler, got int"),
        ({"seed": -1}, "seed must be None or an integer of at least 0, got -1"),
        ({"seed": True}, "seed must be None or an integer"),
        ({"n_best": 0}, "n_best must be an integer of at least 1, got 0"),
        ({"n_last": 2.5}, r"n_last must be an integer of at least 1, got 2\.5"),
        ({"every": None}, "every must be an integer of at least 1, got None"),
    ],
)
def test_wrong_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        WindowedSampler(**{"make": tpe, **settings})


def test_several_objectives_are_refused() -> None:
    study = optuna.create_study(directions=DIRECTIONS, sampler=WindowedSampler(tpe))
    with pytest.raises(InvalidSetting, match="WindowedSampler needs a study with one objective, got 2: use"):
        study.ask()


def test_a_finished_trial_draws_no_more() -> None:
    study = optuna.create_study(sampler=WindowedSampler(tpe))
    trial = study.ask()
    study.tell(trial, 1.0)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError, match="trial 0 is finished"):
        trial.suggest_float("x", 0, 1)
