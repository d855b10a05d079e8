"""Evidence: scores and paired errors under resampling, against brute force and against scikit-learn's own scorers."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from slow_reference import slow_blend

from multihop_search import MultihopSearchClassifier
from multihop_search.errors import InvalidSetting
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss
from multihop_search.problem.scorers import scoring_for
from multihop_search.verdict import judge
from multihop_search.verdict.choice import choose
from multihop_search.verdict.out_of_fold import (
    FoldEvidence,
    HeldOut,
    ReplayedEvidence,
    RowEvidence,
    choice_evidence,
    evidence_for,
    paired_error,
)

pytestmark = pytest.mark.once

CLASSES = np.arange(2)


def held_out_of(n_rows, *, y=None, unit=None, weight=None, n_folds=2):
    rows = np.arange(n_rows)
    y = np.zeros(n_rows, int) if y is None else y
    return HeldOut(y, rows % n_folds, rows, rows if unit is None else unit, weight)


def taken(draw, unit):
    """Return the entries that a draw takes, each as often as its unit was drawn."""
    return np.repeat(np.arange(len(unit)), draw.astype(int)[unit])


def some_table(seed, n_trials=4, n_rows=40):
    """Return labels, probabilities (n_trials, n_rows, 2) and uneven weights."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_rows)
    proba = rng.dirichlet([1, 1], size=(n_trials, n_rows))
    proba[:, np.arange(n_rows), y] += 0.4
    return y, proba / proba.sum(axis=2, keepdims=True), rng.uniform(0.2, 3.0, size=n_rows)


# Held-out rows


def test_units_and_rows_are_counted_apart_from_entries():
    held_out = HeldOut(
        np.zeros(5, int), np.array([0, 0, 1, 1, 1]), np.array([7, 8, 7, 8, 9]), np.array([0, 1, 0, 1, 2])
    )
    assert held_out.n_units == 3
    assert held_out.n_rows == 3


def test_taken_entries_have_their_units_numbered_anew():
    held_out = HeldOut(np.arange(4), np.array([0, 0, 1, 1]), np.arange(4), np.array([3, 1, 3, 0]), np.arange(4) + 0.5)
    few = held_out.take(np.array([0, 1, 2]))
    assert few.unit.tolist() == [1, 0, 1]
    assert few.n_units == 2
    assert few.y.tolist() == few.row.tolist() == [0, 1, 2]
    assert few.fold.tolist() == [0, 0, 1]
    assert few.sample_weight.tolist() == [0.5, 1.5, 2.5]
    assert held_out_of(4).take(np.array([1])).sample_weight is None


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=15))
def test_taken_beliefs_stay_with_their_entries(entries):
    rng = np.random.default_rng(0)
    y, believed = rng.integers(3, size=10), rng.dirichlet(np.ones(3), size=10)
    taken = replace(held_out_of(10, y=y), believed=believed).take(np.array(entries))
    assert taken.believed.shape == (len(entries), 3)
    for place, entry in enumerate(entries):
        assert taken.believed[place].tolist() == believed[entry].tolist()
        assert (taken.y[place], taken.row[place]) == (y[entry], entry)
    assert held_out_of(10).take(np.array(entries)).believed is None


# Scores that are means over rows


@settings(deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans(), grouped=st.booleans())
def test_means_and_errors_equal_brute_force_on_the_rows_drawn(seed, weighted, grouped):
    rng = np.random.default_rng(seed)
    n_rows, n_trials = int(rng.integers(3, 15)), int(rng.integers(1, 6))
    row_scores = rng.normal(size=(n_trials, n_rows))
    unit = np.unique(rng.integers(n_rows, size=n_rows), return_inverse=True)[1] if grouped else np.arange(n_rows)
    weight = rng.uniform(0.1, 3.0, size=n_rows) if weighted else None
    evidence = RowEvidence(row_scores, held_out_of(n_rows, unit=unit, weight=weight))
    n_units = unit.max() + 1
    draws = rng.integers(4, size=(5, n_units)).astype(float)
    draws[:, 0] += 1  # never empty
    best = rng.integers(n_trials, size=5)
    trials = np.sort(rng.permutation(n_trials)[: rng.integers(1, n_trials + 1)])
    means, errors = evidence.means(draws), evidence.errors(draws, best, trials)
    assert means.shape == (5, n_trials)
    assert errors.shape == (5, len(trials))
    for draw, mean, leader, error in zip(draws, means, best, errors, strict=True):
        rows = taken(draw, unit)
        w = np.ones(len(rows)) if weight is None else weight[rows]
        np.testing.assert_allclose(mean, np.average(row_scores[:, rows], axis=1, weights=w), atol=1e-12)
        for trial, found in zip(trials, error, strict=True):
            gaps = row_scores[leader, rows] - row_scores[trial, rows]
            away = w * (gaps - np.average(gaps, weights=w))
            # one sum for each time that a unit was drawn: a unit drawn twice counts as two pieces of evidence
            pieces = np.bincount(unit[rows], weights=away, minlength=n_units) / np.maximum(draw, 1)
            np.testing.assert_allclose(found, np.sqrt((draw * pieces**2).sum()) / w.sum(), atol=1e-7)


