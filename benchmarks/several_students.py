"""Four students in one search against one student alone: how often the upper models are fitted, and what it takes.

    python benchmarks/several_students.py [--trials 100] [--rows 2000] [--data spambase]

writes docs/benchmarks/several_students.md. All searches have the same settings, data and random state;
`n_trials` is per student. Fits are counted in the function that fits models, by the name of the model.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import bench
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.engine import student, upper_model
from multihop_search.problem.problem import Role

STUDENTS = [
    ("tree(3)", DecisionTreeClassifier(max_depth=3)),
    ("tree(5)", DecisionTreeClassifier(max_depth=5)),
    ("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
    ("forest(5)", RandomForestClassifier(n_estimators=5, max_depth=4)),
]
TEACHER = RandomForestClassifier(n_estimators=100)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Yield the number of fits in folds, by the name of the model."""
    fits: Counter[str] = Counter()
    fit_model = upper_model.fit_model

    def counted(problem: Any, fold: Any, part: int, positions: Any, spec: Any) -> Any:
        if fold.role is Role.OUTER:
            fits[spec.name] += 1
        return fit_model(problem, fold, part, positions, spec)

    with patch.object(upper_model, "fit_model", counted), patch.object(student, "fit_model", counted):
        yield fits


def run(students: list[tuple[str, Any]], X: pd.DataFrame, y: pd.Series, trials: int) -> tuple[int, int, float]:
    """Return fits of upper models, fits of students (those that SRatio asks for too), and seconds of the search."""
    search = MultihopSearchClassifier(students, TEACHER, n_trials=trials, random_state=0)
    with counting() as fits:
        start = time.perf_counter()
        search.fit(X, y)
        seconds = time.perf_counter() - start
    names = {name for name, _ in students}
    upper = sum(count for name, count in fits.items() if name not in names)
    return upper, sum(fits.values()) - upper, seconds


def main(args: list[str] | None = None) -> None:
    parser = bench.parser("several_students", __doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--data", default="spambase")
    options = parser.parse_args(args)
    X, y = bench.read(options.data, options.rows)
    rows, alone = [], []
    for one in STUDENTS:
        alone.append(run([one], X, y, options.trials))
        rows.append((f"{one[0]} alone", *alone[-1]))
        print(rows[-1], flush=True)
    together = run(STUDENTS, X, y, options.trials)
    sums = tuple(map(sum, zip(*alone, strict=True)))
    rows += [("the four alone, added up", *sums), ("the four in one search", *together)]
    print(rows[-1], flush=True)
    lines = [(name, f"{upper:,}", f"{own:,}", f"{seconds:.0f}") for name, upper, own, seconds in rows]
    table = bench.table(["search", "fits of upper models", "fits of students", "seconds"], lines)
    most, least = max(row[0] for row in alone), min(row[0] for row in alone)
    command = (
        f"python benchmarks/several_students.py --trials {options.trials} --rows {options.rows} --data {options.data}"
    )
    sizes = f"{options.data}, {len(X):,} rows, {X.shape[1]} columns"
    shares = f"{together[0] / most:.2f} times as often as for the student alone that needs them most"
    least_shares = f"{together[0] / least:.2f} times as often as for the one that needs them least"
    saved = f"{sums[0] / together[0]:.2f} times less often than for the four one after another"
    bench.write(
        options.out,
        f"""# Several students in one search

`{command}`

{sizes}, teacher: a forest of 100 trees, {options.trials} trials for each student, cv=5, random_state=0, one process.
Fits are those in folds; a student's own fits include the plain ones that `SRatio` asks for.

{table}

In one search the upper models are fitted {shares},
{least_shares}, and {saved};
the seconds are {together[2] / sums[2]:.2f} of theirs. Random draws are keyed by a trial's turn, so the students draw
the same prefixes (docs/decisions/0008).
""",
    )


if __name__ == "__main__":
    main()
