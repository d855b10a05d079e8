"""The confidence profile: how sure the graded classifiers of an upper model are of each row's true class."""

from __future__ import annotations

import numpy as np

from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet, one_hot


def profile_weighted(outputs: TeacherOutputs, y: np.ndarray, margin: float) -> TransferSet:
    """Return true labels, each row weighted by the mean of ``p_g(y | x)`` over the graded classifiers g that pass.

    The graded classifiers are the stages of the upper model and itself; those pass whose accuracy is at least that of
    the plain lower model plus `margin`. Where none passes every weight is 1 and the note says so.

    Examples
    --------
    >>> stages = {10: np.array([[0.6, 0.4], [0.5, 0.5]])}
    >>> upper = TeacherOutputs(np.array([[0.8, 0.2], [0.9, 0.1]]), stages, plain=np.array([[0.4, 0.6], [0.5, 0.5]]))
    >>> profile_weighted(upper, np.array([0, 0]), margin=0.5).weights
    array([0.7, 0.7])
    """
    assert outputs.plain is not None
    targets, rows = one_hot(y, outputs.predictions.shape[1]), np.arange(len(y))
    needed = (outputs.plain.argmax(axis=1) == y).mean() + margin
    graded = [*outputs.stages.values(), outputs.predictions]
    passed = [proba[rows, y] for proba in graded if (proba.argmax(axis=1) == y).mean() >= needed]
    if not passed:
        return TransferSet(targets, np.ones(len(y)), "no graded classifier is better than the plain model")
    return TransferSet(targets, np.asarray(np.mean(passed, axis=0, dtype=np.float64)))
