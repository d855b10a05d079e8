"""Experiments: the config, the rows, what a cell leaves, and that a killed experiment goes on."""

import copy
import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import (
    ConfWeight,
    KnowledgeDistillation,
    MultihopSearchClassifier,
    PathSpace,
    RayExecutor,
    SRatio,
    StudentSpace,
)
from multihop_search.cli import main
from multihop_search.errors import InvalidData, InvalidSetting, SearchFailed
from multihop_search.executors import SerialExecutor
from multihop_search.experiment import make_config, read_config, read_records, run_experiment
from multihop_search.experiment.conditions import calibration_error, conditions
from multihop_search.experiment.data import Source, numbers, positions, split
from multihop_search.experiment.grid import cells_of
from multihop_search.experiment.rows import pure_scheme
from multihop_search.experiment.run import search_of
from multihop_search.experiment.same_scheme import SameScheme
from multihop_search.experiment.simulation import generate

pytestmark = pytest.mark.once

pytest.importorskip("pyarrow", reason="an experiment keeps Parquet tables: pip install multihop_search[parquet]")

CONFIG = """
title = "Small"
seeds = [0, 1]
rows = [120]
fresh = 200

[search]
n_trials = 6
cv = 2
crossfit_cv = 2
stopping = false
same_scheme = 1.0
tree_fits = ["OwnFit"]

[data.made]
generated = true
noise = [0.1, 0.2]
columns = 6

[teachers.forest]
class = "sklearn.ensemble.RandomForestClassifier"
n_estimators = 3

[students.tree]
class = "sklearn.tree.DecisionTreeClassifier"
max_depth = 2

[intermediates.tree]
class = "sklearn.tree.DecisionTreeClassifier"
max_depth = 4

[schemes]
two = ["KnowledgeDistillation", "ConfWeight"]
"""
SECONDS = ["search_seconds", "refit_seconds", "seconds"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(CONFIG)
    return file


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


def given() -> dict[str, Any]:
    """A config as a mapping, to be spoilt."""
    return {
        "data": {"wine": {"example": "wine"}},
        "teachers": {"forest": {"class": "sklearn.ensemble.RandomForestClassifier"}},
        "students": {"tree": {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 2}},
    }


# ---- the config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sedes": [1]}, r"the config must hold known names only, got 'sedes': it takes title, seeds"),
        ({"search": {"trials": 3}}, r"\[search\] must hold known names only, got 'trials': it takes n_trials"),
        ({"search": {"same_scheme": 2}}, "same_scheme must be from 0 to 1, got 2"),
        ({"search": {"n_trials": "many"}}, r"\[search\] n_trials must be a whole number, got 'many'"),
        ({"search": {"stopping": 1}}, "stopping must be true or false, got 1"),
        ({"data": {"a": {"generated": True, "noise": [0.1, "b"]}}}, "noise must be a number, got 'b'"),
        ({"data": {"a": {"file": "a.csv", "drop": "b"}}}, "drop must be a list of names, got 'b'"),
        ({"seeds": []}, "seeds must hold different whole numbers"),
        ({"seeds": [1, 1]}, "seeds must hold different whole numbers"),
        ({"students": {}}, r"must name its students, it does not: add a table \[students.NAME\]"),
        ({"data": {"a": {"file": "a.csv", "example": "wine"}}}, "one of file, example and generated"),
        ({"data": {"a": {"example": "iris"}}}, "example must be one of breast-cancer, digits, wine, got 'iris'"),
        ({"data": {"a": {"generated": True, "noise": 0.6}}}, "must have noise from 0 to below"),
        ({"teachers": {"a": {"depth": 2}}}, r"\[teachers.a\] must name a class or a pipeline"),
        ({"teachers": {"a": {"class": "sklearn.tree.Oak"}}}, "a class that is installed, got 'sklearn.tree.Oak'"),
        ({"teachers": {"a": {"class": "Oak"}}}, "a class that is installed, got 'Oak'"),
        (
            {"teachers": {"a": {"class": "sklearn.tree.DecisionTreeClassifier", "depth": 2}}},
            "parameters that its class takes.*'depth'",
        ),
        ({"schemes": {"a": ["Oak"]}}, r"\[schemes\] a must name a class that is installed, got 'Oak'"),
        ({"schemes": {"a": "SRatio"}}, r"\[schemes\] a must be 'auto' or a list of schemes, got 'SRatio'"),
        ({"override": [{"seeds": [7], "verdict": "nested"}]}, "seeds must hold names of this config, got 7"),
        ({"override": [{"seeds": [0], "trials": 1}]}, r"must hold known names only, got 'trials'"),
    ],
)
def test_a_wrong_config_is_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        make_config({**given(), **change})


