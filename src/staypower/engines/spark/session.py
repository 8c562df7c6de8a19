"""The session with Spark, begun quietly, and its errors as problems of the input."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any, ParamSpec, TypeVar

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from staypower.engines.settings import EngineSettings
from staypower.errors import Problem, UsageError

__all__ = ["spark_errors_as_problems", "spark_session", "sending_problems"]

Given = ParamSpec("Given")
Made = TypeVar("Made")

_MARK = re.compile(r"staypower-problems:([A-Za-z0-9+/=]+):")
_LOCAL = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
_ALWAYS = {
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


@contextmanager
def spark_session(settings: EngineSettings) -> Iterator[SparkSession]:
    """Hold a session: the one that is there already, or one that is begun and ended here."""
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


def sending_problems(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """Let the problems that a worker finds in the input reach the driver whole.

    >>> def fail():
    ...     raise UsageError.of("no such column", "usage.at", "map it")
    >>> try:
    ...     sending_problems(fail)()
    ... except RuntimeError as error:
    ...     problems_in(str(error))
    (Problem(problem='no such column', value='usage.at', fix='map it'),)
    """

    def sent(*args: Given.args, **named: Given.kwargs) -> Made:
        try:
            return function(*args, **named)
        except UsageError as error:
            plain = json.dumps([astuple(problem) for problem in error.problems]).encode()
            raise RuntimeError(f"staypower-problems:{base64.b64encode(plain).decode()}:") from None

    return sent


def problems_in(message: str) -> tuple[Problem, ...]:
    """Read the problems that a worker sent in an error's message; none when it sent none."""
    found = _MARK.search(message)
    return () if found is None else tuple(Problem(*entry) for entry in json.loads(base64.b64decode(found.group(1))))


@contextmanager
def spark_errors_as_problems(place: str) -> Iterator[None]:
    """Say what goes wrong in Spark as problems, where it is the input's."""
    with warnings.catch_warnings():
        # of pandas' version, which is none of the user's making
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        try:
            yield
        except PySparkException as error:
            problems = problems_in(str(error))
            if problems:
                raise UsageError(problems) from error
            if "Traceback (most recent call last)" in str(error):
                raise
            fix = "check that the place is there, whole, readable by every worker, and of the format that its name says"
            raise UsageError.of(f"Spark cannot do it: {_first_line(error)}", place, fix) from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.strip().startswith("at ")]
    return (lines[0] if lines else type(error).__name__)[:240]
