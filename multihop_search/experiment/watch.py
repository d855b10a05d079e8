"""A search whose held-out predictions can be read afterwards, and whose students are judged on fresh rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multihop_search.engine.record import TrialRecord
from multihop_search.experiment.data import Split
from multihop_search.problem.responses import response_table
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss, RowScoring
from multihop_search.search.classifier import MultihopSearchClassifier
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment
from multihop_search.verdict.trials import Trials

MEASURES: dict[str, type[RowScoring]] = {"log_loss": FlooredLogLoss, "accuracy": Accuracy}
"""Row scores that every cell holds; greater is better until they are stored."""
UNITS = {name: measure(None).unit for name, measure in MEASURES.items()}
"""How each is read."""


class WatchedSearch(MultihopSearchClassifier):
    """The search, with what its choice was made of."""

    def _method(self, made: Any, assessment: Assessment, *parts: Any) -> Any:
        method = super()._method(made, assessment, *parts)
        self.seen_ = Seen(assessment, parts[-1], method.believed)
        return method


@dataclass(frozen=True)
class Seen:
    """What a choice is made of."""

    assessment: Assessment
    trials: Trials
    teacher: TeacherOutputs


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


def tried(search: WatchedSearch, rows: Split) -> list[Tried]:
    """Return the complete trials of a search, each refitted on all training rows and judged on the fresh ones."""
    kept, seen = [], set()
    for record, predictions in search.seen_.trials.kept():
        if record.path not in seen and record.inside:
            seen.add(record.path)
            kept.append((record, predictions))
    measures = {name: measure(rows.classes) for name, measure in MEASURES.items()}
    y = search.seen_.assessment.held_out.y
    found = []
    models = search.refit_trials([record.number for record, _ in kept])
    for (record, predictions), model in zip(kept, models, strict=True):
        cv = {name: of.rows(y, predictions) for name, of in measures.items()}
        found.append(
            Tried(record, predictions, cv, fresh_scores(rows, response_table(model, rows.X_fresh, rows.classes)))
        )
    return found


def fresh_scores(rows: Split, proba: np.ndarray) -> dict[str, np.ndarray]:
    """Return the score of each fresh row by measure; what is expected of it where its class probabilities are known."""
    measures = {name: measure(rows.classes) for name, measure in MEASURES.items()}
    if rows.q_fresh is None:
        return {name: of.rows(rows.y_fresh, proba).astype(np.float32) for name, of in measures.items()}
    return {name: of.expected_rows(rows.q_fresh, proba).astype(np.float32) for name, of in measures.items()}


def chosen(seen: Seen, among: Sequence[Tried]) -> Tried:
    """Return what the program's own choice picks among some trials."""
    of = list(among)
    return of[seen.assessment.choose([one.record for one in of], [one.held_out for one in of], seen.teacher)]


def naive(among: Sequence[Tried], measure: str) -> Tried:
    """Return the best by plain cross-validation."""
    return max(among, key=lambda one: float(one.cv[measure].mean()))


def believed(seen: Seen) -> np.ndarray:
    """Return what the teacher says of the held-out entries, (n_entries, n_classes)."""
    return np.asarray(seen.teacher.predictions[seen.assessment.held_out.row], dtype=float)
