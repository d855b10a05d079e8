"""The rows that a tree is grown on: features as places among candidate thresholds, targets, weights."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from scipy.sparse import csc_array

N_THRESHOLDS = 31
"""Most candidate thresholds of a feature: with more the trees were no better on fresh rows, and grew slower."""
MOST_ROWS = 4000
"""Structures are grown on at most this many rows; leaves are valued on all."""
MOST_BYTES = 32 << 20
"""Most bytes of codes that a process keeps; those used longest ago go first."""
MOST_SUMS = 1 << 18
"""Most sums that are held at once."""

_KEPT: dict[bytes, tuple[tuple[np.ndarray, ...], np.ndarray]] = {}
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Sample:
    """Rows of a transfer set as a grower sees them."""

    thresholds: tuple[np.ndarray, ...]
    """Candidate thresholds of each feature, ascending; a row goes left where its float32 value is at most one."""
    codes: np.ndarray
    """Number of thresholds that lie below each value, (n_rows, n_features), uint8: left of threshold b where <= b."""
    totals: np.ndarray
    """Weighted targets, then the weight, (n_rows, n_outputs + 1)."""
    targets: np.ndarray
    """(n_rows, n_outputs), float64."""
    counted: np.ndarray
    """Which rows are real, (n_rows,) of bool: leaf sizes count these."""

    @cached_property
    def real(self) -> np.ndarray:
        """1.0 for a real row, 0.0 for a synthetic one."""
        return self.counted.astype(np.float64)

    @property
    def n_rows(self) -> int:
        return len(self.codes)

    @property
    def weights(self) -> np.ndarray:
        return self.totals[:, -1]

    @cached_property
    def width(self) -> int:
        """Places of a feature in a histogram: one more than the thresholds of any."""
        return max(map(len, self.thresholds), default=0) + 1

    @cached_property
    def columns(self) -> np.ndarray:
        """The codes feature by feature, (n_features, n_rows)."""
        return np.ascontiguousarray(self.codes.T)

    @cached_property
    def exists(self) -> np.ndarray:
        """Which thresholds exist, (width, n_features)."""
        return np.arange(self.width)[:, None] < np.array([len(cuts) for cuts in self.thresholds])

    @cached_property
    def flat(self) -> np.ndarray:
        """Place of each value in a histogram over all features, (n_rows, n_features), int32."""
        n_features = self.codes.shape[1]
        return np.asarray(self.codes.astype(np.int32) * n_features + np.arange(n_features, dtype=np.int32))

    def below(self, rows: np.ndarray, node: np.ndarray, n_nodes: int, values: np.ndarray) -> np.ndarray:
        """Return the sums of `values` over the rows of each node at most at each threshold.

        Parameters
        ----------
        rows : ndarray of shape (n_chosen,)
            Ascending in each node: so a sum has the same last digit whatever other nodes there are.
        node : ndarray of shape (n_chosen,)
            Number of each row's node.
        n_nodes : int
            Number of nodes.
        values : ndarray of shape (n_chosen,) or (n_chosen, n_values)
            What is summed.

        Returns
        -------
        sums : ndarray of shape (n_nodes, width, n_features) or (n_nodes, width, n_features, n_values)
            Features stand behind the thresholds: so they are added up fast. The last place holds all rows.
        """
        n_features, width = len(self.thresholds), self.width
        places = self.flat[rows]
        places += (node.astype(np.int32) * np.int32(width * n_features))[:, None]
        ends = np.arange(0, places.size + 1, n_features, dtype=np.int32)
        spread = csc_array((self._ones[: places.size], places.ravel(), ends), (n_nodes * width * n_features, len(rows)))
        sums = (spread @ values).reshape(n_nodes, width, n_features, *values.shape[1:])  # added row by row
        for place in range(1, width):
            sums[:, place] += sums[:, place - 1]
        return np.asarray(sums)

    def parts(self, nodes: np.ndarray, n_values: int = 1) -> list[np.ndarray]:
        """Return nodes in parts whose sums, so many at each threshold, are held at once."""
        most = max(1, MOST_SUMS // (self.exists.size * n_values))
        return [nodes[start : start + most] for start in range(0, len(nodes), most)]

    @cached_property
    def _ones(self) -> np.ndarray:
        return np.ones(self.codes.size)


def make_sample(
    X: np.ndarray, targets: np.ndarray, weights: np.ndarray, n_real: int, rng: np.random.Generator, start: int = 0
) -> Sample:
    """Return the sample of a transfer set, real rows first; at most `MOST_ROWS`, real ones before synthetic ones.

    The first start takes the first synthetic rows, each later one draws them.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32
        Without missing values.
    targets : ndarray of shape (n_rows, n_outputs)
        Class distributions, or values.
    weights : ndarray of shape (n_rows,)
        Of the rows.
    n_real : int
        Real rows, which stand first.
    rng : Generator
        Draws the rows where there are too many, and those of later starts.
    start : int, default=0
        Number of the start.
    """
    rows = _drawn(len(X), n_real, rng, start)
    weights = weights.astype(np.float64)
    drawn, real = weights[rows], rows < n_real
    for part, whole in ((real, weights[:n_real].sum()), (~real, weights[n_real:].sum())):
        if drawn[part].sum() > 0:  # the shares of real and synthetic rows stay
            drawn[part] *= whole / drawn[part].sum()
    targets = targets[rows].astype(np.float64)
    thresholds, codes = _coded_once(X[rows], drawn)
    totals = np.column_stack([drawn[:, None] * targets, drawn])
    return Sample(thresholds, codes, totals, targets, real)


def _drawn(n_rows: int, n_real: int, rng: np.random.Generator, start: int) -> np.ndarray:
    real, synthetic = np.arange(n_real), np.arange(n_real, n_rows)
    most_real = MOST_ROWS if n_rows == n_real else max(MOST_ROWS // 2, MOST_ROWS - len(synthetic))
    if n_real > most_real:
        real = np.sort(rng.permutation(n_real)[:most_real])
    room = MOST_ROWS - len(real)
    if start and len(synthetic) > room:
        synthetic = np.sort(rng.permutation(synthetic)[:room])
    return np.concatenate([real, synthetic[:room]])


def candidate_thresholds(column: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return at most `N_THRESHOLDS` thresholds between neighbouring values, at even steps of weight, ascending.

    Examples
    --------
    >>> candidate_thresholds(np.array([1, 2, 2, 8], dtype=np.float32), np.ones(4))
    array([1.5, 5. ])
    """
    return _coded(column[:, None], weights)[0][0]


