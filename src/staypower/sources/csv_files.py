"""CSV files: only the delimiter is detected, and every value is text."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from staypower.errors import UsageError
from staypower.sources.format import Format, Given, Opening, listed
from staypower.sources.values import quoted_text

_PLAIN_ENCODINGS: Mapping[str, str] = MappingProxyType(
    {"utf-8": "utf-8", "utf8": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16", "latin-1": "latin-1"}
)

_NAMED = re.compile(r"sep=(.)\s*", re.I)


def _relation(opening: Opening) -> str:
    """Read CSV with every value as text.

    Only the delimiter is detected, so that no odd line is skipped or taken for a comment; files
    with other columns are combined by column name.
    """
    source, files, place = opening.source, opening.files, opening.place
    if source.encoding.lower() not in _PLAIN_ENCODINGS:
        opening.connection.register("given_object", _decoded(files, source, place))
        return "given_object"
    headers: dict[tuple[tuple[str, ...], bool], list[Path]] = {}
    delimiter = source.delimiter
    for file in files:
        try:
            named = _named_delimiter(file, source.encoding)
            delimiter = delimiter or named or _delimiter(file, source.encoding)
            names = _header(file, source.encoding, delimiter, skip=named is not None)
            _refuse_one_column(file, source.encoding, delimiter, place, skip=named is not None)
            headers.setdefault((names, named is not None), []).append(file)
        except UnicodeError as error:
            fix = "write its `encoding`, such as `encoding: cp1252` (Windows) or `encoding: latin-1`"
            raise UsageError.of(f"the file is not in {source.encoding}", f"{place}: {file}", fix) from error
    delimiter = str(delimiter)
    options = [f"delim={quoted_text(delimiter)}", f"encoding={quoted_text(_PLAIN_ENCODINGS[source.encoding.lower()])}"]
    options += ["auto_detect=false", "header=true", "quote='\"'", "escape='\"'", "strict_mode=true"]
    options += ["null_padding=false", opening.folders]
    reads = []
    for (names, skip), alike in headers.items():
        columns = ", ".join(f"{quoted_text(name)}: 'VARCHAR'" for name in names)
        read = [f"columns={{{columns}}}", f"skip={int(skip)}", *options]
        reads.append(f"SELECT * FROM read_csv({listed(alike)}, {', '.join(read)})")
    return f"({' UNION ALL BY NAME '.join(reads)})"


def _header(file: Path, encoding: str, delimiter: str, *, skip: bool) -> tuple[str, ...]:
    """Read the names of the first line, after a line that is skipped; blank and repeated ones get a number."""
    with _text_of(file, encoding) as lines:
        if skip:
            lines.readline()
        names = next(csv.reader(lines, delimiter=delimiter), [])
    named: list[str] = []
    taken: set[str] = set()
    for place, name in enumerate(names):
        wanted = name or f"column{place}"
        unique = next(
            word for word in (wanted, *(f"{wanted}_{i}" for i in range(1, len(names) + 1))) if word.casefold() not in taken
        )
        taken.add(unique.casefold())
        named.append(unique)
    return tuple(named)


def _refuse_one_column(file: Path, encoding: str, delimiter: str, place: str, *, skip: bool) -> None:
    """Refuse a file of one column whose first line holds another delimiter, or columns that are aligned by blanks."""
    with _text_of(file, encoding) as lines:
        header = [lines.readline(1_000_000) for _ in range(1 + skip)][-1]
    bare = re.sub(r'"[^"]*"', "", header).strip()
    other = _most_common(header)
    if delimiter in bare:
        return
    if other in bare:
        fix = f"write `delimiter: {json.dumps(other)}`"
        raise UsageError.of(
            f"the file has one column, its first line another delimiter than {delimiter!r}", f"{place}: {file}", fix
        )
    if re.search(r"\S {2,}\S", bare):
        fix = "save it as CSV, or read it with `pandas.read_fwf` and give the frame in Python"
        raise UsageError.of("the columns are aligned by blanks", f"{place}: {file}", fix)


def _named_delimiter(file: Path, encoding: str) -> str | None:
    """Read the delimiter that spreadsheets write into a first line of its own, `sep=;`."""
    with _text_of(file, encoding) as lines:
        named = _NAMED.fullmatch(lines.readline(100))
    return named[1] if named else None


def _delimiter(file: Path, encoding: str) -> str:
    """Find the delimiter of the first line."""
    with _text_of(file, encoding) as lines:
        return _most_common(lines.readline(1_000_000))


def _most_common(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _text_of(file: Path, encoding: str) -> IO[str]:
    """Open a CSV file for its first line; the byte order mark that some programs write is no part of it."""
    plain = "utf-8-sig" if _PLAIN_ENCODINGS.get(encoding.lower()) == "utf-8" else encoding
    head: Any = gzip.open if file.suffix.lower() == ".gz" else open
    opened: IO[str] = head(file, "rt", encoding=plain, newline="")
    return opened


def _decoded(files: Sequence[Path], source: Given, place: str) -> Any:
    """Read CSV files in an encoding that the database does not know, every value as text."""
    # pyarrow takes long to import: declaring a format must not
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    tables = []
    for file in files:
        try:
            delimiter = source.delimiter or _delimiter(file, source.encoding)
            parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
            read = arrow_csv.ReadOptions(encoding=source.encoding)
            names = arrow_csv.open_csv(file, read_options=read, parse_options=parse).schema.names
            convert = arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            )
            tables.append(arrow_csv.read_csv(file, read_options=read, parse_options=parse, convert_options=convert))
        except (LookupError, UnicodeError, pa.ArrowInvalid) as error:
            problem = f"the file cannot be read as {source.encoding}: {str(error)[:120]}"
            raise UsageError.of(problem, f"{place}: {file}", "write the right `encoding` and `delimiter`") from error
    return pa.concat_tables(tables, promote_options="default")


def _on_spark(session: Any, source: Given, path: str, place: str) -> Any:
    """Read CSV with every value as text; files with other columns than the first are refused."""
    # an extra: this module is there without it
    from pyspark.sql.types import StringType, StructField, StructType

    encoding = _PLAIN_ENCODINGS.get(source.encoding.lower())
    if encoding is None:
        fix = "write it in UTF-8, or use the engine `embedded`"
        raise UsageError.of(f"the Spark engine does not read {source.encoding}", f"{place}: {path}", fix)
    line = session.read.option("encoding", encoding).text(path).head()
    if line is None:
        raise UsageError.of("the file is empty", f"{place}: {path}", "give a file with a header and rows")
    header = str(line[0]).removeprefix("\ufeff")
    if _NAMED.fullmatch(header):
        fix = "take the first line out, or use the engine `embedded`"
        raise UsageError.of("a line that names the delimiter is not read on Spark", f"{place}: {path}", fix)
    delimiter = source.delimiter or _most_common(header)
    names = next(csv.reader([header], delimiter=delimiter), [])
    if not all(names) or len({name.casefold() for name in names}) < len(names):
        raise UsageError.of("a column without a name of its own", f"{place}: {path}", "fix the first line of the file")
    schema = StructType([StructField(name, StringType()) for name in names])
    options = {"sep": delimiter, "encoding": encoding, "quote": '"', "escape": '"', "mode": "FAILFAST"}
    flags = {"header": True, "multiLine": True, "enforceSchema": False, "columnPruning": False}
    return session.read.schema(schema).options(**options, **flags).csv(path)


CSV = Format(
    name="csv",
    label="CSV",
    endings=(".csv", ".tsv", ".txt"),
    example=(
        "`source: data/a.csv`. Every value is text until its column says otherwise, so ids keep leading zeros and length. The "
        "delimiter is found in the first line, `;` and tabs too. Files that are not UTF-8 need `encoding: cp1252` (Windows, "
        'Excel) or another; numbers such as 1.234,50 need `decimal: ","`'
    ),
    relation=_relation,
    on_spark=_on_spark,
)
