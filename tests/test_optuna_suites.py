"""Optuna's own test suite for samplers on `WindowedSampler`, and what its suite asks of every pruner on `OneHopPruner`.

Optuna ships the first as `optuna.testing.pytest_samplers`; the tests of its pruners are not part of a release.
"""

import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.pruners import BasePruner, PatientPruner
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from multihop_search import OneHopPruner, WindowedSampler

suite = pytest.importorskip("optuna.testing.pytest_samplers")
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore::FutureWarning")

SMALL = {"n_best": 2, "n_last": 2, "every": 1}
"""Moves at nearly every trial."""


def over_tpe() -> WindowedSampler:
    return WindowedSampler(lambda seed: TPESampler(seed=seed, n_startup_trials=1), seed=0, **SMALL)


def over_joint_tpe() -> WindowedSampler:
    return WindowedSampler(
        lambda seed: TPESampler(seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True), seed=0, **SMALL
    )


def over_qmc() -> WindowedSampler:
    return WindowedSampler(lambda seed: QMCSampler(seed=seed), seed=0, **SMALL)


def over_random() -> WindowedSampler:
    return WindowedSampler(lambda seed: RandomSampler(seed=seed), seed=0, **SMALL)


@pytest.fixture(params=[over_tpe, pytest.param(over_random, marks=pytest.mark.slow)])
def every(request: Any) -> Callable[[], BaseSampler]:
    return request.param


@pytest.fixture(params=[over_joint_tpe, pytest.param(over_qmc, marks=pytest.mark.slow)])
def joint(request: Any) -> Callable[[], BaseSampler]:
    return request.param


class TestEveryWindow(suite.BasicSamplerTestCase, suite.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self, every: Callable[[], BaseSampler]) -> Callable[[], BaseSampler]:
        return every


@pytest.mark.slow
class TestJointWindow(suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self, joint: Callable[[], BaseSampler]) -> Callable[[], BaseSampler]:
        return joint


# ---- what Optuna's tests ask of its pruners


@pytest.fixture(params=["maximize", "minimize"])
def study(request: Any) -> optuna.Study:
    return optuna.create_study(direction=request.param, pruner=OneHopPruner())


def asked(study: optuna.Study, reports: list[float], hops: int | None) -> optuna.trial.Trial:
    trial = study.ask()
    if hops is not None:
        trial.set_user_attr("hops", hops)
    for step, value in enumerate(reports):
        trial.report(value, step)
    return trial


def test_nothing_is_stopped_before_a_report(study: optuna.Study) -> None:
    study.tell(asked(study, [1.0, 1.0], 1), 1.0)
    assert not asked(study, [], 2).should_prune()


def test_the_first_trial_is_not_stopped(study: optuna.Study) -> None:
    for hops in (None, 0, 1, 2):
        assert not asked(study, [0.0, 0.0, 0.0], hops).should_prune()


def test_no_trial_is_stopped_against_others_that_failed_or_were_stopped(study: optuna.Study) -> None:
    for state in (TrialState.FAIL, TrialState.PRUNED):
        study.tell(asked(study, [5.0, 5.0, 5.0], 1), state=state)
    worse = -9.0 if study.direction.name == "MAXIMIZE" else 9.0
    assert not asked(study, [worse] * 3, 2).should_prune()


def test_a_report_that_is_no_number_stops_nothing(study: optuna.Study) -> None:
    study.tell(asked(study, [1.0, 1.0, 1.0], 1), 1.0)
    assert not asked(study, [1.0, math.nan, math.nan], 2).should_prune()


def test_direction_decides_what_is_behind(study: optuna.Study) -> None:
    study.tell(asked(study, [1.0, 1.1, 1.2], 1), 1.2)
    sign = 1.0 if study.direction.name == "MAXIMIZE" else -1.0
    assert asked(study, [1.0 - 5 * sign, 1.1 - 5 * sign, 1.2 - 5 * sign], 2).should_prune()
    assert not asked(study, [1.0 + 5 * sign, 1.1 + 5 * sign, 1.2 + 5 * sign], 2).should_prune()


def test_steps_may_be_reported_in_any_order_and_again(study: optuna.Study) -> None:
    study.tell(asked(study, [1.0, 1.0, 1.0], 1), 1.0)
    trial = study.ask()
    trial.set_user_attr("hops", 2)
    for step in (2, 0, 1):
        trial.report(1.0, step)
    with pytest.warns(UserWarning, match="already reported"):
        trial.report(7.0, 1)
    assert not trial.should_prune()


def test_it_is_a_pruner_that_others_can_wrap() -> None:
    pruner = OneHopPruner()
    assert isinstance(pruner, BasePruner)
    study = optuna.create_study(direction="maximize", pruner=PatientPruner(pruner, patience=0))
    study.tell(asked(study, [1.0, 1.0, 1.0, 1.0], 1), 1.0)
    assert asked(study, [-1.0, -1.0, -1.1, -1.2], 2).should_prune()


def test_studies_run_to_their_end_with_it(study: optuna.Study) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = trial.suggest_float("x", 0, 1)
        trial.set_user_attr("hops", trial.number % 4)
        for step in range(3):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=40)
    states = {trial.state for trial in study.trials if trial.number % 4 >= 2}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials if trial.number % 4 < 2)
