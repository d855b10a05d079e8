"""Schemes: the transfer sets that they make, worked by hand, and what holds for every one of them."""

import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    LossCorrection,
    ProfWeight,
    TeacherOutputs,
    TransferSet,
)
from multihop_search.errors import InvalidSetting
from multihop_search.transfer.schemes import default_schemes


def outputs(*rows):
    return TeacherOutputs(np.array(rows, dtype=np.float64))


# Knowledge distillation


def test_distillation_mixes_probabilities_and_labels():
    scheme = KnowledgeDistillation(alpha=0.25, temperature=1.0)
    made = scheme.transfer_set(outputs([0.5, 0.3, 0.2], [0.0, 0.8, 0.2]), np.array([0, 2]))
    # 0.25 * (.5, .3, .2) + 0.75 * (1, 0, 0) = (.125 + .75, .075, .05)
    # 0.25 * (0, .8, .2) + 0.75 * (0, 0, 1) = (0, .2, .05 + .75)
    np.testing.assert_allclose(made.targets, [[0.875, 0.075, 0.05], [0.0, 0.2, 0.8]], rtol=1e-12)
    np.testing.assert_array_equal(made.weights, [1.0, 1.0])


@pytest.mark.parametrize(
    ("temperature", "softened"),
    [
        (1.0, [4 / 5, 1 / 5]),
        (2.0, [2 / 3, 1 / 3]),  # odds 4 : 1 become sqrt(4) : 1 = 2 : 1
        (0.5, [16 / 17, 1 / 17]),  # odds 4 : 1 become 4**2 : 1 = 16 : 1
    ],
)
def test_temperature_is_a_root_of_the_odds(temperature, softened):
    made = KnowledgeDistillation(alpha=1.0, temperature=temperature).transfer_set(outputs([0.8, 0.2]), np.array([1]))
    np.testing.assert_allclose(made.targets, [softened], rtol=1e-12)


def test_temperature_is_applied_before_the_labels_are_mixed_in():
    made = KnowledgeDistillation(alpha=0.5, temperature=2.0).transfer_set(outputs([0.8, 0.2]), np.array([0]))
    # q_T = (2/3, 1/3); 0.5 * (2/3, 1/3) + 0.5 * (1, 0) = (5/6, 1/6)
    np.testing.assert_allclose(made.targets, [[5 / 6, 1 / 6]], rtol=1e-12)


def test_a_zero_probability_stays_zero_at_any_temperature():
    made = KnowledgeDistillation(alpha=1.0, temperature=2.0).transfer_set(outputs([0.8, 0.2, 0.0]), np.array([0]))
    np.testing.assert_allclose(made.targets, [[2 / 3, 1 / 3, 0.0]], rtol=1e-12)


def test_a_tiny_temperature_gives_the_most_probable_class():
    made = KnowledgeDistillation(alpha=1.0, temperature=0.001).transfer_set(outputs([0.25, 0.4, 0.35]), np.array([0]))
    # .4**1000 is below the smallest number; the odds .35 : .4 become (7/8)**1000 = 1e-58
    np.testing.assert_allclose(made.targets, [[0.0, 1.0, 0.0]], atol=1e-12)


def test_no_share_of_the_upper_model_is_the_true_labels():
    made = KnowledgeDistillation(alpha=0.0, temperature=1.0).transfer_set(outputs([0.1, 0.9]), np.array([0]))
    np.testing.assert_array_equal(made.targets, [[1.0, 0.0]])
    assert made.is_hard


def test_soft_targets_are_not_hard():
    made = KnowledgeDistillation(alpha=0.5, temperature=1.0).transfer_set(
        outputs([1.0, 0.0], [0.1, 0.9]), np.array([0, 1])
    )
    assert not made.is_hard  # the first row is one class, the second is not


# Hard labels


