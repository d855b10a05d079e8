"""Export: what is written says on every row what the model says, whatever the names, or nothing is written."""

import ast
import json
import math
import operator
import os
import pickle
import runpy
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from multihop_search import MultihopSearchClassifier
from multihop_search.errors import FileFailed, InvalidData, InvalidSetting, UnsuitableModel
from multihop_search.export import export_model
from multihop_search.export.skops import read_skops, write_skops
from multihop_search.export.sql import identifier
from multihop_search.models.formula import at_most
from multihop_search.paths.preparation import preparation

FORMATS = [".py", ".sql", ".duckdb", ".onnx"]
CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=4, random_state=0),
    DecisionTreeClassifier(random_state=0),
    ExtraTreeClassifier(max_depth=4, random_state=0),
    RandomForestClassifier(7, max_depth=4, random_state=0),
    ExtraTreesClassifier(7, max_depth=4, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=8),
    LogisticRegression(max_iter=1000),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(random_state=0),
    RidgeClassifier(),
    LinearDiscriminantAnalysis(),
]
REGRESSORS = [
    DecisionTreeRegressor(max_depth=4, random_state=0),
    ExtraTreeRegressor(max_depth=4, random_state=0),
    RandomForestRegressor(7, max_depth=4, random_state=0),
    ExtraTreesRegressor(7, max_depth=4, random_state=0),
    HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=8),
    HistGradientBoostingRegressor(loss="poisson", max_iter=5, max_leaf_nodes=8),
    LinearRegression(),
    Ridge(),
    SGDRegressor(random_state=0),
]
HOSTILE = [
    'a "quoted" name',
    "it's",
    "two\nlines",
    "SELECT",
    "naïve 温度 🌡",
    '*/ """ --',
    "'''\\",
    "{x}; DROP TABLE data; --",
    "prediction",
    "leaf",
    "row",
    "X",
    "label",
]


def name_of(value: Any) -> str:
    return type(value).__name__


def known(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of Python objects, None where a value is missing."""
    frame = frame.astype(object)
    return frame.where(frame.notna(), None)


def run(suffix: str, content: str | Path, X: pd.DataFrame, table: str = "data") -> tuple[list[Any], np.ndarray | None]:
    """Return the predictions and probabilities (n_rows, n_classes) that a written file gives."""
    if suffix == ".py":
        made = runpy.run_path(str(content))
        rows = known(X).to_dict("records")
        shares = [list(made["predict_proba"](row).values()) for row in rows] if "predict_proba" in made else None
        return [made["predict"](row) for row in rows], None if shares is None else np.array(shares)
    if suffix == ".onnx":
        runtime = pytest.importorskip("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        session = runtime.InferenceSession(Path(content).read_bytes(), options, providers=["CPUExecutionProvider"])
        inputs = {}
        for asked in session.get_inputs():
            if asked.name == "X" and asked.shape[1] == X.shape[1] and len(session.get_inputs()) == 1:
                inputs["X"] = X.to_numpy(dtype=np.float64)
            elif asked.type == "tensor(string)":
                inputs[asked.name] = known(X[[asked.name]]).fillna("").to_numpy(dtype=object)
            else:
                inputs[asked.name] = X[[asked.name]].to_numpy(dtype=np.float64, na_value=np.nan)
        answers = session.run(None, inputs)
        return answers[0].tolist(), answers[1] if len(answers) > 1 else None
    if suffix == ".duckdb":
        connection = pytest.importorskip("duckdb").connect()
        connection.execute("SET threads = 1")
    else:
        connection = sqlite3.connect(":memory:")
    kinds = {"boolean": "BOOLEAN", "integer": "BIGINT", "floating": "DOUBLE"}
    kind_of = {name: kinds.get(pd.api.types.infer_dtype(X[name], skipna=True), "VARCHAR") for name in X}
    names = [f"{identifier(name)} {kind}" for name, kind in kind_of.items()]
    connection.execute(f"CREATE TABLE {identifier(table)} ({', '.join(names)}, number BIGINT)")
    rows = [(*row, number) for number, row in enumerate(known(X).to_numpy().tolist())]
    connection.executemany(f"INSERT INTO {identifier(table)} VALUES ({', '.join('?' * (X.shape[1] + 1))})", rows)
    answer = connection.execute(Path(content).read_text(encoding="utf-8"))
    heads, rows = [column[0] for column in answer.description], answer.fetchall()
    connection.close()
    rows.sort(key=lambda row: row[X.shape[1]])
    at = [place for place, head in enumerate(heads) if head.startswith("probability_") and place > X.shape[1]]
    shares = np.array([[row[place] for place in at] for row in rows], dtype=float) if at else None
    return [row[-1] for row in rows], shares


def agrees(model: Any, rows: pd.DataFrame, suffix: str, folder: Path, **options: Any) -> Any:
    """Export, run what was written, and compare it with the model; return the predictions."""
    file = folder / f"student{'.sql' if suffix == '.duckdb' else suffix}"
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    export_model(model, file, **options)
    named = rows.set_axis(options["columns"], axis=1) if "columns" in options else rows
    said, shares = run(suffix, file, named, options.get("table", "data"))
    expected = model.predict(rows if hasattr(model, "feature_names_in_") else rows.to_numpy())
    if expected.dtype.kind == "f" and not hasattr(model, "classes_"):
        np.testing.assert_allclose(np.array(said), expected, rtol=1e-6, atol=1e-6)
        return said
    assert said == expected.tolist()
    if hasattr(model, "predict_proba"):
        proba = model.predict_proba(rows if hasattr(model, "feature_names_in_") else rows.to_numpy())
        np.testing.assert_allclose(shares, proba, rtol=0, atol=1e-6)
    else:
        assert shares is None
    return said


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(150, 5)).round(1), columns=list("abcde"))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Numbers, booleans and categories, some missing."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(
        {
            "age": rng.normal(40, 9, 200).round(1),
            "rooms": rng.integers(1, 9, 200),
            "sold": rng.choice([True, False], 200),
            "wood": rng.choice(["ash", "o'ak", "elm", None], 200),
            "street": rng.choice([f"street {number}" for number in range(30)], 200),
        }
    )
    X.loc[::7, "age"] = np.nan
    return X


def labels(X: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Return labels that depend on the first two columns, with noise."""
    rng = np.random.default_rng(2)
    score = X.iloc[:, 0].fillna(0).to_numpy(float) + rng.normal(size=len(X)) + X.iloc[:, 1].to_numpy(float)
    return np.array(["no", "yes", "it's"])[
        np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)
    ]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
