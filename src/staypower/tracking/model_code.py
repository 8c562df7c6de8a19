"""The code of a logged model: MLflow keeps this file with the sealed bundle and runs it when the model is loaded."""

from __future__ import annotations

import os

# MLflow repeats the rows that do not fit the signature in its message; no message may show rows of customers
os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")

from mlflow.models import set_model

from staypower.tracking.runs import ServedModel

set_model(ServedModel())
