"""Rows in a few large cells: Spark moves and keeps them without looking into one.

What costs on a cluster is not what is computed but rows of many columns in Java: each is decoded, sorted and encoded again. So
the rows of a table lie in one cell, compressed, as Arrow writes them: *slices* of what a task has mapped on their way to
their bucket, and the *tables* of a bucket afterwards.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from staypower.hashing import buckets_of
from staypower.tables import Table, Tables

SLICES = pa.schema({"bucket": pa.int32(), "source": pa.int32(), "piece": pa.binary()})
# one row for each table of a bucket, several where it is large: those of a bucket follow one another
PACKED = pa.schema({"bucket": pa.int32(), "table": pa.string(), "piece": pa.binary()})
# rows that are made of a bucket, and what is told of them
HELD = pa.schema({"told": pa.binary(), "piece": pa.binary()})
_LONGEST = 8 * 2**20
# rows of a task are held until they are so many bytes: slices of a few rows would be mostly headers
_HELD = 64 * 2**20
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def packed_rows(rows: pa.Table) -> bytes:
    """Write rows into one cell.

    >>> unpacked_rows(packed_rows(pa.table({"at": [1, 2]}))).to_pylist()
    [{'at': 1}, {'at': 2}]
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_OPTIONS) as writer:
        writer.write_table(rows.combine_chunks())
    written: bytes = sink.getvalue().to_pybytes()
    return written


def unpacked_rows(cell: bytes) -> pa.Table:
    """Read what `packed_rows` wrote."""
    with pa.ipc.open_stream(cell) as reader:
        return reader.read_all()


def rows_in(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[pa.RecordBatch]:
    """Give the rows that the cells of a column hold."""
    for batch in batches:
        for cell in batch.column(column):
            yield from unpacked_rows(cell.as_py()).to_batches()


def in_pieces(rows: pa.Table) -> Iterator[bytes]:
    """Write rows into as many cells as are handled with ease."""
    at_once = max(rows.num_rows * _LONGEST // max(rows.nbytes, 1), 1)
    for start in range(0, rows.num_rows, at_once):
        yield packed_rows(rows.slice(start, at_once))


def sliced(rows: Iterable[pa.RecordBatch], source: int, buckets: int) -> Iterator[pa.RecordBatch]:
    """Cut the rows of a source into slices, one for each bucket that some hundred thousand of them fall into.

    >>> rows = pa.RecordBatch.from_pydict({"account_id": ["a", "b", "a"], "at": [1, 2, 3]})
    >>> [{**one, "piece": unpacked_rows(one["piece"]).num_rows} for one in next(sliced([rows], 4, 1)).to_pylist()]
    [{'bucket': 0, 'source': 4, 'piece': 3}]
    """
    held: list[pa.RecordBatch] = []
    for batch in rows:
        held.append(batch)
        if sum(one.nbytes for one in held) >= _HELD:
            yield _by_account(pa.Table.from_batches(held), source, buckets)
            held = []
    if held:
        yield _by_account(pa.Table.from_batches(held), source, buckets)


def _by_account(rows: pa.Table, source: int, buckets: int) -> pa.RecordBatch:
    return cut(rows, buckets_of(rows.column("account_id"), buckets), source)


def cut(rows: pa.Table, bucket: NDArray[Any], source: int) -> pa.RecordBatch:
    """Cut rows of a source into slices, one for each bucket that is named for any of them."""
    rows = rows.combine_chunks()
    # small numbers are sorted faster
    order = np.argsort(bucket.astype(np.min_scalar_type(int(bucket.max()))), kind="stable")
    there, first = np.unique(bucket[order], return_index=True)
    # rows of one bucket at a time are taken in the order in which they lie in memory
    cells = [packed_rows(rows.take(pa.array(mine))) for mine in np.split(order, first[1:])]
    columns: list[Any] = [there.astype(np.int32), np.full(len(cells), source, dtype=np.int32), pa.array(cells, pa.binary())]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=SLICES)


def buckets_in(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Mapping[int, pa.Table]]]:
    """Put the slices of a task together: of each bucket the rows of each source, one bucket after the other."""
    cells: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for batch in batches:
        for row in batch.to_pylist():
            cells[row["bucket"]][row["source"]].append(row["piece"])
    for bucket in sorted(cells):
        found = cells.pop(bucket)
        yield bucket, {source: pa.concat_tables(map(unpacked_rows, found[source])) for source in sorted(found)}


def packed(bucket: int, tables: Tables) -> pa.Table:
    """Write the tables of a bucket."""
    names, pieces = [], []
    for name, table in tables.items():
        cell = pickle.dumps((replace(table, data=pa.table({})), packed_rows(table.data)), protocol=5)
        for start in range(0, len(cell), _LONGEST):
            names.append(name)
            pieces.append(cell[start : start + _LONGEST])
    return pa.table([pa.array([bucket] * len(names), pa.int32()), pa.array(names), pa.array(pieces)], schema=PACKED)


def unpacked(batches: Iterable[pa.RecordBatch], observed_until: int) -> Iterator[tuple[int, Tables]]:
    """Read the buckets of one task, one after the other."""
    rows = (row for batch in batches for row in batch.to_pylist())
    for bucket, mine in groupby(rows, key=lambda row: row["bucket"]):
        tables: dict[str, Table] = {}
        for name, pieces in groupby(mine, key=lambda row: row["table"]):
            bare, cell = pickle.loads(b"".join(row["piece"] for row in pieces))  # what our own workers wrote
            tables[name] = replace(bare, data=unpacked_rows(cell))
        yield bucket, Tables(tables, observed_until)
