"""The tables of a company on Spark: rows of all tables under one another, and back into tables in each bucket of accounts.

Every table's columns share the same few columns, its *slots*, of the four types that tables know: a row of usage and one of
payments have their first number in the same place. So the rows of all tables go through one shuffle without carrying each
other's empty columns.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions
from pyspark.sql.pandas.types import from_arrow_schema

from staypower.engines.spark.session import sending_problems, spark_errors_as_problems
from staypower.engines.spark.storage import ORDER
from staypower.errors import UsageError
from staypower.sources.disk_tables import BUCKET, ROW, DiskTables, StoredTable
from staypower.sources.extracting import ARROW_TYPES
from staypower.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["SOURCE", "RowsOfBucket", "Gathering", "SparkTables", "slots_of"]

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
    """The tables of one bucket, whose rows are at hand.

    >>> RowsOfBucket(Path(), 0, (0,), {}).stored("0-0", 0) is None
    True
    """

    # the rows of each source, by the name that `StoredSource.folder` has
    parts: Mapping[str, pa.Table] = field(default_factory=dict)

    def stored(self, folder: str, number: int) -> pa.Table | None:
        """Return the rows of a source."""
        return self.parts.get(folder)


@dataclass(frozen=True)
class Gathering:
    """Turns the rows of a bucket back into its tables: this is what workers are given.

    >>> Gathering(0, {}, None, {}).numbers
    {}
    """

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

    def stored(self, folder: str, number: int) -> pa.Table | None:
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
        strange = sorted(set(rows.column_names) ^ set(schema.names)) or ["the order of the columns"]
        fix = "install the same version of staypower on the driver and on every worker"
        raise UsageError.of("the workers run another staypower than the driver", ", ".join(strange[:5]), fix)
    return rows.replace_schema_metadata(None).cast(schema)
