"""The engine of a cluster: the rows of each account come together by one shuffle, the same functions run on every bucket.

Spark reads, shuffles and writes. What a row means (`mapping`), what a bucket of accounts holds (`sources.disk_tables`)
and what is computed from it (features, scores) is the code that runs on one machine, too, so the results are the same bits.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, functions

from staypower.engines.abilities import REFUSED
from staypower.engines.spark.asking import Questions, RowsOfSources, SourceCounts
from staypower.engines.spark.files import ORDER, Batches, Call, FilesOfWorkers, in_tasks
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
from staypower.engines.spark.packing import SLICES, buckets_in, cut, rows_in, sliced
from staypower.engines.spark.repeats import ids_in, repeats_in, without_repeats
from staypower.engines.spark.session import column_of, in_workers, spark_errors_as_problems
from staypower.engines.spark.tables import Gathering, SparkTables
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
# fewer rows have an id than there are rows
_BUCKETS_TO_A_SLOT = 4
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
    try:
        rows, slices = run.gather()
        kept = run.without_repeats(rows, slices)
        listed = rows.listed
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
    number: int  # of the source, in the cells of its rows
    rows: DataFrame | None  # None: they are among those of all sources that workers read
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
    read: DataFrame | None = None  # the rows of all sources that workers read
    held: list[DataFrame] = field(default_factory=list)

    def plan(
        self,
        sources: Mapping[str, Sequence[TableSource]],
        folder: Path,
        objects: Mapping[str, object],
        problems: list[Problem],
    ) -> None:
        """Plan every source and learn what its columns are; all problems at once."""
        opened: list[tuple[MappedSource, DataFrame | None, dict[str, ColumnFacts]]] = []
        tables, calls = Counter[str](), list[Call]()
        for name, source, place in placed(sources):
            try:
                given = open_on_spark(self.session, source, place, folder, objects)
                mapped, known = plan_mapping(name, source, place, given.schema, self.joins)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            order = tables[name] if self.is_ordered(mapped) else None
            tables[name] += 1
            asked = partial(learn_rows, mapped, len(opened)), sorted(mapped.plan.used), order
            rows = None
            if isinstance(given, FilesOfWorkers) and mapped.plan.via is None and name not in self.joins.through:
                calls += given.calls(*asked)
            else:
                with spark_errors_as_problems(place):
                    rows = self.hold(given.each(*asked, LEARNED))
            opened.append((mapped, rows, known))
        if problems:
            raise UsageError(problems)
        self.read = self.hold(in_tasks(self.session, calls, LEARNED)) if calls else None
        answers = _answers([frame for frame in (self.read, *(rows for _, rows, _ in opened)) if frame is not None], len(opened))
        problems = [problem for one in answers for problem in problems_of(one)]
        if problems:
            raise UsageError(problems)
        for number, ((mapped, rows, known), one) in enumerate(zip(opened, answers, strict=True)):
            found = _Source(mapped, number, rows, facts_of(mapped.plan, known, one), self.is_ordered(mapped))
            self.sources.setdefault(mapped.table, []).append(found)

    def hold(self, frame: DataFrame, level: StorageLevel = StorageLevel.DISK_ONLY) -> DataFrame:
        """Hold rows until the end of the run."""
        self.held.append(frame.persist(level))
        return self.held[-1]

    def is_ordered(self, mapped: MappedSource) -> bool:
        """Say whether the order of a source's rows says something."""
        schema = SCHEMAS.get(mapped.table)
        named = schema is not None and schema.row_id in {column.name for column in mapped.plan.columns}
        return mapped.table == "accounts" or mapped.table in self.joins.through or named

    def gather(self) -> tuple[RowsOfSources, DataFrame]:
        """Map the rows of every table, and bring those of each bucket together in slices."""
        listed: dict[str, StoredTable] = {}
        kept = self.joins.without_lookups({name: [one.facts for one in each] for name, each in self.sources.items()})
        for name in sorted(kept, key=lambda name: name != "accounts"):
            listed[name] = self.outlined(name, len(listed))
            self.tags += [source.folder for source in listed[name].sources]
        rows = RowsOfSources(listed, tuple(self.tags))
        cuts: dict[int, Callable[[Batches], Cut]] = {}
        slices = [frame for name in listed for frame in self.slices(rows, name, cuts)]
        if cuts and self.read is not None:
            slices.append(in_workers(self.read.select(SOURCE, "rows"), partial(_each_cut, cuts), SLICES))
        together = reduce(lambda one, other: one.union(other), slices)
        rows = replace(rows, listed={name: listed[name] for name in kept})
        return rows, self.hold(together.repartition(self.buckets, functions.col(BUCKET)), StorageLevel.MEMORY_AND_DISK)

    def outlined(self, name: str, number: int) -> StoredTable:
        """Say what is known of a table."""
        sources = self.sources[name]
        days = without_clock([source.facts for source in sources])
        outlines = tuple(source.planned.outline(name, f"{number}-{each}", days) for each, source in enumerate(sources))
        return StoredTable(name, own_time([source.mapped.source for source in sources]), outlines)

    def slices(self, rows: RowsOfSources, name: str, cuts: dict[int, Callable[[Batches], Cut]]) -> Iterator[DataFrame]:
        """Map the rows of a table that can ever count, and cut them; of sources that workers read, say how."""
        sources, table = self.sources[name], rows.listed[name]
        days = without_clock([source.facts for source in sources])
        for each, source in enumerate(sources):
            number = rows.tags.index(table.sources[each].folder)
            cutting = partial(_cut, rows, number, self.columns(rows, source, table, each), self.buckets)
            mapping, _ = self.mapping(source, days)
            if source.rows is None:
                # the worker that maps rows cuts them, too
                cuts[source.number] = partial(_in_turn, mapping, cutting)
            elif source.via is None:
                yield in_workers(source.rows.select("rows"), partial(_in_turn, mapping, cutting), SLICES, source.mapped.place)
            else:
                yield in_workers(self.with_account(source, self.mapped(source, days), (name,)), cutting, SLICES)

    def columns(self, rows: RowsOfSources, source: _Source, table: StoredTable, each: int) -> tuple[str, ...]:
        """Name the columns that slices of a source have."""
        named = rows.key(rows.tags.index(table.sources[each].folder)) is not None
        order = [ORDER] if table.name == "accounts" or named else []
        via = [] if source.via is None else ["account_id"]
        return tuple(dict.fromkeys([*table.sources[each].kinds, *via, *order]))

    def mapping(self, source: _Source, date_only: frozenset[str]) -> tuple[Callable[[Batches], Cut], pa.Schema]:
        """Say how packed rows become canonical ones, with their order where it says something."""
        mapped, facts = source.mapped, dict(source.facts)
        if source.ordered:
            mapped, facts[ORDER] = in_order(mapped), ColumnFacts("text", 1)
        schema = typed_schema(mapped.plan, {name: each.kind for name, each in facts.items()})
        return partial(_mapped, mapped, facts, date_only, schema), schema

    def mapped(self, source: _Source, date_only: frozenset[str]) -> DataFrame:
        """Give the canonical rows of a source to Spark."""
        assert source.rows is not None
        return in_workers(source.rows.select("rows"), *self.mapping(source, date_only), source.mapped.place)

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

    def without_repeats(self, rows: RowsOfSources, kept: DataFrame) -> DataFrame:
        """Leave out the rows whose id another row of their table had before, in whatever bucket that is."""
        if all(rows.key(number) is None for number in range(len(rows.tags))):
            return kept
        slots = -(-self.buckets // _BUCKETS_TO_A_SLOT)
        ids = in_workers(kept, partial(_ids, rows, slots), SLICES).repartition(slots, functions.col(BUCKET))
        found = self.hold(in_workers(ids, _repeats, SLICES))
        with spark_errors_as_problems("tables"):
            if found.isEmpty():
                return kept
        together = kept.union(found).repartition(self.buckets, functions.col(BUCKET))
        return self.hold(in_workers(together, _without_repeats, SLICES), StorageLevel.MEMORY_AND_DISK)


def _ids(rows: RowsOfSources, slots: int, batches: Batches) -> Cut:
    for bucket, parts in buckets_in(batches):
        yield from ids_in(rows, bucket, parts, slots)


def _repeats(batches: Batches) -> Cut:
    for _, parts in buckets_in(batches):
        yield from repeats_in(parts)


def _without_repeats(batches: Batches) -> Cut:
    for bucket, parts in buckets_in(batches):
        for number, rows in without_repeats(parts).items():
            if rows.num_rows:
                yield cut(rows, np.full(rows.num_rows, bucket), number)


def _mapped(
    mapped: MappedSource, facts: Mapping[str, ColumnFacts], date_only: frozenset[str], schema: pa.Schema, batches: Batches
) -> Cut:
    return map_rows(mapped, facts, date_only, schema, rows_in(batches, "rows"))


def _in_turn(first: Callable[[Batches], Cut], then: Callable[[Batches], Cut], batches: Batches) -> Cut:
    return then(first(batches))


def _each_cut(cuts: Mapping[int, Callable[[Batches], Cut]], batches: Batches) -> Cut:
    """Map and cut the rows of several sources, those of one after those of the other."""
    cells = (batch.slice(number, 1) for batch in batches for number in range(batch.num_rows))
    for number, mine in groupby(cells, key=lambda cell: cell.column(SOURCE)[0].as_py()):
        if number in cuts:
            yield from cuts[number](mine)


def _cut(rows: RowsOfSources, number: int, columns: tuple[str, ...], buckets: int, batches: Batches) -> Cut:
    """Cut the rows that can ever count into slices."""

    def counting() -> Cut:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = table.select([name for name in columns if name in table.column_names])
            yield from rows.counting(number, table).to_batches()

    return sliced(counting(), number, buckets)


def _answers(learned: Sequence[DataFrame], sources: int) -> list[list[str]]:
    """Read all sources at once, and say what each chunk tells of its columns."""
    answers: list[list[str]] = [[] for _ in range(sources)]
    with spark_errors_as_problems("tables"):
        for row in _together([rows.select(SOURCE, "answer") for rows in learned]).collect():
            answers[row[SOURCE]].append(row["answer"])
    return answers


def _together(frames: Sequence[DataFrame]) -> DataFrame:
    """Combine rows; a column that a table does not have is null there."""
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)
