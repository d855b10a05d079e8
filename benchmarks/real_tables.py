"""The search on real tables: categories and missing values through Pipelines, values to predict, groups.

    python benchmarks/real_tables.py [--trials 24] [--rows N] [--data NAME ...]

All rows of each table. Checks that no trial failed, that the result takes the raw rows after a pickle, and that no
group stands on both sides of any split. Writes docs/benchmarks/real_tables.md.
"""

from __future__ import annotations

import json
import pickle
import time
from typing import Any

import bench
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
        return pd.read_csv(bench.file_of("wisdm_har_groups")).iloc[X.index, 0].to_numpy()
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


def run(name: str, n_rows: int | None, trials: int) -> dict[str, Any]:
    """Search one table; return a row for each student."""
    X, y = bench.read(name, n_rows)
    groups, (student, teacher) = groups_of(name, X), SEARCHES[name]
    kind = MultihopSearchRegressor if "Regressor" in type(teacher).__name__ else MultihopSearchClassifier
    search = kind(student, teacher, n_trials=trials, random_state=0)
    start = time.perf_counter()
    search.fit(X, y, groups=groups)
    seconds = time.perf_counter() - start
    states = search.results_["state"].value_counts().to_dict()
    assert "FAIL" not in states, search.results_["reason"].tolist()
    best = pickle.loads(pickle.dumps(search.best_estimator_))
    assert best.predict(X).shape == y.shape
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


def main(args: list[str] | None = None) -> None:
    """Run the tables and write the page of all whose rows are kept."""
    parser = bench.parser("real_tables", __doc__, records=True)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rows", type=int, help="at most as many of each table; default: all")
    parser.add_argument("--data", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    options = parser.parse_args(args)
    options.build.mkdir(parents=True, exist_ok=True)
    few = "" if options.rows is None else f"_rows_{options.rows}"
    files = {name: options.build / f"{name}_{options.trials}{few}.json" for name in SEARCHES}
    for name in options.data:
        if not files[name].exists():
            record = run(name, options.rows, options.trials)
            files[name].write_text(json.dumps(record, default=int))
            print(record, flush=True)
    records = [json.loads(file.read_text()) for file in files.values() if file.exists()]
    of_table = ("data", "rows", "words", "missing", "groups", "states", "seconds")
    of_student = ("student", "measures", *SHOWN, "selected vs plain")
    lines = [[record["data"], *(of[name] for name in of_student)] for record in records for of in record["students"]]
    parts = [
        "# Real tables\n",
        f"`python benchmarks/real_tables.py --trials {options.trials}`: "
        f"{'all' if options.rows is None else options.rows} rows of each table, cv=5, random_state=0.",
        "Honest scores (see the verdict) of what each group's choice picks; gains in units of the score (log-loss,",
        "squared error). Words: columns that are no numbers. No group stands on both sides of any split, outer or",
        "inner (checked).\n",
        bench.table(
            ["data", "rows", "words", "missing values", "groups", "trials", "seconds"],
            [[record[name] for name in of_table] for record in records],
        ),
        "",
        bench.table(["data", *of_student], lines),
    ]
    bench.write(options.out, "\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
