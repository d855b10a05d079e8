"""The face: `MultihopSearchClassifier`, a scikit-learn estimator. It checks, delegates and stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from multihop_search.engine.executors import SerialExecutor
from multihop_search.engine.loop import Told, run
from multihop_search.engine.plan import Plan, make_sampler
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.refit import refit, refit_student
from multihop_search.engine.study import new_study, told_study
from multihop_search.errors import FailedTrialsWarning, InvalidSetting, SearchFailed, warn
from multihop_search.paths.ladder import Ladder, make_ladder, probe
from multihop_search.paths.path import STUDENT, Path
from multihop_search.paths.space import PathSpace
from multihop_search.paths.tuning import student_distributions
from multihop_search.problem.intake import make_problem
from multihop_search.problem.problem import Problem
from multihop_search.report.progress import progress
from multihop_search.results.assessment import Assessment, fidelity
from multihop_search.results.table import cv_results, results_table
from multihop_search.settings import check_models, check_numbers, choose_schemes, choose_teacher, holds_frozen


@dataclass(frozen=True)
class _Workshop:
    """What `refit_trial` needs after the search; holds the training rows, so it is not pickled."""

    problem: Problem
    ladder: Ladder
    paths: tuple[Path, ...]


def _student_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        return hasattr(getattr(self, "best_estimator_", self.student), method)

    return check


class MultihopSearchClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Search for the path of hops that makes a simple classifier better, and say honestly by how much.

    Parameters
    ----------
    student : classifier
        The simple model to deploy. Its class and its size (depth, leaves, trees) are a bound that is never exceeded.
    teacher : "auto" or classifier, default="auto"
        The complex model; always cloned, unless it is wrapped in `sklearn.frozen.FrozenEstimator`. "auto": the better
        of a forest and a booster by cross-validation.
    param_distributions : "auto" or dict of str to Optuna distribution or list, default="auto"
        What is searched of the student's own parameters, at every number of hops, 0 too. "auto" tunes a documented list
        per class (see `multihop_search.paths.tuning`); {} keeps the student as it is.
    intermediates : "auto" or list of (str, classifier), default="auto"
        Models between teacher and student, most complex first. "auto": a pool of small forests, boosters, deeper trees
        and a linear model, and truncations of the teacher, as far as they lie between the two in measured complexity.
    schemes : "auto" or list of Scheme, default="auto"
        How knowledge passes over a hop. "auto": every scheme that the student can take.
    max_hops : int, default=3
        Most hops of a path. 0 tunes the plain student alone.
    n_trials : int, default=100
        Trials: a third each plain, one-hop and of two hops or more.
    timeout : float or None, default=None
        Seconds after which no further trial is begun. The refit comes after it.
    cv : int, splitter or iterable of (train, test), default=5
        Outer folds. An integer is stratified, shuffled by `random_state`, and by group where groups are given.
    crossfit_cv : int or False, default=3
        Inner folds in which models above the last hop predict rows that they were not fitted on. False: in-sample, for
        comparison only.
    scoring : "auto", str, scorer or callable, default="auto"
        "auto" is the log-loss with probabilities floored at 1e-3. Greater is better.
    verdict : {"bbc"}, default="bbc"
        How the gain is judged: bootstrap bias-corrected cross-validation.
    sampler : "auto" or callable, default="auto"
        "auto" is random search by key. Else a function of a seed that returns an Optuna sampler; a sampler that learns
        is told scores on one half of the held-out rows, and the other half judges.
    n_ahead : int, default=16
        Trials asked but not yet told; part of the result when the sampler learns.
    callbacks : list of callable or None, default=None
        Called as ``callback(study, trial)`` after each told trial, as in `optuna.Study.optimize`; ``study.stop()`` in
        one of them ends the search.
    random_state : int, RandomState or None, default=None
        Everything random is derived from it.
    verbose : int, default=0
        1 shows a progress bar with the best score and the one-hop baseline.

    Attributes
    ----------
    best_estimator_ : classifier
        The student of the chosen path fitted on all rows: an object of the user's own class.
    best_path_ : Path
        The chosen path.
    best_score_ : float
        Its cross-validated score. It is optimistic, as every cross-validated best is: see `verdict_`.
    best_index_ : int
        Number of the chosen trial.
    best_trial_ : optuna.trial.FrozenTrial
        The chosen trial; ``space_.suggest(best_trial_) == best_path_``.
    best_params_ : dict
        Its parameters in the space.
    verdict_ : Verdict
        What was gained, and how sure that is. ``print(search.verdict_)``.
    results_ : DataFrame
        A row for each told trial.
    cv_results_ : dict of ndarray
        The same under the names that scikit-learn's searches use.
    study_ : optuna.Study
        Every told trial, with the scores that the sampler was told.
    space_ : PathSpace
        What was searched.
    teacher_ : classifier
        The teacher, fitted on all rows.
    path_models_ : dict of str to classifier
        The fitted models of the chosen path, from the teacher to the student.
    scorer_ : Scoring
        Callable as ``scorer_(estimator, X, y)``.
    n_splits_ : int
        Number of outer folds.
    refit_time_ : float
        Seconds of the refit.
    classes_, n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Raises
    ------
    InvalidSetting, InvalidData : ValueError
        If an argument or the rows cannot be used.
    UnsuitableModel : TypeError
        If a model lacks what its place needs.
    SearchFailed : RuntimeError
        If the plain student cannot be fitted.

    References
    ----------
    Implements the meta-approach described in the abstract of Dhurandhar and Pedapati, "Multihop: Leveraging Complex
    Models to Learn Accurate Simple Models", 2021, arXiv:2109.06961; how paths are searched and judged is ours.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search import MultihopSearchClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> search = MultihopSearchClassifier(
    ...     DecisionTreeClassifier(max_depth=2), RandomForestClassifier(30), n_trials=9, random_state=0
    ... ).fit(X, y)
    >>> type(search.best_estimator_).__name__, search.best_estimator_.get_depth()
    ('DecisionTreeClassifier', 2)
    >>> list(search.verdict_.table.index)
    ['one-hop vs plain', 'multi-hop vs one-hop', 'selected vs plain']
    """

    def __init__(
        self,
        student: Any,
        teacher: Any = "auto",
        *,
        param_distributions: Any = "auto",
        intermediates: Any = "auto",
        schemes: Any = "auto",
        max_hops: int = 3,
        n_trials: int = 100,
        timeout: float | None = None,
        cv: Any = 5,
        crossfit_cv: int | bool = 3,
        scoring: Any = "auto",
        verdict: str = "bbc",
        sampler: Any = "auto",
        n_ahead: int = 16,
        callbacks: Iterable[Callable[[optuna.Study, FrozenTrial], None]] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.param_distributions = param_distributions
        self.intermediates = intermediates
        self.schemes = schemes
        self.max_hops = max_hops
        self.n_trials = n_trials
        self.timeout = timeout
        self.cv = cv
        self.crossfit_cv = crossfit_cv
        self.scoring = scoring
        self.verdict = verdict
        self.sampler = sampler
        self.n_ahead = n_ahead
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None) -> Self:
        """Search, judge and refit.

        Parameters
        ----------
        X : array or DataFrame of shape (n_rows, n_features)
            Training rows; numbers, unless the models take more.
        y : array-like of shape (n_rows,)
            Labels.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows in fits, scores and verdict.
        groups : array-like of shape (n_rows,), default=None
            Rows of one group stay together in every split and resample.

        Returns
        -------
        self
        """
        check_numbers(self.get_params(deep=False))
        check_models(self.student, self.teacher, self.scoring)
        X, y = self._validated(X, y)
        problem = make_problem(
            X,
            y,
            sample_weight=sample_weight,
            groups=groups,
            cv=self.cv,
            crossfit_cv=self.crossfit_cv,
            scoring=self.scoring,
            random_state=self._base_seed(),
        )
        ladder, space = self._ladder_and_space(problem)
        self._search(problem, ladder, space)
        return self

    def _validated(self, X: Any, y: Any) -> tuple[Any, Any]:
        if hasattr(X, "iloc"):
            validate_data(self, X, skip_check_array=True)
            return X, y
        finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
        return validate_data(self, X, dtype="numeric", ensure_all_finite=finite, ensure_min_samples=2), y

    def _base_seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _ladder_and_space(self, problem: Problem) -> tuple[Ladder, PathSpace]:
        schemes = choose_schemes(self.schemes, self.student, self.intermediates)
        distributions = student_distributions(self.student, self.param_distributions)
        probe(problem, STUDENT, self.student)  # before anything larger is fitted
        teacher = choose_teacher(self.teacher, problem)
        intermediates = self.intermediates if self.max_hops > 1 else []
        ladder = make_ladder(problem, teacher, self.student, intermediates)
        params = self.student.get_params(deep=True)
        defaults = {name: params[name] for name in distributions}
        space = PathSpace(
            ladder.rungs, schemes, distributions, defaults, truncations=ladder.truncations, max_hops=self.max_hops
        )
        return ladder, space

    def _search(self, problem: Problem, ladder: Ladder, space: PathSpace) -> None:
        plan = Plan(space, problem.random_state, make_sampler(self.sampler, problem.random_state))
        assessment = Assessment(problem, plan.adaptive, optimistic=holds_frozen(ladder.teacher))
        study, told = self._run(problem, ladder, plan, assessment)
        records = [record for record, _ in told]
        complete = [(record, proba) for record, proba in told if proba is not None]
        kept, predictions = [record for record, _ in complete], [proba for _, proba in complete]
        failed = [record for record in records if not record.complete]
        if not kept:
            raise SearchFailed(f"some trial must be fitted and scored, all failed, the first by: {failed[0].reason}")
        if failed:
            warn(
                f"{len(failed)} of {len(records)} trials failed, the first by {failed[0].reason}: see results_.",
                FailedTrialsWarning,
            )
        position = assessment.choose(kept, predictions)
        best = kept[position]
        start = time.perf_counter()
        fitted = refit(problem, ladder, best.path)
        self.refit_time_ = time.perf_counter() - start
        teacher = fitted.teacher_proba
        by_row = teacher[assessment.held_out.row]
        scores = {r.number: (assessment.score(r), assessment.standard_error(r, p)) for r, p in complete}
        self.results_ = results_table(
            records,
            type(self.student).__name__,
            scores,
            {record.number: fidelity(proba, by_row) for record, proba in complete},
        )
        self.verdict_ = assessment.verdict(kept, predictions, position, teacher)
        self.study_ = study
        self.space_ = space
        self.best_index_, self.best_path_ = best.number, best.path
        self.best_trial_ = study.get_trials(deepcopy=False)[best.number]
        self.best_params_ = dict(self.best_trial_.params)
        self.best_score_ = scores[best.number][0]
        self.best_estimator_ = fitted.student
        self.path_models_ = dict(fitted.models)
        self.teacher_ = self.path_models_["teacher"]
        self.cv_results_ = cv_results(
            records, self.results_, [trial.params for trial in study.get_trials(deepcopy=False)]
        )
        self.classes_ = problem.classes
        self.scorer_ = problem.scoring
        self.n_splits_ = len(problem.folds)
        self._workshop = _Workshop(problem, ladder, tuple(record.path for record in records))

    def _run(
        self, problem: Problem, ladder: Ladder, plan: Plan, assessment: Assessment
    ) -> tuple[optuna.Study, list[Told]]:
        executor = SerialExecutor()
        told: list[Told] = []
        study = new_study()
        with progress(self.n_trials, problem.scoring.label, shown=self.verbose > 0) as show:
            for record, proba in run(
                study,
                plan,
                Prefixes(executor, problem, ladder),
                executor,
                told_score=assessment.told_score,
                n_trials=self.n_trials,
                n_ahead=self.n_ahead,
                timeout=self.timeout,
            ):
                told.append((record, proba))
                show(record.hops, assessment.score(record) if record.complete else float("nan"))
                if self._stopped_by_callback(study, record.number):
                    break
        return told_study(study, len(told)), told

    def _stopped_by_callback(self, study: optuna.Study, number: int) -> bool:
        """Call the callbacks; return whether one of them asked the study to stop, as Optuna's own do."""
        stopped = False
        for callback in self.callbacks or ():
            try:
                callback(study, study.get_trials(deepcopy=False)[number])
            except RuntimeError as error:  # `Study.stop` outside `Study.optimize`
                if "`Study.stop`" not in str(error):
                    raise
                stopped = True
        return stopped

    def refit_trial(self, number: int) -> Any:
        """Return the student of any completed trial, fitted on all rows: what a check on fresh rows needs.

        Parameters
        ----------
        number : int
            Trial number, as in ``results_["trial"]``.

        Raises
        ------
        InvalidSetting
            If there is no such completed trial.
        SearchFailed
            If the search was unpickled: the training rows are not part of a pickle.
        """
        check_is_fitted(self)
        if self._workshop is None:
            raise SearchFailed("refit_trial needs the training rows, a pickled search leaves them out: fit it again.")
        states = self.results_["state"]
        if number not in states.index or states[number] != "COMPLETE":
            raise InvalidSetting(
                f"number must be that of a completed trial, got {number!r}: see results_[['trial', 'state']]."
            )
        return refit_student(self._workshop.problem, self._workshop.ladder, self._workshop.paths[number])

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels (n_rows,) with `best_estimator_`."""
        return np.asarray(self._delegate("predict", X))

    @available_if(_student_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities (n_rows, n_classes) with `best_estimator_`."""
        return np.asarray(self._delegate("predict_proba", X))

    @available_if(_student_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the decision function of `best_estimator_`."""
        return np.asarray(self._delegate("decision_function", X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score `best_estimator_` by `scoring`, as scikit-learn's searches do; greater is better."""
        check_is_fitted(self)
        return self.scorer_(self, X, y, sample_weight)

    def _delegate(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        if hasattr(X, "iloc"):
            validate_data(self, X, reset=False, skip_check_array=True)
        return getattr(self.best_estimator_, method)(X)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return {**state, "_workshop": None} if "_workshop" in state else state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.student).input_tags.allow_nan
        return tags
