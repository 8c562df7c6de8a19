"""The compiled routines that turn the rows of a window into a number, for every account and every cutoff at once.

They see arrays only: rows sorted by account and instant, as `row_lists` lists them. Every routine fills `target` for all pairs
of account and cutoff, with `empty` where the window has no row: `high` and `low` say where in the list the rows before the end
and before the beginning of the window end, `now` is the instant at which it ends. Most are differences of running counts and
sums, else short walks over a stretch, so that fifty cutoffs cost little more than one. No answer depends on the order in which
rows of one instant were given.
"""

from __future__ import annotations

import math

import numpy as np

from staypower.compiled import jit

__all__ = [
    "COMBINED",
    "EXTREMES",
    "GAPS",
    "MISSING_AMOUNT",
    "SCALE",
    "TIMES",
    "combine_lines",
    "count_days",
    "count_rows",
    "count_unanswered",
    "list_values",
    "of_gaps",
    "of_times",
    "run_sums",
    "take_extremes",
    "take_last",
    "take_means",
    "take_spreads",
    "take_sums",
    "take_trends",
]

_DAY = 86_400_000_000
SMALLEST, LARGEST = range(2)
EXTREMES = {"minimum": SMALLEST, "maximum": LARGEST, "days_until_next": SMALLEST}
# sums are made of whole ten-thousandths: exact, whatever is added and taken out
SCALE = 10_000
# an amount that is missing
MISSING_AMOUNT = int(np.iinfo(np.int64).min)
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
RATIO, CHANGE, DIFFERENCE, BOTH_FALL, IS_BEFORE = range(5)
COMBINED = {"ratio": RATIO, "change": CHANGE, "difference": DIFFERENCE, "both_fall": BOTH_FALL, "is_before": IS_BEFORE}
GAPS = {"gap_mean": GAP_MEAN, "gap_spread": GAP_SPREAD, "gap_trend": GAP_TREND, "gap_quantile": GAP_QUANTILE}


@jit
def list_values(n, values, times, position, owner, listed):  # type: ignore[no-untyped-def]
    """List the values of listed rows, those of one owner at one instant by size, missing ones last.

    >>> import numpy as np
    >>> listed, row = np.zeros(3), np.arange(3, dtype=np.int32)
    >>> list_values(3, np.array([1.0, np.nan, 0.0]), np.array([5, 7, 7]), row, np.zeros(3, dtype=np.int32), listed)
    >>> listed.tolist()
    [1.0, 0.0, nan]
    """
    begin = 0
    for j in range(n):
        # plus zero turns -0 into 0; they are equal, so the first given would win
        listed[j] = values[position[j]] + 0.0
        if times[j] != times[begin] or owner[j] != owner[begin]:
            if j - begin > 1:
                _sort(listed, begin, j)
            begin = j
    if n - begin > 1:
        _sort(listed, begin, n)


@jit
def _sort(listed, begin, end):  # type: ignore[no-untyped-def]
    gap = 1
    while gap < (end - begin) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(begin + gap, end):
            value = listed[i]
            j = i
            while j - gap >= begin and (listed[j - gap] > value or (math.isnan(listed[j - gap]) and not math.isnan(value))):
                listed[j] = listed[j - gap]
                j -= gap
            listed[j] = value
        gap //= 3


@jit
def take_extremes(operation, high, low, values, empty, target):  # type: ignore[no-untyped-def]
    """Take the smallest or the largest value: one of `EXTREMES`."""
    for pair in range(len(target)):
        found = empty
        for j in range(low[pair], high[pair]):
            value = values[j]
            if math.isnan(found) or (value < found if operation == SMALLEST else value > found):
                found = value
        target[pair] = found


@jit
def take_last(high, low, times, values, empty, target):  # type: ignore[no-untyped-def]
    """Take the latest value; of several at one instant the smallest."""
    for pair in range(len(target)):
        found = empty
        when = 0
        for j in range(high[pair] - 1, low[pair] - 1, -1):
            if math.isnan(values[j]):
                continue
            if not math.isnan(found) and times[j] < when:
                break
            found = values[j]
            when = times[j]
        target[pair] = found


@jit
def take_spreads(high, low, values, empty, target):  # type: ignore[no-untyped-def]
    """Take the standard deviation (n - 1) of the values."""
    for pair in range(len(target)):
        n = 0
        total = 0.0
        for j in range(low[pair], high[pair]):
            if not math.isnan(values[j]):
                n += 1
                total += values[j]
        if n < 2:
            target[pair] = empty
            continue
        mean = total / n
        squares = 0.0
        for j in range(low[pair], high[pair]):
            if not math.isnan(values[j]):
                squares += (values[j] - mean) ** 2
        target[pair] = math.sqrt(squares / (n - 1))


