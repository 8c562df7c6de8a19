"""Tables on disk in hashed buckets of accounts: each bucket read by itself is what the whole would be for its accounts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.hashing import buckets_of
from staypower.schemas import SCHEMAS, Kind
from staypower.sources.alike_ids import name_alike_ids
from staypower.sources.bucket_files import ENDING, index_of, join_parts, read_bucket
from staypower.sources.drafts import Draft, assemble, keep_found
from staypower.sources.extracting import ARROW_TYPES, Extract, below_minimum, not_finite, texts_as_numbers
from staypower.sources.findings import Counted, merge, refuse
from staypower.sources.parquet_files import NUMBERED_TABLES
from staypower.sources.resolving import drop_uncounted, finish, tidy
from staypower.sources.settings import JoinKey
from staypower.sources.surveys import CHECKED, check_words
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
BUCKET = "bucket"
# no source column's canonical name holds a blank
ROW = "row number"
# what is kept of rows that were found through another table: the key and when what it names began
VIA_KEY, VIA_START = "via key", "via start"


@dataclass(frozen=True)
class StoredSource:
    """What is known of one source of a table on disk."""

    folder: str  # where its rows are, under the folder of the tables
    kinds: Mapping[str, Kind]
    date_only: tuple[str, ...]  # time columns without a clock in the whole table
    usable: tuple[str, ...]  # columns declared fixed, or static attributes
    texts: tuple[str, ...] = ()  # numbers that are still texts
    decimal: str = "."  # the decimal mark in those
    via: JoinKey | None = None  # the id of another table through which the account was found
    via_dated: bool = False  # whether that table's own time has no clock
    first: int = 0  # number of its first row in the table


@dataclass(frozen=True)
class StoredTable:
    """What is known of a table on disk."""

    name: str
    own_time: str  # the time column of a declared table
    sources: tuple[StoredSource, ...]
    repeats: str = ""  # folder of the rows that repeat an id; empty when there are none
    rows: int = 0  # how many rows count at some cutoff
    first: int | None = None  # instant of the earliest of them
    complete: bool = False  # whether every row in the files has a time, and an account that is known

    def only(self, columns: Collection[str]) -> StoredTable:
        """Return the same table with some of its columns."""
        sources = []
        for source in self.sources:
            kinds = {name: kind for name, kind in source.kinds.items() if name in columns}
            if ROW in columns:
                kinds[ROW] = "number"
            sources.append(replace(source, kinds=kinds, via=None))
        return replace(self, sources=tuple(sources))

    @property
    def columns(self) -> set[str]:
        """Names of its columns."""
        return {name for source in self.sources for name in source.kinds}

    @property
    def times(self) -> list[str]:
        """Names of the columns of its rows' own time."""
        own = SCHEMAS[self.name].times if self.name in SCHEMAS else (self.own_time,)
        return [name for name in own if name in self.columns]


