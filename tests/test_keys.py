"""Keys and random streams: equal in every process, different for every purpose."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from multihop_search import ConfWeight, HardLabels, KnowledgeDistillation
from multihop_search.keys import canonical, digest, rng_of, seed

PARTS = """(
    "fold", 3, None, True, 2.5,
    {"beta", "alpha", "gamma", "delta"},
    frozenset({("x", 1), ("y", 2)}),
    {"b": [1, 2], "a": (3, {"z": 1, "y": 2})},
    np.arange(6.0).reshape(2, 3), np.float64(0.1), np.int64(7), np.str_("name"),
    KnowledgeDistillation(), DecisionTreeClassifier(max_depth=3), FloatDistribution(0.1, 1.0, log=True), len,
)"""


def test_a_digest_is_the_hash_of_canonical_json():
    assert digest("fold", 3) == hashlib.blake2b(b'["fold",3]', digest_size=16).hexdigest()
    assert (
        digest({"b": (1, 2.5), "a": None}) == hashlib.blake2b(b'[{"a":null,"b":[1,2.5]}]', digest_size=16).hexdigest()
    )


def test_a_digest_and_a_seed_are_equal_in_a_process_with_another_hash_seed():
    script = f"""
import numpy as np
from optuna.distributions import FloatDistribution
from sklearn.tree import DecisionTreeClassifier
from multihop_search import KnowledgeDistillation
from multihop_search.keys import digest, seed
parts = {PARTS}
print(digest(*parts), seed(5, *parts))
"""
    other = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    parts = eval(PARTS)
    assert other.stdout.split() == [digest(*parts), str(seed(5, *parts))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        ((1, "a"), [1, "a"]),
        (np.float64(0.25), 0.25),
        (np.int64(4), 4),
        (np.str_("a"), "a"),
        (np.array([[1.0, 2.0]]), np.array([[9.0, 1.0, 2.0]])[:, 1:]),
        (DecisionTreeClassifier(max_depth=3), DecisionTreeClassifier(max_depth=3)),
        (HardLabels(), HardLabels()),
        (IntDistribution(1, 5), IntDistribution(1, 5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_values_have_equal_digests(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((1,), ("1",)),
        ((1,), (True,)),
        ((None,), ("None",)),
        ((1, 2), (2, 1)),
        (([1], 2), ([1, 2],)),
        ((np.zeros((2, 3)),), (np.zeros((3, 2)),)),
        ((np.array([1.0, 2.0]),), (np.array([2.0, 1.0]),)),
        ((DecisionTreeClassifier(max_depth=3),), (DecisionTreeClassifier(max_depth=4),)),
        ((DecisionTreeClassifier(),), (LogisticRegression(),)),
        ((HardLabels(),), (ConfWeight(),)),
        ((KnowledgeDistillation(alpha=0.5),), (KnowledgeDistillation(alpha=0.6),)),
        ((FloatDistribution(0.1, 1.0),), (FloatDistribution(0.1, 1.0, log=True),)),
        ((DecisionTreeClassifier,), (DecisionTreeClassifier(),)),
        ((len,), (max,)),
    ],
    ids=str,
)
def test_different_values_have_different_digests(one, other):
    assert digest(*one) != digest(*other)


def test_canonical_form_names_class_and_parameters():
    assert canonical(KnowledgeDistillation(alpha=0.5, temperature=1.0)) == {
        "class": "multihop_search.transfer.schemes.knowledge_distillation.KnowledgeDistillation",
        "alpha": 0.5,
        "temperature": 1.0,
    }
    form = canonical(LogisticRegression(C=2.0))
    assert form["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert form["C"] == 2.0


def test_a_value_without_canonical_form_is_refused_by_name():
    with pytest.raises(TypeError, match="object has no canonical form"):
        digest("fold", object())


def test_seeds_differ_by_random_state_fold_and_purpose():
    keys = [
        (random_state, purpose, fold)
        for random_state in range(5)
        for purpose in ("outer", "inner", "probe", "trial", "estimator")
        for fold in range(-1, 10)
    ]
    assert len({seed(*key) for key in keys}) == len(keys)


def test_a_seed_is_an_integer_that_scikit_learn_takes():
    seeds = [seed(0, "estimator", number) for number in range(200)]
    assert all(type(value) is int and 0 <= value < 2**31 for value in seeds)
    assert max(seeds) > 2**30  # the range is used
    assert DecisionTreeClassifier(random_state=seeds[0]).fit([[0.0], [1.0]], [0, 1]).get_depth() == 1


def test_a_stream_does_not_depend_on_what_was_drawn_before():
    alone = rng_of(3, "inner", 1).random(4)
    rng_of(3, "inner", 0).random(1000)
    again = rng_of(3, "inner", 1)
    np.testing.assert_array_equal(again.random(4), alone)
    assert not np.array_equal(again.random(4), alone)


def test_streams_of_different_purposes_are_not_shifted_copies():
    draws = np.array([rng_of(0, "purpose", number).random(500) for number in range(6)])
    correlation = np.corrcoef(draws) - np.eye(6)
    assert np.abs(correlation).max() < 0.2  # 4.5 standard errors of 500 independent draws
    assert len(np.unique(draws)) == draws.size


def test_equal_numbers_have_one_key():
    assert digest(1) == digest(1.0) == digest(np.float64(1.0))
    assert digest(1) != digest(1.5)


def test_an_array_of_objects_has_one_key_in_every_process():
    assert digest(np.array(["a", "b"], dtype=object)) == digest(["a", "b"])


def test_callables_are_told_apart_or_refused():
    from sklearn.gaussian_process.kernels import RBF

    assert digest(RBF(1.0)) != digest(RBF(2.0))
    with pytest.raises(TypeError, match="has no canonical form"):
        digest(lambda value: value)
