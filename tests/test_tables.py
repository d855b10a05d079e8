"""Tables of every library that is installed: columns keep their names, whatever order they come in later."""

from __future__ import annotations

import datetime
import decimal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from searches import searches
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor
from multihop_search.errors import InvalidData, InvalidKind
from multihop_search.export import export_model
from multihop_search.problem.tables import as_pandas

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")


class Stream:
    """A table that nobody knows, which speaks the Arrow stream."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pyarrow.Table.from_pandas(frame, preserve_index=False)
        self.columns = list(frame.columns)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class Exchange:
    """A table that speaks the older data frame protocol only."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame, self.columns = frame, list(frame.columns)

    def __dataframe__(self, *args: Any, **kwargs: Any) -> Any:
        return pyarrow.Table.from_pandas(self._frame, preserve_index=False).__dataframe__(*args, **kwargs)


class Later:
    """A table with `iloc` that is computed when it is asked for, as Dask's are."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.iloc, self._frame = frame.iloc, frame

    def compute(self) -> pd.DataFrame:
        return self._frame


def of_narwhals(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("narwhals").from_native(polars.from_pandas(frame))


def of_duckdb(frame: pd.DataFrame) -> Any:
    duckdb = pytest.importorskip("duckdb")
    return duckdb.connect().from_arrow(pyarrow.Table.from_pandas(frame, preserve_index=False))


LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": polars.from_pandas,
    "arrow": lambda frame: pyarrow.Table.from_pandas(frame, preserve_index=False),
    "batch": lambda frame: pyarrow.RecordBatch.from_pandas(frame, preserve_index=False),
    "narwhals": of_narwhals,
    "duckdb": of_duckdb,
    "stream": Stream,
    "exchange": Exchange,
    "later": Later,
}
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(120, 3)), columns=["c", "a", "b"])
Y = np.where(X["a"] > X["c"], "yes", "no")
REVERSED = X[["b", "a", "c"]]


search_for = searches(
    DecisionTreeClassifier(max_depth=3),
    DecisionTreeClassifier(max_depth=5),
    param_distributions={},
    n_trials=2,
    cv=2,
    crossfit_cv=2,
    max_hops=1,
    tree_fits="auto",
)


@pytest.fixture(scope="module")
def reference() -> MultihopSearchClassifier:
    return search_for().fit(X, Y)


@pytest.mark.parametrize("fitted_on", LIBRARIES)
def test_the_order_of_columns_is_never_lost(fitted_on: str, reference: MultihopSearchClassifier) -> None:
    search = search_for().fit(LIBRARIES[fitted_on](X), Y)
    assert search.feature_names_in_.tolist() == ["c", "a", "b"]
    assert search.best_estimator_.feature_names_in_.tolist() == ["c", "a", "b"]
    assert search.best_score_ == reference.best_score_
    wanted = reference.predict_proba(X)
    for library, make in LIBRARIES.items():
        np.testing.assert_array_equal(search.predict_proba(make(X)), wanted, err_msg=library)
        assert search.score(make(X), Y) == reference.score(X, Y)
        for ask in (search.predict, search.predict_proba, lambda rows: search.score(rows, Y)):
            with pytest.raises(ValueError, match="must be in the same order"):
                ask(make(REVERSED))
        with pytest.raises(ValueError, match="unseen at fit time"):
            search.predict(make(X.rename(columns={"a": "z"})))


def test_the_search_looks_at_the_names_where_its_student_does_not() -> None:
    student = make_pipeline(FunctionTransformer(np.asarray), DecisionTreeClassifier(max_depth=2))
    search = search_for(max_hops=0).set_params(student=student).fit(X, Y)
    assert search.best_estimator_.predict(REVERSED).shape == (120,)
    for ask in (search.predict, search.predict_proba, lambda rows: search.score(rows, Y)):
        with pytest.raises(ValueError, match="must be in the same order"):
            ask(REVERSED)


FRESH = X + 0.01


@pytest.fixture(scope="module")
def straight() -> MultihopSearchClassifier:
    return search_for().fit(X, Y, X_unlabeled=X[:30], X_fresh=FRESH, y_fresh=Y)


@pytest.mark.parametrize("library", LIBRARIES)
def test_further_rows_are_read_by_name(library: str, straight: MultihopSearchClassifier) -> None:
    make = LIBRARIES[library]
    turned = search_for().fit(
        make(X), Y, X_unlabeled=make(REVERSED[:30]), X_fresh=make(FRESH[["b", "a", "c"]]), y_fresh=Y
    )
    pd.testing.assert_frame_equal(straight.verdict_.table, turned.verdict_.table)
    assert straight.results_["score"].tolist() == turned.results_["score"].tolist()
    with pytest.raises(InvalidData, match="with the same columns"):
        search_for().fit(make(X), Y, X_unlabeled=make(X[["a", "b"]]))


@pytest.fixture(scope="module")
def weighted() -> MultihopSearchClassifier:
    return search_for().fit(X, Y, sample_weight=np.arange(1.0, 121.0), groups=np.arange(120) // 3)


@pytest.mark.parametrize("column", [polars.Series, pyarrow.array, lambda values: pyarrow.chunked_array([values])])
def test_target_weights_and_groups_are_columns_of_any_library(
    column: Callable[[Any], Any], weighted: MultihopSearchClassifier
) -> None:
    weight, groups = np.arange(1.0, 121.0), np.arange(120) // 3
    search = search_for().fit(
        X, column(Y.tolist()), sample_weight=column(weight.tolist()), groups=column(groups.tolist())
    )
    assert search.classes_.tolist() == ["no", "yes"]
    assert search.results_["score"].tolist() == weighted.results_["score"].tolist()
    assert search.score(X, column(Y.tolist()), column(weight.tolist())) == weighted.score(X, Y, weight)
    with pytest.raises(InvalidData, match="1 of 120 are NaN"):
        search_for().fit(X, column([None, *Y[1:].tolist()]))


def test_a_number_to_predict_comes_as_a_column_of_polars() -> None:
    models = DecisionTreeRegressor(max_depth=2), DecisionTreeRegressor()
    search = MultihopSearchRegressor(*models, n_trials=1, max_hops=0, cv=2, random_state=0)
    given = search.fit(polars.from_pandas(X), polars.Series((X["a"] * 2).tolist())).predict(X)
    np.testing.assert_array_equal(given, search.fit(X, X["a"] * 2).predict(X))


KINDS: dict[str, Any] = {
    "whole": [1, None, 3],
    "yes": [True, None, False],
    "word": ["a", None, "b"],
    "day": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)],
    "price": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
    "nothing": [None, None, None],
}


def polars_without_pyarrow(kinds: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    return as_pandas("X", polars.DataFrame(kinds))  # type: ignore[no-any-return]


@pytest.mark.parametrize("library", ["polars", "arrow", "polars alone"])
def test_kinds_of_columns_stay(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "polars alone":
        frame = polars_without_pyarrow(KINDS, monkeypatch)
    else:
        frame = as_pandas("X", polars.DataFrame(KINDS) if library == "polars" else pyarrow.table(KINDS))
    kinds = {name: dtype.kind for name, dtype in frame.dtypes.items() if name != "word"}
    assert kinds == {"whole": "f", "yes": "b", "day": "M", "price": "f", "nothing": "f"}
    assert frame["word"].tolist()[::2] == ["a", "b"]
    assert frame["price"].tolist()[::2] == [1.5, 2.5]
    assert frame.isna().to_numpy()[1].all()


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", ["Categorical", "Enum"])
def test_categories_of_polars_stay_categories(kind: str, alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    dtype = polars.Categorical if kind == "Categorical" else polars.Enum(["x", "y"])
    column = polars.Series(["x", "y", None], dtype=dtype)
    frame = (
        polars_without_pyarrow({"c": column}, monkeypatch) if alone else as_pandas("X", polars.DataFrame({"c": column}))
    )
    assert isinstance(frame["c"].dtype, pd.CategoricalDtype)
    assert frame["c"].tolist()[:2] == ["x", "y"]


def test_a_table_that_holds_no_rows_yet_is_met_with_one_sentence() -> None:
    lazy = polars.from_pandas(X).lazy()
    with pytest.raises(InvalidKind, match=r"X must hold rows, a LazyFrame holds none yet: pass X\.collect\(\)"):
        search_for().fit(lazy, Y)
    search = search_for(n_trials=1).fit(X, Y)
    with pytest.raises(InvalidKind, match="holds none yet"):
        search.predict(lazy)


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pyarrow.Table.from_arrays([pyarrow.array(X["a"]), pyarrow.array(X["b"])], names=["a", "a"])
    with pytest.raises(InvalidData, match="'a' stands for several"):
        search_for().fit(twice, Y)


def test_a_table_whose_library_fails_is_met_with_one_sentence() -> None:
    class Broken:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            raise RuntimeError("the connection is closed")

    with pytest.raises(InvalidKind, match=r"X must be a table that can be read, .*the connection is closed"):
        search_for().fit(Broken(), Y)


def test_a_table_after_an_array_says_that_names_are_new_and_an_array_after_a_table_that_they_are_missing() -> None:
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        search_for(n_trials=1).fit(X.to_numpy(), Y).predict(polars.from_pandas(X))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        search_for(n_trials=1).fit(polars.from_pandas(X), Y).predict(X.to_numpy())


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_export_knows_the_names(library: str, tmp_path: Any, reference: MultihopSearchClassifier) -> None:
    search = search_for().fit(LIBRARIES[library](X), Y)
    search.export(tmp_path / "model.sql")
    export_model(reference.best_estimator_, tmp_path / "wanted.sql", X=LIBRARIES[library](X))
    assert (tmp_path / "model.sql").read_text() == (tmp_path / "wanted.sql").read_text()
    assert '"a"' in (tmp_path / "model.sql").read_text()
