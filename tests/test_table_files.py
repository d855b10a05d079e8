"""Tables in files, as people save them: what is a label, what is a feature, and what is left out by name."""

import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from multihop_search.cli import main
from multihop_search.cli.data import read_table
from multihop_search.errors import InvalidData, MultihopWarning
from multihop_search.experiment.data import Source, split
from multihop_search.export.skops import read_skops

pytestmark = pytest.mark.once

N = 100


def features() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N)})


@pytest.fixture
def small_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    def teachers(*, regression: bool = False) -> dict[str, Any]:
        return {"forest": (RandomForestRegressor if regression else RandomForestClassifier)(12)}

    monkeypatch.setattr("multihop_search.cli.run.teachers", teachers)


def run(file: Path, *arguments: object) -> Result:
    usual = ["--target", "target", "--student", "tree:2", "--teacher", "forest", "--trials", "2"]
    return CliRunner().invoke(main, ["run", str(file), *usual, *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        file = tmp_path / "table.csv"
        file.write_text(text)
        return file

    return write


# ---- labels


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "NULL", "n/a", "<NA>", "#N/A", "NaN"])
def test_words_for_a_missing_value_are_classes_beside_other_words(word: str, csv: Any) -> None:
    table = read_table(csv(f'x,target\n1,{word}\nNA,yes\n,"{word}"\n4,"no, thanks"\n'), "target")
    assert list(table.y) == [word, "yes", word, "no, thanks"]
    assert list(table.X["x"].isna()) == [False, True, True, False]


