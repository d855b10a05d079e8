"""The record of searches says what differs, and a small search is equal to itself."""

import json
import sys
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import same_results

pytestmark = pytest.mark.once


def test_a_search_is_recorded_equal_to_itself_and_a_change_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    student = make_pipeline(StandardScaler(), LogisticRegression())
    small = {"teacher": RandomForestClassifier(3), "intermediates": [], "n_trials": 3}
    search = lambda: same_results.fitted(*same_results.classify(60, student=student, **small))  # noqa: E731
    monkeypatch.setitem(same_results.SEARCHES, "Pipeline", search)
    for file in ("before.json", "after.json"):
        assert same_results.main(["record", str(tmp_path / file), "--only", "Pipeline"]) == 0
    capsys.readouterr()
    files = [str(tmp_path / "before.json"), str(tmp_path / "after.json")]
    assert same_results.main(["compare", *files]) == 0
    assert capsys.readouterr().out == "equal\n"
    searches = json.loads((tmp_path / "after.json").read_text())
    searches["Pipeline"]["trials"][1]["score"] = -7.5
    (tmp_path / "after.json").write_text(json.dumps(searches))
    assert same_results.main(["compare", *files]) == 1
    assert "Pipeline, trials: [1] score: " in capsys.readouterr().out
