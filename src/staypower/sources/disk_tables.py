"""Tables on disk in hashed buckets of accounts: each bucket read by itself is what the whole would be for its accounts."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.errors import Problem, UsageError
from staypower.sources.accounts import derive_accounts, fill_sign_up, first_per_account
from staypower.sources.drafts import Draft, assemble
from staypower.sources.extracting import ARROW_TYPES, Extract, below_minimum, texts_as_numbers
from staypower.sources.rules import clear_negative_durations, drop_future
from staypower.sources.surveys import payment_problems, survey_problems
from staypower.sources.values import quoted_text
from staypower.tables import SCHEMAS, BucketedTables, Kind, Table, Tables

__all__ = ["BUCKET", "IN_BUCKETS", "MANIFEST", "ROW", "StoredSource", "StoredTable", "DiskTables", "parquet_files"]

MANIFEST = "manifest.json"
BUCKET = "bucket"
# how the database writes rows into buckets; the number stands in the files too, so that no folder's name is read as a value
IN_BUCKETS = f"FORMAT parquet, COMPRESSION lz4, PARTITION_BY ({BUCKET}), WRITE_PARTITION_COLUMNS true"
# no source column's canonical name holds a blank
ROW = "row number"
# the tables whose words are checked and folded
_WORDS: Mapping[str, Callable[[Draft], list[Problem]]] = MappingProxyType(
    {"surveys": survey_problems, "payments": payment_problems}
)


def parquet_files(into: Path, folders: Sequence[str], bucket: int | None = None) -> str:
    """Name the rows in some folders for the database, their bucket beside them.

    >>> parquet_files(Path("nowhere"), ["0-0"])
    ''
    """
    which = "[0-9]*" if bucket is None else str(bucket)
    files = sorted(str(file) for folder in folders for file in (into / folder).glob(f"{BUCKET}={which}/*.parquet"))
    if not files:
        return ""
    named = ", ".join(quoted_text(glob.escape(file)) for file in files)
    return f"read_parquet([{named}], union_by_name=true, hive_partitioning=false)"


@dataclass(frozen=True)
class StoredSource:
    """What is known of one source of a spilled table.

    >>> StoredSource("1-0", {"account_id": "id"}, (), ()).decimal
    '.'
    """

    folder: str  # where its rows lie, under the folder of the spilled tables
    kinds: Mapping[str, Kind]
    date_only: tuple[str, ...]  # time columns without a clock in the whole table
    usable: tuple[str, ...]  # columns declared fixed, or static attributes
    texts: tuple[str, ...] = ()  # numbers that are still texts
    decimal: str = "."  # what stands before the fraction in those


@dataclass(frozen=True)
class StoredTable:
    """What is known of a spilled table.

    >>> StoredTable("usage", "at", ()).rows
    0
    """

    name: str
    own_time: str  # the time column of a declared table
    sources: tuple[StoredSource, ...]
    repeats: str = ""  # folder of the rows whose id was there before; empty when there is none
    rows: int = 0  # how many rows count at some cutoff
    first: int | None = None  # instant of the earliest of them


@dataclass(frozen=True)
class DiskTables(BucketedTables):
    """The tables of one company on disk, cut into buckets of accounts.

    All rows of an account lie in one bucket. What a rule needs to know of other accounts (until when the data were watched,
    which row of an id was the first, whether a column has a clock) was found out once for all buckets.

    >>> DiskTables(Path("cache"), 0, (), {}).names
    ()
    """

    folder: Path  # written by `write_buckets`
    observed_until: int  # instant (exclusive) until which the data were watched
    holding: tuple[int, ...]  # numbers of the buckets that hold accounts
    listed: Mapping[str, StoredTable]  # every table that was given
    derive_from: str | None = None  # the table that accounts are derived from

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

    def row_count(self, name: str) -> int:
        """Return how many rows of a table count."""
        return self.listed[name].rows

    def first_instant(self, name: str) -> int | None:
        """Return the instant of the earliest row of a table."""
        return self.listed[name].first

    def bucket(self, number: int, only: Collection[str] | None = None) -> Tables:
        """Read one bucket."""
        wanted = [name for name in self.listed if only is None or name in only or "accounts" not in self.listed]
        drafts = {name: self._draft(name, number) for name in wanted if name != "accounts"}
        for draft in drafts.values():
            clear_negative_durations(draft)
            drop_future(draft, self.observed_until)
        accounts = self._accounts(number, drafts)
        kept = [accounts, *(draft for name, draft in drafts.items() if only is None or name in only)]
        return Tables({draft.name: draft.table for draft in kept}, self.observed_until)

    def stored(self, folder: str, number: int) -> pa.Table | None:
        """Return what lies in a folder for a bucket, None where there is nothing."""
        return _read(self.folder / folder, number)

    def require_usable(self, number: int) -> None:
        """Refuse survey answers and payment statuses of a bucket that cannot be what they must be."""
        problems = [problem for name in _WORDS if name in self.listed for problem in _WORDS[name](self._rows(name, number))]
        if problems:
            raise UsageError(problems)

    def _rows(self, name: str, number: int) -> Draft:
        table = self.listed[name]
        repeats = _row_numbers(self.stored(table.repeats, number)) if table.repeats else None
        extracts = [_extract(name, source, self.stored(source.folder, number), repeats) for source in table.sources]
        return assemble(name, extracts, table.own_time)

    def _draft(self, name: str, number: int) -> Draft:
        draft = self._rows(name, number)
        problems = _WORDS[name](draft) if name in _WORDS else []
        if problems:
            raise UsageError(problems)
        return draft

    def _accounts(self, number: int, drafts: Mapping[str, Draft]) -> Draft:
        chosen = [draft for name, draft in drafts.items() if self.derive_from in (None, name)] or list(drafts.values())
        if "accounts" not in self.listed:
            return _derived(chosen)
        given = self._draft("accounts", number)
        first_per_account(given)
        if self.derive_from is not None:
            if not drafts:
                chosen = [self._draft(self.derive_from, number)]
            fill_sign_up(given, _derived(chosen).table)
        given.table = replace(given.table, data=given.table.data.replace_schema_metadata(None))
        return given

    def write(self) -> None:
        """Write the manifest: from now on the folder is whole."""
        listed = [asdict(table) for table in self.listed.values()]
        values = {
            "observed_until": self.observed_until,
            "buckets": self.buckets,
            "derive_from": self.derive_from,
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
        return cls(folder, values["observed_until"], tuple(values["buckets"]), listed, values["derive_from"])


def _table_of(entry: dict[str, Any]) -> StoredTable:
    return StoredTable(**{**entry, "sources": tuple(_source_of(each) for each in entry["sources"])})


def _source_of(entry: dict[str, Any]) -> StoredSource:
    lists: dict[str, Any] = {key: tuple(entry[key]) for key in ("date_only", "usable", "texts")}
    return StoredSource(**{**entry, **lists})


def _derived(chosen: Sequence[Draft]) -> Draft:
    """Make one account per id of some tables, none where they have no rows."""
    tables = [draft.table for draft in chosen]
    if any(len(table) for table in tables):
        return derive_accounts(tables)
    days = all(set(table.schema.times) & set(table.data.column_names) <= table.date_only for table in tables)
    columns = {"account_id": ARROW_TYPES["id"], "signed_up_at": ARROW_TYPES["time"]}
    nobody = pa.schema(columns).empty_table()
    date_only = frozenset({"signed_up_at"}) if days else frozenset[str]()
    return Draft(Table(SCHEMAS["accounts"], nobody, date_only=date_only, derived=True))


def _extract(table: str, source: StoredSource, data: pa.Table | None, repeats: np.ndarray | None) -> Extract:
    """Turn what is stored of one source in one bucket into its canonical rows."""
    if data is None:
        data = pa.schema({name: ARROW_TYPES[kind] for name, kind in source.kinds.items()}).empty_table()
    if repeats is not None and ROW in data.column_names:
        data = data.filter(pc.invert(pc.is_in(data.column(ROW), value_set=pa.array(repeats))))
    if table == "accounts" and ROW in data.column_names:
        # of an account given twice the first row counts
        data = data.sort_by(ROW)
    columns = {name: _canonical(data.column(name), kind, source, name) for name, kind in source.kinds.items()}
    found = Extract(pa.table(columns), dict(source.kinds), set(source.date_only), frozenset(source.usable))
    below_minimum(table, found)
    return found


def _canonical(values: pa.ChunkedArray, kind: Kind, source: StoredSource, name: str) -> pa.ChunkedArray:
    if name not in source.texts or not pa.types.is_string(values.type):
        return values.cast(ARROW_TYPES[kind])
    numbers = texts_as_numbers(values, source.decimal)
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _read(folder: Path, number: int) -> pa.Table | None:
    files = sorted((folder / f"{BUCKET}={number}").glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files]) if files else None


def _row_numbers(rows: pa.Table | None) -> np.ndarray:
    return np.zeros(0, dtype=np.int64) if rows is None else np.asarray(rows.column(ROW).to_numpy(), dtype=np.int64)
