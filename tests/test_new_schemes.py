"""SRatio and ModelCompression: values worked by hand, and what the engine hands them."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from searches import searches
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    ConfWeight,
    HardLabels,
    Hop,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchRegressor,
    OwnFit,
    Path,
    PathSpace,
    SRatio,
    StudentSpace,
    TeacherOutputs,
    TransferSet,
    Truncate,
)
from multihop_search.engine.crossfit import crossfit, crossfit_and_fit, crossfit_plain
from multihop_search.engine.memo import MEMO
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.engine.synthetic_rows import synthetic_rows
from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.executors.serial import SerialExecutor
from multihop_search.transfer.synthetic import GENERATORS
from multihop_search.transfer.transfer_set import SyntheticSet

pytestmark = pytest.mark.once

KD = KnowledgeDistillation(alpha=0.6, temperature=1.0)


def data(n_rows: int = 150, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Whole-number columns, so that synthetic rows take values of training rows; the first is the row's number."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(n_rows), rng.integers(-9, 10, (n_rows, 3))]).astype(float)
    score = X[:, 1] + X[:, 2] + 3 * rng.normal(size=n_rows)
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


search_for = searches(intermediates=[], schemes=[KD], n_trials=2, cv=3, crossfit_cv=3, param_distributions={})


# SRatio: the weights by hand

Y = np.array([0, 1, 0, 1])
PLAIN = np.array([[0.6, 0.4], [0.7, 0.3], [0.5, 0.5], [0.2, 0.8]])  # accuracy 3/4: row 1 is wrong
GOOD = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9]])  # 4/4
EQUAL = np.array([[0.7, 0.3], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])  # 3/4
WEAK = np.array([[0.2, 0.8], [0.3, 0.7], [0.1, 0.9], [0.4, 0.6]])  # 2/4


def ratio(
    predictions: np.ndarray, stages: dict[int, np.ndarray], margin: float = 0.0, beta: float = 10.0
) -> TransferSet:
    return SRatio(margin=margin, beta=beta).transfer_set(TeacherOutputs(predictions, stages, plain=PLAIN), Y)


def test_the_ratio_of_one_classifier() -> None:
    transfer = ratio(GOOD, {})
    np.testing.assert_allclose(transfer.weights, [0.9 / 0.6, 0.6 / 0.3, 0.8 / 0.5, 0.9 / 0.8])
    np.testing.assert_array_equal(transfer.targets, np.eye(2)[Y])
    assert transfer.note == ""


def test_only_graded_classifiers_that_are_good_enough_are_averaged() -> None:
    at_least_as_good = ratio(GOOD, {1: WEAK, 5: EQUAL})
    means = np.array([(0.9 + 0.7) / 2, (0.6 + 0.2) / 2, (0.8 + 0.6) / 2, (0.9 + 0.7) / 2])
    np.testing.assert_allclose(at_least_as_good.weights, means / [0.6, 0.3, 0.5, 0.8])
    better = ratio(GOOD, {1: WEAK, 5: EQUAL}, margin=0.02)
    np.testing.assert_allclose(better.weights, ratio(GOOD, {}).weights)
    exactly = ratio(GOOD, {1: WEAK, 5: EQUAL}, margin=0.25)  # 3/4 + 1/4: 4/4 is enough
    np.testing.assert_allclose(exactly.weights, better.weights)


def test_a_stage_may_pass_where_the_whole_model_does_not() -> None:
    np.testing.assert_allclose(ratio(WEAK, {5: GOOD}).weights, ratio(GOOD, {}).weights)


def test_rows_above_beta_count_nothing() -> None:
    np.testing.assert_allclose(ratio(GOOD, {}, beta=1.6).weights, [0.9 / 0.6, 0.0, 0.8 / 0.5, 0.9 / 0.8])
    np.testing.assert_allclose(ratio(GOOD, {}, beta=2.0).weights[1], 2.0)  # at beta itself the row stays


@pytest.mark.parametrize(("predictions", "margin"), [(WEAK, 0.0), (EQUAL, 0.02), (GOOD, 0.5)])
def test_without_a_better_classifier_every_weight_is_1_and_the_note_says_so(
    predictions: np.ndarray, margin: float
) -> None:
    transfer = ratio(predictions, {5: WEAK}, margin=margin)
    assert transfer.weights.tolist() == [1, 1, 1, 1]
    assert transfer.note == "no graded classifier is better than the plain model"


def test_the_plain_probability_is_clipped_below() -> None:
    plain = np.array([[1.0, 0.0], [1.0, 0.0]])
    upper = TeacherOutputs(np.array([[1.0, 0.0], [0.25, 0.75]]), plain=plain)
    weights = SRatio(margin=0.0, beta=1e6).transfer_set(upper, np.array([0, 1])).weights
    np.testing.assert_allclose(weights, [1.0, 0.75 / 1e-3])
    assert SRatio(margin=0.0, beta=10.0).transfer_set(upper, np.array([0, 1])).weights.tolist() == [1.0, 0.0]


def test_a_class_that_loses_all_its_weight_keeps_the_mean_weight() -> None:
    upper = TeacherOutputs(np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8]]), plain=np.array([[0.9, 0.1]] * 3))
    y = np.array([0, 0, 1])
    transfer = SRatio(margin=0.0, beta=2.0).transfer_set(upper, y)
    assert transfer.weights[2] == 0
    finished = transfer.finished(y, None)
    assert finished.weights[2] > 0
    assert finished.weights.sum() == pytest.approx(3.0)
    assert finished.note == "a class lost all its weight: its rows kept the mean weight"


# SRatio: what the engine hands it


@dataclass(frozen=True)
class RecordingRatio(SRatio):
    """Remembers the outputs that it was given."""

    seen: ClassVar[list[TeacherOutputs]] = []

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        RecordingRatio.seen.append(outputs)
        return super().transfer_set(outputs, y)


def by_hand(model: Any, X: np.ndarray, y: np.ndarray, fold: Any) -> np.ndarray:
    """Return the cross-fitted probabilities of the fold's training rows."""
    train_X, train_y = X[fold.train], y[fold.train]
    found = np.full((len(train_X), len(np.unique(y))), np.nan)
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(train_X)), part)
        found[part] = clone(model).fit(train_X[rest], train_y[rest]).predict_proba(train_X[part])
    return found


