"""benchmarks/quality.py: its record, what was wanted, and its page, from parts of a record worked by hand."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.once

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from quality_parts import cells, report, targets  # noqa: E402
from quality_parts.cells import Cell  # noqa: E402


def row(
    data: str, seed: int, method: str, student: str, log_loss: float, accuracy: float, **more: Any
) -> dict[str, Any]:
    trials = 9 if method == "random" else 0
    named = {"data": data, "seed": seed, "method": method, "trials": trials, "student": student, "variant": ""}
    return {**named, "log_loss": log_loss, "accuracy": accuracy, "seconds": 1.0, **more}


def record_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return cells.merged(pd.DataFrame(columns=cells.COLUMNS), list(rows))


def test_the_record_comes_back_and_new_rows_take_the_place_of_old_ones(tmp_path: Path) -> None:
    record = record_of([row("letter", 0, "plain", "tree4", 1.0, 0.5), row("letter", 0, "ours", "tree4", 0.5, 0.75)])
    cells.save_record(record, tmp_path / "quality.csv")
    again = cells.load_record(tmp_path / "quality.csv")
    assert cells.finished(again) == {Cell("letter", 0, "plain", 0), Cell("letter", 0, "ours", 0)}
    assert again["variant"].tolist() == ["", ""]
    changed = cells.merged(again, [row("letter", 0, "ours", "tree4", 0.25, 0.8)])
    assert changed[["method", "log_loss"]].to_numpy().tolist() == [["ours", 0.25], ["plain", 1.0]]
    assert cells.merged(again, []) is again


def two_sets() -> pd.DataFrame:
    up, down = {"accuracy_over_shrunk_se": 0.01, "log_loss_gain_se": 0.01}, {"accuracy_over_shrunk": -0.03}
    return record_of(
        [
            row("letter", 0, "plain", "tree4", 1.0, 0.50),
            row("letter", 0, "shrunk", "tree4", 1.0, 0.50),
            row("letter", 0, "ours", "tree4", 0.9, 0.52, accuracy_over_shrunk=0.02, log_loss_gain=0.1, **up),
            row("letter", 1, "plain", "tree4", 2.0, 0.50),
            row("letter", 1, "shrunk", "tree4", 2.0, 0.50),
            row("letter", 1, "ours", "tree4", 1.4, 0.54, accuracy_over_shrunk=0.04, log_loss_gain=0.6, **up),
            row("adult", 0, "plain", "tree4", 0.5, 0.80),
            row("adult", 0, "shrunk", "tree4", 0.5, 0.80),
            row("adult", 0, "ours", "tree4", 0.6, 0.77, log_loss_gain=-0.1, **down, **up),
            row("adult", 1, "ours", "tree4", 0.1, 0.99, log_loss_gain=-0.1, **down, **up),  # plain is missing
        ]
    )


ROWS = report.shown(two_sets(), 9)


def test_differences_are_averaged_over_seeds_within_a_set_first() -> None:
    found = report.against(ROWS, "ours", "plain", "tree4")
    assert found["log_loss"].to_dict() == pytest.approx({"letter": -20.0, "adult": 20.0})  # -10 and -30; +20
    assert found["accuracy"].to_dict() == pytest.approx({"letter": 3.0, "adult": -3.0})
    assert report.in_short(found) == ["2", "+0.0 % ± 20.0", "+0.0 ± 3.0", "1 / 0 / 1"]


def test_of_the_random_draws_only_those_of_so_many_trials_are_shown() -> None:
    record = record_of([row("letter", 0, "random", "tree4", 1.0, 0.5), row("letter", 0, "before", "tree4", 1.0, 0.5)])
    assert list(report.shown(record, 9)["method"]) == ["before", "random"]
    assert list(report.shown(record, 8)["method"]) == ["before"]


def test_other_tolerances_are_told_against_the_default_and_have_no_seconds() -> None:
    zero = {"variant": "tolerance 0", "seconds": np.nan}
    record = record_of(
        [row("letter", 0, "ours", "tree4", 1.0, 0.5), row("letter", 0, "ours", "tree4", 0.9, 0.6, **zero)]
    )
    rows = report.shown(record, 9)
    assert "| tree4 | 0 | 1 | -10.0 % | +10.0 | 1 / 0 / 0 |" in report.tolerances(rows)
    assert "tolerance" not in report.seconds(rows)


def test_targets_say_by_how_much_they_are_missed() -> None:
    by_words = {target.words: target for target in targets.targets(ROWS)}
    log_loss = by_words["tree4: log-loss 8 % lower than plain tuned"]
    assert (log_loss.missing, log_loss.n_sets, log_loss.most) == (pytest.approx(8.0), 2, 47)
    assert log_loss.verdict == "**missed** by 8 so far"
    assert by_words["tree6: log-loss 6 % lower than plain tuned with shrinkage"].verdict == "not measured"
    share = by_words["tree4: better log-loss than plain tuned with shrinkage on 70 % of the sets"]
    assert (share.found, share.missing) == ("1 of 2", pytest.approx(20.0))
    assert targets.Target("", "", -0.1, 8, 8).verdict == "reached"


def test_harm_by_hand() -> None:
    found = targets.by_set(ROWS, "tree4", "shrunk", "accuracy")
    assert found["gain"].to_dict() == pytest.approx({"letter": 3.0, "adult": -3.0})
    steps = 3.0 / (1.0 / np.sqrt(2))  # two seeds of 1 point each: 4.24 standard errors
    assert steps == pytest.approx(4.243, abs=1e-3)
    assert found["p"].to_numpy() == pytest.approx([2 * 2.209e-5] * 2, rel=1e-3)  # Holm doubles both
    harmed = targets.harm_target(ROWS, "tree4")
    assert (harmed.found, harmed.missing) == ("adult -3.0", 1.0)


def test_a_set_is_worse_beyond_its_noise_by_hand() -> None:
    rows = [
        row("letter", 0, "ours", "lr", 1.10, 0.5, log_loss_gain=-0.10, log_loss_gain_se=0.06),  # within its noise
        row("adult", 0, "ours", "lr", 1.01, 0.5, log_loss_gain=-0.01, log_loss_gain_se=0.001),  # not 2 %
        row("fars", 0, "ours", "lr", 1.03, 0.5, log_loss_gain=-0.03, log_loss_gain_se=0.001),
    ]
    found = targets.loss_target(record_of(rows), "lr", "plain")
    assert (found.found, found.missing) == ("fars -3.0", 1.0)
    assert targets.loss_target(record_of(rows[:2]), "lr", "plain").found == "none; the worst -10.0"


def test_seconds_are_compared_by_set() -> None:
    def cell(data: str, seed: int, method: str, seconds: float) -> list[dict[str, Any]]:
        made = [row(data, seed, method, student, 1.0, 0.5) for student in ("tree4", "lr")]
        return [{**one, "seconds": seconds / 2} for one in made]

    rows = [*cell("letter", 0, "ours", 2.0), *cell("letter", 0, "random", 10.0), *cell("letter", 1, "ours", 2.0)]
    rows += [*cell("letter", 1, "random", 14.0), *cell("adult", 0, "ours", 1.0), *cell("adult", 0, "random", 10.0)]
    rows += [*cell("adult", 0, "plain", 8.0), *cell("adult", 0, "alone4", 6.0)[:1]]
    fast, dear, no_tree6 = targets.cost_targets(record_of(rows))
    assert (fast.found, fast.missing, fast.n_sets) == ("8.0 times", -3.0, 2)  # of 5 and 7, and of 10
    assert (dear.found, dear.missing) == ("0.8 times", -9.25)  # 3 of the one tree against 4 of its tuning
    assert no_tree6.verdict == "not measured"


def test_claims_are_held_against_fresh_rows() -> None:
    gains = {"claimed_low": -0.1, "claimed_high": 0.3, "fresh_gain_se": 0.0, "note": ""}
    rows = [
        row("letter", 0, "ours", "tree4", 1.0, 0.5, claimed=0.1, fresh_gain=0.2, **gains),
        row("letter", 1, "ours", "tree4", 1.0, 0.5, claimed=0.1, fresh_gain=0.4, **gains),
        row("adult", 0, "ours", "tree4", 1.0, 0.5, claimed=0.1, fresh_gain=0.0, **gains),
    ]
    last = report.claims_in_short(record_of(rows)).splitlines()[-1]
    # errors -0.1 and -0.3, so -0.2 of letter, and +0.1 of adult: mean -0.05, error 0.3 / 2
    assert last == "| ours | tree4 | 3 | +0.1000 | +0.2000 | -0.0500 ± 0.1500 | 67 % |"


@pytest.mark.parametrize("record", [record_of([]), two_sets()], ids=["empty", "two sets"])
def test_the_page_is_written_of_what_is_there(record: pd.DataFrame) -> None:
    text = report.page(record, 9)
    assert "## By data set" in text
    line = "| letter | tree4 | 1.5000 / 0.5000 | 1.5000 / 0.5000 | 1.1500 / 0.5300 | -20.0 % | -20.0 % | +3.0 |"
    assert (line in text) == (len(record) > 0)
    assert "nan" not in text


def test_the_readme_has_the_table_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(report.README.read_text().count(mark) == 1 for mark in report.MARKS)
    monkeypatch.setattr(report, "README", tmp_path / "README.md")
    report.README.write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n")
    report.write_readme(two_sets(), 9)
    lines = report.README.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    assert "| student (sets) | ours | ours, against shrunk | shrunk |" in lines
    ours, shrunk = "+0.0 % ± 20.0, +0.0 ± 3.0 (2)", "+0.0 % ± 0.0, +0.0 ± 0.0 (2)"
    assert f"| tree4 | {ours} | {ours} | {shrunk} |" in lines
