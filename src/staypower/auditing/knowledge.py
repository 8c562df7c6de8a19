"""From when each value of a table is known: the audit's own statement.

It says the same as the schemas of the tables, on purpose a second time: features trust the schemas, so an audit that read
them only would share their mistakes. What a schema says beyond this is taken over too. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import MISSING, before
from staypower.schemas import SCHEMAS
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LATE", "REWRITTEN", "Rewritten", "late_columns", "rows_after", "undated_columns"]

# column -> the time column from whose instant it is known
LATE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "accounts": {"setup_completed_at": "setup_completed_at"},
        "tickets": {
            "first_response_at": "first_response_at",
            "resolved_at": "resolved_at",
            "reopened_at": "reopened_at",
            "priority": "resolved_at",
            "category": "resolved_at",
        },
        "surveys": {"answered_at": "answered_at", "value": "answered_at"},
        "subscriptions": {
            "ended_at": "ended_at",
            "cancel_requested_at": "cancel_requested_at",
            "end_reason": "ended_at",
        },
        "payments": {"refunded_at": "refunded_at"},
        "orders": {"returned_at": "returned_at"},
        "goals": {"met_at": "met_at"},
    }
)


@dataclass(frozen=True)
class Rewritten:
    """A value that is written over at a later instant.

    >>> REWRITTEN["payments"].earlier
    'paid'
    """

    column: str
    when: str  # the time column of that instant
    later: str | bool  # what stands there afterwards
    earlier: str | bool  # what stood there before


REWRITTEN: Mapping[str, Rewritten] = MappingProxyType(
    {
        "payments": Rewritten("status", "refunded_at", "refunded", "paid"),
        "orders": Rewritten("cancelled", "returned_at", True, False),
    }
)


def late_columns(table: Table) -> dict[str, str]:
    """Return the columns of a table that are filled in after their row, and the time from which each is known.

    >>> import pyarrow as pa
    >>> goals = pa.table({"account_id": ["a"], "met_at": pa.array([None], pa.timestamp("us", "UTC"))})
    >>> late_columns(Table(SCHEMAS["goals"], goals))
    {'met_at': 'met_at'}
    """
    named = {column.name: column.known_from for column in table.schema.columns if column.known_from}
    known = {**named, **LATE.get(table.name, {})}
    first = table.schema.times[0] if table.schema.times else ""
    return {
        column: when for column, when in known.items() if table.has(column) and column != first and column not in table.fixed
    }


def undated_columns(table: Table) -> list[str]:
    """Return the columns of which nobody knows since when they hold: nothing may be built from them.

    >>> import pyarrow as pa
    >>> undated_columns(Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"], "plan": ["x"]})))
    ['plan']
    """
    if table.has("valid_from"):
        return []
    mutable = {column.name for column in table.schema.columns if column.mutable and not column.known_from}
    if table.name == "accounts":
        mutable |= set(table.data.column_names) - set(SCHEMAS["accounts"].names)
    return [name for name in table.data.column_names if name in mutable and name not in table.fixed]


def rows_after(table: Table, cutoff: int, *, arrival: bool = False) -> NDArray[np.bool_]:
    """Say which rows are not known at a cutoff."""
    found = np.zeros(len(table), dtype=bool)
    if arrival:
        gates = [table.instants("known_at")] if table.has("known_at") else []
    else:
        gates = [table.own_instants()] + ([table.instants("valid_from")] if table.has("valid_from") else [])
    for gate in gates:
        found |= (gate != MISSING) & ~before(gate, cutoff)
    return found
