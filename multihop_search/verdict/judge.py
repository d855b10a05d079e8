"""`judge`: the verdict on any table of out-of-fold predictions, whatever search they come from."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from multihop_search.errors import InvalidData
from multihop_search.keys import rng_of
from multihop_search.paths.groups import Way
from multihop_search.problem.intake import checked_groups, checked_weights, encode_target, numeric_target
from multihop_search.problem.responses import no_skill
from multihop_search.problem.scorers import ModelScoring, scoring_for
from multihop_search.verdict.choice import TOLERANCE
from multihop_search.verdict.out_of_fold import HeldOut
from multihop_search.verdict.resampling import compare
from multihop_search.verdict.verdict import Verdict, empty_verdict


def judge(
    predictions: Any,
    y: Any,
    hops: Any,
    *,
    scoring: Any = "auto",
    sample_weight: Any = None,
    groups: Any = None,
    own_fit: Any = None,
    tolerance: float = TOLERANCE,
    random_state: int | None = None,
) -> Verdict:
    """Return the verdict on any table of out-of-fold predictions, whatever search made it.

    Parameters
    ----------
    predictions : array-like of shape (n_trials, n_rows, n_classes) or (n_trials, n_rows)
        Predicted probabilities of each trial for rows that its models were not fitted on; columns in the order of the
        sorted labels. In regression the predicted values.
    y : array-like of shape (n_rows,)
        True labels, or values.
    hops : array-like of shape (n_trials,)
        Number of hops of each trial; 0 is plain.
    scoring : "auto", str or scorer, default="auto"
        "auto" is the log-loss with a floor of 1e-3, or in regression the squared error.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the score; rows of weight 0 are left out.
    groups : array-like of shape (n_rows,), default=None
        Rows of one group are resampled together.
    own_fit : array-like of shape (n_trials,), default=None
        Which trials are the student fitted by its own class; with it "selected vs own fit" is in the table.
    tolerance : float, default=1.0
        In each draw the trial with the fewest hops is picked that is within so many standard errors of the best; 0: the
        best.
    random_state : int, default=None
        Seed of the resampling.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidData
        If the shapes do not agree or predictions are not finite.
    """
    n_rows = len(np.asarray(y))
    table, hops = _numbers(predictions, hops)
    if table.ndim == 2:
        classes, codes = None, numeric_target(y, n_rows)
        table = _checked_table(table[:, :, None], len(hops), n_rows, 1)
    else:
        classes, codes = encode_target(y, n_rows)
        table = _checked_table(table, len(hops), n_rows, len(classes))
    if random_state is not None and (not isinstance(random_state, Integral) or random_state < 0):
        raise InvalidData(f"random_state must be None or an integer of at least 0, got {random_state!r}: pass one.")
    seed = int(np.random.default_rng().integers(2**31)) if random_state is None else int(random_state)
    groups = None if groups is None else checked_groups(groups, n_rows)
    weight = None if sample_weight is None else checked_weights(sample_weight, n_rows)
    if weight is not None and not weight.all():
        counted = np.flatnonzero(weight)
        table, codes, weight = table[:, counted], codes[counted], weight[counted]
        groups = None if groups is None else groups[counted]
    rows = np.arange(len(codes))
    unit = rows if groups is None else np.unique(groups, return_inverse=True)[1]
    pseudo_folds = rng_of(seed, "judge").permutation(len(codes)) % 5
    n_classes = None if classes is None else len(classes)
    guesses = no_skill(codes, weight, n_classes, len(codes))  # training rows are unknown
    held_out = HeldOut(codes, pseudo_folds, rows, unit, weight, guesses=guesses)
    scorer = scoring_for(scoring, classes)
    if isinstance(scorer, ModelScoring):
        return empty_verdict(hops, len(codes), scorer, fits=own_fit is not None)
    ways = None if own_fit is None else np.where(_checked_mask(own_fit, len(hops)), Way.OWN, Way.OTHER)
    return compare(list(table), hops, held_out, scorer, random_state=seed, ways=ways, tolerance=tolerance)


def _checked_mask(own_fit: Any, n_trials: int) -> np.ndarray:
    mask = np.asarray(own_fit)
    if mask.shape != (n_trials,) or mask.dtype != bool:
        raise InvalidData(
            f"own_fit must hold a boolean for each of the {n_trials} trials, got shape {mask.shape} of {mask.dtype}: "
            "pass an array of True and False."
        )
    return mask


def _numbers(predictions: Any, hops: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        table, depth = np.asarray(predictions, dtype=np.float64), np.asarray(hops, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData("predictions and hops must be tables of numbers, they are not: pass arrays.") from error
    if depth.ndim != 1 or len(depth) == 0 or not (np.isfinite(depth) & (depth >= 0) & (depth % 1 == 0)).all():
        raise InvalidData(
            "hops must hold a whole number of at least 0 for each trial, it does not: pass their numbers."
        )
    return table, depth.astype(np.intp)


def _checked_table(table: np.ndarray, n_trials: int, n_rows: int, n_outputs: int) -> np.ndarray:
    if table.shape != (n_trials, n_rows, n_outputs):
        shape = f"(n_trials, n_rows, n_classes) = ({n_trials}, {n_rows}, {n_outputs})"
        if n_outputs == 1:
            shape = f"(n_trials, n_rows) = ({n_trials}, {n_rows})"
        raise InvalidData(
            f"predictions must have shape {shape}, got {table.shape}: pass those of one trial for each entry of hops."
        )
    if not np.isfinite(table).all():
        raise InvalidData("predictions must be finite, got NaN or infinity: leave out the trials that failed.")
    if n_outputs > 1 and ((table < 0).any() or not np.allclose(table.sum(axis=2), 1.0, atol=1e-3)):
        raise InvalidData("predictions must be probabilities that sum to 1 in each row, they do not: normalise them.")
    return table
