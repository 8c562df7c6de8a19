"""The engine of a cluster: the rows of each account come together by one shuffle, the same functions run on every bucket.

Spark reads, shuffles and writes. What a row means (`mapping`), what a bucket of accounts holds (`sources.disk_tables`)
and what is computed from it (features, scores) is the code that runs on one machine, too, so the results are the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import from_arrow_schema

from staypower.engines.spark.mapping import (
    FACTS,
    MappedSource,
    facts_of,
    in_order,
    learn_rows,
    map_rows,
    plan_mapping,
    problems_of,
    typed_schema,
)
from staypower.engines.spark.session import (
    ORDER,
    arrow_schema,
    column_of,
    open_on_spark,
    row_order,
    sending_problems,
    spark_errors_as_problems,
)
from staypower.engines.spark.tables import (
    ARRIVED,
    KNOWN,
    OWN,
    SOURCE,
    STATED,
    Gathering,
    Questions,
    SparkTables,
    first_known,
    instants_of,
    slots_of,
)
from staypower.errors import Problem, UsageError
from staypower.schemas import SCHEMAS
from staypower.sources.disk_tables import BUCKET, StoredTable
from staypower.sources.extracting import ColumnFacts
from staypower.sources.findings import Finding
from staypower.sources.reading import derived_table, name_problems
from staypower.sources.resolving import Moment, refuse_circle
from staypower.sources.settings import JoinKey, Joins, TableSource, own_time, placed
from staypower.sources.typed_sources import PlannedSource, without_clock


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
        fix = "use the engine `embedded`, or write the ids of merged accounts anew in the source"
        raise UsageError.of("merged accounts are not followed on Spark", "tables.accounts.aliases", fix)
    run = _Run(session, buckets, derived_table(sources), Joins.of(sources))
    run.plan(sources, folder, objects or {}, list(name_problems(sources)))
    listed, gathered = run.gather()
    kept = gathered.repartition(buckets, functions.col(BUCKET)).persist(StorageLevel.MEMORY_AND_DISK)
    run.held.append(kept)
    try:
        questions = Questions(kept, listed, run.slots)
        findings = questions.findings()
        if findings:
            yield SparkTables(Path(), 0, (0,), listed, run.derive_from), findings
            return
        until = questions.until(observed_until)
        resolved = questions.resolved(until, run.derive_from)
        gathering = Gathering(until, resolved, run.derive_from, run.slots)
        rows = kept.where(column_of(KNOWN)).drop(*STATED)
        yield SparkTables(Path(), until, tuple(range(buckets)), resolved, run.derive_from, frame=rows, gathering=gathering), ()
    finally:
        for frame in run.held:
            frame.unpersist()


@dataclass(frozen=True)
class _Source:
    """One source: its frame on Spark, its mapping, and what all its rows say of its columns."""

    mapped: MappedSource
    frame: DataFrame
    facts: Mapping[str, ColumnFacts]
    key: JoinKey | None = None  # its id, where other tables find their account through it

    @property
    def via(self) -> JoinKey | None:
        return self.mapped.plan.via

    @property
    def ordered(self) -> bool:
        """Whether the order of its rows says something: which of several is the first."""
        schema = SCHEMAS.get(self.mapped.table)
        keyed = self.key is not None or (schema is not None and schema.row_id in self.facts)
        return self.mapped.table == "accounts" or keyed

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
    slots: dict[str, dict[str, str]] = field(default_factory=dict)
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
        for name, source, place in placed(sources):
            try:
                frame = open_on_spark(self.session, source, place, folder, objects)
                mapped, known = plan_mapping(name, source, place, arrow_schema(frame), self.joins)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            opened.append((mapped, frame, known))
        if problems:
            raise UsageError(problems)
        answers = _learn([(mapped, frame) for mapped, frame, _ in opened])
        problems = [problem for one in answers for problem in problems_of(one)]
        if problems:
            raise UsageError(problems)
        for (mapped, frame, known), one in zip(opened, answers, strict=True):
            key = self.joins.keys.get(mapped.table) if mapped.table in self.joins.through else None
            found = _Source(mapped, frame, facts_of(mapped.plan, known, one), key)
            self.sources.setdefault(mapped.table, []).append(found)

    def gather(self) -> tuple[dict[str, StoredTable], DataFrame]:
        """Map every table and combine the rows."""
        listed: dict[str, StoredTable] = {}
        frames: dict[str, list[DataFrame]] = {}
        # the accounts come first: rows of unknown accounts are recognised by theirs
        kept = self.joins.without_lookups({name: [one.facts for one in each] for name, each in self.sources.items()})
        for name in sorted(kept, key=lambda name: name != "accounts"):
            listed[name], frames[name] = self.table(name, len(listed))
        accounts = None
        if "accounts" in frames:
            ids = _together([frame.select("account_id") for frame in frames["accounts"]])
            # every other table asks for them
            accounts = ids.distinct().withColumn(KNOWN, functions.lit(True)).persist(StorageLevel.MEMORY_AND_DISK)
            self.held.append(accounts)
        every = [
            frame for name, table in listed.items() for frame in self.placed(table, self.marked(table, frames[name], accounts))
        ]
        return {name: listed[name] for name in kept}, _together(every)

    def table(self, name: str, number: int) -> tuple[StoredTable, list[DataFrame]]:
        """Map the rows of a table that can ever count: those with an account, a time and an arrival."""
        sources = self.sources[name]
        date_only = without_clock([source.facts for source in sources])
        outlines = tuple(source.planned.outline(name, f"{number}-{each}", date_only) for each, source in enumerate(sources))
        table = StoredTable(name, own_time([source.mapped.source for source in sources]), outlines)
        arrivals = any("known_at" in source.facts for source in sources)
        frames = []
        for each, source in enumerate(sources):
            rows = self.with_account(source, self.mapped(source, date_only, each), (name,))
            columns = frozenset(rows.columns)
            rows = rows.withColumns(instants_of(table, columns, date_only & columns))
            needed = column_of("account_id").isNotNull()
            if name != "accounts":
                needed &= column_of(OWN).isNotNull()
                needed &= column_of(ARRIVED).isNotNull() if arrivals else functions.lit(True)
            frames.append(rows.where(needed))
        return table, frames

    def mapped(self, source: _Source, date_only: frozenset[str], number: int) -> DataFrame:
        """Give the canonical rows of a source, with their order where it says something."""
        mapped, facts, frame = source.mapped, dict(source.facts), source.frame
        columns = [column_of(name) for name in sorted(mapped.plan.used)]
        if source.ordered:
            columns.append(row_order(frame, number).alias(ORDER))
            mapped, facts[ORDER] = in_order(mapped), ColumnFacts("text", 1)
        schema = typed_schema(mapped.plan, {name: each.kind for name, each in facts.items()})

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows = sending_problems(lambda: list(map_rows(mapped, facts, date_only, schema, batches)))
            yield from rows()

        with spark_errors_as_problems(mapped.place):
            return _selected(frame, columns).mapInArrow(run, from_arrow_schema(schema, prefer_timestamp_ntz=False))

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
            for each, source in enumerate(self.sources[via]):
                rows = self.with_account(source, self.mapped(source, frozenset(), each), (*asked, via))
                parts.append(rows.select(key, "account_id", column_of(ORDER)))
            rows = _together(parts).where(column_of(key).isNotNull())
            first = rows.groupBy(key).agg(functions.min_by("account_id", column_of(ORDER)).alias("account_id"))
            self.keys[via] = first.where(column_of("account_id").isNotNull())
        return self.keys[via]

    def marked(self, table: StoredTable, frames: list[DataFrame], accounts: DataFrame | None) -> list[DataFrame]:
        """Say which rows are of known accounts, and keep the first known row of each declared id."""
        if table.name == "accounts" or accounts is None:
            known = [rows.withColumn(KNOWN, functions.lit(True)) for rows in frames]
        else:
            joined = [rows.join(accounts, "account_id", "left") for rows in frames]
            known = [rows.withColumn(KNOWN, functions.coalesce(column_of(KNOWN), functions.lit(False))) for rows in joined]
        key = SCHEMAS[table.name].row_id if table.name in SCHEMAS else None
        if key is None or not any(key in source.kinds for source in table.sources):
            return known
        tagged = [rows.withColumn(SOURCE, functions.lit(number)) for number, rows in enumerate(known)]
        # an id is looked for in all sources of its table
        every = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), tagged)
        first = first_known(every, key)
        return [first.where(functions.col(SOURCE) == number) for number in range(len(tagged))]

    def placed(self, table: StoredTable, frames: Sequence[DataFrame]) -> Iterator[DataFrame]:
        """Put the columns of a table's rows into their slots."""
        for source, outline, rows in zip(self.sources[table.name], table.sources, frames, strict=True):
            kinds = {name: kind for name, kind in outline.kinds.items() if name in rows.columns}
            typed = typed_schema(source.mapped.plan, kinds)
            if table.name == "accounts":
                typed = typed.append(pa.field(ORDER, pa.string()))
            self.slots[outline.folder] = slots_of(typed)
            number = functions.lit(len(self.slots) - 1).alias(SOURCE)
            bucket = functions.pmod(functions.xxhash64("account_id"), functions.lit(self.buckets)).cast("int").alias(BUCKET)
            stated = [column_of(name) for name in STATED]
            slots = [column_of(name).alias(slot) for name, slot in self.slots[outline.folder].items()]
            yield rows.select(bucket, number, *stated, *slots)


def _learn(sources: Sequence[tuple[MappedSource, DataFrame]]) -> list[list[str]]:
    """Ask all sources at once what their columns are."""
    asked = []
    for number, (mapped, frame) in enumerate(sources):

        def run(
            batches: Iterable[pa.RecordBatch], mapped: MappedSource = mapped, number: int = number
        ) -> Iterator[pa.RecordBatch]:
            return learn_rows(mapped, number, batches)

        columns = [column_of(name) for name in sorted(mapped.plan.used)]
        with spark_errors_as_problems(mapped.place):
            asked.append(_selected(frame, columns).mapInArrow(run, FACTS))
    answers: list[list[str]] = [[] for _ in sources]
    with spark_errors_as_problems("tables"):
        for row in _together(asked).collect():
            answers[row["source"]].append(row["answer"])
    return answers


def _selected(frame: DataFrame, columns: Sequence[Any]) -> DataFrame:
    """Select columns; one that says nothing where a source's every value is a constant."""
    return frame.select(*columns) if columns else frame.select(functions.lit(0).alias("nothing"))


def _together(frames: Sequence[DataFrame]) -> DataFrame:
    """Combine rows; a column that a table does not have is null there."""
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)
