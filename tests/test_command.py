"""The command, run as a newcomer would."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from multihop_search.cli import main
from multihop_search.export.skops import read_skops


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """120 rows with numbers, missing numbers, categories, booleans and string labels."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=120), rng.choice(["red", "green", "blue"], size=120)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(120) < 0.1, np.nan, size),
            "colour": np.where(rng.random(120) < 0.1, None, colour),
            "new": rng.random(120) < 0.5,
            "kind": np.where((size > 0) & (colour != "red"), "keep", "drop"),
        }
    )
    file = tmp_path / "table.csv.gz"
    frame.to_csv(file, index=False)
    return file


def test_a_table_becomes_a_model_a_verdict_and_a_folder(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    result = run(table, "--target", "kind", "--student", "tree:2", "--teacher", "forest", "--trials", 6, "--out", out)
    assert result.exit_code == 0, result.output
    for word in (
        "120 rows",
        "path:",
        "teacher",
        "tuned plain",
        "ours",
        "log-loss",
        "accuracy",
        "nodes",
        "latency",
        "size <=",
    ):
        assert word in result.output
    assert sorted(file.name for file in out.iterdir()) == [
        "model.skops",
        "results.csv",
        "search.svg",
        "verdict.csv",
        "verdict.txt",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert len(pd.read_csv(out / "results.csv")) == 6
    assert len(pd.read_csv(out / "verdict.csv")) == 3
    assert (out / "verdict.txt").read_text().strip() in " ".join(result.output.split())
    frame = pd.read_csv(table)
    labels = read_skops(out / "model.skops").predict(frame.drop(columns="kind"))
    assert (labels == frame["kind"]).mean() > 0.6


@pytest.mark.parametrize("student", ["logistic", "boosting:2", "tree:1"])
def test_an_example_needs_no_file(student: str) -> None:
    result = run("--example", "wine", "--trials", 3, "--student", student, "--teacher", "boosting", "--timeout", 100)
    assert result.exit_code == 0, result.output
    assert "178 rows" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "nothing"], "--target must name a column of table.csv.gz, got 'nothing'"),
        ([], "--target must name the column of table.csv.gz to predict, it is missing"),
        (["--target", "kind", "--student", "forest:3"], "--student must be tree:DEPTH, logistic or boosting:ROUNDS"),
        (["--target", "kind", "--student", "tree:0"], "--student must be tree:DEPTH"),
        (["--target", "kind", "--example", "wine"], "pass either a table"),
        (["--target", "kind", "--trials", "0"], "0 is not in the range"),
        (["--target", "kind", "--teacher", "oracle"], "'oracle' is not one of"),
        (["--target", "size"], "column 'size' must have no missing label"),
    ],
)
def test_a_bad_argument_is_met_with_one_line_and_nothing_is_written(
    arguments: list[str], message: str, table: Path, tmp_path: Path
) -> None:
    result = run(table, *arguments, "--out", tmp_path / "out")
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv.gz"]


def test_an_existing_folder_is_refused_before_the_search_and_left_as_it_is(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    result = run(table, "--target", "kind", "--out", out)
    assert result.exit_code == 1
    assert f"--out must be a folder that does not exist yet, {out} does" in result.output
    assert list(out.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("multihop_search.cli.run.write_skops", broken)
    with pytest.raises(OSError, match="disk full"):
        run(
            table,
            "--target",
            "kind",
            "--student",
            "tree:1",
            "--teacher",
            "forest",
            "--trials",
            1,
            "--out",
            tmp_path / "o",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv.gz"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a CSV table"),
        (b"a,b\n1,x\n2,x\n3,x\n", "at least 2 classes"),
        (b"b\nx\ny\n", "must have a column beside the target"),
        (b"a,b\n1,x\n2,y\n", "at least 5 rows"),
        (gzip.compress(b"a,b\n1,x\n2,y\n"), "must be a CSV table"),
    ],
)
def test_a_bad_table_is_met_with_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    result = run(file, "--target", "b", "--teacher", "forest")
    assert result.exit_code == 1
    assert message in result.output


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run(tmp_path / "none.csv", "--target", "b")
    assert result.exit_code == 1
    assert "none.csv must be a CSV table" in result.output
