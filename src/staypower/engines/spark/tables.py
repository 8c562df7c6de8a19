"""The tables of a company on Spark: all their rows in one frame, what the data rules ask of it, and the tables of each bucket.

Every table's columns share the same few columns, its *slots*, of the four types that tables know: a row of usage and one of
payments have their first number in the same place. So the rows of all tables go through one shuffle without carrying each
other's empty columns.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, Window, functions
from pyspark.sql.pandas.types import from_arrow_schema

from staypower.cutoffs import DAY
from staypower.engines.spark.session import ORDER, column_of, sending_problems, spark_errors_as_problems
from staypower.errors import UsageError
from staypower.sources.disk_tables import BUCKET, ROW, DiskTables, StoredTable
from staypower.sources.extracting import ARROW_TYPES
from staypower.sources.findings import MOSTLY, Counted, Finding, add_up
from staypower.sources.resolving import Moment, end_of_observation, refuse_no_accounts
from staypower.sources.rules import no_rows_left, unknown_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SOURCE = "source"
Made = TypeVar("Made")
_PREFIXES: Mapping[pa.DataType, str] = MappingProxyType(
    {
        ARROW_TYPES["text"]: "text",
        ARROW_TYPES["time"]: "time",
        ARROW_TYPES["number"]: "number",
        ARROW_TYPES["flag"]: "flag",
    }
)


def slots_of(schema: pa.Schema) -> dict[str, str]:
    """Give each column of a table the next slot of its type.

    >>> slots_of(pa.schema({"account_id": pa.string(), "amount": pa.float64(), "status": pa.string()}))
    {'account_id': 'text 0', 'amount': 'number 0', 'status': 'text 1'}
    """
    counts: dict[str, int] = {}
    slots = {}
    for column in schema:
        prefix = _PREFIXES[column.type]
        slots[column.name] = f"{prefix} {counts.get(prefix, 0)}"
        counts[prefix] = counts.get(prefix, 0) + 1
    return slots


@dataclass(frozen=True)
class RowsOfBucket(DiskTables):
    """The tables of one bucket, whose rows are at hand."""

    # the rows of each source, by the name that `StoredSource.folder` has
    parts: Mapping[str, pa.Table] = field(default_factory=dict)

    def stored(self, folder: str, number: int, columns: Sequence[str] = ()) -> pa.Table | None:
        """Return the rows of a source."""
        return self.parts.get(folder)


@dataclass(frozen=True)
class Gathering:
    """Turns the rows of a bucket back into its tables: this is what workers are given."""

    observed_until: int  # instant
    listed: Mapping[str, StoredTable]
    derive_from: str | None
    slots: Mapping[str, Mapping[str, str]]  # for each source which slot holds which column

    @property
    def numbers(self) -> dict[str, int]:
        """The number by which rows name their source."""
        return {tag: number for number, tag in enumerate(self.slots)}

    def tables(self, rows: pa.Table, only: Collection[str] | None = None) -> Tables:
        """Return the tables of a bucket."""
        parts = {tag: self._part(rows, tag, number) for tag, number in self.numbers.items()}
        return RowsOfBucket(Path(), self.observed_until, (0,), self.listed, self.derive_from, parts=parts).bucket(0, only)

    def _part(self, rows: pa.Table, tag: str, number: int) -> pa.Table:
        mine = rows.filter(pc.equal(rows.column(SOURCE), number))
        part = pa.table({name: mine.column(slot) for name, slot in self.slots[tag].items()})
        if ORDER not in part.column_names:
            return part
        part = part.sort_by(ORDER).drop_columns(ORDER)
        return part.append_column(ROW, pa.array(np.arange(part.num_rows)))


@dataclass(frozen=True)
class SparkTables(DiskTables):
    """The tables of a company on a cluster, their rows cut into buckets of accounts.

    Made by `gather_on_spark`. No row ever comes to the driver: functions go to the rows.
    """

    frame: Any = None  # the rows of all tables: `bucket`, `source` and the slots
    gathering: Gathering = field(default_factory=lambda: Gathering(0, {}, None, {}))

    def stored(self, folder: str, number: int, columns: Sequence[str] = ()) -> pa.Table | None:
        """Return nothing: here is no row."""
        return None

    def each(self, function: Callable[[Tables], Made], only: Collection[str] | None = None) -> Iterator[Made]:
        """Run a function on every bucket in the workers and give what it makes, in any order."""
        gathering = self.gathering
        needed = None if only is None else {*only, "accounts", *filter(None, [self.derive_from])}
        if "accounts" not in self.listed:
            needed = None

        def pickled(rows: pa.Table) -> pa.Table:
            made = function(gathering.tables(rows, only))
            return pa.table({"pickled": pa.array([pickle.dumps(made)], pa.binary())})

        rows = self._apply(pickled, pa.schema({"pickled": pa.binary()}), self._tags(needed))
        with spark_errors_as_problems("tables"):
            for row in rows.collect():
                yield pickle.loads(row[0])  # what our own workers have just made

    def map(self, function: Callable[[Tables], pa.Table], schema: pa.Schema) -> DataFrame:
        """Run a function on every bucket in the workers and leave its rows there."""
        gathering = self.gathering

        def made(rows: pa.Table) -> pa.Table:
            tables = gathering.tables(rows)
            # all rows of a bucket may be in the future, of accounts that are not listed
            if not len(tables["accounts"]):
                return schema.empty_table()
            return _as_agreed(function(tables), schema)

        return self._apply(made, schema, None)

    def _apply(self, function: Callable[[pa.Table], pa.Table], schema: pa.Schema, tags: Sequence[int] | None) -> DataFrame:
        frame = self.frame if tags is None else self.frame.where(functions.col(SOURCE).isin(list(tags)))
        sent = sending_problems(function)

        def run(rows: pa.Table) -> pa.Table:
            return sent(rows)

        with spark_errors_as_problems("tables"):
            spark_schema = from_arrow_schema(schema, prefer_timestamp_ntz=False)
            return frame.groupBy(BUCKET).applyInArrow(run, spark_schema)

    def _tags(self, names: Collection[str] | None) -> list[int] | None:
        if names is None:
            return None
        numbers = self.gathering.numbers
        return [numbers[source.folder] for name, table in self.listed.items() if name in names for source in table.sources]


def _as_agreed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the types that the driver announced to Spark."""
    if rows.column_names != schema.names:
        different = sorted(set(rows.column_names) ^ set(schema.names)) or ["the order of the columns"]
        fix = "install the same version of staypower on the driver and on every worker"
        raise UsageError.of("the workers run another version of staypower than the driver", ", ".join(different[:5]), fix)
    return rows.replace_schema_metadata(None).cast(schema)


