"""The face, as its user meets it."""

import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from searches import searches
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, make_scorer, recall_score
from sklearn.model_selection import RepeatedStratifiedKFold, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from slow_reference import Watched
from threadpoolctl import threadpool_info

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    OwnFit,
    TeacherOutputs,
)
from multihop_search.errors import FailedTrialsWarning, RareClassWarning, RetiredWarning, UnservedSchemeWarning
from multihop_search.verdict.out_of_fold import choice_evidence

TREE = DecisionTreeClassifier(max_depth=3)
POOL = [("forest", RandomForestClassifier(3, max_depth=6)), ("tree", DecisionTreeClassifier(max_depth=6))]
TIMES = ["fit_seconds", "latency_us", "on_front"]  # the front is one over latencies, among others
ROWS = ["one-hop vs plain", "multi-hop vs one-hop", "selected vs plain", "selected vs own fit"]
ALL_FOLDS = optuna.pruners.NopPruner()


search_for = searches(TREE, RandomForestClassifier(3), intermediates=POOL, n_trials=6, cv=2, crossfit_cv=2)


def few_trials(**settings: Any) -> MultihopSearchClassifier:
    return search_for(**{"n_trials": 3, "intermediates": [], "tree_fits": [OwnFit()], **settings})


def same_search(one: MultihopSearchClassifier, two: MultihopSearchClassifier) -> None:
    pd.testing.assert_frame_equal(one.results_.drop(columns=TIMES), two.results_.drop(columns=TIMES), check_exact=True)
    pd.testing.assert_frame_equal(one.verdict_.table, two.verdict_.table, check_exact=True)
    assert one.best_path_ == two.best_path_
    assert one.best_index_ == two.best_index_
    assert [trial.value for trial in one.study_.trials] == [trial.value for trial in two.study_.trials]


@pytest.fixture(scope="module")
def cancer(cancer: tuple[pd.DataFrame, pd.Series]) -> tuple[pd.DataFrame, pd.Series]:
    """Half of its rows, a third of its columns."""
    return cancer[0].iloc[::2, ::3].reset_index(drop=True), cancer[1].iloc[::2].reset_index(drop=True)


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def found(cancer: tuple[pd.DataFrame, pd.Series], watched: Watched) -> MultihopSearchClassifier:
    with watched.watching():
        return search_for(n_trials=12, pruner=ALL_FOLDS).fit(*cancer)


def test_the_student_is_the_users_class_within_its_size(found: MultihopSearchClassifier) -> None:
    assert type(found.best_estimator_) is DecisionTreeClassifier
    assert found.best_estimator_.get_depth() <= 3
    assert found.best_estimator_.max_depth == 3
    assert list(found.best_estimator_.classes_) == ["benign", "malignant"]


def test_what_was_changed_for_a_fit_is_put_back(found: MultihopSearchClassifier) -> None:
    params = found.best_estimator_.get_params()
    searched = {name for name, _ in found.best_path_.params}
    assert {name: value for name, value in params.items() if name not in searched} == {
        name: value for name, value in TREE.get_params().items() if name not in searched
    }


def test_results_have_a_row_for_each_trial_and_the_groups_are_equal(found: MultihopSearchClassifier) -> None:
    results = found.results_
    assert list(results["trial"]) == list(range(12))
    assert (results["state"] == "COMPLETE").all()
    assert list(results["hops"].clip(upper=2).value_counts().sort_index()) == [4, 4, 4]
    assert found.verdict_.n_trials == {"plain": 4, "one-hop": 4, "multi-hop": 4}


def test_the_first_trial_is_the_students_own_fit(cancer: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = cancer
    folds = StratifiedKFold(3, shuffle=True, random_state=7)
    student = DecisionTreeClassifier(max_depth=3, random_state=5)
    search = search_for(student, cv=folds, scoring="neg_log_loss", n_trials=1).fit(X, y)
    theirs = cross_val_score(student, X, y, cv=folds, scoring="neg_log_loss")
    ours = [search.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)]
    assert ours == list(theirs)
    weights = [len(test) for _, test in folds.split(X, y)]
    assert search.best_score_ == pytest.approx(np.average(theirs, weights=weights), abs=1e-12)


def test_the_space_gives_the_best_path_back(found: MultihopSearchClassifier) -> None:
    assert found.space_.suggest(found.best_trial_) == found.best_path_
    assert found.space_.decode(found.space_.encode(found.best_path_)) == found.best_path_
    assert found.best_trial_.number == found.best_index_
    assert found.best_params_ == found.best_trial_.params


