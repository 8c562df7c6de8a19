"""Tables without their future, or with a different one.

What comes at or after a cutoff is deleted, or scrambled: later rows move to other accounts, times and values, values that
are filled in later are filled in differently, some exactly at the cutoff. Features at that cutoff must not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.auditing.knowledge import REWRITTEN, late_columns, rows_after, undated_columns
from staypower.cutoffs import DAY, MISSING, before
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hidden", "Hiding", "Place", "hide_future", "places_of", "random_times"]

Hiding = Literal["deleted", "scrambled"]
Masks = Mapping[str, "NDArray[np.bool_]"]
_NEAR = 3
_LEAST_SPAN = 60


@dataclass(frozen=True, order=True)
class Place:
    """Something that can be hidden on its own: the later rows of a table, or one of its columns.

    >>> Place("tickets", "resolved_at").words, Place("usage").words
    ('later values of `tickets.resolved_at`', 'later rows of `usage`')
    """

    table: str
    column: str = ""  # empty for the rows

    @property
    def words(self) -> str:
        """The place in words."""
        return f"later values of `{self.table}.{self.column}`" if self.column else f"later rows of `{self.table}`"


@dataclass(frozen=True)
class Hidden:
    """Tables without their future."""

    tables: Tables
    rows: Mapping[str, int]  # rows hidden, by table
    values: int  # values hidden in rows that stay


def places_of(tables: Tables, *, arrival: bool = False) -> list[Place]:
    """Name everything that can be hidden."""
    rows = [Place(name) for name, table in tables.items() if not arrival or table.has("known_at")]
    return rows if arrival else rows + [Place(name, column) for name in tables for column in _columns(tables[name])]


def _columns(table: Table) -> list[str]:
    rewritten = REWRITTEN.get(table.name)
    more = [rewritten.column] if rewritten and table.has(rewritten.column, rewritten.when) else []
    return list(dict.fromkeys([*late_columns(table), *undated_columns(table), *more]))


def hide_future(
    tables: Tables,
    cutoff: int,
    *,
    how: Hiding,
    arrival: bool = False,
    only: Place | None = None,
    seed: int = 0,
) -> Hidden:
    """Delete or scramble what comes at or after a cutoff."""
    masks = {name: _rows_to_hide(table, cutoff, arrival, only) for name, table in tables.items()}
    stay = _accounts_seen(tables, masks)
    made, counts, values = {}, {}, 0
    rng = np.random.default_rng([seed, cutoff % (2**63)])
    for name, table in tables.items():
        mask = masks[name]
        changed, touched = table, 0
        if not arrival:
            changed, touched = _hide_values(table, cutoff, ~mask, how, only, rng)
        if name == "accounts":
            changed, mask = _hide_accounts(changed, mask, stay, cutoff, how, arrival, rng)
        elif how == "deleted":
            changed = replace(changed, data=changed.data.filter(pa.array(~mask)))
        elif mask.any():
            changed = _scramble_rows(changed, mask, cutoff, rng, late=late_columns(table), arrival=arrival)
        made[name], counts[name] = changed, int(mask.sum())
        values += touched
    until = cutoff if how == "deleted" and not arrival and only is None else tables.observed_until
    return Hidden(replace(tables, tables=made, observed_until=until), counts, values)


def _rows_to_hide(table: Table, cutoff: int, arrival: bool, only: Place | None) -> NDArray[np.bool_]:
    if only is not None and only != Place(table.name):
        return np.zeros(len(table), dtype=bool)
    return rows_after(table, cutoff, arrival=arrival)


def _accounts_seen(tables: Tables, masks: Masks) -> pa.Array:
    """Return the accounts of which a row of an event table stays."""
    columns = [
        pc.unique(table.data.column("account_id").filter(pa.array(~masks[name])).cast(pa.string()))
        for name, table in tables.items()
        if name != "accounts"
    ]
    return pc.unique(pa.concat_arrays(columns)) if columns else pa.array([], pa.string())


def _hide_values(
    table: Table,
    cutoff: int,
    staying: NDArray[np.bool_],
    how: Hiding,
    only: Place | None,
    rng: np.random.Generator,
) -> tuple[Table, int]:
    """Hide the values of rows that stay which are filled in, or overwritten, at or after the cutoff."""
    touched = 0
    made = table
    for column, mask in _values_to_hide(table, cutoff).items():
        if only is not None and only != Place(table.name, column):
            continue
        mask &= staying
        there = np.asarray(table.data.column(column).combine_chunks().is_valid())
        touched += int((mask & there).sum())
        if how == "scrambled":
            when = late_columns(table).get(column)
            made = _scramble_values(made, column, mask, cutoff, rng, moves=when == column)
        else:
            made = _without(made, column, mask)
    return made, touched


def _values_to_hide(table: Table, cutoff: int) -> dict[str, NDArray[np.bool_]]:
    """Say which values of a table are not known at a cutoff; a value that is never known is not known at it."""
    found = {}
    for column, when in late_columns(table).items():
        known = before(table.instants(when), cutoff) if table.has(when) else np.zeros(len(table), dtype=bool)
        found[column] = ~known
    for column in undated_columns(table):
        found[column] = np.ones(len(table), dtype=bool)
    rewritten = REWRITTEN.get(table.name)
    if rewritten and table.has(rewritten.column, rewritten.when) and rewritten.column not in table.fixed:
        moment = table.instants(rewritten.when)
        written = np.asarray(pc.fill_null(pc.equal(table.data.column(rewritten.column), rewritten.later), False))
        found[rewritten.column] = written & (moment != MISSING) & ~before(moment, cutoff)
    return found


def _without(table: Table, column: str, mask: NDArray[np.bool_]) -> Table:
    """Take values out; where one is known to have been overwritten, put back the earlier one."""
    data = table.data
    rewritten = REWRITTEN.get(table.name)
    kind = data.schema.field(column).type
    earlier = rewritten.earlier if rewritten and rewritten.column == column else None
    if isinstance(earlier, bool) and not pa.types.is_boolean(kind):
        earlier = None if not pa.types.is_floating(kind) else float(earlier)  # type: ignore[assignment]
    changed = pc.if_else(pa.array(mask), pa.scalar(earlier, kind), data.column(column).combine_chunks())
    return replace(table, data=data.set_column(data.column_names.index(column), column, changed))


def _hide_accounts(
    table: Table,
    mask: NDArray[np.bool_],
    stay: pa.Array,
    cutoff: int,
    how: Hiding,
    arrival: bool,
    rng: np.random.Generator,
) -> tuple[Table, NDArray[np.bool_]]:
    """Hide rows of accounts; one of which something else is known keeps a row, without what that row would tell."""
    if how == "scrambled":
        return (_scramble_accounts(table, mask, cutoff, rng, arrival=arrival) if mask.any() else table), mask
    ids = table.data.column("account_id").combine_chunks()
    kept = pc.unique(ids.filter(pa.array(~mask)))
    needed = mask & np.asarray(pc.is_in(ids, value_set=stay)) & ~np.asarray(pc.is_in(ids, value_set=kept))
    first = np.zeros(len(table), dtype=bool)
    place = np.flatnonzero(needed)
    valid = table.instants("valid_from") if table.has("valid_from") else np.zeros(len(table), dtype=np.int64)
    place = place[np.argsort(valid[place], kind="stable")]
    codes = np.asarray(ids.dictionary_encode().indices)
    first[place[np.unique(codes[place], return_index=True)[1]]] = True
    if arrival or table.has("valid_from"):
        table = _blank(table, _attributes(table), first)
    return replace(table, data=table.data.filter(pa.array(~mask | first))), mask & ~first


def _attributes(table: Table) -> list[str]:
    return [name for name in table.data.column_names if name not in ("account_id", "signed_up_at", "valid_from", "known_at")]


def _blank(table: Table, columns: list[str], mask: NDArray[np.bool_]) -> Table:
    for column in columns:
        table = _without(table, column, mask)
    return table


def _scramble_accounts(table: Table, mask: NDArray[np.bool_], cutoff: int, rng: np.random.Generator, *, arrival: bool) -> Table:
    """Give accounts that are not known yet another sign-up, version or arrival, and versions other attributes."""
    gates = ["known_at"] if arrival else [name for name in ("signed_up_at", "valid_from") if table.has(name)]
    free = _attributes(table) if arrival or table.has("valid_from") else []
    for column in gates:
        later = mask & (table.instants(column) != MISSING) & ~before(table.instants(column), cutoff)
        table = _scramble_values(table, column, later, cutoff, rng, moves=True, keep=True)
    for column in free:
        table = _scramble_values(table, column, mask, cutoff, rng, moves=False)
    return table


def random_times(count: int, cutoff: int, last: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw instants at or after a cutoff: some exactly at it, many within three days, the rest up to `last`.

    >>> times = random_times(1000, 5, 9, np.random.default_rng(0))
    >>> int(times.min()), bool(times.max() > 9)
    (5, True)
    """
    span = max(last - cutoff, _LEAST_SPAN * DAY)
    kind = rng.random(count)
    after = (rng.random(count) * np.where(kind < 0.5, _NEAR * DAY, span)).astype(np.int64)
    return cutoff + np.where(kind < 0.15, 0, after)


