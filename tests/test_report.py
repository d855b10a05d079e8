"""What people read in the terminal and see in the picture."""

import time
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from multihop_search.paths.groups import COMPARISONS
from multihop_search.problem.units import Unit
from multihop_search.report.facts import Compared
from multihop_search.report.figures import draw_search
from multihop_search.report.progress import progress, stage
from multihop_search.report.text import comparison, describe
from multihop_search.verdict import judge

X = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [3.0, 6.0]])
Y = np.array(["no", "no", "yes", "yes", "no"])


def test_a_tree_is_told_as_rules_with_classes_shares_and_rows() -> None:
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y)
    assert describe(tree, ["size", "age"], tree.classes_).splitlines() == [
        "size <= 1.5: no 100 % (2 rows)",
        "size > 1.5",
        "|   age <= 5.5: yes 100 % (2 rows)",
        "|   age > 5.5: no 100 % (1 row)",
    ]


def test_a_tree_of_one_leaf_is_told() -> None:
    stump = DecisionTreeClassifier(min_samples_leaf=5).fit(X, Y)
    assert describe(stump, ["size", "age"], stump.classes_) == "no 60 % (5 rows)"


def test_a_linear_model_is_told_by_its_largest_coefficients() -> None:
    wide = np.random.default_rng(0).normal(size=(40, 15))
    model = LogisticRegression().fit(wide, wide[:, 3] > 0)
    lines = describe(model, [f"x{column}" for column in range(15)], model.classes_).splitlines()
    assert lines[0].split() == ["feature", "True"]
    assert lines[1].split()[0] == "x3"
    assert lines[-1] == "... and 3 smaller ones"
    many = LogisticRegression().fit(X, ["a", "b", "c", "a", "b"])
    assert describe(many, ["size", "age"], many.classes_).splitlines()[0].split() == ["feature", "a", "b", "c"]


def test_any_other_model_is_told_by_its_size() -> None:
    forest = RandomForestClassifier(2, max_depth=1, random_state=0).fit(X, Y)
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    assert describe(forest, ["size", "age"], forest.classes_) == f"RandomForestClassifier of {nodes} nodes"


def test_the_comparison_has_a_line_for_each_model() -> None:
    models = [
        Compared("plain", "DecisionTreeClassifier", {"log_loss": 0.5, "accuracy": 0.75}, 3, 1, 100.0),
        Compared("ours", "DecisionTreeClassifier", {"log_loss": 0.25, "accuracy": 0.875}, 3, 1, 100.0),
    ]
    text = comparison(models)
    assert text.splitlines()[0].split() == ["log-loss", "accuracy", "nodes", "features", "latency"]
    assert text.splitlines()[1].split()[:5] == ["plain", "0.5000", "0.7500", "3", "1"]
    assert text.splitlines()[2].split()[:5] == ["ours", "0.2500", "0.8750", "3", "1"]


@pytest.mark.parametrize("hops", [[0, 1, 2], [0, 0, 0]])
def test_the_picture_shows_every_trial_and_every_comparison(hops: list[int]) -> None:
    y = np.random.default_rng(0).integers(2, size=60)
    predictions = np.stack([np.eye(2)[y] * gain + (1 - gain) / 2 for gain in (0.1, 0.2, 0.3)])
    results = pd.DataFrame({"trial": [0, 1, 2], "hops": hops, "score": [-0.6, -0.5, -0.4], "state": "COMPLETE"})
    results = results.assign(on_front=True, within_budget=True)
    picture = ElementTree.fromstring(draw_search(results, judge(predictions, y, hops, random_state=0), best=2))
    classes = [element.get("class", "") for element in picture.iter()]
    assert sum(name.startswith("mark ") for name in classes) == 3
    assert classes.count("ring") == 1
    text = " ".join(element.text or "" for element in picture.iter() if element.tag.endswith("text"))
    comparisons = [one.label for one in COMPARISONS if f"{one.label}: " in text]
    assert len(comparisons) == sum(name.startswith("strip") for name in classes) == 3


def test_a_stage_says_what_is_going_on_and_for_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multihop_search.report.progress.TICK_S", 0.05)
    with stage("choosing", shown=True):
        time.sleep(1.3)
    said = capsys.readouterr().err
    assert said.count("choosing: 00:0") >= 3  # at the start, again while nothing is told, and at the end
    assert "choosing: 00:01" in said
    with stage("choosing", shown=False):
        pass
    assert not capsys.readouterr().err


def test_the_progress_bar_shows_the_best_score_and_the_one_hop_baseline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal cuts the bar
    monkeypatch.setenv("LINES", "50")
    with progress(3, Unit("log-loss", is_loss=True), shown=True) as show:
        for hops, score in ((0, -0.5), (1, -0.4), (2, float("nan"))):
            show(hops, score)
    shown = capsys.readouterr().err
    for part in ("search by log-loss", "3/3", "plain=0.5", "one hop=0.4", "best=0.4"):
        assert part in shown
