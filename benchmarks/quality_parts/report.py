"""The page and the README's table, written of the record alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bench
import numpy as np
import pandas as pd

from multihop_search.experiment.statistics import holm
from quality_parts import automl, by_hand
from quality_parts.cells import PLAIN
from quality_parts.data import MOST_FRESH, MOST_TRAINING
from quality_parts.measures import TIE, mean_and_error, two_sided, wins_ties_losses
from quality_parts.students import LEAVES, ROUNDS, STUDENTS, TREES

OURS, OURS_ACCURACY, PLAIN_ACCURACY = "ours", "ours accuracy", "plain accuracy"
RIVALS = ("careful", "autogluon", "autogluon repaired", "streed", "gosdt")
LEFT_OUT = ("no solver", "no soft labels", "no synthetic rows", "no second hop")
MARKS = "<!-- quality: begin -->", "<!-- quality: end -->"
README = bench.ROOT / "README.md"
GAINS = {"tree4": (10.0, 1.5), "tree6": (18.0, 1.8)}
"""What is wanted over the plain tuned tree: per cent of the log-loss, points of accuracy."""
ACCURACY_GAIN, SHARE_OF_SETS, MOST_HARM, LEVEL = 2.5, 0.75, 1.0, 0.05


def shown(record: pd.DataFrame, trials: int) -> pd.DataFrame:
    """Return the rows that the page is about, the variant in the method's name."""
    rows = record[record["trials"].isin([0, trials])]
    return rows.assign(method=(rows["method"] + " " + rows["variant"]).str.strip())


def against(rows: pd.DataFrame, method: str, baseline: str, student: str) -> pd.DataFrame:
    """Return, by data set, the relative difference of log-loss in per cent and that of accuracy in points.

    Differences are taken within a seed and averaged over the seeds that both have.
    """
    mine, theirs = (
        rows[(rows["method"] == name) & (rows["student"] == student)].set_index(["data", "seed"])[
            ["log_loss", "accuracy"]
        ]
        for name in (method, baseline)
    )
    both = mine.join(theirs.add_suffix("_of_baseline"), how="inner")
    differences = pd.DataFrame(
        {
            "log_loss": 100 * (both["log_loss"] / both["log_loss_of_baseline"] - 1),
            "accuracy": 100 * (both["accuracy"] - both["accuracy_of_baseline"]),
        }
    )
    return differences.groupby("data").mean()


def signed(pair: tuple[float, float], unit: str = "") -> str:
    """Return a mean with its error.

    >>> signed((-10.04, 1.3), " %")
    '-10.0 % ± 1.3'
    """
    mean, error = pair
    return f"{round(mean, 1) + 0.0:+.1f}{unit}" + ("" if np.isnan(error) else f" ± {error:.1f}")


def in_short(differences: pd.DataFrame) -> list[str]:
    """Return the cells of a summary: sets, log-loss, accuracy, wins / ties / losses."""
    if differences.empty:
        return ["0", "", "", ""]
    ratios, points = differences["log_loss"], differences["accuracy"]
    counts = " / ".join(map(str, wins_ties_losses(list(ratios / 100))))
    return [str(len(ratios)), signed(mean_and_error(ratios), " %"), signed(mean_and_error(points)), counts]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def summary(rows: pd.DataFrame, student: str) -> str:
    """Return ours and every rival of a student against the plain tuned one."""
    methods = [OURS, *RIVALS, *((OURS_ACCURACY, PLAIN_ACCURACY) if student in TREES else ())]
    found = [(method, against(rows, method, PLAIN, student)) for method in methods]
    return table(
        ["method", "sets", "log-loss", "accuracy, points", "wins / ties / losses"],
        [[method, *in_short(differences)] for method, differences in found if len(differences)],
    )


