"""What one gets by hand: the plain student tuned, a tree shrunk too, and a careful person who also tries one hop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from multihop_search import OwnFit
from multihop_search.models.fitting import USUAL, FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.models.tuning import student_distributions
from multihop_search.transfer.transfer_set import TransferSet, one_hot
from quality_parts.cells import Found
from quality_parts.data import Split
from quality_parts.measures import row_losses
from quality_parts.students import DEPTHS, TREES, folds, out_of_fold, seeded, stored_form, student

N_DRAWS = 40
ALPHAS = (None, 0.5, 1.0)
"""Shares of the soft labels in a hop; None: no hop."""
N_TREES, INNER_FOLDS = 300, 3
LEAF_SIZES = (1, 5, 10, 30)
"""What is tuned of the trees of imodels."""


def draws(model: Any, seed: int, variance: float = 1.0) -> list[dict[str, Any]]:
    """Return parameters to try: the model's own, then random ones of what the package tunes for its class."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = student_distributions(model, "auto", variance=variance)
    study = optuna.create_study(sampler=RandomSampler(seed))
    study.enqueue_trial({name: model.get_params()[name] for name in space})
    return [study.ask(space).params for _ in range(N_DRAWS)]


def score(split: Split, proba: np.ndarray, by: str = "log_loss") -> float:
    """Return the mean accuracy or minus log-loss (of values, squared error) of the training rows."""
    mean = float(row_losses(split.y, proba)[by].mean())
    return mean if by == "accuracy" else -mean


def chosen(
    split: Split, seed: int, ways: Iterable[Any], made: Callable[[Split, Any], Any], by: str = "log_loss"
) -> tuple[Any, np.ndarray]:
    """Return the best way by 5 folds, and what its model, made of all training rows, predicts for the fresh ones."""
    best = max(ways, key=lambda way: score(split, out_of_fold(split, seed, lambda part: made(part, way)), by))
    return best, stored_form(made(split, best), split.X_fresh, split.classes)


def plain(split: Split, seed: int, names: Iterable[str], by: str = "log_loss", shrunk: bool = False) -> Iterator[Found]:
    """Tune each student by random search and 5 folds, and fit it again on all training rows; shrunk, if asked for."""
    for name in names:
        start = time.process_time()

        def made(part: Split, params: Mapping[str, Any], name: str = name) -> Any:
            model = seeded(student(name), seed).set_params(**params)
            return shrunk_fit(model, part, seed) if shrunk else model.fit(part.X, part.y)

        best, proba = chosen(split, seed, draws(student(name), seed, _variance(split)), made, by)
        yield Found(name, proba, time.process_time() - start, params=best)


def _variance(split: Split) -> float:
    return 1.0 if split.classes is not None else float(np.var(split.y))


def shrunk_fit(model: Any, split: Split, seed: int, transfer: TransferSet | None = None) -> Any:
    """Fit a tree by its class and shrink it, the strength chosen on parts of the rows, whole groups in each."""
    parts = tuple(test for _, test in folds(split, seed, INNER_FOLDS))
    rows = TrainingSet(split.X, split.y, split.classes, transfer=transfer)
    return fit(model, rows, FitOptions(tree_fit=OwnFit(shrinkage="auto"), parts=parts))


def imodels(split: Split, seed: int) -> Iterator[Found]:
    """Shrink trees by `imodels.HSTreeClassifierCV`, their leaf size chosen by 5 folds."""
    from imodels import HSTreeClassifierCV

    for name in TREES:
        start = time.process_time()

        def made(part: Split, size: int, name: str = name) -> Any:
            tree = seeded(student(name), seed).set_params(min_samples_leaf=size)
            return HSTreeClassifierCV(tree).fit(part.X, part.y)

        try:
            size, proba = chosen(split, seed, LEAF_SIZES, made)
        except ValueError as problem:  # a fold of theirs lacks a class
            print(f"imodels does not serve {name}: {problem}", flush=True)
            continue
        yield Found(name, proba, time.process_time() - start, more={"note": f"min_samples_leaf={size}"})


def forest(split: Split, seed: int) -> Any:
    """Return the teacher of the hand-made rivals, fitted."""
    kind = RandomForestRegressor if split.classes is None else RandomForestClassifier
    return kind(N_TREES, random_state=seed, n_jobs=1).fit(split.X, split.y)


def soft_labels(split: Split, seed: int) -> np.ndarray:
    """Return the teacher's cross-fitted probabilities, or values, of the training rows."""
    return out_of_fold(split, seed, lambda part: forest(part, seed), INNER_FOLDS)


def taught(alpha: float | None, split: Split, soft: np.ndarray) -> TransferSet | None:
    """Return `alpha` parts of soft labels and the rest true ones; None: no hop."""
    if alpha is None:
        return None
    true = split.y[:, None] if split.classes is None else one_hot(split.y, len(split.classes))
    return TransferSet(alpha * soft + (1 - alpha) * true, np.ones(len(split.y)))


def careful(split: Split, seed: int, names: Iterable[str], tuned: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    """Choose by 5 folds among default and tuned parameters, each without a hop and with one, trees shrunk and not; soft
    labels are made within each part. The seconds are those beyond tuning, the teacher's shared by the students."""
    start, names = time.process_time(), tuple(names)
    parts = [split, *(split.take(train) for train, _ in folds(split, seed))]
    labels = {part.X.tobytes(): soft_labels(part, seed) for part in parts}
    shared = (time.process_time() - start) / len(names)
    for name in names:
        start = time.process_time()

        def made(part: Split, way: tuple[Mapping[str, Any], float | None, bool], name: str = name) -> Any:
            params, alpha, shrunk = way
            model = seeded(student(name), seed).set_params(**params)
            transfer = taught(alpha, part, labels[part.X.tobytes()])
            if shrunk:
                return shrunk_fit(model, part, seed, transfer)
            return fit(model, TrainingSet(part.X, part.y, part.classes, transfer=transfer), USUAL)

        ways = product(({}, tuned[name]), ALPHAS, (False, True) if name in DEPTHS else (False,))
        best, proba = chosen(split, seed, ways, made)
        note = f"{'tuned' if best[0] else 'default'}, {'no hop' if best[1] is None else f'alpha {best[1]}'}"
        more = {"note": note + ", shrunk" * best[2]}
        yield Found(name, proba, shared + time.process_time() - start, more=more)
