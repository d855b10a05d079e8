"""Tables of other libraries than pandas, as pandas holds them: one kind of table everywhere behind the door.

polars, Arrow, DuckDB, Modin, Dask, cuDF, narwhals and whatever else speaks the Arrow stream or the data frame protocol.
Columns keep names, order and kind: categories, dates, numbers. Missing booleans stay booleans, decimals become floats
and sparse columns dense ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.errors import InvalidKind

PROTOCOLS = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
"""Any one of these makes an object a table or a column."""
CONVERSIONS = ("to_pandas", "_to_pandas", "compute")
"""Methods of objects with `iloc` (Modin, Dask, cuDF) that return a pandas object."""


def as_pandas(name: str, given: Any) -> Any:
    """Return a table or column of another library as a pandas object; arrays, lists and pandas objects as they are.

    Parameters
    ----------
    name : str
        What the object is called in messages.
    given : object

    Raises
    ------
    InvalidKind
        If it holds no rows yet, or cannot be read.

    Examples
    --------
    >>> import pyarrow
    >>> as_pandas("X", pyarrow.table({"b": [1, 2], "a": [True, None]})).dtypes.to_dict()
    {'b': dtype('int64'), 'a': BooleanDtype}
    """
    if isinstance(given, pd.DataFrame):
        return _dense(given)
    if given is None or isinstance(given, (pd.Series, pd.Index, np.ndarray, list, tuple)):
        return given
    if hasattr(given, "collect") and hasattr(given, "collect_schema"):
        raise InvalidKind(f"{name} must hold rows, a {type(given).__name__} holds none yet: pass {name}.collect().")
    if not hasattr(given, "iloc") and not any(hasattr(given, protocol) for protocol in PROTOCOLS):
        return given
    try:
        return _converted(given)
    except Exception as error:  # the code of another library
        raise InvalidKind(
            f"{name} must be a table that can be read, this {_kind(given)} cannot ({error}): pass a pandas DataFrame."
        ) from error


def _dense(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose sparse columns are dense: every model would make them so, with a warning each time."""
    sparse = {name: dtype.subtype for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.SparseDtype)}
    return frame.astype(sparse) if sparse and frame.columns.is_unique else frame


def _kind(given: Any) -> str:
    return f"{type(given).__module__.partition('.')[0]} {type(given).__name__}"


def _converted(given: Any) -> Any:
    if hasattr(given, "iloc"):
        return getattr(given, next(method for method in CONVERSIONS if hasattr(given, method)))()
    if importlib.util.find_spec("pyarrow") is None:
        return _by_columns(given)
    pyarrow: Any = importlib.import_module("pyarrow")
    if hasattr(given, "to_arrow"):  # polars and narwhals: in types that older versions of pyarrow know
        given = given.to_arrow()
    if isinstance(given, (pyarrow.Array, pyarrow.ChunkedArray)):
        return _arrow_to_pandas(pyarrow.table({"": given})).iloc[:, 0]
    if not isinstance(given, (pyarrow.Table, pyarrow.RecordBatch)) and not hasattr(given, "columns"):
        return _arrow_to_pandas(pyarrow.table({"": pyarrow.chunked_array(given)})).iloc[:, 0]
    if any(hasattr(given, protocol) for protocol in PROTOCOLS[:2]):
        return _arrow_to_pandas(pyarrow.table(given))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # pandas would have it replaced; what speaks nothing else is served all the same
        return pd.api.interchange.from_dataframe(given)


def _arrow_to_pandas(table: Any) -> pd.DataFrame:
    pyarrow: Any = importlib.import_module("pyarrow")
    types = pyarrow.types
    for place, field in enumerate(table.schema):
        if types.is_decimal(field.type) or types.is_null(field.type):
            table = table.set_column(place, field.with_type(pyarrow.float64()), table[place].cast(pyarrow.float64()))
    frame = table.to_pandas(date_as_object=False)
    with_gaps = {
        field.name: "boolean"
        for place, field in enumerate(table.schema)
        if types.is_boolean(field.type) and table[place].null_count
    }
    return frame.astype(with_gaps) if with_gaps and frame.columns.is_unique else frame


def _by_columns(given: Any) -> Any:
    """Return a table of polars without pyarrow, which its own conversion needs."""
    if not hasattr(given, "columns"):
        return pd.Series(given.to_numpy(), name=given.name)
    return pd.DataFrame({name: _column(given[name]) for name in given.columns})


def _column(given: Any) -> Any:
    kind = str(given.dtype)
    if kind.startswith(("Categorical", "Enum")):
        return pd.Categorical(given.to_list())
    if kind.startswith(("Decimal", "Null")):
        return np.array(given.to_list(), dtype=np.float64)
    if kind == "Boolean" and given.null_count():
        return pd.array(given.to_list(), dtype="boolean")
    return given.to_numpy()
