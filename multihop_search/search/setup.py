"""The set-up of a search: settings and data become a problem, a ladder and a space; before any trial is run."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multihop_search.engine.memo import MEMO
from multihop_search.engine.upper_model import crossfit_fits
from multihop_search.executors import Session
from multihop_search.paths.budget import Budget
from multihop_search.paths.first_fits import FEW_ROWS, FirstFits, copied
from multihop_search.paths.groups import Group
from multihop_search.paths.ladder import Ladder, make_ladder
from multihop_search.paths.path import STUDENT, TEACHER, Path
from multihop_search.paths.portfolio import portfolio_of
from multihop_search.paths.space import PathSpace
from multihop_search.problem.intake import make_problem
from multihop_search.problem.leaks import leaks_of_models
from multihop_search.problem.problem import Problem
from multihop_search.search.defaults import (
    able_intermediates,
    choose_schemes,
    choose_tree_fits,
    searched_of,
    servable,
    student_spaces,
    with_rows,
)
from multihop_search.search.settings import named_students
from multihop_search.search.teacher import own_teacher, teacher_of
from multihop_search.transfer.schemes import ModelCompression, Scheme

UNKNOWN_TRIALS = 30
"""Trials of a student of which nobody knows what to try first."""


@dataclass(frozen=True)
class Setup:
    """What a search needs to begin."""

    problem: Problem
    ladder: Ladder
    space: PathSpace
    portfolio: Mapping[str, Sequence[Path]]
    """Paths that each student tries first."""
    teacher_seconds: float
    """What the fits on a few rows say of how long the teacher takes on the rows searched."""

    def n_trials(self, of_each: int | None) -> int:
        """Return the trials of all students, as `trials_of` gives them."""
        return sum(self.trials_of(of_each).values())

    def trials_of(self, of_each: int | None) -> dict[str, int]:
        """Return the trials of each student.

        `of_each` is what every student is given; None: its portfolio, and where that lacks plain paths or, if there are
        hops, paths of one, `UNKNOWN_TRIALS` more.
        """
        return {name: self._usual_trials(name) if of_each is None else of_each for name in self.space.students}

    def _usual_trials(self, student: str) -> int:
        paths = self.portfolio[student]
        groups = {Group.of(len(path.hops)) for path in paths}
        needed = {Group.PLAIN, Group.ONE_HOP} if self.space.max_hops_of(student) else {Group.PLAIN}
        return len(paths) + UNKNOWN_TRIALS * (not needed <= groups)

    @property
    def with_fits(self) -> list[str]:
        """Names of the students of which ways of fitting are searched."""
        return [name for name, student in self.space.students.items() if student.fits]

    def model_leaks(self) -> tuple[str, ...]:
        """Return what is to be said of models that are used as they are, and may have seen the rows that judge."""
        ladder, students = self.ladder, self.space.students
        named: dict[str, Any] = {TEACHER: ladder.teacher}
        named |= {f"intermediate {name!r}": model for name, model in ladder.intermediates.items()}
        for name, model in ladder.students.items():
            choices = [getattr(searched, "choices", ()) for searched in students[name].distributions.values()]
            named[f"student {name!r}" if len(students) > 1 else STUDENT] = [model, choices]
        for scheme in self.space.schemes.values():  # several may be of one class
            named.setdefault(f"scheme {type(scheme).__name__}", []).append(scheme)
        for fit in (fit for of_student in self.space.fits.values() for fit in of_student.values()):
            named.setdefault(f"tree fit {type(fit).__name__}", []).append(fit)
        return leaks_of_models(named)


@dataclass(frozen=True)
class Begun:
    """A set-up as far as it goes without fits on all rows; every model that is known was fitted on a few."""

    first_fits: FirstFits
    settings: Mapping[str, Any]
    students: Mapping[str, Any]
    teacher: Any
    schemes: tuple[Scheme, ...]
    compression: ModelCompression | None
    searched: Mapping[str, Any]
    fits: Mapping[str, Any]
    budget: Budget
    seconds: float
    """Seconds of one plain fit of every student and of the teacher on a few rows."""

    @property
    def problem(self) -> Problem:
        return self.first_fits.problem

    def finish(self) -> Setup:
        """Make ladder and space."""
        problem, settings, students = self.problem, self.settings, dict(self.students)
        intermediates = settings["intermediates"] if settings["max_hops"] > 1 else []
        pool = able_intermediates(self.first_fits) if isinstance(intermediates, str) else {}
        graded = any(scheme.needs_plain for scheme in self.schemes)
        ladder = make_ladder(self.first_fits, self.teacher, students, intermediates, pool, self.budget, graded=graded)
        self.first_fits.forget()
        space = PathSpace(
            ladder.rungs,
            self.schemes,
            student_spaces(students, self.searched, ladder, self.fits),
            compression=self.compression,
            truncations=ladder.truncations,
            max_hops=settings["max_hops"],
        )
        portfolio = portfolio_of(
            settings["portfolio"],
            space,
            students,
            regression=problem.classes is None,
            cheap_first=settings["timeout"] is not None,
        )
        scale = max(len(problem.searched.train) / FEW_ROWS, 1.0)
        return Setup(problem, ladder, space, portfolio, self.seconds * crossfit_fits(self.teacher, problem) * scale)


def begin(
    settings: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    regression: bool,
    random_state: int,
    sample_weight: Any = None,
    groups: Any = None,
    unlabeled: Any = None,
    fresh: bool = False,
    threads: int = 1,
    session: Callable[[], Session],
) -> Begun:
    """Begin a search with checked settings on validated rows; models are fitted on a few of them only.

    `fresh` says whether rows that are not among these judge. `session` returns the one that runs these fits; it is
    called once the data are checked.
    """
    budget = Budget.of(settings["budget"])
    students = {name: copied(name, student) for name, student in named_students(settings["student"]).items()}
    settings = {**settings, "teacher": own_teacher(settings["teacher"])}
    schemes, compression = choose_schemes(
        settings["schemes"],
        students,
        settings["intermediates"],
        regression=regression,
        unlabeled=unlabeled is not None,
    )
    asked = not isinstance(settings["schemes"], str)
    compression = servable(compression, settings["teacher"], asked=asked)
    if compression is not None and settings["max_hops"]:
        compression = with_rows(compression, X, asked=asked)
    most_rows = {} if compression is None else dict.fromkeys(compression.generators, compression.most)
    problem = make_problem(
        X,
        y,
        sample_weight=sample_weight,
        groups=groups,
        cv=settings["cv"],
        crossfit_cv=settings["crossfit_cv"],
        scoring=settings["scoring"],
        random_state=random_state,
        regression=regression,
        synthetic={name: most for name, most in most_rows.items() if most and settings["max_hops"]},
        unlabeled=unlabeled,
        threads=threads,
        verdict=settings["verdict"],
        max_rows=settings["max_rows"],
        fresh=fresh,
    )
    weakref.finalize(problem, MEMO.clear, problem.token)
    students = {name: budget.bounded(student, problem.n_outputs) for name, student in students.items()}
    start = time.perf_counter()
    first_fits = FirstFits(problem, lambda fn, *args: session().result(session().submit(fn, *args)))
    fitted = {name: first_fits.fitted(name, student) for name, student in students.items()}  # before anything larger
    teacher = teacher_of(settings["teacher"], first_fits)
    seconds = time.perf_counter() - start
    variance = variance_of(problem) if regression else 1.0
    searched = searched_of(students, settings["param_distributions"], variance)
    fits = choose_tree_fits(settings["tree_fits"], problem, fitted, searched)
    return Begun(first_fits, settings, students, teacher, tuple(schemes), compression, searched, fits, budget, seconds)


def variance_of(problem: Problem) -> float:
    """Return the variance of the target of regression on the rows searched."""
    y, weights = problem.y[problem.searched.train], problem.weights(problem.searched.train)
    return float(np.average((y - np.average(y, weights=weights)) ** 2, weights=weights))
