"""Write where Spark writes: a folder of Parquet files, or a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from staypower.engines.spark.session import speaking_with_spark
from staypower.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["place_of", "read_back", "write_on_spark"]

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
    with speaking_with_spark(place):
        writer = rows.write.mode("overwrite")
        if place.startswith(TABLE):
            writer.saveAsTable(place.removeprefix(TABLE))
        else:
            writer.parquet(place)


def read_back(session: SparkSession, place: str) -> DataFrame:
    """Open what was written."""
    with speaking_with_spark(place):
        return session.table(place.removeprefix(TABLE)) if place.startswith(TABLE) else session.read.parquet(place)
