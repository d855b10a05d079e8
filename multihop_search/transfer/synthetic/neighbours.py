"""Near neighbours among the training rows, of which generators draw a partner for each row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multihop_search.transfer.synthetic.rows import Column, Draws, RngOfRound

N_NEIGHBOURS = 5
"""A row's partner is drawn among this many nearest neighbours."""
MOST_CANDIDATES = 2000
"""Neighbours are looked for among at most this many rows; below 2**11, see `_nearest`."""
ROWS_AT_ONCE = 64
"""Rows whose distances are held at once: 64 x 2,000 of them stay in the processor's cache."""


def partners(columns: list[Column], draws: Draws, rng_of_round: RngOfRound) -> np.ndarray:
    """Return for each synthetic row the position of a near neighbour of its parent, (n_synthetic,), intp.

    Nearness is Euclidean: numbers in standard deviations, missing ones at the median; other columns count 1 where they
    differ, as one-hot columns scaled by 1 / sqrt(2) would. Neighbours are looked for among at most 2,000 rows, drawn
    once, so the time grows with n_rows x 2,000 x n_features and not with the square of n_rows.
    """
    if not len(draws.parent):
        return draws.parent
    neighbours = _nearest([_for_distance(column) for column in columns], draws.n_rows, rng_of_round(-1))
    partner: np.ndarray = neighbours[draws.parent, draws.below(neighbours.shape[1])]
    return partner


def _for_distance(column: Column) -> np.ndarray:
    """Return the column as it counts in distances: standardised float32, or the codes of its values; (n_rows,)."""
    if column.numbers is None:
        codes, _ = pd.factorize(column.values)  # missing: -1, a value of its own
        return np.asarray(codes)
    missing = np.isnan(column.numbers)
    present = column.numbers[~missing]
    if not len(present):
        return np.zeros(len(missing), np.float32)
    largest = np.abs(present).max() or 1.0  # first to [-1, 1], so that no square overflows
    median, scale = np.median(present / largest), (present / largest).std() or 1.0
    return np.where(missing, 0.0, (column.numbers / largest - median) / scale).astype(np.float32)


def _nearest(columns: list[np.ndarray], n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return the positions (n_rows, at most 5) of each row's nearest neighbours, itself not among them.

    Differences are squared column by column and not by a matrix product, whose last bits, and with them the order of
    equally near rows, depend on the number of threads. Ties are broken by the candidates' drawn order.
    """
    candidates = rng.permutation(n_rows)[:MOST_CANDIDATES]
    k = min(N_NEIGHBOURS, len(candidates) - 1)
    if k == 0:
        return np.zeros((1, 1), dtype=np.intp)
    place = np.full(n_rows, -1)
    place[candidates] = np.arange(len(candidates))
    among = [values[candidates] for values in columns]
    order = np.arange(len(candidates), dtype=np.uint64)
    neighbours = np.empty((n_rows, k), dtype=np.intp)
    for start in range(0, n_rows, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        own = place[rows]
        squared = np.zeros((len(own), len(candidates)), dtype=np.float32)
        for values, others in zip(columns, among, strict=True):
            if values.dtype.kind == "f":
                gap = values[rows, None] - others
                gap *= gap
                squared += gap
            else:
                squared += values[rows, None] != others
        # Positive floats sort as their bits do: distance above, drawn order below, no two keys equal.
        keys = squared.view(np.uint32).astype(np.uint64) << np.uint64(11) | order
        is_candidate = np.flatnonzero(own >= 0)
        keys[is_candidate, own[is_candidate]] = np.iinfo(np.uint64).max
        nearest = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1) & np.uint64(2**11 - 1)
        neighbours[rows] = candidates[nearest.astype(np.intp)]
    return neighbours
