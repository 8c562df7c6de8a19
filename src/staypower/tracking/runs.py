"""One tracked run: settings, data, metrics, files and the model as MLflow serves it; and closing runs whose process died."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import os
import re
import socket
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower import __version__
from staypower.clock import now_milliseconds
from staypower.models.bundle import read_bundle
from staypower.models.versions import user_name
from staypower.scoring.predictions import ACCOUNT, FeatureRowScorer
from staypower.tracking.logged_data import LoggedData
from staypower.tracking.store import (
    AnyType,
    ColSpec,
    Dataset,
    DatasetInput,
    DataType,
    InputTag,
    Metric,
    MlflowException,
    Model,
    ModelSignature,
    Param,
    PythonModel,
    Schema,
    SQLAlchemyError,
    Store,
    TensorSpec,
    mlflow,
    use_store,
)

if TYPE_CHECKING:
    from staypower.models.bundle import Bundle

__all__ = [
    "ARTIFACT",
    "RunWriter",
    "MODEL_ID",
    "ServedModel",
    "TrackedRun",
    "close_dead_runs",
    "finite_metrics",
    "signature_of",
    "start_run",
    "whole_lines",
]

ARTIFACT = "bundle"
"""Name of the bundle's folder among the files of a logged model."""
# what a logged model keeps of the settings: parameters of `FeatureRowScorer`
_CHOICES = ("reasons", "told", "abstain_below", "high_above")


class ServedModel(PythonModel):
    """A sealed bundle as an MLflow model: the class behind `model_code.py`.

    MLflow calls `load_context` once and then `predict`. The digest comes from the model's configuration, outside the folder
    that it seals: a bundle in which one byte was changed is not loaded. Nothing is unpickled.
    """

    def load_context(self, context: Any) -> None:
        """Read the bundle and check its digest."""
        config = context.model_config
        bundle = read_bundle(context.artifacts[ARTIFACT], digest=str(config["digest"]))
        self._scorer = FeatureRowScorer(bundle, **{name: config[name] for name in _CHOICES if name in config})
        self._kinds = self._scorer.columns

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows of features; see `FeatureRowScorer.score`."""
        scored = self._scorer.score(model_input)
        texts = [name for name, kind in self._kinds.items() if kind is str]
        return scored.assign(**{name: scored[name].astype(object).where(scored[name].notna(), "") for name in texts})


def signature_of(scorer: FeatureRowScorer) -> ModelSignature:
    """Return the signature: the names of the features in, scores out.

    For MLflow every column is optional and of any type: it would refuse whole numbers, and a row without a feature, before the
    model is asked, in a message that either repeats the caller's rows or names nothing. The model itself widens whole numbers,
    refuses what is no number or not there, and names the column. Missing values are NaN or null.
    """
    names = (ACCOUNT, *scorer.bundle.feature_names)
    inputs: list[ColSpec | TensorSpec] = [ColSpec(AnyType(), name, required=False) for name in names]  # type: ignore[no-untyped-call]
    kinds = {float: DataType.double, str: DataType.string}
    outputs: list[ColSpec | TensorSpec] = [ColSpec(kinds[kind], name) for name, kind in scorer.columns.items()]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


_MOST_PARAMS = 100
_DESCRIPTION = "mlflow.note.content"
_LONGEST_TAG = 8000
_LONGEST_DIGEST = 36
_MOST_METRICS = 1000
_LONGEST_VALUE = 6000
_PROCESS = "staypower.process"
MODEL_ID = "staypower.model_id"
_QUIETLY = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow would copy a `uv.lock` and `pyproject.toml` of the current folder, which is the user's, into the model
    "MLFLOW_UV_AUTO_DETECT": "false",
}


class RunWriter(ABC):
    """What is logged of a run, now or later."""

    @abstractmethod
    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file of the run."""

    @abstractmethod
    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the run."""

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Log a table that MLflow shows as one, as a JSON file."""
        self.log_text(table.to_json(orient="split", index=False), name)
        self.set_tags({"mlflow.loggedArtifacts": json.dumps([{"path": name, "type": "table"}])})

    def describe(self, text: str) -> None:
        """Show a text in Markdown on the run's page."""
        self.set_tags({_DESCRIPTION: whole_lines(text, _LONGEST_TAG)})


