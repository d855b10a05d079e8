"""The portfolio: paths that a search tries first, given as plain values of the names of its space.

An entry is a mapping such as ``{"n_hops": 1, "scheme": "SRatio", "fit": "OwnFit+shrinkage"}``: names of the space,
those of the student without its own name before them. A parameter of a student inside a Pipeline is named by its last
part, so that an entry serves the student bare and behind steps.

The portfolio that "auto" names is the file ``portfolio.json`` beside this one. It was learned on many data sets
(``benchmarks/portfolio.py``), for each family of students and, of trees, by depth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, zip_longest
from typing import Any

from multihop_search.errors import InvalidSetting, UnservedSchemeWarning, warn
from multihop_search.models.registry import family_of
from multihop_search.models.steps import last_step
from multihop_search.paths.groups import BY_HOPS, Group
from multihop_search.paths.path import Path
from multihop_search.paths.space import PathSpace

Entry = Mapping[str, Any]
AUTO = "auto"
DEEPEST = 99
"""A tree without a bound counts as so deep."""


def check_portfolio(portfolio: Any) -> None:
    """Raise unless a portfolio has the form of one.

    Raises
    ------
    InvalidSetting
        If it is neither "auto", None, a list of entries, nor a mapping of names of students to such lists.
    """
    if portfolio is None or (isinstance(portfolio, str) and portfolio == AUTO):
        return
    lists = list(portfolio.values()) if isinstance(portfolio, Mapping) else [portfolio]
    are_lists = all(isinstance(entries, (list, tuple)) for entries in lists)
    if not are_lists or not all(_is_entry(entry) for entries in lists for entry in entries):
        raise InvalidSetting(
            "portfolio must be 'auto', None, a list of dicts that each hold 'n_hops', or a dict of such lists by the "
            f"name of the student, got {portfolio!r}: pass for instance [{{'n_hops': 0}}, {{'n_hops': 1}}]."
        )


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "n_hops" in entry and all(isinstance(name, str) for name in entry)


@cache
def learned() -> Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]:
    """Return what the file holds: by task and family, lists of entries, of trees with the depth that they are for."""
    text = files("multihop_search.paths").joinpath("portfolio.json").read_text(encoding="utf-8")
    contents: dict[str, dict[str, list[dict[str, Any]]]] = json.loads(text)
    return contents


def entries_for(student: Any, *, regression: bool) -> Sequence[Entry]:
    """Return the learned entries for a student; none where its family has none.

    Of trees, those for the depth that is nearest to its own are taken.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> entries_for(KNeighborsClassifier(), regression=False)
    ()
    """
    model = last_step(student)
    lists = learned()["regression" if regression else "classification"].get(type(family_of(model)).__name__, ())
    depth = getattr(model, "max_depth", None) or DEEPEST
    nearest = min(lists, key=lambda one: abs(one.get("max_depth", depth) - depth), default=None)
    return () if nearest is None else nearest["entries"]


def portfolio_of(
    portfolio: Any, space: PathSpace, students: Mapping[str, Any], *, regression: bool, cheap_first: bool = False
) -> dict[str, tuple[Path, ...]]:
    """Return the paths that each student tries first.

    Of "auto", the student as it was set comes before the learned entries, kinds of paths take turns, and an entry that
    the space does not hold is left out in silence. Of a portfolio of the user's, an entry whose intermediate these rows
    do not have is left out with a warning.

    Parameters
    ----------
    portfolio : "auto", None, list of dict or dict of str to list of dict
        As the argument of a search.
    space : PathSpace
        What is searched.
    students : mapping of str to estimator
        By name.
    regression : bool
        Whether values are predicted.
    cheap_first : bool, default=False
        Whether paths of "auto" without hops, which are cheap, come before all others, as where time is short.

    Raises
    ------
    InvalidSetting
        If an entry of the user's holds what the space does not, or a student is named that there is not.
    """
    if portfolio is None:
        return dict.fromkeys(space.students, ())
    if isinstance(portfolio, str):
        return {
            name: _served(space, name, entries_for(student, regression=regression), cheap_first=cheap_first)
            for name, student in students.items()
        }
    by_name = portfolio if isinstance(portfolio, Mapping) else dict.fromkeys(space.students, portfolio)
    strangers = [name for name in by_name if name not in space.students]
    if strangers:
        raise InvalidSetting(
            f"portfolio must name students of the search, {', '.join(space.students)}, got {strangers[0]!r}: rename it."
        )
    absent: list[str] = []
    paths = {student: _paths(space, student, by_name.get(student, ()), absent) for student in space.students}
    if absent:
        warn(
            f"entries of the portfolio left out: {len(absent)}, there is no intermediate as in {absent[0]!r}: see "
            "print(space_).",
            UnservedSchemeWarning,
        )
    return paths


def _served(space: PathSpace, student: str, entries: Sequence[Entry], *, cheap_first: bool) -> tuple[Path, ...]:
    """Return the distinct paths of the entries that the space holds, after the student as it was set.

    Plain, one hop and several take turns as long as each has paths: the first few trials are of every kind. Or they
    come one after the other, of the plain ones those that shrink first.
    """
    if not entries:
        return ()
    decoded = [path_of(space, student, entry) for entry in entries]
    paths = [space.default(student), *(path for path, lacking in decoded if path is not None and not lacking)]
    kinds = [[path for path in paths if Group.of(len(path.hops)) is group] for group in BY_HOPS]
    if cheap_first:
        first, *plain = kinds[0]
        kinds[0] = [first, *sorted(plain, key=lambda path: path.fit is None or not path.fit.shrinks)]
    turns = chain.from_iterable(kinds if cheap_first else zip_longest(*kinds))
    return tuple(dict.fromkeys(path for path in turns if path is not None))


def _paths(space: PathSpace, student: str, entries: Sequence[Entry], absent: list[str]) -> tuple[Path, ...]:
    """Return the distinct paths of entries; to `absent` go the hops of those that no intermediate of the space serves.

    Raises
    ------
    InvalidSetting
        If an entry holds what the space does not.
    """
    paths: dict[Path, None] = {}
    for entry in entries:
        path, lacking = path_of(space, student, entry)
        wrong = [name for name in lacking if not name.startswith("upper_")]
        if wrong:
            raise InvalidSetting(
                f"portfolio must hold values that {student!r} can have, got {wrong[0]}={entry[wrong[0]]!r}: see "
                "print(space_)."
            )
        if lacking or path is None:
            absent.append(str(entry.get(lacking[0]) if lacking else entry))
        else:
            paths.setdefault(path)
    return tuple(paths)


def path_of(space: PathSpace, student: str, entry: Entry) -> tuple[Path | None, list[str]]:
    """Return the path of an entry for a student, and the names whose values the space does not hold.

    Those names have their usual values in the path. It is None where it would have another number of hops.
    """
    dists, params, lacking = space.names_of(student), space.usual(student), []
    names = _short_names(dists, student)
    for short, value in entry.items():
        name = names.get(short)
        if name is not None and space.holds(name, value):
            params[name] = value
        else:
            lacking.append(short)
    if "n_hops" in lacking:
        return None, lacking
    path = space.decode(params)
    return (path if len(path.hops) == entry["n_hops"] else None), lacking


def _short_names(dists: Iterable[str], student: str) -> dict[str, str]:
    """Return the names of the space by what entries call them."""
    short = {}
    for name in dists:
        own = name.removeprefix(f"{student}.")
        short[own if own == name or "." in own else own.rpartition("__")[2]] = name
    return short
