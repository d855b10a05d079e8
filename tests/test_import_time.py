"""The command costs next to nothing before it does anything."""

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import import_time

from multihop_search.cli import HOMES, main

pytestmark = pytest.mark.once


def test_help_costs_no_more_than_importing_click() -> None:
    seconds = import_time.medians(3, ("click and the version", "multihop-search --help"))
    assert seconds["multihop-search --help"] <= import_time.bound(seconds["click and the version"])


def test_help_imports_no_command_and_names_each() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name, home in HOMES.items():
        assert f"{name} " in text
        assert home.line in text
        assert len(home.line) <= 60


@pytest.mark.parametrize("name", HOMES)
def test_each_command_is_where_the_list_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_an_unknown_command_is_met_with_one_line() -> None:
    result = CliRunner().invoke(main, ["walk"])
    assert result.exit_code == 2
    assert "No such command 'walk'" in result.output
