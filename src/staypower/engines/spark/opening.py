"""Open the sources of a run on Spark: files that workers read themselves, and whatever Spark reads for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import to_arrow_type

from staypower.engines.spark.files import ORDER, Batches, FilesOfWorkers, Rows
from staypower.engines.spark.session import column_of, in_workers, spark_errors_as_problems
from staypower.errors import UsageError
from staypower.sources.format import Format
from staypower.sources.formats import FORMATS, by_ending
from staypower.sources.opening import files_of, path_of
from staypower.sources.settings import TableSource

_TABLE = "table:"
_DIGITS = 20


@dataclass(frozen=True)
class RowsOfSpark:
    """A source that Spark reads, and hands to workers."""

    frame: DataFrame

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as workers will see them, those of an unknown kind left out."""
        return arrow_schema(self.frame)

    def each(self, function: Callable[[Batches], Rows], used: Sequence[str], order: int | None, schema: pa.Schema) -> DataFrame:
        """Run a function on the rows of every task; `order` is the number of the source among those of its table."""
        columns = [column_of(name) for name in used]
        if order is not None:
            columns.append(row_order(self.frame, order).alias(ORDER))
        # a column that says nothing where a source's every value is a constant
        return in_workers(self.frame.select(*(columns or [functions.lit(0).alias("nothing")])), function, schema)


def open_on_spark(
    session: SparkSession, source: TableSource, place: str, folder: Path, objects: Mapping[str, object]
) -> FilesOfWorkers | RowsOfSpark:
    """Open a source."""
    if source.source is None:
        raise UsageError.of("no source is given", place, "write `source: path/to/folder`")
    name = str(source.source)
    with spark_errors_as_problems(f"{place}: {name}"):
        frame = _given(session, source, place, objects)
        if frame is not None:
            return RowsOfSpark(frame)
        path = name if "://" in name else str(path_of(name, folder))
        form = _format(source, path)
        if form.on_spark is None or source.query is not None or source.table is not None:
            fix = "write it as Parquet, give it as a table of Spark (`source: table:NAME`), or use the engine `embedded`"
            raise UsageError.of(f"the Spark engine does not read {form.name}", f"{place}: {path}", fix)
        files = _files(session, form, place, path)
        return files or RowsOfSpark(form.on_spark(session, source, path, place))


def _files(session: SparkSession, form: Format, place: str, path: str) -> FilesOfWorkers | None:
    """Let workers read files on a disk of this machine that Spark's executors would find at the same place, too."""
    if not form.columnar or "://" in path:
        return None
    try:
        hadoop: Any = session.sparkContext._jsc.hadoopConfiguration()
        if not str(hadoop.get("fs.defaultFS", "file:")).startswith("file:"):
            return None
        return FilesOfWorkers.of(session, files_of(path, place, Path(), {}), place)
    except (PySparkException, UsageError):
        # no session of this process, or no such file: Spark says what it makes of the path
        return None


def _given(session: SparkSession, source: TableSource, place: str, objects: Mapping[str, object]) -> DataFrame | None:
    """Return what is a table already: given in Python, or of Spark's catalogue."""
    name = str(source.source)
    given = objects.get(name)
    if isinstance(given, pa.Table):
        return session.createDataFrame(given)
    if given is not None and not hasattr(given, "mapInArrow"):
        fix = "give a Spark DataFrame or an Arrow table"
        raise UsageError.of("the object is not a Spark table", f"{place}: {type(given).__name__}", fix)
    return session.table(name.removeprefix(_TABLE)) if given is None and name.startswith(_TABLE) else given


def _format(source: TableSource, path: str) -> Format:
    """Say how the files are written."""
    if source.format is not None:
        return FORMATS[source.format]
    below = (by_ending(Path(file)) for file in _below(path))
    return by_ending(Path(path)) or next(filter(None, below), FORMATS["parquet"])


def _below(path: str) -> list[str]:
    """List what a folder of this machine holds; nothing is known of other machines."""
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
