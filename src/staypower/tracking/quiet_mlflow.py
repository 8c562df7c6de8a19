"""What tracking uses of MLflow, imported without its warnings about its own parts, which nobody here can fix."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc.model import PythonModel
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

__all__ = [
    "ColSpec",
    "DataType",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "Model",
    "ModelSignature",
    "Param",
    "PythonModel",
    "Schema",
    "TensorSpec",
    "mlflow",
]
