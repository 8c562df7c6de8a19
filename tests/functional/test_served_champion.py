"""The champion as other programs reach it: MLflow in a fresh process without a network, its server, and Spark."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

_MODEL = "models:/demo@champion"
_LOAD = """
import sys
def compiled_before():
    # numba reads its own compiled routines, which come from the user's cache and never from a model, by pickle
    frame = sys._getframe()
    while frame and not frame.f_code.co_filename.endswith("numba/core/caching.py"):
        frame = frame.f_back
    return frame is not None
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo") or (event == "pickle.find_class" and not compiled_before()):
        raise RuntimeError(f"{event}: {args}")
import mlflow, pandas as pd
sys.addaudithook(refuse)
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""
_SPARK = """
import sys
import mlflow, pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
         .config("spark.sql.codegen.wholeStage", "false").config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
         .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
rows = spark.createDataFrame(pd.read_parquet(sys.argv[2]))
score = mlflow.pyfunc.spark_udf(spark, sys.argv[1], env_manager="local")
scored = rows.select("account_id", score(struct(*rows.columns)).alias("scores")).select("account_id", "scores.*")
scored.toPandas().to_parquet(sys.argv[3])
spark.stop()
"""


@pytest.fixture(scope="module")
def rows(company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of every scored account, as a file."""
    explanation = company.result.scored.scores.explanation
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pd.concat([pd.Series(explanation.accounts, name="account_id"), explanation.features], axis=1).to_parquet(path)
    return path


def environment(company) -> dict[str, str]:
    store = f"sqlite:///{company.root / 'mlruns' / 'mlflow.db'}"
    own = {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true", "PYSPARK_PYTHON": sys.executable}
    return {**os.environ, **own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def asked(company, program: str, rows: Path, output: Path) -> pd.DataFrame:
    """Run a program that scores the rows with the champion into a file."""
    command = [sys.executable, "-W", "ignore", "-c", program, _MODEL, str(rows), str(output)]
    subprocess.run(command, check=True, capture_output=True, env=environment(company), cwd=output.parent)
    return pd.read_parquet(output).sort_values("account_id").reset_index(drop=True)


def require_same(found: pd.DataFrame, company) -> None:
    """Require the numbers and words of `staypower score`, bit for bit."""
    scores = company.result.scored.scores.table
    expected = scores[scores["status"] == "scored"].sort_values("account_id").reset_index(drop=True)
    compared = [name for name in expected if name in found]
    assert {"churn_probability", "churn_risk_band", "p_voluntary", "tier", "reason_1", "lever_1", "contribution_5"} <= set(
        compared
    )
    for name in compared:
        if expected[name].dtype.kind == "f":
            assert found[name].to_numpy().tobytes() == expected[name].to_numpy(dtype=np.float64).tobytes(), name
        else:
            assert found[name].tolist() == expected[name].astype(object).where(expected[name].notna(), "").tolist(), name


def test_a_fresh_process_scores_as_scoring_does_without_a_network(company, rows, tmp_path):
    require_same(asked(company, _LOAD, rows, tmp_path / "scored.parquet"), company)


@contextlib.contextmanager
def served(company, folder: Path) -> Iterator[int]:
    """Serve the champion on the loopback until the block ends; gives the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", _MODEL, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    with (folder / "serve.log").open("wb") as log:
        # a group of its own: the command starts a server, which must end with it
        server = subprocess.Popen(command, env=environment(company), stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            for _ in range(600):
                assert server.poll() is None, (folder / "serve.log").read_text()
                with contextlib.suppress(OSError):
                    if ask(port, "GET", "/ping")[0] == 200:
                        break
                time.sleep(0.2)
            yield port
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_mlflow_serves_it(company, rows, tmp_path):
    frame = pd.read_parquet(rows).head(20)
    cells = frame.astype(object).where(frame.notna(), None)
    whole = {"columns": list(frame), "data": cells.to_numpy().tolist()}
    lacking = {"columns": list(frame)[:-1], "data": cells.iloc[:, :-1].to_numpy().tolist()}
    with served(company, tmp_path) as port:
        status, answer = ask(port, "POST", "/invocations", {"dataframe_split": whole})
        refused, why = ask(port, "POST", "/invocations", {"dataframe_split": lacking})
    assert status == 200
    told = pd.DataFrame(json.loads(answer)["predictions"])
    assert told["account_id"].tolist() == frame["account_id"].tolist()
    bundle = company.result.trained.bundle
    assert told["churn_probability"].tolist() == bundle.predict(frame.drop(columns="account_id")).tolist()
    assert refused == 400
    assert f"a feature is missing: {frame.columns[-1]}" in why
    assert frame["account_id"].iloc[0] not in why
    assert frame["account_id"].iloc[0] not in (tmp_path / "serve.log").read_text()


@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed: pip install staypower[spark]"
)
@pytest.mark.skipif(
    shutil.which("java") is None and not os.environ.get("JAVA_HOME"), reason="Spark needs Java, which is not here"
)
def test_spark_scores_as_scoring_does(company, rows, tmp_path):
    require_same(asked(company, _SPARK, rows, tmp_path / "scored.parquet"), company)
