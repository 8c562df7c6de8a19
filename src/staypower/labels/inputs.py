"""The rows that labels read (whose they are, when they happened, from when they are known) and the cutoffs they count at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import MISSING, before
from staypower.errors import UsageError, nearest
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = [
    "Happenings",
    "count_runs",
    "first_run",
    "from_first",
    "newer_version",
    "read_happenings",
    "read_sign_ups",
    "require_columns",
]


def require_columns(tables: Tables, name: str, *columns: str) -> Table:
    """Return a table that the label cannot do without, or say what is missing."""
    if name not in tables:
        others = [other for other in tables if other != "accounts"]
        near = f", or {nearest(name, others)} in the label" if others else ""
        raise UsageError.of("the label needs a table that is missing", name, f"add it under `tables`{near}")
    table = tables[name]
    for column in columns:
        if not table.has(column):
            known = [other for other in table.data.column_names if other != "account_id"]
            fix = f"map a source column onto it under `tables.{name}`, or {nearest(column, known)}"
            raise UsageError.of("the label needs a column that is missing", f"{name}.{column}", fix)
    return table


@dataclass(frozen=True)
class Happenings:
    """Dated rows of known accounts."""

    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    at: NDArray[np.int64]  # shape (n,): Instants; never `MISSING`
    known: NDArray[np.int64]  # shape (n,): Instants from which the rows are known: never before `at`
    counts: NDArray[np.bool_]  # shape (n,): Whether the row is what the label looks for

    def counting(self) -> Happenings:
        """Return the rows that count."""
        return Happenings(self.account[self.counts], self.at[self.counts], self.known[self.counts], self.counts[self.counts])


def read_happenings(
    table: Table, at: NDArray[np.int64], counts: NDArray[np.bool_], accounts: Sequence[str], until: int
) -> Happenings:
    """Read the rows of known accounts that have a time and were known before `until`."""
    account = number_accounts(table, accounts)
    known = np.maximum(at, instants_or_missing(table, "known_at"))
    keep = (account >= 0) & (at != MISSING) & before(known, until)
    return Happenings(account[keep], at[keep], known[keep], counts[keep])


def read_sign_ups(tables: Tables, accounts: Sequence[str]) -> Happenings:
    """Read the sign-ups; an account without a date has no row."""
    table = tables["accounts"]
    at = instants_or_missing(table, "signed_up_at")
    return read_happenings(table, at, np.ones(len(table), dtype=bool), accounts, int(np.iinfo(np.int64).max))


def count_runs(
    account: NDArray[np.int64],
    first: NDArray[np.int64] | NDArray[np.int32],
    stop: NDArray[np.int64] | NDArray[np.int32],
    shape: tuple[int, int],
) -> NDArray[np.int32]:
    """Count the rows of each account that hold at each cutoff.

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
    """Return the first cutoff at which any row of each account holds; the number of cutoffs where none does.

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
    """Return, for each row, the first cutoff at which a later version of its subscription is known.

    >>> newer_version(np.array([0, 0, 0, 1]), np.array([0, 2, 1, 0]), 3).tolist()
    [1, 1, 3, 3]
    """
    found = np.full(len(entered), cutoffs, dtype=np.int64)
    if len(entered) > 1:
        # Backwards, a running minimum that restarts at each subscription, because each is lifted above the one before.
        lifted = entered + subscription * (cutoffs + 1)
        earliest = np.minimum.accumulate(lifted[::-1])[::-1] - subscription * (cutoffs + 1)
        same = subscription[1:] == subscription[:-1]
        found[:-1][same] = earliest[1:][same]
    return found
