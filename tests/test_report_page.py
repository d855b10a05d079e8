"""The page: what it says, that no data become markup, how it is written, and how a browser shows it."""

import copy
import json
import os
import pickle
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import KnowledgeDistillation, MultihopSearchClassifier, MultihopSearchRegressor, OwnFit, SRatio
from multihop_search.errors import FileFailed, InvalidSetting, MultihopWarning
from multihop_search.integrations.predictions import from_predictions
from multihop_search.paths.path import Hop, Truncate
from multihop_search.paths.path import Path as HopPath
from multihop_search.problem.units import Unit
from multihop_search.report.charts import history_chart, size_chart
from multihop_search.report.facts import Facts, Measured
from multihop_search.report.gains import gains
from multihop_search.report.markup import shown, tag
from multihop_search.report.page import fragment, page
from multihop_search.report.portrait import portrait
from multihop_search.report.scales import Scale
from multihop_search.report.sections import reasons_of
from multihop_search.report.steps import steps_of
from multihop_search.report.text import describe
from multihop_search.report.trees import MOST_LEAVES, draw_tree
from multihop_search.search.facts import contenders, facts_of
from multihop_search.verdict import judge

pytestmark = pytest.mark.once

LOG_LOSS = Unit("log-loss", is_loss=True)
NAMES = [
    "<script>alert(1)</script>",
    "\"quotes\" & 'apostrophes' ]]>",
    "a" * 300,
    "line\nbreak\x00",
    "\u202eright to left",
    "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f469\u200d\U0001f52c {{ 7 * 7 }}",
]
LABELS = ["</style><img src=x onerror=alert(2)>", "b & c", "\u05d0 {% raw %}"]
STUDENTS = ["<b>tree</b>", "line'\"&"]
VOID = {"meta", "link", "br", "wbr", "img"}
ELEMENTS = {
    "html", "head", "meta", "title", "link", "style", "body", "main", "header", "section", "h1", "h2", "h3", "p",
    "i", "b", "small", "bdi", "wbr", "div", "span", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr",
    "th", "td", "details", "summary", "pre", "svg", "g", "rect", "circle", "path", "line", "text",
}  # fmt: skip


class Fussy(DecisionTreeClassifier):
    """A student that no teacher can teach with weights."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> "Fussy":
        if sample_weight is not None:
            raise ValueError(f'no <i>weights</i> & no "jokes" {len(X)}')
        super().fit(X, y)
        return self


class Page(HTMLParser):
    """A page read strictly: every element is closed, in order; text, attributes and cells are kept."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(str(text))
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {names}"
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a section that is no HTML: {data}")

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.elements if name in (attrs.get("class") or "").split()]


def said(page: Page) -> str:
    return " ".join(page.text.split())


