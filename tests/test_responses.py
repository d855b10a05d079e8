"""What a score reads of a model, as scikit-learn does: its own `predict`, `decision_function` or `predict_proba`."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_wine, make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score, get_scorer, make_scorer, max_error, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, LeaveOneOut, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

from multihop_search import HardLabels, MultihopSearchClassifier, MultihopSearchRegressor, OwnFit
from multihop_search.errors import (
    FailedTrialsWarning,
    InvalidSetting,
    MultihopWarning,
    ScoreWarning,
    SearchFailed,
    UnsuitableModel,
)
from multihop_search.problem.responses import StoredPredictions, joined_tables, predicted_codes
from multihop_search.problem.scorers import scoring_for
from multihop_search.verdict.assessment import fidelity

X, Y = make_classification(160, 5, weights=[0.7], flip_y=0.15, random_state=0)
X3, Y3 = make_classification(160, 6, n_informative=5, n_redundant=0, n_classes=3, flip_y=0.1, random_state=0)
CV = StratifiedKFold(3, shuffle=True, random_state=0)
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
BOLD = FixedThresholdClassifier(TREE, threshold=0.15, response_method="predict_proba")


class Cautious(DecisionTreeClassifier):
    """A tree whose `predict` says the last class unless another has four fifths of the leaf."""

    def predict(self, X):
        proba = self.predict_proba(X)
        return np.where(proba.max(axis=1) > 0.8, self.classes_[proba.argmax(axis=1)], self.classes_[-1])


def cross_validated(student, scoring, X=X, y=Y):
    """Return scikit-learn's scores of the folds as one: accuracy is a mean over rows, what is replayed over folds."""
    weights = [len(test) for _, test in CV.split(X, y)] if scoring == "accuracy" else None
    return np.average(cross_val_score(student, X, y, cv=CV, scoring=scoring), weights=weights)


def search(student, scoring="auto", kind=MultihopSearchClassifier, **settings):
    """Return a search that tries the plain student alone, as it is."""
    given = {"max_hops": 0, "n_trials": 1, "cv": CV, "tree_fits": [OwnFit()], "intermediates": [], **settings}
    if kind is MultihopSearchClassifier:
        given["schemes"] = [HardLabels()]
    teacher = (
        DecisionTreeClassifier(random_state=0)
        if kind is MultihopSearchClassifier
        else DecisionTreeRegressor(max_depth=4)
    )
    return kind(student, teacher, scoring=scoring, param_distributions={}, random_state=0, **given)


COST = make_scorer(lambda y, said: float(np.mean((y == 1) & (said == 0))), greater_is_better=False)
MARGIN = make_scorer(roc_auc_score, response_method="decision_function")
EITHER = make_scorer(roc_auc_score, response_method=("predict_proba", "decision_function"))


@pytest.mark.parametrize(
    ("student", "scoring"),
    [
        (BOLD, "recall"),
        (BOLD, "accuracy"),
        (make_pipeline(StandardScaler(), BOLD), "f1"),
        (make_pipeline(StandardScaler(), BOLD), COST),
        (Cautious(max_depth=3, random_state=0), "balanced_accuracy"),
        (Cautious(max_depth=3, random_state=0), "accuracy"),
        (LinearSVC(random_state=0), "matthews_corrcoef"),
        (LinearSVC(random_state=0), "accuracy"),
    ],
)
def test_a_score_of_decisions_reads_the_students_own_predict(student, scoring):
    fitted = search(student, scoring).fit(X, Y)
    assert fitted.best_score_ == pytest.approx(cross_validated(student, scoring), abs=1e-12)


@pytest.mark.parametrize(
    ("student", "scoring"),
    [
        (LinearSVC(random_state=0), "roc_auc"),
        (LinearSVC(random_state=0), EITHER),
        (RidgeClassifier(), "average_precision"),
        (LogisticRegression(), MARGIN),
        (LogisticRegression(), EITHER),
        (make_pipeline(StandardScaler(), SVC()), "roc_auc"),
    ],
)
def test_a_ranking_score_reads_the_decision_function(student, scoring):
    fitted = search(student, scoring).fit(X, Y)
    assert fitted.best_score_ == pytest.approx(cross_validated(student, scoring), abs=1e-12)
    assert fitted.score(X, Y) == get_scorer(scoring)(fitted.best_estimator_, X, Y)


