"""Check 7: columns of which nothing in the data says since when they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from staypower.auditing.case import Case
from staypower.auditing.report import Check
from staypower.features.definition import Feature
from staypower.features.streams.making import source_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table

__all__ = ["list_unproven"]

_NAMED = 12


@dataclass(frozen=True)
class _Group:
    """Columns that share a reason."""

    why: str
    columns: tuple[str, ...]


def list_unproven(case: Case) -> Check:
    """List the columns that no deletion of rows can put to the test."""
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
            "knowledge time", "passed", ("every column that is read and may change names the instant it is known from",)
        )
    columns = [column for group in groups for column in group.columns]
    return Check("knowledge time", "unproven", tuple(evidence), {"columns": columns})


def _groups(case: Case, table: Table) -> Iterator[_Group]:
    """Group a table's columns by why nothing shows since when they hold."""
    if table.name == "accounts":
        yield from _attributes(case, table)
    elif table.name not in SCHEMAS:
        yield from _declared(case, table)
    else:
        yield from _fixed(table)
        yield from _flags(table)


def _attributes(case: Case, table: Table) -> Iterator[_Group]:
    if not table.has("valid_from"):
        names = [name for name in table.data.column_names if name in table.fixed and name not in case.hidden]
        if names:
            yield _group(table, names, "declared `static`: taken as known for ever, as they stood on the day of the export")
    flags = [name for name in case.hidden if table.has(name)]
    if flags:
        yield _group(table, flags, "the outcome, given without its instant: nothing says when the account left")


def _declared(case: Case, table: Table) -> Iterator[_Group]:
    names = [column.name for column in table.schema.columns if table.has(column.name) and column.name not in table.schema.times]
    if names and table.name not in case.hidden:
        yield _group(table, names, f"columns of a declared table: taken as known at `{table.schema.times[0]}`")


def _fixed(table: Table) -> Iterator[_Group]:
    """Name columns that could change, declared constant for the life of their row."""
    if table.has("valid_from"):
        return
    mutable = [column.name for column in table.schema.columns if column.mutable]
    names = [name for name in mutable if table.has(name) and name in table.fixed]
    if names:
        yield _group(table, names, f"declared `fixed`: taken as known at `{table.schema.times[0]}`")


def _flags(table: Table) -> Iterator[_Group]:
    """Name flags without the instant at which they were set."""
    if table.name == "orders" and table.has("cancelled") and ("cancelled" in table.fixed or not table.has("returned_at")):
        declared = "declared `fixed`" if "cancelled" in table.fixed else "a flag without `returned_at`"
        yield _group(table, ["cancelled"], f"{declared}: taken as known at the order's own time")
    if table.name == "payments" and table.has("status"):
        why = "nothing says when a status was last written"
        if table.has("refunded_at"):
            why += "; refunds are known from `refunded_at`, other changes are not"
        yield _group(table, ["status"], why)


def _group(table: Table, names: list[str], why: str) -> _Group:
    return _Group(why, tuple(f"{table.name}.{name}" for name in names))
