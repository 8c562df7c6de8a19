"""The rows of a stream cut into parts of some accounts each, and its columns as the kernel takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from staypower.cutoffs import DAY, MISSING, entry
from staypower.features.definition import Filter, renewal_columns
from staypower.features.renewals import as_contracts
from staypower.features.row_lists import count_rows_of, list_rows_of, spread
from staypower.features.rows import ReadColumn, SequencePlan, StreamRows, whole_amounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Read = Callable[[str, str], NDArray[Any]]

__all__ = ["AskedPairs", "PartedRows", "RowSequence", "SequenceColumns"]

# so many fit in the processor's cache
_ROWS_AT_ONCE = 65_536
_PAIRS_AT_ONCE = 32_768
_MOST_PARTS = 2_000
# about 30 bytes per row are brought together
_ROWS_TOGETHER = 25_000_000


@dataclass(frozen=True)
class AskedPairs:
    """The pairs of account and cutoff that are asked for, sorted by both.

    >>> AskedPairs.of(np.array([0, 0, 2]), np.array([0, 1, 1]), 3).start.tolist()
    [0, 2, 2, 3]
    """

    start: NDArray[np.int64]  # shape (n_accounts + 1,): Pairs `start[a]` to `start[a + 1]` belong to account `a`
    cutoff: NDArray[np.int32]  # shape (n,): Cutoff number of each pair

    @classmethod
    def of(cls, account: NDArray[np.int64], cutoff: NDArray[np.int64], n_accounts: int) -> AskedPairs:
        """Make it from the numbers of accounts and cutoffs of each pair."""
        return cls(_running(np.bincount(account, minlength=n_accounts)), cutoff.astype(np.int32))


class SequenceColumns:
    """The columns of a stream as its features read them, whichever rows are asked for."""

    def __init__(
        self, stream: StreamRows, plan: SequencePlan, cutoffs: NDArray[np.int64], codes: Mapping[str, Mapping[str, int]]
    ) -> None:
        self.stream, self.plan, self.cutoffs = stream, plan, cutoffs
        self._learned = {column: self._codes_of(column, codes) for column in plan.columns("code")}
        self._bits, self._others = self._filters()

    def wanted(self) -> list[tuple[str, str]]:
        """List the columns that are read, and as what."""
        wanted = [("account", ""), ("instants", self.plan.time or "")]
        for group in self.plan.groups:
            wanted += [("instants", name) for name in (*group.gates, *(name for name, _ in group.ends))]
        for condition in (condition for conditions in self.plan.filters for condition in conditions):
            wanted.append(("codes" if condition.values else "numbers", condition.column))
        for column in self.plan.columns(*_READ_AS):
            if column.kind == "amount":
                self.stream.refuse_large(column.name)
            wanted += self._keys(column)
        return list(dict.fromkeys(wanted))

    def _keys(self, column: ReadColumn) -> list[tuple[str, str]]:
        """List what a column is made of."""
        if column.kind == "renewal":
            parts = zip(("instants", "instants", "numbers", "numbers"), renewal_columns(column.name), strict=True)
            return [*parts, *([("numbers", column.weight)] if column.weight else [])]
        numbered = column.kind == "key" and self.stream.is_numbered(column.name)
        return [("codes" if numbered else _READ_AS[column.kind], column.name)]

    def every(self, what: str, name: str) -> NDArray[Any]:
        """Return a column of all rows."""
        if what == "account":
            return self.stream.account
        if what == "instants":
            return self.stream.instants(name or None)
        if what == "codes":
            return self.stream.codes(name)[0]
        return self.stream.keys(name) if what == "keys" else self.stream.numbers(name)

    def values(self, column: ReadColumn, read: Read) -> NDArray[Any]:
        """Return a column as the kernel takes it; `read` returns rows of a column."""
        values, *others = (read(*key) for key in self._keys(column))
        if column.kind == "renewal":
            start, months, day, *weight = others
            amounts = (
                whole_amounts(weight[0].astype(np.float64, copy=False)) if weight else np.zeros(len(values), dtype=np.int64)
            )
            return as_contracts(values, start, months, day, amounts)
        if column.kind == "code":
            return self._learned[column].take(values)
        if column.kind == "entry":
            return entry(values, self.cutoffs).astype(np.float64)
        if column.kind == "days":
            return np.where(values > -(2**62), values / DAY, np.nan)
        if column.kind == "key":
            return values
        return whole_amounts(values) if column.kind == "amount" else values.astype(np.float64, copy=False)

    def bits(self, n: int, read: Read) -> NDArray[np.int64]:
        """Say which filters `n` rows pass, one bit each; `read` returns these rows of a column."""
        found = np.zeros(n, dtype=np.int64)
        for column, bits in self._bits.items():
            found |= bits.take(read("codes", column))
        for number, conditions in self._others:
            keep = np.ones(n, dtype=bool)
            for condition in conditions:
                keep &= self._passes(condition, read)
            found |= keep.astype(np.int64) << number
        return found

    def _codes_of(self, column: ReadColumn, codes: Mapping[str, Mapping[str, int]]) -> NDArray[np.float64]:
        learned = codes.get(column.feature, {})
        # a text that training did not see falls under `other`, code 0; the last entry is for missing texts
        return np.array([float(learned.get(text, 0)) for text in self.stream.codes(column.name)[1]] + [np.nan])

    def _filters(self) -> tuple[dict[str, NDArray[np.int64]], list[tuple[int, tuple[Filter, ...]]]]:
        """Say which bits each text of a column stands for, and which filters look at more than one text."""
        bits: dict[str, NDArray[np.int64]] = {}
        others = []
        for number, conditions in enumerate(self.plan.filters):
            if len(conditions) > 1 or not conditions[0].values:
                others.append((number, conditions))
                continue
            passing = self.stream.passing(conditions[0])
            known = bits.setdefault(conditions[0].column, np.zeros(len(passing), dtype=np.int64))
            known |= passing.astype(np.int64) << number
        return bits, others

    def _passes(self, condition: Filter, read: Read) -> NDArray[np.bool_]:
        if condition.values:
            return self.stream.passing(condition)[np.asarray(read("codes", condition.column), dtype=np.int32)]
        values = read("numbers", condition.column).astype(np.float64, copy=False)
        passes: NDArray[np.bool_] = ~np.isnan(values)
        if condition.at_least is not None:
            passes &= values >= condition.at_least
        if condition.below is not None:
            passes &= values < condition.below
        return passes


class PartedRows(Protocol):
    """Rows of a sequence in parts of some accounts each, as what computes features reads them."""

    @property
    def plan(self) -> SequencePlan:
        """What to compute."""

    @property
    def cutoffs(self) -> NDArray[np.int64]:
        """The cutoffs, ascending."""

    @property
    def asked(self) -> AskedPairs:
        """The pairs that are asked for."""

    @property
    def parts(self) -> Sequence[tuple[int, int]]:
        """The first account of each part, and the one after its last."""

    @property
    def start(self) -> NDArray[np.int64]:
        """Where the rows of each account begin."""

    def read(self, number: int, what: str, name: str) -> NDArray[Any]:
        """Return the rows of one part of a column, in the order in which they were given."""

    def values(self, column: ReadColumn, read: Read) -> NDArray[Any]:
        """Return a column as the kernel takes it; `read` returns rows of a column."""

    def bits(self, n: int, read: Read) -> NDArray[np.int64]:
        """Say which filters `n` rows pass, one bit each; `read` returns these rows of a column."""


class RowSequence(SequenceColumns):
    """The rows of a stream that one of its times places in history, those of some accounts together."""

    def __init__(
        self,
        stream: StreamRows,
        plan: SequencePlan,
        cutoffs: NDArray[np.int64],
        codes: Mapping[str, Mapping[str, int]],
        asked: AskedPairs,
        pool: Executor,
    ) -> None:
        super().__init__(stream, plan, cutoffs, codes)
        self.asked = asked
        timeless = stream.instants(plan.time) == MISSING
        account = np.where(timeless, np.int32(-1), stream.account) if timeless.any() else stream.account
        count = np.zeros(stream.n_accounts, dtype=np.int64)
        count_rows_of(account, count)
        self.start = _running(np.where(np.diff(asked.start) > 0, count, 0))
        self.parts = self._parts()
        self._account, self._pool = account, pool
        self._columns: dict[tuple[str, str], NDArray[Any]] = {}
        self._begin = 0

    def _parts(self) -> list[tuple[int, int]]:
        """Cut the accounts into parts of not too many rows and pairs, leaving out those of which nothing is asked."""
        parts, first, n_accounts, pairs = [], 0, len(self.start) - 1, self.asked.start
        rows = max(_ROWS_AT_ONCE, int(self.start[-1]) // _MOST_PARTS)
        while first < n_accounts:
            full = np.searchsorted(self.start, self.start[first] + rows, side="right") - 1
            many = np.searchsorted(pairs, pairs[first] + _PAIRS_AT_ONCE, side="right") - 1
            end = min(max(int(min(full, many)), first + 1), n_accounts)
            if pairs[first] < pairs[end]:
                parts.append((first, end))
            first = end
        return parts

    def rounds(self) -> Iterator[range]:
        """Bring the rows of some parts together, and name these parts; then of the next ones, so that memory stays bounded."""
        wanted, done = self.wanted(), 0
        while done < len(self.parts):
            self._begin = int(self.start[self.parts[done][0]])
            ends = self.start[[end for _, end in self.parts[done:]]]
            count = max(1, int(np.searchsorted(ends, self._begin + _ROWS_TOGETHER, side="right")))
            together = range(done, done + count)
            listed, free = self._rows_of(together, int(ends[count - 1]) - self._begin), self._first_rows(together)
            gathered = self._pool.map(lambda key, to=(*listed, free): self._together(*key, *to), wanted)
            self._columns = dict(zip(wanted, gathered, strict=True))
            yield together
            done += count
        self._columns = {}

    def _rows_of(self, parts: range, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """List the `n` rows of some parts, and the part of each, counted from the first of them."""
        # the last entry is for rows of other accounts
        part_of = np.full(len(self.start), -1, dtype=np.int16 if len(parts) < 2**15 else np.int32)
        for number in parts:
            first, end = self.parts[number]
            part_of[first:end] = number - parts.start
        part_of[:-1][np.diff(self.asked.start) == 0] = -1
        rows = np.empty(n + 1, dtype=np.int32 if len(self._account) < 2**31 else np.int64)
        part = np.empty(n + 1, dtype=part_of.dtype)
        list_rows_of(self._account, part_of, rows, part)
        return rows[:n], part[:n]

    def _first_rows(self, parts: range) -> NDArray[np.int64]:
        return self.start[[self.parts[number][0] for number in parts]] - self._begin

    def _together(self, what: str, name: str, rows: NDArray[Any], part: NDArray[Any], free: NDArray[np.int64]) -> NDArray[Any]:
        """Bring a column's rows together, part by part, where those of the round before lay if there is room."""
        values, before = self.every(what, name), self._columns.get((what, name))
        room = before is not None and len(before) >= len(rows)
        found = before[: len(rows)] if before is not None and room else np.empty(len(rows), dtype=values.dtype)
        spread(rows, part, free.copy(), values, found)
        return found

    def read(self, number: int, what: str, name: str) -> NDArray[Any]:
        """Return the rows of one part of a column, in the order in which they were given."""
        first, end = self.start[list(self.parts[number])] - self._begin
        return self._columns[what, name][first:end]


# what of the stream each kind of column is made of
_READ_AS = {
    "key": "keys",
    "amount": "numbers",
    "number": "numbers",
    "days": "instants",
    "entry": "instants",
    "code": "codes",
    "renewal": "instants",
}


def _running(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
