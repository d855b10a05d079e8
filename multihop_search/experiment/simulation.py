"""Data whose truth is known: the class probabilities of every row, the noise, and how much a small student can hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from multihop_search.keys import rng_of

N_REFERENCE = 20_000
"""Rows on which surfaces are scaled and the noise is set."""
N_WAVES = 12
"""Waves of the surface that a small student cannot hold, per class."""
USED = 5
"""Columns that the surfaces read; the others are no help."""


@dataclass(frozen=True)
class Generated:
    """Rows, labels and what is true of them."""

    X: np.ndarray
    """(n_rows, n_columns), uniform on [-1, 1]."""
    y: np.ndarray
    """Class codes drawn from `q`, (n_rows,)."""
    q: np.ndarray
    """True class probabilities, (n_rows, n_classes)."""


def generate(
    n_rows: int,
    *,
    noise: float,
    gap: float,
    n_columns: int = 10,
    n_classes: int = 2,
    random_state: int = 0,
) -> Generated:
    """Return rows drawn from a surface of known noise and known complexity.

    Each class has a surface: a mix of an easy one, which has one step in each of two columns, and a hard one, a sum of
    waves over five columns, which takes a large model and many rows. Class probabilities are their softmax, at the
    temperature that gives the best possible classifier the error `noise`.

    Parameters
    ----------
    n_rows : int
    noise : float
        Error of the Bayes classifier, 0 to below 1 - 1 / n_classes.
    gap : float
        Share of the variance of the surface that is hard, 0 to 1.
    n_columns, n_classes : int, default=10, 2
    random_state : int, default=0
        Another one is another surface.

    Examples
    --------
    >>> made = generate(1000, noise=0.2, gap=0.5)
    >>> made.X.shape, made.q.shape, bool(abs((1 - made.q.max(axis=1)).mean() - 0.2) < 0.03)
    ((1000, 10), (1000, 2), True)
    """
    rng = rng_of(random_state, "surface", n_columns, n_classes)
    used = min(USED, n_columns)
    steps = rng.uniform(-0.3, 0.3, size=2)
    heights = rng.normal(size=(4, n_classes))
    waves = rng.normal(scale=3.0, size=(N_WAVES, used))
    phases, sizes = rng.uniform(0, 2 * np.pi, N_WAVES), rng.normal(size=(N_WAVES, n_classes))

    def surfaces(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        easy = heights[2 * (X[:, 0] > steps[0]) + (X[:, 1] > steps[1])]
        return easy, np.cos(X[:, :used] @ waves.T + phases) @ sizes

    reference = surfaces(rng.uniform(-1, 1, size=(N_REFERENCE, n_columns)))
    centred = [part - part.mean(axis=1, keepdims=True) for part in reference]
    middle = [part.mean(axis=0) for part in centred]
    spread = [max(float((part - mean).std()), 1e-9) for part, mean in zip(centred, middle, strict=True)]

    def logits(parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        scaled = [
            (part - part.mean(axis=1, keepdims=True) - mean) / scale
            for part, mean, scale in zip(parts, middle, spread, strict=True)
        ]
        return np.asarray(np.sqrt(1 - gap) * scaled[0] + np.sqrt(gap) * scaled[1])

    sharpness = _sharpness(logits(reference), noise)
    rows = rng_of(random_state, "rows", n_columns, n_classes)
    X = rows.uniform(-1, 1, size=(n_rows, n_columns))
    q = softmax(sharpness * logits(surfaces(X)), axis=1)
    y = (rows.random(n_rows)[:, None] > q.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return Generated(X, y, q)


def _sharpness(logits: np.ndarray, noise: float) -> float:
    """Return the factor of the logits at which the error of their best class is `noise`."""
    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        error = float((1 - softmax(middle * logits, axis=1).max(axis=1)).mean())
        low, high = (middle, high) if error > noise else (low, middle)
    return high
