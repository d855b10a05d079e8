"""The verdict: what a search gained, and how sure that is; usable alone on any table of out-of-fold predictions.

>>> import numpy as np
>>> from multihop_search.verdict import judge
>>> rng = np.random.default_rng(0)
>>> y = rng.integers(2, size=300)
>>> sure = np.eye(2)[y] * 0.6 + 0.2  # one trial with one hop is right everywhere ...
>>> unsure = np.full((300, 2), 0.5)  # ... the plain one knows nothing
>>> verdict = judge(np.stack([unsure, sure]), y, hops=[0, 1], random_state=0)
>>> verdict.table.loc["one-hop vs plain", "verdict"]
'beats'
"""

from multihop_search.engine.early_stopping import Gap, paired_gap
from multihop_search.engine.record import TrialRecord
from multihop_search.paths.groups import BY_HOPS, COMPARISONS, Comparison, Group
from multihop_search.verdict.judge import judge
from multihop_search.verdict.predictions import OutOfFoldPredictions
from multihop_search.verdict.verdict import Verdict

__all__ = [
    "BY_HOPS",
    "COMPARISONS",
    "Comparison",
    "Gap",
    "Group",
    "OutOfFoldPredictions",
    "TrialRecord",
    "Verdict",
    "judge",
    "paired_gap",
]
