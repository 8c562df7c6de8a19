"""The Spark session: how it starts, what it reads and writes, and its errors as problems of the input."""

from __future__ import annotations

import base64
import gc
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import from_arrow_schema

from staypower.addresses import shown_address
from staypower.engines.abilities import Refusal
from staypower.engines.settings import EngineSettings
from staypower.errors import Problem, UsageError
from staypower.outputs.kinds import OUTPUTS

_MARK = re.compile(r"staypower-problems:([A-Za-z0-9+/=]+):")
# what Spark says of a worker whose process is gone: as a rule the system took it for want of memory
_KILLED = "Python worker exited unexpectedly"
_TOO_LARGE = Refusal(
    "a bucket above the memory of a worker",
    "a bucket of accounts does not fit into a worker's memory",
    "set more `engine.partitions`, or a larger `spark.executor.memoryOverhead`; an account is held whole: filter robots out "
    "with `where`",
)
# on one machine Java has little to do for itself: compiling it a second time costs more than it saves (measured: 17 of 49
# CPU seconds for a few rows)
_LOCAL = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.ui.enabled": "false",
    # planning again after every shuffle costs more than it saves: what is shuffled are a few large cells
    "spark.sql.adaptive.enabled": "false",
    # cells are compressed already, and no network is spared
    "spark.shuffle.compress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
# more than a task makes
_OBJECTS_OF_MODULES = 50_000
_ALWAYS = {
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


@contextmanager
def spark_session(settings: EngineSettings) -> Iterator[SparkSession]:
    """Use the active session, or start one and stop it at the end."""
    there = SparkSession.getActiveSession()
    if there is not None:
        yield there
        return
    session = _begin(settings)
    try:
        yield session
    finally:
        session.stop()


def _begin(settings: EngineSettings) -> SparkSession:
    # workers run this very interpreter unless the cluster's own is named
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder
    options = {**_ALWAYS, "spark.sql.shuffle.partitions": str(settings.partitions)}
    if settings.master is not None:
        builder = builder.master(settings.master)
        options |= _LOCAL if settings.master.startswith("local") else {}
    for name, value in (options | settings.options).items():
        builder = builder.config(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session: SparkSession = builder.appName("staypower").getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        fix = "check `engine.master`, and that Java 17 is installed and `JAVA_HOME` is set"
        raise UsageError.of(f"Spark cannot be started: {_first_line(error)}", settings.master or "spark", fix) from error
    # what fails in a worker is reported by this package, once
    session.sparkContext.setLogLevel("FATAL")
    return session


def in_workers(
    rows: DataFrame,
    function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    schema: pa.Schema,
    place: str = "tables",
) -> DataFrame:
    """Give the rows of each task to a function in the workers; the problems that it finds reach the driver whole."""

    def sent(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        _keep_modules()
        with sending_problems():
            yield from function(batches)

    with spark_errors_as_problems(place):
        return rows.mapInArrow(sent, from_arrow_schema(schema, prefer_timestamp_ntz=False))


def _keep_modules() -> None:
    """Let what a worker has loaded stay: after every task Spark looks for garbage, and each look at all modules takes 0.1 s."""
    if len(gc.get_objects()) > _OBJECTS_OF_MODULES:
        gc.freeze()


@contextmanager
def sending_problems() -> Iterator[None]:
    """Let the problems that a worker finds in the input reach the driver whole.

    >>> try:
    ...     with sending_problems():
    ...         raise UsageError.of("no such column", "usage.at", "map it")
    ... except RuntimeError as error:
    ...     problems_in(str(error))
    (Problem(problem='no such column', value='usage.at', fix='map it'),)
    """
    try:
        yield
    except UsageError as error:
        problems = error.problems
    except MemoryError as error:
        problems = (_TOO_LARGE.of(_first_line(error)),)
    else:
        return
    plain = json.dumps([astuple(problem) for problem in problems]).encode()
    raise RuntimeError(f"staypower-problems:{base64.b64encode(plain).decode()}:") from None


def problems_in(message: str) -> tuple[Problem, ...]:
    """Read the problems that a worker sent in an error's message; none when it sent none."""
    found = _MARK.search(message)
    return () if found is None else tuple(Problem(*entry) for entry in json.loads(base64.b64decode(found.group(1))))


@contextmanager
def spark_errors_as_problems(place: str) -> Iterator[None]:
    """Say what goes wrong in Spark as problems, where it is the input's."""
    with warnings.catch_warnings():
        # about the version of pandas, which the user cannot help
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        try:
            yield
        except PySparkException as error:
            problems = problems_in(str(error))
            if _KILLED in str(error):
                problems = (_TOO_LARGE.of(_KILLED),)
            if problems:
                raise UsageError(problems) from error
            if "Traceback (most recent call last)" in str(error):
                raise
            fix = "check that the place is there, whole, readable by every worker, and of the format that its name says"
            raise UsageError.of(f"Spark cannot do it: {_first_line(error)}", place, fix) from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.strip().startswith("at ")]
    return (lines[0] if lines else type(error).__name__)[:240]


_TABLE = "table:"


def column_of(name: str) -> Column:
    """Name a column whatever signs its name has."""
    return functions.col("`" + name.replace("`", "``") + "`")


_DATABASES = tuple(f"{scheme}:" for kind in OUTPUTS.values() for scheme in kind.schemes)
_SINGLE = tuple(ending for kind in OUTPUTS.values() for ending in kind.endings)


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
    if written.startswith(_DATABASES):
        fix = "write to a folder or a table (`table:churn.scores`), or score with `engine: embedded`"
        raise UsageError.of("the Spark engine does not write to databases", shown_address(written), fix)
    if not written.startswith(_TABLE) and written.endswith(_SINGLE):
        fix = "name a folder, such as `out/scores/`, or a table, such as `table:churn.scores`"
        raise UsageError.of("Spark writes many files, not one", written, fix)
    return written.rstrip("/")


def write_on_spark(rows: DataFrame, place: str) -> None:
    """Write rows, replacing what was there."""
    with spark_errors_as_problems(place):
        writer = rows.write.mode("overwrite")
        if place.startswith(_TABLE):
            writer.saveAsTable(place.removeprefix(_TABLE))
        else:
            writer.parquet(place)


def read_back(session: SparkSession, place: str) -> DataFrame:
    """Open what was written."""
    with spark_errors_as_problems(place):
        return session.table(place.removeprefix(_TABLE)) if place.startswith(_TABLE) else session.read.parquet(place)
