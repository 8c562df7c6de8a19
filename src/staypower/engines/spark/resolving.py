"""What the data rules need to know of all accounts together, asked of the rows on Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, Window, functions

from staypower.cutoffs import DAY
from staypower.engines.spark.session import spark_errors_as_problems
from staypower.engines.spark.storage import ORDER, column_of
from staypower.schemas import SCHEMAS
from staypower.sources.disk_tables import StoredTable
from staypower.sources.findings import MOSTLY, Counted, Finding, add_up
from staypower.sources.resolving import Moment, end_of_observation, refuse_no_accounts
from staypower.sources.rules import no_rows_left, unknown_accounts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ARRIVED", "KNOWN", "OWN", "STATED", "VERSION", "WRITTEN", "Questions", "first_known", "instants_of"]

KNOWN, OWN, WRITTEN, ARRIVED, VERSION = "known account", "own instant", "own as written", "arrived", "version"
STATED = (KNOWN, OWN, WRITTEN, ARRIVED, VERSION)


def instants_of(table: StoredTable, columns: frozenset[str], date_only: frozenset[str]) -> dict[str, Column]:
    """Write when a row happened, was written to have happened, arrived and began to hold."""

    def written(name: str) -> Column:
        return functions.unix_micros(column_of(name))

    def instant(name: str) -> Column:
        return written(name) + functions.lit(DAY - 1 if name in date_only else 0)

    own = SCHEMAS[table.name].times if table.name in SCHEMAS else (table.own_time,)
    times = [name for name in own if name in columns]
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
                found.append(unknown_accounts(name, unknown, rows + unknown, self.strangers(name)))
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

    def strangers(self, name: str) -> int:
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
        own = SCHEMAS[self.table.name].times if self.table.name in SCHEMAS else (self.table.own_time,)
        return [name for name in own if any(name in source.kinds for source in self.table.sources)]

    def latest_arrival(self) -> int | None:
        seen = self.questions.seen
        answers = (seen[tag]["arrived"] for tag in self.questions.tags(self.table.name) if tag in seen)
        return max((int(one) for one in answers if one is not None), default=None)

    def latest(self, limit: int | None) -> int | None:
        return self.questions.last(self.table.name, limit)
