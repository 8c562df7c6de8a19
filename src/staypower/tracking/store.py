"""The only import of MLflow, and the tracking store: the embedded one under the project, or the server that the user names."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy.event import listen
from sqlalchemy.exc import SQLAlchemyError

from staypower.addresses import shown_address
from staypower.clock import now
from staypower.errors import UsageError, at_place
from staypower.tracking.settings import TrackingSettings
from staypower.writing import hold_lock, probe_place

# without MLflow's warnings about its own parts
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    import mlflow.store.db.utils as schema
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc.model import PythonModel
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import AnyType
    from mlflow.utils.git_utils import get_git_commit

__all__ = [
    "AnyType",
    "ColSpec",
    "DataType",
    "Dataset",
    "DatasetInput",
    "InputTag",
    "Metric",
    "MlflowException",
    "Model",
    "ModelSignature",
    "Param",
    "PythonModel",
    "SQLAlchemyError",
    "Schema",
    "Store",
    "TensorSpec",
    "get_git_commit",
    "mlflow",
    "open_store",
    "probe_store",
    "reachable",
    "use_store",
]

_SERVER = re.compile(r"(https?|databricks|sqlite|postgresql|mysql|mssql|databricks-uc)(\+\w+)?(://.*)?")
for _loud in ("mlflow", "alembic"):
    logging.getLogger(_loud).setLevel(logging.ERROR)


_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def _folder(settings: TrackingSettings, root: Path) -> Path:
    """Return the folder of the embedded store, without `..`: an address through a folder is lost with it."""
    return (root / Path(settings.folder).expanduser()).resolve()


@dataclass(frozen=True)
class Store:
    """An open tracking store."""

    uri: str  # its address
    client: MlflowClient
    experiment_id: str
    experiment: str  # name of the experiment
    notes: tuple[str, ...] = ()  # what was repaired when it was opened


def open_store(settings: TrackingSettings, root: Path, name: str) -> Store:
    """Open the store and the experiment, making either when it is not there.

    `MLFLOW_TRACKING_URI` wins over the settings. The embedded store is made and repaired under a file lock: of several
    processes that start together all but one would otherwise fail.
    """
    folder = _folder(settings, root)
    uri = _address(settings, folder)
    experiment = settings.experiment or name
    embedded = uri == _embedded(folder)
    # to make a client is to open the store
    with hold_lock(folder / ".lock") if embedded else contextlib.nullcontext(), reachable(uri):
        notes = _prepare(folder) if embedded else ()
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        artifacts = (folder / "artifacts").as_uri() if embedded else None
        return Store(uri, client, _experiment_id(client, experiment, artifacts), experiment, notes)


def probe_store(settings: TrackingSettings, root: Path) -> None:
    """Find out whether runs could be logged, before the work that they are of; nothing is made."""
    folder = _folder(settings, root)
    uri = _address(settings, folder)
    with reachable(uri):
        if uri == _embedded(folder):
            probe_place(folder / "run")
        else:
            MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)


@contextlib.contextmanager
def reachable(uri: str) -> Iterator[None]:
    """Tell whatever a tracking store refuses as a problem of that store: the errors of MLflow and of what it stands on."""
    try:
        yield
    except ImportError as error:
        fix = f"install the driver `{error.name}`, or leave the address out for the embedded store"
        raise UsageError.of("the tracking store needs a driver that is not installed", shown_address(uri), fix) from error
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        first = str(error).partition("\n")[0].replace(uri, shown_address(uri))[:300]
        fix = "check the address and the free space, or leave the address out for the embedded store"
        raise UsageError.of("the tracking store cannot be used", f"{shown_address(uri)} ({first})", fix) from error


# where MLflow keeps absolute addresses of files
_ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def _prepare(folder: Path) -> tuple[str, ...]:
    """Make the embedded store where there is none, set an unfinished one aside, and take a moved one over."""
    path, notes = folder / "mlflow.db", []
    for left in folder.glob(".mlflow.db.*"):  # of a process that died while it made a store under the lock
        left.unlink(missing_ok=True)
    if path.exists() and not _finished(path):
        aside = path.with_name(f"{path.name}.unfinished-{now():%Y%m%dT%H%M%S%f}")
        with at_place(path):
            path.rename(aside)
        notes.append(f"an unfinished tracking store without runs was set aside as {aside}; a new one was made")
    if not path.exists():
        _make(path)
    elif moved := _take_over(path, (folder / "artifacts").as_uri()):
        notes.append(f"the tracking store was moved from {moved}: runs and models are now found, and kept, in {folder}")
    return tuple(notes)


def _make(path: Path) -> None:
    """Make a store under a temporary name: whoever finds one under its own name finds a whole one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with at_place(path):
        try:
            engine = schema.create_sqlalchemy_engine_with_retry(f"sqlite:///{draft}")  # type: ignore[no-untyped-call]
            engine.dispose()
            # a draft that is lost is made again: it waits for the disk once, not after each of a hundred changes of its tables
            listen(engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous = OFF"))
            schema._initialize_tables(engine)  # type: ignore[no-untyped-call]
            engine.dispose()
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)


def _finished(path: Path) -> bool:
    """Say whether a store is whole, or holds runs or models: then it is never set aside."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        tables = {str(name) for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in {"runs", "registered_models"} & tables:
            if store.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
                return True
        made = store.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    return made is not None and made[0] == schema._get_latest_schema_revision()  # type: ignore[no-untyped-call]


def _take_over(path: Path, artifacts: str) -> str:
    """Let a store that was moved or copied with its files find them where they are now; return where it was before."""
    tail = "/" + "/".join(artifacts.split("/")[-2:])
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        places = {str(place) for (place,) in store.execute("SELECT artifact_location FROM experiments")}
        for old in sorted(places - {artifacts}):
            before = Path(unquote(old.removeprefix("file://"))).parent
            if not old.startswith("file:///") or not old.endswith(tail) or _same(before / path.name, path):
                continue
            for table, columns in _ADDRESSES.items():
                for column in columns:
                    # the address itself and what lies within it
                    within = f"substr({column} || '/', 1, ?) = ?"
                    change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {within}"
                    store.execute(change, (artifacts, len(old) + 1, len(old) + 1, f"{old}/"))
            return str(before)
    return ""


def _same(first: Path, second: Path) -> bool:
    """Say whether two paths lead to one file."""
    try:
        return first.samefile(second)
    except OSError:
        return False


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
        raise UsageError.of("not the address of a tracking store", shown_address(given), fix)
    return given


def _experiment_id(client: MlflowClient, experiment: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return str(client.create_experiment(experiment, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextlib.contextmanager
def use_store(store: Store) -> Iterator[None]:
    """Point MLflow's global functions at a store for a while, and back again afterwards.

    Pointing them there also sets environment variables, which would look like the user's wish to the next store.
    """
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]
    written = {name: os.environ.get(name) for name in _VARIABLES}
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None takes the address back
        mlflow.set_registry_uri(written["MLFLOW_REGISTRY_URI"] or "")
        for name, address in written.items():
            os.environ.pop(name, None)
            if address is not None:
                os.environ[name] = address