def test_the_paired_error_of_unit_rows_is_their_standard_deviation_over_the_root_of_their_number():
    rng = np.random.default_rng(1)
    row_scores = rng.normal(size=(3, 50))
    evidence = RowEvidence(row_scores, held_out_of(50))
    gaps = row_scores[2] - row_scores
    all_rows = evidence.errors(np.ones((1, 50)), np.array([2]), np.arange(3))[0]
    np.testing.assert_allclose(all_rows, gaps.std(axis=1) / np.sqrt(50), atol=1e-12)
    draw = rng.multinomial(50, np.full(50, 0.02))
    drawn = evidence.errors(draw[None].astype(float), np.array([2]), np.arange(3))[0]
    np.testing.assert_allclose(drawn, np.repeat(gaps, draw, axis=1).std(axis=1) / np.sqrt(50), atol=1e-12)


def test_the_error_to_itself_and_of_a_constant_difference_is_zero():
    row_scores = np.random.default_rng(2).normal(size=20)
    evidence = RowEvidence(np.stack([row_scores, row_scores + 0.25]), held_out_of(20))
    np.testing.assert_allclose(evidence.errors(np.ones((1, 20)), np.array([0]), np.arange(2)), [[0, 0]], atol=1e-7)


def test_entries_of_one_unit_may_stand_anywhere():
    y, proba, weight = some_table(3)
    rows = Accuracy(CLASSES).rows(y, proba)
    unit = np.arange(40) % 13
    order = np.random.default_rng(0).permutation(40)
    one = RowEvidence(rows, held_out_of(40, unit=unit, weight=weight))
    two = RowEvidence(rows[:, order], held_out_of(40, unit=unit[order], weight=weight[order]))
    draws = np.random.default_rng(1).integers(3, size=(6, 13)).astype(float) + 1
    np.testing.assert_allclose(one.means(draws), two.means(draws), atol=1e-12)
    best = np.zeros(6, int)
    np.testing.assert_allclose(one.errors(draws, best, np.arange(4)), two.errors(draws, best, np.arange(4)), atol=1e-12)


def test_a_row_that_stands_in_two_folds_counts_as_one_unit():
    # two rows, held out twice each; repetitions agree, so they say nothing that the rows alone do not
    once = RowEvidence(np.array([[0.0, 1.0], [1.0, 1.0]]), held_out_of(2))
    twice = RowEvidence(np.array([[0.0, 1.0, 0.0, 1.0], [1.0] * 4]), held_out_of(4, unit=np.array([0, 1, 0, 1])))
    for draw in ([1, 1], [2, 0], [0, 2]):
        draws, best = np.array([draw], dtype=float), np.array([1])
        np.testing.assert_allclose(once.means(draws), twice.means(draws))
        np.testing.assert_allclose(once.errors(draws, best, np.arange(2)), twice.errors(draws, best, np.arange(2)))


def test_scores_of_are_the_means_of_the_trials_asked_for():
    rng = np.random.default_rng(4)
    evidence = RowEvidence(rng.normal(size=(5, 30)), held_out_of(30, weight=rng.uniform(0.5, 2, size=30)))
    draws = rng.integers(3, size=(8, 30)).astype(float)
    asked = rng.integers(5, size=8)
    np.testing.assert_allclose(evidence.scores_of(draws, asked), evidence.means(draws)[np.arange(8), asked])


