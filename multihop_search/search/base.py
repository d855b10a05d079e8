"""The shared part of the two estimators: it checks, delegates and stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.log import Log
from multihop_search.engine.loop import Loop
from multihop_search.engine.memo import MEMO
from multihop_search.engine.patience import Patience
from multihop_search.engine.plan import Plan, make_pruner, make_sampler
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import COMPLETE, FAIL, TrialRecord
from multihop_search.engine.study import Callbacks, new_study, told_study
from multihop_search.errors import (
    ClusterLost,
    FailedTrialsWarning,
    InvalidSetting,
    RefitWarning,
    SearchFailed,
    SmallWindowWarning,
    StoppedWarning,
    warn,
)
from multihop_search.executors import Executor, Future, SerialExecutor, Session
from multihop_search.export import export_model
from multihop_search.filters import lasting_filters
from multihop_search.interrupt import Interrupted, interruptible
from multihop_search.models.steps import offers
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER, Path
from multihop_search.problem.leaks import leaks_of_folds
from multihop_search.problem.problem import Problem
from multihop_search.problem.rows import checked_rows, checked_unlabeled
from multihop_search.problem.tables import as_pandas
from multihop_search.report.page import checked_file, fragment, write_page
from multihop_search.report.progress import progress
from multihop_search.search.facts import facts_of, making_of
from multihop_search.search.fingerprint import fingerprint, packages_of
from multihop_search.search.selection import Selection, select, verdicts_of
from multihop_search.search.set_up import Begun, SetUp, begin, check_settings
from multihop_search.search.settings import named_students
from multihop_search.search.where import check_executor, choose_executor, known_executor
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment, fidelity
from multihop_search.verdict.method import Method, check_fresh, fresh_rows, method_for, runs_hops
from multihop_search.verdict.outside import FreshRows
from multihop_search.verdict.table import cv_results, results_table
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import BBC


@dataclass(frozen=True)
class _Workshop:
    """What `refit_trial` needs after the search; holds the training rows, so it is not pickled."""

    problem: Problem
    ladder: Ladder
    paths: tuple[Path, ...]


def check_some_worked(records: Sequence[TrialRecord]) -> None:
    """Raise `SearchFailed` if every trial failed."""
    if all(record.state == FAIL for record in records):
        raise SearchFailed(f"some trial must be fitted and scored, all failed, the first by: {records[0].reason}")


def student_has(method: str) -> Callable[[Any], bool]:
    """Return the check that makes `hasattr` of a search as honest as its student."""

    def check(self: Any) -> bool:
        if hasattr(self, "best_estimator_"):
            return hasattr(self.best_estimator_, method)
        return all(offers(student, method) for student in named_students(self.student).values())

    return check


class MultihopSearch(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Base of `MultihopSearchClassifier` and `MultihopSearchRegressor`; see there."""

    _regression: ClassVar[bool]

    def __init__(
        self,
        student: Any,
        teacher: Any = "auto",
        *,
        param_distributions: Any = "auto",
        intermediates: Any = "auto",
        schemes: Any = "auto",
        tree_fits: Any = "auto",
        max_hops: int = 3,
        n_trials: int = 100,
        timeout: float | None = None,
        n_trials_no_change: int | None = None,
        budget: Any = None,
        cv: Any = 5,
        crossfit_cv: int | bool = 3,
        scoring: Any = "auto",
        verdict: Any = "bbc",
        sampler: Any = "auto",
        pruner: Any = "auto",
        n_ahead: int = 16,
        hop_timeout: float | None = None,
        checkpoint: Any = None,
        callbacks: Iterable[Callable[[optuna.Study, FrozenTrial], None]] | None = None,
        executor: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.param_distributions = param_distributions
        self.intermediates = intermediates
        self.schemes = schemes
        self.tree_fits = tree_fits
        self.max_hops = max_hops
        self.n_trials = n_trials
        self.timeout = timeout
        self.n_trials_no_change = n_trials_no_change
        self.budget = budget
        self.cv = cv
        self.crossfit_cv = crossfit_cv
        self.scoring = scoring
        self.verdict = verdict
        self.sampler = sampler
        self.pruner = pruner
        self.n_ahead = n_ahead
        self.hop_timeout = hop_timeout
        self.checkpoint = checkpoint
        self.callbacks = callbacks
        self.executor = executor
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        groups: Any = None,
        X_unlabeled: Any = None,
        X_fresh: Any = None,
        y_fresh: Any = None,
    ) -> Self:
        """Search, judge and refit.

        Parameters
        ----------
        X : array or DataFrame of shape (n_rows, n_features)
            Training rows; numbers, unless the models take more. A table of polars, Arrow or any other library that
            speaks the Arrow stream is read as one of pandas: columns keep their names.
        y : array-like of shape (n_rows,)
            Labels, or values in regression.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows in fits, scores and verdict.
        groups : array-like of shape (n_rows,), default=None
            Rows of one group stay together in every split and resample.
        X_unlabeled : array or DataFrame of shape (n_unlabeled, n_features), default=None
            Rows without a label that hops may add, labelled by the upper model; see `ModelCompression`.
        X_fresh, y_fresh : array or DataFrame and array-like of n_fresh rows, default=None
            Rows that the search does not see: they measure the student that is handed over, in place of ``verdict``,
            which stays at "bbc" then.

        Returns
        -------
        self
        """
        learned = self._forget()
        try:
            with lasting_filters():
                check_fresh(self.verdict, X_fresh, y_fresh)
                rows = {"sample_weight": sample_weight, "groups": groups, "X_unlabeled": X_unlabeled}
                self._fit(X, y, None if X_fresh is None else (X_fresh, y_fresh), **rows)
        except BaseException:
            if not hasattr(self, "results_"):  # nothing was told: the search is as it was
                self._forget()
                self.__dict__.update(learned)
            raise
        return self

    def _forget(self) -> dict[str, Any]:
        """Take away what an earlier fit learned, and return it."""
        state: dict[str, Any] = self.__dict__
        names = [name for name in state if name.endswith("_") or name in ("_workshop", "_making")]
        return {name: state.pop(name) for name in names}

    def _fit(self, X: Any, y: Any, X_y_fresh: tuple[Any, Any] | None, **rows: Any) -> None:
        start = time.monotonic()
        with ExitStack() as undo:
            limits = () if self.hop_timeout is None else (self.hop_timeout,)
            sessions: list[Session] = []

            def session_on(executor: Executor) -> Session:
                if not sessions:
                    sessions.append(undo.enter_context(closing(executor.start(*limits))))
                return sessions[0]

            executor = known_executor(self.executor, self.n_jobs, hop_timeout=self.hop_timeout)
            here = SerialExecutor().start()
            begun = self._begin(X, y, session=lambda: session_on(executor) if executor else here, **rows)
            fresh = None if X_y_fresh is None else fresh_rows(self, *X_y_fresh, begun.problem)
            n_trials = self.n_trials * len(begun.students)
            deadline = None if self.timeout is None else start + self.timeout
            chosen = choose_executor(self.executor, self.n_jobs, begun, n_trials, hop_timeout=self.hop_timeout)
            workers = chosen.n_workers
            if workers > self.n_ahead:
                warn(f"n_ahead={self.n_ahead} is below the {workers} workers: pass a larger one.", SmallWindowWarning)
            try:
                self._search(begun, session_on(chosen), n_trials, deadline, fresh)
                self._making = making_of(self._workshop.problem, self._workshop.ladder, time.monotonic() - start)
            finally:
                MEMO.clear(begun.problem.token)
                for callback in self._listed_callbacks():
                    if hasattr(callback, "flush"):
                        callback.flush()

    def _search(
        self, begun: Begun, session: Session, n_trials: int, deadline: float | None, fresh: FreshRows | None
    ) -> None:
        """Run the trials, keep what they told, and conclude."""
        made = begun.finish(session)
        session.share(made.space)  # what cannot be sent to workers is told before the first trial
        plan = self._plan(made)
        of_models = made.model_leaks()
        believes = made.space.max_hops > 0
        halves = plan.adaptive and fresh is None and isinstance(self.verdict, str) and self.verdict == BBC
        leaks = (*of_models, *leaks_of_folds(made.problem))
        assessment = Assessment(made.problem, halves, bool(of_models), leaks, believes)
        with self._opened_log(made, plan, assessment, None) as log:
            prefixes = Prefixes(session, made.problem, made.ladder)
            trials, study, teacher = Trials(assessment), new_study(), prefixes.teacher()
            try:
                self._run(made, plan, assessment, prefixes, log, n_trials, deadline, study, trials)
            finally:
                if trials.records:
                    self._keep_trials(made, told_study(study, len(trials.records)), trials)
            check_some_worked(trials.records)
            self._conclude(made, assessment, prefixes, trials, teacher, fresh)

    def _method(
        self,
        made: SetUp,
        assessment: Assessment,
        prefixes: Prefixes,
        teacher: FittedTeacher,
        fresh: FreshRows | None,
        trials: Trials,
    ) -> Method:
        """Return the method of the verdict; a nested search runs as many trials as were told."""
        problem, n_trials = made.problem, len(trials.records)
        shown = self.verbose > 0 and bool(problem.pairs)
        with progress(n_trials * len(problem.folds), problem.scoring.unit.name, shown=shown) as show:

            def again(number: int, without: Any, of_fold: Assessment) -> Trials:
                """Run the search again without an outer fold."""
                inner, plan = Trials(of_fold), self._plan(made)
                with self._opened_log(made, plan, assessment, number) as log:
                    loop = self._loop(new_study(), plan, without, of_fold, made, log)
                    for record, predictions in loop.run(n_trials):
                        inner.add(record, predictions)
                        show(record.hops, of_fold.score(record) if record.inside else float("nan"))
                return inner

            return method_for(
                assessment,
                prefixes,
                teacher,
                fresh,
                again=again,
                with_fits=made.with_fits,
                learns=self._plan(made).adaptive,
                ended=trials.ended,
            )

    def _loop(
        self, study: optuna.Study, plan: Plan, prefixes: Any, assessment: Assessment, made: SetUp, log: Log | None
    ) -> Loop:
        return Loop(
            study,
            plan,
            prefixes,
            assessment,
            budget=made.ladder.budget,
            pruner=make_pruner(self.pruner),
            n_ahead=self.n_ahead,
            log=log,
        )

    def _plan(self, made: SetUp) -> Plan:
        seed = made.problem.random_state
        return Plan(made.space, seed, make_sampler(self.sampler, seed))

    def _opened_log(
        self, made: SetUp, plan: Plan, assessment: Assessment, without: int | None
    ) -> AbstractContextManager[Log | None]:
        """Return the log of the search, or of its nested one without an outer fold, if there is a checkpoint."""
        if self.checkpoint is None:
            return nullcontext()
        known = fingerprint(
            made, plan, make_pruner(self.pruner), self.get_params(deep=False), halves=assessment.adaptive
        )
        parts = known.parts if without is None else {**known.parts, "without": str(without)}
        packages = packages_of(made.ladder) | known.packages
        return closing(Log(self.checkpoint, parts, packages, quiet=without is not None))

    def _set_up(self, X: Any, y: Any, **rows: Any) -> SetUp:
        """Return problem, ladder and space of this search on the user's data, made in this process."""
        session = SerialExecutor().start()
        with lasting_filters():
            return self._begin(X, y, session=lambda: session, **rows).finish(session)

    def _begin(
        self,
        X: Any,
        y: Any,
        *,
        session: Callable[[], Session],
        sample_weight: Any = None,
        groups: Any = None,
        X_unlabeled: Any = None,
    ) -> Begun:
        """Check settings and data, and begin to set up."""
        settings = self.get_params(deep=False)
        if isinstance(self.callbacks, Iterator):
            settings["callbacks"] = self._listed_callbacks()
        check_settings(settings, regression=self._regression)
        check_executor(self.executor, self.n_jobs)
        X, y, X_unlabeled = self._validated(X, as_pandas("y", y), X_unlabeled)
        return begin(
            settings,
            X,
            y,
            regression=self._regression,
            random_state=self._base_seed(),
            sample_weight=as_pandas("sample_weight", sample_weight),
            groups=as_pandas("groups", groups),
            unlabeled=X_unlabeled,
            threads=1 if self.executor is None else self.executor.cpus_per_hop,
            session=session,
        )

    def _validated(self, X: Any, y: Any, X_unlabeled: Any) -> tuple[Any, Any, Any]:
        X = checked_rows(self, "X", X)
        return X, y, None if X_unlabeled is None else checked_unlabeled(self, X_unlabeled, X)

    def _base_seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _run(
        self,
        made: SetUp,
        plan: Plan,
        assessment: Assessment,
        prefixes: Prefixes,
        log: Log | None,
        n_trials: int,
        deadline: float | None,
        study: optuna.Study,
        trials: Trials,
    ) -> None:
        """Run the search to its end, or until something stops it; `study` and `trials` take in what is told."""
        patience = Patience(self.n_trials_no_change, len(made.space.students))
        callbacks = Callbacks(self._listed_callbacks())
        loop = self._loop(study, plan, prefixes, assessment, made, log)
        shown = progress(n_trials, made.problem.scoring.unit.name, shown=self.verbose > 0)
        try:
            with shown as show, interruptible():
                for record, predictions in loop.run(n_trials, deadline):
                    trials.add(record, predictions)
                    score = assessment.score(record) if record.inside else float("nan")
                    show(record.hops, score)
                    if callbacks.stop(study, record.number) or patience.ends(record, score):
                        break
        except Interrupted as signal:
            if not trials.records:
                raise
            trials.ended = True
            warn(
                f"{signal} ended the search after {len(trials.records)} of {n_trials} trials: the best of them is "
                "fitted and judged now, a second signal stops that too.",
                StoppedWarning,
            )

    def _listed_callbacks(self) -> Sequence[Callable[[optuna.Study, FrozenTrial], None]]:
        """Return the callbacks; what can be gone through only once is remembered, for the next fit too."""
        if isinstance(self.callbacks, Iterator):
            if getattr(self, "_callbacks", (None,))[0] is not self.callbacks:
                self._callbacks = (self.callbacks, tuple(self.callbacks))
            return self._callbacks[1]
        return () if self.callbacks is None else tuple(self.callbacks)

    def _keep_trials(self, made: SetUp, study: optuna.Study, trials: Trials) -> None:
        """Keep what was told: whatever the last step meets, it is not lost."""
        records = trials.records
        self.study_ = study
        self.space_ = made.space
        self.scorer_ = made.problem.scoring
        self.n_splits_ = len(made.problem.folds)
        self._workshop = _Workshop(made.problem, made.ladder, tuple(record.path for record in records))
        self._keep_task(made.problem)
        self._keep_table(trials, {})
        failed = [record for record in records if record.state == FAIL]
        if failed:
            warn(
                f"{len(failed)} of {len(records)} trials failed, the first by {failed[0].reason}: see results_.",
                FailedTrialsWarning,
            )

    def _keep_table(self, trials: Trials, fidelities: Mapping[int, float]) -> None:
        records, students = trials.records, named_students(self.student)
        scores = {record.number: trials.score(record) for record in records if record.complete}
        labels = {name: name if len(students) > 1 else type(model).__name__ for name, model in students.items()}
        self.results_ = results_table(records, labels, scores, fidelities)
        params = [trial.params for trial in self.study_.get_trials(deepcopy=False)]
        self.cv_results_ = cv_results(records, self.results_, params)

    def _conclude(
        self,
        made: SetUp,
        assessment: Assessment,
        prefixes: Prefixes,
        trials: Trials,
        teacher: Future,
        fresh: FreshRows | None,
    ) -> None:
        """Choose, refit, judge, and keep what was learned, as far as it goes.

        Raises
        ------
        SearchFailed
            If a part of it failed; what is there by then is kept.
        """
        local = Prefixes(SerialExecutor().start(), made.problem, made.ladder)
        limited = self.hop_timeout is not None  # else workers hold no memory while this process refits
        taught: FittedTeacher | None = None
        try:
            last = not limited and not runs_hops(made.problem, fresh)
            taught = (prefixes.session.last_result if last else prefixes.session.result)(teacher)
        except ClusterLost as error:
            warn(f"the last step runs in this process: {error}", RefitWarning)
            prefixes, taught = local, local.session.result(local.teacher())
        except Exception as error:
            self._keep_best(made, assessment, local if not limited else prefixes, trials, None, None)
            raise SearchFailed(
                f"the teacher must be fitted on all rows for the verdict, it was not ({type(error).__name__}: "
                f"{error}): best_estimator_ is the best student without a teacher, of trial {self.best_index_}, "
                "without a verdict."
            ) from error
        by_row, n_outputs = taught.outputs.table[assessment.held_out.row], made.problem.n_outputs
        self._keep_table(trials, {record.number: fidelity(said, by_row, n_outputs) for record, said in trials.kept()})
        method, failure = None, None
        try:
            method = self._method(made, assessment, prefixes, taught, fresh, trials)
        except Exception as error:  # what was learned comes first
            failure = error
        start = time.perf_counter()
        runner = prefixes if limited else local
        believed = taught.outputs if method is None else method.believed
        selection = self._keep_best(made, assessment, runner, trials, taught, believed)
        self.teacher_ = self.path_models_[TEACHER]
        try:
            if method is None:
                raise failure or AssertionError
            verdicts = verdicts_of(selection, method, made.ladder)
        except ClusterLost:
            raise
        except Exception as error:
            raise SearchFailed(
                f"best_estimator_ is fitted, but the verdict could not be given, it said: {error} "
                "(results_ holds the trials)."
            ) from error
        self.verdicts_ = verdicts
        self.verdict_ = verdicts[selection.best.path.student]
        self.refit_time_ = time.perf_counter() - start

    def _keep_best(
        self,
        made: SetUp,
        assessment: Assessment,
        prefixes: Prefixes,
        trials: Trials,
        teacher: FittedTeacher | None,
        believed: TeacherOutputs | None,
    ) -> Selection:
        selection = select(assessment, trials, prefixes, teacher, believed, made.with_fits)
        best = selection.best
        self.chosen_ = {name: record.number for name, record in selection.chosen.items()}
        self.best_index_, self.best_path_ = best.number, best.path
        self.best_trial_ = self.study_.get_trials(deepcopy=False)[best.number]
        self.best_params_ = dict(self.best_trial_.params)
        self.best_score_ = trials.score(best)[0]
        self.best_estimator_ = selection.models.student
        self.path_models_ = dict(selection.models.by_name)
        return selection

    def _keep_task(self, problem: Problem) -> None:
        """Keep what only one of the two estimators learns."""

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
        workshop = self._checked_workshop([number])
        with lasting_filters():
            (student,) = self._refitted(workshop, [workshop.paths[number]])
        return student

    def refit_trials(self, numbers: Iterable[int]) -> Iterator[Any]:
        """Yield the students of many completed trials as `refit_trial` does, the upper models of all fitted once.

        Parameters
        ----------
        numbers : iterable of int
            Trial numbers, as in ``results_["trial"]``.

        Raises
        ------
        InvalidSetting
            If one is not that of a completed trial.
        SearchFailed
            If the search was unpickled: the training rows are not part of a pickle.
        """
        wanted = list(numbers)
        workshop = self._checked_workshop(wanted)
        return self._refitted(workshop, [workshop.paths[number] for number in wanted])

    @staticmethod
    def _refitted(workshop: _Workshop, paths: Sequence[Path]) -> Iterator[Any]:
        prefixes = Prefixes(SerialExecutor().start(), workshop.problem, workshop.ladder)
        try:
            for path in paths:
                yield prefixes.session.result(prefixes.student(workshop.problem.whole.number, path))
        finally:
            MEMO.clear(workshop.problem.token)

    def _checked_workshop(self, numbers: Sequence[int]) -> _Workshop:
        check_is_fitted(self, "results_")  # also where the last step failed
        if self._workshop is None:
            raise SearchFailed("refit_trial needs the training rows, a pickled search leaves them out: fit it again.")
        states = self.results_["state"]
        for number in numbers:
            if number not in states.index or states[number] != COMPLETE:
                raise InvalidSetting(
                    f"number must be that of a completed trial, got {number!r}: see results_[['trial', 'state']]."
                )
        workshop: _Workshop = self._workshop
        return workshop

    def export(self, file: Any) -> None:
        """Write `best_estimator_` into a file that needs nothing of this package.

        Parameters
        ----------
        file : path
            By its suffix: ``.onnx``, ``.sql`` and ``.py``, which are run on the training rows and compared with the
            model before they are written, ``.txt`` for people, ``.skops``.

        Raises
        ------
        InvalidSetting
            If there is no such format, or what it needs is not installed.
        FileFailed
            If the file cannot be written; it is an `InvalidSetting` and an `OSError`.
        UnsuitableModel
            If the format cannot hold this model, or what it computes differs.

        See Also
        --------
        multihop_search.export.export_model : The same for any fitted model, with more to say.
        """
        self._check_ready()
        export_model(self.best_estimator_, file, X=None if self._workshop is None else self._workshop.problem.X)

    def report(self, file: Any) -> None:
        """Write a page that explains the search: one HTML file that needs no network.

        It shows the verdict, the models side by side, the path, the student and the search. The best plain and one-hop
        students are fitted on all rows for it; of an unpickled search, which has no rows, they are as in the folds.

        Parameters
        ----------
        file : path
            Ends in ``.html``; what stands there is replaced.

        Raises
        ------
        InvalidSetting
            If the file is no .html.
        FileFailed
            If it cannot be written; it is an `InvalidSetting` and an `OSError`.
        """
        self._check_ready("verdicts_")
        checked_file(file)
        write_page(facts_of(self), file)

    def _repr_html_inner(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Return what a notebook shows: of a fitted search the short form of its page, else scikit-learn's diagram."""
        shown: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in shown and hasattr(self, "_making"):
            shown["text/html"] = fragment(facts_of(self, refit=False))
        return shown

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels or values (n_rows,) with `best_estimator_`."""
        return np.asarray(self._delegate("predict", X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score `best_estimator_` by `scoring`, as scikit-learn's searches do; greater is better."""
        self._check_ready()
        return self.scorer_(
            self.best_estimator_, self._known_rows(X), as_pandas("y", y), as_pandas("sample_weight", sample_weight)
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def _check_ready(self, name: str = "best_estimator_") -> None:
        """Raise `NotFittedError` unless the search got as far as an attribute."""
        if hasattr(self, "results_") and not hasattr(self, name):
            raise NotFittedError(
                f"the search must have {name} for this, its last step failed: results_ holds the trials, "
                "refit_trial(number) fits the student of one, or call fit again."
            )
        check_is_fitted(self)

    def _delegate(self, method: str, X: Any) -> Any:
        self._check_ready()
        return getattr(self.best_estimator_, method)(self._known_rows(X))

    def _known_rows(self, X: Any) -> Any:
        """Return rows as in `fit`, a table of any library as one of pandas; its columns must be those of `fit`."""
        X = as_pandas("X", X)
        if hasattr(X, "iloc"):
            validate_data(self, X, reset=False, skip_check_array=True)
        return X

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_callbacks" in state:  # an iterator cannot be pickled
            state["callbacks"] = list(state.pop("_callbacks")[1])
        return {**state, "_workshop": None} if "_workshop" in state else state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        students = named_students(self.student).values()
        of_students = [get_tags(student) for student in students]
        tags.input_tags.allow_nan = all(of.input_tags.allow_nan for of in of_students)
        tags.input_tags.pairwise = any(of.input_tags.pairwise for of in of_students)
        return tags
