"""AutoGluon's `distill()` at the size of our students: a program for AutoGluon's own environment, files in and out.

    python autogluon_worker.py rows.npz found.npz SEED '{"learning_rate": 0.1}'

The last argument holds parameters of the booster, whose learning rate is otherwise one for thousands of rounds.
`rows.npz` holds X, y and X_fresh; `found.npz` gets the class probabilities of the fresh rows for "teacher" and each
student, the trees that the booster kept ("trees") and the seconds of the teacher and of distilling ("seconds"); what
was distilled once more after the repair has the names with " repaired".

`distill()` serves boosters, forests, CatBoost and networks, and leaves out a logistic regression without a word; a tree
is a forest of one tree without bootstrap, fitted to squared errors. Its boosters of three classes or more are stopped
by the log-loss of a table that `lgb_utils.func_generator` reshapes as if LightGBM handed it out flat, class by class,
as it did before version 4: rows and classes are mixed up, and the first round looks best. The repair hands it out so.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from autogluon.tabular.models.lgb import lgb_utils

TEACHER_SECONDS = 60
NOT_INSTALLED = ["CAT", "XGB", "NN_TORCH", "FASTAI"]
TREES = {"tree4": 4, "tree6": 6}
BOOSTER = "gbm10"
ROUNDS, LEAVES = 10, 8


def repair() -> None:
    """Let the stopping metric of soft labels see LightGBM's table (n_rows, n_classes) flat, class by class."""
    made = lgb_utils.func_generator

    def repaired(*args: Any, problem_type: str, **more: Any) -> Any:
        given = made(*args, problem_type=problem_type, **more)
        if problem_type != "softclass":
            return given
        return lambda scores, data: given(scores.flatten(order="F"), data)

    lgb_utils.func_generator = repaired


def distilled(
    predictor: TabularPredictor, fresh: pd.DataFrame, variant: str, tuned: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Distil all students; return their probabilities, the booster's trees and the seconds."""
    forests = [{"n_estimators": 1, "bootstrap": False, "max_features": 1.0, "max_depth": d} for d in TREES.values()]
    booster = {"num_boost_round": ROUNDS, "num_leaves": LEAVES, "num_threads": 1, **tuned}
    start = time.perf_counter()
    names = predictor.distill(
        hyperparameters={"RF": forests, "GBM": [booster]}, models_name_suffix=variant.strip() or None, verbosity=1
    )
    made = {f"seconds{variant}": np.array(time.perf_counter() - start)}
    for name in names:
        model = predictor._trainer.load_model(name).model
        if name.startswith("LightGBM"):
            student = BOOSTER
            made[f"trees{variant}"] = np.array(model.num_trees())
        elif name.startswith("RandomForest"):
            assert len(model.estimators_) == 1, model
            student = next(tree for tree, depth in TREES.items() if depth == model.max_depth)
        else:
            continue
        made[student + variant] = predictor.predict_proba(fresh, model=name).to_numpy()
    return made


def table(X: np.ndarray) -> pd.DataFrame:
    """Return rows under column names."""
    return pd.DataFrame(X, columns=[f"f{column}" for column in range(X.shape[1])])


def main() -> None:
    """Fit the teacher, distil as it is, repair, distil again."""
    rows, seed, tuned = np.load(sys.argv[1]), int(sys.argv[3]), json.loads(sys.argv[4])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (its augmentation draws from here)
    train, fresh = table(rows["X"]).assign(label=rows["y"]), table(rows["X_fresh"])
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        predictor = TabularPredictor("label", path=folder, eval_metric="log_loss", verbosity=1).fit(
            train,
            time_limit=TEACHER_SECONDS,
            num_bag_folds=5,
            num_stack_levels=0,
            dynamic_stacking=False,
            num_cpus=1,
            excluded_model_types=NOT_INSTALLED,
        )
        made = {"seconds teacher": np.array(time.perf_counter() - start)}
        made["teacher"] = predictor.predict_proba(fresh, model=predictor.model_best).to_numpy()
        made |= distilled(predictor, fresh, "", tuned)
        if len(np.unique(rows["y"])) > 2:
            repair()
            made |= distilled(predictor, fresh, " repaired", tuned)
    np.savez(sys.argv[2], **made)


if __name__ == "__main__":
    main()
