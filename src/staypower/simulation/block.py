"""What the tables of a block are written from: its history, random streams and users, and Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY, HOUR
from staypower.simulation.history import History
from staypower.simulation.world import Calendar, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = [
    "BLANK_TIME",
    "BLOCK",
    "Block",
    "champion_number",
    "champion_user",
    "codes",
    "ids_of",
    "in_week",
    "times",
    "user_names",
]

#: Accounts that share one random stream; fixed, so that the rows do not depend on how many are held at a time.
BLOCK = 256
BLANK_TIME = int(np.iinfo(np.int64).min)
_CHAMPION = 1000  # user numbers from here on are champions
#: How much happens on each weekday, Monday first.
_WEEKDAY_WEIGHT = np.array([1.0, 1.05, 1.05, 1.0, 0.85, 0.18, 0.15])


@dataclass(frozen=True)
class Block:
    """One simulated block of accounts, with a random stream for each table."""

    history: History
    calendar: Calendar
    parameters: Parameters
    seed: int  # of the whole company
    number: int  # which block
    ids: NDArray[np.object_]  # shape (accounts,)
    silence: str  # what non-response depends on

    def stream(self, purpose: int) -> np.random.Generator:
        """Return the block's random stream for a purpose: no table's draws move another's."""
        return np.random.default_rng([self.seed, self.number, purpose])

    @cached_property
    def start_clock(self) -> Whole:
        """Time of day at which each account's subscription starts and ends, microseconds."""
        return (self.stream(100).integers(8 * 60, 18 * 60, self.history.count) * 60_000_000).astype(np.int64)

    @cached_property
    def billing_clock(self) -> Whole:
        """Time of day at which each account is invoiced, microseconds; before `start_clock`."""
        return (self.stream(101).integers(4 * 3600, 6 * 3600, self.history.count) * 1_000_000).astype(np.int64)

    @cached_property
    def spell_starts(self) -> Whole:
        """Instant at which each spell starts."""
        spells = self.history.spells
        return self.calendar.instants(spells["start_day"]) + self.start_clock[spells["account"]]

    @cached_property
    def opened_at(self) -> Whole:
        """Instant, by day and account, before which nothing happens on that day, because a spell starts in it."""
        opened = np.zeros((self.calendar.days, self.history.count), dtype=np.int64)
        spells = self.history.spells
        inside = spells["start_day"] >= 0
        opened[spells["start_day"][inside], spells["account"][inside]] = self.spell_starts[inside]
        return opened

    def happens(self, account: Whole, instant: Whole) -> NDArray[np.bool_]:
        """Say which instants fall into a spell of their account."""
        day = instant // DAY - self.calendar.first_day
        inside = (day >= 0) & (day < self.calendar.days)
        day = np.clip(day, 0, self.calendar.days - 1)
        allowed: NDArray[np.bool_] = inside & self.history.active[day, account] & (instant >= self.opened_at[day, account])
        return allowed

    def spell_at(self, account: Whole, day: Whole) -> Whole:
        """Return the number of the latest spell of each account that had started by a day."""
        spells = self.history.spells
        order = np.lexsort((spells["start_day"], spells["account"]))
        span = 10**7
        keys = spells["account"][order] * span + spells["start_day"][order] + 10**6
        found: Whole = order[np.searchsorted(keys, account * span + day + 10**6, side="right") - 1]
        return found


def in_week(calendar: Calendar, week: Whole, rng: np.random.Generator, hours: tuple[float, float]) -> Whole:
    """Draw an instant of a week for each row, rarely on weekends, between two hours of the day."""
    first = int(calendar.weekday[0])
    weights = np.cumsum(np.roll(_WEEKDAY_WEIGHT, -first))
    day = week * 7 + np.searchsorted(weights / weights[-1], rng.random(len(week)), side="right")
    clock = hours[0] * HOUR + rng.beta(2.0, 2.0, len(week)) * (hours[1] - hours[0]) * HOUR
    return calendar.instants(day) + clock.astype(np.int64) // 1_000_000 * 1_000_000


def times(instants: Whole, end: int | None = None) -> pa.Array:
    """Turn instants into UTC timestamps; blank ones, and with `end` those not yet come, become null."""
    blank = instants == BLANK_TIME
    if end is not None:
        blank = blank | (instants >= end)
    return pa.array(np.where(blank, 0, instants), pa.int64(), mask=blank).cast(pa.timestamp("us", "UTC"))


def codes(numbers: Whole, words: Sequence[str | None] | NDArray[np.object_]) -> pa.Array:
    """Turn code numbers into text."""
    return pa.array(list(words), pa.string()).take(pa.array(numbers, pa.int64()))


def ids_of(prefix: str, ids: NDArray[np.object_], account: Whole) -> pa.Array:
    """Name rows by their number within the account: `T-A0000012-3`; they must be sorted by account."""
    first = np.searchsorted(account, account, side="left")
    number = np.arange(len(account)) - first + 1
    return pa.array([f"{prefix}-{ids[a]}-{n}" for a, n in zip(account.tolist(), number.tolist(), strict=True)], pa.string())


def champion_number(block: Block) -> Whole:
    """Return, by week and account, how many champions the account has had before the present one."""
    numbers: Whole = np.cumsum(block.history.events["champion_found"], axis=0)
    return numbers


def user_names(block: Block, account: Whole, user: Whole) -> pa.Array:
    """Name users: `<account>-u3`, and champions `<account>-c0`, `-c1`, ..."""
    keys, position = np.unique(account * 10_000 + user, return_inverse=True)
    words = [
        f"{block.ids[key // 10_000]}-c{key % 10_000 - _CHAMPION}"
        if key % 10_000 >= _CHAMPION
        else f"{block.ids[key // 10_000]}-u{key % 10_000}"
        for key in keys.tolist()
    ]
    return codes(position.astype(np.int64), words)


def champion_user(number: Whole) -> Whole:
    """Return the user number of the n-th champion."""
    return number + _CHAMPION
