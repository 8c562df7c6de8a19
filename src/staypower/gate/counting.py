"""What the gate counts in the rows of a table; the counts of several buckets of accounts add up.

Rows are counted by day, and closer in the last four weeks, eight weeks, 90 days or year before an instant. Accounts are
counted whole, whenever they signed up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.checking.rhythm import rows_by_day, touched_days
from staypower.cutoffs import MISSING, before, exit_after
from staypower.sources.rules import LATER_COLUMNS, repeated_rows
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LATEST", "QUARTER", "RECENT", "YEAR", "Marks", "TableCounts", "ValueCounts", "WindowCounts"]

LATEST, QUARTER, YEAR = 28, 90, 365
RECENT = (LATEST, 56, QUARTER)
# a column of more words names things, not kinds of things
_MOST_WORDS, _KINDS = 100, 0.2
_TENTHS = np.linspace(0, 1, 11)[1:-1]
_UNSCALED = ("low", "high")


@dataclass(frozen=True)
class Marks:
    """What the values of a table are counted by: the words known of its categories, the ends of the tenths of its numbers."""

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ends: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class WindowCounts:
    """Counts of the rows of one window."""

    rows: int = 0
    repeated: int = 0  # rows that are equal to another in every column
    blank: Counter[str] = field(default_factory=Counter)  # rows without a value, by column
    unseen: Counter[str] = field(default_factory=Counter)  # rows with a word that is not known
    worded: Counter[str] = field(default_factory=Counter)  # rows with a word
    numbers: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # values in each of the ranges between the ends

    def __add__(self, other: WindowCounts) -> WindowCounts:
        names = {*self.numbers, *other.numbers}
        return WindowCounts(
            self.rows + other.rows,
            self.repeated + other.repeated,
            _sum(self.blank, other.blank),
            _sum(self.unseen, other.unseen),
            _sum(self.worded, other.worded),
            {name: self.numbers.get(name, 0) + other.numbers.get(name, np.int64(0)) for name in names},  # type: ignore[misc]
        )


def _sum(some: Counter[str], more: Counter[str]) -> Counter[str]:
    """Add counts up; what was counted and is nought stays."""
    return Counter({name: some[name] + more[name] for name in {**some, **more}})


@dataclass(frozen=True)
class TableCounts:
    """Counts of the rows of one table before an instant."""

    rows: int
    days: Counter[int]  # rows by day number
    touched: frozenset[int]  # numbers of the days of which any row tells: its own time, an answer, an end, a version
    windows: Mapping[int, WindowCounts]
    changed: Counter[str]  # rows that the data rules changed, see `Table.changed`
    ended: Counter[str]  # rows with an end, by its column

    def __add__(self, other: TableCounts) -> TableCounts:
        windows = {days: self.windows[days] + other.windows[days] for days in self.windows}
        return TableCounts(
            self.rows + other.rows,
            self.days + other.days,
            self.touched | other.touched,
            windows,
            self.changed + other.changed,
            self.ended + other.ended,
        )

    @classmethod
    def of(cls, table: Table, at: int, marks: Marks, windows: Sequence[int]) -> TableCounts:
        """Count the rows of a table that are known before an instant."""
        own = _known_instants(table)
        whole = table.name == "accounts"
        there = before(own, at) | (own == MISSING if whole else False)
        rows, closer = np.flatnonzero(there), dict[int, WindowCounts]()
        for length in sorted(windows, reverse=True):
            # the rows of a window are among those of a longer one
            rows = rows if whole else rows[exit_after(own[rows], np.array([at], dtype=np.int64), length) > 0]
            closer[length] = _count(replace(table, data=table.data.take(pa.array(rows))), at, marks)
        ended: Counter[str] = Counter()
        for end in LATER_COLUMNS.get(table.name, ("", ()))[1]:
            if table.has(end):
                ended[end] = len(table) - table.data.column(end).null_count
        by_day = Counter(rows_by_day(own[there & (own != MISSING)]))
        nearest = {length: closer[length] for length in windows}
        return cls(int(there.sum()), by_day, touched_days(table, at), nearest, Counter(table.changed), ended)


def _known_instants(table: Table) -> NDArray[np.int64]:
    """Return when each row was known: its own time, or its arrival when that is later."""
    own = table.own_instants()
    return np.maximum(own, table.instants("known_at")) if table.has("known_at") else own


def _count(table: Table, at: int, marks: Marks) -> WindowCounts:
    blank, unseen, worded = Counter[str](), Counter[str](), Counter[str]()
    for name in _filled_with_their_row(table):
        blank[name] = table.data.column(name).null_count
    for name, known in marks.words.items():
        if table.has(name):
            indices, words = numbered(table.data.column(name))
            strange = np.append(~np.asarray(pc.is_in(words, value_set=pa.array(list(known), pa.string()))), False)
            worded[name], unseen[name] = int((indices >= 0).sum()), int(strange[indices].sum())
    numbers = {}
    for name, values in _numbers(table, at).items():
        if name in marks.ends:
            ends = np.asarray(marks.ends[name], dtype=np.float64)
            numbers[name] = np.bincount(np.searchsorted(ends, values, side="left"), minlength=len(ends) + 1)
    return WindowCounts(len(table), repeated_rows(table) if len(table) else 0, blank, unseen, worded, numbers)


_Values = tuple["NDArray[np.float64]", "NDArray[np.int64]"]


@dataclass(frozen=True)
class ValueCounts:
    """The words and numbers of a table, from which its marks follow; those of several buckets of accounts add up."""

    filled: Counter[str]  # rows with a word, by column of words
    words: Mapping[str, frozenset[str] | None]  # the words of each column; None where there are too many to count by
    numbers: Mapping[str, _Values]  # the different numbers of each column, ascending, and how many rows have each

    @classmethod
    def of(cls, table: Table, at: int) -> ValueCounts:
        """Count the values of a table before an instant."""
        filled, words = Counter[str](), dict[str, frozenset[str] | None]()
        for name in _categories(table):
            indices, known = numbered(table.data.column(name))
            used = np.unique(indices[indices >= 0])
            filled[name] = int((indices >= 0).sum())
            words[name] = _few(frozenset(known.take(pa.array(used)).to_pylist()) if len(used) <= _MOST_WORDS else None)
        numbers = {name: np.unique(values + 0.0, return_counts=True) for name, values in _numbers(table, at).items()}
        return cls(filled, words, {name: (values, counts) for name, (values, counts) in numbers.items()})

    def __add__(self, other: ValueCounts) -> ValueCounts:
        words = {}
        for name, mine in self.words.items():
            theirs = other.words[name]
            words[name] = None if mine is None or theirs is None else _few(mine | theirs)
        numbers = dict(self.numbers)
        for name, more in other.numbers.items():
            numbers[name] = _merged(numbers[name], more) if name in numbers else more
        return ValueCounts(self.filled + other.filled, words, numbers)

    def marks(self) -> Marks:
        """Find what to count a table's values by: all words of its categories, and the tenths of its numbers."""
        words: dict[str, Sequence[str]] = {}
        for name, known in self.words.items():
            if known and len(known) <= max(2, self.filled[name] * _KINDS):
                words[name] = sorted(known)
        ends = {name: _ends(*found) for name, found in self.numbers.items() if len(found[0])}
        return Marks(words, ends)


