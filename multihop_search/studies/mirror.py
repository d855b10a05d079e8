"""The mirror: a callback that copies each finished trial to a study in a storage, behind the search.

A search keeps its study in memory: a database costs it tens of milliseconds a trial and may be away. The mirror puts
each trial in a queue, and a thread of its own writes it; so a dashboard can show a search that runs, and a storage that
is slow, hangs or breaks costs the search nothing but the copy.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from numbers import Integral
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from multihop_search.errors import InvalidSetting, MirrorWarning, warn

SOURCE_NUMBER = "source_number"
"""User attribute of a copy: the number of its trial in the study that it was copied from."""
FIRST_PAUSE_S = 0.1
"""Between the first and the second try to write a trial; each later pause is twice as long."""
IDLE_S = 5.0
"""Time without a trial after which the thread ends; the next trial starts another."""


class StudyMirror:
    """Copy each finished trial to a study in any Optuna storage, for `optuna-dashboard` to show while a search runs.

    Pass it as a callback to a search or to `optuna.Study.optimize`. A call only puts the trial in a queue, which a
    thread writes; it never raises and never waits for the storage. `flush` waits until all is written, and warns of
    what could not be; a search calls it at its end.

    A copy has the state, values, parameters, distributions, reported values, constraints, attributes and times of its
    trial; its number there may be another, the user attribute ``source_number`` holds that of the trial. The study is
    created if need be, with the directions of the source; if it exists, a trial that is already there, with the same
    number, state, values and parameters, is not copied again. So a search may be resumed into the same study.

    Parameters
    ----------
    storage : str or optuna.storages.BaseStorage
        URL of a database, such as ``"sqlite:///trials.db"``, or a storage.
    study_name : str
        Name of the study in the storage.
    n_tries : int, default=5
        How often it is tried to write a trial before it is given up, with pauses of 0.1 s, 0.2 s, 0.4 s and so on. What
        cannot be stored at all, such as an attribute that is no JSON, is given up at once.

    Raises
    ------
    InvalidSetting
        If an argument is of the wrong kind.

    Notes
    -----
    Copies of a mirror, such as those that `sklearn.base.clone` makes, write to the same storage. A mirror with a URL
    can be pickled. Neither takes along what waits in the queue.

    The thread ends with the process: without `flush`, what waits then is lost.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> storage = optuna.storages.InMemoryStorage()
    >>> mirror = StudyMirror(storage, "mine")
    >>> study = optuna.create_study()
    >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3, callbacks=[mirror])
    >>> mirror.flush()
    0
    >>> copied = optuna.load_study(study_name="mine", storage=storage)
    >>> copied.best_params == study.best_params
    True
    """

    def __init__(self, storage: Any, study_name: Any, *, n_tries: Any = 5) -> None:
        if not isinstance(storage, (str, BaseStorage)):
            raise InvalidSetting(
                f"storage must be a URL or an Optuna storage, got {storage!r}: pass for instance 'sqlite:///trials.db'."
            )
        if not isinstance(study_name, str) or not study_name:
            raise InvalidSetting(f"study_name must be a name, got {study_name!r}: pass for instance 'mine'.")
        if isinstance(n_tries, bool) or not isinstance(n_tries, Integral) or n_tries < 1:
            raise InvalidSetting(f"n_tries must be an integer of at least 1, got {n_tries!r}: pass 5.")
        self.storage: str | BaseStorage = storage
        self.study_name: str = study_name
        self.n_tries: int = int(n_tries)
        self._target: Study | None = None
        self._there: set[tuple[Any, ...]] = set()
        self._queue: deque[tuple[list[StudyDirection], FrozenTrial]] = deque()
        self._n_lost = 0
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._flushing = False
        self._changed = threading.Condition()

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Put a finished trial in the queue."""
        if not trial.state.is_finished():
            return
        copied = copy.copy(trial)
        copied.user_attrs = {**trial.user_attrs, SOURCE_NUMBER: trial.number}
        with self._changed:
            self._queue.append((study.directions, copied))
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="StudyMirror", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError as error:  # no thread to be had; the next trial asks again
                    self._thread, self._error = None, error

    def flush(self, timeout: float = 5.0) -> int:
        """Wait until every trial is written or given up, and warn once of those that are not there.

        Parameters
        ----------
        timeout : float, default=5.0
            Seconds to wait at most. Afterwards the thread goes on with what is left.

        Returns
        -------
        int
            Trials that are not in the study: given up since the last flush, or still waiting.

        Warns
        -----
        MirrorWarning
            If there are any.
        """
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._thread is None, timeout)
            self._flushing = False
            n_lost, n_waiting, error = self._n_lost, len(self._queue), self._error
            self._n_lost, self._error = 0, None
        if n_lost or n_waiting:
            cause = f", the last error was {type(error).__name__}: {error}" if error else ""
            warn(
                f"every finished trial should be in study {self.study_name!r}, {n_lost} could not be written and "
                f"{n_waiting} still wait{cause}: flush the mirror again to wait longer, or mend this and pass it the "
                "trials again, none is written twice.",
                MirrorWarning,
            )
        return n_lost + n_waiting

    def _work(self) -> None:
        """Write what is in the queue, trial by trial; end when a flush finds it empty, or it stays so for long."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._flushing, IDLE_S)
                if not self._queue:
                    self._thread = None
                    self._changed.notify_all()
                    return
                directions, trial = self._queue[0]
            written = self._is_written(directions, trial)
            with self._changed:
                self._queue.popleft()
                self._n_lost += not written

    def _is_written(self, directions: list[StudyDirection], trial: FrozenTrial) -> bool:
        for attempt in range(self.n_tries):
            try:
                self._write(directions, trial)
                return True
            except (TypeError, ValueError) as error:  # this trial cannot be stored, no time will mend it
                self._error = error
                return False
            except Exception as error:  # whatever a storage may raise
                self._error, self._target = error, None
                if attempt + 1 < self.n_tries:
                    time.sleep(FIRST_PAUSE_S * 2**attempt)
        return False

    def _write(self, directions: list[StudyDirection], trial: FrozenTrial) -> None:
        """Add a trial to the study, unless it is there.

        After an error the study is opened and read anew: the connection may be gone, and the trial may be there.
        """
        if self._target is None:
            self._target = optuna.create_study(
                storage=self.storage, study_name=self.study_name, directions=directions, load_if_exists=True
            )
            self._there = {_identity(copy) for copy in self._target.get_trials(deepcopy=False)}
        if self._target.directions != directions:
            raise InvalidSetting(
                f"study {self.study_name!r} should have the directions {_names(directions)} of its source, it has "
                f"{_names(self._target.directions)}: choose another study_name."
            )
        identity = _identity(trial)
        if identity not in self._there:
            self._target.add_trial(trial)
            self._there.add(identity)

    def __getstate__(self) -> dict[str, Any]:
        return {"storage": self.storage, "study_name": self.study_name, "n_tries": self.n_tries}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> StudyMirror:
        return type(self)(**self.__getstate__())  # a copied storage would be a place where nobody looks


def _identity(trial: FrozenTrial) -> tuple[Any, ...]:
    """Return what tells apart the trials of one search, and those of different searches under one name."""
    params = tuple(sorted(trial.params.items()))
    return trial.user_attrs.get(SOURCE_NUMBER), trial.state, tuple(trial.values or ()), params


def _names(directions: list[StudyDirection]) -> list[str]:
    return [direction.name.lower() for direction in directions]
