"""benchmarks/portfolio.py: a small record, and a portfolio learned from records worked by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import portfolio
from portfolio_parts import curve, learn, recipes
from quality_parts.data import Split, related_to

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("small_teachers")]


@pytest.mark.parametrize("kind", ["trees", "values"])
def test_a_record_has_a_row_for_each_recipe_that_its_rows_allow(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = (load_diabetes if kind == "values" else load_wine)(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))[:150]
    train, fresh = order[:100], order[100:]
    classes = None if kind == "values" else np.arange(3)
    split = Split(X[train], y[train], X[fresh], y[fresh], None, fresh, classes)
    for name in recipes.KINDS[kind]:
        taught = next(entry for entry in recipes.CANDIDATES[name] if entry["n_hops"] == 1)
        absent = {"n_hops": 2, "upper_1": "Truncate(77)", "scheme": recipes.KD}
        monkeypatch.setitem(recipes.CANDIDATES, name, [recipes.CANDIDATES[name][0], absent, taught])
    table = portfolio.searched(split, kind, folds=2)
    assert sorted(zip(table["student"], table["recipe"], strict=True)) == [
        (name, recipe) for name in recipes.KINDS[kind] for recipe in (0, 2)
    ]
    assert list(table["hops"]) == [0, 1, 0, 1]
    assert np.isfinite(table[["cv", "fresh", "fit_seconds", "search_seconds"]]).all(axis=None)
    assert table["fresh_error"].isna().all() == (kind == "values")


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plain recipe is learned beside the usual ones, whatever it adds."""
    monkeypatch.setattr(learn, "SIZES", {0: 1})
    monkeypatch.setitem(learn.LEAST, 0, 1)


OTHERS = (14, 15, 16, 17)
"""Recipes of a tree that are plain and not of the usual fit; 8 and 9 are of the usual one."""


def records(fresh: dict[str, list[float]], numbers: tuple[int, ...] = OTHERS) -> pd.DataFrame:
    """Return records of a tree: by set the fresh loss of some recipes, which cross-validation foresees."""
    return pd.DataFrame(
        {"set": name, "seed": 100, "student": "tree4", "recipe": recipe, "cv": loss, "fresh": loss}
        | {"fit_seconds": 1.0}
        for name, losses in fresh.items()
        for recipe, loss in zip(numbers, losses, strict=True)
    )


def test_the_recipes_of_this_test_are_plain_and_the_first_of_the_usual_fit() -> None:
    entries = recipes.CANDIDATES["tree4"]
    assert all(entries[number]["n_hops"] == 0 for number in (8, 9, *OTHERS))
    assert [learn.is_usual(entries[number]) for number in (8, 9, *OTHERS)] == [True, True, *[False] * 4]


def test_the_first_recipe_is_best_alone_and_the_next_adds_most() -> None:
    table = records({"letter": [4, 4, 2, 3], "adult": [4, 2, 4, 3], "fars": [4, 2, 4, 3]})
    # geometric means alone: 4, 2.52, 3.17, 3; beside recipe 15 only recipe 16 makes letter better than 3
    assert learn.learned(table, "tree4", {0: 2}) == [15, 16]
    assert learn.first_recipe(table, "tree4") == 15


def test_the_usual_recipes_of_a_tree_are_always_there_and_what_adds_nothing_is_not() -> None:
    table = records({"letter": [2, 3, 4], "adult": [3, 2, 4]}, (8, 9, 14))  # the last is never picked
    assert learn.learned(table, "tree4", {0: 1}, {}) == [8, 9]
    assert learn.learned(table, "tree4", {0: 1}, {0: 1}) == [8, 9, 14]  # one is there whatever it adds


def test_a_recipe_has_to_be_worth_its_time() -> None:
    table = records({"letter": [2, 1.999], "adult": [2, 1.999]}, (9, 14))  # half a thousandth better
    assert learn.learned(table, "tree4", {0: 1}, {}) == [9, 14]
    table.loc[table["recipe"] == 14, "fit_seconds"] = 99.0
    assert learn.learned(table, "tree4", {0: 1}, {}) == [9, 14]  # nearly twice the median time
    slow = pd.concat([table, records({"letter": [9, 9], "adult": [9, 9]}, (15, 16))], ignore_index=True)
    assert learn.learned(slow, "tree4", {0: 1}, {}) == [9]  # 99 times the median time


