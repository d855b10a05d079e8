"""A search that is killed at any moment and run again: nothing that was finished is run again, and nothing differs."""

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import resumable
from logs import lines_of, write_log
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier

from multihop_search import HardLabels, MultihopSearchRegressor
from multihop_search.engine import log as log_module
from multihop_search.engine import prefixes
from multihop_search.engine.log import Log
from multihop_search.engine.student import Outcome
from multihop_search.errors import CheckpointFailed, FailedTrialsWarning, InvalidSetting, NewLogWarning
from multihop_search.models.complexity import Size
from multihop_search.paths.path import Path as HopPath

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::multihop_search.errors.FailedTrialsWarning", "ignore::ResourceWarning"),
]
MEASURED = ["fit_seconds", "latency_us", "on_front"]
PARTS = {"X": "a", "space": "b"}


def same_search(one: Any, two: Any) -> None:
    """Assert that two searches found the same, all that was measured by a clock apart."""
    columns = [name for name in one.results_.columns if name not in MEASURED]
    pd.testing.assert_frame_equal(one.results_[columns], two.results_[columns], check_exact=True)
    for ours, theirs in zip(one.study_.trials, two.study_.trials, strict=True):
        for name in ("number", "state", "params", "distributions", "value", "intermediate_values", "user_attrs"):
            assert getattr(ours, name) == getattr(theirs, name), (ours.number, name)
    assert one.chosen_ == two.chosen_
    assert {name: str(verdict) for name, verdict in one.verdicts_.items()} == {
        name: str(verdict) for name, verdict in two.verdicts_.items()
    }
    X = resumable.data()[0]
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def begin(folder: Path, number: int, **settings: int) -> tuple[subprocess.Popen[str], Path, Path]:
    """Start the search in a process of its own."""
    found, ran = folder / f"found{number}", folder / f"ran{number}"
    given = [f"{name}={value}" for name, value in settings.items()]
    command = [
        sys.executable,
        "-c",
        "import resumable; resumable.main()",
        str(folder / "log"),
        str(found),
        str(ran),
        *given,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(resumable.__file__).parent)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    return process, found, ran


def finished(folder: Path) -> set[str]:
    """Return the keys of the paths that were finished, by the whole lines of the log."""
    files = list((folder / "log").glob("*.jsonl"))
    assert len(files) <= 1
    whole = [line for file in files for line in file.read_bytes().split(b"\n")[:-1]]
    return {json.loads(line)["key"] for line in whole[1:]}


def keys_in(ran: Path) -> set[str]:
    return {line.split()[0] for line in ran.read_text().splitlines()} if ran.exists() else set()


@functools.cache
def uninterrupted(learns: int, n_trials: int) -> Any:
    return resumable.search_for(None, learns=learns, n_trials=n_trials).fit(*resumable.data())


def check_killed(folder: Path, kills: int, *, learns: int, n_trials: int = 10, ray: int = 0) -> None:
    """Kill a search again and again at random moments, let it end in this process, and compare."""
    whole = uninterrupted(learns, n_trials)
    n_paths = whole.results_["path"].nunique()
    draw = random.Random(0)
    for number in range(1, kills + 1):
        before = finished(folder)
        process, _, ran = begin(folder, number, learns=learns, n_trials=n_trials, ray=ray)
        # a moment counted in what is finished by then, so that it lies within the search on any machine
        goal = len(before) + draw.randint(0, (n_paths - len(before)) // (kills + 2 - number))
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        while process.poll() is None and len(finished(folder)) < goal:
            time.sleep(0.005)
        time.sleep(draw.random() * (0.5 if len(before) == goal else 0.02))  # while it starts, or between two lines
        assert process.poll() is None, "the search ended before it was killed"
        process.kill()
        process.wait(timeout=500)
        if ray:
            with contextlib.suppress(ProcessLookupError):  # nothing, if it had ended its Ray
                os.killpg(process.pid, signal.SIGKILL)  # what its Ray leaves behind for half a minute
        assert process.returncode == -signal.SIGKILL
        assert not before & keys_in(ran), "a finished trial was run again"
    before, ran = finished(folder), folder / "ran"
    assert before, "it was killed before it had begun"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "judge", resumable.Noted(ran, prefixes.judge))
        found = resumable.search_for(folder / "log", learns=learns, n_trials=n_trials).fit(*resumable.data())
    assert keys_in(ran)
    assert not before & keys_in(ran), "a finished trial was run again"
    same_search(found, whole)


