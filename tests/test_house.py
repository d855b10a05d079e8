"""The house: arrows point down only, the public list is true, and importing costs nothing heavy."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import multihop_search
from multihop_search import errors

pytestmark = pytest.mark.once

PACKAGE = Path(multihop_search.__file__).parent  # in an environment of its own it does not stand in the repository
REPOSITORY = Path(__file__).parents[1]
FLOORS = [
    {
        "compat",
        "errors",
        "files",
        "filters",
        "interrupt",
        "keys",
        "recipe",
        "terminal",
        "threads",
        "versions",
        "visible",
    },
    {"executors", "problem", "transfer", "trees"},
    {"models"},
    {"paths"},
    {"engine"},
    {"verdict"},
    {"report", "export"},
    {"search"},
    {"cli", "experiment", "integrations", "studies", "testing"},
]
GROUND = FLOORS[0]
MOST_FLOORS, MOST_PAIRS = 9, 77
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ALLOWED_BESIDE = {("keys", "errors"), ("files", "errors"), ("recipe", "errors"), ("errors", "visible")} | {
    ("terminal", other) for other in ("errors", "files", "visible")
}


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


def room_with(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_below(file: Path) -> set[str]:
    """Return the other rooms that a file imports from."""
    others = {room_of(module) for module in imports_of(file) if module.startswith("multihop_search.")}
    return others - {room_with(file)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_arrows_point_down_only(file: Path) -> None:
    room = room_with(file)
    for other in rooms_below(file):
        assert FLOOR[other] < FLOOR[room] or (room, other) in ALLOWED_BESIDE, f"{room} -> {other}"


def test_the_house_is_no_higher_and_no_more_tangled_than_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = {(room_with(file), other) for file in FILES for other in rooms_below(file) if room_with(file) not in GROUND}
    above = {pair for pair in pairs if pair[1] not in GROUND}
    on_ground = {room for room, other in pairs if other in GROUND}
    n_pairs = len(above) + len(on_ground)  # the ground counts as one room: whatever stands above may use all of it
    with capsys.disabled():
        print(f"\n{len(FLOORS)} floors, {n_pairs} imports from room to room, {len(on_ground)} of them to the ground")
        for floor, rooms in reversed(list(enumerate(FLOORS, start=1))):
            print(f"  {floor}  {', '.join(sorted(rooms))}")
    assert FLOOR.keys() == {room_with(file) for file in FILES}
    assert len(FLOORS) <= MOST_FLOORS
    assert n_pairs <= MOST_PAIRS, sorted(above)


def test_experiments_use_the_search_by_public_names_only() -> None:
    shared = {"files", "terminal", "errors", "keys", "report"}  # how files, lines and pages are written, and seeds
    inside = []
    for file in sorted((PACKAGE / "experiment").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("multihop_search"):
                continue
            room = room_of(f"{node.module}.")
            if room in shared | {"experiment"}:
                continue
            public = importlib.import_module(str(node.module)).__all__
            inside += [f"{file.name}: {node.module}.{one.name}" for one in node.names if one.name not in public]
    assert not inside


def test_optuna_and_ray_stay_in_their_rooms() -> None:
    for file in FILES:
        room = room_with(file)
        names = {name for name in imports_of(file) if name.split(".")[0] in {"optuna", "ray"}}
        if room in {"problem", "verdict", "report", "export", "cli"}:
            assert not names, f"{file} imports {names}"
        if room in {"models", "paths", "recipe", "transfer", "trees"}:
            assert names <= {"optuna.distributions"}, f"{file} imports {names}"
        if file.parent.relative_to(PACKAGE).as_posix() != "executors/ray":
            assert not any(name.split(".")[0] == "ray" for name in names), f"{file} imports ray"


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, multihop_search; "
        "assert not {'optuna', 'pandas', 'ray', 'sklearn'} & set(sys.modules); "
        "from sklearn.tree import DecisionTreeClassifier as Tree; "
        "search = multihop_search.MultihopSearchClassifier(Tree(), Tree(), n_trials=1, cv=2, intermediates=[]); "
        "search.fit([[0], [1]] * 10, [0, 1] * 10).predict([[0]]); "
        "import multihop_search.cli.run; "
        "heavy = {'jinja2', 'matplotlib', 'onnx', 'plotly', 'ray', 'skops'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_the_public_list_is_true() -> None:
    assert multihop_search.__all__ == sorted(multihop_search.__all__)
    for name in multihop_search.__all__:
        thing = getattr(multihop_search, name)
        assert thing.__name__ == name
        assert thing.__doc__
        assert name in dir(multihop_search)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = multihop_search.nothing_of_the_kind


def own_methods(kind: type) -> set[str]:
    """Return the public methods of a class that this package defines; those that depend on the student too."""
    methods = set()
    for name in (name for name in dir(kind) if not name.startswith("_")):
        member = inspect.getattr_static(kind, name)
        member = getattr(member, "fn", member)  # of scikit-learn's `available_if`
        if callable(member) and member.__module__.startswith("multihop_search."):
            methods.add(name)
    return methods


def test_the_page_of_public_names_lists_exactly_them() -> None:
    public = set(multihop_search.__all__)
    for name in ("MultihopSearchClassifier", "MultihopSearchRegressor"):
        public |= {f"{name}.{method}" for method in own_methods(getattr(multihop_search, name))}
    for room in ("executors", "experiment", "export", "integrations", "models", "problem", "testing", "verdict"):
        names = importlib.import_module(f"multihop_search.{room}").__all__
        public |= {f"{room}.{name}" for name in names if name not in multihop_search.__all__}
    kinds = (errors.MultihopError, errors.MultihopWarning)
    public |= {
        f"errors.{name}" for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, kinds)
    }
    page = (REPOSITORY / "docs" / "api.md").read_text()
    listed = re.findall(r"^   multihop_search\.(\S+)$", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted(public)
    assert "MultihopSearchClassifier.predict_proba" in listed


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert version("multihop_search") == multihop_search.__version__


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    lines = {str(file.relative_to(PACKAGE)): len(file.read_text().splitlines()) for file in FILES}
    assert not {name: number for name, number in lines.items() if number > 400}


def test_rules_are_stated_and_not_cited_by_number() -> None:
    folders = [("tests", "*.py"), ("benchmarks", "*.py"), ("docs", "*.md")]
    others = [file for folder, kind in folders for file in (REPOSITORY / folder).rglob(kind)]
    assert {file.parent.name for file in others} > {"tests", "benchmarks", "decisions"}
    files = [*FILES, *others]
    cited = [str(file) for file in files if re.search(r"\brule [0-9]", file.read_text())]
    assert not cited
