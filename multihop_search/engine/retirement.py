"""Retirement: a scheme or an intermediate that fails in the same way again and again is not tried again."""

from __future__ import annotations

from collections import Counter

from multihop_search.engine.record import FAIL, TrialRecord
from multihop_search.errors import RetiredWarning, warn
from multihop_search.paths.path import Path, Truncate

EQUAL_FAILURES = 3


class Retirement:
    """Counts the failures of schemes and intermediates, as trials are told.

    Everything on a failed path is a suspect, so what has worked on some path is acquitted for good: an intermediate
    that cannot be fitted does not take the schemes with it.
    """

    def __init__(self) -> None:
        self._failures: dict[str, Counter[str]] = {}
        self._worked: set[str] = set()
        self._retired: dict[str, str] = {}

    def reason(self, path: Path) -> str:
        """Return why `path` is not to be run, or an empty string."""
        return next((self._retired[name] for name in _parts(path) if name in self._retired), "")

    def note(self, record: TrialRecord) -> None:
        """Learn from a told trial; warn of what retires by it."""
        names = _parts(record.path)
        if record.state != FAIL:
            self._worked.update(names)
            return
        for name in names:
            if name in self._worked or name in self._retired:
                continue
            seen = self._failures.setdefault(name, Counter())
            seen[record.reason] += 1
            if seen[record.reason] == EQUAL_FAILURES:
                self._retired[name] = f"{name} retired after {EQUAL_FAILURES} equal failures: {record.reason}"
                warn(f"{self._retired[name]}: it is not tried again, see results_.", RetiredWarning)


def _parts(path: Path) -> list[str]:
    """Return what each hop of a path brings in, as a warning names it."""
    names = [f"intermediate {hop.model}" for hop in path.prefix]
    schemes = [hop.scheme for hop in path.hops if not isinstance(hop.scheme, Truncate)]
    return list(dict.fromkeys([*names, *(f"scheme {type(scheme).__name__}" for scheme in schemes)]))
