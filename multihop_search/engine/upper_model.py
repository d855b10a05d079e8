"""The upper model: a model above the last hop in one fold, and its out-of-fold predictions of the training rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from multihop_search.compat.sklearn import safe_indexing
from multihop_search.engine.fit import FitSpec, fit_model
from multihop_search.engine.out_of_bag import Votes, shares_or_mean
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.engine.synthetic_rows import synthetic_rows, unlabeled_numbers
from multihop_search.keys import digest
from multihop_search.models.fitting import repeats_rows
from multihop_search.models.registry import family_of
from multihop_search.models.stages import fitted_probes, graded_predictions, n_hidden_layers
from multihop_search.problem.problem import Fold, Problem
from multihop_search.problem.responses import joined_tables
from multihop_search.problem.teacher import RowTeacher
from multihop_search.transfer.calibration import calibrating_temperature
from multihop_search.transfer.synthetic import SyntheticRows
from multihop_search.transfer.transfer_set import TeacherOutputs

Grader = Callable[[Any], tuple[np.ndarray, dict[int, np.ndarray]]]
"""Rows to predictions of a model on them, and of its stages by k."""
BAG_SIZE = 30
"""A bagged model with at least this many members is cross-fitted by its out-of-bag rows."""


@dataclass(frozen=True)
class UpperModel:
    """A model above the last hop in one fold; it predicts its training rows by fits that did not see them."""

    problem: Problem
    fold: Fold
    spec: FitSpec
    sizes: tuple[int, ...]
    """Members of the stages that are wanted."""
    labels: bool = True
    """Whether it labels the fold's synthetic rows too."""
    scored: bool = False
    """Whether scores are taken of it, as they are of a student."""

    @property
    def estimator(self) -> Any:
        return self.spec.estimator

    @property
    def soft_labels(self) -> SoftLabels | None:
        return self.spec.soft_labels

    @property
    def pools(self) -> Mapping[str, SyntheticRows]:
        return synthetic_rows(self.problem, self.fold) if self.labels else {}

    def stored(self, predictions: np.ndarray, stages: Mapping[int, np.ndarray]) -> TeacherOutputs:
        """Return predictions, and those of stages by k, as outputs that are kept."""
        dtype = self.problem.stored
        return TeacherOutputs(predictions.astype(dtype), {k: of.astype(dtype) for k, of in sorted(stages.items())})

    def fit_part(self, positions: np.ndarray, part: int | None, estimator: Any = None) -> Any:
        """Fit on some of the training rows; `part` names the fit in its key."""
        if self.problem.classes is not None:
            labels = self.problem.classes[self.problem.y[self.fold.train[positions]]]
            if len(np.unique(labels)) == 1:  # an inner part may lack a class; few classifiers take a single one
                return DummyClassifier(strategy="prior").fit(np.zeros((len(positions), 1)), labels)
        spec = self.spec if estimator is None else replace(self.spec, estimator=estimator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nobody deploys it: what it teaches is judged
            return fit_model(self.problem, self.fold, part, positions, spec)

    def fit_all(self) -> Any:
        if isinstance(self.estimator, (FrozenEstimator, RowTeacher)):
            return self.estimator
        return self.fit_part(np.arange(len(self.fold.train)), None)

    def crossfit(self) -> tuple[TeacherOutputs, Any]:
        """Return the outputs, and the model fitted on all training rows where it was needed for them, else None."""
        if isinstance(self.estimator, RowTeacher):
            return self.answered(self.estimator), self.estimator
        if isinstance(self.estimator, FrozenEstimator) or not self.fold.inner:
            model = self.fit_all()
            everyone = np.arange(len(self.fold.train))
            grade = self.grader(model, everyone, self.sizes)
            labelled = {name: self.stored(*grade(pool.X)) for name, pool in self.pools.items()}
            outputs = replace(self.stored(*grade(self.problem.rows(self.fold.train))), synthetic=labelled)
            return replace(outputs, response=self.response([everyone], self.tables(model, everyone))), model
        members = family_of(self.estimator).voters(self.estimator)
        if members and self.soft_labels is None:  # a vote has no stages
            specs = [replace(self.spec, estimator=of, key=digest(self.spec.key, name)) for name, of in members]
            voters = [replace(self, spec=spec, scored=False) for spec in specs]
            outputs = mean_outputs([voter.crossfit()[0] for voter in voters])
            return with_temperature(self.problem, self.fold, outputs), None
        if not self.has_out_of_bag():
            return with_temperature(self.problem, self.fold, self.by_parts(self.estimator, self.sizes)), None
        model = self.fit_all()
        outputs = with_temperature(self.problem, self.fold, self.out_of_bag(model))
        small = tuple(k for k in self.sizes if k < BAG_SIZE)
        if small:
            fewer = family_of(self.estimator).with_members(self.estimator, max(small))
            few = self.by_parts(fewer, small)
            outputs = _with_stages(outputs, few)
        return outputs, model

    def answered(self, teacher: RowTeacher) -> TeacherOutputs:
        """Return what a teacher says that answers by row number; the only rows without a label are the user's."""
        problem, fold = self.problem, self.fold
        labelled = {
            name: self.stored(
                teacher.outputs_on_unlabeled(unlabeled_numbers(problem, fold, name)[0], problem.classes), {}
            )
            for name in problem.synthetic
        }
        outputs = self.stored(teacher.outputs_on_rows(problem.given_numbers(fold.train), problem.classes), {})
        return with_temperature(problem, fold, replace(outputs, synthetic=labelled))

    def grader(self, model: Any, positions: np.ndarray, sizes: tuple[int, ...]) -> Grader:
        """Return what any rows are graded by: a model fitted on some of the training rows, with its probes."""
        problem, probes = self.problem, {}
        if sizes and problem.classes is not None and n_hidden_layers(model):
            rows = self.fold.train[positions]
            labels = problem.classes[problem.y[rows]]
            probes = fitted_probes(model, problem.rows(rows), labels, problem.weights(rows), sizes)
        return partial(graded_predictions, model, classes=problem.classes, sizes=sizes, probes=probes)

    def has_out_of_bag(self) -> bool:
        """Whether out-of-bag rows can stand for cross-fitting: many members, no groups, each row once."""
        if not has_bags(self.estimator, self.problem):
            return False
        if self.soft_labels is None:
            return True
        if self.soft_labels.compression is not None:
            return False
        everyone = np.arange(len(self.fold.train))
        return not repeats_rows(self.estimator, self.soft_labels.transfer_set(self.problem, self.fold, everyone))

    def by_parts(self, estimator: Any, sizes: tuple[int, ...]) -> TeacherOutputs:
        """Predict each inner part, and the synthetic rows made from it, by a model fitted on the others."""
        problem, n_train, pools = self.problem, len(self.fold.train), self.pools
        real = _Table(n_train, problem, sizes)
        tables: list[np.ndarray] = []
        labelled = {name: _Table(len(pool.parent), problem, sizes) for name, pool in pools.items()}
        for part, left_out in enumerate(self.fold.inner):
            others = np.setdiff1d(np.arange(n_train), left_out)
            model = self.fit_part(others, part, estimator)
            tables.extend(self.tables(model, left_out))
            grade = self.grader(model, others, sizes)
            real.fill(left_out, *grade(problem.rows(self.fold.train[left_out])))
            for name, pool in pools.items():
                mine = np.flatnonzero(np.isin(pool.parent, left_out))
                if len(mine):
                    labelled[name].fill(mine, *grade(safe_indexing(pool.X, mine)))
        synthetic = {name: table.outputs() for name, table in labelled.items()}
        return replace(real.outputs(), synthetic=synthetic, response=self.response(self.fold.inner, tables))

    def tables(self, model: Any, positions: np.ndarray) -> list[np.ndarray]:
        """Return what the score reads of a model on some of the training rows; nothing unless it is scored."""
        if not self.scored:
            return []
        table = self.problem.scoring.table(model, self.problem.rows(self.fold.train[positions]))
        return [table.astype(self.problem.stored)]

    def response(self, parts: Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return the tables of all parts, rows in their order; None where they hold no more than probabilities."""
        joined = joined_tables(tables) if tables else np.empty((0, 0))
        if joined.shape[1] <= self.problem.n_outputs:
            return None
        response = np.empty_like(joined)
        response[np.concatenate(parts)] = joined
        return response

    def out_of_bag(self, forest: Any) -> TeacherOutputs:
        """Average, for each row, the trees that did not see it, and for a synthetic row those that did not its parent.

        For each stage of `BAG_SIZE` members or more too.
        """
        problem, train, pools = self.problem, self.fold.train, self.pools
        base = shares_or_mean(problem, train, forest)
        whole = Votes(problem.rows(train), np.arange(len(train)), problem, forest, base)
        votes = {name: Votes(pool.X, pool.parent, problem, forest, base) for name, pool in pools.items()}
        stages: dict[int, dict[str, np.ndarray]] = {}
        for k, (predict, seen) in enumerate(family_of(forest).bags(forest), start=1):
            unseen = np.ones(len(train), dtype=bool)
            unseen[seen] = False
            for vote in (whole, *votes.values()):
                vote.count(predict, unseen)
            if k in self.sizes and k >= BAG_SIZE:
                stages[k] = {"": whole.average(), **{name: vote.average() for name, vote in votes.items()}}
        labelled = {
            name: self.stored(vote.average(), {k: stage[name] for k, stage in stages.items()})
            for name, vote in votes.items()
        }
        outputs = self.stored(whole.average(), {k: stage[""] for k, stage in stages.items()})
        return replace(outputs, synthetic=labelled)


def has_bags(model: Any, problem: Problem) -> bool:
    """Return whether a model has many members, each fitted on a bag of rows that may be drawn apart."""
    family = family_of(model)
    return family.has_bags(model) and family.members(model) >= BAG_SIZE and problem.groups is None


def crossfit_fits(model: Any, problem: Problem) -> float:
    """Return about how many times as long as one fit it takes to cross-fit a model without a teacher."""
    members = [member for _, member in family_of(model).voters(model)] or [model]
    out_of_bag, by_parts = 2.0, float(max(len(problem.searched.inner), 1))
    return float(np.mean([out_of_bag if has_bags(member, problem) else by_parts for member in members]))


def mean_outputs(parts: Sequence[TeacherOutputs]) -> TeacherOutputs:
    """Return the mean of several models' outputs, not calibrated: what their soft vote says."""
    labelled = {name: mean_outputs([part.synthetic[name] for part in parts]) for name in parts[0].synthetic}
    predictions = np.stack([part.predictions for part in parts]).mean(axis=0, dtype=np.float64)
    return TeacherOutputs(predictions.astype(parts[0].predictions.dtype), synthetic=labelled)


class _Table:
    """Outputs that are filled part by part."""

    def __init__(self, n_rows: int, problem: Problem, sizes: tuple[int, ...]) -> None:
        shape = (n_rows, problem.n_outputs)
        self.predictions = np.empty(shape, dtype=problem.stored)
        self.stages = {k: np.empty(shape, dtype=problem.stored) for k in sorted(sizes)}

    def fill(self, rows: np.ndarray, predictions: np.ndarray, stages: Mapping[int, np.ndarray]) -> None:
        self.predictions[rows] = predictions
        for k, stage in stages.items():
            self.stages[k][rows] = stage

    def outputs(self) -> TeacherOutputs:
        return TeacherOutputs(self.predictions, self.stages)


def _with_stages(outputs: TeacherOutputs, more: TeacherOutputs) -> TeacherOutputs:
    """Return `outputs` with the stages of `more` beside their own, weakest first."""
    labelled = {name: _with_stages(of, more.synthetic[name]) for name, of in outputs.synthetic.items()}
    return replace(outputs, stages=dict(sorted({**outputs.stages, **more.stages}.items())), synthetic=labelled)


def with_temperature(problem: Problem, fold: Fold, outputs: TeacherOutputs) -> TeacherOutputs:
    """Return cross-fitted outputs with their calibrating temperature; synthetic rows have the same."""
    if problem.classes is None:
        return outputs
    y, weights = problem.y[fold.train], problem.weights(fold.train)
    temperature = calibrating_temperature(outputs.predictions, y, weights)
    labelled = {name: replace(of, temperature=temperature) for name, of in outputs.synthetic.items()}
    return replace(outputs, temperature=temperature, synthetic=labelled)
