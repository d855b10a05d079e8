"""The tables that a user reads: `results_` and, derived from it, `cv_results_`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from multihop_search.results.record import TrialRecord

COLUMNS = (
    "trial",
    "state",
    "student",
    "hops",
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
    "reason",
)


def results_table(
    records: Sequence[TrialRecord],
    student: str,
    scores: Mapping[int, tuple[float, float]],
    fidelities: Mapping[int, float],
) -> pd.DataFrame:
    """Return a row for each told trial; `scores` holds (score, standard error) and `fidelities` by trial number."""
    nan = float("nan")
    rows = [
        (
            record.number,
            record.state,
            student,
            record.hops,
            str(record.path),
            *scores.get(record.number, (nan, nan)),
            len(record.fold_scores),
            record.fit_seconds,
            record.nodes,
            record.n_features_used,
            record.size_bytes,
            record.latency_us,
            fidelities.get(record.number, nan),
            record.reason,
        )
        for record in records
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def cv_results(
    records: Sequence[TrialRecord], results: pd.DataFrame, params: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return scikit-learn's `cv_results_` for the trials; failed ones have NaN scores and the last rank."""
    n_folds = max((len(record.fold_scores) for record in records), default=0)
    folds = np.array([record.fold_scores or (np.nan,) * n_folds for record in records])
    score = results["score"].to_numpy()
    found: dict[str, Any] = {
        "params": list(params),
        "mean_test_score": score,
        "std_test_score": folds.std(axis=1),
        "rank_test_score": pd.Series(-np.where(np.isfinite(score), score, -np.inf))
        .rank(method="min")
        .astype(int)
        .to_numpy(),
        "mean_fit_time": results["fit_seconds"].to_numpy() / max(n_folds, 1),
    }
    found |= {f"split{fold}_test_score": folds[:, fold] for fold in range(n_folds)}
    for name in dict.fromkeys(name for drawn in params for name in drawn):
        column: Any = np.ma.masked_array(np.empty(len(params), dtype=object), mask=True)
        for place, drawn in enumerate(params):
            if name in drawn:
                column[place] = drawn[name]
        found[f"param_{name}"] = column
    return found
