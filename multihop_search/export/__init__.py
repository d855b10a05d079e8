"""Export: the student leaves as a file that needs none of this package.

`export_model` reads what the suffix asks for; each format is a module here, imported when it is used. SQL, Python, ONNX
and rules are written from a `Formula` (`reading`, `prepared`), and compared with the model on given rows (`check`).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import Any

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.export.skops import read_skops, write_skops
from multihop_search.files import in_a_folder, path_of, whole_file

__all__ = ["export_model", "read_skops"]

SUFFIXES = (".skops", ".onnx", ".sql", ".py", ".txt")


def export_model(
    model: Any,
    file: str | os.PathLike[str],
    *,
    X: Any = None,
    columns: Sequence[str] | None = None,
    table: str = "data",
) -> None:
    """Write a fitted model to a file, in the format that its suffix names, whole or not at all.

    ========== ============================================================================ =========================
    suffix     what it holds                                                                models
    ========== ============================================================================ =========================
    ``.skops`` the model itself, for Python with scikit-learn (`skops.read_skops`)          all
    ``.onnx``  a graph in double precision (`onnx.as_onnx`); needs the extra `onnx`         trees, forests, histogram
    ``.sql``   one SELECT for SQLite and DuckDB (`sql.as_sql`)                              boosters, linear models,
    ``.py``    a module without imports: `predict(row)`, `predict_proba(row)`               alone or in a Pipeline
    ``.txt``   rules or terms for a reader (`text.as_text`)                                 behind preparation
    ========== ============================================================================ =========================

    Parameters
    ----------
    model : estimator
        A fitted model of scikit-learn, or a search: then its `best_estimator_`.
    file : path
        Where to write; what stands there is replaced.
    X : array or DataFrame of shape (n_rows, n_columns), default=None
        Rows on which .onnx, .sql and .py are run before they are written: every class decision must be the model's, and
        probabilities equal within 1e-6, on at most 10,000 of them. In .txt, missing values are mentioned only of
        columns that have some here.
    columns : sequence of str, default=None
        Names of the columns in the file: by default those that the model was fitted with, or x0, x1, ...
    table : str, default="data"
        Table that .sql reads.

    Raises
    ------
    InvalidSetting
        If the suffix is none of these, or a name cannot stand in the format.
    FileFailed
        If the folder is missing, or the file cannot be written; it is an `InvalidSetting` and an `OSError`.
    UnsuitableModel
        If the format cannot hold the model, or says something else than the model on a row of X.
    NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = [[0.0], [1.0]], ["no", "yes"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "student.txt")
    ...     export_model(DecisionTreeClassifier().fit(X, y), file, X=X, columns=["age"])
    ...     print(file.read_text(encoding="utf-8"))
    DecisionTreeClassifier
    <BLANKLINE>
    1. age <= 0.5: no 100 % (50 % of the rows)
    2. age > 0.5: yes 100 % (50 % of the rows)
    <BLANKLINE>
    """
    file = path_of(file, "file")
    if file.suffix not in SUFFIXES:
        raise InvalidSetting(
            f"file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {file.name!r}: choose one format."
        )
    in_a_folder(file, "file")
    from sklearn.utils.validation import check_is_fitted

    from multihop_search.problem.tables import as_pandas

    model = getattr(model, "best_estimator_", model)
    try:
        check_is_fitted(model)
    except TypeError as error:
        raise UnsuitableModel(f"model must be a fitted estimator or search, got {model!r}: pass one.") from error
    content = None if file.suffix == ".skops" else _content(model, file.suffix, as_pandas("X", X), columns, table)
    with whole_file(file) as partial:
        if content is None:
            try:
                write_skops(model, partial)
            except (TypeError, pickle.PicklingError) as error:
                raise UnsuitableModel(f"a .skops file must hold the whole model, it cannot: {error}.") from error
        else:
            partial.write_bytes(content)


def _content(model: Any, suffix: str, X: Any, columns: Sequence[str] | None, table: str) -> bytes:
    from multihop_search.export.reading import read_formula

    formula = read_formula(model, columns)
    if suffix == ".txt":
        from multihop_search.export.check import as_frame
        from multihop_search.export.text import as_text

        gaps = None if X is None else as_frame(X, formula.columns).isna().any()
        text = as_text(formula, None if gaps is None else gaps.index[gaps].tolist())
        return f"{text}\n".encode()
    if suffix == ".onnx":
        document: Any = _onnx(formula)
    elif suffix == ".sql":
        from multihop_search.export.sql import as_sql

        document = as_sql(formula, table)
    else:
        from multihop_search.export.python import as_python

        document = as_python(formula)
    if X is not None:
        from multihop_search.export.check import check

        check(formula, model, X, document, suffix, table)
    return bytes(document.SerializeToString()) if suffix == ".onnx" else f"{document}\n".encode()


def _onnx(formula: Any) -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise InvalidSetting(
            "a .onnx file needs onnx and onnxruntime, which are not here: pip install multihop_search[onnx]."
        ) from error
    from multihop_search.export.onnx import as_onnx

    return as_onnx(formula)
