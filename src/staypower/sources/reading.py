"""Read every source into canonical tables: open, plan, extract, join keys, apply the data rules, say what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from staypower.cutoffs import MISSING, instant_of
from staypower.errors import Problem, UsageError, nearest
from staypower.sources.accounts import derive_accounts, fill_sign_up, first_per_account, name_left_attributes
from staypower.sources.drafts import Draft, assemble, own_midnights
from staypower.sources.extracting import Extract, below_minimum, extract
from staypower.sources.findings import Finding
from staypower.sources.keys import drop_blank, drop_unknown, join_account, name_lookalikes
from staypower.sources.opening import open_source
from staypower.sources.planning import plan_source
from staypower.sources.rules import (
    clear_negative_durations,
    drop_duplicates,
    drop_future,
    drop_unarrived,
    name_early,
    name_exact_duplicates,
)
from staypower.sources.settings import TableSource
from staypower.sources.surveys import payment_problems, survey_problems
from staypower.tables import SCHEMAS, Tables

__all__ = ["Moment", "derived_table", "name_problems", "read_tables"]

Moment = str | date | datetime | int


def read_tables(
    sources: Mapping[str, Sequence[TableSource]],
    *,
    folder: Path,
    observed_until: Moment | None = None,
    as_of: Moment | None = None,
    objects: Mapping[str, object] | None = None,
) -> tuple[Tables, tuple[Finding, ...]]:
    """Read every source into canonical tables.

    Parameters
    ----------
    sources : mapping of str to sequence of TableSource
        For each canonical or declared table its sources; several are put under one another. Without `accounts` there is one
        account per id of the other tables.
    folder : Path
        What relative paths are relative to.
    observed_until : str, date, datetime, int or None, default None
        Until when the data were watched; a date counts to its end. None: the latest time of an event, after events dated
        later than the latest `known_at` (or `as_of`) are set aside.
    as_of : str, date, datetime, int or None, default None
        When the data were exported.
    objects : mapping of str to object or None, default None
        pandas, polars or Arrow tables that sources name.

    Returns
    -------
    tables : Tables
    findings : tuple of Finding
        What was dropped, made missing, kept though doubtful, or left out; counted.

    Raises
    ------
    UsageError
        When a source cannot be read or a value cannot be what its column says; every problem at once.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"customer": ["7", "8"], "day": ["2025-01-01", "2025-01-03"]})
    >>> source = TableSource.model_validate({"source": "rows", "account_id": "customer", "at": "day"})
    >>> tables, findings = read_tables({"usage": [source]}, folder=Path("."), objects={"rows": rows})
    >>> tables.account_ids
    ['7', '8']
    """
    reading = _Reading(sources, folder, dict(objects or {}))
    drafts = reading.drafts()
    accounts = drafts.pop("accounts", None)
    for draft in drafts.values():
        _settle_rows(draft, accounts)
    until = _until(drafts, accounts, observed_until, as_of)
    for draft in drafts.values():
        drop_future(draft, until)
    accounts = _settle_accounts(accounts, drafts, reading.derive_from, until)
    every = [accounts, *drafts.values()]
    for draft in drafts.values():
        name_exact_duplicates(draft)
        name_early(draft, accounts.table)
    name_lookalikes(accounts, pc.unique(accounts.table.data.column("account_id")))
    tables = Tables({draft.name: draft.table for draft in every}, until)
    return tables, tuple(finding for draft in every for finding in draft.findings)


def derived_table(sources: Mapping[str, Sequence[TableSource]]) -> str | None:
    """Name the table that accounts are derived from; None when none is named.

    >>> derived_table({"accounts": [TableSource(derive_from="orders")]})
    'orders'
    """
    return next((source.derive_from for source in sources.get("accounts", ()) if source.derive_from), None)


def name_problems(sources: Mapping[str, Sequence[TableSource]]) -> Iterator[Problem]:
    """Find references to tables that are not given."""
    derived_from = derived_table(sources)
    if derived_from is not None and derived_from not in sources:
        given = [name for name in sources if name != "accounts"]
        yield Problem("no such table", f"tables.accounts.derive_from: {derived_from}", nearest(derived_from, given))
    for name, listed in sources.items():
        if name not in SCHEMAS and not any(_declares(source) for source in listed):
            near = nearest(name, SCHEMAS)
            fix = f"{near}, or declare its columns with `columns: {{name: kind}}` if the table is your own"
            if near.startswith("write"):
                yield Problem("unknown table", f"tables.{name}", fix)
        for source in listed:
            if source.key_via is not None and source.key_via in SCHEMAS and source.key_via not in sources:
                value = f"tables.{name}.key_via: {source.key_via}"
                yield Problem("the table is not given", value, f"give `{source.key_via}` a source")


@dataclass
class _Reading:
    """Reads the sources of all tables, collecting their problems."""

    sources: Mapping[str, Sequence[TableSource]]
    folder: Path
    objects: Mapping[str, object]
    problems: list[Problem] = field(default_factory=list)
    extracts: dict[str, list[Extract]] = field(default_factory=dict)
    made: dict[str, Draft | None] = field(default_factory=dict)

    @property
    def derive_from(self) -> str | None:
        """The table that accounts are derived from."""
        return derived_table(self.sources)

    def drafts(self) -> dict[str, Draft]:
        """Read, join and check every table."""
        if not any(self.sources.values()):
            raise UsageError.of("no table is given", "tables", "name at least one source, such as `usage: {source: usage.csv}`")
        self.problems.extend(name_problems(self.sources))
        for name, listed in self.sources.items():
            for number, source in enumerate(listed):
                place = f"tables.{name}" + (f"[{number}]" if len(listed) > 1 else "")
                if not (name == "accounts" and source.derive_from and source.source is None):
                    self.extract(name, source, place)
        drafts = {name: self.draft(name) for name in self.sources if self.sources[name]}
        if self.problems:
            raise UsageError(self.problems)
        return {name: draft for name, draft in drafts.items() if draft is not None}

    def extract(self, name: str, source: TableSource, place: str) -> None:
        try:
            with open_source(source, place, self.folder, self.objects) as opened:
                plan = plan_source(name, source, opened, place)
                found = extract(name, source, opened, plan, place)
        except UsageError as error:
            self.problems.extend(error.problems)
            return
        below_minimum(name, found)
        if name == "accounts":
            name_left_attributes(found, plan, source)
        self.problems.extend(found.problems)
        self.extracts.setdefault(name, []).append(found)

    def draft(self, name: str, asked: tuple[str, ...] = ()) -> Draft | None:
        """Assemble a table once, after the tables that its keys go through."""
        if name in self.made:
            return self.made[name]
        extracts, listed = self.extracts.get(name, []), self.sources[name]
        if self.problems or not extracts:
            self.made[name] = None
            return None
        for source, found in zip(listed, extracts, strict=True):
            if source.key_via is None:
                continue
            if source.key_via in (*asked, name):
                raise UsageError.of(
                    "keys go round in a circle", f"tables.{name}.key_via", "map `account_id` in one of the tables"
                )
            via = self.draft(source.key_via, (*asked, name))
            if via is not None:
                join_account(name, found, via)
        own_time = next((source.time for source in listed if source.time), "at")
        draft = assemble(name, extracts, own_time)
        check: Callable[[Draft], list[Problem]] | None = {"surveys": survey_problems, "payments": payment_problems}.get(name)
        self.problems.extend(check(draft) if check is not None else [])
        self.made[name] = draft
        return draft


def _declares(source: TableSource) -> bool:
    return bool(source.columns) or source.time is not None


def _settle_rows(draft: Draft, accounts: Draft | None) -> None:
    """Apply the rules that need no knowledge of the other events."""
    drop_blank(draft)
    drop_unarrived(draft)
    if accounts is not None:
        ids = pc.unique(accounts.table.data.column("account_id")).drop_null()
        name_lookalikes(draft, ids)
        drop_unknown(draft, ids)
    clear_negative_durations(draft)
    drop_duplicates(draft)
    if not len(draft.table):
        meaning = "its features are missing for every account"
        draft.find("error", "", 0, "no rows are left", meaning, "check the source, `where` and the ids")


def _until(drafts: Mapping[str, Draft], accounts: Draft | None, told: Moment | None, as_of: Moment | None) -> int:
    """Say until when the data were watched, as an exclusive instant."""
    if told is not None:
        watched = instant_of(told, end=True)
        return watched if as_of is None else min(watched, instant_of(as_of, end=True))
    limit = instant_of(as_of, end=True) - 1 if as_of is not None else _latest_arrival(drafts)
    times = []
    for draft in drafts.values():
        own = draft.table.own_instants()
        # a date is compared as written: its row may have arrived within that day
        kept = own if limit is None else own[own_midnights(draft.table) <= limit]
        times.append(int(kept.max(initial=MISSING)))
    latest = max(times, default=MISSING)
    if latest == MISSING and as_of is not None:
        return instant_of(as_of, end=True)
    if latest == MISSING and accounts is not None and accounts.table.has("signed_up_at"):
        named = np.asarray(pc.is_valid(accounts.table.data.column("account_id")))
        latest = int(accounts.table.instants("signed_up_at")[named].max(initial=MISSING))
    if latest == MISSING:
        empty = ", ".join(name for name, draft in drafts.items() if not len(draft.table))
        if empty:
            raise UsageError.of("the table has no rows", empty, "check the source and its `where`: only a header was found")
        raise UsageError.of(
            "no event has a time", "observed_until", "write until when the data were watched: `observed_until: 2025-12-31`"
        )
    return latest + 1


def _latest_arrival(drafts: Mapping[str, Draft]) -> int | None:
    arrivals = [draft.table.instants("known_at") for draft in drafts.values() if draft.table.has("known_at")]
    latest = max((int(times.max(initial=MISSING)) for times in arrivals), default=MISSING)
    return None if latest == MISSING else latest


def _settle_accounts(given: Draft | None, drafts: Mapping[str, Draft], derive_from: str | None, until: int) -> Draft:
    """Settle the given accounts, or make one per id of the other tables."""
    chosen = [drafts[derive_from]] if derive_from is not None and derive_from in drafts else list(drafts.values())
    if given is None:
        return derive_accounts([draft.table for draft in chosen])
    drop_blank(given)
    first_per_account(given)
    if derive_from is not None:
        fill_sign_up(given, derive_accounts([draft.table for draft in chosen]).table)
    drop_future(given, until)
    if not len(given.table):
        raise UsageError.of("there are no accounts", "tables.accounts", "check the source and `where`")
    given.table = replace(given.table, data=given.table.data.replace_schema_metadata(None))
    return given
