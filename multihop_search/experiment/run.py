"""One cell: split, search, refit every complete trial, and judge all of them on fresh rows."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import optuna
import pandas as pd

import multihop_search
from multihop_search import MultihopSearchClassifier
from multihop_search.errors import StoppedWarning
from multihop_search.experiment.data import Split, split
from multihop_search.experiment.grid import Cell
from multihop_search.experiment.recipes import make_model, make_recipe
from multihop_search.experiment.rows import student_row, teacher_row, trial_rows
from multihop_search.experiment.same_scheme import SameScheme
from multihop_search.experiment.watch import tried
from multihop_search.problem import response_table

PACKAGES = ("numpy", "optuna", "scikit-learn")


@dataclass(frozen=True)
class Finished:
    """What a cell leaves."""

    key: str
    rows: pd.DataFrame
    """A row a student."""
    trials: pd.DataFrame
    """A row a complete trial."""


def run_cell(cell: Cell) -> Finished:
    """Run a cell and return its rows; everything random in it comes from its seed."""
    rows = split(cell.source, cell.folder, cell.rows, cell.fresh, cell.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", StoppedWarning)  # else a signal would leave a cell with fewer trials
        began = time.perf_counter()
        search = search_of(cell).fit(rows.X, rows.y, groups=rows.groups)
        searched = time.perf_counter()
        trials_of_search = tried(search, rows)
        teacher = teacher_row(search, rows, response_table(search.teacher_, rows.X_fresh, rows.classes))
        refitted = time.perf_counter()
        table, trials = [], []
        for name in search.chosen_:
            mine = [one for one in trials_of_search if one.record.path.student == name]
            table.append({**named(cell, name, rows), **student_row(search, rows, name, mine), **teacher})
            trials.append(trial_rows(search, mine))
    seconds = {
        "search_seconds": searched - began,
        "refit_seconds": refitted - searched,
        "seconds": time.perf_counter() - began,
    }
    of_cell = pd.DataFrame(table).assign(**seconds)
    of_trials = pd.concat(trials, ignore_index=True)
    of_trials.insert(0, "cell", cell.key)
    return Finished(cell.key, of_cell, of_trials)


def check_cells(cells: Sequence[Cell]) -> None:
    """Raise what the search of any cell would say of its settings, before one of them is run."""
    checked = []
    for cell in cells:
        if (cell.settings, cell.models) not in checked:
            checked.append((cell.settings, cell.models))
            search_of(cell).check_settings()


def search_of(cell: Cell) -> MultihopSearchClassifier:
    """Return the search of a cell."""
    settings, models = cell.settings, cell.models
    students = [(name, make_model(spec, name)) for name, spec in models["students"].items()]
    intermediates = [(name, make_model(spec, name)) for name, spec in models["intermediates"].items()]
    extra: dict[str, Any] = {} if settings.stopping else {"pruner": optuna.pruners.NopPruner()}
    if settings.same_scheme:
        extra["sampler"] = SameScheme.factory(len(students), settings.same_scheme)
    return MultihopSearchClassifier(
        students if len(students) > 1 else students[0][1],
        make_model(models["teacher"], cell.teacher),
        schemes=_recipes(models["schemes"], "schemes"),
        tree_fits=_recipes(settings.tree_fits, "tree_fits"),
        intermediates=intermediates or "auto",
        n_trials=settings.n_trials,
        portfolio=None,  # what was learned to be good would decide what is found
        max_hops=settings.max_hops,
        cv=settings.cv,
        crossfit_cv=settings.crossfit_cv,
        scoring=settings.scoring,
        verdict=settings.verdict,
        random_state=cell.seed,
        **extra,
    )


def _recipes(specs: Any, place: str) -> Any:
    return specs if specs == "auto" else [make_recipe(one, place) for one in specs]


def named(cell: Cell, student: str, rows: Split) -> dict[str, Any]:
    """Return what identifies a row."""
    versions = {"multihop_search": multihop_search.__version__, **{name: version(name) for name in PACKAGES}}
    source = cell.source
    return {
        "cell": cell.key,
        "data": source.name,
        "teacher": cell.teacher,
        "student": student,
        "schemes": cell.schemes,
        "n_train": cell.rows,
        "seed": cell.seed,
        "n_fresh": len(rows.y_fresh),
        "generated": source.generated,
        "noise": source.noise if source.generated else float("nan"),
        "gap": source.gap if source.generated else float("nan"),
        "verdict": str(cell.settings.verdict),
        "settings": json.dumps(asdict(cell.settings), sort_keys=True),
        "versions": json.dumps(versions),
    }
