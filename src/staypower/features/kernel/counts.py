"""What is counted or added up: differences of running counts and sums, so that nothing is walked twice.

Every routine fills `target` for all pairs. `high` and `low` say where in the list the rows before the end and before the
beginning of the pair's window end.
"""

from __future__ import annotations

import numpy as np

from staypower.compiled import jit

__all__ = ["MISSING_AMOUNT", "SCALE", "count_days", "count_different", "count_rows", "run_sums", "take_means", "take_sums"]

# sums are made of whole ten-thousandths: exact, whatever is added and taken out
SCALE = 10_000
# an amount that is missing
MISSING_AMOUNT = int(np.iinfo(np.int64).min)


@jit
def count_rows(high, low, target):  # type: ignore[no-untyped-def]
    """Count rows.

    >>> target = np.zeros(1)
    >>> count_rows(np.array([5], dtype=np.int32), np.array([2], dtype=np.int32), target)
    >>> target.tolist()
    [3.0]
    """
    for pair in range(len(target)):
        target[pair] = high[pair] - low[pair]


@jit
def run_sums(n, amounts, position, sums, counts):  # type: ignore[no-untyped-def]
    """Add up the amounts of listed rows, and count those that are there; entry `j` is that of the first `j` rows.

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
    """Take the mean of the amounts that are there."""
    for pair in range(len(target)):
        end = np.uint64(high[pair])
        begin = np.uint64(low[pair])
        there = counts[end] - counts[begin]
        target[pair] = (sums[end] - sums[begin]) / SCALE / there if there > 0 else empty


@jit
def count_different(high, low, previous, target):  # type: ignore[no-untyped-def]
    """Count different keys: the rows of the window whose key was not listed before in it (`lists.find_previous`).

    >>> target, previous = np.zeros(2), np.array([-1, -1, 0, 4], dtype=np.int32)
    >>> count_different(np.array([3, 4], dtype=np.int32), np.array([0, 1], dtype=np.int32), previous, target)
    >>> target.tolist()
    [2.0, 2.0]
    """
    for pair in range(len(target)):
        begin = low[pair]
        found = 0
        # numbers without a sign need no look at whether they count from the end
        for j in range(np.uint64(begin), np.uint64(high[pair])):
            found += previous[j] < begin
        target[pair] = found


@jit
def count_days(high, low, rank, target):  # type: ignore[no-untyped-def]
    """Count different UTC calendar days, numbered by `lists.number_days`."""
    for pair in range(len(target)):
        if low[pair] < high[pair]:
            target[pair] = rank[np.uint64(high[pair] - 1)] - rank[np.uint64(low[pair])] + 1
        else:
            target[pair] = 0
