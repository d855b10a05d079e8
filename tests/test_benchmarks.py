"""Every benchmark runs on few rows, and what its page says is true."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search import OwnFit

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import bench  # noqa: E402
import tree_fits  # noqa: E402
from portfolio_parts.recipes import CANDIDATES  # noqa: E402

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("small_teachers")]

Table = list[dict[str, str]]
"""Rows of a table of a page, each by the head of its column."""


@dataclass(frozen=True)
class Run:
    """One benchmark on few rows."""

    args: str
    holds: Callable[[list[Table]], None]
    """Asserts what is true of the tables of its page."""
    records: bool = False
    smaller: dict[str, Any] = field(default_factory=dict)
    """Values in the place of some in the script."""
    files: dict[str, str] = field(default_factory=dict)
    """What is written before, beside its page."""
    page: str = "page.md"
    """Name of the page, which a script that writes several gives itself."""
    where: str = "here"
    """"here": in this process, its own processes too; "apart": all of it in another; "own": as the script does it."""


def tables(page: str) -> list[Table]:
    """Return the tables of a page in Markdown."""
    found = []
    for is_table, lines in groupby(page.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
            found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def number(cell: str) -> float:
    """Return the first number of a cell."""
    return float(cell.replace(",", "").replace("*", "").split()[0])


def is_ratio(row: dict[str, str], above: str, below: str, ratio: str, unit: float = 1.0) -> None:
    """Assert that a column is the ratio of two others, as exactly as they are printed to one `unit`."""
    up, down, shown = (number(row[name]) for name in (above, below, ratio))
    half = unit / 2
    assert (up - half) / (down + half) - 0.006 <= shown
    assert down <= half or shown <= (up + half) / (down - half) + 0.006


def driver_page(page: list[Table]) -> None:
    (samplers,) = page
    assert [row["trials"] for row in samplers] == ["30", "30", "30"]
    for row in samplers:
        is_ratio(row, "last 1,000", "second 1,000", "last / second", 0.1)


def several_students_page(page: list[Table]) -> None:
    ((*alone, added, together),) = page
    for column in ("fits of upper models", "fits of students"):
        assert number(added[column]) == sum(number(row[column]) for row in alone)
    assert len(alone) == 2
    # each fits its teacher once a fold, by its bags; in one search they share it
    assert number(together["fits of upper models"]) <= number(added["fits of upper models"]) - 5


def soft_labels_page(page: list[Table]) -> None:
    (models,) = page
    assert [(row["rows"], row["classes"], row["route"]) for row in models] == [
        ("90", "3", "regression"),
        ("90", "3", "regression"),
        ("90", "3", "softmax"),
    ]
    for row in models[:2]:
        assert row["asked"] == ("met" if number(row["soft / plain"]) <= 1.3 else "not met")


def limit_page(page: list[Table]) -> None:
    (row,), (seconds,) = page
    assert (row["data"], row["rows"]) == ("wine", "90")
    is_ratio(row, "wall s", "work s", "wall / work")
    spent = [number(cell) for name, cell in seconds.items() if name not in ("data", "student")]
    assert abs(sum(spent) - number(row["wall s"])) < 0.5 + 0.05 * len(spent) + 0.5


def size_page(page: list[Table]) -> None:
    deadline, growth, timeouts, seconds = page
    assert [row["search"] for row in deadline] == ["timeout=120"]
    assert [(row["table"], row["rows"]) for row in growth] == [("generated", "60"), ("generated", "90")]
    for row in growth:
        assert number(row["last step s"]) <= number(row["s"])
        assert row["rows of the refit"] == row["rows"]
    assert [(row["table"], row["plain trials"], row["taught trials"]) for row in timeouts] == [("wine", "1", "0")]
    for part in ("fits of forests", "out-of-bag votes"):
        assert number(seconds[0][part]) <= number(seconds[0]["all"])


def memory_page(page: list[Table]) -> None:
    megabytes = {row["what"]: number(row["MB"]) for row in page[0]}
    _, whole, synthetic, models, allowed, first, others, _, added = megabytes.values()
    assert allowed == pytest.approx(whole + synthetic + models, abs=2)
    assert added == pytest.approx(max(others - first, 0), abs=1)


def verdict_page(page: list[Table]) -> None:
    assert page == tables((bench.PAGES / "verdict.md").read_text())  # of the same records


def adaptive_verdict_page(page: list[Table]) -> None:
    (lines,) = page
    assert [(row["tuning matters"], row["sampler"]) for row in lines] == [
        (matters, sampler) for matters in ("no", "yes") for sampler in ("random", "random", "TPE", "TPE")
    ]
    for row in lines[:4]:  # there every path is as good as every other
        assert row["chosen"] == "80.00 ± 0.00"
    assert all(number(row["chosen"]) <= 80 for row in lines[4:])


def choices_page(page: list[Table]) -> None:
    losses = [(row[""], number(row["tree4 log-loss"])) for table in page for row in table]
    of_rule = dict(losses)
    assert of_rule["first 100%"] == of_rule["any"] == of_rule["all"]  # one rule under three names
    assert of_rule["by fresh log-loss"] == min(loss for _, loss in losses)


def early_stopping_page(page: list[Table]) -> None:
    searches, of_sets, rules = page
    assert [(row["cv"], row["searches"]) for row in searches] == [("5", "1"), ("10", "1")]
    for row in searches:
        assert 1 <= number(row["times as many (lower bound)"]) <= number(row["cv"]) / 2
    assert [row["data"] for row in of_sets] == ["wine"]
    assert len(rules) == 11


def naive_page(page: list[Table]) -> None:
    for first in (0, 6):
        rows = {row[""]: row for row in page[0][first : first + 6]}  # by the way of fitting
        is_ratio(rows["fits of upper models"], "careful", "search", "times as much", 1e-9)
        teacher = rows["fits for the teacher"]
        assert teacher["search"] == teacher["careful"] == "15"  # 5 folds of 3 parts
        assert number(teacher["naive"]) % 15 == 0
        assert number(rows["fits of upper models"]["search"]) <= number(rows["fits of upper models"]["careful"])


def prefix_sharing_page(page: list[Table]) -> None:
    fits, sampled = page
    rows = {row["fits, seconds"]: row for row in fits}
    assert [(row["kind"], row["drawn"]) for row in sampled] == [("plain", "2"), ("one-hop", "2")]  # of 6
    assert rows["teacher"]["shared"] == "5"  # by its bags, once in each fold
    assert number(rows["teacher"]["whole path"]) == 5 * 4
    assert number(rows["students"]["whole path"]) == 5 * 6


def quality_page(page: list[Table]) -> None:
    wanted = {row["wanted"]: row for row in page[0]}
    loss = wanted["tree4: log-loss 2.5 % lower than plain tuned with shrinkage"]
    assert loss["sets"] == "1 of 47"
    assert loss[""].endswith("so far")
    students = next(table for table in page if table and "plain tuned" in table[0])
    assert [(row["data"], row["student"]) for row in students] == [
        ("diabetes", "value_tree4"),
        ("wine", "lr"),
        ("wine", "tree4"),
    ]
    for row in students:
        plain, ours = number(row["plain tuned"]), number(row["ours"])
        assert number(row["against plain"]) == pytest.approx(100 * (ours / plain - 1), abs=0.3)
        assert (row["points"] == "") == (row["data"] == "diabetes")
    cells = {row["method"]: row["cells"] for row in page[-1]}
    assert cells == dict.fromkeys(("plain", "shrunk", "ours", "first"), "2")


def tiny_records() -> pd.DataFrame:
    """Return records of three recipes a student: the first, and better ones with a hop and with two by a forest."""
    rows = []
    for student in ("tree4", "lr", "value_tree4"):
        hops = [entry["n_hops"] for entry in CANDIDATES[student]]
        for name in ("a", "b"):
            told = {"set": name, "seed": 100, "student": student, "fit_seconds": 1.0}
            recipes = {0: 3.0, hops.index(1): 2.0, hops.index(2) + 2: 1.0}
            rows += [{**told, "recipe": recipe, "cv": loss, "fresh": loss} for recipe, loss in recipes.items()]
    return pd.DataFrame(rows)


def real_tables_page(page: list[Table]) -> None:
    (row,), (student,) = page
    ages = bench.read("heart_disease", 120)[0]["age"].nunique()
    assert [row[name] for name in ("rows", "words", "groups", "trials")] == ["120", "0", str(ages), "6 COMPLETE"]
    assert student["measures"] == "log_loss / accuracy"
    assert all(0 <= float(student[group].split(" / ")[1]) <= 1 for group in ("teacher", "plain", "selected"))


def tree_fits_page(page: list[Table]) -> None:
    first, own, again = page[0]
    assert again["tree4 log-loss"].startswith(f"{first['tree4 log-loss']} (+0.0 ")
    assert own["tree4 log-loss"] != first["tree4 log-loss"]


def teachers_page(page: list[Table]) -> None:
    (one, last), *_ = page
    assert [one["teacher"], last["teacher"]] == ["small", "last"]
    assert (last["CPU"], last["student, depth 4"].split()[0]) == ("1.00", "+0.0")
    assert one["its own loss"] != last["its own loss"]


def verdict_null_page(page: list[Table]) -> None:
    null, _, search, counts, power = page
    assert {row["replicates"] for row in null} == {"2"}
    for row in search:
        assert row["tuning matters"] == "yes" or row["true gain"] == "+0.000 ± 0.000"
    assert {row["trials plain / one-hop / multi-hop"] for row in counts} == {"4 / 4 / 4"}
    planted = [row for row in power if (row["comparison"], row["score"]) == ("one-hop vs plain", "accuracy")]
    assert [row["true gain"] for row in planted] == ["+3.000", "+3.000"]


def when_multi_hop_helps_page(page: list[Table]) -> None:
    claimed, _, sets, _, *maps = page
    fresh = {(row["comparison"], row["in"]): row["gained on fresh rows"] for row in claimed}
    assert {(row["comparison"], row["in"]): row["mean gain"] for row in sets} == fresh  # there is one set
    assert all(int(row["wins"]) + int(row["ties"]) + int(row["losses"]) == 1 for row in sets)
    assert len({cell for table in maps for cell in list(table[0].values())[1:]}) == 1  # of one cell


TREE, DEEP = DecisionTreeClassifier(max_depth=2), DecisionTreeClassifier(max_depth=5)
CONFIG = """
title = "few"
seeds = [0]
rows = [80]
fresh = 90

