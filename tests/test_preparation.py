"""Preparation: every kind of column becomes numbers, in folds too, and survives what training did not hold."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from multihop_search.errors import InvalidData
from multihop_search.keys import digest
from multihop_search.paths.preparation import dropped_columns, needs_preparation, preparation


def prepared(X, *, scaled=False, fit_on=None):
    return preparation(X, scaled=scaled).fit(X if fit_on is None else fit_on).transform(X)


def repeated(values, dtype=None, times=4):
    return pd.Series(list(values) * times, dtype=dtype)


def wide_frame():
    """24 rows with each kind of column, those of dtype object last."""
    text = ["ash", "birch", None, "ash", "cedar", "birch"]
    whole = [1, 2, None, 1, 2, 1]
    return pd.DataFrame(
        {
            "float": repeated([0.5, np.nan, 2.5, 3.0, 1.0, 0.0]),
            "int": repeated([1, 2, 3, 4, 5, 6]),
            "Int": repeated(whole, "Int64"),
            "Float": repeated([0.5, None] * 3, "Float64"),
            "nothing": repeated([np.nan] * 6),
            "Nothing": repeated([pd.NA] * 6, "Float64"),
            "bool": repeated([True, False] * 3),
            "boolean": repeated([True, None, False] * 2, "boolean"),
            "inferred": repeated(text),
            "string": repeated(text, "string"),
            "category": repeated(text, "category"),
            "string category": repeated(repeated(text, "string", 1), "category"),
            "int category": repeated(whole, "category"),
            "Int category": pd.Categorical(pd.array(whole * 4, dtype="Int64")),
            "bool category": repeated([True, None, False] * 2, "category"),
            "interval": pd.cut(repeated([0.5, np.nan, 2.5, 3.0, 1.0, 0.0]), 3),
            "date category": pd.Categorical(pd.to_datetime(["2020-01-01", None, "2021-01-01"] * 8)),
            "empty category": pd.Categorical([None] * 24),
            "date": pd.date_range("2020", periods=24),
            "zone": pd.date_range("2020", periods=24, tz="UTC"),
            "duration": pd.to_timedelta(range(24), unit="s"),
            "period": pd.period_range("2020", periods=24, freq="D"),
            "day": pd.Series([pd.Timestamp("2020").date()] * 24, dtype=object),
            "id": [f"row {number}" for number in range(24)],
            "None": repeated(text, object),
            "NaN": repeated(["ash", np.nan] * 3, object),
            "NA": repeated(["ash", pd.NA] * 3, object),
            "all three": repeated(["ash", None, np.nan, pd.NA, "birch", "ash"], object),
            "spelled": repeated(["nan", np.nan, "None", None, "ash", "ash"], object),
            "mixed": repeated(["ash", 1, 2.5, True, None, "1"], object),
            "object bool": repeated([True, False, None] * 2, object),
            "object bool NaN": repeated([True, False, np.nan] * 2, object),
            "object numbers": repeated([1, 2.5, None] * 2, object),
            "nothing at all": repeated([None] * 6, object),
        }
    )


DROPPED = ["date", "zone", "duration", "period", "day", "id"]


# What each kind becomes


def test_numbers_get_the_median_where_they_are_missing():
    X = pd.DataFrame({"a": [1.0, 2.0, 9.0, np.nan], "b": pd.array([1, None, 3, None], dtype="Int64")})
    assert prepared(X).to_numpy().tolist() == [[1.0, 1.0], [2.0, 2.0], [9.0, 3.0], [2.0, 2.0]]


def test_scaled_numbers_have_mean_0_and_deviation_1():
    X = pd.DataFrame({"a": [1.0, 3.0], "b": ["x", "y"], "c": [True, False]})
    out = prepared(X, scaled=True)
    assert out["a"].tolist() == [-1.0, 1.0]
    assert out["c"].tolist() == [1.0, 0.0]  # not scaled, as the columns of categories


def test_numbers_that_are_all_missing_are_kept():
    X = pd.DataFrame({"a": [np.nan, np.nan], "b": pd.array([None, None], dtype="Float64"), "c": [1, 2]})
    assert prepared(X, scaled=True)[["a", "b"]].to_numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_booleans_become_0_and_1():
    X = pd.DataFrame(
        {
            "plain": [True, False, True, True],
            "nullable": pd.array([None, False, True, True], dtype="boolean"),
            "even": pd.array([None, False, True, None], dtype="boolean"),
            "none": pd.array([None] * 4, dtype="boolean"),
        }
    )
    out = prepared(X)
    assert out.columns.tolist() == X.columns.tolist()
    assert out.to_numpy().T.tolist() == [[1, 0, 1, 1], [1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("dtype", [object, "string", "category", None])
def test_a_category_is_one_column_a_value_and_so_is_a_missing_one(dtype):
    X = pd.DataFrame({"wood": pd.Series(["ash", "oak", None], dtype=dtype), "n": [1, 2, 3]})
    out = prepared(X)
    assert out[["wood_ash", "wood_oak"]].to_numpy().tolist() == [[1, 0], [0, 1], [0, 0]]
    (missing,) = set(out.columns) - {"n", "wood_ash", "wood_oak"}
    assert out[missing].tolist() == [0, 0, 1]


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA], ids=str)
def test_the_column_of_missing_values_stands_last(gap):
    out = prepared(pd.DataFrame({"wood": pd.Series(["pine", gap, "ash"], dtype=object)}))
    assert list(out.columns) == ["wood_ash", "wood_pine", "wood_nan"]


def test_rare_and_unseen_values_share_a_column():
    X = pd.DataFrame({"a": [f"v{number}" for number in range(25)] * 4})
    fitted = preparation(X, scaled=False).fit(X)
    assert fitted.transform(X).shape == (100, 20)
    unseen = fitted.transform(pd.DataFrame({"a": ["unheard of", None]}))
    assert unseen["a_infrequent_sklearn"].tolist() == [1.0, 1.0]


def test_unseen_values_without_rare_ones_are_0_and_give_no_warning():
    for values in (["a", "b"], ["a", "b", "c"], ["a"]):
        X = pd.DataFrame({"a": values})
        out = preparation(X, scaled=False).fit(X).transform(pd.DataFrame({"a": ["z", None, np.nan]}))
        assert (out == 0).all(axis=None)


# Kinds that are hard to read


@pytest.mark.parametrize("name", wide_frame().columns.drop(DROPPED))
def test_each_kind_alone_is_fitted_on_a_part_and_reads_the_rest(name):
    X = wide_frame()[[name]]
    for fit_on in (X.iloc[:1], X.iloc[1:3], X.iloc[[3]], X):
        out = prepared(X, scaled=True, fit_on=fit_on)
        assert out.columns.is_unique
        assert np.isfinite(out.to_numpy(dtype=float)).all()
        assert len(out) == len(X)


@pytest.mark.parametrize("scaled", [True, False])
def test_all_kinds_together(scaled):
    X = wide_frame()
    out = prepared(X, scaled=scaled)
    assert out.columns.is_unique
    assert all(dtype.kind == "f" for dtype in out.dtypes)
    assert np.isfinite(out.to_numpy()).all()
    assert dropped_columns(X) == DROPPED


def test_a_string_spelled_as_a_missing_value_gives_no_second_column_of_its_name():
    X = pd.DataFrame({"a": pd.Series(["nan", np.nan, "x", "x"], dtype=object)})
    assert prepared(X).columns.tolist() == ["a_nan", "a_x"]


def test_numbers_of_dtype_object_are_numbers():
    X = pd.DataFrame({"a": pd.Series([1, 2.5, None], dtype=object)})
    assert prepared(X)["a"].tolist() == [1.0, 2.5, 1.75]


def test_names_are_prefixed_only_where_two_could_be_equal():
    assert prepared(pd.DataFrame({"a": ["b", "c"], "n": [1, 2]})).columns.tolist() == ["n", "a_b", "a_c"]
    number = prepared(pd.DataFrame({"a": ["b", "c"], "a_b": [1, 2]}))
    assert number.columns.tolist() == ["numbers__a_b", "categories__a_b", "categories__a_c"]
    both = prepared(pd.DataFrame({"a": ["b_c", "d"], "a_b": ["c", "e"]}))
    assert both.columns.is_unique
    assert both.shape == (2, 4)


@pytest.mark.parametrize("names", [[0, 1, 2], [7, 5, 0]])
def test_columns_without_names(names):
    X = pd.DataFrame({names[0]: [1.0, 2.0], names[1]: ["a", "b"], names[2]: ["c", "d"]})
    assert prepared(X).to_numpy().tolist() == [[1, 1, 0, 1, 0], [2, 0, 1, 0, 1]]


# What is left out


def test_dates_and_texts_that_are_nearly_all_different_are_left_out():
    X = pd.DataFrame(
        {
            "n": range(60),
            "id": [f"row {number}" for number in range(60)],
            "half": [f"v{number // 2}" for number in range(60)],  # 30 of 60 values: not more than half
            "sparse": [f"v{number}" if number < 30 else None for number in range(60)],  # 30 of 30
            "few": [f"v{number}" if number < 20 else None for number in range(60)],  # 20 of 20, no more than 20
            "typed": pd.Categorical([f"v{number}" for number in range(60)]),
            "day": pd.date_range("2020", periods=60),
        }
    )
    assert dropped_columns(X) == ["id", "sparse", "day"]
    out = prepared(X)
    assert not [name for name in out if name.startswith(("id", "sparse", "day"))]


def test_needs_preparation():
    assert not needs_preparation(np.array([["a"]], dtype=object))
    assert not needs_preparation([[1]])
    X = wide_frame()
    numbers = ["float", "int", "Int", "Float", "nothing", "Nothing", "bool", "boolean"]
    assert not needs_preparation(X[numbers])
    assert not needs_preparation(X[[]])
    for name in X.columns.drop(numbers):
        assert needs_preparation(X[[*numbers, name]])


def test_refusals():
    with pytest.raises(InvalidData, match="its 2 columns are dates or texts that are nearly all different: add one"):
        preparation(wide_frame()[["date", "id"]], scaled=False)
    with pytest.raises(InvalidData, match=re.escape("convert it, by X['a'].astype('Float64')")):
        preparation(pd.DataFrame({"a": pd.Series([1, pd.NA], dtype=object)}), scaled=False)
    with pytest.raises(InvalidData, match="column 'a' must hold one number or string a row"):
        preparation(pd.DataFrame({"a": [[1], [2, 3]]}), scaled=False)
    with pytest.raises(InvalidData, match="'a' stands for several"):
        preparation(pd.DataFrame([[1, "x"]], columns=["a", "a"]), scaled=False)


# A later file, read with other dtypes


def later_rows():
    """Two rows of a table in which "code" has digits among words, and how a file with fewer rows may be read."""
    for code in (np.array([7, 9]), np.array([7.0, np.nan]), pd.array([7, None], dtype="Int64"), ["7", None]):
        yield {"code": code}, {"code": ["7", "9" if not pd.isna(code[1]) else None]}
    for missing in (None, np.nan, pd.NA):
        yield {"wood": [missing, missing]}, {"wood": [None, None]}
        yield {"wood": pd.array(["ash", missing], dtype="string")}, {"wood": ["ash", None]}
        yield {"wood": pd.Categorical([None, None])}, {"wood": [None, None]}
    yield {"sold": [True, False]}, {"sold": pd.Series([True, False], dtype=object)}
    yield {"sold": [np.nan, np.nan]}, {"sold": [None, None]}
    yield {"code": [True, False]}, {"code": ["True", "unseen"]}
    yield {"wood": [7, 8]}, {"wood": ["unseen", "unheard of"]}
    yield {"wood": pd.to_datetime(["2020-01-01", None])}, {"wood": ["unseen", None]}


@pytest.mark.parametrize("scaled", [True, False])
def test_values_are_read_as_in_training_whatever_the_dtype_of_a_later_file(scaled):
    X = pd.DataFrame(
        {
            "code": ["7", "abc", None, "9", "True", "7"] * 3,
            "wood": ["ash", None, "oak", "ash", "elm", "oak"] * 3,
            "sold": pd.Series([True, None, False, True, True, False] * 3, dtype=object),
            "size": [1.0, np.nan, 2.0, 3.0, 4.0, 5.0] * 3,
        }
    )
    fitted = preparation(X, scaled=scaled).fit(X)
    assert [name for name in fitted.get_feature_names_out() if name.endswith("nan")] == [
        "code_nan",
        "wood_nan",
        "sold_nan",
    ]
    usual = X.iloc[[0, 3]].reset_index(drop=True)
    for read, meant in later_rows():
        expected = fitted.transform(usual.assign(**meant))
        pd.testing.assert_frame_equal(fitted.transform(usual.assign(**read)), expected, obj=str(read))


def test_each_row_alone_is_read_as_in_the_table(data_folder, tmp_path):
    X = pd.read_csv(data_folder / "adult.csv.gz", nrows=400).drop(columns="target")
    X["code"] = (["7", "A", None, "12"] * 100)[: len(X)]
    fitted = preparation(X, scaled=False).fit(X)
    whole = fitted.transform(X)
    for row in range(0, len(X), 9):
        file = tmp_path / "row.csv"
        X.iloc[[row]].to_csv(file, index=False)
        alone = fitted.transform(pd.read_csv(file))
        np.testing.assert_array_equal(alone.to_numpy(), whole.iloc[[row]].to_numpy())


# As an object


def test_it_is_cloned_pickled_keyed_and_written():
    X = wide_frame()
    unfitted = preparation(X, scaled=True)
    fitted = clone(unfitted).fit(X)
    expected = fitted.transform(X)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(fitted)).transform(X), expected)
    assert digest(unfitted) == digest(clone(unfitted)) != digest(preparation(X, scaled=False))
    file = skops.io.dumps(fitted)
    trusted = skops.io.get_untrusted_types(data=file)
    assert not [name for name in trusted if name.startswith(("multihop_search", "pandas"))]
    pd.testing.assert_frame_equal(skops.io.loads(file, trusted=trusted).transform(X), expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "b", "nan", "None", "", None, np.nan, pd.NA, 1, 1.5, True]), min_size=2, max_size=30
    ),
    st.integers(1, 29),
)
def test_any_objects_fitted_on_a_part(values, n_fit):
    X = pd.DataFrame({"a": pd.Series(values, dtype=object), "n": 1.0})
    try:
        transformer = preparation(X, scaled=True)
    except InvalidData as error:
        assert "pd.NA" in str(error)  # noqa: PT017
        return
    out = transformer.fit(X.iloc[:n_fit]).transform(X)
    assert out.columns.is_unique
    assert np.isfinite(out.to_numpy(dtype=float)).all()


def test_a_real_table(data_folder):
    table = pd.read_csv(data_folder / "adult.csv.gz", nrows=2000)
    X, y = table.drop(columns="target"), table["target"]
    assert needs_preparation(X)
    assert dropped_columns(X) == []
    model = make_pipeline(preparation(X, scaled=True), LogisticRegression(max_iter=300))
    assert cross_val_score(model, X, y, cv=3, error_score="raise").mean() > 0.8
    texts = X.assign(name=[f"person {number}" for number in range(len(X))], day="2020-01-01")
    assert dropped_columns(texts) == ["name"]