def test_classifiers(model: Any, n_classes: int, suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    agrees(model.fit(numbers, labels(numbers, n_classes)), numbers, suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("model", REGRESSORS, ids=name_of)
def test_regressors(model: Any, suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = np.abs(numbers["a"] * 3 + numbers["b"] ** 2)
    agrees(model.fit(numbers, y), numbers, suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("model", [CLASSIFIERS[0], CLASSIFIERS[3], CLASSIFIERS[5], CLASSIFIERS[6]], ids=name_of)
def test_preparation_of_the_package(model: Any, suffix: str, table: pd.DataFrame, tmp_path: Path) -> None:
    student = make_pipeline(preparation(table, scaled=isinstance(model, LogisticRegression)), model)
    student.fit(table, labels(table, 2))
    fresh = table.copy()
    fresh.loc[::5, "street"], fresh.loc[::3, "wood"] = "an unknown one", None
    agrees(student, fresh, suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_preparation_of_the_users(suffix: str, table: pd.DataFrame, tmp_path: Path) -> None:
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values=None),
        OneHotEncoder(drop="first", handle_unknown="ignore"),
    )
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    steps = ColumnTransformer(
        [
            ("range", make_pipeline(SimpleImputer(), MinMaxScaler()), ["age"]),
            ("robust", RobustScaler(), ["rooms"]),
            ("texts", texts, ["wood"]),
            ("codes", codes, ["street"]),
        ],
        remainder="passthrough",
    )
    table = table.assign(wood=table["wood"].astype(object).where(table["wood"].notna(), None))
    student = make_pipeline(
        steps, StandardScaler(), SelectKBest(k=6), FrozenEstimator(LogisticRegression(max_iter=500))
    )
    student.steps[-1][1].estimator.fit(np.random.default_rng(0).normal(size=(200, 6)), labels(table, 3))
    agrees(student.fit(table, labels(table, 3)), table, suffix, tmp_path)


STEPS = {
    "passthrough": ["passthrough"],
    "None": [None],
    "among others": ["passthrough", StandardScaler(), None, MinMaxScaler(), "passthrough"],
    "Pipeline": [Pipeline([("none", None), ("scale", StandardScaler())]), "passthrough"],
    "frozen": [FrozenEstimator(StandardScaler().fit([[0.0] * 5, [1.0] * 5]))],
    "union": [FeatureUnion([("no", "drop"), ("all", "passthrough"), ("scaled", StandardScaler())])],
    "weights": [FeatureUnion([("all", "passthrough"), ("b", MinMaxScaler())], transformer_weights={"b": -3.0})],
}


@pytest.mark.parametrize("suffix", [".py", ".sql", ".onnx"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_steps_of_every_kind(steps: list[Any], suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    named = [(f"step{number}", step) for number, step in enumerate(steps)]
    X = numbers.to_numpy()
    for last in (DecisionTreeClassifier(max_depth=4, random_state=0), LogisticRegression()):
        inner = Pipeline([("once more", None), ("scale", RobustScaler()), ("model", last)])
        for model in (last, Pipeline([("inner", inner)]), FrozenEstimator(inner)):
            if isinstance(model, FrozenEstimator):
                inner.fit(np.hstack([X, X]) if isinstance(steps[0], FeatureUnion) else X, labels(numbers, 2))
            student = Pipeline([*named, ("model", model)]).fit(X, labels(numbers, 2))
            agrees(student, numbers, suffix, tmp_path, columns=list("abcde"), X=X)


CHOICES: dict[str, Any] = {
    "names": ["c", "a"],
    "slice of names": slice("b", "d"),
    "slice to a name": slice(None, "c"),
    "slice from a name": slice("d", None),
    "slice of places": slice(1, 3),
    "slice from the end": slice(-2, None),
    "places from the end": [-1, -3],
    "mask": [True, False, True, False, False],
    "selector": make_column_selector(pattern="a|e"),
}


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("rest", ["drop", "passthrough", MinMaxScaler()], ids=str)
@pytest.mark.parametrize("chosen", CHOICES.values(), ids=CHOICES)
def test_columns_chosen_in_every_way(chosen: Any, rest: Any, numbers: pd.DataFrame, tmp_path: Path) -> None:
    columns = ColumnTransformer([("chosen", StandardScaler(), chosen)], remainder=rest)
    for steps in ([columns], ["passthrough", columns]):
        named = [(f"step{number}", step) for number, step in enumerate(steps)]
        student = Pipeline([*named, ("model", Ridge())]).fit(numbers, numbers @ [1.0, 2.0, 4.0, 8.0, 16.0])
        export_model(student, tmp_path / "m.py", X=numbers)
        said = run(".py", tmp_path / "m.py", numbers)[0]
        np.testing.assert_allclose(said, student.predict(numbers), rtol=1e-9)


def test_a_slice_of_a_pipeline(numbers: pd.DataFrame, tmp_path: Path) -> None:
    student = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3)).fit(numbers, labels(numbers, 2))
    agrees(student[0:2], numbers, ".py", tmp_path)
    agrees(student[1:], numbers.set_axis([f"x{at}" for at in range(5)], axis=1), ".py", tmp_path)
    for suffix in (".py", ".sql", ".txt"):
        with pytest.raises(UnsuitableModel, match="got StandardScaler"):
            export_model(student[:-1], tmp_path / f"m{suffix}")


class Sampler(FunctionTransformer):
    """As those of imbalanced-learn: works in a fit alone."""

    transform = property()

    def fit_resample(self, X: Any, y: Any) -> Any:
        return X, y


def test_samplers_do_nothing_at_prediction(numbers: pd.DataFrame, tmp_path: Path) -> None:
    tree = DecisionTreeClassifier(max_depth=3).fit(numbers, labels(numbers, 2))
    export_model(tree, tmp_path / "tree.py")
    export_model(Pipeline([("sampler", Sampler()), ("tree", tree)]), tmp_path / "pipeline.py")
    assert (tmp_path / "pipeline.py").read_text() == (tmp_path / "tree.py").read_text()


@pytest.mark.parametrize("suffix", FORMATS)
def test_categories_of_boosters(suffix: str, table: pd.DataFrame, tmp_path: Path) -> None:
    X = table.astype({"wood": "category", "street": "category"})
    y = np.where(X["wood"].isin(["ash"]) | X["wood"].isna(), "a", "b")
    agrees(HistGradientBoostingClassifier(max_iter=4).fit(X, y), X, suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_mixed_categories_are_compared_as_text(suffix: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"size": np.array(["1", 1, "large", None, True] * 20, dtype=object), "b": np.arange(100.0)})
    student = make_pipeline(preparation(X, scaled=False), DecisionTreeClassifier(random_state=0))
    student.fit(X, np.array(["one", "one", "large", "missing", "true"] * 20))
    rows = X.assign(size=X["size"].map(lambda value: None if value is None else str(value)).astype(object))
    assert agrees(student, rows, suffix, tmp_path)[:5] == ["one", "one", "large", "missing", "true"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=5),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=3),
    ],
    ids=name_of,
)
def test_missing_numbers(model: Any, suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = labels(numbers, 2)
    gaps = numbers.copy()
    gaps.loc[y == "no", "a"] = np.nan  # being missing decides
    gaps.loc[::4, "b"] = np.nan
    gaps.loc[1::4, "c"] = np.nan
    model.fit(gaps, y)
    agrees(model, gaps, suffix, tmp_path)
    imputed = make_pipeline(StandardScaler(), SimpleImputer(), model).fit(gaps, y)
    agrees(imputed, gaps, suffix, tmp_path)
    model.fit(gaps, y)
    agrees(model, numbers.mask(np.random.default_rng(3).random(numbers.shape) < 0.4), suffix, tmp_path)


def in_duckdb(query: str, X: pd.DataFrame) -> list[Any]:
    """Return the predictions of a query on a table where NaN stays NaN."""
    connection = pytest.importorskip("duckdb", reason="DuckDB is not installed").connect()
    connection.execute("SET threads = 1")
    kinds = {"f": "DOUBLE", "i": "BIGINT", "u": "UBIGINT"}
    columns = [f'"{name}" {kinds[X[name].dtype.kind]}' for name in X]
    connection.execute(f"CREATE TABLE data (number BIGINT, {', '.join(columns)})")
    places = ", ".join("?" * (X.shape[1] + 1))
    rows = [(number, *row) for number, row in enumerate(zip(*(X[name].tolist() for name in X), strict=True))]
    connection.executemany(f"INSERT INTO data VALUES ({places})", rows)
    doubles = [name for name in X if X[name].dtype.kind == "f"]
    for name in doubles:
        [(n_nan,)] = connection.execute(f'SELECT count(*) FROM data WHERE isnan("{name}")').fetchall()
        assert n_nan == X[name].isna().sum()
    answer = sorted(connection.execute(query).fetchall())
    connection.close()
    return [row[-1] for row in answer]


@pytest.mark.once
@pytest.mark.parametrize("gaps_in_training", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=5, random_state=0),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=3),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=5, random_state=0)),
        make_pipeline(StandardScaler(), SimpleImputer(), DecisionTreeClassifier(max_depth=5, random_state=0)),
        make_pipeline(SimpleImputer(), LogisticRegression()),
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier(max_depth=5, random_state=0)),
    ],
    ids=lambda model: model.steps[0][0] + str(len(model)) if isinstance(model, Pipeline) else name_of(model),
)
def test_nan_in_duckdb_is_missing(model: Any, gaps_in_training: bool, numbers: pd.DataFrame, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    gaps = numbers.mask(rng.random(numbers.shape) < 0.3)
    y = np.where(gaps["a"].isna() | (gaps["b"] > 0), "no", "yes")
    model.fit(gaps if gaps_in_training else numbers, y)
    export_model(model, tmp_path / "m.sql")
    assert in_duckdb((tmp_path / "m.sql").read_text(), gaps) == model.predict(gaps).tolist()


def test_infinity_is_a_number_to_boosters(numbers: pd.DataFrame, tmp_path: Path) -> None:
    X = numbers.copy()
    X.loc[::3, "a"], X.loc[1::3, "a"], X.loc[::4, "b"] = np.inf, np.nan, -np.inf
    model = HistGradientBoostingClassifier(max_iter=3).fit(X, np.arange(len(X)) % 3 + 3 * (X["b"] < -1e9))
    for suffix in (".py", ".onnx"):
        agrees(model, X, suffix, tmp_path)
    export_model(model, tmp_path / "m.sql", X=X)
    assert in_duckdb((tmp_path / "m.sql").read_text(), X) == model.predict(X).tolist()


def test_a_linear_model_says_nothing_of_nan_and_infinity_in_duckdb(numbers: pd.DataFrame, tmp_path: Path) -> None:
    rows = pd.concat([numbers[:3].assign(a=[np.nan, np.inf, -np.inf]), numbers[:1]])
    for scaler in ("passthrough", StandardScaler()):
        model = make_pipeline(scaler, LogisticRegression()).fit(numbers, labels(numbers, 2))
        export_model(model, tmp_path / "m.sql")
        said = in_duckdb((tmp_path / "m.sql").read_text(), rows)
        assert said == [None, None, None, model.predict(numbers[:1])[0]]


@pytest.mark.parametrize("gap", [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")], ids=repr)
def test_missing_values_of_every_kind_in_python(gap: Any, tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [1.0, 2.0, np.nan] * 9, "b": np.array(["x", None, "y"] * 9, dtype=object)})
    models = [
        DecisionTreeClassifier(),
        make_pipeline(SimpleImputer(strategy="constant", fill_value=9.0), DecisionTreeClassifier()),
    ]
    for model in models:
        export_model(model.fit(X[["a"]], ["one", "two", "gap"] * 9), tmp_path / "m.py")
        made = runpy.run_path(str(tmp_path / "m.py"))
        expected = model.predict_proba(pd.DataFrame({"a": [np.nan]}))[0]  # a tree of scikit-learn 1.6.0 is less sure
        assert made["predict"]({"a": gap}) == "gap"
        assert made["predict_proba"]({"a": gap}) == dict(zip(model.classes_, expected, strict=True))
        labels = model.predict(pd.DataFrame({"a": [1.0, 1.0, 2.0]})).tolist()
        assert labels[0] == "one"
        assert [made["predict"]({"a": value}) for value in (1, True, np.int8(2))] == labels
    for mixed in (["x", None, "y"], [1, None, "y"]):
        X["b"] = np.array(mixed * 9, dtype=object)
        model = make_pipeline(preparation(X[["b"]], scaled=False), DecisionTreeClassifier())
        export_model(model.fit(X[["b"]], ["first", "gap", "last"] * 9), tmp_path / "m.py")
        made = runpy.run_path(str(tmp_path / "m.py"))
        assert [made["predict"]({"b": value}) for value in (mixed[0], gap, "y")] == ["first", "gap", "last"]


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "boolean"])
def test_nullable_columns(dtype: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"a": pd.array([1, 0, None] * 20, dtype=dtype)})
    model = DecisionTreeClassifier().fit([[1.0], [0.0], [np.nan]], ["one", "none", "gap"])
    export_model(model, tmp_path / "m.py", columns=["a"])
    made = runpy.run_path(str(tmp_path / "m.py"))
    expected = model.predict([[1.0], [0.0], [np.nan]]).tolist()
    assert len(set(expected)) > 1
    assert [made["predict"](row) for row in X.to_dict("records")] == expected * 20