KNOWN, OWN, WRITTEN, ARRIVED, VERSION = "known account", "own instant", "own as written", "arrived", "version"
STATED = (KNOWN, OWN, WRITTEN, ARRIVED, VERSION)


def instants_of(table: StoredTable, columns: frozenset[str], date_only: frozenset[str]) -> dict[str, Column]:
    """Write when a row happened, was written to have happened, arrived and began to hold."""

    def written(name: str) -> Column:
        return functions.unix_micros(column_of(name))

    def instant(name: str) -> Column:
        return written(name) + functions.lit(DAY - 1 if name in date_only else 0)

    times = [name for name in table.times if name in columns]
    nothing = functions.lit(None).cast("bigint")
    return {
        OWN: functions.coalesce(*map(instant, times), nothing),
        WRITTEN: functions.coalesce(*map(written, times), nothing),
        ARRIVED: instant("known_at") if "known_at" in columns else nothing,
        VERSION: instant("valid_from") if "valid_from" in columns else nothing,
    }


def first_known(rows: DataFrame, key: str) -> DataFrame:
    """Keep the first known row of each id; rows without one are kept."""
    alone = functions.when(column_of(key).isNull(), column_of(ORDER))
    when = functions.greatest(column_of(OWN), column_of(ARRIVED))
    together = Window.partitionBy(column_of(key), column_of(VERSION), column_of(KNOWN), alone)
    place = functions.row_number().over(together.orderBy(when, column_of(ORDER)))
    return rows.withColumn("place", place).where(functions.col("place") == 1).drop("place")


