"""The choice: against tables worked by hand, and against plain loops on resampled rows."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from slow_reference import mean, slow_choice, squared_error, unit_sums

from multihop_search.verdict.choice import choose
from multihop_search.verdict.out_of_fold import FoldEvidence, HeldOut, RowEvidence

pytestmark = pytest.mark.once


def evidence_of(row_scores, *, unit=None, weight=None):
    """Return the evidence of row scores (n_trials, n_rows), each row a unit of weight 1 unless it is said."""
    row_scores = np.asarray(row_scores, dtype=float)
    rows = np.arange(row_scores.shape[1])
    unit = rows if unit is None else np.asarray(unit)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    return RowEvidence(row_scores, HeldOut(np.zeros(len(rows), int), rows % 2, rows, unit, weight))


def chosen(row_scores, hops, *, draws=None, trials=None, tolerance=1.0, **how):
    evidence = evidence_of(row_scores, **how)
    draws = np.ones((1, evidence.n_units)) if draws is None else np.asarray(draws, dtype=float)
    trials = np.arange(len(hops)) if trials is None else np.asarray(trials)
    return choose(evidence, np.asarray(hops), draws, trials, tolerance).tolist()


def test_of_equally_deep_trials_the_best_by_score_is_chosen():
    assert chosen([[0.1, 0.2, 0.3], [0.3, 0.3, 0.3], [0.2, 0.3, 0.3]], [1, 1, 1]) == [1]


def test_a_simpler_trial_within_one_standard_error_is_chosen():
    # differences 1, 1, -1, 0: mean 1/4; squared distances 9/16 + 9/16 + 25/16 + 1/16 = 11/4;
    # standard error sqrt(11/4) / 4 = .41 > 1/4
    assert chosen([[0, 0, 1, 0], [1, 1, 0, 0]], [0, 1]) == [0]


def test_a_simpler_trial_outside_one_standard_error_is_not_chosen():
    # differences 1, 1, 0, 0: mean 1/2; squared distances 4 * 1/4 = 1; standard error 1 / 4 < 1/2
    assert chosen([[0, 0, 0, 0], [1, 1, 0, 0]], [0, 1]) == [1]


def test_the_standard_error_is_that_of_the_paired_differences():
    # row scores are spread by 100, but the hop gains 1/8 on each row, so nothing about the difference is uncertain
    rows = np.array([-100.0, 0.0, 100.0, 50.0])
    assert chosen([rows, rows + 0.125], [0, 1]) == [1]
    # the same scores in another order are no evidence of a difference
    assert chosen([rows[::-1], rows + 0.125], [0, 1]) == [0]


def test_more_rows_of_the_same_kind_settle_a_difference():
    plain, taught = [0, 0, 1, 0], [1, 1, 0, 0]  # within one standard error, as above: .25 < .41
    assert chosen([plain * 3, taught * 3], [0, 1]) == [1]  # now .41 / sqrt(3) = .24 < .25


def test_the_fewest_hops_win_even_where_a_deeper_trial_scores_better():
    # differences of the best to plain: 1, 1, -1, 0 twice, mean 1/4 < .41 / sqrt(2) = .29; to one hop: mean 1/8
    plain, one, two = [0, 0, 1, 0, 0, 0, 1, 0], [1, 0, 1, 0, 0, 0, 1, 0], [1, 1, 0, 0, 1, 1, 0, 0]
    assert chosen([two, one, plain], [2, 1, 0]) == [2]


def test_where_no_plain_trial_is_within_the_error_the_fewest_hops_that_are_win():
    plain, one, two = [0, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0]
    # to the best: plain differs by 1, 1, 1, 0, mean .75 > sqrt(.75) / 4 = .22; one hop by 1, 0, 0, 0: mean .25 > .22
    assert chosen([plain, one, two], [0, 1, 2]) == [2]
    # and with a row lost by the best, differences 1, 0, 0, -1: mean 0
    assert chosen([plain, [0, 1, 1, 1], two], [0, 1, 2]) == [1]


def test_among_equally_simple_trials_within_the_error_the_best_score_wins():
    best = [1, 1, 0, 0, 1, 1, 0, 0]
    worse, better = [0, 0, 1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1, 1, 0]
    assert chosen([worse, better, best], [0, 0, 1]) == [1]
    assert chosen([better, worse, best], [0, 0, 1]) == [0]


def test_ties_go_to_the_lowest_trial_number():
    assert chosen([[0, 1], [1, 0], [0, 1]], [1, 1, 1]) == [0]
    assert chosen([[0, 0], [1, 1], [1, 1]], [2, 1, 1]) == [1]
    assert chosen([[1, 1], [1, 1], [1, 1]], [2, 0, 0]) == [1]


def test_only_the_given_trials_are_candidates_and_keep_their_positions():
    rows = [[1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert chosen(rows, [0, 1, 1, 2], trials=[1, 3]) == [1]
    assert chosen(rows, [0, 1, 1, 2], trials=[2, 3]) == [3]
    assert chosen(rows, [0, 1, 1, 2], trials=[2]) == [2]


def test_each_draw_chooses_on_its_own_rows():
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert chosen(rows, [1, 1, 1], draws=[[3, 0, 0], [0, 3, 0], [0, 1, 2], [1, 1, 1]]) == [0, 1, 2, 0]


def test_the_rule_of_one_standard_error_holds_inside_a_draw():
    plain, taught = [0, 0, 1, 0], [1, 1, 0, 0]
    assert chosen([plain, taught], [0, 1], draws=[[1, 1, 1, 1], [3, 3, 3, 3], [2, 2, 0, 0], [0, 0, 2, 2]]) == [
        0,  # as worked above
        1,  # the same rows three times count as three times the evidence
        1,  # a difference of 1 on every row drawn
        0,
    ]


def test_weights_decide_what_is_better_and_how_sure_that_is():
    first, second = [1, 0, 0, 0], [0, 1, 1, 1]
    assert chosen([first, second], [1, 1]) == [1]
    assert chosen([first, second], [1, 1], weight=[9, 1, 1, 1]) == [0]
    # sums of w * difference: -5, 1, 1, 1 of weight 8: mean -1/4 in favour of the first, spread sqrt(14.1 + 3 * 1.6) / 8
    # = .54: the second one is within it, and simpler
    assert chosen([first, second], [1, 0], weight=[5, 1, 1, 1]) == [1]


def test_rows_of_one_unit_count_as_one_piece_of_evidence():
    plain, taught = [0, 0, 1, 0] * 3, [1, 1, 0, 0] * 3
    assert chosen([plain, taught], [0, 1]) == [1]
    # the twelve rows are three times the same four units: as unsure as four rows
    assert chosen([plain, taught], [0, 1], unit=[0, 1, 2, 3] * 3) == [0]


@pytest.mark.parametrize(("tolerance", "simpler"), [(0.0, False), (0.6, False), (0.61, True), (5.0, True)])
def test_the_tolerance_is_in_standard_errors(tolerance, simpler):
    # as above: behind by 1/4, a standard error of .4146: .603 of them
    assert chosen([[0, 0, 1, 0], [1, 1, 0, 0]], [0, 1], tolerance=tolerance) == [0 if simpler else 1]


def test_without_tolerance_equal_trials_are_still_chosen_by_their_hops():
    assert chosen([[0.5, 0.5], [0.5, 0.5]], [1, 0], tolerance=0.0) == [1]


def test_a_trial_without_a_score_is_never_chosen():
    evidence = FoldEvidence(np.array([[np.nan, 0.9], [0.2, 0.2], [0.3, 0.3]]))
    assert choose(evidence, np.array([0, 1, 2]), np.ones((1, 1)), np.arange(3)).tolist() == [2]
    assert choose(evidence, np.array([1, 1, 1]), np.ones((1, 1)), np.arange(3)).tolist() == [2]


def test_where_scores_are_per_fold_the_error_is_that_of_the_fold_differences():
    # differences .1, .3, -.1: mean .1, standard deviation .2, standard error .2 / sqrt(3) = .115
    near, far = [0.5, 0.4, 0.6], [0.5, 0.5, 0.3]
    best = [0.6, 0.7, 0.5]
    assert choose(FoldEvidence(np.array([best, near])), np.array([1, 0]), np.ones((1, 1)), np.arange(2)).tolist() == [1]
    # differences .1, .2, .2: mean .167, standard error .033
    assert choose(FoldEvidence(np.array([best, far])), np.array([1, 0]), np.ones((1, 1)), np.arange(2)).tolist() == [0]


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
    exact = [[Fraction(score) for score in scores] for scores in row_scores]
    sums, totals = unit_sums(exact, unit, weights)
    expected = []
    for draw in draws:
        sample = [k for k in range(n_units) for _ in range(draw[k])]
        best = max(trials, key=lambda t, sample=sample: mean(sums[t], totals, sample))
        for t in trials:  # a difference of exactly one standard error may fall either way in floating point
            gap = mean(sums[best], totals, sample) - mean(sums[t], totals, sample)
            assume(gap == 0 or gap**2 != squared_error(sums[best], sums[t], totals, sample))
        expected.append(slow_choice(sums, totals, hops, sample, trials))
    assert chosen(row_scores, hops, draws=draws, trials=trials, unit=unit, weight=weights) == expected


@pytest.mark.parametrize("n_draws", [1, 7])
def test_choices_do_not_depend_on_how_draws_are_batched(n_draws):
    rng = np.random.default_rng(0)
    evidence, hops = evidence_of(rng.normal(size=(9, 30))), np.arange(9) % 3
    draws = rng.multinomial(30, np.full(30, 1 / 30), size=21).astype(float)
    together = choose(evidence, hops, draws, np.arange(9))
    apart = [choose(evidence, hops, draws[k : k + n_draws], np.arange(9)) for k in range(0, 21, n_draws)]
    np.testing.assert_array_equal(np.concatenate(apart), together)
