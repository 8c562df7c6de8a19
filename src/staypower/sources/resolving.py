"""How rows become tables: the data rules, applied to all accounts or to those of one bucket, and what is asked of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, instant_of
from staypower.errors import UsageError
from staypower.schemas import SCHEMAS
from staypower.sources.drafts import Draft, own_midnights, positions
from staypower.sources.extracting import ARROW_TYPES
from staypower.sources.rules import (
    REPEATED,
    clear_negative_durations,
    different_ids,
    drop_blank,
    drop_duplicates,
    drop_future,
    drop_unarrived,
    drop_unknown,
    name_early,
    name_exact_duplicates,
)
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

Moment = str | date | datetime | int


def drop_uncounted(draft: Draft, accounts: pa.Array | None) -> pa.Array:
    """Drop rows that count at no cutoff: without an account, a time or an arrival, or of an unknown account; return all ids."""
    drop_blank(draft)
    drop_unarrived(draft)
    ids = different_ids(draft.table.data.column("account_id"))
    if accounts is not None:
        drop_unknown(draft, accounts)
    return ids


def tidy(draft: Draft) -> None:
    """Apply the rules for rows that count."""
    clear_negative_durations(draft)
    drop_duplicates(draft)


def finish(
    given: Draft | None, drafts: Mapping[str, Draft], derive_from: str | None, until: int, *, thorough: bool
) -> list[Draft]:
    """Take out the future and resolve the accounts; a thorough look reports doubtful rows, too."""
    for draft in drafts.values():
        drop_future(draft, until)
    accounts = _resolve_accounts(given, drafts, derive_from)
    if thorough:
        if given is not None:
            drop_future(accounts, until)
        for draft in drafts.values():
            name_exact_duplicates(draft)
            name_early(draft, accounts.table)
    return [accounts, *drafts.values()]


def _resolve_accounts(given: Draft | None, drafts: Mapping[str, Draft], derive_from: str | None) -> Draft:
    """Keep one row for each given account, or make one for each id of the other tables."""
    chosen = [draft.table for name, draft in drafts.items() if derive_from in (None, name)]
    chosen = chosen or [draft.table for draft in drafts.values()]
    if given is None:
        return _derive_accounts(chosen)
    drop_blank(given)
    _first_per_account(given)
    if derive_from is not None:
        _fill_sign_up(given, _derive_accounts(chosen).table)
    given.table = replace(given.table, data=given.table.data.replace_schema_metadata(None))
    return given


def refuse_no_accounts(given: bool) -> UsageError:
    """Say that no account is left."""
    if given:
        return UsageError.of("there are no accounts", "tables.accounts", "check the source and `where`")
    fix = "check the sources, the ids, the times and `observed_until`: no row is left"
    return UsageError.of("there are no accounts", "tables", fix)


def refuse_circle(table: str) -> UsageError:
    """Say that the tables through which accounts are found lead back to the first."""
    return UsageError.of("keys go round in a circle", f"tables.{table}.key_via", "map `account_id` in one of the tables")


class AllRows(Protocol):
    """What is asked of all rows of one table, wherever they are."""

    @property
    def has_rows(self) -> bool:
        """Whether there is any row that counts."""

    def times(self) -> Sequence[str]:
        """Name the columns of the rows' own time that the table has."""

    def latest_arrival(self) -> int | None:
        """Return the last instant at which a row arrived."""

    def latest(self, limit: int | None) -> int | None:
        """Return the latest own instant, of the rows that are written at or before a limit."""

    def by_day(self, limit: int | None) -> Mapping[int, int]:
        """Count the rows of each day, as a number since 1970, of the rows that are written at or before a limit."""


# days without a row after which a few more are dated wrongly, and how many times longer than any earlier silence that is
_FAR, _LONGER = 90, 10
# of at most this share of the rows; fewer rows than these say nothing of a rhythm
_FEW, _LEAST = 0.01, 10


def last_near_day(rows: Mapping[int, int]) -> int:
    """Return the last day with rows, without a few that lie far after all others.

    Far is more than 90 days, and more than ten times the longest silence between the rows in the middle; a few are one in
    a hundred. Fewer than ten rows have no rhythm: all of them count.

    >>> last_near_day({**dict.fromkeys(range(100), 5), 30_000: 1})
    99
    >>> last_near_day({**dict.fromkeys(range(0, 3000, 365), 5), 3285: 1})
    3285
    """
    days = np.array(sorted(rows), dtype=np.int64)
    counts = np.array([rows[day] for day in days.tolist()], dtype=np.int64)
    total = int(counts.sum())
    if total < _LEAST:
        return int(days[-1])
    few, reached = max(1, int(total * _FEW)), np.cumsum(counts)
    middle = days[(reached > few) & (reached - counts < total - few)]
    far = max(_FAR, _LONGER * int(np.diff(middle).max(initial=0)))
    apart = (np.diff(days) > far) & (total - reached[:-1] <= few)
    return int(days[np.argmax(apart)]) if apart.any() else int(days[-1])