@dataclass(frozen=True)
class Questions:
    """What is asked of the rows of all tables."""

    frame: Any  # `source`, the slots and the columns of `STATED`
    listed: Mapping[str, StoredTable]
    slots: Mapping[str, Mapping[str, str]]  # for each source which slot holds which column

    def findings(self) -> tuple[Finding, ...]:
        """Say which tables hold nothing, or mostly rows of accounts that are not there."""
        found: list[Counted] = []
        for name in (name for name in self.listed if name != "accounts"):
            rows, unknown = self.count(name, "rows"), self.count(name, "unknown")
            if unknown > MOSTLY * (rows + unknown):
                found.append(unknown_accounts(name, unknown, rows + unknown, self.unknown_count(name)))
            if not rows:
                found.append(no_rows_left(name))
        return add_up(found)

    def until(self, given: Moment | None) -> int:
        """Say until when the data were observed."""
        events: dict[str, Any] = {name: _Asked(self, table) for name, table in self.listed.items() if name != "accounts"}
        accounts: Any = _Asked(self, self.listed["accounts"]) if "accounts" in self.listed else None
        return end_of_observation(events, accounts, given, None)

    def resolved(self, until: int, derive_from: str | None) -> dict[str, StoredTable]:
        """Say how many rows of each table count, and when the first happened."""
        accounts = functions.col("source").isin(self.tags("accounts")) if "accounts" in self.listed else functions.lit(False)
        counts = accounts | ((column_of(OWN) < until) & functions.coalesce(column_of(VERSION) < until, functions.lit(True)))
        kept = self.frame.where(column_of(KNOWN) & counts)
        answers = self.ask(
            kept.groupBy("source").agg(functions.count("*").alias("rows"), functions.min(column_of(OWN)).alias("first"))
        )
        listed = {}
        for name, table in self.listed.items():
            mine = [answers[tag] for tag in self.tags(name) if tag in answers]
            first = min((row["first"] for row in mine if row["first"] is not None), default=None)
            listed[name] = replace(table, rows=sum(row["rows"] for row in mine), first=first)
        telling = ["accounts"] if "accounts" in listed else [derive_from] if derive_from in listed else list(listed)
        if not any(listed[str(name)].rows for name in telling):
            raise refuse_no_accounts("accounts" in listed)
        return listed

    def tags(self, name: str) -> list[int]:
        """Return the numbers of a table's sources."""
        numbers = {tag: number for number, tag in enumerate(self.slots)}
        return [numbers[source.folder] for source in self.listed[name].sources]

    def unknown_count(self, name: str) -> int:
        """Return how many accounts of a table are not known."""
        ids = [
            self.frame.where(~column_of(KNOWN) & (functions.col("source") == tag)).select(column_of(slots["account_id"]))
            for tag, slots in zip(self.tags(name), (self.slots[each.folder] for each in self.listed[name].sources), strict=True)
        ]
        with spark_errors_as_problems("tables"):
            return int(reduce(lambda one, other: one.union(other), ids).distinct().count())

    def count(self, name: str, what: str) -> int:
        """Return how many rows of a table there are, or are of unknown accounts."""
        return sum(int(self.seen[tag][what]) for tag in self.tags(name) if tag in self.seen)

    @cached_property
    def seen(self) -> dict[int, Any]:
        """Rows, rows of unknown accounts and the last arrival, by source."""
        known = column_of(KNOWN)
        return self.ask(
            self.frame.groupBy("source").agg(
                functions.count_if(known).alias("rows"),
                functions.count_if(~known).alias("unknown"),
                functions.max(functions.when(known, column_of(ARRIVED))).alias("arrived"),
            )
        )

    @cached_property
    def latest(self) -> dict[int | None, dict[int, Any]]:
        """What was asked for already: the last own instant of each source, by limit."""
        return {}

    def last(self, name: str, limit: int | None) -> int | None:
        """Return the last own instant of the rows of a table that are written at or before a limit."""
        if limit not in self.latest:
            kept = column_of(KNOWN) if limit is None else column_of(KNOWN) & (column_of(WRITTEN) <= limit)
            asked = self.frame.where(kept).groupBy("source").agg(functions.max(column_of(OWN)).alias("last"))
            self.latest[limit] = self.ask(asked)
        answers = (self.latest[limit][tag]["last"] for tag in self.tags(name) if tag in self.latest[limit])
        return max((int(one) for one in answers if one is not None), default=None)

    @cached_property
    def days(self) -> dict[int | None, list[Any]]:
        """What was asked for already: the rows of each source and day, by limit."""
        return {}

    def by_day(self, name: str, limit: int | None) -> dict[int, int]:
        """Count the rows of each day of a table that are written at or before a limit."""
        if limit not in self.days:
            kept = column_of(KNOWN) if limit is None else column_of(KNOWN) & (column_of(WRITTEN) <= limit)
            day = functions.floor(column_of(OWN) / DAY).alias("day")
            with spark_errors_as_problems("tables"):
                self.days[limit] = self.frame.where(kept).groupBy("source", day).count().collect()
        tags, counted = set(self.tags(name)), Counter[int]()
        for source, day, rows in self.days[limit]:
            if int(source) in tags and day is not None:
                counted[int(day)] += int(rows)
        return dict(counted)

    def ask(self, asked: DataFrame) -> dict[int, Any]:
        """Fetch a few figures by source."""
        with spark_errors_as_problems("tables"):
            return {int(row["source"]): row for row in asked.collect()}


@dataclass(frozen=True)
class _Asked:
    """What is asked of one table, as the tables on disk are asked."""

    questions: Questions
    table: StoredTable

    @property
    def has_rows(self) -> bool:
        return self.questions.count(self.table.name, "rows") > 0

    def times(self) -> list[str]:
        return self.table.times

    def latest_arrival(self) -> int | None:
        seen = self.questions.seen
        answers = (seen[tag]["arrived"] for tag in self.questions.tags(self.table.name) if tag in seen)
        return max((int(one) for one in answers if one is not None), default=None)

    def latest(self, limit: int | None) -> int | None:
        return self.questions.last(self.table.name, limit)

    def by_day(self, limit: int | None) -> dict[int, int]:
        return self.questions.by_day(self.table.name, limit)
