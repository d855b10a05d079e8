"""What `multihop-search run` does: from a table to a small model, a verdict and a folder to keep."""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import click

from multihop_search.cli.data import Table, example_table, read_table
from multihop_search.cli.options import parse_budget, parse_students, parse_verdict
from multihop_search.errors import InvalidSetting, MultihopWarning, StoppedWarning
from multihop_search.export.skops import write_skops
from multihop_search.files import whole_folder
from multihop_search.paths.groups import Group
from multihop_search.paths.path import TEACHER
from multihop_search.paths.pool import behind_preparation, teachers
from multihop_search.paths.preparation import dropped_columns
from multihop_search.report.facts import Facts
from multihop_search.report.figures import draw_search
from multihop_search.report.page import write_page
from multihop_search.report.text import comparison, describe
from multihop_search.search.base import MultihopSearch
from multihop_search.search.classifier import MultihopSearchClassifier
from multihop_search.search.facts import facts_of
from multihop_search.search.regressor import MultihopSearchRegressor
from multihop_search.terminal import reason, say
from multihop_search.visible import visible

WIDTH = 100
SHOWN = (TEACHER, Group.PLAIN.label, Group.SELECTED.label)
"""Models that are printed, by their names in `Facts.compared`."""
HAND_OVER_S = 1.5
"""Seconds that printing and writing take after a search."""
LEAST_S = 0.001
"""Seconds that a search is given however late it is: each student is tried once."""
LEAST_ROOM = 1 << 16
"""Bytes for which a folder must have room before a search begins; what is written at the end is larger."""


def search_table(
    *,
    data: File | None,
    target: str | None,
    example: str | None,
    student: str,
    teacher: str,
    budget: str | None,
    verdict: str,
    trials: int | None,
    timeout: float | None,
    jobs: int,
    address: str | None,
    checkpoint: File | None,
    seed: int,
    out: File | None,
    start: float,
) -> None:
    """Read the table, search, print what was gained and write the folder: the options are those of the command.

    `start` is when the command began, on the monotonic clock.
    """
    _check_out(out)
    table = _table(data, target, example)
    regression = table.is_regression
    students = parse_students(student, table.X, regression=regression, picks_columns=bool(table.left_out))
    search = (MultihopSearchRegressor if regression else MultihopSearchClassifier)(
        students if len(students) > 1 else students[0][1],
        teacher if teacher == "auto" else _teacher(teacher, table),
        budget=parse_budget(budget),
        verdict=parse_verdict(verdict),
        n_trials=trials,
        timeout=timeout,
        checkpoint=checkpoint,
        executor=_executor(address, jobs),
        n_jobs=jobs,
        random_state=seed,
        verbose=1,
    )
    say(_headline(table))
    for note in table.notes():
        say(f"note: {note}")
    if timeout is not None:
        left = start + timeout - time.monotonic()
        search.set_params(timeout=max(left - HAND_OVER_S, left / 2, LEAST_S))
    notes: dict[str, None] = {}

    def note_of(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, StoppedWarning):  # who stops it wants an answer now
            click.echo(f"\n{visible(message)}", err=True)
        notes[str(message)] = None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MultihopWarning)
        warnings.showwarning = note_of
        search.fit(table.X, table.y)
    for message in notes:
        say(f"note: {message}")
    _hand_over(search, out)


def _teacher(name: str, table: Table) -> Any:
    models = teachers(regression=table.is_regression)
    if name not in models:
        raise InvalidSetting(
            f"--teacher must be one for values, {', '.join(models)} or auto, got {name!r}: "
            f"{table.y.name!r} holds values."
        )
    return behind_preparation(models[name], table.X)


def _executor(address: str | None, jobs: int) -> Any:
    if address is None:
        return None
    from multihop_search.executors.ray import RayExecutor

    return RayExecutor(address, n_workers=max(jobs, 2))


def _headline(table: Table) -> str:
    kind = "values" if table.is_regression else f"{table.y.nunique()} classes"
    left_out = dropped_columns(table.X)
    note = (
        f"; left out, nearly all different: {', '.join(visible(name, keep='') for name in left_out[:5])}"
        if left_out
        else ""
    )
    return f"{table.name}: {len(table.X):,} rows, {table.X.shape[1]} columns, {kind} of {table.y.name!r}{note}"


def _check_out(out: File | None) -> None:
    """Refuse a folder that is there, or cannot be made now, before anything is searched."""
    if out is None:
        return
    if os.path.lexists(out):
        raise InvalidSetting(f"--out must be a folder that does not exist yet, {out} does: choose another name.")
    above = next(folder for folder in out.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=above) as file:
            file.write(bytes(LEAST_ROOM))
            file.flush()
    except OSError as error:
        raise InvalidSetting(
            f"--out must be a folder that can be made, {above} cannot hold one ({error.strerror or error}): choose "
            "another."
        ) from error


