"""The study: Optuna's in-memory record of the trials, quiet unless its user's own verbosity says otherwise."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial

_verbosity = threading.Lock()


@contextmanager
def without_greetings() -> Iterator[None]:
    """Keep Optuna from announcing studies that its user did not create; the user's verbosity is put back.

    The verbosity is that of the process: one thread at a time changes it.
    """
    with _verbosity:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)


def new_study() -> optuna.Study:
    """Return an empty in-memory study that maximises; its name is fixed, since some pruners hash it."""
    with without_greetings():
        return optuna.create_study(study_name="multihop-search", direction="maximize")


def set_constraints(trial: optuna.trial.Trial, excess: Mapping[str, float]) -> None:
    """Give Optuna the constraints of a trial, by name; at most 0 is feasible."""
    for name, share in excess.items():
        if hasattr(trial, "set_constraint"):
            trial.set_constraint(name, share)
    if excess and not hasattr(trial, "set_constraint"):  # before Optuna 5: a list under a name of its own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            getattr(trial, "set_system_attr")("constraints", list(excess.values()))  # noqa: B009


def constraints_of(trial: optuna.trial.FrozenTrial) -> list[float]:
    """Return the constraints of a trial; at most 0 is feasible."""
    bounds = getattr(trial, "constraints", None)  # before Optuna 5: a list under a name of its own
    return list(bounds.values() if bounds is not None else trial.system_attrs.get("constraints", ()))


class Callbacks:
    """Calls what the user wants to be called after each trial, as `optuna.Study.optimize` does.

    The study that they get holds the told trials only: those that were asked ahead are no business of theirs.
    """

    def __init__(self, callbacks: Sequence[Callable[[optuna.Study, FrozenTrial], None]]) -> None:
        self._callbacks, self._shown = callbacks, new_study()
        self._n_shown = 0

    def stop(self, study: optuna.Study, number: int) -> bool:
        """Call them with the trial of that number; return whether one asked the study to stop, as Optuna's own do."""
        if not self._callbacks:
            return False
        trials = study.get_trials(deepcopy=False)
        self._shown.sampler = study.sampler
        self._shown.add_trials(trials[self._n_shown : number + 1])
        self._n_shown, stopped = number + 1, False
        for callback in self._callbacks:
            try:
                callback(self._shown, trials[number])
            except RuntimeError as error:  # `Study.stop` outside `Study.optimize`
                if "`Study.stop`" not in str(error):
                    raise
                stopped = True
        for name, value in self._shown.user_attrs.items():
            study.set_user_attr(name, value)
        return stopped


def told_study(study: optuna.Study, n_told: int) -> optuna.Study:
    """Return the study with its first `n_told` trials only: those asked but never told are left out."""
    trials = study.get_trials(deepcopy=False)
    if len(trials) == n_told:
        return study
    copy = new_study()
    copy.sampler = study.sampler
    copy.add_trials(trials[:n_told])
    for name, value in study.user_attrs.items():
        copy.set_user_attr(name, value)
    return copy
