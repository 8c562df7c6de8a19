"""The rows of a stream as arrays, and the plan of what is computed from them.

Which cutoffs see a row follows from one rule: a row is seen from the first cutoff after everything that a feature reads of it
is known. That is its own time, its place in history, `known_at`, and for each column the time from which the schema says it is
known. So a column that is filled in later can only delay a row, never show it early. From `superseded_at` on, a newer version
of the row takes its place. Features whose rows are placed by the same time are one sequence; in it, those that read the same
rows are one group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.features.definition import Feature, Filter
from staypower.features.kernel import MISSING_AMOUNT, SCALE
from staypower.features.streams.columns import SUPERSEDED
from staypower.hashing import numbers_of_texts
from staypower.tables import LARGEST_SUM, Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MOST_FILTERS",
    "Operation",
    "Output",
    "ReadColumn",
    "RowGroup",
    "SequencePlan",
    "SequencePlanner",
    "StreamRows",
    "account_numbers",
    "plan_sequences",
    "sequence_planners",
    "whole_amounts",
]

# one bit a filter
MOST_FILTERS = 62
_Key = tuple[int, tuple[str, ...], int, tuple[tuple[str, int], ...]]


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
        self._passing: dict[Filter, NDArray[np.bool_]] = {}

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
        with np.errstate(over="ignore"):
            total = sizes.sum()
            total = np.nansum(sizes) if np.isnan(total) else total
        if total >= LARGEST_SUM:
            worst = int(np.nanargmax(sizes))
            where = f"{self.table.name}.{column}, row {worst + 1}: {values[worst]:g}"
            raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
        self._summable.add(column)

    def gates(self, feature: Feature) -> tuple[str, ...]:
        """Name the times, besides the one that places a row, after which it is seen; '' is the row's own time."""
        used = [feature.time, feature.after, feature.weight, *(f.column for f in feature.where)]
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
        if condition not in self._passing:
            wanted, texts = {value.casefold() for value in condition.values}, self.codes(condition.column)[1]
            self._passing[condition] = np.array([text.casefold() in wanted for text in texts] + [False], dtype=bool)
        return self._passing[condition]


@dataclass(frozen=True)
class ReadColumn:
    """A column as the kernel reads it."""

    name: str  # column of the stream
    # numbers of texts; amounts to be summed; numbers; times as days; times as the first cutoff number that knows them; texts
    # as the codes of a feature; contracts as what says when they renew
    kind: str
    feature: str = ""  # the feature whose codes are meant
    weight: str = ""  # the amount of each row that goes with it


@dataclass(frozen=True)
class Output:
    """One feature of an operation."""

    column: int  # the column of the result that it fills
    high: int  # days before the cutoff at which its window ends and begins; `low` None for all of history
    low: int | None  # days before the cutoff at which its window ends and begins; `low` None for all of history
    window: int  # days of the window, 0 for all of history
    empty: float  # the value where there is no row
    ahead: int = 0  # days after the cutoff in which what is announced counts
    reaches_back: bool = False  # whether it is missing where no row lies before the window


@dataclass(frozen=True)
class Operation:
    """Features of a group with the same aggregation and column."""

    aggregation: str
    column: ReadColumn | None
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class RowGroup:
    """Features that read the same rows."""

    bit: int  # the filter that its rows pass, -1 for none
    # the times that must have come before a row is seen, besides the one that places it; '' is the row's own time
    gates: tuple[str, ...]
    gate_days: int  # the days by which the look at these is turned back
    ends: tuple[tuple[str, int], ...]  # the times at which a row stops counting, each with such days
    operations: tuple[Operation, ...]

    @cached_property
    def days(self) -> tuple[int | None, ...]:
        """Its bounds, as days before the cutoff, the earliest first; None is the beginning of all time."""
        outputs = [output for operation in self.operations for output in operation.outputs]
        days = {output.high for output in outputs} | {output.low for output in outputs}
        if any(output.reaches_back for output in outputs):
            days.add(None)
        if any(operation.aggregation == "top_seen_since" for operation in self.operations):
            days.add(0)
        return tuple(sorted(days, key=lambda back: -math.inf if back is None else -back))


