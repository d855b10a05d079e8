"""The experiment of docs/when-multi-hop-helps.md: runs it, keeps its tables, writes its pages.

    pip install -e ".[benchmarks,parquet]"
    python benchmarks/when_multi_hop_helps.py [--page] [--jobs 2] [--again VERDICT]

Runs when_multi_hop_helps.toml and when_multi_hop_helps_map.toml, cell by cell, under build/; a finished cell is not
run again, one that is in the tables in docs/ neither (--again nested runs those with that verdict). Then
docs/benchmarks/when_multi_hop_helps/ gets the tables (Parquet), docs/benchmarks/when_multi_hop_helps.md what they say,
and verdict.md what they say of the verdict. --page does only the last part, from the tables in docs/. Other configs,
of an experiment and of a map, and another folder in the place of docs/benchmarks/, are told by --configs and --out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import bench
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import verdict

from multihop_search import RayExecutor
from multihop_search.experiment import claims, read_records, run_experiment
from multihop_search.experiment.conditions import CONDITIONS
from multihop_search.experiment.run import Finished
from multihop_search.experiment.sign import skills
from multihop_search.experiment.store import CELLS, TRIALS, Records, is_finished, keep

PICTURE = bench.ROOT / "docs" / "images" / "when_multi_hop_helps.svg"
CONFIGS = [Path(__file__).with_name(f"{name}.toml") for name in ("when_multi_hop_helps", "when_multi_hop_helps_map")]
SEVERAL = claims.NAMES[1]
HEAD = """# When several hops help: the tables

`python benchmarks/when_multi_hop_helps.py`: {cells} searches of {students} students each ({data} data sets, {teachers}
teachers, seeds {seeds}), at most 1,000 training rows and up to 5,000 fresh rows, 100 trials a student, {trials:,}
complete trials, each refitted on all training rows and judged on the fresh ones; {seconds:.0f} s a search on one core,
refits included. Trees are fitted by their own class and no synthetic rows are added, so that schemes and hops are
compared, nothing else; no path is stopped, and more than four fifths of the multi-hop paths have one scheme on all
hops. The tables of all cells and trials stand beside this page, in `when_multi_hop_helps/`. Means are over data sets,
each counted once, with 95 % intervals. The story is in [when multi-hop helps](../when-multi-hop-helps.md).

![Gains of several hops over one by data set, and as claimed against fresh rows](../images/when_multi_hop_helps.svg)
"""


def table(frame: pd.DataFrame, heads: dict[str, str]) -> str:
    """Return columns of a frame as Markdown."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.1f}"
        return str(value)

    rows = ([cell(row[name]) for name in heads] for _, row in frame.iterrows())
    return bench.table(list(heads.values()), rows)


def page(records: Records, made: Records | None) -> str:
    """Return the page of tables."""
    cells, trials = records.cells, records.trials
    one = cells.drop_duplicates("cell")
    head = HEAD.format(
        cells=len(one),
        students=cells["student"].nunique(),
        data=cells["data"].nunique(),
        teachers=cells["teacher"].nunique(),
        seeds=", ".join(map(str, sorted(cells["seed"].unique()))),
        trials=len(trials),
        seconds=one["seconds"].mean(),
    )
    claimed = {
        "comparison": "comparison",
        "measure": "in",
        "naive": "cross-validation claims",
        "naive_fresh": "left on fresh rows",
        "claimed": "the verdict claims",
        "fresh": "gained on fresh rows",
    }
    schemes = {
        "scheme": "scheme",
        "measure": "in",
        "rule": "the two paths are picked by",
        "gain": "mean gain",
        "best": "best case",
        "cells": "cases",
    }
    wins = {"comparison": "comparison", "measure": "in", "student": "student", "wins": "wins", "ties": "ties"}
    wins |= {"losses": "losses", "gain": "mean gain", "p_value": "p"}
    halves = {"condition": "condition", "median": "median", "lower": "gain below", "upper": "gain above"}
    ranks = claims.group_ranks(cells)
    order = ", ".join(f"{name} {value:.2f}" for name, value in ranks.ranks.items())
    parts = [
        head,
        "## As claimed, and on fresh rows\n",
        table(claims.against_fresh(cells), claimed),
        "\n## Several hops with a scheme against one hop with the same scheme\n",
        "The abstract of [arXiv:2109.06961](https://arxiv.org/abs/2109.06961): more than 2 % on average, up to 8 %.\n",
        table(claims.scheme_claims(cells, trials), schemes),
        "\n## Wins, ties, losses\n",
        "Data sets, by their mean gain on fresh rows; ties within 0.5 points or 1 %; p by Wilcoxon's test, Holm.\n",
        table(claims.win_tie_loss(cells), wins),
        f"\nMean ranks by fresh log-loss: {order}; Friedman p = {ranks.p_value:.3g}, critical difference "
        f"{ranks.difference:.2f}.\n",
        f"## Conditions: {SEVERAL}, % of the log-loss on fresh rows\n",
        table(claims.by_halves(cells, CONDITIONS), halves),
        "\n" + "\n".join(f"- {skill}." for skill in skills(cells)),
    ]
    if made is not None:
        for down, across in (("noise", "n_train"), ("noise", "gap"), ("gap", "n_train")):
            found = claims.landscape(made.cells, across, down).round(2)
            shown = found.rename(columns=lambda value: f"{value:g}").reset_index()
            heads = {name: f"{down} \\ {across}" if name == down else str(name) for name in shown.columns}
            parts += [f"\n## Map on generated data: {down} and {across}\n", table(shown, heads)]
    return "\n".join(parts) + "\n"