def test_the_best_score_is_that_of_its_row_under_the_labels_alone(found: MultihopSearchClassifier) -> None:
    assert found.results_["score"][found.best_index_] == found.best_score_


def test_the_choice_is_that_by_hand_from_stored_predictions_and_what_the_teacher_believes(
    found: MultihopSearchClassifier, watched: Watched
) -> None:
    assert found.best_index_ == watched.chosen()
    assert watched.outputs.temperature != 1


@pytest.mark.once
def test_so_it_is_under_another_seed_and_other_folds(blobs: Any) -> None:
    watched = Watched()
    with watched.watching():
        search = search_for(random_state=8, cv=3).fit(*blobs)  # within two standard errors is another trial
    assert search.best_index_ == watched.chosen()


def test_refit_trial_of_the_best_is_the_best_estimator(
    found: MultihopSearchClassifier, cancer: tuple[pd.DataFrame, pd.Series]
) -> None:
    again = found.refit_trial(found.best_index_)
    np.testing.assert_array_equal(again.predict_proba(cancer[0]), found.best_estimator_.predict_proba(cancer[0]))


def test_the_path_models_lead_from_the_teacher_to_the_student(found: MultihopSearchClassifier) -> None:
    number = int(found.results_.index[found.results_["hops"] >= 2][0])
    assert found.refit_trial(number).get_depth() <= 3
    assert next(iter(found.path_models_)) == "teacher"
    assert found.path_models_["student"] is found.best_estimator_
    assert found.teacher_ is found.path_models_["teacher"]
    assert len(found.teacher_.estimators_) == 3


def test_predictions_are_those_of_the_student(
    found: MultihopSearchClassifier, cancer: tuple[pd.DataFrame, pd.Series]
) -> None:
    X, y = cancer
    np.testing.assert_array_equal(found.predict(X), found.best_estimator_.predict(X))
    np.testing.assert_array_equal(found.predict_proba(X), found.best_estimator_.predict_proba(X))
    proba = np.maximum(found.predict_proba(X), 1e-3)
    true = (y == "malignant").to_numpy().astype(int)
    expected = np.log(proba[np.arange(len(y)), true] / proba.sum(axis=1)).mean()
    assert found.score(X, y) == pytest.approx(expected)


def test_methods_are_offered_as_the_student_offers_them() -> None:
    assert hasattr(search_for(), "predict_proba")
    assert not hasattr(search_for(), "decision_function")
    assert hasattr(search_for(LogisticRegression()), "decision_function")
    assert not hasattr(search_for(LinearSVC()), "predict_proba")


@pytest.mark.once
def test_another_process_with_another_hash_seed_gives_the_same_searches(tmp_path: Any) -> None:
    script = """
import pickle
import optuna
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier
from multihop_search import MultihopSearchClassifier
found = []
for sampler in ("auto", lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)):
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), HistGradientBoostingClassifier(max_iter=2), n_trials=5, cv=2,
        crossfit_cv=2, n_ahead=2, intermediates=[("tree", DecisionTreeClassifier(max_depth=5))], sampler=sampler,
        portfolio=None, random_state=3,
    ).fit(*load_wine(return_X_y=True))
    found.append((search.results_, search.verdict_, search.best_path_, search.best_index_))
with open({file!r}, "wb") as file:
    pickle.dump(found, file)
"""
    here, there = (script.replace("{file!r}", repr(str(tmp_path / name))) for name in ("here", "there"))
    exec(here, {})
    subprocess.run([sys.executable, "-c", there], check=True, env={"PYTHONHASHSEED": "1", "PATH": ""})
    runs = [pickle.loads((tmp_path / name).read_bytes()) for name in ("here", "there")]
    assert len(runs[0]) == 2
    for (results, verdict, *choice), (results2, verdict2, *choice2) in zip(*runs, strict=True):
        pd.testing.assert_frame_equal(results.drop(columns=TIMES), results2.drop(columns=TIMES), check_exact=True)
        pd.testing.assert_frame_equal(verdict.table, verdict2.table, check_exact=True)
        assert choice == choice2
        assert str(verdict) == str(verdict2)


