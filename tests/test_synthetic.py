"""Synthetic rows: values by hand, rows nested over sizes, columns that keep their kind and range, refusals."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor

from multihop_search.errors import InvalidData
from multihop_search.transfer.synthetic import GENERATORS, interpolate, munge, resample_leaves, resample_marginals
from multihop_search.transfer.synthetic.leaves import MOST_COLUMNS, MOST_FITTED, _Leaves, _of_tree
from multihop_search.transfer.synthetic.neighbours import MOST_CANDIDATES

pytestmark = pytest.mark.once

EVERY = pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
SWAPPING = pytest.mark.parametrize("make", [munge, resample_marginals, resample_leaves])


def rounds(seed=0):
    return lambda number: np.random.default_rng([seed, number + 1])


class Scripted:
    """A generator that draws what is written for it, in the order in which it is asked."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def random(self, size):
        assert len(self.draws[0]) == size
        return np.array(self.draws.pop(0))

    def integers(self, high, size):
        assert max(self.draws[0]) < high
        return self.random(size).astype(int)


def scripted(*draws):
    rng = Scripted(*draws)
    return lambda number: np.random.default_rng(0) if number < 0 else rng


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


@SWAPPING
def test_without_swap_rows_stay(make):
    X = mixed_frame(30)
    made = make(X, 45, rounds(), swap=0.0)
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


@SWAPPING
def test_changes_come_as_often_as_asked_for(make):
    X = np.random.default_rng(0).normal(size=(400, 5))
    made = make(X, 4000, rounds(), swap=0.3)
    assert abs((X[made.parent] != made.X).mean() - 0.3) < 0.02


def test_missing_numbers_are_taken_as_they_are():
    X = pd.DataFrame({"a": [0.5, np.nan], "b": pd.array([None, 0.5], dtype="Float64")})
    made = munge(X, 2, rounds(), swap=1.0).X
    assert made["a"].isna().tolist() == [True, False]
    assert made["a"][1] == 0.5
    assert made["b"].isna().tolist() == [False, True]
    assert made["b"][0] == 0.5


def test_numbers_between_a_row_and_its_partner():
    X = pd.DataFrame({"real": [0.5, 2.5], "whole": [1, 4], "text": ["x", "y"]})
    partner, share = [0, 0], [0.25, 0.75]
    made = interpolate(X, 2, scripted(partner, share, [0.9, 0.9], [0.2, 0.8], [0.25, 0.7])).X
    assert made["real"].tolist() == [1.0, 1.0]  # 0.5 + 0.25 * 2 and 2.5 - 0.75 * 2
    assert made["whole"].tolist() == [4, 4]  # 0.2 < 0.25: the partner's; 0.8 >= 0.75: its own
    assert made["text"].tolist() == ["x", "x"]  # 0.25 >= 0.25: its own; 0.7 < 0.75: the partner's


def test_between_a_number_and_none_there_is_one_of_both():
    X = pd.DataFrame({"a": [0.5, np.nan], "b": pd.array([None, 0.5], dtype="Float64"), "c": [0.5, np.inf]})
    draws = [0, 0], [0.5, 0.5], [0.6, 0.4], [0.6, 0.6], [0.4, 0.4]
    made = interpolate(X, 2, scripted(*draws)).X
    assert made["a"].tolist() == [0.5, 0.5]
    assert made["b"].isna().tolist() == [True, False]
    assert made["c"].tolist() == [np.inf, 0.5]


def test_interpolated_rows_lie_between_two_near_rows():
    X = np.random.default_rng(0).normal(size=(40, 3))
    made = interpolate(X, 400, rounds())
    own = X[made.parent]
    shares = set()
    for new, parent, row in zip(made.X, own, made.parent, strict=True):
        share = (new - parent)[0] / (X - parent)[np.arange(40) != row, 0]
        others = X[np.arange(40) != row]
        on_line = np.isclose(parent + share[:, None] * (others - parent), new).all(axis=1)
        assert on_line.sum() == 1
        assert 0 <= share[on_line][0] <= 1
        shares.add(share[on_line][0])
        scaled = ((others - parent) ** 2 / X.var(axis=0)).sum(axis=1)
        assert scaled[on_line][0] <= np.sort(scaled)[4] * 1.001
    assert abs(np.mean(list(shares)) - 0.5) < 0.05  # 400 uniform numbers: standard error 0.014
    assert abs(np.std(list(shares)) - 12**-0.5) < 0.03