def at_its_temperature(q: np.ndarray, outputs: Any) -> np.ndarray:
    """Return probabilities as they pass on: calibrated by the temperature of the real rows."""
    assert outputs.temperature != 1
    raised = q.astype(np.float64) ** (1 / outputs.temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def test_s_is_the_plain_student_with_the_parameters_of_the_trial_cross_fitted() -> None:
    X, y = data()
    RecordingRatio.seen = []
    student = DecisionTreeClassifier(random_state=0)
    search = search_for(
        student,
        GaussianNB(),
        schemes=[RecordingRatio(margin=0.0, beta=5.0)],
        max_hops=1,
        param_distributions={"max_depth": [2, 4]},
        tree_fits=[OwnFit()],
        n_trials=14,
    ).fit(X, y)
    assert (search.results_["state"] == "COMPLETE").all()
    problem = search.setup_.problem
    tried = {dict(path.params)["max_depth"] for path in search.paths_ if path.hops}
    assert tried >= {2, 4}
    for depth in tried:
        for fold in problem.folds:
            s = by_hand(clone(student).set_params(max_depth=depth), X, y, fold)
            upper = by_hand(GaussianNB(), X, y, fold)
            same = [
                outputs
                for outputs in RecordingRatio.seen
                if outputs.plain.shape == s.shape and np.allclose(outputs.plain, s, atol=1e-6)
            ]
            assert len(same) >= 1
            for outputs in same:
                np.testing.assert_allclose(outputs.predictions, upper, atol=1e-6)


def test_s_of_a_hop_to_an_intermediate_is_that_intermediate_without_a_teacher() -> None:
    X, y = data()
    RecordingRatio.seen = []
    middle = DecisionTreeClassifier(max_depth=5, random_state=1)
    search = search_for(
        DecisionTreeClassifier(max_depth=2, random_state=0),
        GaussianNB(),
        intermediates=[("middle", middle)],
        schemes=[RecordingRatio(margin=0.0, beta=5.0)],
        max_hops=2,
        n_trials=3,
    ).fit(X, y)
    path = next(path for path in search.paths_ if len(path.hops) == 2)
    assert path.hops[0].model == "middle"
    fold = search.setup_.problem.folds[0]
    s = by_hand(middle, X, y, fold)
    np.testing.assert_allclose(crossfit_plain(search.setup_.problem, search.setup_.ladder, 0, "middle"), s, atol=1e-6)
    # Where it is cross-fitted it is taught on two of three parts: their rows of s, and nothing else.
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(fold.train)), part)
        assert any(
            outputs.plain.shape == s[rest].shape and np.allclose(outputs.plain, s[rest], atol=1e-6)
            for outputs in RecordingRatio.seen
        )


def test_the_student_is_the_one_fitted_by_hand_with_these_weights() -> None:
    X, y = data()
    student = DecisionTreeClassifier(max_depth=3, random_state=0)
    scheme = SRatio(margin=0.0, beta=4.0)
    search = search_for(student, GaussianNB(), schemes=[scheme], tree_fits=[OwnFit()], max_hops=1).fit(X, y)
    whole = search.setup_.problem.whole
    q, s = by_hand(GaussianNB(), X, y, whole), by_hand(student, X, y, whole)
    rows = np.arange(len(y))
    passed = (q.argmax(axis=1) == y).mean() >= (s.argmax(axis=1) == y).mean()
    weights = q[rows, y] / np.maximum(s[rows, y], 1e-3) if passed else np.ones(len(y))
    weights[weights > 4.0] = 0.0
    assert passed
    assert 0 < (weights == 0).sum() < len(y)
    mine = clone(student).fit(X, y, sample_weight=weights * len(y) / weights.sum())
    np.testing.assert_allclose(search.refit_trial(1).predict_proba(X), mine.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    "teacher", [RandomForestClassifier(60, random_state=0), HistGradientBoostingClassifier(max_iter=60, random_state=0)]
)
def test_the_teacher_is_graded_by_its_stages(teacher: Any) -> None:
    X, y = data(n_classes=2)
    RecordingRatio.seen = []
    search_for(
        DecisionTreeClassifier(max_depth=2), teacher, schemes=[RecordingRatio()], max_hops=1, n_trials=2, cv=2
    ).fit(X, y)
    assert RecordingRatio.seen
    for outputs in RecordingRatio.seen:
        assert len(outputs.stages) >= 2
        assert max(outputs.stages) <= 30
        for stage in outputs.stages.values():
            assert stage.shape == outputs.predictions.shape
            np.testing.assert_allclose(stage.sum(axis=1), 1.0, atol=1e-5)
        first = outputs.stages[min(outputs.stages)]
        assert not np.allclose(first, outputs.predictions, atol=1e-3)


