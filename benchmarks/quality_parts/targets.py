"""What was wanted, and by how much it is reached or missed; pure functions of the record's rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from multihop_search.experiment.statistics import holm
from quality_parts.cells import BASELINES, PLAIN, SHRUNK
from quality_parts.data import MORE_SETS, SETS, VALUES
from quality_parts.measures import mean_and_error, two_sided
from quality_parts.ours import ALONE, OURS, RANDOM
from quality_parts.students import DEPTHS, STUDENTS, TREES, VALUE_TREES

GAINS = {
    ("tree4", SHRUNK): 2.5,
    ("tree6", SHRUNK): 6.0,
    ("tree4", PLAIN): 8.0,
    ("tree6", PLAIN): 14.0,
    ("value_tree4", SHRUNK): 6.0,
    ("value_tree6", SHRUNK): 10.0,
}
"""What is wanted over a baseline: per cent of the log-loss, or of the squared error."""
SHARE_OF_SETS, MOST_HARM, LEVEL, MOST_LOSS = 0.7, 1.0, 0.05, 2.0
TIMES_FASTER, TIMES_DEARER = 5.0, 10.0
IN_WORDS = {PLAIN: "plain tuned", SHRUNK: "plain tuned with shrinkage", RANDOM: "random"}


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
    if np.isnan(mean):
        return ""
    return f"{round(mean, 1) + 0.0:+.1f}{unit}" + ("" if np.isnan(error) else f" ± {error:.1f}")


@dataclass(frozen=True)
class Target:
    """Something that was wanted, and what was found."""

    words: str
    found: str
    missing: float
    """By how much it is missed: 0 or less is reached, NaN not measured."""
    n_sets: int
    """How many sets are measured."""
    most: int
    """Of how many."""

    @property
    def verdict(self) -> str:
        """Return what the page says."""
        if not self.n_sets or np.isnan(self.missing):
            return "not measured"
        so_far = " so far" if self.n_sets < self.most else ""
        return ("reached" if self.missing <= 0 else f"**missed** by {self.missing:.2g}") + so_far


def sets_of(student: str) -> int:
    """Return how many sets there are for a student."""
    return len(VALUES if student in VALUE_TREES else SETS + MORE_SETS)


def loss_of(student: str) -> str:
    """Return what its loss is called."""
    return "squared error" if student in VALUE_TREES else "log-loss"


def mean_target(rows: pd.DataFrame, student: str, baseline: str, wanted: float | None = None) -> Target:
    """Return whether the loss is `wanted` per cent lower on the mean over sets; None: not above by more than the error.

    The error is the standard error over sets.
    """
    mean, error = mean_and_error(losses := against(rows, OURS, baseline, student)["log_loss"])
    what = "not above {} by more than the standard error" if wanted is None else f"{wanted:g} % lower than {{}}"
    words = f"{student}: {loss_of(student)} {what.format(IN_WORDS[baseline])}"
    missing = mean - error if wanted is None else wanted + mean
    return Target(words, signed((mean, error), " %"), missing, len(losses), sets_of(student))


def share_target(rows: pd.DataFrame, student: str) -> Target:
    """Return whether ours is better than the shrunk student on enough sets."""
    words = f"{student}: better {loss_of(student)} than {IN_WORDS[SHRUNK]} on {100 * SHARE_OF_SETS:.0f} % of the sets"
    better = against(rows, OURS, SHRUNK, student)["log_loss"] < 0
    missing = 100 * (SHARE_OF_SETS - better.mean())
    told = f"{better.sum()} of {len(better)}" if len(better) else ""
    return Target(words, told, missing, len(better), sets_of(student))


def by_set(rows: pd.DataFrame, student: str, baseline: str, measure: str) -> pd.DataFrame:
    """Return, by data set, what ours gains in per cent (accuracy: in points), its standard error and Holm's p-value.

    Seeds are averaged as if their errors were independent, though fresh rows of small sets overlap: a strict error.
    """
    column = f"{measure}_{BASELINES[baseline]}"
    part = rows[(rows["method"] == OURS) & (rows["student"] == student)].dropna(subset=[column])
    before = part["log_loss"] + part[column] if measure == "log_loss" else 1.0
    relative = pd.DataFrame({"gain": part[column] / before, "error": part[f"{column}_se"] / before})
    of_set = relative.astype(float).mul(100).groupby(part["data"])
    gains, errors = of_set["gain"].mean(), of_set["error"].agg(lambda se: np.sqrt((se**2).sum()) / len(se))
    found = pd.DataFrame({"gain": gains, "error": errors})
    return found.assign(p=holm(two_sided(list(gains), list(errors))))


def harm_target(rows: pd.DataFrame, student: str) -> Target:
    """Return whether no set is clearly worse in accuracy than with the shrunk student."""
    words = f"by more than {MOST_HARM:g} point of accuracy with Holm's interval below 0"
    differences = by_set(rows, student, SHRUNK, "accuracy")
    return _none(
        student,
        SHRUNK,
        words,
        differences[(differences["gain"] < -MOST_HARM) & (differences["p"] < LEVEL)],
        differences,
    )


def loss_target(rows: pd.DataFrame, student: str, baseline: str) -> Target:
    """Return whether no set is clearly worse in loss than with a baseline."""
    words = f"by more than {MOST_LOSS:g} % of the {loss_of(student)} and 2 standard errors of its fresh rows"
    differences = by_set(rows, student, baseline, "log_loss")
    harmed = differences[(differences["gain"] < -MOST_LOSS) & (differences["gain"] < -2 * differences["error"])]
    return _none(student, baseline, words, harmed, differences)


def _none(student: str, baseline: str, words: str, harmed: pd.DataFrame, differences: pd.DataFrame) -> Target:
    """Return whether no set is harmed; gains are told."""
    told = ", ".join(f"{data} {gain:+.1f}" for data, gain in harmed["gain"].items())
    if len(differences) > len(harmed) == 0:
        told = f"none; the worst {differences['gain'].min():+.1f}"
    words = f"{student}: no set worse than {IN_WORDS[baseline]} {words}"
    return Target(words, told, float(len(harmed)), len(differences), sets_of(student))


def cost_targets(rows: pd.DataFrame) -> list[Target]:
    """Return whether the default search is fast beside the old way, and not dear beside tuning a plain tree.

    Seconds are averaged over the seeds of a set first.
    """

    def times(part: pd.DataFrame, above: str, below: str) -> tuple[float, str, int]:
        spent = part.groupby(["method", "data", "seed"])["seconds"].sum()
        both = [spent[spent.index.get_level_values("method") == name].droplevel("method") for name in (above, below)]
        ratios = (both[0] / both[1]).dropna().groupby("data").mean()
        median = float(ratios.median())
        return median, f"{median:.1f} times" if len(ratios) else "", len(ratios)

    most = len(SETS + MORE_SETS + VALUES)
    words = f"the default search: {TIMES_FASTER:g} times fewer CPU seconds than random, median over sets"
    ratio, told, n_sets = times(rows, RANDOM, OURS)
    found = [Target(words, told, TIMES_FASTER - ratio, n_sets, most)]
    for method, tree in ALONE.items():
        words = f"a {tree} alone: at most {TIMES_DEARER:g} times the CPU seconds of plain tuned, median over sets"
        ratio, told, n_sets = times(rows[rows["student"].str.endswith(tree)], method, PLAIN)
        found.append(Target(words, told, ratio - TIMES_DEARER, n_sets, most))
    return found


def targets(rows: pd.DataFrame) -> list[Target]:
    """Return all that was wanted."""
    found = [mean_target(rows, student, baseline, wanted) for (student, baseline), wanted in GAINS.items()]
    found += [share_target(rows, student) for student in TREES]
    found += [harm_target(rows, student) for student in TREES]
    for student in STUDENTS:
        if student not in DEPTHS:
            found += [mean_target(rows, student, PLAIN), loss_target(rows, student, PLAIN)]
    found += [loss_target(rows, student, SHRUNK) for student in VALUE_TREES]
    found += [mean_target(rows, student, RANDOM) for student in (*STUDENTS, *VALUE_TREES)]
    return found + cost_targets(rows)
