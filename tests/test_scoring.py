"""Scores: by hand, and as scikit-learn's own; greater is better."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, get_scorer, log_loss, make_scorer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from multihop_search.errors import InvalidData, InvalidSetting
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss, LogLoss
from multihop_search.problem.scorers import scoring_for

YES_NO = np.array(["no", "yes"])
ABC = np.array(["a", "b", "c"])


def random_predictions(n_classes, n_rows=200, seed=0):
    """Return codes, probabilities (zeros and ones among them) and weights."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.5), size=n_rows)
    proba[:20] = np.eye(n_classes)[rng.integers(n_classes, size=20)]
    return rng.integers(n_classes, size=n_rows), proba, rng.uniform(0.1, 3.0, size=n_rows)


# The default: log-loss with a floor


def test_the_default_is_the_mean_log_of_the_true_class():
    scoring = scoring_for("auto", YES_NO)
    score = scoring.score(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]]), None)
    # (log .5 + log .25) / 2 = log(.125) / 2 = -1.0397208
    assert score == pytest.approx(-1.0397208, abs=1e-7)


def test_a_probability_of_zero_costs_the_log_of_the_floor():
    scoring = scoring_for("auto", YES_NO)
    rows = scoring.rows(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    # floored to (1, .001), sum 1.001: log(.001 / 1.001) = -6.9087548, log(1 / 1.001) = -.0009995
    np.testing.assert_allclose(rows, [-6.9087548, -0.0009995], atol=1e-7)


def test_only_probabilities_below_the_floor_are_lifted_and_all_are_renormalised():
    scoring = scoring_for("auto", ABC)
    rows = scoring.rows(np.array([0, 1, 2]), np.array([[0.9995, 0.0005, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]))
    # (.9995, .001, .001), sum 1.0015; (.5, .5, .001), sum 1.001; (.2, .3, .5) as it is
    np.testing.assert_allclose(np.exp(rows), [0.9995 / 1.0015, 0.5 / 1.001, 0.5], rtol=1e-12)


def test_weights_make_a_weighted_mean():
    scoring = scoring_for("auto", YES_NO)
    proba = np.array([[0.5, 0.5], [0.75, 0.25], [0.9, 0.1]])
    score = scoring.score(np.array([0, 1, 0]), proba, np.array([1.0, 3.0, 0.0]))
    # (1 * log .5 + 3 * log .25) / 4 = log(.5 * .25**3) / 4 = log(.0078125) / 4 = -1.2130076
    assert score == pytest.approx(-1.2130076, abs=1e-7)


def test_stored_predictions_in_single_precision_score_nearly_the_same():
    y, proba, weight = random_predictions(3)
    scoring = scoring_for("auto", ABC)
    single = scoring.score(y, proba.astype(np.float32), weight)
    assert single == pytest.approx(scoring.score(y, proba, weight), abs=1e-6)


@pytest.mark.parametrize("scoring", ["auto", "neg_log_loss", "accuracy"])
def test_rows_of_many_trials_are_scored_at_once(scoring):
    y, _, _ = random_predictions(3)
    stack = np.stack([random_predictions(3, seed=seed)[1] for seed in range(4)])
    made = scoring_for(scoring, ABC)
    rows = made.rows(y, stack)
    assert rows.shape == (4, 200)
    for one, proba in zip(rows, stack, strict=True):
        np.testing.assert_array_equal(one, made.rows(y, proba))


@pytest.mark.parametrize("scoring", ["auto", "neg_log_loss", "accuracy"])
def test_a_better_prediction_of_the_true_class_scores_higher(scoring):
    made = scoring_for(scoring, ABC)
    y = np.array([1])
    worse, better = np.array([[0.6, 0.3, 0.1]]), np.array([[0.3, 0.6, 0.1]])
    assert made.score(y, better, None) > made.score(y, worse, None)


# scikit-learn's log-loss and accuracy


@pytest.mark.parametrize("n_classes", [2, 3, 11])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
def test_neg_log_loss_is_scikit_learns_bit_for_bit(weighted, n_classes):
    made = scoring_for("neg_log_loss", np.arange(n_classes))
    for seed in range(20):
        y, proba, weight = random_predictions(n_classes, seed=seed)
        weight = weight if weighted else None
        given = proba[:, 1] if n_classes == 2 else proba  # scikit-learn's scorer passes one column of two
        expected = -log_loss(y, given, sample_weight=weight, labels=np.arange(n_classes))
        assert made.score(y, proba, weight) == expected
        assert np.average(made.rows(y, proba), weights=weight) == pytest.approx(expected, abs=1e-6)


def test_neg_log_loss_knows_classes_that_the_rows_lack():
    score = scoring_for("neg_log_loss", ABC).score(
        np.array([0, 0]), np.array([[0.5, 0.3, 0.2], [0.25, 0.5, 0.25]]), None
    )
    assert score == pytest.approx(-1.0397208, abs=1e-7)  # (log .5 + log .25) / 2


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
def test_accuracy_is_scikit_learns(weighted):
    y, proba, weight = random_predictions(3)
    weight = weight if weighted else None
    ours = scoring_for("accuracy", ABC).score(y, proba, weight)
    assert ours == pytest.approx(accuracy_score(y, proba.argmax(axis=1), sample_weight=weight), rel=1e-12)


def test_accuracy_by_hand():
    made = scoring_for("accuracy", ABC)
    proba = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2]])
    y = np.array([0, 1, 1, 0])  # the last row is a tie: its first class is predicted
    np.testing.assert_array_equal(made.rows(y, proba), [1, 1, 0, 1])
    assert made.score(y, proba, None) == 0.75
    assert made.score(y, proba, np.array([1.0, 1.0, 6.0, 2.0])) == 0.4  # (1 + 1 + 2) / 10