class TrackedRun(RunWriter):
    """A run that is going on."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id
        self._model_id: str | None = None

    def log_settings(self, settings: Mapping[str, Any], chosen: Collection[str] | None = None) -> None:
        """Log nested settings whole as `settings.json`, and those that were chosen as parameters; by default all of them."""
        given = ((name, value) for name, value in _flatten(settings) if chosen is None or name in chosen)
        flat = {_key(name): _shown(value)[:_LONGEST_VALUE] for name, value in given}
        params = [Param(name, value) for name, value in flat.items()]
        for start in range(0, len(params), _MOST_PARAMS):
            self._store.client.log_batch(self.run_id, params=params[start : start + _MOST_PARAMS])
        self._store.client.log_text(self.run_id, json.dumps(settings, indent=1, default=str), "settings.json")

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int = 0) -> None:
        """Log nested metrics with dotted names, of the model too if it was logged before; what is not finite is left out."""
        now, model = now_milliseconds(), self._model_id
        found = [Metric(name, value, now, step, model_id=model) for name, value in finite_metrics(metrics).items()]
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

    def log_data(self, data: Sequence[LoggedData]) -> None:
        """Log what was read as data sets of MLflow."""
        self._store.client.log_inputs(self.run_id, [_input_of(each) for each in data])

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the run."""
        for name, value in tags.items():
            self._store.client.set_tag(self.run_id, _key(name), str(value))

    def log_model(self, bundle: Bundle, folder: Path, digest: str, **choices: Any) -> str:
        """Log a sealed bundle as a model that MLflow can serve, with its signature and pinned requirements.

        The model is code and text: `model_code.py` is stored with the bundle and nothing is pickled. The example is a row of
        typical values: no row of a customer is stored. The choices are those of `FeatureRowScorer`.
        """
        scorer = FeatureRowScorer(bundle, **choices)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints of mlflow for its own developers
            created = self._store.client.create_logged_model(self._store.experiment_id, "model", source_run_id=self.run_id)
            with use_store(self._store), _environment(_QUIETLY):
                Model.log(
                    artifact_path=None,
                    name="model",
                    flavor=mlflow.pyfunc,
                    run_id=self.run_id,
                    model_id=created.model_id,
                    python_model=str(Path(__file__).with_name("model_code.py")),
                    artifacts={ARTIFACT: str(folder)},
                    model_config={"digest": digest, **choices},
                    signature=signature_of(scorer),
                    input_example=scorer.example,
                    # given, because finding them out takes seconds
                    pip_requirements=_requirements(),
                )
        self._store.client.set_tag(self.run_id, MODEL_ID, created.model_id)
        self._model_id = str(created.model_id)
        return self._model_id


@contextlib.contextmanager
def start_run(
    store: Store, *, kind: str, name: str | None = None, tags: Mapping[str, object] | None = None, began: int | None = None
) -> Iterator[TrackedRun]:
    """Start a run; it ends finished, failed or killed as the block does."""
    close_dead_runs(store)
    given = {_key(tag): str(value) for tag, value in (tags or {}).items()}
    own = {"kind": kind, _PROCESS: _this_process(), "mlflow.user": user_name(), "staypower.version": __version__}
    own |= {"mlflow.source.name": f"staypower {kind}", "mlflow.source.type": "LOCAL"}
    created = store.client.create_run(store.experiment_id, start_time=began, run_name=name, tags={**given, **own})
    run = TrackedRun(store, created.info.run_id)
    try:
        yield run
    except BaseException as error:
        # a store that is gone must not hide the first error
        with contextlib.suppress(MlflowException, SQLAlchemyError, OSError):
            store.client.set_terminated(run.run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            _fail_models_of_ended_runs(store)
        raise
    store.client.set_terminated(run.run_id, "FINISHED")


def close_dead_runs(store: Store) -> list[str]:
    """Close runs of this experiment that a process of this machine left running when it died."""
    running = store.client.search_runs([store.experiment_id], filter_string="attributes.status = 'RUNNING'", max_results=1000)
    dead = [run.info.run_id for run in running if _is_dead(run.data.tags.get(_PROCESS, ""))]
    for run_id in dead:
        store.client.set_terminated(run_id, "KILLED")
    _fail_models_of_ended_runs(store)
    return dead


def _fail_models_of_ended_runs(store: Store) -> None:
    """Say of models whose logging began and did not end that they failed; a process that died here leaves them to the next."""
    # the newest will do: older ones were seen by earlier runs. A filter by status finds nothing: stores keep it as a number
    newest = store.client.search_logged_models(
        [store.experiment_id], max_results=50, order_by=[{"field_name": "creation_timestamp", "ascending": False}]
    )
    for model in (each for each in newest if str(each.status) == "PENDING"):
        if model.source_run_id and store.client.get_run(model.source_run_id).info.status != "RUNNING":
            store.client.finalize_logged_model(model.model_id, "FAILED")


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _is_dead(process: str) -> bool:
    """Say whether a process of this machine is gone; nothing is known about other machines."""
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
    """Return when a process started, in the kernel's ticks; empty where the system does not say, `dead` for a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return "dead" if fields[0] == "Z" else fields[19]


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in ("staypower", "lightgbm", "numpy", "pandas", "scipy")]


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment and put them back afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _input_of(data: LoggedData) -> DatasetInput:
    schema = {"mlflow_colspec": [{"type": "double", "name": name, "required": True} for name in data.columns]}
    parts = [json.dumps(part, default=str) for part in (data.source, schema, data.profile)]
    tags = [InputTag("mlflow.data.context", data.context)]
    return DatasetInput(Dataset(data.name, data.digest[:_LONGEST_DIGEST], "staypower", *parts), tags)


def whole_lines(text: str, most: int) -> str:
    r"""Cut a text to at most so many characters, after a paragraph or row.

    >>> whole_lines("a card\nof two lines", 12)
    'a card\n...'
    """
    return text if len(text) <= most else text[: most - 3].rpartition("\n")[0] + "\n..."


def finite_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flatten metrics and keep the finite numbers.

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
