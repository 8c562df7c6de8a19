"""Runs of cutoffs: what a row says, it says at the cutoffs `[first, stop)` of the sorted list of cutoffs.

Everything here handles cutoff numbers, never times, and answers for all accounts and cutoffs at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_runs", "first_run", "from_first", "newer_version"]


def count_runs(
    account: NDArray[np.int64],
    first: NDArray[np.int64] | NDArray[np.int32],
    stop: NDArray[np.int64] | NDArray[np.int32],
    shape: tuple[int, int],
) -> NDArray[np.int32]:
    """Count the rows of each account that speak at each cutoff.

    >>> count_runs(np.array([0, 0]), np.array([0, 1]), np.array([2, 3]), (1, 3)).tolist()
    [[1, 2, 1]]
    """
    accounts, cutoffs = shape
    real = first < stop
    base = account[real] * (cutoffs + 1)
    size = accounts * (cutoffs + 1)
    change = np.bincount(base + first[real], minlength=size) - np.bincount(base + stop[real], minlength=size)
    return change.reshape(accounts, cutoffs + 1).cumsum(axis=1, dtype=np.int32)[:, :cutoffs]


def first_run(
    account: NDArray[np.int64], first: NDArray[np.int64] | NDArray[np.int32], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Return the first cutoff at which any row of each account speaks, the number of cutoffs where none does.

    >>> first_run(np.array([0, 0]), np.array([2, 1]), (2, 3)).tolist()
    [1, 3]
    """
    found = np.full(shape[0], shape[1], dtype=np.int64)
    np.minimum.at(found, account, first.astype(np.int64))
    return found


def from_first(first: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Say at which cutoffs each account has reached its first.

    >>> from_first(np.array([1, 3]), (2, 3)).tolist()
    [[False, True, True], [False, False, False]]
    """
    reached: NDArray[np.bool_] = first[:, None] <= np.arange(shape[1])[None, :]
    return reached


def newer_version(
    subscription: NDArray[np.int64], entered: NDArray[np.int64] | NDArray[np.int32], cutoffs: int
) -> NDArray[np.int64]:
    """Return the first cutoff that sees a later version of the same subscription than each row.

    >>> newer_version(np.array([0, 0, 0, 1]), np.array([0, 2, 1, 0]), 3).tolist()
    [1, 1, 3, 3]
    """
    found = np.full(len(entered), cutoffs, dtype=np.int64)
    if len(entered) > 1:
        # Backwards, a running minimum that starts anew at each subscription, because each is lifted above the one before.
        lifted = entered + subscription * (cutoffs + 1)
        earliest = np.minimum.accumulate(lifted[::-1])[::-1] - subscription * (cutoffs + 1)
        same = subscription[1:] == subscription[:-1]
        found[:-1][same] = earliest[1:][same]
    return found