# Model compression: the synthetic rows of a fold


def made_for(search: Any, X: Any, y: Any, **more: Any) -> Any:
    made = search.set_up(X, y, **more)
    return made.problem, made.ladder


@pytest.mark.parametrize("columns", ["array", "frame"])
def test_synthetic_rows_come_from_the_training_rows_of_their_fold_only(columns: str) -> None:
    X, y = data()
    given = X if columns == "array" else pd.DataFrame(X, columns=list("abcd"))
    search = search_for(DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[KD, ModelCompression(multiple=5)])
    problem, _ = made_for(search, given, y)
    for fold in (*problem.folds, problem.whole):
        pool = synthetic_rows(problem, fold)["munge"]
        rows = np.asarray(pool.X)
        assert len(rows) == 5 * len(fold.train)
        assert set(rows[:, 0]) <= set(fold.train)  # column 0 is the row's number
        assert len(set(rows[:, 0])) > 0.9 * len(fold.train)
        assert set(pool.parent) == set(range(len(fold.train)))
    rows = [np.asarray(synthetic_rows(problem, fold)["munge"].X) for fold in problem.folds]
    assert not np.array_equal(rows[0][:50], rows[1][:50])


def test_more_rows_begin_with_the_rows_of_less() -> None:
    X, y = data()
    few, many = (
        made_for(
            search_for(DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[ModelCompression(multiple=m)]), X, y
        )[0]
        for m in (1, 5)
    )
    fold = few.folds[0]
    small, large = synthetic_rows(few, fold)["munge"], synthetic_rows(many, fold)["munge"]
    np.testing.assert_array_equal(small.X, large.X[: len(small.X)])
    np.testing.assert_array_equal(small.parent, large.parent[: len(small.parent)])


def test_a_hop_adds_the_multiple_that_it_asks_for_of_the_parents_that_it_is_given() -> None:
    X, y = data()
    search = search_for(DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[KD, ModelCompression()])
    problem, ladder = made_for(search, X, y)
    fold = problem.folds[1]
    outputs = crossfit(problem, ladder, 1, ())
    pool = synthetic_rows(problem, fold)["munge"]
    assert len(pool.parent) == 10 * len(fold.train)
    for multiple in (1, 5, 10):
        soft_labels = SoftLabels(KD, ModelCompression(multiple=multiple, generator="munge"), outputs)
        transfer = soft_labels.transfer_set(problem, fold, np.arange(len(fold.train)))
        np.testing.assert_array_equal(transfer.synthetic.X, pool.X[: multiple * len(fold.train)])
        some = np.setdiff1d(np.arange(len(fold.train)), fold.inner[0])
        transfer = soft_labels.transfer_set(problem, fold, some)
        assert len(transfer.synthetic.X) == multiple * len(some)
        assert set(some[transfer.synthetic.parent]) == set(some)
        assert len(transfer.targets) == len(some)


def test_there_are_at_most_50_000_synthetic_rows_in_a_fold() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 2))
    y = (X[:, 0] + rng.normal(size=1200) > 0).astype(int)
    search = search_for(
        GaussianNB(), LogisticRegression(), schemes=[HardLabels(), ModelCompression(multiple=100)], cv=2, crossfit_cv=2
    )
    problem, ladder = made_for(search, X, y)
    fold = problem.folds[0]
    outputs = crossfit(problem, ladder, 0, ())
    soft_labels = SoftLabels(HardLabels(), ModelCompression(multiple=100, generator="munge"), outputs)
    transfer = soft_labels.transfer_set(problem, fold, np.arange(600)).finished(problem.y[fold.train], None)
    assert transfer.synthetic.X.shape == (50_000, 2)
    assert transfer.joined_weights.sum() == pytest.approx(600.0)


EVERY = CategoricalDistribution(tuple(GENERATORS))


def test_each_generator_makes_its_own_rows_of_the_fold() -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[KD, ModelCompression(multiple=2, generator=EVERY)]
    )
    problem, ladder = made_for(search, X, y)
    assert problem.synthetic == {"munge": 2, "interpolation": 2, "marginals": 2, "leaves": 2}
    for fold in (*problem.folds, problem.whole):
        pools = synthetic_rows(problem, fold)
        for pool in pools.values():
            assert set(pool.X[:, 0]) <= set(fold.train)  # column 0 is the row's number
            assert len(pool.parent) == 2 * len(fold.train)
        for one, other in combinations(pools.values(), 2):
            assert (one.X != other.X).any(axis=1).mean() > 0.5
    outputs = crossfit(problem, ladder, 0, ())
    assert {name: len(labels.predictions) for name, labels in outputs.synthetic.items()} == dict.fromkeys(
        GENERATORS, 200
    )
    held = [outputs.predictions, *(labels.predictions for labels in outputs.synthetic.values())]
    prefixes = Prefixes(SerialExecutor().start(), problem, ladder)
    assert prefixes._size(0) == sum(array.nbytes for array in held) == (100 + 4 * 200) * 3 * 4


