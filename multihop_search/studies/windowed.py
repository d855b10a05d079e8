"""A sampler whose cost per trial stays flat: it shows another sampler a window of the trials instead of all of them.

Samplers that learn read the whole history at each trial, so their cost grows with it. `WindowedSampler` keeps a small
in-memory study with a twin of each trial that counts: the best, the last, and those under way. Optuna calls it as any
sampler: `before_trial` when a trial is asked, then `infer_relative_search_space` and `sample_relative` at its first
parameter, `sample_independent` for what is left. Each call first brings the twins up to date from the study itself,
since another sampler may be in force when a trial is told; then it passes the small study on.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from multihop_search.engine.study import constraints_of, without_greetings
from multihop_search.errors import InvalidSetting
from multihop_search.keys import seed as seed_of

_NAME = "window"


class WindowedSampler(BaseSampler):
    """Let a sampler see the best and the last trials only, so that thousands of trials cost it no more than hundreds.

    Until there are ``n_best + n_last + every`` finished trials the inner sampler sees all of them, and draws what it
    would have drawn alone. Then, and after each further `every`, a new one is made and shown the `n_last` last finished
    trials, by number, and the `n_best` best of those before; what finishes meanwhile is added. Trials under way are
    always shown. Failed trials are left out when the window moves. The best are feasible and complete ones first, then
    pruned ones by how far they came, then those that break their constraints least.

    Parameters
    ----------
    make : callable
        Function of a seed that returns an Optuna sampler, as for the argument `sampler` of a search. It is called again
        for each window: a sampler such as TPE remembers what it has seen and takes one study only. Use one that learns
        from trials, with fewer start-up trials than the window holds.
    seed : int or None, default=None
        The first sampler gets this seed, each later one a seed made of it and the number of samplers before; None:
        a fresh one.
    n_best, n_last : int, default=200 and 300
        Finished trials in the window.
    every : int, default=250
        Finished trials after which the window moves.

    Raises
    ------
    InvalidSetting
        If an argument is of the wrong kind or too small, `make` returns no sampler, or the study has several
        objectives.

    Notes
    -----
    The same seed gives the same draws if trials are told in the same order. `HyperbandPruner` shows samplers the trials
    of one bracket; the window holds those of all.

    A copy or a pickle keeps the window; a pickle needs a `make` that can be pickled, a named function for instance.

    References
    ----------
    S. Watanabe. Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles for Better
    Empirical Performance. arXiv:2304.11127, 2023.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> def tpe(seed):
    ...     return optuna.samplers.TPESampler(seed=seed, n_startup_trials=10)
    >>> sampler = WindowedSampler(tpe, seed=0, n_best=20, n_last=20, every=10)
    >>> study = optuna.create_study(sampler=sampler)
    >>> study.optimize(lambda trial: trial.suggest_float("x", -10, 10) ** 2, n_trials=100)
    >>> study.best_value < 0.1
    True
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        *,
        seed: Any = None,
        n_best: Any = 200,
        n_last: Any = 300,
        every: Any = 250,
    ) -> None:
        if not callable(make):
            raise InvalidSetting(
                f"make must be a function of a seed that returns an Optuna sampler, got {make!r}: pass for instance "
                "lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=30)."
            )
        if seed is not None and not _is_integer(seed, 0):
            raise InvalidSetting(f"seed must be None or an integer of at least 0, got {seed!r}: pass 0.")
        for name, number in {"n_best": n_best, "n_last": n_last, "every": every}.items():
            if not _is_integer(number, 1):
                raise InvalidSetting(
                    f"{name} must be an integer of at least 1, got {number!r}: leave it at its default."
                )
        self._make = make
        self._seed = _fresh_seed() if seed is None else int(seed)
        self._n_best, self._n_last, self._every = int(n_best), int(n_last), int(every)
        self._lock = threading.RLock()
        self._n_made = 0
        self._sampler = self._next_sampler()
        self._window: _Window | None = None
        self._study_name = ""
        self._n_seen = 0
        self._n_new = 0

    def reseed_rng(self) -> None:
        """Give this sampler and those to come fresh randomness."""
        with self._lock:
            self._seed = _fresh_seed()
            self._sampler.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell the inner sampler that a trial was asked."""
        with self._lock:
            self._sampler.before_trial(*self._shown(study, trial))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return what the inner sampler will draw together; the window moves here and nowhere else.

        So a sampler has always inferred before it draws, even if the trial that draws inferred with the one before.
        """
        with self._lock:
            window = self._synchronised(study)
            if self._n_new >= self._every:
                self._window, self._n_new = window.moved(self._n_best, self._n_last), 0
                self._sampler = self._next_sampler()
            return self._sampler.infer_relative_search_space(*self._shown(study, trial))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Let the inner sampler draw the parameters of `search_space`."""
        with self._lock:
            return self._sampler.sample_relative(*self._shown(study, trial), search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Let the inner sampler draw one parameter."""
        with self._lock:
            return self._sampler.sample_independent(*self._shown(study, trial), param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the inner sampler note on the user's own trial what it wants to, such as constraints."""
        self._sampler.after_trial(study, trial, state, values)

    def _shown(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        """Return what the inner sampler is shown in their place: the small study, and the twin of the trial."""
        window = self._synchronised(study)
        if window.open.get(trial.number) is None:
            raise UpdateFinishedTrialError(
                f"parameters are drawn for trials under way, trial {trial.number} is finished: ask for another."
            )
        return window.face(self._sampler), window.twin(trial.number)

    def _synchronised(self, study: Study) -> _Window:
        """Bring the twins up to date: only trials that are new or were not finished are looked at."""
        study = getattr(study, "_study", study)  # HyperbandPruner passes one bracket of the study
        if len(study.directions) > 1:
            raise InvalidSetting(
                f"WindowedSampler needs a study with one objective, got {len(study.directions)}: use "
                "optuna.samplers.NSGAIISampler."
            )
        trials = study.get_trials(deepcopy=False)
        if self._window is None or study.study_name != self._study_name or len(trials) < self._n_seen:
            if self._window is not None:
                self._sampler = self._next_sampler()
            self._window, self._study_name, self._n_seen = _Window(study.direction), study.study_name, 0
            self._n_new = -(self._n_best + self._n_last)
        for number in [*self._window.open, *range(self._n_seen, len(trials))]:
            self._window.take(trials[number])
            self._n_new += trials[number].state.is_finished()
        self._n_seen = len(trials)
        return self._window

    def _next_sampler(self) -> BaseSampler:
        sampler = self._make(seed_of(self._seed, "window", self._n_made) if self._n_made else self._seed)
        if not isinstance(sampler, BaseSampler):
            raise InvalidSetting(
                f"make must return an optuna.samplers.BaseSampler, got {type(sampler).__name__}: see optuna.samplers."
            )
        self._n_made += 1
        return sampler

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()


class _Window:
    """A small study in memory: twins of some trials of another study, in the order in which they were asked."""

    def __init__(self, direction: StudyDirection) -> None:
        self.direction = direction
        self.storage = InMemoryStorage()
        with without_greetings():
            self.id = self.storage.create_new_study([direction], _NAME)
        self.open: dict[int, int | None] = {}
        """The twins of the trials that are not finished, by their numbers; None for those that wait in the queue."""

    def face(self, sampler: BaseSampler) -> Study:
        """Return the study, loaded anew: it would keep the list of trials that it once gave to a sampler."""
        return optuna.load_study(study_name=_NAME, storage=self.storage, sampler=sampler)

    def twin(self, number: int) -> FrozenTrial:
        twin = self.open[number]
        assert twin is not None
        return self.storage.get_trial(twin)

    def take(self, trial: FrozenTrial) -> None:
        """Take in a trial that is new or was not finished."""
        twin = self.open.get(trial.number)
        if trial.state != TrialState.WAITING:
            if twin is None:
                twin = self.storage.create_new_trial(self.id, trial)
            else:
                self._update(twin, trial)
        self.open[trial.number] = twin
        if trial.state.is_finished():
            del self.open[trial.number]

    def _update(self, twin: int, trial: FrozenTrial) -> None:
        params = self.storage.get_trial(twin).params
        for name, value in trial.params.items():
            if name not in params:
                distribution = trial.distributions[name]
                self.storage.set_trial_param(twin, name, distribution.to_internal_repr(value), distribution)
        if not trial.state.is_finished():
            return
        for step, value in trial.intermediate_values.items():
            self.storage.set_trial_intermediate_value(twin, step, value)
        for name, value in trial.user_attrs.items():
            self.storage.set_trial_user_attr(twin, name, value)
        for name, value in trial.system_attrs.items():
            self.storage.set_trial_system_attr(twin, name, value)
        self.storage.set_trial_state_values(twin, trial.state, trial.values)

    def moved(self, n_best: int, n_last: int) -> _Window:
        """Return the window of the last finished trials, the best of those before, and those under way."""
        twins = self.storage.get_all_trials(self.id, deepcopy=False)
        useful = [twin for twin in twins if twin.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        best = sorted(useful[:-n_last], key=lambda twin: _rank(twin, self.direction))[:n_best]
        numbers = {twin.number for twin in [*best, *useful[-n_last:]]}
        window = _Window(self.direction)
        new = {
            self.storage.get_trial_id_from_study_id_trial_number(self.id, twin.number): window.storage.create_new_trial(
                window.id, twin
            )
            for twin in twins
            if twin.number in numbers or not twin.state.is_finished()
        }
        window.open = {number: None if twin is None else new[twin] for number, twin in self.open.items()}
        return window


def _is_integer(number: Any, least: int) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool) and int(number) >= least


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


def _rank(trial: FrozenTrial, direction: StudyDirection) -> tuple[float, ...]:
    """Return a key by which better trials come first, as TPE orders them."""
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    excess = sum(share for share in constraints_of(trial) if share > 0)
    if excess > 0:
        return (2, excess)
    if trial.state == TrialState.PRUNED:
        step, value = max(trial.intermediate_values.items(), default=(-1, 0.0))
        return (1, -step, math.inf if math.isnan(value) else sign * value)
    assert trial.value is not None
    return (0, sign * trial.value)
