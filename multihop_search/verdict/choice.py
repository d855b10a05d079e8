"""The choice: the one function that picks a trial, for the search and inside every resample of the verdict."""

from __future__ import annotations

import numpy as np

from multihop_search.verdict.out_of_fold import Evidence

TIE = 1e-12
"""Scores that differ by less, as a part of the best one, are equal: whatever the unit of a target is."""
TOLERANCE = 1.0
"""Standard errors within which the simpler model is taken."""
WORST = np.finfo(np.float64).min / 2
"""Of a draw that gives no score, as it may lack a class: half the least number leaves room for `TIE`."""


def choose(
    evidence: Evidence, hops: np.ndarray, draws: np.ndarray, trials: np.ndarray, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Pick, for each draw: the best by score, then the simplest within so many standard errors of it.

    The standard error is that of the paired differences to the best. Simplest: fewest hops, then best score, then
    lowest trial number. Hops are not free: two models that the rows cannot tell apart are not equally good to own.

    Parameters
    ----------
    evidence : Evidence
        Scores under resampling.
    hops : ndarray of shape (n_trials,)
        Number of hops of each trial.
    draws : ndarray of shape (n_draws, n_units)
        How often each resampled unit counts; ones for all rows once.
    trials : ndarray of shape (n_candidates,)
        Positions of the trials to choose among, ascending.
    tolerance : float, default=1.0
        Standard errors; 0 takes the best.

    Returns
    -------
    ndarray of shape (n_draws,)
        Position of the chosen trial for each draw.
    """
    means = evidence.means(draws)[:, trials]
    means = np.where(np.isfinite(means), means, WORST)
    best = _first_best(means)
    depth = hops[trials]
    if (depth == depth[0]).all():
        return np.asarray(trials[best])
    errors = evidence.errors(draws, trials[best], trials)
    leading = means[np.arange(len(draws)), best][:, None]
    admitted = leading - means <= tolerance * errors + TIE * np.abs(leading)
    fewest = np.where(admitted, depth, depth.max() + 1).min(axis=1)
    finalists = np.where(admitted & (depth == fewest[:, None]), means, -np.inf)
    return np.asarray(trials[_first_best(finalists)])


def _first_best(values: np.ndarray) -> np.ndarray:
    """Return the first column within `TIE` of each row's maximum: equal trials may differ by the rounding of a sum."""
    most = values.max(axis=1, keepdims=True)
    return np.asarray((values >= most - TIE * np.abs(most)).argmax(axis=1))
