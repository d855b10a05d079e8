"""The search on real tables: categories and missing values through Pipelines, values to predict, groups.

    python benchmarks/real_tables.py [--trials 24] [--data NAME ...]

All rows of each table. Checks that no trial failed, that the result takes the raw rows after a pickle, and that no
group stands on both sides of any split. Writes docs/benchmarks/real_tables.md.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from multihop_search import MultihopSearchClassifier, MultihopSearchRegressor

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "benchmarks" / "real_tables.md"
WORDS = make_column_selector(dtype_exclude="number")


def one_hot(model: Any) -> Any:
    """Return `model` behind one column a category, medians and one scale."""
    words = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(make_column_transformer((words, WORDS), remainder=numbers), model)


def ordinal(model: Any) -> Any:
    """Return `model` behind a number for each category."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return make_pipeline(make_column_transformer((words, WORDS), remainder="passthrough"), model)


TREE, BOOSTER = DecisionTreeClassifier(max_depth=5), HistGradientBoostingClassifier(max_iter=100)
SEARCHES: dict[str, tuple[Any, Any]] = {
    "adult": ([("tree", one_hot(TREE)), ("logistic", one_hot(LogisticRegression(max_iter=500)))], ordinal(BOOSTER)),
    "german_credit": (
        [("tree", one_hot(TREE)), ("logistic", one_hot(LogisticRegression(max_iter=500)))],
        one_hot(RandomForestClassifier(100)),
    ),
    "california_housing": (DecisionTreeRegressor(max_depth=5), HistGradientBoostingRegressor(max_iter=200)),
    "bike_sharing": (DecisionTreeRegressor(max_depth=5), HistGradientBoostingRegressor(max_iter=200)),
    "heart_disease": (TREE, RandomForestClassifier(100)),
    "wisdm_har": (TREE, RandomForestClassifier(100)),
}


def groups_of(name: str, X: pd.DataFrame) -> np.ndarray | None:
    """Return the groups of the rows: of a file, or of any column."""
    if name == "wisdm_har":
        return pd.read_csv(DATA / "wisdm_har_groups.csv.gz").iloc[:, 0].to_numpy()
    return X["age"].to_numpy() if name == "heart_disease" else None


def crossings(problem: Any, groups: np.ndarray) -> int:
    """Return in how many splits, outer and inner, some group stands on both sides."""
    found = 0
    for fold in (*problem.folds, problem.whole):
        found += bool(set(groups[fold.train]) & set(groups[fold.test]))
        for held in fold.inner:
            others = np.setdiff1d(np.arange(len(fold.train)), held)
            found += bool(set(groups[fold.train][held]) & set(groups[fold.train][others]))
    return found


def run(name: str, trials: int) -> dict[str, Any]:
    """Search one table; return a row for each student."""
    X = pd.read_csv(DATA / f"{name}.csv.gz")
    y = X.pop("target")
    groups, (student, teacher) = groups_of(name, X), SEARCHES[name]
    kind = MultihopSearchRegressor if "Regressor" in type(teacher).__name__ else MultihopSearchClassifier
    search = kind(student, teacher, n_trials=trials, random_state=0)
    start = time.perf_counter()
    search.fit(X, y, groups=groups)
    seconds = time.perf_counter() - start
    states = search.results_["state"].value_counts().to_dict()
    assert "FAIL" not in states, search.results_["reason"].tolist()
    best = pickle.loads(pickle.dumps(search.best_estimator_))
    assert best.predict(X.iloc[:100]).shape == (100,)
    crossed = None if groups is None else crossings(search.setup_.problem, groups)
    assert not crossed, f"{crossed} splits of {name} have a group on both sides"
    shown = ["rmse", "r2"] if kind is MultihopSearchRegressor else ["log_loss", "accuracy"]
    rows = []
    for label, verdict in search.verdicts_.items():
        gain = verdict.table.loc["selected vs plain"]
        cells = {group: " / ".join(f"{value:.4g}" for value in verdict.scores.loc[group, shown]) for group in SHOWN}
        said = f"{gain['verdict']}, {gain['gain']:+.4g} ({gain['low']:+.4g} to {gain['high']:+.4g})"
        rows.append({"student": label, "measures": " / ".join(shown), **cells, "selected vs plain": said})
    return {
        "data": name,
        "rows": len(X),
        "words": len(WORDS(X)),
        "missing": int(X.isna().sum().sum()),
        "groups": "" if groups is None else len(set(groups)),
        "states": ", ".join(f"{count} {state}" for state, count in states.items()),
        "seconds": round(seconds),
        "students": rows,
    }


SHOWN = ("teacher", "plain", "one-hop", "multi-hop", "selected")


def main() -> None:
    """Run the tables and write the page of all whose rows are kept under build/real_tables/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--data", nargs="+", default=list(SEARCHES))
    options = parser.parse_args()
    kept = ROOT / "build" / "real_tables"
    kept.mkdir(parents=True, exist_ok=True)
    files = {name: kept / f"{name}_{options.trials}.json" for name in SEARCHES}
    for name in options.data:
        if not files[name].exists():
            made = run(name, options.trials)
            files[name].write_text(json.dumps(made, default=int))
            print(made, flush=True)
    found = [json.loads(file.read_text()) for file in files.values() if file.exists()]
    lines = [
        "# Real tables\n",
        f"`python benchmarks/real_tables.py --trials {options.trials}`: all rows of each table, cv=5, random_state=0.",
        "Honest scores (see the verdict) of what each group's choice picks; gains in units of the score (log-loss,",
        "squared error). Words: columns that are no numbers. No group stands on both sides of any split, outer or",
        "inner (checked).\n",
        "| data | rows | words | missing values | groups | trials | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            "| "
            + " | ".join(str(row[name]) for name in ("data", "rows", "words", "missing", "groups", "states", "seconds"))
            + " |"
            for row in found
        ),
        "\n| data | student | measures | " + " | ".join(SHOWN) + " | selected vs plain |",
        "| --- " * (4 + len(SHOWN)) + "|",
    ]
    for row in found:
        for student in row["students"]:
            names = ("student", "measures", *SHOWN, "selected vs plain")
            lines.append(f"| {row['data']} | " + " | ".join(str(student[name]) for name in names) + " |")
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
