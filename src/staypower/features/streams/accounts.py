"""One row per account, or per version of an account."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from staypower.cutoffs import ALWAYS, DAY, HOUR, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import arrivals, group_numbers, text_ranks, with_columns, without_columns
from staypower.schemas import SCHEMAS, Column, Kind
from staypower.tables import Table, Tables

__all__ = ["account_stream"]


def account_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the accounts with `seen_at` (from when a row's attributes are known), `owner_changed` and `setup_days`.

    `seen_at` is `valid_from` if rows are versions. Otherwise only attributes declared `static` stay, assumed constant over
    time; the others would show the value on the day of the export.
    """
    table = tables["accounts"]
    if table.has("valid_from"):
        table = _with_set_up(_seen_from(table, table.instants("valid_from")))
        return _with_owner_changes(table) if table.has("owner") else table
    canonical = set(SCHEMAS["accounts"].names)
    loose = [name for name in table.data.column_names if name not in canonical and name not in table.fixed]
    always = np.full(len(table), ALWAYS, dtype=np.int64)
    return _with_set_up(_seen_from(without_columns(table, loose), always))


def _seen_from(table: Table, instants: np.ndarray) -> Table:
    table = with_columns(table, (Column("seen_at", "time", "seen_at"), instants))
    canonical = {column.name for column in table.schema.columns}
    names = [name for name in table.data.column_names if name not in canonical and name not in ("account_id", "known_at")]
    attributes = tuple(Column(name, _kind(table, name), "seen_at") for name in names)
    schema = replace(table.schema, times=("seen_at",), columns=(*table.schema.columns, *attributes))
    return replace(table, schema=schema)


def _kind(table: Table, name: str) -> Kind:
    kind = table.data.column(name).type
    if pa.types.is_temporal(kind):
        return "time"
    return "number" if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) else "text"


def _with_owner_changes(table: Table) -> Table:
    """Say for each version whether its owner differs from that of the version before (as they arrived)."""
    seen = table.instants("seen_at")
    arrived = arrivals(table, seen)
    account, owner = group_numbers(table.data.column("account_id")), text_ranks(table.data.column("owner"))
    rows = np.flatnonzero((arrived != MISSING) & (owner >= 0))
    rows = rows[np.lexsort((owner[rows], seen[rows], arrived[rows], account[rows]))]
    found = np.zeros(len(table))
    found[rows] = (np.diff(account[rows], prepend=-1) == 0) & (np.diff(owner[rows], prepend=-1) != 0)
    return with_columns(table, (Column("owner_changed", "number", "seen_at"), found))


def _with_set_up(table: Table) -> Table:
    """Say how long setup took; missing if it was completed before sign-up."""
    if not table.has("signed_up_at", "setup_completed_at"):
        return table
    days = table.hours_between("signed_up_at", "setup_completed_at") * HOUR / DAY
    return with_columns(table, (Column("setup_days", "number", "setup_completed_at"), days))