def test_an_empty_draw_has_no_score():
    evidence = RowEvidence(np.ones((2, 3)), held_out_of(3))
    scores = evidence.scores_of(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([0, 1]))
    assert np.isnan(scores[0])
    assert scores[1] == 1


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc"])
def test_answers_belong_to_the_draws_asked_for_whatever_was_asked_before(scoring):
    y, proba, _ = some_table(5)
    held_out = held_out_of(40, y=y)
    evidence = evidence_for(list(proba), held_out, scoring_for(scoring, CLASSES))
    rng = np.random.default_rng(0)
    first, second = (rng.multinomial(40, np.full(40, 1 / 40), size=3).astype(float) for _ in range(2))
    best = np.zeros(3, int)
    before = evidence.means(first), evidence.errors(first, best, np.arange(4))
    other = evidence.means(second)
    again = evidence.means(first), evidence.errors(first, best, np.arange(4))
    assert not np.allclose(before[0], other)
    np.testing.assert_array_equal(before[0], again[0])
    np.testing.assert_array_equal(before[1], again[1])
    fresh = evidence_for(list(proba), held_out, scoring_for(scoring, CLASSES))
    np.testing.assert_array_equal(fresh.means(second), other)


# Scores that are replayed

SCORERS = {
    "roc_auc": lambda y, proba, w: roc_auc_score(y, proba[:, 1], sample_weight=w),
    "balanced_accuracy": lambda y, proba, w: balanced_accuracy_score(y, proba.argmax(axis=1), sample_weight=w),
    "f1_macro": lambda y, proba, w: f1_score(y, proba.argmax(axis=1), average="macro", sample_weight=w),
}


@pytest.mark.parametrize(
    ("scoring", "grouped", "weighted"),
    [("roc_auc", False, True), ("roc_auc", True, False), ("balanced_accuracy", True, True), ("f1_macro", False, False)],
)
def test_replayed_scores_equal_scikit_learn_on_the_rows_drawn(scoring, grouped, weighted):
    y, proba, weight = some_table(6, n_rows=60)
    unit = np.arange(60) // 3 if grouped else np.arange(60)
    weight = weight if weighted else None
    held_out = held_out_of(60, y=y, unit=unit, weight=weight, n_folds=3)
    evidence = ReplayedEvidence(list(proba), held_out, scoring_for(scoring, CLASSES))
    n_units = held_out.n_units
    draws = np.random.default_rng(0).multinomial(n_units, np.full(n_units, 1 / n_units), size=4).astype(float)
    best = np.array([0, 3, 2, 1])
    expected = np.empty((4, 4, 3))  # draw, trial, fold
    for place, draw in enumerate(draws):
        rows = taken(draw, unit)
        for fold in range(3):
            drawn = rows[held_out.fold[rows] == fold]
            w = None if weight is None else weight[drawn]
            expected[place, :, fold] = [SCORERS[scoring](y[drawn], matrix[drawn], w) for matrix in proba]
    np.testing.assert_allclose(evidence.means(draws), expected.mean(axis=2), atol=1e-12)
    gaps = expected[np.arange(4), best][:, None, :] - expected
    np.testing.assert_allclose(
        evidence.errors(draws, best, np.arange(4)), gaps.std(axis=2, ddof=1) / np.sqrt(3), atol=1e-12
    )
    np.testing.assert_allclose(evidence.scores_of(draws, best), expected.mean(axis=2)[np.arange(4), best], atol=1e-12)


