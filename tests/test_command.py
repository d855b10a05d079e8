"""The command, run as a newcomer would."""

import errno
import gzip
import os
import resource
import signal
import subprocess
import sys
import time
import unicodedata
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click import ClickException
from click.testing import CliRunner, Result
from logs import lines_of, write_log
from sklearn.datasets import load_diabetes

import multihop_search.cli.run as command
from multihop_search.cli import main
from multihop_search.cli.data import read_table
from multihop_search.errors import CheckpointFailed, InvalidData, MultihopWarning, warn
from multihop_search.export.skops import read_skops
from multihop_search.search.refitting import Refitting
from multihop_search.search.run import Run

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("small_command")]


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


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """120 rows of two numbers, which need no preparation."""
    size = np.random.default_rng(0).normal(size=(120, 2))
    kinds = np.where(size[:, 0] > size[:, 1] ** 2 - 1, "keep", "drop")
    file = tmp_path / "numbers.csv"
    pd.DataFrame(size, columns=["size", "weight"]).assign(kind=kinds).to_csv(file, index=False)
    return file


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page and the figure, which cost as much as a search, are not written."""
    files = {name: write for name, write in command.FILES.items() if name not in ("report.html", "search.svg")}
    monkeypatch.setattr(command, "FILES", files)


def test_a_table_becomes_a_model_a_verdict_and_a_folder(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    result = run(table, "--target", "kind", "--student", "tree:2", "--teacher", "forest", "--trials", 2, "--out", out)
    assert result.exit_code == 0, result.output
    for word in (
        "120 rows",
        "path:",
        "teacher",
        "plain",
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
        "report.html",
        "results.csv",
        "search.svg",
        "steps.csv",
        "verdict.csv",
        "verdict.txt",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert len(pd.read_csv(out / "results.csv")) == 2
    assert len(pd.read_csv(out / "verdict.csv")) == 4  # a tree: the fourth row is that of its own fit
    printed = " ".join(result.output.replace("\n- ", "\n").split())
    assert " ".join((out / "verdict.txt").read_text().split()) in printed
    frame = pd.read_csv(table)
    raw = frame.drop(columns="kind")
    model = read_skops(out / "model.skops")
    assert (model.predict(raw) == frame["kind"]).mean() > 0.6
    assert set(model.predict(raw.assign(colour="violet", size=np.nan))) <= {"keep", "drop"}


def test_an_example_needs_no_file() -> None:
    result = run("--example", "wine", "--trials", 1, "--student", "tree:2", "--teacher", "boosting", "--timeout", 100)
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


QUICK = ["--target", "kind", "--student", "tree:1", "--teacher", "forest", "--trials", 1]


def test_a_file_that_cannot_be_written_costs_neither_the_others_nor_the_result(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(model: Any, file: Path) -> None:
        file.write_bytes(b"half")
        if "copies" not in str(file):
            raise OSError(errno.ENOSPC, "No space left on device")

    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("multihop_search.cli.run.write_skops", full)
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    result = run(numbers, *QUICK, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "path: " in result.output
    assert "plain" in result.output
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert f"model.skops could not be written to {tmp_path / 'out'} (" in error
    assert "No space left on device" in error
    assert "a copy of model.skops, results.csv" in error
    (copy,) = copies.glob("*/out")
    others = ["report.html", "results.csv", "search.svg", "steps.csv", "verdict.csv", "verdict.txt"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == others
    assert sorted(file.name for file in copy.iterdir()) == ["model.skops", *others]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copies", "numbers.csv", "out"]


def test_a_folder_that_is_made_in_the_meantime_costs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def summary(search: Any, facts: Any) -> str:
        (tmp_path / "out").mkdir()
        return "path: as found"

    def write(search: Any, facts: Any, file: Path) -> None:
        file.write_text("whole")

    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(command, "summary", summary)
    monkeypatch.setattr(command, "facts_of", lambda search: None)
    monkeypatch.setattr(command, "FILES", {"model.skops": write, "verdict.txt": write})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    with pytest.raises(ClickException, match=r"out was made by another .*: a copy of model\.skops, verdict\.txt is in"):
        command._hand_over(None, tmp_path / "out")
    assert [file.read_text() for file in tmp_path.glob("copies/*/out/*")] == ["whole", "whole"]
    assert not list((tmp_path / "out").iterdir())


SMALL = """
from functools import partial
from sklearn.ensemble import RandomForestClassifier
from multihop_search.cli import main, run
run.teachers = lambda regression: {"forest": RandomForestClassifier(3)}
run.MultihopSearchClassifier = partial(run.MultihopSearchClassifier, cv=2, crossfit_cv=2, intermediates=[])
main()
"""
"""A process of its own has a small search too."""


def test_on_a_full_disk_the_result_is_printed_and_one_sentence_says_what_is_missing(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of the process holds in every folder, so no copy can be whole."""
    hand_over, limits = command._hand_over, resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(*arguments: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            hand_over(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(command, "_hand_over", limited)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    result = run(numbers, *QUICK, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "plain" in result.stdout
    assert "Traceback" not in result.stderr
    assert "report.html" in result.stderr.splitlines()[-1]
    assert "could not be written" in result.stderr.splitlines()[-1]
    assert all(file.stat().st_size < 2000 for file in (tmp_path / "out").iterdir())
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_closed_pipe_costs_no_file(numbers: Path, tmp_path: Path) -> None:
    arguments = map(str, ["run", numbers, *QUICK, "--out", tmp_path / "out"])
    command = [sys.executable, "-c", SMALL, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "120 rows" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert len(list((tmp_path / "out").iterdir())) == 7


def test_a_place_without_room_is_refused_before_the_search(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    monkeypatch.setattr("multihop_search.cli.run.read_table", full)
    result = run(table, *QUICK, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{tmp_path} cannot hold one (No space left on device): choose another." in result.output


# ---- what the terminal is spared


HOSTILE = "\x1b]0;title\x07\x1b[2J\u202e\u200b\x85"


def test_no_letter_of_the_users_data_reaches_the_terminal_unseen(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).rename(columns={"size": f"size{HOSTILE}\n"})
    frame["kind"] += HOSTILE
    frame[f"id{HOSTILE}"] = [f"row {number}" for number in range(120)]
    file, out = tmp_path / f"t{HOSTILE[:5]}.csv", tmp_path / "out"
    frame.to_csv(file, index=False)
    results = [
        run(file, *QUICK, "--out", out),
        run(file, "--target", "none"),
        run(file, "--target", f"size{HOSTILE}\n"),
    ]
    assert "keep\\x1b]0;title" in results[0].output
    assert "size\\x1b" in results[0].output
    for text in [*(result.output for result in results), (out / "verdict.txt").read_text()]:
        assert not [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf"} and letter not in "\r\n"]


def test_errors_and_warnings_spell_out_hidden_letters() -> None:
    assert str(InvalidData(f"a{HOSTILE}")) == r"a\x1b]0;title\x07\x1b[2J\u202e\u200b\x85"
    assert str(CheckpointFailed("\x1b")) == r"\x1b"
    with pytest.warns(MultihopWarning) as given:
        warn("a\x1b[31m", MultihopWarning)
    assert str(given[0].message) == r"a\x1b[31m"


@pytest.mark.usefixtures("no_figures")
def test_without_a_terminal_of_any_kind_the_command_works(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under pythonw."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    main(["run", *map(str, [numbers, *QUICK, "--out", tmp_path / "out"])], standalone_mode=False)
    assert len(list((tmp_path / "out").iterdir())) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a CSV table"),
        (b"a,b\n1,x\n2,x\n3,x\n", "at least 2 classes"),
        (b"b\nx\ny\n", "must have a column beside the target"),
        (b"a,b\n1,x\n2,y\n", "cv=2 needs a class of at least 2 rows"),
        (gzip.compress(b"a,b\n1,x\n2,y\n", mtime=0), "must be a CSV table"),
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


@pytest.mark.usefixtures("no_figures")
def test_a_signal_is_answered_at_once_and_the_best_so_far_is_handed_over(
    numbers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def stop(study: Any, trial: Any) -> None:
        if trial.number == 1:
            signal.raise_signal(signal.SIGTERM)

    def conclude(self: Any, *args: Any) -> None:
        sys.stderr.flush()
        heard.append(sys.stderr.buffer.getvalue().decode())  # said before anything else is fitted
        original(self, *args)

    original = Run._conclude
    monkeypatch.setattr(Run, "_conclude", conclude)
    monkeypatch.setattr(
        command, "MultihopSearchClassifier", partial(command.MultihopSearchClassifier, callbacks=[stop])
    )
    result = run(numbers, "--target", "kind", "--student", "tree:2", "--teacher", "forest", "--trials", 4)
    said = "SIGTERM ended the search after 2 of 4 trials: the best of them is fitted and judged now"
    assert result.exit_code == 0
    assert said in heard[0]
    assert f"note: {said}" in result.stdout


def test_what_cannot_be_fitted_again_for_the_comparison_costs_no_file(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(Refitting, "refit_trials", full)
    out = tmp_path / "out"
    result = run(numbers, "--target", "kind", "--student", "tree:2", "--trials", 2, "--out", out)
    assert result.exit_code == 0, result.output
    assert {file.name for file in out.iterdir()} == set(command.FILES)
    assert "means over the folds" in (out / "report.html").read_text(encoding="utf-8")


# ---- several students, a budget


@pytest.mark.usefixtures("no_figures")
def test_several_students_keep_to_the_budget(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    students = ["tree:3", "logistic"]
    arguments = [
        "--student",
        ",".join(students),
        "--budget",
        "nodes=7,features=3",
        "--teacher",
        "forest",
        "--trials",
        2,
    ]
    result = run(table, "--target", "kind", *arguments, "--out", out)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    compared = [line for line in lines if line.startswith(("plain ", "ours "))]
    assert {f"ours {student}" for student in students} < {" ".join(line.split()[:2]) for line in compared}
    for line in compared:
        nodes, features = line.split()[-4:-2]
        assert int(nodes) <= 7
        assert int(features) <= 3
    results = pd.read_csv(out / "results.csv")
    assert list(results["student"]) == students * 2
    assert (results["nodes"].max(), results["n_features_used"].max()) <= (7, 3)
    assert results["n_features_used"].le(3).all()
    frame = pd.read_csv(table)
    assert set(read_skops(out / "model.skops").predict(frame.drop(columns="kind"))) <= {"keep", "drop"}


@pytest.mark.usefixtures("no_figures")
def test_a_budget_binds_what_would_be_larger(tmp_path: Path) -> None:
    largest = []
    for budget in ([], ["--budget", "nodes=5"]):
        out = tmp_path / str(len(budget))
        result = run(
            "--example", "wine", "--student", "tree:4", "--teacher", "forest", "--trials", 2, *budget, "--out", out
        )
        assert result.exit_code == 0, result.output
        largest.append(pd.read_csv(out / "results.csv")["nodes"].max())
    assert largest[1] <= 5 < largest[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "nodes"], "--budget must be NAME=NUMBER items with commas between, got 'nodes'"),
        (["--budget", "nodes=many"], "--budget must be NAME=NUMBER items with commas between, got 'nodes=many'"),
        (["--budget", "nodes=7,"], "--budget must be NAME=NUMBER items with commas between, got ''"),
        (["--budget", "nodes=0"], "budget['nodes'] must be a positive number, got 0.0"),
        (["--budget", "features=-2"], "budget['features'] must be a positive number, got -2.0"),
        (["--budget", "nodes=nan"], "budget['nodes'] must be a positive number, got nan"),
        (["--budget", "nodes=inf"], "budget['nodes'] must be a positive number, got inf"),
        (["--budget", "depth=3"], "budget must name bounds among nodes, features, size_bytes, latency_us, got 'depth'"),
        (["--budget", "nodes=7,nodes=9"], "--budget must name each bound once, got 'nodes' twice"),
        (["--budget", "size_bytes=10"], "some student must be within the budget, none is"),
        (["--student", "tree:2,tree:2"], "--student must name each student once, got 'tree:2' twice"),
        (["--student", "tree:2,"], "--student must be tree:DEPTH, logistic or boosting:ROUNDS, or several"),
        (["--student", "tree:2,oak:3"], "or several with commas between, got 'oak:3'"),
        (["--student", "tree"], "got 'tree': pass for instance tree:4"),
        (["--student", "tree:-1"], "got 'tree:-1'"),
        (["--student", "tree:2.5"], "got 'tree:2.5'"),
        (["--student", "tree:²"], "got 'tree:²'"),  # `isdigit` takes it for a number
        (["--student", "linear"], "--student must be tree:DEPTH, logistic or boosting:ROUNDS"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--timeout", "0"], "0 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--address", "nowhere"], "address must be None, 'auto' or 'host:port', got 'nowhere'"),
        (["--address", "ray://here:1"], "a Ray client: submit this program as a job"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_bad_option_is_met_with_one_line_and_nothing_is_written(
    arguments: list[str], message: str, table: Path, tmp_path: Path
) -> None:
    usual = ["--target", "kind", "--student", "tree:1", "--teacher", "forest", "--trials", "1"]
    result = run(table, *usual, *arguments, "--out", tmp_path / "out")
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(error) < 400
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv.gz"]


# ---- values


@pytest.mark.usefixtures("no_figures")
def test_a_table_of_values_is_a_regression(tmp_path: Path) -> None:
    out = tmp_path / "out"
    students = ["--student", "tree:3,linear"]
    result = run("--example", "diabetes", *students, "--teacher", "forest", "--trials", 3, "--out", out)
    assert result.exit_code == 0, result.output
    assert "442 rows, 10 columns, values of 'target'" in result.output
    header = next(line for line in result.output.splitlines() if "rmse" in line)
    assert header.split()[:2] == ["rmse", "r2"]
    teacher = next(line for line in result.output.splitlines() if line.startswith("teacher"))
    assert 50 < float(teacher.split()[1]) < 75
    assert 0.1 < float(teacher.split()[2]) < 0.6
    assert "squared error" in result.output
    assert "accuracy" not in result.output
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    predicted = read_skops(out / "model.skops").predict(X)
    assert np.corrcoef(predicted, y)[0, 1] > 0.4
    assert (pd.read_csv(out / "results.csv")["score"] < 0).all()


@pytest.mark.usefixtures("no_figures")
def test_a_table_with_gaps_and_words_is_a_regression_too(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns="kind")
    frame["price"] = np.where(frame["colour"] == "red", 10.0, 3.0) + np.arange(120) / 40
    file, out = tmp_path / "prices.csv", tmp_path / "out"
    frame.to_csv(file, index=False)
    result = run(file, "--target", "price", "--student", "linear", "--teacher", "forest", "--trials", 1, "--out", out)
    assert result.exit_code == 0, result.output
    assert "values of 'price'" in result.output
    assert "colour_red" in result.output
    predicted = read_skops(out / "model.skops").predict(frame.drop(columns="price"))
    red = (frame["colour"] == "red").to_numpy()
    assert predicted[red].mean() - predicted[~red].mean() > 4


@pytest.mark.parametrize(("n_values", "kind"), [(20, "20 classes"), (21, "values")])
def test_more_than_20_numbers_are_values(n_values: int, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    frame = pd.DataFrame({"x": np.arange(210.0), "y": np.arange(210) % n_values})
    frame.to_csv(file, index=False)
    result = run(file, "--target", "y", "--student", "tree:2", "--teacher", "forest", "--trials", 1)
    assert result.exit_code == 0, result.output
    assert f"210 rows, 1 columns, {kind} of 'y'" in result.output


def test_a_student_for_classes_does_not_serve_values() -> None:
    result = run("--example", "diabetes", "--student", "logistic", "--trials", 1)
    assert result.exit_code == 1
    assert "--student must be tree:DEPTH, linear or boosting:ROUNDS" in result.output


# ---- what is read and what is left out


def test_a_parquet_table_is_read_as_its_csv_is(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "table.parquet"
    pd.read_csv(table).to_parquet(file)
    one, other = (read_table(source, "kind") for source in (table, file))
    assert (one.name, other.name) == (table.name, file.name)
    assert other.X.shape == (120, 3)
    pd.testing.assert_frame_equal(one.X, other.X)
    pd.testing.assert_series_equal(one.y, other.y)
    assert one.left_out == other.left_out


@pytest.mark.usefixtures("no_figures")
def test_a_parquet_table_keeps_its_categories(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    wood = pd.Categorical(rng.choice(["ash", "oak", "elm"], size=90), categories=["elm", "ash", "oak", "yew"])
    frame = pd.DataFrame({"wood": wood, "cm": rng.normal(size=90).astype("float32"), "old": rng.random(90) < 0.5})
    frame["sold"] = wood == "oak"
    frame["cm"] = frame["cm"].mask(rng.random(90) < 0.1)
    file, out = tmp_path / "wood.pq", tmp_path / "out"
    frame.to_parquet(file)
    usual = ["--target", "sold", "--student", "tree:1", "--teacher", "forest", "--trials", 1]
    result = run(file, *usual, "--out", out)
    assert result.exit_code == 0, result.output
    assert "wood_oak" in result.output
    predicted = read_skops(out / "model.skops").predict(pd.read_parquet(file).drop(columns="sold"))
    assert (np.asarray(predicted).astype(str) == frame["sold"].astype(str)).all()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1broken"])
def test_a_broken_parquet_file_is_met_with_one_line(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "broken.parquet"
    file.write_bytes(content)
    result = run(file, "--target", "b")
    assert result.exit_code == 1
    assert "broken.parquet must be a Parquet table, it could not be read" in result.output


def test_without_pyarrow_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(file: Path) -> None:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    result = run(tmp_path / "table.parquet", "--target", "b")
    assert result.exit_code == 1
    assert "needs pyarrow, which is not here: pip install multihop_search[parquet]" in result.output


@pytest.mark.usefixtures("no_figures")
def test_names_dates_and_texts_are_said_to_be_left_out(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame["id"] = [f"row {number}" for number in range(120)]
    frame["day"] = pd.date_range("2020-01-01", periods=120).astype(str)
    file, out = tmp_path / "ids.csv", tmp_path / "out"
    frame.to_csv(file, index=False)
    result = run(file, "--target", "kind", "--student", "tree:2", "--teacher", "forest", "--trials", 1, "--out", out)
    assert result.exit_code == 0, result.output
    assert "left out, nearly all different: id, day" in result.output
    model = read_skops(out / "model.skops")
    others = frame.assign(id="another", day="unknown").drop(columns="kind")
    assert list(model.predict(others)) == list(model.predict(frame.drop(columns="kind")))


def test_a_table_of_names_alone_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    pd.DataFrame({"id": [f"row {n}" for n in range(60)], "y": [0, 1] * 30}).to_csv(file, index=False)
    result = run(file, "--target", "y", "--student", "tree:1", "--teacher", "forest", "--trials", 1)
    assert result.exit_code == 1
    assert "X must have a column of numbers or categories" in result.output


@pytest.mark.parametrize("student", ["logistic", "boosting:3"])
@pytest.mark.usefixtures("no_figures")
def test_the_saved_model_takes_the_raw_table(student: str, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(table, "--target", "kind", "--student", student, "--teacher", "forest", "--trials", 1, "--out", out)
    assert result.exit_code == 0, result.output
    model = read_skops(out / "model.skops")
    raw = pd.read_csv(table).drop(columns="kind")
    assert raw["size"].isna().any()
    assert raw["colour"].isna().any()
    assert (model.predict(raw) == pd.read_csv(table)["kind"]).mean() > 0.6
    strange = raw.assign(colour="violet", size=np.nan)
    assert set(model.predict(strange)) <= {"keep", "drop"}
    assert model.predict_proba(raw).shape == (120, 2)


# ---- where it runs


@pytest.mark.usefixtures("no_figures")
def test_jobs_on_a_small_search_are_noted_and_change_nothing(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multihop_search.search.where.WORTH_STARTING_S", 1e9)  # however slow this machine is
    kept = []
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        usual = ["--target", "kind", "--student", "tree:2", "--teacher", "forest", "--trials", 2, "--jobs", jobs]
        result = run(numbers, *usual, "--out", out)
        assert result.exit_code == 0, result.output
        assert ("note: n_jobs=2 was asked for about" in result.output) == (jobs == 2)
        results = pd.read_csv(out / "results.csv").drop(columns=["fit_seconds", "latency_us", "on_front"])
        kept.append((results, (out / "verdict.csv").read_bytes(), (out / "verdict.txt").read_text()))
    pd.testing.assert_frame_equal(kept[0][0], kept[1][0], check_exact=True)
    assert kept[0][1:] == kept[1][1:]


def test_a_cluster_that_is_not_there_is_told_in_seconds(tmp_path: Path) -> None:
    """In a process of its own: one that is connected to Ray already would stay with that."""
    arguments = ["--example", "wine", "--student", "tree:1", "--teacher", "forest", "--trials", "1"]
    command = [sys.executable, "-c", "from multihop_search.cli import main; main()", "run", *arguments]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--address", "127.0.0.1:1", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert time.monotonic() - began < 60
    assert done.returncode == 1
    first, *_, error = done.stderr.strip().splitlines()
    assert first == "reading wine"
    assert error.startswith("Error: a Ray cluster must listen at 127.0.0.1:1, it does not (")
    assert error.endswith("start it or correct the address.")
    assert list(tmp_path.iterdir()) == []


def test_a_search_with_a_checkpoint_goes_on_from_there(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (
        numbers,
        "--target",
        "kind",
        "--student",
        "tree:2",
        "--teacher",
        "forest",
        "--checkpoint",
        tmp_path / "log",
    )
    first = run(*arguments, "--trials", 2)
    assert first.exit_code == 0, first.output

    def never(*args: Any) -> None:
        raise AssertionError("a fold was run again")

    with monkeypatch.context() as watched:
        watched.setattr("multihop_search.engine.prefixes.judge", never)
        again = run(*arguments, "--trials", 2)
    assert again.exit_code == 0, again.output
    said = [result.output[: result.output.index("\n\npath: ")] for result in (first, again)]
    sentences = [before[before.rindex("trial/s") :].split("\n", 1)[1] for before in said]
    assert len(sentences[0]) > 100
    assert sentences[0] == sentences[1]
    (log,) = (tmp_path / "log").iterdir()
    other = run(*arguments, "--trials", 1, "--seed", 1)
    assert "note: checkpoint holds 1 log(s) of other searches, the most alike differs in random_state: " in (
        other.output
    )
    header, *paths = lines_of(log)
    write_log(log, [{**header, "versions": {**header["versions"], "numpy": "1.0"}}, *paths])
    refused = run(*arguments, "--trials", 2)
    assert refused.exit_code == 1
    assert "Error: checkpoint must be resumed under the versions that began it" in refused.output


def test_a_teacher_that_is_none_of_values_is_refused_in_a_sentence() -> None:
    result = CliRunner().invoke(main, ["run", "--example", "diabetes", "--teacher", "extra-trees"])
    assert result.exit_code == 1
    assert "Error: --teacher must be one for values, forest, boosting, vote or auto, got 'extra-trees'" in result.output
