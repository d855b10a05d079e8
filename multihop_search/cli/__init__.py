"""The command `multihop-search`."""

from __future__ import annotations

import click

from multihop_search import __version__
from multihop_search.cli.experiment import experiment as experiment_command
from multihop_search.cli.report import report as report_command
from multihop_search.cli.run import run as run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Search for a better small model through the best path from a complex one, and say honestly what it gained."""


main.add_command(run_command)
main.add_command(experiment_command)
main.add_command(report_command)