def test_a_fold_of_which_one_class_was_drawn_is_left_out():
    y, proba, _ = some_table(7, n_rows=12)
    y[:6], y[6:] = 0, [0, 1, 0, 1, 0, 1]
    rows = np.arange(12)
    held_out = HeldOut(y, rows // 6, rows, rows)
    evidence = ReplayedEvidence(list(proba), held_out, scoring_for("roc_auc", CLASSES))
    one_fold = [roc_auc_score(y[6:], matrix[6:, 1]) for matrix in proba]
    np.testing.assert_allclose(evidence.means(np.ones((1, 12)))[0], one_fold)
    assert np.isnan(evidence.means((rows < 6).astype(float)[None])).all()
    assert np.isnan(evidence.scores_of((rows < 6).astype(float)[None], np.array([1]))).all()


def test_rows_of_a_small_fold_are_scored_once_for_what_the_score_reads():
    """Leave-one-out has as many folds as rows, and a draw takes most of them."""
    scored = []

    def counted(y, said):
        scored.append(len(y))
        return float(np.mean(y == said))

    y, proba, _ = some_table(8, n_rows=30)
    evidence = ReplayedEvidence(
        list(proba), held_out_of(30, y=y, n_folds=30), scoring_for(make_scorer(counted), CLASSES)
    )
    draws = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=20)
    evidence.means(draws.astype(float))
    said = proba.argmax(axis=2)
    read = {
        (y[row], said[trial, row], draw[row]) for trial in range(4) for draw in draws for row in np.flatnonzero(draw)
    }
    assert len(scored) == len(read) < 30


# Scores of whole folds


def test_fold_scores_can_be_chosen_by_but_never_resampled():
    scores = np.array([[0.1, 0.3], [0.5, 0.6]])
    evidence = FoldEvidence(scores)
    np.testing.assert_allclose(evidence.means(np.ones((3, 1))), [[0.2, 0.55]] * 3)
    # differences of the second to the first: .4, .3: standard deviation .0707, standard error .05
    np.testing.assert_allclose(evidence.errors(np.ones((1, 1)), np.array([1]), np.arange(2)), [[0.05, 0.0]], atol=1e-12)
    assert np.isnan(evidence.scores_of(np.ones((3, 1)), np.array([0, 1, 0]))).all()


def test_one_fold_tells_nothing_about_the_error():
    assert paired_error(np.array([[0.3], [0.1]])).tolist() == [0, 0]
    assert paired_error(np.array([0.1, 0.3])) == pytest.approx(np.sqrt(0.02) / np.sqrt(2))


def test_row_scores_get_row_evidence_and_other_scores_are_replayed():
    y, proba, _ = some_table(8)
    held_out = held_out_of(40, y=y)
    for scoring in (FlooredLogLoss(CLASSES), Accuracy(CLASSES), scoring_for("neg_log_loss", CLASSES)):
        evidence = evidence_for(list(proba), held_out, scoring)
        assert isinstance(evidence, RowEvidence)
        expected = [scoring.score(y, matrix, None) for matrix in proba]
        np.testing.assert_allclose(evidence.means(np.ones((1, 40)))[0], expected)
    assert isinstance(evidence_for(list(proba), held_out, scoring_for("roc_auc", CLASSES)), ReplayedEvidence)


# What the choice ranks by


def picked(evidence, hops):
    return int(choose(evidence, np.asarray(hops), np.ones((1, evidence.n_units)), np.arange(len(hops)))[0])


def believing(y, believed, **how):
    return replace(held_out_of(len(y), y=np.asarray(y), **how), believed=np.asarray(believed, dtype=float))


