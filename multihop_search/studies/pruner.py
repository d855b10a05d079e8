"""Pruning: which multi-hop paths are stopped before their last fold.

In a search, `"auto"` compares row by row (see `results.early_stopping`) with the best one-hop path that had been told
when the path was asked, so a decision depends on numbers alone, not on which trial happened to finish first. Any Optuna
pruner may stand in its place; it is asked at the trial's turn, after each fold from the second on. Plain and one-hop
paths always run all folds: they are the baselines. `OneHopPruner` brings the rule to a study of the user's own, as far
as the numbers that Optuna stores go.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from multihop_search.engine.early_stopping import FEWEST_FOLDS
from multihop_search.engine.study import constraints_of
from multihop_search.errors import InvalidSetting


class OneHopPruner(BasePruner):
    """Stop a multi-hop trial that is clearly behind the best one-hop trial, fold by fold.

    Trials carry the user attributes `hops` and `student` and report the running mean of their fold scores, as
    `PathObjective` does; where folds count differently a third one, `fold_weights`, says how much. The folds that both
    have run are paired; a trial is stopped if it is behind by `n_errors` standard errors of the paired fold
    differences. Plain and one-hop trials are never stopped, and trials that break a constraint are no baseline.

    Parameters
    ----------
    min_folds : int, default=2
        Folds before a trial may be stopped.
    n_errors : float, default=1.0
        By how many standard errors it must be behind.

    Raises
    ------
    InvalidSetting
        If `min_folds` is below 2 or `n_errors` is negative.

    Examples
    --------
    >>> import optuna
    >>> study = optuna.create_study(direction="maximize", pruner=OneHopPruner())
    """

    def __init__(self, *, min_folds: Any = FEWEST_FOLDS, n_errors: Any = 1.0) -> None:
        if isinstance(min_folds, bool) or not isinstance(min_folds, Integral) or min_folds < 2:
            raise InvalidSetting(f"min_folds must be an integer of at least 2, got {min_folds!r}: pass 2.")
        if isinstance(n_errors, bool) or not isinstance(n_errors, Real) or not float(n_errors) >= 0:
            raise InvalidSetting(f"n_errors must be a number of at least 0, got {n_errors!r}: pass 1.0.")
        self._min_folds: int = int(min_folds)
        self._n_errors: float = float(n_errors)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether to stop the trial, from its reports so far."""
        if trial.user_attrs.get("hops", 0) < 2 or len(trial.intermediate_values) < self._min_folds:
            return False
        baseline = _best_one_hop(study, trial.user_attrs.get("student"))
        if baseline is None:
            return False
        ours, theirs = _fold_scores(trial), _fold_scores(baseline)
        n_folds = min(len(ours), len(theirs))
        if n_folds < self._min_folds:
            return False
        sign = -1.0 if study.direction == optuna.study.StudyDirection.MINIMIZE else 1.0
        gaps = sign * (theirs[:n_folds] - ours[:n_folds])
        behind = gaps.mean()
        return bool(behind > 0 and behind >= self._n_errors * gaps.std(ddof=1) / np.sqrt(n_folds))


def _best_one_hop(study: optuna.Study, student: Any) -> FrozenTrial | None:
    trials = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.user_attrs.get("hops") == 1
        and trial.user_attrs.get("student") == student
        and trial.intermediate_values
        and all(share <= 0 for share in constraints_of(trial))  # a rival keeps the budget too
    ]
    if not trials:
        return None
    best = min if study.direction == optuna.study.StudyDirection.MINIMIZE else max
    return best(trials, key=lambda trial: float(trial.value))  # type: ignore[arg-type]


def _fold_scores(trial: FrozenTrial) -> np.ndarray:
    """Return the fold scores behind the running means m_1, m_2, ..., of folds with weights w_1, w_2, ...

    With W_k the sum of the first k weights they are (W_k m_k - W_(k - 1) m_(k - 1)) / w_k.
    """
    means = np.array([trial.intermediate_values[step] for step in sorted(trial.intermediate_values)])
    weights = np.asarray(trial.user_attrs.get("fold_weights", np.ones(len(means))), dtype=float)[: len(means)]
    return np.asarray(np.diff(means * np.cumsum(weights), prepend=0.0) / weights)
