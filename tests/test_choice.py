"""The choice: against tables worked by hand, and against plain loops on resampled rows."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from slow_reference import mean, slow_choice, squared_error, unit_sums

from multihop_search.results.choice import choose
from multihop_search.results.out_of_fold import FoldEvidence, HeldOut, RowEvidence


def evidence_of(row_scores, *, unit=None, weight=None):
    """Return the evidence of row scores (n_trials, n_rows), each row a unit of weight 1 unless it is said."""
    row_scores = np.asarray(row_scores, dtype=float)
    rows = np.arange(row_scores.shape[1])
    unit = rows if unit is None else np.asarray(unit)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    return RowEvidence(row_scores, HeldOut(np.zeros(len(rows), int), rows % 2, rows, unit, weight))


def chosen(row_scores, hops, *, draws=None, trials=None, unit=None, weight=None, **tolerance):
    evidence = evidence_of(row_scores, unit=unit, weight=weight)
    draws = np.ones((1, evidence.n_units)) if draws is None else np.asarray(draws, dtype=float)
    trials = np.arange(len(hops)) if trials is None else np.asarray(trials)
    return choose(evidence, np.asarray(hops), draws, trials, **tolerance).tolist()


within_one = partial(chosen, tolerance=1.0)
"""The choice where a whole standard error is tolerated."""


def test_of_equally_deep_trials_the_best_by_score_is_chosen():
    assert chosen([[0.1, 0.2, 0.3], [0.3, 0.3, 0.3], [0.2, 0.3, 0.3]], [1, 1, 1]) == [1]


def test_a_simpler_trial_within_one_standard_error_is_within_one():
    # differences 1, 1, -1, 0: mean 1/4; squared distances 9/16 + 9/16 + 25/16 + 1/16 = 11/4;
    # standard error sqrt(11/4) / 4 = .41 > 1/4
    assert within_one([[0, 0, 1, 0], [1, 1, 0, 0]], [0, 1]) == [0]


def test_a_simpler_trial_outside_one_standard_error_is_not_within_one():
    # differences 1, 1, 0, 0: mean 1/2; squared distances 4 * 1/4 = 1; standard error 1 / 4 < 1/2
    assert within_one([[0, 0, 0, 0], [1, 1, 0, 0]], [0, 1]) == [1]


def test_the_standard_error_is_that_of_the_paired_differences():
    # row scores are spread by 100, but the hop gains 1/8 on each row, so nothing about the difference is uncertain
    rows = np.array([-100.0, 0.0, 100.0, 50.0])
    assert within_one([rows, rows + 0.125], [0, 1]) == [1]
    # the same scores in another order are no evidence of a difference
    assert within_one([rows[::-1], rows + 0.125], [0, 1]) == [0]


def test_more_rows_of_the_same_kind_settle_a_difference():
    plain, taught = [0, 0, 1, 0], [1, 1, 0, 0]  # within one standard error, as above: .25 < .41
    assert within_one([plain * 3, taught * 3], [0, 1]) == [1]  # now .41 / sqrt(3) = .24 < .25


def test_the_fewest_hops_win_even_where_a_deeper_trial_scores_better():
    # differences of the best to plain: 1, 1, -1, 0 twice, mean 1/4 < .41 / sqrt(2) = .29; to one hop: mean 1/8
    plain, one, two = [0, 0, 1, 0, 0, 0, 1, 0], [1, 0, 1, 0, 0, 0, 1, 0], [1, 1, 0, 0, 1, 1, 0, 0]
    assert within_one([two, one, plain], [2, 1, 0]) == [2]


def test_where_no_plain_trial_is_within_the_error_the_fewest_hops_that_are_win():
    plain, one, two = [0, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0]
    # to the best: plain differs by 1, 1, 1, 0, mean .75 > sqrt(.75) / 4 = .22; one hop by 1, 0, 0, 0: mean .25 > .22
    assert within_one([plain, one, two], [0, 1, 2]) == [2]
    # and with a row lost by the best, differences 1, 0, 0, -1: mean 0
    assert within_one([plain, [0, 1, 1, 1], two], [0, 1, 2]) == [1]


def test_among_equally_simple_trials_within_the_error_the_best_score_wins():
    best = [1, 1, 0, 0, 1, 1, 0, 0]
    worse, better = [0, 0, 1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1, 1, 0]
    assert within_one([worse, better, best], [0, 0, 1]) == [1]
    assert within_one([better, worse, best], [0, 0, 1]) == [0]


def test_ties_go_to_the_lowest_trial_number():
    assert chosen([[0, 1], [1, 0], [0, 1]], [1, 1, 1]) == [0]
    assert chosen([[0, 0], [1, 1], [1, 1]], [2, 1, 1]) == [1]
    assert chosen([[1, 1], [1, 1], [1, 1]], [2, 0, 0]) == [1]


def test_only_the_given_trials_are_candidates_and_keep_their_positions():
    rows = [[1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert within_one(rows, [0, 1, 1, 2], trials=[1, 3]) == [1]
    assert within_one(rows, [0, 1, 1, 2], trials=[2, 3]) == [3]
    assert within_one(rows, [0, 1, 1, 2], trials=[2]) == [2]


def test_each_draw_chooses_on_its_own_rows():
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert chosen(rows, [1, 1, 1], draws=[[3, 0, 0], [0, 3, 0], [0, 1, 2], [1, 1, 1]]) == [0, 1, 2, 0]


def test_the_rule_of_one_standard_error_holds_inside_a_draw():
    plain, taught = [0, 0, 1, 0], [1, 1, 0, 0]
    assert within_one([plain, taught], [0, 1], draws=[[1, 1, 1, 1], [3, 3, 3, 3], [2, 2, 0, 0], [0, 0, 2, 2]]) == [
        0,  # as worked above
        1,  # the same rows three times count as three times the evidence
        1,  # a difference of 1 on every row drawn
        0,
    ]


def test_weights_decide_what_is_better_and_how_sure_that_is():
    first, second = [1, 0, 0, 0], [0, 1, 1, 1]
    assert within_one([first, second], [1, 1]) == [1]
    assert within_one([first, second], [1, 1], weight=[9, 1, 1, 1]) == [0]
    # sums of w * difference: -5, 1, 1, 1 of weight 8: mean -1/4 in favour of the first, spread sqrt(14.1 + 3 * 1.6) / 8
    # = .54: the second one is within it, and simpler
    assert within_one([first, second], [1, 0], weight=[5, 1, 1, 1]) == [1]


def test_rows_of_one_unit_count_as_one_piece_of_evidence():
    plain, taught = [0, 0, 1, 0] * 3, [1, 1, 0, 0] * 3
    assert within_one([plain, taught], [0, 1]) == [1]
    # the twelve rows are three times the same four units: as unsure as four rows
    assert within_one([plain, taught], [0, 1], unit=[0, 1, 2, 3] * 3) == [0]


def test_a_trial_without_a_score_is_never_chosen():
    evidence = FoldEvidence(np.array([[np.nan, 0.9], [0.2, 0.2], [0.3, 0.3]]))
    assert choose(evidence, np.array([0, 1, 2]), np.ones((1, 1)), np.arange(3)).tolist() == [2]
    assert choose(evidence, np.array([1, 1, 1]), np.ones((1, 1)), np.arange(3)).tolist() == [2]


def test_a_quarter_of_a_standard_error_is_tolerated_unless_it_is_said():
    # differences 1 on half of n rows, -1 on k of the others: mean d = (n/2 - k) / n, mean square (n/2 + k) / n
    # n = 16, k = 7: d = 1/16 = .0625, error sqrt(15/16 - 1/256) / 4 = .2416, a quarter of it .0604 < .0625
    assert chosen([[0] * 8 + [1] * 7 + [0], [1] * 8 + [0] * 8], [0, 1]) == [1]
    assert within_one([[0] * 8 + [1] * 7 + [0], [1] * 8 + [0] * 8], [0, 1]) == [0]
    # fifteen of these sixteen rows, 8 to 7: d = 1/15 = .0667, error sqrt(1 - 1/225) / sqrt(15) = .2576, a quarter .0644
    assert chosen([[0] * 8 + [1] * 7, [1] * 8 + [0] * 7], [0, 1]) == [1]
    # 9 to 8 of 17 rows: d = 1/17 = .0588, error sqrt(1 - 1/289) / sqrt(17) = .2421, a quarter .0605 > .0588
    assert chosen([[0] * 9 + [1] * 8, [1] * 9 + [0] * 8], [0, 1]) == [0]
    assert chosen([[0] * 9 + [1] * 8, [1] * 9 + [0] * 8], [0, 1], tolerance=0.24) == [1]  # .0581


def test_between_a_quarter_and_one_standard_error_the_better_score_is_chosen():
    # differences 1, 1, -1, 0 as above: mean .25, error .41, a quarter of it .10
    plain, taught = [0, 0, 1, 0], [1, 1, 0, 0]
    assert chosen([plain, taught], [0, 1]) == [1]
    assert chosen([plain, taught], [0, 1], tolerance=0.5) == [1]  # .21
    assert chosen([plain, taught], [0, 1], tolerance=0.7) == [0]  # .29


def test_without_tolerance_the_best_is_chosen_and_the_simplest_of_equals():
    plain, taught = [0] * 9 + [1] * 8, [1] * 9 + [0] * 8
    assert chosen([plain, taught], [0, 1], tolerance=0.0) == [1]
    assert chosen([taught[::-1], taught], [1, 0], tolerance=0.0) == [1]


def test_where_scores_are_per_fold_the_error_is_that_of_the_fold_differences():
    def between(best, other, **tolerance):
        evidence = FoldEvidence(np.array([best, other]))
        return choose(evidence, np.array([1, 0]), np.ones((1, 1)), np.arange(2), **tolerance).tolist()

    # differences .1, .3, -.1: mean .1, standard deviation .2, standard error .2 / sqrt(3) = .115, a quarter of it .029
    near, far = [0.5, 0.4, 0.6], [0.5, 0.5, 0.3]
    best = [0.6, 0.7, 0.5]
    assert between(best, near, tolerance=1.0) == [1]
    assert between(best, near) == [0]
    # differences .1, .2, .2: mean .167, standard error .033
    assert between(best, far, tolerance=1.0) == [0]
    # differences .1, .2, -.225: mean .025, standard deviation .2222, standard error .128, a quarter of it .032
    assert between(best, [0.5, 0.5, 0.725]) == [1]


@settings(deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_choices_in_resamples_equal_those_of_plain_loops(data):
    n_rows = data.draw(st.integers(2, 7), "rows")
    n_trials = data.draw(st.integers(1, 5), "trials")

    def table(low, high, *shape):
        numbers = st.integers(low, high)
        for size in reversed(shape):
            numbers = st.lists(numbers, min_size=size, max_size=size)
        return data.draw(numbers)

    row_scores, hops = table(0, 3, n_trials, n_rows), table(0, 3, n_trials)
    weights = table(1, 3, n_rows)
    unit = np.unique(table(0, n_rows - 1, n_rows), return_inverse=True)[1].tolist()
    n_units = max(unit) + 1
    draws = table(0, 3, 3, n_units)
    assume(all(any(draw) for draw in draws))
    trials = sorted(data.draw(st.sets(st.integers(0, n_trials - 1), min_size=1), "candidates"))
    tolerance = data.draw(st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]), "tolerance")
    said = {} if tolerance is None else {"tolerance": tolerance}
    part = Fraction(0.25 if tolerance is None else tolerance)
    exact = [[Fraction(score) for score in scores] for scores in row_scores]
    sums, totals = unit_sums(exact, unit, weights)
    expected = []
    for draw in draws:
        sample = [k for k in range(n_units) for _ in range(draw[k])]
        best = max(trials, key=lambda t, sample=sample: mean(sums[t], totals, sample))
        for t in trials:  # a difference of exactly what is tolerated may fall either way in floating point
            gap = mean(sums[best], totals, sample) - mean(sums[t], totals, sample)
            assume(gap == 0 or gap**2 != part**2 * squared_error(sums[best], sums[t], totals, sample))
        expected.append(slow_choice(sums, totals, hops, sample, trials, part))
    assert chosen(row_scores, hops, draws=draws, trials=trials, unit=unit, weight=weights, **said) == expected


@pytest.mark.parametrize("n_draws", [1, 7])
def test_choices_do_not_depend_on_how_draws_are_batched(n_draws):
    rng = np.random.default_rng(0)
    evidence, hops = evidence_of(rng.normal(size=(9, 30))), np.arange(9) % 3
    draws = rng.multinomial(30, np.full(30, 1 / 30), size=21).astype(float)
    together = choose(evidence, hops, draws, np.arange(9))
    apart = [choose(evidence, hops, draws[k : k + n_draws], np.arange(9)) for k in range(0, 21, n_draws)]
    np.testing.assert_array_equal(np.concatenate(apart), together)
