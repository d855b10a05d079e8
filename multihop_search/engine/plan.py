"""The plan: what a trial's number alone settles: its student, its hops, whether it is a default, who draws the rest.

Students take turns, as long as each has trials left; within the trials of one student, of each three one is plain, one
has one hop and one is free (two hops or more): left alone, TPE gave plain 2 to 4 trials in 100 and every gain
over plain was inflated. The first trials are those of the portfolio, where there is one. Of a plain or one-hop group
that it has no path of, the first are the student as the user set it, by each way of fitting and under each scheme.
Later plain trials take the ways of fitting in turn, of four and more every third as the class does by itself: that is
what the user has today, and what gains are measured against is tuned too. With hops the last way of fitting is the
first to be tried, and every other trial is fitted so: the list ends with the best one (decision 13).
Random draws are keyed by the turn, not by the student, so that students draw the same prefixes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler, QMCSampler, RandomSampler

from multihop_search.errors import InvalidSetting
from multihop_search.keys import seed
from multihop_search.paths.path import Path
from multihop_search.paths.space import FIT, PathSpace

RANDOM_EVERY = 5
"""Under an adaptive sampler every so many-th trial of a group is random to the end: TPE was seen to stay at a one-hop
optimum for good."""


@dataclass(frozen=True)
class Plan:
    """Sets the fixed parameters and the sampler of each trial by its number."""

    space: PathSpace
    random_state: int
    sampler: BaseSampler | None
    """The user's sampler; None: random by key."""
    portfolio: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    """Paths that each student tries first."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Trials of each student, one at least; empty: they take turns for ever."""

    @property
    def adaptive(self) -> bool:
        """Whether the sampler learns from the scores that it is told."""
        return not (self.sampler is None or isinstance(self.sampler, (RandomSampler, QMCSampler)))

    @property
    def students(self) -> tuple[str, ...]:
        """Names of the students, in the order in which they take turns."""
        return tuple(self.space.students)

    def fixed(self, number: int) -> dict[str, Any]:
        """Return the parameters that are settled before the sampler is asked."""
        student, turn = self._turn(number)
        first = self.portfolio.get(student, ())
        if turn < len(first):
            return self.space.encode(first[turn])
        max_hops = self.space.max_hops_of(student)
        round_, group = divmod(turn - len(first), min(max_hops, 2) + 1)
        has_paths = any(min(len(path.hops), 2) == group for path in first)
        defaults = () if has_paths else self._defaults[student][group]
        if round_ < len(defaults):
            return dict(defaults[round_])
        fixed: dict[str, Any] = {"student": student} if len(self.students) > 1 else {}
        fits = list(self.space.fits[student])
        if fits and group == 0:  # each way of fitting is searched, so that its gain is no hop's
            fixed[f"{student}.{FIT}"] = self._plain_fit(student, round_)
        elif fits and round_ % 2:
            fixed[f"{student}.{FIT}"] = fits[-1]
        return {**fixed, "n_hops": 2 + round_ % (max_hops - 1) if group == 2 else group}

    def _turn(self, number: int) -> tuple[str, int]:
        """Return whose trial it is, and how many that student had before."""
        if self.counts:
            return self._turns[number]
        turn, place = divmod(number, len(self.students))
        return self.students[place], turn

    @cached_property
    def _turns(self) -> list[tuple[str, int]]:
        """Students take turns, as long as each has trials left."""
        turns = range(max(self.counts.values()))
        return [(student, turn) for turn in turns for student in self.students if turn < self.counts[student]]

    def _plain_fit(self, student: str, round_: int) -> str:
        fits = self.space.fits[student]
        usual = [label for label, fit in fits.items() if fit.is_usual]
        if len(fits) <= 3 or not usual:
            return list(fits)[round_ % len(fits)]
        others = [label for label in fits if label not in usual]
        return others[(round_ - round_ // 3 - 1) % len(others)] if round_ % 3 else usual[0]

    @cached_property
    def _defaults(self) -> dict[str, tuple[list[dict[str, Any]], ...]]:
        """The parameters of the first trials of each student: plain, with one hop, and with more, of which are none."""

        def encoded(paths: list[Path]) -> list[dict[str, Any]]:
            return [self.space.encode(path) for path in paths]

        return {
            name: (encoded(self.space.plain_defaults(name)), encoded(self.space.one_hop_defaults(name)), [])
            for name in self.space.students
        }

    def sampler_of(self, number: int) -> BaseSampler:
        """Return who draws what is left."""
        student, turn = self._turn(number)
        round_ = turn // (min(self.space.max_hops_of(student), 2) + 1)
        if self.sampler is None or (self.adaptive and round_ % RANDOM_EVERY == RANDOM_EVERY - 1):
            return RandomSampler(seed=seed(self.random_state, "trial", turn))
        return self.sampler


def make_sampler(sampler: Any, random_state: int) -> BaseSampler | None:
    """Return the sampler that the argument `sampler` names: "auto" or a factory ``seed -> BaseSampler``.

    Raises
    ------
    InvalidSetting
        If it is neither, or the factory returns something else.
    """
    if isinstance(sampler, str) and sampler == "auto":
        return None
    factory: Callable[[int], Any] = sampler
    if isinstance(sampler, BaseSampler) or not callable(sampler):
        raise InvalidSetting(
            f"sampler must be 'auto' or a function of a seed that returns an Optuna sampler, got {sampler!r}: pass for "
            "instance lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=30)."
        )
    drawer = factory(seed(random_state, "sampler"))
    if isinstance(drawer, (GridSampler, BruteForceSampler)):
        raise InvalidSetting(
            f"sampler must draw from the whole space at every trial, {type(drawer).__name__} enumerates it: "
            "use RandomSampler, QMCSampler or TPESampler."
        )
    if not isinstance(drawer, BaseSampler):
        raise InvalidSetting(
            f"sampler must return an optuna.samplers.BaseSampler, got {type(drawer).__name__}: see optuna.samplers."
        )
    return drawer


def make_pruner(pruner: Any) -> BasePruner | str | None:
    """Return what the argument `pruner` names: "auto", an Optuna pruner, or None for no early stopping.

    Raises
    ------
    InvalidSetting
        If it is neither.
    """
    if isinstance(pruner, str) and pruner == "auto":
        return pruner
    if isinstance(pruner, NopPruner):
        return None
    if isinstance(pruner, BasePruner):
        return pruner
    raise InvalidSetting(
        f"pruner must be 'auto' or an Optuna pruner, got {pruner!r}: pass optuna.pruners.NopPruner() for none."
    )
