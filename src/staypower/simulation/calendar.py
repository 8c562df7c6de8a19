"""The days of the simulated history: months, weekdays, season."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AHEAD", "Calendar"]

#: Days that are known beyond the end, so that truth at the last cutoff can look as far ahead.
AHEAD = 400


@dataclass(frozen=True)
class Calendar:
    """Day numbers of a history: day 0 is its first day, `days` the first one after it.

    >>> calendar = Calendar.of("2023-01-01", 30)
    >>> calendar.days, int(calendar.day_of_month[31]), int(calendar.weekday[0])
    (912, 1, 6)
    """

    first_day: int  # days from 1970-01-01 to the first day
    days: int  # length of the history in days

    @classmethod
    def of(cls, start: str, months: int) -> Calendar:
        """Lay out `months` calendar months from a first day."""
        midnight = instant_of(start)
        if midnight % DAY:
            raise UsageError.of("the history must start at midnight UTC", start, "give a date such as 2023-01-01")
        first = midnight // DAY
        date = np.datetime64(first, "D")
        within = int((date - date.astype("M8[M]").astype("M8[D]")).astype(int))
        end = (date.astype("M8[M]") + np.timedelta64(months, "M")).astype("M8[D]") + np.timedelta64(within, "D")
        return cls(first, int((end - date).astype(int)))

    @property
    def weeks(self) -> int:
        """Weekly steps that touch the history."""
        return -(-self.days // 7)

    @property
    def start(self) -> int:
        """Instant of the first midnight."""
        return self.first_day * DAY

    @property
    def end(self) -> int:
        """Instant of the midnight after the last day."""
        return (self.first_day + self.days) * DAY

    @cached_property
    def _dates(self) -> NDArray[np.datetime64]:
        return np.arange(self.first_day, self.first_day + self.days + AHEAD).astype("M8[D]")

    @cached_property
    def month(self) -> NDArray[np.int64]:
        """Months since 1970-01 of each day."""
        return self._dates.astype("M8[M]").astype(np.int64)

    @cached_property
    def day_of_month(self) -> NDArray[np.int64]:
        """Day of the month, from 1."""
        days: NDArray[np.int64] = (self._dates - self._dates.astype("M8[M]").astype("M8[D]")).astype(np.int64) + 1
        return days

    @cached_property
    def weekday(self) -> NDArray[np.int64]:
        """Weekday, Monday 0."""
        weekdays: NDArray[np.int64] = (self._dates.astype(np.int64) + 3) % 7
        return weekdays

    @cached_property
    def season(self) -> NDArray[np.float64]:
        """How much is used on each day, beside 1: less in August and around the turn of the year."""
        position = (self.month % 12) + self.day_of_month / 31
        turn = np.minimum(np.abs(position - 12.0), position)
        return 1 - 0.22 * np.exp(-((position - 7.55) ** 2) / 0.12) - 0.35 * np.exp(-(turn**2) / 0.05)

    @cached_property
    def backlog(self) -> NDArray[np.float64]:
        """How slow support is on each day, beside 0: slower in January and July."""
        position = (self.month % 12) + self.day_of_month / 31
        return 0.35 * np.exp(-((position - 0.5) ** 2) / 0.3) + 0.3 * np.exp(-((position - 6.6) ** 2) / 0.4) - 0.1

    def date_parts(self, day: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return month (since 1970-01) and day of the month of day numbers, also negative ones."""
        dates = (day + self.first_day).astype("M8[D]")
        months = dates.astype("M8[M]")
        return months.astype(np.int64), (dates - months.astype("M8[D]")).astype(np.int64) + 1

    def instants(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the midnights of day numbers as instants."""
        return (day + self.first_day) * DAY
