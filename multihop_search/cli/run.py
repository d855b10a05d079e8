"""`multihop-search run`: from a table to a small model, a verdict and a folder to keep."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path as File
from typing import Any

import click
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from multihop_search.cli.data import EXAMPLES, Table, example_table, preparation, read_table
from multihop_search.errors import InvalidSetting, MultihopError
from multihop_search.export.skops import write_skops
from multihop_search.paths.pool import teachers
from multihop_search.report.figures import draw_search
from multihop_search.report.text import comparison, describe
from multihop_search.search import MultihopSearchClassifier

WIDTH = 100


@click.command()
@click.argument("data", type=click.Path(path_type=File), required=False)
@click.option("--target", help="Column to predict.")
@click.option("--example", type=click.Choice(sorted(EXAMPLES)), help="A real data set that needs no file.")
@click.option("--student", default="tree:4", show_default=True, help="tree:DEPTH, logistic or boosting:ROUNDS.")
@click.option("--teacher", type=click.Choice(["auto", *teachers()]), default="auto", show_default=True)
@click.option("--trials", type=click.IntRange(min=1), default=100, show_default=True, help="Paths to try.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds after which no trial begins.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=File), help="New folder for model, results and verdict.")
def run(
    data: File | None,
    target: str | None,
    example: str | None,
    student: str,
    teacher: str,
    trials: int,
    timeout: float | None,
    seed: int,
    out: File | None,
) -> None:
    """Search on the table DATA (CSV, gzipped or not) or on an --example, and print what was gained.

    Columns that are not numbers are encoded and missing numbers imputed; the saved model does both by itself.
    """
    try:
        _check_out(out)
        model = parse_student(student)
        table = _table(data, target, example)
        prepared = preparation(table.X, scaled=isinstance(model, LogisticRegression))
        X = prepared.fit_transform(table.X)
        click.echo(
            f"{table.name}: {len(X):,} rows, {X.shape[1]} features, {table.y.nunique()} classes of {table.y.name!r}"
        )
        search = MultihopSearchClassifier(
            model,
            teacher if teacher == "auto" else teachers()[teacher],
            n_trials=trials,
            timeout=timeout,
            random_state=seed,
            verbose=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, table.y)
            click.echo("\n" + summary(search, X))
        if out is not None:
            _write(search, make_pipeline(prepared, search.best_estimator_), out)
            click.echo(f"\nwritten to {out}: model.skops, results.csv, search.svg, verdict.csv, verdict.txt")
    except MultihopError as error:
        raise click.ClickException(str(error)) from error


def parse_student(spec: str) -> Any:
    """Return the student that `--student` names.

    Raises
    ------
    InvalidSetting
        If it names none.

    Examples
    --------
    >>> parse_student("tree:4")
    DecisionTreeClassifier(max_depth=4)
    """
    kind, _, size = spec.partition(":")
    if kind == "logistic" and not size:
        return LogisticRegression(max_iter=1000)
    if size.isdigit() and int(size) > 0:
        if kind == "tree":
            return DecisionTreeClassifier(max_depth=int(size))
        if kind == "boosting":
            return HistGradientBoostingClassifier(
                max_iter=int(size), max_leaf_nodes=8, max_bins=64, early_stopping=False
            )
    raise InvalidSetting(
        f"--student must be tree:DEPTH, logistic or boosting:ROUNDS, got {spec!r}: pass for instance tree:4."
    )


def _check_out(out: File | None) -> None:
    if out is not None and out.exists():
        raise InvalidSetting(f"--out must be a folder that does not exist yet, {out} does: choose another name.")
    if out is not None:
        above = next(folder for folder in out.absolute().parents if folder.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise InvalidSetting(f"--out must be a folder that can be made, {above} cannot hold one: choose another.")


def _table(data: File | None, target: str | None, example: str | None) -> Table:
    if (data is None) == (example is None):
        raise InvalidSetting("pass either a table (DATA --target COLUMN) or --example NAME.")
    if example is not None:
        return example_table(example)
    assert data is not None
    if target is None:
        raise InvalidSetting(f"--target must name the column of {data.name} to predict, it is missing: add it.")
    return read_table(data, target)


def summary(search: MultihopSearchClassifier, X: Any) -> str:
    """Return what the command prints at the end: verdict, path, student and the comparison of models."""
    plain = search.results_[(search.results_["hops"] == 0) & (search.results_["state"] == "COMPLETE")]
    best_plain = int(plain.loc[plain["score"].idxmax(), "trial"])
    models = {
        "teacher": search.teacher_,
        "tuned plain": search.refit_trial(best_plain),
        "ours": search.best_estimator_,
    }
    rows = {"teacher": "teacher", "tuned plain": "plain", "ours": "selected"}
    student = describe(search.best_estimator_, list(X.columns), list(search.classes_))
    table = comparison(models, search.verdict_.scores, rows, X.iloc[:1])
    sentences = click.wrap_text(str(search.verdict_), WIDTH)
    path = click.wrap_text(f"path: {search.best_path_}", WIDTH, subsequent_indent="      ")
    return f"{sentences}\n\n{path}\n\n{student}\n\n{table}"


def _write(search: MultihopSearchClassifier, model: Any, out: File) -> None:
    """Write the folder whole or not at all: everything goes to a folder beside it, which is then renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = File(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        write_skops(model, partial / "model.skops")
        search.results_.to_csv(partial / "results.csv", index=False)
        search.verdict_.table.to_csv(partial / "verdict.csv", index_label="comparison")
        (partial / "verdict.txt").write_text(f"{search.verdict_}\n")
        draw_search(search.results_, search.verdict_, search.best_index_).savefig(partial / "search.svg")
        partial.chmod(0o755)
        _check_out(out)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
