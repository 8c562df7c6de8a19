"""Calendar months and quarters as boundaries that instants are placed between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.cutoffs import DAY, entry, instant_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Periods", "make_periods"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {"month": 1, "quarter": 3}


@dataclass(frozen=True)
class Periods:
    """Consecutive calendar periods, the last of which may be running.

    >>> periods = make_periods(instant_of("2025-02-10"), first=instant_of("2024-12-24"), period="month", count=12)
    >>> len(periods), periods.running.tolist()
    (3, [False, False, True])
    """

    starts: tuple[int, ...]  # instants
    ends: tuple[int, ...]  # instants, exclusive
    observed_until: int  # instant (exclusive) at which the data end
    period: Literal["month", "quarter"] = "month"

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """The k + 1 instants between which periods lie; a running period ends where the data do."""
        if not self.starts:
            return np.empty(0, dtype=np.int64)
        return np.array([*self.starts, min(self.ends[-1], self.observed_until)], dtype=np.int64)

    def name(self, start: int) -> str:
        """Name a calendar period by its first instant.

        >>> Periods((), (), 0).name(0), Periods((), (), 0, "quarter").name(0)
        ('1970-01', '1970-Q1')
        """
        moment = _EPOCH + timedelta(microseconds=start)
        return f"{moment:%Y-%m}" if self.period == "month" else f"{moment:%Y}-Q{(moment.month + 2) // 3}"

    @property
    def running(self) -> NDArray[np.bool_]:
        """Which periods have not ended yet."""
        return ~self.ended_for(0.0)

    def ended_for(self, days: float) -> NDArray[np.bool_]:
        """Say which periods ended at least so many days before the data do."""
        return np.array(self.ends, dtype=np.int64) + round(days * DAY) <= self.observed_until

    def number(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of the period that holds each instant, -1 where none does or it was not observed."""
        found = entry(instants, self.bounds).astype(np.int64) - 1
        return np.where(found < len(self), found, -1)


def make_periods(observed_until: int, *, first: int, period: Literal["month", "quarter"], count: int) -> Periods:
    """List the latest complete periods and the one that is running.

    >>> from staypower.cutoffs import text_of
    >>> whole = make_periods(instant_of("2025-04-01"), first=0, period="quarter", count=2)
    >>> [text_of(start) for start in whole.starts], whole.running.tolist()
    (['2024-10-01', '2025-01-01'], [False, False])
    """
    step = _MONTHS[period]
    last = _EPOCH + timedelta(microseconds=observed_until - 1)
    latest = (last.year * 12 + last.month - 1) // step * step
    running = _begin(latest + step) > observed_until
    wanted = [latest - step * back for back in range(count + int(running))][::-1]
    kept = [month for month in wanted if _begin(month + step) > first]
    return Periods(tuple(map(_begin, kept)), tuple(_begin(month + step) for month in kept), observed_until, period)


def _begin(month: int) -> int:
    """Return the first instant of a month, counted from year 0."""
    return instant_of(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))