@pytest.mark.parametrize(
    "encoder",
    [OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)],
    ids=name_of,
)
@pytest.mark.parametrize("first", [2**53, 2**62, -(2**60), 2**63 + 2**13], ids=str)
def test_neighbouring_integers_beyond_doubles(first: int, encoder: Any, tmp_path: Path) -> None:
    codes = [first, first + 1, first + 2, 5]
    X = pd.DataFrame({"code": np.array(codes * 5, dtype=np.uint64 if first > 2**63 else np.int64)})
    student = make_pipeline(encoder, DecisionTreeClassifier(random_state=0)).fit(X, [0, 1, 2, 3] * 5)
    rows = pd.DataFrame({"code": np.array([*codes, first + 3, first - 1], dtype=X["code"].dtype)})
    expected = student.predict(rows).tolist()
    assert expected[:4] == [0, 1, 2, 3]
    for options in ({}, {"X": X}):
        export_model(student, tmp_path / "m.py", **options)
        made = runpy.run_path(str(tmp_path / "m.py"))
        assert [made["predict"](row) for row in rows.to_dict("records")] == expected
        with pytest.raises(UnsuitableModel, match=r"column 'code' has integers beyond 2\^53"):
            export_model(student, tmp_path / "m.onnx", **options)
    export_model(student, tmp_path / "m.sql")
    assert in_duckdb((tmp_path / "m.sql").read_text(), rows) == expected
    if first < 2**63:
        assert run(".sql", tmp_path / "m.sql", rows)[0] == expected
    else:
        with pytest.raises(UnsuitableModel, match=r"must run in SQLite"):
            export_model(student, tmp_path / "m.sql", X=X)


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u061c", "\x1b[2J", "\x9b"], ids=ascii)
def test_marks_that_mislead_a_reader_are_escaped_or_refused(mark: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    named = numbers.set_axis([f"a{mark}b", *"bcde"], axis=1)
    y = np.where(named.iloc[:, 0] > 0, f"yes{mark}", "no")
    model = DecisionTreeClassifier(max_depth=2).fit(named, y)
    for suffix in (".py", ".txt"):
        export_model(model, tmp_path / f"m{suffix}", X=named)
        assert mark not in (tmp_path / f"m{suffix}").read_text(encoding="utf-8")
    assert run(".py", tmp_path / "m.py", named)[0] == y.tolist()
    labelled = DecisionTreeClassifier(max_depth=2).fit(numbers, y)
    plain_names = DecisionTreeClassifier(max_depth=2).fit(numbers, y == "no")
    for student, table in ((model, "data"), (labelled, "data"), (plain_names, f"data{mark}")):
        with pytest.raises(InvalidSetting, match=r"marks of direction .* rename it, or export to \.py"):
            export_model(student, tmp_path / "m.sql", table=table)
    assert not (tmp_path / "m.sql").exists()


@pytest.mark.parametrize("mark", ["\u202e", "\u061c", "\x1b[2J", "\x9b", "\x7f"], ids=ascii)
def test_the_metadata_of_onnx_holds_no_marks(mark: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    named = numbers.set_axis([f"a{mark}b", *"bcde"], axis=1)
    kind = type(f"Tree{mark}", (DecisionTreeClassifier,), {})
    export_model(kind(max_depth=2).fit(named, named.iloc[:, 0] > 0), tmp_path / "m.onnx", X=named)
    assert mark.encode() not in (tmp_path / "m.onnx").read_bytes()
    model = onnx.load(tmp_path / "m.onnx")
    assert [json.loads(entry.value) for entry in model.metadata_props] == [list(named.columns)]
    assert model.graph.name == "DecisionTreeClassifier"


def test_the_name_of_a_class_runs_nothing(numbers: pd.DataFrame, tmp_path: Path) -> None:
    hostile = type('x"""\nraise SystemExit\n"""', (DecisionTreeClassifier,), {})
    for suffix in (".py", ".sql"):
        agrees(hostile(max_depth=2).fit(numbers, labels(numbers, 2)), numbers, suffix, tmp_path)
        assert "SystemExit" not in (tmp_path / f"student{suffix}").read_text()


@pytest.mark.parametrize("suffix", FORMATS)
def test_large_scores(suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    """Where the exponential function overflows and underflows, and probabilities of one class are 1."""
    for model in (SGDClassifier(loss="log_loss", random_state=0), LogisticRegression(max_iter=1000)):
        for n_classes in (2, 3):
            model.fit(numbers, labels(numbers, n_classes))
            model.coef_ *= 300
            model.intercept_ -= 700
            with np.errstate(invalid="ignore"):  # scikit-learn 1.6 divides 0 by 0
                is_known = ~np.isnan(model.predict_proba(numbers)).any(axis=1)
            agrees(model, numbers[is_known].reset_index(drop=True), suffix, tmp_path)


def test_a_linear_model_that_misses_a_number_says_nothing(numbers: pd.DataFrame, tmp_path: Path) -> None:
    model = LogisticRegression().fit(numbers, labels(numbers, 2))
    gap = numbers.iloc[:1].assign(a=np.nan)
    for suffix in (".sql", ".py"):
        export_model(model, tmp_path / f"m{suffix}")
    said, shares = run(".sql", tmp_path / "m.sql", gap)
    assert said == [None]
    assert shares is not None
    assert np.isnan(shares).all()
    with pytest.raises(ValueError, match="missing or unknown"):
        run(".py", tmp_path / "m.py", gap)


@given(st.floats(-1e30, 1e30, allow_nan=False))
def test_at_most_is_the_largest_double(threshold: float) -> None:
    bound = at_most(threshold)
    assert float(np.float32(bound)) <= threshold
    assert float(np.float32(math.nextafter(bound, math.inf))) > threshold


@pytest.mark.parametrize("threshold", [0.0, -0.0, 1e-45, -1e-45, 0.1, 16777217.0, 3.4028234663852886e38, math.inf])
def test_at_most_at_the_edges(threshold: float) -> None:
    bound = at_most(threshold)
    assert float(np.float32(bound)) <= threshold
    if threshold < 1e38:
        assert float(np.float32(math.nextafter(bound, math.inf))) > threshold


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32).filter(lambda x: abs(x) > 1e-6), min_size=2, max_size=6, unique=True))
def test_rows_at_the_thresholds(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    """Neighbours in double and in single precision of each threshold, where comparisons can differ."""
    X = np.array(values)[:, None]
    model = DecisionTreeRegressor().fit(X, np.arange(len(X)))
    rows = []
    for threshold in model.tree_.threshold[model.tree_.feature >= 0]:
        for point in (threshold, at_most(threshold), float(np.float32(threshold))):
            rows += [point, math.nextafter(point, -math.inf), math.nextafter(point, math.inf)]
    folder = tmp_path_factory.mktemp("thresholds")
    for suffix in (".py", ".sql"):
        agrees(model, pd.DataFrame({"x0": rows}), suffix, folder)


def halfway_rows(power: int) -> list[int]:
    """Return steps of single precision, the middles between them, and integers beside these."""
    low, step = 2**power + 2 ** (power - 22), 2 ** max(power - 23, 1)
    near = [-2, -1, 0, 1, 2, step // 4, -(step // 4)]
    return [low + at * step + step // 2 + by for at in (0, 1, 2) for by in near] + [low, low + step, low + 2 * step]


@pytest.mark.once
@pytest.mark.parametrize(
    "model",
    [DecisionTreeRegressor(random_state=0), HistGradientBoostingRegressor(max_iter=1, min_samples_leaf=1)],
    ids=name_of,
)
@pytest.mark.parametrize("power", [24, 31, 53, 55, 62])
def test_integers_that_single_precision_rounds(power: int, model: Any, tmp_path: Path) -> None:
    """Trees round integers once; boosters compare doubles."""
    for sign in (1, -1):
        rows = sign * np.array(halfway_rows(power))
        model.fit(rows[:, None], np.arange(len(rows)) % 5)
        for suffix in (".py", ".sql"):
            export_model(model, tmp_path / f"m{suffix}", X=rows[:, None])
        predict, query = runpy.run_path(str(tmp_path / "m.py"))["predict"], (tmp_path / "m.sql").read_text()
        for values in (rows, rows.astype(float)):
            frame, expected = pd.DataFrame({"x0": values}), model.predict(values[:, None])
            for said in (
                [predict({"x0": value}) for value in values],
                [predict({"x0": value}) for value in values.tolist()],
                in_duckdb(query, frame),
                run(".sql", tmp_path / "m.sql", frame)[0],
            ):
                np.testing.assert_allclose(said, expected, rtol=1e-12)


@pytest.mark.parametrize("suffix", [".duckdb", ".onnx"])
def test_rows_at_many_thresholds(suffix: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=400) * 10.0 ** np.random.default_rng(1).integers(-4, 5, 400)
    model = DecisionTreeRegressor().fit(values[:, None], np.random.default_rng(2).random(400))
    bounds = [at_most(threshold) for threshold in model.tree_.threshold[model.tree_.feature >= 0]]
    rows = [math.nextafter(bound, side) for bound in bounds for side in (-math.inf, bound, math.inf)]
    agrees(model, pd.DataFrame({"x0": rows}), suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("model", [CLASSIFIERS[0], CLASSIFIERS[3], CLASSIFIERS[6]], ids=name_of)
def test_hostile_names_and_labels(model: Any, suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, len(HOSTILE))), columns=HOSTILE)
    hostile_labels = np.array(['"', "it's", "'); DROP TABLE data; --\n", '"""\\', "{0} 🌡", "a", "A"])
    y = hostile_labels[rng.permutation(np.arange(120) % len(hostile_labels))]
    agrees(model.fit(X, y), X, suffix, tmp_path, table='my "data"; --\n')


@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_categories(suffix: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"it's": np.array([*HOSTILE, "NULL", " a"] * 8, dtype=object)})
    for place, name in enumerate(["label", "probabilities", "n0", "c1", "X"]):  # names that ONNX needs as well
        X[name] = np.sin(np.arange(len(X)) * (place + 1.0))
    student = make_pipeline(preparation(X, scaled=False), DecisionTreeClassifier(random_state=0))
    agrees(student.fit(X, np.arange(len(X)) % 15 % 4), X, suffix, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_categories_that_are_numbers(suffix: str, tmp_path: Path) -> None:
    X = pd.DataFrame(
        {
            "code": pd.Categorical([7, 1, 2.5, None, 3] * 20),
            "flag": np.array([True, False, None, True] * 25, dtype=object),
        }
    )
    y = np.arange(100) % 5 + 10 * (np.arange(100) % 4)
    for model in (DecisionTreeClassifier(), LogisticRegression(C=100, max_iter=1000)):
        student = make_pipeline(preparation(X, scaled=False), model)
        agrees(student.fit(X, y), X.astype({"code": float}), suffix, tmp_path)


def test_sparse_rows_and_lists(numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = labels(numbers, 2)
    for X in (csr_array(numbers.to_numpy()), numbers.to_numpy().tolist()):
        model = DecisionTreeClassifier(max_depth=3).fit(X, y)
        for suffix in (".py", ".sql", ".txt"):
            export_model(model, tmp_path / f"m{suffix}", X=X)
        assert run(".py", tmp_path / "m.py", numbers.set_axis([f"x{at}" for at in range(5)], axis=1))[0] == list(
            model.predict(numbers.to_numpy())
        )


@pytest.mark.once
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "classes",
    [[3, -1, 7], [True, False], [-1.0, 2.0, 3.0], np.array(["a", "b"]).astype(object), [2**40, 1]],
    ids=lambda classes: type(classes[0]).__name__,
)
def test_labels_of_every_kind(classes: Any, suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = np.array(list(classes) * len(numbers), dtype=getattr(classes, "dtype", None))[: len(numbers)]
    said = agrees(DecisionTreeClassifier(random_state=0).fit(numbers, y), numbers, suffix, tmp_path)
    assert type(said[0]).__module__ == "builtins"


@pytest.mark.once
@pytest.mark.parametrize("suffix", FORMATS)
def test_models_that_look_at_nothing(suffix: str, numbers: pd.DataFrame, table: pd.DataFrame, tmp_path: Path) -> None:
    agrees(DecisionTreeClassifier().fit(numbers, ["all"] * len(numbers)), numbers, suffix, tmp_path)
    linear = LogisticRegression().fit(numbers, labels(numbers, 2))
    linear.coef_ *= 0
    agrees(linear, numbers, suffix, tmp_path)
    student = make_pipeline(preparation(table, scaled=False), DecisionTreeRegressor(max_depth=1))
    agrees(student.fit(table[::-1], np.ones(len(table))), table, suffix, tmp_path)


def test_other_names_of_columns(numbers: pd.DataFrame, tmp_path: Path) -> None:
    model = DecisionTreeClassifier().fit(numbers.to_numpy(), labels(numbers, 2))
    for suffix in FORMATS[:2]:
        agrees(model, numbers, suffix, tmp_path, columns=["v", "w", "x", "y", "z"])


@pytest.mark.once
def test_sums_of_many_terms(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 1100)).round(2)).add_prefix("c")
    agrees(Ridge().fit(X, X["c0"]), X, ".sql", tmp_path)
    model = RandomForestRegressor(450, max_depth=1, random_state=0).fit(X.iloc[:, :3], X["c0"])
    agrees(model, X.iloc[:, :3], ".sql", tmp_path)


@pytest.mark.once
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("spambase", [CLASSIFIERS[0], CLASSIFIERS[5], CLASSIFIERS[6]]),
        ("satimage", [CLASSIFIERS[0], CLASSIFIERS[3], CLASSIFIERS[6]]),
        ("adult", [CLASSIFIERS[0], CLASSIFIERS[3], CLASSIFIERS[6]]),
        ("bike_sharing", [REGRESSORS[0], REGRESSORS[4], REGRESSORS[7]]),
    ],
)
def test_real_data(name: str, models: list[Any], suffix: str, data_folder: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(data_folder / f"{name}.csv.gz").sample(220, random_state=0)
    X, y = rows.drop(columns="target"), rows["target"]
    model = models[FORMATS.index(suffix) % len(models)]  # each model in each format: `test_classifiers`
    student = make_pipeline(preparation(X, scaled=hasattr(model, "fit_intercept")), model).fit(X[:150], y[:150])
    agrees(student, X[150:], suffix, tmp_path, X=X[:150])


def test_the_python_file_needs_nothing(numbers: pd.DataFrame, tmp_path: Path) -> None:
    for number, model in enumerate(CLASSIFIERS):
        file = tmp_path / f"m{number}.py"
        export_model(model.fit(numbers, labels(numbers, 3)), file)
        source = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(source) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert [ast.unparse(node) for node in imports] == ["import math"]
        assert "doc" not in ast.dump(source.body[0]) or ast.get_docstring(source)
    code = f"import runpy; print(runpy.run_path({str(file)!r})['predict'](dict.fromkeys('abcde', 0.5)))"
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() in {"no", "yes", "it's"}


@pytest.mark.once
def test_importing_export_imports_nothing_heavy() -> None:
    heavy = "{'sklearn', 'skops', 'pandas', 'numpy', 'onnx', 'onnxruntime', 'sqlite3'}"
    code = f"import sys, multihop_search.export; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def text_of(model: Any, folder: Path, **options: Any) -> list[str]:
    export_model(model, folder / "m.txt", **options)
    return (folder / "m.txt").read_text(encoding="utf-8").splitlines()


def test_rules_as_text(tmp_path: Path) -> None:
    X = pd.DataFrame({"age": [1.0, 2.0, 3.0, np.nan], "wood": np.array(["ash", "oak", "ash", None], dtype=object)})
    tree = DecisionTreeClassifier(random_state=0).fit(X[["age"]], ["old", "old", "old", "unknown"])
    assert text_of(tree, tmp_path, X=X[["age"]]) == [
        "DecisionTreeClassifier",
        "",
        "1. age is present: old 100 % (75 % of the rows)",
        "2. age is missing: unknown 100 % (25 % of the rows)",
    ]
    tree = DecisionTreeRegressor(random_state=0).fit([[1.0], [2.0], [3.0], [4.0]], [1.0, 5.0, 5.0, 1.25])
    assert text_of(tree, tmp_path, columns=["age"], X=[[1.0]])[2:] == [
        "1. age <= 1.5: 1 (25 % of the rows)",
        "2. age > 3.5: 1.25 (25 % of the rows)",
        "3. 1.5 < age <= 3.5: 5 (50 % of the rows)",
    ]
    student = make_pipeline(preparation(X, scaled=False), DecisionTreeClassifier(max_depth=1, random_state=0))
    student.fit(X, ["hard", "oaken", "hard", "oaken"])
    assert text_of(student, tmp_path, X=X)[2:] == [
        "1. wood is ash: hard 100 % (50 % of the rows)",
        "2. wood is not ash: oaken 100 % (50 % of the rows)",
    ]


def test_rules_hold_for_the_shares_of_the_rows_that_they_say(table: pd.DataFrame, tmp_path: Path) -> None:
    student = make_pipeline(preparation(table, scaled=False), DecisionTreeClassifier(max_depth=4, random_state=0))
    student.fit(table, labels(table, 2))
    shares = [float(line.split("(")[-1].split(" %")[0]) for line in text_of(student, tmp_path)[2:]]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    leaves = student[-1].apply(student[0].transform(table))
    np.testing.assert_allclose(sorted(shares), sorted(np.unique(leaves, return_counts=True)[1] / 2), atol=0.05)


def test_terms_as_text(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "two\nlines": [1.0, 0.0, 0.0, 1.0]})
    lines = text_of(LinearRegression().fit(X, 3 * X["a"] - 2 * X["two\nlines"] + 1), tmp_path)
    assert lines == [
        "LinearRegression",
        "prediction: score",
        "",
        "score = 1",
        "  + 3 * a",
        "  - 2 * 'two\\nlines'",
    ]


