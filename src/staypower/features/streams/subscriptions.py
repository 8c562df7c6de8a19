"""One row a state of a subscription: the stretch during which nothing of it changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import group_numbers, with_columns, without_columns
from staypower.tables import Column, Table, Tables

__all__ = ["subscription_stream"]


def subscription_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the states with `from_at` and `until_at`, and how each differs from the one before.

    With `valid_from`, rows are versions of a subscription: a state lasts until the next version or the end, and what
    changes is known from its version. Without it only columns declared `fixed` stay. `until_at` is looked at only once it
    has passed. `first_state` is 1 on the first row of a subscription, `last_state` on the last, known from the end.
    """
    table = tables["subscriptions"]
    mutable = [column.name for column in table.schema.columns if column.mutable]
    versioned = table.has("valid_from")
    if not versioned:
        table = without_columns(table, [name for name in mutable if name not in table.fixed])
    started = table.instants("started_at")
    ended = table.instants("ended_at") if table.has("ended_at") else np.full(len(table), MISSING, dtype=np.int64)
    if not (versioned and table.has("subscription_id")):
        return _with_states(table, started, ended, np.ones(len(table)), np.ones(len(table)), {})
    valid = np.maximum(table.instants("valid_from"), started)
    group = group_numbers(table.data.column("account_id"), table.data.column("subscription_id"))
    order = np.lexsort((valid, group))
    group, valid, ended = group[order], valid[order], ended[order]
    table = replace(table, data=table.data.take(order))
    first = np.diff(group, prepend=-1) != 0
    last = np.diff(group, append=-1) != 0
    ended = _end_of_group(group, ended)
    following = np.append(valid[1:], MISSING)
    until = np.where(last, ended, np.where((ended != MISSING) & (ended < following), ended, following))
    changes = {
        f"{name}_change": np.where(first, np.nan, np.diff(table.numbers(name), prepend=np.nan))
        for name in ("mrr", "seats")
        if table.has(name)
    }
    return _with_states(table, valid, until, first, last, changes, ended)


def _end_of_group(group: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Give every version the end that its subscription's latest version with an end names."""
    position = np.where(ended != MISSING, np.arange(len(ended)), -1)
    best = np.full(int(group.max(initial=-1)) + 1, -1, dtype=np.int64)
    np.maximum.at(best, group, position)
    chosen = best[group]
    return np.where(chosen >= 0, ended[chosen], MISSING)


def _with_states(
    table: Table,
    started: np.ndarray,
    until: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    changes: dict[str, np.ndarray],
    ended: np.ndarray | None = None,
) -> Table:
    table = with_columns(
        table,
        (Column("from_at", "time"), started),
        (Column("until_at", "time", "until_at"), until),
        (Column("first_state", "number"), first.astype(np.float64)),
        (Column("last_state", "number", "ended_at"), last.astype(np.float64)),
    )
    if ended is not None:
        table = with_columns(table, (Column("ended_at", "time", "ended_at"), ended))
    for name, values in changes.items():
        table = with_columns(table, (Column(name, "number"), values))
    return replace(table, schema=replace(table.schema, times=("from_at",)))
