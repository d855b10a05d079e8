"""Options of the command that name models and bounds: `tree:3,tree:5,logistic` and `nodes=31,features=8`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search.errors import InvalidSetting
from multihop_search.paths.preparation import needs_preparation, preparation


def parse_student(spec: str, *, regression: bool = False) -> Any:
    """Return the student that one item of `--student` names.

    Raises
    ------
    InvalidSetting
        If it names none.

    Examples
    --------
    >>> parse_student("tree:4")
    DecisionTreeClassifier(max_depth=4)
    """
    kind, _, size = spec.partition(":")
    if kind in ("logistic", "linear") and not size and (kind == "linear") == regression:
        return Ridge() if regression else LogisticRegression(max_iter=1000)
    if size.isdecimal() and int(size) > 0:
        if kind == "tree":
            return (DecisionTreeRegressor if regression else DecisionTreeClassifier)(max_depth=int(size))
        if kind == "boosting":
            booster = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
            return booster(max_iter=int(size), max_leaf_nodes=8, max_bins=64, early_stopping=False)
    line = "linear" if regression else "logistic"
    raise InvalidSetting(
        f"--student must be tree:DEPTH, {line} or boosting:ROUNDS, or several with commas between, got {spec!r}: pass "
        "for instance tree:4."
    )


def parse_students(
    spec: str, X: pd.DataFrame, *, regression: bool = False, picks_columns: bool = False
) -> list[tuple[str, Any]]:
    """Return the students of `--student` by name, behind what makes the columns of `X` numbers where they need it.

    `picks_columns`: the file has columns beside those of `X`; what stands before the student leaves them out.

    Raises
    ------
    InvalidSetting
        If an item names none, or one stands twice.
    """
    names = [name.strip() for name in spec.split(",")]
    for name in names:
        if names.count(name) > 1:
            raise InvalidSetting(f"--student must name each student once, got {name!r} twice: leave one out.")
    return [(name, _behind(parse_student(name, regression=regression), X, picks_columns)) for name in names]


def _behind(student: Any, X: pd.DataFrame, picks_columns: bool) -> Any:
    scaled = isinstance(student, (LogisticRegression, Ridge))
    if scaled or picks_columns or needs_preparation(X) or X.isna().to_numpy().any():
        return make_pipeline(preparation(X, scaled=scaled), student)
    return student


def parse_verdict(spec: str) -> Any:
    """Return what `--verdict` names: a word, or a share; the search refuses any other.

    Examples
    --------
    >>> parse_verdict("nested"), parse_verdict("0.25")
    ('nested', 0.25)
    """
    try:
        return float(spec)
    except ValueError:
        return spec


def parse_budget(spec: str | None) -> dict[str, float] | None:
    """Return the bounds that `--budget` names; whether they can be bounds is the search's to say.

    Raises
    ------
    InvalidSetting
        If an item is no NAME=NUMBER.

    Examples
    --------
    >>> parse_budget("nodes=31,features=8")
    {'nodes': 31.0, 'features': 8.0}
    """
    if spec is None:
        return None
    bounds = {}
    for item in spec.split(","):
        name, _, bound = item.partition("=")
        if name.strip() in bounds:
            raise InvalidSetting(f"--budget must name each bound once, got {name.strip()!r} twice: leave one out.")
        try:
            bounds[name.strip()] = float(bound)
        except ValueError as error:
            raise InvalidSetting(
                f"--budget must be NAME=NUMBER items with commas between, got {item!r}: pass for instance nodes=31."
            ) from error
    return bounds
