"""The compiled routines that turn rows into numbers for every account and every cutoff at once.

They see arrays only: rows sorted by account and by instant, and for each row the run of cutoff numbers `[enter, leave)`
that see it. Which cutoffs those are is decided elsewhere; nothing here compares a time with a cutoff.

- `additive`: a row is added at the first cutoff that sees it and taken out at the first that no longer does (a difference
  array), so the cost does not grow with the number of cutoffs. Amounts are integers, so nothing is lost by taking out.
- `distinct`: each row adds only the part of its run that no earlier row with the same code covers.
- `distinct_by_pass`: the same when rows become visible in another order than they happened.
- `ordered`: what depends on order walks the visible rows of each cutoff between two pointers that only move forward.
"""

from __future__ import annotations

import math

import numpy as np

from staypower.compiled import jit

__all__ = ["OPERATIONS", "additive", "distinct", "distinct_by_pass", "ordered"]

_MINIMUM, _MAXIMUM, _LAST, _SPREAD, _TREND, _SINCE_LAST, _SINCE_FIRST, _SILENCE = range(8)
_GAP_MEAN, _GAP_SPREAD, _GAP_TREND, _GAP_QUANTILE, _UNANSWERED, _UNTIL_NEXT, _UNTIL_LAST, _MEAN_AGE = range(8, 16)
_RATE_SLOPE = 16

OPERATIONS = {
    "minimum": _MINIMUM,
    "maximum": _MAXIMUM,
    "last": _LAST,
    "last_code": _LAST,
    "spread": _SPREAD,
    "trend": _TREND,
    "days_since_last": _SINCE_LAST,
    "days_since_first": _SINCE_FIRST,
    "longest_silence": _SILENCE,
    "gap_mean": _GAP_MEAN,
    "gap_spread": _GAP_SPREAD,
    "gap_trend": _GAP_TREND,
    "gap_quantile": _GAP_QUANTILE,
    "unanswered_in_a_row": _UNANSWERED,
    "days_until_next": _UNTIL_NEXT,
    "days_until_last": _UNTIL_LAST,
    "mean_age": _MEAN_AGE,
    "rate_slope": _RATE_SLOPE,
}

_DAY = 86_400_000_000


@jit
def additive(account, enter, leave, amount, n_accounts, n_cutoffs):  # type: ignore[no-untyped-def]
    """Sum integer amounts over the rows that each cutoff sees.

    Parameters
    ----------
    account : array of int32, shape (n,)
        Account number of each row, any order.
    enter, leave : array of int32, shape (n,)
        The run of cutoff numbers that see the row.
    amount : array of int64, shape (n,)
    n_accounts, n_cutoffs : int

    Returns
    -------
    array of int64, shape (n_accounts, n_cutoffs)

    Examples
    --------
    >>> run = np.array([0], dtype=np.int32), np.array([2], dtype=np.int32)
    >>> additive(np.array([0], dtype=np.int32), *run, np.array([5]), 1, 3).tolist()
    [[5, 5, 0]]
    """
    change = np.zeros((n_accounts, n_cutoffs + 1), dtype=np.int64)
    for i in range(len(account)):
        if enter[i] < leave[i]:
            change[account[i], enter[i]] += amount[i]
            change[account[i], leave[i]] -= amount[i]
    for a in range(n_accounts):
        for k in range(1, n_cutoffs):
            change[a, k] += change[a, k - 1]
    return change[:, :n_cutoffs]


@jit
def distinct(start, code, enter, leave, n_codes, n_cutoffs):  # type: ignore[no-untyped-def]
    """Count different codes among the rows that each cutoff sees, rows entering and leaving in order.

    Parameters
    ----------
    start : array of int64, shape (n_accounts + 1,)
        Rows `start[a]` to `start[a + 1]` belong to account `a`.
    code : array of int32, shape (n,)
        At least 0; negative is missing and not counted.
    enter, leave : array of int32, shape (n,)
        Neither falls from one row of an account to the next.
    n_codes, n_cutoffs : int

    Returns
    -------
    array of int64, shape (n_accounts, n_cutoffs)

    Examples
    --------
    >>> zero = np.zeros(2, dtype=np.int32)
    >>> distinct(np.array([0, 2]), zero, zero, np.array([1, 2], dtype=np.int32), 1, 2).tolist()
    [[1, 1]]
    """
    n_accounts = len(start) - 1
    change = np.zeros((n_accounts, n_cutoffs + 1), dtype=np.int64)
    covered = np.zeros(n_codes, dtype=np.int32)
    owner = np.full(n_codes, -1, dtype=np.int64)
    for a in range(n_accounts):
        for i in range(start[a], start[a + 1]):
            c = code[i]
            if c < 0 or enter[i] >= leave[i]:
                continue
            if owner[c] != a:
                owner[c] = a
                covered[c] = 0
            first = max(enter[i], covered[c])
            if first < leave[i]:
                change[a, first] += 1
                change[a, leave[i]] -= 1
                covered[c] = leave[i]
        for k in range(1, n_cutoffs):
            change[a, k] += change[a, k - 1]
    return change[:, :n_cutoffs]


