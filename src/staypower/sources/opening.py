"""Find the files of a source and open it: a confined in-process database that can read these files and nothing else.

Each source gets a connection of its own. It may touch only the files that the source names, has no Python variables in
reach, loads no extensions, and its settings are locked before the first row is read; so even a wrong expression could not
read another file or write one.
"""

from __future__ import annotations

import glob
import itertools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from staypower.addresses import is_address, shown_address
from staypower.errors import UsageError, nearest
from staypower.sources.format import Opening, in_folders
from staypower.sources.formats import by_address, by_ending, format_of, in_words
from staypower.sources.settings import TableSource
from staypower.sources.stores import fetch, is_store
from staypower.sources.values import Value, kind_of, quoted_name, quoted_text
from staypower.sources.working_database import hide_progress_bar

_CONFINED = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
)
_LOCKED = ("SET enable_external_access = false", "SET lock_configuration = true")


FilesState = tuple[tuple[Path, int, int], ...]  # size and time of the last change of each file


@dataclass(frozen=True)
class OpenSource:
    """A source that can be queried."""

    connection: Any  # confined to this source
    relation: str  # what follows FROM
    columns: Mapping[str, Value]  # its columns and their kinds
    types: Mapping[str, str]  # their types in the database
    aliased: bool = False  # whether `given_aliases` says which ids stand for another account
    columnar: tuple[Path, ...] = ()  # the files, when columns are read straight from them and no folder's name holds a column
    state: FilesState = ()  # what the files were when they were opened


@contextmanager
def open_source(
    source: TableSource,
    place: str,
    folder: Path,
    objects: Mapping[str, object],
    aliases: pa.Table | None = None,
    others: Collection[str] = (),
) -> Iterator[OpenSource]:
    """Open a source for reading; what `others` name is read elsewhere, so it is not what a missing file is meant to be."""
    if source.source is None:
        raise UsageError.of("no source is given", place, "write `source: path/to/file.csv`")
    connection, stack = duckdb.connect(), ExitStack()
    try:
        hide_progress_bar(connection)
        for setting in _CONFINED:
            connection.execute(setting)
        # what a text, a format or a type without a zone says is then local time, in expressions, too
        connection.execute(f"SET TimeZone = {quoted_text(source.zone or 'UTC')}")
        files = _files(source, place, folder, objects, stack, others)
        state = state_of(files)
        relation = _relation(connection, source, files, place, objects)
        for setting in _LOCKED:
            connection.execute(setting)
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        types = {str(row[0]): str(row[1]) for row in described}
        columns = {name: _value(name, kind) for name, kind in types.items()}
        if aliases is not None:
            connection.register("given_aliases", aliases)
            yield OpenSource(connection, relation, columns, types, aliased=True, state=state)
        else:
            columnar = _columnar_files(source, files, place)
            yield OpenSource(connection, relation, columns, types, columnar=columnar, state=state)
        refuse_changed(state, state_of(files), place)
    except duckdb.Error as error:
        raise _unreadable(error, source, place) from error
    finally:
        connection.close()
        stack.close()


def _files(
    source: TableSource,
    place: str,
    folder: Path,
    objects: Mapping[str, object],
    stack: ExitStack,
    others: Collection[str],
) -> Sequence[Path]:
    """List the files of a source, copied here from an object store; none of an object or a server."""
    name = str(source.source)
    if name in objects or (is_address(name) and not is_store(name)):
        return ()
    if is_store(name):
        return fetch(name, place, Path(stack.enter_context(TemporaryDirectory(prefix="staypower-"))))
    return files_of(name, place, folder, objects, others)


def state_of(files: Sequence[Path]) -> FilesState:
    """Say what files are now, as far as a change shows."""
    return tuple((file, found.st_size, found.st_mtime_ns) for file, found in ((file, file.stat()) for file in files))


def refuse_changed(before: FilesState, after: FilesState, place: str) -> None:
    """Refuse files that something wrote to between two looks at them."""
    changed = [str(then[0]) for then, now in zip(before, after, strict=False) if then != now]
    if changed or len(before) != len(after):
        fix = "run again when nothing writes to it, or give a copy"
        raise UsageError.of("the file changed while it was read", f"{place}: {', '.join(changed[:3])}", fix)


def _columnar_files(source: TableSource, files: Sequence[Path], place: str) -> tuple[Path, ...]:
    """List the files of a source whose columns are read straight from them."""
    if not files:
        return ()
    plain = format_of(source.format, files[0], place).columnar and not in_folders(files[0])
    return tuple(files) if plain else ()


def _value(name: str, duckdb_type: str) -> Value:
    kind, whole = kind_of(duckdb_type)
    return Value(quoted_name(name), kind, whole=whole)


