"""`multihop-search report`: the page of an experiment."""

from __future__ import annotations

from pathlib import Path as File

import click

from multihop_search.cli.paths import GivenPath
from multihop_search.cli.say import errors_in_a_sentence, say


@click.command()
@click.argument("folder", type=GivenPath(file_okay=False))
@click.option("--file", type=GivenPath(dir_okay=False), help="The page; by default FOLDER/report.html.")
def report(folder: File, file: File | None) -> None:
    """Make one HTML page of the experiment in FOLDER: claims and fresh rows, tables, figures and conditions."""
    from multihop_search.experiment.page import write_report

    with errors_in_a_sentence():
        say(f"written to {write_report(folder, file)}")
