"""One row per state of a subscription (a stretch in which nothing about it changed), per payment, per order and per return."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import (
    NEVER,
    SUPERSEDED,
    arrivals,
    as_time,
    group_numbers,
    in_order,
    least_later,
    with_columns,
    without_columns,
)
from staypower.features.streams.rhythms import monthly_amounts, received
from staypower.schemas import Column
from staypower.spells import read_versions
from staypower.tables import Table, Tables, is_return

__all__ = [
    "order_line_stream",
    "order_stream",
    "payment_stream",
    "return_stream",
    "subscription_end_stream",
    "subscription_stream",
]

# sums are made of whole ten-thousandths, so that no order of adding changes them
_SCALE = 10_000


def subscription_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the states with `from_at` and `until_at`, and how each differs from the one before.

    With `valid_from`, rows are versions of a subscription: a version is valid until a later one is known, and it alone decides
    on the end; changes are known from their version on. Without it only columns declared `fixed` stay. `until_at` is read
    only once it has passed. `first_state` is 1 on the first version of a subscription, `mrr_change` and `seats_change`
    are missing there.
    """
    table, number, replaced = _versions(tables)
    first = np.diff(number, prepend=-1) != 0
    ended = table.instants("ended_at") if table.has("ended_at") else np.full(len(table), MISSING, dtype=np.int64)
    until = np.minimum(np.where(ended == MISSING, NEVER, ended), replaced)
    table = with_columns(
        table,
        (Column("from_at", "time"), _starts(table)),
        (Column("until_at", "time", "until_at"), np.where(until == NEVER, MISSING, until)),
        (Column("first_state", "number"), first.astype(np.float64)),
    )
    for name in ("mrr", "seats"):
        if table.has(name) and table.has("valid_from"):
            change = np.where(first, np.nan, np.diff(table.numbers(name), prepend=np.nan))
            table = with_columns(table, (Column(f"{name}_change", "number"), change))
    return replace(table, schema=replace(table.schema, times=("from_at",)))


def subscription_end_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the ends: one row per version that names one, valid until a later version is known."""
    table, _, replaced = _versions(tables)
    if not table.has("ended_at"):
        return table
    table = with_columns(
        table,
        (Column("from_at", "time"), _starts(table)),
        (Column(SUPERSEDED, "time", SUPERSEDED), np.where(replaced == NEVER, MISSING, replaced)),
    )
    return replace(table, schema=replace(table.schema, times=("from_at",)))


def _versions(tables: Tables) -> tuple[Table, np.ndarray, np.ndarray]:
    """Return the versions by subscription in the order in which they became known, their subscriptions, and their ends.

    A version that arrives after a later one is out of date and never used.
    """
    table = tables["subscriptions"]
    if not table.has("valid_from"):
        table = without_columns(
            table, [column.name for column in table.schema.columns if column.mutable and column.name not in table.fixed]
        )
    accounts = pc.unique(table.data.column("account_id")).to_pylist()
    versions = read_versions(table, accounts)
    if table.has("known_at"):
        versions = versions.take(table.instants("known_at")[versions.row] != MISSING)
    later = least_later(versions.known, versions.subscription)
    valid = versions.known <= later
    versions, later = versions.take(valid), later[valid]
    return replace(table, data=table.data.take(pa.array(versions.row))), versions.subscription, later


def _starts(table: Table) -> np.ndarray:
    started = table.instants("started_at")
    return np.maximum(table.instants("valid_from"), started) if table.has("valid_from") else started


def payment_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the payments with `recovered_at`: for a failed one, the account's next payment that went through.

    `monthly_amount` is what a payment is per month of the period that it pays for, where subscriptions carry no usable `mrr`.
    """
    table = _with_monthly_amounts(tables["payments"], tables)
    if not table.has("status"):
        return table
    status = table.data.column("status").combine_chunks()
    failed = np.asarray(pc.fill_null(pc.equal(status, "failed"), False).to_numpy(zero_copy_only=False), dtype=bool)
    # a payment that was refunded later had gone through
    paid = received(table)
    at = table.instants("at")
    arrived = arrivals(table, at)
    group = group_numbers(table.data.column("account_id"))
    order = in_order(group, at, paid)
    # known from the first later payment that arrives, which need not be the first that was made
    through_at = np.where(paid & (arrived != MISSING), arrived, NEVER)
    recovered = np.full(len(table), NEVER, dtype=np.int64)
    recovered[order] = least_later(through_at[order], group[order])
    recovered[~failed | (recovered == NEVER) | (at == MISSING)] = MISSING
    return with_columns(table, (Column("recovered_at", "time", "recovered_at"), recovered))