TREE = {"class": "sklearn.tree.DecisionTreeClassifier"}


@pytest.mark.parametrize(
    "spec",
    [
        {"class": "os.mkdir"},
        {"class": "pathlib.Path"},
        {"class": "multihop_search.files.whole_file"},
        {"class": "multihop_search.experiment.run_experiment"},
        {"class": "numpy.zeros", "shape": [2]},
        {"class": "pandas.DataFrame"},
        {"pipeline": [TREE, {"class": "os.mkdir"}]},
        {"class": "sklearn.ensemble.BaggingClassifier", "estimator": {"class": "os.mkdir"}},
        {"class": ".oak"},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["teachers", "students", "intermediates", "schemes", "tree_fits"])
def test_a_config_makes_models_and_recipes_only_and_calls_nothing_else(
    spec: dict[str, Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for function in ("os.mkdir", "numpy.zeros", "pandas.DataFrame", "multihop_search.files.whole_file"):
        monkeypatch.setattr(function, lambda *args, **kwargs: calls.append((args, kwargs)))
    entry = {
        "schemes": {"schemes": {"a": [spec]}},
        "tree_fits": {"search": {"tree_fits": [spec]}},
    }.get(place, {place: {"a": spec}})
    with pytest.raises(InvalidSetting, match=r"must (name|hold)"):
        make_config({**given(), **entry})
    assert calls == []


def test_a_dry_run_calls_nothing_and_says_so_in_one_sentence(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "hostile.toml"
    file.write_text(
        CONFIG.replace('"sklearn.ensemble.RandomForestClassifier"', '"os.system"').replace(
            "n_estimators = 30", f'command = "touch {mark}"'
        )
    )
    result = command("experiment", file, "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 1
    assert "[teachers.forest] must name a class of models, got 'os.system' of the standard library" in result.output
    assert not mark.exists()


def test_a_file_that_is_no_toml_is_said(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("seeds = [")
    with pytest.raises(InvalidSetting, match="must be a TOML file"):
        read_config(file)
    with pytest.raises(InvalidSetting, match="must be a TOML file"):
        read_config(tmp_path / "none.toml")


def test_seeds_come_outermost_and_an_override_meets_its_cells_only() -> None:
    found = {
        **given(),
        "seeds": [3, 4],
        "rows": [50, 60],
        "data": {"wine": {"example": "wine"}, "made": {"generated": True, "gap": [0.0, 1.0]}},
        "override": [{"seeds": [4], "data": ["wine"], "n_trials": 7}],
    }
    cells = cells_of(make_config(found))
    assert [cell.source.name for cell in cells[:3]] == ["wine", "made gap=0", "made gap=1"]
    assert [cell.seed for cell in cells] == [3] * 6 + [4] * 6
    assert [cell.rows for cell in cells[:6]] == [50] * 3 + [60] * 3
    special = [cell for cell in cells if cell.settings.n_trials == 7]
    assert {(cell.seed, cell.source.name) for cell in special} == {(4, "wine")}
    assert len(special) == 2
    assert len({cell.key for cell in cells}) == len(cells)


def test_whatever_the_rows_depend_on_makes_another_cell(tmp_path: Path) -> None:
    def key(**change: Any) -> str:
        found = copy.deepcopy(given())
        found["data"] = {"table": {"file": "table.csv"}}
        return cells_of(make_config({**found, **change}, tmp_path))[0].key

    (tmp_path / "table.csv").write_text("a,target\n1,x\n2,y\n")
    first = key()
    assert key() == first
    assert key(title="another") == first
    changes = [
        {"seeds": [1]},
        {"rows": [999]},
        {"fresh": 99},
        {"search": {"n_trials": 99}},
        {"schemes": {"all": ["SRatio"]}},
        {"students": {"tree": {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 3}}},
        {"teachers": {"forest": {"class": "sklearn.ensemble.ExtraTreesClassifier"}}},
    ]
    assert len({first, *(key(**change) for change in changes)}) == 1 + len(changes)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "table.csv").write_text("a,target\n1,x\n2,y\n")
    found = {**given(), "data": {"table": {"file": "table.csv"}}}
    assert cells_of(make_config(found, moved))[0].key == first
    other = tmp_path / "other"
    other.mkdir()
    (other / "table.csv").write_text("a,target\n1,x\n2,x\n")
    assert cells_of(make_config(found, other))[0].key != first


# ---- the rows


def test_the_generator_knows_its_probabilities() -> None:
    made = generate(40_000, noise=0.2, gap=0.6, n_classes=3, random_state=1)
    np.testing.assert_allclose(made.q.sum(axis=1), 1.0)
    assert abs((1 - made.q.max(axis=1)).mean() - 0.2) < 0.01  # the error of the best classifier is the noise asked for
    assert abs((made.y != made.q.argmax(axis=1)).mean() - 0.2) < 0.01  # and labels are drawn so
    for place in range(3):  # calibrated: among rows with about the same probability it is the share of the class
        near = np.abs(made.q[:, place] - 0.5) < 0.1
        assert abs((made.y[near] == place).mean() - made.q[near, place].mean()) < 0.04
    again = generate(40_000, noise=0.2, gap=0.6, n_classes=3, random_state=1)
    np.testing.assert_array_equal(made.y, again.y)
    assert (generate(100, noise=0.0, gap=0.6, random_state=1).q.max(axis=1) > 0.9).mean() > 0.95


def test_a_larger_gap_is_one_that_a_small_tree_cannot_hold() -> None:
    errors = []
    for gap in (0.0, 0.5, 1.0):
        made = generate(6000, noise=0.05, gap=gap, random_state=2)
        tree = DecisionTreeClassifier(max_depth=3).fit(made.X[:4000], made.y[:4000])
        errors.append((tree.predict(made.X[4000:]) != made.y[4000:]).mean())
    assert errors[0] < 0.1 < errors[1] < errors[2]


def test_no_group_is_on_both_sides_and_half_a_table_trains_at_most() -> None:
    groups = np.repeat(np.arange(10), 7)
    train, fresh = positions(70, groups, 30, 20, seed=0)
    assert len(train) == 30
    assert len(fresh) == 20
    assert not set(groups[train]) & set(groups[fresh])
    train, fresh = positions(50, None, 1000, 1000, seed=0)
    assert (len(train), len(fresh)) == (25, 25)
    assert not set(train) & set(fresh)
    assert set(positions(50, None, 25, 25, seed=1)[0]) != set(train)


def test_columns_become_numbers_by_what_the_training_rows_say() -> None:
    train = pd.DataFrame({"a": [1.0, np.nan, 3.0, 100.0], "b": ["x", "y", "x", "y"]})
    fresh = pd.DataFrame({"a": [np.nan], "b": ["z"]})
    X, X_fresh = numbers(train, fresh)
    np.testing.assert_array_equal(X, [[1, 1, 0], [3, 0, 1], [3, 1, 0], [100, 0, 1]])
    np.testing.assert_array_equal(X_fresh, [[3, 0, 0]])


def test_a_table_with_groups_is_split_by_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=40), "words": rng.choice(["u", "v"], 40), "label": ["p", "q"] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame({"group": np.repeat(np.arange(8), 5)}).to_csv(tmp_path / "g.csv", index=False)
    source = Source("t", file="t.csv", target="label", groups="g.csv", drop=("words",))
    rows = split(source, tmp_path, 100, 100, seed=0)
    assert rows.X.shape == (20, 1)
    assert rows.groups is not None
    assert not set(rows.groups) & set(rows.unit_fresh)
    with pytest.raises(InvalidData, match="must have the column 'target', it has a, words, label"):
        split(Source("t", file="t.csv"), tmp_path, 10, 10, seed=0)
    with pytest.raises(InvalidData, match="it is not there"):
        split(Source("t", file="none.csv"), tmp_path, 10, 10, seed=0)


def test_conditions_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    teacher = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.2]])
    plain = np.array([[0.6, 0.4], [0.4, 0.6], [0.4, 0.6], [0.6, 0.4]])
    found = conditions(np.zeros((4, 3)), y, teacher, plain, 7)
    assert (found["n_rows"], found["n_columns"], found["n_classes"], found["capacity"]) == (4, 3, 2, 7)
    assert (found["majority"], found["teacher_error"], found["gap_error"]) == (0.5, 0.25, 0.25)
    assert found["agreement"] == 0.75
    assert found["teacher_log_loss"] == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4)
    expected = -(2 * np.log(0.6) + 2 * np.log(0.4)) / 4 - found["teacher_log_loss"]
    assert found["gap_log_loss"] == pytest.approx(expected)
    assert found["teacher_ece"] == pytest.approx(0.05)  # sure of 0.8, right in 3 of 4
    assert calibration_error(y, np.eye(2)[y]) == 0.0


