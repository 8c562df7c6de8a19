"""Orders, order lines and returns, all read from one table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import SUPERSEDED, arrivals, as_time, group_numbers, with_columns
from staypower.schemas import Column
from staypower.tables import Table, Tables, is_return

__all__ = ["CENTS", "order_line_stream", "order_stream", "return_stream"]

# sums are made of whole ten-thousandths, so that no order of adding changes them
CENTS = 10_000


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
    total = np.concatenate([[0], np.cumsum(np.round(np.nan_to_num(values) * CENTS).astype(np.int64))])
    sums: np.ndarray = (total[last + 1] - total[start]) / CENTS
    return sums
