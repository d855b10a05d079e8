"""The log: the durable state of a search, one line for each path that was run to its end.

What a path does in a fold is a function of the problem, the models and the path alone. So a search is resumed by asking
and telling again from the start, in memory, with the folds that the log knows taken from it: what the sampler draws and
what is stopped follow by themselves, and no Optuna storage has to survive. Models above the student are not kept; those
that the remaining paths need are fitted again.

A log is a file of JSON lines in the user's folder, named by the fingerprint of all that its values depend on. The first
line says what that was. A line is written at once and whole, so that a search killed at any moment leaves at most one
torn line, the last; it is cut off when the log is opened again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as File
from typing import Any

import numpy as np

from multihop_search.engine.student import Outcome
from multihop_search.errors import CheckpointFailed, NewLogWarning, warn
from multihop_search.keys import digest
from multihop_search.paths.complexity import Size
from multihop_search.paths.path import Path
from multihop_search.versions import versions_of

try:
    import fcntl
except ImportError:  # not on this system: two searches at once on one log are not noticed
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
SYNC_S = 5.0
"""Longest time in which a power failure, not the end of this process, can lose what was written."""


@dataclass(frozen=True)
class Logged:
    """What the log knows of a path."""

    outcomes: tuple[Outcome, ...]
    """Of its first folds, in order."""
    failure: str = ""
    """Why the fold after them failed, if it did."""


class Log:
    """The log of one search.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    parts : mapping of str to str
        All that the values depend on: the hash of each part, by its name.
    packages : iterable of str
        Top-level modules of the models, whose versions have to stay.
    quiet : bool, default=False
        Whether nothing is said of logs of other searches.

    Raises
    ------
    CheckpointFailed
        If the folder or the log cannot be used: not writable, in use by another search, damaged before its last line,
        or begun under other versions.

    Warns
    -----
    NewLogWarning
        If the folder holds logs, none of them of this search.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        parts: Mapping[str, str],
        packages: Iterable[str] = (),
        *,
        quiet: bool = False,
    ) -> None:
        self._file = File(folder) / f"{digest(SCHEMA, dict(parts))}.jsonl"
        header = {"schema": SCHEMA, "parts": dict(parts), "versions": _versions(packages)}
        self._places: dict[str, tuple[int, int]] = {}
        self._synced = time.monotonic()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = not self._file.exists()
            if new and not quiet:
                _say_what_differs(self._file.parent, parts)
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._unusable("be a folder that can be written", error) from error
        try:
            self._lock()
            self._end = self._read(header)
            if not self._end:
                self._write(header)
        except BaseException:
            os.close(self._fd)
            raise

    def find(self, path: Path) -> Logged | None:
        """Return what is known of `path`."""
        place = self._places.get(path.key)
        if place is None:
            return None
        line = json.loads(os.pread(self._fd, place[1], place[0]))
        return Logged(tuple(map(_outcome, line["folds"])), line["failure"])

    def add(self, path: Path, outcomes: Sequence[Outcome], failure: str = "") -> None:
        """Write what a path did, all that is known of it."""
        folds = [_as_json(outcome) for outcome in outcomes]
        self._places[path.key] = self._write({"key": path.key, "path": str(path), "failure": failure, "folds": folds})
        if time.monotonic() > self._synced + SYNC_S:
            os.fsync(self._fd)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Let others use the log."""
        os.close(self._fd)

    def _unusable(self, wanted: str, came: object) -> CheckpointFailed:
        return CheckpointFailed(f"checkpoint must {wanted}, {self._file}: {came}: correct that or pass another folder.")

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._unusable("be used by one search at a time", "another one uses this log now") from error
        except OSError:  # a file system without locks
            pass

    def _read(self, header: Mapping[str, Any]) -> int:
        """Note where each path stands, cut off a torn last line, and return where the next line begins."""
        end = 0
        with open(self._fd, "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    found = json.loads(line)
                    if end == 0:
                        self._check(found, header)
                    else:
                        self._places[found["key"]] = (end, len(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise self._unusable("hold lines as they were written", f"byte {end} is damaged") from error
                end += len(line)
        os.ftruncate(self._fd, end)
        return end

    def _check(self, found: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        before, now = found["versions"], header["versions"]
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                raise self._unusable(
                    "be resumed under the versions that began it",
                    f"it was begun with {name} {before.get(name)}, this process has {now.get(name)}",
                )

    def _write(self, line: Mapping[str, Any]) -> tuple[int, int]:
        """Append a line and return its place."""
        text = json.dumps(line, separators=(",", ":"), default=_plain).encode() + b"\n"
        start, rest = self._end, memoryview(text)
        try:
            while rest:  # at its own place, so that a write that was interrupted is written over
                rest = rest[os.pwrite(self._fd, rest, start + len(text) - len(rest)) :]
            os.ftruncate(self._fd, start + len(text))
        except OSError as error:
            raise self._unusable("have room for what is found", error) from error
        self._end = start + len(text)
        return start, len(text)


def _plain(value: np.generic) -> Any:
    return value.item()


def _as_json(outcome: Outcome) -> dict[str, Any]:
    predictions = np.ascontiguousarray(outcome.predictions, dtype="<f4")
    return {
        **asdict(outcome),
        "predictions": base64.b64encode(predictions.tobytes()).decode("ascii"),
        "n_outputs": predictions.shape[1],
    }


def _outcome(fold: dict[str, Any]) -> Outcome:
    values = np.frombuffer(base64.b64decode(fold.pop("predictions")), dtype="<f4").astype(np.float32)
    predictions = values.reshape(-1, fold.pop("n_outputs"))
    return Outcome(**{**fold, "predictions": predictions, "size": Size(**fold["size"])})


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions on which values depend."""
    modules = ("multihop_search", "numpy", "scipy", "sklearn", "optuna", *packages)
    return {"python": ".".join(platform.python_version_tuple()[:2]), **versions_of(modules)}


def _say_what_differs(folder: File, parts: Mapping[str, str]) -> None:
    """Warn if there are logs of other searches, and name what differs from the one that is most alike."""
    differences = [
        [name for name in sorted({*parts, *other}) if parts.get(name) != other.get(name)] for other in _others(folder)
    ]
    if differences:
        fewest = min(map(len, differences))
        differs = ", ".join(next(names for names in differences if len(names) == fewest)) or "its form"
        warn(
            f"checkpoint holds {len(differences)} log(s) of other searches, the most alike differs in {differs}: this "
            "search begins a log of its own.",
            NewLogWarning,
        )


def _others(folder: File) -> Iterator[Mapping[str, str]]:
    for file in sorted(folder.glob("*.jsonl")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError), file.open("rb") as lines:
            yield json.loads(next(lines, b""))["parts"]
