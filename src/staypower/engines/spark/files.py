"""Parquet files that workers read themselves: no row of a file passes through Java.

A task is given row groups of files, not rows. The files are those that one machine would read, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.engines.spark.session import in_workers
from staypower.errors import UsageError
from staypower.sources.opening import FilesState, refuse_changed, state_of

# no source column's canonical name holds a blank
ORDER = "row order"
Batches = Iterable[pa.RecordBatch]
Rows = Iterator[pa.RecordBatch]
Call = Callable[[], Rows]

_ROWS_AT_ONCE = 65_536
# bytes of files that one task reads, as Spark cuts them
_LEAST, _MOST = 4 * 2**20, 128 * 2**20
_NO_VALUE, _PAIR = "__HIVE_DEFAULT_PARTITION__", 2


@dataclass(frozen=True)
class Stretch:
    """A row group of a file."""

    place: str  # the source in the configuration, for messages
    state: FilesState  # the file, as it was when it was found
    number: int  # of the file among those of its source
    folders: Mapping[str, str | None]  # the columns that folders such as `day=2025-01-01` name
    group: int = 0
    first: int = 0  # number of its first row in the file

    def read(self, schema: pa.Schema, order: int | None) -> Rows:
        """Read columns, and where it is asked for the order: a text that sorts the rows of all sources of a table."""
        path, row = self.state[0][0], self.first
        try:
            refuse_changed(self.state, state_of([path]), self.place)
            with _opened(path) as opened:
                names = [name for name in schema.names if name in opened.schema_arrow.names]
                for batch in opened.iter_batches(_ROWS_AT_ONCE, row_groups=[self.group], columns=names, use_threads=False):
                    columns = [self._column(field, batch, order, row) for field in schema]
                    row += batch.num_rows
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except (pa.ArrowException, OSError) as error:
            fix = "check that the file is whole, and that every worker can read it"
            raise UsageError.of(f"the source cannot be read: {error}", f"{self.place}: {path}", fix) from error

    def _column(self, field: pa.Field, batch: pa.RecordBatch, order: int | None, row: int) -> pa.Array:
        if field.name == ORDER:
            rows = pc.utf8_lpad(pa.array(np.arange(row, row + batch.num_rows)).cast(pa.string()), 12, "0")
            return pc.binary_join_element_wise(f"{order:05d}\x01{self.number:08d}", rows, "\x01")
        if field.name in self.folders:
            return pa.repeat(pa.scalar(self.folders[field.name], field.type), batch.num_rows)
        if field.name in batch.schema.names:
            return batch.column(field.name).cast(field.type)
        return pa.nulls(batch.num_rows, field.type)


@dataclass(frozen=True)
class FilesOfWorkers:
    """A source whose files workers read."""

    session: Any
    schema: pa.Schema
    tasks: tuple[tuple[Stretch, ...], ...]

    @classmethod
    def of(cls, session: Any, files: Sequence[Path], place: str) -> FilesOfWorkers | None:
        """Look into the files; None where they do not agree on their columns: Spark puts them together, or says why not."""
        folders = [_folders(file) for file in files]
        try:
            stored = [_look_into(file) for file in files]
            columns = pa.unify_schemas([columns for columns, _ in stored])
        except (pa.ArrowException, OSError):
            return None
        named = [*columns.names, *(folders[0] or ())]
        if any(one is None or one.keys() != (folders[0] or {}).keys() for one in folders) or _alike(named):
            return None
        texts = [pa.field(name, pa.string()) for name in folders[0] or ()]
        schema = pa.schema([*(pa.field(field.name, _plain(field.type)) for field in columns), *texts])
        states = state_of(files)
        bytes_ = sum(state[1] for state in states) / session.sparkContext.defaultParallelism
        stretches = (
            stretch
            for number, (state, (_, one)) in enumerate(zip(states, stored, strict=True))
            for stretch in _stretches(Stretch(place, (state,), number, folders[number] or {}), one)
        )
        return cls(session, schema, _shared_out(stretches, min(max(bytes_, _LEAST), _MOST)))

    def each(self, function: Callable[[Batches], Rows], used: Sequence[str], order: int | None, schema: pa.Schema) -> Any:
        """Run a function on the rows of every task; `order` is the number of the source among those of its table."""
        return in_tasks(self.session, self.calls(function, used, order), schema)

    def calls(self, function: Callable[[Batches], Rows], used: Sequence[str], order: int | None) -> list[Call]:
        """Return what each task is to do."""
        columns = [self.schema.field(name) for name in used]
        if order is not None:
            columns.append(pa.field(ORDER, pa.string()))
        wanted = pa.schema(columns or [pa.field("nothing", pa.int32())])
        return [partial(_call, function, task, wanted, order) for task in self.tasks]


def _call(function: Callable[[Batches], Rows], task: Sequence[Stretch], wanted: pa.Schema, order: int | None) -> Rows:
    return function(rows for one in task for rows in one.read(wanted, order))


def in_tasks(session: Any, calls: Sequence[Call], schema: pa.Schema) -> Any:
    """Make every call in a task of its own, in the workers."""

    def run(batches: Batches) -> Rows:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from calls[number]()

    return in_workers(session.range(0, len(calls), 1, max(len(calls), 1)), run, schema)


def _opened(path: Path) -> pq.ParquetFile:
    """Open a file; times as old writers wrote them reach further than nanoseconds do."""
    return pq.ParquetFile(path, coerce_int96_timestamp_unit="us")


def _look_into(path: Path) -> tuple[pa.Schema, pq.FileMetaData]:
    with _opened(path) as opened:
        return opened.schema_arrow, opened.metadata


def _stretches(file: Stretch, stored: pq.FileMetaData) -> Iterator[tuple[float, Stretch]]:
    """Cut a file into its row groups, and say how many bytes each has."""
    first = 0
    for group in range(stored.num_row_groups):
        rows = stored.row_group(group).num_rows
        yield file.state[0][1] * rows / max(stored.num_rows, 1), replace(file, group=group, first=first)
        first += rows


def _shared_out(stretches: Iterable[tuple[float, Stretch]], most: float) -> tuple[tuple[Stretch, ...], ...]:
    """Put stretches that follow one another into tasks.

    >>> one, two, three = (Stretch("usage", (), 0, {}, group) for group in range(3))
    >>> [len(task) for task in _shared_out([(3, one), (3, two), (9, three)], 8)]
    [2, 1]
    """
    tasks, held = list[list[Stretch]](), most
    for size, stretch in stretches:
        if held + size > most:
            tasks.append([])
            held = 0
        tasks[-1].append(stretch)
        held += size
    return tuple(map(tuple, tasks))


def _alike(names: Sequence[str]) -> bool:
    """Say whether names differ in nothing but capitals, or not at all."""
    return len({name.lower() for name in names}) != len(names)


def _plain(stored: pa.DataType) -> pa.DataType:
    """Give texts that are stored once each, and numbered, as texts: so Spark and the database see them."""
    return stored.value_type if pa.types.is_dictionary(stored) else stored


def _folders(file: Path) -> dict[str, str | None] | None:
    """Read the columns that the names of folders hold; None where one is not plainly written.

    >>> _folders(Path("usage/day=2025-01-01/shift=a%2Fb/part.parquet"))
    {'day': '2025-01-01', 'shift': 'a/b'}
    """
    pairs = [part.split("=") for part in file.parts[:-1] if "=" in part]
    if any(len(pair) != _PAIR for pair in pairs):
        return None
    return {name: None if value == _NO_VALUE else unquote(value) for name, value in pairs}
