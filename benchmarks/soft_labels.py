"""What soft labels cost a model: `python benchmarks/soft_labels.py` writes docs/benchmarks/soft_labels.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path as File
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import TransferSet
from multihop_search.threads import thread_limit
from multihop_search.transfer import fitting

ROOT = File(__file__).resolve().parents[1]
ALLOWED = 1.3
"""Most that a depth-6 tree may cost, as a multiple of its plain fit."""
TREES = {
    f"depth-6 tree, {criterion}": DecisionTreeClassifier(max_depth=6, criterion=criterion, random_state=0)
    for criterion in ("gini", "entropy")
}
LOGISTIC = {"logistic regression": LogisticRegression(max_iter=1000)}
CASES = [
    ("letter", 3000, TREES),
    ("letter", 8000, TREES),
    ("letter", 1200, LOGISTIC),
    ("spambase", 1200, LOGISTIC),
]
HEAD = """# What soft labels cost a model

Written by `{}` on {} cores; Python {}, {}.

Soft labels: 0.7 of the cross-fitted probabilities of 100 random trees (3 folds), 0.3 of the true label. CPU seconds on
one thread, the median of {} repeats in which every fit is run once, in turn; columns scaled for the logistic regression
only. Ratios are medians of the ratios within a repeat, with their quartiles. *Plain* is the model's own fit on labels
as they stand in the table (`letter`: strings), *codes* the same on whole numbers, which saves sorting strings.
*Repetition* is each row once per class, whatever the model's route. Asked of a depth-6 tree on 26 classes: at most {}
times the plain fit.

A row moves one class count of a classifier and 26 sums of its regression twin, and where a column has few distinct
values (`letter`: 16) that is most of the cost; entropy's twin also takes a logarithm for each row, class and level.

| data | rows | classes | model | route | plain, ms | soft / plain | asked | soft / codes | repetition / plain |
| --- | ---: | ---: | --- | --- | ---: | ---: | --- | ---: | ---: |
"""


def soft_labels(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return class distributions (n_rows, n_classes)."""
    forest = RandomForestClassifier(100, random_state=0)
    proba = cross_val_predict(forest, X, codes, cv=3, method="predict_proba")
    return np.asarray(0.7 * proba + 0.3 * np.eye(codes.max() + 1)[codes])


def cpu_seconds(run: Callable[[], Any]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def measured(model: Any, X: np.ndarray, labels: np.ndarray, codes: np.ndarray, repeats: int) -> np.ndarray:
    """Return CPU seconds (repeats, 4): plain, plain on codes, soft, repetition."""
    transfer, classes = TransferSet(soft_labels(X, codes), np.ones(len(X))), np.unique(labels)

    def soft() -> Any:
        return fitting.fit(clone(model), X, codes, classes, transfer=transfer)

    def repetition() -> Any:
        never = {f"takes_{route}_route": lambda *args: False for route in ("regression", "softmax")}
        with patch.multiple(fitting, **never):
            return soft()

    fits = [lambda: clone(model).fit(X, labels), lambda: clone(model).fit(X, codes), soft, repetition]
    with thread_limit(), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return np.array([[cpu_seconds(run) for run in fits] for _ in range(repeats + 1)])[1:]  # the first warms up


def row(name: str, n_rows: int, title: str, model: Any, folder: File, repeats: int) -> str:
    """Return the line of one model on one data set."""
    frame = pd.read_csv(folder / f"{name}.csv.gz").sample(n_rows, random_state=0)
    labels = frame["target"].to_numpy()
    codes = np.unique(labels, return_inverse=True)[1]
    X = frame.drop(columns="target").to_numpy(dtype=np.float64)
    if isinstance(model, LogisticRegression):
        X = StandardScaler().fit_transform(X)
    seconds = measured(model, X, labels, codes, repeats)
    plain, on_codes, soft, repetition = seconds.T
    low, middle, high = np.quantile(soft / plain, [0.25, 0.5, 0.75])
    asked = "" if isinstance(model, LogisticRegression) else "met" if middle <= ALLOWED else "not met"
    route = fitting.route_of(model, codes.max() + 1)
    return (
        f"| {name} | {n_rows} | {codes.max() + 1} | {title} | {route} | {1000 * np.median(plain):.1f} "
        f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {asked} | {np.median(soft / on_codes):.2f} "
        f"| {np.median(repetition / plain):.1f} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=File, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--out", type=File, default=ROOT / "docs" / "benchmarks" / "soft_labels.md")
    args = parser.parse_args()
    if absent := sorted({name for name, _, _ in CASES if not (args.folder / f"{name}.csv.gz").exists()}):
        parser.exit(message=f"skipped: there is no {', '.join(absent)} in {args.folder}; pass --folder\n")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn", "multihop_search"))
    command = " ".join(["python benchmarks/soft_labels.py", *sys.argv[1:]])
    page = HEAD.format(command, os.cpu_count(), sys.version.split()[0], libraries, args.repeats, ALLOWED)
    for name, n_rows, models in CASES:
        for title, model in models.items():
            page += row(name, n_rows, title, model, args.folder, args.repeats)
    args.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
