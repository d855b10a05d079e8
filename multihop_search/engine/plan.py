"""The plan: what a trial's number alone settles: its number of hops, whether it is a default, and who draws the rest.

Of each three trials one is plain, one has one hop and one is free (two hops or more), so that each group is searched
as hard (rule 10): left alone, TPE gave plain 2 to 4 trials in 100 and every gain over plain was inflated. The first
trials of the plain and one-hop groups are the student as the user set it, plain and under each scheme.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler, QMCSampler, RandomSampler

from multihop_search.errors import InvalidSetting
from multihop_search.keys import seed
from multihop_search.paths.space import PathSpace

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

    @property
    def adaptive(self) -> bool:
        """Whether the sampler learns from the scores that it is told."""
        return not (self.sampler is None or isinstance(self.sampler, (RandomSampler, QMCSampler)))

    def fixed(self, number: int) -> dict[str, Any]:
        """Return the parameters that are settled before the sampler is asked."""
        n_groups = min(self.space.max_hops, 2) + 1
        turn, group = divmod(number, n_groups)
        schemes = list(self.space.schemes)
        if group == 0 and turn == 0:
            return self.space.encode(self.space.default())
        if group == 1 and turn < len(schemes):
            return self.space.encode(self.space.default(schemes[turn]))
        if group == 2:
            return {"n_hops": 2 + turn % (self.space.max_hops - 1)}
        return {"n_hops": group}

    def sampler_of(self, number: int) -> BaseSampler:
        """Return who draws what is left."""
        turn = number // (min(self.space.max_hops, 2) + 1)
        if self.sampler is None or (self.adaptive and turn % RANDOM_EVERY == RANDOM_EVERY - 1):
            return RandomSampler(seed=seed(self.random_state, "trial", number))
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
    made = factory(seed(random_state, "sampler"))
    if isinstance(made, (GridSampler, BruteForceSampler)):
        raise InvalidSetting(
            f"sampler must draw from the whole space at every trial, {type(made).__name__} enumerates it: "
            "use RandomSampler, QMCSampler or TPESampler."
        )
    if not isinstance(made, BaseSampler):
        raise InvalidSetting(
            f"sampler must return an optuna.samplers.BaseSampler, got {type(made).__name__}: see optuna.samplers."
        )
    return made
