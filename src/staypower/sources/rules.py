"""The data rules: what is dropped, what becomes missing, what is kept and named. Each is counted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING, comparable, text_of, whole_days
from staypower.hashing import count_repeats, mix_in, numbers_of_texts
from staypower.sources.drafts import Draft, positions
from staypower.sources.findings import Counted, Finding
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns that cannot be before the row's own start; one that does becomes missing.
LATER_COLUMNS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tickets": ("opened_at", ("first_response_at", "resolved_at", "reopened_at")),
        "surveys": ("sent_at", ("answered_at",)),
        "subscriptions": ("started_at", ("ended_at",)),
        "payments": ("at", ("refunded_at",)),
        "orders": ("at", ("returned_at",)),
        "goals": ("set_at", ("met_at",)),
    }
)

# what `Table.changed` calls the rules that the gate looks at
REPEATED, FUTURE, IMPOSSIBLE = "repeated", "future", "impossible "


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
        draft.find("warning", column, int(timeless.sum()), "rows without a time", "dropped: no date says when they were known")
        draft.keep(~timeless)


def drop_unknown(draft: Draft, accounts: pa.Array) -> None:
    """Drop rows of accounts that `accounts` does not have."""
    numbers, words = numbered(draft.table.data.column("account_id"))
    strangers = positions(pa.chunked_array([words]), accounts) < 0
    if not strangers.any():
        draft.findings.append(unknown_accounts(draft.name, 0, len(draft.table), 0))
        return
    unknown = np.append(strangers, False)[numbers]
    count = len(np.unique(numbers[unknown]))
    shown = tuple(dict.fromkeys(draft.shown("account_id", unknown, 20)))[:3]
    draft.findings.append(unknown_accounts(draft.name, int(unknown.sum()), len(unknown), count, shown))
    draft.keep(~unknown)


def unknown_accounts(table: str, rows: int, total: int, accounts: int, shown: tuple[str, ...] = ()) -> Counted:
    """Say that rows are of accounts that `accounts` does not have; an error when most rows are."""
    problem, fix = (
        "rows of {accounts} not in `accounts`",
        "complete accounts, fix the ids, or list accounts that were merged under `aliases`",
    )
    finding = Finding("warning", table, "account_id", rows, problem, "dropped", fix, shown)
    return Counted(finding, total, accounts, mostly=True)


def no_rows_left(table: str) -> Counted:
    """Say that a table has no rows."""
    meaning, fix = "its features are missing for every account", "check the source, `where` and the ids"
    return Counted(Finding("error", table, "", 0, "no rows are left", meaning, fix))


def different_ids(ids: pa.ChunkedArray) -> pa.Array:
    """Return each id once."""
    numbers, words = numbered(ids)
    there = np.zeros(len(words) + 1, dtype=bool)
    there[numbers] = True
    return words.filter(pa.array(there[:-1]))


def drop_unarrived(draft: Draft) -> None:
    """Drop rows without `known_at` where the table has it: no date says when they were known."""
    if not draft.table.has("known_at"):
        return
    blank = draft.table.instants("known_at") == MISSING
    if blank.any():
        meaning = "dropped: no date says when they were known"
        draft.find("warning", "known_at", int(blank.sum()), "rows without `known_at`", meaning, "fill them in at the source")
        draft.keep(~blank)


def clear_negative_durations(draft: Draft) -> None:
    """Make a later time before its start missing."""
    table = draft.table
    start, ends = LATER_COLUMNS.get(draft.name, ("", ()))
    for end in ends:
        if not table.has(start, end):
            continue
        days = (start in table.date_only) != (end in table.date_only)
        first, last = comparable(table.midnights(start), table.midnights(end), days=days)
        negative = (first != MISSING) & (last != MISSING) & (last < first)
        if negative.any():
            meaning = f"`{end}` is taken as missing in these rows"
            if end == "ended_at":
                meaning += ": they count as still running"
            problem = f"`{end}` before `{start}`"
            draft.find("warning", end, int(negative.sum()), problem, meaning, "fix the source", draft.shown(end, negative))
            draft.count(f"{IMPOSSIBLE}{end}", int(negative.sum()))
            draft.clear(end, negative)


def drop_duplicates(draft: Draft) -> None:
    """Keep the first known row of each declared id."""
    table, key = draft.table, draft.table.schema.row_id
    if draft.repeated is not None:
        # they were named when all rows were asked
        draft.count(REPEATED, int(draft.repeated.sum()))
        draft.keep(~draft.repeated)
        return
    if key is None or not table.has(key):
        return
    codes = _codes(table, key)
    version = table.schema.version
    if version is not None and table.has(version):
        both = np.stack([codes, table.midnights(version)])
        codes = np.where(codes < 0, -1, np.unique(both, axis=1, return_inverse=True)[1])
    counts = np.bincount(codes[codes >= 0], minlength=1)
    repeated = np.flatnonzero((codes >= 0) & (counts[np.maximum(codes, 0)] > 1))
    if not len(repeated):
        return
    order = repeated[np.lexsort((repeated, _known(table)[repeated], codes[repeated]))]
    later = np.zeros(len(table), dtype=bool)
    later[order[1:][codes[order[1:]] == codes[order[:-1]]]] = True
    holders = np.unique(np.stack([codes[repeated], _codes(table, "account_id")[repeated]]), axis=1)[0]
    across = int((np.unique(holders, return_counts=True)[1] > 1).sum())
    shown = tuple(dict.fromkeys(draft.shown(key, later)))
    draft.findings.append(repeated_ids(draft.name, key, int(later.sum()), across, shown))
    draft.count(REPEATED, int(later.sum()))
    draft.keep(~later)


def repeated_ids(table: str, key: str, rows: int, across: int, shown: tuple[str, ...]) -> Counted:
    """Say that rows have an id that another row had before them."""
    meaning = "the first known row of each is kept"
    if across:
        meaning += f"; {across:,} of these ids appear under several accounts"
    fix = f"leave `{key}` out if it does not name a row"
    return Counted(Finding("warning", table, key, rows, "rows whose id was there before", meaning, fix, shown))


def _codes(table: Table, column: str) -> NDArray[np.int64]:
    return numbered(table.data.column(column))[0].astype(np.int64)


def _known(table: Table) -> NDArray[np.int64]:
    """Say when each row was known: its own time, or its arrival when that is later."""
    own = table.own_instants()
    return np.maximum(own, table.instants("known_at")) if table.has("known_at") else own


def name_exact_duplicates(draft: Draft) -> None:
    """Name rows that are equal in every column where no id distinguishes them; they are kept, since they may be real."""
    table, key = draft.table, draft.table.schema.row_id
    if (key is not None and table.has(key)) or not len(table):
        return
    count = repeated_rows(table)
    if count:
        fix = (
            f"map `{key}`, so that repeats can be distinguished from real rows"
            if key
            else "drop them in the source if they are not real"
        )
        draft.find("warning", "", count, "rows that repeat another in every column read", "kept: they may be real", fix)


def repeated_rows(table: Table) -> int:
    """Count rows that are equal to another in every column; most tables have no two of one account at one time."""
    rows = np.zeros(len(table), dtype=np.int64)
    telling = [name for name in ("account_id", *table.schema.times) if table.has(name)]
    for column in telling:
        mix_in(rows, _as_numbers(table, column))
    count = count_repeats(rows)
    others = [name for name in table.data.column_names if name not in telling]
    if not count or not others:
        return count
    for column in others:
        mix_in(rows, _as_numbers(table, column))
    return count_repeats(rows)


def _as_numbers(table: Table, column: str) -> NDArray[np.int64]:
    """Give equal values of a column equal numbers, whatever they are."""
    stored = table.data.column(column).type
    if pa.types.is_string(stored):
        return numbers_of_texts(table.data.column(column))
    if pa.types.is_timestamp(stored):
        return table.midnights(column)
    if pa.types.is_dictionary(stored):
        return numbered(table.data.column(column))[0].astype(np.int64)
    # plus zero: -0 is 0; a missing number is one that no column holds
    return (table.numbers(column) + 0.0).view(np.int64)


def drop_future(draft: Draft, observed_until: int) -> None:
    """Take out rows dated later than the data were observed; accounts stay, since each is asked for by name."""
    table = draft.table
    times = table.own_instants() if draft.name != "accounts" else _signed_up(table)
    if draft.name != "accounts" and table.has("valid_from"):
        times = np.maximum(times, table.instants("valid_from"))
    future = (times != MISSING) & (times >= observed_until)
    if not future.any():
        return
    column = _own(table)
    problem = f"rows dated after {text_of(observed_until - 1)[:10]}, the end of the observed data"
    meaning = "invisible at every cutoff" if draft.name != "accounts" else "kept: such accounts are not customers yet"
    fix = "fix the dates, or write a later `observed_until`"
    draft.find("warning", column, int(future.sum()), problem, meaning, fix, [text[:19] for text in draft.shown(column, future)])
    if draft.name != "accounts":
        draft.count(FUTURE, int(future.sum()))
        draft.keep(~future)


def _signed_up(table: Table) -> NDArray[np.int64]:
    if not table.has("signed_up_at"):
        return np.full(len(table), MISSING, dtype=np.int64)
    return table.instants("signed_up_at")


def name_early(draft: Draft, accounts: Table) -> None:
    """Name rows before their account signed up; they are kept, and tenure-like values are missing there."""
    if not accounts.has("signed_up_at") or not len(accounts):
        return
    table = draft.table
    numbers, words = numbered(table.data.column("account_id"))
    place = positions(pa.chunked_array([words]), accounts.data.column("account_id").combine_chunks())
    # the last entries are for accounts that are not there
    signed_up = np.append(np.append(accounts.midnights("signed_up_at"), MISSING)[place], MISSING)
    early, timed = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    for own in (time for time in table.schema.times if table.has(time)):
        times = table.midnights(own)
        # where only one of them has a clock whole days are compared: an earlier day is before the day
        days = (own in table.date_only) != ("signed_up_at" in accounts.date_only)
        starts = whole_days(signed_up) if days else signed_up
        found = times < starts[numbers]
        if found.any() or timed.any():
            early |= found & ~timed & (times != MISSING)
        timed |= times != MISSING
    if len(table):
        share = "rows before the account signed up, {share} of the table"
        meaning = "kept; tenure-like values are missing where they would be negative"
        shown = draft.shown("account_id", early)
        fix = "fix `signed_up_at`, or the dates"
        draft.find("warning", _own(table), int(early.sum()), share, meaning, fix, shown, total=len(table))


def _own(table: Table) -> str:
    return next((time for time in table.schema.times if table.has(time)), "")
