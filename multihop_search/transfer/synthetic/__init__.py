"""Synthetic rows, made from the training rows of one fold before the upper model labels them: one file a generator.

A generator is called as ``generator(X, n_synthetic, rng_of_round)`` and looks at no label. Rows come in rounds of one
for each training row, in order, so the first m rows are the same for every ``n_synthetic >= m``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multihop_search.transfer.synthetic.interpolation import interpolate
from multihop_search.transfer.synthetic.leaves import resample_leaves
from multihop_search.transfer.synthetic.marginals import resample_marginals
from multihop_search.transfer.synthetic.munge import munge
from multihop_search.transfer.synthetic.rows import RngOfRound, SyntheticRows

__all__ = ["GENERATORS", "SyntheticRows", "interpolate", "munge", "resample_leaves", "resample_marginals"]

GENERATORS: dict[str, Callable[[Any, int, RngOfRound], SyntheticRows]] = {
    "munge": munge,
    "interpolation": interpolate,
    "marginals": resample_marginals,
    "leaves": resample_leaves,
}
"""The generators by the names that `ModelCompression` takes."""
