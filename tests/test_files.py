"""Files that the user asks for: where they go, whole or not at all, and with which permissions."""

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from multihop_search.cli import main
from multihop_search.errors import FileFailed, InvalidSetting
from multihop_search.experiment.config import read_config
from multihop_search.experiment.loop import run_experiment
from multihop_search.experiment.page import write_report
from multihop_search.experiment.store import read_records
from multihop_search.export import SUFFIXES, export_model
from multihop_search.files import whole_file, whole_folder
from multihop_search.report.page import checked_file

pytestmark = pytest.mark.once

X, y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_or_folder_has_the_usual_permissions(umask: int, tmp_path: Path) -> None:
    export_model(TREE, tmp_path / "tree.txt")
    export_model(TREE, tmp_path / "tree.skops")
    with whole_folder(tmp_path / "out") as part:
        (part / "file").write_text("content")
    assert {mode(file) for file in tmp_path.rglob("*") if file.is_file()} == {0o666 & ~umask}
    assert mode(tmp_path / "out") == 0o777 & ~umask


@pytest.mark.usefixtures("small_command")
def test_the_folder_of_a_run_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o007)
    try:
        arguments = ["run", "--example", "wine", "--student", "tree:2", "--teacher", "forest", "--trials", "1"]
        result = CliRunner().invoke(main, [*arguments, f"--out={tmp_path / 'out'}"], catch_exceptions=False)
    finally:
        os.umask(before)
    assert result.exit_code == 0, result.output
    assert mode(tmp_path / "out") == 0o770
    assert {mode(file) for file in (tmp_path / "out").iterdir()} == {0o660}


def test_a_file_that_is_replaced_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "shared.txt", tmp_path / "folder" / "latest.txt"
    link.parent.mkdir()
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    export_model(TREE, link)
    assert link.is_symlink()
    assert file.read_text().startswith("DecisionTreeClassifier")
    assert mode(file) == 0o640
    assert sorted(tmp_path.rglob("*")) == [link.parent, link, file]


def test_only_a_plain_file_is_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.txt", tmp_path / "folder.txt"
    os.mkfifo(pipe)
    folder.mkdir()
    for file, kind in ((pipe, "a pipe"), (folder, "a folder")):
        with pytest.raises(FileFailed, match=f"file must be a plain file, .* is {kind}: choose another name"):
            export_model(TREE, file)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [folder, pipe]


def test_a_full_disk_is_told_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    for keep in (whole_file, whole_folder):
        with (
            pytest.raises(FileFailed, match=r"be one that can be written, .* \(No space left on device\)"),
            keep(tmp_path / "new") as part,
        ):
            raise OSError(28, "No space left on device", str(part))
    assert not list(tmp_path.iterdir())


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 64 bytes, as on a disk that fills up."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.parametrize("caught", [OSError, InvalidSetting])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_format_fits_on_a_full_disk(suffix: str, caught: type[Exception], tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    file = tmp_path / f"tree{suffix}"
    export_model(TREE, file)
    before = file.read_bytes()
    with pytest.raises(caught) as full, small_files():
        export_model(DecisionTreeClassifier(random_state=0).fit(X, y), file)
    assert str(full.value) == (
        f"file must be one that can be written, {str(file)!r} is not (File too large): choose another place."
    )
    assert full.value.errno == errno.EFBIG
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_in_the_place_of_a_folder_is_told_in_words(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    for folder in ("file", "absent"):
        with pytest.raises(FileFailed, match=r"file must be in a folder that exists, .* does not: make it first"):
            export_model(TREE, tmp_path / folder / f"tree{suffix}")
        with pytest.raises(FileFailed, match="file must be in a folder that exists"):
            checked_file(tmp_path / folder / "page.html")
    with pytest.raises(FileFailed, match="can be written"), whole_folder(tmp_path / "file" / "out"):
        pass
    with pytest.raises(FileFailed, match="File name too long"):
        export_model(TREE, tmp_path / f"{'x' * 300}{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


TAKES_A_PATH: dict[str, Callable[[Any], Any]] = {
    "export": lambda path: export_model(TREE, path),
    "page": checked_file,
    "read_config": read_config,
    "read_records": read_records,
    "write_report": write_report,
    "run_experiment": lambda path: run_experiment(
        {
            "data": {"wine": {"example": "wine"}},
            "teachers": {"forest": {"class": "sklearn.ensemble.RandomForestClassifier"}},
            "students": {"tree": {"class": "sklearn.tree.DecisionTreeClassifier"}},
        },
        path,
    ),
}


@pytest.mark.parametrize("name", TAKES_A_PATH)
@pytest.mark.parametrize("path", ["", b"", "a\0b", 3, None, "~nobody_of_this_name/file.txt"], ids=str)
def test_what_is_no_path_is_refused_everywhere(name: str, path: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"must be a path|must name a home folder"):
        TAKES_A_PATH[name](path)


@pytest.mark.usefixtures("small_command")
@pytest.mark.filterwarnings("ignore:Attempting to set identical")
def test_home_is_meant_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    for path in ("~/tree.txt", b"~/tree.sql", Path("~/tree.py")):
        export_model(TREE, path)
    assert checked_file("~/page.html") == tmp_path / "home" / "page.html"
    assert sorted(file.name for file in (tmp_path / "home").iterdir()) == ["tree.py", "tree.sql", "tree.txt"]
    for option in ("--out", "--checkpoint"):
        arguments = ["run", "--example", "wine", "--student", "tree:2", "--teacher", "forest", "--trials", "1"]
        result = CliRunner().invoke(main, [*arguments, f"{option}=~/{option[2:]}"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert (tmp_path / "home" / option[2:]).is_dir()
        refused = CliRunner().invoke(main, [*arguments, f"{option}="])
        assert refused.exit_code == 2
        assert "must be a path that is not empty" in refused.output
    assert [file.name for file in tmp_path.iterdir()] == ["home"]
