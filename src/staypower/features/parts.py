"""The features of some accounts at a time, so that their rows fit in the processor's cache and threads can share the work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.crossings import rows_before
from staypower.cutoffs import DAY, MISSING, entry
from staypower.features import kernel, key_counts, row_lists
from staypower.features.kernel import EXTREMES, GAPS, TIMES
from staypower.features.renewals import RENEWALS, of_renewals
from staypower.features.row_lists import place_by_account, sort_accounts
from staypower.features.rows import Operation, Output, ReadColumn, RowGroup
from staypower.features.sequences import PartedRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LAST", "ListedRows", "SequencePart"]

LAST = ("last", "last_code", "days_until_last")
# so many different keys are taken as they are
_FEW_KEYS = 1_024
_NEVER = np.iinfo(np.int64).max


class SequencePart:
    """The rows of some accounts of a sequence, and the pairs asked of them."""

    def __init__(self, sequence: PartedRows, number: int) -> None:
        self.sequence, self.plan, self.number = sequence, sequence.plan, number
        first, end = sequence.parts[number]
        pairs = sequence.asked.start[first : end + 1]
        self.place = slice(int(pairs[0]), int(pairs[-1]))
        self.cutoff = sequence.asked.cutoff[self.place]
        self.account = np.repeat(np.arange(end - first, dtype=np.int32), np.diff(pairs))
        self.start = sequence.start[first : end + 1] - sequence.start[first]
        self.index = np.empty(self.start[-1], dtype=np.int64)
        place_by_account(sequence.read(number, "account", "") - np.int32(first), self.start[:-1].copy(), self.index)
        self._read: dict[tuple[str, str], NDArray[Any]] = {}
        self.at = sequence.read(number, "instants", self.plan.time or "").take(self.index)
        sort_accounts(self.start, self.at, self.index)
        self.before = np.empty((end - first, len(self.plan.limits)), dtype=np.int32)
        rows_before(self.start, self.at, self.plan.limits, self.before)
        self._same = np.arange(len(self.at), dtype=np.int32)
        self._ends: dict[int | None, NDArray[np.int32]] = {}
        self._columns: dict[ReadColumn, NDArray[Any]] = {}
        self._numbers: dict[ReadColumn, tuple[NDArray[np.int32], int]] = {}
        self._now: dict[int, NDArray[np.int64]] = {}

    def read(self, what: str, name: str) -> NDArray[Any]:
        """Return a column of the rows."""
        if (what, name) not in self._read:
            self._read[what, name] = self.sequence.read(self.number, what, name).take(self.index)
        return self._read[what, name]

    def compute(self, target: NDArray[np.float64]) -> None:
        """Fill in the features of these accounts."""
        mine = target[:, self.place]
        for group in self.plan.groups:
            listed = self.list_of(group)
            for operation in group.operations:
                answer(operation, listed, mine)

    @cached_property
    def owner(self) -> NDArray[np.int32]:
        """The account of each row."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.int32), np.diff(self.start))

    def column(self, column: ReadColumn) -> NDArray[Any]:
        """Return a column of the rows as the kernel takes it."""
        if column not in self._columns:
            self._columns[column] = self.sequence.values(column, self.read)
        return self._columns[column]

    def numbers(self, column: ReadColumn) -> tuple[NDArray[np.int32], int]:
        """Return the keys of a column, numbered within each account unless they are few, and how many there are at most."""
        if column not in self._numbers:
            keys = self.column(column)
            most = int(keys.max(initial=-1)) + 1
            if most <= _FEW_KEYS:
                self._numbers[column] = keys.astype(np.int32, copy=False), most
                return self._numbers[column]
            numbers = np.empty(len(self.at), dtype=np.int32)
            different = np.empty(len(self.start) - 1, dtype=np.int32)
            longest = int(np.diff(self.start).max(initial=0))
            slots = np.empty(max(4, 1 << (2 * longest).bit_length()), dtype=np.int32)
            row_lists.number_keys(self.start, keys, slots, numbers, different)
            self._numbers[column] = numbers, int(different.max(initial=0))
        return self._numbers[column]

    def now(self, days: int) -> NDArray[np.int64]:
        """Return the instant so many days before the cutoff of each pair."""
        if days not in self._now:
            self._now[days] = self.plan.limits[self.plan.bounds[self.plan.days.index(days)]].take(self.cutoff)
        return self._now[days]

    def end(self, days: int | None) -> NDArray[np.int32]:
        """Return where the rows before a bound end for each pair: before all of the account's when there is none."""
        if days not in self._ends:
            ends = self._ends[days] = np.empty(len(self.cutoff), dtype=np.int32)
            if days is None:
                self.start.take(self.account, out=ends, mode="clip")
            else:
                limits = self.plan.bounds[self.plan.days.index(days)]
                row_lists.find_ends(self.start, self.before, limits, self.account, self.cutoff, ends)
        return self._ends[days]

    @cached_property
    def bits(self) -> NDArray[np.int64]:
        """The filters that each row passes."""
        return self.sequence.bits(len(self.at), self.read)

    def list_of(self, group: RowGroup) -> ListedRows:
        """List the rows that a group of features reads, and find where the windows of each pair begin and end among them."""
        enter = self._enter(group)
        if enter is not None or group.ends:
            return self._list_known(group, enter)
        if group.bit < 0:
            return ListedRows(self, len(self.at), self._same, self.at, None, {days: self.end(days) for days in group.days})
        return self._list_passing(group)

    def _list_passing(self, group: RowGroup) -> ListedRows:
        """List rows once for all cutoffs: those that a cutoff sees are the first of an account's."""
        n = len(self.at)
        position, upto = np.empty(n + 1, dtype=np.int32), np.empty(n + 1, dtype=np.int32)
        times = np.empty(n + 1, dtype=np.int64)
        n = row_lists.list_passing(group.bit, self.bits, self.at, position, times, upto)
        found = np.empty((len(group.days), len(self.cutoff)), dtype=np.int32)
        for days, ends in zip(group.days, found, strict=True):
            row_lists.ends_among(self.end(days), upto, ends)
        return ListedRows(self, n, position, times, None, dict(zip(group.days, found, strict=True)))

    def _list_known(self, group: RowGroup, enter: NDArray[np.int32] | None) -> ListedRows:
        """List rows for every pair anew, since they become known, or stop counting, in another order than they happened."""
        ends = np.stack([self.end(days) for days in group.days])
        room = int((ends[-1] - ends[0]).sum(dtype=np.int64))
        position, owner = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        times, found = np.empty(room, dtype=np.int64), np.empty_like(ends)
        bits = self.bits if group.bit >= 0 else np.zeros(0, dtype=np.int64)
        known = enter if enter is not None else np.zeros(len(self.at), dtype=np.int32)
        rows = group.bit, bits, self.at, known, self._until(group), position, owner, times
        n = row_lists.list_known(ends[0], ends[-1], self.cutoff, *rows, ends, found)
        return ListedRows(self, n, position, times, owner, dict(zip(group.days, found, strict=True)))

    def _enter(self, group: RowGroup) -> NDArray[np.int32] | None:
        """Find the first cutoff at which everything read of each row is known; None if that is so from its own instant on."""
        late = self.at
        for gate in group.gates:
            known = self.read("instants", gate)
            late = np.maximum(late, np.where(known == MISSING, _NEVER, known))
        if not group.gates or (late == self.at).all():
            return None
        return entry(late, self.sequence.cutoffs, offset_days=group.gate_days)

    def _until(self, group: RowGroup) -> NDArray[np.int32]:
        cutoffs = self.sequence.cutoffs
        until = np.full(len(self.index), len(cutoffs), dtype=np.int32)
        for name, days in group.ends:
            until = np.minimum(until, entry(self.read("instants", name), cutoffs, offset_days=days))
        return until


