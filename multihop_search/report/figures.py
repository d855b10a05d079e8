"""Figures: one picture of a search, what every trial scored and what of it survives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from multihop_search.verdict.verdict import Verdict

COLOURS = {"plain": "#7f7f7f", "one hop": "#1f77b4", "two or more": "#d95f02"}
WORDS = {"beats": "#2a7f3f", "loses": "#b2182b", "equivalent": "#555555", "inconclusive": "#999999"}


def draw_search(results: pd.DataFrame, verdict: Verdict, best: int) -> Figure:
    """Return a figure: left the score of every trial by its hops, right the honest gains with their intervals.

    Parameters
    ----------
    results : DataFrame
        `results_` of a search.
    verdict : Verdict
        Its `verdict_`.
    best : int
        Number of the chosen trial.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    trials, gains = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_trials(trials, results, verdict, best)
    _draw_gains(gains, verdict)
    figure.legend(*trials.get_legend_handles_labels(), loc="outside lower left", frameon=False, ncols=4)
    return figure


def _draw_trials(axes: Any, results: pd.DataFrame, verdict: Verdict, best: int) -> None:
    groups = zip(COLOURS.items(), (results["hops"] == 0, results["hops"] == 1, results["hops"] >= 2), strict=True)
    for (name, colour), members in groups:
        axes.scatter(results.loc[members, "trial"], results.loc[members, "score"], s=14, color=colour, label=name)
    one_hop = results.loc[results["hops"] == 1, "score"]
    if one_hop.notna().any():
        axes.axhline(one_hop.max(), color=COLOURS["one hop"], linewidth=0.8, linestyle=":")
    axes.scatter([best], [results["score"][best]], s=90, facecolors="none", edgecolors="black", label="chosen")
    low, high = np.nanpercentile(results["score"], [10, 100])
    span = (high - low) or 1.0  # all scores may be equal
    axes.set_ylim(low - 0.15 * span, high + 0.1 * span)
    sign = "minus " if verdict.score == "log-loss" else ""
    axes.set(xlabel="trial", ylabel=f"cross-validated {sign}{verdict.score}", title="What each trial scored")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_gains(axes: Any, verdict: Verdict) -> None:
    table = verdict.table
    for place, (_, row) in enumerate(table.iterrows()):
        colour = WORDS[row["verdict"]]
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
        axes.plot(row["gain"], place, "o", color=colour)
        axes.annotate(row["verdict"], (row["gain"], place), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(table)), list(table.index))
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set(xlabel=f"gain in {verdict.score}, 95 % interval", title="What survives on other rows")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
