"""The ladder: the intermediates by complexity, most complex first; it maps the names in a path to estimators."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.keys import generator
from multihop_search.paths.complexity import complexity
from multihop_search.paths.path import STUDENT, TEACHER, Truncate
from multihop_search.paths.pool import default_intermediates
from multihop_search.paths.stages import stage_sizes, truncated
from multihop_search.problem.problem import Problem
from multihop_search.transfer.fitting import fit, settle
from multihop_search.transfer.threads import one_thread

PROBE_ROWS = 2000
"""Complexity is measured on a plain fit of at most this many rows (rule 13)."""


@dataclass(frozen=True)
class Ladder:
    """Teacher, intermediates and student of one search, by name."""

    teacher: Any
    student: Any
    intermediates: Mapping[str, Any]
    """Selected intermediates, most complex first."""
    truncations: tuple[Truncate, ...]
    """Constructed intermediates, most complex first."""
    complexities: Mapping[str, float]
    """Measured complexity by name, teacher and student included; empty for a list of the user's own."""

    @property
    def rungs(self) -> tuple[str, ...]:
        """Names of all intermediates, most complex first."""
        names = [*(hop.model for hop in self.truncations), *self.intermediates]
        return tuple(sorted(names, key=lambda name: -self.complexities.get(name, 0.0)))

    @property
    def stage_sizes(self) -> tuple[int, ...]:
        """Members at which the teacher is cut."""
        return tuple(hop.k for hop in self.truncations)

    def estimator(self, name: str) -> Any:
        """Return the estimator that `name` stands for; never to be changed."""
        if name == TEACHER:
            return self.teacher
        return self.student if name == STUDENT else self.intermediates[name]


def probe_rows(problem: Problem) -> np.ndarray:
    """Return at most `PROBE_ROWS` row numbers, at least one of each class among them."""
    if problem.n_rows <= PROBE_ROWS:
        return np.arange(problem.n_rows)
    rows = generator(problem.random_state, "probe").permutation(problem.n_rows)
    firsts = np.unique(problem.y[rows], return_index=True)[1]
    return np.sort(np.unique(np.concatenate([rows[:PROBE_ROWS], rows[firsts]])))


def probe(problem: Problem, name: str, estimator: Any) -> Any:
    """Return a plain fit of `estimator` on the probe rows.

    Raises
    ------
    UnsuitableModel
        If the fit fails: the message says which model and why, and names the way out for columns of strings.
    """
    rows = probe_rows(problem)
    model, before = settle(estimator, name, problem.random_state, "probe", name)
    X = problem.rows(rows)
    try:
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # only its size is looked at
            fitted = fit(model, X, problem.y[rows], problem.classes, sample_weight=problem.weights(rows))
    except UnsuitableModel:
        raise
    except (ValueError, TypeError) as error:
        strings = [str(column) for column in getattr(X, "columns", []) if not _is_number(X[column].dtype)]
        if strings:
            raise UnsuitableModel(
                f"{name} ({type(estimator).__name__}) must take the columns as they are, {', '.join(strings[:5])} "
                "hold no numbers: use skrub.tabular_pipeline(student) or a Pipeline with a ColumnTransformer."
            ) from error
        raise UnsuitableModel(
            f"{name} ({type(estimator).__name__}) must be able to fit the rows, it said: {error}"
        ) from error
    return fitted.set_params(**before)


def _is_number(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "biuf"


def make_ladder(problem: Problem, teacher: Any, student: Any, intermediates: Any) -> Ladder:
    """Return the ladder between `teacher` and `student`.

    Parameters
    ----------
    problem : Problem
        Where complexities are measured.
    teacher, student : estimator
        The two ends.
    intermediates : "auto" or list of (name, estimator)
        "auto": the default pool and truncations of the teacher, as far as their complexity lies strictly between
        the two ends. A list keeps its order and its members.

    Raises
    ------
    InvalidSetting
        If a name stands twice or is taken.
    UnsuitableModel
        If a model cannot fit the rows.
    """
    measured = {STUDENT: complexity(probe(problem, STUDENT, student))}
    top = probe(problem, TEACHER, teacher)
    if not isinstance(intermediates, str):
        own = _own(intermediates)
        for name, estimator in own.items():
            settle(estimator, f"intermediate {name!r}", problem.random_state)
        return Ladder(teacher, student, own, (), {})
    if intermediates != "auto":
        raise InvalidSetting(
            f"intermediates must be 'auto' or a list of (name, estimator), got {intermediates!r}: pass one of these."
        )
    measured[TEACHER] = complexity(top)
    pool = dict(default_intermediates(problem.n_classes))
    measured |= {name: complexity(probe(problem, name, estimator)) for name, estimator in pool.items()}
    cuts = {Truncate(k): complexity(truncated(top, k)) for k in stage_sizes(teacher)}
    measured |= {hop.model: nodes for hop, nodes in cuts.items()}

    def between(name: str) -> bool:
        return measured[STUDENT] < measured[name] < measured[TEACHER]

    selected = sorted((name for name in pool if between(name)), key=lambda name: -measured[name])
    constructed = tuple(hop for hop in cuts if between(hop.model))
    return Ladder(teacher, student, {name: pool[name] for name in selected}, constructed, measured)


def _own(intermediates: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for item in intermediates:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            raise InvalidSetting(
                f"intermediates must be a list of (name, estimator) pairs, got {item!r} in it: pass for instance "
                "[('forest', RandomForestClassifier(20))]."
            )
        name, estimator = item
        if name in named or name in (STUDENT, TEACHER):
            raise InvalidSetting(f"names of intermediates must be unique and free, {name!r} is taken: rename it.")
        if not hasattr(estimator, "predict_proba"):
            raise UnsuitableModel(
                f"intermediate {name!r} must have predict_proba, {type(estimator).__name__} has none: use a classifier "
                "with probabilities."
            )
        named[name] = estimator
    return named
