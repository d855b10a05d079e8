"""The progress bar: trials, the best score and the one-hop baseline."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from multihop_search.paths.groups import Group


@contextmanager
def progress(n_trials: int, score: str, *, shown: bool) -> Iterator[Callable[[int, float], None]]:
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
        bar.set_postfix({name: f"{value:.4f}" for name, value in best.items()}, refresh=False)
        bar.update()

    with tqdm(total=n_trials, desc=f"search by {score}", unit="trial") as bar:
        yield show
