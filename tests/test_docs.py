"""Every example in docstrings and documents runs."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

import multihop_search
from multihop_search.errors import MissingTool

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("small_teachers", "one_between")]

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(m.name for m in pkgutil.walk_packages(multihop_search.__path__, "multihop_search."))
DOCUMENTS = sorted(file for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if ">>>" in file.read_text())


@pytest.fixture(autouse=True)
def same_verbosity() -> Iterator[None]:
    """Put back what an example says to Optuna's log."""
    verbosity = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(verbosity)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except MissingTool as error:
        pytest.skip(str(error))
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_examples_in_documents_run(file: Path) -> None:
    failed, tried = doctest.testfile(str(file), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried
    assert failed == 0
