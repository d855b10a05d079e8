"""The portfolio: paths that a search tries first, given as plain values of the names of its space.

An entry is a mapping such as ``{"n_hops": 1, "scheme": "SRatio", "fit": "OwnFit+shrinkage"}``: names of the space,
those of the student without its own name before them. A parameter of a student inside a Pipeline is named by its last
part, so that an entry serves the student bare and behind steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from multihop_search.errors import InvalidSetting, UnservedSchemeWarning, warn
from multihop_search.paths.path import Path
from multihop_search.paths.space import PathSpace

Entry = Mapping[str, Any]


def check_portfolio(portfolio: Any) -> None:
    """Raise unless a portfolio has the form of one.

    Raises
    ------
    InvalidSetting
        If it is neither "auto", None, a list of entries, nor a mapping of names of students to such lists.
    """
    if portfolio is None or (isinstance(portfolio, str) and portfolio == "auto"):
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


def portfolio_of(portfolio: Any, space: PathSpace) -> dict[str, tuple[Path, ...]]:
    """Return the paths that each student tries first; none where the portfolio is "auto" or None.

    Which intermediates there are depends on the rows: an entry that needs another is left out, with one warning.

    Raises
    ------
    InvalidSetting
        If an entry holds what the space does not, or a student is named that there is not.
    """
    if portfolio is None or isinstance(portfolio, str):
        return dict.fromkeys(space.students, ())
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
