"""What follows from the times of rows: how long ago, how long a silence, how regular.

Every routine fills `target` for all pairs, with `empty` where the window `low` to `high` of the list has no row. `now` is the
instant at which the pair's window ends; it is only ever subtracted from.
"""

from __future__ import annotations

import math

from staypower.compiled import jit

__all__ = ["GAPS", "TIMES", "of_gaps", "of_times"]

_DAY = 86_400_000_000
# the operations of each routine
SINCE_LAST, SINCE_FIRST, SILENCE, MEAN_AGE, RATE_SLOPE = range(5)
GAP_MEAN, GAP_SPREAD, GAP_TREND, GAP_QUANTILE = range(4)
TIMES = {
    "days_since_last": SINCE_LAST,
    "days_since_first": SINCE_FIRST,
    "longest_silence": SILENCE,
    "mean_age": MEAN_AGE,
    "rate_slope": RATE_SLOPE,
}
GAPS = {"gap_mean": GAP_MEAN, "gap_spread": GAP_SPREAD, "gap_trend": GAP_TREND, "gap_quantile": GAP_QUANTILE}


@jit
def of_times(operation, high, low, now, window, times, empty, target):  # type: ignore[no-untyped-def]
    """Answer from the instants themselves: one of `TIMES`."""
    for pair in range(len(target)):
        begin = low[pair]
        end = high[pair]
        if begin >= end:
            target[pair] = empty
        elif operation == SINCE_LAST:
            target[pair] = (now[pair] - times[end - 1]) / _DAY
        elif operation == SINCE_FIRST:
            target[pair] = (now[pair] - times[begin]) / _DAY
        elif operation == SILENCE:
            target[pair] = _silence(begin, end, now[pair], times)
        elif operation == MEAN_AGE:
            target[pair] = _mean_age(begin, end, now[pair], times)
        else:
            target[pair] = _rate_slope(begin, end, now[pair], window, times)


@jit
def _silence(begin, end, now, times):  # type: ignore[no-untyped-def]
    longest = now - times[end - 1]
    for j in range(begin + 1, end):
        longest = max(longest, times[j] - times[j - 1])
    return longest / _DAY


@jit
def _mean_age(begin, end, now, times):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(begin, end):
        total += (now - times[j]) / _DAY
    return total / (end - begin)


@jit
def _rate_slope(begin, end, now, window, times):  # type: ignore[no-untyped-def]
    # days of the window are numbered 0 (the last 24 h) to window - 1; all sums are whole numbers
    if window < 2:
        return 0.0
    ages = 0
    for j in range(begin, end):
        ages += (now - 1 - times[j]) // _DAY
    return 30.0 * ((end - begin) * (window - 1) / 2.0 - ages) / (window * (window * window - 1.0) / 12.0)


@jit
def of_gaps(operation, high, low, now, times, rank, day, squares, ranked, empty, target):  # type: ignore[no-untyped-def]
    """Answer from the gaps between successive calendar days with a row (`number_days`): one of `GAPS`."""
    for pair in range(len(target)):
        begin = low[pair]
        end = high[pair]
        found = empty
        if begin < end:
            first = rank[begin]
            last = rank[end - 1]
            # n days have n - 1 gaps
            gaps = last - first
            total = day[last] - day[first]
            if operation == GAP_MEAN:
                if gaps >= 1:
                    found = total / gaps
            elif operation == GAP_SPREAD:
                if gaps >= 2:
                    found = math.sqrt(max(squares[last] - squares[first] - total * total / gaps, 0.0) / (gaps - 1))
            elif operation == GAP_TREND:
                if gaps >= 3:
                    # the first gap of the stretch has the number 0
                    in_order = ranked[last] - ranked[first] - (first + 1) * total
                    found = (in_order - (gaps - 1) / 2.0 * total) / (gaps * (gaps * gaps - 1.0) / 12.0)
            elif gaps >= 2:
                found = _share_shorter(first, last, day, (now[pair] - times[end - 1]) / _DAY) / gaps
        target[pair] = found


@jit
def _share_shorter(first, last, day, present):  # type: ignore[no-untyped-def]
    shorter = 0
    for r in range(first + 1, last + 1):
        shorter += day[r] - day[r - 1] < present
    return shorter