def _relation(connection: Any, source: TableSource, files: Sequence[Path], place: str, objects: Mapping[str, object]) -> str:
    """Prepare the connection for the source and say what follows FROM."""
    name = str(source.source)
    if name in objects:
        connection.register("given_object", _arrow_of(objects[name], place))
        return "given_object"
    if not files:
        return by_address(name, place).relation(Opening(connection, source, (), place, name))
    form = format_of(source.format, files[0], place)
    empty = [file for file in files if not form.database and file.stat().st_size == 0]
    if empty:
        raise UsageError.of("the file is empty", f"{place}: {empty[0]}", "give a file with a header and rows")
    if not form.database:
        # a file whose name has the signs of a pattern is asked for escaped, and allowed under both names
        allowed = dict.fromkeys(name for file in files for name in (str(file), glob.escape(str(file))))
        connection.execute(f"SET allowed_paths = [{', '.join(quoted_text(path) for path in allowed)}]")
    return form.relation(Opening(connection, source, files, place))


def path_of(name: str, folder: Path) -> Path:
    """Give the path that a source names: relative to the configuration's folder unless absolute.

    >>> path_of("data/a.csv", Path("here")).as_posix()
    'here/data/a.csv'
    """
    path = Path(name).expanduser()
    return path if path.is_absolute() else folder / path


def files_of(name: str, place: str, folder: Path, objects: Mapping[str, object], others: Collection[str] = ()) -> list[Path]:
    """List the files that a path, a glob or a folder names."""
    path = path_of(name, folder)
    if path.is_file():
        return [path.resolve()]
    if path.is_dir():
        there = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith((".", "_"))]
        found = [file for file in there if by_ending(file) is not None]
        if not found:
            raise UsageError.of(f"the folder has no {in_words()} files", f"{place}: {path}", "check the path")
        return [file.resolve() for file in found if by_ending(file) == by_ending(found[0])]
    if glob.has_magic(name):
        matches = sorted(Path(match).resolve() for match in glob.glob(str(path), recursive=True))
        files = [match for match in matches if match.is_file()]
        if files:
            return files
        raise UsageError.of("no file matches", f"{place}: {path}", "check the pattern")
    taken = {path_of(other, folder) for other in others}
    near = [entry.name for entry in path.parent.iterdir() if entry not in taken] if path.parent.is_dir() else []
    fix = nearest(path.name, near) if near else "check the folder"
    if objects:
        fix += f"; the objects given are {', '.join(sorted(objects))}"
    raise UsageError.of("file not found", f"{place}: {path}", fix)


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
    reason = " ".join(kept[:4])[:300] if kept else type(error).__name__
    fix = "check that the file is whole and of the format its ending says"
    if isinstance(error, duckdb.InvalidInputException) and "unicode" in reason.lower():
        fix = "write its `encoding`, such as `encoding: cp1252` (Windows) or `encoding: latin-1`"
    elif "CSV" in reason:
        fix = "check `delimiter` and `encoding`, and the line named"
    return UsageError.of(f"the source cannot be read: {reason}", f"{place}: {shown_address(str(source.source))}", fix)


# rows are estimated from bytes where a file does not store their number: too many only makes more buckets
_BYTES_PER_ROW = 40
_PACKED = 6


@dataclass(frozen=True)
class SourceFile:
    """One file of one table.

    >>> SourceFile("usage", Path("usage.csv"), 4000, 0).rows
    100
    """

    table: str
    path: Path
    size: int  # bytes
    changed: int  # when it was last written to, in nanoseconds

    @property
    def rows(self) -> int:
        """How many rows it has: exact where its format says so, else estimated from its size."""
        form = by_ending(self.path)
        known = form.count_rows(self.path) if form is not None and form.count_rows is not None else None
        if known is not None:
            return known
        packed = _PACKED if self.path.suffix.lower() == ".gz" else 1
        return self.size * packed // _BYTES_PER_ROW


def source_files(sources: Mapping[str, Sequence[TableSource]], folder: Path) -> tuple[SourceFile, ...]:
    """List the files that sources name."""
    found = []
    for table, listed in sources.items():
        for source in listed:
            if source.source is None:
                continue
            if is_address(source.source):
                # what is there now is not known: rows of an earlier run are never taken for it
                found.append(SourceFile(table, Path(shown_address(source.source)), 0, time.time_ns()))
                continue
            for path in files_of(str(source.source), f"tables.{table}", folder, {}):
                state = path.stat()
                found.append(SourceFile(table, path, state.st_size, state.st_mtime_ns))
    return tuple(found)