def duel(rows: pd.DataFrame, method: str, baselines: Sequence[str], students: Sequence[str] = STUDENTS) -> str:
    """Return one method against others, by student."""
    found = [(s, other, against(rows, method, other, s)) for s in students for other in baselines]
    return table(
        ["student", "against", "sets", "log-loss", "accuracy, points", "wins / ties / losses"],
        [[s, other, *in_short(differences)] for s, other, differences in found if len(differences)],
    )


def left_out(rows: pd.DataFrame) -> str:
    """Return what each part is worth: the search without it against the whole."""
    found = [(s, part, against(rows, part, OURS, s)) for s in TREES for part in LEFT_OUT]
    return table(
        ["student", "left out", "sets", "log-loss without it", "accuracy without it", "wins / ties / losses"],
        [[s, part, *in_short(differences)] for s, part, differences in found if len(differences)],
    )


def by_set(rows: pd.DataFrame) -> str:
    """Return ours and plain by data set: log-loss and accuracy, averaged over seeds."""
    mean = rows.groupby(["method", "data", "student"])[["log_loss", "accuracy"]].mean()
    by_student = {student: against(rows, OURS, PLAIN, student) for student in STUDENTS}
    lines = []
    for data in dict.fromkeys(rows["data"]):
        for student, differences in by_student.items():
            if data in differences.index:
                values = [mean.loc[(method, data, student)] for method in (PLAIN, OURS)]
                told = [f"{v['log_loss']:.4f} / {v['accuracy']:.4f}" for v in values]
                one = differences.loc[data]
                lines.append([data, student, *told, f"{one['log_loss']:+.1f} %", f"{one['accuracy']:+.1f}"])
    return table(["data", "student", "plain tuned", "ours", "log-loss", "accuracy, points"], lines)


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
    return table(["search", "student", "cells", "claimed", "fresh rows", "claimed - fresh", "coverage"], lines)


def claims_by_cell(rows: pd.DataFrame) -> str:
    """Return each claim of the whole search beside the gain on fresh rows."""
    found = claims(rows[rows["method"] == OURS])
    return table(
        ["data", "seed", "student", "claimed, 95 % interval", "fresh rows", "inside", "verdict; chosen"],
        [
            [
                row.data,
                row.seed,
                row.student,
                f"{row.claimed:+.4f} ({row.claimed_low:+.4f} to {row.claimed_high:+.4f})",
                f"{row.fresh_gain:+.4f} ± {row.fresh_gain_se:.4f}",
                "yes" if row.inside else "no",
                row.note,
            ]
            for row in found.itertuples()
        ],
    )


@dataclass(frozen=True)
class Target:
    """Something that was wanted, and what was found."""

    words: str
    found: str
    missing: float | None
    """By how much it is missed: 0 or less is reached, None not measured."""

    @property
    def verdict(self) -> str:
        """Return what the page says."""
        if self.missing is None:
            return "not measured"
        return "reached" if self.missing <= 0 else f"**missed** by {self.missing:.2g}"


def mean_target(words: str, differences: pd.DataFrame, column: str, wanted: float) -> Target:
    """Return whether the mean over sets is at least `wanted` better (per cent less log-loss, points of accuracy)."""
    if differences.empty:
        return Target(words, "", None)
    pair = mean_and_error(differences[column])
    better = -pair[0] if column == "log_loss" else pair[0]
    return Target(words, signed(pair, " %" if column == "log_loss" else " points"), wanted - better)


def no_worse_target(student: str, differences: pd.DataFrame, column: str) -> Target:
    """Return whether a student is not worse than plain by more than the standard error over sets."""
    words = f"{student}: {column.replace('_', '-')} not worse than plain by more than the standard error"
    if len(differences) < 2:
        return Target(words, "", None)
    mean, error = mean_and_error(differences[column])
    worse = mean if column == "log_loss" else -mean
    return Target(words, signed((mean, error), " %" if column == "log_loss" else " points"), worse - error)


