"""One row an invitation and perhaps its answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import HOUR, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import arrivals, with_columns
from staypower.tables import Column, Table, Tables

__all__ = ["survey_stream"]


def survey_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the surveys with the answer on a common scale and, for NPS, its band.

    - `answer`: (value - low) / (high - low), turned so that 1 is always the best answer; known from `answered_at`.
    - `detractor`, `promoter`: 1 or 0 by the NPS bands 0-6, 7-8, 9-10 (on a 1-10 scale 1-6, 7-8, 9-10); missing for other
      instruments.
    - `after_slow_ticket`: 1 when the survey belongs to a ticket whose first response came later than the promise, or had not
      come by then when the customer answered; 0 when it came in time.
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
