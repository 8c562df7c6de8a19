"""Open a source on Spark: a DataFrame of its columns as they stand, with the order of its rows where that says something."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import StringType, StructField, StructType

from staypower.engines.spark.session import speaking_with_spark
from staypower.errors import UsageError
from staypower.sources.csv_files import PLAIN_ENCODINGS
from staypower.sources.opening import path_of
from staypower.sources.settings import TableSource

__all__ = ["ORDER", "arrow_schema", "column_of", "open_on_spark", "row_order"]

# no source column's canonical name holds a blank
ORDER = "row order"
TABLE = "table:"
_ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
_UNREAD = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".duckdb": "duckdb", ".db": "duckdb"}
_GUESSING = "spark.sql.sources.partitionColumnTypeInference.enabled"
_DIGITS = 20


def open_on_spark(
    session: SparkSession, source: TableSource, place: str, folder: Path, objects: Mapping[str, object]
) -> DataFrame:
    """Open a source."""
    if source.source is None:
        raise UsageError.of("no source is given", place, "write `source: path/to/folder`")
    name = str(source.source)
    with speaking_with_spark(f"{place}: {name}"):
        frame = _frame(session, source, place, folder, objects)
    kept = list(arrow_schema(frame).names)
    return frame if len(kept) == len(frame.columns) else frame.select(*map(column_of, kept))


def _frame(session: SparkSession, source: TableSource, place: str, folder: Path, objects: Mapping[str, object]) -> DataFrame:
    name = str(source.source)
    given = objects.get(name)
    if isinstance(given, pa.Table):
        return session.createDataFrame(given)
    if given is not None:
        if not hasattr(given, "mapInArrow"):
            fix = "give a Spark DataFrame or an Arrow table"
            raise UsageError.of("the object is not a Spark table", f"{place}: {type(given).__name__}", fix)
        return given
    if name.startswith(TABLE):
        return session.table(name.removeprefix(TABLE))
    path = name if "://" in name else str(path_of(name, folder))
    if _form(source, path, place) == "csv":
        return _csv(session, source, path, place)
    was = session.conf.get(_GUESSING)
    session.conf.set(_GUESSING, "false")
    try:
        return session.read.options(mergeSchema="true", **_base(path)).parquet(path)
    finally:
        session.conf.set(_GUESSING, str(was))


def _form(source: TableSource, path: str, place: str) -> str:
    """Say how the files are written, and refuse what is not read here."""
    form = source.format or _by_ending(path) or next(filter(None, map(_by_ending, _below(path))), "parquet")
    if form in ("json", "duckdb") or source.query is not None or source.table is not None:
        fix = "write it as Parquet, give it as a table of Spark (`source: table:NAME`), or use the engine `embedded`"
        raise UsageError.of(f"the Spark engine does not read {form}", f"{place}: {path}", fix)
    return form


def _by_ending(path: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    ending = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes[-1] if suffixes else "")
    return _ENDINGS.get(ending, "") or _UNREAD.get(ending, "")


def _below(path: str) -> list[str]:
    """List what a folder of this machine holds; nothing is known of another's."""
    folder = Path(path)
    return sorted(str(file) for file in folder.rglob("*") if file.is_file()) if "://" not in path and folder.is_dir() else []


def _base(path: str) -> dict[str, str]:
    """Say where the folders begin that are named like `day=2025-01-01`."""
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if "=" in part), None)
    magic = next((n for n, part in enumerate(parts) if glob.has_magic(part)), None)
    begins = [n for n in (first, magic) if n is not None and n < len(parts) - 1]
    return {"basePath": "/".join(parts[: min(begins)])} if begins else {}


def _csv(session: SparkSession, source: TableSource, path: str, place: str) -> DataFrame:
    """Read CSV with every value as text; files with other columns than the first are refused."""
    encoding = PLAIN_ENCODINGS.get(source.encoding.lower())
    if encoding is None:
        fix = "write it in UTF-8, or use the engine `embedded`"
        raise UsageError.of(f"the Spark engine does not read {source.encoding}", f"{place}: {path}", fix)
    line = session.read.option("encoding", encoding).text(path).head()
    if line is None:
        raise UsageError.of("the file is empty", f"{place}: {path}", "give a file with a header and rows")
    header = str(line[0]).removeprefix("\ufeff")
    bare = re.sub(r'"[^"]*"', "", header)
    delimiter = source.delimiter or max(",;\t|", key=bare.count)
    names = next(csv.reader([header], delimiter=delimiter), [])
    if not all(names) or len({name.casefold() for name in names}) < len(names):
        raise UsageError.of("a column without a name of its own", f"{place}: {path}", "fix the first line of the file")
    schema = StructType([StructField(name, StringType()) for name in names])
    options = {"sep": delimiter, "encoding": encoding, "quote": '"', "escape": '"', "mode": "FAILFAST"}
    flags = {"header": True, "multiLine": True, "enforceSchema": False, "columnPruning": False}
    return session.read.schema(schema).options(**options, **flags).csv(path)


def arrow_schema(frame: DataFrame) -> pa.Schema:
    """Return the columns as workers will see them, those of an unknown kind left out."""
    fields = []
    for field in frame.schema.fields:
        try:
            fields.append(pa.field(field.name, to_arrow_type(field.dataType, timezone="UTC")))
        except PySparkException:
            continue
    return pa.schema(fields)


def column_of(name: str) -> Column:
    """Name a column whatever signs its name has."""
    return functions.col("`" + name.replace("`", "``") + "`")


def row_order(frame: DataFrame, number: int) -> Column:
    """Write a text by which the rows of a table's sources stand in their order: source, file, place in the file.

    Rows of a DataFrame that is no file have the order of its partitions.
    """
    pieces: list[Any] = [functions.lit(f"{number:05d}")]
    try:
        frame.select("_metadata.file_path", "_metadata.file_block_start")
    except PySparkException:
        pass
    else:
        pieces += [
            # folder by folder, as paths are sorted
            functions.translate(functions.col("_metadata.file_path"), "/", "\x01"),
            functions.lpad(functions.col("_metadata.file_block_start").cast("string"), _DIGITS, "0"),
        ]
    return functions.concat_ws(
        "\x01", *pieces, functions.lpad(functions.monotonically_increasing_id().cast("string"), _DIGITS, "0")
    )