def test_only_the_log_losses_need_probabilities():
    needs = {name: scoring_for(name, ABC).needs_proba for name in ("auto", "neg_log_loss", "accuracy")}
    assert needs == {"auto": True, "neg_log_loss": True, "accuracy": False}


def test_labels_and_regions_of_equivalence():
    shown = {name: (scoring_for(name, ABC).label, scoring_for(name, ABC).region) for name in ("auto", "accuracy")}
    assert shown == {"auto": ("log-loss", None), "accuracy": ("accuracy", 0.005)}  # half a point of accuracy


# Any other scorer, on real models with labels of words


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = YES_NO[(X[:, 0] + rng.normal(size=300) > 0.7).astype(int)]
    return X[:150], y[:150], X[150:], y[150:]


@pytest.fixture(scope="module")
def multiclass():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = ABC[np.digitize(X[:, 0] + rng.normal(size=300), [-0.5, 1.0])]
    return X[:150], y[:150], X[150:], y[150:]


MODELS = [
    LogisticRegression(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(15, random_state=0),
]
F1_OF_NO = make_scorer(f1_score, pos_label="no")
COST = make_scorer(lambda y, said: float(np.mean((y == "yes") & (said == "no"))), greater_is_better=False)


def replayed(scoring, model, data, weight=None):
    """Return the score of stored predictions, and what scikit-learn's scorer says of the model itself."""
    X, y, X_new, y_new = data
    fitted = clone(model).fit(X, y)
    made = scoring_for(scoring, fitted.classes_)
    codes = np.searchsorted(fitted.classes_, y_new)
    scorer = get_scorer(scoring)
    given = {} if weight is None else {"sample_weight": weight}
    return (
        made.score(codes, made.table(fitted, X_new), weight),
        made(fitted, X_new, y_new, weight),
        scorer(fitted, X_new, y_new, **given),
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    "scoring",
    ["roc_auc", "average_precision_yes", "balanced_accuracy", "neg_brier_yes", "f1_of_no", "cost", "f1_macro"],
)
def test_a_replayed_score_is_scikit_learns(binary, scoring, model, weighted):
    named = {
        "f1_of_no": F1_OF_NO,
        "cost": COST,
        "average_precision_yes": make_scorer(
            get_scorer("average_precision")._score_func, response_method="predict_proba", pos_label="yes"
        ),
        "neg_brier_yes": make_scorer(
            get_scorer("neg_brier_score")._score_func,
            response_method="predict_proba",
            greater_is_better=False,
            pos_label="yes",
        ),
    }
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 150) if weighted and scoring != "cost" else None
    stored, called, expected = replayed(named.get(scoring, scoring), model, binary, weight)
    assert stored == pytest.approx(expected, rel=1e-12)
    assert called == expected


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("scoring", ["roc_auc_ovr", "roc_auc_ovo_weighted", "balanced_accuracy", "f1_weighted"])
def test_a_replayed_score_of_many_classes_is_scikit_learns(multiclass, scoring, model):
    stored, called, expected = replayed(scoring, model, multiclass)
    assert stored == pytest.approx(expected, rel=1e-12)
    assert called == expected


def test_the_positive_class_of_a_scorer_counts(binary):
    of_no = replayed(F1_OF_NO, MODELS[0], binary)[0]
    of_yes = replayed(make_scorer(f1_score, pos_label="yes"), MODELS[0], binary)[0]
    assert of_no > of_yes + 0.1


def test_predictions_without_probabilities_are_replayed_as_labels(multiclass):
    stored, called, expected = replayed("balanced_accuracy", LinearSVC(), multiclass)
    assert stored == called == expected


