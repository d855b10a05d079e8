"""Hierarchical shrinkage: how its strength is chosen, beside smoothing, and for taught trees; judged on fresh rows.

    python benchmarks/shrinkage.py [--data NAME ...] [--splits 2]

No search. Trees of depth 4 and 6 are fitted on at most 1,500 rows and judged on at most 5,000 fresh ones: greedy ones
with leaves of at least 1 and 5 rows, near-optimal ones of at least 3, and near-optimal ones that a forest teaches, its
labels cross-fitted, with no and with 5 synthetic rows a row. `imodels` judges beside them where it is installed (in
regression it has no such choice). Each cell is kept under build/shrinkage/ and not made again; the page,
docs/benchmarks/shrinkage.md, is written of all.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import GroupKFold, KFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import NearOptimal, OwnFit, TransferSet, TreeFit
from multihop_search.experiment.data import numbers, positions
from multihop_search.models.fitting import FitOptions, fit
from multihop_search.models.training_set import TrainingSet
from multihop_search.transfer.synthetic.munge import munge
from multihop_search.transfer.transfer_set import SyntheticSet
from multihop_search.trees.shrinkage import STRENGTHS, counts_of, parents_of, shrunk

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
KEPT = ROOT / "build" / "shrinkage"
PAGE = ROOT / "docs" / "benchmarks" / "shrinkage.md"
CLASSES = (
    *("spambase", "adult", "letter", "satimage", "magic_gamma", "wine_quality", "german_credit", "pima_diabetes"),
    *("more/heloc", "more/wall_robot", "more/steel_plates", "more/student_dropout", "more/telco_churn"),
    *("more/sleep_stages", "more/titanic3", "more/authorship"),
)
VALUES = (
    *("california_housing", "bike_sharing", "more/ames_price", "more/king_county_house", "more/hotel_rates"),
    *("more/power_plant", "more/parkinsons_updrs", "more/turbofan_fd001"),
)
FLOOR = 1e-3
TREES: dict[str, tuple[TreeFit, int]] = {
    "greedy, leaves of 1": (OwnFit(), 1),
    "greedy, leaves of 5": (OwnFit(), 5),
    "near-optimal, leaves of 3": (NearOptimal(loss="log-loss", restarts=0, shrinkage=0), 3),
}
"""How a tree is fitted, and its `min_samples_leaf`."""
TAUGHT = "near-optimal, taught, {} synthetic rows a row"


@dataclass(frozen=True)
class Rows:
    """Training rows and fresh ones; targets are one-hot, or values of spread 1."""

    X: np.ndarray
    targets: np.ndarray
    X_fresh: np.ndarray
    fresh: np.ndarray
    groups: np.ndarray | None = None

    @property
    def is_regression(self) -> bool:
        return self.targets.shape[1] == 1

    @property
    def y(self) -> np.ndarray:
        """Values, or class codes."""
        return self.targets[:, 0] if self.is_regression else self.targets.argmax(axis=1)

    @property
    def labels(self) -> np.ndarray | None:
        return None if self.is_regression else np.arange(self.targets.shape[1])

    def parts(self, n_parts: int) -> tuple[np.ndarray, ...]:
        """Return parts of the training rows; a group stands in one."""
        if self.groups is not None:
            return tuple(part for _, part in GroupKFold(n_parts).split(self.X, groups=self.groups))
        return tuple(part for _, part in KFold(n_parts, shuffle=True, random_state=0).split(self.X))

    def model(self, depth: int, leaf: int) -> Any:
        kind = DecisionTreeRegressor if self.is_regression else DecisionTreeClassifier
        return kind(max_depth=depth, min_samples_leaf=leaf, random_state=0)


def load(name: str, seed: int) -> Rows:
    """Return a split of a data set."""
    frame, groups = pd.read_csv(DATA / f"{name}.csv.gz"), None
    file = DATA / f"{name}_groups.csv.gz"
    if file.exists():
        groups = pd.read_csv(file).iloc[:, 0].to_numpy()
    train, fresh = positions(len(frame), groups, min(1500, int(0.6 * len(frame))), 5000, seed)
    target = frame.pop("target").to_numpy()
    if name in VALUES:
        targets = (target / target[train].std())[:, None]
    else:
        labels = np.unique(target[train])
        fresh = fresh[np.isin(target[fresh], labels)]
        targets = (target[:, None] == labels).astype(float)
    X, X_fresh = (np.asarray(part, dtype=np.float32) for part in numbers(frame.iloc[train], frame.iloc[fresh]))
    return Rows(X, targets[train], X_fresh, targets[fresh], None if groups is None else groups[train])


def loss_of(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the squared error, or the log-loss with probabilities of at least 0.001."""
    if targets.shape[1] == 1:
        return float(((targets - predictions) ** 2).mean())
    shares = np.maximum(predictions, FLOOR)
    return float(-(targets * np.log(shares / shares.sum(axis=1, keepdims=True))).sum(axis=1).mean())