def test_a_hop_makes_only_the_rows_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[KD, ModelCompression(multiple=2, generator=EVERY)]
    )
    problem, ladder = made_for(search, X, y)
    outputs = crossfit(problem, ladder, 0, ())
    wanted = synthetic_rows(problem, problem.folds[0])["leaves"]
    MEMO.clear(problem.token)
    monkeypatch.delitem(GENERATORS, "munge")
    soft_labels = SoftLabels(KD, ModelCompression(multiple=2, generator="leaves"), outputs)
    transfer = soft_labels.transfer_set(problem, problem.folds[0], np.arange(100))
    np.testing.assert_array_equal(transfer.synthetic.X, wanted.X)


def test_a_search_over_all_generators() -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(30, random_state=0),
        intermediates=[("wide", DecisionTreeClassifier(max_depth=6))],
        schemes=[KD, ModelCompression(multiple=2, generator=EVERY)],
        n_trials=30,
    ).fit(X, y)
    assert search.results_["state"].isin(["COMPLETE", "PRUNED"]).all()
    hops = [hop for path in search.paths_ for hop in path.hops]
    assert {hop.compression.generator for hop in hops if hop.compression} == set(GENERATORS)
    assert type(search.best_estimator_) is DecisionTreeClassifier


# Model compression: who labels a synthetic row


def test_a_synthetic_row_is_labelled_by_the_model_that_did_not_see_its_parent() -> None:
    X, y = data()
    teacher = DecisionTreeClassifier(random_state=0)  # it knows its training rows by heart
    search = search_for(GaussianNB(), teacher, schemes=[KD, ModelCompression(multiple=2)])
    problem, ladder = made_for(search, X, y)
    for fold in (problem.folds[0], problem.whole):
        outputs = crossfit(problem, ladder, fold.number, ())
        pool, labels = synthetic_rows(problem, fold)["munge"], outputs.synthetic["munge"].predictions
        train_X, train_y = X[fold.train], y[fold.train]
        checked = 0
        for part in fold.inner:
            rest = np.setdiff1d(np.arange(len(train_X)), part)
            model = clone(teacher).fit(train_X[rest], train_y[rest])
            mine = np.isin(pool.parent, part)
            np.testing.assert_allclose(labels[mine], model.predict_proba(pool.X[mine]), atol=1e-6)
            checked += mine.sum()
        assert checked == len(labels)
        seen_all = clone(teacher).fit(train_X, train_y).predict_proba(pool.X)
        assert not np.allclose(labels, seen_all)  # a mistake would be seen


def test_a_large_forest_labels_a_synthetic_row_by_the_trees_that_did_not_see_its_parent() -> None:
    X, y = data()
    teacher = RandomForestClassifier(40, random_state=0)
    search = search_for(GaussianNB(), teacher, schemes=[SRatio(), ModelCompression(multiple=2)])
    problem, ladder = made_for(search, X, y)
    fold = problem.folds[2]
    outputs, forest = crossfit_and_fit(problem, ladder, 2, ())
    pool = synthetic_rows(problem, fold)["munge"]
    total, count = np.zeros((len(pool.parent), 3)), np.zeros(len(pool.parent))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = ~np.isin(pool.parent, drawn)
        total[unseen] += tree.predict_proba(pool.X[unseen])
        count[unseen] += 1
    assert count.min() > 0
    np.testing.assert_allclose(outputs.synthetic["munge"].predictions, total / count[:, None], atol=1e-6)
    assert set(outputs.synthetic["munge"].stages) == set(outputs.stages)
    assert not np.allclose(outputs.synthetic["munge"].predictions, forest.predict_proba(pool.X), atol=0.01)


