"""Put tables that are larger than memory on disk, in hashed buckets of accounts, under a limit of memory.

DuckDB reads each source row by row and writes the rows of each account into its bucket. Only what must be known of all rows
is asked of all rows: what each column is (`typed_sources`), until when the data were observed, and which row of an id was the
first (`disk_questions`). Every other rule looks at one row or one account: `DiskTables` applies it when it reads a bucket,
by the code that is applied to tables in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.addresses import is_address
from staypower.errors import Problem, UsageError
from staypower.progress import counted
from staypower.schemas import SCHEMAS
from staypower.sources.aliases import aliases_of
from staypower.sources.alike_ids import written_ids
from staypower.sources.disk_questions import resolve
from staypower.sources.disk_tables import (
    BUCKET,
    IN_BUCKETS,
    MANIFEST,
    ROW,
    VIA_KEY,
    VIA_START,
    DiskTables,
    StoredSource,
    StoredTable,
    parquet_files,
)
from staypower.sources.drafts import shared_ids
from staypower.sources.extracting import plan_with_values
from staypower.sources.findings import MOSTLY, Counted, Finding, add_up
from staypower.sources.opening import FilesState, open_source, refuse_changed
from staypower.sources.queries import Query
from staypower.sources.reading import derived_table, name_problems
from staypower.sources.resolving import Moment, refuse_circle
from staypower.sources.rules import no_rows_left, unknown_accounts
from staypower.sources.settings import JoinKey, Joins, TableSource, given_names, own_time, placed
from staypower.sources.typed_sources import PlannedSource, learn_facts, stream_typed, typed_select, without_clock
from staypower.sources.values import quoted_name, quoted_text
from staypower.sources.working_database import one_writer, working_database

_FETCHED_AT_ONCE = 100_000


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
) -> tuple[DiskTables, tuple[Finding, ...]]:
    """Read every source into buckets of accounts on disk; a thorough look finds what reading into memory finds."""
    if (into / MANIFEST).is_file():
        return DiskTables.read(into), ()
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with working_database(into / "temporary", memory=memory, threads=threads) as connection:
        writing = _Writing(sources, folder, into, buckets, connection, thorough)
        listed = writing.run()
        made, repeats = resolve(connection, into, listed, derived_table(sources), observed_until=observed_until, as_of=as_of)
        made = replace(made, hashed=buckets)
    for unused in ("temporary", "fetched"):
        shutil.rmtree(into / unused, ignore_errors=True)
    made.require_usable()
    found = [*writing.findings, *repeats, *made.findings(written_ids(sources))] if thorough else writing.findings
    made.write()
    return made, add_up(found)


@dataclass
class _Writing:
    """Plans every source, then writes its rows into buckets."""

    sources: Mapping[str, Sequence[TableSource]]
    folder: Path
    into: Path
    buckets: int
    connection: Any
    thorough: bool
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
        written: dict[str, StoredTable] = {}
        # the accounts come first: rows of unknown accounts are recognised by theirs
        kept = self.joins.without_lookups({name: [one.facts for one in each] for name, each in self.planned.items()})
        for name in counted(sorted(kept, key=lambda name: name != "accounts"), len(kept)):
            written[name] = self.write(name, number=len(written))
        return {name: written[name] for name in kept}

    def plan(self, problems: list[Problem]) -> None:
        """Plan every source and learn what its columns are; all problems at once."""
        for name, source, place in placed(self.sources):
            try:
                source = self.fetched(source, place)
                with open_source(source, place, self.folder, {}, self.aliases, given_names(self.sources)) as opened:
                    self.states[place] = opened.state
                    plan = plan_with_values(name, source, opened, place, self.joins)
                    facts = learn_facts(name, source, opened, plan, place)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            self.planned.setdefault(name, []).append(PlannedSource(source, place, plan, facts))
        if problems:
            raise UsageError(problems)
        if self.thorough:
            self.findings += [one for name, each in self.planned.items() for planned in each for one in planned.findings(name)]

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
        """Write the rows of a table: those that count into their bucket, the others aside."""
        listed = self.planned[name]
        for planned in listed:
            self.find_keys(planned.plan.via, (name,))
        date_only = self.date_only(name)
        arrivals = any("known_at" in planned.facts for planned in listed)
        sources, rows = [], _Numbered()
        for each, planned in enumerate(listed):
            via = planned.plan.via
            via_dated = via is not None and via.start in self.date_only(via.table)
            outline = planned.outline(name, f"{number}-{each}", date_only, via_dated=via_dated)
            sources.append(outline)
            self.run_over(planned, date_only, rows, self.copying(name, outline, arrivals=arrivals))
        if name == "accounts":
            files = parquet_files(self.into, [source.folder for source in sources])
            given = f"SELECT DISTINCT account_id AS known FROM {files}" if files else "SELECT '' AS known LIMIT 0"
            self.connection.execute(f"CREATE TABLE known_accounts AS {given}")
        else:
            self.count_rows(name, sources)
        return StoredTable(name, own_time(self.sources[name]), tuple(sources))

    def date_only(self, name: str) -> frozenset[str]:
        return without_clock([planned.facts for planned in self.planned[name]])

    def run_over(self, planned: PlannedSource, date_only: frozenset[str], rows: _Numbered, statement: str) -> None:
        """Run a statement over the typed rows of a source, there called `source_rows`."""
        with open_source(planned.source, planned.place, self.folder, {}, self.aliases) as opened:
            refuse_changed(self.states[planned.place], opened.state, planned.place)
            query = Query(planned.source, opened, planned.plan)
            reader = stream_typed(query, typed_select(query, planned.facts, date_only), planned.place)
            self.connection.register("source_rows", rows.of(reader))
            try:
                with one_writer(self.connection):
                    self.connection.execute(statement)
            except duckdb.Error as error:
                if rows.broken is not None:
                    # the source failed, not the writing: `open_source` says so
                    raise duckdb.Error(str(rows.broken)) from error
                reason = str(error).partition("\n")[0][:200]
                fix = "free some space there, or allow more with `engine.memory`"
                raise UsageError.of(f"the tables cannot be kept on disk: {reason}", self.into, fix) from error
            finally:
                self.connection.unregister("source_rows")

    def copying(self, name: str, outline: StoredSource, *, arrivals: bool) -> str:
        """Write the statement that puts the rows of a source into buckets."""
        columns = [quoted_name(column) for column in outline.kinds]
        relation, needed = self.with_account(outline), ["account_id IS NOT NULL"]
        if name != "accounts":
            times = SCHEMAS[name].times if name in SCHEMAS else (own_time(self.sources[name]),)
            there = ", ".join(quoted_name(time) for time in times if time in outline.kinds)
            needed.append(f"coalesce({there}, NULL) IS NOT NULL")
        if name != "accounts" and arrivals:
            needed.append("known_at IS NOT NULL" if "known_at" in outline.kinds else "FALSE")
        counts = " AND ".join(needed)
        kept = "" if self.thorough else f" WHERE {counts}"
        if name != "accounts" and "accounts" in self.planned:
            relation += " LEFT JOIN known_accounts ON account_id = known"
            counts += " AND known IS NOT NULL"
        row = quoted_name(ROW)
        # rows without an account are spread over all buckets
        hashed = f"CASE WHEN account_id IS NULL THEN {row} % {self.buckets} ELSE hash(account_id) % {self.buckets} END"
        bucket = f"CAST(CASE WHEN {counts} THEN {hashed} ELSE -1 - CAST({hashed} AS BIGINT) END AS INTEGER)"
        if name == "accounts" or (name in SCHEMAS and SCHEMAS[name].row_id in outline.kinds):
            columns.append(row)
        if outline.via is not None and self.thorough:
            columns += [quoted_name(VIA_KEY), quoted_name(VIA_START)]
        return (
            f"COPY (SELECT {', '.join(columns)}, {bucket} AS {BUCKET} FROM {relation}{kept}) "
            f"TO {quoted_text(str(self.into / outline.folder))} ({IN_BUCKETS})"
        )

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
        self.connection.execute(f"CREATE TABLE {all_rows} ({key} VARCHAR, account_id VARCHAR, start BIGINT, row BIGINT)")
        for planned in self.planned[via.table]:
            self.find_keys(planned.plan.via, (*asked, via.table))
            outline = planned.outline(via.table, "", frozenset())
            found = f"{self.with_account(outline)} WHERE account_id IS NOT NULL" if outline.via else "source_rows"
            began = f"epoch_us({quoted_name(via.start)})" if via.start in outline.kinds else "NULL"
            chosen = f"SELECT {key}, account_id, {began}, {row} FROM {found}"
            self.run_over(planned, self.date_only(via.table), rows, f"INSERT INTO {all_rows} {chosen}")
        first = f"arg_min_null(account_id, row) AS account_id, arg_min_null(start, row) AS start FROM {all_rows}"
        self.connection.execute(f"CREATE TABLE {table} AS SELECT {key}, {first} WHERE {key} IS NOT NULL GROUP BY {key}")
        if self.thorough:
            known = f"SELECT {key} FROM {all_rows} WHERE {key} IS NOT NULL GROUP BY {key}"
            self.findings += shared_ids(via, self.ask(f"SELECT count(*) FROM ({known} HAVING count(DISTINCT account_id) > 1)"))
        self.connection.execute(f"DROP TABLE {all_rows}")
        self.keys.add(via.table)

    def count_rows(self, name: str, sources: Sequence[StoredSource]) -> None:
        """Say when a table holds nothing, or mostly rows of accounts that are not there."""
        rows = self.count(parquet_files(self.into, [source.folder for source in sources]))
        if not rows:
            self.findings.append(no_rows_left(name))
        if self.thorough:
            # what is aside is looked at bucket by bucket
            return
        strange = parquet_files(self.into, [source.folder for source in sources], bucket="-*")
        unknown = self.count(strange)
        if unknown > MOSTLY * (rows + unknown):
            asked = f"SELECT count(DISTINCT account_id), list(DISTINCT account_id)[:3] FROM {strange}"
            accounts, shown = self.connection.execute(asked).fetchall()[0]
            self.findings.append(unknown_accounts(name, unknown, rows + unknown, int(accounts), tuple(shown)))
        for source in sources:
            for left in (self.into / source.folder).glob(f"{BUCKET}=-*"):
                shutil.rmtree(left)

    def count(self, files: str) -> int:
        return self.ask(f"SELECT count(*) FROM {files}") if files else 0

    def ask(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchall()[0][0])


def _keys_of(via: JoinKey, which: str = "") -> str:
    """Name the table that holds the account of each id."""
    return quoted_name(f"keys of {via.table}{which}")


@dataclass
class _Numbered:
    """Numbers the rows of a table's sources, one source after the other."""

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
