"""Columns of probabilities that come with names: read by label, or refused; arrays are read by place."""

from __future__ import annotations

from typing import Any

import numpy as np

from multihop_search.errors import InvalidData


def as_array(values: Any) -> np.ndarray:
    """Return values of an array, or of a table of any library, as floats."""
    return np.asarray(values.to_pandas() if hasattr(values, "column_names") else values, dtype=np.float64)


def labels_of_columns(values: Any, classes: Any) -> list[Any] | None:
    """Return the labels of the columns of predictions: the names in a frame, else `classes`, else None.

    Names that a library gives of its own accord are none. Names of which none is a label leave the word to `classes`.

    Raises
    ------
    InvalidData
        If names and `classes` say different things.

    Examples
    --------
    >>> import pandas as pd
    >>> labels_of_columns(pd.DataFrame([[0.2, 0.8]], columns=["yes", "no"]), ["no", "yes"])
    ['yes', 'no']
    """
    given: list[Any] | None = None if classes is None else np.asarray(classes).tolist()
    columns = getattr(values, "column_names", None)
    if columns is None:
        columns = getattr(values, "columns", None)
    if columns is None or len(columns) < 2:
        return given
    names: list[Any] = np.asarray(columns).tolist()
    places = _places(names)
    in_place = places == list(range(len(names)))
    if given is None:
        return None if in_place else names
    labels = matched(names, given)
    if {*labels} == {*given} and (labels == given or not in_place):
        return labels
    if places is not None and not {*labels} & {*given}:
        return [given[place] for place in places] if len(places) == len(given) else given
    if not {*labels} & {*given} or (in_place and {*labels} != {*given}):
        return given
    raise InvalidData(
        f"columns named {names} and classes {given} say different things: pass an array with these classes, or a frame "
        "without classes."
    )


def _places(names: list[Any]) -> list[int] | None:
    """Return which places names stand for that a library gives; None where a person gave them."""
    numbers = list(range(len(names)))
    for given in (numbers, [str(place) for place in numbers], [f"column_{place}" for place in numbers]):
        if {*names} == {*given}:
            return [given.index(name) for name in names]
    return None


def matched(labels: list[Any], wanted: list[Any]) -> list[Any]:
    """Return labels as those of y, where they read alike: a frame may have "0" for 0."""
    by_name = {str(label): label for label in wanted}
    if len(by_name) < len(wanted) or set(labels) == set(wanted):
        return labels
    return [by_name.get(str(label), label) for label in labels]


def in_order(values: Any, classes: np.ndarray) -> np.ndarray:
    """Return predictions as an array, columns in the order of `classes` where they are named after them."""
    array = as_array(values)
    wanted = classes.tolist()
    labels = labels_of_columns(values, wanted) or wanted
    return array if labels == wanted or array.ndim != 2 else array[:, [labels.index(label) for label in wanted]]