@pytest.mark.parametrize(
    ("student", "scoring"),
    [
        (Cautious(max_depth=2, random_state=0), "f1_macro"),
        (Cautious(max_depth=2, random_state=0), "accuracy"),
        (Cautious(max_depth=2, random_state=0), "top_k_accuracy"),
        (LinearSVC(random_state=0), "top_k_accuracy"),
        (LinearSVC(random_state=0), "balanced_accuracy"),
    ],
)
def test_of_many_classes_too(student, scoring):
    fitted = search(student, scoring).fit(X3, Y3)
    assert fitted.best_score_ == pytest.approx(cross_validated(student, scoring, X3, Y3), abs=1e-12)


@pytest.mark.parametrize(
    ("student", "scoring", "words"),
    [
        (LinearSVC(), "neg_brier_score", "predict_proba, LinearSVC has none"),
        (LinearSVC(), "roc_auc_ovr", "predict_proba.*LinearSVC has none"),
        (TREE, MARGIN, "decision_function, DecisionTreeClassifier has none"),
    ],
)
def test_a_student_without_what_the_score_reads_is_refused(student, scoring, words):
    if scoring == "roc_auc_ovr" and "decision_function" in get_scorer(scoring)._response_method:
        pytest.skip("this scikit-learn reads the decision function there")
    with pytest.raises(UnsuitableModel, match=words):
        search(student, scoring).fit(X, Y)


@pytest.mark.once
@pytest.mark.parametrize("scoring", ["recall", "accuracy"])
def test_fresh_rows_judge_the_students_own_predict(scoring):
    fitted = search(BOLD, scoring, n_trials=4, max_hops=1).fit(X[:100], Y[:100], X_fresh=X[100:], y_fresh=Y[100:])
    plain = clone(BOLD).fit(X[:100], Y[:100])
    assert fitted.verdict_.scores.loc["plain", "score"] == get_scorer(scoring)(plain, X[100:], Y[100:])
    assert fitted.verdict_.scores.loc["plain", "accuracy"] == pytest.approx(plain.score(X[100:], Y[100:]))


@pytest.mark.once
def test_the_verdict_of_the_search_and_the_nested_one_read_it_too():
    own, most_probable = (cross_validated(student, "recall") for student in (BOLD, TREE))
    assert own > most_probable + 0.05  # else the test could not tell the two apart
    nested, resampled = (
        search(BOLD, "recall", verdict=verdict).fit(X, Y).verdict_.scores.loc["plain", "score"]
        for verdict in ("nested", "bbc")
    )
    assert nested == pytest.approx(own, abs=1e-12)
    assert abs(resampled - own) < abs(resampled - most_probable)


