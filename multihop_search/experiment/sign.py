"""When is the honest gain of several hops positive? Small models of it, and their skill on unseen data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multihop_search.experiment.claims import NAMES, relative
from multihop_search.experiment.conditions import CONDITIONS
from multihop_search.experiment.statistics import Estimate, estimate
from multihop_search.keys import rng_of

FEWEST_SETS = 5
N_DRAWS = 300
MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
    "random forest": RandomForestClassifier(60, min_samples_leaf=10, random_state=0),
}


@dataclass(frozen=True)
class Skill:
    """How well the sign of the gain is foreseen on data sets that the model has not seen."""

    model: str
    n_rows: int
    share: float
    """How often the gain is positive."""
    auc: float
    """Area under the ROC curve within data sets' pooled predictions; 0.5 is chance."""
    auc_low: float
    auc_high: float
    """95 % interval, data sets drawn again."""
    brier_gain: Estimate
    """How much smaller the Brier score is than that of the share known from the other data sets."""

    @property
    def has_skill(self) -> bool:
        """Whether the Brier score is smaller beyond its error."""
        return bool(self.brier_gain.low > 0)

    def __str__(self) -> str:
        auc = f"AUC {self.auc:.2f} ({self.auc_low:.2f} to {self.auc_high:.2f})"
        brier = f"Brier score smaller than the base rate's by {self.brier_gain.mean:+.3f} "
        brier += f"({self.brier_gain.low:+.3f} to {self.brier_gain.high:+.3f})"
        words = "it foresees the sign of the gain" if self.has_skill else "no skill: it cannot be foreseen from these"
        return f"{self.model}: {auc}, {brier}: {words}"


def skills(cells: pd.DataFrame, name: str = NAMES[1], measure: str = "log_loss") -> list[Skill]:
    """Return the skill of each model; empty where there are too few data sets or only one sign.

    The target is whether the fresh gain of the program's multi-hop path over its one-hop path is positive. Every data
    set is predicted by a model fitted on the others.
    """
    gains = relative(cells, name, "fresh", measure)
    is_measured = gains.notna().to_numpy()
    table, sets = (
        cells.loc[is_measured, list(CONDITIONS)].astype(float).to_numpy(),
        cells.loc[is_measured, "data"].to_numpy(),
    )
    table = np.nan_to_num(table)
    y = (gains[is_measured] > 0).to_numpy().astype(int)
    if len(set(sets)) < FEWEST_SETS or len(set(y)) < 2:
        return []
    return [_skill(label, model, table, y, sets) for label, model in MODELS.items()]


def _skill(label: str, model: Any, table: np.ndarray, y: np.ndarray, sets: np.ndarray) -> Skill:
    foreseen, base = np.zeros(len(y)), np.zeros(len(y))
    for train, test in LeaveOneGroupOut().split(table, y, sets):
        base[test] = y[train].mean()
        foreseen[test] = base[test]
        if len(set(y[train])) > 1:
            foreseen[test] = model.fit(table[train], y[train]).predict_proba(table[test])[:, 1]
    drawn = _drawn_aucs(foreseen, y, sets)
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (float("nan"), float("nan"))
    gain = estimate((base - y) ** 2 - (foreseen - y) ** 2, sets)
    return Skill(label, len(y), float(y.mean()), float(roc_auc_score(y, foreseen)), float(low), float(high), gain)


def _drawn_aucs(foreseen: np.ndarray, y: np.ndarray, sets: np.ndarray) -> list[float]:
    rng, names, aucs = rng_of(0, "skill"), np.unique(sets), []
    places = {name: np.flatnonzero(sets == name) for name in names}
    for _ in range(N_DRAWS):
        rows = np.concatenate([places[name] for name in rng.choice(names, len(names))])
        if len(set(y[rows])) > 1:
            aucs.append(float(roc_auc_score(y[rows], foreseen[rows])))
    return aucs
