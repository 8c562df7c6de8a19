"""Account keys: found through another table, blank, unknown, or nearly the same as another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING
from staypower.sources.drafts import Draft, assemble
from staypower.sources.extracting import Extract
from staypower.sources.findings import Finding, Severity
from staypower.tables import SCHEMAS, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["comparable", "drop_blank", "drop_unknown", "join_account", "name_lookalikes", "positions", "whole_days"]

# More unknown accounts than known ones: the wrong column is mapped.
_MOSTLY = 0.5


def positions(ids: pa.ChunkedArray, known: pa.Array) -> NDArray[np.int64]:
    """Find each id among the known ones: its place, -1 where it is not there.

    >>> positions(pa.chunked_array([["b", "x"]]), pa.array(["a", "b"])).tolist()
    [1, -1]
    """
    if pa.types.is_dictionary(ids.type):
        numbers, words = numbered(ids)
        return np.append(positions(pa.chunked_array([words]), known), -1)[numbers]
    found = pc.fill_null(pc.index_in(ids, value_set=_written_out(known)), -1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _written_out(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.string()) if pa.types.is_dictionary(texts.type) else texts


def comparable(
    first: NDArray[np.int64], second: NDArray[np.int64], *, days: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bring two times to whole days when one of them has no clock, since more is not known.

    >>> comparable(np.array([DAY + 5]), np.array([DAY]), days=True)[0].tolist()
    [86400000000]
    """
    if not days:
        return first, second
    return whole_days(first), whole_days(second)


