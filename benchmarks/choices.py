"""What to search and how to choose: rules for the choice, replayed on recorded searches and held against fresh rows.

    pip install -e ".[benchmarks]"
    python benchmarks/choices.py [--data NAME ...] [--seeds 100] [--trials 72] [--variants default ...]

For each set one search of the four students of benchmarks/quality.py is recorded: the held-out predictions of every
trial, and the loss of its fold models on fresh rows, averaged. A rule sees only what a search sees; what it picks is
then looked up in the fresh column. Splits are drawn with seeds of 100 and more: none of the splits that
benchmarks/quality.py judges on.
Variants are searches with other settings (sampler, inner folds), compared by what the rule of the search picks.
A record is kept under build/choices/ and not made again; the page, docs/benchmarks/choices.md, is written of all.
"""

from __future__ import annotations

import os
import pickle
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import bench
import numpy as np
import optuna
import pandas as pd
from quality_parts.data import SETS, load
from quality_parts.students import STUDENTS, stored_form, student

import multihop_search.engine.student as engine_student
import multihop_search.search.run as search_run
from multihop_search import MultihopSearchClassifier
from multihop_search.problem.problem import Role
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss
from multihop_search.verdict.choice import TIE
from multihop_search.verdict.out_of_fold import BELIEVED, HeldOut, RowEvidence


def _tpe(seed: int) -> optuna.samplers.TPESampler:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=30)


def _quasi_random(seed: int) -> optuna.samplers.QMCSampler:
    return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_asynchronous_seeding=False)


VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "TPE": {"sampler": _tpe},
    "quasi-random": {"sampler": _quasi_random},
    "5 inner folds": {"crossfit_cv": 5},
}


