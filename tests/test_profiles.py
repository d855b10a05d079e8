"""LossCorrection and ProfWeight: values worked by hand, and small searches with them."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    ConfWeight,
    LossCorrection,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    ProfWeight,
    SRatio,
    TeacherOutputs,
    TransferSet,
)
from multihop_search.errors import InvalidSetting, UnsuitableModel

pytestmark = pytest.mark.once


def corrected(c: float, q: list[list[float]], y: list[float]) -> np.ndarray:
    return LossCorrection(c=c).transfer_set(TeacherOutputs(np.array(q)), np.array(y)).targets


# LossCorrection: classes


def test_loss_correction_by_hand() -> None:
    # Row 0, y = 0: residuals (.5, -.3, -.2); g = .1 / (.1 + (.25, .09, .04)) = (2/7, 10/19, 5/7)
    # q + g r = (.5 + 1/7, .3 - 3/19, .2 - 1/7) = (9/14, 27/190, 2/35), then divided by their sum
    row = np.array([9 / 14, 27 / 190, 2 / 35])
    # Row 1, y = 2: residuals (0, -1, 1); g = (1, 1/11, 1/11): (0, 10/11, 1/11), which sum to 1
    expected = [row / row.sum(), [0.0, 10 / 11, 1 / 11]]
    np.testing.assert_allclose(corrected(0.1, [[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]], [0, 2]), expected, rtol=1e-12)


def test_loss_correction_of_two_classes_needs_no_division() -> None:
    # y = 1: residuals (-.75, .75); g = 1 / (1 + 9/16) = 16/25; q + g r = (.75 - .48, .25 + .48)
    np.testing.assert_allclose(corrected(1.0, [[0.75, 0.25]], [1]), [[0.27, 0.73]], rtol=1e-12)


def test_loss_correction_goes_from_distillation_to_labels() -> None:
    q, y = [[0.6, 0.3, 0.1]], [1]
    np.testing.assert_allclose(corrected(1e-9, q, y), q, atol=1e-6)
    np.testing.assert_allclose(corrected(1e6, q, y), [[0.0, 1.0, 0.0]], atol=1e-5)


def test_loss_correction_weighs_every_row_the_same_and_labels_synthetic_rows_as_the_upper_model() -> None:
    q = TeacherOutputs(np.array([[0.6, 0.4], [0.1, 0.9]], dtype=np.float32))
    made = LossCorrection(c=0.1).transfer_set(q, np.array([0, 0]))
    assert made.weights.tolist() == [1.0, 1.0]
    assert made.targets.dtype == np.float64
    np.testing.assert_allclose(LossCorrection(c=0.1).label(q), [[0.6, 0.4], [0.1, 0.9]], rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 6), st.floats(1e-12, 1e6), st.integers(0, 2**32 - 1))
def test_corrected_targets_are_distributions_that_favour_the_label_more_than_q(k: int, c: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, y = rng.dirichlet(np.full(k, 0.3), 20), rng.integers(k, size=20)
    q[:3] = np.eye(k)[rng.integers(k, size=3)]
    targets = corrected(c, q.tolist(), y.tolist())
    assert (targets >= 0).all()
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-9)
    rows = np.arange(20)
    odds, before = targets[rows, y] / (1 - targets[rows, y] + 1e-300), q[rows, y] / (1 - q[rows, y] + 1e-300)
    assert (odds >= before * (1 - 1e-6)).all()


# LossCorrection: values


def test_loss_correction_of_values_divides_residuals_by_the_standard_deviation() -> None:
    # y = (0, 4): std 2; residuals (-1, 4) are -1/2 and 2 of it; c = 1: g = 1 / (1 + 1/4) = .8 and 1 / (1 + 4) = .2
    np.testing.assert_allclose(corrected(1.0, [[1.0], [0.0]], [0.0, 4.0]), [[0.2], [0.8]], rtol=1e-12)


def test_loss_correction_of_values_does_not_depend_on_their_unit() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    q = y[:, None] + rng.normal(size=(30, 1))
    metres = corrected(0.3, q.tolist(), y.tolist())
    np.testing.assert_allclose(corrected(0.3, (1000 * q).tolist(), (1000 * y).tolist()), 1000 * metres, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0])  # the std of 0.1 three times is 1e-17, not 0
def test_loss_correction_of_a_constant_target_divides_by_nothing(value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        targets = corrected(1.0, [[value + 1.0], [value], [value]], [value] * 3)
    np.testing.assert_allclose(targets[:, 0], [value + 0.5, value, value], rtol=1e-12)  # g = 1 / (1 + 1)


def test_loss_correction_serves_regression_as_it_is() -> None:
    assert LossCorrection(c=0.2).for_regression() == LossCorrection(c=0.2)


@pytest.mark.parametrize("c", [0, -1.0, 0.0, math.inf, math.nan, "1", None, True, FloatDistribution(0.0, 1.0)])
def test_a_strength_that_cannot_be_is_refused(c: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"^c of LossCorrection must be"):
        LossCorrection(c=c).check()


# ProfWeight

Y = np.array([0, 1, 0, 1])
PLAIN = np.array([[0.6, 0.4], [0.7, 0.3], [0.5, 0.5], [0.2, 0.8]])  # accuracy 3/4: row 1 is wrong
GOOD = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9]])  # 4/4
EQUAL = np.array([[0.7, 0.3], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])  # 3/4
WEAK = np.array([[0.2, 0.8], [0.3, 0.7], [0.1, 0.9], [0.4, 0.6]])  # 2/4


def profile(predictions: np.ndarray, stages: dict[int, np.ndarray], margin: float = 0.0) -> TransferSet:
    return ProfWeight(margin=margin).transfer_set(TeacherOutputs(predictions, stages, plain=PLAIN), Y)


def test_the_profile_is_the_mean_over_the_graded_classifiers_that_pass() -> None:
    made = profile(GOOD, {1: WEAK, 5: EQUAL})
    np.testing.assert_allclose(made.weights, [(0.9 + 0.7) / 2, (0.6 + 0.2) / 2, (0.8 + 0.6) / 2, (0.9 + 0.7) / 2])
    np.testing.assert_array_equal(made.targets, np.eye(2)[Y])
    assert made.note == ""


def test_a_margin_asks_for_more_than_the_plain_accuracy() -> None:
    alone = [0.9, 0.6, 0.8, 0.9]
    np.testing.assert_allclose(profile(GOOD, {1: WEAK, 5: EQUAL}, margin=0.02).weights, alone)
    np.testing.assert_allclose(profile(GOOD, {5: EQUAL}, margin=0.25).weights, alone)  # 3/4 + 1/4: 4/4 is enough
    np.testing.assert_allclose(profile(WEAK, {5: GOOD}).weights, alone)  # a stage may pass where the model does not


@pytest.mark.parametrize(("predictions", "margin"), [(WEAK, 0.0), (EQUAL, 0.02), (GOOD, 0.5)])
def test_where_no_graded_classifier_passes_every_weight_is_1_and_the_note_says_so(
    predictions: np.ndarray, margin: float
) -> None:
    made = profile(predictions, {5: WEAK}, margin)
    assert made.weights.tolist() == [1, 1, 1, 1]
    assert made.note == "no graded classifier is better than the plain model"


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_without_stages_the_profile_is_conf_weight_and_over_s_it_is_s_ratio(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=30)
    q = rng.dirichlet(np.ones(k), 30).astype(np.float32)
    q[rng.random(30) < 0.7] = 0.0
    q += np.where(q.sum(axis=1, keepdims=True) == 0, np.eye(k, dtype=np.float32)[y], np.float32(0))
    plain = np.full((30, k), 1 / k, dtype=np.float32)
    plain[:, 0] += 1e-6
    upper = TeacherOutputs(q, plain=plain)
    if (q.argmax(axis=1) == y).mean() < (y == 0).mean():  # it does not pass
        return
    weights = ProfWeight(margin=0.0).transfer_set(upper, y).weights
    np.testing.assert_allclose(weights, ConfWeight().transfer_set(upper, y).weights, rtol=1e-6)
    ratio = SRatio(margin=0.0, beta=1e6).transfer_set(upper, y).weights
    np.testing.assert_allclose(ratio, weights / plain[np.arange(30), y], rtol=1e-6)
    assert weights.dtype == ratio.dtype == np.float64


def test_a_margin_that_cannot_be_is_refused_and_so_is_regression() -> None:
    with pytest.raises(InvalidSetting, match=r"^margin of ProfWeight must be"):
        ProfWeight(margin=1.5).check()
    with pytest.raises(UnsuitableModel, match="LossCorrection"):
        ProfWeight().for_regression()


# Searches


def test_a_search_with_both_in_classification() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + X[:, 1] + rng.normal(size=150), [-0.8, 0.8])]
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2),
        GradientBoostingClassifier(n_estimators=25, max_depth=2),
        intermediates=[("middle", GaussianNB())],
        schemes=[ProfWeight(), LossCorrection()],
        max_hops=2,
        n_trials=9,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert set(search.results_["state"]) <= {"COMPLETE", "PRUNED"}
    used = {type(hop.scheme) for path in search.paths_ for hop in path.hops}
    assert used == {ProfWeight, LossCorrection}
    assert set(search.predict(X)) <= {"a", "b", "c"}
    params = search.study_.trials[0].params
    assert {"LossCorrection.c", "ProfWeight.margin"} <= set(params)


def test_a_search_with_loss_correction_in_regression() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = 100 * (X[:, 0] + X[:, 1] ** 2) + 30 * rng.normal(size=120)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=3),
        RandomForestRegressor(30),
        intermediates=[],
        schemes=[LossCorrection()],
        n_trials=4,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    assert set(search.results_["state"]) == {"COMPLETE"}
    assert {len(path.hops) for path in search.paths_} == {0, 1}
    taught = search.refit_trial(next(i for i, path in enumerate(search.paths_) if path.hops))
    assert np.corrcoef(taught.predict(X), y)[0, 1] > 0.7


def test_a_name_in_place_of_a_scheme_is_met_with_the_schemes_that_there_are() -> None:
    search = MultihopSearchClassifier(DecisionTreeClassifier(), GaussianNB(), schemes="loss_correction")
    with pytest.raises(InvalidSetting, match=r"choose among ConfWeight, .*ModelCompression, ProfWeight, SRatio"):
        search.fit(np.eye(20), [0, 1] * 10)
