"""The tables of a company on Spark: those of each bucket of accounts lie on the executors, functions go to them."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import functions

from staypower.engines.spark.asking import Parts, RowsOfSources
from staypower.engines.spark.files import ORDER
from staypower.engines.spark.packing import HELD, PACKED, buckets_in, in_pieces, packed, rows_in, unpacked
from staypower.engines.spark.session import in_workers, spark_errors_as_problems
from staypower.errors import UsageError
from staypower.sources.disk_tables import ROW, DiskTables
from staypower.sources.resolving import refuse_no_accounts
from staypower.tables import Tables, put_together

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Made = TypeVar("Made")
_COUNTS = "counts of all tables"  # no table has such a name
_PICKLED = pa.schema({"pickled": pa.binary()})


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
    sources: RowsOfSources
    derive_from: str | None

    def tables(self, parts: Parts) -> Tables:
        """Return the tables of a bucket: of accounts that are known."""
        known = self.sources.known(parts)
        found = {}
        for number, rows in parts.items():
            arranged = _ordered if self.sources.table_of(number).name == "accounts" else _plain
            found[self.sources.tags[number]] = arranged(rows.filter(pa.array(known[number])))
        return RowsOfBucket(Path(), self.observed_until, (0,), self.sources.listed, self.derive_from, parts=found).bucket(0)


def _ordered(rows: pa.Table) -> pa.Table:
    if ORDER not in rows.column_names:
        return rows
    rows = rows.sort_by(ORDER).drop_columns(ORDER)
    return rows.append_column(ROW, pa.array(np.arange(rows.num_rows)))


def _plain(rows: pa.Table) -> pa.Table:
    return rows.drop_columns(ORDER) if ORDER in rows.column_names else rows


@dataclass(frozen=True)
class SparkTables(DiskTables):
    """The tables of a company on a cluster, in buckets of accounts.

    Made by `gather_on_spark`. No row comes to the driver that `together` does not name: functions go to the rows.
    """

    frame: Any = None  # the tables of each bucket, as `staypower.engines.spark.packing` writes them
    bare: Tables = field(default_factory=lambda: Tables({}, 0))  # the tables without their rows

    @cached_property
    def empty(self) -> Tables:
        """The tables without their rows."""
        return self.bare

    def stored(self, folder: str, number: int, columns: Sequence[str] = ()) -> pa.Table | None:
        """Return nothing: here is no row."""
        return None

    def together(self, only: Collection[str] | None = None) -> Tables:
        """Bring the rows of some tables to the driver."""
        names = [name for name in self.bare if only is None or name == "accounts" or name in only]
        bare = replace(self.bare, tables={name: self.bare[name] for name in names})
        return put_together([bare, *self.each(_as_they_are, only=names)])

    def each(self, function: Callable[[Tables], Made], only: Collection[str] | None = None) -> Iterator[Made]:
        """Run a function on every bucket in the workers and give what it makes, in any order."""
        until = self.observed_until

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for _, tables in unpacked(batches, until):
                made = pickle.dumps(function(tables), protocol=5)
                yield pa.RecordBatch.from_arrays([pa.array([made], pa.binary())], schema=_PICKLED)

        with spark_errors_as_problems("tables"):
            for row in in_workers(self._cells(only), run, _PICKLED).collect():
                yield pickle.loads(row[0])  # what our own workers have just made

    @contextmanager
    def making(
        self, function: Callable[[Tables], pa.Table], schema: pa.Schema, tell: Callable[[pa.Table], object]
    ) -> Iterator[HeldRows]:
        """Run a function on every bucket and hold its rows on the disks of the executors until it is known what they are."""
        until = self.observed_until

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for _, tables in unpacked(batches, until):
                # all rows of a bucket may be in the future, of accounts that are not listed
                if len(tables["accounts"]):
                    made = function(tables)
                    yield pa.RecordBatch.from_pydict({"told": [pickle.dumps(tell(made))], "piece": [None]}, HELD)
                    for piece in in_pieces(_as_agreed(made, schema)):
                        yield pa.RecordBatch.from_pydict({"told": [None], "piece": [piece]}, HELD)

        kept = in_workers(self._cells(None), run, HELD).persist(StorageLevel.DISK_ONLY)
        try:
            with spark_errors_as_problems("tables"):
                told = kept.where(functions.col("told").isNotNull()).select("told").collect()
            yield HeldRows([pickle.loads(row[0]) for row in told], schema, kept)  # what our own workers have just made
        finally:
            kept.unpersist()

    def changed(self, change: Callable[[Tables], Tables]) -> SparkTables:
        """Change the tables of every bucket; what is left lies on the disks of the executors from now on."""
        until = self.observed_until

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for bucket, tables in unpacked(batches, until):
                yield from _with_counts(bucket, change(tables))

        return self._kept(in_workers(self._cells(None), run, PACKED))

    @classmethod
    def gathered(cls, slices: DataFrame, gathering: Gathering, buckets: int) -> SparkTables:
        """Let the slices of every bucket become its tables."""

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for bucket, parts in buckets_in(batches):
                yield from _with_counts(bucket, gathering.tables(parts))

        listed, until = gathering.sources.listed, gathering.observed_until
        made = cls(Path(), until, tuple(range(buckets)), listed, gathering.derive_from, bare=gathering.tables({}).empty)
        return made._kept(in_workers(slices, run, PACKED))

    def _kept(self, frame: DataFrame) -> SparkTables:
        """Keep the tables of every bucket, and learn how many rows they have and when the first happened."""
        kept = frame.persist(StorageLevel.DISK_ONLY)
        rows, first = Counter[str](), dict[str, int]()
        with spark_errors_as_problems("tables"):
            for row in kept.where(functions.col("table") == _COUNTS).select("piece").collect():
                for name, (count, instant) in pickle.loads(row[0]).items():  # what our own workers have just made
                    rows[name] += count
                    if instant is not None:
                        first[name] = min(instant, first.get(name, instant))
        listed = {name: replace(table, rows=rows[name], first=first.get(name)) for name, table in self.listed.items()}
        if not rows["accounts"]:
            raise refuse_no_accounts("accounts" in self.listed)
        return replace(self, listed=listed, frame=kept)

    def release(self) -> None:
        """Let the executors forget the tables."""
        self.frame.unpersist()

    def _cells(self, only: Collection[str] | None) -> DataFrame:
        table = functions.col("table")
        wanted = table != _COUNTS if only is None else table.isin(list({*only, "accounts"}))
        rows: DataFrame = self.frame.where(wanted)
        return rows


@dataclass(frozen=True)
class HeldRows:
    """Rows that were made of every bucket."""

    told: Sequence[Any]  # of each bucket
    schema: pa.Schema
    cells: DataFrame

    def rows(self) -> DataFrame:
        """Give the rows to Spark."""
        pieces = self.cells.where(functions.col("piece").isNotNull()).select("piece")
        return in_workers(pieces, partial(rows_in, column="piece"), self.schema)


def _as_they_are(tables: Tables) -> Tables:
    return tables


def _with_counts(bucket: int, tables: Tables) -> Iterator[pa.RecordBatch]:
    """Write the tables of a bucket, and beside them how many rows each has and when the first happened."""
    counts = pickle.dumps({name: (len(table), tables.first_instant(name)) for name, table in tables.items()})
    columns = [pa.array([bucket], pa.int32()), pa.array([_COUNTS]), pa.array([counts], pa.binary())]
    yield from packed(bucket, tables).to_batches()
    yield pa.RecordBatch.from_arrays(columns, schema=PACKED)


def _as_agreed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the types that the driver announced to Spark."""
    if rows.column_names != schema.names:
        different = sorted(set(rows.column_names) ^ set(schema.names)) or ["the order of the columns"]
        fix = "install the same version of staypower on the driver and on every worker"
        raise UsageError.of("the workers run another version of staypower than the driver", ", ".join(different[:5]), fix)
    return rows.replace_schema_metadata(None).cast(schema)