def _scramble_values(
    table: Table,
    column: str,
    mask: NDArray[np.bool_],
    cutoff: int,
    rng: np.random.Generator,
    *,
    moves: bool,
    keep: bool = False,
) -> Table:
    """Put other values in some cells of a column."""
    place = np.flatnonzero(mask)
    if not len(place):
        return table
    data = table.data
    values = data.column(column).combine_chunks()
    if moves:
        written = _floored(table, column, random_times(len(place), cutoff, _last(table, column), rng))
        made = _written(table, column, place, written, rng.random(len(place)) < (0.0 if keep else 0.3))
    elif pa.types.is_floating(values.type):
        numbers = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
        numbers[place] = np.round(numbers[rng.permutation(place)] * rng.uniform(0.5, 2.0, len(place)), 2)
        made = pa.array(numbers, values.type, from_pandas=True)
    else:
        order, blank = np.arange(len(table)), np.zeros(len(table), dtype=bool)
        order[place] = rng.permutation(place)
        blank[place] = (rng.random(len(place)) < 0.2) & (not keep)
        made = values.take(pa.array(order, mask=blank))
    return replace(table, data=data.set_column(data.column_names.index(column), column, made))


def _scramble_rows(
    table: Table,
    mask: NDArray[np.bool_],
    cutoff: int,
    rng: np.random.Generator,
    *,
    late: Mapping[str, str],
    arrival: bool,
) -> Table:
    """Make other rows of those that are not known yet: other accounts, times and values."""
    some = mask & (rng.random(len(table)) < 0.5)
    gates = {"known_at"} if arrival else {*_own_time(table), "valid_from"}
    named = {"subscription_id"} | ({table.schema.row_id} if table.schema.row_id else set())
    for column in table.data.column_names:
        if column in named or (column == "known_at" and not arrival):
            continue
        if column == "account_id":
            table = _scramble_values(table, column, some, cutoff, rng, moves=False, keep=True)
        elif column in gates:
            at = table.instants(column)
            later = mask & (at != MISSING) & ~before(at, cutoff)
            table = _scramble_values(table, column, later, cutoff, rng, moves=True, keep=True)
        elif not pa.types.is_temporal(table.data.schema.field(column).type):
            table = _scramble_values(table, column, mask, cutoff, rng, moves=False)
        elif column not in late and column in table.schema.times and arrival:
            table = _scramble_values(table, column, mask, cutoff, rng, moves=False, keep=True)
    for column in late:
        if column in late.values() and column not in gates:
            table = _after_own_time(table, column, mask, rng)
    return table