class RecordingTree(DecisionTreeClassifier):
    """Remembers rows, labels, weights and leaf size of each fit."""

    fits: ClassVar[list[tuple[np.ndarray, np.ndarray, Any, int]]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        RecordingTree.fits.append((np.array(X), np.array(y), sample_weight, self.min_samples_leaf))
        return super().fit(X, y, sample_weight)


def test_an_intermediate_learns_from_no_synthetic_row_of_a_parent_that_it_predicts() -> None:
    X, y = data()
    RecordingTree.fits = []
    search = search_for(
        GaussianNB(),
        LogisticRegression(max_iter=300),
        intermediates=[("middle", RecordingTree(max_depth=4, random_state=0))],
        schemes=[HardLabels(), ModelCompression(multiple=3, generator="munge")],
        n_trials=3,
    ).fit(X, y)
    path = next(path for path in search.paths_ if len(path.hops) == 2)
    assert path.hops[0].compression == ModelCompression(multiple=3, generator="munge")
    fold = search.setup_.problem.folds[0]
    pool = synthetic_rows(search.setup_.problem, fold)["munge"]
    train_X = X[fold.train]
    found = 0
    for part in fold.inner:
        rest = np.setdiff1d(np.arange(len(train_X)), part)
        expected = np.concatenate([train_X[rest], pool.X[np.isin(pool.parent, rest)]])
        found += sum(rows.shape == expected.shape and np.array_equal(rows, expected) for rows, *_ in RecordingTree.fits)
    assert found == len(fold.inner)


# Model compression: targets and weights


@pytest.mark.parametrize("scheme", [KD, HardLabels(), ConfWeight()], ids=lambda scheme: type(scheme).__name__)
def test_real_rows_keep_the_targets_of_the_scheme_and_synthetic_ones_those_of_the_upper_model(scheme: Any) -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[scheme, ModelCompression(multiple=2)]
    )
    problem, ladder = made_for(search, X, y)
    fold = problem.folds[0]
    outputs = crossfit(problem, ladder, 0, ())
    everyone = np.arange(len(fold.train))
    transfer = SoftLabels(scheme, ModelCompression(multiple=2, generator="munge"), outputs).transfer_set(
        problem, fold, everyone
    )
    alone = scheme.transfer_set(outputs, problem.y[fold.train])
    np.testing.assert_array_equal(transfer.targets, alone.targets)
    np.testing.assert_array_equal(transfer.weights, alone.weights)
    said = outputs.synthetic["munge"].predictions
    if isinstance(scheme, HardLabels):
        np.testing.assert_array_equal(transfer.synthetic.targets, np.eye(3)[said.argmax(axis=1)])
    else:
        np.testing.assert_allclose(transfer.synthetic.targets, at_its_temperature(said, outputs), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 5), min_size=4, max_size=12),
    st.lists(st.floats(0.01, 5), min_size=12, max_size=12),
    st.integers(0, 4),
    st.booleans(),
)
def test_weights_of_real_and_synthetic_rows_sum_to_the_real_rows(
    weights: list[float], user: list[float], multiple: int, weighted: bool
) -> None:
    n = len(weights)
    y = np.arange(n) % 2
    parent = np.tile(np.arange(n), multiple)
    beside = SyntheticSet(np.zeros((len(parent), 1)), np.full((len(parent), 2), 0.5), parent) if multiple else None
    own = np.array(user[:n]) if weighted else None
    total = float(n) if own is None else own.sum()
    finished = TransferSet(np.eye(2)[y], np.array(weights), synthetic=beside).finished(y, own)
    assert finished.joined_weights.sum() == pytest.approx(total)
    assert (finished.joined_weights >= 0).all()
    assert len(finished.joined_weights) == len(finished.joined_targets) == n * (1 + multiple)
    if multiple:
        of_parent = np.ones(n) if own is None else own
        np.testing.assert_allclose(finished.synthetic.weights, of_parent[parent] / (1 + multiple))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_student_is_fitted_on_real_and_synthetic_rows_that_weigh_as_much_as_the_real_ones(weighted: bool) -> None:
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.2, 2.0, len(y)) if weighted else None
    RecordingTree.fits = []
    search = search_for(
        RecordingTree(max_depth=3, min_samples_leaf=5, random_state=0),
        GaussianNB(),
        schemes=[HardLabels(), ModelCompression(multiple=4, generator="munge")],
        max_hops=1,
    ).fit(X, y, sample_weight=weight)
    problem = search.setup_.problem
    checked = 0
    for fold in (*problem.folds, problem.whole):
        n = len(fold.train)
        for rows, _, weights, leaf in RecordingTree.fits:
            if rows.shape[0] == 5 * n and np.array_equal(rows[:n], X[fold.train]):
                total = n if weight is None else weight[fold.train].sum() / weight.mean()
                assert np.sum(weights) == pytest.approx(total)
                assert leaf == 25  # five times as many rows, the same share
                assert set(rows[n:, 0]) <= set(fold.train)
                checked += 1
    assert checked >= 3
    taught = search.refit_trial(1)
    assert taught.min_samples_leaf == 5
    assert taught.get_depth() <= 3


@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeClassifier(max_depth=4, min_samples_leaf=6, random_state=0),
        DecisionTreeClassifier(max_depth=4, min_samples_leaf=6, criterion="entropy", random_state=0),
        DecisionTreeClassifier(max_depth=4, min_samples_leaf=6, class_weight="balanced", random_state=0),
    ],
    ids=["gini", "entropy", "balanced"],
)
@pytest.mark.parametrize("scheme", [KD, HardLabels()], ids=lambda scheme: type(scheme).__name__)
def test_a_tree_that_comes_back_counts_real_rows(student: Any, scheme: Any) -> None:
    X, y = data(n_classes=2)
    search = search_for(student, GaussianNB(), schemes=[scheme, ModelCompression(multiple=5)], max_hops=1).fit(X, y)
    taught = search.refit_trial(1)
    reached = np.asarray(taught.decision_path(X).sum(axis=0)).ravel()
    np.testing.assert_array_equal(taught.tree_.n_node_samples, reached)
    assert taught.tree_.n_node_samples[0] == len(y)
    assert taught.get_params() == student.get_params()


