"""Every source format. Whatever lists formats reads `FORMATS`."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from staypower.addresses import scheme_of, shown_address
from staypower.errors import UsageError, nearest
from staypower.sources.csv_files import CSV
from staypower.sources.databases import POSTGRESQL, SQLITE, WORKBOOK
from staypower.sources.format import Format, Given, Opening, ending_of, listed
from staypower.sources.queries_allowed import one_select
from staypower.sources.stores import STORES
from staypower.sources.values import quoted_name, quoted_text


def _read_duckdb(opening: Opening) -> str:
    """Attach a DuckDB file, opened for reading only, and name its table or check its query."""
    connection, source, place = opening.connection, opening.source, opening.place
    connection.execute(f"ATTACH {quoted_text(str(opening.files[0]))} AS given_file (READ_ONLY)")
    connection.execute("USE given_file")
    if source.query is not None:
        return f"({one_select(source.query, place, 'duckdb')})"
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, table_name FROM duckdb_tables() WHERE database_name = 'given_file' UNION ALL "
        "SELECT schema_name || '.' || view_name, view_name FROM duckdb_views() "
        "WHERE database_name = 'given_file' AND NOT internal"
    ).fetchall()
    known = {str(full): str(full) for full, _ in rows} | {str(short): str(full) for full, short in rows}
    if source.table is None or source.table not in known:
        problem = "no table is named" if source.table is None else "the file has no such table"
        fix = nearest(source.table or "", (str(short) for _, short in rows)) + (" as `table`" if source.table is None else "")
        raise UsageError.of(problem, f"{place}: {source.table or opening.files[0]}", fix)
    return ".".join(quoted_name(part) for part in ("given_file", *known[source.table].split(".", 1)))


def _tables_of_duckdb(file: str) -> list[str]:
    # the database takes long to import: declaring a format must not
    import duckdb

    with duckdb.connect(file, read_only=True) as connection:
        rows = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1").fetchall()
    return [str(row[0]) for row in rows]


DUCKDB = Format(
    name="duckdb",
    label="DuckDB",
    endings=(".duckdb", ".db"),
    example="`source: data/a.duckdb` with `table: events` or with `query: select ... from ...`; opened for reading only",
    relation=_read_duckdb,
    tables=_tables_of_duckdb,
    database=True,
)


def _read_json(opening: Opening) -> str:
    """Read JSON with every value as text, so that no id is taken for a number or a date.

    Lists and objects stay what they are: as text they would pass for ids.
    """
    names_listed = listed(opening.files)
    form = "auto" if ending_of(opening.files[0]) == ".json" else "newline_delimited"
    options = f"format={quoted_text(form)}, union_by_name=true"
    names = opening.connection.execute(
        f"DESCRIBE SELECT * FROM read_json({names_listed}, {options}, sample_size=-1, maximum_depth=2)"
    ).fetchall()
    nested = {str(row[0]) for row in names if str(row[1]).startswith(("STRUCT", "MAP")) or str(row[1]).endswith("]")}
    kinds = {str(row[0]): "JSON" if str(row[0]) in nested else "VARCHAR" for row in names}
    columns = ", ".join(f"{quoted_text(name)}: '{kind}'" for name, kind in kinds.items())
    return f"read_json({names_listed}, {options}, columns={{{columns}}})"


JSON_LINES = Format(
    name="json",
    label="JSON lines",
    endings=(".jsonl", ".ndjson", ".json"),
    example=(
        "`source: data/a.jsonl`; a `.json` file may also hold one array. Flatten lists and objects (an order with its "
        "items) first, one row per item, for example with `pandas.json_normalize`"
    ),
    relation=_read_json,
)


_GUESSING = "spark.sql.sources.partitionColumnTypeInference.enabled"


def _read_parquet(opening: Opening) -> str:
    return f"read_parquet({listed(opening.files)}, union_by_name=true, {opening.folders})"


def _count_rows(file: Path) -> int | None:
    # pyarrow takes long to import: declaring a format must not
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowInvalid, OSError):
        # reading it will say what is wrong
        return 0


def _on_spark(session: Any, source: Given, path: str, place: str) -> Any:
    was = session.conf.get(_GUESSING)
    session.conf.set(_GUESSING, "false")
    try:
        return session.read.options(mergeSchema="true", **_base(path)).parquet(path)
    finally:
        session.conf.set(_GUESSING, str(was))


def _base(path: str) -> dict[str, str]:
    """Say where the folders begin that are named like `day=2025-01-01`."""
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if "=" in part), None)
    magic = next((n for n, part in enumerate(parts) if glob.has_magic(part)), None)
    begins = [n for n in (first, magic) if n is not None and n < len(parts) - 1]
    return {"basePath": "/".join(parts[: min(begins)])} if begins else {}


PARQUET = Format(
    name="parquet",
    label="Parquet",
    endings=(".parquet", ".pq"),
    example="`source: data/a.parquet`",
    relation=_read_parquet,
    columnar=True,
    count_rows=_count_rows,
    on_spark=_on_spark,
)


_ALL = (CSV, DUCKDB, WORKBOOK, JSON_LINES, PARQUET, POSTGRESQL, SQLITE)
FORMATS: Mapping[str, Format] = MappingProxyType({form.name: form for form in _ALL})


def by_ending(file: Path) -> Format | None:
    """Return the format that a file's ending says.

    >>> by_ending(Path("a.tsv.gz")).name, by_ending(Path("a.xyz"))
    ('csv', None)
    """
    ending = ending_of(file)
    return next((form for form in FORMATS.values() if ending in form.endings), None)


def by_address(address: str, place: str) -> Format:
    """Return the format that reads an address."""
    found = next((form for form in FORMATS.values() if scheme_of(address) in form.schemes), None)
    if found is None:
        known = (*STORES, *(scheme for form in FORMATS.values() for scheme in form.schemes))
        schemes = sorted(f"{scheme}://" for scheme in known)
        fix = f"give a file, one of {', '.join(schemes)}, or a table in Python"
        raise UsageError.of("no such kind of address is read", f"{place}: {shown_address(address)}", fix)
    return found


def format_of(given: str | None, file: Path, place: str) -> Format:
    """Return the format that the configuration says, or else the file's ending."""
    found = FORMATS[given] if given is not None else by_ending(file)
    if found is None:
        fix = "write " + " or ".join(f"`format: {name}`" for name in FORMATS)
        raise UsageError.of("the file's ending does not say what it is", f"{place}: {file}", fix)
    return found


def in_words() -> str:
    """List the formats for a message.

    >>> in_words()
    'CSV, DuckDB, Excel, JSON lines, Parquet or SQLite'
    """
    labels = [form.label for form in FORMATS.values() if form.endings]
    return f"{', '.join(labels[:-1])} or {labels[-1]}"
