"""The code behind a search: what changed of the user's code begins another log, a comment does not."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import HardLabels, ModelCompression, MultihopSearchClassifier
from multihop_search.search.code import Code, is_installed
from multihop_search.transfer.synthetic import GENERATORS

pytestmark = pytest.mark.once

SOURCE = '''
"""A module of the user's."""
import enum
import functools
import logging
from dataclasses import dataclass

import numpy as np
import own_helper
from own_helper import imported
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.tree import DecisionTreeClassifier

LOG = logging.getLogger("mine")
COST = 2.0
COSTS = {"a": [1.0, 2.0], "b": 3}
NAMES = {"x", "y", "z"}
TABLE = np.arange(4.0)
CALLS, COUNT, CACHE = [], 0, {}


def below(values):
    return values * 2


def score(y, prediction, *, power=1):
    """Say how good it is."""
    # a comment
    global COUNT
    COUNT += 1
    CALLS.append(len(y))
    CACHE["last"] = 1
    CACHE["n"] = COUNT
    LOG.debug("scored")
    chosen = [name for name in ("x", "q") if name in {"x", "y", "z"}]
    loss = below(np.abs(y - prediction)) ** power
    return -float(loss.sum()) * COST + len(chosen) + COSTS["b"] + TABLE[1] + len(NAMES)


def lazy(X):
    from own_helper import late
    return late(X)


def far(X):
    return own_helper.near(imported(X))


def doubled(function):
    @functools.wraps(function)
    def inner(*args):
        return 2 * function(*args)
    return inner


@doubled
def decorated(X):
    return X + 1


@functools.lru_cache
def cached(X):
    return X + 1


def with_weight(weight):
    seen = []
    def inner(model, X, y):
        seen.append(1)
        return weight * model.score(X, y)
    return inner


class Above:
    def cut(self, X):
        return X > 1


class Shift(Above, TransformerMixin, BaseEstimator):
    step = 1

    def __init__(self, size=1):
        self.size = size

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self._moved(X)

    def _moved(self, X):
        return X + self.step * self.size

    @property
    def half(self):
        return self.size / 2

    @staticmethod
    def third(X):
        return X / 3


class Tree(DecisionTreeClassifier):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


class Score:
    def __init__(self, weight):
        self.weight, self.calls = weight, 0

    def __call__(self, model, X, y):
        self.calls += 1
        return self.weight * self._plain(model, X, y)

    def _plain(self, model, X, y):
        return model.score(X, y)

    def named(self, model, X, y):
        return model.score(X, y)


@dataclass(frozen=True)
class Settings:
    alpha: float = 0.5

    def blend(self, a, b):
        return self.alpha * a + b
