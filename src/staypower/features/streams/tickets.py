"""One row a support ticket."""

from __future__ import annotations

import numpy as np

from staypower.cutoffs import ALWAYS, DAY, HOUR, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import group_numbers, with_columns
from staypower.tables import Column, Table, Tables

__all__ = ["REPEAT_DAYS", "ticket_stream"]

REPEAT_DAYS = 30


def ticket_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the tickets with their durations, the state of the promise, and whether they repeat an earlier one.

    - `first_response_hours`, `resolution_hours`: known from the response and the resolution.
    - `sla_decided_at`: when it is settled whether the promise was kept: the response, or the moment the promise was
      broken, whichever comes first. A ticket open for 30 h has missed a promise of 24 h although nobody answered yet.
    - `within_sla`: 1 when the response came in time, 0 when not; known from `sla_decided_at`.
    - `handed_over`: 1 when another agent has the ticket than the account's ticket before; missing on the first.
    - `repeat`: 1 when the account opened another ticket of the same category within the 30 days before.
    """
    table = tables["tickets"]
    fixed = tuple(column for column in table.schema.columns if column.mutable and column.name in table.fixed)
    for column in fixed:
        table = with_columns(table, (Column(column.name, column.kind), table.data.column(column.name).combine_chunks()))
    if table.has("first_response_at"):
        hours = table.hours_between("opened_at", "first_response_at")
        table = with_columns(table, (Column("first_response_hours", "number", "first_response_at"), hours))
        table = _with_promise(table, settings.sla_hours)
    if table.has("resolved_at"):
        hours = table.hours_between("opened_at", "resolved_at")
        table = with_columns(table, (Column("resolution_hours", "number", "resolved_at"), hours))
    if table.has("category"):
        table = _with_repeats(table)
    if table.has("agent"):
        table = _with_hand_overs(table)
    return table


def _with_promise(table: Table, sla_hours: float) -> Table:
    opened, answered = table.instants("opened_at"), table.instants("first_response_at")
    due = np.where(opened > ALWAYS, opened + round(sla_hours * HOUR), MISSING)
    kept = (answered != MISSING) & (answered <= due)
    decided = np.where(kept, answered, due)
    within = np.where(opened > ALWAYS, kept.astype(np.float64), np.nan)
    return with_columns(
        table,
        (Column("sla_decided_at", "time", "sla_decided_at"), decided),
        (Column("within_sla", "number", "sla_decided_at"), within),
    )


def _with_repeats(table: Table) -> Table:
    known_from = next(column.known_from for column in table.schema.columns if column.name == "category")
    opened = table.instants("opened_at")
    group = group_numbers(table.data.column("account_id"), table.data.column("category"))
    order = np.lexsort((opened, group))
    again = (np.diff(group[order], prepend=-1) == 0) & (np.diff(opened[order], prepend=0) <= REPEAT_DAYS * DAY)
    blank = np.asarray(table.data.column("category").combine_chunks().is_null())
    repeat = np.empty(len(table))
    repeat[order] = again
    repeat[blank | (opened == MISSING)] = np.nan
    return with_columns(table, (Column("repeat", "number", known_from), repeat))


def _with_hand_overs(table: Table) -> Table:
    opened = table.instants("opened_at")
    account, agent = group_numbers(table.data.column("account_id")), group_numbers(table.data.column("agent"))
    order = np.lexsort((agent, opened, account))
    same_account = np.diff(account[order], prepend=-1) == 0
    handed = np.where(same_account, np.diff(agent[order], prepend=-1) != 0, np.nan)
    found = np.empty(len(table))
    found[order] = handed
    found[opened == MISSING] = np.nan
    return with_columns(table, (Column("handed_over", "number"), found))
