"""A figure: one value of one metric, for one period and segment, with what must be said beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.intervals import NONE, Interval
from staypower.portfolio.periods import Periods
from staypower.portfolio.segments import ALL, Segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RUNNING", "Cell", "Figure", "cells_of"]

RUNNING = "the period is still running"


@dataclass(frozen=True)
class Figure:
    """One number of the portfolio.

    >>> Figure("nps", 0, 1, True, "all", "all", 30.0, n=100).note
    ''
    """

    metric: str
    period_start: int  # calendar instants; the end is exclusive. Of a cohort: the period in which its accounts began
    period_end: int  # calendar instants; the end is exclusive. Of a cohort: the period in which its accounts began
    complete: bool  # false while time can still change the number
    segment: str  # column and value; both `all` for everybody
    segment_value: str  # column and value; both `all` for everybody
    value: float  # NaN where there is none; the note says why
    low: float = math.nan  # ends of the 95 % interval; NaN where there is none
    high: float = math.nan  # ends of the 95 % interval; NaN where there is none
    n: int | None = None  # what the value is a share or mean of; None where it is not published
    note: str = ""
    age: int | None = None  # of a cohort: whole periods since the end of its first


@dataclass(frozen=True)
class Cell:
    """The accounts of one segment in one period, and how figures of them are published.

    >>> cell = Cell(0, 0, 1, False, "region", "emea", np.ones(12, dtype=bool), 30)
    >>> cell.figure("nps", 50.0, n=12, accounts=12).note
    'too small to publish: fewer than 30 accounts'
    """

    position: int  # of the period
    start: int  # calendar instants
    end: int  # calendar instants
    running: bool
    segment: str  # column and value; both `all` for everybody
    value: str  # column and value; both `all` for everybody
    members: NDArray[np.bool_]  # shape (n_accounts,)
    minimum: int  # accounts below which a segment shows no number

    @property
    def name(self) -> str:
        """What tells the cell from others, for seeds."""
        return f"{self.start}|{self.segment}|{self.value}"

    def figure(
        self,
        metric: str,
        value: float,
        interval: Interval = NONE,
        *,
        n: int,
        accounts: int,
        complete: bool = True,
        note: str = "",
        age: int | None = None,
    ) -> Figure:
        """Publish a value, or say that the segment is too small."""
        made = Figure(metric, self.start, self.end, complete and not self.running, self.segment, self.value, math.nan, age=age)
        if self.segment != ALL and accounts < self.minimum:
            return replace(made, note=f"too small to publish: fewer than {self.minimum} accounts")
        said = "; ".join(part for part in (RUNNING if self.running else "", note) if part)
        low, high = interval
        return replace(made, value=float(value), low=low, high=high, n=int(n), note=said)


def cells_of(periods: Periods, segmentations: tuple[Segmentation, ...], minimum: int) -> Iterator[Cell]:
    """Yield every period with everybody, then with each segment's accounts."""
    running = periods.running
    for position, (start, end) in enumerate(zip(periods.starts, periods.ends, strict=True)):
        for segmentation in segmentations:
            for code, value in enumerate(segmentation.values):
                members = segmentation.codes[:, position] == code
                yield Cell(position, start, end, bool(running[position]), segmentation.column, value, members, minimum)
