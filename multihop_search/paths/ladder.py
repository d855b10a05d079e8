"""The ladder: the intermediates by complexity, most complex first; it maps the names in a path to estimators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import is_regressor

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.models.complexity import SelfMeasured, complexity
from multihop_search.models.registry import Registered
from multihop_search.models.settle import settle
from multihop_search.models.stages import cut_sizes, is_graded_alone, stage_sizes, truncated
from multihop_search.models.steps import offers
from multihop_search.paths.budget import Budget
from multihop_search.paths.first_fits import FirstFits, copied
from multihop_search.paths.path import TEACHER, Truncate
from multihop_search.problem.teacher import RowTeacher


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Teacher, intermediates and students of one search, by name."""

    teacher: Any
    students: Mapping[str, Any] = field(default_factory=dict)
    intermediates: Mapping[str, Any] = field(default_factory=dict)
    """Selected intermediates, most complex first."""
    truncations: tuple[Truncate, ...] = ()
    """Constructed intermediates, most complex first."""
    complexities: Mapping[str, float] = field(default_factory=dict)
    """Measured complexity by name, teacher and students included; empty for a list of the user's own."""
    budget: Budget = field(default_factory=Budget)
    """What no student may exceed."""
    stage_sizes: tuple[int, ...] = ()
    """Members at which the teacher's outputs are graded, for truncations and for schemes that ask for them."""
    graded: bool = False
    """Whether a scheme asks for stages."""
    families: Registered = field(default_factory=Registered.now)
    """The user's families of models: they come to a worker with the ladder."""

    @property
    def rungs(self) -> tuple[str, ...]:
        """Names of all intermediates, most complex first."""
        names = [*(hop.model for hop in self.truncations), *self.intermediates]
        return tuple(sorted(names, key=lambda name: -self.complexities.get(name, 0.0)))

    def estimator(self, name: str) -> Any:
        """Return the estimator that `name` stands for; never to be changed."""
        if name == TEACHER:
            return self.teacher
        return self.students[name] if name in self.students else self.intermediates[name]

    def graded_sizes(self, name: str) -> tuple[int, ...]:
        """Return at which stages a model above the last hop is graded, largest first.

        An intermediate is graded where that costs no fit of its members: forests are cross-fitted out of bag.
        """
        if name == TEACHER:
            return self.stage_sizes
        if not self.graded or name not in self.intermediates:
            return ()
        estimator = self.intermediates[name]
        return stage_sizes(estimator) if is_graded_alone(estimator) else ()

    def above(self, student: str) -> tuple[str, ...]:
        """Return the rungs that are more complex than a student, most complex first."""
        if not self.complexities:
            return self.rungs
        return tuple(rung for rung in self.rungs if self.complexities[rung] > self.complexities[student])


def make_ladder(
    first_fits: FirstFits,
    teacher: Any,
    students: Mapping[str, Any],
    intermediates: Any,
    pool: Mapping[str, Any],
    budget: Budget,
    *,
    graded: bool = False,
) -> Ladder:
    """Return the ladder between `teacher` and `students`.

    Parameters
    ----------
    first_fits : FirstFits
        Where complexities are measured.
    teacher : estimator
        The upper end.
    students : mapping of str to estimator
        The lower ends, by name, inside the budget as far as their parameters can say.
    intermediates : "auto" or list of (name, estimator)
        "auto": the pool and truncations of the teacher, as far as their complexity lies strictly between the teacher's
        and that of the simplest student. A list keeps its order and its members.
    pool : mapping of str to estimator
        What "auto" selects from.
    budget : Budget
        What no student may exceed.
    graded : bool, default=False
        Whether a scheme asks for stages.

    Raises
    ------
    InvalidSetting
        If a name stands twice or is taken.
    UnsuitableModel
        If a model cannot fit the rows.
    """
    problem = first_fits.problem
    measured = {name: complexity(first_fits.fitted(name, student)) for name, student in students.items()}
    simplest = min(measured.values())
    top = first_fits.fitted(TEACHER, teacher)
    sizes = stage_sizes(teacher) if graded else ()
    if not isinstance(intermediates, str):
        own = _own(intermediates, taken=(TEACHER, *students), regression=problem.classes is None)
        for name, estimator in own.items():
            settle(estimator, f"intermediate {name!r}", problem.random_state)
        return Ladder(
            teacher=teacher, students=students, intermediates=own, budget=budget, stage_sizes=sizes, graded=graded
        )
    elsewhere = isinstance(top, RowTeacher) and not isinstance(top, SelfMeasured)
    measured[TEACHER] = math.inf if elsewhere else complexity(top)
    pool = {name if name not in students else f"{name} (intermediate)": model for name, model in pool.items()}
    measured |= {name: complexity(first_fits.fitted(name, model)) for name, model in pool.items()}
    cuts = {Truncate(k): complexity(truncated(top, k)) for k in cut_sizes(teacher)}
    measured |= {hop.model: nodes for hop, nodes in cuts.items()}

    def between(name: str) -> bool:
        return simplest < measured[name] < measured[TEACHER]

    selected = sorted((name for name in pool if between(name)), key=lambda name: -measured[name])
    constructed = tuple(hop for hop in cuts if between(hop.model))
    sizes = tuple(sorted({*sizes, *(hop.k for hop in constructed)}, reverse=True))
    return Ladder(
        teacher=teacher,
        students=students,
        intermediates={name: pool[name] for name in selected},
        truncations=constructed,
        complexities=measured,
        budget=budget,
        stage_sizes=sizes,
        graded=graded,
    )


def _own(intermediates: Sequence[tuple[str, Any]], *, taken: tuple[str, ...], regression: bool) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for item in intermediates:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            raise InvalidSetting(
                f"intermediates must be a list of (name, estimator) pairs, got {item!r} in it: pass for instance "
                "[('forest', RandomForestClassifier(20))]."
            )
        name, estimator = item
        if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
            raise UnsuitableModel(
                f"intermediate {name!r} must be an estimator instance, got {estimator!r}: pass for instance "
                "RandomForestClassifier(20)."
            )
        if name in named or name in taken:
            raise InvalidSetting(f"names of intermediates must be unique and free, {name!r} is taken: rename it.")
        if regression and not is_regressor(estimator):
            raise UnsuitableModel(
                f"intermediate {name!r} must be a regressor, {type(estimator).__name__} is none: use a regressor."
            )
        if not regression and not offers(estimator, "predict_proba"):
            raise UnsuitableModel(
                f"intermediate {name!r} must have predict_proba, {type(estimator).__name__} has none: use a classifier "
                "with probabilities."
            )
        named[name] = copied(f"intermediate {name!r}", estimator)
    return named
