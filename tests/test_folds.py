"""Folds: the outer ones that judge and the inner ones that cross-fit, with classes and groups as they should be."""

import re
import warnings

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from multihop_search.errors import InvalidData, InvalidSetting, RareClassWarning
from multihop_search.problem.folds import make_folds
from multihop_search.problem.problem import Role

CLASSES = np.array(["ash", "birch", "cedar"])


def folds(y, groups=None, *, cv=5, crossfit_cv=3, random_state=0):
    y = np.asarray(y)
    groups = None if groups is None else np.asarray(groups)
    X = np.zeros((len(y), 1))
    classes = CLASSES[: y.max() + 1]
    made = make_folds(X, y, groups, cv=cv, crossfit_cv=crossfit_cv, random_state=random_state, classes=classes)
    return made.outer, made.whole


def labels(*counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def layout(made):
    return [(fold.train.tolist(), fold.test.tolist(), [part.tolist() for part in fold.inner]) for fold in made]


def assert_partition(parts, n_rows):
    assert sorted(np.concatenate(parts).tolist()) == list(range(n_rows))


# An integer


def test_outer_folds_partition_the_rows():
    outer, whole = folds(labels(30, 20))
    assert [fold.number for fold in outer] == [0, 1, 2, 3, 4]
    assert_partition([fold.test for fold in outer], 50)
    for fold in outer:
        assert_partition([fold.train, fold.test], 50)
    assert {fold.role for fold in outer} == {Role.OUTER}
    assert whole.role is Role.WHOLE
    assert whole.train.tolist() == list(range(50))
    assert whole.test.tolist() == []


def test_inner_parts_partition_the_training_rows_by_position():
    outer, whole = folds(labels(30, 20))
    for fold in (*outer, whole):
        assert len(fold.inner) == 3
        assert_partition(fold.inner, len(fold.train))


def test_outer_and_inner_folds_hold_the_classes_in_equal_shares():
    y = labels(30, 15)
    outer, whole = folds(y)
    for fold in outer:
        assert np.bincount(y[fold.test]).tolist() == [6, 3]  # a fifth of 30 and of 15
        for part in fold.inner:
            assert np.bincount(y[fold.train][part]).tolist() == [8, 4]  # a third of 24 and of 12
    for part in whole.inner:
        assert np.bincount(y[part]).tolist() == [10, 5]


def test_folds_are_shuffled_by_the_random_state_alone():
    y = labels(30, 20)
    assert layout(folds(y)[0]) == layout(folds(y)[0])
    assert layout(folds(y)[0]) != layout(folds(y, random_state=1)[0])
    in_order = [test.tolist() for _, test in StratifiedKFold(5).split(y, y)]
    assert [fold.test.tolist() for fold in folds(y)[0]] != in_order


def test_inner_folds_of_different_outer_folds_are_shuffled_apart():
    y = np.tile([0, 1], 30)  # so that every training fold holds the same labels in the same order
    rows = np.arange(60)
    outer, _ = folds(y, cv=[(rows[:40], rows[40:]), (rows[20:], rows[:20])])
    assert [part.tolist() for part in outer[0].inner] != [part.tolist() for part in outer[1].inner]


def test_an_integer_of_numpy_is_an_integer():
    y = labels(30, 20)
    assert layout(folds(y, cv=np.int64(4))[0]) == layout(folds(y, cv=4)[0])


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_the_number_of_inner_parts_is_the_users(parts):
    outer, whole = folds(labels(30, 20), crossfit_cv=parts)
    assert {len(fold.inner) for fold in (*outer, whole)} == {parts}


def test_without_cross_fitting_there_are_no_inner_parts():
    outer, whole = folds(labels(30, 20), crossfit_cv=False)
    assert {fold.inner for fold in (*outer, whole)} == {()}


def test_inner_parts_are_not_stratified_where_no_class_fills_them():
    outer, whole = folds(labels(4, 4), cv=2, crossfit_cv=6)
    for fold in (*outer, whole):
        assert_partition(fold.inner, len(fold.train))
        assert len(fold.inner) == min(6, len(fold.train))


# Groups


def assert_groups_apart(groups, one, other):
    assert not set(groups[one]) & set(groups[other])


@pytest.mark.parametrize("cv", [5, GroupKFold(5), LeaveOneGroupOut()], ids=str)
def test_a_group_stays_together_in_outer_and_inner_folds(cv):
    groups = labels(*[4] * 20, seed=1)  # 20 groups of 4 rows, mixed
    y = labels(50, 30)
    outer, whole = folds(y, groups, cv=cv)
    for fold in outer:
        assert_groups_apart(groups, fold.train, fold.test)
    for fold in (*outer, whole):
        assert_partition(fold.inner, len(fold.train))
        for part in fold.inner:
            others = np.setdiff1d(np.arange(len(fold.train)), part)
            assert_groups_apart(groups[fold.train], part, others)
    assert_partition([fold.test for fold in outer], 80)


def test_an_integer_without_groups_tears_groups_apart():
    groups = labels(*[4] * 20, seed=1)
    outer, _ = folds(labels(50, 30))
    assert any(set(groups[fold.train]) & set(groups[fold.test]) for fold in outer)


def test_groups_of_strings_are_groups():
    groups = np.array(list("abcdefghij"))[labels(*[6] * 10, seed=1)]
    outer, _ = folds(labels(40, 20), groups)
    for fold in outer:
        assert_groups_apart(groups, fold.train, fold.test)


def test_folds_by_group_hold_the_classes_in_nearly_equal_shares():
    groups = np.repeat(np.arange(50), 2)
    y = np.repeat([0, 1], [70, 30])
    outer, _ = folds(y, groups)
    for fold in outer:
        assert np.bincount(y[fold.test]).tolist() == [14, 6]


def test_fewer_groups_than_inner_parts_give_a_part_each():
    groups = np.repeat([0, 1, 2, 3], 10)
    outer, whole = folds(np.tile([0, 1], 20), groups, cv=2, crossfit_cv=3)
    assert {len(fold.inner) for fold in outer} == {2}  # two groups train in each fold
    assert len(whole.inner) == 3


# Rare classes


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_rare_class_gives_one_warning_with_its_name_and_number_of_rows(count):
    y = labels(30, 25, count)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outer, whole = folds(y)
    assert [warning.category for warning in caught] == [RareClassWarning]
    words = str(caught[0].message)
    assert "cedar" in words
    assert f" {count} rows" in words
    assert "cv=5" in words
    assert len(outer) == 5
    assert_partition([fold.test for fold in outer], len(y))
    assert sum((y[fold.test] == 2).any() for fold in outer) == count  # its rows are spread
    for fold in (*outer, whole):
        assert_partition(fold.inner, len(fold.train))


def test_a_rare_class_gives_one_warning_with_groups_too():
    y = np.repeat([0, 1, 2], [30, 27, 3])
    with pytest.warns(RareClassWarning, match="cedar") as caught:
        folds(y, np.repeat(np.arange(30), 2))
    assert len(caught) == 1


def test_a_class_with_a_row_for_each_fold_is_not_rare():
    outer, _ = folds(labels(30, 25, 5))  # a warning would be an error here
    assert len(outer) == 5


def test_a_class_too_rare_for_the_inner_parts_gives_no_warning():
    y = labels(30, 25, 5)
    outer, _ = folds(y, crossfit_cv=5)  # 4 rows of the rare class train in each fold
    assert {len(fold.inner) for fold in outer} == {5}


# Splitters and lists of splits


@pytest.mark.parametrize(
    ("cv", "n_folds"),
    [
        (RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=7), 6),
        (ShuffleSplit(4, test_size=0.3, random_state=7), 4),
        (TimeSeriesSplit(3), 3),
        (KFold(3, shuffle=True, random_state=7), 3),
        (StratifiedKFold(3), 3),
        (None, 5),
    ],
    ids=str,
)
def test_a_splitter_that_need_not_partition_the_rows_is_used_as_it_splits(cv, n_folds):
    y = labels(30, 20)
    outer, whole = folds(y, cv=cv)
    assert [fold.number for fold in outer] == list(range(n_folds))
    splits = list((cv or StratifiedKFold(5)).split(np.zeros((50, 1)), y))
    for fold, (train, test) in zip(outer, splits, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)
        assert_partition(fold.inner, len(train))
    assert whole.train.tolist() == list(range(50))


