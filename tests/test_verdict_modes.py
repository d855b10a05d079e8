"""Verdicts by rows outside the search: nested, a held-out share, fresh rows of the user's."""

from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine, make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, TimeSeriesSplit
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import multihop_search.engine.prefixes as prefixes
from multihop_search import HardLabels, MultihopSearchClassifier, MultihopSearchRegressor
from multihop_search.engine.record import COMPLETE, TrialRecord
from multihop_search.errors import InvalidData, InvalidSetting, StoppedWarning
from multihop_search.interrupt import Interrupted
from multihop_search.paths.path import Hop, Path
from multihop_search.problem.folds import held_by
from multihop_search.problem.intake import make_problem
from multihop_search.problem.row_scores import Accuracy
from multihop_search.trees import OwnFit, Refined
from multihop_search.verdict.case import Case
from multihop_search.verdict.nested import NestedSearch
from multihop_search.verdict.out_of_fold import HeldOut
from multihop_search.verdict.outside import Picks, contrast

pytestmark = pytest.mark.once

X, Y = make_classification(160, 6, n_informative=4, flip_y=0.2, random_state=0)
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)
FOREST = RandomForestClassifier(2, random_state=0)


def search(**settings):
    """Return a search; its only intermediate model makes paths of two hops, and no fit to find others is needed."""
    usual = {"n_trials": 6, "random_state": 0, "cv": 3, "crossfit_cv": 2, "tree_fits": [OwnFit()]}
    stump = [("stump", DecisionTreeClassifier(max_depth=1))]
    return MultihopSearchClassifier(clone(TREE), clone(FOREST), intermediates=stump, **{**usual, **settings})


def judged_by(way, rows=(X, Y), fit=None, **settings):
    """Return a search fitted on rows and judged by the argument `verdict`, or by fresh rows (X, y)."""
    if isinstance(way, tuple):
        return search(**settings).fit(*rows, **(fit or {}), X_fresh=way[0], y_fresh=way[1])
    return search(verdict=way, **settings).fit(*rows, **(fit or {}))


def floored(proba):
    proba = np.maximum(proba, 1e-3)
    return proba / proba.sum(axis=1, keepdims=True)


def log_loss(proba, y):
    return -float(np.log(floored(proba)[np.arange(len(y)), y]).mean())


def contrasted(predictions, held_out):
    """Return the verdict on three trials, one of each group, of which that with two hops was chosen."""
    records = [TrialRecord(number=n, path=Path((Hop(HardLabels(), "student"),) * n), state=COMPLETE) for n in range(3)]
    picks = Picks(held_out=held_out, predictions=predictions, method="held-out")
    return contrast(picks, Case(records, [], 2), Accuracy(np.array([0, 1])), 0)


def test_a_contrast_by_hand():
    held_out = HeldOut(np.array([0, 1] * 50), np.zeros(100, dtype=int), np.arange(100), np.arange(100))
    right, wrong = np.eye(2)[held_out.y], np.eye(2)[1 - held_out.y]
    half = np.where(np.arange(100)[:, None] < 50, right, wrong)
    verdict = contrasted({"plain": wrong, "one-hop": half, "multi-hop": half, "selected": right}, held_out)
    assert verdict.scores["accuracy"].to_dict() == {"plain": 0, "one-hop": 0.5, "multi-hop": 0.5, "selected": 1}
    table = verdict.table
    assert table["gain"].to_dict() == {"one-hop vs plain": 0.5, "multi-hop vs one-hop": 0, "selected vs plain": 1}
    assert list(table["verdict"]) == ["beats", "equivalent", "beats"]
    low, high = table.loc["one-hop vs plain", ["low", "high"]]
    assert (low, high) == pytest.approx((0.40, 0.60), abs=0.015)  # quantiles of the binomial of 100 draws


def test_nested_intervals_are_wider_where_folds_differ():
    """Accuracy; a fold of 50 rows in which the gain is 1 or 0: r^2 = 0.0025, s^2 = 0.5, K = 2, t^2 = 0.495."""
    held_out = HeldOut(np.zeros(100, dtype=int), np.arange(100) // 50, np.arange(100), np.arange(100))
    right, wrong = np.tile([1.0, 0.0], (100, 1)), np.tile([0.0, 1.0], (100, 1))
    half = np.where(np.arange(100)[:, None] < 50, right, wrong)
    predictions = {"plain": wrong, "one-hop": half, "multi-hop": half, "selected": half}
    nested = contrasted(predictions, held_out).table
    outside = contrasted(predictions, replace(held_out, fold=np.zeros(100))).table
    widths = [
        table.loc["one-hop vs plain", "high"] - table.loc["one-hop vs plain", "low"] for table in (nested, outside)
    ]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(1 + (0.5 / 2 + 0.495) / 0.0025), rel=0.05)
    assert nested.loc["multi-hop vs one-hop", "low"] == 0  # nothing differs in any row


