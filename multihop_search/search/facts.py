"""Facts: what a page needs of a fitted search, taken from it while its engine is at hand."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from multihop_search.models.complexity import complexity, latency_us, unit_of
from multihop_search.models.features import count_features
from multihop_search.paths.groups import Group, groups_of
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.path import TEACHER
from multihop_search.problem.problem import Problem
from multihop_search.report.facts import Compared, Facts, Making, Measured
from multihop_search.search.fingerprint import packages_of
from multihop_search.search.settings import named_students
from multihop_search.verdict.case import way_of
from multihop_search.versions import DISTRIBUTIONS, versions_of

PACKAGES = ("multihop_search", "sklearn", "numpy", "pandas", "optuna")
NOT_REFITTED = "Sizes and times of the other students in this table are means over the folds."
UNPICKLED = (
    "This search was unpickled, and training rows are no part of a pickle: sizes and times of the students in this "
    "table are means over the folds, the teacher's time is not known."
)


def making_of(problem: Problem, ladder: Ladder, n_fitted: int, seconds: float) -> Making:
    """Return how a search was made, as far as its page says it."""
    counts = None
    if problem.classes is not None:
        counts = dict(
            zip(problem.classes.tolist(), np.bincount(problem.y, minlength=problem.n_outputs).tolist(), strict=True)
        )
    return Making(
        n_rows=problem.n_given,
        n_searched=len(problem.searched.train),
        n_fitted=n_fitted,
        n_columns=int(problem.X.shape[1]),
        class_counts=counts,
        n_folds=len(problem.folds),
        random_state=problem.random_state,
        seconds=seconds,
        versions=_versions(ladder),
        n_unlabeled=0 if problem.unlabeled is None else int(problem.unlabeled.shape[0]),
        weighted=problem.sample_weight is not None,
        grouped=problem.groups is not None,
    )


def _versions(ladder: Ladder) -> dict[str, str]:
    versions = versions_of([*PACKAGES, *sorted(packages_of(ladder))])
    named = {DISTRIBUTIONS.get(module, module): version for module, version in versions.items()}
    return {"Python": platform.python_version(), **named}


def contenders(search: Any, name: str) -> dict[Group, int]:
    """Return the numbers of the trials that a student's comparison shows: the best of each group, and the chosen one.

    Parameters
    ----------
    search : MultihopSearch
        Fitted.
    name : str
        Of the student.
    """
    results, chosen = search.results_, search.chosen_[name]
    mine = results[(results["student"] == label_of(search, name)) & results["within_budget"] & results["score"].notna()]
    compares_fits = Group.OWN_FIT.value in search.verdicts_[name].scores.index
    ways = np.array([way_of(search.paths_[number]) for number in mine["trial"]]) if compares_fits else None
    groups = groups_of(mine["hops"].to_numpy(), ways)
    numbers = {}
    for group in (Group.PLAIN, Group.OWN_FIT, Group.ONE_HOP):
        members = mine.iloc[groups.get(group, [])]
        if chosen in set(members["trial"]):
            numbers[group] = chosen
        elif len(members):
            numbers[group] = int(members.loc[members["score"].idxmax(), "trial"])
    return {**numbers, Group.SELECTED: chosen}


def label_of(search: Any, name: str) -> str:
    """Return what `results_` calls a student."""
    labels = search.results_["student"].unique()
    return name if name in labels else str(labels[0])


def refitted(search: Any, numbers: Mapping[Group, int]) -> Iterator[tuple[Group, Any]]:
    """Yield the contenders with their students, fitted on all rows, each trial once.

    Raises
    ------
    SearchFailed
        If the search was unpickled: the training rows are not part of a pickle.
    """
    others = dict.fromkeys(number for number in numbers.values() if number != search.best_index_)
    models = dict(zip(others, search.refit_trials(others), strict=True))
    models[search.best_index_] = search.best_estimator_
    for group, number in numbers.items():
        yield group, models[number]


def facts_of(search: Any, *, refit: bool | None = None) -> Facts:
    """Return the facts of a fitted search.

    Parameters
    ----------
    search : MultihopSearch
        Fitted, or unpickled: then what needs the training rows is left out, and said to be.
    refit : bool or None, default=None
        Whether the best plain and one-hop students are fitted on all rows, to be measured. False: nothing is measured,
        sizes are those of the folds. None: they are where the search had all rows and no timeout, else only the models
        at hand are measured.
    """
    path, setup = search.best_path_, search.setup_
    best = path.student
    remarks: tuple[str, ...] = ()
    measures = setup is not None and refit is not False
    if refit is None:
        refit = setup is not None and setup.problem.sample is None and search.timeout is None
    if setup is None or not refit:
        remarks = (UNPICKLED if setup is None else NOT_REFITTED,)
    classes = getattr(search, "classes_", None)
    return Facts(
        verdicts=search.verdicts_,
        best=best,
        compared=tuple(_compared(search, best, refit=refit and setup is not None, measures=measures)),
        others={
            name: _measured_in_folds(search, name, Group.SELECTED, number, name)
            for name, number in search.chosen_.items()
        },
        path=path,
        models={
            name: Measured(_kind(model), complexity(model), unit_of(model))
            for name, model in search.path_models_.items()
        },
        student=search.best_estimator_,
        feature_names=_feature_names(search),
        class_names=None if classes is None else tuple(classes.tolist()),
        results=search.results_,
        labels={name: label_of(search, name) for name in search.verdicts_},
        chosen=search.chosen_,
        making=search.making_,
        remarks=remarks,
    )


def _compared(search: Any, student: str, *, refit: bool, measures: bool) -> Iterator[Compared]:
    numbers, scores = contenders(search, student), search.verdicts_[student].scores
    teacher = getattr(search, "teacher_", None)  # of a short search there may be none
    row, nan = search.setup_.problem.rows(np.array([0])) if measures else None, float("nan")
    if TEACHER in scores.index:
        yield Compared(
            TEACHER,
            _kind(teacher),
            scores.loc[TEACHER].to_dict(),
            complexity(teacher),
            count_features(teacher) or nan,
            latency_us(teacher, row) if row is not None and hasattr(teacher, "predict") else nan,  # or predictions
            unit_of(teacher),
        )
    models = dict(refitted(search, numbers)) if refit else {}
    if student == search.best_path_.student:
        models[Group.SELECTED] = search.best_estimator_
    for group, number in numbers.items():
        if row is None or group not in models:
            yield _measured_in_folds(search, student, group, number, group.label)
            continue
        model = models[group]
        size = complexity(model), count_features(model), latency_us(model, row), unit_of(model)
        yield Compared(group.label, _kind(model), scores.loc[group.value].to_dict(), *size)


def _measured_in_folds(search: Any, student: str, group: Group, number: int, name: str) -> Compared:
    scores, trial = search.verdicts_[student].scores, search.results_.loc[number]
    model = search.best_estimator_ if student == search.best_path_.student else named_students(search.student)[student]
    size = float(trial["nodes"]), float(trial["n_features_used"]), float(trial["latency_us"])
    return Compared(name, _kind(model), scores.loc[group.value].to_dict(), *size, unit_of(model))


def _kind(model: Any) -> str:
    steps = getattr(model, "steps", None)
    return _kind(steps[-1][1]) if steps else type(model).__name__


def _feature_names(search: Any) -> tuple[str, ...]:
    names = getattr(search, "feature_names_in_", None)
    return tuple(map(str, names)) if names is not None else tuple(f"x{place}" for place in range(search.n_features_in_))
