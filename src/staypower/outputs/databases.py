"""Rows in a table of a database, within one transaction: PostgreSQL and SQLite."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from staypower.addresses import shown_in
from staypower.cutoffs import text_of
from staypower.errors import UsageError, at_place
from staypower.outputs.place import Kind, Place, Rows, with_times
from staypower.sources.values import quoted_name
from staypower.writing import probe_place, write_atomically

__all__ = ["POSTGRESQL", "SQLITE"]

_KEYS = ("account_id", "cutoff")  # a table without them is another's
_LONGEST = 63  # letters of a name in PostgreSQL: it cuts longer ones


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is sent."""
    tests = {pa.types.is_integer: pa.int64(), pa.types.is_floating: pa.float64(), pa.types.is_boolean: pa.bool_()}
    plain = next((plain for test, plain in tests.items() if test(kind)), pa.string())
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) else plain


def _column_name(name: str) -> str:
    """Shorten a name that the database would cut, so that different ones stay different.

    >>> _column_name("a" * 70)[-12:]
    'aaa_6bd5e503'
    """
    if len(name.encode()) <= _LONGEST:
        return name
    return f"{name.encode()[: _LONGEST - 9].decode(errors='ignore')}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _sendable(rows: pa.Table) -> pa.Table:
    """Return rows in plain types, under names that the database keeps; columns without any value have no type yet."""
    kept = [one.name for one in rows.schema if one.name in (*_KEYS, "model_name") or not pa.types.is_null(one.type)]
    rows = with_times(rows.select(kept))
    fields = [pa.field(_column_name(field.name), _plain_type(field.type)) for field in rows.schema]
    return rows.rename_columns([field.name for field in fields]).cast(pa.schema(fields))


def _schema_sent(rows: Rows) -> pa.Schema:
    return _sendable(rows.schema.empty_table()).schema


def _require_keys(columns: Iterable[str], place: Place) -> None:
    """Refuse a table that something else made."""
    lacking = [name for name in _KEYS if name not in columns]
    if lacking:
        problem = f"the table has no column {' and no column '.join(f'`{name}`' for name in lacking)}: something else made it"
        raise UsageError.of(problem, place.shown, "name a table that is not there yet")


def _require_types(there: Mapping[str, str], wanted: Mapping[str, str], place: Place) -> None:
    """Refuse columns of other types than those that are written."""
    other = [name for name, kind in wanted.items() if there.get(name, kind) != kind]
    if other:
        value = f"{place.shown}: {', '.join(f'{name} is {there[name]}, not {wanted[name]}' for name in other[:5])}"
        raise UsageError.of(
            "the table has columns of another type", value, "change them, or name a table that is not there yet"
        )


# PostgreSQL

_TYPES: Mapping[pa.DataType, str] = {
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.string(): "text",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}


@contextmanager
def _server(place: Place) -> Iterator[tuple[Any, Any]]:
    """Connect within a transaction that holds only when it is committed; what the server says is a problem of the place."""
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError as error:
        fix = "install it with `pip install 'staypower[postgres]'`"
        raise UsageError.of("writing to PostgreSQL needs an extra", place.shown, fix) from error
    try:
        with dbapi.connect(place.address) as connection, connection.cursor() as cursor:
            # one writer of a table at a time
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext($1))", parameters=(f"staypower {place.table}",))
            cursor.fetchall()
            yield connection, cursor
    except Error as error:
        said = shown_in(str(error)).strip()
        fix = "check that the server answers, the schema is there, and the user may create, change and delete in it"
        raise UsageError.of(f"PostgreSQL says: {said[:300]}", place.shown, fix) from error


def _named(place: Place) -> str:
    return ".".join(quoted_name(part) for part in place.table.split("."))


def _columns_of_server(cursor: Any, place: Place) -> dict[str, str]:
    """Return the columns of the table and their types; none when it is not there."""
    cursor.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        parameters=(_named(place),),
    )
    return {str(name): str(kind) for name, kind in cursor.fetchall()}


def _made_table(cursor: Any, place: Place, wanted: Mapping[str, str]) -> None:
    """Make the table, or add the columns that it lacks."""
    there = _columns_of_server(cursor, place)
    columns = {name: f"{quoted_name(name)} {kind}" for name, kind in wanted.items()}
    if not there:
        cursor.execute(f"CREATE TABLE {_named(place)} ({', '.join(columns.values())})")
        return
    _require_keys(there, place)
    _require_types(there, wanted, place)
    for name, column in columns.items():
        if name not in there:
            cursor.execute(f"ALTER TABLE {_named(place)} ADD COLUMN {column}")


def _probe_postgresql(place: Place) -> None:
    """Try in a transaction that is not committed what writing will do."""
    with _server(place) as (_, cursor):
        _made_table(cursor, place, dict.fromkeys(_KEYS[:1], "text"))
        cursor.execute(f"DELETE FROM {_named(place)} WHERE false")
        cursor.execute(f"INSERT INTO {_named(place)} SELECT * FROM {_named(place)} WHERE false")


