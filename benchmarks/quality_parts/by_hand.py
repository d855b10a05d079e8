"""What one gets by hand: the plain student tuned, and a careful person who also tries one hop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from sklearn.ensemble import RandomForestClassifier

from multihop_search.models.fitting import fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.models.tuning import student_distributions
from multihop_search.transfer.transfer_set import TransferSet, one_hot
from quality_parts.cells import Found
from quality_parts.data import Split
from quality_parts.measures import row_losses
from quality_parts.students import folds, out_of_fold, seeded, stored_form, student

N_DRAWS = 40
ALPHAS = (None, 0.5, 1.0)
"""Shares of the soft labels in a hop; None: no hop."""
N_TREES, INNER_FOLDS = 300, 3


def draws(model: Any, seed: int) -> list[dict[str, Any]]:
    """Return parameters to try: the model's own, then random ones of what the package tunes for its class."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = student_distributions(model, "auto")
    study = optuna.create_study(sampler=RandomSampler(seed))
    study.enqueue_trial({name: model.get_params()[name] for name in space})
    return [study.ask(space).params for _ in range(N_DRAWS)]


def score(split: Split, proba: np.ndarray, by: str) -> float:
    """Return the mean accuracy or minus log-loss of the training rows."""
    mean = float(row_losses(split.y, proba)[by].mean())
    return mean if by == "accuracy" else -mean


def plain(split: Split, seed: int, names: tuple[str, ...], by: str) -> Iterator[Found]:
    """Tune each student by random search and 5 folds, and fit it again on all training rows."""
    for name in names:
        start = time.perf_counter()
        tried = draws(student(name), seed)

        def made(part: Split, params: Mapping[str, Any], name: str = name) -> Any:
            return seeded(student(name), seed).set_params(**params).fit(part.X, part.y)

        def held_out(params: Mapping[str, Any], made: Any = made) -> float:
            return score(split, out_of_fold(split, seed, lambda part: made(part, params)), by)

        best = max(tried, key=held_out)
        proba = stored_form(made(split, best), split.X_fresh, split.classes)
        yield Found(name, proba, time.perf_counter() - start, params=best)


def forest(split: Split, seed: int) -> Any:
    """Return the teacher of the hand-made rivals, fitted."""
    return RandomForestClassifier(N_TREES, random_state=seed, n_jobs=1).fit(split.X, split.y)


def soft_labels(split: Split, seed: int) -> np.ndarray:
    """Return the teacher's cross-fitted probabilities of the training rows."""
    return out_of_fold(split, seed, lambda part: forest(part, seed), INNER_FOLDS)


def taught(model: Any, split: Split, alpha: float | None, soft: np.ndarray) -> Any:
    """Fit a student to `alpha` parts of soft labels and the rest true ones."""
    if alpha is None:
        return model.fit(split.X, split.y)
    targets = alpha * soft + (1 - alpha) * one_hot(split.y, len(split.classes))
    return fit(
        model, TrainingSet(split.X, split.y, split.classes, transfer=TransferSet(targets, np.ones(len(split.y))))
    )


def careful(split: Split, seed: int, names: tuple[str, ...], tuned: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    """Choose by 5 folds among default and tuned parameters, each without a hop and with one; soft labels are made
    within each part. The seconds are those beyond tuning, the teacher's shared by the students."""
    start = time.perf_counter()
    parts = [split, *(split.take(train) for train, _ in folds(split, seed))]
    labels = {part.X.tobytes(): soft_labels(part, seed) for part in parts}
    shared = (time.perf_counter() - start) / len(names)
    for name in names:
        start = time.perf_counter()

        def made(part: Split, way: tuple[Mapping[str, Any], float | None], name: str = name) -> Any:
            params, alpha = way
            return taught(seeded(student(name), seed).set_params(**params), part, alpha, labels[part.X.tobytes()])

        def held_out(way: tuple[Mapping[str, Any], float | None], made: Any = made) -> float:
            return score(split, out_of_fold(split, seed, lambda part: made(part, way)), "log_loss")

        best = max(product(({}, tuned[name]), ALPHAS), key=held_out)
        proba = stored_form(made(split, best), split.X_fresh, split.classes)
        note = f"{'tuned' if best[0] else 'default'}, " + ("no hop" if best[1] is None else f"alpha {best[1]}")
        yield Found(name, proba, shared + time.perf_counter() - start, more={"note": note})
