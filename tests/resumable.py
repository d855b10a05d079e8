"""A search with a checkpoint in a process of its own: ``main()`` with the arguments FOLDER FOUND RAN SETTING=VALUE ...

What it finds is pickled to FOUND; a line "path key, fold" is added to RAN for each fold that is run.
"""

import pickle
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import multihop_search.engine.prefixes as prefixes
from multihop_search import HardLabels, KnowledgeDistillation, MultihopSearchClassifier, Scheme, TransferSet


@dataclass(frozen=True)
class Moody(Scheme):
    """Passes on the upper model's probabilities, unless its mood is too bad."""

    mood: float | BaseDistribution = FloatDistribution(0.0, 1.0)
    usual_values: ClassVar[dict[str, Any]] = {"mood": 0.5}

    def transfer_set(self, outputs: Any, y: np.ndarray) -> TransferSet:
        if self.mood < 0.3:
            raise ArithmeticError(f"a mood of {self.mood:.3f} is no mood to teach in")
        return TransferSet(outputs.predictions.astype(float), np.ones(len(y)))


def tpe(seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)


def noted(ran: Path, judge: Callable[..., Any], *args: Any) -> Any:
    """Judge as the search does, and write down what was judged."""
    _, _, fold, path, *_ = args
    with ran.open("a") as file:
        file.write(f"{path.key} {fold}\n")
    return judge(*args)


@dataclass(frozen=True)
class Noted:
    """Stands in for the function that judges a path in a fold; can be sent to another process."""

    ran: Path
    judge: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return noted(self.ran, self.judge, *args)


def search_for(folder: Path | None, *, n_trials: int = 10, ray: int = 0, learns: int = 0, **settings: Any) -> Any:
    """Return the search; ray: workers, 0 for none; learns: whether the sampler does."""
    executor = None
    if ray:
        from multihop_search import RayExecutor

        executor = RayExecutor(n_workers=ray)
    students = [("tree", DecisionTreeClassifier(max_depth=3)), ("line", LogisticRegression(max_iter=300))]
    return MultihopSearchClassifier(
        students,
        RandomForestClassifier(3),
        intermediates=[
            ("forest", RandomForestClassifier(2, max_depth=4)),
            ("stump", DecisionTreeClassifier(max_depth=1)),
        ],
        schemes=[KnowledgeDistillation(), HardLabels(), Moody()],
        n_trials=n_trials,
        portfolio=None,
        cv=3,
        crossfit_cv=2,
        n_ahead=6,
        sampler=tpe if learns else "auto",
        checkpoint=folder,
        executor=executor,
        random_state=1,
        **settings,
    )


def data(n_rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    return make_classification(n_rows, 6, n_informative=4, n_redundant=1, n_classes=3, flip_y=0.1, random_state=0)


def main() -> None:
    folder, found, ran, *given = sys.argv[1:]
    settings = {name: int(value) for name, _, value in (item.partition("=") for item in given)}
    prefixes.judge = Noted(Path(ran), prefixes.judge)
    warnings.simplefilter("ignore")
    if settings.get("ray"):
        import ray

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    print("begun", flush=True)
    search = search_for(Path(folder), **settings).fit(*data())
    Path(found).write_bytes(pickle.dumps(search))
    print("done", flush=True)