@pytest.mark.parametrize("model", [*CLASSIFIERS, *REGRESSORS], ids=name_of)
def test_every_student_as_text(model: Any, numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = labels(numbers, 3) if hasattr(model, "decision_function") or "Class" in name_of(model) else numbers["a"].abs()
    lines = text_of(model.fit(numbers, y), tmp_path)
    assert lines[0] == name_of(model)
    assert len(lines) > 3


def test_skops_and_searches(numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = labels(numbers, 2)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}).fit(numbers, y)
    export_model(search, tmp_path / "m.skops")
    export_model(search, str(tmp_path / "m.py"))
    read = read_skops(tmp_path / "m.skops")
    assert type(read) is DecisionTreeClassifier
    assert run(".py", tmp_path / "m.py", numbers)[0] == read.predict(numbers).tolist()


def tree_of(X: Any, **options: Any) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(**options).fit(X, np.arange(len(X)) % 2)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (GradientBoostingClassifier(n_estimators=2), "got GradientBoostingClassifier: export to .skops"),
        (make_pipeline(PCA(2), DecisionTreeClassifier()), "got PCA"),
        (make_pipeline(SimpleImputer(add_indicator=True), DecisionTreeClassifier()), "got SimpleImputer"),
        (SGDClassifier(loss="modified_huber", random_state=0), "those of this SGDClassifier are not"),
        (Pipeline([("none", "passthrough"), ("model", "passthrough")]), "got nothing"),
    ],
    ids=["model", "step", "setting", "probabilities", "no model"],
)
def test_models_that_no_formula_holds(model: Any, said: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    model.fit(numbers, labels(numbers, 2))
    for suffix in (".py", ".sql", ".txt"):
        with pytest.raises(UnsuitableModel, match=said):
            export_model(model, tmp_path / f"m{suffix}")
    assert not list(tmp_path.iterdir())


def test_several_targets_and_deep_trees(numbers: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableModel, match="with one target"):
        export_model(DecisionTreeClassifier().fit(numbers, np.zeros((150, 2))), tmp_path / "m.py")
    with pytest.raises(UnsuitableModel, match="with one target"):
        export_model(Ridge().fit(numbers, numbers[["a", "b"]]), tmp_path / "m.py")
    deep = tree_of(2.0 ** np.arange(120)[:, None])
    with pytest.raises(UnsuitableModel, match="at most 90 levels"):
        export_model(deep, tmp_path / "m.py")


@pytest.mark.parametrize("suffix", FORMATS)
def test_trees_of_nearly_the_most_levels(suffix: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"x0": 2.0 ** np.arange(85)})
    agrees(tree_of(X.to_numpy()), X, suffix, tmp_path)