def test_a_killed_search_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    check_killed(tmp_path, 2, learns=1)


def test_a_search_that_is_killed_on_ray_goes_on_in_this_process(tmp_path: Path) -> None:
    check_killed(tmp_path, 1, ray=2, learns=1)


@pytest.mark.slow
@pytest.mark.parametrize(("ray", "learns"), [(0, 0), (0, 1), (2, 1)])
def test_thirty_kills_change_nothing(tmp_path: Path, ray: int, learns: int) -> None:
    check_killed(tmp_path, 30, ray=ray, learns=learns, n_trials=120)


# ---- the log by itself


def path_of(number: int) -> HopPath:
    return HopPath((), (("max_depth", number),))


def outcome_of(number: int) -> Outcome:
    predictions = np.random.default_rng(number).random((3, 2)).astype(np.float32)
    return Outcome(
        predictions=predictions,
        score=-0.1 * number,
        fit_seconds=1 / 3,
        size=Size(7, np.int64(2), np.nan),
        latency_us=4.5 if number else np.nan,
        note='a "note"',
    )


def same_outcome(one: Outcome, two: Outcome) -> None:
    np.testing.assert_array_equal(one.predictions, two.predictions)
    assert one.predictions.dtype == two.predictions.dtype == np.float32
    for name in ("score", "fit_seconds", "latency_us", "note", "size"):
        assert repr(getattr(one, name)).replace("np.int64(2)", "2") == repr(getattr(two, name)), name


def written(folder: Path, n_paths: int = 3) -> Path:
    """Write a log of some paths and return its file."""
    log = Log(folder, PARTS)
    for number in range(n_paths):
        log.add(path_of(number), [outcome_of(number), outcome_of(number + 1)], "it failed" if number == 1 else "")
    log.close()
    (file,) = folder.glob("*.jsonl")
    return file


