"""The recipes that are compared: entries of a portfolio, for each student; their numbers stand in the records.

The lists may grow at their ends; a recipe that is changed or moved makes the records wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import qmc
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

Entry = dict[str, Any]
KINDS = {"trees": ("tree4", "tree6"), "models": ("lr", "gbm10"), "values": ("value_tree4", "value_tree6")}
"""Students that are searched together, by kind."""
DEPTHS = {"tree4": 4, "tree6": 6, "value_tree4": 4, "value_tree6": 6}

FAMILIES = {
    "tree4": ("classification", "DecisionTree"),
    "tree6": ("classification", "DecisionTree"),
    "lr": ("classification", "Linear"),
    "gbm10": ("classification", "LightGBM"),
    "value_tree4": ("regression", "DecisionTree"),
    "value_tree6": ("regression", "DecisionTree"),
}
"""Task and family of each student, as the portfolio has them."""

KD = "KnowledgeDistillation"
ROWS = "ModelCompression.multiple"
SOFT = f"{KD}(alpha=0.5, temperature=1)"
MORE = " + ModelCompression(multiple=5, generator=munge)"
UPPER = (
    "Truncate(10)",
    "Truncate(30)",
    f"forest(30) <- {SOFT}",
    f"forest(30) <- {SOFT}{MORE}",
    f"tree(12) <- {SOFT}{MORE}",
    f"linear <- {SOFT}",
)
"""Intermediates of the default ladder, taught as hops above the last are."""
SHRUNK = ("OwnFit+shrinkage", "Refined+shrinkage", "NearOptimal+shrinkage")


def students_of(kind: str) -> list[tuple[str, Any]]:
    """Return the students of a kind, by name."""
    return [(name, _student(name)) for name in KINDS[kind]]


def _student(name: str) -> Any:
    if name in DEPTHS:
        tree = DecisionTreeRegressor if name.startswith("value") else DecisionTreeClassifier
        return tree(max_depth=DEPTHS[name])
    if name == "lr":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if name == "forest10":
        return RandomForestClassifier(10, max_depth=6)
    if name == "value_lr":
        return make_pipeline(StandardScaler(), Ridge())
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=10, num_leaves=8, verbose=-1, n_jobs=1)


def _tree_recipes(depth: int, *, regression: bool) -> list[Entry]:
    """Return recipes of trees: every way of fitting plain, then taught, each value beside many others."""
    rng = np.random.default_rng([depth, regression])
    sizes = (1, 5, 12, 30)
    more = (3, 5, 15, 20, 40, 60) if regression else (5, 20)
    usual: list[Entry] = [{"fit": "OwnFit", "min_samples_leaf": size} for size in (1, 10, 30, *more)]
    if not regression:
        usual += [{"fit": "OwnFit", "min_samples_leaf": size, "criterion": "entropy"} for size in (1, 5, 20)]
        usual += [{"fit": "OwnFit", "min_samples_leaf": 1, "ccp_alpha": share} for share in (0.001, 0.003)]
    plain = [{"fit": fit, "min_samples_leaf": size} for fit in SHRUNK for size in sizes]
    if not regression:
        plain += [{"fit": SHRUNK[0], "min_samples_leaf": size, "criterion": "entropy"} for size in (1, 12)]
    schemes: list[Entry] = [
        {"scheme": KD, f"{KD}.alpha": 0.5},
        {"scheme": KD, f"{KD}.alpha": 1.0},
        {"scheme": "SRatio", "SRatio.beta": 4.0},
        {"scheme": "ConfWeight"},
    ]
    if regression:
        schemes = schemes[:2]
    taught: list[Entry] = []
    for fit in (SHRUNK[2], SHRUNK[2], SHRUNK[1], SHRUNK[0]):
        for scheme in schemes:
            for multiple in (0, 5, 10):
                size = int(rng.choice(sizes))
                taught.append({**scheme, ROWS: multiple, "fit": fit, "min_samples_leaf": size})
    taught = [taught[place] for place in sorted(rng.permutation(len(taught))[:24])]
    twice: list[Entry] = []
    for upper in UPPER:
        scheme = schemes[int(rng.integers(len(schemes)))]
        size = int(rng.choice(sizes))
        twice.append(
            {"upper_1": upper, **scheme, ROWS: int(rng.choice((0, 5, 10))), "fit": SHRUNK[2], "min_samples_leaf": size}
        )
    thrice: list[Entry] = [
        {"upper_1": UPPER[2], "upper_2": UPPER[4], **schemes[0], ROWS: 5, "fit": SHRUNK[2], "min_samples_leaf": 5}
    ]
    return _with_hops([usual + plain, taught, twice, thrice])


def _model_recipes(own: list[Entry], more: list[Entry], seed: int) -> list[Entry]:
    """Return recipes of a student that is no tree: its own parameters plain, then taught at drawn ones."""
    rng = np.random.default_rng(seed)
    schemes: list[Entry] = [
        {"scheme": KD, f"{KD}.alpha": 0.5},
        {"scheme": KD, f"{KD}.alpha": 1.0},
        {"scheme": "SRatio", "SRatio.beta": 4.0},
        {"scheme": "ConfWeight"},
    ]
    taught = [
        {**scheme, ROWS: multiple, **more[int(rng.integers(len(more)))]}
        for scheme in schemes
        for multiple in (0, 5, 10)
        for _ in range(2)
    ]
    twice = [
        {"upper_1": upper, **schemes[place % 3], ROWS: (0, 5)[place % 2], **more[int(rng.integers(len(more)))]}
        for place, upper in enumerate(UPPER)
    ]
    return _with_hops([own, taught, twice])


def _with_hops(groups: list[list[Entry]]) -> list[Entry]:
    return [{"n_hops": hops, **entry} for hops, entries in enumerate(groups) for entry in entries]


_C = [{"C": round(float(value), 4)} for value in np.geomspace(0.001, 100, 11)]
_BOOSTER = [
    {"learning_rate": rate, "min_child_samples": size, "reg_lambda": penalty}
    for rate, size, penalty in (
        *((0.1, 20, 0.0), (0.2, 20, 0.0), (0.3, 20, 0.0), (0.4, 10, 0.0), (0.5, 20, 0.0), (0.7, 20, 0.0)),
        *((0.3, 5, 0.0), (0.3, 50, 1.0), (0.5, 50, 1.0), (0.5, 10, 10.0), (0.7, 50, 10.0), (1.0, 50, 10.0)),
        *((0.4, 20, 1.0), (0.6, 30, 1.0), (0.2, 5, 1.0), (0.2, 50, 0.1)),
    )
]


def _spread_boosters(count: int) -> list[Entry]:
    """Return settings of a booster spread evenly over what is tuned of it."""
    penalties = (0.0, 0.1, 1.0, 10.0)
    points = qmc.Halton(3, scramble=False).random(count + 1)[1:]
    return [
        {
            "learning_rate": round(float(10 ** (rate - 1)), 2),
            "min_child_samples": round(float(5 * 20**size)),
            "reg_lambda": penalties[int(4 * penalty)],
        }
        for rate, size, penalty in points
    ]


UNRECORDED = {
    "lr": [{"C": round(float(value), 4)} for value in np.geomspace(0.001, 100, 21)[1::2]],
    "gbm10": [entry for entry in _spread_boosters(32) if entry not in _BOOSTER],
    **{name: [{"fit": "OwnFit", "min_samples_leaf": 8}] for name in DEPTHS if name.startswith("value")},
}
"""More settings of their own, of which there are no records: with those above alone, `lr` and `gbm10` were on single
sets up to a third worse than after 40 draws, and trees of values had nine, where ten are called tuned."""
CANDIDATES: dict[str, list[Entry]] = {
    **{
        name: _tree_recipes(depth, regression=name.startswith("value")) + _with_hops([UNRECORDED.get(name, [])])
        for name, depth in DEPTHS.items()
    },
    "lr": _model_recipes(_C, _C[3:], 1) + _with_hops([UNRECORDED["lr"]]),
    "gbm10": _model_recipes(_BOOSTER, _BOOSTER, 2) + _with_hops([UNRECORDED["gbm10"]]),
}
"""Recipes by student."""