@dataclass
class _Sent:
    """Rows on their way to the server; the driver would wrap what goes wrong while they are made."""

    rows: Rows
    error: BaseException | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for each in self.rows.batches:
                yield from _sendable(each).to_batches()
        except BaseException as error:
            self.error = error
            raise


def _write_postgresql(place: Place, rows: Rows, staging: Path | None) -> None:
    schema = _schema_sent(rows)
    wanted = {field.name: _TYPES[field.type] for field in schema}
    with _server(place) as (connection, cursor):
        _made_table(cursor, place, wanted)
        for values in rows.replaced():
            equal = [f"{quoted_name(name)} = ${at}::text::{wanted[name]}" for at, name in enumerate(values, start=1)]
            cursor.execute(f"DELETE FROM {_named(place)} WHERE {' AND '.join(equal)}", parameters=tuple(values.values()))
        home, _, table = place.table.rpartition(".")
        sent = _Sent(rows)
        reader = pa.RecordBatchReader.from_batches(schema, sent.batches())
        try:
            cursor.adbc_ingest(table, reader, mode="append", db_schema_name=home or None)
        except Exception:
            if sent.error is not None:
                raise sent.error from None
            raise
        connection.commit()


POSTGRESQL = Kind(
    name="postgresql",
    label="PostgreSQL",
    example="`--output 'postgresql://${DB_USER}:${DB_PASSWORD}@host/db#schema.table'`",
    note=(
        "one transaction: rows of the same cutoff and model are replaced, others kept, the table and new columns are created; "
        "needs `staypower[postgres]`"
    ),
    probe=_probe_postgresql,
    write=_write_postgresql,
    schemes=("postgresql", "postgres"),
)


# SQLite

_AFFINITIES: Mapping[pa.DataType, str] = {pa.int64(): "INTEGER", pa.float64(): "REAL", pa.bool_(): "INTEGER"}


def _file_of(place: Place) -> Path:
    return Path(str(place.path))


def _columns_of_file(connection: sqlite3.Connection, place: Place) -> dict[str, str]:
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", (place.table,)).fetchall()
    return {str(name): str(kind) for name, kind in rows}


@contextmanager
def _file_opened(file: Path, place: Place) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file within a transaction that holds only when it is committed."""
    try:
        # the reader of the rows may be another thread
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        with closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
    except sqlite3.Error as error:
        fix = "check that the file is a whole SQLite database that can be written, or name another"
        raise UsageError.of(f"SQLite says: {error}", place.shown, fix) from error


def _probe_sqlite(place: Place) -> None:
    probe_place(_file_of(place))
    if _file_of(place).exists():
        with _file_opened(_file_of(place), place) as connection:
            there = _columns_of_file(connection, place)
            if there:
                _require_keys(there, place)


def _write_sqlite(place: Place, rows: Rows, staging: Path | None) -> None:
    """Write into a file that is there within a transaction; into a new one under another name, which it then gets."""
    if _file_of(place).exists():
        with at_place(place.shown):
            _fill(_file_of(place), place, rows)
    else:
        write_atomically(_file_of(place), lambda temporary: _fill(temporary, place, rows), staging=staging)


def _fill(file: Path, place: Place, rows: Rows) -> None:
    # columns that have times are those of PostgreSQL; here they are texts
    wanted = {field.name: _AFFINITIES.get(field.type, "TEXT") for field in _schema_sent(rows)}
    names, table = [quoted_name(name) for name in wanted], quoted_name(place.table)
    with _file_opened(file, place) as connection:
        there = _columns_of_file(connection, place)
        if not there:
            connection.execute(f"CREATE TABLE {table} ({', '.join(map(' '.join, zip(names, wanted.values(), strict=True)))})")
        else:
            _require_keys(there, place)
            _require_types(there, wanted, place)
            for name, kind in wanted.items():
                if name not in there:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted_name(name)} {kind}")
        for replaced in rows.replaced():
            equal = " AND ".join(f"{quoted_name(name)} = ?" for name in replaced)
            connection.execute(f"DELETE FROM {table} WHERE {equal}", tuple(replaced.values()))
        marks = ", ".join("?" * len(names))
        for batch in rows.batches:
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", _plain_rows(_sendable(batch)))
        connection.execute("COMMIT")


def _plain_rows(batch: pa.Table) -> Iterator[tuple[Any, ...]]:
    columns = [_plain_values(batch.column(at)) for at in range(batch.num_columns)]
    return zip(*columns, strict=True)


def _plain_values(column: pa.ChunkedArray) -> Sequence[Any]:
    if not pa.types.is_timestamp(column.type):
        values: Sequence[Any] = column.to_pylist()
        return values
    instants = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if instant is None else text_of(instant) for instant in instants]


SQLITE = Kind(
    name="sqlite",
    label="SQLite",
    example="`--output sqlite:///crm.sqlite#scores`; four slashes begin an absolute path",
    note="as in PostgreSQL, in a file that is created if needed; times are texts",
    probe=_probe_sqlite,
    write=_write_sqlite,
    schemes=("sqlite",),
)
