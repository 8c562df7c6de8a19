"""Rows from elsewhere than plain files: SQLite, PostgreSQL and workbooks."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from staypower.addresses import shown_address, shown_in
from staypower.errors import UsageError, nearest
from staypower.results.numbers import plural
from staypower.sources.format import Format, Opening
from staypower.sources.queries_allowed import one_select
from staypower.sources.values import quoted_name

_ROWS = 50_000  # fetched at a time
_COPY = "given_rows"


@dataclass
class _Stream:
    """Batches on their way into the database, which would wrap what goes wrong while they are made."""

    reader: Any
    error: BaseException | None = None

    def batches(self) -> Iterator[Any]:
        try:
            yield from self.reader
        except BaseException as error:
            self.error = error
            raise


def _copied(opening: Opening, schema: Any, reader: Iterable[Any]) -> str:
    """Copy a stream of record batches into the connection, which can put them on disk, and name the copy."""
    # pyarrow takes long to import: declaring a format must not
    import pyarrow as pa

    stream = _Stream(reader)
    opening.connection.register("given_stream", pa.RecordBatchReader.from_batches(schema, stream.batches()))
    try:
        opening.connection.execute(f"CREATE TABLE {_COPY} AS SELECT * FROM given_stream")
    except Exception:
        if stream.error is not None:
            raise stream.error from None
        raise
    opening.connection.unregister("given_stream")
    return _COPY


def _copied_as_texts(opening: Opening, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Copy rows of Python values with every value as text, so that no id is taken for a number or a date."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in names])

    def batches() -> Iterator[Any]:
        chunk: list[Sequence[Any]] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == _ROWS:
                yield _batch(chunk, schema, opening.place)
                chunk = []
        yield _batch(chunk, schema, opening.place)

    return _copied(opening, schema, batches())


def _batch(rows: list[Sequence[Any]], schema: Any, place: str) -> Any:
    import pyarrow as pa

    columns = [[_text(row[at], place) for row in rows] for at in range(len(schema))]
    return pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=schema)


def _text(value: Any, place: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bytes):
        raise UsageError.of("a column holds binary values", place, "leave the column out with a `query`")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat(sep=" ") if hasattr(value, "hour") and hasattr(value, "year") else str(value)


def _chosen(opening: Opening, names: Sequence[str], what: str) -> str:
    """Return the table, or sheet, that the configuration names; the only one needs no naming."""
    given = opening.source.table
    if given in names:
        return str(given)
    if given is None and len(names) == 1:
        return names[0]
    problem = f"no {what} is named" if given is None else f"there is no such {what}"
    fix = nearest(given or "", names) + (" as `table`" if given is None else "")
    raise UsageError.of(problem, f"{opening.place}: {given or opening.files[0]}", fix)


def _sqlite(file: str) -> sqlite3.Connection:
    """Open a SQLite file for reading only; its rows are fetched by threads of the database they are copied into."""
    return sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, check_same_thread=False)


def _tables_of_sqlite(file: str) -> list[str]:
    with closing(_sqlite(file)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name").fetchall()
    return [str(row[0]) for row in rows]


def _read_sqlite(opening: Opening) -> str:
    connection = _sqlite(str(opening.files[0]))
    try:
        sql = one_select(opening.source.query, opening.place, "sqlite") if opening.source.query is not None else None
        if sql is None:
            sql = f"SELECT * FROM {quoted_name(_chosen(opening, _tables_of_sqlite(str(opening.files[0])), 'table'))}"
        cursor = connection.execute(sql)
        names = [str(column[0]) for column in cursor.description]
        return _copied_as_texts(opening, names, cursor)
    except sqlite3.Error as error:
        fix = "check the `query`, and that the file is a whole SQLite database"
        raise UsageError.of(f"SQLite says: {error}", f"{opening.place}: {opening.files[0]}", fix) from error
    finally:
        connection.close()


def _sheets_of(file: str) -> list[str]:
    from python_calamine import CalamineWorkbook

    return list(CalamineWorkbook.from_path(file).sheet_names)


def _read_workbook(opening: Opening) -> str:
    """Read one sheet of a workbook; the first row that is filled holds the names."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError as error:
        fix = "install it with `pip install 'staypower[excel]'`, or save the sheet as CSV"
        raise UsageError.of("reading workbooks needs an extra", f"{opening.place}: {opening.files[0]}", fix) from error
    try:
        book = CalamineWorkbook.from_path(str(opening.files[0]))
        sheet = book.get_sheet_by_name(_chosen(opening, list(book.sheet_names), "sheet"))
        _refuse_unsaved(opening, sheet.name)
        rows = iter(_unmerged(sheet))
    except CalamineError as error:
        fix = "save it again as .xlsx, without a password"
        raise UsageError.of(f"the workbook cannot be read: {error}", f"{opening.place}: {opening.files[0]}", fix) from error
    names = [str(cell).strip() for cell in next(rows, [])]
    empty = [place for place, name in enumerate(names) if not name]
    if not names or empty or len({name.casefold() for name in names}) < len(names):
        where = f"{opening.place}: {opening.files[0]}, first row: {names[:6]}"
        raise UsageError.of("the sheet has no row of names", where, "give each column one name in the first row, unmerged")
    filled = (row for row in rows if any(cell not in ("", None) for cell in row))
    return _copied_as_texts(opening, names, filled)


