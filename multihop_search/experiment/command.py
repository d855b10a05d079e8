"""The commands `experiment`, from a config to two tables, and `report`, from the tables to a page."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import click

from multihop_search.terminal import GivenPath, errors_in_a_sentence, say


@click.command()
@click.argument("config", type=GivenPath(dir_okay=False))
@click.option("--out", type=GivenPath(file_okay=False), required=True, help="Folder of the results.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Cells at once, on Ray.")
@click.option("--address", help="HOST:PORT of a Ray cluster to run on.")
@click.option("--cells", "most", type=click.IntRange(min=1), help="Most cells to run now.")
@click.option("--dry-run", is_flag=True, help="Print the cells in their order, and which are finished.")
def experiment(config: File, out: File, jobs: int, address: str | None, most: int | None, dry_run: bool) -> None:
    """Run the grid of searches that CONFIG (TOML) describes: a row for each cell and student, one for each trial.

    A run that was stopped or killed goes on after its last finished cell when it is told again. Cells of a changed
    config are other cells: what no longer belongs to it is kept aside.
    """
    from multihop_search.experiment.config import read_config
    from multihop_search.experiment.grid import cells_of
    from multihop_search.experiment.loop import run_experiment
    from multihop_search.experiment.run import check_cells
    from multihop_search.experiment.store import CELLS, TRIALS, is_finished

    with errors_in_a_sentence():
        plan = read_config(config)
        if dry_run:
            cells = cells_of(plan)
            check_cells(cells)
            for cell in cells:
                say(f"{'finished' if is_finished(out, cell.key) else 'to run  '}  {cell.name}")
            return
        run_experiment(plan, out, executor=_executor(address, jobs), n_cells=most, tell=say)
        say(f"\nwritten to {out}: {CELLS}, {TRIALS}; multihop-search report {out} makes the page")


def _executor(address: str | None, jobs: int) -> Any:
    if address is None and jobs == 1:
        return None
    from multihop_search import RayExecutor

    return RayExecutor(address, n_workers=jobs)


@click.command()
@click.argument("folder", type=GivenPath(file_okay=False))
@click.option("--file", type=GivenPath(dir_okay=False), help="The page; by default FOLDER/report.html.")
def report(folder: File, file: File | None) -> None:
    """Make one HTML page of the experiment in FOLDER: claims and fresh rows, tables, figures and conditions."""
    from multihop_search.experiment.page import write_report

    with errors_in_a_sentence():
        say(f"written to {write_report(folder, file)}")