class Knowing(ClassifierMixin, BaseEstimator):
    """A teacher that reads the label in the first column, and whose probabilities say the opposite."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.where(X[:, :1] > 0, [[0.9, 0.1]], [[0.1, 0.9]])

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


@pytest.mark.parametrize(
    ("frozen", "scoring", "verdict"),
    [
        (False, "accuracy", "bbc"),
        (True, MARGIN, "bbc"),
        (False, MARGIN, "nested"),
        (True, "recall", "nested"),
        (False, "recall", 0.3),
        (True, "accuracy", 0.3),
        (False, MARGIN, "fresh"),
        (True, "accuracy", "fresh"),
    ],
)
def test_the_teacher_is_scored_by_its_own_predict_and_decision_function(frozen, scoring, verdict):
    told = np.column_stack([2.0 * Y - 1, X])
    fresh = {"X_fresh": told[100:], "y_fresh": Y[100:]} if verdict == "fresh" else {}
    verdict = "bbc" if fresh else verdict
    teacher = FrozenEstimator(Knowing().fit(told, Y)) if frozen else Knowing()
    settings = {"max_hops": 1, "n_trials": 2, "verdict": verdict, "teacher": teacher, "cv": 3}
    fitted = (
        search(LogisticRegression(C=1e-6)).set_params(scoring=scoring, **settings).fit(told[:100], Y[:100], **fresh)
    )
    scores = fitted.verdict_.scores.loc["teacher"]
    assert scores["score"] == scores["accuracy"] == 1.0
    assert scores["log_loss"] == pytest.approx(-np.log(0.1))
    trial = fitted.results_["fidelity"].iloc[0]
    assert trial >= 0.5  # of what the teacher predicts, not of its probabilities


def test_a_label_that_y_does_not_have_is_no_prediction():
    class Other(DecisionTreeClassifier):
        def predict(self, X):
            return np.full(len(X), 7)

    with pytest.raises(SearchFailed, match="predict must return labels that y has, it returned 7"):
        search(Other(max_depth=2), "accuracy").fit(X, Y)


# Tables


def test_folds_are_joined_with_the_predicted_class_where_one_has_it():
    one, two = np.array([[0.7, 0.3], [0.4, 0.6]], dtype=np.float32), np.array([[0.7, 0.3, 1.0]], dtype=np.float32)
    joined = joined_tables([one, two])
    assert joined.dtype == np.float32
    assert predicted_codes(joined, 2).tolist() == [0, 1, 1]
    assert joined_tables([one, one]).shape == (4, 2)


class Close(DecisionTreeClassifier):
    """A tree that is a little surer of its second class, by less than single precision holds."""

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5) + [-1e-12, 1e-12]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_a_predicted_class_is_kept_where_single_precision_holds_a_tie():
    model = Close(max_depth=1).fit(X, Y)
    table = scoring_for("accuracy", np.arange(2)).table(model, X[:3]).astype(np.float32)
    assert model.predict(X[:3]).tolist() == predicted_codes(table, 2).tolist() == [1, 1, 1]


def test_agreement_with_the_teacher_is_that_of_what_is_predicted():
    said = np.array([[0.8, 0.2, 1.0], [0.3, 0.7, 1.0], [0.6, 0.4, 0.0], [0.4, 0.6, 0.0]])
    teacher = np.array([[0.1, 0.9], [0.2, 0.8], [0.2, 0.8], [0.7, 0.3]])
    assert fidelity(said, teacher, 2) == 0.75


def test_agreement_is_with_what_the_teacher_predicts():
    said = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert fidelity(said, np.array([[0.9, 0.1, 1.0], [0.2, 0.8, 1.0]]), 2) == 0.5


def test_folds_that_lack_decisions_leave_them_unknown():
    joined = joined_tables([np.array([[0.7, 0.3]]), np.array([[0.1, 0.9, 1.0, 2.5]])])
    np.testing.assert_array_equal(joined, [[0.7, 0.3, 0.0, np.nan], [0.1, 0.9, 1.0, 2.5]])


def test_stored_predictions_offer_what_the_score_read():
    classes = np.array(["a", "b"])
    decided = StoredPredictions(np.array([[1.0, 0.0, 1.0, -0.5]]), classes)
    assert not hasattr(decided, "predict_proba")
    rows = np.array([[0], [0]])
    assert decided.decision_function(rows).tolist() == [-0.5, -0.5]
    assert decided.predict(rows).tolist() == ["b", "b"]
    plain = StoredPredictions(np.array([[0.25, 0.75]]), classes)
    assert not hasattr(plain, "decision_function")
    np.testing.assert_allclose(plain.predict_log_proba(rows), np.log([[0.25, 0.75]] * 2))


class Turned(LogisticRegression):
    """A model whose classes stand in another order than sorted, and whose probabilities are a labelled frame."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.classes_, self.coef_, self.intercept_ = self.classes_[::-1], -self.coef_, -self.intercept_
        return self

    def predict_proba(self, X):
        return pd.DataFrame(super().predict_proba(X), columns=self.classes_)[["no", "yes"]]


@pytest.mark.parametrize("scoring", ["auto", "accuracy", "roc_auc", MARGIN])
def test_classes_in_another_order_and_labelled_probabilities_change_nothing(scoring):
    names = np.array(["no", "yes"])
    read = scoring_for(scoring, names)
    one, two = (read.table(kind().fit(X, names[Y]), X) for kind in (LogisticRegression, Turned))
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_a_decision_function_of_a_fold_that_lacks_a_class_never_ranks_it_first():
    two = np.isin(Y3, [0, 2])
    model = LinearSVC(random_state=0).fit(X3[two], Y3[two])
    scoring = scoring_for("top_k_accuracy", np.arange(3))
    table = scoring.table(model, X3)
    assert table.shape == (160, 3 + 1 + 3)
    assert (table[:, 5] < table[:, [4, 6]].min(axis=1)).all()
    np.testing.assert_array_equal(table[:, 3], model.predict(X3))


# Names of labels


