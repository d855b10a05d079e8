"""Hop and Path: frozen values that hold names and parameters, never an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from multihop_search.keys import digest
from multihop_search.recipe import short
from multihop_search.transfer.schemes import ModelCompression, Scheme
from multihop_search.trees import OwnFit, TreeFit

STUDENT = "student"
TEACHER = "teacher"
Params = tuple[tuple[str, Any], ...]
"""Parameters as sorted (name, value) pairs."""


@dataclass(frozen=True)
class Truncate:
    """The hop to a constructed intermediate: the first `k` members of the teacher, taken without a fit.

    Parameters
    ----------
    k : int
        Trees of a forest, rounds of a booster.
    """

    k: int

    @property
    def model(self) -> str:
        """Name of the intermediate that this hop constructs."""
        return f"{TEACHER}[:{self.k}]"

    def __str__(self) -> str:
        return f"Truncate({self.k})"


@dataclass(frozen=True)
class Hop:
    """One transfer: a scheme (or `Truncate`) and the name of the model that it teaches."""

    scheme: Scheme | Truncate
    model: str
    compression: ModelCompression | None = None
    """Rows without a true label that are added; None: real rows only."""

    def __str__(self) -> str:
        added = f" + {self.compression}" if self.compression else ""
        return f"-[{self.scheme}{added}]-> {self.model}"


@dataclass(frozen=True)
class Path:
    """The hops from the teacher to the student; none for the plain student.

    Examples
    --------
    >>> from multihop_search import KnowledgeDistillation
    >>> kd = KnowledgeDistillation(alpha=0.5, temperature=1.0)
    >>> print(Path((Hop(kd, "forest(30)"), Hop(kd, "student")), (("criterion", "gini"),)))
    teacher -[KnowledgeDistillation(alpha=0.5, temperature=1)]-> forest(30) \
-[KnowledgeDistillation(alpha=0.5, temperature=1)]-> student(criterion=gini)
    """

    hops: tuple[Hop, ...]
    """From the teacher down; the last one teaches the student."""
    params: Params = ()
    """Parameters of the student that differ from path to path, sorted by name."""
    student: str = STUDENT
    """Name of the student at its end."""
    fit: TreeFit | None = None
    """How a tree student is fitted; None: by its class."""

    @property
    def prefix(self) -> tuple[Hop, ...]:
        """The hops above the last: what paths share."""
        return self.hops[:-1]

    @property
    def key(self) -> str:
        """Hash of the path, equal in every process."""
        return digest("path", self)

    @property
    def fit_name(self) -> str:
        """What tables call the way in which its student is fitted; that of the student's own class is one too."""
        return (OwnFit() if self.fit is None else self.fit).name

    @property
    def only_truncated(self) -> bool:
        """Whether every intermediate is a truncated teacher."""
        return bool(self.prefix) and all(isinstance(hop.scheme, Truncate) for hop in self.prefix)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={short(value)}" for name, value in self.params)
        tail = (f"({inside})" if inside else "") + (f" by {self.fit}" if self.fit else "")
        return (f"{TEACHER} " + " ".join(map(str, self.hops)) if self.hops else self.student) + tail
