"""What the examples share: the data, and the table of an AutoML model beside our student."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "spambase.csv.gz"
FLOOR = 1e-3
"""Probabilities are floored and renormalised before the log-loss is taken, as the default score of a search does."""
COLUMNS = ["size in bytes", "one row, ms", "10,000 rows, ms", "accuracy", "log-loss"]


def is_quick() -> bool:
    """Return whether the script was asked for a small run, which shows that all works and not how well."""
    return "--quick" in sys.argv[1:]


def spambase() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """Return rows to train on, fresh rows, and the labels of both; end the script where the data set is absent."""
    if not DATA.exists():
        sys.exit(
            f"this example needs the data set {DATA}, which is not here: put a table with a column 'target' there."
        )
    table = pd.read_csv(DATA)
    y = table.pop("target").map({0: "ham", 1: "spam"})
    return train_test_split(table, y, train_size=1000 if is_quick() else 3000, random_state=0, stratify=y)


def milliseconds(predict: Callable[[Any], Any], rows: Any, repeats: int) -> float:
    """Return the median time of one call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(rows)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1e3)


def measured(predict_proba: Callable[[Any], Any], size_bytes: int, classes: Any, X: Any, y: Any) -> list[float]:
    """Return what the table shows of one model; X and y are rows that nothing of it has seen."""
    proba = np.maximum(np.asarray(predict_proba(X)), FLOOR)
    proba /= proba.sum(axis=1, keepdims=True)
    many = pd.concat([X] * (10_000 // len(X) + 1), ignore_index=True)[:10_000]
    return [
        float(size_bytes),
        milliseconds(predict_proba, X[:1], 3 if is_quick() else 15),
        milliseconds(predict_proba, many, 1 if is_quick() else 3),
        accuracy_score(y, np.asarray(classes)[proba.argmax(axis=1)]),
        log_loss(y, proba, labels=list(classes)),
    ]


def show(automl: list[float], student: Any, X: Any, y: Any) -> None:
    """Print the AutoML model beside our student, both on fresh rows."""
    ours = measured(student.predict_proba, len(pickle.dumps(student)), student.classes_, X, y)
    print(f"\n| | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for name, (size, one, many, accuracy, loss) in {"AutoML model": automl, "our student": ours}.items():
        print(f"| {name} | {size:,.0f} | {one:.2f} | {many:.1f} | {accuracy:.3f} | {loss:.3f} |")