def pairs_of(cv, y=Y, groups=None):
    problem = make_problem(
        X[: len(y)],
        y,
        sample_weight=None,
        groups=groups,
        cv=cv,
        crossfit_cv=2,
        scoring="auto",
        random_state=0,
        verdict="nested",
    )
    return problem


@pytest.mark.parametrize(
    "cv", [3, 5, TimeSeriesSplit(4), RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)]
)
def test_no_row_of_either_fold_trains_what_judges_them(cv):
    problem = pairs_of(cv)
    for (one, other), pair in problem.pairs.items():
        first, second = problem.folds[one], problem.folds[other]
        assert not set(pair.train) & (set(first.test) | set(second.test))
        assert set(pair.train) <= set(first.train) & set(second.train)
        assert set(held_by(second, first)) | set(held_by(first, second)) == set(pair.test)
        assert not set(held_by(second, first)) & set(first.test)
        assert problem.fold(pair.number) is pair
    if isinstance(cv, int):
        assert len(problem.pairs) == cv * (cv - 1) // 2
        assert all(
            set(held_by(problem.folds[b], problem.folds[a])) == set(problem.folds[b].test) for a, b in problem.pairs
        )


STRIPES = np.random.default_rng(0).uniform(0, 8, size=(160, 1))
"""Rows of eight stripes, whose classes take turns: the more leaves, the better."""


@pytest.mark.parametrize(
    ("X", "y", "sizes", "bounded"),
    [(X, Y, [1, 5, 10, 20, 40], False), (STRIPES, STRIPES[:, 0].astype(int) % 2, [12, 40], True)],
)
def test_a_nested_search_of_plain_students_by_hand(X, y, sizes, bounded):
    """Without each outer fold: candidates judged on the others, the best fitted on them and judged on the fold.

    A bound of bytes is kept by measuring: a pick that exceeds it in the outer fold gives way to the next.
    """

    def fitted_on(train, **params):
        return clone(TREE).set_params(max_depth=9, **params).fit(X[train], y[train])

    settings = {
        "max_hops": 0,
        "n_trials": 8,
        "cv": 4,
        "param_distributions": {"max_depth": [9], "min_samples_leaf": sizes},
    }
    results = search(**settings).fit(X, y).results_
    per_node, base = np.polyfit(results["nodes"], results["size_bytes"], 1)
    most = 12 if bounded else np.inf  # nodes
    budget = {"size_bytes": base + most * per_node} if bounded else None
    fitted = search(**settings, verdict="nested", budget=budget).fit(X, y)
    folds = fitted.setup_.problem.folds
    sizes = list(dict.fromkeys(dict(path.params)["min_samples_leaf"] for path in fitted.paths_))
    assert len(sizes) > 1
    total, n_exceeded = 0.0, 0
    for outer in folds:
        losses = []
        for least in sizes:
            tables, targets, inside = [], [], True
            for inner in folds:
                if inner.number != outer.number:
                    model = fitted_on(np.setdiff1d(outer.train, inner.test), min_samples_leaf=least)
                    tables.append(model.predict_proba(X[inner.test]).astype(np.float32))
                    targets.append(y[inner.test])
                    inside &= model.tree_.node_count <= most
            losses.append(log_loss(np.concatenate(tables), np.concatenate(targets)) if inside else np.inf)
        for place in np.argsort(losses, kind="stable"):
            model = fitted_on(outer.train, min_samples_leaf=sizes[place])
            if model.tree_.node_count <= most:
                break
            n_exceeded += 1
        total += log_loss(model.predict_proba(X[outer.test]).astype(np.float32), y[outer.test]) * len(outer.test)
    assert fitted.verdict_.scores.loc["plain", "log_loss"] == pytest.approx(total / len(y), abs=1e-6)
    assert fitted.verdict_.method == "nested"
    assert "held-out rows, the whole search run again without them" in str(fitted.verdict_)
    assert (n_exceeded > 0) == bounded


