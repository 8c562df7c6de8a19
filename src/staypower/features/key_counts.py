"""The compiled routines that count different keys, such as persons, in the rows of a window; as those of `kernel`."""

from __future__ import annotations

import numpy as np

from staypower.compiled import jit

__all__ = ["count_different", "find_top_again", "take_top_shares"]


@jit
def count_different(high, low, previous, target):  # type: ignore[no-untyped-def]
    """Count different keys: the rows of the window whose key was not listed before in it (`row_lists.find_previous`).

    >>> target, previous = np.zeros(2), np.array([-1, -1, 0, 4], dtype=np.int32)
    >>> count_different(np.array([3, 4], dtype=np.int32), np.array([0, 1], dtype=np.int32), previous, target)
    >>> target.tolist()
    [2.0, 2.0]
    """
    for pair in range(len(target)):
        begin = low[pair]
        found = 0
        # unsigned numbers skip the check for negative indices
        for j in range(np.uint64(begin), np.uint64(high[pair])):
            found += previous[j] < begin
        target[pair] = found


@jit
def take_top_shares(high, low, numbers, position, counts, empty, target):  # type: ignore[no-untyped-def]
    """Take the share of the rows with a key that hold the most frequent one; `counts` has a zero for each key of an account.

    >>> target, rows = np.zeros(1), np.arange(4, dtype=np.int32)
    >>> numbers, counts = np.array([0, 1, 0, -1], dtype=np.int32), np.zeros(2, dtype=np.int32)
    >>> take_top_shares(np.array([4], dtype=np.int32), np.array([0], dtype=np.int32), numbers, rows, counts, np.nan, target)
    >>> round(float(target[0]), 3), counts.tolist()
    (0.667, [0, 0])
    """
    for pair in range(len(target)):
        total, most = _count_keys(low[pair], high[pair], numbers, position, counts)
        target[pair] = most / total if total > 0 else empty
        _clear_keys(low[pair], high[pair], numbers, position, counts)


@jit
def find_top_again(high, low, now, numbers, position, counts, empty, target):  # type: ignore[no-untyped-def]
    """Say whether a most frequent key of the window is listed again between its end and `now`, the end of the cutoff's rows."""
    for pair in range(len(target)):
        _, most = _count_keys(low[pair], high[pair], numbers, position, counts)
        found = empty if most == 0 else 0.0
        if most > 0:
            for j in range(high[pair], now[pair]):
                number = numbers[position[j]]
                if number >= 0 and counts[number] == most:
                    found = 1.0
                    break
        target[pair] = found
        _clear_keys(low[pair], high[pair], numbers, position, counts)


@jit
def _count_keys(begin, end, numbers, position, counts):  # type: ignore[no-untyped-def]
    total = 0
    most = 0
    for j in range(begin, end):
        number = numbers[position[j]]
        if number >= 0:
            counts[number] += 1
            total += 1
            most = max(most, counts[number])
    return total, most


@jit
def _clear_keys(begin, end, numbers, position, counts):  # type: ignore[no-untyped-def]
    for j in range(begin, end):
        number = numbers[position[j]]
        if number >= 0:
            counts[number] = 0
