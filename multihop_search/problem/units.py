"""Units: how the values and the gains of a score are read, and the measures that are shown beside every score."""

from __future__ import annotations

import math
from dataclasses import dataclass

ABSENT = "\u2013"
"""Stands where there is no number."""


@dataclass(frozen=True)
class GainUnit:
    """How gains of a score are read."""

    text: str
    """Follows the number in a sentence."""
    heading: str
    """Stands above a table of them."""
    factor: float
    """By which a gain is multiplied; per cent are of the loss of the model compared with."""
    places: int
    """Decimals."""
    short: str = ""
    """Follows the number where the score has been named."""


@dataclass(frozen=True)
class Unit:
    """What a score is called, and how its values and gains are read.

    Examples
    --------
    >>> log_loss, accuracy = Unit("log-loss", is_loss=True), Unit("accuracy", in_points=True)
    >>> log_loss.sign * -0.25, log_loss.relative.text, accuracy.gain.text, log_loss.gain.text
    (0.25, '% of the log-loss', 'points of accuracy', 'of log-loss')
    """

    name: str
    is_loss: bool = False
    """Whether a score is minus a loss."""
    in_points: bool = False
    """Whether it is a share of the rows."""
    is_measured: bool = False
    """Whether one of `MEASURES` says it."""

    @property
    def sign(self) -> float:
        """What a score is multiplied by for readers: -1 of a loss."""
        return -1.0 if self.is_loss else 1.0

    @property
    def gain(self) -> GainUnit:
        """Gains as they are: in points of a share, else in the score's own unit."""
        if self.in_points:
            return GainUnit(f"points of {self.name}", f"points of {self.name}", 100.0, 1, " points")
        return GainUnit(f"of {self.name}", f"units of {self.name}", 1.0, 4)

    @property
    def relative(self) -> GainUnit:
        """Gains of a loss in per cent of the loss of the model compared with."""
        text = f"% of the {self.name}"
        return GainUnit(text, f"{text} of the model compared with", 100.0, 1, " %")


@dataclass(frozen=True)
class Measure:
    """A column of `Verdict.scores` that is shown whatever the score is."""

    name: str
    """Of the column."""
    label: str
    """What people read."""
    is_loss: bool = False
    fixed: bool = True
    """Whether values lie about 1 and are read with four decimals; else with four digits."""


MEASURES = {
    one.name: one
    for one in (
        Measure("log_loss", "log-loss", is_loss=True),
        Measure("accuracy", "accuracy"),
        Measure("rmse", "rmse", is_loss=True, fixed=False),
        Measure("r2", "r2"),
    )
}


def measures_of(*, regression: bool) -> tuple[str, ...]:
    """Return the names of the measures of a task."""
    return ("rmse", "r2") if regression else ("log_loss", "accuracy")


def number(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits, thousands with commas; a dash where there is none.

    Examples
    --------
    >>> number(12345.6), number(0.123456), number(3.0), number(float("nan"))
    ('12,346', '0.1235', '3', '\u2013')
    """
    if not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{value:,.{min(max(places, 0), 8)}f}" if abs(value) >= 1e-4 else f"{value:.{digits - 1}e}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
