"""benchmarks/quality.py: its measures by hand, its resume, its rivals on few rows."""

import doctest
import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multihop_search.experiment.data import numbers, positions
from multihop_search.experiment.statistics import holm

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import bench  # noqa: E402
import quality  # noqa: E402
from quality_parts import by_hand, cells, data, measures, optimal_trees, ours, students  # noqa: E402
from quality_parts.cells import Cell, Found  # noqa: E402

PARTS = ("measures", "data", "cells", "by_hand", "optimal_trees", "report", "targets", "students", "ours", "automl")
needs_data = pytest.mark.skipif(
    not bench.DATA.exists(), reason=f"the real data sets are not here, {bench.DATA} is absent"
)


@pytest.mark.parametrize("name", PARTS)
def test_examples_in_the_benchmark_run(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(f"quality_parts.{name}"))
    assert failed == 0


# ---- data


@given(st.lists(st.integers(0, 6), min_size=4, max_size=40).filter(lambda groups: len(set(groups)) > 1), st.integers())
def test_no_group_stands_on_both_sides(groups: list[int], seed: int) -> None:
    named = np.array(groups)
    train, fresh = positions(len(named), named, data.MOST_TRAINING, data.MOST_FRESH, abs(seed))
    assert sorted([*train, *fresh]) == list(range(len(named)))
    assert not set(named[train]) & set(named[fresh])
    assert len({groups[row] for row in train}) == int(0.6 * len(set(groups)))


def test_rows_without_groups_are_bounded_and_disjoint() -> None:
    train, fresh = positions(9000, None, data.MOST_TRAINING, data.MOST_FRESH, 0)
    assert (len(train), len(fresh)) == (1500, 5000)
    assert not set(train) & set(fresh)
    assert [len(part) for part in positions(9, None, data.MOST_TRAINING, data.MOST_FRESH, 0)] == [4, 5]


def test_medians_and_categories_are_learned_on_the_training_rows() -> None:
    train = pd.DataFrame({"a": [1.0, 3.0, 8.0, np.nan], "word": ["x", "y", "x", "y"]})
    fresh = pd.DataFrame({"a": [np.nan, 100.0], "word": ["y", "new"]})
    X, X_fresh = numbers(train, fresh)
    assert X.tolist() == [[1, 1, 0], [3, 0, 1], [8, 1, 0], [3, 0, 1]]
    assert X_fresh.tolist() == [[3, 0, 1], [100, 0, 0]]


# ---- measures


def test_row_losses_by_hand() -> None:
    losses = measures.row_losses(np.array([1, 1, 0]), np.array([[1.0, 0.0], [0.25, 0.75], [0.6, 0.4]]))
    assert losses["accuracy"].tolist() == [0, 1, 1]
    expected = [np.log(1001.0), -np.log(0.75), -np.log(0.6)]  # floored: (1, 0.001) / 1.001
    np.testing.assert_allclose(losses["log_loss"], expected, rtol=1e-12)


def test_of_values_the_squared_error_stands_in_place_of_the_log_loss() -> None:
    losses = measures.row_losses(np.array([1.0, 4.0]), np.array([[1.5], [2.0]]))
    assert losses["log_loss"].tolist() == [0.25, 4.0]
    assert np.isnan(losses["accuracy"]).all()


def test_a_gain_counts_units_together() -> None:
    scores, baseline = np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(4)
    assert measures.gain(scores, baseline, np.arange(4)) == (0.5, 0.25)  # sqrt(4 * 0.5 ** 2) / 4
    mean, error = measures.gain(scores, baseline, np.array([7, 7, 9, 9]))
    assert (mean, error) == (0.5, pytest.approx(np.sqrt(2) / 4))  # sqrt(1 ** 2 + 1 ** 2) / 4
    assert measures.gain(baseline, scores, np.arange(4))[0] == -0.5


def test_the_error_over_sets_is_that_of_a_mean() -> None:
    mean, error = measures.mean_and_error([1.0, 2.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(np.sqrt((4 + 1 + 9) / 2 / 3))
    assert np.isnan(measures.mean_and_error([5.0])[1])
    assert np.isnan(measures.mean_and_error([])[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    given_p = np.array(p_values)
    assert (adjusted >= given_p).all()
    assert (adjusted <= np.minimum(given_p * len(given_p), 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(given_p)]) >= 0).all()


def test_p_values_by_hand() -> None:
    np.testing.assert_allclose(measures.two_sided([-2.0, 0.0, 1.0], [1.0, 1.0, 0.0]), [0.0455, 1.0, 0.0], atol=1e-4)


# ---- leaves of other packages' trees


@dataclass
class Inner:
    """A node as gosdt makes them: true goes left."""

    feature: int
    left_child: Any
    right_child: Any


class Streed(Inner):
    """A node as pystreed makes them: true goes right."""

    def is_leaf_node(self) -> bool:
        return self.left_child is None


COLUMNS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_leaves_of_both_packages() -> None:
    end = SimpleNamespace(prediction=0)
    gosdt = Inner(0, Inner(1, end, end), end)  # column 1 is asked where column 0 is true
    assert [len(set(optimal_trees.leaves(gosdt, COLUMNS)[rows])) for rows in ([0, 1], [2, 3])] == [1, 2]
    leaf = Streed(0, None, None)
    streed = Streed(0, Streed(1, leaf, leaf), leaf)  # where it is false
    assert [len(set(optimal_trees.leaves(streed, COLUMNS)[rows])) for rows in ([0, 1], [2, 3])] == [2, 1]
    assert len(set(optimal_trees.leaves(streed, COLUMNS))) == 3


def test_gosdt_is_given_a_row_of_every_class() -> None:
    assert optimal_trees.with_all_classes(np.array([2, 0, 0, 0]), np.array([2, 1, 0, 1])).tolist() == [2, 1, 0, 1]


def split_of(n_rows: int = 60) -> data.Split:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n_rows, 3))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    return data.Split(X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], None, np.arange(n_rows, 2 * n_rows), np.arange(2))


