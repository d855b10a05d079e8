"""The tables that a user reads: `results_` and, derived from it, `cv_results_`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.engine.record import TrialRecord

COLUMNS = (
    "trial",
    "state",
    "student",
    "hops",
    "fit",
    "path",
    "score",
    "score_se",
    "folds_done",
    "fit_seconds",
    "nodes",
    "n_features_used",
    "size_bytes",
    "latency_us",
    "fidelity",
    "within_budget",
    "on_front",
    "reason",
)
FRONT = ("score", "size_bytes", "latency_us", "n_features_used")
"""What the front is about: the first should be large, the others small."""


def results_table(
    records: Sequence[TrialRecord],
    students: Mapping[str, str],
    scores: Mapping[int, tuple[float, float]],
    fidelities: Mapping[int, float],
) -> pd.DataFrame:
    """Return a row for each told trial; `within_budget` says whether it is complete and inside in every fold.

    `students` says what each student is called, `scores` holds (score, standard error) and `fidelities` by the number
    of each complete trial. A trial is `on_front` if it is within the budget and no other is at least as good by score,
    size, latency and features used, and better by one.
    """
    nan = float("nan")
    rows = [
        (
            record.number,
            record.state,
            students[record.path.student],
            record.hops,
            record.path.fit_name,
            str(record.path),
            *scores.get(record.number, (nan, nan)),
            len(record.fold_scores),
            record.fit_seconds,
            record.nodes,
            record.n_features_used,
            record.size_bytes,
            record.latency_us,
            fidelities.get(record.number, nan),
            record.inside,
            record.inside,
            record.reason,
        )
        for record in records
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    inside = table["on_front"].to_numpy(dtype=bool)
    table.loc[inside, "on_front"] = on_front(table.loc[inside, list(FRONT)].to_numpy(dtype=float) * (1, -1, -1, -1))
    return table


def on_front(values: np.ndarray) -> np.ndarray:
    """Return which rows of (n, n_objectives), greater is better, no other row dominates.

    Examples
    --------
    >>> on_front(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]]))
    array([ True,  True, False])
    """
    least = np.nan_to_num(values, nan=-np.inf)
    return np.array([not ((least >= row).all(axis=1) & (least > row).any(axis=1)).any() for row in least], dtype=bool)


def _apply(measure: Callable[[Any], Any], table: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    """Return a measure of what is known of each row; NaN where nothing is."""
    rows = [np.asarray(row, dtype=np.float64) for row in table]
    finite = [row[np.isfinite(row)] for row in rows]
    return np.array([measure(row) if len(row) else np.nan for row in finite])


def cv_results(
    records: Sequence[TrialRecord], results: pd.DataFrame, params: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return scikit-learn's `cv_results_` for the trials; failed and stopped ones have NaN scores and the last rank."""
    n_folds = max((len(record.fold_scores) for record in records), default=0)
    folds = np.array([[*record.fold_scores, *[np.nan] * (n_folds - len(record.fold_scores))] for record in records])
    score = results["score"].to_numpy()
    columns: dict[str, Any] = {
        "params": list(params),
        "mean_test_score": score,
        "std_test_score": np.where(np.isfinite(score), _apply(np.std, folds), np.nan),
        "rank_test_score": pd.Series(-np.where(np.isfinite(score), score, -np.inf))
        .rank(method="min")
        .astype(int)
        .to_numpy(),
        "mean_fit_time": results["fit_seconds"].to_numpy() / np.maximum(results["folds_done"].to_numpy(), 1),
        "std_fit_time": _apply(np.std, [record.fit_times for record in records]),
        "mean_score_time": _apply(np.mean, [record.score_times for record in records]),
        "std_score_time": _apply(np.std, [record.score_times for record in records]),
    }
    columns |= {f"split{fold}_test_score": folds[:, fold] for fold in range(n_folds)}
    for name in dict.fromkeys(name for drawn in params for name in drawn):
        column: Any = np.ma.masked_array(np.empty(len(params), dtype=object), mask=True)
        for place, drawn in enumerate(params):
            if name in drawn:
                column[place] = drawn[name]
        columns[f"param_{name}"] = column
    return columns
