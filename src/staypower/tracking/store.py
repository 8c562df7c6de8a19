"""The only import of MLflow, and the tracking store: the embedded one under the project, or the server that the user names."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from staypower.errors import UsageError
from staypower.tracking.settings import TrackingSettings

# without MLflow's warnings about its own parts
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
    "MlflowException",
    "Model",
    "ModelSignature",
    "Param",
    "PythonModel",
    "Schema",
    "Store",
    "TensorSpec",
    "hold_lock",
    "mlflow",
    "open_store",
    "use_store",
]

_SERVER = re.compile(r"(https?|databricks|sqlite|postgresql|mysql|mssql|databricks-uc)(\+\w+)?(://.*)?")
for _loud in ("mlflow", "alembic"):
    logging.getLogger(_loud).setLevel(logging.ERROR)


@dataclass(frozen=True)
class Store:
    """An open tracking store."""

    uri: str  # its address
    client: MlflowClient
    experiment_id: str
    experiment: str  # name of the experiment


def open_store(settings: TrackingSettings, root: Path, name: str) -> Store:
    """Open the store and the experiment, making either when it is not there.

    `MLFLOW_TRACKING_URI` wins over the settings. A new embedded store is migrated under a file lock: of several processes
    that start together all but one would otherwise fail.
    """
    folder = (root / Path(settings.folder).expanduser()).absolute()
    uri = _address(settings, folder)
    experiment = settings.experiment or name
    embedded = uri == _embedded(folder)
    if embedded:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold_lock(folder / ".lock") if embedded else contextlib.nullcontext():
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            artifacts = (folder / "artifacts").as_uri() if embedded else None
            return Store(uri, client, _experiment_id(client, experiment, artifacts), experiment)
    except MlflowException as error:
        first = str(error).partition("\n")[0]
        raise UsageError.of(
            "the tracking store cannot be used", f"{uri} ({first})", "check the address, or leave it out for the embedded store"
        ) from error


def _embedded(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def _address(settings: TrackingSettings, folder: Path) -> str:
    given = os.environ.get("MLFLOW_TRACKING_URI") or settings.uri
    if given is None:
        if "?" in str(folder) or "#" in str(folder):
            raise UsageError.of("a `?` or `#` in the folder of the tracking store", folder, "set `tracking.folder` elsewhere")
        return _embedded(folder)
    if not _SERVER.fullmatch(given):
        fix = "write `sqlite:////absolute/path.db` or `http://host:5000`; for another folder set `tracking.folder`"
        raise UsageError.of("not the address of a tracking store", given, fix)
    return given


def _experiment_id(client: MlflowClient, experiment: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return str(client.create_experiment(experiment, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a file lock; the system frees it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def use_store(store: Store) -> Iterator[None]:
    """Point MLflow's global functions at a store for a while, and back again afterwards.

    Pointing them there also sets an environment variable, which would look like the user's wish to the next store.
    """
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]
    written = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(store.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None takes the address back
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if written is not None:
            os.environ["MLFLOW_TRACKING_URI"] = written
