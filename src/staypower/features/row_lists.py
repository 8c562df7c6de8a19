"""Bring the rows of an account together in the order in which they happened, and list those that a group of features reads.

A *pair* is an account and one of the cutoffs asked of it. A *bound* is a limit in time for every cutoff: the cutoff less some
days. A window is the stretch of the list between the ends of two bounds.
"""

from __future__ import annotations

import numpy as np

from staypower.compiled import jit

__all__ = [
    "count_rows_of",
    "ends_among",
    "find_ends",
    "list_known",
    "list_passing",
    "list_rows_of",
    "number_days",
    "number_keys",
    "place_by_account",
    "sort_accounts",
    "spread",
]

_DAY = 86_400_000_000
_ODD = np.uint64(0x9E3779B97F4A7C15)
_TO_THE_FRONT = np.uint64(33)


@jit
def count_rows_of(number, count):  # type: ignore[no-untyped-def]
    """Count the rows of each number, such as an account's."""
    for row in range(len(number)):
        if number[row] >= 0:
            count[number[row]] += 1


@jit
def list_rows_of(number, part_of, rows, part):  # type: ignore[no-untyped-def]
    """List the rows whose number, such as an account's, belongs to one of some parts.

    >>> rows, part = np.zeros(3, dtype=np.int32), np.zeros(3, dtype=np.int16)
    >>> number, part_of = np.array([1, -1, 0, 1], dtype=np.int32), np.array([-1, 4, -1], dtype=np.int16)
    >>> list_rows_of(number, part_of, rows, part)
    >>> rows[:2].tolist(), part[:2].tolist()
    ([0, 3], [4, 4])
    """
    n = 0
    for row in range(len(number)):
        # written without a branch: what is not wanted is overwritten by the next row
        found = part_of[number[row]]
        rows[n] = row
        part[n] = found
        n += found >= 0


@jit
def spread(rows, part, free, values, found):  # type: ignore[no-untyped-def]
    """Bring the values of each part together, those of a part in the order given.

    A column is read once from front to back and written at as many places as there are parts, which is several times faster
    than fetching every value from where it lies.

    >>> found, part = np.zeros(3), np.array([1, 0, 1], dtype=np.int16)
    >>> spread(np.array([0, 1, 3]), part, np.array([0, 1]), np.array([5.0, 6.0, 7.0, 8.0]), found)
    >>> found.tolist()
    [6.0, 5.0, 8.0]
    """
    for j in range(len(rows)):
        number = part[j]
        found[free[number]] = values[rows[j]]
        free[number] += 1


@jit
def place_by_account(account, free, index):  # type: ignore[no-untyped-def]
    """List rows account by account, those of an account in the order given."""
    for row in range(len(account)):
        number = account[row]
        index[free[number]] = row
        free[number] += 1


@jit
def sort_accounts(start, at, index):  # type: ignore[no-untyped-def]
    """Sort the rows of each account by their instants, in place; of equal instants the order is left open."""
    for account in range(len(start) - 1):
        for row in range(start[account] + 1, start[account + 1]):
            if at[row] < at[row - 1]:
                _sort(start[account], start[account + 1], at, index)
                break


@jit
def _sort(first, end, at, index):  # type: ignore[no-untyped-def]
    # Shell's sort: rows mostly come nearly sorted, and nothing has to be set aside
    gap = 1
    while gap < (end - first) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(first + gap, end):
            moment = at[i]
            row = index[i]
            j = i
            while j - gap >= first and at[j - gap] > moment:
                at[j] = at[j - gap]
                index[j] = index[j - gap]
                j -= gap
            at[j] = moment
            index[j] = row
        gap //= 3


@jit
def list_passing(bit, bits, at, position, times, upto):  # type: ignore[no-untyped-def]
    """List the rows that have a bit.

    >>> position, upto, times = np.zeros(4, dtype=np.int32), np.zeros(4, dtype=np.int32), np.zeros(4, dtype=np.int64)
    >>> list_passing(1, np.array([2, 1, 3]), np.array([7, 8, 9]), position, times, upto)
    2
    >>> times[:2].tolist(), upto.tolist()
    ([7, 9], [0, 1, 1, 2])
    """
    listed = 0
    for row in range(len(at)):
        upto[row] = listed
        position[listed] = row
        times[listed] = at[row]
        listed += (bits[row] >> bit) & 1
    upto[len(at)] = listed
    return listed


