"""Preparation: how the columns of a DataFrame become numbers, for models that take nothing else.

`preparation` looks at a frame once and returns an unfitted transformer; whoever fits a path puts it before the model,
so that medians, scales and categories come from the training rows of each fold. What it returns consists of
scikit-learn's own objects only.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import starmap
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import check_array

from multihop_search.errors import InvalidData
from multihop_search.transfer.synthetic.rows import TIMES

MOST_CATEGORIES = 20
"""Columns that a categorical column becomes; rarer values share one."""
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
LONGEST_SPELLED = 200
"""Letters of the longest value of a column that is spelled out: a copy has 4 bytes for each, in every row."""
GAP = "\x00 gap"
RESPELLED = ((".0", ""), ("None", "nan"), ("<NA>", "nan"), ("NaT", "nan"))
"""How a later file may spell a value: digits beside a gap are read as 7.0, and None, NA and NaT are gaps too."""

# Before NumPy 2 the function itself says that it stands in a module that cannot be imported, so it cannot be pickled.
_REPLACE: Any = np.strings.replace if hasattr(np, "strings") else np.char.chararray.replace


def needs_preparation(X: Any) -> bool:
    """Return whether X is a DataFrame with a column that is no plain or nullable number or boolean.

    Examples
    --------
    >>> needs_preparation(pd.DataFrame({"a": [1, 2], "b": [True, False]}))
    False
    >>> needs_preparation(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    True
    """
    return isinstance(X, pd.DataFrame) and any(not pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)


def empty_columns(X: Any, parts: Iterable[np.ndarray]) -> list[Any]:
    """Return the columns, by name or in an array by position, that have no value among the rows of some part.

    Examples
    --------
    >>> empty_columns(np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 4.0]]), [np.arange(2), np.arange(3)])
    [1]
    """
    if hasattr(X, "tocsr") or (not hasattr(X, "iloc") and np.asarray(X).dtype.kind not in "fO"):
        return []
    missing = np.asarray(X.isna() if hasattr(X, "iloc") else pd.isna(np.asarray(X)))
    names = list(X.columns) if hasattr(X, "iloc") else list(range(missing.shape[1]))
    places = np.flatnonzero(missing.any(axis=0))
    missing = missing[:, places]
    empty = np.zeros(len(places), dtype=bool)
    for rows in parts:
        empty |= missing[rows].all(axis=0)
    return [names[place] for place in places[empty]]


def dropped_columns(X: pd.DataFrame) -> list[str]:
    """Return the names of the columns that `preparation` leaves out.

    These are dates and durations, and strings that are nearly all different (more than 20 values, and more than half
    of those present): names, dates as text, free text. A column of dtype category is kept.

    Examples
    --------
    >>> dropped_columns(pd.DataFrame({"id": [f"row {i}" for i in range(30)], "wood": ["ash", "oak", "elm"] * 10}))
    ['id']
    """
    return [name for name in X.columns if _kind(X[name]) == "dropped"]


def preparation(X: pd.DataFrame, *, scaled: bool) -> ColumnTransformer:
    """Return the transformer, not fitted, that makes every column a number.

    Numbers get the median where they are missing (0 if all are), booleans become 0 or 1 (the more frequent one where
    missing), categories and strings one column a value: at most 20, of which the last is shared by rare values and,
    then, by values unseen in training; without rare values unseen ones are 0 everywhere. A missing category is a
    category. The columns in `dropped_columns` are left out.

    A later file may be read with other dtypes: a column of strings that holds only digits there, or only gaps. Its
    values are compared as strings, so 7 and 7.0 are the category "7", and None, NaN and NA are one missing category.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_features)
        Features. Only the kind of each column is read from it; everything else is learned in `fit`.
    scaled : bool
        Whether numbers are standardised (for linear students; trees read better without).

    Returns
    -------
    ColumnTransformer
        It returns DataFrames of floats; names get the prefix of their step only where two could be equal.

    Raises
    ------
    InvalidData
        If every column would be left out, two have one name, or one holds containers (lists, say) or has dtype object
        and holds numbers and `pd.NA`.

    Examples
    --------
    >>> X = pd.DataFrame({"rooms": [2, 3, 9], "wood": ["ash", None, "oak"], "sold": [True, False, True]})
    >>> preparation(X, scaled=False).fit_transform(X).iloc[:, :4]
       rooms  sold  wood_ash  wood_oak
    0    2.0   1.0       1.0       0.0
    1    3.0   0.0       0.0       0.0
    2    9.0   1.0       0.0       1.0
    """
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise InvalidData(f"X must have one column for each name, {twice!r} stands for several: rename them.")
    kinds = {name: _kind(X[name]) for name in X.columns}
    names = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("number", "boolean", "dropped")}
    if len(names["dropped"]) == len(kinds):
        raise InvalidData(
            f"X must have a column of numbers or categories, its {len(kinds)} columns are dates or texts that are "
            "nearly all different: add one, or turn them into numbers first."
        )
    for name, kind in kinds.items():
        if kind != "dropped":
            _check_values(X[name])
    number_steps: list[Any] = [SimpleImputer(strategy="median", keep_empty_features=True)]
    if scaled:
        number_steps.append(StandardScaler())
    # Of as many True as False the median is 0.5, and the threshold makes it 0.
    boolean_steps = [SimpleImputer(strategy="median", keep_empty_features=True), Binarizer(threshold=0.5)]
    steps: list[tuple[str, Any, list[Any]]] = [
        ("numbers", make_pipeline(*number_steps), names["number"]),
        ("booleans", make_pipeline(*boolean_steps), names["boolean"]),
    ]
    categories = {name: _reading(X[name]) for name in kinds if kinds[name] == "category"}
    for group, (reading, members) in enumerate(_without_clashes(categories)):
        steps.append((f"categories{group or ''}", _encoder(reading, len(members)), members))
    by_name = all(isinstance(name, str) for name in kinds)  # scikit-learn reads a number as a position
    place = {name: name if by_name else place for place, name in enumerate(kinds)}
    prepared = ColumnTransformer(
        [(step, model, [place[name] for name in members]) for step, model, members in steps if members],
        verbose_feature_names_out=any(_clash(name, other) for name in kinds for other in categories),
    )
    prepared.set_output(transform="pandas")
    if not by_name:  # steps inside would give names of their own to what has none
        for _, model, _ in prepared.transformers:
            model.set_output(transform="default")
    return prepared


def _kind(column: pd.Series) -> str:
    """Return what the column is to us: "number", "boolean", "category" or "dropped"."""
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred in NUMBERS:
        return "number"
    if inferred in TIMES or isinstance(dtype, pd.PeriodDtype):
        return "dropped"
    present = column.dropna().astype(str)
    distinct = present.nunique()
    return "dropped" if distinct > MOST_CATEGORIES and distinct > len(present) / 2 else "category"


def _check_values(column: pd.Series) -> None:
    """Refuse what nothing in scikit-learn can read: containers, and pd.NA among numbers of dtype object."""
    if column.dtype != object:
        return
    if any(pd.api.types.is_list_like(value) for value in column):
        raise InvalidData(
            f"column {column.name!r} must hold one number or string a row, it holds containers: unpack them into "
            "columns or leave it out."
        )
    if _kind(column) == "number" and any(value is pd.NA for value in column):
        raise InvalidData(
            f"column {column.name!r} must have a number dtype, it holds numbers and pd.NA as Python objects: convert "
            f"it, by X[{column.name!r}].astype('Float64')."
        )


def is_reader(step: Any) -> bool:
    """Return whether a step is the one before an encoder that reads values of any dtype as training did."""
    function = getattr(step, "func", None)
    return isinstance(step, FunctionTransformer) and isinstance(getattr(function, "__self__", None), Pipeline)


def _reading(column: pd.Series) -> tuple[str, ...]:
    """Return how the values of a category column are read, in a later file too, as names of steps.

    Numbers, booleans and long strings stay what they are. Other strings, mixed values, intervals and dates are spelled
    out; where a string is called "nan", gaps are this string.
    """
    values = np.asarray(column)
    if values.dtype.kind in "biuf":
        return ()
    present = values[~pd.isna(values)]
    has_na = any(value is pd.NA for value in values[pd.isna(values)])  # no imputer takes it
    inferred = pd.api.types.infer_dtype(present, skipna=False)
    texts = {str(value) for value in present}
    is_long = inferred == "string" and max(map(len, texts)) > LONGEST_SPELLED
    if (is_long or inferred == "boolean") and not has_na:
        return ("as they are",)
    respelled = [old for old, _ in RESPELLED if not any(old in text for text in texts)]
    return ("spelled", *respelled, *(["nan"] if "nan" not in texts else []))


def _encoder(reading: tuple[str, ...], n_columns: int) -> Any:
    """Return the encoder of a group of columns, behind the step that reads their values."""
    # No `drop`: with it scikit-learn warns of each value that is unseen in training.
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False)
    if not reading:
        return encoder
    new = dict(RESPELLED)
    makers: dict[str, Any] = {
        "as they are": lambda: make_pipeline(
            _checked("object"), *starmap(_filled, ((np.nan, GAP), (None, GAP), (GAP, np.nan)))
        ),
        "spelled": lambda: make_pipeline(_checked("object"), _checked("str")),  # else 7 beside 7.5 becomes 7.0
        "nan": lambda: make_pipeline(_checked("object"), _filled("nan", np.nan)),
    }
    steps = [makers[name]() if name in makers else _step(_REPLACE, old=name, new=new[name]) for name in reading]
    # Of constant steps, so it is fitted here. As one function it needs no names of columns: SimpleImputer takes a
    # column that it fills with NaN for an empty one, and has no name for it.
    reader = make_pipeline(*steps).fit(np.full((1, n_columns), "", dtype=object))
    return make_pipeline(_step(reader.transform), encoder)


def _step(function: Any, **settings: Any) -> FunctionTransformer:
    return FunctionTransformer(function, kw_args=settings or None, feature_names_out="one-to-one")


def _checked(dtype: str) -> FunctionTransformer:
    return _step(check_array, dtype=dtype, ensure_all_finite=False)


def _filled(gap: Any, value: Any) -> SimpleImputer:
    return SimpleImputer(missing_values=gap, strategy="constant", fill_value=value, keep_empty_features=True)


def _clash(name: Any, other: Any) -> bool:
    """Return whether a column made from category `other` may be called as `name` or one made from it: a_b and a."""
    return str(name).startswith(f"{other}_")


def _without_clashes(categories: dict[Any, tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """Return groups of columns that are read alike, in which no two made names can be equal; mostly one."""
    groups: list[tuple[tuple[str, ...], list[Any]]] = []
    for name, reading in categories.items():
        for kind, members in groups:
            if kind == reading and not any(_clash(name, other) or _clash(other, name) for other in members):
                members.append(name)
                break
        else:
            groups.append((reading, [name]))
    return groups
