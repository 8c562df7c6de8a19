"""One tracked run: settings, metrics, files and the model; and the closing of runs whose process died."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import os
import re
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.lightgbm
import numpy as np
from mlflow.entities import Metric, Param
from mlflow.models import Model, infer_signature

from staypower.tracking.store import Store, use_store

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

__all__ = ["TrackedRun", "close_dead_runs", "start_run"]

_MOST_PARAMS = 100
_MOST_METRICS = 1000
_LONGEST_VALUE = 6000
_PROCESS = "staypower.process"
MODEL_ID = "staypower.model_id"


class TrackedRun:
    """A run that is going on.

    Parameters
    ----------
    store : Store
    run_id : str
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """Log nested settings as parameters with dotted names, and whole as `settings.json`."""
        flat = {_key(name): _shown(value)[:_LONGEST_VALUE] for name, value in _flatten(settings)}
        params = [Param(name, value) for name, value in flat.items()]
        for start in range(0, len(params), _MOST_PARAMS):
            self._store.client.log_batch(self.run_id, params=params[start : start + _MOST_PARAMS])
        self._store.client.log_text(self.run_id, json.dumps(settings, indent=1, default=str), "settings.json")

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int = 0) -> None:
        """Log nested metrics with dotted names; what is missing or not finite is left out."""
        now = int(time.time() * 1000)
        found = [Metric(name, value, now, step) for name, value in finite_metrics(metrics).items()]
        for start in range(0, len(found), _MOST_METRICS):
            self._store.client.log_batch(self.run_id, metrics=found[start : start + _MOST_METRICS])

    def log_artifacts(self, files: Path | Sequence[Path], folder: str | None = None) -> None:
        """Log files, or everything in a folder, under `folder` of the run."""
        for path in [files] if isinstance(files, Path) else files:
            log = self._store.client.log_artifacts if path.is_dir() else self._store.client.log_artifact
            log(self.run_id, str(path), folder)

    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file of the run."""
        self._store.client.log_text(self.run_id, text, name)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the run."""
        for name, value in tags.items():
            self._store.client.set_tag(self.run_id, _key(name), str(value))

    def log_model(self, booster: lightgbm.Booster, example: pd.DataFrame, *, bundle: Path | None = None) -> str:
        """Log the trees as MLflow's own kind of model, with signature and pinned requirements.

        Parameters
        ----------
        booster : lightgbm.Booster
            Logged in LightGBM's text form.
        example : DataFrame
            A few rows with our feature names, in the order of the trees. Only their types are kept: no row of a customer
            is stored.
        bundle : Path or None, default None
            The sealed bundle, logged beside it as `bundle/`.

        Returns
        -------
        str
            The id of the logged model.
        """
        inputs = example.astype("float64")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints of mlflow for its own developers
            created = self._store.client.create_logged_model(self._store.experiment_id, "model", source_run_id=self.run_id)
            signature = infer_signature(inputs, np.asarray(booster.predict(inputs.to_numpy())))
            with use_store(self._store), _quiet_progress():
                Model.log(
                    artifact_path=None,
                    name="model",
                    flavor=mlflow.lightgbm,
                    run_id=self.run_id,
                    model_id=created.model_id,
                    lgb_model=booster,
                    signature=signature,
                    pip_requirements=_requirements(),
                )
        self._store.client.set_tag(self.run_id, MODEL_ID, created.model_id)
        if bundle is not None:
            self.log_artifacts(bundle, "bundle")
        return str(created.model_id)


@contextlib.contextmanager
def start_run(
    store: Store, *, kind: str, name: str | None = None, tags: Mapping[str, object] | None = None
) -> Iterator[TrackedRun]:
    """Start a run; it ends finished, failed or killed as the block does.

    Parameters
    ----------
    store : Store
    kind : str
        What it does: `train`, `evaluate`, ...; a tag.
    name : str, optional
        Shown in the list of runs.
    tags : mapping, optional

    Yields
    ------
    TrackedRun
    """
    close_dead_runs(store)
    given = {_key(tag): str(value) for tag, value in (tags or {}).items()}
    own = {"kind": kind, _PROCESS: _this_process(), "mlflow.source.name": "staypower", "mlflow.user": _user()}
    created = store.client.create_run(store.experiment_id, run_name=name, tags={**given, **own})
    run = TrackedRun(store, created.info.run_id)
    try:
        yield run
    except KeyboardInterrupt:
        store.client.set_terminated(run.run_id, "KILLED")
        raise
    except BaseException:
        store.client.set_terminated(run.run_id, "FAILED")
        raise
    store.client.set_terminated(run.run_id, "FINISHED")


def close_dead_runs(store: Store) -> list[str]:
    """Close runs of this experiment that a process of this machine left running when it died.

    Parameters
    ----------
    store : Store

    Returns
    -------
    list of str
        The runs that were closed.
    """
    running = store.client.search_runs([store.experiment_id], filter_string="attributes.status = 'RUNNING'", max_results=1000)
    dead = [run.info.run_id for run in running if _is_dead(run.data.tags.get(_PROCESS, ""))]
    for run_id in dead:
        store.client.set_terminated(run_id, "KILLED")
    return dead


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _is_dead(process: str) -> bool:
    """Say whether a process of this machine is gone; of another machine's nothing is known."""
    host, _, rest = process.rpartition(":")[0].rpartition(":")
    started = process.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # the number may have been given to another process since: that one started at another time
    return _started(int(rest)) not in ("", started)


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where the system does not tell, `dead` for a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return "dead" if fields[0] == "Z" else fields[19]


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in ("lightgbm", "numpy", "pandas", "scipy")]


@contextlib.contextmanager
def _quiet_progress() -> Iterator[None]:
    """Keep mlflow from drawing progress bars for single files."""
    before = os.environ.get("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR")
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    try:
        yield
    finally:
        os.environ.pop("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR")
        if before is not None:
            os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = before


def finite_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flatten metrics and keep the finite numbers.

    Examples
    --------
    >>> finite_metrics({"auroc": 0.7, "lift": {"top 5%": 3, "none": float("nan")}, "note": "x"})
    {'auroc': 0.7, 'lift.top 5_': 3.0}
    """
    found: dict[str, float] = {}
    for name, value in _flatten(metrics):
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number):
            found[_key(name)] = float(number)
    return found


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{name}.")
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            for number, entry in enumerate(value):
                yield from _flatten(entry, f"{name}.{number}.")
        else:
            yield name, value


def _key(name: str) -> str:
    """Keep what MLflow allows in the name of a parameter, metric or tag."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[:250] or "_"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
