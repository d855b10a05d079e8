"""Paths that the user gives, and files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File
from typing import Any

from multihop_search.errors import FileFailed, InvalidSetting, MultihopError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What may stand where a plain file is wanted, by the type in its mode."""


def path_of(given: Any, name: str) -> File:
    """Return the path that the argument `name` holds; a leading ``~`` is the home folder.

    Raises
    ------
    InvalidSetting
        If it is no path, is empty, or names a home folder that does not exist.

    Examples
    --------
    >>> path_of("results/student.sql", "file").name
    'student.sql'
    """
    if not isinstance(given, (str, bytes, os.PathLike)):
        raise InvalidSetting(f"{name} must be a path, got {given!r}: pass a string or a pathlib.Path.")
    path = os.fsdecode(given)
    if not path or "\0" in path:
        raise InvalidSetting(f"{name} must be a path that is not empty and holds no NUL, got {path!r}: pass one.")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise InvalidSetting(
            f"{name} begins with ~ and must name a home folder, {path!r} names none: write ./{path} for a file of that "
            "name."
        )
    return File(expanded)


def shown(file: str | os.PathLike[str]) -> str:
    """Return a path as a message may show it: what cannot be printed is escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in os.fspath(file)
    )


def kind_of(mode: int) -> str:
    """Return what a file of this mode is, "" for a plain file."""
    return "" if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no plain file")


def open_plain(file: File, flags: int) -> int:
    """Open a plain file and nothing else: no link is followed, and no pipe waited for.

    Raises
    ------
    OSError
        If it cannot be opened or is no plain file.
    """
    never = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if os.path.lexists(file):
        _check_plain(os.lstat(file))
    descriptor = os.open(file, flags | never, 0o666)
    try:
        _check_plain(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_plain(status: os.stat_result) -> None:
    kind = kind_of(status.st_mode)
    if kind:
        raise OSError(f"it is {kind}, no plain file")


def in_a_folder(file: File, name: str) -> File:
    """Return the path of a file that will be written, if its folder exists.

    Raises
    ------
    FileFailed
        If it does not.
    """
    if not file.absolute().parent.is_dir():
        raise FileFailed(f"{name} must be in a folder that exists, {shown(file.parent)!r} does not: make it first.")
    return file


@contextmanager
def whole_file(file: str | os.PathLike[str]) -> Iterator[File]:
    """Give the path to write to, in a folder beside `file`; what was written takes its place at the end, at once.

    A new file has the permissions of any file that this process makes, one that is replaced keeps its own. Of a
    symbolic link the file behind it is replaced.

    Raises
    ------
    FileFailed
        If something stands there that is no plain file, or it cannot be written.
    """
    with _in_words("file", file):
        target = File(os.path.realpath(file))
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and kind_of(mode):
            raise FileFailed(f"file must be a plain file, {shown(file)} is {kind_of(mode)}: choose another name.")
        partial = _new_folder_beside(target)
        try:
            yield partial / target.name
            if mode is not None:
                (partial / target.name).chmod(stat.S_IMODE(mode))
            os.replace(partial / target.name, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def whole_folder(folder: str | os.PathLike[str]) -> Iterator[File]:
    """Give a folder to write to, beside `folder`, which must not exist; it takes that name at the end, at once.

    Raises
    ------
    FileFailed
        If it cannot be written.
    """
    with _in_words("folder", folder):
        target = File(folder).absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _new_folder_beside(target)
        try:
            yield partial
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def _in_words(name: str, path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, MultihopError):
            raise
        failure = FileFailed(
            f"{name} must be one that can be written, {shown(path)!r} is not ({error.strerror or error}): choose "
            "another place."
        )
        failure.errno = error.errno
        raise failure from error


def _new_folder_beside(target: File) -> File:
    """Make a folder with the permissions that the process gives any folder: those of `mkdtemp` are the user's alone."""
    folder = target.parent / f".part-{secrets.token_hex(8)}"
    folder.mkdir()
    return folder