def test_values_of_rows_drawn_at_random():
    X = pd.DataFrame({"a": [10, 20, 30], "b": ["x", None, "z"]})
    draws = [2, 0, 1], [0.4, 0.6, 0.1], [1, 1, 0], [0.49, 0.5, 0.9]  # donors, then whether the column changes
    made = resample_marginals(X, 3, scripted(*draws)).X
    assert made["a"].tolist() == [30, 20, 20]
    assert made["b"].isna().tolist() == [True, True, False]
    assert made["b"][2] == "z"


def test_rows_of_a_leaf_by_hand():
    order, first, place, size = _of_tree(np.array([3, 5, 3, 3]))
    assert order.tolist() == [0, 2, 3, 1]
    assert first.tolist() == [0, 3, 0, 0]
    assert place.tolist() == [0, 0, 1, 2]
    assert size.tolist() == [3, 1, 3, 3]
    leaves = _Leaves(*(np.array([part]) for part in (order, first, place, size)))
    rows, shares = np.array([0, 0, 3, 3, 2, 1, 1]), np.array([0.0, 0.5, 0.49, 0.99, 0.99, 0.0, 0.99])
    assert leaves.others(np.zeros(7, dtype=int), rows, shares).tolist() == [2, 3, 0, 2, 0, 1, 1]


# What each keeps of the table


def test_marginals_keep_each_column_and_lose_what_goes_together():
    x = np.random.default_rng(0).normal(size=500) ** 3
    made = resample_marginals(np.column_stack([x, x]), 10_000, rounds()).X
    assert abs(np.corrcoef(made.T)[0, 1] - 0.25) < 0.06  # both columns are the parent's in a quarter of the rows
    np.testing.assert_allclose(
        np.quantile(made, [0.1, 0.5, 0.9], axis=0)[:, 0], np.quantile(x, [0.1, 0.5, 0.9]), atol=0.1
    )
    made = resample_marginals(np.column_stack([x, x]), 10_000, rounds(), swap=1.0).X
    assert abs(np.corrcoef(made.T)[0, 1]) < 0.06


@pytest.mark.parametrize(("make", "least"), [(munge, 0.95), (interpolate, 0.99), (resample_leaves, 0.8)])
def test_other_generators_keep_what_goes_together(make, least):
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    made = make(np.column_stack([x, -2 * x, rng.normal(size=(500, 2))]), 2500, rounds()).X
    assert np.corrcoef(made.T)[0, 1] < -least


def test_leaves_keep_categories_and_missing_values_together():
    rng = np.random.default_rng(0)
    kind, gone = rng.choice(list("abc"), 500), rng.random(500) < 0.3
    number = np.where(gone, np.nan, rng.normal(size=500))
    X = pd.DataFrame({"one": kind, "two": kind, "p": number, "q": np.where(gone, np.nan, rng.normal(size=500))})
    together = {}
    for make in (resample_marginals, resample_leaves):
        made = make(X, 2500, rounds()).X
        together[make] = [(made["one"] == made["two"]).mean(), (made["p"].isna() == made["q"].isna()).mean()]
    # One of both changes or both do, each at random: 1/4 + 3/4 of the chance that two are alike, 1/3 and 0.58.
    np.testing.assert_allclose(together[resample_marginals], [0.5, 0.685], atol=0.04)
    assert min(together[resample_leaves]) > 0.9