def _coded_once(X: np.ndarray, weights: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return what `_coded` does, kept by the contents of its arguments: trials of one fold share their rows."""
    key = sha256(repr(X.shape).encode() + X.tobytes() + weights.tobytes()).digest()
    with _LOCK:
        coded = _KEPT.pop(key, None)
    if coded is None:
        coded = _coded(X, weights)
        for array in (*coded[0], coded[1]):
            array.setflags(write=False)
    with _LOCK:
        _KEPT[key] = coded
        while len(_KEPT) > 1 and sum(codes.nbytes for _, codes in _KEPT.values()) > MOST_BYTES:
            del _KEPT[next(iter(_KEPT))]
    return coded


def _coded(X: np.ndarray, weights: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the thresholds of each feature, and how many of them lie below each value, (n_rows, n_features)."""
    order, values = _sorted(X)
    reached = weights[order].cumsum(axis=1)
    wanted = np.linspace(0, reached[:, -1], N_THRESHOLDS + 2, axis=1)[:, 1:-1]
    is_gap, is_cut = values[:, 1:] > values[:, :-1], np.zeros(values.shape, dtype=bool)
    for feature, cut in enumerate(is_cut):  # before which rows, in order, a threshold lies
        gaps = np.flatnonzero(is_gap[feature])
        if len(gaps) > N_THRESHOLDS:
            nearest = np.searchsorted(gaps, np.searchsorted(reached[feature], wanted[feature]))
            gaps = gaps[np.minimum(nearest, len(gaps) - 1)]
        cut[gaps + 1] = True
    below, codes = is_cut.cumsum(axis=1, dtype=np.uint8), np.empty(X.shape, dtype=np.uint8, order="F")
    for feature, column in enumerate(codes.T):
        column[order[feature]] = below[feature]
    features, after = np.divmod(np.flatnonzero(is_cut), len(X))
    low, high = values[features, after - 1].astype(np.float64), values[features, after].astype(np.float64)
    middle = (low + high) / 2
    cuts = np.where(middle < high, middle, low)
    thresholds = np.split(cuts, np.searchsorted(features, np.arange(1, X.shape[1])))
    return tuple(thresholds), np.ascontiguousarray(codes)


def _sorted(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the stable order of the rows in each feature and its values in that order, (n_features, n_rows).

    Each value stands before the number of its row in one integer, and these are sorted: several times as fast as
    `argsort`. Of a negative number all bits but the sign are turned, so that integers are in the order of the values.
    """
    bits = np.add(X.T, np.float32(0), order="C").view(np.int32)  # -0.0 becomes 0.0: they are equal
    joined = (_turned(bits).astype(np.int64) << 32) | np.arange(len(X))
    joined.sort(axis=1)
    return joined & 0xFFFFFFFF, _turned((joined >> 32).astype(np.int32)).view(np.float32)


def _turned(bits: np.ndarray) -> np.ndarray:
    return np.asarray(bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF)))