def test_greedy_levels_stand_below_their_leaf() -> None:
    split = split_of()
    leaf, fresh = (split.X[:, 2] > 0).astype(np.int64) + 1, (split.X_fresh[:, 2] > 0).astype(np.int64) + 1
    deeper, deeper_fresh = optimal_trees.below(split, leaf, fresh, 2, 0)
    assert all(len(set(leaf[deeper == number])) == 1 for number in deeper)
    assert 4 < len(set(deeper)) <= 8
    assert set(deeper_fresh) <= set(deeper)


# ---- cells and the record

PROBA = np.array([[0.5, 0.5], [0.25, 0.75]])
TINY = data.Split(
    np.zeros((2, 1)), np.array([0, 1]), np.zeros((2, 1)), np.array([0, 1]), None, np.arange(2), np.arange(2)
)
PLAIN_CELL, SHRUNK_CELL, OURS_CELL = (Cell("letter", 0, method, 0) for method in ("plain", "shrunk", "ours"))


def test_a_cell_is_compared_with_both_baselines_row_by_row(tmp_path: Path) -> None:
    cells.keep(PLAIN_CELL, TINY, [Found("tree4", PROBA, 1.0, params={"ccp_alpha": 0.1})], tmp_path)
    cells.keep(SHRUNK_CELL, TINY, [Found("tree4", PROBA[::-1], 1.0)], tmp_path)
    found = [Found("tree4", np.eye(2), 2.0, more={"note": "x"}), Found("lr", np.eye(2), 1.0)]
    row, lr = cells.keep(OURS_CELL, TINY, found, tmp_path)
    ends = -np.log([0.5, 0.75]) - np.log(1.001)  # what the two rows gain
    assert row["log_loss_gain"] == pytest.approx(ends.mean(), rel=1e-6)
    assert row["log_loss_gain_se"] == pytest.approx(abs(ends[0] - ends[1]) / 2 / np.sqrt(2), rel=1e-6)
    ends = -np.log([0.25, 0.5]) - np.log(1.001)
    assert row["log_loss_over_shrunk"] == pytest.approx(ends.mean(), rel=1e-6)
    assert (row["accuracy_gain"], row["accuracy_over_shrunk"]) == (0, 1)  # a tie is the first class
    assert (row["method"], row["student"], row["note"], row["seconds"]) == ("ours", "tree4", "x", 2.0)
    assert np.isnan(lr["log_loss_over_shrunk"])  # it has no shrinkage
    kept = [cells.read(cell.file(tmp_path)) or {} for cell in (PLAIN_CELL, SHRUNK_CELL)]
    assert kept[0]["params"] == {"tree4": {"ccp_alpha": 0.1}}
    assert (kept[0]["rows"][0]["log_loss_gain"], kept[1]["rows"][0]["log_loss_over_shrunk"]) == (0, 0)


def test_a_file_that_was_broken_off_is_no_cell(tmp_path: Path) -> None:
    file = PLAIN_CELL.file(tmp_path)
    assert cells.read(file) is None
    cells.keep(PLAIN_CELL, TINY, [Found("tree4", PROBA, 1.0)], tmp_path)
    assert cells.read(file) is not None
    file.write_text(file.read_text()[:-20])
    assert cells.read(file) is None
    assert cells.to_run([OURS_CELL], set(), tmp_path) == [[PLAIN_CELL], [SHRUNK_CELL], [OURS_CELL]]


def test_a_finished_cell_is_not_run_again(tmp_path: Path) -> None:
    wanted, both = [PLAIN_CELL, OURS_CELL], {PLAIN_CELL, SHRUNK_CELL}
    assert cells.to_run(wanted, {*both, OURS_CELL}, tmp_path) == [[], [], []]
    assert cells.to_run(wanted, both, tmp_path) == [[PLAIN_CELL], [SHRUNK_CELL], [OURS_CELL]]  # no losses are here
    assert cells.to_run([SHRUNK_CELL], set(), tmp_path) == [[PLAIN_CELL], [SHRUNK_CELL], []]
    for cell in (PLAIN_CELL, SHRUNK_CELL):
        cells.keep(cell, TINY, [Found("tree4", PROBA, 1.0)], tmp_path)
    assert cells.to_run(wanted, both, tmp_path) == [[], [], [OURS_CELL]]
    more = Cell("letter", 0, "random", 10)
    assert cells.to_run([more], {*both, Cell("letter", 0, "random", 9)}, tmp_path) == [[], [], [more]]


