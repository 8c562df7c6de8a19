"""The rows that labels read, brought to one shape: whose they are, when they happened, from when they are known."""

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
    "read_happenings",
    "read_sign_ups",
    "require_columns",
]


def require_columns(tables: Tables, name: str, *columns: str) -> Table:
    """Return a table that the label cannot do without, or say what is missing.

    >>> require_columns(Tables({}, 0), "orders")
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: the label needs a table that is not there: orders. Fix: add it under `tables`...
    """
    if name not in tables:
        others = [other for other in tables if other != "accounts"]
        near = f", or {nearest(name, others)} in the label" if others else ""
        raise UsageError.of("the label needs a table that is not there", name, f"add it under `tables`{near}")
    table = tables[name]
    for column in columns:
        if not table.has(column):
            known = [other for other in table.data.column_names if other != "account_id"]
            fix = f"map a source column onto it under `tables.{name}`, or {nearest(column, known)}"
            raise UsageError.of("the label needs a column that is not there", f"{name}.{column}", fix)
    return table


@dataclass(frozen=True)
class Happenings:
    """Dated rows of known accounts.

    >>> numbers = np.array([0, 0])
    >>> Happenings(numbers, numbers, numbers, np.array([True, False])).counting().at.tolist()
    [0]
    """

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