def record(name: str, seed: int, trials: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return one recorded search: a table of trials, their held-out predictions, and what the choice knows of rows."""
    split = load(name, seed)
    fresh: dict[tuple[int, str], tuple[float, float]] = {}
    seen: list[Any] = []
    scoring, accuracy = FlooredLogLoss(split.classes), Accuracy(split.classes)
    fitted, select = engine_student._fitted, search_run.select

    def watched_fit(problem: Any, ladder: Any, number: int, path: Any, soft_labels: Any) -> Any:
        model = fitted(problem, ladder, number, path, soft_labels)
        if problem.fold(number).role is Role.OUTER:
            proba = stored_form(model, split.X_fresh, split.classes)
            found = (float(of.rows(split.y_fresh, proba).mean()) for of in (scoring, accuracy))
            fresh[number, path.key] = tuple(found)
        return model

    def watched_select(assessment: Any, trials: Any, prefixes: Any, teacher: Any, *more: Any, **settings: Any) -> Any:
        seen.append((assessment, trials, teacher.outputs))
        return select(assessment, trials, prefixes, teacher, *more, **settings)

    engine_student._fitted, search_run.select = watched_fit, watched_select
    start = time.perf_counter()
    try:
        MultihopSearchClassifier(
            [(one, student(one)) for one in STUDENTS], n_trials=trials, random_state=seed, **settings
        ).fit(split.X, split.y, groups=split.groups)
    finally:
        engine_student._fitted, search_run.select = fitted, select
    assessment, trials, teacher = seen[0]
    n_folds = len(assessment.problem.folds)
    kept = list(trials.kept())
    rows = []
    for one, _ in kept:
        losses = np.array([fresh[number, one.path.key] for number in range(n_folds)])
        scheme = "" if not one.path.hops else type(one.path.hops[-1].scheme).__name__
        added = one.path.hops[-1].compression if one.path.hops else None
        fit = one.path.fit_name
        multiple = 0 if added is None else added.multiple
        rows.append((one.number, one.path.student, one.hops, fit, scheme, multiple, *losses.mean(axis=0)))
    columns = ["number", "student", "hops", "fit", "scheme", "multiple", "fresh", "fresh_accuracy"]
    return {
        "trials": pd.DataFrame(rows, columns=columns),
        "held_out": replace(assessment.held_out, believed=teacher.calibrated[assessment.held_out.row]),
        "predictions": [proba.astype(np.float32) for _, proba in kept],
        "seconds": time.perf_counter() - start,
    }


class Choices:
    """The complete trials of one student in a record, as rules see them."""

    def __init__(self, kept: dict[str, Any], student_name: str) -> None:
        mine = np.flatnonzero(kept["trials"]["student"] == student_name)
        self.trials = kept["trials"].iloc[mine].reset_index(drop=True)
        self.held_out: HeldOut = kept["held_out"]
        assert self.held_out.believed is not None
        classes = np.arange(self.held_out.believed.shape[1])
        predictions = [kept["predictions"][place] for place in mine]
        self.rows = {}
        for measure, scoring in (("log-loss", FlooredLogLoss(classes)), ("accuracy", Accuracy(classes))):
            labels = np.stack([scoring.rows(self.held_out.y, proba) for proba in predictions])
            beliefs = np.stack([scoring.expected_rows(self.held_out.believed, proba) for proba in predictions])
            self.rows[measure] = labels, beliefs

    def pick(
        self,
        share: float = BELIEVED,
        tolerance: float = 1.0,
        measure: str = "log-loss",
        among: np.ndarray | None = None,
    ) -> int:
        """Return the trial that a rule picks: share of beliefs, tolerance in standard errors, trials it may pick."""
        labels, beliefs = self.rows[measure]
        allowed = np.arange(len(labels)) if among is None else np.flatnonzero(among)
        if len(allowed) == 0:
            allowed = np.arange(len(labels))
        evidence = RowEvidence((1 - share) * labels + share * beliefs, self.held_out)
        once = np.ones((1, evidence.n_units))
        means = evidence.means(once)[0, allowed]
        best = allowed[means.argmax()]
        errors = evidence.errors(once, np.array([best]), allowed)[0]
        hops = self.trials["hops"].to_numpy()[allowed]
        near = means.max() - means <= tolerance * errors + TIE
        simplest = near & (hops == hops[near].min())
        return int(allowed[np.where(simplest, means, -np.inf).argmax()])


def rules() -> dict[str, dict[str, Callable[[Choices], int]]]:
    """Return the rules by table and name."""

    def where(condition: Callable[[pd.DataFrame], Any]) -> Callable[[Choices], int]:
        return lambda of: of.pick(among=np.asarray(condition(of.trials)))

    def first(part: float) -> Callable[[Choices], int]:
        return where(lambda trials: trials["number"] < part * (trials["number"].max() + 1))

    return {
        "What the choice ranks by: share of the teacher's held-out probabilities (tolerance 0)": {
            f"{share:g}": (lambda of, share=share: of.pick(share, 0.0)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        },
        "Tolerance, in standard errors of the paired difference (labels alone)": {
            f"{tolerance:g}": (lambda of, tolerance=tolerance: of.pick(0.0, tolerance))
            for tolerance in (0.0, 0.25, 0.5, 1.0)
        },
        "Tolerance (share 0.25)": {
            f"{tolerance:g}": (lambda of, tolerance=tolerance: of.pick(0.25, tolerance))
            for tolerance in (0.0, 0.25, 0.5, 1.0)
        },
        "Chosen by accuracy: share of the teacher's held-out probabilities": {
            f"{share:g}": (lambda of, share=share: of.pick(share, 1.0, "accuracy")) for share in (0.0, 0.25, 0.5, 1.0)
        },
        "Trials": {f"first {part:.0%}": first(part) for part in (0.25, 0.5, 0.75, 1.0)},
        "Hops": {
            "0": where(lambda trials: trials["hops"] == 0),
            "at most 1": where(lambda trials: trials["hops"] <= 1),
            "any": where(lambda trials: trials["hops"] >= 0),
        },
        "How trees are fitted": {
            "own fit only": where(lambda trials: trials["fit"] == "OwnFit"),
            "own and Refined": where(lambda trials: trials["fit"] != "NearOptimal"),
            "own and NearOptimal": where(lambda trials: trials["fit"] != "Refined"),
            "all": where(lambda trials: trials["hops"] >= 0),
        },
        "Scheme of the last hop (plain trials may be picked too)": {
            name: where(lambda trials, name=name: (trials["scheme"] == name) | (trials["hops"] == 0))
            for name in ("KnowledgeDistillation", "ConfWeight", "SRatio")
        },
        "Synthetic rows per training row, at most": {
            str(most): where(lambda trials, most=most: trials["multiple"] <= most) for most in (0, 1, 5, 10)
        },
        "The best there was (not to be had)": {
            "by fresh log-loss": lambda of: int(of.trials["fresh"].argmax()),
            "by fresh accuracy": lambda of: int(of.trials["fresh_accuracy"].argmax()),
        },
    }


def replayed(files: list[Path]) -> pd.DataFrame:
    """Return a row for each record, student, table and rule: what fresh rows say against the tuned own fit."""
    found = []
    for file in files:
        kept = pickle.loads(file.read_bytes())
        for name in STUDENTS:
            of = Choices(kept, name)
            own = (of.trials["hops"] == 0) & (of.trials["fit"] == "OwnFit")
            plain = of.trials.iloc[of.pick(0.0, 0.0, among=own.to_numpy())]
            for table, ruled in rules().items():
                for rule, pick in ruled.items():
                    chosen = of.trials.iloc[pick(of)]
                    loss = 100 * (plain["fresh"] - chosen["fresh"]) / -plain["fresh"]
                    points = 100 * (chosen["fresh_accuracy"] - plain["fresh_accuracy"])
                    found.append((file.stem, name, table, rule, loss, points))
    return pd.DataFrame(found, columns=["record", "student", "table", "rule", "loss", "points"])


def files_of(folder: Path, variant: str, trials: int) -> list[Path]:
    """Return the records of a variant that are there."""
    return sorted(folder.glob(f"*_{trials}_{variant.replace(' ', '-')}.pkl"))


def variants(folder: Path, trials: int) -> str:
    """Return the table of the variants, each against the default on the records that both have."""

    def found(file: Path) -> dict[str, tuple[float, float]]:
        kept = pickle.loads(file.read_bytes())
        chosen = {name: (of := Choices(kept, name)).trials.iloc[of.pick()] for name in STUDENTS}
        return {name: (float(one["fresh"]), float(one["fresh_accuracy"])) for name, one in chosen.items()}

    lines = [
        "## Settings of the search\n",
        "Against the default on the same splits: per cent of the log-loss (less is better), points of accuracy, +- the "
        "standard error over records.\n",
        "| | records | " + " | ".join(f"{name} log-loss | accuracy" for name in STUDENTS) + " |",
        "| --- |" + " ---: |" * (1 + 2 * len(STUDENTS)),
    ]
    for variant in VARIANTS:
        suffix = variant.replace(" ", "-")
        pairs = [
            (file, file.with_name(file.name.replace(f"_{suffix}.", "_default.")))
            for file in files_of(folder, variant, trials)
        ]
        pairs = [pair for pair in pairs if pair[1].exists()]
        if variant == "default" or len(pairs) < 2:
            continue
        both = [(found(mine), found(default)) for mine, default in pairs]
        cells = []
        for name in STUDENTS:
            loss = [100 * (old[name][0] - new[name][0]) / -old[name][0] for new, old in both]
            points = [100 * (new[name][1] - old[name][1]) for new, old in both]
            cells += [f"{np.mean(gap):+.1f} +- {np.std(gap, ddof=1) / np.sqrt(len(gap)):.1f}" for gap in (loss, points)]
        lines.append(f"| {variant} | {len(pairs)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def page(found: pd.DataFrame, trials: int) -> str:
    """Return the page."""
    n_records = found["record"].nunique()
    parts = [
        "# What to search and how to choose\n",
        f"`python benchmarks/choices.py --trials {trials}`: {n_records} recorded searches of four students, at "
        "most 1,500 rows each. Differences on fresh rows to the tuned student of its class's own fit, chosen from its "
        "trials in the same search: per cent of the log-loss (less is better) and points of accuracy; means over "
        "records, +- the standard error of the paired difference to the first line of each table.\n",
    ]
    for table, part in found.groupby("table", sort=False):
        heads = " | ".join(f"{name} log-loss | accuracy" for name in STUDENTS)
        parts += [f"## {table}\n", f"| | {heads} |", "| --- |" + " ---: |" * (2 * len(STUDENTS))]
        first = next(iter(part["rule"]))
        for rule in part["rule"].unique():
            cells = [_cell(part, name, rule, first, of) for name in STUDENTS for of in ("loss", "points")]
            parts.append(f"| {rule} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


def _cell(part: pd.DataFrame, name: str, rule: str, first: str, of: str) -> str:
    mine = part[part["student"] == name].pivot(index="record", columns="rule", values=of)
    shown = f"{mine[rule].mean():+.1f}"
    if rule == first:
        return shown
    gap = mine[rule] - mine[first]
    return f"{shown} ({gap.mean():+.1f} +- {gap.std(ddof=1) / np.sqrt(len(gap)):.1f})"


def main(args: list[str] | None = None) -> None:
    """Record what is missing and write the page."""
    parser = bench.parser("choices", __doc__, records=True)
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--trials", type=int, default=72)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["default"])
    options = parser.parse_args(args)
    options.build.mkdir(parents=True, exist_ok=True)
    for variant, seed, name in product(options.variants, options.seeds, options.data):
        file = options.build / f"{name}_{seed}_{options.trials}_{variant.replace(' ', '-')}.pkl"
        if not file.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                search = record(name, seed, options.trials, VARIANTS[variant])
            half = file.with_suffix(f".{os.getpid()}")
            half.write_bytes(pickle.dumps(search))
            half.replace(file)
            print(file.stem, f"{search['seconds']:.0f} s", flush=True)
    differences = replayed(files_of(options.build, "default", options.trials))
    bench.write(options.out, page(differences, options.trials) + variants(options.build, options.trials))


if __name__ == "__main__":
    main()