@pytest.mark.once
@pytest.mark.parametrize(
    ("names", "scoring"),
    [
        (np.array(["no", "yes"]), "auto"),
        (np.array(["no", "yes"]), "roc_auc"),
        (np.array([False, True]), "accuracy"),
        (np.array([7, 9]), "f1_macro"),
        (np.array(["a", "b"], dtype=object), "roc_auc"),
    ],
)
def test_names_of_labels_change_nothing(names, scoring):
    def run(y):
        return search(TREE, scoring, n_trials=2, max_hops=1).fit(X, y)

    one, two = run(Y), run(names[Y])
    assert one.results_["score"].equals(two.results_["score"])
    assert one.best_index_ == two.best_index_
    assert one.verdict_.table.equals(two.verdict_.table)
    assert one.verdict_.scores.equals(two.verdict_.scores)
    assert (names[one.predict(X)] == two.predict(X)).all()


def test_a_positive_class_is_followed():
    names = np.array(["no", "yes"])
    of_yes = search(BOLD, make_scorer(f1_score, pos_label="yes")).fit(X, names[Y])
    assert of_yes.best_score_ == search(BOLD, "f1").fit(X, Y).best_score_
    of_no = search(BOLD, make_scorer(f1_score, pos_label="no")).fit(X, names[Y])
    assert of_no.best_score_ != of_yes.best_score_
    with pytest.raises(InvalidSetting, match="pos_label=1 is not a valid label"):
        search(BOLD, "f1").fit(X, names[Y])


# Folds that cannot be scored


class Faulty:
    """A score that cannot be taken of a model with a certain number of leaves."""

    def __init__(self, fault):
        self.fault = fault

    def __call__(self, estimator, X, y):
        return self.fault() if estimator.max_depth == 2 else estimator.score(X, y)


def raises():
    raise ValueError("no such depth")


@pytest.mark.once
@pytest.mark.parametrize(
    ("fault", "words"), [(lambda: float("nan"), "it is nan"), (lambda: float("inf"), "it is inf"), (raises, "no such")]
)
def test_a_trial_whose_score_is_no_number_fails_with_the_reason(fault, words):
    settings = {"n_trials": 8, "scoring": Faulty(fault), "random_state": 0, "cv": 3, "max_hops": 0}
    tried = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=3, random_state=0),
        TREE,
        param_distributions={"max_depth": [2, 3]},
        **settings,
    )
    with pytest.warns(FailedTrialsWarning, match=words):
        tried.fit(X, Y)
    failed = tried.results_[tried.results_["state"] == "FAIL"]
    assert len(failed)
    assert failed["reason"].str.contains(words).all()
    assert (tried.results_["state"] == "COMPLETE").any()


def test_a_scorer_that_is_nan_for_what_was_predicted_fails_the_trial():
    picky = make_scorer(lambda y, said: float("nan") if 0.2 < said.mean() < 0.4 else float((y == said).mean()))
    with pytest.raises(SearchFailed, match="of a fold must be finite, it is nan"):
        search(TREE, picky).fit(X, Y)


def folds_of_one_class():
    """Return three folds, of which the last holds rows of one class only."""
    zeros = np.flatnonzero(Y == 0)
    last, rest = zeros[:20], np.setdiff1d(np.arange(len(Y)), zeros[:20])
    tests = [rest[::2], rest[1::2], last]
    return [(np.setdiff1d(np.arange(len(Y)), test), test) for test in tests]


def test_a_fold_without_a_class_is_left_out_and_told_once():
    folds = folds_of_one_class()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted = search(TREE, "roc_auc", cv=folds).fit(X, Y)
    (said,) = [str(one.message) for one in told if issubclass(one.category, MultihopWarning)]
    assert "roc_auc cannot be taken on the rows of 1 of 3 folds" in said
    assert "cannot be taken on the rows of 1 of 3 folds" in str(fitted.verdict_)
    assert fitted.best_score_ == pytest.approx(
        cross_val_score(TREE, X, Y, cv=folds[:2], scoring="roc_auc").mean(), abs=1e-12
    )
    assert np.isfinite(fitted.results_["score_se"]).all()


@pytest.mark.parametrize("scoring", ["roc_auc", "r2"])
def test_a_score_that_no_fold_has_is_refused(scoring):
    few = slice(0, 12)
    student, kind = (TREE, MultihopSearchClassifier)
    if scoring == "r2":
        student, kind = DecisionTreeRegressor(max_depth=2), MultihopSearchRegressor
    with pytest.raises(InvalidSetting, match=f"{scoring} is none in any of 12 folds"):
        search(student, scoring, kind, cv=LeaveOneOut()).fit(X[few], Y[few])


