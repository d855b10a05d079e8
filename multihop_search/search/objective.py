"""`PathObjective`: the paths of a search as an Optuna objective, for a study of the user's own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import optuna

from multihop_search.engine.executors import SerialExecutor
from multihop_search.engine.loop import Asked
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.study import set_constraints
from multihop_search.errors import InvalidSetting
from multihop_search.paths.path import Path
from multihop_search.results.assessment import Assessment
from multihop_search.results.record import COMPLETE, TrialRecord
from multihop_search.search.base import MultihopSearch

MEASURED = ("score", "nodes", "n_features_used", "size_bytes", "latency_us", "fit_seconds")


class PathObjective:
    """Callable as ``objective(trial)``: the cross-validated score of the path that a trial draws.

    In a study of one direction the running means are reported after each fold, and the study's pruner may stop the
    trial; pass `OneHopPruner` there. In a multi-objective study nothing is reported and nothing stopped, since Optuna
    has no pruning there. Each trial gets the user attributes `path`, `hops` and `student`. Prefixes are shared among
    trials; calls wait for each other, so ``n_jobs`` of the study gains nothing: use the search itself for that.

    Parameters
    ----------
    search : MultihopSearchClassifier or MultihopSearchRegressor
        An unfitted search that holds the settings.
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
        If `values` holds an unknown name.

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
        made = search._set_up(X, y, sample_weight=sample_weight, groups=groups, X_unlabeled=X_unlabeled)
        self.space = made.space
        self.values = tuple(values)
        self._budget = made.ladder.budget
        self._prefixes = Prefixes(SerialExecutor().start(), made.problem, made.ladder)
        self._assessment = Assessment(made.problem, adaptive=False)
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
        path = self.space.suggest(trial)
        trial.set_user_attr("path", str(path))
        trial.set_user_attr("hops", len(path.hops))
        trial.set_user_attr("student", path.student)
        trial.set_user_attr("fold_weights", self._assessment.fold_weights)
        with self._lock:
            record = self._judged(trial, path)
        set_constraints(trial, record.excess)
        measured = tuple(
            self._assessment.score(record) if name == "score" else float(getattr(record, name)) for name in self.values
        )
        return measured if len(measured) > 1 else measured[0]

    def _judged(self, trial: optuna.Trial, path: Path) -> TrialRecord:
        folds = self._prefixes.problem.folds
        asked = Asked(trial.number, trial, path, None, len(folds))
        session = self._prefixes.session
        for step, fold in enumerate(folds):
            asked.outcomes.append(session.result(self._prefixes.outcome(fold.number, path)))
            record = asked.record(COMPLETE, "", self._budget)
            if len(trial.study.directions) == 1 and self.values == ("score",):
                trial.report(self._assessment.score(record), step)
                if step + 1 < len(folds) and trial.should_prune():
                    set_constraints(trial, record.excess)
                    raise optuna.TrialPruned(f"after {step + 1} of {len(folds)} folds")
        return record