def harm(rows: pd.DataFrame, method: str, student: str) -> pd.DataFrame:
    """Return, by data set, the gain of accuracy over plain in points and Holm's p-value of its being 0.

    Seeds are averaged as if their errors were independent, though fresh rows of small sets overlap: a strict error.
    """
    part = rows[(rows["method"] == method) & (rows["student"] == student)]
    of_set = part.groupby("data")
    gains = 100 * of_set["accuracy_gain"].mean()
    errors = 100 * of_set["accuracy_gain_se"].agg(lambda se: np.sqrt((se**2).sum()) / len(se))
    return pd.DataFrame({"gain": gains, "p": holm(two_sided(gains, errors))}, index=gains.index)


def harm_target(rows: pd.DataFrame, student: str) -> Target:
    """Return whether no set is clearly worse than plain."""
    words = f"{student}: no set worse by more than {MOST_HARM:g} point of accuracy with Holm's interval below 0"
    found = harm(rows, OURS, student)
    if found.empty:
        return Target(words, "", None)
    harmed = found[(found["gain"] < -MOST_HARM) & (found["p"] < LEVEL)]
    told = ", ".join(f"{data} {gain:+.1f}" for data, gain in harmed["gain"].items())
    return Target(words, told or f"none; the worst {found['gain'].min():+.1f}", float(len(harmed)))


def share_target(rows: pd.DataFrame, student: str, rival: str) -> Target:
    """Return whether ours has the better log-loss on enough sets."""
    words = f"{student}: better log-loss than {rival} on at least {100 * SHARE_OF_SETS:.0f} % of the sets"
    ratios = against(rows, OURS, rival, student)["log_loss"]
    if ratios.empty:
        return Target(words, "", None)
    better = int((ratios < 0).sum())
    share = better / len(ratios)
    return Target(words, f"{better} of {len(ratios)}", 100 * (SHARE_OF_SETS - share))


def targets(rows: pd.DataFrame) -> list[Target]:
    """Return all that was wanted."""
    found = []
    for student, (per_cent, points) in GAINS.items():
        ours = against(rows, OURS, PLAIN, student)
        found.append(mean_target(f"{student}: log-loss {per_cent:g} % lower than plain", ours, "log_loss", per_cent))
        found.append(mean_target(f"{student}: accuracy {points:g} points higher", ours, "accuracy", points))
        for baseline, chosen in ((PLAIN, "log-loss"), (PLAIN_ACCURACY, "accuracy")):
            words = f"{student}, scoring='accuracy': {ACCURACY_GAIN:g} points over plain chosen by {chosen}"
            differences = against(rows, OURS_ACCURACY, baseline, student)
            found.append(mean_target(words, differences, "accuracy", ACCURACY_GAIN))
    for student in STUDENTS:
        if student not in GAINS:
            ours = against(rows, OURS, PLAIN, student)
            found += [no_worse_target(student, ours, column) for column in ("log_loss", "accuracy")]
    found += [harm_target(rows, student) for student in STUDENTS]
    return found + [share_target(rows, student, rival) for student in TREES for rival in (PLAIN, *RIVALS)]


def seconds(rows: pd.DataFrame) -> str:
    """Return the mean seconds of a cell, by method."""
    by_cell = rows.groupby(["method", "data", "seed"], sort=False)["seconds"].sum()
    found = by_cell.groupby("method", sort=False).agg(["size", "mean", "max"])
    lines = [[name, int(one["size"]), f"{one['mean']:.0f}", f"{one['max']:.0f}"] for name, one in found.iterrows()]
    return table(["method", "cells", "mean", "longest"], lines)