def _table(data: File | None, target: str | None, example: str | None) -> Table:
    if (data is None) == (example is None):
        raise InvalidSetting("pass either a table (DATA --target COLUMN) or --example NAME.")
    if example is not None:
        if target is not None:
            raise InvalidSetting("--target belongs to a table of your own, an --example has one: leave it out.")
        return example_table(example)
    assert data is not None
    if target is None:
        raise InvalidSetting(f"--target must name the column of {data.name} to predict, it is missing: add it.")
    return read_table(data, target)


def summary(search: MultihopSearch, facts: Facts) -> str:
    """Return what the command prints at the end: verdict, path, student and the comparison of models."""
    rows = [of_one for of_one in facts.compared if of_one.name in SHOWN]
    others = [(name, of_one) for name, of_one in facts.others.items() if name != facts.best]
    if others:
        rows = [replace(of_one, name=_of(of_one.name, facts.best)) for of_one in rows]
        rows += [replace(of_one, name=_of(Group.SELECTED.label, name)) for name, of_one in others]
    student = describe(search.best_estimator_, facts.feature_names, facts.class_names)
    answer, *reasons = str(search.verdict_).split("\n")
    sentences = "\n".join([folded(answer), "", *(folded(line, "- ") for line in reasons)])
    path = folded(str(search.best_path_), "path: ")
    return f"{sentences}\n\n{path}\n\n{student}\n\n{comparison(rows)}"


def folded(text: str, title: str = "") -> str:
    """Return a text in lines of at most `WIDTH` letters, after a title; "%" stays with its number."""
    space, kept = " %", "\N{NO-BREAK SPACE}%"
    whole = textwrap.fill(
        text.replace(space, kept),
        WIDTH,
        initial_indent=title,
        subsequent_indent=" " * len(title),
        break_on_hyphens=False,
    )
    return whole.replace(kept, space)


def _of(name: str, student: str) -> str:
    return name if name == TEACHER else f"{name} {student}"


def _hand_over(search: MultihopSearch, out: File | None) -> None:
    """Print what was gained and write the folder; if one of both fails, the other is not lost."""
    try:
        facts = facts_of(search)
    except Exception:  # what is compared could not be fitted again: sizes are those of the folds
        facts = facts_of(search, refit=False)
    unprinted: OSError | None = None
    try:
        say("\n" + summary(search, facts))
    except OSError as error:
        unprinted = error
    failures = _write(search, facts, out) if out is not None else {}
    if out is not None and not failures:
        unprinted = unprinted or _told(f"\nwritten to {out}: {', '.join(sorted(FILES))}")
    if failures:
        raise click.ClickException(visible(_lost(search, facts, File(str(out)), failures)))
    if unprinted is not None:
        raise unprinted


def _told(text: str) -> OSError | None:
    try:
        say(text)
    except OSError as error:
        return error
    return None


def _lost(search: MultihopSearch, facts: Facts, out: File, failures: dict[str, str]) -> str:
    """Return what could not be written, after a copy in the folder for temporary files was tried."""
    first = f"{', '.join(failures)} could not be written to {out} ({next(iter(failures.values()))})"
    copy = File(tempfile.mkdtemp(prefix="multihop-search-")) / "out"
    missing = _write(search, facts, copy)
    written = ", ".join(name for name in FILES if name not in missing)
    if written:
        return f"{first}: a copy of {written} is in {copy}, move it where there is room."
    shutil.rmtree(copy.parent, ignore_errors=True)
    advice = "run the same command again, its trials are kept in --checkpoint" if search.checkpoint else "run it again"
    return f"{first}, nor anywhere else: make room and {advice}."


def _write(search: MultihopSearch, facts: Facts, out: File) -> dict[str, str]:
    """Write the folder, and return why a file of it is missing; one that fails does not cost the others."""
    failures: dict[str, str] = {}
    try:
        with whole_folder(out) as partial:
            for name, write in FILES.items():
                try:
                    write(search, facts, partial / name)
                except Exception as error:
                    (partial / name).unlink(missing_ok=True)
                    failures[name] = reason(error)
            if os.path.lexists(out):
                raise FileExistsError(f"{out} was made by another in the meantime")
            if len(failures) == len(FILES):
                raise OSError(f"no file could be written: {failures['model.skops']}")
    except Exception as error:
        return failures if len(failures) == len(FILES) else dict.fromkeys(FILES, reason(error))
    return failures


FILES: dict[str, Callable[[Any, Facts, File], Any]] = {
    "model.skops": lambda search, facts, file: write_skops(search.best_estimator_, file),
    "results.csv": lambda search, facts, file: search.results_.to_csv(file, index=False),
    "verdict.csv": lambda search, facts, file: search.verdict_.table.to_csv(file, index_label="comparison"),
    "steps.csv": lambda search, facts, file: search.verdict_.steps.to_csv(file, index_label="added"),
    "verdict.txt": lambda search, facts, file: file.write_text(f"{search.verdict_}\n", encoding="utf-8"),
    "report.html": lambda search, facts, file: write_page(facts, file),
    "search.svg": lambda search, facts, file: file.write_text(
        draw_search(search.results_, search.verdict_, search.best_index_), encoding="utf-8"
    ),
}
"""What the folder holds, the most important first, and how each is written."""
