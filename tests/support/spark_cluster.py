"""A Spark of two threads on this machine, begun once for all tests; where it cannot be, they are skipped and say why."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from staypower.engines.settings import EngineSettings

# a few rows and many plans: compiling either takes longer than running it
_QUICK = {
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": False,
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
# a task that fails is tried once more
ENGINE = EngineSettings(kind="spark", master="local[2,2]", partitions=2, options=_QUICK)


@contextmanager
def small_cluster(folder: Path) -> Iterator[Any]:
    """Hold a session whose every file lies in a folder."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install 'staypower[spark]'")
    if shutil.which("java") is None:
        pytest.skip("there is no Java: install Java 17")
    from staypower.engines.spark.session import spark_session

    places = {"spark.local.dir": str(folder / "local"), "spark.sql.warehouse.dir": str(folder / "tables")}
    settings = ENGINE.model_copy(update={"options": {**ENGINE.options, **places}})
    with spark_session(settings) as session:
        yield session
