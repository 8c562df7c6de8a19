"""Which routine of the kernel answers for which aggregation, and what it has to be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staypower.cutoffs import DAY
from staypower.features.kernel import counts, stretches, values
from staypower.features.kernel.operations import EXTREMES, GAPS, TIMES
from staypower.features.programs import Operation, Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from staypower.features.parts import Listed

__all__ = ["ANSWERED", "answer"]

_LAST = ("last", "last_code", "days_until_last")
# every aggregation that the kernel knows
ANSWERED = frozenset(
    {"count", "sum", "mean", "distinct", "active_days", "spread", "trend", "unanswered_in_a_row"}
    | {*_LAST, *EXTREMES, *GAPS, *TIMES}
)


def answer(operation: Operation, listed: Listed, target: NDArray[np.float64]) -> None:
    """Compute the features of one operation."""
    prepared = _prepare(operation, listed)
    for output in operation.outputs:
        _answer_one(operation.aggregation, output, listed, prepared, target[output.column])


def _prepare(operation: Operation, listed: Listed) -> tuple[Any, ...]:
    """Make what the windows of an operation have in common."""
    column = operation.column
    if operation.aggregation == "active_days" or operation.aggregation in GAPS:
        return listed.days
    if column is None:
        return ()
    if column.kind == "key":
        return (listed.previous(column),)
    return listed.sums(column) if column.kind == "amount" else (listed.values(column),)


def _answer_one(how: str, output: Output, listed: Listed, prepared: tuple[Any, ...], target: NDArray[np.float64]) -> None:
    high, low, empty = listed.ends[output.high], listed.ends[output.low], output.empty
    if how == "count":
        counts.count_rows(high, low, target)
    elif how == "sum":
        counts.take_sums(high, low, prepared[0], target)
    elif how == "mean":
        sums, there = prepared
        counts.take_means(high, low, sums, there, empty, target)
    elif how == "distinct":
        counts.count_different(high, low, prepared[0], target)
    elif how == "active_days":
        counts.count_days(high, low, prepared[0], target)
    elif how in GAPS:
        now, (rank, day, squares, ranked) = listed.now(output.high), prepared
        stretches.of_gaps(GAPS[how], high, low, now, listed.times, rank, day, squares, ranked, empty, target)
    elif how in TIMES:
        now = listed.now(output.high)
        stretches.of_times(TIMES[how], high, low, now, output.window, listed.times, empty, target)
    else:
        _answer_from_values(how, output, listed, prepared[0], target)


def _answer_from_values(
    how: str, output: Output, listed: Listed, read: NDArray[np.float64], target: NDArray[np.float64]
) -> None:
    high, low, empty = listed.ends[output.high], listed.ends[output.low], output.empty
    if how in _LAST:
        values.take_last(high, low, listed.times, read, empty, target)
    elif how in EXTREMES:
        values.take_extremes(EXTREMES[how], high, low, read, empty, target)
    elif how == "spread":
        values.take_spreads(high, low, read, empty, target)
    elif how == "trend":
        values.take_trends(high, low, listed.now(output.high), listed.times, read, empty, target)
    else:
        values.count_unanswered(high, low, listed.cutoff, read, target)
    if how.startswith("days_until"):
        target -= listed.now(output.high) / DAY
