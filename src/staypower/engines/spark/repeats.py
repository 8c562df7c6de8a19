"""Rows that repeat an id, of whatever account they are: found where all rows of an id come together, in cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.engines.spark.asking import Parts, RowsOfSources
from staypower.engines.spark.files import ORDER
from staypower.engines.spark.packing import cut
from staypower.hashing import buckets_of, mix_in, numbers_of_texts

_HOME, _SOURCE = "home", "source"


def ids_in(sources: RowsOfSources, bucket: int, parts: Parts, slots: int) -> Iterator[pa.RecordBatch]:
    """Cut the ids of a bucket's rows into slices by id, and say of each where its row is and since when that is known."""
    for table, known in ((number, mask) for number, mask in sources.known(parts).items() if sources.key(number) is not None):
        ids = sources.ids(table, parts[table].filter(pa.array(known)))
        if ids.num_rows:
            here = pa.repeat(pa.scalar(bucket, pa.int32()), ids.num_rows), pa.repeat(pa.scalar(table, pa.int32()), ids.num_rows)
            named = ids.append_column(_HOME, here[0]).append_column(_SOURCE, here[1])
            yield cut(named, buckets_of(ids.column("id"), slots), sources.numbers(sources.table_of(table).name)[0])


def repeats_in(parts: Parts) -> Iterator[pa.RecordBatch]:
    """Name the rows of a table whose id another had before them, in slices for the buckets where they are.

    A number below 0 stands for the source whose rows are named.

    >>> rows = {"id": ["t1", "t2", "t1"], "version": pa.nulls(3, pa.int64()), "since": [2, 1, 1], "row order": ["a", "b", "c"]}
    >>> table = pa.table({**rows, "home": pa.array([4, 4, 5], pa.int32()), "source": pa.array([3] * 3, pa.int32())})
    >>> [batch.select(["bucket", "source"]).to_pylist() for batch in repeats_in({3: table})]
    [[{'bucket': 4, 'source': -4}]]
    """
    for rows in parts.values():
        later = _later(rows)
        for source in pc.unique(later.column(_SOURCE)).to_pylist():
            mine = later.filter(pc.equal(later.column(_SOURCE), source))
            yield cut(mine.select([ORDER]), np.asarray(mine.column(_HOME)), -1 - source)


def _later(rows: pa.Table) -> pa.Table:
    """Keep the rows that are not the first of their id: those of a version that tells them apart by themselves."""
    numbers = numbers_of_texts(rows.column("id"))
    mix_in(numbers, _filled(rows, "version"))
    _, place, count = np.unique(numbers, return_inverse=True, return_counts=True)
    # most ids are there once
    several = rows.filter(pa.array(count[place] > 1)).sort_by(ORDER)
    ids = np.asarray(several.column("id").combine_chunks().dictionary_encode().indices)
    version = _filled(several, "version")
    order = np.lexsort((_filled(several, "since"), version, ids))
    ids, version = ids[order], version[order]
    return several.take(pa.array(order[1:][(ids[1:] == ids[:-1]) & (version[1:] == version[:-1])]))


def _filled(rows: pa.Table, column: str) -> np.ndarray:
    return np.asarray(pc.fill_null(rows.column(column), MISSING))


def without_repeats(parts: Parts) -> dict[int, pa.Table]:
    """Leave out the rows of a bucket that repeat an id."""
    kept = {}
    for number in (number for number in parts if number >= 0):
        kept[number] = parts[number]
        if -1 - number in parts:
            repeated = pc.is_in(kept[number].column(ORDER), value_set=parts[-1 - number].column(ORDER).combine_chunks())
            kept[number] = kept[number].filter(pc.invert(repeated))
    return kept
