"""The record of searches says what differs, and the smallest of its searches is equal to itself."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import same_results

pytestmark = pytest.mark.once


def test_a_search_is_recorded_equal_to_itself_and_a_change_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
