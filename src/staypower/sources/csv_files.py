"""CSV files: nothing is guessed but what stands between the columns, and every value is text."""

from __future__ import annotations

import csv
import glob
import gzip
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from staypower.errors import UsageError
from staypower.sources.settings import TableSource
from staypower.sources.values import quoted_text

__all__ = ["PLAIN_ENCODINGS", "csv_relation", "decoded_csv", "listed"]

PLAIN_ENCODINGS: Mapping[str, str] = MappingProxyType(
    {"utf-8": "utf-8", "utf8": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16", "latin-1": "latin-1"}
)


def csv_relation(source: TableSource, files: Sequence[Path], hive: str, place: str) -> str:
    """Read CSV with every value as text.

    Nothing is detected but what stands between the columns, so that no odd line is skipped or taken for a comment; files
    with other columns are put under one another by name.
    """
    headers: dict[tuple[str, ...], list[Path]] = {}
    delimiter = source.delimiter
    for file in files:
        try:
            delimiter = delimiter or _delimiter(file, source.encoding)
            headers.setdefault(_header(file, source.encoding, delimiter), []).append(file)
        except UnicodeError as error:
            fix = "write its `encoding`, such as `encoding: cp1252` (Windows) or `encoding: latin-1`"
            raise UsageError.of(f"the file is not in {source.encoding}", f"{place}: {file}", fix) from error
    delimiter = str(delimiter)
    options = [f"delim={quoted_text(delimiter)}", f"encoding={quoted_text(PLAIN_ENCODINGS[source.encoding.lower()])}"]
    options += ["auto_detect=false", "header=true", "skip=0", "quote='\"'", "escape='\"'", "strict_mode=true"]
    options += ["null_padding=false", f"hive_partitioning={hive}", "hive_types_autocast=false"]
    reads = []
    for names, alike in headers.items():
        columns = ", ".join(f"{quoted_text(name)}: 'VARCHAR'" for name in names)
        reads.append(f"SELECT * FROM read_csv({listed(alike)}, columns={{{columns}}}, {', '.join(options)})")
    return f"({' UNION ALL BY NAME '.join(reads)})"


def _header(file: Path, encoding: str, delimiter: str) -> tuple[str, ...]:
    """Read the names of the first line; blank and repeated ones get a number."""
    with _text_of(file, encoding) as lines:
        names = next(csv.reader(lines, delimiter=delimiter), [])
    told: list[str] = []
    taken: set[str] = set()
    for place, name in enumerate(names):
        wanted = name or f"column{place}"
        unique = next(
            word for word in (wanted, *(f"{wanted}_{i}" for i in range(1, len(names) + 1))) if word.casefold() not in taken
        )
        taken.add(unique.casefold())
        told.append(unique)
    return tuple(told)


def _delimiter(file: Path, encoding: str) -> str:
    """Find what stands between the names of the first line."""
    with _text_of(file, encoding) as lines:
        bare = re.sub(r'"[^"]*"', "", lines.readline(1_000_000))
    return max(",;\t|", key=bare.count)


def _text_of(file: Path, encoding: str) -> IO[str]:
    """Open a CSV file for its first line; the byte order mark that some programs write is no part of it."""
    plain = "utf-8-sig" if PLAIN_ENCODINGS.get(encoding.lower()) == "utf-8" else encoding
    head: Any = gzip.open if file.suffix.lower() == ".gz" else open
    opened: IO[str] = head(file, "rt", encoding=plain, newline="")
    return opened


def listed(files: Sequence[Path]) -> str:
    """List files for the database; the signs of a pattern in a name are escaped."""
    return "[" + ", ".join(quoted_text(glob.escape(str(file))) for file in files) + "]"


def decoded_csv(files: Sequence[Path], source: TableSource, place: str) -> pa.Table:
    """Read CSV files in an encoding that the database does not know, every value as text."""
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