@pytest.mark.once
def test_another_seed_gives_another_search(blobs: Any) -> None:
    one, other = (few_trials(random_state=seed).fit(*blobs) for seed in (0, 1))
    assert not (other.results_["score"] == one.results_["score"]).all()


class CountingForest(RandomForestClassifier):
    """A teacher without stages or out-of-bag rows that counts its fits, clones included."""

    fits = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


@pytest.mark.once
def test_the_teacher_is_fitted_no_more_often_for_6_trials_than_for_3(blobs: Any) -> None:
    counts = []
    for n_trials in (3, 6):
        CountingForest.fits = 0
        few_trials(teacher=CountingForest(2), n_trials=n_trials).fit(*blobs)
        counts.append(CountingForest.fits)
    assert (
        counts[0] == counts[1] == 1 + 2 * 2 + 2 + 1
    )  # the probe, folds x inner folds, the refit's inner folds, itself


@pytest.mark.once
def test_every_prefix_is_fitted_once_per_fold(blobs: Any) -> None:
    CountingForest.fits = 0
    search = search_for(intermediates=[("middle", CountingForest(2))], schemes=[HardLabels()], n_trials=9, max_hops=2)
    search.set_params(pruner=ALL_FOLDS)
    search.fit(*blobs)
    in_search = 2 * 2  # folds x inner folds of the one prefix that all 3 two-hop paths share
    in_refit = 2 + 1 if len(search.best_path_.hops) == 2 else 0
    assert CountingForest.fits == in_search + in_refit


@pytest.mark.once
def test_a_repeated_path_is_answered_from_the_records(blobs: Any) -> None:
    only = {"param_distributions": {}, "schemes": [HardLabels()], "tree_fits": [OwnFit()]}
    search = search_for(max_hops=1, n_trials=8, **only).fit(*blobs)
    assert list(search.results_["reason"])[2:] == [f"same path as trial {number % 2}" for number in range(2, 8)]
    assert search.results_["score"].nunique() <= 2


def test_callbacks_see_each_told_trial(blobs: Any) -> None:
    seen: list[tuple[int, str]] = []
    few_trials(n_trials=5, callbacks=[lambda study, trial: seen.append((trial.number, trial.state.name))]).fit(*blobs)
    assert seen == [(number, "COMPLETE") for number in range(5)]


@pytest.mark.once
def test_a_timeout_keeps_what_was_told(blobs: Any) -> None:
    search = search_for(timeout=1e-6, n_trials=50).fit(*blobs)
    assert 1 <= len(search.results_) < 50
    assert len(search.study_.trials) == len(search.results_)
    assert {trial.state.name for trial in search.study_.trials} == {"COMPLETE"}


def test_nothing_is_printed_unless_asked(blobs: Any, capfd: pytest.CaptureFixture[str]) -> None:
    few_trials().fit(*blobs)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    few_trials(verbose=1).fit(*blobs)
    assert "3/3" in capfd.readouterr().err


def test_fit_leaves_the_users_objects_alone(blobs: Any) -> None:
    student, teacher = DecisionTreeClassifier(max_depth=2), RandomForestClassifier(5, n_jobs=2)
    before = repr(student), repr(teacher), repr(POOL)
    search_for(student, teacher=teacher, n_trials=3).fit(*blobs)
    assert (repr(student), repr(teacher), repr(POOL)) == before
    assert not hasattr(student, "tree_")


def test_a_search_can_be_cloned_and_pickled(found: MultihopSearchClassifier, cancer: Any) -> None:
    clone(found)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(cancer[0]), found.predict(cancer[0]))
    with pytest.raises(RuntimeError, match="fit it again"):
        again.refit_trial(0)


@pytest.mark.once
def test_a_sampler_that_learns_is_told_one_half_and_the_other_half_judges(cancer: Any) -> None:
    search = search_for(sampler=lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)).fit(*cancer)
    told = [trial.value for trial in search.study_.trials]
    assert not np.allclose(told, search.results_["score"], rtol=1e-3)
    assert np.corrcoef(told, search.results_["score"])[0, 1] > 0.5
    assert search.verdict_.n_rows in (142, 143)


def test_random_search_is_told_all_rows(found: MultihopSearchClassifier) -> None:
    assert [trial.value for trial in found.study_.trials] == list(found.results_["score"])
    assert found.verdict_.n_rows == 285