def test_models_without_two_folds_serve_both_searches(monkeypatch):
    seen = []
    real = prefixes.judge

    def counted(problem, ladder, number, path, upper=None):
        seen.append((number, path.key))
        return real(problem, ladder, number, path, upper)

    monkeypatch.setattr(prefixes, "judge", counted)
    fitted = search(cv=4, n_trials=3, verdict="nested", pruner=optuna.pruners.NopPruner()).fit(X, Y)
    of_pairs = [key for key in seen if key[0] >= 4]
    n_paths = len({path.key for path in fitted.paths_})
    assert len(of_pairs) == len(set(of_pairs)) == n_paths * 6


def test_nested_again_from_a_checkpoint_is_the_same(tmp_path, monkeypatch):
    settings = {"verdict": "nested", "n_trials": 3, "checkpoint": tmp_path}
    first = search(**settings).fit(X, Y)
    seen = []
    real = prefixes.judge
    monkeypatch.setattr(prefixes, "judge", lambda *args: (seen.append(args[2]), real(*args))[1])
    again = search(**settings).fit(X, Y)
    pd.testing.assert_frame_equal(first.verdict_.table, again.verdict_.table)
    assert all(number < 3 for number in seen)  # only what was picked is fitted again, no trial of any search


def test_held_out_rows_neither_train_nor_choose():
    X, y = make_regression(200, 5, noise=30, random_state=0)

    def fitted(y):
        search = MultihopSearchRegressor(
            DecisionTreeRegressor(max_depth=2, random_state=0),
            RandomForestRegressor(5, random_state=0),
            n_trials=6,
            cv=3,
            crossfit_cv=2,
            intermediates=[],
            verdict=0.25,
            random_state=0,
        )
        return search.fit(X, y)

    one = fitted(y)
    rows = one.setup_.problem.searched.test
    assert len(rows) == 50
    spoilt = y.copy()
    spoilt[rows] = np.random.default_rng(0).permutation(spoilt[rows])
    other = fitted(spoilt)
    assert one.best_path_ == other.best_path_
    assert list(one.results_["score"]) == list(other.results_["score"])
    assert one.verdict_.scores.loc["selected", "score"] > other.verdict_.scores.loc["selected", "score"]
    assert one.verdict_.n_rows == 50
    assert "best_estimator_ was fitted on all rows afterwards" in str(one.verdict_)
    assert one.best_estimator_.tree_.n_node_samples[0] == 200


def test_held_out_groups_stay_together():
    groups = np.repeat(np.arange(40), 4)
    fitted = search(verdict=0.3).fit(X, Y, groups=groups)
    problem = fitted.setup_.problem
    out = set(groups[problem.searched.test])
    assert len(out) == 12
    assert not out & set(groups[problem.searched.train])
    assert all(not out & set(groups[np.concatenate([fold.train, fold.test])]) for fold in problem.folds)


def test_a_list_of_splits_loses_the_rows_held_out():
    splits = [(np.arange(80, 160), np.arange(80)), (np.arange(80), np.arange(80, 160))]
    problem = search(verdict=0.25, cv=splits).fit(X, Y).setup_.problem
    out = set(problem.searched.test)
    assert len(out) == 40
    assert all(not out & set(np.concatenate([fold.train, fold.test])) for fold in problem.folds)
    assert sum(len(fold.test) for fold in problem.folds) == 120


def test_fresh_rows_judge_what_refit_trial_gives():
    X, y = load_wine(return_X_y=True)
    labels = np.array(["a", "b", "c"])[y]
    fresh = np.arange(len(y)) % 3 == 0
    table = pd.DataFrame(X[fresh])
    fitted = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2),
        FOREST,
        intermediates=[],
        n_trials=6,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(pd.DataFrame(X[~fresh]), labels[~fresh], X_fresh=table, y_fresh=pd.Series(labels[fresh]))
    ours = fitted.best_estimator_.predict_proba(table)
    assert fitted.verdict_.scores.loc["selected", "log_loss"] == pytest.approx(log_loss(ours, y[fresh]))
    teacher = fitted.teacher_.predict_proba(table)
    assert fitted.verdict_.scores.loc["teacher", "log_loss"] == pytest.approx(log_loss(teacher, y[fresh]))
    assert "Measured on 60 fresh rows of yours" in str(fitted.verdict_)
    assert fitted.verdict_.method == "fresh"
    assert clone(fitted).get_params()["verdict"] == "bbc"  # what a search measures itself on is no setting of it


def few_leaves(model, X, y):
    return float((model.predict(X) == y).mean()) - 0.001 * model.get_n_leaves()


