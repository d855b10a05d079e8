"""Help costs next to nothing: what a command does is imported when it runs."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import import_time

from multihop_search.cli import HOMES, main
from multihop_search.cli.command import EXAMPLES, TEACHERS
from multihop_search.cli.data import EXAMPLES as TABLES
from multihop_search.paths.pool import teachers

pytestmark = pytest.mark.once


@pytest.mark.parametrize("command", [[], *([name] for name in HOMES)], ids=lambda command: " ".join(command) or "main")
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys; from multihop_search.cli import main; "
        f"main({[*command, '--help']}, standalone_mode=False); "
        "heavy = {'numpy', 'optuna', 'pandas', 'ray', 'scipy', 'sklearn'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.startswith("Usage: ")


def test_the_benchmark_says_what_help_costs_and_what_it_may() -> None:
    seconds = import_time.medians(1, ("click and the version", "multihop-search --help"))
    assert seconds.keys() == {"click and the version", "multihop-search --help"}
    assert min(seconds.values()) > 0
    assert import_time.bound(0.2) == pytest.approx(0.4)


def test_the_options_name_what_there_is() -> None:
    assert list(EXAMPLES) == sorted(TABLES)
    assert list(TEACHERS) == ["auto", *teachers()]


def test_help_names_each_command() -> None:
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
