"""Other values for what is not known yet: random, seeded, and still such as the table could hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY, MISSING, before
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["random_times", "scramble_rows", "scramble_values"]

_NEAR = 3
_LEAST_SPAN = 60


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


def scramble_values(
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


def scramble_rows(
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
            table = scramble_values(table, column, some, cutoff, rng, moves=False, keep=True)
        elif column in gates:
            at = table.instants(column)
            later = mask & (at != MISSING) & ~before(at, cutoff)
            table = scramble_values(table, column, later, cutoff, rng, moves=True, keep=True)
        elif not pa.types.is_temporal(table.data.schema.field(column).type):
            table = scramble_values(table, column, mask, cutoff, rng, moves=False)
        elif column not in late and column in table.schema.times and arrival:
            table = scramble_values(table, column, mask, cutoff, rng, moves=False, keep=True)
    for column in late:
        if column in late.values() and column not in gates:
            table = _after_own_time(table, column, mask, rng)
    return table


def _own_time(table: Table) -> list[str]:
    return [column for column in table.schema.times if table.has(column)]


def _after_own_time(table: Table, column: str, mask: NDArray[np.bool_], rng: np.random.Generator) -> Table:
    """Fill in a later time anew, after the row's own: never before, as no table holds such."""
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
