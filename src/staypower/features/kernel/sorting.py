"""Bring the rows of an account together, and put them in the order in which they happened."""

from __future__ import annotations

from staypower.compiled import jit

__all__ = ["count_rows_of", "list_rows_of", "place_by_account", "sort_accounts", "spread"]


@jit
def count_rows_of(number, count):  # type: ignore[no-untyped-def]
    """Count the rows of each number, such as an account's.

    >>> import numpy as np
    >>> count = np.zeros(2, dtype=np.int64)
    >>> count_rows_of(np.array([1, -1, 1], dtype=np.int32), count)
    >>> count.tolist()
    [0, 2]
    """
    for row in range(len(number)):
        if number[row] >= 0:
            count[number[row]] += 1


@jit
def list_rows_of(number, part_of, rows, part):  # type: ignore[no-untyped-def]
    """List the rows whose number, such as an account's, belongs to one of some parts.

    >>> import numpy as np
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

    >>> import numpy as np
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
    """List rows account by account, those of an account in the order given.

    >>> import numpy as np
    >>> index = np.zeros(3, dtype=np.int64)
    >>> place_by_account(np.array([1, 0, 1], dtype=np.int32), np.array([0, 1]), index)
    >>> index.tolist()
    [1, 0, 2]
    """
    for row in range(len(account)):
        number = account[row]
        index[free[number]] = row
        free[number] += 1


@jit
def sort_accounts(start, at, index):  # type: ignore[no-untyped-def]
    """Sort the rows of each account by their instants, in place; of equal instants the order is left open.

    >>> import numpy as np
    >>> at, index = np.array([3, 1, 2, 0]), np.array([0, 1, 2, 3])
    >>> sort_accounts(np.array([0, 3, 4]), at, index)
    >>> at.tolist(), index.tolist()
    ([1, 2, 3, 0], [1, 2, 0, 3])
    """
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
