"""The loop over cells: those that are finished are not run again, the others in order, several at once on Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path as File
from typing import Any

from multihop_search.errors import SearchFailed, StoppedWarning
from multihop_search.executors import Executor, SerialExecutor
from multihop_search.experiment import store
from multihop_search.experiment.config import Config, make_config, read_config
from multihop_search.experiment.grid import Cell, cells_of
from multihop_search.experiment.run import check_cells, run_cell
from multihop_search.experiment.store import Records
from multihop_search.files import path_of

GATHER_S = 60.0
"""Seconds between two gatherings of the tables while cells are run: a page can be made at any time."""


def run_experiment(
    config: Config | dict[str, Any] | File | str,
    out: File | str,
    *,
    executor: Executor | None = None,
    n_cells: int | None = None,
    tell: Callable[[str], Any] | None = None,
) -> Records:
    """Run the cells of an experiment that are not finished, and return the tables of all that are.

    Parameters
    ----------
    config : Config, mapping or path of a TOML file
        What to run; see `read_config`.
    out : path
        Folder of the results. A run that was killed and is told again goes on after its last finished cell.
    executor : Executor or None, default=None
        Where cells run: None is this process, ``RayExecutor(n_workers=2)`` two at once. A cell is one task: its fits
        share prefixes in one process, and nothing but its rows comes back.
    n_cells : int or None, default=None
        Most cells to run now; None: all.
    tell : callable or None, default=None
        Called with a line for each cell that ends.

    Raises
    ------
    InvalidSetting, InvalidData
        If the config or a table cannot be used, or pyarrow is missing.
    SearchFailed
        If cells failed; the others are finished.
    """
    store.pyarrow()
    plan = _config(config)
    folder, cells = path_of(out, "out"), cells_of(plan)
    check_cells(cells)
    waiting = [cell for cell in cells if not store.is_finished(folder, cell.key)][:n_cells]
    keys, failed = [cell.key for cell in cells], []
    seen = time.monotonic()
    for message, problem in _run(folder, waiting, executor or SerialExecutor()):
        if tell is not None:
            tell(message)
        failed += [problem] if problem else []
        if not problem and time.monotonic() - seen > GATHER_S:
            store.gather(folder, keys, plan.title)
            seen = time.monotonic()
    if failed and len(failed) == len(waiting):
        raise SearchFailed(f"{len(failed)} of {len(waiting)} cells failed, the first, {failed[0]}: correct the config.")
    records = store.gather(folder, keys, plan.title)
    if failed:
        raise SearchFailed(
            f"{len(failed)} of {len(waiting)} cells failed, the first, {failed[0]}: the others are finished, run again "
            "to try these again."
        )
    return records


def _config(config: Config | dict[str, Any] | File | str) -> Config:
    if isinstance(config, Config):
        return config
    return make_config(config) if isinstance(config, dict) else read_config(config)


def _run(folder: File, cells: Sequence[Cell], executor: Executor) -> Iterator[tuple[str, str]]:
    """Run cells and keep what they leave; yield a line for each that ended, and what was wrong with it, if anything."""
    if not cells:
        return
    with closing(executor.start()) as session:
        futures = {number: session.submit(run_cell, cell) for number, cell in enumerate(cells)}
        while futures:
            session.wait(list(futures.values()))
            for number in [number for number, future in futures.items() if session.ready(future)]:
                name = cells[number].name
                try:
                    finished = session.result(futures.pop(number))
                except StoppedWarning as signal:
                    raise SearchFailed("the experiment was stopped by a signal: run it again to go on.") from signal
                except Exception as error:  # a cell that fails costs nothing but itself
                    problem = f"{name}: {type(error).__name__}: {error}"
                    yield f"failed: {problem}", problem
                    continue
                store.keep(folder, finished)
                yield f"{name}: {finished.rows['seconds'].iloc[0]:.0f} s", ""
