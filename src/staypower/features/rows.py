"""The rows of a stream as arrays: numbered accounts, instants, codes of texts, numbers; each made once, when first needed.

Which cutoffs see a row follows from one rule: a row is seen from the first cutoff after everything that a feature reads of it
is known. That is its own time, its place in history, `known_at`, and for each column the time from which the schema says it is
known. So a column that is filled in later can only delay a row, never show it early. From `superseded_at` on, a newer version
of the row takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.errors import UsageError
from staypower.features.definition import Feature, Filter
from staypower.features.kernel.counts import MISSING_AMOUNT, SCALE
from staypower.features.streams.columns import SUPERSEDED
from staypower.hashing import numbers_of_texts
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StreamRows", "account_numbers", "whole_amounts"]

_LARGEST = float(np.iinfo(np.int64).max)


def account_numbers(column: pa.ChunkedArray, accounts: pa.Array) -> NDArray[np.int32]:
    """Find each row's account among those wanted.

    >>> account_numbers(pa.chunked_array([["b", "x", "b"]]), pa.array(["a", "b"])).tolist()
    [1, -1, 1]
    """
    if not pa.types.is_dictionary(column.type):
        found = pc.index_in(column.cast(pa.string()), value_set=accounts)
        return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int32)
    numbers, words = numbered(column)
    return np.append(account_numbers(pa.chunked_array([words]), accounts), np.int32(-1))[numbers]


def whole_amounts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn numbers into whole ten-thousandths; missing ones into `MISSING_AMOUNT`.

    >>> whole_amounts(np.array([0.1, -2.00004])).tolist()
    [1000, -20000]
    """
    missing = np.isnan(values)
    if not missing.any():
        return np.rint(values * SCALE).astype(np.int64)
    return np.where(missing, MISSING_AMOUNT, np.rint(np.where(missing, 0.0, values) * SCALE).astype(np.int64))


class StreamRows:
    """A stream with numbered accounts; costly arrays are made once and kept."""

    def __init__(self, table: Table, accounts: pa.Array) -> None:
        self.table = table
        self.n_accounts = len(accounts)
        self.account = account_numbers(table.data.column("account_id"), accounts)
        self._instants: dict[str, NDArray[np.int64]] = {}
        self._codes: dict[str, tuple[NDArray[np.int32], list[str]]] = {}
        self._keys: dict[str, NDArray[np.int64]] = {}
        self._numbers: dict[str, NDArray[np.float64] | NDArray[np.bool_]] = {}
        self._summable: set[str] = set()

    def instants(self, column: str | None) -> NDArray[np.int64]:
        """Return a time column, or the row's own time, as instants."""
        key = column or ""
        if key not in self._instants:
            self._instants[key] = self.table.own_instants() if column is None else self.table.instants(column)
        return self._instants[key]

    def codes(self, column: str) -> tuple[NDArray[np.int32], list[str]]:
        """Return a text column as codes (missing: -1) and the texts they stand for."""
        if column not in self._codes:
            codes, words = numbered(self.table.data.column(column))
            self._codes[column] = codes, words.to_pylist()
        return self._codes[column]

    def keys(self, column: str) -> NDArray[np.int64]:
        """Return numbers that are equal where the texts of a column are (missing: negative)."""
        if column not in self._keys:
            self._keys[column] = numbers_of_texts(self.table.data.column(column).cast(pa.string()))
        return self._keys[column]

    def is_numbered(self, column: str) -> bool:
        """Say whether the texts of a column are numbered already, so that their codes are the better keys."""
        return column in self._codes or pa.types.is_dictionary(self.table.data.column(column).type)

    def numbers(self, column: str) -> NDArray[np.float64] | NDArray[np.bool_]:
        """Return a number column, missing as NaN; flags without a missing one as they are, which take an eighth of the room."""
        if column not in self._numbers:
            values = self.table.data.column(column)
            flags = pa.types.is_boolean(values.type) and not values.null_count
            self._numbers[column] = np.asarray(values.to_numpy()) if flags else self.table.numbers(column)
        return self._numbers[column]

    def refuse_large(self, column: str) -> None:
        """Refuse numbers that are too large to be summed exactly."""
        if column in self._summable:
            return
        values = self.numbers(column)
        if values.dtype == np.bool_:
            return
        sizes = np.abs(values)
        total = sizes.sum()
        if (np.nansum(sizes) if np.isnan(total) else total) * SCALE >= _LARGEST:
            worst = int(np.nanargmax(sizes))
            where = f"{self.table.name}.{column}, row {worst + 1}: {values[worst]:g}"
            raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
        self._summable.add(column)

    def gates(self, feature: Feature) -> tuple[str, ...]:
        """Name the times, besides the one that places a row, after which it is seen; '' is the row's own time."""
        used = [feature.time, feature.after, *(f.column for f in feature.where)]
        if feature.aggregation != "unanswered_in_a_row":
            used.append(feature.column)
        # the row itself must have come, whichever of its times places it
        known = {self._known_from(name) for name in used if name} | {""}
        if self.table.has("known_at"):
            known.add("known_at")
        return tuple(sorted(known - {feature.time or ""}))

    def ends(self, feature: Feature) -> tuple[tuple[str, int], ...]:
        """Name the times at which a row stops counting, each with the days by which the look at it is turned back."""
        ends = [(feature.until, feature.offset)] if feature.until else []
        return (*ends, *([(SUPERSEDED, 0)] if self.table.has(SUPERSEDED) else []))

    def _known_from(self, name: str) -> str:
        column = self.table.schema.column(name)
        return (column.known_from if column is not None else None) or ""

    def passing(self, condition: Filter) -> NDArray[np.bool_]:
        """Say which texts of a column pass, whatever their case; the last entry is for missing texts."""
        wanted = {value.casefold() for value in condition.values}
        return np.array([text.casefold() in wanted for text in self.codes(condition.column)[1]] + [False], dtype=bool)
