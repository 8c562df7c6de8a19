"""The rows that labels read, brought to one shape: whose they are, when they happened, from when they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING, before, instant_of, midnight_after
from staypower.errors import UsageError, nearest
from staypower.labels.settings import GivenLabel, NonContractualLabel, text_of_value
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Table, Tables, is_return

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Happenings",
    "read_activity",
    "read_churn_dates",
    "read_flag",
    "read_sign_ups",
    "require_columns",
    "snapshot_cutoff",
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


def _happenings(
    table: Table, at: NDArray[np.int64], counts: NDArray[np.bool_], accounts: Sequence[str], until: int
) -> Happenings:
    account = number_accounts(table, accounts)
    known = np.maximum(at, instants_or_missing(table, "known_at"))
    keep = (account >= 0) & (at != MISSING) & before(known, until)
    return Happenings(account[keep], at[keep], known[keep], counts[keep])


def read_activity(tables: Tables, settings: NonContractualLabel, accounts: Sequence[str]) -> Happenings:
    """Read the rows of the activity table; those count that are neither cancelled nor returns nor other events."""
    table = require_columns(tables, settings.table, *(("event",) if settings.key_events else ()))
    counts = np.ones(len(table), dtype=bool)
    if settings.key_events:
        wanted = {event.strip().casefold() for event in settings.key_events}
        column = pc.utf8_trim_whitespace(table.data.column("event").combine_chunks().cast(pa.string()))
        spelt = pa.array([name for name in pc.unique(column).to_pylist() if name and name.casefold() in wanted], pa.string())
        counts &= np.asarray(pc.is_in(column, value_set=spelt).to_numpy(zero_copy_only=False))
    if settings.table == "orders":
        counts &= ~is_return(table)
    return _happenings(table, table.own_instants(), counts, accounts, tables.observed_until)


def read_churn_dates(tables: Tables, settings: GivenLabel, accounts: Sequence[str]) -> Happenings:
    """Read the given dates of churn."""
    table = require_columns(tables, settings.dates or "churn", settings.time)
    counts = np.ones(len(table), dtype=bool)
    return _happenings(table, table.instants(settings.time), counts, accounts, tables.observed_until)


def read_sign_ups(tables: Tables, accounts: Sequence[str]) -> Happenings:
    """Read the sign-ups; an account without a date has no row."""
    table = tables["accounts"]
    at = instants_or_missing(table, "signed_up_at")
    return _happenings(table, at, np.ones(len(table), dtype=bool), accounts, int(np.iinfo(np.int64).max))


def snapshot_cutoff(tables: Tables, settings: GivenLabel) -> int:
    """Return the cutoff at which a given flag holds: `at`, else the midnight UTC at or after the end of observation.

    >>> snapshot_cutoff(Tables({}, 5), GivenLabel(flag="left"))
    86400000000
    """
    return midnight_after(tables.observed_until) if settings.at is None else instant_of(settings.at)


def read_flag(tables: Tables, settings: GivenLabel, accounts: Sequence[str], *, need_churners: bool = True) -> NDArray[np.int8]:
    """Read the given flag: 1 churned, 0 stayed, -1 where it is blank.

    Of several rows of an account the last by `valid_from` counts, else the first. Without `need_churners` it may be that nobody
    churned, as among a few accounts of many.
    """
    name = str(settings.flag)
    table = require_columns(tables, "accounts", name)
    values = table.data.column(name).combine_chunks()
    words = [None if pd.isna(value) else text_of_value(value) for value in values.to_pylist()]
    positive = {text_of_value(value) for value in settings.positive}
    found = np.array([-1 if not word else int(word in positive) for word in words], dtype=np.int8)
    if need_churners and not (found == 1).any():
        seen = ", ".join(f"`{word}`" for word in sorted({word for word in words if word})[:5]) or "nothing"
        problem = f"no account's value is among the positive ones ({', '.join(sorted(positive))})"
        raise UsageError.of(
            problem, f"accounts.{name} holds {seen}", "write the value that means churned as `positive` in the label"
        )
    account = number_accounts(table, accounts)
    order = np.lexsort((-np.arange(len(table)), instants_or_missing(table, "valid_from")))
    flags = np.full(len(accounts), -1, dtype=np.int8)
    flags[account[order]] = found[order]
    return flags