def picture(cells: pd.DataFrame, file: Path) -> None:
    """Draw the gains of several hops over one, by data set on fresh rows, and as claimed against fresh rows."""
    matplotlib.rcParams.update({"svg.hashsalt": "multihop_search", "font.size": 9})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    fresh, naive, left_over = (
        claims.relative(cells, SEVERAL, what, "log_loss") for what in ("fresh", "naive", "naive_fresh")
    )
    by_set = {name: values.to_numpy() for name, values in fresh.groupby(cells["data"])}
    names = sorted(by_set, key=lambda name: float(np.nanmean(by_set[name])))
    for place, name in enumerate(names):
        left.plot(by_set[name], np.full(len(by_set[name]), place), "o", color="#7a8fb5", alpha=0.45, ms=3.5, mew=0)
        left.plot([np.nanmean(by_set[name])], [place], "D", color="#1f3b73", ms=6)
    left.axvline(0, color="0.4", lw=0.8)
    left.set(yticks=range(len(names)), yticklabels=names, xscale="symlog", xlabel="% of the log-loss on fresh rows")
    left.set_title("Gain of several hops over one: cases, and mean of each set", fontsize=9)
    ends = (-60, 60)
    right.plot(ends, ends, color="0.4", lw=0.8)
    right.axhline(0, color="0.8", lw=0.8)
    right.axvline(0, color="0.8", lw=0.8)
    right.plot(naive, left_over, "o", color="#7a8fb5", alpha=0.55, ms=4, mew=0)
    right.set(xlabel="claimed by cross-validation, %", ylabel="left on fresh rows, %", xscale="symlog", yscale="symlog")
    right.set_title("As claimed, and what is left of it (log-loss)", fontsize=9)
    for axis in (left.xaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:g}")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def tables(folder: Path) -> Records | None:
    """Return the tables in a folder, if they are there."""
    return read_records(folder) if (folder / CELLS).exists() else None


def begin(folder: Path, build: Path, again: str | None) -> None:
    """Put the cells of the tables in a folder where cells are run, those with the verdict `again` apart."""
    records = tables(folder)
    if records is None:
        return
    trials = dict(list(records.trials.groupby("cell")))
    for key, rows in records.cells.groupby("cell"):
        if rows["verdict"].iloc[0] != again and not is_finished(build, str(key)):
            keep(build, Finished(str(key), rows.drop(columns="experiment"), trials[key]))


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    parser = bench.parser("when_multi_hop_helps", __doc__)
    parser.set_defaults(out=bench.PAGES)
    parser.add_argument("--build", type=Path, default=bench.ROOT / "build", help="folder in which cells are run")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--configs", type=Path, nargs="+", default=CONFIGS)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again")
    options = parser.parse_args(args)
    folders = [options.out / config.stem for config in options.configs]
    if not options.page:
        executor = RayExecutor(n_workers=options.jobs) if options.jobs > 1 else None
        for config, folder in zip(options.configs, folders, strict=True):
            build = options.build / config.stem
            begin(folder, build, options.again)
            run_experiment(config, build, executor=executor, tell=print)
            folder.mkdir(parents=True, exist_ok=True)
            for file in (CELLS, TRIALS):
                shutil.copy(build / file, folder / file)
    records, *others = map(tables, folders)
    if records is None:
        raise SystemExit(f"{folders[0]} must hold the tables: run without --page first.")
    bench.write(options.out / f"{folders[0].name}.md", page(records, others[0] if others else None))
    picture(records.cells, options.picture)
    bench.write(options.out / "verdict.md", verdict.page(records.cells))


if __name__ == "__main__":
    main()