def test_files_and_names_that_cannot_be(numbers: pd.DataFrame, tmp_path: Path) -> None:
    model = tree_of(numbers.to_numpy())
    for file in ("m.pkl", "m", "m.SQL"):
        with pytest.raises(InvalidSetting, match=r"must end in \.skops"):
            export_model(model, tmp_path / file)
    with pytest.raises(InvalidSetting, match="folder that exists"):
        export_model(model, tmp_path / "absent" / "m.py")
    for columns in (["a"], list("abcdd"), ["a", "b", "c", "d", ""]):
        with pytest.raises(InvalidSetting, match="5 different names"):
            export_model(model, tmp_path / "m.py", columns=columns)
    with pytest.raises(InvalidSetting, match="more than capitals"):
        export_model(model, tmp_path / "m.sql", columns=list("aAbcd"))
    for name in ("a\0", "\ud800"):
        with pytest.raises(InvalidSetting, match="without control characters"):
            export_model(model, tmp_path / "m.sql", table=name)
    for suffix in (".py", ".sql", ".onnx", ".txt", ".skops"):
        with pytest.raises(NotFittedError):
            export_model(DecisionTreeClassifier(), tmp_path / f"m{suffix}")
        for other in (None, "student", DecisionTreeClassifier):
            with pytest.raises(UnsuitableModel, match="must be a fitted estimator or search"):
                export_model(other, tmp_path / f"m{suffix}")
    assert not list(tmp_path.iterdir())


