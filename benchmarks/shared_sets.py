"""The search on five real data sets: does it run, does the size bound hold, and do the claims survive fresh rows?

    python benchmarks/shared_sets.py [--trials 100] [--data NAME ...]

Seven tenths of the rows are searched (cv=5, student DecisionTreeClassifier(max_depth=4)); three tenths are fresh: they
are looked at once, at the end, to hold the claimed gains against. Each set's row is kept under build/shared_sets/ and
not made again; the page, docs/benchmarks/shared_sets.md, is written of all that are there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = ("satimage", "spambase", "letter", "wine_quality", "magic_gamma")
DEPTH = 4


def run_set(name: str, trials: int) -> tuple[dict[str, object], str]:
    """Return a row of the table, and the verdict in words."""
    frame = pd.read_csv(DATA / f"{name}.csv.gz")
    X, y = frame.drop(columns=["target", "color"], errors="ignore"), frame["target"]
    rare = y.map(y.value_counts()) < 2
    X, X_fresh, y, y_fresh = train_test_split(X, y, test_size=0.3, random_state=0, stratify=None if rare.any() else y)
    start = time.perf_counter()
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=DEPTH), n_trials=trials, random_state=0).fit(
        X, y
    )
    seconds = time.perf_counter() - start
    assert type(search.best_estimator_) is DecisionTreeClassifier
    assert search.best_estimator_.get_depth() <= DEPTH
    assert search.verdict_.table.notna().all(axis=None)
    results, scorer = search.results_, search.scorer_

    def fresh(number: int) -> np.ndarray:
        """Return the score of each fresh row under a trial's student, fitted on all searched rows."""
        proba = search.refit_trial(number).predict_proba(X_fresh)
        return np.asarray(scorer.rows(np.searchsorted(search.classes_, y_fresh), proba))

    def best(of: pd.Series) -> int:
        return int(results.loc[of, "score"].idxmax())

    plain, one, many = best(results["hops"] == 0), best(results["hops"] == 1), best(results["hops"] >= 2)
    truth = {
        "one-hop vs plain": fresh(one) - fresh(plain),
        "multi-hop vs one-hop": fresh(many) - fresh(one),
        "selected vs plain": fresh(search.best_index_) - fresh(plain),
    }
    claimed = {
        "one-hop vs plain": results["score"][one] - results["score"][plain],
        "multi-hop vs one-hop": results["score"][many] - results["score"][one],
        "selected vs plain": results["score"][search.best_index_] - results["score"][plain],
    }
    table = search.verdict_.table
    row: dict[str, object] = {
        "data": name,
        "rows": len(X),
        "classes": len(search.classes_),
        "seconds": round(seconds),
        "teacher": type(search.teacher_).__name__.removesuffix("Classifier"),
        "hops chosen": len(search.best_path_.hops),
    }
    for comparison, gain in truth.items():
        found = table.loc[comparison]
        row[f"{comparison}: verdict"] = (
            f"{found['verdict']}, {found['gain']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        )
        row[f"{comparison}: naive claim"] = f"{claimed[comparison]:+.4f}"
        row[f"{comparison}: fresh rows"] = f"{gain.mean():+.4f} +- {gain.std() / np.sqrt(len(gain)):.4f}"
    return row, str(search.verdict_)


def markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    head = "| " + " | ".join(map(str, frame.columns)) + " |\n|" + " --- |" * frame.shape[1]
    return "\n".join([head, *("| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False))])


def main() -> None:
    """Run the sets and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "shared_sets.md")
    options = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"skipped: the real data sets are not here, {DATA} is absent")
    kept = ROOT / "build" / "shared_sets"
    kept.mkdir(parents=True, exist_ok=True)
    files = {name: kept / f"{name}_{options.trials}.json" for name in SETS}
    for name in options.data:
        if not files[name].exists():
            made = run_set(name, options.trials)
            files[name].write_text(json.dumps(made, default=int))
            print(made, flush=True)
    found = [json.loads(file.read_text()) for file in files.values() if file.exists()]
    rows = pd.DataFrame([row for row, _ in found])
    summary = rows[[column for column in rows.columns if " vs " not in column]]
    parts = [
        "# Five real data sets\n",
        f"`python benchmarks/shared_sets.py --trials {options.trials}`; cv=5, student "
        f"`DecisionTreeClassifier(max_depth={DEPTH})`, teacher chosen by the search; 70 % of the "
        "rows searched, 30 % fresh.",
        "Gains are in nats of log-loss (floor 1e-3), greater is better. *Naive claim*: the difference of the two best "
        "cross-validated scores. *Fresh rows*: the same two models, refitted, on rows that the search never saw, +- "
        "the standard error of the paired differences there.\n",
        markdown(summary),
    ]
    for comparison in ("one-hop vs plain", "multi-hop vs one-hop", "selected vs plain"):
        columns = [column for column in rows.columns if column.startswith(comparison)]
        part = rows[["data", *columns]].rename(columns=lambda column: column.rpartition(": ")[2])
        parts += [f"\n## {comparison}\n", markdown(part)]
    parts += ["\n## In words\n", *(f"- **{row['data']}**: {words}" for row, words in found), ""]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
