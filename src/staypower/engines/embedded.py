"""The engine of one machine: accounts fall into hashed buckets, threads work through them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.tables import Table, Tables

__all__ = ["ROWS_PER_BUCKET", "map_buckets"]

# a bucket this size keeps its arrays in a few hundred megabytes
ROWS_PER_BUCKET = 4_000_000


def map_buckets(
    tables: Tables,
    function: Callable[[Tables], pa.Table],
    *,
    buckets: int | None = None,
    threads: int = 2,
) -> pa.Table:
    """Run a function on every bucket of accounts and put the results together.

    Parameters
    ----------
    tables : Tables
        Every table has `account_id`; all rows of an account come to the same call.
    function : callable
        Takes the tables of a bucket and returns rows with `account_id` and perhaps `cutoff`.
    buckets : int, optional
        How many; by default one for every `ROWS_PER_BUCKET` rows.
    threads : int, default 2
        How many buckets are worked on at once.

    Returns
    -------
    pyarrow.Table
        Sorted by `account_id` (and `cutoff`): the same rows for any number of buckets and threads.

    Examples
    --------
    >>> from staypower.tables import SCHEMAS
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["b", "a"]}))
    >>> map_buckets(Tables({"accounts": accounts}, 0), lambda bucket: bucket["accounts"].data, buckets=2).to_pylist()
    [{'account_id': 'a'}, {'account_id': 'b'}]
    """
    count = buckets or max(1, -(-sum(len(table) for table in tables.values()) // ROWS_PER_BUCKET))
    if count == 1:
        done = [function(tables)]
    else:
        with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            done = list(pool.map(function, _split(tables, count)))
    result = pa.concat_tables(done)
    keys = [(name, "ascending") for name in ("account_id", "cutoff") if name in result.column_names]
    return result.sort_by(keys)


def _split(tables: Tables, count: int) -> list[Tables]:
    rows = {name: np.argsort(_bucket_of(table, count), kind="stable") for name, table in tables.items()}
    sizes = {name: np.bincount(_bucket_of(table, count), minlength=count) for name, table in tables.items()}
    starts = {name: np.concatenate([[0], np.cumsum(size)]) for name, size in sizes.items()}
    return [
        replace(
            tables,
            tables={name: _take(table, rows[name][starts[name][b] : starts[name][b + 1]]) for name, table in tables.items()},
        )
        for b in range(count)
    ]


def _bucket_of(table: Table, count: int) -> np.ndarray:
    encoded = table.data.column("account_id").combine_chunks().dictionary_encode()
    hashed = pd.util.hash_array(np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object))
    if not len(hashed):
        return np.zeros(0, dtype=np.int64)
    bucket: np.ndarray = (hashed % np.uint64(count)).astype(np.int64)[np.asarray(encoded.indices)]
    return bucket


def _take(table: Table, rows: np.ndarray) -> Table:
    return replace(table, data=table.data.take(pa.array(rows)))