class ListedRows:
    """The rows that a group of features reads, in order, and where the windows of each pair begin and end among them."""

    def __init__(
        self,
        part: SequencePart,
        n: int,
        position: NDArray[np.int32],
        times: NDArray[np.int64],
        owner: NDArray[np.int32] | None,
        ends: Mapping[int | None, NDArray[np.int32]],
    ) -> None:
        self.n, self.position, self.times, self.ends = n, position, times, ends
        self.cutoff, self.now = part.cutoff, part.now
        self._part, self._owner = part, owner

    @cached_property
    def owner(self) -> NDArray[np.int32]:
        """The account (or pair) of each listed row."""
        return self._owner if self._owner is not None else self._part.owner.take(self.position[: self.n])

    @cached_property
    def days(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The number of each row's day, and for each day what `number_days` returns."""
        rank = np.empty(self.n, dtype=np.int32)
        day, squares, ranked = (np.empty(self.n, dtype=np.int64) for _ in range(3))
        row_lists.number_days(self.n, self.times, self.owner, rank, day, squares, ranked)
        return rank, day, squares, ranked

    def sums(self, column: ReadColumn) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return running sums and counts of amounts."""
        sums, there = np.empty(self.n + 1, dtype=np.int64), np.empty(self.n + 1, dtype=np.int32)
        kernel.run_sums(self.n, self._part.column(column), self.position, sums, there)
        return sums, there

    def contracts(self, column: ReadColumn) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the position of each listed row, and when the contracts at these positions renew."""
        return self.position, self._part.column(column)

    def values(self, column: ReadColumn) -> NDArray[np.float64]:
        """Return the values of the listed rows, those of one instant by size."""
        listed = np.empty(self.n, dtype=np.float64)
        kernel.list_values(self.n, self._part.column(column), self.times, self.position, self.owner, listed)
        return listed

    def keys(self, column: ReadColumn) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the numbers of the keys, and a zero for each that an account has."""
        numbers, most = self._part.numbers(column)
        return numbers, np.zeros(most, dtype=np.int32)


def answer(operation: Operation, listed: ListedRows, target: NDArray[np.float64]) -> None:
    """Compute the features of one operation."""
    if operation.aggregation == "distinct":
        _count_different(operation, listed, target)
    else:
        prepared = _prepare(operation, listed)
        for output in operation.outputs:
            _answer_one(operation.aggregation, output, listed, prepared, target[output.column])
    for output in operation.outputs:
        if output.reaches_back:
            target[output.column][listed.ends[output.low] <= listed.ends[None]] = np.nan


def _count_different(operation: Operation, listed: ListedRows, target: NDArray[np.float64]) -> None:
    """Count different keys, at once in the windows that end together."""
    assert operation.column is not None
    numbers, counts = listed.keys(operation.column)
    longest_first = sorted(operation.outputs, key=lambda output: -(output.window or math.inf))
    for high in {output.high for output in longest_first}:
        outputs = [output for output in longest_first if output.high == high]
        low = np.stack([listed.ends[output.low] for output in outputs])
        latest, last = np.full(len(counts), -1, dtype=np.int32), np.zeros(listed.n // 64 + 2, dtype=np.uint64)
        columns = np.array([output.column for output in outputs])
        key_counts.count_different(listed.ends[high], low, numbers, listed.position, latest, last, columns, target)


def _prepare(operation: Operation, listed: ListedRows) -> tuple[Any, ...]:
    """Compute what the windows of an operation share."""
    column = operation.column
    if operation.aggregation == "active_days" or operation.aggregation in GAPS:
        return listed.days
    if column is None:
        return ()
    if column.kind == "renewal":
        return listed.contracts(column)
    if column.kind == "key":
        return listed.keys(column)
    return listed.sums(column) if column.kind == "amount" else (listed.values(column),)


def _answer_one(how: str, output: Output, listed: ListedRows, prepared: tuple[Any, ...], target: NDArray[np.float64]) -> None:
    high, low, empty = listed.ends[output.high], listed.ends[output.low], output.empty
    if how == "count":
        kernel.count_rows(high, low, target)
    elif how == "sum":
        kernel.take_sums(high, low, prepared[0], target)
    elif how == "mean":
        sums, there = prepared
        kernel.take_means(high, low, sums, there, empty, target)
    elif how == "top_share":
        key_counts.take_top_shares(high, low, prepared[0], listed.position, prepared[1], empty, target)
    elif how == "top_seen_since":
        key_counts.find_top_again(high, low, listed.ends[0], prepared[0], listed.position, prepared[1], empty, target)
    elif how == "active_days":
        kernel.count_days(high, low, prepared[0], target)
    elif how in GAPS:
        now, (rank, day, squares, ranked) = listed.now(output.high), prepared
        kernel.of_gaps(GAPS[how], high, low, now, listed.times, rank, day, squares, ranked, empty, target)
    elif how in TIMES:
        now = listed.now(output.high)
        kernel.of_times(TIMES[how], high, low, now, output.window, listed.times, empty, target)
    elif how in RENEWALS:
        now, (position, contracts) = listed.now(output.high), prepared
        of_renewals(RENEWALS[how], high, low, now, position, contracts, output.ahead, empty, target)
    else:
        _answer_from_values(how, output, listed, prepared[0], target)


def _answer_from_values(
    how: str, output: Output, listed: ListedRows, read: NDArray[np.float64], target: NDArray[np.float64]
) -> None:
    high, low, empty = listed.ends[output.high], listed.ends[output.low], output.empty
    if how in LAST:
        kernel.take_last(high, low, listed.times, read, empty, target)
    elif how in EXTREMES:
        kernel.take_extremes(EXTREMES[how], high, low, read, empty, target)
    elif how == "spread":
        kernel.take_spreads(high, low, read, empty, target)
    elif how == "trend":
        kernel.take_trends(high, low, listed.now(output.high), listed.times, read, empty, target)
    else:
        kernel.count_unanswered(high, low, listed.cutoff, read, target)
    if how.startswith("days_until"):
        target -= listed.now(output.high) / DAY
