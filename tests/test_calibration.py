"""Calibration: the temperature by hand, its invariances, and which outputs carry it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    Hop,
    KnowledgeDistillation,
    LossCorrection,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    TeacherOutputs,
    Truncate,
)
from multihop_search.engine.crossfit import crossfit, crossfit_and_fit
from multihop_search.transfer.calibration import HIGHEST, LOWEST, calibrating_temperature, softened

pytestmark = pytest.mark.once

often = settings(deadline=None, derandomize=True, database=None, max_examples=100)


def said(p, n_right, n_wrong):
    """Rows of two classes whose first is said with probability p, and is true n_right times."""
    return np.full((n_right + n_wrong, 2), [p, 1 - p]), np.repeat([0, 1], [n_right, n_wrong])


def slow_log_loss(q, y, temperature, weights):
    total = 0.0
    for row, label, weight in zip(q, y, weights, strict=True):
        raised = [p ** (1 / temperature) for p in row]
        total -= weight * np.log(raised[label] / sum(raised))
    return total / sum(weights)


# The temperature


def test_softened_by_hand():
    # at 1/2: odds are squared, 4 to 16; at 2: their root
    assert_allclose(softened(np.array([[0.8, 0.2]]), 0.5), [[16 / 17, 1 / 17]])
    assert_allclose(softened(np.array([[0.8, 0.2], [0.5, 0.5]]), 2.0), [[2 / 3, 1 / 3], [0.5, 0.5]])
    assert_allclose(softened(np.array([[0.6, 0.3, 0.1]]), 0.5), [[36 / 46, 9 / 46, 1 / 46]])
    assert_allclose(softened(np.array([[1.0, 0.0]]), 3.0), [[1, 0]])
    assert_allclose(softened(np.array([[0.2, 0.2]]), 1.0), [[0.5, 0.5]])


def test_one_value_is_made_as_sure_as_it_is_right():
    q, y = said(0.8, 9, 1)  # odds of 4 that ought to be 9
    assert calibrating_temperature(q, y) == pytest.approx(np.log(4) / np.log(9), abs=2e-3)
    q, y = said(0.8, 2, 1)  # odds of 4 that ought to be 2: surer than right
    assert calibrating_temperature(q, y) == pytest.approx(2.0, abs=4e-3)


def test_two_values_by_hand():
    # at 1/2 odds of 4 become 16, right 16 of 17 times, and odds of 1.5 become 2.25, right 9 of 13 times
    sure, unsure = said(0.8, 16, 1), said(0.6, 9, 4)
    q, y = np.concatenate([sure[0], unsure[0]]), np.concatenate([sure[1], unsure[1]])
    assert calibrating_temperature(q, y) == pytest.approx(0.5, abs=1e-3)


def test_the_temperature_stays_between_its_ends():
    assert (LOWEST, HIGHEST) == (0.2, 5.0)
    assert calibrating_temperature(*said(0.6, 50, 0)) == pytest.approx(LOWEST, rel=0.01)  # always right
    assert calibrating_temperature(*said(0.9, 1, 50)) == pytest.approx(HIGHEST, rel=0.01)  # hardly ever


def test_a_probability_of_0_for_the_truth_does_not_decide_alone():
    q, y = said(0.8, 900, 100)
    without = calibrating_temperature(q[:-1], y[:-1])
    assert without == pytest.approx(np.log(4) / np.log(900 / 99), abs=2e-3)
    q[-1] = [1.0, 0.0]  # wrong and certain, as forests are: the same loss, that of the floor, at every temperature
    assert calibrating_temperature(q, y) == pytest.approx(without, abs=2e-3)
    q[-20:] = [1.0, 0.0]  # nor do twenty of them: 900 right and 80 wrong are left
    assert calibrating_temperature(q, y) == pytest.approx(np.log(4) / np.log(900 / 80), abs=2e-3)


def test_losses_are_those_of_floored_and_renormalised_probabilities_by_hand():
    # 30 rows right at odds 1.5; 10 wrong at p = .001 for the truth: floored below temperature 1, above it they count
    q = np.concatenate([np.full((30, 2), [0.6, 0.4]), np.full((10, 2), [0.999, 0.001])])
    y = np.repeat([0, 1], [30, 10])

    def loss(temperature):
        right = 0.6 ** (1 / temperature) / (0.6 ** (1 / temperature) + 0.4 ** (1 / temperature))
        wrong = 0.001 ** (1 / temperature) / (0.999 ** (1 / temperature) + 0.001 ** (1 / temperature))
        floored = [(max(p, 1e-3), max(1 - p, 1e-3)) for p in (right, wrong)]
        return -sum(n * np.log(p / (p + rest)) for n, (p, rest) in zip((30, 10), floored, strict=True))

    grid = np.geomspace(LOWEST, HIGHEST, 2000)
    losses = [loss(temperature) for temperature in grid]
    assert calibrating_temperature(q, y) == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)


@st.composite
def tables(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_classes = draw(st.integers(2, 4))
    q = rng.dirichlet(np.full(n_classes, 2.0), 120)
    q = (q + 0.05) / (q + 0.05).sum(axis=1, keepdims=True)
    sharp = q ** draw(st.floats(0.6, 1.7))
    y = np.array([rng.choice(n_classes, p=row / row.sum()) for row in sharp])
    return q, y, rng


@often
@given(tables())
def test_no_other_temperature_has_less_log_loss(table):
    q, y, rng = table
    weights = rng.uniform(0.1, 3, len(y))
    found = calibrating_temperature(q, y, weights)
    least = slow_log_loss(q, y, found, weights)
    for other in np.geomspace(LOWEST, HIGHEST, 25):
        assert least <= slow_log_loss(q, y, other, weights) + 1e-4


@often
@given(tables(), st.floats(0.7, 1.4))
def test_what_is_calibrated_needs_no_more_and_a_softened_one_is_undone(table, temperature):
    q, y, _ = table
    found = calibrating_temperature(q, y)
    if not 0.4 < found < 2.5:
        return
    assert calibrating_temperature(softened(q, found), y) == pytest.approx(1.0, abs=5e-3)
    assert calibrating_temperature(softened(q, temperature), y) == pytest.approx(found / temperature, rel=5e-3)


@often
@given(tables())
def test_whole_weights_are_rows_repeated(table):
    q, y, rng = table
    times = rng.integers(0, 4, len(y))
    times[:2] = 1
    weighted = calibrating_temperature(q, y, times.astype(float))
    assert weighted == pytest.approx(
        calibrating_temperature(np.repeat(q, times, axis=0), np.repeat(y, times)), rel=1e-6
    )
    assert calibrating_temperature(q, y, np.full(len(y), 7.0)) == pytest.approx(calibrating_temperature(q, y), rel=1e-6)


# What passes on


def test_outputs_pass_on_calibrated():
    outputs = TeacherOutputs(np.array([[0.8, 0.2], [0.5, 0.5]], dtype=np.float32), temperature=0.5)
    assert_allclose(outputs.calibrated, [[16 / 17, 1 / 17], [0.5, 0.5]], rtol=1e-6)
    assert_allclose(outputs.softened(2.0), [[0.8, 0.2], [0.5, 0.5]], rtol=1e-6)  # 2 * 0.5 = 1
    assert outputs.take(np.array([1])).temperature == 0.5
    y = np.array([0, 1])
    distilled = KnowledgeDistillation(alpha=0.5, temperature=1.0).transfer_set(outputs, y).targets
    assert_allclose(distilled, [[0.5 + 8 / 17, 0.5 / 17], [0.25, 0.75]], rtol=1e-6)
    for scheme in (KnowledgeDistillation(alpha=0.5, temperature=1.0), LossCorrection(c=0.1)):
        assert_allclose(scheme.label(outputs), [[16 / 17, 1 / 17], [0.5, 0.5]], rtol=1e-6)
    # g = c / (c + r**2), targets q + g r with r = Y - q, divided by their sum: both residuals are 1 / 17
    corrected = LossCorrection(c=0.1).transfer_set(outputs, y).targets
    r = 1 / 17
    assert_allclose(corrected[0], [16 / 17 + 0.1 / (0.1 + r**2) * r, r - 0.1 / (0.1 + r**2) * r], rtol=1e-5)


def test_values_have_no_temperature():
    outputs = TeacherOutputs(np.array([[3.0], [-1.0]], dtype=np.float32), temperature=0.5)
    assert_array_equal(outputs.calibrated, [[3.0], [-1.0]])
    assert_array_equal(outputs.softened(2.0), [[3.0], [-1.0]])


# Which outputs carry it

ROWS = make_classification(200, 5, n_informative=3, n_redundant=0, flip_y=0.1, random_state=0)


def made_for(teacher, X=ROWS[0], y=ROWS[1], sample_weight=None, **more):
    usual = {"intermediates": [], "schemes": [KnowledgeDistillation()], "n_trials": 4, "cv": 3, "random_state": 0}
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=2), teacher, **{**usual, **more})
    return search.set_up(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize(("number", "weighted"), [(0, True), (-1, False)])
@pytest.mark.parametrize("teacher", [RandomForestClassifier(100), GaussianNB()], ids=["out of bag", "by parts"])
def test_cross_fitted_outputs_carry_the_temperature_of_the_training_rows(number, teacher, weighted):
    weights = np.random.default_rng(0).uniform(0.1, 3, 200) if weighted else None
    made = made_for(teacher, sample_weight=weights)
    outputs = crossfit(made.problem, made.ladder, number, ())
    train = made.problem.fold(number).train
    grid = np.geomspace(LOWEST, HIGHEST, 400)
    w = np.ones(len(train)) if weights is None else weights[train]
    losses = []
    for temperature in grid:
        floored = np.maximum(softened(outputs.predictions.astype(float), temperature), 1e-3)
        floored /= floored.sum(axis=1, keepdims=True)
        losses.append(np.average(-np.log(floored[np.arange(len(train)), ROWS[1][train]]), weights=w))
    assert outputs.temperature == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)


def test_synthetic_rows_have_the_temperature_of_the_real_ones():
    for teacher in (RandomForestClassifier(40), GaussianNB()):
        made = made_for(teacher, schemes=[KnowledgeDistillation(), ModelCompression(multiple=1)])
        outputs = crossfit(made.problem, made.ladder, 0, ())
        assert outputs.synthetic
        assert {of.temperature for of in outputs.synthetic.values()} == {outputs.temperature}
        assert outputs.temperature != 1
        positions = np.arange(10)
        name = next(iter(outputs.synthetic))
        taken = outputs.take(positions, {name: positions})
        assert taken.synthetic[name].temperature == outputs.temperature


def test_a_truncated_teacher_has_a_temperature_of_its_own():
    made = made_for(HistGradientBoostingClassifier(max_iter=40), intermediates="auto", max_hops=2)
    cut = made.ladder.truncations[-1]
    upper = crossfit(made.problem, made.ladder, 0, ())
    stage = crossfit(made.problem, made.ladder, 0, (Hop(cut, cut.model),), upper)
    y = ROWS[1][made.problem.fold(0).train]
    assert isinstance(cut, Truncate)
    assert stage.temperature == pytest.approx(calibrating_temperature(upper.stages[cut.k], y))
    assert stage.temperature < upper.temperature  # fewer rounds are less sure


def test_the_outputs_of_a_refit_carry_it_too():
    made = made_for(GaussianNB())
    outputs, _ = crossfit_and_fit(made.problem, made.ladder, -1, ())
    assert outputs.temperature == crossfit(made.problem, made.ladder, -1, ()).temperature != 1


def test_in_sample_and_frozen_outputs_pass_as_they_are():
    # a model on its own training rows is surer than it ought to be: what would calibrate it there misleads
    made = made_for(RandomForestClassifier(40), crossfit_cv=False)
    assert crossfit(made.problem, made.ladder, 0, ()).temperature == 1
    frozen = FrozenEstimator(RandomForestClassifier(40, random_state=0).fit(*ROWS))
    with_rows = [KnowledgeDistillation(), ModelCompression(multiple=1)]
    made = made_for(frozen, schemes=with_rows)
    outputs = crossfit(made.problem, made.ladder, 0, ())
    assert outputs.temperature == 1
    assert {of.temperature for of in outputs.synthetic.values()} == {1}


def test_regression_has_none():
    X, y = ROWS
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2), DecisionTreeRegressor(), intermediates=[], n_trials=4, random_state=0
    )
    made = search.set_up(X, X[:, 0] + y)
    assert crossfit(made.problem, made.ladder, 0, ()).temperature == 1


def test_the_temperature_is_the_same_every_time():
    made = made_for(GaussianNB())
    one, two = (crossfit(replace(made.problem), made.ladder, 0, ()) for _ in range(2))
    assert one.temperature == two.temperature
