"""How right the verdict is: its claims, intervals and words held against fresh rows, on the records of an experiment.

    python benchmarks/verdict.py [--records docs/benchmarks/when_multi_hop_helps] [--out docs/benchmarks/verdict.md]

The records are those of `benchmarks/when_multi_hop_helps.toml`. No model is fitted; seconds. Writes the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bench
import numpy as np
import pandas as pd
from scipy.optimize import brentq
from sklearn.isotonic import IsotonicRegression

from multihop_search.experiment.claims import comparisons
from multihop_search.experiment.statistics import estimate
from multihop_search.experiment.store import read_records

RECORDS = bench.PAGES / "when_multi_hop_helps"
Z = 1.96
WANTED = {"points": 0.2, "nats": 0.01, "coverage": (92.0, 98.0), "width": 1.3}
HEAD = """# How right the verdict is

`python benchmarks/verdict.py`, on the records of [the experiment](when_multi_hop_helps.md): {cells} searches on {sets}
data sets, at most 1,000 training rows, four students each; {compared} comparisons of two groups whose picks differ.
What is claimed is held against up to 5,000 fresh rows, on which what was picked is judged after its fit on all training
rows.

*Error*: claimed gain less fresh gain, mean over data sets ± its standard error over data sets; wanted: within 0.2
points of accuracy and 0.01 nats. *Holds*: how often the 95 % interval holds the fresh gain in log-loss; fresh rows are
few too, so their own standard error is allowed for; wanted: 92 to 98 %. *Half-width*: the mean, and over that of the
naive interval (difference of the two best cross-validated paths ± 1.96 paired standard errors) once it is stretched to
hold as often; wanted: at most 1.3. *80 %*: the fresh gain, in per cent of the plain student's log-loss, from which
"beats" is said in four cases of five (a rising step curve through all cases), or how often it is said at the largest
gains.
"""
COLUMNS = (
    "| who judges | comparison | cases | error, points | error, nats | holds, % | half-width, nats "
    "| over naive | 80 % |"
)


@dataclass(frozen=True)
class Claim:
    """What one judge says of each case: NaN or absent where it says nothing."""

    name: str
    rows: pd.DataFrame
    gain: pd.Series
    """Claimed gain in nats."""
    points: pd.Series
    """Claimed gain in points of accuracy."""
    low: pd.Series
    high: pd.Series
    fresh: pd.Series
    """Fresh gain, in nats, of what this judge speaks of."""
    fresh_error: pd.Series
    fresh_points: pd.Series


def claims(found: pd.DataFrame) -> list[Claim]:
    """Return every judge's claims."""
    bbc = found
    nested = found[found["verdict"] == "nested"]

    def verdict(name: str, rows: pd.DataFrame, prefix: str) -> Claim:
        points = 100 * rows["claimed_accuracy"]
        if prefix and not rows["verdict"].eq("bbc").all():  # nested cells hold the claim in points of their own verdict
            points = points.where(rows["verdict"] == "bbc")
        gain, low, high = (rows[f"{prefix}{what}"] for what in ("gain", "low", "high"))
        return Claim(
            name,
            rows,
            gain,
            points,
            low,
            high,
            rows["fresh_log_loss"],
            rows["fresh_log_loss_se"],
            100 * rows["fresh_accuracy"],
        )

    naive = Claim(
        "cross-validation",
        found,
        found["naive_log_loss"],
        100 * found["naive_accuracy"],
        found["naive_log_loss"] - Z * found["naive_log_loss_se"],
        found["naive_log_loss"] + Z * found["naive_log_loss_se"],
        found["naive_fresh_log_loss"],
        found["naive_fresh_log_loss_se"],
        100 * found["naive_fresh_accuracy"],
    )
    made = [verdict("resampling", bbc, "bbc_"), naive]
    return [*made, verdict("nested", nested, "")] if len(nested) else made


def holds(claim: Claim, stretch: float = 1.0) -> np.ndarray:
    """Return for each case whether the interval, stretched about its middle, holds the fresh gain."""
    middle, half = (claim.high + claim.low) / 2, stretch * (claim.high - claim.low) / 2
    reach = np.sqrt(half**2 + (Z * claim.fresh_error) ** 2)
    return np.asarray((claim.fresh - middle).abs() <= reach)


