"""benchmarks/portfolio.py: a small record, and a portfolio learned from records worked by hand."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import portfolio
from portfolio_parts import learn, recipes
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


def records(fresh: dict[str, list[float]]) -> pd.DataFrame:
    """Return records of one student: by set the fresh loss of each recipe, which cross-validation foresees."""
    return pd.DataFrame(
        {"set": name, "seed": 100, "student": "tree4", "recipe": recipe, "hops": int(recipe >= 8), "cv": loss}
        | {"fresh": loss}
        for name, losses in fresh.items()
        for recipe, loss in enumerate(losses)
    )


def test_the_first_recipe_is_best_alone_and_the_next_adds_most() -> None:
    table = records({"letter": [4, 4, 2, 3], "adult": [4, 2, 4, 3], "fars": [4, 2, 4, 3]})
    # geometric means alone: 4, 2.52, 3.17, 3; beside recipe 1 only recipe 2 makes letter better than 3
    assert learn.learned(table, "tree4", {0: 2}) == [1, 2]


def test_what_cross_validation_would_not_pick_adds_nothing() -> None:
    table = records({"letter": [4, 3, 1], "adult": [4, 3, 1]})
    table.loc[table["recipe"] == 2, "cv"] = 9.0
    assert learn.learned(table, "tree4", {0: 2})[0] == 2  # alone there is nothing to pick among
    assert learn.picked(np.array([[4.0, 3.0, 9.0]]), np.array([[4.0, 3.0, 1.0]]), [1, 2]).tolist() == [3.0]


def test_a_portfolio_is_judged_on_sets_that_it_was_not_learned_on_nor_on_their_kin() -> None:
    assert related_to("vowel") == {"vowel", "japanese_vowels"}
    best = {"vowel": [4, 1, 4], "japanese_vowels": [4, 1, 4], "letter": [4, 4, 2], "fars": [4, 4, 2]}
    table = learn.judged(records(best), "tree4", {0: 1}).set_index("set")
    assert table.loc["vowel", "portfolio"] == 4  # learned on letter and fars: recipe 2
    assert table.loc["vowel", "all"] == 1
