"""Read every source into canonical tables: open, plan, extract, join keys, apply the data rules, say what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from staypower.errors import Problem, UsageError, nearest
from staypower.schemas import SCHEMAS
from staypower.sources.aliases import aliases_of
from staypower.sources.alike_ids import name_alike_ids, written_ids
from staypower.sources.drafts import Draft, assemble, join_account
from staypower.sources.extracting import Extract, below_minimum, extract, name_left_attributes, plan_with_values
from staypower.sources.findings import Counted, Finding, add_up, refuse
from staypower.sources.opening import open_source
from staypower.sources.resolving import (
    Moment,
    drop_uncounted,
    end_of_observation,
    finish,
    refuse_circle,
    refuse_no_accounts,
    rows_of,
    tidy,
)
from staypower.sources.rules import no_rows_left
from staypower.sources.settings import Joins, TableSource, given_names, own_time, placed
from staypower.sources.surveys import check_words
from staypower.tables import Tables


def read_tables(
    sources: Mapping[str, Sequence[TableSource]],
    *,
    folder: Path,
    observed_until: Moment | None = None,
    as_of: Moment | None = None,
    objects: Mapping[str, object] | None = None,
    thorough: bool = True,
) -> tuple[Tables, tuple[Finding, ...]]:
    """Read every source into canonical tables in memory.

    Parameters
    ----------
    sources : mapping of str to sequence of TableSource
        For each canonical or declared table its sources; several are combined. Without `accounts` there is one
        account per id of the other tables.
    folder : Path
        What relative paths are relative to.
    observed_until : str, date, datetime, int or None, default None
        Until when the data were observed; a date counts to its end. None: the latest time of an event, after events dated
        later than the latest `known_at` (or `as_of`) are set aside.
    as_of : str, date, datetime, int or None, default None
        When the data were exported.
    objects : mapping of str to object or None, default None
        pandas, polars or Arrow tables that sources name.
    thorough : bool, default True
        Whether to look for what is kept though doubtful, too: repeated rows, rows before the sign-up, ids that look alike.

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
    given = drafts.pop("accounts", None)
    known = None if given is None else pc.unique(given.table.data.column("account_id")).drop_null()
    found = [one for lookup in reading.lookups for one in lookup.findings]
    ids = {name: drop_uncounted(draft, known) for name, draft in drafts.items()}
    refuse(one for draft in drafts.values() for one in check_words(draft))
    for name, draft in drafts.items():
        tidy(draft)
        if not len(draft.table):
            found.append(no_rows_left(name))
    rows = {name: rows_of(draft) for name, draft in drafts.items()}
    try:
        until = end_of_observation(rows, None if given is None else rows_of(given), observed_until, as_of)
    except UsageError:
        if known is not None:
            _refuse_strangers(drafts, name_alike_ids({**ids, "accounts": known}, written_ids(sources), derived=False))
        raise
    every = finish(given, drafts, reading.derive_from, until, thorough=thorough)
    accounts = every[0].table
    if not len(accounts):
        raise refuse_no_accounts(given is not None)
    if thorough:
        ids["accounts"] = pc.unique(accounts.data.column("account_id"))
        found += name_alike_ids(ids, written_ids(sources), derived=known is None)
    counted = [*(one for draft in every for one in draft.findings), *found]
    return Tables({draft.name: draft.table for draft in every}, until), add_up(counted)


def _refuse_strangers(drafts: Mapping[str, Draft], alike: Sequence[Counted]) -> None:
    """Refuse tables that were emptied because all their accounts are unknown, with what would find them."""
    fixes = {one.finding.table: one.finding.fix for one in alike}
    lost = [one for draft in drafts.values() for one in draft.findings if one.mostly and one.worded.severity == "error"]
    refuse(replace(one, finding=replace(one.worded, fix=fixes.get(one.finding.table, one.finding.fix))) for one in lost)


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
            if source.key_via in SCHEMAS and source.key_via not in sources:
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
    lookups: list[Draft] = field(default_factory=list)  # tables that only say which account an id belongs to

    @cached_property
    def joins(self) -> Joins:
        """How tables find their account through others."""
        return Joins.of(self.sources)

    @cached_property
    def aliases(self) -> pa.Table | None:
        """Which ids stand for another account."""
        return aliases_of(self.sources, self.folder, self.objects)

    @property
    def derive_from(self) -> str | None:
        """The table that accounts are derived from."""
        return derived_table(self.sources)

    def drafts(self) -> dict[str, Draft]:
        """Read, join and check every table."""
        if not any(self.sources.values()):
            raise UsageError.of("no table is given", "tables", "name at least one source, such as `usage: {source: usage.csv}`")
        self.problems.extend(name_problems(self.sources))
        for name, source, place in placed(self.sources):
            self.extract(name, source, place)
        drafts = {name: self.draft(name) for name in self.sources if self.sources[name]}
        if self.problems:
            raise UsageError(self.problems)
        found = {name: draft for name, draft in drafts.items() if draft is not None}
        kept = self.joins.without_lookups({name: [draft.table.data.column_names] for name, draft in found.items()})
        self.lookups = [draft for name, draft in found.items() if name not in kept]
        return {name: found[name] for name in kept}

    def extract(self, name: str, source: TableSource, place: str) -> None:
        try:
            with open_source(source, place, self.folder, self.objects, self.aliases, given_names(self.sources)) as opened:
                plan = plan_with_values(name, source, opened, place, self.joins)
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
                raise refuse_circle(name)
            via = self.draft(source.key_via, (*asked, name))
            if via is not None:
                join_account(name, found, via, self.joins.keys[source.key_via])
        draft = assemble(name, extracts, own_time(listed))
        self.made[name] = draft
        return draft


def _declares(source: TableSource) -> bool:
    return bool(source.columns) or source.time is not None
