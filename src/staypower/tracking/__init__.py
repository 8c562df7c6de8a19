"""Runs, artifacts and the model registry: the only place that speaks MLflow, which is imported when it is first needed."""

import os

# read when mlflow is imported, which only modules of this package do: no telemetry is sent
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# a server that is gone is said after seconds; what could not be logged waits. MLflow alone would try for minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