'''
HELPER = """
def imported(X):
    return X - 1

def near(X):
    return nearer(X)

def nearer(X, times=1):
    return X - 2

def late(X):
    return X - 3

def unused(X):
    return X - 4
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Return a function that imports the user's module anew, after edits of it and of the module beside it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def loaded(*edits: tuple[str, str]) -> ModuleType:
        texts = {"own_module": SOURCE, "own_helper": HELPER}
        for before, after in edits:
            assert sum(text.count(before) for text in texts.values()) == 1, before
            texts = {name: text.replace(before, after) for name, text in texts.items()}
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("own_module")

    yield loaded
    for name in ("own_module", "own_helper"):
        sys.modules.pop(name, None)


THINGS: dict[str, Callable[[Any], Any]] = {
    "function": lambda m: m.score,
    "metric": lambda m: vars(make_scorer(m.score)),
    "partial": lambda m: __import__("functools").partial(m.score, power=2),
    "lazy": lambda m: m.lazy,
    "far": lambda m: m.far,
    "decorated": lambda m: m.decorated,
    "cached": lambda m: m.cached,
    "closure": lambda m: m.with_weight(3),
    "object": lambda m: m.Score(2),
    "method": lambda m: m.Score(2).named,
    "dataclass": lambda m: m.Settings(),
    "estimator": lambda m: m.Shift(),
    "subclass": lambda m: m.Tree(max_depth=2),
    "vectorised": lambda m: np.vectorize(m.below),
    "pipeline": lambda m: make_pipeline(
        ColumnTransformer([("own", FunctionTransformer(m.score, inverse_func=m.far), [0])]), m.Tree()
    ),
    "held": lambda m: {"a": [m.Shift(3)], "b": (m.Settings, {m.below})},
}


def described(thing: Any) -> str:
    return json.dumps(Code().describe(thing), sort_keys=True)


EDITS = [
    ("function metric partial pipeline", "** power", "** -power"),
    ("function metric partial pipeline vectorised held", "values * 2", "values * 3"),
    ("function metric partial pipeline", "COST = 2.0", "COST = 2.5"),
    ("function metric partial pipeline", '"b": 3', '"b": 4'),
    ("function metric partial pipeline", "np.arange(4.0)", "np.arange(4.0)[::-1]"),
    ("function metric partial pipeline", 'NAMES = {"x", "y"', 'NAMES = {"x", "w"'),
    ("function metric partial pipeline", 'name in {"x", "y"', 'name in {"x", "w"'),
    ("function metric partial pipeline", "power=1", "power=3"),
    ("lazy", "X - 3", "X - 33"),
    ("far pipeline", "X - 1\n", "X - 11\n"),
    ("far pipeline", "X - 2", "X - 22"),
    ("far pipeline", "times=1", "times=2"),
    ("decorated", "2 * function", "3 * function"),
    ("closure", "weight * model.score", "weight + model.score"),
    ("closure", "seen = []\n    def inner(model, X, y)", "seen = []\n    def inner(model, X, y, z=1)"),
    ("object method", "self.weight * self._plain", "self.weight + self._plain"),
    ("estimator held", "X > 1", "X > 2"),
    ("estimator held", "step = 1", "step = 2"),
    ("estimator held", "X + self.step", "X - self.step"),
    ("estimator held", "self.size / 2", "self.size / 4"),
    ("estimator held", "X / 3", "X / 4"),
    ("subclass pipeline", "super().fit(X, y, sample_weight)", "super().fit(X, y)"),
    ("dataclass held", "self.alpha * a", "self.alpha + a"),
    ("dataclass held", "alpha: float = 0.5", "alpha: float = 0.6"),
    ("", "# a comment", "# another\n\n    # and one more"),
    ("", "Say how good", "Tell how good"),
    ("", "A module of", "The module of"),
    ("", "import enum", "import enum\n\n\n"),
    ("", "X - 4", "X - 44"),
]


@pytest.mark.parametrize(("changed", "before", "after"), EDITS, ids=[after[:30] for _, _, after in EDITS])
def test_an_edit_changes_what_uses_it_and_nothing_else(
    changed: str, before: str, after: str, load: Callable[..., ModuleType]
) -> None:
    old = load()
    texts = {name: described(make(old)) for name, make in THINGS.items()}
    new = load((before, after))
    assert {name for name, make in THINGS.items() if described(make(new)) != texts[name]} == set(changed.split())


def test_what_is_loaded_again_is_the_same_code(load: Callable[..., ModuleType]) -> None:
    old = load()
    texts = {name: described(make(old)) for name, make in THINGS.items()}
    again = load()
    assert texts == {name: described(make(again)) for name, make in THINGS.items()}


def test_what_a_call_changes_is_no_code(load: Callable[..., ModuleType]) -> None:
    module = load()
    things = {name: make(module) for name, make in THINGS.items()}
    texts = {name: described(thing) for name, thing in things.items()}
    model = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    module.score(np.zeros(2), np.ones(2))
    things["closure"](model, [[0.0]], [0])
    things["object"](model, [[0.0]], [0])
    things["subclass"].fit([[0.0], [1.0]], [0, 1])
    things["cached"](1)
    assert {name: described(thing) for name, thing in things.items()} == texts


def test_values_that_an_object_or_a_closure_holds_count(load: Callable[..., ModuleType]) -> None:
    module = load()
    assert described(module.Score(2)) != described(module.Score(3))
    assert described(module.with_weight(2)) != described(module.with_weight(3))
    assert described(module.Score(2).named) != described(module.Score(3).named)


def test_a_description_is_equal_in_every_process(tmp_path: Path, load: Callable[..., ModuleType]) -> None:
    load()
    code = (
        "import sys, functools, json, numpy as np\n"
        "from multihop_search.search.code import Code\n"
        "import own_module as m\n"
        "things = [m.score, m.far, m.lazy, m.Shift(), m.Tree(), m.Score(1), m.with_weight(2), m.cached, m.Settings()]\n"
        "print(json.dumps([Code().describe(thing) for thing in things]))\n"
        'exec(\'def mine(X):\\n return X in {1, "a", "b", (2, "c")}\')\n'
        "print(json.dumps(Code().describe(mine)))\n"
    )
    places = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": places}  # here another seed was drawn
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    with redirect_stdout(StringIO()) as here:
        exec(code, {"__name__": "__main__"})
    assert here.getvalue() == there.stdout


def test_what_is_installed_is_known_by_name_and_version(load: Callable[..., ModuleType]) -> None:
    module = load()
    code = Code()
    code.describe(make_pipeline(FunctionTransformer(module.score), StandardScaler()))
    assert {"numpy", "sklearn"} <= code.packages
    assert not {"own_module", "own_helper", "logging"} & code.packages
    assert all(map(is_installed, ("numpy.linalg", "json", "sklearn", "multihop_search.keys", "builtins")))
    assert not any(map(is_installed, ("own_module", "__main__", __name__, "no_such_module")))


# ---- in a search


def fit(folder: Path, student: Any, **settings: Any) -> int:
    """Fit a small search and return how many logs there are."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    search = MultihopSearchClassifier(
        student, RandomForestClassifier(4), n_trials=1, random_state=0, checkpoint=folder,
        **{"schemes": [HardLabels()], "intermediates": [], "cv": 2, **settings},
    )  # fmt: skip
    search.fit(X, (X[:, 0] > 0).astype(int))
    return len(list(folder.iterdir()))


def fit_with_generator(folder: Path, generator: Callable[..., Any]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GENERATORS, "munge", generator)
        schemes = [HardLabels(), ModelCompression(multiple=1, generator="munge")]
        return fit(folder, DecisionTreeClassifier(max_depth=2), schemes=schemes)


OWN = """
import numpy as np
from dataclasses import dataclass
from multihop_search import Scheme, TransferSet
from multihop_search import Refined
from multihop_search.transfer.synthetic import munge
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

def accuracy(y, prediction):
    return float(np.mean(y == prediction)) * 1

def by_model(model, X, y):
    return accuracy(y, model.predict(X))

def moved(X):
    return X + 1

class Tree(DecisionTreeClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, 1 * y, sample_weight)

@dataclass(frozen=True)
class Own(Scheme):
    def transfer_set(self, outputs, y):
        return TransferSet(outputs.predictions.astype(float) * 1, np.ones(len(y)))

class Sampler(RandomSampler):
    def sample_independent(self, study, trial, name, distribution):
        note = "sampler 1"
        return super().sample_independent(study, trial, name, distribution)

class Pruner(BasePruner):
    def prune(self, study, trial):
        return trial.number < -1

class Splitter(StratifiedKFold):
    def split(self, X, y=None, groups=None):
        folds = list(super().split(X, y, groups))
        return folds[: 5 - 1]

def sampler_of(seed):
    return Sampler(seed=seed)

def one_of(rows, n_rows, rng_of_round):
    return munge(rows, 1 * n_rows, rng_of_round)

class Fit(Refined):
    def structure(self, sample, loss, bounds, rng):
        note = "fit 1"
        return super().structure(sample, loss, bounds, rng)
"""
PLACES: dict[str, Callable[[Any, Path], int]] = {
    "def accuracy": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), scoring=make_scorer(m.accuracy)),
    "== prediction": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), scoring=m.by_model),
    "X + 1": lambda m, folder: fit(folder, make_pipeline(FunctionTransformer(m.moved), DecisionTreeClassifier())),
    "1 * y": lambda m, folder: fit(folder, m.Tree(max_depth=2)),
    "float) * 1": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), schemes=[m.Own()]),
    "sampler 1": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), sampler=m.sampler_of),
    "< -1": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), pruner=m.Pruner()),
    "5 - 1": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), cv=m.Splitter(4)),
    "fit 1": lambda m, folder: fit(folder, DecisionTreeClassifier(max_depth=2), tree_fits=[m.Fit()]),
    "1 * n_rows": lambda m, folder: fit_with_generator(folder, m.one_of),
    "def moved": lambda m, folder: fit(
        folder,
        DecisionTreeClassifier(max_depth=2),
        max_hops=2,
        intermediates=[("moved", make_pipeline(FunctionTransformer(m.moved), DecisionTreeClassifier()))],
    ),
}


@pytest.mark.filterwarnings("ignore::multihop_search.errors.NewLogWarning")
@pytest.mark.parametrize("place", PLACES)
def test_a_search_with_edited_code_begins_another_log(
    place: str, tmp_path: Path, load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = {
        "def accuracy": OWN.replace("prediction)) * 1", "prediction)) * 2"),
        "== prediction": OWN.replace("prediction)) * 1", "prediction)) * 2"),
        "1 * y": OWN.replace("1 * y", "0 + y"),
        "def moved": OWN.replace("X + 1", "X + 2"),
    }.get(place, OWN.replace(place, place.replace("1", "2")))
    folder = tmp_path / "log"
    monkeypatch.setitem(globals(), "SOURCE", OWN)
    assert PLACES[place](load(), folder) == 1
    monkeypatch.setitem(globals(), "SOURCE", OWN.replace("\ndef", "\n# said\n\ndef"))
    assert PLACES[place](load(), folder) == 1
    assert edited != OWN
    monkeypatch.setitem(globals(), "SOURCE", edited)
    assert PLACES[place](load(), folder) == 2
