"""The log: the durable state of a search, one line for each path that was run to its end.

What a path does in a fold is a function of the problem, the models and the path alone. So a search is resumed by asking
and telling again from the start, in memory, with the folds that the log knows taken from it: what the sampler draws and
what is stopped follow by themselves, and no Optuna storage has to survive. Models above the student are not kept; those
that the remaining paths need are fitted again.

A log is a file of JSON lines in the user's folder, named by the fingerprint of all that its values depend on. The first
line says what that was. A line is written at once and whole, so that a search killed at any moment leaves at most one
torn line, the last; it is cut off when the log is opened again. The last field of a line is a checksum of this line and
of all before it. So no value that was changed on the disk is taken for a result, and no line that was moved, doubled or
taken out goes unnoticed: such a log is refused.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
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
from multihop_search.files import open_plain, path_of, shown
from multihop_search.keys import digest
from multihop_search.models.complexity import Size
from multihop_search.paths.path import Path
from multihop_search.versions import versions_of

try:
    import fcntl
except ImportError:  # not on this system: two searches at once on one log are not noticed
    fcntl = None  # type: ignore[assignment]

SCHEMA = 2
SYNC_S = 5.0
"""Longest time in which a power failure, not the end of this process, can lose what was written."""
LONGEST_HEADER = 1 << 20
"""Bytes after which the first line of another search's log is no header."""
CURE = "correct that or pass another folder"