@dataclass(frozen=True)
class DiskTables(BucketedTables):
    """The tables of one company on disk, cut into buckets of accounts.

    All rows of an account are in one bucket. What a rule needs to know of other accounts (until when the data were observed,
    which row of an id was the first, whether a column has a clock) was asked once for all buckets.
    """

    folder: Path  # written by `write_buckets`
    observed_until: int
    holding: tuple[int, ...]  # numbers of the buckets that hold accounts
    listed: Mapping[str, StoredTable]  # every table that was given
    derive_from: str | None = None  # the table that accounts are derived from
    hashed: int = 0  # how many buckets there are, those without accounts included

    @property
    def buckets(self) -> tuple[int, ...]:
        """Numbers of the buckets that hold accounts."""
        return self.holding

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables that were given."""
        return tuple(self.listed)

    @cached_property
    def empty(self) -> Tables:
        """The tables without their rows: which columns there are, and what is known about them."""
        first = self.bucket(self.buckets[0])
        return first.empty

    def of_accounts(self, accounts: Collection[str]) -> DiskTables:
        """Return the buckets that these accounts are in."""
        ids = pa.chunked_array([pa.array(list(accounts), pa.string())])
        there = set(buckets_of(ids, self.hashed).tolist())
        return replace(self, holding=tuple(number for number in self.holding if number in there))

    def row_count(self, name: str) -> int:
        """Return how many rows of a table count."""
        return self.listed[name].rows

    def first_instant(self, name: str) -> int | None:
        """Return the instant of the earliest row of a table."""
        return self.listed[name].first

    def bucket(self, number: int, only: Collection[str] | None = None) -> Tables:
        """Read one bucket."""
        wanted = [name for name in self.listed if only is None or name in only or "accounts" not in self.listed]
        if only is not None and self.derive_from is not None and self.derive_from not in wanted:
            wanted.append(self.derive_from)
        given, drafts = self.drafts(wanted, number)
        refuse(one for draft in drafts.values() for one in check_words(draft))
        for draft in drafts.values():
            tidy(draft)
        accounts, *others = finish(given, drafts, self.derive_from, self.observed_until, thorough=False)
        kept = [accounts, *(draft for draft in others if only is None or draft.name in only)]
        return Tables({draft.name: draft.table for draft in kept}, self.observed_until)

    def findings(self, written: Mapping[str, str]) -> list[Counted]:
        """Look at all rows, bucket by bucket, and return what the data rules find; `written` says how mappings write the id."""
        found: list[Counted] = []
        ids: dict[str, list[pa.Array]] = {name: [] for name in ("accounts", *self.listed)}
        for number in range(self.hashed):
            given, drafts = self.drafts(self.listed, number, ids)
            for draft in drafts.values():
                check_words(draft)
                tidy(draft)
            every = finish(given, drafts, self.derive_from, self.observed_until, thorough=True)
            ids["accounts"].append(pc.unique(every[0].table.data.column("account_id")))
            found = merge([*found, *(one for draft in every for one in draft.findings)])
        every_id = {name: _all_ids(parts) for name, parts in ids.items()}
        return [*found, *name_alike_ids(every_id, written, derived="accounts" not in self.listed)]

    def stored(self, folder: str, number: int, columns: Sequence[str] = ()) -> pa.Table | None:
        """Return what is in a folder for a bucket, None where there is nothing."""
        parts, before = [], 0
        for file in sorted((self.folder / folder).glob(f"*{ENDING}")):
            part = read_bucket(file, number, columns)
            parts += [] if part is None else [_numbered_from(part, before)]
            before += index_of(file).read
        return join_parts(parts) if parts else None

    def rows_in(self, source: StoredSource, number: int) -> pa.Table | None:
        """Return the rows of a source in a bucket, None where there are none."""
        found = self.stored(source.folder, number, [*source.kinds, *([] if source.via is None else [VIA_KEY, VIA_START]), ROW])
        return None if found is None else _numbered_from(found, source.first)

    def require_usable(self) -> None:
        """Refuse survey answers and payment statuses that cannot be what they must be."""
        totals = dict.fromkeys((name for name in CHECKED if name in self.listed), 0)
        found: list[Counted] = []
        for number in self.buckets if totals else ():
            for name, draft in self.drafts(totals, number)[1].items():
                totals[name] += len(draft.table)
                found += check_words(draft)
        refuse(found, totals)

    def drafts(
        self, wanted: Collection[str], number: int, ids: Mapping[str, list[pa.Array]] | None = None
    ) -> tuple[Draft | None, dict[str, Draft]]:
        """Read the accounts of a bucket, and of other tables the rows that count; `ids` takes the accounts that they name."""
        given = self._rows("accounts", number) if "accounts" in self.listed else None
        known = None if given is None else pc.unique(given.table.data.column("account_id")).drop_null()
        drafts = {name: self._rows(name, number) for name in wanted if name != "accounts"}
        for name, draft in drafts.items():
            if ids is not None:
                ids[name].append(drop_uncounted(draft, known))
            elif not self.listed[name].complete:
                drop_uncounted(draft, known)
        return given, drafts

    def _rows(self, name: str, number: int) -> Draft:
        """Combine the rows of a table in a bucket."""
        table = self.listed[name]
        repeats = _row_numbers(self.stored(table.repeats, number)) if table.repeats else np.zeros(0, dtype=np.int64)
        extracts = [_extract(name, source, self.rows_in(source, number), repeats) for source in table.sources]
        return assemble(name, extracts, table.own_time)

    def write(self) -> None:
        """Write the manifest: from now on the folder is whole."""
        listed = [asdict(table) for table in self.listed.values()]
        values = {
            "observed_until": self.observed_until,
            "buckets": self.buckets,
            "derive_from": self.derive_from,
            "hashed": self.hashed,
            "tables": listed,
        }
        temporary = self.folder / f"{MANIFEST}.tmp"
        temporary.write_text(json.dumps(values), encoding="utf-8")
        temporary.replace(self.folder / MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> DiskTables:
        """Open a folder whose manifest was written."""
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        listed = {entry["name"]: _table_of(entry) for entry in values["tables"]}
        return cls(folder, values["observed_until"], tuple(values["buckets"]), listed, values["derive_from"], values["hashed"])


def _table_of(entry: dict[str, Any]) -> StoredTable:
    return StoredTable(**{**entry, "sources": tuple(_source_of(each) for each in entry["sources"])})


def _source_of(entry: dict[str, Any]) -> StoredSource:
    lists: dict[str, Any] = {key: tuple(entry[key]) for key in ("date_only", "usable", "texts")}
    via = None if entry["via"] is None else JoinKey(**entry["via"])
    return StoredSource(**{**entry, **lists, "via": via})


def _extract(table: str, source: StoredSource, data: pa.Table | None, repeats: NDArray[np.int64]) -> Extract:
    """Turn what is stored of one source in one bucket into its canonical rows."""
    if data is None:
        data = pa.schema({name: ARROW_TYPES[kind] for name, kind in source.kinds.items()}).empty_table()
    repeated = None
    if table == "accounts" and ROW in data.column_names:
        # of an account given twice the first row counts
        data = data.sort_by(ROW)
    elif ROW in data.column_names:
        repeated = np.asarray(pc.is_in(data.column(ROW), value_set=pa.array(repeats)))
    found = Extract(pa.table({}), dict(source.kinds), set(source.date_only), frozenset(source.usable), repeated=repeated)
    # as in memory: the texts of the tables with the most rows stay numbered
    numbered = table in NUMBERED_TABLES or table not in SCHEMAS
    columns = {}
    for name, kind in source.kinds.items():
        values = data.column(name)
        if pa.types.is_dictionary(values.type) and (kind not in ("id", "text") or not numbered):
            values = values.cast(pa.string())
        columns[name], broken = _canonical(values, kind, source, name)
        if broken:
            found.findings.append(not_finite(table, name, broken))
    found.data = pa.table(columns)
    below_minimum(table, found)
    if source.via is not None and VIA_KEY in data.column_names:
        starts = np.asarray(pc.fill_null(data.column(VIA_START), MISSING), dtype=np.int64)
        keep_found(table, found, source.via, data.column(VIA_KEY).cast(pa.string()), starts, dated=source.via_dated)
    return found


def _canonical(values: pa.ChunkedArray, kind: Kind, source: StoredSource, name: str) -> tuple[pa.ChunkedArray, int]:
    """Give a stored column its type, and count the numbers that are not finite."""
    if name not in source.texts or not pa.types.is_string(values.type):
        return values if pa.types.is_dictionary(values.type) else values.cast(ARROW_TYPES[kind]), 0
    numbers = texts_as_numbers(values, source.decimal)
    finite = pc.is_finite(numbers)
    return pc.if_else(finite, numbers, pa.scalar(None, pa.float64())), int(pc.sum(pc.invert(finite)).as_py() or 0)


def _numbered_from(rows: pa.Table, first: int) -> pa.Table:
    """Count the numbers of rows from another number."""
    if not first or ROW not in rows.column_names:
        return rows
    return rows.set_column(rows.column_names.index(ROW), ROW, pc.add(rows.column(ROW), first))


def _row_numbers(rows: pa.Table | None) -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64) if rows is None else np.asarray(rows.column(ROW).to_numpy(), dtype=np.int64)


def _all_ids(parts: Sequence[pa.Array]) -> pa.Array:
    return pa.concat_arrays([part.cast(pa.string()) for part in parts]) if parts else pa.array([], pa.string())
