"""Counting rows up to window bounds in sorted rows: the compiled counterpart of `cutoffs.entry`.

Besides `cutoffs` this is the only module that compares a time with a cutoff, by the same rule: what is strictly before the
limit counts. It returns positions; code that uses them compares no times.
"""

from __future__ import annotations

from staypower.compiled import jit


@jit
def rows_before(start, at, limits, found):  # type: ignore[no-untyped-def]
    """Count the rows of each account that are strictly before each limit.

    >>> import numpy as np
    >>> found = np.empty((2, 2), dtype=np.int32)
    >>> rows_before(np.array([0, 2, 3]), np.array([4, 5, 5]), np.array([5, 6]), found)
    >>> found.tolist()
    [[1, 2], [0, 1]]
    """
    for account in range(len(start) - 1):
        first = start[account]
        end = start[account + 1]
        row = first
        for number in range(len(limits)):
            limit = limits[number]
            while row < end and at[row] < limit:
                row += 1
            found[account, number] = row - first
