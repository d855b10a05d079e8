"""The verdict as a statistician sees it: claims against the truth where predictions are drawn from a known model.

Small versions of benchmarks/verdict_null.py, with fixed seeds. Bounds are those that a right verdict leaves with a
probability below one in a thousand; `docs/benchmarks/verdict_null.md` has the full figures.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import verdict_null as benchmark

from multihop_search.keys import rng_of
from multihop_search.threads import thread_limit

pytestmark = pytest.mark.once

COMPARISONS = pytest.mark.parametrize("place", range(3), ids=benchmark.NAMES)
ONE_IN_THOUSAND = 1e-3
LIMIT = 3.5
"""Standard errors; beyond it lie fewer than one in a thousand means."""


@pytest.fixture(scope="module", params=[0.4, pytest.param(1.0, marks=pytest.mark.slow)], ids=["small", "full"])
def replicated(request):
    """Return the replicates, or the first of them, with fewer draws each: the bounds follow how many there are."""
    draws = pytest.MonkeyPatch()
    if request.param < 1:
        draws.setattr("multihop_search.verdict.interval.N_DRAWS", 300)

    def rows(replicate, n_replicates, **settings):
        with thread_limit():
            return [replicate(number, **settings) for number in range(round(n_replicates * request.param))]

    yield rows
    draws.undo()


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))


def at_most(hits, share):
    """Whether no more of `hits` are True than a share of at most `share` explains."""
    return np.sum(hits) <= binom.ppf(1 - ONE_IN_THOUSAND, len(hits), share)


def at_least(hits, share):
    return np.sum(hits) >= binom.ppf(ONE_IN_THOUSAND, len(hits), share)


def around(values, expected):
    mean, error = mean_and_error(values)
    return abs(mean - expected) <= LIMIT * error


# Equally good trials, a third of each kind


@pytest.fixture(scope="module")
def null(replicated):
    return replicated(benchmark.null_replicate, 150, n_rows=300, n_trials=30, scoring="accuracy")


@COMPARISONS
def test_where_nothing_helps_beats_and_loses_are_rare(null, place):
    word = benchmark.column(null, "word", place)
    assert at_most(word == "beats", 0.025)
    assert at_most(word == "loses", 0.025)


@COMPARISONS
def test_where_nothing_helps_no_gain_is_claimed(null, place):
    gain = benchmark.column(null, "gain", place)
    if place < 2:
        assert around(gain, 0)
    assert abs(gain.mean()) <= 0.001 + LIMIT * mean_and_error(gain)[1]


@COMPARISONS
def test_where_nothing_helps_the_interval_holds_zero(null, place):
    assert at_least(benchmark.covered(null, place), 0.95)


def test_where_nothing_helps_the_choice_is_the_plain_student(null):
    assert at_most([row["hops"] > 0 for row in null], 0.2)  # a plain arg max would be two thirds


def test_the_score_of_the_winner_is_honest_where_that_of_cross_validation_is_not(null):
    assert around([row["honest_excess"] - row["luck"] for row in null], 0)
    naive, error = mean_and_error([row["naive_excess"] - row["luck"] for row in null])
    assert naive > 0.01 + LIMIT * error  # over a point of accuracy


# What a teacher believes of the held-out rows helps to choose, and judges nothing


@pytest.fixture(scope="module", params=[0.85, 0.999], ids=["right of 85 %", "knows the truth"])
def believing(request, replicated):
    settings = {"n_rows": 300, "n_trials": 30, "scoring": "accuracy", "teacher": request.param}
    return replicated(benchmark.null_replicate, 100, **settings)


@COMPARISONS
def test_a_believing_teacher_makes_no_claim_greater(believing, null, place):
    gain, without = benchmark.column(believing, "gain", place), benchmark.column(null[: len(believing)], "gain", place)
    if place < 2:
        assert around(gain, 0)
    more, error = mean_and_error(gain - without)
    assert more <= 0.001 + LIMIT * error
    assert at_most(benchmark.column(believing, "word", place) == "beats", 0.025)
    assert at_least(benchmark.covered(believing, place), 0.95)


def test_a_believing_teacher_makes_the_score_of_the_winner_no_more_optimistic(believing, null):
    excess = [row["honest_excess"] - other["honest_excess"] for row, other in zip(believing, null, strict=False)]
    more, error = mean_and_error(excess)
    assert more <= 0.001 + LIMIT * error


def alike_replicate(number, n_rows=300, n_trials=30):
    """Judge trials of which those with hops err where their teacher errs, but no less often than the plain ones."""
    rng = rng_of(number, "alike")
    y, hops = rng.integers(2, size=n_rows), np.arange(n_trials) % 3
    difficulty, teacher = rng.normal(size=(2, n_rows, 2))
    predictions = []
    for depth in hops:
        shared = teacher if depth else rng.normal(size=(n_rows, 2))
        noise = benchmark.mixed((0.6, difficulty), (0.3, shared), (0.1, rng.normal(size=(n_rows, 2))))
        predictions.append(benchmark.probabilities(noise, y, benchmark.distance(0.8)))
    view = benchmark.mixed((0.6, difficulty), (0.4, teacher))
    believed = benchmark.probabilities(view, y, benchmark.distance(0.8))
    how = {"scoring": "accuracy", "random_state": number, "believed": believed}
    return benchmark.judged(predictions, y, hops, np.full(n_trials, 0.8), **how)


def test_that_taught_students_resemble_their_teacher_is_claimed_as_no_gain(replicated):
    rows = replicated(alike_replicate, 100)
    assert np.mean([row["hops"] > 0 for row in rows]) > 0.25  # what it believes speaks for them
    assert around(benchmark.column(rows, "gain", 0), 0)
    for place in (0, 2):
        gain = benchmark.column(rows, "gain", place)
        assert abs(gain.mean()) <= 0.001 + LIMIT * mean_and_error(gain)[1]
        assert at_most(benchmark.column(rows, "word", place) == "beats", 0.025)
        assert at_least(benchmark.covered(rows, place), 0.95)


# Groups that were not searched as hard, and paths that differ in depth and quality


def independent_replicate(number, *, hops, accuracy, n_rows=300, common=0.7):
    """Judge trials of these true accuracies, which share nothing but the difficulty of the rows."""
    rng = rng_of(number, "independent")
    y = rng.integers(2, size=n_rows)
    difficulty = rng.normal(size=(n_rows, 2))
    predictions = [
        benchmark.probabilities(
            benchmark.mixed((common, difficulty), (1 - common, rng.normal(size=(n_rows, 2)))),
            y,
            benchmark.distance(level),
        )
        for level in accuracy
    ]
    return benchmark.judged(predictions, y, np.array(hops), np.array(accuracy), scoring="accuracy", random_state=number)


def test_a_group_with_nine_times_the_trials_claims_no_gain(replicated):
    rows = replicated(independent_replicate, 100, hops=[0] * 3 + [1] * 27 + [2] * 3, accuracy=[0.8] * 33)
    gain, naive = benchmark.column(rows, "gain", 0), benchmark.column(rows, "naive", 0)
    assert around(gain, 0)
    assert naive.mean() > 0.01 + LIMIT * mean_and_error(naive)[1]
    assert at_most(benchmark.column(rows, "word", 0) == "beats", 0.025)


def test_the_claim_is_that_of_the_rule_that_chooses_not_of_the_best_by_score(replicated):
    # the rule often takes two hops, a point or two worse than three: the verdict must not claim the score of three
    rows = replicated(
        independent_replicate,
        120,
        hops=[0] * 2 + [1] * 2 + [2] * 10 + [3] * 10,
        accuracy=[0.75] * 4 + [0.80] * 10 + [0.82] * 10,
    )
    assert np.mean([row["hops"] == 2 for row in rows]) > 0.3
    claimed, error = mean_and_error([row["honest_excess"] - row["luck"] for row in rows])
    assert claimed < LIMIT * error


# Trials drawn by the search's own loop


@pytest.fixture(scope="module")
def searched(replicated):
    return replicated(benchmark.search_replicate, 30, n_rows=400, n_trials=30, scoring="accuracy", tuning_matters=True)


def test_the_loop_searches_each_group_as_hard(searched):
    assert {tuple(row["counts"]) for row in searched} == {(10, 10, 10)}


@COMPARISONS
def test_a_search_in_which_hops_help_nobody_claims_no_gain(searched, place):
    gain, truth = benchmark.column(searched, "gain", place), benchmark.column(searched, "true", place)
    assert around(gain - truth, 0)
    assert abs(gain.mean()) <= 0.002 + LIMIT * mean_and_error(gain)[1]
    assert at_most(benchmark.column(searched, "word", place) == "beats", 0.025)
    assert at_least(benchmark.covered(searched, place), 0.95)


# One hop gains three points


FOUND = {0.935: 0.97, 0.56: 0.80}
"""How often at least, by how much models have in common: they differ on 8 % and on 20 % of the rows."""


@pytest.fixture(scope="module", params=FOUND)
def planted(request, replicated):
    settings = {"n_rows": 3000, "n_trials": 30, "scoring": "accuracy", "common": request.param}
    return replicated(benchmark.power_replicate, 14, **settings), FOUND[request.param]


def test_a_gain_of_three_points_is_found(planted):
    rows, share = planted
    assert at_least(benchmark.column(rows, "word", 0) == "beats", share)
    assert at_least(benchmark.column(rows, "word", 2) == "beats", share)


def test_a_gain_of_three_points_is_claimed_as_such(planted):
    rows, _ = planted
    assert around(benchmark.column(rows, "gain", 0), benchmark.PLANTED)
    assert around(benchmark.column(rows, "gain", 1), -benchmark.PLANTED)
    assert at_least(benchmark.covered(rows, 0), 0.95)
