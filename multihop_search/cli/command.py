"""The command `run` and its options; what it does is imported when it runs, so that its help costs nothing."""

from __future__ import annotations

import time
from typing import Any

import click

from multihop_search.terminal import GivenPath, errors_in_a_sentence
from multihop_search.visible import visible

EXAMPLES = ("bike-sharing", "breast-cancer", "diabetes", "digits", "wine")
"""Names of `data.EXAMPLES`, in the order of the alphabet."""
TEACHERS = ("auto", "forest", "extra-trees", "boosting", "vote")
"""Names of `pool.teachers`, and that of a choice among them."""


@click.command()
@click.argument("data", type=GivenPath(), required=False)
@click.option("--target", help="Column to predict.")
@click.option("--example", type=click.Choice(EXAMPLES), help="A real data set that needs no file.")
@click.option(
    "--student",
    default="tree:4",
    show_default=True,
    help="tree:DEPTH, logistic (linear for values) or boosting:ROUNDS; several with commas between.",
)
@click.option("--teacher", type=click.Choice(TEACHERS), default="auto", show_default=True)
@click.option("--budget", help="Bounds of the student: nodes=31,features=8,size_bytes=20000,latency_us=500.")
@click.option(
    "--verdict", default="bbc", show_default=True, help="Which rows judge: bbc, nested or the share to hold out, 0.25."
)
@click.option(
    "--trials", type=click.IntRange(min=1), help="Paths to try per student.  [default: those known to be good]"
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds for everything, from reading the table to the last file.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Hops at once, on Ray.")
@click.option("--address", help="HOST:PORT of a Ray cluster to run on.")
@click.option(
    "--checkpoint",
    type=GivenPath(),
    help="Folder where finished trials are kept: the same command goes on from there.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=GivenPath(), help="New folder for page, model, results and verdict.")
def run(**options: Any) -> None:
    """Search on the table DATA (CSV, gzipped or not, or Parquet) or on an --example, and print what was gained.

    A target of more than 20 different numbers, or of numbers that are not all whole, is a value to predict; any other
    is a class. Columns that are not numbers are encoded and missing numbers imputed, inside the folds; the saved model
    does both by itself.
    """
    start = time.monotonic()
    with errors_in_a_sentence():
        name = visible(options["data"] or options["example"] or "the table")
        click.echo(f"reading {name}", err=True)  # imports take a second
        from multihop_search.cli.run import search_table

        search_table(**options, start=start)