[search]
n_trials = 3
stopping = false
tree_fits = ["OwnFit"]

[data.wine]
example = "wine"

[teachers.forest]
class = "sklearn.ensemble.RandomForestClassifier"
n_estimators = 8

[students.tree2]
class = "sklearn.tree.DecisionTreeClassifier"
max_depth = 2

[schemes]
all = ["KnowledgeDistillation", "ConfWeight", "SRatio"]
"""
FITS = {
    "A table": {
        "first": tree_fits.BASE,
        "own": replace(tree_fits.BASE, tree_fit=OwnFit(), alpha=None),
        "first again": tree_fits.BASE,
    }
}
MAP = CONFIG.replace("[data.wine]\nexample", "[data.made]\ngenerated = true\nnoise = [0.1]\ngap = [0.5]\n#")
RUNS = {
    "adaptive_verdict": Run("--replicates 2 --processes 1 --rows 80 --trials 9", adaptive_verdict_page),
    "choices": Run(
        "--data wine --trials 4",
        choices_page,
        records=True,
        smaller={"STUDENTS": ("tree4", "lr"), "VARIANTS": {"default": {"teacher": DEEP}}},
    ),
    "early_stopping": Run(
        "--data wine --rows 60 --trials 6",
        early_stopping_page,
        records=True,
        smaller={"STUDENTS": (("a tree", lambda: TREE),), "N_TREES": 5, "N_ORDERS": 10, "N_BOOTSTRAPS": 20},
    ),
    "naive": Run(
        "--data wine --rows 40 --trials 3", naive_page, smaller={"TEACHER_MODEL": RandomForestClassifier(5), "TIMED": 2}
    ),
    "prefix_sharing": Run(
        "--data wine --rows 45 --trials 6",
        prefix_sharing_page,
        smaller={"TEACHER_MODEL": RandomForestClassifier(30), "SAMPLED": {"plain": 2, "one-hop": 2}},
    ),
    "quality": Run(
        "--data wine diabetes --seeds 0 --methods plain first ours --jobs 1",
        quality_page,
        records=True,
        smaller={
            "bench.EXAMPLES": {"wine": load_wine, "diabetes": load_diabetes},
            "data.VALUES": ("diabetes",),
            "students.STUDENTS": ("lr", "tree4"),
            "students.VALUE_TREES": {"value_tree4": 4},
            "ours.read_records": lambda file: tiny_records(),
            "by_hand.N_DRAWS": 2,
        },
        page="quality.md",
    ),
    "real_tables": Run(
        "--data heart_disease --rows 120 --trials 6",
        real_tables_page,
        records=True,
        smaller={"SEARCHES": {"heart_disease": (TREE, DEEP)}},
    ),
    "teachers": Run(
        "--data wine --rows 90",
        teachers_page,
        records=True,
        smaller={
            "teachers": lambda regression: {"small": DecisionTreeClassifier(max_depth=1), "last": DEEP},
            "RECIPES": [{"n_hops": 1}],
        },
    ),
    "tree_fits": Run(
        "--data wine",
        tree_fits_page,
        records=True,
        smaller={"TABLES": FITS, "TREES": {"tree4": 4}, "by_hand.N_DRAWS": 2},
    ),
    "verdict_null": Run("--replicates 2 --processes 1 --rows 60 --trials 12", verdict_null_page, records=True),
    "when_multi_hop_helps": Run(
        "--configs {0}/few.toml {0}/map.toml --picture {0}/picture.svg",
        when_multi_hop_helps_page,
        records=True,
        files={"few.toml": CONFIG, "map.toml": MAP},
        page="few.md",
    ),
    "driver": Run("--trials 30 --rows 90", driver_page),
    "limit": Run(
        "--data wine --trials 3 --rows 90",
        limit_page,
        smaller={"STUDENTS": {"tree": {"student": TREE, "teacher": DEEP}}},
        where="own",
    ),
    "memory": Run("--data wine --trials 3 --rows 90", memory_page, smaller={"TEACHER": DEEP}, where="apart"),
    "size": Run(
        "--rows 90",
        size_page,
        records=True,
        smaller={
            "COVERTYPE": "wine",
            "METHODS": {"timeout=120": {"timeout": 120.0}},
            "GROWTH": {"generated": (60, 90)},
            "LIMITS": (5,),
            "TABLES": {"wine": "tree:2"},
            "PROFILES": {"wine": (90, 2)},
            "SETTINGS": {"teacher": DEEP, "cv": 2, "crossfit_cv": 2, "n_trials": 2},
            "OPTIONS": ["--trials", "1"],
        },
    ),
    "several_students": Run(
        "--data wine --trials 3 --rows 60",
        several_students_page,
        smaller={"TEACHER": DEEP, "STUDENTS": [("first", TREE), ("second", TREE)]},
    ),
    "soft_labels": Run("--data wine --rows 90 --repeats 1", soft_labels_page),
    "verdict": Run("", verdict_page),
}


def run_smaller(name: str, smaller: dict[str, Any], args: list[str]) -> None:
    """Run a benchmark in a process that can be left as it is."""
    script = importlib.import_module(name)
    for place, value in smaller.items():
        setattr(script, place, value)
    script.main(args)


@pytest.mark.parametrize("name", RUNS)
def test_the_page_of_a_small_run_is_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, script = RUNS[name], importlib.import_module(name)
    for place, value in run.smaller.items():
        *modules, last = place.split(".")
        monkeypatch.setattr(reduce(getattr, modules, script), last, value)
    for file, text in run.files.items():
        (tmp_path / file).write_text(text)
    args = [
        *run.args.format(tmp_path).split(),
        "--out",
        str(tmp_path / "page.md" if run.page == "page.md" else tmp_path),
    ]
    args += ["--build", str(tmp_path / "build")] if run.records else []
    if run.where == "here":
        monkeypatch.setattr(bench, "apart", lambda call, *of_call: call(*of_call))
    try:
        if run.where == "apart":
            bench.apart(run_smaller, name, run.smaller, args)
        else:
            script.main(args)
    except SystemExit as end:
        if str(end).startswith("skipped"):
            pytest.skip(str(end))
        if not str(end).startswith("not met"):  # what is required of many rows
            raise
    run.holds(tables((tmp_path / run.page).read_text()))


def test_every_benchmark_is_run() -> None:
    elsewhere = {"import_time", "portfolio", "same_results", "shrinkage"}  # tests of their own names
    assert {file.stem for file in BENCHMARKS.glob("*.py")} == {"bench", *elsewhere, *RUNS}
