"""Random paths whose hops have one scheme more often than by chance, for questions about single schemes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import RandomSampler

from multihop_search.keys import rng_of, seed

ARROW = " <- "
"""Stands between rung and scheme in the labels of the hops above the last, see `PathSpace`."""

TURNS = 3
"""Turns in which a search asks one multi-hop path, see `Plan`."""


class SameScheme(RandomSampler):
    """Draws at random by key, as the search does without a sampler; a share of the multi-hop paths with one scheme.

    Of three schemes a third of the two-hop and a ninth of the three-hop paths have one scheme by chance, so that a
    question about one scheme would be answered by one or two trials of a hundred. Schemes take
    turns, so that each has as many. Draws are keyed by turn, so that all students draw the same hops above the last.

    Parameters
    ----------
    random_state : int
        Base seed.
    n_students : int
        Students that take turns.
    share : float
        Share of the multi-hop paths whose hops have one scheme, 0 to 1; those that have it by chance come on top.
    """

    def __init__(self, random_state: int, n_students: int, share: float) -> None:
        super().__init__(seed=random_state)
        self._random_state, self._n_students, self._share = random_state, n_students, share
        self._number, self._drawn = -1, RandomSampler(seed=0)
        self._only = ""

    @classmethod
    def factory(cls, n_students: int, share: float) -> Callable[[int], SameScheme]:
        """Return what the argument `sampler` of a search takes."""
        return partial(cls, n_students=n_students, share=share)

    def sample_independent(self, study: Any, trial: Any, name: str, dist: BaseDistribution) -> Any:
        """Draw one parameter."""
        turn = trial.number // self._n_students
        if trial.number != self._number:
            self._number, self._drawn = trial.number, RandomSampler(seed=seed(self._random_state, "trial", turn))
            self._only = ""
        rng = rng_of(self._random_state, "same scheme", turn)
        if (
            trial.params.get("n_hops", 0) > 1
            and rng.random() < self._share
            and isinstance(dist, CategoricalDistribution)
        ):
            allowed = self._allowed(name, [str(choice) for choice in dist.choices], turn)
            dist = CategoricalDistribution(allowed) if allowed else dist
        return self._drawn.sample_independent(study, trial, name, dist)

    def _allowed(self, name: str, choices: list[str], turn: int) -> list[str]:
        """Return the choices that keep to one scheme; empty: all of them do."""
        if name.startswith("upper_"):
            schemes = sorted({_scheme_of(choice) for choice in choices} - {""})
            if not schemes:
                return []
            self._only = schemes[turn // TURNS % len(schemes)]
            return [choice for choice in choices if _scheme_of(choice) in ("", self._only)]
        if name == "scheme" and self._only:
            return [choice for choice in choices if choice.partition("#")[0] == self._only]
        return []


def _scheme_of(label: str) -> str:
    """Return the scheme of a hop above the last by its label; "" for a truncated teacher.

    Examples
    --------
    >>> _scheme_of("forest(30) <- SRatio(beta=4) + 5x"), _scheme_of("Truncate(3)")
    ('SRatio', '')
    """
    return label.partition(ARROW)[2].partition("(")[0].partition(" ")[0] if ARROW in label else ""
