"""From when each value of a table is known, and check 7: columns for which no date in the data says so.

It repeats what the schemas of the tables say, on purpose: features trust the schemas, so an audit that only read them
would share their mistakes. What a schema says beyond this is used too. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from staypower.auditing.report import Case, Check
from staypower.cutoffs import MISSING, before
from staypower.features.definition import Feature
from staypower.features.streams.making import source_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LATE", "REWRITTEN", "Rewritten", "late_columns", "list_unproven", "rows_after", "undated_columns"]

_NAMED = 12

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
    """A value that is overwritten at a later instant.

    >>> REWRITTEN["payments"].earlier
    'paid'
    """

    column: str
    when: str  # the time column of that instant
    later: str | bool  # the value afterwards
    earlier: str | bool  # the value before


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
    """Return the columns for which no date says when a value became valid: nothing may be built from them.

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


@dataclass(frozen=True)
class _UnprovenColumns:
    """Columns that share a reason why nothing proves when they became known."""

    why: str
    columns: tuple[str, ...]


def list_unproven(case: Case) -> Check:
    """List the columns that no deletion of rows can test."""
    groups = [group for table in case.tables.values() for group in _groups(case, table)]
    plain = [definition for definition in case.dataset.catalogue.everything if isinstance(definition, Feature)]
    read = {f"{source_of(feature.table)}.{column}" for feature in plain for column in feature.columns}
    evidence = []
    for group in groups:
        used = sum(column in read for column in group.columns)
        mark = "" if used else " (no feature reads it directly)"
        more = f" and {len(group.columns) - _NAMED} more" if len(group.columns) > _NAMED else ""
        evidence.append(f"{', '.join(group.columns[:_NAMED])}{more}: {group.why}{mark}")
    if not evidence:
        return Check(
            "knowledge time", "passed", ("every column that is read and may change has a time from which it is known",)
        )
    columns = [column for group in groups for column in group.columns]
    return Check("knowledge time", "unproven", tuple(evidence), {"columns": columns})


def _groups(case: Case, table: Table) -> Iterator[_UnprovenColumns]:
    """Group a table's columns by why nothing proves when they became known."""
    if table.name == "accounts":
        yield from _attributes(case, table)
    elif table.name not in SCHEMAS:
        yield from _declared(case, table)
    else:
        yield from _fixed(table)
        yield from _flags(table)


def _attributes(case: Case, table: Table) -> Iterator[_UnprovenColumns]:
    if not table.has("valid_from"):
        names = [name for name in table.data.column_names if name in table.fixed and name not in case.hidden]
        if names:
            yield _group(table, names, "assumed constant over time (declared `static`)")
    flags = [name for name in case.hidden if table.has(name)]
    if flags:
        yield _group(table, flags, "the outcome, given without a date: nothing shows when the account left")


def _declared(case: Case, table: Table) -> Iterator[_UnprovenColumns]:
    names = [column.name for column in table.schema.columns if table.has(column.name) and column.name not in table.schema.times]
    if names and table.name not in case.hidden:
        yield _group(table, names, f"columns of a declared table: assumed known at `{table.schema.times[0]}`")


def _fixed(table: Table) -> Iterator[_UnprovenColumns]:
    """Name columns that could change, declared constant for the life of their row."""
    if table.has("valid_from"):
        return
    mutable = [column.name for column in table.schema.columns if column.mutable]
    names = [name for name in mutable if table.has(name) and name in table.fixed]
    if names:
        yield _group(table, names, f"declared `fixed`: assumed known at `{table.schema.times[0]}`")


def _flags(table: Table) -> Iterator[_UnprovenColumns]:
    """Name flags without the instant at which they were set."""
    if table.name == "orders" and table.has("cancelled") and ("cancelled" in table.fixed or not table.has("returned_at")):
        declared = "declared `fixed`" if "cancelled" in table.fixed else "a flag without `returned_at`"
        yield _group(table, ["cancelled"], f"{declared}: assumed known at the time of the order")
    if table.name == "payments" and table.has("status"):
        why = "nothing shows when a status last changed"
        if table.has("refunded_at"):
            why += "; refunds are known from `refunded_at`, other changes have no date"
        yield _group(table, ["status"], why)


def _group(table: Table, names: list[str], why: str) -> _UnprovenColumns:
    return _UnprovenColumns(why, tuple(f"{table.name}.{name}" for name in names))
