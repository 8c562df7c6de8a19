"""Open one source: a confined in-process database that can read these files and nothing else.

Each source gets a connection of its own. It may touch only the files that the source names, has no Python variables in
reach, loads no extensions, and its settings are locked before the first row is read; so even a wrong expression could not
read another file or write one.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from staypower.errors import UsageError, nearest
from staypower.sources.csv_files import PLAIN_ENCODINGS, csv_relation, decoded_csv, listed
from staypower.sources.progress_bars import hide_progress_bar
from staypower.sources.settings import TableSource
from staypower.sources.values import Value, kind_of, quoted_name, quoted_text

__all__ = ["OpenSource", "files_of", "open_source", "path_of"]

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".duckdb": "duckdb",
    ".db": "duckdb",
}
_CONFINED = (
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
)
_LOCKED = ("SET enable_external_access = false", "SET lock_configuration = true")


@dataclass(frozen=True)
class OpenSource:
    """A source that can be queried."""

    connection: Any  # confined to this source
    relation: str  # what stands after FROM
    columns: Mapping[str, Value]  # its columns and their kinds
    types: Mapping[str, str]  # their types in the database
    parquet: tuple[Path, ...] = ()  # the files, when they are Parquet and no column stands in their folders' names


@contextmanager
def open_source(source: TableSource, place: str, folder: Path, objects: Mapping[str, object]) -> Iterator[OpenSource]:
    """Open a source for reading."""
    if source.source is None:
        raise UsageError.of("no source is given", place, "write `source: path/to/file.csv`")
    connection = duckdb.connect()
    try:
        hide_progress_bar(connection)
        for setting in _CONFINED:
            connection.execute(setting)
        relation = _relation(connection, source, place, folder, objects)
        for setting in _LOCKED:
            connection.execute(setting)
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        types = {str(row[0]): str(row[1]) for row in described}
        columns = {name: _value(name, kind) for name, kind in types.items()}
        yield OpenSource(connection, relation, columns, types, _parquet_files(source, place, folder, objects))
    except duckdb.Error as error:
        raise _unreadable(error, source, place) from error
    finally:
        connection.close()


def _parquet_files(source: TableSource, place: str, folder: Path, objects: Mapping[str, object]) -> tuple[Path, ...]:
    """List the files of a source that is Parquet and nothing else."""
    name = str(source.source)
    if name in objects:
        return ()
    files = files_of(name, place, folder, objects)
    plain = (source.format or _form(files[0], place)) == "parquet" and not any("=" in part for part in files[0].parts[:-1])
    return tuple(files) if plain else ()


def _value(name: str, duckdb_type: str) -> Value:
    kind, whole = kind_of(duckdb_type)
    return Value(quoted_name(name), kind, whole=whole)


def _relation(connection: Any, source: TableSource, place: str, folder: Path, objects: Mapping[str, object]) -> str:
    """Prepare the connection for the source and say what stands after FROM."""
    name = str(source.source)
    if name in objects:
        connection.register("given_object", _arrow_of(objects[name], place))
        return "given_object"
    files = files_of(name, place, folder, objects)
    form = source.format or _form(files[0], place)
    if form == "duckdb":
        return _database(connection, source, files[0], place)
    empty = [file for file in files if file.stat().st_size == 0]
    if empty:
        raise UsageError.of("the file is empty", f"{place}: {empty[0]}", "give a file with a header and rows")
    if form == "csv" and source.encoding.lower() not in PLAIN_ENCODINGS:
        connection.register("given_object", decoded_csv(files, source, place))
        return "given_object"
    # a file whose name has the signs of a pattern is asked for escaped, and allowed under both names
    allowed = dict.fromkeys(name for file in files for name in (str(file), glob.escape(str(file))))
    connection.execute(f"SET allowed_paths = [{', '.join(quoted_text(path) for path in allowed)}]")
    hive = "true" if any("=" in part for part in files[0].parts[:-1]) else "false"
    if form == "parquet":
        return f"read_parquet({listed(files)}, union_by_name=true, hive_partitioning={hive}, hive_types_autocast=false)"
    if form == "json":
        return _json(connection, files)
    return csv_relation(source, files, hive, place)


def path_of(name: str, folder: Path) -> Path:
    """Give the path that a source names: relative to the configuration's folder unless absolute.

    >>> path_of("data/a.csv", Path("here")).as_posix()
    'here/data/a.csv'
    """
    path = Path(name).expanduser()
    return path if path.is_absolute() else folder / path


def files_of(name: str, place: str, folder: Path, objects: Mapping[str, object]) -> list[Path]:
    """List the files that a path, a glob or a folder names."""
    if "://" in name:
        raise UsageError.of("only files on this machine are read", f"{place}: {name}", "download it first")
    path = path_of(name, folder)
    if path.is_file():
        return [path.resolve()]
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if _known_ending(file)]
        if not found:
            raise UsageError.of("the folder has no CSV, Parquet or JSON lines files", f"{place}: {path}", "check the path")
        first = _form(found[0], place)
        return [file.resolve() for file in found if _form(file, place) == first]
    if glob.has_magic(name):
        matches = sorted(Path(match).resolve() for match in glob.glob(str(path), recursive=True))
        files = [match for match in matches if match.is_file()]
        if files:
            return files
        raise UsageError.of("no file matches", f"{place}: {path}", "check the pattern")
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    fix = nearest(path.name, beside) if beside else "check the folder"
    if objects:
        fix += f"; the objects given are {', '.join(sorted(objects))}"
    raise UsageError.of("file not found", f"{place}: {path}", fix)


def _known_ending(file: Path) -> bool:
    return file.is_file() and not file.name.startswith((".", "_")) and _ending(file) in _ENDINGS


def _ending(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes[-1] if suffixes else "")


def _form(file: Path, place: str) -> str:
    form = _ENDINGS.get(_ending(file))
    if form is None:
        raise UsageError.of("the file's ending does not say what it is", f"{place}: {file}", "write `format: csv`")
    return form


def _json(connection: Any, files: Sequence[Path]) -> str:
    """Read JSON with every value as the text that was written, so that no id is taken for a number or a date.

    Lists and objects stay what they are: as text they would pass for ids.
    """
    names_listed = listed(files)
    form = "auto" if _ending(files[0]) == ".json" else "newline_delimited"
    options = f"format={quoted_text(form)}, union_by_name=true"
    names = connection.execute(
        f"DESCRIBE SELECT * FROM read_json({names_listed}, {options}, sample_size=-1, maximum_depth=2)"
    ).fetchall()
    nested = {str(row[0]) for row in names if str(row[1]).startswith(("STRUCT", "MAP")) or str(row[1]).endswith("]")}
    kinds = {str(row[0]): "JSON" if str(row[0]) in nested else "VARCHAR" for row in names}
    columns = ", ".join(f"{quoted_text(name)}: '{kind}'" for name, kind in kinds.items())
    return f"read_json({names_listed}, {options}, columns={{{columns}}})"


def _database(connection: Any, source: TableSource, file: Path, place: str) -> str:
    """Attach a DuckDB file for reading only, and name its table or check its query."""
    connection.execute(f"ATTACH {quoted_text(str(file))} AS given_file (READ_ONLY)")
    connection.execute("USE given_file")
    if source.query is not None:
        return f"({_one_select(source.query, place)})"
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, table_name FROM duckdb_tables() WHERE database_name = 'given_file' UNION ALL "
        "SELECT schema_name || '.' || view_name, view_name FROM duckdb_views() "
        "WHERE database_name = 'given_file' AND NOT internal"
    ).fetchall()
    known = {str(full): str(full) for full, _ in rows} | {str(short): str(full) for full, short in rows}
    if source.table is None or source.table not in known:
        problem = "no table is named" if source.table is None else "the file has no such table"
        fix = nearest(source.table or "", (str(short) for _, short in rows)) + (" as `table`" if source.table is None else "")
        raise UsageError.of(problem, f"{place}: {source.table or file}", fix)
    return ".".join(quoted_name(part) for part in ("given_file", *known[source.table].split(".", 1)))


def _one_select(query: str, place: str) -> str:
    """Accept exactly one SELECT; the connection can read nothing but its own file."""
    try:
        statements = [statement for statement in sqlglot.parse(query, dialect="duckdb") if statement is not None]
    except (SqlglotError, RecursionError) as error:
        raise UsageError.of("the query cannot be parsed", f"{place}: {query[:80]!r}", "write one SELECT") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError.of("the query is not one SELECT", f"{place}: {query[:80]!r}", "write one SELECT")
    return statements[0].sql(dialect="duckdb")


def _arrow_of(given: object, place: str) -> pa.Table:
    """Turn a pandas, polars or Arrow object into an Arrow table."""
    kind = type(given).__module__.partition(".")[0]
    if isinstance(given, pa.Table):
        return given
    if kind == "pandas" and hasattr(given, "columns"):
        return _from_pandas(given)
    if hasattr(given, "collect") and kind == "polars":
        given = given.collect()
    if hasattr(given, "to_arrow"):
        return given.to_arrow()
    try:
        return pa.table(given)
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        fix = "give a pandas, polars or Arrow table"
        raise UsageError.of("the object is not a table", f"{place}: {type(given).__name__}", fix) from error


def _from_pandas(frame: Any) -> pa.Table:
    columns = {}
    for name in frame.columns:
        column = frame[name]
        zone = getattr(column.dtype, "tz", None)
        if zone is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        try:
            array = pa.array(column, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            # a column of mixed Python objects: the texts that they print as, blanks kept blank
            array = pa.array(column.astype("string"), from_pandas=True)
        columns[str(name)] = array if zone is None else array.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return pa.table(columns)


def _unreadable(error: Exception, source: TableSource, place: str) -> UsageError:
    """Say in one line why the database could not read the source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = list(itertools.takewhile(lambda line: not line.startswith(("Possible", "LINE ", "*")), lines))
    said = " ".join(kept[:4])[:300] if kept else type(error).__name__
    fix = "check that the file is whole and of the format its ending says"
    if isinstance(error, duckdb.InvalidInputException) and "unicode" in said.lower():
        fix = "write its `encoding`, such as `encoding: cp1252` (Windows) or `encoding: latin-1`"
    elif "CSV" in said:
        fix = "check `delimiter` and `encoding`, and the line named"
    return UsageError.of(f"the source cannot be read: {said}", f"{place}: {source.source}", fix)
