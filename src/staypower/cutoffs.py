"""The one place where a time meets a cutoff.

An *instant* is an integer: microseconds since 1970-01-01 00:00 UTC. A missing time is `MISSING`, a thing that has always
been there is `ALWAYS`. A *cutoff* is the instant of knowledge: a thing is known when its instant is strictly before the
cutoff, so the last instant that counts is one microsecond earlier.

- History is `[cutoff - window, cutoff)`; the outcome is `[cutoff + gap, cutoff + gap + horizon)`.
- A date without a clock is known at the end of its UTC day: its instant is the last microsecond of that day, so it is
  visible only when date + 24 h <= cutoff.
- Windows are exact multiples of 24 h.

The functions that answer for many rows turn times into *cutoff numbers*: positions in the sorted list of cutoffs. A row is
seen by the contiguous run of cutoffs `[entry, exit)`; code above this module compares those numbers and never the times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR = 3_600_000_000
DAY = 24 * HOUR
MISSING = int(np.iinfo(np.int64).min)
ALWAYS = MISSING + 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Instants = "NDArray[np.int64]"


def instant_of(value: str | date | datetime | int, *, end: bool = False) -> int:
    """Turn a date or a time into an instant.

    >>> instant_of("1970-01-02")
    86400000000
    >>> instant_of("1970-01-01", end=True)
    86400000000
    >>> instant_of("1970-01-01T02:00:00+02:00")
    0
    """
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value.strip()) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise UsageError.of("not a date or time", repr(value), "write it as 2025-07-01 or 2025-07-01T12:00") from None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round((aware - _EPOCH) / timedelta(microseconds=1))
    midnight = (value - _EPOCH.date()).days * DAY
    return midnight + DAY if end else midnight


def text_of(instant: int) -> str:
    """Write an instant as a date, or as a time when it is not midnight UTC.

    >>> text_of(86400000000)
    '1970-01-02'
    >>> text_of(3600000000)
    '1970-01-01T01:00:00+00:00'
    """
    moment = _EPOCH + timedelta(microseconds=int(instant))
    return moment.date().isoformat() if instant % DAY == 0 else moment.isoformat()


def end_of_day(midnights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move dates without a clock to the instant at which they are known: the last microsecond of their day.

    >>> end_of_day(np.array([0])).tolist()
    [86399999999]
    """
    return np.where(midnights == MISSING, MISSING, midnights + (DAY - 1))


def midnight_after(instant: int) -> int:
    """Return the first midnight UTC at or after an instant.

    >>> text_of(midnight_after(instant_of("2025-07-01T12:00")))
    '2025-07-02'
    """
    return -(-instant // DAY) * DAY


def before(instants: NDArray[np.int64], cutoff: int) -> NDArray[np.bool_]:
    """Say which instants are known at a cutoff: strictly before it, and not missing.

    >>> before(np.array([4, 5, MISSING]), 5).tolist()
    [True, False, False]
    """
    known: NDArray[np.bool_] = (instants < cutoff) & (instants != MISSING)
    return known


def entry(instants: NDArray[np.int64], cutoffs: NDArray[np.int64], *, offset_days: int = 0) -> NDArray[np.int32]:
    """Find the number of the first cutoff that sees each instant.

    >>> entry(np.array([4, 5, 6, MISSING]), np.array([5, 6])).tolist()
    [0, 1, 2, 2]
    """
    found = np.searchsorted(cutoffs - offset_days * DAY, instants, side="right").astype(np.int32)
    found[instants == MISSING] = len(cutoffs)
    return found


def exit_after(instants: NDArray[np.int64], cutoffs: NDArray[np.int64], window_days: int) -> NDArray[np.int32]:
    """Find the number of the first cutoff whose window no longer holds each instant.

    >>> exit_after(np.array([0]), np.array([DAY, DAY + 1]), 1).tolist()
    [1]
    """
    return entry(instants, cutoffs, offset_days=window_days)


def whole_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the midnights (UTC) of the days that instants are in.

    >>> whole_days(np.array([DAY + 5, MISSING])).tolist() == [DAY, MISSING]
    True
    """
    return np.where(times == MISSING, MISSING, times // DAY * DAY)


def comparable(
    first: NDArray[np.int64], second: NDArray[np.int64], *, days: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bring two times to whole days when one of them has no clock, since more is not known.

    >>> comparable(np.array([DAY + 5]), np.array([DAY]), days=True)[0].tolist()
    [86400000000]
    """
    if not days:
        return first, second
    return whole_days(first), whole_days(second)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The stretch after a cutoff in which churn is looked for.

    >>> outcome = Outcome(horizon=90, grace=30)
    >>> outcome.embargo
    120
    """

    horizon: int  # days; at least 1
    gap: int = 0  # days between the cutoff and the start of the outcome; at least 0
    grace: int = 0  # days within which a return undoes an end; at least 0. It only delays maturity here

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("gap", 0), ("grace", 0)):
            if getattr(self, name) < least:
                raise UsageError.of(f"{name} is too short", getattr(self, name), f"give at least {least} days")

    @property
    def embargo(self) -> int:
        """Days between the cutoffs of two folds, so that no outcomes overlap: gap + horizon + grace."""
        return self.gap + self.horizon + self.grace

    def contains(self, instants: NDArray[np.int64], cutoff: int) -> NDArray[np.bool_]:
        """Say which instants fall into `[cutoff + gap, cutoff + gap + horizon)`."""
        start = cutoff + self.gap * DAY
        return (instants >= start) & (instants < start + self.horizon * DAY)

    def mature(self, cutoffs: NDArray[np.int64], observed_until: int) -> NDArray[np.bool_]:
        """Say which cutoffs have their whole outcome, and the grace after it, before `observed_until` (exclusive)."""
        return cutoffs + self.embargo * DAY <= observed_until

    def last_mature(self, observed_until: int) -> int:
        """Return the latest midnight UTC whose outcome is complete."""
        return (observed_until - self.embargo * DAY) // DAY * DAY


def cutoffs_between(last: int, *, every: int, count: int, first: int) -> NDArray[np.int64]:
    """Step back from the last cutoff.

    >>> [text_of(c) for c in cutoffs_between(instant_of("2025-07-01"), every=30, count=2, first=instant_of("2024-01-01"))]
    ['2025-06-01', '2025-07-01']
    """
    steps = last - np.arange(count, dtype=np.int64) * (every * DAY)
    return np.ascontiguousarray(steps[steps > first][::-1])


def earliest(instants: Sequence[NDArray[np.int64]]) -> int:
    """Return the earliest instant of several columns, `MISSING` when there is none."""
    found = [int(column[column > ALWAYS].min()) for column in instants if (column > ALWAYS).any()]
    return min(found, default=MISSING)