# ---- what a cell leaves


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small experiment, run without interruption."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(CONFIG)
    run_experiment(folder / "small.toml", folder / "out")
    return folder / "out"


def test_rows_say_what_the_search_says(finished: Path, config: Path) -> None:
    records = read_records(finished)
    assert len(records.cells) == 4
    cell = cells_of(read_config(config))[0]
    row = records.cells.set_index("cell").loc[cell.key]
    rows = split(cell.source, cell.folder, cell.rows, cell.fresh, cell.seed)
    search = search_of(cell).fit(rows.X, rows.y)
    table = search.verdict_.table
    for what in ("gain", "low", "high"):
        assert row[f"one_hop_vs_plain.{what}"] == table.loc["one-hop vs plain", what]
    assert row["chosen"] == search.best_index_
    assert records.cells["selected_vs_own_fit.gain"].isna().all()  # one way of fitting: nothing to compare
    assert records.cells["selected_vs_own_fit.gain"].dtype == float
    trials = records.trials[records.trials["cell"] == cell.key].set_index("trial")
    complete = search.results_[search.results_["state"] == "COMPLETE"]
    assert set(trials.index) <= set(complete["trial"])
    best = {group: complete.loc[mask] for group, mask in
            (("one", complete["hops"] == 1), ("many", complete["hops"] >= 2))}  # fmt: skip
    naive = best["many"]["score"].max() - best["one"]["score"].max()
    assert row["multi_hop_vs_one_hop.naive_log_loss"] == pytest.approx(naive, rel=1e-6)
    number = int(best["many"]["score"].idxmax())
    proba = search.refit_trial(number).predict_proba(rows.X_fresh)
    assert rows.q_fresh is not None
    floored = np.maximum(proba, 1e-3)
    floored /= floored.sum(axis=1, keepdims=True)
    expected = -(rows.q_fresh * np.log(floored)).sum(axis=1).mean()  # under the true probabilities, not the labels
    assert trials.loc[number, "fresh_log_loss"] == pytest.approx(expected, rel=1e-5)
    assert trials.loc[number, "cv_log_loss"] == pytest.approx(-complete.loc[number, "score"], rel=1e-5)
    assert np.mean(trials.loc[number, "fold_log_loss"]) == pytest.approx(trials.loc[number, "cv_log_loss"], rel=1e-5)