HEAD = """# Quality: twelve real data sets, four students, every rival

`python benchmarks/quality.py`, {trials} trials a student; {sets} sets, seeds {seeds}; {hours:.1f} machine hours,
one thread a cell. All rows of the record: [quality.csv](quality.csv).

At most {training:,} training rows and up to {fresh:,} fresh ones, which nothing but this page sees. Medians and one-hot
columns are learned on the training rows; where a set has groups (musk_v2, wisdm_har) no group is on both sides.
Students: `tree4` and `tree6`, trees of these depths; `lr`, a scaled logistic regression; `gbm10`, LightGBM with
{rounds} rounds of {leaves} leaves. *Plain tuned*: {draws} random draws, the first the defaults, of the parameters that
the search tunes too, chosen by 5-fold log-loss.

Log-loss has a floor of 1e-3. *log-loss*: mean over sets of the relative difference, minus is better; *accuracy*: mean
over sets of the difference in points, plus is better; ± one standard error over sets, seeds averaged within a set
first. A log-loss within {tie:g} % is a tie.
"""
RIVALS_IN_WORDS = """## The rivals

- **careful**: 5-fold log-loss chooses among default and tuned parameters, each without a hop and taught by a forest of
  {trees} trees with soft labels of share 0.5 and 1, cross-fitted within each part. Its seconds are those
  beyond tuning.
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
        trials=trials,
        sets=rows["data"].nunique(),
        seeds=", ".join(map(str, sorted(rows["seed"].unique()))) or "none",
        hours=rows["seconds"].sum() / 3600,
        training=MOST_TRAINING,
        fresh=MOST_FRESH,
        rounds=ROUNDS,
        leaves=LEAVES,
        draws=by_hand.N_DRAWS,
        tie=100 * TIE,
    )
    parts = [head, "## What was wanted\n"]
    parts.append(table(["wanted", "found", ""], [[t.words, t.found, t.verdict] for t in targets(rows)]))
    parts.append("\n## Against the plain tuned student")
    for student in STUDENTS:
        parts.append(f"\n### {student}\n\n{summary(rows, student)}")
    parts.append("\n## Ours against each rival\n\n" + duel(rows, OURS, RIVALS))
    parts.append("\n## By data set\n\nLog-loss / accuracy on fresh rows, means over seeds.\n\n" + by_set(rows))
    parts.append(
        "\n## One part left out\n\nThe search without it against the whole search: plus in log-loss and minus in "
        "accuracy is what the part is worth. *Solver*: trees are fitted by their class alone. *Soft labels*: only hard "
        "labels and weights pass on, to synthetic rows too. The trees are searched without the other two students, "
        "which changes nothing for them (same draws, same models: checked).\n\n" + left_out(rows)
    )
    parts.append(
        "\n## What the verdict claimed, and what fresh rows say\n\nGains over the student's own plain fit in the same "
        "search (trees: *selected vs own fit*), in nats, of *ours accuracy* in shares of rows. Coverage: how often the "
        "95 % interval holds the gain on the fresh rows, which have an error of their own.\n\n" + claims_in_short(rows)
    )
    parts.append("\n" + RIVALS_IN_WORDS.format(trees=by_hand.N_TREES, autogluon=" ".join(automl.SETTINGS.split())))
    parts.append("## Seconds of a cell, all its students\n\n" + seconds(rows))
    parts.append("\n## Every claim\n\n" + claims_by_cell(rows) + "\n")
    return "\n".join(parts)


def readme_table(record: pd.DataFrame, trials: int) -> str:
    """Return the table of the README: differences from the plain tuned student, by student and method."""
    rows = shown(record, trials)
    names = {
        OURS: "ours",
        "careful": "by hand",
        "autogluon repaired": "AutoGluon",
        "streed": "pystreed",
        "gosdt": "gosdt",
    }
    lines = []
    for student in STUDENTS:
        found = [in_short(against(rows, method, PLAIN, student)) for method in names]
        lines.append([student, *(f"{cells[1]}, {cells[2]}" if cells[1] else "" for cells in found)])
    return table(["student", *names.values()], lines)


def write_readme(record: pd.DataFrame, trials: int) -> None:
    """Put the table between the README's two marks."""
    begin, end = MARKS
    text = README.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    README.write_text(pattern.sub(f"{begin}\n{readme_table(record, trials)}\n{end}", text, count=1))
