"""On which days a table tells of anything, and how long it is usually silent: an export that ends early is seen by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, MISSING, before, text_of
from staypower.results.numbers import plural
from staypower.sources.findings import Finding
from staypower.sources.rules import LATER_COLUMNS
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["A_WEEK", "TIMES_LONGER", "days_late", "late_export", "longest_silence", "rows_by_day", "touched_days"]

A_WEEK, TIMES_LONGER = 7, 3.0
"""How long any table may be silent, and how many times longer than ever before, where no setting says otherwise."""

_YEAR = 365
_SPAN = 1_000_000  # days that are counted without sorting them
_FEWEST = 10  # days with rows, below which nothing is known of a rhythm
_MORE_TIMES = ("cancel_requested_at", "valid_from")


def touched_days(table: Table, at: int) -> frozenset[int]:
    """Return the numbers of the days before an instant on which something happened to a row; what is only planned is none."""
    found: set[int] = set()
    for name in (*table.schema.times, *LATER_COLUMNS.get(table.name, ("", ()))[1], *_MORE_TIMES):
        if table.has(name):
            instants = table.instants(name)
            found.update(rows_by_day(instants[before(instants, at) & (instants != MISSING)]))
    return frozenset(found)


def rows_by_day(instants: NDArray[np.int64]) -> dict[int, int]:
    """Count instants by the number of their day, of days that have any.

    >>> rows_by_day(np.array([5 * DAY, 3 * DAY + 1, 5 * DAY + 2]))
    {3: 1, 5: 2}
    """
    if not len(instants):
        return {}
    days = instants // DAY
    first, last = int(days.min()), int(days.max())
    if last - first > _SPAN:  # dates that nobody means would take much memory
        there, counts = np.unique(days, return_counts=True)
    else:
        found = np.bincount(days - first)
        there, counts = first + np.flatnonzero(found), found[found > 0]
    return dict(zip(there.tolist(), counts.tolist(), strict=True))


def longest_silence(touched: Iterable[int]) -> int | None:
    """Return the most days from one day with rows to the next, of those that ended in the last year, or ever where few did.

    None where fewer than ten days have rows.

    >>> longest_silence([*range(0, 40), 45])
    6
    """
    days = np.array(sorted(touched), dtype=np.int64)
    if len(days) < _FEWEST:
        return None
    silences, ended = np.diff(days), days[1:]
    year = silences[ended > days[-1] - _YEAR]
    return int((year if len(year) >= _FEWEST else silences).max())


def days_late(touched: Iterable[int], until: int) -> int:
    """Count the whole days without a row before an instant.

    >>> days_late([3, 5], 8 * DAY)
    2
    """
    return (until - 1) // DAY - max(touched)


def late_export(name: str, touched: Collection[int], until: int) -> Iterator[Finding]:
    """Warn of a table that ends long before the others, by its own rhythm."""
    longest = longest_silence(touched)
    if longest is None or days_late(touched, until) <= max(A_WEEK, TIMES_LONGER * longest):
        return
    end, last = text_of(until - 1)[:10], text_of(max(touched) * DAY)
    problem = f"ends {plural(days_late(touched, until), 'day')} before the end of the observed data, {end}"
    meaning = f"looks like an export that is late: before, it was silent for {plural(longest, 'day')} at the most"
    yield Finding("warning", name, "", 0, problem, meaning, f"export it again, or write `observed_until: {last}`")