def test_what_cross_validation_would_not_pick_adds_nothing() -> None:
    table = records({"letter": [4, 3, 1], "adult": [4, 3, 1]}, (9, 14, 15))
    table.loc[table["recipe"] == 15, "cv"] = 9.0
    assert learn.learned(table, "tree4", {0: 2}, {}) == [9, 14]
    assert learn.picked(np.array([[4.0, 3.0, 9.0]]), np.array([[4.0, 3.0, 1.0]]), [1, 2]).tolist() == [3.0]


def test_a_portfolio_is_judged_on_sets_that_it_was_not_learned_on_nor_on_their_kin() -> None:
    assert related_to("vowel") == {"vowel", "japanese_vowels"}
    best = {"vowel": [5, 4, 1, 4], "japanese_vowels": [5, 4, 1, 4], "letter": [5, 4, 4, 2], "fars": [5, 4, 4, 2]}
    table = learn.judged(records(best, (9, 14, 15, 16)), "tree4", {0: 1}).loc["vowel"].iloc[0]
    assert table["loss", "plain tuned"] == 5
    assert table["loss", "and other fits"] == 4  # learned on letter and fars: recipe 16
    assert table["loss", "all recipes"] == 1
    assert table["n", "and other fits"] == 2


def test_the_curve_is_of_portfolios_that_were_learned_without_the_set_and_of_the_best_so_far(one_more: None) -> None:
    losses = {"letter": [4, 4, 4, 2], "adult": [4, 2, 4, 4], "fars": [4, 2, 4, 4]}
    table = records(losses, (9, 14, 15, 16))
    found = curve.curve_of(table, "tree4")
    assert list(found.index) == list(range(1, len(found) + 1))
    assert found[1] == 1.0  # one usual recipe is all of plain tuned
    by_hand = {
        name: [
            learn.CANDIDATES["tree4"].index(entry) for entry in learn.entries_without(table, name, ["tree4"])["tree4"]
        ]
        for name in losses
    }
    fresh = learn.table_of(table, "tree4", "fresh").loc
    last = [min(fresh[name, 100][recipe] for recipe in recipes_of) / 4 for name, recipes_of in by_hand.items()]
    assert found.iloc[-1] == pytest.approx(np.mean(last))
    assert by_hand["letter"] == [9, 14]  # of the others only; so it stays at 4, though recipe 16 would give 2


def test_names_at_the_ends_of_the_lines_do_not_meet() -> None:
    lines = {name: pd.Series([1.5, 0.9 + shift], index=[1, 2]) for name, shift in (("a", 0.0), ("b", 0.001))}
    text = curve.picture(lines)
    heights = [float(part.split('"')[0]) for part in text.split('y="')[1:] if "%</text>" in part and "fill:" in part]
    assert len(heights) == 2
    assert heights[0] - heights[1] >= curve.LABEL


def test_the_file_has_a_line_for_each_entry_by_task_family_and_depth() -> None:
    contents = learn.as_file({"tree4": [{"n_hops": 0}, {"n_hops": 1, "scheme": "SRatio"}], "lr": [{"n_hops": 0}]})
    text = learn.written(contents)
    assert json.loads(text) == contents
    assert contents["classification"]["DecisionTree"][0]["max_depth"] == 4
    assert [line.strip() for line in text.splitlines() if "SRatio" in line] == ['{"n_hops": 1, "scheme": "SRatio"},']


def test_learning_writes_page_records_and_portfolio(tmp_path: Path, one_more: None) -> None:
    table = records({"letter": [4, 4, 2, 3], "adult": [4, 2, 4, 3], "fars": [4, 2, 4, 3]}, (9, 14, 15, 16))
    (tmp_path / "cells").mkdir()
    table.assign(fresh_error=0.1, search_seconds=1.0, hops=0).to_parquet(tmp_path / "cells" / "one.parquet")
    portfolio.main(["learn", "--build", str(tmp_path / "cells"), "--out", str(tmp_path / "out")])
    page = (tmp_path / "out" / "portfolio.md").read_text()
    assert "| tree4 | plain tuned | 3 | 1 | +0.0 ± 0.0 |" in page
    assert f"({learn.CURVE})" in page
    assert (tmp_path / "out" / learn.CURVE).read_text().startswith("<svg")
    entries = json.loads((tmp_path / "out" / "portfolio.json").read_text())["classification"]["DecisionTree"]
    assert entries[0]["entries"][1] == recipes.CANDIDATES["tree4"][9]
    assert len(pd.read_parquet(tmp_path / "out" / "records.parquet")) == len(table)