def _unmerged(sheet: Any) -> list[list[Any]]:
    """Return the filled area of a sheet; what stands in cells that are merged downwards is the value of each."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in range(top + 1, bottom + 1) if left == right and bottom < len(rows) else ():
            rows[row][left] = rows[top][left]
    first = next((at for at, row in enumerate(rows) if any(cell not in ("", None) for cell in row)), len(rows))
    start = min((at for row in rows for at, cell in enumerate(row) if cell not in ("", None)), default=0)
    return [row[start:] for row in rows[first:]]


# a formula, and no value or an empty one; an empty text is a value
_UNSAVED = re.compile(rb'<c(?![^>]*\bt="str")[^>]*>\s*<f(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>')
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')


def _refuse_unsaved(opening: Opening, name: str) -> None:
    """Refuse a sheet with formulas that were never computed: programs that write workbooks leave their values out."""
    file = opening.files[0]
    if file.suffix.lower() not in (".xlsx", ".xlsm"):
        return
    with zipfile.ZipFile(file) as archive:
        parts = set(archive.namelist())
        book, links = (archive.read(f"xl/{part}").decode() for part in ("workbook.xml", "_rels/workbook.xml.rels"))
        sheets = [dict(_ATTRIBUTE.findall(tag)) for tag in re.findall(r"<(?:\w+:)?sheet\s[^>]*>", book)]
        targets = {
            one.get("Id"): one for one in (dict(_ATTRIBUTE.findall(tag)) for tag in re.findall(r"<Relationship\s[^>]*>", links))
        }
        wanted = next((sheet.get("r:id") for sheet in sheets if unescape(sheet.get("name", "")) == name), None)
        target = targets.get(wanted, {}).get("Target", "").removeprefix("/xl/")
        unsaved = len(_UNSAVED.findall(archive.read(f"xl/{target}"))) if f"xl/{target}" in parts else 0
    if unsaved:
        problem = f"{plural(unsaved, 'formula has', 'formulas have')} no saved value"
        fix = "open the workbook in a spreadsheet program and save it, or save the sheet as CSV"
        raise UsageError.of(problem, f"{opening.place}: {file}, {name}", fix)


@contextmanager
def _postgresql(address: str, where: str) -> Iterator[Any]:
    """Hold a connection to a PostgreSQL server that may only read; what it refuses is a problem of that place."""
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi
        from pyarrow import ArrowException
    except ModuleNotFoundError as error:
        fix = "install it with `pip install 'staypower[postgres]'`"
        raise UsageError.of("reading PostgreSQL needs an extra", where, fix) from error
    try:
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            yield cursor
    except (Error, ArrowException, OSError) as error:
        # a server that goes away in the middle is told by the stream of rows
        said = shown_in(str(error)).strip()[:300]
        fix = "check that the server answers, the user may read, and `table` or `query` is right"
        raise UsageError.of(f"PostgreSQL says: {said}", where, fix) from error


def _tables_of_postgresql(address: str) -> list[str]:
    sql = (
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    with _postgresql(address, shown_address(address)) as cursor:
        cursor.execute(sql)
        return [str(row[0]) for row in cursor.fetchall()]


def _read_postgresql(opening: Opening) -> str:
    """Stream a table or a query of a PostgreSQL server, within a transaction that may only read."""
    where, source = f"{opening.place}: {shown_address(opening.address)}", opening.source
    if source.query is not None:
        sql = one_select(source.query, opening.place, "postgres")
    elif source.table is not None:
        sql = f"SELECT * FROM {'.'.join(quoted_name(part) for part in source.table.split('.'))}"
    else:
        raise UsageError.of("no table is named", where, "write `table: schema.name` or `query: select ...`")
    with _postgresql(opening.address, where) as cursor:
        cursor.execute(f"SELECT * FROM ({sql}) AS given LIMIT 0")
        plain = [_plain_column(field) for field in cursor.fetch_record_batch().schema]
        cursor.execute(f"SELECT {', '.join(plain)} FROM ({sql}) AS given")
        reader = cursor.fetch_record_batch()
        return _copied(opening, reader.schema, reader)


def _plain_column(field: Any) -> str:
    """Take what is no plain number, time, flag or text as text."""
    import pyarrow.types as kinds

    tests = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_string, kinds.is_timestamp, kinds.is_date)
    name = quoted_name(field.name)
    return name if any(test(field.type) for test in tests) else f"CAST({name} AS text) AS {name}"


SQLITE = Format(
    name="sqlite",
    label="SQLite",
    endings=(".sqlite", ".sqlite3"),
    example="`source: data/a.sqlite` with `table: events` or with `query: select ... from ...`; opened for reading only",
    relation=_read_sqlite,
    tables=_tables_of_sqlite,
    database=True,
)
WORKBOOK = Format(
    name="excel",
    label="Excel",
    endings=(".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"),
    example=(
        "`source: data/a.xlsx`, with `table: Sheet1` where there are several sheets. Formulas are read as their "
        "saved values, cells merged downwards have one value; needs `staypower[excel]`"
    ),
    relation=_read_workbook,
    tables=_sheets_of,
    database=True,
)
POSTGRESQL = Format(
    name="postgresql",
    label="PostgreSQL",
    endings=(),
    schemes=("postgresql", "postgres"),
    example=(
        "`source: postgresql://${DB_USER}:${DB_PASSWORD}@host/db` with `table: schema.name` or `query: select ...`; needs "
        "`staypower[postgres]`; read in one read-only transaction"
    ),
    relation=_read_postgresql,
    tables=_tables_of_postgresql,
    database=True,
)