@jit
def distinct_by_pass(start, code, enter, leave, n_codes, n_cutoffs):  # type: ignore[no-untyped-def]
    """Count different codes where rows become visible in another order than they happened; as `distinct`.

    Examples
    --------
    >>> runs = np.array([1, 0], dtype=np.int32), np.array([2, 2], dtype=np.int32)
    >>> distinct_by_pass(np.array([0, 2]), np.zeros(2, dtype=np.int32), *runs, 1, 2).tolist()
    [[1, 1]]
    """
    n_accounts = len(start) - 1
    found = np.zeros((n_accounts, n_cutoffs), dtype=np.int64)
    seen = np.full(n_codes, -1, dtype=np.int64)
    for a in range(n_accounts):
        for k in range(n_cutoffs):
            mark = a * n_cutoffs + k
            for i in range(start[a], start[a + 1]):
                c = code[i]
                if c >= 0 and enter[i] <= k < leave[i] and seen[c] != mark:
                    seen[c] = mark
                    found[a, k] += 1
    return found


@jit
def _of_values(operation, low, high, k, at, enter, leave, value):  # type: ignore[no-untyped-def]
    found = math.nan
    for i in range(low, high):
        x = value[i]
        if enter[i] > k or leave[i] <= k or math.isnan(x):
            continue
        if math.isnan(found) or (operation == _MINIMUM and x < found) or (operation == _MAXIMUM and x > found):
            found = x
    return found


@jit
def _last_value(low, high, k, at, enter, leave, value):  # type: ignore[no-untyped-def]
    found = math.nan
    when = 0
    for i in range(high - 1, low - 1, -1):
        x = value[i]
        if enter[i] > k or leave[i] <= k or math.isnan(x):
            continue
        if math.isnan(found):
            found = x
            when = at[i]
        elif at[i] < when:
            break
        elif x < found:
            found = x
    return found


@jit
def _spread(low, high, k, enter, leave, value):  # type: ignore[no-untyped-def]
    n = 0
    total = 0.0
    for i in range(low, high):
        if enter[i] <= k < leave[i] and not math.isnan(value[i]):
            n += 1
            total += value[i]
    if n < 2:
        return math.nan
    mean = total / n
    squares = 0.0
    for i in range(low, high):
        if enter[i] <= k < leave[i] and not math.isnan(value[i]):
            squares += (value[i] - mean) ** 2
    return math.sqrt(squares / (n - 1))


@jit
def _trend(low, high, k, cutoff, at, enter, leave, value):  # type: ignore[no-untyped-def]
    n = 0
    days = 0.0
    total = 0.0
    for i in range(low, high):
        if enter[i] <= k < leave[i] and not math.isnan(value[i]):
            n += 1
            days += (at[i] - cutoff) / _DAY
            total += value[i]
    if n < 3:
        return math.nan
    mean_day = days / n
    mean = total / n
    above = 0.0
    below = 0.0
    for i in range(low, high):
        if enter[i] <= k < leave[i] and not math.isnan(value[i]):
            x = (at[i] - cutoff) / _DAY - mean_day
            above += x * (value[i] - mean)
            below += x * x
    if below == 0.0:
        return math.nan
    return 30.0 * above / below


@jit
def _latest_and_earliest(operation, low, high, k, cutoff, at, enter, leave):  # type: ignore[no-untyped-def]
    if operation == _SINCE_LAST:
        for i in range(high - 1, low - 1, -1):
            if enter[i] <= k < leave[i]:
                return (cutoff - at[i]) / _DAY
        return math.nan
    n = 0
    total = 0.0
    longest = 0
    previous = 0
    for i in range(low, high):
        if enter[i] <= k < leave[i]:
            if operation == _SINCE_FIRST:
                return (cutoff - at[i]) / _DAY
            if n > 0:
                longest = max(longest, at[i] - previous)
            previous = at[i]
            total += (cutoff - at[i]) / _DAY
            n += 1
    if n == 0:
        return math.nan
    if operation == _MEAN_AGE:
        return total / n
    return max(longest, cutoff - previous) / _DAY


@jit
def _gaps(operation, low, high, k, cutoff, at, enter, leave):  # type: ignore[no-untyped-def]
    # successive calendar days with a row; n days have n - 1 gaps
    n = 0
    first = 0
    last = 0
    latest = 0
    squares = 0.0
    ranked = 0.0
    total = 0.0
    for i in range(low, high):
        if enter[i] <= k < leave[i]:
            day = at[i] // _DAY
            latest = at[i]
            if n == 0:
                first = day
                n = 1
            elif day > last:
                gap = float(day - last)
                squares += gap * gap
                ranked += gap * (n - 1)
                total += gap
                n += 1
            last = day
    gaps = n - 1
    if operation == _GAP_MEAN:
        return math.nan if gaps < 1 else (last - first) / gaps
    if operation == _GAP_SPREAD:
        return math.nan if gaps < 2 else math.sqrt(max(squares - total * total / gaps, 0.0) / (gaps - 1))
    if operation == _GAP_TREND:
        if gaps < 3:
            return math.nan
        middle = (gaps - 1) / 2.0
        return (ranked - middle * total) / (gaps * (gaps * gaps - 1.0) / 12.0)
    if gaps < 2:
        return math.nan
    return _share_shorter(low, high, k, (cutoff - latest) / _DAY, gaps, at, enter, leave)