@dataclass(frozen=True)
class SequencePlan:
    """What to compute from the rows of one sequence."""

    time: str | None  # the time that places rows in history; None for the stream's own
    filters: tuple[tuple[Filter, ...], ...]  # the conditions behind each bit
    groups: tuple[RowGroup, ...]
    days: tuple[int, ...]  # the bounds: days before the cutoff at which any window ends or begins, ascending
    limits: NDArray[np.int64]  # shape (n_limits,): Every cutoff less the days of every bound, ascending
    bounds: NDArray[np.int64]  # shape (n_bounds, n_cutoffs): Which limit a bound is at each cutoff

    def columns(self, *kinds: str) -> tuple[ReadColumn, ...]:
        """Return the columns of some kinds that are read, each once."""
        read = (operation.column for group in self.groups for operation in group.operations)
        return tuple(dict.fromkeys(column for column in read if column is not None and column.kind in kinds))


def plan_sequences(
    features: Iterable[tuple[int, Feature]], stream: StreamRows, cutoffs: NDArray[np.int64]
) -> list[SequencePlan]:
    """Plan how the features of one stream are computed."""
    return [planner.plan(cutoffs) for planner in sequence_planners(features, stream)]


def sequence_planners(features: Iterable[tuple[int, Feature]], stream: StreamRows) -> list[SequencePlanner]:
    """Divide the features of one stream into sequences, which are planned for some cutoffs then."""
    planners: list[SequencePlanner] = []
    for column, feature in features:
        fitting = (planner for planner in planners if planner.takes(feature))
        planner = next(fitting, None)
        if planner is None:
            planner = SequencePlanner(feature.time, stream)
            planners.append(planner)
        planner.add(column, feature)
    return planners


@dataclass
class SequencePlanner:
    """Collects the features of one sequence."""

    time: str | None
    stream: StreamRows
    filters: dict[tuple[Filter, ...], int] = field(default_factory=dict)
    groups: dict[_Key, dict[tuple[str, ReadColumn | None], list[Output]]] = field(default_factory=dict)

    def takes(self, feature: Feature) -> bool:
        """Say whether a feature belongs here and there is room for its filter."""
        known = not feature.where or feature.where in self.filters
        return feature.time == self.time and (known or len(self.filters) < MOST_FILTERS)

    def add(self, column: int, feature: Feature) -> None:
        """Take a feature, with the column that it fills."""
        bit = self.filters.setdefault(feature.where, len(self.filters)) if feature.where else -1
        gates, ends = self.stream.gates(feature), self.stream.ends(feature)
        # a past state is the one known then, so that exactly one version of it counts
        gate_days = feature.offset if feature.until and gates else 0
        low = None if feature.window is None else feature.offset + feature.window
        days = feature.window or 0
        output = Output(column, feature.offset, low, days, feature.empty, feature.ahead or 0, feature.reaches_back)
        group = self.groups.setdefault((bit, gates, gate_days, ends), {})
        group.setdefault((feature.aggregation, _column_of(feature)), []).append(output)

    def plan(self, cutoffs: NDArray[np.int64]) -> SequencePlan:
        """Plan the sequence for some cutoffs."""
        groups = tuple(
            RowGroup(*key, tuple(Operation(*named, tuple(outputs)) for named, outputs in operations.items()))
            for key, operations in self.groups.items()
        )
        outputs = [output for group in groups for operation in group.operations for output in operation.outputs]
        lows = {output.low for output in outputs if output.low is not None}
        days = sorted({0} | {output.high for output in outputs} | lows)
        ends = np.array([cutoffs - back * DAY for back in days], dtype=np.int64).reshape(len(days), len(cutoffs))
        limits = np.unique(ends)
        return SequencePlan(self.time, tuple(self.filters), groups, tuple(days), limits, np.searchsorted(limits, ends))


def _column_of(feature: Feature) -> ReadColumn | None:
    if feature.column is None:
        return None
    if feature.how.kernel == "distinct":
        return ReadColumn(feature.column, "key")
    if feature.how.kernel == "additive":
        return ReadColumn(feature.column, "amount")
    if feature.aggregation == "unanswered_in_a_row":
        return ReadColumn(feature.column, "entry")
    if feature.how.kernel == "renewal":
        return ReadColumn(feature.column, "renewal", weight=feature.weight or "")
    if feature.how.needs_column == "code":
        return ReadColumn(feature.column, "code", feature.name)
    return ReadColumn(feature.column, "days" if feature.how.needs_column == "time" else "number")
