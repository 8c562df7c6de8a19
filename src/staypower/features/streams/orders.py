"""Orders, their lines and returns: three readings of one table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import as_time, group_numbers, with_columns
from staypower.tables import Column, Table, Tables

__all__ = ["CENTS", "is_return", "order_line_stream", "order_stream", "return_stream"]

# sums are made of whole ten-thousandths, so that no order of adding changes them
CENTS = 10_000


def is_return(table: Table) -> np.ndarray:
    """Say which rows are returns: declared cancelled, or of negative quantity. They are never activity."""
    found = np.zeros(len(table), dtype=bool)
    if table.has("cancelled"):
        found |= table.numbers("cancelled") == 1.0
    if table.has("quantity"):
        found |= table.numbers("quantity") < 0.0
    return found


def order_line_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the lines that are not returns."""
    table = tables["orders"]
    return replace(table, data=table.data.filter(pa.array(~is_return(table))))


def return_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the returns, amounts and quantities without their sign."""
    table = tables["orders"]
    table = replace(table, data=table.data.filter(pa.array(is_return(table))))
    for name in ("amount", "quantity"):
        if table.has(name):
            table = with_columns(table, (Column(name, "number"), np.abs(table.numbers(name))))
    return table


def order_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return one row an order: lines with one `order_id` of an account are one order at the time of its first line.

    Amount and quantity are summed, `lines` counts; `known_at` is the last line's. Without `order_id` a row is an order.
    """
    lines = order_line_stream(tables, settings)
    if not lines.has("order_id"):
        return with_columns(lines, (Column("lines", "number"), np.ones(len(lines))))
    # a blank order number does not join lines
    key = lines.data.column("order_id").combine_chunks()
    group = group_numbers(lines.data.column("account_id"), lines.data.column("order_id"))
    blank = np.asarray(key.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    group[blank] = group.max(initial=-1) + 1 + np.arange(blank.sum())
    unique, first, group = np.unique(group, return_index=True, return_inverse=True)
    rows: dict[str, pa.Array] = {"account_id": lines.data.column("account_id").combine_chunks().take(pa.array(first))}
    rows["at"] = as_time(_extreme(np.minimum, lines.instants("at"), group, len(unique)))
    if lines.has("known_at"):
        rows["known_at"] = as_time(_extreme(np.maximum, lines.instants("known_at"), group, len(unique)))
    for name in ("amount", "quantity"):
        if lines.has(name):
            rows[name] = pa.array(_exact_sum(lines.numbers(name), group, len(unique)))
    rows["lines"] = pa.array(np.bincount(group, minlength=len(unique)).astype(np.float64))
    columns = tuple(Column(name, "time" if name == "at" else "number", "at" if name == "at" else None) for name in rows)
    schema = replace(lines.schema, columns=tuple(c for c in columns if c.name not in ("account_id", "known_at")))
    return Table(schema, pa.table(rows))


def _extreme(pick: np.ufunc, instants: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    worst = np.iinfo(np.int64).max if pick is np.minimum else MISSING
    found = np.full(n, worst, dtype=np.int64)
    pick.at(found, group, np.where(instants == MISSING, worst, instants))
    return np.where(found == np.iinfo(np.int64).max, MISSING, found)


def _exact_sum(values: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, group, np.round(np.nan_to_num(values) * CENTS).astype(np.int64))
    return total / CENTS
