"""What a search says while it works: which stage it is at and for how long, and of the trials the best scores."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from multihop_search.paths.groups import Group
from multihop_search.problem.units import Unit

TICK_S = 2.0
"""Seconds after which the time is shown anew, whatever a fit takes."""


@contextmanager
def stage(words: str, *, shown: bool) -> Iterator[None]:
    """Show what is going on in the block, and how long it has taken so far."""
    if not shown or sys.stderr is None:
        yield
        return
    from tqdm.auto import tqdm

    with _ticking(tqdm(desc=words, bar_format="{desc}: {elapsed}")):
        yield


@contextmanager
def progress(n_trials: int, unit: Unit, *, shown: bool) -> Iterator[Callable[[int, float], None]]:
    """Yield a function to call with (hops, score) of each told trial; NaN for a failed one."""
    if not shown or sys.stderr is None:
        yield lambda hops, value: None
        return
    from tqdm.auto import tqdm

    best = {Group.PLAIN.label: math.nan, Group.ONE_HOP.label: math.nan, "best": math.nan}

    def show(hops: int, value: float) -> None:
        for name in best.keys() & {"best", Group.of(hops).label}:
            if not value <= best[name] and not math.isnan(value):
                best[name] = value
        bar.set_postfix({name: f"{unit.sign * value:.4g}" for name, value in best.items()}, refresh=False)
        bar.update()

    with _ticking(tqdm(total=n_trials, desc=f"search by {unit.name}", unit="trial")) as bar:
        yield show


@contextmanager
def _ticking(bar: Any) -> Iterator[Any]:
    """Yield a bar that shows the time anew every two seconds, until the block ends."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK_S):
            bar.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    with bar:
        thread.start()
        try:
            yield bar
        finally:
            ended.set()
            thread.join()
