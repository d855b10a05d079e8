"""`PathObjective`: the paths of a search as an Optuna objective, for a study of the user's own."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from multihop_search.engine.memo import MEMO
from multihop_search.engine.pending_trial import PendingTrial
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import COMPLETE, TrialRecord
from multihop_search.engine.study import set_constraints
from multihop_search.errors import InvalidSetting
from multihop_search.executors import SerialExecutor
from multihop_search.filters import lasting_filters
from multihop_search.paths.path import Path
from multihop_search.search.base import MultihopSearch
from multihop_search.verdict.assessment import Assessment

MEASURED = ("score", "nodes", "n_features_used", "size_bytes", "latency_us", "fit_seconds")
OF_THE_STUDY = {
    "timeout": "study.optimize(timeout=...)",
    "n_trials_no_change": "a callback of study.optimize",
    "callbacks": "study.optimize(callbacks=...)",
    "sampler": "optuna.create_study(sampler=...)",
    "pruner": "optuna.create_study(pruner=...)",
    "checkpoint": "optuna.create_study(storage=...)",
    "verdict": "the search itself",
    "n_ahead": "the search itself",
    "hop_timeout": "the search itself",
    "executor": "the search itself",
    "n_jobs": "the search itself",
    "verbose": "optuna.logging",
}
"""Settings of a search that an objective has no use for, and who has."""


class PathObjective:
    """Callable as ``objective(trial)``: the cross-validated score of the path that a trial draws.

    In a study of one direction the running means are reported after each fold, and the study's pruner may stop the
    trial; pass `OneHopPruner` there. In a multi-objective study nothing is reported and nothing stopped, since Optuna
    has no pruning there. Each trial gets the user attributes `path`, `hops` and `student`. Prefixes are shared among
    trials; calls wait for each other, so ``n_jobs`` of the study gains nothing: use the search itself for that.
    `optuna.trial.FixedTrial` and a finished trial are scored as well. A pickle of an objective holds the rows.

    Parameters
    ----------
    search : MultihopSearchClassifier or MultihopSearchRegressor
        An unfitted search that holds the settings. Those that say how trials are run and judged, such as `sampler` or
        `executor`, are the study's and stay at their defaults here; `n_trials` is not looked at.
    X, y : array-like
        Training rows and target.
    values : sequence of str, default=("score",)
        What is returned, one value each: "score" (to maximise), "nodes", "n_features_used", "size_bytes",
        "latency_us" or "fit_seconds" (to minimise).
    sample_weight, groups, X_unlabeled : array-like or None
        As in `fit`.

    Attributes
    ----------
    space : PathSpace
        What trials draw from.
    defaults : list of dict
        Parameters to enqueue first: every student as the user set it, plain by each way of fitting and under each
        scheme, as the first trials of a search are.

    Raises
    ------
    InvalidSetting
        If `values` holds an unknown name, or the search has a setting that an objective has no use for; at the first
        trial if the directions of the study are not those of `values`.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search import MultihopSearchClassifier, OneHopPruner
    >>> X, y = load_wine(return_X_y=True)
    >>> search = MultihopSearchClassifier(
    ...     DecisionTreeClassifier(max_depth=2), RandomForestClassifier(30), random_state=0
    ... )
    >>> objective = PathObjective(search, X, y)
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize", pruner=OneHopPruner())
    >>> for params in objective.defaults:
    ...     study.enqueue_trial(params)
    >>> study.optimize(objective, n_trials=6)
    >>> study.trials[0].user_attrs["hops"]
    0
    """

    def __init__(
        self,
        search: MultihopSearch,
        X: Any,
        y: Any,
        *,
        values: Sequence[str] = ("score",),
        sample_weight: Any = None,
        groups: Any = None,
        X_unlabeled: Any = None,
    ) -> None:
        if not isinstance(search, MultihopSearch):
            raise InvalidSetting(
                f"search must be a MultihopSearchClassifier or MultihopSearchRegressor, got {search!r}: pass one."
            )
        if not isinstance(values, (list, tuple)) or not values or not all(name in MEASURED for name in values):
            raise InvalidSetting(
                f"values must be a list of names among {', '.join(MEASURED)}, got {values!r}: pass ('score', 'nodes')."
            )
        _check_settings(search)
        setup = search.set_up(X, y, sample_weight=sample_weight, groups=groups, X_unlabeled=X_unlabeled)
        self.space = setup.space
        self.values = tuple(values)
        self._budget = setup.ladder.budget
        self._prefixes = Prefixes(SerialExecutor().start(), setup.problem, setup.ladder)
        self._assessment = Assessment(setup.problem, adaptive=False)
        self._lock = threading.Lock()

    @property
    def defaults(self) -> list[dict[str, Any]]:
        space = self.space
        turns = [
            turn
            for student in space.students
            for turn in zip_longest(space.plain_defaults(student), space.one_hop_defaults(student))
        ]
        return [space.encode(path) for turn in turns for path in turn if path is not None]

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        self._check_directions(trial)
        path = self.space.suggest(trial)
        noted = not isinstance(trial, FrozenTrial)  # a finished trial is read, not written
        if noted:
            trial.set_user_attr("path", str(path))
            trial.set_user_attr("hops", len(path.hops))
            trial.set_user_attr("student", path.student)
            trial.set_user_attr("fold_weights", self._assessment.fold_weights)
        with self._lock, lasting_filters():
            record = self._judged(trial, path)
        if noted:
            set_constraints(trial, record.excess)
        measured = tuple(
            self._assessment.score(record) if name == "score" else float(getattr(record, name)) for name in self.values
        )
        return measured if len(measured) > 1 else measured[0]

    def _check_directions(self, trial: Any) -> None:
        """Raise unless the study of a trial wants what is measured; fixed and finished trials have no study."""
        study = getattr(trial, "study", None)
        if study is None:
            return
        expected = ["maximize" if name == "score" else "minimize" for name in self.values]
        directions = [direction.name.lower() for direction in study.directions]
        if directions != expected:
            values = ", ".join(self.values)
            raise InvalidSetting(
                f"the study must have the directions {expected} for the values {values}, it has {directions}: pass "
                f"optuna.create_study({_argument(expected)})."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_prefixes")} | {
            "_models": (self._prefixes.problem, self._prefixes.ladder)
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        problem, ladder = state.pop("_models")
        weakref.finalize(problem, MEMO.clear, problem.token)
        self.__dict__.update(state)
        self._prefixes, self._lock = Prefixes(SerialExecutor().start(), problem, ladder), threading.Lock()

    def _judged(self, trial: optuna.Trial, path: Path) -> TrialRecord:
        folds = self._prefixes.problem.folds
        pending = PendingTrial(number=trial.number, trial=trial, path=path, n_folds=len(folds))
        session = self._prefixes.session
        for step, fold in enumerate(folds):
            pending.outcomes.append(session.result(self._prefixes.outcome(fold.number, path)))
            record = pending.record(COMPLETE, "", self._budget)
            if self.values == ("score",):
                trial.report(self._assessment.score(record), step)
                if step + 1 < len(folds) and trial.should_prune():
                    set_constraints(trial, record.excess)
                    raise optuna.TrialPruned(f"after {step + 1} of {len(folds)} folds")
        return record


def _argument(directions: list[str]) -> str:
    return f"direction={directions[0]!r}" if len(directions) == 1 else f"directions={directions}"


def _check_settings(search: MultihopSearch) -> None:
    """Raise unless what an objective has no use for is as the search has it by default."""
    defaults = inspect.signature(MultihopSearch.__init__).parameters
    for name, place in OF_THE_STUDY.items():
        value, default = getattr(search, name), defaults[name].default
        serial = name in ("executor", "n_jobs") and (isinstance(value, SerialExecutor) or value == 1)
        plain = value is None or isinstance(value, (str, bool, int, float))
        if not serial and not (plain and value == default):
            raise InvalidSetting(
                f"an objective has no use for {name}, the search has {name}={value!r}: leave it at {default!r} and use "
                f"{place}."
            )