def test_beside_a_nested_verdict_stands_the_one_without_further_fits(config: Path, tmp_path: Path) -> None:
    rows = []
    for verdict in ("nested", "bbc"):
        three_folds = CONFIG.replace("cv = 2\ncross", "cv = 3\ncross")
        config.write_text(three_folds + f'\n[[override]]\nseeds = [0]\nverdict = "{verdict}"\n')
        rows.append(run_experiment(config, tmp_path / verdict, n_cells=1).cells.iloc[0])
    nested, bbc = rows
    assert (nested["verdict"], bbc["verdict"]) == ("nested", "bbc")
    assert (nested["data"], nested["seed"]) == (bbc["data"], bbc["seed"])
    for what in ("gain", "low", "high"):
        assert nested[f"one_hop_vs_plain.bbc_{what}"] == pytest.approx(bbc[f"one_hop_vs_plain.{what}"], rel=1e-9)
        assert bbc[f"one_hop_vs_plain.bbc_{what}"] == bbc[f"one_hop_vs_plain.{what}"]
    assert nested["one_hop_vs_plain.gain"] != nested["one_hop_vs_plain.bbc_gain"]
    for what in ("fresh_log_loss", "naive_log_loss"):  # the search itself is the same
        assert nested[f"one_hop_vs_plain.{what}"] == pytest.approx(bbc[f"one_hop_vs_plain.{what}"], rel=1e-9)