def test_hard_labels_are_the_most_probable_classes():
    made = HardLabels().transfer_set(outputs([0.2, 0.5, 0.3], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7]), np.array([0, 1, 2]))
    np.testing.assert_array_equal(made.targets, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(made.weights, [1, 1, 1])
    assert made.is_hard
    assert made.note == ""


def test_a_class_that_the_upper_model_never_predicts_keeps_its_true_rows():
    # argmax is class 0 for all rows; class 1 would be gone, so its two rows keep their label
    made = HardLabels().transfer_set(outputs([0.9, 0.1], [0.8, 0.2], [0.6, 0.4]), np.array([1, 0, 1]))
    np.testing.assert_array_equal(made.targets, [[0, 1], [1, 0], [0, 1]])
    assert "never predicts" in made.note


def test_a_class_without_rows_is_not_invented_by_hard_labels():
    made = HardLabels().transfer_set(outputs([0.9, 0.1, 0.0], [0.2, 0.8, 0.0]), np.array([0, 1]))
    np.testing.assert_array_equal(made.targets, [[1, 0, 0], [0, 1, 0]])
    assert made.note == ""


# Confidence weighting


def test_confidence_weights_are_the_probabilities_of_the_true_class():
    made = ConfWeight().transfer_set(outputs([0.2, 0.5, 0.3], [0.6, 0.4, 0.0], [0.6, 0.4, 0.0]), np.array([1, 0, 2]))
    np.testing.assert_array_equal(made.targets, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(made.weights, [0.5, 0.6, 0.0])


# Finished weights


def finished(y, weights, sample_weight=None, n_classes=2):
    y = np.array(y)
    given = None if sample_weight is None else np.array(sample_weight, dtype=float)
    return TransferSet(np.eye(n_classes)[y], np.array(weights, dtype=float)).finished(y, given)


def test_finished_weights_sum_to_the_number_of_rows():
    made = finished([0, 0, 1, 1], [0.2, 0.6, 0.4, 0.8])
    # sum 2.0 becomes 4: each weight times 2
    np.testing.assert_allclose(made.weights, [0.4, 1.2, 0.8, 1.6], rtol=1e-12)
    assert made.note == ""


def test_finished_weights_are_multiplied_by_the_users_and_keep_the_users_total():
    made = finished([0, 0, 1, 1], [0.5, 1.0, 0.5, 1.0], [1.0, 2.0, 3.0, 4.0])
    # products (.5, 2, 1.5, 4), sum 8; the user's sum is 10: each times 1.25
    np.testing.assert_allclose(made.weights, [0.625, 2.5, 1.875, 5.0], rtol=1e-12)


def test_unit_weights_become_exactly_the_users_weights():
    given = np.array([0.3, 1.7, 0.0, 2.0])
    np.testing.assert_allclose(finished([0, 0, 1, 1], [1, 1, 1, 1], given).weights, given, rtol=1e-15)


def test_weights_that_are_all_zero_become_unit_weights():
    made = finished([0, 1, 1], [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(made.weights, [1.0, 1.0, 1.0])
    assert "all weights were 0" in made.note


def test_weights_that_are_all_zero_become_the_users_weights():
    np.testing.assert_allclose(finished([0, 1, 1], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]).weights, [1.0, 2.0, 3.0])


def test_a_class_that_loses_all_its_weight_keeps_the_mean_weight():
    made = finished([0, 0, 1, 1, 2], [0.6, 0.0, 0.0, 0.0, 0.9], n_classes=3)
    # class 1 lost everything: its rows get the mean 1.5 / 5 = .3; row 1 of class 0 stays at 0
    # (.6, 0, .3, .3, .9), sum 2.1 becomes 5
    np.testing.assert_allclose(made.weights, np.array([0.6, 0.0, 0.3, 0.3, 0.9]) * 5 / 2.1, rtol=1e-12)
    assert "a class lost all its weight" in made.note


def test_finishing_keeps_the_targets_and_the_note():
    targets = np.array([[0.3, 0.7], [0.9, 0.1]])
    made = TransferSet(targets, np.ones(2), "fell back").finished(np.array([0, 1]), None)
    np.testing.assert_array_equal(made.targets, targets)
    assert made.note == "fell back"


# Settings


@pytest.mark.parametrize(
    "scheme",
    [
        KnowledgeDistillation(alpha=-0.1),
        KnowledgeDistillation(alpha=1.1),
        KnowledgeDistillation(alpha="0.5"),
        KnowledgeDistillation(alpha=None),
        KnowledgeDistillation(alpha=True),
        KnowledgeDistillation(alpha=math.inf),
        KnowledgeDistillation(alpha=FloatDistribution(0.5, 1.5)),
        KnowledgeDistillation(alpha=CategoricalDistribution([0.5, 2.0])),
        KnowledgeDistillation(alpha=CategoricalDistribution([0.5, "half"])),
        KnowledgeDistillation(temperature=0.0),
        KnowledgeDistillation(temperature=-1.0),
        KnowledgeDistillation(temperature=math.inf),
        KnowledgeDistillation(temperature=FloatDistribution(0.0, 2.0)),
        KnowledgeDistillation(temperature=IntDistribution(-1, 2)),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_field(scheme):
    field = "alpha" if scheme.temperature == KnowledgeDistillation().temperature else "temperature"
    with pytest.raises(InvalidSetting, match=f"^{field} of KnowledgeDistillation must be .* got "):
        scheme.check()


@pytest.mark.parametrize(
    "scheme",
    [
        KnowledgeDistillation(alpha=0, temperature=100),
        KnowledgeDistillation(alpha=1, temperature=1e-3),
        KnowledgeDistillation(alpha=FloatDistribution(0.0, 1.0)),
        KnowledgeDistillation(alpha=CategoricalDistribution([0.0, 0.5, 1.0]), temperature=IntDistribution(1, 5)),
    ],
    ids=str,
)
def test_a_value_at_the_end_of_its_range_is_taken(scheme):
    scheme.check()


def test_a_field_with_a_value_is_fixed_and_a_field_with_a_distribution_is_searched():
    scheme = KnowledgeDistillation(alpha=0.5)
    assert scheme.searched() == {"temperature": FloatDistribution(0.85, 1.4, log=True)}
    assert scheme.resolve({"temperature": 1.2}) == KnowledgeDistillation(alpha=0.5, temperature=1.2)


@pytest.mark.parametrize(
    ("scheme", "usual"),
    [
        (KnowledgeDistillation(), KnowledgeDistillation(alpha=0.5, temperature=1.0)),
        (KnowledgeDistillation(alpha=0.4), KnowledgeDistillation(alpha=0.4, temperature=1.0)),
        (
            KnowledgeDistillation(alpha=FloatDistribution(0.8, 0.9), temperature=CategoricalDistribution([3.0, 2.0])),
            KnowledgeDistillation(alpha=0.8, temperature=3.0),  # .5 and 1 are not offered: lower end, first choice
        ),
        (
            KnowledgeDistillation(alpha=CategoricalDistribution([0.1, 0.5]), temperature=IntDistribution(1, 3)),
            KnowledgeDistillation(alpha=0.5, temperature=1),
        ),
    ],
    ids=str,
)
def test_the_usual_values_are_taken_where_the_distribution_holds_them(scheme, usual):
    assert scheme.usual() == usual


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (KnowledgeDistillation(alpha=0.5, temperature=1.0), "KnowledgeDistillation(alpha=0.5, temperature=1)"),
        (KnowledgeDistillation(alpha=0.123456, temperature=2), "KnowledgeDistillation(alpha=0.123, temperature=2)"),
        (HardLabels(), "HardLabels"),
        (ConfWeight(), "ConfWeight"),
    ],
)
def test_a_scheme_prints_its_name_and_values(scheme, words):
    assert str(scheme) == words


def test_all_default_schemes_need_weights_and_hard_labels_none():
    assert {type(scheme).__name__: scheme.needs_weights for scheme in default_schemes()} == {
        "KnowledgeDistillation": True,
        "ConfWeight": True,
        "SRatio": True,
    }
    assert not HardLabels.needs_weights


# What holds for every scheme

every_scheme = pytest.mark.parametrize(
    "scheme",
    [*default_schemes(), HardLabels(), LossCorrection(), ProfWeight()],
    ids=lambda scheme: type(scheme).__name__,
)


def teacher(n_classes, seed=0):
    """Outputs and labels of 60 rows; the first rows are certain and wrong, the next certain and right."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=60)
    proba = rng.dirichlet(np.full(n_classes, 0.5), size=60)
    proba[:5] = np.eye(n_classes)[(y[:5] + 1) % n_classes]
    proba[5:10] = np.eye(n_classes)[y[5:10]]
    proba = proba.astype(np.float32)
    plain = rng.dirichlet(np.ones(n_classes), size=60).astype(np.float32)
    proba.flags.writeable = plain.flags.writeable = False  # what passes between processes may be read-only
    return TeacherOutputs(proba, plain=plain), y


@every_scheme
@pytest.mark.parametrize("n_classes", [2, 3, 11])
def test_targets_are_distributions_and_weights_are_finite(scheme, n_classes):
    upper, y = teacher(n_classes)
    made = scheme.usual().transfer_set(upper, y)
    assert made.targets.shape == (60, n_classes)
    assert made.targets.dtype == np.float64
    assert (made.targets >= 0).all()
    np.testing.assert_allclose(made.targets.sum(axis=1), 1.0, rtol=1e-6)  # the upper model's are float32
    assert made.weights.shape == (60,)
    assert np.isfinite(made.weights).all()
    assert (made.weights >= 0).all()


@every_scheme
def test_no_class_is_without_weight_once_finished(scheme):
    y = np.repeat([0, 1, 2], 10)
    said = np.repeat([0, 1, 0, 0], [10, 5, 5, 10])  # never 2
    outputs = TeacherOutputs(np.eye(3)[said], plain=np.full((30, 3), 1 / 3))
    made = scheme.usual().transfer_set(outputs, y).finished(y, None)
    assert (np.bincount(y, weights=made.weights) > 0).all()
    assert (made.weights @ made.targets > 0).all()
    assert made.weights.sum() == pytest.approx(30)


@every_scheme
def test_rows_are_taught_one_by_one_in_any_order(scheme):
    upper, y = teacher(3)
    order = np.random.default_rng(1).permutation(60)
    made, shuffled = scheme.usual().transfer_set(upper, y), scheme.usual().transfer_set(upper.take(order), y[order])
    np.testing.assert_array_equal(shuffled.targets, made.targets[order])
    np.testing.assert_array_equal(shuffled.weights, made.weights[order])


@every_scheme
def test_a_scheme_is_a_frozen_value(scheme):
    usual = scheme.usual()
    with pytest.raises(FrozenInstanceError):
        usual.alpha = 0.1
    for value in (scheme, usual):
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value
        assert hash(copy) == hash(value)
        assert copy in {value}


@every_scheme
def test_the_usual_scheme_is_resolved(scheme):
    usual = scheme.usual()
    assert type(usual) is type(scheme)
    assert usual.searched() == {}
    assert usual.usual() == usual == usual.resolve({})
    usual.check()


@every_scheme
def test_a_default_scheme_passes_its_own_check(scheme):
    scheme.check()


@every_scheme
def test_each_searched_field_refuses_what_is_no_number(scheme):
    for name in scheme.searched():
        values = {other: getattr(scheme.usual(), other) for other in scheme.searched()} | {name: "much"}
        with pytest.raises(InvalidSetting, match=f"^{name} of {type(scheme).__name__} must be .*'much'"):
            scheme.resolve(values).check()


@every_scheme
def test_a_scheme_prints_its_class_first(scheme):
    assert str(scheme.usual()).startswith(type(scheme).__name__)
    assert len(str(scheme.usual())) < 60


def test_outputs_taken_by_position_keep_their_stages():
    proba = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    taken = TeacherOutputs(proba, {10: proba[::-1]}).take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.predictions, [[0.3, 0.7], [0.1, 0.9]])
    np.testing.assert_array_equal(taken.stages[10], [[0.1, 0.9], [0.3, 0.7]])


def test_hard_labels_rescue_a_class_that_another_rescue_emptied():
    outputs = TeacherOutputs(np.eye(3)[[0, 0, 1, 1]])
    assert set(HardLabels().transfer_set(outputs, np.array([2, 2, 0, 1])).targets.argmax(axis=1)) == {0, 1, 2}


def test_a_class_whose_weight_the_users_weights_take_keeps_the_mean_weight():
    made = TransferSet(np.eye(2)[[0, 0, 1]], np.array([0.0, 1, 1])).finished(np.array([0, 0, 1]), np.array([1.0, 0, 1]))
    # products 0, 0, 1; the mean weight is 1/2 of the user's 2; [1/2, 0, 1] brought back to a sum of 2
    assert made.weights == pytest.approx([2 / 3, 0.0, 4 / 3])


def test_weights_that_the_users_weights_take_altogether_fall_back_to_the_users():
    y = np.array([0, 0, 1, 1])
    made = TransferSet(np.eye(2)[y], np.array([0.0, 1, 0, 1])).finished(y, np.array([1.0, 0, 1, 0]))
    assert made.weights.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert made.note


def test_a_field_of_nan_is_refused():
    with pytest.raises(InvalidSetting, match="alpha of KnowledgeDistillation"):
        KnowledgeDistillation(alpha=float("nan")).check()