def test_classes_that_are_all_words_for_a_missing_value(csv: Any) -> None:
    assert list(read_table(csv("x,target\n1,NA\n2,None\n3,null\n"), "target").y) == ["NA", "None", "null"]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ("NA,yes,", ["NA", "yes"]),
        ('"",yes,NA', ["yes", "NA"]),
        ("1,NA,2", [1, 2]),
        ("NA,True,False", [True, False]),
    ],
)
def test_empty_labels_and_words_beside_numbers_are_missing(cells: str, labels: list[Any], csv: Any) -> None:
    rows = "".join(f"{number},{cell}\n" for number, cell in enumerate(cells.split(",")))
    table = read_table(csv(f"x,target\n{rows}"), "target")
    assert table.y.tolist() == labels
    assert "1 of 3 rows have no label in 'target': they are left out" in table.notes()
    with pytest.raises(InvalidData, match="'target' must have labels, it has none"):
        read_table(csv("x,target\n1,\n2,\n"), "target")


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "2", "10"],
        ["0.1", "1e-3", "123456789.123456789"],
        ["True", "False", "True"],
        ["TRUE", "x", "1"],
        ["007", "12", "3"],
        ["9007199254740993", "2", "3"],
        ['"a ""b"""', "' c'", " d"],
    ],
)
def test_a_target_without_such_words_is_what_pandas_reads(cells: list[str], csv: Any) -> None:
    file = csv("x,target\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells)))
    pd.testing.assert_series_equal(read_table(file, "target").y, pd.read_csv(file)["target"])


@pytest.mark.usefixtures("small_forest")
def test_a_model_says_na(csv: Any, tmp_path: Path) -> None:
    X = features()
    labels = np.where(X["x"] > 0, "NA", "None")
    result = run(csv(X.assign(target=labels).to_csv(index=False)), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 classes of 'target'" in result.output
    assert (read_skops(tmp_path / "out" / "model.skops").predict(X) == labels).all()


@pytest.mark.usefixtures("small_forest")
def test_fractions_are_values_and_the_note_names_the_other_way(csv: Any, tmp_path: Path) -> None:
    X = features()
    stars = (np.clip(np.round(2 * (3 + X["x"])), 2, 10) / 2).to_numpy()
    result = run(csv(X.assign(target=stars).to_csv(index=False)), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "values of 'target'" in result.output
    assert "note: 'target' holds 9 different numbers that are not all whole: they are values to predict" in (
        result.output
    )
    assert np.corrcoef(read_skops(tmp_path / "out" / "model.skops").predict(X), stars)[0, 1] > 0.9
    words = read_table(csv(X.assign(target=[f"{star} stars" for star in stars]).to_csv(index=False)), "target")
    assert not words.is_regression


def test_whole_numbers_as_floats_are_classes(csv: Any) -> None:
    table = read_table(csv("x,target\n1,1.0\n2,2.0\n3,1.0\n"), "target")
    assert not table.is_regression
    assert table.notes() == ["'x' counts the rows: in a sorted table it gives the target away, and new rows need it "
        "too; leave it out of the table if it is no measurement"]  # fmt: skip


# ---- what is left out


@pytest.mark.usefixtures("small_forest")
def test_a_saved_index_is_left_out_by_name_and_the_model_takes_the_file_as_it_is(csv: Any, tmp_path: Path) -> None:
    """Sorted by class, the index would predict every label."""
    X = features()
    frame = X.assign(target=np.where(np.random.default_rng(1).random(N) < 0.5, "a", "b"))
    frame = frame.sort_values("target", ignore_index=True)
    file = csv(frame.to_csv())
    result = run(file, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "note: left out, an index that was saved with the table: 'Unnamed: 0'" in result.output
    assert "2 columns" in result.output
    model = read_skops(tmp_path / "out" / "model.skops")
    raw = pd.read_csv(file).drop(columns="target")
    assert list(model.predict(raw)) == list(model.predict(raw.drop(columns="Unnamed: 0")))
    assert (model.predict(raw) == frame["target"]).mean() < 0.9


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        (["", "x"], ["Unnamed: 0"]),
        (["", "Unnamed: 0", "x"], ["Unnamed: 0.1", "Unnamed: 0"]),
        (["__index_level_0__", "x"], ["__index_level_0__"]),
        (["index", "x"], ["index"]),
        (["x", "level_0"], ["level_0"]),
        (["x", "number"], []),
    ],
)
def test_names_that_a_saved_index_has(names: list[str], left_out: list[str], csv: Any) -> None:
    def row(number: int) -> str:
        return ",".join(str(number / 3) if name == "x" else str(number) for name in names)

    file = csv(
        ",".join([*names, "target"]) + "\n" + "".join(f"{row(number)},{'ab'[number % 2]}\n" for number in range(9))
    )
    table = read_table(file, "target")
    assert list(table.left_out) == left_out
    assert set(table.X.columns) == ({"x", "number"} if "number" in names else {"x"})


def test_a_shuffled_index_is_one_too_but_no_measurement_is(csv: Any) -> None:
    assert list(read_table(csv(",x,target\n7,1,a\n2,2,b\n"), "target").left_out) == ["Unnamed: 0"]
    for cells in ("0.5,1,a\n1.5,2,b\n", "p,1,a\nq,2,b\n", ",1,a\n1,2,b\n"):
        assert not read_table(csv(f",x,target\n{cells}"), "target").left_out
    assert not read_table(csv("index,x,target\n7,1,a\n2,2,b\n"), "target").left_out


def test_a_table_of_an_index_alone_is_refused(csv: Any) -> None:
    with pytest.raises(InvalidData, match="it has only 'Unnamed: 0', which cannot be used: add features"):
        read_table(csv(",target\n0,a\n1,b\n"), "target")


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow")
    frame = features()
    frame["target"] = np.where(frame["x"] > 0, "a", "b")
    frame["tags"] = pd.Series([["old", "red"], None] * (N // 2), dtype=object)
    frame["place"] = [{"lat": 1.0, "lon": 2.0}] * N
    frame["raw"] = [b"\x00\xff", b"a"] * (N // 2)
    frame["price"] = [decimal.Decimal(number) / 2 for number in range(N)]
    file = tmp_path / "table.parquet"
    frame.to_parquet(file)
    return file


@pytest.mark.usefixtures("small_forest")
def test_lists_structs_and_bytes_are_left_out_by_name(parquet: Path, tmp_path: Path) -> None:
    result = run(parquet, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "note: left out, lists, structs or bytes: 'tags', 'place', 'raw'" in result.output
    frame = pd.read_parquet(parquet)
    model = read_skops(tmp_path / "out" / "model.skops")
    assert (model.predict(frame.drop(columns="target")) == frame["target"]).all()


@pytest.mark.parametrize("target", ["tags", "place", "raw"])
def test_no_target_of_lists_structs_or_bytes(target: str, parquet: Path) -> None:
    with pytest.raises(InvalidData, match=f"'{target}' holds lists, structs or bytes: choose another or convert it"):
        read_table(parquet, target)


def test_a_target_of_decimals_is_one_of_numbers(parquet: Path) -> None:
    table = read_table(parquet, "price")
    assert table.is_regression
    assert list(table.y[:3]) == [0.0, 0.5, 1.0]


def test_an_experiment_reads_the_same(csv: Any, tmp_path: Path) -> None:
    csv(features().assign(target=["NA", "None"] * (N // 2)).to_csv())
    with pytest.warns(MultihopWarning, match="column 'Unnamed: 0' is left out, an index that was saved"):
        rows = split(Source("t", file="table.csv"), tmp_path, 50, 50, 0)
    assert rows.X.shape[1] == 2
    assert len(rows.classes) == 2
