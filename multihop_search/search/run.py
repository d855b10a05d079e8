"""One run of a search: its trials, then the choice, the refit and the verdict, as far as it goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import optuna
import pandas as pd

from multihop_search.engine.crossfit import FittedTeacher
from multihop_search.engine.deadline import Deadline
from multihop_search.engine.log import Log
from multihop_search.engine.loop import Loop
from multihop_search.engine.patience import Patience
from multihop_search.engine.plan import Plan, make_pruner, make_sampler
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import FAIL
from multihop_search.engine.study import Callbacks, new_study
from multihop_search.errors import (
    ClusterLost,
    FailedTrialsWarning,
    RefitWarning,
    SearchFailed,
    StoppedWarning,
    warn,
)
from multihop_search.executors import Future, SerialExecutor, Session
from multihop_search.interrupt import Interrupted, interruptible
from multihop_search.problem.leaks import leaks_of_folds
from multihop_search.report.progress import progress, stage
from multihop_search.search.fingerprint import fingerprint, packages_of
from multihop_search.search.selection import Selection, select, verdicts_of
from multihop_search.search.setup import Setup
from multihop_search.transfer.transfer_set import TeacherOutputs
from multihop_search.verdict.assessment import Assessment, fidelity
from multihop_search.verdict.method import Method, method_for, runs_hops
from multihop_search.verdict.outside import FreshRows, fresh_rows_method, outputs_by_row
from multihop_search.verdict.predictions import OutOfFoldPredictions
from multihop_search.verdict.table import cv_results, results_table
from multihop_search.verdict.trials import Trials
from multihop_search.verdict.verdict import BBC, Verdict


class Run:
    """One run of a search; what it learned is there as far as it went, whatever ended it.

    Parameters
    ----------
    setup : Setup
        Problem, ladder and space.
    settings : mapping
        The arguments of the search, checked.
    session : Session
        Runs the hops.
    fresh : FreshRows or None
        Rows of the user's that judge.

    Attributes
    ----------
    study : optuna.Study
        The told trials, with scores that the sampler was told.
    trials : Trials
        Their records and predictions.
    fidelities : dict of int to float
        How often each trial says what the teacher says, by number.
    selection : Selection or None
        What was chosen and refitted.
    out_of_fold : OutOfFoldPredictions or None
        What the choice was made by.
    verdicts : dict of str to Verdict
        On each student's choice.
    refit_seconds : float or None
        How long choice, refit and verdict took.
    """

    def __init__(
        self, setup: Setup, settings: Mapping[str, Any], session: Session, fresh: FreshRows | None = None
    ) -> None:
        session.share(setup.space)  # what cannot be sent to workers is told before the first trial
        self.setup, self.fresh = setup, fresh
        self.study = new_study()
        self.fidelities: dict[int, float] = {}
        self.selection: Selection | None = None
        self.out_of_fold: OutOfFoldPredictions | None = None
        self.verdicts: dict[str, Verdict] = {}
        self.refit_seconds: float | None = None
        self._settings, self._session = settings, session
        self._deadline: Deadline | None = None
        plan, model_leaks = self._plan(), setup.model_leaks()
        verdict = settings["verdict"]
        self._assessment = Assessment(
            setup.problem,
            adaptive=plan.adaptive and fresh is None and isinstance(verdict, str) and verdict == BBC,
            optimistic=bool(model_leaks),
            leaks=(*model_leaks, *leaks_of_folds(setup.problem)),
            tolerance=float(settings["tolerance"]),
            believes=setup.space.max_hops > 0,
        )
        self.trials = Trials(self._assessment)

    def run(self, n_trials: int, deadline: float | None) -> None:
        """Run the trials, choose, refit and judge, by the time `deadline` on the monotonic clock if there is one.

        Raises
        ------
        SearchFailed
            If no trial worked, or a later part failed; what is there by then is kept.
        """
        if deadline is not None:
            problem = self.setup.problem
            judged = runs_hops(problem, self.fresh)
            fresh = self.fresh is not None
            self._deadline = Deadline(deadline, problem, judged=judged, fresh=fresh, teacher=self.setup.teacher_seconds)
        with self._opened_log() as log:
            prefixes = Prefixes(self._session, self.setup.problem, self.setup.ladder)
            teacher = prefixes.teacher(self.setup.problem.searched.number)
            try:
                self._run_trials(prefixes, log, n_trials)
            finally:
                self._report_failures()
            self._conclude(prefixes, teacher)

    def tables(self, study: optuna.Study, students: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return `results_` and `cv_results_`; `study` holds the told trials."""
        records = self.trials.records
        scores = {record.number: self.trials.score(record) for record in records if record.complete}
        labels = {name: name if len(students) > 1 else type(model).__name__ for name, model in students.items()}
        results = results_table(records, labels, scores, self.fidelities)
        return results, cv_results(records, results, [trial.params for trial in study.get_trials(deepcopy=False)])

    def _plan(self) -> Plan:
        seed = self.setup.problem.random_state
        sampler = make_sampler(self._settings["sampler"], seed)
        counts = self.setup.trials_of(self._settings["n_trials"])
        return Plan(self.setup.space, seed, sampler, self.setup.portfolio, counts)

    def _opened_log(self, without: int | None = None) -> AbstractContextManager[Log | None]:
        """Return the log of the search, or of its nested one without an outer fold, if there is a checkpoint."""
        settings = self._settings
        if settings["checkpoint"] is None:
            return nullcontext()
        pruner = make_pruner(settings["pruner"])
        identity = fingerprint(self.setup, self._plan(), pruner, settings, halves=self._assessment.adaptive)
        parts = identity.parts if without is None else {**identity.parts, "without": str(without)}
        packages = packages_of(self.setup.ladder) | identity.packages
        return closing(Log(settings["checkpoint"], parts, packages, quiet=without is not None))

    def _progress(self, n_steps: int, *, shown: bool = True) -> Any:
        unit = self.setup.problem.scoring.unit
        return progress(n_steps, unit, shown=shown and self._settings["verbose"] > 0)

    def _stage(self, words: str) -> AbstractContextManager[None]:
        return stage(words, shown=self._settings["verbose"] > 0)

    def _run_trials(self, prefixes: Prefixes, log: Log | None, n_trials: int) -> None:
        """Run the trials to their end, or until something stops them."""
        settings, trials = self._settings, self.trials
        patience = Patience(settings["n_trials_no_change"], len(self.setup.space.students))
        callbacks = Callbacks(settings["callbacks"])
        loop = self._loop(self.study, prefixes, self._assessment, log)
        try:
            with self._progress(n_trials) as show, interruptible():
                for record, predictions in loop.run(n_trials, self._deadline):
                    trials.add(record, predictions)
                    score = self._assessment.score(record) if record.inside else float("nan")
                    show(record.hops, score)
                    if callbacks.stop(self.study, record.number) or patience.ends(record, score):
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

    def _loop(self, study: optuna.Study, prefixes: Any, assessment: Assessment, log: Log | None) -> Loop:
        return Loop(
            study,
            self._plan(),
            prefixes,
            assessment,
            budget=self.setup.ladder.budget,
            pruner=make_pruner(self._settings["pruner"]),
            n_ahead=self._settings["n_ahead"],
            log=log,
        )

    def _report_failures(self) -> None:
        """Warn of failed trials."""
        records = self.trials.records
        failed = [record for record in records if record.state == FAIL]
        if failed:
            warn(
                f"{len(failed)} of {len(records)} trials failed, the first by {failed[0].reason}: see results_.",
                FailedTrialsWarning,
            )

    def _conclude(self, prefixes: Prefixes, future: Future) -> None:
        """Choose, refit and judge."""
        records = self.trials.records
        if all(record.state == FAIL for record in records):
            raise SearchFailed(f"some trial must be fitted and scored, all failed, the first by: {records[0].reason}")
        problem = self.setup.problem
        local = Prefixes(SerialExecutor().start(), problem, self.setup.ladder)
        limited = self._settings["hop_timeout"] is not None  # else workers hold no memory while this process refits
        last = not limited and not runs_hops(problem, self.fresh)
        try:
            teacher = self._teacher(prefixes.session, future, last=last)
        except ClusterLost as error:
            warn(f"the last step runs in this process: {error}", RefitWarning)
            prefixes, teacher = local, local.session.result(local.teacher(problem.searched.number))
        except Exception as error:
            best = self._select(prefixes if limited else local, None, None, judges=prefixes).best
            raise SearchFailed(
                f"the teacher must be fitted on all rows searched for the verdict, it was not ({type(error).__name__}: "
                f"{error}): best_estimator_ is the best student without a teacher, of trial {best.number}, without a "
                "verdict."
            ) from error
        if self._deadline is not None:
            self._deadline.teacher_is_fitted()
        if teacher is not None and not last:
            prefixes.put(problem.searched.number, (), teacher.outputs)
        believed = None if teacher is None else teacher.outputs
        if believed is not None and problem.sample is not None:
            believed = outputs_by_row(believed, problem.searched.train, problem.n_rows)
        if believed is not None:
            by_teacher = believed.table[self._assessment.held_out.row]
            self.fidelities = {
                record.number: fidelity(predictions, by_teacher, problem.n_outputs)
                for record, predictions in self.trials.kept()
            }
        method: Method | Exception | None = None
        try:
            if self.fresh is None:
                method = self._method(prefixes, None if teacher is None else teacher.model, believed)
        except Exception as error:  # it is raised when the choice is made and refitted
            method = error
        start = time.perf_counter()
        self.out_of_fold = OutOfFoldPredictions(self._assessment, self.trials, believed)
        with self._stage("fitting the chosen path"):
            selection = self._select(prefixes if limited else local, teacher, believed, judges=prefixes)
        try:
            if isinstance(method, Exception):
                raise method
            with self._stage("judging what was gained"):
                if self.fresh is not None:
                    models = selection.models
                    method = fresh_rows_method(self._assessment, prefixes, self.fresh, models, believed)
                assert method is not None
                self.verdicts = verdicts_of(selection, method, self.setup.ladder, self._assessment)
        except ClusterLost:
            raise
        except Exception as error:
            raise SearchFailed(
                f"best_estimator_ is fitted, but the verdict could not be given, it said: {error} "
                "(results_ holds the trials)."
            ) from error
        self.refit_seconds = time.perf_counter() - start

    def _teacher(self, session: Session, future: Future, *, last: bool) -> FittedTeacher | None:
        """Return the teacher on all rows searched; None where there is no time for it."""
        if self._deadline is not None and not self._deadline.allows_teacher:
            session.cancel(future)
            return None
        with self._stage("fitting the teacher"):
            teacher: FittedTeacher = (session.last_result if last else session.result)(future)
        return teacher

    def _select(
        self,
        prefixes: Prefixes,
        teacher: FittedTeacher | None,
        believed: TeacherOutputs | None,
        *,
        judges: Prefixes,
    ) -> Selection:
        self.selection = select(
            self._assessment,
            self.trials,
            prefixes,
            teacher,
            believed,
            judges=judges,
            with_fits=self.setup.with_fits,
            deadline=self._deadline,
        )
        return self.selection

    def _method(self, prefixes: Prefixes, teacher: Any, believed: TeacherOutputs | None) -> Method:
        """Return the method of the verdict; a nested search runs as many trials as were told."""
        problem, n_trials = self.setup.problem, len(self.trials.records)
        with self._progress(n_trials * len(problem.folds), shown=bool(problem.pairs)) as show:

            def again(number: int, without: Any, of_fold: Assessment) -> Trials:
                """Run the search again without an outer fold."""
                inner = Trials(of_fold)
                with self._opened_log(number) as log:
                    for record, predictions in self._loop(new_study(), without, of_fold, log).run(n_trials):
                        inner.add(record, predictions)
                        show(record.hops, of_fold.score(record) if record.inside else float("nan"))
                return inner

            return method_for(
                self._assessment,
                prefixes,
                teacher,
                believed,
                again=again,
                with_fits=self.setup.with_fits,
                learns=self._plan().adaptive,
                ended=self.trials.ended,
            )
