"""How a tree is fitted: one recipe, one thing changed at a time, held against the tuned greedy tree on fresh rows.

    pip install -e ".[benchmarks,optimal-trees]"
    python benchmarks/tree_fits.py [--data NAME ...] [--seeds 100 101]

No search: a teacher is chosen and cross-fitted on at most 1,500 training rows, and trees of depth 4 and 6 are taught by
a fixed recipe. The baseline is the plain tree tuned by random search (40 draws, 5 folds, log-loss). Splits are drawn
with seeds of 100 and more: none of the splits that benchmarks/quality.py judges on. Each set's rows are kept under
build/tree_fits/ and not made again; the page, docs/benchmarks/tree_fits.md, is written of all.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import bench
import numpy as np
import pandas as pd
from quality_parts import by_hand
from quality_parts.data import SETS, Split, load
from quality_parts.measures import row_losses
from quality_parts.students import TREES, stored_form, student

from multihop_search import (
    KnowledgeDistillation,
    ModelCompression,
    NearOptimal,
    Optimal,
    OwnFit,
    Refined,
    TeacherOutputs,
    TreeFit,
)
from multihop_search.engine.crossfit import crossfit
from multihop_search.engine.memo import MEMO
from multihop_search.engine.soft_labels import SoftLabels
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.paths.ladder import Ladder
from multihop_search.paths.pool import VOTE, default_teachers, teachers
from multihop_search.problem.intake import make_problem
from multihop_search.threads import thread_limit
from multihop_search.transfer.synthetic import GENERATORS

NEAR = NearOptimal(loss="log-loss", smoothing=2.0, shrinkage=0, restarts=0)


@dataclass(frozen=True)
class Recipe:
    """One way to teach a tree."""

    tree_fit: TreeFit = NEAR
    teacher: str = "auto"
    """Name of a default teacher; "auto": the one that is picked."""
    alpha: float | None = 0.5
    """Share of the soft labels; None: no teacher at all."""
    temperature: float = 1.0
    calibrated: bool = True
    multiple: int = 5
    generator: str = "munge"
    min_samples_leaf: int = 3


BASE = Recipe()
TABLES: dict[str, dict[str, Recipe]] = {
    "How the tree is fitted": {
        "NearOptimal, log-loss": BASE,
        "NearOptimal, error": replace(BASE, tree_fit=replace(NEAR, loss="error")),
        "NearOptimal, width 4": replace(BASE, tree_fit=replace(NEAR, width=4)),
        "NearOptimal, 20 candidates": replace(BASE, tree_fit=replace(NEAR, candidates=20)),
        "NearOptimal, 80 candidates": replace(BASE, tree_fit=replace(NEAR, candidates=80)),
        "NearOptimal, 3 restarts": replace(BASE, tree_fit=replace(NEAR, restarts=3)),
        "NearOptimal, 9 restarts": replace(BASE, tree_fit=replace(NEAR, restarts=9)),
        "Refined, log-loss": replace(BASE, tree_fit=Refined(loss="log-loss", smoothing=2.0, shrinkage=0, restarts=0)),
        "Refined, error": replace(BASE, tree_fit=Refined(loss="error", smoothing=2.0, shrinkage=0, restarts=0)),
        "Refined, 9 restarts": replace(BASE, tree_fit=Refined(loss="log-loss", smoothing=2.0, shrinkage=0)),
        "Optimal (error; pystreed)": replace(BASE, tree_fit=Optimal(smoothing=2.0, shrinkage=0)),
        "the class's own fit": replace(BASE, tree_fit=OwnFit()),
    },
    "What it is taught (NearOptimal, log-loss)": {
        "alpha 0.5, 5 synthetic rows a row": BASE,
        "true labels, no synthetic rows": replace(BASE, alpha=None),
        "alpha 0.2": replace(BASE, alpha=0.2),
        "alpha 1": replace(BASE, alpha=1.0),
        "not calibrated": replace(BASE, calibrated=False),
        "temperature 0.7": replace(BASE, temperature=0.7),
        "temperature 1.4": replace(BASE, temperature=1.4),
        "no synthetic rows": replace(BASE, multiple=0),
        "1 synthetic row a row": replace(BASE, multiple=1),
        "10 synthetic rows a row": replace(BASE, multiple=10),
        "interpolation": replace(BASE, generator="interpolation"),
        "marginals": replace(BASE, generator="marginals"),
        "leaves": replace(BASE, generator="leaves"),
    },
    "Who teaches (NearOptimal, log-loss; a booster where there are at most 10 classes)": {
        "the one that is picked": BASE,
        **{name: replace(BASE, teacher=name) for name in teachers()},
        "the best single one": replace(BASE, teacher="single"),
    },
    "Leaves (NearOptimal, log-loss)": {
        "smoothing 2, min_samples_leaf 3": BASE,
        "smoothing 0.5": replace(BASE, tree_fit=replace(NEAR, smoothing=0.5)),
        "smoothing 8": replace(BASE, tree_fit=replace(NEAR, smoothing=8.0)),
        "smoothing 32": replace(BASE, tree_fit=replace(NEAR, smoothing=32.0)),
        "min_samples_leaf 1": replace(BASE, min_samples_leaf=1),
        "min_samples_leaf 20": replace(BASE, min_samples_leaf=20),
    },
}


def rows_of(split: Split, seed: int) -> Iterator[dict[str, Any]]:
    """Return what each recipe gives on one split."""
    problem = make_problem(
        split.X,
        split.y,
        sample_weight=None,
        groups=split.groups,
        cv=5,
        crossfit_cv=3,
        scoring="auto",
        random_state=seed,
        synthetic=dict.fromkeys(GENERATORS, 10),
    )
    fold, everyone = problem.whole, np.arange(problem.n_rows)
    named = teachers()
    candidates = {"auto": next(iter(default_teachers(problem.X, problem.n_outputs).values())), **named}
    taught = {name: crossfit(problem, Ladder(teacher=teacher), fold.number, ()) for name, teacher in candidates.items()}
    scores = {name: problem.scoring.score(problem.y, taught[name].calibrated, None) for name in named if name != VOTE}
    taught["single"] = taught[max(scores, key=lambda name: scores[name])]
    plain = {found.student: found for found in by_hand.plain(split, seed, tuple(TREES), "log_loss")}
    for name, depth in TREES.items():
        before = row_losses(split.y_fresh, plain[name].proba)
        for table, recipes in TABLES.items():
            for label, recipe in recipes.items():
                transfer = None
                if recipe.alpha is not None:
                    added = ModelCompression(recipe.multiple, recipe.generator) if recipe.multiple else None
                    scheme = KnowledgeDistillation(recipe.alpha, recipe.temperature)
                    outputs = taught[recipe.teacher]
                    soft_labels = SoftLabels(scheme, added, outputs if recipe.calibrated else _raw(outputs))
                    transfer = soft_labels.transfer_set(problem, fold, everyone)
                model = student(name).set_params(min_samples_leaf=recipe.min_samples_leaf, random_state=seed)
                way = None if recipe.tree_fit.own else recipe.tree_fit
                start = time.perf_counter()
                try:
                    with thread_limit(1):
                        fitted = fit(
                            model,
                            TrainingSet(split.X, split.y, problem.classes, transfer=transfer),
                            FitOptions(tree_fit=way),
                        )
                except TimeoutError:  # the optimal fit did not end: its line is of the other sets
                    continue
                seconds = time.perf_counter() - start
                assert fitted.get_depth() <= depth
                after = row_losses(split.y_fresh, stored_form(fitted, split.X_fresh, problem.classes))
                yield {
                    "student": name,
                    "table": table,
                    "recipe": label,
                    "loss": 100 * (after["log_loss"].mean() / before["log_loss"].mean() - 1),
                    "points": 100 * (after["accuracy"].mean() - before["accuracy"].mean()),
                    "seconds": seconds,
                }
    MEMO.clear(problem.token)


def _raw(outputs: TeacherOutputs) -> TeacherOutputs:
    labelled = {name: replace(of, temperature=1.0) for name, of in outputs.synthetic.items()}
    return replace(outputs, temperature=1.0, synthetic=labelled)


def page(rows: pd.DataFrame) -> str:
    """Return the page."""
    sets = rows.groupby(["set", "student", "table", "recipe"], sort=False)[["loss", "points", "seconds"]].mean()
    parts = [
        "# How a tree is fitted\n",
        f"`python benchmarks/tree_fits.py`: {rows['set'].nunique()} data sets, {rows['seed'].nunique()} splits each, "
        "at most 1,500 training rows, up to 5,000 fresh ones; one fixed recipe, one thing changed a line. Differences "
        "on fresh rows to the plain tree tuned by random search: per cent of the log-loss (less is better), points of "
        "accuracy; means over data sets; in brackets the paired difference of the log-loss to the first line, +- its "
        "standard error over data sets. Seconds of one fit on one core.\n",
    ]
    for table, part in sets.groupby("table", sort=False):
        heads = " | ".join(f"{name} log-loss | accuracy | s" for name in TREES)
        parts += [f"## {table}\n", f"| | {heads} |", "| --- |" + " ---: |" * (3 * len(TREES))]
        labels = part.index.get_level_values("recipe").unique()
        for label in labels:
            cells = []
            for name in TREES:
                mine = part.xs((name, label), level=("student", "recipe")).droplevel("table")
                first = part.xs((name, labels[0]), level=("student", "recipe")).droplevel("table")
                gap = (mine["loss"] - first["loss"]).dropna()
                shown = f"{mine['loss'].mean():+.1f}"
                if label != labels[0]:
                    shown += f" ({gap.mean():+.1f} +- {gap.std(ddof=1) / np.sqrt(len(gap)):.1f})"
                few = f" on {len(mine)} sets" if len(mine) < len(first) else ""
                cells += [shown + few, f"{mine['points'].mean():+.1f}", f"{mine['seconds'].mean():.2f}"]
            parts.append(f"| {label} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


def main(args: list[str] | None = None) -> None:
    """Run what is missing and write the page."""
    parser = bench.parser("tree_fits", __doc__, records=True)
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    options = parser.parse_args(args)
    options.build.mkdir(parents=True, exist_ok=True)
    for seed, name in product(options.seeds, options.data):
        file = options.build / f"{name}_{seed}.json"
        if not file.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = [{"set": name, "seed": seed, **row} for row in rows_of(load(name, seed), seed)]
            file.write_text(json.dumps(rows))
            print(file.stem, flush=True)
    records = [row for file in sorted(options.build.glob("*.json")) for row in json.loads(file.read_text())]
    bench.write(options.out, page(pd.DataFrame(records)))


if __name__ == "__main__":
    main()
