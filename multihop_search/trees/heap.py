"""The structure of a tree of bounded depth as a heap: node i has the children 2 i + 1 (at most) and 2 i + 2 (above).

A node without a split sends every row to its first child, so that all leaves lie at one depth and whole levels can be
worked on at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multihop_search.trees.sample import Sample

NO_SPLIT = -1


@dataclass
class Heap:
    """A structure over the candidate thresholds of a sample; growers change it in place."""

    depth: int
    feature: np.ndarray
    """Feature of each inner place, (2**depth - 1,); `NO_SPLIT` where there is none."""
    place: np.ndarray
    """Number of its threshold, (2**depth - 1,)."""

    @classmethod
    def empty(cls, depth: int) -> Heap:
        return cls(depth, np.full(2**depth - 1, NO_SPLIT), np.zeros(2**depth - 1, dtype=np.intp))

    def copy(self) -> Heap:
        return Heap(self.depth, self.feature.copy(), self.place.copy())

    def descend(self, codes: np.ndarray, nodes: np.ndarray, levels: int) -> np.ndarray:
        """Return where rows that stand at `nodes`, (n_rows,), are so many levels below."""
        rows = np.arange(len(codes))
        for _ in range(levels):
            feature = self.feature[nodes]
            above = (codes[rows, feature] > self.place[nodes]) & (feature != NO_SPLIT)
            nodes = 2 * nodes + 1 + above
        return nodes

    def above(self, sample: Sample, nodes: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return which rows the splits of inner places would send right, (n_nodes, n_rows) of bool."""
        feature, place = self.feature[nodes], self.place[nodes].astype(np.uint8)
        return np.asarray((sample.columns[feature] > place[:, None]) & (feature != NO_SPLIT)[:, None])

    def clear(self, node: int) -> None:
        """Take out the splits at a place and below it."""
        first, last = node, node + 1
        while first < len(self.feature):
            self.feature[first:last], self.place[first:last] = NO_SPLIT, 0
            first, last = 2 * first + 1, 2 * last + 1

    def leaves(self, codes: np.ndarray) -> np.ndarray:
        """Return the number of each row's leaf, from 0, left to right."""
        places = self.descend(codes, np.zeros(len(codes), dtype=np.intp), self.depth)
        return np.asarray(places - (2**self.depth - 1))


def leaf_totals(heap: Heap, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's leaf, and the totals of each leaf, (n_leaves, n_outputs + 1)."""
    leaf = heap.leaves(sample.codes)
    return leaf, totals_of(leaf, 2**heap.depth, sample)


def totals_of(node: np.ndarray, n_nodes: int, sample: Sample) -> np.ndarray:
    """Return the totals of each node, (n_nodes, n_outputs + 1); `node` is where each row is, (n_rows,)."""
    return np.column_stack([np.bincount(node, weights=column, minlength=n_nodes) for column in sample.totals.T])