def test_with_one_scheme_asked_for_every_path_has_one(finished: Path) -> None:
    trials = read_records(finished).trials
    several = trials[trials["hops"] >= 2]
    assert len(several) >= 4
    untold = several["schemes"].str.split(">").map(lambda names: set(names) <= {"Truncate", names[-1]})
    assert untold.all()
    assert (several["pure"] == several["schemes"].str.rpartition(">")[2]).all()
    assert set(several["pure"]) <= {"KnowledgeDistillation", "ConfWeight"}


@functools.cache
def drawn(share: float, n_students: int = 2) -> list[Any]:
    """Return the paths of 240 trials of three hops at most, by the sampler alone."""
    schemes = [KnowledgeDistillation(), ConfWeight(), SRatio()]
    students = {f"s{place}": StudentSpace() for place in range(n_students)}
    space = PathSpace(["forest", "tree"], schemes, students)
    study = optuna.create_study(sampler=SameScheme(0, n_students, share))
    paths = []
    for number in range(240):
        study.enqueue_trial({"student": f"s{number % n_students}", "n_hops": number // n_students % 4})
        paths.append(space.suggest(study.ask()))
    return paths


def test_the_share_of_paths_with_one_scheme_is_the_one_asked_for() -> None:
    for share in (0.0, 0.7, 1.0):
        several = [path for path in drawn(share) if len(path.hops) >= 2]
        pure = [pure_scheme(path) for path in several]
        by_chance = np.mean([3.0 ** (1 - len(path.hops)) for path in several])
        assert np.mean([name != "" for name in pure]) == pytest.approx(share + (1 - share) * by_chance, abs=0.07)
        if share == 1.0:
            names, counts = np.unique(pure, return_counts=True)
            assert len(names) == 3
            assert min(counts) > 0.25 * len(pure)  # each scheme as often


def test_students_draw_the_same_hops_above_the_last() -> None:
    paths = drawn(0.7)
    assert [path.prefix for path in paths[::2]] == [path.prefix for path in paths[1::2]]


def test_each_group_has_one_pick_of_the_program(finished: Path) -> None:
    trials = read_records(finished).trials
    for _, part in trials.groupby("cell"):
        for mask in (part["hops"] == 0, part["hops"] == 1, part["hops"] >= 2):
            assert part.loc[mask, "picked_group"].sum() == 1
        assert part["picked_hopped"].sum() == 1
        for _, mine in part[part["pure"] != ""].groupby("pure"):
            assert mine["picked_scheme"].sum() == 1
            assert mine.groupby(mine["hops"] >= 2)["picked_scheme_group"].sum().eq(1).all()


def test_refitted_together_is_refitted_alone(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = blobs
    search = MultihopSearchClassifier(
        [("tree", DecisionTreeClassifier(max_depth=3)), ("small", DecisionTreeClassifier(max_depth=2))],
        RandomForestClassifier(5),
        intermediates=[("middle", DecisionTreeClassifier(max_depth=5))],
        n_trials=6,
        cv=2,
        crossfit_cv=2,
        random_state=0,
    ).fit(X, y)
    results = search.results_
    numbers_ = results.loc[results["state"] == "COMPLETE", "trial"].tolist()
    assert results.loc[numbers_, "hops"].max() >= 2
    for number, model in zip(numbers_, search.refit_trials(numbers_), strict=True):
        np.testing.assert_array_equal(model.predict_proba(X), search.refit_trial(number).predict_proba(X))
    with pytest.raises(InvalidSetting, match="number must be that of a completed trial, got 999"):
        search.refit_trials([numbers_[0], 999])


# ---- kept and resumed


def same(one: Path, two: Path) -> None:
    for name in ("cells", "trials"):
        ours, theirs = (getattr(read_records(folder), name) for folder in (one, two))
        columns = [column for column in ours if column not in SECONDS]
        pd.testing.assert_frame_equal(ours[columns], theirs[columns])


def test_killed_at_any_moment_it_goes_on_and_runs_no_finished_cell_again(
    finished: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", "from multihop_search.cli import main; main()", "experiment", str(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def cells() -> dict[str, tuple[int, int]]:
        """Return when, and as which file, each finished cell was written."""
        return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (out / "cells").glob("*.parquet")}

    process = subprocess.Popen([*arguments, "--out", str(out)], stdout=subprocess.DEVNULL, env=environment)
    limit = time.monotonic() + 120
    while len(cells()) < 2 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    time.sleep(random.Random(0).uniform(0, 0.6))
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = cells()
    assert 2 <= len(kept) <= 4
    assert command("experiment", config, "--out", out).exit_code == 0
    found = cells()
    assert {name: found[name] for name in kept} == kept
    assert len(found) == 4
    same(out, finished)


def damaged(content: bytes, rng: random.Random, n: int) -> Iterator[bytes]:
    """Yield copies with one bit flipped, then one that was cut, one with a byte more, and one of nothing."""
    for bit in [0, 7, 8 * len(content) - 1, *(rng.randrange(8 * len(content)) for _ in range(n))]:
        copy_ = bytearray(content)
        copy_[bit // 8] ^= 1 << bit % 8
        yield bytes(copy_)
    yield from (content[: len(content) // 2], content + b"\0", b"")


@pytest.mark.parametrize("name", ["cells.parquet", "trials.parquet"])
def test_a_table_of_which_one_bit_changed_is_refused(name: str, finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    for content in damaged((finished / name).read_bytes(), random.Random(0), 60):
        (out / name).write_bytes(content)
        with pytest.raises(InvalidData, match=rf"{name} must be as the experiment wrote it, .*: delete it and run"):
            read_records(out)
    result = command("report", out)
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    (out / name).unlink()
    run_experiment(finished.parent / "small.toml", out)
    same(out, finished)


def test_a_cell_of_which_one_bit_changed_is_refused_and_then_run_again(finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    one, other = sorted((out / "cells").glob("*.parquet"))[:2]
    for content in damaged(one.read_bytes(), random.Random(1), 20):
        one.write_bytes(content)
        with pytest.raises(InvalidData, match=rf"{one.name} must be as the experiment wrote it, .*: delete it and run"):
            run_experiment(finished.parent / "small.toml", out)
    one.write_bytes(other.read_bytes())
    with pytest.raises(InvalidData, match="it is not of the cell that its name says"):
        run_experiment(finished.parent / "small.toml", out)
    one.unlink()
    os.mkfifo(one)
    with pytest.raises(InvalidData, match="it is a pipe, no plain file"):
        run_experiment(finished.parent / "small.toml", out)
    one.unlink()
    told: list[str] = []
    run_experiment(finished.parent / "small.toml", out, tell=told.append)
    assert len(told) == 1
    same(out, finished)


def test_tables_of_two_moments_are_refused(finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    run_experiment(finished.parent / "small.toml", tmp_path / "one", n_cells=1)
    shutil.copy(tmp_path / "one" / "trials.parquet", out)
    with pytest.raises(InvalidData, match=r"must be of the same cells, they are not: run the experiment again"):
        read_records(out)


def test_any_tool_reads_the_tables(finished: Path) -> None:
    records = read_records(finished)
    pd.testing.assert_frame_equal(pd.read_parquet(finished / "cells.parquet"), records.cells)
    pd.testing.assert_frame_equal(pd.read_parquet(finished / "trials.parquet"), records.trials)


def test_cells_of_another_config_are_kept_aside(finished: Path, config: Path, tmp_path: Path) -> None:
    run_experiment(config, tmp_path / "out", n_cells=1)
    first = read_records(tmp_path / "out")
    config.write_text(CONFIG.replace("n_trials = 6", "n_trials = 3"))
    told: list[str] = []
    run_experiment(config, tmp_path / "out", n_cells=1, tell=told.append)
    second = read_records(tmp_path / "out")
    assert len(told) == 1
    assert set(first.cells["cell"]).isdisjoint(second.cells["cell"])
    assert second.cells["n_selected"].max() <= 3
    config.write_text(CONFIG)
    told.clear()
    run_experiment(config, tmp_path / "out", n_cells=1, tell=told.append)
    assert len(told) == 1  # the first one is there still
    assert len(read_records(tmp_path / "out").cells) == 2


def test_a_cell_that_fails_costs_only_itself(config: Path, tmp_path: Path) -> None:
    text = CONFIG.replace("seeds = [0, 1]", "seeds = [0]").replace("noise = [0.1, 0.2]", "noise = 0.1")
    config.write_text(text + '\n[data.gone]\nfile = "gone.csv"\n')
    with pytest.raises(InvalidData, match=r"gone.csv must be the table of data set 'gone', it is not there"):
        run_experiment(config, tmp_path / "out")
    (tmp_path / "gone.csv").write_text("a,target\n1,x\n2,x\n3,x\n")
    told: list[str] = []
    with pytest.raises(SearchFailed, match=r"1 of 2 cells failed, the first, gone.*others are finished"):
        run_experiment(config, tmp_path / "out", tell=told.append)
    assert len(told) == 2
    assert set(read_records(tmp_path / "out").cells["data"]) == {"made"}


def test_settings_are_checked_before_anything_is_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="verdict"):
        run_experiment({**given(), "override": [{"seeds": [0], "verdict": "by eye"}]}, tmp_path / "out")
    with pytest.raises(InvalidSetting, match="n_trials must be None or an integer of at least 1, got 0"):
        run_experiment({**given(), "search": {"n_trials": 0}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


STOPPED = """
import os, signal, sys, threading, time
from multihop_search.cli import main

def stop():
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # until a search listens
        time.sleep(0.01)
    time.sleep(0.3)  # until a trial is told
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop, daemon=True).start()
main(sys.argv[1:])
"""


def test_a_signal_leaves_no_cell_with_fewer_trials(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("n_trials = 6", "n_trials = 500"))
    out = tmp_path / "out"
    command_ = [sys.executable, "-c", STOPPED, "experiment", str(config), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command_, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 1
    assert "Error: the experiment was stopped by a signal: run it again to go on." in done.stderr
    assert list(out.rglob("*.parquet")) == []


class Counted(SerialExecutor):
    """Counts its sessions."""

    n_sessions = 0

    def start(self, *args: Any) -> Any:
        type(self).n_sessions += 1
        return super().start(*args)


@pytest.mark.parametrize("kind", [Counted, pytest.param(RayExecutor, marks=pytest.mark.slow)])
def test_on_an_executor_the_rows_are_the_same(kind: Any, finished: Path, config: Path, tmp_path: Path) -> None:
    run_experiment(config, tmp_path / "out", executor=kind(), n_cells=1)
    assert kind is RayExecutor or kind.n_sessions == 1
    ours, theirs = read_records(tmp_path / "out").trials, read_records(finished).trials
    theirs = theirs[theirs["cell"].isin(ours["cell"])].reset_index(drop=True)
    assert ours["cell"].nunique() == 1
    pd.testing.assert_frame_equal(ours, theirs)


# ---- the command


def test_the_commands_from_config_to_page(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = command("experiment", config, "--out", out, "--dry-run")
    assert planned.output.count("to run") == 4
    assert not out.exists()
    result = command("experiment", config, "--out", out, "--cells", 1)
    assert result.exit_code == 0, result.output
    assert "made noise=0.1, forest, two, 120 rows, seed 0:" in result.output
    assert command("experiment", config, "--out", out, "--dry-run").output.count("finished") == 1
    shown = command("report", out)
    assert shown.exit_code == 0, shown.output
    assert (out / "report.html").stat().st_size > 10_000
    assert command("report", out, "--file", tmp_path / "page.html").exit_code == 0
    assert (tmp_path / "page.html").exists()


def test_errors_of_the_commands_are_one_sentence(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("n_trials", "trials"))
    result = command("experiment", config, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Error: [search] must hold known names only, got 'trials'" in result.output
    result = command("report", tmp_path)
    assert result.exit_code == 1
    assert "must be a table of an experiment, it is not there: run the experiment first." in result.output


def test_without_pyarrow_the_extra_is_named(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = command("experiment", config, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "needs pyarrow, which is not here: pip install multihop_search[parquet]" in result.output


def test_with_a_share_held_out_the_row_speaks_of_what_the_program_chose(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG + "\n[[override]]\nseeds = [0]\nverdict = 0.3\n")
    records = run_experiment(config, tmp_path / "out", n_cells=1)
    row = records.cells.iloc[0]
    chosen = records.trials.set_index("trial").loc[row["chosen"]]
    assert row["selected.fresh_log_loss"] == pytest.approx(chosen["fresh_log_loss"], rel=1e-6)