def test_a_regression_tree_that_comes_back_counts_real_rows() -> None:
    X, y = data()
    student = DecisionTreeRegressor(max_depth=4, min_samples_leaf=6, random_state=0)
    search = MultihopSearchRegressor(
        student,
        DecisionTreeRegressor(random_state=0),
        intermediates=[],
        schemes=[KnowledgeDistillation(alpha=0.5), ModelCompression(multiple=5)],
        max_hops=1,
        n_trials=2,
        cv=2,
        crossfit_cv=2,
        param_distributions={},
        random_state=0,
    ).fit(X, y + 0.1 * X[:, 1])
    taught = search.refit_trial(1)
    assert taught.min_samples_leaf == 6
    assert taught.tree_.n_node_samples[0] == len(y)


def test_alone_it_keeps_true_labels_on_the_real_rows() -> None:
    X, y = data()
    RecordingTree.fits = []
    search = search_for(
        RecordingTree(max_depth=3, random_state=0),
        GaussianNB(),
        schemes=[ModelCompression(multiple=1, generator="munge")],
        max_hops=1,
    ).fit(X, y)
    assert (search.results_["state"] == "COMPLETE").all()
    problem = search.setup_.problem
    pool = synthetic_rows(problem, problem.whole)["munge"]
    outputs = crossfit(problem, search.setup_.ladder, -1, ())
    path = search.paths_[1]
    soft_labels = SoftLabels(path.hops[-1].scheme, path.hops[-1].compression, outputs)
    transfer = soft_labels.transfer_set(problem, problem.whole, np.arange(len(y)))
    np.testing.assert_array_equal(transfer.targets, np.eye(3)[y])
    said = outputs.synthetic["munge"].predictions
    np.testing.assert_allclose(transfer.synthetic.targets, at_its_temperature(said, outputs), atol=1e-6)
    # And so the student was fitted: each real row with its own label only.
    RecordingTree.fits = []
    search.refit_trial(1)
    ((rows, labels, weights, _),) = [fit for fit in RecordingTree.fits if len(fit[0]) > len(y)]
    weight_of_other_labels = 0.0
    numbers = {tuple(row) for row in pool.X}
    for row, label, weight in zip(rows, labels, weights, strict=True):
        if tuple(row) not in numbers and label != y[int(row[0])]:
            weight_of_other_labels += weight
    assert weight_of_other_labels == 0.0


def test_without_hops_there_are_no_synthetic_rows() -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=2), GaussianNB(), schemes=[KD, ModelCompression(multiple=5)], max_hops=0
    )
    problem, _ = made_for(search, X, y)
    assert synthetic_rows(problem, problem.folds[0]) == {}


@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeClassifier(max_depth=3),
        LogisticRegression(max_iter=300),
        GaussianNB(),
        HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_kind_of_student_takes_synthetic_rows(student: Any) -> None:
    X, y = data()
    schemes = [KD, HardLabels(), SRatio(), ModelCompression(multiple=2)]
    search = search_for(student, GaussianNB(), schemes=schemes, n_trials=7, max_hops=1, cv=2, crossfit_cv=2).fit(X, y)
    assert (search.results_["state"] == "COMPLETE").all()
    assert search.results_["path"].str.contains("ModelCompression").sum() >= 3


# Rows of the user's own without a label


def unlabeled(n_rows: int = 60) -> np.ndarray:
    rng = np.random.default_rng(9)
    return np.column_stack([1000 + np.arange(n_rows), rng.integers(-9, 10, (n_rows, 3))]).astype(float)


def test_rows_without_a_label_are_used_the_same_way() -> None:
    X, y = data()
    RecordingTree.fits = []
    more = unlabeled()
    teacher = DecisionTreeClassifier(random_state=0)
    search = search_for(
        RecordingTree(max_depth=3, min_samples_leaf=4, random_state=0),
        teacher,
        schemes=[HardLabels(), ModelCompression(multiple=1, generator="unlabeled")],
        max_hops=1,
    ).fit(X, y, X_unlabeled=more)
    problem = search.setup_.problem
    fold = problem.folds[0]
    outputs = crossfit(problem, search.setup_.ladder, 0, ())
    pool = synthetic_rows(problem, fold)["unlabeled"]
    np.testing.assert_array_equal(np.sort(pool.X, axis=0), np.sort(more, axis=0))
    assert not np.array_equal(pool.X, more)  # in an order of its own: a table may be sorted
    more = pool.X
    for part in fold.inner:  # labelled by the model that did not see the row drawn as its parent
        rest = fold.train[np.setdiff1d(np.arange(len(fold.train)), part)]
        mine = np.isin(pool.parent, part)
        said = clone(teacher).fit(X[rest], y[rest]).predict_proba(more[mine])
        np.testing.assert_allclose(outputs.synthetic["unlabeled"].predictions[mine], said, atol=1e-6)
    n = len(fold.train)
    joined = np.concatenate([X[fold.train], more])
    fits = [fit for fit in RecordingTree.fits if np.array_equal(fit[0], joined)]
    assert len(fits) == 1
    _, labels, weights, leaf = fits[0]
    assert leaf == int(np.ceil(4 * (n + 60) / n))
    assert np.sum(weights) == pytest.approx(n)
    np.testing.assert_array_equal(labels[n:], outputs.synthetic["unlabeled"].predictions.argmax(axis=1))
    assert search.refit_trial(1).min_samples_leaf == 4