@pytest.mark.parametrize(
    "student",
    [
        LogisticRegression(max_iter=500),
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=3, max_bins=16),
        RandomForestClassifier(2, max_depth=2),
        GaussianNB(),
        DecisionTreeClassifier(max_depth=3, criterion="entropy", class_weight="balanced"),
    ],
    ids=lambda student: type(student).__name__,
)
def test_students_of_many_classes_come_back_as_themselves(student: Any, blobs: Any) -> None:
    search = search_for(student, n_trials=3, pruner=ALL_FOLDS, intermediates=POOL[1:]).fit(*blobs)
    assert type(search.best_estimator_) is type(student)
    assert (search.results_["state"] == "COMPLETE").all(), search.results_["reason"].unique()
    for number in (1, 2):
        params = search.refit_trial(number).get_params()
        changed = {name for name, value in student.get_params().items() if repr(params[name]) != repr(value)}
        searched = {name for name, _ in search.space_.suggest(search.study_.trials[number]).params}
        assert changed - searched <= {"steps"} | {
            name for name in changed if type(params[name]).__module__.startswith("sklearn")
        }


def test_a_student_without_weights_gets_the_schemes_that_need_none(blobs: Any) -> None:
    with pytest.warns(UnservedSchemeWarning, match="KnowledgeDistillation, ConfWeight, SRatio cannot teach"):
        search = few_trials(student=KNeighborsClassifier(3)).fit(*blobs)
    assert list(search.space_.schemes) == ["HardLabels"]


def test_a_student_without_probabilities_is_searched_by_accuracy(blobs: Any) -> None:
    search = few_trials(student=LinearSVC(), scoring="accuracy").fit(*blobs)
    assert search.verdict_.score == "accuracy"
    assert 0 < search.best_score_ <= 1


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "roc_auc_ovr"])
def test_any_scorer_scores_as_scikit_learn_does(scoring: str, blobs: Any) -> None:
    X, y = blobs[0][:120], blobs[1][:120]
    search = few_trials(scoring=scoring).fit(X, y)
    assert list(search.verdict_.table.index) == ROWS[:3]  # no tree is fitted but by its class: it has no row
    assert search.score(X, y) == pytest.approx(get_scorer(scoring)(search, X, y), abs=1e-12)


def test_a_scorer_with_the_users_labels_is_replayed(cancer: Any) -> None:
    recall = make_scorer(recall_score, pos_label="malignant")
    search = few_trials(scoring=recall).fit(cancer[0][::2], cancer[1][::2])
    assert np.isfinite(search.verdict_.table.loc["one-hop vs plain", "gain"])


def test_a_callable_that_reads_the_model_ranks_but_does_not_judge(blobs: Any) -> None:
    search = few_trials(scoring=lambda model, X, y: -float(model.tree_.node_count)).fit(*blobs)
    best = search.results_["score"].idxmax()
    assert search.results_["hops"][search.best_index_] <= search.results_["hops"][best]
    assert search.verdict_.table["gain"].isna().all()
    assert "Not compared: " in str(search.verdict_)


@pytest.mark.parametrize(
    "cv",
    [
        2,
        StratifiedKFold(3),
        ShuffleSplit(3, test_size=0.3),
        RepeatedStratifiedKFold(n_splits=2, n_repeats=2),
        [(np.arange(0, 160), np.arange(160, 240)), (np.arange(80, 240), np.arange(0, 80))],
    ],
    ids=["int", "splitter", "shuffle", "repeated", "list"],
)
def test_any_cv_works_and_repeats_itself(cv: Any, blobs: Any) -> None:
    one = few_trials(cv=cv, n_trials=2).fit(*blobs)
    if isinstance(cv, (ShuffleSplit, RepeatedStratifiedKFold)):  # what draws its folds
        same_search(one, few_trials(cv=cv, n_trials=2).fit(*blobs))
    assert one.n_splits_ == sum(name.startswith("split") for name in one.cv_results_)
    assert one.n_splits_ == (cv if isinstance(cv, int) else len(cv) if isinstance(cv, list) else cv.get_n_splits())


def test_groups_stay_together_and_are_resampled_together(blobs: Any) -> None:
    X, y = blobs
    groups = np.repeat(np.arange(24), 10)
    search = few_trials(cv=3).fit(X, y, groups=groups)
    for fold in search.setup_.problem.folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
        for held in fold.inner:
            others = np.setdiff1d(np.arange(len(fold.train)), held)
            assert not set(groups[fold.train[held]]) & set(groups[fold.train[others]])


