"""The page and the README's table, written of the record alone."""

from __future__ import annotations

import re

import bench
import numpy as np
import pandas as pd

from quality_parts import automl, by_hand
from quality_parts.cells import PLAIN, SHRUNK
from quality_parts.data import MORE_SETS, MOST_FRESH, MOST_TRAINING, SETS, VALUES
from quality_parts.measures import TIE, mean_and_error, wins_ties_losses
from quality_parts.ours import FIRST, OURS, RANDOM, TOLERANCES
from quality_parts.students import LEAVES, ROUNDS, STUDENTS, TREES, VALUE_TREES
from quality_parts.targets import against, signed, targets

BEFORE = "before"
RECORDED = (BEFORE, "careful before", "autogluon", "autogluon repaired", "streed", "gosdt")
METHODS = (OURS, FIRST, SHRUNK, "imodels", "careful", RANDOM, *RECORDED)
LEFT_OUT = ("no solver", "no soft labels", "no synthetic rows", "no second hop")
APART = "musk_v2"
MARKS = "<!-- quality: begin -->", "<!-- quality: end -->"
README = bench.ROOT / "README.md"
ALL = (*STUDENTS, *VALUE_TREES)


def shown(record: pd.DataFrame, trials: int) -> pd.DataFrame:
    """Return the rows that the page is about, the variant in the method's name; of random draws those of `trials`."""
    rows = record[(record["method"] != RANDOM) | (record["trials"] == trials)]
    return rows.assign(method=(rows["method"] + " " + rows["variant"]).str.strip())


def in_short(differences: pd.DataFrame) -> list[str]:
    """Return the cells of a summary: sets, log-loss, accuracy, wins / ties / losses."""
    if differences.empty:
        return ["0", "", "", ""]
    ratios, points = differences["log_loss"], differences["accuracy"]
    counts = " / ".join(map(str, wins_ties_losses(list(ratios / 100))))
    return [str(len(ratios)), signed(mean_and_error(ratios), " %"), signed(mean_and_error(points)), counts]


def summary(rows: pd.DataFrame, student: str, baseline: str) -> str:
    """Return every method of a student against a baseline, under its heading; nothing where none was run."""
    found = [(method, against(rows, method, baseline, student)) for method in METHODS if method != baseline]
    lines = [[method, *in_short(differences)] for method, differences in found if len(differences)]
    table = bench.table(["method", "sets", "loss", "accuracy, points", "wins / ties / losses"], lines)
    return f"\n### {student}, against {baseline}\n\n{table}" if lines else ""


def apart(rows: pd.DataFrame) -> str:
    """Return ours with and without the set that is shown apart, and on it alone: the loss in per cent."""
    lines = []
    for student in TREES:
        for baseline in (PLAIN, SHRUNK):
            for method in (OURS, BEFORE):
                losses = against(rows, method, baseline, student)["log_loss"]
                if APART in losses.index:
                    without = mean_and_error(losses.drop(APART))
                    told = [signed(pair, " %") for pair in (mean_and_error(losses), without)]
                    lines.append([student, method, baseline, *told, f"{losses[APART]:+.1f} %"])
    return bench.table(["student", "method", "against", "all sets", f"without {APART}", f"{APART} alone"], lines)


def tolerances(rows: pd.DataFrame) -> str:
    """Return what is lost or gained under other tolerances of the choice, against that of the search."""
    found = [
        (student, f"{tolerance:g}", against(rows, f"{OURS} tolerance {tolerance:g}", OURS, student))
        for student in ALL
        for tolerance in TOLERANCES
    ]
    return bench.table(
        ["student", "tolerance", "sets", "loss", "accuracy, points", "wins / ties / losses"],
        [[*names, *in_short(differences)] for *names, differences in found if len(differences)],
    )


def left_out(rows: pd.DataFrame) -> str:
    """Return what each part was worth: the search before without it against the whole."""
    found = [(s, part, against(rows, part, BEFORE, s)) for s in TREES for part in LEFT_OUT]
    return bench.table(
        ["student", "left out", "sets", "log-loss without it", "accuracy without it", "wins / ties / losses"],
        [[s, part, *in_short(differences)] for s, part, differences in found if len(differences)],
    )


def by_set(rows: pd.DataFrame) -> str:
    """Return plain, shrunk and ours by data set: loss and accuracy, averaged over seeds."""
    mean = rows.groupby(["method", "data", "student"])[["log_loss", "accuracy"]].mean()

    def told(method: str, data: str, student: str) -> str:
        if (method, data, student) not in mean.index:
            return ""
        loss, accuracy = mean.loc[(method, data, student)]
        return f"{loss:.5g}" if np.isnan(accuracy) else f"{loss:.4f} / {accuracy:.4f}"

    lines = []
    for student in ALL:
        over_plain, over_shrunk = (against(rows, OURS, baseline, student) for baseline in (PLAIN, SHRUNK))
        for data, (loss, accuracy) in over_plain.iterrows():
            shrunk = f"{over_shrunk['log_loss'][data]:+.1f} %" if data in over_shrunk.index else ""
            points = "" if np.isnan(accuracy) else f"{accuracy:+.1f}"
            values = [told(method, data, student) for method in (PLAIN, SHRUNK, OURS)]
            lines.append([data, student, *values, f"{loss:+.1f} %", shrunk, points])
    head = ["data", "student", "plain tuned", "and shrunk", "ours", "against plain", "against shrunk", "points"]
    return bench.table(head, sorted(lines))


