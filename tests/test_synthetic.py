"""Synthetic rows: values by hand, rows nested over sizes, columns that keep their kind and range, refusals."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multihop_search.errors import InvalidData
from multihop_search.transfer.synthetic import MOST_CANDIDATES, munge


def rounds(seed=0):
    return lambda number: np.random.default_rng([seed, number + 1])


def mixed_frame(n_rows, seed=0):
    """One column of each kind that a frame can have, missing values where the kind has them."""
    rng = np.random.default_rng(seed)
    gone = rng.random(n_rows) < 0.2
    real, whole = rng.normal(size=n_rows) + 0.25, rng.integers(-3, 4, n_rows)
    text = rng.choice(["ash", "birch", "cedar"], n_rows).astype(object)
    holes = np.where(gone, None, text)
    return pd.DataFrame(
        {
            "float64": np.where(gone, np.nan, real),
            "float32": real.astype(np.float32),
            "infinite": np.where(gone, np.inf, real),
            "whole float": np.where(gone, np.nan, whole),
            "int8": whole.astype(np.int8),
            "uint16": (whole + 3).astype(np.uint16),
            "bool": real > 0,
            "object": pd.Series(holes, dtype=object),
            "object numbers": pd.Series(np.where(gone, None, real), dtype=object),
            "inferred text": text.tolist(),
            "string": pd.array(holes, dtype="string"),
            "category": pd.Categorical(holes, categories=["cedar", "birch", "ash", "never"], ordered=True),
            "number category": pd.Categorical(whole),
            "Int64": pd.array(np.where(gone, None, whole), dtype="Int64"),
            "Float32": pd.array(np.where(gone, None, real.astype(np.float32)), dtype="Float32"),
            "boolean": pd.array(np.where(gone, None, real > 0), dtype="boolean"),
            "constant": np.full(n_rows, 2.5),
            "nothing": np.full(n_rows, np.nan),
            "nothing at all": pd.Series([None] * n_rows, dtype=object),
        },
        index=np.arange(n_rows) * 10,
    )


REAL = ["float64", "float32", "infinite", "object numbers", "Float32", "constant"]


# Values worked by hand


def test_two_rows_are_each_others_partners():
    X = np.array([[0.5, 1.0], [2.75, 4.0]])
    made = munge(X, 2, rounds(3), swap=1.0)
    rng = rounds(3)(0)
    rng.integers(1, size=2)  # which neighbour
    rng.random(2)  # whether the first column changes
    around = np.array([2.75, 0.5]) + rng.standard_normal(2) * 2.25
    np.testing.assert_allclose(made.X[:, 0], np.clip(around, 0.5, 2.75))
    assert made.X[:, 1].tolist() == [4.0, 1.0]  # a whole-number column swaps


def test_without_spread_the_partners_value_is_taken():
    X = pd.DataFrame({"a": [0.5, 2.75], "b": ["x", "y"]})
    made = munge(X, 4, rounds(), swap=1.0, spread=0.0)
    assert made.X.to_numpy().tolist() == [[2.75, "y"], [0.5, "x"]] * 2


def test_without_swap_rows_stay():
    X = mixed_frame(30)
    made = munge(X, 45, rounds(), swap=0.0)
    pd.testing.assert_frame_equal(made.X, X.iloc[np.arange(45) % 30].reset_index(drop=True))


def test_partners_are_the_five_nearest_and_never_the_row_itself():
    X = np.arange(40.0)[:, None] + 0.5 * (np.arange(40)[:, None] % 2)  # not whole
    made = munge(X, 40 * 30, rounds(), swap=1.0, spread=0.0)
    for row in range(40):
        by_distance = np.abs(X[:, 0] - X[row, 0])
        by_distance[row] = np.inf
        fifth = np.sort(by_distance)[4]
        taken = np.unique(made.X[made.parent == row, 0])
        assert len(taken) == 5
        assert (np.abs(taken - X[row, 0]) <= fifth).all()
        assert X[row, 0] not in taken


def test_a_category_counts_as_one_standard_deviation():
    # Column "a" has standard deviation 1: row 0 is nearer to the rows of its own category at 0.9 than to its copy in
    # the other category at 1.
    a = np.array([0.0] + [0.9] * 5 + [0.0])
    a = (a - a.mean()) / a.std()
    far = pd.DataFrame({"a": a, "b": ["x"] * 6 + ["y"]})
    distance = abs(a[0] - a[1])
    assert distance > 1  # so the copy is one of the five nearest
    made = munge(far, 7 * 40, rounds(), swap=1.0, spread=0.0)
    assert "y" in set(made.X["b"][made.parent == 0])
    near = far.assign(c=["p"] * 6 + ["q"], d=["p"] * 6 + ["q"], e=["p"] * 6 + ["q"], f=["p"] * 6 + ["q"])
    assert distance < np.sqrt(5)  # five mismatches put it last
    made = munge(near, 7 * 40, rounds(), swap=1.0, spread=0.0)
    assert "y" not in set(made.X["b"][made.parent == 0])


def test_unit_and_origin_of_a_column_do_not_matter():
    X = np.random.default_rng(0).integers(-200, 200, (100, 2)) / 64  # so that both changes are exact
    unit, origin = np.array([1.0, 4.0]), np.array([0.0, 4096.0])
    there = (munge(X * unit + origin, 300, rounds(), spread=0.0).X - origin) / unit
    here = munge(X, 300, rounds(), spread=0.0).X
    assert (there == here).mean() > 0.98  # equally near rows may change places


def test_changes_come_as_often_as_asked_for():
    X = np.random.default_rng(0).normal(size=(400, 5))
    made = munge(X, 4000, rounds(), swap=0.3)
    assert abs((X[made.parent] != made.X).mean() - 0.3) < 0.02


def test_missing_numbers_are_taken_as_they_are():
    X = pd.DataFrame({"a": [0.5, np.nan], "b": pd.array([None, 0.5], dtype="Float64")})
    made = munge(X, 2, rounds(), swap=1.0).X
    assert made["a"].isna().tolist() == [True, False]
    assert made["a"][1] == 0.5
    assert made["b"].isna().tolist() == [False, True]
    assert made["b"][0] == 0.5


# What holds for any rows


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 150), st.integers(0, 150), st.integers(0, 5))
def test_rows_are_nested_and_keep_their_kind(n_rows, small, large, seed):
    small, large = sorted([small, large])
    X = mixed_frame(n_rows, seed)
    before = X.copy(deep=True)
    made = munge(X, large, rounds(seed))
    fewer = munge(X, small, rounds(seed))
    pd.testing.assert_frame_equal(X, before)
    pd.testing.assert_frame_equal(fewer.X, made.X.iloc[:small])
    assert made.X.columns.equals(X.columns)
    pd.testing.assert_series_equal(made.X.dtypes, X.dtypes)
    assert isinstance(made.X.index, pd.RangeIndex)
    assert made.parent.dtype == np.intp
    assert made.parent.tolist() == [row % n_rows for row in range(large)]
    for name in X:
        new, old = made.X[name].dropna(), X[name].dropna()
        if name not in REAL:
            assert set(new) <= set(old)
        elif len(new):
            assert old.astype(float).min() <= new.astype(float).min()
            assert new.astype(float).max() <= old.astype(float).max()
        if not X[name].isna().any():
            assert not made.X[name].isna().any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=64), min_size=1, max_size=30),
    st.sampled_from([np.float64, np.float32, object]),
    st.floats(0, 10),
)
def test_any_numbers_stay_in_range(values, dtype, spread):
    with np.errstate(over="ignore"):
        X = np.array(values)[:, None].astype(dtype)
    made = munge(X, 70, rounds(), swap=1.0, spread=spread).X
    assert made.dtype == X.dtype
    old = X.astype(float)[np.isfinite(X.astype(float))]
    new = made.astype(float)[np.isfinite(made.astype(float))]
    if len(new):
        assert old.min() <= new.min()
        assert new.max() <= old.max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8, bool, "U3", object])
def test_arrays_keep_shape_and_dtype(dtype):
    X = np.random.default_rng(0).integers(0, 2, (50, 4)).astype(dtype)
    made = munge(X, 120, rounds())
    assert made.X.shape == (120, 4)
    assert made.X.dtype == X.dtype
    assert set(made.X.ravel().tolist()) <= set(X.ravel().tolist())
    assert munge(X, 0, rounds()).X.dtype == X.dtype


def test_object_arrays_are_read_column_by_column():
    X = np.array([[0.5, "x", 1, None], [1.25, "y", 2, "p"], [9.5, None, 3, "q"]], dtype=object)
    made = munge(X, 300, rounds()).X
    assert len(set(made[:, 0])) > 3
    assert all(0.5 <= value <= 9.5 for value in made[:, 0])
    assert set(made[:, 1]) == {"x", "y", None}
    assert set(made[:, 2]) == {1, 2, 3}
    assert set(made[:, 3]) == {None, "p", "q"}


def test_an_array_and_its_frame_give_the_same_rows():
    X = np.random.default_rng(0).normal(size=(60, 3))
    np.testing.assert_array_equal(munge(X, 150, rounds()).X, munge(pd.DataFrame(X), 150, rounds()).X.to_numpy())


def test_large_whole_numbers_are_exact():
    X = np.array([[2**62 + 1], [2**62 + 3], [2**62 + 5]])
    assert set(munge(X, 60, rounds()).X.ravel().tolist()) == set(X.ravel().tolist())


# Edges


def test_one_row_is_its_own_partner():
    X = mixed_frame(1)
    made = munge(X, 3, rounds(), swap=1.0)
    pd.testing.assert_frame_equal(made.X, X.iloc[[0, 0, 0]].reset_index(drop=True))
    assert made.parent.tolist() == [0, 0, 0]


def test_no_rows_asked_for():
    X = mixed_frame(5)
    made = munge(X, 0, rounds())
    pd.testing.assert_frame_equal(made.X, X.iloc[:0].reset_index(drop=True))
    assert made.parent.shape == (0,)
    assert made.parent.dtype == np.intp


def test_equal_rows_stay_as_they_are():
    X = pd.DataFrame({"a": [0.5] * 20, "b": ["x"] * 20})
    pd.testing.assert_frame_equal(munge(X, 20, rounds()).X, X)


def test_columns_of_one_name_are_two_columns():
    X = pd.DataFrame([[0.5, "x"], [1.5, "y"]], columns=["a", "a"])
    made = munge(X, 10, rounds()).X
    assert made.columns.tolist() == ["a", "a"]
    assert set(made.iloc[:, 1]) <= {"x", "y"}


def test_neighbours_of_many_rows_are_drawn_once():
    n_rows = MOST_CANDIDATES + 500
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    asked = []

    def rng_of_round(number):
        asked.append(number)
        return rounds()(number)

    made = munge(X, 3 * n_rows, rng_of_round, swap=1.0, spread=0.0)
    assert sorted(asked) == [-1, 0, 1, 2]
    candidates = rounds()(-1).permutation(n_rows)[:MOST_CANDIDATES]
    assert set(made.X[:, 0]) <= set(X[candidates, 0])
    assert (made.X[:, 0] != X[made.parent, 0]).all()


def test_a_real_table(data_folder):
    X = pd.read_csv(data_folder / "adult.csv.gz", nrows=2000).drop(columns="target")
    X = X.assign(wage=np.log1p(X["fnlwgt"]), sex=X["sex"].astype("category"))
    made = munge(X, 5000, rounds())
    pd.testing.assert_series_equal(made.X.dtypes, X.dtypes)
    for name in X.columns.drop("wage"):
        assert set(made.X[name].dropna()) <= set(X[name].dropna())
    assert not set(made.X["wage"]) <= set(X["wage"])
    # Partners are near, so what goes together in the table still does.
    together = [frame.groupby("education", observed=True)["education_num"].mean() for frame in (X, made.X)]
    assert together[0].corr(together[1].reindex(together[0].index)) > 0.9


# Refusals


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.date_range("2020", periods=3), "datetime64"),
        (pd.date_range("2020", periods=3, tz="UTC"), "datetime64"),
        (pd.to_timedelta([1, 2, 3], unit="s"), "timedelta64"),
        (pd.period_range("2020", periods=3, freq="D"), "period"),
        (pd.Series([pd.Timestamp("2020").date()] * 3, dtype=object), "date"),
    ],
)
def test_dates_and_durations_are_refused(values, kind):
    X = pd.DataFrame({"a": [1, 2, 3], "when": values})
    with pytest.raises(InvalidData, match=f"column 'when' holds {kind}: turn it into numbers"):
        munge(X, 3, rounds())


def test_dates_in_an_array_are_refused():
    with pytest.raises(InvalidData, match="column 0 holds datetime64"):
        munge(np.array([["2020-01-01"]], dtype="datetime64[s]"), 1, rounds())


def test_sparse_rows_are_refused():
    from scipy.sparse import csr_matrix

    with pytest.raises(InvalidData, match=re.escape("got csr_matrix: convert X first, a sparse matrix by X.toarray()")):
        munge(csr_matrix(np.eye(3)), 3, rounds())
    with pytest.raises(InvalidData, match="column 'a' is sparse"):
        munge(pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0])}), 3, rounds())


@pytest.mark.parametrize("X", [[[1.0]], np.zeros(3), np.zeros((1, 2, 3))])
def test_other_things_are_refused(X):
    with pytest.raises(InvalidData, match="a DataFrame or a dense 2-D array"):
        munge(X, 3, rounds())


@pytest.mark.parametrize("X", [np.zeros((0, 2)), pd.DataFrame({"a": pd.Series([], dtype=float)})])
def test_no_training_row_is_refused(X):
    with pytest.raises(InvalidData, match="X has none"):
        munge(X, 3, rounds())