@jit
def take_trends(high, low, now, times, values, empty, target):  # type: ignore[no-untyped-def]
    """Take the slope of the least-squares line through the values, per 30 days."""
    for pair in range(len(target)):
        target[pair] = _trend(low[pair], high[pair], now[pair], times, values, empty)


@jit
def _trend(begin, end, now, times, values, empty):  # type: ignore[no-untyped-def]
    n = 0
    days = 0.0
    total = 0.0
    for j in range(begin, end):
        if not math.isnan(values[j]):
            n += 1
            days += (times[j] - now) / _DAY
            total += values[j]
    if n < 3:
        return empty
    mean_day = days / n
    mean = total / n
    above = 0.0
    below = 0.0
    for j in range(begin, end):
        if not math.isnan(values[j]):
            x = (times[j] - now) / _DAY - mean_day
            above += x * (values[j] - mean)
            below += x * x
    if below == 0.0:
        return empty
    return 30.0 * above / below


@jit
def count_unanswered(high, low, cutoff, values, target):  # type: ignore[no-untyped-def]
    """Count the latest rows, backwards, whose answer is not known: `values` are the first cutoff numbers that know it."""
    for pair in range(len(target)):
        n = 0
        # of one instant, answered rows come first
        for j in range(high[pair] - 1, low[pair] - 1, -1):
            if values[j] <= cutoff[pair]:
                break
            n += 1
        target[pair] = n


@jit
def count_rows(high, low, target):  # type: ignore[no-untyped-def]
    """Count rows."""
    for pair in range(len(target)):
        target[pair] = high[pair] - low[pair]


@jit
def run_sums(n, amounts, position, sums, counts):  # type: ignore[no-untyped-def]
    """Add up the amounts of listed rows and count the recorded ones; entry `j` is that of the first `j` rows.

    >>> sums, counts = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int32)
    >>> run_sums(2, np.array([7, MISSING_AMOUNT]), np.arange(2, dtype=np.int32), sums, counts)
    >>> sums.tolist(), counts.tolist()
    ([0, 7, 7], [0, 1, 1])
    """
    total = 0
    there = 0
    sums[0] = 0
    counts[0] = 0
    for j in range(n):
        amount = amounts[position[j]]
        if amount != MISSING_AMOUNT:
            total += amount
            there += 1
        sums[j + 1] = total
        counts[j + 1] = there


@jit
def take_sums(high, low, sums, target):  # type: ignore[no-untyped-def]
    """Sum amounts."""
    for pair in range(len(target)):
        target[pair] = (sums[np.uint64(high[pair])] - sums[np.uint64(low[pair])]) / SCALE


@jit
def take_means(high, low, sums, counts, empty, target):  # type: ignore[no-untyped-def]
    """Take the mean of the recorded amounts."""
    for pair in range(len(target)):
        end = np.uint64(high[pair])
        begin = np.uint64(low[pair])
        there = counts[end] - counts[begin]
        target[pair] = (sums[end] - sums[begin]) / SCALE / there if there > 0 else empty


@jit
def count_days(high, low, rank, target):  # type: ignore[no-untyped-def]
    """Count different UTC calendar days, numbered by `row_lists.number_days`."""
    for pair in range(len(target)):
        if low[pair] < high[pair]:
            target[pair] = rank[np.uint64(high[pair] - 1)] - rank[np.uint64(low[pair])] + 1
        else:
            target[pair] = 0


@jit
def of_times(operation, high, low, now, window, times, empty, target):  # type: ignore[no-untyped-def]
    """Compute one of `TIMES` from the instants."""
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
    """Compute one of `GAPS` from the gaps between successive calendar days with a row (`number_days`)."""
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


@jit
def combine_lines(operation, first, second, target):  # type: ignore[no-untyped-def]
    """Combine two features by one of `COMBINED`; if either is missing, so is the result.

    >>> import numpy as np
    >>> target = np.zeros(2)
    >>> combine_lines(CHANGE, np.array([3.0, 0.0]), np.array([1.0, 0.0]), target)
    >>> target.tolist()
    [0.5, 0.0]
    """
    for i in range(len(target)):
        one = first[i]
        other = second[i]
        if operation == RATIO:
            target[i] = one / (other if other != 0.0 else math.nan)
        elif operation == CHANGE:
            total = abs(one) + abs(other)
            # plus zero: what is nothing and stays nothing has no sign
            target[i] = (one - other) / (total if total != 0.0 else 1.0) + 0.0
        elif operation == DIFFERENCE:
            target[i] = one - other
        elif math.isnan(one) or math.isnan(other):
            target[i] = math.nan
        elif operation == BOTH_FALL:
            target[i] = max(min(-one, -other), 0.0)
        else:
            target[i] = 1.0 if one < other else 0.0
