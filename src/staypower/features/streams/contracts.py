"""One row per state of a contract with the date and the months from which its renewals are counted.

How many months lie between renewals is read from the first of these that says so: the row's `term_months`, its
`billing_period`, and the rhythm of the account's payments as known at the time. A row for which only payments say it becomes
several when their rhythm changes, so that a cutoff reads the one that was known then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.features.renewals import days_of_month
from staypower.features.settings import FeatureSettings
from staypower.features.streams.billing_and_orders import subscription_stream
from staypower.features.streams.columns import NEVER, with_columns
from staypower.features.streams.rhythms import PERIODS, latest_before, months_said, rhythms_of
from staypower.schemas import Column
from staypower.spells import number_accounts
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["contract_stream"]


def contract_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the states of subscriptions with `renewal`, `renewal_start`, `renewal_months` and `renewal_day`.

    `renewal` is `renews_at` where that is usable and filled in, else the start. `renewal_day` is the day of the month that
    renewals fall on: that of the start where the given date had to be cut to the end of a shorter month. Without a column
    `billing_period` it is named by the rhythm of payments.
    """
    table = subscription_stream(tables, settings)
    columns = [name for name in ("renews_at", "term_months", "billing_period") if table.has(name)]
    if not columns and "payments" not in tables:
        return table
    months = np.full(len(table), np.nan)
    if table.has("term_months"):
        terms = table.numbers("term_months")
        months = np.where((terms >= 1) & (terms == np.floor(terms)), terms, np.nan)
    if table.has("billing_period"):
        months = np.where(np.isnan(months), months_said(table), months)
    if "payments" in tables:
        asked = np.isnan(months) | (not table.has("billing_period"))
        table, row, rhythm = _with_rhythms(table, tables["payments"], asked)
        months = np.where(np.isnan(months[row]), rhythm, months[row])
        if not table.has("billing_period"):
            words = [PERIODS.get(int(length)) for length in np.nan_to_num(rhythm)]
            table = with_columns(table, (Column("billing_period", "text"), pa.array(words, pa.string())))
    start, base, day = _anchors(table)
    return with_columns(
        table,
        (Column("renewal", "time"), base),
        (Column("renewal_start", "time"), start),
        (Column("renewal_months", "number"), months),
        (Column("renewal_day", "number"), day.astype(np.float64)),
    )


def _anchors(table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    start = table.instants("started_at")
    given = table.instants("renews_at") if table.has("renews_at") else np.full(len(table), MISSING, dtype=np.int64)
    base = np.where(given == MISSING, start, given)
    (day, length), (first, _) = days_of_month(base), days_of_month(start)
    return start, base, np.where((day == length) & (first > day), first, day)


def _with_rhythms(
    table: Table, payments: Table, asked: NDArray[np.bool_]
) -> tuple[Table, NDArray[np.int64], NDArray[np.float64]]:
    """Give the rows the months between payments as known then: a row that asks for it once for every change while it lasted."""
    ids = pc.unique(table.data.column("account_id")).to_pylist()
    owner, changed, rhythm = rhythms_of(payments, ids)
    account = number_accounts(table, ids)
    begins, until = table.instants("from_at"), table.instants("until_at")
    ends = np.where(until == MISSING, NEVER, until)
    # positions among the changes; the one before an account's first stands for no rhythm yet
    start = np.searchsorted(owner, account)
    first, last = (
        np.where(found >= 0, found, start - 1)
        for found in (latest_before(owner, changed, account, begins), latest_before(owner, changed, account, ends - 1))
    )
    pieces = np.where(asked, np.maximum(last - first, 0), 0) + 1
    row = np.repeat(np.arange(len(table)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    change = first[row] + number
    changed = np.append(changed, NEVER)
    starts = np.where(number > 0, changed[change], begins[row])
    stops = np.where(number < pieces[row] - 1, changed[np.minimum(change + 1, len(owner))], ends[row])
    months = np.where(change >= start[row], np.append(rhythm, np.nan)[change], np.nan)
    table = replace(table, data=table.data.take(pa.array(row)))
    times = (
        (Column("from_at", "time"), starts),
        (Column("until_at", "time", "until_at"), np.where(stops == NEVER, MISSING, stops)),
    )
    return with_columns(table, *times), row, months
