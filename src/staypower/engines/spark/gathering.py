"""The engine of a cluster: the rows of each account come together by one shuffle, the same functions run on every bucket.

Spark reads, shuffles and writes. What a row means (`mapping`), what a bucket of accounts holds (`sources.disk_tables`)
and what is computed from it (features, scores) is the code that runs on one machine, too, so the results are the same bits.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, functions

from staypower.engines.abilities import REFUSED
from staypower.engines.spark.asking import Questions, RowsOfSources, SourceCounts
from staypower.engines.spark.files import ORDER, Batches
from staypower.engines.spark.files import Rows as Cut
from staypower.engines.spark.mapping import (
    LEARNED,
    MappedSource,
    facts_of,
    in_order,
    learn_rows,
    map_rows,
    plan_mapping,
    problems_of,
    typed_schema,
)
from staypower.engines.spark.opening import open_on_spark
from staypower.engines.spark.packing import SLICES, buckets_in, rows_in, sliced
from staypower.engines.spark.session import column_of, in_workers, spark_errors_as_problems
from staypower.engines.spark.tables import ARRIVED, KNOWN, OWN, Gathering, SparkTables, first_known, instants_of
from staypower.errors import Problem, UsageError
from staypower.schemas import SCHEMAS
from staypower.sources.disk_tables import BUCKET, StoredTable
from staypower.sources.extracting import ColumnFacts
from staypower.sources.findings import Finding
from staypower.sources.reading import derived_table, name_problems
from staypower.sources.resolving import Moment, refuse_circle
from staypower.sources.settings import JoinKey, Joins, TableSource, own_time, placed
from staypower.sources.typed_sources import PlannedSource, without_clock

SOURCE = "source"
COUNTED = pa.schema({"counted": pa.binary()})


@contextmanager
def gather_on_spark(
    session: SparkSession,
    sources: Mapping[str, Sequence[TableSource]],
    *,
    folder: Path,
    buckets: int,
    observed_until: Moment | None = None,
    objects: Mapping[str, object] | None = None,
) -> Iterator[tuple[SparkTables, tuple[Finding, ...]]]:
    """Bring all rows of each account together on Spark."""
    if any(source.aliases for source in sources.get("accounts", ())):
        raise UsageError([REFUSED["aliases"].of("tables.accounts.aliases")])
    run = _Run(session, buckets, derived_table(sources), Joins.of(sources))
    run.plan(sources, folder, objects or {}, list(name_problems(sources)))
    listed, slices = run.gather()
    kept = slices.repartition(buckets, functions.col(BUCKET)).persist(StorageLevel.MEMORY_AND_DISK)
    run.held.append(kept)
    try:
        rows = RowsOfSources(listed, tuple(run.tags))
        questions = Questions(rows, partial(_counts_of, kept, rows))
        findings = questions.findings()
        if findings:
            yield SparkTables(Path(), 0, (0,), listed, run.derive_from), findings
            return
        gathering = Gathering(questions.until(observed_until), rows, run.derive_from)
        tables = SparkTables.gathered(kept, gathering, buckets)
        for frame in run.held:
            # should an executor be lost, what it held is made again from the sources
            frame.unpersist()
        run.held = [tables.frame]
        yield tables, ()
    finally:
        for frame in run.held:
            frame.unpersist()


def _counts_of(slices: DataFrame, sources: RowsOfSources, limit: int | None) -> dict[int, SourceCounts]:
    """Count the rows of every source in the workers."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counted = (pickle.dumps(sources.counts(parts, limit)) for _, parts in buckets_in(batches))
        yield pa.RecordBatch.from_arrays([pa.array(list(counted), pa.binary())], schema=COUNTED)

    found: dict[int, SourceCounts] = {}
    with spark_errors_as_problems("tables"):
        for row in in_workers(slices, run, COUNTED).collect():
            for number, counts in pickle.loads(row[0]).items():  # what our own workers have just made
                found[number] = found.get(number, SourceCounts()) + counts
    return found


@dataclass(frozen=True)
class _Source:
    """One source: its rows as `learn_rows` packed them, its mapping, and what all its rows say of its columns."""

    mapped: MappedSource
    rows: DataFrame
    facts: Mapping[str, ColumnFacts]
    ordered: bool  # whether the order of its rows says something: which of several is the first

    @property
    def via(self) -> JoinKey | None:
        return self.mapped.plan.via

    @property
    def planned(self) -> PlannedSource:
        return PlannedSource(self.mapped.source, self.mapped.place, self.mapped.plan, self.facts)