def _last_of_events(events: Iterable[AllRows], limit: int | None) -> int | None:
    """Return the latest own instant of all tables: no far-away time of a few rows decides when the data end."""
    found: list[tuple[int, int]] = []
    for each in events:
        last = each.latest(limit)
        if last is not None:
            rows = each.by_day(limit)
            near = (last_near_day(rows) + 1) * DAY - 1
            last = last if last <= near else each.latest(near if limit is None else min(near, limit))
            found.append((sum(rows.values()), last if last is not None else near))
    # a table of a handful of rows does not go far beyond all others
    most = max((last for rows, last in found if rows >= _LEAST), default=None)
    return _last([last for rows, last in found if most is None or rows >= _LEAST or last <= most + _FAR * DAY])


def end_of_observation(
    events: Mapping[str, AllRows], accounts: AllRows | None, given: Moment | None, as_of: Moment | None
) -> int:
    """Say until when the data were observed, as an exclusive instant."""
    exported = None if as_of is None else instant_of(as_of, end=True)
    if given is not None:
        until = instant_of(given, end=True)
        return until if exported is None else min(until, exported)
    limit = _last([each.latest_arrival() for each in events.values()]) if exported is None else exported - 1
    latest = _last_of_events(events.values(), limit)
    if latest is None and exported is not None:
        return exported
    if latest is None and accounts is not None and accounts.times():
        latest = _last_of_events([accounts], None)
    if latest is None:
        empty = ", ".join(name for name, each in events.items() if not each.has_rows)
        if empty:
            fix = "check the source, its `query` and `where`, and the ids: no row is read that has an account and a time"
            raise UsageError.of("the table has no rows", empty, fix)
        fix = "write until when the data were observed: `observed_until: 2025-12-31`"
        raise UsageError.of("no event has a time", "observed_until", fix)
    return latest + 1


def _last(found: Sequence[int | None]) -> int | None:
    return max((one for one in found if one is not None), default=None)


@dataclass(frozen=True)
class _DraftRows:
    """The rows of a table in memory."""

    draft: Draft

    @property
    def has_rows(self) -> bool:
        return len(self.draft.table) > 0

    def times(self) -> Sequence[str]:
        return [time for time in self.draft.table.schema.times if self.draft.table.has(time)]

    def latest_arrival(self) -> int | None:
        return _latest(self.draft.table.instants("known_at")) if self.draft.table.has("known_at") else None

    def latest(self, limit: int | None) -> int | None:
        return _latest(self._written_by(limit))

    def by_day(self, limit: int | None) -> Mapping[int, int]:
        own = self._written_by(limit)
        days, counts = np.unique(own[own != MISSING] // DAY, return_counts=True)
        return dict(zip(days.tolist(), counts.tolist(), strict=True))

    def _written_by(self, limit: int | None) -> NDArray[np.int64]:
        table = self.draft.table
        own = table.own_instants()
        if limit is not None:
            # a date is compared as written: its row may have arrived within that day
            return own[own_midnights(table) <= limit]
        return own[np.asarray(pc.is_valid(table.data.column("account_id")))] if table.name == "accounts" else own


def rows_of(draft: Draft) -> AllRows:
    """Let the rows of a table in memory be asked."""
    return _DraftRows(draft)


def _latest(instants: NDArray[np.int64]) -> int | None:
    latest = int(instants.max(initial=MISSING))
    return None if latest == MISSING else latest


def _derive_accounts(tables: Sequence[Table]) -> Draft:
    """Make one account per id, signed up at its first row."""
    days = all(set(table.schema.times) & set(table.data.column_names) <= table.date_only for table in tables)
    firsts = [
        _first_times(table.data.column("account_id"), own_midnights(table) if days else table.own_instants())
        for table in tables
    ]
    first, ids = _first_times(pa.chunked_array([ids for _, ids in firsts]), np.concatenate([times for times, _ in firsts]))
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


def _fill_sign_up(draft: Draft, derived: Table) -> None:
    """Let accounts without a sign-up begin with their first row."""
    table = draft.table
    place = positions(table.data.column("account_id"), derived.data.column("account_id").combine_chunks())
    first = derived.data.column("signed_up_at").take(pa.array(place, mask=place < 0))
    known = table.data.column("signed_up_at") if table.has("signed_up_at") else pa.nulls(len(table), ARROW_TYPES["time"])
    days = derived.date_only if not table.has("signed_up_at") else table.date_only & derived.date_only
    draft.put("signed_up_at", pc.coalesce(known, first))
    others = table.date_only - {"signed_up_at"}
    draft.table = replace(draft.table, derived=True, date_only=others | days)


def _first_per_account(draft: Draft) -> None:
    """Keep the first row of each account when there is no `valid_from`."""
    if draft.table.has("valid_from"):
        return
    first = np.zeros(len(draft.table), dtype=bool)
    first[np.unique(numbered(draft.table.data.column("account_id"))[0], return_index=True)[1]] = True
    if not first.all():
        fix = "name the column that says from when a row holds as `valid_from`, or fix the source"
        shown = tuple(dict.fromkeys(draft.shown("account_id", ~first)))
        draft.find("warning", "account_id", int((~first).sum()), "accounts given twice", "the first row is kept", fix, shown)
        draft.count(REPEATED, int((~first).sum()))
        draft.keep(first)
