"""The terminal: what the commands print, how they fail, and the paths that they take."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File
from typing import Any

import click

from multihop_search.errors import InvalidSetting, MultihopError
from multihop_search.files import path_of
from multihop_search.visible import visible


class GivenPath(click.Path):
    """A path as functions of this package take it: ``~`` is the home folder, an empty one is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> File:
        """Return the path."""
        try:
            path = path_of(value, "the path")
        except InvalidSetting as error:
            self.fail(str(error), param, ctx)
        return File(os.fsdecode(super().convert(path, param, ctx)))


def say(text: str) -> None:
    """Print a text; what the terminal cannot show is spelled out."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(visible(text).encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def errors_in_a_sentence() -> Iterator[None]:
    """Turn what may go wrong into one line and exit code 1; a closed pipe is left to click, which says nothing."""
    try:
        yield
    except MultihopError as error:
        raise click.ClickException(visible(error)) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        raise click.ClickException(
            f"{visible(reason(error))}: what was finished before is kept, mend the place and run the same command."
        ) from error


def reason(error: Exception) -> str:
    """Return what went wrong, with the place where there is one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'} cannot be written or read ({error.strerror})"
    return f"{type(error).__name__}: {error}"
