"""Scales: from values to places, where ticks stand, and how the values of a score are read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """A line from values to places."""

    low: float
    high: float
    start: float
    """Place of `low`."""
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value, one beyond the ends at the end."""
        low, high = self._at(self.low), self._at(self.high)
        share = 0.5 if high == low else (self._at(min(max(value, self.low), self.high)) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def _at(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values between the ends.

        Examples
        --------
        >>> Scale(0, 1, 0, 1).ticks(), Scale(3, 60, 0, 1, log=True).ticks()
        ([0.0, 0.25, 0.5, 0.75, 1.0], [5.0, 10.0, 20.0, 50.0])
        """
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            values = [step * 10.0**power for power in powers for step in (1, 2, 5)]
            inside = [value for value in values if self.low <= value <= self.high]
            tens = [value for value in inside if str(value)[0] == "1"]
            return inside if len(inside) <= most + 1 else tens[:: math.ceil(len(tens) / most)]
        width = self.high - self.low
        if width <= 0:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(width / most))
        step = next(step * power for step in (1, 2, 2.5, 5, 10, 20) if width / (step * power) <= most - 1 + 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(at * step, 12) + 0.0 for at in range(first, last + 1)]


def ends(values: Iterable[float], room: float = 0.06) -> tuple[float, float]:
    """Return lowest and highest of the finite values with some room beyond; 0 and 1 if there is none."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if len(finite) == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    more = room * (high - low) or 0.05 * abs(high) or 1.0
    return low - more, high + more
