"""Put the parts that buckets left on disk under one another, in order, without holding them all."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.errors import UsageError
from staypower.sources.values import quoted_name, quoted_text
from staypower.sources.working_database import working_database

__all__ = ["keep_part", "sorted_parts"]

_BATCH = 20_000
# small groups: a range of accounts reads little more than its own rows
_ROWS_PER_GROUP = 10_000
# of the database's memory, what the rows of one range may take as they lie in the files; unpacked and sorted they take more
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
    beside: pa.Table | None = None,
) -> Iterator[tuple[pa.Schema, Iterator[pa.Table]]]:
    """Read parts as one table sorted by `account_id` and, where there is one, `cutoff`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> parts = [keep_part(pa.table({"account_id": [name]}), folder / name) for name in ("b", "a")]
    >>> chosen = pa.table({"account_id": ["b"], "action": ["call"]})
    >>> with sorted_parts(parts, temporary=folder, memory=10**9, beside=chosen) as (schema, batches):
    ...     pa.concat_tables(batches).to_pylist()
    [{'account_id': 'a', 'action': None}, {'account_id': 'b', 'action': 'call'}]
    """
    schema = pq.read_schema(parts[0]).remove_metadata()
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    chosen = [f"part.{quoted_name(name)}" for name in schema.names]
    relation = f"{_read(parts)} AS part"
    if beside is not None:
        relation += " LEFT JOIN beside ON part.account_id = beside.account_id"
        more = [field for field in beside.schema if field.name != "account_id"]
        chosen += [f"beside.{quoted_name(field.name)}" for field in more]
        schema = pa.schema([*schema, *more])
    order = ", ".join(f"part.{quoted_name(key)}" for key in ("account_id", "cutoff") if key in schema.names)
    try:
        with working_database(temporary, memory=memory, threads=threads) as connection:
            if beside is not None:
                connection.register("beside", beside)
            bounds = _bounds(connection, parts, memory)
            select = f"SELECT {', '.join(chosen)} FROM {relation}"
            queries = [f"{select} WHERE {within} ORDER BY {order}" for within in _ranges(bounds)]
            yield schema, _rows_of(connection, queries, schema)
    except duckdb.Error as error:
        said = str(error).partition("\n")[0][:200]
        fix = "free some space there, or allow more with `engine.memory`"
        raise UsageError.of(f"the parts cannot be put together: {said}", temporary, fix) from error


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