@dataclass(frozen=True)
class Place:
    """Where a line stands."""

    start: int
    length: int
    before: str
    """Checksum of the line before it."""


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
        self._file = path_of(folder, "checkpoint") / f"{digest(SCHEMA, dict(parts))}.jsonl"
        header = {"schema": SCHEMA, "parts": dict(parts), "versions": _versions(packages)}
        self._places: dict[str, Place] = {}
        self._synced = time.monotonic()
        with self._usable("be a folder that can be written"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = not os.path.lexists(self._file)
            if new and not quiet:
                _say_what_differs(self._file.parent, parts)
            self._fd = open_plain(self._file, os.O_RDWR | os.O_CREAT)
        try:
            self._lock()
            with self._usable("be a log that can be read"):
                self._end, self._checksum = self._read(header)
            if not self._end:
                self._write(header)
        except BaseException:
            os.close(self._fd)
            raise

    def find(self, path: Path) -> Logged | None:
        """Return what is known of `path`.

        Raises
        ------
        CheckpointFailed
            If the line was changed since the log was opened.
        """
        place = self._places.get(path.key)
        if place is None:
            return None
        with self._usable("be a log that can be read"):
            line, _ = _content(_read_at(self._fd, place), place.before)
        if line is None:
            raise self._damaged("a line", place.start)
        try:
            return Logged(tuple(map(_outcome, line["folds"])), line["failure"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged("a line", place.start) from error

    def add(self, path: Path, outcomes: Sequence[Outcome], failure: str = "") -> None:
        """Write what a path did, all that is known of it."""
        folds = [_as_json(outcome) for outcome in outcomes]
        self._places[path.key] = self._write({"key": path.key, "path": str(path), "failure": failure, "folds": folds})
        if time.monotonic() > self._synced + SYNC_S:
            with self._usable("have room for what is found"):
                os.fsync(self._fd)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Let others use the log."""
        with contextlib.suppress(OSError):  # what the disk did not take is run again at the next resume
            os.fsync(self._fd)
        with contextlib.suppress(OSError):
            os.close(self._fd)

    @contextlib.contextmanager
    def _usable(self, wanted: str) -> Iterator[None]:
        """Turn what the system says of the log into one sentence."""
        try:
            yield
        except OSError as error:
            if isinstance(error, CheckpointFailed):
                raise
            raise self._unusable(wanted, error.strerror or error) from error

    def _unusable(self, wanted: str, came: object, cure: str = CURE) -> CheckpointFailed:
        return CheckpointFailed(f"checkpoint must {wanted}, {shown(self._file)}: {came}: {cure}.")

    def _damaged(self, line: str, start: int) -> CheckpointFailed:
        cure = "cut it off there, what stands before is whole," if start else "delete the file"
        return self._unusable(
            "hold lines as they were written", f"{line} at byte {start} is damaged", f"{cure} or pass another folder"
        )

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._unusable("be used by one search at a time", "another one uses this log now") from error
        except OSError:  # a file system without locks
            pass

    def _read(self, header: Mapping[str, Any]) -> tuple[int, str]:
        """Note where each path stands, cut off a torn last line; return where the next line begins, and its checksum.

        The checksum of a line covers that of the line before it.
        """
        end, checksum, number = 0, "", 1
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    if not end and not _is_torn_header(line):
                        raise self._damaged("line 1", 0)
                    break
                content, after = _content(line, checksum)
                if content is None:
                    raise self._damaged(f"line {number}", end)
                if not end:
                    self._check(content, header)
                elif isinstance(content.get("key"), str):
                    self._places[content["key"]] = Place(end, len(line), checksum)
                else:
                    raise self._damaged(f"line {number}", end)
                end, checksum, number = end + len(line), after, number + 1
        os.ftruncate(self._fd, end)
        return end, checksum

    def _check(self, stored: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        if stored.get("schema") != header["schema"] or stored.get("parts") != header["parts"]:
            raise self._unusable("hold the log of this search under its name", "it is that of another one")
        before, now = stored.get("versions"), header["versions"]
        if not isinstance(before, dict):
            raise self._damaged("line 1", 0)
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                raise self._unusable(
                    "be resumed under the versions that began it",
                    f"it was begun with {name} {before.get(name)}, this process has {now.get(name)}",
                )

    def _write(self, line: Mapping[str, Any]) -> Place:
        """Append a line and return its place."""
        text, checksum = _line(line, self._checksum)
        place, rest = Place(self._end, len(text), self._checksum), memoryview(text)
        with self._usable("have room for what is found"):
            while rest:  # at its own place, so that a write that was interrupted is written over
                rest = rest[_write_at(self._fd, rest, place.start + len(text) - len(rest)) :]
            os.ftruncate(self._fd, place.start + len(text))
        self._end, self._checksum = place.start + len(text), checksum
        return place


def _read_at(descriptor: int, place: Place) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, place.length, place.start)
    os.lseek(descriptor, place.start, os.SEEK_SET)  # not on this system
    return os.read(descriptor, place.length)


def _write_at(descriptor: int, text: memoryview, start: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, text, start)
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.write(descriptor, text)


def _line(content: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Return a line, whose last field is its checksum, and the checksum."""
    text = json.dumps(content, separators=(",", ":"), default=_plain).encode()
    checksum = _checksum(text, before)
    return text[:-1] + _ending(checksum), checksum


def _content(line: bytes, before: str) -> tuple[dict[str, Any] | None, str]:
    """Return what `_line` wrote, and its checksum; None for the content of a line that it did not write."""
    length = len(_ending(_checksum(b"", "")))
    text = line[:-length] + b"}"
    checksum = _checksum(text, before)
    if line[-length:] != _ending(checksum):
        return None, ""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else None, checksum


def _checksum(text: bytes, before: str) -> str:
    return hashlib.blake2b(before.encode() + text, digest_size=16).hexdigest()


def _ending(checksum: str) -> bytes:
    return f',"checksum":"{checksum}"}}\n'.encode()


def _is_torn_header(line: bytes) -> bool:
    """Return whether a file without a whole line is a log that was torn when it was begun, no file of another kind."""
    begin = f'{{"schema":{SCHEMA},"parts":{{'.encode()
    return not line.strip(b"\0") or line[: len(begin)] == begin[: len(line)]


def _plain(value: np.generic) -> Any:
    return value.item()


def _as_json(outcome: Outcome) -> dict[str, Any]:
    dtype = outcome.predictions.dtype.newbyteorder("<")
    predictions = np.ascontiguousarray(outcome.predictions, dtype=dtype)
    return {
        **asdict(outcome),
        "predictions": base64.b64encode(predictions.tobytes()).decode("ascii"),
        "n_outputs": predictions.shape[1],
        "dtype": dtype.str,
    }


def _outcome(fold: dict[str, Any]) -> Outcome:
    dtype = np.dtype(fold.pop("dtype"))
    values = np.frombuffer(base64.b64decode(fold.pop("predictions")), dtype=dtype).astype(dtype.newbyteorder("="))
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
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with open(open_plain(file, os.O_RDONLY), "rb") as lines:
                parts = json.loads(lines.readline(LONGEST_HEADER))["parts"]
            if isinstance(parts, dict):
                yield parts
