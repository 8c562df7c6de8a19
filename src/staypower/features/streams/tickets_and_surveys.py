"""One row per support ticket, and one per survey invitation with its answer if there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import ALWAYS, DAY, HOUR, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import NEVER, arrivals, group_numbers, text_ranks, with_columns
from staypower.schemas import Column
from staypower.tables import Table, Tables

__all__ = ["REPEAT_DAYS", "survey_stream", "ticket_stream"]

REPEAT_DAYS = 30


def ticket_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the tickets with their durations, whether the SLA was met, and whether they repeat an earlier one.

    - `first_response_hours`, `resolution_hours`: known from the response and the resolution.
    - `waiting_until`: the first response, or the resolution if no response was recorded before.
    - `sla_decided_at`: when it is known whether the SLA was met: at the response or at the deadline, whichever comes first. A
      ticket open for 30 h has missed an SLA of 24 h although nobody has answered yet.
    - `within_sla`: 1 when the response came in time, 0 when not; known from `sla_decided_at`.
    - `handed_over`: 1 when the ticket has a different agent than the account's ticket before (as they arrived); missing on the
      first one and if no agent is recorded.
    - `repeat`: 1 when the account opened another ticket of the same category within the 30 days before; known from
      `repeated_at`, when the categories of both are known.
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
    category = table.schema.column("category")
    # without the time at which it was set, nobody knows since when a category has been there
    if category is not None and table.has("category") and (category.known_from is None or table.has(category.known_from)):
        table = _with_repeats(table)
    if table.has("agent"):
        table = _with_hand_overs(table)
    return table


def _with_promise(table: Table, sla_hours: float) -> Table:
    opened, answered = table.instants("opened_at"), table.instants("first_response_at")
    if table.has("resolved_at"):
        resolved = table.instants("resolved_at")
        # a ticket resolved without a recorded response waits no longer
        earlier = (resolved != MISSING) & ((answered == MISSING) | (resolved < answered))
        answered = np.where(earlier, resolved, answered)
    due = np.where(opened > ALWAYS, opened + round(sla_hours * HOUR), MISSING)
    kept = (answered != MISSING) & (answered <= due)
    decided = np.where(kept, answered, due)
    within = np.where(opened > ALWAYS, kept.astype(np.float64), np.nan)
    return with_columns(
        table,
        (Column("waiting_until", "time", "waiting_until"), answered),
        (Column("sla_decided_at", "time", "sla_decided_at"), decided),
        (Column("within_sla", "number", "sla_decided_at"), within),
    )


def _with_repeats(table: Table) -> Table:
    category = next(column for column in table.schema.columns if column.name == "category")
    opened = table.instants("opened_at")
    known = arrivals(table, opened)
    if category.known_from:
        filled = table.instants(category.known_from)
        known = np.where((known == MISSING) | (filled == MISSING), MISSING, np.maximum(known, filled))
    blank = np.asarray(table.data.column("category").combine_chunks().is_null())
    rows = np.flatnonzero((known != MISSING) & ~blank)
    group = group_numbers(table.data.column("account_id"), table.data.column("category"))[rows]
    order = np.lexsort((known[rows], opened[rows], group))
    rows, group = rows[order], group[order]
    repeated = np.full(len(table), MISSING, dtype=np.int64)
    repeated[rows] = _repeated_at(group, opened[rows], known[rows])
    return with_columns(
        table,
        (Column("repeated_at", "time", "repeated_at"), repeated),
        (Column("repeat", "number", "repeated_at"), np.where(repeated != MISSING, 1.0, np.nan)),
    )


def _repeated_at(group: np.ndarray, opened: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return from when each row, sorted by group and opening, is known to repeat one of the 30 days before it."""
    found = np.full(len(group), NEVER, dtype=np.int64)
    later, back = np.arange(1, len(group)), 1
    while len(later):
        earlier = later - back
        later = later[(group[later] == group[earlier]) & (opened[later] - opened[earlier] <= REPEAT_DAYS * DAY)]
        found[later] = np.minimum(found[later], np.maximum(known[later], known[later - back]))
        back += 1
        # nothing is known of a row before the row itself is
        later = later[(later >= back) & (found[later] > known[later])]
    return np.where(found == NEVER, MISSING, found)


