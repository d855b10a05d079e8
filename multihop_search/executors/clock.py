"""The clock of `hop_timeout`: ends a call that runs too long, in the process of a worker.

Two alarms. The first raises in the thread that runs the call, which ends Python code, sleeps and waits for locks at
once. What does not come back within the grace (a loop in C, code that swallows everything) ends with its process: the
second alarm is set off by C code of `faulthandler`, which needs nothing that the call may hold. It leaves its traceback
in a small file, the mark; the executor's own retry of the call finds it, and at the second one raises instead of
hanging once more.
"""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from multihop_search.errors import HopTimeout


class _Late(BaseException):
    """Raised by the first alarm; no `Exception`, since models swallow those."""


@contextlib.contextmanager
def time_limit(seconds: float, grace_s: float, name: str) -> Iterator[None]:
    """Raise `HopTimeout` if the block runs for longer than `seconds`; for the main thread of a worker.

    Parameters
    ----------
    seconds : float
        Longest run.
    grace_s : float
        Seconds after which the process ends if the block still runs.
    name : str
        Of the call, the same when it is run again. The mark is found on the same machine only.
    """
    mark = _mark(name)
    running, late = True, False

    def ring(number: int, frame: Any) -> None:
        nonlocal late
        if running:
            late = True
            raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    with mark.open("w") as stream:
        try:
            try:
                faulthandler.dump_traceback_later(seconds + grace_s, exit=True, file=stream)
                signal.setitimer(signal.ITIMER_REAL, seconds)
                yield
            finally:
                running = False
        finally:  # the first alarm has rung, or does nothing any more
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
            mark.unlink(missing_ok=True)
            if late:  # also where the block swallowed it, or made another exception of it
                raise HopTimeout(_words(seconds, "it was stopped")) from None


def check_ended(seconds: float, grace_s: float, name: str) -> None:
    """Raise `HopTimeout` if the worker of a call was ended in all of its attempts; called before the first of a run."""
    mark, before = _mark(name), _mark(f"{name}_before")
    if not (mark.exists() and mark.stat().st_size):
        return
    if not before.exists():
        mark.rename(before)
        return
    mark.unlink()
    before.unlink()
    raise HopTimeout(_words(seconds, f"its worker had to be ended {grace_s:g} s later"))


def _mark(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"multihop_search_{name}"


def _words(seconds: float, end: str) -> str:
    return (
        f"a hop must end within hop_timeout={seconds:g} s, it still ran and {end}: raise hop_timeout, or leave that "
        "model out or make it smaller."
    )
