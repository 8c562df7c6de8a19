"""The engine of one machine: threads work through buckets of accounts; results are combined in memory or on disk."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.errors import UsageError
from staypower.hashing import buckets_of
from staypower.sources.values import quoted_name, quoted_text
from staypower.sources.working_database import working_database
from staypower.tables import BucketedTables, Table, Tables

_BATCH = 20_000
# small groups: a range of accounts reads little more than its own rows
_ROWS_PER_GROUP = 10_000
# of the database's memory, what the rows of one range may take as they are in the files; unpacked and sorted they take more
_SHARE = 8


def keep_part(rows: pa.Table, path: Path) -> Path:
    """Keep rows as a part: under its name it is whole.

    >>> import tempfile
    >>> keep_part(pa.table({"account_id": ["a"]}), Path(tempfile.mkdtemp()) / "parts" / "one.parquet").name
    'one.parquet'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(rows, unfinished, compression="lz4", row_group_size=_ROWS_PER_GROUP)
    return unfinished.replace(path)


@contextmanager
def sorted_parts(
    parts: Sequence[Path],
    *,
    temporary: Path,
    memory: int,
    threads: int = 2,
    columns: Sequence[str] = (),
    joined: pa.Table | None = None,
) -> Iterator[tuple[pa.Schema, Iterator[pa.Table]]]:
    """Read parts as one table sorted by `account_id` and, where there is one, `cutoff`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> parts = [keep_part(pa.table({"account_id": [name]}), folder / name) for name in ("b", "a")]
    >>> chosen = pa.table({"account_id": ["b"], "action": ["call"]})
    >>> with sorted_parts(parts, temporary=folder, memory=10**9, joined=chosen) as (schema, batches):
    ...     pa.concat_tables(batches).to_pylist()
    [{'account_id': 'a', 'action': None}, {'account_id': 'b', 'action': 'call'}]
    """
    schema = pq.read_schema(parts[0]).remove_metadata()
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    chosen = [f"part.{quoted_name(name)}" for name in schema.names]
    relation = f"{_read(parts)} AS part"
    if joined is not None:
        relation += " LEFT JOIN joined ON part.account_id = joined.account_id"
        more = [field for field in joined.schema if field.name != "account_id"]
        chosen += [f"joined.{quoted_name(field.name)}" for field in more]
        schema = pa.schema([*schema, *more])
    order = ", ".join(f"part.{quoted_name(key)}" for key in ("account_id", "cutoff") if key in schema.names)
    try:
        with working_database(temporary, memory=memory, threads=threads) as connection:
            if joined is not None:
                connection.register("joined", joined)
            bounds = _bounds(connection, parts, memory)
            select = f"SELECT {', '.join(chosen)} FROM {relation}"
            queries = [f"{select} WHERE {within} ORDER BY {order}" for within in _ranges(bounds)]
            yield schema, _rows_of(connection, queries, schema)
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0][:200]
        fix = "free some space there, or allow more with `engine.memory`"
        raise UsageError.of(f"the parts cannot be put together: {reason}", temporary, fix) from error


def _read(parts: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(quoted_text(glob.escape(str(part))) for part in parts)}], hive_partitioning=false)"


def _bounds(connection: Any, parts: Sequence[Path], memory: int) -> list[str]:
    """Cut the accounts into ranges of ids so that the rows of one fit into memory: the first id of each but the first."""
    count = -(-sum(part.stat().st_size for part in parts) * _SHARE // memory)
    if count <= 1:
        return []
    ids = f"SELECT DISTINCT account_id FROM {_read(parts)}"
    numbered = f"SELECT account_id, ntile({count}) OVER (ORDER BY account_id) AS number FROM ({ids})"
    firsts = connection.execute(f"SELECT min(account_id) FROM ({numbered}) GROUP BY number ORDER BY number").fetchall()
    return [str(row[0]) for row in firsts][1:]


def _ranges(bounds: Sequence[str]) -> list[str]:
    """Write the condition of each range of ids."""
    lows = ["TRUE", *(f"part.account_id >= {quoted_text(bound)}" for bound in bounds)]
    highs = [*(f"part.account_id < {quoted_text(bound)}" for bound in bounds), "TRUE"]
    return [f"{low} AND {high}" for low, high in zip(lows, highs, strict=True)]


def _rows_of(connection: Any, queries: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
    for query in queries:
        for batch in connection.sql(query).to_arrow_reader(_BATCH):
            yield pa.Table.from_batches([batch]).cast(schema)


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


def each_bucket(tables: BucketedTables, function: Callable[[int, Tables], Made], *, threads: int = 2) -> list[Made]:
    """Run a function on every bucket of accounts and its position, several at once."""
    return _run(_openers(tables, None), lambda number, open_bucket: function(number, open_bucket()), threads)


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
    """Return a function for each bucket that reads it: nothing is copied before its turn."""
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
    found: np.ndarray = buckets_of(pa.chunked_array([encoded.dictionary]), count)[np.asarray(encoded.indices)]
    return found


def _take(tables: Tables, rows: dict[str, np.ndarray]) -> Tables:
    taken = {name: replace(table, data=table.data.take(pa.array(rows[name]))) for name, table in tables.items()}
    return replace(tables, tables=taken)
