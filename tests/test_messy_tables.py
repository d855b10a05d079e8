"""Tables as people have them: what is said of each, what is used, and that nothing vanishes without a reason."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multihop_search.cli.cleaning import cleaned, numbers_of, separator_of, telling_columns
from multihop_search.cli.data import read_table
from multihop_search.errors import InvalidData

pytestmark = pytest.mark.once

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "tables"
KINDS = ["yes", "no", "no", "no", "yes"] * 8


def written(tmp_path: Path, text: str, name: str = "table.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def table(tmp_path: Path, head: str, cells: list[str], separator: str = ",") -> Path:
    """Write a table of one column of these cells, over and over, beside a number and the target."""
    rows = [separator.join((cells[n % len(cells)], str(n % 7), kind)) for n, kind in enumerate(KINDS)]
    return written(tmp_path, "\n".join([separator.join((head, "size", "kind")), *rows]))


@pytest.mark.parametrize(
    ("cells", "numbers", "note"),
    [
        (['"$1,000.00"', '"$2,500.50"'], [1000.0, 2500.5], "read as numbers, without their signs and commas: 'x'"),
        (["5 %", "7.5 %"], [5.0, 7.5], "read as numbers, without their signs and commas: 'x'"),
        (["1.5", "?", "2.5"], [1.5, np.nan, 2.5], "'?' read as missing in 'x' (13 values)"),
        (["1", "missing", "-", "3"], [1.0, np.nan, np.nan, 3.0], "'missing', '-' read as missing in 'x' (20 values)"),
        (['"1,5"', '"2,25"'], [1.5, 2.25], "read as numbers, without their signs and commas: 'x'"),
        (["€ 3", "4 €"], [3.0, 4.0], "read as numbers, without their signs and commas: 'x'"),
        (["-$3", "4"], [-3.0, 4.0], "read as numbers, without their signs and commas: 'x'"),
        (["1 000", "12 345.5"], [1000.0, 12345.5], "read as numbers, without their signs and commas: 'x'"),
        (['"0,125"', '"1,250"'], [0.125, 1.25], "read as numbers, without their signs and commas: 'x'"),
        (['"1,250"', '"3"'], [1250.0, 3.0], "read as numbers, without their signs and commas: 'x'"),
        (["-1", "Unknown"], [-1.0, np.nan], "'Unknown' read as missing in 'x' (20 values)"),
    ],
)
def test_numbers_with_marks_stay_numbers_and_it_is_said(tmp_path, cells, numbers, note):
    read = read_table(table(tmp_path, "x", cells), "kind")
    np.testing.assert_array_equal(read.X["x"].to_numpy()[: len(numbers)], numbers)
    assert note in read.notes()


@pytest.mark.parametrize(
    "cells",
    [
        ["red", "blue"],
        ["1", "two"],
        ["12:30", "1:15"],
        ["?", "-"],
        ["5 %", "0.07"],
        ["3 4", "5 6"],
        ["1 234 5", "1"],
        ["$", "€"],
        ['"1,5"', "2.5", '"1,000"'],
    ],
)
def test_what_is_no_number_stays_as_it_is(tmp_path, cells):
    read = read_table(table(tmp_path, "x", cells), "kind")
    assert read.X["x"].tolist()[:2] == [cell.strip('"') for cell in cells[:2]]
    assert not read.notes()


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_the_separator_is_found_out_and_said(tmp_path, separator, is_packed):
    file = table(tmp_path, "x", ["1,5", "2,5"], separator)
    if is_packed:
        packed = tmp_path / "table.csv.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        file = packed
    read = read_table(file, "kind")
    assert list(read.X) == ["x", "size"]
    assert read.X["x"].tolist()[:2] == [1.5, 2.5]
    assert f"cells are separated by {separator!r}" in read.notes()


def test_a_parquet_table_has_no_separator(tmp_path):
    pytest.importorskip("pyarrow")
    file = tmp_path / "table.parquet"
    pd.DataFrame({"a;b": ["x;y;z"] * 40, "code": ["01", "02"] * 20, "kind": KINDS}).to_parquet(file)
    read = read_table(file, "kind")
    assert read.X["code"].tolist()[:2] == ["01", "02"]
    assert read.notes() == []


def test_one_column_needs_no_separator(tmp_path):
    assert separator_of(written(tmp_path, "kind\nyes\nno\n")) == ","
    assert separator_of(tmp_path / "absent.csv") == ","


def test_a_column_that_is_left_out_is_named_with_the_reason(tmp_path):
    rows = [f"{n},,{kind},{kind}" for n, kind in enumerate(KINDS)]
    read = read_table(written(tmp_path, "\n".join(["size,empty,kind,kind", *rows])), "kind")
    assert list(read.X) == ["size"]
    assert dict(read.left_out) == {"kind.1": "the target once more", "empty": "no values"}
    assert "left out, the target once more: 'kind.1'" in read.notes()


def test_a_column_that_tells_the_target_is_kept_and_warned_of(tmp_path):
    rows = [f"{n % 7},{'bad' if kind == 'no' else 'good'},{kind}" for n, kind in enumerate(KINDS)]
    read = read_table(written(tmp_path, "\n".join(["size,outcome,kind", *rows])), "kind")
    assert list(read.X) == ["size", "outcome"]
    note = "'outcome' tells 'kind' exactly: leave it out of the table if it is not known in time"
    assert note in read.notes()
    numbers = pd.DataFrame({"id": range(4), "half": [0, 0, 1, 1], "most": [0, 0, 0, 1]})
    assert telling_columns(numbers, pd.Series(["a", "a", "b", "b"])) == ["half"]
    assert telling_columns(numbers, pd.Series([1.0, 2.0, 3.0, 4.0])) == []  # an identifier tells nothing of new rows


def test_rows_without_a_label_are_left_out_and_counted(tmp_path):
    rows = [f"{n},{kind if n > 3 else ''}" for n, kind in enumerate(KINDS)]
    read = read_table(written(tmp_path, "\n".join(["size,kind", *rows])), "kind")
    assert len(read.X) == len(read.y) == 36
    assert "4 of 40 rows have no label in 'kind': they are left out" in read.notes()
    with pytest.raises(InvalidData, match="column 'kind' must have labels, it has none: choose another"):
        read_table(written(tmp_path, "size,kind\n1,\n2,\n"), "kind")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path):
    file = written(tmp_path, "size,kind \n1,yes\n2,no\n")
    with pytest.raises(InvalidData, match=r"got 'kind': did you mean 'kind '\? Its columns are 'size', 'kind '\."):
        read_table(file, "kind")
    with pytest.raises(InvalidData, match=r"got 'colour': its columns are 'size', 'kind '\."):
        read_table(file, "colour")


def test_a_comma_is_decimal_where_it_separates_no_cells(tmp_path):
    read = read_table(table(tmp_path, "x", ["1,234", "2,345"], ";"), "kind")
    assert read.X["x"].tolist()[:2] == [1.234, 2.345]


def test_a_target_of_numbers_with_signs_is_one_of_values(tmp_path):
    rows = [f'{n},"${n + 1},000.50"' for n in range(40)]
    read = read_table(written(tmp_path, "\n".join(["size,price", *rows])), "price")
    assert read.is_regression
    assert read.y.tolist()[:2] == [1000.5, 2000.5]
    assert "read as numbers, without their signs and commas: the target 'price'" in read.notes()


def test_columns_of_any_name_are_read(tmp_path):
    frame = pd.DataFrame({0: ["$1", "$2"] * 10, "0": ["a", "b"] * 10, "kind": KINDS[:20]})
    clean, notes = cleaned(frame[[0, "0"]])
    assert list(clean.columns) == [0, "0"]
    assert clean[0].tolist()[:2] == [1.0, 2.0]
    assert clean["0"].tolist()[:2] == ["a", "b"]
    assert len(notes) == 1
    twice = pd.concat([frame[[0]], frame[[0]]], axis=1)
    assert cleaned(twice)[0].to_numpy().tolist()[:2] == [[1.0, 1.0], [2.0, 2.0]]


def test_numbers_that_were_written_as_text_stay_text():
    assert numbers_of(pd.Series(["01", "02"])) is None


def test_numbers_are_left_alone():
    assert numbers_of(pd.Series([1.0, 2.0])) is None
    assert numbers_of(pd.Series([None, None], dtype=object)) is None
    assert numbers_of(pd.Series(["1", 2], dtype=object)) is None


@pytest.mark.skipif(not CASES.exists(), reason=f"the tables that failed are not here: {CASES} is absent")
@pytest.mark.parametrize(
    ("name", "columns", "note"),
    [
        ("currency", 7, "'price', 'pct'"),
        ("dup_target", 5, "the target once more: 'target.1'"),
        ("empty_column", 5, "no values: 'empty'"),
        ("missing_codes", 5, "read as missing in 'x0', 'x3', 'x4'"),
        ("missing_target", 5, "16 of 300 rows have no label"),
        ("semicolon", 5, "cells are separated by ';'"),
    ],
)
def test_tables_that_failed_are_read(name, columns, note):
    read = read_table(CASES / f"{name}.csv", "target")
    assert read.X.shape[1] == columns
    assert all(pd.api.types.is_numeric_dtype(column) for _, column in read.X.items())
    assert any(note in one for one in read.notes())
