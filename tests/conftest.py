"""Shared fixtures: the data folder, small data and small searches."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read as OpenMP is loaded: its threads would burn a busy core

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import multihop_search.cli.run as command
from multihop_search.paths import pool, portfolio

LEARNED = portfolio.learned
"""What the shipped portfolio holds."""
NICENESS = "RAY_worker_niceness"  # of Ray's workers; by its 15 they starve beside the other processes of a test run
os.environ[NICENESS] = "0"

LONG = "faults experiment ray_search search executors command checkpoint export interrupt early_stopping docs"
"""The files that take longest: at the end one of them would run alone. Every other one of them waits for processes."""
ORDER = {f"test_{name}": place for place, name in enumerate(LONG.split())}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def few_draws_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that is no mean over rows is taken again on 4 draws of the rows, not 100; a model is timed on 2 calls."""
    monkeypatch.setattr("multihop_search.verdict.interval.N_DRAWS_REPLAYED", 4)
    monkeypatch.setattr("multihop_search.models.complexity.LATENCY_CALLS", 2)


@pytest.fixture(scope="session", autouse=True)
def nothing_learned() -> Iterator[None]:
    """Searches of tests do not hang on what the portfolio holds just now; those of `shipped_portfolio` do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio, "learned", lambda: {"classification": {}, "regression": {}})
        yield


@pytest.fixture(scope="module")
def shipped_portfolio(nothing_learned: None) -> Iterator[None]:
    """Searches begin with the paths that the package ships."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio, "learned", LEARNED)
        yield


@pytest.fixture
def small_teachers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default teachers with 30 members each: what they can take, and that they are compared, is the same."""
    full = pool.teachers

    def few(**options: Any) -> dict[str, Any]:
        named = full(**options)
        for model in [*named.values(), *(part for _, part in getattr(named.get("vote"), "estimators", []))]:
            for name in ("n_estimators", "max_iter"):
                if name in model.get_params():
                    model.set_params(**{name: 30})
        return named

    monkeypatch.setattr(pool, "teachers", few)


@pytest.fixture
def one_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the default intermediates one tree is there, so that a search has no more models to try."""
    intermediates = pool.default_intermediates

    def one_tree(*arguments: Any) -> dict[str, Any]:
        return {"tree(8)": intermediates(*arguments)["tree(8)"]}

    monkeypatch.setattr("multihop_search.search.defaults.default_intermediates", one_tree)


@pytest.fixture
def small_command(one_between: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command searches little: `--teacher forest` has 3 trees, one tree is between, there are 2 folds."""

    def teachers(*, regression: bool = False) -> dict[str, Any]:
        small = (RandomForestRegressor if regression else RandomForestClassifier)(3)
        return {**pool.teachers(regression=regression), "forest": small}

    monkeypatch.setattr("multihop_search.cli.run.teachers", teachers)
    for name in ("MultihopSearchClassifier", "MultihopSearchRegressor"):
        monkeypatch.setattr(command, name, partial(getattr(command, name), cv=2, crossfit_cv=2))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets beside the checkout; tests that need it are skipped where it is absent."""
    if not (DATA / "DATASETS.csv").exists():
        pytest.skip(f"the real data sets are not here: {DATA} is absent")
    return DATA


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """240 rows, 6 columns, 3 classes."""
    return make_classification(240, 6, n_informative=4, n_redundant=1, n_classes=3, flip_y=0.1, random_state=0)


@pytest.fixture(scope="session")
def cancer() -> tuple[pd.DataFrame, pd.Series]:
    """Real data: 569 rows, 30 columns, string labels."""
    bunch = load_breast_cancer(as_frame=True)
    return bunch.data, bunch.target.map({0: "malignant", 1: "benign"})


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand out files in the order below, not by their numbers of tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: ORDER.get(item.path.stem, len(ORDER)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many of scikit-learn's estimator checks ran."""
    stats = terminalreporter.stats
    ran = {
        outcome: sum(
            "test_scikit_learn_check" in report.nodeid for report in stats.get(outcome, []) if hasattr(report, "nodeid")
        )
        for outcome in ("passed", "failed", "xfailed", "skipped")
    }
    if any(ran.values()):
        terminalreporter.write_line("scikit-learn estimator checks: " + ", ".join(f"{n} {o}" for o, n in ran.items()))