def test_the_choice_ranks_by_labels_and_by_a_quarter_of_what_is_believed_by_hand():
    # accuracy of four rows of true class 0, 0, 0, 1; the first trial says 0 of each, the second 1 of the first two
    y, says = [0, 0, 0, 1], np.array([[0, 0, 0, 0], [1, 1, 0, 0]])
    believed = [[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]
    predictions, scoring = list(np.eye(2)[says]), Accuracy(CLASSES)
    held_out = believing(y, believed)
    # under labels 1, 1, 1, 0 against 0, 0, 1, 0: 3/4 against 1/4
    # as believed .1, .2, .6, .5 against .9, .8, .6, .5: 1.4/4 against 2.8/4
    # a quarter of it: .75 * .75 + .25 * .35 = .65 against .75 * .25 + .25 * .7 = .3625
    ones = np.ones((1, 4))
    np.testing.assert_allclose(choice_evidence(predictions, held_out, scoring).means(ones), [[0.65, 0.3625]])
    np.testing.assert_allclose(evidence_for(predictions, held_out, scoring).means(ones), [[0.75, 0.25]])
    # row scores .775, .8, .9, .125 against .225, .2, .9, .125
    errors = choice_evidence(predictions, held_out, scoring).errors(ones, np.array([0]), np.arange(2))
    gaps = np.array([0.55, 0.60, 0.0, 0.0])
    np.testing.assert_allclose(errors, [[0.0, gaps.std() / 2]], atol=1e-8)


def test_labels_alone_and_beliefs_alone_may_pick_different_trials_and_both_together_weigh_them():
    scoring, hops = Accuracy(CLASSES), [1, 1]

    def picks(y, says, believed):
        """Return what labels alone, what is believed alone, and both pick."""
        predictions, held_out = list(np.eye(2)[np.array(says)]), believing(y, believed)
        alone = RowEvidence(np.stack([scoring.expected_rows(held_out.believed, p) for p in predictions]), held_out)
        both = choice_evidence(predictions, held_out, scoring)
        return [picked(found, hops) for found in (evidence_for(predictions, held_out, scoring), alone, both)]

    # as above: the labels lead by 2/4 and are followed against a lead of 1.4/4
    assert picks([0, 0, 0, 1], [[0] * 4, [1, 1, 0, 0]], [[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]) == [0, 1, 0]
    # labels 5/8 against 4/8, three quarters of 1/8; as believed .8 against 6.4, a quarter of 5.6/8
    assert picks([0] * 4 + [1] * 3 + [0], [[0] * 8, [1] * 7 + [0]], [[0.1, 0.9]] * 8) == [0, 1, 1]


@settings(deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans(), kind=st.sampled_from([FlooredLogLoss, Accuracy]))
def test_a_teacher_certain_of_the_labels_changes_nothing(seed, weighted, kind):
    y, proba, weight = some_table(seed, n_trials=6)
    held_out = held_out_of(40, y=y, weight=weight if weighted else None)
    draws, hops = np.random.default_rng(seed).integers(3, size=(5, 40)).astype(float), np.arange(6) % 3
    draws[:, 0] += 1
    by_labels = evidence_for(list(proba), held_out, kind(CLASSES))
    blended = choice_evidence(list(proba), replace(held_out, believed=np.eye(2)[y]), kind(CLASSES))
    np.testing.assert_allclose(blended.means(draws), by_labels.means(draws), rtol=1e-12)
    both = [choose(evidence, hops, draws, np.arange(6)).tolist() for evidence in (blended, by_labels)]
    assert both[0] == both[1]


def test_beliefs_that_say_nothing_of_a_trial_leave_the_ranking_of_accuracy_to_the_labels():
    y, proba, _ = some_table(7, n_trials=6)
    blended = choice_evidence(list(proba), believing(y, np.full((40, 2), 0.5)), Accuracy(CLASSES))
    by_labels = evidence_for(list(proba), held_out_of(40, y=y), Accuracy(CLASSES))
    ones = np.ones((1, 40))
    np.testing.assert_allclose(blended.means(ones), 0.75 * by_labels.means(ones) + 0.125)


@pytest.mark.parametrize("scoring", ["roc_auc", "balanced_accuracy"])
def test_a_score_that_is_replayed_takes_no_beliefs(scoring):
    y, proba, _ = some_table(8)
    misled = believing(y, np.eye(2)[1 - y])
    found = choice_evidence(list(proba), misled, scoring_for(scoring, CLASSES))
    assert isinstance(found, ReplayedEvidence)
    by_labels = evidence_for(list(proba), held_out_of(40, y=y), scoring_for(scoring, CLASSES))
    np.testing.assert_array_equal(found.means(np.ones((1, 40))), by_labels.means(np.ones((1, 40))))


def test_where_nothing_is_believed_the_labels_decide_alone():
    y, proba, weight = some_table(9)
    held_out = held_out_of(40, y=y, weight=weight)
    draws = np.random.default_rng(0).integers(1, 3, size=(4, 40)).astype(float)
    for kind in (FlooredLogLoss, Accuracy):
        found = choice_evidence(list(proba), held_out, kind(CLASSES)).means(draws)
        np.testing.assert_array_equal(found, evidence_for(list(proba), held_out, kind(CLASSES)).means(draws))


def test_repetitions_and_weights_count_in_the_blend_as_in_the_score():
    y, proba, weight = some_table(10)
    believed = np.random.default_rng(1).dirichlet(np.ones(2), size=40)
    unit = np.arange(40) // 2
    held_out = believing(y, believed, unit=unit, weight=weight)
    scoring, draw = FlooredLogLoss(CLASSES), np.random.default_rng(2).integers(1, 4, size=20).astype(float)
    found = choice_evidence(list(proba), held_out, scoring).means(draw[None])[0]
    rows = taken(draw, unit)
    for trial, mean in zip(proba, found, strict=True):
        blend = slow_blend(trial[rows], y[rows], believed[rows])
        assert mean == pytest.approx(np.average(blend, weights=weight[rows]))


def test_a_fitted_search_has_what_it_chose_by() -> None:
    X, y = make_classification(120, random_state=0)
    student, teacher = DecisionTreeClassifier(max_depth=2), RandomForestClassifier(5)
    search = MultihopSearchClassifier(student, teacher, n_trials=9, cv=3, crossfit_cv=2, random_state=0).fit(X, y)
    out_of_fold = search.out_of_fold_
    numbers = list(out_of_fold.records)
    assert sorted(out_of_fold.rows) == list(range(120))
    np.testing.assert_array_equal(out_of_fold.y, y[out_of_fold.rows])
    for number in numbers:  # the score by hand, from probabilities floored at 0.001
        proba = np.clip(out_of_fold.predictions(number)[:, :2].astype(float), 0.001, None)
        proba /= proba.sum(axis=1, keepdims=True)
        by_hand = np.log(proba[np.arange(120), out_of_fold.y]).mean()
        assert search.results_.loc[number, "score"] == pytest.approx(by_hand)
    assert out_of_fold.choose(numbers) == search.best_index_
    plain = [number for number in numbers if search.results_.loc[number, "hops"] == 0]
    assert out_of_fold.choose(plain) in plain
    table = out_of_fold.verdict(numbers, search.best_index_, fits=True).table
    pd.testing.assert_frame_equal(table, search.verdict_.table)
    with pytest.raises(InvalidSetting, match="must be some of the trials in records, got 1000"):
        out_of_fold.choose([1000])
    assert pickle.loads(pickle.dumps(search)).out_of_fold_ is None


def test_search_and_verdict_choose_within_the_tolerance():
    X, y = make_classification(150, 5, flip_y=0.3, random_state=3)
    settings = {"n_trials": 6, "cv": 3, "crossfit_cv": 2, "random_state": 0, "intermediates": []}
    searches = {
        tolerance: MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=2),
            RandomForestClassifier(5, random_state=0),
            tolerance=tolerance,
            **settings,
        ).fit(X, y)
        for tolerance in (0, 1.0, 1000)
    }
    assert searches[1000].best_path_.hops == ()  # nothing is worth a hop
    assert searches[1000].verdict_.table.loc["selected vs plain", "gain"] == 0
    evidence, best = searches[0].out_of_fold_, searches[0].best_index_
    assert {evidence.choose([best, other]) for other in evidence.records} == {best}
    for tolerance in (0, 1.0, 1000):  # every search can be asked what another tolerance would choose
        assert searches[1.0].out_of_fold_.choose(list(evidence.records), tolerance) == searches[tolerance].best_index_
    with pytest.raises(InvalidSetting, match="tolerance must be a number of at least 0, got -1"):
        evidence.choose([best], -1)
    with pytest.raises(InvalidSetting, match="tolerance must be a number of at least 0, got -1"):
        searches[0].set_params(tolerance=-1).fit(X, y)


def test_draws_choose_within_the_tolerance_too():
    y = np.arange(200) % 2
    sure = [0.5, 0.6, 0.7, 0.9]  # of the right class, by number of hops
    tables = [np.where(np.eye(2)[y] == 1, share, 1 - share) for share in sure]
    noise = np.random.default_rng(0).normal(scale=1e-3, size=(4, 200, 1)) * [1, -1]  # so that there is an error
    for tolerance, share in ((0, 0.9), (1e6, 0.7)):
        verdict = judge(np.stack(tables) + noise, y, [0, 1, 2, 3], tolerance=tolerance, random_state=0)
        assert verdict.scores.loc["multi-hop", "log_loss"] == pytest.approx(-np.log(share), abs=1e-3)
