"""What soft labels cost a model, beside its fit on labels.

    python benchmarks/soft_labels.py [--repeats 25] [--data NAME --rows 1200]

With --data every model is measured on at most so many rows of that set. Writes docs/benchmarks/soft_labels.md.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import bench
import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import TransferSet
from multihop_search.models import fitting
from multihop_search.models.registry import family_of
from multihop_search.models.training_set import TrainingSet
from multihop_search.threads import thread_limit

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
        return fitting.fit(clone(model), TrainingSet(X, codes, classes, transfer=transfer))

    def repetition() -> Any:
        with patch.object(type(family_of(model)), "soft_labels", lambda *args: None):
            return soft()

    fits = [lambda: clone(model).fit(X, labels), lambda: clone(model).fit(X, codes), soft, repetition]
    with thread_limit(), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return np.array([[cpu_seconds(run) for run in fits] for _ in range(repeats + 1)])[1:]  # the first warms up


def row(name: str, n_rows: int, title: str, model: Any, repeats: int) -> str:
    """Return the line of one model on one data set."""
    frame, target = bench.read(name, n_rows)
    labels, X = target.to_numpy(), frame.to_numpy(dtype=np.float64)
    codes = np.unique(labels, return_inverse=True)[1]
    if isinstance(model, LogisticRegression):
        X = StandardScaler().fit_transform(X)
    seconds = measured(model, X, labels, codes, repeats)
    plain, on_codes, soft, repetition = seconds.T
    low, middle, high = np.quantile(soft / plain, [0.25, 0.5, 0.75])
    asked = "" if isinstance(model, LogisticRegression) else "met" if round(middle, 2) <= ALLOWED else "not met"
    route = fitting.route_of(model, codes.max() + 1)
    return (
        f"| {name} | {len(X)} | {codes.max() + 1} | {title} | {route} | {1000 * np.median(plain):.1f} "
        f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {asked} | {np.median(soft / on_codes):.2f} "
        f"| {np.median(repetition / plain):.1f} |\n"
    )


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("soft_labels", __doc__)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int, default=1200)
    options = parser.parse_args(args)
    cases = CASES if options.data is None else [(options.data, options.rows, {**TREES, **LOGISTIC})]
    command = " ".join(["python benchmarks/soft_labels.py", *(sys.argv[1:] if args is None else args)])
    libraries = bench.versions("numpy", "scikit-learn", "multihop_search")
    page = HEAD.format(command, os.cpu_count(), sys.version.split()[0], libraries, options.repeats, ALLOWED)
    for name, n_rows, models in cases:
        for title, model in models.items():
            page += row(name, n_rows, title, model, options.repeats)
    bench.write(options.out, page)


if __name__ == "__main__":
    main()