@dataclass
class _Run:
    """Plans every source, maps its rows, and combines those of all tables."""

    session: SparkSession
    buckets: int
    derive_from: str | None
    joins: Joins
    sources: dict[str, list[_Source]] = field(default_factory=dict)
    keys: dict[str, DataFrame] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)  # of every source, by the number that slices have
    ids: DataFrame | None = None  # of all accounts, once they are asked for
    held: list[DataFrame] = field(default_factory=list)

    def plan(
        self,
        sources: Mapping[str, Sequence[TableSource]],
        folder: Path,
        objects: Mapping[str, object],
        problems: list[Problem],
    ) -> None:
        """Plan every source and learn what its columns are; all problems at once."""
        opened: list[tuple[MappedSource, DataFrame, dict[str, ColumnFacts]]] = []
        tables = Counter[str]()
        for name, source, place in placed(sources):
            try:
                given = open_on_spark(self.session, source, place, folder, objects)
                mapped, known = plan_mapping(name, source, place, given.schema, self.joins)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            order = tables[name] if self.is_ordered(mapped) else None
            tables[name] += 1
            run = partial(learn_rows, mapped, len(opened))
            with spark_errors_as_problems(place):
                rows = given.each(run, sorted(mapped.plan.used), order, LEARNED).persist(StorageLevel.DISK_ONLY)
            self.held.append(rows)
            opened.append((mapped, rows, known))
        if problems:
            raise UsageError(problems)
        answers = _answers([rows for _, rows, _ in opened])
        problems = [problem for one in answers for problem in problems_of(one)]
        if problems:
            raise UsageError(problems)
        for (mapped, rows, known), one in zip(opened, answers, strict=True):
            found = _Source(mapped, rows, facts_of(mapped.plan, known, one), self.is_ordered(mapped))
            self.sources.setdefault(mapped.table, []).append(found)

    def is_ordered(self, mapped: MappedSource) -> bool:
        """Say whether the order of a source's rows says something."""
        schema = SCHEMAS.get(mapped.table)
        named = schema is not None and schema.row_id in {column.name for column in mapped.plan.columns}
        return mapped.table == "accounts" or mapped.table in self.joins.through or named

    def gather(self) -> tuple[dict[str, StoredTable], DataFrame]:
        """Map the rows of every table and cut them into slices of buckets."""
        listed: dict[str, StoredTable] = {}
        kept = self.joins.without_lookups({name: [one.facts for one in each] for name, each in self.sources.items()})
        for name in sorted(kept, key=lambda name: name != "accounts"):
            listed[name] = self.outlined(name, len(listed))
            self.tags += [source.folder for source in listed[name].sources]
        rows = RowsOfSources(listed, tuple(self.tags))
        slices = [frame for name in listed for frame in self.slices(rows, name)]
        return {name: listed[name] for name in kept}, reduce(lambda one, other: one.union(other), slices)

    def outlined(self, name: str, number: int) -> StoredTable:
        """Say what is known of a table."""
        sources = self.sources[name]
        days = without_clock([source.facts for source in sources])
        outlines = tuple(source.planned.outline(name, f"{number}-{each}", days) for each, source in enumerate(sources))
        return StoredTable(name, own_time([source.mapped.source for source in sources]), outlines)

    def slices(self, rows: RowsOfSources, name: str) -> Iterator[DataFrame]:
        """Map the rows of a table that can ever count, and cut them into slices."""
        sources, table = self.sources[name], rows.listed[name]
        days = without_clock([source.facts for source in sources])
        key = SCHEMAS[name].row_id if name in SCHEMAS else None
        named = key is not None and any(key in outline.kinds for outline in table.sources)
        frames = []
        if named:
            for source in sources:
                frame = self.with_account(source, self.mapped(source, days), (name,))
                columns = frozenset(frame.columns)
                frames.append(frame.withColumns(instants_of(table, columns, days & columns)))
            frames = self.first_of_each(rows, table, frames, str(key))
        for each, source in enumerate(sources):
            number = rows.tags.index(table.sources[each].folder)
            cut = partial(_cut, rows, number, self.columns(source, table, each), self.buckets)
            if named:
                yield _sliced(frames[each], cut)
            elif source.via is not None:
                yield _sliced(self.with_account(source, self.mapped(source, days), (name,)), cut)
            else:
                # the worker that maps rows cuts them, too
                yield self.mapped(source, days, cut)

    def columns(self, source: _Source, table: StoredTable, each: int) -> tuple[str, ...]:
        """Name the columns that slices of a source have."""
        order = [ORDER] if table.name == "accounts" else []
        via = [] if source.via is None else ["account_id"]
        return tuple(dict.fromkeys([*table.sources[each].kinds, *via, *order]))

    def mapped(self, source: _Source, date_only: frozenset[str], cut: Callable[[Batches], Cut] | None = None) -> DataFrame:
        """Give the canonical rows of a source, with their order where it says something; or what is cut from them."""
        mapped, facts = source.mapped, dict(source.facts)
        if source.ordered:
            mapped, facts[ORDER] = in_order(mapped), ColumnFacts("text", 1)
        schema = typed_schema(mapped.plan, {name: each.kind for name, each in facts.items()})

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows = map_rows(mapped, facts, date_only, schema, rows_in(batches, "rows"))
            yield from rows if cut is None else cut(rows)

        return in_workers(source.rows.select("rows"), run, schema if cut is None else SLICES, mapped.place)

    def with_account(self, source: _Source, rows: DataFrame, asked: tuple[str, ...]) -> DataFrame:
        """Find the account through the id of another table, where the source says so."""
        if source.via is None:
            return rows
        key = source.via.column
        found = rows.join(self.keys_of(source.via, asked), key)
        table = source.mapped.table
        kept = table in SCHEMAS and SCHEMAS[table].column(key) is not None
        return found if kept or table not in SCHEMAS else found.drop(key)

    def keys_of(self, join: JoinKey, asked: tuple[str, ...]) -> DataFrame:
        """Give the account of each id of a table: that of its first row."""
        via, key = join.table, join.column
        if via in asked:
            raise refuse_circle(asked[-1])
        if via not in self.keys:
            parts = []
            for source in self.sources[via]:
                rows = self.with_account(source, self.mapped(source, frozenset()), (*asked, via))
                parts.append(rows.select(key, "account_id", column_of(ORDER)))
            rows = _together(parts).where(column_of(key).isNotNull())
            first = rows.groupBy(key).agg(functions.min_by("account_id", column_of(ORDER)).alias("account_id"))
            self.keys[via] = first.where(column_of("account_id").isNotNull())
        return self.keys[via]

    def first_of_each(self, rows: RowsOfSources, table: StoredTable, frames: Sequence[DataFrame], key: str) -> list[DataFrame]:
        """Keep the first row of each declared id that can count: known accounts and others by themselves."""
        needed = column_of("account_id").isNotNull() & column_of(OWN).isNotNull()
        if "known_at" in table.columns:
            needed &= column_of(ARRIVED).isNotNull()
        accounts = self.accounts(rows)
        tagged = []
        for number, frame in enumerate(frames):
            counting = frame.where(needed)
            if accounts is None:
                known = counting.withColumn(KNOWN, functions.lit(True))
            else:
                joined = counting.join(accounts, "account_id", "left")
                known = joined.withColumn(KNOWN, functions.coalesce(column_of(KNOWN), functions.lit(False)))
            tagged.append(known.withColumn(SOURCE, functions.lit(number)))
        # an id is looked for in all sources of its table
        first = first_known(_together(tagged), key)
        return [first.where(functions.col(SOURCE) == number) for number in range(len(tagged))]

    def accounts(self, rows: RowsOfSources) -> DataFrame | None:
        """Give the ids of all accounts, once for all tables."""
        if "accounts" not in rows.listed:
            return None
        if self.ids is None:
            mapped = [self.mapped(source, frozenset()) for source in self.sources["accounts"]]
            ids = _together([frame.select("account_id") for frame in mapped]).where(column_of("account_id").isNotNull())
            self.ids = ids.distinct().withColumn(KNOWN, functions.lit(True)).persist(StorageLevel.MEMORY_AND_DISK)
            self.held.append(self.ids)
        return self.ids


def _cut(rows: RowsOfSources, number: int, columns: tuple[str, ...], buckets: int, batches: Batches) -> Cut:
    """Cut the rows that can ever count into slices."""

    def counting() -> Cut:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = table.select([name for name in columns if name in table.column_names])
            yield from rows.counting(number, table).to_batches()

    return sliced(counting(), number, buckets)


def _sliced(frame: DataFrame, cut: Callable[[Batches], Cut]) -> DataFrame:
    """Cut rows into slices that Spark had to look at."""
    return in_workers(frame, cut, SLICES)


def _answers(sources: Sequence[DataFrame]) -> list[list[str]]:
    """Read all sources at once, and say what each chunk tells of its columns."""
    answers: list[list[str]] = [[] for _ in sources]
    with spark_errors_as_problems("tables"):
        for row in _together([rows.select("source", "answer") for rows in sources]).collect():
            answers[row["source"]].append(row["answer"])
    return answers


def _together(frames: Sequence[DataFrame]) -> DataFrame:
    """Combine rows; a column that a table does not have is null there."""
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)
