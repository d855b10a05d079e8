"""Do searches give what they gave before? Twelve small ones, recorded and compared to the last digit.

    python benchmarks/same_results.py record before.json
    python benchmarks/same_results.py compare before.json after.json

A redesign that must not change behaviour is run between the two. What is recorded: every trial (path, state, score,
fold scores), the choice, the verdict's table and its words, and the predictions on all rows. It takes about a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import (
    HardLabels,
    KnowledgeDistillation,
    MultihopSearchClassifier,
    MultihopSearchRegressor,
    RayExecutor,
    Scheme,
    TeacherOutputs,
    TransferSet,
)

Search = MultihopSearchClassifier | MultihopSearchRegressor
Case = tuple[Search, Any, Any]


@dataclass(frozen=True)
class Smoothed(Scheme):
    """A scheme of the user's own: the mean of the label and what the teacher says."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        labels = np.eye(outputs.predictions.shape[1])[y]
        return TransferSet((labels + outputs.predictions) / 2, np.ones(len(y)))


def classify(n_rows: int = 150, *, student: Any = None, teacher: Any = None, **settings: Any) -> Case:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    student = DecisionTreeClassifier(max_depth=3) if student is None else student
    teacher = RandomForestClassifier(40) if teacher is None else teacher
    search = MultihopSearchClassifier(student, teacher, **{"n_trials": 8, "cv": 3, "random_state": 0, **settings})
    return search, X[:n_rows], y[:n_rows]


def regress(n_rows: int = 150, **settings: Any) -> Case:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    teacher = RandomForestRegressor(40)
    search = MultihopSearchRegressor(DecisionTreeRegressor(max_depth=3), teacher, n_trials=8, cv=3, random_state=0)
    return search.set_params(**settings), X[:n_rows], y[:n_rows]


def fitted(search: Search, X: Any, y: Any, **rows: Any) -> tuple[Search, Any]:
    return search.fit(X, y, **rows), X


def with_wine(**settings: Any) -> tuple[Search, Any]:
    X, y = load_wine(return_X_y=True)
    search = MultihopSearchClassifier(LogisticRegression(max_iter=300), n_trials=8, cv=3, random_state=1, **settings)
    return search.fit(X, y), X


def with_groups() -> tuple[Search, Any]:
    search, X, y = classify()
    return fitted(search, X, y, groups=np.arange(len(y)) // 3)


def with_weights() -> tuple[Search, Any]:
    search, X, y = classify()
    return fitted(search, X, y, sample_weight=1.0 + np.arange(len(y)) % 4)


def with_checkpoint() -> tuple[Search, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # the second takes all trials from the log
            search, X, y = classify(checkpoint=folder)
            search.fit(X, y)
        return search, X


def with_ray() -> tuple[Search, Any]:
    search, X, y = classify(executor=RayExecutor(n_workers=2), n_trials=10)
    return fitted(search, X, y)


SEARCHES: dict[str, Callable[[], tuple[Search, Any]]] = {
    "classification": lambda: fitted(*classify(n_trials=14)),
    "automatic teacher, logistic regression": with_wine,
    "regression": lambda: fitted(*regress(n_trials=14)),
    "several students": lambda: fitted(
        *classify(student=[("tree", DecisionTreeClassifier(max_depth=2)), ("forest", RandomForestClassifier(5))])
    ),
    "Pipeline": lambda: fitted(*classify(student=make_pipeline(StandardScaler(), LogisticRegression()))),
    "groups": with_groups,
    "weights": with_weights,
    "Ray": with_ray,
    "checkpoint": with_checkpoint,
    "nested": lambda: fitted(*classify(120, verdict="nested", n_trials=6)),
    "held-out share": lambda: fitted(*classify(verdict=0.3)),
    "own scheme, budget": lambda: fitted(
        *classify(schemes=[KnowledgeDistillation(), HardLabels(), Smoothed()], budget={"nodes": 9, "features": 4})
    ),
}
TRIALS = ["trial", "state", "student", "hops", "fit", "path", "score", "score_se", "nodes", "n_features_used", "reason"]


def facts_of(search: Search, X: Any) -> dict[str, Any]:
    """Return what is compared of a fitted search; floats in full."""
    model = search.best_estimator_
    predictions = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    digest = hashlib.blake2b(np.ascontiguousarray(predictions, dtype=np.float64).tobytes(), digest_size=8).hexdigest()
    folds = {name: list(map(repr, map(float, of))) for name, of in search.cv_results_.items() if name[:5] == "split"}
    return {
        "trials": json.loads(search.results_[TRIALS].to_json(orient="records", double_precision=15)),
        "folds": folds,
        "choice": [int(search.best_index_), str(search.best_path_), repr(float(search.best_score_))],
        "verdict": json.loads(search.verdict_.table.to_json(orient="index", double_precision=15)),
        "words": str(search.verdict_),
        "predictions": digest,
    }


def record(file: Path, names: list[str]) -> None:
    searches = {}
    for name in names or SEARCHES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            searches[name] = facts_of(*SEARCHES[name]())
        print(name, flush=True)
    file.write_text(json.dumps(searches, indent=1))


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs, one line for each part of a search."""
    lines = []
    for name in before:
        for part in before[name]:
            ours = after.get(name, {}).get(part)
            if ours != before[name][part]:
                lines.append(f"{name}, {part}: {_first(before[name][part], ours)}")
    return lines


def _first(before: Any, after: Any) -> str:
    """Return the first place where two values differ."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return next(f"[{at}] {_first(a, b)}" for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)
    if isinstance(before, dict) and isinstance(after, dict):
        return next(f"{key}: {_first(before[key], after.get(key))}" for key in before if before[key] != after.get(key))
    return f"{before!r} -> {after!r}"


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--only", nargs="*", default=[], choices=list(SEARCHES), metavar="NAME")
    options = parser.parse_args(args)
    if options.action == "record":
        record(options.files[0], options.only)
        return 0
    lines = differences(*(json.loads(file.read_text()) for file in options.files[:2]))
    print("\n".join(lines) or "equal")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
