"""Rows of a stream made ready for the kernel: numbered accounts, sorted instants, and the cutoffs that see each row.

Which cutoffs see a row follows from one rule: a row is seen from the first cutoff after everything that a feature reads of
it is known. That is its own time, its place in history, `known_at`, and for each column the time from which the schema says
it is known.
So a column that is filled in later can only delay a row, never show it early. A row with `superseded_at` is replaced then by
another row that says the same with what has come to be known since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, entry, exit_after
from staypower.errors import UsageError
from staypower.features.definition import Feature, Filter
from staypower.features.streams import SUPERSEDED
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SCALE", "Rows", "StreamRows"]

# sums are made of whole ten-thousandths: exact, whatever is added and taken out
SCALE = 10_000
_LARGEST = float(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Rows:
    """The rows one group of features reads, sorted by account and instant.

    Parameters
    ----------
    index : array of int64, shape (n,)
        Position of each row in its stream.
    account : array of int32, shape (n,)
    start : array of int64, shape (n_accounts + 1,)
    at : array of int64, shape (n,)
        Instant that places the row in history.
    place, enter, until : array of int32, shape (n,)
        First cutoff numbers after `at`, after all that is read is known, and after the row stops counting.
    in_order : bool
        Rows of an account enter, and leave, in the order in which they happened.

    Examples
    --------
    >>> Rows.__name__
    'Rows'
    """

    index: NDArray[np.int64]
    account: NDArray[np.int32]
    start: NDArray[np.int64]
    at: NDArray[np.int64]
    place: NDArray[np.int32]
    enter: NDArray[np.int32]
    until: NDArray[np.int32] | None
    in_order: bool

    def leave(self, cutoffs: NDArray[np.int64], window: int | None, offset: int) -> NDArray[np.int32]:
        """Return the first cutoff number that no longer sees each row."""
        if window is None:
            gone = np.full(len(self.at), len(cutoffs), dtype=np.int32)
        else:
            gone = exit_after(self.at, cutoffs, window + offset)
        return gone if self.until is None else np.minimum(gone, self.until)


class StreamRows:
    """A stream with numbered accounts; what is costly is done once and kept.

    Parameters
    ----------
    table : Table
        The stream.
    accounts : pyarrow.Array of str
        The accounts wanted, sorted; rows of others are left out.
    cutoffs : array of int64, shape (k,)
        Sorted.
    """

    def __init__(self, table: Table, accounts: pa.Array, cutoffs: NDArray[np.int64]) -> None:
        self.table = table
        self.cutoffs = cutoffs
        self.n_accounts = len(accounts)
        found = pc.index_in(table.data.column("account_id"), value_set=accounts)
        numbers = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        self._account = np.asarray(numbers.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)
        self._sorted: dict[str, tuple[NDArray[np.int64], NDArray[np.int32]]] = {}
        self._kept: dict[object, Rows] = {}
        self._instants: dict[str, NDArray[np.int64]] = {}
        self._codes: dict[str, tuple[NDArray[np.int32], list[str]]] = {}

    def instants(self, column: str | None) -> NDArray[np.int64]:
        """Return a time column, or the row's own time, as instants."""
        key = column or ""
        if key not in self._instants:
            self._instants[key] = self.table.own_instants() if column is None else self.table.instants(column)
        return self._instants[key]

    def codes(self, column: str) -> tuple[NDArray[np.int32], list[str]]:
        """Return a text column as codes (missing: -1) and the texts they stand for."""
        if column not in self._codes:
            values = self.table.data.column(column).combine_chunks()
            if not pa.types.is_dictionary(values.type):
                values = values.cast(pa.string()).dictionary_encode()
            indices = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            self._codes[column] = np.asarray(indices, dtype=np.int32), values.dictionary.to_pylist()
        return self._codes[column]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a number column, missing as NaN."""
        return self.table.numbers(column)

    def rows_for(self, feature: Feature) -> Rows:
        """Return the rows that a feature reads."""
        gates = tuple(sorted(self._gates(feature)))
        key = (feature.time, gates, feature.until, feature.where, feature.offset)
        if key not in self._kept:
            self._kept[key] = self._make(feature, gates)
        return self._kept[key]

    def _gates(self, feature: Feature) -> set[str]:
        """Name the times that must have come before anything of a row is used; '' is the row's own time."""
        used = [feature.time, feature.after, *(f.column for f in feature.where)]
        if feature.aggregation != "unanswered_in_a_row":
            used.append(feature.column)
        known = {self._known_from(name) for name in used if name}
        # the row itself must have come, whichever of its times places it
        return known | {""}

    def _known_from(self, name: str) -> str:
        column = self.table.schema.column(name)
        return (column.known_from if column is not None else None) or ""

    def _make(self, feature: Feature, gates: tuple[str, ...]) -> Rows:
        index, account = self._in_order(feature.time)
        if feature.where:
            keep = np.ones(len(index), dtype=bool)
            for condition in feature.where:
                keep &= self._passes(condition)[index]
            index, account = index[keep], account[keep]
        at = self.instants(feature.time)[index]
        place = entry(at, self.cutoffs, offset_days=feature.offset)
        enter = place
        late = [self.instants(gate or None) for gate in gates if gate != (feature.time or "")]
        if self.table.has("known_at"):
            late.append(self.instants("known_at"))
        # a state of some days ago is told as it was known then, so that exactly one version of it counts
        then = feature.offset if feature.until else 0
        for instants in late:
            enter = np.maximum(enter, entry(instants[index], self.cutoffs, offset_days=then))
        until = entry(self.instants(feature.until)[index], self.cutoffs, offset_days=feature.offset) if feature.until else None
        if self.table.has(SUPERSEDED):
            replaced = entry(self.instants(SUPERSEDED)[index], self.cutoffs)
            until = replaced if until is None else np.minimum(until, replaced)
        start = np.searchsorted(account, np.arange(self.n_accounts + 1)).astype(np.int64)
        return Rows(index, account, start, at, place, enter, until, in_order=not late and until is None)

    def _in_order(self, time: str | None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the positions of the wanted rows sorted by account and instant, and their accounts."""
        key = time or ""
        if key not in self._sorted:
            at = self.instants(time)
            wanted = np.flatnonzero((self._account >= 0) & (at != MISSING)).astype(np.int64)
            order = np.lexsort((at[wanted], self._account[wanted]))
            index = wanted[order]
            self._sorted[key] = index, self._account[index]
        return self._sorted[key]

    def _passes(self, condition: Filter) -> NDArray[np.bool_]:
        if condition.values:
            codes, texts = self.codes(condition.column)
            wanted = {value.casefold() for value in condition.values}
            good = np.array([text.casefold() in wanted for text in texts] + [False], dtype=bool)
            return good[codes]
        values = self.numbers(condition.column)
        passes = ~np.isnan(values)
        if condition.at_least is not None:
            passes &= values >= condition.at_least
        if condition.below is not None:
            passes &= values < condition.below
        return passes

    def whole_amounts(self, column: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return a number column as whole ten-thousandths, and which rows have a number.

        Raises
        ------
        UsageError
            When the numbers are too large to be summed exactly.
        """
        values = self.numbers(column)
        there = ~np.isnan(values)
        filled = np.where(there, values, 0.0)
        if np.abs(filled).sum() * SCALE >= _LARGEST:
            worst = int(np.abs(filled).argmax())
            where = f"{self.table.name}.{column}, row {worst + 1}: {values[worst]:g}"
            raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
        return np.round(filled * SCALE).astype(np.int64), there

    def days(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
        """Return UTC calendar days as codes, and how many there are."""
        day = at // DAY
        first = int(day.min()) if len(day) else 0
        codes = (day - first).astype(np.int32)
        return codes, int(codes.max(initial=0)) + 1
