"""The trials of a search, its students judged on fresh rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multihop_search import MultihopSearchClassifier
from multihop_search.experiment.data import Split
from multihop_search.problem import Accuracy, FlooredLogLoss, RowScoring, response_table
from multihop_search.verdict import OutOfFoldPredictions, TrialRecord

MEASURES: dict[str, type[RowScoring]] = {"log_loss": FlooredLogLoss, "accuracy": Accuracy}
"""Row scores that every cell holds; greater is better until they are stored."""
UNITS = {name: measure(None).unit for name, measure in MEASURES.items()}
"""How each is read."""


@dataclass(frozen=True)
class Tried:
    """A complete trial, each path once."""

    record: TrialRecord
    held_out: np.ndarray
    """Held-out predictions, (n_entries, n_classes)."""
    cv: dict[str, np.ndarray]
    """Row scores of these by measure, (n_entries,)."""
    fresh: dict[str, np.ndarray]
    """Row scores of the student fitted on all training rows, (n_fresh,), by measure."""


def tried(search: MultihopSearchClassifier, rows: Split) -> list[Tried]:
    """Return the complete trials of a search, each refitted on all training rows and judged on the fresh ones."""
    measures = {name: measure(rows.classes) for name, measure in MEASURES.items()}
    out_of_fold = search.out_of_fold_
    trials = []
    models = search.refit_trials(out_of_fold.records)
    for (number, record), model in zip(out_of_fold.records.items(), models, strict=True):
        predictions = out_of_fold.predictions(number)
        cv = {name: of.rows(out_of_fold.y, predictions) for name, of in measures.items()}
        fresh = fresh_scores(rows, response_table(model, rows.X_fresh, rows.classes))
        trials.append(Tried(record, predictions, cv, fresh))
    return trials


def fresh_scores(rows: Split, proba: np.ndarray) -> dict[str, np.ndarray]:
    """Return the score of each fresh row by measure; what is expected of it where its class probabilities are known."""
    measures = {name: measure(rows.classes) for name, measure in MEASURES.items()}
    if rows.q_fresh is None:
        return {name: of.rows(rows.y_fresh, proba).astype(np.float32) for name, of in measures.items()}
    return {name: of.expected_rows(rows.q_fresh, proba).astype(np.float32) for name, of in measures.items()}


def chosen(out_of_fold: OutOfFoldPredictions, among: Sequence[Tried]) -> Tried:
    """Return what the program's own choice picks among some trials."""
    by_number = {one.record.number: one for one in among}
    return by_number[out_of_fold.choose(list(by_number))]


def naive(among: Sequence[Tried], measure: str) -> Tried:
    """Return the best by plain cross-validation."""
    return max(among, key=lambda one: float(one.cv[measure].mean()))