def claims(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a claim, with its error and whether its interval holds the fresh-row gain."""
    found = rows.dropna(subset=["claimed", "fresh_gain"])
    inside = (found["claimed_low"] <= found["fresh_gain"]) & (found["fresh_gain"] <= found["claimed_high"])
    return found.assign(error=found["claimed"] - found["fresh_gain"], inside=inside)


def claims_in_short(rows: pd.DataFrame) -> str:
    """Return, by search and student: cells, mean claim and fresh-row gain, mean error over sets, coverage."""
    lines = []
    for (method, student), part in claims(rows).groupby(["method", "student"], sort=False):
        error, spread = mean_and_error(part.groupby("data")["error"].mean())
        lines.append(
            [
                method,
                student,
                len(part),
                f"{part['claimed'].mean():+.4f}",
                f"{part['fresh_gain'].mean():+.4f}",
                f"{error:+.4f}" + ("" if np.isnan(spread) else f" ± {spread:.4f}"),
                f"{100 * part['inside'].mean():.0f} %",
            ]
        )
    return bench.table(["search", "student", "cells", "claimed", "fresh rows", "claimed - fresh", "coverage"], lines)


def seconds(rows: pd.DataFrame) -> str:
    """Return the median seconds of a cell, by method."""
    timed = rows.dropna(subset=["seconds"])
    by_cell = timed.groupby(["method", "data", "seed"], sort=False)["seconds"].sum()
    found = by_cell.groupby("method", sort=False).agg(["size", "median", "max", "sum"])
    lines = [
        [name, int(one["size"]), f"{one['median']:.1f}", f"{one['max']:.0f}", f"{one['sum'] / 3600:.1f}"]
        for name, one in found.iterrows()
    ]
    return bench.table(["method", "cells", "median", "longest", "hours, all"], lines)


HEAD = """# Quality: {classes} real data sets of classes and {values} of values, every rival

`python benchmarks/quality.py`; {sets} sets measured so far, seeds {seeds}. All rows of the record:
[quality.csv](quality.csv).

At most {training:,} training rows and up to {fresh:,} fresh ones, which nothing but this page sees. Medians and one-hot
columns are learned on the training rows; where a set has groups no group is on both sides. Students: `tree4` and
`tree6`, trees of these depths; `lr`, a scaled logistic regression; `gbm10`, LightGBM with {rounds} rounds of {leaves}
leaves; `value_tree4` and `value_tree6`, trees where values are predicted.

- **plain**, *plain tuned*: {draws} random draws, the first the defaults, of the parameters that the search tunes too,
  chosen by 5 folds.
- **shrunk**, *plain tuned with shrinkage*: the same draws, each tree shrunk by our `OwnFit(shrinkage="auto")`.
- **ours**: the default search of all students of a set at once; **first**: the one recipe that is best alone. Both
  learned of records (`benchmarks/portfolio.py`) of other splits, without the set that judges and without its kin.
- **random**: today's search without a portfolio, {trials} random draws a student. **before**: the search as it was
  when there was no portfolio and no shrinkage, 120 random draws, recorded then under the name `ours`; **careful
  before** could not shrink.

*loss*: mean over sets of the relative difference of the log-loss (floor 1e-3), of values of the squared error, minus is
better; *accuracy*: mean over sets of the difference in points, plus is better; ± one standard error over sets, seeds
averaged within a set first. A loss within {tie:g} % is a tie.
"""
RIVALS_IN_WORDS = """## The rivals

- **imodels**: `HSTreeClassifierCV`, `min_samples_leaf` of {sizes} chosen by 5 folds; where its own folds lack a class
  it does not serve.
- **careful**: 5 folds choose among default and tuned parameters, each without a hop and taught by a forest of
  {trees} trees with soft labels of share 0.5 and 1, cross-fitted within each part, trees shrunk and not. Its seconds
  are those beyond tuning.
- **autogluon**: `TabularPredictor.distill()` ({autogluon}). It cannot distil a logistic regression. With three classes
  or more its booster is stopped by a log-loss that mixes up rows and classes (it reshapes LightGBM's predictions as
  they were before version 4), and keeps one round; **autogluon repaired** reads them as they are.
- **streed**: `pystreed`, optimal for accuracy on the true labels over 60 binary columns (8 quantile thresholds a
  column, the package's own selection), 4 levels; `tree6` has two greedy levels below. At most 60 s.
- **gosdt**: `gosdt`, optimal and sparse (penalties of 64, 16, 4 and 1 rows a leaf in turn, 60 s in all,
  the tree of fewest training errors and leaves together), reference labels by the cross-fitted forest, thresholds
  guessed by boosted stumps; depth bound 4 or 6. Where the forest is weak (musk_v2: new groups) so is its guidance.
- Leaves of both optimal trees hold Laplace-smoothed class frequencies of the training rows.
"""


def page(record: pd.DataFrame, trials: int) -> str:
    """Return the page."""
    rows = shown(record, trials)
    head = HEAD.format(
        classes=len(SETS + MORE_SETS),
        values=len(VALUES),
        trials=trials,
        sets=rows["data"].nunique(),
        seeds=", ".join(map(str, sorted(rows["seed"].unique()))) or "none",
        training=MOST_TRAINING,
        fresh=MOST_FRESH,
        rounds=ROUNDS,
        leaves=LEAVES,
        draws=by_hand.N_DRAWS,
        tie=100 * TIE,
    )
    lines = [[one.words, one.found, f"{one.n_sets} of {one.most}", one.verdict] for one in targets(rows)]
    parts = [head, "## What was wanted\n", bench.table(["wanted", "found", "sets", ""], lines)]
    parts.append(f"\n## {APART} apart\n\nIts fresh rows are other molecules.\n\n" + apart(rows))
    for baseline, name in ((PLAIN, "the plain tuned student"), (SHRUNK, "the plain tuned student with shrinkage")):
        parts.append(f"\n## Against {name}")
        parts += filter(None, (summary(rows, student, baseline) for student in ALL))
    parts.append("\n## By data set\n\nLoss / accuracy on fresh rows, means over seeds.\n\n" + by_set(rows))
    parts.append(
        "\n## How much better a path of more hops has to be\n\nThe simplest path within so many standard errors of the "
        "best is chosen; against 1, the default, in the same searches.\n\n" + tolerances(rows)
    )
    parts.append(
        "\n## One part left out of the search before\n\nAs recorded, against **before**: plus in log-loss and minus in "
        "accuracy is what the part was worth. *Solver*: trees are fitted by their class alone. *Soft labels*: only "
        "hard labels and weights pass on, to synthetic rows too.\n\n" + left_out(rows)
    )
    parts.append(
        "\n## What the verdict claimed, and what fresh rows say\n\nGains over the student's own plain fit in the same "
        "search (trees: *selected vs own fit*), in units of its score. Coverage: how often the 95 % interval "
        "holds the gain on the fresh rows, which have an error of their own. Every claim stands in the record.\n\n"
        + claims_in_short(rows[rows["method"].isin((OURS, BEFORE))])
    )
    sizes = ", ".join(map(str, by_hand.LEAF_SIZES))
    settings = " ".join(automl.SETTINGS.split())
    parts.append("\n" + RIVALS_IN_WORDS.format(trees=by_hand.N_TREES, autogluon=settings, sizes=sizes))
    parts.append(
        "## Seconds of a cell, all its students\n\nOf CPU, in the cell's process; of what stands here as recorded "
        f"({', '.join(RECORDED)}, those with a part left out) of the wall, on one thread.\n\n" + seconds(rows) + "\n"
    )
    return "\n".join(parts)


README_COLUMNS = {
    "ours": (OURS, PLAIN),
    "ours, against shrunk": (OURS, SHRUNK),
    "shrunk": (SHRUNK, PLAIN),
    "one recipe": (FIRST, PLAIN),
    "imodels": ("imodels", PLAIN),
    "by hand": ("careful", PLAIN),
    "search before": (BEFORE, PLAIN),
    "AutoGluon": ("autogluon repaired", PLAIN),
    "pystreed": ("streed", PLAIN),
    "gosdt": ("gosdt", PLAIN),
}
"""Columns of the README's table: a method and what it is compared with."""


def readme_table(record: pd.DataFrame, trials: int) -> str:
    """Return the table of the README, by student, with the number of sets; a column or a row of nothing is left out."""
    rows = shown(record, trials)

    def told(method: str, baseline: str, student: str) -> str:
        n_sets, loss, points, _ = in_short(against(rows, method, baseline, student))
        return ", ".join(filter(None, (loss, points))) + f" ({n_sets})" * bool(loss)

    table = pd.DataFrame(
        {name: [told(*pair, student) for student in ALL] for name, pair in README_COLUMNS.items()}, index=list(ALL)
    )
    table = table.loc[(table != "").any(axis=1), (table != "").any(axis=0)]
    return bench.table(["student (sets)", *table], [[student, *line] for student, line in table.T.items()])


def write_readme(record: pd.DataFrame, trials: int) -> None:
    """Put the table between the README's two marks."""
    begin, end = MARKS
    text = README.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    README.write_text(pattern.sub(f"{begin}\n{readme_table(record, trials)}\n{end}", text, count=1))