def _with_monthly_amounts(table: Table, tables: Tables) -> Table:
    """Say what was paid per month, where no subscription says it."""
    subscriptions = tables.get("subscriptions")
    if not table.has("amount") or (subscriptions is not None and _usable(subscriptions, "mrr")):
        return table
    return with_columns(table, (Column("monthly_amount", "number"), monthly_amounts(table, subscriptions)))


def _usable(table: Table, column: str) -> bool:
    return table.has(column) and (table.has("valid_from") or column in table.fixed)


def order_line_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the lines that are not returns."""
    table = tables["orders"]
    return replace(table, data=table.data.filter(pa.array(~is_return(table))))


def return_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the returns, with positive amounts and quantities.

    That is every row that is a return by itself (see `is_return`), at its own time, and every other line with `returned_at`,
    at that time.
    """
    table = tables["orders"]
    back = is_return(table)
    if table.has("returned_at"):
        returned = table.instants("returned_at")
        at = np.where(back | (returned == MISSING), table.instants("at"), np.maximum(returned, table.instants("at")))
        table = with_columns(table, (Column("at", "time", "at"), at))
        back |= returned != MISSING
    table = replace(table, data=table.data.filter(pa.array(back)))
    for name in ("amount", "quantity"):
        if table.has(name):
            table = with_columns(table, (Column(name, "number"), np.abs(table.numbers(name))))
    return table


def order_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return one row per order: lines with one `order_id` of an account are one order at the time of its first line.

    Amount and quantity are summed, `lines` counts. Without `order_id` a row is an order. An order to which lines are added
    later has a row for each state, known when the last line in it is (`known_at`), until the next (`superseded_at`).
    """
    lines = order_line_stream(tables, settings)
    if not lines.has("order_id"):
        return with_columns(lines, (Column("lines", "number"), np.ones(len(lines))))
    known = arrivals(lines, lines.instants("at"))
    lines, known = replace(lines, data=lines.data.filter(pa.array(known != MISSING))), known[known != MISSING]
    group = _order_numbers(lines)
    order = np.lexsort((known, group))
    lines, group, known = replace(lines, data=lines.data.take(pa.array(order))), group[order], known[order]
    closes = np.append((np.diff(group) != 0) | (np.diff(known) != 0), True)[: len(group)]
    last = np.flatnonzero(closes)
    start = np.searchsorted(group, group[last])
    at = _first_so_far(lines.instants("at"), group)[last]
    rows: dict[str, pa.Array] = {"account_id": lines.data.column("account_id").combine_chunks().take(pa.array(last))}
    rows["at"] = as_time(at)
    for name in ("amount", "quantity"):
        if lines.has(name):
            rows[name] = pa.array(_exact_sums(lines.numbers(name), start, last))
    rows["lines"] = pa.array((last - start + 1).astype(np.float64))
    columns = [Column(name, "time" if name == "at" else "number", "at" if name == "at" else None) for name in rows]
    grows = np.append(np.diff(group[last]) == 0, False)[: len(last)]
    if lines.has("known_at") or grows.any():
        rows["known_at"] = as_time(known[last])
    if grows.any():
        rows[SUPERSEDED] = as_time(np.where(grows, np.append(known[last][1:], MISSING), MISSING))
        columns.append(Column(SUPERSEDED, "time", SUPERSEDED))
    schema = replace(lines.schema, columns=tuple(c for c in columns if c.name != "account_id"))
    return Table(schema, pa.table(rows))


def _order_numbers(lines: Table) -> np.ndarray:
    """Give the lines of an order the same number; a blank order number does not join lines."""
    group = group_numbers(lines.data.column("account_id"), lines.data.column("order_id"))
    blank = np.asarray(lines.data.column("order_id").combine_chunks().is_null().to_numpy(zero_copy_only=False), dtype=bool)
    group[blank] = group.max(initial=-1) + 1 + np.arange(blank.sum())
    return group


def _first_so_far(at: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the earliest instant among the rows of the same group up to each row."""
    return np.asarray(pd.Series(at).groupby(group).cummin().to_numpy(), dtype=np.int64)


def _exact_sums(values: np.ndarray, start: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sum the rows from each start to each last one."""
    total = np.concatenate([[0], np.cumsum(np.round(np.nan_to_num(values) * _SCALE).astype(np.int64))])
    sums: np.ndarray = (total[last + 1] - total[start]) / _SCALE
    return sums