def test_leaves_draw_columns_one_by_one_and_from_all_rows(monkeypatch):
    fitted = []

    class Recording(ExtraTreesRegressor):
        def fit(self, X, y):
            fitted.append((X.shape, y.shape))
            return super().fit(X, y)

    monkeypatch.setattr("multihop_search.transfer.synthetic.leaves.ExtraTreesRegressor", Recording)
    n_rows = MOST_FITTED + 100
    X = np.random.default_rng(0).normal(size=(n_rows, MOST_COLUMNS + 1))
    asked = []

    def rng_of_round(number):
        asked.append(number)
        return rounds()(number)

    made = resample_leaves(X, n_rows, rng_of_round, swap=1.0).X
    assert sorted(asked) == [-1, 0]
    assert fitted == [((MOST_FITTED, MOST_COLUMNS + 1), (MOST_FITTED, MOST_COLUMNS))]
    assert (made != X).mean() > 0.99
    unfitted = np.setdiff1d(np.arange(n_rows), rounds()(-1).permutation(n_rows)[:MOST_FITTED])
    assert np.isin(X[unfitted, 0], made[:, 0]).mean() > 0.3
    donor = np.searchsorted(np.sort(X[:, 0]), made[:, 0]), np.searchsorted(np.sort(X[:, 1]), made[:, 1])
    rows = np.argsort(X[:, 0])[donor[0]], np.argsort(X[:, 1])[donor[1]]
    assert (rows[0] != rows[1]).mean() > 0.8


# What holds for any rows and every generator


@EVERY
@settings(max_examples=12, deadline=None)
@given(n_rows=st.integers(1, 40), small=st.integers(0, 150), large=st.integers(0, 150), seed=st.integers(0, 5))
def test_rows_are_nested_and_keep_their_kind(make, n_rows, small, large, seed):
    small, large = sorted([small, large])
    X = mixed_frame(n_rows, seed)
    before = X.copy(deep=True)
    made = make(X, large, rounds(seed))
    fewer = make(X, small, rounds(seed))
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


@EVERY
@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(st.floats(width=64), min_size=1, max_size=30),
    dtype=st.sampled_from([np.float64, np.float32, np.float16, object]),
)
def test_any_numbers_stay_in_the_range_of_the_column(make, values, dtype):
    with np.errstate(over="ignore"):
        X = np.array(values)[:, None].astype(dtype)
    made = make(X, 70, rounds()).X
    old, new = X.astype(float), made.astype(float)
    assert set(new[~np.isfinite(new)].astype(str)) <= set(old[~np.isfinite(old)].astype(str))
    if np.isfinite(new).any():
        assert old[np.isfinite(old)].min() <= new[np.isfinite(new)].min()
        assert new[np.isfinite(new)].max() <= old[np.isfinite(old)].max()


@EVERY
def test_another_seed_makes_other_rows(make):
    X = np.random.default_rng(0).normal(size=(50, 3))
    assert (make(X, 100, rounds(1)).X != make(X, 100, rounds(2)).X).mean() > 0.3


@EVERY
def test_rounds_differ_from_their_parents_and_from_each_other(make):
    X = np.random.default_rng(0).normal(size=(100, 3))
    one, two = np.split(make(X, 200, rounds()).X, 2)
    assert (one != X).any(axis=1).mean() > 0.6
    assert (one != two).any(axis=1).mean() > 0.6


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8, bool, "U3", object])
def test_arrays_keep_shape_and_dtype(make, dtype):
    X = np.random.default_rng(0).integers(0, 2, (50, 4)).astype(dtype)
    made = make(X, 120, rounds())
    assert made.X.shape == (120, 4)
    assert made.X.dtype == X.dtype
    assert set(made.X.ravel().tolist()) <= set(X.ravel().tolist())
    assert make(X, 0, rounds()).X.dtype == X.dtype


@EVERY
def test_object_arrays_are_read_column_by_column(make):
    X = np.array([[0.5, "x", 1, None], [1.25, "y", 2, "p"], [9.5, None, 3, "q"]], dtype=object)
    made = make(X, 300, rounds()).X
    assert (len(set(made[:, 0])) > 3) == (make in (munge, interpolate))
    assert all(0.5 <= value <= 9.5 for value in made[:, 0])
    assert set(made[:, 1]) == {"x", "y", None}
    assert set(made[:, 2]) == {1, 2, 3}
    assert set(made[:, 3]) == {None, "p", "q"}


