"""From declarations to work lists: which features read the same rows, and which columns each of them needs.

Features of one stream whose rows are placed in history by the same time share a *sequence*: its rows are sorted once. Within
it, features with the same filters and the same times of becoming known form a *group*, which lists its rows once; and within a
group, features with the same aggregation and column form an *operation*, which differs from window to window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY
from staypower.features.definition import Feature, Filter
from staypower.features.rows import StreamRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_FILTERS", "RowGroup", "Operation", "Output", "ReadColumn", "SequencePlan", "plan_sequences"]

# one bit a filter
MOST_FILTERS = 62


@dataclass(frozen=True)
class ReadColumn:
    """A column as the kernel reads it.

    >>> ReadColumn("user_id", "key").feature
    ''
    """

    name: str  # column of the stream
    # numbers of texts; amounts to be summed; numbers; times as days; times as the first cutoff number that knows them; texts
    # as the codes learned for a feature
    kind: str
    feature: str = ""  # the feature whose codes are meant


@dataclass(frozen=True)
class Output:
    """One feature of an operation.

    >>> Output(0, 0, 28, 28, 0.0).low
    28
    """

    column: int  # the column of the result that it fills
    high: int  # days before the cutoff at which its window ends and begins; `low` None for all of history
    low: int | None  # days before the cutoff at which its window ends and begins; `low` None for all of history
    window: int  # days of the window, 0 for all of history
    empty: float  # the value where there is no row


@dataclass(frozen=True)
class Operation:
    """Features of a group with the same aggregation and column.

    >>> Operation("count", None, ()).aggregation
    'count'
    """

    aggregation: str
    column: ReadColumn | None
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class RowGroup:
    """Features that read the same rows.

    >>> RowGroup(-1, (), 0, (), (Operation("count", None, (Output(0, 0, 28, 28, 0.0), Output(1, 28, None, 0, 0.0))),)).days
    (None, 28, 0)
    """

    bit: int  # the filter that its rows pass, -1 for none
    # the times that must have come before a row is seen, besides the one that places it; '' is the row's own time
    gates: tuple[str, ...]
    gate_days: int  # the days by which the look at these is turned back
    ends: tuple[tuple[str, int], ...]  # the times at which a row stops counting, each with such days
    operations: tuple[Operation, ...]

    @property
    def days(self) -> tuple[int | None, ...]:
        """Its bounds, as days before the cutoff, the earliest first; None is the beginning of all time."""
        outputs = [output for operation in self.operations for output in operation.outputs]
        days = {output.high for output in outputs} | {output.low for output in outputs}
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
    planners: list[_SequencePlanner] = []
    for column, feature in features:
        fitting = (planner for planner in planners if planner.takes(feature))
        planner = next(fitting, None)
        if planner is None:
            planner = _SequencePlanner(feature.time, stream)
            planners.append(planner)
        planner.add(column, feature)
    return [planner.plan(cutoffs) for planner in planners]


@dataclass
class _SequencePlanner:
    """Collects the features of one sequence."""

    time: str | None
    stream: StreamRows
    filters: dict[tuple[Filter, ...], int] = field(default_factory=dict)
    groups: dict[_Key, dict[tuple[str, ReadColumn | None], list[Output]]] = field(default_factory=dict)

    def takes(self, feature: Feature) -> bool:
        known = not feature.where or feature.where in self.filters
        return feature.time == self.time and (known or len(self.filters) < MOST_FILTERS)

    def add(self, column: int, feature: Feature) -> None:
        bit = self.filters.setdefault(feature.where, len(self.filters)) if feature.where else -1
        gates, ends = self.stream.gates(feature), self.stream.ends(feature)
        # a past state is the one known then, so that exactly one version of it counts
        gate_days = feature.offset if feature.until and gates else 0
        low = None if feature.window is None else feature.offset + feature.window
        output = Output(column, feature.offset, low, feature.window or 0, feature.empty)
        group = self.groups.setdefault((bit, gates, gate_days, ends), {})
        group.setdefault((feature.aggregation, _column_of(feature)), []).append(output)

    def plan(self, cutoffs: NDArray[np.int64]) -> SequencePlan:
        groups = tuple(
            RowGroup(*key, tuple(Operation(*named, tuple(outputs)) for named, outputs in operations.items()))
            for key, operations in self.groups.items()
        )
        outputs = [output for group in groups for operation in group.operations for output in operation.outputs]
        days = sorted({output.high for output in outputs} | {output.low for output in outputs if output.low is not None})
        ends = np.array([cutoffs - back * DAY for back in days], dtype=np.int64).reshape(len(days), len(cutoffs))
        limits = np.unique(ends)
        return SequencePlan(self.time, tuple(self.filters), groups, tuple(days), limits, np.searchsorted(limits, ends))


_Key = tuple[int, tuple[str, ...], int, tuple[tuple[str, int], ...]]


def _column_of(feature: Feature) -> ReadColumn | None:
    if feature.column is None:
        return None
    if feature.how.kernel == "distinct":
        return ReadColumn(feature.column, "key")
    if feature.how.kernel == "additive":
        return ReadColumn(feature.column, "amount")
    if feature.aggregation == "unanswered_in_a_row":
        return ReadColumn(feature.column, "entry")
    if feature.how.needs_column == "code":
        return ReadColumn(feature.column, "code", feature.name)
    return ReadColumn(feature.column, "days" if feature.how.needs_column == "time" else "number")