def predictions_of(model: Any, X: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return the values of a tree for rows, (n_rows, n_outputs), all classes among the columns."""
    values = model.tree_.value[:, 0][model.apply(X)]
    if n_outputs == 1:
        return np.asarray(values)
    table = np.zeros((len(X), n_outputs))
    table[:, model.classes_] = values
    return table


def routes_of(tree: Any) -> np.ndarray:
    """Return the nodes from the root to each node, (n_nodes, depth + 1), the node itself at every place behind it."""
    parents = parents_of(tree)
    routes, depth = np.zeros((tree.node_count, tree.max_depth + 1), dtype=np.intp), np.zeros(tree.node_count, int)
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            depth[node] = depth[parent] + 1
            routes[node] = routes[parent]
        routes[node, depth[node] :] = node
    return routes


def values_of(model: Any, n_outputs: int) -> np.ndarray:
    """Return the values of all nodes, (n_nodes, n_outputs), every class a column."""
    values = model.tree_.value[:, 0]
    if n_outputs == 1:
        return np.asarray(values)
    table = np.zeros((len(values), n_outputs))
    table[:, model.classes_] = values
    return table


def leave_one_out(model: Any, rows: Rows, times: float) -> float:
    """Return the strength of the least loss where each row is left out of the means of its nodes, in closed form.

    The structure stays, though it was chosen with the row; `times` above 1 takes the row out more than once.
    """
    tree, targets = model.tree_, rows.targets
    routes = routes_of(tree)[model.apply(rows.X)]
    counts, means = counts_of(tree, len(targets))[routes], values_of(model, targets.shape[1])[routes]
    left = counts - times
    there = left > 1e-9
    left = np.where(there, left, 1.0)
    means = (counts[..., None] * means - times * targets[:, None]) / left[..., None]
    steps = np.diff(means, axis=1) * there[:, 1:, None]
    losses = [
        loss_of(targets, means[:, 0] + (steps / (1 + strength / left[:, :-1])[..., None]).sum(axis=1))
        for strength in STRENGTHS
    ]
    return STRENGTHS[int(np.argmin(losses))]


def smoothed(model: Any, rows: Rows, weight: float) -> np.ndarray:
    """Return the fresh predictions of a tree whose nodes are each drawn to the one above as if `weight` rows had it."""
    routes, n_outputs = routes_of(model.tree_), rows.targets.shape[1]
    counts, means = counts_of(model.tree_, len(rows.X))[routes], values_of(model, n_outputs)[routes]
    value = means[:, 0]
    for level in range(1, routes.shape[1]):
        count, moves = counts[:, level, None], routes[:, level] != routes[:, level - 1]
        drawn = (count * means[:, level] + weight * value) / (count + weight)
        value = np.where(moves[:, None], drawn, value)
    return np.asarray(value[model.apply(rows.X_fresh)])


def by_imodels(rows: Rows, depth: int, leaf: int) -> float | None:
    """Return the fresh loss of `imodels.HSTreeClassifierCV`, None where it does not serve or is not installed."""
    if rows.is_regression:
        return None
    try:
        from imodels import HSTreeClassifierCV
    except ImportError:
        return None
    try:
        theirs = HSTreeClassifierCV(rows.model(depth, leaf)).fit(rows.X, rows.y)
    except ValueError:  # a fold of theirs lacks a class
        return None
    table = np.zeros_like(rows.fresh)
    table[:, np.unique(rows.y)] = theirs.predict_proba(rows.X_fresh)
    return loss_of(rows.fresh, table)


def fresh_losses(model: Any, rows: Rows) -> dict[float, float]:
    """Return the loss on the fresh rows by strength."""
    tree, leaves = model.tree_, model.apply(rows.X_fresh)
    parents, counts, values = parents_of(tree), counts_of(tree, len(rows.X)), values_of(model, rows.targets.shape[1])
    return {one: loss_of(rows.fresh, shrunk(parents, counts, values, one)[leaves]) for one in STRENGTHS}


def teacher_outputs(rows: Rows, n_synthetic: int) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return cross-fitted predictions of a forest for the training rows, and for synthetic ones made from them."""
    pool = munge(rows.X, n_synthetic, lambda turn: np.random.default_rng(turn + 1))
    kind = RandomForestRegressor if rows.is_regression else RandomForestClassifier
    real, made = np.zeros_like(rows.targets), np.zeros((n_synthetic, rows.targets.shape[1]))
    for part in rows.parts(3):
        others = np.setdiff1d(np.arange(len(rows.X)), part)
        forest = kind(150, min_samples_leaf=2, random_state=0).fit(rows.X[others], rows.y[others])
        children = np.isin(pool.parent, part)
        for table, which, X in ((real, part, rows.X), (made, children, pool.X)):
            if rows.is_regression:
                table[which, 0] = forest.predict(X[which])
            else:
                table[np.ix_(np.flatnonzero(which) if which.dtype == bool else which, forest.classes_)] = (
                    forest.predict_proba(X[which])
                )
    return real, made, pool


def cell(rows: Rows, depth: int, *, multiples: tuple[int, ...] = (0, 5)) -> Iterator[dict[str, Any]]:
    """Yield the fresh losses of each kind of tree, by how its values are shrunk."""
    training, parts = TrainingSet(rows.X, rows.y, rows.labels), rows.parts(3)
    n_outputs = rows.targets.shape[1]

    def by(tree_fit: TreeFit, strength: Any, data: TrainingSet, leaf: int) -> Any:
        options = FitOptions(tree_fit=replace(tree_fit, shrinkage=strength), parts=parts)  # type: ignore[call-arg]
        return fit(rows.model(depth, leaf), data, options)

    def judged(model: Any) -> float:
        return loss_of(rows.fresh, values_of(model, n_outputs)[model.apply(rows.X_fresh)])

    for name, (tree_fit, leaf) in TREES.items():
        model = by(tree_fit, 0, training, leaf)
        losses = fresh_losses(model, rows)
        row: dict[str, Any] = {"tree": name, "none": losses[0.0], "best on the fresh rows": min(losses.values())}
        row |= {f"smoothing {weight}": loss_of(rows.fresh, smoothed(model, rows, weight)) for weight in (2, 5)}
        row |= {f"strength {one:g}": losses[one] for one in (10.0, 50.0)}
        row["leave-one-out"] = losses[leave_one_out(model, rows, 1.0)]
        row["leave-one-out, thrice"] = losses[leave_one_out(model, rows, 3.0)]
        row["held-out rows"] = judged(by(tree_fit, "auto", training, leaf))
        row["smoothing 2, held-out rows"] = float("nan")
        if tree_fit.own:
            row["imodels"] = by_imodels(rows, depth, leaf)
        else:
            row["smoothing 2, held-out rows"] = judged(by(replace(tree_fit, smoothing=2.0), "auto", training, leaf))
        yield row
    real, made, pool = teacher_outputs(rows, max(multiples) * len(rows.X))
    tree_fit, leaf = TREES["near-optimal, leaves of 3"]
    for multiple in multiples:
        n_made = multiple * len(rows.X)
        beside = SyntheticSet(pool.X[:n_made], made[:n_made], pool.parent[:n_made]) if multiple else None
        soft = TransferSet((rows.targets + real) / 2, np.ones(len(rows.X)), synthetic=beside)
        taught = replace(training, transfer=soft)
        model = by(tree_fit, 0, taught, leaf)
        losses = fresh_losses(model, rows)
        yield {
            "tree": TAUGHT.format(multiple or "no"),
            "none": losses[0.0],
            "best on the fresh rows": min(losses.values()),
            **{f"strength {one:g}": losses[one] for one in (10.0, 50.0)},
            **{
                f"smoothing {weight}": judged(by(replace(tree_fit, smoothing=float(weight)), 0, taught, leaf))
                for weight in (2, 5)
            },
            "held-out rows": judged(by(tree_fit, "auto", taught, leaf)),
        }


WAYS = (
    *("smoothing 2", "smoothing 5", "strength 10", "strength 50", "leave-one-out", "leave-one-out, thrice"),
    *("imodels", "held-out rows", "smoothing 2, held-out rows", "best on the fresh rows"),
)


def table_of(cells: pd.DataFrame) -> str:
    """Return changes of the loss against no shrinkage, in per cent, mean +- standard error over data sets."""
    changes = cells[list(WAYS)].astype(float).div(cells["none"], axis=0).sub(1).mul(100)
    lines = ["| tree | depth | sets | " + " | ".join(WAYS) + " |", "|" + " --- |" * (len(WAYS) + 3)]
    for (tree, depth), places in cells.groupby(["tree", "depth"], sort=False).groups.items():
        by_set = changes.loc[places].groupby(cells.loc[places, "data"]).mean()
        mean, error = by_set.mean(), by_set.std() / np.sqrt(by_set.notna().sum().clip(lower=1))
        entries = ["" if np.isnan(mean[way]) else f"{mean[way]:+.1f} ± {error[way]:.1f}" for way in WAYS]
        lines.append(f"| {tree} | {depth} | {len(by_set)} | " + " | ".join(entries) + " |")
    return "\n".join(lines)


def page_of(cells: pd.DataFrame) -> str:
    """Return the page."""
    regression = cells["data"].isin(VALUES)
    parts = ["# Hierarchical shrinkage\n", "`python benchmarks/shrinkage.py`; what it does stands at its top.\n"]
    parts += [
        "Changes of the loss on fresh rows against the same tree without shrinkage, in per cent, below 0 is better: "
        "mean over data sets ± its standard error. *smoothing m*: each node is drawn to the value above as if m rows "
        "had it. *strength*: hierarchical shrinkage of that strength. *leave-one-out*: the strength in closed form, "
        "the structure as it is; *thrice*: each row taken out three times over. *imodels*: `HSTreeClassifierCV`. "
        "*held-out rows*: ours, by trees of the same fit on two thirds of the rows. "
        "*best on the fresh rows*: no way to choose, a bound.\n"
    ]
    for title, where in (("Classification: log-loss", ~regression), ("Regression: squared error", regression)):
        if where.any():
            parts += [f"## {title}\n", table_of(cells[where].reset_index(drop=True)), ""]
    return "\n".join(parts)


def main() -> None:
    """Make the cells that are not there and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=(*CLASSES, *VALUES))
    parser.add_argument("--splits", type=int, default=2)
    options = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"skipped: the real data sets are not here, {DATA} is absent")
    warnings.filterwarnings("ignore")
    KEPT.mkdir(parents=True, exist_ok=True)
    for seed in range(options.splits):
        for name in options.data:
            file = KEPT / f"{name.replace('/', '_')}_{seed}.json"
            if file.exists():
                continue
            start, rows = time.process_time(), load(name, seed)
            cells = [
                {"data": name, "split": seed, "depth": depth, **row} for depth in (4, 6) for row in cell(rows, depth)
            ]
            file.write_text(json.dumps(cells))
            print(name, seed, f"{time.process_time() - start:.0f} s", flush=True)
    cells = [one for file in sorted(KEPT.glob("*.json")) for one in json.loads(file.read_text())]
    PAGE.write_text(page_of(pd.DataFrame(cells)))


if __name__ == "__main__":
    main()