@pytest.mark.once
def test_sample_weight_counts_in_fits_scores_and_verdict(blobs: Any) -> None:
    X, y = blobs
    weight = np.where(y == 0, 5.0, 1.0)
    plain, weighted = few_trials().fit(X, y), few_trials().fit(X, y, sample_weight=weight)
    assert not np.allclose(plain.results_["score"], weighted.results_["score"])
    same_search(plain, few_trials().fit(X, y, sample_weight=np.ones(len(y))))


@pytest.mark.once
def test_a_rare_class_is_warned_of_once_and_its_column_stays(blobs: Any) -> None:
    X, y = blobs
    y = np.where(np.arange(len(y)) < 2, 9, y)
    with pytest.warns(RareClassWarning, match="class 9 has 2 rows, fewer than cv=3") as caught:
        search = few_trials(cv=3).fit(X, y)
    (warning,) = [one for one in caught if one.category is RareClassWarning]
    assert warning.filename == __file__
    assert list(search.best_estimator_.classes_) == [0, 1, 2, 9]
    assert search.predict_proba(X).shape == (240, 4)


def test_a_frozen_teacher_is_used_as_it_is(blobs: Any) -> None:
    X, y = blobs
    teacher = RandomForestClassifier(5, random_state=0).fit(X, y)
    search = few_trials(teacher=FrozenEstimator(teacher)).fit(X, y)
    np.testing.assert_array_equal(search.teacher_.predict_proba(X), teacher.predict_proba(X))
    assert "may have seen" in str(search.verdict_)


@pytest.mark.once
def test_a_worse_teacher_is_said_to_be_worse(cancer: Any) -> None:
    worse = DecisionTreeClassifier(max_depth=1, max_features=1)
    search = few_trials(teacher=worse, n_trials=4, tree_fits="auto").fit(*cancer)
    assert "The teacher is no better than the plain student" in str(search.verdict_)


def test_truncated_teachers_are_intermediates(cancer: Any) -> None:
    search = MultihopSearchClassifier(
        TREE,
        HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=4),
        intermediates="auto",
        schemes=[KnowledgeDistillation(), ConfWeight()],
        n_trials=6,
        pruner=ALL_FOLDS,
        cv=2,
        crossfit_cv=2,
        random_state=1,
    ).fit(cancer[0][::2], cancer[1][::2])
    assert {"teacher[:30]", "teacher[:10]"} <= set(search.space_.rungs)
    truncated = search.results_["path"].str.contains("Truncate")
    assert truncated.any()
    assert (search.results_["state"] == "COMPLETE").all()
    number = int(search.results_.index[truncated][0])
    assert search.refit_trial(number).get_depth() <= 3


@pytest.mark.once
@pytest.mark.parametrize(("max_hops", "hops"), [(0, {0}), (1, {0, 1}), (2, {0, 1, 2})])
def test_max_hops_bounds_the_paths(max_hops: int, hops: set[int], blobs: Any) -> None:
    search = search_for(intermediates=POOL[1:], max_hops=max_hops, n_trials=3).fit(*blobs)
    assert set(search.results_["hops"]) == hops
    assert list(search.verdict_.table.index) == ROWS


@pytest.mark.once
def test_in_sample_outputs_are_there_for_comparison(blobs: Any) -> None:
    assert few_trials(crossfit_cv=False).fit(*blobs).results_["fidelity"].notna().all()


@pytest.mark.once
@pytest.mark.parametrize("verdict", ["bbc", "nested", 0.3])
def test_no_verdict_judges_a_teacher_by_rows_that_it_was_fitted_on(verdict: Any, blobs: Any) -> None:
    for crossfit_cv in (2, False):
        scores = few_trials(crossfit_cv=crossfit_cv, verdict=verdict, n_trials=2, cv=3).fit(*blobs).verdict_.scores
        assert ("teacher" in scores.index) == (crossfit_cv == 2 or verdict == 0.3)  # rows held out taught nobody


@pytest.mark.usefixtures("small_teachers")
def test_missing_values_are_taken_by_the_student_and_by_all_defaults(blobs: Any) -> None:
    X, y = blobs
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)[::2]
    search = MultihopSearchClassifier(TREE, n_trials=3, pruner=ALL_FOLDS, cv=2, crossfit_cv=2, random_state=0)
    search.fit(X, y[::2])
    assert (search.results_["state"] == "COMPLETE").all(), search.results_["reason"].unique()
    assert {0, 1, 2} <= set(search.results_["hops"])
    kinds = (RandomForestClassifier, ExtraTreesClassifier, HistGradientBoostingClassifier, VotingClassifier)
    assert type(search.teacher_) in kinds


