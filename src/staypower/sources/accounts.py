"""Accounts: one row each, or derived from what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.schemas import SCHEMAS
from staypower.sources.drafts import Draft, own_midnights
from staypower.sources.extracting import ARROW_TYPES, Extract
from staypower.sources.findings import Counted, Finding
from staypower.sources.keys import positions
from staypower.sources.planning import Plan
from staypower.sources.settings import TableSource
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["derive_accounts", "fill_sign_up", "first_per_account", "name_left_attributes"]


def derive_accounts(tables: Sequence[Table]) -> Draft:
    """Make one account per id, signed up at its first row."""
    days = all(set(table.schema.times) & set(table.data.column_names) <= table.date_only for table in tables)
    told = [
        _first_times(table.data.column("account_id"), own_midnights(table) if days else table.own_instants())
        for table in tables
    ]
    first, ids = _first_times(pa.chunked_array([ids for _, ids in told]), np.concatenate([times for times, _ in told]))
    data = pa.table({"account_id": ids, "signed_up_at": pa.array(first).cast(ARROW_TYPES["time"])}).sort_by("account_id")
    date_only = frozenset({"signed_up_at"}) if days else frozenset[str]()
    draft = Draft(Table(SCHEMAS["accounts"], data, date_only=date_only, derived=True))
    meaning = "signed up at their first row at the latest; tenure counts from there"
    problem = f"{{accounts}} derived from {', '.join(table.name for table in tables)}"
    draft.find("note", "", 0, problem, meaning, accounts=len(first))
    return draft


def _first_times(ids: pa.ChunkedArray, times: NDArray[np.int64]) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the earliest time of each id, and the ids."""
    numbers, words = numbered(ids)
    first = np.full(len(words), np.iinfo(np.int64).max)
    np.minimum.at(first, numbers, times)
    there = np.zeros(len(words), dtype=bool)
    there[numbers] = True
    # a word of which no row is left is no account
    return first[there], words.filter(pa.array(there))


def fill_sign_up(draft: Draft, derived: Table) -> None:
    """Let accounts without a sign-up begin with their first row."""
    table = draft.table
    place = positions(table.data.column("account_id"), derived.data.column("account_id").combine_chunks())
    first = derived.data.column("signed_up_at").take(pa.array(place, mask=place < 0))
    known = table.data.column("signed_up_at") if table.has("signed_up_at") else pa.nulls(len(table), ARROW_TYPES["time"])
    days = derived.date_only if not table.has("signed_up_at") else table.date_only & derived.date_only
    draft.put("signed_up_at", pc.coalesce(known, first))
    others = table.date_only - {"signed_up_at"}
    draft.table = replace(draft.table, derived=True, date_only=others | days)


def first_per_account(draft: Draft) -> None:
    """Keep the first row of each account when there is no `valid_from`."""
    if draft.table.has("valid_from"):
        return
    first = np.zeros(len(draft.table), dtype=bool)
    first[np.unique(numbered(draft.table.data.column("account_id"))[0], return_index=True)[1]] = True
    if not first.all():
        fix = "name the column that says from when a row holds as `valid_from`, or fix the source"
        shown = tuple(dict.fromkeys(draft.shown("account_id", ~first)))
        draft.find("warning", "account_id", int((~first).sum()), "accounts given twice", "the first row is kept", fix, shown)
        draft.keep(first)


def name_left_attributes(found: Extract, plan: Plan, source: TableSource) -> None:
    """Say which attributes are not used, and make those with `valid_from` usable."""
    attributes = [name for name in found.kinds if name not in SCHEMAS["accounts"].names]
    if "valid_from" in found.kinds:
        found.usable = frozenset(attributes)
    unused = [name for name in attributes if name not in found.usable]
    meaning = "dropped: no date says when this value became valid"
    fix = "list those that never change under `static:`, or give rows with `valid_from`"
    for name in (name for name in unused if name not in source.leave_out):
        found.findings.append(Counted(Finding("note", "accounts", name, 0, "an attribute that may change", meaning, fix)))
    left = [name for name in plan.left if name not in source.leave_out]
    if left:
        problem = f"{len(left)} source {'column is' if len(left) == 1 else 'columns are'} not read"
        found.findings.append(Counted(Finding("note", "accounts", "", 0, problem, "left out", fix, tuple(left[:12]))))
