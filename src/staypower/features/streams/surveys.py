"""One row an invitation and perhaps its answer."""

from __future__ import annotations

import numpy as np
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
    tickets = tables["tickets"]
    named = tickets.data.column("ticket_id").combine_chunks()
    index = pc.index_in(table.data.column("ticket_id"), value_set=named, skip_nulls=True)
    position = np.asarray(index.combine_chunks().fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    opened, answered = tickets.instants("opened_at"), table.instants("answered_at")
    arrived = np.append(arrivals(tickets, opened), MISSING)[position]
    due = np.append(np.where(opened != MISSING, opened + round(settings.sla_hours * HOUR), MISSING), MISSING)[position]
    responded = np.append(tickets.instants("first_response_at"), MISSING)[position]
    # only what had happened and arrived when the customer answered counts
    known = (arrived != MISSING) & (arrived <= answered)
    in_time = known & (responded != MISSING) & (responded <= np.minimum(due, answered))
    slow = np.where(in_time, 0.0, np.where(known & (due < answered), 1.0, np.nan))
    return with_columns(table, (Column("after_slow_ticket", "number", "answered_at"), slow))