@pytest.mark.parametrize("verdict", [0.3, (X[:60], Y[:60])])
def test_a_score_that_reads_the_model_is_judged_where_models_are_at_hand(verdict):
    fitted = judged_by(verdict, (X[60:], Y[60:]), scoring=few_leaves, schemes="auto")
    assert np.isfinite(fitted.verdict_.scores.loc["plain", "score"])
    assert np.isfinite(fitted.verdict_.table["gain"]).all()


def test_a_score_that_reads_the_model_is_not_judged_by_a_nested_search():
    with pytest.raises(InvalidSetting, match="verdict='nested' needs a score of predictions"):
        search(verdict="nested", scoring=few_leaves).fit(X, Y)


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy"])
def test_nested_with_any_score_of_predictions(scoring, monkeypatch):
    monkeypatch.setattr("multihop_search.verdict.interval.N_DRAWS_REPLAYED", 2)  # a replayed verdict takes long
    fitted = search(verdict="nested", scoring=scoring, n_trials=3).fit(X, Y)
    assert fitted.verdict_.score in ("roc_auc", "accuracy")
    assert np.isfinite(fitted.verdict_.table["gain"]).all()


def test_nested_with_several_students_groups_and_weights():
    groups = np.repeat(np.arange(40), 4)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(Y))
    fitted = MultihopSearchClassifier(
        [("tree", TREE), ("lr", LogisticRegression())],
        FOREST,
        intermediates=[],
        n_trials=3,
        cv=3,
        crossfit_cv=2,
        verdict="nested",
        random_state=0,
    ).fit(X, Y, groups=groups, sample_weight=weight)
    assert {name: of.method for name, of in fitted.verdicts_.items()} == {"tree": "nested", "lr": "nested"}
    assert "selected vs own fit" in fitted.verdicts_["tree"].table.index
    assert "selected vs own fit" not in fitted.verdicts_["lr"].table.index


def test_time_ordered_folds_judge_those_that_have_a_past():
    fitted = search(verdict="nested", cv=TimeSeriesSplit(4), n_trials=3).fit(X, Y)
    assert "1 of 4 outer folds could not be judged" in str(fitted.verdict_)
    assert fitted.verdict_.n_rows == 96


@pytest.mark.parametrize("verdict", ["nested", 0.3])
def test_a_sampler_that_learns_is_told_all_rows_where_others_judge(verdict):
    fitted = search(
        verdict=verdict, n_trials=5, sampler=lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)
    ).fit(X, Y)
    told = [trial.value for trial in fitted.study_.trials if trial.value is not None]
    known = fitted.results_["score"].dropna()
    assert told == pytest.approx(list(known), abs=1e-6)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("cv", "verdict must be 'bbc', 'nested' or a share"),
        (1.0, "verdict must be 'bbc', 'nested' or a share"),
        (True, "verdict must be 'bbc', 'nested' or a share"),
        (X, "got a ndarray"),
        ([X, Y], "got a list: pass one of these; rows of your own that judge are X_fresh and y_fresh of fit"),
        ("nested", "the 2 folds of cv leave none"),
        (0.999, "verdict=0.999 must leave rows on both sides"),
        ((X[:5, :3], Y[:5]), "X_fresh"),
        ((pd.DataFrame(X[:5]), Y[:5]), "X_fresh must be a table like X"),
        ((X[:5], Y[:4]), "one label for each of the 5 rows"),
        ((X[:5], [0, 1, 2, 1, 0]), "y_fresh must hold labels that y has, got 2"),
        ((X[:5], None), "X_fresh and y_fresh must be given together, y_fresh is missing"),
        ((None, Y[:5]), "X_fresh and y_fresh must be given together, X_fresh is missing"),
    ],
)
def test_a_verdict_that_cannot_be_given_is_refused_before_anything_is_fitted(verdict, said):
    with pytest.raises((InvalidSetting, InvalidData), match=said):
        judged_by(verdict, cv=2)


@pytest.mark.parametrize("verdict", ["nested", 0.3])
def test_fresh_rows_judge_alone(verdict):
    with pytest.raises(InvalidSetting, match="verdict must be 'bbc' with them"):
        search(verdict=verdict).fit(X, Y, X_fresh=X[:5], y_fresh=Y[:5])