def _own_time(table: Table) -> list[str]:
    return [column for column in table.schema.times if table.has(column)]


def _after_own_time(table: Table, column: str, mask: NDArray[np.bool_], rng: np.random.Generator) -> Table:
    """Draw a later time anew, after the row's own: no table holds one before it."""
    own = table.own_instants()
    place = np.flatnonzero(mask & (own != MISSING))
    if not len(place):
        return table
    after = own[place] + (rng.exponential(20.0, len(place)) * DAY).astype(np.int64)
    blank = rng.random(len(place)) < 0.3
    made = _written(table, column, place, _floored(table, column, after), blank)
    return replace(table, data=table.data.set_column(table.data.column_names.index(column), column, made))


def _floored(table: Table, column: str, instants: NDArray[np.int64]) -> NDArray[np.int64]:
    """Write a date where the column holds dates."""
    return instants // DAY * DAY if column in table.date_only else instants


def _written(
    table: Table, column: str, place: NDArray[np.int64], instants: NDArray[np.int64], blank: NDArray[np.bool_]
) -> pa.Array:
    whole = table.midnights(column).copy()
    whole[place] = np.where(blank, MISSING, instants)
    kind = table.data.schema.field(column).type
    return pa.array(whole, pa.int64(), mask=whole == MISSING).cast(pa.timestamp("us", "UTC")).cast(kind)


def _last(table: Table, column: str) -> int:
    return int(table.midnights(column).max(initial=MISSING + 1))