# Weights

WEIGHT = np.random.default_rng(0).uniform(0.1, 3.0, len(Y))


@pytest.mark.parametrize(
    ("scoring", "kind", "student"),
    [
        (make_scorer(lambda y, said: float((y == said).mean())), MultihopSearchClassifier, TREE),
        (lambda model, X, y: float(model.score(X, y)), MultihopSearchClassifier, TREE),
        ("neg_max_error", MultihopSearchRegressor, DecisionTreeRegressor(max_depth=2)),
    ],
    ids=["scorer", "callable", "max_error"],
)
def test_a_score_without_weights_is_taken_and_told(scoring, kind, student):
    scoring = make_scorer(max_error, greater_is_better=False) if scoring == "neg_max_error" else scoring
    with pytest.warns(ScoreWarning, match="takes no sample_weight, so it counts every row alike"):
        fitted = search(student, scoring, kind, cv=3).fit(X, Y, sample_weight=WEIGHT)
    assert "takes no sample_weight" in str(fitted.verdict_)
    assert np.isfinite(fitted.best_score_)


def test_a_callable_that_takes_weights_is_given_those_of_its_rows():
    folds = list(CV.split(X, Y))
    sums = []

    def score(estimator, X, y, sample_weight=None):
        sums.append(None if sample_weight is None else float(np.sum(sample_weight)))
        return float(estimator.score(X, y, sample_weight))

    fitted = search(TREE, score, cv=folds).fit(X, Y, sample_weight=WEIGHT)
    expected = [
        clone(TREE).fit(X[a], Y[a], sample_weight=WEIGHT[a]).score(X[b], Y[b], sample_weight=WEIGHT[b])
        for a, b in folds
    ]
    assert fitted.best_score_ == pytest.approx(np.mean(expected))
    assert None not in sums
    assert fitted.score(X, Y, WEIGHT) == fitted.best_estimator_.score(X, Y, WEIGHT)


# What scikit-learn's searches have


def test_a_callable_scores_the_student_that_is_handed_over():
    def score(estimator, X, y):
        return float(estimator.score(X, y))

    fitted = search(TREE, score).fit(X, Y)
    assert fitted.score(X, Y) == fitted.best_estimator_.score(X, Y)


def test_times_of_fits_and_scores_are_in_the_table():
    table = search(TREE, "accuracy", n_trials=3, max_hops=1).fit(X, Y).cv_results_
    for name in ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"):
        assert table[name].shape == (3,)
        assert (table[name] >= 0).all()
    assert (table["mean_score_time"] > 0).all()


class Slow(DecisionTreeClassifier):
    def predict(self, X):
        time.sleep(0.05)
        return super().predict(X)


def test_the_time_of_a_score_is_that_of_the_prediction_too():
    table = search(Slow(max_depth=2), "accuracy").fit(X, Y).cv_results_
    assert table["mean_score_time"][0] >= 0.05


def test_logarithms_of_probabilities_are_there_where_the_student_has_them():
    fitted = search(TREE).fit(X, Y)
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(fitted.predict_log_proba(X), fitted.best_estimator_.predict_log_proba(X))
    assert not hasattr(search(LinearSVC(), "accuracy"), "predict_log_proba")


def test_tags_are_those_of_the_student():
    assert get_tags(search(SVC(kernel="precomputed"), "accuracy")).input_tags.pairwise
    assert not get_tags(search(TREE)).input_tags.pairwise
    two = search(TREE).set_params(student=[("one", TREE), ("two", Binary())])
    assert not get_tags(two).classifier_tags.multi_class
    assert get_tags(search(TREE)).classifier_tags.multi_class


class Binary(DecisionTreeClassifier):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def test_a_search_transforms_as_its_student_does() -> None:
    """As `GridSearchCV` does: what the student cannot do, the search has not."""
    X, y = load_wine(return_X_y=True)
    settings = {"schemes": [HardLabels()], "n_trials": 1, "cv": 2, "random_state": 0}
    search = MultihopSearchClassifier(LinearDiscriminantAnalysis(), RandomForestClassifier(5), **settings).fit(X, y)
    np.testing.assert_array_equal(search.transform(X), search.best_estimator_.transform(X))
    assert search.multimetric_ is False
    assert not hasattr(search, "inverse_transform")
    assert not hasattr(search, "score_samples")
    assert not hasattr(MultihopSearchClassifier(DecisionTreeClassifier()), "transform")
