"""The house: arrows point down only, the public list is true, and importing costs nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import multihop_search

pytestmark = pytest.mark.once

PACKAGE = Path(multihop_search.__file__).parent
FLOORS = [
    {"errors", "files", "keys", "recipe", "threads", "versions", "visible"},
    {"executors", "problem", "transfer", "trees"},
    {"models"},
    {"paths"},
    {"engine"},
    {"verdict"},
    {"report", "export"},
    {"search"},
    {"experiment", "integrations", "studies"},
    {"cli", "testing"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ALLOWED_BESIDE = {("keys", "errors"), ("files", "errors"), ("recipe", "errors"), ("errors", "visible")}


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(file: Path) -> set[str]:
    """Return the modules that a file imports, those inside functions too; not those for type checking only."""
    tree = ast.parse(file.read_text())
    guarded = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for node in ast.walk(branch)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: absolute imports only"
            found.add(node.module or "")
    return found


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_arrows_point_down_only(file: Path) -> None:
    room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports_of(file):
        if module.startswith("multihop_search."):
            other = room_of(module)
            assert other == room or FLOOR[other] < FLOOR[room] or (room, other) in ALLOWED_BESIDE, f"{room} -> {other}"


def test_optuna_and_ray_stay_in_their_rooms() -> None:
    for file in FILES:
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = {name for name in imports_of(file) if name.split(".")[0] in {"optuna", "ray"}}
        if room in {"problem", "verdict", "report", "export", "cli"}:
            assert not names, f"{file} imports {names}"
        if room in {"models", "paths", "recipe", "transfer", "trees"}:
            assert names <= {"optuna.distributions"}, f"{file} imports {names}"
        if file.parent.relative_to(PACKAGE).as_posix() != "executors/ray":
            assert not any(name.split(".")[0] == "ray" for name in names), f"{file} imports ray"


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, multihop_search; "
        "assert not {'ray', 'matplotlib', 'plotly', 'optuna', 'sklearn'} & set(sys.modules); "
        "multihop_search.MultihopSearchClassifier; "
        "assert not {'ray', 'matplotlib', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_list_is_true() -> None:
    assert multihop_search.__all__ == sorted(multihop_search.__all__)
    for name in multihop_search.__all__:
        thing = getattr(multihop_search, name)
        assert thing.__name__ == name
        assert thing.__doc__
        assert name in dir(multihop_search)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = multihop_search.nothing_of_the_kind


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert version("multihop_search") == multihop_search.__version__
