"""Where values lie on a drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

__all__ = ["Scale", "scale_over", "written"]


@dataclass(frozen=True)
class Scale:
    """A straight line from values to places.

    >>> Scale(0, 10, 100, 200)(5)
    150.0
    """

    low: float  # values at the ends
    high: float  # values at the ends
    first: float  # places of the ends
    last: float  # places of the ends

    def __call__(self, value: float) -> float:
        """Return the place of a value, rounded to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values within the ends."""
        found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        return [float(value) for value in found if self.low - slack <= value <= self.high + slack]


def scale_over(values: Iterable[float], first: float, last: float, *, include: Iterable[float] = ()) -> Scale:
    """Return a scale that holds every finite value with a little room.

    >>> scale_over([float("nan")], 0, 1).low
    0.0
    """
    known = [value for value in (*values, *include) if math.isfinite(value)]
    if not known:
        return Scale(0.0, 1.0, first, last)
    low, high = min(known), max(known)
    if low == high:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    fixed = set(include)
    room = 0.06 * (high - low)
    return Scale(low if low in fixed else low - room, high if high in fixed else high + room, first, last)


def written(value: float, unit: str = "") -> str:
    """Write a value on an axis or in a table.

    >>> written(0.125, "share"), written(1234.0), written(0.05)
    ('12.5 %', '1,234', '0.05')
    """
    if not math.isfinite(value):
        return ""
    if unit == "share":
        return f"{100 * value:.3g} %"
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