def test_a_sampler_that_learns_is_told_all_rows_where_fresh_ones_judge(tmp_path):
    settings = {"n_trials": 5, "sampler": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)}
    fitted = judged_by((X[:40], Y[:40]), (X[40:], Y[40:]), **settings)
    told = [trial.value for trial in fitted.study_.trials if trial.value is not None]
    assert told == pytest.approx(list(fitted.results_["score"].dropna()), abs=1e-6)


def test_nested_keeps_every_bound_also_a_measured_one():
    fitted = search(verdict="nested", budget={"nodes": 5, "latency_us": 1e9}).fit(X, Y)
    assert fitted.verdict_.method == "nested"
    assert np.isfinite(fitted.verdict_.table["gain"]).all()
    assert fitted.best_estimator_.tree_.node_count <= 5


def test_nested_takes_the_next_best_where_a_pick_fails_in_its_outer_fold(monkeypatch):
    """In one fold all paths fail but that of the first trial, which is not the best one without that fold."""
    real, lucky = prefixes.judge, []

    def judge(problem, ladder, number, path, upper=None):
        lucky[:] = lucky or [path]
        if number == 1 and path != lucky[0]:
            raise MemoryError(f"too many rows for {path.key}")  # equal failures would end the kind
        return real(problem, ladder, number, path, upper)

    monkeypatch.setattr(prefixes, "judge", judge)
    with pytest.warns(UserWarning, match="failed"):
        fitted = search(verdict="nested", param_distributions={"min_samples_leaf": [60, 1, 5]}).fit(X, Y)
    assert list(fitted.results_["state"]).count("COMPLETE") == list(fitted.results_["path"]).count(str(lucky[0])) >= 1
    assert fitted.verdict_.n_rows == len(Y)
    assert "One-hop had no complete trial without some outer fold" in str(fitted.verdict_)
    assert "plain had no" not in str(fitted.verdict_).lower()
    assert np.isfinite(fitted.verdict_.table.loc["selected vs plain", "gain"])


@pytest.mark.parametrize(("sampler", "learned"), [("auto", False), (optuna.samplers.TPESampler, True)])
def test_a_nested_search_that_is_interrupted_says_so(monkeypatch, sampler, learned):
    def interrupted(self):
        raise Interrupted("SIGINT")

    monkeypatch.setattr(NestedSearch, "run", interrupted)
    settings = {} if sampler == "auto" else {"sampler": lambda seed: sampler(seed=seed)}
    with pytest.warns(StoppedWarning, match="SIGINT ended the nested search"):
        fitted = search(verdict="nested", **settings).fit(X, Y)
    assert fitted.verdict_.method == "bbc"
    assert "The nested search was ended before its time" in str(fitted.verdict_)
    assert ("the sampler learned from these rows" in str(fitted.verdict_)) is learned


@pytest.mark.parametrize("verdict", ["bbc", 0.3, (X[:40], Y[:40]), "nested"])
def test_the_fourth_row_is_there_though_no_own_fit_was_tried(verdict):
    fitted = judged_by(verdict, (X[40:], Y[40:]), max_hops=0, n_trials=2, tree_fits=[Refined()])
    row = fitted.verdict_.table.loc["selected vs own fit"]
    assert np.isnan(row["gain"])
    assert row["verdict"] == "inconclusive"


def test_nested_says_what_too_few_groups_lack():
    with pytest.raises(InvalidData, match="at least 2 groups to train on beside those of two outer folds"):
        search(verdict="nested").fit(X, Y, groups=np.repeat([0, 1, 2], [60, 50, 50]))


NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(
    "verdict",
    ["bbc", 0.3, "nested", (NOISE.normal(size=(60, 4)), np.arange(60) % 2)],
    ids=["bbc", "share", "nested", "fresh"],
)
def test_noise_is_guessed_as_well_by_every_verdict(verdict):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(90, 4)), np.repeat([0, 1], 45)
    weight = {"sample_weight": np.repeat([2.0, 1.0], 45)}
    fitted = judged_by(verdict, rows, weight, n_trials=3, max_hops=1, crossfit_cv=2)
    scores = fitted.verdict_.scores
    fresh = isinstance(verdict, tuple)
    shares = np.array([2, 1]) / 3
    entropy = -float((([0.5, 0.5] if fresh else shares) * np.log(shares)).sum())
    assert scores.loc["no skill", "log_loss"] == pytest.approx(entropy, abs=0.02)
    said = str(fitted.verdict_)
    no_better = scores.loc["selected", "score"] <= scores.loc["no skill", "score"]
    assert said.startswith(("No model here beats guessing", "The selected student is no better")) == no_better