@pytest.mark.once
def test_a_failing_intermediate_costs_only_its_trials(blobs: Any) -> None:
    class Broken(DecisionTreeClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            raise ArithmeticError("it broke")

    retired = "intermediate broken retired after 3 equal failures: ArithmeticError: it broke"
    with (
        pytest.warns(FailedTrialsWarning, match="trials failed, the first by ArithmeticError: it broke"),
        pytest.warns(RetiredWarning, match=f"{retired}: it is not tried again"),
    ):
        search = search_for(
            intermediates=[("broken", Broken()), POOL[1]],
            n_trials=24,
            n_ahead=1,
            pruner=ALL_FOLDS,
            tree_fits=[OwnFit()],
        ).fit(*blobs)
    failed = search.results_[search.results_["state"] == "FAIL"]
    assert len(failed)
    assert list(failed["reason"][:3]) == ["ArithmeticError: it broke"] * 3
    assert failed["reason"].iloc[-1] == retired
    assert failed["path"].str.contains("broken").all()
    assert failed["score"].isna().all()
    assert search.cv_results_["rank_test_score"][failed.index[0]] == search.cv_results_["rank_test_score"].max()
    rest = search.results_[~search.results_["path"].str.contains("broken")]
    assert (rest["state"] == "COMPLETE").all()


class Blank(DecisionTreeClassifier):
    """A tree that has learned nothing and says so."""

    def predict_proba(self, X: Any) -> Any:
        return np.full_like(super().predict_proba(X), np.nan)


@pytest.mark.once
def test_an_intermediate_that_predicts_nan_teaches_nobody(blobs: Any) -> None:
    settings: dict[str, Any] = {"n_trials": 12, "pruner": ALL_FOLDS, "tree_fits": [OwnFit()]}
    with pytest.warns((FailedTrialsWarning, RetiredWarning)):
        search = search_for(intermediates=[("blank", Blank()), POOL[1]], **settings).fit(*blobs)
    through = search.results_["path"].str.contains("blank")
    assert through.any()
    assert (search.results_.loc[through, "state"] == "FAIL").all()
    assert search.results_.loc[through, "reason"].str.contains("blank must predict finite numbers to teach").all()
    assert (search.results_.loc[~through, "state"] == "COMPLETE").all()


class ThreadSpy(DecisionTreeClassifier):
    """A tree that writes down on how many threads each of its fits may run."""

    threads: list[int] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.threads.extend(pool["num_threads"] for pool in threadpool_info())
        return super().fit(X, y, sample_weight)


def test_every_fit_runs_on_one_thread(blobs: Any) -> None:
    ThreadSpy.threads.clear()
    search = search_for(ThreadSpy(max_depth=2), intermediates=[("spy", ThreadSpy(max_depth=4))], n_trials=3).fit(*blobs)
    search.refit_trial(1)
    assert ThreadSpy.threads
    assert set(ThreadSpy.threads) == {1}


def test_a_subclass_of_a_forest_is_cross_fitted_by_parts(blobs: Any) -> None:
    class Shuffling(RandomForestClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            order = np.random.default_rng(0).permutation(len(y))
            return super().fit(X[order], y[order], sample_weight)

    X, y = blobs
    noise = np.random.default_rng(1).integers(2, size=len(y))
    search = few_trials(teacher=Shuffling(25), n_trials=1).fit(X, noise)
    assert search.verdict_.scores.loc["teacher", "accuracy"] < 0.65


def test_inner_parts_may_lack_a_class(blobs: Any) -> None:
    X, _ = blobs
    y = (np.arange(len(X)) < 2).astype(int)
    for teacher in (HistGradientBoostingClassifier(max_iter=3), LogisticRegression()):
        search = search_for(teacher=teacher, n_trials=3, pruner=ALL_FOLDS, intermediates=POOL[1:]).fit(X, y)
        assert (search.results_["state"] == "COMPLETE").all(), search.results_["reason"].unique()


def test_a_frozen_model_inside_the_teacher_is_said_to_be_optimistic(blobs: Any) -> None:
    X, y = blobs
    frozen = FrozenEstimator(RandomForestClassifier(5, random_state=0).fit(X, y))
    search = few_trials(teacher=make_pipeline(StandardScaler(), frozen)).fit(X, y)
    assert "may have seen" in str(search.verdict_)


def test_nullable_columns_are_taken(blobs: Any) -> None:
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcdef")).astype({"a": "Float64"})
    frame.loc[3, "a"] = pd.NA
    search = few_trials().fit(frame, y)
    assert (search.results_["state"] == "COMPLETE").all()


def test_a_fold_that_cannot_be_scored_is_left_out_of_the_mean(cancer: Any) -> None:
    X, y = cancer
    folds = [(np.arange(100, 285), np.arange(50)), (np.arange(100), np.flatnonzero(y[100:] == "benign") + 100)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn says that ROC AUC is undefined there
        search = few_trials(cv=folds, scoring="roc_auc", n_trials=2).fit(X, y)
    assert np.isnan(search.cv_results_["split1_test_score"]).all()
    assert search.best_score_ == search.cv_results_["split0_test_score"][search.best_index_]


def test_a_callback_can_stop_the_search(blobs: Any) -> None:
    search = few_trials(callbacks=[optuna.study.MaxTrialsCallback(3)], n_trials=9).fit(*blobs)
    assert list(search.results_["trial"]) == [0, 1, 2]
    assert len(search.study_.trials) == 3
    with pytest.raises(RuntimeError, match="my own"):
        few_trials(callbacks=[_raise_runtime_error]).fit(*blobs)


def _raise_runtime_error(study: Any, trial: Any) -> None:
    raise RuntimeError("my own")


# What the teacher believes


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is believed of the held-out rows, each time that a choice or a verdict asks for its evidence."""
    found: list[Any] = []

    def watched(predictions: Any, held_out: Any, scoring: Any) -> Any:
        found.append(held_out.believed)
        return choice_evidence(predictions, held_out, scoring)

    for place in ("assessment", "resampling"):
        monkeypatch.setattr(f"multihop_search.verdict.{place}.choice_evidence", watched)
    return found


@pytest.mark.once
def test_choice_and_verdict_know_what_a_cross_fitted_teacher_believes(believed: list[Any], blobs: Any) -> None:
    few_trials().fit(*blobs)
    assert len(believed) == 2
    for proba in believed:
        assert proba.shape == (len(blobs[0]), len(np.unique(blobs[1])))
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_array_equal(believed[0], believed[1])


@pytest.mark.once
def test_a_learning_sampler_leaves_the_choice_all_beliefs_and_the_verdict_those_of_its_half(
    believed: list[Any], blobs: Any
) -> None:
    few_trials(sampler=lambda seed: optuna.samplers.TPESampler(seed=seed)).fit(*blobs)
    choosing, judging = map(len, believed)
    assert choosing == len(blobs[0])
    assert judging == len(blobs[0]) // 2


@pytest.mark.once
def test_in_sample_and_frozen_teachers_are_not_believed(believed: list[Any], blobs: Any) -> None:
    few_trials(crossfit_cv=False).fit(*blobs)
    few_trials(teacher=FrozenEstimator(RandomForestClassifier(5, random_state=0).fit(*blobs))).fit(*blobs)
    assert len(believed) == 4
    assert all(proba is None for proba in believed)


@pytest.mark.once
def test_in_regression_nothing_is_believed(believed: list[Any]) -> None:
    X = np.random.default_rng(0).normal(size=(80, 3))
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2), RandomForestRegressor(5), intermediates=[], n_trials=4, cv=2, random_state=0
    )
    search.fit(X, X[:, 0] + X[:, 1] ** 2)
    assert len(believed) == 2
    assert all(proba is None for proba in believed)


@pytest.mark.once
def test_a_replayed_score_chooses_by_the_labels_whatever_is_believed(
    blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"scoring": "balanced_accuracy", "schemes": [KnowledgeDistillation()]}
    without = few_trials(**settings).fit(*blobs)

    def misled(outputs: Any) -> np.ndarray:
        return np.roll(outputs.predictions, 1, axis=1)

    monkeypatch.setattr(TeacherOutputs, "calibrated", property(misled))
    again = few_trials(**settings).fit(*blobs)
    assert again.best_index_ == without.best_index_
    pd.testing.assert_frame_equal(again.verdict_.table, without.verdict_.table, check_exact=True)
