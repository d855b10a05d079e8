"""What the commands print: the door through which every text goes to the terminal."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from multihop_search.errors import MultihopError
from multihop_search.visible import visible


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
