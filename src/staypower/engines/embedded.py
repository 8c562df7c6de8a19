"""The engine of one machine: accounts fall into hashed buckets, threads work through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.engines.parts import keep_part
from staypower.tables import BucketedTables, Table, Tables

__all__ = ["ROWS_PER_BUCKET", "map_buckets", "map_to_parts"]

# a bucket this size keeps its arrays in a few hundred megabytes
ROWS_PER_BUCKET = 4_000_000

Made = TypeVar("Made")


def map_buckets(
    tables: BucketedTables,
    function: Callable[[Tables], pa.Table],
    *,
    buckets: int | None = None,
    threads: int = 2,
) -> pa.Table:
    """Run a function on every bucket of accounts and put the results together.

    >>> from staypower.schemas import SCHEMAS
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["b", "a"]}))
    >>> map_buckets(Tables({"accounts": accounts}, 0), lambda bucket: bucket["accounts"].data, buckets=2).to_pylist()
    [{'account_id': 'a'}, {'account_id': 'b'}]
    """
    result = pa.concat_tables(_run(_openers(tables, buckets), lambda _, open_bucket: function(open_bucket()), threads))
    keys = [(name, "ascending") for name in ("account_id", "cutoff") if name in result.column_names]
    return result.sort_by(keys)


def map_to_parts(
    tables: BucketedTables,
    function: Callable[[Tables], pa.Table],
    folder: Path,
    *,
    buckets: int | None = None,
    threads: int = 2,
) -> list[Path]:
    """Run a function on every bucket of accounts and keep each result in a file, so that no more than one is held.

    >>> import tempfile
    >>> from staypower.schemas import SCHEMAS
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["b", "a"]}))
    >>> tables, folder = Tables({"accounts": accounts}, 0), Path(tempfile.mkdtemp())
    >>> [part.name for part in map_to_parts(tables, lambda bucket: bucket["accounts"].data, folder)]
    ['part-00000.parquet']
    """

    def keep(number: int, open_bucket: Callable[[], Tables]) -> Path:
        path = folder / f"part-{number:05d}.parquet"
        return path if path.exists() else keep_part(function(open_bucket()), path)

    return _run(_openers(tables, buckets), keep, threads)


def _run(
    openers: Sequence[Callable[[], Tables]], work: Callable[[int, Callable[[], Tables]], Made], threads: int
) -> list[Made]:
    """Work on buckets at once; the first error stops what has not begun."""
    if len(openers) == 1:
        return [work(0, openers[0])]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        running = [pool.submit(work, number, open_bucket) for number, open_bucket in enumerate(openers)]
        try:
            return [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _openers(tables: BucketedTables, buckets: int | None) -> list[Callable[[], Tables]]:
    """Give for each bucket what reads it: nothing is copied before its turn."""
    whole = tables.whole
    if whole is None:
        return [partial(tables.bucket, number) for number in tables.buckets]
    count = buckets or max(1, -(-sum(len(table) for table in whole.values()) // ROWS_PER_BUCKET))
    return [lambda: whole] if count == 1 else list(_split(whole, count))


def _split(tables: Tables, count: int) -> Iterator[Callable[[], Tables]]:
    rows: dict[str, list[np.ndarray]] = {}
    for name, table in tables.items():
        bucket = _bucket_of(table, count)
        ends = np.cumsum(np.bincount(bucket, minlength=count))[:-1]
        rows[name] = np.split(np.argsort(bucket, kind="stable"), ends)
    for number in range(count):
        taken = {name: parts[number] for name, parts in rows.items()}
        yield partial(_take, tables, taken)


def _bucket_of(table: Table, count: int) -> np.ndarray:
    encoded = table.data.column("account_id").combine_chunks().dictionary_encode()
    hashed = pd.util.hash_array(np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object))
    if not len(hashed):
        return np.zeros(0, dtype=np.int64)
    bucket: np.ndarray = (hashed % np.uint64(count)).astype(np.int64)[np.asarray(encoded.indices)]
    return bucket


def _take(tables: Tables, rows: dict[str, np.ndarray]) -> Tables:
    taken = {name: replace(table, data=table.data.take(pa.array(rows[name]))) for name, table in tables.items()}
    return replace(tables, tables=taken)