def _with_hand_overs(table: Table) -> Table:
    opened = table.instants("opened_at")
    arrived = arrivals(table, opened)
    account, agent = group_numbers(table.data.column("account_id")), text_ranks(table.data.column("agent"))
    rows = np.flatnonzero((arrived != MISSING) & (agent >= 0))
    rows = rows[np.lexsort((agent[rows], opened[rows], arrived[rows], account[rows]))]
    same_account = np.diff(account[rows], prepend=-1) == 0
    found = np.full(len(table), np.nan)
    found[rows] = np.where(same_account, np.diff(agent[rows], prepend=-1) != 0, np.nan)
    return with_columns(table, (Column("handed_over", "number"), found))


def survey_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the surveys with the answer on a common scale and, for NPS, its band.

    - `answer`: (value - low) / (high - low), turned so that 1 is always the best answer; known from `answered_at`.
    - `detractor`, `promoter`: 1 or 0 by the NPS bands 0-6, 7-8, 9-10 (on a 1-10 scale 1-6, 7-8, 9-10); missing for other
      instruments.
    - `after_slow_ticket`: 1 when the survey belongs to a ticket whose first response missed the SLA, or had missed it when the
      customer answered; 0 when it came in time.
    """
    table = tables["surveys"]
    if not table.has("value", "low", "high"):
        return table
    value, low, high = table.numbers("value"), table.numbers("low"), table.numbers("high")
    better = table.numbers("higher_is_better") if table.has("higher_is_better") else np.ones(len(table))
    share = (value - low) / (high - low)
    answer = np.where(better == 0.0, 1.0 - share, share)
    # ten-point answers land on tenths; rounding keeps 1 - 0.7 equal to 0.3
    table = with_columns(table, (Column("answer", "number", "answered_at"), np.round(answer, 9)))
    nps = np.asarray(pc.fill_null(pc.equal(table.data.column("instrument").combine_chunks(), "nps"), False), dtype=bool)
    rated = nps & ~np.isnan(value)
    table = with_columns(
        table,
        (Column("detractor", "number", "answered_at"), np.where(rated, value <= 6, np.nan)),
        (Column("promoter", "number", "answered_at"), np.where(rated, value >= 9, np.nan)),
    )
    return _with_slow_tickets(table, tables, settings)


def _with_slow_tickets(table: Table, tables: Tables, settings: FeatureSettings) -> Table:
    if not (table.has("ticket_id", "answered_at") and tables.has("tickets", "ticket_id", "first_response_at")):
        return table
    tickets = _first_known(tables["tickets"])
    index = pc.index_in(_key(table), value_set=_key(tickets), skip_nulls=True)
    position = np.asarray(index.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    opened, answered = tickets.instants("opened_at"), table.instants("answered_at")
    arrived = np.append(arrivals(tickets, opened), MISSING)[position]
    due = np.append(np.where(opened != MISSING, opened + round(settings.sla_hours * HOUR), MISSING), MISSING)[position]
    responded = np.append(tickets.instants("first_response_at"), MISSING)[position]
    # only what had happened and arrived when the customer answered counts
    known = (arrived != MISSING) & (arrived <= answered)
    in_time = known & (responded != MISSING) & (responded <= np.minimum(due, answered))
    slow = np.where(in_time, 0.0, np.where(known & (due < answered), 1.0, np.nan))
    return with_columns(table, (Column("after_slow_ticket", "number", "answered_at"), slow))


def _first_known(tickets: Table) -> Table:
    """Sort tickets so that of several with one id the first known is found first, whatever the order of the rows."""
    opened, responded = tickets.instants("opened_at"), tickets.instants("first_response_at")
    never = np.iinfo(np.int64).max
    known = arrivals(tickets, opened)
    order = np.lexsort(
        (
            np.where(responded == MISSING, never, responded),
            np.where(opened == MISSING, never, opened),
            np.where(known == MISSING, never, known),
        )
    )
    return replace(tickets, data=tickets.data.take(pa.array(order)))


def _key(table: Table) -> pa.Array:
    """Name each row's ticket together with its account, blank where there is none: a survey asks about an own ticket."""
    account, ticket = (table.data.column(name).combine_chunks().cast(pa.string()) for name in ("account_id", "ticket_id"))
    return pc.binary_join_element_wise(account, ticket, "\x1f")
