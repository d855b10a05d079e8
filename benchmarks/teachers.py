"""Which teacher is worth its cost: what students lose on fresh rows, taught by each, and its CPU seconds.

    python benchmarks/teachers.py [--data NAME ...] [--rows 1000]

Each cell (set, teacher) is a process of its own on one thread. The teacher is cross-fitted as in a search; near-optimal
trees of depth 4 and 6 are taught by it in one hop by four recipes, on all training rows. Cells are kept under
build/teachers/ and not run again. Writes docs/benchmarks/teachers.md.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import bench
import numpy as np
import pandas as pd
from portfolio import loss
from quality_parts.data import VALUES, load
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor, NearOptimal, OwnFit
from multihop_search.engine.crossfit import fit_teacher
from multihop_search.engine.prefixes import Prefixes
from multihop_search.executors import SerialExecutor
from multihop_search.paths.portfolio import path_of
from multihop_search.problem import response_table

SETS = (
    *("spambase", "waveform_40", "heloc", "satimage", "wine_quality", "letter", "magic_gamma", "htru2"),
    *("car_evaluation", "mfeat_fourier", "titanic3", "steel_plates", "diamonds_cut", "adult", "compas", "vowel"),
)
SEED = 110
"""Of the splits: none that benchmarks/quality.py judges on."""
KD = "KnowledgeDistillation"
RECIPES = [
    {"n_hops": 1, "scheme": KD, f"{KD}.alpha": alpha, "ModelCompression.multiple": multiple, "min_samples_leaf": 5}
    for alpha, multiple in ((0.5, 5), (1.0, 5), (0.5, 10), (0.5, 0))
]
FIT = NearOptimal(loss="log-loss", restarts=1)
BEFORE = "vote of 300, 300 and a booster"


def teachers(*, regression: bool) -> dict[str, Any]:
    """Return the teachers that are compared, by what the page calls them; the last is what others are compared with."""
    if regression:
        leaves = {"min_samples_leaf": 2}
        booster, light = HistGradientBoostingRegressor(max_iter=200), HistGradientBoostingRegressor(max_leaf_nodes=15)
        return {
            "forest of 50": RandomForestRegressor(50, **leaves),
            "forest of 100": RandomForestRegressor(100, **leaves),
            "forest of 300": RandomForestRegressor(300, **leaves),
            "extra trees, 100": ExtraTreesRegressor(100, bootstrap=True, **leaves),
            "booster": booster,
            "mean of 100 and a lighter booster": VotingRegressor(
                [("forest", RandomForestRegressor(100, **leaves)), ("booster", light)]
            ),
            **{
                f"mean of 100 and {n_rounds} rounds": VotingRegressor(
                    [
                        ("forest", RandomForestRegressor(100, **leaves)),
                        (
                            "booster",
                            HistGradientBoostingRegressor(max_iter=n_rounds, learning_rate=rate, max_leaf_nodes=15),
                        ),
                    ]
                )
                for n_rounds, rate in ((50, 0.1), (30, 1 / 6))
            },
            "mean of 300 and the booster": VotingRegressor(
                [("forest", RandomForestRegressor(300, **leaves)), ("booster", booster)]
            ),
        }
    booster = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=15)

    def light(n_rounds: int) -> Any:
        return HistGradientBoostingClassifier(max_iter=n_rounds, learning_rate=5 / n_rounds, max_leaf_nodes=15)

    def both(n_rounds: int) -> Any:
        return VotingClassifier([("forest", RandomForestClassifier(100)), ("booster", light(n_rounds))], voting="soft")

    def vote(n_trees: int, *more: tuple[str, Any]) -> VotingClassifier:
        forests = [
            ("forest", RandomForestClassifier(n_trees)),
            ("extra", ExtraTreesClassifier(n_trees, bootstrap=True)),
        ]
        return VotingClassifier([*forests, *more], voting="soft")

    return {
        "forest of 50": RandomForestClassifier(50),
        "forest of 100": RandomForestClassifier(100),
        "forest of 200": RandomForestClassifier(200),
        "forest of 300": RandomForestClassifier(300),
        "extra trees, 100": ExtraTreesClassifier(100, bootstrap=True),
        "booster": booster,
        "booster of 50 rounds": light(50),
        "booster of 30 rounds": light(30),
        "forest of 100 and booster of 50 rounds": both(50),
        "forest of 100 and booster of 30 rounds": both(30),
        "vote of 100 and 100": vote(100),
        "vote of 100, 100 and a booster": vote(100, ("booster", booster)),
        BEFORE: vote(300, ("booster", booster)),
    }


def cell(name: str, teacher: str, n_rows: int) -> dict[str, Any]:
    """Return what a teacher costs and what is lost by its students on fresh rows."""
    split = load(name, SEED, n_rows)
    regression = split.classes is None
    kind, tree = (
        (MultihopSearchRegressor, DecisionTreeRegressor)
        if regression
        else (MultihopSearchClassifier, DecisionTreeClassifier)
    )
    students = [(f"depth {depth}", tree(max_depth=depth)) for depth in (4, 6)]
    model = teachers(regression=regression)[teacher]
    search = kind(students, model, cv=2, max_hops=1, random_state=0, tree_fits=[OwnFit(), FIT])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setup = search.set_up(split.X, split.y, groups=split.groups)
        start = time.process_time()
        taught_by = fit_teacher(setup.problem, setup.ladder, setup.problem.whole.number)
        row = {"data": name, "teacher": teacher, "seconds": time.process_time() - start}
        prefixes, whole = Prefixes(SerialExecutor().start(), setup.problem, setup.ladder), setup.problem.whole.number
        prefixes.put(whole, (), taught_by.outputs)
        losses: dict[str, list[float]] = {"the teacher": [_loss(taught_by.model, split)]}
        for student, _ in students:
            paths = [path_of(setup.space, student, {**entry, "fit": FIT.name})[0] for entry in RECIPES]
            fitted = [prefixes.session.result(prefixes.student(whole, path)) for path in paths]
            losses[student] = [_loss(one, split) for one in fitted]
    return row | {who: float(np.exp(np.mean(np.log(values)))) for who, values in losses.items()}


def _loss(model: Any, split: Any) -> float:
    return loss(split.y_fresh, response_table(model, split.X_fresh, split.classes), split.classes)


def table_of(rows: pd.DataFrame) -> str:
    """Return seconds and losses of each teacher against the last one, over the sets on which all were run."""
    names = list(dict.fromkeys(rows["teacher"]))
    wide = rows.pivot(index="data", columns="teacher").dropna()
    lines = []
    for name in names:
        ratio = {
            who: 100 * (wide[who][name] / wide[who][names[-1]] - 1) for who in ("the teacher", "depth 4", "depth 6")
        }
        cells = [f"{of.mean():+.1f} ± {of.sem():.1f} (worst {of.max():+.1f})" for of in ratio.values()]
        cost = (wide["seconds"][name] / wide["seconds"][names[-1]]).median()
        lines.append([name, len(wide), f"{cost:.2f}", *cells])
    return bench.table(["teacher", "sets", "CPU", "its own loss", "student, depth 4", "student, depth 6"], lines)


def page(rows: pd.DataFrame, n_rows: int) -> str:
    """Return the page."""
    parts = [
        "# Which teacher is worth its cost\n",
        "`python benchmarks/teachers.py`; what it does stands at its top.\n",
        f"At most {n_rows:,} training rows. *CPU*: of cross-fitting the teacher and fitting it on all rows, as a share "
        "of the last one's, median over sets. Losses on fresh rows in per cent of those with the last teacher, below 0 "
        "is better: mean over sets ± its standard error, and the worst set.\n",
    ]
    regression = rows["data"].isin(VALUES)
    for title, where in (("Classification: log-loss", ~regression), ("Regression: squared error", regression)):
        if where.any():
            parts += [f"## {title}\n", table_of(rows[where]), ""]
    return "\n".join(parts)


def main(args: list[str] | None = None) -> None:
    """Run the cells that are missing and write the page of all."""
    parser = bench.parser("teachers", __doc__, records=True)
    parser.add_argument("--data", nargs="+", default=[*SETS, *VALUES])
    parser.add_argument("--rows", type=int, default=1000)
    options = parser.parse_args(args)
    options.build.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.data:
        for teacher in teachers(regression=name in VALUES):
            file: Path = options.build / f"{name}-{teacher.replace(' ', '_')}-{options.rows}.json"
            if not file.exists():
                row = bench.apart(cell, name, teacher, options.rows)
                part = file.with_suffix(".part")
                part.write_text(json.dumps(row))
                part.replace(file)
            rows.append(json.loads(file.read_text()))
    bench.write(options.out, page(pd.DataFrame(rows), options.rows))


if __name__ == "__main__":
    main()