class Liar(DecisionTreeClassifier):
    """Predicts what its tree does not say."""

    def predict(self, X: Any, check_input: bool = True) -> np.ndarray:
        return super().predict(X)[::-1]


@pytest.mark.parametrize("suffix", [".py", ".sql", ".onnx"])
def test_what_differs_on_a_row_is_not_written(suffix: str, numbers: pd.DataFrame, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    liar = Liar(random_state=0).fit(numbers, labels(numbers, 2))
    file = tmp_path / f"m{suffix}"
    file.write_text("what stood there")
    with pytest.raises(UnsuitableModel, match=r"on 150 rows \d+ class decisions differ"):
        export_model(liar, file, X=numbers)
    assert file.read_text() == "what stood there"
    assert [inside.name for inside in tmp_path.iterdir()] == [file.name]
    export_model(liar, file)
    assert file.read_bytes() != b"what stood there"


def test_nothing_is_left_where_writing_fails(
    numbers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("multihop_search.files.os.replace", full)
    for suffix in (".py", ".skops"):
        with pytest.raises(FileFailed, match=r"can be written, .* is not \(no space left\)"):
            export_model(tree_of(numbers), tmp_path / f"m{suffix}")
    assert not list(tmp_path.iterdir())


class Own(DecisionTreeClassifier):
    """A class that scikit-learn does not have."""


@pytest.mark.parametrize(
    ("model", "foreign"),
    [
        (FunctionTransformer(os.system), "posix.system"),
        (FunctionTransformer(operator.methodcaller("unlink")), "operator.methodcaller"),
        (FunctionTransformer(eval), "builtins.eval"),
        (FunctionTransformer(np.load), "numpy.load"),
        (Own(), f"{__name__}.Own"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_types_that_are_not_scikit_learns_are_not_read(model: Any, foreign: str, tmp_path: Path) -> None:
    file = tmp_path / "m.skops"
    write_skops(make_pipeline(FunctionTransformer(), model), file)
    with pytest.raises(InvalidData, match=f"also holds {foreign}: .* pass trusted="):
        read_skops(file)
    with pytest.raises(InvalidData, match="also holds"):
        read_skops(file, trusted=["something.else"])
    assert type(read_skops(file, trusted=[foreign])[-1]) is type(model)


@pytest.mark.parametrize(
    "model",
    [
        *CLASSIFIERS,
        *REGRESSORS,
        GradientBoostingClassifier(n_estimators=2),
    ],
    ids=name_of,
)
def test_models_of_scikit_learn_are_read(model: Any, numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = labels(numbers, 2) if is_classifier(model) else np.arange(float(len(numbers)))
    write_skops(model.fit(numbers, y), tmp_path / "m.skops")
    np.testing.assert_array_equal(read_skops(tmp_path / "m.skops").predict(numbers), model.predict(numbers))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip"])
def test_what_is_no_skops_file_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.skops").write_bytes(content)
    with pytest.raises(InvalidData, match="must be a skops file, it is not"):
        read_skops(tmp_path / "m.skops")


def test_a_skops_file_of_which_one_bit_changed_is_the_same_model_or_refused(tmp_path: Path) -> None:
    X, y = make_classification(random_state=0)
    tree, file, rng = DecisionTreeClassifier(max_depth=2).fit(X, y), tmp_path / "m.skops", np.random.default_rng(0)
    write_skops(tree, file)
    whole = file.read_bytes()
    tail = list(range(len(whole) - 22, len(whole)))  # the end of the archive, where its parts are found
    refusals = 0
    for place in [*tail, *rng.choice(len(whole), 150)]:
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        try:
            model = read_skops(file)
        except InvalidData:
            refusals += 1
        else:
            np.testing.assert_array_equal(model.predict_proba(X), tree.predict_proba(X))
    assert refusals > 100


def test_skops_says_what_it_cannot_hold(numbers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise TypeError("cannot pickle 'generator' object")

    monkeypatch.setattr("skops.io.dump", refuse)
    with pytest.raises(UnsuitableModel, match=r"a \.skops file must hold the whole model, it cannot: cannot pickle"):
        export_model(tree_of(numbers), tmp_path / "m.skops")
    assert not list(tmp_path.iterdir())


def test_files_have_usual_permissions(numbers: pd.DataFrame, tmp_path: Path) -> None:
    export_model(tree_of(numbers), tmp_path / "m.py")
    (tmp_path / "other").write_text("")
    assert (tmp_path / "m.py").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_onnx_names_what_is_to_be_installed(
    numbers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InvalidSetting, match=r"pip install multihop_search\[onnx\]"):
        export_model(tree_of(numbers), tmp_path / "m.onnx")


def test_onnx_cannot_tell_empty_from_missing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    X = pd.DataFrame({"wood": np.array(["", None, "ash"] * 10, dtype=object)})
    student = make_pipeline(preparation(X, scaled=False), DecisionTreeClassifier()).fit(X, [0, 1, 2] * 10)
    with pytest.raises(UnsuitableModel, match="an empty string is a missing category"):
        export_model(student, tmp_path / "m.onnx")
    agrees(student, X, ".sql", tmp_path)


def test_sqlite_has_bounds(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2100))).add_prefix("c")
    with pytest.raises(UnsuitableModel, match="too many columns"):
        export_model(Ridge().fit(X, X["c0"]), tmp_path / "m.sql", X=X)


def test_a_search_writes_its_student(numbers: pd.DataFrame, tmp_path: Path) -> None:
    y = (numbers.iloc[:, 0] > 0).map({True: "up", False: "down"})
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), CLASSIFIERS[0], max_hops=0, n_trials=2, cv=2, random_state=0
    ).fit(numbers, y)
    search.export(tmp_path / "student.py")
    made: dict[str, Any] = {}
    exec((tmp_path / "student.py").read_text(), made)
    said = [made["predict"](row) for row in numbers.to_dict("records")]
    assert said == list(search.predict(numbers))
    again = pickle.loads(pickle.dumps(search))  # without the training rows
    again.export(tmp_path / "again.py")
    assert (tmp_path / "again.py").read_text() == (tmp_path / "student.py").read_text()
    with pytest.raises(InvalidSetting):
        search.export(tmp_path / "student.exe")
    with pytest.raises(NotFittedError):
        MultihopSearchClassifier(DecisionTreeClassifier()).export(tmp_path / "none.py")
