"""Make the rows that features read: the canonical tables with columns derived row by row; usage and accounts are here.

A stream is a `Table` whose schema also names the derived columns and from when each is known. Each function takes all tables,
since a row may need its account's sign-up or its ticket, and returns one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from weakref import finalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import ALWAYS, DAY, HOUR, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.billing_and_orders import (
    order_line_stream,
    order_stream,
    payment_stream,
    return_stream,
    subscription_end_stream,
    subscription_stream,
)
from staypower.features.streams.columns import arrivals, as_time, group_numbers, text_ranks, with_columns, without_columns
from staypower.features.streams.contracts import contract_stream
from staypower.features.streams.tickets_and_surveys import survey_stream, ticket_stream
from staypower.schemas import ACCOUNT_NAME, SCHEMAS, Column, Kind, TableSchema
from staypower.tables import Table, Tables, numbered

__all__ = ["STREAMS", "account_stream", "make_stream", "source_of", "tables_of", "usage_stream"]

_Maker = Callable[[Tables, FeatureSettings], Table]


def account_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the accounts with `seen_at` (from when a row's attributes are known), and what changed or took how long.

    `seen_at` is `valid_from` if rows are versions. Otherwise only attributes declared `static` stay, assumed constant over
    time; the others would show the value on the day of the export. The name of an account is no attribute.
    """
    table = tables["accounts"]
    table = without_columns(table, [name for name in (ACCOUNT_NAME,) if table.has(name)])
    if table.has("valid_from"):
        table = _with_set_up(_seen_from(table, table.instants("valid_from")))
        table = _with_owner_changes(table) if table.has("owner") else table
        return _with_seat_changes(table) if table.has("seats") else table
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
    owner = text_ranks(table.data.column("owner"))
    rows, account = _in_order_of_arrival(table, owner, owner >= 0)
    found = np.zeros(len(table))
    found[rows] = (np.diff(account, prepend=-1) == 0) & (np.diff(owner[rows], prepend=-1) != 0)
    return with_columns(table, (Column("owner_changed", "number", "seen_at"), found))


def _with_seat_changes(table: Table) -> Table:
    """Say for each version by how many its seats differ from those of the version before (as they arrived)."""
    if _kind(table, "seats") != "number":
        return table
    seats = table.numbers("seats")
    rows, account = _in_order_of_arrival(table, seats, ~np.isnan(seats))
    found = np.full(len(table), np.nan)
    found[rows] = np.where(np.diff(account, prepend=-1) == 0, np.diff(seats[rows], prepend=np.nan), np.nan)
    return with_columns(table, (Column("seats_change", "number", "seen_at"), found))


