"""What depends on the values of rows and their order.

Every routine fills `target` for all pairs, with `empty` where the window `low` to `high` of the list has no row. No answer
depends on the order in which rows of one instant were given.
"""

from __future__ import annotations

import math

from staypower.compiled import jit

__all__ = ["EXTREMES", "count_unanswered", "list_values", "take_extremes", "take_last", "take_spreads", "take_trends"]

_DAY = 86_400_000_000
SMALLEST, LARGEST = range(2)
EXTREMES = {"minimum": SMALLEST, "maximum": LARGEST, "days_until_next": SMALLEST}


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
        # plus zero: of 0 and -0, which are equal, the first given would win
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
    """Take the latest value that is there; of several at one instant the smallest."""
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
    """Take the standard deviation (n - 1) of the values that are there."""
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
    """Take the slope of the least-squares line through the values that are there, per 30 days."""
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
        # of one instant the answered stand first
        for j in range(high[pair] - 1, low[pair] - 1, -1):
            if values[j] <= cutoff[pair]:
                break
            n += 1
        target[pair] = n
