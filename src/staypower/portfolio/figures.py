"""A figure: one value of one metric for one segment in one period; and which accounts are in each segment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import entry
from staypower.errors import Problem, UsageError, nearest
from staypower.labels.settings import text_of_value
from staypower.portfolio.intervals import NONE, Interval
from staypower.portfolio.periods import Periods
from staypower.schemas import SCHEMAS
from staypower.spells import number_accounts
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ALL",
    "BLANK",
    "RUNNING",
    "TOO_SMALL",
    "Figure",
    "PortfolioCell",
    "Segmentation",
    "cells_of",
    "find_segmentations",
    "join_notes",
]

ALL, BLANK = "all", "(blank)"
RUNNING = "the period is still running"
TOO_SMALL = "too small to publish"
_DEFAULT = "segment"
_MOST_VALUES = 100


@dataclass(frozen=True)
class Figure:
    """One number of the portfolio.

    >>> Figure("nps", 0, 1, True, "all", "all", 30.0, n=100).note
    ''
    """

    metric: str
    period_start: int  # instant; of a cohort: the period in which its accounts began
    period_end: int  # instant, exclusive
    complete: bool  # false while time can still change the number
    segment: str  # attribute of the accounts; `all` for all accounts
    segment_value: str  # `all` for all accounts
    value: float  # NaN where there is none; the note says why
    low: float = math.nan  # ends of the 95% interval; NaN where there is none
    high: float = math.nan
    n: int | None = None  # what the value is a share or mean of; None where it is not published
    note: str = ""
    age: int | None = None  # of a cohort: whole periods since the end of its first


@dataclass(frozen=True)
class PortfolioCell:
    """The accounts of one segment in one period, and how figures of them are published.

    >>> cell = PortfolioCell(0, 0, 1, False, "region", "emea", np.ones(12, dtype=bool), 30)
    >>> cell.figure("nps", 50.0, n=12, accounts=12).note
    'too small to publish: fewer than 30 accounts'
    """

    position: int  # of the period
    start: int  # instants
    end: int
    running: bool
    segment: str  # attribute of the accounts; `all` for all accounts
    value: str
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
            return replace(made, note=f"{TOO_SMALL}: fewer than {self.minimum} accounts")
        note = join_notes(RUNNING if self.running else "", note)
        return replace(made, value=float(value), low=interval[0], high=interval[1], n=int(n), note=note)


def join_notes(*notes: str) -> str:
    """Join the notes that say something."""
    return "; ".join(note for note in notes if note)


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
    codes: NDArray[np.int64]  # shape (n_accounts, k): Position in `values`, for each account and period


def find_segmentations(
    tables: Tables, columns: Sequence[str] | None, *, accounts: Sequence[str], starts: NDArray[np.int64]
) -> tuple[Segmentation, ...]:
    """Find the segment of each account at the start of each period.

    Where `accounts` holds versions, the last one with `valid_from` before the period's start counts; an account that began
    later is counted by its first version. An attribute without versions must be declared `static`.

    >>> import pyarrow as pa
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "valid_from": time(1, 5), "segment": ["small", "large"]})
    >>> tables = Tables({"accounts": Table(SCHEMAS["accounts"], rows)}, 9)
    >>> _, found = find_segmentations(tables, None, accounts=["a"], starts=np.array([0, 5, 6]))
    >>> [found.values[code] for code in found.codes[0]]
    ['small', 'small', 'large']
    """
    table = tables["accounts"]
    wanted = columns if columns is not None else [name for name in [_DEFAULT] if table.has(name) and not _problem(table, name)]
    problems = [problem for problem in (_problem(table, name) for name in wanted) if problem is not None]
    if problems:
        raise UsageError(problems)
    found = tuple(_segmentation(table, name, accounts, starts) for name in wanted)
    return (Segmentation(ALL, (ALL,), np.zeros((len(accounts), len(starts)), dtype=np.int64)), *found)


def _problem(table: Table, name: str) -> Problem | None:
    canonical = set(SCHEMAS["accounts"].names)
    attributes = [column for column in table.data.column_names if column not in canonical]
    place = f"portfolio.segments: {name}"
    if name not in attributes:
        return Problem("not an attribute of the accounts", place, nearest(name, attributes))
    if not table.has("valid_from") and name not in table.fixed:
        return Problem(
            "the attribute may have changed since", place, f"declare it (`static: [{name}]` of `accounts`), or map `valid_from`"
        )
    distinct = len(set(_words(table, name)[1]))
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
