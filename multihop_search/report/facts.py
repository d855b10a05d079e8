"""What the page is made from: frozen values that a search hands over, and that hold no rows and no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from multihop_search.paths.path import Path
from multihop_search.verdict.verdict import Verdict


@dataclass(frozen=True)
class Compared:
    """One model of the comparison."""

    name: str
    """What the table calls it: teacher, plain, one hop, ours."""
    kind: str
    """Its class."""
    scores: Mapping[str, float]
    """Honest scores: the row of `Verdict.scores` that speaks of it."""
    size: float
    """See `complexity`; NaN where not known, as the next two."""
    n_features: float
    latency_us: float
    """Microseconds to predict one row."""
    unit: str = "nodes"
    """What `size` counts."""


@dataclass(frozen=True)
class Measured:
    """A model on the path."""

    kind: str
    """Its class."""
    size: float
    unit: str
    """What `size` counts: nodes, coefficients, weights, or bytes / 8."""


@dataclass(frozen=True)
class Making:
    """How a search was made; kept by the search, so that a page can be written after it was unpickled too."""

    n_rows: int
    """Given, those of weight 0 too."""
    n_searched: int
    """Rows that trials were run on."""
    n_fitted: int
    """Rows that the student was fitted on."""
    n_columns: int
    class_counts: Mapping[Any, int] | None
    """Rows of each class among those fitted, None in regression."""
    n_folds: int
    random_state: int
    seconds: float
    """Of the whole `fit`."""
    versions: Mapping[str, str]
    """Of Python and the packages whose code the models run."""
    n_unlabeled: int = 0
    """Rows without a label that were given."""
    weighted: bool = False
    """Whether rows had weights."""
    grouped: bool = False
    """Whether rows had groups."""


@dataclass(frozen=True)
class Facts:
    """Everything that a page says."""

    verdicts: Mapping[str, Verdict]
    """Of each student, by name."""
    best: str
    """Name of the student that is handed over."""
    compared: tuple[Compared, ...]
    """Teacher first, ours last."""
    others: Mapping[str, Compared]
    """Where there are several students: what was chosen of each, by name."""
    path: Path
    """The chosen one."""
    models: Mapping[str, Measured]
    """The models on the path, by name."""
    student: Any
    """The fitted student."""
    feature_names: tuple[str, ...]
    class_names: tuple[Any, ...] | None
    """None in regression."""
    results: pd.DataFrame
    """`results_`."""
    labels: Mapping[str, str]
    """What `results` calls each student, by name."""
    chosen: Mapping[str, int]
    """Number of the chosen trial of each student."""
    making: Making
    remarks: tuple[str, ...] = ()
    """What the page has to say about what it leaves out."""

    @property
    def verdict(self) -> Verdict:
        """That of the student that is handed over."""
        return self.verdicts[self.best]
