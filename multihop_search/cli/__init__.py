"""The command `multihop-search`."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click

from multihop_search import __version__


class Home(NamedTuple):
    """Where a subcommand is defined, and the line on it in the list of subcommands."""

    module: str
    line: str


HOMES = {
    "experiment": Home("experiment.command", "Run a grid of searches from a config."),
    "report": Home("experiment.command", "Make the page of an experiment."),
    "run": Home("cli.command", "Search on a table, and print what was gained."),
}


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are called; the list of them costs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand."""
        if cmd_name not in HOMES:
            return None
        command: click.Command = getattr(import_module(f"multihop_search.{HOMES[cmd_name].module}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, home.line) for name, home in HOMES.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Search for a better small model through the best path from a complex one, and say honestly what it gained."""