def whole_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring times to the beginning of their UTC day.

    >>> whole_days(np.array([DAY + 5, MISSING])).tolist() == [DAY, MISSING]
    True
    """
    return np.where(times == MISSING, MISSING, times // DAY * DAY)


def join_account(name: str, extract: Extract, via: Draft) -> None:
    """Find `account_id` through the id of another table, and name rows older than what they belong to."""
    key = SCHEMAS[via.name].row_id or ""
    codes = numbered(via.table.data.column(key))[0]
    order = np.argsort(codes, kind="stable")
    numbers, first = np.unique(codes[order], return_index=True)
    rows = order[first][numbers >= 0]
    place = positions(extract.data.column(key), via.table.data.column(key).take(pa.array(rows)).combine_chunks())
    taken = pa.array(np.where(place >= 0, rows[np.maximum(place, 0)] if len(rows) else 0, 0), mask=place < 0)
    accounts = via.table.data.column("account_id").take(taken)
    lost = accounts.null_count
    if lost:
        problem = f"rows whose `{key}` is not in {via.name}"
        shown = tuple(str(value) for value in pc.unique(extract.data.column(key).filter(pc.is_null(accounts)))[:3].to_pylist())
        fix = f"complete {via.name}, or fix the ids"
        extract.findings.append(Finding("warning", name, key, lost, problem, "dropped", fix, shown))
    kept = pc.is_valid(accounts)
    starts = _starts(via, np.asarray(taken.fill_null(0)), np.asarray(kept))
    extract.data = extract.data.append_column("account_id", accounts).filter(kept)
    extract.kinds["account_id"] = "id"
    if name in SCHEMAS and SCHEMAS[name].column(key) is None:
        extract.data = extract.data.drop_columns([key])
        del extract.kinds[key]
    _name_early(name, extract, via, starts)
    _name_shared(via, codes)


def _starts(via: Draft, rows: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    column = SCHEMAS[via.name].times[0]
    return via.table.midnights(column)[rows[kept]] if via.table.has(column) else np.full(int(kept.sum()), MISSING)


def _name_early(name: str, extract: Extract, via: Draft, starts: NDArray[np.int64]) -> None:
    """Name rows that come before the thing they belong to has started."""
    table, start = assemble(name, [extract]).table, SCHEMAS[via.name].times[0]
    own = next((column for column in table.schema.times if table.has(column)), None)
    if own is None:
        return
    days = (own in table.date_only) != (start in via.table.date_only)
    times, starts = comparable(table.midnights(own), starts, days=days)
    early = (times != MISSING) & (starts != MISSING) & (times < starts)
    if early.any():
        problem = f"rows before the start of the {via.name[:-1]} that they belong to"
        meaning = f"kept: they count as activity of the account, although {via.name}.{start} says otherwise"
        extract.findings.append(Finding("warning", name, own, int(early.sum()), problem, meaning, "fix one of the two dates"))


def _name_shared(via: Draft, codes: NDArray[np.int32]) -> None:
    """Name ids of the joining table that belong to several accounts."""
    accounts = numbered(via.table.data.column("account_id"))[0]
    pairs = np.unique(np.stack([codes, accounts]), axis=1)
    known = pairs[:, (pairs[0] >= 0) & (pairs[1] >= 0)]
    shared = int((np.unique(known[0], return_counts=True)[1] > 1).sum())
    problem = "ids that belong to several accounts"
    if shared and not any(finding.problem == problem for finding in via.findings):
        via.find("warning", SCHEMAS[via.name].row_id or "", shared, problem, "rows found through them go to the first account")


def drop_blank(draft: Draft) -> None:
    """Drop rows without an account, and event rows without any time."""
    blank = np.asarray(pc.is_null(draft.table.data.column("account_id")))
    if blank.any():
        draft.find("warning", "account_id", int(blank.sum()), "blank ids", "dropped", "fill them in at the source")
        draft.keep(~blank)
    if draft.name == "accounts":
        return
    timeless = draft.table.own_instants() == MISSING
    if timeless.any():
        column = next((time for time in draft.table.schema.times if draft.table.has(time)), draft.table.schema.times[0])
        draft.find("warning", column, int(timeless.sum()), "rows without a time", "dropped: nobody knows when they were known")
        draft.keep(~timeless)


def drop_unknown(draft: Draft, accounts: pa.Array) -> None:
    """Drop rows of accounts that `accounts` does not have."""
    numbers, words = numbered(draft.table.data.column("account_id"))
    strangers = positions(pa.chunked_array([words]), accounts) < 0
    unknown = np.append(strangers, False)[numbers] if strangers.any() else np.zeros(0, dtype=bool)
    if unknown.any():
        count = len(np.unique(numbers[unknown]))
        problem = f"rows of {count:,} {'account that is' if count == 1 else 'accounts that are'} not in accounts"
        shown = tuple(dict.fromkeys(draft.shown("account_id", unknown, 20)))[:3]
        severity: Severity = "error" if unknown.mean() > _MOSTLY else "warning"
        draft.find(severity, "account_id", int(unknown.sum()), problem, "dropped", "complete accounts, or fix the ids", shown)
        draft.keep(~unknown)


def _different(ids: pa.ChunkedArray) -> pa.Array:
    """Return each id once."""
    numbers, words = numbered(ids)
    there = np.zeros(len(words) + 1, dtype=bool)
    there[numbers] = True
    return words.filter(pa.array(there[:-1]))


def name_lookalikes(draft: Draft, accounts: pa.Array) -> None:
    """Name ids that differ from a known one only in leading zeros, case or surrounding blanks; they are not merged."""
    ids = _different(draft.table.data.column("account_id"))
    every = pc.unique(pa.chunked_array([accounts.cast(pa.string()), ids]))
    folded = pc.utf8_ltrim(pc.utf8_lower(pc.utf8_trim_whitespace(every)), characters="0").dictionary_encode().indices
    codes = np.asarray(folded)
    alike = np.bincount(codes, minlength=1)[codes] > 1 if len(codes) else np.zeros(0, dtype=bool)
    mine = np.asarray(pc.is_in(every, value_set=ids))
    # only groups that hold an id of this table
    touched = np.isin(codes, codes[mine]) & alike
    if touched.any():
        order = np.argsort(codes[touched], kind="stable")[:4]
        shown = [repr(value) for value in every.filter(pa.array(touched)).take(pa.array(order)).to_pylist()]
        problem = f"{int(touched.sum()):,} ids that differ only in leading zeros, case or surrounding blanks"
        fix = "if they are one account, write one of `trim(id)`, `lower(id)`, or fix the source"
        draft.find("warning", "account_id", 0, problem, "taken as different accounts", fix, shown)