@pytest.mark.parametrize(
    "cv", [ShuffleSplit(3), KFold(3, shuffle=True), RepeatedStratifiedKFold(n_splits=3, n_repeats=2)]
)
def test_a_splitter_without_a_seed_gets_one_from_the_random_state_and_stays_as_it_is(cv):
    y = labels(30, 20)
    first = layout(folds(y, cv=cv)[0])
    assert layout(folds(y, cv=cv)[0]) == first
    assert layout(folds(y, cv=cv, random_state=1)[0]) != first
    assert getattr(cv, "random_state", None) is None


@pytest.mark.parametrize("kind", [list, iter])
def test_a_list_of_splits_or_a_generator_is_used_as_it_is(kind):
    rows = np.arange(50)
    splits = [(rows[:30], rows[30:40]), (rows[10:], rows[:10])]
    outer, _ = folds(labels(30, 20), cv=kind(splits))
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in outer] == [
        (train.tolist(), test.tolist()) for train, test in splits
    ]


# Refused


@pytest.mark.parametrize("cv", [1, 0, -3, True, 2.5, "5", [], object], ids=repr)
def test_a_wrong_cv_is_refused_with_its_value(cv):
    with pytest.raises(InvalidSetting, match="cv must .* got " + re.escape(repr(cv))):
        folds(labels(30, 20), cv=cv)


@pytest.mark.parametrize("crossfit_cv", [True, 1, 0, -1, 2.0, "3", None], ids=repr)
def test_a_number_of_inner_parts_below_two_is_refused_with_its_value(crossfit_cv):
    with pytest.raises(InvalidSetting, match=f"crossfit_cv must be .* got {crossfit_cv!r}"):
        folds(labels(30, 20), crossfit_cv=crossfit_cv)


@pytest.mark.parametrize(
    ("y", "groups", "cv", "words"),
    [
        (labels(4, 3), None, 5, "cv=5 needs a class of at least 5 rows, the largest has 4 "),
        (labels(30, 20), np.repeat([0, 1, 2], [20, 20, 10]), 5, "cv=5 needs at least 5 groups, got 3"),
        (labels(30, 20), None, GroupKFold(3), "must be split by cv=GroupKFold"),
        (labels(30, 20), None, KFold(51), r"must be split by cv=KFold\(n_splits=51"),
        (np.repeat([0, 1], 25), None, KFold(2), "train on at least 2 classes .* fold 0"),
        (labels(30, 20), None, [(np.arange(50), np.arange(0))], "hold rows out, fold 0"),
        (labels(30, 20), np.repeat([0, 1], 25), 2, "at least 2 groups, one has a single group"),
    ],
)
def test_rows_that_cannot_fill_the_folds_are_refused(y, groups, cv, words):
    with pytest.raises(InvalidData, match=words):
        folds(y, groups, cv=cv)
