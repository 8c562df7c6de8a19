"""Calendar months and quarters as boundaries that instants are placed between, and the segment of each account in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import DAY, entry, instant_of
from staypower.errors import Problem, UsageError, nearest
from staypower.labels.settings import text_of_value
from staypower.portfolio.figures import ALL, PortfolioCell
from staypower.schemas import SCHEMAS
from staypower.spells import number_accounts
from staypower.tables import BucketedTables, Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BLANK", "Periods", "Segmentation", "cells_of", "find_segmentations", "make_periods", "segment_columns"]

BLANK = "(blank)"
_DEFAULT = "segment"
_MOST_VALUES = 100

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


def cells_of(periods: Periods, segmentations: tuple[Segmentation, ...], minimum: int) -> Iterator[PortfolioCell]:
    """Yield every period with all accounts, then with each segment's."""
    running = periods.running
    for position, (start, end) in enumerate(zip(periods.starts, periods.ends, strict=True)):
        for segmentation in segmentations:
            for code, value in enumerate(segmentation.values):
                members = segmentation.codes[:, position] == code
                yield PortfolioCell(position, start, end, bool(running[position]), segmentation.column, value, members, minimum)


@dataclass(frozen=True)
class Segmentation:
    """Which segment each account is counted in."""

    column: str  # attribute of `accounts`, or `all`
    values: tuple[str, ...]  # segments in alphabetical order, `(blank)` last
    codes: NDArray[np.int64]  # shape (n_accounts, k): position in `values`, for each account and period

    @classmethod
    def together(cls, parts: Sequence[Segmentation], order: NDArray[np.int64]) -> Segmentation:
        """Combine the accounts of several buckets, in an order."""
        words = [list(part.values) for part in parts]
        values = sorted(set().union(*words), key=lambda word: (word == BLANK, word))
        codes = [np.array([values.index(word) for word in own])[part.codes] for own, part in zip(words, parts, strict=True)]
        return cls(parts[0].column, tuple(values), np.concatenate(codes)[order])


def segment_columns(tables: BucketedTables, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the attributes whose values are segments: those asked for, which must be usable, or by default `segment`.

    >>> rows = pa.table({"account_id": ["a"], "segment": ["small"]})
    >>> accounts = Table(SCHEMAS["accounts"], rows, fixed=frozenset({"segment"}))
    >>> segment_columns(Tables({"accounts": accounts}, 9), None)
    ('segment',)
    """
    table = tables.empty["accounts"]
    wanted = columns if columns is not None else [_DEFAULT] if table.has(_DEFAULT) else []
    there = [name for name in wanted if _problem(table, name, 0) is None]
    distinct: dict[str, set[str]] = {name: set() for name in there}
    for words in tables.each(lambda bucket: {name: _words(bucket["accounts"], name)[1] for name in there}, only=()):
        for name in there:
            distinct[name].update(words[name])
    problems = {name: _problem(table, name, len(distinct.get(name, ()))) for name in wanted}
    if columns is None:
        return tuple(name for name in wanted if problems[name] is None)
    found = [problem for problem in problems.values() if problem is not None]
    if found:
        raise UsageError(found)
    return tuple(wanted)


def find_segmentations(
    tables: Tables, columns: Sequence[str], *, accounts: Sequence[str], starts: NDArray[np.int64]
) -> tuple[Segmentation, ...]:
    """Find the segment of each account at the start of each period.

    Where `accounts` holds versions, the last one with `valid_from` before the period's start counts; an account that began
    later is counted by its first version. An attribute without versions must be declared `static`.

    >>> import pyarrow as pa
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "valid_from": time(1, 5), "segment": ["small", "large"]})
    >>> tables = Tables({"accounts": Table(SCHEMAS["accounts"], rows)}, 9)
    >>> _, found = find_segmentations(tables, ["segment"], accounts=["a"], starts=np.array([0, 5, 6]))
    >>> [found.values[code] for code in found.codes[0]]
    ['small', 'small', 'large']
    """
    found = tuple(_segmentation(tables["accounts"], name, accounts, starts) for name in columns)
    return (Segmentation(ALL, (ALL,), np.zeros((len(accounts), len(starts)), dtype=np.int64)), *found)


def _problem(table: Table, name: str, distinct: int) -> Problem | None:
    canonical = set(SCHEMAS["accounts"].names)
    attributes = [column for column in table.data.column_names if column not in canonical]
    place = f"portfolio.segments: {name}"
    if name not in attributes:
        return Problem("not an attribute of the accounts", place, nearest(name, attributes))
    if not table.has("valid_from") and name not in table.fixed:
        return Problem(
            "the attribute may have changed since", place, f"declare it (`static: [{name}]` of `accounts`), or map `valid_from`"
        )
    if distinct > _MOST_VALUES:
        fix = f"name an attribute with at most {_MOST_VALUES} values"
        return Problem(f"{distinct:,} values are too many for segments", place, fix)
    return None


def _words(table: Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return each row's word as a number, and the words; blank is a word."""
    values = table.data.column(name).combine_chunks()
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = [BLANK if pd.isna(value) else _text(value) for value in encoded.dictionary.to_pylist()] + [BLANK]
    numbers = np.asarray(encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return numbers, texts


def _text(value: object) -> str:
    text = value.strip() if isinstance(value, str) else text_of_value(value)
    return text or BLANK


def _segmentation(table: Table, name: str, accounts: Sequence[str], starts: NDArray[np.int64]) -> Segmentation:
    numbers, words = _words(table, name)
    values = (*sorted(set(words) - {BLANK}), BLANK)
    code = np.array([values.index(word) for word in words], dtype=np.int64)[numbers]
    account = number_accounts(table, accounts)
    shape = (len(accounts), len(starts))
    codes = np.full(shape, len(values) - 1, dtype=np.int64)
    own = np.flatnonzero(account >= 0)
    if table.has("valid_from"):
        valid_from = table.instants("valid_from")
        order = own[np.lexsort((own, valid_from[own]))]
        codes[account[order[::-1]]] = code[order[::-1]][:, None]
        entered = entry(valid_from[order], starts)
        seen = entered < len(starts)
        latest = np.zeros(shape, dtype=np.int64)
        np.maximum.at(latest, (account[order][seen], entered[seen]), np.flatnonzero(seen) + 1)
        latest = np.maximum.accumulate(latest, axis=1)
        codes = np.where(latest > 0, np.append(0, code[order])[latest], codes)
    else:
        codes[account[own[::-1]]] = code[own[::-1]][:, None]
    used = values if (codes == len(values) - 1).any() else values[:-1]
    return Segmentation(name, used, codes)
