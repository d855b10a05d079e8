"""What the user changes in place after `fit`, rows or models, changes nothing of the fitted search."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    ModelCompression,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
)
from multihop_search.integrations import from_predictions
from multihop_search.problem.intake import own_copy

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(90, 4))
LABELS = (ROWS[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(int)


@dataclass
class Case:
    """All that a search is given; `fit` gives it to one."""

    X: Any
    y: Any
    sample_weight: Any
    groups: Any
    X_unlabeled: Any
    teacher: Any
    student: Any
    intermediate: Any
    regression: bool = False

    def fit(self) -> Any:
        kind = MultihopSearchRegressor if self.regression else MultihopSearchClassifier
        search = kind(
            self.student,
            self.teacher,
            intermediates=[("middle", self.intermediate)],
            schemes=[KnowledgeDistillation(), ModelCompression(generator="unlabeled")],
            param_distributions={},
            n_trials=6,
            max_hops=2,
            cv=2,
            crossfit_cv=2,
            random_state=0,
        )
        weights = {"sample_weight": self.sample_weight, "groups": self.groups}
        return search.fit(self.X, self.y, X_unlabeled=self.X_unlabeled, **weights)


def case(*, frame: bool = False, regression: bool = False, teacher: str = "") -> Case:
    X, y = ROWS.copy(), ROWS[:, 0] + ROWS[:, 1] ** 2 if regression else LABELS.copy()
    unlabeled = np.random.default_rng(1).normal(size=(60, 4))
    forest = RandomForestRegressor if regression else RandomForestClassifier
    model: Any = forest(6, max_depth=4, random_state=0)
    if teacher == "frozen":
        model = FrozenEstimator(model.fit(X, y))
    if teacher == "given":
        labels = np.random.default_rng(2).uniform(0.2, 0.8, size=60)
        oof = cross_val_predict(model, X, y, method="predict_proba")
        model = from_predictions(oof, unlabeled=np.column_stack([labels, 1 - labels]))
    tree = DecisionTreeRegressor if regression else DecisionTreeClassifier
    return Case(
        pd.DataFrame(X, columns=list("abcd")) if frame else X,
        pd.Series(y) if frame else y,
        np.random.default_rng(3).uniform(0.5, 2.0, size=90),
        np.repeat(np.arange(30), 3),
        pd.DataFrame(unlabeled, columns=list("abcd")) if frame else unlabeled,
        model,
        tree(max_depth=3),
        forest(3, max_depth=3, random_state=1),
        regression,
    )


def spoil(given: Case) -> None:
    """Change in place all that was given."""
    for values in (given.X, given.y, given.sample_weight, given.groups, given.X_unlabeled):
        if hasattr(values, "iloc"):
            values.iloc[:] = values.iloc[::-1].to_numpy()
        else:
            values[...] = values[::-1].copy()
    given.student.set_params(max_depth=1)
    given.intermediate.set_params(max_depth=1, n_estimators=1)
    if isinstance(given.teacher, FrozenEstimator):
        given.teacher.estimator.set_params(n_estimators=1).fit(ROWS, 1 - LABELS)
    elif hasattr(given.teacher, "oof"):
        given.teacher.oof[...] = given.teacher.oof[::-1].copy()
        given.teacher.unlabeled[...] = given.teacher.unlabeled[::-1].copy()
    else:
        given.teacher.set_params(n_estimators=1, max_depth=1)


CASES: dict[str, Callable[[], Case]] = {
    "arrays": case,
    "frames": lambda: case(frame=True),
    "values": lambda: case(regression=True),
    "a frozen teacher": lambda: case(teacher="frozen"),
    "given predictions": lambda: case(teacher="given"),
}


@pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_trial_is_fitted_again_as_it_was_searched(name: str) -> None:
    given = CASES[name]()
    search = given.fit()
    numbers = search.results_.loc[search.results_["state"] == "COMPLETE", "trial"].tolist()
    assert set(search.results_.loc[numbers, "hops"]) == {0, 1, 2}
    rows = pd.DataFrame(ROWS, columns=list("abcd")) if isinstance(given.X, pd.DataFrame) else ROWS
    before = [model.predict(rows) for model in search.refit_trials(numbers)]
    spoil(given)
    for number, predictions in zip(numbers, before, strict=True):
        np.testing.assert_array_equal(search.refit_trial(number).predict(rows), predictions)


def test_export_and_page_do_not_look_at_what_changed(tmp_path: Path) -> None:
    given = case(frame=True)
    search = given.fit()
    search.report(tmp_path / "before.html")
    given.X.iloc[:] = np.nan
    search.set_params(student=LogisticRegression())
    search.export(tmp_path / "student.sql")
    search.report(tmp_path / "after.html")
    assert search.refit_trial(0).get_depth() == 3


def changing(callback: Callable[..., None], **settings: Any) -> MultihopSearchClassifier:
    """Return a search of four trials that calls `callback` after each of them."""
    usual: dict[str, Any] = {"schemes": [HardLabels()], "intermediates": [], "n_trials": 4, "cv": 2, "random_state": 0}
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), RandomForestClassifier(4), callbacks=[callback], **usual, **settings
    )


def test_what_changes_while_a_search_runs_is_not_seen() -> None:
    def fitted(change: Callable[..., None]) -> Any:
        X, y = ROWS.copy(), LABELS.copy()
        return changing(lambda study, trial: change(X, y)).fit(X, y)

    def shuffled(X: np.ndarray, y: np.ndarray) -> None:
        X[:], y[:] = X[::-1].copy(), 1 - y

    changed, quiet = fitted(shuffled), fitted(lambda X, y: None)
    assert changed.results_["score"].tolist() == quiet.results_["score"].tolist()
    np.testing.assert_array_equal(changed.predict_proba(ROWS), quiet.predict_proba(ROWS))


def test_fresh_rows_that_change_while_a_search_runs_judge_as_they_were() -> None:
    def verdict(change: Callable[..., None]) -> str:
        X = np.random.default_rng(4).normal(size=(60, 4))
        y = (X[:, 0] > 0).astype(int)
        search = changing(lambda study, trial: change(X, y))
        return str(search.fit(ROWS, LABELS, X_fresh=X, y_fresh=y).verdict_.scores)

    def spoilt(X: np.ndarray, y: np.ndarray) -> None:
        X[:], y[:] = 0.0, 1 - y

    assert verdict(spoilt) == verdict(lambda X, y: None)


@pytest.mark.parametrize(
    "values",
    [
        np.asfortranarray(ROWS),
        ROWS,
        pd.DataFrame(ROWS),
        pd.DataFrame(np.asfortranarray(ROWS)),
        pd.DataFrame({"a": ["x", None], "b": pd.Categorical(["u", "v"]), "c": pd.array([1, None], dtype="Int64")}),
        sparse.csr_matrix(ROWS),
    ],
    ids=["F", "C", "frame", "frame F", "kinds", "sparse"],
)
def test_a_copy_is_equal_in_values_and_layout_and_shares_nothing(values: Any) -> None:
    copied = own_copy(values)
    assert type(copied) is type(values)
    if isinstance(values, pd.DataFrame):
        pd.testing.assert_frame_equal(copied, values, check_exact=True)
    if isinstance(values, pd.DataFrame) and values.shape[1] == 4:
        values, copied = values.to_numpy(), copied.to_numpy()
    if isinstance(values, np.ndarray):
        assert values.strides == copied.strides
        assert not np.shares_memory(values, copied)
        np.testing.assert_array_equal(values, copied)
    if sparse.issparse(values):
        assert not np.shares_memory(values.data, copied.data)
        assert (values != copied).nnz == 0
        copied.data[:] = 0  # and can be written to
