"""Put tables that are larger than memory on disk, in hashed buckets of accounts, under a limit of memory.

DuckDB reads each source row by row and writes the rows of each account into its bucket. Only what must be known of all rows
is asked of all rows: what each column is (`typed_queries`), until when the data were watched, and which row of an id was the
first (`spilled_rules`). Every other rule looks at one row or one account: `DiskTables` applies it when it reads a bucket,
by the code that reads whole tables too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from staypower.errors import Problem, UsageError
from staypower.sources.disk_tables import (
    BUCKET,
    IN_BUCKETS,
    MANIFEST,
    ROW,
    DiskTables,
    StoredSource,
    StoredTable,
    parquet_files,
)
from staypower.sources.findings import Finding
from staypower.sources.global_rules import settle
from staypower.sources.opening import open_source
from staypower.sources.planned_sources import PlannedSource, without_clock
from staypower.sources.planning import plan_source
from staypower.sources.queries import Query
from staypower.sources.reading import Moment, derived_table, name_problems
from staypower.sources.settings import TableSource
from staypower.sources.typed_queries import learn_facts, stream_typed, typed_select
from staypower.sources.values import quoted_name, quoted_text
from staypower.sources.working_database import one_writer, working_database
from staypower.tables import SCHEMAS

__all__ = ["write_buckets"]

# the bucket of the rows whose account is not in `accounts`
_STRANGERS = -1
# more unknown accounts than known ones: the wrong column is mapped
_MOSTLY = 0.5


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
) -> tuple[DiskTables, tuple[Finding, ...]]:
    """Read every source into buckets of accounts on disk."""
    if (into / MANIFEST).is_file():
        return DiskTables.read(into), ()
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with working_database(into / "temporary", memory=memory, threads=threads) as connection:
        spilling = _Spilling(sources, folder, into, buckets, connection)
        listed = spilling.run()
        made = settle(connection, into, listed, derived_table(sources), observed_until=observed_until, as_of=as_of)
    shutil.rmtree(into / "temporary", ignore_errors=True)
    for number in made.buckets:
        made.require_usable(number)
    made.write()
    return made, tuple(spilling.findings)


@dataclass
class _Spilling:
    """Plans every source, then writes its rows into buckets."""

    sources: Mapping[str, Sequence[TableSource]]
    folder: Path
    into: Path
    buckets: int
    connection: Any
    planned: dict[str, list[PlannedSource]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def run(self) -> dict[str, StoredTable]:
        """Write every table and say what lies where."""
        self.plan(list(name_problems(self.sources)))
        written: dict[str, StoredTable] = {}
        # the accounts come first: rows of others are put aside
        for name in sorted(self.planned, key=lambda name: name != "accounts"):
            written[name] = self.spill(name, number=len(written))
        return {name: written[name] for name in self.planned}

    def plan(self, problems: list[Problem]) -> None:
        """Plan every source and learn what its columns are; all problems at once."""
        for name, listed in self.sources.items():
            for number, source in enumerate(listed):
                if name == "accounts" and source.derive_from and source.source is None:
                    continue
                place = f"tables.{name}" + (f"[{number}]" if len(listed) > 1 else "")
                try:
                    with open_source(source, place, self.folder, {}) as opened:
                        plan = plan_source(name, source, opened, place)
                        facts = learn_facts(name, source, opened, plan, place)
                except UsageError as error:
                    problems.extend(error.problems)
                    continue
                self.planned.setdefault(name, []).append(PlannedSource(source, place, plan, facts))
        if problems:
            raise UsageError(problems)

    def spill(self, name: str, number: int) -> StoredTable:
        """Write the rows of a table that can ever count: those with an account, a time and an arrival."""
        listed = self.planned[name]
        for planned in listed:
            self.find_keys(planned.source.key_via, (name,))
        date_only = without_clock([planned.facts for planned in listed])
        arrivals = any("known_at" in planned.facts for planned in listed)
        sources, rows = [], _Numbered()
        for each, planned in enumerate(listed):
            outline = planned.outline(name, f"{number}-{each}", date_only)
            sources.append(outline)
            self.pour(planned, date_only, rows, self.copying(name, outline, planned.source.key_via, arrivals=arrivals))
        own_time = next((planned.source.time for planned in listed if planned.source.time), "at")
        if name == "accounts":
            files = parquet_files(self.into, [source.folder for source in sources])
            given = f"SELECT DISTINCT account_id AS known FROM {files}" if files else "SELECT '' AS known LIMIT 0"
            self.connection.execute(f"CREATE TABLE known_accounts AS {given}")
        else:
            self.judge(name, sources)
        return StoredTable(name, own_time, tuple(sources))

    def pour(self, planned: PlannedSource, date_only: frozenset[str], rows: _Numbered, statement: str) -> None:
        """Run a statement over the typed rows of a source, there called `source_rows`."""
        with open_source(planned.source, planned.place, self.folder, {}) as opened:
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
                said = str(error).partition("\n")[0][:200]
                fix = "free some space there, or allow more with `engine.memory`"
                raise UsageError.of(f"the tables cannot be kept on disk: {said}", self.into, fix) from error
            finally:
                self.connection.unregister("source_rows")

    def copying(self, name: str, outline: StoredSource, via: str | None, *, arrivals: bool) -> str:
        """Write the statement that puts the rows of a source into buckets."""
        columns = [quoted_name(column) for column in outline.kinds]
        bucket = f"CAST(hash(account_id) % {self.buckets} AS INTEGER)"
        relation, needed = self.with_account(via, outline), ["account_id IS NOT NULL"]
        if name != "accounts":
            times = SCHEMAS[name].times if name in SCHEMAS else (self.own_time(name),)
            there = ", ".join(quoted_name(time) for time in times if time in outline.kinds)
            needed.append(f"coalesce({there}, NULL) IS NOT NULL")
        if name != "accounts" and "accounts" in self.planned:
            relation += " LEFT JOIN known_accounts ON account_id = known"
            bucket = f"CASE WHEN known IS NULL THEN {_STRANGERS} ELSE {bucket} END"
        if name != "accounts" and arrivals:
            needed.append("known_at IS NOT NULL" if "known_at" in outline.kinds else "FALSE")
        if name == "accounts" or (name in SCHEMAS and SCHEMAS[name].row_id in outline.kinds):
            columns.append(quoted_name(ROW))
        return (
            f"COPY (SELECT {', '.join(columns)}, {bucket} AS {BUCKET} FROM {relation} WHERE {' AND '.join(needed)}) "
            f"TO {quoted_text(str(self.into / outline.folder))} ({IN_BUCKETS})"
        )

    def own_time(self, name: str) -> str:
        return next((planned.source.time for planned in self.planned[name] if planned.source.time), "at")

    def with_account(self, via: str | None, outline: StoredSource) -> str:
        """Name the rows of the source with their account, found through the id of another table where it says so."""
        if via is None:
            return "source_rows"
        key = quoted_name(SCHEMAS[via].row_id or "")
        kept = "" if key.strip('"') in outline.kinds else f" EXCLUDE ({key})"
        return (
            f"(SELECT found.account_id, source_rows.*{kept} FROM source_rows JOIN {self.keys[via]} AS found "
            f"ON source_rows.{key} = found.{key} WHERE found.account_id IS NOT NULL)"
        )

    def find_keys(self, via: str | None, asked: tuple[str, ...]) -> None:
        """Keep the account of each id of a table: that of its first row."""
        if via is None or via in self.keys:
            return
        if via in asked:
            fix = "map `account_id` in one of the tables"
            raise UsageError.of("keys go round in a circle", f"tables.{asked[-1]}.key_via", fix)
        key = SCHEMAS[via].row_id or ""
        table, rows = f"keys_{via}", _Numbered()
        self.connection.execute(f"CREATE TABLE {table}_rows ({quoted_name(key)} VARCHAR, account_id VARCHAR, row BIGINT)")
        for planned in self.planned[via]:
            self.find_keys(planned.source.key_via, (*asked, via))
            outline = planned.outline(via, "", frozenset())
            relation = self.with_account(planned.source.key_via, outline)
            chosen = f"SELECT {quoted_name(key)}, account_id, {quoted_name(ROW)} FROM {relation}"
            self.pour(planned, frozenset(), rows, f"INSERT INTO {table}_rows {chosen}")
        self.connection.execute(
            f"CREATE TABLE {table} AS SELECT {quoted_name(key)}, arg_min_null(account_id, row) AS account_id "
            f"FROM {table}_rows WHERE {quoted_name(key)} IS NOT NULL GROUP BY {quoted_name(key)}"
        )
        self.connection.execute(f"DROP TABLE {table}_rows")
        self.keys[via] = table

    def judge(self, name: str, sources: Sequence[StoredSource]) -> None:
        """Say when a table holds nothing, or mostly rows of accounts that are not there."""
        kept = parquet_files(self.into, [source.folder for source in sources])
        strange = parquet_files(self.into, [source.folder for source in sources], bucket=_STRANGERS)
        rows = self.count(kept)
        unknown = self.count(strange)
        if unknown > _MOSTLY * (rows + unknown):
            asked = f"SELECT count(DISTINCT account_id), list(DISTINCT account_id)[:3] FROM {strange}"
            count, shown = self.connection.execute(asked).fetchall()[0]
            problem = f"rows of {count:,} {'account that is' if count == 1 else 'accounts that are'} not in accounts"
            fix = "complete accounts, or fix the ids"
            self.findings.append(Finding("error", name, "account_id", unknown, problem, "dropped", fix, tuple(shown)))
        if not rows:
            meaning, fix = "its features are missing for every account", "check the source, `where` and the ids"
            self.findings.append(Finding("error", name, "", 0, "no rows are left", meaning, fix))
        for source in sources:
            shutil.rmtree(self.into / source.folder / f"{BUCKET}={_STRANGERS}", ignore_errors=True)

    def count(self, files: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {files}").fetchall()[0][0]) if files else 0


@dataclass
class _Numbered:
    """Numbers the rows of a table's sources, one source after the other."""

    next: int = 0
    broken: Exception | None = None

    def of(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Give the batches of a source with the number of each row beside it."""
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
