"""Signals: the first Ctrl-C or SIGTERM ends a search in order, a second one acts as it would have without us."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked the search to end; its name is the argument."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` at the first signal within the block, whatever runs at that moment.

    Handlers that somebody set for a purpose of their own stay, those of Python and of Ray are put back afterwards.
    Outside the main thread no handler can be set, and none is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if _is_default(handler)}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        put_back()
        raise Interrupted(signal.Signals(number).name)

    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        put_back()


def _is_default(handler: Any) -> bool:
    if handler is None:  # not set by Python, which could not put it back
        return False
    ours = getattr(handler, "__module__", "") or ""
    return handler in (signal.SIG_DFL, signal.default_int_handler) or ours.split(".")[0] == "ray"