def _in_order_of_arrival(table: Table, values: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the versions that have a value by account in the order in which they arrived, and their accounts."""
    seen = table.instants("seen_at")
    arrived = arrivals(table, seen)
    account = group_numbers(table.data.column("account_id"))
    rows = np.flatnonzero((arrived != MISSING) & there)
    rows = rows[np.lexsort((values[rows], seen[rows], arrived[rows], account[rows]))]
    return rows, account[rows]


def _with_set_up(table: Table) -> Table:
    """Say how long setup took; missing if it was completed before sign-up."""
    if not table.has("signed_up_at", "setup_completed_at"):
        return table
    days = table.hours_between("signed_up_at", "setup_completed_at") * HOUR / DAY
    return with_columns(table, (Column("setup_days", "number", "setup_completed_at"), days))


def usage_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the usage rows with `weekend` (1 on Saturdays and Sundays, UTC) and `days_since_signup`.

    `days_since_signup` is built only where key events are declared; it is missing before sign-up.
    """
    table = tables["usage"]
    at = table.instants("at")
    table = with_columns(table, (Column("weekend", "number"), _weekend(at)))
    accounts = tables["accounts"]
    if not settings.key_events or not accounts.has("signed_up_at"):
        return table
    arrived, signed_up = _sign_ups(accounts, table.data.column("account_id"))
    known = (signed_up > ALWAYS) & (at > ALWAYS) & (at >= signed_up)
    days = np.where(known, (np.where(known, at, 0) - np.where(known, signed_up, 0)) / DAY, np.nan)
    return with_columns(
        table,
        (
            Column("sign_up_known_at", "time", "sign_up_known_at"),
            np.where(arrived == MISSING, MISSING, np.maximum(arrived, at)),
        ),
        (Column("days_since_signup", "number", "sign_up_known_at"), days),
    )


def _weekend(at: np.ndarray) -> pa.Array:
    """Say which instants are on a Saturday or Sunday, as flags, which take little memory."""
    # 1970-01-01 was a Thursday: Saturday and Sunday are days 5 and 6 of a week that starts on Monday
    on_weekend = (at // DAY + 3) % 7 >= 5
    unknown = at <= ALWAYS
    return pa.array(on_weekend, mask=unknown if unknown.any() else None)


def _sign_ups(accounts: Table, wanted: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sign-up of each account wanted, from its first known row, and from when that row is known."""
    begun = accounts.instants("valid_from") if accounts.has("valid_from") else np.full(len(accounts), ALWAYS, dtype=np.int64)
    arrived, signed_up = arrivals(accounts, begun), accounts.midnights("signed_up_at")
    rows = np.flatnonzero(arrived != MISSING)
    rows = rows[np.lexsort((signed_up[rows], begun[rows], arrived[rows]))]
    ids = accounts.data.column("account_id").combine_chunks().take(pa.array(rows))
    numbers, words = numbered(wanted)
    known = np.asarray(pc.index_in(words, value_set=ids).fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    found = np.append(known, -1)[numbers]
    return np.append(arrived[rows], MISSING)[found], np.append(signed_up[rows], MISSING)[found]


def first_row_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the first row of each account in each table, and every row that arrived later and happened before it."""
    found = []
    for name in EVENTS:
        if name in tables:
            table = tables[name]
            at = table.own_instants()
            arrived = arrivals(table, at)
            if table.has("valid_from"):
                arrived = np.where(arrived == MISSING, MISSING, np.maximum(arrived, table.instants("valid_from")))
            account, words = numbered(table.data.column("account_id"))
            rows = np.flatnonzero((arrived != MISSING) & (account >= 0))
            rows = rows[np.lexsort((at[rows], arrived[rows], account[rows]))]
            least = pd.Series(at[rows]).groupby(account[rows]).cummin().to_numpy()
            same = np.diff(account[rows], prepend=-1) == 0
            kept = rows[~same | (np.diff(least, prepend=0) != 0)]
            columns = {
                "account_id": words.take(pa.array(account[kept])),
                "at": as_time(at[kept]),
                "known_at": as_time(arrived[kept]),
            }
            found.append(pa.table(columns))
    schema = TableSchema("first_rows", ("at",), (Column("at", "time", "at"),))
    return Table(schema, pa.concat_tables(found) if found else pa.table({"account_id": pa.array([], pa.string())}))


# the tables whose rows are something that happened
EVENTS = ("usage", "tickets", "surveys", "subscriptions", "payments", "orders", "advocacy", "goals")
# stream -> the canonical table it is made of, and how
STREAMS: Mapping[str, tuple[str, _Maker]] = MappingProxyType(
    {
        "accounts": ("accounts", account_stream),
        "first_rows": ("accounts", first_row_stream),
        "usage": ("usage", usage_stream),
        "tickets": ("tickets", ticket_stream),
        "surveys": ("surveys", survey_stream),
        "subscriptions": ("subscriptions", subscription_stream),
        "subscription_ends": ("subscriptions", subscription_end_stream),
        "contracts": ("subscriptions", contract_stream),
        "payments": ("payments", payment_stream),
        "orders": ("orders", order_stream),
        "order_lines": ("orders", order_line_stream),
        "returns": ("orders", return_stream),
    }
)


def source_of(stream: str) -> str:
    """Name the table a stream is made of; a table without a stream of its own is its own stream.

    >>> source_of("returns"), source_of("goals")
    ('orders', 'goals')
    """
    return STREAMS[stream][0] if stream in STREAMS else stream


# the tables that a stream looks into besides the one it is made of
_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"surveys": ("tickets",), "contracts": ("payments",), "payments": ("subscriptions",), "first_rows": EVENTS}
)


def tables_of(streams: Iterable[str]) -> set[str]:
    """Name the tables that some streams are made of or look into.

    >>> sorted(tables_of(["surveys"]))
    ['surveys', 'tickets']
    """
    named = list(streams)
    return {source_of(name) for name in named} | {also for name in named for also in _ALSO.get(name, ())}


# what was made of tables that are still there, and with which settings; by the stream and the identity of what it reads
_MADE: dict[tuple[object, ...], tuple[FeatureSettings, Table]] = {}
# streams of more rows are made anew: they would take memory for longer than they are read
_MOST_KEPT = 1_000_000


def make_stream(name: str, tables: Tables, settings: FeatureSettings) -> Table:
    """Return the rows of one stream; where they are not many, they are made once for as long as their tables are there."""
    if name not in STREAMS:
        return tables[name]
    read = [tables[each] for each in sorted(tables_of([name]) | {"accounts"}) if each in tables]
    key = (name, *map(id, read))
    known = _MADE.get(key)
    if known is not None and known[0] == settings:
        return known[1]
    made = STREAMS[name][1](tables, settings)
    # a table that is its own stream would never be let go of
    if len(made) <= _MOST_KEPT and all(made is not table for table in read):
        for table in read if known is None else ():
            finalize(table, _MADE.pop, key, None).atexit = False
        _MADE[key] = (settings, made)
    return made
