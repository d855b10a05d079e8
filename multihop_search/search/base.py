"""The shared part of the two estimators: it checks, delegates and stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, ClassVar, Self

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from sklearn.utils.validation import check_random_state

from multihop_search.engine.memo import MEMO
from multihop_search.engine.study import told_study
from multihop_search.errors import (
    SmallWindowWarning,
    warn,
)
from multihop_search.executors import Executor, SerialExecutor, Session
from multihop_search.export import export_model
from multihop_search.filters import lasting_filters
from multihop_search.paths.path import TEACHER
from multihop_search.problem.rows import checked_rows, checked_unlabeled
from multihop_search.problem.tables import as_pandas
from multihop_search.report.page import checked_file, fragment, write_page
from multihop_search.report.progress import stage
from multihop_search.search.delegation import Delegation
from multihop_search.search.facts import facts_of, making_of
from multihop_search.search.refitting import Refitting
from multihop_search.search.run import Run
from multihop_search.search.settings import check_settings, named_students
from multihop_search.search.setup import UNKNOWN_TRIALS, Begun, Setup, begin
from multihop_search.search.where import check_executor, choose_executor, known_executor
from multihop_search.verdict.method import check_fresh, fresh_rows


class MultihopSearch(Refitting, Delegation):
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
        portfolio: Any = "auto",
        max_hops: int = 3,
        max_rows: int | None = 10_000,
        n_trials: int | None = None,
        timeout: float | None = None,
        n_trials_no_change: int | None = None,
        budget: Any = None,
        cv: Any = 5,
        crossfit_cv: int | bool = 3,
        scoring: Any = "auto",
        tolerance: float = 1.0,
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
        self.portfolio = portfolio
        self.max_hops = max_hops
        self.max_rows = max_rows
        self.n_trials = n_trials
        self.timeout = timeout
        self.n_trials_no_change = n_trials_no_change
        self.budget = budget
        self.cv = cv
        self.crossfit_cv = crossfit_cv
        self.scoring = scoring
        self.tolerance = tolerance
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

    def set_up(
        self, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None, X_unlabeled: Any = None
    ) -> Setup:
        """Return what `fit` would begin with on these data, made in this process; no trial is run.

        Parameters
        ----------
        X, y, sample_weight, groups, X_unlabeled
            As in `fit`.

        Returns
        -------
        Setup
            With `problem` (rows, folds, score), `ladder` (models by name) and `space` (what trials draw from). A fitted
            search has its own as `setup_`.
        """
        self.check_settings()
        session = SerialExecutor().start()
        rows = {"sample_weight": sample_weight, "groups": groups, "X_unlabeled": X_unlabeled}
        with lasting_filters():
            return self._begin(X, y, session=lambda: session, **rows).finish()

    def _forget(self) -> dict[str, Any]:
        """Take away what an earlier fit learned, and return it."""
        state: dict[str, Any] = self.__dict__
        return {name: state.pop(name) for name in list(state) if name.endswith("_")}

    def _fit(self, X: Any, y: Any, X_y_fresh: tuple[Any, Any] | None, **rows: Any) -> None:
        start = time.monotonic()
        self.check_settings()
        with ExitStack() as undo:
            limits = () if self.hop_timeout is None else (self.hop_timeout,)
            sessions: list[Session] = []

            def session_on(executor: Executor) -> Session:
                if not sessions:
                    sessions.append(undo.enter_context(closing(executor.start(*limits))))
                return sessions[0]

            executor = known_executor(self.executor, self.n_jobs, hop_timeout=self.hop_timeout)
            here = SerialExecutor().start()
            asked = X_y_fresh is not None
            with stage("looking at the rows, and at models fitted on a few of them", shown=self.verbose > 0):
                begun = self._begin(
                    X, y, session=lambda: session_on(executor) if executor else here, fresh=asked, **rows
                )
            fresh = None if X_y_fresh is None else fresh_rows(self, *X_y_fresh, begun.problem)
            expected = (self.n_trials or UNKNOWN_TRIALS) * len(begun.students)
            deadline = None if self.timeout is None else start + self.timeout
            chosen = choose_executor(self.executor, self.n_jobs, begun, expected, hop_timeout=self.hop_timeout)
            if chosen.n_workers > self.n_ahead:
                few = f"n_ahead={self.n_ahead} is below the {chosen.n_workers} workers: pass a larger one."
                warn(few, SmallWindowWarning)
            settings = {**begun.settings, "callbacks": self._listed_callbacks()}
            try:
                with stage("looking at the models between teacher and student", shown=self.verbose > 0):
                    setup = begun.finish()
                run = Run(setup, settings, session_on(chosen), fresh)
                try:
                    run.run(run.setup.n_trials(self.n_trials), deadline)
                finally:
                    self._keep(run)
                assert run.selection is not None
                n_fitted = run.selection.models.n_rows
                self.making_ = making_of(run.setup.problem, run.setup.ladder, n_fitted, time.monotonic() - start)
            finally:
                MEMO.clear(begun.problem.token)
                for callback in self._listed_callbacks():
                    if hasattr(callback, "flush"):
                        callback.flush()

    def _keep(self, run: Run) -> None:
        """Keep what a run learned, as far as it went: whatever the last step meets, the trials are not lost."""
        trials, problem = run.trials, run.setup.problem
        if not trials.records:
            return
        self.study_ = told_study(run.study, len(trials.records))
        self.setup_, self.space_ = run.setup, run.setup.space
        self.paths_ = tuple(record.path for record in trials.records)
        self.scorer_, self.multimetric_, self.n_splits_ = problem.scoring, False, len(problem.folds)
        if problem.classes is not None:
            self.classes_ = problem.classes
        self.results_, self.cv_results_ = run.tables(self.study_, named_students(self.student))
        if run.selection is None:
            return
        best, models = run.selection.best, run.selection.models
        self.chosen_ = {name: record.number for name, record in run.selection.chosen.items()}
        self.best_index_, self.best_path_ = best.number, best.path
        self.best_trial_ = self.study_.get_trials(deepcopy=False)[best.number]
        self.best_params_, self.best_score_ = dict(self.best_trial_.params), trials.score(best)[0]
        self.best_estimator_, self.path_models_ = models.student, dict(models.by_name)
        if TEACHER in models.by_name:
            self.teacher_ = models.by_name[TEACHER]
        if run.out_of_fold is not None:
            self.out_of_fold_ = run.out_of_fold
        if run.refit_seconds is not None:
            self.verdicts_, self.verdict_ = run.verdicts, run.verdicts[best.path.student]
            self.refit_time_ = run.refit_seconds

    def check_settings(self) -> None:
        """Raise what `fit` would say of the settings, before there are data.

        Raises
        ------
        InvalidSetting
            If a setting cannot be served, alone or beside another.
        """
        check_settings(self._settings(), regression=self._regression)
        check_executor(self.executor, self.n_jobs)

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.get_params(deep=False)
        if isinstance(self.callbacks, Iterator):
            settings["callbacks"] = self._listed_callbacks()
        return settings

    def _begin(
        self,
        X: Any,
        y: Any,
        *,
        session: Callable[[], Session],
        sample_weight: Any = None,
        groups: Any = None,
        X_unlabeled: Any = None,
        fresh: bool = False,
    ) -> Begun:
        """Check the data, and begin to set up; the settings are checked."""
        settings = self._settings()
        X, y = checked_rows(self, "X", X), as_pandas("y", y)
        return begin(
            settings,
            X,
            y,
            regression=self._regression,
            random_state=self._base_seed(),
            sample_weight=as_pandas("sample_weight", sample_weight),
            groups=as_pandas("groups", groups),
            unlabeled=None if X_unlabeled is None else checked_unlabeled(self, X_unlabeled, X),
            fresh=fresh,
            threads=1 if self.executor is None else self.executor.cpus_per_hop,
            session=session,
        )

    def _base_seed(self) -> int:
        seed = self.random_state
        return int(seed) if isinstance(seed, (int, np.integer)) else int(check_random_state(seed).randint(2**31 - 1))

    def _listed_callbacks(self) -> Sequence[Callable[[optuna.Study, FrozenTrial], None]]:
        """Return the callbacks; what can be gone through only once is remembered, for the next fit too."""
        if isinstance(self.callbacks, Iterator):
            if getattr(self, "_callbacks", (None,))[0] is not self.callbacks:
                self._callbacks = (self.callbacks, tuple(self.callbacks))
            return self._callbacks[1]
        return () if self.callbacks is None else tuple(self.callbacks)

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
        export_model(self.best_estimator_, file, X=None if self.setup_ is None else self.setup_.problem.X)

    def report(self, file: Any) -> None:
        """Write a page that explains the search: one HTML file that needs no network.

        It shows the verdict, the models side by side, the path, the student and the search. The best plain and one-hop
        students are fitted on all rows for it. They are as in the folds if the search was unpickled, and so has no
        rows, had a `timeout`, or looked at a sample of the rows.

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
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle and hasattr(self, "making_"):
            bundle["text/html"] = fragment(facts_of(self, refit=False))
        return bundle

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_callbacks" in state:  # an iterator cannot be pickled
            state["callbacks"] = list(state.pop("_callbacks")[1])
        return state | dict.fromkeys({"setup_", "out_of_fold_"} & set(state))  # they hold rows