@pytest.mark.parametrize("scoring", ["auto", "neg_log_loss", "accuracy"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
def test_a_score_is_called_as_scikit_learn_calls_a_scorer(multiclass, scoring, weighted):
    X, y, X_new, y_new = multiclass
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 150) if weighted else None
    model = clone(MODELS[1]).fit(X, y)
    made = scoring_for(scoring, ABC)
    direct = made.score(np.searchsorted(ABC, y_new), model.predict_proba(X_new), weight)
    assert made(model, X_new, y_new, weight) == direct
    if scoring == "neg_log_loss":
        given = {} if weight is None else {"sample_weight": weight}
        assert direct == get_scorer(scoring)(model, X_new, y_new, **given)


def test_labels_that_were_not_there_in_fit_are_refused(binary):
    X, y, X_new, y_new = binary
    model = clone(MODELS[1]).fit(X, y)
    with pytest.raises(InvalidData, match=r"labels seen in fit, got .*perhaps"):
        scoring_for("accuracy", YES_NO)(model, X_new, np.where(np.arange(150) < 3, "perhaps", y_new))


def test_a_callable_reads_the_model_itself(binary):
    X, y, X_new, y_new = binary
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)

    def fewer_leaves(estimator, X, y):
        return float((estimator.predict(X) == y).mean() - 0.01 * estimator.get_n_leaves())

    made = scoring_for(fewer_leaves, YES_NO)
    expected = model.score(X_new, y_new) - 0.01 * model.get_n_leaves()
    assert made(model, X_new, y_new) == pytest.approx(expected)
    codes = np.searchsorted(YES_NO, y_new)
    assert made.score_model(model, X_new, codes, model.predict_proba(X_new), None) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        ("accuraccy", "'accuraccy'"),
        ("", "''"),
        (None, "NoneType"),
        (3, "int"),
        (["accuracy"], "list"),
    ],
)
def test_a_score_that_is_none_is_refused_with_what_came(scoring, words):
    with pytest.raises(InvalidSetting, match=f"scoring must be .*got {words}"):
        scoring_for(scoring, ABC)


def test_a_column_of_labels_is_scored_as_a_list_of_them():
    X, y = np.array([[0.0], [1.0], [1.0], [0.0]]), np.array(["a", "c", "c", "a"])
    tree = DecisionTreeClassifier().fit(X, y)
    assert scoring_for("accuracy", np.array(["a", "c"]))(tree, X, y[:, None]) == 1.0


def test_log_loss_of_stored_predictions_is_that_of_their_rows():
    scoring, proba = scoring_for("neg_log_loss", np.arange(2)), np.array([[0, 1.0], [0.5, 0.5]], dtype=np.float32)
    y = np.array([0, 1])
    assert scoring.score(y, proba, None) == pytest.approx(scoring.rows(y, proba).mean())


# What is expected of a score under class probabilities


def floored_log(proba, code):
    floored = [max(p, 1e-3) for p in proba]
    return math.log(floored[code] / sum(floored))


def clipped_log(proba, code):
    eps = 2.0**-52
    return math.log(min(max(proba[code], eps), 1 - eps))


def right(proba, code):
    return float(proba.index(max(proba)) == code)


BY_HAND = {FlooredLogLoss: floored_log, LogLoss: clipped_log, Accuracy: right}


def test_expected_rows_by_hand():
    q, proba = np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.8, 0.2]])
    for kind in (FlooredLogLoss, LogLoss):
        np.testing.assert_allclose(kind(YES_NO).expected_rows(q, proba), [np.log(0.5), np.log(0.8)], rtol=1e-12)
    np.testing.assert_allclose(Accuracy(YES_NO).expected_rows(q, proba), [0.25, 1.0])  # of equals the first is said


@pytest.mark.parametrize("kind", BY_HAND)
@settings(deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1), n_classes=st.integers(2, 5), n_rows=st.integers(1, 12))
def test_expected_rows_are_the_rows_of_each_class_as_often_as_it_is_believed(kind, seed, n_classes, n_rows):
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.full(n_classes, 0.4), size=n_rows)
    proba = rng.dirichlet(np.full(n_classes, 0.4), size=n_rows)
    proba[rng.random(n_rows) < 0.3] = np.eye(n_classes)[0]
    found = kind(np.arange(n_classes)).expected_rows(q, proba)
    expected = []
    for shares, row in zip(q.tolist(), proba.tolist(), strict=True):
        expected.append(sum(share * BY_HAND[kind](row, code) for code, share in enumerate(shares)))
    assert found.shape == (n_rows,)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", BY_HAND)
def test_what_is_expected_under_certain_labels_is_the_score_under_them(kind):
    y, proba, _ = random_predictions(3)
    scoring = kind(ABC)
    np.testing.assert_allclose(scoring.expected_rows(np.eye(3)[y], proba), scoring.rows(y, proba), rtol=1e-12)


def test_no_prediction_is_expected_to_score_better_than_what_is_believed():
    rng = np.random.default_rng(0)
    q = 0.97 * rng.dirichlet(np.ones(3), size=50) + 0.01  # above the floor
    scoring = FlooredLogLoss(ABC)
    best = scoring.expected_rows(q, q)
    for _ in range(20):
        assert (scoring.expected_rows(q, rng.dirichlet(np.ones(3), size=50)) < best).all()