@pytest.fixture(scope="module")
def hostile() -> MultihopSearchClassifier:
    """A search on names that would be markup, of two students."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, len(NAMES))), columns=NAMES)
    y = np.array(LABELS)[(X.iloc[:, 0] + 0.3 * X.iloc[:, 1] > 0).astype(int) + (X.iloc[:, 5] > 0.8)]
    students = [
        (STUDENTS[0], DecisionTreeClassifier(max_depth=3)),
        (STUDENTS[1], make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    return MultihopSearchClassifier(
        students, RandomForestClassifier(8), n_trials=6, tree_fits=[OwnFit()], cv=3, crossfit_cv=2, random_state=0
    ).fit(X, y)


@pytest.fixture(scope="module")
def small() -> MultihopSearchClassifier:
    """A search for one tree, on an array."""
    X, y = sklearn.datasets.make_classification(200, 5, n_informative=3, flip_y=0.1, random_state=1)
    return MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), RandomForestClassifier(10), n_trials=9, cv=3, crossfit_cv=2, random_state=0
    ).fit(X, y)


@pytest.fixture(scope="module")
def facts(small: MultihopSearchClassifier) -> Facts:
    return facts_of(small)


# ---- what it says


def test_the_page_begins_with_the_verdict_and_has_its_sections_in_order(facts: Facts) -> None:
    read = Page(page(facts))
    assert " ".join(str(facts.verdict).split()) in said(read)
    headings = re.findall(r"<h[1-6]>(.*?)</h", page(facts))
    assert headings[1:] == [
        "Side by side",
        "What was gained",
        "The path",
        "The student",
        "Score against size",
        "The search",
        *(["Reasons"] if "Reasons" in headings else []),
        "How it was made",
    ]
    levels = [int(element[1]) for element, _ in read.elements if re.fullmatch("h[1-6]", element)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= level + 1 for level, later in pairwise(levels))


def test_the_table_holds_honest_scores_and_the_sizes_of_models_fitted_on_all_rows(
    small: MultihopSearchClassifier, facts: Facts
) -> None:
    rows = {row[0].split()[0] + " " + row[0].split()[-1]: row for row in Page(page(facts)).rows}
    table = {name[: -len(model.kind)].strip(): model for model in facts.compared for name in [model.name + model.kind]}
    assert list(table) == ["teacher", "plain", "usual model", "one hop", "ours"]
    scores = small.verdict_.scores
    for name, row in (("teacher", "teacher"), ("plain", "plain"), ("one hop", "one-hop"), ("ours", "selected")):
        cells = next(cells for cells in rows.values() if cells[0].startswith(name))
        assert cells[1:3] == [f"{scores.loc[row, 'log_loss']:.4f}", f"{scores.loc[row, 'accuracy']:.4f}"]
    one_hop = small.results_[(small.results_["hops"] == 1) & small.results_["score"].notna()]
    best = (
        small.best_index_ if len(small.best_path_.hops) == 1 else int(one_hop.loc[one_hop["score"].idxmax(), "trial"])
    )
    assert table["one hop"].size == small.refit_trial(best).tree_.node_count
    assert table["ours"].size == small.best_estimator_.tree_.node_count
    assert all(model.latency_us > 0 for model in facts.compared)


def test_contenders_are_the_best_of_each_group_and_the_chosen_one_stands_for_its_own(
    small: MultihopSearchClassifier,
) -> None:
    found, results = contenders(small, small.best_path_.student), small.results_
    assert found["selected"] == small.best_index_
    for group, hops in (("plain", 0), ("one-hop", 1)):
        mine = results[(results["hops"] == hops) & results["within_budget"]]
        best = int(mine.loc[mine["score"].idxmax(), "trial"])
        assert found[group] == (small.best_index_ if len(small.best_path_.hops) == hops else best)
    assert results["fit"][found["own fit"]] == "OwnFit"
    other = copy.copy(small)
    plain = results[(results["hops"] == 0) & results["within_budget"]]
    worst = int(plain.loc[plain["score"].idxmin(), "trial"])
    assert worst != contenders(small, "student")["plain"]
    other.chosen_ = {"student": worst}
    assert contenders(other, "student")["plain"] == contenders(other, "student")["selected"] == worst


def test_gains_are_read_in_their_unit_on_one_scale() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    predictions = np.stack([np.eye(2)[y] * gain + (1 - gain) / 2 for gain in (0.1, 0.5, 0.5)])
    verdict = judge(predictions, y, [0, 1, 2], random_state=0)
    first, one, several = gains(verdict)
    assert (first.word, one.word, several.word) == ("beats", "beats", "equivalent")
    plain, taught = -np.log(0.55), -np.log(0.75)
    assert one.said.startswith(f"+{100 * (plain - taught) / plain:.1f}")
    assert [gain.name.split(" against ")[0] for gain in (first, one, several)] == ["ours", "one hop", "several hops"]
    strip = Page(one.strip)
    zero = next(attrs for _, attrs in strip.elements if attrs.get("class") == "zero")
    point = next(attrs for element, attrs in strip.elements if element == "circle")
    assert float(str(point["cx"])[:-1]) > float(str(zero["x1"])[:-1])


def test_each_gain_is_a_share_of_the_loss_of_its_own_rival() -> None:
    y = np.random.default_rng(0).integers(2, size=400)
    predictions = np.stack([np.eye(2)[y] * gain + (1 - gain) / 2 for gain in (0.1, 0.5, 0.7)])
    one, several = gains(judge(predictions, y, [0, 1, 2], random_state=0))[1:]
    plain, taught, best = -np.log(0.55), -np.log(0.75), -np.log(0.85)
    assert one.said == f"+{100 * (plain - taught) / plain:.1f}"
    assert several.said == f"+{100 * (taught - best) / taught:.1f}"
    few = gains(judge(predictions[:, :29], y[:29], [0, 1, 2], random_state=0))  # no shares of so few rows
    assert few[1].said == f"{plain - taught:+.4f}"


@pytest.mark.parametrize("scoring", ["accuracy", "neg_brier_score"])
def test_gains_in_other_scores_are_those_that_the_verdict_says(scoring: str) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=200)
    share = np.clip(np.where(y, 0.6, 0.4) + rng.normal(scale=[[0.3], [0.1]], size=(2, 200)), 0.02, 0.98)
    verdict = judge(np.stack([1 - share, share], axis=2), y, [0, 1], scoring=scoring, random_state=0)
    one = next(gain for gain in gains(verdict) if gain.name.startswith("one hop"))
    amount = "points" if scoring == "accuracy" else ""
    low, high = (end.removeprefix("+") for end in one.interval.split(" to "))
    change = f"{one.said.removeprefix('+')} {amount} higher; 95 % interval {low} to {high} {amount} higher"
    assert " ".join(change.split()) in str(verdict)


def test_an_open_gain_says_what_would_settle_it() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=60)
    noise = rng.normal(scale=0.2, size=(2, 60))
    share = np.clip(np.where(y, 0.6, 0.4) + noise, 0.02, 0.98)
    verdict = judge(np.stack([1 - share, share], axis=2), y, [0, 1], random_state=0)
    one = next(gain for gain in gains(verdict) if gain.name.startswith("one hop"))
    assert one.word == "inconclusive"
    assert "settle it" in one.advice
    assert gains(verdict)[-1].word == "not compared"


def test_the_path_is_told_hop_by_hop_with_its_settings() -> None:
    path = HopPath(
        (Hop(Truncate(10), "teacher[:10]"), Hop(SRatio(beta=4.0, margin=0.05), "forest"),
         Hop(KnowledgeDistillation(alpha=0.25, temperature=2.0), "student")),
        (("criterion", "gini"),),
    )  # fmt: skip
    models = {
        name: Measured("Model", size, "nodes")
        for name, size in (("teacher", 900.0), ("teacher[:10]", 300.0), ("forest", 50.0), ("student", 7.0))
    }
    steps = steps_of(path, models)
    assert [step.name for step in steps] == ["teacher", "teacher[:10]", "forest", "student"]
    assert [step.size for step in steps] == ["900 nodes", "300 nodes", "50 nodes", "7 nodes"]
    assert steps[0].recipes == ()
    assert steps[1].recipes == (("Truncate", (("first members kept", "10"),)),)
    assert steps[2].recipes[0][0] == "SRatio"
    assert dict(steps[3].recipes[0][1]) == {"alpha": "0.25", "temperature": "2"}
    assert steps[3].settings == (("criterion", "gini"),)
    (alone,) = steps_of(HopPath(()), models)
    assert (alone.name, alone.recipes) == ("student", ())


def test_reasons_that_differ_in_numbers_alone_are_counted_together(facts: Facts) -> None:
    results = pd.DataFrame(
        {
            "state": ["PRUNED", "FAIL", "PRUNED", "COMPLETE", "COMPLETE"],
            "reason": [
                "after 2 of 5 folds 0.1 behind",
                "<b>bad</b>",
                "after 3 of 5 folds 1e-05 behind",
                "",
                "as trial 1",
            ],
        }
    )
    assert [(reason.count, reason.what, reason.said) for reason in reasons_of(results)] == [
        (1, "failed", "<b>bad</b>"),
        (2, "stopped early", "after 2 of 5 folds 0.1 behind"),
        (1, "complete, with a remark", "as trial 1"),
    ]


def test_failures_and_their_reason_are_on_the_page(tmp_path: Path) -> None:
    X, y = sklearn.datasets.load_wine(return_X_y=True)
    search = MultihopSearchClassifier(
        Fussy(max_depth=2),
        RandomForestClassifier(8),
        n_trials=6,
        cv=3,
        crossfit_cv=2,
        tree_fits=[OwnFit()],
        random_state=0,
    )
    with pytest.warns(MultihopWarning):
        search.fit(X, y)
    n_failed = int((search.results_["state"] == "FAIL").sum())
    assert n_failed == 4
    search.report(tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert f"2 complete, 0 stopped early, {n_failed} failed" in said(read)
    assert 'no <i>weights</i> & no "jokes"' in read.text
    assert "without a teacher" in read.text
    assert len(read.of_class("failed")) == n_failed + 1  # and one in the legend


def test_a_regression_has_its_own_measures() -> None:
    X, y = sklearn.datasets.load_diabetes(return_X_y=True, as_frame=True)
    search = MultihopSearchRegressor(
        DecisionTreeRegressor(max_depth=2), RandomForestRegressor(8), n_trials=3, cv=2, crossfit_cv=2, random_state=0
    ).fit(X, y)
    read = Page(page(facts_of(search)))
    head = next(row for row in read.rows if row[0] == "model")
    assert head == ["model", "rmse", "r2", "nodes", "columns", "one row"]
    ours, words = next(row for row in read.rows if row[0].startswith("ours")), str(search.verdict_)
    assert float(ours[1]) == pytest.approx(search.verdict_.scores.loc["selected", "rmse"], abs=0.01)
    for gain in gains(search.verdict_):  # as the verdict says them
        assert gain.said == "+0.0" or f"{gain.said[1:]} % {'lower' if gain.said[0] == '+' else 'higher'};" in words
    assert "442" in said(read)


def test_a_score_of_its_own_has_a_column(small: MultihopSearchClassifier, facts: Facts) -> None:
    ranked = replace(facts.verdict, unit=Unit("roc_auc"))
    other = replace(facts, verdicts={facts.best: ranked})
    assert next(row for row in Page(page(other)).rows if row[0] == "model")[1:4] == ["roc_auc", "log-loss", "accuracy"]


def test_an_unpickled_search_has_a_page_that_says_what_is_left_out(
    small: MultihopSearchClassifier, tmp_path: Path
) -> None:
    again = pickle.loads(pickle.dumps(small))
    again.report(tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "This search was unpickled" in said(read)
    teacher = next(row for row in read.rows if row[0].startswith("teacher"))
    assert teacher[-1] == "\u2013"
    ours = next(row for row in read.rows if row[0].startswith("ours"))
    assert ours[3] == f"{small.results_['nodes'][small.best_index_]:.1f}".removesuffix(".0")
    assert "200" in said(read)
    assert "unpickled" not in page(facts_of(small))


def test_several_students_are_compared(hostile: MultihopSearchClassifier, facts: Facts) -> None:
    read = Page(page(facts_of(hostile)))
    assert "The students" in read.text
    for name in hostile.chosen_:
        row = next(row for row in read.rows if row[0].startswith(name))
        assert row[2] == f"{hostile.verdicts_[name].scores.loc['selected', 'log_loss']:.4f}"
        assert row[1] == hostile.verdicts_[name].table.loc["selected vs plain", "verdict"]
        assert " ".join(str(hostile.verdicts_[name]).split()) in said(read)
    assert "The students" not in page(facts)
    other = replace(facts_of(hostile), best=STUDENTS[1])
    assert other.verdict is hostile.verdicts_[STUDENTS[1]]


def test_a_teacher_of_given_predictions_has_a_page_without_its_size() -> None:
    X, y = sklearn.datasets.load_wine(return_X_y=True)
    given = from_predictions(
        RandomForestClassifier(30, oob_score=True, random_state=0).fit(X, y).oob_decision_function_
    )
    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=2), given, n_trials=3, cv=3, tree_fits=[OwnFit()], random_state=0
    ).fit(X, y)
    read = Page(page(facts_of(search)))
    teacher = next(row for row in read.rows if row[0].startswith("teacher"))
    assert teacher[1] == f"{search.verdict_.scores.loc['teacher', 'log_loss']:.4f}"
    assert teacher[3:] == ["\u2013"] * 3


# ---- the student


def test_a_tree_is_drawn_with_every_split_condition_and_leaf() -> None:
    X = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [3.0, 6.0]])
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, ["no", "no", "yes", "yes", "no"])
    drawn, levels = draw_tree(tree.tree_, ["size", "age"], tree.classes_)
    read = Page(drawn)
    assert levels == 2
    assert len(read.of_class("split")) == 2
    assert len(read.of_class("leaf")) == 3
    for words in ("size", "\u2264 1.5", "> 1.5", "age", "\u2264 5.5", "no100 %40 % of rows", "yes100 %40 % of rows"):
        assert words in read.text
    conditions = [float(str(attrs["y"])) for attrs in read.of_class("condition")]
    ys = dict(zip(re.findall(r"[\u2264>] [\d.]+", read.text), conditions, strict=True))
    assert ys["\u2264 1.5"] < ys["> 1.5"]
    assert ys["\u2264 5.5"] < ys["> 5.5"]


def test_a_tree_of_one_leaf_is_drawn() -> None:
    stump = DecisionTreeRegressor(max_depth=1).fit([[0.0], [1.0]], [2.5, 2.5])
    drawn, levels = draw_tree(stump.tree_, ["x"], None)
    assert levels == 0
    assert "2.5100 % of rows" in Page(drawn).text


def test_of_a_large_tree_the_first_levels_are_drawn_and_the_rest_is_counted() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    tree = DecisionTreeRegressor(random_state=0).fit(X, rng.normal(size=600))
    drawn, levels = draw_tree(tree.tree_, list("abcd"), None)
    read = Page(drawn)
    folded = sum(int(count) for count in re.findall(r"\u2026 (\d+) leaves", read.text))
    assert 0 < len(read.of_class("leaf")) + len(read.of_class("folded")) <= MOST_LEAVES
    assert len(read.of_class("leaf")) + folded == tree.get_n_leaves()
    assert f"The first {levels} levels are drawn" in portrait(tree, list("abcd"), None).sentence


def test_coefficients_are_plotted_largest_first_to_their_side() -> None:
    model = Ridge(alpha=1e-9).fit(np.eye(4), [1.0, -3.0, 0.5, 2.0])
    model.coef_, model.intercept_ = np.array([1.0, -3.0, 0.0, 2.0]), 0.25
    found = portrait(model, ["a", "b", "c", "d"], None)
    assert [term.name for term in found.terms] == ["b", "d", "a"]
    assert "reads 3 of 4 columns" in found.sentence
    bars = [
        next(attrs for _, attrs in Page(term.strip).elements if attrs.get("height") == "10") for term in found.terms
    ]
    assert [(bar["x"], bar["width"], bar["class"]) for bar in bars] == [
        ("0.00%", "50.00%", "negative"),
        ("50.00%", "33.33%", "positive"),
        ("50.00%", "16.67%", "positive"),
    ]
    assert found.intercepts == (0.25,)
    model.coef_ = np.zeros(4)
    assert portrait(model, ["a", "b", "c", "d"], None).terms == ()


def test_of_a_pipeline_the_last_step_is_shown_under_the_names_that_reach_it() -> None:
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, ["n", "n", "y", "y"])
    found = portrait(model, ["a", "b"], ["n", "y"])
    assert (found.kind, found.steps) == ("LogisticRegression", ("StandardScaler",))
    assert found.terms[0].name == "a"
    assert "Terms to the right speak for y, those to the left for n" in found.sentence
    nameless = make_pipeline(FunctionTransformer(np.asarray), Ridge()).fit(X, [0.0, 1.0, 2.0, 3.0])
    assert [term.name for term in portrait(nameless, ["a", "b"], None).terms] == ["column 0", "column 1"]


def nameless(X: Any) -> Any:
    return np.asarray(X)[:, ::-1]


STEPS: dict[str, tuple[list[Any], tuple[str, ...], list[str]]] = {
    "none": ([], (), ["a", "b"]),
    "passthrough": (["passthrough"], (), ["a", "b"]),
    "None": ([None], (), ["a", "b"]),
    "among others": (["passthrough", StandardScaler(), None], ("StandardScaler",), ["a", "b"]),
    "nested": ([Pipeline([("none", None), ("scale", StandardScaler())])], ("Pipeline",), ["a", "b"]),
    "nameless": ([None, FunctionTransformer(nameless)], ("FunctionTransformer",), ["column 0", "column 1"]),
}


@pytest.mark.parametrize("inside", [[], [None], ["passthrough"]], ids=str)
@pytest.mark.parametrize(("steps", "names", "columns"), STEPS.values(), ids=STEPS)
def test_a_student_behind_steps_of_every_kind(
    steps: list[Any], names: tuple[str, ...], columns: list[str], inside: list[Any]
) -> None:
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    read = columns[1] if names == ("FunctionTransformer",) else columns[0]  # it turns the columns round
    for student in (Ridge(), DecisionTreeRegressor(max_depth=1)):
        last = Pipeline([*((f"inside{at}", step) for at, step in enumerate(inside)), ("student", student)])
        model = Pipeline([*((f"step{at}", step) for at, step in enumerate(steps)), ("last", last)])
        model.fit(X, [0.0, 1.0, 2.0, 3.0])
        found = portrait(model, ["a", "b"], None)
        assert (found.kind, found.steps) == (type(student).__name__, names)
        terms = describe(model, ["a", "b"], None)
        if isinstance(student, Ridge):
            assert found.terms[0].name == read
            assert [name for name in columns if name in terms] == columns
        else:
            assert f"{read} <= " in found.rules
            assert f"{read} <= " in terms


def test_many_classes_are_a_table_of_coefficients() -> None:
    X, y = sklearn.datasets.load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    found = portrait(model, [f"x{at}" for at in range(13)], model.classes_)
    assert found.heads == ("0", "1", "2")
    assert all(len(term.values) == 3 for term in found.terms)
    assert found.largest == pytest.approx(np.abs(model[-1].coef_).max())


def test_another_student_is_told_by_its_size_and_what_it_draws_on() -> None:
    X, y = sklearn.datasets.load_breast_cancer(return_X_y=True)
    model = HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4).fit(X, y)
    found = portrait(model, [f"x{at}" for at in range(30)], model.classes_)
    assert found.sentence.startswith("HistGradientBoostingClassifier of 21 nodes in 3 trees.")
    assert sum(term.values[0] for term in found.terms) == pytest.approx(1.0)


# ---- the charts


def trials(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"trial": np.arange(n), "hops": np.arange(n) % 3, "state": "COMPLETE", "reason": ""})
    table["score"], table["nodes"] = -rng.random(n), rng.integers(3, 60, n).astype(float)
    table["on_front"], table["within_budget"] = np.arange(n) % 7 == 0, True
    table.loc[table["trial"] % 10 == 9, ["state", "score", "on_front", "within_budget"]] = [
        "PRUNED",
        np.nan,
        False,
        False,
    ]
    return table


def test_the_charts_mark_every_complete_trial_the_front_and_the_chosen_one() -> None:
    table = trials(60)
    read = Page(size_chart(table, LOG_LOSS, best=0))
    complete, front = int((table["state"] == "COMPLETE").sum()), int(table["on_front"].sum())
    assert len(read.of_class("mark")) == complete == 54
    assert len(read.of_class("front")) == front
    assert len(read.of_class("ring")) == len(read.of_class("chosen")) == 1
    history = Page(history_chart(table, LOG_LOSS, best=0))
    assert len(history.of_class("mark")) == complete
    assert len(history.of_class("stopped")) == 6
    ys = [float(str(attrs["y2"])) for attrs in history.of_class("best")]
    assert ys == sorted(ys, reverse=True)  # up is better
    assert len(history.of_class("baseline")) >= 1


def test_thousands_of_trials_are_thinned_but_the_front_stays(facts: Facts) -> None:
    table = trials(9000)
    read = Page(size_chart(table, LOG_LOSS, best=5))
    assert len(read.of_class("front")) == int(table["on_front"].sum())
    assert len(read.of_class("mark")) < 3500
    known = facts.results.iloc[[0]]
    many = pd.concat([known] * 3000, ignore_index=True).assign(trial=range(3000), on_front=False)
    text = page(replace(facts, results=many, chosen={facts.best: 7}))
    assert "Of more than 2000 trials evenly many are drawn" in text
    assert len(text) < 2_000_000


def test_a_scale_maps_its_ends_and_holds_what_lies_beyond() -> None:
    scale = Scale(1.0, 100.0, 0.0, 10.0, log=True)
    assert [scale(value) for value in (1, 10, 100, 1000)] == [0, 5, 10, 10]
    assert Scale(2.0, 2.0, 0.0, 10.0)(2.0) == 5


# ---- what comes from data


def test_hostile_names_are_text_and_nothing_else(hostile: MultihopSearchClassifier) -> None:
    made = facts_of(hostile)
    tree = hostile.refit_trial(hostile.chosen_[STUDENTS[0]])
    line = hostile.refit_trial(hostile.chosen_[STUDENTS[1]])
    for student in (tree, line):
        for text in (page(replace(made, student=student)), fragment(replace(made, student=student))):
            assert "<script" not in text
            assert "<img" not in text
            read = Page(text)
            assert {element for element, _ in read.elements} <= ELEMENTS
            assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)
            assert not set(re.findall(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text))
    names = Page(page(replace(made, student=line))).text
    for name in NAMES:
        assert shown(name) in names
    for label in LABELS:
        assert shown(label) in names
    assert "line\\nbreak\\x00" in names
    assert "\\u202eright to left" in names


def test_marks_that_mislead_a_reader_are_spelled_out() -> None:
    marks = "\u202e\u2066\u200f\u061c\x1b[2J\x9b\x7f"
    kind = type(f"Tree{marks}", (DecisionTreeClassifier,), {"__module__": f"own{marks}"})
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=[f"a{marks}b", "c"])
    y = np.where(X.iloc[:, 0] > 0, f"yes{marks}", "no")
    search = MultihopSearchClassifier(
        [(f"student{marks}", DecisionTreeClassifier(max_depth=2)), ("line", LogisticRegression())],
        RandomForestClassifier(3),
        max_hops=0, n_trials=1, cv=2, random_state=0, scoring="accuracy",
    ).fit(X, y)  # fmt: skip
    facts = facts_of(search)
    line = LogisticRegression().fit(X, y)
    for student in (kind(max_depth=2).fit(X, y), make_pipeline(kind(), "passthrough", line), line):
        for text in (page(replace(facts, student=student)), fragment(replace(facts, student=student))):
            assert marks.encode("unicode_escape").decode() in text
            assert not set(marks) & set(text) - set("[2J")


def test_whatever_a_name_is_it_encodes_and_stays_one_line() -> None:
    for name in ("\ud800", "a\u2028b", "", "\t", 7, None, "]]>"):
        assert "\n" not in shown(name)
        assert shown(name).strip()
        shown(name).encode()
    assert shown("x" * 50, 10) == "x" * 9 + "\u2026"
    assert str(tag("text", "<&\"'>", x='"><b>')) == ('<text x="&#34;&gt;&lt;b&gt;">&lt;&amp;&#34;&#39;&gt;</text>')


def test_the_page_is_one_file_that_asks_nothing_of_the_network(hostile: MultihopSearchClassifier) -> None:
    text = page(facts_of(hostile))
    assert text.lstrip().startswith("<!DOCTYPE html>")
    read = Page(text)
    assert ("html", {"lang": "en"}) in read.elements
    assert "width=device-width" in text
    assert "default-src 'none'" in text
    targets = [attrs[name] for _, attrs in read.elements for name in ("src", "href", "data", "action") if name in attrs]
    assert targets == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text
    pictures = [attrs for element, attrs in read.elements if element == "svg"]
    assert all(attrs.get("aria-hidden") or attrs.get("aria-label") or attrs.get("overflow") for attrs in pictures)
    assert all(attrs.get("role") == "img" for attrs in pictures if attrs.get("aria-label"))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_has_contrast_in_light_and_dark(facts: Facts) -> None:
    light, dark = re.findall(r"\.mhs \{(.*?)\}", page(facts), re.DOTALL)[:2]
    for block in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for ground in ("paper", "wash"):
            for ink in ("ink", "soft", "accent", "good", "bad", "even", "unsure"):
                pair = sorted((luminance(colours[ink]), luminance(colours[ground])))
                assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ink, ground, block[:40])
        for line in ("plain", "one-hop", "multi-hop"):
            pair = sorted((luminance(colours[line]), luminance(colours["paper"])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 3.0, line


# ---- how it is written


def test_a_page_is_written_whole_or_not_at_all(
    small: MultihopSearchClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        with pytest.raises(FileFailed, match=r"file must be one that can be written, .*Permission denied"):
            small.report(file)
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    small.report(str(file))
    assert file.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/report.html", "file must be in a folder that exists"),
        ("report.onnx", "file must end in .html, got 'report.onnx'"),
        ("folder.html", "file must be a plain file"),
    ],
)
def test_a_place_that_cannot_be_is_met_with_one_sentence(
    name: str, message: str, small: MultihopSearchClassifier, tmp_path: Path
) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InvalidSetting, match=re.escape(message)) as raised:
        small.report(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_an_unfitted_search_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        MultihopSearchClassifier(DecisionTreeClassifier()).report(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


# ---- notebooks


def test_a_notebook_shows_the_short_form_of_a_fitted_search(small: MultihopSearchClassifier) -> None:
    bundle = small._repr_mimebundle_()
    assert bundle["text/plain"] == repr(small)
    assert bundle["text/html"] == small._repr_html_()
    read = Page(bundle["text/html"])
    assert " ".join(str(small.verdict_).split()) in said(read)
    for words in ("plain", "one hop", "ours", "The path", "A tree of"):
        assert words in read.text
    assert "html" not in {element for element, _ in read.elements}


def test_the_short_form_fits_nothing(small: MultihopSearchClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something was fitted")

    monkeypatch.setattr(MultihopSearchClassifier, "refit_trials", never)
    assert small._repr_html_()
    with pytest.raises(AssertionError, match="something was fitted"):
        page(facts_of(small))


def test_where_there_is_nothing_to_tell_scikit_learn_shows_its_diagram(small: MultihopSearchClassifier) -> None:
    unfitted = clone(small)
    assert "sk-top-container" in unfitted._repr_html_()
    assert "sk-top-container" in unfitted._repr_mimebundle_()["text/html"]
    assert 'class="mhs"' not in unfitted._repr_html_()
    around = make_pipeline(StandardScaler(), small)._repr_html_()
    assert "sk-top-container" in around
    assert "MultihopSearchClassifier" in around
    with sklearn.config_context(display="text"):
        assert not hasattr(small, "_repr_html_")
        assert list(small._repr_mimebundle_()) == ["text/plain"]


# ---- a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=4000",
    "--dump-dom",
]
PROBE = """<script>
const wrong = [];
addEventListener("error", event => wrong.push(String(event.message)));
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  const ground = getComputedStyle(document.querySelector(".mhs")).backgroundColor;
  const scroll = document.scrollingElement.scrollWidth;
  parent.postMessage({name: document.title, inner: innerWidth, scroll: scroll, wrong: wrong, ground: ground}, "*");
});
</script></head>"""
FRAME = """<!DOCTYPE html><title>frames</title><pre id="found"></pre><script>
const found = [];
addEventListener("message", event => {
  found.push(event.data);
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>"""


@pytest.fixture
def browse(tmp_path: Path) -> Any:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")

    def run(file: Path, *flags: str) -> tuple[str, list[str]]:
        """Return the DOM that a page ends with, and what it wrote to the console."""
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


def test_a_browser_has_nothing_to_complain_of(browse: Any, hostile: MultihopSearchClassifier, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    hostile.report(file)
    dom, console = browse(file)
    assert console == []
    assert "How it was made" in dom
    file.write_text("<!DOCTYPE html><title>t</title><script>console.error('heard')</script>")
    assert any("heard" in line for line in browse(file)[1])  # so that silence means something


def test_no_page_scrolls_sideways_in_light_or_dark(
    browse: Any, hostile: MultihopSearchClassifier, facts: Facts, tmp_path: Path
) -> None:
    made = facts_of(hostile)
    pages = {"plain": page(facts)}
    for number in hostile.chosen_.values():
        pages[f"hostile{number}"] = page(replace(made, student=hostile.refit_trial(number)))
    pages["short"] = f"<!DOCTYPE html><html><head><title>t</title></head><body>{fragment(made)}</body></html>"
    frames = FRAME
    for name, text in pages.items():
        opened = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", text)
        titled = re.sub("<title>.*?</title>", f"<title>{name}</title>", opened, count=1)
        (tmp_path / f"{name}.html").write_text(titled.replace("</head>", PROBE, 1), encoding="utf-8")
        for width in (400, 1400):
            frames += f'<iframe src="{name}.html" style="width:{width}px;height:900px;border:0"></iframe>'
    (tmp_path / "frames.html").write_text(frames)
    grounds = []
    for scheme in (1, 0):  # light, dark
        dom, console = browse(tmp_path / "frames.html", f"--blink-settings=preferredColorScheme={scheme}")
        assert console == []
        found = json.loads(re.findall(r'<pre id="found">(.*?)</pre>', dom)[0])
        assert {(one["name"], one["inner"]) for one in found} == {
            (name, width) for name in pages for width in (400, 1400)
        }
        for one in found:
            assert one["wrong"] == []
            assert one["scroll"] <= one["inner"], one
        grounds.append({one["ground"] for one in found})
    assert grounds == [{"rgb(251, 250, 247)"}, {"rgb(23, 22, 19)"}]


def test_with_a_timeout_or_a_sample_a_page_fits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = sklearn.datasets.load_wine(return_X_y=True, as_frame=True)
    settings: dict[str, Any] = {"n_trials": 4, "cv": 2, "crossfit_cv": 2, "tolerance": 0, "random_state": 0}
    for more in ({"timeout": 100.0}, {"max_rows": 100}):
        tree, forest = DecisionTreeClassifier(max_depth=2), RandomForestClassifier(8)
        search = MultihopSearchClassifier(tree, forest, **settings, **more).fit(X, y)
        monkeypatch.setattr(MultihopSearchClassifier, "refit_trials", None)
        read = Page(page(facts_of(search)))
        monkeypatch.undo()
        ours = next(row for row in read.rows if row[0].startswith("ours"))
        assert ours[3] == str(search.best_estimator_.tree_.node_count)
        assert "means over the folds" in said(read)
