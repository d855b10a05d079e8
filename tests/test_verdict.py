"""The verdict: its words, its rows, its numbers against plain loops, and what the sampler's halves may see."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from slow_reference import slow_gains

from multihop_search import HardLabels, TeacherOutputs, Truncate
from multihop_search.engine.record import COMPLETE, TrialRecord
from multihop_search.errors import InvalidData
from multihop_search.paths.path import Hop, Path
from multihop_search.problem.problem import Fold, Problem, Role
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss
from multihop_search.problem.scorers import scoring_for
from multihop_search.verdict import Verdict, judge
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.case import Case
from multihop_search.verdict.choice import choose
from multihop_search.verdict.interval import N_DRAWS, advice_on, word
from multihop_search.verdict.out_of_fold import HeldOut, evidence_for
from multihop_search.verdict.resampling import Resampling, compare
from multihop_search.verdict.verdict import empty_verdict

pytestmark = pytest.mark.once

ROWS = ["one-hop vs plain", "multi-hop vs one-hop", "selected vs plain"]
NAN = float("nan")


def trials(hits, *, n_rows=400, n_classes=2, random_state=0):
    """Return labels and probabilities (n_trials, n_rows, n_classes) of trials right on these shares of the rows."""
    rng = np.random.default_rng(random_state)
    y = rng.integers(n_classes, size=n_rows)
    difficulty = rng.random(n_rows)
    proba = np.empty((len(hits), n_rows, n_classes))
    for place, share in enumerate(hits):
        right = (0.8 * difficulty + 0.2 * rng.random(n_rows)).argsort().argsort() < share * n_rows
        label = np.where(right, y, (y + 1) % n_classes)
        proba[place] = np.eye(n_classes)[label] * 0.6 + 0.4 / n_classes
    return proba, y


# Words


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.2, "beats"),
        (1e-12, 2e-12, "beats"),  # however small
        (-0.2, -0.01, "loses"),
        (0.0, 0.0, "equivalent"),
        (-0.05, 0.05, "equivalent"),  # the edge belongs to the region
        (0.0, 0.05, "equivalent"),
        (-0.05, 0.0, "equivalent"),
        (-0.0501, 0.05, "inconclusive"),
        (-0.05, 0.0501, "inconclusive"),
        (0.0, 0.2, "inconclusive"),
        (-0.2, 0.0, "inconclusive"),
        (-1.0, 1.0, "inconclusive"),
        (NAN, NAN, "inconclusive"),
        (NAN, 0.2, "inconclusive"),
    ],
)
def test_words_follow_the_interval(low, high, expected):
    assert word(low, high, 0.05) == expected


def test_without_a_known_region_nothing_is_equivalent():
    assert word(0.0, 0.0, NAN) == "inconclusive"
    assert word(0.1, 0.2, NAN) == "beats"


def test_a_difference_that_matters_beats_and_loses():
    proba, y = trials([0.5, 0.9, 0.5])
    table = judge(proba, y, [0, 1, 2], scoring="accuracy", random_state=0).table
    assert table["verdict"].tolist() == ["beats", "loses", "beats"]
    assert table.loc["one-hop vs plain", "gain"] == pytest.approx(0.4, abs=0.06)
    assert (table["low"] <= table["gain"]).all()
    assert (table["gain"] <= table["high"]).all()


def test_equal_trials_are_equivalent():
    proba, y = trials([0.7])
    table = judge(np.repeat(proba, 3, axis=0), y, [0, 1, 2], random_state=0).table
    assert table["verdict"].tolist() == ["equivalent"] * 3
    assert (table[["gain", "low", "high"]] == 0).all(axis=None)


@pytest.mark.parametrize(("scoring", "region"), [("accuracy", 0.005), ("auto", None), ("neg_log_loss", None)])
def test_the_region_is_half_a_point_of_accuracy_or_one_per_cent_of_the_plain_score(scoring, region):
    proba, y = trials([0.7, 0.7, 0.7])
    verdict = judge(proba, y, [0, 1, 2], scoring=scoring, random_state=0)
    expected = 0.01 * abs(verdict.scores.loc["plain", "score"]) if region is None else region
    assert verdict.region == pytest.approx(expected)


# Rows


@pytest.mark.parametrize(
    ("scoring", "hops"),
    [("auto", hops) for hops in ([0, 0, 0], [1, 1, 1], [2, 3, 2], [0, 0, 1], [0, 2, 3], [1, 2, 1], [0, 1, 2])]
    + [("roc_auc", hops) for hops in ([1, 1, 1], [0, 2, 3], [0, 0, 1])],
)
def test_all_rows_exist_and_an_empty_group_is_inconclusive(scoring, hops):
    proba, y = trials([0.6, 0.7, 0.8])
    verdict = judge(proba, y, hops, scoring=scoring, random_state=0)
    assert list(verdict.table.index) == ROWS
    assert list(verdict.table.columns) == ["gain", "low", "high", "verdict"]
    depths = np.minimum(hops, 2)
    groups = {"plain": 0, "one-hop": 1, "multi-hop": 2}
    assert dict(verdict.n_trials) == {group: int((depths == depth).sum()) for group, depth in groups.items()}
    for group, depth in groups.items():
        assert verdict.scores.loc[group].notna().all() == (depth in depths)
    for better, worse in (("one-hop", "plain"), ("multi-hop", "one-hop")):
        row = verdict.table.loc[f"{better} vs {worse}"]
        if groups[better] in depths and groups[worse] in depths:
            assert np.isfinite(row[["gain", "low", "high"]].astype(float)).all()
        else:
            assert row[["gain", "low", "high"]].isna().all()
            assert row["verdict"] == "inconclusive"
    assert np.isfinite(verdict.table.loc["selected vs plain", "gain"]) == (0 in depths)


@pytest.mark.parametrize("scoring", ["auto", "accuracy", "balanced_accuracy"])
def test_where_plain_is_chosen_the_gain_over_plain_is_zero_and_equivalent(scoring):
    proba, y = trials([0.8, 0.79, 0.78, 0.6])
    verdict = judge(proba, y, [0, 1, 2, 0], scoring=scoring, random_state=0)
    assert verdict.table.loc["selected vs plain"].tolist() == [0, 0, 0, "equivalent"]
    assert verdict.scores.loc["selected"].equals(verdict.scores.loc["plain"])
    assert verdict.headline.startswith("No gain: the usual untuned model is the choice.")


def test_what_the_search_chose_decides_whether_plain_was_chosen():
    proba, y = trials([0.8, 0.79])
    rows = np.arange(400)
    held_out = HeldOut(y, rows % 5, rows, rows)
    hops, scoring = np.array([0, 1]), Accuracy(np.arange(2))
    plain = compare(list(proba), hops, held_out, scoring, random_state=0, chosen=0)
    taught = compare(list(proba), hops, held_out, scoring, random_state=0, chosen=1)
    assert plain.table.loc["selected vs plain"].tolist() == [0, 0, 0, "equivalent"]
    assert taught.table.loc["selected vs plain", "low"] < 0
    pd.testing.assert_frame_equal(plain.table.iloc[:2], taught.table.iloc[:2])


def test_a_teacher_no_better_than_plain_is_noted_and_scored():
    proba, y = trials([0.7, 0.7, 0.6, 0.9])
    rows = np.arange(400)
    held_out = HeldOut(y, rows % 5, rows, rows)
    scoring = Accuracy(np.arange(2))
    hops = np.array([0, 1])
    worse, better = (
        compare(list(proba[:2]), hops, held_out, scoring, random_state=0, teacher=teacher) for teacher in proba[2:]
    )
    assert "teacher is no better than the plain student" in str(worse)
    assert "teacher is no better" not in str(better)
    assert better.scores.loc["teacher", "accuracy"] == pytest.approx((proba[3].argmax(axis=1) == y).mean())
    assert better.scores.loc["teacher", "log_loss"] == pytest.approx(
        -FlooredLogLoss(np.arange(2)).score(y, proba[3], None)
    )
    assert "teacher" not in judge(proba, y, [0, 0, 1, 1], random_state=0).scores.index


# Numbers


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_gains_intervals_and_scores_equal_plain_loops_over_bags(weighted, grouped):
    rng = np.random.default_rng(3)
    proba, y = trials([0.5, 0.6, 0.7, 0.65, 0.8, 0.75, 0.7], n_rows=24)
    hops = [0, 0, 1, 1, 2, 3, 2]
    unit = np.unique(rng.integers(12, size=24), return_inverse=True)[1] if grouped else np.arange(24)
    weight = rng.uniform(0.5, 2.0, size=24) if weighted else np.ones(24)
    scoring = FlooredLogLoss(np.arange(2))
    row_scores = scoring.rows(y, proba + rng.uniform(0, 0.2, size=proba.shape))
    noisy = np.stack([np.exp(row_scores), 1 - np.exp(row_scores)], axis=2)  # probabilities with these very scores
    noisy = np.where((y == 0)[:, None], noisy, noisy[:, :, ::-1])
    gains, scores = slow_gains(row_scores.tolist(), hops, unit.tolist(), weight.tolist(), N_DRAWS, 11)
    verdict = compare(
        list(noisy),
        np.array(hops),
        HeldOut(y, np.arange(24) % 5, np.arange(24), unit, weight if weighted else None),
        scoring,
        random_state=11,
        chosen=4,
    )
    for name, drawn in gains.items():
        row = verdict.table.loc[name]
        assert row["gain"] == pytest.approx(np.nanmean(drawn), abs=1e-9)
        assert [row["low"], row["high"]] == pytest.approx(np.nanpercentile(drawn, [2.5, 97.5]), abs=1e-9)
    for group, score in scores.items():
        assert verdict.scores.loc[group, "score"] == pytest.approx(score, abs=1e-9)
        assert verdict.scores.loc[group, "log_loss"] == pytest.approx(-score, abs=1e-9)


def test_rows_repeated_in_groups_say_no_more_than_once():
    proba, y = trials([0.6, 0.65, 0.7, 0.72], n_rows=150)
    hops = [0, 1, 1, 2]
    once = judge(proba, y, hops, scoring="accuracy", random_state=5)
    twice = judge(
        np.repeat(proba, 2, axis=1),
        np.repeat(y, 2),
        hops,
        scoring="accuracy",
        groups=np.repeat(range(150), 2),
        random_state=5,
    )
    pd.testing.assert_frame_equal(once.table, twice.table)
    pd.testing.assert_frame_equal(once.scores, twice.scores)


def test_weights_and_repeated_rows_in_groups_give_the_same_scores():
    proba, y = trials([0.6, 0.65, 0.7], n_rows=90)
    times = np.random.default_rng(0).integers(1, 4, size=90)
    weighted = judge(proba, y, [0, 1, 2], sample_weight=times, random_state=5)
    repeated = judge(
        np.repeat(proba, times, axis=1),
        np.repeat(y, times),
        [0, 1, 2],
        groups=np.repeat(range(90), times),
        random_state=5,
    )
    pd.testing.assert_frame_equal(weighted.table, repeated.table)
    pd.testing.assert_frame_equal(weighted.scores, repeated.scores)


def test_the_same_seed_gives_the_same_verdict_and_another_seed_another_interval():
    proba, y = trials([0.6, 0.65, 0.7])
    one, same, other = (judge(proba, y, [0, 1, 2], random_state=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(one.table, same.table)
    pd.testing.assert_frame_equal(one.scores, same.scores)
    assert str(one) == str(same)
    assert one.table.loc["one-hop vs plain", "low"] != other.table.loc["one-hop vs plain", "low"]
    assert list(judge(proba, y, [0, 1, 2]).table.index) == ROWS


def test_labels_of_any_kind_and_lists_are_taken():
    proba, y = trials([0.6, 0.7, 0.8], n_rows=60, n_classes=3)
    codes = judge(proba, y, [0, 1, 2], random_state=0)
    names = judge(proba.tolist(), np.array(["a", "b", "c"])[y].tolist(), (0, 1, 2), random_state=0)
    pd.testing.assert_frame_equal(codes.table, names.table)


def test_the_order_of_trials_does_not_matter_unless_they_tie():
    rng = np.random.default_rng(0)
    proba, y = trials([0.6, 0.62, 0.64, 0.66, 0.68, 0.7])
    proba = proba + rng.uniform(0, 0.05, size=proba.shape)
    proba /= proba.sum(axis=2, keepdims=True)
    hops, order = np.array([0, 0, 1, 1, 2, 3]), rng.permutation(6)
    one, two = judge(proba, y, hops, random_state=0), judge(proba[order], y, hops[order], random_state=0)
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.scores, two.scores)


@pytest.mark.parametrize("scoring", ["roc_auc", "balanced_accuracy"])
def test_a_score_that_is_no_mean_over_rows_is_judged(scoring, monkeypatch):
    monkeypatch.setattr("multihop_search.verdict.interval.N_DRAWS_REPLAYED", 8)
    proba, y = trials([0.6, 0.85, 0.6], n_rows=200)
    proba = proba * np.random.default_rng(0).uniform(0.9, 1.1, size=proba.shape)  # no ties for the ranking
    proba /= proba.sum(axis=2, keepdims=True)
    verdict = judge(proba, y, [0, 1, 2], scoring=scoring, random_state=0)
    assert verdict.table["verdict"].tolist() == ["beats", "loses", "beats"]
    assert verdict.score == scoring
    assert verdict.scores.loc["one-hop", "score"] == pytest.approx(0.85, abs=0.05)
    assert verdict.scores.loc["one-hop", "accuracy"] == pytest.approx(0.85, abs=0.05)


# Sentences


def answer_against(verdict: Verdict, title: str) -> str:
    """Return the line that begins with a title."""
    (line,) = [line for line in str(verdict).split("\n") if line.startswith(title)]
    return line


SITUATIONS = {
    "beats": ([0.5, 0.9, 0.5], [0, 1, 2], {}),
    "loses": ([0.9, 0.5, 0.4], [0, 1, 2], {}),
    "inconclusive": ([0.7, 0.72, 0.71], [0, 1, 2], {"scoring": "accuracy"}),
    "equivalent": ([0.7, 0.7, 0.7], [0, 1, 2], {}),
    "replayed": ([0.6, 0.7, 0.9], [0, 1, 2], {"scoring": "f1_macro"}),
    "no plain": ([0.6, 0.7, 0.8], [1, 1, 2], {}),
    "plain only": ([0.6, 0.7, 0.8], [0, 0, 0], {}),
    "no one-hop": ([0.6, 0.7, 0.8], [0, 2, 2], {}),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_verdict_is_lines_of_sentences_that_name_the_trials_of_each_kind(situation):
    hits, hops, settings = SITUATIONS[situation]
    proba, y = trials(hits)
    verdict = judge(proba, y, hops, random_state=0, **settings)
    added = verdict.steps["gain"].iloc[1:]
    assert ("Step by step: " in str(verdict)) == (len(added) > 1 and added.any())
    assert all(re.fullmatch(r"[A-Z].*\.", line) for line in str(verdict).split("\n"))
    assert verdict.headline == str(verdict).split("\n")[0]
    plain, one, several = sum(h == 0 for h in hops), sum(h == 1 for h in hops), sum(h >= 2 for h in hops)
    counted = f"{plain} trial{'s' * (plain != 1)} without a teacher, {one} of one hop, {several} of several."
    assert answer_against(verdict, "Measured on 400 held-out rows").endswith(counted)
    assert "nan" not in str(verdict).lower()


def test_a_verdict_says_its_gain_with_the_interval():
    proba, y = trials([*[0.5] * 10, 0.9])
    verdict = judge(proba, y, [*[0] * 10, 1], scoring="accuracy", random_state=0)
    row, scores = verdict.table.loc["selected vs plain"], verdict.scores["score"]
    gain, low, high = 100 * row[["gain", "low", "high"]].astype(float)
    assert verdict.headline.startswith(
        f"Better, proven: accuracy from {scores['plain']:.4g} (the usual tuned model) to {scores['selected']:.4g} "
        f"(ours), {gain:.1f} points higher; 95 % interval {low:.1f} to {high:.1f} points higher"
    )
    assert f"log-loss from {verdict.scores.loc['plain', 'log_loss']:.4g} to" in verdict.headline


def test_each_answer_has_its_words():
    """By the interval of the gain over the usual model: above 0, mostly above it, around it; near 0; below it."""
    proba, y = trials([*[0.6] * 10, 0.7])
    verdict = judge(proba, y, [*[0] * 10, 1], random_state=0)
    for (gain, low, high, outcome), answer in {
        (0.1, 0.05, 0.15, "beats"): "Better, proven: log-loss",
        (0.1, -0.02, 0.22, "inconclusive"): "Probably better, not proven: log-loss",
        (0.02, -0.1, 0.14, "inconclusive"): "Too few rows to say: log-loss",
        (0.0, -0.001, 0.001, "equivalent"): "No gain: log-loss",
        (-0.1, -0.15, -0.05, "loses"): "Worse: log-loss",
    }.items():
        table = verdict.table.copy()
        table.loc["selected vs plain"] = [gain, low, high, outcome]
        assert replace(verdict, table=table).headline.startswith(answer)
    table.loc["selected vs plain"] = [-0.1, -0.15, -0.05, "loses"]
    loss = -verdict.scores.loc["plain", "score"]
    change = f"{10 / loss:.1f} % higher; 95 % interval {5 / loss:.1f} to {15 / loss:.1f} % higher"
    assert change in replace(verdict, table=table).headline


def test_a_notebook_shows_the_answer_first_and_escapes_what_came_with_the_data():
    proba, y = trials([0.6, 0.9])
    verdict = replace(judge(proba, y, [0, 1], random_state=0), notes=("<b> & co",))
    shown = verdict._repr_html_()
    assert shown.startswith("<p><strong>Probably better, not proven: log-loss")
    assert "&lt;b&gt; &amp; co" in shown
    assert "<table" in shown


def test_a_score_that_reads_the_model_cannot_be_judged_and_says_so():
    scoring = scoring_for(lambda model, X, y: 0.0, np.arange(2))
    verdict = empty_verdict(np.array([0, 0, 1, 2, 3]), 321, scoring)
    assert list(verdict.table.index) == ROWS
    assert verdict.table[["gain", "low", "high"]].isna().all(axis=None)
    assert (verdict.table["verdict"] == "inconclusive").all()
    assert verdict.headline == "Not compared: <lambda> cannot be taken again on rows drawn anew."
    assert "2 trials without a teacher, 1 of one hop, 2 of several" in str(verdict)
    assert verdict.advice == {}


# Advice

ABOUT = "about {} more rows would settle it"


@pytest.mark.parametrize(
    ("gain", "low", "high", "region", "n_rows", "expected"),
    [
        # the lower end is .04 below a gain of .02: to bring it to zero the width must halve, 4 times the rows, 300 more
        (0.02, -0.02, 0.06, 0.0, 100, ABOUT.format("300")),
        (-0.02, -0.06, 0.02, 0.0, 100, ABOUT.format("300")),
        # only the end towards zero counts: .03 / .02 squared is 2.25
        (0.02, -0.01, 0.50, 0.0, 1000, ABOUT.format("1,300")),
        # equivalence is nearer: the wider side, .02, must shrink to .01 - .002 = .008: 6.25 times the rows
        (0.002, -0.016, 0.022, 0.01, 400, ABOUT.format("2,100")),
        # no gain at all: only equivalence can be reached, .02 to .01 is 4 times the rows
        (0.0, -0.02, 0.02, 0.01, 1000, ABOUT.format("3,000")),
        # rounded up to two digits: .03 / .013 squared is 5.325, 432.5 more
        (0.013, -0.017, 0.043, 0.0, 100, ABOUT.format("440")),
        # 199 times the width: 40,000 times the rows
        (0.001, -0.2, 0.2, 0.0, 1000, None),
        # nothing to reach at all
        (0.0, -0.2, 0.2, 0.0, 1000, None),
        (0.005, -0.2, 0.2, 0.005, 1000, None),
    ],
)
def test_advice_says_how_many_more_rows_would_settle_it(gain, low, high, region, n_rows, expected):
    advice = advice_on(gain, low, high, region, n_rows)
    if expected is None:  # hopeless
        assert not re.match(r"about \d", advice)
        assert "settle it" in advice
    else:
        assert advice == expected


def test_every_inconclusive_comparison_comes_with_advice_and_no_other_does():
    proba, y = trials([0.7, 0.72, 0.5])
    verdict = judge(proba, y, [0, 1, 2], scoring="accuracy", random_state=0)
    assert verdict.table["verdict"].tolist()[:2] == ["inconclusive", "loses"]
    inconclusive = verdict.table.index[verdict.table["verdict"] == "inconclusive"]
    assert set(verdict.advice) == set(inconclusive)
    assert all(verdict.advice[name] in str(verdict).lower() for name in inconclusive)


# What cannot be judged


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p, y, h: (p[:, :, 0], np.array(["no", "yes"])[y], h), "numbers"),
        (lambda p, y, h: (p[:, :-1], y, h), "shape"),
        (lambda p, y, h: (p, y, h[:-1]), "shape"),
        (lambda p, y, h: (p[:, :, :1], y, h), "shape"),
        (lambda p, y, h: (p[0], y, h), "shape"),
        (lambda p, y, h: (np.where(p == p[0, 0, 0], NAN, p), y, h), "finite"),
        (lambda p, y, h: (np.where(p == p[0, 0, 0], np.inf, p), y, h), "finite"),
    ],
)
def test_a_table_that_cannot_be_judged_is_met_with_one_sentence(damage, words):
    proba, y = trials([0.6, 0.7, 0.8])
    with pytest.raises(InvalidData, match=words) as caught:
        judge(*damage(proba, y, [0, 1, 2]), random_state=0)
    message = str(caught.value)
    assert message.endswith(".")
    assert len(re.findall(r"\.(?=\s|$)", message)) == 1
    assert ":" in message  # what to do


# What an adaptive sampler is told


def search_of(
    n_rows=120, *, groups=None, scoring="accuracy", adaptive=True, repeats=1, weight=None, hits=(0.6, 0.7, 0.8)
):
    """Return an assessment, its records and their predictions; `repeats` times 3 folds, each row held out in each."""
    proba, y = trials(hits, n_rows=n_rows)
    rng = np.random.default_rng(0)
    folds = []
    for _ in range(repeats):
        place = rng.permutation(n_rows) % 3
        for k in range(3):
            train, test = np.flatnonzero(place != k), np.flatnonzero(place == k)
            folds.append(Fold(number=len(folds), role=Role.OUTER, train=train, test=test))
    rows = np.arange(n_rows)
    problem = Problem(
        X=rows[:, None],
        y=y,
        classes=np.arange(2),
        sample_weight=weight,
        groups=groups,
        folds=tuple(folds),
        whole=Fold(number=-1, role=Role.WHOLE, train=rows, test=rows[:0]),
        scoring=scoring_for(scoring, np.arange(2)),
        random_state=3,
    )
    paths = [
        Path(()),
        Path((Hop(HardLabels(), "student"),)),
        Path((Hop(Truncate(5), "teacher[:5]"), Hop(HardLabels(), "student"))),
    ]
    records, predictions = [], []
    for number, matrix in enumerate(proba):
        weights = [None if weight is None else weight[fold.test] for fold in folds]
        scores = (0.1 * number,) * len(folds)
        if not callable(scoring):
            scores = tuple(
                problem.scoring.score(y[fold.test], matrix[fold.test], w)
                for fold, w in zip(folds, weights, strict=True)
            )
        records.append(TrialRecord(number=number, path=paths[number % 3], state=COMPLETE, fold_scores=scores))
        predictions.append(matrix[np.concatenate([fold.test for fold in folds])])
    return Assessment(problem, adaptive), records, predictions


def undecided(n_rows):
    """Return the outputs of a teacher that knows nothing."""
    return TeacherOutputs(np.full((n_rows, 2), 0.5, dtype=np.float32))


def seen(assessment, records, predictions):
    """Return which rows the sampler is told about and which judge, found by spoiling one row at a time."""
    teacher = undecided(assessment.problem.n_rows)
    before = assessment.told_means(records[1], predictions[1])[-1]
    table = Resampling(assessment, teacher).verdict(Case(records, predictions, 1)).scores
    told, judging = set(), set()
    for row in range(assessment.problem.n_rows):
        entries = assessment.held_out.row == row
        spoilt = [np.where(entries[:, None], matrix[:, ::-1], matrix) for matrix in predictions]
        if assessment.told_means(records[1], spoilt[1])[-1] != before:
            told.add(row)
        if not Resampling(assessment, teacher).verdict(Case(records, spoilt, 1)).scores.equals(table):
            judging.add(row)
    return told, judging


@pytest.mark.parametrize("repeats", [1, 2])
def test_told_rows_and_judging_rows_are_disjoint_halves(repeats):
    assessment, records, predictions = search_of(24, repeats=repeats)
    told, judging = seen(assessment, records, predictions)
    assert len(told) == len(judging) == 12
    assert told | judging == set(range(24))
    assert Resampling(assessment, undecided(24)).verdict(Case(records, predictions, 1)).n_rows == 12


def test_told_groups_and_judging_groups_are_disjoint():
    groups = np.array([f"group {k % 11}" for k in range(33)])
    assessment, records, predictions = search_of(33, groups=groups)
    told, judging = seen(assessment, records, predictions)
    assert {groups[row] for row in told} & {groups[row] for row in judging} == set()
    assert told | judging == set(range(33))
    assert sorted([len({groups[row] for row in told}), len({groups[row] for row in judging})]) == [5, 6]


def test_the_halves_are_fixed_by_the_seed():
    one, two = search_of()[0], search_of(hits=(0.5, 0.5, 0.5))[0]
    np.testing.assert_array_equal(one.told_units, two.told_units)
    assert 0 < one.told_units.sum() < one.held_out.n_units


def test_a_sampler_that_does_not_learn_is_told_the_score_on_all_rows_and_all_rows_judge():
    assessment, records, predictions = search_of(adaptive=False)
    for record, matrix in zip(records, predictions, strict=True):
        assert assessment.told_means(record, matrix)[-1] == assessment.score(record)
    assert Resampling(assessment, undecided(120)).verdict(Case(records, predictions, 1)).n_rows == 120


@pytest.mark.parametrize("scoring", ["accuracy", "auto", "roc_auc"])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_a_sampler_is_told_is_the_score_on_the_told_rows(scoring, weighted):
    weight = np.random.default_rng(1).uniform(0.5, 2, size=120) if weighted else None
    assessment, records, predictions = search_of(scoring=scoring, weight=weight)
    held_out, problem = assessment.held_out, assessment.problem
    told = assessment.told_units[held_out.unit] == 1
    for record, matrix in zip(records, predictions, strict=True):
        by_fold = [told & (held_out.fold == fold.number) for fold in problem.folds]
        parts = by_fold if scoring == "roc_auc" else [told]
        expected = np.mean(
            [
                problem.scoring.score(
                    held_out.y[part], matrix[part], None if weight is None else held_out.sample_weight[part]
                )
                for part in parts
            ]
        )
        assert assessment.told_means(record, matrix)[-1] == pytest.approx(expected, abs=1e-12)


def test_the_choice_uses_all_rows_under_an_adaptive_sampler_too():
    adaptive, records, predictions = search_of()
    plain = search_of(adaptive=False)[0]
    assert adaptive.choose(records, predictions) == plain.choose(records, predictions)


@pytest.mark.parametrize("scoring", ["accuracy", "auto", "roc_auc"])
@pytest.mark.parametrize("repeats", [1, 2])
def test_the_score_of_a_trial_is_over_rows_or_over_folds_as_the_score_is(scoring, repeats):
    assessment, records, predictions = search_of(scoring=scoring, repeats=repeats, n_rows=100)
    held_out, problem = assessment.held_out, assessment.problem
    for record, matrix in zip(records, predictions, strict=True):
        if scoring == "roc_auc":
            assert assessment.score(record) == pytest.approx(np.mean(record.fold_scores))
            assert assessment.standard_error(record, matrix) == pytest.approx(
                np.std(record.fold_scores, ddof=1) / np.sqrt(len(problem.folds))
            )
        else:
            rows = problem.scoring.rows(held_out.y, matrix)
            assert assessment.score(record) == pytest.approx(rows.mean())
            per_row = np.array([rows[held_out.row == row].mean() for row in range(100)])
            assert assessment.standard_error(record, matrix) == pytest.approx(per_row.std() / 10)


def test_a_score_that_reads_the_model_is_told_whole_and_gets_no_judgement():
    assessment, records, predictions = search_of(scoring=lambda model, X, y: 0.0)
    assert assessment.told_means(records[1], predictions[1])[-1] == pytest.approx(0.1)
    assert assessment.choose(records, predictions) == 2
    verdict = Resampling(assessment, undecided(120)).verdict(Case(records, predictions, 2))
    assert verdict.table["gain"].isna().all()
    assert verdict.headline.startswith("Not compared: ")


def test_where_several_hops_only_truncate_the_teacher_the_verdict_says_so():
    assessment, records, predictions = search_of(adaptive=False)
    assert "only a truncated teacher" in str(
        Resampling(assessment, undecided(120)).verdict(Case(records, predictions, 2))
    )
    without = [record for record in records if record.hops < 2]
    assert "truncated" not in str(Resampling(assessment, undecided(120)).verdict(Case(without, predictions[:2], 1)))


def noisy_trials(hops, y, spread=0.1, seed=0):
    """Predictions of equally good trials, (n_trials, n_rows, 2)."""
    rng = np.random.default_rng(seed)
    sure = np.clip(0.6 + spread * rng.normal(size=(len(hops), len(y))), 0.05, 0.95)
    return np.stack([np.where(y == 0, sure, 1 - sure), np.where(y == 0, 1 - sure, sure)], axis=2)


def test_with_fewer_than_ten_groups_nothing_is_conclusive():
    y = np.arange(90) % 2
    hops = [0, 1, 2]
    better = np.eye(2)[y] * np.array([0.1, 0.5, 0.9])[:, None, None] + np.array([0.45, 0.25, 0.05])[:, None, None]
    assert judge(better, y, hops, groups=np.arange(90) % 10, random_state=0).table["verdict"].tolist() == ["beats"] * 3
    few = judge(better, y, hops, groups=np.arange(90) % 9, random_state=0)
    assert few.table["verdict"].tolist() == ["inconclusive"] * 3
    assert set(few.advice.values()) == {"at least 10 rows or groups are needed"}


def test_of_equal_trials_the_first_is_chosen_whatever_the_rounding():
    y = np.arange(100) % 2
    one = noisy_trials([0], y)[0]
    evidence = evidence_for(
        [one] * 99, HeldOut(y, np.zeros(100, int), np.arange(100), np.arange(100)), scoring_for("auto", np.arange(2))
    )
    draws = np.vstack([np.ones(100), np.random.default_rng(0).multinomial(100, [0.01] * 100, size=50)])
    assert set(choose(evidence, np.zeros(99, int), draws, np.arange(99))) == {0}
    assert set(choose(evidence, np.arange(99) % 3 + 1, draws, np.arange(99))) == {0}


def test_a_replayed_score_compares_all_trials_and_knows_a_plain_choice():
    y, hops = np.arange(60) % 2, np.repeat([0, 1], 4)
    held_out = HeldOut(y, np.arange(60) % 3, np.arange(60), np.arange(60))
    for chosen in (0, 3):
        found = compare(
            list(noisy_trials(hops, y)),
            hops,
            held_out,
            scoring_for("roc_auc", np.arange(2)),
            random_state=0,
            chosen=chosen,
        )
        assert found.n_trials == {"plain": 4, "one-hop": 4, "multi-hop": 0}
        assert found.table.loc["selected vs plain", "verdict"] == "equivalent"


def test_a_score_that_no_draw_defines_is_inconclusive():
    y, hops = np.arange(60) % 2, np.array([0, 1])  # every fold is of one class
    held_out = HeldOut(y, np.arange(60) % 2, np.arange(60), np.arange(60))
    scoring = scoring_for("roc_auc", np.arange(2))
    table = compare(list(noisy_trials(hops, y)), hops, held_out, scoring, random_state=0).table
    assert table.loc["one-hop vs plain", "verdict"] == "inconclusive"
    assert np.isnan(table.loc["one-hop vs plain", "gain"])


def test_judge_says_that_a_callable_cannot_be_taken_again():
    y, hops = np.arange(40) % 2, [0, 1, 2]
    verdict = judge(noisy_trials(hops, y), y, hops, scoring=lambda model, X, y: 1.0)
    assert "cannot be taken again" in str(verdict)
    assert verdict.table["gain"].isna().all()


def test_without_a_plain_trial_the_verdict_names_that_cause():
    y, hops = np.arange(40) % 2, [1, 1, 2]
    assert "no trial without a teacher is there" in str(judge(noisy_trials(hops, y), y, hops, random_state=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": "many"}, "must be tables of numbers"),
        ({"predictions": [[[0.5, 0.5]], [[0.5]]]}, "must be tables of numbers"),
        ({"hops": [[0, 1, 2]]}, "hops must hold a whole number"),
        ({"hops": [0, 1, -1]}, "hops must hold a whole number"),
        ({"hops": [0, 1, 0.5]}, "hops must hold a whole number"),
        ({"hops": [0, 1, np.nan]}, "hops must hold a whole number"),
        ({"hops": []}, "hops must hold a whole number"),
        ({"predictions": np.full((3, 40, 2), 0.7)}, "must be probabilities that sum to 1"),
        ({"y": np.where(np.arange(40) == 0, np.nan, np.arange(40) % 2)}, "y must have no missing label"),
        ({"sample_weight": np.ones(39)}, "sample_weight must have one entry for each of the 40 rows"),
        ({"sample_weight": -np.ones(40)}, "sample_weight must be finite"),
        ({"groups": np.arange(41)}, "groups must have one entry for each of the 40 rows"),
        ({"random_state": -1}, "random_state must be None or an integer of at least 0"),
        ({"random_state": np.random.RandomState(0)}, "random_state must be None or an integer of at least 0"),
    ],
)
def test_bad_tables_are_met_with_one_sentence(change, message):
    y, hops = np.arange(40) % 2, [0, 1, 2]
    given = {"predictions": noisy_trials(hops, y), "y": y, "hops": hops, "random_state": 0, **change}
    with pytest.raises(InvalidData, match=message):
        judge(given.pop("predictions"), given.pop("y"), given.pop("hops"), **given)


# ---- what a gain is divided by, and what is called tuned


def test_a_relative_gain_is_divided_by_the_score_of_the_rival_that_is_named():
    proba, y = trials([0.6, 0.9, 0.7])
    verdict = judge(proba, y, [0, 1, 2], random_state=0)
    for name, title in (("one-hop vs plain", "One hop"), ("multi-hop vs one-hop", "Several hops")):
        rival = abs(verdict.scores.loc[name.partition(" vs ")[2], "score"])
        change = 100 * verdict.table.loc[name, "gain"] / rival
        assert f"{abs(change):.1f} % {'lower' if change > 0 else 'higher'};" in answer_against(verdict, title)


def test_too_few_rows_for_a_ratio_are_told_in_the_unit_of_the_score():
    proba, y = trials([0.5, 0.9, 0.5], n_rows=24)
    assert "%" not in str(judge(proba, y, [0, 1, 2], random_state=0)).replace("95 %", "")


def test_no_interval_says_that_more_than_all_of_a_loss_is_gained():
    proba, y = trials([0.6, 0.9, 0.7])
    verdict = judge(proba, y, [0, 1, 2], random_state=0)
    loss = abs(verdict.scores.loc["plain", "score"])
    for high, is_share in ((0.99 * loss, True), (1.01 * loss, False)):
        table = verdict.table.copy()
        table.loc["one-hop vs plain", "high"] = high
        assert ("% lower" in replace(verdict, table=table).headline) == is_share


@pytest.mark.parametrize("n_plain", [1, 9, 10])
def test_tuned_means_at_least_ten_plain_trials(n_plain):
    proba, y = trials([0.5] * n_plain + [0.9])
    said = judge(proba, y, [0] * n_plain + [1], random_state=0).headline
    assert ("the usual tuned model" in said) == said.startswith("Better, proven") == (n_plain >= 10)
    few = f"That model had {n_plain} trial{'s' * (n_plain != 1)}, tuning takes 10."
    assert (few in said) == said.startswith("Probably better, not proven") == (n_plain < 10)


def test_the_own_fit_is_tuned_by_its_own_trials_only():
    proba, y = trials([0.5] * 12 + [0.9])
    own = np.arange(13) < 9
    verdict = judge(proba, y, [0] * 12 + [1], own_fit=own, random_state=0)
    assert verdict.n_own_fit == 9
    assert "the usual untuned model" in verdict.headline
    assert answer_against(verdict, "Against the best model without a teacher: better, proven.")
    tuned = judge(proba, y, [0] * 12 + [1], own_fit=np.arange(13) < 10, random_state=0)
    assert "the usual tuned model" in tuned.headline


def test_without_a_trial_of_the_own_fit_the_best_model_without_a_teacher_is_the_rival():
    proba, y = trials([*[0.5] * 10, 0.9])
    verdict = judge(proba, y, [*[0] * 10, 1], own_fit=np.zeros(11, dtype=bool), random_state=0)
    assert verdict.headline.startswith("Better, proven: log-loss from ")
    assert "(the best tuned model without a teacher)" in verdict.headline


# ---- a model without skill is a rival too


def test_no_skill_says_the_shares_of_the_other_rows():
    y = np.array([0] * 30 + [1] * 10)
    proba = np.tile([[[0.5, 0.5]]], (2, 40, 1))
    verdict = judge(proba, y, [0, 1], random_state=0)
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert verdict.scores.loc["no skill", "log_loss"] == pytest.approx(expected, abs=0.05)
    assert verdict.scores.loc["no skill", "accuracy"] == pytest.approx(0.75, abs=0.01)
    assert str(verdict).startswith("No model here beats guessing the class shares: log-loss 0.6931, guessing 0.5")


def test_no_skill_of_rows_with_weights_says_weighted_shares():
    y, weight = np.array([0, 1] * 20), np.array([3.0, 1.0] * 20)
    verdict = judge(np.full((1, 40, 2), 0.5), y, [0], sample_weight=weight, random_state=0)
    assert verdict.scores.loc["no skill", "accuracy"] == pytest.approx(0.75, abs=0.01)
    assert verdict.scores.loc["no skill", "log_loss"] == pytest.approx(0.5623, abs=0.05)


@pytest.mark.parametrize(
    ("scoring", "said"),
    [("accuracy", "guessing the most frequent class: accuracy 0,"), ("roc_auc", "guessing the class shares")],
)
def test_what_no_skill_guesses_follows_what_the_score_reads(scoring, said):
    y = np.array([0] * 70 + [1] * 30)
    wrong = np.eye(2)[1 - y] * 0.6 + 0.2
    verdict = judge(np.stack([wrong, wrong]), y, [0, 1], scoring=scoring, random_state=0)
    assert str(verdict).startswith(f"No model here beats {said}")
    assert verdict.scores.loc["no skill", "score"] == pytest.approx(
        {"accuracy": 0.7, "roc_auc": 0.5}[scoring], abs=0.02
    )


def test_in_regression_no_skill_predicts_the_mean():
    y = np.arange(60.0)
    away, near = np.full(60, 60.0), y + 1.0
    bad = judge(np.stack([away, away]), y, [0, 1], random_state=0)
    assert bad.scores.loc["no skill", "r2"] == pytest.approx(0.0, abs=0.2)
    assert str(bad).startswith("No model here beats predicting the mean: squared error ")
    assert "predicting" not in str(judge(np.stack([away, near]), y, [0, 1], random_state=0))


def test_a_model_that_beats_guessing_is_not_said_to_guess():
    proba, y = trials([0.7, 0.9])
    assert "guessing" not in str(judge(proba, y, [0, 1], random_state=0))


def test_a_teacher_that_is_no_better_than_guessing_is_said_to_be_so_first():
    proba, y = trials([0.7, 0.8, 0.2])
    rows = np.arange(400)
    held_out = HeldOut(y, rows % 5, rows, rows, guesses=np.full((400, 2), 0.5))
    said = str(
        compare(
            list(proba[:2]), np.array([0, 1]), held_out, FlooredLogLoss(np.arange(2)), random_state=0, teacher=proba[2]
        )
    )
    assert said.startswith("The teacher is no better than guessing the class shares: log-loss ")
