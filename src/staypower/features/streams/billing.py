"""One row per state of a subscription, the stretch during which nothing about it changed; one row per payment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import (
    NEVER,
    SUPERSEDED,
    arrivals,
    group_numbers,
    least_later,
    with_columns,
    without_columns,
)
from staypower.schemas import Column
from staypower.spells import read_versions
from staypower.tables import Table, Tables

__all__ = ["payment_stream", "subscription_end_stream", "subscription_stream"]


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
    """Return the payments with `recovered_at`: for a failed one, the account's next payment that went through."""
    table = tables["payments"]
    if not table.has("status"):
        return table
    status = table.data.column("status").combine_chunks()
    failed = np.asarray(pc.fill_null(pc.equal(status, "failed"), False).to_numpy(zero_copy_only=False), dtype=bool)
    # a payment that was refunded later had gone through
    through = pc.is_in(status, value_set=pa.array(["paid", "refunded"]))
    paid = np.asarray(pc.fill_null(through, False).to_numpy(zero_copy_only=False), dtype=bool)
    at = table.instants("at")
    arrived = arrivals(table, at)
    group = group_numbers(table.data.column("account_id"))
    order = np.lexsort((paid, at, group))
    # known from the first later payment that arrives, which need not be the first that was made
    through_at = np.where(paid & (arrived != MISSING), arrived, NEVER)
    recovered = np.full(len(table), NEVER, dtype=np.int64)
    recovered[order] = least_later(through_at[order], group[order])
    recovered[~failed | (recovered == NEVER) | (at == MISSING)] = MISSING
    return with_columns(table, (Column("recovered_at", "time", "recovered_at"), recovered))
