"""The rows that the user hands in, as scikit-learn validates them, or one sentence."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from multihop_search.errors import InvalidData, InvalidKind
from multihop_search.problem.tables import as_pandas

CURES = {
    "contains NaN": "use a Pipeline with a SimpleImputer, or models that take missing values",
    "contains infinity": "mend these rows",
    "Sparse": "use '.toarray()' to convert it",
    "column name types": "convert them all to strings",
}
"""What to do, by what scikit-learn says."""


def checked_rows(search: Any, name: str, X: Any, *, reset: bool = True) -> Any:
    """Return rows as scikit-learn validates them: a DataFrame of any library as one of pandas, else a 2-D array.

    Parameters
    ----------
    search : estimator
        What is told of the columns (`reset`), or knows them.
    name : str
        What the rows are called in messages.
    X : array or DataFrame of shape (n_rows, n_features)
    reset : bool, default=True
        Whether these rows say what the columns are.

    Raises
    ------
    InvalidData, InvalidKind
        If they are no rows that models can take.
    """
    X = as_pandas(name, X)
    table = hasattr(X, "iloc")
    if table:
        if np.ndim(X) != 2 or 0 in np.shape(X):
            raise InvalidData(
                f"{name} must be a table with rows and columns, got shape {np.shape(X)}: pass a DataFrame of 2 "
                "dimensions."
            )
        if not X.columns.is_unique:
            twice = X.columns[X.columns.duplicated()][0]
            raise InvalidData(f"{name} must have one column for each name, {twice!r} stands for several: rename them.")
    finite = "allow-nan" if get_tags(search).input_tags.allow_nan else True
    try:
        if table:
            validate_data(search, X, reset=reset, skip_check_array=True)
            return X
        least = 2 if reset else 1
        return validate_data(
            search, X, reset=reset, dtype="numeric", ensure_all_finite=finite, ensure_min_samples=least
        )
    except (ValueError, TypeError) as error:
        reason = re.split(r"(?<=\.) (?=[A-Z])", str(error).strip().partition("\n")[0])[0].rstrip(".: ")[:250]
        cure = next((cure for sign, cure in CURES.items() if sign in reason), "pass a 2-D array or a DataFrame")
        kind = InvalidKind if isinstance(error, TypeError) else InvalidData
        raise kind(f"{name} must be rows of numbers or a DataFrame: {reason}: {cure}.") from error


def checked_unlabeled(search: Any, unlabeled: Any, X: Any) -> Any:
    """Return the user's rows without a label, with the columns of `X` in their order.

    Raises
    ------
    InvalidData, InvalidKind
        If they are no rows like those of `X`.
    """
    return checked_like(search, "X_unlabeled", unlabeled, X)


def checked_like(search: Any, name: str, given: Any, X: Any) -> Any:
    """Return further rows of the user's, called `name` in messages, with the columns of `X` in their order.

    Raises
    ------
    InvalidData, InvalidKind
        If they are no rows like those of `X`.
    """
    given = as_pandas(name, given)
    table = hasattr(X, "iloc")
    if table != hasattr(given, "iloc") or (table and (np.ndim(given) != 2 or set(given.columns) != set(X.columns))):
        kind = InvalidKind if hasattr(given, "tocsr") else InvalidData
        raise kind(f"{name} must be a table like X, with the same columns: pass both as DataFrames or both as arrays.")
    if np.ndim(given) == 2 and np.shape(given)[0] == 0:
        raise InvalidData(f"{name} must hold rows, it has none: leave it out.")
    if not table:
        return checked_rows(search, name, given, reset=False)
    rows = checked_rows(search, name, given[list(X.columns)], reset=False).reset_index(drop=True)
    takes_missing = get_tags(search).input_tags.allow_nan
    for column in X.columns:
        old, new = X[column], rows[column]
        if old.dtype.kind != new.dtype.kind and not {old.dtype.kind, new.dtype.kind} <= set("iuf"):
            raise InvalidData(f"{name} must have columns of the same kinds as X, {column!r} has another: convert it.")
        if new.dtype.kind == "f" and np.isinf(new.to_numpy(dtype=float, na_value=np.nan)).any():
            raise InvalidData(f"{name} must be finite, column {column!r} contains infinity: mend these rows.")
        if not takes_missing and new.isna().any() and not old.isna().any():
            raise InvalidData(
                f"{name} must have no NaN where X has none and the student takes none, column {column!r} has: drop "
                "these rows."
            )
    try:
        return rows.astype(X.dtypes)
    except (ValueError, TypeError) as error:
        raise InvalidData(f"{name} must have columns that can be cast to those of X: {error}: convert them.") from error