def test_one_command_runs_what_is_missing_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    build = tmp_path / "records"

    def fake(cell: Cell, folder: Path, records: Path) -> str:
        ran.append(cell.method)
        if cell.method == "gosdt":
            return "no tree"
        cells.keep(cell, TINY, [Found("tree4", PROBA, 1.0)], folder)
        return ""

    def command(*more: str) -> None:
        folders = ["--out", str(tmp_path), "--build", str(build)]
        quality.main(["--seeds", "0", "--data", "letter", "--jobs", "1", *folders, *more])

    monkeypatch.setattr(quality, "tried", fake)
    monkeypatch.setattr(quality, "page", lambda record, trials: f"# {len(record)} rows")
    command("--methods", "ours", "streed")
    assert ran == ["plain", "shrunk", "ours", "streed"]
    command("--methods", "plain", "ours", "streed", "careful")
    assert ran[4:] == ["careful"]
    with pytest.raises(SystemExit, match="1 cells failed: letter 0 gosdt 0"):
        command("--methods", "gosdt")
    command("--methods", "streed", "--again")
    assert ran[5:] == ["gosdt", "streed"]
    command("--page")
    assert len(ran) == 7
    assert (tmp_path / "quality.md").read_text() == "# 5 rows"
    for file in build.iterdir():
        file.unlink()
    command("--methods", "plain", "ours")  # the record is enough
    assert len(ran) == 7


def test_methods_of_classes_are_not_run_where_values_are_predicted_nor_imodels_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "find_spec", lambda name: None)
    command = (
        "--list --seeds 0 --data power_plant letter --methods plain shrunk imodels streed random --out {0} --build"
    )
    quality.main([*command.format(tmp_path).split(), str(tmp_path)])
    said, *lines = capsys.readouterr().out.splitlines()
    assert said.startswith("imodels is left out")
    methods = ["plain", "shrunk", "random"]
    assert [line.split()[2] for line in lines if line.startswith("power_plant")] == methods
    assert sorted(line.split()[2] for line in lines if line.startswith("letter")) == sorted([*methods, "streed"])


# ---- on real rows


def test_the_first_draw_is_the_default() -> None:
    tried = by_hand.draws(students.student("tree4"), 0)
    assert len(tried) == 40
    assert tried[0] == {"criterion": "gini", "min_samples_leaf": 1, "ccp_alpha": 0.0}
    assert len({json.dumps(params, sort_keys=True) for params in tried}) > 30
    assert tried == by_hand.draws(students.student("tree4"), 0)


@needs_data
@pytest.mark.parametrize(("name", "names"), [("wine_quality", ("tree4", "gbm10")), ("power_plant", ("value_tree4",))])
def test_by_hand_on_real_rows(name: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install '.[benchmarks]'")
    monkeypatch.setattr(by_hand, "N_DRAWS", 2)
    monkeypatch.setattr(by_hand, "N_TREES", 10)
    split = data.load(name, 0).take(np.arange(300))
    plain = list(by_hand.plain(split, 0, names))
    shrunk = list(by_hand.plain(split, 0, names[:1], shrunk=True))
    careful = list(by_hand.careful(split, 0, names, {one.student: one.params for one in plain}))
    for one in (*plain, *shrunk, *careful):
        assert one.proba.shape == (len(split.y_fresh), 1 if split.classes is None else len(split.classes))
        assert one.seconds > 0
        if split.classes is not None:
            np.testing.assert_allclose(one.proba.sum(axis=1), 1, atol=1e-6)
    assert [one.student for one in careful] == list(names)
    assert np.abs(shrunk[0].proba - plain[0].proba).max() > 0


def test_without_records_our_searches_say_what_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(ours.NoRecords, match="records that are not there"):
        ours.portfolio_of(OURS_CELL, ["tree4"], tmp_path / "records.parquet")
    kin = pd.DataFrame({"set": ["letter"], "seed": 100, "student": "tree4", "recipe": 0, "cv": 1.0, "fresh": 1.0})
    kin.assign(fit_seconds=1.0).to_parquet(tmp_path / "records.parquet")
    with pytest.raises(ours.NoRecords, match="records of tree4 on other sets than letter"):  # never of itself
        ours.portfolio_of(OURS_CELL, ["tree4"], tmp_path / "records.parquet")
    assert ours.portfolio_of(Cell("letter", 0, "random", 9), ["tree4"], tmp_path) is None
    of_adult = ours.portfolio_of(Cell("adult", 0, "ours", 0), ["tree4"], tmp_path / "records.parquet")
    assert of_adult == {"tree4": [{"n_hops": 0}, ours.CANDIDATES["tree4"][0]]}