def test_auto_searches_both_kinds_where_rows_without_a_label_are_given() -> None:
    X, y = data()
    search = search_for(
        DecisionTreeClassifier(max_depth=3),
        GaussianNB(),
        schemes=[KD, ModelCompression(multiple=1)],
        n_trials=12,
        max_hops=1,
    )
    both = search.fit(X, y, X_unlabeled=unlabeled())
    assert both.space_.distributions["ModelCompression.generator"].choices == ("munge", "unlabeled")
    assert {path.hops[0].compression.generator for path in both.paths_ if path.hops} == {"munge", "unlabeled"}
    assert "ModelCompression.generator" not in clone(search).fit(X, y).space_.distributions


def test_columns_of_rows_without_a_label_may_stand_in_another_order() -> None:
    X, y = data()
    frame, more = pd.DataFrame(X, columns=list("abcd")), pd.DataFrame(unlabeled(), columns=list("abcd"))
    search = search_for(
        DecisionTreeClassifier(max_depth=3), GaussianNB(), schemes=[ModelCompression(multiple=1, generator="unlabeled")]
    )
    one = clone(search).fit(frame, y, X_unlabeled=more)
    two = clone(search).fit(frame, y, X_unlabeled=more[["d", "b", "a", "c"]].set_index(np.arange(60) * 7))
    np.testing.assert_array_equal(one.results_["score"], two.results_["score"])


@pytest.mark.parametrize(
    ("X_unlabeled", "error"),
    [
        (unlabeled()[:, :3], ValueError),
        (pd.DataFrame(unlabeled(), columns=list("abcd")), InvalidData),
        (np.full((5, 4), np.inf), ValueError),
        (np.array([["a", "b", "c", "d"]]), ValueError),
    ],
    ids=["columns", "frame", "infinite", "strings"],
)
def test_rows_without_a_label_that_are_no_table_like_x(X_unlabeled: Any, error: type[Exception]) -> None:
    X, y = data()
    search = search_for(DecisionTreeClassifier(max_depth=3), GaussianNB(), schemes=[KD, ModelCompression()])
    with pytest.raises(error):
        search.fit(X, y, X_unlabeled=X_unlabeled)


@pytest.mark.parametrize("columns", [list("abce"), list("abc"), list("abcde")])
def test_other_columns_are_refused_by_name(columns: list[str]) -> None:
    X, y = data()
    search = search_for(DecisionTreeClassifier(max_depth=3), GaussianNB(), schemes=[KD, ModelCompression()])
    more = pd.DataFrame(np.zeros((5, len(columns))), columns=columns)
    with pytest.raises(InvalidData, match="X_unlabeled must be a table like X, with the same columns"):
        search.fit(pd.DataFrame(X, columns=list("abcd")), y, X_unlabeled=more)


@pytest.mark.parametrize("generator", ["unlabeled", CategoricalDistribution(("munge", "unlabeled"))])
def test_unlabeled_without_such_rows_is_refused_before_anything_is_fitted(generator: Any) -> None:
    X, y = data()
    RecordingTree.fits = []
    search = search_for(
        RecordingTree(), RecordingTree(), schemes=[KD, ModelCompression(multiple=1, generator=generator)]
    )
    with pytest.raises(InvalidSetting, match="needs rows without labels, fit got none: pass X_unlabeled"):
        search.fit(X, y)
    assert RecordingTree.fits == []


@pytest.mark.parametrize(
    ("schemes", "message"),
    [
        ([ModelCompression(multiple=-1)], "multiple of ModelCompression must be an integer from 0 to 100"),
        ([ModelCompression(multiple=1.5)], "multiple of ModelCompression must be an integer from 0 to 100"),  # type: ignore[arg-type]
        ([ModelCompression(multiple=FloatDistribution(0, 5))], "multiple of ModelCompression must be"),
        ([ModelCompression(multiple=CategoricalDistribution((1, 200)))], "multiple of ModelCompression must be"),
        (
            [ModelCompression(generator="gan")],
            "must be one of auto, munge, interpolation, marginals, leaves, unlabeled, got 'gan': choose among these",
        ),
        ([ModelCompression(), ModelCompression()], "schemes must hold at most one ModelCompression, got 2"),
        ([SRatio(beta=0.0)], "beta of SRatio must be"),
        ([SRatio(margin=1.5)], "margin of SRatio must be"),
    ],
)
def test_settings_that_cannot_be(schemes: list[Any], message: str) -> None:
    X, y = data()
    with pytest.raises(InvalidSetting, match=message):
        search_for(DecisionTreeClassifier(max_depth=3), GaussianNB(), schemes=schemes).fit(X, y)


def with_dates() -> tuple[pd.DataFrame, np.ndarray, Any]:
    """A table with a date that the user's Pipelines leave out, and how such a Pipeline is made."""
    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcd")).assign(day=pd.date_range("2020", periods=len(X)))
    return frame, y, lambda model: make_pipeline(ColumnTransformer([("keep", "passthrough", list("abcd"))]), model)


