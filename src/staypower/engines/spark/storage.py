"""Where rows are on Spark: a source as a DataFrame, with the order of its rows where that matters, and what is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import to_arrow_type

from staypower.engines.spark.session import spark_errors_as_problems
from staypower.errors import UsageError
from staypower.sources.formats.format import Format
from staypower.sources.formats.registry import FORMATS, by_ending
from staypower.sources.opening import path_of
from staypower.sources.settings import TableSource

__all__ = ["ORDER", "arrow_schema", "column_of", "open_on_spark", "place_of", "read_back", "row_order", "write_on_spark"]

# no source column's canonical name holds a blank
ORDER = "row order"
TABLE = "table:"
_DIGITS = 20


def open_on_spark(
    session: SparkSession, source: TableSource, place: str, folder: Path, objects: Mapping[str, object]
) -> DataFrame:
    """Open a source."""
    if source.source is None:
        raise UsageError.of("no source is given", place, "write `source: path/to/folder`")
    name = str(source.source)
    with spark_errors_as_problems(f"{place}: {name}"):
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
    form = _format(source, path)
    if form.on_spark is None or source.query is not None or source.table is not None:
        fix = "write it as Parquet, give it as a table of Spark (`source: table:NAME`), or use the engine `embedded`"
        raise UsageError.of(f"the Spark engine does not read {form.name}", f"{place}: {path}", fix)
    frame: DataFrame = form.on_spark(session, source, path, place)
    return frame


def _format(source: TableSource, path: str) -> Format:
    """Say how the files are written."""
    if source.format is not None:
        return FORMATS[source.format]
    below = (by_ending(Path(file)) for file in _below(path))
    return by_ending(Path(path)) or next(filter(None, below), FORMATS["parquet"])


def _below(path: str) -> list[str]:
    """List what a folder of this machine holds; nothing is known of another's."""
    folder = Path(path)
    return sorted(str(file) for file in folder.rglob("*") if file.is_file()) if "://" not in path and folder.is_dir() else []


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
    """Write a text that sorts the rows of a table's sources into their order: source, file, place in the file.

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


TABLE = "table:"
_SINGLE = (".parquet", ".csv")


def place_of(output: Path | str | None, folder: str, name: str) -> str:
    """Say where results go.

    >>> place_of(Path("s3a://bucket/scores/"), "out", "scores"), place_of(None, "out", "scores")
    ('s3a://bucket/scores', 'out/scores')
    >>> place_of(Path("table:churn.scores"), "out", "scores")
    'table:churn.scores'
    """
    if output is None:
        return f"{folder.rstrip('/')}/{name}"
    # a path has lost one of the slashes of its scheme
    written = re.sub(r"\A([A-Za-z][A-Za-z0-9+.-]+):/(?=[^/])", r"\1://", str(output))
    if not written.startswith(TABLE) and written.endswith(_SINGLE):
        fix = "name a folder, such as `out/scores/`, or a table, such as `table:churn.scores`"
        raise UsageError.of("Spark writes many files, not one", written, fix)
    return written.rstrip("/")


def write_on_spark(rows: DataFrame, place: str) -> None:
    """Write rows, replacing what was there."""
    with spark_errors_as_problems(place):
        writer = rows.write.mode("overwrite")
        if place.startswith(TABLE):
            writer.saveAsTable(place.removeprefix(TABLE))
        else:
            writer.parquet(place)


def read_back(session: SparkSession, place: str) -> DataFrame:
    """Open what was written."""
    with spark_errors_as_problems(place):
        return session.table(place.removeprefix(TABLE)) if place.startswith(TABLE) else session.read.parquet(place)