@EVERY
def test_an_array_and_its_frame_give_the_same_rows(make):
    X = np.random.default_rng(0).normal(size=(60, 3))
    np.testing.assert_array_equal(make(X, 150, rounds()).X, make(pd.DataFrame(X), 150, rounds()).X.to_numpy())


@EVERY
def test_large_whole_numbers_are_exact(make):
    X = np.array([[2**62 + 1], [2**62 + 3], [2**62 + 5]])
    assert set(make(X, 60, rounds()).X.ravel().tolist()) == set(X.ravel().tolist())


# Edges


@EVERY
def test_one_row_is_its_own_partner(make):
    X = mixed_frame(1)
    made = make(X, 3, rounds())
    pd.testing.assert_frame_equal(made.X, X.iloc[[0, 0, 0]].reset_index(drop=True))
    assert made.parent.tolist() == [0, 0, 0]


@EVERY
def test_no_rows_asked_for(make):
    X = mixed_frame(5)
    made = make(X, 0, lambda number: pytest.fail("nothing is drawn"))
    pd.testing.assert_frame_equal(made.X, X.iloc[:0].reset_index(drop=True))
    assert made.parent.shape == (0,)
    assert made.parent.dtype == np.intp


@EVERY
def test_equal_rows_stay_as_they_are(make):
    X = pd.DataFrame({"a": [0.9] * 20, "b": ["x"] * 20, "c": [np.nan] * 20})
    made = make(X, 400, rounds()).X
    pd.testing.assert_frame_equal(made, pd.concat([X] * 20, ignore_index=True), check_exact=True)


@EVERY
def test_columns_of_one_name_are_two_columns(make):
    X = pd.DataFrame([[0.5, "x"], [1.5, "y"]], columns=["a", "a"])
    made = make(X, 10, rounds()).X
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


@EVERY
def test_a_real_table(make, data_folder):
    X = pd.read_csv(data_folder / "adult.csv.gz", nrows=2000).drop(columns="target")
    X = X.assign(wage=np.log1p(X["fnlwgt"]), sex=X["sex"].astype("category"))
    made = make(X, 5000, rounds())
    pd.testing.assert_series_equal(made.X.dtypes, X.dtypes)
    for name in X.columns.drop("wage"):
        assert set(made.X[name].dropna()) <= set(X[name].dropna())
    assert (not set(made.X["wage"]) <= set(X["wage"])) == (make in (munge, interpolate))
    # Partners are near, so what goes together in the table still does: each education has one number of years.
    years = X.drop_duplicates("education").set_index("education")["education_num"]
    broken = (made.X["education"].map(years) != made.X["education_num"]).mean()
    assert (broken > 0.5) == (make is resample_marginals)


# Refusals


@EVERY
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
def test_dates_and_durations_are_refused(make, values, kind):
    X = pd.DataFrame({"a": [1, 2, 3], "when": values})
    with pytest.raises(InvalidData, match=f"column 'when' holds {kind}: turn it into numbers"):
        make(X, 3, rounds())


@EVERY
def test_dates_in_an_array_are_refused(make):
    with pytest.raises(InvalidData, match="column 0 holds datetime64"):
        make(np.array([["2020-01-01"]], dtype="datetime64[s]"), 1, rounds())


@EVERY
def test_sparse_rows_are_refused(make):
    from scipy.sparse import csr_matrix

    with pytest.raises(InvalidData, match=re.escape("got csr_matrix: convert X first, a sparse matrix by X.toarray()")):
        make(csr_matrix(np.eye(3)), 3, rounds())
    with pytest.raises(InvalidData, match="column 'a' is sparse"):
        make(pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0])}), 3, rounds())


@EVERY
@pytest.mark.parametrize("X", [[[1.0]], np.zeros(3), np.zeros((1, 2, 3))])
def test_other_things_are_refused(make, X):
    with pytest.raises(InvalidData, match="a DataFrame or a dense 2-D array"):
        make(X, 3, rounds())


@EVERY
@pytest.mark.parametrize("X", [np.zeros((0, 2)), pd.DataFrame({"a": pd.Series([], dtype=float)})])
def test_no_training_row_is_refused(make, X):
    with pytest.raises(InvalidData, match="X has none"):
        make(X, 3, rounds())