@pytest.mark.parametrize("generator", ["auto", "leaves", CategoricalDistribution(("marginals", "interpolation"))])
def test_dates_are_refused_where_synthetic_rows_are_asked_for_before_the_teacher_is_fitted(generator: Any) -> None:
    frame, y, behind = with_dates()
    RecordingTree.fits = []
    schemes = [KD, ModelCompression(multiple=1, generator=generator)]
    search = search_for(behind(DecisionTreeClassifier(max_depth=2)), behind(RecordingTree()), schemes=schemes)
    with pytest.raises(InvalidData, match="column 'day' holds datetime"):
        search.fit(frame, y)
    assert RecordingTree.fits == []


@pytest.mark.filterwarnings("ignore::multihop_search.errors.MultihopWarning")
def test_dates_that_the_pipelines_leave_out_do_not_stop_a_default_search() -> None:
    frame, y, behind = with_dates()
    search = search_for(
        behind(DecisionTreeClassifier(max_depth=2)), behind(GaussianNB()), schemes="auto", n_trials=6
    ).fit(frame, y)
    assert (search.results_["state"] == "COMPLETE").all()


# The space


SCHEMES = [KnowledgeDistillation(), HardLabels(), SRatio()]
RUNGS = ["teacher[:10]", "wide", "middle", "narrow"]
SPACE = PathSpace(
    RUNGS,
    SCHEMES,
    {
        "tree": StudentSpace(
            {"max_depth": IntDistribution(1, 5)}, {"max_depth": 3}, ("teacher[:10]", "wide", "middle")
        ),
        "line": StudentSpace({"C": FloatDistribution(0.01, 10.0, log=True)}, {"C": 1.0}, ("teacher[:10]", "wide")),
        "stump": StudentSpace(),
        "alone": StudentSpace({}, {}, ()),
    },
    compression=ModelCompression(generator=CategoricalDistribution(("munge", "unlabeled"))),
    truncations=[Truncate(10)],
    max_hops=3,
)


def drawn(dist: Any) -> Any:
    if isinstance(dist, CategoricalDistribution):
        return st.sampled_from(dist.choices)
    if isinstance(dist, IntDistribution):
        return st.integers(dist.low, dist.high)
    return st.floats(dist.low, dist.high)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_draw_is_a_path_and_comes_back(draw: Any) -> None:
    student = draw.draw(st.sampled_from(list(SPACE.students)))
    names = SPACE.names_of(student)
    params = {
        name: student if name == "student" else draw.draw(drawn(dist), label=name) for name, dist in names.items()
    }
    path = SPACE.decode(params)
    assert path.student == student
    assert len(path.hops) <= min(params["n_hops"], SPACE.max_hops_of(student))
    assert (len(path.hops) == 0) == (min(params["n_hops"], SPACE.max_hops_of(student)) == 0)
    above = SPACE.students[student].rungs
    places = [RUNGS.index(hop.model) for hop in path.prefix]
    assert places == sorted(set(places))  # down the ladder, each rung once
    assert above is None or all(hop.model in above for hop in path.prefix)
    assert all(not isinstance(hop.scheme, Truncate) for hop in path.hops[1:])
    for hop in path.hops:
        assert hop.compression is None or hop.compression.multiple > 0
    if path.hops and path.hops[-1].compression is not None:
        assert path.hops[-1].compression.generator == params["ModelCompression.generator"]
        assert path.hops[-1].compression.multiple == params["ModelCompression.multiple"]
    back = SPACE.encode(path)
    assert set(back) == set(names)
    assert SPACE.decode(back) == path
    assert SPACE.decode(back).key == path.key


def test_what_differs_in_padding_only_is_one_path() -> None:
    base = {**SPACE.encode(SPACE.default("tree", "HardLabels")), "ModelCompression.multiple": 0}
    assert SPACE.decode({**base, "ModelCompression.generator": "unlabeled"}) == SPACE.decode(base)
    assert SPACE.decode({**base, "ModelCompression.multiple": 5}) != SPACE.decode(base)
    rows = {**base, "ModelCompression.multiple": 5}
    assert SPACE.decode({**rows, "ModelCompression.generator": "unlabeled"}) != SPACE.decode(rows)


def test_a_path_outside_the_space_is_refused() -> None:
    inside = SPACE.default("tree", "HardLabels")
    for compression in (
        ModelCompression(multiple=3, generator="munge"),
        ModelCompression(multiple=1, generator="auto"),
    ):
        path = Path((Hop(HardLabels(), "tree", compression),), inside.params, "tree")
        with pytest.raises(InvalidSetting, match="the path must lie in the space"):
            SPACE.encode(path)
    known = Path(
        (Hop(HardLabels(), "tree", ModelCompression(multiple=5, generator="unlabeled")),), inside.params, "tree"
    )
    assert SPACE.decode(SPACE.encode(known)) == known
    for unknown in (Path((), (), "nobody"), Path((), (("max_depth", 9),), "tree"), Path((), (), "tree")):
        with pytest.raises(InvalidSetting):
            SPACE.encode(unknown)


def test_hops_above_the_last_may_add_rows() -> None:
    added = {hop.compression for hop in SPACE.menu.values()}
    assert ModelCompression(multiple=5, generator="munge") in added
    assert None in added