def known_to(folder: Path) -> list[int]:
    log = Log(folder, PARTS)
    known = [number for number in range(10) if log.find(path_of(number)) is not None]
    log.close()
    return known


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes longest when a log is opened."""
    monkeypatch.setattr(log_module, "versions_of", lambda modules: {"sklearn": "1.6"})
    monkeypatch.setattr(log_module.os, "fsync", lambda descriptor: None)


def test_what_is_written_is_found_again(tmp_path: Path) -> None:
    written(tmp_path)
    log = Log(tmp_path, PARTS)
    for number in range(3):
        found = log.find(path_of(number))
        assert found is not None
        assert found.failure == ("it failed" if number == 1 else "")
        assert len(found.outcomes) == 2
        for place, outcome in enumerate(found.outcomes):
            same_outcome(outcome_of(number + place), outcome)
    assert log.find(path_of(3)) is None
    log.close()


def test_of_two_lines_on_one_path_the_later_counts(tmp_path: Path) -> None:
    written(tmp_path)
    log = Log(tmp_path, PARTS)
    log.add(path_of(0), [outcome_of(5)])
    log.close()
    log = Log(tmp_path, PARTS)
    found = log.find(path_of(0))
    log.close()
    assert found is not None
    assert len(found.outcomes) == 1
    same_outcome(outcome_of(5), found.outcomes[0])


@pytest.mark.usefixtures("quick")
def test_a_torn_line_costs_one_path_wherever_it_is_torn(tmp_path: Path) -> None:
    file = written(tmp_path)
    whole = file.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in [*range(last, last + 9), *range(last + 9, len(whole) - 9, 7), *range(len(whole) - 9, len(whole))]:
        file.write_bytes(whole[:end])
        assert known_to(tmp_path) == [0, 1]
        assert file.read_bytes() == whole[:last]
    file.write_bytes(whole[:-1])
    log = Log(tmp_path, PARTS)
    log.add(path_of(2), [outcome_of(2), outcome_of(3)])
    log.close()
    assert file.read_bytes() == whole


@pytest.mark.usefixtures("quick")
def test_a_torn_first_line_is_written_again(tmp_path: Path) -> None:
    file = written(tmp_path, 0)
    whole = file.read_bytes()
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        assert known_to(tmp_path) == []
        assert file.read_bytes() == whole


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_write_that_was_interrupted_is_written_over(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, 1)
    log = Log(tmp_path, PARTS)
    pwrite = os.pwrite

    def interrupted(fd: int, data: Any, offset: int) -> int:
        pwrite(fd, data[: int(share * len(data))], offset)
        raise KeyboardInterrupt

    monkeypatch.setattr(log_module.os, "pwrite", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.add(path_of(1), [outcome_of(1)] * 9)
    monkeypatch.setattr(log_module.os, "pwrite", pwrite)
    log.add(path_of(2), [outcome_of(2)])
    log.close()
    assert known_to(tmp_path) == [0, 2]
    assert len(file.read_bytes().splitlines()) == 3


def test_a_full_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path, PARTS)

    def full(fd: int, data: Any, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_module.os, "pwrite", full)
    with pytest.raises(CheckpointFailed, match=r"must have room .* No space left on device: correct that"):
        log.add(path_of(1), [outcome_of(1)])
    log.close()


def test_damage_before_the_last_line_is_told_in_words(tmp_path: Path) -> None:
    file = written(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    for spoilt in (b"{}\n", b"nonsense\n", b"\xff\n"):
        file.write_bytes(lines[0] + spoilt + lines[2])
        with pytest.raises(
            CheckpointFailed, match=f"hold lines as they were written, .*byte {len(lines[0])} is damaged"
        ):
            Log(tmp_path, PARTS)
        assert file.read_bytes() == lines[0] + spoilt + lines[2]


def test_one_log_serves_one_search_at_a_time(tmp_path: Path) -> None:
    first = Log(tmp_path, PARTS)
    with pytest.raises(CheckpointFailed, match=r"used by one search at a time, .*another one uses this log now"):
        Log(tmp_path, PARTS)
    first.close()
    Log(tmp_path, PARTS).close()


def test_other_versions_are_refused_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = log_module.versions_of
    with monkeypatch.context() as before:
        before.setattr(log_module, "versions_of", lambda modules: {**now(modules), "sklearn": "1.2.3"})
        written(tmp_path)
    with pytest.raises(CheckpointFailed, match=r"it was begun with sklearn 1\.2\.3, this process has \d"):
        Log(tmp_path, PARTS)


# ---- what the disk, or somebody, did to it


def check_refused(folder: Path, file: Path, content: bytes, words: str = "hold lines as they were written") -> None:
    """Assert that a log of this content is refused in one sentence that names it, and left as it is."""
    file.write_bytes(content)
    with pytest.raises(CheckpointFailed, match=words) as failure:
        Log(folder, PARTS)
    assert str(file) in str(failure.value)
    assert "\n" not in str(failure.value)
    assert file.read_bytes() == content


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("n_bits", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_a_log_goes_unnoticed(tmp_path: Path, n_bits: int) -> None:
    file = written(tmp_path, 1)
    whole = file.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    flips = [(place, bit) for place in range(len(whole)) for bit in range(8) if n_bits == 8 or place % 8 == bit]
    for place, bit in [*flips, (len(whole) - 1, 0)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        if place < len(whole) - 1:
            check_refused(tmp_path, file, bytes(flipped))
        else:  # the end of the last line: this line is torn
            file.write_bytes(flipped)
            assert known_to(tmp_path) == []
            assert file.read_bytes() == whole[:last]


@pytest.mark.usefixtures("quick")
def test_no_line_is_moved_doubled_or_taken_out_unnoticed(tmp_path: Path) -> None:
    file = written(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    header, *rest = lines
    for number in range(4):
        if number < 3:
            check_refused(tmp_path, file, b"".join(lines[:number] + lines[number + 1 :]))
        check_refused(tmp_path, file, b"".join(lines[: number + 1] + lines[number:]))
        check_refused(tmp_path, file, b"".join([*lines[:number], b"\n", *lines[number:]]))
    check_refused(tmp_path, file, b"".join([header, *reversed(rest)]))
    file.write_bytes(b"".join(lines[:3]))  # as if the last path had not been run
    assert known_to(tmp_path) == [0, 1]


@pytest.mark.usefixtures("quick")
def test_other_line_ends_marks_and_foreign_files_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    whole = file.read_bytes()
    for content in (
        whole.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + whole,
        whole[:50] + whole[90:],
        b"x" * 10_000_000,
        b"a letter to a friend, without an end",
        b"[]\n",
        b"\n",
        whole.replace(b'"score":-0.0', b'"score":NaN'),
    ):
        check_refused(tmp_path, file, content)


def test_the_log_of_another_search_under_this_name_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    Log(tmp_path / "other", {"X": "another"}).close()
    (other,) = (tmp_path / "other").iterdir()
    check_refused(tmp_path, file, other.read_bytes(), "hold the log of this search under its name")


def test_a_log_of_another_form_under_this_name_is_refused(tmp_path: Path) -> None:
    """As of an older version of this package: its lines may mean something else."""
    file = written(tmp_path)
    header, *paths = lines_of(file)
    write_log(file, [header, *paths])
    assert known_to(tmp_path) == [0, 1, 2]
    for schema in (header["schema"] - 1, None):
        write_log(file, [{**header, "schema": schema}, *paths])
        check_refused(tmp_path, file, file.read_bytes(), "hold the log of this search under its name")


@pytest.mark.parametrize("versions", [None, [1], "3.11"])
def test_a_header_that_says_no_versions_is_damaged(versions: Any, tmp_path: Path) -> None:
    """Its checksum may be right: whoever wrote it had another form in mind."""
    file = written(tmp_path)
    header, *paths = lines_of(file)
    write_log(file, [{**header, "versions": versions}, *paths])
    check_refused(tmp_path, file, file.read_bytes(), "hold lines as they were written")


def test_a_path_without_folds_is_damaged(tmp_path: Path) -> None:
    file = written(tmp_path)
    header, first, *rest = lines_of(file)
    del first["folds"]
    write_log(file, [header, first, *rest])
    with pytest.raises(CheckpointFailed, match="hold lines as they were written"):
        known_to(tmp_path)


def test_a_line_that_changes_while_the_log_is_open_is_noticed(tmp_path: Path) -> None:
    file = written(tmp_path)
    whole = file.read_bytes()
    log = Log(tmp_path, PARTS)
    file.write_bytes(whole.replace(b'"score":-0.1,', b'"score":-0.3,'))
    with pytest.raises(CheckpointFailed, match="hold lines as they were written"):
        log.find(path_of(1))
    log.close()


def test_only_a_plain_file_is_a_log(tmp_path: Path) -> None:
    file = written(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    content = elsewhere.read_bytes()
    for make, kind in (
        (lambda: file.symlink_to(elsewhere), "a symbolic link"),
        (lambda: file.symlink_to(tmp_path / "nowhere"), "a symbolic link"),
        (lambda: file.symlink_to("/dev/null"), "a symbolic link"),
        (lambda: os.mkfifo(file), "a pipe"),
        (lambda: file.mkdir(), "a folder"),
    ):
        make()
        with pytest.raises(CheckpointFailed, match=f"be a folder that can be written, .*it is {kind}, no plain file"):
            Log(tmp_path, PARTS)
        file.rmdir() if kind == "a folder" else file.unlink()
    assert elsewhere.read_bytes() == content
    assert not (tmp_path / "nowhere").exists()


def test_pipes_and_links_beside_a_log_are_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "link.jsonl").symlink_to(file)
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "long.jsonl").write_bytes(b"x" * 3_000_000)
    with pytest.warns(NewLogWarning, match=r"holds 1 log\(s\) of other searches"):
        Log(tmp_path, {**PARTS, "X": "c"}).close()


def test_a_log_is_written_where_a_system_has_no_writes_at_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = written(tmp_path / "usual").read_bytes()
    monkeypatch.delattr(log_module.os, "pwrite")
    monkeypatch.delattr(log_module.os, "pread")
    monkeypatch.setattr(log_module, "fcntl", None)
    file = written(tmp_path / "without")
    assert file.read_bytes() == whole
    test_what_is_written_is_found_again(tmp_path / "again")
    log = Log(tmp_path / "without", PARTS)
    assert log.find(path_of(0)) is not None  # reads, then goes on writing at the end
    log.add(path_of(3), [outcome_of(3)])
    log.close()
    assert known_to(tmp_path / "without") == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["fsync", "ftruncate"])
def test_what_the_disk_says_is_told_in_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise OSError(5, "Input/output error")

    log = Log(tmp_path, PARTS)
    monkeypatch.setattr(log_module, "SYNC_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(log_module.os, name, broken)
        with pytest.raises(CheckpointFailed, match=r"have room .* Input/output error: correct that"):
            log.add(path_of(1), [outcome_of(1)])
        log.close()
    assert known_to(tmp_path) == [1]


def test_a_folder_may_be_named_in_any_way_that_python_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/logs", Path("~/logs"), b"~/logs", os.fsencode(tmp_path) + b"/logs"):
        Log(given, PARTS).close()
        assert len(list((tmp_path / "logs").iterdir())) == 1
        assert not (tmp_path / "~").exists()
    odd = os.fsencode(tmp_path) + b"/\xff\n"
    for name in (odd, os.fsdecode(odd)):
        Log(name, PARTS).close()
    (file,) = os.listdir(odd)
    Path(os.fsdecode(odd), os.fsdecode(file)).write_bytes(b"nonsense\n")
    with pytest.raises(CheckpointFailed, match=r"\\udcff\\n.*line 1 at byte 0 is damaged") as failure:
        Log(odd, PARTS)
    str(failure.value).encode()  # can be printed


def test_the_versions_of_the_models_packages_count_too(tmp_path: Path) -> None:
    Log(tmp_path, PARTS, ["pandas", "no_such_package"]).close()
    with pytest.raises(CheckpointFailed, match=r"it was begun with pandas .*, this process has None"):
        Log(tmp_path, PARTS)


def test_another_search_begins_a_log_of_its_own_and_says_what_differs(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.warns(NewLogWarning, match=r"holds 1 log\(s\) of other searches, the most alike differs in space: "):
        Log(tmp_path, {**PARTS, "space": "c"}).close()
    with pytest.warns(NewLogWarning, match=r"holds 2 log\(s\) of other searches, the most alike differs in X: "):
        Log(tmp_path, {**PARTS, "X": "c"}).close()
    assert len(list(tmp_path.glob("*.jsonl"))) == 3
    assert known_to(tmp_path) == [0, 1, 2]


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointFailed, match="be a folder that can be written"):
        Log(tmp_path / "file" / "log", PARTS)


# ---- what makes a search another one


def small(folder: Path | None, **settings: Any) -> Any:
    return resumable.search_for(folder, n_trials=3, **settings)


def test_a_search_that_is_whole_is_read_from_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = resumable.data()
    first = small(tmp_path).fit(X, y)

    def never(*args: Any) -> None:
        raise AssertionError("a fold was run again")

    monkeypatch.setattr("multihop_search.engine.prefixes.judge", never)
    monkeypatch.setattr("multihop_search.engine.prefixes.crossfit", never)
    again = small(tmp_path).fit(X, y)
    same_search(first, again)
    pd.testing.assert_frame_equal(first.results_, again.results_, check_exact=True)  # times too: they were kept
    more = small(tmp_path, timeout=100.0, verbose=0, n_jobs=1).fit(X, y)
    pd.testing.assert_frame_equal(first.results_, more.results_, check_exact=True)


def test_regression_far_from_0_is_read_from_its_log_to_the_last_digit(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = 1e8 + X[:, 0] + 0.1 * X[:, 1]  # no target that single precision could hold

    def search(n_trials: int) -> MultihopSearchRegressor:
        settings: dict[str, Any] = {"cv": 2, "max_hops": 1, "param_distributions": {}, "checkpoint": tmp_path}
        return MultihopSearchRegressor(Ridge(), LinearRegression(), n_trials=n_trials, random_state=0, **settings)

    search(2).fit(X, y)
    searches = [search(4).fit(X, y), search(4).fit(X, y)]
    tables = [searched.results_.drop(columns=MEASURED) for searched in searches]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    pd.testing.assert_frame_equal(*(searched.verdict_.table for searched in searches), check_exact=True)
    assert searches[0].verdict_.scores.equals(searches[1].verdict_.scores)
    assert searches[0].best_score_ > -0.1
    np.testing.assert_array_equal(*(searched.predict(X) for searched in searches))


def test_more_trials_go_on_from_the_log(tmp_path: Path) -> None:
    X, y = resumable.data()
    small(tmp_path).fit(X, y)
    again = small(tmp_path).set_params(n_trials=5).fit(X, y)
    same_search(again, small(None).set_params(n_trials=5).fit(X, y))
    assert len(list(tmp_path.iterdir())) == 1


CHANGES: dict[str, dict[str, Any]] = {
    "random_state": {"random_state": 2},
    "n_ahead": {"n_ahead": 5},
    "cv": {"cv": 2},
    "scoring": {"scoring": "accuracy"},
    "sampler": {"sampler": resumable.tpe},
    "budget": {"budget": {"nodes": 9}},
    "teacher": {"teacher__n_estimators": 9},
    "space": {"max_hops": 2},
}


def starts_anew(search: Any, words: str, *data: Any, **more: Any) -> None:
    """Assert that a search says that it begins another log; it ends there."""
    with pytest.raises(NewLogWarning, match=rf"the most alike differs in {words}"):  # warnings are errors here
        search.fit(*data, **more)


@pytest.fixture(scope="module")
def log_of_one_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    X, y = resumable.data(120)
    small(folder).set_params(n_trials=1).fit(pd.DataFrame(X, columns=list("abcdef")), y)
    return folder


@pytest.fixture
def logged(log_of_one_trial: Path, tmp_path: Path) -> tuple[Any, pd.DataFrame, np.ndarray]:
    """A search with a log of its own, and its data."""
    shutil.copytree(log_of_one_trial, tmp_path / "copy")
    X, y = resumable.data(120)
    return small(tmp_path / "copy").set_params(n_trials=1), pd.DataFrame(X, columns=list("abcdef")), y


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_begins_another_log(name: str, logged: Any) -> None:
    search, X, y = logged
    starts_anew(search.set_params(**CHANGES[name]), rf".*\b{name}\b", X, y)


def test_changed_data_begin_another_log(logged: Any) -> None:
    search, X, y = logged
    search.fit(X, y)  # the same data begin none
    starts_anew(search, "sample_weight: ", X, y, sample_weight=np.ones(len(y)))
    for other in (X.assign(a=X["a"].where(X.index != 7, 0.25)), X.rename(columns={"b": "z"})):
        (alike,) = [file for file in Path(search.checkpoint).iterdir() if len(lines_of(file)) > 1]
        for file in Path(search.checkpoint).iterdir():
            if file != alike:
                file.unlink()
        starts_anew(search, "X: ", other, y)


def test_a_search_that_cannot_be_told_again_is_refused(tmp_path: Path) -> None:
    X, y = resumable.data(120)
    with pytest.raises(InvalidSetting, match="random_state must be an integer for a search with a checkpoint"):
        small(tmp_path).set_params(random_state=None).fit(X, y)
    with pytest.raises(InvalidSetting, match="checkpoint must be None or the path of a folder, got 3"):
        small(tmp_path).set_params(checkpoint=3).fit(X, y)
    for empty in ("", b"", "a\0b"):
        with pytest.raises(InvalidSetting, match="checkpoint must be a path that is not empty"):
            small(tmp_path).set_params(checkpoint=empty).fit(X, y)
    with pytest.raises(InvalidSetting, match="checkpoint begins with ~ and must name a home folder"):
        small(tmp_path).set_params(checkpoint="~nobody_of_this_name/logs").fit(X, y)
    with pytest.raises(InvalidSetting, match="checkpoint needs scoring that another process can name"):
        small(tmp_path).set_params(scoring=lambda model, X, y: 0.0).fit(X, y)
    near = KNeighborsClassifier(metric=lambda one, two: 0.0)
    for place, named in (("teacher", "a teacher"), ("student", "student"), ("intermediates", "intermediate 'near'")):
        given = {place: [("near", near)] if place == "intermediates" else near, "schemes": [HardLabels()]}
        with pytest.raises(InvalidSetting, match=rf"checkpoint needs {named} \(KNeighborsClassifier\) that.* a lambda"):
            small(tmp_path).set_params(**given).fit(X, y)


def test_a_failed_trial_is_not_tried_again(tmp_path: Path) -> None:
    X, y = resumable.data()
    with pytest.warns(FailedTrialsWarning):
        first = small(tmp_path).set_params(n_trials=8).fit(X, y)
    assert {"FAIL", "PRUNED"} <= set(first.results_["state"])
    (file,) = tmp_path.iterdir()
    written = file.read_bytes()
    with pytest.warns(FailedTrialsWarning):
        same_search(first, small(tmp_path).set_params(n_trials=8).fit(X, y))
    assert file.read_bytes() == written
