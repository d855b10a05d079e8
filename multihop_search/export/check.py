"""The check before a model is written: what was made of it says on given rows what the model says."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import UnsuitableModel
from multihop_search.export.sql import identifier
from multihop_search.models.formula import Formula, plain

MOST_ROWS = 10_000
"""Rows that are compared; of more, every second, third, ..."""
TOLERANCE = 1e-6
"""Greatest difference of a probability, or of a value, relative to it where it is above 1."""


def check(formula: Formula, model: Any, X: Any, content: Any, kind: str, table: str) -> None:
    """Compare the predictions of `content`, made of a model for files of this kind, with those of the model.

    Raises
    ------
    UnsuitableModel
        If a class decision differs, or a probability or value by more than `TOLERANCE`.
    """
    X = X if hasattr(X, "shape") else np.asarray(X)
    X = (X.iloc if hasattr(X, "iloc") else X)[:: -(-X.shape[0] // MOST_ROWS) or 1]
    predictions = [plain(label, "a prediction") for label in model.predict(X)]
    frame = as_frame(X, formula.columns).astype(object)
    frame = frame.where(frame.notna(), None)
    if kind == ".py":
        got, shares = _run_python(content, formula, frame)
    elif kind == ".sql":
        got, shares = _run_sql(content, formula, frame, table)
    else:
        got, shares = _run_onnx(content, formula, frame)
    if formula.classes is None:
        expected = np.asarray(predictions)
        apart = np.abs(np.asarray(got, dtype=float) - expected) / np.maximum(1, np.abs(expected))
        n_other, largest = 0, float(apart.max())
    else:
        n_other = sum(one != other for one, other in zip(got, predictions, strict=True))
        largest = 0.0 if shares is None else float(np.abs(shares - model.predict_proba(X)).max())
    if n_other or not largest <= TOLERANCE:
        raise UnsuitableModel(
            f"a {kind} file must predict as the model does, on {len(got)} rows {n_other} class decisions differ and "
            f"probabilities or values by up to {largest:.1e}: export to .skops."
        )


def as_frame(X: Any, columns: Sequence[str]) -> pd.DataFrame:
    """Return rows of any kind as a DataFrame with these names."""
    return pd.DataFrame(X.toarray() if hasattr(X, "toarray") else X).set_axis(list(columns), axis=1)


def _run_python(source: str, formula: Formula, frame: pd.DataFrame) -> tuple[list[Any], np.ndarray | None]:
    namespace: dict[str, Any] = {}
    exec(compile(source, "<export>", "exec"), namespace)
    rows = frame.to_dict("records")
    shares = [list(namespace["predict_proba"](row).values()) for row in rows] if "predict_proba" in namespace else None
    return [namespace["predict"](row) for row in rows], None if shares is None else np.array(shares)


def _run_sql(query: str, formula: Formula, frame: pd.DataFrame, table: str) -> tuple[list[Any], np.ndarray | None]:
    used = list(formula.used or formula.columns[:1])
    connection = sqlite3.connect(":memory:")
    try:
        names = ", ".join(map(identifier, used))  # without types, so that each value is stored as it is
        connection.execute(f"CREATE TABLE {identifier(table)} ({names})")
        places = ", ".join("?" * len(used))
        connection.executemany(f"INSERT INTO {identifier(table)} VALUES ({places})", frame[used].to_numpy().tolist())
        rows = connection.execute(query).fetchall()
    except (sqlite3.Error, OverflowError) as error:  # of its bounds, such as 2000 columns or 64 bits
        raise UnsuitableModel(
            f"a .sql file must run in SQLite, which says {str(error)!r}: export to .onnx, .py or .skops."
        ) from error
    finally:
        connection.close()
    if formula.classes is None or formula.link == "none":
        return [row[-1] for row in rows], None
    shares = [row[-1 - len(formula.classes) : -1] for row in rows]
    return [row[-1] for row in rows], np.array(shares, dtype=float)


def _run_onnx(model: Any, formula: Formula, frame: pd.DataFrame) -> tuple[list[Any], np.ndarray | None]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {}
    for given in session.get_inputs():
        columns = frame if formula.is_matrix else frame[[given.name]]
        if given.type == "tensor(string)":
            texts = [["" if value is None else str(value)] for value in columns.iloc[:, 0]]
            inputs[given.name] = np.array(texts, dtype=object)
        else:
            inputs[given.name] = columns.astype(np.float64).to_numpy()
    outputs = session.run(None, inputs)
    return outputs[0].tolist(), outputs[1] if len(outputs) > 1 else None