@jit
def find_ends(start, before, limits, account, cutoff, ends):  # type: ignore[no-untyped-def]
    """Find where the rows before one bound end, for every pair.

    >>> number, ends = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32)
    >>> find_ends(np.array([4, 9]), np.array([[2, 5]], dtype=np.int32), np.array([1]), number, number, ends)
    >>> ends.tolist()
    [9]
    """
    for pair in range(len(account)):
        # unsigned numbers skip the check for negative indices
        number = np.uint64(account[pair])
        ends[pair] = start[number] + before[number, np.uint64(limits[np.uint64(cutoff[pair])])]


@jit
def ends_among(ends, upto, found):  # type: ignore[no-untyped-def]
    """Find where bounds end in a list of some rows (`list_passing`), from where they end among all rows.

    >>> found = np.zeros(2, dtype=np.int32)
    >>> ends_among(np.array([3, 1], dtype=np.int32), np.array([0, 1, 1, 2], dtype=np.int32), found)
    >>> found.tolist()
    [2, 1]
    """
    for pair in range(len(ends)):
        found[pair] = upto[np.uint64(ends[pair])]


@jit
def list_known(low, high, cutoff, bit, bits, at, enter, until, position, owner, times, ends, found):  # type: ignore[no-untyped-def]
    """List for every pair anew the rows that have a bit and that its cutoff sees, and find where its bounds end in the list.

    >>> pair, rows = np.zeros(1, dtype=np.int32), np.zeros((3, 3), dtype=np.int32)
    >>> enter, until, times = np.array([0, 1, 0]), np.array([1, 1, 1]), np.zeros(3, dtype=np.int64)
    >>> bounds, found = np.array([[0], [2], [3]], dtype=np.int32), np.zeros((3, 1), dtype=np.int32)
    >>> list_known(pair, pair + 3, pair, -1, times, np.array([5, 6, 7]), enter, until, rows[0], rows[1], times, bounds, found)
    2
    >>> found.tolist()
    [[0], [1], [2]]
    """
    listed = 0
    for pair in range(len(cutoff)):
        k = cutoff[pair]
        row = low[pair]
        for bound in range(len(ends)):
            while row < ends[bound, pair]:
                if enter[row] <= k < until[row] and (bit < 0 or (bits[row] >> bit) & 1):
                    position[listed] = row
                    owner[listed] = pair
                    times[listed] = at[row]
                    listed += 1
                row += 1
            found[bound, pair] = listed
    return listed


@jit
def number_keys(start, keys, slots, numbers, different):  # type: ignore[no-untyped-def]
    """Give numbers to the different keys of each account in the order in which they appear.

    >>> numbers, different = np.zeros(5, dtype=np.int32), np.zeros(2, dtype=np.int32)
    >>> number_keys(np.array([0, 4, 5]), np.array([70, -1, 5, 70, 5]), np.zeros(16, dtype=np.int32), numbers, different)
    >>> numbers.tolist(), different.tolist()
    ([0, -1, 1, 0, 0], [2, 1])
    """
    for account in range(len(start) - 1):
        first = start[account]
        end = start[account + 1]
        size = 4
        while size < 2 * (end - first):
            size *= 2
        mask = np.uint64(size - 1)
        slots[:size] = -1
        n = 0
        for row in range(first, end):
            key = keys[row]
            if key < 0:
                numbers[row] = -1
                continue
            place = ((np.uint64(key) * _ODD) >> _TO_THE_FRONT) & mask
            while slots[place] >= 0 and keys[first + slots[place]] != key:
                place = (place + np.uint64(1)) & mask
            if slots[place] < 0:
                slots[place] = row - first
                numbers[row] = n
                n += 1
            else:
                numbers[row] = numbers[first + slots[place]]
        different[account] = n


@jit
def number_days(n, times, owner, rank, day, squares, ranked):  # type: ignore[no-untyped-def]
    """Give numbers to the UTC calendar days of listed rows, and sum over the gaps between those of one owner.

    >>> rank, owner = np.zeros(3, dtype=np.int32), np.zeros(3, dtype=np.int32)
    >>> day, squares, ranked = (np.zeros(3, dtype=np.int64) for _ in range(3))
    >>> number_days(3, np.array([0, 1, 2 * _DAY]), owner, rank, day, squares, ranked)
    >>> rank.tolist(), day[:2].tolist(), squares[:2].tolist()
    ([0, 0, 1], [0, 2], [0, 4])
    """
    r = -1
    whose = -1
    for j in range(n):
        today = times[j] // _DAY
        same = owner[j] == whose
        if not same or today != day[r]:
            r += 1
            day[r] = today
            gap = today - day[r - 1] if same else 0
            squares[r] = (squares[r - 1] if r > 0 else 0) + gap * gap
            ranked[r] = (ranked[r - 1] if r > 0 else 0) + gap * r
            whose = owner[j]
        rank[j] = r
