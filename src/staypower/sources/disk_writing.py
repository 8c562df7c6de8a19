"""Put tables that are larger than memory on disk, in hashed buckets of accounts, under a limit of memory.

DuckDB reads each source row by row; the rows of each account go into its bucket (`bucket_files`). Only what must be known of
all rows is asked of all rows: what each column is (`typed_sources`), until when the data were observed, and which row of an id
was the first (`disk_questions`). Every other rule looks at one row or one account: `DiskTables` applies it when it reads a
bucket, by the code that is applied to tables in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.addresses import is_address
from staypower.errors import Problem, UsageError, at_place
from staypower.progress import counted
from staypower.schemas import SCHEMAS
from staypower.sources.aliases import aliases_of
from staypower.sources.alike_ids import written_ids
from staypower.sources.bucket_files import ENDING, BucketWriter, index_of
from staypower.sources.disk_questions import resolve
from staypower.sources.disk_tables import MANIFEST, ROW, VIA_KEY, VIA_START, DiskTables, StoredSource, StoredTable
from staypower.sources.drafts import shared_ids
from staypower.sources.extracting import ColumnFacts, plan_with_values
from staypower.sources.findings import Counted, Finding, add_up
from staypower.sources.kept_files import KeptFiles, Unit, merged_facts
from staypower.sources.opening import FilesState, OpenSource, open_source, refuse_changed
from staypower.sources.planning import Plan
from staypower.sources.queries import Query
from staypower.sources.reading import derived_table, name_problems
from staypower.sources.resolving import Moment, refuse_circle
from staypower.sources.settings import JoinKey, Joins, TableSource, given_names, own_time, placed
from staypower.sources.typed_sources import PlannedSource, learn_facts, stream_typed, typed_select, without_clock
from staypower.sources.values import quoted_name
from staypower.sources.working_database import when_asked

_FETCHED_AT_ONCE = 100_000
_NAME = f"{{:06d}}{ENDING}"  # of the files of a source, in their order


def write_buckets(
    sources: Mapping[str, Sequence[TableSource]],
    *,
    folder: Path,
    into: Path,
    buckets: int,
    memory: int,
    threads: int = 2,
    observed_until: Moment | None = None,
    as_of: Moment | None = None,
    thorough: bool = False,
    keep: KeptFiles | None = None,
) -> tuple[DiskTables, tuple[Finding, ...]]:
    """Read every source into buckets of accounts on disk; a thorough look finds what reading into memory finds.

    Where rows are kept from run to run (`keep`), only files that are new or changed are read.
    """
    if (into / MANIFEST).is_file():
        return DiskTables.read(into), ()
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with when_asked(into / "temporary", memory=memory, threads=threads) as connect:
        writing = _Writing(sources, folder, into, buckets, memory, connect, thorough, None if thorough else keep)
        with nullcontext() if writing.keep is None else writing.keep.held():
            listed = writing.run()
        made = DiskTables(into, 0, tuple(range(buckets)), listed, derived_table(sources), buckets)
        made, found = resolve(connect, made, memory, observed_until=observed_until, as_of=as_of, thorough=thorough)
    for unused in ("temporary", "fetched"):
        shutil.rmtree(into / unused, ignore_errors=True)
    made.require_usable()
    found = [*writing.findings, *found, *(made.findings(written_ids(sources)) if thorough else ())]
    made.write()
    return made, add_up(found)


@dataclass
class _Writing:
    """Plans every source, then writes its rows into buckets."""

    sources: Mapping[str, Sequence[TableSource]]
    folder: Path
    into: Path
    buckets: int
    memory: int
    connect: Callable[[], Any]
    thorough: bool
    keep: KeptFiles | None = None
    units: dict[str, tuple[list[Unit], str]] = field(default_factory=dict)  # what is kept of each place, and its key
    planned: dict[str, list[PlannedSource]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    states: dict[str, FilesState] = field(default_factory=dict)  # of the files of each place when they were first looked at
    findings: list[Counted] = field(default_factory=list)

    @cached_property
    def joins(self) -> Joins:
        """How tables find their account through others."""
        return Joins.of(self.sources)

    @cached_property
    def aliases(self) -> pa.Table | None:
        """Which ids stand for another account."""
        return aliases_of(self.sources, self.folder, {})

    def run(self) -> dict[str, StoredTable]:
        """Write every table and say what is where."""
        self.plan(list(name_problems(self.sources)))
        kept = self.joins.without_lookups({name: [one.facts for one in each] for name, each in self.planned.items()})
        return {name: self.write(name, number) for number, name in enumerate(counted(kept, len(kept)))}

    def plan(self, problems: list[Problem]) -> None:
        """Plan every source and learn what its columns are; all problems at once."""
        for name, source, place in placed(self.sources):
            try:
                source = self.fetched(source, place)
                with open_source(source, place, self.folder, {}, self.aliases, given_names(self.sources)) as opened:
                    self.states[place] = opened.state
                    plan = plan_with_values(name, source, opened, place, self.joins)
                    facts = self.learn(name, source, opened, plan, place)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            self.planned.setdefault(name, []).append(PlannedSource(source, place, plan, facts))
        if problems:
            raise UsageError(problems)
        if self.thorough:
            self.findings += [one for name, each in self.planned.items() for planned in each for one in planned.findings(name)]

    def learn(self, name: str, source: TableSource, opened: OpenSource, plan: Plan, place: str) -> Mapping[str, ColumnFacts]:
        """Learn what the columns of a source are; of files whose rows are kept, what is known already."""
        units = [] if self.keep is None else self.keep.units_of(source, opened, plan)
        if self.keep is None or not units:
            return learn_facts(name, source, opened, plan, place)
        key = self.keep.facts_key(name, source, opened.types, plan)
        self.units[place] = units, key

        def learn(unit: Unit) -> Mapping[str, ColumnFacts]:
            if len(units) == 1:
                return learn_facts(name, source, opened, plan, place)
            with open_source(unit.source, place, self.folder, {}) as alone:
                return learn_facts(name, unit.source, alone, plan, place)

        try:
            return merged_facts([self.keep.facts(unit, key, partial(learn, unit)) for unit in units])
        except UsageError:
            # what cannot be read is counted in all files
            return learn_facts(name, source, opened, plan, place)

    def fetched(self, source: TableSource, place: str) -> TableSource:
        """Copy the rows of a server or store once: they are looked at several times, and may change meanwhile."""
        if source.source is None or not is_address(source.source):
            return source
        file = self.into / "fetched" / f"{len(list(self.into.glob('fetched/*')))}.parquet"
        file.parent.mkdir(exist_ok=True)
        plain = source.model_copy(update={"mapping": {}})
        with open_source(plain, place, self.folder, {}) as opened:
            # DuckDB's reader keeps types and order
            reader = opened.connection.sql(f"SELECT * FROM {opened.relation}").to_arrow_reader(_FETCHED_AT_ONCE)
            with pq.ParquetWriter(file, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
        same = {"source": str(file), "format": "parquet", "table": None, "query": None}
        return source.model_copy(update=same)

    def write(self, name: str, number: int) -> StoredTable:
        """Write the rows of a table into their buckets."""
        listed = self.planned[name]
        for planned in listed:
            self.find_keys(planned.plan.via, (name,))
        date_only = self.date_only(name)
        arrivals = any("known_at" in planned.facts for planned in listed)
        sources: list[StoredSource] = []
        rows = 0
        for each, planned in enumerate(listed):
            via = planned.plan.via
            via_dated = via is not None and via.start in self.date_only(via.table)
            outline = planned.outline(name, f"{number}-{each}", date_only, via_dated=via_dated)
            sources.append(replace(outline, first=rows))
            rows += self.store(name, planned, outline, date_only, self.needed(name, outline, arrivals=arrivals))
        return StoredTable(name, own_time(self.sources[name]), tuple(sources))

    def date_only(self, name: str) -> frozenset[str]:
        return without_clock([planned.facts for planned in self.planned[name]])

    def needed(self, name: str, outline: StoredSource, *, arrivals: bool) -> Sequence[Sequence[str]]:
        """Name what a row must have to count: one column of each group."""
        if self.thorough:
            return ()
        if name == "accounts":
            return (("account_id",),)
        times = SCHEMAS[name].times if name in SCHEMAS else (own_time(self.sources[name]),)
        groups = [("account_id",), times, *([("known_at",)] if arrivals else [])]
        return [[column for column in group if column in outline.kinds] for group in groups]

    def store(
        self,
        name: str,
        planned: PlannedSource,
        outline: StoredSource,
        date_only: frozenset[str],
        needed: Sequence[Sequence[str]],
    ) -> int:
        """Put the rows of a source that count into a file of buckets; return how many rows the source has."""
        columns = list(outline.kinds)
        if name == "accounts" or (name in SCHEMAS and SCHEMAS[name].row_id in outline.kinds):
            columns.append(ROW)
        if outline.via is not None and self.thorough:
            columns += [VIA_KEY, VIA_START]
        into = self.into / outline.folder

        def write(files: FilesState, source: TableSource, path: Path) -> None:
            rows, part = _Numbered(), replace(planned, source=source)
            writer = BucketWriter(path, self.buckets, self.memory, sealed=path.parent != into)
            with at_place(path.parent), self.typed_rows(part, date_only, rows, files) as typed, writer:
                for batch in self.with_accounts(outline, typed):
                    writer.add(_counting(batch, needed).select(columns))
                writer.read = rows.next

        units, facts_key = self.units.get(planned.place, ([], ""))
        if self.keep is None or not units:
            write(self.states[planned.place], planned.source, into / _NAME.format(0))
        else:
            key = self.keep.rows_key(facts_key, planned.facts, sorted(date_only), needed, columns, self.buckets)
            for number, unit in enumerate(units):
                self.keep.rows(unit, key, into / _NAME.format(number), partial(write, unit.files, unit.source))
        return sum(index_of(file).read for file in into.glob(f"*{ENDING}"))

    @contextmanager
    def typed_rows(
        self, planned: PlannedSource, date_only: frozenset[str], rows: _Numbered, files: FilesState
    ) -> Iterator[pa.RecordBatchReader]:
        """Give the typed rows of a source, with the number of each."""
        with open_source(planned.source, planned.place, self.folder, {}, self.aliases) as opened:
            refuse_changed(files, opened.state, planned.place)
            query = Query(planned.source, opened, planned.plan)
            try:
                yield rows.of(stream_typed(query, typed_select(query, planned.facts, date_only), planned.place))
            except Exception as error:
                if rows.broken is None:
                    raise
                # the source failed, not the writing: `open_source` says so
                raise duckdb.Error(str(rows.broken)) from error

    def with_accounts(self, outline: StoredSource, typed: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Give the typed rows of a source with their account."""
        if outline.via is None:
            return typed
        self.connect().register("source_rows", typed)
        return self.connect().sql(f"SELECT * FROM {self.with_account(outline)}").to_arrow_reader(_FETCHED_AT_ONCE)

    def with_account(self, outline: StoredSource) -> str:
        """Name the rows of the source with their account, found through the id of another table where it says so."""
        if outline.via is None:
            return "source_rows"
        key = quoted_name(outline.via.column)
        kept = "" if key.strip('"') in outline.kinds else f" EXCLUDE ({key})"
        via = f"source_rows.{key} AS {quoted_name(VIA_KEY)}, found.start AS {quoted_name(VIA_START)}"
        return (
            f"(SELECT found.account_id, {via}, source_rows.*{kept} FROM source_rows LEFT JOIN {_keys_of(outline.via)} AS found "
            f"ON source_rows.{key} = found.{key})"
        )

    def find_keys(self, via: JoinKey | None, asked: tuple[str, ...]) -> None:
        """Keep the account of each id of a table, and when what it names began: those of its first row."""
        if via is None or via.table in self.keys:
            return
        if via.table in asked:
            raise refuse_circle(asked[-1])
        table, all_rows, rows = _keys_of(via), _keys_of(via, " rows"), _Numbered()
        key, row = quoted_name(via.column), quoted_name(ROW)
        connection = self.connect()
        connection.execute(f"CREATE TABLE {all_rows} ({key} VARCHAR, account_id VARCHAR, start BIGINT, row BIGINT)")
        for planned in self.planned[via.table]:
            self.find_keys(planned.plan.via, (*asked, via.table))
            outline = planned.outline(via.table, "", frozenset())
            found = f"{self.with_account(outline)} WHERE account_id IS NOT NULL" if outline.via else "source_rows"
            began = f"epoch_us({quoted_name(via.start)})" if via.start in outline.kinds else "NULL"
            chosen = f"SELECT {key}, account_id, {began}, {row} FROM {found}"
            with self.typed_rows(planned, self.date_only(via.table), rows, self.states[planned.place]) as typed:
                connection.register("source_rows", typed)
                connection.execute(f"INSERT INTO {all_rows} {chosen}")
        first = f"arg_min_null(account_id, row) AS account_id, arg_min_null(start, row) AS start FROM {all_rows}"
        connection.execute(f"CREATE TABLE {table} AS SELECT {key}, {first} WHERE {key} IS NOT NULL GROUP BY {key}")
        if self.thorough:
            known = f"SELECT {key} FROM {all_rows} WHERE {key} IS NOT NULL GROUP BY {key}"
            shared = f"SELECT count(*) FROM ({known} HAVING count(DISTINCT account_id) > 1)"
            self.findings += shared_ids(via, int(connection.execute(shared).fetchall()[0][0]))
        connection.execute(f"DROP TABLE {all_rows}")
        self.keys.add(via.table)


def _counting(rows: pa.RecordBatch, needed: Sequence[Sequence[str]]) -> pa.RecordBatch:
    """Keep the rows that have a value in one column of each group."""
    for group in needed:
        if not group:
            return rows.slice(0, 0)
        if all(rows.column(name).null_count for name in group):
            rows = rows.filter(reduce(pc.or_, (pc.is_valid(rows.column(name)) for name in group)))
    return rows


def _keys_of(via: JoinKey, which: str = "") -> str:
    """Name the table that holds the account of each id."""
    return quoted_name(f"keys of {via.table}{which}")


@dataclass
class _Numbered:
    """Numbers the rows of sources, one source after the other."""

    next: int = 0
    broken: Exception | None = None

    def of(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Give the batches of a source with the number of each row."""
        schema = reader.schema.append(pa.field(ROW, pa.int64()))
        return pa.RecordBatchReader.from_batches(schema, self._batches(reader, schema))

    def _batches(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                numbers = pa.array(np.arange(self.next, self.next + batch.num_rows))
                self.next += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
        except Exception as error:
            self.broken = error
            raise