def _few(words: frozenset[str] | None) -> frozenset[str] | None:
    return words if words is not None and len(words) <= _MOST_WORDS else None


def _merged(one: _Values, other: _Values) -> _Values:
    values, place = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    return values, np.bincount(place, weights=np.concatenate([one[1], other[1]])).astype(np.int64)


def _ends(different: NDArray[np.float64], counts: NDArray[np.int64]) -> Sequence[float]:
    """Return the ends of the ranges that numbers are counted in: every number where there are few, else the tenths."""
    if len(different) <= len(_TENTHS) + 2:
        return [float(value) for value in different]
    until = np.cumsum(counts)
    place = (int(until[-1]) - 1) * _TENTHS
    low = np.floor(place)
    pairs = [different[np.searchsorted(until, at, side="right")] for at in (low, np.minimum(low + 1, until[-1] - 1))]
    tenths = [np.quantile([one, other], share) for one, other, share in zip(*pairs, place - low, strict=True)]
    return [float(value) for value in np.unique(tenths)]


def _filled_with_their_row(table: Table) -> list[str]:
    """Name the columns that are filled when the row is made: what comes later is blank in the latest rows anyway."""
    times = {*table.schema.times, "known_at", "account_id", "valid_from"}
    found = []
    for name in table.data.column_names:
        column = table.schema.column(name)
        late = column is not None and (column.kind == "time" or column.known_from is not None or column.mutable)
        if name not in times and not late and not pa.types.is_timestamp(table.data.column(name).type):
            found.append(name)
    return found


def _categories(table: Table) -> list[str]:
    found = []
    for name in table.data.column_names:
        column, stored = table.schema.column(name), table.data.column(name).type
        text = pa.types.is_string(stored) or pa.types.is_dictionary(stored)
        if text and name != "account_id" and (column is None or column.kind == "text"):
            found.append(name)
    return found


def _numbers(table: Table, at: int) -> dict[str, NDArray[np.float64]]:
    """Return the values of each number column that are known; answers as shares of their scale, each instrument by itself."""
    found = {}
    for column in table.schema.columns:
        if column.kind != "number" or column.name in _UNSCALED or not table.has(column.name):
            continue
        values = table.numbers(column.name)
        known = np.isfinite(values)
        if column.known_from is not None and table.has(column.known_from):
            known &= before(table.instants(column.known_from), at)
        if (table.name, column.name) == ("surveys", "value") and table.has("instrument", *_UNSCALED):
            low, high = (table.numbers(end) for end in _UNSCALED)
            instruments = table.texts("instrument")
            for instrument in sorted({str(each) for each in instruments if each is not None}):
                mine = known & (instruments == instrument)
                found[f"value of {instrument}"] = (values[mine] - low[mine]) / (high[mine] - low[mine])
        else:
            found[column.name] = values[known]
    return found