@jit
def _share_shorter(low, high, k, present, gaps, at, enter, leave):  # type: ignore[no-untyped-def]
    shorter = 0
    seen = False
    last = 0
    for i in range(low, high):
        if enter[i] <= k < leave[i]:
            day = at[i] // _DAY
            if seen and day > last and day - last < present:
                shorter += 1
            seen = True
            last = day
    return shorter / gaps


@jit
def _of_times(operation, low, high, k, cutoff, enter, leave, value, at):  # type: ignore[no-untyped-def]
    if operation == _UNTIL_LAST:
        found = _last_value(low, high, k, at, enter, leave, value)
    else:
        found = _of_values(_MINIMUM, low, high, k, at, enter, leave, value)
    return found - cutoff / _DAY


@jit
def _unanswered(low, high, k, enter, leave, value):  # type: ignore[no-untyped-def]
    # here the value is the number of the first cutoff that knows the second time
    n = 0
    for i in range(high - 1, low - 1, -1):
        if enter[i] > k or leave[i] <= k:
            continue
        if value[i] <= k:
            break
        n += 1
    return float(n)


@jit
def _rate_slope(low, high, k, cutoff, window, at, enter, leave):  # type: ignore[no-untyped-def]
    # days of the window are numbered 0 (the last 24 h) to window - 1; all sums are whole numbers
    n = 0
    ages = 0
    for i in range(low, high):
        if enter[i] <= k < leave[i]:
            n += 1
            ages += (cutoff - 1 - at[i]) // _DAY
    if window < 2:
        return 0.0
    return 30.0 * (n * (window - 1) / 2.0 - ages) / (window * (window * window - 1.0) / 12.0)


@jit
def ordered(operation, start, at, place, enter, leave, value, cutoffs, empty, window):  # type: ignore[no-untyped-def]
    """Compute what depends on the order of rows, or on values that cannot be taken out again.

    Parameters
    ----------
    operation : int
        One of the values of `OPERATIONS`.
    start : array of int64, shape (n_accounts + 1,)
        Rows `start[a]` to `start[a + 1]` belong to account `a`, sorted by `at`.
    at : array of int64, shape (n,)
        Instant of each row.
    place : array of int32, shape (n,)
        First cutoff number that lies after `at`; never falls within an account.
    enter, leave : array of int32, shape (n,)
        The run of cutoff numbers that see the row; `enter >= place`.
    value : array of float64, shape (n,)
        Numbers; days since 1970 for times; for `unanswered_in_a_row` the first cutoff number that knows the answer.
    cutoffs : array of int64, shape (k,)
        Only ever subtracted from.
    empty : float
        The value where no row is seen.
    window : int
        Days of the window, 0 for all of history; only `rate_slope` looks at it.

    Returns
    -------
    array of float64, shape (n_accounts, k)

    Examples
    --------
    >>> number = np.array([0, 1], dtype=np.int32)
    >>> ordered(OPERATIONS["maximum"], np.array([0, 2]), np.array([0, 10]), number, number,
    ...         np.array([2, 2], dtype=np.int32), np.array([3.0, 1.0]), np.array([5, 15]), np.nan, 0).tolist()
    [[3.0, 3.0]]
    """
    n_accounts = len(start) - 1
    n_cutoffs = len(cutoffs)
    out = np.full((n_accounts, n_cutoffs), empty)
    for a in range(n_accounts):
        low = start[a]
        high = low
        end = start[a + 1]
        for k in range(n_cutoffs):
            while high < end and place[high] <= k:
                high += 1
            while low < high and leave[low] <= k:
                low += 1
            if low == high:
                continue
            if operation == _LAST:
                out[a, k] = _last_value(low, high, k, at, enter, leave, value)
            elif operation <= _MAXIMUM:
                out[a, k] = _of_values(operation, low, high, k, at, enter, leave, value)
            elif operation == _SPREAD:
                out[a, k] = _spread(low, high, k, enter, leave, value)
            elif operation == _TREND:
                out[a, k] = _trend(low, high, k, cutoffs[k], at, enter, leave, value)
            elif operation == _RATE_SLOPE:
                out[a, k] = _rate_slope(low, high, k, cutoffs[k], window, at, enter, leave)
            elif operation == _UNANSWERED:
                out[a, k] = _unanswered(low, high, k, enter, leave, value)
            elif _UNTIL_NEXT <= operation <= _UNTIL_LAST:
                out[a, k] = _of_times(operation, low, high, k, cutoffs[k], enter, leave, value, at)
            elif _GAP_MEAN <= operation <= _GAP_QUANTILE:
                out[a, k] = _gaps(operation, low, high, k, cutoffs[k], at, enter, leave)
            else:
                out[a, k] = _latest_and_earliest(operation, low, high, k, cutoffs[k], at, enter, leave)
    return out