def stretched_to(claim: Claim, coverage: float) -> float:
    """Return by how much the intervals have to be stretched to hold as often as `coverage`."""

    def short(log_stretch: float) -> float:
        return float(holds(claim, float(np.exp(log_stretch))).mean()) - coverage

    if short(-5) >= 0:
        return float(np.exp(-5))
    return float(np.exp(brentq(short, -5, 8, xtol=1e-3))) if short(8) > 0 else float("nan")


def power(claim: Claim, plain: pd.Series) -> str:
    """Return the fresh gain from which "beats" is said in 80 % of cases, in per cent of the plain log-loss.

    If there is none, how often it is said at the largest gains.
    """
    gain, beats = (100 * claim.fresh / plain).to_numpy(), (claim.low > 0).to_numpy(dtype=float)
    shares = IsotonicRegression(y_min=0, y_max=1).fit(gain, beats).predict(np.sort(gain))
    found = np.sort(gain)[shares >= 0.8]
    return f"{found[0]:.1f}" if len(found) else f"none: {100 * shares.max():.0f} % at most"


def line(claim: Claim, naive: Claim, which: Callable[[pd.DataFrame], pd.Series], name: str) -> str:
    """Return the line of one judge on one comparison."""

    def part(of: Claim) -> Claim:
        mine = which(of.rows)
        values = {key: value[mine] for key, value in vars(of).items() if isinstance(value, (pd.Series, pd.DataFrame))}
        return Claim(of.name, **values)

    mine, other = part(claim), part(naive)
    sets = mine.rows["data"]
    points, nats = estimate(mine.points - mine.fresh_points, sets), estimate(mine.gain - mine.fresh, sets)
    held = holds(mine)
    half = float(((mine.high - mine.low) / 2).mean())
    factor = stretched_to(other, float(held.mean()))
    ratio = half / (factor * float(((other.high - other.low) / 2).mean()))
    cells = [
        claim.name,
        name,
        f"{len(mine.rows)}",
        f"{points.mean:+.2f} ± {points.error:.2f}" if points.n_sets else "",
        f"{nats.mean:+.4f} ± {nats.error:.4f}",
        f"{100 * held.mean():.1f}",
        f"{half:.4f}",
        "" if claim is naive else f"{ratio:.2f}",
        power(mine, mine.rows["plain"]),
    ]
    return f"| {' | '.join(cells)} |"


def page(cells: pd.DataFrame) -> str:
    """Return the page."""
    found = comparisons(cells)
    plain = cells.set_index(["cell", "student"])["plain.fresh_log_loss"]
    found["plain"] = plain.loc[list(zip(found["cell"], found["student"], strict=True))].to_numpy()
    found = found[(found["fresh_log_loss_se"] > 0) & found["bbc_low"].notna()]
    found = found[~((found["bbc_low"] == 0) & (found["bbc_high"] == 0))].reset_index(drop=True)
    head = HEAD.format(cells=cells["cell"].nunique(), sets=cells["data"].nunique(), compared=len(found))
    lines = [head, COLUMNS, "| --- | --- " + "| ---: " * 7 + "|"]
    judges = claims(found)
    names = [name for name in found["comparison"].unique() if (found["comparison"] == name).sum() > 10]
    for claim in judges:
        for name in names:
            lines.append(line(claim, judges[1], lambda rows, name=name: rows["comparison"] == name, name))
        lines.append(line(claim, judges[1], lambda rows: rows["comparison"].notna(), "all"))
    lines += ["", "By student, all comparisons:", "", COLUMNS, "| --- | --- " + "| ---: " * 7 + "|"]
    for claim in judges[:2]:
        for student in found["student"].unique():
            lines.append(line(claim, judges[1], lambda rows, student=student: rows["student"] == student, student))
    return "\n".join(lines) + "\n"


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    parser = bench.parser("verdict", __doc__)
    parser.add_argument("--records", type=Path, default=RECORDS)
    options = parser.parse_args(args)
    bench.write(options.out, page(read_records(options.records).cells))


if __name__ == "__main__":
    main()
